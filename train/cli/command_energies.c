// ebmcl energies: what a model's energies say of data, noise and other texts, and noise picked by them.
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "energy_results.h"
#include "file.h"
#include "json_output.h"
#include "model_source.h"
#include "noise_model.h"
#include "noise_options.h"
#include "program.h"

enum { NOISE_SAMPLES = 1000 };

typedef struct {
    ebm_data_options data;
    ebm_noise_options noise;
    const char *model, *samples_file, *judge, *device;
    ebm_string_list ood_files, betas;
    size_t max_length, token_budget, noise_samples, examples, resamples;
    double ratio, bin_width, samples_beta;
    int64_t seed;
    bool bf16, json;
} energies_options;

#define AT(member) offsetof(energies_options, member)
static const ebm_option OPTIONS[] = {
    {"model_name_or_path", EBM_OPTION_MODEL, AT(model), NULL,
     .help = "A model trained to classify: directory or hub name; one without an energy has -logsumexp of its logits",
     .required = true},
    EBM_DATA_OPTIONS(energies_options, data),
    EBM_NOISE_OPTIONS(energies_options, noise),
    {"noise_samples", EBM_OPTION_SIZE, AT(noise_samples), "0",
     .help = "Noise texts; 0: all of a file, 1000 of another source", .least = 0, .most = 1e8},
    {"noise_ratio", EBM_OPTION_FLOAT, AT(ratio), "0", .help = "K of P(data | x); 0: as the model was trained, else 1",
     .least = 0, .most = 1e6},
    {"ood_files", EBM_OPTION_LIST, AT(ood_files), NULL,
     .help = "Texts of other distributions, each a set of its own: .tsv, .csv or .jsonl"},
    {"examples", EBM_OPTION_SIZE, AT(examples), "3", .help = "Texts shown of each end of each set", .least = 0,
     .most = 1e6},
    {"bin_width", EBM_OPTION_FLOAT, AT(bin_width), "0",
     .help = "Of the histograms, in nats; 0: 1, 2 or 5 times a power of ten, at most 24 bins", .least = 0, .most = 1e9},
    {"betas", EBM_OPTION_LIST, AT(betas), NULL,
     .help = "Of quasi-rejection sampling; default: .5, 1, 2, 4, 8 times Z and the largest weight, up to that"},
    {"samples_beta", EBM_OPTION_FLOAT, AT(samples_beta), "0",
     .help = "The beta of the accepted texts; 0: the largest that accepts a tenth, else the smallest", .least = 0,
     .most = 1e300},
    {"samples_file", EBM_OPTION_STRING, AT(samples_file), NULL,
     .help = "File for the accepted texts, one a line, pairs as A <SEP> B"},
    {"judge", EBM_OPTION_MODEL, AT(judge), NULL,
     .help = "A plain language model in GPT-2's form that had no part in the noise: perplexities of all sets; a noise "
             "model of the masked objective is a poor judge, it never saw a text without its masked form"},
    {"max_seq_length", EBM_OPTION_SIZE, AT(max_length), "0",
     .help = "Longest sequence in tokens; 0: as the model was trained"},
    {"token_budget", EBM_OPTION_SIZE, AT(token_budget), "0", .help = "Tokens of the largest packed batch; 0: 8192"},
    {"bootstrap_samples", EBM_OPTION_SIZE, AT(resamples), "1000", .help = "For the 95 % intervals; 0: none", .least = 0,
     .most = 1e6},
    {"seed", EBM_OPTION_INT, AT(seed), "0",
     .help = "Of noise, acceptances and intervals; another than training's, or its noise is met again", .least = 0,
     .most = 9e15},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
#undef AT
static const ebm_option_table TABLE = {
    "ebmcl energies",
    "Energies of data (--test_file, --validation_file or a task's development set), of noise and of other texts; what "
    "noise picked by its energy is like.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    const energies_options *o;
    energies_options *set; // the same, while it is being resolved
    const ebm_options *parsed;
    ebm_device *device;
    ebm_predictor *predictor;
    char energy[64];
    energy_results r;
} analysis;

// ---- options

static bool has_noise(const energies_options *o) { return ebm_noise_options_any(&o->noise); }

static ebm_status check_options(const energies_options *o)
{
    const bool noise = has_noise(o);
    if (o->data.validation_file && o->data.test_file)
        return ebm_fail(EBM_ERROR_INPUT, "--validation_file and --test_file are both given, expected one of them");
    if (!noise && o->betas.count)
        return ebm_fail(EBM_ERROR_INPUT, "--betas needs noise: --noise_file, --noise_model or another source");
    if (!noise && o->samples_beta > 0)
        return ebm_fail(EBM_ERROR_INPUT, "--samples_beta needs noise: --noise_file, --noise_model or another source");
    if (!noise && o->samples_file)
        return ebm_fail(EBM_ERROR_INPUT, "--samples_file needs noise: --noise_file, --noise_model or another source");
    if (o->betas.count >= ENERGY_BETAS_MOST)
        return ebm_fail(EBM_ERROR_INPUT, "--betas: at most %d expected, found %zu", ENERGY_BETAS_MOST - 1,
                        o->betas.count);
    return ebm_ok();
}

static ebm_status read_beta(const char *text, double *beta)
{
    char *end = NULL;
    errno = 0;
    *beta = strtod(text, &end);
    if (end != text && !*end && errno == 0 && *beta > 0 && isfinite(*beta)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "--betas: a number above 0 expected, found '%s'", text);
}

static ebm_status read_betas(const energies_options *o, double betas[ENERGY_BETAS_MOST])
{
    for (size_t b = 0; b < o->betas.count; b++) EBM_TRY(read_beta(o->betas.items[b], &betas[b]));
    return ebm_ok();
}

// ---- texts

static ebm_status read_data(const energies_options *o, ebm_dataset **texts)
{
    const ebm_split split = o->data.test_file ? EBM_SPLIT_TEST : EBM_SPLIT_DEV;
    EBM_TRY(ebm_program_read(&o->data, split, EBM_LABELS_IGNORED, NULL, texts));
    if (*texts) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT,
                    "texts are needed: --validation_file or --test_file, or --task_name with --data_dir");
}

static ebm_status read_other(const energies_options *o, const char *file, ebm_dataset **texts)
{
    ebm_data_options data = o->data;
    data.task_name = data.data_dir = data.train_file = data.validation_file = NULL;
    data.test_file = file;
    return ebm_program_read(&data, EBM_SPLIT_TEST, EBM_LABELS_IGNORED, NULL, texts);
}

static ebm_status read_noise_file(const energies_options *o, bool pairs, ebm_dataset **texts)
{
    ebm_dataset *all = NULL;
    EBM_TRY(ebm_dataset_read_noise(o->noise.file, pairs, &all));
    ebm_status status = ebm_ok();
    if (o->noise_samples > ebm_dataset_count(all))
        status = ebm_fail(EBM_ERROR_INPUT, "--noise_samples: %s has %zu texts, %zu expected", o->noise.file,
                          ebm_dataset_count(all), o->noise_samples);
    else if (ebm_dataset_count(all) == 0)
        status = ebm_fail(EBM_ERROR_INPUT, "%s: at least one text expected, found none", o->noise.file);
    else
        status = energy_texts_take(all, NULL, o->noise_samples ? o->noise_samples : SIZE_MAX, texts);
    ebm_dataset_free(all);
    return status;
}

static ebm_status stream_noise(const analysis *a, const ebm_dataset *training, ebm_program_noise *noise,
                               ebm_dataset **texts)
{
    const energies_options *o = a->o;
    const ebm_program_noise_settings settings = {
        .set = &o->noise,
        .training = training,
        .encoder = ebm_predictor_tokenizer(a->predictor),
        .max_length = o->noise.source != EBM_SOURCE_MODEL && o->max_length ? o->max_length : EBM_NOISE_MAX_TOKENS,
        .seed = (uint64_t)o->seed,
    };
    ebm_arena *arenas[EBM_PROGRAM_NOISE_ARENAS];
    EBM_TRY(ebm_program_noise_open(a->device, &settings, noise));
    const size_t count = ebm_program_noise_arenas(noise, arenas);
    if (count > 0) EBM_TRY(ebm_program_plan(a->device, arenas, count, "lower --noise_slots"));
    EBM_TRY(ebm_program_noise_allocate(noise));
    return energy_texts_stream(noise->stream, o->noise_samples ? o->noise_samples : NOISE_SAMPLES,
                               ebm_dataset_is_pairs(training), texts);
}

// A noise model of labelled texts is shown their labels.
static ebm_status find_label_use(const energies_options *o, ebm_label_use *use)
{
    ebm_tokenizer *tokenizer = NULL;
    ebm_noise_training training = {0};
    if (o->noise.source != EBM_SOURCE_MODEL) return ebm_ok();
    EBM_TRY(ebm_in(ebm_tokenizer_load(o->noise.model, &tokenizer), "--noise_model"));
    const ebm_status status = ebm_noise_training_read(o->noise.model, tokenizer, &training);
    ebm_tokenizer_free(tokenizer);
    EBM_TRY(ebm_in(status, "--noise_model"));
    if (ebm_noise_objective_has_label(training.objective)) *use = EBM_LABELS_REQUIRED;
    return ebm_ok();
}

static ebm_status read_noise(const analysis *a, bool pairs, ebm_dataset **texts)
{
    if (a->o->noise.source == EBM_SOURCE_FILE) return read_noise_file(a->o, pairs, texts);
    ebm_dataset *training = NULL;
    ebm_program_noise noise = {0};
    ebm_label_use use = EBM_LABELS_IGNORED;
    EBM_TRY(find_label_use(a->o, &use));
    EBM_TRY(ebm_program_read(&a->o->data, EBM_SPLIT_TRAIN, use, NULL, &training));
    ebm_status status = ebm_ok();
    if (!training)
        status = ebm_fail(EBM_ERROR_INPUT,
                          "noise is made from training texts, they are needed: --task_name with --data_dir, or "
                          "--train_file");
    if (status.code == EBM_OK) status = stream_noise(a, training, &noise, texts);
    ebm_program_noise_free(&noise);
    ebm_dataset_free(training);
    return status;
}

static ebm_status score(analysis *a, const char *name, ebm_dataset *texts)
{
    energy_set *set = &a->r.sets[a->r.count++];
    set->texts = (energy_texts){.name = name, .texts = texts}; // owned from here on
    return energy_texts_score(&set->texts, a->predictor, a->o->max_length);
}

static ebm_status score_all(analysis *a)
{
    const energies_options *o = a->o;
    ebm_dataset *texts = NULL;
    a->r.sets = calloc(2 + o->ood_files.count, sizeof *a->r.sets);
    if (!a->r.sets) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu sets of texts", 2 + o->ood_files.count);
    EBM_TRY(read_data(o, &texts));
    EBM_TRY(score(a, "data", texts));
    a->r.has_noise = has_noise(o);
    if (a->r.has_noise) {
        EBM_TRY(read_noise(a, ebm_dataset_is_pairs(a->r.sets[0].texts.texts), &texts));
        EBM_TRY(score(a, "noise", texts));
    }
    for (size_t i = 0; i < o->ood_files.count; i++) {
        EBM_TRY(read_other(o, o->ood_files.items[i], &texts));
        EBM_TRY(score(a, o->ood_files.items[i], texts));
    }
    return ebm_ok();
}

static ebm_status open_model(analysis *a)
{
    const energies_options *o = a->o;
    EBM_TRY(ebm_program_device(o->device, o->bf16, &a->device));
    EBM_TRY(ebm_predictor_open(a->device, o->model, o->token_budget, &a->predictor));
    const ebm_model_info info = ebm_predictor_info(a->predictor);
    const bool joint = ebm_predictor_has_energy(a->predictor);
    snprintf(a->energy, sizeof a->energy, "%s", joint ? ebm_energy_name(info.energy) : "free energy of its logits");
    a->r.model = o->model;
    a->r.energy = a->energy;
    a->r.examples = o->examples;
    a->r.ratio = o->ratio > 0 ? o->ratio : joint && info.noise_ratio > 0 ? info.noise_ratio : 1;
    return ebm_ok();
}

// ---- measures

static double posterior(double energy, double ratio)
{
    const double x = -energy - log(ratio);
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static ebm_status measure_set(analysis *a, energy_set *set)
{
    const energies_options *o = a->o;
    const energy_texts *texts = &set->texts, *data = &a->r.sets[0].texts;
    const ebm_energy_set energies = {texts->name, texts->energy, texts->count};
    EBM_TRY(ebm_energy_summarize(&energies, &set->summary));
    EBM_TRY(ebm_correlation_measure(texts->energy, texts->entropy, texts->count, (int)o->resamples, (uint64_t)o->seed,
                                    &set->with_entropy));
    for (size_t i = 0; i < texts->count; i++)
        set->posterior += posterior(texts->energy[i], a->r.ratio) / (double)texts->count;
    for (size_t k = 0; k < ENERGY_SCORES && texts != data; k++)
        EBM_TRY(ebm_detection_measure(data->score[k], data->count, texts->score[k], texts->count, &set->from_data[k]));
    return ebm_ok();
}

static ebm_status choose_bins(analysis *a)
{
    ebm_energy_set *sets = calloc(a->r.count, sizeof *sets);
    if (!sets) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu histograms", a->r.count);
    for (size_t s = 0; s < a->r.count; s++)
        sets[s] = (ebm_energy_set){a->r.sets[s].texts.name, a->r.sets[s].texts.energy, a->r.sets[s].texts.count};
    const ebm_status status =
        ebm_in(ebm_energy_bins_choose(sets, a->r.count, a->o->bin_width, &a->r.bins), "--bin_width");
    free(sets);
    return status;
}

// ---- noise

static double bounded(double beta) { return fmin(fmax(beta, DBL_MIN), DBL_MAX); }

// From the options, or around Z up to the largest weight, where nothing is cut off.
static size_t choose_betas(const analysis *a, const double *given, double betas[ENERGY_BETAS_MOST])
{
    static const double times[] = {0.5, 1, 2, 4, 8};
    const energies_options *o = a->o;
    size_t count = 0;
    for (size_t b = 0; b < o->betas.count; b++) betas[count++] = given[b];
    if (count == 0) {
        const double largest = bounded(exp(-a->r.sets[1].summary.quantile[0]) * (1 + 1e-9));
        for (size_t i = 0; i < sizeof times / sizeof *times; i++)
            if (times[i] * a->r.weights.z < largest) betas[count++] = bounded(times[i] * a->r.weights.z);
        betas[count++] = largest;
    }
    bool is_there = o->samples_beta <= 0;
    for (size_t b = 0; b < count; b++) is_there |= betas[b] == o->samples_beta;
    if (!is_there) betas[count++] = o->samples_beta;
    return count;
}

static size_t count_accepted(const analysis *a, double beta, bool *keep)
{
    const energy_texts *noise = &a->r.sets[1].texts;
    size_t count = 0;
    for (size_t i = 0; i < noise->count; i++) {
        const bool accepted = ebm_rejection_accepts(noise->energy[i], beta, (uint64_t)a->o->seed, i);
        count += accepted;
        if (keep) keep[i] = accepted;
    }
    return count;
}

static double accepted_beta(const analysis *a)
{
    const ebm_rejection *r = a->r.rejections;
    double smallest = r[0].beta, largest = 0;
    if (a->o->samples_beta > 0) return a->o->samples_beta;
    for (size_t b = 0; b < a->r.betas; b++) {
        smallest = fmin(smallest, r[b].beta);
        if (r[b].acceptance >= 0.1) largest = fmax(largest, r[b].beta);
    }
    return largest > 0 ? largest : smallest;
}

// Energies of the texts kept, against those of data.
static ebm_status measure_accepted(analysis *a)
{
    energy_accepted *accepted = &a->r.accepted;
    const energy_texts *data = &a->r.sets[0].texts, *noise = &a->r.sets[1].texts;
    double *kept = malloc((accepted->count + 1) * sizeof *kept);
    size_t k = 0;
    if (!kept) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu energies", accepted->count);
    for (size_t i = 0; i < noise->count; i++) {
        if (!accepted->keep[i]) continue;
        const double energy = noise->energy[i], n = (double)accepted->count;
        kept[k++] = -energy;
        accepted->mean_energy += energy / n;
        accepted->posterior += posterior(energy, a->r.ratio) / n;
        accepted->taken_for_data += (energy < 0 ? 1 : energy > 0 ? 0 : 0.5) / n;
    }
    const ebm_status status =
        k == 0 ? ebm_ok()
               : ebm_detection_measure(data->score[ENERGY_SCORE], data->count, kept, k, &accepted->from_data);
    free(kept);
    return status;
}

static ebm_status measure_noise(analysis *a, const double *given)
{
    const energies_options *o = a->o;
    const energy_texts *noise = &a->r.sets[1].texts;
    double betas[ENERGY_BETAS_MOST];
    EBM_TRY(ebm_importance_measure(noise->energy, noise->count, (int)o->resamples, (uint64_t)o->seed, &a->r.weights));
    a->r.betas = choose_betas(a, given, betas);
    for (size_t b = 0; b < a->r.betas; b++) {
        EBM_TRY(ebm_rejection_measure(noise->energy, noise->count, betas[b], &a->r.rejections[b]));
        a->r.accepted_at[b] = count_accepted(a, betas[b], NULL);
    }
    a->r.accepted.beta = accepted_beta(a);
    a->r.accepted.keep = calloc(noise->count, sizeof *a->r.accepted.keep);
    if (!a->r.accepted.keep) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu texts", noise->count);
    a->r.accepted.count = count_accepted(a, a->r.accepted.beta, a->r.accepted.keep);
    return measure_accepted(a);
}

static ebm_status append(ebm_file_writer *writer, const char *text)
{
    return ebm_file_writer_append(writer, text, strlen(text));
}

static ebm_status append_row(ebm_file_writer *writer, ebm_row row)
{
    EBM_TRY(append(writer, row.text_a));
    if (row.text_b) {
        EBM_TRY(append(writer, EBM_PAIR_SEPARATOR));
        EBM_TRY(append(writer, row.text_b));
    }
    return append(writer, "\n");
}

static ebm_status write_accepted(const analysis *a)
{
    const energy_texts *noise = &a->r.sets[1].texts;
    ebm_file_writer *writer = NULL;
    EBM_TRY(ebm_file_writer_open(a->o->samples_file, &writer));
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < noise->count && status.code == EBM_OK; i++)
        if (a->r.accepted.keep[i]) status = append_row(writer, ebm_dataset_row(noise->texts, i));
    if (status.code == EBM_OK) status = ebm_file_writer_finish(writer);
    ebm_file_writer_free(writer);
    if (status.code == EBM_OK)
        ebm_program_say("%zu accepted texts written to %s", a->r.accepted.count, a->o->samples_file);
    return status;
}

// ---- the judge

static ebm_status judge_texts(const analysis *a, ebm_judge *judge, const ebm_dataset *texts, const char *name,
                              ebm_perplexity *out)
{
    const size_t count = ebm_dataset_count(texts);
    double *nats = calloc(count + 1, sizeof *nats);
    uint32_t *tokens = calloc(count + 1, sizeof *tokens);
    ebm_status status =
        nats && tokens ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for the likelihoods of %zu texts", count);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_judge_texts(judge, texts, nats, tokens), end);
    EBM_CHECK(ebm_perplexity_measure(nats, tokens, count, (int)a->o->resamples, (uint64_t)a->o->seed, out), end);
end:
    free(nats);
    free(tokens);
    return ebm_in(status, "--judge, %s", name);
}

static ebm_status judge_accepted(analysis *a, ebm_judge *judge)
{
    energy_accepted *accepted = &a->r.accepted;
    ebm_dataset *texts = NULL;
    if (!a->r.has_noise || accepted->count == 0) return ebm_ok();
    EBM_TRY(energy_texts_take(a->r.sets[1].texts.texts, accepted->keep, 0, &texts));
    const ebm_status status = judge_texts(a, judge, texts, "accepted noise", &accepted->perplexity);
    accepted->is_judged = status.code == EBM_OK;
    ebm_dataset_free(texts);
    return status;
}

static ebm_status judge_all(analysis *a)
{
    ebm_judge *judge = NULL;
    ebm_predictor_free(a->predictor); // its memory is the judge's now
    a->predictor = NULL;
    EBM_TRY(ebm_in(ebm_judge_open(a->device, a->o->judge, 0, &judge), "--judge"));
    ebm_status status = ebm_ok();
    for (size_t s = 0; s < a->r.count && status.code == EBM_OK; s++) {
        energy_set *set = &a->r.sets[s];
        status = judge_texts(a, judge, set->texts.texts, set->texts.name, &set->perplexity);
        set->is_judged = status.code == EBM_OK;
    }
    if (status.code == EBM_OK) status = judge_accepted(a, judge);
    ebm_judge_free(judge);
    return status;
}

// ---- the command

static ebm_status run(analysis *a)
{
    const energies_options *o = a->o;
    double given[ENERGY_BETAS_MOST] = {0};
    EBM_TRY(check_options(o));
    if (has_noise(o)) EBM_TRY(ebm_noise_options_resolve(&a->set->noise, a->parsed));
    EBM_TRY(read_betas(o, given));
    EBM_TRY(open_model(a));
    EBM_TRY(score_all(a));
    EBM_TRY(choose_bins(a));
    for (size_t s = 0; s < a->r.count; s++) EBM_TRY(measure_set(a, &a->r.sets[s]));
    if (a->r.has_noise) EBM_TRY(measure_noise(a, given));
    if (o->judge) EBM_TRY(judge_all(a));
    if (o->samples_file) EBM_TRY(write_accepted(a));
    return o->json ? ebm_program_print_json(energy_results_object(&a->r)) : energy_results_print(&a->r);
}

static void analysis_free(analysis *a)
{
    for (size_t s = 0; a->r.sets && s < a->r.count; s++) energy_texts_free(&a->r.sets[s].texts);
    free(a->r.sets);
    free(a->r.accepted.keep);
    ebm_predictor_free(a->predictor);
    ebm_device_free(a->device);
}

ebm_status ebm_command_energies(int argc, char **argv)
{
    energies_options o = {0};
    ebm_options *parsed = NULL;
    analysis a = {.o = &o, .set = &o};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    a.parsed = parsed;
    if (status.code == EBM_OK && !done) status = run(&a);
    analysis_free(&a);
    ebm_options_free(parsed);
    return status;
}
