#include "word_model.h"

#include <stdlib.h>
#include <string.h>

#include "bpe_internal.h"
#include "wordpiece.h"

const char *const ebm_word_model_names[] = {"WordPiece", "BPE", "Unigram", "WordLevel"};

void ebm_word_model_free(ebm_word_model *m)
{
    ebm_bpe_free(m->bpe);
    ebm_unigram_free(m->unigram);
    free(m->prefix);
    free(m->suffix);
    *m = (ebm_word_model){0};
}

void ebm_word_model_scratch_free(ebm_word_model_scratch *s)
{
    ebm_bpe_scratch_free(&s->bpe);
    ebm_unigram_scratch_free(&s->unigram);
    free(s->symbols.ids);
    ebm_bytes_free(&s->text);
    *s = (ebm_word_model_scratch){0};
}

bool ebm_word_model_may_take_bytes(const ebm_word_model *m)
{
    if (m->kind != EBM_BPE || m->ignore_merges || m->suffix) return false;
    if (m->unknown < 0 && !m->byte_fallback) return true;
    for (size_t i = 0; i < 256; i++)
        if (m->bpe->id_of_byte[i] < 0) return false;
    return true;
}

bool ebm_word_model_is_usual_wordpiece(const ebm_word_model *m)
{
    return m->kind == EBM_WORDPIECE && !m->prefix && m->longest_word == EBM_WORDPIECE_LONGEST_WORD;
}

static ebm_status no_memory(size_t bytes)
{
    return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a word of %zu bytes", bytes);
}

// --- WordPiece ------------------------------------------------------------------------------------------------------

static size_t count_characters(const char *word, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) count += ((unsigned char)word[i] & 0xC0) != 0x80;
    return count;
}

// The longest token that prefix + word[start...] begins with; *end is where it ends. -1: there is none.
static int32_t longest_piece(const ebm_word_model *m, const char *word, size_t bytes, size_t start, ebm_bytes *text,
                             size_t *end)
{
    const char *prefix = start == 0 ? "" : m->prefix ? m->prefix : "##";
    const size_t before = strlen(prefix), longest = m->vocabulary->longest;
    size_t n = bytes - start;
    if (before + n > longest) n = longest > before ? longest - before : 0;
    text->size = 0;
    if (!ebm_bytes_append(text, prefix, before) || !ebm_bytes_append(text, word + start, n)) return -2;
    for (; n > 0; n--) {
        if (start + n < bytes && ((unsigned char)word[start + n] & 0xC0) == 0x80) continue;
        const int32_t id = ebm_vocabulary_find(m->vocabulary, text->bytes, before + n);
        if (id >= 0) return *end = start + n, id;
    }
    return -1;
}

static ebm_status encode_wordpiece(const ebm_word_model *m, const char *word, size_t bytes, ebm_bytes *text,
                                   ebm_id_list *ids)
{
    const size_t before = ids->count;
    bool whole = count_characters(word, bytes) <= m->longest_word;
    for (size_t start = 0; whole && start < bytes;) {
        const int32_t id = longest_piece(m, word, bytes, start, text, &start);
        if (id == -2 || (id >= 0 && !ebm_id_list_append(ids, id))) return no_memory(bytes);
        whole = id >= 0;
    }
    if (whole) return ebm_ok();
    ids->count = before; // no half words: the whole word is unknown
    return ebm_id_list_append(ids, m->unknown) ? ebm_ok() : no_memory(bytes);
}

// --- BPE of characters ----------------------------------------------------------------------------------------------

// A character that is no token: its bytes' tokens if they have some, or the unknown token, which waits for others to be
// fused with it. (What was waiting stays so behind the bytes: the library's order.)
static bool put_unknown(const ebm_word_model *m, const char *text, size_t bytes, bool *waiting, ebm_id_list *symbols)
{
    int32_t tokens[64];
    bool all = m->byte_fallback && bytes <= 64;
    for (size_t i = 0; all && i < bytes; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned char)text[i]);
        tokens[i] = ebm_vocabulary_find(m->vocabulary, name, 6);
        all = tokens[i] >= 0;
    }
    for (size_t i = 0; all && i < bytes; i++)
        if (!ebm_id_list_append(symbols, tokens[i])) return false;
    if (all || m->unknown < 0) return true;
    if (*waiting && !m->fuse_unknown && !ebm_id_list_append(symbols, m->unknown)) return false;
    *waiting = true;
    return true;
}

static bool fill_symbols(const ebm_word_model *m, const char *word, size_t bytes, ebm_word_model_scratch *s)
{
    bool waiting = false;
    s->symbols.count = 0;
    for (size_t i = 0; i < bytes;) {
        const size_t here = i;
        ebm_utf8_next(word, &i);
        const char *text = word + here;
        size_t n = i - here;
        if (i == bytes && m->suffix) {
            s->text.size = 0;
            if (!ebm_bytes_append(&s->text, text, n) || !ebm_bytes_append(&s->text, m->suffix, strlen(m->suffix)))
                return false;
            text = s->text.bytes;
            n = s->text.size;
        }
        const int32_t id = ebm_vocabulary_find(m->vocabulary, text, n);
        if (id < 0) {
            if (!put_unknown(m, text, n, &waiting, &s->symbols)) return false;
            continue;
        }
        if (waiting && !ebm_id_list_append(&s->symbols, m->unknown)) return false;
        waiting = false;
        if (!ebm_id_list_append(&s->symbols, id)) return false;
    }
    return !waiting || ebm_id_list_append(&s->symbols, m->unknown);
}

static ebm_status encode_characters(const ebm_word_model *m, const char *word, size_t bytes, ebm_word_model_scratch *s,
                                    ebm_id_list *ids)
{
    const int32_t whole = m->ignore_merges ? ebm_vocabulary_find(m->vocabulary, word, bytes) : -1;
    if (whole >= 0) return ebm_id_list_append(ids, whole) ? ebm_ok() : no_memory(bytes);
    if (!fill_symbols(m, word, bytes, s)) return no_memory(bytes);
    return ebm_bpe_encode_symbols(m->bpe, s->symbols.ids, s->symbols.count, &s->bpe, ids);
}

static ebm_status encode_level(const ebm_word_model *m, const char *word, size_t bytes, ebm_id_list *ids)
{
    const int32_t id = ebm_vocabulary_find(m->vocabulary, word, bytes);
    return ebm_id_list_append(ids, id >= 0 ? id : m->unknown) ? ebm_ok() : no_memory(bytes);
}

ebm_status ebm_word_model_encode(const ebm_word_model *m, const char *word, size_t bytes, ebm_word_model_scratch *s,
                                 ebm_id_list *ids)
{
    switch (m->kind) {
    case EBM_WORDPIECE:
        return encode_wordpiece(m, word, bytes, &s->text, ids);
    case EBM_UNIGRAM:
        return ebm_unigram_encode(m->unigram, word, bytes, &s->unigram, ids);
    case EBM_WORD_LEVEL:
        return encode_level(m, word, bytes, ids);
    default:
        return m->takes_bytes ? ebm_bpe_encode_word(m->bpe, word, bytes, &s->bpe, ids)
                              : encode_characters(m, word, bytes, s, ids);
    }
}
