// The part of a model card that depends on the temperature: how probabilities and energies are read.
#include "card_text.h"
#include "model_card_internal.h"

static void put_fit(FILE *out, const ebm_temperature *fit)
{
    fputs("Fitted on ", out);
    ebm_card_markdown(out, *fit->fitted_on ? fit->fitted_on : "held-out texts");
    fprintf(out, " (%zu texts), whose negative log-likelihood went from %.4f to %.4f.\n\n", fit->examples,
            fit->nll_before, fit->nll_after);
}

static void put_calibrator(FILE *out, const ebm_calibrator *calibrator)
{
    const ebm_calibrator_facts *facts = ebm_calibrator_facts_of(calibrator);
    const char *name = ebm_calibrator_name(facts->kind);
    ebm_temperature fit = {.examples = facts->examples, .nll_before = facts->nll_before, .nll_after = facts->nll_after};
    snprintf(fit.fitted_on, sizeof fit.fitted_on, "%s", facts->fitted_on);
    if (facts->folded)
        fprintf(out,
                "The last layer's weights and bias hold a calibrator, `%s`, so the softmax of the logits is calibrated"
                " in any tool and nothing is left to be done. ",
                name);
    else
        fprintf(
            out,
            "A calibrator, `%s`, lies in `calibration.json`; `ebmcl predict --calibrated` applies it, and the softmax"
            " below is without it. ",
            name);
    put_fit(out, &fit);
}

static bool is_averaged(const ebm_card *card) { return !ebm_averaging_is_none(&card->averaging); }

// What was fitted is not for the model alone, which is what the code below runs.
static void put_averaged(FILE *out, const ebm_card *card)
{
    const ebm_averaging *a = &card->averaging;
    const char *kind = card->calibrator ? ebm_calibrator_name(ebm_calibrator_facts_of(card->calibrator)->kind) : NULL;
    char text[1200];
    if (kind)
        fprintf(out, "A calibrator, `%s`, ", kind);
    else
        fprintf(out, "A temperature, %.6g, ", card->fit.temperature);
    fputs("lies in `calibration.json`. It was fitted on, and is for, ", out);
    ebm_card_markdown(out, ebm_averaging_text(a, text, sizeof text));
    fputs(", the probabilities averaged", out);
    if (a->mc_dropout > 0) fputs(" (Gal and Ghahramani 2016)", out);
    if (a->models > 1) fputs(" (Lakshminarayanan et al. 2017)", out);
    fputs("; `ebmcl predict --calibrated", out);
    if (a->mc_dropout > 0) fprintf(out, " --mc_dropout %zu", a->mc_dropout);
    if (a->models > 1) fputs(" --ensemble ...", out);
    fputs("` applies it. The softmax below is that of this model alone, without it.\n\n", out);
}

static void put_temperature(FILE *out, const ebm_card *card)
{
    const ebm_temperature *fit = &card->fit;
    if (is_averaged(card)) {
        put_averaged(out, card);
        return;
    }
    if (card->calibrator) {
        put_calibrator(out, card->calibrator);
        return;
    }
    if (!card->has_temperature) {
        fputs("No temperature was fitted yet (`ebmcl calibrate` does it on held-out texts): probabilities are the"
              " softmax of the logits.\n\n",
              out);
        return;
    }
    if (fit->folded > 0) {
        fprintf(out,
                "The last layer's weights and bias are divided by a temperature, %.6g, so the softmax of the logits is"
                " calibrated in any tool and nothing is left to be done. ",
                fit->folded);
    } else {
        fprintf(out,
                "Divide the logits by the temperature **%.6g** before softmax (`calibration.json`). It changes no"
                " prediction, only how sure the model says it is. ",
                fit->temperature);
        if (card->info.logits_divided_by > 0)
            fprintf(out, "The last layer is divided by %.6g already; this is what was left. ",
                    card->info.logits_divided_by);
    }
    put_fit(out, fit);
}

// What the logits are to be multiplied by to be those the energy was trained with.
static double energy_scale(const ebm_card *card)
{
    return card->info.logits_divided_by > 0 ? card->info.logits_divided_by : 1;
}

static void put_energy_code(FILE *out, const ebm_card *card)
{
    const double scale = energy_scale(card);
    char logits[64] = "logits";
    if (scale != 1) snprintf(logits, sizeof logits, "(%.9g * logits)", scale);
    switch (card->info.energy) {
    case EBM_ENERGY_HIDDEN:
        fprintf(out, "energy = -torch.logsumexp(%s, -1)\n", logits);
        break;
    case EBM_ENERGY_SHARP_HIDDEN:
        fprintf(out, "energy = -%s.max(-1).values\n", logits);
        break;
    case EBM_ENERGY_SCALAR:
        fprintf(out,
                "head = load_file(path + \"/energy.safetensors\")\n"
                "with torch.no_grad():\n"
                "    last = model.base_model(**inputs).last_hidden_state\n%s"
                "dense = torch.tanh(text @ head[\"energy.dense.weight\"].T + head[\"energy.dense.bias\"])\n"
                "energy = (dense @ head[\"energy.out_proj.weight\"].T + head[\"energy.out_proj.bias\"])[:, 0]\n",
                card->config->pooling == EBM_POOLING_MEAN
                    ? "mask = inputs[\"attention_mask\"][..., None]\ntext = (last * mask).sum(1) / mask.sum(1)\n"
                    : "text = last[:, 0]\n");
    }
}

static void put_code(FILE *out, const ebm_card *card)
{
    const bool scalar = ebm_card_is_joint(card) && card->info.energy == EBM_ENERGY_SCALAR;
    const bool pairs = json_is_true(json_object_get(card->training, "pairs"));
    const size_t longest = card->info.max_tokens ? card->info.max_tokens : ebm_config_max_tokens(card->config);
    fprintf(out,
            "```python\nimport torch\n%sfrom transformers import AutoModelForSequenceClassification, AutoTokenizer\n\n"
            "path = \"path/to/this/model\"\n"
            "tokenizer = AutoTokenizer.from_pretrained(path)\n"
            "model = AutoModelForSequenceClassification.from_pretrained(path).eval()\n"
            "texts = [\"A text.\"]%s\n"
            "inputs = tokenizer(%s, truncation=True, max_length=%zu, padding=True, return_tensors=\"pt\")\n"
            "with torch.no_grad():\n"
            "    logits = model(**inputs).logits\n",
            scalar ? "from safetensors.torch import load_file\n" : "", pairs ? ", [\"The other of the pair.\"]" : "",
            pairs ? "*texts" : "texts", longest);
    if (card->has_temperature && !is_averaged(card) && card->fit.temperature != 1)
        fprintf(out, "probabilities = torch.softmax(logits / %.9g, -1)\n", card->fit.temperature);
    else
        fputs("probabilities = torch.softmax(logits, -1)\n", out);
    if (ebm_card_is_joint(card)) put_energy_code(out, card);
    fputs("```\n", out);
}

void ebm_card_probabilities(FILE *out, const ebm_card *card)
{
    put_temperature(out, card);
    put_code(out, card);
    if (!ebm_card_is_joint(card)) return;
    fputs("\nThe energy says how little a text is like those the model was trained on: lower is more like them. ", out);
    if (card->info.energy == EBM_ENERGY_SCALAR)
        fputs("It has a head of its own, in `energy.safetensors`, which no temperature touches.\n", out);
    else if (energy_scale(card) != 1)
        fputs("It is a function of the logits before they were divided, so they are multiplied back.\n", out);
    else
        fputs("It is a function of the logits as they are, whatever the temperature.\n", out);
}
