// Linear layers and LayerNorms together with their parameters: what encoders and heads are put together from. The
// checkpoint's layout of a linear layer is (outputs, inputs), as torch's.
//
//     ebm_linear up = ebm_linear_create(parameters, outputs, inputs, true, &name, 1);   // name.weight, name.bias
//     EBM_TRY(ebm_linear_forward(device, &up, y, x, rows));                             // y = x W^T + b
//     EBM_TRY(ebm_linear_backward(device, &up, dx, 0, dy, x, scratch, rows));
#ifndef EBM_LAYERS_H
#define EBM_LAYERS_H

#include "operations.h"
#include "parameters.h"

// bias NULL: none
typedef struct {
    ebm_tensor *weight, *bias;
    size_t outputs, inputs;
} ebm_linear;

// shift NULL: none
typedef struct {
    ebm_tensor *gain, *shift;
    size_t channels;
    float epsilon;
} ebm_norm;

// One matrix on the device, `parts` tensors of the checkpoint one below the other, each of outputs / parts rows: so one
// product makes query, key and value. Errors are kept by the table of parameters, like those of ebm_parameters_tensor.
ebm_linear ebm_linear_create(ebm_parameters *parameters, size_t outputs, size_t inputs, bool biased,
                             const char *const *names, size_t parts);
ebm_norm ebm_norm_create(ebm_parameters *parameters, size_t channels, float epsilon, bool shifted, const char *name);

// y (rows, outputs) = x W^T + b; _product leaves the bias out, for kernels that add it later.
ebm_status ebm_linear_forward(ebm_device *device, const ebm_linear *linear, ebm_slice y, ebm_slice x, size_t rows);
ebm_status ebm_linear_product(ebm_device *device, const ebm_linear *linear, ebm_slice y, ebm_slice x, size_t rows);
// Adds dy^T x to the gradient of W and the column sums of dy to that of b; dx = beta dx + dy W. scratch: at least
// EBM_COLUMN_SLABS * outputs elements.
ebm_status ebm_linear_backward(ebm_device *device, const ebm_linear *linear, ebm_slice dx, float beta, ebm_slice dy,
                               ebm_slice x, ebm_slice scratch, size_t rows);
// Its halves, for an x that is made again from what dx leads to.
ebm_status ebm_linear_backward_weights(ebm_device *device, const ebm_linear *linear, ebm_slice dy, ebm_slice x,
                                       ebm_slice scratch, size_t rows);
ebm_status ebm_linear_backward_input(ebm_device *device, const ebm_linear *linear, ebm_slice dx, float beta,
                                     ebm_slice dy, size_t rows);

// As ebm_layernorm_forward and ebm_layernorm_backward_weights followed by ebm_layernorm_backward (dx may be dy).
ebm_status ebm_norm_forward(ebm_device *device, const ebm_norm *norm, ebm_slice y, ebm_slice mean, ebm_slice rstd,
                            ebm_slice x, size_t rows);
ebm_status ebm_norm_backward_weights(ebm_device *device, const ebm_norm *norm, ebm_slice dy, ebm_slice x,
                                     ebm_slice mean, ebm_slice rstd, ebm_slice scratch, size_t rows);
ebm_status ebm_norm_backward(ebm_device *device, const ebm_norm *norm, ebm_slice dx, ebm_slice dy, ebm_slice x,
                             ebm_slice mean, ebm_slice rstd, ebm_slice scratch, size_t rows);

#endif
