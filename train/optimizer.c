#include "optimizer.h"

#include <math.h>
#include <stdlib.h>

#include "launch.h"

struct ebm_optimizer {
    ebm_device *device;
    ebm_parameters *parameters;
    ebm_adamw settings;
    ebm_slice partials; // sums of squares of chunks, tensor after tensor
    ebm_slice norm;     // {norm of all gradients, clip factor; both NaN or infinite norm: no update}
    size_t tensors, chunks;
};

static size_t chunks_of(const ebm_tensor *tensor)
{
    return (tensor->count + EBM_OPTIMIZER_CHUNK - 1) / EBM_OPTIMIZER_CHUNK;
}

static ebm_status check_settings(const ebm_adamw *s)
{
    if (!(s->beta1 >= 0 && s->beta1 < 1 && s->beta2 >= 0 && s->beta2 < 1))
        return ebm_fail(EBM_ERROR_INPUT, "AdamW: betas must lie in [0, 1), found %g and %g", s->beta1, s->beta2);
    if (!(s->epsilon >= 0) || !(s->weight_decay >= 0) || !(s->max_norm >= 0))
        return ebm_fail(EBM_ERROR_INPUT,
                        "AdamW: epsilon, weight decay and gradient norm must not be negative, found %g, %g and %g",
                        s->epsilon, s->weight_decay, s->max_norm);
    return ebm_ok();
}

ebm_status ebm_optimizer_create(ebm_device *device, ebm_parameters *parameters, const ebm_adamw *settings,
                                ebm_arena *arena, ebm_optimizer **optimizer)
{
    EBM_TRY(check_settings(settings));
    ebm_optimizer *o = calloc(1, sizeof *o);
    if (!o) return ebm_fail(EBM_ERROR_MEMORY, "optimiser: out of host memory");
    o->device = device;
    o->parameters = parameters;
    o->settings = *settings;
    o->tensors = ebm_parameters_tensor_count(parameters);
    for (size_t i = 0; i < o->tensors; i++) o->chunks += chunks_of(ebm_parameters_tensor_view(parameters, i));
    ebm_arena_reserve(arena, &o->partials, o->chunks);
    ebm_arena_reserve(arena, &o->norm, 2);
    *optimizer = o;
    return ebm_ok();
}

void ebm_optimizer_free(ebm_optimizer *optimizer) { free(optimizer); }

static ebm_status sum_squares(ebm_optimizer *o, const ebm_tensor *tensor, size_t first_chunk)
{
    ebm_launch l = ebm_launch_begin(o->device, "adamw.cl", "sum_squares", "-DCHUNK=%d", (int)EBM_OPTIMIZER_CHUNK);
    ebm_arg_slice(&l, o->partials);
    ebm_arg_slice(&l, tensor->gradient);
    ebm_arg_i32(&l, (int64_t)first_chunk);
    ebm_arg_i32(&l, (int64_t)tensor->count);
    ebm_launch_cost(&l, 2.0 * (double)tensor->count, 4.0 * (double)tensor->count);
    return ebm_launch_rows(&l, chunks_of(tensor));
}

ebm_status ebm_optimizer_measure(ebm_optimizer *o)
{
    size_t chunk = 0;
    for (size_t i = 0; i < o->tensors; i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(o->parameters, i);
        EBM_TRY(sum_squares(o, tensor, chunk));
        chunk += chunks_of(tensor);
    }
    ebm_launch l = ebm_launch_begin(o->device, "adamw.cl", "norm_and_clip", "-DCHUNK=%d", (int)EBM_OPTIMIZER_CHUNK);
    ebm_arg_slice(&l, o->norm);
    ebm_arg_slice(&l, o->partials);
    ebm_arg_i32(&l, (int64_t)o->chunks);
    ebm_arg_f32(&l, (float)o->settings.max_norm);
    ebm_launch_cost(&l, (double)o->chunks, 4.0 * (double)o->chunks);
    return ebm_launch_rows(&l, 1);
}

static ebm_status update_tensor(ebm_optimizer *o, const ebm_tensor *t, double rate, uint64_t update,
                                bool zero_gradients)
{
    const ebm_adamw *s = &o->settings;
    const double correction1 = 1 - pow(s->beta1, (double)update), correction2 = 1 - pow(s->beta2, (double)update);
    ebm_launch l = ebm_launch_begin(o->device, "adamw.cl", "adamw", "-DCHUNK=%d", (int)EBM_OPTIMIZER_CHUNK);
    ebm_arg_slice(&l, t->weight);
    ebm_arg_slice(&l, t->moment1);
    ebm_arg_slice(&l, t->moment2);
    ebm_arg_slice(&l, t->gradient);
    ebm_arg_slice(&l, o->norm);
    ebm_arg_i32(&l, (int64_t)t->count);
    ebm_arg_f32(&l, (float)(t->decay ? rate * s->weight_decay : 0));
    ebm_arg_f32(&l, (float)(1 - s->beta1));
    ebm_arg_f32(&l, (float)s->beta2);
    ebm_arg_f32(&l, (float)(1 - s->beta2));
    ebm_arg_f32(&l, (float)(rate / correction1));
    ebm_arg_f32(&l, (float)(1 / sqrt(correction2)));
    ebm_arg_f32(&l, (float)s->epsilon);
    ebm_arg_i32(&l, zero_gradients);
    ebm_launch_cost(&l, 12.0 * (double)t->count, 32.0 * (double)t->count);
    return ebm_launch_rows(&l, chunks_of(t));
}

ebm_status ebm_optimizer_step(ebm_optimizer *o, double rate, uint64_t update, bool zero_gradients)
{
    if (update == 0) return ebm_fail(EBM_ERROR_INPUT, "AdamW: updates are counted from 1, found 0");
    EBM_TRY(ebm_optimizer_measure(o));
    ebm_parameters_changed(o->parameters);
    for (size_t i = 0; i < o->tensors; i++)
        EBM_TRY(update_tensor(o, ebm_parameters_tensor_view(o->parameters, i), rate, update, zero_gradients));
    return ebm_ok();
}

ebm_status ebm_optimizer_drop(ebm_optimizer *o)
{
    for (size_t i = 0; i < o->tensors; i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(o->parameters, i);
        EBM_TRY(ebm_slice_zero(o->device, tensor->gradient, 0, tensor->count));
    }
    return ebm_ok();
}

// The first parameter whose chunk is not finite; a chunk may hold several, so the gradient itself is looked at.
static ebm_status name_parameter(ebm_optimizer *o, const ebm_tensor *tensor, size_t chunk, double norm)
{
    float values[EBM_OPTIMIZER_CHUNK];
    const size_t first = chunk * EBM_OPTIMIZER_CHUNK, rest = tensor->count - first;
    const size_t count = rest < EBM_OPTIMIZER_CHUNK ? rest : EBM_OPTIMIZER_CHUNK;
    EBM_TRY(ebm_slice_read(o->device, tensor->gradient, first, count, values));
    size_t bad = 0;
    while (bad < count && isfinite(values[bad] * values[bad])) bad++;
    const size_t element = first + (bad < count ? bad : 0);
    for (size_t i = 0; i < ebm_parameters_count(o->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(o->parameters, i);
        const size_t size = (p->rows ? p->rows : 1) * p->columns;
        if (p->tensor == tensor && element >= p->first && element < p->first + size)
            return ebm_fail(EBM_ERROR_NONFINITE, "the gradient of %s is not finite (norm %g)", p->name, norm);
    }
    return ebm_fail(EBM_ERROR_NONFINITE, "a gradient is not finite (norm %g)", norm);
}

static ebm_status explain(ebm_optimizer *o, double norm)
{
    float *partials = malloc(sizeof *partials * (o->chunks ? o->chunks : 1));
    if (!partials) return ebm_fail(EBM_ERROR_MEMORY, "optimiser: out of host memory");
    ebm_status status = ebm_ok();
    EBM_CHECK(ebm_slice_read(o->device, o->partials, 0, o->chunks, partials), end);
    status = ebm_fail(EBM_ERROR_NONFINITE, "the norm of the gradients is not finite (%g)", norm);
    size_t chunk = 0;
    for (size_t i = 0; i < o->tensors; i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(o->parameters, i);
        for (size_t c = 0; c < chunks_of(tensor); c++) {
            if (isfinite(partials[chunk + c])) continue;
            status = name_parameter(o, tensor, c, norm);
            goto end;
        }
        chunk += chunks_of(tensor);
    }
end:
    free(partials);
    return status;
}

ebm_status ebm_optimizer_norm(ebm_optimizer *o, double *norm)
{
    float value;
    EBM_TRY(ebm_slice_read(o->device, o->norm, 0, 1, &value));
    *norm = (double)value;
    return isfinite(value) ? ebm_ok() : explain(o, *norm);
}

double ebm_learning_rate_at(const ebm_schedule *schedule, uint64_t step)
{
    const double s = (double)step, warmup = (double)schedule->warmup, total = (double)schedule->total;
    if (step < schedule->warmup) return schedule->peak * (s / warmup);
    const double decay = total - warmup > 1 ? total - warmup : 1;
    return step < schedule->total ? schedule->peak * ((total - s) / decay) : 0;
}
