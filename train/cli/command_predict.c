// ebmcl predict: labels, probabilities and energies of texts, to a file.
#include <stdio.h>
#include <stdlib.h>

#include "json_output.h"
#include "prediction_file.h"
#include "program.h"
#include "scored_texts.h"

typedef struct {
    ebm_model_options model;
    const char *output_file;
    int format;
    double temperature;
    bool calibrated, json;
} predict_options;

static const char *const FORMATS[] = {"jsonl", "glue", NULL};
enum { FORMAT_JSONL, FORMAT_GLUE };

#define AT(member) offsetof(predict_options, member)
static const ebm_option OPTIONS[] = {
    EBM_MODEL_OPTIONS(predict_options, model),
    {"output_file", EBM_OPTION_STRING, AT(output_file), NULL,
     .help = "Where the predictions go; a file that is there is replaced", .required = true},
    {"format", EBM_OPTION_ENUM, AT(format), "jsonl",
     .help = "JSONL with probabilities, or what GLUE's site takes for --task_name", .choices = FORMATS},
    EBM_TEMPERATURE_OPTIONS(predict_options, temperature, calibrated),
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "A summary as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl predict",
                                       "Predictions for --test_file, --validation_file or a task's test set.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

// In the order of labels that the file is to have.
static void reorder(const ebm_scored_texts *s, bool by_task, size_t row, const double *probabilities, float *p,
                    float *logits)
{
    const size_t count = by_task ? s->task->labels.count : s->labels.count;
    for (size_t i = 0; i < count; i++) {
        const size_t from = row * s->labels.count + (by_task ? (size_t)s->task_to_model[i] : i);
        p[i] = (float)probabilities[from];
        logits[i] = s->logits[from];
    }
}

static ebm_status write_rows(const ebm_scored_texts *s, bool by_task, double temperature, ebm_prediction_file *file)
{
    double *probabilities = NULL;
    float *row = calloc(2 * s->labels.count, sizeof *row);
    ebm_status status = row ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for predictions");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_probabilities_create(&s->predictions, temperature, &probabilities), end);
    for (size_t i = 0; i < s->predictions.count; i++) {
        reorder(s, by_task, i, probabilities, row, row + s->labels.count);
        EBM_CHECK(ebm_prediction_file_add(file, row, row + s->labels.count, s->energy ? &s->energy[i] : NULL), end);
    }
    status = ebm_prediction_file_finish(file);
end:
    free(probabilities);
    free(row);
    return status;
}

static ebm_status write_file(const predict_options *o, double temperature, const ebm_scored_texts *s)
{
    const bool by_task = o->format == FORMAT_GLUE;
    const ebm_prediction_format format = !by_task                    ? EBM_PREDICTIONS_JSONL
                                         : s->task->submission_names ? EBM_PREDICTIONS_GLUE_NAMES
                                                                     : EBM_PREDICTIONS_GLUE_IDS;
    ebm_prediction_file *file = NULL;
    EBM_TRY(ebm_prediction_file_open(o->output_file, format, by_task ? &s->task->labels : &s->labels, &file));
    const ebm_status status = write_rows(s, by_task, temperature, file);
    ebm_prediction_file_free(file);
    return status;
}

// An output folder that cannot be written is found before the model runs, not after.
static ebm_status check_output(const predict_options *o)
{
    static const char *const names[] = {""};
    const ebm_labels none = {names, 1, NULL};
    ebm_prediction_file *file = NULL;
    if (o->format == FORMAT_GLUE && !o->model.data.task_name)
        return ebm_fail(EBM_ERROR_INPUT, "--format glue needs --task_name: tasks differ in what the site takes");
    EBM_TRY(ebm_prediction_file_open(o->output_file, EBM_PREDICTIONS_JSONL, &none, &file));
    ebm_prediction_file_free(file);
    return ebm_ok();
}

static ebm_status run(const predict_options *o, double temperature, ebm_scored_texts *scored)
{
    const ebm_text_choice choice = {.split = EBM_SPLIT_TEST, .portion = EBM_PORTION_ALL};
    EBM_TRY(check_output(o));
    EBM_TRY(ebm_scored_texts_create(&o->model, &choice, scored));
    EBM_TRY(ebm_scored_texts_calibrate(scored, &o->model, o->calibrated));
    EBM_TRY(write_file(o, temperature, scored));
    ebm_program_say("%zu predictions written to %s", scored->predictions.count, o->output_file);
    if (!o->json) return ebm_ok();
    json_t *summary =
        json_pack("{s:s, s:s, s:s, s:I, s:f, s:s*, s:b}", "model_name_or_path", o->model.directory, "output_file",
                  o->output_file, "format", FORMATS[o->format], "examples", (json_int_t)scored->predictions.count,
                  "temperature", temperature, "calibration", scored->calibration, "energy", scored->energy != NULL);
    ebm_scored_texts_tell(&o->model, summary);
    return ebm_program_print_json(summary);
}

ebm_status ebm_command_predict(int argc, char **argv)
{
    predict_options o;
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
