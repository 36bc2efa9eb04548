#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "noise_trainer_internal.h"
#include "packing.h"
#include "random.h"
#include "timing.h"

enum { PHASE_DRAWS = 1 << 26 }; // draws of masks: training from 0 on, held-out texts from here on

ebm_status ebm_noise_trainer_create(ebm_noise_model *model, const ebm_noise_trainer_settings *settings,
                                    ebm_noise_trainer **out)
{
    *out = NULL;
    ebm_noise_trainer *t = calloc(1, sizeof *t);
    if (!t) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for training the noise model");
    ebm_device *device = ebm_noise_model_device(model);
    ebm_parameters *parameters = ebm_noise_model_parameters(model);
    ebm_status status = ebm_ok();
    t->model = model;
    t->set = *settings;
    t->arena = ebm_arena_create(device, "noise training");
    t->targets = calloc(settings->limits.tokens, sizeof *t->targets);
    t->tensor_count = ebm_parameters_tensor_count(parameters);
    t->best_weights = calloc(t->tensor_count, sizeof *t->best_weights);
    if (!t->arena || !t->targets || !t->best_weights)
        status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for training the noise model");
    EBM_CHECK(status, fail);
    EBM_CHECK(ebm_noise_model_set_training(model, settings->objective, settings->mask_probability, settings->kind),
              fail);
    EBM_CHECK(ebm_packing_create(device, ebm_noise_model_config(model), &settings->limits, t->arena, &t->packing),
              fail);
    EBM_CHECK(ebm_optimizer_create(device, parameters, &settings->adamw, t->arena, &t->optimizer), fail);
    *out = t;
    return status;
fail:
    ebm_noise_trainer_free(t);
    return status;
}

void ebm_noise_trainer_free(ebm_noise_trainer *t)
{
    if (!t) return;
    ebm_noise_weights_free(t, t->best_weights);
    json_decref(t->resumed);
    ebm_optimizer_free(t->optimizer);
    ebm_packing_free(t->packing);
    ebm_arena_free(t->arena);
    free(t->sequences);
    free(t->targets);
    free(t->lengths);
    free(t->starts);
    free(t);
}

ebm_arena *ebm_noise_trainer_arena(ebm_noise_trainer *t) { return t->arena; }

ebm_status ebm_noise_trainer_resume(ebm_noise_trainer *t, const char *checkpoint)
{
    return ebm_noise_checkpoint_read(t, checkpoint);
}

const char *ebm_noise_trainer_resume_note(const ebm_noise_trainer *t) { return t->resume_note; }

static ebm_status reserve_rows(ebm_noise_trainer *t, size_t rows)
{
    if (rows <= t->rows_capacity) return ebm_ok();
    int32_t *sequences = realloc(t->sequences, rows * EBM_NOISE_MAX_TOKENS * sizeof *sequences);
    if (sequences) t->sequences = sequences;
    size_t *lengths = realloc(t->lengths, rows * sizeof *lengths);
    if (lengths) t->lengths = lengths;
    size_t *starts = realloc(t->starts, rows * sizeof *starts);
    if (starts) t->starts = starts;
    if (!sequences || !lengths || !starts) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu sequences", rows);
    t->rows_capacity = rows;
    return ebm_ok();
}

// Row r of the step: [label] [masked text] [start] [text] [end].
static void build_row(ebm_noise_trainer *t, const ebm_noise_texts *texts, size_t text, uint32_t draw, size_t r)
{
    const ebm_noise_roles roles = ebm_noise_model_roles(t->model);
    int32_t *row = t->sequences + r * EBM_NOISE_MAX_TOKENS;
    size_t count = 0;
    size_t n = ebm_noise_prefix(texts, text, t->set.objective, t->set.mask_probability, t->set.seed, draw, row);
    t->starts[r] = n;
    row[n++] = roles.start;
    const int32_t *ids = ebm_noise_texts_view(texts, text, &count);
    memcpy(row + n, ids, count * sizeof *row);
    n += count;
    row[n++] = roles.end;
    t->lengths[r] = n;
}

static size_t targets_of(const ebm_noise_trainer *t, size_t rows)
{
    size_t total = 0;
    for (size_t r = 0; r < rows; r++) total += t->lengths[r] - t->starts[r] - 1;
    return total;
}

// Packs rows from *next on as far as the token budget goes; each position of the full part predicts the next token.
static ebm_status pack(ebm_noise_trainer *t, size_t rows, uint64_t first_token, size_t *next, ebm_batch *batch)
{
    ebm_packing_clear(t->packing, first_token, *next);
    for (; *next < rows; ++*next) {
        const int32_t *row = t->sequences + *next * EBM_NOISE_MAX_TOKENS;
        const size_t at = ebm_packing_tokens(t->packing);
        bool fits = false;
        EBM_TRY(ebm_packing_add(t->packing, (ebm_sequence){row, NULL, t->lengths[*next]}, &fits));
        if (!fits) break;
        for (size_t i = 0; i < t->lengths[*next]; i++)
            t->targets[at + i] = i >= t->starts[*next] && i + 1 < t->lengths[*next] ? row[i + 1] : -1;
    }
    return ebm_packing_send(t->packing, batch);
}

// Loss of the rows built, summed over targets; with `training` also its gradients, scaled by 1 / targets.
static ebm_status run_rows(ebm_noise_trainer *t, size_t rows, bool training, double *sum, size_t *tokens)
{
    ebm_decoder *decoder = ebm_noise_model_decoder(t->model);
    const ebm_run run = {.training = training, .seed = t->set.seed, .step = (uint32_t)t->update};
    const size_t total = targets_of(t, rows);
    *tokens = 0;
    for (size_t next = 0; next < rows;) {
        ebm_batch batch;
        double part = 0;
        size_t targets = 0;
        EBM_TRY(pack(t, rows, *tokens, &next, &batch));
        EBM_TRY(ebm_decoder_forward(decoder, &batch, &run));
        EBM_TRY(ebm_decoder_loss(decoder, &batch, t->targets, total, training, &part, &targets));
        if (training) EBM_TRY(ebm_decoder_backward(decoder, &batch, &run));
        *sum += part;
        *tokens += batch.tokens;
    }
    return ebm_ok();
}

ebm_status ebm_noise_trainer_perplexity(ebm_noise_trainer *t, const ebm_noise_texts *texts, double *perplexity)
{
    enum { ROWS = 64 };
    double sum = 0;
    size_t targets = 0, tokens = 0;
    EBM_TRY(reserve_rows(t, ROWS));
    for (size_t first = 0; first < ebm_noise_texts_count(texts); first += ROWS) {
        const size_t left = ebm_noise_texts_count(texts) - first, rows = left < ROWS ? left : ROWS;
        for (size_t r = 0; r < rows; r++) build_row(t, texts, first + r, (uint32_t)(PHASE_DRAWS + first + r), r);
        EBM_TRY(run_rows(t, rows, false, &sum, &tokens));
        targets += targets_of(t, rows);
    }
    *perplexity = exp(sum / (double)targets);
    return ebm_ok();
}

ebm_status ebm_noise_weights_read(const ebm_noise_trainer *t, float **copies)
{
    ebm_parameters *parameters = ebm_noise_model_parameters(t->model);
    for (size_t i = 0; i < t->tensor_count; i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(parameters, i);
        if (!copies[i]) copies[i] = malloc(tensor->count * sizeof *copies[i]);
        if (!copies[i]) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a copy of the noise model's weights");
        EBM_TRY(ebm_slice_read(ebm_noise_model_device(t->model), tensor->weight, 0, tensor->count, copies[i]));
    }
    return ebm_ok();
}

ebm_status ebm_noise_weights_write(const ebm_noise_trainer *t, float *const *copies)
{
    ebm_parameters *parameters = ebm_noise_model_parameters(t->model);
    ebm_parameters_changed(parameters);
    for (size_t i = 0; i < t->tensor_count; i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(parameters, i);
        EBM_TRY(ebm_slice_write(ebm_noise_model_device(t->model), tensor->weight, 0, tensor->count, copies[i]));
    }
    return ebm_ok();
}

void ebm_noise_weights_free(const ebm_noise_trainer *t, float **copies)
{
    for (size_t i = 0; copies && i < t->tensor_count; i++) free(copies[i]);
    free(copies);
}

static ebm_status one_step(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    const double start = ebm_now();
    const size_t left = ebm_order_left(p->order), count = left < p->phase->batch_size ? left : p->phase->batch_size;
    const uint32_t epoch = ebm_order_epoch(p->order);
    double sum = 0, norm = 0;
    size_t tokens = 0;
    ebm_order_next(p->order, count, p->rows);
    for (size_t r = 0; r < count; r++)
        build_row(t, p->texts, p->rows[r], epoch * (uint32_t)ebm_noise_texts_count(p->texts) + p->rows[r], r);
    const size_t targets = targets_of(t, count);
    EBM_TRY(run_rows(t, count, true, &sum, &tokens));
    if (!isfinite(sum)) return ebm_fail(EBM_ERROR_NONFINITE, "the noise model's loss is not finite");
    EBM_TRY(ebm_optimizer_step(t->optimizer, ebm_learning_rate_at(&p->schedule, p->done), t->update + 1, true));
    EBM_TRY(ebm_optimizer_norm(t->optimizer, &norm));
    t->update++;
    p->done++;
    p->window_loss += sum / (double)targets;
    p->window_seconds += ebm_now() - start;
    p->window_tokens += (double)tokens;
    p->window_steps++;
    return ebm_ok();
}

static void report(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    enum { WINDOW = 50 };
    const ebm_noise_progress progress = {
        .step = p->done,
        .total_steps = p->total,
        .epoch = (double)p->done / (double)p->steps_per_epoch,
        .loss = p->window_loss / (double)p->window_steps,
        .learning_rate = ebm_learning_rate_at(&p->schedule, p->done - 1),
        .tokens_per_second = p->window_tokens / p->window_seconds,
        .seconds_left =
            (ebm_now() - p->started_at) / (double)(p->done - p->started_step) * (double)(p->total - p->done),
    };
    if (t->set.listener.progress) t->set.listener.progress(t->set.listener.context, &progress);
    if (p->window_steps < WINDOW) return;
    p->window_loss = p->window_seconds = p->window_tokens = 0;
    p->window_steps = 0;
}

static ebm_status evaluate(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    ebm_noise_evaluation e = {.step = p->done, .epoch = (double)p->done / (double)p->steps_per_epoch};
    EBM_TRY(ebm_noise_trainer_perplexity(t, p->held_out, &e.perplexity));
    EBM_TRY(reserve_rows(t, p->phase->batch_size));
    e.is_best = p->best.perplexity == 0 || e.perplexity < p->best.perplexity;
    p->worse = e.is_best ? 0 : p->worse + 1;
    if (e.is_best) {
        EBM_TRY(ebm_noise_weights_read(t, t->best_weights));
        p->best = e;
    }
    if (t->set.listener.evaluated) t->set.listener.evaluated(t->set.listener.context, &e);
    return ebm_ok();
}

static bool is_due(uint64_t every, const ebm_noise_phase_run *p) { return every > 0 && p->done % every == 0; }

// A checkpoint stands at the end of a step, its evaluation included.
static ebm_status save_or_stop(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    const bool stopped = t->set.stop && *t->set.stop, keeps = t->set.output_dir != NULL;
    if (p->done == p->total) return ebm_ok(); // nothing is left to do in this phase
    if (keeps && (stopped || is_due(t->set.save_steps, p))) EBM_TRY(ebm_noise_checkpoint_write(t, p));
    if (!stopped) return ebm_ok();
    if (!keeps) return ebm_fail(EBM_ERROR_INTERRUPTED, "stopped after step %" PRIu64 " of %" PRIu64, p->done, p->total);
    return ebm_fail(EBM_ERROR_INTERRUPTED,
                    "stopped after step %" PRIu64 " of %" PRIu64
                    "; continue with --resume_from_checkpoint %s/checkpoint-%" PRIu64,
                    p->done, p->total, t->set.output_dir, t->update);
}

static ebm_status run_steps(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    const uint64_t every = p->phase->eval_steps ? p->phase->eval_steps : p->steps_per_epoch;
    while (p->done < p->total) {
        EBM_TRY(ebm_in(one_step(t, p), "noise model, step %" PRIu64, p->done + 1));
        report(t, p);
        if (p->held_out && (is_due(every, p) || p->done == p->total)) EBM_TRY(evaluate(t, p));
        if (p->phase->patience > 0 && p->worse >= p->phase->patience) break;
        EBM_TRY(save_or_stop(t, p));
    }
    return ebm_ok();
}

static ebm_status start_phase(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    const size_t n = ebm_noise_texts_count(p->texts), B = p->phase->batch_size;
    p->steps_per_epoch = ebm_order_batches(n, B);
    p->total =
        p->phase->max_steps ? p->phase->max_steps : (uint64_t)ceil(p->phase->epochs * (double)p->steps_per_epoch);
    p->schedule =
        (ebm_schedule){p->phase->learning_rate, (uint64_t)ceil(p->phase->warmup_ratio * (double)p->total), p->total};
    p->rows = calloc(B, sizeof *p->rows);
    if (!p->rows) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a batch of %zu", B);
    EBM_TRY(reserve_rows(t, B));
    EBM_TRY(ebm_order_create(t->set.seed, EBM_SITE_SHUFFLE, n, &p->order));
    if (t->resumed) EBM_TRY(ebm_noise_checkpoint_enter(t, p));
    p->started_at = ebm_now();
    p->started_step = p->done;
    return ebm_ok();
}

ebm_status ebm_noise_trainer_run(ebm_noise_trainer *t, const ebm_noise_texts *texts, const ebm_noise_texts *held_out,
                                 const ebm_noise_phase *phase, ebm_noise_evaluation *best)
{
    ebm_noise_phase_run p = {.texts = texts, .held_out = held_out, .phase = phase, .index = t->phases++};
    if (t->resumed && p.index < t->resumed_phase) return ebm_ok(); // the checkpoint's weights have been through it
    ebm_status status = start_phase(t, &p);
    EBM_CHECK(status, end);
    EBM_CHECK(run_steps(t, &p), end);
    if (p.best.perplexity > 0 && !(p.best.step == p.done)) EBM_CHECK(ebm_noise_weights_write(t, t->best_weights), end);
    if (best) *best = p.best;
end:
    ebm_order_free(p.order);
    free(p.rows);
    return status;
}
