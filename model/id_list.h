// A growing list of token ids; zeroed is empty.
#ifndef EBM_ID_LIST_H
#define EBM_ID_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    int32_t *ids;
    size_t count, capacity;
} ebm_id_list;

// False when out of memory; the list is left as it was.
static inline bool ebm_id_list_reserve(ebm_id_list *list, size_t more)
{
    if (list->capacity - list->count >= more) return true;
    if (more > SIZE_MAX / 16 - list->count) return false;
    const size_t capacity = list->count + more < 64 ? 128 : 2 * (list->count + more);
    int32_t *ids = (int32_t *)realloc(list->ids, capacity * sizeof *ids);
    if (!ids) return false;
    list->ids = ids;
    list->capacity = capacity;
    return true;
}

static inline bool ebm_id_list_append(ebm_id_list *list, int32_t id)
{
    if (!ebm_id_list_reserve(list, 1)) return false;
    list->ids[list->count++] = id;
    return true;
}

#endif
