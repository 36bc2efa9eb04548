#include "label_map.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The next character that counts, lower case; moves *text behind it.
static int next_plain(const char **text)
{
    while (**text == ' ' || **text == '-' || **text == '_') ++*text;
    return **text ? tolower((unsigned char)*(*text)++) : 0;
}

static bool are_alike(const char *a, const char *b)
{
    int x = 0, y = 0;
    do {
        x = next_plain(&a);
        y = next_plain(&b);
    } while (x == y && x);
    return x == y;
}

static int32_t find_alike(const ebm_labels *labels, const char *name)
{
    int32_t found = -1;
    for (size_t i = 0; i < labels->count; i++) {
        if (!are_alike(labels->names[i], name)) continue;
        if (found >= 0) return -1;
        found = (int32_t)i;
    }
    return found;
}

static int32_t find(const ebm_labels *labels, const char *name)
{
    const int32_t id = ebm_labels_read(labels, name);
    return id >= 0 ? id : find_alike(labels, name);
}

typedef struct {
    char *left;
    int32_t model;
} pair;

typedef struct {
    pair *items;
    size_t count, capacity;
} pair_list;

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for labels"); }

// Cuts text[0, length) at the last '=' behind which a label of the model stands; -1 in out->model: there is none.
static ebm_status cut_pair(const char *text, size_t length, const ebm_labels *model, pair *out)
{
    char *copy = strndup(text, length);
    if (!copy) return no_memory();
    *out = (pair){NULL, -1};
    for (size_t i = length; i-- > 1 && out->model < 0;) {
        if (copy[i] != '=') continue;
        out->model = find(model, copy + i + 1);
        if (out->model >= 0) copy[i] = 0;
    }
    if (out->model >= 0)
        out->left = copy;
    else
        free(copy);
    return ebm_ok();
}

static ebm_status add_pair(pair_list *list, pair p)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].left, p.left) != 0) continue;
        const ebm_status status = ebm_fail(EBM_ERROR_INPUT, "--label_map: \"%.100s\" is mapped twice", p.left);
        free(p.left);
        return status;
    }
    if (list->count == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 8;
        pair *grown = realloc(list->items, capacity * sizeof *grown);
        if (!grown) return free(p.left), no_memory();
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count++] = p;
    return ebm_ok();
}

// "a=b,c=d": true when every part between commas is a pair; names may hold commas too.
static ebm_status are_pairs(const char *text, const ebm_labels *model, bool *all)
{
    *all = true;
    for (const char *part = text; part && *all; part = strchr(part, ',') ? strchr(part, ',') + 1 : NULL) {
        pair p;
        EBM_TRY(cut_pair(part, strcspn(part, ","), model, &p));
        *all = p.model >= 0;
        free(p.left);
    }
    return ebm_ok();
}

static ebm_status bad_pair(const char *text, const ebm_labels *model)
{
    const char *last = strrchr(text, '=');
    char own[240];
    if (!last || !last[1] || last == text)
        return ebm_fail(EBM_ERROR_INPUT,
                        "--label_map: pairs LABEL_OF_THE_TEXTS=LABEL_OF_THE_MODEL expected, found \"%.100s\"", text);
    return ebm_fail(EBM_ERROR_INPUT,
                    "--label_map: \"%.100s\": \"%.100s\" is no label of the model, whose labels are %s", text, last + 1,
                    ebm_labels_text(model, own, sizeof own));
}

static ebm_status read_item(const char *text, const ebm_labels *model, pair_list *list)
{
    bool several = false;
    EBM_TRY(are_pairs(text, model, &several));
    for (const char *part = text; part;) {
        const size_t length = several ? strcspn(part, ",") : strlen(part);
        pair p;
        EBM_TRY(cut_pair(part, length, model, &p));
        if (p.model < 0) return bad_pair(text, model);
        EBM_TRY(add_pair(list, p));
        part = part[length] ? part + length + 1 : NULL;
    }
    return ebm_ok();
}

// The left side of a pair among the labels of the texts. A task's are all known, with ids of their own; a file need not
// have each of them, but one.
static ebm_status apply(const pair_list *pairs, const ebm_labels *texts, bool is_task, int32_t *map)
{
    char own[240];
    size_t applied = 0;
    for (size_t k = 0; k < pairs->count; k++) {
        const char *left = pairs->items[k].left;
        const int32_t text = is_task ? ebm_labels_read(texts, left) : ebm_labels_find(texts, left);
        if (text < 0 && is_task)
            return ebm_fail(EBM_ERROR_INPUT, "--label_map: \"%.100s\" is no label of the task, whose labels are %s",
                            left, ebm_labels_text(texts, own, sizeof own));
        if (text < 0) continue;
        map[text] = pairs->items[k].model;
        applied++;
    }
    if (applied > 0 || pairs->count == 0) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "--label_map: none of the texts' labels, %s, is on the left of a pair",
                    ebm_labels_text(texts, own, sizeof own));
}

ebm_status ebm_label_map_create(const ebm_labels *texts, bool is_task, const ebm_labels *model,
                                const ebm_string_list *pair_texts, int32_t **to_model)
{
    pair_list pairs = {0};
    int32_t *map = calloc(texts->count + 1, sizeof *map);
    ebm_status status = map ? ebm_ok() : no_memory();
    EBM_CHECK(status, end);
    for (size_t i = 0; i < texts->count; i++) map[i] = find(model, texts->names[i]);
    for (size_t i = 0; i < pair_texts->count; i++) EBM_CHECK(read_item(pair_texts->items[i], model, &pairs), end);
    EBM_CHECK(apply(&pairs, texts, is_task, map), end);
    *to_model = map;
    map = NULL;
end:
    for (size_t k = 0; k < pairs.count; k++) free(pairs.items[k].left);
    free(pairs.items);
    free(map);
    return status;
}

bool ebm_labels_are_numbered(const ebm_labels *labels)
{
    bool with_prefix = true, bare = true;
    for (size_t i = 0; i < labels->count; i++) {
        char name[32];
        const int length = snprintf(name, sizeof name, "LABEL_%zu", i);
        with_prefix &= length > 0 && strcmp(labels->names[i], name) == 0;
        bare &= strcmp(labels->names[i], name + strlen("LABEL_")) == 0;
    }
    return with_prefix || bare;
}

bool ebm_label_map_is_one_to_one(const int32_t *to_model, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (to_model[i] < 0) return false;
        for (size_t k = 0; k < i; k++)
            if (to_model[k] == to_model[i]) return false;
    }
    return true;
}
