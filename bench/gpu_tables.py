"""Writes the tables of bench/GPU.md anew, between their marks:

    tests/vendor/run.sh          # what the vendors' compilers say, into build/vendors/results.json
    EBMCL_KERNELS=gpu ebmcl bench step --random roberta-base --repeats 1 --profile --json \\
        --peak_gflops 100 --peak_gb_s 10 > step.json      # the work of a step; the times in it are not used
    python3 bench/gpu_tables.py build/vendors/results.json step.json
"""
import json
import re
import sys
from pathlib import Path

PAGE = Path(__file__).with_name('GPU.md')
TARGETS = ['tgllp', 'dg2', 'gfx900', 'gfx90a', 'gfx1030', 'sm_70', 'sm_80', 'sm_86', 'sm_90']
# The variants a RoBERTa-base with dropout is trained with, and its noise model samples with.
MODEL = dict(C='768', D='64', DROPOUT='1', HEADS='12', GELU_TANH='0', BIAS='1', NORM_SHIFT='1', SHARP='0',
             TOP_K='20', CHUNK='4096', WIDTH='48')

# Published peaks: fp32 TFLOP/s without matrix units at boost clock, GB/s of memory, as bench/GPU.md derives them.
CARDS = [
    ('Arc A770 16 GB', 19.66, 560),
    ('RX 6900 XT', 23.04, 512),
    ('MI210', 22.6, 1638),
    ('RTX 3090', 35.58, 936),
    ('A100 40 GB', 19.5, 1555),
]
# What the second estimate takes instead of the peaks: not measured on any of these cards.
SHARE_OF_FLOPS, SHARE_OF_BYTES, LAUNCH_S = 0.6, 0.7, 5e-6


def macros_of(options):
    return dict(m.groups() for o in options if (m := re.match(r'-D(\w+)=(.*)', o)))


def is_the_models(row):
    macros = macros_of(row['options'])
    return row['file'] == 'sample_all.cl' or all(macros.get(name, value) == value for name, value in MODEL.items())


def compiler_table(results):
    """kernel -> target -> what its compiler says, of the first program that has the kernel."""
    kernels = {}
    for row in results:
        if not is_the_models(row) or 'error' in row:
            continue
        for name, kernel in row['kernels'].items():
            macros = macros_of(row['options'])
            if row['file'] == 'gemm_plain.cl' and name == 'gemm':
                name += ' ' + 'nt'[int(macros['A_TRANSPOSED'])] + 'nt'[int(macros['B_TRANSPOSED'])]
            kernels.setdefault((row['file'], name), {}).setdefault(row['target'], kernel)
    lines = ['| kernel | items | local bytes | ' + ' | '.join(TARGETS) + ' |',
             '|---|---|---|' + '---|' * len(TARGETS)]
    for (file, name), of in sorted(kernels.items()):
        local = max(kernel['local'] for kernel in of.values())
        items = max(kernel['items'] for kernel in of.values())
        cells = [f"{k['registers']}{'/' + str(k['simd']) if k.get('simd') else ''}, {100 * k['occupancy']:.0f} %"
                 if (k := of.get(target)) else '' for target in TARGETS]
        lines.append(f'| {file[:-3]}: {name} | {items} | {local} | ' + ' | '.join(cells) + ' |')
    return lines


def summary_table(data):
    lines = ['| target | compiler | programs | kernels | in scratch | lowest occupancy, of |',
             '|---|---|---|---|---|---|']
    for target in TARGETS:
        rows = [row for row in data['results'] if row['target'] == target]
        kernels = [(k['occupancy'], name, k) for row in rows for name, k in row.get('kernels', {}).items()]
        kept = sum(1 for _, _, k in kernels if k['spills'] or k['scratch'])
        share, name, kernel = min(kernels, key=lambda one: one[0])
        lines.append(f"| {target} | {data['versions'][target]} | {len(rows)} | {len(kernels)} | {kept} | "
                     f"{100 * share:.0f} %, {name} ({kernel['limit']}) |")
    return lines


def work_table(step):
    rows = sorted(step['profile'], key=lambda row: -row['flops'])
    lines = ['| kernel | launches | GFLOP | MB | FLOP a byte |', '|---|---|---|---|---|']
    for row in rows:
        intensity = row['flops'] / row['bytes'] if row['bytes'] else 0
        lines.append(f"| {row['kernel']} | {row['launches']} | {row['flops'] / 1e9:.2f} | {row['bytes'] / 1e6:.1f} | "
                     f"{intensity:.2f} |")
    return lines


def roofline_table(step):
    lines = ['| card | TFLOP/s | GB/s | ridge, FLOP a byte | products | attention | the rest | roofline, ms a step | '
             'estimate, ms | tokens/s at the estimate |', '|---|---|---|---|---|---|---|---|---|---|']
    for name, tflops, gb in CARDS:
        parts, estimate = dict(products=0.0, attention=0.0, rest=0.0), 0.0
        for row in step['profile']:
            flops, moved = row['flops'] / (tflops * 1e12), row['bytes'] / (gb * 1e9)
            part = 'products' if row['kernel'].startswith('gemm') else \
                'attention' if row['kernel'].startswith('attention') else 'rest'
            parts[part] += max(flops, moved)
            estimate += max(flops / SHARE_OF_FLOPS, moved / SHARE_OF_BYTES) + row['launches'] * LAUNCH_S
        lines.append(f"| {name} | {tflops} | {gb} | {1e3 * tflops / gb:.0f} | {1e3 * parts['products']:.1f} | "
                     f"{1e3 * parts['attention']:.1f} | {1e3 * parts['rest']:.1f} | {1e3 * sum(parts.values()):.0f} | "
                     f"{1e3 * estimate:.0f} | {step['tokens'] / estimate:,.0f} |")
    return lines


def main():
    data = json.loads(Path(sys.argv[1]).read_text())
    step = json.loads(Path(sys.argv[2]).read_text())
    text = PAGE.read_text()
    for mark, lines in (('summary', summary_table(data)), ('compilers', compiler_table(data['results'])),
                        ('work', work_table(step)), ('roofline', roofline_table(step))):
        text, found = re.subn(rf'(<!-- {mark} -->\n).*?(\n<!-- end -->)',
                              lambda m: m[1] + '\n' + '\n'.join(lines) + '\n' + m[2], text, flags=re.S)
        if found != 1:
            sys.exit(f'{PAGE}: expected the mark <!-- {mark} --> once, found it {found} times')
    PAGE.write_text(text)


if __name__ == '__main__':
    main()
