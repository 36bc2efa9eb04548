#include "normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "bert_unicode.h"
#include "bpe.h"
#include "charsmap.h"
#include "json_field.h"
#include "normal_form.h"
#include "unicode_class.h"

typedef enum { STEP_BERT, STEP_FORM, STEP_CHARSMAP, STEP_CHARACTERS, STEP_STRIP, STEP_PREPEND, STEP_REPLACE } step_kind;

typedef struct {
    step_kind kind;
    ebm_wordpiece bert; // the flags only
    ebm_normal_form form;
    ebm_charsmap *charsmap;
    bool (*put)(uint32_t c, ebm_bytes *out); // STEP_CHARACTERS: each one by itself
    bool left, right;
    ebm_pattern *pattern;
    char *content; // what is prepended, or put in place
    size_t content_bytes;
} step;

struct ebm_normalizer {
    step *steps;
    size_t count;
};

enum { MOST_STEPS = 64, MOST_DEPTH = 8 };

void ebm_normalizer_free(ebm_normalizer *n)
{
    if (!n) return;
    for (size_t i = 0; i < n->count; i++) {
        ebm_charsmap_free(n->steps[i].charsmap);
        ebm_pattern_free(n->steps[i].pattern);
        free(n->steps[i].content);
    }
    free(n->steps);
    free(n);
}

void ebm_normalizer_scratch_free(ebm_normalizer_scratch *s)
{
    ebm_bytes_free(&s->buffers[0]);
    ebm_bytes_free(&s->buffers[1]);
    ebm_wordpiece_scratch_free(&s->bert);
    ebm_regex_scratch_free(&s->regex);
}

// --- single characters ----------------------------------------------------------------------------------------------

static bool put(uint32_t c, ebm_bytes *out)
{
    char bytes[4];
    return ebm_bytes_append(out, bytes, ebm_utf8_put(c, bytes));
}

static bool put_lower(uint32_t c, ebm_bytes *out)
{
    return c == 0x130 ? ebm_bytes_append(out, "i\xCC\x87", 3) : put(ebm_bert_lower(c), out);
}

static bool put_unaccented(uint32_t c, ebm_bytes *out) { return ebm_is_mark(c) || put(c, out); }

static bool put_without_nonspacing(uint32_t c, ebm_bytes *out) { return ebm_bert_is_nonspacing_mark(c) || put(c, out); }

static bool put_spaced(uint32_t c, ebm_bytes *out)
{
    if (!ebm_bert_is_chinese(c)) return put(c, out);
    return put(' ', out) && put(c, out) && put(' ', out);
}

// Source: normalizers/unicode.rs do_nmt, after sentencepiece's nmt_nfkc.
static bool put_nmt(uint32_t c, ebm_bytes *out)
{
    const bool removed =
        (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
    const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
                       c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    return removed || put(space ? ' ' : c, out);
}

static bool put_byte_characters(uint32_t c, ebm_bytes *out)
{
    char bytes[4];
    const size_t n = ebm_utf8_put(c, bytes);
    for (size_t i = 0; i < n; i++)
        if (!put(ebm_bpe_character_of_byte((unsigned char)bytes[i]), out)) return false;
    return true;
}

// --- applying -------------------------------------------------------------------------------------------------------

static bool apply_characters(const step *s, const char *text, size_t bytes, ebm_bytes *out)
{
    for (size_t i = 0; i < bytes;)
        if (!s->put(ebm_utf8_next(text, &i), out)) return false;
    return true;
}

static bool is_ascii(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)text[i] >= 0x80) return false;
    return true;
}

static bool apply_strip(const step *s, const char *text, size_t bytes, ebm_bytes *out)
{
    size_t start = 0, end = 0;
    for (size_t i = 0; i < bytes;) {
        const size_t here = i;
        if (ebm_bert_is_space(ebm_utf8_next(text, &i))) continue;
        if (end == 0) start = here;
        end = i;
    }
    if (!s->left) start = 0;
    if (!s->right) end = bytes;
    return end <= start || ebm_bytes_append(out, text + start, end - start);
}

static bool apply_prepend(const step *s, const char *text, size_t bytes, ebm_bytes *out)
{
    return bytes == 0 || (ebm_bytes_append(out, s->content, s->content_bytes) && ebm_bytes_append(out, text, bytes));
}

static ebm_status no_memory(size_t bytes)
{
    return ebm_fail(EBM_ERROR_MEMORY, "out of memory normalising a text of %zu bytes", bytes);
}

static ebm_status apply_replace(const step *s, const char *text, size_t bytes, ebm_regex_scratch *regex, ebm_bytes *out)
{
    ebm_pattern_search search = {0};
    size_t done = 0;
    while (bytes > 0) {
        EBM_TRY(ebm_pattern_next(s->pattern, text, bytes, regex, &search));
        if (!search.found) break;
        if (!ebm_bytes_append(out, text + done, search.start - done) ||
            !ebm_bytes_append(out, s->content, s->content_bytes))
            return no_memory(bytes);
        done = search.end;
    }
    return ebm_bytes_append(out, text + done, bytes - done) ? ebm_ok() : no_memory(bytes);
}

static ebm_status apply_bert(const step *s, const char *text, size_t bytes, ebm_normalizer_scratch *scratch,
                             ebm_bytes *out)
{
    EBM_TRY(ebm_wordpiece_normalize(&s->bert, text, bytes, &scratch->bert));
    const ebm_bytes other = *out;
    *out = scratch->bert.text;
    scratch->bert.text = other;
    return ebm_ok();
}

static ebm_status apply(const step *s, const char *text, size_t bytes, ebm_normalizer_scratch *scratch, ebm_bytes *out)
{
    bool ok = true;
    switch (s->kind) {
    case STEP_BERT:
        return apply_bert(s, text, bytes, scratch, out);
    case STEP_REPLACE:
        return apply_replace(s, text, bytes, &scratch->regex, out);
    case STEP_FORM:
        ok = ebm_normal_form_apply(s->form, text, bytes, out);
        break;
    case STEP_CHARSMAP:
        ok = ebm_charsmap_apply(s->charsmap, text, bytes, out);
        break;
    case STEP_CHARACTERS:
        ok = apply_characters(s, text, bytes, out);
        break;
    case STEP_STRIP:
        ok = apply_strip(s, text, bytes, out);
        break;
    case STEP_PREPEND:
        ok = apply_prepend(s, text, bytes, out);
        break;
    }
    return ok ? ebm_ok() : no_memory(bytes);
}

ebm_status ebm_normalizer_apply(const ebm_normalizer *n, ebm_normalizer_scratch *scratch, const char **text,
                                size_t *bytes)
{
    int writing = 0;
    for (size_t i = 0; n && i < n->count; i++) {
        if (n->steps[i].kind == STEP_FORM && is_ascii(*text, *bytes)) continue; // is in every normal form
        ebm_bytes *out = &scratch->buffers[writing];
        out->size = 0;
        if (!ebm_bytes_reserve(out, *bytes + 1)) return no_memory(*bytes);
        EBM_TRY(apply(&n->steps[i], *text, *bytes, scratch, out));
        *text = out->bytes;
        *bytes = out->size;
        writing = !writing;
    }
    return ebm_ok();
}

bool ebm_normalizer_keeps_start(const ebm_normalizer *n)
{
    for (size_t i = 0; n && i < n->count; i++) {
        const step *s = &n->steps[i];
        const bool keeps = s->kind == STEP_FORM || s->kind == STEP_CHARSMAP || s->kind == STEP_PREPEND ||
                           (s->kind == STEP_CHARACTERS && s->put == put_lower);
        if (!keeps) return false;
    }
    return true;
}

const ebm_wordpiece *ebm_normalizer_bert(const ebm_normalizer *n)
{
    return n && n->count == 1 && n->steps[0].kind == STEP_BERT ? &n->steps[0].bert : NULL;
}

// --- reading --------------------------------------------------------------------------------------------------------

static ebm_status add(ebm_normalizer *n, const char *where, step **added)
{
    if (n->count == MOST_STEPS) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: more than %d steps", where, MOST_STEPS);
    *added = &n->steps[n->count++];
    **added = (step){0};
    return ebm_ok();
}

static ebm_status add_characters(ebm_normalizer *n, const char *where, bool (*put_character)(uint32_t, ebm_bytes *))
{
    step *s = NULL;
    EBM_TRY(add(n, where, &s));
    s->kind = STEP_CHARACTERS;
    s->put = put_character;
    return ebm_ok();
}

static ebm_status add_form(ebm_normalizer *n, const char *where, ebm_normal_form form)
{
    step *s = NULL;
    EBM_TRY(add(n, where, &s));
    s->kind = STEP_FORM;
    s->form = form;
    return ebm_ok();
}

static ebm_status read_content(const json_t *json, const char *key, const char *where, step *s)
{
    const char *text;
    EBM_TRY(ebm_field_text(json, key, where, &text, &s->content_bytes));
    s->content = malloc(s->content_bytes + 1);
    if (!s->content) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    memcpy(s->content, text, s->content_bytes + 1);
    return ebm_ok();
}

static ebm_status read_bert(ebm_normalizer *n, const json_t *json, const char *where)
{
    bool clean, chinese, lower;
    EBM_TRY(ebm_field_flag(json, "clean_text", where, &clean));
    EBM_TRY(ebm_field_flag(json, "handle_chinese_chars", where, &chinese));
    EBM_TRY(ebm_field_flag(json, "lowercase", where, &lower));
    bool strip = lower;
    EBM_TRY(ebm_field_flag_if_there(json, "strip_accents", where, &strip));
    if (clean) {
        step *s = NULL;
        EBM_TRY(add(n, where, &s));
        s->kind = STEP_BERT;
        s->bert = (ebm_wordpiece){.lower_case = lower, .strip_accents = strip, .space_chinese = chinese};
        return ebm_ok();
    }
    if (chinese) EBM_TRY(add_characters(n, where, put_spaced));
    if (strip) EBM_TRY(add_form(n, where, EBM_NFD));
    if (strip) EBM_TRY(add_characters(n, where, put_without_nonspacing));
    return lower ? add_characters(n, where, put_lower) : ebm_ok();
}

static ebm_status read_charsmap(ebm_normalizer *n, const json_t *json, const char *where)
{
    const char *text;
    size_t bytes;
    ebm_bytes blob = {0};
    step *s = NULL;
    EBM_TRY(ebm_field_text(json, "precompiled_charsmap", where, &text, &bytes));
    EBM_TRY(add(n, where, &s));
    s->kind = STEP_CHARSMAP;
    ebm_status status = ebm_base64_decode(text, bytes, &blob);
    if (status.code == EBM_OK)
        status = ebm_charsmap_create(blob.bytes, blob.size, where, &s->charsmap);
    else
        status = ebm_in(status, "%s: \"precompiled_charsmap\"", where);
    ebm_bytes_free(&blob);
    return status;
}

static ebm_status read_strip(ebm_normalizer *n, const json_t *json, const char *where)
{
    step *s = NULL;
    EBM_TRY(add(n, where, &s));
    s->kind = STEP_STRIP;
    EBM_TRY(ebm_field_flag(json, "strip_left", where, &s->left));
    return ebm_field_flag(json, "strip_right", where, &s->right);
}

static ebm_status read_prepend(ebm_normalizer *n, const json_t *json, const char *where)
{
    step *s = NULL;
    EBM_TRY(add(n, where, &s));
    s->kind = STEP_PREPEND;
    return read_content(json, "prepend", where, s);
}

static ebm_status read_replace(ebm_normalizer *n, const json_t *json, const char *where)
{
    step *s = NULL;
    EBM_TRY(add(n, where, &s));
    s->kind = STEP_REPLACE;
    EBM_TRY(ebm_pattern_read(json_object_get(json, "pattern"), where, &s->pattern));
    return read_content(json, "content", where, s);
}

static ebm_status read_form(ebm_normalizer *n, const char *type, const char *where, bool *known)
{
    static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD"};
    static const ebm_normal_form forms[] = {EBM_NFC, EBM_NFD, EBM_NFKC, EBM_NFKD};
    for (size_t i = 0; i < 4; i++)
        if (strcmp(type, names[i]) == 0) return *known = true, add_form(n, where, forms[i]);
    return ebm_ok();
}

static ebm_status read_characters(ebm_normalizer *n, const char *type, const char *where, bool *known)
{
    static const struct {
        const char *name;
        bool (*put)(uint32_t, ebm_bytes *);
    } kinds[] = {{"Lowercase", put_lower},
                 {"StripAccents", put_unaccented},
                 {"Nmt", put_nmt},
                 {"ByteLevel", put_byte_characters}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i].name) == 0) return *known = true, add_characters(n, where, kinds[i].put);
    return ebm_ok();
}

static ebm_status read_one(ebm_normalizer *n, const json_t *json, const char *where, int depth);

static ebm_status read_sequence(ebm_normalizer *n, const json_t *json, const char *where, int depth)
{
    json_t *list;
    EBM_TRY(ebm_field_list(json, "normalizers", where, &list));
    if (depth == MOST_DEPTH) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: sequences nested too deeply", where);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%.200s.normalizers[%zu]", where, i);
        EBM_TRY(read_one(n, json_array_get(list, i), inner, depth + 1));
    }
    return ebm_ok();
}

static ebm_status read_one(ebm_normalizer *n, const json_t *json, const char *where, int depth)
{
    const char *type;
    bool known = false;
    EBM_TRY(ebm_field_text(json, "type", where, &type, NULL));
    EBM_TRY(read_form(n, type, where, &known));
    EBM_TRY(read_characters(n, type, where, &known));
    if (known) return ebm_ok();
    if (strcmp(type, "Sequence") == 0) return read_sequence(n, json, where, depth);
    if (strcmp(type, "BertNormalizer") == 0) return read_bert(n, json, where);
    if (strcmp(type, "Precompiled") == 0) return read_charsmap(n, json, where);
    if (strcmp(type, "Strip") == 0) return read_strip(n, json, where);
    if (strcmp(type, "Prepend") == 0) return read_prepend(n, json, where);
    if (strcmp(type, "Replace") == 0) return read_replace(n, json, where);
    return ebm_field_unsupported(type, where);
}

ebm_status ebm_normalizer_create(const json_t *json, const char *where, ebm_normalizer **out)
{
    if (!json || json_is_null(json)) return ebm_ok();
    ebm_normalizer *n = calloc(1, sizeof *n);
    if (n) n->steps = calloc(MOST_STEPS, sizeof *n->steps);
    ebm_status status =
        n && n->steps ? read_one(n, json, where, 0) : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    if (status.code == EBM_OK)
        *out = n;
    else
        ebm_normalizer_free(n);
    return status;
}
