#include "gradient_exchange.h"

#include <stdlib.h>

#include "mapping.h"
#include "rank_share.h"
#include "timing.h"

// Elements: a bucket has at least so many, where there are; a rank's share of a piece has at most so many. In flight at
// once: enough pieces that messages and sums overlap.
enum { BUCKET_LEAST = 1 << 20, SHARE_MOST = 1 << 17, IN_FLIGHT = 8 };

typedef struct {
    size_t first, last; // tensors
    ebm_slice gradients;
    ebm_mapped mapping;
} bucket;

// A stretch of a bucket on its way round. Rank r's share of it is [bound(r), bound(r + 1)).
typedef struct {
    float *values;
    size_t count;
    enum { FREE, SCATTERED, GATHERED } state;
    float *others;           // what the other ranks have of this rank's share, one after the other
    ebm_transfer *transfers; // two for each rank
} piece;

struct ebm_gradient_exchange {
    ebm_device *device;
    ebm_parameters *parameters;
    const ebm_ranks *ranks;
    bucket *buckets; // in the order in which they become final
    size_t bucket_count, mapped;
    bool joined; // buckets[].gradients are known
    // Of the step under way: pieces cut so far, from bucket `next` at element `at` on.
    size_t next, at;
    piece pieces[IN_FLIGHT]; // a ring; the oldest is `oldest`
    size_t oldest, flying;
    ebm_exchange_statistics statistics;
};

static size_t ranks_of(const ebm_gradient_exchange *x) { return (size_t)x->ranks->count; }

static ebm_arena *gradient_arena(const ebm_gradient_exchange *x)
{
    ebm_arena *arenas[4];
    ebm_parameters_arenas(x->parameters, arenas);
    return arenas[EBM_PART_GRADIENT];
}

static const ebm_slice *gradient_of(const ebm_gradient_exchange *x, size_t tensor)
{
    return &ebm_parameters_tensor_view(x->parameters, tensor)->gradient;
}

// Tensors from the last one down, until there are enough elements or the arena's buffer ends.
static ebm_status cut_buckets(ebm_gradient_exchange *x)
{
    const size_t tensors = ebm_parameters_tensor_count(x->parameters);
    x->buckets = calloc(tensors + 1, sizeof *x->buckets);
    if (!x->buckets) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for buckets of gradients");
    for (size_t end = tensors; end > 0;) {
        bucket *b = &x->buckets[x->bucket_count++];
        size_t count = gradient_of(x, end - 1)->count;
        b->first = b->last = end - 1;
        while (b->first > 0 && count < BUCKET_LEAST &&
               ebm_arena_may_join(gradient_arena(x), gradient_of(x, b->first - 1), gradient_of(x, b->last)))
            count += gradient_of(x, --b->first)->count;
        end = b->first;
        if (count > x->statistics.largest) x->statistics.largest = count;
        x->statistics.bytes += count * sizeof(float);
    }
    x->statistics.buckets = x->bucket_count;
    return ebm_ok();
}

static ebm_status create_pieces(ebm_gradient_exchange *x)
{
    const size_t n = ranks_of(x);
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        x->pieces[i].others = malloc((n - 1) * SHARE_MOST * sizeof(float) + 1);
        x->pieces[i].transfers = calloc(2 * n, sizeof(ebm_transfer));
        if (!x->pieces[i].others || !x->pieces[i].transfers)
            return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the gradients of %zu ranks", n);
    }
    return ebm_ok();
}

ebm_status ebm_gradient_exchange_create(ebm_device *device, ebm_parameters *parameters, const ebm_ranks *ranks,
                                        ebm_gradient_exchange **out)
{
    *out = NULL;
    ebm_gradient_exchange *x = calloc(1, sizeof *x);
    if (!x) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an exchange of gradients");
    ebm_status status = ebm_ok();
    x->device = device;
    x->parameters = parameters;
    x->ranks = ranks;
    EBM_CHECK(cut_buckets(x), fail);
    EBM_CHECK(create_pieces(x), fail);
    *out = x;
    return status;
fail:
    ebm_gradient_exchange_free(x);
    return status;
}

void ebm_gradient_exchange_free(ebm_gradient_exchange *x)
{
    if (!x) return;
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        free(x->pieces[i].others);
        free(x->pieces[i].transfers);
    }
    free(x->buckets);
    free(x);
}

static ebm_status join_buckets(ebm_gradient_exchange *x)
{
    for (size_t i = 0; i < x->bucket_count && !x->joined; i++) {
        bucket *b = &x->buckets[i];
        EBM_TRY(ebm_arena_join(gradient_arena(x), gradient_of(x, b->first), gradient_of(x, b->last), &b->gradients));
    }
    x->joined = true;
    return ebm_ok();
}

ebm_status ebm_gradient_exchange_final(void *exchange, size_t first)
{
    ebm_gradient_exchange *x = exchange;
    const size_t before = x->mapped;
    EBM_TRY(join_buckets(x));
    for (; x->mapped < x->bucket_count && x->buckets[x->mapped].first >= first; x->mapped++)
        EBM_TRY(ebm_slice_map(x->device, x->buckets[x->mapped].gradients, &x->buckets[x->mapped].mapping));
    return x->mapped > before ? ebm_device_flush(x->device) : ebm_ok();
}

// ---- one piece

static size_t bound(const ebm_gradient_exchange *x, const piece *p, size_t rank)
{
    return ebm_share_bound(p->count, rank, ranks_of(x));
}

static ebm_status begin_scatter(ebm_gradient_exchange *x, piece *p)
{
    const size_t n = ranks_of(x), own = (size_t)x->ranks->rank, share = bound(x, p, own + 1) - bound(x, p, own);
    const ebm_ranks *ranks = x->ranks;
    float *to = p->others;
    for (size_t r = 0; r < n; r++) {
        if (r == own) continue;
        EBM_TRY(ranks->receive(ranks->context, to, share * sizeof *to, (int)r, EBM_TAG_SCATTER, &p->transfers[2 * r]));
        EBM_TRY(ranks->send(ranks->context, p->values + bound(x, p, r),
                            (bound(x, p, r + 1) - bound(x, p, r)) * sizeof *to, (int)r, EBM_TAG_SCATTER,
                            &p->transfers[2 * r + 1]));
        to += share;
    }
    p->state = SCATTERED;
    return ebm_ok();
}

static void add(float *restrict sum, const float *restrict values, size_t count)
{
    for (size_t i = 0; i < count; i++) sum[i] += values[i];
}

// sum = first + sum, to the bit what sum + first is: for the own values behind those of lower ranks.
static void add_in_order(const ebm_gradient_exchange *x, piece *p)
{
    const size_t n = ranks_of(x), own = (size_t)x->ranks->rank, from = bound(x, p, own);
    const size_t share = bound(x, p, own + 1) - from;
    float *lower = p->others; // of rank 0, unless that is us
    for (size_t r = 1; r < own; r++) add(lower, p->others + r * share, share);
    if (own > 0) add(p->values + from, lower, share);
    for (size_t r = own + 1; r < n; r++) add(p->values + from, p->others + (r - 1) * share, share);
}

static ebm_status begin_gather(ebm_gradient_exchange *x, piece *p)
{
    const size_t n = ranks_of(x), own = (size_t)x->ranks->rank, from = bound(x, p, own);
    const ebm_ranks *ranks = x->ranks;
    for (size_t r = 0; r < n; r++) {
        if (r == own) continue;
        EBM_TRY(ranks->receive(ranks->context, p->values + bound(x, p, r),
                               (bound(x, p, r + 1) - bound(x, p, r)) * sizeof(float), (int)r, EBM_TAG_GATHER,
                               &p->transfers[2 * r]));
        EBM_TRY(ranks->send(ranks->context, p->values + from, (bound(x, p, own + 1) - from) * sizeof(float), (int)r,
                            EBM_TAG_GATHER, &p->transfers[2 * r + 1]));
    }
    p->state = GATHERED;
    return ebm_ok();
}

// Pieces go from state to state in their order, so that all ranks send in the same one. *happened: something did.
static ebm_status move_pieces(ebm_gradient_exchange *x, bool *happened)
{
    bool may_gather = true; // all older ones do already
    for (size_t i = 0; i < x->flying; i++) {
        piece *p = &x->pieces[(x->oldest + i) % IN_FLIGHT];
        bool done = false;
        EBM_TRY(x->ranks->test(x->ranks->context, p->transfers, 2 * ranks_of(x), &done));
        if (done && p->state == SCATTERED && may_gather) {
            add_in_order(x, p);
            EBM_TRY(begin_gather(x, p));
            *happened = true;
        } else if (done && p->state == GATHERED && i == 0) {
            p->state = FREE;
            x->oldest = (x->oldest + 1) % IN_FLIGHT;
            x->flying--;
            i--;
            *happened = true;
        }
        if (p->state == SCATTERED) may_gather = false;
    }
    return ebm_ok();
}

// Cuts the next piece off what is mapped, when there is room for one.
static ebm_status launch_piece(ebm_gradient_exchange *x, bool *happened, double *last_there)
{
    bool ready = false;
    if (x->flying == IN_FLIGHT || x->next == x->bucket_count) return ebm_ok();
    bucket *b = &x->buckets[x->next];
    if (x->at == 0) EBM_TRY(ebm_mapped_is_ready(&b->mapping, &ready));
    if (x->at == 0 && !ready) return ebm_ok();
    if (x->at == 0 && x->next + 1 == x->bucket_count) *last_there = ebm_now();
    const size_t left = b->gradients.count - x->at, most = SHARE_MOST * ranks_of(x);
    piece *p = &x->pieces[(x->oldest + x->flying++) % IN_FLIGHT];
    p->values = b->mapping.values + x->at;
    p->count = left < most ? left : most;
    x->at += p->count;
    if (x->at == b->gradients.count) {
        x->next++;
        x->at = 0;
    }
    *happened = true;
    return begin_scatter(x, p);
}

// ---- all of them

static ebm_status send_all(ebm_gradient_exchange *x, double *last_there)
{
    unsigned idle = 0;
    while (x->next < x->bucket_count || x->flying > 0) {
        bool happened = false;
        // Nothing under way: sleep until the device is there, instead of asking it again and again.
        if (x->flying == 0 && x->at == 0) EBM_TRY(ebm_mapped_wait(&x->buckets[x->next].mapping));
        EBM_TRY(launch_piece(x, &happened, last_there));
        EBM_TRY(move_pieces(x, &happened));
        if (happened)
            idle = 0;
        else
            ebm_ranks_pause(&idle);
    }
    return ebm_ok();
}

ebm_status ebm_gradient_exchange_finish(ebm_gradient_exchange *x)
{
    double last_there = 0;
    const double start = ebm_now();
    EBM_TRY(ebm_gradient_exchange_final(x, 0));
    EBM_TRY(send_all(x, &last_there));
    for (size_t i = 0; i < x->bucket_count; i++) EBM_TRY(ebm_slice_unmap(x->device, &x->buckets[i].mapping));
    x->statistics.seconds = ebm_now() - start;
    x->statistics.exposed = ebm_now() - last_there;
    x->mapped = x->next = x->at = 0;
    return ebm_ok();
}

ebm_exchange_statistics ebm_gradient_exchange_statistics(const ebm_gradient_exchange *x) { return x->statistics; }
