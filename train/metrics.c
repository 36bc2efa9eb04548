#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scores.h"

static const char *const metric_names[EBM_METRICS] = {
    [EBM_ACCURACY] = "accuracy",
    [EBM_F1] = "f1",
    [EBM_MACRO_F1] = "macro_f1",
    [EBM_MATTHEWS] = "matthews",
    [EBM_NLL] = "nll",
    [EBM_BRIER] = "brier",
    [EBM_ECE_CLASS_WISE] = "ece_class_wise",
    [EBM_ECE_TOP_LABEL] = "ece_top_label",
    [EBM_ECE_POOLED] = "ece_pooled",
};

const char *ebm_metric_name(ebm_metric metric) { return metric_names[metric]; }

ebm_status ebm_metric_by_name(const char *name, ebm_metric *out)
{
    for (int m = 0; m < EBM_METRICS; m++)
        if (!strcmp(name, metric_names[m])) {
            *out = (ebm_metric)m;
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_INPUT,
                    "metric: accuracy, f1, macro_f1, matthews, nll, brier, ece_class_wise, ece_top_label or ece_pooled "
                    "expected, found \"%s\"",
                    name);
}

bool ebm_metric_more_is_better(ebm_metric metric) { return metric <= EBM_MATTHEWS; }

static ebm_status check_logits(const ebm_predictions *predictions)
{
    if (!predictions->count) return ebm_fail(EBM_ERROR_INPUT, "predictions: at least one example expected, found none");
    if (predictions->labels < 2)
        return ebm_fail(EBM_ERROR_INPUT, "predictions: at least 2 labels expected, found %d", predictions->labels);
    if (predictions->count > SIZE_MAX / 64 / (size_t)predictions->labels)
        return ebm_fail(EBM_ERROR_INPUT, "predictions: %zu examples with %d labels do not fit into memory",
                        predictions->count, predictions->labels);
    const size_t labels = (size_t)predictions->labels;
    for (size_t i = 0; i < predictions->count; i++)
        for (size_t y = 0; y < labels; y++) {
            const double logit = (double)predictions->logits[i * labels + y];
            if (!isfinite(logit))
                return ebm_fail(EBM_ERROR_NONFINITE, "predictions: row %zu: logit of label %zu is %g", i, y, logit);
        }
    return ebm_ok();
}

ebm_status ebm_predictions_check(const ebm_predictions *predictions)
{
    EBM_TRY(check_logits(predictions));
    if (!predictions->label) return ebm_fail(EBM_ERROR_INPUT, "predictions: labels expected, found none");
    for (size_t i = 0; i < predictions->count; i++) {
        const int label = predictions->label[i];
        if (label < 0 || label >= predictions->labels)
            return ebm_fail(EBM_ERROR_INPUT, "predictions: row %zu: a label from 0 to %d expected, found %d", i,
                            predictions->labels - 1, label);
        if (predictions->energy && !isfinite((double)predictions->energy[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "predictions: row %zu: energy is %g", i,
                            (double)predictions->energy[i]);
    }
    return ebm_ok();
}

ebm_status ebm_logits_check(const ebm_predictions *predictions, double temperature)
{
    EBM_TRY(check_logits(predictions));
    return ebm_temperature_check(temperature);
}

static ebm_status log_probabilities(const ebm_predictions *predictions, double temperature, double **out)
{
    EBM_TRY(ebm_logits_check(predictions, temperature));
    const size_t labels = (size_t)predictions->labels;
    double *p = malloc(predictions->count * labels * sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the probabilities of %zu examples", predictions->count);
    for (size_t i = 0; i < predictions->count; i++)
        ebm_log_softmax(predictions->logits + i * labels, predictions->labels, temperature, p + i * labels);
    *out = p;
    return ebm_ok();
}

ebm_status ebm_probabilities_create(const ebm_predictions *predictions, double temperature, double **out)
{
    EBM_TRY(log_probabilities(predictions, temperature, out));
    const size_t cells = predictions->count * (size_t)predictions->labels;
    for (size_t i = 0; i < cells; i++) (*out)[i] = exp((*out)[i]);
    return ebm_ok();
}

ebm_status ebm_metrics(const ebm_predictions *predictions, double temperature, int bins, double value[EBM_METRICS])
{
    ebm_status status = ebm_ok();
    ebm_scores scores = {0};
    ebm_tally tally = {0};
    EBM_CHECK(ebm_scores_create(predictions, temperature, bins, &scores), end);
    EBM_CHECK(ebm_tally_create(&scores, &tally), end);
    for (size_t i = 0; i < scores.count; i++) ebm_tally_add(&tally, i);
    ebm_tally_metrics(&tally, value);
end:
    ebm_tally_free(&tally);
    ebm_scores_free(&scores);
    return status;
}

static ebm_status kl_of_row(const double *truth, const double *log_model, int labels, size_t row, double *kl)
{
    double sum = 0;
    *kl = 0;
    for (int y = 0; y < labels; y++) {
        if (!(truth[y] >= 0)) // also for NaN
            return ebm_fail(EBM_ERROR_INPUT, "true posterior: row %zu: probability of label %d is %g", row, y,
                            truth[y]);
        sum += truth[y];
        if (truth[y] > 0) *kl += truth[y] * (log(truth[y]) - log_model[y]);
    }
    if (!(fabs(sum - 1) <= 1e-6))
        return ebm_fail(EBM_ERROR_INPUT, "true posterior: row %zu: a sum of 1 expected, found %.9g", row, sum);
    return ebm_ok();
}

ebm_status ebm_kl_from_truth(const ebm_predictions *predictions, double temperature, const double *truth, double *out)
{
    ebm_status status = ebm_ok();
    double *model = NULL, sum = 0, kl;
    EBM_CHECK(log_probabilities(predictions, temperature, &model), end);
    const int labels = predictions->labels;
    for (size_t i = 0; i < predictions->count; i++) {
        const size_t row = i * (size_t)labels;
        EBM_CHECK(kl_of_row(truth + row, model + row, labels, i, &kl), end);
        sum += kl;
    }
    *out = sum / (double)predictions->count;
end:
    free(model);
    return status;
}
