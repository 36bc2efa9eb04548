#include <math.h>

#include "check.h"
#include "random.h"

// Random123's kat_vectors, lines "philox4x32 10": counter, key, result.
static const struct {
    uint32_t counter[4], key[2], words[4];
} known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void blocks_are_the_known_answers(void **state)
{
    for (size_t i = 0; i < sizeof known_answers / sizeof *known_answers; i++) {
        const uint32_t *counter = known_answers[i].counter, *key = known_answers[i].key;
        uint32_t words[4];
        ebm_random_block(words, key[0] | (uint64_t)key[1] << 32, counter[3], counter[2],
                         counter[0] | (uint64_t)counter[1] << 32);
        assert_memory_equal(words, known_answers[i].words, sizeof words);
    }
}

static void a_stream_gives_the_words_of_its_blocks_in_order(void **state)
{
    ebm_random stream = ebm_random_stream(42, 7, EBM_SITE_SHUFFLE);
    for (uint64_t block = 0; block < 5; block++) {
        uint32_t words[4];
        ebm_random_block(words, 42, 7, EBM_SITE_SHUFFLE, block);
        for (int i = 0; i < 4; i++) assert_int_equal(ebm_random_u32(&stream), words[i]);
    }
    assert_int_equal(stream.next, 20);
    stream.next = UINT64_C(0x500000003); // beyond 32 bits of index
    uint32_t words[4];
    ebm_random_block(words, 42, 7, EBM_SITE_SHUFFLE, UINT64_C(0x140000000));
    assert_int_equal(ebm_random_u32(&stream), words[3]);
}

// Chi-square of `bins` equally likely counts; its mean is bins - 1 and its deviation sqrt(2 (bins - 1)). Seeds are
// fixed: a case that passes always passes; 5 deviations leave room for any honest generator.
static void assert_even(const uint32_t *counts, size_t bins, size_t draws)
{
    const double expected = (double)draws / (double)bins, degrees = (double)(bins - 1);
    double chi_square = 0;
    for (size_t i = 0; i < bins; i++) chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    if (fabs(chi_square - degrees) > 5 * sqrt(2 * degrees))
        fail_msg("chi-square %g for %g degrees of freedom", chi_square, degrees);
}

static void bounded_numbers_are_even(void **state)
{
    static const uint32_t bounds[] = {2, 3, 7, 10, 64, 100};
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        ebm_random stream = ebm_random_stream(1, 2, 3);
        uint32_t counts[100] = {0};
        for (int i = 0; i < 100000; i++) {
            const uint32_t drawn = ebm_random_below(&stream, bounds[b]);
            assert_true(drawn < bounds[b]);
            counts[drawn]++;
        }
        assert_even(counts, bounds[b], 100000);
    }
}

// With bound 3 * 2^30 the plain product would give multiples of 3 twice as often as the rest.
static void a_large_bound_is_without_bias(void **state)
{
    ebm_random stream = ebm_random_stream(5, 0, 0);
    uint32_t counts[3] = {0};
    for (int i = 0; i < 100000; i++) counts[ebm_random_below(&stream, 0xC0000000u) % 3]++;
    assert_even(counts, 3, 100000);
    assert_int_equal(ebm_random_below(&stream, 1), 0);
    assert_true(stream.next > 120000); // a quarter of the words was drawn again
}

static void uniform_numbers_fill_their_interval(void **state)
{
    ebm_random stream = ebm_random_stream(9, 1, EBM_SITE_SAMPLE);
    uint32_t counts[64] = {0}, low_bits[2] = {0};
    for (int i = 0; i < 100000; i++) {
        const double u = ebm_random_uniform(&stream);
        assert_true(u >= 0 && u < 1);
        counts[(int)(u * 64)]++;
        low_bits[(uint64_t)(u * 0x1p53) & 1]++;
    }
    assert_even(counts, 64, 100000);
    assert_even(low_bits, 2, 100000);
    assert_int_equal(stream.next, 200000);
}

// Moments of n normal numbers: the mean of z^k has deviation sqrt((E z^2k - (E z^k)^2) / n): 1, sqrt 2, sqrt 15,
// sqrt 96.
static void normal_numbers_have_normal_moments(void **state)
{
    ebm_random stream = ebm_random_stream(3, 1, EBM_SITE_INIT);
    const int draws = 100000;
    double sums[4] = {0};
    for (int i = 0; i < draws; i++) {
        const double z = ebm_random_normal(&stream);
        assert_true(isfinite(z));
        for (int k = 0; k < 4; k++) sums[k] += pow(z, k + 1);
    }
    const double expected[4] = {0, 1, 0, 3}, variances[4] = {1, 2, 15, 96};
    for (int k = 0; k < 4; k++) {
        const double error = fabs(sums[k] / draws - expected[k]);
        if (error > 4.5 * sqrt(variances[k] / draws)) fail_msg("moment %d is off by %g", k + 1, error);
    }
}

static void a_shuffle_is_an_even_permutation(void **state)
{
    uint32_t counts[24] = {0};
    ebm_random stream = ebm_random_stream(8, 0, EBM_SITE_SHUFFLE);
    for (int i = 0; i < 24000; i++) {
        uint32_t items[4] = {0, 1, 2, 3};
        ebm_random_shuffle(&stream, items, 4);
        unsigned seen = 0, rank = 0;
        for (int a = 0; a < 4; a++) {
            seen |= 1u << items[a];
            unsigned smaller = 0;
            for (int b = a + 1; b < 4; b++) smaller += items[b] < items[a];
            rank = rank * (unsigned)(4 - a) + smaller;
        }
        assert_int_equal(seen, 15);
        counts[rank]++;
    }
    assert_even(counts, 24, 24000);
    ebm_random_shuffle(&stream, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_the_known_answers),
        cmocka_unit_test(a_stream_gives_the_words_of_its_blocks_in_order),
        cmocka_unit_test(bounded_numbers_are_even),
        cmocka_unit_test(a_large_bound_is_without_bias),
        cmocka_unit_test(uniform_numbers_fill_their_interval),
        cmocka_unit_test(normal_numbers_have_normal_moments),
        cmocka_unit_test(a_shuffle_is_an_even_permutation),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
