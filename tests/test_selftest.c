// `ebmcl selftest`: right here in every form, wrong with broken kernels, and nothing left behind.
#include "check.h"

#include <math.h>

#include "broken_kernels.h"
#include "kernel_check.h"
#include "selftest.h"

static int make_folder(void **state)
{
    if (!mkdtemp(folder)) return -1;
    char *cache = in_folder(folder, "cache");
    setenv("EBMCL_CACHE_DIR", cache, 1);
    unsetenv("EBMCL_KERNELS");
    unsetenv("EBMCL_LANES");
    free(cache);
    return 0;
}

static const char *result_of(const json_t *form, const char *family)
{
    const json_t *checks = json_object_get(form, "checks");
    for (size_t i = 0; i < json_array_size(checks); i++)
        if (strcmp(string(json_array_get(checks, i), "family"), family) == 0)
            return string(json_array_get(checks, i), "result");
    fail_msg("no check of %s", family);
    return NULL;
}

static void check_form(const json_t *form)
{
    const json_t *checks = json_object_get(form, "checks");
    assert_true(json_is_true(json_object_get(form, "right")));
    assert_true(json_array_size(checks) > 20);
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        const char *result = string(check, "result");
        if (strcmp(result, "right") != 0 && strcmp(result, "absent") != 0)
            fail_msg("%s, %s: %s (%s)", string(form, "form"), string(check, "family"), result,
                     string(check, "message"));
    }
}

static void all_is_right_here(void **state)
{
    (void)state;
    char *before = list_folder();
    json_t *r = json_of(run("selftest", "--json"));
    const json_t *forms = json_object_get(r, "forms"), *training = json_object_get(r, "training");
    const bool is_cpu = strcmp(string(json_object_get(r, "device"), "kind"), "cpu") == 0;
    assert_true(json_is_true(json_object_get(r, "right")));
    assert_int_equal(json_array_size(forms), is_cpu ? EBM_FORMS : 1);
    for (size_t i = 0; i < json_array_size(forms); i++) check_form(json_array_get(forms, i));
    assert_true(json_is_true(json_object_get(training, "right")));
    assert_true(number(training, "error") <= number(training, "tolerance"));
    assert_int_equal(json_array_size(json_object_get(training, "nce")), EBM_SELFTEST_STEPS);
    assert_true(json_array_size(json_object_get(r, "speed")) > 10);
    assert_true(number(r, "host_bytes") > 0 && number(training, "memory_bytes") > 0 && number(r, "seconds") > 0);
    assert_true(strlen(string(json_object_get(r, "device"), "driver")) > 0);
    json_decref(r);
    char *after = list_folder();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void broken_kernels_are_named(void **state)
{
    (void)state;
    use_kernels("broken", "energy.cl", "const float most = f[arg_max(f, labels)]", " + 0.5f");
    setenv("EBMCL_KERNELS", "cpu", 1); // one form is enough
    ran r = run("selftest", "--json");
    json_t *object = json_loads(r.out, 0, NULL);
    if (r.code != 1 || !object) fail_msg("expected exit code 1 and an object, got %d: %s%s", r.code, r.out, r.err);
    const json_t *forms = json_object_get(object, "forms");
    assert_int_equal(json_array_size(forms), 1);
    assert_string_equal(result_of(json_array_get(forms, 0), "energy"), "wrong");
    assert_string_equal(result_of(json_array_get(forms, 0), "layernorm"), "right");
    assert_true(json_is_false(json_object_get(object, "right")));
    assert_true(json_is_false(json_object_get(json_object_get(object, "training"), "right")));
    json_decref(object);
    free_ran(&r);
    unsetenv("EBMCL_KERNELS");
    unsetenv("EBMCL_KERNEL_DIR");
}

static void usage(void **state)
{
    (void)state;
    assert_prints(run("selftest", "--help"), PARTS("--device", "--json", "exit code 0: all right"));
    assert_bad("device 'no such thing' matches no device", "selftest", "--device", "no such thing");
    assert_bad("unknown option", "selftest", "--loud");
}

static void other_losses_are_told(void **state)
{
    (void)state;
    ebm_selftest_training found = ebm_selftest_recorded;
    assert_true(ebm_selftest_error(&found) == 0);
    found.nce[5] += 1e-5;
    assert_true(ebm_selftest_error(&found) > 0 && ebm_selftest_error(&found) < 1);
    found.cross_entropy[11] -= 5e-5;
    assert_true(ebm_selftest_error(&found) > 1);
    found.cross_entropy[0] = NAN;
    assert_true(isinf(ebm_selftest_error(&found)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage),
        cmocka_unit_test(other_losses_are_told),
        cmocka_unit_test(broken_kernels_are_named),
        cmocka_unit_test(all_is_right_here),
    };
    return cmocka_run_group_tests_name("selftest", tests, make_folder, remove_files);
}
