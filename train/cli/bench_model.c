#include "bench_model.h"

const char *const EBM_BENCH_ENCODERS[] = {"roberta-base", "minilm-l6", "modernbert-base", NULL};
const char *const EBM_BENCH_MODELS[] = {"roberta-base", "minilm-l6", "modernbert-base", "noise", NULL};

static ebm_status modernbert_base(ebm_config **config)
{
    EBM_TRY(ebm_config_default_modernbert(22, 768, 50368, 8192, config));
    (*config)->intermediate = 1152;
    return ebm_ok();
}

static ebm_status minilm_l6(ebm_config **config)
{
    EBM_TRY(ebm_config_default_bert(6, 384, 30522, 512, config));
    (*config)->heads = 12; // of 32, where the default is heads of 64
    return ebm_ok();
}

ebm_status ebm_bench_model_config(const ebm_bench_model *model, ebm_config **config)
{
    if ((model->directory != NULL) == (model->random >= 0))
        return ebm_fail(EBM_ERROR_INPUT, "expected --model_name_or_path or --random, one of them");
    if (model->directory) return ebm_config_load(model->directory, config);
    switch (model->random) {
    case EBM_BENCH_ROBERTA_BASE:
        return ebm_config_default_roberta(12, 768, 50265, 514, config);
    case EBM_BENCH_MINILM_L6:
        return minilm_l6(config);
    case EBM_BENCH_MODERNBERT_BASE:
        return modernbert_base(config);
    default:
        return ebm_config_default_gpt2(4, 384, 30522, 256, config);
    }
}

const char *ebm_bench_model_name(const ebm_bench_model *model)
{
    return model->directory ? model->directory : EBM_BENCH_MODELS[model->random];
}
