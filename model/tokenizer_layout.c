// What stands around texts, and how texts are cut to fit.
#include "tokenizer_internal.h"

static const ebm_layout *layout_of(const ebm_tokenizer *t, bool pair)
{
    return pair ? &t->postprocessor.pair : &t->postprocessor.single;
}

const ebm_layout_part *ebm_tokenizer_layout(const ebm_tokenizer *t, bool pair, size_t *count)
{
    *count = layout_of(t, pair)->count;
    return layout_of(t, pair)->parts;
}

size_t ebm_tokenizer_special_count(const ebm_tokenizer *t, bool pair)
{
    return layout_of(t, pair)->count - (pair ? 2 : 1);
}

// "Longest first" of tokenizers/src/utils/truncation.rs: the shorter text stays whole while it fits in half.
// (transformers' truncation=True is longest first whatever strategy tokenizer.json names, and so is this.)
static void truncate(size_t room, size_t *a, size_t *b)
{
    if (*a + *b <= room) return;
    const bool swapped = *a > *b;
    size_t shorter = swapped ? *b : *a, longer;
    longer = shorter > room ? shorter : room - shorter > shorter ? room - shorter : shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    *a = swapped ? longer : shorter;
    *b = swapped ? shorter : longer;
}

static size_t put(const int32_t *from, size_t count, int32_t type, int32_t *ids, int32_t *types)
{
    for (size_t i = 0; i < count; i++) {
        ids[i] = from[i];
        types[i] = type;
    }
    return count;
}

size_t ebm_tokenizer_assemble(const ebm_tokenizer *t, const int32_t *a, size_t a_count, const int32_t *b,
                              size_t b_count, size_t max_length, int32_t *ids, int32_t *types)
{
    const ebm_layout *layout = layout_of(t, b != NULL);
    size_t a_kept = a_count, b_kept = b ? b_count : 0, n = 0;
    const size_t room = max_length - ebm_tokenizer_special_count(t, b != NULL);
    if (max_length > 0 && b) truncate(room, &a_kept, &b_kept);
    if (max_length > 0 && !b && a_kept > room) a_kept = room;
    if (t->cuts_left && a) a += a_count - a_kept;
    if (t->cuts_left && b) b += b_count - b_kept;
    for (size_t i = 0; i < layout->count; i++) {
        const ebm_layout_part *part = &layout->parts[i];
        const bool is_a = part->id == EBM_LAYOUT_A, is_b = part->id == EBM_LAYOUT_B;
        const int32_t *from = is_a ? a : is_b ? b : &part->id;
        const size_t count = is_a ? a_kept : is_b ? b_kept : 1;
        if (count > 0) n += put(from, count, part->type, ids + n, types + n); // all of nothing has no address
    }
    return n;
}
