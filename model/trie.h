// A fixed set of byte strings, each with a number, walked a byte at a time: a double array. The child of node n by byte
// b is unit base[n] ^ b if that unit says that n is its parent.
//
//     ebm_trie trie = {0};
//     EBM_TRY(ebm_trie_build(&trie, entries, count));
//     uint32_t node = EBM_TRIE_ROOT;
//     while (i < bytes && (node = ebm_trie_step(&trie, node, text[i]))) { if (trie.units[node].value >= 0) ...; i++; }
//     ebm_trie_free(&trie);
//
// Source: Aoe, An Efficient Digital Search Algorithm by Using a Double-Array Structure, 1989; XOR as in darts-clone.
#ifndef EBM_TRIE_H
#define EBM_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    uint32_t base, parent;
    int32_t value; // -1: no string ends here
} ebm_trie_unit;

typedef struct {
    ebm_trie_unit *units;
    size_t count; // a multiple of 256
} ebm_trie;

typedef struct {
    const char *text;
    size_t bytes;
    int32_t value; // 0 or more
} ebm_trie_entry;

// Sorts the entries. Of equal texts the greatest value stays; empty ones are left out. EBM_ERROR_MEMORY.
ebm_status ebm_trie_build(ebm_trie *trie, ebm_trie_entry *entries, size_t count);
void ebm_trie_free(ebm_trie *trie); // zeroed is accepted, and what is left

#define EBM_TRIE_ROOT 0u
// The child; 0 where there is none (the root is nobody's child).
static inline uint32_t ebm_trie_step(const ebm_trie *trie, uint32_t node, char byte)
{
    const uint32_t child = trie->units[node].base ^ (unsigned char)byte;
    return trie->units[child].parent == node ? child : 0;
}

int32_t ebm_trie_find(const ebm_trie *trie, const char *text, size_t bytes); // the text's value; -1: not in the set

#endif
