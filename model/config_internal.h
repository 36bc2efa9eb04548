// Shared by the files behind config.h.
#ifndef EBM_CONFIG_INTERNAL_H
#define EBM_CONFIG_INTERNAL_H

#include <jansson.h>

#include "config.h"
#include "family_traits.h"

enum { EBM_MAX_LABELS = 10000 };

// What reading a key needs: the object, and the path for messages.
typedef struct {
    const char *path;
    json_t *object;
} ebm_config_reader;

// "<path>: <key>: expected <what>, found <the value, or that there is none>"
ebm_status ebm_config_mismatch(const ebm_config_reader *reader, ebm_code code, const char *key, const char *what);
bool ebm_config_absent(const ebm_config_reader *reader, const char *key); // no such key, or null

// Keys of one family's own.
struct ebm_config_form {
    void (*set_defaults)(ebm_config *config); // for a model of `layers` layers: what transformers takes for absent keys
    ebm_status (*read)(const ebm_config_reader *reader, ebm_config *config); // over these defaults
    ebm_status (*check)(const ebm_config *config, const char *where);
    int (*write)(json_t *object, const ebm_config *config); // -1: out of memory
};
extern const ebm_config_form ebm_config_modernbert;

ebm_config *ebm_config_create(
    ebm_family family); // zeroed but for biases, source an empty object; NULL when out of memory

#endif
