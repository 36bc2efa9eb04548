// ebmcl calibrate: fits a temperature on held-out texts and stores it beside the model, or in the weights of a copy.
#include <stdio.h>
#include <stdlib.h>

#include "calibration.h"
#include "folded_model.h"
#include "json_output.h"
#include "model_card.h"
#include "program.h"
#include "scored_texts.h"

typedef struct {
    ebm_model_options model;
    int portion;
    int64_t seed;
    const char *output_dir;
    bool fold, overwrite, json;
} calibrate_options;

static const char *const PORTIONS[] = EBM_PORTION_CHOICES;

#define AT(member) offsetof(calibrate_options, member)
static const ebm_option OPTIONS[] = {
    EBM_MODEL_OPTIONS(calibrate_options, model),
    {"split", EBM_OPTION_ENUM, AT(portion), "all", .help = "Which of the texts", .choices = PORTIONS},
    {"seed", EBM_OPTION_INT, AT(seed), "0", .help = "Of random halves", .least = 0, .most = 9e15},
    {"fold_temperature", EBM_OPTION_FLAG, AT(fold), NULL,
     .help = "Write a copy of the model to --output_dir with the last layer divided by the temperature, so that any"
             " tool's softmax is calibrated"},
    {"output_dir", EBM_OPTION_STRING, AT(output_dir), NULL, .help = "Where --fold_temperature writes"},
    {"overwrite_output_dir", EBM_OPTION_FLAG, AT(overwrite), NULL, .help = "Replace what an output_dir in use holds"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl calibrate",
    "Fits a temperature by NLL on texts the model was not trained on, and writes calibration.json beside the model or,"
    " with --fold_temperature, a copy of the model that holds it in its weights.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

static ebm_status print_json(const calibrate_options *o, const ebm_temperature *fit, const char *note)
{
    json_t *object =
        json_pack("{s:s, s:f, s:f, s:f, s:I, s:s, s:s, s:b}", "model_name_or_path", o->model.directory, "temperature",
                  fit->temperature, "nll_before", fit->nll_before, "nll_after", fit->nll_after, "examples",
                  (json_int_t)fit->examples, "fitted_on", fit->fitted_on, "note", note, "folded", o->fold);
    if (object && o->fold) json_object_set_new(object, "output_dir", json_string(o->output_dir));
    return ebm_program_print_json(object);
}

static ebm_status print(const calibrate_options *o, const ebm_temperature *fit, const char *note)
{
    if (o->json) return print_json(o, fit, note);
    printf("temperature %.4f from %zu examples (%s)\nNLL %.4f before, %.4f after\n", fit->temperature, fit->examples,
           fit->fitted_on, fit->nll_before, fit->nll_after);
    if (*note) printf("note: %s\n", note);
    if (o->fold)
        printf("a model with it in its weights was written to %s\n", o->output_dir);
    else
        printf("stored in %s/%s; eval and predict use it with --calibrated\n", o->model.directory,
               EBM_CALIBRATION_FILE);
    return ebm_ok();
}

// What cannot be written is found before the model runs, not after.
static ebm_status check_output(const calibrate_options *o)
{
    if (o->fold && !o->output_dir)
        return ebm_fail(EBM_ERROR_INPUT, "--fold_temperature needs --output_dir: the model itself stays as it is");
    if (!o->fold && (o->output_dir || o->overwrite))
        return ebm_fail(EBM_ERROR_INPUT,
                        "--%s is for --fold_temperature; without it calibration.json is written"
                        " beside the model",
                        o->output_dir ? "output_dir" : "overwrite_output_dir");
    if (o->fold) return ebm_ok();
    EBM_TRY(ebm_model_card_check(o->model.directory));
    char *path = ebm_path_join(o->model.directory, EBM_CALIBRATION_FILE);
    ebm_file_writer *writer = NULL;
    const ebm_status status = ebm_directory_exists(o->model.directory)
                                  ? ebm_file_writer_open(path, &writer)
                                  : ebm_ok(); // the model's absence is told when it is opened
    ebm_file_writer_free(writer);
    free(path);
    return status;
}

static ebm_status fit_temperature(const calibrate_options *o, ebm_scored_texts *scored, ebm_temperature *fit)
{
    const ebm_text_choice choice = {EBM_SPLIT_DEV, true, (ebm_portion)o->portion, (uint64_t)o->seed};
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, scored));
    EBM_TRY(ebm_temperature_fit(&scored->predictions, fit));
    snprintf(fit->fitted_on, sizeof fit->fitted_on, "%.255s", scored->name);
    return ebm_ok();
}

static ebm_status fold(const calibrate_options *o, ebm_scored_texts *scored, ebm_temperature *fit)
{
    ebm_directory_writer *writer = NULL;
    EBM_TRY(ebm_program_folded_open(o->model.directory, o->output_dir, o->overwrite, &writer));
    ebm_status status = fit_temperature(o, scored, fit);
    if (status.code == EBM_OK)
        status = ebm_program_folded_write(scored, fit, o->model.directory, o->output_dir, writer);
    if (status.code == EBM_OK) status = ebm_directory_writer_finish(writer, o->overwrite);
    ebm_directory_writer_free(writer);
    return status;
}

static ebm_status update_card(const char *directory)
{
    bool updated = false;
    EBM_TRY(ebm_model_card_update(directory, &updated));
    if (updated) ebm_program_say("the model card tells the temperature now: %s/%s", directory, EBM_CARD_FILE);
    return ebm_ok();
}

static ebm_status run(const calibrate_options *o, ebm_scored_texts *scored)
{
    ebm_temperature fit;
    char note[256];
    EBM_TRY(check_output(o));
    if (o->fold) {
        EBM_TRY(fold(o, scored, &fit));
    } else {
        EBM_TRY(fit_temperature(o, scored, &fit));
        EBM_TRY(ebm_temperature_save(o->model.directory, &fit));
        EBM_TRY(update_card(o->model.directory));
    }
    ebm_temperature_note(&fit, note, sizeof note);
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
