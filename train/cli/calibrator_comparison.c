#include "calibrator_comparison.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bootstrap.h"

static ebm_portion other_half(ebm_portion portion)
{
    static const ebm_portion other[EBM_PORTIONS] = {
        [EBM_PORTION_ALL] = EBM_PORTION_SECOND_HALF,
        [EBM_PORTION_FIRST_HALF] = EBM_PORTION_SECOND_HALF,
        [EBM_PORTION_SECOND_HALF] = EBM_PORTION_FIRST_HALF,
        [EBM_PORTION_RANDOM_FIRST_HALF] = EBM_PORTION_RANDOM_SECOND_HALF,
        [EBM_PORTION_RANDOM_SECOND_HALF] = EBM_PORTION_RANDOM_FIRST_HALF,
    };
    return other[portion];
}

static ebm_status measure(const ebm_predictions *predictions, int bins, uint64_t seed, ebm_compared *out)
{
    ebm_floor floor[EBM_ECES];
    EBM_TRY(ebm_metrics(predictions, 1, bins, out->value));
    EBM_TRY(ebm_ece_floor(predictions, 1, bins, EBM_REDRAWS_DEFAULT, seed, floor));
    out->floor = floor[0].mean;
    return ebm_ok();
}

static ebm_status count_zeros(const ebm_calibrator *calibrator, const ebm_predictions *judged, size_t *zeros)
{
    double *p = NULL;
    EBM_TRY(ebm_calibrator_probabilities(calibrator, judged, &p));
    *zeros = 0;
    for (size_t i = 0; i < judged->count; i++) *zeros += p[i * (size_t)judged->labels + (size_t)judged->label[i]] <= 0;
    free(p);
    return ebm_ok();
}

static ebm_status judge(const ebm_calibrator *calibrator, const ebm_predictions *judged, int bins, uint64_t seed,
                        ebm_compared *out)
{
    ebm_predictions calibrated = *judged;
    float *logits = NULL;
    EBM_TRY(count_zeros(calibrator, judged, &out->zeros));
    EBM_TRY(ebm_calibrator_logits(calibrator, judged, &logits));
    calibrated.logits = logits;
    const ebm_status status = measure(&calibrated, bins, seed, out);
    free(logits);
    return status;
}

static ebm_status compare(const ebm_predictions *fitted, const ebm_predictions *judged, uint64_t seed,
                          const ebm_calibrator_options *options, ebm_comparison *out)
{
    out->fitted_on = fitted->count;
    out->judged_on = judged->count;
    out->row[0] = (ebm_compared){.name = "none", .status = ebm_ok()};
    EBM_TRY(measure(judged, options->ece_bins, seed, &out->row[0]));
    for (int k = 0; k < EBM_CALIBRATORS; k++) {
        ebm_calibrator *calibrator = NULL;
        ebm_compared *row = &out->row[k + 1];
        row->name = ebm_calibrator_name((ebm_calibrator_kind)k);
        row->status = ebm_calibrator_fit(fitted, (ebm_calibrator_kind)k, options, &calibrator);
        const ebm_status status =
            row->status.code == EBM_OK ? judge(calibrator, judged, options->ece_bins, seed, row) : ebm_ok();
        ebm_calibrator_free(calibrator);
        EBM_TRY(status);
    }
    return ebm_ok();
}

ebm_status ebm_comparison_run(const ebm_predictions *predictions, ebm_portion portion, uint64_t seed,
                              const ebm_calibrator_options *options, ebm_comparison *out)
{
    ebm_prediction_rows fitted = {0}, judged = {0};
    *out = (ebm_comparison){.fit_portion = portion == EBM_PORTION_ALL ? EBM_PORTION_FIRST_HALF : portion,
                            .judge_portion = other_half(portion)};
    ebm_status status = ebm_predictions_portion(predictions, out->fit_portion, seed, &fitted);
    if (status.code == EBM_OK) status = ebm_predictions_portion(predictions, out->judge_portion, seed, &judged);
    if (status.code == EBM_OK) status = compare(&fitted.rows, &judged.rows, seed, options, out);
    ebm_prediction_rows_free(&fitted);
    ebm_prediction_rows_free(&judged);
    return status;
}

void ebm_comparison_print(const ebm_comparison *c)
{
    printf("fitted on %s (%zu examples), judged on %s (%zu)\n", ebm_portion_name(c->fit_portion), c->fitted_on,
           ebm_portion_name(c->judge_portion), c->judged_on);
    printf("%-21s %8s %8s %8s %8s %8s %8s\n", "calibrator", "accuracy", "NLL", "Brier", "ECE", "floor", "ECE top");
    for (int r = 0; r <= EBM_CALIBRATORS; r++) {
        const ebm_compared *row = &c->row[r];
        if (row->status.code != EBM_OK) {
            printf("%-21s %s\n", row->name, row->status.message);
            continue;
        }
        printf("%-21s %8.4f %8.4f %8.4f %8.4f %8.4f %8.4f", row->name, row->value[EBM_ACCURACY], row->value[EBM_NLL],
               row->value[EBM_BRIER], row->value[EBM_ECE_CLASS_WISE], row->floor, row->value[EBM_ECE_TOP_LABEL]);
        if (row->zeros) printf("  %zu label%s of probability 0", row->zeros, row->zeros == 1 ? "" : "s");
        putchar('\n');
    }
    puts("ECE: class-wise, floor: what a calibrated model would show on so few; ECE top: of the predicted label");
}

static json_t *row_object(const ebm_compared *row)
{
    if (row->status.code != EBM_OK) return json_pack("{s:s, s:s}", "method", row->name, "error", row->status.message);
    json_t *object = json_pack("{s:s, s:f, s:I}", "method", row->name, "ece_class_wise_floor", row->floor,
                               "labels_of_probability_0", (json_int_t)row->zeros);
    for (int m = 0; object && m < EBM_METRICS; m++)
        if (!isnan(row->value[m]))
            json_object_set_new(object, ebm_metric_name((ebm_metric)m), json_real(row->value[m]));
    return object;
}

json_t *ebm_comparison_object(const ebm_comparison *c)
{
    json_t *rows = json_array();
    for (int r = 0; rows && r <= EBM_CALIBRATORS; r++) json_array_append_new(rows, row_object(&c->row[r]));
    return json_pack("{s:s, s:I, s:s, s:I, s:o}", "fitted_on", ebm_portion_name(c->fit_portion), "fit_examples",
                     (json_int_t)c->fitted_on, "judged_on", ebm_portion_name(c->judge_portion), "judge_examples",
                     (json_int_t)c->judged_on, "calibrators", rows);
}
