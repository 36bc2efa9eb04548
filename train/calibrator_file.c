// A calibrator in calibration.json.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrator_internal.h"
#include "json_file.h"
#include "labels.h"

// --- writing ---------------------------------------------------------------------------------------------------------

static json_t *numbers(const double *list, size_t length)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < length; i++)
        if (json_array_append_new(array, json_real(list[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *part_object(const ebm_calibrator_family *family, const ebm_calibrator_part *part)
{
    json_t *object = json_object();
    for (int k = 0; object && k < EBM_CALIBRATOR_LISTS && family->list[k]; k++)
        if (json_object_set_new(object, family->list[k], numbers(part->list[k], part->length[k])) != 0) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *part_list(const ebm_calibrator *c)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < c->parts; i++)
        if (json_array_append_new(list, part_object(ebm_calibrator_family_of(c->facts.kind), &c->part[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static ebm_status to_object(const ebm_calibrator *c, json_t **out)
{
    const ebm_calibrator_facts *f = &c->facts;
    json_t *fitted_on = ebm_json_cut_text(f->fitted_on);
    if (!fitted_on) return ebm_fail(EBM_ERROR_INPUT, "%s: fitted_on is not UTF-8", EBM_CALIBRATION_FILE);
    *out = json_pack("{s:s, s:i, s:o, s:I, s:I, s:f, s:f, s:f, s:o}", "method", ebm_calibrator_name(f->kind), "labels",
                     f->labels, "fitted_on", fitted_on, "examples", (json_int_t)f->examples, "absent",
                     (json_int_t)f->absent, "nll_before", f->nll_before, "nll_after", f->nll_after, "regularization",
                     f->regularization, "parts", part_list(c));
    if (*out && (!f->folded || json_object_set_new(*out, "folded", json_true()) == 0)) return ebm_ok();
    json_decref(*out);
    return ebm_fail(EBM_ERROR_INPUT, "%s: a value is not finite", EBM_CALIBRATION_FILE);
}

// Older programs read a temperature by these keys; "method" says only that the grid gave it.
static ebm_status temperature_object(const ebm_calibrator *c, json_t **out)
{
    EBM_TRY(ebm_temperature_object(&c->temperature, out));
    if (c->facts.kind == EBM_CALIBRATOR_TEMPERATURE) return ebm_ok();
    if (json_object_set_new(*out, "method", json_string(ebm_calibrator_name(c->facts.kind))) == 0) return ebm_ok();
    json_decref(*out);
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for %s", EBM_CALIBRATION_FILE);
}

static json_t *name_list(const char *names)
{
    json_t *list = json_array();
    while (list && *names) {
        const size_t length = strcspn(names, "\n");
        if (json_array_append_new(list, json_stringn(names, length)) != 0) {
            json_decref(list);
            return NULL;
        }
        names += length + (names[length] != 0);
    }
    return list;
}

// Takes the object over on an error.
static ebm_status add_averaging(json_t *object, const ebm_averaging *a)
{
    int failed = 0;
    if (a->mc_dropout > 0) failed = json_object_set_new(object, "mc_dropout", json_integer((json_int_t)a->mc_dropout));
    if (!failed && a->models > 1) failed = json_object_set_new(object, "ensemble", name_list(a->others));
    if (!failed) return ebm_ok();
    json_decref(object);
    return ebm_fail(EBM_ERROR_INPUT, "%s: a name of the ensemble's models is not UTF-8", EBM_CALIBRATION_FILE);
}

ebm_status ebm_calibrator_save(const char *directory, const ebm_calibrator *c)
{
    json_t *object = NULL;
    EBM_TRY(ebm_calibrator_temperature(c) ? temperature_object(c, &object) : to_object(c, &object));
    EBM_TRY(add_averaging(object, &c->facts.averaging));
    return ebm_json_file_write(directory, EBM_CALIBRATION_FILE, object);
}

// --- reading ---------------------------------------------------------------------------------------------------------

static ebm_status read_list(const json_t *array, const char *path, const char *key, ebm_calibrator_part *part, int list)
{
    if (!json_is_array(array)) return ebm_fail(EBM_ERROR_INPUT, "%s: a list of numbers expected at \"%s\"", path, key);
    EBM_TRY(ebm_calibrator_list(part, list, json_array_size(array)));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *number = json_array_get(array, i);
        if (!json_is_number(number))
            return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\": a number expected at place %zu", path, key, i);
        part->list[list][i] = json_number_value(number);
    }
    return ebm_ok();
}

static ebm_status read_part(const json_t *object, const char *path, size_t place, ebm_calibrator *c)
{
    const ebm_calibrator_family *family = ebm_calibrator_family_of(c->facts.kind);
    for (int k = 0; k < EBM_CALIBRATOR_LISTS && family->list[k]; k++)
        EBM_TRY(read_list(json_object_get(object, family->list[k]), path, family->list[k], &c->part[place], k));
    const char *expected = family->check(&c->part[place], c->facts.labels);
    if (!expected) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: \"parts\", place %zu: %s: %s expected", path, place,
                    ebm_calibrator_name(c->facts.kind), expected);
}

static ebm_status read_facts(const json_t *object, const char *path, ebm_calibrator_facts *f)
{
    size_t labels = 0;
    EBM_TRY(ebm_json_whole_at(object, path, "labels", &labels));
    if (labels < 2 || labels > EBM_LABELS_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "%s: 2 to %d expected at \"labels\", found %zu", path, EBM_LABELS_MAX, labels);
    f->labels = (int)labels;
    EBM_TRY(ebm_json_whole_at(object, path, "examples", &f->examples));
    EBM_TRY(ebm_json_whole_at(object, path, "absent", &f->absent));
    EBM_TRY(ebm_json_number_at(object, path, "nll_before", &f->nll_before));
    EBM_TRY(ebm_json_number_at(object, path, "nll_after", &f->nll_after));
    EBM_TRY(ebm_json_number_at(object, path, "regularization", &f->regularization));
    f->folded = json_is_true(json_object_get(object, "folded"));
    const char *fitted_on = json_string_value(json_object_get(object, "fitted_on"));
    snprintf(f->fitted_on, sizeof f->fitted_on, "%s", fitted_on ? fitted_on : "");
    return ebm_ok();
}

static ebm_status read_maps(const json_t *object, const char *path, ebm_calibrator_kind kind, ebm_calibrator **out)
{
    ebm_calibrator_facts facts = {.kind = kind};
    EBM_TRY(read_facts(object, path, &facts));
    const json_t *list = json_object_get(object, "parts");
    const size_t parts = ebm_calibrator_part_count(ebm_calibrator_family_of(kind), facts.labels);
    if (json_array_size(list) != parts)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a list of %zu expected at \"parts\"", path, parts);
    EBM_TRY(ebm_calibrator_create(kind, parts, out));
    (*out)->facts = facts;
    ebm_status status = ebm_ok();
    for (size_t i = 0; status.code == EBM_OK && i < parts; i++)
        status = read_part(json_array_get(list, i), path, i, *out);
    return status;
}

static ebm_status read_temperature(const json_t *object, const char *path, ebm_calibrator_kind kind,
                                   ebm_calibrator **out)
{
    ebm_temperature t;
    EBM_TRY(ebm_temperature_of_object(object, path, &t));
    EBM_TRY(ebm_calibrator_create(kind, 0, out));
    (*out)->temperature = t;
    (*out)->facts = (ebm_calibrator_facts){.kind = kind,
                                           .examples = t.examples,
                                           .nll_before = t.nll_before,
                                           .nll_after = t.nll_after,
                                           .folded = t.folded > 0};
    ebm_calibrator_set_fitted_on(*out, t.fitted_on);
    return ebm_ok();
}

static ebm_status read_names(const json_t *list, const char *path, size_t passes, ebm_averaging *out)
{
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a list of names expected at \"ensemble\"", path);
    const char **name = calloc(count, sizeof *name);
    ebm_status status = name ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu names", count);
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) {
        name[i] = json_string_value(json_array_get(list, i));
        if (!name[i]) status = ebm_fail(EBM_ERROR_INPUT, "%s: \"ensemble\": a name expected at place %zu", path, i);
    }
    if (status.code == EBM_OK) status = ebm_in(ebm_averaging_of(passes, name, count, out), "%s", path);
    free(name);
    return status;
}

static ebm_status read_averaging(const json_t *object, const char *path, ebm_averaging *out)
{
    const json_t *names = json_object_get(object, "ensemble");
    size_t passes = 0;
    if (json_object_get(object, "mc_dropout")) EBM_TRY(ebm_json_whole_at(object, path, "mc_dropout", &passes));
    if (names) return read_names(names, path, passes, out);
    return ebm_averaging_of(passes, NULL, 0, out);
}

static ebm_status read_calibrator(const json_t *object, const char *path, ebm_calibrator **out)
{
    const json_t *method = json_object_get(object, "method");
    ebm_calibrator_kind kind = EBM_CALIBRATOR_TEMPERATURE;
    if (method && !json_is_string(method)) return ebm_fail(EBM_ERROR_INPUT, "%s: a name expected at \"method\"", path);
    if (method) EBM_TRY(ebm_in(ebm_calibrator_by_name(json_string_value(method), &kind), "%s: \"method\"", path));
    if (ebm_calibrator_family_of(kind)->check) return read_maps(object, path, kind, out);
    return read_temperature(object, path, kind, out);
}

static ebm_status of_object(const json_t *object, const char *path, ebm_calibrator **out)
{
    ebm_averaging averaging;
    EBM_TRY(read_averaging(object, path, &averaging));
    EBM_TRY(read_calibrator(object, path, out));
    ebm_calibrator_set_averaging(*out, &averaging);
    return ebm_ok();
}

ebm_status ebm_calibrator_load(const char *directory, ebm_calibrator **out)
{
    json_t *object = NULL;
    char *path = NULL;
    ebm_calibrator *c = NULL;
    EBM_TRY(ebm_calibration_read(directory, &object, &path));
    const ebm_status status = of_object(object, path, &c);
    if (status.code == EBM_OK)
        *out = c;
    else
        ebm_calibrator_free(c);
    json_decref(object);
    free(path);
    return status;
}
