#include "reference_sampling.h"

#include "on_device.h"

static size_t candidates_of_floats(ebm_candidate *list, const float *f, size_t vocabulary, const ebm_sampling *s,
                                   const int32_t *banned)
{
    double *wide = host_array(vocabulary, sizeof *wide);
    for (size_t v = 0; v < vocabulary; v++) wide[v] = (double)f[v];
    const size_t count = ebm_reference_candidates(list, wide, vocabulary, s, banned);
    free(wide);
    return count;
}

static void draw(int32_t *next, const float *f, const uint32_t *texts, const int32_t *positions, size_t slots,
                 size_t vocabulary, const ebm_sampling *s)
{
    const ebm_slice out = put(next, slots);
    assert_ok(ebm_sample(device, out, put(f, slots * vocabulary), put(texts, slots), put(positions, slots), slots,
                         vocabulary, s));
    get(out, slots, next);
}

enum { IDLE = -7 }; // what an idle slot held before

// Random logits, some rounded so that ties occur at every threshold; every third slot idle; each token must be the one
// its random number asks for.
static void check_draws(size_t slots, size_t vocabulary, int top_k, float temperature, size_t banned_count, bool ties)
{
    float *f = host_array(slots * vocabulary, 4);
    uint32_t *texts = host_array(slots, 4), state = (uint32_t)(slots + vocabulary * 3);
    int32_t *positions = host_array(slots, 4), *next = host_array(slots, 4), banned[4];
    ebm_candidate *list = host_array(vocabulary, sizeof *list);
    double *p = host_array(vocabulary, sizeof *p);
    for (size_t i = 0; i < slots * vocabulary; i++) f[i] = ties ? floorf(pseudo(&state, 4)) : pseudo(&state, 10);
    for (size_t s = 0; s < slots; s++) {
        texts[s] = 0xFFFFFF00u + (uint32_t)(s * 37); // the index needs more than 32 bits
        positions[s] = s % 3 == 2 ? -1 : (int32_t)(s * 5 % 1024);
        next[s] = IDLE;
    }
    for (size_t b = 0; b < 4; b++) banned[b] = (int32_t)(b * 5 % vocabulary);
    const ebm_sampling how = {temperature, top_k, 0x123456789ABCDEFull, 3, put(banned, 4), banned_count};
    draw(next, f, texts, positions, slots, vocabulary, &how);
    for (size_t s = 0; s < slots; s++) {
        if (positions[s] < 0) {
            assert_int_equal(next[s], IDLE);
            continue;
        }
        const size_t count = candidates_of_floats(list, f + s * vocabulary, vocabulary, &how, banned);
        ebm_reference_probabilities(p, list, count, &how);
        if (!ebm_reference_is_drawn(next[s], list, p, count, ebm_reference_uniform(&how, texts[s], positions[s])))
            fail_msg("slot %zu of %zu, V %zu, k %d: token %d is not the one its number asks for", s, slots, vocabulary,
                     top_k, next[s]);
    }
    free(f), free(texts), free(positions), free(next), free(list), free(p);
}

static void test_draws(void **state)
{
    const size_t slots[] = {1, 15, 17, 33}, vocabularies[] = {1, 2, 15, 20, 65, 257, 1000};
    const int top_k[] = {0, 1, 5, 20, 64};
    for (size_t s = 0; s < (small_test() ? 2 : 4); s++)
        for (size_t v = 0; v < (small_test() ? 5 : 7); v++)
            for (size_t k = 0; k < 5; k += small_test() ? 2 : 1) {
                check_draws(slots[s], vocabularies[v], top_k[k], 1, 0, false);
                check_draws(slots[s], vocabularies[v], top_k[k], 0.5f, 2, true);
                check_draws(slots[s], vocabularies[v], top_k[k], 2, 4, k % 2);
                free_slices(state);
            }
}

static void test_whole_vocabulary(void **state)
{
    (void)state;
    if (small_test()) return;
    const int top_k[] = {0, 1, 20, 64};
    for (size_t k = 0; k < 4; k++) {
        check_draws(5, 30522, top_k[k], 1, 2, false);
        check_draws(5, 30522, top_k[k], 0.7f, 2, true); // thousands of equal logits: more than fit the candidate list
    }
}

// Draws from one row of logits, counted against the softmax: chi-square over cells with at least 8 expected,
// the rest in one. Limit: 5 deviations of the chi-square distribution above its mean; the seed is fixed.
static void check_frequencies(size_t vocabulary, int top_k, float temperature, size_t draws)
{
    enum { SLOTS = 10 };
    const size_t rounds = draws / SLOTS;
    float *f = host_array(SLOTS * vocabulary, 4);
    ebm_candidate *list = host_array(vocabulary, sizeof *list);
    double *p = host_array(vocabulary, sizeof *p), *counted = host_array(vocabulary, sizeof *counted);
    const int32_t banned[2] = {2, 3}, positions[SLOTS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint32_t state = 11, texts[SLOTS];
    for (size_t v = 0; v < vocabulary; v++) f[v] = pseudo(&state, 3);
    for (size_t s = 1; s < SLOTS; s++) memcpy(f + s * vocabulary, f, vocabulary * sizeof *f);
    const ebm_sampling how = {temperature, top_k, 99, 0, put(banned, 2), 2};
    int32_t next[SLOTS];
    const ebm_slice out = put(NULL, SLOTS), logits = put(f, SLOTS * vocabulary), text = put(NULL, SLOTS);
    const ebm_slice position = put(positions, SLOTS);
    for (size_t r = 0; r < rounds; r++) {
        for (size_t s = 0; s < SLOTS; s++) texts[s] = (uint32_t)r;
        assert_ok(ebm_slice_write(device, text, 0, SLOTS, texts));
        assert_ok(ebm_sample(device, out, logits, text, position, SLOTS, vocabulary, &how));
        assert_ok(ebm_slice_read(device, out, 0, SLOTS, next));
        for (size_t s = 0; s < SLOTS; s++) counted[next[s]]++;
    }
    const size_t count = candidates_of_floats(list, f, vocabulary, &how, banned);
    ebm_reference_probabilities(p, list, count, &how);
    double chi = 0, rest_expected = 0, rest_counted = 0, seen = 0;
    size_t cells = 0;
    for (size_t i = 0; i < count; i++) {
        const double expected = p[i] * (double)draws, found = counted[list[i].id];
        seen += found;
        if (expected < 8)
            rest_expected += expected, rest_counted += found;
        else
            chi += (found - expected) * (found - expected) / expected, cells++;
    }
    if (rest_expected > 0)
        chi += (rest_counted - rest_expected) * (rest_counted - rest_expected) / rest_expected, cells++;
    if (seen != (double)draws) fail_msg("of %zu draws %g were among the candidates", draws, seen);
    const double freedom = (double)cells - 1, limit = freedom + 5 * sqrt(2 * freedom);
    if (chi > limit) fail_msg("V %zu, k %d: chi-square %g above %g", vocabulary, top_k, chi, limit);
    free(f), free(list), free(p), free(counted);
}

static void test_frequencies(void **state)
{
    (void)state;
    const size_t draws = is_slow_form(device) ? 20000 : 100000;
    if (small_test()) return;
    check_frequencies(20, 20, 1, draws);
    check_frequencies(20, 5, 0.7f, draws);
    check_frequencies(20, 0, 1, draws);
    check_frequencies(1000, 20, 1, draws);
    check_frequencies(1000, 64, 2, draws);
    check_frequencies(1000, 0, 1, draws);
}

static void test_frequencies_of_a_whole_vocabulary(void **state)
{
    (void)state;
    if (small_test()) return;
    check_frequencies(30522, 20, 1, is_slow_form(device) ? 10000 : 100000);
}

static void test_slot_does_not_matter(void **state)
{
    (void)state;
    enum { SLOTS = 8, V = 300 };
    float f[SLOTS * V];
    uint32_t seed = 5, texts[SLOTS], turned_texts[SLOTS];
    int32_t positions[SLOTS], turned_positions[SLOTS], next[SLOTS] = {0}, turned_next[SLOTS] = {0};
    for (size_t v = 0; v < V; v++) f[v] = pseudo(&seed, 2);
    for (size_t s = 0; s < SLOTS; s++) {
        memcpy(f + s * V, f, V * sizeof *f);
        texts[s] = (uint32_t)s * 3, positions[s] = (int32_t)s;
    }
    for (size_t s = 0; s < SLOTS; s++) {
        turned_texts[s] = texts[(s + 3) % SLOTS];
        turned_positions[s] = positions[(s + 3) % SLOTS];
    }
    const int top_k[2] = {0, 20};
    for (int k = 0; k < 2; k++) {
        const ebm_sampling how = {1, top_k[k], 7, 0, put(NULL, 0), 0};
        draw(next, f, texts, positions, SLOTS, V, &how);
        draw(turned_next, f, turned_texts, turned_positions, SLOTS, V, &how);
        bool all_equal = true;
        for (size_t s = 0; s < SLOTS; s++) {
            assert_int_equal(turned_next[s], next[(s + 3) % SLOTS]);
            all_equal &= next[s] == next[0];
        }
        assert_false(all_equal);
    }
}

static int32_t draw_one(const float *f, size_t vocabulary, const ebm_sampling *how)
{
    const uint32_t text = 4;
    const int32_t position = 9;
    int32_t next = IDLE;
    draw(&next, f, &text, &position, 1, vocabulary, how);
    return next;
}

static void test_edges(void **state)
{
    (void)state;
    enum { V = 70 };
    float f[V];
    const int32_t banned[3] = {40, 41, 69};
    const int top_k[3] = {0, 1, 20};
    for (int k = 0; k < 3; k++) {
        const ebm_sampling how = {1, top_k[k], 7, 0, put(banned, 3), 3};
        for (size_t v = 0; v < V; v++) f[v] = v == 40 || v == 69 ? 1e4f : v == 17 ? 50 : -50;
        assert_int_equal(draw_one(f, V, &how), 17); // the largest that is not banned
        f[17] = -1e30f;
        for (size_t v = 0; v < V; v++) f[v] = v == 68 ? -1e30f : -INFINITY;
        assert_int_equal(draw_one(f, V, &how), 68); // the only one left
        for (size_t v = 0; v < V; v++) f[v] = v == 41 ? 0 : v % 2 ? NAN : -INFINITY;
        assert_int_equal(draw_one(f, V, &how), -1); // none left
    }
    const ebm_sampling greedy = {1e-3f, 64, 7, 0, put(NULL, 0), 0};
    for (size_t v = 0; v < V; v++) f[v] = v == 33 ? 1.5f : 1;
    assert_int_equal(draw_one(f, V, &greedy), 33);
    const ebm_sampling first_of_equals = {1, 1, 7, 0, put(NULL, 0), 0};
    for (size_t v = 0; v < V; v++) f[v] = v == 21 || v == 22 || v == 60 ? 3 : 1;
    assert_int_equal(draw_one(f, V, &first_of_equals), 21);
}

static void test_map_ids(void **state)
{
    (void)state;
    const size_t counts[] = {1, 15, 17, 65};
    const int32_t map[5] = {10, 11, -1, 13, 14};
    for (size_t c = 0; c < 4; c++) {
        int32_t in[65], out[65];
        for (size_t i = 0; i < counts[c]; i++) in[i] = (int32_t)(i % 7) - 1;
        const ebm_slice from = put(in, counts[c]), to = put(NULL, counts[c]);
        ebm_slice table = put(map, 5);
        table.count = 5; // without its guard zone
        assert_ok(ebm_map_ids(device, to, from, table, counts[c]));
        assert_ok(ebm_map_ids(device, from, from, table, counts[c]));
        get(to, counts[c], out);
        get(from, counts[c], in);
        for (size_t i = 0; i < counts[c]; i++) {
            const int32_t id = (int32_t)(i % 7) - 1, expected = id >= 0 && id < 5 ? map[id] : -1;
            assert_int_equal(out[i], expected);
            assert_int_equal(in[i], expected);
        }
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    const ebm_slice many = put(NULL, 100);
    ebm_sampling how = {0, 20, 7, 0, many, 0};
    assert_fails(ebm_sample(device, many, many, many, many, 1, 10, &how), EBM_ERROR_INPUT, "temperature");
    how.temperature = 1, how.top_k = 65;
    assert_fails(ebm_sample(device, many, many, many, many, 1, 10, &how), EBM_ERROR_INPUT, "0 (all) to 64, found 65");
    how.top_k = 20, how.banned_count = 17;
    assert_fails(ebm_sample(device, many, many, many, many, 1, 10, &how), EBM_ERROR_INPUT, "17 banned ids");
    how.banned_count = 0;
    assert_fails(ebm_sample(device, many, many, many, many, 20, 10, &how), EBM_ERROR_INPUT, "20 slots do not fit");
    assert_ok(ebm_sample(device, many, many, many, many, 0, 10, &how));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_draws, free_slices),
        cmocka_unit_test_teardown(test_whole_vocabulary, free_slices),
        cmocka_unit_test_teardown(test_frequencies, free_slices),
        cmocka_unit_test_teardown(test_frequencies_of_a_whole_vocabulary, free_slices),
        cmocka_unit_test_teardown(test_slot_does_not_matter, free_slices),
        cmocka_unit_test_teardown(test_edges, free_slices),
        cmocka_unit_test_teardown(test_map_ids, free_slices),
        cmocka_unit_test_teardown(test_bad_arguments, free_slices),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
