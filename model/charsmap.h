// SentencePiece's precompiled_charsmap (the normaliser of XLM-R, T5, ALBERT, mBART...): a double-array trie from
// sequences of characters to what stands for them, as the tokenizers library applies it.
//
//     ebm_charsmap *map = NULL;
//     EBM_TRY(ebm_charsmap_create(blob, bytes, "tokenizer.json: normalizer", &map));
//     ebm_bytes out = {0};
//     if (!ebm_charsmap_apply(map, text, text_bytes, &out)) ...;         // end: ebm_bytes_free, ebm_charsmap_free
//
// Not what sentencepiece itself does: the library looks a grapheme cluster of less than 6 bytes up whole, where the
// shortest key that it begins with stands for all of it, and goes by single characters where there is none.
//
// Source of the format: sentencepiece src/normalizer.cc (32 bits for the trie's bytes, the trie, the strings, each
// ended by a zero byte); units of the trie as in darts-clone.
#ifndef EBM_CHARSMAP_H
#define EBM_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"
#include "utf8.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_charsmap ebm_charsmap;

// Copies the blob. Every index that a text can lead to is checked here: EBM_ERROR_INPUT, starting with `where`, for a
// trie that is cut, empty or leads outside itself, for strings that are not UTF-8 or are entered in the middle of a
// character.
ebm_status ebm_charsmap_create(const void *blob, size_t bytes, const char *where, ebm_charsmap **map);
void ebm_charsmap_free(ebm_charsmap *map); // NULL is accepted

// Appends the normalised text to *out; valid UTF-8 gives valid UTF-8. False when out of memory.
bool ebm_charsmap_apply(const ebm_charsmap *map, const char *text, size_t bytes, ebm_bytes *out);

#ifdef __cplusplus
}
#endif
#endif
