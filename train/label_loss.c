#include "label_loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "launch.h"

bool ebm_label_loss_is_plain(const ebm_label_loss *l)
{
    return l->smoothing == 0 && l->focal_gamma == 0 && l->confidence_penalty == 0 && l->posterior_weight == 0;
}

static ebm_status check_weight(const char *what, float value)
{
    if (value >= 0 && isfinite(value)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: a finite number from 0 on expected, found %g", what, (double)value);
}

ebm_status ebm_label_loss_check(const ebm_label_loss *l)
{
    if (!(l->smoothing >= 0 && l->smoothing < 1))
        return ebm_fail(EBM_ERROR_INPUT, "label smoothing: a number in [0, 1) expected, found %g",
                        (double)l->smoothing);
    EBM_TRY(check_weight("focal loss, gamma", l->focal_gamma));
    EBM_TRY(check_weight("confidence penalty", l->confidence_penalty));
    return check_weight("PosCal, weight", l->posterior_weight);
}

static void add_part(char *text, size_t size, const char *what, float value)
{
    const size_t used = strlen(text);
    if (value != 0) snprintf(text + used, size - used, "%s%s %g", used ? ", " : "", what, (double)value);
}

float ebm_focal_gamma_of_passes(double passes) { return (float)fmin(5, fmax(0, passes - 1)); }

void ebm_label_loss_text(const ebm_label_loss *l, char *text, size_t size)
{
    char all[256] = "";
    add_part(all, sizeof all, "label smoothing", l->smoothing);
    add_part(all, sizeof all, "focal loss with gamma", l->focal_gamma);
    add_part(all, sizeof all, "confidence penalty", l->confidence_penalty);
    add_part(all, sizeof all, "PosCal with weight", l->posterior_weight);
    snprintf(text, size, "%s", *all ? all : "cross-entropy");
}

static ebm_status check_slices(const ebm_label_loss_rows *r)
{
    const size_t end = r->rows.first + r->rows.count, Y = r->label_count;
    if (Y == 0) return ebm_fail(EBM_ERROR_INPUT, "label loss: expected at least one label, found 0");
    if (end > r->loss.count || end > r->plain.count || end > r->labels.count || end > r->logits.count / Y ||
        end > r->dlogits.count / Y)
        return ebm_fail(EBM_ERROR_INPUT, "label loss: rows to %zu asked for, of %zu losses, %zu labels and %zu logits",
                        end, r->loss.count < r->plain.count ? r->loss.count : r->plain.count, r->labels.count,
                        r->logits.count / Y);
    if (r->posterior.count < Y * r->bins)
        return ebm_fail(EBM_ERROR_INPUT, "label loss: a posterior of %zu x %zu expected, found %zu elements", Y,
                        r->bins, r->posterior.count);
    if (r->total < r->rows.count)
        return ebm_fail(EBM_ERROR_INPUT, "label loss: %zu rows cannot be part of a step of %zu", r->rows.count,
                        r->total);
    return ebm_ok();
}

ebm_status ebm_label_loss_run(ebm_device *device, const ebm_label_loss *l, const ebm_label_loss_rows *r)
{
    if (r->rows.count == 0) return ebm_ok();
    EBM_TRY(ebm_label_loss_check(l));
    EBM_TRY(check_slices(r));
    const size_t group = (size_t)ebm_device_group(device), numbers = r->rows.count * r->label_count;
    ebm_launch launch = ebm_launch_begin(device, "label_loss.cl", "label_loss", "%s", "");
    ebm_arg_slice(&launch, r->loss);
    ebm_arg_slice(&launch, r->plain);
    ebm_arg_slice(&launch, r->dlogits);
    ebm_arg_slice(&launch, r->logits);
    ebm_arg_slice(&launch, r->labels);
    ebm_arg_slice(&launch, r->bins ? r->posterior : r->logits); // some memory: it is not read
    ebm_arg_i32(&launch, (int64_t)r->rows.first);
    ebm_arg_i32(&launch, (int64_t)r->rows.count);
    ebm_arg_i32(&launch, (int64_t)r->label_count);
    ebm_arg_i32(&launch, (int64_t)r->bins);
    ebm_arg_f32(&launch, (float)(1.0 / (double)r->total));
    ebm_arg_f32(&launch, l->smoothing);
    ebm_arg_f32(&launch, l->focal_gamma);
    ebm_arg_f32(&launch, l->confidence_penalty);
    ebm_arg_f32(&launch, l->posterior_weight);
    ebm_launch_cost(&launch, 20.0 * (double)numbers, 8.0 * (double)numbers + 12.0 * (double)r->rows.count);
    return ebm_launch_rows(&launch, (r->rows.count + group - 1) / group);
}
