#include "products.h"

#include "attention_first.h"
#include "decoder_internal.h"
#include "sizes.h"

enum { LOSS_ROWS = EBM_DECODER_LOSS_ROWS };

typedef struct {
    ebm_model_product *items;
    size_t count;
} product_list;

static void add(product_list *list, const char *name, ebm_gemm_form form, size_t m, size_t n, size_t k, size_t times)
{
    if (m == 0 || k == 0 || times == 0) return;
    list->items[list->count++] = (ebm_model_product){name, form, m, n, k, form == EBM_GEMM_TN, times};
}

// ebm_linear_forward and ebm_linear_backward: weights (outputs, inputs).
static void add_linear(product_list *list, const char *name, size_t rows, size_t outputs, size_t inputs, size_t times)
{
    add(list, name, EBM_GEMM_NT, rows, outputs, inputs, times);
    add(list, name, EBM_GEMM_TN, outputs, inputs, rows, times);
    add(list, name, EBM_GEMM_NN, rows, inputs, outputs, times);
}

// GPT-2's Conv1D: weights (inputs, outputs).
static void add_conv(product_list *list, const char *name, size_t rows, size_t outputs, size_t inputs, size_t times)
{
    add(list, name, EBM_GEMM_NN, rows, outputs, inputs, times);
    add(list, name, EBM_GEMM_TN, inputs, outputs, rows, times);
    add(list, name, EBM_GEMM_NT, rows, inputs, outputs, times);
}

// What comes behind a layer's attention.
static void add_behind(product_list *list, const char *const names[3], const ebm_config *c, size_t rows, size_t times)
{
    const size_t C = c->hidden, F = c->intermediate, gates = c->family == EBM_FAMILY_MODERNBERT ? 2 : 1;
    add_linear(list, names[0], rows, C, C, times);
    add_linear(list, names[1], rows, gates * F, C, times);
    add_linear(list, names[2], rows, C, F, times);
}

// As encoder_post_norm.c does it: then the last layer makes queries alone, and those of first tokens.
static bool folds(const ebm_config *c, size_t tokens, size_t sequences)
{
    return c->family != EBM_FAMILY_MODERNBERT && sequences <= ebm_attention_first_most(c->heads, tokens);
}

// narrows: of the last layer's output only the vectors of first tokens are made.
static void add_encoder(product_list *list, const ebm_config *c, size_t tokens, size_t sequences, bool narrows)
{
    static const char *const ALL[] = {"attention output", "up", "down"};
    static const char *const LAST[] = {"last attention output", "last up", "last down"};
    const size_t C = c->hidden, whole = narrows ? c->layers - 1 : c->layers;
    if (c->embedding != C) add_linear(list, "embedding projection", tokens, C, c->embedding, 1);
    const size_t folded = narrows && folds(c, tokens, sequences);
    add_linear(list, "qkv", tokens, 3 * C, C, c->layers - folded);
    add_linear(list, "last query", sequences, C, C, folded);
    add_behind(list, ALL, c, tokens, whole);
    add_behind(list, LAST, c, sequences, c->layers - whole);
    add_linear(list, "head, dense", sequences, C, C, 1);
    add_linear(list, "head, logits", sequences, c->label_count, C, 1);
}

static void add_decoder(product_list *list, const ebm_config *c, size_t tokens)
{
    const size_t C = c->hidden, F = c->intermediate;
    add_conv(list, "qkv", tokens, 3 * C, C, c->layers);
    add_conv(list, "attention output", tokens, C, C, c->layers);
    add_conv(list, "up", tokens, F, C, c->layers);
    add_conv(list, "down", tokens, C, F, c->layers);
    add_linear(list, "vocabulary", LOSS_ROWS, c->vocabulary, C, tokens / LOSS_ROWS);
    add_linear(list, "vocabulary, rest", tokens % LOSS_ROWS, c->vocabulary, C, 1);
}

static size_t products_of(const ebm_config *config, size_t tokens, size_t sequences, bool narrows,
                          ebm_model_product items[EBM_MODEL_PRODUCTS])
{
    product_list list = {items, 0};
    if (config->family == EBM_FAMILY_GPT2)
        add_decoder(&list, config, tokens);
    else
        add_encoder(&list, config, tokens, sequences, narrows);
    return list.count;
}

size_t ebm_model_products(const ebm_config *config, size_t tokens, size_t sequences,
                          ebm_model_product items[EBM_MODEL_PRODUCTS])
{
    return products_of(config, tokens, sequences, config->pooling != EBM_POOLING_MEAN, items);
}

size_t ebm_model_generation_products(const ebm_config *c, size_t slots, ebm_model_product items[EBM_MODEL_PRODUCTS])
{
    product_list list = {items, 0};
    if (c->family != EBM_FAMILY_GPT2) return 0;
    add(&list, "generation, qkv", EBM_GEMM_NN, slots, 3 * c->hidden, c->hidden, c->layers);
    add(&list, "generation, attention output", EBM_GEMM_NN, slots, c->hidden, c->hidden, c->layers);
    add(&list, "generation, up", EBM_GEMM_NN, slots, c->intermediate, c->hidden, c->layers);
    add(&list, "generation, down", EBM_GEMM_NN, slots, c->hidden, c->intermediate, c->layers);
    add(&list, "generation, vocabulary", EBM_GEMM_NT, slots, c->vocabulary, c->hidden, 1);
    return list.count;
}

static ebm_status check_rows(const ebm_config *c, size_t rows)
{
    const size_t gates = c->family == EBM_FAMILY_MODERNBERT ? 2 : 1;
    const size_t widest = 3 * c->hidden > gates * c->intermediate ? 3 * c->hidden : gates * c->intermediate;
    if (ebm_fits_matrix(rows, widest)) return ebm_ok();
    return ebm_fail(EBM_ERROR_MEMORY, "%zu rows of %zu elements are more than a program of this system can take", rows,
                    widest);
}

static ebm_status reserve(ebm_device *device, const ebm_model_product *p)
{
    return ebm_gemm_reserve(device, p->form, p->m, p->n, p->k, p->adds);
}

// Of a layer's three products the first one is the forward pass.
static bool is_forward(size_t i) { return i % 3 == 0; }

ebm_status ebm_model_reserve(ebm_device *device, const ebm_config *config, size_t tokens, size_t sequences,
                             bool training)
{
    ebm_model_product list[EBM_MODEL_PRODUCTS];
    EBM_TRY(check_rows(config, tokens));
    // Masked language modelling takes all rows through the last layer too.
    const size_t count = products_of(config, tokens, sequences, false, list);
    for (size_t i = 0; i < count; i++)
        if (training || is_forward(i)) EBM_TRY(reserve(device, &list[i]));
    return ebm_ok();
}

ebm_status ebm_model_reserve_generation(ebm_device *device, const ebm_config *config, size_t slots)
{
    ebm_model_product list[EBM_MODEL_PRODUCTS];
    const size_t count = ebm_model_generation_products(config, slots, list);
    for (size_t i = 0; i < count; i++) EBM_TRY(reserve(device, &list[i]));
    return ebm_ok();
}

double ebm_model_product_flops(const ebm_model_product *p) { return 2.0 * (double)p->m * (double)p->n * (double)p->k; }
