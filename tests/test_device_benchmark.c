// The kernels that measure a device, for what they compute; and that its measurements make sense.
#include "device_benchmark.h"

#include "bf16.h"
#include "launch.h"
#include "processor.h"
#include "on_device.h"

static const float FACTOR = 0.5f;

static void put_random(float *values, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) values[i] = (float)(int)(64 * pseudo(&seed, 1)); // sums of these are exact
}

// Every block in exactly one part: parts that divide the blocks and parts that do not, and idle groups at the end.
static void check_memory(size_t blocks, size_t groups)
{
    const size_t lanes = (size_t)ebm_device_lanes(device), count = blocks * lanes;
    const size_t part = (blocks + groups - 1) / groups;
    float *x = host_array(count, 4), *z = host_array(count, 4), *y = host_array(count, 4);
    float *partials = host_array(groups, 4);
    put_random(x, count, 1);
    put_random(z, count, 2);
    const ebm_slice xs = put(x, count), zs = put(z, count), sums = put(NULL, groups);
    const ebm_slice copied = put(NULL, count), triad = put(NULL, count);

    ebm_launch l = ebm_launch_begin(device, "bench_device.cl", "memory_read", "%s", "");
    ebm_arg_slice(&l, sums);
    ebm_arg_slice(&l, xs);
    ebm_arg_i32(&l, (int64_t)blocks);
    ebm_arg_i32(&l, (int64_t)part);
    assert_ok(ebm_launch_rows(&l, groups));
    get(sums, groups, partials);
    for (size_t g = 0; g < groups; g++) {
        float expected = 0;
        for (size_t i = g * part * lanes; i < (g + 1) * part * lanes && i < count; i++) expected += x[i];
        assert_true(partials[g] == expected);
    }

    l = ebm_launch_begin(device, "bench_device.cl", "memory_copy", "%s", "");
    ebm_arg_slice(&l, copied);
    ebm_arg_slice(&l, xs);
    ebm_arg_i32(&l, (int64_t)blocks);
    ebm_arg_i32(&l, (int64_t)part);
    assert_ok(ebm_launch_rows(&l, groups));
    get(copied, count, y);
    assert_memory_equal(y, x, count * sizeof *x);

    l = ebm_launch_begin(device, "bench_device.cl", "memory_update", "%s", "");
    ebm_arg_slice(&l, copied);
    ebm_arg_f32(&l, FACTOR);
    ebm_arg_i32(&l, (int64_t)blocks);
    ebm_arg_i32(&l, (int64_t)part);
    assert_ok(ebm_launch_rows(&l, groups));
    get(copied, count, y);
    for (size_t i = 0; i < count; i++) assert_true(y[i] == FACTOR * x[i]);

    l = ebm_launch_begin(device, "bench_device.cl", "memory_triad", "%s", "");
    ebm_arg_slice(&l, triad);
    ebm_arg_slice(&l, xs);
    ebm_arg_slice(&l, zs);
    ebm_arg_f32(&l, FACTOR);
    ebm_arg_i32(&l, (int64_t)blocks);
    ebm_arg_i32(&l, (int64_t)part);
    assert_ok(ebm_launch_rows(&l, groups));
    get(triad, count, y);
    for (size_t i = 0; i < count; i++) assert_true(y[i] == x[i] + FACTOR * z[i]);
    free(x), free(y), free(z), free(partials);
}

static void memory_is_read_and_written_once(void **state)
{
    check_memory(1, 1);
    check_memory(3, 5);
    check_memory(64, 4);
    if (!small_test()) check_memory(4099, 7);
}

enum { CHAINS = 12, STEPS = 3, GROUPS = 2 };

static void check_chains(const char *macro, float expected)
{
    const size_t items = GROUPS * (size_t)ebm_device_group(device);
    float *out = host_array(items, 4);
    const ebm_slice outs = put(NULL, items);
    ebm_launch l = ebm_launch_begin(device, "peak.cl", "peak", "-DCHAINS=%d %s", (int)CHAINS, macro);
    ebm_arg_slice(&l, outs);
    ebm_arg_f32(&l, FACTOR);
    ebm_arg_i32(&l, STEPS);
    assert_ok(ebm_launch_rows(&l, GROUPS));
    get(outs, items, out);
    for (size_t i = 0; i < items; i++) assert_true(out[i] == expected);
    free(out);
}

// x = x / 2 + 1 / 2 from 1/2 + i in `steps` steps: 1 + 2^-steps (i - 1/2).
static void chains_of_fma_are_all_computed(void **state)
{
    float expected = 0;
    for (int i = 0; i < CHAINS; i++) expected += (float)ebm_device_lanes(device) * (1 + ((float)i - 0.5f) / 8);
    check_chains("", expected);
}

// x = x + 1/4 + 1/4 from 1/2 + i.
static void chains_of_bf16_too(void **state)
{
    float expected = 0;
    if (!should_do_bf16(device)) skip();
    for (int i = 0; i < CHAINS; i++)
        expected += (float)ebm_device_lanes(device) * (0.5f + (float)i + 0.5f * (float)STEPS);
    check_chains("-DBF16", expected);
}

// x = x + 32 times 1/4 from i, in all 16 x 16 sums of four tiles.
static void tiles_too(void **state)
{
    if (!should_do_bf16(device) || !should_have_amx()) skip();
    assert_true(ebm_processor_allows_amx()); // without having asked, tiles are an illegal instruction
    check_chains("-DBF16 -DAMX", 256 * (0 + 1 + 2 + 3 + 4 * 8.0f * (float)STEPS));
}

static void an_empty_kernel_runs(void **state)
{
    ebm_launch l = ebm_launch_begin(device, "bench_device.cl", "empty", "%s", "");
    assert_ok(ebm_launch_rows(&l, 3));
    assert_ok(ebm_device_finish(device));
}

static void measurements_are_positive_and_ordered(void **state)
{
    if (small_test()) skip();
    const ebm_device_benchmark_settings settings = {.repeats = 3, .buffer_bytes = 4 << 20};
    ebm_measured found[EBM_DEVICE_MEASURES];
    assert_ok(ebm_device_benchmark(device, &settings, found));
    for (int i = 0; i < EBM_DEVICE_MEASURES; i++) {
        const ebm_timing *t = &found[i].seconds;
        if (i == EBM_MEASURE_BF16 && !should_do_bf16(device)) {
            assert_true(found[i].flops == 0);
            continue;
        }
        assert_true(t->least > 0 && t->least <= t->median && t->median <= t->most);
        assert_true((found[i].flops > 0) == (i == EBM_MEASURE_FMA || i == EBM_MEASURE_BF16));
        assert_true((found[i].bytes > 0) == (i >= EBM_MEASURE_READ && i <= EBM_MEASURE_TRIAD));
    }
    const ebm_peaks peaks = ebm_peaks_of(found);
    assert_true(peaks.flops == found[EBM_MEASURE_FMA].flops / found[EBM_MEASURE_FMA].seconds.least);
    assert_true((peaks.bf16_flops > 0) == should_do_bf16(device));
    for (int i = EBM_MEASURE_READ; i <= EBM_MEASURE_TRIAD; i++)
        assert_true(peaks.bytes >= found[i].bytes / found[i].seconds.least);
}

static void buffers_are_what_was_asked_or_fit_the_device(void **state)
{
    const ebm_device_benchmark_settings asked = {.buffer_bytes = 1000000}, free_choice = {.repeats = 1};
    const ebm_device_info *info = ebm_device_info_view(device);
    assert_int_equal(ebm_device_benchmark_buffer(device, &asked), 1000000 / 64 * 64);
    const size_t chosen = ebm_device_benchmark_buffer(device, &free_choice);
    assert_true(chosen > 0 && chosen <= info->max_allocation_bytes && chosen <= info->memory_bytes / 8);
}

static void floors_are_the_longer_of_two(void **state)
{
    const ebm_peaks peaks = {.flops = 1e12, .bytes = 1e11}, unknown = {0};
    assert_true(fabs(ebm_peaks_floor(&peaks, 2e12, 1e10) - 2) < 1e-12);
    assert_true(fabs(ebm_peaks_floor(&peaks, 2e11, 3e11) - 3) < 1e-12);
    assert_true(ebm_peaks_floor(&unknown, 1, 1) == 0);
}

// Times are of one run, whatever number of them makes a sample.
static ebm_status count_run(void *context)
{
    ++*(size_t *)context;
    return ebm_ok();
}

static void short_work_is_run_more_often(void **state)
{
    size_t once = 0, often = 0;
    ebm_timing timing;
    assert_ok(ebm_timing_measure(device, count_run, &once, &(ebm_timing_plan){.repeats = 4}, &timing));
    assert_int_equal(once, 4 + 2); // one that builds, one that looks how long it takes
    assert_ok(ebm_timing_measure(device, count_run, &often, &(ebm_timing_plan){4, 1e-3, 0}, &timing));
    assert_true(often > 4 * once && timing.least > 0 && timing.most < 1e-3);
}

static ebm_status slow_run(void *context)
{
    const double start = ebm_now();
    while (ebm_now() - start < 0.01) continue;
    return count_run(context);
}

static void slow_work_is_measured_less_often(void **state)
{
    size_t runs = 0;
    ebm_timing timing;
    assert_ok(ebm_timing_measure(device, slow_run, &runs, &(ebm_timing_plan){50, 0, 0.005}, &timing));
    assert_int_equal(runs, 1 + 2);
    assert_true(timing.least >= 0.01 && timing.least == timing.most);
}

static ebm_status fail_run(void *context) { return ebm_fail(EBM_ERROR_DEVICE, "no run"); }

static void a_failing_run_ends_the_timing(void **state)
{
    ebm_timing timing;
    assert_fails(ebm_timing_measure(device, fail_run, NULL, &(ebm_timing_plan){.repeats = 4}, &timing),
                 EBM_ERROR_DEVICE, "no run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(memory_is_read_and_written_once, free_slices),
        cmocka_unit_test_teardown(chains_of_fma_are_all_computed, free_slices),
        cmocka_unit_test_teardown(chains_of_bf16_too, free_slices),
        cmocka_unit_test_teardown(tiles_too, free_slices),
        cmocka_unit_test(an_empty_kernel_runs),
        cmocka_unit_test(measurements_are_positive_and_ordered),
        cmocka_unit_test(buffers_are_what_was_asked_or_fit_the_device),
        cmocka_unit_test(floors_are_the_longer_of_two),
        cmocka_unit_test(short_work_is_run_more_often),
        cmocka_unit_test(slow_work_is_measured_less_often),
        cmocka_unit_test(a_failing_run_ends_the_timing),
    };
    return cmocka_run_group_tests_name("device_benchmark", tests, open_device, close_device);
}
