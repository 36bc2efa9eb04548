// The built-in grammar: its posterior is the one its texts follow.
#include <math.h>

#include "check.h"
#include "grammar.h"

enum { Y = EBM_GRAMMAR_LABELS };

static int make_grammar(void **state)
{
    ebm_grammar *grammar = NULL;
    const ebm_status status = ebm_grammar_create(&grammar);
    *state = grammar;
    return status.code == EBM_OK ? 0 : -1;
}

static int free_grammar(void **state)
{
    ebm_grammar_free(*state);
    return 0;
}

// Weights from grammar_tables.c. THING's columns sum to 32 * 3 + 8 * (5 + 1.5 + 2) = 164 for complaint and praise and
// to 32 * 3 + 8 * (2 + 2 + 5) = 168 for question; PLACE is the same for all labels and cancels.
static void a_posterior_equals_the_one_by_hand(void **state)
{
    const double prior[Y] = {0.4, 0.35, 0.25}, heating[Y] = {5.0 / 164, 1.5 / 164, 2.0 / 168};
    const double template[Y] = {1 / (3 + 3 + 3 + 2 + 1.2 + 1.5 + 2 + 2 + 3 + 2 + 2.5 + 3 + 1 + 2),
                                1 / (3 + 3 + 3 + 2 + 0.6 + 0.7 + 2 + 2 + 3 + 2 + 2.0 + 2 + 1 + 2),
                                1 / (1.5 + 2 + 1 + 2 + 4 + 4 + 3 + 1.5 + 1 + 2 + 2 + 1 + 1 + 2)};
    double posterior[Y], expected[Y], sum = 0;
    assert_true(ebm_grammar_posterior(*state, "the heating in the library", posterior));
    for (int y = 0; y < Y; y++) sum += expected[y] = prior[y] * template[y] * heating[y];
    for (int y = 0; y < Y; y++) assert_true(fabs(posterior[y] - expected[y] / sum) < 1e-14);
}

static void posteriors_of_its_texts_sum_to_one(void **state)
{
    ebm_dataset *texts = NULL;
    size_t ambiguous = 0;
    assert_ok(ebm_grammar_dataset(*state, 1, 0, 2000, &texts));
    for (size_t i = 0; i < 2000; i++) {
        double p[Y], sum = 0, most = 0;
        assert_true(ebm_grammar_posterior(*state, ebm_dataset_row(texts, i).text_a, p));
        for (int y = 0; y < Y; y++) {
            assert_true(p[y] > 0 && p[y] < 1);
            sum += p[y];
            most = fmax(most, p[y]);
        }
        assert_true(fabs(sum - 1) < 1e-12);
        ambiguous += most < 0.9;
    }
    assert_in_range(ambiguous, 1000, 2000);
    ebm_dataset_free(texts);
}

// In each bin of p(y | text) the number of texts with label y has mean sum of p and variance sum of p (1 - p), so the
// squared deviations over the variances add up to a chi-square with as many degrees of freedom as bins: above 45 for 10
// once in a million. The seed is fixed: a grammar that passes passes always.
static void labels_come_as_often_as_the_posterior_says(void **state)
{
    enum { COUNT = 40000, BINS = 10 };
    double seen[Y][BINS] = {0}, mean[Y][BINS] = {0}, variance[Y][BINS] = {0};
    ebm_dataset *texts = NULL;
    assert_ok(ebm_grammar_dataset(*state, 7, 0, COUNT, &texts));
    for (size_t i = 0; i < COUNT; i++) {
        const ebm_row row = ebm_dataset_row(texts, i);
        double p[Y];
        assert_true(ebm_grammar_posterior(*state, row.text_a, p));
        for (int y = 0; y < Y; y++) {
            const int bin = p[y] < 1 ? (int)(p[y] * BINS) : BINS - 1;
            seen[y][bin] += row.label == y;
            mean[y][bin] += p[y];
            variance[y][bin] += p[y] * (1 - p[y]);
        }
    }
    for (int y = 0; y < Y; y++) {
        double chi_square = 0;
        for (int b = 0; b < BINS; b++)
            if (variance[y][b] > 0) chi_square += pow(seen[y][b] - mean[y][b], 2) / variance[y][b];
        if (chi_square > 45) fail_msg("label %d: chi-square %.1f", y, chi_square);
    }
    ebm_dataset_free(texts);
}

static size_t equal_rows(const ebm_dataset *a, const ebm_dataset *b)
{
    size_t equal = 0;
    for (size_t i = 0; i < ebm_dataset_count(a); i++) {
        const ebm_row x = ebm_dataset_row(a, i), y = ebm_dataset_row(b, i);
        equal += strcmp(x.text_a, y.text_a) == 0 && x.label == y.label;
    }
    return equal;
}

static void a_seed_and_a_part_name_the_texts(void **state)
{
    ebm_dataset *set[4] = {NULL};
    assert_ok(ebm_grammar_dataset(*state, 3, 1, 200, &set[0]));
    assert_ok(ebm_grammar_dataset(*state, 3, 1, 200, &set[1]));
    assert_ok(ebm_grammar_dataset(*state, 3, 2, 200, &set[2]));
    assert_ok(ebm_grammar_dataset(*state, 4, 1, 200, &set[3]));
    assert_int_equal(equal_rows(set[0], set[1]), 200);
    assert_in_range(equal_rows(set[0], set[2]), 0, 5);
    assert_in_range(equal_rows(set[0], set[3]), 0, 5);
    assert_string_equal(ebm_dataset_labels(set[0])->names[2], "question");
    for (int i = 0; i < 4; i++) ebm_dataset_free(set[i]);
}

static void what_it_cannot_make_is_told(void **state)
{
    const char *const texts[] = {"",
                                 "the",
                                 "heating the in library the",
                                 "the heating in the library too",
                                 "the heating at the library was",
                                 "the unicorn in the library",
                                 "the the the the the the the the the the the the the the the the the the the the"};
    double p[Y];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (ebm_grammar_posterior(*state, texts[i], p)) fail_msg("'%s' has a posterior", texts[i]);
}

static void its_words_are_there_once(void **state)
{
    size_t count = 0;
    const char *const *words = ebm_grammar_words(*state, &count);
    assert_in_range(count, 200, 400);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++) assert_string_not_equal(words[i], words[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_posterior_equals_the_one_by_hand),
        cmocka_unit_test(posteriors_of_its_texts_sum_to_one),
        cmocka_unit_test(labels_come_as_often_as_the_posterior_says),
        cmocka_unit_test(a_seed_and_a_part_name_the_texts),
        cmocka_unit_test(what_it_cannot_make_is_told),
        cmocka_unit_test(its_words_are_there_once),
    };
    return cmocka_run_group_tests(tests, make_grammar, free_grammar);
}
