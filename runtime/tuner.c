#include "tuner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm_internal.h"
#include "random.h"
#include "timing.h"

enum { FORMS = EBM_GEMM_FORMS, ROWS = EBM_ROW_CLASSES };
// A class is given up once the products timed so far take so many times what all of them take by the fastest so far.
enum { HOPELESS = 4 };
static const double SAMPLE_SECONDS = 0.005;

typedef struct {
    ebm_device *device;
    const ebm_tuner_settings *set;
    ebm_tuner_result *result;
    ebm_tuner_product *products; // the smallest first, no empty ones
    size_t count;
    double least[FORMS][ROWS]; // seconds of a class so far; 0: nobody's
    size_t largest[3];         // elements of A, B and C
    ebm_arena *arena;
    ebm_slice a, b, c;
    float *host; // as large as the largest of them
    ebm_gemm_run *run;
} tuner;

static bool was_timed(const ebm_tuner_contender *c) { return c->left_out.code == EBM_OK; }
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static ebm_status multiply_into(const tuner *t, const ebm_tuner_product *p, ebm_gemm_run *run)
{
    const ebm_product product = {.device = t->device,
                                 .form = p->form,
                                 .m = p->m,
                                 .n = p->n,
                                 .k = p->k,
                                 .a = ebm_matrix_of(t->a, p->form == EBM_GEMM_TN ? p->m : p->k),
                                 .b = ebm_matrix_of(t->b, p->form == EBM_GEMM_NT ? p->k : p->n),
                                 .c = ebm_matrix_of(t->c, p->n),
                                 .accumulate = p->adds};
    return run(&product);
}

// ---- is it right?

// One size for each class of rows: borders everywhere, k longer than a block of CLBlast's; and one without any.
static const size_t CHECKED[][3] = {{9, 50, 33}, {64, 128, 64}, {150, 131, 201}, {600, 130, 77}};
enum { CHECKS = sizeof CHECKED / sizeof *CHECKED, CHECKED_ELEMENTS = 600 * 201 };

// Whole numbers up to 4: sums of k products are below 2^24, exact in whatever order they are made.
static int whole_at(size_t i, unsigned seed)
{
    return (int)(((uint32_t)(i + 1) * 2654435761u ^ seed * 40503u) >> 9) % 9 - 4;
}

static float expected_at(const ebm_tuner_product *p, size_t row, size_t column)
{
    int sum = p->adds ? 1 : 0; // what C held
    for (size_t k = 0; k < p->k; k++)
        sum += whole_at(p->form == EBM_GEMM_TN ? k * p->m + row : row * p->k + k, 1) *
               whole_at(p->form == EBM_GEMM_NT ? column * p->k + k : k * p->n + column, 2);
    return (float)sum;
}

static ebm_status write_values(const tuner *t, ebm_slice slice, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++) t->host[i] = (float)whole_at(i, seed);
    return ebm_slice_write(t->device, slice, 0, count, t->host);
}

// beta = 0 must overwrite NaN, beta = 1 add to what is there.
static ebm_status write_c(const tuner *t, const ebm_tuner_product *p)
{
    for (size_t i = 0; i < p->m * p->n; i++) t->host[i] = p->adds ? 1.0f : NAN;
    return ebm_slice_write(t->device, t->c, 0, p->m * p->n, t->host);
}

static ebm_status check_product(const tuner *t, const ebm_tuner_product *p)
{
    EBM_TRY(write_values(t, t->a, p->m * p->k, 1));
    EBM_TRY(write_values(t, t->b, p->n * p->k, 2));
    EBM_TRY(write_c(t, p));
    EBM_TRY(multiply_into(t, p, t->run));
    EBM_TRY(ebm_slice_read(t->device, t->c, 0, p->m * p->n, t->host));
    for (size_t i = 0; i < p->m * p->n; i++) {
        const float expected = expected_at(p, i / p->n, i % p->n);
        if (t->host[i] != expected)
            return ebm_fail(EBM_ERROR_DEVICE, "%s of %zu x %zu x %zu: expected %g at element %zu, found %g",
                            ebm_gemm_form_name(p->form), p->m, p->n, p->k, (double)expected, i, (double)t->host[i]);
    }
    return ebm_ok();
}

static ebm_status check_contender(const tuner *t)
{
    for (size_t i = 0; i < CHECKS; i++)
        for (int form = 0; form < FORMS; form++)
            for (int adds = 0; adds < 2; adds++) {
                const ebm_tuner_product p = {(ebm_gemm_form)form, CHECKED[i][0], CHECKED[i][1], CHECKED[i][2], adds, 1};
                EBM_TRY(check_product(t, &p));
            }
    return ebm_ok();
}

// ---- how fast is it?

static ebm_status fill(const tuner *t, ebm_slice slice, size_t count)
{
    ebm_random random = ebm_random_stream(1, 0, EBM_SITE_BENCHMARK);
    for (size_t i = 0; i < count; i++) t->host[i] = (float)(2 * ebm_random_uniform(&random) - 1);
    return ebm_slice_write(t->device, slice, 0, count, t->host);
}

static ebm_status time_runs(const tuner *t, const ebm_tuner_product *p, size_t runs, double *seconds)
{
    const double start = ebm_now();
    for (size_t i = 0; i < runs; i++) EBM_TRY(multiply_into(t, p, t->run));
    EBM_TRY(ebm_device_finish(t->device));
    *seconds = (ebm_now() - start) / (double)runs;
    return ebm_ok();
}

// The least of several samples of some milliseconds; `once` is what one run took.
static ebm_status time_product(const tuner *t, const ebm_tuner_product *p, double once, double *least)
{
    const size_t runs = once < SAMPLE_SECONDS ? (size_t)(SAMPLE_SECONDS / (once + 1e-6)) + 1 : 1;
    *least = HUGE_VAL;
    for (size_t i = 0; i < t->set->repeats; i++) {
        double seconds = 0;
        EBM_TRY(time_runs(t, p, runs, &seconds));
        if (seconds < *least) *least = seconds;
    }
    return ebm_ok();
}

static bool is_in(const ebm_tuner_product *p, size_t form, size_t rows)
{
    return p->form == (ebm_gemm_form)form && ebm_row_class(p->m) == rows;
}

static ebm_status time_class(const tuner *t, size_t form, size_t rows, double *seconds)
{
    double sum = 0, once = 0, least = 0;
    *seconds = HUGE_VAL;
    for (size_t i = 0; i < t->count; i++) {
        const ebm_tuner_product *p = &t->products[i];
        if (!is_in(p, form, rows)) continue;
        if (t->set->stop && *t->set->stop) return ebm_fail(EBM_ERROR_INTERRUPTED, "stopped while tuning");
        EBM_TRY(time_runs(t, p, 1, &once)); // builds
        EBM_TRY(time_runs(t, p, 1, &once));
        const double so_far = sum + (double)p->times * once, fastest = t->least[form][rows];
        if (fastest > 0 && so_far > HOPELESS * fastest) return ebm_ok();
        EBM_TRY(time_product(t, p, once, &least));
        sum += (double)p->times * least;
    }
    *seconds = sum;
    return ebm_ok();
}

// Whoever was the fastest and needs no parameters runs once more before it is beaten: it may have been disturbed.
static ebm_status defend(tuner *t, size_t form, size_t rows, double seconds)
{
    ebm_gemm_run *const challenger = t->run;
    for (size_t i = 0; i < t->result->count; i++) {
        ebm_tuner_contender *c = &t->result->contenders[i];
        const bool beaten = c->seconds[form][rows] == t->least[form][rows] && c->seconds[form][rows] > seconds;
        if (!beaten || c->backend == EBM_BACKEND_CLBLAST || !was_timed(c)) continue;
        double again = 0;
        t->run = ebm_gemm_run_of(c->backend);
        const ebm_status status = time_class(t, form, rows, &again);
        t->run = challenger;
        EBM_TRY(status);
        if (again < c->seconds[form][rows]) c->seconds[form][rows] = t->least[form][rows] = again;
    }
    return ebm_ok();
}

static ebm_status time_contender(tuner *t, ebm_tuner_contender *c)
{
    t->run = ebm_gemm_run_of(c->backend);
    if (c->backend == EBM_BACKEND_CLBLAST) EBM_TRY(ebm_gemm_clblast_override(t->device, &c->parameters));
    EBM_TRY(check_contender(t));
    EBM_TRY(fill(t, t->a, t->largest[0]));
    EBM_TRY(fill(t, t->b, t->largest[1]));
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < ROWS; rows++) {
            double seconds = 0, *least = &t->least[form][rows];
            EBM_TRY(time_class(t, form, rows, &seconds));
            EBM_TRY(defend(t, form, rows, seconds));
            c->seconds[form][rows] = seconds;
            if (*least == 0 || seconds < *least) *least = seconds;
        }
    return ebm_ok();
}

// ---- who takes part

static void add_contender(tuner *t, const char *name, ebm_backend backend, const ebm_clblast_parameters *parameters)
{
    ebm_tuner_contender *c = &t->result->contenders[t->result->count++];
    snprintf(c->name, sizeof c->name, "%s", name);
    c->backend = backend;
    if (parameters) c->parameters = *parameters;
}

static bool is_wanted(const tuner *t, const ebm_clblast_set *set)
{
    const ebm_device_info *info = ebm_device_info_view(t->device);
    for (size_t i = 0; i < t->set->set_count; i++)
        if (strcmp(t->set->sets[i], set->name) == 0) return true;
    if (t->set->set_count > 0 || (t->set->quick && !set->quick)) return set == ebm_clblast_default_set(info);
    return info->is_cpu ? set->cpu : set->gpu;
}

static ebm_status check_names(const ebm_tuner_settings *set)
{
    for (size_t i = 0; i < set->set_count; i++) {
        size_t s = 0;
        while (s < EBM_CLBLAST_SET_COUNT && strcmp(set->sets[i], EBM_CLBLAST_SETS[s].name) != 0) s++;
        if (s == EBM_CLBLAST_SET_COUNT)
            return ebm_fail(EBM_ERROR_INPUT, "no set of parameters for CLBlast is named '%.60s'", set->sets[i]);
    }
    return ebm_ok();
}

// In the order of the sets (clblast_parameters.h); without CPU kernels the standard is one of them.
static void add_contenders(tuner *t)
{
    const bool own = ebm_device_uses_cpu_kernels(t->device);
    const ebm_clblast_set *standard = ebm_clblast_default_set(ebm_device_info_view(t->device));
    if (own) add_contender(t, ebm_backend_name(EBM_BACKEND_CPU), EBM_BACKEND_CPU, NULL);
    for (size_t s = 0; s < EBM_CLBLAST_SET_COUNT; s++) {
        const ebm_clblast_set *set = &EBM_CLBLAST_SETS[s];
        if (!is_wanted(t, set)) continue;
        if (!own && set == standard) t->result->standard = t->result->count;
        add_contender(t, set->name, EBM_BACKEND_CLBLAST, &set->parameters);
    }
    add_contender(t, ebm_backend_name(EBM_BACKEND_PLAIN), EBM_BACKEND_PLAIN, NULL);
}

// ---- who wins

// The fastest at a class among those that need no parameters and the set at `clblast`; the standard unless it is beaten
// by more than the margin. count: nobody.
static size_t fastest(const ebm_tuner_result *r, size_t clblast, size_t form, size_t rows)
{
    size_t best = r->count;
    for (size_t i = 0; i < r->count; i++) {
        const ebm_tuner_contender *c = &r->contenders[i];
        if (!was_timed(c) || (c->backend == EBM_BACKEND_CLBLAST && i != clblast)) continue;
        if (best == r->count || c->seconds[form][rows] < r->contenders[best].seconds[form][rows]) best = i;
    }
    const ebm_tuner_contender *s = &r->contenders[r->standard];
    const bool may = was_timed(s) && (s->backend != EBM_BACKEND_CLBLAST || r->standard == clblast);
    if (best == r->count || !may) return best;
    const double margin = (1 - EBM_TUNER_MARGIN) * s->seconds[form][rows];
    return r->contenders[best].seconds[form][rows] < margin ? best : r->standard;
}

// With this set: seconds of all products, each class by its fastest; and of CLBlast alone, which decides where it is
// nobody's choice. What was given up counts as it was when it was.
static void cost_of(const ebm_tuner_result *r, size_t clblast, double cost[2])
{
    cost[0] = cost[1] = 0;
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < ROWS; rows++) {
            const double seconds = r->contenders[clblast].seconds[form][rows];
            const double least = r->contenders[fastest(r, clblast, form, rows)].seconds[form][rows];
            cost[0] += least;
            cost[1] += isfinite(seconds) ? seconds : HOPELESS * least;
        }
}

static bool is_less(const double a[2], const double b[2]) { return a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]); }

// The set that is in force without tuning keeps its place unless it is beaten by more than the margin.
static size_t best_set(const ebm_tuner_result *r, const char *standard)
{
    double least[2] = {HUGE_VAL, HUGE_VAL}, kept[2] = {HUGE_VAL, HUGE_VAL}, cost[2];
    size_t best = r->count, keeper = r->count;
    for (size_t i = 0; i < r->count; i++) {
        if (!was_timed(&r->contenders[i]) || r->contenders[i].backend != EBM_BACKEND_CLBLAST) continue;
        cost_of(r, i, cost);
        if (strcmp(r->contenders[i].name, standard) == 0) {
            keeper = i;
            memcpy(kept, cost, sizeof kept);
        }
        if (best < r->count && !is_less(cost, least)) continue;
        best = i;
        memcpy(least, cost, sizeof least);
    }
    const double share = 1 - EBM_TUNER_MARGIN;
    if (keeper == r->count || least[0] < share * kept[0]) return best;
    return least[0] == kept[0] && least[1] < share * kept[1] ? best : keeper;
}

static ebm_status choose(const tuner *t)
{
    ebm_tuner_result *r = t->result;
    ebm_tuning *tuning = &r->tuning;
    const ebm_clblast_set *set = ebm_clblast_default_set(ebm_device_info_view(t->device));
    r->clblast = best_set(r, set->name);
    const bool has_set = r->clblast < r->count;
    snprintf(tuning->name, sizeof tuning->name, "%s", has_set ? r->contenders[r->clblast].name : set->name);
    tuning->parameters = has_set ? r->contenders[r->clblast].parameters : set->parameters;
    for (size_t form = 0; form < FORMS; form++)
        for (size_t rows = 0; rows < ROWS; rows++) {
            const size_t best = r->best[form][rows] = fastest(r, r->clblast, form, rows);
            if (best == r->count) return ebm_fail(EBM_ERROR_DEVICE, "no backend does products rightly on this device");
            tuning->backend[form][rows] = r->contenders[best].backend;
        }
    return ebm_ok();
}

// ---- all of it

static int by_size(const void *left, const void *right)
{
    const ebm_tuner_product *a = left, *b = right;
    const double x = (double)a->m * (double)a->n * (double)a->k, y = (double)b->m * (double)b->n * (double)b->k;
    return (x > y) - (x < y);
}

static ebm_status take_products(tuner *t)
{
    const ebm_tuner_settings *set = t->set;
    t->products = malloc((set->count + 1) * sizeof *t->products);
    t->result = calloc(1, sizeof *t->result);
    if (!t->products || !t->result) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for tuning");
    for (size_t i = 0; i < 3; i++) t->largest[i] = CHECKED_ELEMENTS;
    for (size_t i = 0; i < set->count; i++) {
        const ebm_tuner_product *p = &set->products[i];
        if (p->m == 0 || p->n == 0 || p->k == 0) continue;
        t->products[t->count++] = *p;
        t->largest[0] = larger(t->largest[0], p->m * p->k);
        t->largest[1] = larger(t->largest[1], p->n * p->k);
        t->largest[2] = larger(t->largest[2], p->m * p->n);
        t->result->flops[p->form][ebm_row_class(p->m)] +=
            2.0 * (double)p->m * (double)p->n * (double)p->k * (double)p->times;
    }
    qsort(t->products, t->count, sizeof *t->products, by_size);
    return ebm_ok();
}

static ebm_status make_operands(tuner *t)
{
    t->arena = ebm_arena_create(t->device, "matrices");
    t->host = malloc(larger(t->largest[0], larger(t->largest[1], t->largest[2])) * sizeof *t->host);
    if (!t->arena || !t->host) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the matrices of products");
    ebm_arena_reserve(t->arena, &t->a, t->largest[0]);
    ebm_arena_reserve(t->arena, &t->b, t->largest[1]);
    ebm_arena_reserve(t->arena, &t->c, t->largest[2]);
    EBM_TRY(ebm_arena_plan(t->device, &t->arena, 1, "tune with smaller products"));
    return ebm_arena_allocate(t->arena);
}

static ebm_status time_all(tuner *t)
{
    ebm_tuner_result *r = t->result;
    for (size_t i = 0; i < r->count; i++) {
        ebm_tuner_contender *c = &r->contenders[i];
        if (t->set->progress) t->set->progress(c->name, i, r->count);
        c->left_out = time_contender(t, c);
        if (c->left_out.code == EBM_ERROR_INTERRUPTED) return c->left_out;
    }
    return choose(t);
}

ebm_status ebm_tuner_run(ebm_device *device, const ebm_tuner_settings *settings, ebm_tuner_result **result)
{
    tuner t = {.device = device, .set = settings};
    ebm_status status = ebm_ok();
    *result = NULL;
    EBM_TRY(check_names(settings));
    EBM_TRY(ebm_gemm_begin_tuning(device));
    EBM_CHECK(take_products(&t), end);
    EBM_CHECK(make_operands(&t), end);
    add_contenders(&t);
    EBM_CHECK(time_all(&t), end);
    *result = t.result;
    t.result = NULL;
end:
    ebm_device_finish(device);
    ebm_arena_free(t.arena);
    free(t.host);
    free(t.products);
    free(t.result);
    return status;
}
