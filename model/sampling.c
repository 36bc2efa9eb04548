#include "sampling.h"

#include "random.h"
#include "sampling_internal.h"

ebm_status ebm_sampling_check(ebm_slice next, ebm_slice texts, ebm_slice positions, size_t slots, size_t vocabulary,
                              const ebm_sampling *s)
{
    if (!(s->temperature > 0))
        return ebm_fail(EBM_ERROR_INPUT, "sampling: temperature must be above 0, found %g", (double)s->temperature);
    if (s->top_k < 0 || s->top_k > EBM_TOP_K_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "sampling: top k must be 0 (all) to %d, found %d", (int)EBM_TOP_K_MAX,
                        s->top_k);
    if (s->banned_count > EBM_BANNED_MAX || s->banned_count > s->banned.count)
        return ebm_fail(EBM_ERROR_INPUT, "sampling: %zu banned ids, but at most %d are possible and %zu are given",
                        s->banned_count, (int)EBM_BANNED_MAX, s->banned.count);
    if (vocabulary == 0) return ebm_fail(EBM_ERROR_INPUT, "sampling: the vocabulary is empty");
    if (slots > next.count || slots > texts.count || slots > positions.count)
        return ebm_fail(EBM_ERROR_INPUT, "sampling: %zu slots do not fit %zu ids, %zu text numbers and %zu positions",
                        slots, next.count, texts.count, positions.count);
    return ebm_ok();
}

void ebm_sampling_arguments(ebm_launch *launch, const ebm_sampling *s)
{
    ebm_arg_i32(launch, (int64_t)s->banned_count);
    ebm_arg_f32(launch, s->temperature);
    ebm_arg_u64(launch, s->seed);
    ebm_arg_u32(launch, s->step);
    ebm_arg_u32(launch, EBM_SITE_SAMPLE);
}

ebm_status ebm_sample(ebm_device *device, ebm_slice next, ebm_slice logits, ebm_slice texts, ebm_slice positions,
                      size_t slots, size_t vocabulary, const ebm_sampling *sampling)
{
    EBM_TRY(ebm_sampling_check(next, texts, positions, slots, vocabulary, sampling));
    if (slots * vocabulary > logits.count)
        return ebm_fail(EBM_ERROR_INPUT, "sampling: %zu slots do not fit %zu logits of %zu", slots, logits.count,
                        vocabulary);
    const char *kernel = sampling->top_k ? "sample_top_k" : "sample_all";
    const char *file = sampling->top_k ? "sample_top_k.cl" : "sample_all.cl";
    ebm_launch l = ebm_launch_begin(device, file, kernel, "-DTOP_K=%d", sampling->top_k);
    ebm_arg_slice(&l, next);
    ebm_arg_slice(&l, logits);
    ebm_arg_slice(&l, texts);
    ebm_arg_slice(&l, positions);
    ebm_arg_slice(&l, sampling->banned);
    ebm_arg_i32(&l, (int64_t)vocabulary);
    ebm_sampling_arguments(&l, sampling);
    ebm_launch_cost(&l, (double)(slots * vocabulary), 4.0 * (double)(slots * vocabulary));
    return ebm_launch_rows(&l, slots);
}

ebm_status ebm_map_ids(ebm_device *device, ebm_slice out, ebm_slice in, ebm_slice map, size_t count)
{
    if (count > out.count || count > in.count)
        return ebm_fail(EBM_ERROR_INPUT, "id map: %zu ids do not fit slices of %zu and %zu", count, in.count,
                        out.count);
    const size_t group = (size_t)ebm_device_group(device);
    ebm_launch l = ebm_launch_begin(device, "map_ids.cl", "map_ids", "%s", "");
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, in);
    ebm_arg_slice(&l, map);
    ebm_arg_i32(&l, (int64_t)map.count);
    ebm_arg_i32(&l, (int64_t)count);
    ebm_launch_cost(&l, 0, 12.0 * (double)count);
    return ebm_launch_rows(&l, (count + group - 1) / group);
}
