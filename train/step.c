#include "step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "masked_step.h"
#include "mixup_pass.h"

struct ebm_step {
    ebm_device *device;
    ebm_classifier *classifier;
    ebm_step_settings set;
    size_t label_count;
    ebm_packing *packing;
    int32_t *labels; // host copy of the rows of one batch; 0 where a row has none
    ebm_slice device_labels, ce_loss, nce_loss, statistics;
    ebm_slice label_loss;  // 0 elements with plain cross-entropy
    ebm_mixup_pass *mixup; // NULL without
    // PosCal.
    ebm_posterior *posterior; // NULL without
    bool is_new;              // its table is not on the device yet
    ebm_slice table;          // (labels, EBM_POSTERIOR_BINS)
    float *logits;            // host copy of a batch's labelled rows
    ebm_slice hidden_norms;
    float *host_norms; // hidden_norms of one batch
    const ebm_ranks *ranks;
    ebm_gradient_exchange *exchange; // NULL with one rank
};

static bool uses_posterior(const ebm_step *s) { return s->set.label_loss.posterior_weight > 0; }

ebm_status ebm_step_settings_check(const ebm_step_settings *s)
{
    EBM_TRY(ebm_label_loss_check(&s->label_loss));
    EBM_TRY(ebm_mixup_check(&s->mixup));
    if (!ebm_mixup_is_on(&s->mixup)) return ebm_ok();
    if (!ebm_label_loss_is_plain(&s->label_loss))
        return ebm_fail(EBM_ERROR_INPUT, "mixup is trained by cross-entropy alone: label smoothing, focal loss,"
                                         " confidence penalty and PosCal cannot be combined with it");
    if (s->mlm_weight > 0 || s->hidden_norm_weight > 0)
        return ebm_fail(EBM_ERROR_INPUT,
                        "mixup cannot be combined with masked language modelling or a penalty on hidden"
                        " states");
    if (s->objective == EBM_OBJECTIVE_JOINT && s->nce_data == EBM_NCE_SHARED)
        return ebm_fail(EBM_ERROR_INPUT, "mixup in joint training needs NCE's texts in a pass of their own"
                                         " (nce_data separate): mixed vectors are no texts of the data");
    return ebm_ok();
}

ebm_status ebm_step_create(ebm_device *device, ebm_classifier *classifier, const ebm_step_settings *settings,
                           ebm_arena *arena, ebm_step **out)
{
    *out = NULL;
    ebm_step *s = calloc(1, sizeof *s);
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a training step");
    const size_t n = settings->limits.sequences;
    s->device = device;
    s->classifier = classifier;
    s->set = *settings;
    s->label_count = ebm_classifier_config(classifier)->label_count;
    s->labels = calloc(n, sizeof *s->labels);
    s->logits = calloc(n * s->label_count, sizeof *s->logits);
    s->host_norms = calloc(n, sizeof *s->host_norms);
    ebm_status status = s->labels && s->logits && s->host_norms
                            ? ebm_ok()
                            : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a training step");
    EBM_CHECK(status, fail);
    EBM_CHECK(ebm_step_settings_check(settings), fail);
    EBM_CHECK(ebm_packing_create(device, ebm_classifier_config(classifier), &settings->limits, arena, &s->packing),
              fail);
    ebm_arena_reserve(arena, &s->device_labels, n);
    ebm_arena_reserve(arena, &s->ce_loss, n);
    ebm_arena_reserve(arena, &s->nce_loss, n);
    ebm_arena_reserve(arena, &s->hidden_norms, settings->hidden_norm_weight > 0 ? n : 0);
    ebm_arena_reserve(arena, &s->statistics, EBM_STATISTICS_COUNT);
    ebm_arena_reserve(arena, &s->label_loss, ebm_label_loss_is_plain(&settings->label_loss) ? 0 : n);
    ebm_arena_reserve(arena, &s->table, uses_posterior(s) ? s->label_count * EBM_POSTERIOR_BINS : 0);
    if (ebm_mixup_is_on(&settings->mixup))
        EBM_CHECK(ebm_mixup_pass_create(device, classifier, s->packing, &settings->mixup, &settings->limits, arena,
                                        &s->mixup),
                  fail);
    *out = s;
    return status;
fail:
    ebm_step_free(s);
    return status;
}

void ebm_step_free(ebm_step *s)
{
    if (!s) return;
    ebm_packing_free(s->packing);
    ebm_mixup_pass_free(s->mixup);
    free(s->labels);
    free(s->logits);
    free(s->host_norms);
    free(s);
}

ebm_status ebm_step_set_ranks(ebm_step *s, const ebm_ranks *ranks, ebm_gradient_exchange *exchange)
{
    if (s->mixup || uses_posterior(s))
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "%s is for one process: it needs all labelled texts of a step in one"
                        " place",
                        s->mixup ? "mixup" : "PosCal");
    s->ranks = ranks;
    s->exchange = exchange;
    return ebm_ok();
}

ebm_packing *ebm_step_packing(ebm_step *s) { return s->packing; }

// The step's texts in one list: labelled | data | noise. With SHARED the labelled rows are the data rows too.
static size_t total_rows(const ebm_step_texts *t) { return t->labelled_count + t->data_count + t->noise_count; }

static ebm_sequence row_at(const ebm_step_texts *t, size_t i)
{
    if (i < t->labelled_count) return t->labelled[i];
    i -= t->labelled_count;
    return i < t->data_count ? t->data[i] : t->noise[i - t->data_count];
}

// Texts of all ranks.
static size_t all_labelled(const ebm_step_texts *t)
{
    return t->place.labelled ? t->place.labelled : t->labelled_count;
}
static size_t all_data(const ebm_step_texts *t) { return t->place.labelled ? t->place.data : t->data_count; }
static size_t all_noise(const ebm_step_texts *t) { return t->place.labelled ? t->place.noise : t->noise_count; }

// The part of the step's rows [from, to) that lies in the batch [first, first + count), as rows of the batch.
static ebm_rows rows_in_batch(size_t from, size_t to, size_t first, size_t count)
{
    const size_t low = from > first ? from : first, high = to < first + count ? to : first + count;
    const ebm_rows rows = {low < high ? low - first : 0, low < high ? high - low : 0};
    return rows;
}

static ebm_nce_rows contrast_of(const ebm_step *s, const ebm_step_texts *t, size_t first, size_t count)
{
    const bool shared = s->set.nce_data == EBM_NCE_SHARED;
    const size_t data_from = shared ? 0 : t->labelled_count;
    const size_t data_to = data_from + (shared ? t->labelled_count : t->data_count);
    const size_t noise_from = t->labelled_count + t->data_count;
    const ebm_nce_rows contrast = {
        .data = rows_in_batch(data_from, data_to, first, count),
        .noise = rows_in_batch(noise_from, noise_from + t->noise_count, first, count),
        .total_data = shared ? all_labelled(t) : all_data(t),
        .total_noise = all_noise(t),
        .noise_ratio = s->set.noise_ratio,
        .weight = s->set.nce_weight,
    };
    return contrast;
}

void ebm_step_set_nce_weight(ebm_step *s, float weight) { s->set.nce_weight = weight; }

ebm_status ebm_step_set_posterior(ebm_step *s, ebm_posterior *posterior)
{
    if (!uses_posterior(s)) return ebm_fail(EBM_ERROR_INPUT, "a posterior was given to a step without PosCal");
    s->posterior = posterior;
    s->is_new = true;
    return ebm_ok();
}

// What training predicts now is what PosCal compares later predictions with.
static ebm_status add_to_posterior(ebm_step *s, ebm_rows rows)
{
    if (!s->posterior || rows.count == 0) return ebm_ok();
    EBM_TRY(ebm_slice_read(s->device, ebm_classifier_logits(s->classifier), rows.first * s->label_count,
                           rows.count * s->label_count, s->logits));
    ebm_posterior_add(s->posterior, s->logits, s->labels, rows.count);
    return ebm_ok();
}

static ebm_status label_losses(ebm_step *s, ebm_rows rows, size_t total)
{
    const ebm_slice logits = ebm_classifier_logits(s->classifier);
    const ebm_slice d_logits = ebm_classifier_logits_gradient(s->classifier);
    if (ebm_label_loss_is_plain(&s->set.label_loss))
        return ebm_cross_entropy(s->device, s->ce_loss, d_logits, logits, s->device_labels, s->label_count, rows, total,
                                 1.0f);
    const ebm_label_loss_rows labelled = {s->label_loss,
                                          s->ce_loss,
                                          d_logits,
                                          logits,
                                          s->device_labels,
                                          s->table,
                                          s->label_count,
                                          uses_posterior(s) ? EBM_POSTERIOR_BINS : 0,
                                          rows,
                                          total};
    EBM_TRY(ebm_label_loss_run(s->device, &s->set.label_loss, &labelled));
    return add_to_posterior(s, rows);
}

static ebm_status energy_losses(ebm_step *s, const ebm_nce_rows *contrast, size_t count)
{
    const ebm_slice energy = ebm_classifier_energy(s->classifier);
    const ebm_slice d_energy = ebm_classifier_energy_gradient(s->classifier);
    EBM_TRY(ebm_slice_zero(s->device, d_energy, 0, count));
    if (s->set.energy_margin > 0)
        return ebm_energy_margin(s->device, s->nce_loss, d_energy, energy, contrast, s->set.energy_margin);
    return ebm_nce(s->device, s->nce_loss, d_energy, energy, contrast);
}

// Losses of one batch and their gradients with respect to logits and energies.
static ebm_status losses(ebm_step *s, const ebm_step_texts *t, size_t first, size_t count)
{
    const bool joint = s->set.objective == EBM_OBJECTIVE_JOINT;
    const ebm_slice logits = ebm_classifier_logits(s->classifier), energy = ebm_classifier_energy(s->classifier);
    const ebm_slice d_logits = ebm_classifier_logits_gradient(s->classifier);
    const ebm_rows labelled = rows_in_batch(0, t->labelled_count, first, count);
    const ebm_nce_rows contrast = contrast_of(s, t, first, count);

    for (size_t i = 0; i < labelled.count; i++) s->labels[i] = t->labels[first + i];
    EBM_TRY(ebm_slice_write(s->device, s->device_labels, 0, labelled.count, s->labels));
    EBM_TRY(ebm_slice_zero(s->device, d_logits, 0, count * s->label_count));
    EBM_TRY(label_losses(s, labelled, all_labelled(t)));
    if (joint) EBM_TRY(energy_losses(s, &contrast, count));
    const ebm_objective_rows rows = {s->ce_loss,  logits, s->device_labels,         s->label_count, labelled,
                                     s->nce_loss, energy, joint ? &contrast : NULL, s->label_loss};
    return ebm_objective_add_statistics(s->device, s->statistics, &rows);
}

// Backward, with the penalty on the labelled texts' hidden states: v |h|^2 over their number in the step.
static ebm_status backward(ebm_step *s, const ebm_step_texts *t, const ebm_run *run, const ebm_batch *batch,
                           size_t first, double *hidden_norm)
{
    const ebm_rows labelled = rows_in_batch(0, t->labelled_count, first, batch->sequences);
    if (!(s->set.hidden_norm_weight > 0) || labelled.count == 0)
        return ebm_classifier_backward(s->classifier, batch, run);
    const ebm_hidden_penalty penalty = {s->hidden_norms, labelled.first, labelled.count,
                                        s->set.hidden_norm_weight / (float)all_labelled(t)};
    EBM_TRY(ebm_classifier_backward_penalised(s->classifier, batch, run, &penalty));
    EBM_TRY(ebm_slice_read(s->device, s->hidden_norms, labelled.first, labelled.count, s->host_norms));
    for (size_t i = 0; i < labelled.count; i++) *hidden_norm += (double)s->host_norms[i] / (double)all_labelled(t);
    return ebm_ok();
}

// From the step's last backward pass on gradients are complete.
static void watch_backward(ebm_step *s)
{
    if (s->exchange) ebm_classifier_watch(s->classifier, ebm_gradient_exchange_final, s->exchange);
}

// Packs rows from *next on until the budget is full, and runs them.
static ebm_status run_batch(ebm_step *s, const ebm_step_texts *t, const ebm_run *run, size_t *next, uint64_t *tokens,
                            double *hidden_norm)
{
    const size_t first = *next, rows = total_rows(t);
    ebm_packing_clear(s->packing, t->place.first_token + *tokens, t->place.first_sequence + first);
    for (bool fits = true; *next < rows; ++*next) {
        EBM_TRY(ebm_packing_add(s->packing, row_at(t, *next), &fits));
        if (!fits) break;
    }
    ebm_batch batch;
    EBM_TRY(ebm_packing_send(s->packing, &batch));
    EBM_TRY(ebm_classifier_forward(s->classifier, &batch, run));
    EBM_TRY(losses(s, t, first, batch.sequences));
    if (*next == rows && t->masked.count == 0) watch_backward(s);
    EBM_TRY(backward(s, t, run, &batch, first, hidden_norm));
    *tokens += batch.tokens;
    return ebm_ok();
}

// The masked texts in packed batches of their own, their tokens counted on from the step's.
static ebm_status run_masked(ebm_step *s, const ebm_step_texts *t, const ebm_run *run, uint64_t *tokens,
                             ebm_step_result *result)
{
    const bool alone = t->place.labelled == 0;
    const ebm_masked_pass pass = {.classifier = s->classifier,
                                  .packing = s->packing,
                                  .weight = s->set.mlm_weight,
                                  .first_sequence = alone ? total_rows(t) : t->place.masked_sequence,
                                  .first_token = alone ? *tokens : t->place.masked_token,
                                  .listener = s->exchange ? ebm_gradient_exchange_final : NULL,
                                  .listener_context = s->exchange};
    return ebm_masked_gradients(&pass, &t->masked, run, tokens, &result->batches, &result->mlm);
}

// The labelled texts, whose vectors are mixed over all their batches.
static ebm_status run_mixup(ebm_step *s, const ebm_step_texts *t, const ebm_run *run, ebm_mixup_result *mixed)
{
    const ebm_mixup_texts texts = {t->labelled, t->labels, t->labelled_count, total_rows(t), t->hard, t->margins};
    EBM_TRY(ebm_mixup_pass_run(s->mixup, &texts, run, mixed));
    const ebm_objective_rows rows = {.ce_loss = mixed->cross_entropy,
                                     .logits = mixed->logits,
                                     .labels = mixed->labels,
                                     .label_count = s->label_count,
                                     .rows = {0, t->labelled_count},
                                     .nce_loss = s->nce_loss,
                                     .energy = s->nce_loss, // neither is read
                                     .label_loss = mixed->label_loss};
    return ebm_objective_add_statistics(s->device, s->statistics, &rows);
}

static void fill_means(const ebm_step *s, ebm_step_result *result)
{
    const ebm_objective_sums *sums = &result->sums;
    result->cross_entropy = sums->labelled > 0 ? sums->cross_entropy / sums->labelled : 0;
    result->label_loss = sums->labelled > 0 ? sums->label_loss / sums->labelled : 0;
    result->nce = sums->data > 0 ? sums->nce_data / sums->data : 0;
    if (sums->noise > 0) result->nce += sums->nce_noise / sums->noise;
    result->loss = result->label_loss + (double)s->set.nce_weight * result->nce +
                   (double)s->set.mlm_weight * result->mlm + (double)s->set.hidden_norm_weight * result->hidden_norm;
}

static ebm_status send_posterior(ebm_step *s)
{
    if (!uses_posterior(s)) return ebm_ok();
    if (!s->posterior) return ebm_fail(EBM_ERROR_INPUT, "PosCal needs a posterior (ebm_step_set_posterior)");
    if (!s->is_new) return ebm_ok();
    return ebm_slice_write(s->device, s->table, 0, s->label_count * EBM_POSTERIOR_BINS,
                           ebm_posterior_table(s->posterior));
}

// What each rank has of the step becomes what all have.
static ebm_status add_ranks(ebm_step *s, ebm_step_result *result)
{
    ebm_objective_sums *o = &result->sums;
    double tokens = (double)result->tokens, batches = (double)result->batches;
    double *const parts[] = {
        &o->cross_entropy, &o->correct,     &o->nce_data,     &o->nce_noise,        &o->data_apart, &o->noise_apart,
        &o->noise_z,       &o->data_energy, &o->noise_energy, &o->labelled,         &o->data,       &o->noise,
        &o->nonfinite,     &o->label_loss,  &result->mlm,     &result->hidden_norm, &tokens,        &batches};
    enum { PARTS = sizeof parts / sizeof *parts };
    double values[PARTS];
    for (size_t i = 0; i < PARTS; i++) values[i] = *parts[i];
    EBM_TRY(ebm_ranks_sum(s->ranks, values, PARTS));
    for (size_t i = 0; i < PARTS; i++) *parts[i] = values[i];
    result->tokens = (size_t)tokens;
    result->batches = (size_t)batches;
    return ebm_ok();
}

ebm_status ebm_step_gradients(ebm_step *s, const ebm_step_texts *texts, const ebm_run *run, ebm_step_result *result)
{
    memset(result, 0, sizeof *result);
    if (all_labelled(texts) == 0) return ebm_fail(EBM_ERROR_INPUT, "a training step without labelled texts");
    EBM_TRY(ebm_slice_zero(s->device, s->statistics, 0, EBM_STATISTICS_COUNT));
    EBM_TRY(send_posterior(s));
    ebm_mixup_result mixed = {0};
    if (s->mixup) EBM_TRY(run_mixup(s, texts, run, &mixed));
    uint64_t tokens = mixed.tokens;
    result->batches = mixed.batches;
    for (size_t next = s->mixup ? texts->labelled_count : 0; next < total_rows(texts); result->batches++)
        EBM_TRY(run_batch(s, texts, run, &next, &tokens, &result->hidden_norm));
    if (s->set.mlm_weight > 0) EBM_TRY(run_masked(s, texts, run, &tokens, result));
    if (s->exchange) {
        ebm_classifier_watch(s->classifier, NULL, NULL);
        EBM_TRY(ebm_gradient_exchange_finish(s->exchange));
    }
    EBM_TRY(ebm_objective_read(s->device, s->statistics, &result->sums));
    result->tokens = (size_t)tokens;
    EBM_TRY(add_ranks(s, result));
    fill_means(s, result);
    EBM_TRY(ebm_objective_check(&result->sums));
    if (!isfinite(result->mlm) || !isfinite(result->hidden_norm))
        return ebm_fail(EBM_ERROR_NONFINITE, "the %s is not finite",
                        isfinite(result->mlm) ? "norm of hidden states" : "masked language modelling loss");
    s->is_new = s->posterior && ebm_posterior_step(s->posterior);
    return ebm_ok();
}
