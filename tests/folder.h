// A temporary folder for each test, removed afterwards: in_own_folder(test) passes its path as *state.
#ifndef EBM_TESTS_FOLDER_H
#define EBM_TESTS_FOLDER_H

#include <dirent.h>
#include <stdio.h>

#include "check.h"
#include "file.h"

static inline int make_own_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = ebm_path_join(base && *base ? base : "/tmp", "ebmcl-test-XXXXXX");
    *state = path;
    return path && mkdtemp(path) ? 0 : -1;
}

static inline int remove_own_folder(void **state)
{
    const ebm_status status = ebm_directory_remove(*state);
    free(*state);
    return status.code == EBM_OK ? 0 : -1;
}

#define in_own_folder(test) cmocka_unit_test_setup_teardown(test, make_own_folder, remove_own_folder)

static inline char *in_folder(const char *folder, const char *name)
{
    char *path = ebm_path_join(folder, name);
    assert_non_null(path);
    return path;
}

static inline void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline int entries_of(const char *folder)
{
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    int count = -2; // "." and ".."
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static inline void copy_file(const char *from, const char *to, const char *name)
{
    char *source = in_folder(from, name), *target = in_folder(to, name), *bytes = NULL;
    size_t size = 0;
    assert_ok(ebm_file_read(source, 1 << 24, &bytes, &size));
    put_file(target, bytes, size);
    free(source);
    free(target);
    free(bytes);
}

#endif
