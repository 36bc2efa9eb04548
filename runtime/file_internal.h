// Shared by file.c and directory.c.
#ifndef EBM_FILE_INTERNAL_H
#define EBM_FILE_INTERNAL_H

#include "file.h"

// "<path>: cannot <what>: <errno's words>", with the code file.h promises.
ebm_status ebm_file_error(const char *path, const char *what);
ebm_status ebm_file_out_of_memory(const char *path);

// Makes "<path>.ebmcl-tmp-<six digits>", a new file or directory, and opens it. *fd must be -1 before.
ebm_status ebm_file_make_temporary(const char *path, bool directory, char **name, int *fd);

// The replacement of a directory where the file system cannot exchange two.
ebm_status ebm_directory_replace_in_two_steps(ebm_directory_writer *writer);

// Makes a rename in the path's directory last through a power cut.
ebm_status ebm_file_sync_parent(const char *path);

#endif
