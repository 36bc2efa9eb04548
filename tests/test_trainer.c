// Training runs: same seed same bits, what they reach, what they write, and when they stop.
#include "on_device.h"
#include "predictions_read.h"
#include "predictor.h"
#include "run_files.h"
#include "separation.h"
#include "small_run.h"

static void check_same_bits(const char *folder, small_settings settings)
{
    char *folders[3] = {make_folder(folder, "a"), make_folder(folder, "b"), make_folder(folder, "c")};
    for (size_t i = 0; i < 3; i++) {
        small_run run;
        settings.trainer.output_dir = folders[i];
        if (i == 2) settings.trainer.seed++;
        small_run_to_the_end(&run, device, &settings);
        small_run_free(&run);
    }
    assert_same_file(folders[0], folders[1], "model.safetensors");
    assert_same_log(folders[0], folders[1]);
    size_t size[2];
    char *a = read_whole(folders[0], "model.safetensors", &size[0]),
         *c = read_whole(folders[2], "model.safetensors", &size[1]);
    assert_true(size[0] == size[1] && memcmp(a, c, size[0]) != 0); // another seed, other bits
    free(a);
    free(c);
    for (size_t i = 0; i < 3; i++) free(folders[i]);
}

static void a_seed_gives_the_same_bits(void **state) { check_same_bits(*state, small_ce(NULL)); }

static void a_seed_gives_the_same_bits_jointly(void **state)
{
    check_same_bits(*state, small_joint(NULL, SMALL_NOISE_EASY, NULL));
}

// The label is told by one word: 12 epochs suffice. Cross-entropy of a coin is 0.693.
static void an_easy_task_is_learnt(void **state)
{
    small_settings settings = small_ce(*state);
    small_run run;
    ebm_trainer_evaluation best;
    settings.trainer.epochs = 16;
    small_run_to_the_end(&run, device, &settings);
    assert_true(ebm_trainer_best(run.trainer, &best));
    if (!(best.value[EBM_ACCURACY] > 0.95)) fail_msg("accuracy %g", best.value[EBM_ACCURACY]);
    if (!(run.last.loss < 0.2)) fail_msg("loss %g", run.last.loss);
    assert_false(best.has_noise);
    small_run_free(&run);
}

static const ebm_energy_kind ENERGIES[] = {EBM_ENERGY_HIDDEN, EBM_ENERGY_SCALAR, EBM_ENERGY_SHARP_HIDDEN};

// One energy shows that the slow form learns.
static size_t energies(void) { return is_slow_form(device) ? 1 : 3; }

static void check_told_apart(const char *folder, ebm_energy_kind energy)
{
    small_settings settings = small_joint(folder, SMALL_NOISE_EASY, NULL);
    small_run run;
    settings.energy = energy;
    settings.trainer.epochs = 14;
    settings.trainer.learning_rate = 4e-3;
    small_run_to_the_end(&run, device, &settings);
    const ebm_trainer_evaluation *e = &run.last_evaluation;
    assert_true(e->has_noise);
    if (!(e->told_apart > 0.9 && e->auroc > 0.9))
        fail_msg("%s: told apart %g, AUROC %g", ebm_energy_name(energy), e->told_apart, e->auroc);
    if (!(run.last.data_apart > 0.9 && run.last.noise_apart > 0.9 && run.last.data_energy < run.last.noise_energy))

        fail_msg("%s: data %g, noise %g", ebm_energy_name(energy), run.last.data_apart, run.last.noise_apart);
    small_run_free(&run);
}

// Noise of other words: data and noise soon lie on different sides of E = 0, whatever the energy.
static void easy_noise_is_told_apart(void **state)
{
    for (size_t i = 0; i < energies(); i++) {
        char *folder = make_folder(*state, ebm_energy_name(ENERGIES[i]));
        check_told_apart(folder, ENERGIES[i]);
        free(folder);
    }
}

// The mean of the largest probability of the validation texts after a training that CE alone would make certain.
static double confidence_after(const char *folder, const char *name, ebm_label_loss loss)
{
    char *own = make_folder(folder, name);
    small_settings settings = small_ce(own);
    small_run run;
    ebm_predictions predictions;
    double *p = NULL, sum = 0;
    settings.trainer.epochs = 16;
    settings.trainer.learning_rate = 4e-3;
    settings.trainer.keep_last = true;
    settings.trainer.step.label_loss = loss;
    small_run_to_the_end(&run, device, &settings);
    assert_ok(ebm_trainer_predictions(run.trainer, &predictions));
    assert_ok(ebm_probabilities_create(&predictions, 1, &p));
    for (size_t i = 0; i < predictions.count; i++) sum += fmax(p[2 * i], p[2 * i + 1]);
    if (!(run.last_evaluation.value[EBM_ACCURACY] > 0.9))
        fail_msg("%s: accuracy %g", name, run.last_evaluation.value[EBM_ACCURACY]);
    const bool plain = ebm_label_loss_is_plain(&loss);
    assert_true(plain == (fabs(run.last.loss - run.last.cross_entropy) < 1e-9)); // the log keeps them apart
    free(p);
    small_run_free(&run);
    free(own);
    return sum / SMALL_VALIDATION;
}

// The words say the label for certain; each of these losses has its minimum short of that: label smoothing 0.4 at
// p = 0.8, the penalty 0.6 at ln(p / (1 - p)) = 1 / (0.6 p): p = 0.87. Focal loss only slows down.
static void other_losses_keep_from_certainty(void **state)
{
    skip_in_slow_form(device);
    const double plain = confidence_after(*state, "plain", (ebm_label_loss){0});
    const double smoothed = confidence_after(*state, "smoothed", (ebm_label_loss){.smoothing = 0.4f});
    const double penalised = confidence_after(*state, "penalised", (ebm_label_loss){.confidence_penalty = 0.6f});
    const double focal = confidence_after(*state, "focal", (ebm_label_loss){.focal_gamma = 4});
    if (!(plain > 0.95 && fabs(smoothed - 0.8) < 0.06 && penalised < 0.93 && focal < plain - 0.01))
        fail_msg("plain %g, smoothed %g, penalised %g, focal %g", plain, smoothed, penalised, focal);
}

// What is learnt of texts mixed with those of the other label stays uncertain, whatever is said of the texts
// themselves.
static void check_mixup(const char *folder, const char *name, ebm_mixup mixup, size_t tokens, double least)
{
    char *own = make_folder(folder, name);
    small_settings settings = small_ce(own);
    small_run run;
    settings.trainer.epochs = 16;
    settings.trainer.learning_rate = 4e-3;
    settings.trainer.keep_last = true;
    settings.trainer.step.mixup = mixup;
    settings.trainer.step.limits.tokens = tokens;
    small_run_to_the_end(&run, device, &settings);
    const ebm_progress *p = &run.last;
    if (!(run.last_evaluation.value[EBM_ACCURACY] > 0.9 && p->cross_entropy < 0.5 &&
          p->loss > p->cross_entropy + least))
        fail_msg("%s: accuracy %g, loss %g, cross-entropy of the unmixed texts %g", name,
                 run.last_evaluation.value[EBM_ACCURACY], p->loss, p->cross_entropy);
    small_run_free(&run);
    free(own);
}

// Alpha 2 mixes evenly more often than not; by saliency a fifth of the loss is of mixed texts.
static void mixup_learns(void **state)
{
    skip_in_slow_form(device);
    check_mixup(*state, "aum", (ebm_mixup){0.4f, EBM_MIXUP_AUM}, 60, 0.005);
    check_mixup(*state, "random", (ebm_mixup){2, EBM_MIXUP_RANDOM}, 2048, 0.05);
}

static void margins_need_a_second_epoch(void **state)
{
    small_settings settings = small_ce(*state);
    small_run run;
    small_run_open(&run, device, &settings);
    ebm_trainer *trainer = NULL;
    ebm_trainer_settings set = settings.trainer;
    const ebm_trainer_inputs inputs = {
        .device = device, .classifier = run.classifier, .tokenizer = run.tokenizer, .train = run.train};
    set.step.mixup = (ebm_mixup){0.4f, EBM_MIXUP_AUM};
    set.max_steps = SMALL_STEPS_PER_EPOCH;
    assert_fails(ebm_trainer_create(&inputs, &set, &trainer), EBM_ERROR_INPUT, "needs more than one epoch");
    set.max_steps++;
    assert_ok(ebm_trainer_create(&inputs, &set, &trainer));
    ebm_trainer_free(trainer);
    small_run_free(&run);
}

// Noise of other words lies beyond its margin, data beyond theirs.
static void a_margin_parts_the_energies(void **state)
{
    skip_in_slow_form(device);
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    settings.trainer.epochs = 14;
    settings.trainer.learning_rate = 4e-3;
    settings.trainer.step.energy_margin = 2;
    small_run_to_the_end(&run, device, &settings);
    if (!(run.last_evaluation.told_apart > 0.9 && run.last.data_energy < -1 && run.last.noise_energy > 1))
        fail_msg("told apart %g, energies %g and %g", run.last_evaluation.told_apart, run.last.data_energy,
                 run.last.noise_energy);
    json_t *log = read_log(*state);
    assert_non_null(json_object_get(json_array_get(log, 0), "margin_loss"));
    assert_null(json_object_get(json_array_get(log, 0), "nce"));
    json_decref(log);
    small_run_free(&run);
}

// Where the noise counts less than the labels, they are learnt as well, in one run.
static void labels_and_noise_are_learnt_together(void **state)
{
    for (size_t i = 0; i < energies(); i++) {
        char *folder = make_folder(*state, ebm_energy_name(ENERGIES[i]));
        small_settings settings = small_joint(folder, SMALL_NOISE_EASY, NULL);
        small_run run;
        settings.energy = ENERGIES[i];
        settings.texts = 140;
        settings.trainer.epochs = 14;
        settings.trainer.learning_rate = 3e-3;
        settings.trainer.step.nce_weight = 0.1f;
        small_run_to_the_end(&run, device, &settings);
        const ebm_trainer_evaluation *e = &run.last_evaluation;
        if (!(e->value[EBM_ACCURACY] > 0.95 && e->auroc > 0.9))

            fail_msg("%s: accuracy %g, AUROC %g", ebm_energy_name(ENERGIES[i]), e->value[EBM_ACCURACY], e->auroc);
        small_run_free(&run);
        free(folder);
    }
}

// Its first step is one of cross-entropy alone: by the labelled batch, with the same dropout, so that the norms of the
// gradients are equal but for the order of their sums.
static void the_nce_loss_grows_from_nothing(void **state)
{
    enum { STEPS = 15, GROWING = 12 }; // a share of 0.8
    char *folder[2] = {make_folder(*state, "ce"), make_folder(*state, "joint")};
    small_settings settings[2] = {small_ce(folder[0]), small_joint(folder[1], SMALL_NOISE_EASY, NULL)};
    settings[1].trainer.step.nce_data = EBM_NCE_SHARED;
    settings[1].trainer.step.nce_weight = 0.5f;
    settings[1].trainer.nce_warmup_ratio = 0.8;
    json_t *log[2];
    for (int i = 0; i < 2; i++) {
        small_run run;
        settings[i].trainer.logging_steps = 1;
        settings[i].trainer.eval_steps = 100;
        small_run_to_the_end(&run, device, &settings[i]);
        log[i] = read_log(folder[i]);
        small_run_free(&run);
    }
    for (size_t step = 0; step < STEPS; step++) {
        const json_t *line = json_array_get(log[1], step);
        const double weight = json_real_value(json_object_get(line, "nce_weight"));
        const double nce = json_real_value(json_object_get(line, "nce"));
        const double expected = 0.5 * fmin(1, (double)step / GROWING);
        const double sum = json_real_value(json_object_get(line, "cross_entropy")) + weight * nce;
        assert_true(nce > 0);
        assert_true(fabs(weight - expected) < 1e-7); // as a float
        assert_true(fabs(json_real_value(json_object_get(line, "loss")) - sum) < 1e-6);
    }
    const double ce = json_real_value(json_object_get(json_array_get(log[0], 0), "grad_norm"));
    const double joint = json_real_value(json_object_get(json_array_get(log[1], 0), "grad_norm"));
    if (!(fabs(ce - joint) < 1e-5 * ce)) fail_msg("first norm of cross-entropy %g, of joint training %g", ce, joint);
    assert_null(json_object_get(json_array_get(log[0], 0), "nce_weight"));
    for (int i = 0; i < 2; i++) {
        json_decref(log[i]);
        free(folder[i]);
    }
}

// The noise has the data's distribution, so E = 0 everywhere is the optimum (METHOD section 2): nothing can be told
// apart, and the mean of e^-E over noise goes to 1 from 2, where hidden energies of two logits near 0 (E = -ln 2)
// begin.
static void hard_noise_brings_z_to_one(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_HARD, NULL);
    small_run run;
    settings.trainer.epochs = 24;
    settings.noise_texts = 1000;
    small_run_to_the_end(&run, device, &settings);
    json_t *log = read_log(*state);
    const double first = json_real_value(json_object_get(json_array_get(log, 0), "mean_exp_minus_energy_noise"));
    const double last = run.last_evaluation.mean_exp;
    if (!(first > 1.8 && fabs(last - 1) < 0.5)) fail_msg("mean e^-E %g, then %g", first, last);
    if (!(run.last_evaluation.auroc < 0.65)) fail_msg("AUROC %g", run.last_evaluation.auroc);
    json_decref(log);
    small_run_free(&run);
}

// What a directory predicts for the validation texts of `run`.
static void predict(const small_run *run, const char *folder, float *logits, float *energy)
{
    ebm_predictor *predictor = NULL;
    assert_ok(ebm_predictor_open(device, folder, 0, &predictor));
    assert_ok(ebm_predictor_dataset(predictor, run->validation_texts, 0, logits, energy));
    ebm_predictor_free(predictor);
}

static void the_written_model_is_the_best_one(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    ebm_trainer_evaluation best;
    settings.trainer.metric = EBM_ACCURACY;
    settings.trainer.learning_rate = 8e-3; // goes up and down
    settings.trainer.eval_steps = 3;
    small_run_to_the_end(&run, device, &settings);
    assert_true(ebm_trainer_best(run.trainer, &best));

    float logits[2 * SMALL_VALIDATION], energy[SMALL_VALIDATION];
    double value[EBM_METRICS];
    predict(&run, *state, logits, energy);
    const ebm_predictions predictions = {SMALL_VALIDATION, 2, logits, ebm_encoded_labels(run.validation), energy};
    assert_ok(ebm_metrics(&predictions, 1, EBM_BINS_DEFAULT, value));
    assert_true(value[EBM_ACCURACY] == best.value[EBM_ACCURACY]);
    // Batches are cut in other places: sums of products may round differently, nothing else.
    assert_true(fabs(value[EBM_NLL] - best.value[EBM_NLL]) < 1e-5);

    json_t *log = read_log(*state), *line;
    size_t i, evaluations = 0, best_lines = 0;
    double most = -1, at = 0;
    json_array_foreach(log, i, line)
    {
        if (!json_object_get(line, "eval_accuracy")) continue;
        evaluations++;
        best_lines += json_is_true(json_object_get(line, "best"));
        if (json_real_value(json_object_get(line, "eval_accuracy")) <= most) continue;
        most = json_real_value(json_object_get(line, "eval_accuracy"));
        at = (double)json_integer_value(json_object_get(line, "step"));
    }
    assert_int_equal(evaluations, 5);
    assert_true(best_lines >= 1);
    assert_true(fabs(most - value[EBM_ACCURACY]) < 1e-8 && at == (double)best.step);
    json_decref(log);
    small_run_free(&run);
}

// Each evaluation's file gives the numbers of its line in the log, energies of the last one those of the written model.
static void predictions_of_every_evaluation_are_kept(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    settings.trainer.save_predictions = settings.trainer.keep_last = true;
    small_run_to_the_end(&run, device, &settings);
    for (int step = SMALL_STEPS_PER_EPOCH; step <= 3 * SMALL_STEPS_PER_EPOCH; step += SMALL_STEPS_PER_EPOCH) {
        char name[64];
        double value[EBM_METRICS];
        snprintf(name, sizeof name, "predictions/step-%d.jsonl", step);
        char *path = in_folder(*state, name);
        ebm_read_predictions read = {0};
        assert_ok(ebm_predictions_read(&(ebm_prediction_source){.path = path, .needs_labels = true}, &read));
        assert_int_equal(read.rows.count, SMALL_VALIDATION);
        assert_non_null(read.rows.energy);
        if (step == 3 * SMALL_STEPS_PER_EPOCH) {
            float logits[2 * SMALL_VALIDATION], energy[SMALL_VALIDATION];
            predict(&run, *state, logits, energy);
            for (size_t i = 0; i < SMALL_VALIDATION; i++) {
                assert_true(fabsf(logits[2 * i] - read.rows.logits[2 * i]) < 1e-5f);
                assert_true(fabsf(energy[i] - read.rows.energy[i]) < 1e-5f);
            }
            read.rows.energy = NULL;
            assert_ok(ebm_metrics(&read.rows, 1, EBM_BINS_DEFAULT, value));
            for (ebm_metric m = 0; m < EBM_METRICS; m++)
                assert_true(value[m] == run.last_evaluation.value[m] || isnan(value[m]));
        }
        ebm_read_predictions_free(&read);
        free(path);
    }
    small_run_free(&run);
}

// With this rate the last evaluation is not the best.
static void the_last_model_is_kept_when_asked_for(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    ebm_trainer_evaluation best;
    settings.trainer.metric = EBM_NLL;
    settings.trainer.learning_rate = 8e-3;
    settings.trainer.eval_steps = 3;
    settings.trainer.keep_last = true;
    small_run_to_the_end(&run, device, &settings);
    assert_true(ebm_trainer_best(run.trainer, &best));
    assert_int_equal(best.step, 15);
    json_t *log = read_log(*state), *line;
    size_t i, better = 0;
    json_array_foreach(log, i, line)
    {
        const json_t *nll = json_object_get(line, "eval_nll");
        better += nll && json_real_value(nll) < best.value[EBM_NLL] - 1e-6;
    }
    if (!better) fail_msg("no evaluation was better than the last one: the test shows nothing");
    json_decref(log);
    small_run_free(&run);
}

// What stands in the output directory at the end: the model, the log, nothing else.
static void best_becomes_the_output_directory(void **state)
{
    static const char *const names[] = {"config.json", "model.safetensors", "energy.safetensors",
                                        "ebmcl.json",  "vocab.txt",         "trainer_log.jsonl"};
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    settings.energy = EBM_ENERGY_SCALAR;
    small_run_to_the_end(&run, device, &settings);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = in_folder(*state, names[i]);
        if (!ebm_file_exists(path)) fail_msg("no %s", names[i]);
        free(path);
    }
    char *best = in_folder(*state, "best");
    assert_false(ebm_directory_exists(best));
    free(best);
    small_run_free(&run);
}

static void without_validation_the_last_model_is_written(void **state)
{
    small_settings settings = small_ce(*state);
    small_run run;
    ebm_trainer_evaluation best;
    settings.no_validation = true;
    small_run_to_the_end(&run, device, &settings);
    assert_false(ebm_trainer_best(run.trainer, &best));
    assert_int_equal(run.evaluations, 0);
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open_model(*state, &file));
    ebm_parameters *parameters = ebm_classifier_parameters(run.classifier);
    const ebm_parameter *p = ebm_parameters_find(parameters, "classifier.weight");
    size_t index = 0;
    float written[64], now[64];
    assert_true(p && ebm_safetensors_find(file, "classifier.weight", &index));
    assert_ok(ebm_safetensors_floats_part(file, index, 0, 64, true, written));
    assert_ok(ebm_slice_read(device, p->tensor->weight, p->first, 64, now));
    assert_memory_equal(written, now, sizeof now);
    ebm_safetensors_free(file);
    small_run_free(&run);
}

static void expect_keys(const json_t *line, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!json_object_get(line, keys[i])) fail_msg("no \"%s\" in %s", keys[i], json_dumps(line, 0));
}

// 70 texts in batches of 16 are 5 steps an epoch, as in the Trainer; a log every 4 steps and at the end, an evaluation
// an epoch.
static void the_log_has_the_trainers_names(void **state)
{
    static const char *const step_keys[] = {"step",
                                            "epoch",
                                            "loss",
                                            "learning_rate",
                                            "grad_norm",
                                            "cross_entropy",
                                            "nce",
                                            "tokens_per_second",
                                            "noise_share",
                                            "data_told_apart",
                                            "noise_told_apart",
                                            "mean_exp_minus_energy_noise",
                                            "mean_energy_data",
                                            "mean_energy_noise"};
    static const char *const evaluation_keys[] = {"step",
                                                  "epoch",
                                                  "best",
                                                  "eval_accuracy",
                                                  "eval_nll",
                                                  "eval_brier",
                                                  "eval_ece_class_wise",
                                                  "eval_ece_top_label",
                                                  "eval_ece_pooled",
                                                  "eval_told_apart",
                                                  "eval_told_apart_auroc",
                                                  "eval_mean_exp_minus_energy_noise",
                                                  "eval_effective_sample_size",
                                                  "eval_effective_sample_share"};
    static const json_int_t steps[] = {4, 5, 8, 10, 12, 15, 15};
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    small_run_to_the_end(&run, device, &settings);
    json_t *log = read_log(*state);
    assert_int_equal(json_array_size(log), 7);
    for (size_t i = 0; i < 7; i++) {
        const json_t *line = json_array_get(log, i);
        const bool evaluation = json_object_get(line, "best") != NULL;
        assert_int_equal(json_integer_value(json_object_get(line, "step")), steps[i]);
        assert_int_equal(evaluation, i % 2 == 1 || i == 6 ? i != 5 : 0);
        if (evaluation)
            expect_keys(line, evaluation_keys, sizeof evaluation_keys / sizeof *evaluation_keys);
        else
            expect_keys(line, step_keys, sizeof step_keys / sizeof *step_keys);
        const double epoch = json_real_value(json_object_get(line, "epoch"));
        assert_true(fabs(epoch - (double)steps[i] / 5) < 1e-8);
    }
    const json_t *last = json_array_get(log, 5);
    const double sum = json_real_value(json_object_get(last, "cross_entropy")) +
                       (double)settings.trainer.step.nce_weight * json_real_value(json_object_get(last, "nce"));
    assert_true(fabs(json_real_value(json_object_get(last, "loss")) - sum) < 1e-6);
    json_decref(log);
    small_run_free(&run);
}

static void count_steps(const char *folder, small_settings settings, uint64_t expected, size_t evaluations)
{
    small_run run;
    settings.trainer.output_dir = folder;
    small_run_open(&run, device, &settings);
    assert_int_equal(ebm_trainer_total_steps(run.trainer), expected);
    assert_ok(ebm_trainer_run(run.trainer));
    assert_int_equal(run.steps, expected);
    assert_int_equal(run.last.step, expected);
    assert_int_equal(run.evaluations, evaluations);
    assert_true(fabs(run.last.epoch - (double)expected / (double)((settings.texts + 15) / 16)) < 1e-12);
    small_run_free(&run);
}

static void steps_and_epochs_are_counted_as_the_trainer_does(void **state)
{
    small_settings settings = small_ce(NULL);
    settings.trainer.epochs = 1;
    count_steps(*state, settings, 5, 1);
    settings.trainer.epochs = 1.5; // ceil(7.5), the end is evaluated as well
    count_steps(*state, settings, 8, 2);
    settings.trainer.max_steps = 3;
    count_steps(*state, settings, 3, 1);
    settings.texts = 64; // no smaller batch
    settings.trainer.max_steps = 0;
    settings.trainer.epochs = 2;
    count_steps(*state, settings, 8, 2);
    settings.texts = 5; // less than a batch
    count_steps(*state, settings, 2, 2);
}

static uint64_t noise_used(const char *folder, small_settings settings)
{
    small_run run;
    settings.trainer.output_dir = folder;
    settings.trainer.epochs = 1;
    small_run_to_the_end(&run, device, &settings);
    const uint64_t delivered = ebm_noise_stream_statistics(run.noise.stream).delivered;
    small_run_free(&run);
    return delivered;
}

// K noise texts for each text, and those held out for evaluation: one for each validation text.
static void every_text_has_its_noise(void **state)
{
    small_settings settings = small_joint(NULL, SMALL_NOISE_EASY, NULL);
    assert_int_equal(noise_used(*state, settings), SMALL_TRAIN * 2 + SMALL_VALIDATION);
    settings.trainer.step.noise_ratio = 5;
    settings.trainer.step.nce_data = EBM_NCE_SHARED;
    assert_int_equal(noise_used(*state, settings), SMALL_TRAIN * 5 + SMALL_VALIDATION);
    settings.no_validation = true;
    assert_int_equal(noise_used(*state, settings), SMALL_TRAIN * 5);
}

static void only_the_newest_checkpoint_stays(void **state)
{
    small_settings settings = small_ce(*state);
    small_run run;
    settings.trainer.save_steps = 4;
    small_run_to_the_end(&run, device, &settings);
    assert_int_equal(run.saves, 3);
    assert_string_equal(run.saved, "checkpoint-12");
    size_t checkpoints = 0;
    DIR *folder = opendir(*state);
    for (struct dirent *entry; (entry = readdir(folder));) {
        checkpoints += strncmp(entry->d_name, "checkpoint-", 11) == 0;
        assert_null(strstr(entry->d_name, "tmp"));
    }
    closedir(folder);
    assert_int_equal(checkpoints, 1);
    char *newest = in_folder(*state, "checkpoint-12");
    assert_true(ebm_directory_exists(newest));
    free(newest);
    small_run_free(&run);
}

// The checkpoint of step 4 must be the one that stands, and it must be sound.
static void expect_nonfinite(const char *folder, const small_settings *settings, small_run *run, const char *step)
{
    size_t before_size = 0, after_size = 0;
    char *checkpoint = in_folder(folder, "checkpoint-4");
    char *before = read_whole(checkpoint, "model.safetensors", &before_size);
    assert_fails(ebm_trainer_run(run->trainer), EBM_ERROR_NONFINITE, step);
    char *after = read_whole(checkpoint, "model.safetensors", &after_size);
    assert_true(before_size == after_size && memcmp(before, after, after_size) == 0);
    small_run again;
    small_run_open(&again, device, settings);
    assert_ok(ebm_trainer_resume(again.trainer, checkpoint));
    small_run_free(&again);
    free(before);
    free(after);
    free(checkpoint);
}

static void a_weight_that_is_not_a_number_stops_with_the_step(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    const float bad = NAN;
    settings.stop_after = 4;
    small_run_open(&run, device, &settings);
    assert_fails(ebm_trainer_run(run.trainer), EBM_ERROR_INTERRUPTED, "step 4");
    const ebm_parameter *p = ebm_parameters_find(ebm_classifier_parameters(run.classifier), "classifier.weight");
    assert_ok(ebm_slice_write(device, p->tensor->weight, p->first, 1, &bad));
    run.stop = 0;
    settings.stop_after = 0;
    expect_nonfinite(*state, &settings, &run, "step 5");
    small_run_free(&run);
}

static void a_rate_far_too_large_stops_with_the_step(void **state)
{
    small_settings settings = small_ce(*state);
    small_run run;
    settings.trainer.learning_rate = 1e30;
    settings.trainer.warmup_ratio = 0;
    small_run_open(&run, device, &settings);
    assert_fails(ebm_trainer_run(run.trainer), EBM_ERROR_NONFINITE, "step 2");
    assert_int_equal(run.steps, 1);
    assert_int_equal(run.saves, 0);
    small_run_free(&run);
}

static ebm_status create_with(small_run *run, const small_settings *settings, const ebm_encoded *train,
                              const ebm_encoded *validation)
{
    ebm_trainer *trainer = NULL;
    const ebm_trainer_inputs inputs = {.device = device,
                                       .classifier = run->classifier,
                                       .tokenizer = run->tokenizer,
                                       .train = train,
                                       .validation = validation};
    const ebm_status status = ebm_trainer_create(&inputs, &settings->trainer, &trainer);
    ebm_trainer_free(trainer);
    return status;
}

static void the_nce_loss_grows_over_a_share(void **state)
{
    static const double wrong[] = {-0.1, 1.1, NAN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        small_settings settings = small_ce(*state);
        small_run run;
        small_run_open(&run, device, &settings);
        settings.trainer.nce_warmup_ratio = wrong[i];
        assert_fails(create_with(&run, &settings, run.train, run.validation), EBM_ERROR_INPUT, "from 0 to 1, not");
        small_run_free(&run);
    }
}

static void labels_the_model_lacks_are_refused(void **state)
{
    static const char *const names[] = {"bad", "good", "so so"};
    small_settings settings = small_ce(*state);
    small_run run;
    ebm_dataset *texts[2] = {NULL};
    ebm_encoded *encoded[2] = {NULL};
    small_run_open(&run, device, &settings);
    for (int i = 0; i < 2; i++) {
        assert_ok(ebm_dataset_create(&(ebm_labels){names, 3, NULL}, &texts[i]));
        assert_ok(ebm_dataset_add(texts[i], "the nice cat", NULL, 1, 1));
        assert_ok(ebm_dataset_add(texts[i], "the sad cat", NULL, i == 0 ? 2 : -1, 2));
        assert_ok(ebm_encoded_create(texts[i], run.tokenizer, 16, &encoded[i]));
        assert_fails(create_with(&run, &settings, encoded[i], run.validation), EBM_ERROR_INPUT,
                     "training text 2 has no label among the model's 2");
        assert_fails(create_with(&run, &settings, run.train, encoded[i]), EBM_ERROR_INPUT, "validation text 2");
        ebm_encoded_free(encoded[i]);
        ebm_dataset_free(texts[i]);
    }
    small_run_free(&run);
}

static void joint_training_without_noise_is_refused(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    small_run_open(&run, device, &settings);
    ebm_trainer_set_noise(run.trainer, NULL);
    assert_fails(ebm_trainer_run(run.trainer), EBM_ERROR_INPUT, "noise texts");
    ebm_trainer_set_noise(run.trainer, run.noise.stream);
    assert_ok(ebm_trainer_run(run.trainer));
    small_run_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(a_seed_gives_the_same_bits),
        in_own_folder(a_seed_gives_the_same_bits_jointly),
        in_own_folder(an_easy_task_is_learnt),
        in_own_folder(easy_noise_is_told_apart),
        in_own_folder(other_losses_keep_from_certainty),
        in_own_folder(mixup_learns),
        in_own_folder(margins_need_a_second_epoch),
        in_own_folder(a_margin_parts_the_energies),
        in_own_folder(labels_and_noise_are_learnt_together),
        in_own_folder(the_nce_loss_grows_from_nothing),
        in_own_folder(the_nce_loss_grows_over_a_share),
        in_own_folder(hard_noise_brings_z_to_one),
        in_own_folder(the_written_model_is_the_best_one),
        in_own_folder(predictions_of_every_evaluation_are_kept),
        in_own_folder(the_last_model_is_kept_when_asked_for),
        in_own_folder(best_becomes_the_output_directory),
        in_own_folder(without_validation_the_last_model_is_written),
        in_own_folder(the_log_has_the_trainers_names),
        in_own_folder(steps_and_epochs_are_counted_as_the_trainer_does),
        in_own_folder(every_text_has_its_noise),
        in_own_folder(only_the_newest_checkpoint_stays),
        in_own_folder(a_weight_that_is_not_a_number_stops_with_the_step),
        in_own_folder(a_rate_far_too_large_stops_with_the_step),
        in_own_folder(labels_the_model_lacks_are_refused),
        in_own_folder(joint_training_without_noise_is_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
