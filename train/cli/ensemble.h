// The other models of an ensemble: found, and their labels matched to the first one's, before any model runs.
//
//     ebm_ensemble ensemble = {0};
//     EBM_CHECK(ebm_ensemble_open(&options->ensemble, config, numbered, &ensemble), end);
//     for (size_t i = 0; i < ensemble.count; i++) use(ensemble.member[i].directory, ensemble.member[i].order);
//     end: ebm_ensemble_free(&ensemble);
#ifndef EBM_ENSEMBLE_H
#define EBM_ENSEMBLE_H

#include "config.h"
#include "options.h"

typedef struct {
    char *directory;
    int32_t *order; // the place in the member's logits of each of the first model's labels
} ebm_ensemble_member;

typedef struct {
    ebm_ensemble_member *member;
    size_t count;
} ebm_ensemble;

// names: directories, or names on the hub. first: the first model's config; numbered: its own labels are LABEL_0, ...,
// whatever they are called there by now, and members that number theirs have them in the same order. EBM_ERROR_INPUT
// for a member whose labels are others.
ebm_status ebm_ensemble_open(const ebm_string_list *names, const ebm_config *first, bool numbered,
                             ebm_ensemble *ensemble);
void ebm_ensemble_free(ebm_ensemble *ensemble); // zeroed is accepted

#endif
