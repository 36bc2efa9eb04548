#include "text_file.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

enum { READ_BYTES = 1 << 16 };

bool ebm_name_ends_in(const char *name, const char *ending)
{
    const size_t length = strlen(name), end = strlen(ending);
    return length >= end && strcasecmp(name + length - end, ending) == 0;
}

// Room for READ_BYTES more and a final zero byte.
static ebm_status make_room(ebm_text_file *file, size_t *capacity)
{
    if (*capacity - file->size > READ_BYTES) return ebm_ok();
    const size_t wanted = *capacity + *capacity / 2 + READ_BYTES + 1;
    char *bytes = realloc(file->bytes, wanted);
    if (!bytes) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu bytes of text", wanted);
    file->bytes = bytes;
    *capacity = wanted;
    return ebm_ok();
}

static ebm_status read_plain(const char *path, ebm_text_file *file)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) return ebm_fail(EBM_ERROR_INPUT, "%s: %s", path, strerror(errno));
    ebm_status status = ebm_ok();
    size_t capacity = 0, got;
    do {
        EBM_CHECK(make_room(file, &capacity), end);
        got = fread(file->bytes + file->size, 1, READ_BYTES, stream);
        file->size += got;
    } while (got > 0);
    if (ferror(stream)) status = ebm_fail(EBM_ERROR_INPUT, "%s: %s", path, strerror(errno));
end:
    fclose(stream);
    return status;
}

// zlib passes data without gzip's mark through as it is: a .gz name on such a file is an error to report.
static ebm_status read_gzip(const char *path, ebm_text_file *file)
{
    errno = 0;
    gzFile stream = gzopen(path, "rb");
    if (!stream) return ebm_fail(EBM_ERROR_INPUT, "%s: %s", path, errno ? strerror(errno) : "no memory for zlib");
    gzbuffer(stream, 1 << 17);
    ebm_status status = ebm_ok();
    size_t capacity = 0;
    int got, zlib_code = Z_OK;
    do {
        EBM_CHECK(make_room(file, &capacity), end);
        got = gzread(stream, file->bytes + file->size, READ_BYTES);
        if (got > 0) file->size += (size_t)got;
    } while (got > 0);
    const char *words = gzerror(stream, &zlib_code);
    if (zlib_code == Z_BUF_ERROR) {
        status =
            ebm_fail(EBM_ERROR_INPUT, "%s: the gzip data ends too early, after %zu bytes of text", path, file->size);
    } else if (got < 0) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: damaged gzip data after %zu bytes of text: %s", path, file->size,
                          zlib_code == Z_ERRNO ? strerror(errno) : words);
    } else if (file->size > 0 && gzdirect(stream)) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected gzip data, found something else", path);
    }
end:
    gzclose_r(stream);
    return status;
}

// Length of the UTF-8 character at p (Unicode 15, table 3-7), 0 when its bytes are not one.
static size_t character_length(const unsigned char *p, size_t left)
{
    const unsigned char lead = p[0];
    if (lead < 0x80) return 1;
    const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || left < length) return 0;
    const unsigned char least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < least || p[1] > most) return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return length;
}

// The first byte that is NUL or not UTF-8; `size` when there is none.
static size_t first_bad_byte(const unsigned char *bytes, size_t size)
{
    size_t i = 0;
    while (i < size) {
        const size_t length = bytes[i] ? character_length(bytes + i, size - i) : 0;
        if (length == 0) break;
        i += length;
    }
    return i;
}

static ebm_status check_bytes(const char *path, const ebm_text_file *file)
{
    const unsigned char *bytes = (const unsigned char *)file->bytes;
    const size_t bad = first_bad_byte(bytes, file->size);
    if (bad == file->size) return ebm_ok();
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < bad; i++) {
        if (bytes[i] != '\n') continue;
        line++;
        line_start = i + 1;
    }
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: byte %zu of the line (0x%02X) is %s", path, line, bad - line_start + 1,
                    bytes[bad], bytes[bad] ? "not UTF-8" : "NUL: expected UTF-8 text");
}

ebm_status ebm_text_file_read(const char *path, ebm_text_file *file)
{
    ebm_status status = ebm_ok();
    ebm_text_file read = {0};
    EBM_CHECK(ebm_name_ends_in(path, ".gz") ? read_gzip(path, &read) : read_plain(path, &read), end);
    if (read.size >= 3 && memcmp(read.bytes, "\xEF\xBB\xBF", 3) == 0) {
        read.size -= 3;
        memmove(read.bytes, read.bytes + 3, read.size);
    }
    read.bytes[read.size] = 0;
    if (read.size == 0) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: the file is empty", path);
        goto end;
    }
    EBM_CHECK(check_bytes(path, &read), end);
    *file = read;
    read = (ebm_text_file){0};
end:
    ebm_text_file_free(&read);
    return status;
}

void ebm_text_file_free(ebm_text_file *file)
{
    free(file->bytes);
    *file = (ebm_text_file){0};
}

char *ebm_text_file_line(ebm_text_file *file, size_t *position, size_t *length)
{
    if (*position >= file->size) return NULL;
    char *line = file->bytes + *position;
    char *end = memchr(line, '\n', file->size - *position);
    if (!end) end = file->bytes + file->size;
    *position = (size_t)(end - file->bytes) + 1;
    if (end > line && end[-1] == '\r') end--;
    *end = 0;
    *length = (size_t)(end - line);
    return line;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

static char *trim(char *text, size_t *length)
{
    while (*length > 0 && is_blank(text[*length - 1])) --*length;
    while (*length > 0 && is_blank(*text)) {
        text++;
        --*length;
    }
    return text;
}

static ebm_status add_line(ebm_text_lines *lines, size_t *capacity, const ebm_text_line *item)
{
    if (lines->count == *capacity) {
        const size_t wanted = *capacity ? *capacity * 2 : 256;
        ebm_text_line *items = realloc(lines->items, wanted * sizeof *items);
        if (!items) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu lines", wanted);
        lines->items = items;
        *capacity = wanted;
    }
    lines->items[lines->count++] = *item;
    return ebm_ok();
}

static ebm_status cut_lines(ebm_text_lines *lines)
{
    size_t capacity = 0, position = 0, length, number = 0;
    for (char *line; (line = ebm_text_file_line(&lines->file, &position, &length));) {
        number++;
        size_t kept = length;
        trim(line, &kept);
        if (kept > 0) EBM_TRY(add_line(lines, &capacity, &(ebm_text_line){line, length, number}));
    }
    return ebm_ok();
}

// Joins in place: what is written never overtakes what is read, since a joining blank takes a line end's place.
static ebm_status cut_paragraphs(ebm_text_lines *lines)
{
    size_t capacity = 0, position = 0, length, number = 0, first_line = 0;
    char *start = NULL, *end = NULL;
    for (char *line; (line = ebm_text_file_line(&lines->file, &position, &length));) {
        number++;
        line = trim(line, &length);
        if (length == 0) {
            if (start) EBM_TRY(add_line(lines, &capacity, &(ebm_text_line){start, (size_t)(end - start), first_line}));
            start = NULL;
            continue;
        }
        if (!start) {
            start = end = line;
            first_line = number;
        } else {
            *end++ = ' ';
        }
        memmove(end, line, length);
        end += length;
        *end = 0;
    }
    if (start) EBM_TRY(add_line(lines, &capacity, &(ebm_text_line){start, (size_t)(end - start), first_line}));
    return ebm_ok();
}

ebm_status ebm_text_lines_read(const char *path, ebm_text_unit unit, ebm_text_lines *lines)
{
    ebm_status status = ebm_ok();
    ebm_text_lines read = {0};
    EBM_CHECK(ebm_text_file_read(path, &read.file), end);
    EBM_CHECK(unit == EBM_TEXT_LINES ? cut_lines(&read) : cut_paragraphs(&read), end);
    if (read.count == 0) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected text, found only blank lines", path);
        goto end;
    }
    *lines = read;
    read = (ebm_text_lines){0};
end:
    ebm_text_lines_free(&read);
    return status;
}

void ebm_text_lines_free(ebm_text_lines *lines)
{
    free(lines->items);
    ebm_text_file_free(&lines->file);
    *lines = (ebm_text_lines){0};
}
