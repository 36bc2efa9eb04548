// The front matter of a model card. Keys and their order: the hub's model card metadata.
#include <math.h>
#include <string.h>

#include "card_text.h"
#include "metrics.h"
#include "model_card_internal.h"
#include "task.h"

// The hub's name of a metric and what people call it.
static const struct {
    const char *type, *name;
} METRICS[EBM_METRICS] = {
    [EBM_ACCURACY] = {"accuracy", "Accuracy"},
    [EBM_F1] = {"f1", "F1"},
    [EBM_MACRO_F1] = {"f1", "Macro F1"},
    [EBM_MATTHEWS] = {"matthews_correlation", "Matthews correlation"},
    [EBM_NLL] = {"nll", "Negative log-likelihood"},
    [EBM_BRIER] = {"brier_score", "Brier score"},
    [EBM_ECE_CLASS_WISE] = {"ece", "Expected calibration error, class-wise"},
    [EBM_ECE_TOP_LABEL] = {"ece", "Expected calibration error, top label"},
    [EBM_ECE_POOLED] = {"ece", "Expected calibration error, pooled"},
};

static const ebm_task *task_of(const json_t *results)
{
    const char *name = ebm_card_string(results, "task_name");
    const ebm_task *task = NULL;
    return name && ebm_task_find(name, &task).code == EBM_OK ? task : NULL;
}

static bool is_defined(const ebm_card *card, ebm_metric m)
{
    return isfinite(ebm_card_number(card->evaluation, ebm_metric_name(m)));
}

static void put_base_model(FILE *out, const ebm_card *card)
{
    const char *name = ebm_card_string(card->training, "base_model");
    if (!name) name = ebm_card_string(card->training, "folded_from");
    if (!name || !ebm_card_is_repository(name)) return;
    fputs("base_model: ", out);
    ebm_card_yaml(out, name);
    fputc('\n', out);
}

static void put_metric_types(FILE *out, const ebm_card *card)
{
    static const ebm_metric listed[] = {EBM_ACCURACY, EBM_F1, EBM_MATTHEWS, EBM_BRIER};
    if (!is_defined(card, EBM_ACCURACY)) return;
    fputs("metrics:\n", out);
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        if (is_defined(card, listed[i])) fprintf(out, "- %s\n", METRICS[listed[i]].type);
}

static void put_tags(FILE *out, const ebm_card *card)
{
    fputs("tags:\n- ebmcl\n", out);
    if (card->roles)
        fputs("- noise-model\n", out);
    else
        fputs("- calibration\n", out);
    if (ebm_card_is_joint(card)) fputs("- energy-based-model\n", out);
}

// The data set of a result: GLUE's own files by their name on the hub, others by the file and its kind, as the datasets
// library calls it.
static void put_dataset(FILE *out, const ebm_card *card)
{
    const char *source = ebm_card_string(card->evaluation, "source");
    const char *file = ebm_card_string(card->evaluation, "file");
    const ebm_task *task = task_of(card->evaluation);
    fputs("    dataset:\n      name: ", out);
    if (!file && task) {
        fprintf(out, "\"GLUE %s\"\n      type: nyu-mll/glue\n      config: %s\n      split: validation%s\n",
                task->folder, task->name, strcmp(task->name, "mnli") == 0 ? "_matched" : "");
        return;
    }
    ebm_card_yaml(out, file ? file : source ? source : "unknown");
    fprintf(out, "\n      type: %s\n", file && strstr(file, ".json") ? "json" : "csv");
}

static void put_results(FILE *out, const ebm_card *card)
{
    if (!is_defined(card, EBM_ACCURACY)) return;
    fputs("model-index:\n- name: ", out);
    ebm_card_yaml(out, ebm_card_name(card));
    fputs("\n  results:\n  - task:\n      type: text-classification\n      name: Text classification\n", out);
    put_dataset(out, card);
    fputs("    metrics:\n", out);
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        if (!is_defined(card, m)) continue;
        fprintf(out, "    - type: %s\n      name: \"%s\"\n      value: %.6f\n", METRICS[m].type, METRICS[m].name,
                ebm_card_number(card->evaluation, ebm_metric_name(m)));
    }
}

static void put_perplexity(FILE *out, const ebm_card *card)
{
    if (isfinite(ebm_card_number(card->training, "perplexity"))) fputs("metrics:\n- perplexity\n", out);
}

// Language and licence are not known here, so they are left to the author.
void ebm_card_front_matter(FILE *out, const ebm_card *card)
{
    fprintf(out, "---\nlibrary_name: transformers\npipeline_tag: %s\n",
            card->roles ? "text-generation" : "text-classification");
    put_base_model(out, card);
    if (task_of(card->training) && !ebm_card_string(card->training, "train_file"))
        fputs("datasets:\n- nyu-mll/glue\n", out);
    put_tags(out, card);
    if (card->roles) {
        put_perplexity(out, card);
    } else {
        put_metric_types(out, card);
        put_results(out, card);
    }
    fputs("---\n", out);
}
