#include "safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian and read in place");

struct ebm_safetensors {
    char *path;
    ebm_mapping mapping;
    const unsigned char *data;
    size_t data_size;
    json_t *header; // owns the names
    size_t count;
    ebm_safetensors_tensor *tensors; // in the order of the data
    size_t *by_name;                 // indices into tensors
};

enum { LENGTH_BYTES = 8, MAX_HEADER = 100000000 }; // as the format's own library has it

static const struct {
    const char *name;
    size_t size;
    ebm_dtype dtype;
} DTYPES[] = {
    {"F32", 4, EBM_DTYPE_F32},       {"F16", 2, EBM_DTYPE_F16},       {"BF16", 2, EBM_DTYPE_BF16},
    {"I64", 8, EBM_DTYPE_I64},       {"F64", 8, EBM_DTYPE_OTHER},     {"I32", 4, EBM_DTYPE_OTHER},
    {"I16", 2, EBM_DTYPE_OTHER},     {"I8", 1, EBM_DTYPE_OTHER},      {"U64", 8, EBM_DTYPE_OTHER},
    {"U32", 4, EBM_DTYPE_OTHER},     {"U16", 2, EBM_DTYPE_OTHER},     {"U8", 1, EBM_DTYPE_OTHER},
    {"BOOL", 1, EBM_DTYPE_OTHER},    {"F8_E4M3", 1, EBM_DTYPE_OTHER}, {"F8_E5M2", 1, EBM_DTYPE_OTHER},
    {"F8_E8M0", 1, EBM_DTYPE_OTHER}, {"C64", 8, EBM_DTYPE_OTHER},
};

#define BAD(...) ebm_fail(EBM_ERROR_INPUT, __VA_ARGS__)

static ebm_status parse_dtype(const json_t *entry, ebm_safetensors_tensor *tensor, size_t *size)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) return BAD("\"dtype\" is missing or not a string");
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++) {
        if (strcmp(name, DTYPES[i].name) != 0) continue;
        tensor->dtype = DTYPES[i].dtype;
        tensor->dtype_name = DTYPES[i].name;
        *size = DTYPES[i].size;
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
    tensor->count = 1;
    for (size_t i = 0; i < tensor->rank; i++) {
        const json_t *extent = json_array_get(shape, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return BAD("dimension %zu of its shape is not a number from 0 on", i);
        tensor->shape[i] = (size_t)json_integer_value(extent);
        if (__builtin_mul_overflow(tensor->count, tensor->shape[i], &tensor->count))
            return BAD("the product of its shape overflows");
    }
    return ebm_ok();
}

static ebm_status parse_offsets(const ebm_safetensors *file, const json_t *entry, size_t size,
                                ebm_safetensors_tensor *tensor)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return BAD("\"data_offsets\" is missing or not a pair of numbers");
    const json_int_t begin = json_integer_value(first), end = json_integer_value(last);
    if (begin < 0 || end < begin)
        return BAD("its offsets %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " are no range", begin, end);
    if ((uint64_t)end > file->data_size)
        return BAD("its data goes to byte %" JSON_INTEGER_FORMAT ", the file has %zu bytes of data (truncated?)", end,
                   file->data_size);
    tensor->bytes = file->data + begin;
    tensor->byte_count = (size_t)(end - begin);
    size_t needed;
    if (__builtin_mul_overflow(tensor->count, size, &needed)) return BAD("the product of its shape overflows");
    if (needed != tensor->byte_count)
        return BAD("its shape and dtype %s need %zu bytes, its offsets give %zu", tensor->dtype_name, needed,
                   tensor->byte_count);
    return ebm_ok();
}

static bool has_control_character(const char *text)
{
    while (*text && (unsigned char)*text >= 0x20 && *text != 0x7F) text++;
    return *text != 0;
}

static ebm_status parse_tensor(const ebm_safetensors *file, const char *name, const json_t *entry,
                               ebm_safetensors_tensor *tensor)
{
    tensor->name = name;
    if (!json_is_object(entry)) return BAD("expected an object with dtype, shape and data_offsets");
    size_t size = 0;
    EBM_TRY(parse_dtype(entry, tensor, &size));
    EBM_TRY(parse_shape(entry, tensor));
    return parse_offsets(file, entry, size, tensor);
}

static ebm_status check_metadata(const json_t *metadata)
{
    if (!json_is_object(metadata)) return BAD("\"__metadata__\" of the header is not an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value) if (!json_is_string(value)) return BAD(
        "a value of \"__metadata__\" in the header is not a string");
    return ebm_ok();
}

static ebm_status parse_tensors(ebm_safetensors *file)
{
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry)
    {
        if (!strcmp(name, "__metadata__")) {
            EBM_TRY(check_metadata(entry));
            continue;
        }
        // Names go into one-line messages and into logs.
        if (has_control_character(name)) return BAD("a tensor's name holds a control character");
        EBM_TRY(ebm_in(parse_tensor(file, name, entry, &file->tensors[file->count]), "tensor %s", name));
        file->count++;
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
static ebm_status check_tiling(const ebm_safetensors *file)
{
    size_t end = 0;
    for (size_t i = 0; i < file->count; i++) {
        const ebm_safetensors_tensor *tensor = &file->tensors[i];
        const size_t begin = (size_t)((const unsigned char *)tensor->bytes - file->data);
        if (begin < end) return BAD("tensor %s overlaps tensor %s", tensor->name, tensor[-1].name);
        if (begin > end) return BAD("tensor %s: a hole of %zu bytes lies before its data", tensor->name, begin - end);
        end = begin + tensor->byte_count;
    }
    if (end < file->data_size) return BAD("%zu bytes at the end belong to no tensor", file->data_size - end);
    return ebm_ok();
}

static int compare_names(const void *left, const void *right, void *tensors)
{
    const ebm_safetensors_tensor *table = tensors;
    return strcmp(table[*(const size_t *)left].name, table[*(const size_t *)right].name);
}

static ebm_status parse_json(ebm_safetensors *file, const char *text, size_t size)
{
    json_error_t error;
    file->header = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (file->header) return ebm_ok();
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

static ebm_status parse_header(ebm_safetensors *file)
{
    static const char LFS[] = "version https://git-lfs";
    const unsigned char *bytes = file->mapping.bytes;
    const size_t size = file->mapping.size;
    if (size >= sizeof LFS && !memcmp(bytes, LFS, sizeof LFS - 1))
        return BAD("this is a Git LFS pointer, not the weights (git lfs pull fetches them)");
    if (size < LENGTH_BYTES) return BAD("expected a header's length of 8 bytes, found a file of %zu bytes", size);
    uint64_t length;
    memcpy(&length, bytes, LENGTH_BYTES);
    if (length > MAX_HEADER)
        return BAD("expected a header of at most %d bytes, found a length of %" PRIu64 " (not safetensors?)",
                   MAX_HEADER, length);
    if (length > size - LENGTH_BYTES)
        return BAD("the header should have %" PRIu64 " bytes, the file has %zu after its length (truncated?)", length,
                   size - LENGTH_BYTES);
    if (length == 0 || bytes[LENGTH_BYTES] != '{') return BAD("the header does not start with '{'");
    EBM_TRY(parse_json(file, (const char *)bytes + LENGTH_BYTES, (size_t)length));
    file->data = bytes + LENGTH_BYTES + length;
    file->data_size = size - LENGTH_BYTES - (size_t)length;

    const size_t entries = json_object_size(file->header);
    file->tensors = calloc(entries + 1, sizeof *file->tensors);
    file->by_name = calloc(entries + 1, sizeof *file->by_name);
    if (!file->tensors || !file->by_name) return ebm_fail(EBM_ERROR_MEMORY, "out of host memory");
    EBM_TRY(parse_tensors(file));
    qsort(file->tensors, file->count, sizeof *file->tensors, compare_places);
    EBM_TRY(check_tiling(file));
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = i;
    qsort_r(file->by_name, file->count, sizeof *file->by_name, compare_names, file->tensors);
    return ebm_ok();
}

ebm_status ebm_safetensors_open(const char *path, ebm_safetensors **file)
{
    ebm_safetensors *opened = calloc(1, sizeof *opened);
    ebm_status status = ebm_ok();
    if (opened && path) opened->path = strdup(path);
    if (!opened || !opened->path) {
        status = ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", path ? path : "safetensors");
        goto end;
    }
    EBM_CHECK(ebm_file_map(path, &opened->mapping), end);
    EBM_CHECK(ebm_in(parse_header(opened), "%s", path), end);
    *file = opened;
    opened = NULL;
end:
    ebm_safetensors_free(opened);
    return status;
}

// The message is what a user can paste: torch's own reader and the official writer, every tensor as it is.
static ebm_status refuse_other_forms(const char *directory, const char *path)
{
    char *pickled = ebm_path_join(directory, "pytorch_model.bin");
    char *pieces = ebm_path_join(directory, "model.safetensors.index.json");
    ebm_status status = ebm_ok();
    if (!pickled || !pieces)
        status = ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", directory);
    else if (ebm_file_exists(pieces))
        status = ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: the model is in several pieces; expected one model.safetensors",
                          pieces);
    else if (ebm_file_exists(pickled))
        status = ebm_fail(EBM_ERROR_UNSUPPORTED,
                          "%s: expected model.safetensors; convert by: cd %s && python3 -c \"import torch; from "
                          "safetensors.torch import save_file; save_file({k: v.clone().contiguous() for k, v in "
                          "torch.load('pytorch_model.bin', weights_only=True).items()}, 'model.safetensors', "
                          "{'format': 'pt'})\"",
                          pickled, directory);
    else
        status = BAD("%s: no such file", path);
    free(pickled);
    free(pieces);
    return status;
}

ebm_status ebm_safetensors_open_model(const char *directory, ebm_safetensors **file)
{
    char *path = ebm_path_join(directory, "model.safetensors");
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", directory);
    const ebm_status status =
        ebm_file_exists(path) ? ebm_safetensors_open(path, file) : refuse_other_forms(directory, path);
    free(path);
    return status;
}

void ebm_safetensors_free(ebm_safetensors *file)
{
    if (!file) return;
    ebm_file_unmap(&file->mapping);
    json_decref(file->header);
    free(file->tensors);
    free(file->by_name);
    free(file->path);
    free(file);
}

const char *ebm_safetensors_path(const ebm_safetensors *file) { return file->path; }
size_t ebm_safetensors_count(const ebm_safetensors *file) { return file->count; }

const ebm_safetensors_tensor *ebm_safetensors_view(const ebm_safetensors *file, size_t index)
{
    return &file->tensors[index];
}

bool ebm_safetensors_find(const ebm_safetensors *file, const char *name, size_t *index)
{
    for (size_t low = 0, high = file->count; low < high;) {
        const size_t middle = low + (high - low) / 2, at = file->by_name[middle];
        const int order = strcmp(name, file->tensors[at].name);
        if (order == 0) {
            *index = at;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

const char *ebm_safetensors_metadata(const ebm_safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, "__metadata__"), key));
}
