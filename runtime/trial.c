#include "trial.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { GUARD = 64, STEP = 20240501 };
static const uint32_t GUARD_BITS = 0x7fc0dead; // a NaN: shows in results when it is read

ebm_status ebm_trial_begin(ebm_trial *t, ebm_device *device)
{
    *t = (ebm_trial){.device = device};
    t->pool = calloc(2 * (size_t)EBM_TRIAL_ELEMENTS, sizeof *t->pool);
    t->arena = ebm_arena_create(device, "known answers");
    if (t->pool && t->arena) {
        ebm_arena_reserve(t->arena, &t->front, 77);
        return ebm_ok();
    }
    ebm_arena_free(t->arena);
    free(t->pool);
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of kernels");
}

ebm_status ebm_trial_end(ebm_trial *t, double *worst)
{
    ebm_arena_free(t->arena);
    free(t->pool);
    *worst = fmax(*worst, t->worst);
    return t->status;
}

static float *take(ebm_trial *t, size_t count)
{
    assert(t->used + count <= 2 * (size_t)EBM_TRIAL_ELEMENTS);
    float *taken = t->pool + t->used;
    t->used += count;
    return taken;
}

ebm_trial_tensor *ebm_trial_zero(ebm_trial *t, size_t count)
{
    assert(t->count < EBM_TRIAL_TENSORS);
    ebm_trial_tensor *tensor = &t->items[t->count++];
    tensor->count = count;
    tensor->before = take(t, count + GUARD);
    tensor->now = take(t, count + GUARD);
    for (size_t i = count; i < count + GUARD; i++) memcpy(tensor->before + i, &GUARD_BITS, sizeof GUARD_BITS);
    ebm_arena_reserve(t->arena, &tensor->padded, count + GUARD);
    return tensor;
}

ebm_trial_tensor *ebm_trial_normal(ebm_trial *t, size_t count, double mean, double deviation)
{
    ebm_trial_tensor *tensor = ebm_trial_zero(t, count);
    ebm_random stream = ebm_random_stream(STEP, (uint32_t)t->count, (uint32_t)count);
    for (size_t i = 0; i < count; i++) tensor->before[i] = (float)(mean + deviation * ebm_random_normal(&stream));
    return tensor;
}

ebm_trial_tensor *ebm_trial_uniform(ebm_trial *t, size_t count, double scale)
{
    ebm_trial_tensor *tensor = ebm_trial_zero(t, count);
    ebm_random stream = ebm_random_stream(STEP + 1, (uint32_t)t->count, (uint32_t)count);
    for (size_t i = 0; i < count; i++) tensor->before[i] = (float)(scale * (2 * ebm_random_uniform(&stream) - 1));
    return tensor;
}

ebm_trial_tensor *ebm_trial_integers(ebm_trial *t, size_t count, uint32_t bound)
{
    ebm_trial_tensor *tensor = ebm_trial_zero(t, count);
    ebm_random stream = ebm_random_stream(STEP + 2, (uint32_t)t->count, bound);
    for (size_t i = 0; i < count; i++) ebm_trial_as_integers(tensor)[i] = (int32_t)ebm_random_below(&stream, bound);
    return tensor;
}

int32_t *ebm_trial_as_integers(const ebm_trial_tensor *tensor) { return (int32_t *)(void *)tensor->before; }
const int32_t *ebm_trial_integers_now(const ebm_trial_tensor *tensor) { return (const int32_t *)(void *)tensor->now; }

ebm_status ebm_trial_upload(ebm_trial *t)
{
    EBM_TRY(ebm_arena_allocate(t->arena));
    for (size_t i = 0; i < t->count; i++) {
        ebm_trial_tensor *tensor = &t->items[i];
        tensor->slice = tensor->padded;
        tensor->slice.count = tensor->count;
        EBM_TRY(ebm_slice_write(t->device, tensor->padded, 0, tensor->padded.count, tensor->before));
    }
    return ebm_ok();
}

ebm_status ebm_trial_download(ebm_trial *t)
{
    for (size_t i = 0; i < t->count; i++) {
        ebm_trial_tensor *tensor = &t->items[i];
        EBM_TRY(ebm_slice_read(t->device, tensor->padded, 0, tensor->padded.count, tensor->now));
        if (memcmp(tensor->now + tensor->count, tensor->before + tensor->count, GUARD * sizeof *tensor->now) != 0)
            t->worst = HUGE_VAL;
    }
    return ebm_ok();
}

void ebm_trial_near(ebm_trial *t, float found, double expected, double allowed)
{
    const double error = fabs((double)found - expected);
    if (error == 0) return;
    const double share = error / allowed;                             // infinite where nothing is allowed
    t->worst = share >= 0 ? fmax(t->worst, share) : (double)HUGE_VAL; // not a number is wrong
}

void ebm_trial_equal(ebm_trial *t, int64_t found, int64_t expected)
{
    if (found != expected) t->worst = HUGE_VAL;
}
