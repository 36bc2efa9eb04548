#include "postprocessor.h"

#include <stdlib.h>
#include <string.h>

#include "json_field.h"

enum { MOST_PARTS = 1024 };

void ebm_postprocessor_free(ebm_postprocessor *p)
{
    free(p->single.parts);
    free(p->pair.parts);
    *p = (ebm_postprocessor){0};
}

void ebm_postprocessor_clear_types(ebm_postprocessor *p)
{
    for (size_t i = 0; i < p->single.count; i++) p->single.parts[i].type = 0;
    for (size_t i = 0; i < p->pair.count; i++) p->pair.parts[i].type = 0;
}

static ebm_status append(ebm_layout *layout, int32_t id, int32_t type)
{
    if (layout->count == layout->capacity) {
        const size_t capacity = layout->capacity ? 2 * layout->capacity : 8;
        ebm_layout_part *grown = realloc(layout->parts, capacity * sizeof *grown);
        if (!grown) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer");
        layout->parts = grown;
        layout->capacity = capacity;
    }
    layout->parts[layout->count++] = (ebm_layout_part){id, type};
    return ebm_ok();
}

static ebm_status append_all(ebm_layout *layout, const ebm_layout_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) EBM_TRY(append(layout, parts[i].id, parts[i].type));
    return ebm_ok();
}

ebm_status ebm_postprocessor_bert(int32_t cls, int32_t sep, ebm_postprocessor *p)
{
    const ebm_layout_part parts[] = {{cls, 0}, {EBM_LAYOUT_A, 0}, {sep, 0}, {EBM_LAYOUT_B, 1}, {sep, 1}};
    EBM_TRY(append_all(&p->single, parts, 3));
    return append_all(&p->pair, parts, 5);
}

ebm_status ebm_postprocessor_roberta(int32_t cls, int32_t sep, ebm_postprocessor *p)
{
    const ebm_layout_part parts[] = {{cls, 0}, {EBM_LAYOUT_A, 0}, {sep, 0}, {sep, 0}, {EBM_LAYOUT_B, 0}, {sep, 0}};
    EBM_TRY(append_all(&p->single, parts, 3));
    return append_all(&p->pair, parts, 6);
}

static ebm_status append_between(ebm_layout *layout, int32_t bos, int32_t text, int32_t eos, int32_t type)
{
    if (bos >= 0) EBM_TRY(append(layout, bos, type));
    EBM_TRY(append(layout, text, type));
    return eos >= 0 ? append(layout, eos, type) : ebm_ok();
}

ebm_status ebm_postprocessor_bos_eos(int32_t bos, int32_t eos, ebm_postprocessor *p)
{
    EBM_TRY(append_between(&p->single, bos, EBM_LAYOUT_A, eos, 0));
    EBM_TRY(append_between(&p->pair, bos, EBM_LAYOUT_A, eos, 0));
    return append_between(&p->pair, bos, EBM_LAYOUT_B, eos, 1);
}

static ebm_status texts_only(ebm_postprocessor *p) { return ebm_postprocessor_bos_eos(-1, -1, p); }

static ebm_status check_id(const json_t *value, const char *where, int32_t *id)
{
    const json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > INT32_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected a token's id", where);
    *id = (int32_t)number;
    return ebm_ok();
}

// "sep": ["[SEP]", 102]
static ebm_status read_named(const json_t *json, const char *key, const char *where, int32_t *id)
{
    json_t *list;
    char name[256];
    EBM_TRY(ebm_field_list(json, key, where, &list));
    snprintf(name, sizeof name, "%.200s: \"%s\"", where, key);
    return check_id(json_array_get(list, 1), name, id);
}

static ebm_status read_cls_sep(const json_t *json, const char *where, bool roberta, ebm_postprocessor *p)
{
    int32_t cls = -1, sep = -1;
    EBM_TRY(read_named(json, "cls", where, &cls));
    EBM_TRY(read_named(json, "sep", where, &sep));
    return roberta ? ebm_postprocessor_roberta(cls, sep, p) : ebm_postprocessor_bert(cls, sep, p);
}

// {"SpecialToken": {"id": "[CLS]", "type_id": 0}}: its ids stand in special_tokens.
static ebm_status add_special(const json_t *piece, const json_t *specials, const char *where, int32_t type,
                              ebm_layout *layout)
{
    const char *name;
    json_t *ids;
    EBM_TRY(ebm_field_text(piece, "id", where, &name, NULL));
    const json_t *special = json_object_get(specials, name);
    if (!special)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"special_tokens\" has no \"%.80s\", which the template uses", where,
                        name);
    EBM_TRY(ebm_field_list(special, "ids", where, &ids));
    for (size_t i = 0; i < json_array_size(ids); i++) {
        char inner[256];
        int32_t id = -1;
        snprintf(inner, sizeof inner, "%.120s: the ids of \"%.80s\"", where, name);
        EBM_TRY(check_id(json_array_get(ids, i), inner, &id));
        EBM_TRY(append(layout, id, type));
        if (layout->count > MOST_PARTS)
            return ebm_fail(EBM_ERROR_INPUT, "%s: more than %d special tokens", where, MOST_PARTS);
    }
    return ebm_ok();
}

static ebm_status add_sequence(const json_t *piece, const char *where, int32_t type, bool pair, ebm_layout *layout)
{
    const char *name;
    EBM_TRY(ebm_field_text(piece, "id", where, &name, NULL));
    const bool first = strcmp(name, "A") == 0;
    if (!first && (!pair || strcmp(name, "B") != 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s: the sequence \"%.80s\", expected %s", where, name, pair ? "A or B" : "A");
    return append(layout, first ? EBM_LAYOUT_A : EBM_LAYOUT_B, type);
}

static ebm_status read_template(const json_t *json, const char *key, const char *where, ebm_layout *layout)
{
    json_t *list, *specials;
    EBM_TRY(ebm_field_list(json, key, where, &list));
    EBM_TRY(ebm_field_object(json, "special_tokens", where, &specials));
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[256];
        size_t type;
        snprintf(inner, sizeof inner, "%.200s.%s[%zu]", where, key, i);
        const json_t *sequence = json_object_get(json_array_get(list, i), "Sequence");
        const json_t *special = json_object_get(json_array_get(list, i), "SpecialToken");
        if (!sequence == !special) return ebm_fail(EBM_ERROR_INPUT, "%s: expected a Sequence or a SpecialToken", inner);
        EBM_TRY(ebm_field_count(sequence ? sequence : special, "type_id", inner, 1 << 20, &type));
        if (sequence)
            EBM_TRY(add_sequence(sequence, inner, (int32_t)type, strcmp(key, "pair") == 0, layout));
        else
            EBM_TRY(add_special(special, specials, inner, (int32_t)type, layout));
    }
    return ebm_ok();
}

// Which of a Sequence's processors puts something; NULL: none does.
static ebm_status pick(const json_t *json, const char *where, int depth, const json_t **one)
{
    const char *type;
    json_t *list;
    EBM_TRY(ebm_field_text(json, "type", where, &type, NULL));
    if (strcmp(type, "ByteLevel") == 0) return ebm_ok(); // of offsets only
    if (strcmp(type, "Sequence") != 0) {
        if (*one) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: a second post-processor that puts tokens", where);
        return *one = json, ebm_ok();
    }
    if (depth > 8) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: sequences nested too deeply", where);
    EBM_TRY(ebm_field_list(json, "processors", where, &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%.200s.processors[%zu]", where, i);
        EBM_TRY(pick(json_array_get(list, i), inner, depth + 1, one));
    }
    return ebm_ok();
}

ebm_status ebm_postprocessor_read(const json_t *json, const char *where, ebm_postprocessor *p)
{
    const json_t *one = NULL;
    if (!json || json_is_null(json)) return texts_only(p);
    EBM_TRY(pick(json, where, 0, &one));
    if (!one) return texts_only(p);
    const char *type = json_string_value(json_object_get(one, "type"));
    if (strcmp(type, "BertProcessing") == 0) return read_cls_sep(one, where, false, p);
    if (strcmp(type, "RobertaProcessing") == 0) return read_cls_sep(one, where, true, p);
    if (strcmp(type, "TemplateProcessing") != 0) return ebm_field_unsupported(type, where);
    EBM_TRY(read_template(one, "single", where, &p->single));
    return read_template(one, "pair", where, &p->pair);
}
