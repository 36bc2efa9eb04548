#include "expected.h"

#include <math.h>
#include <stdio.h>

#include "file.h"

ebm_device *device;

int open_device(void **state)
{
    const ebm_status status = ebm_device_open(NULL, &device);
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code;
}

int close_device(void **state)
{
    ebm_device_free(device);
    device = NULL;
    return 0;
}

const char *model_folder(const char *family)
{
    static char path[512];
    snprintf(path, sizeof path, FIXTURES "/models/%s", family);
    return path;
}

ebm_safetensors *expected_open(const char *family)
{
    ebm_safetensors *file = NULL;
    char *path = ebm_path_join(model_folder(family), "expected.safetensors");
    assert_ok(ebm_safetensors_open(path, &file));
    free(path);
    return file;
}

static size_t index_of(const ebm_safetensors *expected, const char *name)
{
    size_t index = 0;
    if (!ebm_safetensors_find(expected, name, &index)) fail_msg("the fixture has no %s", name);
    return index;
}

size_t expected_count(const ebm_safetensors *expected, const char *name)
{
    return ebm_safetensors_view(expected, index_of(expected, name))->count;
}

float *expected_floats(const ebm_safetensors *expected, const char *format, ...)
{
    char name[192];
    va_list list;
    va_start(list, format);
    vsnprintf(name, sizeof name, format, list);
    va_end(list);
    float *values = calloc(expected_count(expected, name), sizeof *values);
    assert_ok(ebm_safetensors_floats(expected, index_of(expected, name), values));
    return values;
}

int32_t *expected_integers(const ebm_safetensors *expected, const char *name)
{
    const size_t count = expected_count(expected, name);
    int64_t *wide = calloc(count, sizeof *wide);
    int32_t *values = calloc(count, sizeof *values);
    assert_ok(ebm_safetensors_integers(expected, index_of(expected, name), wide));
    for (size_t i = 0; i < count; i++) values[i] = (int32_t)wide[i];
    free(wide);
    return values;
}

float *read_floats(ebm_slice slice, size_t count)
{
    float *values = calloc(count, sizeof *values);
    assert_ok(ebm_slice_read(device, slice, 0, count, values));
    return values;
}

void assert_near_one(const char *what, double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%s: expected %.9g within %.2g, found %.9g", what, expected, tolerance, found);
}

void assert_near(const char *what, const float *found, const float *expected, size_t count, double tolerance)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - (double)expected[i]) <= tolerance))
            fail_msg("%s[%zu]: expected %.9g within %.2g, found %.9g", what, i, (double)expected[i], tolerance,
                     (double)found[i]);
}

static int by_name(const void *a, const void *b)
{
    const ebm_parameter *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

snapshot snapshot_take(ebm_parameters *p, ebm_part part)
{
    snapshot s = {.count = ebm_parameters_count(p)};
    const ebm_parameter **sorted = calloc(s.count, sizeof *sorted);
    s.names = calloc(s.count, sizeof *s.names);
    s.values = calloc(s.count, sizeof *s.values);
    s.sizes = calloc(s.count, sizeof *s.sizes);
    for (size_t i = 0; i < s.count; i++) sorted[i] = ebm_parameters_view(p, i);
    qsort(sorted, s.count, sizeof *sorted, by_name);
    for (size_t i = 0; i < s.count; i++) {
        const ebm_parameter *q = sorted[i];
        const ebm_slice slice = part == EBM_PART_GRADIENT ? q->tensor->gradient : q->tensor->weight;
        s.names[i] = q->name;
        s.sizes[i] = (q->rows ? q->rows : 1) * q->columns;
        s.values[i] = calloc(s.sizes[i], sizeof **s.values);
        assert_ok(ebm_slice_read(device, slice, q->first, s.sizes[i], s.values[i]));
    }
    free(sorted);
    return s;
}

void snapshot_free(snapshot *s)
{
    for (size_t i = 0; i < s->count; i++) free(s->values[i]);
    free(s->values);
    free(s->names);
    free(s->sizes);
}

void assert_same_bits(const snapshot *a, const snapshot *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        if (memcmp(a->values[i], b->values[i], a->sizes[i] * sizeof **a->values) != 0)
            fail_msg("%s has other bits", a->names[i]);
}

static double norm_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

void assert_near_snapshot(const snapshot *found, const snapshot *expected, double tolerance)
{
    assert_int_equal(found->count, expected->count);
    for (size_t i = 0; i < found->count; i++)
        assert_near(found->names[i], found->values[i], expected->values[i], found->sizes[i],
                    tolerance * fmax(norm_of(expected->values[i], expected->sizes[i]), 1e-3));
}

void assert_summary(const char *what, const snapshot *found, const snapshot *minus, const float *expected,
                    double tolerance, bool (*leave_out)(const char *name))
{
    static const char *const kinds[3] = {"norm", "product with cos(i)", "product with sin(2 i)"};
    for (size_t p = 0; p < found->count; p++) {
        double sums[3] = {0};
        for (size_t i = 0; i < found->sizes[p]; i++) {
            const double v = (double)found->values[p][i] - (minus ? (double)minus->values[p][i] : 0);
            sums[0] += v * v;
            sums[1] += v * cos((double)i);
            sums[2] += v * sin(2 * (double)i);
        }
        sums[0] = sqrt(sums[0]);
        if (leave_out && leave_out(found->names[p])) continue;
        for (size_t k = 0; k < 3; k++) {
            const double wanted = (double)expected[3 * p + k], scale = fmax((double)expected[3 * p], 1e-3);
            if (!(fabs(sums[k] - wanted) <= tolerance * scale))
                fail_msg("%s: %s, %s: expected %.9g within %.2g, found %.9g", what, found->names[p], kinds[k], wanted,
                         tolerance * scale, sums[k]);
        }
    }
}

void assert_gradients(const snapshot *found, const ebm_safetensors *expected, double tolerance)
{
    for (size_t p = 0; p < found->count; p++) {
        float *wanted = expected_floats(expected, "gradient.%s", found->names[p]);
        assert_near(found->names[p], found->values[p], wanted, found->sizes[p],
                    tolerance * fmax(norm_of(wanted, found->sizes[p]), 1e-3));
        free(wanted);
    }
}

void zero_gradients(ebm_parameters *p)
{
    for (size_t i = 0; i < ebm_parameters_tensor_count(p); i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(p, i);
        assert_ok(ebm_slice_zero(device, tensor->gradient, 0, tensor->count));
    }
}

void add_to_weights(const ebm_parameter *parameter, const float *start, const float *direction, double step)
{
    const size_t count = (parameter->rows ? parameter->rows : 1) * parameter->columns;
    float *moved = calloc(count, sizeof *moved);
    for (size_t i = 0; i < count; i++) moved[i] = (float)((double)start[i] + step * (double)direction[i]);
    assert_ok(ebm_slice_write(device, parameter->tensor->weight, parameter->first, count, moved));
    free(moved);
}
