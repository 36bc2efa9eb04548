"""The compilers of GPU vendors: how each is called and what it says of a kernel.

Each target compiles OpenCL C text with options to a dictionary: kernel name -> registers, local (bytes), scratch (bytes
that a work-item or thread keeps in memory: spilled registers and arrays that were not kept in registers), items (of a
work-group), and what its occupancy rule needs.
"""
import os
import re
import struct
import subprocess
import threading
from pathlib import Path

from occupancy import Amd, Intel, Nvidia


class CompileError(Exception):
    pass


class Tools:
    """Where compilers.sh put the compilers."""

    def __init__(self, directory):
        self.root = Path(directory) / 'root'
        libraries = self.root / 'usr/lib/x86_64-linux-gnu'
        self.environment = dict(os.environ, LC_ALL='C', LD_LIBRARY_PATH=':'.join(
            str(p) for p in (libraries, libraries / 'intel-opencl', self.root / 'usr/lib/llvm-15/lib')))
        unpacked = self.root / 'usr/lib/llvm-15/bin/clang'
        self.clang = str(unpacked) if unpacked.exists() else 'clang-15'
        self.ocloc = self.root / 'usr/bin/ocloc'
        self.amd_libraries = libraries / 'amdgcn/bitcode'
        self.libclc = self.root / 'usr/lib/clc/nvptx64--nvidiacl.bc'
        self.ptxas = next(Path(directory).glob('python/lib/python3*/site-packages/nvidia/cuda_nvcc/bin/ptxas'), None)
        for name in ('ocloc', 'amd_libraries', 'libclc'):  # installed packages are used where they are
            path = getattr(self, name)
            installed = Path('/') / path.relative_to(self.root)
            if not path.exists() and installed.exists():
                setattr(self, name, installed)

    def run(self, command, **more):
        done = subprocess.run([str(c) for c in command], env=self.environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **more)
        if done.returncode != 0:
            raise CompileError(first_error(done.stdout))
        return done.stdout


def first_error(log):
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    return next((line for line in lines if 'error' in line.lower()), lines[0] if lines else 'no output')


def clang_options(tools):
    return [tools.clang, '-x', 'cl', '-O3', '-Xclang', '-finclude-default-header', '-nogpulib', '-Wno-linker-warnings']


class AmdTarget:
    vendor = 'AMD'

    def __init__(self, name, rule):
        self.name, self.rule = name, rule

    def missing(self, tools):
        return None if tools.amd_libraries.exists() else 'no rocm-device-libs'

    def version(self, tools):
        return tools.run([tools.clang, '--version']).splitlines()[0]

    def compile(self, tools, source, options, work):
        wave64 = 'on' if self.rule.wave == 64 else 'off'
        bitcode = ['opencl', 'ocml', 'ockl', f'oclc_isa_version_{self.name[3:]}', f'oclc_wavefrontsize64_{wave64}',
                   'oclc_daz_opt_off', 'oclc_finite_only_off', 'oclc_unsafe_math_off',
                   'oclc_correctly_rounded_sqrt_off', 'oclc_abi_version_400']
        link = [word for name in bitcode for word in
                ('-Xclang', '-mlink-builtin-bitcode', '-Xclang', tools.amd_libraries / f'{name}.bc')]
        output = work / f'{self.name}.s'
        tools.run([*clang_options(tools), '-target', 'amdgcn-amd-amdhsa', f'-mcpu={self.name}', *link, *options, '-S',
                   '-o', output, source])
        kernels = {}
        metadata = output.read_text().split('.amdgpu_metadata')[1]
        for part in re.split(r'\n  - ', metadata)[1:]:
            def number(key):
                found = re.search(rf'\.{key}:\s+(\d+)', part)
                return int(found[1]) if found else 0
            name = re.search(r'\n    \.name:\s+(\S+)', part)
            if not name:
                continue
            size = re.search(r'\.reqd_workgroup_size:((?:\s+- \d+)+)', part)
            items = 1
            for n in re.findall(r'\d+', size[1]) if size else [number('max_flat_workgroup_size')]:
                items *= int(n)
            kernels[name[1]] = dict(registers=number('vgpr_count'), local=number('group_segment_fixed_size'),
                                    scratch=number('private_segment_fixed_size'),
                                    spills=number('vgpr_spill_count') + number('sgpr_spill_count'), items=items)
        return kernels


class NvidiaTarget:
    vendor = 'NVIDIA'
    lock, last = threading.Lock(), {}  # PTX of the programs compiled so far

    def __init__(self, name, rule):
        self.name, self.rule = name, rule

    def missing(self, tools):
        return 'no ptxas' if tools.ptxas is None else None if tools.libclc.exists() else 'no libclc-15'

    def version(self, tools):
        return ' '.join([tools.run([tools.clang, '--version']).splitlines()[0],
                         tools.run([tools.ptxas, '--version']).splitlines()[-1]])

    def compile(self, tools, source, options, work):
        ptx = work / f'{self.name}.ptx'
        ptx.write_text(self.ptx_of(tools, source, options, work))
        log = tools.run([tools.ptxas, '-v', f'-arch={self.name}', ptx, '-o', work / f'{self.name}.cubin'])
        sizes = dict(re.findall(r'\.entry (\w+)\([^{]*?\)\s*\n\.reqntid ([\d, ]+)', ptx.read_text()))
        kernels = {}
        for part in log.split("Compiling entry function '")[1:]:
            name = part.split("'")[0]
            frame, stores, loads = (int(re.search(rf'(\d+) bytes {what}', part)[1])
                                    for what in ('stack frame', 'spill stores', 'spill loads'))
            local = re.search(r'(\d+) bytes smem', part)
            items = 1
            for n in re.findall(r'\d+', sizes.get(name, '')):
                items *= int(n)
            kernels[name] = dict(registers=int(re.search(r'Used (\d+) registers', part)[1]),
                                 local=int(local[1]) if local else 0, scratch=frame, spills=stores + loads,
                                 items=items if name in sizes else 0)
        return kernels

    def ptx_of(self, tools, source, options, work):
        """PTX for the oldest architecture, which ptxas takes for all."""
        key = (source.name, *options)
        with self.lock:
            if key not in self.last:
                ptx = work / 'all.ptx'
                tools.run([*clang_options(tools), '-target', 'nvptx64-nvidia-cuda', '-Xclang', '-target-cpu', '-Xclang',
                           'sm_70', '-Xclang', '-mlink-builtin-bitcode', '-Xclang', tools.libclc, *options, '-S', '-o',
                           ptx, source])
                self.last[key] = ptx.read_text()
            return self.last[key]


# Tokens of a kernel's patch list in Intel's device binaries, as in the compiler's header patch_list.h.
LOCAL_SURFACE, MEDIA_VFE_STATE, EXECUTION_ENVIRONMENT, PRIVATE_MEMORY = 15, 18, 23, 38


class IntelTarget:
    vendor = 'Intel'

    def __init__(self, name, device, rule):
        self.name, self.device, self.rule = name, device, rule

    def missing(self, tools):
        return None if tools.ocloc.exists() else 'no ocloc (intel-opencl-icd)'

    def version(self, tools):
        return 'ocloc ' + next((p.name for p in tools.root.glob('usr/lib/*/libigc.so.1.*')), 'installed')

    def compile(self, tools, source, options, work):
        output = work / self.name
        tools.run([tools.ocloc, 'compile', '-file', source, '-device', self.device, '-out_dir', output, '-options',
                   ' '.join(options)])
        binary = next(output.glob('*.bin')).read_bytes()
        return read_intel_binary(binary)


def read_intel_binary(binary):
    start = binary.find(struct.pack('<I', 0x494E5443))
    if start < 0:
        raise CompileError('ocloc wrote a device binary in a format other than patch tokens')
    _, _, _, _, count, _, patch_list = struct.unpack_from('<7I', binary, start)
    at, kernels = start + 28 + patch_list, {}
    for _ in range(count):
        _, _, name_size, patch_size, *heaps, _ = struct.unpack_from('<IQ7I', binary, at)
        at += 40
        name = binary[at:at + name_size].rstrip(b'\0').decode()
        at += name_size + sum(heaps)
        kernel = dict(registers=0, local=0, scratch=0, spills=0, items=1, simd=0, barriers=0)
        end = at + patch_size
        while at < end:
            token, size = struct.unpack_from('<2I', binary, at)
            words = struct.unpack_from(f'<{(size - 8) // 4}I', binary, at + 8)
            if token == LOCAL_SURFACE:
                kernel['local'] = words[1]
            elif token == MEDIA_VFE_STATE:  # scratch of a thread, where registers are spilled to
                kernel['spills'] = words[0]
            elif token == PRIVATE_MEMORY:  # arrays of a work-item that were not kept in registers
                kernel['scratch'] += words[3]
            elif token == EXECUTION_ENVIRONMENT:
                kernel.update(items=words[0] * words[1] * words[2], simd=words[3], barriers=words[5],
                              registers=words[20])
            at += size
        kernels[name] = kernel
    return kernels


TARGETS = [
    IntelTarget('tgllp', 'tgllp', Intel(threads=112, local=65536)),
    IntelTarget('dg2', 'acm-g10', Intel(threads=128, local=131072)),
    AmdTarget('gfx900', Amd(simds=4, waves=10, registers=256, unit=4, local=65536, wave=64)),
    AmdTarget('gfx90a', Amd(simds=4, waves=8, registers=512, unit=8, local=65536, wave=64)),
    AmdTarget('gfx1030', Amd(simds=4, waves=16, registers=1024, unit=16, local=131072, wave=32)),
    NvidiaTarget('sm_70', Nvidia(warps=64, groups=32, local=98304, local_unit=256, local_reserved=0)),
    NvidiaTarget('sm_80', Nvidia(warps=64, groups=32, local=167936, local_unit=128, local_reserved=1024)),
    NvidiaTarget('sm_86', Nvidia(warps=48, groups=16, local=102400, local_unit=128, local_reserved=1024)),
    NvidiaTarget('sm_90', Nvidia(warps=64, groups=32, local=233472, local_unit=128, local_reserved=1024)),
]
