// Shared by bpe.c, bpe_merge.c and bpe_long.c.
#ifndef EBM_BPE_INTERNAL_H
#define EBM_BPE_INTERNAL_H

#include "bpe.h"

// Rank (32 bits) and resulting token of a merge in one number, so that the least is the one of the best rank.
#define EBM_BPE_NO_MERGE UINT64_MAX
typedef struct {
    uint64_t pair;  // left << 32 | right, token ids
    uint64_t merge; // rank << 32 | result; EBM_BPE_NO_MERGE: empty slot
} ebm_bpe_slot;

typedef struct {
    int32_t left, right, result; // token ids
} ebm_bpe_merge;

struct ebm_bpe {
    uint64_t serial; // never the same twice
    const ebm_vocabulary *vocabulary;
    ebm_bpe_slot *slots; // open addressing
    size_t slot_count, slots_used;
    ebm_bpe_merge *merges; // by rank
    size_t merge_count, merge_capacity;
    bool ordered; // no merge makes a token that one of the same or a better rank needs
    int32_t id_of_byte[256];
    bool add_prefix_space;
};

// The slot that holds the pair, or the empty one where it belongs.
static inline ebm_bpe_slot *ebm_bpe_find(const ebm_bpe *bpe, int32_t left, int32_t right)
{
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)((pair ^ pair >> 29) * 0x9E3779B97F4A7C15u >> 24) & (bpe->slot_count - 1);
    while (bpe->slots[i].merge != EBM_BPE_NO_MERGE && bpe->slots[i].pair != pair) i = (i + 1) & (bpe->slot_count - 1);
    return &bpe->slots[i];
}

// Append the ids of a word; false when out of memory. Of any length and without cache: ebm_bpe_merge_word, and of given
// symbols instead of bytes ebm_bpe_merge_symbols.
bool ebm_bpe_merge_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *scratch, ebm_id_list *ids);
bool ebm_bpe_merge_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *scratch,
                           ebm_id_list *ids);
bool ebm_bpe_merge_long_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *scratch,
                             ebm_id_list *ids);
bool ebm_bpe_merge_long_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *scratch,
                                ebm_id_list *ids);
void ebm_bpe_long_free(struct ebm_bpe_long *s); // NULL is accepted

#endif
