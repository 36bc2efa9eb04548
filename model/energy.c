#include "energy.h"

#include <math.h>
#include <string.h>

#include "launch.h"

static const char *const names[] = {"scalar", "hidden", "sharp-hidden"};

const char *ebm_energy_name(ebm_energy_kind kind) { return names[kind]; }

ebm_status ebm_energy_parse(const char *name, ebm_energy_kind *kind)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *kind = (ebm_energy_kind)i;
        return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_INPUT, "energy \"%s\": expected scalar, hidden or sharp-hidden", name);
}

// What both directions need: a kind that is a function of the logits, and rows that lie inside both slices.
static ebm_status check(ebm_energy_kind kind, ebm_slice energy, ebm_slice logits, size_t first, size_t rows,
                        size_t labels)
{
    if (kind == EBM_ENERGY_SCALAR)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "the scalar energy is not a function of the logits");
    if (labels == 0) return ebm_fail(EBM_ERROR_INPUT, "energy: expected at least one label, found 0");
    if (first + rows > energy.count || (first + rows) * labels > logits.count)
        return ebm_fail(EBM_ERROR_INPUT, "energy: rows %zu to %zu do not fit %zu energies and %zu logits of %zu labels",
                        first, first + rows, energy.count, logits.count, labels);
    return ebm_ok();
}

static size_t groups_for(const ebm_device *device, size_t rows)
{
    const size_t group = (size_t)ebm_device_group(device);
    return (rows + group - 1) / group;
}

ebm_status ebm_energy_forward(ebm_device *device, ebm_slice energy, ebm_slice logits, ebm_energy_kind kind,
                              size_t first, size_t rows, size_t labels)
{
    EBM_TRY(check(kind, energy, logits, first, rows, labels));
    ebm_launch l =
        ebm_launch_begin(device, "energy.cl", "energy_forward", "-DSHARP=%d", kind == EBM_ENERGY_SHARP_HIDDEN);
    ebm_arg_slice(&l, energy);
    ebm_arg_slice(&l, logits);
    ebm_arg_i32(&l, (int64_t)first);
    ebm_arg_i32(&l, (int64_t)rows);
    ebm_arg_i32(&l, (int64_t)labels);
    ebm_launch_cost(&l, 3.0 * (double)(rows * labels), 4.0 * (double)(rows * (labels + 1)));
    return ebm_launch_rows(&l, groups_for(device, rows));
}

double ebm_energy_of_logits(ebm_energy_kind kind, const float *logits, size_t labels, double scale)
{
    double largest = scale * (double)logits[0], sum = 0;
    for (size_t y = 1; y < labels; y++) {
        const double f = scale * (double)logits[y];
        if (f > largest) largest = f;
    }
    if (kind == EBM_ENERGY_SHARP_HIDDEN) return -largest;
    for (size_t y = 0; y < labels; y++) sum += exp(scale * (double)logits[y] - largest);
    return -(largest + log(sum));
}

ebm_status ebm_energy_backward(ebm_device *device, ebm_slice dlogits, ebm_slice denergy, ebm_slice logits,
                               ebm_energy_kind kind, size_t first, size_t rows, size_t labels)
{
    EBM_TRY(check(kind, denergy, logits, first, rows, labels));
    EBM_TRY(check(kind, denergy, dlogits, first, rows, labels));
    ebm_launch l =
        ebm_launch_begin(device, "energy.cl", "energy_backward", "-DSHARP=%d", kind == EBM_ENERGY_SHARP_HIDDEN);
    ebm_arg_slice(&l, dlogits);
    ebm_arg_slice(&l, denergy);
    ebm_arg_slice(&l, logits);
    ebm_arg_i32(&l, (int64_t)first);
    ebm_arg_i32(&l, (int64_t)rows);
    ebm_arg_i32(&l, (int64_t)labels);
    ebm_launch_cost(&l, 5.0 * (double)(rows * labels), 4.0 * (double)(rows * (3 * labels + 1)));
    return ebm_launch_rows(&l, groups_for(device, rows));
}
