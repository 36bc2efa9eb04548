// A real pretrained encoder, all-MiniLM-L6-v2, against what transformers computed with it. Wants the directory that
// bench/fetch_minilm.sh makes in $EBMCL_TEST_MINILM, and is skipped without.
#include "check.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "encoder.h"
#include "head.h"
#include "operations.h"
#include "packing.h"
#include "random.h"
#include "tokenizer.h"

enum { SHOWN = 8, MOST_TOKENS = 1024, MOST_TEXTS = 8 };

typedef struct {
    ebm_device *device;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_parameters *parameters;
    ebm_encoder *encoder;
    ebm_head *head;
    ebm_arena *arena;
    ebm_packing *packing;
    ebm_slice first;
} minilm;

static void open_model(minilm *m, const char *directory)
{
    static const char *const prefixes[] = {"bert.", NULL};
    const ebm_limits limits = {MOST_TOKENS, MOST_TEXTS, false};
    const ebm_head_settings head = {.channels = 384,
                                    .outputs = 2,
                                    .form = {.dense = "bert.pooler.dense", .linear = "classifier"},
                                    .site = EBM_SITE_DROPOUT_HEAD};
    ebm_safetensors *file = NULL;
    assert_ok(ebm_device_open(NULL, &m->device));
    assert_ok(ebm_config_load(directory, &m->config));
    assert_ok(ebm_tokenizer_load(directory, &m->tokenizer));
    m->parameters = ebm_parameters_create(m->device, false);
    assert_ok(ebm_encoder_create(m->device, m->config, m->parameters, &limits, false, &m->encoder));
    m->arena = ebm_arena_create(m->device, "test");
    assert_ok(ebm_head_create(m->device, &head, m->parameters, m->arena, &limits, &m->head));
    assert_ok(ebm_packing_create(m->device, m->config, &limits, m->arena, &m->packing));
    ebm_arena_reserve(m->arena, &m->first, MOST_TEXTS * 384);
    assert_ok(ebm_parameters_allocate(m->parameters));
    assert_ok(ebm_encoder_allocate(m->encoder));
    assert_ok(ebm_arena_allocate(m->arena));
    assert_ok(ebm_parameters_init(m->parameters, 1));
    // The pooler's output is read through the linear layer after it: its first rows pick two components at a time.
    assert_ok(ebm_safetensors_open_model(directory, &file));
    assert_ok(ebm_parameters_load(m->parameters, file, prefixes, NULL));
    ebm_safetensors_free(file);
}

static void close_model(minilm *m)
{
    ebm_packing_free(m->packing);
    ebm_head_free(m->head);
    ebm_encoder_free(m->encoder);
    ebm_arena_free(m->arena);
    ebm_parameters_free(m->parameters);
    ebm_tokenizer_free(m->tokenizer);
    ebm_config_free(m->config);
    ebm_device_free(m->device);
}

static void same_numbers(const json_t *expected, const float *found, const char *what)
{
    // Six layers of float sums 1536 deep: 6 * sqrt(1536) * 6e-8 = 1.4e-5 of a typical size of 1; fifty-fold margin
    // would hide real errors, three-fold does not.
    for (size_t i = 0; i < json_array_size(expected) && i < SHOWN; i++) {
        const double wanted = json_number_value(json_array_get(expected, i));
        if (fabs(wanted - (double)found[i]) > 5e-5)
            fail_msg("%s, component %zu: expected %.7f, found %.7f", what, i, wanted, (double)found[i]);
    }
}

// Two components of the pooled vectors at a time: classifier.weight = rows `pair` and `pair + 1` of the identity.
static void pooled_components(minilm *m, const ebm_batch *batch, size_t pair, float *out)
{
    const ebm_run run = {0};
    float *identity = calloc(2 * 384, sizeof *identity);
    identity[pair] = identity[384 + pair + 1] = 1;
    const ebm_parameter *linear = ebm_parameters_find(m->parameters, "classifier.weight");
    assert_ok(ebm_slice_write(m->device, linear->tensor->weight, 0, 2 * 384, identity));
    assert_ok(ebm_head_forward(m->head, m->first, batch, &run));
    assert_ok(ebm_slice_read(m->device, ebm_head_output(m->head), 0, 2 * batch->sequences, out));
    free(identity);
}

static void check_batch(minilm *m, const json_t *cases, const ebm_batch *batch)
{
    const ebm_run run = {0};
    float pooled[MOST_TEXTS][SHOWN];
    assert_ok(ebm_encoder_forward(m->encoder, batch, &run));
    assert_ok(ebm_first_tokens_forward(m->device, m->first, ebm_encoder_output(m->encoder), batch, 384));
    for (size_t pair = 0; pair < SHOWN; pair += 2) {
        float both[2 * MOST_TEXTS];
        pooled_components(m, batch, pair, both);
        for (size_t i = 0; i < batch->sequences; i++) memcpy(&pooled[i][pair], both + 2 * i, 2 * sizeof *both);
    }
    for (size_t i = 0; i < batch->sequences; i++) {
        float hidden[SHOWN];
        assert_ok(ebm_slice_read(m->device, m->first, i * 384, SHOWN, hidden));
        same_numbers(json_object_get(json_array_get(cases, i), "hidden"), hidden, "hidden");
        same_numbers(json_object_get(json_array_get(cases, i), "pooled"), pooled[i], "pooled");
    }
}

static void texts_give_what_transformers_gives(void **state)
{
    const char *directory = getenv("EBMCL_TEST_MINILM");
    if (!directory || !*directory) {
        print_message("skipped: $EBMCL_TEST_MINILM is not set (bench/fetch_minilm.sh fetches the model)\n");
        skip();
    }
    minilm m = {0};
    open_model(&m, directory);
    json_t *cases = json_load_file(FIXTURES "/minilm.json", 0, NULL);
    assert_non_null(cases);
    assert_in_range(json_array_size(cases), 1, MOST_TEXTS);
    ebm_encoding encodings[MOST_TEXTS] = {0};
    ebm_packing_clear(m.packing, 0, 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *ids = json_object_get(one, "ids");
        const char *first = json_string_value(json_object_get(one, "first"));
        const char *second = json_string_value(json_object_get(one, "second"));
        bool fits = false;
        assert_ok(ebm_tokenizer_encode(m.tokenizer, first, strlen(first), second, second ? strlen(second) : 0, 128,
                                       &encodings[i]));
        assert_int_equal(encodings[i].tokens, json_array_size(ids));
        for (size_t t = 0; t < encodings[i].tokens; t++)
            assert_int_equal(encodings[i].ids[t], json_integer_value(json_array_get(ids, t)));
        assert_ok(ebm_packing_add(m.packing, (ebm_sequence){encodings[i].ids, encodings[i].types, encodings[i].tokens},
                                  &fits));
        assert_true(fits);
    }
    ebm_batch batch;
    assert_ok(ebm_packing_send(m.packing, &batch));
    check_batch(&m, cases, &batch);
    for (size_t i = 0; i < MOST_TEXTS; i++) ebm_encoding_free(&encodings[i]);
    json_decref(cases);
    close_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_give_what_transformers_gives)};
    return cmocka_run_group_tests_name("minilm", tests, NULL, NULL);
}
