#include "tiny_decoder.h"

static void load_rows(tiny_decoder *t)
{
    int32_t *lengths = expected_integers(t->expected, "lengths");
    t->ids = expected_integers(t->expected, "ids");
    t->targets = expected_integers(t->expected, "targets");
    assert_int_equal(expected_count(t->expected, "lengths"), LM_ROWS);
    assert_int_equal(expected_count(t->expected, "ids"), LM_TOKENS);
    for (size_t i = 0; i < LM_ROWS; i++) {
        t->rows[i] = (ebm_sequence){t->ids + t->starts[i], NULL, (size_t)lengths[i]};
        t->starts[i + 1] = t->starts[i] + (size_t)lengths[i];
    }
    free(lengths);
}

static void load_weights(tiny_decoder *t)
{
    ebm_safetensors *file = NULL;
    char **ignored = NULL;
    assert_ok(ebm_safetensors_open_model(model_folder("gpt2"), &file));
    assert_ok(ebm_parameters_load(t->parameters, file, NULL, &ignored));
    if (ignored[0]) fail_msg("%s was ignored", ignored[0]);
    for (size_t i = 0; i < ebm_parameters_count(t->parameters); i++)
        if (!ebm_parameters_view(t->parameters, i)->loaded)
            fail_msg("%s was not loaded", ebm_parameters_view(t->parameters, i)->name);
    free(ignored);
    ebm_safetensors_free(file);
}

void tiny_decoder_open(tiny_decoder *t, bool training, float dropout)
{
    const ebm_decoder_settings settings = {{LM_TOKENS, LM_ROWS, training}, LM_ROWS, LM_CAPACITY, false};
    const ebm_adamw adamw = {0.9, 0.999, 1e-8, 0.1, 1.0};
    *t = (tiny_decoder){.expected = expected_open("gpt2")};
    load_rows(t);
    assert_ok(ebm_config_load(model_folder("gpt2"), &t->config));
    t->config->hidden_dropout = t->config->attention_dropout = t->config->embedding_dropout = dropout;
    t->parameters = ebm_parameters_create(device, training);
    t->arena = ebm_arena_create(device, "test");
    assert_true(t->parameters && t->arena);
    assert_ok(ebm_decoder_create(device, t->config, t->parameters, &settings, &t->decoder));
    assert_ok(ebm_packing_create(device, t->config, &settings.limits, t->arena, &t->packing));
    if (training) assert_ok(ebm_optimizer_create(device, t->parameters, &adamw, t->arena, &t->optimizer));
    ebm_arena_reserve(t->arena, &t->slot_of, LM_ROWS);
    ebm_arena_reserve(t->arena, &t->step_ids, LM_ROWS);
    ebm_arena_reserve(t->arena, &t->step_positions, LM_ROWS);
    ebm_arena_reserve(t->arena, &t->logits, LM_ROWS * t->config->vocabulary);
    assert_ok(ebm_parameters_allocate(t->parameters));
    assert_ok(ebm_decoder_allocate(t->decoder));
    assert_ok(ebm_arena_allocate(t->arena));
    load_weights(t);
}

void tiny_decoder_free(tiny_decoder *t)
{
    ebm_optimizer_free(t->optimizer);
    ebm_packing_free(t->packing);
    ebm_decoder_free(t->decoder);
    ebm_parameters_free(t->parameters);
    ebm_arena_free(t->arena);
    ebm_config_free(t->config);
    ebm_safetensors_free(t->expected);
    free(t->ids);
    free(t->targets);
}

ebm_batch tiny_decoder_pack(tiny_decoder *t, size_t first, size_t count, uint64_t first_token)
{
    ebm_batch batch;
    ebm_packing_clear(t->packing, first_token, first);
    for (size_t i = first; i < first + count; i++) {
        bool fits = false;
        assert_ok(ebm_packing_add(t->packing, t->rows[i], &fits));
        assert_true(fits);
    }
    assert_ok(ebm_packing_send(t->packing, &batch));
    return batch;
}

double tiny_decoder_gradients(tiny_decoder *t, const ebm_run *run)
{
    size_t total = 0, count;
    double sum;
    for (size_t i = 0; i < LM_TOKENS; i++) total += t->targets[i] >= 0;
    const ebm_batch batch = tiny_decoder_pack(t, 0, LM_ROWS, 0);
    assert_ok(ebm_decoder_forward(t->decoder, &batch, run));
    assert_ok(ebm_decoder_loss(t->decoder, &batch, t->targets, total, true, &sum, &count));
    assert_ok(ebm_decoder_backward(t->decoder, &batch, run));
    assert_int_equal(count, total);
    return sum / (double)total;
}
