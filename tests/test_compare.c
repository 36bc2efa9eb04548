// ebmcl compare: cells, what is kept and what is made again, tables and files, and what is wrong with a comparison.
#include <math.h>
#include <sys/file.h>

#include "calibration.h"
#include "command.h"
#include "portion.h"
#include "predictions.h"
#include "predictions_read.h"
#include "tiny_model.h"

enum { VALIDATION = 40 };

// Texts that say their label most of the time, so that there is something to learn. Of two annotators one is always
// right, and the other thinks all of it good.
static void put_rows(const char *name, int count, int first)
{
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "sentence\tlabel\tone\ttwo\n");
    for (int i = 0; i < count; i++) {
        const char *label = (i + first) % 2 == (i % 5 != 0) ? "positive" : "negative";
        fprintf(file, "the %s is %s %s\t%s\t%s\tpositive\n", TINY_WORDS[2 + (i + first) % 3], i % 3 ? "very" : "not",
                (i + first) % 2 ? "good" : "bad", label, label);
    }
    fclose(file);
    free(path);
}

static const char *const COMPARISON =
    "{\"model_name_or_path\": \"model\", \"seeds\": [1, 2], \"scale\": 2,"
    " \"options\": {\"max_steps\": 4, \"eval_steps\": 2, \"logging_steps\": 1, \"learning_rate\": 1e-3,"
    "   \"max_seq_length\": 16},"
    " \"tasks\": [{\"name\": \"films\", \"train_file\": \"train.tsv\", \"validation_file\": \"dev.tsv\","
    "   \"noise\": {\"noise_file\": \"noise.txt\"}, \"ood\": [{\"name\": \"odd\", \"test_file\": \"odd.tsv\"}]}],"
    " \"methods\": ["
    "   {\"name\": \"CE\", \"scale\": [1, 0.5]},"
    "   {\"name\": \"joint\", \"options\": {\"objective\": \"joint\", \"noise_ratio\": [2]}, \"seeds\": [1, 2]},"
    "   {\"name\": \"early\", \"of\": \"CE scale=1\", \"stop\": \"nll\"},"
    "   {\"name\": \"equal\", \"of\": \"CE scale=1\", \"stop\": \"training_cross_entropy\", \"as\": \"joint K=2\"},"
    "   {\"name\": \"mean\", \"of\": \"CE scale=1\", \"average\": true},"
    "   {\"name\": \"warm\", \"of\": \"CE scale=1\", \"predict\": {\"temperature\": 2}}]}";

static int make_files(void **state)
{
    static const char *const names[] = {"negative", "positive"};
    make_folder_with_model("model", names);
    put_rows("train.tsv", 48, 0);
    put_rows("dev.tsv", VALIDATION, 1);
    put_rows("odd.tsv", 6, 2);
    put("noise.txt", "the the cast\nis was not\n, . but\ncold warm the film\nplot plot\nvery very good film\n"
                     "a but is\nnot the was\nfilm film\nand and\nthe . .\nbad the is was\n");
    put("compare.json", COMPARISON);
    return 0;
}

#define CELL(method, seed) "out/cells/films/" method "/seed-" seed

static char *cell_path(const char *cell, const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s/%s", folder, cell, name) > 0);
    return path;
}

static ebm_read_predictions predictions_at(const char *cell, int step)
{
    char name[64];
    ebm_read_predictions read = {0};
    snprintf(name, sizeof name, "model/predictions/step-%d.jsonl", step);
    char *path = cell_path(cell, name);
    assert_ok(ebm_predictions_read(&(ebm_prediction_source){.path = path, .needs_labels = true}, &read));
    free(path);
    return read;
}

static const json_t *method_of(const json_t *results, const char *name)
{
    const json_t *task = json_array_get(json_object_get(results, "tasks"), 0), *list = json_object_get(task, "methods");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(string(json_array_get(list, i), "method"), name) == 0) return json_array_get(list, i);
    fail_msg("no method %s", name);
    return NULL;
}

#define COMPARE "compare", "--comparison", "compare.json", "--output_dir", "out"

static json_t *results; // of the finished comparison

static void every_cell_is_made_once(void **state)
{
    static const char *const methods[] = {"CE-scale=1", "CE-scale=0.5", "joint-K=2"};
    ran r = run(COMPARE);
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    for (size_t i = 0; i < 3; i++)
        if (!strstr(r.out, i == 0 ? "CE scale=1" : i == 1 ? "CE scale=0.5" : "joint K=2")) fail_msg("%s", r.out);
    if (!strstr(r.err, "6 of 6: films, joint K=2, seed 2: ")) fail_msg("%s", r.err);
    free_ran(&r);
    for (size_t m = 0; m < 3; m++)
        for (int seed = 1; seed <= 2; seed++) {
            char name[100];
            snprintf(name, sizeof name, "out/cells/films/%s/seed-%d", methods[m], seed);
            char *weights = cell_path(name, "model/model.safetensors"), *cell = cell_path(name, "cell.json");
            assert_false(ebm_file_exists(weights)); // not kept
            assert_true(ebm_file_exists(cell));
            free(weights);
            free(cell);
        }
    char *before = list_folder();
    r = run(COMPARE, "--json"); // nothing is trained again: files stay as they are
    if (!strstr(r.err, "6 cells, 6 of them done")) fail_msg("%s", r.err);
    results = json_loads(r.out, 0, NULL);
    if (r.code != 0 || !results) fail_msg("%d: no JSON: %s", r.code, r.out);
    char *after = list_folder();
    assert_int_equal(strlen(before), strlen(after));
    free_ran(&r);
    free(before);
    free(after);
}

// Joint cells have the paper's losses unless they say otherwise, not those of ebmcl train.
static void joint_cells_are_the_papers(void **state)
{
    char *text = get("out/cells/films/joint-K=2/seed-1/model/training_args.json");
    json_t *set = json_loads(text, 0, NULL);
    assert_true(number(set, "nce_weight") == 1 && number(set, "focal_gamma") == 0 &&
                number(set, "nce_warmup_ratio") == 0);
    json_decref(set);
    free(text);
}

// scale 2 of 4 steps, and half of it.
static void scales_multiply_the_steps(void **state)
{
    char *last = cell_path(CELL("CE-scale=1", "1"), "model/predictions/step-8.jsonl");
    char *half = cell_path(CELL("CE-scale=0.5", "1"), "model/predictions/step-4.jsonl");
    char *more = cell_path(CELL("CE-scale=0.5", "1"), "model/predictions/step-6.jsonl");
    assert_true(ebm_file_exists(last) && ebm_file_exists(half) && !ebm_file_exists(more));
    free(last);
    free(half);
    free(more);
}

static void value_of(const ebm_predictions *rows, ebm_portion half, ebm_portion other, double *raw, double *fitted)
{
    ebm_prediction_rows test = {0}, rest = {0};
    ebm_temperature fit;
    double value[EBM_METRICS];
    ebm_predictions plain = *rows;
    plain.energy = NULL;
    assert_ok(ebm_predictions_portion(&plain, half, 0, &test));
    assert_ok(ebm_predictions_portion(&plain, other, 0, &rest));
    assert_ok(ebm_metrics(&test.rows, 1, EBM_BINS_DEFAULT, value));
    *raw = value[EBM_NLL];
    assert_ok(ebm_temperature_fit(&rest.rows, &fit));
    assert_ok(ebm_metrics(&test.rows, fit.temperature, EBM_BINS_DEFAULT, value));
    *fitted = value[EBM_NLL];
    ebm_prediction_rows_free(&test);
    ebm_prediction_rows_free(&rest);
}

// Means over seeds and halves of what the predictions on disk give, each half's temperature from the other.
static void values_are_means_over_seeds_and_halves(void **state)
{
    double raw = 0, fitted = 0;
    for (int seed = 1; seed <= 2; seed++)
        for (int h = 0; h < 2; h++) {
            double a, b;
            ebm_read_predictions read = predictions_at(seed == 1 ? CELL("joint-K=2", "1") : CELL("joint-K=2", "2"), 8);
            value_of(&read.rows, h ? EBM_PORTION_RANDOM_SECOND_HALF : EBM_PORTION_RANDOM_FIRST_HALF,
                     h ? EBM_PORTION_RANDOM_FIRST_HALF : EBM_PORTION_RANDOM_SECOND_HALF, &a, &b);
            raw += a / 4;
            fitted += b / 4;
            ebm_read_predictions_free(&read);
        }
    const json_t *joint = method_of(results, "joint K=2");
    check_close("NLL", number(json_object_get(joint, "raw"), "nll"), raw, 1e-8);
    check_close("NLL with temperature", number(json_object_get(joint, "with_temperature"), "nll"), fitted, 1e-8);
    const json_t *ce = method_of(results, "CE scale=1");
    check_close("difference", number(json_object_get(joint, "raw_difference"), "nll"),
                raw - number(json_object_get(ce, "raw"), "nll"), 1e-8);
    assert_null(json_object_get(ce, "raw_difference"));
}

// Each half is tested at the evaluation whose NLL is least on the other half.
static void stopping_is_chosen_on_the_other_half(void **state)
{
    double expected = 0;
    for (int seed = 1; seed <= 2; seed++)
        for (int h = 0; h < 2; h++) {
            double least = INFINITY, tested = 0;
            for (int step = 2; step <= 8; step += 2) {
                double other, test, unused;
                ebm_read_predictions read =
                    predictions_at(seed == 1 ? CELL("CE-scale=1", "1") : CELL("CE-scale=1", "2"), step);
                const ebm_portion a = EBM_PORTION_RANDOM_FIRST_HALF, b = EBM_PORTION_RANDOM_SECOND_HALF;
                value_of(&read.rows, h ? a : b, h ? b : a, &other, &unused);
                value_of(&read.rows, h ? b : a, h ? a : b, &test, &unused);
                if (other < least) tested = test;
                least = fmin(least, other);
                ebm_read_predictions_free(&read);
            }
            expected += tested / 4;
        }
    check_close("NLL", number(json_object_get(method_of(results, "early"), "raw"), "nll"), expected, 1e-8);
}

static double training_ce(const char *cell, int from, int to)
{
    double sum = 0;
    int lines = 0;
    char *path = cell_path(cell, "model/trainer_log.jsonl"), *text = NULL;
    assert_ok(ebm_file_read(path, 1 << 20, &text, NULL));
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        json_t *json = json_loads(line, 0, NULL);
        const int step = (int)json_integer_value(json_object_get(json, "step"));
        const json_t *ce = json_object_get(json, "cross_entropy");
        if (ce && step > from && step <= to) {
            sum += json_number_value(ce);
            lines++;
        }
        json_decref(json);
    }
    free(text);
    free(path);
    assert_int_equal(lines, to - from); // logging_steps is 1
    return sum / lines;
}

// The first evaluation with a training cross-entropy not above the joint run's last.
static void stopping_at_equal_training_cross_entropy(void **state)
{
    double expected = 0;
    for (int seed = 1; seed <= 2; seed++) {
        const char *joint = seed == 1 ? CELL("joint-K=2", "1") : CELL("joint-K=2", "2");
        const char *ce = seed == 1 ? CELL("CE-scale=1", "1") : CELL("CE-scale=1", "2");
        const double mark = training_ce(joint, 6, 8);
        int step = 2;
        while (step < 8 && !(training_ce(ce, step - 2, step) <= mark)) step += 2;
        for (int h = 0; h < 2; h++) {
            double test, unused;
            const ebm_portion a = EBM_PORTION_RANDOM_FIRST_HALF, b = EBM_PORTION_RANDOM_SECOND_HALF;
            ebm_read_predictions read = predictions_at(ce, step);
            value_of(&read.rows, h ? b : a, h ? a : b, &test, &unused);
            expected += test / 4;
            ebm_read_predictions_free(&read);
        }
    }
    check_close("NLL", number(json_object_get(method_of(results, "equal"), "raw"), "nll"), expected, 1e-8);
}

static void an_ensemble_averages_probabilities(void **state)
{
    ebm_read_predictions a = predictions_at(CELL("CE-scale=1", "1"), 8), b = predictions_at(CELL("CE-scale=1", "2"), 8);
    double *p = NULL, *q = NULL, right = 0;
    assert_ok(ebm_probabilities_create(&a.rows, 1, &p));
    assert_ok(ebm_probabilities_create(&b.rows, 1, &q));
    for (size_t i = 0; i < VALIDATION; i++) {
        const double no = p[2 * i] + q[2 * i], yes = p[2 * i + 1] + q[2 * i + 1];
        right += a.rows.label[i] == (yes > no);
    }
    const json_t *mean = method_of(results, "mean");
    assert_int_equal((int)number(mean, "seeds"), 1);
    check_close("accuracy", number(json_object_get(mean, "raw"), "accuracy"), right / VALIDATION, 1e-8);
    free(p);
    free(q);
    ebm_read_predictions_free(&a);
    ebm_read_predictions_free(&b);
}

// At temperature 2 as predicted: the fitted one is then half as large, with the same NLL.
static void other_ways_of_predicting_are_rows_too(void **state)
{
    const json_t *warm = method_of(results, "warm"), *ce = method_of(results, "CE scale=1");
    check_close("NLL with temperature", number(json_object_get(warm, "with_temperature"), "nll"),
                number(json_object_get(ce, "with_temperature"), "nll"), 1e-3); // where one is at its bound
    assert_true(fabs(number(json_object_get(warm, "raw"), "nll") - number(json_object_get(ce, "raw"), "nll")) > 1e-4);
    assert_non_null(json_object_get(json_object_get(method_of(results, "joint K=2"), "ood"), "odd"));
}

static void the_files_hold_every_method(void **state)
{
    char *csv = get("out/results.csv"), *tex = get("out/results.tex"), *again = get("out/comparison.json");
    if (!strstr(csv, "\n\"films\",\"joint K=2\",temperature,ece_class_wise,2,")) fail_msg("%s", csv);
    if (!strstr(csv, "\n\"films\",\"joint K=2\",ood odd,ood_auroc_energy,2,")) fail_msg("%s", csv);
    if (!strstr(tex, "\nCE scale=0.5 & ") || !strstr(tex, "\\textbf{")) fail_msg("%s", tex);
    char *page = get("out/report.html");
    static const char *const parts[] = {"<title>Comparison</title>",      "joint K=2",
                                        "Reliability with a temperature", "Texts of odd told apart",
                                        "Cross-entropy in training",      "wrong with the most confidence",
                                        "The comparison's file",          "</html>"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(page, parts[i])) fail_msg("\"%s\" is not in the page", parts[i]);
    assert_null(strstr(page, "src="));
    assert_null(strstr(page, "href=\"http"));
    free(page);
    json_t *kept = json_loads(again, 0, NULL), *given = json_loads(COMPARISON, 0, NULL);
    assert_true(kept && json_equal(kept, given));
    json_decref(kept);
    json_decref(given);
    free(csv);
    free(tex);
    free(again);
}

// A text is cut between characters, and what a killed run left of its log's last line is passed over.
static void the_page_takes_long_texts_and_torn_logs(void **state)
{
    char *rows = get(CELL("CE-scale=1", "1") "/model/eval_predictions.jsonl"), *log, *more, text[2 * 400 + 1];
    log = get(CELL("CE-scale=1", "1") "/model/trainer_log.jsonl");
    for (int i = 0; i < 400; i++) memcpy(text + 2 * i, "\xC3\xA9", 2);
    text[2 * 400] = 0;
    assert_true(asprintf(&more,
                         "%s{\"index\": 40, \"text\": \"%s\", \"label\": \"negative\", \"label_id\": 0, "
                         "\"prediction\": \"positive\", \"probabilities\": [0, 1], \"logits\": [-20, 20]}\n",
                         rows, text) > 0);
    put(CELL("CE-scale=1", "1") "/model/eval_predictions.jsonl", more);
    free(more);
    assert_true(asprintf(&more, "%s{\"step\": 9, \"cross_ent", log) > 0);
    put(CELL("CE-scale=1", "1") "/model/trainer_log.jsonl", more);
    free(more);
    ran r = run(COMPARE);
    assert_int_equal(r.code, 0);
    free_ran(&r);
    char *page = get("out/report.html");
    if (!strstr(page, "\xC3\xA9\xC3\xA9\xE2\x80\xA6<")) fail_msg("the long text is not cut at a character");
    free(page);
    assert_true(asprintf(&more, "{\"step\": 1\n%s", log) > 0);
    put(CELL("CE-scale=1", "1") "/model/trainer_log.jsonl", more);
    free(more);
    r = run(COMPARE);
    if (r.code == 0 || !strstr(r.err, "model/trainer_log.jsonl:1: a JSON object expected")) fail_msg("%s", r.err);
    free_ran(&r);
    put(CELL("CE-scale=1", "1") "/model/trainer_log.jsonl", log);
    put(CELL("CE-scale=1", "1") "/model/eval_predictions.jsonl", rows);
    free(log);
    free(rows);
}

// ---- again, together, broken

static void remove_cell(const char *cell)
{
    char *path = in_folder(folder, cell);
    assert_ok(ebm_directory_remove(path));
    free(path);
}

static char *predictions_text(const char *cell)
{
    char *path = cell_path(cell, "model/predictions/step-8.jsonl"), *text = NULL;
    assert_ok(ebm_file_read(path, 1 << 20, &text, NULL));
    free(path);
    return text;
}

// A shard makes its own cells only: numbers 0 to 5, seed by seed.
static void shards_share_the_cells(void **state)
{
    char *before = predictions_text(CELL("joint-K=2", "1"));
    remove_cell(CELL("joint-K=2", "1"));    // the third
    remove_cell(CELL("CE-scale=0.5", "2")); // the fifth
    ran r = run(COMPARE, "--shard", "2/3");
    assert_int_equal(r.code, 0);
    if (!strstr(r.err, "joint K=2, seed 1: ") || strstr(r.err, "CE scale=0.5, seed 2: ")) fail_msg("%s", r.err);
    if (!strstr(r.out, "1 of 2")) fail_msg("%s", r.out); // the table says what is missing
    free_ran(&r);
    char *after = predictions_text(CELL("joint-K=2", "1"));
    assert_string_equal(before, after); // the same bits
    free(before);
    free(after);
}

static void a_cell_another_process_works_on_is_left_to_it(void **state)
{
    char *path = cell_path(CELL("CE-scale=0.5", "2"), "");
    assert_ok(ebm_directory_make(path));
    free(path);
    path = cell_path(CELL("CE-scale=0.5", "2"), "lock");
    const int other = open(path, O_RDWR | O_CREAT, 0666);
    assert_true(other >= 0 && flock(other, LOCK_EX | LOCK_NB) == 0);
    ran r = run(COMPARE);
    assert_int_equal(r.code, 0);
    if (!strstr(r.err, "1 cells are being made by other processes")) fail_msg("%s", r.err);
    free_ran(&r);
    close(other);
    free(path);
}

static void a_failed_cell_says_why_and_stops_nothing(void **state)
{
    char *good = get("noise.txt");
    remove_cell(CELL("joint-K=2", "2"));
    put("noise.txt", "");
    ran r = run(COMPARE);
    assert_int_equal(r.code, 2);
    if (!strstr(r.err, "films, joint K=2, seed 2: failed: training: noise.txt")) fail_msg("%s", r.err);
    if (!strstr(r.err, "1 of 6 cells failed")) fail_msg("%s", r.err);
    if (!strstr(r.err, "films, CE scale=0.5, seed 2: ")) fail_msg("%s", r.err); // the one left before
    if (!strstr(r.out, "joint K=2")) fail_msg("%s", r.out);
    free_ran(&r);
    put("noise.txt", good);
    free(good);
    r = run(COMPARE);
    assert_int_equal(r.code, 0);
    free_ran(&r);
    char *why = cell_path(CELL("joint-K=2", "2"), "failed.txt");
    assert_false(ebm_file_exists(why));
    free(why);
}

static void put_changed(const char *from, const char *to)
{
    char *copy = strdup(COMPARISON), *at = strstr(copy, from), *text = NULL;
    assert_non_null(at);
    *at = 0;
    assert_true(asprintf(&text, "%s%s%s", copy, to, at + strlen(from)) > 0);
    put("changed.json", text);
    free(text);
    free(copy);
}

#define CHANGED "compare", "--comparison", "changed.json", "--output_dir"

// From the same cells: what annotators say is read beside them.
static void annotators_are_columns_of_the_texts(void **state)
{
    put_changed("\"validation_file\": \"dev.tsv\",",
                "\"validation_file\": \"dev.tsv\", \"annotator_columns\": [\"one\", \"two\"],");
    ran r = run(CHANGED, "out");
    if (r.code != 0 || !strstr(r.out, "films: agreement with annotators") || !strstr(r.out, "human CE"))
        fail_msg("%s%s", r.out, r.err);
    free_ran(&r);
    char *page = get("out/report.html");
    assert_non_null(strstr(page, "Agreement with annotators"));
    free(page);
    r = run(CHANGED, "out", "--json");
    json_t *agreement = json_loads(r.out, 0, NULL);
    free_ran(&r);
    double distance = 0;
    for (int seed = 1; seed <= 2; seed++) {
        ebm_read_predictions read = predictions_at(seed == 1 ? CELL("joint-K=2", "1") : CELL("joint-K=2", "2"), 8);
        for (size_t i = 0; i < read.rows.count; i++) { // both halves are of one size
            const float *f = read.rows.logits + 2 * i;
            distance += fabs(1 / (1 + exp((double)f[0] - (double)f[1])) - (read.rows.label[i] == 1 ? 1 : 0.5)) /
                        (double)(2 * read.rows.count);
        }
        ebm_read_predictions_free(&read);
    }
    const json_t *joint = json_object_get(method_of(agreement, "joint K=2"), "raw");
    check_close("total variation", number(joint, "human_total_variation"), distance, 1e-8);
    assert_true(isfinite(number(json_object_get(method_of(agreement, "mean"), "raw"), "human_total_variation")));
    json_decref(agreement);
    put_changed("\"validation_file\": \"dev.tsv\",",
                "\"validation_file\": \"dev.tsv\", \"annotator_columns\": [\"three\"],");
    assert_bad("annotator_columns of films: dev.tsv:1: expected a column three, found", CHANGED, "out");
    put_changed("\"validation_file\": \"dev.tsv\",",
                "\"validation_file\": \"dev.tsv\", \"annotator_columns\": \"one\",");
    assert_bad("'annotator_columns' must be a list of names of columns", CHANGED, "out");
}

static void a_cell_of_other_settings_is_not_taken(void **state)
{
    put_changed("1e-3", "2e-3");
    assert_bad("seed-1 is done with learning_rate 0.001, now it is 0.002", CHANGED, "out");
    put_changed("\"logging_steps\": 1, ", "");
    assert_bad("is done with logging_steps, now that is not there", CHANGED, "out");
}

static void a_wrong_comparison_is_refused_at_once(void **state)
{
    static const char *const changes[][3] = {
        {"\"seeds\": [1, 2], \"scale\"", "\"seed\": [1], \"scale\"", "unknown key 'seed'; did you mean 'seeds'?"},
        {"\"seeds\": [1, 2], \"scale\"", "\"seeds\": [1, 1], \"scale\"", "seed 1 is there twice"},
        {"\"seeds\": [1, 2], \"scale\"", "\"seeds\": [], \"scale\"", "'seeds' must be a list"},
        {"\"scale\": 2", "\"scale\": 0", "'scale' must be a number above 0"},
        {"\"scale\": 2", "\"halves\": \"odd\"", "'halves' must be \"random\" or \"file\""},
        {"\"name\": \"films\", ", "", "task 1: a 'name'"},
        {"\"validation_file\": \"dev.tsv\",", "", "task 1: 'task_name' with 'data_dir', or"},
        {"\"noise_file\": \"noise.txt\"", "", "one of 'options', 'noise_model' and 'noise_file'"},
        {"\"noise\": {\"noise_file\": \"noise.txt\"},", "", "method 'joint K=2' is joint and task 'films' has no"},
        {"\"noise_ratio\": [2]", "\"noise_ratio\": []", "'noise_ratio' is an empty list"},
        {"\"of\": \"CE scale=1\", \"stop\"", "\"of\": \"CE scale=2\", \"stop\"", "did you mean 'CE scale=1'?"},
        {"\"stop\": \"nll\"", "\"stop\": \"nil\"", "'stop' must be \"nll\""},
        {"\"stop\": \"nll\"", "\"stop\": \"nll\", \"as\": \"CE\"", "'as' names a method"},
        {"\"stop\": \"nll\"", "\"stop\": \"nll\", \"average\": true", "one of 'stop', 'average' and 'predict'"},
        {"\"name\": \"mean\"", "\"name\": \"early\"", "two methods are named 'early'"},
        {"\"seeds\": [1, 2]},", "\"tasks\": [\"film\"]},", "no task is named 'film'"},
        {"{\"model_name_or_path\"", "{{", "changed.json:1: "},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        put_changed(changes[i][0], changes[i][1]);
        assert_bad(changes[i][2], CHANGED, "new");
    }
    assert_bad("no-such.json", "compare", "--comparison", "no-such.json", "--output_dir", "new");
    assert_bad("--shard: i/n with 0 <= i < n expected, found '3/3'", COMPARE, "--shard", "3/3");
    assert_bad("--shard: i/n with", COMPARE, "--shard", "one");
}

static void expect_kept_methods(const char *const *names, size_t count)
{
    char *text = get("chosen/comparison.json");
    json_t *kept = json_loads(text, 0, NULL), *methods = json_object_get(kept, "methods");
    assert_int_equal(json_array_size(methods), count);
    for (size_t i = 0; i < count; i++) assert_string_equal(string(json_array_get(methods, i), "name"), names[i]);
    json_decref(kept);
    free(text);
}

// A comparison that names no methods has some, joint ones where there is noise and an ensemble where there are seeds;
// all of them come to an end.
static void without_methods_there_are_some(void **state)
{
    static const char *const plain[] = {"CE",     "focal loss",        "label smoothing",
                                        "PosCal", "CE stopped by NLL", "MC dropout"};
    static const char *const all[] = {"CE",
                                      "joint",
                                      "joint, focal loss",
                                      "focal loss",
                                      "label smoothing",
                                      "PosCal",
                                      "CE stopped by NLL",
                                      "CE at joint's training CE",
                                      "MC dropout",
                                      "ensemble"};
    static const char *const start =
        "{\"model_name_or_path\": \"model\", \"seeds\": [%s], \"options\": {\"max_steps\":"
        " 2, \"eval_steps\": 1, \"logging_steps\": 1, \"max_seq_length\": 16%s}, \"tasks\":"
        " [{\"name\": \"films\", \"train_file\": \"train.tsv\", \"validation_file\":"
        " \"dev.tsv\"%s}]}";
    char text[600];
    snprintf(text, sizeof text, start, "1", "", "");
    put("changed.json", text);
    ran r = run(CHANGED, "chosen", "--only_table");
    if (!strstr(r.err, "without 'noise' for every task joint training is not among")) fail_msg("%s", r.err);
    free_ran(&r);
    expect_kept_methods(plain, sizeof plain / sizeof *plain);

    snprintf(text, sizeof text, start, "1, 2", ", \"noise_source\": \"shuffle\"", "");
    put("changed.json", text);
    r = run(CHANGED, "chosen", "--only_table");
    if (r.code != 0 || !strstr(r.err, "12 methods, 16 cells, 0 of them done")) fail_msg("%s", r.err);
    free_ran(&r);
    expect_kept_methods(all, sizeof all / sizeof *all);

    snprintf(text, sizeof text, start, "1", "", ", \"noise\": {\"noise_file\": \"noise.txt\"}");
    put("changed.json", text);
    r = run(CHANGED, "chosen", "--json");
    json_t *table = json_loads(r.out, 0, NULL);
    if (r.code != 0 || !table) fail_msg("%d: %s", r.code, r.err);
    const json_t *list = json_object_get(json_array_get(json_object_get(table, "tasks"), 0), "methods");
    assert_int_equal(json_array_size(list), 11);
    for (size_t i = 0; i < json_array_size(list); i++)
        assert_true(number(json_object_get(json_array_get(list, i), "raw"), "nll") > 0);
    json_decref(table);
    free_ran(&r);
}

// An option that ebmcl train does not know fails its own cells, before any text is read.
static void an_unknown_option_fails_its_cell(void **state)
{
    put("changed.json", "{\"model_name_or_path\": \"model\", \"seeds\": [1], \"tasks\": [{\"name\": \"films\","
                        " \"train_file\": \"train.tsv\", \"validation_file\": \"dev.tsv\"}],"
                        " \"methods\": [{\"name\": \"CE\", \"options\": {\"learning_rat\": 1}},"
                        " {\"name\": \"joint\", \"options\": {\"objective\": \"joint\", \"noise_source\":"
                        " \"shuffle\", \"learning_rat\": 1}}]}");
    ran r = run(CHANGED, "unknown");
    assert_int_equal(r.code, 2);
    if (!strstr(r.err, "unknown option learning_rat, the nearest is learning_rate")) fail_msg("%s", r.err);
    if (!strstr(r.err, "2 of 2 cells failed")) fail_msg("%s", r.err);
    if (!strstr(r.out, "nothing is done yet")) fail_msg("%s", r.out);
    free_ran(&r);
}

// `ebmcl compare changed.json FOLDER`, its words in a file.
static pid_t start_comparison(const char *into, FILE **err)
{
    *err = tmpfile();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        become_program(folder, (const char *const[]){CHANGED, into, NULL}, NULL, fileno(*err), fileno(*err));
    return child;
}

static void stop_comparison(pid_t child)
{
    int status = 0;
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 130);
}

// Whether the file says `part` within a minute.
static bool comes_to_say(const char *path, const char *part)
{
    for (int i = 0; i < 3000; i++, usleep(20000)) {
        char *text = NULL;
        if (ebm_file_read(path, 1 << 20, &text, NULL).code != EBM_OK) continue;
        const bool says = strstr(text, part) != NULL;
        free(text);
        if (says) return true;
    }
    return false;
}

// The comparison in `into` is stopped once the log of its training in `part` says `begun`; the next run, stopped as
// well, gives that training its checkpoint.
static void check_goes_on(const char *into, const char *part, const char *log_name, const char *begun)
{
    char *log = cell_path(part, log_name), *options = cell_path(part, "train.json"), *kept = NULL;
    assert_true(asprintf(&kept, "\"resume_from_checkpoint\": \"%s/model/checkpoint-", part) > 0);
    FILE *err;
    pid_t child = start_comparison(into, &err);
    assert_true(comes_to_say(log, begun));
    stop_comparison(child);
    char *said = text_of(err);
    if (!strstr(said, "stopped with 0 of 1 cells done; the same command goes on")) fail_msg("%s", said);
    free(said);
    child = start_comparison(into, &err);
    assert_true(comes_to_say(options, kept));
    stop_comparison(child);
    fclose(err);
    free(log);
    free(options);
    free(kept);
}

static void a_stopped_comparison_goes_on(void **state)
{
    put("changed.json", "{\"model_name_or_path\": \"model\", \"seeds\": [1], \"tasks\": [{\"name\": \"films\","
                        " \"train_file\": \"train.tsv\", \"validation_file\": \"dev.tsv\"}],"
                        " \"options\": {\"max_steps\": 4000, \"eval_steps\": 4000, \"max_seq_length\": 16},"
                        " \"methods\": [{\"name\": \"CE\"}]}");
    check_goes_on("long", "long/cells/films/CE/seed-1", "model/trainer_log.jsonl", "");
    char *kept = get("long/cells/films/CE/seed-1/stopped.json");
    json_t *stopped = json_loads(kept, 0, NULL);
    assert_true(number(stopped, "seconds") > 0);
    json_decref(stopped);
    free(kept);
}

static void a_stopped_noise_model_is_trained_on(void **state)
{
    put("changed.json", "{\"model_name_or_path\": \"model\", \"seeds\": [1], \"tasks\": [{\"name\": \"films\","
                        " \"train_file\": \"train.tsv\", \"validation_file\": \"dev.tsv\", \"noise\": {\"options\":"
                        " {\"layers\": 1, \"hidden\": 32, \"max_steps\": 100000, \"eval_steps\": 100000}}}],"
                        " \"options\": {\"max_steps\": 4, \"max_seq_length\": 16},"
                        " \"methods\": [{\"name\": \"joint\", \"options\": {\"objective\": \"joint\"}}]}");
    check_goes_on("noisy", "noisy/noise/films/noise", "log.txt", "held out");
}

static int free_all(void **state)
{
    json_decref(results);
    return remove_files(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_made_once),
        cmocka_unit_test(joint_cells_are_the_papers),
        cmocka_unit_test(scales_multiply_the_steps),
        cmocka_unit_test(values_are_means_over_seeds_and_halves),
        cmocka_unit_test(stopping_is_chosen_on_the_other_half),
        cmocka_unit_test(stopping_at_equal_training_cross_entropy),
        cmocka_unit_test(an_ensemble_averages_probabilities),
        cmocka_unit_test(other_ways_of_predicting_are_rows_too),
        cmocka_unit_test(the_files_hold_every_method),
        cmocka_unit_test(the_page_takes_long_texts_and_torn_logs),
        cmocka_unit_test(shards_share_the_cells),
        cmocka_unit_test(a_cell_another_process_works_on_is_left_to_it),
        cmocka_unit_test(a_failed_cell_says_why_and_stops_nothing),
        cmocka_unit_test(annotators_are_columns_of_the_texts),
        cmocka_unit_test(a_cell_of_other_settings_is_not_taken),
        cmocka_unit_test(a_wrong_comparison_is_refused_at_once),
        cmocka_unit_test(without_methods_there_are_some),
        cmocka_unit_test(an_unknown_option_fails_its_cell),
        cmocka_unit_test(a_stopped_comparison_goes_on),
        cmocka_unit_test(a_stopped_noise_model_is_trained_on),
    };
    return cmocka_run_group_tests(tests, make_files, free_all);
}
