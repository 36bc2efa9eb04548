#include "average.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scores.h"

struct ebm_average {
    size_t count, members, with_energy;
    int labels;
    double *sum;    // count x labels: ln of the sum of the members' probabilities
    double *energy; // count: the sum
    double *row;    // labels
    bool *seen;     // labels
};

ebm_status ebm_average_create(size_t count, int labels, ebm_average **out)
{
    *out = NULL;
    if (count == 0 || labels < 1)
        return ebm_fail(EBM_ERROR_INPUT, "an average of %zu examples with %d labels", count, labels);
    ebm_average *a = calloc(1, sizeof *a);
    if (!a) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an average");
    a->count = count;
    a->labels = labels;
    a->sum = calloc(count * (size_t)labels, sizeof *a->sum);
    a->energy = calloc(count, sizeof *a->energy);
    a->row = calloc((size_t)labels, sizeof *a->row);
    a->seen = calloc((size_t)labels, sizeof *a->seen);
    if (!a->sum || !a->energy || !a->row || !a->seen) {
        ebm_average_free(a);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an average of %zu examples", count);
    }
    *out = a;
    return ebm_ok();
}

void ebm_average_free(ebm_average *a)
{
    if (!a) return;
    free(a->sum);
    free(a->energy);
    free(a->row);
    free(a->seen);
    free(a);
}

static ebm_status check_order(ebm_average *a, const int32_t *order)
{
    if (!order) return ebm_ok();
    memset(a->seen, 0, (size_t)a->labels * sizeof *a->seen);
    for (int y = 0; y < a->labels; y++) {
        if (order[y] < 0 || order[y] >= a->labels || a->seen[order[y]])
            return ebm_fail(EBM_ERROR_INPUT, "order of labels: each of 0 to %d once expected, found %d at place %d",
                            a->labels - 1, (int)order[y], y);
        a->seen[order[y]] = true;
    }
    return ebm_ok();
}

static ebm_status check_finite(const ebm_average *a, const float *logits, const float *energy)
{
    for (size_t i = 0; i < a->count; i++) {
        for (int y = 0; y < a->labels; y++)
            if (!isfinite(logits[i * (size_t)a->labels + (size_t)y]))
                return ebm_fail(EBM_ERROR_NONFINITE, "row %zu: logit %d is not finite", i, y);
        if (energy && !isfinite(energy[i])) return ebm_fail(EBM_ERROR_NONFINITE, "row %zu: energy is not finite", i);
    }
    return ebm_ok();
}

// ln (e^a + e^b)
static double add_logarithms(double a, double b) { return fmax(a, b) + log1p(exp(-fabs(a - b))); }

ebm_status ebm_average_add(ebm_average *a, const float *logits, const float *energy, const int32_t *order)
{
    const size_t Y = (size_t)a->labels;
    EBM_TRY(check_order(a, order));
    EBM_TRY(check_finite(a, logits, energy));
    for (size_t i = 0; i < a->count; i++) {
        ebm_log_softmax(logits + i * Y, a->labels, 1, a->row);
        for (size_t y = 0; y < Y; y++) {
            const double value = a->row[order ? (size_t)order[y] : y];
            double *sum = a->sum + i * Y + y;
            *sum = a->members ? add_logarithms(*sum, value) : value;
        }
        if (energy) a->energy[i] += (double)energy[i];
    }
    a->members++;
    a->with_energy += energy != NULL;
    return ebm_ok();
}

size_t ebm_average_members(const ebm_average *a) { return a->members; }

ebm_status ebm_average_logits(const ebm_average *a, float *logits)
{
    if (a->members == 0) return ebm_fail(EBM_ERROR_INPUT, "an average without members");
    const double members = log((double)a->members);
    for (size_t i = 0; i < a->count * (size_t)a->labels; i++) logits[i] = (float)(a->sum[i] - members);
    return ebm_ok();
}

bool ebm_average_has_energy(const ebm_average *a) { return a->members > 0 && a->with_energy == a->members; }

void ebm_average_energy(const ebm_average *a, float *energy)
{
    for (size_t i = 0; i < a->count; i++) energy[i] = (float)(a->energy[i] / (double)a->members);
}

// --- what was averaged -----------------------------------------------------------------------------------------------

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

// The last part of a path, in new memory; "a/b/" is "b".
static char *last_part(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    return strndup(path + start, end - start);
}

static ebm_status join_names(char *const *name, size_t count, ebm_averaging *out)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t left = sizeof out->others - at;
        const int written = snprintf(out->others + at, left, "%s%s", i ? "\n" : "", name[i]);
        if (written < 0 || (size_t)written >= left)
            return ebm_fail(EBM_ERROR_INPUT, "an ensemble of %zu models: their names are longer than %zu bytes",
                            count + 1, sizeof out->others - 1);
        at += (size_t)written;
    }
    return ebm_ok();
}

ebm_status ebm_averaging_of(size_t mc_dropout, const char *const *others, size_t count, ebm_averaging *out)
{
    *out = (ebm_averaging){.mc_dropout = mc_dropout, .models = count + 1};
    char **name = calloc(count + 1, sizeof *name);
    ebm_status status = name ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for names");
    for (size_t i = 0; i < count && status.code == EBM_OK; i++)
        if (!(name[i] = last_part(others[i]))) status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for names");
    if (status.code == EBM_OK) {
        qsort(name, count, sizeof *name, by_name);
        status = join_names(name, count, out);
    }
    for (size_t i = 0; name && i < count; i++) free(name[i]);
    free(name);
    return status;
}

bool ebm_averaging_is_none(const ebm_averaging *a) { return a->mc_dropout == 0 && a->models <= 1; }

bool ebm_averaging_equal(const ebm_averaging *a, const ebm_averaging *b)
{
    const size_t models_a = a->models ? a->models : 1, models_b = b->models ? b->models : 1;
    return a->mc_dropout == b->mc_dropout && models_a == models_b && strcmp(a->others, b->others) == 0;
}

const char *ebm_averaging_text(const ebm_averaging *a, char *text, size_t size)
{
    char names[sizeof a->others * 2];
    size_t at = 0;
    for (const char *c = a->others; *c; c++) {
        names[at++] = *c == '\n' ? ',' : *c;
        if (*c == '\n') names[at++] = ' ';
    }
    names[at] = 0;
    if (ebm_averaging_is_none(a))
        snprintf(text, size, "one model without dropout");
    else if (a->models <= 1)
        snprintf(text, size, "the mean of %zu passes with dropout", a->mc_dropout);
    else if (a->mc_dropout == 0)
        snprintf(text, size, "the mean of %zu models (with %s)", a->models, names);
    else
        snprintf(text, size, "the mean of %zu models (with %s), %zu passes with dropout each", a->models, names,
                 a->mc_dropout);
    return text;
}
