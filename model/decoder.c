// Passes of the decoder over packed batches: forward, loss, backward.
#include <string.h>

#include "decoder_internal.h"
#include "gemm.h"
#include "lm_loss.h"
#include "operations.h"
#include "random.h"

static ebm_dropout dropout_at(const ebm_batch *batch, const ebm_run *run, float probability, uint32_t site)
{
    const ebm_dropout dropout = {run->training ? probability : 0.0f, run->seed, run->step, site, batch->first_token};
    return dropout;
}

static uint32_t layer_site(size_t layer, uint32_t place)
{
    return EBM_SITE_DROPOUT_LAYERS + 8 * (uint32_t)layer + place;
}

ebm_attention ebm_decoder_attention(const ebm_decoder *d, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    const ebm_attention attention = {
        .heads = d->H,
        .head_size = d->C / d->H,
        .causal = true,
        .dropout = dropout_at(batch, run, d->config->attention_dropout, layer_site(layer, 0)),
    };
    return attention;
}

// y (T, outputs) = x w + bias
static ebm_status linear(ebm_decoder *d, ebm_slice y, ebm_slice x, const ebm_tensor *w, const ebm_packed *packed,
                         ebm_slice bias, size_t T)
{
    return ebm_gemm_packed(d->device, T, ebm_matrix_of(x, packed->k), ebm_matrix_of(w->weight, packed->n), packed,
                           ebm_matrix_of(y, packed->n), bias);
}

// dx = dy w^T
static ebm_status backward_input(ebm_decoder *d, ebm_slice dx, ebm_slice dy, const ebm_tensor *w, size_t T,
                                 size_t inputs, size_t outputs)
{
    const ebm_slice none = {0};
    return ebm_gemm(d->device, EBM_GEMM_NT, T, inputs, outputs, ebm_matrix_of(dy, outputs),
                    ebm_matrix_of(w->weight, outputs), 0, ebm_matrix_of(dx, inputs), none);
}

// dw += x^T dy, db += column sums of dy
static ebm_status backward_weights(ebm_decoder *d, ebm_slice dy, ebm_slice x, ebm_tensor *w, ebm_tensor *bias, size_t T,
                                   size_t inputs, size_t outputs)
{
    const ebm_slice none = {0};
    EBM_TRY(ebm_gemm(d->device, EBM_GEMM_TN, inputs, outputs, T, ebm_matrix_of(x, inputs), ebm_matrix_of(dy, outputs),
                     1, ebm_matrix_of(w->gradient, outputs), none));
    return ebm_bias_gradient(d->device, bias->gradient, dy, d->column_scratch, T, outputs);
}

static ebm_status linear_backward(ebm_decoder *d, ebm_slice dx, ebm_slice dy, ebm_slice x, ebm_tensor *w,
                                  ebm_tensor *bias, size_t T, size_t inputs, size_t outputs)
{
    EBM_TRY(backward_weights(d, dy, x, w, bias, T, inputs, outputs));
    return backward_input(d, dx, dy, w, T, inputs, outputs);
}

ebm_decoder_norm ebm_decoder_norm_before(const ebm_decoder *d, size_t l, bool step)
{
    if (l == d->L && step) return (ebm_decoder_norm){d->gain, d->shift, d->step_output, d->step_mean, d->step_rstd};
    if (l == d->L) return (ebm_decoder_norm){d->gain, d->shift, d->output, d->mean, d->rstd};
    const ebm_decoder_activations *a = step ? &d->step : ebm_decoder_kept(d, l);
    return (ebm_decoder_norm){d->weights[l].gain1, d->weights[l].shift1, a->norm1, a->mean1, a->rstd1};
}

ebm_status ebm_decoder_norm_embedded(ebm_decoder *d, const ebm_decoder_norm *norm, ebm_slice x, size_t T)
{
    return ebm_layernorm_forward(d->device, norm->y, norm->mean, norm->rstd, x, norm->gain->weight, norm->shift->weight,
                                 d->config->layer_norm_eps, T, d->C);
}

// stream = residual + dropout(stream + bias), and the LayerNorm that follows.
static ebm_status end_sublayer(ebm_decoder *d, const ebm_decoder_norm *norm, ebm_slice stream, const ebm_tensor *bias,
                               ebm_slice residual, const ebm_dropout *dropout, size_t T)
{
    return ebm_residual_layernorm_forward(d->device, norm->y, stream, norm->mean, norm->rstd, stream, bias->weight,
                                          residual, norm->gain->weight, norm->shift->weight, d->config->layer_norm_eps,
                                          dropout, T, d->C);
}

// The part of a layer before attention, and the part after: between them training and generation differ.
ebm_status ebm_decoder_before_attention(ebm_decoder *d, const ebm_decoder_weights *w, ebm_decoder_activations *a,
                                        size_t T)
{
    return linear(d, a->qkv, a->norm1, w->qkv, &w->packed_qkv, w->qkv_bias->weight, T);
}

ebm_status ebm_decoder_after_attention(ebm_decoder *d, const ebm_decoder_weights *w, ebm_decoder_activations *a,
                                       ebm_slice x, const ebm_decoder_norm *next, const ebm_dropout *first,
                                       const ebm_dropout *second, size_t T)
{
    const ebm_slice none = {0};
    const ebm_decoder_norm middle = {w->gain2, w->shift2, a->norm2, a->mean2, a->rstd2};
    EBM_TRY(linear(d, a->middle, a->context, w->out, &w->packed_out, none, T));
    EBM_TRY(end_sublayer(d, &middle, a->middle, w->out_bias, x, first, T));
    EBM_TRY(linear(d, a->up, a->norm2, w->up, &w->packed_up, w->up_bias->weight, T));
    EBM_TRY(ebm_gelu_forward(d->device, d->gelu, a->up, EBM_GELU_TANH, T, d->F));
    EBM_TRY(linear(d, a->end, d->gelu, w->down, &w->packed_down, none, T));
    return end_sublayer(d, next, a->end, w->down_bias, a->middle, second, T);
}

ebm_status ebm_decoder_layer(ebm_decoder *d, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    const ebm_decoder_weights *w = &d->weights[l];
    ebm_decoder_activations *a = ebm_decoder_kept(d, l);
    const float p = d->config->hidden_dropout;
    const ebm_attention attention = ebm_decoder_attention(d, batch, run, l);
    const ebm_dropout first = dropout_at(batch, run, p, layer_site(l, 1));
    const ebm_dropout second = dropout_at(batch, run, p, layer_site(l, 2));
    const ebm_decoder_norm next = ebm_decoder_norm_before(d, l + 1, false);
    EBM_TRY(ebm_decoder_before_attention(d, w, a, batch->tokens));
    EBM_TRY(ebm_attention_forward(d->device, a->context, a->lse, a->qkv, batch, &attention));
    return ebm_decoder_after_attention(d, w, a, ebm_decoder_layer_input(d, l), &next, &first, &second, batch->tokens);
}

// d_stream: gradient of the layer's output on entry, of its input on return.
static ebm_status layer_backward(ebm_decoder *d, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    const ebm_decoder_weights *w = &d->weights[l];
    ebm_decoder_activations *a = ebm_decoder_kept(d, l);
    const size_t T = batch->tokens, C = d->C, F = d->F;
    const float p = d->config->hidden_dropout;
    const ebm_attention attention = ebm_decoder_attention(d, batch, run, l);
    const ebm_dropout first = dropout_at(batch, run, p, layer_site(l, 1));
    const ebm_dropout second = dropout_at(batch, run, p, layer_site(l, 2));

    EBM_TRY(ebm_dropout_apply(d->device, d->d_branch, d->d_stream, &second, T, C));
    EBM_TRY(backward_input(d, d->d_inner, d->d_branch, w->down, T, F, C));
    // GELU is made again, in place: to keep it for every layer costs more than it is worth.
    EBM_TRY(ebm_gelu_backward(d->device, d->d_inner, a->up, d->d_inner, a->up, EBM_GELU_TANH, T, F));
    EBM_TRY(backward_weights(d, d->d_branch, a->up, w->down, w->down_bias, T, F, C));
    EBM_TRY(linear_backward(d, d->d_branch, d->d_inner, a->norm2, w->up, w->up_bias, T, C, F));
    EBM_TRY(ebm_layernorm_backward_weights(d->device, w->gain2->gradient, w->shift2->gradient, d->d_branch, a->middle,
                                           a->mean2, a->rstd2, d->column_scratch, T, C));
    EBM_TRY(ebm_layernorm_backward(d->device, d->d_stream, d->d_branch, a->middle, a->mean2, a->rstd2, w->gain2->weight,
                                   true, T, C));

    EBM_TRY(ebm_dropout_apply(d->device, d->d_branch, d->d_stream, &first, T, C));
    EBM_TRY(linear_backward(d, d->d_context, d->d_branch, a->context, w->out, w->out_bias, T, C, C));
    EBM_TRY(ebm_attention_backward(d->device, d->d_qkv, d->d_context, a->context, a->qkv, a->lse, d->d_rows, batch,
                                   &attention));
    EBM_TRY(linear_backward(d, d->d_branch, d->d_qkv, a->norm1, w->qkv, w->qkv_bias, T, C, 3 * C));
    EBM_TRY(ebm_layernorm_backward_weights(d->device, w->gain1->gradient, w->shift1->gradient, d->d_branch,
                                           ebm_decoder_layer_input(d, l), a->mean1, a->rstd1, d->column_scratch, T, C));
    return ebm_layernorm_backward(d->device, d->d_stream, d->d_branch, ebm_decoder_layer_input(d, l), a->mean1,
                                  a->rstd1, w->gain1->weight, true, T, C);
}

ebm_status ebm_decoder_forward(ebm_decoder *d, const ebm_batch *batch, const ebm_run *run)
{
    if (batch->tokens > d->set.limits.tokens || batch->longest > d->config->max_positions)
        return ebm_fail(EBM_ERROR_INPUT, "a batch of %zu tokens, the longest text %zu; planned for %zu and %zu",
                        batch->tokens, batch->longest, d->set.limits.tokens, d->config->max_positions);
    const ebm_slice none = {0};
    const ebm_dropout dropout = dropout_at(batch, run, d->config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    EBM_TRY(ebm_decoder_pack(d));
    EBM_TRY(ebm_embedding_forward(d->device, d->x0, batch, d->word->weight, d->position->weight, none, d->C));
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(d->device, d->x0, d->x0, &dropout, batch->tokens, d->C));
    const ebm_decoder_norm norm = ebm_decoder_norm_before(d, 0, false);
    EBM_TRY(ebm_decoder_norm_embedded(d, &norm, d->x0, batch->tokens));
    for (size_t l = 0; l < d->L; l++) EBM_TRY(ebm_decoder_layer(d, l, batch, run));
    return ebm_ok();
}

// Rows that have a target, as a batch whose "first tokens" they are.
static ebm_batch target_rows(ebm_decoder *d, const ebm_batch *batch, const int32_t *targets)
{
    ebm_batch rows = *batch;
    rows.sequences = 0;
    rows.starts = d->rows;
    for (size_t t = 0; t < batch->tokens; t++) {
        if (targets[t] < 0) continue;
        d->host_rows[rows.sequences] = (int32_t)t;
        d->host_targets[rows.sequences++] = targets[t];
    }
    d->host_rows[rows.sequences] = (int32_t)batch->tokens;
    return rows;
}

static ebm_matrix rows_from(ebm_slice slice, size_t first, size_t columns)
{
    const ebm_matrix matrix = {slice, first * columns, columns};
    return matrix;
}

// Logits of `count` target rows from `first` on, their losses, and with `gradient` what flows back through them.
static ebm_status loss_rows(ebm_decoder *d, size_t first, size_t count, float scale, bool gradient, double *sum)
{
    const ebm_slice none = {0};
    const ebm_matrix hidden = rows_from(d->row_hidden, first, d->C), word = ebm_matrix_of(d->word->weight, d->C);
    const ebm_matrix logits = ebm_matrix_of(d->logits, d->V);
    EBM_TRY(ebm_slice_write(d->device, d->targets, 0, count, d->host_targets + first));
    EBM_TRY(ebm_gemm(d->device, EBM_GEMM_NT, count, d->V, d->C, hidden, word, 0, logits, none));
    if (gradient) {
        EBM_TRY(ebm_lm_loss_and_gradient(d->device, d->row_loss, d->logits, d->V, d->targets, count, d->V, scale));
        EBM_TRY(ebm_gemm(d->device, EBM_GEMM_NN, count, d->C, d->V, logits, word, 0,
                         rows_from(d->row_gradient, first, d->C), none));
        EBM_TRY(ebm_gemm(d->device, EBM_GEMM_TN, d->V, d->C, count, logits, hidden, 1,
                         ebm_matrix_of(d->word->gradient, d->C), none));
    } else {
        EBM_TRY(ebm_lm_loss(d->device, d->row_loss, d->logits, d->V, d->targets, count, d->V));
    }
    EBM_TRY(ebm_slice_read(d->device, d->row_loss, 0, count, d->host_loss));
    for (size_t i = 0; i < count; i++) *sum += (double)d->host_loss[i];
    return ebm_ok();
}

// Those rows' hidden states, one after the other.
static ebm_status gather_rows(ebm_decoder *d, const ebm_batch *rows)
{
    EBM_TRY(ebm_slice_write(d->device, d->rows, 0, rows->sequences + 1, d->host_rows));
    return ebm_first_tokens_forward(d->device, d->row_hidden, d->output, rows, d->C);
}

static ebm_status check_has_losses(const ebm_decoder *d)
{
    if (!d->set.only_generates) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "a loss of a decoder that was planned to generate only");
}

static size_t rows_at_a_time(size_t left) { return left < EBM_DECODER_LOSS_ROWS ? left : EBM_DECODER_LOSS_ROWS; }

ebm_status ebm_decoder_loss(ebm_decoder *d, const ebm_batch *batch, const int32_t *targets, size_t total, bool gradient,
                            double *loss_sum, size_t *target_count)
{
    if (gradient && !d->set.limits.training)
        return ebm_fail(EBM_ERROR_INPUT, "a gradient of a decoder that was not planned for training");
    EBM_TRY(check_has_losses(d));
    const ebm_batch rows = target_rows(d, batch, targets);
    *loss_sum = 0;
    *target_count = rows.sequences;
    // The rows before the first target belong to none of the "sequences"; without any target that is all of them.
    if (gradient) EBM_TRY(ebm_slice_zero(d->device, d->d_stream, 0, (size_t)d->host_rows[0] * d->C));
    if (rows.sequences == 0) return ebm_ok();
    EBM_TRY(gather_rows(d, &rows));
    const float scale = total > 0 ? 1.0f / (float)total : 0.0f;
    for (size_t first = 0; first < rows.sequences; first += EBM_DECODER_LOSS_ROWS) {
        const size_t count = rows_at_a_time(rows.sequences - first);
        EBM_TRY(loss_rows(d, first, count, scale, gradient, loss_sum));
    }
    return gradient ? ebm_first_tokens_backward(d->device, d->d_stream, d->row_gradient, &rows, d->C) : ebm_ok();
}

ebm_status ebm_decoder_losses(ebm_decoder *d, const ebm_batch *batch, const int32_t *targets, float *losses,
                              size_t *target_count)
{
    EBM_TRY(check_has_losses(d));
    const ebm_batch rows = target_rows(d, batch, targets);
    double sum = 0;
    *target_count = rows.sequences;
    if (rows.sequences == 0) return ebm_ok();
    EBM_TRY(gather_rows(d, &rows));
    for (size_t first = 0; first < rows.sequences; first += EBM_DECODER_LOSS_ROWS) {
        const size_t count = rows_at_a_time(rows.sequences - first);
        EBM_TRY(loss_rows(d, first, count, 0, false, &sum));
        memcpy(losses + first, d->host_loss, count * sizeof *losses);
    }
    return ebm_ok();
}

ebm_status ebm_decoder_backward(ebm_decoder *d, const ebm_batch *batch, const ebm_run *run)
{
    const size_t T = batch->tokens;
    const ebm_slice last = ebm_decoder_kept(d, d->L - 1)->end, none = {0};
    EBM_TRY(ebm_layernorm_backward_weights(d->device, d->gain->gradient, d->shift->gradient, d->d_stream, last, d->mean,
                                           d->rstd, d->column_scratch, T, d->C));
    EBM_TRY(ebm_layernorm_backward(d->device, d->d_stream, d->d_stream, last, d->mean, d->rstd, d->gain->weight, false,
                                   T, d->C));
    for (size_t l = d->L; l-- > 0;) EBM_TRY(layer_backward(d, l, batch, run));
    const ebm_dropout dropout = dropout_at(batch, run, d->config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(d->device, d->d_stream, d->d_stream, &dropout, T, d->C));
    return ebm_embedding_backward(d->device, d->word->gradient, d->position->gradient, none, d->d_stream, batch, d->C);
}
