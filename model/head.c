#include "head.h"

#include <stdlib.h>

#include "gemm.h"
#include "operations.h"

struct ebm_head {
    ebm_device *device;
    ebm_head_settings set;
    ebm_limits limits;
    ebm_tensor *dense, *dense_bias, *linear, *linear_bias;
    ebm_slice input, pooled, dropped; // (sequences, C): after the first dropout, after tanh, after the second dropout
    ebm_slice output, gradient;       // (sequences, outputs)
    ebm_slice d_pooled, d_input, column_scratch;
};

ebm_status ebm_head_create(ebm_device *device, const ebm_head_settings *settings, ebm_parameters *p, ebm_arena *arena,
                           const ebm_limits *limits, ebm_head **out)
{
    ebm_head *h = calloc(1, sizeof *h);
    *out = h;
    if (!h) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a head");
    const size_t C = settings->channels, Y = settings->outputs, n = limits->sequences;
    h->device = device;
    h->set = *settings;
    h->limits = *limits;
    h->dense = ebm_parameters_tensor(p, C * C, true);
    h->dense_bias = ebm_parameters_tensor(p, C, false);
    h->linear = ebm_parameters_tensor(p, Y * C, true);
    h->linear_bias = ebm_parameters_tensor(p, Y, false);
    ebm_parameters_name(p, h->dense, 0, C, C, EBM_INIT_NORMAL, "%s.weight", settings->dense);
    ebm_parameters_name(p, h->dense_bias, 0, 0, C, EBM_INIT_ZERO, "%s.bias", settings->dense);
    ebm_parameters_name(p, h->linear, 0, Y, C, EBM_INIT_NORMAL, "%s.weight", settings->linear);
    ebm_parameters_name(p, h->linear_bias, 0, 0, Y, EBM_INIT_ZERO, "%s.bias", settings->linear);
    ebm_arena_reserve(arena, &h->input, n * C);
    ebm_arena_reserve(arena, &h->pooled, n * C);
    ebm_arena_reserve(arena, &h->dropped, n * C);
    ebm_arena_reserve(arena, &h->output, n * Y);
    if (!limits->training) return ebm_ok();
    ebm_arena_reserve(arena, &h->gradient, n * Y);
    ebm_arena_reserve(arena, &h->d_pooled, n * C);
    ebm_arena_reserve(arena, &h->d_input, n * C);
    ebm_arena_reserve(arena, &h->column_scratch, EBM_COLUMN_SLABS * (C > Y ? C : Y));
    return ebm_ok();
}

void ebm_head_free(ebm_head *h) { free(h); }

ebm_slice ebm_head_output(const ebm_head *h) { return h->output; }
ebm_slice ebm_head_gradient(const ebm_head *h) { return h->gradient; }

const ebm_tensor *ebm_head_linear(const ebm_head *h, const ebm_tensor **bias)
{
    *bias = h->linear_bias;
    return h->linear;
}

static ebm_dropout dropout_at(const ebm_head *h, const ebm_batch *batch, const ebm_run *run, uint32_t place)
{
    const ebm_dropout dropout = {run->training ? h->set.dropout : 0.0f, run->seed, run->step, h->set.site + place,
                                 batch->first_sequence};
    return dropout;
}

ebm_status ebm_head_forward(ebm_head *h, ebm_slice first, const ebm_batch *batch, const ebm_run *run)
{
    const size_t n = batch->sequences, C = h->set.channels, Y = h->set.outputs;
    ebm_dropout before = dropout_at(h, batch, run, 0);
    const ebm_dropout after = dropout_at(h, batch, run, 1);
    if (!h->set.dropout_first) before.probability = 0;
    EBM_TRY(ebm_dropout_apply(h->device, h->input, first, &before, n, C));
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_NT, n, C, C, ebm_matrix_of(h->input, C), ebm_matrix_of(h->dense->weight, C), 0,
                     ebm_matrix_of(h->pooled, C), h->dense_bias->weight));
    EBM_TRY(ebm_tanh_forward(h->device, h->pooled, h->pooled, n, C));
    EBM_TRY(ebm_dropout_apply(h->device, h->dropped, h->pooled, &after, n, C));
    return ebm_gemm(h->device, EBM_GEMM_NT, n, Y, C, ebm_matrix_of(h->dropped, C), ebm_matrix_of(h->linear->weight, C),
                    0, ebm_matrix_of(h->output, Y), h->linear_bias->weight);
}

ebm_status ebm_head_backward(ebm_head *h, ebm_slice d_first, ebm_slice first, const ebm_batch *batch,
                             const ebm_run *run)
{
    const size_t n = batch->sequences, C = h->set.channels, Y = h->set.outputs;
    const ebm_slice none = {0};
    ebm_dropout before = dropout_at(h, batch, run, 0);
    const ebm_dropout after = dropout_at(h, batch, run, 1);
    if (!h->set.dropout_first) before.probability = 0;
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_TN, Y, C, n, ebm_matrix_of(h->gradient, Y), ebm_matrix_of(h->dropped, C), 1,
                     ebm_matrix_of(h->linear->gradient, C), none));
    EBM_TRY(ebm_bias_gradient(h->device, h->linear_bias->gradient, h->gradient, h->column_scratch, n, Y));
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_NN, n, C, Y, ebm_matrix_of(h->gradient, Y),
                     ebm_matrix_of(h->linear->weight, C), 0, ebm_matrix_of(h->d_pooled, C), none));
    EBM_TRY(ebm_dropout_apply(h->device, h->d_pooled, h->d_pooled, &after, n, C));
    EBM_TRY(ebm_tanh_backward(h->device, h->d_pooled, h->d_pooled, h->pooled, n, C));
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_TN, C, C, n, ebm_matrix_of(h->d_pooled, C), ebm_matrix_of(h->input, C), 1,
                     ebm_matrix_of(h->dense->gradient, C), none));
    EBM_TRY(ebm_bias_gradient(h->device, h->dense_bias->gradient, h->d_pooled, h->column_scratch, n, C));
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_NN, n, C, C, ebm_matrix_of(h->d_pooled, C), ebm_matrix_of(h->dense->weight, C),
                     0, ebm_matrix_of(h->d_input, C), none));
    EBM_TRY(ebm_dropout_apply(h->device, h->d_input, h->d_input, &before, n, C));
    return ebm_add(h->device, d_first, h->d_input, n, C);
}
