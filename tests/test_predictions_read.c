// Predictions of other programs: .npy, .csv, .tsv, .jsonl; what they mean, and every way in which they can be wrong.
#include <math.h>

#include "folder.h"
#include "npy.h"
#include "predictions_read.h"

static const char *put(const char *folder, const char *name, const char *text)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    put_file(path, text, strlen(text));
    return path;
}

// An .npy file of format 1.0 with this dict and these bytes behind it.
static const char *put_npy(const char *folder, const char *name, const char *dict, const void *bytes, size_t size)
{
    static char path[512];
    const size_t before = 10 + strlen(dict) + 1;
    char *file = malloc(before + size);
    assert_non_null(file);
    memcpy(file, "\x93NUMPY\1\0", 8);
    file[8] = (char)(strlen(dict) + 1);
    file[9] = 0;
    memcpy(file + 10, dict, strlen(dict));
    file[before - 1] = '\n';
    if (size > 0) memcpy(file + before, bytes, size);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    put_file(path, file, before + size);
    free(file);
    return path;
}

#define DICT(type, order, shape) "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }"

static void arrays_of_every_type(void **state)
{
    const float f4[] = {1.5f, -2, 3, 4, 5, 6};
    const double f8[] = {1.5, -2, 3, 4, 5, 6};
    const int32_t i4[] = {1, -2, 3, 4, 5, 6};
    const int64_t i8[] = {1, -2, 3, 4, 5, INT64_C(1) << 53};
    ebm_npy a;
    assert_ok(ebm_npy_read(put_npy(*state, "a.npy", DICT("<f4", "False", "(2, 3)"), f4, sizeof f4), &a));
    assert_true(a.rows == 2 && a.columns == 3 && a.dimensions == 2 && !a.integers && a.values[0] == 1.5);
    ebm_npy_free(&a);
    assert_ok(ebm_npy_read(put_npy(*state, "a.npy", DICT("<f8", "True", "(2, 3)"), f8, sizeof f8), &a));
    assert_true(a.values[0] == 1.5 && a.values[1] == 3 && a.values[2] == 5 && a.values[3] == -2);
    ebm_npy_free(&a);
    assert_ok(ebm_npy_read(put_npy(*state, "a.npy", DICT("<i4", "False", "(6,)"), i4, sizeof i4), &a));
    assert_true(a.rows == 6 && a.columns == 1 && a.dimensions == 1 && a.integers && a.values[1] == -2);
    ebm_npy_free(&a);
    const char *other = "{\"shape\":(6 , ),\"descr\":\"<i8\",\"fortran_order\":False}"; // as other writers have it
    assert_ok(ebm_npy_read(put_npy(*state, "a.npy", other, i8, sizeof i8), &a));
    assert_true(a.rows == 6 && a.values[5] == 9007199254740992.0);
    ebm_npy_free(&a);
    ebm_npy_free(&a);
}

static void broken_arrays_are_named(void **state)
{
    const float f4[] = {1, 2, 3, 4};
    const int64_t large[] = {INT64_MAX};
    ebm_npy a;
#define BAD(code, part, dict, size) assert_fails(ebm_npy_read(put_npy(*state, "b.npy", dict, f4, size), &a), code, part)
    BAD(EBM_ERROR_INPUT, "2 x 2 numbers of 4 bytes expected, found 12 bytes", DICT("<f4", "False", "(2, 2)"), 12);
    BAD(EBM_ERROR_INPUT, "found 16 bytes", DICT("<f4", "False", "(3,)"), 16);
    BAD(EBM_ERROR_INPUT, SIZE_MAX == UINT64_MAX ? "found 16 bytes" : "a smaller size",
        DICT("<f4", "False", "(9223372036854775807, 4)"), 16);
    BAD(EBM_ERROR_INPUT, "a smaller size", DICT("<f4", "False", "(99999999999999999999999,)"), 16);
    BAD(EBM_ERROR_INPUT, "is empty", DICT("<f4", "False", "(0, 2)"), 0);
    BAD(EBM_ERROR_INPUT, "a single number", DICT("<f4", "False", "()"), 4);
    BAD(EBM_ERROR_INPUT, "one or two dimensions", DICT("<f4", "False", "(1, 2, 2)"), 16);
    BAD(EBM_ERROR_UNSUPPORTED, "found >f4", DICT(">f4", "False", "(4,)"), 16);
    BAD(EBM_ERROR_UNSUPPORTED, "found |O", DICT("|O", "False", "(4,)"), 16);
    BAD(EBM_ERROR_UNSUPPORTED, "records", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,)}", 16);
    BAD(EBM_ERROR_INPUT, "True or False", DICT("<f4", "Maybe", "(4,)"), 16);
    BAD(EBM_ERROR_INPUT, "descr, fortran_order and shape", "{'descr': '<f4', 'shape': (4,)}", 16);
    BAD(EBM_ERROR_INPUT, "unknown header entry 'order'", "{'order': 1}", 16);
    BAD(EBM_ERROR_INPUT, "a dict", "[1]", 16);
    BAD(EBM_ERROR_INPUT, "a size expected", DICT("<f4", "False", "(x,)"), 16);
    BAD(EBM_ERROR_INPUT, "a short string", "{'descr': '<f4444444444', 'shape': (4,)}", 16);
    BAD(EBM_ERROR_INPUT, "a colon", "{'descr' '<f4'}", 16);
    BAD(EBM_ERROR_INPUT, "the header's end", DICT("<f4", "False", "(4,)") " more", 16);
    assert_fails(ebm_npy_read(put_npy(*state, "b.npy", DICT("<i8", "False", "(1,)"), large, 8), &a), EBM_ERROR_INPUT,
                 "row 0: an integer of at most 53 bits");
    assert_fails(ebm_npy_read(put(*state, "c.npy", "text, not numbers"), &a), EBM_ERROR_INPUT, "does not begin as one");
    assert_fails(ebm_npy_read(put(*state, "c.npy", ""), &a), EBM_ERROR_INPUT, "does not begin as one");
    assert_fails(ebm_npy_read(put(*state, "c.npy", "\x93NUMPY\x01"), &a), EBM_ERROR_INPUT, "does not begin as one");
    assert_fails(ebm_npy_read(put(*state, "c.npy", "\x93NUMPY\x09\x01\x01\x01{}{}"), &a), EBM_ERROR_UNSUPPORTED,
                 "format 1 to 3 expected, found 9");
    assert_fails(ebm_npy_read(put(*state, "c.npy", "\x93NUMPY\x01\x01\x77\x77{}{}"), &a), EBM_ERROR_INPUT,
                 "30583 bytes");
    assert_fails(ebm_npy_read("/nonexistent.npy", &a), EBM_ERROR_INPUT, "/nonexistent.npy");
}

static ebm_read_predictions read_ok(const char *path)
{
    ebm_read_predictions r;
    assert_ok(ebm_predictions_read(&(ebm_prediction_source){.path = path, .needs_labels = true}, &r));
    return r;
}

static void tables_name_their_columns(void **state)
{
    ebm_read_predictions r = read_ok(put(*state, "p.csv",
                                         "id,logit_1,logit_0,label,energy,note\n"
                                         "7,2.5,-1,1,0.25,\"a, b\"\n"
                                         "8,1e-3,4,0,-3,\n"));
    assert_true(r.rows.count == 2 && r.rows.labels == 2 && !r.probabilities && !r.counts);
    assert_true(r.logits[0] == -1 && r.logits[1] == 2.5f && r.logits[3] == 1e-3f);
    assert_true(r.label[0] == 1 && r.label[1] == 0 && r.energy[0] == 0.25f && r.energy[1] == -3);
    ebm_read_predictions_free(&r);
    ebm_read_predictions_free(&r);
    r = read_ok(put(*state, "p.tsv",
                    "prob_no\tprob_maybe\tprob_yes\tgold_label\tcount_yes\tcount_no\tcount_maybe\n"
                    "0.2\t0.3\t0.5\tyes\t1\t2\t3\n"
                    "1\t0\t0\t2\t0\t4\t0\n"));
    assert_true(r.rows.labels == 3 && r.probabilities && r.label[0] == 2 && r.label[1] == 2);
    assert_true(r.counts[0] == 2 && r.counts[1] == 3 && r.counts[2] == 1 && r.counts[3] == 4);
    double *p = NULL;
    assert_ok(ebm_probabilities_create(&r.rows, 1, &p));
    assert_true(fabs(p[1] - 0.3) < 1e-7 && p[3] == 1 && p[4] == 0); // a probability of 0 is 0 again
    free(p);
    ebm_read_predictions_free(&r);
}

static void jsonl_of_lists_and_names(void **state)
{
    ebm_read_predictions r = read_ok(put(*state, "p.jsonl",
                                         "{\"logits\": [1, 2.5], \"label\": 1, \"energy\": -2, \"counts\": [3, 0]}\n"
                                         "{\"label\": 0, \"counts\": [1, 1], \"energy\": 0.5, \"logits\": [0, -1]}\n"));
    assert_true(r.rows.count == 2 && r.logits[1] == 2.5f && r.label[0] == 1 && r.energy[1] == 0.5f && r.counts[0] == 3);
    ebm_read_predictions_free(&r);
    r = read_ok(put(*state, "p.jsonl",
                    "{\"probabilities\": {\"neg\": 0.25, \"pos\": 0.75}, \"target\": \"pos\"}\n"
                    "{\"probabilities\": {\"pos\": 0.5, \"neg\": 0.5}, \"target\": \"neg\"}\n"));
    assert_true(r.probabilities && r.label[0] == 1 && r.label[1] == 0);
    ebm_read_predictions_free(&r);
}

// What ebmcl predict writes holds its own label: the truth must come from elsewhere, and may use the names.
static void predict_is_not_the_truth(void **state)
{
    char path[512];
    snprintf(
        path, sizeof path, "%s",
        put(*state, "p.jsonl",
            "{\"index\": 0, \"label\": \"bad\", \"label_id\": 0, \"probabilities\": [0.8808, 0.1192], \"logits\": [1, "
            "-1]}\n"
            "{\"index\": 1, \"label\": \"good\", \"label_id\": 1, \"probabilities\": [0, 1], \"logits\": [0, 9]}\n"));
    ebm_read_predictions r;
    ebm_prediction_source source = {.path = path, .needs_labels = true};
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "true labels expected from another file");
    source.labels_path = put(*state, "gold.tsv", "sentence\tlabel\na text\tgood\nanother\tbad\n");
    assert_ok(ebm_predictions_read(&source, &r));
    assert_true(r.label[0] == 1 && r.label[1] == 0 && !r.probabilities && r.logits[3] == 9);
    ebm_read_predictions_free(&r);
    source.labels_path = put(*state, "gold.jsonl", "{\"label\": 0}\n");
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "2 labels expected, one for each prediction in");
    source.labels_path = put(*state, "gold.jsonl", "{\"truth\": 0}\n{\"truth\": \"ugly\"}\n");
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT,
                 "gold.jsonl:2: a label from 0 to 1 or the name of");
    source.labels_path = put(*state, "gold.csv", "y\n0\n1\n");
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "gold.csv:1: a column label expected");
    source.label_column = "y";
    assert_ok(ebm_predictions_read(&source, &r));
    ebm_read_predictions_free(&r);
    source.needs_labels = false;
    assert_ok(ebm_predictions_read(&source, &r));
    assert_null(r.rows.label);
    ebm_read_predictions_free(&r);
}

// Calibrated probabilities beside the model's own logits: which are meant must be said.
static void logits_and_other_probabilities(void **state)
{
    static const char *const files[][2] = {
        {"p.jsonl", "{\"logits\": [0, 1], \"probabilities\": [0.4, 0.6], \"label\": 1}\n"},
        {"p.csv", "prob_1,logit_1,logit_0,prob_0,label\n0.6,1,0,0.4,1\n"},
    };
    for (int i = 0; i < 2; i++) {
        ebm_read_predictions r;
        ebm_prediction_source source = {.path = put(*state, files[i][0], files[i][1]), .needs_labels = true};
        assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT,
                     "the probabilities are not those of the logits");
        source.scores = EBM_SCORES_LOGITS;
        assert_ok(ebm_predictions_read(&source, &r));
        assert_true(!r.probabilities && r.label[0] == 1 && r.logits[1] == 1);
        ebm_read_predictions_free(&r);
        source.scores = EBM_SCORES_PROBABILITIES;
        assert_ok(ebm_predictions_read(&source, &r));
        assert_true(r.probabilities && r.logits[0] == (float)log(0.4) && r.label[0] == 1);
        ebm_read_predictions_free(&r);
    }
    ebm_read_predictions r =
        read_ok(put(*state, "p.csv", "logit_0,logit_1,p_0,p_1,label\n0,1,0.2689,0.7311,0\n")); // they are
    assert_true(!r.probabilities);
    ebm_read_predictions_free(&r);
}

static void arrays_with_labels_and_counts(void **state)
{
    const float p[] = {0.25f, 0.75f, 0.5f, 0.5f}, logits[] = {0.25f, 0.75f, 0.5f, 0.6f};
    const int32_t label[] = {1, 0}, bad_label[] = {1, 2};
    const double counts[] = {1, 2, 3, 0};
    char path[512], labels[512];
    ebm_read_predictions r;
    snprintf(path, sizeof path, "%s", put_npy(*state, "p.npy", DICT("<f4", "False", "(2, 2)"), p, sizeof p));
    snprintf(labels, sizeof labels, "%s", put_npy(*state, "y.npy", DICT("<i4", "False", "(2,)"), label, sizeof label));
    ebm_prediction_source source = {.path = path, .labels_path = labels, .needs_labels = true};
    assert_ok(ebm_predictions_read(&source, &r));
    assert_true(r.probabilities && r.label[0] == 1 && r.logits[0] == logf(0.25f));
    ebm_read_predictions_free(&r);
    source.scores = EBM_SCORES_LOGITS;
    source.counts_path = put_npy(*state, "c.npy", DICT("<f8", "False", "(2, 2)"), counts, sizeof counts);
    assert_ok(ebm_predictions_read(&source, &r));
    assert_true(!r.probabilities && r.logits[0] == 0.25f && r.counts[2] == 3);
    ebm_read_predictions_free(&r);
    source.counts_path = put_npy(*state, "c.npy", DICT("<f8", "False", "(4,)"), counts, sizeof counts);
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "2 x 2 counts expected, as the predictions in");
    source.counts_path = NULL;
    put_npy(*state, "p.npy", DICT("<f4", "False", "(2, 2)"), logits, sizeof logits);
    source.scores = EBM_SCORES_AUTO;
    assert_ok(ebm_predictions_read(&source, &r)); // the second row has the sum 1.1
    assert_true(!r.probabilities);
    ebm_read_predictions_free(&r);
    source.scores = EBM_SCORES_PROBABILITIES;
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "p.npy:1: probabilities with a sum of 1");
    put_npy(*state, "y.npy", DICT("<i4", "False", "(2,)"), bad_label, sizeof label);
    source.scores = EBM_SCORES_LOGITS;
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "y.npy:1: a label from 0 to 1 expected, found 2");
    put_npy(*state, "y.npy", DICT("<f4", "False", "(2,)"), p, 8);
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "integers of one dimension");
    put_npy(*state, "p.npy", DICT("<f4", "False", "(4,)"), p, sizeof p);
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "floats of two dimensions");
    put_npy(*state, "p.npy", DICT("<f4", "False", "(4, 1)"), p, sizeof p);
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, "2 to 100000 labels expected, found 1");
}

static void check_bad(const char *folder, const char *name, const char *text, const char *part)
{
    ebm_read_predictions r;
    const ebm_prediction_source source = {.path = put(folder, name, text), .needs_labels = true};
    assert_fails(ebm_predictions_read(&source, &r), EBM_ERROR_INPUT, part);
    assert_true(!r.logits && !r.label && !r.counts);
}

static void bad_tables_are_named(void **state)
{
    check_bad(*state, "p.txt", "x", "a name ending in .csv");
    check_bad(*state, "p.csv", "", "empty");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n", "at least one prediction");
    check_bad(*state, "p.csv", "a,label\n1,0\n", "p.csv:1: columns logit_0, logit_1, ... or prob_0");
    check_bad(*state, "p.csv", "logit_0,logit_1\n1,0\n", "p.csv:1: a column label expected");
    check_bad(*state, "p.csv", "logit_0,label\n1,0\n", "2 to 100000 labels expected, found 1");
    check_bad(*state, "p.csv", "logit_a,logit_a,label\n1,0,0\n", "columns 1 and 2 are both of label a");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,0,0\n1,0\n", "p.csv:3: 3 columns expected, found 2");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,x,0\n", "p.csv:2: column 2: a number expected, found \"x\"");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,,0\n", "column 2: a number expected, found \"\"");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,nan,0\n", "logit of label 1: a finite float expected");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,1e39,0\n", "logit of label 1: a finite float expected");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,0,2\n", "p.csv:2: a label from 0 to 1 or the name of one");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,0,-1\n", "found \"-1\"");
    check_bad(*state, "p.csv", "logit_0,logit_1,label\n1,0,\n", "found \"\"");
    check_bad(*state, "p.csv", "prob_0,prob_1,label\n0.5,0.6,0\n", "a sum of 1 (within 0.001) expected, found 1.1");
    check_bad(*state, "p.csv", "prob_0,prob_1,label\n1.5,-0.5,0\n", "probability of label 0: a number from 0 to 1");
    check_bad(*state, "p.csv", "prob_0,prob_1,label\nnan,1,0\n", "probability of label 0");
    check_bad(*state, "p.csv", "p_0,p_1,label,energy\n0.5,0.5,0,inf\n", "energy: a finite float expected, found inf");
    check_bad(*state, "p.csv", "p_0,p_1,label,count_0\n0.5,0.5,0,1\n",
              "count_X for each of the 2 labels expected, found 1");
    check_bad(*state, "p.csv", "p_0,p_1,label,count_0,count_1\n0.5,0.5,0,1,-1\n", "count of label 1");
    check_bad(*state, "p.csv", "p_0,p_1,label,count_0,count_1\n0.5,0.5,0,0,0\n", "counts with a sum above 0");
}

static void bad_jsonl_is_named(void **state)
{
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0}\n[1]\n", "p.jsonl:2: a JSON object expected");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0\n", "p.jsonl:1: a JSON object expected");
    check_bad(*state, "p.jsonl", "{\"label\": 0}\n", "\"logits\" or \"probabilities\" expected");
    check_bad(*state, "p.jsonl", "{\"logits\": 3, \"label\": 0}\n", "2 to 100000 labels expected, found 0");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2]}\n", "labels expected, found none");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0.5}\n",
              "\"label\": a string or an integer expected");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, \"2\"], \"label\": 0}\n", "\"logits\": a number for each label");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0}\n{\"logits\": [1], \"label\": 0}\n",
              "p.jsonl:2: \"logits\": 2 numbers expected, found 1");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0}\n{\"logits\": 1, \"label\": 0}\n",
              "p.jsonl:2: \"logits\": a list, or an object by name,");
    check_bad(*state, "p.jsonl",
              "{\"logits\": {\"a\": 1, \"b\": 2}, \"label\": 0}\n{\"logits\": {\"a\": 1, \"c\": 2}}\n",
              "p.jsonl:2: \"logits\": a number for each label");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0, \"energy\": \"x\"}\n",
              "\"energy\": a number expected");
    check_bad(*state, "p.jsonl", "{\"logits\": [1, 2], \"label\": 0, \"counts\": [1]}\n",
              "\"counts\": 2 numbers expected");
    check_bad(*state, "p.jsonl", "{\"logits\": {\"0\": 1, \"7\": 2}, \"label\": 1}\n", "found \"1\""); // 7 is the name
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(arrays_of_every_type),
        in_own_folder(broken_arrays_are_named),
        in_own_folder(tables_name_their_columns),
        in_own_folder(jsonl_of_lists_and_names),
        in_own_folder(predict_is_not_the_truth),
        in_own_folder(logits_and_other_probabilities),
        in_own_folder(arrays_with_labels_and_counts),
        in_own_folder(bad_tables_are_named),
        in_own_folder(bad_jsonl_is_named),
    };
    return cmocka_run_group_tests_name("predictions_read", tests, NULL, NULL);
}
