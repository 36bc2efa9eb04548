#include "smooth_ece_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// The narrowest width tried is the least k/1024 that is not below .001.
#define NARROWEST 0.001
#define HALVINGS 10
#define GRID_MOST 5121   // 20 * 512 / 2 + 1
#define POINTS_LEAST 200 // of the sum
#define FAR 9.2          // widths: the kernel is below 1e-18 of its middle

ebm_status ebm_smooth_workspace_create(ebm_smooth_workspace *out)
{
    double *block = malloc(8 * GRID_MOST * sizeof *block);
    *out = (ebm_smooth_workspace){0};
    if (!block) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the smooth ECE's grid");
    out->residual = block;
    out->density = block + GRID_MOST;
    out->kernel = block + 2 * GRID_MOST;
    out->smooth_residual = block + 3 * GRID_MOST;
    out->smoothed = block + 4 * GRID_MOST;
    out->extended = block + 5 * GRID_MOST; // three times as long
    return ebm_ok();
}

void ebm_smooth_workspace_free(ebm_smooth_workspace *workspace)
{
    free(workspace->residual);
    *workspace = (ebm_smooth_workspace){0};
}

// Each example is shared out among its two neighbours on the grid of [0, 1].
static void spread(ebm_smooth_workspace *w, size_t grid, const double *probability, const double *outcome,
                   const double *weight, size_t count)
{
    memset(w->residual, 0, grid * sizeof *w->residual);
    memset(w->density, 0, grid * sizeof *w->density);
    for (size_t i = 0; i < count; i++) {
        const double times = weight ? weight[i] : 1, place = probability[i] * (double)(grid - 1);
        size_t below = (size_t)place;
        if (below > grid - 2) below = grid - 2;
        const double above = place - (double)below, gap = probability[i] - outcome[i];
        w->residual[below] += times * gap * (1 - above);
        w->residual[below + 1] += times * gap * above;
        w->density[below] += times * (1 - above);
        w->density[below + 1] += times * above;
    }
}

static void extend(const double *values, size_t grid, double *extended)
{
    for (size_t i = 0; i + 1 < grid; i++) extended[i] = values[grid - 1 - i];
    memcpy(extended + grid - 1, values, grid * sizeof *values);
    for (size_t i = 0; i + 1 < grid; i++) extended[2 * grid - 1 + i] = values[grid - 2 - i];
}

// out[k] = sum over m of extended[k + grid/2 + m] kernel[m], for the m in [first, last). The long loop is the inner
// one: it needs no reordering of sums to run on vectors.
static void convolve(const double *extended, const double *kernel, size_t grid, size_t first, size_t last, double *out)
{
    memset(out, 0, grid * sizeof *out);
    size_t m = first;
    for (; m + 4 <= last; m += 4) {
        const double *e = extended + grid / 2 + m, a = kernel[m], b = kernel[m + 1], c = kernel[m + 2],
                     d = kernel[m + 3];
        for (size_t k = 0; k < grid; k++) out[k] += a * e[k] + b * e[k + 1] + (c * e[k + 2] + d * e[k + 3]);
    }
    for (; m < last; m++) {
        const double *e = extended + grid / 2 + m, a = kernel[m];
        for (size_t k = 0; k < grid; k++) out[k] += a * e[k];
    }
}

// The same, from the side of the values that are not 0: with few examples most are. The kernel is even, so that it may
// be read forwards.
static void convolve_sparse(const double *extended, const double *kernel, size_t grid, size_t first, size_t last,
                            double *out)
{
    memset(out, 0, grid * sizeof *out);
    for (size_t s = grid / 2 + first; s < 3 * grid - 2; s++) {
        if (extended[s] == 0) continue;
        const size_t place = s - grid / 2; // k + m of the terms that this value has
        const size_t from = place + 1 > last ? place + 1 - last : 0,
                     to = place - first < grid ? place - first + 1 : grid;
        const size_t shift = grid - 1 - place; // modulo 2^64: k + shift is a place in the kernel again
        for (size_t k = from; k < to; k++) out[k] += extended[s] * kernel[k + shift];
    }
}

static void convolve_values(ebm_smooth_workspace *w, const double *values, size_t grid, size_t first, size_t last,
                            double *out)
{
    size_t used = 0;
    extend(values, grid, w->extended);
    for (size_t s = 0; s < 3 * grid - 2; s++) used += w->extended[s] != 0;
    if (used < (last - first) / 2)
        convolve_sparse(w->extended, w->kernel, grid, first, last, out);
    else
        convolve(w->extended, w->kernel, grid, first, last, out);
}

static void smooth(ebm_smooth_workspace *w, size_t grid, double width)
{
    const double step = 1.0 / (double)(grid - 1), pi = acos(-1.0);
    size_t first = 0, last = grid;
    for (size_t m = 0; m < grid; m++) {
        const double x = (double)m * step - 0.5;
        w->kernel[m] = exp(-x * x / (2 * width * width)) / (sqrt(2 * pi) * width);
        if (x < -FAR * width) first = m + 1;
        if (x <= FAR * width) last = m + 1;
    }
    convolve_values(w, w->residual, grid, first, last, w->smooth_residual);
    convolve_values(w, w->density, grid, first, last, w->smoothed);
}

static double interpolate(const double *values, size_t grid, double place)
{
    size_t below = (size_t)place;
    if (below > grid - 2) below = grid - 2;
    const double above = place - (double)below;
    return values[below] * (1 - above) + values[below + 1] * above;
}

static double at_width(ebm_smooth_workspace *w, const double *probability, const double *outcome, const double *weight,
                       size_t count, double width)
{
    const size_t grid = (size_t)fmax(2000, nearbyint(20 / width)) / 2 + 1;
    const size_t points = (size_t)fmax(POINTS_LEAST, nearbyint(10 / width));
    double residuals = 0, densities = 0;
    spread(w, grid, probability, outcome, weight, count);
    smooth(w, grid, width);
    for (size_t t = 0; t < points; t++) {
        const double place = (double)t / (double)(points - 1) * (double)(grid - 1);
        residuals += fabs(interpolate(w->smooth_residual, grid, place));
        densities += interpolate(w->smoothed, grid, place) + 1e-4;
    }
    return residuals / densities;
}

double ebm_smooth_ece_weighted(ebm_smooth_workspace *w, const double *probability, const double *outcome,
                               const double *weight, size_t count, double *width)
{
    double high = 1, low = 0, value = at_width(w, probability, outcome, weight, count, high);
    for (int i = 0; i < HALVINGS && !(high < value); i++) {
        const double middle = (low + high) / 2;
        if (middle < NARROWEST) break; // from here on only `low` would rise
        const double here = at_width(w, probability, outcome, weight, count, middle);
        if (middle < here) {
            low = middle;
        } else {
            high = middle;
            value = here;
        }
    }
    if (width) *width = high;
    return value;
}

static ebm_status check_share(const char *what, size_t row, double value)
{
    if (value >= 0 && value <= 1) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "smooth ECE: row %zu: %s from 0 to 1 expected, found %g", row, what, value);
}

ebm_status ebm_smooth_ece(const double *probability, const double *outcome, size_t count, double *smooth, double *width)
{
    ebm_smooth_workspace workspace;
    if (!count) return ebm_fail(EBM_ERROR_INPUT, "smooth ECE: at least one example expected, found none");
    for (size_t i = 0; i < count; i++) {
        EBM_TRY(check_share("a probability", i, probability[i]));
        EBM_TRY(check_share("an outcome", i, outcome[i]));
    }
    EBM_TRY(ebm_smooth_workspace_create(&workspace));
    *smooth = ebm_smooth_ece_weighted(&workspace, probability, outcome, NULL, count, width);
    ebm_smooth_workspace_free(&workspace);
    return ebm_ok();
}
