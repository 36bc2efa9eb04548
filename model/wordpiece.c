#include "wordpiece.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "bert_unicode.h"

void ebm_wordpiece_scratch_free(ebm_wordpiece_scratch *scratch)
{
    ebm_bytes_free(&scratch->text);
    ebm_bytes_free(&scratch->padded);
    ebm_word_cache_free(&scratch->cache);
    free(scratch->characters);
    free(scratch->waiting);
    *scratch = (ebm_wordpiece_scratch){0};
}

static bool put(ebm_bytes *text, uint32_t c)
{
    char bytes[4];
    return ebm_bytes_append(text, bytes, ebm_utf8_put(c, bytes));
}

static bool put_lower(const ebm_wordpiece *w, ebm_bytes *text, uint32_t c)
{
    if (!w->lower_case) return put(text, c);
    if (c == 0x130) return put(text, 'i') && put(text, 0x307); // the only letter whose lower case is two
    return put(text, ebm_bert_lower(c));
}

// Canonical order: by combining class, equals as they came. One pass for each class that occurs, so that a megabyte of
// marks is no more than 254 passes.
static bool put_waiting(const ebm_wordpiece *w, ebm_wordpiece_scratch *s)
{
    for (int last = 0; s->waiting_count > 0 && last < 255;) {
        int next = 255;
        for (size_t i = 0; i < s->waiting_count; i++) {
            const int class = utf8proc_get_property((utf8proc_int32_t)s->waiting[i])->combining_class;
            if (class == last && last > 0 && !put_lower(w, &s->text, s->waiting[i])) return false;
            if (class > last && class < next) next = class;
        }
        last = next;
    }
    s->waiting_count = 0;
    return true;
}

static bool put_off(ebm_wordpiece_scratch *s, uint32_t c)
{
    if (s->waiting_count == s->waiting_capacity) {
        const size_t capacity = s->waiting_capacity ? 2 * s->waiting_capacity : 16;
        uint32_t *waiting = realloc(s->waiting, capacity * sizeof *waiting);
        if (!waiting) return false;
        s->waiting = waiting;
        s->waiting_capacity = capacity;
    }
    s->waiting[s->waiting_count++] = c;
    return true;
}

// Characters that decompose since Unicode 13 and 16, after the library's tables.
static bool decomposes_lately(uint32_t c)
{
    return c == 0x11938 || c == 0x105C9 || c == 0x105E4 || (c >= 0x11383 && c <= 0x113C8) ||
           (c >= 0x16121 && c <= 0x16128) || (c >= 0x16D68 && c <= 0x16D6A);
}

// NFD of one character, without nonspacing marks; those of class 0 still end a run that is to be ordered.
static bool put_stripped(const ebm_wordpiece *w, ebm_wordpiece_scratch *s, uint32_t c)
{
    utf8proc_int32_t parts[8] = {(utf8proc_int32_t)c};
    int bound_class = 0;
    utf8proc_ssize_t count = 1;
    if (!decomposes_lately(c))
        count = utf8proc_decompose_char((utf8proc_int32_t)c, parts, 8, UTF8PROC_DECOMPOSE, &bound_class);
    if (count < 0 || count > 8) return put_lower(w, &s->text, c);
    for (utf8proc_ssize_t i = 0; i < count; i++) {
        const uint32_t part = (uint32_t)parts[i];
        const bool starter = utf8proc_get_property(parts[i])->combining_class == 0;
        const bool mark = ebm_bert_is_nonspacing_mark(part);
        if (starter && s->waiting_count > 0 && !put_waiting(w, s)) return false;
        if (mark) continue;
        if (!(starter ? put_lower(w, &s->text, part) : put_off(s, part))) return false;
    }
    return true;
}

static bool put_character(const ebm_wordpiece *w, ebm_wordpiece_scratch *s, uint32_t c)
{
    if (ebm_bert_is_removed(c)) return true;
    if (ebm_bert_is_space(c)) c = ' ';
    const bool chinese = w->space_chinese && ebm_bert_is_chinese(c);
    if ((c < 0x80 || chinese) && s->waiting_count > 0 && !put_waiting(w, s)) return false;
    if (chinese && !put(&s->text, ' ')) return false;
    if (!(w->strip_accents && c >= 0x80 ? put_stripped(w, s, c) : put_lower(w, &s->text, c))) return false;
    return !chinese || put(&s->text, ' ');
}

// What characters became that were met before, those that leave nothing waiting. Place: by the lowest bits.
#define CHARACTERS 2048
typedef struct ebm_wordpiece_character {
    uint32_t character; // 0: empty
    unsigned char size;
    char bytes[11];
} remembered;

// Nothing is waiting.
static bool put_remembered(const ebm_wordpiece *w, ebm_wordpiece_scratch *s, uint32_t c)
{
    remembered *place = &s->characters[c % CHARACTERS];
    if (place->character == c) return ebm_bytes_append(&s->text, place->bytes, place->size);
    const size_t before = s->text.size;
    if (!put_character(w, s, c)) return false;
    const size_t size = s->text.size - before;
    if (s->waiting_count > 0 || size > sizeof place->bytes) return true;
    place->character = c;
    place->size = (unsigned char)size;
    memcpy(place->bytes, s->text.bytes + before, size);
    return true;
}

static bool prepare_characters(const ebm_wordpiece *w, ebm_wordpiece_scratch *s)
{
    const unsigned how = w->lower_case | w->strip_accents << 1 | w->space_chinese << 2;
    if (s->characters && s->characters_how == how) return true;
    free(s->characters);
    s->characters = calloc(CHARACTERS, sizeof *s->characters);
    s->characters_how = how;
    return s->characters;
}

ebm_status ebm_wordpiece_normalize(const ebm_wordpiece *w, const char *text, size_t bytes, ebm_wordpiece_scratch *s)
{
    s->text.size = s->waiting_count = 0;
    bool ok = prepare_characters(w, s) && ebm_bytes_reserve(&s->text, bytes + 1);
    for (size_t i = 0; ok && i < bytes;) {
        const unsigned char byte = (unsigned char)text[i];
        if (byte >= 0x20 && byte < 0x7F && s->waiting_count == 0 && s->text.size < s->text.capacity) {
            s->text.bytes[s->text.size++] = (char)(w->lower_case && byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
            i++;
            continue;
        }
        const uint32_t c = ebm_utf8_next(text, &i);
        ok = s->waiting_count == 0 && c > 0 ? put_remembered(w, s, c) : put_character(w, s, c);
    }
    ok = ok && put_waiting(w, s);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory normalising a text of %zu bytes", bytes);
}

static bool is_character_start(char byte) { return ((unsigned char)byte & 0xC0) != 0x80; }

static bool encode_word(const ebm_wordpiece *w, const char *word, size_t bytes, ebm_id_list *ids)
{
    size_t characters = 0;
    for (size_t i = 0; i < bytes; i++) characters += is_character_start(word[i]);
    if (characters > EBM_WORDPIECE_LONGEST_WORD) return ebm_id_list_append(ids, w->unknown);
    const size_t before = ids->count;
    for (size_t start = 0; start < bytes;) {
        size_t matched = 0;
        const int32_t id =
            ebm_vocabulary_longest(w->vocabulary, start > 0 ? "##" : "", word + start, bytes - start, &matched);
        start += matched;
        if (id < 0) { // no half words: the whole word is unknown
            ids->count = before;
            return ebm_id_list_append(ids, w->unknown);
        }
        if (!ebm_id_list_append(ids, id)) return false;
    }
    return true;
}

// The table is for texts before normalisation, which removes these three spaces.
static ebm_bert_class class_of(const uint8_t *table, uint32_t c)
{
    return c == 0x0B || c == 0x0C || c == 0x85 ? EBM_BERT_SPACE : ebm_bert_apart(table, c);
}

ebm_status ebm_wordpiece_encode(const ebm_wordpiece *w, const char *text, size_t bytes, ebm_id_list *ids)
{
    const uint8_t *table = ebm_bert_apart_table();
    bool ok = true;
    size_t word = 0;
    for (size_t i = 0; ok && i < bytes;) {
        const size_t here = i;
        const ebm_bert_class class = class_of(table, ebm_utf8_next(text, &i));
        const bool punctuation = class == EBM_BERT_PUNCTUATION;
        if (class != EBM_BERT_SPACE && !punctuation) continue;
        if (word < here) ok = encode_word(w, text + word, here - word, ids);
        if (ok && punctuation) ok = encode_word(w, text + here, i - here, ids);
        word = i;
    }
    if (ok && word < bytes) ok = encode_word(w, text + word, bytes - word, ids);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a text of %zu bytes", bytes);
}
