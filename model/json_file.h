// Internal. Small JSON files: one object, read whole and written whole.
//
//     json_t *json = NULL;
//     EBM_TRY(ebm_json_file_read(directory, "noise.json", &json));   // NULL without error when there is no such file
//     ... json_decref(json)
#ifndef EBM_JSON_FILE_H
#define EBM_JSON_FILE_H

#include <jansson.h>

#include "status.h"

// "<directory>/<name>"; *json is the caller's, NULL when the file does not exist. Not an object, or broken:
// EBM_ERROR_INPUT with path and line. At most 1 MiB.
ebm_status ebm_json_file_read(const char *directory, const char *name, json_t **json);
// Takes `json` over (NULL counts as out of memory) and writes it, floats to the last digit; appears whole.
ebm_status ebm_json_file_write(const char *directory, const char *name, json_t *json);

#endif
