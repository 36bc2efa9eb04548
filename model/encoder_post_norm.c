// BERT's arithmetic (Devlin et al. 2019): LayerNorm after each residual sum. RoBERTa, XLM-RoBERTa, DistilBERT and
// ELECTRA share it; what differs comes from their traits.
#include "encoder_post_norm.h"

#include "attention.h"
#include "random.h"

static const ebm_slice NONE;

static bool projects(const ebm_post_norm *e) { return e->E != e->C; }

static ebm_slice layer_input(const ebm_post_norm *e, size_t l)
{
    if (l > 0) return ebm_post_norm_kept(e, l - 1)->y2;
    return projects(e) ? e->projected : e->normed;
}

static ebm_attention attention_of(const ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    const float probability = e->base.config->attention_dropout;
    const ebm_attention attention = {
        .heads = e->H,
        .head_size = e->C / e->H,
        .causal = false,
        .queries = ebm_encoder_narrows(&e->base, layer) ? 1 : 0,
        .dropout = ebm_encoder_dropout(batch, run, probability, ebm_encoder_layer_site(layer, 0)),
    };
    return attention;
}

static ebm_dropout after_attention(const ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    const float probability = e->base.family->no_dropout_after_attention ? 0.0f : e->base.config->hidden_dropout;
    return ebm_encoder_dropout_behind(&e->base, layer, batch, run, probability, 1);
}

static ebm_dropout after_inner(const ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    return ebm_encoder_dropout_behind(&e->base, layer, batch, run, e->base.config->hidden_dropout, 2);
}

static ebm_status embed_words(ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const size_t T = batch->tokens;
    const ebm_dropout dropout =
        ebm_encoder_dropout(batch, run, e->base.config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    EBM_TRY(ebm_embedding_forward(device, e->embedded, batch, e->word->weight, e->position->weight,
                                  e->type ? e->type->weight : NONE, e->E));
    EBM_TRY(ebm_norm_forward(device, &e->norm, e->normed, e->mean0, e->rstd0, e->embedded, T));
    return dropout.probability != 0 ? ebm_dropout_apply(device, e->normed, e->normed, &dropout, T, e->E) : ebm_ok();
}

static ebm_status embed(ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run)
{
    EBM_TRY(embed_words(e, batch, run));
    return projects(e) ? ebm_linear_forward(e->base.device, &e->project, e->projected, e->normed, batch->tokens)
                       : ebm_ok();
}

static ebm_status embed_backward(ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const size_t T = batch->tokens;
    const ebm_slice d = projects(e) ? e->d_normed : e->base.gradient;
    const ebm_dropout dropout =
        ebm_encoder_dropout(batch, run, e->base.config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    if (projects(e))
        EBM_TRY(ebm_linear_backward(device, &e->project, d, 0, e->base.gradient, e->normed, e->column_scratch, T));
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(device, d, d, &dropout, T, e->E));
    EBM_TRY(ebm_norm_backward(device, &e->norm, d, d, e->embedded, e->mean0, e->rstd0, e->column_scratch, T));
    return ebm_embedding_backward(device, e->word->gradient, e->position->gradient, e->type ? e->type->gradient : NONE,
                                  d, batch, e->E);
}

// The last layer makes no keys and values when only first tokens go on and their sums fit where those would lie.
static bool folds(const ebm_post_norm *e, size_t l, const ebm_batch *batch)
{
    return ebm_encoder_narrows(&e->base, l) && batch->sequences <= ebm_attention_first_most(e->H, batch->tokens);
}

static ebm_attention_first folded(const ebm_post_norm *e, size_t l)
{
    const ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    return (ebm_attention_first){a->qkv, a->lse, e->d_qkv, e->d_rows, e->d_first_qkv, e->column_scratch};
}

static ebm_status attend_first(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run,
                               ebm_slice context, ebm_slice x)
{
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_attention_first memory = folded(e, l);
    EBM_TRY(ebm_first_tokens_forward(e->base.device, e->base.first[1], x, batch, e->C));
    return ebm_attention_first_forward(e->base.device, &memory, context, x, e->base.first[1], &e->weights[l].qkv, batch,
                                       &attention);
}

// From x, the layer's input (T, C), to what goes into the layer behind the attention and what is added to its output:
// (n, C) each.
static ebm_status attend(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run, ebm_slice *context,
                         ebm_slice *x)
{
    const ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    const size_t T = batch->tokens, C = e->C;
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_slice input = *x;
    *context = a->context;
    if (folds(e, l, batch)) {
        *x = e->base.first[1];
        return attend_first(e, l, batch, run, a->context, input);
    }
    EBM_TRY(ebm_linear_forward(e->base.device, &e->weights[l].qkv, a->qkv, input, T));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.qkv, a->qkv, T * 3 * C));
    EBM_TRY(ebm_attention_forward(e->base.device, a->context, a->lse, a->qkv, batch, &attention));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.context, a->context, T * C));
    return ebm_encoder_go_on(&e->base, l, batch, context, x);
}

static ebm_status layer_forward(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_post_norm_weights *w = &e->weights[l];
    ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    const size_t C = e->C, n = ebm_encoder_rows_behind(&e->base, l, batch);
    ebm_slice x = layer_input(e, l), context;
    const ebm_dropout first = after_attention(e, batch, run, l), second = after_inner(e, batch, run, l);

    EBM_TRY(attend(e, l, batch, run, &context, &x));
    EBM_TRY(ebm_linear_product(device, &w->out, a->sum1, context, n));
    EBM_TRY(ebm_residual_layernorm_forward(device, a->y1, a->sum1, a->mean1, a->rstd1, a->sum1, w->out.bias->weight, x,
                                           w->norm1.gain->weight, w->norm1.shift->weight, w->norm1.epsilon, &first, n,
                                           C));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.sum1, a->sum1, n * C));
    EBM_TRY(ebm_linear_forward(device, &w->up, a->up, a->y1, n));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.up, a->up, n * e->F));
    EBM_TRY(ebm_gelu_forward(device, e->gelu, a->up, EBM_GELU_ERF, n, e->F));
    EBM_TRY(ebm_linear_product(device, &w->down, a->sum2, e->gelu, n));
    EBM_TRY(ebm_residual_layernorm_forward(device, a->y2, a->sum2, a->mean2, a->rstd2, a->sum2, w->down.bias->weight,
                                           a->y1, w->norm2.gain->weight, w->norm2.shift->weight, w->norm2.epsilon,
                                           &second, n, C));
    return ebm_encoder_keep(&e->base, a->half.sum2, a->sum2, n * C);
}

// Half storage: a LayerNorm's input from its halves, and from it the output and the statistics, as of the rounded
// input.
static ebm_status restore_norm(ebm_post_norm *e, const ebm_norm *norm, ebm_slice y, ebm_slice mean, ebm_slice rstd,
                               ebm_slice sum, ebm_slice half, size_t T)
{
    EBM_TRY(ebm_encoder_restore(&e->base, sum, half, T * e->C));
    return ebm_norm_forward(e->base.device, norm, y, mean, rstd, sum, T);
}

static ebm_status restore_middle(ebm_post_norm *e, size_t l, size_t T)
{
    const ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    if (!e->base.half) return ebm_ok();
    return restore_norm(e, &e->weights[l].norm1, a->y1, a->mean1, a->rstd1, a->sum1, a->half.sum1, T);
}

static ebm_status restore_output(ebm_post_norm *e, size_t l, size_t T)
{
    const ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    if (!e->base.half) return ebm_ok();
    return restore_norm(e, &e->weights[l].norm2, a->y2, a->mean2, a->rstd2, a->sum2, a->half.sum2, T);
}

// Of the first layer it is made from the words again; where it is a projection, that was kept, and this is its input.
static ebm_status restore_input(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    if (l > 0) return restore_output(e, l - 1, batch->tokens);
    return e->base.half ? embed_words(e, batch, run) : ebm_ok();
}

// Half storage kept nothing of this: it is made again, from the input as restored.
static ebm_status restore_first(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run,
                                ebm_slice context)
{
    if (!e->base.half)
        return ebm_first_tokens_forward(e->base.device, e->base.first[1], layer_input(e, l), batch, e->C);
    EBM_TRY(restore_input(e, l, batch, run));
    return attend_first(e, l, batch, run, context, layer_input(e, l));
}

static ebm_status attend_first_backward(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_post_norm_weights *w = &e->weights[l];
    const ebm_slice d_first = e->base.first[0], first = e->base.first[1];
    const ebm_slice context = e->base.half ? e->d_qkv : ebm_post_norm_kept(e, l)->context; // d_work's place, until then
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_attention_first memory = folded(e, l);
    const size_t n = batch->sequences;
    EBM_TRY(restore_first(e, l, batch, run, context));
    EBM_TRY(ebm_linear_backward(device, &w->out, e->d_context, 0, e->d_branch, context, e->column_scratch, n));
    EBM_TRY(ebm_slice_copy(device, d_first, 0, e->base.gradient, 0, n * e->C));
    return ebm_attention_first_backward(device, &memory, e->base.gradient, d_first, e->d_context, layer_input(e, l),
                                        first, &w->qkv, batch, &attention);
}

// d_branch holds the gradient of what the layer behind the attention made, base.gradient that of what was added to it;
// base.gradient leaves as that of the layer's input.
static ebm_status attend_backward(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_post_norm_weights *w = &e->weights[l];
    const ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    const size_t T = batch->tokens, C = e->C;
    const ebm_slice scratch = e->column_scratch;
    const ebm_attention attention = attention_of(e, batch, run, l);
    if (folds(e, l, batch)) return attend_first_backward(e, l, batch, run);
    const ebm_slice context = e->base.half ? a->y2 : a->context; // where forward had it d_context is written now
    EBM_TRY(ebm_encoder_restore(&e->base, context, a->half.context, T * C));
    EBM_TRY(ebm_encoder_come_back(&e->base, l, batch, &w->out, e->d_context, e->d_branch, context, scratch));
    EBM_TRY(ebm_encoder_restore(&e->base, a->qkv, a->half.qkv, T * 3 * C));
    EBM_TRY(
        ebm_attention_backward(device, e->d_qkv, e->d_context, context, a->qkv, a->lse, e->d_rows, batch, &attention));
    EBM_TRY(restore_input(e, l, batch, run));
    return ebm_linear_backward(device, &w->qkv, e->base.gradient, 1, e->d_qkv, layer_input(e, l), scratch, T);
}

// From the gradient of a norm's output, in base.gradient, to that of the sum before it there and of the sublayer in
// d_branch.
static ebm_status residual_backward(ebm_post_norm *e, const ebm_norm *norm, ebm_slice sum, ebm_slice mean,
                                    ebm_slice rstd, const ebm_dropout *dropout, size_t rows)
{
    const ebm_slice d = e->base.gradient;
    return ebm_residual_layernorm_backward_all(e->base.device, d, e->d_branch, norm->gain->gradient,
                                               norm->shift->gradient, d, sum, mean, rstd, norm->gain->weight, dropout,
                                               e->column_scratch, rows, e->C);
}

// base.gradient holds the gradient of the layer's output and leaves holding that of its input. In half storage sum2 and
// its statistics are the layer's on entry, and those of what made its input when it leaves.
static ebm_status layer_backward(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_post_norm_weights *w = &e->weights[l];
    ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    const size_t n = ebm_encoder_rows_behind(&e->base, l, batch);
    const ebm_slice d_stream = e->base.gradient, scratch = e->column_scratch;
    const ebm_dropout first = after_attention(e, batch, run, l), second = after_inner(e, batch, run, l);

    EBM_TRY(residual_backward(e, &w->norm2, a->sum2, a->mean2, a->rstd2, &second, n));
    EBM_TRY(ebm_linear_backward_input(device, &w->down, e->d_inner, 0, e->d_branch, n));
    EBM_TRY(ebm_encoder_restore(&e->base, a->up, a->half.up, n * e->F));
    // GELU is made again, in place: to keep it for every layer costs more than it is worth.
    EBM_TRY(ebm_gelu_backward(device, e->d_inner, a->up, e->d_inner, a->up, EBM_GELU_ERF, n, e->F));
    EBM_TRY(ebm_linear_backward_weights(device, &w->down, e->d_branch, a->up, scratch, n));
    EBM_TRY(restore_middle(e, l, n));
    EBM_TRY(ebm_linear_backward(device, &w->up, d_stream, 1, e->d_inner, a->y1, scratch, n));

    EBM_TRY(residual_backward(e, &w->norm1, a->sum1, a->mean1, a->rstd1, &first, n));
    return attend_backward(e, l, batch, run);
}

static ebm_status forward(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run)
{
    ebm_post_norm *e = (ebm_post_norm *)encoder;
    EBM_TRY(embed(e, batch, run));
    for (size_t l = 0; l < e->L; l++) EBM_TRY(layer_forward(e, l, batch, run));
    return ebm_ok();
}

static ebm_status backward(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run)
{
    ebm_post_norm *e = (ebm_post_norm *)encoder;
    EBM_TRY(restore_output(e, e->L - 1, ebm_encoder_rows_behind(encoder, e->L - 1, batch)));
    for (size_t l = e->L; l-- > 0;) {
        EBM_TRY(layer_backward(e, l, batch, run));
        EBM_TRY(ebm_encoder_tell(encoder, e->weights[l].first_tensor));
    }
    return embed_backward(e, batch, run);
}

const ebm_encoder_form ebm_encoder_post_norm = {
    .size = sizeof(ebm_post_norm),
    .create = ebm_post_norm_create,
    .release = ebm_post_norm_release,
    .forward = forward,
    .backward = backward,
};
