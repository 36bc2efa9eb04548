// Heads of every form alone: each gradient along its direction against finite differences, dropout on; the gradient of
// the input likewise.
#include <math.h>

#include "head.h"
#include "random.h"
#include "slopes.h"

enum { CHANNELS = 32, OUTPUTS = 3, ROWS = 7 };

typedef struct {
    ebm_parameters *parameters;
    ebm_arena *arena;
    ebm_head *head;
    ebm_slice pooled, d_pooled;
    float input[ROWS * CHANNELS], weights[ROWS * OUTPUTS]; // the loss is the sum of outputs times weights
} bench;

static void draw(float *values, size_t count, uint32_t site)
{
    ebm_random stream = ebm_random_stream(5, 0, site);
    for (size_t i = 0; i < count; i++) values[i] = (float)ebm_random_normal(&stream);
}

// Initial weights of 0.02 would leave nearly nothing of the input.
static void widen(bench *b)
{
    for (size_t i = 0; i < ebm_parameters_count(b->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(b->parameters, i);
        const size_t count = (p->rows ? p->rows : 1) * p->columns;
        float values[CHANNELS * CHANNELS];
        draw(values, count, 100 + (uint32_t)i);
        for (size_t k = 0; k < count; k++) values[k] *= 0.3f;
        if (p->init == EBM_INIT_ONE)
            for (size_t k = 0; k < count; k++) values[k] += 1;
        assert_ok(ebm_slice_write(device, p->tensor->weight, p->first, count, values));
    }
}

// ReLU has no slope at 0: half of its inputs far above, half far below, so that no step crosses it.
static void avoid_kinks(bench *b)
{
    const ebm_parameter *bias = ebm_parameters_find(b->parameters, "d.bias");
    float values[CHANNELS];
    for (size_t i = 0; i < CHANNELS; i++) values[i] = i % 2 ? 8.0f : -8.0f;
    assert_ok(ebm_slice_write(device, bias->tensor->weight, bias->first, CHANNELS, values));
}

static void open_bench(bench *b, const ebm_head_form *form, bool bare)
{
    const ebm_limits limits = {ROWS, ROWS, true};
    const ebm_head_settings settings = {.channels = CHANNELS,
                                        .outputs = OUTPUTS,
                                        .form = *form,
                                        .unbiased = bare,
                                        .unshifted = bare,
                                        .norm_epsilon = 1e-5f,
                                        .dropout = 0.1f,
                                        .site = EBM_SITE_DROPOUT_HEAD};
    *b = (bench){.parameters = ebm_parameters_create(device, true), .arena = ebm_arena_create(device, "test")};
    assert_non_null(b->parameters);
    assert_non_null(b->arena);
    assert_ok(ebm_head_create(device, &settings, b->parameters, b->arena, &limits, &b->head));
    ebm_arena_reserve(b->arena, &b->pooled, ROWS * CHANNELS);
    ebm_arena_reserve(b->arena, &b->d_pooled, ROWS * CHANNELS);
    assert_ok(ebm_parameters_allocate(b->parameters));
    assert_ok(ebm_arena_allocate(b->arena));
    widen(b);
    if (form->activation == EBM_ACTIVATION_RELU) avoid_kinks(b);
    draw(b->input, ROWS * CHANNELS, 1);
    draw(b->weights, ROWS * OUTPUTS, 2);
    for (size_t i = 0; i < ROWS * OUTPUTS; i++) b->weights[i] *= 0.2f;
}

static void close_bench(bench *b)
{
    ebm_head_free(b->head);
    ebm_arena_free(b->arena);
    ebm_parameters_free(b->parameters);
}

static double loss_of(void *model)
{
    bench *b = model;
    const ebm_run run = {true, 3, 8};
    const ebm_batch batch = {.sequences = ROWS, .tokens = ROWS};
    float output[ROWS * OUTPUTS];
    double loss = 0;
    zero_gradients(b->parameters);
    assert_ok(ebm_slice_write(device, b->pooled, 0, ROWS * CHANNELS, b->input));
    assert_ok(ebm_slice_zero(device, b->d_pooled, 0, ROWS * CHANNELS));
    assert_ok(ebm_head_forward(b->head, b->pooled, &batch, &run));
    assert_ok(ebm_slice_read(device, ebm_head_output(b->head), 0, ROWS * OUTPUTS, output));
    assert_ok(ebm_slice_write(device, ebm_head_gradient(b->head), 0, ROWS * OUTPUTS, b->weights));
    assert_ok(ebm_head_backward(b->head, b->d_pooled, &batch, &run));
    for (size_t i = 0; i < ROWS * OUTPUTS; i++) loss += (double)output[i] * (double)b->weights[i];
    return loss;
}

// The input moved along its gradient; tolerance: a thousandth, the rounding of losses (1e-6) over 2 h.
static void check_input(bench *b)
{
    const double h = 1.0 / 256;
    float kept[ROWS * CHANNELS], *gradient, side[2];
    double square = 0, loss[2];
    loss_of(b);
    gradient = read_floats(b->d_pooled, ROWS * CHANNELS);
    memcpy(kept, b->input, sizeof kept);
    for (size_t i = 0; i < ROWS * CHANNELS; i++) square += (double)gradient[i] * (double)gradient[i];
    const double norm = sqrt(square);
    assert_true(norm > 0.1);
    side[0] = (float)(-h / norm), side[1] = (float)(h / norm);
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < ROWS * CHANNELS; i++) b->input[i] = kept[i] + side[s] * gradient[i];
        loss[s] = loss_of(b);
    }
    memcpy(b->input, kept, sizeof kept);
    assert_near_one("the input's slope", (loss[1] - loss[0]) / (2 * h), norm, 3e-3 * norm);
    free(gradient);
}

static void check_form(const ebm_head_form *form, bool bare, size_t parameters)
{
    bench b;
    open_bench(&b, form, bare);
    assert_int_equal(ebm_parameters_count(b.parameters), parameters);
    check_input(&b);
    assert_int_equal(assert_slopes(b.parameters, loss_of, &b), parameters);
    close_bench(&b);
}

static void test_bert(void **state)
{
    check_form(&(ebm_head_form){.dense = "d", .linear = "l", .activation = EBM_ACTIVATION_TANH}, false, 4);
}

static void test_distilbert(void **state)
{
    check_form(&(ebm_head_form){.dense = "d", .linear = "l", .activation = EBM_ACTIVATION_RELU}, false, 4);
}

static void test_electra(void **state)
{
    check_form(&(ebm_head_form){.dense = "d", .linear = "l", .activation = EBM_ACTIVATION_GELU, .dropout_first = true},
               false, 4);
}

static void test_modernbert(void **state)
{
    const ebm_head_form form = {.dense = "d", .norm = "n", .linear = "l", .activation = EBM_ACTIVATION_GELU};
    check_form(&form, true, 4);
    check_form(&form, false, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bert),
        cmocka_unit_test(test_distilbert),
        cmocka_unit_test(test_electra),
        cmocka_unit_test(test_modernbert),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
