#include "bench_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// In bf16 the products have a peak of their own, the rest is fp32.
static ebm_peaks peaks_of_row(const ebm_profile_row *row, const ebm_peaks *peaks)
{
    ebm_peaks own = *peaks;
    if (strncmp(row->name, "gemm_", 5) == 0 && peaks->bf16_flops > 0) own.flops = peaks->bf16_flops;
    return own;
}

static double floor_of(const ebm_profile_row *row, const ebm_peaks *peaks)
{
    const ebm_peaks own = peaks_of_row(row, peaks);
    return ebm_peaks_floor(&own, row->flops, row->bytes);
}

ebm_status ebm_bench_profile_take(ebm_device *device, const ebm_peaks *peaks, ebm_bench_profile *p)
{
    *p = (ebm_bench_profile){0};
    const ebm_status status = ebm_profile_rows(device, &p->rows, &p->count);
    ebm_profile_enable(device, false);
    for (size_t i = 0; i < p->count; i++) {
        p->seconds += p->rows[i].seconds;
        p->flops += p->rows[i].flops;
        p->bytes += p->rows[i].bytes;
        p->floor += floor_of(&p->rows[i], peaks);
    }
    return status;
}

void ebm_bench_profile_free(ebm_bench_profile *p)
{
    free(p->rows);
    *p = (ebm_bench_profile){0};
}

static bool bound_by_flops(const ebm_profile_row *row, const ebm_peaks *peaks)
{
    const ebm_peaks own = peaks_of_row(row, peaks);
    return ebm_peaks_floor(&own, row->flops, 0) >= ebm_peaks_floor(&own, 0, row->bytes);
}

void ebm_bench_profile_print(const ebm_bench_profile *p, const ebm_peaks *peaks)
{
    printf("%-36s%9s%11s%8s%20s%9s\n", "kernel", "launches", "ms", "share", "rate    ", "of peak");
    for (size_t i = 0; i < p->count; i++) {
        const ebm_profile_row *row = &p->rows[i];
        const bool by_flops = bound_by_flops(row, peaks);
        const double rate = 1e-9 * (by_flops ? row->flops : row->bytes) / row->seconds;
        printf("%-36s%9llu%11.3f%7.1f%%", row->name, (unsigned long long)row->launches, 1e3 * row->seconds,
               100 * row->seconds / p->seconds);
        if (rate > 0)
            printf("%11.1f %-8s%8.1f%%", rate, by_flops ? "GFLOP/s" : "GB/s",
                   100 * floor_of(row, peaks) / row->seconds);
        putchar('\n');
    }
    printf("%-36s%9s%11.3f%8s%20s%8.1f%%\n", "all kernels", "", 1e3 * p->seconds, "", "", 100 * p->floor / p->seconds);
}

json_t *ebm_bench_profile_json(const ebm_bench_profile *p, const ebm_peaks *peaks)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->count; i++) {
        const ebm_profile_row *row = &p->rows[i];
        const double floor = floor_of(row, peaks);
        json_array_append_new(list, json_pack("{s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:f, s:f}", "kernel",
                                              row->name, "launches", (json_int_t)row->launches, "seconds", row->seconds,
                                              "share_of_kernels", row->seconds / p->seconds, "flops", row->flops,
                                              "bytes", row->bytes, "gflop_per_s", 1e-9 * row->flops / row->seconds,
                                              "gb_per_s", 1e-9 * row->bytes / row->seconds, "bound",
                                              bound_by_flops(row, peaks) ? "flops" : "bytes", "floor_s", floor,
                                              "share_of_peak", floor / row->seconds));
    }
    return list;
}
