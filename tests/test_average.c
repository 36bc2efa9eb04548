// Averages of probabilities over passes and models (average.h) against the formula in double.
#include <math.h>

#include "average.h"
#include "calibrator.h"
#include "folder.h"
#include "predictions.h"

enum { ROWS = 37, LABEL_COUNT = 4, MEMBERS = 5 };

typedef struct {
    test_predictions of[MEMBERS];
    float energy[MEMBERS][ROWS];
} members;

static void make(members *m)
{
    for (int i = 0; i < MEMBERS; i++) {
        m->of[i] = random_predictions(ROWS, LABEL_COUNT, 3, 1, 7 + (uint64_t)i);
        for (int r = 0; r < ROWS; r++) m->energy[i][r] = (float)(i + 1) * 0.25f - (float)r;
    }
}

static void free_members(members *m)
{
    for (int i = 0; i < MEMBERS; i++) free_predictions(m->of + i);
}

// 1/M sum of softmax, written out.
static double mean_probability(const members *m, int row, int label)
{
    double sum = 0;
    for (int i = 0; i < MEMBERS; i++) {
        const float *f = m->of[i].logits + row * LABEL_COUNT;
        double total = 0;
        for (int y = 0; y < LABEL_COUNT; y++) total += exp((double)f[y]);
        sum += exp((double)f[label]) / total;
    }
    return sum / MEMBERS;
}

static void logits_are_logarithms_of_mean_probabilities(void **state)
{
    members m;
    ebm_average *a = NULL;
    float logits[ROWS * LABEL_COUNT], energy[ROWS];
    make(&m);
    assert_ok(ebm_average_create(ROWS, LABEL_COUNT, &a));
    for (int i = 0; i < MEMBERS; i++) assert_ok(ebm_average_add(a, m.of[i].logits, m.energy[i], NULL));
    assert_int_equal(ebm_average_members(a), MEMBERS);
    assert_ok(ebm_average_logits(a, logits));
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int y = 0; y < LABEL_COUNT; y++) {
            const double p = mean_probability(&m, r, y), found = exp((double)logits[r * LABEL_COUNT + y]);
            check_close("probability", found, p, 1e-6 * p);
            sum += found;
        }
        check_close("sum", sum, 1, 1e-6);
    }
    assert_true(ebm_average_has_energy(a));
    ebm_average_energy(a, energy);
    for (int r = 0; r < ROWS; r++) check_close("energy", (double)energy[r], 0.75 - r, 1e-6);
    ebm_average_free(a);
    free_members(&m);
}

static void order_names_the_places_of_labels(void **state)
{
    const float first[] = {1, 2, 4}, second[] = {4, 1, 2};
    const int32_t order[] = {1, 2, 0}; // label 0 is at place 1 of `second`
    ebm_average *a = NULL;
    float logits[3], alone[3];
    assert_ok(ebm_average_create(1, 3, &a));
    assert_ok(ebm_average_add(a, first, NULL, NULL));
    assert_ok(ebm_average_logits(a, alone));
    assert_ok(ebm_average_add(a, second, NULL, order));
    assert_ok(ebm_average_logits(a, logits));
    for (int y = 0; y < 3; y++) check_close("logit", (double)logits[y], (double)alone[y], 1e-6);
    assert_false(ebm_average_has_energy(a));
    ebm_average_free(a);
}

// Where every member's probability is below what a double can hold its logarithm is still there.
static void small_probabilities_stay_finite(void **state)
{
    const float f[] = {0, 2000}, g[] = {0, 1000};
    ebm_average *a = NULL;
    float logits[2];
    assert_ok(ebm_average_create(1, 2, &a));
    assert_ok(ebm_average_add(a, f, NULL, NULL));
    assert_ok(ebm_average_add(a, g, NULL, NULL));
    assert_ok(ebm_average_logits(a, logits));
    check_close("smallest", (double)logits[0], -1000 - log(2), 1e-4);
    check_close("largest", (double)logits[1], 0, 1e-12);
    ebm_average_free(a);
}

static void one_member_without_energy_leaves_none(void **state)
{
    const float f[] = {0, 1}, energy[] = {3};
    ebm_average *a = NULL;
    assert_ok(ebm_average_create(1, 2, &a));
    assert_false(ebm_average_has_energy(a));
    assert_ok(ebm_average_add(a, f, energy, NULL));
    assert_true(ebm_average_has_energy(a));
    assert_ok(ebm_average_add(a, f, NULL, NULL));
    assert_false(ebm_average_has_energy(a));
    ebm_average_free(a);
}

static void bad_members_are_refused_and_not_added(void **state)
{
    const float sound[] = {1, 2}, broken[] = {1, NAN}, endless[] = {INFINITY};
    const int32_t twice[] = {0, 0}, beyond[] = {0, 2}, below[] = {-1, 0};
    ebm_average *a = NULL;
    float logits[2];
    assert_fails(ebm_average_create(0, 2, &a), EBM_ERROR_INPUT, "0 examples");
    assert_null(a);
    assert_fails(ebm_average_create(3, 0, &a), EBM_ERROR_INPUT, "0 labels");
    assert_ok(ebm_average_create(1, 2, &a));
    assert_fails(ebm_average_logits(a, logits), EBM_ERROR_INPUT, "without members");
    assert_fails(ebm_average_add(a, broken, NULL, NULL), EBM_ERROR_NONFINITE, "row 0: logit 1");
    assert_fails(ebm_average_add(a, sound, endless, NULL), EBM_ERROR_NONFINITE, "row 0: energy");
    assert_fails(ebm_average_add(a, sound, NULL, twice), EBM_ERROR_INPUT, "found 0 at place 1");
    assert_fails(ebm_average_add(a, sound, NULL, beyond), EBM_ERROR_INPUT, "found 2 at place 1");
    assert_fails(ebm_average_add(a, sound, NULL, below), EBM_ERROR_INPUT, "found -1 at place 0");
    assert_int_equal(ebm_average_members(a), 0);
    ebm_average_free(a);
    ebm_average_free(NULL);
}

static void averagings_are_told_and_compared(void **state)
{
    const char *const one_way[] = {"runs/b/", "/c"}, *const other_way[] = {"elsewhere/c", "b"}, *const fewer[] = {"b"};
    ebm_averaging a, b, none = {0};
    char text[200], wide[1100];
    assert_ok(ebm_averaging_of(10, one_way, 2, &a));
    assert_ok(ebm_averaging_of(10, other_way, 2, &b));
    assert_true(ebm_averaging_equal(&a, &b));
    assert_string_equal(ebm_averaging_text(&a, text, sizeof text),
                        "the mean of 3 models (with b, c), 10 passes with dropout each");
    assert_ok(ebm_averaging_of(0, other_way, 2, &b));
    assert_false(ebm_averaging_equal(&a, &b));
    assert_string_equal(ebm_averaging_text(&b, text, sizeof text), "the mean of 3 models (with b, c)");
    assert_ok(ebm_averaging_of(10, fewer, 1, &b));
    assert_false(ebm_averaging_equal(&a, &b));
    assert_ok(ebm_averaging_of(7, NULL, 0, &b));
    assert_false(ebm_averaging_is_none(&b));
    assert_string_equal(ebm_averaging_text(&b, text, sizeof text), "the mean of 7 passes with dropout");
    assert_ok(ebm_averaging_of(0, NULL, 0, &b));
    assert_true(ebm_averaging_is_none(&b) && ebm_averaging_is_none(&none) && ebm_averaging_equal(&b, &none));
    assert_string_equal(ebm_averaging_text(&b, text, sizeof text), "one model without dropout");
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = 0;
    assert_fails(ebm_averaging_of(0, (const char *const[]){wide}, 1, &b), EBM_ERROR_INPUT, "names are longer");
}

static char directory[] = "/tmp/ebmcl-test-average-XXXXXX";
static int make_folder(void **state) { return mkdtemp(directory) ? 0 : -1; }
static int remove_folder(void **state) { return ebm_directory_remove(directory).code == EBM_OK ? 0 : -1; }

// A temperature and a calibrator of lists alike.
static void calibrators_keep_what_they_are_for(void **state)
{
    const char *const others[] = {"seed2", "seed1"};
    const ebm_calibrator_options options = ebm_calibrator_defaults();
    test_predictions p = random_predictions(60, 2, 2, 1, 3);
    ebm_averaging averaging;
    assert_ok(ebm_averaging_of(4, others, 2, &averaging));
    for (int k = EBM_CALIBRATOR_TEMPERATURE; k <= EBM_CALIBRATOR_VECTOR; k++) {
        ebm_calibrator *c = NULL, *back = NULL;
        assert_ok(ebm_calibrator_fit(&p.rows, (ebm_calibrator_kind)k, &options, &c));
        assert_true(ebm_averaging_is_none(&ebm_calibrator_facts_of(c)->averaging));
        ebm_calibrator_set_averaging(c, &averaging);
        assert_ok(ebm_calibrator_save(directory, c));
        assert_ok(ebm_calibrator_load(directory, &back));
        assert_true(ebm_averaging_equal(&ebm_calibrator_facts_of(back)->averaging, &averaging));
        assert_int_equal(ebm_calibrator_facts_of(back)->kind, k);
        ebm_calibrator_free(back);
        ebm_calibrator_free(c);
    }
    free_predictions(&p);
}

static void broken_records_are_refused(void **state)
{
    static const struct {
        const char *keys, *part;
    } bad[] = {
        {"\"mc_dropout\": \"ten\"", "a number expected at \"mc_dropout\""},
        {"\"mc_dropout\": -1", "a count expected at \"mc_dropout\""},
        {"\"ensemble\": []", "a list of names expected at \"ensemble\""},
        {"\"ensemble\": 3", "a list of names expected at \"ensemble\""},
        {"\"ensemble\": [\"a\", 3]", "\"ensemble\": a name expected at place 1"},
    };
    char *path = in_folder(directory, "calibration.json"), text[400];
    ebm_temperature alone;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ebm_calibrator *c = NULL;
        snprintf(text, sizeof text, "{\"temperature\": 1.5, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 9, %s}",
                 bad[i].keys);
        put_file(path, text, strlen(text));
        assert_fails(ebm_calibrator_load(directory, &c), EBM_ERROR_INPUT, bad[i].part);
        assert_null(c);
    }
    // The plain reader has no place for what it is for.
    assert_fails(ebm_temperature_load(directory, &alone), EBM_ERROR_INPUT, "is for the mean of several predictions");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_logarithms_of_mean_probabilities),
        cmocka_unit_test(order_names_the_places_of_labels),
        cmocka_unit_test(small_probabilities_stay_finite),
        cmocka_unit_test(one_member_without_energy_leaves_none),
        cmocka_unit_test(bad_members_are_refused_and_not_added),
        cmocka_unit_test(averagings_are_told_and_compared),
        cmocka_unit_test(calibrators_keep_what_they_are_for),
        cmocka_unit_test(broken_records_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
