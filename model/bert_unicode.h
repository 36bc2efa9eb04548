// Character classes and lower case as BERT's tokenizer in the tokenizers library (0.23) has them: the general
// categories of Unicode 8, lower case of Unicode 17. Tables of our own, so that ids do not change with the version of
// utf8proc; made by asking the library about every code point.
#ifndef EBM_BERT_UNICODE_H
#define EBM_BERT_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

bool ebm_bert_is_removed(uint32_t c);         // U+0000, U+FFFD, controls but tab and line ends, format, private use
bool ebm_bert_is_space(uint32_t c);           // White_Space
bool ebm_bert_is_punctuation(uint32_t c);     // ASCII symbols too
bool ebm_bert_is_nonspacing_mark(uint32_t c); // what accent stripping removes
bool ebm_bert_is_chinese(uint32_t c);         // what gets spaces around it; not Hangul, Hiragana, Katakana
uint32_t ebm_bert_lower(uint32_t c);          // one to one: U+0130 is the caller's

// What stands apart in a text that is not normalised yet: whatever is beside it, it is a word of its own or none, and
// parts the words before and behind. (Chinese characters only if spaces are put around them.) Two bits a code point:
//     const uint8_t *table = ebm_bert_apart_table();
//     if (ebm_bert_apart(table, c)) ...
typedef enum { EBM_BERT_WITHIN, EBM_BERT_SPACE, EBM_BERT_PUNCTUATION, EBM_BERT_CHINESE } ebm_bert_class;
const uint8_t *ebm_bert_apart_table(void);
static inline ebm_bert_class ebm_bert_apart(const uint8_t *table, uint32_t c)
{
    return (ebm_bert_class)(table[c / 4] >> c % 4 * 2 & 3);
}

#endif
