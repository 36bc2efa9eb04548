#include "annotators_internal.h"

#include <math.h>
#include <stdlib.h>

#include "correlation_internal.h"
#include "scores.h"

static const char *const agreement_names[EBM_AGREEMENTS] = {
    [EBM_HUMAN_CROSS_ENTROPY] = "human_cross_entropy",
    [EBM_HUMAN_KL] = "human_kl",
    [EBM_HUMAN_TOTAL_VARIATION] = "human_total_variation",
    [EBM_ENTROPY_DIFFERENCE] = "entropy_difference",
    [EBM_ENTROPY_PEARSON] = "entropy_pearson",
    [EBM_ENTROPY_SPEARMAN] = "entropy_spearman",
};

const char *ebm_agreement_name(ebm_agreement agreement) { return agreement_names[agreement]; }

static ebm_status sum_of_counts(const double *counts, int labels, size_t row, double *sum)
{
    *sum = 0;
    for (int y = 0; y < labels; y++) {
        if (!(counts[y] >= 0 && isfinite(counts[y])))
            return ebm_fail(EBM_ERROR_INPUT,
                            "annotators: row %zu: a count of at least 0 expected for label %d, found %g", row, y,
                            counts[y]);
        *sum += counts[y];
    }
    if (*sum > 0 && isfinite(*sum)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "annotators: row %zu: counts with a sum above 0 expected, found %g", row, *sum);
}

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

// Summed from the smallest share up: the same shares of other labels have the same entropy to the bit, and so one rank.
static double entropy_of(const double *counts, double sum, int labels, double *shares)
{
    double entropy = 0;
    for (int y = 0; y < labels; y++) shares[y] = counts[y] / sum;
    qsort(shares, (size_t)labels, sizeof *shares, compare_doubles);
    for (int y = 0; y < labels; y++)
        if (shares[y] > 0) entropy -= shares[y] * log(shares[y]);
    return entropy;
}

// shares: scratch, labels.
static ebm_status add_row(ebm_agreement_plan *plan, size_t row, const double *counts, const double *log_p, int labels,
                          double *shares)
{
    double sum, cross = 0, variation = 0, model = 0;
    EBM_TRY(sum_of_counts(counts, labels, row, &sum));
    for (int y = 0; y < labels; y++) {
        const double q = counts[y] / sum, p = exp(log_p[y]);
        variation += fabs(q - p) / 2;
        if (p > 0) model -= p * log_p[y];
        if (q > 0) cross -= q * log_p[y];
    }
    plan->cross_entropy[row] = cross;
    plan->variation[row] = variation;
    plan->model_entropy[row] = model;
    plan->human_entropy[row] = entropy_of(counts, sum, labels, shares);
    return ebm_ok();
}

static ebm_status fill(ebm_agreement_plan *plan, const ebm_predictions *predictions, double temperature,
                       const double *counts)
{
    const size_t labels = (size_t)predictions->labels;
    EBM_TRY(ebm_logits_check(predictions, temperature));
    double *log_p = malloc(labels * sizeof *log_p), *shares = malloc(labels * sizeof *shares);
    ebm_status status =
        log_p && shares ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for the shares of %zu labels", labels);
    for (size_t i = 0; i < plan->count && status.code == EBM_OK; i++) {
        ebm_log_softmax(predictions->logits + i * labels, predictions->labels, temperature, log_p);
        status = add_row(plan, i, counts + i * labels, log_p, predictions->labels, shares);
    }
    free(shares);
    free(log_p);
    return status;
}

ebm_status ebm_agreement_plan_create(const ebm_predictions *predictions, double temperature, const double *counts,
                                     ebm_agreement_plan *out)
{
    ebm_status status = ebm_ok();
    const size_t n = predictions->count;
    *out = (ebm_agreement_plan){.count = n};
    if (!n || n > SIZE_MAX / 64) return ebm_fail(EBM_ERROR_INPUT, "annotators: %zu examples", n);
    double *block = malloc(6 * n * sizeof *block);
    if (!block) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the agreement of %zu examples", n);
    out->cross_entropy = block;
    out->variation = block + n;
    out->model_entropy = block + 2 * n;
    out->human_entropy = block + 3 * n;
    out->model_rank = block + 4 * n;
    out->human_rank = block + 5 * n;
    EBM_CHECK(fill(out, predictions, temperature, counts), end);
    EBM_CHECK(ebm_ranking_create("entropies", out->model_entropy, n, &out->by_model), end);
    EBM_CHECK(ebm_ranking_create("entropies", out->human_entropy, n, &out->by_human), end);
end:
    if (status.code != EBM_OK) ebm_agreement_plan_free(out);
    return status;
}

void ebm_agreement_plan_free(ebm_agreement_plan *plan)
{
    free(plan->cross_entropy);
    ebm_ranking_free(&plan->by_model);
    ebm_ranking_free(&plan->by_human);
    *plan = (ebm_agreement_plan){0};
}

static double mean_of(const double *values, const double *weight, size_t count)
{
    double sum = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        const double times = weight ? weight[i] : 1;
        if (times > 0) sum += times * values[i]; // an infinite value that does not count must not
        total += times;
    }
    return sum / total;
}

void ebm_agreement_weighted(ebm_agreement_plan *plan, const double *weight, double value[EBM_AGREEMENTS])
{
    const size_t n = plan->count;
    const double human = mean_of(plan->human_entropy, weight, n);
    ebm_ranking_ranks(&plan->by_model, weight, plan->model_rank);
    ebm_ranking_ranks(&plan->by_human, weight, plan->human_rank);
    value[EBM_HUMAN_CROSS_ENTROPY] = mean_of(plan->cross_entropy, weight, n);
    value[EBM_HUMAN_KL] = value[EBM_HUMAN_CROSS_ENTROPY] - human;
    value[EBM_HUMAN_TOTAL_VARIATION] = mean_of(plan->variation, weight, n);
    value[EBM_ENTROPY_DIFFERENCE] = mean_of(plan->model_entropy, weight, n) - human;
    value[EBM_ENTROPY_PEARSON] = ebm_correlation_weighted(plan->model_entropy, plan->human_entropy, weight, n);
    value[EBM_ENTROPY_SPEARMAN] = ebm_correlation_weighted(plan->model_rank, plan->human_rank, weight, n);
}

ebm_status ebm_agreement_measure(const ebm_predictions *predictions, double temperature, const double *counts,
                                 double value[EBM_AGREEMENTS])
{
    ebm_agreement_plan plan;
    EBM_TRY(ebm_agreement_plan_create(predictions, temperature, counts, &plan));
    ebm_agreement_weighted(&plan, NULL, value);
    ebm_agreement_plan_free(&plan);
    return ebm_ok();
}
