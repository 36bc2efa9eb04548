// The names of a task's labels, in id order.
//
//     ebm_labels labels = {0};
//     int32_t id;
//     EBM_TRY(ebm_labels_add(&labels, "entailment", &id)); // 0; the same id when the name is there already
//     ebm_labels_free(&labels);
#ifndef EBM_LABELS_H
#define EBM_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_LABELS_MAX = 1000 }; // more distinct names than that are a wrong column, not labels

typedef struct {
    const char *const *names; // those of `owned`, or constants where that is NULL
    size_t count;
    char **owned;
} ebm_labels;

// Only on zeroed labels or ones made by this. EBM_ERROR_INPUT when there would be more than EBM_LABELS_MAX names.
ebm_status ebm_labels_add(ebm_labels *labels, const char *name, int32_t *id);
int32_t ebm_labels_find(const ebm_labels *labels, const char *name); // -1 when it is not there

// What a file's label cell means: the id of the name itself; or, where no name is an integer, the cell read as an id
// ("1" among {negative, positive}: GLUE's files hold ids for some tasks and names for others). -1 when it is neither.
int32_t ebm_labels_read(const ebm_labels *labels, const char *cell);

// Sorts: by value when every name is an integer, else by bytes. moved[old id] = new id, room for count.
void ebm_labels_sort(ebm_labels *labels, int32_t *moved);

// "a", "b", "c" for a message, cut with "..." to fit `size` bytes.
const char *ebm_labels_text(const ebm_labels *labels, char *text, size_t size);

void ebm_labels_free(ebm_labels *labels); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
