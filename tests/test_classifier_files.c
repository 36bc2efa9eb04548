// Loading and saving a whole classifier: what is new, what is ignored, what is refused; the same bits after saving.
#include <stdio.h>

#include "folder.h"
#include "tiny_classifier.h"

// Copies the model's tensors, without those `keep` refuses, `prefix` taken from names that have it, and the one called
// `narrowed` with one column less.
static void write_model(const char *family, const char *folder, bool (*keep)(const char *name), const char *prefix,
                        const char *narrowed)
{
    ebm_safetensors *from = NULL;
    ebm_safetensors_writer *to = NULL;
    char *path = in_folder(folder, "model.safetensors");
    assert_ok(ebm_safetensors_open_model(model_folder(family), &from));
    assert_ok(ebm_safetensors_writer_open(path, &to));
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < ebm_safetensors_count(from); i++) {
            const ebm_safetensors_tensor *t = ebm_safetensors_view(from, i);
            if (keep && !keep(t->name)) continue;
            const size_t cut = prefix && strncmp(t->name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
            size_t shape[2] = {t->shape[0], t->rank == 2 ? t->shape[1] : 0}, count = t->count;
            if (narrowed && strcmp(t->name, narrowed) == 0) {
                shape[t->rank - 1]--;
                count = t->rank == 2 ? shape[0] * shape[1] : shape[0];
            }
            float *values = calloc(t->count, sizeof *values);
            assert_ok(ebm_safetensors_floats(from, i, values));
            if (pass == 0)
                assert_ok(ebm_safetensors_writer_declare(to, t->name + cut, EBM_DTYPE_F32, t->rank, shape));
            else
                assert_ok(ebm_safetensors_writer_append(to, values, count));
            free(values);
        }
    assert_ok(ebm_safetensors_writer_finish(to));
    ebm_safetensors_writer_free(to);
    ebm_safetensors_free(from);
    free(path);
}

// A classifier for prediction with its initial weights.
typedef struct {
    ebm_config *config;
    ebm_classifier *classifier;
} untrained;

static untrained create(const char *family, bool scalar)
{
    const ebm_classifier_settings settings = {{64, 4, false}, scalar, EBM_ENERGY_SCALAR};
    untrained u;
    assert_ok(ebm_config_load(model_folder(family), &u.config));
    assert_ok(ebm_classifier_create(device, u.config, &settings, &u.classifier));
    assert_ok(ebm_classifier_allocate(u.classifier));
    assert_ok(ebm_parameters_init(ebm_classifier_parameters(u.classifier), 7));
    return u;
}

static void destroy(untrained *u)
{
    ebm_classifier_free(u->classifier);
    ebm_config_free(u->config);
}

static void assert_names(char **found, const char *const *expected)
{
    size_t i = 0;
    for (; found[i] && expected[i]; i++) assert_string_equal(found[i], expected[i]);
    if (found[i]) fail_msg("%s is one name too many", found[i]);
    if (expected[i]) fail_msg("%s is missing", expected[i]);
}

static void check_load(const char *family, const char *folder, bool scalar, const char *const *created,
                       const char *const *ignored)
{
    untrained u = create(family, scalar);
    ebm_load_report report = {0};
    assert_ok(ebm_classifier_load(u.classifier, folder, &report));
    assert_names(report.created, created);
    assert_names(report.ignored, ignored);
    ebm_load_report_free(&report);
    destroy(&u);
}

static bool is_not_head(const char *name) { return strncmp(name, "classifier.", 11) != 0; }
static bool is_encoder(const char *name) { return is_not_head(name) && !strstr(name, "pooler"); }

static const char *const NONE[] = {NULL};

// A pretrained BERT comes with its pooler and without "bert." before its names.
static void test_base_bert(void **state)
{
    static const char *const head[] = {"classifier.weight", "classifier.bias", NULL};
    static const char *const heads[] = {"classifier.weight",
                                        "classifier.bias",
                                        "energy.dense.weight",
                                        "energy.dense.bias",
                                        "energy.out_proj.weight",
                                        "energy.out_proj.bias",
                                        NULL};
    write_model("bert", *state, is_not_head, "bert.", NULL);
    check_load("bert", *state, false, head, NONE);
    check_load("bert", *state, true, heads, NONE);
}

static void test_base_without_pooler(void **state)
{
    static const char *const head[] = {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight",
                                       "classifier.bias", NULL};
    write_model("bert", *state, is_encoder, NULL, NULL);
    check_load("bert", *state, false, head, NONE);
}

static void test_base_roberta(void **state)
{
    static const char *const head[] = {"classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight",
                                       "classifier.out_proj.bias", NULL};
    write_model("roberta", *state, is_not_head, "roberta.", NULL);
    check_load("roberta", *state, false, head, NONE);
}

// BERT's own head in a file for RoBERTa's encoder would be nonsense: it is named as ignored.
static void test_ignored(void **state)
{
    char *path = in_folder(*state, "model.safetensors");
    untrained u = create("roberta", false);
    assert_ok(ebm_parameters_save(ebm_classifier_parameters(u.classifier), EBM_PART_WEIGHT, path, "old.", NULL));
    destroy(&u);
    u = create("roberta", false);
    ebm_load_report report = {0};
    assert_ok(ebm_classifier_load(u.classifier, *state, &report));
    size_t ignored = 0, created = 0;
    while (report.ignored[ignored]) assert_true(strncmp(report.ignored[ignored++], "old.", 4) == 0);
    while (report.created[created]) created++;
    assert_int_equal(ignored, ebm_parameters_count(ebm_classifier_parameters(u.classifier)));
    assert_int_equal(created, ignored);
    ebm_load_report_free(&report);
    destroy(&u);
    free(path);
}

static void test_wrong_shapes(void **state)
{
    static const char *const names[] = {"bert.embeddings.word_embeddings.weight",
                                        "bert.encoder.layer.1.attention.self.key.weight",
                                        "bert.encoder.layer.0.output.LayerNorm.bias", "classifier.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        untrained u = create("bert", false);
        write_model("bert", *state, NULL, NULL, names[i]);
        assert_fails(ebm_classifier_load(u.classifier, *state, NULL), EBM_ERROR_INPUT, names[i]);
        destroy(&u);
    }
}

static void test_no_file(void **state)
{
    untrained u = create("bert", false);
    assert_fails(ebm_classifier_load(u.classifier, *state, NULL), EBM_ERROR_INPUT, "model.safetensors");
    destroy(&u);
}

static void test_damaged_energy(void **state)
{
    char *path = in_folder(*state, "energy.safetensors");
    untrained u = create("bert", true);
    write_model("bert", *state, NULL, NULL, NULL);
    put_file(path, "cut", 3);
    assert_fails(ebm_classifier_load(u.classifier, *state, NULL), EBM_ERROR_INPUT, "energy.safetensors");
    destroy(&u);
    free(path);
}

// Trained a little, saved, loaded by a model that has seen nothing of it.
static void test_same_bits_after_saving(void **state)
{
    static const char *const families[] = {"bert", "roberta"};
    for (size_t f = 0; f < 2; f++) {
        const tiny_settings settings = {
            .family = families[f], .joint = true, .energy = EBM_ENERGY_SCALAR, .noise_ratio = 1, .dropout = 0.1f};
        tiny trained, loaded;
        float *logits[2], *energy[2];
        tiny_open(&trained, &settings);
        tiny_train(&trained, NULL, NULL);
        assert_ok(ebm_classifier_save(trained.classifier, *state));
        assert_ok(ebm_config_save(trained.config, *state));
        tiny_open(&loaded, &settings);
        assert_ok(ebm_parameters_init(loaded.parameters, 99));
        assert_ok(ebm_classifier_load(loaded.classifier, *state, NULL));
        tiny_predict(&trained, 0, TINY_ROWS, &logits[0], &energy[0]);
        tiny_predict(&loaded, 0, TINY_ROWS, &logits[1], &energy[1]);
        assert_memory_equal(logits[0], logits[1], TINY_ROWS * trained.config->label_count * sizeof **logits);
        assert_memory_equal(energy[0], energy[1], TINY_ROWS * sizeof **energy);
        for (size_t i = 0; i < 2; i++) {
            free(logits[i]);
            free(energy[i]);
        }
        tiny_free(&trained);
        tiny_free(&loaded);
    }
}

// What transformers reads must not hold the energy's head.
static void test_energy_in_a_file_of_its_own(void **state)
{
    tiny t;
    ebm_safetensors *model = NULL;
    size_t index;
    tiny_open(&t, &(tiny_settings){.family = "bert", .joint = true, .energy = EBM_ENERGY_SCALAR, .noise_ratio = 1});
    assert_ok(ebm_classifier_save(t.classifier, *state));
    assert_int_equal(entries_of(*state), 2);
    assert_ok(ebm_safetensors_open_model(*state, &model));
    assert_false(ebm_safetensors_find(model, "energy.dense.weight", &index));
    assert_true(ebm_safetensors_find(model, "classifier.weight", &index));
    assert_int_equal(ebm_safetensors_count(model) + 4, ebm_parameters_count(t.parameters));
    ebm_safetensors_free(model);
    tiny_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_base_bert),
        in_own_folder(test_base_without_pooler),
        in_own_folder(test_base_roberta),
        in_own_folder(test_ignored),
        in_own_folder(test_wrong_shapes),
        in_own_folder(test_no_file),
        in_own_folder(test_damaged_energy),
        in_own_folder(test_same_bits_after_saving),
        in_own_folder(test_energy_in_a_file_of_its_own),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
