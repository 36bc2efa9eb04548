// What is done to a text before it is cut into words: the normalisers of tokenizer.json.
//
//     ebm_normalizer *n = NULL;
//     EBM_TRY(ebm_normalizer_create(json_object_get(root, "normalizer"), "x/tokenizer.json: normalizer", &n));
//     ebm_normalizer_scratch s = {0};
//     EBM_CHECK(ebm_normalizer_apply(n, &s, &text, &bytes), end);  // text now lies in s, or where it was
//     ... end: ebm_normalizer_scratch_free(&s); ebm_normalizer_free(n);
//
// BertNormalizer, NFC, NFD, NFKC, NFKD, Precompiled, Lowercase, StripAccents, Strip, Prepend, Replace, Nmt, ByteLevel,
// Sequence; others are EBM_ERROR_UNSUPPORTED. Source: tokenizers/src/normalizers.
#ifndef EBM_NORMALIZER_H
#define EBM_NORMALIZER_H

#include <jansson.h>
#include <stdbool.h>

#include "regex.h"
#include "status.h"
#include "wordpiece.h"

typedef struct ebm_normalizer ebm_normalizer;

// JSON null, or NULL: *normalizer is NULL, which leaves texts as they are.
ebm_status ebm_normalizer_create(const json_t *json, const char *where, ebm_normalizer **normalizer);
void ebm_normalizer_free(ebm_normalizer *normalizer); // NULL is accepted

typedef struct {
    ebm_bytes buffers[2];
    ebm_wordpiece_scratch bert;
    ebm_regex_scratch regex;
} ebm_normalizer_scratch;
void ebm_normalizer_scratch_free(ebm_normalizer_scratch *scratch);

// *text is valid UTF-8; afterwards it points into the scratch until its next use, or to where it did.
ebm_status ebm_normalizer_apply(const ebm_normalizer *normalizer, ebm_normalizer_scratch *scratch, const char **text,
                                size_t *bytes);

// Whether the first character of what comes out always stands where the text began: a step that drops characters at
// the front moves it.
bool ebm_normalizer_keeps_start(const ebm_normalizer *normalizer);
// The normaliser is one BertNormalizer that cleans: what ebm_wordpiece_normalize does. NULL otherwise.
const ebm_wordpiece *ebm_normalizer_bert(const ebm_normalizer *normalizer);

#endif
