#include "suite_part.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- names, in the order of values

typedef struct {
    ebm_suite_row *rows;
    size_t count;
    int section;
} row_list;

static void add_row(row_list *list, bool has_floor, const char *beginning, const char *end)
{
    const double nan = (double)NAN;
    if (list->rows) {
        ebm_suite_row *row = list->rows + list->count;
        *row = (ebm_suite_row){
            .section = list->section, .value = nan, .interval = {nan, nan}, .has_floor = has_floor, .p = nan};
        row->floor = (ebm_floor){nan, nan, nan};
        snprintf(row->name, sizeof row->name, "%s%s", beginning, end);
    }
    list->count++;
}

static void add_detection(row_list *list, const char *kind, const char *certainty)
{
    static const char *const names[] = {"auroc_", "aupr_in_", "aupr_out_", "fpr_at_95_tpr_"};
    char beginning[32];
    for (int i = 0; i < 4; i++) {
        snprintf(beginning, sizeof beginning, "%s%s", kind, names[i]);
        add_row(list, false, beginning, certainty);
    }
}

static void add_certainty(row_list *list, const char *certainty, bool others)
{
    char beginning[32];
    add_row(list, false, "aurc_", certainty);
    add_row(list, false, "excess_aurc_", certainty);
    for (int c = 0; c < EBM_COVERAGES; c++) {
        snprintf(beginning, sizeof beginning, "accuracy_at_%d_", ebm_coverages[c]);
        add_row(list, false, beginning, certainty);
    }
    add_row(list, false, "coverage_at_risk_5_", certainty);
    add_detection(list, "error_", certainty);
    if (others) add_detection(list, "ood_", certainty);
}

size_t ebm_suite_rows(const ebm_suite_plan *plan, ebm_suite_row *rows)
{
    row_list list = {.rows = rows, .section = EBM_SUITE_METRICS};
    for (int m = 0; m < EBM_METRICS && plan->sections & EBM_SUITE_METRICS; m++)
        add_row(&list, m >= EBM_ECE_CLASS_WISE, ebm_metric_name((ebm_metric)m), "");
    list.section = EBM_SUITE_MISCALIBRATION;
    for (int e = 0; e < EBM_MISCALIBRATIONS && plan->sections & EBM_SUITE_MISCALIBRATION; e++)
        add_row(&list, e < EBM_MISCALIBRATION_FLOORS, ebm_miscalibration_name((ebm_miscalibration)e), "");
    list.section = EBM_SUITE_SELECTIVE;
    for (int c = 0; c < EBM_CERTAINTIES && plan->sections & EBM_SUITE_SELECTIVE; c++)
        if (plan->certainties >> c & 1) add_certainty(&list, ebm_certainty_name((ebm_certainty)c), plan->others);
    list.section = EBM_SUITE_AGREEMENT;
    for (int a = 0; a < EBM_AGREEMENTS && plan->sections & EBM_SUITE_AGREEMENT; a++)
        add_row(&list, false, ebm_agreement_name((ebm_agreement)a), "");
    return list.count;
}

// ---- preparation

// The in-distribution examples' certainties, then the others'.
static ebm_status rank_others(const ebm_suite_part *part, ebm_certainty c, const double *certainty, ebm_ranking *out)
{
    ebm_status status = ebm_ok();
    const size_t n = part->predictions.count, m = part->others->count;
    double *others = NULL, *all = NULL;
    EBM_CHECK(ebm_certainty_create(part->others, part->temperature, c, &others), end);
    all = malloc((n + m) * sizeof *all);
    if (!all) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for the certainties of %zu examples", n + m);
    EBM_CHECK(status, end);
    memcpy(all, certainty, n * sizeof *all);
    memcpy(all + n, others, m * sizeof *all);
    status = ebm_ranking_create("certainties", all, n + m, out);
end:
    free(others);
    free(all);
    return status;
}

static ebm_status rank_certainty(const ebm_suite_part *part, const ebm_suite_plan *plan, ebm_certainty c,
                                 ebm_suite_measurer *out)
{
    double *certainty = NULL;
    EBM_TRY(ebm_certainty_create(&part->predictions, part->temperature, c, &certainty));
    ebm_status status = ebm_ranking_create("certainties", certainty, part->predictions.count, out->ranking + c);
    if (status.code == EBM_OK && plan->others) status = rank_others(part, c, certainty, out->with_others + c);
    free(certainty);
    return status;
}

static ebm_status prepare_certainties(const ebm_suite_part *part, const ebm_suite_plan *plan, ebm_suite_measurer *out)
{
    const size_t n = out->scores.count;
    if (plan->others) {
        if (part->others->labels != part->predictions.labels)
            return ebm_fail(EBM_ERROR_INPUT, "out-of-distribution predictions: %d labels expected, found %d",
                            part->predictions.labels, part->others->labels);
        out->others_count = part->others->count;
    }
    out->right = malloc(n * sizeof *out->right);
    out->in = malloc((n + out->others_count) * sizeof *out->in);
    if (!out->right || !out->in) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the answers of %zu examples", n);
    for (size_t i = 0; i < n; i++) out->right[i] = out->scores.label[i] == out->scores.predicted[i];
    for (size_t i = 0; i < n + out->others_count; i++) out->in[i] = i < n;
    for (int c = 0; c < EBM_CERTAINTIES; c++)
        if (plan->certainties >> c & 1) EBM_TRY(rank_certainty(part, plan, (ebm_certainty)c, out));
    return ebm_ok();
}

ebm_status ebm_suite_measurer_create(const ebm_suite_part *part, const ebm_suite_plan *plan, ebm_suite_measurer *out)
{
    ebm_status status = ebm_ok();
    *out = (ebm_suite_measurer){0};
    EBM_CHECK(ebm_scores_create(&part->predictions, part->temperature, plan->bins, &out->scores), end);
    EBM_CHECK(ebm_tally_create(&out->scores, &out->tally), end);
    out->label = malloc(out->scores.count * sizeof *out->label);
    if (!out->label) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", out->scores.count);
    EBM_CHECK(status, end);
    memcpy(out->label, out->scores.label, out->scores.count * sizeof *out->label);
    if (plan->sections & EBM_SUITE_MISCALIBRATION)
        EBM_CHECK(ebm_miscalibration_plan_create(&out->scores, &out->errors), end);
    if (plan->sections & EBM_SUITE_SELECTIVE) EBM_CHECK(prepare_certainties(part, plan, out), end);
    if (plan->sections & EBM_SUITE_AGREEMENT)
        EBM_CHECK(ebm_agreement_plan_create(&part->predictions, part->temperature, part->counts, &out->agreement), end);
end:
    if (status.code != EBM_OK) ebm_suite_measurer_free(out);
    return status;
}

void ebm_suite_measurer_free(ebm_suite_measurer *m)
{
    ebm_tally_free(&m->tally);
    ebm_miscalibration_plan_free(&m->errors);
    ebm_agreement_plan_free(&m->agreement);
    for (int c = 0; c < EBM_CERTAINTIES; c++) {
        ebm_ranking_free(m->ranking + c);
        ebm_ranking_free(m->with_others + c);
    }
    free(m->right);
    free(m->in);
    free(m->label);
    ebm_scores_free(&m->scores);
    *m = (ebm_suite_measurer){0};
}

// ---- values

static void fill_tally(ebm_suite_measurer *m, const double *weight)
{
    ebm_tally_reset(&m->tally);
    for (size_t i = 0; i < m->scores.count; i++)
        for (double times = weight ? weight[i] : 1; times > 0; times--) ebm_tally_add(&m->tally, i);
}

static double *put_detection(ebm_detection d, double *value)
{
    *value++ = d.auroc;
    *value++ = d.aupr_in;
    *value++ = d.aupr_out;
    *value++ = d.fpr_at_95_tpr;
    return value;
}

static double *put_certainty(const ebm_suite_measurer *m, bool others, int c, const double *weight, double *value)
{
    const ebm_selective s = ebm_ranking_selective(m->ranking + c, m->right, weight, NULL);
    *value++ = s.aurc;
    *value++ = s.excess_aurc;
    for (int k = 0; k < EBM_COVERAGES; k++) *value++ = s.accuracy_at[k];
    *value++ = s.coverage_at_risk_5;
    value = put_detection(s.errors, value);
    return others ? put_detection(ebm_ranking_detection(m->with_others + c, m->in, weight), value) : value;
}

void ebm_suite_measurer_values(ebm_suite_measurer *m, const ebm_suite_plan *plan, const double *weight, double *value)
{
    if (plan->sections & EBM_SUITE_METRICS) {
        fill_tally(m, weight);
        ebm_tally_metrics(&m->tally, value);
        value += EBM_METRICS;
    }
    if (plan->sections & EBM_SUITE_MISCALIBRATION) {
        ebm_miscalibration_weighted(&m->errors, m->label, weight, value);
        value += EBM_MISCALIBRATIONS;
    }
    for (int c = 0; c < EBM_CERTAINTIES && plan->sections & EBM_SUITE_SELECTIVE; c++)
        if (plan->certainties >> c & 1) value = put_certainty(m, plan->others, c, weight, value);
    if (plan->sections & EBM_SUITE_AGREEMENT) ebm_agreement_weighted(&m->agreement, weight, value);
}

void ebm_suite_measurer_redraw(ebm_suite_measurer *m, const ebm_suite_plan *plan, uint64_t seed, uint32_t number,
                               double *value)
{
    ebm_labels_redraw(&m->scores, seed, number, m->scores.label);
    if (plan->sections & EBM_SUITE_METRICS) {
        fill_tally(m, NULL);
        ebm_tally_eces(&m->tally, value + EBM_ECE_CLASS_WISE);
        value += EBM_METRICS;
    }
    if (plan->sections & EBM_SUITE_MISCALIBRATION) {
        double all[EBM_MISCALIBRATIONS];
        ebm_miscalibration_weighted(&m->errors, m->scores.label, NULL, all);
        memcpy(value, all, EBM_MISCALIBRATION_FLOORS * sizeof *value);
    }
    memcpy(m->scores.label, m->label, m->scores.count * sizeof *m->label);
}
