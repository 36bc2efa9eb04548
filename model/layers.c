#include "layers.h"

#include "gemm.h"

static const ebm_slice NONE;

ebm_linear ebm_linear_create(ebm_parameters *p, size_t outputs, size_t inputs, bool biased, const char *const *names,
                             size_t parts)
{
    const size_t rows = outputs / parts;
    const ebm_linear linear = {
        .weight = ebm_parameters_tensor(p, outputs * inputs, true),
        .bias = biased ? ebm_parameters_tensor(p, outputs, false) : NULL,
        .outputs = outputs,
        .inputs = inputs,
    };
    for (size_t i = 0; i < parts; i++) {
        ebm_parameters_name(p, linear.weight, i * rows * inputs, rows, inputs, EBM_INIT_NORMAL, "%s.weight", names[i]);
        ebm_parameters_name(p, linear.bias, i * rows, 0, rows, EBM_INIT_ZERO, "%s.bias", names[i]);
    }
    return linear;
}

ebm_norm ebm_norm_create(ebm_parameters *p, size_t channels, float epsilon, bool shifted, const char *name)
{
    const ebm_norm norm = {
        .gain = ebm_parameters_tensor(p, channels, false),
        .shift = shifted ? ebm_parameters_tensor(p, channels, false) : NULL,
        .channels = channels,
        .epsilon = epsilon,
    };
    ebm_parameters_name(p, norm.gain, 0, 0, channels, EBM_INIT_ONE, "%s.weight", name);
    ebm_parameters_name(p, norm.shift, 0, 0, channels, EBM_INIT_ZERO, "%s.bias", name);
    return norm;
}

static ebm_status product(ebm_device *device, const ebm_linear *l, ebm_slice y, ebm_slice x, ebm_slice bias,
                          size_t rows)
{
    return ebm_gemm(device, EBM_GEMM_NT, rows, l->outputs, l->inputs, ebm_matrix_of(x, l->inputs),
                    ebm_matrix_of(l->weight->weight, l->inputs), 0, ebm_matrix_of(y, l->outputs), bias);
}

ebm_status ebm_linear_forward(ebm_device *device, const ebm_linear *l, ebm_slice y, ebm_slice x, size_t rows)
{
    return product(device, l, y, x, l->bias ? l->bias->weight : NONE, rows);
}

ebm_status ebm_linear_product(ebm_device *device, const ebm_linear *l, ebm_slice y, ebm_slice x, size_t rows)
{
    return product(device, l, y, x, NONE, rows);
}

ebm_status ebm_linear_backward_weights(ebm_device *device, const ebm_linear *l, ebm_slice dy, ebm_slice x,
                                       ebm_slice scratch, size_t rows)
{
    const ebm_matrix a = ebm_matrix_of(dy, l->outputs), b = ebm_matrix_of(x, l->inputs),
                     c = ebm_matrix_of(l->weight->gradient, l->inputs);
    if (l->bias && ebm_gemm_sums_columns(device))
        return ebm_gemm_with_sums(device, l->outputs, l->inputs, rows, a, b, c, l->bias->gradient);
    EBM_TRY(ebm_gemm(device, EBM_GEMM_TN, l->outputs, l->inputs, rows, a, b, 1, c, NONE));
    return l->bias ? ebm_bias_gradient(device, l->bias->gradient, dy, scratch, rows, l->outputs) : ebm_ok();
}

ebm_status ebm_linear_backward_input(ebm_device *device, const ebm_linear *l, ebm_slice dx, float beta, ebm_slice dy,
                                     size_t rows)
{
    return ebm_gemm(device, EBM_GEMM_NN, rows, l->inputs, l->outputs, ebm_matrix_of(dy, l->outputs),
                    ebm_matrix_of(l->weight->weight, l->inputs), beta, ebm_matrix_of(dx, l->inputs), NONE);
}

ebm_status ebm_linear_backward(ebm_device *device, const ebm_linear *l, ebm_slice dx, float beta, ebm_slice dy,
                               ebm_slice x, ebm_slice scratch, size_t rows)
{
    EBM_TRY(ebm_linear_backward_weights(device, l, dy, x, scratch, rows));
    return ebm_linear_backward_input(device, l, dx, beta, dy, rows);
}

ebm_status ebm_norm_forward(ebm_device *device, const ebm_norm *n, ebm_slice y, ebm_slice mean, ebm_slice rstd,
                            ebm_slice x, size_t rows)
{
    return ebm_layernorm_forward(device, y, mean, rstd, x, n->gain->weight, n->shift ? n->shift->weight : NONE,
                                 n->epsilon, rows, n->channels);
}

ebm_status ebm_norm_backward_weights(ebm_device *device, const ebm_norm *n, ebm_slice dy, ebm_slice x, ebm_slice mean,
                                     ebm_slice rstd, ebm_slice scratch, size_t rows)
{
    return ebm_layernorm_backward_weights(device, n->gain->gradient, n->shift ? n->shift->gradient : NONE, dy, x, mean,
                                          rstd, scratch, rows, n->channels);
}

ebm_status ebm_norm_backward(ebm_device *device, const ebm_norm *n, ebm_slice dx, ebm_slice dy, ebm_slice x,
                             ebm_slice mean, ebm_slice rstd, ebm_slice scratch, size_t rows)
{
    EBM_TRY(ebm_norm_backward_weights(device, n, dy, x, mean, rstd, scratch, rows));
    return ebm_layernorm_backward(device, dx, dy, x, mean, rstd, n->gain->weight, false, rows, n->channels);
}
