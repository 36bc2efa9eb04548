// Whole encoders with their activations stored as halves, against the same in float: forward has the same bits, the
// gradients are near, memory falls as half.h says, and what a half cannot hold never passes for a gradient.
#include <math.h>
#include <string.h>

#include "encoder.h"
#include "half.h"
#include "tiny_classifier.h"

// Of each stored activation a rounding of at most 2^-11 of it goes into the gradients, five a layer. To first order
// they add up over the layers of the tiny models (two) and their embeddings; a LayerNorm's input may lose more, by its
// mean over its deviation, and a softmax by the size of its scores. Both are of the order of 1 here: twice the sum.
#define ROUNDING (1.0 / 2048)
static const double ALLOWED = 2 * (2 * 5 + 1) * ROUNDING;

static tiny_settings joint(const char *family)
{
    return (tiny_settings){
        .family = family, .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 8, .dropout = 0.1f};
}

// The distance of two gradients of a parameter over the larger of the expected one's norm and a tenth of the largest:
// those of the keys' biases are 0 but for rounding.
static double worst_distance(const snapshot *found, const snapshot *expected, const char **name)
{
    double largest = 0, worst = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t p = 0; p < expected->count; p++) {
            double norm = 0, distance = 0;
            for (size_t i = 0; i < expected->sizes[p]; i++) {
                const double e = (double)expected->values[p][i], d = (double)found->values[p][i] - e;
                norm += e * e;
                distance += d * d;
            }
            if (pass == 0) largest = fmax(largest, norm);
            const double relative = sqrt(distance / fmax(norm, 1e-2 * largest));
            if (pass == 0 || relative <= worst) continue; // NaN is not less or equal
            worst = relative;
            *name = expected->names[p];
        }
    return worst;
}

static void assert_same_logits(const tiny *a, const tiny *b)
{
    const size_t count = TINY_ROWS * a->config->label_count;
    float *first = read_floats(ebm_classifier_logits(a->classifier), count);
    float *second = read_floats(ebm_classifier_logits(b->classifier), count);
    assert_memory_equal(first, second, count * sizeof *first);
    free(first);
    free(second);
}

static void check_family(tiny_settings settings)
{
    const ebm_run run = {true, 21, 4};
    const char *name = "";
    tiny whole, halves;
    tiny_open(&whole, &settings);
    settings.fp16_activations = true;
    tiny_open(&halves, &settings);
    const ebm_step_result a = tiny_gradients(&whole, &run), b = tiny_gradients(&halves, &run);
    assert_true(a.loss == b.loss && a.mlm == b.mlm && a.hidden_norm == b.hidden_norm);
    if (!(settings.mlm_weight > 0)) assert_same_logits(&whole, &halves);
    snapshot expected = snapshot_take(whole.parameters, EBM_PART_GRADIENT);
    snapshot found = snapshot_take(halves.parameters, EBM_PART_GRADIENT);
    const double worst = worst_distance(&found, &expected, &name);
    if (!(worst <= ALLOWED)) fail_msg("%s: %s is off by %g, allowed %g", settings.family, name, worst, ALLOWED);
    assert_true(worst > ROUNDING / 100); // or nothing was rounded
    snapshot_free(&expected);
    snapshot_free(&found);
    tiny_free(&whole);
    tiny_free(&halves);
}

static void gradients_are_near(void **state)
{
    for (size_t f = 0; f < TINY_FAMILY_COUNT; f++) check_family(joint(TINY_FAMILIES[f]));
    tiny_settings settings = joint("bert"); // texts so short that the last layer keeps keys and values
    settings.shortened = true;
    check_family(settings);
    settings = joint("roberta");
    settings.mlm_weight = 0.5f; // passes of their own through the same encoder
    settings.hidden_norm_weight = 0.1f;
    check_family(settings);
    check_family((tiny_settings){
        .family = "bert", .noise_ratio = 1, .dropout = 0.1f, .tokens = 20, .mixup = {0.4f, EBM_MIXUP_RANDOM}});
}

// The layout of buffers must not depend on where a step is cut: only the order of sums may (test_classifier_step.c).
static void a_step_may_be_cut(void **state)
{
    static const char *const families[] = {"bert", "electra", "modernbert-biased"};
    const ebm_run run = {true, 33, 2};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        tiny_settings settings = joint(families[f]);
        tiny whole, cut;
        settings.fp16_activations = true;
        tiny_open(&whole, &settings);
        settings.tokens = 20;
        tiny_open(&cut, &settings);
        assert_int_equal(tiny_gradients(&whole, &run).batches, 1);
        assert_int_equal(tiny_gradients(&cut, &run).batches, 15);
        snapshot all = snapshot_take(whole.parameters, EBM_PART_GRADIENT);
        snapshot parts = snapshot_take(cut.parameters, EBM_PART_GRADIENT);
        const char *name = "";
        // Products of other sizes sum in another order; where that moves an activation across a tie its half moves by
        // one step, which few do.
        const double worst = worst_distance(&parts, &all, &name);
        if (!(worst <= ROUNDING)) fail_msg("%s: %s is off by %g", families[f], name, worst);
        snapshot_free(&all);
        snapshot_free(&parts);
        tiny_free(&whole);
        tiny_free(&cut);
    }
}

// At any scale the gradients are near, or the norm says that they are not finite: an activation that no half can hold
// is never passed over. The largest activations of the tiny models are of the order of 1, so both happen.
static void overflow_shows_in_the_norm(void **state)
{
    static const char *const families[] = {"bert", "electra", "modernbert-biased"};
    const ebm_run run = {true, 21, 4};
    const char *name = "";
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        tiny_settings settings = joint(families[f]);
        tiny whole, t;
        size_t near = 0, overflows = 0;
        double norm;
        tiny_open(&whole, &settings);
        settings.fp16_activations = true;
        tiny_open(&t, &settings);
        tiny_gradients(&whole, &run);
        snapshot expected = snapshot_take(whole.parameters, EBM_PART_GRADIENT);
        for (int power = -4; power <= 24; power += power < 10 ? 7 : 2) {
            zero_gradients(t.parameters);
            ebm_classifier_set_half_scale(t.classifier, ldexpf(1, power));
            tiny_gradients(&t, &run);
            assert_ok(ebm_optimizer_measure(t.optimizer));
            const ebm_status status = ebm_optimizer_norm(t.optimizer, &norm);
            if (status.code != EBM_OK) {
                assert_fails(status, EBM_ERROR_NONFINITE, "is not finite");
                overflows++;
                continue;
            }
            assert_int_equal(overflows, 0); // once too large, too large from there on
            snapshot found = snapshot_take(t.parameters, EBM_PART_GRADIENT);
            const double worst = worst_distance(&found, &expected, &name);
            if (!(worst <= ALLOWED)) fail_msg("%s at 2^%d: %s is off by %g", settings.family, power, name, worst);
            near++;
            snapshot_free(&found);
        }
        assert_true(near >= 3 && overflows >= 3);
        snapshot_free(&expected);
        tiny_free(&whole);
        tiny_free(&t);
    }
}

// After steps without training the encoder kept nothing, and says so.
static void backward_needs_what_was_kept(void **state)
{
    tiny_settings settings = joint("bert");
    ebm_batch batch;
    bool fits;
    tiny t;
    settings.fp16_activations = true;
    tiny_open(&t, &settings);
    ebm_packing_clear(ebm_step_packing(t.step), 0, 0);
    assert_ok(ebm_packing_add(ebm_step_packing(t.step), t.rows[0], &fits));
    assert_ok(ebm_packing_send(ebm_step_packing(t.step), &batch));
    assert_ok(ebm_classifier_forward(t.classifier, &batch, &(ebm_run){0}));
    assert_fails(ebm_classifier_backward(t.classifier, &batch, &(ebm_run){0}), EBM_ERROR_INPUT, "did not train");
    assert_ok(ebm_classifier_forward(t.classifier, &batch, &(ebm_run){true, 1, 0}));
    assert_ok(ebm_classifier_backward(t.classifier, &batch, &(ebm_run){true, 1, 0}));
    tiny_free(&t);
}

// Floats a token that an encoder of these sizes plans, without what does not grow with the tokens.
static double planned(const char *family, const ebm_config *sizes, bool half, double *layers)
{
    const ebm_limits limits = {2048, 16, true}, more = {4096, 16, true};
    double bytes[2];
    ebm_config *config;
    assert_ok(ebm_config_load(model_folder(family), &config));
    config->hidden = config->embedding = sizes->hidden;
    config->intermediate = sizes->intermediate;
    config->heads = sizes->heads;
    *layers = (double)config->layers;
    for (size_t i = 0; i < 2; i++) {
        ebm_parameters *parameters = ebm_parameters_create(device, true);
        ebm_encoder *encoder;
        assert_ok(ebm_encoder_create(device, config, parameters, i ? &more : &limits, half, &encoder));
        bytes[i] = (double)ebm_arena_bytes(ebm_encoder_arena(encoder));
        ebm_encoder_free(encoder);
        ebm_parameters_free(parameters);
    }
    ebm_config_free(config);
    return (bytes[1] - bytes[0]) / 2048 / 4;
}

// What half.h says: float 12CL + 16C, half 5CL + 13C; ModernBERT 11CL + 15C and 4.5CL + 15C (with 2F = 3C); beside
// these only a few floats a token and head.
static void memory_falls_as_predicted(void **state)
{
    const ebm_config base = {.hidden = 768, .intermediate = 3072, .heads = 12};
    const ebm_config modern = {.hidden = 768, .intermediate = 1152, .heads = 12};
    double L;
    for (int half = 0; half < 2; half++) {
        const double post = planned("roberta", &base, half, &L) / 768;
        assert_near_one("roberta", post, half ? 5 * L + 13 : 12 * L + 16, 0.05 * L);
        const double pre = planned("modernbert", &modern, half, &L) / 768;
        assert_near_one("modernbert", pre, half ? 4.5 * L + 15 : 11 * L + 15, 0.05 * L);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_near),         cmocka_unit_test(a_step_may_be_cut),
        cmocka_unit_test(overflow_shows_in_the_norm), cmocka_unit_test(backward_needs_what_was_kept),
        cmocka_unit_test(memory_falls_as_predicted),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
