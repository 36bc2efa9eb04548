// Weights from and to safetensors files.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parameters_internal.h"

// A parameter's name under the transformations of old and partial checkpoints; longer than any of them.
typedef char long_name[2 * sizeof(((ebm_parameter *)0)->name)];

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

// Index buffers that old checkpoints hold and no model needs: position numbers, GPT-2's causal masks.
static bool is_buffer(const char *name)
{
    return ends_with(name, "position_ids") || ends_with(name, ".attn.bias") || ends_with(name, ".attn.masked_bias");
}

// TensorFlow's names for the gain and shift of LayerNorm ("LayerNorm", "sa_layer_norm", ...). False when the name has
// no old form.
static bool old_ending(const char *name, long_name old)
{
    static const char *const ENDINGS[][2] = {{"orm.weight", "orm.gamma"}, {"orm.bias", "orm.beta"}};
    for (size_t i = 0; i < 2; i++) {
        if (!ends_with(name, ENDINGS[i][0])) continue;
        const int stem = (int)(strlen(name) - strlen(ENDINGS[i][0]));
        snprintf(old, sizeof(long_name), "%.*s%s", stem, name, ENDINGS[i][1]);
        return true;
    }
    return false;
}

// Output matrices that are the word embeddings once more, and biases with two names. A file that holds a shared tensor
// once may do so under this name: safetensors' save_model keeps the first one in the order of names.
static const char *tied_name(const char *name)
{
    static const char *const TIED[][2] = {{"wte.weight", "lm_head.weight"},
                                          {"embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
                                          {"embeddings.tok_embeddings.weight", "decoder.weight"},
                                          {"cls.predictions.bias", "cls.predictions.decoder.bias"},
                                          {"lm_head.bias", "lm_head.decoder.bias"}};
    for (size_t i = 0; i < sizeof TIED / sizeof *TIED; i++)
        if (ends_with(name, TIED[i][0])) return TIED[i][1];
    return NULL;
}

static bool find_prefixed(const ebm_safetensors *file, const char *name, const char *const *prefixes, size_t *index)
{
    if (ebm_safetensors_find(file, name, index)) return true;
    for (; prefixes && *prefixes; prefixes++) {
        const size_t length = strlen(*prefixes);
        if (!strncmp(name, *prefixes, length) && ebm_safetensors_find(file, name + length, index)) return true;
        long_name longer;
        const int written = snprintf(longer, sizeof longer, "%s%s", *prefixes, name);
        if (written > 0 && (size_t)written < sizeof longer && ebm_safetensors_find(file, longer, index)) return true;
    }
    return false;
}

static bool find_any(const ebm_safetensors *file, const char *name, const char *const *prefixes, size_t *index)
{
    if (find_prefixed(file, name, prefixes, index)) return true;
    long_name old;
    if (old_ending(name, old) && find_prefixed(file, old, prefixes, index)) return true;
    const char *tied = tied_name(name);
    return tied && ebm_safetensors_find(file, tied, index);
}

static void describe_shape(size_t rank, const size_t *shape, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "(");
    for (size_t i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %zu" : "%zu", shape[i]);
    if (used < size) snprintf(text + used, size - used, ")");
}

static bool has_shape(const ebm_parameter *parameter, const ebm_safetensors_tensor *tensor)
{
    const size_t matrix[2] = {parameter->rows, parameter->columns};
    const size_t rank = parameter->rows ? 2 : 1, *shape = parameter->rows ? matrix : matrix + 1;
    if (tensor->rank == rank && !memcmp(tensor->shape, shape, rank * sizeof *shape)) return true;
    return parameter->may_grow && tensor->rank == 2 && tensor->shape[0] < matrix[0] && tensor->shape[1] == matrix[1];
}

static ebm_status check_shape(const ebm_parameter *parameter, const ebm_safetensors_tensor *tensor)
{
    if (has_shape(parameter, tensor)) return ebm_ok();
    const size_t matrix[2] = {parameter->rows, parameter->columns};
    char expected[64], found[200];
    describe_shape(parameter->rows ? 2 : 1, parameter->rows ? matrix : matrix + 1, expected, sizeof expected);
    describe_shape(tensor->rank, tensor->shape, found, sizeof found);
    return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s: expected shape %s, found %s", tensor->path, tensor->name, expected,
                    found);
}

// Piece by piece, so that what is checked is still in the cache when it is copied, and so that the pages of a large
// file do not pile up beside the device's memory. F32 goes from the mapping straight to the device, everything else
// through the staging memory.
static ebm_status upload(ebm_parameters *parameters, const ebm_parameter *parameter, ebm_part part,
                         const ebm_safetensors *file, size_t index, float *staging)
{
    const size_t count = ebm_safetensors_view(file, index)->count;
    const ebm_slice slice = ebm_tensor_part(parameter->tensor, part);
    EBM_TRY(check_shape(parameter, ebm_safetensors_view(file, index)));
    if (part == EBM_PART_WEIGHT) ebm_parameters_changed(parameters);
    const float *view = ebm_safetensors_floats_view(file, index);
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < EBM_STAGING ? count - done : EBM_STAGING;
        EBM_TRY(view ? ebm_safetensors_check_finite_part(file, index, done, now)
                     : ebm_safetensors_floats_part(file, index, done, now, true, staging));
        EBM_TRY(ebm_slice_write(parameters->device, slice, parameter->first + done, now, view ? view + done : staging));
        ebm_safetensors_forget(file, index, done, now);
        done += now;
    }
    return ebm_ok();
}

// The pointers and the names behind them in one block.
static ebm_status list_ignored(const ebm_safetensors *file, const bool *used, char ***ignored)
{
    const size_t count = ebm_safetensors_count(file);
    size_t names = 0, bytes = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = ebm_safetensors_view(file, i)->name;
        if (used[i] || is_buffer(name)) continue;
        names++;
        bytes += strlen(name) + 1;
    }
    char **list = malloc((names + 1) * sizeof *list + bytes);
    if (!list) return ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory for its names", ebm_safetensors_path(file));
    char *text = (char *)(list + names + 1);
    names = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = ebm_safetensors_view(file, i)->name;
        if (used[i] || is_buffer(name)) continue;
        list[names++] = text;
        text = stpcpy(text, name) + 1;
    }
    list[names] = NULL;
    *ignored = list;
    return ebm_ok();
}

ebm_status ebm_parameters_load(ebm_parameters *parameters, const ebm_safetensors *file, const char *const *prefixes,
                               char ***ignored)
{
    ebm_status status = ebm_ok();
    bool *used = calloc(ebm_safetensors_count(file) + 1, sizeof *used);
    float *staging = malloc(EBM_STAGING * sizeof *staging);
    if (!used || !staging) {
        status = ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory to load it", ebm_safetensors_path(file));
        goto end;
    }
    for (size_t i = 0; i < parameters->name_count; i++) {
        ebm_parameter *parameter = parameters->names[i];
        size_t index = 0;
        parameter->loaded = false;
        parameter->given = 0;
        if (!find_any(file, parameter->name, prefixes, &index)) continue;
        if (parameter->may_differ && !has_shape(parameter, ebm_safetensors_view(file, index))) continue;
        EBM_CHECK(upload(parameters, parameter, EBM_PART_WEIGHT, file, index, staging), end);
        parameter->loaded = used[index] = true;
        parameter->given = ebm_safetensors_view(file, index)->count;
    }
    if (ignored) status = list_ignored(file, used, ignored);
end:
    free(used);
    free(staging);
    return status;
}

static ebm_status check_part(const ebm_parameters *parameters, ebm_part part)
{
    if (part == EBM_PART_WEIGHT || parameters->training) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "gradients and moments: the table of parameters was not made for training");
}

static ebm_status prefixed(const char *prefix, const ebm_parameter *parameter, long_name name)
{
    const int length = snprintf(name, sizeof(long_name), "%s%s", prefix ? prefix : "", parameter->name);
    if (length >= 0 && (size_t)length < sizeof(long_name)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "parameter %s: its name with the prefix is too long", parameter->name);
}

static ebm_status declare_all(const ebm_parameters *parameters, const char *prefix, bool (*keep)(const char *name),
                              ebm_safetensors_writer *writer)
{
    for (size_t i = 0; i < parameters->name_count; i++) {
        const ebm_parameter *parameter = parameters->names[i];
        if (keep && !keep(parameter->name)) continue;
        long_name name;
        EBM_TRY(prefixed(prefix, parameter, name));
        const size_t matrix[2] = {parameter->rows, parameter->columns};
        EBM_TRY(ebm_safetensors_writer_declare(writer, name, EBM_DTYPE_F32, parameter->rows ? 2 : 1,
                                               parameter->rows ? matrix : matrix + 1));
    }
    return ebm_ok();
}

static ebm_status download(const ebm_parameters *parameters, const ebm_parameter *parameter, ebm_part part,
                           ebm_safetensors_writer *writer, float *staging)
{
    const size_t count = ebm_parameter_elements(parameter);
    const ebm_slice slice = ebm_tensor_part(parameter->tensor, part);
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < EBM_STAGING ? count - done : EBM_STAGING;
        EBM_TRY(ebm_slice_read(parameters->device, slice, parameter->first + done, now, staging));
        EBM_TRY(ebm_safetensors_writer_append(writer, staging, now));
        done += now;
    }
    return ebm_ok();
}

ebm_status ebm_parameters_save(ebm_parameters *parameters, ebm_part part, const char *path, const char *prefix,
                               bool (*keep)(const char *name))
{
    EBM_TRY(check_part(parameters, part));
    ebm_status status = ebm_ok();
    ebm_safetensors_writer *writer = NULL;
    float *staging = malloc(EBM_STAGING * sizeof *staging);
    if (!staging) return ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory to write it", path);
    EBM_CHECK(ebm_safetensors_writer_open(path, &writer), end);
    EBM_CHECK(declare_all(parameters, prefix, keep, writer), end);
    for (size_t i = 0; i < parameters->name_count; i++)
        if (!keep || keep(parameters->names[i]->name))
            EBM_CHECK(download(parameters, parameters->names[i], part, writer, staging), end);
    status = ebm_safetensors_writer_finish(writer);
end:
    ebm_safetensors_writer_free(writer);
    free(staging);
    return status;
}

ebm_status ebm_parameters_restore(ebm_parameters *parameters, ebm_part part, const ebm_safetensors *file,
                                  const char *prefix, bool (*keep)(const char *name))
{
    EBM_TRY(check_part(parameters, part));
    ebm_status status = ebm_ok();
    float *staging = malloc(EBM_STAGING * sizeof *staging);
    if (!staging) return ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory to read it", ebm_safetensors_path(file));
    for (size_t i = 0; i < parameters->name_count; i++) {
        ebm_parameter *parameter = parameters->names[i];
        if (keep && !keep(parameter->name)) continue;
        long_name name;
        size_t index = 0;
        EBM_CHECK(prefixed(prefix, parameter, name), end);
        if (!ebm_safetensors_find(file, name, &index)) {
            status = ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s is missing", ebm_safetensors_path(file), name);
            goto end;
        }
        EBM_CHECK(upload(parameters, parameter, part, file, index, staging), end);
        if (part != EBM_PART_WEIGHT) continue;
        parameter->loaded = true;
        parameter->given = ebm_safetensors_view(file, index)->count;
    }
end:
    free(staging);
    return status;
}
