// Attention, forward and backward, against the reference in double precision; the reference against differences.
#include "check.h"

#include <math.h>
#include <stdio.h>

#include "attention.h"
#include "launch.h"
#include "random.h"
#include "reference_attention.h"

enum { SENTINELS = 32, MOST_SEQUENCES = 64 };

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

// One batch with everything attention reads and writes, on the device and on the host.
typedef struct {
    ebm_attention attention;
    ebm_batch batch;
    ebm_arena *arena;
    ebm_slice unaligned, qkv, dout, out, lse, dqkv, scratch;
    size_t channels, tokens;
    int32_t starts[MOST_SEQUENCES + 1];
    double *host_qkv, *host_dout, *host_out, *host_lse, *host_dqkv;
} problem;

static double *random_doubles(size_t count, uint32_t site)
{
    double *values = malloc((count + 1) * sizeof *values);
    ebm_random stream = ebm_random_stream(7, 0, site);
    for (size_t i = 0; i < count; i++) values[i] = (double)(float)(2 * ebm_random_uniform(&stream) - 1);
    return values;
}

static void write_doubles(ebm_slice slice, const double *values, size_t count)
{
    float *floats = malloc((count + 1) * sizeof *floats);
    for (size_t i = 0; i < count; i++) floats[i] = (float)values[i];
    assert_ok(ebm_slice_write(device, slice, 0, count, floats));
    free(floats);
}

// NaN where the kernels must write, without having read; a mark after it where they must not.
static void fill_output(ebm_slice slice)
{
    float *floats = malloc(slice.count * sizeof *floats);
    for (size_t i = 0; i < slice.count; i++) floats[i] = i + SENTINELS < slice.count ? NAN : 1234.5f;
    assert_ok(ebm_slice_write(device, slice, 0, slice.count, floats));
    free(floats);
}

static float *read_output(ebm_slice slice)
{
    float *floats = malloc(slice.count * sizeof *floats);
    assert_ok(ebm_slice_read(device, slice, 0, slice.count, floats));
    for (size_t i = slice.count - SENTINELS; i < slice.count; i++) assert_true(floats[i] == 1234.5f);
    return floats;
}

static void assert_close(const char *what, const problem *p, ebm_slice slice, const double *expected, double tolerance)
{
    float *found = read_output(slice);
    for (size_t i = 0; i + SENTINELS < slice.count; i++)
        if (isnan(expected[i]) ? !isnan(found[i]) : !(fabs((double)found[i] - expected[i]) <= tolerance))
            fail_msg("%s[%zu]: expected %.9g +- %.2g, found %.9g (%zu heads of %zu, %zu sequences, %zu tokens, "
                     "longest %zu, causal %d, window %zu, queries %zu, dropout %g)",
                     what, i, expected[i], tolerance, (double)found[i], p->attention.heads, p->attention.head_size,
                     p->batch.sequences, p->tokens, p->batch.longest, p->attention.causal, p->attention.window,
                     p->attention.queries, (double)p->attention.dropout.probability);
    free(found);
}

static void lay_out_batch(problem *p, const int *lengths, size_t sequences)
{
    p->batch.sequences = sequences;
    for (size_t s = 0; s < sequences; s++) {
        p->starts[s + 1] = p->starts[s] + lengths[s];
        if ((size_t)lengths[s] > p->batch.longest) p->batch.longest = (size_t)lengths[s];
    }
    p->batch.tokens = p->tokens = (size_t)p->starts[sequences];
    p->batch.host_starts = p->starts;
}

static void create_problem(problem *p, size_t heads, size_t size, const int *lengths, size_t sequences)
{
    memset(p, 0, sizeof *p);
    lay_out_batch(p, lengths, sequences);
    p->attention.heads = heads;
    p->attention.head_size = size;
    p->attention.dropout = (ebm_dropout){0, UINT64_C(0x123456789abcdef0), 3, 96, UINT64_C(1) << 40};
    p->channels = heads * size;
    const size_t n = p->tokens, c = p->channels;
    p->arena = ebm_arena_create(device, "test");
    ebm_arena_reserve(p->arena, &p->unaligned, 3);
    ebm_arena_reserve(p->arena, &p->batch.starts, sequences + 1);
    ebm_arena_reserve(p->arena, &p->qkv, n * 3 * c);
    ebm_arena_reserve(p->arena, &p->dout, n * c);
    ebm_arena_reserve(p->arena, &p->out, n * c + SENTINELS);
    ebm_arena_reserve(p->arena, &p->lse, n * heads + SENTINELS);
    ebm_arena_reserve(p->arena, &p->dqkv, n * 3 * c + SENTINELS);
    ebm_arena_reserve(p->arena, &p->scratch, n * heads + SENTINELS);
    assert_ok(ebm_arena_allocate(p->arena));
    p->host_qkv = random_doubles(n * 3 * c, 1);
    p->host_dout = random_doubles(n * c, 2);
    for (size_t t = 0; t < n; t++) // scores up to about 8: some queries see one key, some all
        for (size_t i = 0; i < c; i++) p->host_qkv[t * 3 * c + i] *= 4;
    p->host_out = calloc(n * c + 1, sizeof(double));
    p->host_lse = calloc(n * heads + 1, sizeof(double));
    p->host_dqkv = calloc(n * 3 * c + 1, sizeof(double));
    assert_ok(ebm_slice_write(device, p->batch.starts, 0, sequences + 1, p->starts));
    write_doubles(p->qkv, p->host_qkv, n * 3 * c);
    write_doubles(p->dout, p->host_dout, n * c);
}

static void free_problem(problem *p)
{
    ebm_arena_free(p->arena);
    free(p->host_qkv);
    free(p->host_dout);
    free(p->host_out);
    free(p->host_lse);
    free(p->host_dqkv);
}

// Forward and backward on the device, with fresh outputs.
static void run(problem *p)
{
    fill_output(p->out);
    fill_output(p->lse);
    fill_output(p->dqkv);
    fill_output(p->scratch);
    assert_ok(ebm_attention_forward(device, p->out, p->lse, p->qkv, &p->batch, &p->attention));
    assert_ok(
        ebm_attention_backward(device, p->dqkv, p->dout, p->out, p->qkv, p->lse, p->scratch, &p->batch, &p->attention));
}

// Scores and lse stay below 16, so each is off by a few times 2^-24 * 16 whatever order it is summed in, which is also
// the relative error of a probability: 2^-24 * 64 with the exponential's own and the merging of blocks. |v| and
// |dout . v| / sqrt(D) stay below 1 and 2. Probabilities of one key sum to at most about 1 + log(tokens) over the
// queries (the first key, causal), gradients of keys and values carry that factor; queries are four times larger.
static void check(problem *p, bool causal, float probability)
{
    const double relative = 64 * 0x1p-24, queries = 1 + log((double)p->batch.longest);
    p->attention.causal = causal;
    p->attention.dropout.probability = probability;
    ebm_reference_attention_forward(p->host_out, p->host_lse, p->host_qkv, p->starts, p->batch.sequences,
                                    &p->attention);
    ebm_reference_attention_backward(p->host_dqkv, p->host_dout, p->host_qkv, p->starts, p->batch.sequences,
                                     &p->attention);
    run(p);
    assert_close("out", p, p->out, p->host_out, relative);
    assert_close("lse", p, p->lse, p->host_lse, relative);
    assert_close("dqkv", p, p->dqkv, p->host_dqkv, 8 * queries * relative);
}

static void check_all(size_t heads, size_t size, const int *lengths, size_t sequences)
{
    problem p;
    create_problem(&p, heads, size, lengths, sequences);
    check(&p, false, 0.1f);
    check(&p, true, 0);
    if (!small) {
        check(&p, false, 0);
        check(&p, true, 0.1f);
    }
    free_problem(&p);
}

static void mixed_lengths(void **state)
{
    static const int lengths[] = {1, 17, 2, 64, 15, 127, 16, 31, 128, 33, 1}, few[] = {17, 1, 33};
    if (small) {
        check_all(2, 16, few, 3);
        check_all(1, 48, few, 2);
        return;
    }
    static const size_t sizes[] = {16, 32, 48, 64, 112, 128}, heads[] = {3, 12, 1, 3, 1, 1};
    for (size_t i = 0; i < 6; i++) check_all(heads[i], sizes[i], lengths, 11);
}

static void one_sequence(void **state)
{
    static const int lengths[] = {1, 2, 15, 16, 17, 31, 33, 64, 127, 128, 129, 512};
    for (size_t i = 0; i < (small ? 3 : sizeof lengths / sizeof *lengths); i++) check_all(2, 32, lengths + i, 1);
}

static void long_sequences(void **state)
{
    static const int longest[] = {1024}, some[] = {300, 511};
    if (small) return;
    check_all(1, 16, longest, 1);
    check_all(1, 128, some, 2);
    check_all(1, 64, some, 2);
}

static void check_window(size_t heads, size_t size, const int *lengths, size_t sequences, size_t window)
{
    problem p;
    create_problem(&p, heads, size, lengths, sequences);
    p.attention.window = window;
    check(&p, true, 0.1f);
    check(&p, false, 0);
    if (!small) check(&p, false, 0.1f);
    free_problem(&p);
}

// Windows narrower than a tile, than a panel and than all, at lengths around both; none are seen beside the window.
static void windows(void **state)
{
    static const int lengths[] = {1, 17, 2, 64, 15, 127, 16, 31, 129, 33, 200}, few[] = {17, 1, 33};
    static const size_t wide[] = {1, 3, 8, 15, 16, 31, 64, 100, 128, 199, 200}, sizes[] = {16, 64, 48};
    if (small) {
        check_window(2, 16, few, 3, 3);
        check_window(1, 48, few, 2, 16);
        return;
    }
    for (size_t i = 0; i < 11; i++) check_window(2, sizes[i % 3], lengths, 11, wide[i]);
}

static void a_window_in_long_sequences(void **state)
{
    static const int longest[] = {1024}, some[] = {300, 511}, longer[] = {1500, 40};
    if (small) return;
    check_window(1, 64, longest, 1, 64);
    check_window(1, 128, some, 2, 64);
    problem p; // more than 1024 tokens: dropout draws from a wider stream
    create_problem(&p, 1, 32, longer, 2);
    p.attention.longest = 2048;
    check(&p, false, 0.1f);
    p.attention.window = 64;
    check(&p, false, 0.1f);
    free_problem(&p);
}

// Tokens that do not ask: their queries and output gradients are never read, their outputs never written.
static void mark_silent(problem *p)
{
    const size_t c = p->channels, heads = p->attention.heads;
    double *qkv = malloc(p->tokens * 3 * c * sizeof *qkv), *dout = malloc(p->tokens * c * sizeof *dout);
    memcpy(qkv, p->host_qkv, p->tokens * 3 * c * sizeof *qkv);
    memcpy(dout, p->host_dout, p->tokens * c * sizeof *dout);
    for (size_t s = 0; s < p->batch.sequences; s++)
        for (size_t t = (size_t)p->starts[s] + p->attention.queries; t < (size_t)p->starts[s + 1]; t++) {
            for (size_t i = 0; i < c; i++) qkv[t * 3 * c + i] = dout[t * c + i] = p->host_out[t * c + i] = NAN;
            for (size_t h = 0; h < heads; h++) p->host_lse[t * heads + h] = NAN;
        }
    write_doubles(p->qkv, qkv, p->tokens * 3 * c);
    write_doubles(p->dout, dout, p->tokens * c);
    free(qkv);
    free(dout);
}

static void check_first(size_t heads, size_t size, const int *lengths, size_t sequences, size_t queries, size_t window)
{
    problem p;
    create_problem(&p, heads, size, lengths, sequences);
    p.attention.queries = queries;
    p.attention.window = window;
    mark_silent(&p);
    check(&p, false, 0.1f);
    if (!small) check(&p, window == 0, 0);
    free_problem(&p);
}

static void only_the_first_tokens_ask(void **state)
{
    static const int lengths[] = {1, 17, 2, 64, 15, 127, 16, 31, 129, 33, 200}, few[] = {17, 1, 33};
    static const size_t asking[] = {1, 9, 130};
    if (small) {
        check_first(2, 16, few, 3, 1, 0);
        check_first(1, 48, few, 3, 3, 5);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        check_first(2, 64, lengths, 11, asking[i], 0);
        check_first(1, 32, lengths, 11, asking[i], 20);
        check_first(1, 128, lengths, 11, asking[i], 0);
    }
}

// What a window as wide as the sequence computes is, bit for bit, what none does.
static void a_window_over_everything_changes_nothing(void **state)
{
    static const int lengths[] = {13, 140, 7};
    problem p;
    create_problem(&p, 1, 16, lengths, small ? 1 : 3);
    p.attention.dropout.probability = 0.1f;
    run(&p);
    float *out = read_output(p.out), *dqkv = read_output(p.dqkv);
    p.attention.window = 139;
    run(&p);
    float *same_out = read_output(p.out), *same_dqkv = read_output(p.dqkv);
    assert_memory_equal(out, same_out, p.out.count * sizeof *out);
    assert_memory_equal(dqkv, same_dqkv, p.dqkv.count * sizeof *out);
    free(out);
    free(dqkv);
    free(same_out);
    free(same_dqkv);
    free_problem(&p);
}

static void many_short_sequences(void **state)
{
    int lengths[MOST_SEQUENCES];
    for (int i = 0; i < MOST_SEQUENCES; i++) lengths[i] = 1 + i * 7 % 25;
    check_all(2, small ? 16 : 64, lengths, small ? 4 : MOST_SEQUENCES);
}

// Probabilities far from each other must neither overflow nor lose the largest.
static void scores_of_thousands(void **state)
{
    static const int length = 20;
    problem p;
    create_problem(&p, 1, 16, &length, 1);
    for (size_t i = 0; i < p.tokens * 3 * p.channels; i++)
        if (i % (3 * p.channels) < p.channels) p.host_qkv[i] = p.host_qkv[i] < 0 ? -1024 : 1024;
    write_doubles(p.qkv, p.host_qkv, p.tokens * 3 * p.channels);
    ebm_reference_attention_forward(p.host_out, p.host_lse, p.host_qkv, p.starts, 1, &p.attention);
    run(&p);
    assert_close("out", &p, p.out, p.host_out, 4096 * 16 * 0x1p-24); // scores up to 4096: lse is off by its 2^-24
    assert_close("lse", &p, p.lse, p.host_lse, 4096 * 16 * 0x1p-24);
    free_problem(&p);
}

static void same_bits_again_and_for_a_split_batch(void **state)
{
    static const int lengths[] = {13, 40, 7};
    problem whole, part;
    create_problem(&whole, 2, 16, lengths, 3);
    whole.attention.causal = true;
    whole.attention.dropout.probability = 0.1f;
    run(&whole);
    float *first = read_output(whole.dqkv), *out = read_output(whole.out);
    run(&whole);
    float *second = read_output(whole.dqkv);
    assert_memory_equal(first, second, whole.dqkv.count * sizeof *first);

    create_problem(&part, 2, 16, lengths + 1, 2); // sequences 1 and 2 alone: tokens from 13 on
    part.attention = whole.attention;
    part.attention.dropout.first_row += 13;
    write_doubles(part.qkv, whole.host_qkv + 13 * 3 * whole.channels, part.tokens * 3 * part.channels);
    write_doubles(part.dout, whole.host_dout + 13 * whole.channels, part.tokens * part.channels);
    run(&part);
    float *part_out = read_output(part.out), *part_dqkv = read_output(part.dqkv);
    assert_memory_equal(part_out, out + 13 * whole.channels, part.tokens * part.channels * sizeof *out);
    assert_memory_equal(part_dqkv, first + 13 * 3 * whole.channels, part.tokens * 3 * part.channels * sizeof *out);
    free(first);
    free(second);
    free(out);
    free(part_out);
    free(part_dqkv);
    free_problem(&whole);
    free_problem(&part);
}

// Central differences of sum(dout * out) in double: error about step^2 from the third derivative and 1e-16 / step from
// rounding, both below 1e-8 at step 1e-5 for sums of this size.
static void reference_backward_is_the_derivative(void **state)
{
    static const int32_t starts[] = {0, 5, 8};
    enum { TOKENS = 8, CHANNELS = 32 };
    ebm_attention attention = {.heads = 2, .head_size = 16, .dropout = {0.3f, 5, 1, 96, 11}};
    double *qkv = random_doubles(TOKENS * 3 * CHANNELS, 3), *dout = random_doubles(TOKENS * CHANNELS, 4);
    double out[TOKENS * CHANNELS], lse[TOKENS * 2], dqkv[TOKENS * 3 * CHANNELS];
    for (int kind = 0; kind < 4; kind++) {
        attention.causal = kind & 1;
        attention.window = kind & 2; // none, or two neighbours
        ebm_reference_attention_backward(dqkv, dout, qkv, starts, 2, &attention);
        for (size_t i = 0; i < TOKENS * 3 * CHANNELS; i++) {
            const double at = qkv[i], step = 1e-5;
            double difference = 0;
            for (int side = -1; side <= 1; side += 2) {
                qkv[i] = at + side * step;
                ebm_reference_attention_forward(out, lse, qkv, starts, 2, &attention);
                for (size_t o = 0; o < TOKENS * CHANNELS; o++) difference += side * dout[o] * out[o] / (2 * step);
            }
            qkv[i] = at;
            assert_true(fabs(difference - dqkv[i]) < 1e-8);
        }
    }
    free(qkv);
    free(dout);
}

static void wrong_shapes_are_refused(void **state)
{
    static const int length = 3;
    problem p;
    create_problem(&p, 1, 16, &length, 1);
    ebm_attention wrong = p.attention;
    wrong.head_size = 24;
    assert_fails(ebm_attention_forward(device, p.out, p.lse, p.qkv, &p.batch, &wrong), EBM_ERROR_UNSUPPORTED,
                 "expected heads of a multiple of 16 up to 128, found 1 heads of 24");
    wrong.head_size = 144;
    assert_fails(ebm_attention_forward(device, p.out, p.lse, p.qkv, &p.batch, &wrong), EBM_ERROR_UNSUPPORTED, "144");
    wrong = p.attention;
    wrong.dropout.probability = 1;
    assert_fails(ebm_attention_forward(device, p.out, p.lse, p.qkv, &p.batch, &wrong), EBM_ERROR_INPUT,
                 "expected a dropout probability in [0, 1), found 1");
    assert_fails(ebm_attention_forward(device, p.unaligned, p.lse, p.qkv, &p.batch, &p.attention), EBM_ERROR_INPUT,
                 "out needs 48 elements, found 3");
    assert_fails(
        ebm_attention_backward(device, p.dqkv, p.dout, p.out, p.qkv, p.lse, (ebm_slice){0}, &p.batch, &p.attention),
        EBM_ERROR_INPUT, "scratch needs 3 elements, found 0");
    wrong = p.attention;
    wrong.longest = 8208;
    assert_fails(ebm_attention_forward(device, p.out, p.lse, p.qkv, &p.batch, &wrong), EBM_ERROR_UNSUPPORTED,
                 "expected sequences of a multiple of 16 tokens up to 8192, found 8208");
    p.batch.longest = 1025;
    assert_fails(ebm_attention_forward(device, p.out, p.lse, p.qkv, &p.batch, &p.attention), EBM_ERROR_UNSUPPORTED,
                 "a sequence has 1025 tokens, at most 1024");
    ebm_batch empty = {.starts = p.batch.starts};
    assert_ok(ebm_attention_forward(device, p.out, p.lse, p.qkv, &empty, &p.attention));
    free_problem(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_backward_is_the_derivative),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(one_sequence),
        cmocka_unit_test(mixed_lengths),
        cmocka_unit_test(many_short_sequences),
        cmocka_unit_test(long_sequences),
        cmocka_unit_test(windows),
        cmocka_unit_test(a_window_in_long_sequences),
        cmocka_unit_test(only_the_first_tokens_ask),
        cmocka_unit_test(a_window_over_everything_changes_nothing),
        cmocka_unit_test(scores_of_thousands),
        cmocka_unit_test(same_bits_again_and_for_a_split_batch),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
