// A normaliser against the checksums in fixtures/unigram/normalizers.json: every code point in its surroundings, random
// texts, the texts of the tokenizers.
#ifndef EBM_TESTS_SWEEP_H
#define EBM_TESTS_SWEEP_H

#include <jansson.h>
#include <stdbool.h>

#include "utf8.h"

json_t *sweep_read(const char *path); // of the folder of fixtures

typedef bool (*sweep_apply)(const void *normalizer, const char *text, size_t bytes, ebm_bytes *out);
// `expected`: the normaliser's object in `fixture`; around: the key of what stands around each code point.
void sweep_compare(const json_t *fixture, const char *around, const json_t *expected, sweep_apply apply,
                   const void *normalizer);

#endif
