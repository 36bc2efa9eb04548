#include "energy_texts.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "energy.h"
#include "program.h"
#include "scores.h"

const char *const energy_score_names[ENERGY_SCORES] = {"energy", "max_probability", "entropy", "max_logit"};

static ebm_status allocate(energy_texts *set)
{
    const size_t n = set->count;
    double *block = calloc((1 + ENERGY_SCORES) * n + 1, sizeof *block);
    if (!block) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the energies of %zu texts", n);
    set->energy = block;
    for (size_t s = 0; s < ENERGY_SCORES; s++) set->score[s] = block + (1 + s) * n;
    set->entropy = calloc(n + 1, sizeof *set->entropy);
    return set->entropy ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for the entropies of %zu texts", n);
}

// energy: NULL for a model without one.
static ebm_status fill_row(energy_texts *set, size_t i, const float *logits, const float *energy, size_t labels,
                           double scale, double *log_p)
{
    double entropy = 0, top = -INFINITY;
    ebm_log_softmax(logits, (int)labels, 1, log_p);
    for (size_t y = 0; y < labels; y++) {
        entropy -= exp(log_p[y]) * log_p[y];
        top = fmax(top, log_p[y]);
    }
    set->energy[i] = energy ? (double)energy[i] : ebm_energy_of_logits(EBM_ENERGY_HIDDEN, logits, labels, scale);
    if (!isfinite(set->energy[i]) || !isfinite(entropy))
        return ebm_fail(EBM_ERROR_NONFINITE, "%s: row %zu: its energy is %g, the entropy of its label %g", set->name, i,
                        set->energy[i], entropy);
    set->entropy[i] = entropy;
    set->score[ENERGY_SCORE][i] = -set->energy[i];
    set->score[PROBABILITY_SCORE][i] = exp(top);
    set->score[ENTROPY_SCORE][i] = -entropy;
    set->score[LOGIT_SCORE][i] = -ebm_energy_of_logits(EBM_ENERGY_SHARP_HIDDEN, logits, labels, scale);
    return ebm_ok();
}

static ebm_status fill(energy_texts *set, const float *logits, const float *energy, size_t labels, double scale)
{
    double *log_p = malloc(labels * sizeof *log_p);
    ebm_status status = log_p ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", labels);
    for (size_t i = 0; i < set->count && status.code == EBM_OK; i++)
        status = fill_row(set, i, logits + i * labels, energy, labels, scale, log_p);
    free(log_p);
    return status;
}

ebm_status energy_texts_score(energy_texts *set, ebm_predictor *predictor, size_t max_length)
{
    const size_t labels = ebm_predictor_config(predictor)->label_count;
    const double folded = ebm_predictor_info(predictor).logits_divided_by;
    const bool has_energy = ebm_predictor_has_energy(predictor);
    set->count = ebm_dataset_count(set->texts);
    float *logits = calloc(set->count * labels + 1, sizeof *logits), *energy = calloc(set->count + 1, sizeof *energy);
    ebm_status status =
        logits && energy ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for predictions of %zu texts", set->count);
    EBM_CHECK(status, end);
    EBM_CHECK(allocate(set), end);
    EBM_CHECK(ebm_predictor_dataset(predictor, set->texts, max_length, logits, has_energy ? energy : NULL), end);
    EBM_CHECK(fill(set, logits, has_energy ? energy : NULL, labels, folded > 0 ? folded : 1), end);
end:
    free(logits);
    free(energy);
    return status;
}

void energy_texts_free(energy_texts *set)
{
    ebm_dataset_free(set->texts);
    free(set->energy);
    free(set->entropy);
    *set = (energy_texts){0};
}

// ---- texts

static ebm_status add_streamed(ebm_dataset *texts, const char *text, bool pairs)
{
    const char *cut = pairs ? strstr(text, EBM_PAIR_SEPARATOR) : NULL;
    if (!cut) return ebm_dataset_add(texts, text, NULL, -1, 0);
    char *first = strndup(text, (size_t)(cut - text));
    if (!first) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a text");
    const ebm_status status = ebm_dataset_add(texts, first, cut + strlen(EBM_PAIR_SEPARATOR), -1, 0);
    free(first);
    return status;
}

ebm_status energy_texts_stream(ebm_noise_stream *stream, size_t count, bool pairs, ebm_dataset **out)
{
    const volatile sig_atomic_t *stop = ebm_program_stop_flag();
    ebm_dataset *texts = NULL;
    EBM_TRY(ebm_dataset_create(NULL, &texts));
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) {
        const char *text = NULL;
        status = ebm_noise_stream_next_text(stream, &text);
        if (status.code == EBM_OK) status = add_streamed(texts, text, pairs);
        if (i % 100 == 0) ebm_program_progress("%zu of %zu noise texts", i, count);
        if (*stop) status = ebm_fail(EBM_ERROR_INTERRUPTED, "stopped after %zu of %zu noise texts", i, count);
    }
    ebm_program_progress_end();
    if (status.code == EBM_OK)
        *out = texts;
    else
        ebm_dataset_free(texts);
    return status;
}

ebm_status energy_texts_take(const ebm_dataset *all, const bool *keep, size_t count, ebm_dataset **out)
{
    ebm_dataset *texts = NULL;
    EBM_TRY(ebm_dataset_create(NULL, &texts));
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < ebm_dataset_count(all) && status.code == EBM_OK; i++) {
        const ebm_row row = ebm_dataset_row(all, i);
        if (keep ? keep[i] : i < count) status = ebm_dataset_add(texts, row.text_a, row.text_b, -1, row.line);
    }
    if (status.code == EBM_OK)
        *out = texts;
    else
        ebm_dataset_free(texts);
    return status;
}
