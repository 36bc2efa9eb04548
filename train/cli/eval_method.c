#include "eval_method.h"

#include <stdlib.h>
#include <string.h>

#include "calibration.h"

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

ebm_status eval_method_add(eval_method *m, const ebm_predictions *predictions, const ebm_predictions *others)
{
    EBM_TRY(make_seeds(m, 1));
    m->seed->rows = *predictions;
    m->seed->other_rows = others;
    return ebm_ok();
}

static ebm_status take_counts(const eval_seed *s, ebm_portion portion, uint64_t seed, double **out)
{
    const size_t labels = (size_t)s->rows.labels;
    uint32_t *rows = NULL;
    size_t number;
    if (!s->counts) return ebm_ok();
    EBM_TRY(ebm_portion_rows(portion, s->rows.count, seed, &rows, &number));
    *out = malloc(number * labels * sizeof **out);
    for (size_t i = 0; i < number && *out; i++)
        memcpy(*out + i * labels, s->counts + rows[i] * labels, labels * sizeof **out);
    free(rows);
    return *out ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for the counts of %zu examples", number);
}

static ebm_status divide_seed(eval_seed *s, const eval_division *d, ebm_suite_part *part)
{
    for (int h = 0; h < d->halves; h++) {
        const ebm_portion portion = h ? d->second : d->portion;
        EBM_TRY(ebm_predictions_portion(&s->rows, portion, d->seed, s->half + h));
        EBM_TRY(take_counts(s, portion, d->seed, s->half_counts + h));
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
    for (size_t i = 0; i < m->seeds; i++) {
        for (int h = 0; h < 2; h++) {
            ebm_prediction_rows_free(m->seed[i].half + h);
            free(m->seed[i].half_counts[h]);
        }
        ebm_read_predictions_free(&m->seed[i].read);
        ebm_read_predictions_free(&m->seed[i].others);
    }
    free(m->seed);
    free(m->part);
    *m = (eval_method){0};
}
