#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "file_internal.h"
#include "sizes.h"

struct ebm_file_writer {
    char *path, *temporary;
    int fd;
    char *buffer;
    size_t used;
    bool finished;
    ebm_status status;
};

enum { WRITER_BUFFER = 1 << 16 };

ebm_status ebm_file_error(const char *path, const char *what)
{
    const int error = errno;
    const bool missing = error == ENOENT || error == ENOTDIR || error == EISDIR || error == ENAMETOOLONG;
    const ebm_code code = error == ENOMEM ? EBM_ERROR_MEMORY : missing ? EBM_ERROR_INPUT : EBM_ERROR_IO;
    return ebm_fail(code, "%s: cannot %s: %s", path, what, strerror(error));
}

ebm_status ebm_file_out_of_memory(const char *path)
{
    return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", path ? path : "making a path");
}

char *ebm_path_join(const char *directory, const char *name)
{
    const size_t length = strlen(directory);
    const char *separator = length == 0 || directory[length - 1] == '/' ? "" : "/";
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", directory, separator, name) < 0) return NULL;
    return path;
}

bool ebm_file_exists(const char *path)
{
    struct stat info;
    return path && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool ebm_directory_exists(const char *path)
{
    struct stat info;
    return path && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// Opens for reading and tells the size; anything but a regular file is refused (a FIFO would block, a device has no
// end).
static ebm_status open_regular(const char *path, int *fd, struct stat *info)
{
    if (!path) return ebm_file_out_of_memory(path);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0) return ebm_file_error(path, "open");
    ebm_status status = ebm_ok();
    if (fstat(*fd, info) != 0)
        status = ebm_file_error(path, "read");
    else if (!S_ISREG(info->st_mode))
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected a file, found %s", path,
                          S_ISDIR(info->st_mode) ? "a directory" : "something else");
    if (status.code != EBM_OK) close(*fd);
    return status;
}

static ebm_status read_exactly(int fd, const char *path, char *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t got = read(fd, to + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ebm_file_error(path, "read");
        if (got == 0) return ebm_fail(EBM_ERROR_IO, "%s: the file became shorter while it was read", path);
        done += (size_t)got;
    }
    return ebm_ok();
}

ebm_status ebm_file_read(const char *path, size_t limit, char **bytes, size_t *size)
{
    int fd = -1;
    struct stat info;
    EBM_TRY(open_regular(path, &fd, &info));
    ebm_status status = ebm_ok();
    char *text = NULL;
    const size_t length = (size_t)info.st_size;
    if ((uint64_t)info.st_size > limit) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected at most %zu bytes, found %" PRIu64, path, limit,
                          (uint64_t)info.st_size);
        goto end;
    }
    text = malloc(length + 1);
    if (!text) {
        status = ebm_file_out_of_memory(path);
        goto end;
    }
    EBM_CHECK(read_exactly(fd, path, text, length), end);
    text[length] = 0;
    *bytes = text;
    text = NULL;
    if (size) *size = length;
end:
    free(text);
    close(fd);
    return status;
}

ebm_status ebm_file_map(const char *path, ebm_mapping *mapping)
{
    *mapping = (ebm_mapping){NULL, 0};
    int fd = -1;
    struct stat info;
    EBM_TRY(open_regular(path, &fd, &info));
    ebm_status status = ebm_ok();
    if (!ebm_fits_size((uint64_t)info.st_size)) {
        status = ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: %" PRIu64 " bytes are more than a program of this system can map",
                          path, (uint64_t)info.st_size);
    } else if (info.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            status = ebm_file_error(path, "map");
        else
            *mapping = (ebm_mapping){bytes, (size_t)info.st_size};
    }
    close(fd);
    return status;
}

void ebm_file_unmap(ebm_mapping *mapping)
{
    // The mapping is ours alone and munmap does not write to it; only its prototype lacks the const.
    if (mapping->bytes) munmap((void *)(uintptr_t)mapping->bytes, mapping->size);
    *mapping = (ebm_mapping){NULL, 0};
}

void ebm_file_forget(const ebm_mapping *mapping, size_t first, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t begin = (first + page - 1) / page * page, end = (first + size) / page * page;
    // Private and never written to: the pages are the file's own, dropping them loses nothing.
    if (begin < end) (void)madvise((void *)(uintptr_t)(mapping->bytes + begin), end - begin, MADV_DONTNEED);
}

// mkstemp and mkdtemp make private files, and the umask that would tell what to give instead can only be read by
// changing it, which other threads would see. So names are tried with the ordinary modes.
ebm_status ebm_file_make_temporary(const char *path, bool directory, char **name, int *fd)
{
    for (unsigned attempt = 0;; attempt++) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        const unsigned mix = ((unsigned)now.tv_nsec * 2654435761U) ^ ((unsigned)getpid() << 8) ^ attempt;
        if (asprintf(name, "%s.ebmcl-tmp-%06x", path, mix & 0xFFFFFF) < 0) {
            *name = NULL;
            return ebm_file_out_of_memory(path);
        }
        if (directory && mkdir(*name, 0777) == 0)
            *fd = open(*name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        else if (!directory)
            *fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0) return ebm_ok();
        const bool again = errno == EEXIST && attempt < 100;
        const ebm_status status = ebm_file_error(path, directory ? "make the directory" : "create");
        free(*name);
        *name = NULL;
        if (!again) return status;
    }
}

ebm_status ebm_file_writer_open(const char *path, ebm_file_writer **writer)
{
    if (!path) return ebm_file_out_of_memory(path);
    struct stat old;
    const bool exists = stat(path, &old) == 0;
    if (exists && !S_ISREG(old.st_mode)) // a rename would put a file in the place of a device or a FIFO
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected a file, found %s", path,
                        S_ISDIR(old.st_mode) ? "a directory" : "something else");
    ebm_file_writer *w = calloc(1, sizeof *w);
    if (!w) return ebm_file_out_of_memory(path);
    w->fd = -1;
    w->status = ebm_ok();
    // Through a link: the file it leads to is replaced, not the link.
    w->path = realpath(path, NULL);
    if (!w->path) w->path = strdup(path);
    w->buffer = malloc(WRITER_BUFFER);
    ebm_status status = ebm_file_out_of_memory(path);
    if (w->path && w->buffer) status = ebm_file_make_temporary(w->path, false, &w->temporary, &w->fd);
    if (status.code != EBM_OK) {
        ebm_file_writer_free(w);
        return status;
    }
    if (exists) (void)!fchmod(w->fd, old.st_mode & 07777);
    *writer = w;
    return status;
}

static ebm_status write_through(ebm_file_writer *w, const char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t put = write(w->fd, bytes + done, size - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return ebm_file_error(w->path, "write");
        done += (size_t)put;
    }
    return ebm_ok();
}

static ebm_status flush(ebm_file_writer *w)
{
    const size_t used = w->used;
    w->used = 0;
    return write_through(w, w->buffer, used);
}

ebm_status ebm_file_writer_append(ebm_file_writer *writer, const void *bytes, size_t size)
{
    if (writer->status.code != EBM_OK || size == 0) return writer->status;
    if (writer->used + size > WRITER_BUFFER) {
        writer->status = flush(writer);
        if (writer->status.code != EBM_OK) return writer->status;
    }
    if (size >= WRITER_BUFFER) {
        writer->status = write_through(writer, bytes, size);
    } else {
        memcpy(writer->buffer + writer->used, bytes, size);
        writer->used += size;
    }
    return writer->status;
}

ebm_status ebm_file_sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!parent) return ebm_file_out_of_memory(path);
    const int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Some file systems cannot sync directories (EINVAL); the rename itself has been done, so it is not a failure.
    ebm_status status = ebm_ok();
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL) status = ebm_file_error(parent, "sync");
    if (fd >= 0) close(fd);
    free(parent);
    return status;
}

static ebm_status finish(ebm_file_writer *w)
{
    EBM_TRY(flush(w));
    if (fsync(w->fd) != 0 && errno != EINVAL) return ebm_file_error(w->path, "write");
    const int closed = close(w->fd);
    w->fd = -1;
    if (closed != 0 && errno != EINTR) return ebm_file_error(w->path, "write");
    if (rename(w->temporary, w->path) != 0) return ebm_file_error(w->path, "replace");
    w->finished = true;
    return ebm_file_sync_parent(w->path);
}

ebm_status ebm_file_writer_finish(ebm_file_writer *writer)
{
    if (writer->status.code == EBM_OK && !writer->finished) writer->status = finish(writer);
    return writer->status;
}

void ebm_file_writer_free(ebm_file_writer *writer)
{
    if (!writer) return;
    if (writer->fd >= 0) close(writer->fd);
    if (!writer->finished && writer->temporary) unlink(writer->temporary);
    free(writer->temporary);
    free(writer->path);
    free(writer->buffer);
    free(writer);
}

ebm_status ebm_file_write(const char *path, const void *bytes, size_t size)
{
    ebm_file_writer *writer = NULL;
    EBM_TRY(ebm_file_writer_open(path, &writer));
    (void)ebm_file_writer_append(writer, bytes, size); // sticks, reported by finish
    const ebm_status status = ebm_file_writer_finish(writer);
    ebm_file_writer_free(writer);
    return status;
}

ebm_status ebm_file_copy(const char *from, const char *to)
{
    ebm_mapping mapping;
    EBM_TRY(ebm_file_map(from, &mapping));
    const ebm_status status = ebm_file_write(to, mapping.bytes, mapping.size);
    ebm_file_unmap(&mapping);
    return status;
}
