// The table of tensors of one file, or of the several files of one model.
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "safetensors_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian and read in place");

typedef struct {
    char *path;
    ebm_mapping mapping; // {NULL, 0} when the bytes are the caller's
    json_t *header;      // owns the names
} piece;

struct ebm_safetensors {
    char *path;
    piece *pieces;
    size_t piece_count;
    ebm_safetensors_tensor *tensors; // piece by piece, each in the order of its data
    size_t count;
    size_t *by_name; // indices into tensors
};

static ebm_status out_of_memory(const char *path)
{
    return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", path ? path : "safetensors");
}

ebm_status ebm_safetensors_start(const char *path, size_t files, ebm_safetensors **file)
{
    *file = NULL;
    ebm_safetensors *started = calloc(1, sizeof *started);
    if (!started || !path) {
        free(started);
        return out_of_memory(path);
    }
    started->path = strdup(path);
    started->pieces = calloc(files, sizeof *started->pieces);
    if (started->path && started->pieces) {
        *file = started;
        return ebm_ok();
    }
    ebm_safetensors_free(started);
    return out_of_memory(path);
}

static ebm_status append_tensors(ebm_safetensors *file, const ebm_safetensors_header *header)
{
    ebm_safetensors_tensor *more = realloc(file->tensors, (file->count + header->count + 1) * sizeof *more);
    if (!more) return out_of_memory(file->path);
    if (header->count > 0) memcpy(more + file->count, header->tensors, header->count * sizeof *more);
    file->tensors = more;
    file->count += header->count;
    return ebm_ok();
}

static ebm_status add(ebm_safetensors *file, const unsigned char *bytes, size_t size)
{
    piece *last = &file->pieces[file->piece_count - 1];
    ebm_safetensors_header header;
    EBM_TRY(ebm_safetensors_header_read(last->path, bytes, size, &header));
    const ebm_status status = append_tensors(file, &header);
    if (status.code == EBM_OK) last->header = json_incref(header.json);
    ebm_safetensors_header_free(&header);
    return status;
}

static ebm_status next_piece(ebm_safetensors *file, const char *path, piece **next)
{
    *next = &file->pieces[file->piece_count];
    (*next)->path = strdup(path);
    if (!(*next)->path) return out_of_memory(path);
    file->piece_count++;
    return ebm_ok();
}

ebm_status ebm_safetensors_add_file(ebm_safetensors *file, const char *path)
{
    piece *next = NULL;
    EBM_TRY(next_piece(file, path, &next));
    EBM_TRY(ebm_file_map(path, &next->mapping));
    return add(file, next->mapping.bytes, next->mapping.size);
}

static int compare_names(const void *left, const void *right, void *tensors)
{
    const ebm_safetensors_tensor *table = tensors;
    return strcmp(table[*(const size_t *)left].name, table[*(const size_t *)right].name);
}

ebm_status ebm_safetensors_finish(ebm_safetensors *file)
{
    file->by_name = calloc(file->count + 1, sizeof *file->by_name);
    if (!file->by_name) return out_of_memory(file->path);
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = i;
    if (file->count > 0) qsort_r(file->by_name, file->count, sizeof *file->by_name, compare_names, file->tensors);
    for (size_t i = 1; i < file->count; i++) {
        const ebm_safetensors_tensor *one = &file->tensors[file->by_name[i - 1]];
        const ebm_safetensors_tensor *other = &file->tensors[file->by_name[i]];
        if (!strcmp(one->name, other->name))
            return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s stands in two files, %s and %s", file->path, one->name,
                            one->path, other->path);
    }
    return ebm_ok();
}

ebm_status ebm_safetensors_open(const char *path, ebm_safetensors **file)
{
    ebm_safetensors *opened = NULL;
    EBM_TRY(ebm_safetensors_start(path, 1, &opened));
    ebm_status status = ebm_safetensors_add_file(opened, path);
    if (status.code == EBM_OK) status = ebm_safetensors_finish(opened);
    if (status.code == EBM_OK)
        *file = opened;
    else
        ebm_safetensors_free(opened);
    return status;
}

ebm_status ebm_safetensors_parse(const void *bytes, size_t size, const char *name, ebm_safetensors **file)
{
    ebm_safetensors *parsed = NULL;
    piece *only = NULL;
    EBM_TRY(ebm_safetensors_start(name, 1, &parsed));
    ebm_status status = next_piece(parsed, name, &only);
    if (status.code == EBM_OK) status = add(parsed, bytes, size);
    if (status.code == EBM_OK) status = ebm_safetensors_finish(parsed);
    if (status.code == EBM_OK)
        *file = parsed;
    else
        ebm_safetensors_free(parsed);
    return status;
}

void ebm_safetensors_free(ebm_safetensors *file)
{
    if (!file) return;
    for (size_t i = 0; i < file->piece_count; i++) {
        ebm_file_unmap(&file->pieces[i].mapping);
        json_decref(file->pieces[i].header);
        free(file->pieces[i].path);
    }
    free(file->pieces);
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
    const json_t *header = file->piece_count ? file->pieces[0].header : NULL;
    return json_string_value(json_object_get(json_object_get(header, "__metadata__"), key));
}

void ebm_safetensors_forget_bytes(const ebm_safetensors *file, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < file->piece_count; i++) {
        const ebm_mapping *mapping = &file->pieces[i].mapping;
        const uintptr_t at = (uintptr_t)bytes - (uintptr_t)mapping->bytes;
        if (mapping->bytes && at <= mapping->size && size <= mapping->size - at)
            ebm_file_forget(mapping, (size_t)at, size);
    }
}
