// Training texts filled in by a masked language model: how often tokens are masked, what is drawn for them against the
// softmax of the logits that PyTorch computed in double precision, and the stream of them.
#include <math.h>
#include <stdio.h>

#include "expected.h"
#include "noise_filler.h"
#include "noise_stream.h"

enum { SEED = 17, MAX_LENGTH = 20, TOKENS = 24, FIRST_WORD = 5 }; // ids below are special

static const char *const TEXTS[][2] = {{"the film is good .", "a fine cast"},
                                       {"the plot was not very dull", "the cast is cold , but fine ."},
                                       {"a bad film", "not a good plot"},
                                       {"warm and fine", "the film was warm"}};

static ebm_dataset *rows_of(bool pairs)
{
    ebm_dataset *rows = NULL;
    assert_ok(ebm_dataset_create(NULL, &rows));
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        assert_ok(ebm_dataset_add(rows, TEXTS[i][0], pairs ? TEXTS[i][1] : NULL, -1, i + 1));
    return rows;
}

static ebm_dataset *row_of(const char *text)
{
    ebm_dataset *rows = NULL;
    assert_ok(ebm_dataset_create(NULL, &rows));
    assert_ok(ebm_dataset_add(rows, text, NULL, -1, 1));
    return rows;
}

static ebm_masked_lm *open_lm(void)
{
    const ebm_limits limits = {.tokens = 1024, .sequences = 128};
    ebm_masked_lm *lm = NULL;
    assert_ok(ebm_masked_lm_open(device, model_folder("mlm-bert"), &limits, 200, &lm));
    return lm;
}

static void allocate(ebm_masked_lm *lm, ebm_arena *more)
{
    ebm_arena *arenas[EBM_MASKED_LM_ARENAS + 1];
    size_t count = ebm_masked_lm_arenas(lm, arenas);
    arenas[count++] = more;
    assert_ok(ebm_arena_plan(device, arenas, count, ""));
    assert_ok(ebm_masked_lm_allocate(lm));
}

// ---- the law

typedef struct {
    ebm_masked_lm *lm;
    ebm_arena *arena;
    ebm_noise_texts *texts;
    ebm_noise_filler *filler;
    size_t most;
} filling;

static void open_filling(filling *f, const ebm_dataset *rows, float M, float temperature, int top_k)
{
    f->lm = open_lm();
    const bool pairs = ebm_dataset_is_pairs(rows);
    const ebm_tokenizer *tokenizer = ebm_masked_lm_tokenizer(f->lm);
    f->most = ebm_noise_filler_most(f->lm, pairs, MAX_LENGTH);
    const ebm_noise_filler_settings settings = {f->lm, pairs, f->most, M, temperature, top_k, SEED};
    f->arena = ebm_arena_create(device, "filling");
    assert_ok(ebm_noise_texts_create_within(rows, tokenizer, ebm_noise_filler_roles(tokenizer), f->most, &f->texts));
    assert_ok(ebm_noise_filler_create(&settings, f->arena, &f->filler));
    ebm_noise_filler_set_texts(f->filler, f->texts);
    allocate(f->lm, f->arena);
    assert_ok(ebm_arena_allocate(f->arena));
}

static void close_filling(filling *f)
{
    ebm_noise_filler_free(f->filler);
    ebm_noise_texts_free(f->texts);
    ebm_arena_free(f->arena);
    ebm_masked_lm_free(f->lm);
}

// softmax of logits / temperature over the top_k largest of the words, in double precision.
static void probabilities_of(const float *logits, double temperature, int top_k, double p[TOKENS])
{
    double sum = 0;
    for (int i = 0; i < TOKENS; i++) {
        int larger = 0;
        for (int k = FIRST_WORD; k < TOKENS; k++) larger += logits[k] > logits[i];
        const bool drawn = i >= FIRST_WORD && (top_k == 0 || larger < top_k);
        p[i] = drawn ? exp((double)logits[i] / temperature) : 0;
        sum += p[i];
    }
    for (int i = 0; i < TOKENS; i++) p[i] /= sum;
}

static double chi_square(const size_t *count, const double *p, size_t cells, double n)
{
    double chi = 0;
    for (size_t i = 0; i < cells; i++) {
        if (p[i] == 0 && count[i] > 0) fail_msg("token %zu was drawn", i);
        if (p[i] > 0) chi += ((double)count[i] - n * p[i]) * ((double)count[i] - n * p[i]) / (n * p[i]);
    }
    return chi;
}

// With M = 1 a text of three words is three masks, the fixture's first sequence. Chi-square of k - 1 degrees of freedom
// is above its mean by 5 deviations (sqrt(2 (k - 1))) about once in 10,000; the numbers are the same in every run.
static void check_fill(float temperature, int top_k)
{
    enum { DRAWS = 12000, BATCH = 600, WORDS = 3 };
    ebm_safetensors *expected = expected_open("mlm-bert");
    float *logits = expected_floats(expected, "logits"); // rows of 40
    ebm_dataset *rows = row_of("a bad film");
    size_t count[WORDS][TOKENS] = {{0}}, joint[TOKENS * TOKENS] = {0};
    double p[WORDS][TOKENS], both[TOKENS * TOKENS];
    int32_t lengths[BATCH];
    filling f;
    open_filling(&f, rows, 1, temperature, top_k);
    int32_t *raw = calloc(BATCH * f.most, sizeof *raw);
    for (size_t first = 0; first < DRAWS; first += BATCH) {
        assert_ok(ebm_noise_filler_run(f.filler, first, BATCH, raw, lengths));
        for (size_t i = 0; i < BATCH; i++) {
            const int32_t *text = raw + i * f.most;
            assert_int_equal(lengths[i], WORDS);
            for (size_t k = 0; k < WORDS; k++) {
                assert_in_range(text[k], FIRST_WORD, TOKENS - 1);
                count[k][text[k]]++;
            }
            joint[text[0] * TOKENS + text[2]]++;
        }
    }
    const double freedom = top_k ? top_k - 1 : TOKENS - FIRST_WORD - 1;
    for (size_t k = 0; k < WORDS; k++) {
        probabilities_of(logits + k * 40, (double)temperature, top_k, p[k]);
        const double chi = chi_square(count[k], p[k], TOKENS, DRAWS);
        if (!(chi < freedom + 5 * sqrt(2 * freedom))) fail_msg("word %zu: chi-square %g of %g", k, chi, freedom);
    }
    // Words are drawn independently of each other.
    for (size_t i = 0; i < TOKENS * TOKENS; i++) both[i] = p[0][i / TOKENS] * p[2][i % TOKENS];
    const double cells = (freedom + 1) * (freedom + 1) - 1;
    const double chi = chi_square(joint, both, TOKENS * TOKENS, DRAWS);
    if (!(chi < cells + 5 * sqrt(2 * cells))) fail_msg("two words: chi-square %g of %g", chi, cells);
    assert_int_equal(ebm_noise_filler_filled(f.filler), DRAWS * WORDS);
    free(raw);
    free(logits);
    close_filling(&f);
    ebm_dataset_free(rows);
    ebm_safetensors_free(expected);
}

static void fills_have_the_softmax_distribution(void **state)
{
    (void)state;
    check_fill(1, 0);
    check_fill(0.7f, 4);
}

// Of n tokens n M are masked, deviation sqrt(n M (1 - M)); what was not masked stays; the separator is never masked.
static void tokens_are_masked_as_often_as_asked(void **state)
{
    (void)state;
    enum { DRAWS = 600 };
    for (int pairs = 0; pairs < 2; pairs++) {
        ebm_dataset *rows = rows_of(pairs);
        filling f;
        const double M = 0.3;
        double tokens = 0;
        size_t unchanged = 0;
        int32_t lengths[DRAWS];
        open_filling(&f, rows, (float)M, 1, 0);
        const int32_t separator = ebm_noise_filler_roles(ebm_masked_lm_tokenizer(f.lm)).separator;
        int32_t *raw = calloc(DRAWS * f.most, sizeof *raw), *again = calloc(DRAWS * f.most, sizeof *again);
        assert_ok(ebm_noise_filler_run(f.filler, 0, DRAWS, raw, lengths));
        const double filled = (double)ebm_noise_filler_filled(f.filler);
        for (size_t i = 0; i < DRAWS; i++) {
            size_t separators = 0;
            for (int32_t k = 0; k < lengths[i]; k++) separators += raw[i * f.most + (size_t)k] == separator;
            assert_int_equal(separators, pairs);
            tokens += lengths[i] - pairs;
            unchanged += ebm_noise_texts_contain(f.texts, raw + i * f.most, (size_t)lengths[i]);
        }
        if (fabs(filled - tokens * M) > 5 * sqrt(tokens * M * (1 - M))) fail_msg("%g of %g masked", filled, tokens);
        assert_in_range(unchanged, 1, DRAWS / 2);
        // The same texts give the same bits.
        assert_ok(ebm_noise_filler_run(f.filler, 0, DRAWS, again, lengths));
        assert_memory_equal(raw, again, DRAWS * f.most * sizeof *raw);
        free(raw);
        free(again);
        close_filling(&f);
        ebm_dataset_free(rows);
    }
}

// ---- the stream

typedef struct {
    ebm_masked_lm *lm;
    ebm_tokenizer *encoder;
    ebm_dataset *rows;
    ebm_noise_stream *stream;
} opened;

// An encoder with the model's tokens, or one that lacks "cold".
static ebm_tokenizer *make_encoder(bool maps)
{
    static const char *const words[] = {"the", "a",    "film", "plot", "cast", "is",  "was", "not", "very", "good",
                                        "bad", "dull", "fine", "warm", "and",  "but", ".",   ",",   "cold"};
    ebm_tokenizer *encoder = NULL;
    assert_ok(ebm_tokenizer_from_words(words, maps ? 19 : 18, true, &encoder));
    return encoder;
}

static void open_stream(opened *o, bool pairs, bool maps, float M, size_t max_length)
{
    o->lm = open_lm();
    o->encoder = make_encoder(maps);
    o->rows = rows_of(pairs);
    const ebm_noise_fill_source source = {o->lm, o->rows, o->encoder, max_length, M, 1, 20, SEED};
    assert_ok(ebm_noise_stream_from_fill(&source, &o->stream));
    allocate(o->lm, ebm_noise_stream_arena(o->stream));
    assert_ok(ebm_noise_stream_allocate(o->stream));
    assert_non_null(strstr(ebm_noise_stream_route(o->stream), maps ? "filled in anew, mapped" : "encoded anew"));
}

static void close_stream(opened *o)
{
    ebm_noise_stream_free(o->stream);
    ebm_dataset_free(o->rows);
    ebm_tokenizer_free(o->encoder);
    ebm_masked_lm_free(o->lm);
}

static void expect_text(const opened *o, const char *text, size_t max_length, ebm_sequence got)
{
    ebm_encoding e = {0};
    const char *cut = strstr(text, EBM_PAIR_SEPARATOR), *b = cut ? cut + strlen(EBM_PAIR_SEPARATOR) : NULL;
    assert_ok(ebm_tokenizer_encode(o->encoder, text, cut ? (size_t)(cut - text) : strlen(text), b, b ? strlen(b) : 0,
                                   max_length, &e));
    if (e.tokens != got.count || memcmp(e.ids, got.ids, e.tokens * sizeof *e.ids) != 0 ||
        memcmp(e.types, got.types, e.tokens * sizeof *e.types) != 0)
        fail_msg("'%s' came as other ids", text);
    ebm_encoding_free(&e);
}

static bool is_training_text(const opened *o, const char *text)
{
    for (size_t i = 0; i < ebm_dataset_count(o->rows); i++) {
        const ebm_row row = ebm_dataset_row(o->rows, i);
        char *joined = NULL;
        assert_true(asprintf(&joined, "%s%s%s", row.text_a, row.text_b ? EBM_PAIR_SEPARATOR : "",
                             row.text_b ? row.text_b : "") > 0);
        const bool same = strcmp(joined, text) == 0;
        free(joined);
        if (same) return true;
    }
    return false;
}

// Ids are those of the texts; what equals a training text is dropped; the first texts are held out; every place is
// found again. A block has 64 texts, so these lie in three.
static void a_stream_is_a_function_of_its_seed(void **state)
{
    (void)state;
    enum { COUNT = 130, HELD = 9 };
    for (int c = 0; c < 4; c++) {
        const bool pairs = c & 1, maps = c & 2;
        opened ids, texts;
        char *all[COUNT];
        uint64_t positions[COUNT];
        ebm_sequence held[HELD], next;
        size_t count = HELD;
        open_stream(&ids, pairs, maps, 0.5f, MAX_LENGTH);
        open_stream(&texts, pairs, maps, 0.5f, MAX_LENGTH);
        for (size_t i = 0; i < COUNT; i++) {
            const char *text = NULL;
            positions[i] = ebm_noise_stream_position(texts.stream);
            assert_ok(ebm_noise_stream_next_text(texts.stream, &text));
            if (is_training_text(&texts, text)) fail_msg("'%s' is a training text", text);
            assert_true((strstr(text, EBM_PAIR_SEPARATOR) != NULL) == pairs);
            all[i] = strdup(text);
        }
        assert_ok(ebm_noise_stream_hold_out(ids.stream, &count, held));
        for (size_t i = 0; i < HELD; i++) expect_text(&ids, all[i], MAX_LENGTH, held[i]);
        for (size_t i = HELD; i < COUNT; i++) {
            assert_ok(ebm_noise_stream_next(ids.stream, 1, &next));
            expect_text(&ids, all[i], MAX_LENGTH, next);
        }
        for (size_t i = 0; i < COUNT; i += 11) {
            const size_t k = 37 * i % COUNT;
            assert_ok(ebm_noise_stream_seek(ids.stream, positions[k]));
            assert_ok(ebm_noise_stream_next(ids.stream, 1, &next));
            expect_text(&ids, all[k], MAX_LENGTH, next);
        }
        const ebm_noise_statistics n = ebm_noise_stream_statistics(texts.stream);
        assert_int_equal(n.delivered, COUNT);
        assert_true(n.duplicates > 0 && n.malformed == 0 && n.tokens > 0);
        for (size_t i = 0; i < COUNT; i++) free(all[i]);
        close_stream(&ids);
        close_stream(&texts);
    }
}

// A text is cut before it is masked, as the encoder would cut it: nothing is lost of what was drawn.
static void long_texts_are_cut_before(void **state)
{
    (void)state;
    opened o;
    open_stream(&o, true, true, 0.6f, 10); // 7 tokens beside [CLS] and two [SEP]
    ebm_sequence next;
    size_t longest = 0;
    for (size_t i = 0; i < 40; i++) {
        assert_ok(ebm_noise_stream_next(o.stream, 1, &next));
        if (next.count > longest) longest = next.count;
        size_t separators = 0;
        for (size_t k = 0; k < next.count; k++)
            separators += next.ids[k] == ebm_tokenizer_special(o.encoder, EBM_TOKEN_SEP);
        assert_int_equal(separators, 2);
    }
    assert_int_equal(longest, 10);
    close_stream(&o);
}

static void what_gives_no_texts_is_refused(void **state)
{
    (void)state;
    opened o;
    ebm_sequence next;
    open_stream(&o, false, true, 0, MAX_LENGTH);
    assert_fails(ebm_noise_stream_next(o.stream, 1, &next), EBM_ERROR_INPUT,
                 "256 equal to training texts; mask more of their tokens");
    assert_string_equal(ebm_noise_stream_source(o.stream), "a masked language model, longest 20, mask_probability 0, "
                                                           "temperature 1, top_k 20, seed 17");
    ebm_noise_stream *stream = NULL;
    const ebm_noise_fill_source source = {o.lm, o.rows, o.encoder, 2, 0.4f, 1, 20, SEED};
    assert_fails(ebm_noise_stream_from_fill(&source, &stream), EBM_ERROR_INPUT, "too short to hold a text");
    assert_null(stream);
    close_stream(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_have_the_softmax_distribution), cmocka_unit_test(tokens_are_masked_as_often_as_asked),
        cmocka_unit_test(a_stream_is_a_function_of_its_seed),  cmocka_unit_test(long_texts_are_cut_before),
        cmocka_unit_test(what_gives_no_texts_is_refused),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
