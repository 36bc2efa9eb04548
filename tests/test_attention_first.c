// Attention of first tokens from the layer's input, against attention on the product with the weights in double
// precision (reference_attention.h): what it avoids to make.
#include "attention_first.h"

#include <math.h>
#include <stdlib.h>

#include "reference_attention.h"
#include "tensors.h"

enum { MOST_SEQUENCES = 16 };

// Sums of n terms around 0 are off by lambda sqrt(n) unit roundoffs of the root of the sum of their squares (Higham and
// Mary 2020, random data), but for a few in e^(lambda^2 / 2).
#define LAMBDA 6.0

typedef struct {
    ebm_attention attention;
    ebm_batch batch;
    tensors all;
    int32_t starts[MOST_SEQUENCES + 1];
    size_t T, S, H, D, C;
    tensor *x, *first, *dout, *d_first, *weights, *bias, *d_weights, *d_bias; // read, or added to
    tensor *out, *dx, *work, *p, *d_work, *d_scores, *d_qkv, *scratch, *device_starts;
} problem;

static size_t count_wide(const problem *c) { return c->T * 3 * c->C; }

static void create_problem(problem *c, size_t heads, size_t size, const int *lengths, size_t sequences, float dropout)
{
    *c = (problem){.all = {.device = device}, .S = sequences, .H = heads, .D = size, .C = heads * size};
    for (size_t s = 0; s < sequences; s++) {
        c->starts[s + 1] = c->starts[s] + lengths[s];
        if ((size_t)lengths[s] > c->batch.longest) c->batch.longest = (size_t)lengths[s];
    }
    c->T = (size_t)c->starts[sequences];
    c->attention = (ebm_attention){.heads = heads,
                                   .head_size = size,
                                   .queries = 1,
                                   .dropout = {dropout, UINT64_C(0x123456789abcdef0), 3, 96, UINT64_C(1) << 40}};
    const size_t T = c->T, S = c->S, C = c->C;
    c->x = tensors_normal(&c->all, T * C, 0, 1);
    c->first = tensors_zero(&c->all, S * C);
    c->dout = tensors_normal(&c->all, S * C, 0, 1);
    c->d_first = tensors_normal(&c->all, S * C, 0, 1);
    // Queries and keys of about 1.4: scores of about 2 whatever the size, so that some tokens weigh much.
    c->weights = tensors_normal(&c->all, 3 * C * C, 0, 1.4 / sqrt((double)C));
    c->bias = tensors_normal(&c->all, 3 * C, 0, 0.5);
    c->d_weights = tensors_normal(&c->all, 3 * C * C, 0, 1);
    c->d_bias = tensors_normal(&c->all, 3 * C, 0, 1);
    c->out = tensors_normal(&c->all, S * C, 0, 1);
    c->dx = tensors_normal(&c->all, T * C, 0, 1);
    c->work = tensors_normal(&c->all, S * (2 * heads + 1) * C, 0, 1);
    c->p = tensors_normal(&c->all, T * heads, 0, 1);
    c->d_work = tensors_normal(&c->all, S * 2 * heads * C, 0, 1);
    c->d_scores = tensors_normal(&c->all, T * heads, 0, 1);
    c->d_qkv = tensors_normal(&c->all, S * 3 * C, 0, 1);
    c->scratch = tensors_normal(&c->all, EBM_COLUMN_SLABS * 3 * C, 0, 1);
    c->device_starts = tensors_zero(&c->all, S + 1);
    for (size_t s = 0; s <= S; s++) tensor_integers(c->device_starts)[s] = c->starts[s];
    for (size_t s = 0; s < S; s++)
        for (size_t i = 0; i < C; i++) c->first->before[s * C + i] = c->x->before[(size_t)c->starts[s] * C + i];
}

// In and out of the reference, and of the same with squares in the place of all numbers.
typedef struct {
    double *qkv, *out, *lse, *dout, *dqkv, *dx, *d_weights, *d_bias;
} numbers;

static void free_numbers(numbers *n)
{
    free(n->qkv), free(n->out), free(n->lse), free(n->dout), free(n->dqkv), free(n->dx);
    free(n->d_weights), free(n->d_bias);
}

typedef double part(double);
static double itself(double x) { return x; }
static double square(double x) { return x * x; }

static numbers create_numbers(const problem *c, part *of)
{
    const size_t T = c->T, C = c->C, H = c->H;
    numbers n = {calloc(count_wide(c), sizeof(double)), calloc(T * C, sizeof(double)),
                 calloc(T * H, sizeof(double)),         calloc(T * C, sizeof(double)),
                 calloc(T * 3 * C, sizeof(double)),     calloc(T * C, sizeof(double)),
                 calloc(3 * C * C, sizeof(double)),     calloc(3 * C, sizeof(double))};
    for (size_t t = 0; t < T; t++)
        for (size_t o = 0; o < 3 * C; o++) {
            double sum = of((double)c->bias->before[o]);
            for (size_t i = 0; i < C; i++)
                sum += of((double)c->weights->before[o * C + i]) * of((double)c->x->before[t * C + i]);
            n.qkv[t * 3 * C + o] = sum;
        }
    for (size_t s = 0; s < c->S; s++)
        for (size_t i = 0; i < C; i++) n.dout[(size_t)c->starts[s] * C + i] = of((double)c->dout->before[s * C + i]);
    return n;
}

// What the product of qkv leaves for x, weights and bias.
static void product_backward(const problem *c, numbers *n, part *of)
{
    const size_t C = c->C;
    for (size_t s = 0; s < c->S; s++)
        for (size_t i = 0; i < C; i++) n->dx[(size_t)c->starts[s] * C + i] = of((double)c->d_first->before[s * C + i]);
    for (size_t o = 0; o < 3 * C; o++) n->d_bias[o] = of((double)c->d_bias->before[o]);
    for (size_t i = 0; i < 3 * C * C; i++) n->d_weights[i] = of((double)c->d_weights->before[i]);
    for (size_t t = 0; t < c->T; t++)
        for (size_t o = 0; o < 3 * C; o++) {
            const double d = n->dqkv[t * 3 * C + o];
            n->d_bias[o] += d;
            for (size_t i = 0; i < C && d != 0; i++) {
                n->dx[t * C + i] += d * of((double)c->weights->before[o * C + i]);
                n->d_weights[o * C + i] += d * of((double)c->x->before[t * C + i]);
            }
        }
}

// One head of one sequence, with the exact probabilities and the squares of all else; all tokens are taken as kept.
// Returns the largest sum of squares in a score.
static double squares_of_head(const problem *c, const numbers *exact, numbers *n, size_t s, size_t head)
{
    const size_t C = c->C, D = c->D, H = c->H, from = (size_t)c->starts[s], end = (size_t)c->starts[s + 1];
    const double scale = 1 / sqrt((double)D), kept = 1 / (1 - (double)c->attention.dropout.probability);
    const double *q = exact->qkv + from * 3 * C + head * D, *q2 = n->qkv + from * 3 * C + head * D;
    const double *dout2 = n->dout + from * C + head * D;
    double *p = calloc(end - from, sizeof *p), *g2 = calloc(end - from, sizeof *g2), most = 0, mean2 = 0;
    for (size_t t = from; t < end; t++) {
        const double *k = exact->qkv + t * 3 * C + C + head * D, *kv2 = n->qkv + t * 3 * C + C + head * D;
        double score = 0, sum = 0;
        for (size_t d = 0; d < D; d++) {
            score += scale * q[d] * k[d];
            sum += scale * scale * q2[d] * kv2[d];
            g2[t - from] += dout2[d] * kv2[C + d];
        }
        p[t - from] = exp(score - exact->lse[from * H + head]);
        most = fmax(most, sum);
        mean2 += square(kept * p[t - from]) * g2[t - from];
    }
    for (size_t t = from; t < end; t++) {
        const double p2 = square(p[t - from]), ds2 = p2 * (kept * kept * g2[t - from] + mean2) * scale * scale;
        const double *kv2 = n->qkv + t * 3 * C + C + head * D;
        double *dq2 = n->dqkv + from * 3 * C + head * D, *dkv2 = n->dqkv + t * 3 * C + C + head * D;
        for (size_t d = 0; d < D; d++) {
            n->out[from * C + head * D + d] += kept * kept * p2 * kv2[C + d];
            dq2[d] += ds2 * kv2[d];
            dkv2[d] = ds2 * q2[d];
            dkv2[C + d] = kept * kept * p2 * dout2[d];
        }
    }
    free(p), free(g2);
    return most;
}

// found against expected: off by at most `relative` of the roots of the squares.
static void check_numbers(const char *what, const float *found, const double *expected, const double *squares,
                          size_t count, double relative)
{
    double *tolerance = malloc(count * sizeof *tolerance);
    for (size_t i = 0; i < count; i++) tolerance[i] = relative * sqrt(squares[i]);
    assert_within(what, found, expected, tolerance, count);
    free(tolerance);
}

static void compare(problem *c)
{
    const size_t C = c->C;
    numbers exact = create_numbers(c, itself), all = create_numbers(c, square);
    ebm_reference_attention_forward(exact.out, exact.lse, exact.qkv, c->starts, c->S, &c->attention);
    ebm_reference_attention_backward(exact.dqkv, exact.dout, exact.qkv, c->starts, c->S, &c->attention);
    double score = 0;
    for (size_t s = 0; s < c->S; s++)
        for (size_t head = 0; head < c->H; head++) score = fmax(score, squares_of_head(c, &exact, &all, s, head));
    product_backward(c, &exact, itself);
    product_backward(c, &all, square);
    // A score is a product of three: sums over C, D and C again. A probability carries twice its error (numerator and
    // sum), and a gradient those of two more products over C, D, tokens and sequences.
    const double terms = LAMBDA * UNIT_ROUNDOFF * sqrt((double)(2 * C + c->D + c->T + c->S));
    const double relative = 2 * terms * (1 + sqrt(score));
    for (size_t s = 0; s < c->S; s++) {
        const size_t row = (size_t)c->starts[s] * C;
        check_numbers("out", c->out->now + s * C, exact.out + row, all.out + row, C, relative);
    }
    check_numbers("dx", c->dx->now, exact.dx, all.dx, c->T * C, 2 * relative);
    check_numbers("gradient of weights", c->d_weights->now, exact.d_weights, all.d_weights, 3 * C * C, 2 * relative);
    check_numbers("gradient of bias", c->d_bias->now, exact.d_bias, all.d_bias, 3 * C, 2 * relative);
    free_numbers(&exact), free_numbers(&all);
}

typedef struct {
    ebm_tensor weight, bias;
    ebm_linear linear;
    ebm_attention_first memory;
} form;

static void fill_form(form *f, problem *c)
{
    f->weight = (ebm_tensor){.weight = c->weights->slice, .gradient = c->d_weights->slice};
    f->bias = (ebm_tensor){.weight = c->bias->slice, .gradient = c->d_bias->slice};
    f->linear = (ebm_linear){&f->weight, &f->bias, 3 * c->C, c->C};
    f->memory = (ebm_attention_first){c->work->slice,     c->p->slice,     c->d_work->slice,
                                      c->d_scores->slice, c->d_qkv->slice, c->scratch->slice};
    c->batch.sequences = c->S;
    c->batch.tokens = c->T;
    c->batch.starts = c->device_starts->slice;
    c->batch.host_starts = c->starts;
}

static ebm_status forward(const problem *c, const form *f, const ebm_attention *attention)
{
    return ebm_attention_first_forward(device, &f->memory, c->out->slice, c->x->slice, c->first->slice, &f->linear,
                                       &c->batch, attention);
}

static void run(problem *c)
{
    form f;
    tensors_upload(&c->all);
    fill_form(&f, c);
    assert_ok(forward(c, &f, &c->attention));
    assert_ok(ebm_attention_first_backward(device, &f.memory, c->dx->slice, c->d_first->slice, c->dout->slice,
                                           c->x->slice, c->first->slice, &f.linear, &c->batch, &c->attention));
    tensors_download(&c->all);
    const tensor *const read[] = {c->x, c->first, c->dout, c->weights, c->bias, c->device_starts};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) assert_unchanged(read[i]);
}

static void check(size_t heads, size_t size, const int *lengths, size_t sequences, float dropout)
{
    problem c;
    create_problem(&c, heads, size, lengths, sequences, dropout);
    run(&c);
    compare(&c);
    tensors_free(&c.all);
}

static bool small(void) { return getenv("EBMCL_TEST_SMALL") && *getenv("EBMCL_TEST_SMALL"); }

// Sequences of 1 and of more tokens than any tile, more of them than a group takes at once and fewer; channels that are
// no whole strip of vectors.
static void sizes(void **state)
{
    static const int lengths[] = {1, 17, 2, 64, 15, 127, 16, 31, 128, 33, 1}, few[] = {17, 1, 5, 3, 33};
    static const size_t head_sizes[] = {16, 32, 48, 64, 128}, heads[] = {2, 3, 1, 2, 1};
    if (small()) {
        check(2, 16, few, 5, 0.1f);
        check(1, 48, few + 2, 3, 0);
        return;
    }
    for (size_t i = 0; i < 5; i++) check(heads[i], head_sizes[i], lengths, 11, i % 2 ? 0 : 0.1f);
    for (size_t sequences = 1; sequences <= 5; sequences++) check(2, 16, few, sequences, 0.1f);
}

static void long_sequences(void **state)
{
    static const int longest[] = {1024}, some[] = {300, 511};
    if (small()) return;
    check(2, 16, longest, 1, 0.1f);
    check(3, 32, some, 2, 0);
}

// The query's gradient times the key's bias, and all of the key's bias, are sums of ds, which are 0.
static void no_softmax_sees_the_bias_of_keys(void **state)
{
    static const int lengths[] = {17, 1, 5};
    problem c;
    create_problem(&c, 2, 16, lengths, 3, 0);
    run(&c);
    for (size_t i = c.C; i < 2 * c.C; i++) assert_true(c.d_bias->now[i] == c.d_bias->before[i]);
    tensors_free(&c.all);
}

static void not_a_number_stays_one(void **state)
{
    static const int lengths[] = {17, 1, 5};
    problem c;
    create_problem(&c, 2, 16, lengths, 3, 0.1f);
    c.weights->before[0] = NAN; // of the first head's query
    form f;
    tensors_upload(&c.all);
    fill_form(&f, &c);
    assert_ok(forward(&c, &f, &c.attention));
    tensors_download(&c.all);
    for (size_t i = 0; i < c.S * c.C; i++) assert_int_equal(isnan(c.out->now[i]) != 0, i % c.C < c.D);
    tensors_free(&c.all);
}

static void what_cannot_be_is_refused(void **state)
{
    static const int lengths[] = {17, 1, 5};
    problem c;
    form f;
    create_problem(&c, 2, 16, lengths, 3, 0);
    tensors_upload(&c.all);
    fill_form(&f, &c);
    ebm_attention wrong[] = {c.attention, c.attention, c.attention};
    wrong[0].causal = true;
    wrong[1].window = 4;
    wrong[2].dropout.probability = 1;
    for (size_t i = 0; i < 3; i++)
        assert_fails(forward(&c, &f, &wrong[i]), i < 2 ? EBM_ERROR_UNSUPPORTED : EBM_ERROR_INPUT,
                     i < 2 ? "that see all" : "dropout probability");
    f.memory.work.count--;
    assert_fails(forward(&c, &f, &c.attention), EBM_ERROR_DEVICE, "work needs 480 elements");
    tensors_free(&c.all);
}

static void what_fits(void **state)
{
    assert_int_equal(ebm_attention_first_most(12, 0), 0);
    for (size_t heads = 1; heads <= 16; heads++)
        for (size_t tokens = 1; tokens < 300; tokens++) {
            const size_t most = ebm_attention_first_most(heads, tokens);
            assert_true(most * (2 * heads + 1) <= 3 * tokens && (most + 1) * (2 * heads + 1) > 3 * tokens);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(long_sequences),
        cmocka_unit_test(no_softmax_sees_the_bias_of_keys),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(what_fits),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
