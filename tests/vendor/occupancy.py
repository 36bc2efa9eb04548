"""Occupancy: which share of the waves (warps, threads of an execution unit) that a multiprocessor can hold are there
when a kernel fills it, by the rule each vendor publishes.

    NVIDIA   CUDA C++ Programming Guide, "Compute Capabilities", and the Occupancy Calculator's allocation units
    AMD      the register files, wave slots and LDS of the ISA guides ("Vega", "CDNA 2", "RDNA 2") as LLVM's AMDGPUUsage
             and GCNSubtarget state them
    Intel    GPU Occupancy Calculator (oneAPI samples): threads, local memory and barriers of a sub-slice
"""
from dataclasses import dataclass


def round_up(value, unit):
    return -(-value // unit) * unit


@dataclass(frozen=True)
class Nvidia:
    warps: int           # of a multiprocessor
    groups: int
    local: int           # bytes of a multiprocessor
    local_unit: int      # bytes are given out by so many
    local_reserved: int  # bytes a group takes for the system
    wave = 32
    name = 'CUDA C++ Programming Guide, compute capabilities'

    def groups_of(self, items, kernel):
        warps = -(-items // 32)
        limits = [('groups', self.groups), ('warps', self.warps // warps)]
        # 64 K registers in four files; a warp's are given out by 256.
        registers = round_up(max(kernel['registers'], 1) * 32, 256)
        limits.append(('registers', 16384 // registers * 4 // warps))
        local = round_up(kernel['local'] + self.local_reserved, self.local_unit)
        if local:
            limits.append(('local memory', self.local // local))
        return limits, warps, self.warps


@dataclass(frozen=True)
class Amd:
    simds: int      # that share the local memory
    waves: int      # of a SIMD
    registers: int  # of a lane of a SIMD
    unit: int       # registers are given out by so many
    local: int
    wave: int
    name = 'AMD ISA guides and LLVM AMDGPUUsage'

    def groups_of(self, items, kernel):
        waves = -(-items // self.wave)
        registers = round_up(max(kernel['registers'], 1), self.unit)
        a_simd = min(self.waves, self.registers // registers)
        limits = [('waves', self.waves * self.simds // waves), ('registers', a_simd * self.simds // waves)]
        if kernel['local']:
            limits.append(('local memory', self.local // round_up(kernel['local'], 512)))
        if waves > 1:
            limits.append(('groups', 16 * self.simds // 4 * (2 if self.wave == 32 else 1)))
        return limits, waves, self.waves * self.simds


@dataclass(frozen=True)
class Intel:
    threads: int  # of a sub-slice
    local: int    # bytes of a sub-slice
    barriers: int = 32
    name = 'Intel GPU Occupancy Calculator'

    def groups_of(self, items, kernel):
        threads = -(-items // kernel['simd'])
        limits = [('threads', self.threads // threads)]
        if kernel['barriers']:
            limits.append(('barriers', self.barriers))
        if kernel['local']:
            size = 1024
            while size < kernel['local']:
                size *= 2
            limits.append(('local memory', self.local // size))
        return limits, threads, self.threads


def occupancy(rule, items, kernel):
    """(share, what limits it) of groups of `items` work-items."""
    limits, waves, most = rule.groups_of(items, kernel)
    what, groups = min(limits, key=lambda limit: limit[1])
    return min(groups * waves, most) / most, what
