#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "utf8.h"

void fuzz_failed(const char *file, int line, const char *what, const char *message)
{
    fprintf(stderr, "%s:%d: %s%s%s\n", file, line, what, message ? ": " : "", message ? message : "");
    abort();
}

void fuzz_check_refusal(ebm_status status)
{
    const size_t length = strlen(status.message);
    fuzz_require(status.code == EBM_OK || length > 0);
    fuzz_require(length < sizeof status.message && ebm_utf8_valid(status.message, length, NULL));
    if (status.code != EBM_OK && status.code != EBM_ERROR_INPUT && status.code != EBM_ERROR_UNSUPPORTED)
        fuzz_failed(__FILE__, __LINE__, "a refusal of another code", status.message);
}

const char *fuzz_next_part(fuzz_parts *parts, size_t *size)
{
    const uint8_t *start = parts->data;
    *size = 0;
    if (parts->done) return NULL;
    const uint8_t *end = parts->size > 0 ? memchr(start, '\f', parts->size) : NULL;
    parts->done = !end;
    *size = end ? (size_t)(end - start) : parts->size;
    parts->data = end ? end + 1 : start;
    parts->size -= *size + (end ? 1 : 0);
    return (const char *)start;
}

char *fuzz_copy(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    fuzz_require(copy != NULL);
    if (size > 0) memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}

static char directory[64];

static void remove_directory(void) { ebm_directory_remove(directory); }

const char *fuzz_directory(void)
{
    if (*directory) return directory;
    strcpy(directory, access("/dev/shm", W_OK) == 0 ? "/dev/shm/ebmcl_fuzz_XXXXXX" : "/tmp/ebmcl_fuzz_XXXXXX");
    fuzz_require(mkdtemp(directory) != NULL);
    atexit(remove_directory);
    return directory;
}

const char *fuzz_file(const char *name, const void *bytes, size_t size)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", fuzz_directory(), name);
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_require(file >= 0);
    while (size > 0) {
        const ssize_t written = write(file, bytes, size);
        fuzz_require(written > 0);
        bytes = (const char *)bytes + written;
        size -= (size_t)written;
    }
    close(file);
    return path;
}
