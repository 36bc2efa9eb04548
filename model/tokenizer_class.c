// What transformers' AutoTokenizer (5.24) makes of a directory: which class it takes, and what that class sets itself.
//
// BertTokenizer, RobertaTokenizer, GPT2Tokenizer and XLMRobertaTokenizer build normaliser, pre-tokeniser and decoder
// anew from tokenizer_config.json's settings, though there is a tokenizer.json: of that they take vocabulary, merges,
// added tokens and (GPT-2) the post-processor. Other classes take it as it stands.
#include <string.h>

#include "tokenizer_internal.h"

static const struct {
    const char *name;       // as saved, without "Fast"
    const char *model_type; // for which it is taken when nothing names a class; NULL: none
    ebm_tokenizer_class class;
    bool types; // gives type ids
} classes[] = {
    {"BertTokenizer", "bert", EBM_CLASS_BERT, true},
    {"BertTokenizer", "electra", EBM_CLASS_BERT, true},
    {"BertTokenizer", "distilbert", EBM_CLASS_BERT, true},
    {"ElectraTokenizer", NULL, EBM_CLASS_BERT, true},
    {"DistilBertTokenizer", NULL, EBM_CLASS_BERT, false},
    {"RobertaTokenizer", "roberta", EBM_CLASS_ROBERTA, false},
    {"GPT2Tokenizer", "gpt2", EBM_CLASS_GPT2, false},
    {"XLMRobertaTokenizer", "xlm-roberta", EBM_CLASS_XLM_ROBERTA, false},
};
enum { ENTRIES = sizeof classes / sizeof *classes };

static const char *named_class(const ebm_tokenizer_files *files, const ebm_tokenizer_settings *s)
{
    const char *name = json_string_value(json_object_get(s->config, "tokenizer_class"));
    return name ? name : files->model_class;
}

static int entry_of_name(const char *name)
{
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, "Fast") == 0) length -= 4;
    for (int i = 0; i < ENTRIES; i++)
        if (strlen(classes[i].name) == length && strncmp(name, classes[i].name, length) == 0) return i;
    return -1;
}

static int entry_of(const ebm_tokenizer_files *files, const ebm_tokenizer_settings *s)
{
    const char *name = named_class(files, s), *type = files->model_type;
    if (type && strcmp(type, "modernbert") == 0) return -1; // whatever class its files name
    if (name) return entry_of_name(name);
    for (int i = 0; type && i < ENTRIES; i++)
        if (classes[i].model_type && strcmp(type, classes[i].model_type) == 0) return i;
    return -1;
}

ebm_tokenizer_class ebm_tokenizer_class_of(const ebm_tokenizer_files *files, const ebm_tokenizer_settings *s,
                                           const ebm_vocabulary *vocabulary)
{
    const int entry = entry_of(files, s);
    if (s->root) return entry >= 0 ? classes[entry].class : EBM_CLASS_FILE;
    // The older files do not tell; where transformers would give up, the vocabulary decides.
    if (files->bytes[FILE_VOCAB_TXT]) return EBM_CLASS_BERT;
    if (entry >= 0 && (classes[entry].class == EBM_CLASS_ROBERTA || classes[entry].class == EBM_CLASS_GPT2))
        return classes[entry].class;
    const bool both = ebm_vocabulary_find(vocabulary, "<s>", 3) >= 0 && ebm_vocabulary_find(vocabulary, "</s>", 4) >= 0;
    return both ? EBM_CLASS_ROBERTA : EBM_CLASS_GPT2;
}

const char *ebm_tokenizer_class_name(ebm_tokenizer_class class)
{
    for (int i = 0; i < ENTRIES; i++)
        if (classes[i].class == class) return classes[i].name;
    return "PreTrainedTokenizerFast";
}

ebm_word_model_kind ebm_tokenizer_class_model(ebm_tokenizer_class class)
{
    return class == EBM_CLASS_BERT ? EBM_WORDPIECE : class == EBM_CLASS_XLM_ROBERTA ? EBM_UNIGRAM : EBM_BPE;
}

static json_t *flag_or_null(const json_t *config, const char *key)
{
    json_t *value = json_object_get(config, key);
    return json_is_boolean(value) ? json_incref(value) : json_null();
}

// The file's Precompiled, alone or first in a sequence: an XLM-R tokenizer keeps it.
static json_t *find_charsmap(const json_t *root)
{
    json_t *normalizer = json_object_get(root, "normalizer"), *list = json_object_get(normalizer, "normalizers");
    for (size_t i = 0; i < json_array_size(list) + !list; i++) {
        json_t *one = list ? json_array_get(list, i) : normalizer;
        const char *type = json_string_value(json_object_get(one, "type"));
        if (type && strcmp(type, "Precompiled") == 0) return json_incref(one);
    }
    return NULL;
}

bool ebm_tokenizer_class_parts(ebm_tokenizer_class class, const ebm_tokenizer_settings *s, json_t **normalizer,
                               json_t **pretokenizer, json_t **decoder)
{
    const json_t *config = s->config;
    *normalizer = NULL;
    if (class == EBM_CLASS_BERT) {
        *normalizer = json_pack("{s:s, s:b, s:b, s:o, s:b}", "type", "BertNormalizer", "clean_text", 1,
                                "handle_chinese_chars", ebm_tokenizer_setting(config, "tokenize_chinese_chars", true),
                                "strip_accents", flag_or_null(config, "strip_accents"), "lowercase",
                                ebm_tokenizer_setting(config, "do_lower_case", true));
        *pretokenizer = json_pack("{s:s}", "type", "BertPreTokenizer");
        *decoder = json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1);
        return *normalizer && *pretokenizer && *decoder;
    }
    if (class == EBM_CLASS_XLM_ROBERTA) {
        const char *scheme = ebm_tokenizer_setting(config, "add_prefix_space", true) ? "always" : "never";
        *normalizer = find_charsmap(s->root);
        *decoder =
            json_pack("{s:s, s:s, s:s}", "type", "Metaspace", "replacement", "\xE2\x96\x81", "prepend_scheme", scheme);
        *pretokenizer =
            json_pack("{s:s, s:[{s:s}, O]}", "type", "Sequence", "pretokenizers", "type", "WhitespaceSplit", *decoder);
        return *pretokenizer && *decoder;
    }
    *pretokenizer = json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                              ebm_tokenizer_setting(config, "add_prefix_space", false), "trim_offsets", 1);
    *decoder = json_pack("{s:s}", "type", "ByteLevel");
    return *pretokenizer && *decoder;
}

// Type ids are given when the model's inputs have them: by what tokenizer_config.json lists, else by the class. (For a
// tokenizer.json as it stands transformers 5 lists none, unlike 4.)
static bool gives_types(const ebm_tokenizer *t, const ebm_tokenizer_settings *s)
{
    const json_t *list = json_object_get(s->config, "model_input_names");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (name && strcmp(name, "token_type_ids") == 0) return true;
    }
    if (json_is_array(list)) return false;
    const int entry = entry_of(&t->files, s);
    if (entry >= 0 && classes[entry].class == t->class) return classes[entry].types;
    if (t->class == EBM_CLASS_FILE) return !s->config && !t->files.model_type; // nothing but the file: what it says
    return t->class == EBM_CLASS_BERT;
}

static ebm_status read_from_file(ebm_tokenizer *t, const json_t *root, const char *where)
{
    char name[512];
    snprintf(name, sizeof name, "%.400s/tokenizer.json: post_processor", where);
    return ebm_postprocessor_read(json_object_get(root, "post_processor"), name, &t->postprocessor);
}

// What GPT-2's older files may ask for; with a tokenizer.json these settings count for nothing.
static ebm_status read_bos_eos(ebm_tokenizer *t, const json_t *config)
{
    const bool bos = ebm_tokenizer_setting(config, "add_bos_token", false) && t->named[NAMED_BOS] >= 0;
    const bool eos = ebm_tokenizer_setting(config, "add_eos_token", false) && t->named[NAMED_EOS] >= 0;
    return ebm_postprocessor_bos_eos(bos ? t->named[NAMED_BOS] : -1, eos ? t->named[NAMED_EOS] : -1, &t->postprocessor);
}

ebm_status ebm_tokenizer_class_postprocessor(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    const int32_t *id = t->named;
    switch (t->class) {
    case EBM_CLASS_BERT:
        EBM_TRY(ebm_postprocessor_bert(id[NAMED_CLS], id[NAMED_SEP], &t->postprocessor));
        break;
    case EBM_CLASS_ROBERTA:
        EBM_TRY(ebm_postprocessor_roberta(id[NAMED_CLS], id[NAMED_SEP], &t->postprocessor));
        break;
    case EBM_CLASS_XLM_ROBERTA:
        EBM_TRY(ebm_postprocessor_roberta(id[NAMED_BOS], id[NAMED_EOS], &t->postprocessor));
        break;
    default:
        EBM_TRY(s->root ? read_from_file(t, s->root, where) : read_bos_eos(t, s->config));
    }
    if (!gives_types(t, s)) ebm_postprocessor_clear_types(&t->postprocessor);
    return ebm_ok();
}
