#include "mixing.h"

#include "launch.h"

static ebm_status check(const char *what, const ebm_mixing *m, size_t have, size_t need)
{
    if (m->partners.count < m->rows || m->starts.count < m->rows + 1 || m->users.count < m->rows)
        return ebm_fail(EBM_ERROR_INPUT, "%s: %zu partners, %zu starts and %zu users for %zu rows", what,
                        m->partners.count, m->starts.count, m->users.count, m->rows);
    if (!(m->lambda >= 0 && m->lambda <= 1))
        return ebm_fail(EBM_ERROR_INPUT, "%s: lambda must lie in [0, 1], found %g", what, (double)m->lambda);
    if (have < need) return ebm_fail(EBM_ERROR_INPUT, "%s: %zu elements needed, found %zu", what, need, have);
    return ebm_ok();
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static ebm_status check_vectors(const char *what, const ebm_mixing *m, ebm_slice a, ebm_slice b, size_t channels)
{
    if (channels == 0 || channels % 16 != 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: channels must be a multiple of 16, found %zu", what, channels);
    return check(what, m, smaller(a.count, b.count), m->rows * channels);
}

ebm_status ebm_mix_forward(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_mixing *m, size_t channels)
{
    EBM_TRY(check_vectors("mix_forward", m, y, x, channels));
    ebm_launch l = ebm_launch_begin(device, "mixup.cl", "mix_forward", "-DC=%zu", channels);
    ebm_arg_slice(&l, y);
    ebm_arg_slice(&l, x);
    ebm_arg_slice(&l, m->partners);
    ebm_arg_f32(&l, m->lambda);
    ebm_launch_cost(&l, 3.0 * (double)(m->rows * channels), 12.0 * (double)(m->rows * channels));
    return ebm_launch_rows(&l, m->rows);
}

ebm_status ebm_mix_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, const ebm_mixing *m, size_t channels)
{
    EBM_TRY(check_vectors("mix_backward", m, dx, dy, channels));
    ebm_launch l = ebm_launch_begin(device, "mixup.cl", "mix_backward", "-DC=%zu", channels);
    ebm_arg_slice(&l, dx);
    ebm_arg_slice(&l, dy);
    ebm_arg_slice(&l, m->starts);
    ebm_arg_slice(&l, m->users);
    ebm_arg_f32(&l, m->lambda);
    ebm_launch_cost(&l, 5.0 * (double)(m->rows * channels), 16.0 * (double)(m->rows * channels));
    return ebm_launch_rows(&l, m->rows);
}

ebm_status ebm_mixed_loss(ebm_device *device, const ebm_mixed_loss_rows *r, const ebm_mixing *m)
{
    const size_t Y = r->label_count, n = m->rows, group = (size_t)ebm_device_group(device);
    if (Y == 0) return ebm_fail(EBM_ERROR_INPUT, "mixed loss: expected at least one label, found 0");
    EBM_TRY(check("mixed loss", m, smaller(r->logits.count, r->dlogits.count), n * Y));
    EBM_TRY(check("mixed loss", m, smaller(smaller(r->loss.count, r->before.count), r->labels.count), n));
    if (n == 0) return ebm_ok();
    ebm_launch l = ebm_launch_begin(device, "mixup.cl", "mixed_loss", "%s", "");
    ebm_arg_slice(&l, r->loss);
    ebm_arg_slice(&l, r->dlogits);
    ebm_arg_slice(&l, r->before);
    ebm_arg_slice(&l, r->logits);
    ebm_arg_slice(&l, r->labels);
    ebm_arg_slice(&l, m->partners);
    ebm_arg_i32(&l, (int64_t)n);
    ebm_arg_i32(&l, (int64_t)Y);
    ebm_arg_f32(&l, m->lambda);
    ebm_arg_f32(&l, r->keep);
    ebm_arg_f32(&l, r->weight);
    ebm_arg_f32(&l, r->weight / (float)n);
    ebm_launch_cost(&l, 10.0 * (double)(n * Y), 8.0 * (double)(n * Y) + 16.0 * (double)n);
    return ebm_launch_rows(&l, (n + group - 1) / group);
}
