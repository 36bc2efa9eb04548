#include "report_folder.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "card_text.h"
#include "file.h"
#include "json_file.h"
#include "selective.h"
#include "training_log.h"

#define OTHER_START "ood_"
#define OTHER_END "_predictions.jsonl"

// ---- files

static ebm_status read_examples(const char *directory, const char *name, bool needs_labels, ebm_examples *out,
                                bool *there)
{
    char *path = ebm_path_join(directory, name);
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    *there = path && ebm_file_exists(path);
    if (*there) status = ebm_examples_read(path, needs_labels, out);
    if (status.code != EBM_OK) *there = false;
    free(path);
    return status;
}

static ebm_status read_calibrator(ebm_report_folder *f)
{
    char *path = ebm_path_join(f->directory, EBM_CALIBRATION_FILE);
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    const bool there = ebm_file_exists(path);
    free(path);
    return there ? ebm_calibrator_load(f->directory, &f->calibrator) : ebm_ok();
}

// ---- other distributions

static size_t other_name_length(const char *name)
{
    const size_t length = strlen(name), around = strlen(OTHER_START) + strlen(OTHER_END);
    if (length <= around || strncmp(name, OTHER_START, strlen(OTHER_START)) != 0) return 0;
    return strcmp(name + length - strlen(OTHER_END), OTHER_END) == 0 ? length - around : 0;
}

static int is_other(const struct dirent *entry) { return other_name_length(entry->d_name) > 0; }

static ebm_status read_other(ebm_report_folder *f, const char *file)
{
    ebm_report_other *other = &f->others[f->other_count];
    bool there;
    EBM_TRY(read_examples(f->directory, file, false, &other->examples, &there));
    if (!there) return ebm_ok(); // a directory
    f->other_count++;
    other->name = strndup(file + strlen(OTHER_START), other_name_length(file));
    return other->name ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for a name");
}

static ebm_status read_others(ebm_report_folder *f)
{
    struct dirent **entries = NULL;
    const int count = scandir(f->directory, &entries, is_other, alphasort);
    if (count < 0) return ebm_fail(EBM_ERROR_IO, "%s: %m", f->directory);
    f->others = calloc((size_t)count + 1, sizeof *f->others);
    ebm_status status = f->others ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for predictions");
    for (int i = 0; i < count; i++) {
        if (status.code == EBM_OK) status = read_other(f, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

// ---- the folder

static ebm_status read_files(ebm_report_folder *f)
{
    if (!ebm_directory_exists(f->directory)) return ebm_fail(EBM_ERROR_INPUT, "%s: no such directory", f->directory);
    EBM_TRY(ebm_json_file_read(f->directory, "training_args.json", &f->settings));
    EBM_TRY(ebm_json_file_read(f->directory, "train_results.json", &f->training));
    EBM_TRY(ebm_json_file_read(f->directory, "eval_results.json", &f->results));
    EBM_TRY(ebm_training_log_read(f->directory, &f->log));
    EBM_TRY(read_examples(f->directory, EBM_EVAL_PREDICTIONS, true, &f->examples, &f->has_examples));
    EBM_TRY(read_examples(f->directory, EBM_NOISE_PREDICTIONS, false, &f->noise, &f->has_noise));
    EBM_TRY(read_others(f));
    EBM_TRY(read_calibrator(f));
    if (f->has_examples || f->results || json_array_size(f->log) > 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: nothing to report: expected %s, eval_results.json or " EBM_TRAINING_LOG,
                    f->directory, EBM_EVAL_PREDICTIONS);
}

ebm_status ebm_report_folder_read(const char *directory, ebm_report_folder *folder)
{
    *folder = (ebm_report_folder){.directory = directory};
    const ebm_status status = read_files(folder);
    if (status.code != EBM_OK) ebm_report_folder_free(folder);
    return status;
}

void ebm_report_folder_free(ebm_report_folder *f)
{
    for (size_t i = 0; i < f->other_count; i++) {
        free(f->others[i].name);
        ebm_examples_free(&f->others[i].examples);
    }
    free(f->others);
    free(f->name);
    free(f->calibrated);
    ebm_prediction_rows_free(&f->half);
    ebm_examples_free(&f->examples);
    ebm_examples_free(&f->noise);
    ebm_calibrator_free(f->calibrator);
    json_decref(f->settings);
    json_decref(f->training);
    json_decref(f->results);
    json_decref(f->log);
    *f = (ebm_report_folder){0};
}

// "." and "model/.." are called what they stand for.
static char *short_name(const char *directory)
{
    char *real = realpath(directory, NULL), *name = ebm_card_base_name(real ? real : directory);
    free(real);
    return name;
}

static size_t places_of(const ebm_report_folder *folders, size_t count, const char *name)
{
    size_t places = 0;
    for (size_t i = 0; i < count; i++) places += folders[i].name && strcmp(folders[i].name, name) == 0;
    return places;
}

static ebm_status rename_equal(ebm_report_folder *folders, size_t count, size_t i, bool *equal)
{
    char *name = NULL;
    if (!equal[i]) return ebm_ok();
    const size_t before = places_of(folders, i, folders[i].directory); // the same path given twice
    const int made =
        before ? asprintf(&name, "%s (%zu)", folders[i].directory, i + 1) : asprintf(&name, "%s", folders[i].directory);
    if (made < 0) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a name");
    free(folders[i].name);
    folders[i].name = name;
    return ebm_ok();
}

ebm_status ebm_report_folder_names(ebm_report_folder *folders, size_t count)
{
    bool *equal = calloc(count, sizeof *equal);
    ebm_status status = equal ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for names");
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) {
        folders[i].name = short_name(folders[i].directory);
        if (!folders[i].name) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for a name");
    }
    for (size_t i = 0; i < count && status.code == EBM_OK; i++)
        equal[i] = places_of(folders, count, folders[i].name) > 1;
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) status = rename_equal(folders, count, i, equal);
    free(equal);
    return status;
}

bool ebm_report_energies(const ebm_examples *examples, double **energies, ebm_status *status)
{
    const ebm_certainty kind = examples->read.energy ? EBM_CERTAINTY_ENERGY : EBM_CERTAINTY_FREE_ENERGY;
    *energies = NULL;
    *status = ebm_ok();
    if (!examples->read.energy && examples->read.probabilities) return false;
    *status = ebm_certainty_create(&examples->read.rows, 1, kind, energies);
    for (size_t i = 0; status->code == EBM_OK && i < examples->read.rows.count; i++) (*energies)[i] = -(*energies)[i];
    return status->code == EBM_OK;
}
