// One word of few bytes: its tokens and their merges in arrays, the best merge found by looking at all of them. For so
// few nothing is faster, and there is nothing to prepare.
#include <string.h>

#include "bpe_internal.h"

#define SHORT 48 // bytes; the longer ones are for bpe_long.c

static uint64_t merge_at(const ebm_bpe *bpe, const int32_t *ids, size_t i)
{
    return ebm_bpe_find(bpe, ids[i], ids[i + 1])->merge;
}

static size_t fill_ids(const ebm_bpe *bpe, const char *word, size_t bytes, int32_t *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        ids[count] = bpe->id_of_byte[(unsigned char)word[i]];
        count += ids[count] >= 0;
    }
    return count;
}

// The first of the least.
static size_t best_of(const uint64_t *merges, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) best = merges[i] < merges[best] ? i : best;
    return best;
}

static size_t merge_all(const ebm_bpe *bpe, int32_t *ids, size_t count)
{
    uint64_t merges[SHORT];
    for (size_t i = 0; i + 1 < count; i++) merges[i] = merge_at(bpe, ids, i);
    while (count > 1) {
        const size_t i = best_of(merges, count - 1);
        if (merges[i] == EBM_BPE_NO_MERGE) break;
        ids[i] = (int32_t)(merges[i] & INT32_MAX);
        count--;
        for (size_t k = i + 1; k < count; k++) {
            ids[k] = ids[k + 1];
            merges[k - 1] = merges[k];
        }
        if (i > 0) merges[i - 1] = merge_at(bpe, ids, i - 1);
        if (i + 1 < count) merges[i] = merge_at(bpe, ids, i);
    }
    return count;
}

bool ebm_bpe_merge_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *scratch, ebm_id_list *ids)
{
    if (bytes > SHORT) return ebm_bpe_merge_long_word(bpe, word, bytes, scratch, ids);
    if (!ebm_id_list_reserve(ids, SHORT + 1)) return false;
    int32_t *first = ids->ids + ids->count;
    ids->count += merge_all(bpe, first, fill_ids(bpe, word, bytes, first));
    return true;
}

bool ebm_bpe_merge_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *scratch,
                           ebm_id_list *ids)
{
    if (count > SHORT) return ebm_bpe_merge_long_symbols(bpe, symbols, count, scratch, ids);
    if (!ebm_id_list_reserve(ids, SHORT + 1)) return false;
    int32_t *first = ids->ids + ids->count;
    if (count > 0) memcpy(first, symbols, count * sizeof *symbols);
    ids->count += merge_all(bpe, first, count);
    return true;
}
