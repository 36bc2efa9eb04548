#include "rotary.h"

#include <math.h>

#include "operations_internal.h"

void ebm_rotary_table(float *values, size_t places, size_t head_size, double theta)
{
    const size_t half = head_size / 2;
    for (size_t i = 0; i < half; i++) {
        const float exponent = (float)(2 * i) / (float)head_size;
        const float frequency = 1.0f / (float)pow(theta, (double)exponent);
        for (size_t place = 0; place < places; place++) {
            const float angle = (float)place * frequency;
            values[place * head_size + i] = (float)cos((double)angle);
            values[place * head_size + half + i] = (float)sin((double)angle);
        }
    }
}

static ebm_status turn(ebm_device *device, ebm_slice qkv, ebm_slice table, const ebm_batch *batch, size_t heads,
                       size_t head_size, float direction)
{
    const size_t channels = heads * head_size;
    EBM_OPERANDS("rotary", head_size, 16, {"qkv", qkv, batch->tokens * 3 * channels}, {"table", table, head_size},
                 {"positions", batch->positions, batch->tokens});
    ebm_launch l = ebm_launch_begin(device, "rotary.cl", "rotary", "-DD=%zu -DHEADS=%zu", head_size, heads);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, table);
    ebm_arg_slice(&l, batch->positions);
    ebm_arg_i32(&l, (int64_t)(table.count / head_size));
    ebm_arg_f32(&l, direction);
    ebm_launch_cost(&l, 6.0 * (double)(batch->tokens * channels), 16.0 * (double)(batch->tokens * channels));
    return ebm_launch_rows(&l, batch->tokens);
}

ebm_status ebm_rotary_forward(ebm_device *device, ebm_slice qkv, ebm_slice table, const ebm_batch *batch, size_t heads,
                              size_t head_size)
{
    return turn(device, qkv, table, batch, heads, head_size, 1);
}

ebm_status ebm_rotary_backward(ebm_device *device, ebm_slice dqkv, ebm_slice table, const ebm_batch *batch,
                               size_t heads, size_t head_size)
{
    return turn(device, dqkv, table, batch, heads, head_size, -1);
}
