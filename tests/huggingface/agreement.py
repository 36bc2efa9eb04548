"""Comparisons that say what was compared, and remember failures until the end.

The yardstick is PyTorch itself: `exact` is its double precision, `single` its single precision, and ebmcl may be as far from the
exact value as 8 times the largest distance that PyTorch's own single precision shows among the tensors compared together.
"""
import sys

FACTOR = 8
ROUNDING = 2.0 ** -23
failures = []


def report(what, found, allowed):
    print(f"{what}: off by {found:.1e}, allowed {allowed:.1e}", flush=True)
    if not found <= allowed:  # NaN fails
        failures.append(what)


def check(what, right):
    print(f"{what}: {'same' if right else 'DIFFERENT'}", flush=True)
    if not right:
        failures.append(what)


def distance(found, wanted, floor):
    """The largest difference of an element, relative to the tensor's norm (to `floor` where that is less)."""
    return (found - wanted).abs().max().item() / max(wanted.norm().item(), floor)


def relative(what, found, wanted, allowed=1e-4):
    """Each element relative to itself, or to the typical size of all where it is smaller."""
    wanted = wanted.detach().double()
    size = wanted.abs().clamp(min=wanted.square().mean().sqrt().item())
    report(what, ((found.detach().double() - wanted).abs() / size).max().item(), allowed)


def tensors(what, found, exact, single, minus=None, leave_out=()):
    """Every tensor of `exact` by name against the yardstick, relative to its norm, but to a thousandth of the norm of all where
    it is smaller (what is 0 but for rounding). `minus`: what all three are counted from."""
    if set(found) != set(exact):
        check(f"{what}: names {sorted(set(found) ^ set(exact))}", False)
        return
    names = [n for n in sorted(exact) if n not in leave_out]
    f, e, s = ({n: t[n].double() - (minus[n].double() if minus else 0.0) for n in names} for t in (found, exact, single))
    floor = 1e-3 * sum(t.square().sum().item() for t in e.values()) ** 0.5
    yardstick = max(distance(s[n], e[n], floor) for n in names)
    worst = max(names, key=lambda n: distance(f[n], e[n], floor))
    report(f"{what}, {len(names)} tensors, worst {worst}", distance(f[worst], e[worst], floor), FACTOR * max(yardstick, ROUNDING))
    if yardstick > 1e-3:
        check(f"{what}: PyTorch's single precision is off by {yardstick:.1e}, no yardstick", False)


def numbers(what, found, exact, single):
    """Losses: the same, relative to each."""
    yardstick = max(abs(s - e) / abs(e) for s, e in zip(single, exact))
    if len(found) != len(exact):
        check(f"{what}: {len(found)} numbers", False)
        return
    report(f"{what}, {len(exact)} numbers", max(abs(f - e) / abs(e) for f, e in zip(found, exact)),
           FACTOR * max(yardstick, ROUNDING))


def finish():
    print(f"{len(failures)} failures" + "".join(f"\n  {what}" for what in failures))
    sys.exit(bool(failures))
