// One long word: its tokens in a linked list, the merges that are possible waiting by rank. Merges that come from
// training are ordered: what a merge makes is needed by later ones only. Then each rank is done once and for all, in
// turn, and the whole takes time in proportion to the word, whatever it is. For other merges there is a heap, n log n.
#include <stdlib.h>
#include <string.h>

#include "bpe_internal.h"

typedef struct {
    int32_t id;             // -1: merged into the one before
    int32_t previous, next; // -1: none
} symbol;

typedef struct {
    int32_t left;  // index of a symbol
    int32_t below; // the pair that waits under this one; -1: none
} piled;

typedef struct {
    uint64_t merge; // as in ebm_bpe_slot
    int32_t left;
} heaped;

typedef struct ebm_bpe_long {
    symbol *symbols;
    piled *piles; // if merges are ordered
    heaped *heap; // if not
    size_t capacity, pair_count;
    int32_t *top;      // by rank: a pile of pairs; -1: none
    uint64_t *waiting; // a bit for each rank: its pile is not empty
    size_t rank_words; // of `waiting`
} ebm_bpe_long;

void ebm_bpe_long_free(ebm_bpe_long *s)
{
    if (!s) return;
    free(s->symbols);
    free(s->piles);
    free(s->heap);
    free(s->top);
    free(s->waiting);
    free(s);
}

static bool make_piles(ebm_bpe_long *s, size_t merges)
{
    const size_t words = merges / 64 + 1;
    s->top = malloc(64 * words * sizeof *s->top);
    s->waiting = calloc(words, sizeof *s->waiting);
    if (!s->top || !s->waiting) return false;
    memset(s->top, 0xFF, 64 * words * sizeof *s->top);
    s->rank_words = words;
    return true;
}

// Each merge removes a symbol and adds at most two pairs to the first bytes - 1: 3 * bytes pairs are enough.
static bool reserve(const ebm_bpe *bpe, ebm_bpe_long *s, size_t bytes)
{
    if (bytes > INT32_MAX / 8) return false;
    if (bytes <= s->capacity) return true;
    const size_t capacity = bytes < 1024 ? 1024 : bytes;
    free(s->symbols);
    free(s->piles);
    free(s->heap);
    s->capacity = 0;
    s->symbols = malloc(capacity * sizeof *s->symbols);
    s->piles = bpe->ordered ? malloc(3 * capacity * sizeof *s->piles) : NULL;
    s->heap = bpe->ordered ? NULL : malloc(3 * capacity * sizeof *s->heap);
    if (!s->symbols || (!s->piles && !s->heap)) return false;
    if (bpe->ordered && s->rank_words == 0 && !make_piles(s, bpe->merge_count)) return false;
    s->capacity = capacity;
    return true;
}

static int32_t fill_symbols(const ebm_bpe *bpe, const char *word, size_t bytes, symbol *symbols)
{
    int32_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        const int32_t id = bpe->id_of_byte[(unsigned char)word[i]];
        if (id < 0) continue;
        symbols[count] = (symbol){.id = id, .previous = count - 1, .next = count + 1};
        count++;
    }
    if (count > 0) symbols[count - 1].next = -1;
    return count;
}

// What the pair of this symbol and the next one merges to, if there is such a pair.
static uint64_t merge_at(const ebm_bpe *bpe, const ebm_bpe_long *s, int32_t left)
{
    const symbol *a = left < 0 ? NULL : &s->symbols[left];
    if (!a || a->id < 0 || a->next < 0) return EBM_BPE_NO_MERGE;
    return ebm_bpe_find(bpe, a->id, s->symbols[a->next].id)->merge;
}

static void join(ebm_bpe_long *s, int32_t left, int32_t result)
{
    symbol *a = &s->symbols[left], *b = &s->symbols[a->next];
    a->id = result;
    a->next = b->next;
    b->id = -1;
    if (a->next >= 0) s->symbols[a->next].previous = left;
}

// --- merges that are ordered ----------------------------------------------------------------------------------------

static void put_on_pile(const ebm_bpe *bpe, ebm_bpe_long *s, int32_t left)
{
    const uint64_t merge = merge_at(bpe, s, left);
    if (merge == EBM_BPE_NO_MERGE) return;
    const uint32_t rank = (uint32_t)(merge >> 32);
    s->piles[s->pair_count] = (piled){.left = left, .below = s->top[rank]};
    s->top[rank] = (int32_t)s->pair_count++;
    s->waiting[rank / 64] |= (uint64_t)1 << rank % 64;
}

static bool is_at(const ebm_bpe_long *s, int32_t left, const ebm_bpe_merge *merge)
{
    const symbol *a = &s->symbols[left];
    return a->id == merge->left && a->next >= 0 && s->symbols[a->next].id == merge->right;
}

// All pairs of one rank. Their order matters only where they overlap, in runs of one token: these go from the left.
static void merge_pile(const ebm_bpe *bpe, ebm_bpe_long *s, uint32_t rank)
{
    const ebm_bpe_merge merge = bpe->merges[rank];
    const symbol *symbols = s->symbols;
    for (int32_t i = s->top[rank]; i >= 0; i = s->piles[i].below) {
        int32_t left = s->piles[i].left;
        if (!is_at(s, left, &merge)) continue; // one of the two has been merged since
        if (merge.left == merge.right)
            while (symbols[left].previous >= 0 && symbols[symbols[left].previous].id == merge.left)
                left = symbols[left].previous;
        do {
            join(s, left, merge.result);
            put_on_pile(bpe, s, symbols[left].previous);
            put_on_pile(bpe, s, left);
            left = symbols[left].next;
        } while (merge.left == merge.right && left >= 0 && is_at(s, left, &merge));
    }
    s->top[rank] = -1;
}

static void merge_by_rank(const ebm_bpe *bpe, ebm_bpe_long *s, int32_t count)
{
    s->pair_count = 0;
    for (int32_t i = 0; i < count; i++) put_on_pile(bpe, s, i);
    for (size_t word = 0; word < s->rank_words; word++)
        while (s->waiting[word]) {
            const unsigned bit = (unsigned)__builtin_ctzll(s->waiting[word]);
            merge_pile(bpe, s, (uint32_t)(64 * word + bit));
            s->waiting[word] &= ~((uint64_t)1 << bit);
        }
}

// --- any merges -----------------------------------------------------------------------------------------------------

static bool comes_before(heaped a, heaped b) { return a.merge != b.merge ? a.merge < b.merge : a.left < b.left; }

static void heap_push(const ebm_bpe *bpe, ebm_bpe_long *s, int32_t left)
{
    const heaped new = {.merge = merge_at(bpe, s, left), .left = left};
    if (new.merge == EBM_BPE_NO_MERGE) return;
    heaped *heap = s->heap;
    size_t i = s->pair_count++;
    for (; i > 0 && comes_before(new, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = new;
}

static heaped heap_pop(ebm_bpe_long *s)
{
    heaped *heap = s->heap;
    const heaped top = heap[0], last = heap[--s->pair_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < s->pair_count; i = child) {
        if (child + 1 < s->pair_count && comes_before(heap[child + 1], heap[child])) child++;
        if (!comes_before(heap[child], last)) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static void merge_by_heap(const ebm_bpe *bpe, ebm_bpe_long *s, int32_t count)
{
    s->pair_count = 0;
    for (int32_t i = 0; i < count; i++) heap_push(bpe, s, i);
    while (s->pair_count > 0) {
        const heaped best = heap_pop(s);
        if (merge_at(bpe, s, best.left) != best.merge) continue;
        join(s, best.left, (int32_t)(best.merge & INT32_MAX));
        heap_push(bpe, s, s->symbols[best.left].previous);
        heap_push(bpe, s, best.left);
    }
}

static ebm_bpe_long *prepare(const ebm_bpe *bpe, ebm_bpe_scratch *scratch, size_t symbols)
{
    if (!scratch->longer) scratch->longer = calloc(1, sizeof *scratch->longer);
    return scratch->longer && reserve(bpe, scratch->longer, symbols) ? scratch->longer : NULL;
}

static bool merge_all(const ebm_bpe *bpe, ebm_bpe_long *s, int32_t count, ebm_id_list *ids)
{
    if (bpe->ordered)
        merge_by_rank(bpe, s, count);
    else
        merge_by_heap(bpe, s, count);
    for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = s->symbols[i].next)
        if (!ebm_id_list_append(ids, s->symbols[i].id)) return false;
    return true;
}

bool ebm_bpe_merge_long_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *scratch,
                             ebm_id_list *ids)
{
    ebm_bpe_long *s = prepare(bpe, scratch, bytes);
    return s && merge_all(bpe, s, fill_symbols(bpe, word, bytes, s->symbols), ids);
}

bool ebm_bpe_merge_long_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *scratch,
                                ebm_id_list *ids)
{
    ebm_bpe_long *s = prepare(bpe, scratch, count);
    if (!s) return false;
    const int32_t last = (int32_t)count - 1;
    for (int32_t i = 0; i <= last; i++)
        s->symbols[i] = (symbol){.id = symbols[i], .previous = i - 1, .next = i < last ? i + 1 : -1};
    return merge_all(bpe, s, last + 1, ids);
}
