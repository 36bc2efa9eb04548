#include "prediction_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "task.h"

struct ebm_prediction_file {
    ebm_file_writer *writer;
    ebm_prediction_format format;
    const ebm_labels *labels;
    char **quoted; // label names as JSON strings
    size_t rows;
};

static ebm_status quote_names(ebm_prediction_file *file)
{
    file->quoted = calloc(file->labels->count, sizeof *file->quoted);
    if (!file->quoted) return ebm_fail(EBM_ERROR_MEMORY, "no memory for label names");
    for (size_t i = 0; i < file->labels->count; i++) {
        json_t *name = json_string(file->labels->names[i]);
        file->quoted[i] = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
        json_decref(name);
        if (!file->quoted[i]) return ebm_fail(EBM_ERROR_INPUT, "the name of label %zu is not UTF-8", i);
    }
    return ebm_ok();
}

ebm_status ebm_prediction_file_open(const char *path, ebm_prediction_format format, const ebm_labels *labels,
                                    ebm_prediction_file **file)
{
    ebm_status status = ebm_ok();
    ebm_prediction_file *opened = calloc(1, sizeof *opened);
    if (!opened) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a prediction file");
    opened->format = format;
    opened->labels = labels;
    EBM_CHECK(quote_names(opened), end);
    EBM_CHECK(ebm_file_writer_open(path, &opened->writer), end);
    if (format != EBM_PREDICTIONS_JSONL)
        EBM_CHECK(ebm_file_writer_append(opened->writer, EBM_SUBMISSION_HEADER, strlen(EBM_SUBMISSION_HEADER)), end);
    *file = opened;
    opened = NULL;
end:
    ebm_prediction_file_free(opened);
    return status;
}

static ebm_status put_text(ebm_prediction_file *file, const char *text)
{
    return ebm_file_writer_append(file->writer, text, strlen(text));
}

static ebm_status put_list(ebm_prediction_file *file, const char *key, const float *numbers)
{
    char text[64];
    EBM_TRY(put_text(file, key));
    for (size_t i = 0; i < file->labels->count; i++) {
        snprintf(text, sizeof text, "%s%.9g", i ? ", " : "[", (double)numbers[i]);
        EBM_TRY(put_text(file, text));
    }
    return put_text(file, "]");
}

static ebm_status put_json(ebm_prediction_file *file, size_t label, const float *probabilities, const float *logits,
                           const float *energy)
{
    char text[64];
    snprintf(text, sizeof text, "{\"index\": %zu, \"label\": ", file->rows);
    EBM_TRY(put_text(file, text));
    EBM_TRY(put_text(file, file->quoted[label]));
    snprintf(text, sizeof text, ", \"label_id\": %zu", label);
    EBM_TRY(put_text(file, text));
    EBM_TRY(put_list(file, ", \"probabilities\": ", probabilities));
    EBM_TRY(put_list(file, ", \"logits\": ", logits));
    snprintf(text, sizeof text, ", \"energy\": %.9g", energy ? (double)*energy : 0.0);
    if (energy) EBM_TRY(put_text(file, text));
    return put_text(file, "}\n");
}

static ebm_status put_submission(ebm_prediction_file *file, size_t label)
{
    char text[64];
    snprintf(text, sizeof text, "%zu\t", file->rows);
    EBM_TRY(put_text(file, text));
    snprintf(text, sizeof text, "%zu", label);
    EBM_TRY(put_text(file, file->format == EBM_PREDICTIONS_GLUE_NAMES ? file->labels->names[label] : text));
    return put_text(file, "\n");
}

static ebm_status check_finite(const ebm_prediction_file *file, const char *what, const float *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "row %zu: %s %zu is %g", file->rows, what, i, (double)numbers[i]);
    return ebm_ok();
}

ebm_status ebm_prediction_file_add(ebm_prediction_file *file, const float *probabilities, const float *logits,
                                   const float *energy)
{
    EBM_TRY(check_finite(file, "probability", probabilities, file->labels->count));
    EBM_TRY(check_finite(file, "logit", logits, file->labels->count));
    if (energy) EBM_TRY(check_finite(file, "energy", energy, 1));
    size_t label = 0;
    for (size_t i = 1; i < file->labels->count; i++)
        if (probabilities[i] > probabilities[label]) label = i;
    EBM_TRY(file->format == EBM_PREDICTIONS_JSONL ? put_json(file, label, probabilities, logits, energy)
                                                  : put_submission(file, label));
    file->rows++;
    return ebm_ok();
}

ebm_status ebm_prediction_file_finish(ebm_prediction_file *file) { return ebm_file_writer_finish(file->writer); }

void ebm_prediction_file_free(ebm_prediction_file *file)
{
    if (!file) return;
    ebm_file_writer_free(file->writer);
    for (size_t i = 0; file->quoted && i < file->labels->count; i++) free(file->quoted[i]);
    free(file->quoted);
    free(file);
}
