// Matrix products of the backend $EBMCL_GEMM names (default: the device's own) against double precision.
// EBMCL_TEST_SMALL=1: few and small sizes, for simulators.
#include "bf16.h"
#include "check.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "device_internal.h"
#include "gemm_internal.h"
#include "gemm_packed.h"
#include "random.h"
#include "reference_gemm.h"

enum { BEFORE = 37, AFTER = 70 }; // elements around C that must stay as they are
static const float sentinel = -12345.0f;

static ebm_device *device;
static bool small, bf16; // bf16: operands are rounded

// A device slice and its host copy.
typedef struct {
    ebm_slice slice;
    ebm_arena *arena;
    float *host;
} buffer;

static buffer buffer_new(size_t count)
{
    buffer b = {{NULL, 0}, ebm_arena_create(device, "test"), calloc(count, sizeof(float))};
    return b;
}

static void buffer_allocate(buffer *b, size_t count)
{
    ebm_arena_reserve(b->arena, &b->slice, count);
    assert_ok(ebm_arena_allocate(b->arena));
}

static void buffer_free(buffer *b)
{
    ebm_arena_free(b->arena);
    free(b->host);
}

static void upload(buffer *b, size_t count) { assert_ok(ebm_slice_write(device, b->slice, 0, count, b->host)); }

// Numbers in [-1, 1) inside the matrix, NaN around and between its rows: whoever reads those is found out.
static void fill_matrix(buffer *b, size_t rows, size_t columns, size_t first, size_t stride, uint32_t seed)
{
    ebm_random random = ebm_random_stream(seed, 0, 0);
    const size_t count = first + rows * stride;
    for (size_t i = 0; i < count; i++) b->host[i] = NAN;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            b->host[first + r * stride + c] = (float)(2 * ebm_random_uniform(&random) - 1);
    if (count > 0) upload(b, count);
}

enum { LARGEST = 200 * 1100 };
static buffer A, B, C, bias;

typedef struct {
    ebm_gemm_form form;
    size_t m, n, k;
    bool accumulate, with_bias;
    size_t first, gap; // elements before each matrix and between its rows
} product;

static size_t sizes_of_c(const product *p) { return p->first + BEFORE + p->m * (p->n + p->gap) + AFTER; }

// C holds NaN where beta = 0 must overwrite it, and numbers where beta = 1 adds to it.
static void fill_c(const product *p, float *held)
{
    const size_t stride = p->n + p->gap, first = p->first + BEFORE;
    for (size_t i = 0; i < sizes_of_c(p); i++) C.host[i] = sentinel;
    for (size_t r = 0; r < p->m; r++)
        for (size_t c = 0; c < p->n; c++)
            C.host[first + r * stride + c] = p->accumulate ? 0.125f * (float)((r * 7 + c * 3) % 17) - 1 : NAN;
    memcpy(held, C.host, sizes_of_c(p) * sizeof *held);
    upload(&C, sizes_of_c(p));
}

static float as_multiplied(float value) { return bf16 ? ebm_reference_bf16(value) : value; }

static void round_all(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) values[i] = as_multiplied(values[i]);
}

// Against the operands as given (bound: what rounding them may do) or as rounded (bound: the sums alone).
static void compare(const product *p, const float *held, bool rounded)
{
    const ebm_reference_matrix a = {A.host + p->first, (p->form == EBM_GEMM_TN ? p->m : p->k) + p->gap};
    const ebm_reference_matrix b = {B.host + p->first, (p->form == EBM_GEMM_NT ? p->k : p->n) + p->gap};
    const size_t stride = p->n + p->gap, first = p->first + BEFORE, count = sizes_of_c(p);
    for (size_t i = 0; i < count; i++) {
        const bool before = i < first || stride == 0;
        const size_t row = before ? p->m : (i - first) / stride, column = before ? 0 : (i - first) % stride;
        if (row >= p->m || column >= p->n) {
            if (C.host[i] != sentinel)
                fail_msg("form %d, %zu x %zu x %zu: element %zu outside C written", p->form, p->m, p->n, p->k, i);
            continue;
        }
        const float start = p->accumulate ? held[i] : p->with_bias ? bias.host[column] : 0;
        double bound = 0;
        const double expected = ebm_reference_product(p->form, row, column, p->k, a, b, (double)start, &bound);
        if (bf16 && !rounded) bound = ebm_reference_bf16_bound(bound, p->k);
        if (!(fabs((double)C.host[i] - expected) <= bound))
            fail_msg("form %d, %zu x %zu x %zu, first %zu, gap %zu, beta %d, bias %d: C(%zu, %zu) = %.9g, expected "
                     "%.9g within %.2g",
                     p->form, p->m, p->n, p->k, p->first, p->gap, p->accumulate, p->with_bias, row, column,
                     (double)C.host[i], expected, bound);
    }
}

static void check_product(const product *p)
{
    static float held[LARGEST];
    const bool a_transposed = p->form == EBM_GEMM_TN, b_transposed = p->form == EBM_GEMM_NT;
    const size_t a_rows = a_transposed ? p->k : p->m, a_columns = a_transposed ? p->m : p->k;
    const size_t b_rows = b_transposed ? p->n : p->k, b_columns = b_transposed ? p->k : p->n;
    fill_matrix(&A, a_rows, a_columns, p->first, a_columns + p->gap, 1);
    fill_matrix(&B, b_rows, b_columns, p->first, b_columns + p->gap, 2);
    fill_matrix(&bias, 1, p->n, 0, p->n, 3);
    fill_c(p, held);
    const ebm_matrix a = {A.slice, p->first, a_columns + p->gap}, b = {B.slice, p->first, b_columns + p->gap};
    const ebm_matrix c = {C.slice, p->first + BEFORE, p->n + p->gap};
    const ebm_slice row = {bias.slice.memory, p->with_bias ? p->n : 0};
    assert_ok(ebm_gemm(device, p->form, p->m, p->n, p->k, a, b, p->accumulate ? 1 : 0, c, row));
    assert_ok(ebm_slice_read(device, C.slice, 0, sizes_of_c(p), C.host));
    compare(p, held, false);
    if (!bf16) return;
    round_all(A.host, p->first + a_rows * (a_columns + p->gap));
    round_all(B.host, p->first + b_rows * (b_columns + p->gap));
    compare(p, held, true);
}

// All forms, beta 0 and 1, with and without bias (small: one of these, another for each form and number of rows);
// offsets and strides alternate with the size.
static void check_size(size_t m, size_t n, size_t k)
{
    for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++)
        for (int start = 0; start < 3; start++) {
            if (small && (size_t)start != ((size_t)form + m / 16) % 3) continue;
            const bool shifted = (m + n + k + (size_t)start) % 2;
            const product p = {(ebm_gemm_form)form, m, n, k, start == 1, start == 2, shifted ? 5 : 0, shifted ? 3 : 0};
            check_product(&p);
        }
}

static void edge_sizes(void **state)
{
    static const size_t all[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 63, 97}, few[] = {1, 17, 33};
    const size_t *sizes = small ? few : all, count = small ? sizeof few / sizeof *few : sizeof all / sizeof *all;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            for (size_t l = 0; l < count; l++)
                if ((i + j + l) % (small ? 3 : 2) == 0) check_size(sizes[i], sizes[j], sizes[l]);
}

// Sums longer than a block of k of any backend, and on its borders.
static void long_sums(void **state)
{
    static const size_t all[] = {127, 128, 129, 255, 257, 383, 384, 385, 769, 1000}, few[] = {129};
    const size_t *sizes = small ? few : all, count = small ? 1 : sizeof all / sizeof *all;
    for (size_t i = 0; i < count; i++) {
        check_size(9, small ? 19 : 50, sizes[i]);
        check_size(1, 17, sizes[i]);
        if (!small) check_size(65, 100, sizes[i]);
    }
}

// More than one tile of C in each direction.
static void many_tiles(void **state)
{
    if (small) {
        check_size(20, 100, 5);
        return;
    }
    check_size(150, 400, 33);
    check_size(1030, 50, 17);
    check_size(5, 1000, 64);
}

// ---- B packed before

static buffer C_packed;

static bool keeps_packed(void)
{
    return strcmp(ebm_gemm_backend(device), "cpu") == 0 || strcmp(ebm_gemm_backend(device), "bf16") == 0;
}

// The sentinel around C, NaN in it.
static void clear_c(buffer *c, size_t m, size_t n, size_t stride)
{
    for (size_t i = 0; i < BEFORE + m * stride + AFTER; i++) {
        const size_t at = i < BEFORE ? 0 : i - BEFORE;
        c->host[i] = i >= BEFORE && at / stride < m && at % stride < n ? NAN : sentinel;
    }
    upload(c, BEFORE + m * stride + AFTER);
}

static void check_packed(ebm_gemm_form form, size_t m, size_t n, size_t k, size_t first, size_t gap, bool with_bias)
{
    const size_t b_rows = form == EBM_GEMM_NT ? n : k, b_columns = form == EBM_GEMM_NT ? k : n, stride = n + gap;
    ebm_arena *arena = ebm_arena_create(device, "packed");
    ebm_packed packed = {0};
    ebm_packed_reserve(device, form, n, k, arena, &packed);
    assert_int_equal(packed.memory.count > 0, keeps_packed());
    assert_ok(ebm_arena_allocate(arena));
    fill_matrix(&A, m, k, first, k + gap, 1);
    fill_matrix(&B, b_rows, b_columns, first, b_columns + gap, 2);
    fill_matrix(&bias, 1, n, 0, n, 3);
    const ebm_matrix a = {A.slice, first, k + gap}, b = {B.slice, first, b_columns + gap};
    const ebm_matrix c = {C.slice, BEFORE, stride}, to = {C_packed.slice, BEFORE, stride};
    const ebm_slice row = {bias.slice.memory, with_bias ? n : 0};
    const size_t count = BEFORE + m * stride + AFTER;
    clear_c(&C, m, n, stride);
    assert_ok(ebm_gemm(device, form, m, n, k, a, b, 0, c, row));
    assert_ok(ebm_slice_read(device, C.slice, 0, count, C.host));
    for (int taken = 0; taken < 2; taken++) {
        clear_c(&C_packed, m, n, stride);
        if (taken) assert_ok(ebm_packed_take(device, b, &packed));
        assert_int_equal(packed.is_taken, taken && packed.memory.count > 0);
        if (packed.is_taken) fill_matrix(&B, 0, 0, first + b_rows * (b_columns + gap), 0, 9); // not to be read any more
        if (packed.is_taken && form == EBM_GEMM_NT && m <= 24) continue;                      // but by dot products
        assert_ok(ebm_gemm_packed(device, m, a, b, &packed, to, row));
        assert_ok(ebm_slice_read(device, C_packed.slice, 0, count, C_packed.host));
        if (memcmp(C.host, C_packed.host, count * sizeof *C.host) != 0)
            fail_msg("form %d, %zu x %zu x %zu, first %zu, gap %zu, bias %d: other bits with B %s", form, m, n, k,
                     first, gap, with_bias, taken ? "packed" : "to be packed");
    }
    ebm_arena_free(arena);
}

// A B that was packed before gives the bits of one that the product packs, and is not read.
static void packed_before(void **state)
{
    static const size_t sizes[][3] = {{1, 1, 1},      {7, 48, 33},     {8, 49, 64},    {25, 50, 77},
                                      {64, 96, 384},  {65, 97, 385},   {64, 144, 769}, {130, 31, 47},
                                      {600, 100, 95}, {64, 200, 1000}, {40, 52, 3201}};
    C_packed = buffer_new(LARGEST);
    buffer_allocate(&C_packed, LARGEST);
    for (size_t i = 0; i < (small ? 3 : sizeof sizes / sizeof *sizes); i++)
        for (int form = EBM_GEMM_NN; form <= EBM_GEMM_NT; form++)
            check_packed((ebm_gemm_form)form, sizes[i][0], sizes[i][1], sizes[i][2], i % 2 ? 5 : 0, i % 2 ? 3 : 0,
                         i % 3 != 1);
    buffer_free(&C_packed);
}

// Another precision than was planned for: B as it lies is taken, until the first one is back.
static void packed_in_another_precision(void **state)
{
    enum { M = 40, N = 50, K = 60 };
    const ebm_precision before = ebm_gemm_precision(device), other = before == EBM_BF16 ? EBM_FP32 : EBM_BF16;
    const ebm_slice none = {NULL, 0};
    static float expected[M * N];
    if (ebm_gemm_set_precision(device, other).code != EBM_OK) return; // and there is no other
    assert_ok(ebm_gemm_set_precision(device, before));
    ebm_arena *arena = ebm_arena_create(device, "packed");
    ebm_packed packed = {0};
    ebm_packed_reserve(device, EBM_GEMM_NN, N, K, arena, &packed);
    assert_ok(ebm_arena_allocate(arena));
    fill_matrix(&A, M, K, 0, K, 1);
    fill_matrix(&B, K, N, 0, N, 2);
    const ebm_matrix a = ebm_matrix_of(A.slice, K), b = ebm_matrix_of(B.slice, N), c = ebm_matrix_of(C.slice, N);
    assert_ok(ebm_packed_take(device, b, &packed));
    const ebm_precision order[] = {before, other, before};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(ebm_gemm_set_precision(device, order[i]));
        assert_ok(ebm_gemm(device, EBM_GEMM_NN, M, N, K, a, b, 0, c, none));
        assert_ok(ebm_slice_read(device, C.slice, 0, M * N, expected));
        assert_ok(ebm_gemm_packed(device, M, a, b, &packed, c, none));
        assert_ok(ebm_slice_read(device, C.slice, 0, M * N, C.host));
        assert_memory_equal(C.host, expected, sizeof expected);
    }
    ebm_arena_free(arena);
}

static void wrong_packed_operands_are_refused(void **state)
{
    const ebm_slice none = {NULL, 0};
    ebm_arena *arena = ebm_arena_create(device, "packed");
    ebm_packed packed = {0};
    ebm_packed_reserve(device, EBM_GEMM_NN, 20, 30, arena, &packed);
    const ebm_matrix a = ebm_matrix_of(A.slice, 30), b = ebm_matrix_of(B.slice, 20), c = ebm_matrix_of(C.slice, 20);
    const ebm_matrix narrow = ebm_matrix_of(B.slice, 19), few = {B.slice, B.slice.count - 599, 20};
    if (packed.memory.count > 0) {
        assert_fails(ebm_packed_take(device, b, &packed), EBM_ERROR_DEVICE, "a packed B is not allocated");
        assert_ok(ebm_arena_allocate(arena));
        assert_fails(ebm_packed_take(device, narrow, &packed), EBM_ERROR_DEVICE, "rows of B have 20 elements");
        assert_fails(ebm_packed_take(device, few, &packed), EBM_ERROR_DEVICE, "B (30 x 20, stride 20) ends");
    }
    assert_fails(ebm_gemm_packed(device, 5, a, narrow, &packed, c, none), EBM_ERROR_DEVICE, "rows of B have 20");
    assert_fails(ebm_gemm_packed(device, 5, ebm_matrix_of(A.slice, 29), b, &packed, c, none), EBM_ERROR_DEVICE,
                 "rows of A have 30");
    ebm_packed never = {0};
    ebm_packed_reserve(device, EBM_GEMM_TN, 20, 30, arena, &never); // a gradient's product: no weights in it
    assert_int_equal(never.memory.count, 0);
    ebm_arena_free(arena);
}

// ---- columns of A added up on the way

static void read_c(size_t count, float *values) { assert_ok(ebm_slice_read(device, C.slice, 0, count, values)); }

// C has the same bits as without; sums are of A as given, in bf16 too, each off by at most k roundings of its
// magnitudes.
static void check_sums(size_t m, size_t n, size_t k)
{
    static float held[LARGEST], without[LARGEST], with[LARGEST];
    const product p = {.form = EBM_GEMM_TN, .m = m, .n = n, .k = k, .accumulate = true};
    const ebm_matrix a = ebm_matrix_of(A.slice, m), b = ebm_matrix_of(B.slice, n), c = ebm_matrix_of(C.slice, n);
    const ebm_slice none = {0}, sums = {bias.slice.memory, m};
    fill_matrix(&A, k, m, 0, m, 1);
    fill_matrix(&B, k, n, 0, n, 2);
    fill_matrix(&bias, 1, m, 0, m, 3);
    bias.host[m] = sentinel;
    upload(&bias, m + 1);
    fill_c(&p, held);
    assert_ok(ebm_gemm(device, EBM_GEMM_TN, m, n, k, a, b, 1, c, none));
    read_c(m * n, without);
    fill_c(&p, held);
    assert_ok(ebm_gemm_with_sums(device, m, n, k, a, b, c, sums));
    read_c(m * n, with);
    assert_memory_equal(with, without, m * n * sizeof *with);
    assert_ok(ebm_slice_read(device, bias.slice, 0, m + 1, with));
    assert_true(with[m] == sentinel);
    for (size_t column = 0; column < m; column++) {
        double expected = (double)bias.host[column], magnitudes = fabs(expected);
        for (size_t row = 0; row < k; row++) {
            expected += (double)A.host[row * m + column];
            magnitudes += fabs((double)A.host[row * m + column]);
        }
        assert_true(fabs((double)with[column] - expected) <= (double)(k + 1) * 0x1p-24 * magnitudes);
    }
}

static void columns_are_added_up_on_the_way(void **state)
{
    static const size_t sizes[][3] = {{1, 1, 1},    {7, 48, 33},  {8, 49, 3},      {17, 50, 769}, {16, 384, 385},
                                      {33, 300, 2}, {50, 97, 64}, {200, 97, 1000}, {600, 130, 77}};
    const ebm_slice one = {bias.slice.memory, 1}, two = {bias.slice.memory, 2};
    const ebm_matrix of_one = ebm_matrix_of(A.slice, 1);
    if (!ebm_gemm_sums_columns(device)) {
        assert_fails(ebm_gemm_with_sums(device, 1, 1, 1, of_one, of_one, ebm_matrix_of(C.slice, 1), one),
                     EBM_ERROR_UNSUPPORTED, "only the CPU kernels add columns up");
        return;
    }
    assert_fails(ebm_gemm_with_sums(device, 1, 1, 1, of_one, of_one, ebm_matrix_of(C.slice, 1), two), EBM_ERROR_DEVICE,
                 "2 sums of 1 columns");
    for (size_t i = 0; i < (small ? 3 : sizeof sizes / sizeof *sizes); i++)
        check_sums(sizes[i][0], sizes[i][1], sizes[i][2]);
}

static void few_rows(void **state)
{
    for (size_t m = 1; m <= (small ? 3 : 24); m++) check_size(m, small ? 21 : 101, small ? 19 : 77);
}

static void empty_dimensions(void **state)
{
    check_size(5, 18, 0); // C = bias, 0 or unchanged
    check_size(0, 3, 4);
    check_size(3, 0, 4);
    check_size(0, 0, 0);
}

static void wrong_arguments_are_refused(void **state)
{
    const ebm_slice none = {NULL, 0}, ten = {bias.slice.memory, 10}, absent = {NULL, 1000};
    const ebm_matrix a = ebm_matrix_of(A.slice, 20), b = ebm_matrix_of(B.slice, 10), c = ebm_matrix_of(C.slice, 10);
    const ebm_gemm_form nn = EBM_GEMM_NN;
    ebm_matrix bad = {A.slice, A.slice.count - 99, 20};
    assert_fails(ebm_gemm(device, nn, 5, 10, 20, bad, b, 0, c, none), EBM_ERROR_DEVICE,
                 "A (5 x 20, stride 20) ends at element");
    bad = (ebm_matrix){B.slice, 0, 9};
    assert_fails(ebm_gemm(device, nn, 5, 10, 20, a, bad, 0, c, none), EBM_ERROR_DEVICE, "rows of B have 10 elements");
    bad = (ebm_matrix){C.slice, C.slice.count + 1, 10};
    assert_fails(ebm_gemm(device, nn, 5, 10, 20, a, b, 0, bad, none), EBM_ERROR_DEVICE, "C (5 x 10, stride 10) ends");
    bad = ebm_matrix_of(absent, 20);
    assert_fails(ebm_gemm(device, nn, 5, 10, 20, bad, b, 0, c, none), EBM_ERROR_DEVICE, "A is not allocated");
    assert_fails(ebm_gemm(device, nn, 5, 10, 20, a, b, 0.5f, c, none), EBM_ERROR_DEVICE, "beta must be 0 or 1");
    assert_fails(ebm_gemm(device, nn, 5, 10, 20, a, b, 1, c, ten), EBM_ERROR_DEVICE, "a bias needs beta = 0");
    assert_fails(ebm_gemm(device, nn, 5, 9, 20, a, b, 0, c, ten), EBM_ERROR_DEVICE, "bias of 10 elements for 9");
    assert_fails(ebm_gemm(device, nn, (size_t)INT_MAX + 1, 9, 20, a, b, 0, c, none), EBM_ERROR_UNSUPPORTED,
                 "too large");
}

static void the_backend_is_the_one_asked_for(void **state)
{
    const char *wanted = getenv("EBMCL_GEMM"), *own = ebm_device_uses_cpu_kernels(device) ? "cpu" : "clblast";
    assert_string_equal(ebm_gemm_backend(device), wanted ? wanted : own);

    char *kept = wanted ? strdup(wanted) : NULL;
    setenv("EBMCL_GEMM", "blas", 1);
    ebm_device *other = NULL;
    assert_ok(ebm_device_open(NULL, &other));
    const ebm_matrix empty = {{NULL, 0}, 0, 0};
    assert_fails(ebm_gemm(other, EBM_GEMM_NN, 0, 0, 0, empty, empty, 0, empty, empty.slice), EBM_ERROR_INPUT,
                 "expected cpu, bf16, clblast or plain, found 'blas'");
    ebm_device_free(other);
    if (kept)
        setenv("EBMCL_GEMM", kept, 1);
    else
        unsetenv("EBMCL_GEMM");
    free(kept);
}

// C(i, j) = value * 1 for matrices of one k, from either side.
static void one_by_one(ebm_gemm_form form, size_t m, size_t n, const float *values, size_t count, bool values_in_a)
{
    const ebm_slice none = {NULL, 0};
    for (size_t i = 0; i < m; i++) A.host[i] = values_in_a ? values[i % count] : 1;
    for (size_t j = 0; j < n; j++) B.host[j] = values_in_a ? 1 : values[j % count];
    upload(&A, m);
    upload(&B, n);
    const ebm_matrix a = ebm_matrix_of(A.slice, form == EBM_GEMM_TN ? m : 1);
    const ebm_matrix b = ebm_matrix_of(B.slice, form == EBM_GEMM_NT ? 1 : n);
    assert_ok(ebm_gemm(device, form, m, n, 1, a, b, 0, ebm_matrix_of(C.slice, n), none));
    assert_ok(ebm_slice_read(device, C.slice, 0, m * n, C.host));
    for (size_t i = 0; i < m * n; i++) {
        const float value = values[(values_in_a ? i / n : i % n) % count], expected = as_multiplied(value);
        if (isnan(expected) ? !isnan(C.host[i]) : C.host[i] != expected)
            fail_msg("form %d, %zu x %zu, %s: %a became %a, expected %a", form, m, n, values_in_a ? "A" : "B",
                     (double)value, (double)C.host[i], (double)expected);
    }
}

// NaN and infinity stay what they are; in bf16 the others are rounded to nearest even.
static void single_values(void **state)
{
    static const uint32_t signalling = 0x7f800001, last_bits = 0x7fffffff;
    float values[] = {1,
                      -3,
                      0x1.02p0f, // exact in bf16, and
                      0x1.01p0f,
                      0x1.03p0f, // halfway: to 1 and to 0x1.04p0
                      -0x1.01p0f,
                      -0x1.03p0f, // the same
                      0x1.010002p0f,
                      0x1.02fffep0f, // just past half of a step, just before
                      0x1.fffffep5f, // up to the next power of two
                      0x1p-126f,
                      0x1.fep127f, // smallest normal, largest bf16
                      -0x1.fefffep127f,
                      0x1.ffp127f,
                      -0x1.fffffep127f, // up to it, and past it to infinity
                      INFINITY,
                      -INFINITY,
                      NAN,
                      -NAN,
                      0,
                      0};
    const size_t count = sizeof values / sizeof *values;
    memcpy(&values[count - 2], &signalling, sizeof signalling); // NaN whose bits that bf16 keeps are those of infinity
    memcpy(&values[count - 1], &last_bits, sizeof last_bits);   // NaN that adding to would carry out of
    for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++)
        for (int in_a = 0; in_a < 2; in_a++) {
            one_by_one((ebm_gemm_form)form, count, count + 1, values, count, in_a);
            if (!small) one_by_one((ebm_gemm_form)form, 3 * count, 2 * count, values, count, in_a); // packed whole
        }
}

static void infinity_times_zero_is_not_a_number(void **state)
{
    const float values[] = {INFINITY, 0, 1};
    const ebm_slice none = {NULL, 0};
    for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++) {
        memcpy(A.host, values, sizeof values);
        for (size_t i = 0; i < 3; i++) B.host[i] = i == 0 ? 0 : 1;
        upload(&A, 3);
        upload(&B, 3);
        const ebm_matrix a = ebm_matrix_of(A.slice, form == EBM_GEMM_TN ? 1 : 3);
        const ebm_matrix b = ebm_matrix_of(B.slice, form == EBM_GEMM_NT ? 3 : 1);
        assert_ok(ebm_gemm(device, (ebm_gemm_form)form, 1, 1, 3, a, b, 0, ebm_matrix_of(C.slice, 1), none));
        assert_ok(ebm_slice_read(device, C.slice, 0, 1, C.host));
        assert_true(isnan(C.host[0]));
    }
}

// Switching to bf16 rounds, switching back gives the bits of before; where it cannot be had the sentence says why.
static void the_precision_can_be_set(void **state)
{
    const product p = {EBM_GEMM_NT, 40, 50, 60, false, true, 0, 0};
    const ebm_precision before = ebm_gemm_precision(device);
    static float first[40 * 50];
    assert_int_equal(before, bf16 ? EBM_BF16 : EBM_FP32);
    assert_ok(ebm_gemm_set_precision(device, before));
    check_product(&p);
    memcpy(first, C.host + BEFORE, sizeof first);
    const ebm_status status = ebm_gemm_set_precision(device, EBM_BF16);
    assert_int_equal(status.code == EBM_OK, should_do_bf16(device));
    assert_string_equal(ebm_gemm_bf16_means(device), status.code != EBM_OK ? ""
                                                     : should_have_amx()   ? "AMX"
                                                                           : "AVX512-BF16");
    if (status.code != EBM_OK) {
        assert_fails(status, EBM_ERROR_UNSUPPORTED, "products in bf16 need ");
        assert_int_equal(ebm_gemm_precision(device), EBM_FP32);
        printf("refused: %s\n", status.message);
    }
    for (int precision = EBM_FP32; precision <= EBM_BF16 && status.code == EBM_OK; precision++) {
        assert_ok(ebm_gemm_set_precision(device, (ebm_precision)precision));
        assert_string_equal(ebm_gemm_backend(device), precision == EBM_BF16 ? "bf16" : "cpu");
        bf16 = precision == EBM_BF16;
        char text[200];
        assert_string_equal(ebm_gemm_describe(device, text, sizeof text), !bf16               ? "cpu"
                                                                          : should_have_amx() ? "bf16 by AMX"
                                                                                              : "bf16");
        check_product(&p);
        assert_int_equal(memcmp(first, C.host + BEFORE, sizeof first) == 0, precision == (int)before);
    }
    assert_ok(ebm_gemm_set_precision(device, before));
    bf16 = before == EBM_BF16;
}

static void the_profile_counts_products(void **state)
{
    const product p = {EBM_GEMM_TN, 3, 4, 5, false, true, 0, 0};
    ebm_profile_row *rows = NULL;
    size_t count = 0;
    ebm_profile_enable(device, true);
    check_product(&p);
    assert_ok(ebm_profile_rows(device, &rows, &count));
    ebm_profile_enable(device, false);
    size_t found = 0;
    while (found < count && strcmp(rows[found].name, "gemm_tn") != 0) found++;
    assert_true(found < count);
    assert_int_equal(rows[found].launches, 1);
    assert_true(rows[found].flops == 2 * 3 * 4 * 5 && rows[found].bytes == 4 * (15 + 20 + 12));
    free(rows);
}

typedef struct {
    size_t m, n, k;
    buffer a, b, c;
} large;

static double signed_sum(const float *row, size_t n, size_t stride, const double *signs)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += signs[i] * (double)row[i * stride];
    return sum;
}

// C s against A (B s) with random signs s: quadratic time (BLIS, testsuite/src/test_gemm.c).
// An element of C is a sum of k terms of deviation 1/3; partial sums deviate by at most sqrt(k)/3, each rounds by
// 2^-24 of that, k independent roundings and n independent columns: sqrt(n k) sqrt(k)/3 2^-24. Eight deviations.
static void compare_large(const large *l, ebm_gemm_form form)
{
    const size_t m = l->m, n = l->n, k = l->k;
    ebm_random random = ebm_random_stream(4, 0, 0);
    double *signs = malloc(n * sizeof *signs), *bs = malloc(k * sizeof *bs);
    for (size_t j = 0; j < n; j++) signs[j] = ebm_random_below(&random, 2) ? 1 : -1;
    for (size_t i = 0; i < k; i++)
        bs[i] =
            form == EBM_GEMM_NT ? signed_sum(l->b.host + i, n, k, signs) : signed_sum(l->b.host + i * n, n, 1, signs);
    const double bound = 8 * sqrt((double)n) * (double)k / 3 * 0x1p-24;
    for (size_t r = 0; r < m; r++) {
        const double expected =
            form == EBM_GEMM_TN ? signed_sum(l->a.host + r, k, m, bs) : signed_sum(l->a.host + r * k, k, 1, bs);
        const double found = signed_sum(l->c.host + r * n, n, 1, signs);
        if (!(fabs(found - expected) <= bound))
            fail_msg("form %d, %zu x %zu x %zu, row %zu: %g, expected %g within %g", form, m, n, k, r, found, expected,
                     bound);
    }
    free(bs);
    free(signs);
}

static void check_large(size_t m, size_t n, size_t k)
{
    large l = {m, n, k, buffer_new(m * k), buffer_new(k * n), buffer_new(m * n)};
    float *again = malloc(m * n * sizeof *again);
    const ebm_slice none = {NULL, 0};
    buffer_allocate(&l.a, m * k);
    buffer_allocate(&l.b, k * n);
    buffer_allocate(&l.c, m * n);
    fill_matrix(&l.a, 1, m * k, 0, m * k, 5);
    fill_matrix(&l.b, 1, k * n, 0, k * n, 6);
    round_all(l.a.host, m * k); // the device has them as they are
    round_all(l.b.host, k * n);
    for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++) {
        const ebm_matrix a = ebm_matrix_of(l.a.slice, form == EBM_GEMM_TN ? m : k);
        const ebm_matrix b = ebm_matrix_of(l.b.slice, form == EBM_GEMM_NT ? k : n);
        for (int run = 0; run < 2; run++) {
            assert_ok(ebm_gemm(device, (ebm_gemm_form)form, m, n, k, a, b, 0, ebm_matrix_of(l.c.slice, n), none));
            assert_ok(ebm_slice_read(device, l.c.slice, 0, m * n, run ? again : l.c.host));
        }
        assert_memory_equal(again, l.c.host, m * n * sizeof *again); // same arguments, same bits
        compare_large(&l, (ebm_gemm_form)form);
    }
    free(again);
    buffer_free(&l.a);
    buffer_free(&l.b);
    buffer_free(&l.c);
}

static void large_products(void **state)
{
    if (small) return;
    check_large(1024, 768, 768);
    check_large(777, 1153, 1001);
    check_large(64, 5000, 384);
    check_large(70, 99, 3201); // blocks of k, whatever their length, and a rest
}

// Products of ones, queued one after the other: every element is k. A larger one in between takes a larger buffer while
// the one before is still to be read; afterwards nothing is allocated any more.
static void clblast_keeps_its_temporary_buffer(void **state)
{
    static const size_t sizes[] = {65, 301, 40, 300, 301};
    enum { PRODUCTS = sizeof sizes / sizeof *sizes };
    if (strcmp(ebm_gemm_backend(device), "clblast") != 0) return;
    const ebm_slice none = {NULL, 0};
    cl_mem kept = NULL;
    buffer c[PRODUCTS], ones = buffer_new(301 * 301);
    buffer_allocate(&ones, 301 * 301);
    for (size_t i = 0; i < ones.slice.count; i++) ones.host[i] = 1;
    upload(&ones, ones.slice.count);
    for (size_t i = 0; i < PRODUCTS; i++) {
        const size_t n = sizes[i];
        c[i] = buffer_new(n * n);
        buffer_allocate(&c[i], n * n);
        assert_ok(ebm_gemm(device, EBM_GEMM_NT, n, n, n, ebm_matrix_of(ones.slice, n), ebm_matrix_of(ones.slice, n), 0,
                           ebm_matrix_of(c[i].slice, n), none));
        if (i == 1) kept = device->gemm->temporary;
        if (i > 1) assert_ptr_equal(device->gemm->temporary, kept);
    }
    const ebm_clblast_set *set = ebm_clblast_default_set(&device->info);
    if (set->parameters.overrides[EBM_CLBLAST_XGEMM]) // else it may take its kernel without one at these sizes
        assert_true(device->gemm->temporary_bytes >= 2 * sizeof(float) * 301 * 301);
    for (size_t i = 0; i < PRODUCTS; i++) {
        assert_ok(ebm_slice_read(device, c[i].slice, 0, sizes[i] * sizes[i], c[i].host));
        for (size_t j = 0; j < sizes[i] * sizes[i]; j++) assert_true(c[i].host[j] == (float)sizes[i]);
        buffer_free(&c[i]);
    }
    buffer_free(&ones);
}

// EBMCL_GEMM=bf16 on a device that cannot: nothing to test but the refusal.
static bool is_to_be_skipped(void)
{
    const char *wanted = getenv("EBMCL_GEMM");
    if (!wanted || strcmp(wanted, "bf16") != 0 || ebm_device_open(NULL, &device).code != EBM_OK) return false;
    const ebm_status status = ebm_gemm_prepare(device);
    const bool skipped = status.code == EBM_ERROR_UNSUPPORTED && !should_do_bf16(device);
    if (skipped) printf("skipped: %s\n", status.message);
    ebm_device_free(device);
    return skipped;
}

static int open_device(void **state)
{
    small = getenv("EBMCL_TEST_SMALL") != NULL;
    const ebm_status status = ebm_device_open(NULL, &device);
    if (status.code != EBM_OK) {
        fprintf(stderr, "%s\n", status.message);
        return 1;
    }
    buffer *all[] = {&A, &B, &C, &bias};
    for (size_t i = 0; i < 4; i++) {
        *all[i] = buffer_new(LARGEST);
        buffer_allocate(all[i], LARGEST);
    }
    bf16 = ebm_gemm_precision(device) == EBM_BF16;
    printf("backend %s\n", ebm_gemm_backend(device));
    return 0;
}

static int close_device(void **state)
{
    buffer *all[] = {&A, &B, &C, &bias};
    for (size_t i = 0; i < 4; i++) buffer_free(all[i]);
    ebm_device_free(device);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_dimensions),
        cmocka_unit_test(edge_sizes),
        cmocka_unit_test(long_sums),
        cmocka_unit_test(many_tiles),
        cmocka_unit_test(few_rows),
        cmocka_unit_test(columns_are_added_up_on_the_way),
        cmocka_unit_test(packed_before),
        cmocka_unit_test(packed_in_another_precision),
        cmocka_unit_test(wrong_packed_operands_are_refused),
        cmocka_unit_test(large_products),
        cmocka_unit_test(single_values),
        cmocka_unit_test(infinity_times_zero_is_not_a_number),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(the_backend_is_the_one_asked_for),
        cmocka_unit_test(the_precision_can_be_set),
        cmocka_unit_test(the_profile_counts_products),
        cmocka_unit_test(clblast_keeps_its_temporary_buffer),
    };
    setenv("EBMCL_TUNING", "off", 1); // whoever runs this may have one
    if (is_to_be_skipped()) return SKIPPED;
    return cmocka_run_group_tests(tests, open_device, close_device);
}
