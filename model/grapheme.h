// Internal. Extended grapheme clusters (what a reader takes for one character: a letter with its marks) by the rules
// of Unicode 17 (UAX 29), as the tokenizers library has them. A table of our own, so that ids do not change with the
// version of utf8proc; made by asking the library about every code point.
//
// Regional indicators (flags) are left out: they stay apart here. Nobody has need of them: the charsmap looks at whole
// clusters of at most 5 bytes, a pair has 8.
#ifndef EBM_GRAPHEME_H
#define EBM_GRAPHEME_H

#include <stddef.h>

// Where the cluster that starts at text[start] ends; valid UTF-8, start < bytes.
size_t ebm_grapheme_end(const char *text, size_t bytes, size_t start);

#endif
