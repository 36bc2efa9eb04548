// Vector and matrix scaling: softmax of an affine function of the logits. Their NLL is convex in its numbers.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrator_internal.h"
#include "newton.h"

enum { SCALE, BIAS, FOLDS = 5 };

// Variables: the factors (Y of vector scaling, Y x Y of matrix scaling by rows), then Y offsets.
typedef struct {
    const ebm_predictions *rows;
    bool matrix;
    size_t labels, factors;
    double regularization;
    size_t fold, folds; // rows i with i % folds == fold are left out; folds 0: none is
    size_t used;
    double *p;   // rows x labels, probabilities at the last value
    double *row; // labels
} scaling;

static bool is_left_out(const scaling *s, size_t i) { return s->folds && i % s->folds == s->fold; }

// out = bias + scale z, scale being Y factors or, of a matrix, Y x Y.
static void affine(const double *scale, const double *bias, bool matrix, size_t Y, const float *z, double *out)
{
    for (size_t y = 0; y < Y; y++) {
        out[y] = bias[y];
        if (!matrix)
            out[y] += scale[y] * (double)z[y];
        else
            for (size_t j = 0; j < Y; j++) out[y] += scale[y * Y + j] * (double)z[j];
    }
}

static void affine_at(const scaling *s, const double *x, const float *z, double *out)
{
    affine(x, x + s->factors, s->matrix, s->labels, z, out);
}

// The transposed of affine: a slope by its values to slopes by the variables.
static void add_slopes(const scaling *s, const double *slope, const float *z, double *gradient)
{
    const size_t Y = s->labels;
    for (size_t y = 0; y < Y; y++) {
        gradient[s->factors + y] += slope[y];
        if (!s->matrix)
            gradient[y] += slope[y] * (double)z[y];
        else
            for (size_t j = 0; j < Y; j++) gradient[y * Y + j] += slope[y] * (double)z[j];
    }
}

static bool is_diagonal(const scaling *s, size_t k) { return !s->matrix || k / s->labels == k % s->labels; }

// Half the second derivative of the penalty by variable k.
static double weight_of(const scaling *s, size_t k)
{
    const double Y = (double)s->labels;
    if (k >= s->factors) return EBM_CALIBRATOR_PULL + s->regularization / Y;
    return EBM_CALIBRATOR_PULL + (is_diagonal(s, k) ? 0 : s->regularization / (Y * (Y - 1)));
}

static double value(void *context, const double *x, double *gradient)
{
    scaling *s = context;
    const size_t Y = s->labels, count = s->factors + Y;
    double sum = 0;
    memset(gradient, 0, count * sizeof *gradient);
    for (size_t i = 0; i < s->rows->count; i++) {
        if (is_left_out(s, i)) continue;
        const float *z = s->rows->logits + i * Y;
        const size_t label = (size_t)s->rows->label[i];
        double *p = s->p + i * Y, largest = -INFINITY, total = 0;
        affine_at(s, x, z, p);
        for (size_t y = 0; y < Y; y++) largest = fmax(largest, p[y]);
        for (size_t y = 0; y < Y; y++) total += exp(p[y] - largest);
        sum += largest + log(total) - p[label];
        for (size_t y = 0; y < Y; y++) s->row[y] = p[y] = exp(p[y] - largest) / total;
        s->row[label] -= 1;
        add_slopes(s, s->row, z, gradient);
    }
    sum /= (double)s->used;
    for (size_t k = 0; k < count; k++) {
        const double away = x[k] - (k < s->factors && is_diagonal(s, k));
        gradient[k] = gradient[k] / (double)s->used + 2 * weight_of(s, k) * away;
        sum += weight_of(s, k) * away * away;
    }
    return sum;
}

// Of softmax cross-entropy: (diag(p) - p p') between the values.
static void curvature(void *context, const double *direction, double *product)
{
    scaling *s = context;
    const size_t Y = s->labels, count = s->factors + Y;
    memset(product, 0, count * sizeof *product);
    for (size_t i = 0; i < s->rows->count; i++) {
        if (is_left_out(s, i)) continue;
        const double *p = s->p + i * Y;
        double mean = 0;
        affine_at(s, direction, s->rows->logits + i * Y, s->row);
        for (size_t y = 0; y < Y; y++) mean += p[y] * s->row[y];
        for (size_t y = 0; y < Y; y++) s->row[y] = p[y] * (s->row[y] - mean);
        add_slopes(s, s->row, s->rows->logits + i * Y, product);
    }
    for (size_t k = 0; k < count; k++) product[k] = product[k] / (double)s->used + 2 * weight_of(s, k) * direction[k];
}

// From where x is.
static ebm_status minimize(scaling *s, double *x)
{
    s->used = 0;
    for (size_t i = 0; i < s->rows->count; i++) s->used += !is_left_out(s, i);
    return ebm_newton_minimize(&(ebm_convex){s, s->factors + s->labels, value, curvature}, x);
}

static double left_out_nll(scaling *s, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < s->rows->count; i++) {
        if (!is_left_out(s, i)) continue;
        affine_at(s, x, s->rows->logits + i * s->labels, s->row);
        ebm_softmax(s->row, (int)s->labels);
        sum -= log(fmax(s->row[s->rows->label[i]], EBM_PROBABILITY_LEAST));
    }
    return sum;
}

static void set_identity(const scaling *s, double *x)
{
    for (size_t k = 0; k < s->factors + s->labels; k++) x[k] = k < s->factors && is_diagonal(s, k);
}

// The regularization with the least NLL on what was left out; equal ones: the larger. One example cannot be left out of
// itself and gets the largest.
static ebm_status cross_validate(scaling *s, double *x, double *best)
{
    static const double grid[] = {10, 1, 0.1, 1e-2, 1e-3, 1e-4};
    enum { CHOICES = sizeof grid / sizeof *grid };
    double nll[CHOICES] = {0};
    *best = grid[0];
    if (s->rows->count < 2) return ebm_ok();
    s->folds = s->rows->count < FOLDS ? s->rows->count : FOLDS;
    for (s->fold = 0; s->fold < s->folds; s->fold++) {
        set_identity(s, x);
        for (int k = 0; k < CHOICES; k++) { // each from the one before
            s->regularization = grid[k];
            EBM_TRY(minimize(s, x));
            nll[k] += left_out_nll(s, x);
        }
    }
    s->folds = 0;
    int least = 0;
    for (int k = 1; k < CHOICES; k++)
        if (nll[k] < nll[least]) least = k;
    *best = grid[least];
    return ebm_ok();
}

static ebm_status search(scaling *s, const ebm_calibrator_options *options, double *x)
{
    double regularization = options->regularization;
    if (regularization < 0) EBM_TRY(cross_validate(s, x, &regularization));
    s->regularization = regularization;
    set_identity(s, x);
    return minimize(s, x);
}

static ebm_status fit(const ebm_predictions *predictions, const ebm_calibrator_options *options, ebm_calibrator *c,
                      bool matrix)
{
    const size_t Y = (size_t)predictions->labels, factors = matrix ? Y * Y : Y;
    scaling s = {.rows = predictions, .matrix = matrix, .labels = Y, .factors = factors};
    EBM_TRY(ebm_calibrator_list(&c->part[0], SCALE, factors));
    EBM_TRY(ebm_calibrator_list(&c->part[0], BIAS, Y));
    s.p = malloc(predictions->count * Y * sizeof *s.p);
    s.row = malloc(Y * sizeof *s.row);
    double *x = malloc((factors + Y) * sizeof *x);
    ebm_status status = s.p && s.row && x ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", Y);
    if (status.code == EBM_OK) status = search(&s, options, x);
    if (status.code == EBM_OK) {
        memcpy(c->part[0].list[SCALE], x, factors * sizeof *x);
        memcpy(c->part[0].list[BIAS], x + factors, Y * sizeof *x);
        c->facts.regularization = s.regularization;
    }
    free(x);
    free(s.row);
    free(s.p);
    return status;
}

static ebm_status fit_vector(const ebm_predictions *predictions, const ebm_calibrator_options *options,
                             ebm_calibrator *c)
{
    return fit(predictions, options, c, false);
}

static ebm_status fit_matrix(const ebm_predictions *predictions, const ebm_calibrator_options *options,
                             ebm_calibrator *c)
{
    return fit(predictions, options, c, true);
}

static void apply(const ebm_calibrator *c, const float *logits, int labels, double *p)
{
    const double *scale = c->part[0].list[SCALE], *bias = c->part[0].list[BIAS];
    affine(scale, bias, c->facts.kind == EBM_CALIBRATOR_MATRIX, (size_t)labels, logits, p);
    ebm_softmax(p, labels);
}

static const char *check_vector(const ebm_calibrator_part *part, int labels)
{
    const size_t Y = (size_t)labels;
    return part->length[SCALE] == Y && part->length[BIAS] == Y ? NULL : "a scale and a bias for each label";
}

static const char *check_matrix(const ebm_calibrator_part *part, int labels)
{
    const size_t Y = (size_t)labels;
    return part->length[SCALE] == Y * Y && part->length[BIAS] == Y ? NULL
                                                                   : "a row of weights and a bias for each label";
}

const ebm_calibrator_family ebm_family_vector = {.list = {"scale", "bias"},
                                                 .affine = true,
                                                 .bounded = true,
                                                 .fit = fit_vector,
                                                 .apply = apply,
                                                 .check = check_vector};
const ebm_calibrator_family ebm_family_matrix = {.list = {"weight", "bias"},
                                                 .affine = true,
                                                 .bounded = true,
                                                 .fit = fit_matrix,
                                                 .apply = apply,
                                                 .check = check_matrix};
