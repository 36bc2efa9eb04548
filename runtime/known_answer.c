#include "known_answer.h"

#include "launch.h"

enum { ROWS = 7, WIDTH = 192, ELEMENTS = ROWS * WIDTH, OFFSET = -3 };
static const float SCALE = 2.0f;

// Quarters below 2^22: every result is exact in float, whatever the order and however the device fuses.
static float input_at(int i) { return 0.25f * (float)i; }

static ebm_status run(ebm_device *device, ebm_arena *arena, float *out)
{
    ebm_slice x, y;
    float in[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++) in[i] = input_at(i);
    ebm_arena_reserve(arena, &x, ELEMENTS);
    ebm_arena_reserve(arena, &y, ELEMENTS);
    EBM_TRY(ebm_arena_allocate(arena));
    EBM_TRY(ebm_slice_write(device, x, 0, ELEMENTS, in));
    ebm_launch l = ebm_launch_begin(device, "vector_check.cl", "vector_check", "-DWIDTH=%d", WIDTH);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_arg_f32(&l, SCALE);
    ebm_arg_i32(&l, OFFSET);
    EBM_TRY(ebm_launch_rows(&l, ROWS));
    return ebm_slice_read(device, y, 0, ELEMENTS, out);
}

ebm_status ebm_device_known_answer(ebm_device *device)
{
    float out[ELEMENTS] = {0};
    ebm_arena *arena = ebm_arena_create(device, "known answer");
    if (!arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of the device");
    ebm_status status = run(device, arena, out);
    ebm_arena_free(arena);
    for (int i = 0; i < ELEMENTS && status.code == EBM_OK; i++) {
        const float expected = SCALE * input_at(i) + (float)OFFSET;
        if (out[i] != expected)
            status = ebm_fail(EBM_ERROR_DEVICE, "vector_check: expected %g at element %d, found %g", (double)expected,
                              i, (double)out[i]);
    }
    return status;
}

static bool builds(ebm_device *device, const char *macros)
{
    return ebm_launch_begin(device, "assembly_check.cl", "assembly_check", "%s", macros).status.code == EBM_OK;
}

bool ebm_device_takes_assembly(ebm_device *device) { return builds(device, ""); }
bool ebm_device_takes_amx(ebm_device *device) { return builds(device, "-DAMX"); }
