#include "tiny_classifier.h"

const char *const TINY_FAMILIES[] = {"bert",    "roberta",      "xlm-roberta", "distilbert",
                                     "electra", "electra-wide", "modernbert",  "modernbert-biased"};
const size_t TINY_FAMILY_COUNT = sizeof TINY_FAMILIES / sizeof *TINY_FAMILIES;

static void load_rows(tiny *t)
{
    int32_t *lengths = expected_integers(t->expected, "lengths");
    t->ids = expected_integers(t->expected, "ids");
    t->types = expected_integers(t->expected, "types");
    t->labels = expected_integers(t->expected, "labels");
    assert_int_equal(expected_count(t->expected, "lengths"), TINY_ROWS);
    assert_int_equal(expected_count(t->expected, "ids"), TINY_TOKENS);
    for (size_t i = 0, start = 0; i < TINY_ROWS; start += (size_t)lengths[i++])
        t->rows[i] = (ebm_sequence){t->ids + start, t->types + start, (size_t)lengths[i]};
    free(lengths);
    for (size_t i = 0; i < TINY_ROWS && t->set.shortened; i++) t->rows[i].count = i < TINY_LABELLED ? 6 : 1;
}

static void create_model(tiny *t, const ebm_limits *limits)
{
    const ebm_classifier_settings classifier = {.limits = *limits,
                                                .has_energy = t->set.joint,
                                                .energy = t->set.energy,
                                                .fp16_activations = t->set.fp16_activations,
                                                .mlm_rows = t->set.mlm_weight > 0 ? limits->tokens : 0};
    const ebm_step_settings step = {.objective = t->set.joint ? EBM_OBJECTIVE_JOINT : EBM_OBJECTIVE_CE,
                                    .nce_data = t->set.nce_data,
                                    .noise_ratio = t->set.noise_ratio,
                                    .nce_weight = 1.0f,
                                    .mlm_weight = t->set.mlm_weight,
                                    .hidden_norm_weight = t->set.hidden_norm_weight,
                                    .mixup = t->set.mixup,
                                    .limits = *limits};
    const ebm_adamw adamw = {0.9, 0.999, 1e-8, 0.1, 1.0};
    assert_ok(ebm_config_load(model_folder(t->set.family), &t->config));
    t->config->hidden_dropout = t->config->attention_dropout = t->set.dropout;
    t->config->embedding_dropout = t->config->classifier_dropout = t->set.dropout;
    t->arena = ebm_arena_create(device, "step");
    assert_non_null(t->arena);
    assert_ok(ebm_classifier_create(device, t->config, &classifier, &t->classifier));
    t->parameters = ebm_classifier_parameters(t->classifier);
    assert_ok(ebm_step_create(device, t->classifier, &step, t->arena, &t->step));
    assert_ok(ebm_optimizer_create(device, t->parameters, &adamw, t->arena, &t->optimizer));
}

void tiny_open(tiny *t, const tiny_settings *settings)
{
    *t = (tiny){.set = *settings, .expected = expected_open(settings->family)};
    const ebm_limits limits = {settings->tokens ? settings->tokens : TINY_TOKENS, TINY_ROWS, true};
    load_rows(t);
    create_model(t, &limits);
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + 1];
    size_t count = ebm_classifier_arenas(t->classifier, arenas);
    arenas[count++] = t->arena;
    assert_ok(ebm_arena_plan(device, arenas, count, "take a larger device"));
    assert_ok(ebm_classifier_allocate(t->classifier));
    assert_ok(ebm_arena_allocate(t->arena));
    assert_ok(ebm_parameters_init(t->parameters, 1));
    ebm_load_report report = {0};
    assert_ok(ebm_classifier_load(t->classifier, model_folder(settings->family), &report));
    if (report.created[0] && !(settings->mlm_weight > 0)) fail_msg("%s was not loaded", report.created[0]);
    if (report.ignored[0]) fail_msg("%s was ignored", report.ignored[0]);
    ebm_load_report_free(&report);
}

void tiny_free(tiny *t)
{
    ebm_optimizer_free(t->optimizer);
    ebm_step_free(t->step);
    ebm_classifier_free(t->classifier);
    ebm_arena_free(t->arena);
    ebm_config_free(t->config);
    ebm_safetensors_free(t->expected);
    free(t->ids);
    free(t->types);
    free(t->labels);
}

size_t tiny_tokens(const tiny *t)
{
    size_t tokens = 0;
    for (size_t i = 0; i < TINY_ROWS; i++) tokens += t->rows[i].count;
    return tokens;
}

ebm_step_texts tiny_texts(const tiny *t)
{
    ebm_step_texts texts = {
        .labelled = t->rows, .labels = t->labels, .labelled_count = TINY_LABELLED, .hard = t->set.hard};
    if (!t->set.joint) return texts;
    texts.data = t->rows + TINY_LABELLED;
    texts.data_count = t->set.nce_data == EBM_NCE_SHARED ? 0 : TINY_LABELLED;
    texts.noise = t->rows + 2 * TINY_LABELLED;
    texts.noise_count = TINY_LABELLED * (size_t)t->set.noise_ratio;
    return texts;
}

ebm_step_result tiny_gradients(tiny *t, const ebm_run *run)
{
    ebm_step_result result;
    const ebm_step_texts texts = tiny_texts(t);
    assert_ok(ebm_step_gradients(t->step, &texts, run, &result));
    return result;
}

void tiny_train(tiny *t, double losses[TRAIN_STEPS], double norms[TRAIN_STEPS])
{
    const ebm_schedule schedule = {2e-3, 3, 12};
    for (uint32_t step = 0; step < TRAIN_STEPS; step++) {
        const ebm_run run = {true, 11, step};
        const ebm_step_result result = tiny_gradients(t, &run);
        assert_ok(ebm_optimizer_step(t->optimizer, ebm_learning_rate_at(&schedule, step), step + 1, true));
        double norm;
        assert_ok(ebm_optimizer_norm(t->optimizer, &norm));
        if (losses) losses[step] = result.loss;
        if (norms) norms[step] = norm;
    }
}

void tiny_predict(tiny *t, size_t first, size_t count, float **logits, float **energy)
{
    ebm_packing *packing = ebm_step_packing(t->step);
    const ebm_run run = {0};
    ebm_batch batch;
    ebm_packing_clear(packing, 0, 0);
    for (size_t i = 0; i < count; i++) {
        bool fits = false;
        assert_ok(ebm_packing_add(packing, t->rows[first + i], &fits));
        assert_true(fits);
    }
    assert_ok(ebm_packing_send(packing, &batch));
    assert_ok(ebm_classifier_forward(t->classifier, &batch, &run));
    *logits = read_floats(ebm_classifier_logits(t->classifier), count * t->config->label_count);
    if (energy) *energy = read_floats(ebm_classifier_energy(t->classifier), count);
}
