// Training a noise model: what it reaches, which weights it keeps, and when it stops.
#include "on_device.h"
#include "run_files.h"
#include "small_task.h"

// What the listener was told.
typedef struct {
    size_t steps, evaluations;
    double perplexities[64], loss;
    bool best[64];
    volatile sig_atomic_t stop;
    uint64_t stop_after;
} heard;

static void on_progress(void *context, const ebm_noise_progress *progress)
{
    heard *h = context;
    h->steps++;
    h->loss = progress->loss;
    if (progress->step == h->stop_after) h->stop = 1;
}

static void on_evaluated(void *context, const ebm_noise_evaluation *evaluation)
{
    heard *h = context;
    assert_true(h->evaluations < 64);
    h->perplexities[h->evaluations] = evaluation->perplexity;
    h->best[h->evaluations++] = evaluation->is_best;
}

static ebm_noise_trainer_settings listened(heard *h)
{
    ebm_noise_trainer_settings settings = small_noise_settings();
    settings.stop = &h->stop;
    settings.listener = (ebm_noise_listener){h, on_progress, on_evaluated};
    return settings;
}

typedef struct {
    ebm_dataset *texts, *held_out;
    small_noise_training n;
} training;

static void open_training(training *t, ebm_dataset *texts, ebm_dataset *held_out,
                          const ebm_noise_trainer_settings *settings)
{
    t->texts = texts;
    t->held_out = held_out;
    small_noise_training_open(&t->n, device, small_tokenizer(false), texts, held_out, settings);
}

static void close_training(training *t)
{
    small_noise_training_free(&t->n);
    ebm_dataset_free(t->texts);
    ebm_dataset_free(t->held_out);
}

static double perplexity(training *t)
{
    double value = 0;
    assert_ok(ebm_noise_trainer_perplexity(t->n.trainer, t->n.held_out, &value));
    return value;
}

// A text of the task is, in nats, ln 12 (adjective) + ln 12 (noun) + ln 8 (verb) + ln 2 (shorter or longer) + half of
// ln 2 + ln 12 (article and noun of the longer ones) = 9.33, in 6 predictions on average, the end included: no model
// has a perplexity below exp(9.33 / 6) = 4.73 on many texts. 200 texts leave a per cent or two. Untrained, weights of
// deviation 0.02 give nearly equal logits: the perplexity is the vocabulary's 55.
static void plain_perplexity_comes_near_the_entropy(void **state)
{
    (void)state;
    heard h = {0};
    ebm_noise_trainer_settings settings = listened(&h);
    const ebm_noise_phase phase = {.batch_size = 32, .learning_rate = 1e-2, .max_steps = 150, .warmup_ratio = 0.1};
    training t;
    ebm_noise_evaluation best;
    settings.objective = EBM_NOISE_PLAIN;
    open_training(&t, small_texts(SMALL_SINGLE, 1500, 1), small_texts(SMALL_SINGLE, 200, 2), &settings);
    const double vocabulary = (double)ebm_noise_model_config(t.n.model)->vocabulary, before = perplexity(&t);
    if (!(fabs(before / vocabulary - 1) < 0.05)) fail_msg("untrained: %g of %g", before, vocabulary);
    assert_ok(ebm_noise_trainer_run(t.n.trainer, t.n.texts, t.n.held_out, &phase, &best));
    if (!(best.perplexity > 4.6 && best.perplexity < 5.6)) fail_msg("perplexity %g", best.perplexity);
    assert_int_equal(h.steps, 150);
    close_training(&t);
}

// One text again and again: given its masked form or not, nothing is left to guess.
static void one_text_is_learnt_by_heart(void **state)
{
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        heard h = {0};
        ebm_noise_trainer_settings settings = listened(&h);
        const ebm_noise_phase phase = {.batch_size = 16, .learning_rate = 1e-2, .max_steps = 60, .warmup_ratio = 0.1};
        training t;
        ebm_dataset *texts[2];
        ebm_noise_evaluation best;
        settings.objective = plain ? EBM_NOISE_PLAIN : EBM_NOISE_MASKED;
        for (int i = 0; i < 2; i++) {
            assert_ok(ebm_dataset_create(NULL, &texts[i]));
            for (int k = 0; k < 16; k++) assert_ok(ebm_dataset_add(texts[i], "the nice cat sees", "a poor dog", -1, 1));
        }
        open_training(&t, texts[0], texts[1], &settings);
        assert_ok(ebm_noise_trainer_run(t.n.trainer, t.n.texts, t.n.held_out, &phase, &best));
        if (!(best.perplexity >= 1 && best.perplexity < 1.1)) fail_msg("perplexity %g", best.perplexity);
        close_training(&t);
    }
}

// Few texts, a large rate, many epochs: it overfits, and the weights it has afterwards are those of the best
// evaluation.
static void the_best_weights_are_restored(void **state)
{
    (void)state;
    heard h = {0};
    const ebm_noise_trainer_settings settings = listened(&h);
    const ebm_noise_phase phase = {.batch_size = 8, .learning_rate = 2e-2, .epochs = 50, .eval_steps = 5};
    training t;
    ebm_noise_evaluation best;
    open_training(&t, small_texts(SMALL_SINGLE, 8, 1), small_texts(SMALL_SINGLE, 60, 2), &settings);
    assert_ok(ebm_noise_trainer_run(t.n.trainer, t.n.texts, t.n.held_out, &phase, &best));
    assert_int_equal(h.steps, 50);
    assert_int_equal(h.evaluations, 10);
    double lowest = h.perplexities[0];
    for (size_t i = 0; i < h.evaluations; i++) {
        assert_int_equal(h.best[i], i == 0 || h.perplexities[i] < lowest);
        lowest = fmin(lowest, h.perplexities[i]);
    }
    assert_true(best.perplexity == lowest);
    if (!(lowest < h.perplexities[9])) fail_msg("the last evaluation is the best one: nothing to restore");
    assert_true(perplexity(&t) == best.perplexity); // the same weights and masks give the same bits
    close_training(&t);
}

static void it_stops_when_patience_ends(void **state)
{
    (void)state;
    heard h = {0};
    const ebm_noise_trainer_settings settings = listened(&h);
    const ebm_noise_phase phase = {
        .batch_size = 8, .learning_rate = 2e-2, .epochs = 40, .eval_steps = 5, .patience = 2};
    training t;
    ebm_noise_evaluation best;
    open_training(&t, small_texts(SMALL_SINGLE, 24, 1), small_texts(SMALL_SINGLE, 60, 2), &settings);
    assert_ok(ebm_noise_trainer_run(t.n.trainer, t.n.texts, t.n.held_out, &phase, &best));
    assert_in_range(h.evaluations, 3, 23);
    assert_false(h.best[h.evaluations - 1]);
    assert_false(h.best[h.evaluations - 2]);
    assert_true(h.best[h.evaluations - 3]);
    assert_true(best.perplexity == h.perplexities[h.evaluations - 3]);
    assert_int_equal(best.step, 5 * (h.evaluations - 2));
    close_training(&t);
}

static void a_seed_gives_the_same_bits(void **state)
{
    char *folders[2] = {make_folder(*state, "a"), make_folder(*state, "b")};
    for (size_t i = 0; i < 2; i++) {
        const ebm_noise_trainer_settings settings = small_noise_settings();
        const ebm_noise_phase phase = {.batch_size = 16, .learning_rate = 1e-2, .epochs = 2};
        training t;
        open_training(&t, small_texts(SMALL_PAIRS, 70, 1), NULL, &settings);
        assert_ok(ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &phase, NULL));
        assert_ok(ebm_noise_model_save(t.n.model, folders[i]));
        close_training(&t);
    }
    assert_same_file(folders[0], folders[1], "model.safetensors");
    assert_same_file(folders[0], folders[1], "noise.json");
    free(folders[0]);
    free(folders[1]);
}

// Rows that do not fit into one batch are cut, and their gradients add up: the loss of a step is the same but for
// rounding, which the first steps do not amplify.
static void a_token_budget_changes_little(void **state)
{
    (void)state;
    double losses[2];
    for (int cut = 0; cut < 2; cut++) {
        heard h = {0};
        ebm_noise_trainer_settings settings = listened(&h);
        const ebm_noise_phase phase = {.batch_size = 32, .learning_rate = 1e-3, .max_steps = 6};
        training t;
        if (cut) settings.limits.tokens = 97;
        open_training(&t, small_texts(SMALL_SINGLE, 64, 1), NULL, &settings);
        assert_ok(ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &phase, NULL));
        losses[cut] = h.loss;
        close_training(&t);
    }
    check_near("loss", 0, losses[1], losses[0], 1e-4);
}

static void it_stops_when_told_to(void **state)
{
    (void)state;
    heard h = {.stop_after = 3};
    const ebm_noise_trainer_settings settings = listened(&h);
    const ebm_noise_phase phase = {.batch_size = 16, .learning_rate = 1e-2, .epochs = 4};
    training t;
    open_training(&t, small_texts(SMALL_SINGLE, 70, 1), NULL, &settings);
    assert_fails(ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &phase, NULL), EBM_ERROR_INTERRUPTED,
                 "step 3 of 20");
    assert_int_equal(h.steps, 3);
    close_training(&t);
}

typedef struct {
    double perplexities[64];
    size_t evaluations;
} run_of_two;
enum { EVAL_STEPS = 5, PATIENCE = 2 };

// Plain text, then the task with evaluations; stopped after so many steps of the whole (0: not), then in a new process'
// stead with everything made anew and resumed, from the checkpoint on.
static void run_two_phases(const char *folder, uint64_t stop_after, run_of_two *run)
{
    const ebm_noise_phase first = {.batch_size = 8, .learning_rate = 1e-2, .max_steps = 6, .warmup_ratio = 0.2};
    const ebm_noise_phase second = {
        .batch_size = 8, .learning_rate = 2e-2, .epochs = 40, .eval_steps = EVAL_STEPS, .patience = PATIENCE};
    char *checkpoint = NULL;
    for (int part = 0; part < (stop_after ? 2 : 1); part++) {
        heard h = {.stop_after = part == 0 ? stop_after : 0};
        ebm_noise_trainer_settings settings = listened(&h);
        training t;
        ebm_noise_evaluation best;
        settings.output_dir = folder;
        open_training(&t, small_texts(SMALL_SINGLE, 24, 1), small_texts(SMALL_SINGLE, 60, 2), &settings);
        if (part == 1) {
            assert_ok(ebm_noise_trainer_resume(t.n.trainer, checkpoint));
            assert_string_equal(ebm_noise_trainer_resume_note(t.n.trainer), "");
        }
        ebm_status status = ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &first, NULL);
        if (status.code == EBM_OK) status = ebm_noise_trainer_run(t.n.trainer, t.n.texts, t.n.held_out, &second, &best);
        for (size_t i = 0; i < h.evaluations; i++) run->perplexities[run->evaluations++] = h.perplexities[i];
        if (part == 0 && stop_after) {
            assert_fails(status, EBM_ERROR_INTERRUPTED, "--resume_from_checkpoint");
            checkpoint = strdup(strstr(status.message, "--resume_from_checkpoint ") + 25);
        } else {
            assert_ok(status);
            assert_ok(ebm_noise_model_save(t.n.model, folder));
        }
        close_training(&t);
    }
    free(checkpoint);
}

// Steps count within a phase as the listener hears them: 3 is in the first phase, 7 and later ones are in the second,
// 10 is an evaluation; the last one comes after the best evaluation, whose weights must then come from the checkpoint.
static void resumed_equals_uninterrupted(void **state)
{
    char *whole = make_folder(*state, "whole");
    run_of_two uninterrupted = {0};
    run_two_phases(whole, 0, &uninterrupted);
    const uint64_t stops[] = {3, 7, 10, uninterrupted.evaluations * EVAL_STEPS - 1};
    assert_in_range(uninterrupted.evaluations, 3 + PATIENCE, 23);
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "stop%d", (int)stops[i]);
        char *folder = make_folder(*state, name);
        run_of_two run = {0};
        run_two_phases(folder, stops[i], &run);
        assert_same_file(whole, folder, "model.safetensors");
        assert_int_equal(run.evaluations, uninterrupted.evaluations);
        assert_memory_equal(run.perplexities, uninterrupted.perplexities, sizeof run.perplexities);
        free(folder);
    }
    free(whole);
}

static void checkpoints_that_do_not_fit_are_refused(void **state)
{
    heard h = {.stop_after = 3};
    ebm_noise_trainer_settings settings = listened(&h);
    ebm_noise_phase phase = {.batch_size = 16, .learning_rate = 1e-2, .epochs = 4};
    training t;
    settings.output_dir = *state;
    open_training(&t, small_texts(SMALL_SINGLE, 70, 1), NULL, &settings);
    assert_fails(ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &phase, NULL), EBM_ERROR_INTERRUPTED,
                 "checkpoint-3");
    close_training(&t);
    char *checkpoint = in_folder(*state, "checkpoint-3"), *state_file = in_folder(checkpoint, "trainer_state.json");
    open_training(&t, small_texts(SMALL_SINGLE, 70, 1), NULL, &settings);
    assert_fails(ebm_noise_trainer_resume(t.n.trainer, *state), EBM_ERROR_INPUT, "no checkpoint");
    assert_ok(ebm_noise_trainer_resume(t.n.trainer, checkpoint));
    phase.learning_rate = 2e-2;
    assert_fails(ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &phase, NULL), EBM_ERROR_INPUT,
                 "learning_rate was");
    close_training(&t);
    open_training(&t, small_texts(SMALL_SINGLE, 70, 1), NULL, &settings);
    assert_ok(ebm_file_write(state_file, "{\"phase\": -1}", 13));
    assert_fails(ebm_noise_trainer_resume(t.n.trainer, checkpoint), EBM_ERROR_INPUT, "\"phase\" must be");
    close_training(&t);
    free(state_file);
    free(checkpoint);
}

static void a_rate_far_too_large_stops_with_the_step(void **state)
{
    (void)state;
    heard h = {0};
    const ebm_noise_trainer_settings settings = listened(&h);
    const ebm_noise_phase phase = {.batch_size = 16, .learning_rate = 1e30, .epochs = 4};
    training t;
    open_training(&t, small_texts(SMALL_SINGLE, 70, 1), NULL, &settings);
    assert_fails(ebm_noise_trainer_run(t.n.trainer, t.n.texts, NULL, &phase, NULL), EBM_ERROR_NONFINITE,
                 "noise model, step 2");
    close_training(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_perplexity_comes_near_the_entropy),
        cmocka_unit_test(one_text_is_learnt_by_heart),
        cmocka_unit_test(the_best_weights_are_restored),
        cmocka_unit_test(it_stops_when_patience_ends),
        in_own_folder(a_seed_gives_the_same_bits),
        cmocka_unit_test(a_token_budget_changes_little),
        cmocka_unit_test(it_stops_when_told_to),
        in_own_folder(resumed_equals_uninterrupted),
        in_own_folder(checkpoints_that_do_not_fit_are_refused),
        cmocka_unit_test(a_rate_far_too_large_stops_with_the_step),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
