// Top-k sampling by bounds of the logits, against the logits in double precision.
#include "screen.h"

#include "launch.h"
#include "on_device.h"
#include "reference_sampling.h"

enum { IDLE = -7 }; // what an idle slot held before

typedef struct {
    size_t slots, vocabulary, channels, banned_count;
    int top_k;
    float *hidden, *word;
    double *logits; // of one slot
    uint32_t *texts;
    int32_t *positions, *next, banned[3];
} problem;

static problem make_problem(size_t slots, size_t vocabulary, size_t channels, int top_k, size_t banned_count)
{
    problem p = {slots, vocabulary, channels, banned_count, top_k, NULL, NULL, NULL, NULL, NULL, NULL, {0}};
    uint32_t state = (uint32_t)(slots * 7 + vocabulary + channels);
    p.hidden = host_array(slots * channels, sizeof *p.hidden);
    p.word = host_array(vocabulary * channels, sizeof *p.word);
    p.logits = host_array(vocabulary, sizeof *p.logits);
    p.texts = host_array(slots, sizeof *p.texts);
    p.positions = host_array(slots, sizeof *p.positions);
    p.next = host_array(slots, sizeof *p.next);
    for (size_t i = 0; i < slots * channels; i++) p.hidden[i] = pseudo(&state, 2);
    for (size_t i = 0; i < vocabulary * channels; i++) p.word[i] = pseudo(&state, 0.3f);
    for (size_t s = 0; s < slots; s++) {
        p.texts[s] = 0xFFFFFF00u + (uint32_t)(s * 37);
        p.positions[s] = s % 5 == 4 ? -1 : (int32_t)(s * 5 % 1024);
        p.next[s] = IDLE;
    }
    for (size_t b = 0; b < 3; b++) p.banned[b] = (int32_t)(b * 5 % vocabulary);
    return p;
}

static void free_problem(problem *p)
{
    free(p->hidden), free(p->word), free(p->logits), free(p->texts), free(p->positions), free(p->next);
}

static ebm_sampling sampling_of(const problem *p)
{
    return (ebm_sampling){0.8f, p->top_k, 0x123456789ABCDEFull, 3, put(p->banned, 3), p->banned_count};
}

static void draw(problem *p, const ebm_sampling *how)
{
    ebm_screen *screen = NULL;
    ebm_arena *arena = ebm_arena_create(device, "screen");
    assert_non_null(arena);
    assert_ok(ebm_screen_create(device, arena, p->slots, p->vocabulary, p->channels, &screen));
    assert_ok(ebm_arena_allocate(arena));
    const ebm_slice next = put(p->next, p->slots), texts = put(p->texts, p->slots);
    const ebm_slice hidden = put(p->hidden, p->slots * p->channels), positions = put(p->positions, p->slots);
    ebm_slice word = put(p->word, p->vocabulary * p->channels);
    word.count = p->vocabulary * p->channels; // without its guard zone
    assert_ok(ebm_screen_take(screen, word));
    assert_ok(ebm_screen_sample(screen, next, hidden, texts, positions, how));
    get(next, p->slots, p->next);
    ebm_screen_free(screen);
    ebm_arena_free(arena);
}

static void exact_logits(problem *p, size_t slot)
{
    for (size_t v = 0; v < p->vocabulary; v++) {
        p->logits[v] = 0;
        for (size_t c = 0; c < p->channels; c++)
            p->logits[v] += (double)p->hidden[slot * p->channels + c] * (double)p->word[v * p->channels + c];
    }
}

static void check_draws(problem *p)
{
    const ebm_sampling how = sampling_of(p);
    ebm_candidate *list = host_array(p->vocabulary, sizeof *list);
    double *probability = host_array(p->vocabulary, sizeof *probability);
    draw(p, &how);
    for (size_t s = 0; s < p->slots; s++) {
        if (p->positions[s] < 0) {
            assert_int_equal(p->next[s], IDLE);
            continue;
        }
        exact_logits(p, s);
        const size_t count = ebm_reference_candidates(list, p->logits, p->vocabulary, &how, p->banned);
        ebm_reference_probabilities(probability, list, count, &how);
        if (!ebm_reference_is_drawn(p->next[s], list, probability, count,
                                    ebm_reference_uniform(&how, p->texts[s], p->positions[s])))
            fail_msg("slot %zu of %zu, V %zu, C %zu, k %d: token %d is not the one its number asks for", s, p->slots,
                     p->vocabulary, p->channels, p->top_k, p->next[s]);
    }
    free(list), free(probability);
}

static void test_draws(void **state)
{
    const size_t slots[] = {1, 8, 13, 64}, vocabularies[] = {1, 2, 15, 49, 257, 1000, 3001}, channels[] = {16, 96, 384};
    const int top_k[] = {1, 20, 64};
    for (size_t s = 0; s < 4; s++)
        for (size_t v = 0; v < 7; v++)
            for (size_t k = 0; k < 3; k++) {
                problem p = make_problem(slots[s], vocabularies[v], channels[(s + v + k) % 3], top_k[k], (s + k) % 4);
                check_draws(&p);
                free_problem(&p);
                free_slices(state);
            }
}

static void test_whole_vocabulary(void **state)
{
    (void)state;
    problem p = make_problem(64, 30522, 384, 20, 2);
    check_draws(&p);
    free_problem(&p);
}

// The worst for rounding: one element a hundred times the others in every row, so that those have few steps left.
static void test_rows_with_one_large_element(void **state)
{
    (void)state;
    problem p = make_problem(9, 2000, 64, 20, 0);
    for (size_t s = 0; s < p.slots; s++) p.hidden[s * p.channels + 5] = 200;
    for (size_t v = 0; v < p.vocabulary; v++) p.word[v * p.channels + 40] = v % 2 ? 30.0f : -30.0f;
    check_draws(&p);
    free_problem(&p);
}

// Logits that no bound can tell apart: all of one sign and nearly equal.
static void test_crowded_logits(void **state)
{
    (void)state;
    problem p = make_problem(9, 1500, 64, 20, 0);
    uint32_t seed = 3;
    for (size_t v = 0; v < p.vocabulary; v++)
        for (size_t c = 0; c < p.channels; c++) p.word[v * p.channels + c] = p.word[c] + pseudo(&seed, 1e-3f);
    check_draws(&p);
    free_problem(&p);
}

// Equal logits go by id, zeros too, so that with one candidate the first id that is not banned is drawn.
static void test_ties(void **state)
{
    (void)state;
    for (int zero = 0; zero < 3; zero++) {
        problem p = make_problem(3, 500, 48, 1, 1);
        for (size_t v = 0; v < p.vocabulary; v++)
            for (size_t c = 0; c < p.channels; c++) p.word[v * p.channels + c] = zero == 1 ? 0 : p.word[c];
        if (zero == 2) memset(p.hidden, 0, p.slots * p.channels * sizeof *p.hidden);
        const ebm_sampling how = sampling_of(&p);
        draw(&p, &how);
        for (size_t s = 0; s < p.slots; s++) assert_int_equal(p.next[s], 1); // 0 is banned
        free_problem(&p);
        free_slices(state);
    }
}

// A state that is no number draws nothing, and the others as ever.
static void test_not_a_number(void **state)
{
    (void)state;
    problem p = make_problem(3, 200, 32, 20, 0);
    p.hidden[p.channels + 3] = NAN;
    p.positions[1] = 0;
    p.positions[2] = -1; // check_draws has no logits for NaN
    const ebm_sampling how = sampling_of(&p);
    draw(&p, &how);
    assert_int_equal(p.next[1], -1);
    assert_true(p.next[0] >= 0 && p.next[0] < 200);
    free_problem(&p);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    ebm_screen *screen = NULL;
    ebm_arena *arena = ebm_arena_create(device, "screen");
    const ebm_slice many = put(NULL, 1000);
    ebm_sampling how = {1, 20, 7, 0, many, 0};
    assert_fails(ebm_screen_create(device, arena, 2, 10, 24, &screen), EBM_ERROR_INPUT, "a multiple of 16");
    assert_fails(ebm_screen_create(device, arena, 0, 10, 16, &screen), EBM_ERROR_INPUT, "0 slots");
    assert_ok(ebm_screen_create(device, arena, 2, 10, 16, &screen));
    assert_ok(ebm_arena_allocate(arena));
    assert_fails(ebm_screen_sample(screen, many, many, many, many, &how), EBM_ERROR_INPUT, "no embedding taken");
    assert_fails(ebm_screen_take(screen, many), EBM_ERROR_INPUT, "for 10 tokens of 16");
    ebm_slice word = put(NULL, 160);
    word.count = 160;
    assert_ok(ebm_screen_take(screen, word));
    how.top_k = 0;
    assert_fails(ebm_screen_sample(screen, many, many, many, many, &how), EBM_ERROR_INPUT, "top k of 1");
    how.top_k = 65;
    assert_fails(ebm_screen_sample(screen, many, many, many, many, &how), EBM_ERROR_INPUT, "found 65");
    ebm_screen_free(screen);
    ebm_arena_free(arena);
}

static void test_what_is_possible(void **state)
{
    (void)state;
    assert_false(ebm_screen_is_possible(device, 24));
    assert_true(ebm_screen_is_possible(device, 48));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_draws, free_slices),
        cmocka_unit_test_teardown(test_whole_vocabulary, free_slices),
        cmocka_unit_test_teardown(test_rows_with_one_large_element, free_slices),
        cmocka_unit_test_teardown(test_crowded_logits, free_slices),
        cmocka_unit_test_teardown(test_ties, free_slices),
        cmocka_unit_test_teardown(test_not_a_number, free_slices),
        cmocka_unit_test_teardown(test_bad_arguments, free_slices),
        cmocka_unit_test_teardown(test_what_is_possible, free_slices),
    };
    ebm_device *probe = NULL;
    assert_ok(ebm_device_open(NULL, &probe));
    const bool possible = ebm_screen_is_possible(probe, 16);
    ebm_device_free(probe);
    if (!possible) {
        printf("needs AVX512-VNNI, vectors of 16 and a driver that compiles instructions of the processor\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, open_device, close_device);
}
