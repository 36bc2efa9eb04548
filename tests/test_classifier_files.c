// Loading and saving a whole classifier: what is new, what is ignored, what is refused; the same bits after saving.
#include <math.h>
#include <stdio.h>

#include "folder.h"
#include "tiny_classifier.h"

// What write_model adds and changes besides: vectors of these names; gamma and beta for the parts of a LayerNorm.
static const char *const NONE[] = {NULL};
static const char *const *extra_names = NONE;
static bool old_names;

static bool ends_with(const char *name, const char *end)
{
    return strlen(name) >= strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

static void written_name(const char *name, const char *prefix, char *out, size_t size)
{
    const size_t cut = prefix && strncmp(name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    const char *end = !old_names                      ? NULL
                      : ends_with(name, "orm.weight") ? "gamma"
                      : ends_with(name, "orm.bias")   ? "beta"
                                                      : NULL;
    const size_t kept = strlen(name) - cut - (end ? strlen(strrchr(name, '.') + 1) : 0);
    snprintf(out, size, "%.*s%s", (int)kept, name + cut, end ? end : "");
}

static void write_extra(ebm_safetensors_writer *to, int pass)
{
    static const float values[2] = {1, 2};
    static const size_t shape[1] = {2};
    for (size_t i = 0; extra_names[i]; i++)
        if (pass == 0)
            assert_ok(ebm_safetensors_writer_declare(to, extra_names[i], EBM_DTYPE_F32, 1, shape));
        else
            assert_ok(ebm_safetensors_writer_append(to, values, 2));
}

// Copies the model's tensors, without those `keep` refuses, `prefix` taken from names that have it, and the one called
// `narrowed` with one column less.
static void write_model(const char *family, const char *folder, bool (*keep)(const char *name), const char *prefix,
                        const char *narrowed)
{
    ebm_safetensors *from = NULL;
    ebm_safetensors_writer *to = NULL;
    char *path = in_folder(folder, "model.safetensors"), name[200];
    assert_ok(ebm_safetensors_open_model(model_folder(family), &from));
    assert_ok(ebm_safetensors_writer_open(path, &to));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ebm_safetensors_count(from); i++) {
            const ebm_safetensors_tensor *t = ebm_safetensors_view(from, i);
            if (keep && !keep(t->name)) continue;
            size_t shape[2] = {t->shape[0], t->rank == 2 ? t->shape[1] : 0}, count = t->count;
            if (narrowed && strcmp(t->name, narrowed) == 0) {
                shape[t->rank - 1]--;
                count = t->rank == 2 ? shape[0] * shape[1] : shape[0];
            }
            float *values = calloc(t->count, sizeof *values);
            assert_ok(ebm_safetensors_floats(from, i, values));
            written_name(t->name, prefix, name, sizeof name);
            if (pass == 0)
                assert_ok(ebm_safetensors_writer_declare(to, name, EBM_DTYPE_F32, t->rank, shape));
            else
                assert_ok(ebm_safetensors_writer_append(to, values, count));
            free(values);
        }
        write_extra(to, pass);
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
    const ebm_classifier_settings settings = {
        .limits = {64, 4, false}, .has_energy = scalar, .energy = EBM_ENERGY_SCALAR};
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

static bool is_not_head(const char *name)
{
    static const char *const HEADS[] = {"classifier.", "pre_classifier.", "head."};
    for (size_t i = 0; i < sizeof HEADS / sizeof *HEADS; i++)
        if (strncmp(name, HEADS[i], strlen(HEADS[i])) == 0) return false;
    return true;
}
static bool is_encoder(const char *name) { return is_not_head(name) && !strstr(name, "pooler"); }

// A pretrained encoder comes without the prefix of its names, and without a head but for BERT's pooler.
static const struct {
    const char *folder, *prefix, *head[6];
} BASES[] = {
    {"bert", "bert.", {"classifier.weight", "classifier.bias", NULL}},
    {"roberta",
     "roberta.",
     {"classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight", "classifier.out_proj.bias",
      NULL}},
    {"xlm-roberta",
     "roberta.",
     {"classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight", "classifier.out_proj.bias",
      NULL}},
    {"distilbert",
     "distilbert.",
     {"pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias", NULL}},
    {"electra",
     "electra.",
     {"classifier.dense.weight", "classifier.dense.bias", "classifier.out_proj.weight", "classifier.out_proj.bias",
      NULL}},
    {"modernbert", "model.", {"head.dense.weight", "head.norm.weight", "classifier.weight", "classifier.bias", NULL}},
};

static void test_bases(void **state)
{
    for (size_t i = 0; i < sizeof BASES / sizeof *BASES; i++) {
        write_model(BASES[i].folder, *state, is_not_head, BASES[i].prefix, NULL);
        check_load(BASES[i].folder, *state, false, BASES[i].head, NONE);
        write_model(BASES[i].folder, *state, is_not_head, NULL, NULL);
        check_load(BASES[i].folder, *state, false, BASES[i].head, NONE);
    }
}

static void test_base_with_energy(void **state)
{
    static const char *const heads[] = {"classifier.weight",
                                        "classifier.bias",
                                        "energy.dense.weight",
                                        "energy.dense.bias",
                                        "energy.out_proj.weight",
                                        "energy.out_proj.bias",
                                        NULL};
    write_model("bert", *state, is_not_head, "bert.", NULL);
    check_load("bert", *state, true, heads, NONE);
}

// What was trained with another head: its tensors are named, those of the encoder are found.
static void test_other_heads(void **state)
{
    static const char *const ignored[][4] = {
        {"cls.predictions.bias", "cls.predictions.transform.dense.weight", NULL},
        {"lm_head.bias", "lm_head.dense.weight", "roberta.pooler.dense.weight", NULL},
        {"lm_head.bias", "lm_head.dense.weight", NULL},
        {"vocab_projector.bias", "vocab_transform.weight", NULL},
        {"discriminator_predictions.dense.weight", "discriminator_predictions.dense_prediction.bias", NULL},
        {"decoder.bias", NULL},
    };
    for (size_t i = 0; i < sizeof BASES / sizeof *BASES; i++) {
        extra_names = ignored[i];
        write_model(BASES[i].folder, *state, is_not_head, NULL, NULL);
        extra_names = NONE;
        check_load(BASES[i].folder, *state, false, BASES[i].head, ignored[i]);
    }
}

// TensorFlow's gamma and beta, in every family.
static void test_old_names(void **state)
{
    old_names = true;
    for (size_t f = 0; f < TINY_FAMILY_COUNT; f++) {
        write_model(TINY_FAMILIES[f], *state, NULL, NULL, NULL);
        check_load(TINY_FAMILIES[f], *state, false, NONE, NONE);
    }
    old_names = false;
}

static void test_base_without_pooler(void **state)
{
    static const char *const head[] = {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight",
                                       "classifier.bias", NULL};
    write_model("bert", *state, is_encoder, NULL, NULL);
    check_load("bert", *state, false, head, NONE);
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

// Three labels where the file has two, and the other way round: only with leave the last layer is new.
static void test_other_labels(void **state)
{
    static const char *const labels[] = {"a", "b", "c", "d"};
    static const char *const last[] = {"classifier.out_proj.weight", "classifier.out_proj.bias", NULL};
    static const char *const sorted[] = {"classifier.out_proj.bias", "classifier.out_proj.weight", NULL};
    for (size_t count = 2; count <= 4; count++) {
        const ebm_classifier_settings settings = {.limits = {64, 4, false}};
        untrained u;
        ebm_load_report report = {0};
        assert_ok(ebm_config_load(model_folder("electra-wide"), &u.config)); // 3 labels
        assert_ok(ebm_config_set_labels(u.config, labels, count));
        assert_ok(ebm_classifier_create(device, u.config, &settings, &u.classifier));
        assert_ok(ebm_classifier_allocate(u.classifier));
        assert_ok(ebm_parameters_init(ebm_classifier_parameters(u.classifier), 7));
        if (count != 3)
            assert_fails(ebm_classifier_load(u.classifier, model_folder("electra-wide"), NULL), EBM_ERROR_INPUT,
                         "tensor classifier.out_proj.weight: expected shape");
        ebm_classifier_expect_other_labels(u.classifier);
        assert_ok(ebm_classifier_load(u.classifier, model_folder("electra-wide"), &report));
        assert_names(report.created, count == 3 ? NONE : last);
        assert_names(report.ignored, count == 3 ? NONE : sorted);
        ebm_load_report_free(&report);
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
    for (size_t f = 0; f < TINY_FAMILY_COUNT; f++) {
        const tiny_settings settings = {
            .family = TINY_FAMILIES[f], .joint = true, .energy = EBM_ENERGY_SCALAR, .noise_ratio = 1, .dropout = 0.1f};
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

// Divided, saved, loaded: the logits are those of before divided by the temperature, to a float's rounding of products
// of size 1; the encoder and the energy's head are untouched.
static void test_folded_temperature(void **state)
{
    static const char *const families[] = {"bert", "roberta", "distilbert", "electra", "xlm-roberta"};
    const double temperature = 1.7;
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        const tiny_settings settings = {
            .family = families[f], .joint = true, .energy = EBM_ENERGY_SCALAR, .noise_ratio = 1};
        tiny plain, folded;
        float *logits[2], *energy[2];
        tiny_open(&plain, &settings);
        tiny_predict(&plain, 0, TINY_ROWS, &logits[0], &energy[0]);
        assert_fails(ebm_classifier_fold_temperature(plain.classifier, 0), EBM_ERROR_INPUT, "above 0 expected");
        assert_fails(ebm_classifier_fold_temperature(plain.classifier, (double)NAN), EBM_ERROR_INPUT, "found");
        assert_ok(ebm_classifier_fold_temperature(plain.classifier, temperature));
        assert_ok(ebm_classifier_save(plain.classifier, *state));
        tiny_open(&folded, &settings);
        assert_ok(ebm_classifier_load(folded.classifier, *state, NULL));
        tiny_predict(&folded, 0, TINY_ROWS, &logits[1], &energy[1]);
        double moved = 0;
        for (size_t i = 0; i < TINY_ROWS * plain.config->label_count; i++) {
            const double was = (double)logits[0][i], is = (double)logits[1][i] * temperature;
            if (fabs(is - was) > 1e-6 * (1 + fabs(was))) fail_msg("logit %zu: %.9g, expected %.9g", i, is, was);
            moved = fmax(moved, fabs((double)logits[1][i] - was));
        }
        assert_true(moved > 0.1);
        assert_memory_equal(energy[0], energy[1], TINY_ROWS * sizeof **energy);
        for (size_t i = 0; i < 2; i++) {
            free(logits[i]);
            free(energy[i]);
        }
        tiny_free(&plain);
        tiny_free(&folded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_bases),
        in_own_folder(test_base_with_energy),
        in_own_folder(test_base_without_pooler),
        in_own_folder(test_other_heads),
        in_own_folder(test_old_names),
        in_own_folder(test_ignored),
        in_own_folder(test_wrong_shapes),
        in_own_folder(test_other_labels),
        in_own_folder(test_no_file),
        in_own_folder(test_damaged_energy),
        in_own_folder(test_same_bits_after_saving),
        in_own_folder(test_energy_in_a_file_of_its_own),
        in_own_folder(test_folded_temperature),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
