// Shared by the tokenizer_*.c files.
#ifndef EBM_TOKENIZER_INTERNAL_H
#define EBM_TOKENIZER_INTERNAL_H

#include <jansson.h>

#include "added_tokens.h"
#include "bpe.h"
#include "tokenizer.h"
#include "vocabulary.h"
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
} ebm_tokenizer_files;
extern const char *const ebm_tokenizer_file_names[FILE_COUNT];

struct ebm_tokenizer {
    ebm_family family;
    uint64_t serial; // never the same twice: word caches belong to one tokenizer
    ebm_vocabulary vocabulary;
    ebm_wordpiece wordpiece;
    ebm_bpe *bpe; // NULL: WordPiece
    ebm_added_tokens added;
    int32_t roles[EBM_TOKEN_ROLES];
    bool changed; // tokens added since loading
    ebm_tokenizer_files files;
    char *model_type; // of config.json; NULL: none
};

struct ebm_tokenizer_scratch {
    uint64_t serial;
    ebm_wordpiece_scratch wordpiece;
    ebm_bpe_scratch bpe;
    ebm_id_list a, b;
};

// Makes a tokenizer of its files (emptied into it, also on failure). `where` starts the sentences of errors.
ebm_status ebm_tokenizer_build(ebm_tokenizer_files *files, const char *model_type, const char *where,
                               ebm_tokenizer **tokenizer);
ebm_status ebm_tokenizer_files_copy(const ebm_tokenizer_files *files, ebm_tokenizer_files *copy);
void ebm_tokenizer_files_free(ebm_tokenizer_files *files);

// Special tokens, flags and added tokens, from the three JSON files and the family's defaults.
typedef struct {
    json_t *config, *special_map, *added; // objects, or NULL
} ebm_tokenizer_settings;
ebm_status ebm_tokenizer_settings_read(const ebm_tokenizer_files *files, const char *where,
                                       ebm_tokenizer_settings *settings);
void ebm_tokenizer_settings_free(ebm_tokenizer_settings *settings);
ebm_status ebm_tokenizer_set_specials(ebm_tokenizer *tokenizer, const ebm_tokenizer_settings *settings,
                                      const char *where);
// Puts one in, its text normalised where the flags say so.
ebm_status ebm_tokenizer_put_added(ebm_tokenizer *tokenizer, ebm_added_token token);

// The names of the settings, in both JSON files.
typedef struct {
    const char *key; // "unk_token"
    ebm_token_role role;
    const char *usual[3]; // by ebm_family; NULL: none
} ebm_tokenizer_role_name;
#define EBM_TOKENIZER_ROLE_NAMES 7
extern const ebm_tokenizer_role_name ebm_tokenizer_role_names[EBM_TOKENIZER_ROLE_NAMES];
// A key of our own: added tokens not to be found in texts.
#define EBM_TOKENIZER_HIDDEN_KEY "ebmcl_hidden_tokens"

#endif
