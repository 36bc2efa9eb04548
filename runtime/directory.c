#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "file_internal.h"

struct ebm_directory_writer {
    char *path, *temporary;
    int lock; // an open descriptor of the temporary directory, locked while it is in use
    bool finished;
};

bool ebm_directory_is_empty(const char *path)
{
    if (!path) return false;
    DIR *directory = opendir(path);
    struct stat info;
    if (!directory) return stat(path, &info) != 0 && (errno == ENOENT || errno == ENOTDIR); // below a file: none
    bool empty = true;
    for (const struct dirent *entry; empty && (entry = readdir(directory));)
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    closedir(directory);
    return empty;
}

ebm_status ebm_directory_make(const char *path)
{
    if (!path) return ebm_file_out_of_memory(path);
    if (!*path) return ebm_fail(EBM_ERROR_INPUT, "the name of a directory to make is empty");
    char *partial = strdup(path);
    if (!partial) return ebm_file_out_of_memory(path);
    ebm_status status = ebm_ok();
    for (char *end = partial; status.code == EBM_OK && *end;) {
        end = strchrnul(end + 1, '/');
        const char next = *end;
        *end = 0;
        if (mkdir(partial, 0777) != 0 && !ebm_directory_exists(partial)) {
            if (errno == EEXIST)
                status = ebm_fail(EBM_ERROR_INPUT, "%s: expected a directory, found a file", partial);
            else
                status = ebm_file_error(partial, "make the directory");
        }
        *end = next;
    }
    free(partial);
    return status;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

ebm_status ebm_directory_remove(const char *path)
{
    if (!path) return ebm_file_out_of_memory(path);
    struct stat info;
    if (lstat(path, &info) != 0 && errno == ENOENT) return ebm_ok();
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        return ebm_file_error(path, "remove");
    return ebm_ok();
}

// The place to write to: links resolved, so that the directory behind a link is the one exchanged, and no '/' at the
// end, so that names can be put beside it.
static char *resolved(const char *path)
{
    char *name = realpath(path, NULL);
    if (name) return name;
    name = strdup(path);
    for (size_t length = name ? strlen(name) : 0; length > 1 && name[length - 1] == '/';) name[--length] = 0;
    return name;
}

// A temporary that nobody holds locked was left by a process that died.
static void remove_if_abandoned(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) (void)ebm_directory_remove(path); // best effort: only space is at stake
    close(fd);
}

static bool is_temporary_of(const char *name, const char *base)
{
    const size_t length = strlen(base);
    return !strncmp(name, base, length) && !strncmp(name + length, ".ebmcl-tmp-", 11) && strlen(name + length) == 17;
}

static char *previous_of(const char *path)
{
    char *previous = NULL;
    return asprintf(&previous, "%s.ebmcl-previous", path) < 0 ? NULL : previous;
}

// Only after ebm_directory_recover: an old directory still set aside then has been replaced.
static void remove_abandoned(const char *path)
{
    char *previous = previous_of(path);
    if (previous) (void)ebm_directory_remove(previous);
    free(previous);
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
    DIR *directory = parent ? opendir(parent) : NULL;
    if (directory) {
        for (const struct dirent *entry; (entry = readdir(directory));) {
            if (!is_temporary_of(entry->d_name, slash ? slash + 1 : path)) continue;
            char *left = ebm_path_join(parent, entry->d_name);
            if (left) remove_if_abandoned(left);
            free(left);
        }
        closedir(directory);
    }
    free(parent);
}

ebm_status ebm_directory_writer_open(const char *path, ebm_directory_writer **writer)
{
    if (!path) return ebm_file_out_of_memory(path);
    if (!*path) return ebm_fail(EBM_ERROR_INPUT, "the name of a directory to write is empty");
    if (ebm_file_exists(path)) return ebm_fail(EBM_ERROR_INPUT, "%s: expected a directory, found a file", path);
    ebm_directory_writer *w = calloc(1, sizeof *w);
    if (!w) return ebm_file_out_of_memory(path);
    w->lock = -1;
    w->path = resolved(path);
    ebm_status status = ebm_ok();
    if (!w->path) {
        status = ebm_file_out_of_memory(path);
        goto end;
    }
    EBM_CHECK(ebm_directory_recover(w->path), end);
    remove_abandoned(w->path);
    EBM_CHECK(ebm_file_make_temporary(w->path, true, &w->temporary, &w->lock), end);
    (void)flock(w->lock, LOCK_EX | LOCK_NB); // a file system without locks has no clean-up either
    *writer = w;
    w = NULL;
end:
    ebm_directory_writer_free(w);
    return status;
}

const char *ebm_directory_writer_path(const ebm_directory_writer *writer) { return writer->temporary; }

// For file systems that cannot exchange: between the two renames only "<path>.ebmcl-previous" stands, which
// ebm_directory_recover puts back.
ebm_status ebm_directory_replace_in_two_steps(ebm_directory_writer *w)
{
    char *previous = previous_of(w->path);
    if (!previous) return ebm_file_out_of_memory(w->path);
    ebm_status status = ebm_ok();
    EBM_CHECK(ebm_directory_remove(previous), end);
    if (rename(w->path, previous) != 0) {
        status = ebm_file_error(w->path, "replace");
        goto end;
    }
    if (rename(w->temporary, w->path) != 0) {
        status = ebm_file_error(w->path, "replace");
        (void)!rename(previous, w->path);
        goto end;
    }
    w->finished = true;
    status = ebm_directory_remove(previous);
end:
    free(previous);
    return status;
}

static ebm_status replace(ebm_directory_writer *w)
{
    if (renameat2(AT_FDCWD, w->temporary, AT_FDCWD, w->path, RENAME_EXCHANGE) == 0) {
        w->finished = true;
        (void)ebm_file_sync_parent(w->path);
        return ebm_directory_remove(w->temporary); // holds the old content now
    }
    if (errno == EINVAL || errno == ENOSYS || errno == ENOTSUP) return ebm_directory_replace_in_two_steps(w);
    return ebm_file_error(w->path, "replace");
}

ebm_status ebm_directory_writer_finish(ebm_directory_writer *writer, bool may_replace)
{
    if (writer->finished) return ebm_ok();
    if (fsync(writer->lock) != 0 && errno != EINVAL) return ebm_file_error(writer->path, "write");
    // rename takes the place of nothing or of an empty directory, and refuses any other.
    if (rename(writer->temporary, writer->path) == 0) {
        writer->finished = true;
        return ebm_file_sync_parent(writer->path);
    }
    if (errno != EEXIST && errno != ENOTEMPTY) return ebm_file_error(writer->path, "replace");
    if (may_replace) return replace(writer);
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected no directory or an empty one, found one that is not empty",
                    writer->path);
}

void ebm_directory_writer_free(ebm_directory_writer *writer)
{
    if (!writer) return;
    if (!writer->finished && writer->temporary) (void)ebm_directory_remove(writer->temporary);
    if (writer->lock >= 0) close(writer->lock);
    free(writer->temporary);
    free(writer->path);
    free(writer);
}

ebm_status ebm_directory_recover(const char *path)
{
    if (!path) return ebm_file_out_of_memory(path);
    struct stat info;
    if (lstat(path, &info) == 0 || errno != ENOENT) return ebm_ok();
    char *name = resolved(path), *previous = name ? previous_of(name) : NULL;
    if (!previous) {
        free(name);
        return ebm_file_out_of_memory(path);
    }
    ebm_status status = ebm_ok();
    if (ebm_directory_exists(previous) && rename(previous, name) != 0) status = ebm_file_error(previous, "put back");
    free(previous);
    free(name);
    return status;
}

static ebm_status move_entry(const char *from, const char *to, const char *name)
{
    char *source = ebm_path_join(from, name), *target = ebm_path_join(to, name);
    ebm_status status = source && target ? ebm_ok() : ebm_file_out_of_memory(from);
    if (status.code == EBM_OK && rename(source, target) != 0) status = ebm_file_error(target, "replace");
    free(source);
    free(target);
    return status;
}

ebm_status ebm_directory_move_files(const char *from, const char *to)
{
    DIR *directory = opendir(from);
    if (!directory) return ebm_file_error(from, "open");
    ebm_status status = ebm_ok();
    for (const struct dirent *entry; status.code == EBM_OK && (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = move_entry(from, to, entry->d_name);
    closedir(directory);
    return status.code == EBM_OK ? ebm_directory_remove(from) : status;
}
