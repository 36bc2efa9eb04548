// Texts to token ids and back, equal to the tokenizers library and to transformers' AutoTokenizer: tokenizer.json with
// WordPiece, BPE, Unigram or WordLevel, and the older files of BERT, RoBERTa and GPT-2.
//
//     ebm_tokenizer *tokenizer = NULL;
//     EBM_TRY(ebm_tokenizer_load("bert-base-uncased", &tokenizer));
//     ebm_encoding e = {0};                                              // one for each thread, used again and again
//     EBM_CHECK(ebm_tokenizer_encode(tokenizer, a, strlen(a), b, strlen(b), 128, &e), end);
//     use(e.ids, e.types, e.tokens);                                     // end: ebm_encoding_free, ebm_tokenizer_free
//
// A tokenizer that is not being changed (add_token, match_token) may be used by any number of threads, each with its
// own ebm_encoding.
#ifndef EBM_TOKENIZER_H
#define EBM_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_tokenizer ebm_tokenizer;

// Reads a Hugging Face directory: tokenizer.json where there is one, else vocab.txt (BERT's WordPiece) or vocab.json
// and merges.txt (byte-level BPE of RoBERTa or GPT-2). tokenizer_config.json, special_tokens_map.json and
// added_tokens.json may change settings, name special tokens and add tokens. As transformers 5 does, a tokenizer_class
// of BERT, RoBERTa, XLM-R or GPT-2 (in tokenizer_config.json, else that of config.json's model_type) takes only
// vocabulary, merges and added tokens from tokenizer.json, and sets the rest itself from tokenizer_config.json
// (do_lower_case, add_prefix_space, ...); for all other classes tokenizer.json holds as it stands. What a file asks for
// and is not supported is EBM_ERROR_UNSUPPORTED and named. Errors name file and line, component or token.
ebm_status ebm_tokenizer_load(const char *directory, ebm_tokenizer **tokenizer);

// A WordPiece vocabulary made in memory: the words in id order, after those of [PAD] [UNK] [CLS] [SEP] [MASK] that are
// not among them. Words are UTF-8 without line ends, not empty; lower-case them yourself when lower_case is set.
ebm_status ebm_tokenizer_from_words(const char *const *words, size_t count, bool lower_case, ebm_tokenizer **tokenizer);

// A tokenizer of its own with the same files and added tokens.
ebm_status ebm_tokenizer_clone(const ebm_tokenizer *tokenizer, ebm_tokenizer **clone);
void ebm_tokenizer_free(ebm_tokenizer *tokenizer); // NULL is accepted

// Writes the tokenizer's files into an existing directory, so that transformers' AutoTokenizer loads them. The files
// that were read are written byte for byte; tokenizer.json and tokenizer_config.json are written anew when tokens were
// added, tokenizer_config.json and special_tokens_map.json also when there was none.
ebm_status ebm_tokenizer_save(const ebm_tokenizer *tokenizer, const char *directory);

// What encode returns, and what it needs while working. Zero it before the first use.
typedef struct {
    int32_t *ids;
    int32_t *types; // type ids; all 0 where the model takes none (RoBERTa, GPT-2)
    size_t tokens;
    size_t capacity;
    struct ebm_tokenizer_scratch *scratch;
} ebm_encoding;
void ebm_encoding_free(ebm_encoding *encoding); // zeroed is accepted, and what is left

// One text (b NULL) or a pair, with the special tokens of the layout below. Cut to max_length tokens, longest text
// first (at the end, or where tokenizer_config.json says so at the beginning); 0: no limit. Special tokens written out
// in a text count as such, as in transformers. Not UTF-8: EBM_ERROR_INPUT with the byte. On failure the encoding holds
// nothing, but may be used again.
ebm_status ebm_tokenizer_encode(const ebm_tokenizer *tokenizer, const char *a, size_t a_bytes, const char *b,
                                size_t b_bytes, size_t max_length, ebm_encoding *encoding);
// One text without the tokens around it, not cut.
ebm_status ebm_tokenizer_encode_plain(const ebm_tokenizer *tokenizer, const char *text, size_t bytes,
                                      ebm_encoding *encoding);

// What stands where in a sequence: special tokens, and the texts, each with its type id.
typedef struct {
    int32_t id; // of a special token, or EBM_LAYOUT_A, EBM_LAYOUT_B
    int32_t type;
} ebm_layout_part;
#define EBM_LAYOUT_A (-1)
#define EBM_LAYOUT_B (-2)
// Borrowed; A, in a pair also B, occurs once. BERT: [CLS] A [SEP] B [SEP], RoBERTa: <s> A </s> </s> B </s>, GPT-2: A B.
const ebm_layout_part *ebm_tokenizer_layout(const ebm_tokenizer *tokenizer, bool pair, size_t *count);
size_t ebm_tokenizer_special_count(const ebm_tokenizer *tokenizer, bool pair); // special tokens among them

// Ids of one text (b NULL) or of a pair into the layout, cut as encode cuts them; returns how many. max_length 0: no
// limit, else at least the special tokens. ids and types have room for max_length, or for all.
size_t ebm_tokenizer_assemble(const ebm_tokenizer *tokenizer, const int32_t *a, size_t a_count, const int32_t *b,
                              size_t b_count, size_t max_length, int32_t *ids, int32_t *types);

// Text for the caller to free(), zero-terminated valid UTF-8: as the decoders of the tokenizers library, parts of
// characters (and zero bytes) as U+FFFD. Ids outside the vocabulary are EBM_ERROR_INPUT.
ebm_status ebm_tokenizer_decode(const ebm_tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special,
                                char **text);

typedef enum {
    EBM_TOKEN_BOS, // RoBERTa, XLM-R <s>, GPT-2 <|endoftext|>, BERT [CLS]
    EBM_TOKEN_EOS, // RoBERTa, XLM-R </s>, GPT-2 <|endoftext|>, BERT [SEP]
    EBM_TOKEN_PAD,
    EBM_TOKEN_MASK,
    EBM_TOKEN_UNK,
    EBM_TOKEN_ROLES
} ebm_token_role;
#define EBM_TOKEN_CLS EBM_TOKEN_BOS
#define EBM_TOKEN_SEP EBM_TOKEN_EOS

int32_t ebm_tokenizer_special(const ebm_tokenizer *tokenizer, ebm_token_role role); // -1: none
bool ebm_tokenizer_is_special(const ebm_tokenizer *tokenizer, int32_t id);          // those and special added tokens

size_t ebm_tokenizer_size(const ebm_tokenizer *tokenizer); // largest id + 1
// As in the vocabulary file ("##ing", "Ġhello"), borrowed until the next add_token; NULL for an id without token.
const char *ebm_tokenizer_text(const ebm_tokenizer *tokenizer, int32_t id);
int32_t ebm_tokenizer_id(const ebm_tokenizer *tokenizer, const char *text); // -1: none

// A special token at the end of the vocabulary; one that is there already keeps its id. Never found in texts (somebody
// may write "<M>") until match_token asks for it. transformers, which has no such distinction, does find it.
ebm_status ebm_tokenizer_add_token(ebm_tokenizer *tokenizer, const char *text, int32_t *id);
ebm_status ebm_tokenizer_match_token(ebm_tokenizer *tokenizer, int32_t id); // an added token's id

// map[id of from] = id of the token with the same text in `to`, or -1; special tokens go by role first. Of different
// kinds of vocabulary (WordPiece, byte-level, with U+2581 for spaces, others by themselves) only special tokens have an
// image. *missing (may be NULL) is the number of tokens without one, special tokens not counted: 0 when every text can
// be mapped. map: size(from) elements.
void ebm_tokenizer_map(const ebm_tokenizer *from, const ebm_tokenizer *to, int32_t *map, size_t *missing);

#ifdef __cplusplus
}
#endif
#endif
