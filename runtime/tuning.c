#include "tuning.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "program_cache.h"

enum { FORMAT = 1, FILE_LIMIT = 1 << 16, SMALL_ROWS = 64, SOME_ROWS = 512 };

static const char *const BACKENDS[EBM_BACKENDS] = {"cpu", "clblast", "plain"};
static const char *const FORMS[EBM_GEMM_FORMS] = {"nn", "nt", "tn"};
static const char *const ROWS[EBM_ROW_CLASSES] = {"1-64", "65-512", "513-"};

const char *ebm_backend_name(ebm_backend backend) { return BACKENDS[backend]; }
const char *ebm_gemm_form_name(ebm_gemm_form form) { return FORMS[form]; }
const char *ebm_row_class_name(size_t rows) { return ROWS[rows]; }
size_t ebm_row_class(size_t m) { return m <= SMALL_ROWS ? 0 : m <= SOME_ROWS ? 1 : 2; }

static const char *form_of(const ebm_device *device) { return ebm_device_uses_cpu_kernels(device) ? "cpu" : "gpu"; }

// ---- where

// Letters, digits, '.' and '_' of the device's name; what else there is becomes one '-'.
static void readable_name(const char *name, char *text, size_t size)
{
    size_t length = 0;
    for (; *name && length + 1 < size; name++) {
        const char c = *name;
        const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._", c);
        if (kept || (length > 0 && text[length - 1] != '-')) text[length++] = kept ? c : '-';
    }
    text[length] = 0;
}

ebm_status ebm_tuning_path(const ebm_device *device, char **path)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    char folder[512], identity[512], name[49], file[96];
    *path = NULL;
    if (!ebm_cache_folder(folder, sizeof folder)) return ebm_ok();
    snprintf(identity, sizeof identity, "%s\n%s\n%s\n%s", info->platform_name, info->name, info->driver,
             form_of(device));
    readable_name(info->name, name, sizeof name);
    snprintf(file, sizeof file, "tuning-%s-%016" PRIx64 ".json", name, ebm_cache_key(identity));
    *path = ebm_path_join(folder, file);
    return *path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
}

// ---- reading

static ebm_status check_text(const json_t *file, const char *path, const char *key, const char *expected)
{
    const char *found = json_string_value(json_object_get(file, key));
    if (!found) return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" must be a text", path, key);
    if (strcmp(found, expected) == 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: tuned for %s '%.80s', this one is '%.80s'", path, key, found, expected);
}

static ebm_status check_identity(const ebm_device *device, const json_t *file, const char *path)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    const json_t *format = json_object_get(file, "format");
    if (json_integer_value(format) != FORMAT)
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected what ebmcl tune writes, \"format\": %d", path, FORMAT);
    EBM_TRY(check_text(file, path, "platform", info->platform_name));
    EBM_TRY(check_text(file, path, "device", info->name));
    EBM_TRY(check_text(file, path, "driver", info->driver));
    return check_text(file, path, "kernels", form_of(device));
}

static ebm_status read_backends(const ebm_device *device, const json_t *file, const char *path, ebm_tuning *tuning)
{
    const json_t *products = json_object_get(file, "products");
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) {
            const char *name = json_string_value(json_object_get(json_object_get(products, FORMS[form]), ROWS[rows]));
            size_t b = ebm_device_uses_cpu_kernels(device) ? EBM_BACKEND_CPU : EBM_BACKEND_CLBLAST;
            while (b < EBM_BACKENDS && (!name || strcmp(name, BACKENDS[b]) != 0)) b++;
            if (b == EBM_BACKENDS)
                return ebm_fail(EBM_ERROR_INPUT, "%s: \"products\", \"%s\", \"%s\": expected %sclblast or plain", path,
                                FORMS[form], ROWS[rows], ebm_device_uses_cpu_kernels(device) ? "cpu, " : "");
            tuning->backend[form][rows] = (ebm_backend)b;
        }
    return ebm_ok();
}

static ebm_status read_kernel(const json_t *values, const char *path, ebm_clblast_kernel kernel,
                              ebm_clblast_parameters *parameters)
{
    const ebm_clblast_names *names = &EBM_CLBLAST_NAMES[kernel];
    if (json_object_size(values) != names->count)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" must have %zu parameters", path, names->kernel, names->count);
    for (size_t i = 0; i < names->count; i++) {
        const json_t *value = json_object_get(values, names->parameters[i]);
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > INT32_MAX)
            return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" of \"%s\" must be a number", path, names->parameters[i],
                            names->kernel);
        parameters->values[kernel][i] = (unsigned)json_integer_value(value);
    }
    parameters->overrides[kernel] = true;
    return ebm_ok();
}

static ebm_status read_parameters(const json_t *file, const char *path, ebm_tuning *tuning)
{
    const json_t *clblast = json_object_get(file, "clblast");
    const char *name = json_string_value(json_object_get(clblast, "name"));
    size_t known = 1;
    if (!name) return ebm_fail(EBM_ERROR_INPUT, "%s: \"clblast\" must have a \"name\"", path);
    snprintf(tuning->name, sizeof tuning->name, "%s", name);
    for (int kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++) {
        const json_t *values = json_object_get(clblast, EBM_CLBLAST_NAMES[kernel].kernel);
        if (!values) continue;
        known++;
        EBM_TRY(read_kernel(values, path, (ebm_clblast_kernel)kernel, &tuning->parameters));
    }
    if (json_object_size(clblast) != known)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"clblast\" has a kernel that this version does not know", path);
    return ebm_in(ebm_clblast_parameters_check(&tuning->parameters), "%s", path);
}

ebm_status ebm_tuning_read(const ebm_device *device, const char *path, ebm_tuning *tuning)
{
    char *text = NULL;
    size_t size = 0;
    json_error_t error;
    *tuning = (ebm_tuning){0};
    EBM_TRY(ebm_file_read(path, FILE_LIMIT, &text, &size));
    json_t *file = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!file) return ebm_fail(EBM_ERROR_INPUT, "%s:%d: %s", path, error.line, error.text);
    ebm_status status = ebm_ok();
    EBM_CHECK(check_identity(device, file, path), end);
    EBM_CHECK(read_backends(device, file, path, tuning), end);
    status = read_parameters(file, path, tuning);
end:
    json_decref(file);
    return status;
}

// ---- writing

static json_t *backends_json(const ebm_tuning *tuning)
{
    json_t *products = json_object();
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++) {
        json_t *classes = json_object();
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++)
            json_object_set_new(classes, ROWS[rows], json_string(BACKENDS[tuning->backend[form][rows]]));
        json_object_set_new(products, FORMS[form], classes);
    }
    return products;
}

static json_t *parameters_json(const ebm_tuning *tuning)
{
    json_t *clblast = json_pack("{s:s}", "name", tuning->name);
    for (int kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++) {
        const ebm_clblast_names *names = &EBM_CLBLAST_NAMES[kernel];
        if (!tuning->parameters.overrides[kernel]) continue;
        json_t *values = json_object();
        for (size_t i = 0; i < names->count; i++)
            json_object_set_new(values, names->parameters[i], json_integer(tuning->parameters.values[kernel][i]));
        json_object_set_new(clblast, names->kernel, values);
    }
    return clblast;
}

static ebm_status make_parent(const char *path)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
    if (!folder) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    if (slash) *slash = 0;
    const ebm_status status = slash && *folder ? ebm_directory_make(folder) : ebm_ok();
    free(folder);
    return status;
}

ebm_status ebm_tuning_write(const ebm_device *device, const char *path, const ebm_tuning *tuning)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    json_t *file = json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o}", "format", FORMAT, "platform", info->platform_name,
                             "device", info->name, "driver", info->driver, "kernels", form_of(device), "products",
                             backends_json(tuning), "clblast", parameters_json(tuning));
    char *text = file ? json_dumps(file, JSON_INDENT(2)) : NULL;
    json_decref(file);
    if (!text) return ebm_fail(EBM_ERROR_DEVICE, "%s: the names of device and driver cannot be written as JSON", path);
    ebm_status status = make_parent(path);
    if (status.code == EBM_OK) status = ebm_file_write(path, text, strlen(text));
    free(text);
    return status;
}
