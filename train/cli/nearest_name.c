#include "options.h"

#include <string.h>

enum { LONGEST = 64 }; // longer names are compared by their beginning

static size_t least_of(size_t a, size_t b) { return a < b ? a : b; }

// Optimal string alignment distance: edits of one character, or of two neighbours swapped, row by row.
static size_t distance(const char *a, const char *b)
{
    const size_t a_length = strnlen(a, LONGEST), b_length = strnlen(b, LONGEST);
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_length; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] = least_of(least_of(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *ebm_nearest_name(const char *name, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t fewest = (size_t)-1;
    for (size_t i = 0; i < count; i++) {
        const size_t edits = distance(name, names[i]);
        if (edits >= fewest) continue;
        fewest = edits;
        nearest = names[i];
    }
    return nearest;
}
