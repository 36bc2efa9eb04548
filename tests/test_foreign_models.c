// Models that others fine-tuned: whatever their labels are called and however they are ordered, texts are scored
// against the right ones, or the sentence says how to tell. The model is the one transformers wrote.
#include <math.h>

#include "command.h"

enum { LABELS_OF_MODEL = 3, VOCABULARY = 60 };
static const char *const TASK[] = {"entailment", "neutral", "contradiction"}; // MNLI's, in its order
static const int TRUTH[ROWS] = {0, 0, 0, 2, 2, 1, 1, 2, 1, 1, 0, 2};
static int answers[ROWS]; // ids the model gives

static void copy(const char *from, const char *model, const char *file)
{
    char *to = NULL;
    assert_true(asprintf(&to, "%s/%s/%s", folder, model, file) > 0);
    assert_ok(ebm_file_copy(from, to));
    free(to);
}

static void put_vocabulary(const char *model)
{
    static const char *const words[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the",  "a",    "film",
                                        "plot",  "cast",  "is",    "was",   "not",    "very", "good", "bad",
                                        "dull",  "fine",  "warm",  "cold",  "and",    "but",  ".",    ","};
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s/vocab.txt", folder, model) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < VOCABULARY; i++) {
        if (i < sizeof words / sizeof *words)
            fprintf(file, "%s\n", words[i]);
        else
            fprintf(file, "[unused%zu]\n", i);
    }
    assert_int_equal(fclose(file), 0);
    free(path);
}

// transformers' model with these label names; NULL: without id2label, only num_labels. more: keys to be set.
static void make_model(const char *model, const char *const *names, json_t *more)
{
    char *directory = in_folder(folder, model), *path = in_folder(directory, "config.json");
    char *weights = in_folder(folder, "weights"); // see centre
    assert_ok(ebm_directory_make(directory));
    copy(FIXTURES "/models/bert/config.json", model, "config.json");
    copy(ebm_file_exists(weights) ? weights : FIXTURES "/models/bert/model.safetensors", model, "model.safetensors");
    put_vocabulary(model);
    json_t *config = json_load_file(path, 0, NULL), *table = json_object(), *ids = json_object();
    assert_non_null(config);
    for (size_t i = 0; names && names[i]; i++) {
        char id[32];
        snprintf(id, sizeof id, "%zu", i);
        json_object_set_new(table, id, json_string(names[i]));
        json_object_set_new(ids, names[i], json_integer((json_int_t)i));
    }
    json_object_del(config, "id2label");
    json_object_del(config, "label2id");
    json_object_set_new(config, "num_labels", json_integer(LABELS_OF_MODEL));
    if (names) assert_int_equal(json_object_set(config, "id2label", table), 0);
    if (names) assert_int_equal(json_object_set(config, "label2id", ids), 0);
    if (more) assert_int_equal(json_object_update(config, more), 0);
    assert_int_equal(json_dump_file(config, path, JSON_INDENT(2)), 0);
    json_decref(more);
    json_decref(config);
    json_decref(table);
    json_decref(ids);
    free(path);
    free(weights);
    free(directory);
}
#define NAMED(...) ((const char *const[]){__VA_ARGS__, NULL})

static void put_pairs(const char *name, const char *const *labels)
{
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("sentence1\tsentence2\tgold_label\n", file);
    for (int i = 0; i < ROWS; i++) fprintf(file, "%s\t%s\t%s\n", TEXTS[i], TEXTS[(i + 5) % ROWS], labels[TRUTH[i]]);
    assert_int_equal(fclose(file), 0);
    free(path);
}

// Fills answers and the mean logits.
static void read_answers(double mean[LABELS_OF_MODEL])
{
    ran r =
        run("predict", "--model_name_or_path", "numbered", "--test_file", "mnli.tsv", "--output_file", "answers.jsonl");
    if (r.code != 0) fail_msg("%s", r.err);
    char *text = get("answers.jsonl"), *rest = text;
    memset(mean, 0, LABELS_OF_MODEL * sizeof *mean);
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        answers[i] = (int)number(row, "label_id");
        for (size_t y = 0; y < LABELS_OF_MODEL; y++) mean[y] += at(row, "logits", y) / ROWS;
        json_decref(row);
    }
    free(text);
    free_ran(&r);
}

// The fixture gives every text the same answer. Without the logits' mean, taken from the classifier's bias in the file,
// answers differ.
static void centre(void)
{
    double mean[LABELS_OF_MODEL];
    char *path = in_folder(folder, "weights"), *bytes = NULL;
    size_t size = 0;
    uint64_t header_bytes = 0;
    read_answers(mean);
    assert_ok(ebm_file_read(FIXTURES "/models/bert/model.safetensors", 1 << 24, &bytes, &size));
    memcpy(&header_bytes, bytes, sizeof header_bytes);
    json_t *header = json_loadb(bytes + 8, header_bytes, 0, NULL);
    const json_t *place = json_object_get(json_object_get(header, "classifier.bias"), "data_offsets");
    char *at_bias = bytes + 8 + header_bytes + json_integer_value(json_array_get(place, 0));
    float bias[LABELS_OF_MODEL];
    memcpy(bias, at_bias, sizeof bias);
    for (size_t y = 0; y < LABELS_OF_MODEL; y++) bias[y] -= (float)mean[y];
    memcpy(at_bias, bias, sizeof bias);
    put_file(path, bytes, size);
    json_decref(header);
    free(bytes);
    free(path);
}

static int make_files(void **state)
{
    double mean[LABELS_OF_MODEL];
    if (!mkdtemp(folder)) return -1;
    put_pairs("mnli.tsv", TASK);
    make_model("numbered", NULL, NULL);
    centre();
    make_model("numbered", NULL, NULL);
    read_answers(mean);
    make_model("bare", NAMED("0", "1", "2"), NULL);
    make_model("label", NAMED("LABEL_0", "LABEL_1", "LABEL_2"), NULL);
    make_model("upper", NAMED("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), NULL);
    make_model("turned", NAMED("contradiction", "neutral", "entailment"), NULL);
    make_model("stars", NAMED("1 star", "2 stars", "3 stars"), NULL);
    make_model("odd", NAMED("a=b", "Not-Good", "not good, bad"), NULL);
    make_model("several", NULL, json_pack("{s:s}", "problem_type", "multi_label_classification"));
    make_model("one", NULL, json_pack("{s:i}", "num_labels", 1));
    put_pairs("ids.tsv", NAMED("0", "1", "2"));
    put_pairs("short.tsv", NAMED("e", "n", "c"));
    put_pairs("odd.tsv", NAMED("x", "not_good", "y=z"));
    return 0;
}

// What is right when truth t is the model's label to_model[t].
static double expected(int a, int b, int c)
{
    const int to_model[] = {a, b, c};
    double right = 0;
    for (int i = 0; i < ROWS; i++) right += answers[i] == to_model[TRUTH[i]];
    return right / ROWS;
}

static void check(double accuracy, ran r, const char *said)
{
    if (said && !strstr(r.err, said)) fail_msg("\"%s\" is not in: %s", said, r.err);
    if (!said && strstr(r.err, "labels: ")) fail_msg("nothing was to be said of labels: %s", r.err);
    json_t *e = json_of(r);
    if (fabs(number(e, "accuracy") - accuracy) > 1e-9)
        fail_msg("accuracy %g, expected %g", number(e, "accuracy"), accuracy);
    json_decref(e);
}
#define eval(model, file, ...)                                                                                         \
    run("eval", "--json", "--bootstrap_samples", "0", "--model_name_or_path", model, "--test_file", file, __VA_ARGS__)

// The three orders must give different numbers, or nothing below shows anything.
static void orders_can_be_told_apart(void **state)
{
    assert_true(expected(0, 1, 2) != expected(2, 1, 0) && expected(0, 1, 2) != expected(1, 2, 0));
    assert_true(expected(2, 1, 0) != expected(1, 2, 0));
}

static void task_labels_are_found_by_name(void **state)
{
    check(expected(0, 1, 2), eval("upper", "mnli.tsv", "--task_name", "mnli"), NULL);
    check(expected(2, 1, 0), eval("turned", "mnli.tsv", "--task_name", "mnli"), NULL);
    check(expected(2, 1, 0), eval("turned", "ids.tsv", "--task_name", "mnli"), NULL); // the task's ids, not the model's
}

static void numbered_labels_are_assumed_aloud(void **state)
{
    static const char *const models[] = {"numbered", "bare", "label"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        check(expected(0, 1, 2), eval(models[i], "mnli.tsv", "--task_name", "mnli"),
              "taken in the task's order, \"entailment\", \"neutral\", \"contradiction\" (--label_map says otherwise)");
        check(expected(2, 0, 1),
              eval(models[i], "mnli.tsv", "--task_name", "mnli", "--label_map", "entailment=2", "neutral=0",
                   "contradiction=1"),
              NULL);
    }
    check(expected(1, 2, 0),
          eval("label", "mnli.tsv", "--task_name", "mnli", "--label_map", "0=LABEL_1", "1=label_2", "2=LABEL_0"), NULL);
}

static void files_without_a_task(void **state)
{
    check(expected(0, 1, 2), eval("upper", "mnli.tsv", "--seed", "1"), NULL); // letter case
    check(expected(2, 1, 0), eval("turned", "mnli.tsv", "--seed", "1"), NULL);
    check(expected(0, 1, 2), eval("numbered", "ids.tsv", "--seed", "1"), NULL);
    check(expected(0, 1, 2), eval("bare", "ids.tsv", "--seed", "1"), NULL);
    check(expected(0, 1, 2), eval("turned", "ids.tsv", "--seed", "1"),
          "taken as the model's ids, 0 on: \"contradiction\", \"neutral\", \"entailment\"");
    check(expected(2, 1, 0), eval("turned", "ids.tsv", "--label_map", "0=entailment", "1=neutral", "2=contradiction"),
          NULL);
    check(expected(2, 1, 0), eval("turned", "short.tsv", "--label_map", "e=entailment", "n=NEUTRAL", "c=0"), NULL);
    check(expected(1, 2, 0), eval("stars", "short.tsv", "--label_map", "e=2 stars", "n=3_Stars", "c=1 star"), NULL);
    check(expected(2, 1, 0), eval("turned", "short.tsv", "--label_map", "e=entailment,n=neutral,c=contradiction"),
          NULL);
    check(expected(0, 1, 2), eval("odd", "odd.tsv", "--label_map", "x=a=b", "y=z=not good, bad"), NULL);
}

// Several of the texts' labels may be one of the model's: three-way data for a two-way question.
static void two_labels_may_be_one(void **state)
{
    check(expected(0, 1, 1), eval("label", "mnli.tsv", "--label_map", "entailment=0", "neutral=1", "contradiction=1"),
          NULL);
    assert_bad("predictions need a label of the model for each of the task's", "predict", "--model_name_or_path",
               "label", "--task_name", "mnli", "--test_file", "mnli.tsv", "--format", "glue", "--output_file", "no.tsv",
               "--label_map", "entailment=0", "neutral=1", "contradiction=1");
}

static void predictions_bear_the_tasks_names(void **state)
{
    ran r = run("predict", "--model_name_or_path", "label", "--task_name", "mnli", "--test_file", "mnli.tsv",
                "--output_file", "out.jsonl", "--label_map", "entailment=2", "neutral=0", "contradiction=1");
    if (r.code != 0) fail_msg("%s", r.err);
    static const char *const names[] = {"neutral", "contradiction", "entailment"}; // by the model's id
    char *text = get("out.jsonl"), *rest = text;
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        assert_string_equal(string(row, "label"), names[answers[i]]);
        json_decref(row);
    }
    free(text);
    free_ran(&r);
}

static void submissions_follow_the_map(void **state)
{
    ran r = run("predict", "--model_name_or_path", "stars", "--task_name", "mnli", "--test_file", "mnli.tsv",
                "--format", "glue", "--output_file", "out.tsv", "--label_map", "entailment=2 stars", "neutral=0",
                "contradiction=3 stars");
    if (r.code != 0) fail_msg("%s", r.err);
    static const char *const names[] = {"neutral", "entailment", "contradiction"};
    char *text = get("out.tsv"), wanted[64];
    const char *line = text;
    for (int i = 0; i < ROWS; i++) {
        line = strchr(line, '\n') + 1;
        snprintf(wanted, sizeof wanted, "%d\t%s\n", i, names[answers[i]]);
        assert_int_equal(strncmp(line, wanted, strlen(wanted)), 0);
    }
    free(text);
    free_ran(&r);
}

static void a_temperature_is_fitted_for_them_too(void **state)
{
    json_t *fit = json_of(run("calibrate", "--model_name_or_path", "turned", "--validation_file", "ids.tsv", "--json",
                              "--label_map", "0=entailment", "1=neutral", "2=contradiction", "--fold_temperature",
                              "--output_dir", "folded"));
    const double temperature = number(fit, "temperature"), nll = number(fit, "nll_after");
    json_decref(fit);
    json_t *e = json_of(eval("folded", "mnli.tsv", "--task_name", "mnli"));
    assert_true(temperature > 1); // a random model is too sure
    assert_true(fabs(number(e, "nll") - nll) < 1e-6);
    json_decref(e);
}

#define assert_bad_map(part, ...)                                                                                      \
    assert_bad(part, "eval", "--model_name_or_path", "turned", "--test_file", "short.tsv", "--label_map", __VA_ARGS__)

static void wrong_maps(void **state)
{
    assert_bad_map("\"positive\" is no label of the model, whose labels are \"contradiction\", \"neutral\"",
                   "e=positive");
    assert_bad_map("\"3\" is no label of the model", "e=3");
    assert_bad_map("pairs LABEL_OF_THE_TEXTS=LABEL_OF_THE_MODEL expected, found \"e\"", "e");
    assert_bad_map("pairs", "=neutral");
    assert_bad_map("pairs", "e=");
    assert_bad_map("\"n=no,c=stars\": \"stars\" is no label", "e=entailment", "n=no,c=stars");
    assert_bad_map("none of the texts' labels, \"c\", \"e\", \"n\", is on the left", "a=entailment", "b=0");
    assert_bad_map("\"e\" is mapped twice", "e=neutral", "e=entailment");
    assert_bad_map("short.tsv:5: label \"c\": expected one of the model's, \"contradiction\", \"neutral\","
                   " \"entailment\"; --label_map LABEL=MODEL",
                   "e=entailment");
    assert_bad("\"maybe\" is no label of the task, whose labels are \"entailment\"", "eval", "--model_name_or_path",
               "turned", "--task_name", "mnli", "--test_file", "mnli.tsv", "--label_map", "maybe=neutral");
    assert_bad("no labels are read here", "predict", "--model_name_or_path", "turned", "--test_file", "mnli.tsv",
               "--output_file", "none.jsonl", "--label_map", "e=neutral");
}

static void labels_that_cannot_be_matched(void **state)
{
    assert_bad("stars: the model's labels are \"1 star\", \"2 stars\", \"3 stars\", those of task mnli are"
               " \"entailment\", \"neutral\", \"contradiction\"; --label_map TASK=MODEL",
               "eval", "--model_name_or_path", "stars", "--task_name", "mnli", "--test_file", "mnli.tsv");
    assert_bad("those of task sst2 are", "eval", "--model_name_or_path", "numbered", "--task_name", "sst2",
               "--test_file", "mnli.tsv");
    assert_bad("mnli.tsv:2: label \"entailment\": expected one of the model's, \"LABEL_0\"", "eval",
               "--model_name_or_path", "numbered", "--test_file", "mnli.tsv");
}

static void models_of_another_kind(void **state)
{
    assert_bad("several/config.json: problem_type: expected \"single_label_classification\"", "predict",
               "--model_name_or_path", "several", "--test_file", "mnli.tsv", "--output_file", "none.jsonl");
    assert_bad("one/config.json: expected two labels or more, found 1", "eval", "--model_name_or_path", "one",
               "--test_file", "ids.tsv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_can_be_told_apart),
        cmocka_unit_test(task_labels_are_found_by_name),
        cmocka_unit_test(numbered_labels_are_assumed_aloud),
        cmocka_unit_test(files_without_a_task),
        cmocka_unit_test(two_labels_may_be_one),
        cmocka_unit_test(predictions_bear_the_tasks_names),
        cmocka_unit_test(submissions_follow_the_map),
        cmocka_unit_test(a_temperature_is_fitted_for_them_too),
        cmocka_unit_test(wrong_maps),
        cmocka_unit_test(labels_that_cannot_be_matched),
        cmocka_unit_test(models_of_another_kind),
    };
    return cmocka_run_group_tests_name("foreign models", tests, make_files, remove_files);
}
