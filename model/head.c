#include "head.h"

#include <stdlib.h>

#include "layers.h"

struct ebm_head {
    ebm_device *device;
    ebm_head_settings set;
    ebm_limits limits;
    ebm_linear dense, linear;
    ebm_norm norm;
    // (sequences, C): after the first dropout, the dense layer (for GELU's slope; else the next is in its place), the
    // activation, the norm (with one), the second dropout
    ebm_slice input, hidden, active, normed, dropped;
    ebm_slice mean, rstd;       // (sequences)
    ebm_slice output, gradient; // (sequences, outputs)
    ebm_slice d_hidden, d_input, column_scratch;
};

static bool has_gelu(const ebm_head *h) { return h->set.form.activation == EBM_ACTIVATION_GELU; }
static bool has_norm(const ebm_head *h) { return h->set.form.norm != NULL; }

static void plan(ebm_head *h, ebm_arena *arena)
{
    const size_t C = h->set.channels, Y = h->set.outputs, n = h->limits.sequences;
    ebm_arena_reserve(arena, &h->input, n * C);
    if (has_gelu(h)) ebm_arena_reserve(arena, &h->hidden, n * C);
    ebm_arena_reserve(arena, &h->active, n * C);
    if (has_norm(h)) {
        ebm_arena_reserve(arena, &h->normed, n * C);
        ebm_arena_reserve(arena, &h->mean, n);
        ebm_arena_reserve(arena, &h->rstd, n);
    }
    ebm_arena_reserve(arena, &h->dropped, n * C);
    ebm_arena_reserve(arena, &h->output, n * Y);
    if (!h->limits.training) return;
    const size_t widest = C > Y ? C : Y;
    ebm_arena_reserve(arena, &h->gradient, n * Y);
    ebm_arena_reserve(arena, &h->d_hidden, n * C);
    ebm_arena_reserve(arena, &h->d_input, n * C);
    ebm_arena_reserve(arena, &h->column_scratch, EBM_COLUMN_SLABS * (has_norm(h) ? 2 : 1) * widest);
}

ebm_status ebm_head_create(ebm_device *device, const ebm_head_settings *settings, ebm_parameters *p, ebm_arena *arena,
                           const ebm_limits *limits, ebm_head **out)
{
    ebm_head *h = calloc(1, sizeof *h);
    *out = h;
    if (!h) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a head");
    const ebm_head_form *form = &settings->form;
    const size_t C = settings->channels;
    h->device = device;
    h->set = *settings;
    h->limits = *limits;
    h->dense = ebm_linear_create(p, C, C, !settings->unbiased, &form->dense, 1);
    if (form->norm) h->norm = ebm_norm_create(p, C, settings->norm_epsilon, !settings->unshifted, form->norm);
    h->linear = ebm_linear_create(p, settings->outputs, C, true, &form->linear, 1);
    plan(h, arena);
    return ebm_ok();
}

void ebm_head_free(ebm_head *h) { free(h); }

ebm_slice ebm_head_output(const ebm_head *h) { return h->output; }
ebm_slice ebm_head_gradient(const ebm_head *h) { return h->gradient; }

const ebm_tensor *ebm_head_linear(const ebm_head *h, const ebm_tensor **bias)
{
    *bias = h->linear.bias;
    return h->linear.weight;
}

static ebm_status divide(ebm_device *device, ebm_slice values, double divisor)
{
    float *staging = malloc((values.count + 1) * sizeof *staging);
    if (!staging) return ebm_fail(EBM_ERROR_MEMORY, "no host memory to divide a layer's weights");
    ebm_status status = ebm_ok();
    EBM_CHECK(ebm_slice_read(device, values, 0, values.count, staging), end);
    for (size_t i = 0; i < values.count; i++) staging[i] = (float)((double)staging[i] / divisor);
    status = ebm_slice_write(device, values, 0, values.count, staging);
end:
    free(staging);
    return status;
}

ebm_status ebm_head_divide(ebm_head *h, double divisor)
{
    EBM_TRY(divide(h->device, h->linear.weight->weight, divisor));
    return divide(h->device, h->linear.bias->weight, divisor);
}

// (outputs, columns) values to map values, columns one after the other.
static ebm_status multiply(ebm_device *device, ebm_slice values, size_t outputs, const double *map,
                           const double *offset)
{
    const size_t columns = values.count / outputs;
    float *staging = malloc((values.count + 1) * sizeof *staging);
    double *column = malloc((outputs + 1) * sizeof *column);
    ebm_status status =
        staging && column ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory to map a layer's weights");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_slice_read(device, values, 0, values.count, staging), end);
    for (size_t c = 0; c < columns; c++) {
        for (size_t j = 0; j < outputs; j++) column[j] = (double)staging[j * columns + c];
        for (size_t i = 0; i < outputs; i++) {
            double sum = offset ? offset[i] : 0;
            for (size_t j = 0; j < outputs; j++) sum += map[i * outputs + j] * column[j];
            staging[i * columns + c] = (float)sum;
        }
    }
    status = ebm_slice_write(device, values, 0, values.count, staging);
end:
    free(staging);
    free(column);
    return status;
}

ebm_status ebm_head_map(ebm_head *h, const double *map, const double *offset)
{
    EBM_TRY(multiply(h->device, h->linear.weight->weight, h->set.outputs, map, NULL));
    return multiply(h->device, h->linear.bias->weight, h->set.outputs, map, offset);
}

static ebm_dropout dropout_at(const ebm_head *h, const ebm_batch *batch, const ebm_run *run, uint32_t place)
{
    const bool on = run->training && (place > 0 || h->set.form.dropout_first);
    const ebm_dropout dropout = {on ? h->set.dropout : 0.0f, run->seed, run->step, h->set.site + place,
                                 batch->first_sequence};
    return dropout;
}

static ebm_status activate(ebm_head *h, size_t n)
{
    const size_t C = h->set.channels;
    switch (h->set.form.activation) {
    case EBM_ACTIVATION_RELU:
        return ebm_relu_forward(h->device, h->active, h->active, n, C);
    case EBM_ACTIVATION_GELU:
        return ebm_gelu_forward(h->device, h->active, h->hidden, EBM_GELU_ERF, n, C);
    default:
        return ebm_tanh_forward(h->device, h->active, h->active, n, C);
    }
}

static ebm_status activate_backward(ebm_head *h, size_t n)
{
    const size_t C = h->set.channels;
    switch (h->set.form.activation) {
    case EBM_ACTIVATION_RELU:
        return ebm_relu_backward(h->device, h->d_hidden, h->d_hidden, h->active, n, C);
    case EBM_ACTIVATION_GELU:
        return ebm_gelu_backward(h->device, h->d_hidden, (ebm_slice){0}, h->d_hidden, h->hidden, EBM_GELU_ERF, n, C);
    default:
        return ebm_tanh_backward(h->device, h->d_hidden, h->d_hidden, h->active, n, C);
    }
}

ebm_status ebm_head_forward(ebm_head *h, ebm_slice pooled, const ebm_batch *batch, const ebm_run *run)
{
    const size_t n = batch->sequences, C = h->set.channels;
    const ebm_dropout before = dropout_at(h, batch, run, 0), after = dropout_at(h, batch, run, 1);
    EBM_TRY(ebm_dropout_apply(h->device, h->input, pooled, &before, n, C));
    EBM_TRY(ebm_linear_forward(h->device, &h->dense, has_gelu(h) ? h->hidden : h->active, h->input, n));
    EBM_TRY(activate(h, n));
    if (has_norm(h)) EBM_TRY(ebm_norm_forward(h->device, &h->norm, h->normed, h->mean, h->rstd, h->active, n));
    EBM_TRY(ebm_dropout_apply(h->device, h->dropped, has_norm(h) ? h->normed : h->active, &after, n, C));
    return ebm_linear_forward(h->device, &h->linear, h->output, h->dropped, n);
}

ebm_status ebm_head_backward(ebm_head *h, ebm_slice d_pooled, const ebm_batch *batch, const ebm_run *run)
{
    const size_t n = batch->sequences, C = h->set.channels;
    const ebm_dropout before = dropout_at(h, batch, run, 0), after = dropout_at(h, batch, run, 1);
    EBM_TRY(ebm_linear_backward(h->device, &h->linear, h->d_hidden, 0, h->gradient, h->dropped, h->column_scratch, n));
    EBM_TRY(ebm_dropout_apply(h->device, h->d_hidden, h->d_hidden, &after, n, C));
    if (has_norm(h))
        EBM_TRY(ebm_norm_backward(h->device, &h->norm, h->d_hidden, h->d_hidden, h->active, h->mean, h->rstd,
                                  h->column_scratch, n));
    EBM_TRY(activate_backward(h, n));
    EBM_TRY(ebm_linear_backward(h->device, &h->dense, h->d_input, 0, h->d_hidden, h->input, h->column_scratch, n));
    EBM_TRY(ebm_dropout_apply(h->device, h->d_input, h->d_input, &before, n, C));
    return ebm_add(h->device, d_pooled, h->d_input, n, C);
}
