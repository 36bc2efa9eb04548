#include "text_set.h"

#include <stdlib.h>
#include <string.h>

struct ebm_text_set {
    const ebm_dataset *dataset;
    uint32_t *table; // open addressing over rows; 0 = free, else row + 1
    size_t size;     // a power of two
};

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

const char *ebm_next_word(const char *text, size_t *at, size_t *length)
{
    while (is_blank(text[*at])) ++*at;
    const size_t start = *at;
    while (text[*at] && !is_blank(text[*at])) ++*at;
    *length = *at - start;
    return *length > 0 ? text + start : NULL;
}

// FNV-1a over the words' bytes, with a 0 after each and a 1 after each text.
static uint64_t add_text(uint64_t hash, const char *text)
{
    size_t at = 0, length = 0;
    for (const char *word; (word = ebm_next_word(text, &at, &length));)
        for (size_t i = 0; i <= length; i++) hash = (hash ^ (i < length ? (unsigned char)word[i] : 0)) * 1099511628211u;
    return (hash ^ 1) * 1099511628211u;
}

static size_t slot_of(const ebm_text_set *s, const char *text_a, const char *text_b)
{
    uint64_t hash = add_text(14695981039346656037u, text_a);
    if (text_b) hash = add_text(hash, text_b);
    return (size_t)(hash ^ (hash >> 29)) & (s->size - 1);
}

static bool same_words(const char *x, const char *y)
{
    size_t x_at = 0, y_at = 0, x_length = 0, y_length = 0;
    for (;;) {
        const char *u = ebm_next_word(x, &x_at, &x_length), *v = ebm_next_word(y, &y_at, &y_length);
        if (!u || !v) return !u && !v;
        if (x_length != y_length || memcmp(u, v, x_length) != 0) return false;
    }
}

bool ebm_text_set_contains(const ebm_text_set *s, const char *text_a, const char *text_b)
{
    for (size_t at = slot_of(s, text_a, text_b); s->table[at]; at = (at + 1) & (s->size - 1)) {
        const ebm_row row = ebm_dataset_row(s->dataset, s->table[at] - 1);
        if (!row.text_b != !text_b || !same_words(row.text_a, text_a)) continue;
        if (!text_b || same_words(row.text_b, text_b)) return true;
    }
    return false;
}

ebm_status ebm_text_set_create(const ebm_dataset *dataset, ebm_text_set **out)
{
    *out = NULL;
    const size_t rows = ebm_dataset_count(dataset);
    ebm_text_set *s = calloc(1, sizeof *s);
    if (s) {
        s->dataset = dataset;
        for (s->size = 16; s->size < 2 * rows; s->size *= 2) {}
        s->table = calloc(s->size, sizeof *s->table);
    }
    if (!s || !s->table) {
        ebm_text_set_free(s);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a set of %zu texts", rows);
    }
    for (size_t i = 0; i < rows; i++) {
        const ebm_row row = ebm_dataset_row(dataset, i);
        size_t at = slot_of(s, row.text_a, row.text_b);
        while (s->table[at]) at = (at + 1) & (s->size - 1);
        s->table[at] = (uint32_t)i + 1;
    }
    *out = s;
    return ebm_ok();
}

void ebm_text_set_free(ebm_text_set *s)
{
    if (!s) return;
    free(s->table);
    free(s);
}

static ebm_status copy_without(const ebm_dataset *texts, const ebm_text_set *set, size_t *dropped, ebm_dataset *left)
{
    for (size_t i = 0; i < ebm_dataset_count(texts); i++) {
        const ebm_row row = ebm_dataset_row(texts, i);
        const bool drop = ebm_text_set_contains(set, row.text_a, row.text_b);
        *dropped += drop;
        if (!drop) EBM_TRY(ebm_dataset_add(left, row.text_a, row.text_b, row.label, row.line));
    }
    if (ebm_dataset_count(left) > 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "all %zu texts are training texts too", *dropped);
}

ebm_status ebm_dataset_without(const ebm_dataset *texts, const ebm_dataset *others, size_t *dropped, ebm_dataset **out)
{
    ebm_text_set *set = NULL;
    ebm_dataset *left = NULL;
    const ebm_labels *labels = ebm_dataset_labels(texts);
    ebm_status status = ebm_text_set_create(others, &set);
    *out = NULL;
    *dropped = 0;
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_dataset_create(labels->count > 0 ? labels : NULL, &left), end);
    EBM_CHECK(copy_without(texts, set, dropped, left), end);
    *out = left;
    left = NULL;
end:
    ebm_dataset_free(left);
    ebm_text_set_free(set);
    return status;
}
