// Masked language modelling and the penalty on hidden states: losses and gradients against PyTorch
// (fixtures/make_mlm_loss_fixtures.py), finite differences through the tied embeddings, cutting into batches, files.
#include <math.h>
#include <stdio.h>

#include "file.h"
#include "folder.h"
#include "masked_step.h"
#include "mlm_loss.h"
#include "slopes.h"
#include "tiny_classifier.h"

static const char *const FAMILIES[] = {"bert", "roberta", "xlm-roberta", "distilbert"};
enum { FAMILY_COUNT = sizeof FAMILIES / sizeof *FAMILIES, FIXTURE_ROWS = 6 };

// What becomes of the step's texts: every fifth token is to be told, or every one.
typedef struct {
    tiny t;
    int32_t target[TINY_TOKENS];
    const int32_t *targets[TINY_ROWS];
    size_t masked[TINY_ROWS];
    ebm_masked_texts texts;
} masked_tiny;

static void mask(masked_tiny *m, size_t rows, size_t every, size_t most)
{
    const int32_t vocabulary = (int32_t)m->t.config->vocabulary;
    size_t at = 0;
    m->texts = (ebm_masked_texts){m->t.rows, m->targets, m->masked, rows, 0, most};
    for (size_t i = 0; i < rows; i++) {
        m->targets[i] = m->target + at;
        m->masked[i] = 0;
        for (size_t k = 0; k < m->t.rows[i].count; k++, at++) {
            const bool chosen = at % every == 0;
            m->target[at] = chosen ? (int32_t)(at * 3) % vocabulary : -1;
            m->masked[i] += chosen;
        }
        m->texts.positions += m->masked[i];
    }
}

static void open_masked(masked_tiny *m, tiny_settings settings, size_t rows, size_t every, size_t most)
{
    tiny_open(&m->t, &settings);
    assert_ok(ebm_parameters_init_missing(m->t.parameters, 4));
    mask(m, rows, every, most);
}

// ---- against PyTorch

static ebm_safetensors *open_fixture(const char *family, const char *kind)
{
    char path[300];
    ebm_safetensors *file = NULL;
    snprintf(path, sizeof path, "%s/mlm/%s_%s.safetensors", FIXTURES, family, kind);
    assert_ok(ebm_safetensors_open(path, &file));
    return file;
}

static bool is_of_head(const char *name)
{
    return !strncmp(name, "cls.", 4) || !strncmp(name, "lm_head.", 8) || !strncmp(name, "vocab_", 6);
}

// The masked language model has no pooler and no classifier.
static bool is_elsewhere(const char *name) { return strstr(name, "pooler") || strstr(name, "classifier"); }

static void leave_out_elsewhere(snapshot *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (is_elsewhere(s->names[i])) {
            free(s->values[i]);
            continue;
        }
        s->names[kept] = s->names[i];
        s->values[kept] = s->values[i];
        s->sizes[kept++] = s->sizes[i];
    }
    s->count = kept;
}

static void check_gradients(tiny *t, const char *what, const ebm_safetensors *expected, double tolerance)
{
    char name[64];
    snprintf(name, sizeof name, "%s.gradient", what);
    snapshot found = snapshot_take(t->parameters, EBM_PART_GRADIENT);
    float *wanted = expected_floats(expected, "%s", name);
    leave_out_elsewhere(&found);
    assert_int_equal(expected_count(expected, name), 3 * found.count);
    assert_summary(what, &found, NULL, wanted, tolerance, NULL);
    snapshot_free(&found);
    free(wanted);
}

static void use_fixture_texts(masked_tiny *m, const ebm_safetensors *expected)
{
    int32_t *targets = expected_integers(expected, "targets"), *ids = expected_integers(expected, "ids");
    const size_t tokens = expected_count(expected, "targets");
    assert_memory_equal(ids, m->t.ids, tokens * sizeof *ids); // the rows of the models' own fixture
    memcpy(m->target, targets, tokens * sizeof *targets);
    m->texts.positions = 0;
    for (size_t i = 0; i < FIXTURE_ROWS; i++) {
        m->masked[i] = 0;
        for (size_t k = 0; k < m->t.rows[i].count; k++) m->masked[i] += m->targets[i][k] >= 0;
        m->texts.positions += m->masked[i];
    }
    free(targets);
    free(ids);
}

static void check_mlm(masked_tiny *m, const ebm_safetensors *expected)
{
    const ebm_masked_pass pass = {.classifier = m->t.classifier, .packing = ebm_step_packing(m->t.step), .weight = 1};
    const ebm_run run = {.training = true}; // no dropout is set
    uint64_t tokens = 0;
    size_t batches = 0;
    double loss = 0;
    float *wanted = expected_floats(expected, "mlm_loss");
    use_fixture_texts(m, expected);
    zero_gradients(m->t.parameters);
    assert_ok(ebm_masked_gradients(&pass, &m->texts, &run, &tokens, &batches, &loss));
    assert_int_equal(batches, 1);
    assert_near_one("loss", loss, (double)wanted[0], 8e-6);
    check_gradients(&m->t, "mlm_loss", expected, 4e-4);
    free(wanted);
}

static void check_hidden_norm(tiny *t, const ebm_safetensors *expected)
{
    float *wanted = expected_floats(expected, "hidden_norm"), norms[FIXTURE_ROWS];
    ebm_packing *packing = ebm_step_packing(t->step);
    ebm_arena *arena = ebm_arena_create(device, "test");
    const ebm_run run = {.training = true};
    ebm_hidden_penalty penalty = {.first = 0, .count = FIXTURE_ROWS, .scale = 1.0f / FIXTURE_ROWS};
    ebm_batch batch;
    assert_non_null(arena);
    ebm_arena_reserve(arena, &penalty.norms, FIXTURE_ROWS);
    assert_ok(ebm_arena_allocate(arena));
    ebm_packing_clear(packing, 0, 0);
    for (size_t i = 0; i < FIXTURE_ROWS; i++) {
        bool fits = false;
        assert_ok(ebm_packing_add(packing, t->rows[i], &fits));
    }
    assert_ok(ebm_packing_send(packing, &batch));
    zero_gradients(t->parameters);
    assert_ok(ebm_classifier_forward(t->classifier, &batch, &run));
    const ebm_slice d_logits = ebm_classifier_logits_gradient(t->classifier);
    assert_ok(ebm_slice_zero(device, d_logits, 0, FIXTURE_ROWS * t->config->label_count));
    assert_ok(ebm_classifier_backward_penalised(t->classifier, &batch, &run, &penalty));
    assert_ok(ebm_slice_read(device, penalty.norms, 0, FIXTURE_ROWS, norms));
    double mean = 0;
    for (int i = 0; i < FIXTURE_ROWS; i++) mean += (double)norms[i] / FIXTURE_ROWS;
    assert_near_one("mean squared norm", mean, (double)wanted[0], 4e-6 * (double)wanted[0]);
    check_gradients(t, "hidden_norm", expected, 1e-3);
    ebm_arena_free(arena);
    free(wanted);
}

static void losses_and_gradients_are_pytorchs(void **state)
{
    for (size_t f = 0; f < FAMILY_COUNT; f++) {
        masked_tiny m;
        ebm_safetensors *head = open_fixture(FAMILIES[f], "head"), *expected = open_fixture(FAMILIES[f], "expected");
        open_masked(&m, (tiny_settings){.family = FAMILIES[f], .mlm_weight = 1}, FIXTURE_ROWS, 5, TINY_TOKENS);
        assert_ok(ebm_parameters_restore(m.t.parameters, EBM_PART_WEIGHT, head, "", is_of_head));
        check_mlm(&m, expected);
        check_hidden_norm(&m.t, expected);
        tiny_free(&m.t);
        ebm_safetensors_free(head);
        ebm_safetensors_free(expected);
    }
}

// ---- by themselves

static double step_loss(void *model)
{
    masked_tiny *m = model;
    const ebm_run run = {true, 21, 4};
    ebm_step_texts texts = tiny_texts(&m->t);
    ebm_step_result result;
    texts.masked = m->texts;
    zero_gradients(m->t.parameters);
    assert_ok(ebm_step_gradients(m->t.step, &texts, &run, &result));
    assert_near_one("loss", result.loss,
                    result.cross_entropy + (double)m->t.set.mlm_weight * result.mlm +
                        (double)m->t.set.hidden_norm_weight * result.hidden_norm,
                    1e-12);
    return result.loss;
}

// All terms at once, with dropout: through the tied embeddings from both ends.
static void slopes_are_finite_differences(void **state)
{
    masked_tiny m;
    open_masked(
        &m,
        (tiny_settings){
            .family = "bert", .noise_ratio = 1, .dropout = 0.1f, .mlm_weight = 0.5f, .hidden_norm_weight = 0.02f},
        TINY_LABELLED, 3, TINY_TOKENS);
    const size_t checked = assert_slopes(m.t.parameters, step_loss, &m);
    assert_true(checked + 4 >= ebm_parameters_count(m.t.parameters)); // the keys' biases, and little else
    tiny_free(&m.t);
}

static double gradients_of(masked_tiny *m, size_t *batches)
{
    const ebm_masked_pass pass = {.classifier = m->t.classifier,
                                  .packing = ebm_step_packing(m->t.step),
                                  .weight = 0.7f,
                                  .first_sequence = 11,
                                  .first_token = 400};
    const ebm_run run = {true, 33, 2};
    uint64_t tokens = 400;
    double loss = 0;
    *batches = 0;
    zero_gradients(m->t.parameters);
    assert_ok(ebm_masked_gradients(&pass, &m->texts, &run, &tokens, batches, &loss));
    assert_int_equal(tokens, 400 + TINY_TOKENS);
    return loss;
}

// More positions than the vocabulary product takes at a time, in one batch; cut by tokens and by positions: the same
// masks of dropout, another order of sums.
static void cutting_changes_the_order_of_sums_only(void **state)
{
    static const struct {
        size_t tokens, most, batches;
    } cuts[] = {{128, TINY_TOKENS, 3}, {0, 60, 5}};
    tiny_settings settings = {.family = "roberta", .dropout = 0.1f, .mlm_weight = 1};
    masked_tiny whole, cut;
    size_t batches;
    open_masked(&whole, settings, TINY_ROWS, 1, TINY_TOKENS);
    assert_true(whole.texts.positions > EBM_MLM_LOSS_ROWS);
    const double loss = gradients_of(&whole, &batches);
    assert_int_equal(batches, 1);
    snapshot all = snapshot_take(whole.t.parameters, EBM_PART_GRADIENT);
    for (size_t i = 0; i < 2; i++) {
        settings.tokens = cuts[i].tokens;
        open_masked(&cut, settings, TINY_ROWS, 1, cuts[i].most);
        assert_near_one("loss", gradients_of(&cut, &batches), loss, 1e-5);
        assert_int_equal(batches, cuts[i].batches);
        snapshot parts = snapshot_take(cut.t.parameters, EBM_PART_GRADIENT);
        assert_near_snapshot(&parts, &all, 1e-4);
        snapshot_free(&parts);
        tiny_free(&cut.t);
    }
    snapshot_free(&all);
    tiny_free(&whole.t);
}

static void without_positions_nothing_is_added(void **state)
{
    masked_tiny m;
    size_t batches;
    double sum = 0;
    size_t count = 0;
    open_masked(&m, (tiny_settings){.family = "bert", .mlm_weight = 1}, TINY_ROWS, 1, TINY_TOKENS);
    gradients_of(&m, &batches);
    for (size_t i = 0; i < TINY_TOKENS; i++) m.target[i] = -1;
    zero_gradients(m.t.parameters);
    ebm_packing *packing = ebm_step_packing(m.t.step);
    ebm_batch batch;
    bool fits;
    ebm_packing_clear(packing, 0, 0);
    assert_ok(ebm_packing_add(packing, m.t.rows[0], &fits));
    assert_ok(ebm_packing_send(packing, &batch));
    assert_ok(ebm_classifier_mlm(m.t.classifier, &batch, &(ebm_run){true, 1, 1}, m.target, 1, &sum, &count));
    assert_true(sum == 0 && count == 0);
    snapshot gradients = snapshot_take(m.t.parameters, EBM_PART_GRADIENT);
    for (size_t p = 0; p < gradients.count; p++)
        for (size_t i = 0; i < gradients.sizes[p]; i++) assert_true(gradients.values[p][i] == 0);
    snapshot_free(&gradients);
    m.target[0] = (int32_t)m.t.config->vocabulary;
    assert_fails(ebm_classifier_mlm(m.t.classifier, &batch, &(ebm_run){true, 1, 1}, m.target, 1, &sum, &count),
                 EBM_ERROR_INPUT, "the model's vocabulary has");
    tiny_free(&m.t);
}

static void what_is_refused(void **state)
{
    static const char *const others[] = {"electra", "modernbert"};
    tiny t;
    ebm_batch batch = {0};
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        const ebm_classifier_settings settings = {.limits = {64, 4, true}, .mlm_rows = 8};
        ebm_config *config = NULL;
        ebm_classifier *classifier = NULL;
        assert_ok(ebm_config_load(model_folder(others[i]), &config));
        assert_fails(ebm_classifier_create(device, config, &settings, &classifier), EBM_ERROR_UNSUPPORTED,
                     "only bert, roberta, xlm-roberta and distilbert have a masked-language-model");
        assert_null(classifier);
        ebm_config_free(config);
    }
    tiny_open(&t, &(tiny_settings){.family = "bert"});
    assert_fails(ebm_classifier_mlm(t.classifier, &batch, &(ebm_run){0}, NULL, 1, &sum, &count), EBM_ERROR_INPUT,
                 "without a head for masked language modelling");
    tiny_free(&t);
}

// ---- files

// In model.safetensors beside the encoder, as a pretrained checkpoint has it, or in the file we write.
static void heads_are_found_in_checkpoints(void **state)
{
    const char *folder = *state;
    char *whole = in_folder(folder, "model.safetensors"), *own = in_folder(folder, "mlm_head.safetensors");
    masked_tiny m;
    ebm_load_report report = {0};
    open_masked(&m, (tiny_settings){.family = "roberta", .mlm_weight = 1}, TINY_ROWS, 1, TINY_TOKENS);
    snapshot before = snapshot_take(m.t.parameters, EBM_PART_WEIGHT);
    for (int apart = 0; apart < 2; apart++) {
        if (apart)
            assert_ok(ebm_classifier_save(m.t.classifier, folder));
        else
            assert_ok(ebm_parameters_save(m.t.parameters, EBM_PART_WEIGHT, whole, "", NULL));
        assert_int_equal(ebm_file_exists(own), apart);
        assert_ok(ebm_parameters_init(m.t.parameters, 99));
        assert_ok(ebm_classifier_load(m.t.classifier, folder, &report));
        if (report.created[0]) fail_msg("%s was not loaded", report.created[0]);
        if (report.ignored[0]) fail_msg("%s was ignored", report.ignored[0]);
        ebm_load_report_free(&report);
        snapshot after = snapshot_take(m.t.parameters, EBM_PART_WEIGHT);
        assert_same_bits(&before, &after);
        snapshot_free(&after);
    }
    tiny_free(&m.t);
    // Of what was saved apart, the classifier's file holds nothing, so other programs see no tensor they do not know.
    tiny plain;
    tiny_open(&plain, &(tiny_settings){.family = "roberta"});
    assert_ok(ebm_classifier_load(plain.classifier, folder, &report));
    assert_null(report.ignored[0]);
    ebm_load_report_free(&report);
    tiny_free(&plain);
    snapshot_free(&before);
    free(whole);
    free(own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_gradients_are_pytorchs),
        cmocka_unit_test(slopes_are_finite_differences),
        cmocka_unit_test(cutting_changes_the_order_of_sums_only),
        cmocka_unit_test(without_positions_nothing_is_added),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test_setup_teardown(heads_are_found_in_checkpoints, make_own_folder, remove_own_folder),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
