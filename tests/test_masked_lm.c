// Masked language models against BertForMaskedLM, RobertaForMaskedLM and DistilBertForMaskedLM of transformers.
#include "masked_lm.h"

#include <jansson.h>

#include "expected.h"
#include "folder.h"
#include "packing.h"

enum { ROWS = 3, MAX = 64 }; // fewer positions at a time than there are

typedef struct {
    ebm_masked_lm *lm;
    ebm_arena *arena;
    ebm_packing *packing;
    ebm_slice places;
} opened;

static ebm_status open_lm(opened *o, const char *directory)
{
    const ebm_limits limits = {MAX, 8, false};
    ebm_arena *arenas[EBM_MASKED_LM_ARENAS + 1];
    *o = (opened){0};
    EBM_TRY(ebm_masked_lm_open(device, directory, &limits, ROWS, &o->lm));
    o->arena = ebm_arena_create(device, "batch");
    EBM_TRY(ebm_packing_create(device, ebm_masked_lm_config(o->lm), &limits, o->arena, &o->packing));
    ebm_arena_reserve(o->arena, &o->places, MAX);
    size_t count = ebm_masked_lm_arenas(o->lm, arenas);
    arenas[count++] = o->arena;
    EBM_TRY(ebm_arena_plan(device, arenas, count, ""));
    EBM_TRY(ebm_arena_allocate(o->arena));
    return ebm_masked_lm_allocate(o->lm);
}

static void close_lm(opened *o)
{
    ebm_masked_lm_free(o->lm);
    ebm_packing_free(o->packing);
    ebm_arena_free(o->arena);
}

// All sequences in one batch, ROWS masked positions at a time.
static float *logits_of(opened *o, const ebm_safetensors *expected, size_t *places)
{
    int32_t *ids = expected_integers(expected, "ids"), *types = expected_integers(expected, "types"),
            *lengths = expected_integers(expected, "lengths"), *place = expected_integers(expected, "places");
    const size_t sequences = expected_count(expected, "lengths"), V = ebm_masked_lm_vocabulary(o->lm);
    ebm_batch batch;
    bool fits = false;
    *places = expected_count(expected, "places");
    float *all = calloc(*places * V, sizeof *all);
    ebm_packing_clear(o->packing, 0, 0);
    for (size_t i = 0, at = 0; i < sequences; at += (size_t)lengths[i++]) {
        assert_ok(ebm_packing_add(o->packing, (ebm_sequence){ids + at, types + at, (size_t)lengths[i]}, &fits));
        assert_true(fits);
    }
    assert_ok(ebm_packing_send(o->packing, &batch));
    assert_ok(ebm_masked_lm_forward(o->lm, &batch));
    for (size_t first = 0; first < *places; first += ROWS) {
        const size_t count = *places - first < ROWS ? *places - first : ROWS;
        assert_ok(ebm_slice_write(device, o->places, 0, count, place + first));
        assert_ok(ebm_masked_lm_predict(o->lm, o->places, count));
        assert_ok(ebm_slice_read(device, ebm_masked_lm_logits(o->lm), 0, count * V, all + first * V));
    }
    free(ids);
    free(types);
    free(lengths);
    free(place);
    return all;
}

static void check_logits(const char *directory, const ebm_safetensors *expected)
{
    opened o;
    size_t places = 0;
    assert_ok(open_lm(&o, directory));
    const size_t V = ebm_masked_lm_vocabulary(o.lm), table = ebm_masked_lm_config(o.lm)->vocabulary;
    assert_int_equal(V, 24); // tokens; the table has 40 rows
    assert_int_equal(table, 40);
    float *found = logits_of(&o, expected, &places), *logits = expected_floats(expected, "logits");
    for (size_t i = 0; i < places; i++) assert_near("logits", found + i * V, logits + i * table, V, 1e-5);
    free(found);
    free(logits);
    close_lm(&o);
}

static void test_against_transformers(void **state)
{
    (void)state;
    static const char *const families[] = {"mlm-bert", "mlm-roberta", "mlm-distilbert"};
    for (size_t i = 0; i < 3; i++) {
        ebm_safetensors *expected = expected_open(families[i]);
        check_logits(model_folder(families[i]), expected);
        ebm_safetensors_free(expected);
    }
}

// The model's tensors but `left_out`, and `renamed` under another name.
static void copy_tensors(const char *from, const char *to, const char *left_out, const char *renamed, const char *name)
{
    char *path = in_folder(to, "model.safetensors");
    ebm_safetensors *file = NULL;
    ebm_safetensors_writer *writer = NULL;
    assert_ok(ebm_safetensors_open_model(from, &file));
    assert_ok(ebm_safetensors_writer_open(path, &writer));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ebm_safetensors_count(file); i++) {
            const ebm_safetensors_tensor *t = ebm_safetensors_view(file, i);
            if (left_out && strcmp(t->name, left_out) == 0) continue;
            const char *as = renamed && strcmp(t->name, renamed) == 0 ? name : t->name;
            float *values = calloc(t->count, sizeof *values);
            assert_ok(ebm_safetensors_floats(file, i, values));
            if (pass == 0)
                assert_ok(ebm_safetensors_writer_declare(writer, as, EBM_DTYPE_F32, t->rank, t->shape));
            else
                assert_ok(ebm_safetensors_writer_append(writer, values, t->count));
            free(values);
        }
    }
    assert_ok(ebm_safetensors_writer_finish(writer));
    ebm_safetensors_writer_free(writer);
    ebm_safetensors_free(file);
    free(path);
}

// Files written before transformers 4.5x may hold the bias as the decoder layer's.
static void test_the_bias_has_two_names(void **state)
{
    static const char *const names[][3] = {{"mlm-bert", "cls.predictions.bias", "cls.predictions.decoder.bias"},
                                           {"mlm-roberta", "lm_head.bias", "lm_head.decoder.bias"}};
    for (size_t i = 0; i < 2; i++) {
        char *from = strdup(model_folder(names[i][0]));
        ebm_safetensors *expected = expected_open(names[i][0]);
        copy_file(from, *state, "config.json");
        copy_file(from, *state, "vocab.txt");
        copy_tensors(from, *state, NULL, names[i][1], names[i][2]);
        check_logits(*state, expected);
        ebm_safetensors_free(expected);
        free(from);
    }
}

static void expect_refusal(const char *directory, ebm_code code, const char *part)
{
    opened o;
    assert_fails(open_lm(&o, directory), code, part);
    close_lm(&o);
}

static void put_text(const char *folder, const char *name, const char *text)
{
    char *path = in_folder(folder, name);
    put_file(path, text, strlen(text));
    free(path);
}

static void test_what_is_refused(void **state)
{
    char *bert = strdup(model_folder("mlm-bert"));
    opened o;
    ebm_masked_lm *lm = NULL;
    copy_file(bert, *state, "vocab.txt");
    copy_file(bert, *state, "config.json");
    copy_tensors(bert, *state, "cls.predictions.transform.dense.weight", NULL, NULL);
    expect_refusal(*state, EBM_ERROR_INPUT,
                   "no masked-language-model head, tensor cls.predictions.transform.dense.weight is missing");
    copy_tensors(bert, *state, "cls.predictions.bias", NULL, NULL);
    expect_refusal(*state, EBM_ERROR_INPUT, "tensor cls.predictions.bias is missing");
    copy_tensors(bert, *state, "bert.embeddings.position_embeddings.weight", NULL, NULL);
    expect_refusal(*state, EBM_ERROR_INPUT, "tensor bert.embeddings.position_embeddings.weight is missing");
    // Another decoder; another family; no mask token; no directory.
    copy_tensors(bert, *state, NULL, NULL, NULL);
    json_t *config = NULL;
    char *path = in_folder(*state, "config.json");
    config = json_load_file(path, 0, NULL);
    json_object_set_new(config, "tie_word_embeddings", json_false());
    assert_int_equal(json_dump_file(config, path, 0), 0);
    expect_refusal(*state, EBM_ERROR_UNSUPPORTED, "a decoder of its own is not supported");
    json_decref(config);
    free(path);
    char *electra = strdup(model_folder("electra"));
    copy_file(electra, *state, "config.json");
    expect_refusal(*state, EBM_ERROR_UNSUPPORTED, "model type electra: only bert, roberta");
    copy_file(bert, *state, "config.json");
    put_text(*state, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n");
    put_text(*state, "tokenizer_config.json", "{\"mask_token\": null}");
    expect_refusal(*state, EBM_ERROR_INPUT, "no mask token");
    const ebm_limits limits = {MAX, 8, false};
    assert_fails(ebm_masked_lm_open(device, "nowhere", &limits, ROWS, &lm), EBM_ERROR_INPUT, "nowhere");
    assert_fails(ebm_masked_lm_open(device, bert, &limits, 0, &lm), EBM_ERROR_INPUT, "head of 0 rows");
    assert_null(lm);
    assert_ok(open_lm(&o, bert));
    assert_fails(ebm_masked_lm_predict(o.lm, o.places, ROWS + 1), EBM_ERROR_INPUT, "planned are 3 at a time");
    close_lm(&o);
    free(electra);
    free(bert);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_transformers),
        in_own_folder(test_the_bias_has_two_names),
        in_own_folder(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
