// Bookkeeping of generation on the device: a fixed number of slots, each writing one text; the host only looks in every
// few tokens.
//
//   ids        (slots)             token each slot feeds to the model next
//   positions  (slots)             its position = length of the slot's cache; -1: the slot is idle
//   drawn      (slots)             tokens of the text so far; -1: idle
//   texts      (slots)             number of the text in the slot (keys its random numbers)
//   rows       (slots)             row of the text in tokens and lengths
//   tokens     (block, most)       the texts, without the end token
//   lengths    (block)             tokens of a finished text; -1 while unfinished; -2 when cut at `most` without an end
//
// Launch   generate_refill: one work-group a new text; generate_advance: one work-group a slot
// Macros   none of its own

// entries: (slot, id, position, text, row) for each new text.
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void generate_refill(__global int *restrict ids, __global int *restrict positions, __global int *restrict drawn,
                     __global uint *restrict texts, __global int *restrict rows, __global int *restrict lengths,
                     __global const int *restrict entries)
{
    if (get_local_id(0) != 0) return;
    __global const int *entry = entries + 5 * get_group_id(0);
    const int slot = entry[0];
    ids[slot] = entry[1];
    positions[slot] = entry[2];
    drawn[slot] = 0;
    texts[slot] = (uint)entry[3];
    rows[slot] = entry[4];
    lengths[entry[4]] = -1;
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void generate_advance(__global int *restrict ids, __global int *restrict positions, __global int *restrict drawn,
                      __global int *restrict tokens, __global int *restrict lengths, __global const int *restrict next,
                      __global const int *restrict rows, const int end, const int most)
{
    const int slot = get_group_id(0);
    if (get_local_id(0) != 0 || drawn[slot] < 0) return;
    const int row = rows[slot], count = drawn[slot], token = next[slot];
    const bool finished = token == end || token < 0; // nothing could be drawn: the text ends here
    if (!finished) tokens[row * most + count] = token;
    if (finished || count + 1 == most) {
        lengths[row] = finished ? count : -2;
        positions[slot] = -1;
        drawn[slot] = -1;
        return;
    }
    ids[slot] = token;
    positions[slot] += 1;
    drawn[slot] = count + 1;
}
