// Batches in, tensors out.
#include <stdlib.h>

#include "probe.h"

static ebm_status out_of_memory(const char *path) { return ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory", path); }

// NULL in *out when the file has no such tensor.
static ebm_status read_integers(const ebm_safetensors *file, const char *name, int32_t **out, size_t *count)
{
    size_t index;
    *out = NULL;
    if (!ebm_safetensors_find(file, name, &index)) return ebm_ok();
    *count = ebm_safetensors_view(file, index)->count;
    int64_t *wide = calloc(*count + 1, sizeof *wide);
    *out = calloc(*count + 1, sizeof **out);
    ebm_status status = wide && *out ? ebm_ok() : out_of_memory(ebm_safetensors_path(file));
    if (status.code == EBM_OK) status = ebm_safetensors_integers(file, index, wide);
    for (size_t i = 0; status.code == EBM_OK && i < *count; i++) (*out)[i] = (int32_t)wide[i];
    free(wide);
    return status;
}

static ebm_status fill_rows(const char *path, const int32_t *lengths, size_t tokens, probe_batch *batch)
{
    batch->rows = calloc(batch->count + 1, sizeof *batch->rows);
    if (!batch->rows) return out_of_memory(path);
    for (size_t i = 0; i < batch->count; i++) {
        const size_t length = (size_t)lengths[i], first = batch->tokens;
        batch->rows[i] = (ebm_sequence){batch->ids + first, batch->types ? batch->types + first : NULL, length};
        batch->tokens += length;
        if (length > batch->longest) batch->longest = length;
    }
    if (batch->tokens == tokens) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: the lengths sum up to %zu, there are %zu ids", path, batch->tokens, tokens);
}

ebm_status probe_batch_read(const char *path, probe_batch *batch)
{
    ebm_safetensors *file = NULL;
    int32_t *lengths = NULL;
    size_t tokens = 0, other = 0;
    *batch = (probe_batch){0};
    EBM_TRY(ebm_safetensors_open(path, &file));
    ebm_status status = ebm_ok();
    EBM_CHECK(read_integers(file, "ids", &batch->ids, &tokens), end);
    EBM_CHECK(read_integers(file, "lengths", &lengths, &batch->count), end);
    EBM_CHECK(read_integers(file, "types", &batch->types, &other), end);
    EBM_CHECK(read_integers(file, "labels", &batch->labels, &other), end);
    EBM_CHECK(read_integers(file, "targets", &batch->targets, &other), end);
    if (!batch->ids || !lengths) status = ebm_fail(EBM_ERROR_INPUT, "%s: no tensors ids and lengths", path);
    EBM_CHECK(status, end);
    status = fill_rows(path, lengths, tokens, batch);
end:
    free(lengths);
    ebm_safetensors_free(file);
    if (status.code != EBM_OK) probe_batch_free(batch);
    return status;
}

void probe_batch_free(probe_batch *batch)
{
    free(batch->rows);
    free(batch->ids);
    free(batch->types);
    free(batch->labels);
    free(batch->targets);
    *batch = (probe_batch){0};
}

ebm_status probe_batch_pack(const probe_batch *batch, ebm_packing *packing, ebm_batch *packed)
{
    ebm_packing_clear(packing, 0, 0);
    for (size_t i = 0; i < batch->count; i++) {
        bool fits = false;
        EBM_TRY(ebm_packing_add(packing, batch->rows[i], &fits));
        if (!fits) return ebm_fail(EBM_ERROR_INPUT, "sequence %zu does not fit the batch", i);
    }
    return ebm_packing_send(packing, packed);
}

void probe_answer_take(probe_answer *answer, const char *name, float *values, size_t rows, size_t columns)
{
    if (answer->count == sizeof answer->tensors / sizeof *answer->tensors)
        answer->status = ebm_fail(EBM_ERROR_INPUT, "%s: too many tensors", answer->path);
    if (!values) answer->status = out_of_memory(answer->path);
    if (answer->status.code != EBM_OK) {
        free(values);
        return;
    }
    answer->tensors[answer->count].name = name;
    answer->tensors[answer->count].rows = rows;
    answer->tensors[answer->count].columns = columns;
    answer->tensors[answer->count++].values = values;
}

void probe_answer_add(probe_answer *answer, ebm_device *device, const char *name, ebm_slice slice, size_t rows,
                      size_t columns)
{
    float *values = calloc(rows * columns + 1, sizeof *values);
    if (values && answer->status.code == EBM_OK)
        answer->status = ebm_slice_read(device, slice, 0, rows * columns, values);
    probe_answer_take(answer, name, values, rows, columns);
}

static ebm_status write_answer(const probe_answer *answer)
{
    ebm_safetensors_writer *writer = NULL;
    EBM_TRY(ebm_safetensors_writer_open(answer->path, &writer));
    for (size_t i = 0; i < answer->count; i++) {
        const size_t shape[2] = {answer->tensors[i].rows, answer->tensors[i].columns};
        ebm_safetensors_writer_declare(writer, answer->tensors[i].name, EBM_DTYPE_F32, 2, shape);
    }
    for (size_t i = 0; i < answer->count; i++)
        ebm_safetensors_writer_append(writer, answer->tensors[i].values,
                                      answer->tensors[i].rows * answer->tensors[i].columns);
    const ebm_status status = ebm_safetensors_writer_finish(writer);
    ebm_safetensors_writer_free(writer);
    return status;
}

ebm_status probe_answer_finish(probe_answer *answer, ebm_status status)
{
    if (status.code == EBM_OK) status = answer->status;
    if (status.code == EBM_OK) status = write_answer(answer);
    for (size_t i = 0; i < answer->count; i++) free(answer->tensors[i].values);
    answer->count = 0;
    return status;
}
