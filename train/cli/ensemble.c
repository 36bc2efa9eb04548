#include "ensemble.h"

#include <stdlib.h>

#include "label_map.h"
#include "model_find.h"
#include "program.h"

static ebm_labels labels_of(const ebm_config *config)
{
    return (ebm_labels){(const char *const *)config->labels, config->label_count, NULL};
}

static ebm_status match(const ebm_labels *first, bool numbered, const ebm_labels *own, int32_t *order)
{
    bool same = own->count == first->count;
    const bool by_number = same && numbered && ebm_labels_are_numbered(own);
    for (size_t y = 0; y < first->count && same; y++) {
        order[y] = by_number ? (int32_t)y : ebm_labels_find(own, first->names[y]);
        same = order[y] >= 0;
    }
    if (same && ebm_label_map_is_one_to_one(order, first->count)) return ebm_ok();
    char expected[160], found[160];
    return ebm_fail(EBM_ERROR_INPUT, "its labels are %s, those of the first model %s: an ensemble has the same",
                    ebm_labels_text(own, found, sizeof found), ebm_labels_text(first, expected, sizeof expected));
}

static ebm_status open_member(const char *name, const ebm_config *first, bool numbered, ebm_ensemble_member *member)
{
    const ebm_labels labels = labels_of(first);
    ebm_config *config = NULL;
    EBM_TRY(ebm_model_find(name, &member->directory));
    EBM_TRY(ebm_config_load(member->directory, &config));
    const ebm_labels own = labels_of(config);
    member->order = calloc(labels.count, sizeof *member->order);
    const ebm_status status = member->order ? match(&labels, numbered, &own, member->order)
                                            : ebm_fail(EBM_ERROR_MEMORY, "no memory for labels");
    ebm_config_free(config);
    return status;
}

ebm_status ebm_ensemble_open(const ebm_string_list *names, const ebm_config *first, bool numbered, ebm_ensemble *out)
{
    *out = (ebm_ensemble){0};
    if (names->count == 0) return ebm_ok();
    ebm_ensemble e = {.member = calloc(names->count, sizeof *e.member), .count = names->count};
    ebm_status status = e.member ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu models", names->count);
    for (size_t i = 0; i < names->count && status.code == EBM_OK; i++)
        status = ebm_in(open_member(names->items[i], first, numbered, e.member + i), "--ensemble: %s", names->items[i]);
    if (status.code == EBM_OK)
        *out = e;
    else
        ebm_ensemble_free(&e);
    return status;
}

void ebm_ensemble_free(ebm_ensemble *e)
{
    for (size_t i = 0; e->member && i < e->count; i++) {
        free(e->member[i].directory);
        free(e->member[i].order);
    }
    free(e->member);
    *e = (ebm_ensemble){0};
}
