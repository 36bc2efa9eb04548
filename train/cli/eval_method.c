#include "eval_method.h"

#include <stdlib.h>
#include <string.h>

#include "average.h"
#include "calibration.h"

static void free_seed(eval_seed *s)
{
    for (int h = 0; h < 2; h++) {
        ebm_prediction_rows_free(s->half + h);
        free(s->half_counts[h]);
    }
    free(s->mean);
    free(s->mean_others);
    ebm_read_predictions_free(&s->read);
    ebm_read_predictions_free(&s->others);
}

static ebm_status make_seeds(eval_method *m, size_t seeds)
{
    m->seed = calloc(seeds, sizeof *m->seed);
    m->part = calloc(seeds * 2, sizeof *m->part);
    if (!m->seed || !m->part) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu runs", seeds);
    m->seeds = seeds;
    return ebm_ok();
}

static ebm_status read_others(const eval_files *files, size_t number, eval_seed *s)
{
    const ebm_prediction_source source = {.path = files->others.items[files->others.count > 1 ? number : 0],
                                          .scores = files->scores};
    EBM_TRY(ebm_predictions_read(&source, &s->others));
    if (s->others.probabilities != s->probabilities)
        return ebm_fail(EBM_ERROR_INPUT, "%s: %s expected, as in %s", source.path,
                        s->probabilities ? "probabilities" : "logits", files->predictions.items[number]);
    s->other_rows = &s->others.rows;
    return ebm_ok();
}

static ebm_status read_seed(const eval_files *files, size_t number, eval_seed *s)
{
    const ebm_prediction_source source = {.path = files->predictions.items[number],
                                          .labels_path = files->labels,
                                          .counts_path = files->counts,
                                          .label_column = files->label_column,
                                          .scores = files->scores,
                                          .needs_labels = true};
    EBM_TRY(ebm_predictions_read(&source, &s->read));
    s->rows = s->read.rows;
    s->probabilities = s->read.probabilities;
    s->counts = s->read.counts;
    return files->others.count ? read_others(files, number, s) : ebm_ok();
}

ebm_status eval_method_read(const eval_files *files, eval_method *m)
{
    if (files->others.count > 1 && files->others.count != files->predictions.count)
        return ebm_fail(EBM_ERROR_INPUT,
                        "--ood_predictions: one file, or one for each of the %zu of --predictions expected, found %zu",
                        files->predictions.count, files->others.count);
    EBM_TRY(make_seeds(m, files->predictions.count));
    for (size_t i = 0; i < m->seeds; i++) EBM_TRY(read_seed(files, i, m->seed + i));
    return ebm_ok();
}

ebm_status eval_method_add(eval_method *m, const ebm_predictions *predictions, const double *counts,
                           const ebm_predictions *others, bool probabilities)
{
    EBM_TRY(make_seeds(m, 1));
    m->seed->probabilities = probabilities;
    m->seed->rows = *predictions;
    m->seed->counts = counts;
    m->seed->other_rows = others;
    return ebm_ok();
}

// ---- the mean of seeds

static const ebm_predictions *rows_of(const eval_seed *s, bool others) { return others ? s->other_rows : &s->rows; }

static ebm_status check_same(const ebm_predictions *first, const ebm_predictions *rows, size_t seed)
{
    if (rows->count != first->count || rows->labels != first->labels)
        return ebm_fail(
            EBM_ERROR_INPUT,
            "--average_seeds: run %zu: %zu examples with %d labels expected as in the first, found %zu with %d",
            seed + 1, first->count, first->labels, rows->count, rows->labels);
    for (size_t i = 0; first->label && rows->label && i < rows->count; i++)
        if (rows->label[i] != first->label[i])
            return ebm_fail(EBM_ERROR_INPUT,
                            "--average_seeds: run %zu: example %zu: label %d expected as in the first,"
                            " found %d",
                            seed + 1, i, (int)first->label[i], (int)rows->label[i]);
    return ebm_ok();
}

static ebm_status add_seeds(const eval_method *m, bool others, ebm_average *average)
{
    const ebm_predictions *first = rows_of(m->seed, others);
    for (size_t i = 0; i < m->seeds; i++) {
        const ebm_predictions *rows = rows_of(m->seed + i, others);
        EBM_TRY(check_same(first, rows, i));
        EBM_TRY(ebm_in(ebm_average_add(average, rows->logits, rows->energy, NULL), "run %zu", i + 1));
    }
    return ebm_ok();
}

static ebm_status average_rows(const eval_method *m, bool others, float **mean, ebm_predictions *out)
{
    const ebm_predictions *first = rows_of(m->seed, others);
    const size_t logits = first->count * (size_t)first->labels;
    ebm_average *average = NULL;
    *out = *first;
    EBM_TRY(ebm_average_create(first->count, first->labels, &average));
    ebm_status status = add_seeds(m, others, average);
    *mean = calloc(logits + first->count, sizeof **mean);
    if (status.code == EBM_OK && !*mean)
        status = ebm_fail(EBM_ERROR_MEMORY, "no memory for the mean of %zu predictions", first->count);
    if (status.code == EBM_OK) status = ebm_average_logits(average, *mean);
    if (status.code == EBM_OK) {
        const bool has_energy = ebm_average_has_energy(average);
        if (has_energy) ebm_average_energy(average, *mean + logits);
        out->logits = *mean;
        out->energy = has_energy ? *mean + logits : NULL;
    }
    ebm_average_free(average);
    return status;
}

ebm_status eval_method_average(eval_method *m)
{
    eval_seed *first = m->seed;
    ebm_predictions rows;
    EBM_TRY(average_rows(m, false, &first->mean, &rows));
    if (first->other_rows) {
        EBM_TRY(ebm_in(average_rows(m, true, &first->mean_others, &first->averaged_others), "--ood_predictions"));
        first->other_rows = &first->averaged_others;
    }
    first->rows = rows;
    first->probabilities = true; // ln p
    for (size_t i = 1; i < m->seeds; i++) free_seed(m->seed + i);
    m->seeds = 1;
    return ebm_ok();
}

static ebm_status divide_seed(eval_seed *s, const eval_division *d, ebm_suite_part *part)
{
    for (int h = 0; h < d->halves; h++) {
        const ebm_portion portion = h ? d->second : d->portion;
        EBM_TRY(ebm_predictions_portion(&s->rows, portion, d->seed, s->half + h));
        if (s->counts)
            EBM_TRY(ebm_counts_portion(s->counts, s->rows.count, s->rows.labels, portion, d->seed, s->half_counts + h));
        part[h] = (ebm_suite_part){s->half[h].rows, d->temperature, s->probabilities, s->half_counts[h], s->other_rows};
    }
    for (int h = 0; h < d->halves && d->fit_temperature; h++) {
        ebm_temperature fit;
        EBM_TRY(ebm_temperature_fit(&s->half[1 - h].rows, &fit));
        part[h].temperature = fit.temperature;
    }
    return ebm_ok();
}

ebm_status eval_method_divide(eval_method *m, const eval_division *d)
{
    for (size_t i = 0; i < m->seeds; i++) EBM_TRY(divide_seed(m->seed + i, d, m->part + i * (size_t)d->halves));
    m->runs = (ebm_suite_runs){m->part, (int)m->seeds, d->halves};
    return ebm_ok();
}

void eval_method_free(eval_method *m)
{
    for (size_t i = 0; i < m->seeds; i++) free_seed(m->seed + i);
    free(m->seed);
    free(m->part);
    *m = (eval_method){0};
}
