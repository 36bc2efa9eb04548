// The numbers of a folder: as they are, and with a calibrator.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_card_internal.h"
#include "report_folder.h"

enum { LEAST_FITTED = 10 }; // texts a temperature is fitted on

static ebm_status measure(const ebm_predictions *rows, double temperature, int resamples, int redraws,
                          ebm_report_view *view)
{
    ebm_evaluation_options options = ebm_evaluation_defaults();
    options.temperature = temperature;
    options.resamples = resamples;
    options.redraws = redraws;
    view->rows = *rows;
    view->temperature = temperature;
    EBM_TRY(ebm_evaluate(rows, &options, &view->evaluation));
    EBM_TRY(ebm_reliability_measure(rows, temperature, EBM_REPORT_BINS, view->bin));
    EBM_TRY(ebm_reliability_consistency(rows, temperature, EBM_REPORT_BINS, redraws, options.seed, view->chance));
    view->has_chance = view->there = true;
    return ebm_ok();
}

// ---- without predictions: what was written when there were some

static double number_of(const json_t *object, const char *name, const char *ending)
{
    char key[80];
    snprintf(key, sizeof key, "%s%s", name, ending);
    return ebm_card_number(object, key);
}

static void take_bins(const json_t *rows, ebm_reliability_bin *bin)
{
    if (json_array_size(rows) != EBM_REPORT_BINS) return;
    for (size_t b = 0; b < EBM_REPORT_BINS; b++) {
        const json_t *row = json_array_get(rows, b);
        const long long count = ebm_card_count(row, "count");
        const ebm_reliability_bin read = {ebm_card_number(row, "low"), ebm_card_number(row, "high"),
                                          count > 0 ? (size_t)count : 0, ebm_card_number(row, "confidence"),
                                          ebm_card_number(row, "accuracy")};
        const double numbers[] = {read.low, read.high, read.confidence, read.accuracy};
        bool sound = true;
        for (size_t i = 0; i < 4; i++) sound = sound && numbers[i] >= 0 && numbers[i] <= 1;
        if (sound) bin[b] = read;
    }
}

static void take_results(const json_t *results, ebm_report_view *view)
{
    ebm_evaluation *e = &view->evaluation;
    const long long examples = ebm_card_count(results, "examples"), labels = ebm_card_count(results, "labels");
    *e = (ebm_evaluation){.examples = examples > 0 ? (size_t)examples : 0, .labels = (int)labels};
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        const char *name = ebm_metric_name(m);
        e->value[m] = number_of(results, name, "");
        e->interval[m] = (ebm_interval){number_of(results, name, "_low"), number_of(results, name, "_high")};
        if (m < EBM_ECE_CLASS_WISE) continue;
        e->floor[m - EBM_ECE_CLASS_WISE] =
            (ebm_floor){number_of(results, name, "_floor"), number_of(results, name, "_floor_95"),
                        number_of(results, name, "_floor_p")};
    }
    take_bins(json_object_get(results, "reliability"), view->bin);
    view->temperature = 1;
    view->there = isfinite(e->value[EBM_ACCURACY]);
}

// ---- with a calibrator

static bool ends_in(const char *text, const char *end)
{
    const size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && strcmp(text + length - wanted, end) == 0;
}

static ebm_portion judged_portion(const ebm_report_folder *f)
{
    const ebm_calibrator_facts *facts = ebm_calibrator_facts_of(f->calibrator);
    if (facts->examples != f->examples.read.rows.count / 2) return EBM_PORTION_ALL;
    if (ends_in(facts->fitted_on, ", first-half")) return EBM_PORTION_SECOND_HALF;
    if (ends_in(facts->fitted_on, ", second-half")) return EBM_PORTION_FIRST_HALF;
    return EBM_PORTION_ALL;
}

static void describe_calibrator(ebm_report_folder *f, ebm_portion judged)
{
    const ebm_calibrator_facts *facts = ebm_calibrator_facts_of(f->calibrator);
    const ebm_temperature *fit = ebm_calibrator_temperature(f->calibrator);
    char what[80];
    if (fit)
        snprintf(what, sizeof what, "temperature %.4g", fit->temperature);
    else
        snprintf(what, sizeof what, "method %s", ebm_calibrator_name(facts->kind));
    snprintf(f->calibration, sizeof f->calibration,
             "The calibrator of calibration.json (%s), fitted on %.255s, %zu texts. %s", what,
             facts->fitted_on[0] ? facts->fitted_on : "texts it does not name", facts->examples,
             judged != EBM_PORTION_ALL
                 ? "It is judged on the other half of the texts of this report."
                 : "It is judged on all texts of this report: where it was fitted on some of them, its numbers are too "
                   "good.");
}

static ebm_status apply(ebm_report_folder *f, const ebm_predictions *judged, int resamples, int redraws)
{
    const ebm_temperature *fit = ebm_calibrator_temperature(f->calibrator);
    EBM_TRY(measure(judged, 1, resamples, redraws, &f->before));
    if (fit) return measure(judged, fit->temperature, resamples, redraws, &f->after);
    EBM_TRY(ebm_calibrator_logits(f->calibrator, judged, &f->calibrated));
    ebm_predictions calibrated = *judged;
    calibrated.logits = f->calibrated;
    return measure(&calibrated, 1, resamples, redraws, &f->after);
}

static ebm_status judge_calibrator(ebm_report_folder *f, int resamples, int redraws)
{
    const ebm_predictions *all = &f->examples.read.rows;
    if (ebm_calibrator_facts_of(f->calibrator)->folded) {
        snprintf(f->calibration, sizeof f->calibration,
                 "A calibrator is in the weights of this model already: the numbers above are calibrated ones.");
        return ebm_ok();
    }
    const ebm_portion portion = judged_portion(f);
    describe_calibrator(f, portion);
    if (portion == EBM_PORTION_ALL) return apply(f, all, resamples, redraws);
    EBM_TRY(ebm_predictions_portion(all, portion, 0, &f->half));
    return apply(f, &f->half.rows, resamples, redraws);
}

static ebm_status judge_fitted(ebm_report_folder *f, int resamples, int redraws)
{
    const ebm_predictions *all = &f->examples.read.rows;
    ebm_prediction_rows first = {0};
    ebm_temperature fit;
    if (all->count < 2 * LEAST_FITTED) {
        snprintf(f->calibration, sizeof f->calibration,
                 "%zu texts are too few to fit a temperature on one half and judge it on the other.", all->count);
        return ebm_ok();
    }
    EBM_TRY(ebm_predictions_portion(all, EBM_PORTION_FIRST_HALF, 0, &first));
    ebm_status status = ebm_temperature_fit(&first.rows, &fit);
    ebm_prediction_rows_free(&first);
    EBM_TRY(status);
    EBM_TRY(ebm_predictions_portion(all, EBM_PORTION_SECOND_HALF, 0, &f->half));
    snprintf(
        f->calibration, sizeof f->calibration,
        "There is no calibration.json: a temperature (%.4g) was fitted for this report on the first half of the texts"
        " (%zu) and is judged on the second half.",
        fit.temperature, fit.examples);
    EBM_TRY(measure(&f->half.rows, 1, resamples, redraws, &f->before));
    return measure(&f->half.rows, fit.temperature, resamples, redraws, &f->after);
}

ebm_status ebm_report_folder_measure(ebm_report_folder *f, int resamples, int redraws)
{
    if (!f->has_examples) {
        if (f->results) take_results(f->results, &f->raw);
        return ebm_ok();
    }
    EBM_TRY(ebm_in(measure(&f->examples.read.rows, 1, resamples, redraws, &f->raw), "%s", f->directory));
    return ebm_in(f->calibrator ? judge_calibrator(f, resamples, redraws) : judge_fitted(f, resamples, redraws), "%s",
                  f->directory);
}
