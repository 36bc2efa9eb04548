// The header of one safetensors file: JSON that names every tensor, checked entry by entry and as a whole.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors_internal.h"
#include "sizes.h"

enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000 }; // as the format's own library has it

// All types of the format; those below a byte are packed, so that a tensor of them must fill whole bytes.
static const struct {
    const char *name;
    size_t bits;
    ebm_dtype dtype;
} DTYPES[] = {
    {"F32", 32, EBM_DTYPE_F32},      {"F16", 16, EBM_DTYPE_F16},          {"BF16", 16, EBM_DTYPE_BF16},
    {"F64", 64, EBM_DTYPE_F64},      {"I64", 64, EBM_DTYPE_I64},          {"I32", 32, EBM_DTYPE_OTHER},
    {"I16", 16, EBM_DTYPE_OTHER},    {"I8", 8, EBM_DTYPE_OTHER},          {"U64", 64, EBM_DTYPE_OTHER},
    {"U32", 32, EBM_DTYPE_OTHER},    {"U16", 16, EBM_DTYPE_OTHER},        {"U8", 8, EBM_DTYPE_OTHER},
    {"BOOL", 8, EBM_DTYPE_OTHER},    {"C64", 64, EBM_DTYPE_OTHER},        {"F8_E4M3", 8, EBM_DTYPE_OTHER},
    {"F8_E5M2", 8, EBM_DTYPE_OTHER}, {"F8_E8M0", 8, EBM_DTYPE_OTHER},     {"F8_E4M3FNUZ", 8, EBM_DTYPE_OTHER},
    {"F4", 4, EBM_DTYPE_OTHER},      {"F8_E5M2FNUZ", 8, EBM_DTYPE_OTHER}, {"F6_E2M3", 6, EBM_DTYPE_OTHER},
    {"F6_E3M2", 6, EBM_DTYPE_OTHER},
};

// Where the bytes of one file's tensors lie.
typedef struct {
    const unsigned char *bytes;
    size_t size;
} data_area;

#define BAD(...) ebm_fail(EBM_ERROR_INPUT, __VA_ARGS__)

static ebm_status parse_dtype(const json_t *entry, ebm_safetensors_tensor *tensor, size_t *bits)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) return BAD("\"dtype\" is missing or not a string");
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++) {
        if (strcmp(name, DTYPES[i].name) != 0) continue;
        tensor->dtype = DTYPES[i].dtype;
        tensor->dtype_name = DTYPES[i].name;
        *bits = DTYPES[i].bits;
        return ebm_ok();
    }
    return BAD("unknown dtype \"%.32s\"", name);
}

static ebm_status parse_shape(const json_t *entry, ebm_safetensors_tensor *tensor)
{
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return BAD("\"shape\" is missing or not a list");
    tensor->rank = json_array_size(shape);
    if (tensor->rank > EBM_SAFETENSORS_RANK)
        return BAD("expected at most %d dimensions, found %zu", EBM_SAFETENSORS_RANK, tensor->rank);
    uint64_t count = 1; // in 64 bits: what has no elements is right however large its other dimensions are
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *extent = json_array_get(shape, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return BAD("dimension %zu of its shape is not a number from 0 on", i);
        tensor->shape[i] = (size_t)json_integer_value(extent);
        if (__builtin_mul_overflow(count, (uint64_t)json_integer_value(extent), &count))
            return BAD("the product of its shape overflows");
    }
    if (!ebm_fits_size(count)) return BAD("the product of its shape overflows");
    tensor->count = (size_t)count;
    return ebm_ok();
}

static ebm_status parse_offsets(data_area data, const json_t *entry, size_t bits, ebm_safetensors_tensor *tensor)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return BAD("\"data_offsets\" is missing or not a pair of numbers");
    const json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin)
        return BAD("its offsets %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " are no range", begin, end);
    if ((uint64_t)end > data.size)
        return BAD("its data goes to byte %" JSON_INTEGER_FORMAT ", the file has %zu bytes of data (truncated?)", end,
                   data.size);
    tensor->bytes = data.bytes + begin;
    tensor->byte_count = (size_t)(end - begin);
    uint64_t needed;
    if (__builtin_mul_overflow((uint64_t)tensor->count, (uint64_t)bits, &needed))
        return BAD("the product of its shape overflows");
    if (needed % 8 != 0)
        return BAD("its %zu elements of dtype %s do not fill whole bytes", tensor->count, tensor->dtype_name);
    if (needed / 8 != tensor->byte_count)
        return BAD("its shape and dtype %s need %" PRIu64 " bytes, its offsets give %zu", tensor->dtype_name,
                   needed / 8, tensor->byte_count);
    return ebm_ok();
}

static bool has_control_character(const char *text)
{
    while (*text && (unsigned char)*text >= 0x20 && *text != 0x7F) text++;
    return *text != 0;
}

static ebm_status parse_tensor(data_area data, const char *name, const json_t *entry, ebm_safetensors_tensor *tensor)
{
    tensor->name = name;
    if (!json_is_object(entry)) return BAD("expected an object with dtype, shape and data_offsets");
    size_t bits = 0;
    EBM_TRY(parse_dtype(entry, tensor, &bits));
    EBM_TRY(parse_shape(entry, tensor));
    return parse_offsets(data, entry, bits, tensor);
}

static ebm_status check_metadata(const json_t *metadata)
{
    if (json_is_null(metadata)) return ebm_ok();
    if (!json_is_object(metadata)) return BAD("\"__metadata__\" of the header is not an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) if (!json_is_string(value)) return BAD(
        "a value of \"__metadata__\" in the header is not a string");
    return ebm_ok();
}

static ebm_status parse_tensors(data_area data, const char *path, ebm_safetensors_header *header)
{
    const char *name;
    json_t *entry;
    json_object_foreach(header->json, name, entry)
    {
        if (!strcmp(name, "__metadata__")) {
            EBM_TRY(check_metadata(entry));
            continue;
        }
        // Names go into one-line messages and into logs.
        if (has_control_character(name)) return BAD("a tensor's name holds a control character");
        EBM_TRY(ebm_in(parse_tensor(data, name, entry, &header->tensors[header->count]), "tensor %s", name));
        header->tensors[header->count++].path = path;
    }
    return ebm_ok();
}

static int compare_places(const void *left, const void *right)
{
    const ebm_safetensors_tensor *a = left, *b = right;
    const uintptr_t at_a = (uintptr_t)a->bytes, at_b = (uintptr_t)b->bytes;
    if (at_a != at_b) return at_a < at_b ? -1 : 1;
    return (a->byte_count > b->byte_count) - (a->byte_count < b->byte_count);
}

// Sorted by place, the tensors must tile the data: nothing twice, nothing left over to hide in.
static ebm_status check_tiling(data_area data, const ebm_safetensors_header *header)
{
    size_t end = 0;
    for (size_t i = 0; i < header->count; i++) {
        const ebm_safetensors_tensor *tensor = &header->tensors[i];
        const size_t begin = (size_t)((const unsigned char *)tensor->bytes - data.bytes);
        if (begin < end) return BAD("tensor %s overlaps tensor %s", tensor->name, tensor[-1].name);
        if (begin > end) return BAD("tensor %s: a hole of %zu bytes lies before its data", tensor->name, begin - end);
        end = begin + tensor->byte_count;
    }
    if (end < data.size) return BAD("%zu bytes at the end belong to no tensor", data.size - end);
    return ebm_ok();
}

static ebm_status parse_json(const char *text, size_t size, json_t **json)
{
    json_error_t error;
    *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (*json) return ebm_ok();
    switch (json_error_code(&error)) {
    case json_error_out_of_memory:
        return ebm_fail(EBM_ERROR_MEMORY, "out of host memory");
    case json_error_invalid_utf8:
        return BAD("the header is not UTF-8 (at byte %d)", error.position);
    case json_error_duplicate_key:
        return BAD("a key stands twice in the header (%s)", error.text);
    default:
        return BAD("the header is not valid JSON (%s, at byte %d)", error.text, error.position);
    }
}

static ebm_status find_header(const unsigned char *bytes, size_t size, size_t *length)
{
    static const char LFS[] = "version https://git-lfs";
    if (size >= sizeof LFS && !memcmp(bytes, LFS, sizeof LFS - 1))
        return BAD("this is a Git LFS pointer, not the weights (git lfs pull fetches them)");
    if (size < LENGTH_BYTES) return BAD("expected a header's length of 8 bytes, found a file of %zu bytes", size);
    uint64_t found;
    memcpy(&found, bytes, LENGTH_BYTES);
    if (found > MAX_HEADER)
        return BAD("expected a header of at most %d bytes, found a length of %" PRIu64 " (not safetensors?)",
                   MAX_HEADER, found);
    if (found > size - LENGTH_BYTES)
        return BAD("the header should have %" PRIu64 " bytes, the file has %zu after its length (truncated?)", found,
                   size - LENGTH_BYTES);
    *length = (size_t)found;
    if (found == 0 || bytes[LENGTH_BYTES] != '{') return BAD("the header does not start with '{'");
    return ebm_ok();
}

static ebm_status read_header(const char *path, const unsigned char *bytes, size_t size, ebm_safetensors_header *header)
{
    size_t length = 0;
    EBM_TRY(find_header(bytes, size, &length));
    EBM_TRY(parse_json((const char *)bytes + LENGTH_BYTES, length, &header->json));
    const data_area data = {bytes + LENGTH_BYTES + length, size - LENGTH_BYTES - length};
    header->tensors = calloc(json_object_size(header->json) + 1, sizeof *header->tensors);
    if (!header->tensors) return ebm_fail(EBM_ERROR_MEMORY, "out of host memory");
    EBM_TRY(parse_tensors(data, path, header));
    qsort(header->tensors, header->count, sizeof *header->tensors, compare_places);
    return check_tiling(data, header);
}

ebm_status ebm_safetensors_header_read(const char *path, const unsigned char *bytes, size_t size,
                                       ebm_safetensors_header *header)
{
    *header = (ebm_safetensors_header){0};
    const ebm_status status = ebm_in(read_header(path, bytes, size, header), "%s", path);
    if (status.code != EBM_OK) ebm_safetensors_header_free(header);
    return status;
}

void ebm_safetensors_header_free(ebm_safetensors_header *header)
{
    json_decref(header->json);
    free(header->tensors);
    *header = (ebm_safetensors_header){0};
}
