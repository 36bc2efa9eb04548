#include "event_file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { FRAME = 16, HEAD = 12, FILE_LIMIT = 1 << 30 };

// ---- checksums

uint32_t ebm_crc32c(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78 : 0); // the polynomial, reversed
    }
    return ~crc;
}

uint32_t ebm_crc32c_masked(const void *bytes, size_t size)
{
    const uint32_t crc = ebm_crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + 0xA282EAD8;
}

// ---- protocol buffers

typedef struct {
    unsigned char *bytes;
    size_t size, capacity;
    bool failed;
} buffer;

static void put(buffer *b, const void *bytes, size_t size)
{
    if (b->size + size > b->capacity && !b->failed) {
        const size_t wanted = 2 * (b->size + size) + 64;
        unsigned char *more = realloc(b->bytes, wanted);
        b->failed = !more;
        if (more) {
            b->bytes = more;
            b->capacity = wanted;
        }
    }
    if (b->failed) return;
    memcpy(b->bytes + b->size, bytes, size);
    b->size += size;
}

static void put_little_endian(buffer *b, uint64_t value, size_t bytes)
{
    unsigned char out[8];
    for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)(value >> (8 * i));
    put(b, out, bytes);
}

static void put_varint(buffer *b, uint64_t value)
{
    while (value >= 0x80) {
        put_little_endian(b, value | 0x80, 1);
        value >>= 7;
    }
    put_little_endian(b, value, 1);
}

enum { VARINT = 0, FIXED_64 = 1, BYTES = 2, FIXED_32 = 5 };

static void put_key(buffer *b, unsigned field, unsigned type) { put_varint(b, field << 3 | type); }

static void put_bytes(buffer *b, unsigned field, const void *bytes, size_t size)
{
    put_key(b, field, BYTES);
    put_varint(b, size);
    put(b, bytes, size);
}

static void put_wall_time(buffer *b, double wall_time)
{
    uint64_t bits;
    memcpy(&bits, &wall_time, sizeof bits);
    put_key(b, 1, FIXED_64);
    put_little_endian(b, bits, 8);
}

static void put_scalar(buffer *summary, const ebm_scalar *scalar)
{
    const float value = (float)scalar->value;
    buffer b = {0};
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_bytes(&b, 1, scalar->tag, strlen(scalar->tag));
    put_key(&b, 2, FIXED_32);
    put_little_endian(&b, bits, 4);
    summary->failed |= b.failed;
    if (!b.failed) put_bytes(summary, 1, b.bytes, b.size);
    free(b.bytes);
}

// ---- records

static void put_record(buffer *file, const buffer *event)
{
    unsigned char length[8];
    for (size_t i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)event->size >> (8 * i));
    put(file, length, 8);
    put_little_endian(file, ebm_crc32c_masked(length, 8), 4);
    put(file, event->bytes, event->size);
    put_little_endian(file, ebm_crc32c_masked(event->bytes, event->size), 4);
    file->failed |= event->failed;
}

static ebm_status no_memory(const char *path) { return ebm_fail(EBM_ERROR_MEMORY, "%s: no memory for an event", path); }

ebm_status ebm_event_file_create(const char *path, double wall_time)
{
    static const char version[] = "brain.Event:2";
    buffer event = {0}, file = {0};
    put_wall_time(&event, wall_time);
    put_bytes(&event, 3, version, strlen(version));
    if (!event.failed) put_record(&file, &event);
    const ebm_status status =
        event.failed || file.failed ? no_memory(path) : ebm_file_write(path, file.bytes, file.size);
    free(event.bytes);
    free(file.bytes);
    return status;
}

static ebm_status append(const char *path, const buffer *bytes)
{
    FILE *file = fopen(path, "ab");
    if (!file) return ebm_fail(EBM_ERROR_IO, "%s: %m", path);
    const bool written = fwrite(bytes->bytes, 1, bytes->size, file) == bytes->size;
    if (fclose(file) == 0 && written) return ebm_ok();
    return ebm_fail(EBM_ERROR_IO, "%s: %m", path);
}

ebm_status ebm_event_file_append(const char *path, double wall_time, int64_t step, const ebm_scalar *scalars,
                                 size_t count)
{
    buffer event = {0}, summary = {0}, file = {0};
    for (size_t i = 0; i < count; i++) put_scalar(&summary, &scalars[i]);
    put_wall_time(&event, wall_time);
    put_key(&event, 2, VARINT);
    put_varint(&event, (uint64_t)step);
    if (!summary.failed && count > 0) put_bytes(&event, 5, summary.bytes, summary.size);
    if (!event.failed) put_record(&file, &event);
    const ebm_status status = summary.failed || event.failed || file.failed ? no_memory(path) : append(path, &file);
    free(event.bytes);
    free(summary.bytes);
    free(file.bytes);
    return status;
}

// ---- going back

static uint64_t little_endian(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

// The length of the whole record at `at` with its frame; 0 when it is not whole.
static size_t record_size(const unsigned char *at, size_t left)
{
    if (left < FRAME || little_endian(at + 8, 4) != ebm_crc32c_masked(at, 8)) return 0;
    const uint64_t length = little_endian(at, 8);
    if (length > left - FRAME) return 0;
    const size_t size = (size_t)length;
    return little_endian(at + HEAD + size, 4) == ebm_crc32c_masked(at + HEAD, size) ? size + FRAME : 0;
}

static bool take_varint(const unsigned char *event, size_t size, size_t *at, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *at < size && shift < 64; shift += 7) {
        const unsigned char byte = event[(*at)++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return true;
    }
    return false;
}

// Field 2; 0 where there is none.
static int64_t step_of(const unsigned char *event, size_t size)
{
    uint64_t key, value;
    for (size_t at = 0; at < size;) {
        if (!take_varint(event, size, &at, &key)) return 0;
        const unsigned type = key & 7;
        if (type == VARINT || type == BYTES) {
            if (!take_varint(event, size, &at, &value)) return 0;
            if (type == VARINT && key >> 3 == 2) return (int64_t)value;
        } else if (type == FIXED_64 || type == FIXED_32) {
            value = type == FIXED_64 ? 8 : 4;
        } else {
            return 0;
        }
        const uint64_t skipped = type == VARINT ? 0 : value;
        if (skipped > size - at) return 0;
        at += (size_t)skipped;
    }
    return 0;
}

ebm_status ebm_event_file_cut(const char *path, int64_t last_step)
{
    char *bytes = NULL;
    size_t size = 0, kept = 0;
    EBM_TRY(ebm_file_read(path, FILE_LIMIT, &bytes, &size));
    for (size_t at = 0, record; (record = record_size((unsigned char *)bytes + at, size - at)) > 0; at += record) {
        if (step_of((unsigned char *)bytes + at + HEAD, record - FRAME) > last_step) continue;
        memmove(bytes + kept, bytes + at, record);
        kept += record;
    }
    const ebm_status status = kept < size ? ebm_file_write(path, bytes, kept) : ebm_ok();
    free(bytes);
    return status;
}
