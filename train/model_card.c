#include "model_card.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "card_text.h"
#include "file.h"
#include "json_file.h"
#include "model_card_internal.h"

enum { CARD_LIMIT = 4 << 20 };

// On lines of their own, where no text of a user can stand: '<' is escaped in running text.
static const char BEGIN[] = "<!-- ebmcl: temperature -->\n", END[] = "<!-- ebmcl: end of temperature -->\n";

// ---- the files

const char *ebm_card_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

double ebm_card_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

long long ebm_card_count(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (long long)json_integer_value(value) : -1;
}

bool ebm_card_is_joint(const ebm_card *card) { return card->info.objective == EBM_OBJECTIVE_JOINT; }

const char *ebm_card_name(const ebm_card *card)
{
    const char *name = ebm_card_string(card->training, "name");
    return name ? name : "model";
}

static ebm_status read_temperature(const char *directory, ebm_card *card)
{
    char *path = ebm_path_join(directory, EBM_CALIBRATION_FILE);
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    const bool there = ebm_file_exists(path);
    free(path);
    if (!there) return ebm_ok();
    EBM_TRY(ebm_calibrator_load(directory, &card->calibrator));
    card->averaging = ebm_calibrator_facts_of(card->calibrator)->averaging;
    const ebm_temperature *fit = ebm_calibrator_temperature(card->calibrator);
    if (!fit) return ebm_ok();
    card->has_temperature = true;
    card->fit = *fit;
    ebm_calibrator_free(card->calibrator);
    card->calibrator = NULL;
    return ebm_ok();
}

static ebm_status read_files(const char *directory, ebm_card *card)
{
    EBM_TRY(ebm_config_load(directory, &card->config));
    EBM_TRY(ebm_json_file_read(directory, "training_args.json", &card->settings));
    EBM_TRY(ebm_json_file_read(directory, "train_results.json", &card->training));
    EBM_TRY(ebm_json_file_read(directory, "eval_results.json", &card->evaluation));
    EBM_TRY(ebm_json_file_read(directory, "noise.json", &card->roles));
    return ebm_model_directory_info(directory, &card->info);
}

ebm_status ebm_card_read(const char *directory, ebm_card *card)
{
    *card = (ebm_card){0};
    ebm_status status = read_files(directory, card);
    if (status.code == EBM_OK) status = read_temperature(directory, card);
    if (status.code != EBM_OK) ebm_card_free(card);
    return status;
}

void ebm_card_free(ebm_card *card)
{
    ebm_calibrator_free(card->calibrator);
    ebm_config_free(card->config);
    json_decref(card->settings);
    json_decref(card->training);
    json_decref(card->evaluation);
    json_decref(card->roles);
    *card = (ebm_card){0};
}

// ---- the card of a classifier

static void put_introduction(FILE *out, const ebm_card *card)
{
    const char *base = ebm_card_string(card->training, "base_model"),
               *from = ebm_card_string(card->training, "folded_from");
    fputs("# ", out);
    ebm_card_markdown(out, ebm_card_name(card));
    fprintf(out, "\n\nA text classifier (%s", ebm_family_name(card->config->family));
    if (base) {
        fputs(", fine-tuned from ", out);
        ebm_card_markdown(out, base);
    }
    fputc(')', out);
    if (ebm_card_is_joint(card))
        fprintf(
            out,
            ", trained with ebmcl jointly with an energy-based model so that its probabilities can be trusted: energy"
            " `%s`, %d noise sample%s for each text. The method is that of He, McCann, Xiong and Hosseini-Asl, *Joint"
            " Energy-based Model Training for Better Calibrated Natural Language Understanding Models* (EACL "
            "2021).\n\n",
            ebm_energy_name(card->info.energy), card->info.noise_ratio, card->info.noise_ratio == 1 ? "" : "s");
    else if (card->training && !from)
        fputs(", trained with ebmcl by cross-entropy.\n\n", out);
    else
        fputs(".\n\n", out);
    if (card->info.method[0]) {
        fputs("Trained with: ", out);
        ebm_card_markdown(out, card->info.method);
        fputs(".\n\n", out);
    }
    if (!from) return;
    fputs("It is ", out);
    ebm_card_markdown(out, from);
    const bool other = card->calibrator && ebm_calibrator_facts_of(card->calibrator)->folded;
    fprintf(out, " with %s folded into its last layer by ebmcl; everything else is as it was there.\n\n",
            other ? "a calibrator" : "a temperature");
}

static void put_labels(FILE *out, const ebm_card *card)
{
    const char *task = ebm_card_string(card->training, "task_name");
    fputs("## Task\n\n", out);
    if (task) {
        fputs("GLUE task ", out);
        ebm_card_markdown(out, task);
        fputs(". ", out);
    }
    fputs(json_is_true(json_object_get(card->training, "pairs")) ? "One label for a pair of texts:\n\n"
                                                                 : "One label for a text:\n\n",
          out);
    fputs("| id | label |\n|---|---|\n", out);
    for (size_t i = 0; i < card->config->label_count; i++) {
        fprintf(out, "| %zu | ", i);
        ebm_card_markdown(out, card->config->labels[i]);
        fputs(" |\n", out);
    }
    fputc('\n', out);
}

static void put_texts(FILE *out, const char *use, const char *file, const char *otherwise, long long texts,
                      double tokens)
{
    if (texts < 0) return;
    fprintf(out, "| %s | ", use);
    ebm_card_markdown(out, file ? file : otherwise);
    fprintf(out, " | %lld |", texts);
    if (isfinite(tokens)) fprintf(out, " %.1f", tokens);
    fputs(" |\n", out);
}

static void put_noise(FILE *out, const json_t *training)
{
    const char *noise = ebm_card_string(training, "noise");
    const long long used = ebm_card_count(training, "noise_used"), made = ebm_card_count(training, "noise_generated");
    if (!noise) return;
    fputs("\nNoise texts: ", out);
    ebm_card_markdown(out, noise);
    if (used > 0 && made > 0)
        fprintf(out, ", %lld used of %lld generated (%.1f %% malformed, %.1f %% equal to training texts)", used, made,
                100.0 * (double)ebm_card_count(training, "noise_malformed") / (double)made,
                100.0 * (double)ebm_card_count(training, "noise_duplicates") / (double)made);
    fputs(".\n", out);
}

static void put_training(FILE *out, const ebm_card *card)
{
    const json_t *t = card->training;
    if (ebm_card_count(t, "train_samples") < 0) return;
    fputs("## Training\n\n| use | file | texts | mean tokens |\n|---|---|---|---|\n", out);
    put_texts(out, "training", ebm_card_string(t, "train_file"), "the task's own", ebm_card_count(t, "train_samples"),
              ebm_card_number(t, "train_mean_tokens"));
    put_texts(out, "validation", ebm_card_string(t, "validation_file"), "the task's own",
              ebm_card_count(t, "validation_samples"), ebm_card_number(t, "validation_mean_tokens"));
    put_noise(out, t);
    fprintf(out, "\n%lld steps.\n\n", ebm_card_count(t, "steps"));
    ebm_card_settings(out, card);
}

static void put_marked(FILE *out, const ebm_card *card)
{
    fputs(BEGIN, out);
    ebm_card_probabilities(out, card);
    fputs(END, out);
}

static void put_classifier(FILE *out, const ebm_card *card)
{
    put_introduction(out, card);
    put_labels(out, card);
    fprintf(out, "## Probabilities%s\n\n", ebm_card_is_joint(card) ? " and energy" : "");
    put_marked(out, card);
    fputc('\n', out);
    ebm_card_evaluation(out, card);
    put_training(out, card);
}

static ebm_status close_stream(FILE *out, char **built, char **text)
{
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(*built);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a model card");
    }
    *text = *built;
    return ebm_ok();
}

static void put_whole(FILE *out, const ebm_card *card)
{
    ebm_card_front_matter(out, card);
    fputc('\n', out);
    if (card->roles)
        ebm_card_noise_model(out, card);
    else
        put_classifier(out, card);
}

static ebm_status text_of(const char *directory, void (*put)(FILE *out, const ebm_card *card), char **text)
{
    ebm_card card;
    char *built = NULL;
    size_t size = 0;
    EBM_TRY(ebm_card_read(directory, &card));
    FILE *out = open_memstream(&built, &size);
    if (out) put(out, &card);
    const ebm_status status =
        out ? close_stream(out, &built, text) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a model card");
    ebm_card_free(&card);
    return status;
}

ebm_status ebm_model_card_text(const char *directory, char **text) { return text_of(directory, put_whole, text); }

static ebm_status write_card(const char *directory, const char *text, size_t bytes)
{
    char *path = ebm_path_join(directory, EBM_CARD_FILE);
    const ebm_status status = ebm_file_write(path, text, bytes);
    free(path);
    return status;
}

ebm_status ebm_model_card_write(const char *directory)
{
    char *text = NULL;
    EBM_TRY(ebm_model_card_text(directory, &text));
    const ebm_status status = write_card(directory, text, strlen(text));
    free(text);
    return status;
}

// ---- cards that are there already

// NULL without error when there is none, or none that is text.
static ebm_status read_card(const char *directory, char **text, size_t *bytes)
{
    *text = NULL;
    char *path = ebm_path_join(directory, EBM_CARD_FILE);
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    const ebm_status status = ebm_file_exists(path) ? ebm_file_read(path, CARD_LIMIT, text, bytes) : ebm_ok();
    free(path);
    if (!*text || strlen(*text) == *bytes) return status;
    free(*text);
    *text = NULL;
    return status;
}

static const char *find_line(const char *text, const char *line)
{
    const char *found = strstr(text, line);
    while (found && found != text && found[-1] != '\n') found = strstr(found + 1, line);
    return found;
}

// The card with the marked part replaced; without one, put at its end under a heading, or (append = false) *made =
// NULL.
static ebm_status replace_part(const char *card, size_t bytes, const char *part, bool append, char **made)
{
    const char *begin = find_line(card, BEGIN), *end = begin ? find_line(begin, END) : NULL;
    int length;
    *made = NULL;
    if (begin && end)
        length = asprintf(made, "%.*s%s%s", (int)(begin - card), card, part, end + strlen(END));
    else if (append)
        length =
            asprintf(made, "%s%s\n## Temperature\n\n%s", card, bytes > 0 && card[bytes - 1] != '\n' ? "\n" : "", part);
    else
        return ebm_ok();
    if (length >= 0) return ebm_ok();
    *made = NULL;
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a model card");
}

ebm_status ebm_model_card_check(const char *directory)
{
    char *card = NULL;
    size_t bytes = 0;
    EBM_TRY(read_card(directory, &card, &bytes));
    const bool ours = card && find_line(card, BEGIN);
    free(card);
    if (!ours) return ebm_ok();
    ebm_card files = {0};
    const ebm_status status = read_files(directory, &files);
    ebm_card_free(&files);
    return status;
}

ebm_status ebm_model_card_update(const char *directory, bool *updated)
{
    char *card = NULL, *part = NULL, *made = NULL;
    size_t bytes = 0;
    ebm_status status = ebm_ok();
    *updated = false;
    EBM_CHECK(read_card(directory, &card, &bytes), end);
    if (!card || !find_line(card, BEGIN)) goto end;
    EBM_CHECK(text_of(directory, put_marked, &part), end);
    EBM_CHECK(replace_part(card, bytes, part, false, &made), end);
    if (!made) goto end;
    EBM_CHECK(write_card(directory, made, strlen(made)), end);
    *updated = true;
end:
    free(card);
    free(part);
    free(made);
    return status;
}

// Byte for byte what ebmcl would write from the files beside it.
static bool is_untouched(const char *directory, const char *card)
{
    char *text = NULL;
    const bool same = ebm_model_card_text(directory, &text).code == EBM_OK && strcmp(text, card) == 0;
    free(text);
    return same;
}

ebm_status ebm_model_card_carry_over(const char *source, const char *directory)
{
    char *card = NULL, *part = NULL, *made = NULL;
    size_t bytes = 0;
    ebm_status status = ebm_ok();
    EBM_CHECK(read_card(source, &card, &bytes), end);
    if (!card || is_untouched(source, card)) {
        status = ebm_model_card_write(directory);
        goto end;
    }
    EBM_CHECK(text_of(directory, put_marked, &part), end);
    EBM_CHECK(replace_part(card, bytes, part, true, &made), end);
    status = write_card(directory, made, strlen(made));
end:
    free(card);
    free(part);
    free(made);
    return status;
}
