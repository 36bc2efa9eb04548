// ebmcl tune: what it prints and writes, that other commands use it and say so, and what is wrong.
#include "command.h"
#include "tiny_model.h"

static int make_files(void **state)
{
    static const char *const names[] = {"negative", "positive"};
    make_folder_with_model("model", names);
    put_texts("dev.tsv", "sentence\tlabel", names);
    char *path = in_folder(folder, "cache");
    setenv("EBMCL_CACHE_DIR", path, 1);
    free(path);
    return 0;
}

#define SMALL "--model_name_or_path", "model", "--batch_size", "2", "--sequence_length", "16", "--repeats", "1"
#define TUNE "tune", SMALL, "--parameters", "cpu-48x128x64"

static const json_t *contender(const json_t *tuned, const char *name)
{
    const json_t *list = json_object_get(tuned, "contenders");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(string(json_array_get(list, i), "name"), name) == 0) return json_array_get(list, i);
    fail_msg("%s does not take part", name);
    return NULL;
}

// Of each class that is timed, by somebody who was; the rest are chosen too.
static void assert_tuned(const json_t *tuned)
{
    static const char *const backends[] = {"cpu", "clblast", "plain"};
    const json_t *products = json_object_get(tuned, "products");
    const char *class;
    json_t *chosen;
    assert_int_equal(json_object_size(products), 9);
    json_object_foreach((json_t *)(uintptr_t)products, class, chosen)
    {
        size_t known = 0;
        for (size_t b = 0; b < 3; b++) known += strcmp(json_string_value(chosen), backends[b]) == 0;
        assert_int_equal(known, 1);
    }
    assert_true(number(json_object_get(contender(tuned, "cpu"), "gflop_per_s"), "nt 1-64") > 0);
    assert_true(number(tuned, "tuned_s") > 0 && number(tuned, "tuned_s") <= number(tuned, "standard_s"));
    contender(tuned, string(tuned, "parameters"));
}

static json_t *first_device(void)
{
    json_t *all = json_of(run("devices", "--json")), *first = json_array_get(json_object_get(all, "devices"), 0);
    json_incref(first);
    json_decref(all);
    return first;
}

static void assert_says(ran r, const char *part)
{
    if (r.code != 0 || !strstr(r.err, part)) fail_msg("\"%s\" is not in: %s", part, r.err);
    free_ran(&r);
}
#define EVAL "eval", "--model_name_or_path", "model", "--test_file", "dev.tsv"

static void the_result_is_kept_for_other_commands(void **state)
{
    json_t *device = first_device();
    char *file = strdup(string(device, "tuning_file"));
    assert_true(json_is_null(json_object_get(device, "tuning")));
    assert_string_equal(string(device, "products"), "cpu");
    json_decref(device);
    assert_prints(run("devices"), PARTS("products by cpu, not tuned; ebmcl tune writes ", file));

    json_t *tuned = json_of(run(TUNE, "--json"));
    assert_tuned(tuned);
    assert_string_equal(string(tuned, "file"), file);
    json_decref(tuned);
    device = first_device();
    assert_string_equal(string(device, "tuning"), file);
    json_decref(device);
    assert_prints(run("devices"), PARTS("tuned by ", file));
    assert_says(run(EVAL), "tuned by ");

    put_file(file, "{", 1);
    assert_prints(run("devices"), PARTS("products by cpu, not tuned: ", file));
    assert_says(run(EVAL), "not tuned: ");
    device = first_device();
    assert_non_null(strstr(string(device, "tuning_note"), file));
    json_decref(device);

    setenv("EBMCL_TUNING", "off", 1);
    device = first_device();
    assert_null(json_object_get(device, "tuning_note"));
    json_decref(device);
    unsetenv("EBMCL_TUNING");
    assert_int_equal(unlink(file), 0);
    free(file);
}

static void the_table_names_everybody(void **state)
{
    assert_prints(run(TUNE, "--output", "tuning.json"),
                  PARTS("nn 1-64", "tn 65-512", "cpu-48x128x64", "plain", "all products: ", "written to tuning.json"));
    setenv("EBMCL_TUNING", "tuning.json", 1);
    assert_says(run(EVAL), "tuned by tuning.json");
    unsetenv("EBMCL_TUNING");
    assert_prints(run("tune", "--help"), PARTS("--quick", "--output", "EBMCL_TUNING"));
}

static void what_is_wrong(void **state)
{
    put("broken.json", "{\"format\": 1}");
    assert_bad("no set of parameters for CLBlast is named 'fast'", "tune", SMALL, "--parameters", "fast");
    assert_bad("one of them", "tune", "--random", "minilm-l6", "--model_name_or_path", "model");
    assert_bad("--random", "tune", "--random", "large");
    assert_bad("--repeats", "tune", "--repeats", "0");
    assert_bad("model", TUNE, "--output", "model");
    setenv("EBMCL_TUNING", "broken.json", 1);
    assert_bad("EBMCL_TUNING: broken.json", EVAL);
    setenv("EBMCL_TUNING", "gone.json", 1);
    assert_bad("EBMCL_TUNING: gone.json", EVAL);
    unsetenv("EBMCL_TUNING");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_result_is_kept_for_other_commands),
        cmocka_unit_test(the_table_names_everybody),
        cmocka_unit_test(what_is_wrong),
    };
    setenv("EBMCL_KERNELS", "cpu", 1); // on any device, so that somebody is known to take part
    unsetenv("EBMCL_TUNING");
    unsetenv("EBMCL_GEMM");
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
