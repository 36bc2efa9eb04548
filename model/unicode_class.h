// Character classes as the tokenizers library has them outside BERT's own components (those are in bert_unicode.h).
// Tables of our own, so that ids do not change with the version of utf8proc or PCRE2.
#ifndef EBM_UNICODE_CLASS_H
#define EBM_UNICODE_CLASS_H

#include <stdbool.h>
#include <stdint.h>

#include "utf8.h"

bool ebm_is_word(uint32_t c);    // \w of the regex crate: letters, marks, decimal digits, connectors, join controls
bool ebm_is_numeric(uint32_t c); // general category N
bool ebm_is_mark(uint32_t c);    // general category M

// Appends to a character class of a regular expression what Oniguruma has in a general category ("L", "Lu") or script
// ("Han") and Unicode 14 has not: an older PCRE2 lacks it, and for a newer one it changes nothing. False when out of
// memory.
bool ebm_unicode_additions(const char *property, ebm_bytes *pattern);

#endif
