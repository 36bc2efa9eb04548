// calibration.json beside the model.
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibration.h"
#include "file.h"
#include "scores.h"

#define FILE_LIMIT 65536 // bytes; ours has about 300

// A character of up to 4 bytes may have been cut at the end of the array: at most 3 bytes of it are left there.
static json_t *text_or_cut_text(const char *text)
{
    const size_t length = strlen(text);
    json_t *string = NULL;
    for (size_t cut = 0; cut <= 3 && cut <= length && !string; cut++) string = json_stringn(text, length - cut);
    return string;
}

static ebm_status to_text(const ebm_temperature *fit, char **text)
{
    json_t *fitted_on = text_or_cut_text(fit->fitted_on);
    if (!fitted_on) return ebm_fail(EBM_ERROR_INPUT, "%s: fitted_on is not UTF-8", EBM_CALIBRATION_FILE);
    json_t *object =
        json_pack("{s:f, s:o, s:I, s:f, s:f}", "temperature", fit->temperature, "fitted_on", fitted_on, "examples",
                  (json_int_t)fit->examples, "nll_before", fit->nll_before, "nll_after", fit->nll_after);
    if (object && fit->folded > 0 && json_object_set_new(object, "folded_temperature", json_real(fit->folded)) != 0) {
        json_decref(object);
        object = NULL;
    }
    *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    json_decref(object);
    return *text ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s: a value is not finite", EBM_CALIBRATION_FILE);
}

ebm_status ebm_temperature_save(const char *directory, const ebm_temperature *fit)
{
    char *text = NULL;
    EBM_TRY(ebm_temperature_check(fit->temperature));
    EBM_TRY(to_text(fit, &text));
    char *path = ebm_path_join(directory, EBM_CALIBRATION_FILE);
    const ebm_status status = ebm_file_write(path, text, strlen(text));
    free(path);
    free(text);
    return status;
}

static ebm_status number_in(const json_t *object, const char *path, const char *key, double *out)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) return ebm_fail(EBM_ERROR_INPUT, "%s: a number expected at \"%s\"", path, key);
    *out = json_number_value(value);
    return ebm_ok();
}

static ebm_status from_object(const json_t *object, const char *path, ebm_temperature *out)
{
    double examples = 0;
    *out = (ebm_temperature){0};
    EBM_TRY(number_in(object, path, "temperature", &out->temperature));
    EBM_TRY(ebm_in(ebm_temperature_check(out->temperature), "%s", path));
    EBM_TRY(number_in(object, path, "nll_before", &out->nll_before));
    EBM_TRY(number_in(object, path, "nll_after", &out->nll_after));
    EBM_TRY(number_in(object, path, "examples", &examples));
    if (!(examples >= 0 && examples <= 9007199254740992.0)) // whole numbers of a double
        return ebm_fail(EBM_ERROR_INPUT, "%s: a count expected at \"examples\", found %g", path, examples);
    out->examples = (size_t)examples;
    if (json_object_get(object, "folded_temperature")) {
        EBM_TRY(number_in(object, path, "folded_temperature", &out->folded));
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
    ebm_status status = ebm_ok();
    char *bytes = NULL, *path = ebm_path_join(directory, EBM_CALIBRATION_FILE);
    size_t size = 0;
    json_t *object = NULL;
    json_error_t error;
    EBM_CHECK(ebm_file_read(path, FILE_LIMIT, &bytes, &size), end);
    object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        status = ebm_fail(EBM_ERROR_INPUT, "%s:%d: not JSON: %s", path, error.line, error.text);
    else
        status = from_object(object, path, out);
end:
    json_decref(object);
    free(bytes);
    free(path);
    return status;
}
