// GLUE's classification tasks: their files as they come, their labels, and their submission files.
//
//     const ebm_task *task = NULL;
//     EBM_TRY(ebm_task_find("sst2", &task));
//     EBM_TRY(ebm_task_read(task, "glue", EBM_SPLIT_TRAIN, &train)); // glue/train.tsv[.gz] or
//     glue/SST-2/train.tsv[.gz] printf("%s has %zu labels, first %s\n", task->name, task->labels.count,
//     task->labels.names[0]);
#ifndef EBM_TASK_H
#define EBM_TASK_H

#include "dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_SPLIT_TRAIN, EBM_SPLIT_DEV, EBM_SPLIT_TEST } ebm_split;

typedef struct {
    const char *name;     // as --task_name takes it: cola, sst2, mrpc, rte, wnli, qnli, qqp, mnli
    const char *folder;   // in the GLUE download
    const char *files[3]; // by ebm_split, without .tsv
    const char *text_column, *text_pair_column, *label_column;
    ebm_labels labels;           // in the id order of the original, with the names transformers writes to id2label
    const char *metric;          // selects the best checkpoint: accuracy, f1 or matthews
    bool empty_text;             // the published files hold empty texts
    bool headerless;             // train and dev have no header line
    const char *submission_file; // name of the file glue benchmark's site expects
    bool submission_names;       // it holds label names; otherwise ids
} ebm_task;

#define EBM_SUBMISSION_HEADER "index\tprediction\n"

// Letter case, '-' and '_' do not matter: "SST-2" is sst2; mnli-m and mnli_matched are mnli. The error names all tasks.
ebm_status ebm_task_find(const char *name, const ebm_task **task);

size_t ebm_task_count(void);
const ebm_task *ebm_task_at(size_t index); // index < count

// The path of a split's file, for the caller to free(): in `folder` or in its subfolder of the task's name (sst2 or
// SST-2), .tsv before .tsv.gz. None: EBM_ERROR_INPUT that says what was looked for.
ebm_status ebm_task_file(const ebm_task *task, const char *folder, ebm_split split, char **path);

// How the task's own files are read; a caller may change fields (skip_malformed) and give it to ebm_dataset_read.
ebm_dataset_format ebm_task_format(const ebm_task *task, ebm_split split);

// ebm_task_file, then ebm_dataset_read. Labels are required in train and dev.
ebm_status ebm_task_read(const ebm_task *task, const char *folder, ebm_split split, ebm_dataset **dataset);

#ifdef __cplusplus
}
#endif
#endif
