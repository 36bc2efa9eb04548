// Streams of noise: from a file, and from a model whose ids are mapped or whose texts are encoded anew.
#include "on_device.h"
#include "run_files.h"
#include "small_task.h"

enum { MAX_LENGTH = 64, SEED = 21 };

static char *directories[2]; // of a noise model with the spare word, for each small_kind
static char *instead;        // of directories[SMALL_SINGLE], for one test

static int set_up(void **state)
{
    open_device(state);
    for (int kind = 0; kind < 2; kind++) {
        void *folder = NULL;
        if (make_own_folder(&folder) != 0) return -1;
        directories[kind] = folder;
        small_noise_model_make(device, (small_kind)kind, true, folder);
    }
    return 0;
}

static int tear_down(void **state)
{
    int failed = 0;
    for (int kind = 0; kind < 2; kind++) {
        void *folder = directories[kind];
        failed |= remove_own_folder(&folder);
    }
    close_device(state);
    return failed;
}

// An encoder's tokenizer has the spare word (every noise token has an image) or lacks it (texts are encoded anew).
typedef struct {
    small_stream s;
    ebm_tokenizer *encoder;
    ebm_dataset *training;
} opened;

static void open_stream(opened *o, small_kind kind, bool maps, uint64_t seed, void (*change)(ebm_noise_source *source))
{
    ebm_arena *all[EBM_NOISE_MODEL_ARENAS + 1];
    o->encoder = small_tokenizer(maps);
    o->training = small_texts(kind, 400, 77); // what the model was trained on
    small_stream_open(&o->s, device, instead ? instead : directories[kind], o->training, o->encoder, seed, change);
    assert_ok(ebm_arena_plan(device, all, small_stream_arenas(&o->s, all), ""));
    small_stream_allocate(&o->s);
    assert_non_null(strstr(ebm_noise_stream_route(o->s.stream), maps ? "mapped" : "encoded anew"));
}

static void close_stream(opened *o)
{
    small_stream_free(&o->s);
    ebm_dataset_free(o->training);
    ebm_tokenizer_free(o->encoder);
}

static ebm_sequence next(ebm_noise_stream *stream)
{
    ebm_sequence sequence;
    assert_ok(ebm_noise_stream_next(stream, 1, &sequence));
    return sequence;
}

static bool same(ebm_sequence a, ebm_sequence b)
{
    return a.count == b.count && memcmp(a.ids, b.ids, a.count * sizeof *a.ids) == 0 &&
           memcmp(a.types, b.types, a.count * sizeof *a.types) == 0;
}

static void expect_same(const char *what, size_t i, ebm_sequence a, ebm_sequence b)
{
    if (!same(a, b)) fail_msg("%s: text %zu differs (%zu and %zu tokens)", what, i, a.count, b.count);
}

// Encodes `A` or `A <SEP> B` as a data set's row is encoded.
static ebm_sequence encode(const ebm_tokenizer *encoder, const char *text, size_t max_length, ebm_encoding *encoding)
{
    const char *separator = strstr(text, EBM_PAIR_SEPARATOR);
    const size_t first = separator ? (size_t)(separator - text) : strlen(text);
    const char *second = separator ? separator + strlen(EBM_PAIR_SEPARATOR) : NULL;
    assert_ok(ebm_tokenizer_encode(encoder, text, first, second, second ? strlen(second) : 0, max_length, encoding));
    return (ebm_sequence){encoding->ids, encoding->types, encoding->tokens};
}

static void short_sequences(ebm_noise_source *source) { source->max_length = 9; }

// The ids of the stream are those of the same stream's texts, encoded by the tokenizer itself: special tokens, types,
// and where a sequence is cut.
static void check_texts_give_the_ids(small_kind kind, bool maps, void (*change)(ebm_noise_source *source),
                                     size_t max_length, size_t texts)
{
    opened ids, as_text;
    ebm_encoding encoding = {0};
    size_t cut = 0;
    open_stream(&ids, kind, maps, SEED, change);
    open_stream(&as_text, kind, maps, SEED, change);
    for (size_t i = 0; i < texts; i++) {
        const char *text = NULL;
        assert_ok(ebm_noise_stream_next_text(as_text.s.stream, &text));
        assert_true((strstr(text, EBM_PAIR_SEPARATOR) != NULL) == (kind == SMALL_PAIRS));
        const ebm_sequence expected = encode(ids.encoder, text, max_length, &encoding);
        expect_same(text, i, next(ids.s.stream), expected);
        cut += expected.count == max_length;
    }
    if (change) assert_true(cut > texts / 10);
    ebm_encoding_free(&encoding);
    close_stream(&ids);
    close_stream(&as_text);
}

static void texts_give_the_ids(void **state)
{
    (void)state;
    const size_t texts = is_slow_form(device) ? 100 : 700; // into the second block
    check_texts_give_the_ids(SMALL_SINGLE, true, NULL, MAX_LENGTH, texts);
    check_texts_give_the_ids(SMALL_SINGLE, false, NULL, MAX_LENGTH, texts);
    check_texts_give_the_ids(SMALL_PAIRS, true, NULL, MAX_LENGTH, 100);
    check_texts_give_the_ids(SMALL_PAIRS, false, NULL, MAX_LENGTH, 100);
}

static void sequences_are_cut_as_the_tokenizer_does(void **state)
{
    skip_in_slow_form(device);
    (void)state;
    check_texts_give_the_ids(SMALL_PAIRS, true, short_sequences, 9, 100);
    check_texts_give_the_ids(SMALL_PAIRS, false, short_sequences, 9, 100);
}

// The vocabularies differ by a word at their end that no text has: both routes give the same ids, except where the
// model draws that word, which the encoder without it does not know.
static void both_routes_give_the_same(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        opened mapped, encoded;
        size_t spares = 0;
        open_stream(&mapped, (small_kind)kind, true, SEED, NULL);
        open_stream(&encoded, (small_kind)kind, false, SEED, NULL);
        const int32_t spare = ebm_tokenizer_id(mapped.encoder, "spare"),
                      unknown = ebm_tokenizer_special(mapped.encoder, EBM_TOKEN_UNK);
        for (size_t i = 0; i < 700; i++) {
            int32_t ids[MAX_LENGTH];
            ebm_sequence s = next(mapped.s.stream);
            for (size_t k = 0; k < s.count; k++) {
                ids[k] = s.ids[k] == spare ? unknown : s.ids[k];
                spares += s.ids[k] == spare;
            }
            s.ids = ids;
            expect_same("routes", i, s, next(encoded.s.stream));
        }
        assert_in_range(spares, 0, 20);
        close_stream(&mapped);
        close_stream(&encoded);
    }
}

static void a_seed_names_the_stream(void **state)
{
    (void)state;
    opened o[3];
    size_t equal = 0;
    for (size_t i = 0; i < 3; i++) open_stream(&o[i], SMALL_SINGLE, true, i == 2 ? SEED + 1 : SEED, NULL);
    for (size_t i = 0; i < 100; i++) {
        const ebm_sequence a = next(o[0].s.stream), b = next(o[1].s.stream), c = next(o[2].s.stream);
        expect_same("seed", i, a, b);
        equal += same(a, c);
    }
    assert_in_range(equal, 0, 20); // short texts of few words do meet
    for (size_t i = 0; i < 3; i++) close_stream(&o[i]);
}

// One at a time, many at a time, across a block's end.
static void the_number_asked_for_does_not_matter(void **state)
{
    skip_in_slow_form(device);
    (void)state;
    for (int maps = 0; maps < 2; maps++) {
        opened one, many;
        ebm_sequence sequences[90];
        open_stream(&one, SMALL_SINGLE, maps, SEED, NULL);
        open_stream(&many, SMALL_SINGLE, maps, SEED, NULL);
        for (size_t first = 0; first < 720; first += 90) {
            assert_ok(ebm_noise_stream_next(many.s.stream, 90, sequences));
            for (size_t i = 0; i < 90; i++) expect_same("many", first + i, next(one.s.stream), sequences[i]);
        }
        assert_int_equal(ebm_noise_stream_statistics(many.s.stream).delivered, 720);
        close_stream(&one);
        close_stream(&many);
    }
}

static bool is_training_text(const ebm_dataset *training, const char *text)
{
    for (size_t i = 0; i < ebm_dataset_count(training); i++)
        if (strcmp(ebm_dataset_row(training, i).text_a, text) == 0) return true;
    return false;
}

static void light_masks(ebm_noise_source *source) { source->mask_probability = 0.1f; }

// With M = 0.1 many prompts hold the whole text, and the model gives some of them back.
static void texts_equal_to_training_texts_are_dropped(void **state)
{
    (void)state;
    opened o;
    open_stream(&o, SMALL_SINGLE, true, SEED, light_masks);
    for (size_t i = 0; i < 400; i++) {
        const char *text = NULL;
        assert_ok(ebm_noise_stream_next_text(o.s.stream, &text));
        if (is_training_text(o.training, text)) fail_msg("'%s' is a training text", text);
    }
    const ebm_noise_statistics n = ebm_noise_stream_statistics(o.s.stream);
    if (n.duplicates < 20) fail_msg("%d duplicates", (int)n.duplicates);
    assert_int_equal(n.delivered, 400);
    close_stream(&o);
}

static void hot(ebm_noise_source *source)
{
    source->temperature = 3;
    source->top_k = 0;
}

// At a high temperature separators come where they want: none, one, more; at an end. What is generated is delivered,
// malformed or a duplicate.
static void pairs_have_one_separator_with_text_around(void **state)
{
    skip_in_slow_form(device);
    (void)state;
    opened o;
    uint64_t delivered = 0;
    ebm_noise_statistics n = {0}, after;
    open_stream(&o, SMALL_PAIRS, true, SEED, hot);
    for (;; n = after, delivered++) { // to the end of the first block
        const char *text = NULL;
        assert_ok(ebm_noise_stream_next_text(o.s.stream, &text));
        after = ebm_noise_stream_statistics(o.s.stream);
        if (delivered > 0 && after.generated > n.generated) break;
        const char *separator = strstr(text, EBM_PAIR_SEPARATOR);
        if (!separator || separator == text || !separator[strlen(EBM_PAIR_SEPARATOR)] ||
            strstr(separator + strlen(EBM_PAIR_SEPARATOR), "<SEP>") || strstr(text, "[SEP]"))
            fail_msg("'%s' is no pair", text);
    }
    assert_true(n.malformed > 50);
    assert_int_equal(delivered + n.malformed + n.duplicates, n.generated);
    assert_true(n.tokens > 0 && n.seconds > 0);
    close_stream(&o);
}

// Notes where each text of a stream was, then goes to some of those places.
static void check_seek(ebm_noise_stream *stream, size_t texts, const size_t *places, size_t place_count)
{
    ebm_sequence *all = host_array(texts, sizeof *all);
    uint64_t *positions = host_array(texts, sizeof *positions);
    for (size_t i = 0; i < texts; i++) {
        positions[i] = ebm_noise_stream_position(stream);
        const ebm_sequence s = next(stream);
        int32_t *copy = host_array(2 * s.count, sizeof *copy);
        memcpy(copy, s.ids, s.count * sizeof *copy);
        memcpy(copy + s.count, s.types, s.count * sizeof *copy);
        all[i] = (ebm_sequence){copy, copy + s.count, s.count};
    }
    assert_int_equal(positions[0], 0);
    for (size_t p = 0; p < place_count; p++) {
        assert_ok(ebm_noise_stream_seek(stream, positions[places[p]]));
        assert_int_equal(ebm_noise_stream_position(stream), positions[places[p]]);
        for (size_t i = places[p]; i < texts && i < places[p] + 40; i++) expect_same("seek", i, next(stream), all[i]);
    }
    for (size_t i = 0; i < texts; i++) free((void *)(uintptr_t)all[i].ids);
    free(all);
    free(positions);
}

// A block holds 512 texts at most: the places lie in three blocks, at halves (where the next block is made ahead) and
// around their ends.
static void a_model_stream_is_taken_up_anywhere(void **state)
{
    (void)state;
    for (int maps = 0; maps < (is_slow_form(device) ? 1 : 2); maps++) {
        opened o;
        ebm_noise_statistics n;
        size_t block = 0;
        open_stream(&o, SMALL_SINGLE, true, SEED, NULL); // how many texts does the first block have?
        for (;; block++) {
            (void)next(o.s.stream);
            n = ebm_noise_stream_statistics(o.s.stream);
            if (n.generated > 512) break;
        }
        close_stream(&o);
        const size_t places[] = {block / 2, block - 1, block + 1, 5, 0, block, block + block / 2, 1, 3 * block / 4};
        open_stream(&o, SMALL_SINGLE, maps, SEED, NULL);
        const size_t count = is_slow_form(device) ? 3 : sizeof places / sizeof *places;
        check_seek(o.s.stream, 2 * block + 100, places, count);
        assert_fails(ebm_noise_stream_seek(o.s.stream, 513), EBM_ERROR_INPUT, "block 0 has");
        close_stream(&o);
    }
}

static void a_file_stream_is_taken_up_anywhere(void **state)
{
    (void)state;
    ebm_tokenizer *encoder = small_tokenizer(false);
    ebm_dataset *texts = small_easy_noise(SMALL_PAIRS, 30, 8);
    ebm_noise_stream *stream = NULL;
    size_t places[80];
    for (size_t i = 0; i < 80; i++) places[i] = (37 * i) % 80;
    assert_ok(ebm_noise_stream_from_texts(texts, encoder, MAX_LENGTH, SEED, &stream));
    assert_non_null(strstr(ebm_noise_stream_route(stream), "file"));
    check_seek(stream, 80, places, 80);
    ebm_noise_stream_free(stream);
    ebm_dataset_free(texts);
    ebm_tokenizer_free(encoder);
}

static size_t row_of(const ebm_dataset *texts, const ebm_tokenizer *encoder, ebm_sequence sequence)
{
    ebm_encoding encoding = {0};
    size_t found = SIZE_MAX;
    for (size_t i = 0; i < ebm_dataset_count(texts) && found == SIZE_MAX; i++) {
        const ebm_row row = ebm_dataset_row(texts, i);
        assert_ok(ebm_tokenizer_encode(encoder, row.text_a, row.text_a_length, row.text_b, row.text_b_length,
                                       MAX_LENGTH, &encoding));
        if (same(sequence, (ebm_sequence){encoding.ids, encoding.types, encoding.tokens})) found = i;
    }
    ebm_encoding_free(&encoding);
    return found;
}

// What a position begins with: the number of the block.
enum { BLOCK = 20 };
static uint64_t block_of(const ebm_noise_stream *stream) { return ebm_noise_stream_position(stream) >> BLOCK; }

// Rank r of two takes the blocks r, r + 2, ... of the stream that one rank takes whole; and goes on from there, alone
// or with another number of ranks behind what both have used.
static void ranks_take_every_other_block(void **state)
{
    skip_in_slow_form(device);
    (void)state;
    uint64_t positions[2];
    for (int maps = 0; maps < 2; maps++) {
        opened whole, part;
        open_stream(&whole, SMALL_SINGLE, maps, SEED, NULL);
        for (size_t rank = 0; rank < 2; rank++) {
            open_stream(&part, SMALL_SINGLE, maps, SEED, NULL);
            assert_true(ebm_noise_stream_is_made(part.s.stream));
            assert_ok(ebm_noise_stream_spread(part.s.stream, rank, 2));
            for (size_t i = 0, block = rank; block < rank + 4; i++) {
                const ebm_sequence text = next(part.s.stream);
                if (i == 0 || block_of(part.s.stream) != block)
                    assert_ok(ebm_noise_stream_seek(whole.s.stream, block_of(part.s.stream) << BLOCK));
                block = block_of(part.s.stream);
                assert_true(block == rank || block == rank + 2 || block == rank + 4);
                expect_same("rank", i, text, next(whole.s.stream));
            }
            positions[rank] = ebm_noise_stream_position(part.s.stream);
            if (rank == 0) close_stream(&part);
        }
        const ebm_sequence expected = next(part.s.stream);
        assert_ok(ebm_noise_stream_seek(whole.s.stream, positions[1]));
        expect_same("expected", 0, expected, next(whole.s.stream));
        assert_ok(ebm_noise_stream_resume(part.s.stream, positions, 2));
        assert_int_equal(ebm_noise_stream_position(part.s.stream), positions[1]);
        assert_ok(ebm_noise_stream_resume(whole.s.stream, positions, 2));
        next(whole.s.stream);
        assert_int_equal(block_of(whole.s.stream), 6);
        close_stream(&part);
        close_stream(&whole);
    }
}

static void a_file_gives_every_text_once_an_epoch(void **state)
{
    (void)state;
    enum { TEXTS = 40, EPOCHS = 3 };
    ebm_tokenizer *encoder = small_tokenizer(false);
    ebm_dataset *texts = small_easy_noise(SMALL_PAIRS, TEXTS, 8);
    ebm_noise_stream *stream = NULL;
    size_t order[EPOCHS][TEXTS], moved = 0;
    assert_ok(ebm_noise_stream_from_texts(texts, encoder, MAX_LENGTH, SEED, &stream));
    for (size_t e = 0; e < EPOCHS; e++) {
        size_t seen[TEXTS] = {0};
        for (size_t i = 0; i < TEXTS; i++) {
            order[e][i] = row_of(texts, encoder, next(stream));
            assert_in_range(order[e][i], 0, TEXTS - 1);
            if (seen[order[e][i]]++) fail_msg("text %zu twice in epoch %zu", order[e][i], e);
            moved += e > 0 && order[e][i] != order[e - 1][i];
        }
    }
    assert_true(moved > TEXTS);
    ebm_noise_stream_free(stream);
    ebm_dataset_free(texts);
    ebm_tokenizer_free(encoder);
}

// Held out are the first texts, and no later pass over the file brings them again, wherever it is taken up.
static void held_out_texts_never_come_again(void **state)
{
    (void)state;
    enum { TEXTS = 24, HELD = 5, AFTER = 4 * (TEXTS - HELD) };
    ebm_tokenizer *encoder = small_tokenizer(false);
    ebm_dataset *texts = small_easy_noise(SMALL_PAIRS, TEXTS, 8);
    ebm_noise_stream *stream = NULL;
    ebm_sequence held[TEXTS];
    size_t seen[TEXTS] = {0}, rows[AFTER], count = HELD;
    uint64_t positions[AFTER];
    assert_ok(ebm_noise_stream_from_texts(texts, encoder, MAX_LENGTH, SEED, &stream));
    assert_ok(ebm_noise_stream_hold_out(stream, &count, held));
    assert_int_equal(count, HELD);
    for (size_t i = 0; i < HELD; i++) seen[row_of(texts, encoder, held[i])] = 100;
    for (size_t i = 0; i < AFTER; i++) {
        positions[i] = ebm_noise_stream_position(stream);
        rows[i] = row_of(texts, encoder, next(stream));
        if (seen[rows[i]]++ >= 100) fail_msg("text %zu, which is held out, came as number %zu", rows[i], i);
    }
    for (size_t i = 0; i < TEXTS; i++) assert_true(seen[i] == 4 || seen[i] == 100);
    for (size_t i = 0; i < AFTER; i += 7) {
        assert_ok(ebm_noise_stream_seek(stream, positions[i]));
        assert_int_equal(row_of(texts, encoder, next(stream)), rows[i]);
    }
    count = TEXTS;
    assert_ok(ebm_noise_stream_hold_out(stream, &count, held)); // the rest is to train on
    assert_int_equal(count, TEXTS / 2);
    ebm_noise_stream_free(stream);
    ebm_dataset_free(texts);
    ebm_tokenizer_free(encoder);
}

// The first token is the end of text: equal logits, and [PAD] has the lowest id.
static void only_the_largest_logit(ebm_noise_source *source) { source->top_k = 1; }

static void forget_everything(ebm_noise_model *model)
{
    static const char *const names[] = {"transformer.ln_f.weight", "transformer.ln_f.bias"};
    const float zeros[32] = {0};
    for (size_t i = 0; i < 2; i++) {
        const ebm_parameter *p = ebm_parameters_find(ebm_noise_model_parameters(model), names[i]);
        assert_ok(ebm_slice_write(device, p->tensor->weight, p->first, 32, zeros));
    }
}

static void a_model_that_gives_nothing_fails_with_its_numbers(void **state)
{
    skip_in_slow_form(device);
    (void)state;
    for (int maps = 0; maps < 2; maps++)
        for (int kind = 0; kind < 2; kind++) {
            opened o;
            ebm_sequence sequence;
            const char *text = NULL;
            open_stream(&o, (small_kind)kind, maps, SEED, only_the_largest_logit);
            forget_everything(o.s.model);
            assert_fails(ebm_noise_stream_next(o.s.stream, 1, &sequence), EBM_ERROR_INPUT,
                         "no usable texts: of 2048 generated 2048 were malformed");
            assert_fails(ebm_noise_stream_next_text(o.s.stream, &text), EBM_ERROR_INPUT, "train it longer");
            close_stream(&o);
        }
}

static void the_two_largest_logits(ebm_noise_source *source) { source->top_k = 2; }

// Equal logits again: texts of unknown tokens up to an end. Where ids are mapped those stay what they are, in the text
// as well; texts encoded anew would have nothing left.
static void unknown_tokens_stay_unknown_or_are_malformed(void **state)
{
    skip_in_slow_form(device);
    (void)state;
    opened ids, as_text;
    ebm_encoding encoding = {0};
    ebm_sequence sequence;
    open_stream(&ids, SMALL_SINGLE, true, SEED, the_two_largest_logits);
    open_stream(&as_text, SMALL_SINGLE, true, SEED, the_two_largest_logits);
    forget_everything(ids.s.model);
    forget_everything(as_text.s.model);
    for (size_t i = 0; i < 50; i++) {
        const char *text = NULL;
        assert_ok(ebm_noise_stream_next_text(as_text.s.stream, &text));
        sequence = next(ids.s.stream);
        assert_true(sequence.count >= 3 && sequence.ids[1] == ebm_tokenizer_special(ids.encoder, EBM_TOKEN_UNK));
        expect_same("unknown", i, sequence, encode(ids.encoder, text, MAX_LENGTH, &encoding));
    }
    ebm_encoding_free(&encoding);
    close_stream(&ids);
    close_stream(&as_text);
    open_stream(&ids, SMALL_SINGLE, false, SEED, the_two_largest_logits);
    forget_everything(ids.s.model);
    assert_fails(ebm_noise_stream_next(ids.s.stream, 1, &sequence), EBM_ERROR_INPUT, "no usable texts");
    close_stream(&ids);
}

// Vocabularies are padded to round numbers: such rows have no token, but the model may draw them.
static void ids_without_a_token_are_malformed(void **state)
{
    skip_in_slow_form(device);
    char *original = directories[SMALL_SINGLE];
    DIR *folder = opendir(original);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char *from = in_folder(original, entry->d_name), *to = in_folder(*state, entry->d_name);
        if (ebm_file_exists(from)) assert_ok(ebm_file_copy(from, to));
        free(from);
        free(to);
    }
    closedir(folder);
    ebm_config *config = NULL;
    assert_ok(ebm_config_load(*state, &config));
    config->vocabulary += 16;
    assert_ok(ebm_config_save(config, *state));
    ebm_config_free(config);

    instead = *state;
    for (int maps = 0; maps < 2; maps++) {
        opened o;
        open_stream(&o, SMALL_SINGLE, maps, SEED, hot);
        for (size_t i = 0; i < 100; i++) {
            const ebm_sequence s = next(o.s.stream);
            for (size_t k = 0; k < s.count; k++) assert_in_range(s.ids[k], 0, ebm_tokenizer_size(o.encoder) - 1);
        }
        assert_true(ebm_noise_stream_statistics(o.s.stream).malformed > 50);
        close_stream(&o);
    }
}

static int forget_own_folder(void **state)
{
    instead = NULL;
    return remove_own_folder(state);
}

static void too_small_a_capacity_is_refused(void **state)
{
    (void)state;
    opened o;
    ebm_noise_stream *stream = NULL;
    open_stream(&o, SMALL_SINGLE, true, SEED, NULL);
    const ebm_noise_source source = {.model = o.s.model,
                                     .training = o.training,
                                     .encoder = o.encoder,
                                     .max_length = MAX_LENGTH,
                                     .slots = SMALL_SLOTS,
                                     .capacity = EBM_NOISE_MAX_PREFIX + 2,
                                     .prompt_limits = {512, SMALL_SLOTS, false}};
    assert_fails(ebm_noise_stream_from_model(&source, &stream), EBM_ERROR_INPUT, "130");
    assert_null(stream);
    close_stream(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_give_the_ids),
        cmocka_unit_test(sequences_are_cut_as_the_tokenizer_does),
        cmocka_unit_test(both_routes_give_the_same),
        cmocka_unit_test(a_seed_names_the_stream),
        cmocka_unit_test(the_number_asked_for_does_not_matter),
        cmocka_unit_test(texts_equal_to_training_texts_are_dropped),
        cmocka_unit_test(pairs_have_one_separator_with_text_around),
        cmocka_unit_test(a_model_stream_is_taken_up_anywhere),
        cmocka_unit_test(ranks_take_every_other_block),
        cmocka_unit_test(a_file_stream_is_taken_up_anywhere),
        cmocka_unit_test(a_file_gives_every_text_once_an_epoch),
        cmocka_unit_test(held_out_texts_never_come_again),
        cmocka_unit_test(a_model_that_gives_nothing_fails_with_its_numbers),
        cmocka_unit_test(unknown_tokens_stay_unknown_or_are_malformed),
        cmocka_unit_test_setup_teardown(ids_without_a_token_are_malformed, make_own_folder, forget_own_folder),
        cmocka_unit_test(too_small_a_capacity_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
