// How the labels of texts are matched to those of a model that somebody else trained: names may be written in another
// way, in another order, or not at all.
//
//     int32_t *to_model = NULL;
//     EBM_TRY(ebm_label_map_create(&texts_labels, false, &model_labels, &set.label_map, &to_model));
//     if (to_model[i] < 0) ... texts_labels.names[i] means nothing to the model
//     free(to_model);
#ifndef EBM_LABEL_MAP_H
#define EBM_LABEL_MAP_H

#include <stdbool.h>

#include "labels.h"
#include "options.h"

// to_model[i] is the model's id of the texts' label i, -1 for none; for the caller to free(). In this order:
//   pairs "TEXTS=MODEL" that name it (MODEL a name or an id; cut at the last '=' behind which a label stands; several
//   with commas between them count as that many),
//   the same name,
//   an id, where none of the model's names is a number,
//   the same name but for letter case and ' ', '-', '_', when only one is.
// is_task: the texts can have no other labels, and TEXTS may be an id among them. EBM_ERROR_INPUT for a pair that is
// none, repeats another's left side, or names no label of the model or of the task, and when no pair names a label of
// the texts.
ebm_status ebm_label_map_create(const ebm_labels *texts, bool is_task, const ebm_labels *model,
                                const ebm_string_list *pairs, int32_t **to_model);

// LABEL_0, LABEL_1, ... or 0, 1, ...: what models have whose author gave no names.
bool ebm_labels_are_numbered(const ebm_labels *labels);

// No two of `count` ids are the same, and none is -1.
bool ebm_label_map_is_one_to_one(const int32_t *to_model, size_t count);

#endif
