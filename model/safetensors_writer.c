#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "safetensors.h"

struct ebm_safetensors_writer {
    char *path;
    ebm_file_writer *file;
    json_t *header, *metadata; // metadata is borrowed from header
    size_t bytes, written;     // of data: declared, appended
    size_t *ends, *sizes;      // per tensor: where its data ends, bytes of an element
    size_t count, current;     // tensors; the first that is not complete
    bool started;              // the header is written
    ebm_status status;
};

static ebm_status out_of_memory(const char *path)
{
    return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", path ? path : "safetensors");
}

ebm_status ebm_safetensors_writer_open(const char *path, ebm_safetensors_writer **writer)
{
    if (!path) return out_of_memory(path);
    ebm_safetensors_writer *w = calloc(1, sizeof *w);
    if (!w) return out_of_memory(path);
    w->status = ebm_ok();
    w->path = strdup(path);
    w->header = json_object();
    w->metadata = json_object();
    ebm_status status = ebm_ok();
    if (!w->path || json_object_set_new(w->header, "__metadata__", w->metadata) != 0) {
        status = out_of_memory(path);
        goto end;
    }
    EBM_CHECK(ebm_safetensors_writer_metadata(w, "format", "pt"), end);
    EBM_CHECK(ebm_file_writer_open(path, &w->file), end);
    *writer = w;
    w = NULL;
end:
    ebm_safetensors_writer_free(w);
    return status;
}

ebm_status ebm_safetensors_writer_metadata(ebm_safetensors_writer *writer, const char *key, const char *value)
{
    if (writer->status.code != EBM_OK) return writer->status;
    if (writer->started)
        writer->status = ebm_fail(EBM_ERROR_INPUT, "%s: metadata %s comes after the first data", writer->path, key);
    else if (json_object_set_new(writer->metadata, key, json_string(value)) != 0)
        writer->status = ebm_fail(EBM_ERROR_INPUT, "%s: metadata is not UTF-8", writer->path);
    return writer->status;
}

static ebm_status shape_bytes(const char *name, size_t rank, const size_t *shape, size_t size, size_t *bytes)
{
    if (rank > EBM_SAFETENSORS_RANK)
        return ebm_fail(EBM_ERROR_INPUT, "tensor %s: expected at most %d dimensions, found %zu", name,
                        EBM_SAFETENSORS_RANK, rank);
    *bytes = size;
    for (size_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(*bytes, shape[i], bytes))
            return ebm_fail(EBM_ERROR_INPUT, "tensor %s: the product of its shape overflows", name);
    return ebm_ok();
}

static ebm_status grow(ebm_safetensors_writer *w)
{
    if ((w->count & (w->count - 1)) != 0) return ebm_ok(); // room for the next power of two
    const size_t room = w->count ? 2 * w->count : 1;
    size_t *ends = realloc(w->ends, room * sizeof *ends);
    if (ends) w->ends = ends;
    size_t *sizes = realloc(w->sizes, room * sizeof *sizes);
    if (sizes) w->sizes = sizes;
    return ends && sizes ? ebm_ok() : out_of_memory(NULL);
}

static ebm_status declare(ebm_safetensors_writer *w, const char *name, ebm_dtype dtype, size_t rank,
                          const size_t *shape)
{
    if (dtype != EBM_DTYPE_F32 && dtype != EBM_DTYPE_I64)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "tensor %s: only F32 and I64 are written", name);
    if (w->started) return ebm_fail(EBM_ERROR_INPUT, "tensor %s: declared after the first data", name);
    if (json_object_get(w->header, name)) return ebm_fail(EBM_ERROR_INPUT, "tensor %s: declared twice", name);
    const size_t size = dtype == EBM_DTYPE_F32 ? 4 : 8;
    // Readers expect elements at multiples of their size; the header ends at a multiple of 8.
    if (w->bytes % size != 0) return ebm_fail(EBM_ERROR_INPUT, "tensor %s: I64 must be declared before F32", name);
    size_t bytes = 0, end = 0;
    EBM_TRY(shape_bytes(name, rank, shape, size, &bytes));
    if (__builtin_add_overflow(w->bytes, bytes, &end) || end > PTRDIFF_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "tensor %s: the sizes of all tensors overflow", name);
    EBM_TRY(grow(w));
    json_t *extents = json_array();
    for (size_t i = 0; i < rank; i++) json_array_append_new(extents, json_integer((json_int_t)shape[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype == EBM_DTYPE_F32 ? "F32" : "I64", "shape", extents,
                              "data_offsets", (json_int_t)w->bytes, (json_int_t)end);
    if (!entry) return out_of_memory(NULL);
    if (json_object_set_new(w->header, name, entry) != 0)
        return ebm_fail(EBM_ERROR_INPUT, "a tensor's name is not UTF-8");
    w->sizes[w->count] = size;
    w->ends[w->count++] = w->bytes = end;
    return ebm_ok();
}

ebm_status ebm_safetensors_writer_declare(ebm_safetensors_writer *writer, const char *name, ebm_dtype dtype,
                                          size_t rank, const size_t *shape)
{
    if (writer->status.code == EBM_OK)
        writer->status = ebm_in(declare(writer, name, dtype, rank, shape), "%s", writer->path);
    return writer->status;
}

static ebm_status start(ebm_safetensors_writer *w)
{
    if (w->started) return ebm_ok();
    w->started = true;
    char *text = json_dumps(w->header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (!text) return out_of_memory(NULL);
    const size_t size = strlen(text), padding = (8 - size % 8) % 8;
    const uint64_t length = size + padding;
    (void)ebm_file_writer_append(w->file, &length, sizeof length);
    (void)ebm_file_writer_append(w->file, text, size);
    const ebm_status status = ebm_file_writer_append(w->file, "        ", padding);
    free(text);
    return status;
}

static ebm_status append(ebm_safetensors_writer *w, const void *elements, size_t count)
{
    EBM_TRY(start(w));
    if (count == 0) return ebm_ok();
    while (w->current < w->count && w->written == w->ends[w->current]) w->current++;
    if (w->current == w->count) return ebm_fail(EBM_ERROR_INPUT, "more data than the tensors declared need");
    const size_t size = w->sizes[w->current], left = (w->ends[w->current] - w->written) / size;
    if (count > left)
        return ebm_fail(EBM_ERROR_INPUT, "expected at most %zu elements to complete tensor number %zu, found %zu", left,
                        w->current, count);
    w->written += count * size;
    return ebm_file_writer_append(w->file, elements, count * size);
}

ebm_status ebm_safetensors_writer_append(ebm_safetensors_writer *writer, const void *elements, size_t count)
{
    if (writer->status.code == EBM_OK) writer->status = ebm_in(append(writer, elements, count), "%s", writer->path);
    return writer->status;
}

static ebm_status finish(ebm_safetensors_writer *w)
{
    EBM_TRY(start(w));
    if (w->written != w->bytes)
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected %zu bytes of data, only %zu were appended", w->path, w->bytes,
                        w->written);
    return ebm_file_writer_finish(w->file);
}

ebm_status ebm_safetensors_writer_finish(ebm_safetensors_writer *writer)
{
    if (writer->status.code == EBM_OK) writer->status = finish(writer);
    return writer->status;
}

void ebm_safetensors_writer_free(ebm_safetensors_writer *writer)
{
    if (!writer) return;
    ebm_file_writer_free(writer->file);
    json_decref(writer->header);
    free(writer->ends);
    free(writer->sizes);
    free(writer->path);
    free(writer);
}
