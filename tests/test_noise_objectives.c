// What a noise model is told before a text: the masked text, its label, both or nothing; what of it is recorded beside
// the model, and what is refused.
#include "on_device.h"
#include "run_files.h"
#include "small_task.h"

enum { SEED = 21, TEXTS = 60 };

static char *labelled, *plain; // directories of trained models

static void train(ebm_noise_objective objective, uint64_t steps, const char *directory)
{
    ebm_noise_trainer_settings settings = small_noise_settings();
    const ebm_noise_phase phase = {.batch_size = 32, .learning_rate = 1e-2, .max_steps = steps, .warmup_ratio = 0.1};
    ebm_dataset *texts = small_texts(SMALL_SINGLE, 400, 77);
    small_noise_training n;
    settings.objective = objective;
    small_noise_training_open(&n, device, small_tokenizer(false), texts, NULL, &settings);
    assert_ok(ebm_noise_trainer_run(n.trainer, n.texts, NULL, &phase, NULL));
    assert_ok(ebm_noise_model_save(n.model, directory));
    small_noise_training_free(&n);
    ebm_dataset_free(texts);
}

static int set_up(void **state)
{
    void *folder = NULL;
    open_device(state);
    if (make_own_folder(&folder) != 0) return -1;
    labelled = folder;
    train(EBM_NOISE_LABEL, 140, labelled);
    if (make_own_folder(&folder) != 0) return -1;
    plain = folder;
    train(EBM_NOISE_PLAIN, 5, plain);
    return 0;
}

static int tear_down(void **state)
{
    void *folders[] = {labelled, plain};
    const int failed = remove_own_folder(&folders[0]) | remove_own_folder(&folders[1]);
    close_device(state);
    return failed;
}

// ---- the prefix

static void expect_prefix(const small_noise_training *n, ebm_noise_objective objective, size_t index, float M,
                          const char *words)
{
    int32_t prefix[EBM_NOISE_MAX_PREFIX];
    const ebm_tokenizer *tokenizer = ebm_noise_model_tokenizer(n->model);
    const size_t count = ebm_noise_prefix(n->texts, index, objective, M, SEED, 0, prefix);
    char *copy = strdup(words), *rest = copy;
    size_t at = 0;
    for (char *word; (word = strsep(&rest, " "));) {
        if (!*word) continue;
        if (at >= count || prefix[at] != ebm_tokenizer_id(tokenizer, word)) fail_msg("%s: token %zu", words, at);
        at++;
    }
    assert_int_equal(at, count);
    free(copy);
}

static void the_objective_names_what_stands_before_a_text(void **state)
{
    (void)state;
    ebm_noise_trainer_settings settings = small_noise_settings();
    small_noise_training n;
    ebm_dataset *texts = NULL;
    settings.objective = EBM_NOISE_LABEL_MASKED;
    assert_ok(ebm_dataset_create(&(ebm_labels){(const char *const[]){"bad", "good"}, 2, NULL}, &texts));
    assert_ok(ebm_dataset_add(texts, "the nice cat", "<LABEL_0> sees", 1, 1));
    assert_ok(ebm_dataset_add(texts, "the sad cat", "a dog", 0, 2));
    small_noise_training_open(&n, device, small_tokenizer(false), texts, NULL, &settings);
    expect_prefix(&n, EBM_NOISE_PLAIN, 0, 0, "");
    expect_prefix(&n, EBM_NOISE_MASKED, 1, 0, "the sad cat [SEP] a dog");
    expect_prefix(&n, EBM_NOISE_MASKED, 1, 1, "[MASK] [SEP] [MASK]");
    expect_prefix(&n, EBM_NOISE_LABEL, 0, 0, "<LABEL_1>");
    expect_prefix(&n, EBM_NOISE_LABEL, 1, 0, "<LABEL_0>");
    expect_prefix(&n, EBM_NOISE_LABEL_MASKED, 1, 0, "<LABEL_0> the sad cat [SEP] a dog");
    expect_prefix(&n, EBM_NOISE_LABEL_MASKED, 0, 1, "<LABEL_1> [MASK] [SEP] [MASK]");
    size_t count = 0; // a label that somebody wrote is none
    const int32_t *ids = ebm_noise_texts_view(n.texts, 0, &count);
    const ebm_noise_roles roles = ebm_noise_model_roles(n.model);
    for (size_t i = 0; i < count; i++) assert_true(ids[i] < roles.first_label);
    // Texts that were never told their labels (plain text before the task's) are given none.
    ebm_noise_texts *untold = NULL;
    int32_t prefix[EBM_NOISE_MAX_PREFIX];
    assert_ok(ebm_noise_texts_create(texts, ebm_noise_model_tokenizer(n.model), roles, &untold));
    assert_int_equal(ebm_noise_prefix(untold, 0, EBM_NOISE_LABEL, 0.4f, SEED, 0, prefix), 0);
    ebm_noise_texts_free(untold);
    small_noise_training_free(&n);
    ebm_dataset_free(texts);
}

// The longest text with its label still fits.
static void a_label_and_a_long_text_fit(void **state)
{
    (void)state;
    char text[4 * 300 + 1] = "";
    for (int i = 0; i < 300; i++) strcat(text, "cat ");
    ebm_noise_trainer_settings settings = small_noise_settings();
    small_noise_training n;
    ebm_dataset *texts = NULL;
    const ebm_noise_phase phase = {.batch_size = 1, .learning_rate = 1e-3, .max_steps = 1};
    settings.objective = EBM_NOISE_LABEL_MASKED;
    settings.mask_probability = 0;
    assert_ok(ebm_dataset_create(&(ebm_labels){(const char *const[]){"one"}, 1, NULL}, &texts));
    assert_ok(ebm_dataset_add(texts, text, NULL, 0, 1));
    small_noise_training_open(&n, device, small_tokenizer(false), texts, NULL, &settings);
    assert_ok(ebm_noise_trainer_run(n.trainer, n.texts, NULL, &phase, NULL)); // 1 + 126 + 1 + 126 + 1 tokens
    small_noise_training_free(&n);
    ebm_dataset_free(texts);
}

// ---- sampling

typedef struct {
    small_stream s;
    ebm_tokenizer *encoder;
} opened;

static void open_stream(opened *o, const char *directory, const ebm_dataset *training,
                        void (*change)(ebm_noise_source *source))
{
    ebm_arena *all[EBM_NOISE_MODEL_ARENAS + 1];
    o->encoder = small_tokenizer(false);
    small_stream_open(&o->s, device, directory, training, o->encoder, SEED, change);
    assert_ok(ebm_arena_plan(device, all, small_stream_arenas(&o->s, all), ""));
    small_stream_allocate(&o->s);
}

static void close_stream(opened *o)
{
    small_stream_free(&o->s);
    ebm_tokenizer_free(o->encoder);
}

static bool has_one_of(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, words[i])) return true;
    return false;
}

// Texts of one label only: what the model is told, it writes. The adjectives are those of small_task.c.
static void the_label_of_the_prompt_is_written_about(void **state)
{
    (void)state;
    static const char *const bad[] = {"awful", "sad", "dull", "nasty", "grim", "poor"};
    static const char *const good[] = {"nice", "fine", "happy", "bright", "lovely", "kind"};
    ebm_dataset *all = small_texts(SMALL_SINGLE, 100, 5);
    for (int32_t label = 0; label < 2; label++) {
        ebm_dataset *one = NULL;
        opened o;
        size_t right = 0, wrong = 0;
        assert_ok(ebm_dataset_create(ebm_dataset_labels(all), &one));
        for (size_t i = 0; i < ebm_dataset_count(all); i++) {
            const ebm_row row = ebm_dataset_row(all, i);
            if (row.label == label) assert_ok(ebm_dataset_add(one, row.text_a, NULL, label, i + 1));
        }
        open_stream(&o, labelled, one, NULL);
        for (size_t i = 0; i < TEXTS; i++) {
            const char *text = NULL;
            assert_ok(ebm_noise_stream_next_text(o.s.stream, &text));
            if (strstr(text, "LABEL")) fail_msg("'%s' holds a label", text);
            right += has_one_of(text, label ? good : bad, 6);
            wrong += has_one_of(text, label ? bad : good, 6);
        }
        if (!(right > TEXTS * 9 / 10 && wrong < TEXTS / 10)) fail_msg("label %d: %zu, %zu", label, right, wrong);
        assert_non_null(strstr(ebm_noise_stream_source(o.s.stream), "a label model, "));
        close_stream(&o);
        ebm_dataset_free(one);
    }
    ebm_dataset_free(all);
}

// A plain model is shown nothing of the texts, so others give the same samples, but for what is dropped.
static void a_plain_model_is_shown_no_texts(void **state)
{
    (void)state;
    ebm_dataset *training[2] = {small_easy_noise(SMALL_SINGLE, 7, 3), small_easy_noise(SMALL_SINGLE, 30, 4)};
    opened o[2];
    for (int i = 0; i < 2; i++) open_stream(&o[i], plain, training[i], NULL);
    for (size_t i = 0; i < TEXTS; i++) {
        const char *a = NULL, *b = NULL;
        assert_ok(ebm_noise_stream_next_text(o[0].s.stream, &a));
        assert_ok(ebm_noise_stream_next_text(o[1].s.stream, &b));
        assert_string_equal(a, b);
    }
    assert_non_null(strstr(ebm_noise_stream_source(o[0].s.stream), "a plain model, "));
    for (int i = 0; i < 2; i++) {
        close_stream(&o[i]);
        ebm_dataset_free(training[i]);
    }
}

// ---- what is recorded, and what is refused

static ebm_status open_model(const char *directory, const char *const *labels, size_t count, ebm_noise_model **model)
{
    const ebm_decoder_settings decoder = {.limits = {.tokens = 512, .sequences = 8}};
    return ebm_noise_model_open_labelled(device, directory, labels, count, &decoder, model);
}

static void training_is_recorded(void **state)
{
    (void)state;
    ebm_noise_model *model = NULL;
    assert_ok(open_model(labelled, NULL, 0, &model));
    const ebm_noise_training t = ebm_noise_model_training(model);
    const ebm_noise_roles roles = ebm_noise_model_roles(model);
    assert_true(t.is_recorded && t.objective == EBM_NOISE_LABEL && t.mask_probability == 0.4f);
    assert_int_equal(roles.label_count, 2);
    assert_int_equal(ebm_noise_model_label(model, "bad"), roles.first_label);
    assert_int_equal(ebm_noise_model_label(model, "good"), roles.first_label + 1);
    assert_int_equal(ebm_noise_model_label(model, "fair"), -1);
    ebm_noise_model_free(model);
    assert_ok(open_model(plain, NULL, 0, &model));
    assert_int_equal(ebm_noise_model_training(model).objective, EBM_NOISE_PLAIN);
    assert_fails(ebm_noise_model_set_training(model, EBM_NOISE_LABEL, 0.4f, EBM_NOISE_OF_SINGLE), EBM_ERROR_INPUT,
                 "without labels");
    ebm_noise_model_free(model);
    // A plain model may be trained on with labels; one with labels keeps to those it knows, in any order.
    assert_ok(open_model(plain, (const char *const[]){"x"}, 1, &model));
    assert_int_equal(ebm_noise_model_roles(model).label_count, 1);
    ebm_noise_model_free(model);
    assert_ok(open_model(labelled, (const char *const[]){"good", "bad"}, 2, &model));
    assert_int_equal(ebm_noise_model_label(model, "bad"), roles.first_label);
    ebm_noise_model_free(model);
    assert_fails(open_model(labelled, (const char *const[]){"good", "fair"}, 2, &model), EBM_ERROR_INPUT,
                 "knows 2 labels (\"bad\", ...), but not \"fair\"");
    for (int i = 0; i < EBM_NOISE_OBJECTIVES; i++) {
        ebm_noise_objective found = EBM_NOISE_OBJECTIVES;
        assert_true(ebm_noise_objective_by_name(ebm_noise_objective_name((ebm_noise_objective)i), &found));
        assert_int_equal(found, i);
    }
}

static void texts_need_labels_the_model_knows(void **state)
{
    (void)state;
    static const char *const names[] = {"bad", "fair"};
    const struct {
        int32_t label;
        const char *part;
    } cases[] = {{-1, "text of line 7: the noise model needs a label it knows, found none"},
                 {1, "text of line 7: the noise model needs a label it knows, found \"fair\""}};
    for (size_t i = 0; i < 2; i++) {
        const ebm_limits prompts = {.tokens = 512, .sequences = SMALL_SLOTS};
        const ebm_decoder_settings decoder = {.limits = prompts, .slots = SMALL_SLOTS, .capacity = SMALL_CAPACITY};
        ebm_tokenizer *encoder = small_tokenizer(false);
        ebm_dataset *texts = NULL;
        ebm_noise_model *model = NULL;
        ebm_noise_stream *stream = NULL;
        assert_ok(ebm_dataset_create(&(ebm_labels){names, 2, NULL}, &texts));
        assert_ok(ebm_dataset_add(texts, "the cat", NULL, 0, 6));
        assert_ok(ebm_dataset_add(texts, "the dog", NULL, cases[i].label, 7));
        assert_ok(ebm_noise_model_open(device, labelled, &decoder, &model));
        const ebm_noise_source source = {
            .model = model,
            .training = texts,
            .encoder = encoder,
            .max_length = 64,
            .mask_probability = 1,
            .temperature = 1,
            .top_k = 20,
            .slots = SMALL_SLOTS,
            .capacity = SMALL_CAPACITY,
            .prompt_limits = prompts,
        };
        assert_fails(ebm_noise_stream_from_model(&source, &stream), EBM_ERROR_INPUT, cases[i].part);
        ebm_noise_model_free(model);
        ebm_dataset_free(texts);
        ebm_tokenizer_free(encoder);
    }
}

static void broken_records_are_refused(void **state)
{
    static const char head[] = "{\"mask_token\":\"[MASK]\",\"separator_token\":\"[SEP]\",\"start_token\":\"[CLS]\","
                               "\"end_token\":\"[PAD]\"";
    static const struct {
        const char *rest, *part;
    } cases[] = {
        {",\"objective\":\"best\",\"mask_probability\":0.4", "found best"},
        {",\"objective\":3,\"mask_probability\":0.4", "found something else"},
        {",\"objective\":\"plain\"", "\"mask_probability\" must be a number from 0 to 1"},
        {",\"objective\":\"plain\",\"mask_probability\":1.5", "\"mask_probability\" must be a number from 0 to 1"},
        {",\"objective\":\"label\",\"mask_probability\":0.4", "objective label, but no \"labels\""},
        {",\"objective\":\"plain\",\"mask_probability\":0.4,\"texts\":\"triples\"",
         "must be single or pairs, found triples"},
        {",\"objective\":\"plain\",\"mask_probability\":0.4,\"texts\":2",
         "must be single or pairs, found something else"},
        {",\"labels\":[]", "a list of 1 to 1000 names"},
        {",\"labels\":{}", "a list of 1 to 1000 names"},
        {",\"labels\":[\"bad\",5]", "label 1 must be a name"},
        {",\"labels\":[\"a\",\"b\",\"c\"]", "label 2 must be a name, with <LABEL_2> for it"},
    };
    static const char *const files[] = {"config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *from = in_folder(labelled, files[i]), *bytes = NULL, *to = in_folder(*state, files[i]);
        size_t size = 0;
        if (ebm_file_read(from, FILE_LIMIT, &bytes, &size).code == EBM_OK) put_file(to, bytes, size);
        free(from);
        free(to);
        free(bytes);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512], *path = in_folder(*state, "noise.json");
        ebm_noise_model *model = NULL;
        snprintf(text, sizeof text, "%s%s}", head, cases[i].rest);
        put_file(path, text, strlen(text));
        assert_fails(open_model(*state, NULL, 0, &model), EBM_ERROR_INPUT, cases[i].part);
        assert_null(model);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_objective_names_what_stands_before_a_text),
        cmocka_unit_test(a_label_and_a_long_text_fit),
        cmocka_unit_test(the_label_of_the_prompt_is_written_about),
        cmocka_unit_test(a_plain_model_is_shown_no_texts),
        cmocka_unit_test(training_is_recorded),
        cmocka_unit_test(texts_need_labels_the_model_knows),
        in_own_folder(broken_records_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
