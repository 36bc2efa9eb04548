// What several annotators called the rows of a set.
#include <stdlib.h>
#include <string.h>

#include "dataset_internal.h"

ebm_status ebm_dataset_vote(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format, size_t line,
                            const char *name)
{
    int32_t id;
    if (!name || !*name || strcmp(name, "-") == 0) return ebm_ok();
    EBM_TRY(ebm_dataset_label(dataset, path, format, line, name, &id));
    EBM_TRY(ebm_dataset_grow((void **)&dataset->votes, &dataset->votes_capacity, dataset->votes_used + 1,
                             sizeof *dataset->votes));
    dataset->votes[dataset->votes_used++] = id;
    return ebm_ok();
}

ebm_status ebm_dataset_annotations(const ebm_dataset *dataset, double **counts)
{
    const size_t labels = dataset->labels.count;
    *counts = NULL;
    if (dataset->votes_taken == 0) return ebm_ok();
    *counts = calloc(dataset->count * labels, sizeof **counts);
    if (!*counts)
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the annotators' labels of %zu texts", dataset->count);
    for (size_t i = 0; i < dataset->count; i++) {
        const ebm_stored_row *row = &dataset->rows[i];
        for (size_t v = 0; v < row->vote_count; v++)
            (*counts)[i * labels + (size_t)dataset->votes[row->votes + v]] += 1;
    }
    return ebm_ok();
}
