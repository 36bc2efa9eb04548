#include "report.h"

#include <math.h>

#include "json_file.h"
#include "report_internal.h"

ebm_evaluation_options ebm_evaluation_defaults(void)
{
    return (ebm_evaluation_options){
        .temperature = 1, .bins = EBM_BINS_DEFAULT, .resamples = EBM_RESAMPLES_DEFAULT, .redraws = EBM_REDRAWS_DEFAULT};
}

static double mean_energy(const ebm_predictions *predictions)
{
    if (!predictions->energy) return (double)NAN;
    double sum = 0;
    for (size_t i = 0; i < predictions->count; i++) sum += (double)predictions->energy[i];
    return sum / (double)predictions->count;
}

static ebm_status measure_intervals(const ebm_predictions *predictions, ebm_evaluation *e)
{
    const ebm_evaluation_options *o = &e->options;
    if (o->resamples) return ebm_bootstrap(predictions, o->temperature, o->bins, o->resamples, o->seed, e->interval);
    for (int m = 0; m < EBM_METRICS; m++) e->interval[m].low = e->interval[m].high = (double)NAN;
    return ebm_ok();
}

static ebm_status measure_floors(const ebm_predictions *predictions, ebm_evaluation *e)
{
    const ebm_evaluation_options *o = &e->options;
    if (o->redraws) return ebm_ece_floor(predictions, o->temperature, o->bins, o->redraws, o->seed, e->floor);
    for (int m = 0; m < EBM_ECES; m++) e->floor[m].mean = e->floor[m].high = e->floor[m].p = (double)NAN;
    return ebm_ok();
}

ebm_status ebm_evaluate(const ebm_predictions *predictions, const ebm_evaluation_options *options, ebm_evaluation *out)
{
    *out = (ebm_evaluation){.examples = predictions->count, .labels = predictions->labels, .options = *options};
    EBM_TRY(ebm_metrics(predictions, options->temperature, options->bins, out->value));
    out->mean_energy = mean_energy(predictions);
    EBM_TRY(measure_intervals(predictions, out));
    return measure_floors(predictions, out);
}

static void print_metric(FILE *stream, const ebm_evaluation *e, ebm_metric m)
{
    if (isnan(e->value[m])) return;
    fprintf(stream, "%-16s %8.4f", ebm_metric_name(m), e->value[m]);
    if (e->options.resamples) fprintf(stream, "   %8.4f %8.4f", e->interval[m].low, e->interval[m].high);
    if (e->options.redraws && m >= EBM_ECE_CLASS_WISE) {
        const ebm_floor floor = e->floor[m - EBM_ECE_CLASS_WISE];
        fprintf(stream, "   %8.4f %8.4f %6.3f", floor.mean, floor.high, floor.p);
    }
    fputc('\n', stream);
}

ebm_status ebm_evaluation_print(FILE *stream, const ebm_evaluation *evaluation)
{
    const ebm_evaluation_options *o = &evaluation->options;
    fprintf(stream, "%zu examples, %d labels, temperature %.4g, %d bins", evaluation->examples, evaluation->labels,
            o->temperature, o->bins);
    if (o->resamples) fprintf(stream, ", intervals from %d resamples", o->resamples);
    fprintf(stream, "\n%-16s %8s", "metric", "value");
    if (o->resamples) fprintf(stream, "%20s", "95 % interval");
    if (o->redraws) fprintf(stream, "%11s%9s%7s", "floor mean", "its 95 %", "p");
    fputc('\n', stream);
    for (int m = 0; m < EBM_METRICS; m++) print_metric(stream, evaluation, (ebm_metric)m);
    if (!isnan(evaluation->mean_energy)) fprintf(stream, "%-16s %8.4f\n", "mean_energy", evaluation->mean_energy);
    if (ferror(stream)) return ebm_fail(EBM_ERROR_IO, "evaluation: writing the table failed");
    return ebm_ok();
}

int ebm_evaluation_put(json_t *object, const char *name, const char *ending, double value)
{
    char key[80];
    snprintf(key, sizeof key, "%s%s", name, ending);
    return json_object_set_new(object, key, isfinite(value) ? json_real(value) : json_null());
}

ebm_status ebm_evaluation_text(json_t *object, char **text)
{
    *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    return *text ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for the evaluation's JSON");
}

static int put_metric(json_t *object, const ebm_evaluation *e, ebm_metric m)
{
    const char *name = ebm_metric_name(m);
    int failed = ebm_evaluation_put(object, name, "", e->value[m]);
    if (e->options.resamples) {
        failed |= ebm_evaluation_put(object, name, "_low", e->interval[m].low);
        failed |= ebm_evaluation_put(object, name, "_high", e->interval[m].high);
    }
    if (e->options.redraws && m >= EBM_ECE_CLASS_WISE) {
        failed |= ebm_evaluation_put(object, name, "_floor", e->floor[m - EBM_ECE_CLASS_WISE].mean);
        failed |= ebm_evaluation_put(object, name, "_floor_95", e->floor[m - EBM_ECE_CLASS_WISE].high);
        failed |= ebm_evaluation_put(object, name, "_floor_p", e->floor[m - EBM_ECE_CLASS_WISE].p);
    }
    return failed;
}

json_t *ebm_evaluation_object(const ebm_evaluation *evaluation)
{
    const ebm_evaluation_options *o = &evaluation->options;
    json_t *object = json_pack("{s:I, s:i, s:f, s:i, s:i, s:i, s:I}", "examples", (json_int_t)evaluation->examples,
                               "labels", evaluation->labels, "temperature", o->temperature, "bins", o->bins,
                               "resamples", o->resamples, "redraws", o->redraws, "seed", (json_int_t)o->seed);
    int failed = !object;
    for (int m = 0; m < EBM_METRICS && !failed; m++) failed = put_metric(object, evaluation, (ebm_metric)m);
    if (!failed && !isnan(evaluation->mean_energy))
        failed = ebm_evaluation_put(object, "mean_energy", "", evaluation->mean_energy);
    if (!failed) return object;
    json_decref(object);
    return NULL;
}

ebm_status ebm_evaluation_json(const ebm_evaluation *evaluation, char **text)
{
    return ebm_evaluation_text(ebm_evaluation_object(evaluation), text);
}

json_t *ebm_reliability_list(const ebm_reliability_bin *bin, int bins)
{
    json_t *rows = json_array();
    int failed = !rows;
    for (int i = 0; i < bins && !failed; i++)
        failed = json_array_append_new(rows, json_pack("{s:f, s:f, s:I, s:f, s:f}", "low", bin[i].low, "high",
                                                       bin[i].high, "count", (json_int_t)bin[i].count, "confidence",
                                                       bin[i].confidence, "accuracy", bin[i].accuracy));
    if (!failed) return rows;
    json_decref(rows);
    return NULL;
}

static ebm_status make_results(const ebm_predictions *predictions, json_t **object)
{
    enum { BINS = 10 };
    const ebm_evaluation_options options = ebm_evaluation_defaults();
    ebm_reliability_bin bin[BINS];
    ebm_evaluation e;
    EBM_TRY(ebm_evaluate(predictions, &options, &e));
    EBM_TRY(ebm_reliability_measure(predictions, options.temperature, BINS, bin));
    *object = ebm_evaluation_object(&e);
    if (*object && json_object_set_new(*object, "reliability", ebm_reliability_list(bin, BINS)) == 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for the evaluation's JSON");
}

ebm_status ebm_evaluation_file_write(const char *directory, const ebm_predictions *predictions, json_t *more)
{
    json_t *object = NULL;
    ebm_status status = more ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "eval_results.json: a text is not UTF-8");
    EBM_CHECK(status, end);
    EBM_CHECK(make_results(predictions, &object), end);
    if (json_object_update(object, more) != 0) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for eval_results.json");
    EBM_CHECK(status, end);
    status = ebm_json_file_write(directory, "eval_results.json", object);
    object = NULL;
end:
    json_decref(object);
    json_decref(more);
    return status;
}
