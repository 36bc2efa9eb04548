// The merge table, the pattern, and the split of a text into words; bpe_merge.c does one word.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "bpe_internal.h"

// clang-format off
// Letters and numbers of Unicode 15 and 16, which Debian 12's PCRE2 does not have yet and the tokenizers library does.
#define NEW_LETTERS \
    "\\x{1C89}-\\x{1C8A}\\x{A7CB}-\\x{A7CD}\\x{A7DA}-\\x{A7DC}\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D65}" \
    "\\x{10D6F}-\\x{10D85}\\x{10EC2}-\\x{10EC4}\\x{1123F}-\\x{11240}\\x{11380}-\\x{11389}\\x{1138B}" \
    "\\x{1138E}\\x{11390}-\\x{113B5}\\x{113B7}\\x{113D1}\\x{113D3}\\x{11BC0}-\\x{11BE0}\\x{11F02}" \
    "\\x{11F04}-\\x{11F10}\\x{11F12}-\\x{11F33}\\x{1342F}\\x{13441}-\\x{13446}\\x{13460}-\\x{143FA}" \
    "\\x{16100}-\\x{1611D}\\x{16D40}-\\x{16D6C}\\x{18CFF}\\x{1B132}\\x{1B155}\\x{1DF25}-\\x{1DF2A}" \
    "\\x{1E030}-\\x{1E06D}\\x{1E4D0}-\\x{1E4EB}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}" \
    "\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
#define NEW_NUMBERS \
    "\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}" \
    "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1D2C0}-\\x{1D2D3}" \
    "\\x{1E4F0}-\\x{1E4F9}\\x{1E5F1}-\\x{1E5FA}"
// PCRE2's \s would add U+180E.
#define SPACES "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define LETTERS "\\p{L}" NEW_LETTERS
#define NUMBERS "\\p{N}" NEW_NUMBERS
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
static const char pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?[" LETTERS "]+| ?[" NUMBERS "]+| ?[^" SPACES LETTERS NUMBERS "]+"
                              "|[" SPACES "]+(?![^" SPACES "])|[" SPACES "]+";
// clang-format on

// encoder.py bytes_to_unicode: printable Latin-1 stands for itself, the others are counted up from U+0100.
uint32_t ebm_bpe_character_of_byte(unsigned byte)
{
    uint32_t next = 256;
    for (unsigned b = 0; b < 256; b++) {
        const bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte) return itself ? b : next;
        if (!itself) next++;
    }
    return next;
}

static void fill_bytes(ebm_bpe *bpe)
{
    for (unsigned b = 0; b < 256; b++) {
        char text[4];
        const size_t n = ebm_utf8_put(ebm_bpe_character_of_byte(b), text);
        bpe->id_of_byte[b] = ebm_vocabulary_find(bpe->vocabulary, text, n);
    }
}

static bool grow_merges(ebm_bpe *bpe)
{
    if (bpe->merge_count * 2 < bpe->slot_count) return true;
    const size_t old_count = bpe->slot_count, count = old_count ? 2 * old_count : 1024;
    ebm_bpe_merge *old = bpe->merges, *merges = malloc(count * sizeof *merges);
    if (!merges) return false;
    for (size_t i = 0; i < count; i++) merges[i].result = -1;
    bpe->merges = merges;
    bpe->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].result >= 0) *ebm_bpe_merge_slot(bpe, old[i].left, old[i].right) = old[i];
    free(old);
    return true;
}

static int32_t find_part(const ebm_bpe *bpe, const char *text, size_t bytes)
{
    return ebm_vocabulary_find(bpe->vocabulary, text, bytes);
}

static ebm_status not_there(const ebm_bpe_merge *merge, const char *left, size_t left_bytes, const char *right,
                            size_t right_bytes, const char *name)
{
    return ebm_fail(EBM_ERROR_INPUT, "%s: the merge \"%.*s %.*s\" %s is not in the vocabulary", name,
                    left_bytes > 40 ? 40 : (int)left_bytes, left, right_bytes > 40 ? 40 : (int)right_bytes, right,
                    merge->left < 0    ? "has a left part that"
                    : merge->right < 0 ? "has a right part that"
                                       : "gives a token that");
}

// A pair that comes twice keeps its later rank, as in the tokenizers library.
ebm_status ebm_bpe_add_merge(ebm_bpe *bpe, const char *left, size_t left_bytes, const char *right, size_t right_bytes,
                             const char *name)
{
    char *joined = malloc(left_bytes + right_bytes + 1);
    if (!joined) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    memcpy(joined, left, left_bytes);
    memcpy(joined + left_bytes, right, right_bytes);
    const ebm_bpe_merge merge = {.left = find_part(bpe, left, left_bytes),
                                 .right = find_part(bpe, right, right_bytes),
                                 .result = find_part(bpe, joined, left_bytes + right_bytes),
                                 .rank = bpe->next_rank++};
    free(joined);
    if (merge.left < 0 || merge.right < 0 || merge.result < 0)
        return not_there(&merge, left, left_bytes, right, right_bytes, name);
    if (!grow_merges(bpe)) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    ebm_bpe_merge *slot = ebm_bpe_merge_slot(bpe, merge.left, merge.right);
    if (slot->result < 0) bpe->merge_count++;
    *slot = merge;
    return ebm_ok();
}

// One "left right".
static ebm_status add_line(ebm_bpe *bpe, const char *text, size_t bytes, const char *name, size_t line)
{
    char where[256];
    snprintf(where, sizeof where, "%.200s:%zu", name, line);
    const char *space = memchr(text, ' ', bytes);
    const size_t left_bytes = space ? (size_t)(space - text) : 0;
    const size_t right_bytes = space ? bytes - left_bytes - 1 : 0;
    if (left_bytes == 0 || right_bytes == 0 || memchr(space + 1, ' ', right_bytes))
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected two tokens with one space between, found \"%.*s\"", where,
                        bytes > 80 ? 80 : (int)bytes, text);
    return ebm_bpe_add_merge(bpe, text, left_bytes, space + 1, right_bytes, where);
}

static ebm_status read_merges(ebm_bpe *bpe, const char *text, size_t bytes, const char *name)
{
    if (!grow_merges(bpe)) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    size_t line = 1;
    for (size_t start = 0; start < bytes; line++) {
        const char *newline = memchr(text + start, '\n', bytes - start);
        const size_t end = newline ? (size_t)(newline - text) : bytes;
        size_t length = end - start;
        if (length > 0 && text[end - 1] == '\r') length--;
        const bool version = length >= 8 && memcmp(text + start, "#version", 8) == 0;
        if (length > 0 && !version) EBM_TRY(add_line(bpe, text + start, length, name, line));
        start = end + 1;
    }
    return ebm_ok();
}

static ebm_status compile_pattern(ebm_bpe *bpe)
{
    int error = 0;
    PCRE2_SIZE offset = 0;
    bpe->pattern = pcre2_compile((PCRE2_SPTR)pattern, sizeof pattern - 1, PCRE2_UTF | PCRE2_UCP, &error, &offset, NULL);
    if (!bpe->pattern) {
        PCRE2_UCHAR words[128] = {0};
        pcre2_get_error_message(error, words, sizeof words);
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "PCRE2 refuses the byte-level pattern at %zu: %s", (size_t)offset,
                        (const char *)words);
    }
    pcre2_jit_compile(bpe->pattern, PCRE2_JIT_COMPLETE); // where there is no JIT, matching is slower, not different
    return ebm_ok();
}

ebm_status ebm_bpe_create(const ebm_vocabulary *vocabulary, const char *merges, size_t bytes, const char *name,
                          bool add_prefix_space, ebm_bpe **out)
{
    ebm_status status = ebm_ok();
    ebm_bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    bpe->vocabulary = vocabulary;
    bpe->add_prefix_space = add_prefix_space;
    fill_bytes(bpe);
    EBM_CHECK(compile_pattern(bpe), fail);
    EBM_CHECK(read_merges(bpe, merges, bytes, name), fail);
    *out = bpe;
    return status;
fail:
    ebm_bpe_free(bpe);
    return status;
}

void ebm_bpe_free(ebm_bpe *bpe)
{
    if (!bpe) return;
    pcre2_code_free(bpe->pattern);
    free(bpe->merges);
    free(bpe);
}

void ebm_bpe_scratch_free(ebm_bpe_scratch *s)
{
    pcre2_match_data_free(s->match);
    free(s->symbols);
    free(s->heap);
    free(s->cache);
    ebm_bytes_free(&s->text);
    *s = (ebm_bpe_scratch){0};
}

static ebm_status prepare(ebm_bpe_scratch *s)
{
    if (!s->match) s->match = pcre2_match_data_create(1, NULL);
    return s->match ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer's scratch");
}

ebm_status ebm_bpe_encode(const ebm_bpe *bpe, const char *text, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    EBM_TRY(prepare(s));
    if (bpe->add_prefix_space && bytes > 0 && text[0] != ' ') {
        s->text.size = 0;
        if (!ebm_bytes_append(&s->text, " ", 1) || !ebm_bytes_append(&s->text, text, bytes))
            return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a text of %zu bytes", bytes);
        text = s->text.bytes;
        bytes = s->text.size;
    }
    const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->match);
    for (size_t at = 0; at < bytes;) {
        const int found = pcre2_match(bpe->pattern, (PCRE2_SPTR)text, bytes, at, PCRE2_NO_UTF_CHECK, s->match, NULL);
        if (found < 0 || span[1] <= at) // the pattern matches every character, so only PCRE2's limits lead here
            return ebm_fail(EBM_ERROR_MEMORY, "PCRE2 gives up at byte %zu of a text (error %d)", at, found);
        EBM_TRY(ebm_bpe_encode_word(bpe, text + span[0], span[1] - span[0], s, ids));
        at = span[1];
    }
    return ebm_ok();
}
