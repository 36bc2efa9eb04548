#include "model_directory.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

static const char *const INFO_FILE = "ebmcl.json";
enum { INFO_LIMIT = 1 << 20 };

const char *ebm_objective_name(ebm_objective_kind kind) { return kind == EBM_OBJECTIVE_JOINT ? "joint" : "ce"; }

static ebm_status write_info(const char *directory, const ebm_model_info *info)
{
    json_t *json = json_pack("{s:s}", "objective", ebm_objective_name(info->objective));
    int failed = !json || json_object_set_new(json, "max_seq_length", json_integer((json_int_t)info->max_tokens));
    if (info->objective == EBM_OBJECTIVE_JOINT) {
        failed = failed || json_object_set_new(json, "energy", json_string(ebm_energy_name(info->energy)));
        failed = failed || json_object_set_new(json, "noise_ratio", json_integer(info->noise_ratio));
        failed = failed || json_object_set_new(json, "nce_weight", json_real((double)info->nce_weight));
    }
    char *text = failed ? NULL : json_dumps(json, JSON_INDENT(2)), *path = ebm_path_join(directory, INFO_FILE);
    const ebm_status status = text && path ? ebm_file_write(path, text, strlen(text))
                                           : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", INFO_FILE);
    free(path);
    free(text);
    json_decref(json);
    return status;
}

ebm_status ebm_model_directory_write(const char *directory, ebm_classifier *classifier, const ebm_tokenizer *tokenizer,
                                     const ebm_model_info *info)
{
    EBM_TRY(ebm_config_save(ebm_classifier_config(classifier), directory));
    EBM_TRY(ebm_tokenizer_save(tokenizer, directory));
    EBM_TRY(write_info(directory, info));
    return ebm_classifier_save(classifier, directory);
}

static ebm_status parse_info(const char *path, const json_t *json, ebm_model_info *info)
{
    const char *objective = json_string_value(json_object_get(json, "objective"));
    if (!objective || (strcmp(objective, "ce") != 0 && strcmp(objective, "joint") != 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"objective\" must be \"ce\" or \"joint\"", path);
    const json_int_t longest = json_integer_value(json_object_get(json, "max_seq_length"));
    info->max_tokens = longest > 0 ? (size_t)longest : 0;
    info->objective = strcmp(objective, "joint") == 0 ? EBM_OBJECTIVE_JOINT : EBM_OBJECTIVE_CE;
    if (info->objective == EBM_OBJECTIVE_CE) return ebm_ok();
    const char *energy = json_string_value(json_object_get(json, "energy"));
    if (!energy) return ebm_fail(EBM_ERROR_INPUT, "%s: \"energy\" is missing", path);
    EBM_TRY(ebm_in(ebm_energy_parse(energy, &info->energy), "%s", path));
    const json_int_t ratio = json_integer_value(json_object_get(json, "noise_ratio"));
    if (ratio < 1 || ratio > 1000000) return ebm_fail(EBM_ERROR_INPUT, "%s: \"noise_ratio\" must be 1 or more", path);
    info->noise_ratio = (int)ratio;
    info->nce_weight = (float)json_number_value(json_object_get(json, "nce_weight"));
    return ebm_ok();
}

ebm_status ebm_model_directory_info(const char *directory, ebm_model_info *info)
{
    memset(info, 0, sizeof *info);
    char *path = ebm_path_join(directory, INFO_FILE), *text = NULL;
    json_t *json = NULL;
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    EBM_CHECK(status, end);
    if (!ebm_file_exists(path)) goto end;
    size_t size = 0;
    EBM_CHECK(ebm_file_read(path, INFO_LIMIT, &text, &size), end);
    json_error_t error;
    json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (!json) status = ebm_fail(EBM_ERROR_INPUT, "%s:%d: %s", path, error.line, error.text);
    EBM_CHECK(status, end);
    status = parse_info(path, json, info);
end:
    json_decref(json);
    free(text);
    free(path);
    return status;
}
