// The noise model's texts and their masked prefixes, on the host alone.
#include <math.h>

#include "check.h"
#include "small_task.h"

enum { MASKS = 4000 };

typedef struct {
    ebm_tokenizer *tokenizer;
    ebm_noise_roles roles;
    ebm_dataset *rows;
    ebm_noise_texts *texts;
} fixture;

static void open_fixture(fixture *f, ebm_dataset *rows)
{
    f->tokenizer = small_tokenizer(false);
    f->roles = (ebm_noise_roles){
        .mask = ebm_tokenizer_special(f->tokenizer, EBM_TOKEN_MASK),
        .separator = ebm_tokenizer_special(f->tokenizer, EBM_TOKEN_SEP),
        .start = ebm_tokenizer_special(f->tokenizer, EBM_TOKEN_CLS),
        .end = ebm_tokenizer_special(f->tokenizer, EBM_TOKEN_PAD),
    };
    f->rows = rows;
    assert_ok(ebm_noise_texts_create(rows, f->tokenizer, f->roles, &f->texts));
}

static void close_fixture(fixture *f)
{
    ebm_noise_texts_free(f->texts);
    ebm_dataset_free(f->rows);
    ebm_tokenizer_free(f->tokenizer);
}

static ebm_dataset *one_text(const char *a, const char *b)
{
    ebm_dataset *rows = NULL;
    assert_ok(ebm_dataset_create(NULL, &rows));
    assert_ok(ebm_dataset_add(rows, a, b, -1, 1));
    return rows;
}

static void expect_ids(const fixture *f, const int32_t *ids, size_t count, const char *words)
{
    char *copy = strdup(words), *rest = copy;
    size_t at = 0;
    for (char *word; (word = strsep(&rest, " "));)
        if (*word) {
            if (at >= count || ids[at] != ebm_tokenizer_id(f->tokenizer, word))
                fail_msg("token %zu of '%s' is %s", at, words,
                         at < count ? ebm_tokenizer_text(f->tokenizer, ids[at]) : "missing");
            at++;
        }
    assert_int_equal(at, count);
    free(copy);
}

static void expect_text(const char *a, const char *b, const char *words)
{
    fixture f;
    size_t count = 0;
    open_fixture(&f, one_text(a, b));
    const int32_t *ids = ebm_noise_texts_view(f.texts, 0, &count);
    expect_ids(&f, ids, count, words);
    close_fixture(&f);
}

static void pairs_are_joined_and_roles_are_unknown(void **state)
{
    (void)state;
    expect_text("The nice  cat", NULL, "the nice cat");
    expect_text("the nice cat", "a dog", "the nice cat [SEP] a dog");
    expect_text("the platypus sees", NULL, "the [UNK] sees");
    expect_text("the [SEP] cat [MASK] [PAD] sees [CLS]", NULL, "the [UNK] cat [UNK] [UNK] sees [UNK]");
}

// 256 tokens hold a prefix of 128, start, text and end: 126 of a single text, 62 of each side of a pair.
static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[4 * 400 + 1] = "";
    for (int i = 0; i < 400; i++) strcat(text, "cat ");
    fixture f;
    size_t count = 0;
    int32_t prefix[EBM_NOISE_MAX_PREFIX];
    open_fixture(&f, one_text(text, NULL));
    ebm_noise_texts_view(f.texts, 0, &count);
    assert_int_equal(count, 126);
    assert_int_equal(ebm_noise_mask(f.texts, 0, 0, 1, 0, prefix), 126);
    close_fixture(&f);
    open_fixture(&f, one_text(text, text));
    const int32_t *ids = ebm_noise_texts_view(f.texts, 0, &count);
    assert_int_equal(count, 62 + 1 + 62);
    assert_int_equal(ids[62], f.roles.separator);
    close_fixture(&f);
}

static void masks_of_all_and_of_nothing(void **state)
{
    (void)state;
    fixture f;
    int32_t prefix[EBM_NOISE_MAX_PREFIX];
    open_fixture(&f, one_text("the nice cat sees", "a dog"));
    expect_ids(&f, prefix, ebm_noise_mask(f.texts, 0, 0, 1, 0, prefix), "the nice cat sees [SEP] a dog");
    expect_ids(&f, prefix, ebm_noise_mask(f.texts, 0, 1, 1, 0, prefix), "[MASK] [SEP] [MASK]");
    close_fixture(&f);
    open_fixture(&f, one_text("the nice cat sees", NULL));
    expect_ids(&f, prefix, ebm_noise_mask(f.texts, 0, 1, 1, 0, prefix), "[MASK]");
    close_fixture(&f);
}

// A prefix is the text with some runs replaced by one mask each: walks both and returns how many tokens were kept.
static size_t check_prefix(const fixture *f, const int32_t *text, size_t count, const int32_t *prefix, size_t length)
{
    size_t at = 0, kept = 0;
    for (size_t i = 0; i < length; i++) {
        if (prefix[i] != f->roles.mask) {
            if (at >= count || text[at] != prefix[i]) fail_msg("token %zu of a prefix is not the text's", i);
            kept += text[at++] != f->roles.separator;
            continue;
        }
        if (i > 0 && prefix[i - 1] == f->roles.mask) fail_msg("two masks side by side");
        // The run ends where the next kept token stands; words are all different, so there is one such place.
        const size_t from = at;
        while (at < count && text[at] != f->roles.separator && (i + 1 == length || text[at] != prefix[i + 1])) at++;
        if (at == from) fail_msg("a mask for nothing");
    }
    assert_int_equal(at, count);
    return kept;
}

// Each of n tokens stays with probability 1 - M: n (1 - M) of MASKS * n on average, with variance n M (1 - M); 5
// deviations are passed once in 1.7 million. The numbers are the same in every run.
static void tokens_are_masked_as_often_as_asked(void **state)
{
    (void)state;
    static const float probabilities[] = {0.1f, 0.4f, 0.8f};
    fixture f;
    size_t count = 0;
    open_fixture(&f, one_text("the nice cat sees a poor dog", "over seven red frog meets zinc"));
    const int32_t *text = ebm_noise_texts_view(f.texts, 0, &count);
    for (size_t p = 0; p < 3; p++) {
        const double M = (double)probabilities[p], n = (double)((count - 1) * MASKS);
        size_t kept = 0;
        for (uint32_t draw = 0; draw < MASKS; draw++) {
            int32_t prefix[EBM_NOISE_MAX_PREFIX];
            const size_t length = ebm_noise_mask(f.texts, 0, probabilities[p], 3, draw, prefix);
            kept += check_prefix(&f, text, count, prefix, length);
        }
        if (fabs((double)kept - n * (1 - M)) > 5 * sqrt(n * M * (1 - M)))
            fail_msg("M = %g: %zu of %g kept", M, kept, n);
    }
    close_fixture(&f);
}

static void a_draw_names_its_mask(void **state)
{
    (void)state;
    fixture f;
    size_t other_draw = 0, other_seed = 0;
    open_fixture(&f, one_text("the nice cat sees a poor dog over seven red frog", NULL));
    for (uint32_t draw = 0; draw < 200; draw++) {
        int32_t prefix[4][EBM_NOISE_MAX_PREFIX];
        size_t length[4];
        const struct {
            uint64_t seed;
            uint32_t draw;
        } of[4] = {{9, draw}, {9, draw}, {9, draw + 1}, {10, draw}};
        for (int i = 0; i < 4; i++) length[i] = ebm_noise_mask(f.texts, 0, 0.4f, of[i].seed, of[i].draw, prefix[i]);
        assert_int_equal(length[0], length[1]);
        assert_memory_equal(prefix[0], prefix[1], length[0] * sizeof **prefix);
        other_draw += length[2] == length[0] && memcmp(prefix[0], prefix[2], length[0] * sizeof **prefix) == 0;
        other_seed += length[3] == length[0] && memcmp(prefix[0], prefix[3], length[0] * sizeof **prefix) == 0;
    }
    assert_in_range(other_draw, 0, 10);
    assert_in_range(other_seed, 0, 10);
    close_fixture(&f);
}

static void it_knows_its_own_texts(void **state)
{
    (void)state;
    fixture f;
    open_fixture(&f, small_texts(SMALL_PAIRS, 300, 4));
    for (size_t i = 0; i < ebm_noise_texts_count(f.texts); i++) {
        size_t count = 0;
        int32_t changed[EBM_NOISE_MAX_TOKENS];
        const int32_t *ids = ebm_noise_texts_view(f.texts, i, &count);
        assert_true(ebm_noise_texts_contain(f.texts, ids, count));
        assert_false(ebm_noise_texts_contain(f.texts, ids, count - 1)); // ends in "a" or in a noun: no text
        memcpy(changed, ids, count * sizeof *changed);
        changed[0] = ebm_tokenizer_id(f.tokenizer, "zinc");
        assert_false(ebm_noise_texts_contain(f.texts, changed, count));
    }
    assert_false(ebm_noise_texts_contain(f.texts, NULL, 0));
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_joined_and_roles_are_unknown),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(masks_of_all_and_of_nothing),
        cmocka_unit_test(tokens_are_masked_as_often_as_asked),
        cmocka_unit_test(a_draw_names_its_mask),
        cmocka_unit_test(it_knows_its_own_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
