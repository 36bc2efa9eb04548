// Files and directories, read whole or mapped, written so that nothing half-written ever stands under its final name.
//
//     ebm_directory_writer *w = NULL;
//     EBM_TRY(ebm_directory_writer_open("out/checkpoint-100", &w));      // a temporary directory beside it
//     char *path = ebm_path_join(ebm_directory_writer_path(w), "trainer_state.json");
//     EBM_CHECK(ebm_file_write(path, text, strlen(text)), end);
//     EBM_CHECK(ebm_directory_writer_finish(w, true), end);              // appears at once, replacing the old one
// end:
//     free(path);
//     ebm_directory_writer_free(w);                                      // removes what was not finished
//
// Sentences hold the path and the system's own words ("No space left on device"). Missing files and wrong kinds are
// EBM_ERROR_INPUT, everything else the system refuses is EBM_ERROR_IO.
#ifndef EBM_FILE_H
#define EBM_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

// "directory/name" for the caller to free(); NULL when out of memory (the functions here then answer
// EBM_ERROR_MEMORY for a NULL path).
char *ebm_path_join(const char *directory, const char *name);

bool ebm_file_exists(const char *path);        // a regular file (links followed)
bool ebm_directory_exists(const char *path);   // likewise
bool ebm_directory_is_empty(const char *path); // true too when there is none

// The whole file, a zero byte after it, for the caller to free(). More than `limit` bytes is EBM_ERROR_INPUT.
// `size` may be NULL.
ebm_status ebm_file_read(const char *path, size_t limit, char **bytes, size_t *size);

// A file mapped read-only: {NULL, 0} for an empty one. Cutting the file while it is mapped is undefined (SIGBUS), as
// with every mapping.
typedef struct {
    const unsigned char *bytes;
    size_t size;
} ebm_mapping;
ebm_status ebm_file_map(const char *path, ebm_mapping *mapping);
void ebm_file_unmap(ebm_mapping *mapping); // {NULL, 0} is accepted, and what is left
// Whole pages within [first, first + size) need no memory of this process for now; reading them again brings them back.
void ebm_file_forget(const ebm_mapping *mapping, size_t first, size_t size);

// Writes a whole file: temporary in the same directory, fsync, rename. Replaces an existing file, keeping its mode.
ebm_status ebm_file_write(const char *path, const void *bytes, size_t size);
ebm_status ebm_file_copy(const char *from, const char *to); // by ebm_file_write

// The same, piece by piece. The first failed append sticks: finish returns it again.
typedef struct ebm_file_writer ebm_file_writer;
ebm_status ebm_file_writer_open(const char *path, ebm_file_writer **writer);
ebm_status ebm_file_writer_append(ebm_file_writer *writer, const void *bytes, size_t size);
ebm_status ebm_file_writer_finish(ebm_file_writer *writer); // the file appears; the writer is still to be freed
void ebm_file_writer_free(ebm_file_writer *writer);         // NULL is accepted; removes what was not finished

ebm_status ebm_directory_make(const char *path);   // with its parents; an existing directory is fine
ebm_status ebm_directory_remove(const char *path); // the whole tree; links are removed, not followed; none is fine

// A directory that appears whole. open removes what a killed process left of an earlier try (temporaries are locked
// while in use). finish with replace = false takes the place of nothing or of an empty directory; with replace = true
// of any directory: exchanged in one system call, or, on file systems without it, old one first renamed to
// "<path>.ebmcl-previous". ebm_directory_recover puts that back if the process died in between: call it before reading.
typedef struct ebm_directory_writer ebm_directory_writer;
ebm_status ebm_directory_writer_open(const char *path, ebm_directory_writer **writer);
const char *ebm_directory_writer_path(const ebm_directory_writer *writer); // where to write, borrowed
ebm_status ebm_directory_writer_finish(ebm_directory_writer *writer, bool replace);
void ebm_directory_writer_free(ebm_directory_writer *writer); // NULL is accepted; removes what was not finished
ebm_status ebm_directory_recover(const char *path);
// Moves every entry of `from` into `to` (same file system), replacing files of the same name, then removes `from`. Each
// file appears at once; a process that dies in between leaves the rest in `from`.
ebm_status ebm_directory_move_files(const char *from, const char *to);

#ifdef __cplusplus
}
#endif
#endif
