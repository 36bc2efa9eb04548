#include "folded_model.h"

#include <stdlib.h>
#include <string.h>

#include "json_file.h"
#include "model_card.h"
#include "report_internal.h"
#include "train_results.h"

static bool is_same_directory(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    const bool same = real_a && real_b && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

ebm_status ebm_program_folded_open(const char *model, const char *directory, bool overwrite,
                                   ebm_directory_writer **writer)
{
    if (is_same_directory(model, directory))
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s is the model's own directory, which stays as it is; take another"
                        " --output_dir",
                        directory);
    if (!overwrite && !ebm_directory_is_empty(directory))
        return ebm_fail(EBM_ERROR_INPUT, "%s is in use; take another --output_dir, or --overwrite_output_dir",
                        directory);
    return ebm_directory_writer_open(directory, writer);
}

// What the source says of its training holds for the copy too; of a model of somebody else's, its name is all.
static ebm_status describe_origin(const ebm_scored_texts *scored, const char *source, const char *name,
                                  json_t *training, json_t **out)
{
    const ebm_data_options none = {0};
    const bool ours = json_object_get(training, "ebmcl_version") != NULL;
    json_t *object = ours ? json_deep_copy(training) : ebm_program_results(name, NULL, &none, scored->device);
    *out = object;
    if (object && ebm_program_set_name(object, "name", name) == 0 &&
        ebm_program_set_model(object, "folded_from", source) == 0)
        return ebm_ok();
    json_decref(object);
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for train_results.json");
}

static ebm_status write_origin(const ebm_scored_texts *scored, const char *source, const char *name, const char *target)
{
    json_t *object = NULL, *training = NULL, *settings = NULL;
    EBM_TRY(ebm_json_file_read(source, "train_results.json", &training));
    ebm_status status = describe_origin(scored, source, name, training, &object);
    const bool ours = json_object_get(training, "ebmcl_version") != NULL;
    json_decref(training);
    EBM_TRY(status);
    EBM_TRY(ebm_json_file_write(target, "train_results.json", object));
    if (ours) EBM_TRY(ebm_json_file_read(source, "training_args.json", &settings));
    return settings ? ebm_json_file_write(target, "training_args.json", settings) : ebm_ok();
}

// The evaluation is that of the folded model: at temperature 1, on the texts the calibrator was fitted on.
static ebm_status write_evaluation(const ebm_scored_texts *scored, const ebm_calibrator *calibrator,
                                   const char *directory)
{
    ebm_predictions p = scored->predictions;
    float *logits = NULL;
    EBM_TRY(ebm_calibrator_logits(calibrator, &p, &logits));
    p.logits = logits;
    const ebm_status status = ebm_evaluation_file_write(
        directory, &p,
        json_pack("{s:s, s:s*, s:s*, s:b}", "source", scored->name, "file", scored->file, "task_name",
                  scored->task ? scored->task->name : NULL, "fitted_here", true));
    free(logits);
    return status;
}

static ebm_status fold(ebm_predictor *predictor, const ebm_calibrator *calibrator)
{
    const ebm_temperature *temperature = ebm_calibrator_temperature(calibrator);
    if (temperature) return ebm_predictor_fold_temperature(predictor, temperature->temperature);
    const size_t labels = ebm_predictor_config(predictor)->label_count;
    double *map = malloc((labels + 1) * labels * sizeof *map), *offset = map + labels * labels;
    if (!map) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", labels);
    ebm_status status = ebm_calibrator_affine(calibrator, (int)labels, map, offset);
    if (status.code == EBM_OK) status = ebm_predictor_fold_affine(predictor, map, offset);
    free(map);
    return status;
}

ebm_status ebm_program_folded_write(ebm_scored_texts *scored, ebm_calibrator *calibrator, const char *source,
                                    const char *name, ebm_directory_writer *writer)
{
    const char *directory = ebm_directory_writer_path(writer);
    EBM_TRY(fold(scored->predictor, calibrator));
    EBM_TRY(write_evaluation(scored, calibrator, directory));
    EBM_TRY(ebm_predictor_save(scored->predictor, directory));
    ebm_calibrator_set_folded(calibrator);
    EBM_TRY(ebm_calibrator_save(directory, calibrator));
    EBM_TRY(write_origin(scored, source, name, directory));
    return ebm_model_card_carry_over(source, directory);
}
