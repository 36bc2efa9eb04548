// A text cut into pieces: what a pre-tokeniser works on, and a decoder. Pieces are spans of one text, which a step may
// leave as it is or write anew; nothing is allocated for a piece.
//
//     ebm_pieces p = {0};
//     EBM_TRY(ebm_pieces_begin(&p, text, bytes, true));
//     EBM_TRY(ebm_pieces_split(&p, is_space, 0, EBM_SPLIT_REMOVED));
//     for (size_t i = 0; i < p.count; i++) use(p.text + p.pieces[i].start, p.pieces[i].end - p.pieces[i].start);
//     ebm_pieces_free(&p);
//
// Source: tokenizers/src/tokenizer/normalizer.rs (split), pre_tokenizer.rs.
#ifndef EBM_PIECES_H
#define EBM_PIECES_H

#include "regex.h"
#include "utf8.h"

typedef struct {
    size_t start, end;
    bool first; // begins where the original text begins
} ebm_piece;

typedef struct {
    const char *text; // borrowed until a step writes it anew
    ebm_piece *pieces;
    size_t count, capacity;
    // What a step makes of them meanwhile.
    ebm_piece *next;
    size_t next_count, next_capacity;
    ebm_bytes buffers[2];
    int writing; // the buffer that `text` is not in
    ebm_regex_scratch regex;
} ebm_pieces;
void ebm_pieces_free(ebm_pieces *pieces);

// What becomes of the parts of a piece that match; the others are pieces.
typedef enum {
    EBM_SPLIT_REMOVED,
    EBM_SPLIT_ISOLATED,
    EBM_SPLIT_MERGED_WITH_PREVIOUS,
    EBM_SPLIT_MERGED_WITH_NEXT,
    EBM_SPLIT_CONTIGUOUS, // neighbours that match are one piece
} ebm_split;

// One piece, or none for an empty text. All functions fail for want of memory only, but for a pattern's.
ebm_status ebm_pieces_begin(ebm_pieces *pieces, const char *text, size_t bytes, bool first);

ebm_status ebm_pieces_split(ebm_pieces *pieces, bool (*matches)(uint32_t c, uint32_t argument), uint32_t argument,
                            ebm_split how);
ebm_status ebm_pieces_split_pattern(ebm_pieces *pieces, const ebm_pattern *pattern, ebm_split how, bool invert);

// For steps of their own. A step that splits calls begin_step, then add for its pieces (empty ones are left out), then
// end_step; one that writes also ebm_pieces_write between, and end_step moves the text over.
void ebm_pieces_begin_step(ebm_pieces *pieces);
bool ebm_pieces_add(ebm_pieces *pieces, size_t start, size_t end, bool first);
ebm_bytes *ebm_pieces_written(ebm_pieces *pieces); // the text being written; add's spans lie in it
void ebm_pieces_end_step(ebm_pieces *pieces, bool written);

#endif
