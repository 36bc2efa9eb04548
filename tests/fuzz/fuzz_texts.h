// What every tokenizer promises about every text.
#ifndef EBM_TESTS_FUZZ_TEXTS_H
#define EBM_TESTS_FUZZ_TEXTS_H

#include <stddef.h>

#include "tokenizer_internal.h"

// One text and a pair (b NULL: no pair), cut to `length` tokens: 0 is no limit. `e` is the caller's, for this
// tokenizer.
void fuzz_check_texts(const ebm_tokenizer *tokenizer, ebm_encoding *e, const char *a, size_t a_bytes, const char *b,
                      size_t b_bytes, size_t length);

// A tokenizer from these files (NULL: none), emptied into it; NULL when it was refused.
ebm_tokenizer *fuzz_build(ebm_tokenizer_files *files);

#endif
