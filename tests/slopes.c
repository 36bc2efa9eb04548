#include "slopes.h"

#include <math.h>

// What rounding does to a slope: the losses (at most 8, sums of rounded terms) are good to e = 2e-6 and enter as
// (8 + 8 + 1 + 1) / 12 e / h = 1.5 e / h.
static const double STEP = 1.0 / 64, ROUNDING = 1.5 * 2e-6 * 64;

typedef struct {
    double (*loss)(void *model);
    void *model;
    const ebm_parameter *parameter;
    const float *start, *direction;
} line;

static double loss_at(const line *l, double step)
{
    add_to_weights(l->parameter, l->start, l->direction, step);
    return l->loss(l->model);
}

// d loss / d step, of fourth order: an error of h^4 / 30 times the fifth derivative.
static double slope(const line *l, double h)
{
    const double close = loss_at(l, h) - loss_at(l, -h), far = loss_at(l, 2 * h) - loss_at(l, -2 * h);
    add_to_weights(l->parameter, l->start, l->direction, 0);
    return (8 * close - far) / (12 * h);
}

// The truncation is 16 times larger at 2 h than at h, so that it is a fifteenth of the difference between the two;
// taken twice, as the next order adds to it.
static void check(const line *l, double norm)
{
    const double fine = slope(l, STEP), coarse = slope(l, 2 * STEP), truncation = 2 * fabs(coarse - fine) / 15;
    assert_near_one(l->parameter->name, truncation, 0, 2e-3 * fmax(norm, 0.1)); // else the check would say little
    assert_near_one(l->parameter->name, fine, norm, ROUNDING + truncation);
}

static double scale_to_one(float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i] * (double)values[i];
    const double norm = sqrt(sum);
    for (size_t i = 0; i < count && norm > 0; i++) values[i] = (float)((double)values[i] / norm);
    return norm;
}

size_t assert_slopes(ebm_parameters *parameters, double (*loss)(void *model), void *model)
{
    loss(model);
    snapshot weights = snapshot_take(parameters, EBM_PART_WEIGHT);
    snapshot gradients = snapshot_take(parameters, EBM_PART_GRADIENT);
    size_t checked = 0;
    for (size_t i = 0; i < gradients.count; i++) {
        const line l = {loss, model, ebm_parameters_find(parameters, gradients.names[i]), weights.values[i],
                        gradients.values[i]};
        const double norm = scale_to_one(gradients.values[i], gradients.sizes[i]);
        if (norm < 50 * ROUNDING) continue; // would pass whatever it was
        check(&l, norm);
        checked++;
    }
    snapshot_free(&weights);
    snapshot_free(&gradients);
    return checked;
}
