// The body of a noise model's card.
#include <math.h>

#include "card_text.h"
#include "model_card_internal.h"
#include "noise_model.h"

static void put_role(FILE *out, const json_t *roles, const char *key, const char *use)
{
    const char *token = ebm_card_string(roles, key);
    if (!token) return;
    fprintf(out, "| %s | ", use);
    ebm_card_markdown(out, token);
    fputs(" |\n", out);
}

static ebm_noise_objective objective_of(const ebm_card *card)
{
    const char *name = ebm_card_string(card->roles, "objective");
    ebm_noise_objective objective = EBM_NOISE_MASKED;
    if (name) ebm_noise_objective_by_name(name, &objective);
    return objective;
}

static void put_labels(FILE *out, const ebm_card *card)
{
    const json_t *label;
    size_t i;
    json_array_foreach(json_object_get(card->roles, "labels"), i, label)
    {
        fputs("| label ", out);
        ebm_card_markdown(out, json_is_string(label) ? json_string_value(label) : "?");
        fprintf(out, " | \\<LABEL\\_%zu> |\n", i);
    }
}

static void put_roles(FILE *out, const ebm_card *card)
{
    const ebm_noise_objective objective = objective_of(card);
    fprintf(out, "A sequence is %s%sthe start token, the whole text, the end token. ",
            ebm_noise_objective_has_label(objective) ? "the token of the text's label, " : "",
            ebm_noise_objective_has_mask(objective) ? "the text with runs of its tokens masked, " : "");
    fputs("`ebmcl noise"
          " sample` writes samples, `ebmcl train --noise_model` streams them while a classifier is trained;"
          " `AutoModelForCausalLM` of transformers loads it.\n\n| role | token |\n|---|---|\n",
          out);
    put_role(out, card->roles, "mask_token", "mask: a run of masked tokens");
    put_role(out, card->roles, "separator_token", "between the texts of a pair");
    put_role(out, card->roles, "start_token", "start of the text");
    put_role(out, card->roles, "end_token", "end of the text");
    put_labels(out, card);
    fputc('\n', out);
}

static void put_names(FILE *out, const json_t *files)
{
    const json_t *file;
    size_t i;
    json_array_foreach(files, i, file)
    {
        const char *name = ebm_card_string(file, "file");
        if (i > 0) fputs(", ", out);
        ebm_card_markdown(out, name ? name : "?");
    }
}

static void put_file(FILE *out, const char *use, const char *file, long long texts)
{
    if (texts <= 0) return;
    fprintf(out, "| %s | ", use);
    ebm_card_markdown(out, file);
    fprintf(out, " | %lld |\n", texts);
}

static void put_texts(FILE *out, const json_t *t)
{
    const char *train = ebm_card_string(t, "train_file"), *held = ebm_card_string(t, "validation_file");
    const bool task = ebm_card_string(t, "task_name") != NULL;
    fputs("| use | file | texts |\n|---|---|---|\n", out);
    if (ebm_card_count(t, "pretrain_sentences") > 0) {
        fputs("| plain text first | ", out);
        put_names(out, json_object_get(t, "pretrain_files"));
        fprintf(out, " | %lld |\n", ebm_card_count(t, "pretrain_sentences"));
    }
    put_file(out, "training", train ? train : "the task's own", ebm_card_count(t, "train_samples"));
    put_file(out, "held out",
             held             ? held
             : train || !task ? "some of the training texts"
                              : "the task's own",
             ebm_card_count(t, "held_out_samples"));
}

static void put_training(FILE *out, const ebm_card *card)
{
    const json_t *t = card->training;
    const char *task = ebm_card_string(t, "task_name");
    if (ebm_card_count(t, "train_samples") < 0) return;
    fputs("## Training\n\n", out);
    if (task) {
        fputs("GLUE task ", out);
        ebm_card_markdown(out, task);
        fputs(".\n\n", out);
    }
    put_texts(out, t);
    const double perplexity = ebm_card_number(t, "perplexity");
    if (isfinite(perplexity) && perplexity > 0) {
        static const char *const given[EBM_NOISE_OBJECTIVES] = {" given its masked form", "", " given its label",
                                                                " given its label and its masked form"};
        fprintf(out,
                "\nPerplexity on the held-out texts, a token of the whole text%s: **%.4f** (step %lld, the best).\n",
                given[objective_of(card)], perplexity, ebm_card_count(t, "best_step"));
    }
    fputc('\n', out);
    ebm_card_settings(out, card);
}

void ebm_card_noise_model(FILE *out, const ebm_card *card)
{
    const char *base = ebm_card_string(card->training, "base_model");
    fputs("# ", out);
    ebm_card_markdown(out, ebm_card_name(card));
    fprintf(out, "\n\nA noise model (GPT-2, %zu layers of %zu, %zu tokens", card->config->layers, card->config->hidden,
            card->config->vocabulary);
    if (base) {
        fputs(", from ", out);
        ebm_card_markdown(out, base);
    }
    fputs(") for ebmcl: it writes texts that are hard to tell from those of a task, for training a classifier jointly "
          "with an"
          " energy-based model. It is not meant for generating text for people.\n\n",
          out);
    put_roles(out, card);
    put_training(out, card);
}
