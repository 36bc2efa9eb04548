// Perplexity by a judge: the log-likelihoods of single texts against those of the noise trainer and of single batches.
#include "judge.h"
#include "on_device.h"
#include "run_files.h"
#include "small_task.h"

enum { TEXTS = 150 }; // more than a batch of the smallest budget holds

// A plain model after a few steps, written to "judge", and its own perplexity of `texts`.
static double make_judge(const char *folder, const ebm_dataset *texts)
{
    ebm_noise_trainer_settings settings = small_noise_settings();
    const ebm_noise_phase phase = {.batch_size = 32, .learning_rate = 1e-2, .max_steps = 12};
    ebm_dataset *training = small_texts(SMALL_SINGLE, 200, 1);
    small_noise_training n;
    double perplexity = 0;
    settings.objective = EBM_NOISE_PLAIN;
    small_noise_training_open(&n, device, small_tokenizer(false), training, texts, &settings);
    assert_ok(ebm_noise_trainer_run(n.trainer, n.texts, NULL, &phase, NULL));
    assert_ok(ebm_noise_trainer_perplexity(n.trainer, n.held_out, &perplexity));
    char *directory = make_folder(folder, "judge");
    assert_ok(ebm_noise_model_save(n.model, directory));
    free(directory);
    small_noise_training_free(&n);
    ebm_dataset_free(training);
    return perplexity;
}

static void judge(const char *folder, size_t budget, const ebm_dataset *texts, double *nats, uint32_t *tokens)
{
    ebm_judge *j = NULL;
    char *directory = in_folder(folder, "judge");
    assert_ok(ebm_judge_open(device, directory, budget, &j));
    assert_ok(ebm_judge_texts(j, texts, nats, tokens));
    ebm_judge_free(j);
    free(directory);
}

static void it_has_the_trainers_perplexity(void **state)
{
    ebm_dataset *texts = small_texts(SMALL_SINGLE, TEXTS, 2);
    double nats[TEXTS], again[TEXTS];
    uint32_t tokens[TEXTS], same[TEXTS];
    ebm_perplexity p;
    const double expected = make_judge(*state, texts);
    judge(*state, 0, texts, nats, tokens);
    assert_ok(ebm_perplexity_measure(nats, tokens, TEXTS, 100, 1, &p));
    check_near("perplexity", 0, p.perplexity, expected, 1e-4 * expected);
    assert_true(expected > 1 && expected < 50); // it has learnt something: 55 words
    assert_true(p.interval.low < p.perplexity && p.perplexity < p.interval.high);
    // Batches of another size change nothing but rounding.
    judge(*state, EBM_NOISE_MAX_TOKENS, texts, again, same);
    assert_memory_equal(tokens, same, sizeof tokens);
    for (size_t i = 0; i < TEXTS; i++) check_near("nats", i, again[i], nats[i], 1e-3);
    ebm_dataset_free(texts);
}

// A text's likelihood does not depend on its neighbours, and the end is one prediction.
static void a_text_is_judged_alone(void **state)
{
    static const char *const words[] = {"the", "the nice dog", "the nice dog sees a cat"};
    ebm_dataset *all = NULL, *texts = small_texts(SMALL_SINGLE, 20, 2);
    double nats[3], one;
    uint32_t tokens[3], count;
    make_judge(*state, texts);
    assert_ok(ebm_dataset_create(NULL, &all));
    for (int i = 0; i < 3; i++) assert_ok(ebm_dataset_add(all, words[i], NULL, -1, 0));
    judge(*state, 0, all, nats, tokens);
    assert_true(tokens[0] == 2 && tokens[1] == 4 && tokens[2] == 7);
    for (size_t i = 0; i < 3; i++) {
        ebm_dataset *single = NULL;
        assert_ok(ebm_dataset_create(NULL, &single));
        assert_ok(ebm_dataset_add(single, words[i], NULL, -1, 0));
        judge(*state, 0, single, &one, &count);
        assert_true(count == tokens[i] && one > 0);
        check_near("nats", i, one, nats[i], 1e-3);
        ebm_dataset_free(single);
    }
    ebm_dataset_free(all);
    ebm_dataset_free(texts);
}

static void perplexity_is_of_tokens(void **state)
{
    static const double nats[] = {2, 6}, broken[] = {1, NAN};
    static const uint32_t tokens[] = {1, 3}, none[] = {1, 0};
    ebm_perplexity p;
    (void)state;
    assert_ok(ebm_perplexity_measure(nats, tokens, 2, 0, 1, &p));
    check_near("perplexity", 0, p.perplexity, exp(2), 1e-12);
    assert_true(p.tokens_a_text == 2 && isnan(p.interval.low));
    assert_ok(ebm_perplexity_measure(nats, tokens, 2, 50, 1, &p)); // both texts have 2 nats a token
    check_near("low", 0, p.interval.low, exp(2), 1e-12);
    check_near("high", 0, p.interval.high, exp(2), 1e-12);
    assert_fails(ebm_perplexity_measure(nats, tokens, 0, 0, 1, &p), EBM_ERROR_INPUT, "at least one text");
    assert_fails(ebm_perplexity_measure(broken, tokens, 2, 0, 1, &p), EBM_ERROR_NONFINITE, "text 1");
    assert_fails(ebm_perplexity_measure(nats, none, 2, 0, 1, &p), EBM_ERROR_INPUT, "text 1: at least one token");
    assert_fails(ebm_perplexity_measure(nats, tokens, 2, -1, 1, &p), EBM_ERROR_INPUT, "resamples");
}

static void wrong_judges_are_refused(void **state)
{
    ebm_judge *j = NULL;
    assert_fails(ebm_judge_open(device, *state, 0, &j), EBM_ERROR_INPUT, "config.json");
    assert_fails(ebm_judge_open(device, *state, 255, &j), EBM_ERROR_INPUT, "at least 256 expected, found 255");
    char *masked = make_folder(*state, "masked");
    small_noise_model_make(device, SMALL_SINGLE, false, masked);
    assert_fails(ebm_judge_open(device, masked, 0, &j), EBM_ERROR_INPUT, "a plain language model expected, found one");
    free(masked);
    assert_null(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(it_has_the_trainers_perplexity),
        in_own_folder(a_text_is_judged_alone),
        cmocka_unit_test(perplexity_is_of_tokens),
        in_own_folder(wrong_judges_are_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
