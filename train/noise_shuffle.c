#include "noise_shuffle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { MOST_DROPPED = 2000 }; // in a row, before the texts are given up

typedef struct {
    size_t at, length; // in the row's text
} word_place;

struct ebm_noise_shuffle {
    const ebm_dataset *training;
    ebm_text_set *set;
    size_t ngram, most_words;
    uint64_t seed;
    word_place *words;
    uint32_t *blocks; // of a text, in their new order
    size_t capacity;  // of both
    char *text[2];
    size_t bytes[2];
};

ebm_status ebm_noise_shuffle_create(const ebm_dataset *training, size_t ngram, size_t most_words, uint64_t seed,
                                    ebm_noise_shuffle **out)
{
    *out = NULL;
    if (ngram == 0 || most_words == 0 || ebm_dataset_count(training) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "blocks of %zu words, at most %zu words of %zu texts: none may be 0", ngram,
                        most_words, ebm_dataset_count(training));
    ebm_noise_shuffle *s = calloc(1, sizeof *s);
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for noise");
    s->training = training;
    s->ngram = ngram;
    s->most_words = most_words;
    s->seed = seed;
    const ebm_status status = ebm_text_set_create(training, &s->set);
    if (status.code == EBM_OK)
        *out = s;
    else
        ebm_noise_shuffle_free(s);
    return status;
}

void ebm_noise_shuffle_free(ebm_noise_shuffle *s)
{
    if (!s) return;
    ebm_text_set_free(s->set);
    free(s->words);
    free(s->blocks);
    free(s->text[0]);
    free(s->text[1]);
    free(s);
}

static ebm_status reserve_words(ebm_noise_shuffle *s, size_t count)
{
    if (count <= s->capacity) return ebm_ok();
    const size_t capacity = 2 * count + 64;
    word_place *words = realloc(s->words, capacity * sizeof *words);
    if (words) s->words = words;
    uint32_t *blocks = realloc(s->blocks, capacity * sizeof *blocks);
    if (blocks) s->blocks = blocks;
    if (!words || !blocks) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu words", capacity);
    s->capacity = capacity;
    return ebm_ok();
}

static ebm_status find_words(ebm_noise_shuffle *s, const char *text, size_t *count)
{
    size_t at = 0, length = 0;
    *count = 0;
    for (const char *word; *count < s->most_words && (word = ebm_next_word(text, &at, &length)); ++*count) {
        EBM_TRY(reserve_words(s, *count + 1));
        s->words[*count] = (word_place){(size_t)(word - text), length};
    }
    return ebm_ok();
}

static ebm_status reserve_text(ebm_noise_shuffle *s, int part, size_t bytes)
{
    if (bytes <= s->bytes[part]) return ebm_ok();
    char *more = realloc(s->text[part], 2 * bytes);
    if (!more) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a text of %zu bytes", bytes);
    s->text[part] = more;
    s->bytes[part] = 2 * bytes;
    return ebm_ok();
}

static ebm_status shuffle_part(ebm_noise_shuffle *s, ebm_random *random, int part, const char *text, size_t bytes)
{
    size_t words = 0, written = 0;
    EBM_TRY(find_words(s, text, &words));
    EBM_TRY(reserve_text(s, part, bytes + 1));
    const size_t blocks = (words + s->ngram - 1) / s->ngram;
    for (size_t i = 0; i < blocks; i++) s->blocks[i] = (uint32_t)i;
    ebm_random_shuffle(random, s->blocks, blocks);
    for (size_t i = 0; i < blocks; i++) {
        const size_t first = s->blocks[i] * s->ngram, end = first + s->ngram < words ? first + s->ngram : words;
        for (size_t w = first; w < end; w++) {
            if (written > 0) s->text[part][written++] = ' ';
            memcpy(s->text[part] + written, text + s->words[w].at, s->words[w].length);
            written += s->words[w].length;
        }
    }
    s->text[part][written] = 0;
    return ebm_ok();
}

ebm_status ebm_noise_shuffle_make(ebm_noise_shuffle *s, uint64_t number, const char **text_a, const char **text_b)
{
    ebm_random random = ebm_random_stream(s->seed, (uint32_t)number, EBM_SITE_PROMPT);
    const uint32_t rows = (uint32_t)ebm_dataset_count(s->training);
    const ebm_row row = ebm_dataset_row(s->training, ebm_random_below(&random, rows));
    EBM_TRY(shuffle_part(s, &random, 0, row.text_a, row.text_a_length));
    if (row.text_b) EBM_TRY(shuffle_part(s, &random, 1, row.text_b, row.text_b_length));
    *text_a = s->text[0];
    *text_b = row.text_b ? s->text[1] : NULL;
    return ebm_ok();
}

ebm_status ebm_noise_shuffle_next(ebm_noise_shuffle *s, uint64_t *number, ebm_noise_statistics *statistics,
                                  const char **text_a, const char **text_b)
{
    for (int dropped = 0; dropped < MOST_DROPPED; dropped++) {
        EBM_TRY(ebm_noise_shuffle_make(s, (*number)++, text_a, text_b));
        statistics->generated++;
        if (!ebm_text_set_contains(s->set, *text_a, *text_b)) return ebm_ok();
        statistics->duplicates++;
    }
    return ebm_fail(EBM_ERROR_INPUT,
                    "shuffling gives no usable texts: of %" PRIu64 " made %" PRIu64
                    " equal training texts (blocks of %zu words between blanks leave nothing to shuffle)",
                    statistics->generated, statistics->duplicates, s->ngram);
}
