// ModernBERT's arithmetic (Warner et al. 2024): pre-norm layers, rotary positions, a GLU in the feed-forward, and
// attention that in most layers sees a window only.
//
//     middle = x + dropout(Wo attention(norm1(x)))      end = middle + Wo dropout(gelu(a) b), a and b of Wi
//     norm2(middle)
//
// A sublayer ends in one kernel that adds to the stream and norms it for whom comes next: the other half of the layer,
// the next layer, or the final norm.
#include "encoder_modernbert.h"

#include "attention.h"
#include "random.h"
#include "rotary.h"

static const ebm_slice NONE;

static ebm_slice stream_into(const ebm_modernbert *e, size_t l)
{
    return l == 0 ? e->x0 : ebm_modernbert_kept(e, l - 1)->end;
}

static ebm_slice attention_input(const ebm_modernbert *e, size_t l)
{
    return l == 0 ? e->x0 : ebm_modernbert_kept(e, l)->norm1;
}

static ebm_slice table_of(const ebm_modernbert *e, size_t l)
{
    return e->base.config->local_layers[l] ? e->local_table : e->global_table;
}

static ebm_attention attention_of(const ebm_modernbert *e, const ebm_batch *batch, const ebm_run *run, size_t l)
{
    const ebm_config *c = e->base.config;
    const size_t longest = (ebm_config_max_tokens(c) + 15) / 16 * 16;
    const ebm_attention attention = {
        .heads = e->H,
        .head_size = e->C / e->H,
        .window = c->local_layers[l] ? c->window : 0,
        .queries = ebm_encoder_narrows(&e->base, l) ? 1 : 0,
        .longest = longest > EBM_ATTENTION_TOKENS ? EBM_ATTENTION_TOKENS : longest,
        .dropout = ebm_encoder_dropout(batch, run, c->attention_dropout, ebm_encoder_layer_site(l, 0)),
    };
    return attention;
}

// The probability of the one on the attention's probabilities serves here too.
static ebm_dropout after_attention(const ebm_modernbert *e, const ebm_batch *batch, const ebm_run *run, size_t l)
{
    return ebm_encoder_dropout_behind(&e->base, l, batch, run, e->base.config->attention_dropout, 1);
}

static ebm_dropout in_mlp(const ebm_modernbert *e, const ebm_batch *batch, const ebm_run *run, size_t l)
{
    return ebm_encoder_dropout_behind(&e->base, l, batch, run, e->base.config->hidden_dropout, 2);
}

// stream = residual + dropout(stream + the bias of `linear`, which made it), y = norm(stream)
static ebm_status end_sublayer(ebm_modernbert *e, const ebm_linear *linear, const ebm_norm *norm, ebm_slice y,
                               ebm_slice mean, ebm_slice rstd, ebm_slice stream, ebm_slice residual,
                               const ebm_dropout *dropout, size_t T)
{
    return ebm_residual_layernorm_forward(e->base.device, y, stream, mean, rstd, stream,
                                          linear->bias ? linear->bias->weight : NONE, residual, norm->gain->weight,
                                          norm->shift ? norm->shift->weight : NONE, norm->epsilon, dropout, T, e->C);
}

static ebm_status embed(ebm_modernbert *e, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const size_t T = batch->tokens;
    const ebm_dropout dropout =
        ebm_encoder_dropout(batch, run, e->base.config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    EBM_TRY(ebm_embedding_forward(device, e->embedded, batch, e->word->weight, NONE, NONE, e->C));
    EBM_TRY(ebm_norm_forward(device, &e->norm, e->x0, e->mean0, e->rstd0, e->embedded, T));
    return dropout.probability != 0 ? ebm_dropout_apply(device, e->x0, e->x0, &dropout, T, e->C) : ebm_ok();
}

static ebm_status embed_backward(ebm_modernbert *e, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const size_t T = batch->tokens;
    const ebm_slice d = e->base.gradient;
    const ebm_dropout dropout =
        ebm_encoder_dropout(batch, run, e->base.config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(device, d, d, &dropout, T, e->C));
    EBM_TRY(ebm_norm_backward(device, &e->norm, d, d, e->embedded, e->mean0, e->rstd0, e->column_scratch, T));
    return ebm_embedding_backward(device, e->word->gradient, NONE, NONE, d, batch, e->C);
}

static ebm_status attend(ebm_modernbert *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_modernbert_weights *w = &e->weights[l];
    ebm_modernbert_activations *a = ebm_modernbert_kept(e, l);
    const size_t T = batch->tokens, n = ebm_encoder_rows_behind(&e->base, l, batch);
    ebm_slice residual = stream_into(e, l), context = a->context;
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_dropout dropout = after_attention(e, batch, run, l);
    EBM_TRY(ebm_linear_forward(device, &w->qkv, a->qkv, attention_input(e, l), T));
    EBM_TRY(ebm_rotary_forward(device, a->qkv, table_of(e, l), batch, e->H, e->C / e->H));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.qkv, a->qkv, T * 3 * e->C));
    EBM_TRY(ebm_attention_forward(device, a->context, a->lse, a->qkv, batch, &attention));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.context, a->context, T * e->C));
    EBM_TRY(ebm_encoder_go_on(&e->base, l, batch, &context, &residual));
    EBM_TRY(ebm_linear_product(device, &w->out, a->middle, context, n));
    EBM_TRY(end_sublayer(e, &w->out, &w->mlp_norm, a->norm2, a->mean2, a->rstd2, a->middle, residual, &dropout, n));
    return ebm_encoder_keep(&e->base, a->half.middle, a->middle, n * e->C);
}

static ebm_status feed_forward(ebm_modernbert *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_modernbert_weights *w = &e->weights[l];
    ebm_modernbert_activations *a = ebm_modernbert_kept(e, l);
    const size_t n = ebm_encoder_rows_behind(&e->base, l, batch);
    const ebm_dropout dropout = in_mlp(e, batch, run, l);
    EBM_TRY(ebm_linear_forward(device, &w->up, a->up, a->norm2, n));
    EBM_TRY(ebm_encoder_keep(&e->base, a->half.up, a->up, n * 2 * e->F));
    EBM_TRY(ebm_geglu_forward(device, e->gated, a->up, &dropout, n, e->F));
    EBM_TRY(ebm_linear_product(device, &w->down, a->end, e->gated, n));
    if (l + 1 == e->L) {
        EBM_TRY(end_sublayer(e, &w->down, &e->final_norm, e->output, e->mean, e->rstd, a->end, a->middle, NULL, n));
    } else {
        ebm_modernbert_activations *next = ebm_modernbert_kept(e, l + 1);
        EBM_TRY(end_sublayer(e, &w->down, &e->weights[l + 1].attention_norm, next->norm1, next->mean1, next->rstd1,
                             a->end, a->middle, NULL, n));
    }
    return ebm_encoder_keep(&e->base, a->half.end, a->end, n * e->C);
}

// Half storage: the stream at a norm from its halves, and from it the norm and its statistics, as of the rounded
// stream.
static ebm_status restore_norm(ebm_modernbert *e, const ebm_norm *norm, ebm_slice y, ebm_slice mean, ebm_slice rstd,
                               ebm_slice stream, ebm_slice half, size_t T)
{
    if (!e->base.half) return ebm_ok();
    EBM_TRY(ebm_encoder_restore(&e->base, stream, half, T * e->C));
    return ebm_norm_forward(e->base.device, norm, y, mean, rstd, stream, T);
}

// The first layer's input is made from the words again.
static ebm_status restore_input(ebm_modernbert *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    const ebm_modernbert_activations *a = ebm_modernbert_kept(e, l);
    if (l == 0) return e->base.half ? embed(e, batch, run) : ebm_ok();
    return restore_norm(e, &e->weights[l].attention_norm, a->norm1, a->mean1, a->rstd1, stream_into(e, l),
                        ebm_modernbert_kept(e, l - 1)->half.end, batch->tokens);
}

// base.gradient holds the gradient of the stream after the sublayer and leaves holding that of the stream before it.
static ebm_status feed_forward_backward(ebm_modernbert *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_modernbert_weights *w = &e->weights[l];
    ebm_modernbert_activations *a = ebm_modernbert_kept(e, l);
    const size_t n = ebm_encoder_rows_behind(&e->base, l, batch);
    const ebm_slice scratch = e->column_scratch;
    const ebm_dropout dropout = in_mlp(e, batch, run, l);
    EBM_TRY(ebm_linear_backward_input(device, &w->down, e->d_gated, 0, e->base.gradient, n));
    EBM_TRY(ebm_encoder_restore(&e->base, a->up, a->half.up, n * 2 * e->F));
    // The gated product is made again: to keep it for every layer costs more than it is worth.
    EBM_TRY(ebm_geglu_backward(device, e->d_up, e->gated, e->d_gated, a->up, &dropout, n, e->F));
    EBM_TRY(ebm_linear_backward_weights(device, &w->down, e->base.gradient, e->gated, scratch, n));
    EBM_TRY(restore_norm(e, &w->mlp_norm, a->norm2, a->mean2, a->rstd2, a->middle, a->half.middle, n));
    EBM_TRY(ebm_linear_backward(device, &w->up, e->d_branch, 0, e->d_up, a->norm2, scratch, n));
    EBM_TRY(ebm_norm_backward_weights(device, &w->mlp_norm, e->d_branch, a->middle, a->mean2, a->rstd2, scratch, n));
    return ebm_layernorm_backward(device, e->base.gradient, e->d_branch, a->middle, a->mean2, a->rstd2,
                                  w->mlp_norm.gain->weight, true, n, e->C);
}

static ebm_status attend_backward(ebm_modernbert *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_modernbert_weights *w = &e->weights[l];
    ebm_modernbert_activations *a = ebm_modernbert_kept(e, l);
    const size_t T = batch->tokens, n = ebm_encoder_rows_behind(&e->base, l, batch);
    const ebm_slice d_stream = e->base.gradient, scratch = e->column_scratch;
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_dropout dropout = after_attention(e, batch, run, l);
    const bool drops = dropout.probability != 0;
    const ebm_slice context = e->base.half ? a->middle : a->context; // where forward had it d_context is written now
    if (drops) EBM_TRY(ebm_dropout_apply(device, e->d_branch, d_stream, &dropout, n, e->C));
    EBM_TRY(ebm_encoder_restore(&e->base, context, a->half.context, T * e->C));
    EBM_TRY(ebm_encoder_come_back(&e->base, l, batch, &w->out, e->d_context, drops ? e->d_branch : d_stream, context,
                                  scratch));
    EBM_TRY(ebm_encoder_restore(&e->base, a->qkv, a->half.qkv, T * 3 * e->C));
    EBM_TRY(
        ebm_attention_backward(device, e->d_qkv, e->d_context, context, a->qkv, a->lse, e->d_rows, batch, &attention));
    EBM_TRY(ebm_rotary_backward(device, e->d_qkv, table_of(e, l), batch, e->H, e->C / e->H));
    EBM_TRY(restore_input(e, l, batch, run));
    if (l == 0) return ebm_linear_backward(device, &w->qkv, d_stream, 1, e->d_qkv, e->x0, scratch, T);
    const ebm_slice x = stream_into(e, l);
    EBM_TRY(ebm_linear_backward(device, &w->qkv, e->d_branch, 0, e->d_qkv, a->norm1, scratch, T));
    EBM_TRY(ebm_norm_backward_weights(device, &w->attention_norm, e->d_branch, x, a->mean1, a->rstd1, scratch, T));
    return ebm_layernorm_backward(device, d_stream, e->d_branch, x, a->mean1, a->rstd1, w->attention_norm.gain->weight,
                                  true, T, e->C);
}

static ebm_status forward(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run)
{
    ebm_modernbert *e = (ebm_modernbert *)encoder;
    EBM_TRY(embed(e, batch, run));
    for (size_t l = 0; l < e->L; l++) {
        EBM_TRY(attend(e, l, batch, run));
        EBM_TRY(feed_forward(e, l, batch, run));
    }
    return ebm_ok();
}

static ebm_status backward(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run)
{
    ebm_modernbert *e = (ebm_modernbert *)encoder;
    const size_t n = ebm_encoder_rows_behind(encoder, e->L - 1, batch);
    EBM_TRY(restore_norm(e, &e->final_norm, e->output, e->mean, e->rstd, stream_into(e, e->L),
                         ebm_modernbert_kept(e, e->L - 1)->half.end, n));
    EBM_TRY(ebm_norm_backward(encoder->device, &e->final_norm, encoder->gradient, encoder->gradient,
                              stream_into(e, e->L), e->mean, e->rstd, e->column_scratch, n));
    for (size_t l = e->L; l-- > 0;) {
        EBM_TRY(feed_forward_backward(e, l, batch, run));
        EBM_TRY(attend_backward(e, l, batch, run));
        EBM_TRY(ebm_encoder_tell(encoder, e->weights[l].first_tensor));
    }
    return embed_backward(e, batch, run);
}

const ebm_encoder_form ebm_encoder_modernbert = {
    .size = sizeof(ebm_modernbert),
    .create = ebm_modernbert_create,
    .fill = ebm_modernbert_fill,
    .release = ebm_modernbert_release,
    .forward = forward,
    .backward = backward,
};
