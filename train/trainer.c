#include "trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "predict.h"
#include "random.h"
#include "rank_share.h"
#include "separation.h"
#include "timing.h"
#include "trainer_internal.h"

enum { MAX_HELD_NOISE = 512 };

static bool is_joint(const ebm_trainer *t) { return t->set.step.objective == EBM_OBJECTIVE_JOINT; }
static bool has_own_data(const ebm_trainer *t) { return is_joint(t) && t->set.step.nce_data == EBM_NCE_SEPARATE; }
static size_t most_noise(const ebm_trainer *t)
{
    return is_joint(t) ? t->set.batch_size * (size_t)t->set.step.noise_ratio : 0;
}

static void plan_steps(ebm_trainer *t)
{
    t->steps_per_epoch = ebm_order_batches(ebm_encoded_count(t->in.train), t->set.batch_size);
    t->total = t->set.max_steps ? t->set.max_steps : (uint64_t)ceil(t->set.epochs * (double)t->steps_per_epoch);
    t->schedule.peak = t->set.learning_rate;
    t->schedule.total = t->total;
    t->schedule.warmup =
        t->set.warmup_steps ? t->set.warmup_steps : (uint64_t)ceil(t->set.warmup_ratio * (double)t->total);
}

static float nce_weight_at(const ebm_trainer *t, uint64_t step)
{
    const double warmup = t->set.nce_warmup_ratio * (double)t->total;
    const double share = (double)step < warmup ? (double)step / warmup : 1;
    return (float)((double)t->set.step.nce_weight * share);
}

static ebm_status allocate_host(ebm_trainer *t)
{
    const size_t B = t->set.batch_size, labels = ebm_classifier_config(t->in.classifier)->label_count;
    const size_t rows = t->in.validation ? ebm_encoded_count(t->in.validation) : 0;
    t->rows = calloc(B, sizeof *t->rows);
    t->labels = calloc(B, sizeof *t->labels);
    t->labelled = calloc(B, sizeof *t->labelled);
    t->data = calloc(B, sizeof *t->data);
    t->noise = calloc(most_noise(t) + 1, sizeof *t->noise);
    t->logits = calloc(rows * labels + 1, sizeof *t->logits);
    t->data_energy = calloc(rows + 1, sizeof *t->data_energy);
    t->noise_energy = calloc(MAX_HELD_NOISE, sizeof *t->noise_energy);
    t->held_noise = calloc(MAX_HELD_NOISE, sizeof *t->held_noise);
    if (!t->rows || !t->labels || !t->labelled || !t->data || !t->noise || !t->logits || !t->data_energy ||
        !t->noise_energy || !t->held_noise)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a trainer");
    return ebm_ok();
}

static ebm_status check_labels(const ebm_encoded *encoded, size_t label_count, const char *which)
{
    for (size_t i = 0; i < ebm_encoded_count(encoded); i++)
        if (ebm_encoded_labels(encoded)[i] < 0 || (size_t)ebm_encoded_labels(encoded)[i] >= label_count)
            return ebm_fail(EBM_ERROR_INPUT, "%s text %zu has no label among the model's %zu", which, i + 1,
                            label_count);
    return ebm_ok();
}

static ebm_status create_posterior(ebm_trainer *t)
{
    if (t->set.step.label_loss.posterior_weight == 0) return ebm_ok();
    EBM_TRY(ebm_posterior_create(ebm_classifier_config(t->in.classifier)->label_count, EBM_POSTERIOR_BINS,
                                 EBM_POSTERIOR_UPDATES, t->steps_per_epoch, &t->posterior));
    return ebm_step_set_posterior(t->step, t->posterior);
}

static ebm_status create_margins(ebm_trainer *t)
{
    const size_t B = t->set.batch_size;
    const ebm_mixup *mixup = &t->set.step.mixup;
    if (!ebm_mixup_is_on(mixup) || mixup->kind != EBM_MIXUP_AUM) return ebm_ok();
    if (t->total <= t->steps_per_epoch)
        return ebm_fail(EBM_ERROR_INPUT,
                        "mixup by area under the margin needs more than one epoch: the first, of %" PRIu64
                        " steps, only measures margins, and the run has %" PRIu64,
                        t->steps_per_epoch, t->total);
    t->labelled_rows = calloc(B, sizeof *t->labelled_rows);
    t->hard = calloc(B, sizeof *t->hard);
    t->step_margins = calloc(B, sizeof *t->step_margins);
    if (!t->labelled_rows || !t->hard || !t->step_margins)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a trainer");
    return ebm_margins_create(ebm_encoded_count(t->in.train), &t->margins);
}

ebm_status ebm_trainer_create(const ebm_trainer_inputs *inputs, const ebm_trainer_settings *settings, ebm_trainer **out)
{
    *out = NULL;
    const size_t label_count = ebm_classifier_config(inputs->classifier)->label_count;
    EBM_TRY(ebm_half_settings_check(&settings->half));
    if (!(settings->nce_warmup_ratio >= 0 && settings->nce_warmup_ratio <= 1))
        return ebm_fail(EBM_ERROR_INPUT, "the NCE loss grows over a share of the steps from 0 to 1, not %g",
                        settings->nce_warmup_ratio);
    EBM_TRY(check_labels(inputs->train, label_count, "training"));
    if (inputs->validation) EBM_TRY(check_labels(inputs->validation, label_count, "validation"));
    ebm_trainer *t = calloc(1, sizeof *t);
    if (!t) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a trainer");
    ebm_status status = ebm_ok();
    t->in = *inputs;
    t->set = *settings;
    t->evaluated_at = UINT64_MAX;
    t->half = ebm_half_scale_start(&settings->half);
    t->arena = ebm_arena_create(inputs->device, "batches and optimiser");
    if (!t->arena) status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a trainer");
    EBM_CHECK(status, fail);
    plan_steps(t);
    EBM_CHECK(allocate_host(t), fail);
    EBM_CHECK(ebm_step_create(inputs->device, inputs->classifier, &settings->step, t->arena, &t->step), fail);
    EBM_CHECK(create_posterior(t), fail);
    EBM_CHECK(create_margins(t), fail);
    EBM_CHECK(ebm_optimizer_create(inputs->device, ebm_classifier_parameters(inputs->classifier), &settings->adamw,
                                   t->arena, &t->optimizer),
              fail);
    EBM_CHECK(ebm_trainer_join_ranks(t), fail);
    EBM_CHECK(ebm_order_create(settings->seed, EBM_SITE_SHUFFLE, ebm_encoded_count(inputs->train), &t->order), fail);
    EBM_CHECK(ebm_order_create(settings->seed, EBM_SITE_SHUFFLE_NCE, ebm_encoded_count(inputs->train), &t->nce_order),
              fail);
    if (settings->step.mlm_weight > 0)
        EBM_CHECK(ebm_masking_create(inputs->tokenizer, settings->mlm_probability, settings->seed, settings->mlm_rows,
                                     &t->masking),
                  fail);
    *out = t;
    return status;
fail:
    ebm_trainer_free(t);
    return status;
}

void ebm_trainer_free(ebm_trainer *t)
{
    if (!t) return;
    ebm_order_free(t->order);
    ebm_order_free(t->nce_order);
    ebm_posterior_free(t->posterior);
    ebm_masking_free(t->masking);
    ebm_margins_free(t->margins);
    free(t->labelled_rows);
    free(t->hard);
    free(t->step_margins);
    ebm_optimizer_free(t->optimizer);
    ebm_gradient_exchange_free(t->exchange);
    free(t->noise_positions);
    ebm_step_free(t->step);
    ebm_arena_free(t->arena);
    free(t->rows);
    free(t->labels);
    free(t->labelled);
    free(t->data);
    free(t->noise);
    free(t->logits);
    free(t->data_energy);
    free(t->noise_energy);
    free(t->held_noise);
    free(t->held_ids);
    free(t->events);
    free(t);
}

ebm_arena *ebm_trainer_arena(ebm_trainer *t) { return t->arena; }
void ebm_trainer_set_noise(ebm_trainer *t, ebm_noise_stream *noise) { t->in.noise = noise; }
uint64_t ebm_trainer_total_steps(const ebm_trainer *t) { return t->total; }
ebm_status ebm_trainer_resume(ebm_trainer *t, const char *checkpoint) { return ebm_checkpoint_read(t, checkpoint); }
const char *ebm_trainer_resume_note(const ebm_trainer *t) { return t->resume_note; }

bool ebm_trainer_best(const ebm_trainer *t, ebm_trainer_evaluation *evaluation)
{
    if (t->has_best) *evaluation = t->best;
    return t->has_best;
}

// The first texts of the stream never train: evaluation measures on them how well data and noise are told apart.
static ebm_status hold_out_noise(ebm_trainer *t)
{
    if (!is_joint(t) || !t->in.validation || t->held_count > 0) return ebm_ok();
    const size_t rows = ebm_encoded_count(t->in.validation);
    size_t tokens = 0, count = rows < MAX_HELD_NOISE ? rows : MAX_HELD_NOISE;
    EBM_TRY(ebm_noise_stream_hold_out(t->in.noise, &count, t->held_noise));
    for (size_t i = 0; i < count; i++) tokens += t->held_noise[i].count;
    t->held_ids = calloc(2 * tokens + 1, sizeof *t->held_ids); // the stream takes its own memory back
    if (!t->held_ids) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for held-out noise");
    int32_t *at = t->held_ids;
    for (size_t i = 0; i < count; i++) {
        ebm_sequence *s = &t->held_noise[i];
        memcpy(at, s->ids, s->count * sizeof *at);
        if (s->types) memcpy(at + s->count, s->types, s->count * sizeof *at);
        s->ids = at;
        s->types = s->types ? at + s->count : NULL;
        at += 2 * s->count;
    }
    t->held_count = count;
    return ebm_ok();
}

// Before the order moves on: an epoch that starts has the margins of those before it.
static ebm_status split_by_margin(ebm_trainer *t)
{
    const bool starts = ebm_order_position(t->order) == 0 && ebm_order_epoch(t->order) > 0;
    return t->margins && starts ? ebm_margins_split(t->margins) : ebm_ok();
}

static void gather_margins(ebm_trainer *t, ebm_step_texts *texts)
{
    if (!t->margins) return;
    memcpy(t->labelled_rows, t->rows, texts->labelled_count * sizeof *t->rows);
    ebm_margins_hard(t->margins, t->rows, texts->labelled_count, t->hard);
    texts->hard = ebm_margins_is_split(t->margins) ? t->hard : NULL;
    texts->margins = t->step_margins;
}

// All of them, or of noise that each rank makes itself its share.
static ebm_status gather_noise(ebm_trainer *t, size_t all, ebm_step_texts *texts)
{
    const size_t rank = (size_t)ebm_rank_of(t->in.ranks), ranks = (size_t)ebm_rank_count(t->in.ranks);
    const bool own = ebm_noise_stream_is_made(t->in.noise);
    texts->noise_count = own ? ebm_share_bound(all, rank + 1, ranks) - ebm_share_bound(all, rank, ranks) : all;
    texts->noise = t->noise;
    return ebm_noise_stream_next(t->in.noise, texts->noise_count, t->noise);
}

static ebm_status gather(ebm_trainer *t, ebm_step_texts *texts)
{
    size_t all_noise = 0;
    const size_t left = ebm_order_left(t->order), B = t->set.batch_size, count = left < B ? left : B;
    const int32_t *labels = ebm_encoded_labels(t->in.train);
    EBM_TRY(split_by_margin(t));
    ebm_order_next(t->order, count, t->rows);
    for (size_t i = 0; i < count; i++) {
        t->labelled[i] = ebm_encoded_sequence(t->in.train, t->rows[i]);
        t->labels[i] = labels[t->rows[i]];
    }
    *texts = (ebm_step_texts){.labelled = t->labelled, .labels = t->labels, .labelled_count = count};
    if (t->masking) EBM_TRY(ebm_masking_draw(t->masking, t->labelled, count, (uint32_t)t->done, &texts->masked));
    gather_margins(t, texts);
    if (has_own_data(t)) {
        ebm_order_next(t->nce_order, count, t->rows);
        for (size_t i = 0; i < count; i++) t->data[i] = ebm_encoded_sequence(t->in.train, t->rows[i]);
        texts->data = t->data;
        texts->data_count = count;
    }
    if (is_joint(t)) {
        all_noise = count * (size_t)t->set.step.noise_ratio;
        EBM_TRY(gather_noise(t, all_noise, texts));
    }
    return ebm_step_texts_share(texts, t->in.ranks, is_joint(t) && ebm_noise_stream_is_made(t->in.noise), all_noise);
}

static double mean(double sum, double count) { return count > 0 ? sum / count : 0; }

static void add_sums(ebm_objective_sums *to, const ebm_objective_sums *from)
{
    to->data_apart += from->data_apart;
    to->noise_apart += from->noise_apart;
    to->noise_z += from->noise_z;
    to->data_energy += from->data_energy;
    to->noise_energy += from->noise_energy;
    to->data += from->data;
    to->noise += from->noise;
}

// norm: not finite where the step was skipped.
static void add_to_window(ebm_log_window *w, const ebm_step_result *result, double norm, double seconds, double noise)
{
    w->steps++;
    if (!isfinite(norm)) w->skipped++;
    w->loss += result->loss;
    w->cross_entropy += result->cross_entropy;
    w->nce += result->nce;
    w->mlm += result->mlm;
    w->hidden_norm += result->hidden_norm;
    if (isfinite(norm)) w->norm += norm;
    w->tokens += (double)result->tokens;
    w->seconds += seconds;
    w->noise_seconds += noise;
    add_sums(&w->sums, &result->sums);
}

static ebm_progress progress_of(const ebm_trainer *t)
{
    const ebm_log_window *w = &t->window;
    const double steps = (double)w->steps, per_step = (ebm_now() - t->started_at) / (double)(t->done - t->started_step);
    const ebm_progress p = {
        .step = t->done,
        .total_steps = t->total,
        .epoch = (double)t->done / (double)t->steps_per_epoch,
        .loss = mean(w->loss, steps),
        .cross_entropy = mean(w->cross_entropy, steps),
        .nce = mean(w->nce, steps),
        .mlm = mean(w->mlm, steps),
        .hidden_norm = mean(w->hidden_norm, steps),
        .gradient_norm = steps > (double)w->skipped ? w->norm / (steps - (double)w->skipped) : (double)NAN,
        .learning_rate = ebm_learning_rate_at(&t->schedule, t->done - 1),
        .tokens_per_second = mean(w->tokens, w->seconds),
        .noise_share = mean(w->noise_seconds, w->seconds),
        .seconds_left = per_step * (double)(t->total - t->done),
        .data_apart = mean(w->sums.data_apart, w->sums.data),
        .noise_apart = mean(w->sums.noise_apart, w->sums.noise),
        .noise_z = mean(w->sums.noise_z, w->sums.noise),
        .data_energy = mean(w->sums.data_energy, w->sums.data),
        .noise_energy = mean(w->sums.noise_energy, w->sums.noise),
        .nce_weight = (double)nce_weight_at(t, t->done - 1),
        .joint = is_joint(t),
        .half_scale = t->set.half.on ? t->half.scale : 0,
        .skipped = t->half.skipped,
        .half_changed = t->set.half.on && t->half.good == 0,
    };
    return p;
}

// Without activations in half a norm that is not finite is an error, with them a step to be skipped.
static ebm_status update(ebm_trainer *t, double *norm)
{
    const uint64_t number = t->done + 1 - t->half.skipped;
    EBM_TRY(ebm_optimizer_step(t->optimizer, ebm_learning_rate_at(&t->schedule, t->done), number, true));
    const ebm_status status = ebm_optimizer_norm(t->optimizer, norm);
    if (!t->set.half.on || (status.code != EBM_OK && status.code != EBM_ERROR_NONFINITE)) return status;
    if (status.code == EBM_OK) {
        ebm_half_scale_good(&t->half, &t->set.half);
        return status;
    }
    EBM_TRY(ebm_half_scale_back_off(&t->half, status));
    return ebm_optimizer_drop(t->optimizer);
}

static ebm_status one_step(ebm_trainer *t)
{
    const double start = ebm_now();
    ebm_step_texts texts;
    ebm_step_result result;
    double norm = 0;
    EBM_TRY(gather(t, &texts));
    const double noise = is_joint(t) ? ebm_now() - start : 0;
    const ebm_run run = {.training = true, .seed = t->set.seed, .step = (uint32_t)t->done};
    ebm_classifier_set_half_scale(t->in.classifier, (float)t->half.scale);
    ebm_step_set_nce_weight(t->step, nce_weight_at(t, t->done));
    EBM_TRY(ebm_step_gradients(t->step, &texts, &run, &result));
    if (t->margins) ebm_margins_add(t->margins, t->labelled_rows, t->step_margins, texts.labelled_count);
    EBM_TRY(update(t, &norm));
    t->done++;
    add_to_window(&t->window, &result, norm, ebm_now() - start, noise);
    return ebm_ok();
}

static ebm_status measure_noise(ebm_trainer *t, ebm_trainer_evaluation *e)
{
    ebm_separation contrast;
    EBM_TRY(ebm_trainer_predict_noise(t));
    EBM_TRY(ebm_separation_measure(t->data_energy, ebm_encoded_count(t->in.validation), t->noise_energy, t->held_count,
                                   t->set.step.noise_ratio, &contrast));
    e->has_noise = true;
    e->told_apart = contrast.told_apart;
    e->auroc = contrast.auroc;
    e->mean_exp = contrast.mean_exp;
    e->effective = contrast.effective;
    e->effective_share = contrast.effective_share;
    return ebm_ok();
}

static bool is_better(const ebm_trainer *t, const ebm_trainer_evaluation *e)
{
    if (t->set.keep_last) return t->done == t->total;
    const double value = e->value[t->set.metric], best = t->best.value[t->set.metric];
    if (!t->has_best || isnan(best)) return true;
    return ebm_metric_more_is_better(t->set.metric) ? value > best : value < best;
}

static ebm_status keep_best(ebm_trainer *t)
{
    if (!ebm_rank_is_first(t->in.ranks)) return ebm_ok();
    char *path = ebm_path_join(t->set.output_dir, "best");
    ebm_directory_writer *writer = NULL;
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_directory_writer_open(path, &writer), end);
    EBM_CHECK(
        ebm_model_directory_write(ebm_directory_writer_path(writer), t->in.classifier, t->in.tokenizer, &t->in.info),
        end);
    EBM_CHECK(ebm_directory_writer_finish(writer, true), end);
end:
    ebm_directory_writer_free(writer);
    free(path);
    return status;
}

static ebm_predictions predictions_of(const ebm_trainer *t)
{
    const ebm_predictions predictions = {
        .count = ebm_encoded_count(t->in.validation),
        .labels = (int)ebm_classifier_config(t->in.classifier)->label_count,
        .logits = t->logits,
        .label = ebm_encoded_labels(t->in.validation),
        .energy = is_joint(t) ? t->data_energy : NULL,
    };
    return predictions;
}

// What an evaluation leaves on disk; the first rank's task.
static ebm_status write_evaluation(ebm_trainer *t, const ebm_trainer_evaluation *e)
{
    if (!ebm_rank_is_first(t->in.ranks)) return ebm_ok();
    const ebm_predictions predictions = predictions_of(t);
    if (t->set.save_predictions) EBM_TRY(ebm_trainer_save_predictions(t, &predictions));
    if (e->is_best) EBM_TRY(keep_best(t));
    return ebm_trainer_log_evaluation(t, e);
}

static ebm_status evaluate(ebm_trainer *t)
{
    if (!t->in.validation || t->evaluated_at == t->done) return ebm_ok();
    ebm_trainer_evaluation e = {.step = t->done, .epoch = (double)t->done / (double)t->steps_per_epoch};
    EBM_TRY(ebm_trainer_check_weights(t));
    EBM_TRY(ebm_trainer_predict_shared(t, is_joint(t)));
    ebm_predictions predictions = predictions_of(t);
    predictions.energy = NULL; // no metric here is one of the energy
    EBM_TRY(
        ebm_in(ebm_metrics(&predictions, 1.0, EBM_BINS_DEFAULT, e.value), "validation after step %" PRIu64, t->done));
    if (t->held_count > 0) EBM_TRY(measure_noise(t, &e));
    e.is_best = is_better(t, &e);
    EBM_TRY(ebm_ranks_agree(t->in.ranks, write_evaluation(t, &e)));
    if (e.is_best) {
        t->best = e;
        t->has_best = true;
    }
    t->evaluated_at = t->done;
    if (t->set.listener.evaluated && ebm_rank_is_first(t->in.ranks))
        t->set.listener.evaluated(t->set.listener.context, &e);
    return ebm_ok();
}

static bool is_due(uint64_t every, const ebm_trainer *t) { return every > 0 && t->done % every == 0; }

static ebm_status save(ebm_trainer *t)
{
    char name[64];
    EBM_TRY(ebm_trainer_check_weights(t));
    EBM_TRY(ebm_ranks_agree(t->in.ranks, ebm_checkpoint_write(t)));
    snprintf(name, sizeof name, "checkpoint-%" PRIu64, t->done);
    if (t->set.listener.saved && ebm_rank_is_first(t->in.ranks)) t->set.listener.saved(t->set.listener.context, name);
    return ebm_ok();
}

static ebm_status after_step(ebm_trainer *t)
{
    ebm_status status = ebm_ok();
    const ebm_progress progress = progress_of(t);
    const bool first = ebm_rank_is_first(t->in.ranks);
    if (t->set.listener.progress && first) t->set.listener.progress(t->set.listener.context, &progress);
    if (is_due(t->set.logging_steps, t) || t->done == t->total) {
        if (first) EBM_TRY(ebm_trainer_log_step(t, &progress));
        memset(&t->window, 0, sizeof t->window);
    }
    if (is_due(t->set.eval_steps ? t->set.eval_steps : t->steps_per_epoch, t)) EBM_TRY(evaluate(t));
    const bool stopped = ebm_trainer_stop_wanted(t, &status) && t->done < t->total;
    EBM_TRY(status);
    if (stopped || is_due(t->set.save_steps, t)) EBM_TRY(save(t));
    if (stopped)
        return ebm_fail(EBM_ERROR_INTERRUPTED,
                        "stopped after step %" PRIu64 " of %" PRIu64 "; continue with"
                        " --resume_from_checkpoint %s/checkpoint-%" PRIu64,
                        t->done, t->total, t->set.output_dir, t->done);
    return ebm_ok();
}

ebm_status ebm_trainer_predictions(ebm_trainer *t, ebm_predictions *predictions)
{
    *predictions = (ebm_predictions){0};
    if (!t->in.validation || !t->has_best) return ebm_ok();
    EBM_TRY(ebm_trainer_load_written(t));
    *predictions = predictions_of(t);
    return ebm_predict(t->in.device, t->in.classifier, ebm_step_packing(t->step), t->in.validation, t->logits,
                       is_joint(t) ? t->data_energy : NULL);
}

// The chosen model becomes the content of the output directory itself.
static ebm_status publish(ebm_trainer *t)
{
    if (!ebm_rank_is_first(t->in.ranks)) return ebm_ok();
    if (!t->has_best)
        return ebm_model_directory_write(t->set.output_dir, t->in.classifier, t->in.tokenizer, &t->in.info);
    char *best = ebm_path_join(t->set.output_dir, "best");
    ebm_status status = best ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    if (status.code == EBM_OK) status = ebm_directory_move_files(best, t->set.output_dir);
    free(best);
    return status;
}

// Where it stood when it was saved, or behind what is held out.
static ebm_status place_noise(ebm_trainer *t)
{
    if (!is_joint(t)) return ebm_ok();
    EBM_TRY(hold_out_noise(t));
    EBM_TRY(
        ebm_noise_stream_spread(t->in.noise, (size_t)ebm_rank_of(t->in.ranks), (size_t)ebm_rank_count(t->in.ranks)));
    if (!t->noise_positions) return ebm_ok();
    return ebm_noise_stream_resume(t->in.noise, t->noise_positions, t->noise_position_count);
}

ebm_status ebm_trainer_run(ebm_trainer *t)
{
    if (is_joint(t) && !t->in.noise) return ebm_fail(EBM_ERROR_INPUT, "joint training needs noise texts");
    if (t->done > 0 && ebm_rank_is_first(t->in.ranks)) EBM_TRY(ebm_trainer_log_cut(t));
    EBM_TRY(place_noise(t));
    t->started_at = ebm_now();
    t->started_step = t->done;
    while (t->done < t->total) {
        EBM_TRY(ebm_in(one_step(t), "step %" PRIu64, t->done + 1));
        EBM_TRY(after_step(t));
    }
    EBM_TRY(evaluate(t));
    return ebm_ranks_agree(t->in.ranks, publish(t));
}
