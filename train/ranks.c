#include "ranks.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_PAUSE = 10, LONGEST_PAUSE = 200 }; // microseconds

void ebm_ranks_pause(unsigned *idle)
{
    const unsigned microseconds = *idle < LONGEST_PAUSE / FIRST_PAUSE ? FIRST_PAUSE * (*idle + 1) : LONGEST_PAUSE;
    const struct timespec pause = {0, 1000L * (long)microseconds};
    ++*idle;
    nanosleep(&pause, NULL);
}

ebm_status ebm_ranks_wait(const ebm_ranks *ranks, ebm_transfer *transfers, size_t count)
{
    unsigned idle = 0;
    for (bool done = false;;) {
        EBM_TRY(ranks->test(ranks->context, transfers, count, &done));
        if (done) return ebm_ok();
        ebm_ranks_pause(&idle);
    }
}

// What rank r has lies at place[r], `bytes[r]` of it; all ranks get all of it there.
static ebm_status exchange(const ebm_ranks *ranks, unsigned char *const *place, const size_t *bytes)
{
    const size_t count = (size_t)ranks->count, own = (size_t)ranks->rank;
    ebm_transfer *transfers = calloc(2 * count, sizeof *transfers);
    if (!transfers) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for messages to %zu ranks", count);
    ebm_status status = ebm_ok();
    for (size_t r = 0; r < count; r++) {
        if (r == own) continue;
        EBM_CHECK(ranks->receive(ranks->context, place[r], bytes[r], (int)r, EBM_TAG_WORDS, &transfers[2 * r]), end);
        EBM_CHECK(ranks->send(ranks->context, place[own], bytes[own], (int)r, EBM_TAG_WORDS, &transfers[2 * r + 1]),
                  end);
    }
    status = ebm_ranks_wait(ranks, transfers, 2 * count);
end:
    free(transfers); // after an error the process ends: what is under way no longer matters
    return status;
}

ebm_status ebm_ranks_share(const ebm_ranks *ranks, void *items, const size_t *first, size_t bytes)
{
    if (ebm_rank_count(ranks) == 1) return ebm_ok();
    const size_t count = (size_t)ranks->count;
    unsigned char **place = calloc(count, sizeof *place);
    size_t *size = calloc(count, sizeof *size);
    ebm_status status = place && size ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu ranks", count);
    for (size_t r = 0; status.code == EBM_OK && r < count; r++) {
        place[r] = (unsigned char *)items + first[r] * bytes;
        size[r] = (first[r + 1] - first[r]) * bytes;
    }
    if (status.code == EBM_OK) status = exchange(ranks, place, size);
    free(place);
    free(size);
    return status;
}

ebm_status ebm_ranks_gather(const ebm_ranks *ranks, const void *mine, size_t bytes, void *all)
{
    const size_t count = (size_t)ebm_rank_count(ranks);
    memcpy((unsigned char *)all + (size_t)ebm_rank_of(ranks) * bytes, mine, bytes);
    if (count == 1) return ebm_ok();
    size_t *first = calloc(count + 1, sizeof *first);
    if (!first) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu ranks", count);
    for (size_t r = 0; r <= count; r++) first[r] = r;
    const ebm_status status = ebm_ranks_share(ranks, all, first, bytes);
    free(first);
    return status;
}

ebm_status ebm_ranks_sum(const ebm_ranks *ranks, double *values, size_t count)
{
    const size_t n = (size_t)ebm_rank_count(ranks);
    if (n == 1) return ebm_ok();
    double *all = calloc(n * count, sizeof *all);
    if (!all) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the sums of %zu ranks", n);
    const ebm_status status = ebm_ranks_gather(ranks, values, count * sizeof *values, all);
    for (size_t i = 0; status.code == EBM_OK && i < count; i++) {
        values[i] = all[i];
        for (size_t r = 1; r < n; r++) values[i] += all[r * count + i];
    }
    free(all);
    return status;
}

ebm_status ebm_ranks_agree(const ebm_ranks *ranks, ebm_status mine)
{
    const size_t n = (size_t)ebm_rank_count(ranks);
    if (n == 1) return mine;
    ebm_status *all = calloc(n, sizeof *all);
    if (!all) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the states of %zu ranks", n);
    ebm_status status = ebm_ranks_gather(ranks, &mine, sizeof mine, all);
    for (size_t r = 0; status.code == EBM_OK && r < n; r++) {
        if (all[r].code != EBM_OK && r > 0)
            status = ebm_in(all[r], "rank %zu", r);
        else
            status = all[r];
    }
    free(all);
    return status;
}

ebm_status ebm_ranks_same(const ebm_ranks *ranks, uint64_t value, const char *what)
{
    const size_t n = (size_t)ebm_rank_count(ranks);
    if (n == 1) return ebm_ok();
    uint64_t *all = calloc(n, sizeof *all);
    if (!all) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the states of %zu ranks", n);
    ebm_status status = ebm_ranks_gather(ranks, &value, sizeof value, all);
    for (size_t r = 1; status.code == EBM_OK && r < n; r++)
        if (all[r] != all[0]) status = ebm_fail(EBM_ERROR_DEVICE, "%s of ranks 0 and %zu are not the same", what, r);
    free(all);
    return status;
}
