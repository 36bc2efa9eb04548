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
        .dropout = ebm_encoder_dropout(batch, run, probability, ebm_encoder_layer_site(layer, 0)),
    };
    return attention;
}

static ebm_dropout after_attention(const ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    const float probability = e->base.family->no_dropout_after_attention ? 0.0f : e->base.config->hidden_dropout;
    return ebm_encoder_dropout(batch, run, probability, ebm_encoder_layer_site(layer, 1));
}

static ebm_dropout after_inner(const ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    return ebm_encoder_dropout(batch, run, e->base.config->hidden_dropout, ebm_encoder_layer_site(layer, 2));
}

static ebm_status embed(ebm_post_norm *e, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const size_t T = batch->tokens;
    const ebm_dropout dropout =
        ebm_encoder_dropout(batch, run, e->base.config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    EBM_TRY(ebm_embedding_forward(device, e->embedded, batch, e->word->weight, e->position->weight,
                                  e->type ? e->type->weight : NONE, e->E));
    EBM_TRY(ebm_norm_forward(device, &e->norm, e->normed, e->mean0, e->rstd0, e->embedded, T));
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(device, e->normed, e->normed, &dropout, T, e->E));
    return projects(e) ? ebm_linear_forward(device, &e->project, e->projected, e->normed, T) : ebm_ok();
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

static ebm_status layer_forward(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_post_norm_weights *w = &e->weights[l];
    ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    const size_t T = batch->tokens, C = e->C;
    const ebm_slice x = layer_input(e, l);
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_dropout first = after_attention(e, batch, run, l), second = after_inner(e, batch, run, l);

    EBM_TRY(ebm_linear_forward(device, &w->qkv, a->qkv, x, T));
    EBM_TRY(ebm_attention_forward(device, a->context, a->lse, a->qkv, batch, &attention));
    EBM_TRY(ebm_linear_product(device, &w->out, a->sum1, a->context, T));
    EBM_TRY(ebm_residual_layernorm_forward(device, a->y1, a->sum1, a->mean1, a->rstd1, a->sum1, w->out.bias->weight, x,
                                           w->norm1.gain->weight, w->norm1.shift->weight, w->norm1.epsilon, &first, T,
                                           C));
    EBM_TRY(ebm_linear_forward(device, &w->up, a->up, a->y1, T));
    EBM_TRY(ebm_gelu_forward(device, e->gelu, a->up, EBM_GELU_ERF, T, e->F));
    EBM_TRY(ebm_linear_product(device, &w->down, a->sum2, e->gelu, T));
    return ebm_residual_layernorm_forward(device, a->y2, a->sum2, a->mean2, a->rstd2, a->sum2, w->down.bias->weight,
                                          a->y1, w->norm2.gain->weight, w->norm2.shift->weight, w->norm2.epsilon,
                                          &second, T, C);
}

// base.gradient holds the gradient of the layer's output and leaves holding that of its input.
static ebm_status layer_backward(ebm_post_norm *e, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    ebm_device *device = e->base.device;
    const ebm_post_norm_weights *w = &e->weights[l];
    ebm_post_norm_activations *a = ebm_post_norm_kept(e, l);
    const size_t T = batch->tokens, C = e->C;
    const ebm_slice d_stream = e->base.gradient, scratch = e->column_scratch;
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_dropout first = after_attention(e, batch, run, l), second = after_inner(e, batch, run, l);

    EBM_TRY(ebm_norm_backward_weights(device, &w->norm2, d_stream, a->sum2, a->mean2, a->rstd2, scratch, T));
    EBM_TRY(ebm_residual_layernorm_backward(device, d_stream, e->d_branch, d_stream, a->sum2, a->mean2, a->rstd2,
                                            w->norm2.gain->weight, &second, T, C));
    // Made again: to keep it for every layer costs more than it is worth.
    EBM_TRY(ebm_gelu_forward(device, e->gelu, a->up, EBM_GELU_ERF, T, e->F));
    EBM_TRY(ebm_linear_backward(device, &w->down, e->d_inner, 0, e->d_branch, e->gelu, scratch, T));
    EBM_TRY(ebm_gelu_backward(device, e->d_inner, e->d_inner, a->up, EBM_GELU_ERF, T, e->F));
    EBM_TRY(ebm_linear_backward(device, &w->up, d_stream, 1, e->d_inner, a->y1, scratch, T));

    EBM_TRY(ebm_norm_backward_weights(device, &w->norm1, d_stream, a->sum1, a->mean1, a->rstd1, scratch, T));
    EBM_TRY(ebm_residual_layernorm_backward(device, d_stream, e->d_branch, d_stream, a->sum1, a->mean1, a->rstd1,
                                            w->norm1.gain->weight, &first, T, C));
    EBM_TRY(ebm_linear_backward(device, &w->out, e->d_context, 0, e->d_branch, a->context, scratch, T));
    EBM_TRY(ebm_attention_backward(device, e->d_qkv, e->d_context, a->context, a->qkv, a->lse, e->d_rows, batch,
                                   &attention));
    return ebm_linear_backward(device, &w->qkv, d_stream, 1, e->d_qkv, layer_input(e, l), scratch, T);
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
