#include "scored_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrator.h"
#include "label_map.h"

enum { SHORTEST = 8 }; // tokens: a pair's special tokens and a little text

// The file that was named, and as which split it is read; NULL: the task's own of `fallback`.
static ebm_status choose_split(const ebm_data_options *o, ebm_split fallback, ebm_split *split, const char **file)
{
    static const char *const names[] = {"--train_file", "--validation_file", "--test_file"};
    const char *const files[] = {o->train_file, o->validation_file, o->test_file};
    int chosen = -1;
    for (int i = 0; i < 3; i++) {
        if (!files[i]) continue;
        if (chosen >= 0)
            return ebm_fail(EBM_ERROR_INPUT, "%s and %s are both given, expected one of them", names[chosen], names[i]);
        chosen = i;
    }
    *split = chosen >= 0 ? (ebm_split)chosen : fallback;
    *file = chosen >= 0 ? files[chosen] : NULL;
    if (*file || (o->task_name && o->data_dir)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT,
                    "texts are needed: --validation_file or --test_file, or --task_name with --data_dir");
}

static ebm_labels labels_of(const ebm_config *config)
{
    return (ebm_labels){(const char *const *)config->labels, config->label_count, NULL};
}

// A model that only numbers its labels gets the task's names for them.
static ebm_status name_numbered(ebm_scored_texts *s)
{
    const ebm_labels *task = &s->task->labels;
    const char *names[EBM_LABELS_MAX];
    for (size_t i = 0; i < task->count; i++) names[s->task_to_model[i]] = task->names[i];
    return ebm_config_set_labels(s->config, names, task->count);
}

static ebm_status match_numbered(ebm_scored_texts *s)
{
    const ebm_labels *task = &s->task->labels;
    char text[240];
    for (size_t i = 0; i < task->count; i++) s->task_to_model[i] = (int32_t)i;
    ebm_program_say("labels: the model only numbers them; taken in the task's order, %s (--label_map says otherwise)",
                    ebm_labels_text(task, text, sizeof text));
    return ebm_ok();
}

static ebm_status require_encoder(ebm_family family, const char *directory)
{
    char names[200];
    if (ebm_family_is_encoder(family)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected a model of type %s, found \"%s\"", directory,
                    ebm_family_list(true, names, sizeof names), ebm_family_name(family));
}

static ebm_status match_task(ebm_scored_texts *s, const ebm_model_options *o, const ebm_text_choice *choice)
{
    const ebm_labels *task = &s->task->labels, own = labels_of(s->config);
    const bool numbered = ebm_labels_are_numbered(&own) && own.count == task->count, mapped = o->label_map.count > 0;
    EBM_TRY(ebm_label_map_create(task, true, &own, &o->label_map, &s->task_to_model));
    if (numbered && !mapped) EBM_TRY(match_numbered(s));
    const bool one_to_one = ebm_label_map_is_one_to_one(s->task_to_model, task->count);
    if (numbered && one_to_one) return name_numbered(s);
    bool all = true;
    for (size_t i = 0; i < task->count; i++) all = all && s->task_to_model[i] >= 0;
    if (all && mapped && !one_to_one && !choice->needs_labels)
        return ebm_fail(EBM_ERROR_INPUT, "--label_map: predictions need a label of the model for each of the task's");
    if (all && (mapped || (one_to_one && own.count == task->count))) return ebm_ok();
    char expected[120], found[120];
    return ebm_fail(EBM_ERROR_INPUT,
                    "%s: the model's labels are %s, those of task %s are %s; --label_map TASK=MODEL ... says which is"
                    " which",
                    o->directory, ebm_labels_text(&own, found, sizeof found), s->task->name,
                    ebm_labels_text(task, expected, sizeof expected));
}

static ebm_status read_labels(ebm_scored_texts *s, const ebm_model_options *o, const ebm_text_choice *choice)
{
    EBM_TRY(ebm_program_task(&o->data, &s->task));
    EBM_TRY(ebm_config_load(o->directory, &s->config));
    EBM_TRY(require_encoder(s->config->family, o->directory));
    const ebm_labels own = labels_of(s->config);
    s->numbered = ebm_labels_are_numbered(&own);
    if (!s->task && !choice->needs_labels && o->label_map.count > 0)
        return ebm_fail(EBM_ERROR_INPUT, "--label_map: no labels are read here, so there is nothing to map");
    if (s->task) EBM_TRY(match_task(s, o, choice));
    s->labels = labels_of(s->config);
    EBM_TRY(ebm_averaging_of(o->mc_dropout, o->ensemble.items, o->ensemble.count, &s->averaging));
    EBM_TRY(ebm_ensemble_open(&o->ensemble, s->config, s->numbered, &s->ensemble));
    const size_t longest = ebm_config_max_tokens(s->config);
    if (o->max_length > longest || (o->max_length > 0 && o->max_length < SHORTEST))
        return ebm_fail(EBM_ERROR_INPUT, "--max_seq_length %zu: expected %d to %zu, the positions the model has",
                        o->max_length, SHORTEST, longest);
    return ebm_ok();
}

static ebm_status take_portion(const ebm_dataset *all, const ebm_text_choice *choice, ebm_dataset **portion)
{
    uint32_t *rows = NULL;
    size_t count = 0;
    EBM_TRY(ebm_portion_rows(choice->portion, ebm_dataset_count(all), choice->seed, &rows, &count));
    const ebm_status status = ebm_dataset_select(all, rows, count, portion);
    free(rows);
    return status;
}

static void name_source(ebm_scored_texts *s, const char *file, const char *split, const char *portion)
{
    if (file) {
        const char *slash = strrchr(file, '/');
        snprintf(s->source, sizeof s->source, "%s, %s", file, portion);
        s->file = slash ? slash + 1 : file;
        snprintf(s->name, sizeof s->name, "%s, %s", s->file, portion);
    } else {
        snprintf(s->source, sizeof s->source, "%s %s, %s", s->task->name, split, portion);
        snprintf(s->name, sizeof s->name, "%s", s->source);
    }
}

// The first row with a label that means nothing to the model is an error.
static ebm_status check_matched(const ebm_scored_texts *s, const ebm_dataset *texts, const char *file)
{
    char own[200];
    size_t i = 0;
    while (i < ebm_dataset_count(texts) && s->text_to_model[ebm_dataset_row(texts, i).label] >= 0) i++;
    if (i == ebm_dataset_count(texts)) return ebm_ok();
    const ebm_row row = ebm_dataset_row(texts, i);
    return ebm_fail(EBM_ERROR_INPUT,
                    "%s:%zu: label \"%.60s\": expected one of the model's, %s; --label_map LABEL=MODEL ... says which"
                    " is which",
                    file, row.line, ebm_dataset_labels(texts)->names[row.label],
                    ebm_labels_text(&s->labels, own, sizeof own));
}

static void say_ids(const ebm_scored_texts *s, const ebm_labels *found)
{
    char own[240];
    for (size_t i = 0; i < found->count; i++)
        if (ebm_labels_find(&s->labels, found->names[i]) >= 0 || strspn(found->names[i], "0123456789") == 0) return;
    if (ebm_labels_are_numbered(&s->labels)) return;
    ebm_program_say("labels: the texts' numbers are taken as the model's ids, 0 on: %s (--label_map says otherwise)",
                    ebm_labels_text(&s->labels, own, sizeof own));
}

// Without a task the labels are whatever the file holds.
static ebm_status match_texts(ebm_scored_texts *s, const ebm_model_options *o, const ebm_dataset *texts,
                              const char *file)
{
    const ebm_labels *found = ebm_dataset_labels(texts);
    if (s->task) return ebm_ok();
    EBM_TRY(ebm_label_map_create(found, false, &s->labels, &o->label_map, &s->text_to_model));
    EBM_TRY(check_matched(s, texts, file));
    if (o->label_map.count == 0) say_ids(s, found);
    return ebm_ok();
}

static ebm_status read_texts(ebm_scored_texts *s, const ebm_model_options *o, const ebm_text_choice *choice,
                             ebm_dataset **texts)
{
    static const char *const splits[] = {"training texts", "validation texts", "test texts"};
    const char *file = NULL;
    ebm_split split = choice->split;
    ebm_dataset *all = NULL;
    EBM_TRY(choose_split(&o->data, choice->split, &split, &file));
    const ebm_labels *known = s->task ? &s->task->labels : NULL;
    if (choice->needs_labels)
        EBM_TRY(ebm_program_read_annotated(&o->data, split, known, &choice->annotators, &all));
    else
        EBM_TRY(ebm_program_read(&o->data, split, EBM_LABELS_IGNORED, known, &all));
    ebm_status status = choice->needs_labels ? match_texts(s, o, all, file) : ebm_ok();
    if (status.code == EBM_OK) status = take_portion(all, choice, texts);
    ebm_dataset_free(all);
    name_source(s, file, splits[split], ebm_portion_name(choice->portion));
    return status;
}

static ebm_status copy_labels(ebm_scored_texts *s, const ebm_dataset *texts)
{
    const int32_t *to_model = s->task ? s->task_to_model : s->text_to_model;
    s->label = calloc(ebm_dataset_count(texts), sizeof *s->label);
    if (!s->label) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", ebm_dataset_count(texts));
    for (size_t i = 0; i < ebm_dataset_count(texts); i++) s->label[i] = to_model[ebm_dataset_row(texts, i).label];
    return ebm_ok();
}

// One text's counts: several of the texts' labels may be one of the model's.
static ebm_status add_annotations(const ebm_scored_texts *s, const ebm_dataset *texts, size_t i, const double *counts)
{
    const int32_t *to_model = s->task ? s->task_to_model : s->text_to_model;
    const ebm_labels *own = ebm_dataset_labels(texts);
    char names[200];
    for (size_t y = 0; y < own->count; y++) {
        if (counts[y] == 0) continue;
        if (to_model[y] < 0)
            return ebm_fail(
                EBM_ERROR_INPUT, "line %zu: an annotator's label \"%.60s\": expected one of the model's, %s",
                ebm_dataset_row(texts, i).line, own->names[y], ebm_labels_text(&s->labels, names, sizeof names));
        s->annotations[i * s->labels.count + (size_t)to_model[y]] += counts[y];
    }
    return ebm_ok();
}

static ebm_status copy_annotations(ebm_scored_texts *s, const ebm_dataset *texts)
{
    const size_t count = ebm_dataset_count(texts), own = ebm_dataset_labels(texts)->count;
    double *counts = NULL;
    EBM_TRY(ebm_dataset_annotations(texts, &counts));
    if (!counts) return ebm_ok();
    ebm_status status = ebm_ok();
    s->annotations = calloc(count * s->labels.count, sizeof *s->annotations);
    if (!s->annotations) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for the annotators' labels");
    for (size_t i = 0; status.code == EBM_OK && i < count; i++) status = add_annotations(s, texts, i, counts + i * own);
    free(counts);
    return ebm_in(status, "%s", s->source);
}

static ebm_status open_predictor(ebm_scored_texts *s, const ebm_model_options *o, const char *directory)
{
    ebm_predictor_free(s->predictor);
    s->predictor = NULL;
    EBM_TRY(ebm_predictor_open(s->device, directory, o->token_budget, &s->predictor));
    ebm_program_say_names("tensors not used", ebm_predictor_ignored(s->predictor));
    return ebm_ok();
}

static ebm_status allocate(ebm_scored_texts *s, size_t count)
{
    const bool has_energy = ebm_predictor_has_energy(s->predictor);
    s->logits = calloc(count * s->labels.count, sizeof *s->logits);
    s->energy = has_energy ? calloc(count, sizeof *s->energy) : NULL;
    if (!s->logits || (has_energy && !s->energy))
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for predictions of %zu texts", count);
    return ebm_ok();
}

// Energies of one form are averaged; of another, they are left out.
static ebm_status add_members(ebm_scored_texts *s, const ebm_model_options *o, const ebm_dataset *texts,
                              ebm_average *average)
{
    const ebm_model_info first = ebm_predictor_info(s->predictor);
    ebm_predictor_passes passes = {o->mc_dropout, o->max_length, (uint64_t)o->mc_dropout_seed, true, NULL};
    EBM_TRY(ebm_in(ebm_predictor_average(s->predictor, texts, &passes, average), "%s", o->directory));
    for (size_t i = 0; i < s->ensemble.count; i++) {
        const ebm_ensemble_member *member = s->ensemble.member + i;
        EBM_TRY(ebm_in(open_predictor(s, o, member->directory), "--ensemble"));
        passes.order = member->order;
        passes.with_energy = ebm_predictor_info(s->predictor).energy == first.energy;
        EBM_TRY(
            ebm_in(ebm_predictor_average(s->predictor, texts, &passes, average), "--ensemble: %s", member->directory));
    }
    return ebm_ok();
}

static ebm_status predict_average(ebm_scored_texts *s, const ebm_model_options *o, const ebm_dataset *texts)
{
    char what[200];
    ebm_average *average = NULL;
    EBM_TRY(ebm_average_create(ebm_dataset_count(texts), (int)s->labels.count, &average));
    ebm_status status = add_members(s, o, texts, average);
    if (status.code == EBM_OK) status = ebm_average_logits(average, s->logits);
    if (status.code == EBM_OK && ebm_average_has_energy(average)) {
        ebm_average_energy(average, s->energy);
    } else if (status.code == EBM_OK && s->energy) {
        ebm_program_say("energies are left out: not every model of the ensemble has one of the same form");
        free(s->energy);
        s->energy = NULL;
    }
    ebm_average_free(average);
    if (status.code == EBM_OK)
        ebm_program_say("probabilities: %s", ebm_averaging_text(&s->averaging, what, sizeof what));
    if (s->ensemble.count == 0) return status;
    ebm_predictor_free(s->predictor);
    s->predictor = NULL;
    return status;
}

static ebm_status predict(ebm_scored_texts *s, const ebm_model_options *o, const ebm_dataset *texts)
{
    const size_t count = ebm_dataset_count(texts);
    EBM_TRY(ebm_program_device(o->device, o->bf16, &s->device));
    EBM_TRY(open_predictor(s, o, o->directory));
    EBM_TRY(allocate(s, count));
    if (ebm_averaging_is_none(&s->averaging))
        EBM_TRY(ebm_predictor_dataset(s->predictor, texts, o->max_length, s->logits, s->energy));
    else
        EBM_TRY(predict_average(s, o, texts));
    s->predictions = (ebm_predictions){count, (int)s->labels.count, s->logits, s->label, s->energy};
    return ebm_ok();
}

ebm_status ebm_scored_texts_create(const ebm_model_options *options, const ebm_text_choice *choice, ebm_scored_texts *s)
{
    ebm_dataset *texts = NULL;
    ebm_status status = ebm_ok();
    *s = (ebm_scored_texts){0};
    EBM_CHECK(read_labels(s, options, choice), end);
    EBM_CHECK(read_texts(s, options, choice, &texts), end);
    if (choice->needs_labels) EBM_CHECK(copy_labels(s, texts), end);
    if (choice->needs_labels) EBM_CHECK(copy_annotations(s, texts), end);
    EBM_CHECK(predict(s, options, texts), end);
end:
    ebm_dataset_free(texts);
    if (status.code != EBM_OK) ebm_scored_texts_free(s);
    return status;
}

void ebm_scored_texts_free(ebm_scored_texts *s)
{
    free(s->logits);
    free(s->calibrated);
    free(s->energy);
    free(s->label);
    free(s->annotations);
    free(s->task_to_model);
    free(s->text_to_model);
    ebm_config_free(s->config);
    ebm_ensemble_free(&s->ensemble);
    ebm_predictor_free(s->predictor);
    ebm_device_free(s->device);
    *s = (ebm_scored_texts){0};
}

void ebm_scored_texts_tell(const ebm_model_options *o, json_t *object)
{
    if (object && o->mc_dropout > 0) {
        json_object_set_new(object, "mc_dropout", json_integer((json_int_t)o->mc_dropout));
        json_object_set_new(object, "mc_dropout_seed", json_integer(o->mc_dropout_seed));
    }
    if (!object || o->ensemble.count == 0) return;
    json_t *names = json_array();
    for (size_t i = 0; i < o->ensemble.count; i++) json_array_append_new(names, json_string(o->ensemble.items[i]));
    json_object_set_new(object, "ensemble", names);
}

static void say_calibration(const ebm_calibrator *stored)
{
    const ebm_calibrator_facts *facts = ebm_calibrator_facts_of(stored);
    const ebm_temperature *fit = ebm_calibrator_temperature(stored);
    if (!fit)
        ebm_program_say("calibration: %s, fitted on %s%s", ebm_calibrator_name(facts->kind), facts->fitted_on,
                        facts->folded ? "; the model's weights hold it" : "");
    else if (fit->folded > 0)
        ebm_program_say("temperature %.4f: the model's weights hold the one fitted on %s, %.4f", fit->temperature,
                        fit->fitted_on, fit->folded);
    else
        ebm_program_say("temperature %.4f, fitted on %s", fit->temperature, fit->fitted_on);
}

// Before the model runs.
static ebm_status check_label_count(const ebm_model_options *options, const ebm_calibrator *stored)
{
    const int fitted = ebm_calibrator_facts_of(stored)->labels;
    ebm_config *config = NULL;
    if (fitted == 0) return ebm_ok();
    EBM_TRY(ebm_config_load(options->directory, &config));
    const size_t labels = config->label_count;
    ebm_config_free(config);
    if (labels == (size_t)fitted) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s/%s: it was fitted with %d labels, the model has %zu", options->directory,
                    EBM_CALIBRATION_FILE, fitted, labels);
}

// Before the model runs, too: what was fitted on one mean is for no other.
static ebm_status check_averaging(const ebm_model_options *options, const ebm_calibrator *stored)
{
    ebm_averaging now;
    char fitted[200], found[200];
    EBM_TRY(ebm_averaging_of(options->mc_dropout, options->ensemble.items, options->ensemble.count, &now));
    const ebm_averaging *then = &ebm_calibrator_facts_of(stored)->averaging;
    if (ebm_averaging_equal(then, &now)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s/%s: it was fitted on %s, and this is %s (--mc_dropout, --ensemble)",
                    options->directory, EBM_CALIBRATION_FILE, ebm_averaging_text(then, fitted, sizeof fitted),
                    ebm_averaging_text(&now, found, sizeof found));
}

ebm_status ebm_program_temperature(const ebm_model_options *options, const ebm_options *parsed, bool calibrated,
                                   double given, double *temperature)
{
    *temperature = given;
    if (!calibrated) return ebm_ok();
    if (ebm_options_given(parsed, "temperature"))
        return ebm_fail(EBM_ERROR_INPUT, "--temperature and --calibrated are both given, expected one of them");
    ebm_calibrator *stored = NULL;
    EBM_TRY(ebm_calibrator_load(options->directory, &stored));
    ebm_status status = check_label_count(options, stored);
    if (status.code == EBM_OK) status = check_averaging(options, stored);
    if (status.code == EBM_OK) {
        const ebm_temperature *fit = ebm_calibrator_temperature(stored);
        *temperature = fit ? fit->temperature : 1;
        say_calibration(stored);
    }
    ebm_calibrator_free(stored);
    return status;
}

ebm_status ebm_scored_texts_calibrate(ebm_scored_texts *s, const ebm_model_options *options, bool calibrated)
{
    if (!calibrated) return ebm_ok();
    ebm_calibrator *stored = NULL;
    EBM_TRY(ebm_calibrator_load(options->directory, &stored));
    ebm_status status = ebm_ok();
    if (!ebm_calibrator_temperature(stored)) {
        status = ebm_in(ebm_calibrator_logits(stored, &s->predictions, &s->calibrated), "%s", options->directory);
        if (status.code == EBM_OK) {
            s->predictions.logits = s->calibrated;
            s->calibration = ebm_calibrator_name(ebm_calibrator_facts_of(stored)->kind);
        }
    }
    ebm_calibrator_free(stored);
    return status;
}
