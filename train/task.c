#include "task.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES(...)                                                                                                     \
    {                                                                                                                  \
        .names = (const char *const[]){__VA_ARGS__},                                                                   \
        .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                                           \
    }

// Orders of labels: the processors of BERT's original run_glue and the datasets library, which agree.
// clang-format off
static const ebm_task tasks[] = {
    {"cola", "CoLA", {"train", "dev", "test"}, "sentence", NULL, "label",
     NAMES("unacceptable", "acceptable"), "matthews", .headerless = true, .submission_file = "CoLA.tsv"},
    {"sst2", "SST-2", {"train", "dev", "test"}, "sentence", NULL, "label",
     NAMES("negative", "positive"), "accuracy", .submission_file = "SST-2.tsv"},
    {"mrpc", "MRPC", {"train", "dev", "test"}, "#1 String", "#2 String", "Quality",
     NAMES("not_equivalent", "equivalent"), "f1", .submission_file = "MRPC.tsv"},
    {"rte", "RTE", {"train", "dev", "test"}, "sentence1", "sentence2", "label",
     NAMES("entailment", "not_entailment"), "accuracy", .submission_file = "RTE.tsv", .submission_names = true},
    {"wnli", "WNLI", {"train", "dev", "test"}, "sentence1", "sentence2", "label",
     NAMES("not_entailment", "entailment"), "accuracy", .submission_file = "WNLI.tsv"},
    {"qnli", "QNLI", {"train", "dev", "test"}, "question", "sentence", "label",
     NAMES("entailment", "not_entailment"), "accuracy", .submission_file = "QNLI.tsv", .submission_names = true},
    {"qqp", "QQP", {"train", "dev", "test"}, "question1", "question2", "is_duplicate",
     NAMES("not_duplicate", "duplicate"), "f1", .empty_text = true, .submission_file = "QQP.tsv"},
    {"mnli", "MNLI", {"train", "dev_matched", "test_matched"}, "sentence1", "sentence2", "gold_label",
     NAMES("entailment", "neutral", "contradiction"), "accuracy", .submission_file = "MNLI-m.tsv",
     .submission_names = true},
};
// clang-format on
enum { TASK_COUNT = sizeof tasks / sizeof *tasks };

size_t ebm_task_count(void) { return TASK_COUNT; }

const ebm_task *ebm_task_at(size_t index)
{
    assert(index < TASK_COUNT);
    return &tasks[index];
}

ebm_status ebm_task_find(const char *name, const ebm_task **task)
{
    char plain[16];
    size_t length = 0;
    for (const char *c = name; *c && length < sizeof plain - 1; c++)
        if (*c != '-' && *c != '_') plain[length++] = (char)tolower((unsigned char)*c);
    plain[length] = 0;
    if (strcmp(plain, "mnlim") == 0 || strcmp(plain, "mnlimatched") == 0) plain[4] = 0;
    for (size_t i = 0; i < TASK_COUNT; i++) {
        if (strcmp(tasks[i].name, plain) != 0) continue;
        *task = &tasks[i];
        return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_INPUT,
                    "unknown task \"%.60s\", expected one of cola, sst2, mrpc, rte, wnli, qnli, qqp, mnli", name);
}

ebm_status ebm_task_file(const ebm_task *task, const char *folder, ebm_split split, char **path)
{
    const char *const subfolders[] = {"", task->folder, task->name};
    for (size_t i = 0; i < 6; i++) {
        const char *subfolder = subfolders[i / 2];
        char *candidate = NULL;
        if (asprintf(&candidate, "%s/%s%s%s.tsv%s", folder, subfolder, *subfolder ? "/" : "", task->files[split],
                     i % 2 ? ".gz" : "") < 0)
            return ebm_fail(EBM_ERROR_MEMORY, "no memory for a path");
        FILE *file = fopen(candidate, "rb");
        if (file) {
            fclose(file);
            *path = candidate;
            return ebm_ok();
        }
        free(candidate);
    }
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected %s's %s.tsv or %s.tsv.gz there or in %s/, found neither", folder,
                    task->name, task->files[split], task->files[split], task->folder);
}

ebm_dataset_format ebm_task_format(const ebm_task *task, ebm_split split)
{
    static const char *const cola_columns[] = {"source", "label", "star", "sentence"};
    ebm_dataset_format format = {.text_column = task->text_column,
                                 .text_pair_column = task->text_pair_column,
                                 .label_column = split == EBM_SPLIT_TEST ? NULL : task->label_column,
                                 .labels = split == EBM_SPLIT_TEST ? EBM_LABELS_OPTIONAL : EBM_LABELS_REQUIRED,
                                 .known_labels = &task->labels,
                                 .empty_text = task->empty_text};
    if (task->headerless) {
        format.headerless_columns = cola_columns;
        format.headerless_count = sizeof cola_columns / sizeof *cola_columns;
    }
    return format;
}

ebm_status ebm_task_read(const ebm_task *task, const char *folder, ebm_split split, ebm_dataset **dataset)
{
    char *path = NULL;
    EBM_TRY(ebm_task_file(task, folder, split, &path));
    const ebm_dataset_format format = ebm_task_format(task, split);
    const ebm_status status = ebm_dataset_read(path, &format, dataset);
    free(path);
    return status;
}
