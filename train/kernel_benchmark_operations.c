// What the kernel benchmark runs, one function an operation, in the order of a step: the model's own calls.
#include "kernel_benchmark_internal.h"
#include "lm_loss.h"
#include "operations.h"
#include "random.h"
#include "rotary.h"
#include "sampling.h"

static const ebm_slice NONE;
static const double RATE = 1e-5;

static size_t rows_T(const ebm_kernel_benchmark *b) { return b->tokens; }
static size_t rows_slots(const ebm_kernel_benchmark *b) { return b->set.slots; }
static size_t rows_loss(const ebm_kernel_benchmark *b) { return EBM_DECODER_LOSS_ROWS; }
static size_t rows_one(const ebm_kernel_benchmark *b) { return 1; }
static size_t columns_C(const ebm_kernel_benchmark *b) { return b->config->hidden; }
static size_t columns_E(const ebm_kernel_benchmark *b) { return b->config->embedding; }
static size_t columns_3C(const ebm_kernel_benchmark *b) { return 3 * b->config->hidden; }
static size_t columns_F(const ebm_kernel_benchmark *b) { return b->config->intermediate; }
static size_t columns_V(const ebm_kernel_benchmark *b) { return b->config->vocabulary; }
static size_t columns_word(const ebm_kernel_benchmark *b) { return b->word->count; }

static bool always(const ebm_kernel_benchmark *b) { return true; }
static bool is_gpt2(const ebm_kernel_benchmark *b) { return b->config->family == EBM_FAMILY_GPT2; }
static bool is_modernbert(const ebm_kernel_benchmark *b) { return b->config->family == EBM_FAMILY_MODERNBERT; }
static bool is_encoder(const ebm_kernel_benchmark *b) { return !is_gpt2(b); }
static bool has_gelu(const ebm_kernel_benchmark *b) { return !is_modernbert(b); }
static bool has_biases(const ebm_kernel_benchmark *b) { return b->config->bias.mlp; }
static bool has_dropout(const ebm_kernel_benchmark *b) { return b->config->hidden_dropout > 0; }

static float p_hidden(const ebm_kernel_benchmark *b) { return b->config->hidden_dropout; }
static float p_attention(const ebm_kernel_benchmark *b)
{
    return is_modernbert(b) ? 0 : b->config->attention_dropout; // there it comes after attention
}

static ebm_dropout dropout_of(const ebm_kernel_benchmark *b, float probability)
{
    const ebm_dropout dropout = {probability, b->set.seed, 1, EBM_SITE_BENCHMARK, 0};
    return dropout;
}

static ebm_dropout hidden_dropout(const ebm_kernel_benchmark *b) { return dropout_of(b, p_hidden(b)); }

static ebm_attention attention_of(const ebm_kernel_benchmark *b, size_t window)
{
    const size_t longest = (b->set.sequence_length + 15) / 16 * 16;
    const ebm_attention attention = {
        .heads = b->config->heads,
        .head_size = ebm_config_head_size(b->config),
        .causal = is_gpt2(b),
        .window = window,
        .longest = longest > 1024 ? longest : 0,
        .dropout = dropout_of(b, p_attention(b)),
    };
    return attention;
}

static ebm_gelu gelu_of(const ebm_kernel_benchmark *b) { return is_gpt2(b) ? EBM_GELU_TANH : EBM_GELU_ERF; }
static ebm_slice shift_of(const ebm_kernel_benchmark *b, ebm_slice shift)
{
    return b->config->bias.norm ? shift : NONE;
}

// `b` is the benchmark, C, E, F and T its sizes.
#define OPERATION(name, ...)                                                                                           \
    static ebm_status name(void *context)                                                                              \
    {                                                                                                                  \
        const ebm_kernel_benchmark *b = context;                                                                       \
        __VA_ARGS__                                                                                                    \
    }
#define T b->tokens
#define C b->config->hidden
#define E b->config->embedding
#define F b->config->intermediate

OPERATION(embedding,
          return ebm_embedding_forward(b->device, b->out, &b->batch, b->word->weight, b->position, b->type, E);)
OPERATION(embedding_back,
          return ebm_embedding_backward(b->device, b->word->gradient, b->d_position, b->d_type, b->a, &b->batch, E);)
OPERATION(norm, return ebm_layernorm_forward(b->device, b->out, b->mean, b->rstd, b->a, b->gain, shift_of(b, b->shift),
                                             1e-5f, T, C);)
OPERATION(norm_back,
          return ebm_layernorm_backward(b->device, b->out, b->b, b->a, b->mean, b->rstd, b->gain, false, T, C);)
OPERATION(norm_weights, return ebm_layernorm_backward_weights(b->device, b->d_gain, shift_of(b, b->d_shift), b->b, b->a,
                                                              b->mean, b->rstd, b->column_scratch, T, C);)
OPERATION(dropout, const ebm_dropout d = hidden_dropout(b);
          return ebm_dropout_apply(b->device, b->out, b->a, &d, T, C);)
OPERATION(sublayer, const ebm_dropout d = hidden_dropout(b);
          return ebm_residual_layernorm_forward(b->device, b->out, b->out2, b->mean, b->rstd, b->a,
                                                has_biases(b) ? b->shift : NONE, b->b, b->gain, shift_of(b, b->shift),
                                                1e-5f, &d, T, C);)
OPERATION(sublayer_back, const ebm_dropout d = hidden_dropout(b);
          return ebm_residual_layernorm_backward(b->device, b->out, b->out2, b->a, b->b, b->mean, b->rstd, b->gain, &d,
                                                 T, C);)
OPERATION(attention, const ebm_attention how = attention_of(b, 0);
          return ebm_attention_forward(b->device, b->out, b->lse, b->a, &b->batch, &how);)
OPERATION(attention_back, const ebm_attention how = attention_of(b, 0);
          return ebm_attention_backward(b->device, b->out, b->b, b->c, b->a, b->lse, b->row_sums, &b->batch, &how);)
OPERATION(local, const ebm_attention how = attention_of(b, b->config->window);
          return ebm_attention_forward(b->device, b->out, b->lse, b->a, &b->batch, &how);)
OPERATION(local_back, const ebm_attention how = attention_of(b, b->config->window);
          return ebm_attention_backward(b->device, b->out, b->b, b->c, b->a, b->lse, b->row_sums, &b->batch, &how);)
OPERATION(rotary, return ebm_rotary_forward(b->device, b->c, b->table, &b->batch, b->config->heads,
                                            ebm_config_head_size(b->config));)
OPERATION(rotary_back, return ebm_rotary_backward(b->device, b->c, b->table, &b->batch, b->config->heads,
                                                  ebm_config_head_size(b->config));)
OPERATION(gelu, return ebm_gelu_forward(b->device, b->out, b->a, gelu_of(b), T, F);)
OPERATION(gelu_back, return ebm_gelu_backward(b->device, b->out, b->out2, b->b, b->a, gelu_of(b), T, F);)
OPERATION(geglu, const ebm_dropout d = hidden_dropout(b); return ebm_geglu_forward(b->device, b->out, b->a, &d, T, F);)
OPERATION(geglu_back, const ebm_dropout d = hidden_dropout(b);
          return ebm_geglu_backward(b->device, b->out, b->out2, b->b, b->a, &d, T, F);)
OPERATION(bias_C, return ebm_bias_gradient(b->device, b->d_gain, b->a, b->column_scratch, T, C);)
OPERATION(bias_3C, return ebm_bias_gradient(b->device, b->d_gain, b->a, b->column_scratch, T, 3 * C);)
OPERATION(bias_F, return ebm_bias_gradient(b->device, b->d_gain, b->a, b->column_scratch, T, F);)
OPERATION(first_tokens, return ebm_first_tokens_forward(b->device, b->out, b->a, &b->batch, C);)
OPERATION(first_tokens_back, return ebm_first_tokens_backward(b->device, b->out, b->a, &b->batch, C);)
OPERATION(lm_loss, return ebm_lm_loss_and_gradient(b->device, b->loss, b->logits, b->config->vocabulary, b->labels,
                                                   EBM_DECODER_LOSS_ROWS, b->config->vocabulary, 1.0f);)
OPERATION(cached, const ebm_attention how = {.heads = b->config->heads, .head_size = ebm_config_head_size(b->config)};
          return ebm_attention_cached(b->device, b->out, b->cache, b->a, b->lengths, b->set.slots, EBM_CACHED_TOKENS,
                                      &how);)
OPERATION(sample, const ebm_sampling how = {.temperature = 1, .top_k = EBM_TOP_K_DEFAULT, .seed = b->set.seed};
          return ebm_sample(b->device, b->next, b->logits, b->texts, b->lengths, b->set.slots, b->config->vocabulary,
                            &how);)
OPERATION(adamw, return ebm_optimizer_step(b->optimizer, RATE, 1, true);)

// Keys and values of every slot's text, the new query and the output; the launch itself cannot know the lengths.
static double cached_bytes(const ebm_kernel_benchmark *b)
{
    return 4.0 * (double)b->set.slots * (double)C * (2.0 * EBM_CACHED_TOKENS + 4);
}

const ebm_kernel_operation ebm_kernel_operations[] = {
    {"embedding", embedding, always, columns_E, rows_T, NULL, NULL},
    {"embedding backward", embedding_back, always, columns_E, rows_T, NULL, NULL},
    {"layernorm", norm, always, columns_C, rows_T, NULL, NULL},
    {"layernorm backward", norm_back, always, columns_C, rows_T, NULL, NULL},
    {"layernorm backward, weights", norm_weights, always, columns_C, rows_T, NULL, NULL},
    {"dropout", dropout, has_dropout, columns_C, rows_T, p_hidden, NULL},
    {"attention", attention, always, NULL, rows_T, p_attention, NULL},
    {"attention backward", attention_back, always, NULL, rows_T, p_attention, NULL},
    {"attention within a window", local, is_modernbert, NULL, rows_T, p_attention, NULL},
    {"attention within a window, backward", local_back, is_modernbert, NULL, rows_T, p_attention, NULL},
    {"rotary", rotary, is_modernbert, columns_C, rows_T, NULL, NULL},
    {"rotary backward", rotary_back, is_modernbert, columns_C, rows_T, NULL, NULL},
    {"residual + layernorm", sublayer, always, columns_C, rows_T, p_hidden, NULL},
    {"residual + layernorm backward", sublayer_back, is_encoder, columns_C, rows_T, p_hidden, NULL},
    {"gelu", gelu, has_gelu, columns_F, rows_T, NULL, NULL},
    {"gelu backward", gelu_back, has_gelu, columns_F, rows_T, NULL, NULL},
    {"geglu", geglu, is_modernbert, columns_F, rows_T, p_hidden, NULL},
    {"geglu backward", geglu_back, is_modernbert, columns_F, rows_T, p_hidden, NULL},
    {"bias gradient", bias_C, has_biases, columns_C, rows_T, NULL, NULL},
    {"bias gradient", bias_3C, has_biases, columns_3C, rows_T, NULL, NULL},
    {"bias gradient", bias_F, has_biases, columns_F, rows_T, NULL, NULL},
    {"first tokens", first_tokens, is_encoder, columns_C, rows_T, NULL, NULL},
    {"first tokens backward", first_tokens_back, is_encoder, columns_C, rows_T, NULL, NULL},
    {"vocabulary loss and gradient", lm_loss, is_gpt2, columns_V, rows_loss, NULL, NULL},
    {"attention of a new token", cached, is_gpt2, columns_C, rows_slots, NULL, cached_bytes},
    {"top-k sampling", sample, is_gpt2, columns_V, rows_slots, NULL, NULL},
    {"norm and adamw", adamw, always, columns_word, rows_one, NULL, NULL},
};
const size_t ebm_kernel_operation_count = sizeof ebm_kernel_operations / sizeof *ebm_kernel_operations;
