// ebmcl eval: accuracy and calibration of a model on labelled texts, or of predictions that any program has written.
#include <math.h>

#include "eval_method.h"
#include "json_output.h"
#include "program.h"
#include "report_internal.h"
#include "scored_texts.h"
#include "suite_report.h"

enum { DIAGRAM_BINS = 10 };

typedef struct {
    ebm_model_options model;
    ebm_string_list predictions, baseline, ood_predictions, annotators;
    const char *labels_file, *annotator_counts, *ood_file;
    int portion, scores, swap_halves;
    double temperature;
    bool calibrated, fit_temperature, average_seeds, full, json;
    size_t bins, resamples;
    int64_t seed;
} eval_options;

static const char *const PORTIONS[] = EBM_PORTION_CHOICES;
static const char *const SCORES[] = {"auto", "logits", "probabilities", NULL}; // as ebm_score_kind
enum { SWAP_NONE, SWAP_FILE, SWAP_RANDOM };
static const char *const SWAPS[] = {"none", "file", "random", NULL};

#define AT(member) offsetof(eval_options, member)
static const ebm_option OPTIONS[] = {
    EBM_MODEL_OPTIONS_IF(eval_options, model, false),
    {"predictions", EBM_OPTION_LIST, AT(predictions), NULL,
     .help = "Instead of a model: predictions with labels, one file a seed: .csv or .tsv (columns logit_X or "
             "prob_X, label), .jsonl (logits or probabilities, label) or .npy"},
    {"labels_file", EBM_OPTION_STRING, AT(labels_file), NULL,
     .help = "True labels of --predictions, where they are not in it: .npy, or a table with a column of labels"},
    {"scores", EBM_OPTION_ENUM, AT(scores), "auto",
     .help = "What an .npy of --predictions holds, or which count where a table has both", .choices = SCORES},
    {"annotator_counts", EBM_OPTION_STRING, AT(annotator_counts), NULL,
     .help = "How many annotators gave each label, .npy, where --predictions do not say it (implies --full)"},
    {"annotator_columns", EBM_OPTION_LIST, AT(annotators), NULL,
     .help =
         "With a model: columns of the texts' file with a label by one annotator each, or a list of .jsonl (implies "
         "--full)"},
    {"baseline", EBM_OPTION_LIST, AT(baseline), NULL,
     .help = "Predictions of another method on the same examples, one a seed: differences with paired intervals"},
    {"average_seeds", EBM_OPTION_FLAG, AT(average_seeds), NULL,
     .help =
         "Average the probabilities of --predictions' files (and those of --baseline) into one set: a deep ensemble"},
    {"ood_predictions", EBM_OPTION_LIST, AT(ood_predictions), NULL,
     .help = "With --predictions: those on texts of another distribution, to be told apart (implies --full)"},
    {"ood_file", EBM_OPTION_STRING, AT(ood_file), NULL,
     .help = "With a model: texts of another distribution, to be told apart (implies --full)"},
    {"split", EBM_OPTION_ENUM, AT(portion), "all", .help = "Which of the texts", .choices = PORTIONS},
    {"swap_halves", EBM_OPTION_ENUM, AT(swap_halves), "none",
     .help = "Measure each half, in the file's order or drawn by --seed, and print means of both", .choices = SWAPS},
    {"fit_temperature", EBM_OPTION_FLAG, AT(fit_temperature), NULL,
     .help = "With --swap_halves: each half at the temperature fitted on the other"},
    EBM_TEMPERATURE_OPTIONS(eval_options, temperature, calibrated),
    {"full", EBM_OPTION_FLAG, AT(full), NULL,
     .help = "More errors of calibration, selective prediction, detection of errors; takes some seconds"},
    {"bins", EBM_OPTION_SIZE, AT(bins), "20", .help = "Bins of the calibration errors", .least = 1,
     .most = EBM_BINS_MOST},
    {"bootstrap_samples", EBM_OPTION_SIZE, AT(resamples), "1000", .help = "For the 95 % intervals; 0: none", .least = 0,
     .most = 1e6},
    {"seed", EBM_OPTION_INT, AT(seed), "0", .help = "Of intervals, floors and random halves", .least = 0, .most = 9e15},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl eval",
    "Accuracy and calibration of a model on --test_file, --validation_file or a task's development set, or of "
    "--predictions.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

// What is measured, of which source, and what came out.
typedef struct {
    const eval_options *o;
    double temperature;
    ebm_scored_texts texts, others; // of the model
    eval_method method, baseline;
    ebm_suite suite, baseline_suite, difference;
} evaluation;

// ---- options

static ebm_status refuse(bool given, const char *name, const char *with)
{
    return given ? ebm_fail(EBM_ERROR_INPUT, "%s cannot be given with %s", name, with) : ebm_ok();
}

static ebm_status needs(bool given, bool other, const char *name, const char *with)
{
    return given && !other ? ebm_fail(EBM_ERROR_INPUT, "%s needs %s", name, with) : ebm_ok();
}

static bool names_texts(const ebm_data_options *data)
{
    return data->task_name || data->data_dir || data->train_file || data->validation_file || data->test_file;
}

static ebm_status check_options(const eval_options *o)
{
    const bool files = o->predictions.count > 0;
    if (!files && !o->model.directory)
        return ebm_fail(EBM_ERROR_INPUT, "--model_name_or_path or --predictions: expected one of them, found neither");
    EBM_TRY(refuse(files && o->model.directory, "--predictions", "--model_name_or_path"));
    EBM_TRY(refuse(files && names_texts(&o->model.data), "a file or task of texts", "--predictions"));
    EBM_TRY(refuse(files && o->calibrated, "--calibrated", "--predictions"));
    EBM_TRY(needs(o->labels_file, files, "--labels_file", "--predictions"));
    EBM_TRY(needs(o->annotator_counts, files, "--annotator_counts", "--predictions"));
    EBM_TRY(needs(o->average_seeds, files, "--average_seeds", "--predictions"));
    EBM_TRY(refuse(files && o->model.ensemble.count, "--ensemble", "--predictions"));
    EBM_TRY(refuse(files && o->model.mc_dropout, "--mc_dropout", "--predictions"));
    EBM_TRY(needs(o->baseline.count > 0, files, "--baseline", "--predictions"));
    EBM_TRY(needs(o->ood_predictions.count > 0, files, "--ood_predictions", "--predictions"));
    EBM_TRY(needs(o->ood_file, o->model.directory, "--ood_file", "--model_name_or_path"));
    EBM_TRY(needs(o->annotators.count > 0, o->model.directory, "--annotator_columns", "--model_name_or_path"));
    EBM_TRY(needs(o->fit_temperature, o->swap_halves != SWAP_NONE, "--fit_temperature", "--swap_halves"));
    return refuse(o->swap_halves != SWAP_NONE && o->portion != EBM_PORTION_ALL, "--split", "--swap_halves");
}

static bool wants_all(const eval_options *o)
{
    return o->full || o->ood_file || o->ood_predictions.count || o->annotator_counts || o->annotators.count;
}

// One set of predictions: the short table and a diagram. Otherwise means over seeds and halves, in one table.
static bool is_single(const eval_options *o)
{
    return (o->predictions.count <= 1 || o->average_seeds) && !o->baseline.count && o->swap_halves == SWAP_NONE;
}

// ---- sources

static ebm_status run_model(evaluation *e)
{
    const eval_options *o = e->o;
    const ebm_text_choice choice = {EBM_SPLIT_DEV, true, (ebm_portion)o->portion, (uint64_t)o->seed, o->annotators};
    const ebm_text_choice all = {.split = EBM_SPLIT_TEST, .portion = EBM_PORTION_ALL};
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, &e->texts));
    EBM_TRY(ebm_scored_texts_calibrate(&e->texts, &o->model, o->calibrated));
    const bool averaged = !ebm_averaging_is_none(&e->texts.averaging);
    if (!o->ood_file) return eval_method_add(&e->method, &e->texts.predictions, e->texts.annotations, NULL, averaged);
    ebm_model_options model = o->model;
    model.data.task_name = model.data.data_dir = model.data.train_file = model.data.validation_file = NULL;
    model.data.test_file = o->ood_file;
    model.label_map = (ebm_string_list){0};
    EBM_TRY(ebm_scored_texts_create(&model, &all, &e->others));
    EBM_TRY(ebm_scored_texts_calibrate(&e->others, &model, o->calibrated));
    return eval_method_add(&e->method, &e->texts.predictions, e->texts.annotations, &e->others.predictions, averaged);
}

static ebm_status read_files(evaluation *e)
{
    const eval_options *o = e->o;
    eval_files files = {.predictions = o->predictions,
                        .others = o->ood_predictions,
                        .labels = o->labels_file,
                        .counts = o->annotator_counts,
                        .label_column = o->model.data.label_column,
                        .scores = (ebm_score_kind)o->scores};
    EBM_TRY(eval_method_read(&files, &e->method));
    if (o->average_seeds) EBM_TRY(eval_method_average(&e->method));
    if (!o->baseline.count) return ebm_ok();
    files.predictions = o->baseline;
    files.others = (ebm_string_list){0};
    EBM_TRY(ebm_in(eval_method_read(&files, &e->baseline), "--baseline"));
    return o->average_seeds ? ebm_in(eval_method_average(&e->baseline), "--baseline") : ebm_ok();
}

// A model's texts have been split before it saw them.
static ebm_status divide(evaluation *e)
{
    const eval_options *o = e->o;
    const bool random = o->swap_halves == SWAP_RANDOM;
    eval_division d = {.halves = 1, .seed = (uint64_t)o->seed, .temperature = e->temperature};
    d.portion = o->model.directory ? EBM_PORTION_ALL : (ebm_portion)o->portion;
    d.fit_temperature = o->fit_temperature;
    if (o->swap_halves != SWAP_NONE) {
        d.halves = 2;
        d.portion = random ? EBM_PORTION_RANDOM_FIRST_HALF : EBM_PORTION_FIRST_HALF;
        d.second = random ? EBM_PORTION_RANDOM_SECOND_HALF : EBM_PORTION_SECOND_HALF;
    }
    EBM_TRY(eval_method_divide(&e->method, &d));
    return o->baseline.count ? eval_method_divide(&e->baseline, &d) : ebm_ok();
}

static ebm_suite_options suite_options(const eval_options *o)
{
    ebm_suite_options options = ebm_suite_defaults();
    options.sections = wants_all(o) ? EBM_SUITE_ALL : EBM_SUITE_METRICS;
    if (is_single(o)) options.sections &= ~EBM_SUITE_METRICS;
    options.bins = (int)o->bins;
    options.resamples = (int)o->resamples;
    options.seed = (uint64_t)o->seed;
    return options;
}

static void print_source(const evaluation *e)
{
    const ebm_string_list *files = &e->o->predictions;
    char text[200];
    if (e->o->model.directory) {
        printf("%s\n", e->texts.source);
        if (e->texts.calibration) printf("calibrated: %s\n", e->texts.calibration);
        if (!ebm_averaging_is_none(&e->texts.averaging))
            printf("probabilities: %s\n", ebm_averaging_text(&e->texts.averaging, text, sizeof text));
        return;
    }
    printf("%s", files->items[0]);
    if (files->count > 1) printf(" and %zu more", files->count - 1);
    printf("%s, %s\n", e->o->average_seeds ? ", averaged" : "", PORTIONS[e->o->portion]);
}

static void add_list(json_t *object, const char *key, const ebm_string_list *list)
{
    json_t *items = json_array();
    for (size_t i = 0; i < list->count; i++) json_array_append_new(items, json_string(list->items[i]));
    json_object_set_new(object, key, items);
}

static void add_source(json_t *object, const evaluation *e)
{
    const eval_options *o = e->o;
    if (o->model.directory) {
        json_object_set_new(object, "model_name_or_path", json_string(o->model.directory));
        json_object_set_new(object, "source", json_string(e->texts.source));
        if (e->texts.calibration) json_object_set_new(object, "calibration", json_string(e->texts.calibration));
        ebm_scored_texts_tell(&o->model, object);
    } else {
        add_list(object, "predictions", &o->predictions);
        if (o->average_seeds) json_object_set_new(object, "average_seeds", json_true());
    }
    json_object_set_new(object, "split", json_string(PORTIONS[o->portion]));
}

// ---- one set of predictions

static json_t *reliability_rows(const ebm_reliability_bin *bin, const ebm_interval *chance)
{
    json_t *rows = ebm_reliability_list(bin, DIAGRAM_BINS);
    for (size_t b = 0; rows && b < DIAGRAM_BINS; b++) {
        json_t *row = json_array_get(rows, b);
        const bool none = isnan(chance[b].low);
        json_object_set_new(row, "chance_low", none ? json_null() : json_real(chance[b].low));
        json_object_set_new(row, "chance_high", none ? json_null() : json_real(chance[b].high));
    }
    return rows;
}

static ebm_status print_single_json(const evaluation *e, const ebm_evaluation *basic, const ebm_reliability_bin *bin,
                                    const ebm_interval *chance)
{
    json_t *object = ebm_evaluation_object(basic), *more = ebm_suite_object(&e->suite);
    const bool failed = !object || !more || json_object_update(object, more) != 0;
    json_decref(more);
    if (failed) {
        json_decref(object);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the result");
    }
    add_source(object, e);
    json_object_set_new(object, "reliability", reliability_rows(bin, chance));
    return ebm_program_print_json(object);
}

static ebm_status print_single(const evaluation *e, const ebm_evaluation *basic, const ebm_reliability_bin *bin,
                               const ebm_interval *chance)
{
    print_source(e);
    EBM_TRY(ebm_evaluation_print(stdout, basic));
    if (e->suite.count) putchar('\n');
    EBM_TRY(ebm_suite_print(stdout, &e->suite));
    putchar('\n');
    return ebm_reliability_print_consistency(stdout, bin, chance, DIAGRAM_BINS);
}

static ebm_status measure_single(evaluation *e)
{
    const ebm_suite_part *part = e->method.part;
    const ebm_suite_options options = suite_options(e->o);
    ebm_evaluation_options how = ebm_evaluation_defaults();
    ebm_reliability_bin bin[DIAGRAM_BINS];
    ebm_interval chance[DIAGRAM_BINS];
    ebm_evaluation basic;
    how.temperature = part->temperature;
    how.bins = options.bins;
    how.resamples = options.resamples;
    how.seed = options.seed;
    EBM_TRY(ebm_evaluate(&part->predictions, &how, &basic));
    EBM_TRY(ebm_reliability_measure(&part->predictions, part->temperature, DIAGRAM_BINS, bin));
    EBM_TRY(ebm_reliability_consistency(&part->predictions, part->temperature, DIAGRAM_BINS, how.redraws, how.seed,
                                        chance));
    if (options.sections) EBM_TRY(ebm_suite_measure(&e->method.runs, &options, &e->suite));
    return e->o->json ? print_single_json(e, &basic, bin, chance) : print_single(e, &basic, bin, chance);
}

// ---- seeds, halves, a baseline

static json_t *means_object(const evaluation *e)
{
    const ebm_suite *s = &e->suite;
    json_t *object = ebm_suite_object(s);
    json_t *what = json_pack("{s:I, s:i, s:i, s:i, s:s, s:i, s:i, s:i, s:I}", "examples", (json_int_t)s->examples,
                             "labels", s->labels, "seeds", s->seeds, "halves", s->halves, "swap_halves",
                             SWAPS[e->o->swap_halves], "bins", s->options.bins, "resamples", s->options.resamples,
                             "redraws", s->options.redraws, "seed", (json_int_t)s->options.seed);
    const bool made = object && what && json_object_update(object, what) == 0;
    json_decref(what);
    if (made) return object;
    json_decref(object);
    return NULL;
}

static ebm_status print_means_json(const evaluation *e)
{
    json_t *object = means_object(e);
    if (!object) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the result");
    add_source(object, e);
    if (e->o->baseline.count) {
        json_t *baseline = ebm_suite_object(&e->baseline_suite);
        if (baseline) add_list(baseline, "predictions", &e->o->baseline);
        json_object_set_new(object, "baseline", baseline);
        json_object_set_new(object, "difference", ebm_suite_object(&e->difference));
    }
    return ebm_program_print_json(object);
}

static ebm_status print_means(const evaluation *e)
{
    print_source(e);
    EBM_TRY(ebm_suite_print(stdout, &e->suite));
    if (!e->o->baseline.count) return ebm_ok();
    printf("\nbaseline: %s\n", e->o->baseline.items[0]);
    EBM_TRY(ebm_suite_print(stdout, &e->baseline_suite));
    printf("\nless the baseline\n");
    return ebm_suite_print(stdout, &e->difference);
}

static ebm_status measure_means(evaluation *e)
{
    const ebm_suite_options options = suite_options(e->o);
    EBM_TRY(ebm_suite_measure(&e->method.runs, &options, &e->suite));
    if (e->o->baseline.count) {
        EBM_TRY(ebm_suite_measure(&e->baseline.runs, &options, &e->baseline_suite));
        EBM_TRY(ebm_suite_compare(&e->method.runs, &e->baseline.runs, &options, &e->difference));
    }
    return e->o->json ? print_means_json(e) : print_means(e);
}

// ---- the command

static ebm_status run(evaluation *e)
{
    EBM_TRY(e->o->model.directory ? run_model(e) : read_files(e));
    EBM_TRY(divide(e));
    return is_single(e->o) ? measure_single(e) : measure_means(e);
}

static void evaluation_free(evaluation *e)
{
    ebm_suite_free(&e->suite);
    ebm_suite_free(&e->baseline_suite);
    ebm_suite_free(&e->difference);
    eval_method_free(&e->method);
    eval_method_free(&e->baseline);
    ebm_scored_texts_free(&e->others);
    ebm_scored_texts_free(&e->texts);
}

ebm_status ebm_command_eval(int argc, char **argv)
{
    eval_options o;
    ebm_options *parsed = NULL;
    evaluation e = {.o = &o, .temperature = 1};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = check_options(&o);
    if (status.code == EBM_OK && !done)
        status = ebm_program_temperature(&o.model, parsed, o.calibrated, o.temperature, &e.temperature);
    if (status.code == EBM_OK && !done) status = run(&e);
    evaluation_free(&e);
    ebm_options_free(parsed);
    return status;
}
