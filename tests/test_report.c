// What a run leaves for people to look at: predictions, and pages of HTML that are well-formed, whatever texts, labels
// and directories are called, with the numbers of the metrics' library.
#include <math.h>

#include "command.h"
#include "example_file.h"
#include "html_report.h"
#include "markup.h"
#include "report.h"
#include "tiny_model.h"

// A name that would be markup.
static const char *const NAMES[] = {"<script>alert(1)</script>", "good & \"fine\""};

static void train(const char *output_dir, const char *objective, const char *option, const char *value)
{
    char *encoder = in_folder(folder, "encoder"), *output = in_folder(folder, output_dir);
    const bool joint = strcmp(objective, "joint") == 0;
    json_t *result =
        json_of(run("train", "--model_name_or_path", encoder, "--train_file", "train.tsv", "--validation_file",
                    "train.tsv", "--max_seq_length", "16", "--max_steps", "4", "--eval_steps", "2", "--logging_steps",
                    "1", "--save_steps", "0", "--learning_rate", "1e-3", "--objective", objective, option, value,
                    "--output_dir", output, "--json", joint ? "--noise_file" : NULL, "noise.txt"));
    json_decref(result);
    free(encoder);
    free(output);
}

static int make_files(void **state)
{
    make_folder_with_model("encoder", NAMES);
    put_texts("train.tsv", "sentence\tlabel", NAMES);
    put("noise.txt", "the bad is good\ncold cast the was\nplot a dull but\nfine and warm\n");
    train("ce", "ce", "--no_report", "true");
    train("joint", "joint", "--metric_for_best_model", "nll");
    return 0;
}

static ebm_examples read_examples(const char *name, bool needs_labels)
{
    char *path = in_folder(folder, name);
    ebm_examples e;
    assert_ok(ebm_examples_read(path, needs_labels, &e));
    free(path);
    return e;
}

static void check_same_numbers(const char *model)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", model, EBM_EVAL_PREDICTIONS) > 0);
    json_t *of_model = json_of(run("eval", "--model_name_or_path", model, "--validation_file", "train.tsv", "--json"));
    json_t *of_file = json_of(run("eval", "--predictions", path, "--json"));
    static const char *const names[] = {"accuracy",        "f1", "nll", "nll_low", "brier", "ece_class_wise",
                                        "ece_pooled_floor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(number(of_model, names[i]) == number(of_file, names[i]));
    json_decref(of_model);
    json_decref(of_file);
    free(path);
}

static void a_run_leaves_its_predictions(void **state)
{
    check_same_numbers("ce");
    check_same_numbers("joint");
    ebm_examples ce = read_examples("ce/" EBM_EVAL_PREDICTIONS, true);
    ebm_examples joint = read_examples("joint/" EBM_EVAL_PREDICTIONS, true);
    assert_null(ce.read.energy);
    assert_non_null(joint.read.energy);
    assert_int_equal(ce.read.rows.count, ROWS);
    for (size_t i = 0; i < ROWS; i++) assert_string_equal(ce.text[i], TEXTS[i]);
    for (size_t i = 0; i < ROWS; i++) assert_string_equal(ce.names[ce.read.label[i]], NAMES[LABELS[i]]);
    ebm_examples_free(&ce);
    ebm_examples_free(&joint);
    assert_false(ebm_file_exists("ce/" EBM_NOISE_PREDICTIONS));
}

// Two of the four texts of the file are held out; the tokenizer knows all words.
static void a_joint_run_leaves_those_of_noise(void **state)
{
    ebm_examples noise = read_examples("joint/" EBM_NOISE_PREDICTIONS, false);
    char *texts = get("noise.txt");
    assert_int_equal(noise.read.rows.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(noise.text[i][0] && strstr(texts, noise.text[i]));
        assert_null(noise.text_pair[i]);
        const double f[2] = {(double)noise.read.logits[2 * i], (double)noise.read.logits[2 * i + 1]};
        const double largest = fmax(f[0], f[1]), energy = -largest - log(exp(f[0] - largest) + exp(f[1] - largest));
        // The hidden energy: -logsumexp f.
        assert_true(fabs((double)noise.read.energy[i] - energy) < 1e-4 * (1 + fabs(energy)));
    }
    free(texts);
    ebm_examples_free(&noise);
}

// ---- the page

static char *page_of(const char *const *directories, size_t count)
{
    char *paths[4], *page = in_folder(folder, "page.html"), *text = NULL;
    assert_true(count <= 4);
    for (size_t i = 0; i < count; i++) paths[i] = in_folder(folder, directories[i]);
    const ebm_html_report report = {.directories = (const char *const *)paths, .count = count, .made_with = "tests"};
    assert_ok(ebm_html_report_write(&report, page));
    assert_ok(ebm_file_read(page, 1 << 24, &text, NULL));
    assert_page(text);
    assert_int_equal(unlink(page), 0);
    for (size_t i = 0; i < count; i++) free(paths[i]);
    free(page);
    return text;
}
#define PAGE_OF(...)                                                                                                   \
    page_of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void assert_has(const char *page, const char *part)
{
    if (!strstr(page, part)) fail_msg("\"%s\" is not in the page", part);
}

static void assert_lacks(const char *page, const char *part)
{
    if (strstr(page, part)) fail_msg("\"%s\" is in the page", part);
}

static void check_numbers(const char *page, const ebm_examples *e)
{
    const ebm_evaluation_options options = ebm_evaluation_defaults();
    ebm_evaluation evaluation;
    char part[160];
    assert_ok(ebm_evaluate(&e->read.rows, &options, &evaluation));
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        if (m == EBM_MATTHEWS) continue; // the same, but perhaps -0.0000
        int length = snprintf(part, sizeof part, "<td>%.4f<small>%.4f to %.4f", evaluation.value[m],
                              evaluation.interval[m].low, evaluation.interval[m].high);
        if (m >= EBM_ECE_CLASS_WISE) {
            const ebm_floor floor = evaluation.floor[m - EBM_ECE_CLASS_WISE];
            snprintf(part + length, sizeof part - (size_t)length, "\nfloor %.4f, 95 %%: %.4f\np = %.3f</small>",
                     floor.mean, floor.high, floor.p);
        }
        assert_has(page, part);
    }
}

static void a_page_has_the_numbers_of_the_library(void **state)
{
    ebm_examples e = read_examples("ce/" EBM_EVAL_PREDICTIONS, true);
    char *page = PAGE_OF("ce");
    static const char *const parts[] = {"<h1>Report on ce</h1>",
                                        "<h2>Metrics</h2>",
                                        "<h2>Reliability</h2>",
                                        "<h2>Selective prediction</h2>",
                                        "<h2>Energies</h2>",
                                        "<h2>Training</h2>",
                                        "<h2>Wrong answers given with confidence</h2>",
                                        "<h2>Settings</h2>",
                                        "12 texts are too few to fit a temperature",
                                        "ce: free energies",
                                        "Made with tests."};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_has(page, parts[i]);
    check_numbers(page, &e);
    assert_lacks(page, folder); // no path of this machine
    assert_lacks(page, "NCE loss");
    char *again = PAGE_OF("ce");
    assert_string_equal(page, again);
    ebm_examples_free(&e);
    free(again);
    free(page);
}

static void a_joint_run_has_more(void **state)
{
    char *page = PAGE_OF("joint");
    static const char *const parts[] = {"joint: energies",
                                        ">noise</span>",
                                        "NCE loss",
                                        "Mean of exp(-E) over noise",
                                        "joint: mean energies while training",
                                        "Risk against coverage, by energy",
                                        "Data told from other texts by the energy"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) assert_has(page, parts[i]);
    free(page);
}

static void runs_stand_side_by_side(void **state)
{
    char *page = PAGE_OF("ce", "joint", "ce");
    assert_has(page,
               "objective *</th><td class=\"text\">ce</td><td class=\"text\">joint</td><td class=\"text\">ce</td>");
    assert_has(page, "max_steps</th>");
    assert_has(page, "/ce (3)"); // the same directory twice: told apart by number
    free(page);
}

// ---- folders made by hand

static void put_in(const char *directory, const char *name, const char *text)
{
    char *path = in_folder(folder, directory), *file = in_folder(path, name);
    assert_ok(ebm_directory_make(path));
    put_file(file, text, strlen(text));
    free(file);
    free(path);
}

// 60 texts of which the model is too sure, one energy each.
static void put_predictions(const char *directory, const char *name, const char *text, double shift)
{
    char *rows = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&rows, &size);
    assert_non_null(out);
    for (int i = 0; i < 60; i++) {
        const int label = i * 7 % 3 == 0, answer = i % 4 == 0 ? !label : label;
        const double f = answer ? 1 + i % 5 : -1 - i % 5;
        fprintf(
            out,
            "{\"text\": \"%s %d\", \"label\": \"%s\", \"label_id\": %d, \"prediction\": \"%s\", \"logits\": [0, %g], "
            "\"energy\": %g}\n",
            text, i, label ? "<i>b" : "a", label, answer ? "<i>b" : "a", f, shift + i % 11);
    }
    assert_int_equal(fclose(out), 0);
    put_in(directory, name, rows);
    free(rows);
}

static void nothing_of_users_is_markup(void **state)
{
    static const char nasty[] = "<script>alert(2)&quot;\" onload=x";
    put_predictions(nasty, EBM_EVAL_PREDICTIONS,
                    "</td><script src=//x.example/y.js></script><img src=x onerror=alert(3)>", 0);
    put_predictions(nasty, "ood_<b>far away_predictions.jsonl", "x", 30);
    put_in(nasty, "training_args.json",
           "{\"<script>\": \"</table><script>\", \"train_file\": \"/home/somebody/t.csv\"}");
    put_in(nasty, "train_results.json", "{\"device\": \"<svg onload=alert(4)>\", \"list\": [1, \"<b>\"]}");
    put_in(nasty, "trainer_log.jsonl",
           "{\"step\": 1, \"loss\": 2, \"<b>\": 3}\n{\"step\": 2, \"loss\": 1}\n{\"step\": 3, ");
    char *page = PAGE_OF(nasty);
    assert_lacks(page, "<script");
    assert_lacks(page, "<img");
    assert_lacks(page, "/home/somebody");
    assert_has(page, "&lt;b&gt;far away</span>");
    assert_has(page, "true: &lt;i&gt;b; predicted: a");
    assert_has(page, "AUROC");
    free(page);
}

static void a_temperature_is_judged_on_other_texts(void **state)
{
    put_predictions("sure", EBM_EVAL_PREDICTIONS, "x", 0);
    char *page = PAGE_OF("sure");
    assert_has(page,
               "was fitted for this report on the first half of the texts (30) and is judged on the second half.");
    assert_has(page, "<th scope=\"row\">texts</th><td>30</td><td>30</td>");
    free(page);
    // Stored beside the model: which half it was fitted on is known from its record, or it is said that it is not.
    put_in("sure", "calibration.json",
           "{\"temperature\": 2.5, \"fitted_on\": \"dev.tsv, first-half\", \"examples\": 30, "
           "\"nll_before\": 1, \"nll_after\": 0.5}");
    page = PAGE_OF("sure");
    assert_has(page,
               "The calibrator of calibration.json (temperature 2.5), fitted on dev.tsv, first-half, 30 texts. It is "
               "judged on the other half");
    assert_has(page, "<th scope=\"row\">texts</th><td>30</td><td>30</td>");
    free(page);
    put_in("sure", "calibration.json",
           "{\"temperature\": 2.5, \"fitted_on\": \"dev.tsv\", \"examples\": 60, "
           "\"nll_before\": 1, \"nll_after\": 0.5}");
    page = PAGE_OF("sure");
    assert_has(page, "its numbers are too good.");
    assert_has(page, "<th scope=\"row\">texts</th><td>60</td><td>60</td>");
    ebm_examples e = read_examples("sure/" EBM_EVAL_PREDICTIONS, true);
    double value[EBM_METRICS];
    char part[64];
    assert_ok(ebm_metrics(&e.read.rows, 2.5, EBM_BINS_DEFAULT, value));
    snprintf(part, sizeof part, "<td>%.4f<small>", value[EBM_NLL]);
    assert_has(page, part);
    ebm_examples_free(&e);
    free(page);
}

static void what_is_missing_is_said(void **state)
{
    put_in("log", "trainer_log.jsonl", "{\"step\": 1, \"loss\": 2}\n{\"step\": 2, \"loss\": 1}\n");
    char *results = get("ce/eval_results.json");
    put_in("results", "eval_results.json", results);
    char *page = PAGE_OF("log", "results", "ce");
    assert_has(page, "log has neither eval_predictions.jsonl nor eval_results.json");
    assert_has(page, "results has no eval_predictions.jsonl: its metrics are those of eval_results.json");
    assert_has(page, "results has no trainer_log.jsonl");
    assert_has(page, "log has no training_args.json");
    ebm_examples e = read_examples("ce/" EBM_EVAL_PREDICTIONS, true);
    check_numbers(page, &e); // twice: read from the results, and measured
    ebm_examples_free(&e);
    free(page);
    page = PAGE_OF("log");
    assert_has(page, "Training loss");
    assert_lacks(page, "<h2>Metrics</h2>");
    free(page);
    free(results);
}

static void bad_folders_are_refused(void **state)
{
    put_in("empty", "other.txt", "x");
    put_in("bad-log", "trainer_log.jsonl", "{\"step\": 1}\nnot json\n{\"step\": 2}\n");
    put_in("bad-rows", EBM_EVAL_PREDICTIONS,
           "{\"label\": 0, \"logits\": [1, 2]}\n{\"label\": 7, \"logits\": [1, 2]}\n");
    put_in("bad-noise", EBM_NOISE_PREDICTIONS, "[]\n");
    put_in("bad-args", "training_args.json", "[1, 2]");
    put_in("bad-results", "eval_results.json", "{\"accuracy\": \"x\", \"reliability\": [1, 2, 3]}");
    assert_bad("nothing to report", "report", "empty", "--output_file", "page.html");
    assert_bad("nowhere: no such directory", "report", "ce", "nowhere", "--output_file", "page.html");
    assert_bad("trainer_log.jsonl:2: ", "report", "bad-log", "--output_file", "page.html");
    assert_bad("eval_predictions.jsonl:2: ", "report", "bad-rows", "--output_file", "page.html");
    assert_bad("noise_predictions.jsonl:1: ", "report", "bad-noise", "--output_file", "page.html");
    assert_bad("training_args.json", "report", "bad-args", "--output_file", "page.html");
    assert_bad("nowhere/page.html", "report", "ce", "--output_file", "nowhere/page.html");
    assert_bad("--output_file", "report", "ce");
    assert_bad("at least one output directory", "report", "--output_file", "page.html");
    assert_bad_with("page.html", PARTS("report", "ce", "--output_file", "page.html"), &(run_with){.file_bytes = 4096});
    char *page = PAGE_OF("bad-results"); // odd values are values that are not there
    assert_lacks(page, "<h2>Metrics</h2>");
    free(page);
}

static void the_command_writes_a_page(void **state)
{
    put("page.html", "old");
    json_t *result =
        json_of(run("report", "ce", "joint/", "--output_file", "page.html", "--title", "A <title>", "--json"));
    assert_true(number(result, "runs") == 2);
    char *page = get("page.html");
    assert_page(page);
    assert_has(page, "<h1>A &lt;title&gt;</h1>");
    assert_has(page, ">joint, largest probability</th>");
    free(page);
    json_decref(result);
}

static void training_leaves_a_page(void **state)
{
    char *page = get("joint/report.html"), *left_out = in_folder(folder, "ce/report.html");
    assert_page(page);
    assert_has(page, "<h1>Report on joint</h1>");
    assert_lacks(page, folder);
    assert_false(ebm_file_exists(left_out));
    free(left_out);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_leaves_its_predictions),
        cmocka_unit_test(a_joint_run_leaves_those_of_noise),
        cmocka_unit_test(a_page_has_the_numbers_of_the_library),
        cmocka_unit_test(a_joint_run_has_more),
        cmocka_unit_test(runs_stand_side_by_side),
        cmocka_unit_test(nothing_of_users_is_markup),
        cmocka_unit_test(a_temperature_is_judged_on_other_texts),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(bad_folders_are_refused),
        cmocka_unit_test(the_command_writes_a_page),
        cmocka_unit_test(training_leaves_a_page),
    };
    return cmocka_run_group_tests_name("report", tests, make_files, remove_files);
}
