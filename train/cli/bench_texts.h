// Texts of a file for a part of ebmcl bench, with the tokenizer that makes tokens of them.
#ifndef EBM_BENCH_TEXTS_H
#define EBM_BENCH_TEXTS_H

#include "bench_model.h"
#include "dataset.h"
#include "tokenizer.h"

typedef struct {
    const char *file, *column, *pair_column, *tokenizer;
    size_t max_length;
} ebm_bench_texts;

#define EBM_BENCH_TEXT_OPTION(type, member, option, help)                                                              \
    {                                                                                                                  \
#option, EBM_OPTION_STRING, offsetof(type, member), NULL, help, 0, 0, false, NULL, false                       \
    }
#define EBM_BENCH_TEXTS_OPTIONS(type, member)                                                                          \
    EBM_BENCH_TEXT_OPTION(type, member.file, text_file, "Texts: .tsv, .csv or .jsonl, each also with .gz"),            \
        EBM_BENCH_TEXT_OPTION(type, member.column, text_column, "Column of the (first) text"),                         \
        EBM_BENCH_TEXT_OPTION(type, member.pair_column, text_pair_column, "Column of the second text of a pair"),      \
        EBM_BENCH_TEXT_OPTION(type, member.tokenizer, tokenizer, "Directory of its tokenizer; needed with --random"),  \
    {                                                                                                                  \
        "max_seq_length", EBM_OPTION_SIZE, offsetof(type, member.max_length), "128", "Longest text in tokens", 4,      \
            8192, false, NULL, false                                                                                   \
    }

// Both for the caller to free, *dataset without labels. EBM_ERROR_INPUT when the tokenizer has more tokens than the
// model's vocabulary, or the file no texts.
ebm_status ebm_bench_texts_read(const ebm_bench_texts *texts, const ebm_bench_model *model, const ebm_config *config,
                                ebm_tokenizer **tokenizer, ebm_dataset **dataset);
// The longest text in tokens: --max_seq_length, or the model's positions when those are fewer.
size_t ebm_bench_texts_longest(const ebm_bench_texts *texts, const ebm_config *config);

#endif
