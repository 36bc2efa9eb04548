// Embeddings and column sums against double precision.
#include <math.h>

#include "operations.h"
#include "tensors.h"

static const double u = UNIT_ROUNDOFF;

enum { WORDS = 23, PLACES = 9, KINDS = 2 };

typedef struct {
    tensors all;
    tensor *ids, *positions, *types, *word, *position, *type;
    ebm_batch batch;
    bool places, kinds; // whether there are such tables
} embedding_case;

static void make_embedding(embedding_case *e, size_t tokens, size_t channels, bool places, bool kinds)
{
    *e = (embedding_case){.all = {.device = device}, .places = places, .kinds = kinds};
    e->ids = tensors_integers(&e->all, tokens, WORDS);
    e->positions = tensors_integers(&e->all, tokens, PLACES);
    e->types = tensors_integers(&e->all, tokens, KINDS);
    e->word = tensors_normal(&e->all, WORDS * channels, 0, 1);
    e->position = tensors_normal(&e->all, PLACES * channels, 0, 1);
    e->type = tensors_normal(&e->all, KINDS * channels, 0, 1);
    tensor_integers(e->ids)[0] = -5; // clamped, in both directions
    if (tokens > 2) tensor_integers(e->ids)[2] = 0;
    tensor_integers(e->ids)[tokens - 1] = tokens > 1 ? INT32_MAX : -5;
    tensor_integers(e->positions)[tokens / 2] = PLACES;
}

static void upload_embedding(embedding_case *e, size_t tokens)
{
    tensors_upload(&e->all);
    e->batch = (ebm_batch){.sequences = 1, .tokens = tokens, .longest = tokens};
    e->batch.ids = e->ids->slice;
    if (e->places) e->batch.positions = e->positions->slice;
    if (e->kinds) e->batch.types = e->types->slice;
}

static ebm_slice slice_if(bool there, const tensor *table)
{
    const ebm_slice none = {NULL, 0};
    return there ? table->slice : none;
}

static size_t clamped(const tensor *numbers, size_t token, size_t bound)
{
    const int32_t number = tensor_integers(numbers)[token];
    return number < 0 ? 0 : (size_t)number >= bound ? bound - 1 : (size_t)number;
}

static void embedding_forward_on(size_t tokens, size_t channels, bool places, bool kinds)
{
    embedding_case e;
    make_embedding(&e, tokens, channels, places, kinds);
    tensor *y = tensors_zero(&e.all, tokens * channels);
    upload_embedding(&e, tokens);
    assert_ok(ebm_embedding_forward(device, y->slice, &e.batch, e.word->slice, slice_if(places, e.position),
                                    slice_if(kinds, e.type), channels));
    tensors_download(&e.all);
    for (size_t t = 0; t < tokens; t++)
        for (size_t c = 0; c < channels; c++) {
            const double w = (double)e.word->before[clamped(e.ids, t, WORDS) * channels + c];
            const double p = !places ? 0 : (double)e.position->before[clamped(e.positions, t, PLACES) * channels + c];
            const double k = !kinds ? 0 : (double)e.type->before[clamped(e.types, t, KINDS) * channels + c];
            const double expected = w + p + k, allowed = 2 * u * (fabs(w) + fabs(p) + fabs(k)); // two additions
            assert_within("y", y->now + t * channels + c, &expected, &allowed, 1);
        }
    tensors_free(&e.all);
}

static void embedding_forward_case(size_t tokens, size_t channels)
{
    embedding_forward_on(tokens, channels, true, true);
    embedding_forward_on(tokens, channels, true, false);
    embedding_forward_on(tokens, channels, false, false);
}

static void embedding_forward_is_exact(void **state) { for_sizes(embedding_forward_case); }

// Additions one after another: one for each token of the row.
static void assert_table(const char *what, const tensor *table, const tensor *numbers, size_t bound, const tensor *dy,
                         size_t tokens, size_t channels)
{
    double *sums = calloc(bound * channels, sizeof *sums), *allowed = calloc(bound * channels, sizeof *allowed);
    assert_true(sums && allowed);
    for (size_t i = 0; i < bound * channels; i++) {
        sums[i] = (double)table->before[i];
        allowed[i] = fabs(sums[i]);
    }
    for (size_t t = 0; t < tokens; t++)
        for (size_t c = 0; c < channels; c++) {
            const size_t at = clamped(numbers, t, bound) * channels + c;
            sums[at] += (double)dy->before[t * channels + c];
            allowed[at] += fabs((double)dy->before[t * channels + c]);
        }
    for (size_t i = 0; i < bound * channels; i++) allowed[i] *= u * (double)tokens;
    assert_within(what, table->now, sums, allowed, bound * channels);
    free(sums);
    free(allowed);
}

static void embedding_backward_on(size_t tokens, size_t channels, bool places, bool kinds)
{
    embedding_case e;
    make_embedding(&e, tokens, channels, places, kinds);
    tensor *dy = tensors_normal(&e.all, tokens * channels, 0, 1), *again = tensors_zero(&e.all, WORDS * channels);
    memcpy(again->before, e.word->before, WORDS * channels * sizeof(float));
    upload_embedding(&e, tokens);
    const ebm_slice position = slice_if(places, e.position), type = slice_if(kinds, e.type);
    assert_ok(ebm_embedding_backward(device, e.word->slice, position, type, dy->slice, &e.batch, channels));
    tensors_download(&e.all);
    assert_table("dword", e.word, e.ids, WORDS, dy, tokens, channels);
    if (places)
        assert_table("dposition", e.position, e.positions, PLACES, dy, tokens, channels);
    else
        assert_unchanged(e.position);
    if (kinds) {
        assert_table("dtype", e.type, e.types, KINDS, dy, tokens, channels);
        assert_ok(ebm_embedding_backward(device, again->slice, position, type, dy->slice, &e.batch, channels));
        tensors_download(&e.all);
        assert_memory_equal(again->now, e.word->now, WORDS * channels * sizeof(float)); // same bits each run
    } else {
        assert_unchanged(e.type);
    }
    tensors_free(&e.all);
}

static void embedding_backward_case(size_t tokens, size_t channels)
{
    embedding_backward_on(tokens, channels, true, true);
    embedding_backward_on(tokens, channels, true, false);
    embedding_backward_on(tokens, channels, false, false);
}

static void embedding_backward_is_exact(void **state)
{
    for_sizes(embedding_backward_case);
    if (!getenv("EBMCL_TEST_SMALL")) embedding_backward_on(1000, 16, true, true); // several chunks of the search
}

// Additions one after another: rows of a slab (32, more past 64 slabs), slabs, and the old value.
static void bias_case(size_t rows, size_t channels)
{
    tensors all = {.device = device};
    tensor *dy = tensors_normal(&all, rows * channels, 0.5, 1), *dbias = tensors_normal(&all, channels, 0, 1);
    tensor *scratch = tensors_normal(&all, EBM_COLUMN_SLABS * channels, 0, 1), *again = tensors_zero(&all, channels);
    memcpy(again->before, dbias->before, channels * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_bias_gradient(device, dbias->slice, dy->slice, scratch->slice, rows, channels));
    assert_ok(ebm_bias_gradient(device, again->slice, dy->slice, scratch->slice, rows, channels));
    tensors_download(&all);
    for (size_t c = 0; c < channels; c++) {
        double sum = (double)dbias->before[c], size = fabs(sum);
        for (size_t row = 0; row < rows; row++) {
            sum += (double)dy->before[row * channels + c];
            size += fabs((double)dy->before[row * channels + c]);
        }
        const double allowed = (32 + (double)rows / 32 + (double)rows / EBM_COLUMN_SLABS + 2) * u * size;
        assert_within("dbias", dbias->now + c, &sum, &allowed, 1);
    }
    assert_memory_equal(again->now, dbias->now, channels * sizeof(float));
    assert_unchanged(dy);
    tensors_free(&all);
}

static void bias_gradients_are_exact(void **state) { for_sizes(bias_case); }

static void bias_gradients_take_any_number_of_channels(void **state)
{
    static const size_t channels[] = {1, 2, 3, 7, 15, 17, 63, 65, 130, 255, 257, 1001};
    const bool small = getenv("EBMCL_TEST_SMALL") != NULL;
    for (size_t i = 0; i < (small ? 7 : sizeof channels / sizeof *channels); i++) {
        bias_case(1, channels[i]);
        bias_case(small ? 40 : 200, channels[i]);
    }
    if (small) return;
    bias_case(3, 30522);
    bias_case(5000, 3);
}

static void no_rows_add_nothing(void **state)
{
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, 16, 0, 1), *dbias = tensors_normal(&all, 16, 0, 1),
           *scratch = tensors_zero(&all, 64);
    tensors_upload(&all);
    assert_ok(ebm_bias_gradient(device, dbias->slice, x->slice, scratch->slice, 0, 16));
    assert_ok(ebm_layernorm_backward_weights(device, dbias->slice, x->slice, x->slice, x->slice, x->slice, x->slice,
                                             scratch->slice, 0, 16));
    tensors_download(&all);
    assert_unchanged(dbias);
    assert_unchanged(x);
    tensors_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedding_forward_is_exact), cmocka_unit_test(embedding_backward_is_exact),
        cmocka_unit_test(bias_gradients_are_exact),   cmocka_unit_test(bias_gradients_take_any_number_of_channels),
        cmocka_unit_test(no_rows_add_nothing),
    };
    return cmocka_run_group_tests_name("embeddings and column sums", tests, open_device, close_device);
}
