#include "trie.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FREE 0xFFFFFFFEu // the parent of a unit that nobody has taken yet
#define NOBODY 0xFFFFFFFFu
#define BLOCK ((size_t)256)
enum { TRIES = 32 }; // so that the time to build does not grow with the number of holes

typedef struct {
    size_t low, high; // entries
    size_t depth;
    uint32_t node;
} range;

typedef struct {
    ebm_trie *trie;
    uint32_t *next, *previous; // of free units
    size_t capacity;
    uint32_t first_free; // NOBODY: none
    range *stack;
    size_t stack_size, stack_capacity;
} builder;

static int by_text(const void *a, const void *b)
{
    const ebm_trie_entry *x = a, *y = b;
    const size_t n = x->bytes < y->bytes ? x->bytes : y->bytes;
    const int order = n > 0 ? memcmp(x->text, y->text, n) : 0;
    if (order != 0) return order;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

static bool grow(void **array, size_t count, size_t size)
{
    void *grown = realloc(*array, count * size);
    if (grown) *array = grown;
    return grown != NULL;
}

static bool add_block(builder *b)
{
    ebm_trie *t = b->trie;
    if (t->count + BLOCK > FREE) return false;
    if (t->count + BLOCK > b->capacity) {
        const size_t capacity = 2 * b->capacity + 4 * BLOCK;
        if (!grow((void **)&t->units, capacity, sizeof *t->units) ||
            !grow((void **)&b->next, capacity, sizeof *b->next) ||
            !grow((void **)&b->previous, capacity, sizeof *b->previous))
            return false;
        b->capacity = capacity;
    }
    // In front: the newest block is the emptiest, and its units are near one another.
    for (size_t i = 0; i < BLOCK; i++) {
        const uint32_t unit = (uint32_t)(t->count + BLOCK - 1 - i);
        t->units[unit] = (ebm_trie_unit){.parent = FREE, .value = -1};
        b->next[unit] = b->first_free;
        b->previous[unit] = NOBODY;
        if (b->first_free != NOBODY) b->previous[b->first_free] = unit;
        b->first_free = unit;
    }
    t->count += BLOCK;
    return true;
}

static void take(builder *b, uint32_t unit, uint32_t parent)
{
    const uint32_t next = b->next[unit], previous = b->previous[unit];
    if (next != NOBODY) b->previous[next] = previous;
    if (previous != NOBODY) b->next[previous] = next;
    if (b->first_free == unit) b->first_free = next;
    b->trie->units[unit].parent = parent;
}

static bool fits(const builder *b, uint32_t base, const unsigned char *labels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (b->trie->units[base ^ labels[i]].parent != FREE) return false;
    return true;
}

static bool find_base(builder *b, const unsigned char *labels, size_t count, uint32_t *base)
{
    uint32_t unit = b->first_free;
    for (int i = 0; i < TRIES && unit != NOBODY; i++, unit = b->next[unit])
        if (fits(b, *base = unit ^ labels[0], labels, count)) return true;
    *base = (uint32_t)b->trie->count;
    return add_block(b);
}

static bool push(builder *b, range r)
{
    if (b->stack_size == b->stack_capacity) {
        const size_t capacity = 2 * b->stack_capacity + BLOCK;
        if (!grow((void **)&b->stack, capacity, sizeof *b->stack)) return false;
        b->stack_capacity = capacity;
    }
    b->stack[b->stack_size++] = r;
    return true;
}

// Where the entries of [low, high) that have the byte of `low` at depth end.
static size_t end_of_label(const ebm_trie_entry *entries, size_t low, size_t high, size_t depth)
{
    const char label = entries[low].text[depth];
    size_t end = low + 1;
    while (end < high && entries[end].text[depth] == label) end++;
    return end;
}

static bool place(builder *b, const ebm_trie_entry *entries, range r)
{
    for (; r.low < r.high && entries[r.low].bytes == r.depth; r.low++) // the shortest come first
        if (r.depth > 0) b->trie->units[r.node].value = entries[r.low].value;
    if (r.low == r.high) return true;
    unsigned char labels[256];
    size_t count = 0;
    uint32_t base = 0;
    for (size_t i = r.low; i < r.high; i = end_of_label(entries, i, r.high, r.depth))
        labels[count++] = (unsigned char)entries[i].text[r.depth];
    if (!find_base(b, labels, count, &base)) return false;
    b->trie->units[r.node].base = base;
    for (size_t i = 0; i < count; i++) take(b, base ^ labels[i], r.node);
    for (size_t i = r.low; i < r.high;) {
        const size_t end = end_of_label(entries, i, r.high, r.depth);
        const uint32_t child = base ^ (unsigned char)entries[i].text[r.depth];
        if (!push(b, (range){.low = i, .high = end, .depth = r.depth + 1, .node = child})) return false;
        i = end;
    }
    return true;
}

ebm_status ebm_trie_build(ebm_trie *trie, ebm_trie_entry *entries, size_t count)
{
    *trie = (ebm_trie){0};
    builder b = {.trie = trie, .first_free = NOBODY};
    if (count > 1) qsort(entries, count, sizeof *entries, by_text);
    bool ok = add_block(&b);
    if (ok) take(&b, EBM_TRIE_ROOT, NOBODY);
    ok = ok && push(&b, (range){.high = count});
    while (ok && b.stack_size > 0) ok = place(&b, entries, b.stack[--b.stack_size]);
    free(b.next);
    free(b.previous);
    free(b.stack);
    if (ok) return ebm_ok();
    ebm_trie_free(trie);
    return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a trie of %zu strings", count);
}

void ebm_trie_free(ebm_trie *trie)
{
    free(trie->units);
    *trie = (ebm_trie){0};
}

int32_t ebm_trie_find(const ebm_trie *trie, const char *text, size_t bytes)
{
    uint32_t node = EBM_TRIE_ROOT;
    for (size_t i = 0; i < bytes; i++)
        if (!(node = ebm_trie_step(trie, node, text[i]))) return -1;
    return bytes > 0 ? trie->units[node].value : -1;
}
