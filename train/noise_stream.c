#include "noise_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encoded.h"
#include "noise_block.h"
#include "noise_shuffle.h"
#include "order.h"
#include "random.h"
#include "timing.h"

// A position of a stream from a model: block number and index of the next text in it.
enum { INDEX_BITS = 20, MAX_EMPTY_BLOCKS = 4 };

struct ebm_noise_stream {
    // From texts:
    const ebm_dataset *dataset;
    ebm_encoded *encoded;
    ebm_order *order;
    uint64_t taken;
    bool *held; // by row: kept out once the first pass is over; NULL: none
    // Shuffled, text number `taken` next:
    ebm_noise_shuffle *shuffle;
    const ebm_tokenizer *encoder;
    ebm_encoding encoding;
    // From a model, sampled or filled:
    ebm_noise_maker *maker;
    ebm_noise_block blocks[2]; // the current one and, where a thread encodes, the one ahead
    size_t current;
    uint64_t number; // of the current block
    size_t next;     // item in it
    bool has_block, has_ahead;
    size_t rank, stride; // of `stride` ranks, each of which takes every stride-th block
    // All:
    size_t max_length;
    int32_t *ids; // copies of what was handed out last: blocks move on
    size_t ids_capacity;
    char *text;
    ebm_noise_statistics statistics;
    char source[256];
};

static ebm_noise_stream *new_stream(void)
{
    ebm_noise_stream *s = calloc(1, sizeof *s);
    if (s) s->stride = 1;
    return s;
}

ebm_status ebm_noise_stream_from_texts(const ebm_dataset *texts, const ebm_tokenizer *tokenizer, size_t max_length,
                                       uint64_t seed, ebm_noise_stream **out)
{
    *out = NULL;
    ebm_noise_stream *s = new_stream();
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    ebm_status status = ebm_ok();
    s->dataset = texts;
    s->max_length = max_length;
    snprintf(s->source, sizeof s->source, "%zu texts of a file, longest %zu, seed %" PRIu64, ebm_dataset_count(texts),
             max_length, seed);
    if (tokenizer) EBM_CHECK(ebm_encoded_create(texts, tokenizer, max_length, &s->encoded), fail);
    EBM_CHECK(ebm_order_create(seed, EBM_SITE_PROMPT, ebm_dataset_count(texts), &s->order), fail);
    *out = s;
    return status;
fail:
    ebm_noise_stream_free(s);
    return status;
}

ebm_status ebm_noise_stream_from_model(const ebm_noise_source *source, ebm_noise_stream **out)
{
    *out = NULL;
    ebm_noise_stream *s = new_stream();
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    ebm_status status = ebm_ok();
    const ebm_noise_objective objective = ebm_noise_model_training(source->model).objective;
    s->max_length = source->max_length;
    snprintf(
        s->source, sizeof s->source,
        "a%s%s model, longest %zu, mask_probability %.9g, temperature %.9g, top_k %d, noise_slots %zu, seed %" PRIu64,
        objective == EBM_NOISE_MASKED ? "" : " ",
        objective == EBM_NOISE_MASKED ? "" : ebm_noise_objective_name(objective), source->max_length,
        (double)source->mask_probability, (double)source->temperature, source->top_k, source->slots, source->seed);
    EBM_CHECK(ebm_noise_maker_create(source, &s->maker), fail);
    for (size_t i = 0; i < 2; i++) EBM_CHECK(ebm_noise_block_create(s->maker, &s->blocks[i]), fail);
    *out = s;
    return status;
fail:
    ebm_noise_stream_free(s);
    return status;
}

ebm_status ebm_noise_stream_from_shuffle(const ebm_noise_shuffle_source *source, ebm_noise_stream **out)
{
    *out = NULL;
    ebm_noise_stream *s = new_stream();
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    s->encoder = source->encoder;
    s->max_length = source->max_length;
    snprintf(s->source, sizeof s->source, "shuffled texts, longest %zu, shuffle_ngram %zu, seed %" PRIu64,
             source->max_length, source->ngram, source->seed);
    const ebm_status status =
        ebm_noise_shuffle_create(source->training, source->ngram, source->max_length, source->seed, &s->shuffle);
    if (status.code == EBM_OK)
        *out = s;
    else
        ebm_noise_stream_free(s);
    return status;
}

ebm_status ebm_noise_stream_from_fill(const ebm_noise_fill_source *source, ebm_noise_stream **out)
{
    *out = NULL;
    ebm_noise_stream *s = new_stream();
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    ebm_status status = ebm_ok();
    s->max_length = source->max_length;
    snprintf(s->source, sizeof s->source,
             "a masked language model, longest %zu, mask_probability %.9g, temperature %.9g, top_k %d, seed %" PRIu64,
             source->max_length, (double)source->mask_probability, (double)source->temperature, source->top_k,
             source->seed);
    EBM_CHECK(ebm_noise_maker_create_filling(source, &s->maker), fail);
    for (size_t i = 0; i < 2; i++) EBM_CHECK(ebm_noise_block_create(s->maker, &s->blocks[i]), fail);
    *out = s;
    return status;
fail:
    ebm_noise_stream_free(s);
    return status;
}

void ebm_noise_stream_free(ebm_noise_stream *s)
{
    if (!s) return;
    for (size_t i = 0; i < 2; i++) ebm_noise_block_free(&s->blocks[i]);
    ebm_noise_maker_free(s->maker);
    ebm_noise_shuffle_free(s->shuffle);
    ebm_encoding_free(&s->encoding);
    ebm_order_free(s->order);
    ebm_encoded_free(s->encoded);
    free(s->held);
    free(s->ids);
    free(s->text);
    free(s);
}

ebm_arena *ebm_noise_stream_arena(ebm_noise_stream *s) { return s->maker ? s->maker->arena : NULL; }

ebm_status ebm_noise_stream_allocate(ebm_noise_stream *s)
{
    return s->maker ? ebm_noise_maker_allocate(s->maker) : ebm_ok();
}

const char *ebm_noise_stream_route(const ebm_noise_stream *s)
{
    if (s->shuffle) return "noise texts are training texts with their words in random order";
    if (!s->maker) return "noise texts come from a file";
    if (s->maker->filler && s->maker->maps_ids)
        return "noise texts are training texts with tokens filled in anew, mapped to the encoder's vocabulary";
    return s->maker->maps_ids ? "noise tokens are mapped to the encoder's vocabulary on the device"
                              : "noise texts are encoded anew on the host, by a thread that runs ahead";
}

const char *ebm_noise_stream_source(const ebm_noise_stream *s) { return s->source; }

ebm_noise_statistics ebm_noise_stream_statistics(const ebm_noise_stream *s)
{
    ebm_noise_statistics all = s->maker ? s->maker->statistics : s->statistics;
    all.delivered = s->statistics.delivered;
    all.seconds = s->statistics.seconds;
    return all;
}

static ebm_status make(ebm_noise_stream *s, uint64_t number, ebm_noise_block *block)
{
    return ebm_in(ebm_noise_block_make(s->maker, number, block), "noise block %" PRIu64, number);
}

static ebm_status advance_block(ebm_noise_stream *s)
{
    s->number = s->has_block ? s->number + s->stride : s->number;
    if (s->has_ahead)
        s->current = 1 - s->current;
    else
        EBM_TRY(make(s, s->number, &s->blocks[s->current]));
    s->has_ahead = false;
    s->has_block = true;
    s->next = 0;
    return ebm_ok();
}

static ebm_status too_few(const ebm_noise_stream *s)
{
    const ebm_noise_statistics *all = &s->maker->statistics;
    return ebm_fail(EBM_ERROR_INPUT,
                    "the noise model gives no usable texts: of %" PRIu64 " generated %" PRIu64
                    " were malformed (empty, cut,"
                    " or without exactly one separator in a pair) and %" PRIu64 " equal to training texts; %s",
                    all->generated, all->malformed, all->duplicates,
                    s->maker->filler ? "mask more of their tokens" : "train it longer");
}

// The next accepted item of the current block; makes blocks until there is one.
static ebm_status next_item(ebm_noise_stream *s, ebm_noise_block **block, size_t *item)
{
    for (int empty = 0; !s->has_block || s->next >= s->blocks[s->current].count; empty++) {
        if (empty == MAX_EMPTY_BLOCKS) return too_few(s);
        EBM_TRY(advance_block(s));
    }
    *block = &s->blocks[s->current];
    // Generating the next block early gives the encoding thread half a block's time.
    if (!s->maker->maps_ids && !s->has_ahead && s->next >= (*block)->count / 2) {
        EBM_TRY(ebm_noise_block_wait(*block));
        EBM_TRY(make(s, s->number + s->stride, &s->blocks[1 - s->current]));
        s->has_ahead = true;
    }
    EBM_TRY(ebm_noise_block_wait(*block));
    *item = s->next++;
    return ebm_ok();
}

static ebm_status reserve(ebm_noise_stream *s, size_t count)
{
    const size_t needed = 2 * count * s->max_length;
    if (needed <= s->ids_capacity) return ebm_ok();
    int32_t *more = realloc(s->ids, needed * sizeof *more);
    if (!more) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu noise texts", count);
    s->ids = more;
    s->ids_capacity = needed;
    return ebm_ok();
}

static ebm_status next_from_model(ebm_noise_stream *s, size_t count, ebm_sequence *sequences)
{
    EBM_TRY(reserve(s, count));
    for (size_t i = 0; i < count; i++) {
        ebm_noise_block *block = NULL;
        size_t index = 0;
        EBM_TRY(next_item(s, &block, &index));
        const ebm_noise_item *item = &block->items[index];
        int32_t *ids = s->ids + 2 * i * s->max_length, *types = ids + s->max_length;
        memcpy(ids, block->ids + item->first, item->length * sizeof *ids);
        memcpy(types, block->types + item->first, item->length * sizeof *types);
        sequences[i] = (ebm_sequence){ids, types, item->length};
    }
    return ebm_ok();
}

// In the first pass the texts held out are the first ones, so only later passes come upon them.
static uint32_t next_row(ebm_noise_stream *s)
{
    uint32_t row = 0;
    do {
        ebm_order_next(s->order, 1, &row);
        s->taken++;
    } while (s->held && s->held[row] && s->taken > ebm_dataset_count(s->dataset));
    return row;
}

static ebm_status next_shuffled(ebm_noise_stream *s, size_t count, ebm_sequence *sequences)
{
    ebm_encoding *e = &s->encoding;
    EBM_TRY(reserve(s, count));
    for (size_t i = 0; i < count; i++) {
        const char *a = NULL, *b = NULL;
        int32_t *ids = s->ids + 2 * i * s->max_length, *types = ids + s->max_length;
        EBM_TRY(ebm_noise_shuffle_next(s->shuffle, &s->taken, &s->statistics, &a, &b));
        EBM_TRY(ebm_tokenizer_encode(s->encoder, a, strlen(a), b, b ? strlen(b) : 0, s->max_length, e));
        memcpy(ids, e->ids, e->tokens * sizeof *ids);
        memcpy(types, e->types, e->tokens * sizeof *types);
        sequences[i] = (ebm_sequence){ids, types, e->tokens};
        s->statistics.tokens += e->tokens;
    }
    return ebm_ok();
}

static ebm_status next_from_texts(ebm_noise_stream *s, size_t count, ebm_sequence *sequences)
{
    for (size_t i = 0; i < count; i++) sequences[i] = ebm_encoded_sequence(s->encoded, next_row(s));
    return ebm_ok();
}

ebm_status ebm_noise_stream_next(ebm_noise_stream *s, size_t count, ebm_sequence *sequences)
{
    const double start = ebm_now();
    EBM_TRY(s->maker     ? next_from_model(s, count, sequences)
            : s->shuffle ? next_shuffled(s, count, sequences)
                         : next_from_texts(s, count, sequences));
    s->statistics.delivered += count;
    s->statistics.seconds += ebm_now() - start;
    return ebm_ok();
}

// Only a file needs a list: others give no text twice.
static ebm_status hold_out_rows(ebm_noise_stream *s, size_t *count)
{
    const size_t texts = ebm_dataset_count(s->dataset);
    if (*count > texts / 2) *count = texts / 2; // the rest is to train on
    if (!s->held) s->held = calloc(texts, sizeof *s->held);
    if (!s->held) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for held-out noise");
    for (size_t i = 0; i < *count; i++) s->held[next_row(s)] = true;
    return ebm_noise_stream_seek(s, 0);
}

ebm_status ebm_noise_stream_hold_out(ebm_noise_stream *s, size_t *count, ebm_sequence *sequences)
{
    s->stride = 1;
    if (ebm_noise_stream_position(s) != 0) EBM_TRY(ebm_noise_stream_seek(s, 0));
    if (s->dataset) EBM_TRY(hold_out_rows(s, count));
    return ebm_noise_stream_next(s, *count, sequences);
}

static ebm_status text_from_model(ebm_noise_stream *s)
{
    ebm_noise_block *block = NULL;
    size_t index = 0;
    EBM_TRY(next_item(s, &block, &index));
    return ebm_noise_block_text(s->maker, block, index, &s->text);
}

static ebm_status join(ebm_noise_stream *s, const char *a, const char *b)
{
    if ((b ? asprintf(&s->text, "%s%s%s", a, EBM_PAIR_SEPARATOR, b) : asprintf(&s->text, "%s", a)) >= 0)
        return ebm_ok();
    s->text = NULL;
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a text");
}

static ebm_status shuffled_text(ebm_noise_stream *s)
{
    const char *a = NULL, *b = NULL;
    EBM_TRY(ebm_noise_shuffle_next(s->shuffle, &s->taken, &s->statistics, &a, &b));
    return join(s, a, b);
}

static ebm_status text_from_file(ebm_noise_stream *s)
{
    const ebm_row row = ebm_dataset_row(s->dataset, next_row(s));
    return join(s, row.text_a, row.text_b);
}

ebm_status ebm_noise_stream_next_text(ebm_noise_stream *s, const char **text)
{
    const double start = ebm_now();
    free(s->text);
    s->text = NULL;
    EBM_TRY(s->maker ? text_from_model(s) : s->shuffle ? shuffled_text(s) : text_from_file(s));
    *text = s->text;
    s->statistics.delivered++;
    s->statistics.seconds += ebm_now() - start;
    return ebm_ok();
}

uint64_t ebm_noise_stream_position(const ebm_noise_stream *s)
{
    return s->maker ? s->number << INDEX_BITS | s->next : s->taken;
}

static ebm_status seek_in_model(ebm_noise_stream *s, uint64_t position)
{
    const size_t index = position & ((1u << INDEX_BITS) - 1);
    for (size_t i = 0; i < 2; i++) EBM_TRY(ebm_noise_block_wait(&s->blocks[i]));
    s->number = position >> INDEX_BITS;
    s->has_block = s->has_ahead = false;
    s->next = 0;
    if (index == 0) return ebm_ok(); // made when the first text is asked for
    EBM_TRY(advance_block(s));
    EBM_TRY(ebm_noise_block_wait(&s->blocks[s->current]));
    if (index > s->blocks[s->current].count)
        return ebm_fail(EBM_ERROR_INPUT, "noise position %" PRIu64 ": block %" PRIu64 " has %zu texts", position,
                        s->number, s->blocks[s->current].count);
    s->next = index;
    return ebm_ok();
}

ebm_status ebm_noise_stream_seek(ebm_noise_stream *s, uint64_t position)
{
    if (s->maker) return seek_in_model(s, position);
    s->taken = position;
    if (s->shuffle) return ebm_ok();
    const size_t count = ebm_dataset_count(s->dataset);
    return ebm_order_seek(s->order, (uint32_t)(position / count), (size_t)(position % count));
}

bool ebm_noise_stream_is_made(const ebm_noise_stream *s) { return s->maker != NULL; }

ebm_status ebm_noise_stream_spread(ebm_noise_stream *s, size_t rank, size_t count)
{
    if (!s->maker || count == 1) return ebm_ok();
    const uint64_t first = s->has_block || s->next > 0 ? s->number + 1 : s->number;
    s->rank = rank;
    s->stride = count;
    return seek_in_model(s, (first + rank) << INDEX_BITS);
}

ebm_status ebm_noise_stream_resume(ebm_noise_stream *s, const uint64_t *positions, size_t saved)
{
    uint64_t most = 0;
    if (!s->maker) return ebm_noise_stream_seek(s, positions[0]);
    if (saved == s->stride) return seek_in_model(s, positions[s->rank]);
    for (size_t i = 0; i < saved; i++)
        if (positions[i] >> INDEX_BITS > most) most = positions[i] >> INDEX_BITS;
    return seek_in_model(s, (most + 1 + s->rank) << INDEX_BITS);
}
