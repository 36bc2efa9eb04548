// A classifier's outputs, gradients and ten steps of training.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "file.h"
#include "probe.h"
#include "step.h"

typedef struct {
    ebm_device *device;
    ebm_config *config;
    probe_batch batch;
    ebm_classifier *classifier;
    ebm_arena *arena;
    ebm_step *step;
    ebm_optimizer *optimizer;
    ebm_step_texts texts;
} model;

static void close_model(model *m)
{
    ebm_optimizer_free(m->optimizer);
    ebm_step_free(m->step);
    ebm_classifier_free(m->classifier);
    ebm_arena_free(m->arena);
    ebm_config_free(m->config);
    probe_batch_free(&m->batch);
    ebm_device_free(m->device);
}

// The batch's sequences in this order: labelled ones, as many of NCE's data (shared: none), K times as many of noise.
static ebm_status divide_texts(model *m, const ebm_step_settings *set)
{
    const bool joint = set->objective == EBM_OBJECTIVE_JOINT, separate = set->nce_data == EBM_NCE_SEPARATE;
    const size_t parts = joint ? 1 + (size_t)separate + (size_t)set->noise_ratio : 1;
    const size_t n = m->batch.count / parts;
    if (n * parts != m->batch.count || !m->batch.labels)
        return ebm_fail(EBM_ERROR_INPUT, "%zu sequences cannot be divided into %zu equal parts with labels",
                        m->batch.count, parts);
    m->texts = (ebm_step_texts){.labelled = m->batch.rows, .labels = m->batch.labels, .labelled_count = n};
    if (!joint) return ebm_ok();
    m->texts.data = m->batch.rows + n;
    m->texts.data_count = separate ? n : 0;
    m->texts.noise = m->texts.data + m->texts.data_count;
    m->texts.noise_count = n * (size_t)set->noise_ratio;
    return ebm_ok();
}

static ebm_status load_all(model *m, const char *directory)
{
    ebm_load_report report = {0};
    EBM_TRY(ebm_parameters_init(ebm_classifier_parameters(m->classifier), 1));
    EBM_TRY(ebm_classifier_load(m->classifier, directory, &report));
    ebm_status status = ebm_ok();
    if (report.created[0])
        status = ebm_fail(EBM_ERROR_INPUT, "%s: %s was not loaded", directory, report.created[0]);
    else if (report.ignored[0])
        status = ebm_fail(EBM_ERROR_INPUT, "%s: %s was ignored", directory, report.ignored[0]);
    ebm_load_report_free(&report);
    return status;
}

static ebm_status create_model(model *m, const char *directory, const ebm_step_settings *step, ebm_energy_kind energy)
{
    const ebm_adamw adamw = probe_adamw();
    const ebm_classifier_settings classifier = {
        .limits = step->limits, .has_energy = step->objective == EBM_OBJECTIVE_JOINT, .energy = energy};
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + 1];
    m->arena = ebm_arena_create(m->device, "step");
    if (!m->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory");
    EBM_TRY(ebm_classifier_create(m->device, m->config, &classifier, &m->classifier));
    EBM_TRY(ebm_step_create(m->device, m->classifier, step, m->arena, &m->step));
    EBM_TRY(ebm_optimizer_create(m->device, ebm_classifier_parameters(m->classifier), &adamw, m->arena, &m->optimizer));
    size_t count = ebm_classifier_arenas(m->classifier, arenas);
    arenas[count++] = m->arena;
    EBM_TRY(ebm_arena_plan(m->device, arenas, count, "take a smaller batch"));
    EBM_TRY(ebm_classifier_allocate(m->classifier));
    EBM_TRY(ebm_arena_allocate(m->arena));
    return load_all(m, directory);
}

static ebm_status open_model(model *m, const char *directory, const char *batch, ebm_step_settings *set,
                             ebm_energy_kind energy)
{
    EBM_TRY(ebm_device_open(NULL, &m->device));
    EBM_TRY(ebm_config_load(directory, &m->config));
    EBM_TRY(probe_batch_read(batch, &m->batch));
    set->limits = (ebm_limits){m->batch.tokens, m->batch.count, true};
    set->nce_weight = 1;
    return create_model(m, directory, set, energy);
}

// ce|ENERGY K separate|shared
static ebm_status read_settings(char **arguments, ebm_step_settings *set, ebm_energy_kind *energy)
{
    *set = (ebm_step_settings){.noise_ratio = atoi(arguments[1])};
    set->nce_data = strcmp(arguments[2], "shared") == 0 ? EBM_NCE_SHARED : EBM_NCE_SEPARATE;
    if (strcmp(arguments[0], "ce") == 0) return ebm_ok();
    set->objective = EBM_OBJECTIVE_JOINT;
    return ebm_energy_parse(arguments[0], energy);
}

static ebm_status with_energy(const char *directory, const char *batch, ebm_energy_kind kind, probe_answer *answer)
{
    model m = {0};
    ebm_step_settings set = {.objective = EBM_OBJECTIVE_JOINT, .noise_ratio = 1};
    const ebm_run run = {0};
    ebm_batch packed;
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, directory, batch, &set, kind), end);
    EBM_CHECK(probe_batch_pack(&m.batch, ebm_step_packing(m.step), &packed), end);
    EBM_CHECK(ebm_classifier_forward(m.classifier, &packed, &run), end);
    if (kind == EBM_ENERGY_SCALAR)
        probe_answer_add(answer, m.device, "logits", ebm_classifier_logits(m.classifier), m.batch.count,
                         m.config->label_count);
    probe_answer_add(answer, m.device, ebm_energy_name(kind), ebm_classifier_energy(m.classifier), m.batch.count, 1);
end:
    close_model(&m);
    return status;
}

ebm_status probe_outputs(char **arguments)
{
    static const ebm_energy_kind KINDS[] = {EBM_ENERGY_SCALAR, EBM_ENERGY_HIDDEN, EBM_ENERGY_SHARP_HIDDEN};
    probe_answer answer = {.path = arguments[2]};
    ebm_status status = ebm_ok();
    for (size_t i = 0; status.code == EBM_OK && i < sizeof KINDS / sizeof *KINDS; i++)
        status = with_energy(arguments[0], arguments[1], KINDS[i], &answer);
    return probe_answer_finish(&answer, status);
}

ebm_status probe_gradients(char **arguments)
{
    model m = {0};
    ebm_step_settings set;
    ebm_step_result result;
    ebm_energy_kind energy = EBM_ENERGY_HIDDEN;
    const ebm_run run = {true, 1, 0};
    EBM_TRY(read_settings(arguments + 3, &set, &energy));
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1], &set, energy), end);
    EBM_CHECK(divide_texts(&m, &set), end);
    EBM_CHECK(ebm_step_gradients(m.step, &m.texts, &run, &result), end);
    printf("%.9g\n%.9g\n%.9g\n", result.loss, result.cross_entropy, result.nce);
    status = ebm_parameters_save(ebm_classifier_parameters(m.classifier), EBM_PART_GRADIENT, arguments[2], "", NULL);
end:
    close_model(&m);
    return status;
}

static ebm_status train(model *m)
{
    for (uint32_t step = 0; step < PROBE_STEPS; step++) {
        const ebm_run run = {true, 1, step};
        ebm_step_result result;
        double norm;
        EBM_TRY(ebm_step_gradients(m->step, &m->texts, &run, &result));
        EBM_TRY(ebm_optimizer_step(m->optimizer, probe_rate(step), step + 1, true));
        EBM_TRY(ebm_optimizer_norm(m->optimizer, &norm));
        printf("%.9g\n", result.loss);
    }
    return ebm_ok();
}

ebm_status probe_train(char **arguments)
{
    model m = {0};
    ebm_step_settings set;
    ebm_energy_kind energy = EBM_ENERGY_HIDDEN;
    EBM_TRY(read_settings(arguments + 3, &set, &energy));
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1], &set, energy), end);
    EBM_CHECK(divide_texts(&m, &set), end);
    EBM_CHECK(train(&m), end);
    status = ebm_parameters_save(ebm_classifier_parameters(m.classifier), EBM_PART_WEIGHT, arguments[2], "", NULL);
end:
    close_model(&m);
    return status;
}
