#include "dataset_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ebm_status ebm_dataset_grow(void **items, size_t *capacity, size_t needed, size_t item_bytes)
{
    if (needed <= *capacity) return ebm_ok();
    size_t wanted = *capacity ? *capacity : 256;
    while (wanted < needed) wanted *= 2;
    void *grown = realloc(*items, wanted * item_bytes);
    if (!grown) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu bytes of a data set", wanted * item_bytes);
    *items = grown;
    *capacity = wanted;
    return ebm_ok();
}

ebm_status ebm_dataset_create(const ebm_labels *labels, ebm_dataset **dataset)
{
    ebm_status status = ebm_ok();
    ebm_dataset *created = calloc(1, sizeof *created);
    if (!created) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a data set");
    for (size_t i = 0; labels && i < labels->count; i++) {
        int32_t id;
        EBM_CHECK(ebm_labels_add(&created->labels, labels->names[i], &id), end);
    }
    *dataset = created;
    created = NULL;
end:
    ebm_dataset_free(created);
    return status;
}

static void put_text(ebm_dataset *dataset, const char *text, size_t length, size_t *offset)
{
    *offset = dataset->arena_size;
    memcpy(dataset->arena + dataset->arena_size, text, length);
    dataset->arena[dataset->arena_size + length] = 0;
    dataset->arena_size += length + 1;
}

static ebm_status add_row(ebm_dataset *dataset, const ebm_raw_row *raw, int32_t label)
{
    const size_t bytes = raw->text_a_length + 1 + (raw->text_b ? raw->text_b_length + 1 : 0);
    EBM_TRY(ebm_dataset_grow((void **)&dataset->arena, &dataset->arena_capacity, dataset->arena_size + bytes, 1));
    EBM_TRY(ebm_dataset_grow((void **)&dataset->rows, &dataset->capacity, dataset->count + 1, sizeof *dataset->rows));
    ebm_stored_row *row = &dataset->rows[dataset->count++];
    *row = (ebm_stored_row){.text_b = EBM_NO_TEXT,
                            .text_a_length = raw->text_a_length,
                            .text_b_length = raw->text_b ? raw->text_b_length : 0,
                            .line = raw->line,
                            .label = label,
                            .votes = dataset->votes_taken,
                            .vote_count = dataset->votes_used - dataset->votes_taken};
    dataset->votes_taken = dataset->votes_used;
    put_text(dataset, raw->text_a, raw->text_a_length, &row->text_a);
    if (raw->text_b) put_text(dataset, raw->text_b, raw->text_b_length, &row->text_b);
    return ebm_ok();
}

ebm_status ebm_dataset_add(ebm_dataset *dataset, const char *text_a, const char *text_b, int32_t label, size_t line)
{
    if (label < -1 || (label >= 0 && (size_t)label >= dataset->labels.count))
        return ebm_fail(EBM_ERROR_INPUT, "row %zu: label %d, but the set has %zu labels", dataset->count, label,
                        dataset->labels.count);
    if (dataset->count > 0 && ebm_dataset_is_pairs(dataset) != (text_b != NULL))
        return ebm_fail(EBM_ERROR_INPUT, "row %zu: %s in a set of %s", dataset->count,
                        text_b ? "a pair" : "a single text", text_b ? "single texts" : "pairs");
    const ebm_raw_row row = {text_a, text_b, NULL, strlen(text_a), text_b ? strlen(text_b) : 0, line};
    return add_row(dataset, &row, label);
}

ebm_status ebm_dataset_label(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format, size_t line,
                             const char *name, int32_t *id)
{
    char names[300];
    if (!format->known_labels) return ebm_in(ebm_labels_add(&dataset->labels, name, id), "%s:%zu", path, line);
    *id = ebm_labels_read(format->known_labels, name);
    if (*id >= 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: unknown label \"%.60s\", expected one of %s", path, line, name,
                    ebm_labels_text(format->known_labels, names, sizeof names));
}

static ebm_status take_label(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format,
                             const ebm_raw_row *row, int32_t *label)
{
    *label = -1;
    if (format->labels == EBM_LABELS_IGNORED) return ebm_ok();
    if (!row->label || !*row->label) {
        if (format->labels == EBM_LABELS_OPTIONAL) return ebm_ok();
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected a label, found none", path, row->line);
    }
    const bool may_be_none = format->labels == EBM_LABELS_OPTIONAL && format->known_labels;
    if (may_be_none && strcmp(row->label, "-1") == 0 && ebm_labels_read(format->known_labels, "-1") < 0)
        return ebm_ok();
    return ebm_dataset_label(dataset, path, format, row->line, row->label, label);
}

ebm_status ebm_dataset_reject(ebm_dataset *dataset, const ebm_dataset_format *format, ebm_status status)
{
    dataset->votes_used = dataset->votes_taken;
    if (!format->skip_malformed || status.code != EBM_ERROR_INPUT) return status;
    if (dataset->skipped++ == 0) memcpy(dataset->first_skipped, status.message, sizeof status.message);
    return ebm_ok();
}

ebm_status ebm_dataset_take(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format,
                            const ebm_raw_row *row)
{
    const bool empty_b = row->text_b && row->text_b_length == 0;
    if (!format->empty_text && (row->text_a_length == 0 || empty_b))
        return ebm_dataset_reject(dataset, format,
                                  ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected a text, found an empty %s", path,
                                           row->line,
                                           !row->text_b ? "one"
                                           : empty_b    ? "second one"
                                                        : "first one"));
    if (format->annotator_count && dataset->votes_used == dataset->votes_taken)
        return ebm_dataset_reject(dataset, format,
                                  ebm_fail(EBM_ERROR_INPUT,
                                           "%s:%zu: expected a label of one annotator at least, found none", path,
                                           row->line));
    int32_t label;
    EBM_TRY(take_label(dataset, path, format, row, &label));
    return add_row(dataset, row, label);
}

static ebm_status copy_row(const ebm_dataset *from, size_t index, ebm_dataset *to)
{
    const ebm_stored_row *stored = &from->rows[index];
    const ebm_row row = ebm_dataset_row(from, index);
    EBM_TRY(ebm_dataset_grow((void **)&to->votes, &to->votes_capacity, to->votes_used + stored->vote_count,
                             sizeof *to->votes));
    for (size_t i = 0; i < stored->vote_count; i++) to->votes[to->votes_used++] = from->votes[stored->votes + i];
    return ebm_dataset_add(to, row.text_a, row.text_b, row.label, row.line);
}

ebm_status ebm_dataset_select(const ebm_dataset *dataset, const uint32_t *row, size_t count, ebm_dataset **selected)
{
    ebm_status status = ebm_ok();
    ebm_dataset *taken = NULL;
    EBM_CHECK(ebm_dataset_create(&dataset->labels, &taken), end);
    for (size_t i = 0; i < count; i++) EBM_CHECK(copy_row(dataset, row[i], taken), end);
    *selected = taken;
    taken = NULL;
end:
    ebm_dataset_free(taken);
    return status;
}

size_t ebm_dataset_count(const ebm_dataset *dataset) { return dataset->count; }

ebm_row ebm_dataset_row(const ebm_dataset *dataset, size_t index)
{
    assert(index < dataset->count);
    const ebm_stored_row *row = &dataset->rows[index];
    return (ebm_row){.text_a = dataset->arena + row->text_a,
                     .text_b = row->text_b == EBM_NO_TEXT ? NULL : dataset->arena + row->text_b,
                     .text_a_length = row->text_a_length,
                     .text_b_length = row->text_b_length,
                     .label = row->label,
                     .line = row->line};
}

bool ebm_dataset_is_pairs(const ebm_dataset *dataset)
{
    return dataset->count > 0 && dataset->rows[0].text_b != EBM_NO_TEXT;
}

const ebm_labels *ebm_dataset_labels(const ebm_dataset *dataset) { return &dataset->labels; }

size_t ebm_dataset_labelled_count(const ebm_dataset *dataset)
{
    size_t labelled = 0;
    for (size_t i = 0; i < dataset->count; i++) labelled += dataset->rows[i].label >= 0;
    return labelled;
}

size_t ebm_dataset_text_bytes(const ebm_dataset *dataset)
{
    size_t bytes = 0;
    for (size_t i = 0; i < dataset->count; i++)
        bytes += dataset->rows[i].text_a_length + dataset->rows[i].text_b_length;
    return bytes;
}

size_t ebm_dataset_skipped(const ebm_dataset *dataset) { return dataset->skipped; }
const char *ebm_dataset_first_skipped(const ebm_dataset *dataset) { return dataset->first_skipped; }

void ebm_dataset_free(ebm_dataset *dataset)
{
    if (!dataset) return;
    free(dataset->arena);
    free(dataset->rows);
    free(dataset->votes);
    ebm_labels_free(&dataset->labels);
    free(dataset);
}
