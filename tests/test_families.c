// The built program on a checkpoint of each family: already fine-tuned it predicts at once, a base one is trained and
// says what is new and what is not used, and what was written predicts again. A noise model takes its width from the
// word embeddings, which for ELECTRA are not as wide as the layers.
#include "check.h"

#include <jansson.h>

#include "folder.h"
#include "program.h"
#include "safetensors.h"

static const char TEXTS[] = "text\tlabel\nthe film is good\tyes\nthe plot was dull\tno\na fine cast\tyes\n"
                            "the film is cold\tno\nwarm and fine .\tyes\nnot very good\tno\n";

#define run(folder, ...) run_program(folder, (const char *const[]){__VA_ARGS__, NULL}, NULL)

static void put(const char *folder, const char *name, const char *text)
{
    char *path = in_folder(folder, name);
    put_file(path, text, strlen(text));
    free(path);
}

// 24 tokens; the fixtures' vocabularies have 40, as if rounded up.
static const char VOCABULARY[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\na\nfilm\nplot\ncast\nis\nwas\nnot\nvery\ngood\n"
    "bad\ndull\nfine\nwarm\ncold\nand\nbut\n.\n,\n";

// "<folder>/model": a fixture's model with a vocabulary; and texts beside it.
static void put_model(const char *folder, const char *family)
{
    char *model = in_folder(folder, "model"), *fixture = in_folder(FIXTURES "/models", family);
    assert_ok(ebm_directory_make(model));
    copy_file(fixture, model, "config.json");
    copy_file(fixture, model, "model.safetensors");
    put(model, "vocab.txt", VOCABULARY);
    put(folder, "texts.tsv", TEXTS);
    free(model);
    free(fixture);
}

static void assert_ran(ran r, const char *part)
{
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    if (part && !strstr(r.err, part)) fail_msg("expected \"%s\" in: %s", part, r.err);
    free_ran(&r);
}

static json_t *config_of(const char *folder, const char *model)
{
    char *directory = in_folder(folder, model), *path = in_folder(directory, "config.json");
    json_t *config = json_load_file(path, 0, NULL);
    assert_non_null(config);
    free(directory);
    free(path);
    return config;
}

static void check_family(const char *folder, const char *family)
{
    put_model(folder, family);
    json_t *before = config_of(folder, "model");
    assert_ran(run(folder, "predict", "--model_name_or_path", "model", "--test_file", "texts.tsv", "--output_file",
                   "first.jsonl"),
               "6 predictions written");
    assert_ran(run(folder, "train", "--model_name_or_path", "model", "--train_file", "texts.tsv", "--output_dir", "out",
                   "--max_steps", "2", "--max_seq_length", "16", "--token_budget", "128"),
               json_object_size(json_object_get(before, "id2label")) == 3 ? "new tensors (2): classifier." : NULL);
    assert_ran(run(folder, "eval", "--model_name_or_path", "out", "--test_file", "texts.tsv"), NULL);
    json_t *after = config_of(folder, "out");
    static const char *const kept[] = {"model_type", "architectures"};
    for (size_t i = 0; i < 2; i++)
        assert_true(json_equal(json_object_get(after, kept[i]), json_object_get(before, kept[i])));
    assert_string_equal(json_string_value(json_object_get(json_object_get(after, "id2label"), "1")), "yes");
    json_decref(before);
    json_decref(after);
}

static void test_distilbert(void **state) { check_family(*state, "distilbert"); }
static void test_electra(void **state) { check_family(*state, "electra"); }
static void test_xlm_roberta(void **state) { check_family(*state, "xlm-roberta"); }
static void test_modernbert(void **state) { check_family(*state, "modernbert"); }

// A pretrained ELECTRA: no head of ours, one of its own.
static void test_names_of_tensors(void **state)
{
    static const float values[2] = {1, 2};
    static const char *const extra[] = {"discriminator_predictions.dense.bias",
                                        "discriminator_predictions.dense_prediction.bias"};
    ebm_safetensors *from = NULL;
    ebm_safetensors_writer *to = NULL;
    put_model(*state, "electra-wide");
    char *model = in_folder(*state, "model"), *path = in_folder(model, "model.safetensors");
    assert_ok(ebm_safetensors_open_model(FIXTURES "/models/electra-wide", &from));
    assert_ok(ebm_safetensors_writer_open(path, &to));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ebm_safetensors_count(from); i++) {
            const ebm_safetensors_tensor *t = ebm_safetensors_view(from, i);
            if (strncmp(t->name, "classifier.", 11) == 0) continue;
            float *copied = calloc(t->count, sizeof *copied);
            assert_ok(ebm_safetensors_floats(from, i, copied));
            if (pass == 0)
                assert_ok(ebm_safetensors_writer_declare(to, t->name, EBM_DTYPE_F32, t->rank, t->shape));
            else
                assert_ok(ebm_safetensors_writer_append(to, copied, t->count));
            free(copied);
        }
        for (size_t i = 0; i < 2; i++)
            if (pass == 0)
                assert_ok(ebm_safetensors_writer_declare(to, extra[i], EBM_DTYPE_F32, 1, (const size_t[]){2}));
            else
                assert_ok(ebm_safetensors_writer_append(to, values, 2));
    }
    assert_ok(ebm_safetensors_writer_finish(to));
    ebm_safetensors_writer_free(to);
    ebm_safetensors_free(from);
    ran r = run(*state, "train", "--model_name_or_path", "model", "--train_file", "texts.tsv", "--output_dir", "out",
                "--max_steps", "1", "--max_seq_length", "16", "--token_budget", "128");
    if (r.code != 0) fail_msg("%s", r.err);
    assert_non_null(strstr(r.err, "new tensors (4): classifier.dense.weight, classifier.dense.bias, "
                                  "classifier.out_proj.weight, classifier.out_proj.bias\n"));
    assert_non_null(strstr(r.err, "tensors not used (2): discriminator_predictions.dense.bias, "
                                  "discriminator_predictions.dense_prediction.bias\n"));
    free_ran(&r);
    r = run(*state, "predict", "--model_name_or_path", "model", "--test_file", "texts.tsv", "--output_file", "p.jsonl");
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "tensor classifier.dense.weight is missing; this model is not trained to classify"));
    free_ran(&r);
    free(model);
    free(path);
}

static void check_noise(const char *folder, const char *family, int width)
{
    put_model(folder, family);
    assert_ran(run(folder, "noise", "train", "--encoder", "model", "--train_file", "texts.tsv", "--layers", "1",
                   "--held_out", "0", "--max_steps", "1", "--token_budget", "256", "--output_dir", "noise"),
               "24 rows of the embedding start from model");
    json_t *config = config_of(folder, "noise");
    assert_int_equal(json_integer_value(json_object_get(config, "n_embd")), width);
    json_decref(config);
}

static void test_noise_of_electra(void **state) { check_noise(*state, "electra", 16); }
static void test_noise_of_distilbert(void **state) { check_noise(*state, "distilbert", 32); }
static void test_noise_of_modernbert(void **state) { check_noise(*state, "modernbert", 32); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_distilbert),          in_own_folder(test_electra),
        in_own_folder(test_xlm_roberta),         in_own_folder(test_modernbert),
        in_own_folder(test_names_of_tensors),    in_own_folder(test_noise_of_electra),
        in_own_folder(test_noise_of_distilbert), in_own_folder(test_noise_of_modernbert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
