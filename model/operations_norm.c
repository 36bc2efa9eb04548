// LayerNorm, alone and fused with the end of a sublayer.
#include "operations_internal.h"

ebm_status ebm_layernorm_forward(ebm_device *device, ebm_slice y, ebm_slice mean, ebm_slice rstd, ebm_slice x,
                                 ebm_slice gain, ebm_slice shift, float epsilon, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("layernorm_forward", channels, 16, {"y", y, all}, {"mean", mean, rows}, {"rstd", rstd, rows},
                 {"x", x, all}, {"gain", gain, channels}, {"shift", shift, shift.count ? channels : 0});
    ebm_launch l = ebm_launch_begin(device, "layernorm.cl", "layernorm_forward",
                                    shift.count ? "-DC=%zu" : "-DC=%zu -DNORM_SHIFT=0", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, mean);
    ebm_arg_slice(&l, rstd);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, gain);
    ebm_arg_slice(&l, shift);
    ebm_arg_f32(&l, epsilon);
    ebm_launch_cost(&l, 8.0 * (double)all, 8.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_layernorm_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, ebm_slice x, ebm_slice mean,
                                  ebm_slice rstd, ebm_slice gain, bool accumulate, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("layernorm_backward", channels, 16, {"dx", dx, all}, {"dy", dy, all}, {"x", x, all},
                 {"mean", mean, rows}, {"rstd", rstd, rows}, {"gain", gain, channels});
    ebm_launch l = ebm_launch_begin(device, "layernorm.cl", "layernorm_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, mean);
    ebm_arg_slice(&l, rstd);
    ebm_arg_slice(&l, gain);
    ebm_arg_i32(&l, accumulate);
    ebm_launch_cost(&l, 14.0 * (double)all, (accumulate ? 16.0 : 12.0) * (double)all);
    return ebm_launch_rows(&l, rows);
}

static ebm_status add_weight_slabs(ebm_device *device, ebm_slice dgain, ebm_slice dshift, ebm_slice scratch,
                                   size_t slabs, size_t channels)
{
    EBM_TRY(ebm_add_slabs(device, dgain, scratch, 0, 2 * channels, slabs, channels));
    if (dshift.count == 0) return ebm_ok();
    return ebm_add_slabs(device, dshift, scratch, channels, 2 * channels, slabs, channels);
}

ebm_status ebm_layernorm_backward_weights(ebm_device *device, ebm_slice dgain, ebm_slice dshift, ebm_slice dy,
                                          ebm_slice x, ebm_slice mean, ebm_slice rstd, ebm_slice scratch, size_t rows,
                                          size_t channels)
{
    const size_t all = rows * channels, slabs = ebm_column_slabs(rows);
    EBM_OPERANDS("layernorm_backward_weights", channels, 16, {"dgain", dgain, channels},
                 {"dshift", dshift, dshift.count ? channels : 0}, {"dy", dy, all}, {"x", x, all}, {"mean", mean, rows},
                 {"rstd", rstd, rows}, {"scratch", scratch, slabs * 2 * channels});
    ebm_launch l = ebm_launch_begin(device, "layernorm.cl", "layernorm_weight_slabs", "-DC=%zu", channels);
    ebm_arg_slice(&l, scratch);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, mean);
    ebm_arg_slice(&l, rstd);
    ebm_arg_i32(&l, (int64_t)rows);
    ebm_launch_cost(&l, 5.0 * (double)all, 8.0 * (double)all);
    EBM_TRY(ebm_launch_grid(&l, ebm_strip_groups(device, channels), slabs));
    return add_weight_slabs(device, dgain, dshift, scratch, slabs, channels);
}

ebm_status ebm_residual_layernorm_forward(ebm_device *device, ebm_slice y, ebm_slice s, ebm_slice mean, ebm_slice rstd,
                                          ebm_slice a, ebm_slice bias, ebm_slice residual, ebm_slice gain,
                                          ebm_slice shift, float epsilon, const ebm_dropout *dropout, size_t rows,
                                          size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("residual_layernorm_forward", channels, 16, {"y", y, all}, {"s", s, all}, {"mean", mean, rows},
                 {"rstd", rstd, rows}, {"a", a, all}, {"bias", bias, bias.count ? channels : 0},
                 {"residual", residual, all}, {"gain", gain, channels}, {"shift", shift, shift.count ? channels : 0});
    ebm_launch l = ebm_launch_begin(device, "residual.cl", "residual_layernorm_forward",
                                    "-DC=%zu -DBIAS=%d -DNORM_SHIFT=%d", channels, bias.count > 0, shift.count > 0);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, s);
    ebm_arg_slice(&l, mean);
    ebm_arg_slice(&l, rstd);
    ebm_arg_slice(&l, a);
    ebm_arg_slice(&l, bias);
    ebm_arg_slice(&l, residual);
    ebm_arg_slice(&l, gain);
    ebm_arg_slice(&l, shift);
    ebm_arg_f32(&l, epsilon);
    ebm_arg_dropout(&l, dropout, channels);
    ebm_launch_cost(&l, 10.0 * (double)all, 16.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_residual_layernorm_backward(ebm_device *device, ebm_slice ds, ebm_slice da, ebm_slice dy, ebm_slice s,
                                           ebm_slice mean, ebm_slice rstd, ebm_slice gain, const ebm_dropout *dropout,
                                           size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("residual_layernorm_backward", channels, 16, {"ds", ds, all}, {"da", da, all}, {"dy", dy, all},
                 {"s", s, all}, {"mean", mean, rows}, {"rstd", rstd, rows}, {"gain", gain, channels});
    ebm_launch l = ebm_launch_begin(device, "residual.cl", "residual_layernorm_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, ds);
    ebm_arg_slice(&l, da);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, s);
    ebm_arg_slice(&l, mean);
    ebm_arg_slice(&l, rstd);
    ebm_arg_slice(&l, gain);
    ebm_arg_dropout(&l, dropout, channels);
    ebm_launch_cost(&l, 15.0 * (double)all, 16.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_residual_layernorm_backward_all(ebm_device *device, ebm_slice ds, ebm_slice da, ebm_slice dgain,
                                               ebm_slice dshift, ebm_slice dy, ebm_slice s, ebm_slice mean,
                                               ebm_slice rstd, ebm_slice gain, const ebm_dropout *dropout,
                                               ebm_slice scratch, size_t rows, size_t channels)
{
    if (ebm_device_group(device) > 1) {
        EBM_TRY(ebm_layernorm_backward_weights(device, dgain, dshift, dy, s, mean, rstd, scratch, rows, channels));
        return ebm_residual_layernorm_backward(device, ds, da, dy, s, mean, rstd, gain, dropout, rows, channels);
    }
    const size_t all = rows * channels, slabs = ebm_column_slabs(rows);
    EBM_OPERANDS("residual_layernorm_backward_all", channels, 16, {"ds", ds, all}, {"da", da, all},
                 {"dgain", dgain, channels}, {"dshift", dshift, dshift.count ? channels : 0}, {"dy", dy, all},
                 {"s", s, all}, {"mean", mean, rows}, {"rstd", rstd, rows}, {"gain", gain, channels},
                 {"scratch", scratch, slabs * 2 * channels});
    ebm_launch l = ebm_launch_begin(device, "residual.cl", "residual_layernorm_backward_slabs", "-DC=%zu", channels);
    ebm_arg_slice(&l, ds);
    ebm_arg_slice(&l, da);
    ebm_arg_slice(&l, scratch);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, s);
    ebm_arg_slice(&l, mean);
    ebm_arg_slice(&l, rstd);
    ebm_arg_slice(&l, gain);
    ebm_arg_i32(&l, (int64_t)rows);
    ebm_arg_dropout(&l, dropout, channels);
    ebm_launch_cost(&l, 20.0 * (double)all, 16.0 * (double)all);
    EBM_TRY(ebm_launch_rows(&l, slabs));
    return add_weight_slabs(device, dgain, dshift, scratch, slabs, channels);
}
