#include "pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "bert_unicode.h"
#include "bpe.h"
#include "json_field.h"
#include "unicode_class.h"

typedef enum { STEP_SPLIT, STEP_PATTERN, STEP_WORDS, STEP_PREFIX_SPACE, STEP_METASPACE, STEP_BYTES } step_kind;
typedef enum { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } prepend_scheme;

typedef struct {
    step_kind kind;
    ebm_split how;
    bool (*matches)(uint32_t c, uint32_t argument);
    uint32_t argument; // of `matches`; a Metaspace's replacement
    ebm_pattern *pattern;
    bool invert;
    prepend_scheme scheme;
} step;

struct ebm_pretokenizer {
    step *steps;
    size_t count;
    ebm_pretokenizer_kind kind;
    bool adds_space, normalizes, moves_start;
};

enum { MOST_STEPS = 64, MOST_DEPTH = 8 };

void ebm_pretokenizer_free(ebm_pretokenizer *p)
{
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) ebm_pattern_free(p->steps[i].pattern);
    free(p->steps);
    free(p);
}

ebm_pretokenizer_kind ebm_pretokenizer_is(const ebm_pretokenizer *p) { return p->kind; }
bool ebm_pretokenizer_adds_space(const ebm_pretokenizer *p) { return p->adds_space; }

bool ebm_pretokenizer_ends_in_bytes(const ebm_pretokenizer *p)
{
    return p->count > 0 && p->steps[p->count - 1].kind == STEP_BYTES;
}

uint32_t ebm_pretokenizer_metaspace(const ebm_pretokenizer *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->steps[i].kind == STEP_METASPACE) return p->steps[i].argument;
    return 0;
}

// --- applying -------------------------------------------------------------------------------------------------------

static bool is_space(uint32_t c, uint32_t unused) { return (void)unused, ebm_bert_is_space(c); }
static bool is_punctuation(uint32_t c, uint32_t unused) { return (void)unused, ebm_bert_is_punctuation(c); }
static bool is_numeric(uint32_t c, uint32_t unused) { return (void)unused, ebm_is_numeric(c); }
static bool is_character(uint32_t c, uint32_t character) { return c == character; }

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the words of a text"); }

static int class_of(uint32_t c) { return ebm_is_word(c) ? 1 : ebm_bert_is_space(c) ? 0 : 2; }

// \w+|[^\w\s]+
static bool cut_words(ebm_pieces *p, const ebm_piece *piece)
{
    size_t start = piece->start;
    int running = 0;
    for (size_t i = piece->start; i < piece->end;) {
        const size_t here = i;
        const int class = class_of(ebm_utf8_next(p->text, &i));
        if (class == running) continue;
        if (running != 0 && !ebm_pieces_add(p, start, here, piece->first && start == piece->start)) return false;
        start = here;
        running = class;
    }
    return running == 0 || ebm_pieces_add(p, start, piece->end, piece->first && start == piece->start);
}

static bool write_with_space(ebm_pieces *p, const ebm_piece *piece, ebm_bytes *out)
{
    const size_t bytes = piece->end - piece->start;
    return (p->text[piece->start] == ' ' || ebm_bytes_append(out, " ", 1)) &&
           ebm_bytes_append(out, p->text + piece->start, bytes);
}

static bool write_bytes(ebm_pieces *p, const ebm_piece *piece, ebm_bytes *out)
{
    for (size_t i = piece->start; i < piece->end; i++) {
        char c[4];
        if (!ebm_bytes_append(out, c, ebm_utf8_put(ebm_bpe_character_of_byte((unsigned char)p->text[i]), c)))
            return false;
    }
    return true;
}

static bool write_metaspace(const step *s, ebm_pieces *p, const ebm_piece *piece, ebm_bytes *out)
{
    char mark[4];
    const size_t mark_bytes = ebm_utf8_put(s->argument, mark), bytes = piece->end - piece->start;
    const char *text = p->text + piece->start;
    const bool there = text[0] == ' ' || (bytes >= mark_bytes && memcmp(text, mark, mark_bytes) == 0);
    const bool wanted = s->scheme == PREPEND_ALWAYS || (s->scheme == PREPEND_FIRST && piece->first);
    if (wanted && !there && !ebm_bytes_append(out, mark, mark_bytes)) return false;
    for (size_t i = 0; i < bytes;) {
        const char *space = memchr(text + i, ' ', bytes - i);
        const size_t end = space ? (size_t)(space - text) : bytes;
        if (!ebm_bytes_append(out, text + i, end - i)) return false;
        if (space && !ebm_bytes_append(out, mark, mark_bytes)) return false;
        i = end + 1;
    }
    return true;
}

static bool write_piece(const step *s, ebm_pieces *p, const ebm_piece *piece, ebm_bytes *out)
{
    switch (s->kind) {
    case STEP_PREFIX_SPACE:
        return write_with_space(p, piece, out);
    case STEP_METASPACE:
        return write_metaspace(s, p, piece, out);
    default:
        return write_bytes(p, piece, out);
    }
}

static ebm_status apply_own(const step *s, ebm_pieces *p)
{
    const bool writes = s->kind != STEP_WORDS;
    ebm_pieces_begin_step(p);
    for (size_t i = 0; i < p->count; i++) {
        ebm_bytes *out = ebm_pieces_written(p);
        const ebm_piece *piece = &p->pieces[i];
        const size_t start = out->size;
        const bool ok = writes ? write_piece(s, p, piece, out) && ebm_pieces_add(p, start, out->size, piece->first)
                               : cut_words(p, piece);
        if (!ok) return no_memory();
    }
    ebm_pieces_end_step(p, writes);
    return ebm_ok();
}

ebm_status ebm_pretokenizer_apply(const ebm_pretokenizer *pretokenizer, bool map_bytes, ebm_pieces *p)
{
    const size_t count = pretokenizer->count - (!map_bytes && ebm_pretokenizer_ends_in_bytes(pretokenizer));
    for (size_t i = 0; i < count; i++) {
        const step *s = &pretokenizer->steps[i];
        if (s->kind == STEP_SPLIT)
            EBM_TRY(ebm_pieces_split(p, s->matches, s->argument, s->how));
        else if (s->kind == STEP_PATTERN)
            EBM_TRY(ebm_pieces_split_pattern(p, s->pattern, s->how, s->invert));
        else
            EBM_TRY(apply_own(s, p));
    }
    return ebm_ok();
}

// --- reading --------------------------------------------------------------------------------------------------------

static ebm_status add(ebm_pretokenizer *p, const char *where, step made, step **added)
{
    if (p->count == MOST_STEPS) {
        ebm_pattern_free(made.pattern);
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: more than %d steps", where, MOST_STEPS);
    }
    p->steps[p->count] = made;
    if (added) *added = &p->steps[p->count];
    p->count++;
    return ebm_ok();
}

static ebm_status add_split(ebm_pretokenizer *p, const char *where, bool (*matches)(uint32_t, uint32_t),
                            uint32_t argument, ebm_split how)
{
    return add(p, where, (step){.kind = STEP_SPLIT, .matches = matches, .argument = argument, .how = how}, NULL);
}

static ebm_status read_behavior(const json_t *json, const char *where, bool required, ebm_split *how)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    const char *name;
    if (!required && !json_object_get(json, "behavior")) return ebm_ok();
    EBM_TRY(ebm_field_text(json, "behavior", where, &name, NULL));
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0) return *how = (ebm_split)i, ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: the behavior \"%.80s\" is not supported", where, name);
}

static ebm_status read_byte_level(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    static const char gpt2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    bool add_prefix_space, trim_offsets, use_regex = true;
    EBM_TRY(ebm_field_flag(json, "add_prefix_space", where, &add_prefix_space));
    EBM_TRY(ebm_field_flag(json, "trim_offsets", where, &trim_offsets)); // of offsets only
    EBM_TRY(ebm_field_flag_if_there(json, "use_regex", where, &use_regex));
    if (p->count == 0 && use_regex) p->kind = EBM_PRETOKENIZER_BYTE_LEVEL;
    p->adds_space = add_prefix_space;
    if (add_prefix_space) EBM_TRY(add(p, where, (step){.kind = STEP_PREFIX_SPACE}, NULL));
    if (use_regex) {
        step *s = NULL;
        EBM_TRY(add(p, where, (step){.kind = STEP_PATTERN, .how = EBM_SPLIT_ISOLATED}, &s));
        EBM_TRY(ebm_pattern_from_regex(gpt2, sizeof gpt2 - 1, where, &s->pattern));
    }
    return add(p, where, (step){.kind = STEP_BYTES}, NULL);
}

static ebm_status read_scheme(const json_t *json, const char *where, prepend_scheme *scheme)
{
    static const char *const names[] = {"always", "first", "never"};
    const char *name = "always";
    bool prefix = true; // the older name of the setting
    *scheme = PREPEND_ALWAYS;
    EBM_TRY(ebm_field_flag_if_there(json, "add_prefix_space", where, &prefix));
    const bool named = json_object_get(json, "prepend_scheme") != NULL;
    if (named) EBM_TRY(ebm_field_text(json, "prepend_scheme", where, &name, NULL));
    int found = -1;
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) found = i;
    if (found < 0)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: the prepend_scheme \"%.80s\" is not supported", where, name);
    *scheme = (prepend_scheme)found;
    if (!prefix && *scheme != PREPEND_NEVER)
        return ebm_fail(EBM_ERROR_INPUT, "%s: add_prefix_space is false, but prepend_scheme is \"%s\"%s", where, name,
                        named ? "" : " where it is missing");
    return ebm_ok();
}

static ebm_status read_metaspace(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    step s = {.kind = STEP_METASPACE};
    bool split = true;
    EBM_TRY(ebm_field_character(json, "replacement", where, &s.argument));
    EBM_TRY(read_scheme(json, where, &s.scheme));
    EBM_TRY(ebm_field_flag_if_there(json, "split", where, &split));
    if (s.scheme == PREPEND_FIRST && (p->moves_start || (p->normalizes && p->count > 0)))
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "%s: prepend_scheme \"first\" behind a normalizer that may change where a text begins", where);
    EBM_TRY(add(p, where, s, NULL));
    return split ? add_split(p, where, is_character, s.argument, EBM_SPLIT_MERGED_WITH_NEXT) : ebm_ok();
}

static ebm_status read_split(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    step s = {.kind = STEP_PATTERN};
    EBM_TRY(read_behavior(json, where, true, &s.how));
    EBM_TRY(ebm_field_flag(json, "invert", where, &s.invert));
    EBM_TRY(ebm_pattern_read(json_object_get(json, "pattern"), where, &s.pattern));
    return add(p, where, s, NULL);
}

static ebm_status read_punctuation(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    ebm_split how = EBM_SPLIT_ISOLATED;
    EBM_TRY(read_behavior(json, where, false, &how));
    return add_split(p, where, is_punctuation, 0, how);
}

static ebm_status read_digits(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    bool individual;
    EBM_TRY(ebm_field_flag(json, "individual_digits", where, &individual));
    return add_split(p, where, is_numeric, 0, individual ? EBM_SPLIT_ISOLATED : EBM_SPLIT_CONTIGUOUS);
}

static ebm_status read_delimiter(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    uint32_t c;
    EBM_TRY(ebm_field_character(json, "delimiter", where, &c));
    return add_split(p, where, is_character, c, EBM_SPLIT_REMOVED);
}

static ebm_status read_bert(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    (void)json;
    if (p->count == 0) p->kind = EBM_PRETOKENIZER_BERT;
    EBM_TRY(add_split(p, where, is_space, 0, EBM_SPLIT_REMOVED));
    return add_split(p, where, is_punctuation, 0, EBM_SPLIT_ISOLATED);
}

static ebm_status read_white_space(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    (void)json;
    return add_split(p, where, is_space, 0, EBM_SPLIT_REMOVED);
}

static ebm_status read_words(ebm_pretokenizer *p, const json_t *json, const char *where)
{
    (void)json;
    return add(p, where, (step){.kind = STEP_WORDS}, NULL);
}

static ebm_status read_one(ebm_pretokenizer *p, const json_t *json, const char *where, int depth);

static ebm_status read_sequence(ebm_pretokenizer *p, const json_t *json, const char *where, int depth)
{
    json_t *list;
    EBM_TRY(ebm_field_list(json, "pretokenizers", where, &list));
    if (depth == MOST_DEPTH) return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: sequences nested too deeply", where);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%.200s.pretokenizers[%zu]", where, i);
        EBM_TRY(read_one(p, json_array_get(list, i), inner, depth + 1));
    }
    return ebm_ok();
}

static ebm_status read_one(ebm_pretokenizer *p, const json_t *json, const char *where, int depth)
{
    static const struct {
        const char *name;
        ebm_status (*read)(ebm_pretokenizer *, const json_t *, const char *);
    } kinds[] = {
        {"BertPreTokenizer", read_bert}, {"ByteLevel", read_byte_level},    {"Metaspace", read_metaspace},
        {"Whitespace", read_words},      {"Digits", read_digits},           {"WhitespaceSplit", read_white_space},
        {"Split", read_split},           {"Punctuation", read_punctuation}, {"CharDelimiterSplit", read_delimiter}};
    const char *type;
    EBM_TRY(ebm_field_text(json, "type", where, &type, NULL));
    if (strcmp(type, "Sequence") == 0) return read_sequence(p, json, where, depth);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(type, kinds[i].name) == 0) return kinds[i].read(p, json, where);
    return ebm_field_unsupported(type, where);
}

// Only one component by itself is what the models' own splitting does.
static void settle_kind(ebm_pretokenizer *p)
{
    const size_t bert = 2, bytes = p->adds_space ? 3 : 2;
    if (p->count == 0) p->kind = EBM_PRETOKENIZER_NONE;
    if (p->kind == EBM_PRETOKENIZER_BERT && p->count != bert) p->kind = EBM_PRETOKENIZER_OTHER;
    if (p->kind == EBM_PRETOKENIZER_BYTE_LEVEL && p->count != bytes) p->kind = EBM_PRETOKENIZER_OTHER;
}

ebm_status ebm_pretokenizer_create(const json_t *json, const char *where, bool normalizes, bool moves_start,
                                   ebm_pretokenizer **out)
{
    ebm_pretokenizer *p = calloc(1, sizeof *p);
    if (p) p->steps = calloc(MOST_STEPS, sizeof *p->steps);
    ebm_status status = p && p->steps ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    if (status.code == EBM_OK) {
        p->normalizes = normalizes;
        p->moves_start = moves_start;
        if (json && !json_is_null(json)) status = read_one(p, json, where, 0);
    }
    if (status.code == EBM_OK) {
        settle_kind(p);
        *out = p;
    } else {
        ebm_pretokenizer_free(p);
    }
    return status;
}
