#include "selective.h"

#include <math.h>
#include <stdlib.h>

#include "ranking.h"
#include "scores.h"

const int ebm_coverages[EBM_COVERAGES] = {50, 80, 90, 95};

static const char *const certainty_names[EBM_CERTAINTIES] = {
    [EBM_CERTAINTY_MAX_PROBABILITY] = "max_probability",
    [EBM_CERTAINTY_ENTROPY] = "entropy",
    [EBM_CERTAINTY_MAX_LOGIT] = "max_logit",
    [EBM_CERTAINTY_FREE_ENERGY] = "free_energy",
    [EBM_CERTAINTY_ENERGY] = "energy",
};

const char *ebm_certainty_name(ebm_certainty certainty) { return certainty_names[certainty]; }

static double largest_of(const float *values, int count)
{
    double largest = -INFINITY;
    for (int i = 0; i < count; i++) largest = fmax(largest, (double)values[i]);
    return largest;
}

// log_p: ln softmax(logits / temperature).
static double certainty_of(const float *logits, const double *log_p, int labels, double temperature,
                           ebm_certainty certainty)
{
    const double largest = largest_of(logits, labels) / temperature;
    double top = -INFINITY, sum = 0;
    for (int y = 0; y < labels; y++) {
        top = fmax(top, log_p[y]);
        if (log_p[y] > -700) sum += exp(log_p[y]) * log_p[y]; // e^-700 times 700 is nothing
    }
    switch (certainty) {
    case EBM_CERTAINTY_MAX_PROBABILITY:
        return exp(top);
    case EBM_CERTAINTY_ENTROPY:
        return sum;
    case EBM_CERTAINTY_MAX_LOGIT:
        return largest;
    default: // the free energy: ln of the softmax's denominator is the largest exponent less its log-probability
        return temperature * (largest - top);
    }
}

static void fill_energies(const float *energy, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++) out[i] = -(double)energy[i];
}

ebm_status ebm_certainty_create(const ebm_predictions *predictions, double temperature, ebm_certainty certainty,
                                double **out)
{
    const size_t n = predictions->count, labels = (size_t)predictions->labels;
    if (certainty == EBM_CERTAINTY_ENERGY && !predictions->energy)
        return ebm_fail(EBM_ERROR_INPUT, "certainty by energy: energies expected, found none");
    EBM_TRY(ebm_logits_check(predictions, temperature));
    double *score = malloc(n * sizeof *score), *log_p = malloc(labels * sizeof *log_p);
    if (!score || !log_p) {
        free(score);
        free(log_p);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the certainties of %zu examples", n);
    }
    if (certainty == EBM_CERTAINTY_ENERGY) fill_energies(predictions->energy, n, score);
    for (size_t i = 0; i < n && certainty != EBM_CERTAINTY_ENERGY; i++) {
        const float *logits = predictions->logits + i * labels;
        ebm_log_softmax(logits, predictions->labels, temperature, log_p);
        score[i] = certainty_of(logits, log_p, predictions->labels, temperature, certainty);
    }
    free(log_p);
    *out = score;
    return ebm_ok();
}

ebm_status ebm_selective_measure(const double *certainty, const bool *right, size_t count, ebm_selective *out)
{
    ebm_ranking ranking;
    EBM_TRY(ebm_ranking_create("certainties", certainty, count, &ranking));
    *out = ebm_ranking_selective(&ranking, right, NULL, NULL);
    ebm_ranking_free(&ranking);
    return ebm_ok();
}

ebm_status ebm_risk_coverage(const double *certainty, const bool *right, size_t count, double *risk)
{
    ebm_ranking ranking;
    EBM_TRY(ebm_ranking_create("certainties", certainty, count, &ranking));
    ebm_ranking_selective(&ranking, right, NULL, risk);
    ebm_ranking_free(&ranking);
    return ebm_ok();
}

ebm_status ebm_right_answers(const ebm_predictions *p, bool **right)
{
    *right = calloc(p->count, sizeof **right);
    if (!*right) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu answers", p->count);
    for (size_t i = 0; i < p->count; i++) {
        const float *f = p->logits + i * (size_t)p->labels;
        int best = 0;
        for (int y = 1; y < p->labels; y++)
            if (f[y] > f[best]) best = y;
        (*right)[i] = best == p->label[i];
    }
    return ebm_ok();
}
