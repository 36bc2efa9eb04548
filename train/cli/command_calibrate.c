// ebmcl calibrate: fits a calibrator on held-out texts and stores it beside the model, or in the weights of a copy; or
// compares all of them.
#include <stdio.h>
#include <stdlib.h>

#include "calibrator.h"
#include "calibrator_comparison.h"
#include "folded_model.h"
#include "json_output.h"
#include "model_card.h"
#include "program.h"
#include "scored_texts.h"

typedef struct {
    ebm_model_options model;
    int portion, method;
    int64_t seed;
    size_t bins, ece_bins;
    double regularization;
    const char *output_dir;
    bool fold_temperature, fold_calibrator, overwrite, json;
} calibrate_options;

static const char *const PORTIONS[] = EBM_PORTION_CHOICES;
static const char *const METHODS[] = {EBM_CALIBRATOR_NAMES, "all", NULL};
enum { ALL = EBM_CALIBRATORS };

#define AT(member) offsetof(calibrate_options, member)
static const ebm_option OPTIONS[] = {
    EBM_MODEL_OPTIONS(calibrate_options, model),
    {"split", EBM_OPTION_ENUM, AT(portion), "all",
     .help = "Which of the texts; with --method all the half that is fitted on, the other one judges",
     .choices = PORTIONS},
    {"seed", EBM_OPTION_INT, AT(seed), "0", .help = "Of random halves", .least = 0, .most = 9e15},
    {"method", EBM_OPTION_ENUM, AT(method), "temperature",
     .help = "The calibrator; all: a table of every one, fitted on one half and judged on the other, nothing is stored",
     .choices = METHODS},
    {"calibrator_bins", EBM_OPTION_SIZE, AT(bins), "10", .help = "Bins of histogram and scaling-binning", .least = 1,
     .most = EBM_BINS_MOST},
    {"bins", EBM_OPTION_SIZE, AT(ece_bins), "20",
     .help = "Bins of the calibration errors of --method temperature-ece and all", .least = 1, .most = EBM_BINS_MOST},
    {"regularization", EBM_OPTION_FLOAT, AT(regularization), "-1",
     .help = "Of vector and matrix; below 0: chosen by cross-validation", .least = -1, .most = 1e6},
    {"fold_temperature", EBM_OPTION_FLAG, AT(fold_temperature), NULL,
     .help = "Write a copy of the model to --output_dir with the last layer divided by the temperature, so that any"
             " tool's softmax is calibrated"},
    {"fold_calibrator", EBM_OPTION_FLAG, AT(fold_calibrator), NULL,
     .help = "The same for every --method that can be: temperature, temperature-ece, vector, matrix"},
    {"output_dir", EBM_OPTION_STRING, AT(output_dir), NULL, .help = "Where --fold_temperature writes"},
    {"overwrite_output_dir", EBM_OPTION_FLAG, AT(overwrite), NULL, .help = "Replace what an output_dir in use holds"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl calibrate",
    "Fits a calibrator, a temperature by NLL unless --method says otherwise, on texts the model was not trained on, and"
    " writes calibration.json beside the model or, with --fold_temperature or --fold_calibrator, a copy of the model"
    " that holds it in its weights.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

static bool folds(const calibrate_options *o) { return o->fold_temperature || o->fold_calibrator; }

static bool is_temperature(const calibrate_options *o)
{
    return o->method == EBM_CALIBRATOR_TEMPERATURE || o->method == EBM_CALIBRATOR_TEMPERATURE_ECE;
}

// The temperature that was fitted, also where it is in the weights by now; 0: the method is another.
static double fitted_temperature(const ebm_calibrator *calibrator)
{
    const ebm_temperature *t = ebm_calibrator_temperature(calibrator);
    return !t ? 0 : t->folded > 0 ? t->folded : t->temperature;
}

static ebm_status print_json(const calibrate_options *o, const ebm_calibrator *calibrator, const char *note)
{
    const ebm_calibrator_facts *f = ebm_calibrator_facts_of(calibrator);
    const double temperature = fitted_temperature(calibrator);
    json_t *object =
        json_pack("{s:s, s:s, s:f, s:f, s:I, s:s, s:s, s:b}", "model_name_or_path", o->model.directory, "method",
                  ebm_calibrator_name(f->kind), "nll_before", f->nll_before, "nll_after", f->nll_after, "examples",
                  (json_int_t)f->examples, "fitted_on", f->fitted_on, "note", note, "folded", folds(o));
    if (object && temperature > 0) json_object_set_new(object, "temperature", json_real(temperature));
    if (object && (f->kind == EBM_CALIBRATOR_VECTOR || f->kind == EBM_CALIBRATOR_MATRIX))
        json_object_set_new(object, "regularization", json_real(f->regularization));
    ebm_scored_texts_tell(&o->model, object);
    if (object && folds(o)) json_object_set_new(object, "output_dir", json_string(o->output_dir));
    return ebm_program_print_json(object);
}

static void print_method(const ebm_calibrator *calibrator)
{
    const ebm_calibrator_facts *f = ebm_calibrator_facts_of(calibrator);
    if (f->kind == EBM_CALIBRATOR_TEMPERATURE)
        printf("temperature %.4f", fitted_temperature(calibrator));
    else if (f->kind == EBM_CALIBRATOR_TEMPERATURE_ECE)
        printf("temperature %.4g by ECE", fitted_temperature(calibrator));
    else
        printf("%s", ebm_calibrator_name(f->kind));
    if (f->kind == EBM_CALIBRATOR_VECTOR || f->kind == EBM_CALIBRATOR_MATRIX)
        printf(", regularization %g,", f->regularization);
}

static ebm_status print(const calibrate_options *o, const ebm_calibrator *calibrator)
{
    const ebm_calibrator_facts *f = ebm_calibrator_facts_of(calibrator);
    char note[256];
    ebm_calibrator_note(calibrator, note, sizeof note);
    if (o->json) return print_json(o, calibrator, note);
    print_method(calibrator);
    printf(" from %zu examples (%s)\nNLL %.4f before, %.4f after\n", f->examples, f->fitted_on, f->nll_before,
           f->nll_after);
    if (*note) printf("note: %s\n", note);
    if (!ebm_averaging_is_none(&f->averaging)) printf("for %s\n", ebm_averaging_text(&f->averaging, note, sizeof note));
    if (folds(o))
        printf("a model with it in its weights was written to %s\n", o->output_dir);
    else
        printf("stored in %s/%s; eval and predict use it with --calibrated\n", o->model.directory,
               EBM_CALIBRATION_FILE);
    return ebm_ok();
}

static ebm_status check_energy(const calibrate_options *o)
{
    ebm_model_info info;
    if (is_temperature(o)) return ebm_ok();
    EBM_TRY(ebm_model_directory_info(o->model.directory, &info));
    if (info.objective != EBM_OBJECTIVE_JOINT || info.energy == EBM_ENERGY_SCALAR) return ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED,
                    "%s: its %s energy is a function of the logits, so only a temperature can be folded into it",
                    o->model.directory, ebm_energy_name(info.energy));
}

static ebm_status check_fold(const calibrate_options *o)
{
    const char *option = o->fold_calibrator ? "fold_calibrator" : "fold_temperature";
    if (o->method == ALL || !ebm_calibrator_is_affine((ebm_calibrator_kind)o->method))
        return ebm_fail(EBM_ERROR_INPUT,
                        "--%s: a last layer can hold temperature, temperature-ece, vector or matrix, not --method %s",
                        option, METHODS[o->method]);
    if (!o->fold_calibrator && !is_temperature(o))
        return ebm_fail(EBM_ERROR_INPUT, "--fold_temperature is for temperatures; --method %s takes --fold_calibrator",
                        METHODS[o->method]);
    if (o->model.mc_dropout > 0 || o->model.ensemble.count > 0)
        return ebm_fail(EBM_ERROR_INPUT, "--%s cannot be given with %s: the weights of one model hold no average",
                        option, o->model.mc_dropout > 0 ? "--mc_dropout" : "--ensemble");
    if (!o->output_dir)
        return ebm_fail(EBM_ERROR_INPUT, "--%s needs --output_dir: the model itself stays as it is", option);
    return check_energy(o);
}

// What cannot be written is found before the model runs, not after.
static ebm_status check_output(const calibrate_options *o)
{
    if (folds(o)) return check_fold(o);
    if (o->output_dir || o->overwrite)
        return ebm_fail(EBM_ERROR_INPUT,
                        "--%s is for --fold_temperature and --fold_calibrator; without them calibration.json is written"
                        " beside the model",
                        o->output_dir ? "output_dir" : "overwrite_output_dir");
    if (o->method == ALL) return ebm_ok();
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

static ebm_calibrator_options options_of(const calibrate_options *o)
{
    return (ebm_calibrator_options){(int)o->bins, (int)o->ece_bins, o->regularization};
}

static ebm_status fit(const calibrate_options *o, ebm_scored_texts *scored, ebm_calibrator **calibrator)
{
    const ebm_text_choice choice = {
        .split = EBM_SPLIT_DEV, .needs_labels = true, .portion = (ebm_portion)o->portion, .seed = (uint64_t)o->seed};
    const ebm_calibrator_options options = options_of(o);
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, scored));
    EBM_TRY(ebm_calibrator_fit(&scored->predictions, (ebm_calibrator_kind)o->method, &options, calibrator));
    ebm_calibrator_set_fitted_on(*calibrator, scored->name);
    ebm_calibrator_set_averaging(*calibrator, &scored->averaging);
    return ebm_ok();
}

static ebm_status fold(const calibrate_options *o, ebm_scored_texts *scored, ebm_calibrator **calibrator)
{
    ebm_directory_writer *writer = NULL;
    EBM_TRY(ebm_program_folded_open(o->model.directory, o->output_dir, o->overwrite, &writer));
    ebm_status status = fit(o, scored, calibrator);
    if (status.code == EBM_OK)
        status = ebm_program_folded_write(scored, *calibrator, o->model.directory, o->output_dir, writer);
    if (status.code == EBM_OK) status = ebm_directory_writer_finish(writer, o->overwrite);
    ebm_directory_writer_free(writer);
    return status;
}

static ebm_status update_card(const char *directory)
{
    bool updated = false;
    EBM_TRY(ebm_model_card_update(directory, &updated));
    if (updated) ebm_program_say("the model card tells the calibration now: %s/%s", directory, EBM_CARD_FILE);
    return ebm_ok();
}

static ebm_status fit_and_store(const calibrate_options *o, ebm_scored_texts *scored, ebm_calibrator **calibrator)
{
    if (folds(o)) return fold(o, scored, calibrator);
    EBM_TRY(fit(o, scored, calibrator));
    EBM_TRY(ebm_calibrator_save(o->model.directory, *calibrator));
    return update_card(o->model.directory);
}

static ebm_status compare(const calibrate_options *o, ebm_scored_texts *scored)
{
    const ebm_text_choice choice = {
        .split = EBM_SPLIT_DEV, .needs_labels = true, .portion = EBM_PORTION_ALL, .seed = (uint64_t)o->seed};
    const ebm_calibrator_options options = options_of(o);
    ebm_comparison comparison;
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, scored));
    EBM_TRY(
        ebm_comparison_run(&scored->predictions, (ebm_portion)o->portion, (uint64_t)o->seed, &options, &comparison));
    if (!o->json) {
        printf("%s\n", scored->source);
        ebm_comparison_print(&comparison);
        return ebm_ok();
    }
    json_t *object = ebm_comparison_object(&comparison);
    if (object) json_object_set_new(object, "model_name_or_path", json_string(o->model.directory));
    if (object) json_object_set_new(object, "source", json_string(scored->source));
    ebm_scored_texts_tell(&o->model, object);
    return ebm_program_print_json(object);
}

static ebm_status run(const calibrate_options *o, ebm_scored_texts *scored)
{
    ebm_calibrator *calibrator = NULL;
    EBM_TRY(check_output(o));
    if (o->method == ALL) return compare(o, scored);
    ebm_status status = fit_and_store(o, scored, &calibrator);
    if (status.code == EBM_OK) status = print(o, calibrator);
    ebm_calibrator_free(calibrator);
    return status;
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
