#include "noise_texts.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { MAX_TEXT = EBM_NOISE_MAX_TOKENS - EBM_NOISE_MAX_PREFIX - 2 };
_Static_assert((int)MAX_TEXT < (int)EBM_NOISE_MAX_PREFIX, "a label and a whole text fit before the start token");

struct ebm_noise_texts {
    ebm_noise_roles roles;
    int32_t unknown;
    size_t most; // tokens of a text; 0: so many that a prefix, start and end fit, halves of them for a pair
    size_t count, tokens, capacity;
    int32_t *ids;
    size_t *starts;    // count + 1
    int32_t *labels;   // a token for each; NULL: never told
    uint32_t *table;   // open addressing over texts; 0 = free, else index + 1
    size_t table_size; // a power of two
};

static uint64_t hash_of(const int32_t *ids, size_t count)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a over the ids
    for (size_t i = 0; i < count; i++) hash = (hash ^ (uint32_t)ids[i]) * 1099511628211u;
    return hash ^ (hash >> 29);
}

static bool is_role(const ebm_noise_texts *t, int32_t id)
{
    const ebm_noise_roles *r = &t->roles;
    if (id == r->mask || id == r->separator || id == r->start || id == r->end) return true;
    return id >= r->first_label && (size_t)(id - r->first_label) < r->label_count;
}

static ebm_status push(ebm_noise_texts *t, int32_t id)
{
    if (t->tokens == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 4096;
        int32_t *more = realloc(t->ids, capacity * sizeof *more);
        if (!more) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu tokens", capacity);
        t->ids = more;
        t->capacity = capacity;
    }
    t->ids[t->tokens++] = id;
    return ebm_ok();
}

// Tokens of a text that are not roles, in place; at most `most`.
static ebm_status encode(const ebm_noise_texts *t, const ebm_tokenizer *tokenizer, const char *text, size_t bytes,
                         size_t most, ebm_encoding *encoding)
{
    size_t kept = 0;
    EBM_TRY(ebm_tokenizer_encode_plain(tokenizer, text, bytes, encoding));
    for (size_t i = 0; i < encoding->tokens && i < most; i++) {
        const int32_t id = is_role(t, encoding->ids[i]) ? t->unknown : encoding->ids[i];
        if (id >= 0 && !is_role(t, id)) encoding->ids[kept++] = id;
    }
    encoding->tokens = kept;
    return ebm_ok();
}

// Longest first, as ebm_tokenizer_assemble cuts: the longer part down to the other, then both.
static void cut_pair(size_t most, size_t *first, size_t *second)
{
    while (*first + *second > most) --*(*first > *second ? first : second);
}

static ebm_status push_all(ebm_noise_texts *t, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) EBM_TRY(push(t, ids[i]));
    return ebm_ok();
}

static ebm_status push_row(ebm_noise_texts *t, const ebm_tokenizer *tokenizer, const ebm_row *row, ebm_encoding *parts)
{
    const size_t half = (MAX_TEXT - 1) / 2;
    const size_t most = t->most ? t->most : row->text_b ? half : MAX_TEXT;
    EBM_TRY(encode(t, tokenizer, row->text_a, row->text_a_length, most, &parts[0]));
    if (!row->text_b) return push_all(t, parts[0].ids, parts[0].tokens);
    EBM_TRY(encode(t, tokenizer, row->text_b, row->text_b_length, most, &parts[1]));
    if (t->most) cut_pair(t->most - 1, &parts[0].tokens, &parts[1].tokens);
    EBM_TRY(push_all(t, parts[0].ids, parts[0].tokens));
    EBM_TRY(push(t, t->roles.separator));
    return push_all(t, parts[1].ids, parts[1].tokens);
}

static void fill_table(ebm_noise_texts *t)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t at = hash_of(t->ids + t->starts[i], t->starts[i + 1] - t->starts[i]) & (t->table_size - 1);
        while (t->table[at]) at = (at + 1) & (t->table_size - 1);
        t->table[at] = (uint32_t)i + 1;
    }
}

static ebm_status fill(ebm_noise_texts *t, const ebm_dataset *dataset, const ebm_tokenizer *tokenizer)
{
    ebm_encoding parts[2] = {{0}, {0}};
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < ebm_dataset_count(dataset) && status.code == EBM_OK; i++) {
        const ebm_row row = ebm_dataset_row(dataset, i);
        status = ebm_in(push_row(t, tokenizer, &row, parts), "text of line %zu", row.line);
        t->starts[++t->count] = t->tokens;
    }
    ebm_encoding_free(&parts[0]);
    ebm_encoding_free(&parts[1]);
    if (status.code == EBM_OK) fill_table(t);
    return status;
}

ebm_status ebm_noise_texts_create(const ebm_dataset *dataset, const ebm_tokenizer *tokenizer, ebm_noise_roles roles,
                                  ebm_noise_texts **out)
{
    return ebm_noise_texts_create_within(dataset, tokenizer, roles, 0, out);
}

ebm_status ebm_noise_texts_create_within(const ebm_dataset *dataset, const ebm_tokenizer *tokenizer,
                                         ebm_noise_roles roles, size_t most, ebm_noise_texts **out)
{
    *out = NULL;
    const size_t rows = ebm_dataset_count(dataset);
    ebm_noise_texts *t = calloc(1, sizeof *t);
    if (!t) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the noise model's texts");
    t->roles = roles;
    t->most = most;
    t->unknown = ebm_tokenizer_special(tokenizer, EBM_TOKEN_UNK);
    for (t->table_size = 16; t->table_size < 2 * rows; t->table_size *= 2) {}
    t->starts = calloc(rows + 1, sizeof *t->starts);
    t->table = calloc(t->table_size, sizeof *t->table);
    ebm_status status = t->starts && t->table ? fill(t, dataset, tokenizer)
                                              : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu texts", rows);
    if (status.code == EBM_OK)
        *out = t;
    else
        ebm_noise_texts_free(t);
    return status;
}

void ebm_noise_texts_free(ebm_noise_texts *t)
{
    if (!t) return;
    free(t->ids);
    free(t->starts);
    free(t->labels);
    free(t->table);
    free(t);
}

// Tokens of the data set's labels, -1 for those that the model does not know.
static int32_t *tokens_of_labels(const ebm_labels *labels, const ebm_noise_model *model)
{
    int32_t *tokens = calloc(labels->count + 1, sizeof *tokens);
    for (size_t i = 0; tokens && i < labels->count; i++) tokens[i] = ebm_noise_model_label(model, labels->names[i]);
    return tokens;
}

ebm_status ebm_noise_texts_label(ebm_noise_texts *t, const ebm_dataset *dataset, const ebm_noise_model *model)
{
    const ebm_labels *labels = ebm_dataset_labels(dataset);
    int32_t *tokens = tokens_of_labels(labels, model);
    if (!t->labels) t->labels = calloc(t->count + 1, sizeof *t->labels);
    ebm_status status =
        tokens && t->labels ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu labels", t->count);
    for (size_t i = 0; i < t->count && status.code == EBM_OK; i++) {
        const ebm_row row = ebm_dataset_row(dataset, i);
        t->labels[i] = row.label >= 0 ? tokens[row.label] : -1;
        if (t->labels[i] >= 0) continue;
        status = ebm_fail(EBM_ERROR_INPUT, "text of line %zu: the noise model needs a label it knows, found %s%s%s",
                          row.line, row.label >= 0 ? "\"" : "", row.label >= 0 ? labels->names[row.label] : "none",
                          row.label >= 0 ? "\"" : "");
    }
    free(tokens);
    return status;
}

size_t ebm_noise_texts_count(const ebm_noise_texts *t) { return t->count; }

const int32_t *ebm_noise_texts_view(const ebm_noise_texts *t, size_t i, size_t *count)
{
    *count = t->starts[i + 1] - t->starts[i];
    return t->ids + t->starts[i];
}

bool ebm_noise_texts_contain(const ebm_noise_texts *t, const int32_t *ids, size_t count)
{
    for (size_t at = hash_of(ids, count) & (t->table_size - 1); t->table[at]; at = (at + 1) & (t->table_size - 1)) {
        size_t length = 0;
        const int32_t *text = ebm_noise_texts_view(t, t->table[at] - 1, &length);
        if (length == count && memcmp(text, ids, count * sizeof *ids) == 0) return true;
    }
    return false;
}

size_t ebm_noise_mask(const ebm_noise_texts *t, size_t index, float probability, uint64_t seed, uint32_t draw,
                      int32_t *prefix)
{
    size_t count = 0, written = 0;
    const int32_t *ids = ebm_noise_texts_view(t, index, &count);
    ebm_random random = ebm_random_stream(seed, draw, EBM_SITE_MASK);
    bool in_run = false;
    for (size_t i = 0; i < count && written < EBM_NOISE_MAX_PREFIX; i++) {
        const bool masked = ebm_random_uniform(&random) < (double)probability && ids[i] != t->roles.separator;
        if (!masked)
            prefix[written++] = ids[i];
        else if (!in_run)
            prefix[written++] = t->roles.mask;
        in_run = masked;
    }
    return written;
}

size_t ebm_noise_prefix(const ebm_noise_texts *t, size_t index, ebm_noise_objective objective, float probability,
                        uint64_t seed, uint32_t draw, int32_t *prefix)
{
    size_t written = 0;
    if (ebm_noise_objective_has_label(objective) && t->labels) prefix[written++] = t->labels[index];
    if (!ebm_noise_objective_has_mask(objective)) return written;
    // A text has at most EBM_NOISE_MAX_TOKENS - EBM_NOISE_MAX_PREFIX - 2 tokens, so there is room for the label.
    return written + ebm_noise_mask(t, index, probability, seed, draw, prefix + written);
}
