// Is a page well-formed, and complete in itself? Stricter than HTML: every element but the void ones is closed, in
// order, attributes are in double quotes, '<' and '&' occur only where they mean markup, ids are used once, and nothing
// refers to anything outside the file or runs.
#ifndef EBM_TESTS_MARKUP_H
#define EBM_TESTS_MARKUP_H

#include <ctype.h>
#include <stdbool.h>

#include "check.h"
#include "utf8.h"

enum { MARKUP_DEPTH = 64, MARKUP_IDS = 512 };

typedef struct {
    const char *at;
    char open[MARKUP_DEPTH][24];
    int depth;
    char ids[MARKUP_IDS][32];
    int id_count;
} markup;

static inline void markup_bad(const char *at, const char *what) { fail_msg("%s at: %.80s", what, at); }

static inline void markup_reference(const char *at)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0) return;
    markup_bad(at, "not a known character reference");
}

static inline void markup_id(markup *m, const char *value, size_t length)
{
    assert_true(length < sizeof m->ids[0] && m->id_count < MARKUP_IDS);
    for (int i = 0; i < m->id_count; i++)
        if (strlen(m->ids[i]) == length && strncmp(m->ids[i], value, length) == 0) markup_bad(value, "id used twice");
    memcpy(m->ids[m->id_count], value, length);
    m->ids[m->id_count++][length] = 0;
}

static inline void markup_attribute(markup *m, const char *name, size_t length)
{
    static const char *const refused[] = {"src",    "href",       "xlink:href", "srcset", "data",
                                          "action", "formaction", "background", "poster", "style"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strlen(refused[i]) == length && strncmp(name, refused[i], length) == 0)
            markup_bad(name, "refused attribute");
    if (strncmp(name, "on", 2) == 0) markup_bad(name, "an attribute that runs");
    if (strncmp(m->at, "=\"", 2) != 0) markup_bad(name, "attribute without a value in quotes");
    const char *value = m->at += 2;
    while (*m->at && *m->at != '"') {
        if (*m->at == '<' || *m->at == '>') markup_bad(value, "'<' in an attribute");
        if (*m->at == '&') markup_reference(m->at);
        m->at++;
    }
    if (length == 2 && strncmp(name, "id", 2) == 0) markup_id(m, value, (size_t)(m->at - value));
    if (*m->at++ != '"') markup_bad(value, "attribute without an end");
}

static inline size_t markup_name(markup *m)
{
    const char *start = m->at;
    while (isalnum((unsigned char)*m->at) || *m->at == '-' || *m->at == ':') m->at++;
    if (m->at == start) markup_bad(start, "a name expected");
    return (size_t)(m->at - start);
}

static inline void markup_open(markup *m, const char *tag, size_t length)
{
    static const char *const refused[] = {"script", "link", "iframe", "object", "embed", "img", "base", "image", "use"};
    static const char *const no_end[] = {"meta", "br"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strlen(refused[i]) == length && strncmp(tag, refused[i], length) == 0) markup_bad(tag, "refused element");
    while (isspace((unsigned char)*m->at)) {
        while (isspace((unsigned char)*m->at)) m->at++;
        if (*m->at == '>' || *m->at == '/') break;
        const char *name = m->at;
        markup_attribute(m, name, markup_name(m));
    }
    const bool closed = *m->at == '/';
    m->at += closed;
    if (*m->at++ != '>') markup_bad(tag, "'>' expected");
    for (size_t i = 0; i < sizeof no_end / sizeof *no_end; i++)
        if (strlen(no_end[i]) == length && strncmp(tag, no_end[i], length) == 0) return;
    if (closed) return;
    assert_true(m->depth < MARKUP_DEPTH && length < sizeof m->open[0]);
    memcpy(m->open[m->depth], tag, length);
    m->open[m->depth++][length] = 0;
    if (strcmp(m->open[m->depth - 1], "style") == 0) m->at = strstr(m->at, "</style>");
}

static inline void markup_tag(markup *m)
{
    const char *tag = m->at;
    const bool closing = m->at[1] == '/';
    m->at += 1 + closing;
    const char *name = m->at;
    const size_t length = markup_name(m);
    if (!closing) {
        markup_open(m, name, length);
        return;
    }
    if (m->depth == 0 || strlen(m->open[m->depth - 1]) != length || strncmp(m->open[m->depth - 1], name, length) != 0)
        fail_msg("<%s> is open, found: %.60s", m->depth ? m->open[m->depth - 1] : "nothing", tag);
    m->depth--;
    if (*m->at++ != '>') markup_bad(tag, "'>' expected");
}

static inline void assert_page(const char *page)
{
    static const char start[] = "<!DOCTYPE html>\n";
    static const char *const outside[] = {"url(", "@import", "javascript:", "https:", "NaN", " nan", "\"nan", "inf "};
    markup *m = calloc(1, sizeof *m);
    assert_non_null(m);
    size_t bad;
    if (!ebm_utf8_valid(page, strlen(page), &bad)) fail_msg("not UTF-8 at byte %zu", bad);
    assert_int_equal(strncmp(page, start, strlen(start)), 0);
    for (m->at = page + strlen(start); *m->at;) {
        if (*m->at == '<')
            markup_tag(m);
        else if (*m->at == '&')
            markup_reference(m->at++);
        else
            m->at++;
    }
    if (m->depth) fail_msg("<%s> is never closed", m->open[m->depth - 1]);
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (strstr(page, outside[i])) fail_msg("\"%s\" is in the page", outside[i]);
    free(m);
}

static inline size_t count_parts(const char *page, const char *part)
{
    size_t count = 0;
    for (const char *at = page; (at = strstr(at, part)); at++) count++;
    return count;
}

#endif
