#include "bench_texts.h"

static ebm_status check(const char *directory, const ebm_bench_texts *texts, const ebm_tokenizer *tokenizer,
                        const ebm_config *config, const ebm_dataset *dataset)
{
    if (ebm_tokenizer_size(tokenizer) > config->vocabulary)
        return ebm_fail(EBM_ERROR_INPUT, "%s: the tokenizer has %zu tokens, the model's vocabulary %zu", directory,
                        ebm_tokenizer_size(tokenizer), config->vocabulary);
    if (ebm_dataset_count(dataset) == 0) return ebm_fail(EBM_ERROR_INPUT, "%s: no texts", texts->file);
    return ebm_ok();
}

ebm_status ebm_bench_texts_read(const ebm_bench_texts *texts, const ebm_bench_model *model, const ebm_config *config,
                                ebm_tokenizer **tokenizer, ebm_dataset **dataset)
{
    const char *directory = texts->tokenizer ? texts->tokenizer : model->directory;
    const ebm_dataset_format format = {
        .text_column = texts->column,
        .text_pair_column = texts->pair_column,
        .labels = EBM_LABELS_IGNORED,
    };
    if (!directory) return ebm_fail(EBM_ERROR_INPUT, "--text_file with --random needs --tokenizer");
    EBM_TRY(ebm_tokenizer_load(directory, tokenizer));
    EBM_TRY(ebm_dataset_read(texts->file, &format, dataset));
    return check(directory, texts, *tokenizer, config, *dataset);
}

size_t ebm_bench_texts_longest(const ebm_bench_texts *texts, const ebm_config *config)
{
    const size_t positions = ebm_config_max_tokens(config);
    return texts->max_length < positions ? texts->max_length : positions;
}
