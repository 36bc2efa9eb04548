// GPT-2 against PyTorch: hidden states, loss, gradients by name, ten training steps, cached steps; finite differences.
//
// Tolerances as in test_classifier.c: 8 times what PyTorch's single precision is off (make_model_fixtures.py prints
// it).
#include <math.h>
#include <stdio.h>

#include "slopes.h"
#include "tiny_decoder.h"

static const double OUTPUT_TOLERANCE = 8 * 1.4e-6;   // hidden states and logits: 1.4e-6
static const double LOSS_TOLERANCE = 8 * 3.9e-7;     // mean loss: 3.9e-7
static const double GRADIENT_TOLERANCE = 8 * 6.6e-7; // elements and sums over a tensor, over its norm: 6.6e-7
static const double NORM_TOLERANCE = 8 * 6.6e-7;     // norm of all gradients, about 2: 6.6e-7
static const double CHANGE_TOLERANCE = 8 * 3.2e-5;   // what ten steps changed, sums over its norm: 3.2e-5
static const double WEIGHT_TOLERANCE = 8 * 1.9e-7;   // weights after ten steps, about 1: 1.9e-7

static void test_hidden_states(void **state)
{
    const ebm_run run = {0};
    for (int training = 0; training < 2; training++) { // activations of all layers, or of one at a time
        tiny_decoder t;
        tiny_decoder_open(&t, training, 0);
        const ebm_batch batch = tiny_decoder_pack(&t, 0, LM_ROWS, 0);
        assert_ok(ebm_decoder_forward(t.decoder, &batch, &run));
        float *found = read_floats(ebm_decoder_output(t.decoder), LM_TOKENS * t.config->hidden);
        float *wanted = expected_floats(t.expected, "hidden");
        assert_near("hidden", found, wanted, LM_TOKENS * t.config->hidden, OUTPUT_TOLERANCE);
        free(found);
        free(wanted);
        tiny_decoder_free(&t);
    }
}

static void test_loss_and_gradients(void **state)
{
    const ebm_run run = {true, 1, 0};
    tiny_decoder t;
    tiny_decoder_open(&t, true, 0);
    float *loss = expected_floats(t.expected, "loss"), *wanted = expected_floats(t.expected, "summary");
    // Twice: nothing of the first pass may be left in the second.
    for (int pass = 0; pass < 2; pass++) {
        assert_near_one("loss", tiny_decoder_gradients(&t, &run), (double)loss[1], LOSS_TOLERANCE);
        snapshot gradients = snapshot_take(t.parameters, EBM_PART_GRADIENT);
        assert_gradients(&gradients, t.expected, GRADIENT_TOLERANCE);
        assert_summary("gradients", &gradients, NULL, wanted, GRADIENT_TOLERANCE, NULL);
        snapshot_free(&gradients);
        zero_gradients(t.parameters);
    }
    free(loss);
    free(wanted);
    tiny_decoder_free(&t);
}

static void test_loss_without_gradient(void **state)
{
    const ebm_run run = {0};
    tiny_decoder t;
    tiny_decoder_open(&t, false, 0);
    float *loss = expected_floats(t.expected, "loss");
    const ebm_batch batch = tiny_decoder_pack(&t, 0, LM_ROWS, 0);
    double sum;
    size_t count;
    assert_ok(ebm_decoder_forward(t.decoder, &batch, &run));
    assert_ok(ebm_decoder_loss(t.decoder, &batch, t.targets, 0, false, &sum, &count));
    assert_near_one("sum of losses", sum, (double)loss[0], LOSS_TOLERANCE * (double)count);
    assert_fails(ebm_decoder_loss(t.decoder, &batch, t.targets, count, true, &sum, &count), EBM_ERROR_INPUT,
                 "not planned for training");
    free(loss);
    tiny_decoder_free(&t);
}

// Targets everywhere, and nowhere at all: then there is no gradient, whatever the pass before left behind.
static void test_all_targets_and_none(void **state)
{
    const ebm_run run = {true, 1, 0};
    int32_t all[LM_TOKENS], none[LM_TOKENS];
    double sum;
    size_t count;
    tiny_decoder t;
    tiny_decoder_open(&t, true, 0);
    for (size_t i = 0; i < LM_TOKENS; i++) {
        all[i] = t.ids[i];
        none[i] = -1;
    }
    const ebm_batch batch = tiny_decoder_pack(&t, 0, LM_ROWS, 0);
    assert_ok(ebm_decoder_forward(t.decoder, &batch, &run));
    assert_ok(ebm_decoder_loss(t.decoder, &batch, all, LM_TOKENS, true, &sum, &count));
    assert_int_equal(count, LM_TOKENS);
    assert_true(isfinite(sum) && sum > 0);
    assert_ok(ebm_decoder_backward(t.decoder, &batch, &run));
    zero_gradients(t.parameters);
    assert_ok(ebm_decoder_loss(t.decoder, &batch, none, LM_TOKENS, true, &sum, &count));
    assert_ok(ebm_decoder_backward(t.decoder, &batch, &run));
    assert_int_equal(count, 0);
    assert_true(sum >= 0 && sum <= 0);
    snapshot gradients = snapshot_take(t.parameters, EBM_PART_GRADIENT);
    for (size_t p = 0; p < gradients.count; p++)
        for (size_t i = 0; i < gradients.sizes[p]; i++)
            if (!(fabs((double)gradients.values[p][i]) <= 0)) fail_msg("%s has a gradient", gradients.names[p]);
    snapshot_free(&gradients);
    tiny_decoder_free(&t);
}

// Two batches of one step, with dropout: masks are keyed by the token's number, so only the order of sums changes.
static void test_split_step(void **state)
{
    const ebm_run run = {true, 17, 3};
    tiny_decoder whole, parts;
    tiny_decoder_open(&whole, true, 0.1f);
    tiny_decoder_open(&parts, true, 0.1f);
    const double mean = tiny_decoder_gradients(&whole, &run);
    double sum = 0, part;
    size_t total = 0, count;
    for (size_t i = 0; i < LM_TOKENS; i++) total += parts.targets[i] >= 0;
    for (size_t first = 0; first < LM_ROWS; first += LM_ROWS / 2) {
        const size_t start = parts.starts[first];
        const ebm_batch batch = tiny_decoder_pack(&parts, first, LM_ROWS / 2, start);
        assert_ok(ebm_decoder_forward(parts.decoder, &batch, &run));
        assert_ok(ebm_decoder_loss(parts.decoder, &batch, parts.targets + start, total, true, &part, &count));
        assert_ok(ebm_decoder_backward(parts.decoder, &batch, &run));
        sum += part;
    }
    assert_near_one("loss", sum / (double)total, mean, LOSS_TOLERANCE);
    snapshot a = snapshot_take(whole.parameters, EBM_PART_GRADIENT);
    snapshot b = snapshot_take(parts.parameters, EBM_PART_GRADIENT);
    assert_near_snapshot(&b, &a, GRADIENT_TOLERANCE);
    snapshot_free(&a);
    snapshot_free(&b);
    tiny_decoder_free(&whole);
    tiny_decoder_free(&parts);
}

static double lm_loss(void *model)
{
    const ebm_run run = {true, 8, 2};
    return tiny_decoder_gradients(model, &run);
}

static void test_slopes(void **state)
{
    tiny_decoder t;
    tiny_decoder_open(&t, true, 0.1f);
    const size_t checked = assert_slopes(t.parameters, lm_loss, &t);
    assert_true(checked + 2 >= ebm_parameters_count(t.parameters));
    tiny_decoder_free(&t);
}

static void train(tiny_decoder *t, double losses[LM_STEPS], double norms[LM_STEPS])
{
    const ebm_schedule schedule = {2e-3, 3, 12};
    for (uint32_t step = 0; step < LM_STEPS; step++) {
        const ebm_run run = {true, 11, step};
        losses[step] = tiny_decoder_gradients(t, &run);
        assert_ok(ebm_optimizer_step(t->optimizer, ebm_learning_rate_at(&schedule, step), step + 1, true));
        assert_ok(ebm_optimizer_norm(t->optimizer, &norms[step]));
    }
}

// A third of it are biases of keys, whose gradient is 0 but for rounding (see test_classifier.c).
static bool has_key_bias(const char *name) { return strstr(name, "c_attn.bias") != NULL; }

static void test_ten_steps(void **state)
{
    static const char *const watched[] = {"transformer.ln_f.weight", "transformer.h.0.mlp.c_proj.bias"};
    double losses[LM_STEPS], norms[LM_STEPS];
    tiny_decoder t;
    tiny_decoder_open(&t, true, 0);
    snapshot before = snapshot_take(t.parameters, EBM_PART_WEIGHT);
    train(&t, losses, norms);
    snapshot after = snapshot_take(t.parameters, EBM_PART_WEIGHT);
    float *loss = expected_floats(t.expected, "train.losses"), *norm = expected_floats(t.expected, "train.norms");
    float *change = expected_floats(t.expected, "train.summary");
    for (size_t i = 0; i < LM_STEPS; i++) {
        assert_near_one("loss in training", losses[i], (double)loss[i], LOSS_TOLERANCE);
        assert_near_one("norm in training", norms[i], (double)norm[i], NORM_TOLERANCE);
    }
    assert_summary("change", &after, &before, change, CHANGE_TOLERANCE, has_key_bias);
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        const ebm_parameter *p = ebm_parameters_find(t.parameters, watched[i]);
        float *found = read_floats(p->tensor->weight, p->columns);
        float *wanted = expected_floats(t.expected, "train.weight.%s", watched[i]);
        assert_near(watched[i], found, wanted, p->columns, WEIGHT_TOLERANCE);
        free(found);
        free(wanted);
    }
    snapshot_free(&before);
    snapshot_free(&after);
    free(loss);
    free(norm);
    free(change);
    tiny_decoder_free(&t);
}

static void test_same_seed_same_bits(void **state)
{
    double losses[2][LM_STEPS], norms[2][LM_STEPS];
    tiny_decoder t[2];
    snapshot runs[2];
    for (size_t i = 0; i < 2; i++) {
        tiny_decoder_open(&t[i], true, 0.1f);
        train(&t[i], losses[i], norms[i]);
        runs[i] = snapshot_take(t[i].parameters, EBM_PART_WEIGHT);
    }
    assert_same_bits(&runs[0], &runs[1]);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    for (size_t i = 0; i < 2; i++) {
        snapshot_free(&runs[i]);
        tiny_decoder_free(&t[i]);
    }
}

// Text s lies in slot LM_ROWS - 1 - s. The first `given` tokens come through the prefill, the others one at a time.
static void check_cached(tiny_decoder *t, const size_t given[LM_ROWS], const float *wanted)
{
    const size_t V = t->config->vocabulary;
    const int32_t *const ids = t->ids;
    int32_t slots[LM_ROWS], step_ids[LM_ROWS], positions[LM_ROWS];
    size_t prompts = 0;
    ebm_packing_clear(t->packing, 0, 0);
    for (size_t s = 0; s < LM_ROWS; s++) {
        bool fits = true;
        if (given[s] > 0) {
            assert_ok(ebm_packing_add(t->packing, (ebm_sequence){t->rows[s].ids, NULL, given[s]}, &fits));
            slots[prompts++] = (int32_t)(LM_ROWS - 1 - s);
        }
        assert_true(fits);
    }
    if (prompts > 0) {
        ebm_batch batch;
        assert_ok(ebm_packing_send(t->packing, &batch));
        assert_ok(ebm_slice_write(device, t->slot_of, 0, prompts, slots));
        assert_ok(ebm_decoder_prefill(t->decoder, &batch, t->slot_of));
    }
    for (size_t step = 0; step < LM_CAPACITY; step++) {
        for (size_t s = 0; s < LM_ROWS; s++) {
            const size_t at = given[s] + step, slot = LM_ROWS - 1 - s;
            const bool active = at < t->rows[s].count;
            step_ids[slot] = active ? ids[t->starts[s] + at] : 0;
            positions[slot] = active ? (int32_t)at : -1;
        }
        assert_ok(ebm_slice_write(device, t->step_ids, 0, LM_ROWS, step_ids));
        assert_ok(ebm_slice_write(device, t->step_positions, 0, LM_ROWS, positions));
        assert_ok(ebm_decoder_step(t->decoder, t->step_ids, t->step_positions));
        assert_ok(ebm_decoder_step_logits(t->decoder, t->logits));
        float *logits = read_floats(t->logits, LM_ROWS * V);
        for (size_t s = 0; s < LM_ROWS; s++) {
            const size_t slot = LM_ROWS - 1 - s;
            if (positions[slot] >= 0)
                assert_near("cached logits", logits + slot * V, wanted + (t->starts[s] + given[s] + step) * V, V,
                            OUTPUT_TOLERANCE);
        }
        free(logits);
    }
}

static void test_cached_steps(void **state)
{
    for (int training = 0; training < 2; training++) {
        size_t nothing[LM_ROWS] = {0}, half[LM_ROWS], but_one[LM_ROWS];
        tiny_decoder t;
        tiny_decoder_open(&t, training, 0);
        float *wanted = expected_floats(t.expected, "logits");
        for (size_t s = 0; s < LM_ROWS; s++) {
            half[s] = t.rows[s].count / 2;
            but_one[s] = t.rows[s].count - 1;
        }
        check_cached(&t, nothing, wanted);
        check_cached(&t, half, wanted);
        check_cached(&t, but_one, wanted);
        check_cached(&t, nothing, wanted); // what lies behind in the cache is not seen
        free(wanted);
        tiny_decoder_free(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hidden_states),
        cmocka_unit_test(test_loss_and_gradients),
        cmocka_unit_test(test_loss_without_gradient),
        cmocka_unit_test(test_all_targets_and_none),
        cmocka_unit_test(test_split_step),
        cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_ten_steps),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_cached_steps),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
