#include "objective.h"

#include <math.h>

#include "launch.h"

static size_t groups_for(const ebm_device *device, size_t rows)
{
    const size_t group = (size_t)ebm_device_group(device);
    return (rows + group - 1) / group;
}

static ebm_status check_rows(const char *what, ebm_rows rows, size_t available)
{
    if (rows.count > 0 && rows.first + rows.count > available)
        return ebm_fail(EBM_ERROR_INPUT, "%s: rows %zu to %zu asked for, but there are %zu", what, rows.first,
                        rows.first + rows.count, available);
    return ebm_ok();
}

static ebm_status check_total(const char *what, size_t count, size_t total)
{
    if (total >= count && (total > 0 || count == 0)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: %zu rows cannot be part of a step of %zu", what, count, total);
}

ebm_status ebm_cross_entropy(ebm_device *device, ebm_slice loss, ebm_slice dlogits, ebm_slice logits, ebm_slice labels,
                             size_t label_count, ebm_rows rows, size_t total, float weight)
{
    if (rows.count == 0) return ebm_ok();
    if (label_count == 0) return ebm_fail(EBM_ERROR_INPUT, "cross-entropy: expected at least one label, found 0");
    EBM_TRY(check_rows("cross-entropy, losses", rows, loss.count));
    EBM_TRY(check_rows("cross-entropy, gradient", rows, dlogits.count / label_count));
    EBM_TRY(check_rows("cross-entropy, logits", rows, logits.count / label_count));
    EBM_TRY(check_rows("cross-entropy, labels", rows, labels.count));
    EBM_TRY(check_total("cross-entropy", rows.count, total));
    ebm_launch l = ebm_launch_begin(device, "objective.cl", "cross_entropy", "%s", "");
    ebm_arg_slice(&l, loss);
    ebm_arg_slice(&l, dlogits);
    ebm_arg_slice(&l, logits);
    ebm_arg_slice(&l, labels);
    ebm_arg_i32(&l, (int64_t)rows.first);
    ebm_arg_i32(&l, (int64_t)rows.count);
    ebm_arg_i32(&l, (int64_t)label_count);
    ebm_arg_f32(&l, (float)((double)weight / (double)total));
    const double logits_read = (double)(rows.count * label_count);
    ebm_launch_cost(&l, 5 * logits_read, 8 * logits_read + 8 * (double)rows.count);
    return ebm_launch_rows(&l, groups_for(device, rows.count));
}

static ebm_status check_contrast(const ebm_nce_rows *c, size_t available)
{
    if (c->noise_ratio < 1)
        return ebm_fail(EBM_ERROR_INPUT, "noise ratio K: expected at least 1, found %d", c->noise_ratio);
    EBM_TRY(check_rows("NCE, data", c->data, available));
    EBM_TRY(check_rows("NCE, noise", c->noise, available));
    EBM_TRY(check_total("NCE, data", c->data.count, c->total_data));
    EBM_TRY(check_total("NCE, noise", c->noise.count, c->total_noise));
    const bool apart =
        c->data.first + c->data.count <= c->noise.first || c->noise.first + c->noise.count <= c->data.first;
    if (!apart && c->data.count > 0 && c->noise.count > 0)
        return ebm_fail(EBM_ERROR_INPUT, "NCE: data rows from %zu and noise rows from %zu overlap", c->data.first,
                        c->noise.first);
    return ebm_ok();
}

static size_t least_of(ebm_slice a, ebm_slice b, ebm_slice c)
{
    const size_t least = a.count < b.count ? a.count : b.count;
    return c.count < least ? c.count : least;
}

// One side of the contrast; sign +1 for data, -1 for noise. What a kernel takes besides follows, its scales last.
static ebm_launch begin_side(ebm_device *device, const char *kernel, ebm_slice loss, ebm_slice denergy,
                             ebm_slice energy, ebm_rows rows, float sign)
{
    ebm_launch l = ebm_launch_begin(device, "objective.cl", kernel, "%s", "");
    ebm_arg_slice(&l, loss);
    ebm_arg_slice(&l, denergy);
    ebm_arg_slice(&l, energy);
    ebm_arg_i32(&l, (int64_t)rows.first);
    ebm_arg_i32(&l, (int64_t)rows.count);
    ebm_arg_f32(&l, sign);
    ebm_launch_cost(&l, 4.0 * (double)rows.count, 12.0 * (double)rows.count);
    return l;
}

static ebm_status nce_side(ebm_device *device, ebm_slice loss, ebm_slice denergy, ebm_slice energy, ebm_rows rows,
                           float sign, double noise_ratio, double loss_scale, double gradient_scale)
{
    if (rows.count == 0) return ebm_ok();
    ebm_launch l = begin_side(device, "nce", loss, denergy, energy, rows, sign);
    ebm_arg_f32(&l, (float)log(noise_ratio));
    ebm_arg_f32(&l, (float)loss_scale);
    ebm_arg_f32(&l, (float)gradient_scale);
    return ebm_launch_rows(&l, groups_for(device, rows.count));
}

static ebm_status margin_side(ebm_device *device, ebm_slice loss, ebm_slice denergy, ebm_slice energy, ebm_rows rows,
                              float sign, float margin, double gradient_scale)
{
    if (rows.count == 0) return ebm_ok();
    ebm_launch l = begin_side(device, "energy_margin", loss, denergy, energy, rows, sign);
    ebm_arg_f32(&l, margin);
    ebm_arg_f32(&l, (float)gradient_scale);
    return ebm_launch_rows(&l, groups_for(device, rows.count));
}

ebm_status ebm_nce(ebm_device *device, ebm_slice loss, ebm_slice denergy, ebm_slice energy,
                   const ebm_nce_rows *contrast)
{
    const ebm_nce_rows *c = contrast;
    EBM_TRY(check_contrast(c, least_of(loss, denergy, energy)));
    const double k = c->noise_ratio, weight = (double)c->weight;
    EBM_TRY(nce_side(device, loss, denergy, energy, c->data, 1.0f, k, 1.0, weight / (double)c->total_data));
    return nce_side(device, loss, denergy, energy, c->noise, -1.0f, k, k, weight * k / (double)c->total_noise);
}

ebm_status ebm_energy_margin(ebm_device *device, ebm_slice loss, ebm_slice denergy, ebm_slice energy,
                             const ebm_nce_rows *contrast, float margin)
{
    const ebm_nce_rows *c = contrast;
    const double weight = (double)c->weight;
    if (!(margin > 0 && isfinite(margin)))
        return ebm_fail(EBM_ERROR_INPUT, "margin of energies: a finite number above 0 expected, found %g",
                        (double)margin);
    EBM_TRY(check_contrast(c, least_of(loss, denergy, energy)));
    EBM_TRY(margin_side(device, loss, denergy, energy, c->data, 1.0f, margin, weight / (double)c->total_data));
    return margin_side(device, loss, denergy, energy, c->noise, -1.0f, margin, weight / (double)c->total_noise);
}

double ebm_nce_published_constant(int noise_ratio) { return noise_ratio * log(noise_ratio); }

ebm_status ebm_objective_add_statistics(ebm_device *device, ebm_slice statistics, const ebm_objective_rows *rows)
{
    const ebm_rows none = {0, 0};
    const bool labelled = rows->rows.count > 0 && rows->label_count > 0;
    const ebm_nce_rows *c = rows->contrast;
    if (statistics.count < EBM_STATISTICS_COUNT)
        return ebm_fail(EBM_ERROR_INPUT, "statistics: expected %d elements, found %zu", (int)EBM_STATISTICS_COUNT,
                        statistics.count);
    if (labelled) {
        EBM_TRY(check_rows("statistics, losses", rows->rows, rows->ce_loss.count));
        EBM_TRY(check_rows("statistics, labels", rows->rows, rows->labels.count));
        if (rows->label_loss.count) EBM_TRY(check_rows("statistics, label losses", rows->rows, rows->label_loss.count));
        EBM_TRY(check_rows("statistics, logits", rows->rows, rows->logits.count / rows->label_count));
    }
    if (c)
        EBM_TRY(
            check_contrast(c, rows->nce_loss.count < rows->energy.count ? rows->nce_loss.count : rows->energy.count));
    const ebm_rows ce = labelled ? rows->rows : none, data = c ? c->data : none, noise = c ? c->noise : none;
    ebm_launch l = ebm_launch_begin(device, "objective.cl", "statistics", "%s", "");
    ebm_arg_slice(&l, statistics);
    ebm_arg_slice(&l, rows->ce_loss);
    ebm_arg_slice(&l, rows->label_loss.count ? rows->label_loss : rows->ce_loss);
    ebm_arg_slice(&l, rows->logits);
    ebm_arg_slice(&l, rows->labels);
    ebm_arg_slice(&l, rows->nce_loss);
    ebm_arg_slice(&l, rows->energy);
    ebm_arg_i32(&l, (int64_t)ce.first);
    ebm_arg_i32(&l, (int64_t)ce.count);
    ebm_arg_i32(&l, (int64_t)rows->label_count);
    ebm_arg_i32(&l, (int64_t)data.first);
    ebm_arg_i32(&l, (int64_t)data.count);
    ebm_arg_i32(&l, (int64_t)noise.first);
    ebm_arg_i32(&l, (int64_t)noise.count);
    const double contrasted = (double)(data.count + noise.count);
    ebm_launch_cost(&l, (double)(ce.count * rows->label_count) + 4 * contrasted,
                    4.0 * (double)(ce.count * (rows->label_count + 2)) + 8 * contrasted);
    return ebm_launch_rows(&l, 1);
}

ebm_status ebm_objective_read(ebm_device *device, ebm_slice statistics, ebm_objective_sums *sums)
{
    float s[EBM_STATISTICS_COUNT];
    EBM_TRY(ebm_slice_read(device, statistics, 0, EBM_STATISTICS_COUNT, s));
    sums->cross_entropy = (double)s[0];
    sums->correct = (double)s[1];
    sums->nce_data = (double)s[2];
    sums->nce_noise = (double)s[3];
    sums->data_apart = (double)s[4];
    sums->noise_apart = (double)s[5];
    sums->noise_z = (double)s[6];
    sums->data_energy = (double)s[7];
    sums->noise_energy = (double)s[8];
    sums->labelled = (double)s[9];
    sums->data = (double)s[10];
    sums->noise = (double)s[11];
    sums->nonfinite = (double)s[12];
    sums->label_loss = (double)s[13];
    return ebm_ok();
}

ebm_status ebm_objective_check(const ebm_objective_sums *sums)
{
    const double total = sums->cross_entropy + sums->label_loss + sums->nce_data + sums->nce_noise;
    if (sums->nonfinite == 0 && isfinite(total)) return ebm_ok();
    return ebm_fail(EBM_ERROR_NONFINITE,
                    "the loss is not finite: %.0f of %.0f rows (sums: cross-entropy %g, NCE on data %g, on noise %g)",
                    sums->nonfinite, sums->labelled + sums->data + sums->noise, sums->cross_entropy, sums->nce_data,
                    sums->nce_noise);
}
