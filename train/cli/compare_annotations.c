#include "compare_annotations.h"

#include <stdlib.h>

#include "config.h"
#include "program.h"

static const char *text_of(const compare_task *task, const char *key)
{
    return json_string_value(json_object_get(task->spec, key));
}

static ebm_data_options data_options(const compare_task *task)
{
    return (ebm_data_options){.task_name = text_of(task, "task_name"),
                              .data_dir = text_of(task, "data_dir"),
                              .validation_file = text_of(task, "validation_file"),
                              .text_column = text_of(task, "text_column"),
                              .text_pair_column = text_of(task, "text_pair_column"),
                              .label_column = text_of(task, "label_column"),
                              .skip_malformed = json_is_true(json_object_get(task->spec, "skip_malformed"))};
}

static ebm_status check_rows(const ebm_dataset *texts, const ebm_predictions *rows)
{
    const size_t count = ebm_dataset_count(texts);
    if (count != rows->count || ebm_dataset_labels(texts)->count != (size_t)rows->labels)
        return ebm_fail(EBM_ERROR_INPUT, "%zu texts expected as were predicted, found %zu", rows->count, count);
    for (size_t i = 0; i < count; i++)
        if (ebm_dataset_row(texts, i).label != rows->label[i])
            return ebm_fail(EBM_ERROR_INPUT, "line %zu: label %d expected, as it was when predicted, found %d",
                            ebm_dataset_row(texts, i).line, (int)rows->label[i], (int)ebm_dataset_row(texts, i).label);
    return ebm_ok();
}

// *texts stays NULL for a task without such columns. known NULL: names of labels are collected.
static ebm_status read_texts(const compare_task *task, const ebm_labels *known, ebm_dataset **texts)
{
    const json_t *columns = json_object_get(task->spec, "annotator_columns");
    const size_t count = json_array_size(columns);
    if (count == 0) return ebm_ok();
    const char **names = malloc(count * sizeof *names);
    if (!names) return ebm_fail(EBM_ERROR_MEMORY, "no memory for names of columns");
    for (size_t i = 0; i < count; i++) names[i] = json_string_value(json_array_get(columns, i));
    const ebm_data_options options = data_options(task);
    const ebm_string_list annotators = {names, count};
    const ebm_status status = ebm_program_read_annotated(&options, EBM_SPLIT_DEV, known, &annotators, texts);
    free(names);
    return ebm_in(status, "annotator_columns of %s", task->name);
}

ebm_status compare_annotations_check(const compare_plan *plan)
{
    for (size_t t = 0; t < plan->task_count; t++) {
        ebm_dataset *texts = NULL;
        const ebm_status status = read_texts(plan->tasks + t, NULL, &texts);
        ebm_dataset_free(texts);
        EBM_TRY(status);
    }
    return ebm_ok();
}

ebm_status compare_annotations_read(const compare_task *task, const char *model, const ebm_predictions *rows,
                                    double **counts)
{
    ebm_status status = ebm_ok();
    ebm_config *config = NULL;
    ebm_dataset *texts = NULL;
    *counts = NULL;
    if (!json_object_get(task->spec, "annotator_columns")) return status;
    EBM_CHECK(ebm_config_load(model, &config), end);
    const ebm_labels labels = {(const char *const *)config->labels, config->label_count, NULL};
    EBM_CHECK(read_texts(task, &labels, &texts), end);
    EBM_CHECK(ebm_in(check_rows(texts, rows), "annotator_columns of %s", task->name), end);
    EBM_CHECK(ebm_dataset_annotations(texts, counts), end);
end:
    ebm_dataset_free(texts);
    ebm_config_free(config);
    return status;
}
