// Shared by bpe.c and bpe_merge.c.
#ifndef EBM_BPE_INTERNAL_H
#define EBM_BPE_INTERNAL_H

#include "bpe.h"

typedef struct {
    int32_t left, right, result; // token ids; result -1: empty slot
    uint32_t rank;
} ebm_bpe_merge;

struct ebm_bpe {
    const ebm_vocabulary *vocabulary;
    struct pcre2_real_code_8 *pattern;
    ebm_bpe_merge *merges; // open addressing
    size_t slot_count, merge_count;
    uint32_t next_rank;
    int32_t id_of_byte[256];
    bool add_prefix_space;
};

// A power of two; 64 bytes each. Longer words and words of more pieces are encoded anew each time.
#define EBM_BPE_CACHE_WORDS ((size_t)1 << 14)
#define EBM_BPE_CACHED_BYTES 30
#define EBM_BPE_CACHED_IDS 8
typedef struct ebm_bpe_word {
    unsigned char bytes; // 0: empty
    unsigned char count;
    char text[EBM_BPE_CACHED_BYTES];
    int32_t ids[EBM_BPE_CACHED_IDS];
} ebm_bpe_word;

// The slot that holds the pair, or the empty one where it belongs.
static inline ebm_bpe_merge *ebm_bpe_merge_slot(const ebm_bpe *bpe, int32_t left, int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    size_t slot = (size_t)((key ^ key >> 29) * 0x9E3779B97F4A7C15u >> 24) & (bpe->slot_count - 1);
    while (bpe->merges[slot].result >= 0 && (bpe->merges[slot].left != left || bpe->merges[slot].right != right))
        slot = (slot + 1) & (bpe->slot_count - 1);
    return &bpe->merges[slot];
}

// Merges the tokens of a word's parts, whatever these were.
ebm_status ebm_bpe_encode_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *scratch,
                                  ebm_id_list *ids);
ebm_status ebm_bpe_encode_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *scratch,
                               ebm_id_list *ids);

#endif
