// Fuzz targets: what is read from hostile files, each as a function of some bytes. libFuzzer calls them with bytes of
// its own (option EBMCL_FUZZ, run.sh); the suite calls them with every file of corpus/<target> (test_fuzz_corpus.c).
//
// A target may refuse its input, but not crash, leak, hang, or break what it promises: fuzz_require aborts then.
#ifndef EBM_TESTS_FUZZ_H
#define EBM_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

void fuzz_charsmap(const uint8_t *data, size_t size);
void fuzz_config(const uint8_t *data, size_t size);
void fuzz_dataset(const uint8_t *data, size_t size);
void fuzz_normalize(const uint8_t *data, size_t size);
void fuzz_predictions(const uint8_t *data, size_t size);
void fuzz_safetensors(const uint8_t *data, size_t size);
void fuzz_shards(const uint8_t *data, size_t size);
void fuzz_tokenize(const uint8_t *data, size_t size);
void fuzz_tokenizer_json(const uint8_t *data, size_t size);
void fuzz_vocab_json(const uint8_t *data, size_t size);
void fuzz_vocab_txt(const uint8_t *data, size_t size);

#define fuzz_require(condition)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) fuzz_failed(__FILE__, __LINE__, #condition, NULL);                                           \
    } while (0)
#define fuzz_require_ok(expression)                                                                                    \
    do {                                                                                                               \
        const ebm_status fuzz_status_ = (expression);                                                                  \
        if (fuzz_status_.code != EBM_OK) fuzz_failed(__FILE__, __LINE__, #expression, fuzz_status_.message);           \
    } while (0)
void fuzz_failed(const char *file, int line, const char *what, const char *message) __attribute__((noreturn));

// A refusal must be a sentence of valid UTF-8, of any code but a failure of the machine.
void fuzz_check_refusal(ebm_status status);

// The input in parts, cut at form feeds (a byte that none of the formats has): the next one, NULL and 0 behind the
// last.
typedef struct {
    const uint8_t *data;
    size_t size;
    bool done;
} fuzz_parts;
const char *fuzz_next_part(fuzz_parts *parts, size_t *size);
char *fuzz_copy(const char *bytes, size_t size); // with a zero byte behind; exactly as long, so that overruns show

// A file of this name in a directory of this process, in memory where there is such a file system; its path, borrowed
// until the next call. The directory is removed when the process ends.
const char *fuzz_file(const char *name, const void *bytes, size_t size);
const char *fuzz_directory(void);

#endif
