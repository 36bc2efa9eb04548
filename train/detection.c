#include "detection.h"

#include <stdlib.h>
#include <string.h>

#include "ranking.h"

ebm_status ebm_detection_measure(const double *in, size_t in_count, const double *out, size_t out_count,
                                 ebm_detection *detection)
{
    ebm_status status = ebm_ok();
    ebm_ranking ranking = {0};
    const size_t count = in_count + out_count;
    if (!in_count || !out_count)
        return ebm_fail(EBM_ERROR_INPUT, "detection: scores of both kinds expected, found %zu in and %zu out", in_count,
                        out_count);
    double *score = malloc(count * sizeof *score);
    bool *is_in = malloc(count * sizeof *is_in);
    if (!score || !is_in) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu scores", count);
    EBM_CHECK(status, end);
    memcpy(score, in, in_count * sizeof *score);
    memcpy(score + in_count, out, out_count * sizeof *score);
    for (size_t i = 0; i < count; i++) is_in[i] = i < in_count;
    EBM_CHECK(ebm_ranking_create("scores, first in, then out", score, count, &ranking), end);
    *detection = ebm_ranking_detection(&ranking, is_in, NULL);
end:
    ebm_ranking_free(&ranking);
    free(score);
    free(is_in);
    return status;
}
