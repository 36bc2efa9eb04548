#include "encoded.h"

#include <stdlib.h>
#include <string.h>

struct ebm_encoded {
    size_t count, tokens, capacity, longest;
    size_t *starts; // count + 1
    int32_t *ids, *types, *labels;
};

static ebm_status reserve(ebm_encoded *e, size_t more)
{
    if (e->tokens + more <= e->capacity) return ebm_ok();
    const size_t capacity = 2 * (e->tokens + more);
    int32_t *ids = realloc(e->ids, capacity * sizeof *ids);
    if (ids) e->ids = ids;
    int32_t *types = realloc(e->types, capacity * sizeof *types);
    if (types) e->types = types;
    if (!ids || !types) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu tokens", capacity);
    e->capacity = capacity;
    return ebm_ok();
}

static ebm_status append(ebm_encoded *e, const ebm_encoding *encoding)
{
    EBM_TRY(reserve(e, encoding->tokens));
    memcpy(e->ids + e->tokens, encoding->ids, encoding->tokens * sizeof *e->ids);
    memcpy(e->types + e->tokens, encoding->types, encoding->tokens * sizeof *e->types);
    e->tokens += encoding->tokens;
    e->starts[++e->count] = e->tokens;
    if (encoding->tokens > e->longest) e->longest = encoding->tokens;
    return ebm_ok();
}

static ebm_status encode_all(ebm_encoded *e, const ebm_dataset *dataset, const ebm_tokenizer *tokenizer,
                             size_t max_length)
{
    ebm_encoding encoding = {0};
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < ebm_dataset_count(dataset) && status.code == EBM_OK; i++) {
        const ebm_row row = ebm_dataset_row(dataset, i);
        status = ebm_tokenizer_encode(tokenizer, row.text_a, row.text_a_length, row.text_b, row.text_b_length,
                                      max_length, &encoding);
        if (status.code == EBM_OK) status = append(e, &encoding);
        if (status.code != EBM_OK) status = ebm_in(status, "text of line %zu", row.line);
        e->labels[i] = row.label;
    }
    ebm_encoding_free(&encoding);
    return status;
}

ebm_status ebm_encoded_create(const ebm_dataset *dataset, const ebm_tokenizer *tokenizer, size_t max_length,
                              ebm_encoded **out)
{
    *out = NULL;
    const size_t rows = ebm_dataset_count(dataset);
    ebm_encoded *e = calloc(1, sizeof *e);
    if (!e) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the encoded texts");
    e->starts = calloc(rows + 1, sizeof *e->starts);
    e->labels = calloc(rows + 1, sizeof *e->labels);
    ebm_status status = e->starts && e->labels ? encode_all(e, dataset, tokenizer, max_length)
                                               : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu texts", rows);
    if (status.code == EBM_OK)
        *out = e;
    else
        ebm_encoded_free(e);
    return status;
}

void ebm_encoded_free(ebm_encoded *e)
{
    if (!e) return;
    free(e->starts);
    free(e->labels);
    free(e->ids);
    free(e->types);
    free(e);
}

size_t ebm_encoded_count(const ebm_encoded *e) { return e->count; }
const int32_t *ebm_encoded_labels(const ebm_encoded *e) { return e->labels; }
size_t ebm_encoded_tokens(const ebm_encoded *e) { return e->tokens; }
size_t ebm_encoded_longest(const ebm_encoded *e) { return e->longest; }

ebm_sequence ebm_encoded_sequence(const ebm_encoded *e, size_t i)
{
    const ebm_sequence sequence = {e->ids + e->starts[i], e->types + e->starts[i], e->starts[i + 1] - e->starts[i]};
    return sequence;
}
