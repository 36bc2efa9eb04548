#include "small_task.h"

#include <stdio.h>

#include "check.h"
#include "random.h"

static const char *const NOUNS[] = {"cat", "dog",  "bird", "fish", "horse", "mouse",
                                    "cow", "goat", "hen",  "duck", "frog",  "bee"};
static const char *const VERBS[] = {"sees", "likes", "hears", "finds", "calls", "helps", "meets", "feeds"};
static const char *const BAD[] = {"awful", "sad", "dull", "nasty", "grim", "poor"};
static const char *const GOOD[] = {"nice", "fine", "happy", "bright", "lovely", "kind"};
static const char *const ARTICLES[] = {"the", "a"};
static const char *const OTHERS[] = {"iron", "zinc", "lead", "gold", "over", "under", "beyond", "seven",
                                     "nine", "blue", "red",  "grey", "of",   "to",    "from",   "with"};
#define COUNT(list) (sizeof(list) / sizeof *(list))
enum { TEXT_BYTES = 128 };

ebm_tokenizer *small_tokenizer(bool with_spare)
{
    static const struct {
        const char *const *words;
        size_t count;
    } groups[] = {{NOUNS, COUNT(NOUNS)}, {VERBS, COUNT(VERBS)},       {BAD, COUNT(BAD)},
                  {GOOD, COUNT(GOOD)},   {ARTICLES, COUNT(ARTICLES)}, {OTHERS, COUNT(OTHERS)}};
    const char *words[64];
    size_t count = 0;
    ebm_tokenizer *tokenizer = NULL;
    for (size_t g = 0; g < COUNT(groups); g++)
        for (size_t i = 0; i < groups[g].count; i++) words[count++] = groups[g].words[i];
    if (with_spare) words[count++] = "spare";
    assert_ok(ebm_tokenizer_from_words(words, count, true, &tokenizer));
    return tokenizer;
}

static const char *pick(ebm_random *random, const char *const *list, size_t count)
{
    return list[ebm_random_below(random, (uint32_t)count)];
}
#define PICK(random, list) pick(random, list, COUNT(list))

static void write_text(ebm_random *random, bool good, char text[TEXT_BYTES])
{
    const char *adjective = good ? PICK(random, GOOD) : PICK(random, BAD);
    const char *noun = PICK(random, NOUNS), *verb = PICK(random, VERBS), *article = PICK(random, ARTICLES);
    if (ebm_random_below(random, 2))
        snprintf(text, TEXT_BYTES, "the %s %s %s %s %s", adjective, noun, verb, article, PICK(random, NOUNS));
    else
        snprintf(text, TEXT_BYTES, "the %s %s %s", adjective, noun, verb);
}

static void write_noise(ebm_random *random, char text[TEXT_BYTES])
{
    const uint32_t words = 4 + 2 * ebm_random_below(random, 2);
    text[0] = 0;
    for (uint32_t i = 0; i < words; i++) {
        if (i > 0) strcat(text, " ");
        strcat(text, PICK(random, OTHERS));
    }
}

ebm_dataset *small_texts(small_kind kind, size_t count, uint32_t seed)
{
    static const char *const names[] = {"bad", "good"};
    ebm_random random = ebm_random_stream(seed, 0, 1000);
    ebm_dataset *texts = NULL;
    assert_ok(ebm_dataset_create(&(ebm_labels){names, 2, NULL}, &texts));
    for (size_t i = 0; i < count; i++) {
        char first[TEXT_BYTES], second[TEXT_BYTES];
        const bool good = ebm_random_below(&random, 2) == 1;
        write_text(&random, good, first);
        write_text(&random, good, second);
        assert_ok(ebm_dataset_add(texts, first, kind == SMALL_PAIRS ? second : NULL, good, i + 1));
    }
    return texts;
}

ebm_dataset *small_easy_noise(small_kind kind, size_t count, uint32_t seed)
{
    ebm_random random = ebm_random_stream(seed, 1, 1000);
    ebm_dataset *texts = NULL;
    assert_ok(ebm_dataset_create(NULL, &texts));
    for (size_t i = 0; i < count; i++) {
        char first[TEXT_BYTES], second[TEXT_BYTES];
        write_noise(&random, first);
        write_noise(&random, second);
        assert_ok(ebm_dataset_add(texts, first, kind == SMALL_PAIRS ? second : NULL, -1, i + 1));
    }
    return texts;
}

ebm_noise_trainer_settings small_noise_settings(void)
{
    const ebm_noise_trainer_settings settings = {
        .mask_probability = 0.4f,
        .adamw = {0.9, 0.999, 1e-8, 0.01, 1.0},
        .seed = 5,
        .limits = {.tokens = 2048, .sequences = 64, .training = true},
    };
    return settings;
}

void small_noise_training_open(small_noise_training *n, ebm_device *device, ebm_tokenizer *tokenizer,
                               const ebm_dataset *texts, const ebm_dataset *held_out,
                               const ebm_noise_trainer_settings *settings)
{
    const ebm_decoder_settings decoder = {.limits = settings->limits};
    ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS + 1];
    *n = (small_noise_training){0};
    const bool labelled = ebm_noise_objective_has_label(settings->objective);
    const ebm_labels none = {0}, labels = labelled ? *ebm_dataset_labels(texts) : none;
    assert_ok(ebm_noise_model_create_labelled(device, tokenizer, 2, 32, labels.names, labels.count, &decoder,
                                              settings->seed, &n->model));
    ebm_noise_model_set_dropout(n->model, 0.05f);
    assert_ok(ebm_noise_trainer_create(n->model, settings, &n->trainer));
    size_t count = ebm_noise_model_arenas(n->model, arenas);
    arenas[count++] = ebm_noise_trainer_arena(n->trainer);
    assert_ok(ebm_arena_plan(device, arenas, count, ""));
    assert_ok(ebm_noise_model_allocate(n->model));
    assert_ok(ebm_arena_allocate(ebm_noise_trainer_arena(n->trainer)));
    const ebm_noise_roles roles = ebm_noise_model_roles(n->model);
    const ebm_tokenizer *own = ebm_noise_model_tokenizer(n->model);
    assert_ok(ebm_noise_texts_create(texts, own, roles, &n->texts));
    if (labelled) assert_ok(ebm_noise_texts_label(n->texts, texts, n->model));
    if (held_out) assert_ok(ebm_noise_texts_create(held_out, own, roles, &n->held_out));
    if (held_out && labelled) assert_ok(ebm_noise_texts_label(n->held_out, held_out, n->model));
}

void small_noise_training_free(small_noise_training *n)
{
    ebm_noise_texts_free(n->texts);
    ebm_noise_texts_free(n->held_out);
    ebm_noise_trainer_free(n->trainer);
    ebm_noise_model_free(n->model);
}

void small_noise_model_make(ebm_device *device, small_kind kind, bool with_spare, const char *directory)
{
    const ebm_noise_trainer_settings settings = small_noise_settings();
    const ebm_noise_phase phase = {.batch_size = 32, .learning_rate = 1e-2, .max_steps = 120, .warmup_ratio = 0.1};
    ebm_dataset *texts = small_texts(kind, 400, 77);
    small_noise_training n;
    small_noise_training_open(&n, device, small_tokenizer(with_spare), texts, NULL, &settings);
    assert_ok(ebm_noise_trainer_run(n.trainer, n.texts, NULL, &phase, NULL));
    assert_ok(ebm_noise_model_save(n.model, directory));
    small_noise_training_free(&n);
    ebm_dataset_free(texts);
}

void small_stream_open(small_stream *s, ebm_device *device, const char *directory, const ebm_dataset *training,
                       const ebm_tokenizer *encoder, uint64_t seed, void (*change)(ebm_noise_source *source))
{
    const ebm_limits prompts = {.tokens = 512, .sequences = SMALL_SLOTS};
    const ebm_decoder_settings decoder = {.limits = prompts, .slots = SMALL_SLOTS, .capacity = SMALL_CAPACITY};
    assert_ok(ebm_noise_model_open(device, directory, &decoder, &s->model));
    ebm_noise_source source = {
        .model = s->model,
        .training = training,
        .encoder = encoder,
        .max_length = 64,
        .mask_probability = 0.4f,
        .temperature = 1,
        .top_k = 20,
        .seed = seed,
        .slots = SMALL_SLOTS,
        .capacity = SMALL_CAPACITY,
        .prompt_limits = prompts,
    };
    if (change) change(&source);
    assert_ok(ebm_noise_stream_from_model(&source, &s->stream));
}

size_t small_stream_arenas(small_stream *s, ebm_arena **arenas)
{
    const size_t count = ebm_noise_model_arenas(s->model, arenas);
    arenas[count] = ebm_noise_stream_arena(s->stream);
    return count + 1;
}

void small_stream_allocate(small_stream *s)
{
    assert_ok(ebm_noise_model_allocate(s->model));
    assert_ok(ebm_noise_stream_allocate(s->stream));
}

void small_stream_free(small_stream *s)
{
    ebm_noise_stream_free(s->stream);
    ebm_noise_model_free(s->model);
    *s = (small_stream){0};
}
