#include "noise_block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "random.h"

// What a thread that encodes texts anew is given.
typedef struct {
    const ebm_noise_maker *maker;
    ebm_noise_block *block;
} encoding_job;

static void plan(ebm_noise_maker *m)
{
    ebm_arena_reserve(m->arena, &m->map, m->maps_ids ? m->vocabulary : 0);
    ebm_arena_reserve(m->arena, &m->mapped, m->maps_ids ? m->block * m->most_new : 0);
}

static ebm_status make_map(ebm_noise_maker *m)
{
    size_t missing = 0;
    m->host_map = malloc(m->vocabulary * sizeof *m->host_map);
    if (!m->host_map) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a map of %zu tokens", m->vocabulary);
    for (size_t i = 0; i < m->vocabulary; i++) m->host_map[i] = -1;
    ebm_tokenizer_map(m->tokenizer, m->encoder, m->host_map, &missing);
    m->maps_ids = missing == 0;
    return ebm_ok();
}

static ebm_status create_parts(ebm_noise_maker *m)
{
    const ebm_noise_source *s = &m->source;
    const ebm_generator_settings generation = {
        .slots = s->slots,
        .capacity = s->capacity,
        .block = m->block,
        .ahead = (EBM_NOISE_BLOCKS - 1) * EBM_NOISE_BLOCK,
        .most_new = m->most_new,
        .prompt_limits = s->prompt_limits,
        .temperature = s->temperature,
        .top_k = s->top_k,
        .seed = s->seed,
    };
    m->prompts = calloc(EBM_NOISE_BLOCKS * EBM_NOISE_BLOCK, sizeof *m->prompts);
    m->queue = calloc(EBM_NOISE_BLOCKS * EBM_NOISE_BLOCK, sizeof *m->queue);
    m->prompt_ids = calloc(EBM_NOISE_BLOCKS * EBM_NOISE_BLOCK * (EBM_NOISE_MAX_PREFIX + 1), sizeof *m->prompt_ids);
    EBM_TRY(ebm_gemm_prepare(m->device));
    m->begins_next = ebm_gemm_rows_independent(m->device); // else a stream taken up at a block would differ
    m->arena = ebm_arena_create(m->device, "noise texts");
    if (!m->prompts || !m->queue || !m->prompt_ids || !m->arena)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    EBM_TRY(ebm_noise_texts_create(s->training, m->tokenizer, m->roles, &m->texts));
    if (ebm_noise_objective_has_label(ebm_noise_model_training(s->model).objective))
        EBM_TRY(ebm_noise_texts_label(m->texts, s->training, s->model));
    EBM_TRY(make_map(m));
    EBM_TRY(ebm_generator_create(s->model, &generation, m->arena, &m->generator));
    plan(m);
    return ebm_ok();
}

ebm_status ebm_noise_maker_create(const ebm_noise_source *source, ebm_noise_maker **out)
{
    *out = NULL;
    if (source->capacity <= EBM_NOISE_MAX_PREFIX + 2)
        return ebm_fail(EBM_ERROR_INPUT, "generation of %zu tokens, a prefix alone may have %d", source->capacity,
                        EBM_NOISE_MAX_PREFIX);
    ebm_noise_maker *m = calloc(1, sizeof *m);
    if (!m) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    m->source = *source;
    m->device = ebm_noise_model_device(source->model);
    m->tokenizer = ebm_noise_model_tokenizer(source->model);
    m->roles = ebm_noise_model_roles(source->model);
    m->vocabulary = ebm_noise_model_config(source->model)->vocabulary;
    m->encoder = source->encoder;
    m->max_length = source->max_length;
    m->block = EBM_NOISE_BLOCK;
    m->pairs = ebm_dataset_is_pairs(source->training);
    m->most_new = source->capacity - EBM_NOISE_MAX_PREFIX - 1;
    const ebm_status status = create_parts(m);
    if (status.code == EBM_OK)
        *out = m;
    else
        ebm_noise_maker_free(m);
    return status;
}

static ebm_status create_filling(ebm_noise_maker *m, const ebm_noise_fill_source *s)
{
    const ebm_noise_filler_settings settings = {
        .lm = s->lm,
        .pairs = m->pairs,
        .most = m->most_new,
        .mask_probability = s->mask_probability,
        .temperature = s->temperature,
        .top_k = s->top_k,
        .seed = s->seed,
    };
    m->arena = ebm_arena_create(m->device, "noise texts");
    m->lengths = calloc(m->block, sizeof *m->lengths);
    if (!m->arena || !m->lengths) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    EBM_TRY(ebm_gemm_prepare(m->device));
    EBM_TRY(ebm_noise_filler_create(&settings, m->arena, &m->filler));
    EBM_TRY(ebm_noise_texts_create_within(s->training, m->tokenizer, m->roles, m->most_new, &m->texts));
    ebm_noise_filler_set_texts(m->filler, m->texts);
    return make_map(m);
}

ebm_status ebm_noise_maker_create_filling(const ebm_noise_fill_source *source, ebm_noise_maker **out)
{
    *out = NULL;
    ebm_noise_maker *m = calloc(1, sizeof *m);
    if (!m) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    m->device = ebm_masked_lm_device(source->lm);
    m->tokenizer = ebm_masked_lm_tokenizer(source->lm);
    m->roles = ebm_noise_filler_roles(m->tokenizer);
    m->vocabulary = ebm_tokenizer_size(m->tokenizer);
    m->encoder = source->encoder;
    m->max_length = source->max_length;
    m->block = EBM_NOISE_FILL_BLOCK;
    m->pairs = ebm_dataset_is_pairs(source->training);
    m->most_new = ebm_noise_filler_most(source->lm, m->pairs, source->max_length);
    const ebm_status status = create_filling(m, source);
    if (status.code == EBM_OK)
        *out = m;
    else
        ebm_noise_maker_free(m);
    return status;
}

void ebm_noise_maker_free(ebm_noise_maker *m)
{
    if (!m) return;
    ebm_generator_free(m->generator);
    ebm_noise_filler_free(m->filler);
    free(m->lengths);
    ebm_noise_texts_free(m->texts);
    ebm_arena_free(m->arena);
    free(m->host_map);
    free(m->prompts);
    free(m->queue);
    free(m->prompt_ids);
    free(m);
}

ebm_status ebm_noise_maker_allocate(ebm_noise_maker *m)
{
    EBM_TRY(ebm_arena_allocate(m->arena));
    if (m->map.count == 0) return ebm_ok();
    return ebm_slice_write(m->device, m->map, 0, m->map.count, m->host_map);
}

ebm_status ebm_noise_block_create(const ebm_noise_maker *m, ebm_noise_block *b)
{
    memset(b, 0, sizeof *b);
    const size_t tokens = m->block * m->most_new, sequences = m->block * m->max_length;
    b->raw = calloc(tokens, sizeof *b->raw);
    b->mapped = calloc(m->maps_ids ? tokens : 1, sizeof *b->mapped);
    b->items = calloc(m->block, sizeof *b->items);
    b->ids = calloc(sequences, sizeof *b->ids);
    b->types = calloc(sequences, sizeof *b->types);
    if (b->raw && b->mapped && b->items && b->ids && b->types) return ebm_ok();
    ebm_noise_block_free(b);
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a block of noise texts");
}

void ebm_noise_block_free(ebm_noise_block *b)
{
    if (b->encoding) pthread_join(b->thread, NULL);
    free(b->raw);
    free(b->mapped);
    free(b->items);
    free(b->ids);
    free(b->types);
    memset(b, 0, sizeof *b);
}

// With M = 1 there is nothing left of a text to show.
static ebm_noise_objective prompting(const ebm_noise_maker *m)
{
    const ebm_noise_objective objective = ebm_noise_model_training(m->source.model).objective;
    if (m->source.mask_probability < 1) return objective;
    return ebm_noise_objective_has_label(objective) ? EBM_NOISE_LABEL : EBM_NOISE_PLAIN;
}

// Prompt i of a block: a random training text as the model's objective shows it, under a fresh mask, then the start
// token. A label is that text's own, so labels come as often as in the training texts: drawn evenly they would give the
// noise away where the data's are not even, and beside a masked text they would contradict it.
static void make_prompts(ebm_noise_maker *m, uint64_t number, size_t first)
{
    const int32_t start = m->roles.start;
    const ebm_noise_objective objective = prompting(m);
    for (size_t i = 0; i < EBM_NOISE_BLOCK; i++) {
        const uint32_t text = (uint32_t)(number * EBM_NOISE_BLOCK + i);
        ebm_random random = ebm_random_stream(m->source.seed, text, EBM_SITE_PROMPT);
        const uint32_t source = ebm_random_below(&random, (uint32_t)ebm_noise_texts_count(m->texts));
        int32_t *prompt = m->prompt_ids + (first + i) * (EBM_NOISE_MAX_PREFIX + 1);
        size_t length =
            ebm_noise_prefix(m->texts, source, objective, m->source.mask_probability, m->source.seed, text, prompt);
        prompt[length++] = start;
        m->prompts[first + i] = (ebm_prompt){prompt, length};
    }
}

// The prompts of `blocks` blocks from this one on; each is made when it is asked for first.
static const ebm_prompt *prompts_of(ebm_noise_maker *m, uint64_t number, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++) {
        const uint64_t n = number + i;
        const size_t first = n % EBM_NOISE_BLOCKS * EBM_NOISE_BLOCK;
        if (m->prompts_made[n % EBM_NOISE_BLOCKS] != n + 1) make_prompts(m, n, first);
        m->prompts_made[n % EBM_NOISE_BLOCKS] = n + 1;
        memcpy(m->queue + i * EBM_NOISE_BLOCK, m->prompts + first, EBM_NOISE_BLOCK * sizeof *m->queue);
    }
    return m->queue;
}

typedef enum { TEXT_GOOD, TEXT_MALFORMED, TEXT_DUPLICATE } text_verdict;

// Ids a vocabulary padded with rows that no token has may give, and special tokens the encoder lacks.
static bool is_usable(const ebm_noise_maker *m, int32_t id)
{
    const int32_t label = id - m->roles.first_label;
    if (id < 0 || (size_t)id >= m->vocabulary) return false;
    if (label >= 0 && (size_t)label < m->roles.label_count) return false;
    return m->maps_ids ? m->host_map[id] >= 0 : ebm_tokenizer_text(m->tokenizer, id) != NULL;
}

// Whether text would be left once special tokens (unknown ones) are: ids that are mapped keep those.
static bool has_text(const ebm_noise_maker *m, const int32_t *tokens, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (m->maps_ids || !ebm_tokenizer_is_special(m->tokenizer, tokens[i])) return true;
    return false;
}

static text_verdict judge(const ebm_noise_maker *m, const int32_t *tokens, int32_t length, ebm_noise_item *item)
{
    const int32_t separator = m->roles.separator;
    size_t separators = 0;
    if (length <= 0) return TEXT_MALFORMED;
    item->count = item->separator = (size_t)length;
    for (size_t i = 0; i < item->count; i++) {
        if (tokens[i] == separator && separators++ == 0) item->separator = i;
        if (tokens[i] != separator && !is_usable(m, tokens[i])) return TEXT_MALFORMED;
    }
    if (separators != (m->pairs ? 1 : 0) || !has_text(m, tokens, item->separator)) return TEXT_MALFORMED;
    if (m->pairs && !has_text(m, tokens + item->separator + 1, item->count - item->separator - 1))
        return TEXT_MALFORMED;
    return ebm_noise_texts_contain(m->texts, tokens, item->count) ? TEXT_DUPLICATE : TEXT_GOOD;
}

static void accept(ebm_noise_maker *m, ebm_noise_block *b, const int32_t *lengths)
{
    b->count = 0;
    m->statistics.generated += m->block;
    for (size_t row = 0; row < m->block; row++) {
        ebm_noise_item item = {.row = row};
        const text_verdict verdict = judge(m, b->raw + row * m->most_new, lengths[row], &item);
        m->statistics.malformed += verdict == TEXT_MALFORMED;
        m->statistics.duplicates += verdict == TEXT_DUPLICATE;
        if (verdict == TEXT_GOOD) b->items[b->count++] = item;
    }
}

// An encoder sequence from mapped ids.
static void assemble(const ebm_noise_maker *m, ebm_noise_block *b, ebm_noise_item *item)
{
    const int32_t *first = b->mapped + item->row * m->most_new, *second = first + item->separator + 1;
    const size_t second_count = m->pairs ? item->count - item->separator - 1 : 0;
    item->length = ebm_tokenizer_assemble(m->encoder, first, item->separator, m->pairs ? second : NULL, second_count,
                                          m->max_length, b->ids + item->first, b->types + item->first);
}

// Filled texts are on the host already; in idle places of a row stands nothing.
static void map_filled(const ebm_noise_maker *m, ebm_noise_block *b)
{
    for (size_t i = 0; i < b->count; i++) {
        const size_t first = b->items[i].row * m->most_new;
        for (size_t k = first; k < first + b->items[i].count; k++) b->mapped[k] = m->host_map[b->raw[k]];
    }
}

static ebm_status map_ids(ebm_noise_maker *m, ebm_noise_block *b)
{
    const size_t tokens = m->block * m->most_new;
    if (m->filler) {
        map_filled(m, b);
    } else {
        EBM_TRY(ebm_map_ids(m->device, m->mapped, ebm_generator_tokens(m->generator), m->map, tokens));
        EBM_TRY(ebm_slice_read(m->device, m->mapped, 0, tokens, b->mapped));
    }
    for (size_t i = 0; i < b->count; i++) assemble(m, b, &b->items[i]);
    return ebm_ok();
}

// Unknown tokens keep their name where ids are mapped: a file of such texts is then encoded to the same ids.
static ebm_status decode_part(const ebm_noise_maker *m, const int32_t *ids, size_t count, char **text)
{
    return ebm_tokenizer_decode(m->tokenizer, ids, count, !m->maps_ids, text);
}

static ebm_status encode_item(const ebm_noise_maker *m, ebm_noise_block *b, ebm_noise_item *item,
                              ebm_encoding *encoding)
{
    const int32_t *tokens = b->raw + item->row * m->most_new;
    char *first = NULL, *second = NULL;
    ebm_status status = decode_part(m, tokens, item->separator, &first);
    EBM_CHECK(status, end);
    if (m->pairs)
        EBM_CHECK(decode_part(m, tokens + item->separator + 1, item->count - item->separator - 1, &second), end);
    EBM_CHECK(ebm_tokenizer_encode(m->encoder, first, strlen(first), second, second ? strlen(second) : 0, m->max_length,
                                   encoding),
              end);
    item->length = encoding->tokens;
    memcpy(b->ids + item->first, encoding->ids, encoding->tokens * sizeof *b->ids);
    memcpy(b->types + item->first, encoding->types, encoding->tokens * sizeof *b->types);
end:
    free(first);
    free(second);
    return status;
}

static void *encode_texts(void *argument)
{
    encoding_job *job = argument;
    ebm_noise_block *b = job->block;
    ebm_encoding encoding = {0};
    b->encoded = ebm_ok();
    for (size_t i = 0; i < b->count && b->encoded.code == EBM_OK; i++)
        b->encoded = encode_item(job->maker, b, &b->items[i], &encoding);
    ebm_encoding_free(&encoding);
    free(job);
    return NULL;
}

static ebm_status start_encoding(const ebm_noise_maker *m, ebm_noise_block *b)
{
    if (b->count == 0) return ebm_ok(); // and nobody would wait for it
    encoding_job *job = malloc(sizeof *job);
    if (!job) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for encoding noise");
    *job = (encoding_job){m, b};
    if (pthread_create(&b->thread, NULL, encode_texts, job) != 0) {
        free(job);
        return ebm_fail(EBM_ERROR_MEMORY, "no thread for encoding noise");
    }
    b->encoding = true;
    return ebm_ok();
}

static ebm_status generate(ebm_noise_maker *m, uint64_t number, ebm_noise_block *b, const int32_t **lengths)
{
    const size_t tokens = m->block * m->most_new;
    const size_t ahead = m->begins_next ? EBM_NOISE_BLOCKS - 1 : 0;
    const ebm_prompt *queue = prompts_of(m, number, 1 + ahead);
    const ebm_prompts prompts = {queue, EBM_NOISE_BLOCK};
    const ebm_prompts following = {queue + EBM_NOISE_BLOCK, ahead * EBM_NOISE_BLOCK};
    EBM_TRY(ebm_generator_run(m->generator, prompts, following, number * m->block, m->pairs));
    EBM_TRY(ebm_slice_read(m->device, ebm_generator_tokens(m->generator), 0, tokens, b->raw));
    m->statistics.tokens = ebm_generator_sampled(m->generator);
    *lengths = ebm_generator_lengths(m->generator);
    return ebm_ok();
}

static ebm_status fill(ebm_noise_maker *m, uint64_t number, ebm_noise_block *b, const int32_t **lengths)
{
    EBM_TRY(ebm_noise_filler_run(m->filler, number * m->block, m->block, b->raw, m->lengths));
    m->statistics.tokens = ebm_noise_filler_filled(m->filler);
    *lengths = m->lengths;
    return ebm_ok();
}

ebm_status ebm_noise_block_make(ebm_noise_maker *m, uint64_t number, ebm_noise_block *b)
{
    const int32_t *lengths = NULL;
    EBM_TRY(m->filler ? fill(m, number, b, &lengths) : generate(m, number, b, &lengths));
    accept(m, b, lengths);
    for (size_t i = 0; i < b->count; i++) b->items[i].first = i * m->max_length;
    return m->maps_ids ? map_ids(m, b) : start_encoding(m, b);
}

ebm_status ebm_noise_block_wait(ebm_noise_block *b)
{
    if (!b->encoding) return ebm_ok();
    pthread_join(b->thread, NULL);
    b->encoding = false;
    return b->encoded;
}

ebm_status ebm_noise_block_text(const ebm_noise_maker *m, const ebm_noise_block *b, size_t index, char **text)
{
    const ebm_noise_item *item = &b->items[index];
    const int32_t *tokens = b->raw + item->row * m->most_new;
    char *first = NULL, *second = NULL;
    ebm_status status = decode_part(m, tokens, item->separator, &first);
    if (status.code != EBM_OK || !m->pairs) {
        *text = first;
        return status;
    }
    status = decode_part(m, tokens + item->separator + 1, item->count - item->separator - 1, &second);
    if (status.code == EBM_OK && asprintf(text, "%s%s%s", first, EBM_PAIR_SEPARATOR, second) < 0)
        status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a text");
    free(first);
    free(second);
    return status;
}
