// One token a slot: generation's steps of the decoder, with a key/value cache.
#include "decoder_internal.h"
#include "gemm.h"
#include "operations.h"

static ebm_status take(ebm_decoder *d, const ebm_tensor *weight, ebm_packed *packed)
{
    return ebm_packed_take(d->device, ebm_matrix_of(weight->weight, packed->n), packed);
}

ebm_status ebm_decoder_pack(ebm_decoder *d)
{
    const uint64_t version = ebm_parameters_version(d->parameters) + 1;
    if (ebm_arena_bytes(d->packed_arena) == 0 || d->packed_version == version) return ebm_ok();
    d->packed_version = 0;
    for (size_t l = 0; l < d->L; l++) {
        ebm_decoder_weights *w = &d->weights[l];
        EBM_TRY(take(d, w->qkv, &w->packed_qkv));
        EBM_TRY(take(d, w->out, &w->packed_out));
        EBM_TRY(take(d, w->up, &w->packed_up));
        EBM_TRY(take(d, w->down, &w->packed_down));
    }
    d->packed_version = version;
    return ebm_ok();
}

ebm_status ebm_decoder_prefill(ebm_decoder *d, const ebm_batch *prompts, ebm_slice slot_of)
{
    const ebm_run run = {0};
    const ebm_slice none = {0};
    EBM_TRY(ebm_decoder_pack(d));
    const ebm_decoder_norm norm = ebm_decoder_norm_before(d, 0, false);
    EBM_TRY(ebm_embedding_forward(d->device, d->x0, prompts, d->word->weight, d->position->weight, none, d->C));
    EBM_TRY(ebm_decoder_norm_embedded(d, &norm, d->x0, prompts->tokens));
    for (size_t l = 0; l < d->L; l++) {
        const ebm_attention attention = ebm_decoder_attention(d, prompts, &run, l);
        // Of the last layer nothing but keys and values is read again.
        if (l + 1 < d->L)
            EBM_TRY(ebm_decoder_layer(d, l, prompts, &run));
        else
            EBM_TRY(ebm_decoder_before_attention(d, &d->weights[l], ebm_decoder_kept(d, l), prompts->tokens));
        EBM_TRY(ebm_attention_fill_cache(d->device, d->cache[l], ebm_decoder_kept(d, l)->qkv, slot_of, prompts,
                                         d->set.capacity, &attention));
    }
    return ebm_ok();
}

ebm_status ebm_decoder_step(ebm_decoder *d, ebm_slice ids, ebm_slice positions)
{
    const ebm_run run = {0};
    const ebm_slice none = {0};
    const size_t S = d->set.slots;
    const ebm_batch batch = {.sequences = S, .tokens = S, .longest = 1, .ids = ids, .positions = positions};
    const ebm_dropout off = {0};
    ebm_decoder_activations *a = &d->step;
    EBM_TRY(ebm_decoder_pack(d));
    const ebm_decoder_norm norm = ebm_decoder_norm_before(d, 0, true);
    EBM_TRY(ebm_embedding_forward(d->device, d->step_x0, &batch, d->word->weight, d->position->weight, none, d->C));
    EBM_TRY(ebm_decoder_norm_embedded(d, &norm, d->step_x0, S));
    for (size_t l = 0; l < d->L; l++) {
        const ebm_attention attention = ebm_decoder_attention(d, &batch, &run, l);
        const ebm_slice x = l == 0 ? d->step_x0 : a->end;
        const ebm_decoder_norm next = ebm_decoder_norm_before(d, l + 1, true);
        EBM_TRY(ebm_decoder_before_attention(d, &d->weights[l], a, S));
        EBM_TRY(ebm_attention_cached(d->device, a->context, d->cache[l], a->qkv, positions, S, d->set.capacity,
                                     &attention));
        EBM_TRY(ebm_decoder_after_attention(d, &d->weights[l], a, x, &next, &off, &off, S));
    }
    return ebm_ok();
}

ebm_status ebm_decoder_step_logits(ebm_decoder *d, ebm_slice logits)
{
    const ebm_slice none = {0};
    return ebm_gemm(d->device, EBM_GEMM_NT, d->set.slots, d->V, d->C, ebm_matrix_of(d->step_output, d->C),
                    ebm_matrix_of(d->word->weight, d->C), 0, ebm_matrix_of(logits, d->V), none);
}

ebm_slice ebm_decoder_step_hidden(const ebm_decoder *d) { return d->step_output; }
ebm_slice ebm_decoder_output_embedding(const ebm_decoder *d) { return d->word->weight; }
