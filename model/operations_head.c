// What heads need beside products: pooling, tanh, ReLU, addition.
#include "operations_internal.h"

ebm_status ebm_tanh_forward(ebm_device *device, ebm_slice y, ebm_slice x, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("tanh_forward", channels, 16, {"y", y, all}, {"x", x, all});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "tanh_forward", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_launch_cost(&l, 20.0 * (double)all, 8.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_tanh_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, ebm_slice y, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("tanh_backward", channels, 16, {"dx", dx, all}, {"dy", dy, all}, {"y", y, all});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "tanh_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, y);
    ebm_launch_cost(&l, 3.0 * (double)all, 12.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_relu_forward(ebm_device *device, ebm_slice y, ebm_slice x, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("relu_forward", channels, 16, {"y", y, all}, {"x", x, all});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "relu_forward", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_launch_cost(&l, (double)all, 8.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_relu_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, ebm_slice y, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("relu_backward", channels, 16, {"dx", dx, all}, {"dy", dy, all}, {"y", y, all});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "relu_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, y);
    ebm_launch_cost(&l, (double)all, 12.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_add(ebm_device *device, ebm_slice y, ebm_slice x, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("add", channels, 16, {"y", y, all}, {"x", x, all});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "add", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_launch_cost(&l, (double)all, 12.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_squared_norms(ebm_device *device, ebm_slice norms, ebm_slice dx, ebm_slice x, float scale, size_t first,
                             size_t count, size_t channels)
{
    const size_t end = first + count;
    EBM_OPERANDS("squared_norms", channels, 16, {"norms", norms, end}, {"dx", dx, end * channels},
                 {"x", x, end * channels});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "squared_norms", "-DC=%zu", channels);
    ebm_arg_slice(&l, norms);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, x);
    ebm_arg_f32(&l, scale);
    ebm_arg_i32(&l, (int64_t)first);
    ebm_launch_cost(&l, 4.0 * (double)(count * channels), 12.0 * (double)(count * channels));
    return ebm_launch_rows(&l, count);
}

ebm_status ebm_first_tokens_forward(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_batch *batch,
                                    size_t channels)
{
    EBM_OPERANDS("first_tokens_forward", channels, 16, {"y", y, batch->sequences * channels},
                 {"x", x, batch->tokens * channels}, {"starts", batch->starts, batch->sequences + 1});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "first_tokens_forward", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, batch->starts);
    ebm_launch_cost(&l, 0, 8.0 * (double)(batch->sequences * channels));
    return ebm_launch_rows(&l, batch->sequences);
}

ebm_status ebm_first_tokens_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, const ebm_batch *batch,
                                     size_t channels)
{
    EBM_OPERANDS("first_tokens_backward", channels, 16, {"dx", dx, batch->tokens * channels},
                 {"dy", dy, batch->sequences * channels}, {"starts", batch->starts, batch->sequences + 1});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "first_tokens_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, batch->starts);
    ebm_launch_cost(&l, 0, 4.0 * (double)(batch->tokens * channels));
    return ebm_launch_rows(&l, batch->sequences);
}

ebm_status ebm_mean_tokens_forward(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_batch *batch,
                                   size_t channels)
{
    EBM_OPERANDS("mean_tokens_forward", channels, 16, {"y", y, batch->sequences * channels},
                 {"x", x, batch->tokens * channels}, {"starts", batch->starts, batch->sequences + 1});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "mean_tokens_forward", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, batch->starts);
    ebm_launch_cost(&l, (double)(batch->tokens * channels), 4.0 * (double)(batch->tokens * channels));
    return ebm_launch_rows(&l, batch->sequences);
}

ebm_status ebm_mean_tokens_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, const ebm_batch *batch,
                                    size_t channels)
{
    EBM_OPERANDS("mean_tokens_backward", channels, 16, {"dx", dx, batch->tokens * channels},
                 {"dy", dy, batch->sequences * channels}, {"starts", batch->starts, batch->sequences + 1});
    ebm_launch l = ebm_launch_begin(device, "head.cl", "mean_tokens_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, batch->starts);
    ebm_launch_cost(&l, 0, 4.0 * (double)(batch->tokens * channels));
    return ebm_launch_rows(&l, batch->sequences);
}
