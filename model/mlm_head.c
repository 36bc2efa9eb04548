#include "mlm_head.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "family_traits.h"
#include "gemm.h"
#include "layers.h"

// Names in the checkpoint.
typedef struct {
    const char *dense, *norm, *bias;
} mlm_names;

struct ebm_mlm_head {
    ebm_device *device;
    ebm_parameters *parameters;
    mlm_names names;
    size_t C, V, rows;
    ebm_linear dense;
    ebm_norm norm;
    const ebm_tensor *word; // (vocabulary, C): the decoder's weights
    ebm_tensor *bias;
    // (rows, C): the encoder's vectors, after the dense layer, GELU, LayerNorm
    ebm_slice input, hidden, active, normed;
    ebm_slice mean, rstd;               // (rows)
    ebm_slice logits;                   // (rows, V)
    ebm_slice d_normed, column_scratch; // with a backward pass: (rows, C)
};

static const mlm_names *names_of(ebm_family family)
{
    static const mlm_names bert = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm",
                                   "cls.predictions.bias"};
    static const mlm_names roberta = {"lm_head.dense", "lm_head.layer_norm", "lm_head.bias"};
    static const mlm_names distilbert = {"vocab_transform", "vocab_layer_norm", "vocab_projector.bias"};
    switch (family) {
    case EBM_FAMILY_BERT:
        return &bert;
    case EBM_FAMILY_ROBERTA:
    case EBM_FAMILY_XLM_ROBERTA:
        return &roberta;
    case EBM_FAMILY_DISTILBERT:
        return &distilbert;
    default:
        return NULL;
    }
}

static ebm_status check(const ebm_config *config, size_t rows, size_t vocabulary)
{
    const ebm_family_traits *traits = ebm_family_traits_of(config->family);
    if (!names_of(config->family))
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "model type %s: only bert, roberta, xlm-roberta and distilbert have a masked-language-model "
                        "head here",
                        traits->type);
    if (config->source && json_is_false(json_object_get(config->source, "tie_word_embeddings")))
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "tie_word_embeddings is false: a masked-language-model head with a decoder of its own is not "
                        "supported");
    if (rows == 0 || vocabulary == 0 || vocabulary > config->vocabulary)
        return ebm_fail(EBM_ERROR_INPUT, "a masked-language-model head of %zu rows, %zu tokens of %zu", rows,
                        vocabulary, config->vocabulary);
    return ebm_ok();
}

static void plan(ebm_mlm_head *h, ebm_arena *arena)
{
    ebm_slice *const wide[] = {&h->input, &h->hidden, &h->active, &h->normed};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) ebm_arena_reserve(arena, wide[i], h->rows * h->C);
    ebm_arena_reserve(arena, &h->mean, h->rows);
    ebm_arena_reserve(arena, &h->rstd, h->rows);
    ebm_arena_reserve(arena, &h->logits, h->rows * h->V);
}

static ebm_status find_word(ebm_mlm_head *h, const ebm_config *config)
{
    const ebm_family_names *names = &ebm_family_traits_of(config->family)->names;
    char name[128];
    snprintf(name, sizeof name, "%s%s.weight", names->prefix, names->word);
    const ebm_parameter *word = ebm_parameters_find(h->parameters, name);
    if (!word || word->first != 0 || word->columns != h->C)
        return ebm_fail(EBM_ERROR_INPUT, "the encoder has no %s to predict tokens with", name);
    h->word = word->tensor;
    return ebm_ok();
}

static ebm_status reserve(const ebm_mlm_head *h, ebm_gemm_form form, size_t m, size_t n, size_t k)
{
    return ebm_gemm_reserve(h->device, form, m, n, k, form == EBM_GEMM_TN);
}

ebm_status ebm_mlm_head_create(ebm_device *device, const ebm_config *config, ebm_parameters *p, ebm_arena *arena,
                               size_t rows, size_t vocabulary, ebm_mlm_head **out)
{
    *out = NULL;
    EBM_TRY(check(config, rows, vocabulary));
    ebm_mlm_head *h = calloc(1, sizeof *h);
    if (!h) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a masked-language-model head");
    h->device = device;
    h->parameters = p;
    h->names = *names_of(config->family);
    h->C = config->hidden;
    h->V = vocabulary;
    h->rows = rows;
    const ebm_status status = find_word(h, config);
    if (status.code != EBM_OK) {
        ebm_mlm_head_free(h);
        return status;
    }
    h->dense = ebm_linear_create(p, h->C, h->C, true, &h->names.dense, 1);
    h->norm = ebm_norm_create(p, h->C, config->layer_norm_eps, true, h->names.norm);
    h->bias = ebm_parameters_tensor(p, config->vocabulary, false);
    ebm_parameters_name(p, h->bias, 0, 0, config->vocabulary, EBM_INIT_ZERO, "%s", h->names.bias);
    plan(h, arena);
    *out = h;
    EBM_TRY(reserve(h, EBM_GEMM_NT, rows, h->C, h->C));
    return reserve(h, EBM_GEMM_NT, rows, h->V, h->C);
}

void ebm_mlm_head_free(ebm_mlm_head *h) { free(h); }

ebm_status ebm_mlm_head_loaded(ebm_mlm_head *h, const ebm_safetensors *file)
{
    char names[5][128];
    snprintf(names[0], sizeof *names, "%s.weight", h->names.dense);
    snprintf(names[1], sizeof *names, "%s.bias", h->names.dense);
    snprintf(names[2], sizeof *names, "%s.weight", h->names.norm);
    snprintf(names[3], sizeof *names, "%s.bias", h->names.norm);
    snprintf(names[4], sizeof *names, "%s", h->names.bias);
    for (size_t i = 0; i < 5; i++) {
        const ebm_parameter *p = ebm_parameters_find(h->parameters, names[i]);
        if (p && p->loaded) continue;
        return ebm_fail(EBM_ERROR_INPUT, "%s: no masked-language-model head, tensor %s is missing",
                        ebm_safetensors_path(file), names[i]);
    }
    return ebm_ok();
}

// Gathering rows is looking vectors up in a table that is the encoder's output.
static ebm_status gather(ebm_mlm_head *h, ebm_slice hidden, ebm_slice places, size_t count)
{
    const ebm_slice none = {0};
    const ebm_batch rows = {.sequences = count, .tokens = count, .longest = 1, .ids = places};
    return ebm_embedding_forward(h->device, h->input, &rows, hidden, none, none, h->C);
}

ebm_status ebm_mlm_head_forward(ebm_mlm_head *h, ebm_slice hidden, ebm_slice places, size_t count)
{
    if (count > h->rows)
        return ebm_fail(EBM_ERROR_INPUT, "%zu masked positions, planned are %zu at a time", count, h->rows);
    EBM_TRY(gather(h, hidden, places, count));
    EBM_TRY(ebm_linear_forward(h->device, &h->dense, h->hidden, h->input, count));
    EBM_TRY(ebm_gelu_forward(h->device, h->active, h->hidden, EBM_GELU_ERF, count, h->C));
    EBM_TRY(ebm_norm_forward(h->device, &h->norm, h->normed, h->mean, h->rstd, h->active, count));
    const ebm_slice bias = {h->bias->weight.memory, h->V}; // of the tokens that have logits
    return ebm_gemm(h->device, EBM_GEMM_NT, count, h->V, h->C, ebm_matrix_of(h->normed, h->C),
                    ebm_matrix_of(h->word->weight, h->C), 0, ebm_matrix_of(h->logits, h->V), bias);
}

ebm_status ebm_mlm_head_plan_backward(ebm_mlm_head *h, ebm_arena *arena)
{
    const size_t widest = 2 * h->C > h->V ? 2 * h->C : h->V;
    ebm_arena_reserve(arena, &h->d_normed, h->rows * h->C);
    ebm_arena_reserve(arena, &h->column_scratch, EBM_COLUMN_SLABS * widest);
    EBM_TRY(reserve(h, EBM_GEMM_TN, h->V, h->C, h->rows));
    EBM_TRY(reserve(h, EBM_GEMM_NN, h->rows, h->C, h->V));
    EBM_TRY(reserve(h, EBM_GEMM_TN, h->C, h->C, h->rows));
    return reserve(h, EBM_GEMM_NN, h->rows, h->C, h->C);
}

// Through the product over the vocabulary, into d_normed.
static ebm_status decode_backward(ebm_mlm_head *h, size_t count)
{
    const ebm_slice none = {0};
    const ebm_matrix d = ebm_matrix_of(h->logits, h->V), word = ebm_matrix_of(h->word->weight, h->C);
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_TN, h->V, h->C, count, d, ebm_matrix_of(h->normed, h->C), 1,
                     ebm_matrix_of(h->word->gradient, h->C), none));
    EBM_TRY(ebm_bias_gradient(h->device, h->bias->gradient, h->logits, h->column_scratch, count, h->V));
    return ebm_gemm(h->device, EBM_GEMM_NN, count, h->C, h->V, d, word, 0, ebm_matrix_of(h->d_normed, h->C), none);
}

ebm_status ebm_mlm_head_backward(ebm_mlm_head *h, ebm_slice d_rows, size_t first, size_t count)
{
    const ebm_slice none = {0}, d = h->d_normed;
    const ebm_matrix ds = ebm_matrix_of(d, h->C), out = {d_rows, first * h->C, h->C};
    EBM_TRY(decode_backward(h, count));
    EBM_TRY(ebm_norm_backward(h->device, &h->norm, d, d, h->active, h->mean, h->rstd, h->column_scratch, count));
    EBM_TRY(ebm_gelu_backward(h->device, d, none, d, h->hidden, EBM_GELU_ERF, count, h->C));
    EBM_TRY(ebm_gemm(h->device, EBM_GEMM_TN, h->C, h->C, count, ds, ebm_matrix_of(h->input, h->C), 1,
                     ebm_matrix_of(h->dense.weight->gradient, h->C), none));
    EBM_TRY(ebm_bias_gradient(h->device, h->dense.bias->gradient, d, h->column_scratch, count, h->C));
    return ebm_gemm(h->device, EBM_GEMM_NN, count, h->C, h->C, ds, ebm_matrix_of(h->dense.weight->weight, h->C), 0, out,
                    none);
}

ebm_slice ebm_mlm_head_logits(const ebm_mlm_head *h) { return h->logits; }
