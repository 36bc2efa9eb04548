"""The programs that are compiled: those of variants.txt, and these again with the sizes that models have."""
import math
import re
from pathlib import Path

# Forms for CPUs, with a work-group of one item; a GPU is never given them.
CPU_ONLY = {
    'attention_cpu.cl': 'attention_gpu.cl is the form for GPUs',
    'gemm_cpu.cl': 'gemm_plain.cl or CLBlast on GPUs',
    'gemm_cpu_bf16.cl': 'as gemm_cpu.cl',
    'gemm_dot.cl': 'as gemm_cpu.cl',
    'assembly_check.cl': 'asks a CPU driver whether it takes instructions of the processor',
    'screen.cl': 'screening of logits is chosen on CPUs alone',
    'sample_screened.cl': 'as screen.cl',
}
HEAD_SIZES = range(16, 129, 16)  # all that attention takes
CHANNELS = (384, 768, 3072)      # MiniLM, BERT and RoBERTa, the inner layer of these
BOTH = ((384, 32), (768, 64), (1024, 64))  # channels and head size of MiniLM, and of BERT and RoBERTa, base and large


def read(path):
    """[(file, [option, ...])]"""
    lines = [line.split() for line in Path(path).read_text().splitlines() if line and not line.startswith('#')]
    return [(words[0], words[1:]) for words in lines]


def replaced(options, **values):
    return [f'-D{m[1]}={values[m[1]]}' if (m := re.match(r'-D(\w+)=', o)) and m[1] in values else o for o in options]


def expanded(recorded):
    """The recorded programs with each head size in the place of theirs, and with real numbers of channels. Of the small
    numbers of channels that tests choose, one multiple of 4 and two others are enough."""
    programs = []

    def add(file, options):
        if (file, options) not in programs:
            programs.append((file, options))

    for file, options in recorded:
        macros = dict(re.match(r'-D(\w+)=(.*)', o).groups() for o in options if re.match(r'-D\w+=', o))
        if 'D' in macros and 'C' in macros:
            for channels, d in BOTH:
                add(file, replaced(options, C=channels, D=d, SCALE=f'{1 / math.sqrt(d):.9g}f'))
        elif 'D' in macros:
            for d in HEAD_SIZES:
                values = dict(D=d, SCALE=f'{1 / math.sqrt(d):.9g}f')
                if 'HEADS' in macros:
                    values['HEADS'] = 12  # of BERT
                add(file, replaced(options, **values))
        elif 'C' in macros:
            c = int(macros['C'])
            if c in (3, 16, 17):
                add(file, options)
            for channels in CHANNELS:
                add(file, replaced(options, C=channels))
        else:
            add(file, options)
    return programs


def flattened(folder, file, depth=0):
    """The text that the library gives to a driver: lines #include "name" replaced by the file."""
    text = []
    for line in (Path(folder) / file).read_text().splitlines(keepends=True):
        include = re.match(r'#include "([^"]+)"', line)
        text.append(flattened(folder, include[1], depth + 1) if include else line)
    return ''.join(text)


def kernels_of(folder, file):
    """Names after __kernel, whatever attributes lie between; not of kernels for CPUs alone, where GROUP is 1."""
    text = re.sub(r'//[^\n]*', '', (Path(folder) / file).read_text())
    text = re.sub(r'^#if GROUP == 1$.*?^#endif$', '', text, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r'(?:__kernel|ROW_KERNEL)\b[^;{]*?\bvoid\s+(\w+)\s*\(', text))


def complaints(folder, recorded):
    """What the list does not cover, or should not name."""
    named = {file for file, _ in recorded}
    there = {path.name for path in Path(folder).glob('*.cl')}
    found = []
    for file in sorted(there - named - set(CPU_ONLY)):
        found.append(f'{file}: no program of it is listed; run tests/vendor/record.sh, with a test that builds it')
    for file in sorted(named & set(CPU_ONLY)):
        found.append(f'{file}: a form for CPUs was built with the GPU form of kernels')
    for file in sorted((named | set(CPU_ONLY)) - there):
        found.append(f'{file}: there is no such file in cl/')
    return found
