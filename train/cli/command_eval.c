// ebmcl eval: accuracy and calibration of a model on labelled texts.
#include <math.h>

#include "json_output.h"
#include "program.h"
#include "report_internal.h"
#include "scored_texts.h"

enum { DIAGRAM_BINS = 10 };

typedef struct {
    ebm_model_options model;
    int portion;
    double temperature;
    bool calibrated, json;
    size_t bins, resamples;
    int64_t seed;
} eval_options;

static const char *const PORTIONS[] = EBM_PORTION_CHOICES;

#define AT(member) offsetof(eval_options, member)
static const ebm_option OPTIONS[] = {
    EBM_MODEL_OPTIONS(eval_options, model),
    {"split", EBM_OPTION_ENUM, AT(portion), "all", .help = "Which of the texts", .choices = PORTIONS},
    EBM_TEMPERATURE_OPTIONS(eval_options, temperature, calibrated),
    {"bins", EBM_OPTION_SIZE, AT(bins), "20", .help = "Bins of the calibration errors", .least = 1,
     .most = EBM_BINS_MOST},
    {"bootstrap_samples", EBM_OPTION_SIZE, AT(resamples), "1000", .help = "For the 95 % intervals; 0: none", .least = 0,
     .most = 1e6},
    {"seed", EBM_OPTION_INT, AT(seed), "0", .help = "Of intervals, floors and random halves", .least = 0, .most = 9e15},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl eval", "Accuracy and calibration on --test_file, --validation_file or a task's development set.", OPTIONS,
    sizeof OPTIONS / sizeof *OPTIONS};

static ebm_status print_json(const eval_options *o, const ebm_scored_texts *s, const ebm_evaluation *e,
                             const ebm_reliability_bin *bin)
{
    json_t *object = ebm_evaluation_object(e);
    if (!object) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the result");
    json_object_set_new(object, "model_name_or_path", json_string(o->model.directory));
    json_object_set_new(object, "source", json_string(s->source));
    json_object_set_new(object, "split", json_string(PORTIONS[o->portion]));
    if (s->calibration) json_object_set_new(object, "calibration", json_string(s->calibration));
    json_object_set_new(object, "reliability", ebm_reliability_list(bin, DIAGRAM_BINS));
    return ebm_program_print_json(object);
}

static ebm_status print_text(const ebm_scored_texts *s, const ebm_evaluation *e, const ebm_reliability_bin *bin)
{
    printf("%s\n", s->source);
    if (s->calibration) printf("calibrated: %s\n", s->calibration);
    EBM_TRY(ebm_evaluation_print(stdout, e));
    putchar('\n');
    return ebm_reliability_print(stdout, bin, DIAGRAM_BINS);
}

static ebm_status run(const eval_options *o, double temperature, ebm_scored_texts *scored)
{
    const ebm_text_choice choice = {EBM_SPLIT_DEV, true, (ebm_portion)o->portion, (uint64_t)o->seed};
    ebm_evaluation_options how = ebm_evaluation_defaults();
    ebm_reliability_bin bin[DIAGRAM_BINS];
    ebm_evaluation e;
    how.temperature = temperature;
    how.bins = (int)o->bins;
    how.resamples = (int)o->resamples;
    how.seed = (uint64_t)o->seed;
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, scored));
    EBM_TRY(ebm_scored_texts_calibrate(scored, &o->model, o->calibrated));
    EBM_TRY(ebm_evaluate(&scored->predictions, &how, &e));
    EBM_TRY(ebm_reliability_measure(&scored->predictions, temperature, DIAGRAM_BINS, bin));
    return o->json ? print_json(o, scored, &e, bin) : print_text(scored, &e, bin);
}

ebm_status ebm_command_eval(int argc, char **argv)
{
    eval_options o;
    ebm_options *parsed = NULL;
    ebm_scored_texts scored = {0};
    double temperature = 1;
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done)
        status = ebm_program_temperature(&o.model, parsed, o.calibrated, o.temperature, &temperature);
    if (status.code == EBM_OK && !done) status = run(&o, temperature, &scored);
    ebm_scored_texts_free(&scored);
    ebm_options_free(parsed);
    return status;
}
