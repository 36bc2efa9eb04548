#include "reference_attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

// One head of one sequence: tokens first .. first + tokens - 1 of the batch.
typedef struct {
    const ebm_attention *attention;
    size_t head, first, tokens, channels, size;
    const double *query, *key, *value; // of its first token; the next token is 3 * channels further
} view;

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
    return sum;
}

enum { MOST = 2048 };

static bool sees(const view *v, size_t query, size_t key)
{
    const ebm_attention *a = v->attention;
    const size_t distance = query > key ? query - key : key - query;
    return (!a->causal || key <= query) && (a->window == 0 || distance <= a->window);
}

// Probabilities of one query before dropout, 0 for keys it does not see, and what dropout multiplies each with.
static double probabilities(const view *v, size_t query, double *p, double *keep)
{
    const ebm_dropout *drop = &v->attention->dropout;
    const size_t visible = v->tokens, stride = 3 * v->channels;
    const size_t longest = v->attention->longest ? v->attention->longest : 1024;
    const double scale = 1 / sqrt((double)v->size), threshold = (double)drop->probability * 4294967296.0;
    double most = -INFINITY, sum = 0;
    uint32_t words[4] = {0}; // four neighbouring keys share a block
    for (size_t j = 0; j < visible; j++) {
        p[j] = sees(v, query, j) ? scale * dot(v->query + query * stride, v->key + j * stride, v->size)
                                 : -(double)INFINITY;
        most = fmax(most, p[j]);
    }
    for (size_t j = 0; j < visible; j++) sum += p[j] = exp(p[j] - most);
    for (size_t j = 0; j < visible; j++) {
        p[j] /= sum;
        keep[j] = 1;
        if (drop->probability == 0) continue;
        const uint64_t word =
            ((drop->first_row + v->first + query) * v->attention->heads + v->head) * longest + (uint64_t)j;
        if (j == 0 || word % 4 == 0) ebm_random_block(words, drop->seed, drop->step, drop->site, word / 4);
        keep[j] = words[word % 4] < (uint32_t)threshold ? 0 : 1 / (1 - (double)drop->probability);
    }
    return most + log(sum);
}

static size_t asking(const view *v)
{
    const size_t most = v->attention->queries;
    return most && most < v->tokens ? most : v->tokens;
}

static view view_head(const double *qkv, const int32_t *starts, size_t sequence, size_t head,
                      const ebm_attention *attention)
{
    view v = {.attention = attention, .head = head, .size = attention->head_size};
    v.channels = attention->heads * attention->head_size;
    v.first = (size_t)starts[sequence];
    v.tokens = (size_t)starts[sequence + 1] - v.first;
    v.query = qkv + v.first * 3 * v.channels + head * v.size;
    v.key = v.query + v.channels;
    v.value = v.key + v.channels;
    return v;
}

void ebm_reference_attention_forward(double *out, double *lse, const double *qkv, const int32_t *starts,
                                     size_t sequences, const ebm_attention *attention)
{
    double p[MOST], keep[MOST];
    for (size_t s = 0; s < sequences; s++)
        for (size_t h = 0; h < attention->heads; h++) {
            const view v = view_head(qkv, starts, s, h, attention);
            for (size_t i = 0; i < asking(&v); i++) {
                double *o = out + (v.first + i) * v.channels + h * v.size;
                lse[(v.first + i) * attention->heads + h] = probabilities(&v, i, p, keep);
                memset(o, 0, v.size * sizeof *o);
                for (size_t j = 0; j < v.tokens; j++)
                    for (size_t d = 0; d < v.size; d++) o[d] += p[j] * keep[j] * v.value[j * 3 * v.channels + d];
            }
        }
}

static void backward_query(const view *v, size_t i, const double *dout, double *dq, double *dk, double *dv)
{
    double p[MOST], keep[MOST], dp[MOST], average = 0;
    const size_t visible = v->tokens, stride = 3 * v->channels;
    const double scale = 1 / sqrt((double)v->size);
    probabilities(v, i, p, keep);
    for (size_t j = 0; j < visible; j++) {
        dp[j] = keep[j] * dot(dout, v->value + j * stride, v->size);
        average += p[j] * dp[j];
    }
    for (size_t j = 0; j < visible; j++) {
        const double ds = scale * p[j] * (dp[j] - average);
        for (size_t d = 0; d < v->size; d++) {
            dq[i * stride + d] += ds * v->key[j * stride + d];
            dk[j * stride + d] += ds * v->query[i * stride + d];
            dv[j * stride + d] += p[j] * keep[j] * dout[d];
        }
    }
}

void ebm_reference_attention_backward(double *dqkv, const double *dout, const double *qkv, const int32_t *starts,
                                      size_t sequences, const ebm_attention *attention)
{
    const size_t channels = attention->heads * attention->head_size;
    memset(dqkv, 0, (size_t)starts[sequences] * 3 * channels * sizeof *dqkv);
    for (size_t s = 0; s < sequences; s++)
        for (size_t h = 0; h < attention->heads; h++) {
            const view v = view_head(qkv, starts, s, h, attention);
            double *dq = dqkv + v.first * 3 * channels + h * v.size;
            for (size_t i = 0; i < asking(&v); i++)
                backward_query(&v, i, dout + (v.first + i) * channels + h * v.size, dq, dq + channels,
                               dq + 2 * channels);
        }
}
