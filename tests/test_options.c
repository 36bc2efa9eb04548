// Options from arguments and JSON files, and what is said when they are wrong.
#include "check.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "file.h"
#include "options.h"

typedef struct {
    bool overwrite, shuffle;
    int64_t threads;
    size_t batch_size;
    double rate, ratio, gamma;
    const char *output, *model;
    int objective, energy;
    ebm_string_list files;
} settings;

static const char *const objectives[] = {"ce", "joint", NULL};
static const char *const automatic[] = {"auto", NULL};
static const char *const no_model[] = {"none", NULL};
static const char *const energies[] = {"scalar", "hidden", "sharp-hidden", NULL};

// clang-format off
static const ebm_option options[] = {
    {"overwrite_output_dir", EBM_OPTION_FLAG, offsetof(settings, overwrite), NULL, .help = "Replace the folder"},
    {"shuffle", EBM_OPTION_FLAG, offsetof(settings, shuffle), "true", .help = "Visit rows in random order"},
    {"threads", EBM_OPTION_INT, offsetof(settings, threads), "-1", .help = "Threads; -1: as many as cores",
     .least = -1, .most = 64},
    {"per_device_train_batch_size", EBM_OPTION_SIZE, offsetof(settings, batch_size), "32", .help = "Texts a step",
     .least = 1, .most = HUGE_VAL},
    {"learning_rate", EBM_OPTION_FLOAT, offsetof(settings, rate), "5e-5", .help = "Peak learning rate",
     .least = 0, .most = HUGE_VAL, .above_least = true},
    {"warmup_ratio", EBM_OPTION_FLOAT, offsetof(settings, ratio), NULL, .help = "Share of steps", .least = 0, .most = 1},
    {"gamma", EBM_OPTION_FLOAT, offsetof(settings, gamma), "2", .help = "Of the loss", .least = 0, .most = 9,
     .choices = automatic},
    {"output_dir", EBM_OPTION_STRING, offsetof(settings, output), NULL, .help = "Where to write", .required = true},
    {"noise_model", EBM_OPTION_MODEL, offsetof(settings, model), NULL, .help = "A long sentence that has to be broken "
     "over more than one line of the help text because it holds far more words than fit into one hundred columns",
     .choices = no_model},
    {"objective", EBM_OPTION_ENUM, offsetof(settings, objective), "ce", .help = "What is learnt", .choices = objectives},
    {"energy", EBM_OPTION_ENUM, offsetof(settings, energy), NULL, .help = "Form of the energy", .choices = energies},
    {"pretrain_files", EBM_OPTION_LIST, offsetof(settings, files), NULL, .help = "Plain text"},
};
// clang-format on
static const ebm_option_table table = {"ebmcl train", "Trains.", options, sizeof options / sizeof *options};

static char folder[] = "/tmp/ebmcl-test-options-XXXXXX";

static int make_folder(void **state) { return mkdtemp(folder) ? 0 : -1; }
static int remove_folder(void **state) { return ebm_directory_remove(folder).code == EBM_OK ? 0 : -1; }

#define COUNT(...) (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))
#define assert_parses(values, parsed, ...)                                                                             \
    assert_ok(ebm_options_parse(&table, COUNT(__VA_ARGS__), (const char *const[]){__VA_ARGS__}, values, parsed))
#define assert_refused(part, ...)                                                                                      \
    do {                                                                                                               \
        settings refused_;                                                                                             \
        ebm_options *none_ = NULL;                                                                                     \
        assert_fails(                                                                                                  \
            ebm_options_parse(&table, COUNT(__VA_ARGS__), (const char *const[]){__VA_ARGS__}, &refused_, &none_),      \
            EBM_ERROR_INPUT, part);                                                                                    \
        assert_null(none_);                                                                                            \
    } while (0)

// The path is for the caller to free().
static char *put(const char *name, const char *text)
{
    char *path = ebm_path_join(folder, name);
    assert_ok(ebm_file_write(path, text, strlen(text)));
    return path;
}

static const char out[] = "--output_dir", dir[] = "out";

static void test_defaults(void **state)
{
    settings s;
    ebm_options *parsed = NULL;
    memset(&s, 0x5A, sizeof s); // every field must be set, also those without default
    assert_parses(&s, &parsed, out, dir);
    assert_false(s.overwrite);
    assert_true(s.shuffle);
    assert_int_equal(s.threads, -1);
    assert_int_equal(s.batch_size, 32);
    assert_true(s.rate == 5e-5 && s.ratio == 0 && s.gamma == 2);
    assert_string_equal(s.output, "out");
    assert_null(s.model);
    assert_int_equal(s.objective, 0);
    assert_int_equal(s.energy, -1);
    assert_int_equal(s.files.count, 0);
    assert_true(ebm_options_given(parsed, "output_dir"));
    assert_false(ebm_options_given(parsed, "learning_rate"));
    assert_false(ebm_options_help_wanted(parsed));
    ebm_options_free(parsed);
    ebm_options_free(NULL);
}

static void test_forms(void **state)
{
    settings s;
    ebm_options *parsed = NULL;
    assert_parses(&s, &parsed, "--output-dir=a=b", "--overwrite-output_dir", "--threads", "-1", "--shuffle", "False",
                  "--per-device-train-batch-size=8", "--learning_rate", "1E-3", "--energy", "sharp-hidden",
                  "--pretrain_files", "a.txt", "-", "c.txt", "--noise_model=--odd", "--gamma", "auto");
    assert_true(isnan(s.gamma));
    assert_string_equal(s.output, "a=b");
    assert_true(s.overwrite);
    assert_false(s.shuffle);
    assert_int_equal(s.threads, -1);
    assert_int_equal(s.batch_size, 8);
    assert_true(s.rate == 1e-3);
    assert_int_equal(s.energy, 2);
    assert_int_equal(s.files.count, 3);
    assert_string_equal(s.files.items[1], "-");
    assert_string_equal(s.model, "--odd");
    ebm_options_free(parsed);
    assert_parses(&s, &parsed, "--pretrain_files=a b", "--overwrite_output_dir", "true", "--shuffle=false", out, dir);
    assert_int_equal(s.files.count, 1);
    assert_string_equal(s.files.items[0], "a b");
    assert_true(s.overwrite);
    assert_false(s.shuffle);
    ebm_options_free(parsed);
}

static void test_help(void **state)
{
    settings s;
    ebm_options *parsed = NULL;
    char *help = NULL;
    assert_parses(&s, &parsed, "--nonsense", "--help"); // nothing else is checked
    assert_true(ebm_options_help_wanted(parsed));
    ebm_options_free(parsed);
    assert_parses(&s, &parsed, "-h");
    assert_true(ebm_options_help_wanted(parsed));
    ebm_options_free(parsed);
    assert_ok(ebm_options_help(&table, &help));
    assert_non_null(strstr(help, "usage: ebmcl train [--OPTION VALUE]...\n"));
    assert_non_null(strstr(help, "  --learning_rate NUMBER (default 5e-5)\n        Peak learning rate\n"));
    assert_non_null(strstr(help, "  --gamma NUMBER|auto (default 2)\n        Of the loss\n"));
    assert_non_null(strstr(help, "  --output_dir TEXT (required)\n"));
    assert_non_null(strstr(help, "  --energy scalar|hidden|sharp-hidden\n"));
    assert_non_null(strstr(help, "  --config TEXT\n"));
    for (char *rest = help, *line; (line = strsep(&rest, "\n"));) assert_true(strlen(line) <= 100);
    free(help);
}

static void test_wrong_arguments(void **state)
{
    assert_refused("unknown option --learning_rat, the nearest is --learning_rate", "--learning-rat", "1");
    assert_refused("unknown option --ouput_dir, the nearest is --output_dir", "--ouput_dir=x");
    assert_refused("unknown option --hlep, the nearest is --help", "--hlep");
    assert_refused("unknown option -x, see --help", "-x");
    assert_refused("unexpected argument \"train.tsv\", see --help", "train.tsv");
    assert_refused("--output_dir is required: Where to write", "--threads", "2");
    assert_refused("--output_dir is given twice", out, dir, "--output-dir", dir);
    assert_refused("--output_dir: expected a text, found nothing", out);
    assert_refused("--output_dir: expected a text, found --threads", out, "--threads", "1");
    assert_refused("--output_dir: expected a text, found \"\"", "--output_dir=");
    assert_refused("--output_dir: expected a text, found \"\"", out, "");
    assert_refused("--pretrain_files: expected one or more texts, found nothing", out, dir, "--pretrain_files");
    assert_refused("--pretrain_files: expected one or more texts, found \"\"", out, dir, "--pretrain_files", "a", "");
    assert_refused("--shuffle: expected true or false, found \"maybe\"", out, dir, "--shuffle=maybe");
    assert_refused("unexpected argument \"maybe\"", out, dir, "--shuffle", "maybe");
    assert_refused("--energy: expected one of scalar, hidden, sharp-hidden, found \"hiden\"", out, dir, "--energy",
                   "hiden");
}

static void test_wrong_numbers(void **state)
{
    static const char *const integers[] = {"",   "ten", "1.5", "1e3", " 1", "1 ", "0x10", "99999999999999999999",
                                           "-2", "65"};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        char argument[64], part[96];
        snprintf(argument, sizeof argument, "--threads=%s", integers[i]);
        snprintf(part, sizeof part, "--threads: expected an integer from -1 to 64, found \"%s\"", integers[i]);
        assert_refused(part, out, dir, argument);
    }
    static const char *const sizes[] = {"0", "-1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char argument[64], part[128];
        snprintf(argument, sizeof argument, "--per_device_train_batch_size=%s", sizes[i]);
        snprintf(part, sizeof part, "batch_size: expected a whole number of at least 1, found \"%s\"", sizes[i]);
        assert_refused(part, out, dir, argument);
    }
    static const char *const rates[] = {"", "nan", "inf", "1e999", "0", "-1e-5", "1,5", "0x1p3", "5e-5x", " 1", "-"};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        char argument[64], part[96];
        snprintf(argument, sizeof argument, "--learning_rate=%s", rates[i]);
        snprintf(part, sizeof part, "--learning_rate: expected a number above 0, found \"%s\"", rates[i]);
        assert_refused(part, out, dir, argument);
    }
    assert_refused("--warmup_ratio: expected a number from 0 to 1, found \"1.01\"", out, dir, "--warmup_ratio", "1.01");
    assert_refused("--warmup_ratio: expected a number from 0 to 1, found \"auto\"", out, dir, "--warmup_ratio", "auto");
    assert_refused("--gamma: expected a number from 0 to 9 or auto, found \"nan\"", out, dir, "--gamma", "nan");
    assert_refused("--gamma: expected a number from 0 to 9 or auto, found \"10\"", out, dir, "--gamma", "10");
}

static void test_json_file(void **state)
{
    settings s;
    ebm_options *parsed = NULL;
    char *path =
        put("run.json", "{\"output_dir\": \"o\", \"learning-rate\": 3e-4, \"warmup_ratio\": 1, \"threads\": -1,\n"
                        " \"overwrite_output_dir\": true, \"pretrain_files\": [\"a\", \"b\"], \"noise_model\": null,"
                        " \"energy\": \"hidden\", \"per_device_train_batch_size\": 16}");
    assert_parses(&s, &parsed, path);
    assert_string_equal(s.output, "o");
    assert_true(s.rate == 3e-4 && s.ratio == 1 && s.overwrite && s.shuffle);
    assert_int_equal(s.files.count, 2);
    assert_string_equal(s.files.items[1], "b");
    assert_int_equal(s.energy, 1);
    assert_null(s.model);
    assert_true(ebm_options_given(parsed, "learning_rate"));
    assert_false(ebm_options_given(parsed, "noise_model"));
    ebm_options_free(parsed);
    assert_parses(&s, &parsed, "--learning_rate=1", "--config", path, "--pretrain_files", "c"); // wherever it stands
    assert_true(s.rate == 1);
    assert_int_equal(s.batch_size, 16);
    assert_int_equal(s.files.count, 1);
    assert_string_equal(s.files.items[0], "c");
    ebm_options_free(parsed);
    parsed = NULL;
    assert_refused("a file of options beside other arguments is given by --config", path, "--threads", "1");
    assert_refused("--config is given twice", "--config", path, "--config", path);
    assert_refused("--config: expected a text, found nothing", "--config");
    free(path);
}

static void test_wrong_json(void **state)
{
    static const struct {
        const char *json, *part;
    } cases[] = {
        {"", "bad.json:1: expected one JSON object: "},
        {"{\"threads\": 1,\n}", "bad.json:2: expected one JSON object: "},
        {"{\"threads\": 1} x", "bad.json:1: expected one JSON object: "},
        {"[1]", "bad.json: expected one JSON object, found an array"},
        {"{\"thread\": 1}", "bad.json: unknown option thread, the nearest is threads"},
        {"{\"threads\": 1, \"threads\": 1}", "bad.json:1: expected one JSON object: duplicate object key"},
        {"{\"warmup-ratio\": 1, \"warmup_ratio\": 1}", "bad.json: warmup_ratio is given twice"},
        {"{\"threads\": \"1\"}", "bad.json: threads: expected an integer from -1 to 64, found a string"},
        {"{\"threads\": 1.0}", "bad.json: threads: expected an integer from -1 to 64, found a real number"},
        {"{\"threads\": 65}", "bad.json: threads: expected an integer from -1 to 64, found \"65\""},
        {"{\"shuffle\": \"true\"}", "bad.json: shuffle: expected true or false, found a string"},
        {"{\"shuffle\": 1}", "bad.json: shuffle: expected true or false, found an integer"},
        {"{\"learning_rate\": true}", "bad.json: learning_rate: expected a number above 0, found true"},
        {"{\"learning_rate\": \"auto\"}", "bad.json: learning_rate: expected a number above 0, found a string"},
        {"{\"gamma\": \"2\"}", "bad.json: gamma: expected a number from 0 to 9 or auto, found a string"},
        {"{\"gamma\": \"Auto\"}", "bad.json: gamma: expected a number from 0 to 9 or auto, found a string"},
        {"{\"output_dir\": 5}", "bad.json: output_dir: expected a text, found an integer"},
        {"{\"output_dir\": \"\"}", "bad.json: output_dir: expected a text, found \"\""},
        {"{\"output_dir\": {}}", "bad.json: output_dir: expected a text, found an object"},
        {"{\"energy\": \"x\"}", "bad.json: energy: expected one of scalar, hidden, sharp-hidden, found \"x\""},
        {"{\"pretrain_files\": [\"a\", 1]}", "bad.json: pretrain_files: expected one or more texts, found an integer"},
        {"{\"threads\": 1}", "--output_dir is required"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = put("bad.json", cases[i].json);
        assert_refused(cases[i].part, path);
        free(path);
    }
    assert_refused("missing.json", "missing.json");
    assert_refused("missing.json", "--config", "missing.json");
}

static void test_resolved_reads_back(void **state)
{
    settings s, again;
    ebm_options *parsed = NULL, *reparsed = NULL;
    char *text = NULL, *second = NULL;
    assert_parses(&s, &parsed, "--output_dir", "a \"b\"\\caf\xC3\xA9", "--learning_rate", "5e-5", "--warmup_ratio",
                  "0.1", "--pretrain_files", "x", "y z", "--energy", "hidden");
    s.ratio = 1.0 / 3; // a number that needs 16 digits
    s.gamma = NAN;     // the word
    assert_ok(ebm_options_json(&table, &s, &text));
    assert_non_null(strstr(text, "\"learning_rate\": 5e-05,"));
    assert_non_null(strstr(text, "\"noise_model\": null,"));
    assert_non_null(strstr(text, "\"pretrain_files\": [\"x\", \"y z\"]\n}\n"));
    char *path = put("resolved.json", text);
    assert_parses(&again, &reparsed, path);
    free(path);
    assert_true(again.ratio == s.ratio && again.rate == s.rate && isnan(again.gamma));
    assert_string_equal(again.output, s.output);
    assert_ok(ebm_options_json(&table, &again, &second));
    assert_string_equal(second, text);
    free(text);
    free(second);
    ebm_options_free(parsed);
    ebm_options_free(reparsed);
}

static char told[600];
static void tell(const char *option, const char *name, const char *directory)
{
    snprintf(told, sizeof told, "%s %s %s", option, name, directory);
}

// A model's name gives way to its directory; paths and the words that are no model stay, in silence.
static void test_models_are_found(void **state)
{
    settings s;
    ebm_options *parsed = NULL;
    char snapshot[200], expected[600];
    snprintf(snapshot, sizeof snapshot, "%s/models--org--m/snapshots/%040d", folder, 1);
    char *refs = ebm_path_join(folder, "models--org--m/refs");
    assert_ok(ebm_directory_make(refs));
    free(refs);
    assert_ok(ebm_directory_make(snapshot));
    free(put("models--org--m/refs/main", strrchr(snapshot, '/') + 1));
    assert_int_equal(setenv("HF_HUB_CACHE", folder, 1), 0);
    const char *const same[] = {"none", folder};
    for (size_t i = 0; i < 2; i++) {
        assert_parses(&s, &parsed, out, dir, "--noise_model", same[i]);
        assert_ok(ebm_options_find_models(parsed, &s, tell));
        assert_string_equal(s.model, same[i]);
        assert_string_equal(told, "");
        ebm_options_free(parsed);
    }
    assert_parses(&s, &parsed, out, dir, "--noise_model", "org/m");
    assert_string_equal(s.model, "org/m");
    assert_ok(ebm_options_find_models(parsed, &s, tell));
    assert_string_equal(s.model, snapshot);
    snprintf(expected, sizeof expected, "noise_model org/m %s", snapshot);
    assert_string_equal(told, expected);
    ebm_options_free(parsed);
    assert_parses(&s, &parsed, out, dir, "--noise_model", "org/none");
    assert_fails(ebm_options_find_models(parsed, &s, NULL), EBM_ERROR_INPUT,
                 "--noise_model: org/none: no such directory");
    ebm_options_free(parsed);
    assert_parses(&s, &parsed, out, dir); // not given
    assert_ok(ebm_options_find_models(parsed, &s, NULL));
    assert_null(s.model);
    ebm_options_free(parsed);
    unsetenv("HF_HUB_CACHE");
}

static void test_nearest_name(void **state)
{
    const char *const names[] = {"seed", "max_steps", "max_seq_length", "eval_steps", "save_steps"};
    static const struct {
        const char *name, *nearest;
    } cases[] = {{"sede", "seed"},
                 {"maxsteps", "max_steps"},
                 {"max_seq_len", "max_seq_length"},
                 {"evals_teps", "eval_steps"},
                 {"saev_steps", "save_steps"},
                 {"", "seed"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ebm_nearest_name(cases[i].name, names, 5), cases[i].nearest);
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_non_null(ebm_nearest_name(longest, names, 5));
    assert_null(ebm_nearest_name("x", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_wrong_numbers),
        cmocka_unit_test(test_json_file),
        cmocka_unit_test(test_wrong_json),
        cmocka_unit_test(test_resolved_reads_back),
        cmocka_unit_test(test_models_are_found),
        cmocka_unit_test(test_nearest_name),
    };
    return cmocka_run_group_tests_name("options", tests, make_folder, remove_folder);
}
