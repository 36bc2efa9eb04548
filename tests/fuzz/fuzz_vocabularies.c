// The files of a tokenizer, then a text for it: vocab.txt, tokenizer_config.json, text; vocab.json, merges.txt,
// tokenizer_config.json, text; tokenizer.json, text.
#include <stdlib.h>

#include "fuzz.h"
#include "fuzz_texts.h"

static void build_and_use(const uint8_t *data, size_t size, const int *kinds, size_t kind_count)
{
    fuzz_parts parts = {.data = data, .size = size};
    ebm_tokenizer_files files = {0};
    for (size_t i = 0; i < kind_count; i++) {
        size_t bytes = 0;
        const char *part = fuzz_next_part(&parts, &bytes);
        if (!part || (bytes == 0 && i > 0)) continue;
        files.bytes[kinds[i]] = fuzz_copy(part, bytes);
        files.size[kinds[i]] = bytes;
    }
    size_t a_bytes = 0, b_bytes = 0;
    const char *a = fuzz_next_part(&parts, &a_bytes), *b = fuzz_next_part(&parts, &b_bytes);
    ebm_tokenizer *t = fuzz_build(&files), *clone = NULL;
    ebm_encoding e = {0};
    if (t && a) fuzz_check_texts(t, &e, a, a_bytes, b, b_bytes, 8);
    ebm_encoding_free(&e);
    if (t) fuzz_require_ok(ebm_tokenizer_clone(t, &clone));
    if (t) fuzz_require(ebm_tokenizer_size(t) == ebm_tokenizer_size(clone));
    ebm_tokenizer_free(clone);
    ebm_tokenizer_free(t);
}

void fuzz_vocab_txt(const uint8_t *data, size_t size)
{
    build_and_use(data, size, (const int[]){FILE_VOCAB_TXT, FILE_CONFIG, FILE_SPECIAL_MAP}, 3);
}

void fuzz_vocab_json(const uint8_t *data, size_t size)
{
    build_and_use(data, size, (const int[]){FILE_VOCAB_JSON, FILE_MERGES, FILE_CONFIG, FILE_ADDED}, 4);
}

void fuzz_tokenizer_json(const uint8_t *data, size_t size)
{
    build_and_use(data, size, (const int[]){FILE_TOKENIZER_JSON, FILE_CONFIG}, 2);
}
