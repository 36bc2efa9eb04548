#include "rank_share.h"

#include <stdlib.h>
#include <string.h>

// Tokens of a step that a rank counts for itself: more than any step has.
enum { OWN_TOKENS = 40, OWN_MASKED = 39 }; // bits

static uint64_t tokens_of(const ebm_sequence *sequences, size_t count)
{
    uint64_t tokens = 0;
    for (size_t i = 0; i < count; i++) tokens += sequences[i].count;
    return tokens;
}

size_t ebm_share_bound(size_t count, size_t rank, size_t ranks)
{
    return (size_t)((uint64_t)count * (uint64_t)rank / (uint64_t)ranks);
}

void ebm_share_by_tokens(const ebm_sequence *sequences, size_t count, size_t ranks, size_t *first)
{
    const uint64_t all = tokens_of(sequences, count);
    uint64_t before = 0;
    size_t rank = 0;
    first[0] = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t middle = 2 * before + sequences[i].count; // in halves of tokens
        while (rank + 1 < ranks && middle * ranks >= 2 * all * (rank + 1)) first[++rank] = i;
        before += sequences[i].count;
    }
    while (rank < ranks) first[++rank] = count;
}

// The part of rows [*from, *from + *count) of the step that lies in [low, high), counted from *from on.
static void cut(const ebm_sequence **list, size_t *count, size_t from, size_t low, size_t high, size_t *skipped)
{
    const size_t end = from + *count, a = low > from ? (low < end ? low : end) : from, b = high < end ? high : end;
    *skipped = a - from;
    *list += *list ? a - from : 0;
    *count = b > a ? b - a : 0;
}

static void share_masked(ebm_masked_texts *m, const size_t *first, size_t rank)
{
    m->sequence += first[rank];
    m->target += first[rank];
    m->masked += first[rank];
    m->count = first[rank + 1] - first[rank];
}

// One list of all that the step has, to be cut by tokens.
static ebm_status list_all(const ebm_step_texts *t, ebm_sequence **list, size_t *count)
{
    *count = t->labelled_count + t->data_count + t->noise_count;
    *list = calloc(*count + 1, sizeof **list);
    if (!*list) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a step of %zu texts", *count);
    ebm_sequence *at = *list;
    if (t->labelled_count) memcpy(at, t->labelled, t->labelled_count * sizeof *at);
    at += t->labelled_count;
    if (t->data_count) memcpy(at, t->data, t->data_count * sizeof *at);
    at += t->data_count;
    if (t->noise_count) memcpy(at, t->noise, t->noise_count * sizeof *at);
    return ebm_ok();
}

static ebm_status share_known(ebm_step_texts *t, size_t rank, size_t ranks, size_t *first)
{
    ebm_sequence *list = NULL;
    size_t count = 0, skipped = 0;
    EBM_TRY(list_all(t, &list, &count));
    ebm_share_by_tokens(list, count, ranks, first);
    const size_t low = first[rank], high = first[rank + 1], data_from = t->labelled_count;
    const size_t noise_from = data_from + t->data_count;
    t->place.first_token = tokens_of(list, low);
    t->place.first_sequence = low;
    t->place.masked_token = tokens_of(list, count);
    t->place.masked_sequence = count;
    free(list);
    cut(&t->labelled, &t->labelled_count, 0, low, high, &skipped);
    t->labels += skipped;
    cut(&t->data, &t->data_count, data_from, low, high, &skipped);
    cut(&t->noise, &t->noise_count, noise_from, low, high, &skipped);
    return ebm_ok();
}

static void share_with_own_noise(ebm_step_texts *t, size_t rank, size_t ranks, size_t *first)
{
    size_t skipped = 0;
    t->place.first_token = t->place.first_sequence = (uint64_t)rank << OWN_TOKENS;
    t->place.masked_token = t->place.masked_sequence = ((uint64_t)rank << OWN_TOKENS) + ((uint64_t)1 << OWN_MASKED);
    ebm_share_by_tokens(t->labelled, t->labelled_count, ranks, first);
    cut(&t->labelled, &t->labelled_count, 0, first[rank], first[rank + 1], &skipped);
    t->labels += skipped;
    if (t->data_count == 0) return;
    ebm_share_by_tokens(t->data, t->data_count, ranks, first);
    cut(&t->data, &t->data_count, 0, first[rank], first[rank + 1], &skipped);
}

ebm_status ebm_step_texts_share(ebm_step_texts *t, const ebm_ranks *ranks, bool own_noise, size_t all_noise)
{
    const size_t n = (size_t)ebm_rank_count(ranks), rank = (size_t)ebm_rank_of(ranks);
    if (n == 1) return ebm_ok();
    size_t *first = calloc(n + 1, sizeof *first);
    if (!first) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu ranks", n);
    t->place = (ebm_step_place){.labelled = t->labelled_count, .data = t->data_count, .noise = all_noise};
    ebm_status status = ebm_ok();
    if (own_noise)
        share_with_own_noise(t, rank, n, first);
    else
        status = share_known(t, rank, n, first);
    if (status.code == EBM_OK && t->masked.count > 0) {
        ebm_share_by_tokens(t->masked.sequence, t->masked.count, n, first);
        t->place.masked_token += own_noise ? 0 : tokens_of(t->masked.sequence, first[rank]);
        t->place.masked_sequence += own_noise ? 0 : first[rank];
        share_masked(&t->masked, first, rank);
    }
    free(first);
    return status;
}
