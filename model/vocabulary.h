// Token texts and their ids, both ways.
//
//     ebm_vocabulary v = {0};
//     EBM_TRY(ebm_vocabulary_put(&v, 0, "[PAD]", 5));
//     int32_t id = ebm_vocabulary_find(&v, "[PAD]", 5);        // 0; -1 where there is none
//     ebm_vocabulary_free(&v);
#ifndef EBM_VOCABULARY_H
#define EBM_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "utf8.h"

#ifdef __cplusplus
extern "C" {
#endif

// Larger ids are taken for a broken file; the largest vocabularies in use have about a million entries.
#define EBM_VOCABULARY_LIMIT ((size_t)1 << 23)

typedef struct {
    int32_t id;         // -1: empty
    uint32_t hash_part; // most other texts of the same place are told apart without being looked at
} ebm_vocabulary_slot;

typedef struct {
    size_t size;     // largest id + 1
    size_t longest;  // bytes of the longest token
    ebm_bytes texts; // zero-terminated one after another
    uint32_t *start; // of each id's text; UINT32_MAX: no token has this id
    uint32_t *bytes;
    size_t id_capacity;
    ebm_vocabulary_slot *slots; // open addressing
    size_t slot_count, used;
    uint64_t *lengths; // of the tokens that begin with certain bytes: see ebm_vocabulary_longest
    uint64_t version;  // another after each change, and never that of another vocabulary
} ebm_vocabulary;

// Gives id the text (copied). A text that stands under another id already belongs to the later one from then on, as in
// transformers; both ids keep it as their text. EBM_ERROR_INPUT for an id that has a text, is negative or over limit.
ebm_status ebm_vocabulary_put(ebm_vocabulary *vocabulary, int64_t id, const char *text, size_t bytes);
void ebm_vocabulary_free(ebm_vocabulary *vocabulary);

int32_t ebm_vocabulary_find(const ebm_vocabulary *vocabulary, const char *text, size_t bytes);
// Zero-terminated, borrowed; NULL for an id without text. *bytes may be NULL.
const char *ebm_vocabulary_text(const ebm_vocabulary *vocabulary, int32_t id, size_t *bytes);

// The longest token that is `prefix` and a beginning of `text`, of whole characters as all tokens are; *matched: how
// many bytes of text it takes. -1: none.
int32_t ebm_vocabulary_longest(const ebm_vocabulary *vocabulary, const char *prefix, const char *text, size_t bytes,
                               size_t *matched);

#ifdef __cplusplus
}
#endif
#endif
