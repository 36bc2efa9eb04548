#include "attention_first.h"

#include <math.h>

#include "gemm.h"
#include "operations_internal.h"

// What attention_first.cl has: tokens a work-group makes dx of, sequences it takes otherwise (1 on a GPU), rows of a
// head's weights it makes gradients of.
enum { CPU_TILE = 16, GPU_TILE = 4, CPU_SETS = 4, ROWS = 4 };

typedef struct {
    ebm_device *device;
    size_t T, S, H, C, D;
} shape;

static shape shape_of(ebm_device *device, const ebm_batch *batch, const ebm_attention *attention)
{
    const size_t H = attention->heads, D = attention->head_size;
    return (shape){device, batch->tokens, batch->sequences, H, H * D, D};
}

static size_t work_columns(size_t heads) { return 2 * heads + 1; } // in channels: u, z, q

size_t ebm_attention_first_most(size_t heads, size_t tokens) { return 3 * tokens / work_columns(heads); }

static ebm_status check_attention(const ebm_attention *attention)
{
    EBM_TRY(ebm_attention_check(attention));
    if (!attention->causal && attention->window == 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED, "attention of first tokens: expected heads that see all");
}

static ebm_launch begin(const shape *s, const char *kernel, const ebm_attention *attention)
{
    return ebm_launch_begin(s->device, "attention_first.cl", kernel,
                            "-DC=%zu -DD=%zu -DSCALE=%.9gf -DDROPOUT=%d -DKEYS=%zu", s->C, s->D, 1 / sqrt((double)s->D),
                            attention->dropout.probability > 0, ebm_attention_longest(attention));
}

static size_t set_groups(const shape *s)
{
    return ebm_device_uses_cpu_kernels(s->device) ? (s->S + CPU_SETS - 1) / CPU_SETS : s->S;
}

static float kept_scale(const ebm_attention *attention) { return 1 / (1 - attention->dropout.probability); }

// Elements (sequence, C) at `column` times C of rows of `columns` times C.
static ebm_matrix part(ebm_slice slice, size_t column, size_t columns, size_t C)
{
    return (ebm_matrix){slice, column * C, columns * C};
}

static ebm_slice first_of(ebm_slice slice, size_t count) { return (ebm_slice){slice.memory, count}; }

// Flops of `passes` sums or products over all tokens and heads, and over the rows of a head's weights for each
// sequence.
static double count_flops(const shape *s, double token_passes, double weight_passes)
{
    return 2.0 * (double)s->C * (token_passes * (double)(s->T * s->H) + weight_passes * (double)s->S * (double)s->C);
}

ebm_status ebm_attention_first_forward(ebm_device *device, const ebm_attention_first *memory, ebm_slice out,
                                       ebm_slice x, ebm_slice first, const ebm_linear *qkv, const ebm_batch *batch,
                                       const ebm_attention *attention)
{
    const shape s = shape_of(device, batch, attention);
    EBM_TRY(check_attention(attention));
    EBM_OPERANDS("attention_first_forward", s.C, 16, {"out", out, s.S * s.C}, {"x", x, s.T * s.C},
                 {"work", memory->work, s.S * work_columns(s.H) * s.C}, {"p", memory->p, s.T * s.H},
                 {"weights", qkv->weight->weight, 3 * s.C * s.C}, {"bias", qkv->bias->weight, 3 * s.C},
                 {"starts", batch->starts, s.S + 1});
    EBM_TRY(ebm_gemm(device, EBM_GEMM_NT, s.S, s.C, s.C, ebm_matrix_of(first, s.C),
                     ebm_matrix_of(qkv->weight->weight, s.C), 0, part(memory->work, 2 * s.H, work_columns(s.H), s.C),
                     first_of(qkv->bias->weight, s.C)));
    ebm_launch l = begin(&s, "attention_first_forward", attention);
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, memory->p);
    ebm_arg_slice(&l, memory->work);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, qkv->weight->weight);
    ebm_arg_slice(&l, qkv->bias->weight);
    ebm_arg_slice(&l, batch->starts);
    ebm_arg_i32(&l, (int64_t)s.S);
    ebm_arg_dropout(&l, &attention->dropout, s.H * ebm_attention_longest(attention));
    ebm_launch_cost(&l, count_flops(&s, 2, 2), 4.0 * (double)(s.T * s.C + s.S * work_columns(s.H) * s.C));
    return ebm_launch_grid(&l, set_groups(&s), s.H);
}

static ebm_status backward_scores(const shape *s, const ebm_attention_first *memory, ebm_slice dout, ebm_slice x,
                                  const ebm_linear *qkv, const ebm_batch *batch, const ebm_attention *attention)
{
    ebm_launch l = begin(s, "attention_first_backward", attention);
    ebm_arg_slice(&l, memory->d_qkv);
    ebm_arg_slice(&l, memory->d_work);
    ebm_arg_slice(&l, memory->d_scores);
    ebm_arg_slice(&l, dout);
    ebm_arg_slice(&l, memory->p);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, qkv->weight->weight);
    ebm_arg_slice(&l, qkv->bias->weight);
    ebm_arg_slice(&l, batch->starts);
    ebm_arg_i32(&l, (int64_t)s->S);
    ebm_arg_f32(&l, kept_scale(attention));
    ebm_launch_cost(&l, count_flops(s, 2, 2), 4.0 * (double)(s->T * s->C + s->S * 2 * s->H * s->C));
    return ebm_launch_grid(&l, set_groups(s), s->H);
}

static ebm_status backward_weights(const shape *s, const ebm_attention_first *memory, ebm_slice dout,
                                   const ebm_linear *qkv, const ebm_attention *attention)
{
    ebm_launch l = begin(s, "attention_first_backward_weights", attention);
    ebm_arg_slice(&l, qkv->weight->gradient);
    ebm_arg_slice(&l, memory->work);
    ebm_arg_slice(&l, memory->d_work);
    ebm_arg_slice(&l, dout);
    ebm_arg_i32(&l, (int64_t)s->S);
    ebm_launch_cost(&l, count_flops(s, 0, 2), 4.0 * (double)(4 * s->C * s->C + s->S * 2 * s->H * s->C));
    return ebm_launch_grid(&l, s->D / ROWS, 2 * s->H);
}

static ebm_status backward_input(const shape *s, const ebm_attention_first *memory, ebm_slice dx, ebm_slice d_first,
                                 const ebm_batch *batch, const ebm_attention *attention)
{
    const size_t tile = ebm_device_uses_cpu_kernels(s->device) ? CPU_TILE : GPU_TILE;
    ebm_launch l = begin(s, "attention_first_backward_input", attention);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, d_first);
    ebm_arg_slice(&l, memory->p);
    ebm_arg_slice(&l, memory->d_scores);
    ebm_arg_slice(&l, memory->work);
    ebm_arg_slice(&l, memory->d_work);
    ebm_arg_slice(&l, batch->starts);
    ebm_arg_f32(&l, kept_scale(attention));
    ebm_launch_cost(&l, count_flops(s, 2, 0), 4.0 * (double)(s->T * s->C + s->S * 2 * s->H * s->C));
    return ebm_launch_grid(&l, (batch->longest + tile - 1) / tile, s->S);
}

ebm_status ebm_attention_first_backward(ebm_device *device, const ebm_attention_first *memory, ebm_slice dx,
                                        ebm_slice d_first, ebm_slice dout, ebm_slice x, ebm_slice first,
                                        const ebm_linear *qkv, const ebm_batch *batch, const ebm_attention *attention)
{
    static const ebm_slice NONE;
    const shape s = shape_of(device, batch, attention);
    EBM_TRY(check_attention(attention));
    EBM_OPERANDS("attention_first_backward", s.C, 16, {"dx", dx, s.T * s.C}, {"d_first", d_first, s.S * s.C},
                 {"dout", dout, s.S * s.C}, {"x", x, s.T * s.C}, {"work", memory->work, s.S * work_columns(s.H) * s.C},
                 {"p", memory->p, s.T * s.H}, {"d_work", memory->d_work, s.S * 2 * s.H * s.C},
                 {"d_scores", memory->d_scores, s.T * s.H}, {"d_qkv", memory->d_qkv, s.S * 3 * s.C},
                 {"weights' gradient", qkv->weight->gradient, 3 * s.C * s.C}, {"starts", batch->starts, s.S + 1});
    EBM_TRY(backward_scores(&s, memory, dout, x, qkv, batch, attention));
    EBM_TRY(backward_weights(&s, memory, dout, qkv, attention));
    EBM_TRY(ebm_bias_gradient(device, qkv->bias->gradient, memory->d_qkv, memory->column_scratch, s.S, 3 * s.C));
    const ebm_matrix dq = part(memory->d_qkv, 0, 3, s.C);
    EBM_TRY(ebm_gemm(device, EBM_GEMM_TN, s.C, s.C, s.S, dq, ebm_matrix_of(first, s.C), 1,
                     ebm_matrix_of(qkv->weight->gradient, s.C), NONE));
    EBM_TRY(ebm_gemm(device, EBM_GEMM_NN, s.S, s.C, s.C, dq, ebm_matrix_of(qkv->weight->weight, s.C), 1,
                     ebm_matrix_of(d_first, s.C), NONE));
    return backward_input(&s, memory, dx, d_first, batch, attention);
}
