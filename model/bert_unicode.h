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

#endif
