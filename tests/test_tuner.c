// The sets of CLBlast's parameters that `ebmcl tune` tries, and the tuner that chooses among them and the backends.
#include "tuned.h"
#include "tuner.h"

// ---- sets of parameters

static void every_set_is_possible(void **state)
{
    for (size_t i = 0; i < EBM_CLBLAST_SET_COUNT; i++) {
        const ebm_clblast_set *set = &EBM_CLBLAST_SETS[i];
        assert_ok(ebm_clblast_parameters_check(&set->parameters));
        assert_true(set->cpu || set->gpu);
        assert_true(strlen(set->name) < sizeof((ebm_tuning){0}.name));
        for (size_t j = 0; j < i; j++) assert_string_not_equal(set->name, EBM_CLBLAST_SETS[j].name);
    }
    const ebm_device_info gpu = {.platform_name = "Portable Computing Language"};
    const ebm_device_info pocl = {.is_cpu = true, .platform_name = "Portable Computing Language"};
    const ebm_device_info intel = {.is_cpu = true, .platform_name = "Intel(R) OpenCL"};
    assert_string_equal(ebm_clblast_default_set(&gpu)->name, "database");
    assert_string_equal(ebm_clblast_default_set(&pocl)->name, "cpu-48x128x64");
    assert_string_equal(ebm_clblast_default_set(&intel)->name, "database");
}

// What one set overrides cannot be had back: the next one of the same kind of device must override it too.
static void no_set_depends_on_those_before_it(void **state)
{
    for (int gpu = 0; gpu < 2; gpu++) {
        bool overridden[EBM_CLBLAST_KERNELS] = {false};
        for (size_t i = 0; i < EBM_CLBLAST_SET_COUNT; i++) {
            const ebm_clblast_set *set = &EBM_CLBLAST_SETS[i];
            if (!(gpu ? set->gpu : set->cpu)) continue;
            for (int kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++) {
                if (overridden[kernel] && !set->parameters.overrides[kernel])
                    fail_msg("%s leaves %s as a set before it has it", set->name, EBM_CLBLAST_NAMES[kernel].kernel);
                overridden[kernel] |= set->parameters.overrides[kernel];
            }
        }
    }
}

static unsigned *place_of(ebm_clblast_parameters *p, const char *name)
{
    for (int kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++)
        for (size_t i = 0; i < EBM_CLBLAST_NAMES[kernel].count; i++)
            if (strcmp(EBM_CLBLAST_NAMES[kernel].parameters[i], name) == 0) return &p->values[kernel][i];
    fail_msg("no parameter is named %s", name);
    return NULL;
}

static void impossible_parameters_are_refused(void **state)
{
    static const struct {
        const char *set, *parameter;
        unsigned value;
        const char *part;
    } cases[] = {
        {"pascal", "MWG", 0, "Xgemm: MWG must be at least 1, found 0"},
        {"pascal", "KWI", 0, "KWI must be at least 1"},
        {"pascal", "SA", 2, "SA must be 0 or 1, found 2"},
        {"pascal", "GEMMK", 2, "GEMMK must be 0 or 1"},
        {"pascal", "VWM", 3, "VWM and VWN must be 1, 2, 4, 8 or 16"},
        {"pascal", "MWG", 65, "MWG must be a multiple"},
        {"pascal", "MDIMA", 32, "MWG must be a multiple"},
        {"pascal", "NWG", 33, "NWG must be a multiple"},
        {"pascal", "KWI", 3, "KWG must be a multiple of KWI"},
        {"pascal", "KWG", 6, "KWG must be a multiple of MDIMC NDIMC"},
        {"hd-6000", "MDIMA", 4, "with GEMMK = 1"},
        {"hd-6000", "KREG", 2, "with GEMMK = 1"},
        {"pascal", "WGD", 36, "XgemmDirect: WGD must be a multiple of KWID"},
        {"pascal", "NDIMCD", 1, "MDIMCD NDIMCD / MDIMAD"},
        {"pascal", "VWND", 5, "VWMD and VWND"},
        {"pascal", "XGEMM_MIN_INDIRECT_SIZE", 0, "GemmRoutine"},
        {"cpu-48x128x64", "TRA_DIM", 0, "Transpose: TRA_DIM must be at least 1"},
        {"cpu-48x128x64", "TRA_WPT", 1u << 31, "TRA_WPT must be at least 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ebm_clblast_parameters p = set_named(cases[i].set)->parameters;
        *place_of(&p, cases[i].parameter) = cases[i].value;
        if (strcmp(cases[i].parameter, "NDIMCD") == 0) *place_of(&p, "NDIMBD") = 16; // more than there are items
        assert_fails(ebm_clblast_parameters_check(&p), EBM_ERROR_INPUT, cases[i].part);
    }
}

// ---- the tuner

static const ebm_tuner_product PRODUCTS[] = {
    {EBM_GEMM_NN, 20, 64, 64, false, 3}, {EBM_GEMM_NT, 20, 64, 64, false, 1},  {EBM_GEMM_TN, 64, 64, 20, true, 1},
    {EBM_GEMM_NN, 90, 64, 64, false, 1}, {EBM_GEMM_NT, 600, 32, 32, false, 2}, {EBM_GEMM_TN, 64, 64, 0, true, 1},
};
static const char *const FEW_SETS[] = {"cpu-48x64x32"};

static ebm_tuner_settings small_settings_of_tuner(void)
{
    return (ebm_tuner_settings){.products = PRODUCTS,
                                .count = sizeof PRODUCTS / sizeof *PRODUCTS,
                                .repeats = 1,
                                .sets = FEW_SETS,
                                .set_count = 1};
}

static const ebm_tuner_contender *contender_named(const ebm_tuner_result *r, const char *name)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->contenders[i].name, name) == 0) return &r->contenders[i];
    fail_msg("%s does not take part", name);
    return NULL;
}

// Every class has somebody who was timed on it and is not slower than the standard.
static void assert_choice(const ebm_tuner_result *r)
{
    const ebm_tuner_contender *standard = &r->contenders[r->standard];
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < CLASSES; rows++) {
            const ebm_tuner_contender *best = &r->contenders[r->best[form][rows]];
            assert_int_equal(best->left_out.code, EBM_OK);
            assert_int_equal(best->backend, r->tuning.backend[form][rows]);
            const bool has_set = standard->backend != EBM_BACKEND_CLBLAST || r->standard == r->clblast;
            if (best != standard && has_set && standard->left_out.code == EBM_OK)
                assert_true(best->seconds[form][rows] < (1 - EBM_TUNER_MARGIN) * standard->seconds[form][rows]);
            assert_true((best->seconds[form][rows] > 0) == (r->flops[form][rows] > 0));
            if (best->backend == EBM_BACKEND_CLBLAST) assert_string_equal(best->name, r->tuning.name);
        }
}

static void the_fastest_is_chosen(void **state)
{
    const ebm_tuner_settings settings = small_settings_of_tuner();
    ebm_tuner_result *r = NULL, *none = NULL;
    ebm_device *opened = open_with("off", NULL);
    assert_ok(ebm_tuner_run(opened, &settings, &r));
    assert_int_equal(r->count, has_cpu_form() ? 4 : 3); // the sets are the one that was named and the default
    assert_string_equal(r->contenders[r->standard].name,
                        has_cpu_form() ? "cpu" : ebm_clblast_default_set(ebm_device_info_view(device))->name);
    assert_true(r->flops[EBM_GEMM_NN][0] == 3 * 2.0 * 20 * 64 * 64 && r->flops[EBM_GEMM_TN][2] == 0);
    assert_choice(r);
    char *path = written_in(*state, &r->tuning);
    ebm_device *tuned = prepared_with(path, NULL);
    static float c[M * N];
    product_of(tuned, EBM_GEMM_NN, 20, c);
    assert_fails(ebm_tuner_run(opened, &settings, &none), EBM_ERROR_INPUT, "products were taken before");
    assert_null(none);
    free(r);
    ebm_device_free(tuned);
    ebm_device_free(opened);
    free(path);
}

// A plain kernel that forgets to add to what is there.
static void wrong_results_are_left_out(void **state)
{
    const ebm_tuner_settings settings = small_settings_of_tuner();
    ebm_tuner_result *r = NULL;
    put_changed_kernel(*state, "accumulate ?", "accumulate < 0 ?");
    ebm_device *opened = open_with("off", NULL);
    const ebm_status status = ebm_tuner_run(opened, &settings, &r);
    unsetenv("EBMCL_KERNEL_DIR");
    assert_ok(status);
    for (size_t i = 0; i < r->count; i++)
        if (r->contenders[i].backend != EBM_BACKEND_PLAIN) assert_ok(r->contenders[i].left_out);
    assert_fails(contender_named(r, "plain")->left_out, EBM_ERROR_DEVICE, "expected ");
    assert_choice(r);
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < CLASSES; rows++)
            assert_int_not_equal(r->tuning.backend[form][rows], EBM_BACKEND_PLAIN);
    ebm_device_free(opened);
    free(r);
}

static void wrong_settings_of_the_tuner(void **state)
{
    static const char *const unknown[] = {"pascal", "voodoo"};
    const volatile sig_atomic_t stop = 1;
    ebm_tuner_settings settings = small_settings_of_tuner();
    ebm_tuner_result *r = NULL;
    ebm_device *opened = open_with("off", NULL);
    settings.sets = unknown;
    settings.set_count = 2;
    assert_fails(ebm_tuner_run(opened, &settings, &r), EBM_ERROR_INPUT, "is named 'voodoo'");
    settings = small_settings_of_tuner();
    settings.stop = &stop;
    assert_fails(ebm_tuner_run(opened, &settings, &r), EBM_ERROR_INTERRUPTED, "stopped");
    assert_null(r);
    ebm_device_free(opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_set_is_possible),
        cmocka_unit_test(no_set_depends_on_those_before_it),
        cmocka_unit_test(impossible_parameters_are_refused),
        in_own_folder(the_fastest_is_chosen),
        in_own_folder(wrong_results_are_left_out),
        cmocka_unit_test(wrong_settings_of_the_tuner),
    };
    setenv("EBMCL_TUNING", "off", 1);
    unsetenv("EBMCL_GEMM");
    return cmocka_run_group_tests(tests, open_device, close_device);
}
