// Byte-level byte-pair encoding of GPT-2 and RoBERTa: text is split by a pattern into words with their leading space,
// each byte of a word stands for one printable character, and neighbours are merged by rank, lowest first.
//
//     ebm_bpe *bpe = NULL;
//     EBM_TRY(ebm_bpe_create(&vocabulary, merges, merges_bytes, "merges.txt", false, &bpe));
//     ebm_bpe_scratch s = {0};
//     EBM_CHECK(ebm_bpe_encode(bpe, text, bytes, &s, &ids), end);     // end: ebm_bpe_scratch_free, ebm_bpe_free
//
// Source: openai/gpt-2 src/encoder.py; pattern and merge order as the tokenizers library.
#ifndef EBM_BPE_H
#define EBM_BPE_H

#include "id_list.h"
#include "status.h"
#include "vocabulary.h"
#include "word_cache.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_bpe ebm_bpe;

// The vocabulary is borrowed for the life of the bpe and may grow meanwhile. `merges` is the text of merges.txt: an
// optional "#version" line, then one "left right" a line, best rank first. `name` starts the sentences of errors:
// a line of another form, or a merge whose parts or result are not in the vocabulary.
ebm_status ebm_bpe_create(const ebm_vocabulary *vocabulary, const char *merges, size_t bytes, const char *name,
                          bool add_prefix_space, ebm_bpe **bpe);
// One merge more, of the next rank; the same checks. Behind the last one, ebm_bpe_order: without it long words take n
// log n steps.
ebm_status ebm_bpe_add_merge(ebm_bpe *bpe, const char *left, size_t left_bytes, const char *right, size_t right_bytes,
                             const char *name);
ebm_status ebm_bpe_order(ebm_bpe *bpe, const char *name);
void ebm_bpe_free(ebm_bpe *bpe); // NULL is accepted

// The character that stands for a byte in byte-level vocabularies.
uint32_t ebm_bpe_character_of_byte(unsigned byte);

// What one caller needs while encoding; remembers the pieces of words, and forgets them for another bpe.
typedef struct {
    uint64_t serial; // the bpe's
    ebm_word_cache cache;
    struct ebm_bpe_long *longer;
    ebm_bytes text;
} ebm_bpe_scratch;
void ebm_bpe_scratch_free(ebm_bpe_scratch *scratch);

// Appends the ids of valid UTF-8. Bytes whose character the vocabulary lacks are dropped, as in the tokenizers library.
ebm_status ebm_bpe_encode(const ebm_bpe *bpe, const char *text, size_t bytes, ebm_bpe_scratch *scratch,
                          ebm_id_list *ids);

// The same for one word, not split further.
ebm_status ebm_bpe_encode_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *scratch,
                               ebm_id_list *ids);
// Merges the tokens of a word's parts, whatever these were.
ebm_status ebm_bpe_encode_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *scratch,
                                  ebm_id_list *ids);

// Appends the bytes a token stands for (the token's own text if a character of it stands for no byte): maybe only part
// of a character, so check or mend the UTF-8 of the whole text. False when out of memory.
bool ebm_bpe_decode(const char *token, size_t bytes, ebm_bytes *text);

#ifdef __cplusplus
}
#endif
#endif
