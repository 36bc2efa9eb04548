// The training step on tiny models with dropout: finite differences, token budget, same seed same bits.
#include <math.h>

#include "slopes.h"
#include "tiny_classifier.h"

static double step_loss(void *model)
{
    const ebm_run run = {true, 21, 4};
    return tiny_gradients(model, &run).loss;
}

// ReLU has no slope at 0: half of its inputs far above, half far below, so that no step crosses it.
static void avoid_kinks(tiny *t)
{
    const ebm_parameter *bias = ebm_parameters_find(t->parameters, "pre_classifier.bias");
    if (!bias) return;
    for (size_t i = 0; i < bias->columns; i++) {
        const float value = i % 2 ? 10.0f : -10.0f;
        assert_ok(ebm_slice_write(device, bias->tensor->weight, bias->first + i, 1, &value));
    }
}

static void check_slopes(const tiny_settings *settings)
{
    tiny t;
    tiny_open(&t, settings);
    avoid_kinks(&t);
    const size_t checked = assert_slopes(t.parameters, step_loss, &t);
    assert_true(checked + 4 >= ebm_parameters_count(t.parameters)); // the two keys' biases, and little else
    tiny_free(&t);
}

static void test_slopes_of_bert(void **state)
{
    check_slopes(&(tiny_settings){
        .family = "bert", .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 8, .dropout = 0.1f});
}

static void test_slopes_of_roberta(void **state)
{
    check_slopes(&(tiny_settings){.family = "roberta",
                                  .joint = true,
                                  .energy = EBM_ENERGY_SCALAR,
                                  .noise_ratio = 1,
                                  .nce_data = EBM_NCE_SHARED,
                                  .dropout = 0.1f});
}

static void test_slopes_of_distilbert(void **state)
{
    check_slopes(&(tiny_settings){.family = "distilbert", .noise_ratio = 1, .dropout = 0.1f});
}

static void test_slopes_of_electra(void **state)
{
    check_slopes(&(tiny_settings){
        .family = "electra", .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 1, .dropout = 0.1f});
}

static void test_slopes_of_modernbert(void **state)
{
    check_slopes(&(tiny_settings){
        .family = "modernbert-biased", .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 1, .dropout = 0.1f});
}

// Masks are keyed by the token's number in the step, so cutting the step changes the order of sums and nothing else:
// the tolerances of test_classifier.c, where the yardstick is a run in another order as well.
static void check_split(const char *family, size_t tokens, size_t batches, float dropout)
{
    tiny_settings settings = {
        .family = family, .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 8, .dropout = dropout};
    const ebm_run run = {true, 33, 2};
    tiny whole, cut;
    tiny_open(&whole, &settings);
    settings.tokens = tokens;
    tiny_open(&cut, &settings);
    const ebm_step_result a = tiny_gradients(&whole, &run), b = tiny_gradients(&cut, &run);
    assert_int_equal(a.batches, 1);
    assert_int_equal(b.batches, batches);
    assert_int_equal(a.tokens, TINY_TOKENS);
    assert_int_equal(b.tokens, TINY_TOKENS);
    assert_near_one("loss", b.loss, a.loss, 8 * 1.1e-6);
    assert_near_one("correct", b.sums.correct, a.sums.correct, 0);
    assert_near_one("noise told apart", b.sums.noise_apart, a.sums.noise_apart, 0);
    snapshot all = snapshot_take(whole.parameters, EBM_PART_GRADIENT);
    snapshot parts = snapshot_take(cut.parameters, EBM_PART_GRADIENT);
    assert_near_snapshot(&parts, &all, 8 * 1.2e-5);
    snapshot_free(&all);
    snapshot_free(&parts);
    tiny_free(&whole);
    tiny_free(&cut);
}

static void test_budget(void **state)
{
    for (size_t f = 0; f < TINY_FAMILY_COUNT; f++)
        for (int dropout = 0; dropout < 2; dropout++) {
            check_split(TINY_FAMILIES[f], 20, 15, dropout ? 0.1f : 0.0f);
            check_split(TINY_FAMILIES[f], 128, 3, dropout ? 0.1f : 0.0f);
        }
}

// With all texts in one batch `shared` is `separate` with the labelled texts given as data too. The dropout differs
// (the data texts come later in the batch), so it is off.
static void test_shared_is_separate_with_the_same_texts(void **state)
{
    tiny_settings settings = {.family = "bert", .joint = true, .energy = EBM_ENERGY_SHARP_HIDDEN, .noise_ratio = 1};
    const ebm_run run = {true, 1, 0};
    tiny separate, shared;
    tiny_open(&separate, &settings);
    settings.nce_data = EBM_NCE_SHARED;
    tiny_open(&shared, &settings);
    memcpy(separate.rows + TINY_LABELLED, separate.rows, TINY_LABELLED * sizeof *separate.rows);
    const ebm_step_result a = tiny_gradients(&separate, &run), b = tiny_gradients(&shared, &run);
    assert_near_one("loss", b.loss, a.loss, 8 * 1.1e-6);
    assert_true(b.tokens < a.tokens);
    snapshot first = snapshot_take(separate.parameters, EBM_PART_GRADIENT);
    snapshot second = snapshot_take(shared.parameters, EBM_PART_GRADIENT);
    assert_near_snapshot(&second, &first, 8 * 1.2e-5);
    snapshot_free(&first);
    snapshot_free(&second);
    tiny_free(&separate);
    tiny_free(&shared);
}

static void test_same_seed_same_bits(void **state)
{
    snapshot runs[2];
    double losses[2][TRAIN_STEPS];
    tiny t[2];
    for (size_t i = 0; i < 2; i++) {
        tiny_open(&t[i], &(tiny_settings){.family = "bert",
                                          .joint = true,
                                          .energy = EBM_ENERGY_SCALAR,
                                          .noise_ratio = 8,
                                          .tokens = 64,
                                          .dropout = 0.1f});
        tiny_train(&t[i], losses[i], NULL);
        runs[i] = snapshot_take(t[i].parameters, EBM_PART_WEIGHT);
    }
    assert_same_bits(&runs[0], &runs[1]);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    for (size_t i = 0; i < 2; i++) {
        snapshot_free(&runs[i]);
        tiny_free(&t[i]);
    }
}

// Dropout must be drawn anew for another step and another seed, and not at all when it is 0 or the model predicts.
static void test_dropout_moves_with_seed_and_step(void **state)
{
    const ebm_run runs[] = {{true, 1, 0}, {true, 1, 1}, {true, 2, 0}, {false, 1, 0}, {false, 1, 1}};
    double losses[5];
    tiny t;
    tiny_open(&t, &(tiny_settings){.family = "roberta", .noise_ratio = 1, .dropout = 0.1f});
    for (size_t i = 0; i < 5; i++) losses[i] = tiny_gradients(&t, &runs[i]).loss;
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 4; j++)
            if (i != j) assert_true(fabs(losses[i] - losses[j]) > 1e-4);
    assert_true(memcmp(&losses[3], &losses[4], sizeof losses[3]) == 0);
    tiny_free(&t);
}

static void test_nonfinite(void **state)
{
    tiny t;
    ebm_step_result result;
    const ebm_run run = {true, 1, 0};
    const float infinite = INFINITY;
    tiny_open(&t, &(tiny_settings){.family = "bert", .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 1});
    const ebm_parameter *bias = ebm_parameters_find(t.parameters, "classifier.bias");
    assert_ok(ebm_slice_write(device, bias->tensor->weight, bias->first + 1, 1, &infinite));
    const ebm_step_texts texts = tiny_texts(&t);
    assert_fails(ebm_step_gradients(t.step, &texts, &run, &result), EBM_ERROR_NONFINITE, "not finite");
    tiny_free(&t);
}

// "<...>layer.<one digit>.<down>.weight" and ".bias"
static bool is_down(const char *name, const char *down)
{
    const char *layer = strstr(name, "layer.");
    return layer && strncmp(layer + strlen("layer.0."), down, strlen(down)) == 0;
}

static void zero_output_of_inner(tiny *t, const char *down)
{
    size_t found = 0;
    for (size_t i = 0; i < ebm_parameters_count(t->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(t->parameters, i);
        if (!is_down(p->name, down)) continue;
        assert_ok(ebm_slice_zero(device, p->tensor->weight, p->first, (p->rows ? p->rows : 1) * p->columns));
        found++;
    }
    assert_int_equal(found, 4); // weight and bias of two layers
}

// With nothing coming out of the feed-forward part, the hidden dropout is seen after attention or not at all.
static bool drops_after_attention(const char *family, const char *down)
{
    const ebm_run run = {true, 3, 1};
    double losses[2];
    tiny t;
    tiny_open(&t, &(tiny_settings){.family = family, .noise_ratio = 1});
    zero_output_of_inner(&t, down);
    for (int on = 0; on < 2; on++) {
        t.config->hidden_dropout = on ? 0.5f : 0.0f;
        losses[on] = tiny_gradients(&t, &run).loss;
    }
    tiny_free(&t);
    return losses[0] != losses[1];
}

static void test_dropout_after_attention(void **state)
{
    assert_true(drops_after_attention("bert", "output.dense"));
    assert_true(drops_after_attention("electra", "output.dense"));
    assert_false(drops_after_attention("distilbert", "ffn.lin2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slopes_of_bert),
        cmocka_unit_test(test_slopes_of_roberta),
        cmocka_unit_test(test_slopes_of_distilbert),
        cmocka_unit_test(test_slopes_of_electra),
        cmocka_unit_test(test_slopes_of_modernbert),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_shared_is_separate_with_the_same_texts),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_dropout_moves_with_seed_and_step),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_dropout_after_attention),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
