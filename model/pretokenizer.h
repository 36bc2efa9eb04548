// How a normalised text is cut into words: the pre-tokenisers of tokenizer.json.
//
//     ebm_pretokenizer *p = NULL;
//     EBM_TRY(ebm_pretokenizer_create(json_object_get(root, "pre_tokenizer"), "x/tokenizer.json: pre_tokenizer", &p));
//     EBM_CHECK(ebm_pieces_begin(&pieces, text, bytes, true), end);
//     EBM_CHECK(ebm_pretokenizer_apply(p, true, &pieces), end);
//
// BertPreTokenizer, ByteLevel, Metaspace, Whitespace, WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit, Split,
// Sequence; others are EBM_ERROR_UNSUPPORTED. Source: tokenizers/src/pre_tokenizers.
#ifndef EBM_PRETOKENIZER_H
#define EBM_PRETOKENIZER_H

#include <jansson.h>
#include <stdbool.h>

#include "pieces.h"
#include "status.h"

typedef struct ebm_pretokenizer ebm_pretokenizer;

// JSON null, or NULL: one without steps. `moves_start` says that a normaliser before it may drop characters at the
// front, `normalizes` that there is one at all: Metaspace's prepend_scheme "first" asks what stood first in the
// original text, which is refused where that cannot be told.
ebm_status ebm_pretokenizer_create(const json_t *json, const char *where, bool normalizes, bool moves_start,
                                   ebm_pretokenizer **pretokenizer);
void ebm_pretokenizer_free(ebm_pretokenizer *pretokenizer); // NULL is accepted

// Cuts the pieces further. The last step of byte-level pre-tokenisers writes each byte as a character; without
// map_bytes it is left out, for a model that takes bytes.
ebm_status ebm_pretokenizer_apply(const ebm_pretokenizer *pretokenizer, bool map_bytes, ebm_pieces *pieces);

typedef enum {
    EBM_PRETOKENIZER_OTHER,
    EBM_PRETOKENIZER_NONE,
    EBM_PRETOKENIZER_BERT,       // what ebm_wordpiece_encode does itself
    EBM_PRETOKENIZER_BYTE_LEVEL, // what ebm_bpe_encode does itself; see adds_space
} ebm_pretokenizer_kind;
ebm_pretokenizer_kind ebm_pretokenizer_is(const ebm_pretokenizer *pretokenizer);
bool ebm_pretokenizer_adds_space(const ebm_pretokenizer *pretokenizer); // one ByteLevel with add_prefix_space
bool ebm_pretokenizer_ends_in_bytes(const ebm_pretokenizer *pretokenizer);
// The replacement of a Metaspace among the steps; 0: there is none.
uint32_t ebm_pretokenizer_metaspace(const ebm_pretokenizer *pretokenizer);

#endif
