#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "predictor.h"
#include "program.h"
#include "quickstart.h"

enum { Y = EBM_GRAMMAR_LABELS };

// Logits and labels of one set, in arrays of its own.
typedef struct {
    ebm_predictions rows;
    float *logits;
    int32_t *label;
} predictions;

static void free_predictions(predictions *p)
{
    free(p->logits);
    free(p->label);
}

static ebm_status allocate(const ebm_dataset *data, predictions *p)
{
    const size_t count = ebm_dataset_count(data);
    p->logits = calloc(count * Y, sizeof *p->logits);
    p->label = calloc(count, sizeof *p->label);
    if (!p->logits || !p->label) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu predictions", count);
    for (size_t i = 0; i < count; i++) p->label[i] = ebm_dataset_row(data, i).label;
    p->rows = (ebm_predictions){.count = count, .labels = Y, .logits = p->logits, .label = p->label};
    return ebm_ok();
}

static ebm_status predict(ebm_predictor *predictor, const ebm_dataset *data, predictions *p)
{
    EBM_TRY(allocate(data, p));
    return ebm_predictor_dataset(predictor, data, 0, p->logits, NULL);
}

// p(label | text) of every row; for the caller to free().
static ebm_status true_posteriors(const quickstart *q, const ebm_dataset *data, double **truth)
{
    const size_t count = ebm_dataset_count(data);
    *truth = calloc(count * Y, sizeof **truth);
    if (!*truth) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu posteriors", count);
    for (size_t i = 0; i < count; i++)
        ebm_grammar_posterior(q->grammar, ebm_dataset_row(data, i).text_a, *truth + i * Y);
    return ebm_ok();
}

static ebm_evaluation_options options_at(const quickstart *q, double temperature)
{
    ebm_evaluation_options options = ebm_evaluation_defaults();
    options.temperature = temperature;
    options.resamples = 0;
    options.seed = (uint64_t)q->set.seed;
    return options;
}

static ebm_status measure(const quickstart *q, const predictions *validation, const predictions *test,
                          const double *truth, quickstart_result *out)
{
    EBM_TRY(ebm_temperature_fit(&validation->rows, &out->fit));
    const ebm_evaluation_options raw = options_at(q, 1), scaled = options_at(q, out->fit.temperature);
    EBM_TRY(ebm_evaluate(&test->rows, &raw, &out->raw));
    EBM_TRY(ebm_evaluate(&test->rows, &scaled, &out->scaled));
    EBM_TRY(ebm_kl_from_truth(&test->rows, 1, truth, &out->kl_raw));
    EBM_TRY(ebm_kl_from_truth(&test->rows, out->fit.temperature, truth, &out->kl_scaled));
    return ebm_reliability_measure(&test->rows, 1, QUICKSTART_BINS, out->bin);
}

static ebm_status evaluate_model(quickstart *q, const char *name, const double *truth, quickstart_result *out)
{
    predictions validation = {0}, test = {0};
    ebm_predictor *predictor = NULL;
    char *path = ebm_path_join(q->directory, name);
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_predictor_open(q->device, path, 2048, &predictor), end);
    EBM_CHECK(predict(predictor, q->data[QUICKSTART_VALIDATION], &validation), end);
    EBM_CHECK(predict(predictor, q->data[QUICKSTART_TEST], &test), end);
    EBM_CHECK(measure(q, &validation, &test, truth, out), end);
    snprintf(out->fit.fitted_on, sizeof out->fit.fitted_on, "data/validation.tsv");
    status = ebm_temperature_save(path, &out->fit);
end:
    ebm_predictor_free(predictor);
    free_predictions(&validation);
    free_predictions(&test);
    free(path);
    return status;
}

static ebm_status evaluate_truth(const quickstart *q, const double *truth, ebm_evaluation *out)
{
    predictions p = {0};
    const ebm_evaluation_options options = options_at(q, 1);
    ebm_status status = allocate(q->data[QUICKSTART_TEST], &p);
    for (size_t i = 0; status.code == EBM_OK && i < p.rows.count * Y; i++) p.logits[i] = (float)log(truth[i]);
    if (status.code == EBM_OK) status = ebm_evaluate(&p.rows, &options, out);
    free_predictions(&p);
    return status;
}

// --- as text ---------------------------------------------------------------------------------------------------------

static void print_row(const char *name, const ebm_evaluation *e, double kl)
{
    printf("  %-34s %8.3f  %7.3f (%.3f)  %7.3f  %9.4f\n", name, e->value[EBM_ACCURACY], e->value[EBM_ECE_CLASS_WISE],
           e->floor[0].mean, e->value[EBM_NLL], kl);
}

static ebm_status print_report(const quickstart *q, const ebm_evaluation *truth, const quickstart_result *result)
{
    printf(
        "\n%zu test texts, %d labels; ECE class-wise, in brackets what a perfectly calibrated model would measure on\n"
        "so few; KL from the true posterior in nats; temperatures fitted on %zu validation texts\n\n",
        truth->examples, Y, ebm_dataset_count(q->data[QUICKSTART_VALIDATION]));
    printf("  %-34s %8s  %15s  %7s  %9s\n", "", "accuracy", "ECE (floor)  ", "NLL", "KL");
    print_row("true posterior (the best)", truth, 0);
    for (size_t i = 0; i < QUICKSTART_MODELS; i++) {
        char scaled[64];
        snprintf(scaled, sizeof scaled, "  at temperature %.2f", result[i].fit.temperature);
        print_row(quickstart_models[i].title, &result[i].raw, result[i].kl_raw);
        print_row(scaled, &result[i].scaled, result[i].kl_scaled);
    }
    for (size_t i = 0; i < QUICKSTART_MODELS; i++) {
        printf("\n%s, as trained:\n", quickstart_models[i].title);
        EBM_TRY(ebm_reliability_print(stdout, result[i].bin, QUICKSTART_BINS));
    }
    return ebm_ok();
}

// --- as JSON ---------------------------------------------------------------------------------------------------------

static json_t *evaluation_json(const ebm_evaluation *e, double kl)
{
    char *text = NULL;
    if (ebm_evaluation_json(e, &text).code != EBM_OK) return NULL;
    json_t *json = json_loads(text, 0, NULL);
    free(text);
    json_object_set_new(json, "kl_from_truth", json_real(kl));
    return json;
}

static json_t *result_json(const quickstart_result *r)
{
    return json_pack("{s:f, s:o, s:o}", "temperature", r->fit.temperature, "raw", evaluation_json(&r->raw, r->kl_raw),
                     "scaled", evaluation_json(&r->scaled, r->kl_scaled));
}

static ebm_status make_json(const quickstart *q, const ebm_evaluation *truth, const quickstart_result *result,
                            double seconds, char **text)
{
    json_t *json =
        json_pack("{s:s, s:I, s:f, s:f, s:o}", "output_dir", q->set.output_dir, "seed", (json_int_t)q->set.seed,
                  "seconds", seconds, "noise_perplexity", q->perplexity, "true_posterior", evaluation_json(truth, 0));
    for (size_t i = 0; i < QUICKSTART_MODELS; i++)
        json_object_set_new(json, quickstart_models[i].key, result_json(&result[i]));
    *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    return *text ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for the report");
}

static ebm_status write_json(const quickstart *q, const char *text)
{
    char *path = ebm_path_join(q->directory, "results.json");
    const ebm_status status = ebm_file_write(path, text, strlen(text));
    free(path);
    return status;
}

ebm_status quickstart_report(quickstart *q, double seconds)
{
    quickstart_result result[QUICKSTART_MODELS] = {0};
    ebm_evaluation best;
    double *truth = NULL;
    char *text = NULL;
    ebm_status status = ebm_ok();
    EBM_CHECK(true_posteriors(q, q->data[QUICKSTART_TEST], &truth), end);
    EBM_CHECK(evaluate_truth(q, truth, &best), end);
    for (size_t i = 0; i < QUICKSTART_MODELS; i++)
        EBM_CHECK(evaluate_model(q, quickstart_models[i].directory, truth, &result[i]), end);
    EBM_CHECK(make_json(q, &best, result, seconds, &text), end);
    EBM_CHECK(write_json(q, text), end);
    ebm_program_progress_end();
    if (q->set.json)
        puts(text);
    else
        status = print_report(q, &best, result);
end:
    free(text);
    free(truth);
    return status;
}
