// Generation with the tiny GPT-2: texts do not depend on slots, greedy texts follow the uncached model, ends and bans.
#include <stdio.h>

#include "expected.h"
#include "folder.h"
#include "gemm.h"
#include "generator.h"
#include "packing.h"

enum { TEXTS = 20, CAPACITY = 28, MOST_NEW = 18, LONGEST_PROMPT = CAPACITY - MOST_NEW, SEQUENCES = 16 };
enum { AHEAD = 12 }; // with pieces of 5, the ring of 17 rows goes round in the midst of a piece

// Roles of fixtures/models/gpt2/vocab.txt.
enum { END = 0, START = 2, SEPARATOR = 3, MASK = 4 };

typedef struct {
    ebm_noise_model *model;
    ebm_generator *generator;
    ebm_arena *arena;
    ebm_packing *packing;
    int32_t tokens[TEXTS * MOST_NEW], lengths[TEXTS];
} setup;

typedef struct {
    size_t slots;
    int top_k;
    float temperature;
    uint64_t seed;
    bool trained; // planned for training: its weights may change at any time, so they are not kept packed
    size_t block; // texts of a run; 0: all
} how;

static int32_t prompt_ids[TEXTS * LONGEST_PROMPT];
static ebm_prompt prompts[TEXTS];

// Lengths 1 to LONGEST_PROMPT, all tokens of the vocabulary, the start token last.
static void make_prompts(void)
{
    for (size_t i = 0; i < TEXTS; i++) {
        int32_t *ids = prompt_ids + i * LONGEST_PROMPT;
        const size_t count = 1 + i % LONGEST_PROMPT;
        for (size_t j = 0; j < count; j++) ids[j] = (int32_t)((7 * i + 13 * j + 5) % 50);
        ids[count - 1] = START;
        prompts[i] = (ebm_prompt){ids, count};
    }
}

static void open_from(setup *s, const char *folder, const how *h)
{
    const ebm_limits limits = {CAPACITY, SEQUENCES, false};
    const ebm_decoder_settings decoder = {.limits = {CAPACITY, SEQUENCES, h->trained},
                                          .slots = h->slots,
                                          .capacity = CAPACITY,
                                          .only_generates = !h->trained};
    const ebm_generator_settings settings = {.slots = h->slots,
                                             .capacity = CAPACITY,
                                             .block = h->block > 0 ? h->block : TEXTS,
                                             .ahead = h->block > 0 ? AHEAD : 0,
                                             .most_new = MOST_NEW,
                                             .prompt_limits = limits,
                                             .temperature = h->temperature,
                                             .top_k = h->top_k,
                                             .seed = h->seed};
    make_prompts();
    memset(s, 0, sizeof *s);
    assert_ok(ebm_noise_model_open(device, folder, &decoder, &s->model));
    s->arena = ebm_arena_create(device, "generation");
    assert_non_null(s->arena);
    assert_ok(ebm_generator_create(s->model, &settings, s->arena, &s->generator));
    assert_ok(ebm_packing_create(device, ebm_noise_model_config(s->model), &limits, s->arena, &s->packing));
    assert_ok(ebm_noise_model_allocate(s->model));
    assert_ok(ebm_arena_allocate(s->arena));
}

static void open_setup(setup *s, const how *h) { open_from(s, model_folder("gpt2"), h); }

static void free_setup(setup *s)
{
    ebm_packing_free(s->packing);
    ebm_generator_free(s->generator);
    ebm_noise_model_free(s->model);
    ebm_arena_free(s->arena);
}

// Tokens behind a text's end are what earlier texts left there: they are replaced by -1.
static void generate_before(setup *s, size_t first, size_t count, ebm_prompts following, bool allow_separator)
{
    assert_ok(
        ebm_generator_run(s->generator, (ebm_prompts){prompts + first, count}, following, first, allow_separator));
    memcpy(s->lengths, ebm_generator_lengths(s->generator), count * sizeof *s->lengths);
    assert_ok(ebm_slice_read(device, ebm_generator_tokens(s->generator), 0, count * MOST_NEW, s->tokens));
    for (size_t i = 0; i < count; i++)
        for (size_t j = s->lengths[i] < 0 ? MOST_NEW : (size_t)s->lengths[i]; j < MOST_NEW; j++)
            s->tokens[i * MOST_NEW + j] = -1;
}

static void generate(setup *s, size_t first, size_t count, bool allow_separator)
{
    generate_before(s, first, count, (ebm_prompts){0}, allow_separator);
}

static void assert_same_texts(const setup *a, size_t a_first, const setup *b, size_t b_first, size_t count)
{
    assert_memory_equal(a->lengths + a_first, b->lengths + b_first, count * sizeof *a->lengths);
    assert_memory_equal(a->tokens + a_first * MOST_NEW, b->tokens + b_first * MOST_NEW,
                        count * MOST_NEW * sizeof *a->tokens);
}

static void test_any_number_of_slots(void **state)
{
    static const size_t slots[] = {4, 7, 16};
    static const int top_ks[] = {20, 0};
    for (size_t k = 0; k < 2; k++) {
        setup one, other;
        open_setup(&one, &(how){1, top_ks[k], 1, 5, false, 0});
        generate(&one, 0, TEXTS, true);
        for (size_t i = 0; i < 3; i++) {
            open_setup(&other, &(how){slots[i], top_ks[k], 1, 5, false, 0});
            generate(&other, 0, TEXTS, true);
            assert_same_texts(&one, 0, &other, 0, TEXTS);
            free_setup(&other);
        }
        free_setup(&one);
    }
}

// A text is drawn by its number: in several runs, after other texts, it comes out the same; another seed gives others.
static void test_runs_in_pieces(void **state)
{
    setup whole, pieces, other;
    open_setup(&whole, &(how){7, 20, 1, 5, false, 0});
    open_setup(&pieces, &(how){7, 20, 1, 5, false, 0});
    open_setup(&other, &(how){7, 20, 1, 6, false, 0});
    generate(&whole, 0, TEXTS, false);
    generate(&other, 0, TEXTS, false);
    assert_true(memcmp(whole.tokens, other.tokens, sizeof whole.tokens) != 0);
    for (size_t first = 0; first < TEXTS; first += 5) {
        generate(&pieces, first, 5, false);
        assert_same_texts(&whole, first, &pieces, 0, 5);
    }
    generate(&whole, 0, 0, false);
    free_setup(&whole);
    free_setup(&pieces);
    free_setup(&other);
}

// Slots that a piece leaves idle begin with the next ones: the same texts in fewer steps. A run about other texts than
// those begun, with other bans, or behind which not all of those follow that are begun, forgets them.
static void test_begins_the_next_pieces(void **state)
{
    enum { PIECE = 5 };
    static const ebm_prompts none = {0};
    setup whole, pieces, apart;
    open_setup(&whole, &(how){7, 20, 1, 5, false, 0});
    open_setup(&pieces, &(how){7, 20, 1, 5, false, PIECE});
    open_setup(&apart, &(how){7, 20, 1, 5, false, PIECE});
    generate(&whole, 0, TEXTS, false);
    for (size_t first = 0; first < TEXTS; first += PIECE) {
        const size_t left = TEXTS - first - PIECE;
        const ebm_prompts following = {prompts + first + PIECE, left < AHEAD ? left : AHEAD};
        generate_before(&pieces, first, PIECE, following, false);
        assert_same_texts(&whole, first, &pieces, 0, PIECE);
        generate(&apart, first, PIECE, false);
    }
    assert_true(ebm_generator_sampled(pieces.generator) == ebm_generator_sampled(apart.generator));
    const uint64_t least = ebm_generator_steps(whole.generator);
    assert_true(3 * (ebm_generator_steps(pieces.generator) - least) < ebm_generator_steps(apart.generator) - least);
    generate_before(&pieces, 0, PIECE, (ebm_prompts){prompts + PIECE, PIECE}, false);
    generate_before(&pieces, 10, PIECE, none, false);
    assert_same_texts(&whole, 10, &pieces, 0, PIECE);
    generate_before(&pieces, 0, PIECE, (ebm_prompts){prompts + PIECE, PIECE}, true);
    generate_before(&pieces, 5, PIECE, none, false);
    assert_same_texts(&whole, 5, &pieces, 0, PIECE);
    generate_before(&pieces, 0, PIECE, (ebm_prompts){prompts + PIECE, AHEAD}, false);
    generate_before(&pieces, 5, PIECE, none, false);
    assert_same_texts(&whole, 5, &pieces, 0, PIECE);
    free_setup(&whole);
    free_setup(&pieces);
    free_setup(&apart);
}

// Logits of the last position of `ids`, uncached: the packed forward's hidden state times the embedding, in double.
static void uncached_logits(setup *s, const int32_t *ids, size_t count, const float *word, double *logits)
{
    const ebm_config *config = ebm_noise_model_config(s->model);
    const size_t C = config->hidden;
    const ebm_run run = {0};
    ebm_decoder *decoder = ebm_noise_model_decoder(s->model);
    ebm_batch batch;
    bool fits = false;
    ebm_packing_clear(s->packing, 0, 0);
    assert_ok(ebm_packing_add(s->packing, (ebm_sequence){ids, NULL, count}, &fits));
    assert_true(fits);
    assert_ok(ebm_packing_send(s->packing, &batch));
    assert_ok(ebm_decoder_forward(decoder, &batch, &run));
    float *hidden = calloc(C, sizeof *hidden);
    assert_ok(ebm_slice_read(device, ebm_decoder_output(decoder), (count - 1) * C, C, hidden));
    for (size_t v = 0; v < config->vocabulary; v++) {
        logits[v] = 0;
        for (size_t c = 0; c < C; c++) logits[v] += (double)hidden[c] * (double)word[v * C + c];
    }
    free(hidden);
}

// `chosen` has the largest logit of those that may be drawn; 2e-5: twice what test_decoder.c allows a logit.
static void assert_is_largest(const double *logits, size_t vocabulary, int32_t chosen)
{
    for (size_t v = 0; v < vocabulary; v++) {
        if (v == MASK || v == START || v == SEPARATOR) continue;
        if (logits[v] > logits[chosen] + 2e-5)
            fail_msg("token %zu has logit %.7g, %d was chosen with %.7g", v, logits[v], (int)chosen, logits[chosen]);
    }
}

static void check_greedy(setup *s, size_t text, const float *word)
{
    const size_t vocabulary = ebm_noise_model_config(s->model)->vocabulary;
    const bool ended = s->lengths[text] >= 0;
    const size_t drawn = ended ? (size_t)s->lengths[text] + 1 : MOST_NEW;
    int32_t ids[CAPACITY];
    size_t count = prompts[text].count;
    double *logits = calloc(vocabulary, sizeof *logits);
    memcpy(ids, prompts[text].ids, count * sizeof *ids);
    for (size_t i = 0; i < drawn; i++) {
        const int32_t token = ended && i + 1 == drawn ? END : s->tokens[text * MOST_NEW + i];
        uncached_logits(s, ids, count, word, logits);
        assert_is_largest(logits, vocabulary, token);
        ids[count++] = token;
    }
    free(logits);
}

static void test_greedy(void **state)
{
    setup s;
    open_setup(&s, &(how){7, 1, 1, 5, false, 0});
    generate(&s, 0, TEXTS, false);
    const ebm_parameter *word = ebm_parameters_find(ebm_noise_model_parameters(s.model), "transformer.wte.weight");
    float *embedding = read_floats(word->tensor->weight, word->rows * word->columns);
    for (size_t i = 0; i < TEXTS; i++) check_greedy(&s, i, embedding);
    free(embedding);
    free_setup(&s);
}

// At temperature 3 nearly every token has its chance: some texts end, others are cut at MOST_NEW tokens.
static void test_ends_and_bans(void **state)
{
    setup s;
    size_t separators[2] = {0}, ended = 0, cut = 0;
    uint64_t drawn = 0;
    open_setup(&s, &(how){7, 0, 3, 9, false, 0});
    for (int allowed = 0; allowed < 2; allowed++) {
        generate(&s, 0, TEXTS, allowed);
        for (size_t i = 0; i < TEXTS; i++) {
            const int32_t length = s.lengths[i];
            assert_true(length == -2 || (length >= 0 && length < MOST_NEW));
            if (length == -2)
                cut++;
            else
                ended++;
            drawn += length == -2 ? MOST_NEW : (uint64_t)length + 1;
            for (size_t j = 0; j < (length == -2 ? MOST_NEW : (size_t)length); j++) {
                const int32_t token = s.tokens[i * MOST_NEW + j];
                assert_true(token > 0 && token < 50 && token != END && token != START && token != MASK);
                separators[allowed] += token == SEPARATOR;
            }
        }
    }
    assert_int_equal(separators[0], 0);
    assert_true(separators[1] > 0);
    assert_true(ended > 0 && cut > 0);
    assert_true(ebm_generator_sampled(s.generator) == drawn);
    free_setup(&s);
}

static void test_refused(void **state)
{
    const int32_t ids[LONGEST_PROMPT + 1] = {0};
    const ebm_prompt empty = {ids, 0}, too_long = {ids, LONGEST_PROMPT + 1};
    const ebm_prompt some_good[] = {{ids, 3}, {ids, 2}, {ids, 1}, too_long};
    const ebm_limits limits = {CAPACITY, SEQUENCES, false};
    ebm_generator_settings settings = {4, CAPACITY, TEXTS, 0, CAPACITY, limits, 1, 20, 1};
    const ebm_prompts none_follow = {0};
    ebm_generator *none = NULL;
    ebm_noise_model *model = NULL;
    setup s;
    open_setup(&s, &(how){4, 20, 1, 1, false, 0});
    assert_fails(ebm_generator_run(s.generator, (ebm_prompts){&empty, 1}, none_follow, 0, false), EBM_ERROR_INPUT,
                 "a prompt of 0 tokens");
    assert_fails(ebm_generator_run(s.generator, (ebm_prompts){&too_long, 1}, none_follow, 0, false), EBM_ERROR_INPUT,
                 "from 1 to 10 fit");
    assert_fails(ebm_generator_run(s.generator, (ebm_prompts){some_good, 4}, none_follow, 0, false), EBM_ERROR_INPUT,
                 "a prompt of 11 tokens");
    assert_fails(ebm_generator_run(s.generator, (ebm_prompts){prompts, TEXTS + 1}, none_follow, 0, false),
                 EBM_ERROR_INPUT, "planned for 20");
    assert_fails(ebm_generator_create(s.model, &settings, s.arena, &none), EBM_ERROR_INPUT, "must be positive and fit");
    assert_null(none);
    const ebm_decoder_settings decoder = {limits, 4, 33, true};
    assert_fails(ebm_noise_model_open(device, model_folder("gpt2"), &decoder, &model), EBM_ERROR_INPUT,
                 "positions for 32");
    assert_null(model);
    // After a refusal the next run is as if nothing had happened.
    setup fresh;
    open_setup(&fresh, &(how){4, 20, 1, 1, false, 0});
    generate(&s, 0, TEXTS, true);
    generate(&fresh, 0, TEXTS, true);
    assert_same_texts(&s, 0, &fresh, 0, TEXTS);
    free_setup(&fresh);
    free_setup(&s);
}

static void test_saved_model_draws_the_same_texts(void **state)
{
    setup s, loaded;
    open_setup(&s, &(how){7, 20, 1, 5, false, 0});
    assert_ok(ebm_noise_model_save(s.model, *state));
    open_from(&loaded, *state, &(how){7, 20, 1, 5, false, 0});
    const ebm_noise_roles roles = ebm_noise_model_roles(loaded.model);
    assert_int_equal(roles.mask, MASK);
    assert_int_equal(roles.separator, SEPARATOR);
    assert_int_equal(roles.start, START);
    assert_int_equal(roles.end, END);
    generate(&s, 0, TEXTS, true);
    generate(&loaded, 0, TEXTS, true);
    assert_same_texts(&s, 0, &loaded, 0, TEXTS);
    free_setup(&s);
    free_setup(&loaded);
}

// Weights that are packed once give the bits of weights that every product packs anew.
static void test_packed_weights(void **state)
{
    static const int top_ks[] = {20, 0};
    for (size_t k = 0; k < 2; k++) {
        setup packed, unpacked;
        open_setup(&packed, &(how){7, top_ks[k], 1, 5, false, 0});
        open_setup(&unpacked, &(how){7, top_ks[k], 1, 5, true, 0});
        generate(&packed, 0, TEXTS, true);
        generate(&unpacked, 0, TEXTS, true);
        assert_same_texts(&packed, 0, &unpacked, 0, TEXTS);
        free_setup(&packed);
        free_setup(&unpacked);
    }
}

// Weights written between two runs count in the second, also where they or bounds made of them were kept.
static void test_changed_weights(void **state)
{
    static const int top_ks[] = {20, 0};
    for (size_t k = 0; k < 2; k++) {
        setup other, first, changed;
        open_setup(&other, &(how){7, top_ks[k], 1, 5, true, 0});
        open_setup(&first, &(how){7, top_ks[k], 1, 5, false, 0});
        open_setup(&changed, &(how){7, top_ks[k], 1, 5, false, 0});
        generate(&changed, 0, TEXTS, true);
        generate(&first, 0, TEXTS, true);
        assert_same_texts(&changed, 0, &first, 0, TEXTS);
        assert_ok(ebm_parameters_init(ebm_noise_model_parameters(other.model), 77));
        assert_ok(ebm_parameters_init(ebm_noise_model_parameters(changed.model), 77));
        generate(&other, 0, TEXTS, true);
        generate(&changed, 0, TEXTS, true);
        assert_same_texts(&other, 0, &changed, 0, TEXTS);
        assert_true(memcmp(first.tokens, changed.tokens, sizeof first.tokens) != 0);
        free_setup(&other);
        free_setup(&first);
        free_setup(&changed);
    }
}

// A decoder that only generates has no memory for losses, and says so.
static void test_no_losses(void **state)
{
    const int32_t targets[CAPACITY] = {0};
    const ebm_batch batch = {.tokens = 1, .sequences = 1};
    double sum;
    size_t count;
    float losses[CAPACITY];
    ebm_arena *arenas[EBM_DECODER_ARENAS], *more[EBM_DECODER_ARENAS];
    setup s, trained;
    open_setup(&s, &(how){4, 20, 1, 1, false, 0});
    open_setup(&trained, &(how){4, 20, 1, 1, true, 0});
    ebm_decoder *decoder = ebm_noise_model_decoder(s.model);
    assert_fails(ebm_decoder_loss(decoder, &batch, targets, 1, false, &sum, &count), EBM_ERROR_INPUT,
                 "planned to generate only");
    assert_fails(ebm_decoder_losses(decoder, &batch, targets, losses, &count), EBM_ERROR_INPUT,
                 "planned to generate only");
    const bool packs = strcmp(ebm_gemm_backend(device), "cpu") == 0 || strcmp(ebm_gemm_backend(device), "bf16") == 0;
    assert_int_equal(ebm_decoder_arenas(decoder, arenas), packs ? 2 : 1);
    assert_int_equal(ebm_decoder_arenas(ebm_noise_model_decoder(trained.model), more), 1);
    const uint64_t logits = 4 * 256 * ebm_noise_model_config(s.model)->vocabulary;
    assert_true(ebm_arena_bytes(arenas[0]) + logits < ebm_arena_bytes(more[0]));
    free_setup(&s);
    free_setup(&trained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_number_of_slots),
        cmocka_unit_test(test_runs_in_pieces),
        cmocka_unit_test(test_begins_the_next_pieces),
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_ends_and_bans),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_packed_weights),
        cmocka_unit_test(test_changed_weights),
        cmocka_unit_test(test_no_losses),
        in_own_folder(test_saved_model_draws_the_same_texts),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
