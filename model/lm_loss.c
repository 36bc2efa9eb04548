#include "lm_loss.h"

#include "launch.h"

static ebm_status check(ebm_slice loss, ebm_slice logits, size_t stride, ebm_slice targets, size_t rows,
                        size_t vocabulary)
{
    if (vocabulary == 0 || stride < vocabulary)
        return ebm_fail(EBM_ERROR_INPUT, "language model loss: rows of %zu elements cannot hold a vocabulary of %zu",
                        stride, vocabulary);
    if (rows > loss.count || rows > targets.count || (rows > 0 && (rows - 1) * stride + vocabulary > logits.count))
        return ebm_fail(EBM_ERROR_INPUT,
                        "language model loss: %zu rows do not fit %zu losses, %zu targets and %zu logits (stride %zu)",
                        rows, loss.count, targets.count, logits.count, stride);
    return ebm_ok();
}

ebm_status ebm_lm_loss(ebm_device *device, ebm_slice loss, ebm_slice logits, size_t stride, ebm_slice targets,
                       size_t rows, size_t vocabulary)
{
    EBM_TRY(check(loss, logits, stride, targets, rows, vocabulary));
    ebm_launch l = ebm_launch_begin(device, "lm_loss.cl", "lm_loss", "%s", "");
    ebm_arg_slice(&l, loss);
    ebm_arg_slice(&l, logits);
    ebm_arg_slice(&l, targets);
    ebm_arg_i32(&l, (int64_t)stride);
    ebm_arg_i32(&l, (int64_t)vocabulary);
    ebm_launch_cost(&l, 3.0 * (double)(rows * vocabulary), 4.0 * (double)(rows * vocabulary));
    return ebm_launch_rows(&l, rows);
}

ebm_status ebm_lm_loss_and_gradient(ebm_device *device, ebm_slice loss, ebm_slice logits, size_t stride,
                                    ebm_slice targets, size_t rows, size_t vocabulary, float scale)
{
    EBM_TRY(check(loss, logits, stride, targets, rows, vocabulary));
    ebm_launch l = ebm_launch_begin(device, "lm_loss.cl", "lm_loss_and_gradient", "%s", "");
    ebm_arg_slice(&l, loss);
    ebm_arg_slice(&l, logits);
    ebm_arg_slice(&l, targets);
    ebm_arg_i32(&l, (int64_t)stride);
    ebm_arg_i32(&l, (int64_t)vocabulary);
    ebm_arg_f32(&l, scale);
    ebm_launch_cost(&l, 5.0 * (double)(rows * vocabulary), 8.0 * (double)(rows * vocabulary));
    return ebm_launch_rows(&l, rows);
}
