// For tests of kernels: one open device, slices made from host arrays with a guard zone behind them, read back whole.
#ifndef EBM_TESTS_ON_DEVICE_H
#define EBM_TESTS_ON_DEVICE_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "arena.h"
#include "check.h"
#include "slow_form.h"

enum { GUARD = 24 };                // elements behind each slice that must keep ...
static const float guard = -77.25f; // ... this value

static ebm_device *device;
static ebm_arena *arenas[256];
static size_t arena_count;

static inline bool small_test(void) { return getenv("EBMCL_TEST_SMALL") != NULL; }

static inline int open_device(void **state)
{
    (void)state;
    assert_ok(ebm_device_open(NULL, &device));
    return 0;
}

static inline int close_device(void **state)
{
    (void)state;
    ebm_device_free(device);
    device = NULL;
    return 0;
}

// After each test: its slices go.
static inline int free_slices(void **state)
{
    (void)state;
    while (arena_count > 0) ebm_arena_free(arenas[--arena_count]);
    return 0;
}

// A slice of `count` 4-byte elements with these values (NULL: zeros), and a guard zone that is part of its memory.
static inline ebm_slice put(const void *values, size_t count)
{
    assert_true(arena_count < sizeof arenas / sizeof *arenas);
    ebm_arena *arena = arenas[arena_count++] = ebm_arena_create(device, "test");
    assert_non_null(arena);
    ebm_slice slice;
    float behind[GUARD];
    for (size_t i = 0; i < GUARD; i++) behind[i] = guard;
    ebm_arena_reserve(arena, &slice, count + GUARD);
    assert_ok(ebm_arena_allocate(arena));
    if (values && count > 0) assert_ok(ebm_slice_write(device, slice, 0, count, values));
    assert_ok(ebm_slice_write(device, slice, count, GUARD, behind));
    return slice;
}

// Reads the first `count` elements and checks the guard zone.
static inline void get(ebm_slice slice, size_t count, void *values)
{
    float behind[GUARD];
    assert_true(slice.count == count + GUARD);
    assert_ok(ebm_slice_read(device, slice, count, GUARD, behind));
    for (size_t i = 0; i < GUARD; i++)
        if (memcmp(&behind[i], &guard, sizeof guard) != 0) fail_msg("element %zu past the end was written", i);
    if (count > 0) assert_ok(ebm_slice_read(device, slice, 0, count, values));
}

static inline void check_near(const char *what, size_t i, double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%s[%zu]: expected %.9g within %.2g, found %.9g", what, i, expected, tolerance, found);
}

// Values in [-scale, scale) that are the same on every run.
static inline float pseudo(uint32_t *state, float scale)
{
    *state = *state * 1664525u + 1013904223u;
    return scale * ((float)(*state >> 8) / 8388608.0f - 1.0f);
}

static inline void *host_array(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return memory;
}

#endif
