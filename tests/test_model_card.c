// Model cards: what users called their files and labels stays inside its place, numbers are those measured, what people
// wrote into a card stays, and the files that lie beside.
#include <math.h>

#include "bf16.h"
#include "card_text.h"
#include "command.h"
#include "tiny_model.h"

// Names that Markdown and YAML would trip over; a label's name reaches the card through config.json.
static const char *const NAMES[] = {"<b>bad | \"worse\"</b>", "good: # `fine`"};
#define TRAIN_FILE "a | b --- \"c\".tsv"

static int make_files(void **state)
{
    make_folder_with_model("encoder", NAMES);
    put_texts(TRAIN_FILE, "sentence\tlabel", NAMES);
    put_texts("dev.tsv", "sentence\tlabel", NAMES);
    put("noise.txt", "the bad is good .\ncold cast the was\nplot a dull .\nfine , and warm\n");
    return 0;
}

// ---- text of users

static char *as(void (*put_text)(FILE *out, const char *text), const char *text)
{
    char *made = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&made, &size);
    assert_non_null(out);
    put_text(out, text);
    assert_int_equal(fclose(out), 0);
    return made;
}

static void check_text(void (*put_text)(FILE *out, const char *text), const char *text, const char *wanted)
{
    char *made = as(put_text, text);
    assert_string_equal(made, wanted);
    free(made);
}

static void text_is_escaped(void **state)
{
    check_text(ebm_card_yaml, "plain", "\"plain\"");
    check_text(ebm_card_yaml, "a\"b\\c: # {d}", "\"a\\\"b\\\\c: # {d}\"");
    check_text(ebm_card_yaml, "1\n---\n2\t\x7F", "\"1\\u000A---\\u000A2\\u0009\\u007F\"");
    check_text(ebm_card_yaml, "\xC3\xBC\xC2\x85\xE2\x80\xA8\xEF\xBB\xBF", "\"\xC3\xBC\\u0085\\u2028\\uFEFF\"");
    check_text(ebm_card_yaml, "\xFFz\xC3", "\"\xEF\xBF\xBDz\xEF\xBF\xBD\""); // not UTF-8
    check_text(ebm_card_markdown, "a|b*c_d <!-- e -->", "a\\|b\\*c\\_d \\<\\!-- e --\\>");
    check_text(ebm_card_markdown, "`x` [y](z) \\ &amp; ~ $", "\\`x\\` \\[y\\](z) \\\\ \\&amp; \\~ \\$");
    check_text(ebm_card_markdown, "two\nlines\r", "two lines ");
}

static void check_base(const char *path, const char *wanted)
{
    char *name = ebm_card_base_name(path);
    assert_string_equal(name, wanted);
    free(name);
}

static void names_are_cut_from_paths(void **state)
{
    check_base("/home/somebody/models/bert", "bert");
    check_base("models/bert//", "bert");
    check_base("bert", "bert");
    check_base("/", "");
    static const char *const good[] = {"bert-base-uncased", "owner/name_1.5", "a"};
    static const char *const bad[] = {"", "my model", "a/b/c", "-a", "a.", "a--b", "a..b", "\xC3\xBC", "a/", "/a"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(ebm_card_is_repository(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(ebm_card_is_repository(bad[i]));
    char *cached = in_folder(folder, "models--org--some-name"), *commit = in_folder(cached, "snapshots/0123");
    assert_ok(ebm_directory_make(commit));
    char *names[] = {ebm_card_model_name(commit), ebm_card_model_name(cached), ebm_card_model_name("org/on-the-hub")};
    assert_string_equal(names[0], "org/some-name");
    assert_string_equal(names[1], "models--org--some-name");
    assert_string_equal(names[2], "org/on-the-hub");
    for (size_t i = 0; i < 3; i++) free(names[i]);
    free(commit);
    free(cached);
}

// ---- the card of a run

static void assert_has(const char *card, const char *part)
{
    if (!strstr(card, part)) fail_msg("\"%s\" is not in the card:\n%s", part, card);
}

static void assert_lacks(const char *card, const char *part)
{
    if (strstr(card, part)) fail_msg("\"%s\" is in the card:\n%s", part, card);
}

static size_t count_lines(const char *text, const char *line)
{
    size_t count = 0;
    for (const char *at_line = text; *at_line; at_line = strchrnul(at_line, '\n') + (*strchrnul(at_line, '\n') != 0))
        count += strncmp(at_line, line, strlen(line)) == 0 && at_line[strlen(line)] == '\n';
    return count;
}

static json_t *read_json(const char *name)
{
    char *text = get(name);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    free(text);
    return object;
}

static void train(const char *output_dir, const char *steps, const char *bf16)
{
    char *train_file = in_folder(folder, TRAIN_FILE), *encoder = in_folder(folder, "encoder");
    char *output = in_folder(folder, output_dir);
    json_t *result =
        json_of(run("train", "--model_name_or_path", encoder, "--train_file", train_file, "--validation_file",
                    "./dev.tsv", "--max_seq_length", "16", "--max_steps", steps, "--eval_steps", "1", "--save_steps",
                    "0", "--learning_rate", "1e-3", "--objective", "joint", "--energy", "hidden", "--noise_file",
                    "noise.txt", "--metric_for_best_model", "nll", "--output_dir", output, "--bf16", bf16, "--json"));
    char name[64];
    snprintf(name, sizeof name, "%s/eval_results.json", output_dir);
    json_t *evaluation = read_json(name);
    // The numbers of the evaluation that chose the model, to the last bit that is printed.
    assert_true(number(evaluation, "step") == number(result, "best_step"));
    assert_true(fabs(number(evaluation, "nll") - number(result, "eval_nll")) < 1e-9);
    assert_true(fabs(number(evaluation, "ece_pooled") - number(result, "eval_ece_pooled")) < 1e-9);
    assert_true(fabs(number(evaluation, "told_apart") - number(result, "eval_told_apart")) < 1e-9);
    assert_true(fabs(number(evaluation, "effective_sample_share") - number(result, "eval_effective_sample_share")) <
                1e-9);
    json_decref(evaluation);
    json_decref(result);
    free(train_file);
    free(encoder);
    free(output);
}

static void check_numbers(const char *card, const json_t *evaluation)
{
    static const char *const metrics[] = {"accuracy", "f1", "nll", "brier", "ece_class_wise", "ece_top_label"};
    char line[160];
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        const double value = number(evaluation, metrics[i]);
        char key[64];
        snprintf(key, sizeof key, "%s_low", metrics[i]);
        snprintf(line, sizeof line, "\n| %s | %.4f | %.4f to ", metrics[i], value, number(evaluation, key));
        assert_has(card, line);
        snprintf(line, sizeof line, "\n      value: %.6f\n", value);
        assert_has(card, line);
    }
    const json_t *rows = json_object_get(evaluation, "reliability"), *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        snprintf(line, sizeof line, " | %d | %.4f | %.4f |\n", (int)number(row, "count"), number(row, "confidence"),
                 number(row, "accuracy"));
        if (number(row, "count") > 0) assert_has(card, line);
    }
}

static void a_run_leaves_a_card(void **state)
{
    train("joint", "3", "false");
    char *card = get("joint/README.md");
    json_t *evaluation = read_json("joint/eval_results.json"), *training = read_json("joint/train_results.json");
    static const char head[] = "---\nlibrary_name: transformers\npipeline_tag: text-classification\n";
    assert_int_equal(strncmp(card, head, strlen(head)), 0);
    assert_int_equal(count_lines(card, "---"), 2);
    assert_int_equal(count_lines(card, "<!-- ebmcl: temperature -->"), 1);
    assert_lacks(card, folder);
    assert_lacks(card, "license:");
    assert_lacks(card, "language:");
    assert_has(card, "base_model: \"encoder\"\n");
    assert_has(card, "- name: \"joint\"\n");
    assert_has(card, "| 0 | \\<b\\>bad \\| \"worse\"\\</b\\> |\n");
    assert_has(card, "| training | a \\| b --- \"c\".tsv | 12 |");
    assert_has(card, "| validation | dev.tsv | 12 |");
    assert_has(card, "| `train_file` | a \\| b --- \"c\".tsv |\n");
    assert_has(card, "| `learning_rate` | 0.001 |\n");
    assert_has(card, "| `noise_file` | noise.txt |\n");
    assert_has(card, "No temperature was fitted yet");
    assert_has(card, "energy = -torch.logsumexp(logits, -1)\n");
    check_numbers(card, evaluation);
    assert_string_equal(string(training, "train_file"), TRAIN_FILE);
    assert_has(card, string(training, "ebmcl_version"));
    assert_has(card, "), in single precision.\n");
    assert_string_equal(string(training, "precision"), "fp32");
    assert_true(number(training, "train_samples") == ROWS && number(training, "steps") == 3);
    json_decref(evaluation);
    json_decref(training);
    free(card);
}

static void a_run_in_bf16_says_so(void **state)
{
    ebm_device *device = NULL;
    assert_ok(ebm_device_open(NULL, &device));
    const bool can = should_do_bf16(device);
    ebm_device_free(device);
    if (!can) {
        printf("skipped: no AVX512-BF16 on this device\n");
        return;
    }
    train("bf16", "1", "true");
    char *card = get("bf16/README.md");
    json_t *training = read_json("bf16/train_results.json"), *settings = read_json("bf16/training_args.json");
    assert_has(card, "), products of matrices in bf16, all else in single precision.\n");
    assert_has(card, "| `bf16` | true |\n");
    assert_string_equal(string(training, "precision"), "bf16");
    assert_true(json_is_true(json_object_get(settings, "bf16")));
    json_decref(training);
    json_decref(settings);
    free(card);
}

static void calibrate(const char *model)
{
    ran r = run("calibrate", "--model_name_or_path", model, "--validation_file", "dev.tsv");
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
}

// After a_run_leaves_a_card.
static void a_temperature_changes_its_part_only(void **state)
{
    char *card = get("joint/README.md"), *edited = NULL;
    assert_true(asprintf(&edited, "---\nlicense: mit\n%sWritten by hand.\n", card + 4) > 0);
    put("joint/README.md", edited);
    calibrate("joint");
    char *after = get("joint/README.md");
    json_t *fit = read_json("joint/calibration.json");
    char line[80];
    snprintf(line, sizeof line, "Divide the logits by the temperature **%.6g**", number(fit, "temperature"));
    assert_has(after, line);
    snprintf(line, sizeof line, "torch.softmax(logits / %.9g, -1)\n", number(fit, "temperature"));
    assert_has(after, line);
    assert_lacks(after, "No temperature was fitted yet");
    // Before and behind the comments nothing changed.
    const char *begin = strstr(edited, "<!-- ebmcl: temperature -->");
    const char *end = strstr(after, "<!-- ebmcl: end of"), *was_end = strstr(edited, "<!-- ebmcl: end of");
    assert_int_equal(strncmp(edited, after, (size_t)(begin - edited)), 0);
    assert_string_equal(end, was_end);
    calibrate("joint"); // once more: the same part again
    char *again = get("joint/README.md");
    assert_string_equal(again, after);
    json_decref(fit);
    free(again);
    free(after);
    free(edited);
    free(card);
}

static void fold(const char *model, const char *to)
{
    ran r = run("calibrate", "--model_name_or_path", model, "--validation_file", "dev.tsv", "--fold_temperature",
                "--output_dir", to, "--overwrite_output_dir");
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
}

// What was written by hand goes with the copy; a card that is as ebmcl wrote it is written anew.
static void a_folded_copy_has_its_own_card(void **state)
{
    fold("joint", "carried");
    char *card = get("carried/README.md");
    assert_has(card, "license: mit\n");
    assert_has(card, "Written by hand.\n");
    assert_has(card, "so the softmax of the logits is calibrated in any tool");
    assert_has(card, " * logits), -1)\n"); // the energy's logits are multiplied back
    assert_int_equal(count_lines(card, "<!-- ebmcl: temperature -->"), 1);
    free(card);

    train("plain", "1", "false");
    fold("plain", "made");
    card = get("made/README.md");
    json_t *evaluation = read_json("made/eval_results.json");
    assert_has(card, "- name: \"made\"\n");
    assert_has(card, "It is plain with a temperature folded into its last layer");
    assert_has(card, "The temperature was fitted on these same texts");
    assert_has(card, "base_model: \"encoder\"\n");
    assert_lacks(card, folder);
    check_numbers(card, evaluation);
    json_t *e = json_of(run("eval", "--model_name_or_path", "made", "--test_file", "dev.tsv", "--json"));
    assert_true(fabs(number(e, "nll") - number(evaluation, "nll")) < 1e-6);
    assert_true(fabs(number(e, "brier") - number(evaluation, "brier")) < 1e-6);
    json_decref(e);
    json_decref(evaluation);
    free(card);
}

// A model that ebmcl did not train: no card, or one of its author's.
static void cards_of_others_are_theirs(void **state)
{
    calibrate("encoder");
    char *path = in_folder(folder, "encoder/README.md");
    assert_false(ebm_file_exists(path));
    fold("encoder", "first");
    char *card = get("first/README.md");
    assert_has(card, "base_model: \"encoder\"\n");
    assert_has(card, "It is encoder with a temperature folded into its last layer");
    assert_lacks(card, "datasets:");
    free(card);

    static const char own[] = "---\nlicense: apache-2.0\n---\n# Theirs\n\n<!-- ebmcl: temperature --> is no mark here";
    put("encoder/README.md", own);
    calibrate("encoder");
    card = get("encoder/README.md");
    assert_string_equal(card, own);
    free(card);
    fold("encoder", "second");
    card = get("second/README.md");
    assert_int_equal(strncmp(card, own, strlen(own)), 0);
    assert_has(card, "\n## Temperature\n\n<!-- ebmcl: temperature -->\nThe last layer's weights and bias");
    free(card);
    assert_int_equal(unlink(path), 0);
    free(path);
}

// 12 texts are a step and an epoch: the second one mixes by the first one's margins.
static void a_method_is_named(void **state)
{
    char *train_file = in_folder(folder, TRAIN_FILE);
    ran r = run("train", "--model_name_or_path", "encoder", "--train_file", train_file, "--max_seq_length", "16",
                "--max_steps", "2", "--mixup", "aum", "--mixup_alpha", "0.4", "--output_dir", "mixed");
    if (r.code != 0) fail_msg("%s", r.err);
    char *card = get("mixed/README.md");
    assert_has(card, "\nTrained with: mixup by area under the margin and saliency with alpha 0.4.\n");
    json_t *info = read_json("mixed/ebmcl.json");
    assert_string_equal(json_string_value(json_object_get(info, "method")),
                        "mixup by area under the margin and saliency with alpha 0.4");
    json_decref(info);
    free_ran(&r);
    free(card);
    free(train_file);
}

static void a_noise_model_has_a_card(void **state)
{
    char *train_file = in_folder(folder, TRAIN_FILE), *output = in_folder(folder, "noise");
    ran r =
        run("noise", "train", "--encoder", "encoder", "--layers", "1", "--train_file", train_file, "--validation_file",
            "dev.tsv", "--pretrain_files", "noise.txt", "--max_steps", "1", "--output_dir", output);
    if (r.code != 0) fail_msg("%s", r.err);
    char *card = get("noise/README.md");
    assert_has(card, "pipeline_tag: text-generation\n");
    assert_int_equal(count_lines(card, "---"), 2);
    assert_has(card, "# noise\n");
    assert_has(card, "| mask: a run of masked tokens | \\[MASK\\] |\n");
    assert_has(card, "| plain text first | noise.txt | ");
    assert_has(card, "| training | a \\| b --- \"c\".tsv | 12 |\n");
    assert_has(card, "| held out | dev.tsv | 12 |\n");
    assert_has(card, "Perplexity on the held-out texts");
    assert_has(card, "| `encoder` | encoder |\n");
    assert_lacks(card, folder);
    free_ran(&r);
    free(card);
    free(train_file);
    free(output);
}

// After the others: a file that cannot be read is named before anything is written.
static void broken_files_are_named(void **state)
{
    put("joint/train_results.json", "{\"name\": ");
    assert_bad("joint/train_results.json:1: ", "calibrate", "--model_name_or_path", "joint", "--validation_file",
               "dev.tsv");
    assert_bad("joint/train_results.json:1: ", "calibrate", "--model_name_or_path", "joint", "--validation_file",
               "dev.tsv", "--fold_temperature", "--output_dir", "new");
    put("joint/train_results.json", "{\"name\": 3, \"steps\": \"x\", \"train_samples\": -4, \"pairs\": []}");
    calibrate("joint"); // values of another type than expected are left out
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(names_are_cut_from_paths),
        cmocka_unit_test(a_run_leaves_a_card),
        cmocka_unit_test(a_run_in_bf16_says_so),
        cmocka_unit_test(a_temperature_changes_its_part_only),
        cmocka_unit_test(a_folded_copy_has_its_own_card),
        cmocka_unit_test(cards_of_others_are_theirs),
        cmocka_unit_test(a_method_is_named),
        cmocka_unit_test(a_noise_model_has_a_card),
        cmocka_unit_test(broken_files_are_named),
    };
    return cmocka_run_group_tests_name("model card", tests, make_files, remove_files);
}
