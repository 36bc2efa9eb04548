#include "step.h"

#include <stdlib.h>
#include <string.h>

struct ebm_step {
    ebm_device *device;
    ebm_classifier *classifier;
    ebm_step_settings set;
    size_t label_count;
    ebm_packing *packing;
    int32_t *labels; // host copy of the rows of one batch; 0 where a row has none
    ebm_slice device_labels, ce_loss, nce_loss, statistics;
};

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
    ebm_status status = s->labels ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a training step");
    EBM_CHECK(status, fail);
    EBM_CHECK(ebm_packing_create(device, ebm_classifier_config(classifier), &settings->limits, arena, &s->packing),
              fail);
    ebm_arena_reserve(arena, &s->device_labels, n);
    ebm_arena_reserve(arena, &s->ce_loss, n);
    ebm_arena_reserve(arena, &s->nce_loss, n);
    ebm_arena_reserve(arena, &s->statistics, EBM_STATISTICS_COUNT);
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
    free(s->labels);
    free(s);
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
        .total_data = data_to - data_from,
        .total_noise = t->noise_count,
        .noise_ratio = s->set.noise_ratio,
        .weight = s->set.nce_weight,
    };
    return contrast;
}

// Losses of one batch and their gradients with respect to logits and energies.
static ebm_status losses(ebm_step *s, const ebm_step_texts *t, size_t first, size_t count)
{
    const bool joint = s->set.objective == EBM_OBJECTIVE_JOINT;
    const ebm_slice logits = ebm_classifier_logits(s->classifier), energy = ebm_classifier_energy(s->classifier);
    const ebm_slice d_logits = ebm_classifier_logits_gradient(s->classifier);
    const ebm_slice d_energy = ebm_classifier_energy_gradient(s->classifier);
    const ebm_rows labelled = rows_in_batch(0, t->labelled_count, first, count);
    const ebm_nce_rows contrast = contrast_of(s, t, first, count);

    for (size_t i = 0; i < labelled.count; i++) s->labels[i] = t->labels[first + i];
    EBM_TRY(ebm_slice_write(s->device, s->device_labels, 0, labelled.count, s->labels));
    EBM_TRY(ebm_slice_zero(s->device, d_logits, 0, count * s->label_count));
    EBM_TRY(ebm_cross_entropy(s->device, s->ce_loss, d_logits, logits, s->device_labels, s->label_count, labelled,
                              t->labelled_count, 1.0f));
    if (joint) {
        EBM_TRY(ebm_slice_zero(s->device, d_energy, 0, count));
        EBM_TRY(ebm_nce(s->device, s->nce_loss, d_energy, energy, &contrast));
    }
    const ebm_objective_rows rows = {s->ce_loss, logits,      s->device_labels, s->label_count,
                                     labelled,   s->nce_loss, energy,           joint ? &contrast : NULL};
    return ebm_objective_add_statistics(s->device, s->statistics, &rows);
}

// Packs rows from *next on until the budget is full, and runs them.
static ebm_status run_batch(ebm_step *s, const ebm_step_texts *t, const ebm_run *run, size_t *next, uint64_t *tokens)
{
    const size_t first = *next, rows = total_rows(t);
    ebm_packing_clear(s->packing, *tokens, first);
    for (bool fits = true; *next < rows; ++*next) {
        EBM_TRY(ebm_packing_add(s->packing, row_at(t, *next), &fits));
        if (!fits) break;
    }
    ebm_batch batch;
    EBM_TRY(ebm_packing_send(s->packing, &batch));
    EBM_TRY(ebm_classifier_forward(s->classifier, &batch, run));
    EBM_TRY(losses(s, t, first, batch.sequences));
    EBM_TRY(ebm_classifier_backward(s->classifier, &batch, run));
    *tokens += batch.tokens;
    return ebm_ok();
}

static void fill_means(const ebm_step *s, ebm_step_result *result)
{
    const ebm_objective_sums *sums = &result->sums;
    result->cross_entropy = sums->labelled > 0 ? sums->cross_entropy / sums->labelled : 0;
    result->nce = sums->data > 0 ? sums->nce_data / sums->data : 0;
    if (sums->noise > 0) result->nce += sums->nce_noise / sums->noise;
    result->loss = result->cross_entropy + (double)s->set.nce_weight * result->nce;
}

ebm_status ebm_step_gradients(ebm_step *s, const ebm_step_texts *texts, const ebm_run *run, ebm_step_result *result)
{
    memset(result, 0, sizeof *result);
    if (texts->labelled_count == 0) return ebm_fail(EBM_ERROR_INPUT, "a training step without labelled texts");
    EBM_TRY(ebm_slice_zero(s->device, s->statistics, 0, EBM_STATISTICS_COUNT));
    uint64_t tokens = 0;
    for (size_t next = 0; next < total_rows(texts); result->batches++)
        EBM_TRY(run_batch(s, texts, run, &next, &tokens));
    EBM_TRY(ebm_objective_read(s->device, s->statistics, &result->sums));
    result->tokens = (size_t)tokens;
    fill_means(s, result);
    return ebm_objective_check(&result->sums);
}
