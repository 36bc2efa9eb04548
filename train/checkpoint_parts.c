#include "checkpoint_parts.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "sizes.h"

static const char *const MOMENT_FILES[2] = {"optimizer_moment1.safetensors", "optimizer_moment2.safetensors"};
static const ebm_part MOMENTS[2] = {EBM_PART_MOMENT1, EBM_PART_MOMENT2};

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a checkpoint"); }

ebm_status ebm_moments_write(ebm_parameters *parameters, const char *directory)
{
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < 2 && status.code == EBM_OK; i++) {
        char *path = ebm_path_join(directory, MOMENT_FILES[i]);
        status = path ? ebm_parameters_save(parameters, MOMENTS[i], path, "", NULL) : no_memory();
        free(path);
    }
    return status;
}

ebm_status ebm_moments_read(ebm_parameters *parameters, const char *directory)
{
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < 2 && status.code == EBM_OK; i++) {
        char *path = ebm_path_join(directory, MOMENT_FILES[i]);
        ebm_safetensors *file = NULL;
        status = path ? ebm_safetensors_open(path, &file) : no_memory();
        if (status.code == EBM_OK) status = ebm_parameters_restore(parameters, MOMENTS[i], file, "", NULL);
        ebm_safetensors_free(file);
        free(path);
    }
    return status;
}

json_t *ebm_place_of(const ebm_order *order)
{
    return json_pack("[I,I]", (json_int_t)ebm_order_epoch(order), (json_int_t)ebm_order_position(order));
}

ebm_status ebm_place_seek(ebm_order *order, const json_t *place, const char *path, const char *key)
{
    const json_t *epoch = json_array_get(place, 0), *position = json_array_get(place, 1);
    if (!json_is_integer(epoch) || !json_is_integer(position) || json_integer_value(epoch) < 0 ||
        json_integer_value(epoch) > UINT32_MAX || json_integer_value(position) < 0 ||
        !ebm_fits_size((uint64_t)json_integer_value(position)))
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" must be [epoch, position]", path, key);
    return ebm_in(ebm_order_seek(order, (uint32_t)json_integer_value(epoch), (size_t)json_integer_value(position)),
                  "%s: %s", path, key);
}

ebm_status ebm_settings_check(json_t *now, const json_t *then, const char *path)
{
    const char *key;
    json_t *value;
    ebm_status status = now ? ebm_ok() : no_memory();
    json_object_foreach(now, key, value)
    {
        json_t *other = json_object_get(then, key);
        if (status.code != EBM_OK || json_equal(value, other) || (!other && json_is_false(value))) continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY), *old = other ? json_dumps(other, JSON_ENCODE_ANY) : NULL;
        status = ebm_fail(EBM_ERROR_INPUT, "%s: %s was %s, now it is %s; a resumed run keeps its settings", path, key,
                          old ? old : "not there", text ? text : "?");
        free(text);
        free(old);
    }
    json_decref(now);
    return status;
}

void ebm_checkpoint_name_of(uint64_t step, ebm_checkpoint_name name)
{
    snprintf(name, sizeof(ebm_checkpoint_name), "checkpoint-%" PRIu64, step);
}

static bool is_checkpoint(const char *name)
{
    const char *digits = name + strlen("checkpoint-");
    return strncmp(name, "checkpoint-", strlen("checkpoint-")) == 0 && *digits &&
           strspn(digits, "0123456789") == strlen(digits);
}

ebm_status ebm_checkpoint_newest(const char *folder, char **path)
{
    ebm_checkpoint_name name;
    uint64_t newest = 0;
    DIR *entries = opendir(folder);
    *path = NULL;
    if (!entries) return ebm_ok();
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (!is_checkpoint(entry->d_name)) continue;
        const uint64_t step = strtoull(entry->d_name + strlen("checkpoint-"), NULL, 10);
        if (step > newest) newest = step;
    }
    closedir(entries);
    if (newest == 0) return ebm_ok(); // none is written before the first step
    ebm_checkpoint_name_of(newest, name);
    *path = ebm_path_join(folder, name);
    return *path ? ebm_ok() : no_memory();
}

ebm_status ebm_checkpoint_remove_others(const char *folder, const char *newest)
{
    ebm_status status = ebm_ok();
    DIR *entries = opendir(folder);
    if (!entries) return ebm_fail(EBM_ERROR_IO, "%s: %m", folder);
    for (struct dirent *entry; status.code == EBM_OK && (entry = readdir(entries)) != NULL;) {
        if (!is_checkpoint(entry->d_name) || strcmp(entry->d_name, newest) == 0) continue;
        char *path = ebm_path_join(folder, entry->d_name);
        status = path ? ebm_directory_remove(path) : no_memory();
        free(path);
    }
    closedir(entries);
    return status;
}
