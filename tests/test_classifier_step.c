// The training step on tiny models with dropout: finite differences, token budget, same seed same bits.
#include <math.h>

#include "slopes.h"
#include "slow_form.h"
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
    skip_in_slow_form(device);
    check_slopes(&(tiny_settings){.family = "roberta",
                                  .joint = true,
                                  .energy = EBM_ENERGY_SCALAR,
                                  .noise_ratio = 1,
                                  .nce_data = EBM_NCE_SHARED,
                                  .dropout = 0.1f});
}

static void test_slopes_of_distilbert(void **state)
{
    skip_in_slow_form(device);
    check_slopes(&(tiny_settings){.family = "distilbert", .noise_ratio = 1, .dropout = 0.1f});
}

static void test_slopes_of_electra(void **state)
{
    skip_in_slow_form(device);
    check_slopes(&(tiny_settings){
        .family = "electra", .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 1, .dropout = 0.1f});
}

static void test_slopes_of_modernbert(void **state)
{
    check_slopes(&(tiny_settings){
        .family = "modernbert-biased", .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 1, .dropout = 0.1f});
}

static const uint8_t HARD[TINY_LABELLED] = {0, 1, 0};
static const ebm_mixup RANDOM = {0.4f, EBM_MIXUP_RANDOM}, AUM = {0.4f, EBM_MIXUP_AUM};

// Through the mixing into the encoder, from every batch of a step that is cut; the slow form has one of them.
static void test_slopes_of_mixup(void **state)
{
    tiny_settings settings = {
        .family = "distilbert", .noise_ratio = 1, .dropout = 0.1f, .tokens = 20, .mixup = AUM, .hard = HARD};
    check_slopes(&settings);
    settings.mixup = RANDOM;
    if (!is_slow_form(device)) check_slopes(&settings);
}

// Masks are keyed by the token's number in the step, so cutting the step changes the order of sums and nothing else:
// the tolerances of test_classifier.c, where the yardstick is a run in another order as well.
static void check_split_of(tiny_settings settings, size_t tokens, size_t whole_batches, size_t batches)
{
    const ebm_run run = {true, 33, 2};
    tiny whole, cut;
    tiny_open(&whole, &settings);
    settings.tokens = tokens;
    tiny_open(&cut, &settings);
    const ebm_step_result a = tiny_gradients(&whole, &run), b = tiny_gradients(&cut, &run);
    assert_int_equal(a.batches, whole_batches);
    assert_int_equal(b.batches, batches);
    assert_int_equal(a.tokens, tiny_tokens(&whole));
    assert_int_equal(b.tokens, tiny_tokens(&cut));
    assert_near_one("loss", b.loss, a.loss, 8 * 1.1e-6);
    assert_near_one("cross-entropy", b.cross_entropy, a.cross_entropy, 8 * 1.1e-6);
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

static void check_split(const char *family, size_t tokens, size_t batches, float dropout)
{
    const tiny_settings settings = {
        .family = family, .joint = true, .energy = EBM_ENERGY_HIDDEN, .noise_ratio = 8, .dropout = dropout};
    check_split_of(settings, tokens, 1, batches);
}

// A last layer makes keys and values only where sequences are short (attention_first.h): 30 texts, all but three of one
// token, do so together; cut, the longer ones lie in a batch that does not, with the same masks and gradients.
static void test_short_texts(void **state)
{
    for (size_t f = 0; f < TINY_FAMILY_COUNT; f++) {
        tiny_settings settings = {.family = TINY_FAMILIES[f],
                                  .joint = true,
                                  .energy = EBM_ENERGY_HIDDEN,
                                  .noise_ratio = 8,
                                  .dropout = 0.1f,
                                  .shortened = true};
        check_split_of(settings, 20, 1, 3);
    }
}

// Partners lie in other batches, and the labelled texts are batches of their own.
static void test_budget_with_mixup(void **state)
{
    tiny_settings settings = {.family = "bert",
                              .joint = true,
                              .energy = EBM_ENERGY_HIDDEN,
                              .noise_ratio = 8,
                              .dropout = 0.1f,
                              .mixup = RANDOM};
    check_split_of(settings, 20, 2, 15);
    settings.mixup = AUM;
    settings.hard = HARD;
    check_split_of(settings, 20, 2, 15);
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

static void assert_step_of(tiny_settings settings, const ebm_step_result *expected, const snapshot *slopes)
{
    const ebm_run run = {true, 1, 0};
    tiny t;
    tiny_open(&t, &settings);
    const ebm_step_result found = tiny_gradients(&t, &run);
    assert_near_one("loss", found.loss, expected->loss, 8 * 1.1e-6);
    assert_near_one("cross-entropy", found.cross_entropy, expected->cross_entropy, 8 * 1.1e-6);
    snapshot gradients = snapshot_take(t.parameters, EBM_PART_GRADIENT);
    assert_near_snapshot(&gradients, slopes, 8 * 1.2e-5);
    snapshot_free(&gradients);
    tiny_free(&t);
}

// Where nobody has a partner, mixup is cross-entropy: before there are margins (with the same dropout), and where all
// texts are hard and each is mixed with itself (without: the mixed passes draw their own).
static void test_mixup_without_partners_is_cross_entropy(void **state)
{
    const uint8_t all[TINY_LABELLED] = {1, 1, 1};
    for (int dropout = 0; dropout < 2; dropout++) {
        tiny_settings settings = {.family = "bert", .noise_ratio = 1, .dropout = dropout ? 0.1f : 0};
        const ebm_run run = {true, 1, 0};
        tiny plain;
        tiny_open(&plain, &settings);
        const ebm_step_result expected = tiny_gradients(&plain, &run);
        snapshot slopes = snapshot_take(plain.parameters, EBM_PART_GRADIENT);
        settings.mixup = AUM;
        assert_step_of(settings, &expected, &slopes);
        settings.hard = all;
        if (!dropout) assert_step_of(settings, &expected, &slopes);
        snapshot_free(&slopes);
        tiny_free(&plain);
    }
}

// The labelled texts' pooled vectors, and what the head says to vectors made on the host.
static float *pooled_of(tiny *t, const ebm_run *run)
{
    ebm_packing *packing = ebm_step_packing(t->step);
    ebm_batch batch;
    bool fits;
    ebm_packing_clear(packing, 0, 0);
    for (size_t i = 0; i < TINY_LABELLED; i++) assert_ok(ebm_packing_add(packing, t->rows[i], &fits));
    assert_ok(ebm_packing_send(packing, &batch));
    assert_ok(ebm_classifier_pool_forward(t->classifier, &batch, run));
    return read_floats(ebm_classifier_pooled(t->classifier), TINY_LABELLED * t->config->hidden);
}

// lambda CE(g(mixed), label of i) + (1 - lambda) CE(g(mixed), label of its partner), averaged, in double.
static double mixed_mean(tiny *t, const float *h, const int32_t *partner, double lambda, const ebm_run *run)
{
    const size_t C = t->config->hidden, Y = t->config->label_count;
    const ebm_slice vectors = ebm_classifier_pooled(t->classifier);
    float *mixed = calloc(TINY_LABELLED * C, sizeof *mixed);
    double total = 0;
    for (size_t i = 0; i < TINY_LABELLED * C; i++)
        mixed[i] = (float)(lambda * (double)h[i] + (1 - lambda) * (double)h[(size_t)partner[i / C] * C + i % C]);
    assert_ok(ebm_slice_write(device, vectors, 0, TINY_LABELLED * C, mixed));
    const ebm_batch rows = {.sequences = TINY_LABELLED};
    assert_ok(ebm_classifier_head_forward(t->classifier, vectors, &rows, run));
    float *f = read_floats(ebm_classifier_logits(t->classifier), TINY_LABELLED * Y);
    for (size_t i = 0; i < TINY_LABELLED; i++) {
        double sum = 0;
        for (size_t y = 0; y < Y; y++) sum += exp((double)f[i * Y + y]);
        total += log(sum) - lambda * (double)f[i * Y + (size_t)t->labels[i]] -
                 (1 - lambda) * (double)f[i * Y + (size_t)t->labels[partner[i]]];
    }
    free(mixed);
    free(f);
    return total / TINY_LABELLED;
}

// By the formulas of mixup.h. With two easy texts and a hard one the hard one has both as partners, in whichever order.
static void test_mixup_is_what_its_formula_says(void **state)
{
    const int32_t self[3] = {0, 1, 2}, first[3] = {1, 0, 1}, second[3] = {1, 2, 1};
    for (uint32_t step = 0; step < 3; step++) {
        const ebm_run run = {true, 5, step};
        int32_t partner[TINY_LABELLED];
        float margins[TINY_LABELLED], expected[TINY_LABELLED];
        ebm_random stream = ebm_random_stream(5, step, EBM_SITE_MIXUP);
        const double lambda = (double)(float)ebm_mixup_lambda(&stream, 0.4f);
        ebm_mixup_random_partners(&stream, TINY_LABELLED, partner);
        tiny random, aum;
        tiny_open(&random, &(tiny_settings){.family = "bert", .noise_ratio = 1, .mixup = RANDOM});
        tiny_open(&aum, &(tiny_settings){.family = "bert", .noise_ratio = 1, .mixup = AUM, .hard = HARD});
        float *h = pooled_of(&random, &run);
        const double plain = mixed_mean(&random, h, self, lambda, &run);
        float *f = read_floats(ebm_classifier_logits(random.classifier), TINY_LABELLED * random.config->label_count);
        ebm_mixup_margins(f, random.labels, TINY_LABELLED, random.config->label_count, expected);
        const ebm_step_result a = tiny_gradients(&random, &run);
        assert_near_one("mixed", a.loss, mixed_mean(&random, h, partner, lambda, &run), 5e-6);
        assert_near_one("plain", a.cross_entropy, plain, 5e-6);

        ebm_step_texts texts = tiny_texts(&aum);
        ebm_step_result b;
        texts.margins = margins;
        assert_ok(ebm_step_gradients(aum.step, &texts, &run, &b));
        const double one = mixed_mean(&random, h, first, lambda, &run);
        const double two = mixed_mean(&random, h, second, lambda, &run);
        assert_near_one("mixed by saliency", b.loss, 0.8 * plain + 0.1 * (one + two), 5e-6);
        assert_near_one("plain", b.cross_entropy, plain, 5e-6);
        assert_near("margins", margins, expected, TINY_LABELLED, 5e-6);
        free(h);
        free(f);
        tiny_free(&random);
        tiny_free(&aum);
    }
}

static void test_settings_that_do_not_go_with_mixup(void **state)
{
    ebm_step_settings set = {.mixup = RANDOM};
    assert_ok(ebm_step_settings_check(&set));
    set.label_loss.smoothing = 0.1f;
    assert_fails(ebm_step_settings_check(&set), EBM_ERROR_INPUT, "mixup is trained by cross-entropy alone");
    set = (ebm_step_settings){.mixup = RANDOM, .mlm_weight = 0.1f};
    assert_fails(ebm_step_settings_check(&set), EBM_ERROR_INPUT, "cannot be combined with masked language modelling");
    set = (ebm_step_settings){.mixup = AUM, .objective = EBM_OBJECTIVE_JOINT, .nce_data = EBM_NCE_SHARED};
    assert_fails(ebm_step_settings_check(&set), EBM_ERROR_INPUT, "nce_data separate");
    set.nce_data = EBM_NCE_SEPARATE;
    assert_ok(ebm_step_settings_check(&set));
    set.mixup.alpha = -1;
    assert_fails(ebm_step_settings_check(&set), EBM_ERROR_INPUT, "alpha must be");
}

static void test_mixup_of_more_texts_than_planned(void **state)
{
    tiny t;
    ebm_step_result result;
    ebm_sequence rows[TINY_ROWS + 1];
    int32_t labels[TINY_ROWS + 1] = {0};
    const ebm_run run = {true, 1, 0};
    tiny_open(&t, &(tiny_settings){.family = "bert", .noise_ratio = 1, .mixup = RANDOM});
    for (size_t i = 0; i <= TINY_ROWS; i++) rows[i] = t.rows[0];
    const ebm_step_texts texts = {.labelled = rows, .labels = labels, .labelled_count = TINY_ROWS + 1};
    assert_fails(ebm_step_gradients(t.step, &texts, &run, &result), EBM_ERROR_INPUT, "mixup of 31 texts: from 1 to 30");
    tiny_free(&t);
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
        cmocka_unit_test(test_slopes_of_mixup),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_short_texts),
        cmocka_unit_test(test_budget_with_mixup),
        cmocka_unit_test(test_mixup_without_partners_is_cross_entropy),
        cmocka_unit_test(test_mixup_is_what_its_formula_says),
        cmocka_unit_test(test_settings_that_do_not_go_with_mixup),
        cmocka_unit_test(test_mixup_of_more_texts_than_planned),
        cmocka_unit_test(test_shared_is_separate_with_the_same_texts),
        cmocka_unit_test(test_same_seed_same_bits),
        cmocka_unit_test(test_dropout_moves_with_seed_and_step),
        cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_dropout_after_attention),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
