// Devices, arenas, programs, launches on whatever device $EBMCL_DEVICE or the default names.
#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "arena.h"
#include "device.h"
#include "folder.h"
#include "launch.h"
#include "mapping.h"

static ebm_device *device;

static int open_device(void **state)
{
    const ebm_status status = ebm_device_open(NULL, &device);
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code;
}

static int close_device(void **state)
{
    ebm_device_free(device);
    return 0;
}

static void every_listed_device_can_be_chosen(void **state)
{
    ebm_device_info *list = NULL;
    size_t count = 0;
    assert_ok(ebm_device_list(&list, &count));
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        char place[32];
        ebm_device *one = NULL;
        snprintf(place, sizeof place, "%zu", i);
        assert_ok(ebm_device_open(place, &one));
        assert_int_equal(ebm_device_info_view(one)->index, (int)i);
        ebm_device_free(one);
        snprintf(place, sizeof place, "%d:%d", list[i].platform, list[i].local);
        assert_ok(ebm_device_open(place, &one));
        assert_int_equal(ebm_device_info_view(one)->index, (int)i);
        ebm_device_free(one);
        assert_true(list[i].driver[0] != 0);
    }
    free(list);
}

static void a_wrong_choice_names_what_there_is(void **state)
{
    ebm_device *none = NULL;
    assert_fails(ebm_device_open("no such thing", &none), EBM_ERROR_INPUT,
                 "'no such thing' matches no device; there is: 0 = ");
    assert_fails(ebm_device_open("4711", &none), EBM_ERROR_INPUT, "matches no device");
    assert_null(none);
    ebm_device_free(NULL);
}

static void run_vector_check(ebm_device *on)
{
    enum { ROWS = 5, WIDTH = 48 };
    ebm_slice before, x, y, after;
    ebm_arena *arena = ebm_arena_create(on, "test");
    ebm_arena_reserve(arena, &before, 3);
    ebm_arena_reserve(arena, &x, ROWS * WIDTH);
    ebm_arena_reserve(arena, &y, ROWS * WIDTH);
    ebm_arena_reserve(arena, &after, 64);
    assert_ok(ebm_arena_plan(on, &arena, 1, "-"));
    assert_ok(ebm_arena_allocate(arena));
    float in[ROWS * WIDTH], out[ROWS * WIDTH], zeros[64];
    for (int i = 0; i < ROWS * WIDTH; i++) in[i] = 0.25f * (float)i;
    assert_ok(ebm_slice_write(on, x, 0, ROWS * WIDTH, in));
    ebm_launch l = ebm_launch_begin(on, "vector_check.cl", "vector_check", "-DWIDTH=%d", WIDTH);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_arg_f32(&l, 2.0f);
    ebm_arg_i32(&l, -3);
    assert_ok(ebm_launch_rows(&l, ROWS));
    assert_ok(ebm_slice_read(on, y, 0, ROWS * WIDTH, out));
    for (int i = 0; i < ROWS * WIDTH; i++) assert_true(out[i] == 2.0f * in[i] - 3.0f);
    assert_ok(ebm_slice_read(on, after, 0, 64, zeros));
    for (int i = 0; i < 64; i++) assert_true(zeros[i] == 0.0f);
    ebm_arena_free(arena);
}

static void a_kernel_gives_its_known_answer(void **state) { run_vector_check(device); }

// Two processes of one machine: halves of a CPU that can be cut, else the whole device.
static void a_device_is_cut_into_parts(void **state)
{
    (void)state;
    const ebm_device_info *whole = ebm_device_info_view(device);
    ebm_device *part = NULL;
    for (unsigned i = 0; i < 2; i++) {
        assert_ok(ebm_device_open_part(NULL, NULL, i, 2, &part));
        const ebm_device_info *info = ebm_device_info_view(part);
        assert_string_equal(info->name, whole->name);
        assert_true(info->parts == 1 || (info->parts == 2 && info->is_cpu));
        assert_int_equal(info->compute_units, whole->compute_units / info->parts);
        assert_int_equal(info->memory_bytes, whole->memory_bytes / info->parts);
        run_vector_check(part);
        ebm_device_free(part);
    }
    if (whole->is_cpu) { // more parts than units: whole
        assert_ok(ebm_device_open_part(NULL, NULL, whole->compute_units, whole->compute_units + 1, &part));
        assert_int_equal(ebm_device_info_view(part)->compute_units, whole->compute_units);
        ebm_device_free(part);
    }
    assert_fails(ebm_device_open_part(NULL, NULL, 2, 2, &part), EBM_ERROR_INPUT, "part 2 of 2");
}

// Slices side by side as one, and in the host's memory: what was written before is there, what is written stays.
static void slices_are_joined_and_mapped(void **state)
{
    (void)state;
    enum { COUNT = 37 };
    float values[COUNT], back[COUNT];
    ebm_slice a, b, c, joined;
    ebm_mapped mapping;
    ebm_arena *arena = ebm_arena_create(device, "joined");
    ebm_arena_reserve(arena, &a, COUNT);
    ebm_arena_reserve(arena, &b, COUNT);
    ebm_arena_reserve(arena, &c, COUNT);
    assert_fails(ebm_arena_join(arena, &a, &b, &joined), EBM_ERROR_DEVICE, "cannot be joined");
    assert_ok(ebm_arena_allocate(arena));
    assert_fails(ebm_arena_join(arena, &b, &a, &joined), EBM_ERROR_DEVICE, "cannot be joined");
    assert_fails(ebm_arena_join(arena, &a, &joined, &joined), EBM_ERROR_DEVICE, "cannot be joined");
    assert_ok(ebm_arena_join(arena, &b, &c, &joined));
    for (size_t i = 0; i < COUNT; i++) values[i] = (float)i + 0.5f;
    assert_ok(ebm_slice_write(device, b, 0, COUNT, values));
    assert_ok(ebm_slice_write(device, c, 0, COUNT, values));
    assert_ok(ebm_slice_map(device, joined, &mapping));
    assert_ok(ebm_device_flush(device));
    assert_ok(ebm_mapped_wait(&mapping));
    bool ready = false;
    assert_ok(ebm_mapped_is_ready(&mapping, &ready));
    assert_true(ready);
    assert_memory_equal(mapping.values, values, sizeof values);
    float *last = mapping.values + (joined.count - COUNT); // c, behind b's padding
    assert_memory_equal(last, values, sizeof values);
    for (size_t i = 0; i < COUNT; i++) last[i] = -values[i];
    assert_ok(ebm_slice_unmap(device, &mapping));
    assert_ok(ebm_slice_unmap(device, &mapping)); // nothing any more
    assert_ok(ebm_slice_read(device, c, 0, COUNT, back));
    for (size_t i = 0; i < COUNT; i++) assert_true(back[i] == -values[i]);
    ebm_arena_free(arena);
    assert_fails(ebm_slice_map(device, (ebm_slice){0}, &mapping), EBM_ERROR_DEVICE, "not allocated");
}

static void transfers_are_checked_and_exact(void **state)
{
    ebm_slice slice, other;
    ebm_arena *arena = ebm_arena_create(device, "test");
    ebm_arena_reserve(arena, &slice, 10);
    ebm_arena_reserve(arena, &other, 10);
    assert_ok(ebm_arena_allocate(arena));
    float out[10];
    const float in[4] = {1, 2, 3, 4};
    assert_ok(ebm_slice_write(device, slice, 3, 4, in));
    assert_ok(ebm_slice_copy(device, other, 1, slice, 3, 4));
    assert_ok(ebm_slice_zero(device, slice, 4, 2));
    assert_ok(ebm_slice_read(device, slice, 0, 10, out));
    const float expected[10] = {0, 0, 0, 1, 0, 0, 4, 0, 0, 0};
    assert_memory_equal(out, expected, sizeof out);
    assert_ok(ebm_slice_read(device, other, 1, 4, out));
    assert_memory_equal(out, in, sizeof in);
    assert_fails(ebm_slice_read(device, slice, 8, 3, out), EBM_ERROR_DEVICE, "elements 8 to 11 of a slice of 10");
    assert_fails(ebm_slice_write(device, slice, 11, 0, in), EBM_ERROR_DEVICE, "of a slice of 10");
    ebm_arena_free(arena);
}

static void slices_can_share_memory(void **state)
{
    ebm_slice whole, part, none, other;
    ebm_arena *arena = ebm_arena_create(device, "test");
    ebm_arena_reserve(arena, &whole, 100);
    const uint64_t bytes = ebm_arena_bytes(arena);
    ebm_arena_share(arena, &part, &whole, 40);
    ebm_arena_share(arena, &none, &whole, 0);
    assert_true(ebm_arena_bytes(arena) == bytes);
    ebm_arena_reserve(arena, &other, 100);
    assert_ok(ebm_arena_plan(device, &arena, 1, "-"));
    assert_ok(ebm_arena_allocate(arena));
    const float in[2] = {3, 4};
    float out[2];
    assert_ok(ebm_slice_write(device, part, 38, 2, in));
    assert_ok(ebm_slice_read(device, whole, 38, 2, out));
    assert_memory_equal(out, in, sizeof in);
    assert_ok(ebm_slice_read(device, other, 38, 2, out));
    assert_true(out[0] == 0 && out[1] == 0);
    assert_fails(ebm_slice_read(device, part, 39, 2, out), EBM_ERROR_DEVICE, "of a slice of 40");
    assert_true(none.memory == NULL && none.count == 0);
    ebm_arena_free(arena);

    arena = ebm_arena_create(device, "test");
    ebm_arena_reserve(arena, &whole, 100);
    ebm_arena_share(arena, &part, &whole, 101);
    assert_fails(ebm_arena_plan(device, &arena, 1, "-"), EBM_ERROR_DEVICE, "larger than the one it shares");
    assert_fails(ebm_arena_allocate(arena), EBM_ERROR_DEVICE, "larger than the one it shares");
    ebm_arena_free(arena);
}

static void a_plan_that_does_not_fit_is_refused_with_numbers(void **state)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    ebm_slice huge, parts[4];
    ebm_arena *arena = ebm_arena_create(device, "activations");
    ebm_arena_reserve(arena, &huge, (size_t)(info->max_allocation_bytes / 4 + 1024));
    assert_fails(ebm_arena_plan(device, &arena, 1, "lower --token_budget"), EBM_ERROR_MEMORY, "lower --token_budget");
    ebm_arena_free(arena);

    arena = ebm_arena_create(device, "activations"); // each part fits one allocation, all together do not
    const size_t quarter = (size_t)(info->max_allocation_bytes / 8);
    size_t count = (size_t)(info->memory_bytes / info->max_allocation_bytes) * 2 + 3;
    for (size_t i = 0; i < count; i++) ebm_arena_reserve(arena, &parts[0], quarter);
    assert_fails(ebm_arena_plan(device, &arena, 1, "x"), EBM_ERROR_MEMORY, "MiB are needed");
    ebm_arena_free(arena);
}

static void launch_mistakes_are_named(void **state)
{
    ebm_launch l = ebm_launch_begin(device, "vector_check.cl", "vector_check", "-DWIDTH=16");
    ebm_arg_f32(&l, 1);
    assert_fails(ebm_launch_rows(&l, 1), EBM_ERROR_DEVICE, "vector_check");
    l = ebm_launch_begin(device, "vector_check.cl", "vector_check", "-DWIDTH=16");
    const ebm_slice none = {0};
    ebm_arg_slice(&l, none);
    ebm_arg_slice(&l, none);
    assert_fails(ebm_launch_rows(&l, 1), EBM_ERROR_DEVICE, "takes 4 arguments, 2 were given");
    ebm_launch missing = ebm_launch_begin(device, "missing.cl", "x", "%s", "");
    assert_fails(ebm_launch_rows(&missing, 1), EBM_ERROR_DEVICE, "missing.cl is not part of the library");
    ebm_launch broken = ebm_launch_begin(device, "vector_check.cl", "vector_check", "-DWIDTH=)");
    assert_fails(ebm_launch_rows(&broken, 1), EBM_ERROR_DEVICE, "building vector_check.cl");
    ebm_launch wide = ebm_launch_begin(device, "vector_check.cl", "vector_check", "-DWIDTH=16");
    ebm_arg_i32(&wide, 1ll << 40);
    assert_fails(ebm_launch_rows(&wide, 1), EBM_ERROR_DEVICE, "does not fit 32 bits");
    ebm_launch large = ebm_launch_begin(device, "bench_device.cl", "empty", "%s", "");
    const size_t one[2] = {1, 1}, items[2] = {ebm_device_info_view(device)->max_group_items, 2};
    assert_fails(ebm_launch_groups(&large, one, items), EBM_ERROR_UNSUPPORTED, "empty needs work-groups of");
}

static void profile_counts_launches(void **state)
{
    ebm_profile_enable(device, true);
    run_vector_check(device);
    run_vector_check(device);
    ebm_profile_row *rows = NULL;
    size_t count = 0;
    assert_ok(ebm_profile_rows(device, &rows, &count));
    ebm_profile_enable(device, false);
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].name, "vector_check");
    assert_int_equal(rows[0].launches, 2);
    assert_true(rows[0].seconds > 0);
    free(rows);
}

static size_t damage_cache(const char *folder, long cut)
{
    char command[512];
    snprintf(command, sizeof command,
             cut < 0 ? "for f in %s/*.bin; do printf x | dd of=$f bs=1 seek=40 conv=notrunc 2>/dev/null; done"
                     : "for f in %s/*.bin; do truncate -s %ld $f; done",
             folder, cut);
    return system(command) == 0;
}

static void a_damaged_program_cache_is_rebuilt(void **state)
{
    char folder[] = "/tmp/ebmcl-cache-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("EBMCL_CACHE", "on", 1);
    setenv("EBMCL_CACHE_DIR", folder, 1);
    const long cuts[] = {1 << 30, 0, 20, 100, -1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        ebm_device *fresh = NULL;
        assert_ok(ebm_device_open(NULL, &fresh));
        run_vector_check(fresh);
        ebm_device_free(fresh);
        char command[512];
        snprintf(command, sizeof command, "test \"$(ls %s | wc -l)\" = 1", folder); // one entry, no temporary left
        assert_int_equal(system(command), 0);
        assert_true(damage_cache(folder, cuts[i] == 1 << 30 ? 1000000000 : cuts[i]));
    }
    char command[512];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    unsetenv("EBMCL_CACHE");
    unsetenv("EBMCL_CACHE_DIR");
}

static void lanes_can_be_set(void **state)
{
    (void)state;
    const char *before = getenv("EBMCL_LANES");
    char *kept = before ? strdup(before) : NULL;
    ebm_device *other = NULL;
    setenv("EBMCL_LANES", "8", 1);
    assert_ok(ebm_device_open(NULL, &other));
    assert_int_equal(ebm_device_lanes(other), ebm_device_uses_cpu_kernels(other) ? 8 : 4);
    const bool cpu = ebm_device_uses_cpu_kernels(other);
    ebm_device_free(other);
    setenv("EBMCL_LANES", "12", 1);
    if (cpu) assert_fails(ebm_device_open(NULL, &other), EBM_ERROR_INPUT, "EBMCL_LANES: expected 8 or 16, found '12'");
    if (kept)
        setenv("EBMCL_LANES", kept, 1);
    else
        unsetenv("EBMCL_LANES");
    free(kept);
}

// EBMCL_PROGRAM_LIST: each program once, with all its options.
static void programs_are_listed(void **state)
{
    const char *before = getenv("EBMCL_PROGRAM_LIST");
    char *kept = before ? strdup(before) : NULL, *path = in_folder(*state, "programs"), line[256] = "";
    ebm_device *fresh = NULL;
    setenv("EBMCL_PROGRAM_LIST", path, 1);
    assert_ok(ebm_device_open(NULL, &fresh));
    run_vector_check(fresh);
    run_vector_check(fresh);
    FILE *list = fopen(path, "r");
    assert_non_null(list);
    assert_non_null(fgets(line, sizeof line, list));
    char expected[256];
    snprintf(expected, sizeof expected,
             "vector_check.cl -cl-std=CL1.2 -cl-mad-enable -DLANES=%d -DGROUP=%d -DWIDTH=48\n", ebm_device_lanes(fresh),
             ebm_device_group(fresh));
    assert_string_equal(line, expected);
    assert_null(fgets(line, sizeof line, list));
    fclose(list);
    setenv("EBMCL_PROGRAM_LIST", *state, 1); // a folder
    ebm_launch l = ebm_launch_begin(fresh, "vector_check.cl", "vector_check", "-DWIDTH=16");
    assert_fails(ebm_launch_rows(&l, 1), EBM_ERROR_INPUT, "EBMCL_PROGRAM_LIST");
    ebm_device_free(fresh);
    if (kept)
        setenv("EBMCL_PROGRAM_LIST", kept, 1);
    else
        unsetenv("EBMCL_PROGRAM_LIST");
    free(kept);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_can_be_set),
        cmocka_unit_test(every_listed_device_can_be_chosen),
        cmocka_unit_test(a_device_is_cut_into_parts),
        cmocka_unit_test(slices_are_joined_and_mapped),
        cmocka_unit_test(a_wrong_choice_names_what_there_is),
        cmocka_unit_test(a_kernel_gives_its_known_answer),
        cmocka_unit_test(transfers_are_checked_and_exact),
        cmocka_unit_test(slices_can_share_memory),
        cmocka_unit_test(a_plan_that_does_not_fit_is_refused_with_numbers),
        cmocka_unit_test(launch_mistakes_are_named),
        cmocka_unit_test(profile_counts_launches),
        cmocka_unit_test(a_damaged_program_cache_is_rebuilt),
        in_own_folder(programs_are_listed),
    };
    return cmocka_run_group_tests_name("runtime", tests, open_device, close_device);
}
