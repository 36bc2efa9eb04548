// A block of noise texts: generated together, checked, and turned into encoder sequences. Block b is a function of the
// source and b alone, so a stream can be taken up again at any block.
#ifndef EBM_NOISE_BLOCK_H
#define EBM_NOISE_BLOCK_H

#include <pthread.h>

#include "generator.h"
#include "noise_filler.h"
#include "noise_stream.h"
#include "noise_texts.h"

// Texts of a block: of a generator, whose slots idle at its end, many; filled ones cost as much in any number. So that
// they do not idle, they begin with the blocks that come next, EBM_NOISE_BLOCKS in all: while the block's longest text
// is written 256 slots take up some 1,000 of SST-2's.
enum { EBM_NOISE_BLOCK = 512, EBM_NOISE_BLOCKS = 4, EBM_NOISE_FILL_BLOCK = 64 };

// One accepted text: where its tokens lie in the block, and its encoder sequence.
typedef struct {
    size_t row, count, separator; // separator: its index for a pair, else count
    size_t first, length;         // in ids and types
} ebm_noise_item;

typedef struct {
    int32_t *raw;    // (block, most_new) the model's tokens
    int32_t *mapped; // the same in the encoder's vocabulary, where ids are mapped
    ebm_noise_item *items;
    size_t count;
    int32_t *ids, *types; // encoder sequences, block x max_length each
    pthread_t thread;
    bool encoding; // the thread runs
    ebm_status encoded;
} ebm_noise_block;

typedef struct {
    ebm_device *device;
    ebm_arena *arena;
    const ebm_tokenizer *tokenizer, *encoder; // of the texts as they are made, and of the sequences
    ebm_noise_roles roles;
    size_t vocabulary; // of the texts as they are made
    size_t max_length, block, most_new;
    ebm_noise_texts *texts;
    bool pairs, maps_ids;
    ebm_slice map, mapped; // of a generator's texts, which are mapped on the device
    int32_t *host_map;
    ebm_noise_statistics statistics;
    // Sampled texts:
    ebm_noise_source source;
    ebm_generator *generator;
    ebm_prompt *prompts; // of the last blocks asked for, each where its number says
    int32_t *prompt_ids;
    uint64_t prompts_made[EBM_NOISE_BLOCKS]; // of which block they are, plus 1; 0: of none yet
    ebm_prompt *queue;                       // of a block and of those ahead, in order
    bool begins_next;
    // Filled texts:
    ebm_noise_filler *filler;
    int32_t *lengths;
} ebm_noise_maker;

ebm_status ebm_noise_maker_create(const ebm_noise_source *source, ebm_noise_maker **maker);
ebm_status ebm_noise_maker_create_filling(const ebm_noise_fill_source *source, ebm_noise_maker **maker);
void ebm_noise_maker_free(ebm_noise_maker *maker);
ebm_status ebm_noise_maker_allocate(ebm_noise_maker *maker);

ebm_status ebm_noise_block_create(const ebm_noise_maker *maker, ebm_noise_block *block);
void ebm_noise_block_free(ebm_noise_block *block);
// Generates and checks block `number`. Where ids are not mapped its texts are then being encoded by a thread:
// ebm_noise_block_wait before using ids.
ebm_status ebm_noise_block_make(ebm_noise_maker *maker, uint64_t number, ebm_noise_block *block);
ebm_status ebm_noise_block_wait(ebm_noise_block *block);
// `A` or `A <SEP> B` for the caller to free().
ebm_status ebm_noise_block_text(const ebm_noise_maker *maker, const ebm_noise_block *block, size_t item, char **text);

#endif
