#include "labels.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t ebm_labels_find(const ebm_labels *labels, const char *name)
{
    for (size_t i = 0; i < labels->count; i++)
        if (strcmp(labels->names[i], name) == 0) return (int32_t)i;
    return -1;
}

ebm_status ebm_labels_add(ebm_labels *labels, const char *name, int32_t *id)
{
    *id = ebm_labels_find(labels, name);
    if (*id >= 0) return ebm_ok();
    if (labels->count == EBM_LABELS_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "more than %d different labels: is this the label column?", EBM_LABELS_MAX);
    if (!labels->owned) labels->owned = calloc(EBM_LABELS_MAX, sizeof *labels->owned);
    char *copy = labels->owned ? strdup(name) : NULL;
    if (!copy) return ebm_fail(EBM_ERROR_MEMORY, "no memory for labels");
    labels->names = (const char *const *)labels->owned;
    labels->owned[labels->count] = copy;
    *id = (int32_t)labels->count++;
    return ebm_ok();
}

// A sign and up to 18 digits, which fit 64 bits.
static bool is_integer(const char *name)
{
    if (*name == '-' || *name == '+') name++;
    const size_t digits = strspn(name, "0123456789");
    return digits > 0 && digits <= 18 && name[digits] == 0;
}

static bool any_is_integer(const ebm_labels *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        if (is_integer(labels->names[i])) return true;
    return false;
}

static bool all_are_integers(const ebm_labels *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        if (!is_integer(labels->names[i])) return false;
    return true;
}

int32_t ebm_labels_read(const ebm_labels *labels, const char *cell)
{
    const int32_t id = ebm_labels_find(labels, cell);
    if (id >= 0 || !is_integer(cell) || any_is_integer(labels)) return id;
    const long long number = strtoll(cell, NULL, 10);
    return number >= 0 && (size_t)number < labels->count ? (int32_t)number : -1;
}

typedef struct {
    char *name;
    int32_t old_id;
} entry;

static int by_bytes(const void *left, const void *right)
{
    return strcmp(((const entry *)left)->name, ((const entry *)right)->name);
}

static int by_value(const void *left, const void *right)
{
    const long long a = strtoll(((const entry *)left)->name, NULL, 10);
    const long long b = strtoll(((const entry *)right)->name, NULL, 10);
    return a < b ? -1 : a > b ? 1 : by_bytes(left, right); // "1" and "01" are different names
}

void ebm_labels_sort(ebm_labels *labels, int32_t *moved)
{
    entry entries[EBM_LABELS_MAX];
    for (size_t i = 0; i < labels->count; i++) entries[i] = (entry){labels->owned[i], (int32_t)i};
    qsort(entries, labels->count, sizeof *entries, all_are_integers(labels) ? by_value : by_bytes);
    for (size_t i = 0; i < labels->count; i++) {
        labels->owned[i] = entries[i].name;
        moved[entries[i].old_id] = (int32_t)i;
    }
}

const char *ebm_labels_text(const ebm_labels *labels, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < labels->count; i++) {
        const char *comma = i ? ", " : "";
        const size_t needed = strlen(comma) + strlen(labels->names[i]) + 2;
        if (used + needed + sizeof ", ..." > size) {
            snprintf(text + used, size - used, "%s...", comma);
            break;
        }
        used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", comma, labels->names[i]);
    }
    return text;
}

void ebm_labels_free(ebm_labels *labels)
{
    for (size_t i = 0; labels->owned && i < labels->count; i++) free(labels->owned[i]);
    free(labels->owned);
    *labels = (ebm_labels){0};
}
