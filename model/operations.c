// Element-wise operations, dropout and residuals, and what all operations share.
#include "operations_internal.h"

ebm_status ebm_operands_check(const char *operation, size_t channels, size_t multiple, const ebm_operand *operands,
                              size_t count)
{
    if (channels == 0 || channels % multiple != 0 || channels > 1u << 24)
        return ebm_fail(EBM_ERROR_INPUT, "%s: channels must be a positive multiple of %zu, found %zu", operation,
                        multiple, channels);
    for (size_t i = 0; i < count; i++)
        if (operands[i].slice.count < operands[i].elements)
            return ebm_fail(EBM_ERROR_DEVICE, "%s: %s needs %zu elements, its slice has %zu", operation,
                            operands[i].name, operands[i].elements, operands[i].slice.count);
    return ebm_ok();
}

void ebm_arg_dropout(ebm_launch *launch, const ebm_dropout *dropout, size_t channels)
{
    static const ebm_dropout none = {0};
    if (!dropout) dropout = &none;
    const double probability = (double)dropout->probability;
    if (!(probability >= 0 && probability < 1)) { // NaN included
        if (launch->status.code == EBM_OK)
            launch->status = ebm_fail(EBM_ERROR_INPUT, "%s: dropout probability must be in [0, 1), found %g",
                                      launch->name, probability);
        return;
    }
    ebm_arg_u64(launch, dropout->seed);
    ebm_arg_u64(launch, dropout->first_row * channels);
    ebm_arg_u32(launch, dropout->step);
    ebm_arg_u32(launch, dropout->site);
    ebm_arg_u32(launch, (uint32_t)(probability * 4294967296.0));
    ebm_arg_f32(launch, (float)(1 / (1 - probability)));
}

ebm_status ebm_dropout_apply(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_dropout *dropout, size_t rows,
                             size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("dropout_apply", channels, 16, {"y", y, all}, {"x", x, all});
    ebm_launch l = ebm_launch_begin(device, "residual.cl", "dropout_apply", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_arg_dropout(&l, dropout, channels);
    ebm_launch_cost(&l, (double)all, 8.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_gelu_forward(ebm_device *device, ebm_slice y, ebm_slice x, ebm_gelu kind, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("gelu_forward", channels, 16, {"y", y, all}, {"x", x, all});
    ebm_launch l =
        ebm_launch_begin(device, "gelu.cl", "gelu_forward", "-DC=%zu -DGELU_TANH=%d", channels, kind == EBM_GELU_TANH);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_launch_cost(&l, 30.0 * (double)all, 8.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_gelu_backward(ebm_device *device, ebm_slice dx, ebm_slice y, ebm_slice dy, ebm_slice x, ebm_gelu kind,
                             size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("gelu_backward", channels, 16, {"dx", dx, all}, {"y", y, y.memory ? all : 0}, {"dy", dy, all},
                 {"x", x, all});
    ebm_launch l =
        ebm_launch_begin(device, "gelu.cl", "gelu_backward", "-DC=%zu -DGELU_TANH=%d", channels, kind == EBM_GELU_TANH);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, x);
    ebm_launch_cost(&l, 35.0 * (double)all, (y.memory ? 16.0 : 12.0) * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_geglu_forward(ebm_device *device, ebm_slice z, ebm_slice ab, const ebm_dropout *dropout, size_t rows,
                             size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("geglu_forward", channels, 16, {"z", z, all}, {"ab", ab, 2 * all});
    ebm_launch l = ebm_launch_begin(device, "gelu.cl", "geglu_forward", "-DC=%zu -DGELU_TANH=0", channels);
    ebm_arg_slice(&l, z);
    ebm_arg_slice(&l, ab);
    ebm_arg_dropout(&l, dropout, channels);
    ebm_launch_cost(&l, 31.0 * (double)all, 12.0 * (double)all);
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_geglu_backward(ebm_device *device, ebm_slice dab, ebm_slice z, ebm_slice dz, ebm_slice ab,
                              const ebm_dropout *dropout, size_t rows, size_t channels)
{
    const size_t all = rows * channels;
    EBM_OPERANDS("geglu_backward", channels, 16, {"dab", dab, 2 * all}, {"z", z, z.memory ? all : 0}, {"dz", dz, all},
                 {"ab", ab, 2 * all});
    ebm_launch l = ebm_launch_begin(device, "gelu.cl", "geglu_backward", "-DC=%zu -DGELU_TANH=0", channels);
    ebm_arg_slice(&l, dab);
    ebm_arg_slice(&l, z);
    ebm_arg_slice(&l, dz);
    ebm_arg_slice(&l, ab);
    ebm_arg_dropout(&l, dropout, channels);
    ebm_launch_cost(&l, 38.0 * (double)all, (z.memory ? 24.0 : 20.0) * (double)all);
    return ebm_launch_rows(&l, rows);
}
