#include "tensors.h"

#include <math.h>
#include <stdio.h>

#include "random.h"

enum { SENTINELS = 64 };
static const uint32_t sentinel = 0x7fc0dead; // a NaN: shows in results when read

ebm_device *device;

int open_device(void **state)
{
    const ebm_status status = ebm_device_open(NULL, &device);
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code;
}

int close_device(void **state)
{
    ebm_device_free(device);
    return 0;
}

tensor *tensors_zero(tensors *all, size_t count)
{
    assert_true(all->count < sizeof all->items / sizeof *all->items);
    if (!all->arena) {
        all->arena = ebm_arena_create(all->device, "test");
        assert_non_null(all->arena);
        ebm_arena_reserve(all->arena, &all->front, 77);
    }
    tensor *t = &all->items[all->count++];
    t->count = count;
    t->before = calloc(count + SENTINELS, sizeof *t->before);
    t->now = calloc(count + SENTINELS, sizeof *t->now);
    assert_non_null(t->before);
    assert_non_null(t->now);
    for (size_t i = count; i < count + SENTINELS; i++) memcpy(t->before + i, &sentinel, sizeof sentinel);
    ebm_arena_reserve(all->arena, &t->padded, count + SENTINELS);
    return t;
}

tensor *tensors_normal(tensors *all, size_t count, double mean, double deviation)
{
    tensor *t = tensors_zero(all, count);
    ebm_random stream = ebm_random_stream(20240501, (uint32_t)all->count, (uint32_t)count);
    for (size_t i = 0; i < count; i++) t->before[i] = (float)(mean + deviation * ebm_random_normal(&stream));
    return t;
}

tensor *tensors_integers(tensors *all, size_t count, uint32_t bound)
{
    tensor *t = tensors_zero(all, count);
    ebm_random stream = ebm_random_stream(20240502, (uint32_t)all->count, bound);
    for (size_t i = 0; i < count; i++) tensor_integers(t)[i] = (int32_t)ebm_random_below(&stream, bound);
    return t;
}

int32_t *tensor_integers(const tensor *t) { return (int32_t *)(void *)t->before; }

void tensors_upload(tensors *all)
{
    assert_ok(ebm_arena_allocate(all->arena));
    for (size_t i = 0; i < all->count; i++) {
        tensor *t = &all->items[i];
        t->slice = t->padded;
        t->slice.count = t->count;
        assert_ok(ebm_slice_write(all->device, t->padded, 0, t->count + SENTINELS, t->before));
    }
}

void tensors_download(tensors *all)
{
    for (size_t i = 0; i < all->count; i++) {
        tensor *t = &all->items[i];
        assert_ok(ebm_slice_read(all->device, t->padded, 0, t->count + SENTINELS, t->now));
        for (size_t k = t->count; k < t->count + SENTINELS; k++)
            if (memcmp(t->now + k, &sentinel, sizeof sentinel) != 0)
                fail_msg("tensor %zu of %zu elements was written past its end, at %zu", i, t->count, k);
    }
}

void tensors_free(tensors *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->items[i].before);
        free(all->items[i].now);
    }
    ebm_arena_free(all->arena);
}

void assert_unchanged(const tensor *t) { assert_memory_equal(t->before, t->now, t->count * sizeof *t->now); }

void assert_within(const char *what, const float *actual, const double *expected, const double *tolerance, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const double error = fabs((double)actual[i] - expected[i]);
        if (!(error <= tolerance[i])) // NaN fails
            fail_msg("%s[%zu] of %zu: expected %.9g, got %.9g, off by %g, allowed %g", what, i, count, expected[i],
                     (double)actual[i], error, tolerance[i]);
    }
}

void for_sizes(void (*run)(size_t rows, size_t channels))
{
    static const size_t rows[] = {1, 15, 16, 17, 31, 64, 65, 200}, channels[] = {16, 32, 48, 384, 768};
    static const size_t few_rows[] = {1, 17}, few_channels[] = {16, 48};
    if (getenv("EBMCL_TEST_SMALL")) {
        for (size_t i = 0; i < 4; i++) run(few_rows[i / 2], few_channels[i % 2]);
        return;
    }
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t c = 0; c < sizeof channels / sizeof *channels; c++) run(rows[r], channels[c]);
}
