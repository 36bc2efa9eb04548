"""Comparisons that say what was compared, and remember failures until the end.

The yardstick is PyTorch itself: `exact` is its double precision, `single` its single precision, and ebmcl may be as far from the
exact value as 8 times the largest distance that PyTorch's own single precision shows among the tensors compared together.
"""
import math
import sys

FACTOR = 8
ROUNDING = 2.0 ** -23
NOTHING = 1e-9  # of the norm of all: less is 0 but for rounding
failures = []


def report(what, found, allowed):
    print(f"{what}: off by {found:.1e}, allowed {allowed:.1e}", flush=True)
    if not found <= allowed:  # NaN fails
        failures.append(what)


def check(what, right):
    print(f"{what}: {'same' if right else 'DIFFERENT'}", flush=True)
    if not right:
        failures.append(what)


def relative(what, found, wanted, allowed=1e-4):
    """Each element relative to itself, or to the typical size of all where it is smaller."""
    wanted = wanted.detach().double()
    if found.shape != wanted.shape:
        check(f"{what}: shapes {tuple(found.shape)}, {tuple(wanted.shape)}", False)
        return
    size = wanted.abs().clamp(min=wanted.square().mean().sqrt().item())
    report(what, ((found.detach().double() - wanted).abs() / size).max().item(), allowed)


def distances(found, exact):
    """By name, the largest difference of an element relative to the tensor's norm (to a thousandth of the norm of all where it is
    smaller). What is 0 but for rounding, the gradients of keys' biases, has no size of its own: there the norm of all counts."""
    norms = {n: t.norm().item() for n, t in exact.items()}
    whole = sum(x * x for x in norms.values()) ** 0.5
    scale = {n: max(x, 1e-3 * whole) if x > NOTHING * whole else whole for n, x in norms.items()}
    return {n: (found[n] - exact[n]).abs().max().item() / scale[n] for n in exact}


def tensors(what, cases, leave_out=()):
    """cases: (found, exact, single, minus) by name of case, each a table of tensors by name; `minus` is what the three are counted
    from, or None. One yardstick for all of them."""
    off, yardstick = {}, 0.0
    for case, (found, exact, single, minus) in cases.items():
        shapes = [{(n, tuple(t.shape)) for n, t in table.items()} for table in (found, exact)]
        if shapes[0] != shapes[1]:
            check(f"{what}: {case}: shapes {sorted(shapes[0] ^ shapes[1])}", False)
            return
        f, e, s = ({n: t[n].detach().double() - (minus[n].double() if minus else 0.0) for n in exact if n not in leave_out}
                   for t in (found, exact, single))
        off.update({f"{n} of {case}": x for n, x in distances(f, e).items()})
        yardstick = max(yardstick, *distances(s, e).values())
    worst = max(off, key=lambda n: math.inf if math.isnan(off[n]) else off[n])
    report(f"{what}, {len(off)} tensors, worst {worst}", off[worst], FACTOR * max(yardstick, ROUNDING))
    if not yardstick < 1e-3:
        check(f"{what}: PyTorch's single precision is off by {yardstick:.1e}, no yardstick", False)


def numbers(what, found, exact, single):
    """Losses: the same, relative to each."""
    if len(found) != len(exact):
        check(f"{what}: {len(found)} numbers", False)
        return
    sizes = [abs(e) or 1.0 for e in exact]
    yardstick = max(abs(s - e) / size for s, e, size in zip(single, exact, sizes))
    if not all(map(math.isfinite, found)):
        check(f"{what}: {found}", False)
    report(f"{what}, {len(exact)} numbers", max(abs(f - e) / size for f, e, size in zip(found, exact, sizes)),
           FACTOR * max(yardstick, ROUNDING))


def finish():
    print(f"{len(failures)} failures" + "".join(f"\n  {what}" for what in failures))
    sys.exit(bool(failures))
