// The file that `ebmcl tune` writes, and what products make of it. The tuner: test_tuner.c, the command: test_cli.c.
#include "bf16.h"
#include "tuned.h"

// ---- the file

static ebm_tuning some_tuning(void)
{
    ebm_tuning tuning = {.name = "pascal", .parameters = set_named("pascal")->parameters};
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < CLASSES; rows++)
            tuning.backend[form][rows] = (form + rows) % 2 ? EBM_BACKEND_CLBLAST : EBM_BACKEND_PLAIN;
    return tuning;
}

static void a_file_reads_as_it_was_written(void **state)
{
    const ebm_tuning written = some_tuning();
    ebm_tuning read;
    char *path = in_folder(*state, "a/new/folder/tuning.json");
    assert_ok(ebm_tuning_write(device, path, &written));
    assert_ok(ebm_tuning_read(device, path, &read));
    assert_memory_equal(read.backend, written.backend, sizeof read.backend);
    assert_string_equal(read.name, written.name);
    for (int kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++) {
        assert_int_equal(read.parameters.overrides[kernel], written.parameters.overrides[kernel]);
        assert_memory_equal(read.parameters.values[kernel], written.parameters.values[kernel],
                            sizeof read.parameters.values[kernel]);
    }
    free(path);
}

static void rows_have_classes(void **state)
{
    static const size_t rows[] = {1, 64, 65, 512, 513, 100000}, classes[] = {0, 0, 1, 1, 2, 2};
    for (size_t i = 0; i < 6; i++) assert_int_equal(ebm_row_class(rows[i]), classes[i]);
}

// Another driver version or kernel form has another file.
static void the_path_is_that_of_device_and_driver(void **state)
{
    ebm_device other = *device;
    char *path = NULL, *second = NULL;
    setenv("EBMCL_CACHE_DIR", *state, 1);
    assert_ok(ebm_tuning_path(device, &path));
    assert_int_equal(strncmp(path, *state, strlen(*state)), 0);
    const char *file = path + strlen(*state) + 1;
    assert_int_equal(strncmp(file, "tuning-", 7), 0);
    assert_int_equal(strspn(file, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"), strlen(file));
    strcat(other.info.driver, "1");
    assert_ok(ebm_tuning_path(&other, &second));
    assert_string_not_equal(path, second);
    free(second);
    other = *device;
    other.cpu_kernels = !other.cpu_kernels;
    assert_ok(ebm_tuning_path(&other, &second));
    assert_string_not_equal(path, second);
    free(second);
    free(path);
    unsetenv("EBMCL_CACHE_DIR");
}

static void broken_files_are_refused(void **state)
{
    static const struct {
        const char *from, *to, *part;
    } cases[] = {
        {"\"format\": 1", "\"format\": 2", "expected what ebmcl tune writes"},
        {"\"format\": 1", "\"form\": 1", "expected what ebmcl tune writes"},
        {"\"driver\": \"", "\"driver\": \"0", "tuned for driver '0"},
        {"\"device\": \"", "\"device\": \"Other ", "tuned for device 'Other "},
        {"\"platform\": \"", "\"platform\": \"Other ", "tuned for platform 'Other "},
        {"\"kernels\": \"", "\"kernels\": \"no-", "tuned for kernels 'no-"},
        {"\"driver\": \"", "\"driver\": 1, \"d\": \"", "\"driver\" must be a text"},
        {"\"plain\"", "\"fast\"", "\"1-64\": expected "},
        {"\"plain\"", "7", "\"1-64\": expected "},
        {"\"513-\"", "\"514-\"", "\"513-\": expected "},
        {"\"nt\"", "\"nx\"", "\"nt\", \"1-64\": expected "},
        {"\"name\": \"pascal\"", "\"name\": 3", "\"clblast\" must have a \"name\""},
        {"\"Xgemm\"", "\"Ygemm\"", "a kernel that this version does not know"},
        {"\"MWG\": 64", "\"MWG\": -64", "\"MWG\" of \"Xgemm\" must be a number"},
        {"\"MWG\": 64", "\"MWG\": 6.5", "must be a number"},
        {"\"MWG\": 64", "\"MWG\": 99999999999", "must be a number"},
        {"\"MWG\": 64", "\"MWG\": 0", "MWG must be at least 1"},
        {"\"MWG\": 64,", "", "\"Xgemm\" must have 16 parameters"},
        {"\"MWG\": 64", "\"MWH\": 64", "\"MWG\" of \"Xgemm\" must be a number"},
        {"\"Xgemm\": {", "\"Xgemm\": 1, \"x\": {", "\"Xgemm\" must have 16 parameters"},
        {"\"MWG\": 64", "\"MWG\": 64, \"MWG\": 64", "duplicate"},
    };
    const ebm_tuning written = some_tuning();
    ebm_tuning read;
    char *path = in_folder(*state, "tuning.json");
    assert_ok(ebm_tuning_write(device, path, &written));
    char *text = text_of_file(path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *broken = replaced(text, cases[i].from, cases[i].to);
        put_file(path, broken, strlen(broken));
        assert_fails(ebm_tuning_read(device, path, &read), EBM_ERROR_INPUT, cases[i].part);
        free(broken);
    }
    for (size_t size = 0; size < strlen(text); size += 7) { // cut anywhere
        put_file(path, text, size);
        assert_fails(ebm_tuning_read(device, path, &read), EBM_ERROR_INPUT, path);
    }
    char *large = calloc(1, 70000);
    memset(large, ' ', 70000);
    put_file(path, large, 70000);
    assert_fails(ebm_tuning_read(device, path, &read), EBM_ERROR_INPUT, path);
    free(large);
    put_file(path, "[1]", 3);
    assert_fails(ebm_tuning_read(device, path, &read), EBM_ERROR_INPUT, path);
    free(text);
    free(path);
}

static void cpu_kernels_are_for_their_form_only(void **state)
{
    const ebm_tuning written = tuning_of_all(EBM_BACKEND_CPU);
    ebm_tuning read;
    char *path = in_folder(*state, "tuning.json");
    assert_ok(ebm_tuning_write(device, path, &written));
    if (has_cpu_form())
        assert_ok(ebm_tuning_read(device, path, &read));
    else
        assert_fails(ebm_tuning_read(device, path, &read), EBM_ERROR_INPUT, "expected clblast or plain");
    free(path);
}

// ---- what products make of it

static const char *own_backend(void) { return has_cpu_form() ? "cpu" : "clblast"; }

// Form by form, only products of the form and class that are the plain kernel's bear its mark.
static void each_class_has_its_backend(void **state)
{
    static const size_t rows_of[] = {40, 100};
    static float c[M * N];
    put_changed_kernel(*state, "accumulate ? *to + sum[i][j] : sum[i][j]", "777");
    for (int changed = 0; changed < FORMS; changed++) {
        ebm_tuning tuning = tuning_of_all(has_cpu_form() ? EBM_BACKEND_CPU : EBM_BACKEND_CLBLAST);
        tuning.backend[changed][1] = EBM_BACKEND_PLAIN;
        char *path = written_in(*state, &tuning);
        ebm_device *tuned = prepared_with(path, NULL);
        assert_string_equal(ebm_gemm_backend(tuned), has_cpu_form() ? "cpu and plain" : "clblast and plain");
        assert_string_equal(ebm_gemm_tuning(tuned), path);
        assert_string_equal(ebm_gemm_note(tuned), "");
        for (int form = 0; form < FORMS; form++)
            for (size_t i = 0; i < 2; i++) {
                product_of(tuned, (ebm_gemm_form)form, rows_of[i], c);
                for (size_t e = 0; e < rows_of[i] * N; e++) assert_int_equal(c[e] == 777, form == changed && i == 1);
            }
        ebm_device_free(tuned);
        free(path);
    }
    unsetenv("EBMCL_KERNEL_DIR");
}

// With everything CLBlast's it has a buffer, so it was its doing; the parameters are its own there too.
static void clblast_can_have_all(void **state)
{
    static float c[M * N], again[M * N];
    const ebm_tuning tuning = tuning_of_all(EBM_BACKEND_CLBLAST);
    char *path = written_in(*state, &tuning);
    for (int forced = 0; forced < 2; forced++) {
        ebm_device *opened = prepared_with(path, forced ? "clblast" : NULL);
        assert_string_equal(ebm_gemm_backend(opened), "clblast");
        assert_string_equal(ebm_gemm_tuning(opened), path);
        assert_false(ebm_gemm_rows_independent(opened));
        product_of(opened, EBM_GEMM_NT, 100, forced ? again : c);
        if (tuning.parameters.overrides[EBM_CLBLAST_XGEMM]) assert_non_null(opened->gemm->temporary);
        ebm_device_free(opened);
    }
    assert_memory_equal(c, again, sizeof c); // the same file, the same bits
    free(path);
}

static void rows_are_independent_by_one_backend_alone(void **state)
{
    ebm_tuning tuning = tuning_of_all(EBM_BACKEND_PLAIN);
    const ebm_backend own = has_cpu_form() ? EBM_BACKEND_CPU : EBM_BACKEND_CLBLAST;
    for (size_t other = 0; other < 4; other++) {
        if (other > 0) tuning.backend[other - 1][1] = own; // nn first, then the forms that do not matter
        char *path = written_in(*state, &tuning);
        ebm_device *opened = open_with(path, NULL);
        for (int prepared = 0; prepared < 2; prepared++) {
            assert_int_equal(ebm_gemm_rows_independent(opened), other != 1);
            assert_ok(ebm_gemm_prepare(opened));
        }
        if (other > 0) tuning.backend[other - 1][1] = EBM_BACKEND_PLAIN;
        ebm_device_free(opened);
        free(path);
    }
}

static void the_environment_overrides(void **state)
{
    const ebm_tuning tuning = tuning_of_all(EBM_BACKEND_CLBLAST);
    char *path = written_in(*state, &tuning);
    ebm_device *opened = prepared_with(path, "plain");
    assert_string_equal(ebm_gemm_backend(opened), "plain");
    assert_string_equal(ebm_gemm_tuning(opened), "");
    ebm_device_free(opened);
    opened = prepared_with("off", NULL);
    assert_string_equal(ebm_gemm_backend(opened), own_backend());
    assert_string_equal(ebm_gemm_tuning(opened), "");
    ebm_device_free(opened);
    free(path);
}

// A file that was named must be good; one in the cache's folder is used when it is, and said to be unused when not.
static void bad_files_are_told(void **state)
{
    const ebm_tuning tuning = tuning_of_all(EBM_BACKEND_PLAIN);
    char *path = NULL, *named = in_folder(*state, "none.json");
    setenv("EBMCL_CACHE_DIR", *state, 1);
    assert_ok(ebm_tuning_path(device, &path));

    ebm_device *opened = prepared_with("", NULL); // no file
    assert_string_equal(ebm_gemm_note(opened), "");
    ebm_device_free(opened);

    assert_ok(ebm_tuning_write(device, path, &tuning));
    opened = prepared_with("", NULL);
    assert_string_equal(ebm_gemm_backend(opened), "plain");
    assert_string_equal(ebm_gemm_tuning(opened), path);
    ebm_device_free(opened);

    put_file(path, "{\"format\": 1", 12);
    opened = prepared_with("", NULL);
    assert_string_equal(ebm_gemm_backend(opened), own_backend());
    assert_string_equal(ebm_gemm_tuning(opened), "");
    assert_non_null(strstr(ebm_gemm_note(opened), path));
    ebm_device_free(opened);

    opened = open_with(path, NULL);
    assert_fails(ebm_gemm_prepare(opened), EBM_ERROR_INPUT, "EBMCL_TUNING: ");
    assert_string_equal(ebm_gemm_backend(opened), own_backend());
    ebm_device_free(opened);
    opened = open_with(named, NULL);
    assert_fails(ebm_gemm_prepare(opened), EBM_ERROR_INPUT, "none.json");
    ebm_device_free(opened);
    unsetenv("EBMCL_CACHE_DIR");
    free(named);
    free(path);
}

// All products are in bf16 then, whoever has them in fp32.
static void bf16_is_beside_the_tuning(void **state)
{
    static float bits[2][M * N], fp32[M * N];
    const ebm_tuning tuning = tuning_of_all(EBM_BACKEND_PLAIN);
    char *path = written_in(*state, &tuning);
    ebm_device *tuned = prepared_with(path, NULL), *plain = prepared_with("off", NULL);
    unsetenv("EBMCL_GEMM");
    const ebm_status status = ebm_gemm_set_precision(tuned, EBM_BF16);
    if (!should_do_bf16(device)) {
        assert_int_equal(status.code, EBM_ERROR_UNSUPPORTED);
        assert_string_equal(ebm_gemm_backend(tuned), "plain");
    } else {
        assert_ok(status);
        assert_ok(ebm_gemm_set_precision(plain, EBM_BF16));
        assert_string_equal(ebm_gemm_backend(tuned), "bf16");
        assert_true(ebm_gemm_rows_independent(tuned));
        product_of(tuned, EBM_GEMM_NT, 100, bits[0]);
        product_of(plain, EBM_GEMM_NT, 100, bits[1]);
        assert_memory_equal(bits[0], bits[1], sizeof bits[0]);
        assert_ok(ebm_gemm_set_precision(tuned, EBM_FP32));
        assert_string_equal(ebm_gemm_backend(tuned), "plain");
        product_of(tuned, EBM_GEMM_NT, 100, fp32);
        assert_memory_not_equal(bits[0], fp32, sizeof fp32);
    }
    ebm_device_free(tuned);
    ebm_device_free(plain);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_classes),
        in_own_folder(a_file_reads_as_it_was_written),
        in_own_folder(the_path_is_that_of_device_and_driver),
        in_own_folder(broken_files_are_refused),
        in_own_folder(cpu_kernels_are_for_their_form_only),
        in_own_folder(each_class_has_its_backend),
        in_own_folder(clblast_can_have_all),
        in_own_folder(rows_are_independent_by_one_backend_alone),
        in_own_folder(the_environment_overrides),
        in_own_folder(bad_files_are_told),
        in_own_folder(bf16_is_beside_the_tuning),
    };
    setenv("EBMCL_TUNING", "off", 1);
    unsetenv("EBMCL_GEMM");
    return cmocka_run_group_tests(tests, open_device, close_device);
}
