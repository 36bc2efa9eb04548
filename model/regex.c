#include "regex.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct ebm_pattern {
    pcre2_code *code; // NULL: literal
    char *literal;
    size_t bytes;
};

void ebm_pattern_free(ebm_pattern *pattern)
{
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    free(pattern->literal);
    free(pattern);
}

void ebm_regex_scratch_free(ebm_regex_scratch *scratch)
{
    pcre2_match_data_free(scratch->match);
    *scratch = (ebm_regex_scratch){0};
}

static ebm_status compile(ebm_pattern *pattern, const ebm_bytes *pcre, const char *regex, const char *where)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pattern->code = pcre2_compile((PCRE2_SPTR)pcre->bytes, pcre->size, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &error,
                                  &offset, context);
    pcre2_compile_context_free(context);
    if (!pattern->code) {
        PCRE2_UCHAR words[128] = {0};
        pcre2_get_error_message(error, words, sizeof words);
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: PCRE2 refuses the pattern \"%.120s\": %s", where, regex,
                        (const char *)words);
    }
    pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE); // where there is no JIT, matching is slower, not different
    return ebm_ok();
}

ebm_status ebm_pattern_from_regex(const char *regex, size_t bytes, const char *where, ebm_pattern **out)
{
    ebm_bytes pcre = {0};
    ebm_pattern *pattern = calloc(1, sizeof *pattern);
    if (!pattern) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    ebm_status status = ebm_regex_translate(regex, bytes, where, &pcre);
    if (status.code == EBM_OK) status = compile(pattern, &pcre, regex, where);
    ebm_bytes_free(&pcre);
    if (status.code == EBM_OK)
        *out = pattern;
    else
        ebm_pattern_free(pattern);
    return status;
}

static ebm_status from_literal(const char *text, size_t bytes, const char *where, ebm_pattern **out)
{
    ebm_pattern *pattern = calloc(1, sizeof *pattern);
    if (pattern) pattern->literal = malloc(bytes + 1);
    if (!pattern || !pattern->literal) {
        free(pattern);
        return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    }
    memcpy(pattern->literal, text, bytes);
    pattern->bytes = bytes;
    *out = pattern;
    return ebm_ok();
}

ebm_status ebm_pattern_read(const json_t *value, const char *where, ebm_pattern **pattern)
{
    const json_t *literal = json_object_get(value, "String"), *regex = json_object_get(value, "Regex");
    if (json_is_string(literal) && json_object_size(value) == 1)
        return from_literal(json_string_value(literal), json_string_length(literal), where, pattern);
    if (json_is_string(regex) && json_object_size(value) == 1)
        return ebm_pattern_from_regex(json_string_value(regex), json_string_length(regex), where, pattern);
    return ebm_fail(EBM_ERROR_INPUT, "%s: \"pattern\" must be {\"String\": \"...\"} or {\"Regex\": \"...\"}", where);
}

static ebm_status find(const ebm_pattern *p, const char *text, size_t bytes, ebm_regex_scratch *s,
                       ebm_pattern_search *search)
{
    if (!p->code) {
        const char *at =
            p->bytes > 0 ? memmem(text + search->at, bytes - search->at, p->literal, p->bytes) : text + search->at;
        search->found = at != NULL;
        search->start = at ? (size_t)(at - text) : 0;
        search->end = search->start + p->bytes;
        return ebm_ok();
    }
    if (!s->match && !(s->match = pcre2_match_data_create(1, NULL)))
        return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer's scratch");
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int result = pcre2_match(p->code, subject, bytes, search->at, PCRE2_NO_UTF_CHECK, s->match, NULL);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) // the interpreter takes its stack from the heap
        result = pcre2_match(p->code, subject, bytes, search->at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, s->match, NULL);
    if (result < 0 && result != PCRE2_ERROR_NOMATCH)
        return ebm_fail(EBM_ERROR_MEMORY, "PCRE2 gives up at byte %zu of a text (error %d)", search->at, result);
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->match);
    search->found = result >= 0;
    search->start = result >= 0 ? span[0] : 0;
    search->end = result >= 0 ? span[1] : 0;
    return ebm_ok();
}

ebm_status ebm_pattern_next(const ebm_pattern *p, const char *text, size_t bytes, ebm_regex_scratch *s,
                            ebm_pattern_search *search)
{
    for (;;) {
        search->found = false;
        if (search->at > bytes) return ebm_ok();
        EBM_TRY(find(p, text, bytes, s, search));
        if (!search->found) return ebm_ok();
        if (search->start < search->end || !search->any || search->last != search->end) break;
        size_t next = search->at;
        if (next < bytes)
            ebm_utf8_next(text, &next);
        else
            next++;
        search->at = next;
    }
    search->any = true;
    search->at = search->last = search->end;
    return ebm_ok();
}
