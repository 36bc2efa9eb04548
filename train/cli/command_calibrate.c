// ebmcl calibrate: fits a temperature on held-out texts and stores it beside the model.
#include <stdio.h>

#include "calibration.h"
#include "json_output.h"
#include "program.h"
#include "scored_texts.h"

typedef struct {
    ebm_model_options model;
    int portion;
    int64_t seed;
    bool json;
} calibrate_options;

static const char *const PORTIONS[] = EBM_PORTION_CHOICES;

#define AT(member) offsetof(calibrate_options, member)
static const ebm_option OPTIONS[] = {
    EBM_MODEL_OPTIONS(calibrate_options, model),
    {"split", EBM_OPTION_ENUM, AT(portion), "all", .help = "Which of the texts", .choices = PORTIONS},
    {"seed", EBM_OPTION_INT, AT(seed), "0", .help = "Of random halves", .least = 0, .most = 9e15},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl calibrate",
    "Fits a temperature by NLL on texts the model was not trained on, and writes calibration.json beside the model.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

static ebm_status print(const calibrate_options *o, const ebm_temperature *fit, const char *note)
{
    if (o->json)
        return ebm_program_print_json(json_pack("{s:s, s:f, s:f, s:f, s:I, s:s, s:s}", "model_name_or_path",
                                                o->model.directory, "temperature", fit->temperature, "nll_before",
                                                fit->nll_before, "nll_after", fit->nll_after, "examples",
                                                (json_int_t)fit->examples, "fitted_on", fit->fitted_on, "note", note));
    printf("temperature %.4f from %zu examples (%s)\nNLL %.4f before, %.4f after\n", fit->temperature, fit->examples,
           fit->fitted_on, fit->nll_before, fit->nll_after);
    if (*note) printf("note: %s\n", note);
    printf("stored in %s/%s; eval and predict use it with --calibrated\n", o->model.directory, EBM_CALIBRATION_FILE);
    return ebm_ok();
}

static ebm_status run(const calibrate_options *o, ebm_scored_texts *scored)
{
    const ebm_text_choice choice = {EBM_SPLIT_DEV, true, (ebm_portion)o->portion, (uint64_t)o->seed};
    ebm_temperature fit;
    char note[256];
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, scored));
    EBM_TRY(ebm_temperature_fit(&scored->predictions, &fit));
    snprintf(fit.fitted_on, sizeof fit.fitted_on, "%s", scored->source);
    ebm_temperature_note(&fit, note, sizeof note);
    EBM_TRY(ebm_temperature_save(o->model.directory, &fit));
    return print(o, &fit, note);
}

ebm_status ebm_command_calibrate(int argc, char **argv)
{
    calibrate_options o;
    ebm_options *parsed = NULL;
    ebm_scored_texts scored = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&o, &scored);
    ebm_scored_texts_free(&scored);
    ebm_options_free(parsed);
    return status;
}
