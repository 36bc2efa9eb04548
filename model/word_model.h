// What makes tokens of a word: the models of tokenizer.json, WordPiece, BPE, Unigram and WordLevel.
//
//     ebm_word_model m = {0};
//     EBM_CHECK(ebm_word_model_read(json_object_get(root, "model"), "x/tokenizer.json: model", true, &vocabulary, &m),
//     end); ebm_word_model_scratch s = {0}; EBM_CHECK(ebm_word_model_encode(&m, word, bytes, &s, &ids), end);
//
// The common ones have faster ways for a whole text, which tokenizer.c takes: wordpiece.h, bpe.h.
// Source: tokenizers/src/models.
#ifndef EBM_WORD_MODEL_H
#define EBM_WORD_MODEL_H

#include <jansson.h>

#include "bpe.h"
#include "id_list.h"
#include "status.h"
#include "unigram.h"
#include "vocabulary.h"

typedef enum { EBM_WORDPIECE, EBM_BPE, EBM_UNIGRAM, EBM_WORD_LEVEL } ebm_word_model_kind;
extern const char *const ebm_word_model_names[]; // as tokenizer.json has them

typedef struct {
    ebm_word_model_kind kind;
    const ebm_vocabulary *vocabulary;
    int32_t unknown; // -1: none
    // WordPiece
    char *prefix; // NULL: "##"
    size_t longest_word;
    // BPE
    ebm_bpe *bpe;
    char *suffix; // of a word's last character; NULL: none
    bool fuse_unknown, byte_fallback, ignore_merges;
    bool takes_bytes; // words are given as bytes, not as the characters that stand for them: settle it after reading
    // Unigram
    ebm_unigram *unigram;
} ebm_word_model;
void ebm_word_model_free(ebm_word_model *model);

// Fills the empty vocabulary, which the model borrows from then on; it must not grow. Without `options` the file's own
// are passed over, for tokenizer classes that set them: WordPiece then has no unknown token yet, Unigram number 3.
ebm_status ebm_word_model_read(const json_t *json, const char *where, bool options, ebm_vocabulary *vocabulary,
                               ebm_word_model *model);
// {"token": id, ...}; empty is an error.
ebm_status ebm_word_model_read_vocabulary(json_t *json, const char *where, ebm_vocabulary *vocabulary);

// A BPE for which each byte is a token, or nothing: it may take a word's bytes.
bool ebm_word_model_may_take_bytes(const ebm_word_model *model);
// WordPiece as ebm_wordpiece_encode does it.
bool ebm_word_model_is_usual_wordpiece(const ebm_word_model *model);

typedef struct {
    ebm_bpe_scratch bpe;
    ebm_unigram_scratch unigram;
    ebm_id_list symbols;
    ebm_bytes text;
} ebm_word_model_scratch; // for one model at a time
void ebm_word_model_scratch_free(ebm_word_model_scratch *scratch);

// Appends the ids of one word, which is not empty.
ebm_status ebm_word_model_encode(const ebm_word_model *model, const char *word, size_t bytes,
                                 ebm_word_model_scratch *scratch, ebm_id_list *ids);

#endif
