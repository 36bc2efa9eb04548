#include "family.h"

#include <stdio.h>
#include <string.h>

#include "config_internal.h"
#include "encoder_form.h"
#include "family_traits.h"

static const char *const GELU_ERF[] = {"gelu", NULL};
// The same function under torch's own name.
static const char *const GELU_TANH[] = {"gelu_new", "gelu_pytorch_tanh", NULL};

#define BERT_KEYS                                                                                                      \
    .hidden = "hidden_size", .layers = "num_hidden_layers", .heads = "num_attention_heads",                            \
    .intermediate = "intermediate_size", .positions = "max_position_embeddings", .types = "type_vocab_size",           \
    .epsilon = "layer_norm_eps", .activation = "hidden_act", .hidden_dropout = "hidden_dropout_prob",                  \
    .attention_dropout = "attention_probs_dropout_prob", .classifier_dropout = "classifier_dropout"

#define BERT_EMBEDDINGS                                                                                                \
    .word = "embeddings.word_embeddings", .position = "embeddings.position_embeddings", .norm = "embeddings.LayerNorm"

#define BERT_NAMES                                                                                                     \
    BERT_EMBEDDINGS, .type = "embeddings.token_type_embeddings", .layer = "encoder.layer",                             \
                     .query = "attention.self.query", .key = "attention.self.key", .value = "attention.self.value",    \
                     .out = "attention.output.dense", .norm1 = "attention.output.LayerNorm",                           \
                     .up = "intermediate.dense", .down = "output.dense", .norm2 = "output.LayerNorm"

#define ROBERTA_DEFAULTS                                                                                               \
    {                                                                                                                  \
        .types = 2, .epsilon = 1e-12F, .dropout = 0.1F, .classifier_dropout = -1, .pad = 1, .bos = 0, .eos = 2         \
    }
#define ROBERTA_HEAD                                                                                                   \
    {                                                                                                                  \
        .dense = "classifier.dense", .linear = "classifier.out_proj", .activation = EBM_ACTIVATION_TANH,               \
        .dropout_first = true                                                                                          \
    }

static const ebm_family_traits FAMILIES[EBM_FAMILIES] = {
    [EBM_FAMILY_BERT] =
        {
            .type = "bert",
            .architecture = "BertForSequenceClassification",
            .encoder = &ebm_encoder_post_norm,
            .activations = GELU_ERF,
            .keys = {BERT_KEYS},
            .defaults = {.types = 2,
                         .epsilon = 1e-12F,
                         .dropout = 0.1F,
                         .classifier_dropout = -1,
                         .pad = 0,
                         .bos = -1,
                         .eos = -1},
            .names = {.prefix = "bert.", BERT_NAMES},
            .head = {.dense = "bert.pooler.dense", .linear = "classifier", .activation = EBM_ACTIVATION_TANH},
        },
    [EBM_FAMILY_ROBERTA] =
        {
            .type = "roberta",
            .architecture = "RobertaForSequenceClassification",
            .encoder = &ebm_encoder_post_norm,
            .activations = GELU_ERF,
            .keys = {BERT_KEYS},
            .defaults = ROBERTA_DEFAULTS,
            .names = {.prefix = "roberta.", BERT_NAMES},
            .head = ROBERTA_HEAD,
            .positions_after_pad = true,
        },
    [EBM_FAMILY_XLM_ROBERTA] =
        {
            .type = "xlm-roberta",
            .architecture = "XLMRobertaForSequenceClassification",
            .encoder = &ebm_encoder_post_norm,
            .activations = GELU_ERF,
            .keys = {BERT_KEYS},
            .defaults = ROBERTA_DEFAULTS,
            .names = {.prefix = "roberta.", BERT_NAMES},
            .head = ROBERTA_HEAD,
            .positions_after_pad = true,
        },
    [EBM_FAMILY_DISTILBERT] =
        {
            .type = "distilbert",
            .architecture = "DistilBertForSequenceClassification",
            .encoder = &ebm_encoder_post_norm,
            .activations = GELU_ERF,
            .keys = {.hidden = "dim",
                     .layers = "n_layers",
                     .heads = "n_heads",
                     .intermediate = "hidden_dim",
                     .positions = "max_position_embeddings",
                     .activation = "activation",
                     .hidden_dropout = "dropout",
                     .attention_dropout = "attention_dropout",
                     .classifier_dropout = "seq_classif_dropout"},
            .defaults =
                {.epsilon = 1e-12F, .dropout = 0.1F, .classifier_dropout = 0.2F, .pad = 0, .bos = -1, .eos = -1},
            .names = {.prefix = "distilbert.",
                      BERT_EMBEDDINGS,
                      .layer = "transformer.layer",
                      .query = "attention.q_lin",
                      .key = "attention.k_lin",
                      .value = "attention.v_lin",
                      .out = "attention.out_lin",
                      .norm1 = "sa_layer_norm",
                      .up = "ffn.lin1",
                      .down = "ffn.lin2",
                      .norm2 = "output_layer_norm"},
            .head = {.dense = "pre_classifier", .linear = "classifier", .activation = EBM_ACTIVATION_RELU},
            .no_dropout_after_attention = true,
        },
    [EBM_FAMILY_ELECTRA] =
        {
            .type = "electra",
            .architecture = "ElectraForSequenceClassification",
            .encoder = &ebm_encoder_post_norm,
            .activations = GELU_ERF,
            .keys = {BERT_KEYS, .embedding = "embedding_size"},
            .defaults = {.types = 2,
                         .embedding = 128,
                         .epsilon = 1e-12F,
                         .dropout = 0.1F,
                         .classifier_dropout = -1,
                         .pad = 0,
                         .bos = -1,
                         .eos = -1},
            .names = {.prefix = "electra.", BERT_NAMES, .project = "embeddings_project"},
            .head = {.dense = "classifier.dense",
                     .linear = "classifier.out_proj",
                     .activation = EBM_ACTIVATION_GELU,
                     .dropout_first = true},
        },
    [EBM_FAMILY_MODERNBERT] =
        {
            .type = "modernbert",
            .architecture = "ModernBertForSequenceClassification",
            .encoder = &ebm_encoder_modernbert,
            .activations = GELU_ERF,
            .config = &ebm_config_modernbert,
            .keys = {.hidden = "hidden_size",
                     .layers = "num_hidden_layers",
                     .heads = "num_attention_heads",
                     .intermediate = "intermediate_size",
                     .positions = "max_position_embeddings",
                     .epsilon = "norm_eps",
                     .activation = "hidden_activation",
                     .pooling = "classifier_pooling",
                     .hidden_dropout = "mlp_dropout",
                     .attention_dropout = "attention_dropout",
                     .embedding_dropout = "embedding_dropout",
                     .classifier_dropout = "classifier_dropout"},
            .defaults = {.epsilon = 1e-5F, .pad = 50283, .bos = 50281, .eos = 50282},
            .names = {.prefix = "model.",
                      .word = "embeddings.tok_embeddings",
                      .norm = "embeddings.norm",
                      .layer = "layers",
                      .qkv = "attn.Wqkv",
                      .out = "attn.Wo",
                      .norm1 = "attn_norm",
                      .up = "mlp.Wi",
                      .down = "mlp.Wo",
                      .norm2 = "mlp_norm",
                      .final_norm = "final_norm"},
            .head =
                {.dense = "head.dense", .norm = "head.norm", .linear = "classifier", .activation = EBM_ACTIVATION_GELU},
        },
    [EBM_FAMILY_GPT2] =
        {
            .type = "gpt2",
            .architecture = "GPT2LMHeadModel",
            .activations = GELU_TANH,
            .keys = {.hidden = "n_embd",
                     .layers = "n_layer",
                     .heads = "n_head",
                     .intermediate = "n_inner",
                     .positions = "n_positions",
                     .epsilon = "layer_norm_epsilon",
                     .activation = "activation_function",
                     .hidden_dropout = "resid_pdrop",
                     .attention_dropout = "attn_pdrop",
                     .embedding_dropout = "embd_pdrop"},
            .defaults = {.epsilon = 1e-5F, .dropout = 0.1F, .classifier_dropout = -1, .pad = -1, .bos = -1, .eos = -1},
            .names = {.prefix = "transformer.", .word = "wte", .position = "wpe"},
        },
};

const ebm_family_traits *ebm_family_traits_of(ebm_family family) { return &FAMILIES[family]; }
const char *ebm_family_name(ebm_family family) { return FAMILIES[family].type; }
bool ebm_family_is_encoder(ebm_family family) { return FAMILIES[family].encoder != NULL; }

bool ebm_family_find(const char *name, ebm_family *family)
{
    for (int i = 0; i < EBM_FAMILIES; i++) {
        if (strcmp(name, FAMILIES[i].type) != 0) continue;
        *family = (ebm_family)i;
        return true;
    }
    return false;
}

const char *ebm_family_list(bool encoders_only, char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < EBM_FAMILIES && used < size; i++)
        if (!encoders_only || FAMILIES[i].encoder)
            used += (size_t)snprintf(text + used, size - used, "%s\"%s\"", used ? ", " : "", FAMILIES[i].type);
    return text;
}
