// Shared by config.c, config_read.c and config_write.c.
#ifndef EBM_CONFIG_INTERNAL_H
#define EBM_CONFIG_INTERNAL_H

#include <jansson.h>

#include "config.h"
#include "family_traits.h"

enum { EBM_MAX_LABELS = 10000 };

ebm_config *ebm_config_create(ebm_family family); // zeroed, source an empty object; NULL when out of memory

#endif
