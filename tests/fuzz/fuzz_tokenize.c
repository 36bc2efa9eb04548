// A byte that says to how many tokens texts are cut, then a text, and perhaps another: through small tokenizers of each
// kind.
#include <stdlib.h>

#include "file.h"
#include "fuzz.h"
#include "fuzz_texts.h"

static const char *const names[] = {"bert", "roberta", "gpt2"};
#define COUNT (sizeof names / sizeof *names)
static ebm_tokenizer *tokenizers[COUNT];
static ebm_encoding encodings[COUNT];

static void free_tokenizers(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        ebm_tokenizer_free(tokenizers[i]);
        ebm_encoding_free(&encodings[i]);
    }
}

static void load_tokenizers(void)
{
    if (tokenizers[0]) return;
    atexit(free_tokenizers);
    for (size_t i = 0; i < COUNT; i++) {
        char *path = ebm_path_join(FIXTURES "/tokenizer", names[i]);
        fuzz_require_ok(ebm_tokenizer_load(path, &tokenizers[i]));
        free(path);
    }
}

void fuzz_tokenize(const uint8_t *data, size_t size)
{
    if (size == 0) return;
    load_tokenizers();
    fuzz_parts parts = {.data = data + 1, .size = size - 1};
    size_t a_bytes = 0, b_bytes = 0;
    const char *a = fuzz_next_part(&parts, &a_bytes), *b = fuzz_next_part(&parts, &b_bytes);
    for (size_t i = 0; i < COUNT; i++)
        fuzz_check_texts(tokenizers[i], &encodings[i], a, a_bytes, b, b_bytes, data[0] % 64);
}
