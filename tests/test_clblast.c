// How products are handed to CLBlast (clblast_calls.h): what it is taken to do is what it does, kernel by kernel and
// byte by byte; what is cut comes out right; the products of a model's step cost less than by a plain binding.
#include <CL/cl.h>
#include <clblast_c.h>
#include <dlfcn.h>

#include "clblast_calls.h"
#include "products.h"
#include "tuned.h"

// ---- CLBlast's launches and allocations go through these (of a program's own symbols and a library's the former win)

typedef cl_int enqueue_function(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *,
                                cl_uint, const cl_event *, cl_event *);
typedef cl_mem create_function(cl_context, cl_mem_flags, size_t, void *, cl_int *);

static size_t launches, buffers;

static void *next_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) abort();
    return symbol;
}

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
                              cl_event *event)
{
    static enqueue_function *next;
    if (!next) *(void **)&next = next_symbol("clEnqueueNDRangeKernel");
    launches++;
    return next(queue, kernel, dimensions, offset, global, local, count, list, event);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *code)
{
    static create_function *next;
    if (!next) *(void **)&next = next_symbol("clCreateBuffer");
    buffers++;
    return next(context, flags, bytes, host, code);
}

// ---- devices with parameters in force

static int open_prepared(void **state)
{
    open_device(state);
    assert_ok(ebm_gemm_prepare(device));
    return 0;
}

static void use_set(ebm_device *on, const char *name)
{
    assert_ok(ebm_gemm_clblast_override(on, &set_named(name)->parameters));
}

// ---- what CLBlast is taken to do

static void parameters_are_found_out(void **state)
{
    static const struct {
        const char *set;
        bool gemmk;
        size_t mwg, nwg, kwg, least;
    } all[] = {
        {"cpu-48x128x64", false, 48, 128, 64, 1}, {"pascal", false, 64, 64, 32, 512},
        {"gtx-1070", false, 128, 128, 16, 512},   {"hd-6000", true, 64, 64, 4, 512}, // KWG 1, KREG 4
        {"skylake-gt2", true, 32, 64, 2, 512},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        use_set(device, all[i].set);
        const ebm_clblast_form *form = ebm_gemm_clblast_form(device);
        assert_true(form->known);
        assert_int_equal(form->gemmk, all[i].gemmk);
        assert_int_equal(form->mwg, all[i].mwg);
        assert_int_equal(form->nwg, all[i].nwg);
        assert_int_equal(form->kwg, all[i].kwg);
        assert_int_equal(form->least_indirect, all[i].least);
        assert_int_equal(form->units, device->info.compute_units);
    }
    use_set(device, "direct");
    assert_true(ebm_gemm_clblast_form(device)->known);
    assert_true(ebm_gemm_clblast_form(device)->least_indirect > 15360);
}

static size_t below(uint32_t *state, size_t limit)
{
    *state = *state * 1664525u + 1013904223u;
    return (size_t)(*state >> 8) % limit;
}

// Whole tiles, one more or less, or anything; at times from the middle of a slice or with gaps.
static ebm_product any_product(uint32_t *seed)
{
    static const size_t tiles[] = {48, 64, 128, 32, 1};
    size_t sizes[3];
    for (size_t i = 0; i < 3; i++) {
        sizes[i] = tiles[below(seed, 5)] * (1 + below(seed, 20)) + below(seed, 3);
        if (below(seed, 2)) sizes[i] = (sizes[i] + 383) / 384 * 384;
        if (sizes[i] > 1 && below(seed, 4) == 0) sizes[i]--;
    }
    ebm_product p =
        ebm_product_of_size(device, (ebm_gemm_form)below(seed, 3), sizes[0], sizes[1], sizes[2], below(seed, 2));
    ebm_matrix *const all[] = {&p.a, &p.b, &p.c};
    if (below(seed, 2)) all[below(seed, 3)]->stride += 64;
    if (below(seed, 2)) all[below(seed, 3)]->first = 64;
    return p;
}

static size_t bytes_by_clblast(const ebm_clblast_call *c)
{
    size_t bytes = 0;
    assert_int_equal(CLBlastSGemmTempBufferSize(c->column_major ? CLBlastLayoutColMajor : CLBlastLayoutRowMajor,
                                                c->a_transposed ? CLBlastTransposeYes : CLBlastTransposeNo,
                                                c->b_transposed ? CLBlastTransposeYes : CLBlastTransposeNo, c->m, c->n,
                                                c->k, c->a_first, c->a_stride, c->b_first, c->b_stride, c->c_first,
                                                c->c_stride, &device->queue, &bytes),
                     CLBlastSuccess);
    return bytes;
}

static void check_bytes(const ebm_clblast_form *form, const ebm_clblast_calls *calls)
{
    size_t most = 0;
    for (size_t i = 0; i < calls->count; i++) {
        const size_t bytes = bytes_by_clblast(&calls->calls[i]);
        if (bytes > most) most = bytes;
    }
    assert_int_equal(ebm_clblast_cost_of(form, calls).temporary_bytes, most);
}

static void temporary_bytes_are_those_of_clblast(void **state)
{
    static const char *const sets[] = {"cpu-48x128x64", "pascal", "gtx-1070", "hd-6000", "skylake-gt2"};
    uint32_t seed = 1;
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        use_set(device, sets[s]);
        const ebm_clblast_form *form = ebm_gemm_clblast_form(device);
        for (size_t i = 0; i < 400; i++) {
            const ebm_product p = any_product(&seed);
            const ebm_clblast_calls plain = ebm_clblast_calls_plain(&p), best = ebm_clblast_calls_of(form, &p);
            check_bytes(form, &plain);
            check_bytes(form, &best);
            assert_true(ebm_clblast_cost_of(form, &best).cost <= ebm_clblast_cost_of(form, &plain).cost);
        }
    }
}

// ---- what is computed

enum { ELEMENTS = 4096 };
static float host_a[ELEMENTS], host_b[ELEMENTS], host_c[ELEMENTS];

static float element(const float *x, bool column_major, bool transposed, size_t first, size_t stride, size_t row,
                     size_t column)
{
    return x[first + (column_major == transposed ? row * stride + column : column * stride + row)];
}

// BLAS' definition of a call, on the host.
static void run_call(const ebm_clblast_call *c)
{
    const float *a = c->column_major ? host_b : host_a, *b = c->column_major ? host_a : host_b;
    for (size_t i = 0; i < c->m; i++)
        for (size_t j = 0; j < c->n; j++) {
            float *to = &host_c[c->c_first + (c->column_major ? j * c->c_stride + i : i * c->c_stride + j)];
            float sum = c->adds ? *to : 0;
            for (size_t k = 0; k < c->k; k++)
                sum += element(a, c->column_major, c->a_transposed, c->a_first, c->a_stride, i, k) *
                       element(b, c->column_major, c->b_transposed, c->b_first, c->b_stride, k, j);
            *to = sum;
        }
}

static void check_cut(const ebm_clblast_form *f, const ebm_product *p, size_t m, size_t k)
{
    const ebm_clblast_calls calls = ebm_clblast_calls_cut(f, p, m, k);
    uint32_t seed = 3;
    for (size_t i = 0; i < ELEMENTS; i++) {
        host_a[i] = (float)below(&seed, 9) - 4;
        host_b[i] = (float)below(&seed, 9) - 4;
        host_c[i] = 7;
    }
    for (size_t i = 0; i < calls.count; i++) run_call(&calls.calls[i]);
    for (size_t i = 0; i < ELEMENTS; i++) {
        const size_t row = (i - p->c.first) / p->c.stride, column = (i - p->c.first) % p->c.stride;
        float expected = 7;
        if (i >= p->c.first && row < p->m && column < p->n) {
            expected = p->accumulate ? 7 : 0;
            for (size_t l = 0; l < p->k; l++)
                expected +=
                    host_a[p->a.first + (p->form == EBM_GEMM_TN ? l * p->a.stride + row : row * p->a.stride + l)] *
                    host_b[p->b.first + (p->form == EBM_GEMM_NT ? column * p->b.stride + l : l * p->b.stride + column)];
        }
        if (host_c[i] != expected) fail_msg("form %d, cut at %zu, %zu: element %zu of C", p->form, m, k, i);
    }
}

// Whatever is cut off, whichever kernel it is for, from the middle of slices and with gaps.
static void calls_make_the_product(void **state)
{
    const size_t m = 13, n = 9, k = 11;
    for (size_t i = 0; i < 2 * 2 * 3 * 4 * 4; i++) {
        const ebm_clblast_form f = {true, i % 2, 4, 4, 2, i % 5, 2};
        ebm_product p = ebm_product_of_size(NULL, (ebm_gemm_form)(i / 4 % 3), m, n, k, i / 2 % 2);
        p.a.first = 5;
        p.a.stride += 3;
        p.b.first = 8;
        p.c.first = 6;
        p.c.stride += 1;
        check_cut(&f, &p, m - i / 12 % 4, k - i / 48);
    }
}

// A = u s', B = s v' of whole numbers: C = u v' (s's), and every element is known.
static float whole(size_t i, size_t range) { return (float)(i % range) - (float)(range / 2); }

static ebm_slice outer(size_t rows, size_t columns, size_t row_range, size_t column_range)
{
    float *values = host_array(rows * columns, sizeof *values);
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = whole(i / columns, row_range) * whole(i % columns, column_range);
    const ebm_slice slice = put(values, rows * columns);
    free(values);
    return slice;
}

enum { U = 5, S = 3, V = 7, BIAS = 11 };

static void check_elements(const ebm_product *p, const float *c, float before)
{
    float squares = 0;
    for (size_t k = 0; k < p->k; k++) squares += whole(k, S) * whole(k, S);
    for (size_t i = 0; i < p->m * p->n; i++) {
        const float start = p->accumulate ? before : p->bias.count > 0 ? whole(i % p->n, BIAS) : 0;
        const float expected = whole(i / p->n, U) * whole(i % p->n, V) * squares + start;
        if (c[i] != expected)
            fail_msg("form %d, %zu x %zu x %zu: C(%zu, %zu) is %g, expected %g", p->form, p->m, p->n, p->k, i / p->n,
                     i % p->n, (double)c[i], (double)expected);
    }
}

// The product by the device, with as many launches as expected (and one for a bias) and no buffer made on the way.
static void check_run(ebm_product p, size_t calls)
{
    const bool tn = p.form == EBM_GEMM_TN, nt = p.form == EBM_GEMM_NT;
    const float before = p.accumulate ? 3.0f : NAN;
    float *c = host_array(p.m * p.n, sizeof *c), *bias = host_array(p.n, sizeof *bias);
    for (size_t i = 0; i < p.m * p.n; i++) c[i] = before;
    for (size_t j = 0; j < p.n; j++) bias[j] = whole(j, BIAS);
    const ebm_slice result = put(c, p.m * p.n), row = put(bias, p.n);
    p.bias = (ebm_slice){row.memory, p.bias.count};
    p.a.slice = tn ? outer(p.k, p.m, S, U) : outer(p.m, p.k, U, S);
    p.b.slice = nt ? outer(p.n, p.k, V, S) : outer(p.k, p.n, S, V);
    assert_ok(ebm_gemm_reserve(device, p.form, p.m, p.n, p.k, p.accumulate));
    assert_ok(ebm_gemm_allocate(device));

    const ebm_clblast_form *form = ebm_gemm_clblast_form(device);
    const ebm_clblast_calls best = ebm_clblast_calls_of(form, &p);
    if (best.count != calls)
        fail_msg("form %d, %zu x %zu x %zu: %zu calls, expected %zu", p.form, p.m, p.n, p.k, best.count, calls);
    launches = buffers = 0;
    assert_ok(ebm_gemm(device, p.form, p.m, p.n, p.k, p.a, p.b, p.accumulate, ebm_matrix_of(result, p.n), p.bias));
    assert_int_equal(launches, ebm_clblast_cost_of(form, &best).launches + (p.bias.count > 0));
    assert_int_equal(buffers, 0);
    get(result, p.m * p.n, c);
    check_elements(&p, c, before);
    free(c);
    free(bias);
    free_slices(NULL);
}

static ebm_product with_bias(ebm_product p)
{
    p.bias.count = p.n;
    return p;
}

static void use_set_with_units(const char *name, size_t units)
{
    use_set(device, name);
    assert_true(ebm_gemm_clblast_form(device)->known);
    device->gemm->clblast.units = units; // what is cut should not depend on the machine
}

// The sizes are such that cutting pays.
static void cut_products_are_right(void **state)
{
    const ebm_gemm_form nn = EBM_GEMM_NN, nt = EBM_GEMM_NT, tn = EBM_GEMM_TN;
    use_set_with_units("cpu-48x128x64", 2);
    check_run(ebm_product_of_size(device, nt, 1153, 1536, 64, false), 2); // rows
    check_run(with_bias(ebm_product_of_size(device, nt, 1153, 1536, 64, false)), 2);
    check_run(ebm_product_of_size(device, nn, 1153, 1536, 64, true), 2);
    check_run(ebm_product_of_size(device, tn, 768, 768, 1030, true), 2); // steps
    check_run(ebm_product_of_size(device, tn, 1537, 768, 1030, true), 2);
    check_run(ebm_product_of_size(device, nt, 100, 768, 128, false), 1); // nothing
    check_run(with_bias(ebm_product_of_size(device, nt, 384, 384, 384, false)), 1);
}

// Compiled for nothing else: half a minute on two cores, the first time.
static void the_second_kernel_is_right(void **state)
{
    if (!getenv("EBMCL_TEST_ALL_KERNELS")) skip();
    const ebm_gemm_form nn = EBM_GEMM_NN, nt = EBM_GEMM_NT, tn = EBM_GEMM_TN;
    use_set_with_units("hd-6000", 2);
    check_run(ebm_product_of_size(device, nn, 640, 640, 640, false), 1);
    check_run(ebm_product_of_size(device, nt, 640, 640, 640, false), 1);
    check_run(ebm_product_of_size(device, tn, 640, 640, 641, true), 2);
}

// ---- what it is good for

typedef struct {
    double launches, moved;
} sum;

static void add_calls(sum *s, const ebm_clblast_form *form, const ebm_clblast_calls *calls, size_t times)
{
    const ebm_clblast_cost cost = ebm_clblast_cost_of(form, calls);
    s->launches += (double)(cost.launches * times);
    s->moved += cost.moved_bytes * (double)times;
}

// CLBlast's parameters for most NVIDIA, Intel and AMD devices, 32 units; a step of RoBERTa-base, of GPT-2.
static void steps_of_models_cost_less(void **state)
{
    const ebm_clblast_form form = {true, false, 64, 64, 32, 512, 32};
    const ebm_config roberta = {.family = EBM_FAMILY_ROBERTA,
                                .hidden = 768,
                                .embedding = 768,
                                .intermediate = 3072,
                                .layers = 12,
                                .label_count = 2,
                                .vocabulary = 50265};
    const ebm_config gpt2 = {
        .family = EBM_FAMILY_GPT2, .hidden = 768, .intermediate = 3072, .layers = 12, .vocabulary = 50257};
    const ebm_config *const models[] = {&roberta, &gpt2};
    static const size_t tokens[] = {2048, 1961};
    for (size_t i = 0; i < 4; i++) {
        ebm_model_product list[EBM_MODEL_PRODUCTS];
        const size_t count = ebm_model_products(models[i / 2], tokens[i % 2], 16, list);
        sum plain = {0}, best = {0};
        for (size_t j = 0; j < count; j++) {
            const ebm_product p =
                ebm_product_of_size(NULL, list[j].form, list[j].m, list[j].n, list[j].k, list[j].adds);
            const ebm_clblast_calls by_rows = ebm_clblast_calls_plain(&p), calls = ebm_clblast_calls_of(&form, &p);
            add_calls(&plain, &form, &by_rows, list[j].times);
            add_calls(&best, &form, &calls, list[j].times);
        }
        printf("%s, %zu tokens: %.0f launches instead of %.0f, %.0f MB copied instead of %.0f\n",
               i / 2 ? "GPT-2" : "RoBERTa-base", tokens[i % 2], best.launches, plain.launches, 1e-6 * best.moved,
               1e-6 * plain.moved);
        assert_true(best.launches < 0.8 * plain.launches);
        assert_true(best.moved < 0.5 * plain.moved);
    }
}

// What is planned for up to so many tokens is enough for all numbers of them.
static void memory_is_planned_for_all_sizes(void **state)
{
    static const ebm_clblast_form forms[] = {
        {true, false, 64, 64, 32, 512, 32}, {true, true, 64, 64, 4, 448, 20}, {true, false, 48, 128, 64, 1, 2}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++) {
            const size_t m = form == EBM_GEMM_TN ? 3072 : 1500, k = form == EBM_GEMM_TN ? 1500 : 3072;
            const ebm_product most = ebm_product_of_size(NULL, (ebm_gemm_form)form, m, 769, k, form == EBM_GEMM_TN);
            const size_t planned = ebm_clblast_most_bytes(&forms[f], &most);
            size_t largest = 0;
            for (size_t tokens = 1; tokens <= 1500; tokens++) {
                ebm_product p = most;
                *(form == EBM_GEMM_TN ? &p.k : &p.m) = tokens;
                if (form != EBM_GEMM_TN) p.a.stride = k;
                const ebm_clblast_calls calls = ebm_clblast_calls_of(&forms[f], &p);
                const size_t bytes = ebm_clblast_cost_of(&forms[f], &calls).temporary_bytes;
                if (bytes > largest) largest = bytes;
            }
            assert_int_equal(planned, largest);
        }
}

static void planned_memory_is_counted_and_allocated_once(void **state)
{
    ebm_device *opened = prepared_with("off", "clblast");
    ebm_arena *arena = ebm_arena_create(opened, "test");
    ebm_slice slice;
    ebm_arena_reserve(arena, &slice, 100);
    use_set(opened, "pascal");
    assert_int_equal(ebm_gemm_reserved_bytes(opened), 0);
    assert_ok(ebm_gemm_reserve(opened, EBM_GEMM_NT, 2048, 3072, 768, false));
    const uint64_t bytes = ebm_gemm_reserved_bytes(opened);
    assert_true(bytes >= 4 * (2048 + 3072) * 768); // A and B are transposed
    assert_ok(ebm_gemm_reserve(opened, EBM_GEMM_NT, 64, 64, 64, false));
    assert_int_equal(ebm_gemm_reserved_bytes(opened), bytes);
    assert_ok(ebm_arena_plan(opened, &arena, 1, "-"));

    const ebm_device_info info = opened->info;
    opened->info.memory_bytes = bytes + 100;
    assert_fails(ebm_arena_plan(opened, &arena, 1, "lower it"), EBM_ERROR_MEMORY, "MiB are needed");
    opened->info.max_allocation_bytes = bytes - 1;
    assert_fails(ebm_arena_plan(opened, &arena, 1, "lower it"), EBM_ERROR_MEMORY, "copies of matrices");
    opened->info = info;

    assert_null(opened->gemm->temporary);
    assert_ok(ebm_arena_allocate(arena));
    assert_int_equal(opened->gemm->temporary_bytes, bytes);
    ebm_arena_free(arena);
    ebm_device_free(opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_found_out),
        cmocka_unit_test(temporary_bytes_are_those_of_clblast),
        cmocka_unit_test(cut_products_are_right),
        cmocka_unit_test(calls_make_the_product),
        cmocka_unit_test(the_second_kernel_is_right),
        cmocka_unit_test(steps_of_models_cost_less),
        cmocka_unit_test(memory_is_planned_for_all_sizes),
        cmocka_unit_test(planned_memory_is_counted_and_allocated_once),
    };
    setenv("EBMCL_KERNELS", "gpu", 1);
    setenv("EBMCL_GEMM", "clblast", 1);
    setenv("EBMCL_TUNING", "off", 1); // whoever runs this may have one
    return cmocka_run_group_tests(tests, open_prepared, close_device);
}
