#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_internal.h"
#include "launch.h"

struct ebm_profile {
    bool on;
    ebm_profile_row *rows;
    size_t count, capacity;
};

void ebm_profile_free(ebm_profile *profile)
{
    if (!profile) return;
    free(profile->rows);
    free(profile);
}

void ebm_profile_enable(ebm_device *device, bool enabled)
{
    if (!device->profile) device->profile = calloc(1, sizeof *device->profile);
    if (!device->profile) return; // no profile is no failure of the work itself
    device->profile->on = enabled;
    device->profile->count = 0;
}

bool ebm_profile_is_on(const ebm_device *device) { return device->profile && device->profile->on; }

static ebm_profile_row *row_named(ebm_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->count; i++)
        if (strcmp(profile->rows[i].name, name) == 0) return &profile->rows[i];
    if (profile->count == profile->capacity) {
        const size_t capacity = profile->capacity ? 2 * profile->capacity : 32;
        ebm_profile_row *more = realloc(profile->rows, capacity * sizeof *more);
        if (!more) return NULL;
        profile->rows = more;
        profile->capacity = capacity;
    }
    ebm_profile_row *row = &profile->rows[profile->count++];
    memset(row, 0, sizeof *row);
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

void ebm_profile_add(ebm_device *device, const char *name, double seconds, double flops, double bytes)
{
    ebm_profile_row *row = row_named(device->profile, name);
    if (!row) return;
    row->launches++;
    row->seconds += seconds;
    row->flops += flops;
    row->bytes += bytes;
}

static int by_falling_time(const void *a, const void *b)
{
    const double x = ((const ebm_profile_row *)a)->seconds, y = ((const ebm_profile_row *)b)->seconds;
    return (x < y) - (x > y);
}

ebm_status ebm_profile_rows(const ebm_device *device, ebm_profile_row **rows, size_t *count)
{
    *rows = NULL;
    *count = device->profile ? device->profile->count : 0;
    if (*count == 0) return ebm_ok();
    *rows = malloc(*count * sizeof **rows);
    if (!*rows) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the profile");
    memcpy(*rows, device->profile->rows, *count * sizeof **rows);
    qsort(*rows, *count, sizeof **rows, by_falling_time);
    return ebm_ok();
}
