#include "token_decoder.h"

#include <stdlib.h>
#include <string.h>

#include "bpe.h"
#include "json_field.h"

typedef enum {
    STEP_WORDPIECE,
    STEP_BYTE_LEVEL,
    STEP_METASPACE,
    STEP_SUFFIX, // BPEDecoder
    STEP_REPLACE,
    STEP_BYTE_FALLBACK,
    STEP_FUSE,
    STEP_STRIP
} step_kind;

typedef struct {
    step_kind kind;
    char *text; // WordPiece's prefix, BPEDecoder's suffix, Replace's content
    size_t bytes;
    bool cleanup; // WordPiece
    bool drops;   // Metaspace: marks of the first token are dropped
    uint32_t c;   // Metaspace's replacement, Strip's content
    size_t start, stop;
    ebm_pattern *pattern;
} step;

struct ebm_token_decoder {
    step *steps;
    size_t count;
};

enum { MOST_STEPS = 64, MOST_DEPTH = 8 };

void ebm_token_decoder_free(ebm_token_decoder *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->count; i++) {
        free(d->steps[i].text);
        ebm_pattern_free(d->steps[i].pattern);
    }
    free(d->steps);
    free(d);
}

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the text of tokens"); }

ebm_status ebm_token_decoder_begin(ebm_pieces *p)
{
    ebm_pieces_begin_step(p);
    return ebm_ok();
}

ebm_status ebm_token_decoder_add(ebm_pieces *p, const char *text, size_t bytes)
{
    ebm_bytes *out = ebm_pieces_written(p);
    const size_t start = out->size;
    return ebm_bytes_append(out, text, bytes) && ebm_pieces_add(p, start, out->size, false) ? ebm_ok() : no_memory();
}

// Unlike ebm_pieces_end_step, keeps empty tokens: they count as first or last.
static void end_step(ebm_pieces *p)
{
    ebm_piece *pieces = p->pieces;
    const size_t capacity = p->capacity;
    p->pieces = p->next;
    p->count = p->next_count;
    p->capacity = p->next_capacity;
    p->next = pieces;
    p->next_capacity = capacity;
    p->text = p->buffers[p->writing].bytes ? p->buffers[p->writing].bytes : ""; // NULL while nothing was ever written
    p->writing = !p->writing;
}

// --- steps ----------------------------------------------------------------------------------------------------------

// Replaces in out->bytes[start...], which then is as long or shorter.
static void replace_within(ebm_bytes *out, size_t start, const char *what, const char *by)
{
    const size_t n = strlen(what), m = strlen(by);
    char *to = out->bytes + start;
    const char *from = to, *end = out->bytes + out->size;
    for (const char *at; from < end && (at = memmem(from, (size_t)(end - from), what, n)); from = at + n) {
        memmove(to, from, (size_t)(at - from));
        to += at - from;
        memcpy(to, by, m);
        to += m;
    }
    memmove(to, from, (size_t)(end - from));
    out->size = (size_t)(to + (end - from) - out->bytes);
}

static void clean_up(ebm_bytes *out, size_t start)
{
    static const char *const pairs[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                           {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                           {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    if (!memchr(out->bytes + start, ' ', out->size - start)) return;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) replace_within(out, start, pairs[i][0], pairs[i][1]);
}

static bool put_wordpiece(const step *s, const char *token, size_t bytes, size_t index, ebm_bytes *out)
{
    const size_t start = out->size;
    if (index > 0 && bytes >= s->bytes && memcmp(token, s->text, s->bytes) == 0) {
        token += s->bytes;
        bytes -= s->bytes;
    } else if (index > 0 && !ebm_bytes_append(out, " ", 1)) {
        return false;
    }
    if (!ebm_bytes_append(out, token, bytes)) return false;
    if (s->cleanup) clean_up(out, start);
    return true;
}

static bool put_metaspace(const step *s, const char *token, size_t bytes, size_t index, ebm_bytes *out)
{
    for (size_t i = 0; i < bytes;) {
        const size_t here = i;
        const bool mark = ebm_utf8_next(token, &i) == s->c;
        if (!mark && !ebm_bytes_append(out, token + here, i - here)) return false;
        if (mark && !(index == 0 && s->drops) && !ebm_bytes_append(out, " ", 1)) return false;
    }
    return true;
}

static bool put_without_suffix(const step *s, const char *token, size_t bytes, bool last, ebm_bytes *out)
{
    size_t done = 0;
    while (s->bytes > 0 && done < bytes) {
        const char *at = memmem(token + done, bytes - done, s->text, s->bytes);
        if (!at) break;
        if (!ebm_bytes_append(out, token + done, (size_t)(at - token) - done)) return false;
        if (!last && !ebm_bytes_append(out, " ", 1)) return false;
        done = (size_t)(at - token) + s->bytes;
    }
    return ebm_bytes_append(out, token + done, bytes - done);
}

static bool put_stripped(const step *s, const char *token, size_t bytes, ebm_bytes *out)
{
    size_t start = 0, end = bytes;
    for (size_t n = 0, i = 0; n < s->start && i < bytes && ebm_utf8_next(token, &i) == s->c; n++) start = i;
    for (size_t n = 0; n < s->stop && end > 0; n++) {
        size_t i = end - 1;
        while (i > 0 && ((unsigned char)token[i] & 0xC0) == 0x80) i--;
        size_t after = i;
        if (ebm_utf8_next(token, &after) != s->c) break;
        end = i;
    }
    return end <= start || ebm_bytes_append(out, token + start, end - start);
}

static ebm_status put_replaced(const step *s, const char *token, size_t bytes, ebm_regex_scratch *regex, ebm_bytes *out)
{
    ebm_pattern_search search = {0};
    size_t done = 0;
    while (bytes > 0) {
        EBM_TRY(ebm_pattern_next(s->pattern, token, bytes, regex, &search));
        if (!search.found) break;
        if (!ebm_bytes_append(out, token + done, search.start - done) || !ebm_bytes_append(out, s->text, s->bytes))
            return no_memory();
        done = search.end;
    }
    return ebm_bytes_append(out, token + done, bytes - done) ? ebm_ok() : no_memory();
}

static ebm_status each_token(const step *s, ebm_pieces *p)
{
    ebm_pieces_begin_step(p);
    for (size_t i = 0; i < p->count; i++) {
        ebm_bytes *out = ebm_pieces_written(p);
        const char *token = p->text + p->pieces[i].start;
        const size_t bytes = p->pieces[i].end - p->pieces[i].start, start = out->size;
        bool ok = true;
        switch (s->kind) {
        case STEP_WORDPIECE:
            ok = put_wordpiece(s, token, bytes, i, out);
            break;
        case STEP_METASPACE:
            ok = put_metaspace(s, token, bytes, i, out);
            break;
        case STEP_SUFFIX:
            ok = put_without_suffix(s, token, bytes, i + 1 == p->count, out);
            break;
        case STEP_STRIP:
            ok = put_stripped(s, token, bytes, out);
            break;
        default:
            EBM_TRY(put_replaced(s, token, bytes, &p->regex, out));
        }
        if (!ok || !ebm_pieces_add(p, start, out->size, false)) return no_memory();
    }
    end_step(p);
    return ebm_ok();
}

static ebm_status fuse(const step *s, ebm_pieces *p)
{
    ebm_pieces_begin_step(p);
    ebm_bytes *out = ebm_pieces_written(p);
    ebm_bytes raw = {0};
    bool ok = true;
    for (size_t i = 0; i < p->count && ok; i++) {
        const char *token = p->text + p->pieces[i].start;
        const size_t bytes = p->pieces[i].end - p->pieces[i].start;
        ok = s->kind == STEP_FUSE ? ebm_bytes_append(out, token, bytes) : ebm_bpe_decode(token, bytes, &raw);
    }
    ok = ok && ebm_bytes_append_lossy(out, raw.bytes, raw.size) && ebm_pieces_add(p, 0, out->size, false);
    ebm_bytes_free(&raw);
    if (!ok) return no_memory();
    end_step(p);
    return ebm_ok();
}

// "<0x61>" to 0x61; -1: not of that form. Rust's from_str_radix takes a sign too.
static int byte_of(const char *token, size_t bytes)
{
    if (bytes != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
    const char text[3] = {token[3] == '+' ? '0' : token[3], token[4], 0};
    char *end;
    if (strspn(text, "0123456789abcdefABCDEF") != 2) return -1;
    return (int)strtol(text, &end, 16);
}

// Bytes collected so far, as text, or one U+FFFD for each.
static bool release(ebm_pieces *p, ebm_bytes *raw)
{
    ebm_bytes *out = ebm_pieces_written(p);
    const size_t start = out->size;
    if (raw->size == 0) return true;
    if (ebm_utf8_valid(raw->bytes, raw->size, NULL)) {
        if (!ebm_bytes_append(out, raw->bytes, raw->size)) return false;
    } else {
        for (size_t i = 0; i < raw->size; i++)
            if (!ebm_bytes_append(out, "\xEF\xBF\xBD", 3)) return false;
    }
    raw->size = 0;
    return ebm_pieces_add(p, start, out->size, false);
}

static ebm_status join_bytes(ebm_pieces *p)
{
    ebm_bytes raw = {0};
    bool ok = true;
    ebm_pieces_begin_step(p);
    for (size_t i = 0; i < p->count && ok; i++) {
        const char *token = p->text + p->pieces[i].start;
        const size_t bytes = p->pieces[i].end - p->pieces[i].start;
        const int byte = byte_of(token, bytes);
        const char c = (char)byte;
        ok = byte >= 0 ? ebm_bytes_append(&raw, &c, 1)
                       : release(p, &raw) && ebm_token_decoder_add(p, token, bytes).code == EBM_OK;
    }
    ok = ok && release(p, &raw);
    ebm_bytes_free(&raw);
    if (!ok) return no_memory();
    end_step(p);
    return ebm_ok();
}

ebm_status ebm_token_decoder_finish(const ebm_token_decoder *d, ebm_pieces *p, ebm_bytes *text)
{
    end_step(p);
    for (size_t i = 0; d && i < d->count; i++) {
        const step *s = &d->steps[i];
        if (s->kind == STEP_FUSE || s->kind == STEP_BYTE_LEVEL)
            EBM_TRY(fuse(s, p));
        else
            EBM_TRY(s->kind == STEP_BYTE_FALLBACK ? join_bytes(p) : each_token(s, p));
    }
    for (size_t i = 0; i < p->count; i++) {
        const ebm_piece *piece = &p->pieces[i];
        if (!d && i > 0 && !ebm_bytes_append(text, " ", 1)) return no_memory();
        if (!ebm_bytes_append(text, p->text + piece->start, piece->end - piece->start)) return no_memory();
    }
    return ebm_ok();
}

// --- reading --------------------------------------------------------------------------------------------------------

static ebm_status read_text(const json_t *json, const char *key, const char *where, step *s)
{
    const char *text;
    EBM_TRY(ebm_field_text(json, key, where, &text, &s->bytes));
    s->text = malloc(s->bytes + 1);
    if (!s->text) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    memcpy(s->text, text, s->bytes + 1);
    return ebm_ok();
}

static ebm_status read_wordpiece(const json_t *json, const char *where, step *s)
{
    EBM_TRY(read_text(json, "prefix", where, s));
    return ebm_field_flag(json, "cleanup", where, &s->cleanup);
}

static ebm_status read_metaspace(const json_t *json, const char *where, step *s)
{
    const char *scheme = json_string_value(json_object_get(json, "prepend_scheme"));
    bool prefix = true;
    EBM_TRY(ebm_field_character(json, "replacement", where, &s->c));
    EBM_TRY(ebm_field_flag_if_there(json, "add_prefix_space", where, &prefix));
    s->drops = prefix && !(scheme && strcmp(scheme, "never") == 0);
    return ebm_ok();
}

static ebm_status read_suffix(const json_t *json, const char *where, step *s)
{
    return read_text(json, "suffix", where, s);
}

static ebm_status read_replace(const json_t *json, const char *where, step *s)
{
    EBM_TRY(ebm_pattern_read(json_object_get(json, "pattern"), where, &s->pattern));
    return read_text(json, "content", where, s);
}

static ebm_status read_strip(const json_t *json, const char *where, step *s)
{
    EBM_TRY(ebm_field_character(json, "content", where, &s->c));
    EBM_TRY(ebm_field_count(json, "start", where, INT32_MAX, &s->start));
    return ebm_field_count(json, "stop", where, INT32_MAX, &s->stop);
}

static ebm_status read_nothing(const json_t *json, const char *where, step *s)
{
    (void)json, (void)where, (void)s;
    return ebm_ok();
}

static ebm_status read_one(ebm_token_decoder *d, const json_t *json, const char *where, int depth);

static ebm_status read_sequence(ebm_token_decoder *d, const json_t *json, const char *where, int depth)
{
    json_t *list;
    EBM_TRY(ebm_field_list(json, "decoders", where, &list));
    if (depth == MOST_DEPTH) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: sequences nested too deeply", where);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%.200s.decoders[%zu]", where, i);
        EBM_TRY(read_one(d, json_array_get(list, i), inner, depth + 1));
    }
    return ebm_ok();
}

static ebm_status read_one(ebm_token_decoder *d, const json_t *json, const char *where, int depth)
{
    static const struct {
        const char *name;
        step_kind kind;
        ebm_status (*read)(const json_t *, const char *, step *);
    } kinds[] = {{"WordPiece", STEP_WORDPIECE, read_wordpiece},
                 {"ByteLevel", STEP_BYTE_LEVEL, read_nothing},
                 {"Metaspace", STEP_METASPACE, read_metaspace},
                 {"BPEDecoder", STEP_SUFFIX, read_suffix},
                 {"Replace", STEP_REPLACE, read_replace},
                 {"ByteFallback", STEP_BYTE_FALLBACK, read_nothing},
                 {"Fuse", STEP_FUSE, read_nothing},
                 {"Strip", STEP_STRIP, read_strip}};
    const char *type;
    EBM_TRY(ebm_field_text(json, "type", where, &type, NULL));
    if (strcmp(type, "Sequence") == 0) return read_sequence(d, json, where, depth);
    if (d->count == MOST_STEPS) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: more than %d steps", where, MOST_STEPS);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(type, kinds[i].name) != 0) continue;
        step *s = &d->steps[d->count++];
        s->kind = kinds[i].kind;
        return kinds[i].read(json, where, s);
    }
    return ebm_field_unsupported(type, where);
}

ebm_status ebm_token_decoder_create(const json_t *json, const char *where, ebm_token_decoder **out)
{
    if (!json || json_is_null(json)) return ebm_ok();
    ebm_token_decoder *d = calloc(1, sizeof *d);
    if (d) d->steps = calloc(MOST_STEPS, sizeof *d->steps);
    const ebm_status status =
        d && d->steps ? read_one(d, json, where, 0) : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    if (status.code == EBM_OK)
        *out = d;
    else
        ebm_token_decoder_free(d);
    return status;
}
