// Devices that compute wrongly: kernels broken for some forms stand for a driver's mistake.
#include "check.h"

#include "broken_kernels.h"
#include "device.h"

#define START "bench", "device", "--buffer_mib", "1", "--repeats", "1"

static int make_folder(void **state)
{
    if (!mkdtemp(folder)) return -1;
    char *cache = in_folder(folder, "cache");
    unsetenv("EBMCL_KERNELS");
    unsetenv("EBMCL_LANES");
    unsetenv("EBMCL_CHECK");
    setenv("EBMCL_CACHE_DIR", cache, 1);
    free(cache);
    return 0;
}

static void assert_says(const ran *r, int code, const char *part)
{
    if (r->code != code || !strstr(r->err, part))
        fail_msg("expected exit code %d and \"%s\", got %d: %s", code, part, r->code, r->err);
}

// The one file of verdicts whose text holds `part`, or NULL.
static char *find_verdict(const char *part)
{
    char *cache = in_folder(folder, "cache"), *found = NULL;
    DIR *all = opendir(cache);
    for (struct dirent *e; all && (e = readdir(all));) {
        char *path = in_folder(cache, e->d_name), *text = NULL;
        if (strncmp(e->d_name, "check-", 6) == 0 && ebm_file_read(path, 4096, &text, NULL).code == EBM_OK &&
            strstr(text, part)) {
            assert_null(found);
            found = path;
        } else {
            free(path);
        }
        free(text);
    }
    if (all) closedir(all);
    free(cache);
    return found;
}

static bool has_cpu(void)
{
    ebm_device *device = NULL;
    assert_ok(ebm_device_open(NULL, &device));
    const bool is_cpu = ebm_device_info_view(device)->is_cpu;
    ebm_device_free(device);
    return is_cpu;
}

static void a_form_that_is_wrong_is_replaced(void **state)
{
    (void)state;
    if (!has_cpu()) skip();
    ebm_device *device = NULL;
    char text[200], wrong[80];
    assert_ok(ebm_device_open(NULL, &device));
    const ebm_kernel_form own = ebm_device_form(device);
    snprintf(text, sizeof text,
             "\n#if LANES == %d\n#undef load_block\n#define load_block(b, row) (((__global const lanes *)(row))[b] * "
             "1.5f)\n#endif\n",
             ebm_device_lanes(device));
    snprintf(wrong, sizeof wrong, "gelu is wrong in the %s (errors ", ebm_kernel_form_name(own));
    ebm_device_free(device);
    use_kernels("first", "gelu.cl", "#include \"rng.h\"", text);
    const char *other = own == EBM_FORM_CPU_16 ? "CPU form of 8 lanes is taken" : "CPU form of 16 lanes is taken";
    ran r = run(START);
    assert_says(&r, 0, wrong);
    assert_says(&r, 0, other);
    free_ran(&r);

    char *path = find_verdict("\nwrong\ngelu\n"), *whole = NULL, *again = NULL;
    assert_non_null(path);
    assert_ok(ebm_file_read(path, 4096, &whole, NULL));
    struct stat before, after;
    assert_int_equal(stat(path, &before), 0);
    r = run(START); // read, not checked again
    assert_says(&r, 0, wrong);
    assert_says(&r, 0, other);
    free_ran(&r);
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_mtime == after.st_mtime);

    char *broken = strdup(whole); // says that all is right, but its sum is another's
    memcpy(strstr(broken, "\nwrong\n"), "\nright\n", 7);
    put_file(path, broken, strlen(broken));
    r = run(START);
    assert_says(&r, 0, wrong);
    free_ran(&r);
    assert_ok(ebm_file_read(path, 4096, &again, NULL));
    assert_string_equal(whole, again);

    setenv("EBMCL_KERNELS", "cpu", 1); // what is asked for is not replaced
    r = run(START);
    assert_says(&r, 0, wrong);
    assert_says(&r, 0, "it is used because EBMCL_KERNELS or EBMCL_LANES asks for it");
    unsetenv("EBMCL_KERNELS");
    free_ran(&r);
    free(path), free(whole), free(again), free(broken);
}

static void a_device_without_a_right_form_is_refused(void **state)
{
    (void)state;
    use_kernels("all", "vector_check.cl", "const int offset)\n{", "\n    if (get_local_id(0) >= 0) return;");
    ran r = run(START);
    assert_says(&r, 2, "EBMCL_CHECK=off takes it as it is");
    free_ran(&r);
    assert_bad("computes wrongly: vectors in the ", START); // by what was kept: nothing is written
    setenv("EBMCL_CHECK", "off", 1);
    r = run(START);
    assert_says(&r, 0, "device 0");
    free_ran(&r);
    setenv("EBMCL_CHECK", "sometimes", 1);
    assert_bad("EBMCL_CHECK: expected on, off or again, found 'sometimes'", START);
    unsetenv("EBMCL_CHECK");
    char *kept = strdup(getenv("EBMCL_CACHE_DIR"));
    setenv("EBMCL_CACHE_DIR", "/dev/null/nowhere", 1);
    r = run(START);
    assert_says(&r, 2, "cannot be kept (/dev/null/nowhere/check-");
    assert_says(&r, 2, "computes wrongly");
    free_ran(&r);
    setenv("EBMCL_CACHE_DIR", kept, 1);
    free(kept);
}

// A driver that takes the process with it is as wrong as one that computes wrongly: the checks have one of their own.
static void a_crash_is_survived(void **state)
{
    (void)state;
    if (!has_cpu()) skip();
    use_kernels("crash", "vector_check.cl", "const int offset)\n{",
                "\n    ((volatile __global int *)8)[get_local_id(0)] = 1;");
    ran r = run(START);
    assert_says(&r, 2, "computes wrongly: vectors in the ");
    assert_says(&r, 2, "(the driver ");
    free_ran(&r);
    assert_bad("the driver ", START); // by what was kept
}

static void a_missing_kernel_is_an_error_and_no_verdict(void **state)
{
    (void)state;
    setenv("EBMCL_KERNEL_DIR", folder, 1);
    assert_bad("EBMCL_KERNEL_DIR: ", START);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_without_a_right_form_is_refused),
        cmocka_unit_test(a_crash_is_survived),
        cmocka_unit_test(a_form_that_is_wrong_is_replaced),
        cmocka_unit_test(a_missing_kernel_is_an_error_and_no_verdict),
    };
    return cmocka_run_group_tests_name("checked devices", tests, make_folder, remove_files);
}
