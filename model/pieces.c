#include "pieces.h"

#include <stdlib.h>

void ebm_pieces_free(ebm_pieces *p)
{
    free(p->pieces);
    free(p->next);
    ebm_bytes_free(&p->buffers[0]);
    ebm_bytes_free(&p->buffers[1]);
    ebm_regex_scratch_free(&p->regex);
    *p = (ebm_pieces){0};
}

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the words of a text"); }

void ebm_pieces_begin_step(ebm_pieces *p)
{
    p->next_count = 0;
    p->buffers[p->writing].size = 0;
}

bool ebm_pieces_add(ebm_pieces *p, size_t start, size_t end, bool first)
{
    if (p->next_count == p->next_capacity) {
        const size_t capacity = p->next_capacity ? 2 * p->next_capacity : 64;
        ebm_piece *grown = realloc(p->next, capacity * sizeof *grown);
        if (!grown) return false;
        p->next = grown;
        p->next_capacity = capacity;
    }
    p->next[p->next_count++] = (ebm_piece){start, end, first};
    return true;
}

ebm_bytes *ebm_pieces_written(ebm_pieces *p) { return &p->buffers[p->writing]; }

void ebm_pieces_end_step(ebm_pieces *p, bool written)
{
    ebm_piece *pieces = p->pieces;
    const size_t capacity = p->capacity;
    size_t kept = 0;
    for (size_t i = 0; i < p->next_count; i++)
        if (p->next[i].start < p->next[i].end) p->next[kept++] = p->next[i];
    p->pieces = p->next;
    p->count = kept;
    p->capacity = p->next_capacity;
    p->next = pieces;
    p->next_capacity = capacity;
    if (!written) return;
    p->text = p->buffers[p->writing].bytes;
    p->writing = !p->writing;
}

ebm_status ebm_pieces_begin(ebm_pieces *p, const char *text, size_t bytes, bool first)
{
    ebm_pieces_begin_step(p);
    p->text = text;
    p->writing = 0;
    if (!ebm_pieces_add(p, 0, bytes, first)) return no_memory();
    ebm_pieces_end_step(p, false);
    return ebm_ok();
}

// The parts of one piece, matching or not, one after another.
typedef struct {
    ebm_pieces *p;
    ebm_split how;
    size_t mine;   // where this piece's parts begin among p->next
    bool previous; // the part before matched
    bool held;     // a match that may yet join the part behind it
    size_t held_start, held_end;
    size_t origin;
    bool first;
} splitter;

static splitter begin_piece(ebm_pieces *p, ebm_split how, const ebm_piece *piece)
{
    return (splitter){.p = p, .how = how, .mine = p->next_count, .origin = piece->start, .first = piece->first};
}

static bool add(splitter *s, size_t start, size_t end)
{
    return ebm_pieces_add(s->p, start, end, s->first && start == s->origin);
}

static bool extend_or_add(splitter *s, bool extend, size_t start, size_t end)
{
    if (!extend || s->p->next_count == s->mine) return add(s, start, end);
    s->p->next[s->p->next_count - 1].end = end;
    return true;
}

static bool release(splitter *s)
{
    if (!s->held) return true;
    s->held = false;
    return add(s, s->held_start, s->held_end);
}

static bool hold_or_add(splitter *s, size_t start, size_t end, bool match)
{
    if (match) {
        if (!release(s)) return false;
        s->held = true;
        s->held_start = start;
        s->held_end = end;
        return true;
    }
    if (s->held) start = s->held_start;
    s->held = false;
    return add(s, start, end);
}

static bool part(splitter *s, size_t start, size_t end, bool match)
{
    const bool previous = s->previous;
    s->previous = match;
    switch (s->how) {
    case EBM_SPLIT_REMOVED:
        return match || add(s, start, end);
    case EBM_SPLIT_ISOLATED:
        return add(s, start, end);
    case EBM_SPLIT_MERGED_WITH_PREVIOUS:
        return extend_or_add(s, match && !previous, start, end);
    case EBM_SPLIT_CONTIGUOUS:
        return extend_or_add(s, match == previous, start, end);
    default:
        return hold_or_add(s, start, end, match);
    }
}

static bool split_piece(splitter *s, const ebm_piece *piece, bool (*matches)(uint32_t, uint32_t), uint32_t argument)
{
    size_t done = piece->start;
    for (size_t i = piece->start; i < piece->end;) {
        const size_t here = i;
        if (!matches(ebm_utf8_next(s->p->text, &i), argument)) continue;
        if (done < here && !part(s, done, here, false)) return false;
        if (!part(s, here, i, true)) return false;
        done = i;
    }
    return (done == piece->end || part(s, done, piece->end, false)) && release(s);
}

ebm_status ebm_pieces_split(ebm_pieces *p, bool (*matches)(uint32_t, uint32_t), uint32_t argument, ebm_split how)
{
    ebm_pieces_begin_step(p);
    for (size_t i = 0; i < p->count; i++) {
        splitter s = begin_piece(p, how, &p->pieces[i]);
        if (!split_piece(&s, &p->pieces[i], matches, argument)) return no_memory();
    }
    ebm_pieces_end_step(p, false);
    return ebm_ok();
}

static ebm_status split_by_pattern(splitter *s, const ebm_piece *piece, const ebm_pattern *pattern, bool invert)
{
    const char *text = s->p->text + piece->start;
    const size_t bytes = piece->end - piece->start;
    ebm_pattern_search search = {0};
    size_t done = 0;
    for (;;) {
        EBM_TRY(ebm_pattern_next(pattern, text, bytes, &s->p->regex, &search));
        if (!search.found) break;
        if (done != search.start && !part(s, piece->start + done, piece->start + search.start, invert))
            return no_memory();
        if (!part(s, piece->start + search.start, piece->start + search.end, !invert)) return no_memory();
        done = search.end;
    }
    if (done != bytes && !part(s, piece->start + done, piece->end, invert)) return no_memory();
    return release(s) ? ebm_ok() : no_memory();
}

ebm_status ebm_pieces_split_pattern(ebm_pieces *p, const ebm_pattern *pattern, ebm_split how, bool invert)
{
    ebm_pieces_begin_step(p);
    for (size_t i = 0; i < p->count; i++) {
        splitter s = begin_piece(p, how, &p->pieces[i]);
        EBM_TRY(split_by_pattern(&s, &p->pieces[i], pattern, invert));
    }
    ebm_pieces_end_step(p, false);
    return ebm_ok();
}
