// A byte that says to how many tokens texts are cut, then a text, and perhaps another: through small tokenizers of each
// kind.
#include <stdlib.h>

#include "file.h"
#include "fuzz.h"
#include "fuzz_texts.h"

static const char *const directories[] = {"bert", "roberta", "gpt2"};   // of the fixtures
static const char *const pipelines[] = {"wordpiece", "bpe", "unigram"}; // of the corpus of tokenizer.json
enum { DIRECTORIES = 3, COUNT = 6 };
static ebm_tokenizer *tokenizers[COUNT];
static ebm_encoding encodings[COUNT];

static void free_tokenizers(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        ebm_tokenizer_free(tokenizers[i]);
        ebm_encoding_free(&encodings[i]);
    }
}

// Its tokenizer.json is the first part of that file.
static ebm_tokenizer *load_pipeline(const char *name)
{
    char *path = ebm_path_join(CORPUS "/tokenizer_json", name), *bytes = NULL;
    ebm_tokenizer_files files = {0};
    fuzz_parts parts = {0};
    fuzz_require_ok(ebm_file_read(path, 1 << 20, &bytes, &parts.size));
    parts.data = (const uint8_t *)bytes;
    const char *part = fuzz_next_part(&parts, &files.size[FILE_TOKENIZER_JSON]);
    files.bytes[FILE_TOKENIZER_JSON] = fuzz_copy(part, files.size[FILE_TOKENIZER_JSON]);
    ebm_tokenizer *t = fuzz_build(&files);
    fuzz_require(t != NULL);
    free(bytes);
    free(path);
    return t;
}

static void load_tokenizers(void)
{
    if (tokenizers[0]) return;
    atexit(free_tokenizers);
    for (size_t i = 0; i < DIRECTORIES; i++) {
        char *path = ebm_path_join(FIXTURES "/tokenizer", directories[i]);
        fuzz_require_ok(ebm_tokenizer_load(path, &tokenizers[i]));
        free(path);
    }
    for (size_t i = DIRECTORIES; i < COUNT; i++) tokenizers[i] = load_pipeline(pipelines[i - DIRECTORIES]);
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
