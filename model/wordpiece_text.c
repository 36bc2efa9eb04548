// Normalisation and pieces of a text in one pass over its words. A word here is what lies between characters that stand
// apart (ebm_bert_apart), before it is normalised; what it comes to depends on nothing around it, so it is remembered.
#include <string.h>

#include "bert_unicode.h"
#include "wordpiece.h"

// ASCII in lower case already, if the vocabulary is: fewer words to remember, and the rest of normalisation is the
// same.
static bool pad(const ebm_wordpiece *w, const char *text, size_t bytes, ebm_bytes *padded)
{
    if (!ebm_word_pad(padded, "", 0, text, bytes)) return false;
    if (!w->lower_case) return true;
    for (size_t i = 0; i < bytes; i += 8) {
        char *at = padded->bytes + i;
        ebm_store_eight(at, ebm_eight_lower(ebm_load_eight(at)));
    }
    return true;
}

// Where a word ends, and its first `known` bytes are known to belong to it; or the character that stands apart there.
// The text is padded.
static __attribute__((noinline)) size_t any_word_end(const ebm_wordpiece *w, const char *text, size_t bytes,
                                                     size_t start, size_t known)
{
    const uint8_t *table = ebm_bert_apart_table();
    for (size_t i = start + known; i < bytes;) {
        size_t next = i;
        const ebm_bert_class class = ebm_bert_apart(table, ebm_utf8_next(text, &next));
        const bool apart = class != EBM_BERT_WITHIN && (class != EBM_BERT_CHINESE || w->space_chinese);
        if (apart) return i > start ? i : next;
        i = next;
    }
    return bytes;
}

// The same; most words are ASCII letters and digits, and something of ASCII that stands apart behind.
static inline size_t word_end(const ebm_wordpiece *w, const char *text, size_t bytes, size_t start)
{
    uint64_t others = 0;
    size_t i = start;
    for (; i < bytes; i += 8) {
        const uint64_t eight = ebm_load_eight(text + i);
        others = (ebm_eight_letters(eight) | ebm_eight_digits(eight)) ^ EBM_EIGHT_MARKS;
        if (others) break;
    }
    if (others) i += ebm_eight_first(others);
    if (i > start && (unsigned char)text[i] >= ' ' && (unsigned char)text[i] < 0x7F) return i;
    return i < bytes ? any_word_end(w, text, bytes, start, i - start) : bytes;
}

static __attribute__((noinline)) ebm_status encode_anew(const ebm_wordpiece *w, const char *word, size_t bytes,
                                                        ebm_wordpiece_scratch *s, ebm_id_list *ids)
{
    EBM_TRY(ebm_wordpiece_normalize(w, word, bytes, s));
    return ebm_wordpiece_encode(w, s->text.bytes, s->text.size, ids);
}

static __attribute__((noinline)) ebm_status encode_word(const ebm_wordpiece *w, const char *word, size_t bytes,
                                                        ebm_wordpiece_scratch *s, ebm_id_list *ids)
{
    if (bytes > EBM_WORD_BYTES) return encode_anew(w, word, bytes, s, ids);
    const ebm_word_key key = ebm_word_key_of(word, bytes);
    if (ebm_word_cache_append(&s->cache, &key, ids)) return ebm_ok();
    const size_t before = ids->count;
    EBM_TRY(encode_anew(w, word, bytes, s, ids));
    if (ids->count > before) ebm_word_cache_put(&s->cache, &key, ids->ids + before, ids->count - before);
    return ebm_ok();
}

static bool prepare(const ebm_wordpiece *w, ebm_wordpiece_scratch *s)
{
    const ebm_wordpiece *of = &s->cache_of;
    if (s->cache_version != w->vocabulary->version || of->unknown != w->unknown || of->lower_case != w->lower_case ||
        of->strip_accents != w->strip_accents || of->space_chinese != w->space_chinese)
        ebm_word_cache_free(&s->cache);
    s->cache_of = *w;
    s->cache_version = w->vocabulary->version;
    return ebm_word_cache_prepare(&s->cache);
}

ebm_status ebm_wordpiece_encode_text(const ebm_wordpiece *w, const char *text, size_t bytes, ebm_wordpiece_scratch *s,
                                     ebm_id_list *ids)
{
    bool ok = prepare(w, s) && pad(w, text, bytes, &s->padded);
    text = s->padded.bytes;
    for (size_t at = 0, end; ok && at < bytes; at = end + (text[end] == ' ')) {
        end = word_end(w, text, bytes, at);
        ok = ebm_id_list_reserve(ids, EBM_WORD_IDS);
        if (!ok || ebm_word_cache_append_short(&s->cache, text + at, end - at, ids)) continue;
        EBM_TRY(encode_word(w, text + at, end - at, s, ids));
    }
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a text of %zu bytes", bytes);
}
