// Rotary positions against double precision.
#include <math.h>

#include "operations.h"
#include "rotary.h"
#include "tensors.h"

static const double u = UNIT_ROUNDOFF;

enum { PLACES = 40 };

// One token's qkv as the definition has it; turn -1: the way back.
static void reference_rotary(double *y, const double *x, const float *row, size_t heads, size_t size, double turn)
{
    const size_t half = size / 2;
    memcpy(y, x, 3 * heads * size * sizeof *y);
    for (size_t h = 0; h < 2 * heads; h++)
        for (size_t i = 0; i < half; i++) {
            const double cosine = (double)row[i], sine = turn * (double)row[half + i];
            const double first = x[h * size + i], second = x[h * size + half + i];
            y[h * size + i] = first * cosine - second * sine;
            y[h * size + half + i] = second * cosine + first * sine;
        }
}

static size_t place_of(const tensor *positions, size_t token)
{
    const int32_t place = tensor_integers(positions)[token];
    return place < 0 ? 0 : place >= PLACES ? PLACES - 1 : (size_t)place;
}

static void assert_turned(const tensor *qkv, const tensor *positions, const float *table, size_t tokens, size_t heads,
                          size_t size, double turn)
{
    const size_t width = 3 * heads * size;
    double *x = calloc(width, sizeof *x), *y = calloc(width, sizeof *y), *allowed = calloc(width, sizeof *allowed);
    for (size_t t = 0; t < tokens; t++) {
        for (size_t i = 0; i < width; i++) x[i] = (double)qkv->before[t * width + i];
        reference_rotary(y, x, table + place_of(positions, t) * size, heads, size, turn);
        for (size_t i = 0; i < width; i++) { // two products and their sum; values are left alone
            const size_t pair = i % size < size / 2 ? i + size / 2 : i - size / 2;
            allowed[i] = i < 2 * heads * size ? 2 * u * (fabs(x[i]) + fabs(x[pair])) : 0;
        }
        assert_within(turn > 0 ? "turned" : "turned back", qkv->now + t * width, y, allowed, width);
    }
    free(x);
    free(y);
    free(allowed);
}

static void rotary_case(size_t tokens, size_t heads, size_t size)
{
    tensors all = {.device = device};
    tensor *qkv = tensors_normal(&all, tokens * 3 * heads * size, 0, 1);
    tensor *dqkv = tensors_normal(&all, tokens * 3 * heads * size, 0, 1);
    tensor *table = tensors_zero(&all, PLACES * size), *positions = tensors_integers(&all, tokens, PLACES);
    ebm_rotary_table(table->before, PLACES, size, 10000);
    tensor_integers(positions)[0] = PLACES + 5; // clamped
    tensor_integers(positions)[tokens / 2] = -1;
    tensors_upload(&all);
    const ebm_batch batch = {.sequences = 1, .tokens = tokens, .longest = tokens, .positions = positions->slice};
    assert_ok(ebm_rotary_forward(device, qkv->slice, table->slice, &batch, heads, size));
    assert_ok(ebm_rotary_backward(device, dqkv->slice, table->slice, &batch, heads, size));
    tensors_download(&all);
    assert_turned(qkv, positions, table->before, tokens, heads, size, 1);
    assert_turned(dqkv, positions, table->before, tokens, heads, size, -1);
    assert_unchanged(table);
    tensors_free(&all);
}

static void rotary_is_exact_at_all_head_sizes(void **state)
{
    static const size_t tokens[] = {1, 17, 65};
    const bool small = getenv("EBMCL_TEST_SMALL") != NULL;
    for (size_t size = 16; size <= (small ? 48 : 128); size += 16)
        for (size_t heads = 1; heads <= 3; heads += 2)
            for (size_t i = 0; i < (small ? 1 : 3); i++) rotary_case(tokens[i], heads, size);
}

// Turning is linear, so the way back is its gradient when dy . turned(x) = back(dy) . x, up to 1e-15 for 96 terms.
static void the_way_back_is_the_gradient(void **state)
{
    enum { HEADS = 1, SIZE = 32, WIDTH = 3 * SIZE };
    float table[PLACES * SIZE];
    double x[WIDTH], dy[WIDTH], y[WIDTH], dx[WIDTH], left = 0, right = 0;
    ebm_rotary_table(table, PLACES, SIZE, 160000);
    for (size_t i = 0; i < WIDTH; i++) x[i] = sin(1.0 + (double)i), dy[i] = cos(3.0 * (double)i);
    reference_rotary(y, x, table + 7 * SIZE, HEADS, SIZE, 1);
    reference_rotary(dx, dy, table + 7 * SIZE, HEADS, SIZE, -1);
    for (size_t i = 0; i < WIDTH; i++) left += dy[i] * y[i], right += dx[i] * x[i];
    assert_true(fabs(left - right) < 1e-12);
}

// Products of turned queries and keys depend on the distance of their positions alone, up to the rounding of the table.
static void only_the_distance_counts(void **state)
{
    enum { SIZE = 64 };
    float *table = calloc((size_t)PLACES * SIZE, sizeof *table);
    double qkv[3 * SIZE], at[2][3 * SIZE], products[2] = {0};
    assert_non_null(table);
    ebm_rotary_table(table, PLACES, SIZE, 10000);
    for (size_t i = 0; i < 3 * SIZE; i++) qkv[i] = sin(1.0 + (double)(i * i));
    for (size_t pair = 0; pair < 2; pair++) {
        reference_rotary(at[0], qkv, table + (3 + 20 * pair) * SIZE, 1, SIZE, 1);
        reference_rotary(at[1], qkv, table + (9 + 20 * pair) * SIZE, 1, SIZE, 1);
        for (size_t i = 0; i < SIZE; i++) products[pair] += at[0][i] * at[1][SIZE + i];
    }
    assert_true(fabs(products[0] - products[1]) < 64 * 40 * u);
    free(table);
}

// Cosines and sines of the last position by the definition; the angle has the roundings of its
// frequency and product, and the exponent's times ln theta = 12.
static void the_table_holds_cosines_and_sines(void **state)
{
    enum { SIZE = 48, LAST = 1023 };
    float *table = calloc((size_t)(LAST + 1) * SIZE, sizeof *table);
    assert_non_null(table);
    ebm_rotary_table(table, LAST + 1, SIZE, 160000);
    for (size_t i = 0; i < SIZE / 2; i++) {
        const double angle = LAST * pow(160000, -2.0 * (double)i / SIZE), allowed = 16 * u * angle + u;
        assert_true(table[i] == 1 && table[SIZE / 2 + i] == 0); // position 0
        assert_true(fabs((double)table[(size_t)LAST * SIZE + i] - cos(angle)) <= allowed);
        assert_true(fabs((double)table[(size_t)LAST * SIZE + SIZE / 2 + i] - sin(angle)) <= allowed);
    }
    free(table);
}

static void wrong_arguments_are_refused(void **state)
{
    tensors all = {.device = device};
    tensor *qkv = tensors_normal(&all, 48, 0, 1), *table = tensors_zero(&all, 8), *positions = tensors_zero(&all, 1);
    tensors_upload(&all);
    const ebm_batch batch = {.sequences = 1, .tokens = 1, .longest = 1, .positions = positions->slice};
    assert_fails(ebm_rotary_forward(device, qkv->slice, table->slice, &batch, 1, 24), EBM_ERROR_INPUT,
                 "positive multiple of 16, found 24");
    assert_fails(ebm_rotary_forward(device, qkv->slice, table->slice, &batch, 1, 16), EBM_ERROR_DEVICE,
                 "table needs 16 elements, its slice has 8");
    tensors_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotary_is_exact_at_all_head_sizes), cmocka_unit_test(the_way_back_is_the_gradient),
        cmocka_unit_test(only_the_distance_counts),          cmocka_unit_test(the_table_holds_cosines_and_sines),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("rotary positions", tests, open_device, close_device);
}
