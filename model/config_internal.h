// Shared by config.c, config_read.c and config_write.c.
#ifndef EBM_CONFIG_INTERNAL_H
#define EBM_CONFIG_INTERNAL_H

#include <jansson.h>

#include "config.h"

enum { EBM_MAX_LABELS = 10000 };

// The names of a family's keys. NULL: the family has no such key.
typedef struct {
    const char *hidden, *layers, *heads, *intermediate, *positions, *types, *epsilon, *activation;
    const char *hidden_dropout, *attention_dropout, *embedding_dropout;
    const char *architecture;
} ebm_config_keys;

const ebm_config_keys *ebm_config_keys_of(ebm_family family);
ebm_config *ebm_config_create(ebm_family family); // zeroed, source an empty object; NULL when out of memory

#endif
