#include <stdio.h>
#include <stdlib.h>

#include "encoder_form.h"
#include "gemm.h"
#include "half.h"
#include "products.h"
#include "random.h"

ebm_status ebm_encoder_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                              const ebm_limits *limits, bool half, ebm_encoder **out)
{
    *out = NULL;
    const ebm_family_traits *family = ebm_family_traits_of(config->family);
    char names[200];
    if (!family->encoder)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "an encoder of family %s is needed, found \"%s\"",
                        ebm_family_list(true, names, sizeof names), family->type);
    ebm_encoder *e = calloc(1, family->encoder->size);
    if (!e) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an encoder");
    e->form = family->encoder;
    e->device = device;
    e->config = config;
    e->family = family;
    e->limits = *limits;
    e->half = half && limits->training;
    e->half_scale = 1;
    e->arena = ebm_arena_create(device, limits->training ? "encoder activations and gradients" : "encoder activations");
    if (e->arena)
        for (int i = 0; i < 2; i++) ebm_arena_reserve(e->arena, &e->first[i], limits->sequences * config->hidden);
    ebm_status status =
        e->arena ? e->form->create(e, parameters) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for an encoder");
    if (status.code == EBM_OK)
        status = ebm_model_reserve(device, config, limits->tokens, limits->sequences, limits->training);
    if (status.code == EBM_OK)
        *out = e;
    else
        ebm_encoder_free(e);
    return status;
}

void ebm_encoder_free(ebm_encoder *e)
{
    if (!e) return;
    e->form->release(e);
    ebm_arena_free(e->arena);
    free(e);
}

ebm_arena *ebm_encoder_arena(ebm_encoder *e) { return e->arena; }

ebm_status ebm_encoder_allocate(ebm_encoder *e)
{
    if (e->limits.training) EBM_TRY(ebm_gemm_prepare(e->device));
    EBM_TRY(ebm_arena_allocate(e->arena));
    return e->form->fill ? e->form->fill(e) : ebm_ok();
}

void ebm_encoder_set_half_scale(ebm_encoder *e, float scale) { e->half_scale = scale; }

ebm_slice ebm_encoder_output(const ebm_encoder *e) { return *e->output; }
ebm_slice ebm_encoder_gradient(const ebm_encoder *e) { return e->gradient; }

void ebm_encoder_watch(ebm_encoder *e, ebm_backward_listener *listener, void *context)
{
    e->listener = listener;
    e->listener_context = context;
}

ebm_status ebm_encoder_tell(const ebm_encoder *e, size_t first)
{
    return e->listener ? e->listener(e->listener_context, first) : ebm_ok();
}

static ebm_status check_batch(const ebm_encoder *e, const ebm_batch *batch)
{
    if (batch->tokens > e->limits.tokens || batch->sequences > e->limits.sequences)
        return ebm_fail(EBM_ERROR_INPUT, "a batch of %zu tokens in %zu sequences, planned for %zu in %zu",
                        batch->tokens, batch->sequences, e->limits.tokens, e->limits.sequences);
    if (batch->longest > ebm_config_max_tokens(e->config))
        return ebm_fail(EBM_ERROR_INPUT, "a sequence of %zu tokens, the model has positions for %zu", batch->longest,
                        ebm_config_max_tokens(e->config));
    return ebm_ok();
}

static ebm_status forward(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run, bool first_only)
{
    EBM_TRY(check_batch(e, batch));
    e->first_only = first_only;
    e->keeps = e->half && run->training;
    e->kept_scale = e->half_scale;
    return e->form->forward(e, batch, run);
}

ebm_status ebm_encoder_forward(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    return forward(e, batch, run, false);
}

ebm_status ebm_encoder_forward_first(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    return forward(e, batch, run, true);
}

ebm_status ebm_encoder_backward(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    if (!e->limits.training)
        return ebm_fail(EBM_ERROR_INPUT, "backward of an encoder that was not planned for training");
    if (e->half && !e->keeps)
        return ebm_fail(EBM_ERROR_INPUT, "backward of a forward pass that kept nothing: it did not train");
    return e->form->backward(e, batch, run);
}

ebm_status ebm_encoder_keep(ebm_encoder *e, ebm_slice halves, ebm_slice x, size_t count)
{
    return e->keeps ? ebm_half_pack(e->device, halves, x, count, e->kept_scale) : ebm_ok();
}

ebm_status ebm_encoder_restore(ebm_encoder *e, ebm_slice x, ebm_slice halves, size_t count)
{
    return e->half ? ebm_half_unpack(e->device, x, halves, count, e->kept_scale) : ebm_ok();
}

ebm_dropout ebm_encoder_dropout(const ebm_batch *batch, const ebm_run *run, float probability, uint32_t site)
{
    const ebm_dropout dropout = {run->training ? probability : 0.0f, run->seed, run->step, site, batch->first_token};
    return dropout;
}

uint32_t ebm_encoder_layer_site(size_t layer, uint32_t place)
{
    return EBM_SITE_DROPOUT_LAYERS + 8 * (uint32_t)layer + place;
}

bool ebm_encoder_narrows(const ebm_encoder *e, size_t layer) { return e->first_only && layer + 1 == e->config->layers; }

size_t ebm_encoder_rows_behind(const ebm_encoder *e, size_t layer, const ebm_batch *batch)
{
    return ebm_encoder_narrows(e, layer) ? batch->sequences : batch->tokens;
}

ebm_dropout ebm_encoder_dropout_behind(const ebm_encoder *e, size_t layer, const ebm_batch *batch, const ebm_run *run,
                                       float probability, uint32_t place)
{
    ebm_dropout dropout = ebm_encoder_dropout(batch, run, probability, ebm_encoder_layer_site(layer, place));
    if (ebm_encoder_narrows(e, layer)) dropout.first_row = batch->first_sequence;
    return dropout;
}

ebm_status ebm_encoder_go_on(ebm_encoder *e, size_t layer, const ebm_batch *batch, ebm_slice *context,
                             ebm_slice *residual)
{
    if (!ebm_encoder_narrows(e, layer)) return ebm_ok();
    ebm_slice *const all[2] = {context, residual};
    for (int i = 0; i < 2; i++) {
        EBM_TRY(ebm_first_tokens_forward(e->device, e->first[i], *all[i], batch, e->config->hidden));
        *all[i] = e->first[i];
    }
    return ebm_ok();
}

ebm_status ebm_encoder_come_back(ebm_encoder *e, size_t layer, const ebm_batch *batch, const ebm_linear *out,
                                 ebm_slice d_context, ebm_slice d_out, ebm_slice context, ebm_slice scratch)
{
    const size_t C = e->config->hidden, n = batch->sequences;
    if (!ebm_encoder_narrows(e, layer))
        return ebm_linear_backward(e->device, out, d_context, 0, d_out, context, scratch, batch->tokens);
    EBM_TRY(ebm_first_tokens_forward(e->device, e->first[0], context, batch, C));
    EBM_TRY(ebm_linear_backward(e->device, out, e->first[1], 0, d_out, e->first[0], scratch, n));
    EBM_TRY(ebm_first_tokens_backward(e->device, d_context, e->first[1], batch, C));
    EBM_TRY(ebm_slice_copy(e->device, e->first[0], 0, e->gradient, 0, n * C));
    return ebm_first_tokens_backward(e->device, e->gradient, e->first[0], batch, C);
}

void ebm_encoder_embedding_name(const ebm_encoder *e, const char *name, ebm_encoder_name full)
{
    snprintf(full, sizeof(ebm_encoder_name), "%s%s", e->family->names.prefix, name);
}

void ebm_encoder_layer_name(const ebm_encoder *e, size_t layer, const char *name, ebm_encoder_name full)
{
    const ebm_family_names *names = &e->family->names;
    snprintf(full, sizeof(ebm_encoder_name), "%s%s.%zu.%s", names->prefix, names->layer, layer, name);
}
