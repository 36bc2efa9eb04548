#include "bench_result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "json_output.h"

enum { PEAK_REPEATS = 5 };

struct ebm_bench_result {
    json_t *object;
    ebm_peaks peaks;
    ebm_bench_row *rows;
    size_t count, capacity;
};

static ebm_status fill_header(ebm_bench_result *r, const char *part, const ebm_device *device, const ebm_peaks *peaks)
{
    r->object = json_pack("{s:s, s:s}", "bench", part, "version", EBMCL_VERSION);
    if (!r->object) return ebm_fail(EBM_ERROR_MEMORY, "no memory for results");
    if (device) {
        const ebm_device_info *info = ebm_device_info_view(device);
        json_t *about =
            json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "device", info->name, "platform",
                      info->platform_name, "driver", info->driver, "opencl", info->version, "compute_units",
                      (json_int_t)info->compute_units, "memory_bytes", (json_int_t)info->memory_bytes, "kernels",
                      ebm_device_uses_cpu_kernels(device) ? "cpu" : "gpu", "products", ebm_gemm_backend(device),
                      "precision", ebm_precision_name(ebm_gemm_precision(device)));
        if (!about) return ebm_fail(EBM_ERROR_DEVICE, "the device's name or driver is not UTF-8");
        json_object_update(r->object, about);
        json_decref(about);
        if (ebm_gemm_tuning(device)[0]) json_object_set_new(r->object, "tuning", json_string(ebm_gemm_tuning(device)));
    }
    if (!peaks) return ebm_ok();
    r->peaks = *peaks;
    json_object_set_new(r->object, "peak_gflop_per_s", json_real(1e-9 * peaks->flops));
    json_object_set_new(r->object, "peak_gb_per_s", json_real(1e-9 * peaks->bytes));
    return ebm_ok();
}

ebm_status ebm_bench_result_create(const char *part, const ebm_device *device, const ebm_peaks *peaks,
                                   ebm_bench_result **out)
{
    ebm_bench_result *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r) return ebm_fail(EBM_ERROR_MEMORY, "no memory for results");
    const ebm_status status = fill_header(r, part, device, peaks);
    if (status.code == EBM_OK)
        *out = r;
    else
        ebm_bench_result_free(r);
    return status;
}

void ebm_bench_result_free(ebm_bench_result *r)
{
    if (!r) return;
    json_decref(r->object);
    free(r->rows);
    free(r);
}

void ebm_bench_result_set(ebm_bench_result *r, const char *key, json_t *value)
{
    json_object_set_new(r->object, key, value);
}

static void complete(const ebm_bench_result *r, ebm_bench_row *row)
{
    const double arithmetic = ebm_peaks_floor(&r->peaks, row->flops, 0);
    const double memory = ebm_peaks_floor(&r->peaks, 0, row->bytes);
    if (row->floor <= 0) row->floor = arithmetic > memory ? arithmetic : memory;
    if (row->unit) return;
    const bool by_flops = arithmetic == 0 && memory == 0 ? row->flops > 0 : arithmetic >= memory;
    row->amount = 1e-9 * (by_flops ? row->flops : row->bytes);
    if (row->amount > 0) row->unit = by_flops ? "GFLOP/s" : "GB/s";
}

ebm_status ebm_bench_result_add(ebm_bench_result *r, const ebm_bench_row *row)
{
    if (r->count == r->capacity) {
        const size_t capacity = r->capacity ? 2 * r->capacity : 32;
        ebm_bench_row *more = realloc(r->rows, capacity * sizeof *more);
        if (!more) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu results", capacity);
        r->rows = more;
        r->capacity = capacity;
    }
    r->rows[r->count] = *row;
    complete(r, &r->rows[r->count++]);
    return ebm_ok();
}

static json_t *row_json(const ebm_bench_row *row)
{
    json_t *object =
        json_pack("{s:s, s:I, s:f, s:f, s:f}", "name", row->name, "repeats", (json_int_t)row->repeats, "median_s",
                  row->seconds.median, "min_s", row->seconds.least, "max_s", row->seconds.most);
    if (row->unit) {
        json_object_set_new(object, "unit", json_string(row->unit));
        json_object_set_new(object, "rate", json_real(row->amount / row->seconds.median));
        json_object_set_new(object, "rate_min", json_real(row->amount / row->seconds.most));
        json_object_set_new(object, "rate_max", json_real(row->amount / row->seconds.least));
    }
    if (row->flops > 0) json_object_set_new(object, "flops", json_real(row->flops));
    if (row->bytes > 0) json_object_set_new(object, "bytes", json_real(row->bytes));
    if (row->floor > 0) {
        json_object_set_new(object, "floor_s", json_real(row->floor));
        json_object_set_new(object, "share", json_real(row->floor / row->seconds.median));
    }
    return object;
}

static ebm_status print_json(const ebm_bench_result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->count; i++)
        if (json_array_append_new(list, row_json(&r->rows[i])) != 0) {
            json_decref(list);
            return ebm_fail(EBM_ERROR_MEMORY, "the result cannot be written as JSON");
        }
    json_object_set_new(r->object, "results", list);
    return ebm_program_print_json(json_incref(r->object));
}

// In the unit that gives one to three digits before the point.
static void print_time(double seconds)
{
    const double scale = seconds < 1e-3 ? 1e6 : seconds < 1 ? 1e3 : 1;
    printf("%9.*f %-2s", scale * seconds < 10 ? 3 : 1, scale * seconds,
           seconds < 1e-3 ? "us"
           : seconds < 1  ? "ms"
                          : "s");
}

static void print_row(const ebm_bench_row *row, int width)
{
    printf("%-*s", width, row->name);
    print_time(row->seconds.median);
    print_time(row->seconds.least);
    print_time(row->seconds.most);
    if (row->unit)
        printf("%11.1f %-8s", row->amount / row->seconds.median, row->unit);
    else if (row->floor > 0)
        printf("%20s", "");
    if (row->floor > 0) {
        print_time(row->floor);
        printf("%7.1f%%", 100 * row->floor / row->seconds.median);
    }
    putchar('\n');
}

static void print_table(const ebm_bench_result *r)
{
    int width = 24;
    bool has_floors = false;
    for (size_t i = 0; i < r->count; i++) {
        const int length = (int)strlen(r->rows[i].name);
        if (length > width) width = length;
        has_floors |= r->rows[i].floor > 0;
    }
    if (r->peaks.flops > 0)
        printf("floors at %.1f GFLOP/s and %.1f GB/s\n", 1e-9 * r->peaks.flops, 1e-9 * r->peaks.bytes);
    printf("%-*s%12s%12s%12s%20s%s\n", width, "", "median", "least", "most", "rate    ",
           has_floors ? "       floor   share" : "");
    for (size_t i = 0; i < r->count; i++) print_row(&r->rows[i], width);
}

ebm_status ebm_bench_result_print(const ebm_bench_result *r, bool json)
{
    if (json) return print_json(r);
    print_table(r);
    return ebm_ok();
}

ebm_status ebm_bench_peaks(ebm_device *device, const ebm_bench_peak_options *options, ebm_peaks *peaks)
{
    const ebm_device_benchmark_settings settings = {.repeats = PEAK_REPEATS};
    ebm_measured found[EBM_DEVICE_MEASURES];
    *peaks = (ebm_peaks){0};
    if (options->gflops <= 0 || options->gb_s <= 0) {
        EBM_TRY(ebm_device_benchmark(device, &settings, found));
        *peaks = ebm_peaks_of(found);
    }
    if (options->gflops > 0) peaks->flops = 1e9 * options->gflops;
    if (options->gb_s > 0) peaks->bytes = 1e9 * options->gb_s;
    if (options->gflops > 0) peaks->bf16_flops = 0; // it would not go with the one given
    return ebm_ok();
}
