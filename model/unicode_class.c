#include "unicode_class.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "unicode_tables.h"

static bool within(const uint32_t (*ranges)[2], size_t count, uint32_t c)
{
    size_t low = 0, high = count; // the first range that ends at or after c lies in [low, high]
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (ranges[middle][1] < c)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low][0] <= c;
}
#define WITHIN(ranges, c) within(ranges, sizeof(ranges) / sizeof *(ranges), c)

bool ebm_is_word(uint32_t c)
{
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    return WITHIN(words, c);
}

bool ebm_is_numeric(uint32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    return WITHIN(numbers, c);
}

bool ebm_is_mark(uint32_t c) { return c >= 0x300 && WITHIN(marks, c); }

bool ebm_unicode_additions(const char *property, ebm_bytes *pattern)
{
    const size_t length = strlen(property);
    for (size_t i = 0; i < sizeof additions / sizeof *additions; i++) {
        const char *name = additions[i].property;
        // One letter is a group of categories; scripts have more than two.
        if (length == 1 ? strlen(name) != 2 || name[0] != property[0] : strcmp(name, property) != 0) continue;
        char range[32];
        const int n =
            snprintf(range, sizeof range, "\\x{%X}-\\x{%X}", (unsigned)additions[i].first, (unsigned)additions[i].last);
        if (!ebm_bytes_append(pattern, range, (size_t)n)) return false;
    }
    return true;
}
