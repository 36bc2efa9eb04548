// Operations that sum over tokens: embeddings and column sums.
#include "operations_internal.h"

enum {
    CPU_STRIP = 4, // STRIP of cl/lanes.h where GROUP is 1
    SLAB_ROWS = 32 // fewer rows cost more in launching a work-group than in adding them up
};

size_t ebm_strip_groups(const ebm_device *device, size_t channels)
{
    const size_t lanes = (size_t)ebm_device_lanes(device), group = (size_t)ebm_device_group(device);
    const size_t columns = lanes * (group == 1 ? CPU_STRIP : group);
    return (channels + columns - 1) / columns;
}

size_t ebm_column_slabs(size_t rows)
{
    const size_t slabs = (rows + SLAB_ROWS - 1) / SLAB_ROWS;
    return slabs < EBM_COLUMN_SLABS ? slabs : EBM_COLUMN_SLABS;
}

ebm_status ebm_add_slabs(ebm_device *device, ebm_slice total, ebm_slice scratch, size_t first, size_t stride,
                         size_t slabs, size_t channels)
{
    if (slabs == 0) return ebm_ok();
    ebm_launch l = ebm_launch_begin(device, "column_sum.cl", "column_total", "-DC=%zu", channels);
    ebm_arg_slice(&l, total);
    ebm_arg_slice(&l, scratch);
    ebm_arg_i32(&l, (int64_t)first);
    ebm_arg_i32(&l, (int64_t)stride);
    ebm_arg_i32(&l, (int64_t)slabs);
    ebm_launch_cost(&l, (double)(slabs * channels), 4.0 * (double)(slabs * channels));
    return ebm_launch_grid(&l, ebm_strip_groups(device, channels), 1);
}

ebm_status ebm_bias_gradient(ebm_device *device, ebm_slice dbias, ebm_slice dy, ebm_slice scratch, size_t rows,
                             size_t channels)
{
    const size_t slabs = ebm_column_slabs(rows);
    EBM_OPERANDS("bias_gradient", channels, 1, {"dbias", dbias, channels}, {"dy", dy, rows * channels},
                 {"scratch", scratch, slabs * channels});
    ebm_launch l = ebm_launch_begin(device, "column_sum.cl", "column_slabs", "-DC=%zu", channels);
    ebm_arg_slice(&l, scratch);
    ebm_arg_slice(&l, dy);
    ebm_arg_i32(&l, (int64_t)rows);
    ebm_launch_cost(&l, (double)(rows * channels), 4.0 * (double)(rows * channels));
    EBM_TRY(ebm_launch_grid(&l, ebm_strip_groups(device, channels), slabs));
    return ebm_add_slabs(device, dbias, scratch, 0, channels, slabs, channels);
}

ebm_status ebm_embedding_forward(ebm_device *device, ebm_slice y, const ebm_batch *batch, ebm_slice word,
                                 ebm_slice position, ebm_slice type, size_t channels)
{
    const size_t all = batch->tokens * channels;
    EBM_OPERANDS("embedding_forward", channels, 16, {"y", y, all}, {"ids", batch->ids, batch->tokens},
                 {"positions", batch->positions, position.count > 0 ? batch->tokens : 0},
                 {"types", batch->types, type.count > 0 ? batch->tokens : 0}, {"word", word, channels});
    ebm_launch l = ebm_launch_begin(device, "embedding.cl", "embedding_forward", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, batch->ids);
    ebm_arg_slice(&l, batch->positions);
    ebm_arg_slice(&l, batch->types);
    ebm_arg_slice(&l, word);
    ebm_arg_slice(&l, position);
    ebm_arg_slice(&l, type);
    ebm_arg_i32(&l, (int64_t)(word.count / channels));
    ebm_arg_i32(&l, (int64_t)(position.count / channels));
    ebm_arg_i32(&l, (int64_t)(type.count / channels));
    ebm_launch_cost(&l, 2.0 * (double)all, 16.0 * (double)all);
    return ebm_launch_rows(&l, batch->tokens);
}

static ebm_status add_to_table(ebm_device *device, ebm_slice table, ebm_slice ids, ebm_slice dy, size_t tokens,
                               size_t channels)
{
    ebm_launch l = ebm_launch_begin(device, "embedding.cl", "embedding_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, table);
    ebm_arg_slice(&l, ids);
    ebm_arg_slice(&l, dy);
    ebm_arg_i32(&l, (int64_t)(table.count / channels));
    ebm_arg_i32(&l, (int64_t)tokens);
    ebm_launch_cost(&l, (double)(tokens * channels), 12.0 * (double)(tokens * channels));
    return ebm_launch_rows(&l, tokens);
}

ebm_status ebm_embedding_backward(ebm_device *device, ebm_slice dword, ebm_slice dposition, ebm_slice dtype,
                                  ebm_slice dy, const ebm_batch *batch, size_t channels)
{
    const size_t tokens = batch->tokens;
    EBM_OPERANDS("embedding_backward", channels, 16, {"dword", dword, channels}, {"dy", dy, tokens * channels},
                 {"ids", batch->ids, tokens}, {"positions", batch->positions, dposition.count > 0 ? tokens : 0},
                 {"types", batch->types, dtype.count > 0 ? tokens : 0});
    EBM_TRY(add_to_table(device, dword, batch->ids, dy, tokens, channels));
    if (dposition.count > 0) EBM_TRY(add_to_table(device, dposition, batch->positions, dy, tokens, channels));
    const size_t kinds = dtype.count / channels;
    if (kinds == 0) return ebm_ok();
    ebm_launch l = ebm_launch_begin(device, "embedding.cl", "embedding_backward_type", "-DC=%zu", channels);
    ebm_arg_slice(&l, dtype);
    ebm_arg_slice(&l, batch->types);
    ebm_arg_slice(&l, dy);
    ebm_arg_i32(&l, (int64_t)kinds);
    ebm_arg_i32(&l, (int64_t)tokens);
    ebm_launch_cost(&l, (double)(tokens * channels), 4.0 * (double)(tokens * channels));
    return ebm_launch_grid(&l, ebm_strip_groups(device, channels), kinds);
}
