// Masks for masked language modelling, on the host alone: how many, of which tokens, what becomes of them.
#include <math.h>

#include "check.h"
#include "encoded.h"
#include "masking.h"
#include "small_task.h"

enum { TEXTS = 400 };

typedef struct {
    ebm_tokenizer *tokenizer;
    ebm_dataset *rows;
    ebm_encoded *encoded;
    ebm_sequence texts[TEXTS];
    ebm_masking *masking;
} fixture;

static void open_fixture(fixture *f, double probability)
{
    f->tokenizer = small_tokenizer(false);
    f->rows = small_texts(SMALL_PAIRS, TEXTS, 5);
    assert_ok(ebm_encoded_create(f->rows, f->tokenizer, 64, &f->encoded));
    for (size_t i = 0; i < TEXTS; i++) f->texts[i] = ebm_encoded_sequence(f->encoded, i);
    assert_ok(ebm_masking_create(f->tokenizer, probability, 3, 100, &f->masking));
}

static void close_fixture(fixture *f)
{
    ebm_masking_free(f->masking);
    ebm_encoded_free(f->encoded);
    ebm_dataset_free(f->rows);
    ebm_tokenizer_free(f->tokenizer);
}

// Of how many tokens that may be masked what became; every rule that holds for each text is checked on the way.
typedef struct {
    double tokens, chosen, mask, kept, other;
} shares;

static size_t find_text(const fixture *f, const ebm_masked_texts *m, size_t i, size_t from)
{
    for (; from < TEXTS; from++) { // the same text, but for what was masked
        const ebm_sequence text = f->texts[from], masked = m->sequence[i];
        bool same = text.count == masked.count && text.types == masked.types;
        for (size_t t = 0; same && t < text.count; t++)
            same = m->target[i][t] < 0 ? text.ids[t] == masked.ids[t] : text.ids[t] == m->target[i][t];
        if (same) return from;
    }
    fail_msg("masked text %zu is none of the texts", i);
    return TEXTS;
}

static void count_text(const fixture *f, const ebm_masked_texts *m, size_t i, shares *s)
{
    const int32_t mask = ebm_tokenizer_special(f->tokenizer, EBM_TOKEN_MASK);
    size_t chosen = 0;
    for (size_t t = 0; t < m->sequence[i].count; t++) {
        const int32_t now = m->sequence[i].ids[t], target = m->target[i][t];
        if (target < 0) continue;
        assert_false(ebm_tokenizer_is_special(f->tokenizer, target));
        assert_true(now >= 0 && (size_t)now < ebm_tokenizer_size(f->tokenizer));
        chosen++;
        s->mask += now == mask;
        s->kept += now == target;
        s->other += now != mask && now != target;
    }
    assert_int_equal(chosen, m->masked[i]);
    assert_true(chosen > 0);
    s->chosen += (double)chosen;
}

static shares count(const fixture *f, const ebm_masked_texts *m)
{
    shares s = {0};
    for (size_t i = 0; i < TEXTS; i++)
        for (size_t t = 0; t < f->texts[i].count; t++)
            s.tokens += !ebm_tokenizer_is_special(f->tokenizer, f->texts[i].ids[t]);
    for (size_t i = 0, from = 0; i < m->count; i++) {
        from = find_text(f, m, i, from) + 1; // in their order
        if (i > 0) assert_ptr_equal(m->target[i], m->target[i - 1] + m->sequence[i - 1].count);
        count_text(f, m, i, &s);
    }
    assert_int_equal((size_t)s.chosen, m->positions);
    return s;
}

// Within four deviations of n draws with probability p.
static void assert_share(const char *what, double hits, double n, double p)
{
    if (fabs(hits - n * p) > 4 * sqrt(n * p * (1 - p)))
        fail_msg("%s: %g of %g, expected about %g", what, hits, n, n * p);
}

static void tokens_are_masked_as_often_as_said(void **state)
{
    fixture f;
    ebm_masked_texts m;
    open_fixture(&f, 0.15);
    assert_ok(ebm_masking_draw(f.masking, f.texts, TEXTS, 7, &m));
    const shares s = count(&f, &m);
    const double vocabulary = (double)ebm_tokenizer_size(f.tokenizer);
    assert_true(s.tokens > 3000 && m.count < TEXTS && m.most_positions == 100);
    assert_share("chosen", s.chosen, s.tokens, 0.15);
    assert_share("mask tokens", s.mask, s.chosen, 0.8 + 0.1 / vocabulary);
    assert_share("kept", s.kept, s.chosen, 0.1 + 0.1 / vocabulary);
    assert_share("replaced", s.other, s.chosen, 0.1 * (1 - 2 / vocabulary));
    close_fixture(&f);
}

static void probability_one_masks_all_but_special_tokens(void **state)
{
    fixture f;
    ebm_masked_texts m;
    open_fixture(&f, 1);
    assert_ok(ebm_masking_draw(f.masking, f.texts, TEXTS, 0, &m));
    const shares s = count(&f, &m);
    assert_true(s.chosen == s.tokens && m.count == TEXTS);
    close_fixture(&f);
}

static bool is_same(const ebm_masked_texts *m, const int32_t *ids, const int32_t *target, size_t tokens)
{
    return memcmp(m->sequence[0].ids, ids, tokens * sizeof *ids) == 0 &&
           memcmp(m->target[0], target, tokens * sizeof *target) == 0;
}

// The same step the same masks, whatever was drawn in between; another step, others. A text's masks depend on its place
// in the list, not on the texts before it.
static void masks_are_drawn_anew_for_each_step(void **state)
{
    fixture f;
    ebm_masked_texts m;
    open_fixture(&f, 0.5);
    assert_ok(ebm_masking_draw(f.masking, f.texts, 20, 7, &m));
    const size_t tokens = m.sequence[0].count;
    int32_t ids[64], target[64];
    memcpy(ids, m.sequence[0].ids, tokens * sizeof *ids);
    memcpy(target, m.target[0], tokens * sizeof *target);
    assert_ok(ebm_masking_draw(f.masking, f.texts, TEXTS, 8, &m)); // needs more memory
    assert_false(is_same(&m, ids, target, tokens));
    assert_ok(ebm_masking_draw(f.masking, f.texts, TEXTS, 7, &m));
    assert_true(is_same(&m, ids, target, tokens));
    assert_ok(ebm_masking_draw(f.masking, f.texts, 0, 7, &m));
    assert_int_equal(m.count + m.positions, 0);
    close_fixture(&f);
}

static void what_is_refused(void **state)
{
    ebm_tokenizer *tokenizer = small_tokenizer(false);
    ebm_masking *m = NULL;
    assert_fails(ebm_masking_create(tokenizer, 0, 1, 9, &m), EBM_ERROR_INPUT, "above 0, at most 1 expected");
    assert_fails(ebm_masking_create(tokenizer, 1.5, 1, 9, &m), EBM_ERROR_INPUT, "found 1.5");
    assert_fails(ebm_masking_create(tokenizer, (double)NAN, 1, 9, &m), EBM_ERROR_INPUT, "found nan");
    assert_null(m);
    ebm_masking_free(NULL);
    ebm_tokenizer_free(tokenizer);
}

static void positions_are_planned(void **state)
{
    assert_int_equal(ebm_masking_positions(8192, 128, 0.15), 1391); // 1228.8 + 5 * 32.3
    assert_int_equal(ebm_masking_positions(8192, 8192, 0.15), 8192);
    assert_int_equal(ebm_masking_positions(8192, 128, 1), 8192);
    assert_int_equal(ebm_masking_positions(100, 512, 0.01), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_masked_as_often_as_said),
        cmocka_unit_test(probability_one_masks_all_but_special_tokens),
        cmocka_unit_test(masks_are_drawn_anew_for_each_step),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(positions_are_planned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
