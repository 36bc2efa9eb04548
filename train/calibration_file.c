// calibration.json beside the model: the file itself, and a temperature in it.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibration.h"
#include "calibrator_internal.h"
#include "file.h"
#include "json_file.h"
#include "scores.h"

#define FILE_LIMIT ((size_t)64 << 20) // bytes; a temperature's has about 300, an isotonic one some dozens an example

ebm_status ebm_calibration_read(const char *directory, json_t **object, char **path)
{
    char *bytes = NULL;
    size_t size = 0;
    json_error_t error;
    *object = NULL;
    *path = ebm_path_join(directory, EBM_CALIBRATION_FILE);
    if (!*path) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a path");
    ebm_status status = ebm_file_read(*path, FILE_LIMIT, &bytes, &size);
    if (status.code == EBM_OK) {
        *object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
        if (!*object) status = ebm_fail(EBM_ERROR_INPUT, "%s:%d: not JSON: %s", *path, error.line, error.text);
    }
    free(bytes);
    if (status.code == EBM_OK) return status;
    free(*path);
    *path = NULL;
    return status;
}

// A character of up to 4 bytes may have been cut at the end of the array: at most 3 bytes of it are left there.
json_t *ebm_json_cut_text(const char *text)
{
    const size_t length = strlen(text);
    json_t *string = NULL;
    for (size_t cut = 0; cut <= 3 && cut <= length && !string; cut++) string = json_stringn(text, length - cut);
    return string;
}

ebm_status ebm_json_number_at(const json_t *object, const char *path, const char *key, double *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) return ebm_fail(EBM_ERROR_INPUT, "%s: a number expected at \"%s\"", path, key);
    *out = json_number_value(value);
    return ebm_ok();
}

ebm_status ebm_json_whole_at(const json_t *object, const char *path, const char *key, size_t *out)
{
    double number = 0;
    EBM_TRY(ebm_json_number_at(object, path, key, &number));
    if (!(number >= 0 && number <= 9007199254740992.0)) // whole numbers of a double
        return ebm_fail(EBM_ERROR_INPUT, "%s: a count expected at \"%s\", found %g", path, key, number);
    *out = (size_t)number;
    return ebm_ok();
}

// --- a temperature ---------------------------------------------------------------------------------------------------

ebm_status ebm_temperature_object(const ebm_temperature *fit, json_t **out)
{
    EBM_TRY(ebm_temperature_check(fit->temperature));
    json_t *fitted_on = ebm_json_cut_text(fit->fitted_on);
    if (!fitted_on) return ebm_fail(EBM_ERROR_INPUT, "%s: fitted_on is not UTF-8", EBM_CALIBRATION_FILE);
    json_t *object =
        json_pack("{s:f, s:o, s:I, s:f, s:f}", "temperature", fit->temperature, "fitted_on", fitted_on, "examples",
                  (json_int_t)fit->examples, "nll_before", fit->nll_before, "nll_after", fit->nll_after);
    if (object && fit->folded > 0 && json_object_set_new(object, "folded_temperature", json_real(fit->folded)) != 0) {
        json_decref(object);
        object = NULL;
    }
    *out = object;
    return object ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s: a value is not finite", EBM_CALIBRATION_FILE);
}

ebm_status ebm_temperature_save(const char *directory, const ebm_temperature *fit)
{
    json_t *object = NULL;
    EBM_TRY(ebm_temperature_object(fit, &object));
    return ebm_json_file_write(directory, EBM_CALIBRATION_FILE, object);
}

ebm_status ebm_temperature_of_object(const json_t *object, const char *path, ebm_temperature *out)
{
    const char *method = json_string_value(json_object_get(object, "method"));
    *out = (ebm_temperature){0};
    if (method && strncmp(method, "temperature", strlen("temperature")) != 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a temperature expected, found method \"%.40s\"", path, method);
    EBM_TRY(ebm_json_number_at(object, path, "temperature", &out->temperature));
    EBM_TRY(ebm_in(ebm_temperature_check(out->temperature), "%s", path));
    EBM_TRY(ebm_json_number_at(object, path, "nll_before", &out->nll_before));
    EBM_TRY(ebm_json_number_at(object, path, "nll_after", &out->nll_after));
    EBM_TRY(ebm_json_whole_at(object, path, "examples", &out->examples));
    if (json_object_get(object, "folded_temperature")) {
        EBM_TRY(ebm_json_number_at(object, path, "folded_temperature", &out->folded));
        EBM_TRY(ebm_in(ebm_temperature_check(out->folded), "%s: folded_temperature", path));
    }
    const char *fitted_on = json_string_value(json_object_get(object, "fitted_on"));
    snprintf(out->fitted_on, sizeof out->fitted_on, "%s", fitted_on ? fitted_on : "");
    if (out->temperature <= EBM_TEMPERATURE_LOWEST) out->bound = EBM_BOUND_LOWEST;
    if (out->temperature >= EBM_TEMPERATURE_HIGHEST) out->bound = EBM_BOUND_HIGHEST;
    return ebm_ok();
}

ebm_status ebm_temperature_load(const char *directory, ebm_temperature *out)
{
    json_t *object = NULL;
    char *path = NULL;
    EBM_TRY(ebm_calibration_read(directory, &object, &path));
    ebm_status status = ebm_temperature_of_object(object, path, out);
    if (status.code == EBM_OK && (json_object_get(object, "mc_dropout") || json_object_get(object, "ensemble")))
        status = ebm_fail(EBM_ERROR_INPUT, "%s: its temperature is for the mean of several predictions", path);
    json_decref(object);
    free(path);
    return status;
}
