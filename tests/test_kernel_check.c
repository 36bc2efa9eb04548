// What the checks of kernels are made of: what counts as an error, and verdicts on disk. That every family is right in
// every form is what test_selftest.c sees, that a wrong one is found test_checked_device.c.
#include "checked_device.h"

#include <math.h>

#include "folder.h"
#include "on_device.h"
#include "trial.h"
#include "verdict.h"

static void errors_are_shares_of_what_is_allowed(void **state)
{
    (void)state;
    double worst = 0.125;
    ebm_trial t;
    assert_ok(ebm_trial_begin(&t, device));
    ebm_trial_near(&t, 1, 1, 0); // no error needs no allowance
    assert_true(t.worst == 0);
    ebm_trial_near(&t, 1.5f, 1, 2);
    assert_true(t.worst == 0.25);
    ebm_trial_near(&t, -1.5f, -1, 4);
    assert_true(t.worst == 0.25);
    ebm_trial_equal(&t, 7, 7);
    assert_ok(ebm_trial_end(&t, &worst));
    assert_true(worst == 0.25);
    const float bad[] = {NAN, INFINITY, -INFINITY, 1};
    const double allowed[] = {1e9, 1e9, 1e9, 0};
    for (int i = 0; i < 4; i++) {
        worst = 0;
        assert_ok(ebm_trial_begin(&t, device));
        ebm_trial_near(&t, bad[i], 0, allowed[i]);
        ebm_trial_near(&t, 0, 0, 1);
        assert_ok(ebm_trial_end(&t, &worst));
        assert_true(isinf(worst));
    }
    worst = 0;
    assert_ok(ebm_trial_begin(&t, device));
    ebm_trial_equal(&t, 7, 8);
    assert_ok(ebm_trial_end(&t, &worst));
    assert_true(isinf(worst));
}

static void a_write_past_the_end_is_wrong(void **state)
{
    (void)state;
    for (size_t past = 0; past < 2; past++) {
        const float one = 1;
        double worst = 0;
        ebm_trial t;
        assert_ok(ebm_trial_begin(&t, device));
        ebm_trial_tensor *x = ebm_trial_normal(&t, 10, 0, 1), *behind = ebm_trial_zero(&t, 3);
        EBM_TRIAL(&t, ebm_trial_upload(&t));
        EBM_TRIAL(&t, ebm_slice_write(device, x->padded, 9 + past, 1, &one));
        EBM_TRIAL(&t, ebm_trial_download(&t));
        assert_true(past || x->now[9] == 1);
        assert_true(behind->now[0] == 0 && x->now[0] == x->before[0]);
        assert_ok(ebm_trial_end(&t, &worst));
        assert_true(past ? isinf(worst) : worst == 0);
    }
}

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    double worst = 0;
    ebm_trial t;
    assert_ok(ebm_trial_begin(&t, device));
    EBM_TRIAL(&t, ebm_fail(EBM_ERROR_DEVICE, "the first"));
    EBM_TRIAL(&t, ebm_fail(EBM_ERROR_DEVICE, "the second"));
    assert_fails(ebm_trial_end(&t, &worst), EBM_ERROR_DEVICE, "the first");
}

static void verdicts_are_kept_on_disk(void **state)
{
    char identity[EBM_VERDICT_IDENTITY], other[EBM_VERDICT_IDENTITY], *text = NULL;
    const ebm_verdict wrong = {false, "gelu", "errors 3 times\nwhat rounding allows", 3.25};
    ebm_verdict found;
    size_t size = 0;
    setenv("EBMCL_CACHE_DIR", *state, 1);
    ebm_verdict_identity(device, 1, identity);
    ebm_verdict_identity(device, 2, other);
    assert_true(identity[0] && strcmp(identity, other) != 0);
    assert_false(ebm_verdict_load(identity, &found));
    assert_true(ebm_verdict_store(identity, &wrong));
    assert_true(ebm_verdict_load(identity, &found));
    assert_true(!found.right && found.worst == 3.25);
    assert_string_equal(found.family, "gelu");
    assert_string_equal(found.sentence, "errors 3 times what rounding allows");
    assert_false(ebm_verdict_load(other, &found));

    char *path = ebm_verdict_path(identity);
    assert_ok(ebm_file_read(path, 4096, &text, &size));
    for (size_t i = 0; i < size; i++) { // a bit changed anywhere, and a file cut anywhere
        text[i] ^= 1;
        put_file(path, text, size);
        assert_false(ebm_verdict_load(identity, &found));
        text[i] ^= 1;
        put_file(path, text, i);
        assert_false(ebm_verdict_load(identity, &found));
    }
    put_file(path, text, size);
    assert_true(ebm_verdict_load(identity, &found));
    free(text);
    free(path);
    setenv("EBMCL_CACHE_DIR", "/dev/null/nowhere", 1);
    assert_false(ebm_verdict_store(identity, &wrong));
    assert_false(ebm_verdict_load(identity, &found));
    unsetenv("EBMCL_CACHE_DIR");
}

static void an_open_device_is_judged_by_its_form(void **state)
{
    bool known = true;
    ebm_kernel_verdict verdict;
    ebm_verdict kept = {false, "gelu", "errors 3 times what rounding allows", 3};
    char identity[EBM_VERDICT_IDENTITY];
    setenv("EBMCL_CACHE_DIR", *state, 1);
    assert_ok(ebm_device_verdict(device, false, NULL, &verdict, &known));
    assert_false(known); // and nothing was run
    ebm_verdict_identity(device, 1, identity);
    assert_true(ebm_verdict_store(identity, &kept));
    assert_ok(ebm_device_verdict(device, true, NULL, &verdict, &known));
    assert_true(known && !verdict.right);
    assert_fails(ebm_device_must_be_right(device), EBM_ERROR_DEVICE, "gelu is wrong in the ");
    setenv("EBMCL_CHECK", "off", 1);
    assert_ok(ebm_device_must_be_right(device));
    unsetenv("EBMCL_CHECK");
    setenv("EBMCL_KERNELS", "cpu", 1);
    assert_ok(ebm_device_must_be_right(device));
    unsetenv("EBMCL_KERNELS");
    unsetenv("EBMCL_CACHE_DIR");
}

static void forms_can_be_named(void **state)
{
    (void)state;
    const int lanes[EBM_FORMS] = {16, 8, 4}, groups[EBM_FORMS] = {1, 1, 64};
    for (int form = 0; form < EBM_FORMS; form++) {
        ebm_device *opened = NULL;
        char place[32];
        snprintf(place, sizeof place, "%d", ebm_device_info_view(device)->index);
        assert_ok(ebm_device_open_form(place, (ebm_kernel_form)form, &opened));
        assert_int_equal(ebm_device_form(opened), form);
        assert_int_equal(ebm_device_lanes(opened), lanes[form]);
        assert_int_equal(ebm_device_group(opened), groups[form]);
        ebm_device_free(opened);
    }
}

int main(void)
{
    unsetenv("EBMCL_KERNELS");
    unsetenv("EBMCL_LANES");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_shares_of_what_is_allowed),
        cmocka_unit_test(a_write_past_the_end_is_wrong),
        cmocka_unit_test(the_first_failure_is_kept),
        in_own_folder(verdicts_are_kept_on_disk),
        in_own_folder(an_open_device_is_judged_by_its_form),
        cmocka_unit_test(forms_can_be_named),
    };
    return cmocka_run_group_tests_name("checks of kernels", tests, open_device, close_device);
}
