// Attention to a cache of keys and values: equal to the last row of packed causal attention.
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "attention.h"
#include "random.h"
#include "reference_attention.h"

enum { MOST_SLOTS = 16, SENTINELS = 32 };
static const float MARK = 1234.5f;

static ebm_device *device;
static bool small; // sizes for oclgrind

static int open_device(void **state)
{
    const char *value = getenv("EBMCL_TEST_SMALL");
    small = value && *value;
    const ebm_status status = ebm_device_open(NULL, &device);
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code;
}

static int close_device(void **state)
{
    ebm_device_free(device);
    return 0;
}

// Texts of `lengths` tokens. Text i lives in slot sequences - 1 - i; the two slots after them are idle.
typedef struct {
    ebm_attention attention;
    size_t sequences, slots, capacity, channels, tokens;
    int32_t starts[MOST_SLOTS + 1];
    float *qkv; // of all tokens (tokens, 3C)
    double *expected;
    ebm_arena *arena;
    ebm_slice cache, step_qkv, out, lengths, prefill_qkv, prefill_starts, slot_of;
} problem;

static void fill(ebm_slice slice, float value)
{
    float *floats = malloc(slice.count * sizeof *floats);
    for (size_t i = 0; i < slice.count; i++) floats[i] = value;
    assert_ok(ebm_slice_write(device, slice, 0, slice.count, floats));
    free(floats);
}

static float *read_floats(ebm_slice slice)
{
    float *floats = malloc(slice.count * sizeof *floats);
    assert_ok(ebm_slice_read(device, slice, 0, slice.count, floats));
    return floats;
}

static void compute_expected(problem *p)
{
    const size_t count = p->tokens * 3 * p->channels;
    double *qkv = malloc(count * sizeof *qkv), *lse = malloc(p->tokens * p->attention.heads * sizeof *lse);
    p->qkv = malloc(count * sizeof *p->qkv);
    p->expected = malloc(p->tokens * p->channels * sizeof *p->expected);
    ebm_random stream = ebm_random_stream(9, 0, 1);
    for (size_t i = 0; i < count; i++) {
        const double query = i % (3 * p->channels) < p->channels ? 4 : 1;
        qkv[i] = p->qkv[i] = (float)(query * (2 * ebm_random_uniform(&stream) - 1));
    }
    ebm_reference_attention_forward(p->expected, lse, qkv, p->starts, p->sequences, &p->attention);
    free(qkv);
    free(lse);
}

static void create_problem(problem *p, size_t heads, size_t size, const int *lengths, size_t sequences)
{
    memset(p, 0, sizeof *p);
    p->attention = (ebm_attention){.heads = heads, .head_size = size, .causal = true};
    p->sequences = sequences;
    p->slots = sequences + 2;
    p->channels = heads * size;
    for (size_t s = 0; s < sequences; s++) {
        p->starts[s + 1] = p->starts[s] + lengths[s];
        if ((size_t)lengths[s] > p->capacity) p->capacity = (size_t)lengths[s];
    }
    p->tokens = (size_t)p->starts[sequences];
    compute_expected(p);
    p->arena = ebm_arena_create(device, "test");
    ebm_arena_reserve(p->arena, &p->cache, p->slots * p->capacity * 2 * p->channels + SENTINELS);
    ebm_arena_reserve(p->arena, &p->step_qkv, p->slots * 3 * p->channels);
    ebm_arena_reserve(p->arena, &p->out, p->slots * p->channels + SENTINELS);
    ebm_arena_reserve(p->arena, &p->lengths, p->slots);
    ebm_arena_reserve(p->arena, &p->prefill_qkv, p->tokens * 3 * p->channels);
    ebm_arena_reserve(p->arena, &p->prefill_starts, sequences + 1);
    ebm_arena_reserve(p->arena, &p->slot_of, sequences);
    assert_ok(ebm_arena_allocate(p->arena));
    fill(p->cache, MARK);
}

static void free_problem(problem *p)
{
    ebm_arena_free(p->arena);
    free(p->qkv);
    free(p->expected);
}

static size_t slot_of(const problem *p, size_t sequence) { return p->sequences - 1 - sequence; }
static int length_of(const problem *p, size_t sequence) { return p->starts[sequence + 1] - p->starts[sequence]; }

// The new token of each text is its token number position[text]; -1: none. Tolerance as in test_attention.c.
static void check_step(problem *p, const int *position)
{
    const size_t row = 3 * p->channels;
    int32_t lengths[MOST_SLOTS + 2];
    for (size_t slot = 0; slot < p->slots; slot++) lengths[slot] = slot % 2 ? -1 : (int32_t)p->capacity; // both idle
    fill(p->step_qkv, NAN);
    fill(p->out, MARK);
    for (size_t s = 0; s < p->sequences; s++) {
        if (position[s] < 0) continue;
        lengths[slot_of(p, s)] = position[s];
        assert_ok(ebm_slice_write(device, p->step_qkv, slot_of(p, s) * row, row,
                                  p->qkv + (size_t)(p->starts[s] + position[s]) * row));
    }
    assert_ok(ebm_slice_write(device, p->lengths, 0, p->slots, lengths));
    assert_ok(
        ebm_attention_cached(device, p->out, p->cache, p->step_qkv, p->lengths, p->slots, p->capacity, &p->attention));
    float *out = read_floats(p->out);
    for (size_t s = 0; s < p->sequences; s++)
        for (size_t c = 0; c < p->channels && position[s] >= 0; c++) {
            const double expected = p->expected[(size_t)(p->starts[s] + position[s]) * p->channels + c];
            const double found = (double)out[slot_of(p, s) * p->channels + c];
            if (!(fabs(found - expected) <= 64 * 0x1p-24))
                fail_msg("text %zu, token %d, channel %zu: expected %.9g, found %.9g", s, position[s], c, expected,
                         found);
        }
    for (size_t i = 0; i < p->slots * p->channels; i++) {
        const int32_t length = lengths[i / p->channels];
        if (length < 0 || length >= (int32_t)p->capacity) assert_true(out[i] == 0);
    }
    for (size_t i = 0; i < SENTINELS; i++) assert_true(out[p->slots * p->channels + i] == MARK);
    free(out);
}

// Bits of what was put in; the mark everywhere else.
static void check_cache(const problem *p, const int *filled)
{
    float *cache = read_floats(p->cache), *expected = malloc(p->cache.count * sizeof *expected);
    for (size_t i = 0; i < p->cache.count; i++) expected[i] = MARK;
    for (size_t s = 0; s < p->sequences; s++)
        for (size_t t = 0; t < (size_t)filled[s]; t++)
            memcpy(expected + (slot_of(p, s) * p->capacity + t) * 2 * p->channels,
                   p->qkv + ((size_t)p->starts[s] + t) * 3 * p->channels + p->channels,
                   2 * p->channels * sizeof *expected);
    assert_memory_equal(cache, expected, p->cache.count * sizeof *cache);
    free(cache);
    free(expected);
}

// All tokens but the last through fill_cache, for texts of more than one.
static void prefill(problem *p)
{
    const size_t row = 3 * p->channels;
    int32_t starts[MOST_SLOTS + 1] = {0}, slots[MOST_SLOTS];
    ebm_batch batch = {.host_starts = starts};
    for (size_t s = 0; s < p->sequences; s++) {
        const size_t tokens = (size_t)length_of(p, s) - 1, n = batch.sequences;
        if (tokens == 0) continue;
        assert_ok(ebm_slice_write(device, p->prefill_qkv, (size_t)starts[n] * row, tokens * row,
                                  p->qkv + (size_t)p->starts[s] * row));
        starts[n + 1] = starts[n] + (int32_t)tokens;
        slots[n] = (int32_t)slot_of(p, s);
        if (tokens > batch.longest) batch.longest = tokens;
        batch.sequences++;
    }
    batch.tokens = (size_t)starts[batch.sequences];
    batch.starts = p->prefill_starts;
    assert_ok(ebm_slice_write(device, p->prefill_starts, 0, batch.sequences + 1, starts));
    assert_ok(ebm_slice_write(device, p->slot_of, 0, batch.sequences, slots));
    assert_ok(
        ebm_attention_fill_cache(device, p->cache, p->prefill_qkv, p->slot_of, &batch, p->capacity, &p->attention));
}

static void check_last_tokens(size_t heads, size_t size, const int *lengths, size_t sequences)
{
    problem p;
    int last[MOST_SLOTS], before[MOST_SLOTS], after[MOST_SLOTS];
    create_problem(&p, heads, size, lengths, sequences);
    for (size_t s = 0; s < sequences; s++) {
        last[s] = before[s] = lengths[s] - 1;
        after[s] = lengths[s];
    }
    prefill(&p);
    check_cache(&p, before);
    check_step(&p, last);
    check_cache(&p, after);
    free_problem(&p);
}

static void last_tokens_after_a_prefill(void **state)
{
    static const int lengths[] = {1, 17, 2, 64, 15, 127, 16, 31, 128, 33, 3, 1}, few[] = {1, 17, 3};
    static const size_t sizes[] = {16, 32, 48, 64, 128}, heads[] = {3, 12, 1, 3, 1};
    for (size_t i = 0; i < (small ? 3 : 5); i++)
        check_last_tokens(small ? 2 : heads[i], sizes[i], small ? few : lengths, small ? 3 : 12);
}

static void a_full_cache_of_the_longest(void **state)
{
    static const int lengths[] = {1024, 513};
    if (!small) check_last_tokens(2, 64, lengths, 2);
}

// Tokens one by one from nothing, texts of different lengths beside each other.
static void texts_token_by_token(void **state)
{
    static const int lengths[] = {7, 1, 19, 12};
    problem p;
    int position[4] = {0, 0, 0, 0};
    create_problem(&p, 2, 32, lengths, 4);
    for (int step = 0; step < (small ? 4 : 19); step++) {
        for (int s = 0; s < 4; s++) position[s] = step < lengths[s] ? step : -1;
        check_step(&p, position);
    }
    if (!small) check_cache(&p, lengths);
    free_problem(&p);
}

static void wrong_sizes_are_refused(void **state)
{
    static const int lengths[] = {3, 2};
    problem p;
    create_problem(&p, 1, 16, lengths, 2);
    const ebm_batch batch = {.sequences = 2, .tokens = 5, .longest = 3, .starts = p.prefill_starts};
    assert_fails(ebm_attention_cached(device, p.out, p.cache, p.step_qkv, p.lengths, p.slots, 1025, &p.attention),
                 EBM_ERROR_UNSUPPORTED, "expected a cache of 1 to 1024 tokens, found 1025");
    assert_fails(ebm_attention_cached(device, p.out, p.cache, p.step_qkv, p.lengths, p.slots, 64, &p.attention),
                 EBM_ERROR_INPUT, "cache needs 8192 elements, found 416");
    assert_fails(ebm_attention_fill_cache(device, p.cache, p.prefill_qkv, p.slot_of, &batch, 2, &p.attention),
                 EBM_ERROR_UNSUPPORTED, "a sequence has 3 tokens, at most 2");
    free_problem(&p);
}

// Slots out of range are left out, never written.
static void slots_out_of_range(void **state)
{
    static const int lengths[] = {3, 2}, none[] = {0, 0};
    static const int32_t slots[] = {-1, 5};
    problem p;
    create_problem(&p, 1, 16, lengths, 2);
    const ebm_batch batch = {.sequences = 2, .tokens = 5, .longest = 3, .starts = p.prefill_starts};
    assert_ok(ebm_slice_write(device, p.prefill_starts, 0, 3, p.starts));
    assert_ok(ebm_slice_write(device, p.slot_of, 0, 2, slots));
    assert_ok(ebm_slice_write(device, p.prefill_qkv, 0, 5 * 48, p.qkv));
    assert_ok(ebm_attention_fill_cache(device, p.cache, p.prefill_qkv, p.slot_of, &batch, 3, &p.attention));
    check_cache(&p, none);
    free_problem(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_sizes_are_refused),     cmocka_unit_test(slots_out_of_range),
        cmocka_unit_test(last_tokens_after_a_prefill), cmocka_unit_test(a_full_cache_of_the_longest),
        cmocka_unit_test(texts_token_by_token),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
