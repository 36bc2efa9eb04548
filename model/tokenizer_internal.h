// Shared by the tokenizer_*.c files.
#ifndef EBM_TOKENIZER_INTERNAL_H
#define EBM_TOKENIZER_INTERNAL_H

#include <jansson.h>

#include "added_tokens.h"
#include "normalizer.h"
#include "postprocessor.h"
#include "pretokenizer.h"
#include "token_decoder.h"
#include "tokenizer.h"
#include "vocabulary.h"
#include "word_model.h"
#include "wordpiece.h"

// The files of a tokenizer stay in memory as read: save writes them back when the directory may be gone.
enum {
    FILE_VOCAB_TXT,
    FILE_VOCAB_JSON,
    FILE_MERGES,
    FILE_CONFIG,
    FILE_SPECIAL_MAP,
    FILE_ADDED,
    FILE_TOKENIZER_JSON,
    FILE_COUNT
};
typedef struct {
    char *bytes[FILE_COUNT]; // NULL: there is none
    size_t size[FILE_COUNT];
    char *model_type, *model_class; // model_type and tokenizer_class of config.json; NULL: none
} ebm_tokenizer_files;
extern const char *const ebm_tokenizer_file_names[FILE_COUNT];

// Whose rules hold, after the classes of transformers; see tokenizer_class.c.
typedef enum {
    EBM_CLASS_FILE, // tokenizer.json as it stands
    EBM_CLASS_BERT,
    EBM_CLASS_ROBERTA,
    EBM_CLASS_GPT2,
    EBM_CLASS_XLM_ROBERTA,
    EBM_CLASS_COUNT
} ebm_tokenizer_class;

// The shortest way through the pipeline.
typedef enum {
    EBM_WAY_BERT,       // pre-tokeniser and model at once: ebm_wordpiece_encode, or _encode_text with BERT's normaliser
    EBM_WAY_BYTE_LEVEL, // the same: ebm_bpe_encode
    EBM_WAY_STEPS,
} ebm_tokenizer_way;

// The settings that name special tokens, in the order in which transformers goes through them.
typedef enum { NAMED_BOS, NAMED_EOS, NAMED_UNK, NAMED_SEP, NAMED_PAD, NAMED_CLS, NAMED_MASK, NAMED_COUNT } ebm_named;
typedef struct {
    const char *key; // "unk_token"
    ebm_token_role role;
    const char *usual[EBM_CLASS_COUNT]; // NULL: none
} ebm_named_token;
extern const ebm_named_token ebm_named_tokens[NAMED_COUNT];

struct ebm_tokenizer {
    ebm_tokenizer_class class;
    ebm_tokenizer_way way;
    uint64_t serial;           // never the same twice: word caches belong to one tokenizer
    ebm_vocabulary vocabulary; // the model's; added tokens are in `added`
    ebm_word_model model;
    ebm_normalizer *normalizer;
    ebm_pretokenizer *pretokenizer;
    ebm_postprocessor postprocessor;
    ebm_token_decoder *decoder;
    ebm_wordpiece wordpiece; // for EBM_WAY_BERT
    ebm_added_tokens added;
    int32_t named[NAMED_COUNT]; // -1: none
    int32_t roles[EBM_TOKEN_ROLES];
    bool cuts_left; // at the beginning of texts that are too long
    bool changed;   // tokens added since loading
    ebm_tokenizer_files files;
};

struct ebm_tokenizer_scratch {
    uint64_t serial;
    ebm_normalizer_scratch normalizer;
    ebm_pieces pieces;
    ebm_word_model_scratch model;
    ebm_id_list a, b;
};

// Makes a tokenizer of its files (emptied into it, also on failure). `where` starts the sentences of errors.
ebm_status ebm_tokenizer_build(ebm_tokenizer_files *files, const char *where, ebm_tokenizer **tokenizer);
ebm_status ebm_tokenizer_files_copy(const ebm_tokenizer_files *files, ebm_tokenizer_files *copy);
void ebm_tokenizer_files_free(ebm_tokenizer_files *files);

// The JSON files, parsed.
typedef struct {
    json_t *config, *special_map, *added, *root; // objects, or NULL; root is tokenizer.json
} ebm_tokenizer_settings;
ebm_status ebm_tokenizer_settings_read(const ebm_tokenizer_files *files, const char *where,
                                       ebm_tokenizer_settings *settings);
void ebm_tokenizer_settings_free(ebm_tokenizer_settings *settings);
bool ebm_tokenizer_setting(const json_t *config, const char *key, bool usual);

// tokenizer_class.c
ebm_tokenizer_class ebm_tokenizer_class_of(const ebm_tokenizer_files *files, const ebm_tokenizer_settings *settings,
                                           const ebm_vocabulary *vocabulary);
const char *ebm_tokenizer_class_name(ebm_tokenizer_class class);
ebm_word_model_kind ebm_tokenizer_class_model(ebm_tokenizer_class class);
// The components a class sets itself, as tokenizer.json would have them: new references, NULL for none. Not for
// EBM_CLASS_FILE. False when out of memory.
bool ebm_tokenizer_class_parts(ebm_tokenizer_class class, const ebm_tokenizer_settings *settings, json_t **normalizer,
                               json_t **pretokenizer, json_t **decoder);
// Special tokens around texts, once they are known.
ebm_status ebm_tokenizer_class_postprocessor(ebm_tokenizer *tokenizer, const ebm_tokenizer_settings *settings,
                                             const char *where);

// tokenizer_vocabulary.c: the older files.
ebm_status ebm_tokenizer_read_old_model(ebm_tokenizer *tokenizer, const char *where);
ebm_status ebm_tokenizer_check_files(const ebm_tokenizer_files *files, const char *directory, const char *where);

// tokenizer_specials.c: special tokens, flags and added tokens, from the JSON files and the class's defaults.
ebm_status ebm_tokenizer_set_specials(ebm_tokenizer *tokenizer, const ebm_tokenizer_settings *settings,
                                      const char *where);
// What an added token's id will be: the one its text has, or the next.
int32_t ebm_tokenizer_added_id(const ebm_tokenizer *tokenizer, const char *text, size_t bytes);

// A key of our own in tokenizer_config.json: added tokens not to be found in texts.
#define EBM_TOKENIZER_HIDDEN_KEY "ebmcl_hidden_tokens"

#endif
