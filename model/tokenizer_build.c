// One pipeline for all kinds of files: the components of tokenizer.json, or those a class sets itself.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bpe_internal.h"
#include "json_field.h"
#include "tokenizer_internal.h"

static ebm_status read_object(const ebm_tokenizer_files *files, int file, const char *where, json_t **object)
{
    if (!files->bytes[file]) return ebm_ok();
    // A byte-level vocabulary's tokens have no zero bytes; a Unigram's may.
    const size_t flags = file == FILE_TOKENIZER_JSON ? JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL : 0;
    const char *name = ebm_tokenizer_file_names[file];
    json_error_t error;
    *object = json_loadb(files->bytes[file], files->size[file], JSON_DECODE_ANY | flags, &error);
    if (!*object) return ebm_fail(EBM_ERROR_INPUT, "%s/%s:%d: not JSON: %s", where, name, error.line, error.text);
    if (!json_is_object(*object)) return ebm_fail(EBM_ERROR_INPUT, "%s/%s: expected a JSON object", where, name);
    return ebm_ok();
}

ebm_status ebm_tokenizer_settings_read(const ebm_tokenizer_files *files, const char *where,
                                       ebm_tokenizer_settings *settings)
{
    EBM_TRY(read_object(files, FILE_CONFIG, where, &settings->config));
    EBM_TRY(read_object(files, FILE_SPECIAL_MAP, where, &settings->special_map));
    EBM_TRY(read_object(files, FILE_ADDED, where, &settings->added));
    return read_object(files, FILE_TOKENIZER_JSON, where, &settings->root);
}

void ebm_tokenizer_settings_free(ebm_tokenizer_settings *settings)
{
    json_decref(settings->config);
    json_decref(settings->special_map);
    json_decref(settings->added);
    json_decref(settings->root);
    *settings = (ebm_tokenizer_settings){0};
}

bool ebm_tokenizer_setting(const json_t *config, const char *key, bool usual)
{
    const json_t *value = json_object_get(config, key);
    return json_is_boolean(value) ? json_is_true(value) : usual;
}

static ebm_status read_model(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    char name[512];
    if (!s->root) {
        EBM_TRY(ebm_tokenizer_read_old_model(t, where));
        t->class = ebm_tokenizer_class_of(&t->files, s, &t->vocabulary);
        return ebm_ok();
    }
    snprintf(name, sizeof name, "%.400s/tokenizer.json: model", where);
    t->class = ebm_tokenizer_class_of(&t->files, s, NULL);
    EBM_TRY(ebm_word_model_read(json_object_get(s->root, "model"), name, t->class == EBM_CLASS_FILE, &t->vocabulary,
                                &t->model));
    if (t->class == EBM_CLASS_FILE || t->model.kind == ebm_tokenizer_class_model(t->class)) return ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED,
                    "%s is a %s, which a %s is not; if the file is right, set \"tokenizer_class\": "
                    "\"PreTrainedTokenizerFast\" in tokenizer_config.json",
                    name, ebm_word_model_names[t->model.kind], ebm_tokenizer_class_name(t->class));
}

static ebm_status create_parts(ebm_tokenizer *t, const json_t *normalizer, const json_t *pretokenizer,
                               const json_t *decoder, const char *where)
{
    char name[512];
    snprintf(name, sizeof name, "%.400s: normalizer", where);
    EBM_TRY(ebm_normalizer_create(normalizer, name, &t->normalizer));
    snprintf(name, sizeof name, "%.400s: pre_tokenizer", where);
    EBM_TRY(ebm_pretokenizer_create(pretokenizer, name, t->normalizer != NULL,
                                    !ebm_normalizer_keeps_start(t->normalizer), &t->pretokenizer));
    snprintf(name, sizeof name, "%.400s: decoder", where);
    return ebm_token_decoder_create(decoder, name, &t->decoder);
}

static ebm_status read_parts(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    char name[512];
    json_t *normalizer = NULL, *pretokenizer = NULL, *decoder = NULL;
    snprintf(name, sizeof name, "%.400s/tokenizer.json", where);
    if (t->class == EBM_CLASS_FILE)
        return create_parts(t, json_object_get(s->root, "normalizer"), json_object_get(s->root, "pre_tokenizer"),
                            json_object_get(s->root, "decoder"), name);
    ebm_status status = ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    if (ebm_tokenizer_class_parts(t->class, s, &normalizer, &pretokenizer, &decoder))
        status = create_parts(t, normalizer, pretokenizer, decoder, s->root ? name : where);
    json_decref(normalizer);
    json_decref(pretokenizer);
    json_decref(decoder);
    return status;
}

static void choose_way(ebm_tokenizer *t)
{
    const ebm_pretokenizer_kind kind = ebm_pretokenizer_is(t->pretokenizer);
    t->way = EBM_WAY_STEPS;
    t->model.takes_bytes = ebm_pretokenizer_ends_in_bytes(t->pretokenizer) && ebm_word_model_may_take_bytes(&t->model);
    if (kind == EBM_PRETOKENIZER_BERT && ebm_word_model_is_usual_wordpiece(&t->model)) t->way = EBM_WAY_BERT;
    if (kind == EBM_PRETOKENIZER_BYTE_LEVEL && t->model.takes_bytes) {
        t->way = EBM_WAY_BYTE_LEVEL;
        t->model.bpe->add_prefix_space = ebm_pretokenizer_adds_space(t->pretokenizer);
    }
}

// Where texts that are too long are cut. The other settings of "truncation" are the caller's in transformers too: a
// text is not cut unless max_length is given, and then the longest first. "padding" is not read: batches are packed.
static ebm_status read_truncation(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    char name[512];
    const json_t *truncation = json_object_get(s->root, "truncation");
    const char *side = json_string_value(json_object_get(s->config, "truncation_side"));
    snprintf(name, sizeof name, "%.400s/tokenizer.json: truncation", where);
    if (truncation && !json_is_null(truncation) && json_object_get(truncation, "direction")) {
        const char *direction;
        EBM_TRY(ebm_field_text(truncation, "direction", name, &direction, NULL));
        if (strcmp(direction, "Left") != 0 && strcmp(direction, "Right") != 0)
            return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: the direction \"%.80s\" is not supported", name, direction);
        if (!side) side = strcmp(direction, "Left") == 0 ? "left" : "right";
    }
    t->cuts_left = side && strcmp(side, "left") == 0;
    return ebm_ok();
}

// All ids in use, each text once: then a sequence is as long as its texts and its special tokens.
static ebm_status check_layout(const ebm_tokenizer *t, bool pair, const char *where)
{
    size_t count = 0, a = 0, b = 0;
    const ebm_layout_part *parts = ebm_tokenizer_layout(t, pair, &count);
    for (size_t i = 0; i < count; i++) {
        a += parts[i].id == EBM_LAYOUT_A;
        b += parts[i].id == EBM_LAYOUT_B;
        if (parts[i].id >= 0 && !ebm_tokenizer_text(t, parts[i].id))
            return ebm_fail(EBM_ERROR_INPUT, "%s/tokenizer.json: post_processor: no token has the id %d", where,
                            (int)parts[i].id);
    }
    if (a == 1 && b == (pair ? 1 : 0)) return ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED,
                    "%s/tokenizer.json: post_processor: the template of a %s has the first text %zu times and the "
                    "second %zu times; only once each is supported",
                    where, pair ? "pair" : "single text", a, b);
}

// Roles that nothing names, by what the file itself has: the tokens around a text, padding, usual names.
static void complete_roles(ebm_tokenizer *t, const ebm_tokenizer_settings *s)
{
    static const struct {
        ebm_token_role role;
        const char *name;
    } usual[] = {{EBM_TOKEN_MASK, "[MASK]"},       {EBM_TOKEN_MASK, "<mask>"},      {EBM_TOKEN_PAD, "[PAD]"},
                 {EBM_TOKEN_PAD, "<pad>"},         {EBM_TOKEN_UNK, "[UNK]"},        {EBM_TOKEN_UNK, "<unk>"},
                 {EBM_TOKEN_EOS, "<|endoftext|>"}, {EBM_TOKEN_BOS, "<|endoftext|>"}};
    size_t count = 0;
    const ebm_layout_part *parts = ebm_tokenizer_layout(t, false, &count);
    const char *pad = json_string_value(json_object_get(json_object_get(s->root, "padding"), "pad_token"));
    if (t->class != EBM_CLASS_FILE) return;
    if (t->roles[EBM_TOKEN_BOS] < 0 && count > 0 && parts[0].id >= 0) t->roles[EBM_TOKEN_BOS] = parts[0].id;
    if (t->roles[EBM_TOKEN_EOS] < 0 && count > 0 && parts[count - 1].id >= 0)
        t->roles[EBM_TOKEN_EOS] = parts[count - 1].id;
    if (t->roles[EBM_TOKEN_PAD] < 0 && pad) t->roles[EBM_TOKEN_PAD] = ebm_tokenizer_id(t, pad);
    if (t->roles[EBM_TOKEN_UNK] < 0) t->roles[EBM_TOKEN_UNK] = t->model.unknown;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        const int32_t id = ebm_tokenizer_id(t, usual[i].name);
        if (t->roles[usual[i].role] < 0 && ebm_tokenizer_is_special(t, id)) t->roles[usual[i].role] = id;
    }
}

static ebm_status assemble(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    EBM_TRY(read_model(t, s, where));
    EBM_TRY(read_parts(t, s, where));
    choose_way(t);
    EBM_TRY(ebm_tokenizer_set_specials(t, s, where));
    EBM_TRY(ebm_tokenizer_class_postprocessor(t, s, where));
    EBM_TRY(check_layout(t, false, where));
    EBM_TRY(check_layout(t, true, where));
    complete_roles(t, s);
    if (t->class == EBM_CLASS_BERT) t->model.unknown = t->named[NAMED_UNK];
    if (ebm_normalizer_bert(t->normalizer)) t->wordpiece = *ebm_normalizer_bert(t->normalizer);
    t->wordpiece.vocabulary = &t->vocabulary;
    t->wordpiece.unknown = t->model.unknown;
    return read_truncation(t, s, where);
}

ebm_status ebm_tokenizer_build(ebm_tokenizer_files *files, const char *where, ebm_tokenizer **out)
{
    static atomic_uint_fast64_t serials;
    ebm_tokenizer_settings settings = {0};
    ebm_tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        ebm_tokenizer_files_free(files);
        return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer");
    }
    t->files = *files;
    *files = (ebm_tokenizer_files){0};
    t->serial = atomic_fetch_add(&serials, 1) + 1;
    ebm_status status = ebm_tokenizer_settings_read(&t->files, where, &settings);
    if (status.code == EBM_OK) status = assemble(t, &settings, where);
    ebm_tokenizer_settings_free(&settings);
    if (status.code == EBM_OK)
        *out = t;
    else
        ebm_tokenizer_free(t);
    return status;
}

void ebm_tokenizer_free(ebm_tokenizer *t)
{
    if (!t) return;
    ebm_word_model_free(&t->model);
    ebm_vocabulary_free(&t->vocabulary);
    ebm_normalizer_free(t->normalizer);
    ebm_pretokenizer_free(t->pretokenizer);
    ebm_postprocessor_free(&t->postprocessor);
    ebm_token_decoder_free(t->decoder);
    ebm_added_tokens_free(&t->added);
    ebm_tokenizer_files_free(&t->files);
    free(t);
}
