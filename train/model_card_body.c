// The evaluation and the settings in a model card.
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "card_text.h"
#include "metrics.h"
#include "model_card_internal.h"

// ---- what it was measured with

static void put_metric(FILE *out, const json_t *e, ebm_metric m)
{
    char key[64];
    const char *name = ebm_metric_name(m);
    const double value = ebm_card_number(e, name);
    if (!isfinite(value)) return;
    fprintf(out, "| %s | %.4f |", name, value);
    snprintf(key, sizeof key, "%s_low", name);
    const double low = ebm_card_number(e, key);
    snprintf(key, sizeof key, "%s_high", name);
    if (isfinite(low)) fprintf(out, " %.4f to %.4f", low, ebm_card_number(e, key));
    snprintf(key, sizeof key, "%s_floor", name);
    const double floor = ebm_card_number(e, key);
    snprintf(key, sizeof key, "%s_floor_95", name);
    if (isfinite(floor))
        fprintf(out, " | %.4f (95 %%: %.4f) |\n", floor, ebm_card_number(e, key));
    else
        fputs(" | |\n", out);
}

static void put_reliability(FILE *out, const json_t *rows)
{
    const json_t *row;
    size_t i;
    if (json_array_size(rows) == 0) return;
    fputs(
        "\nReliability, by the probability of the predicted label: a calibrated model is right as often as it says.\n\n"
        "| probability | texts | mean probability | share right |\n|---|---|---|---|\n",
        out);
    json_array_foreach(rows, i, row)
    {
        const long long count = ebm_card_count(row, "count");
        const bool last = i + 1 == json_array_size(rows);
        if (count <= 0) continue;
        fprintf(out, "| [%.2f, %.2f%c | %lld | %.4f | %.4f |\n", ebm_card_number(row, "low"),
                ebm_card_number(row, "high"), last ? ']' : ')', count, ebm_card_number(row, "confidence"),
                ebm_card_number(row, "accuracy"));
    }
}

static void put_separation(FILE *out, const ebm_card *card)
{
    const double apart = ebm_card_number(card->evaluation, "told_apart");
    if (!isfinite(apart)) return;
    fprintf(
        out,
        "\nBy its energy the model tells validation texts from noise it was not trained on in %.1f %% of cases (AUROC "
        "%.3f); the mean of e^(-E) over that noise is %.3f (1 where the energy model is normalised).\n",
        100 * apart, ebm_card_number(card->evaluation, "told_apart_auroc"),
        ebm_card_number(card->evaluation, "mean_exp_minus_energy_noise"));
    const double effective = ebm_card_number(card->evaluation, "effective_sample_share");
    if (isfinite(effective))
        fprintf(out,
                "Weighted by e^(-E), that noise is worth %.1f %% of its number (effective sample size: 100 %% where all"
                " energies are equal).\n",
                100 * effective);
}

static void put_evaluated_on(FILE *out, const ebm_card *card)
{
    const json_t *e = card->evaluation;
    const char *source = ebm_card_string(e, "source");
    const long long step = ebm_card_count(e, "step");
    fputs("On ", out);
    ebm_card_markdown(out, source ? source : "validation texts");
    fprintf(out, " (%lld texts)", ebm_card_count(e, "examples"));
    if (step >= 0) fprintf(out, ", with the weights of step %lld, the best by the metric chosen", step);
    if (json_is_true(json_object_get(e, "fitted_here")))
        fprintf(out,
                ", with the %s in the weights. The %s was fitted on these same texts, so calibration looks a little"
                " better here than elsewhere",
                card->calibrator ? "calibrator" : "temperature", card->calibrator ? "calibrator" : "temperature");
    else if (ebm_card_number(e, "temperature") == 1)
        fputs(", without a temperature", out);
    fputs(".\n\n", out);
}

void ebm_card_evaluation(FILE *out, const ebm_card *card)
{
    const json_t *e = card->evaluation;
    fputs("## Evaluation\n\n", out);
    if (!isfinite(ebm_card_number(e, ebm_metric_name(EBM_ACCURACY)))) {
        fputs("There were no validation texts: nothing was measured.\n\n", out);
        return;
    }
    put_evaluated_on(out, card);
    fputs("| metric | value | 95 % interval | floor |\n|---|---|---|---|\n", out);
    for (ebm_metric m = 0; m < EBM_METRICS; m++) put_metric(out, e, m);
    fprintf(out,
            "\nIntervals: %lld bootstrap resamples; those of calibration errors lie high, as resampling adds noise. "
            "Calibration"
            " errors: %lld bins of equal width. Floor: what a perfectly calibrated model would show on so few texts;"
            " differences near it mean nothing. A lower value is better from nll on.\n",
            ebm_card_count(e, "resamples"), ebm_card_count(e, "bins"));
    put_separation(out, card);
    put_reliability(out, json_object_get(e, "reliability"));
    fputc('\n', out);
}

// ---- how it was trained

bool ebm_card_is_path(const char *option, const char *value)
{
    static const char *const paths[] = {"model_name_or_path", "encoder",       "init_embeddings_from",
                                        "data_dir",           "train_file",    "validation_file",
                                        "test_file",          "noise_model",   "noise_mlm",
                                        "noise_file",         "pretrain_files"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (strcmp(option, paths[i]) == 0) return true;
    return *value == '/' || *value == '~' || strncmp(value, "./", 2) == 0 || strncmp(value, "../", 3) == 0;
}

static void put_text_value(FILE *out, const char *option, const char *value)
{
    char *base = ebm_card_is_path(option, value) ? ebm_card_base_name(value) : NULL;
    ebm_card_markdown(out, base ? base : value);
    free(base);
}

static void put_value(FILE *out, const char *option, const json_t *value)
{
    const json_t *item;
    size_t i;
    if (json_is_string(value)) {
        put_text_value(out, option, json_string_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (i > 0) fputs(", ", out);
            put_value(out, option, item);
        }
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        fputs(text ? text : "", out);
        free(text);
    }
}

static bool is_of_the_run(const char *option)
{
    static const char *const left_out[] = {"output_dir", "overwrite_output_dir", "resume_from_checkpoint", "device",
                                           "json"};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
        if (strcmp(option, left_out[i]) == 0) return true;
    return false;
}

// As code, which needs no escapes, unless the file holds what no option is called.
static void put_option(FILE *out, const char *option)
{
    if (strspn(option, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(option))
        fprintf(out, "`%s`", option);
    else
        ebm_card_markdown(out, option);
}

void ebm_card_settings(FILE *out, const ebm_card *card)
{
    const char *key;
    json_t *value;
    if (json_object_size(card->settings) > 0) {
        fputs("| option | value |\n|---|---|\n", out);
        json_object_foreach(card->settings, key, value)
        {
            if (json_is_null(value) || is_of_the_run(key) || (json_is_array(value) && !json_array_size(value)))
                continue;
            fputs("| ", out);
            put_option(out, key);
            fputs(" | ", out);
            put_value(out, key, value);
            fputs(" |\n", out);
        }
        fputc('\n', out);
    }
    const char *version = ebm_card_string(card->training, "ebmcl_version"),
               *device = ebm_card_string(card->training, "device");
    const char *platform = ebm_card_string(card->training, "platform"),
               *driver = ebm_card_string(card->training, "driver");
    if (!version || !device) return;
    fputs("Made with ebmcl ", out);
    ebm_card_markdown(out, version);
    fputs(" on ", out);
    ebm_card_markdown(out, device);
    if (platform && driver) {
        fputs(" (", out);
        ebm_card_markdown(out, platform);
        fputs(", driver ", out);
        ebm_card_markdown(out, driver);
        fputc(')', out);
    }
    const char *precision = ebm_card_string(card->training, "precision");
    const bool bf16 = precision && strcmp(precision, "bf16") == 0;
    const char *activations = ebm_card_string(card->training, "activations");
    const bool half = activations && strcmp(activations, "fp16") == 0;
    fputs(bf16 ? ", products of matrices in bf16, all else in single precision" : ", in single precision", out);
    fputs(half ? ", activations stored as halves for the backward pass.\n" : ".\n", out);
}
