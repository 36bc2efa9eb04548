#include "clblast_calls.h"

#include <math.h>

// What decides between calls, in bytes of traffic. Estimates for GPUs at hand nowhere: a launch takes 5 us where memory
// gives 400 GB/s; a product of 15 operations takes as long as a byte (Arc A770: 31, RTX 3090: 38, MI210: 14 at their
// peaks, of which CLBlast reaches half). XgemmDirect is taken to be half as fast, its tiles to be 32 x 32.
enum { LAUNCH_BYTES = 2 << 20, FLOPS_A_BYTE = 15, DIRECT_TILE = 32, DIRECT_SLOWER = 2 };

static size_t whole_tiles(size_t size, size_t tile) { return (size + tile - 1) / tile * tile; }

// ---- one call

// A matrix as CLBlast sees it: `one` elements side by side, `two` lines of them.
typedef struct {
    size_t one, two, tiled; // tiled: elements of its copy of whole tiles
    bool copied;
} operand;

static operand operand_of(size_t one, size_t two, size_t one_tiled, size_t two_tiled, size_t first, size_t stride,
                          bool transposes)
{
    const bool fits = one == one_tiled && two == two_tiled && stride == one && first == 0;
    return (operand){one, two, one_tiled * two_tiled, transposes || !fits};
}

typedef struct {
    bool direct;
    size_t m, n, k; // of whole tiles
    operand a, b, c;
} work;

static bool is_direct(const ebm_clblast_form *f, const ebm_clblast_call *p)
{
    const double least = (double)f->least_indirect;
    return (double)p->m * (double)p->n * (double)p->k < least * least * least;
}

static work work_of(const ebm_clblast_form *f, const ebm_clblast_call *p)
{
    // Rotated: what CLBlast calls a matrix whose second dimension, (m, k), (k, n) or (m, n), lies side by side.
    const bool a_rotated = p->column_major == p->a_transposed, b_rotated = p->column_major == p->b_transposed;
    const bool c_rotated = !p->column_major;
    const size_t m = whole_tiles(p->m, f->mwg), n = whole_tiles(p->n, f->nwg), k = whole_tiles(p->k, f->kwg);
    work w = {.direct = is_direct(f, p), .m = m, .n = n, .k = k};
    if (w.direct) return w;
    w.a = operand_of(a_rotated ? p->k : p->m, a_rotated ? p->m : p->k, f->gemmk ? k : m, f->gemmk ? m : k, p->a_first,
                     p->a_stride, a_rotated != f->gemmk);
    w.b = operand_of(b_rotated ? p->n : p->k, b_rotated ? p->k : p->n, n, k, p->b_first, p->b_stride, !b_rotated);
    w.c = operand_of(c_rotated ? p->n : p->m, c_rotated ? p->m : p->n, f->gemmk ? n : m, f->gemmk ? m : n, p->c_first,
                     p->c_stride, c_rotated != f->gemmk);
    return w;
}

// Work-groups run in waves of as many as there are units: half a wave takes as long as a whole one.
static double flops_of(const ebm_clblast_form *f, const work *w, const ebm_clblast_call *p)
{
    const double mwg = w->direct ? DIRECT_TILE : (double)f->mwg, nwg = w->direct ? DIRECT_TILE : (double)f->nwg;
    const double groups = ceil((double)p->m / mwg) * ceil((double)p->n / nwg), units = (double)f->units;
    const double slower = w->direct ? DIRECT_SLOWER : 1;
    return slower * 2 * mwg * nwg * (double)(w->direct ? p->k : w->k) * units * ceil(groups / units);
}

static double pass_bytes(const operand *o)
{
    return sizeof(float) * ((double)o->one * (double)o->two + (double)o->tiled);
}

static ebm_clblast_cost cost_of_call(const ebm_clblast_form *f, const ebm_clblast_call *p)
{
    const work w = work_of(f, p);
    const operand *const all[] = {&w.a, &w.b, &w.c};
    const size_t passes[] = {1, 1, p->adds ? 2 : 1};
    ebm_clblast_cost cost = {.launches = 1};
    for (size_t i = 0; i < 3; i++) {
        if (!all[i]->copied) continue;
        cost.launches += passes[i];
        cost.temporary_bytes += sizeof(float) * all[i]->tiled;
        cost.moved_bytes += (double)passes[i] * pass_bytes(all[i]);
    }
    cost.cost = cost.moved_bytes + (double)cost.launches * LAUNCH_BYTES + flops_of(f, &w, p) / FLOPS_A_BYTE;
    return cost;
}

ebm_clblast_cost ebm_clblast_cost_of(const ebm_clblast_form *f, const ebm_clblast_calls *calls)
{
    ebm_clblast_cost sum = {0};
    for (size_t i = 0; i < calls->count; i++) {
        const ebm_clblast_call *call = &calls->calls[i];
        ebm_clblast_cost one = cost_of_call(f, call);
        // C is read and written once more by a call for the rest of k.
        if (i > 0 && call->adds && call->c_first == calls->calls[0].c_first) {
            const double again = 2.0 * sizeof(float) * (double)call->m * (double)call->n;
            one.moved_bytes += again;
            one.cost += again;
        }
        sum.launches += one.launches;
        if (one.temporary_bytes > sum.temporary_bytes) sum.temporary_bytes = one.temporary_bytes;
        sum.moved_bytes += one.moved_bytes;
        sum.cost += one.cost;
    }
    return sum;
}

// ---- a product

// Rows `row` to `row + m` of C, steps `step` to `step + k` of the sums.
static ebm_product part_of(const ebm_product *p, size_t row, size_t m, size_t step, size_t k)
{
    ebm_product part = *p;
    part.m = m;
    part.k = k;
    part.a.first += p->form == EBM_GEMM_TN ? step * p->a.stride + row : row * p->a.stride + step;
    part.b.first += p->form == EBM_GEMM_NT ? step : step * p->b.stride;
    part.c.first += row * p->c.stride;
    part.accumulate = p->accumulate || step > 0;
    return part;
}

static ebm_clblast_call by_rows(const ebm_product *p)
{
    return (ebm_clblast_call){.a_transposed = p->form == EBM_GEMM_TN,
                              .b_transposed = p->form == EBM_GEMM_NT,
                              .adds = p->accumulate,
                              .m = p->m,
                              .n = p->n,
                              .k = p->k,
                              .a_first = p->a.first,
                              .a_stride = p->a.stride,
                              .b_first = p->b.first,
                              .b_stride = p->b.stride,
                              .c_first = p->c.first,
                              .c_stride = p->c.stride};
}

static ebm_clblast_call by_columns(const ebm_product *p)
{
    return (ebm_clblast_call){.column_major = true,
                              .a_transposed = p->form == EBM_GEMM_NT,
                              .b_transposed = p->form == EBM_GEMM_TN,
                              .adds = p->accumulate,
                              .m = p->n,
                              .n = p->m,
                              .k = p->k,
                              .a_first = p->b.first,
                              .a_stride = p->b.stride,
                              .b_first = p->a.first,
                              .b_stride = p->a.stride,
                              .c_first = p->c.first,
                              .c_stride = p->c.stride};
}

static ebm_clblast_call better_call(const ebm_clblast_form *f, const ebm_product *p)
{
    const ebm_clblast_call rows = by_rows(p), columns = by_columns(p);
    // By columns where it makes no difference: XgemmDirect writes C in the order of its work-items then.
    return cost_of_call(f, &rows).cost < cost_of_call(f, &columns).cost ? rows : columns;
}

static void add_part(const ebm_clblast_form *f, ebm_clblast_calls *calls, const ebm_product *part)
{
    if (part->m > 0 && part->k > 0) calls->calls[calls->count++] = better_call(f, part);
}

ebm_clblast_calls ebm_clblast_calls_cut(const ebm_clblast_form *f, const ebm_product *p, size_t m, size_t k)
{
    ebm_clblast_calls calls = {.count = 0};
    const ebm_product first = part_of(p, 0, m, 0, k), steps = part_of(p, 0, m, k, p->k - k),
                      rows = part_of(p, m, p->m - m, 0, p->k);
    add_part(f, &calls, &first);
    add_part(f, &calls, &steps);
    add_part(f, &calls, &rows);
    return calls;
}

ebm_clblast_calls ebm_clblast_calls_plain(const ebm_product *p) { return (ebm_clblast_calls){{by_rows(p)}, 1}; }

ebm_clblast_calls ebm_clblast_calls_of(const ebm_clblast_form *f, const ebm_product *p)
{
    if (!f->known) return ebm_clblast_calls_plain(p);
    // By columns rows of C are CLBlast's n.
    const size_t tiles[] = {1, f->nwg, f->mwg}, steps[] = {1, f->kwg};
    ebm_clblast_calls best = {.count = 0};
    double least = HUGE_VAL;
    for (size_t t = 0; t < 3; t++)
        for (size_t s = 0; s < 2; s++) {
            const size_t m = p->m / tiles[t] * tiles[t], k = p->k / steps[s] * steps[s];
            if (m == 0 || k == 0) continue;
            const ebm_clblast_calls calls = ebm_clblast_calls_cut(f, p, m, k);
            const double cost = ebm_clblast_cost_of(f, &calls).cost;
            if (cost >= least) continue;
            best = calls;
            least = cost;
        }
    return best;
}

// ---- how much memory

static size_t bytes_with(const ebm_clblast_form *f, const ebm_product *product, size_t tokens)
{
    ebm_product p = *product;
    *(p.form == EBM_GEMM_TN ? &p.k : &p.m) = tokens;
    const ebm_clblast_calls calls = ebm_clblast_calls_of(f, &p);
    return ebm_clblast_cost_of(f, &calls).temporary_bytes;
}

// What is cut off changes with every size, the rest with every tile: all sizes of the last tiles, and of those before
// whole tiles, one less and one more.
size_t ebm_clblast_most_bytes(const ebm_clblast_form *f, const ebm_product *p)
{
    if (!f->known) return 0;
    const size_t tokens = p->form == EBM_GEMM_TN ? p->k : p->m;
    const size_t tile = p->form == EBM_GEMM_TN ? f->kwg : f->mwg > f->nwg ? f->mwg : f->nwg;
    size_t most = 0;
    for (size_t t = tokens; t > 0; t--) {
        if (t + 2 * tile < tokens && t % tile > 1 && t % tile < tile - 1) continue;
        const size_t bytes = bytes_with(f, p, t);
        if (bytes > most) most = bytes;
    }
    return most;
}
