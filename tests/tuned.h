// What the tests of tunings share: sets of parameters by name, files in the test's folder, devices opened with them.
#ifndef EBM_TESTS_TUNED_H
#define EBM_TESTS_TUNED_H

#include "device_internal.h"
#include "folder.h"
#include "gemm_internal.h"
#include "on_device.h"

enum { FORMS = EBM_GEMM_FORMS, CLASSES = EBM_ROW_CLASSES };

static inline bool has_cpu_form(void) { return ebm_device_uses_cpu_kernels(device); }

static inline const ebm_clblast_set *set_named(const char *name)
{
    for (size_t i = 0; i < EBM_CLBLAST_SET_COUNT; i++)
        if (strcmp(EBM_CLBLAST_SETS[i].name, name) == 0) return &EBM_CLBLAST_SETS[i];
    fail_msg("no set is named %s", name);
    return NULL;
}

static inline ebm_tuning tuning_of_all(ebm_backend backend)
{
    ebm_tuning tuning = {.name = "default", .parameters = ebm_clblast_default_set(&device->info)->parameters};
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < CLASSES; rows++) tuning.backend[form][rows] = backend;
    return tuning;
}

static inline char *text_of_file(const char *path)
{
    static char *text; // a local one's address, inlined, is what gcc 12 wrongly warns of
    assert_ok(ebm_file_read(path, 1 << 20, &text, NULL));
    return text;
}

// The text with the first `from` in it replaced; for the caller to free().
static inline char *replaced(const char *text, const char *from, const char *to)
{
    const char *place = strstr(text, from);
    assert_non_null(place);
    const size_t before = (size_t)(place - text), size = strlen(text) + strlen(to) + 1;
    char *result = calloc(size, 1);
    assert_non_null(result);
    snprintf(result, size, "%.*s%s%s", (int)before, text, to, text + before + strlen(from));
    return result;
}

enum { M = 100, N = 70, K = 90 }; // of the class in the middle

// The bits of one product on a device that is opened for it.
static inline void product_of(ebm_device *on, ebm_gemm_form form, size_t m, float *c)
{
    static float a[M * K], b[N * K];
    uint32_t seed = 7;
    ebm_slice slices[3];
    const ebm_slice none = {NULL, 0};
    ebm_arena *arena = ebm_arena_create(on, "test");
    for (size_t i = 0; i < M * K; i++) a[i] = pseudo(&seed, 1);
    for (size_t i = 0; i < N * K; i++) b[i] = pseudo(&seed, 1);
    ebm_arena_reserve(arena, &slices[0], M * K);
    ebm_arena_reserve(arena, &slices[1], (size_t)N * K);
    ebm_arena_reserve(arena, &slices[2], (size_t)M * N);
    assert_ok(ebm_arena_allocate(arena));
    assert_ok(ebm_slice_write(on, slices[0], 0, M * K, a));
    assert_ok(ebm_slice_write(on, slices[1], 0, (size_t)N * K, b));
    assert_ok(ebm_gemm(on, form, m, N, K, ebm_matrix_of(slices[0], form == EBM_GEMM_TN ? m : K),
                       ebm_matrix_of(slices[1], form == EBM_GEMM_NT ? K : N), 0, ebm_matrix_of(slices[2], N), none));
    assert_ok(ebm_slice_read(on, slices[2], 0, m * N, c));
    ebm_arena_free(arena);
}

static inline ebm_device *open_with(const char *tuning, const char *backend)
{
    ebm_device *opened = NULL;
    setenv("EBMCL_TUNING", tuning, 1);
    if (backend)
        setenv("EBMCL_GEMM", backend, 1);
    else
        unsetenv("EBMCL_GEMM");
    assert_ok(ebm_device_open(NULL, &opened));
    return opened;
}

static inline ebm_device *prepared_with(const char *tuning, const char *backend)
{
    ebm_device *opened = open_with(tuning, backend);
    assert_ok(ebm_gemm_prepare(opened));
    return opened;
}

static inline char *written_in(const char *folder, const ebm_tuning *tuning)
{
    char *path = in_folder(folder, "tuning.json");
    assert_ok(ebm_tuning_write(device, path, tuning));
    return path;
}

static inline void copy_kernels(const char *folder)
{
    DIR *kernels = opendir(KERNELS);
    assert_non_null(kernels);
    for (struct dirent *entry = readdir(kernels); entry; entry = readdir(kernels)) {
        char *from = in_folder(KERNELS, entry->d_name), *to = in_folder(folder, entry->d_name);
        if (ebm_file_exists(from)) assert_ok(ebm_file_copy(from, to));
        free(from);
        free(to);
    }
    closedir(kernels);
}

// Kernels in the folder, for all devices opened from now on: the plain one with something else in it.
static inline void put_changed_kernel(const char *folder, const char *from, const char *to)
{
    char *path = in_folder(folder, "gemm_plain.cl");
    copy_kernels(folder);
    char *source = text_of_file(path), *changed = replaced(source, from, to);
    put_file(path, changed, strlen(changed));
    setenv("EBMCL_KERNEL_DIR", folder, 1);
    free(path);
    free(changed);
    free(source);
}

#endif
