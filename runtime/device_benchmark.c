#include "device_benchmark.h"

#include "device_internal.h"
#include "gemm_internal.h"

static const double SAMPLE_SECONDS = 0.02;
enum { CHAINS = 12 }; // of cl/peak.cl: as many vectors as the registers of AVX2 hold beside the factor

typedef struct {
    ebm_device *device;
    ebm_slice x, y, z, partials;
    size_t groups, blocks, part;
    int steps; // of the chains
} probe;

static const char *const names[] = {"fma, fp32",   "products, bf16", "memory read",         "memory update",
                                    "memory copy", "memory triad",   "launch, many queued", "launch, waited for"};

const char *ebm_device_measure_name(ebm_device_measure measure) { return names[measure]; }

enum { AMX_FLOPS = 4 * 2 * 16 * 16 * 32 }; // of a step by AMX: four products of tiles

// A step by AMX takes about eight times as long as one of the others.
static int chain_steps(const probe *p, bool amx) { return amx ? (p->steps + 7) / 8 : p->steps; }

static ebm_status launch_chains(probe *p, bool bf16)
{
    const bool amx = bf16 && p->device->amx;
    ebm_launch l = ebm_launch_begin(p->device, "peak.cl", "peak", "-DCHAINS=%d%s%s", (int)CHAINS, bf16 ? " -DBF16" : "",
                                    amx ? " -DAMX" : "");
    ebm_arg_slice(&l, p->partials);
    ebm_arg_f32(&l, 0.5f);
    ebm_arg_i32(&l, chain_steps(p, amx));
    return ebm_launch_rows(&l, p->groups);
}

static ebm_status run_fma(void *context) { return launch_chains(context, false); }
static ebm_status run_bf16(void *context) { return launch_chains(context, true); }

static ebm_status launch_parts(probe *p, ebm_launch *l)
{
    ebm_arg_i32(l, (int64_t)p->blocks);
    ebm_arg_i32(l, (int64_t)p->part);
    return ebm_launch_rows(l, p->groups);
}

static ebm_status run_read(void *context)
{
    probe *p = context;
    ebm_launch l = ebm_launch_begin(p->device, "bench_device.cl", "memory_read", "%s", "");
    ebm_arg_slice(&l, p->partials);
    ebm_arg_slice(&l, p->x);
    return launch_parts(p, &l);
}

static ebm_status run_update(void *context)
{
    probe *p = context;
    ebm_launch l = ebm_launch_begin(p->device, "bench_device.cl", "memory_update", "%s", "");
    ebm_arg_slice(&l, p->y);
    ebm_arg_f32(&l, 0.5f);
    return launch_parts(p, &l);
}

static ebm_status run_copy(void *context)
{
    probe *p = context;
    ebm_launch l = ebm_launch_begin(p->device, "bench_device.cl", "memory_copy", "%s", "");
    ebm_arg_slice(&l, p->y);
    ebm_arg_slice(&l, p->x);
    return launch_parts(p, &l);
}

static ebm_status run_triad(void *context)
{
    probe *p = context;
    ebm_launch l = ebm_launch_begin(p->device, "bench_device.cl", "memory_triad", "%s", "");
    ebm_arg_slice(&l, p->y);
    ebm_arg_slice(&l, p->x);
    ebm_arg_slice(&l, p->z);
    ebm_arg_f32(&l, 0.5f);
    return launch_parts(p, &l);
}

static ebm_status run_empty(void *context)
{
    const probe *p = context;
    ebm_launch l = ebm_launch_begin(p->device, "bench_device.cl", "empty", "%s", "");
    return ebm_launch_rows(&l, 1);
}

static ebm_status run_empty_waited(void *context)
{
    EBM_TRY(run_empty(context));
    return ebm_device_finish(((const probe *)context)->device);
}

// One run of fma is to last a sample: long enough to hide its launch, short enough for drivers that stop long kernels.
static ebm_status choose_steps(probe *p)
{
    const int most = 1 << 28, first = 16;
    for (p->steps = first; p->steps < most; p->steps *= 2) {
        const double start = ebm_now();
        EBM_TRY(run_fma(p));
        EBM_TRY(ebm_device_finish(p->device));
        if (ebm_now() - start >= SAMPLE_SECONDS && p->steps > first) return ebm_ok(); // the first one builds
    }
    return ebm_ok();
}

size_t ebm_device_benchmark_buffer(const ebm_device *device, const ebm_device_benchmark_settings *settings)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    const uint64_t usual = 256u << 20, beyond = 8 * info->cache_bytes, share = info->memory_bytes / 8;
    uint64_t bytes = settings->buffer_bytes;
    if (bytes == 0) {
        bytes = usual > beyond ? usual : beyond;
        if (bytes > share) bytes = share;
        if (bytes > info->max_allocation_bytes) bytes = info->max_allocation_bytes;
    }
    const uint64_t unit = sizeof(float) * 16; // of the widest block
    return (size_t)(bytes > unit ? bytes / unit * unit : unit);
}

// What one run of each counts; nothing where the device cannot do it.
static void state_work(const probe *p, double bytes, ebm_measured measured[EBM_DEVICE_MEASURES])
{
    const double items = (double)p->groups * ebm_device_group(p->device);
    const double lanes = CHAINS * ebm_device_lanes(p->device) * items * p->steps;
    for (int i = 0; i < EBM_DEVICE_MEASURES; i++) measured[i] = (ebm_measured){0};
    measured[EBM_MEASURE_FMA].flops = 2 * lanes;
    const bool has_bf16 = ebm_gemm_bf16_check(p->device).code == EBM_OK, amx = has_bf16 && p->device->amx;
    measured[EBM_MEASURE_BF16].flops = amx ? AMX_FLOPS * items * chain_steps(p, true) : has_bf16 ? 4 * lanes : 0;
    measured[EBM_MEASURE_READ].bytes = bytes;
    measured[EBM_MEASURE_UPDATE].bytes = measured[EBM_MEASURE_COPY].bytes = 2 * bytes;
    measured[EBM_MEASURE_TRIAD].bytes = 3 * bytes;
}

static ebm_status measure_all(probe *p, size_t bytes, const ebm_device_benchmark_settings *settings,
                              ebm_measured *measured)
{
    static ebm_timed_work *const works[] = {run_fma,  run_bf16,  run_read,  run_update,
                                            run_copy, run_triad, run_empty, run_empty_waited};
    const ebm_timing_plan plan = {settings->repeats, SAMPLE_SECONDS, settings->most_seconds};
    EBM_TRY(choose_steps(p));
    state_work(p, (double)bytes, measured);
    for (int i = 0; i < EBM_DEVICE_MEASURES; i++)
        if (i != EBM_MEASURE_BF16 || measured[i].flops > 0)
            EBM_TRY(ebm_timing_measure(p->device, works[i], p, &plan, &measured[i].seconds));
    return ebm_ok();
}

ebm_status ebm_device_benchmark(ebm_device *device, const ebm_device_benchmark_settings *settings,
                                ebm_measured measured[EBM_DEVICE_MEASURES])
{
    const size_t bytes = ebm_device_benchmark_buffer(device, settings), count = bytes / sizeof(float);
    const size_t units = ebm_device_info_view(device)->compute_units, lanes = (size_t)ebm_device_lanes(device);
    const bool cpu = ebm_device_uses_cpu_kernels(device);
    // Groups that hide each other's waits on a GPU; on a CPU a few, which even out what else its cores do.
    probe p = {.device = device, .groups = (units ? units : 1) * (cpu ? 4 : 32), .blocks = count / lanes};
    p.part = (p.blocks + p.groups - 1) / p.groups;
    ebm_arena *arena = ebm_arena_create(device, "buffers");
    if (!arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an arena");
    ebm_arena_reserve(arena, &p.x, count);
    ebm_arena_reserve(arena, &p.y, count);
    ebm_arena_reserve(arena, &p.z, count);
    ebm_arena_reserve(arena, &p.partials, p.groups * (size_t)ebm_device_group(device));
    ebm_status status = ebm_arena_plan(device, &arena, 1, "take smaller buffers");
    if (status.code == EBM_OK) status = ebm_arena_allocate(arena);
    if (status.code == EBM_OK) status = measure_all(&p, bytes, settings, measured);
    ebm_arena_free(arena);
    return status;
}

ebm_peaks ebm_peaks_of(const ebm_measured measured[EBM_DEVICE_MEASURES])
{
    const ebm_measured *fma = &measured[EBM_MEASURE_FMA];
    const ebm_measured *bf16 = &measured[EBM_MEASURE_BF16];
    ebm_peaks peaks = {.flops = fma->flops / fma->seconds.least};
    if (bf16->flops > 0) peaks.bf16_flops = bf16->flops / bf16->seconds.least;
    for (int i = EBM_MEASURE_READ; i <= EBM_MEASURE_TRIAD; i++) {
        const double rate = measured[i].bytes / measured[i].seconds.least;
        if (rate > peaks.bytes) peaks.bytes = rate;
    }
    return peaks;
}

double ebm_peaks_floor(const ebm_peaks *peaks, double flops, double bytes)
{
    const double arithmetic = peaks->flops > 0 ? flops / peaks->flops : 0;
    const double memory = peaks->bytes > 0 ? bytes / peaks->bytes : 0;
    return arithmetic > memory ? arithmetic : memory;
}
