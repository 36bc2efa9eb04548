#include "parameters.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parameters_internal.h"
#include "random.h"

ebm_parameters *ebm_parameters_create(ebm_device *device, bool training)
{
    static const char *const NAMES[EBM_PARTS] = {"parameters", "gradients", "first moments", "second moments"};
    ebm_parameters *parameters = calloc(1, sizeof *parameters);
    if (!parameters) return NULL;
    parameters->device = device;
    parameters->training = training;
    parameters->status = ebm_ok();
    for (size_t i = 0; i < (training ? EBM_PARTS : 1); i++) {
        parameters->arenas[i] = ebm_arena_create(device, NAMES[i]);
        if (parameters->arenas[i]) continue;
        ebm_parameters_free(parameters);
        return NULL;
    }
    return parameters;
}

void ebm_parameters_free(ebm_parameters *parameters)
{
    if (!parameters) return;
    for (size_t i = 0; i < EBM_PARTS; i++) ebm_arena_free(parameters->arenas[i]);
    for (size_t i = 0; i < parameters->tensor_count; i++) free(parameters->tensors[i]);
    for (size_t i = 0; i < parameters->name_count; i++) free(parameters->names[i]);
    free(parameters->tensors);
    free(parameters->names);
    free(parameters);
}

static void keep_error(ebm_parameters *parameters, ebm_status status)
{
    if (parameters->status.code == EBM_OK) parameters->status = status;
}

// Room for one more pointer in a list of `count` that doubles at powers of two; NULL when out of memory.
static void *with_room(void *list, size_t count)
{
    if ((count & (count - 1)) != 0) return list;
    return realloc(list, (count ? 2 * count : 1) * sizeof(void *));
}

static void keep_out_of_memory(ebm_parameters *parameters)
{
    keep_error(parameters, ebm_fail(EBM_ERROR_MEMORY, "no host memory for the table of parameters"));
}

static ebm_tensor *append_tensor(ebm_parameters *parameters)
{
    ebm_tensor **list = with_room(parameters->tensors, parameters->tensor_count);
    if (list) parameters->tensors = list;
    ebm_tensor *tensor = list ? calloc(1, sizeof *tensor) : NULL;
    if (tensor)
        list[parameters->tensor_count++] = tensor;
    else
        keep_out_of_memory(parameters);
    return tensor;
}

static ebm_parameter *append_name(ebm_parameters *parameters)
{
    ebm_parameter **list = with_room(parameters->names, parameters->name_count);
    if (list) parameters->names = list;
    ebm_parameter *parameter = list ? calloc(1, sizeof *parameter) : NULL;
    if (parameter)
        list[parameters->name_count++] = parameter;
    else
        keep_out_of_memory(parameters);
    return parameter;
}

ebm_tensor *ebm_parameters_tensor(ebm_parameters *parameters, size_t count, bool decay)
{
    ebm_tensor *tensor = append_tensor(parameters);
    if (!tensor) return NULL;
    tensor->count = count;
    tensor->decay = decay;
    ebm_arena_reserve(parameters->arenas[EBM_PART_WEIGHT], &tensor->weight, count);
    if (!parameters->training) return tensor;
    ebm_arena_reserve(parameters->arenas[EBM_PART_GRADIENT], &tensor->gradient, count);
    ebm_arena_reserve(parameters->arenas[EBM_PART_MOMENT1], &tensor->moment1, count);
    ebm_arena_reserve(parameters->arenas[EBM_PART_MOMENT2], &tensor->moment2, count);
    return tensor;
}

void ebm_parameters_name(ebm_parameters *parameters, ebm_tensor *tensor, size_t first, size_t rows, size_t columns,
                         ebm_init init, const char *format, ...)
{
    if (!tensor) return; // its error is kept already
    ebm_parameter *parameter = append_name(parameters);
    if (!parameter) return;
    parameter->tensor = tensor;
    parameter->first = first;
    parameter->rows = rows;
    parameter->columns = columns;
    parameter->init = init;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(parameter->name, sizeof parameter->name, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof parameter->name)
        keep_error(parameters, ebm_fail(EBM_ERROR_INPUT, "parameter %s...: the name has more than %zu bytes",
                                        parameter->name, sizeof parameter->name - 1));
}

size_t ebm_parameters_arenas(const ebm_parameters *parameters, ebm_arena *arenas[4])
{
    const size_t count = parameters->training ? EBM_PARTS : 1;
    for (size_t i = 0; i < count; i++) arenas[i] = parameters->arenas[i];
    return count;
}

static int compare_places(const void *left, const void *right)
{
    const ebm_parameter *a = *(ebm_parameter *const *)left, *b = *(ebm_parameter *const *)right;
    if (a->tensor != b->tensor) return (uintptr_t)a->tensor < (uintptr_t)b->tensor ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static int compare_names(const void *left, const void *right)
{
    return strcmp((*(ebm_parameter *const *)left)->name, (*(ebm_parameter *const *)right)->name);
}

static ebm_status check_twice(ebm_parameter **sorted, size_t count)
{
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
            return ebm_fail(EBM_ERROR_INPUT, "parameter %s is named twice", sorted[i]->name);
    return ebm_ok();
}

// Sorted by place, the names of each tensor must follow one another from its first element to its last.
static ebm_status check_tiling(ebm_parameter **sorted, size_t count, size_t tensors)
{
    qsort(sorted, count, sizeof *sorted, compare_places);
    size_t seen = 0;
    for (size_t i = 0; i < count; seen++) {
        const ebm_tensor *tensor = sorted[i]->tensor;
        size_t end = 0;
        for (; i < count && sorted[i]->tensor == tensor; i++) {
            if (sorted[i]->first != end)
                return ebm_fail(EBM_ERROR_INPUT,
                                "parameter %s: expected its first element at %zu of its tensor, found %zu",
                                sorted[i]->name, end, sorted[i]->first);
            end += ebm_parameter_elements(sorted[i]);
        }
        if (end != tensor->count)
            return ebm_fail(EBM_ERROR_INPUT, "parameter %s: its tensor has %zu elements, the names on it cover %zu",
                            sorted[i - 1]->name, tensor->count, end);
    }
    if (seen != tensors) return ebm_fail(EBM_ERROR_INPUT, "%zu of %zu tensors have no name", tensors - seen, tensors);
    return ebm_ok();
}

static ebm_status check_table(const ebm_parameters *parameters)
{
    const size_t count = parameters->name_count;
    ebm_parameter **sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the table of parameters");
    if (count > 0) memcpy(sorted, parameters->names, count * sizeof *sorted);
    ebm_status status = check_twice(sorted, count);
    if (status.code == EBM_OK) status = check_tiling(sorted, count, parameters->tensor_count);
    free(sorted);
    return status;
}

ebm_status ebm_parameters_allocate(ebm_parameters *parameters)
{
    EBM_TRY(parameters->status);
    EBM_TRY(check_table(parameters));
    ebm_arena *arenas[EBM_PARTS];
    const size_t count = ebm_parameters_arenas(parameters, arenas);
    for (size_t i = 0; i < count; i++) EBM_TRY(ebm_arena_allocate(arenas[i]));
    return ebm_ok();
}

size_t ebm_parameters_count(const ebm_parameters *parameters) { return parameters->name_count; }
ebm_parameter *ebm_parameters_view(ebm_parameters *parameters, size_t index) { return parameters->names[index]; }
size_t ebm_parameters_tensor_count(const ebm_parameters *parameters) { return parameters->tensor_count; }
ebm_tensor *ebm_parameters_tensor_view(ebm_parameters *parameters, size_t index) { return parameters->tensors[index]; }

ebm_parameter *ebm_parameters_find(ebm_parameters *parameters, const char *name)
{
    for (size_t i = 0; i < parameters->name_count; i++)
        if (!strcmp(parameters->names[i]->name, name)) return parameters->names[i];
    return NULL;
}

ebm_slice ebm_tensor_part(const ebm_tensor *tensor, ebm_part part)
{
    switch (part) {
    case EBM_PART_GRADIENT:
        return tensor->gradient;
    case EBM_PART_MOMENT1:
        return tensor->moment1;
    case EBM_PART_MOMENT2:
        return tensor->moment2;
    default:
        return tensor->weight;
    }
}

enum { WORDS_OF_A_NORMAL = 4 }; // ebm_random_normal takes two uniform numbers of two words

static void draw(ebm_random *stream, ebm_init init, float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = init == EBM_INIT_NORMAL ? (float)(0.02 * ebm_random_normal(stream)) : init == EBM_INIT_ONE ? 1 : 0;
}

// The elements from `first` on: what each holds depends on its place alone, not on what was drawn before.
static ebm_status draw_parameter(ebm_parameters *parameters, size_t index, uint64_t seed, size_t first, float *staging)
{
    const ebm_parameter *parameter = parameters->names[index];
    const size_t count = ebm_parameter_elements(parameter);
    ebm_random stream = ebm_random_stream(seed, (uint32_t)index, EBM_SITE_INIT);
    stream.next = (uint64_t)WORDS_OF_A_NORMAL * first;
    for (size_t done = first; done < count;) {
        const size_t now = count - done < EBM_STAGING ? count - done : EBM_STAGING;
        draw(&stream, parameter->init, staging, now);
        EBM_TRY(ebm_slice_write(parameters->device, parameter->tensor->weight, parameter->first + done, now, staging));
        done += now;
    }
    return ebm_ok();
}

uint64_t ebm_parameters_version(const ebm_parameters *parameters) { return parameters->version; }
void ebm_parameters_changed(ebm_parameters *parameters) { parameters->version++; }

static ebm_status draw_all(ebm_parameters *parameters, uint64_t seed, bool missing_only)
{
    float *staging = malloc(EBM_STAGING * sizeof *staging);
    if (!staging) return ebm_fail(EBM_ERROR_MEMORY, "no host memory to draw parameters");
    ebm_status status = ebm_ok();
    ebm_parameters_changed(parameters);
    for (size_t i = 0; i < parameters->name_count && status.code == EBM_OK; i++)
        status = draw_parameter(parameters, i, seed, missing_only ? parameters->names[i]->given : 0, staging);
    free(staging);
    return status;
}

ebm_status ebm_parameters_init(ebm_parameters *parameters, uint64_t seed) { return draw_all(parameters, seed, false); }

ebm_status ebm_parameters_init_missing(ebm_parameters *parameters, uint64_t seed)
{
    return draw_all(parameters, seed, true);
}
