// Kernels with a mistake, in the place of a driver's: what EBMCL_KERNEL_DIR names is built instead of the library's
// own.
#ifndef EBM_TESTS_BROKEN_KERNELS_H
#define EBM_TESTS_BROKEN_KERNELS_H

#include "command.h"

// A copy of all kernels where `text` follows the first `mark` in `file`; used from now on.
static inline void use_kernels(const char *name, const char *file, const char *mark, const char *text)
{
    char *to = in_folder(folder, name);
    assert_ok(ebm_directory_make(to));
    DIR *all = opendir(KERNELS);
    assert_non_null(all);
    for (struct dirent *e; (e = readdir(all));) {
        if (!strstr(e->d_name, ".cl") && !strstr(e->d_name, ".h")) continue;
        char *from = in_folder(KERNELS, e->d_name), *copy = in_folder(to, e->d_name), *source = NULL;
        assert_ok(ebm_file_read(from, 1 << 20, &source, NULL));
        FILE *out = fopen(copy, "w");
        assert_non_null(out);
        char *place = strcmp(e->d_name, file) == 0 ? strstr(source, mark) : NULL;
        if (place) {
            place += strlen(mark);
            fprintf(out, "%.*s%s%s", (int)(place - source), source, text, place);
        } else {
            fputs(source, out);
        }
        fclose(out);
        free(from), free(copy), free(source);
    }
    closedir(all);
    setenv("EBMCL_KERNEL_DIR", to, 1);
    free(to);
}

#endif
