#include "model_directory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json_file.h"

static const char *const INFO_FILE = "ebmcl.json";

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
    if (info->method[0]) failed = failed || json_object_set_new(json, "method", json_string(info->method));
    if (info->logits_divided_by > 0)
        failed = failed || json_object_set_new(json, "logits_divided_by", json_real(info->logits_divided_by));
    if (!failed) return ebm_json_file_write(directory, INFO_FILE, json);
    json_decref(json);
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", INFO_FILE);
}

ebm_status ebm_model_directory_write(const char *directory, ebm_classifier *classifier, const ebm_tokenizer *tokenizer,
                                     const ebm_model_info *info)
{
    EBM_TRY(ebm_config_save(ebm_classifier_config(classifier), directory));
    EBM_TRY(ebm_tokenizer_save(tokenizer, directory));
    EBM_TRY(write_info(directory, info));
    return ebm_classifier_save(classifier, directory);
}

static ebm_status parse_folded(const json_t *json, ebm_model_info *info)
{
    const json_t *divisor = json_object_get(json, "logits_divided_by");
    info->logits_divided_by = json_number_value(divisor);
    if (!divisor || (info->logits_divided_by > 0 && isfinite(info->logits_divided_by))) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "\"logits_divided_by\" must be a number above 0");
}

static ebm_status parse_info(const json_t *json, ebm_model_info *info)
{
    const char *objective = json_string_value(json_object_get(json, "objective"));
    if (!objective || (strcmp(objective, "ce") != 0 && strcmp(objective, "joint") != 0))
        return ebm_fail(EBM_ERROR_INPUT, "\"objective\" must be \"ce\" or \"joint\"");
    const json_int_t longest = json_integer_value(json_object_get(json, "max_seq_length"));
    info->max_tokens = longest > 0 ? (size_t)longest : 0;
    EBM_TRY(parse_folded(json, info));
    const char *method = json_string_value(json_object_get(json, "method"));
    snprintf(info->method, sizeof info->method, "%s", method ? method : "");
    info->objective = strcmp(objective, "joint") == 0 ? EBM_OBJECTIVE_JOINT : EBM_OBJECTIVE_CE;
    if (info->objective == EBM_OBJECTIVE_CE) return ebm_ok();
    const char *energy = json_string_value(json_object_get(json, "energy"));
    if (!energy) return ebm_fail(EBM_ERROR_INPUT, "\"energy\" is missing");
    EBM_TRY(ebm_energy_parse(energy, &info->energy));
    const json_int_t ratio = json_integer_value(json_object_get(json, "noise_ratio"));
    if (ratio < 1 || ratio > 1000000) return ebm_fail(EBM_ERROR_INPUT, "\"noise_ratio\" must be 1 or more");
    info->noise_ratio = (int)ratio;
    info->nce_weight = (float)json_number_value(json_object_get(json, "nce_weight"));
    return ebm_ok();
}

ebm_status ebm_model_directory_info(const char *directory, ebm_model_info *info)
{
    json_t *json = NULL;
    memset(info, 0, sizeof *info);
    EBM_TRY(ebm_json_file_read(directory, INFO_FILE, &json));
    if (!json) return ebm_ok();
    const ebm_status status = ebm_in(parse_info(json, info), "%s/%s", directory, INFO_FILE);
    json_decref(json);
    return status;
}
