#include "attention.h"

#include <math.h>

#include "launch.h"

enum { USUAL_TOKENS = 1024, MAX_HEAD_SIZE = 128 };

size_t ebm_attention_longest(const ebm_attention *attention)
{
    return attention->longest ? attention->longest : USUAL_TOKENS;
}

ebm_status ebm_attention_check(const ebm_attention *attention)
{
    const size_t size = attention->head_size;
    if (attention->heads == 0 || size == 0 || size % 16 != 0 || size > MAX_HEAD_SIZE)
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "attention: expected heads of a multiple of 16 up to %d, found %zu heads of %zu", MAX_HEAD_SIZE,
                        attention->heads, size);
    const float probability = attention->dropout.probability;
    if (!(probability >= 0 && probability < 1))
        return ebm_fail(EBM_ERROR_INPUT, "attention: expected a dropout probability in [0, 1), found %g",
                        (double)probability);
    if (ebm_attention_longest(attention) > EBM_ATTENTION_TOKENS || ebm_attention_longest(attention) % 16 != 0)
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "attention: expected sequences of a multiple of 16 tokens up to %d, found %zu",
                        EBM_ATTENTION_TOKENS, attention->longest);
    return ebm_ok();
}

static ebm_status check_slice(const char *name, ebm_slice slice, size_t needed)
{
    if (slice.count >= needed) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "attention: %s needs %zu elements, found %zu", name, needed, slice.count);
}

static ebm_status check_batch(const ebm_batch *batch, size_t longest)
{
    if (batch->longest > longest)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "attention: a sequence has %zu tokens, at most %zu are possible",
                        batch->longest, longest);
    return check_slice("starts", batch->starts, batch->sequences + 1);
}

static size_t channels_of(const ebm_attention *attention) { return attention->heads * attention->head_size; }

static double scale_of(const ebm_attention *attention) { return 1 / sqrt((double)attention->head_size); }

static void arg_dropout(ebm_launch *launch, const ebm_attention *attention)
{
    const ebm_dropout *dropout = &attention->dropout;
    ebm_arg_u64(launch, dropout->seed);
    ebm_arg_u64(launch, dropout->first_row * attention->heads * ebm_attention_longest(attention));
    ebm_arg_u32(launch, dropout->step);
    ebm_arg_u32(launch, dropout->site);
    ebm_arg_u32(launch, (uint32_t)((double)dropout->probability * 4294967296.0));
    ebm_arg_f32(launch, 1 / (1 - dropout->probability));
}

// How many positions before and after itself a query sees.
static size_t seen_before(const ebm_attention *attention)
{
    return attention->window && attention->window < EBM_ATTENTION_TOKENS ? attention->window : EBM_ATTENTION_TOKENS;
}
static size_t seen_after(const ebm_attention *attention) { return attention->causal ? 0 : seen_before(attention); }

// How many tokens of a sequence ask.
static size_t most_asking(const ebm_attention *attention)
{
    return attention->queries && attention->queries < EBM_ATTENTION_TOKENS ? attention->queries : EBM_ATTENTION_TOKENS;
}

static void arg_view(ebm_launch *launch, const ebm_attention *attention)
{
    ebm_arg_i32(launch, (int64_t)seen_before(attention));
    ebm_arg_i32(launch, (int64_t)seen_after(attention));
    ebm_arg_i32(launch, (int64_t)most_asking(attention));
}

// Neighbours on one side that `tokens` queries see, each at most `reach`: of the first (or last) queries fewer.
static double count_side(double tokens, double reach)
{
    if (reach > tokens - 1) reach = tokens - 1;
    return reach * (tokens - 1) - reach * (reach - 1) / 2;
}

static double count_first(double tokens, double asking, double before, double after)
{
    double scores = 0;
    for (double query = 0; query < asking; query++) scores += 1 + fmin(query, before) + fmin(tokens - 1 - query, after);
    return scores;
}

// Scores of all heads, each key counted for each query that sees it.
static double count_scores(const ebm_batch *batch, const ebm_attention *attention)
{
    double scores = 0;
    for (size_t s = 0; s < batch->sequences; s++) {
        const double tokens = batch->host_starts[s + 1] - batch->host_starts[s];
        const double asking = (double)most_asking(attention);
        const double before = (double)seen_before(attention), after = (double)seen_after(attention);
        scores += asking < tokens ? count_first(tokens, asking, before, after)
                                  : tokens + count_side(tokens, before) + count_side(tokens, after);
    }
    return scores * (double)attention->heads;
}

// Bytes of the __local arrays in cl/attention_cpu.cl.
static size_t cpu_forward_bytes(size_t block, size_t size) { return 4 * (2 * size * block + 8 * size + 16 * block); }
static size_t cpu_backward_bytes(size_t block, size_t size)
{
    return 4 * (5 * size * block + 2 * block * block + 8 * block);
}

// The largest panel up to `block` keys whose local memory the device has and its second-level cache holds beside the
// rest; halved rather than shaved so that the texts of 64 or 128 tokens fill theirs.
static ebm_status choose_block(const ebm_device *device, size_t (*bytes)(size_t, size_t), size_t size, size_t block,
                               size_t *chosen)
{
    const uint64_t limit = 128 * 1024, local = ebm_device_info_view(device)->local_bytes;
    while (block > 16 && bytes(block, size) > (local < limit ? local : limit)) block /= 2;
    if (bytes(block, size) > local)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "attention: heads of %zu need %zu bytes of local memory, %s has %llu",
                        size, bytes(block, size), ebm_device_info_view(device)->name, (unsigned long long)local);
    *chosen = block;
    return ebm_ok();
}

static ebm_launch begin_cpu(ebm_device *device, const char *kernel, size_t block, const ebm_attention *attention)
{
    return ebm_launch_begin(device, "attention_cpu.cl", kernel,
                            "-DD=%zu -DSCALE=%.9gf -DBLOCK=%zu -DDROPOUT=%d -DKEYS=%zu", attention->head_size,
                            scale_of(attention), block, attention->dropout.probability > 0,
                            ebm_attention_longest(attention));
}

static ebm_status forward_cpu(ebm_device *device, ebm_slice out, ebm_slice lse, ebm_slice qkv, const ebm_batch *batch,
                              const ebm_attention *attention)
{
    size_t block = 0;
    EBM_TRY(choose_block(device, cpu_forward_bytes, attention->head_size, 128, &block));
    ebm_launch l = begin_cpu(device, "attention_forward", block, attention);
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, lse);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, batch->starts);
    ebm_arg_i32(&l, (int64_t)attention->heads);
    arg_view(&l, attention);
    arg_dropout(&l, attention);
    ebm_launch_cost(&l, 4.0 * count_scores(batch, attention) * (double)attention->head_size,
                    16.0 * (double)(batch->tokens * channels_of(attention)));
    return ebm_launch_grid(&l, attention->heads, batch->sequences);
}

static ebm_status backward_cpu(ebm_device *device, ebm_slice dqkv, ebm_slice dout, ebm_slice out, ebm_slice qkv,
                               ebm_slice lse, ebm_slice scratch, const ebm_batch *batch, const ebm_attention *attention)
{
    size_t block = 0;
    EBM_TRY(choose_block(device, cpu_backward_bytes, attention->head_size, 64, &block));
    ebm_launch l = begin_cpu(device, "attention_backward", block, attention);
    ebm_arg_slice(&l, dqkv);
    ebm_arg_slice(&l, scratch);
    ebm_arg_slice(&l, dout);
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, lse);
    ebm_arg_slice(&l, batch->starts);
    ebm_arg_i32(&l, (int64_t)attention->heads);
    arg_view(&l, attention);
    arg_dropout(&l, attention);
    ebm_launch_cost(&l, 10.0 * count_scores(batch, attention) * (double)attention->head_size,
                    32.0 * (double)(batch->tokens * channels_of(attention)));
    return ebm_launch_grid(&l, attention->heads, batch->sequences);
}

// Rows a work-group owns in cl/attention_gpu.h, OWN, and its items.
static size_t gpu_own(const ebm_attention *attention) { return attention->head_size <= 64 ? 32 : 16; }
static size_t gpu_items(const ebm_attention *attention) { return attention->head_size <= 64 ? 128 : 64; }

static ebm_launch begin_gpu(ebm_device *device, const char *kernel, const ebm_attention *attention)
{
    return ebm_launch_begin(device, "attention_gpu.cl", kernel, "-DD=%zu -DSCALE=%.9gf -DDROPOUT=%d -DKEYS=%zu",
                            attention->head_size, scale_of(attention), attention->dropout.probability > 0,
                            ebm_attention_longest(attention));
}

// `owned`: rows of the longest sequence that groups own. `moved`: floats read and written for each of a token's
// channels.
static ebm_status launch_gpu(ebm_launch *l, size_t owned, double flops_a_score, double moved, const ebm_batch *batch,
                             const ebm_attention *attention)
{
    const size_t blocks = (owned + gpu_own(attention) - 1) / gpu_own(attention);
    const size_t groups[2] = {attention->heads, batch->sequences * blocks}, local[2] = {gpu_items(attention), 1};
    ebm_arg_slice(l, batch->starts);
    ebm_arg_i32(l, (int64_t)attention->heads);
    ebm_arg_i32(l, (int64_t)blocks);
    arg_view(l, attention);
    arg_dropout(l, attention);
    ebm_launch_cost(l, flops_a_score * count_scores(batch, attention) * (double)attention->head_size,
                    4.0 * moved * (double)(batch->tokens * channels_of(attention)));
    return ebm_launch_groups(l, groups, local);
}

static ebm_status forward_gpu(ebm_device *device, ebm_slice out, ebm_slice lse, ebm_slice qkv, const ebm_batch *batch,
                              const ebm_attention *attention)
{
    ebm_launch l = begin_gpu(device, "attention_forward", attention);
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, lse);
    ebm_arg_slice(&l, qkv);
    const size_t asking = most_asking(attention);
    return launch_gpu(&l, batch->longest < asking ? batch->longest : asking, 4, 4, batch, attention);
}

static ebm_status backward_gpu(ebm_device *device, ebm_slice dqkv, ebm_slice dout, ebm_slice out, ebm_slice qkv,
                               ebm_slice lse, ebm_slice scratch, const ebm_batch *batch, const ebm_attention *attention)
{
    ebm_launch l = begin_gpu(device, "attention_backward_queries", attention);
    ebm_arg_slice(&l, dqkv);
    ebm_arg_slice(&l, scratch);
    ebm_arg_slice(&l, dout);
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, lse);
    EBM_TRY(launch_gpu(&l, batch->longest, 6, 6, batch, attention));
    l = begin_gpu(device, "attention_backward_keys", attention);
    ebm_arg_slice(&l, dqkv);
    ebm_arg_slice(&l, scratch);
    ebm_arg_slice(&l, dout);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, lse);
    return launch_gpu(&l, batch->longest, 8, 6, batch, attention);
}

ebm_status ebm_attention_forward(ebm_device *device, ebm_slice out, ebm_slice lse, ebm_slice qkv,
                                 const ebm_batch *batch, const ebm_attention *attention)
{
    EBM_TRY(ebm_attention_check(attention));
    EBM_TRY(check_batch(batch, ebm_attention_longest(attention)));
    EBM_TRY(check_slice("out", out, batch->tokens * channels_of(attention)));
    EBM_TRY(check_slice("lse", lse, batch->tokens * attention->heads));
    EBM_TRY(check_slice("qkv", qkv, batch->tokens * 3 * channels_of(attention)));
    if (batch->sequences == 0) return ebm_ok();
    return ebm_device_uses_cpu_kernels(device) ? forward_cpu(device, out, lse, qkv, batch, attention)
                                               : forward_gpu(device, out, lse, qkv, batch, attention);
}

ebm_status ebm_attention_backward(ebm_device *device, ebm_slice dqkv, ebm_slice dout, ebm_slice out, ebm_slice qkv,
                                  ebm_slice lse, ebm_slice scratch, const ebm_batch *batch,
                                  const ebm_attention *attention)
{
    EBM_TRY(ebm_attention_check(attention));
    EBM_TRY(check_batch(batch, ebm_attention_longest(attention)));
    EBM_TRY(check_slice("dqkv", dqkv, batch->tokens * 3 * channels_of(attention)));
    EBM_TRY(check_slice("dout", dout, batch->tokens * channels_of(attention)));
    EBM_TRY(check_slice("out", out, batch->tokens * channels_of(attention)));
    EBM_TRY(check_slice("qkv", qkv, batch->tokens * 3 * channels_of(attention)));
    EBM_TRY(check_slice("lse", lse, batch->tokens * attention->heads));
    EBM_TRY(check_slice("scratch", scratch, batch->tokens * attention->heads));
    if (batch->sequences == 0) return ebm_ok();
    return ebm_device_uses_cpu_kernels(device)
               ? backward_cpu(device, dqkv, dout, out, qkv, lse, scratch, batch, attention)
               : backward_gpu(device, dqkv, dout, out, qkv, lse, scratch, batch, attention);
}

static ebm_status check_cache(ebm_slice cache, size_t slots, size_t capacity, const ebm_attention *attention)
{
    EBM_TRY(ebm_attention_check(attention));
    if (attention->window > 0)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "attention: a cache has no window, found one of %zu", attention->window);
    if (capacity == 0 || capacity > USUAL_TOKENS)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "attention: expected a cache of 1 to %d tokens, found %zu", USUAL_TOKENS,
                        capacity);
    return check_slice("cache", cache, slots * capacity * 2 * channels_of(attention));
}

static ebm_launch begin_cache(ebm_device *device, const char *kernel, const ebm_attention *attention)
{
    return ebm_launch_begin(device, "attention_cache.cl", kernel, "-DD=%zu -DSCALE=%.9gf", attention->head_size,
                            scale_of(attention));
}

ebm_status ebm_attention_cached(ebm_device *device, ebm_slice out, ebm_slice cache, ebm_slice qkv, ebm_slice lengths,
                                size_t slots, size_t capacity, const ebm_attention *attention)
{
    EBM_TRY(check_cache(cache, slots, capacity, attention));
    EBM_TRY(check_slice("out", out, slots * channels_of(attention)));
    EBM_TRY(check_slice("qkv", qkv, slots * 3 * channels_of(attention)));
    EBM_TRY(check_slice("lengths", lengths, slots));
    if (slots == 0) return ebm_ok();
    ebm_launch l = begin_cache(device, "attention_cached", attention);
    ebm_arg_slice(&l, out);
    ebm_arg_slice(&l, cache);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, lengths);
    ebm_arg_i32(&l, (int64_t)attention->heads);
    ebm_arg_i32(&l, (int64_t)capacity);
    ebm_arg_local(&l, (capacity + 15) / 16 * 16 * sizeof(float));
    // How much of the cache is read only the device knows; the new token's part is certain.
    ebm_launch_cost(&l, 0, 24.0 * (double)(slots * channels_of(attention)));
    return ebm_launch_grid(&l, attention->heads, slots);
}

ebm_status ebm_attention_fill_cache(ebm_device *device, ebm_slice cache, ebm_slice qkv, ebm_slice slot_of,
                                    const ebm_batch *batch, size_t capacity, const ebm_attention *attention)
{
    EBM_TRY(check_cache(cache, 0, capacity, attention));
    EBM_TRY(check_batch(batch, capacity));
    EBM_TRY(check_slice("qkv", qkv, batch->tokens * 3 * channels_of(attention)));
    EBM_TRY(check_slice("slot_of", slot_of, batch->sequences));
    if (batch->sequences == 0) return ebm_ok();
    ebm_launch l = begin_cache(device, "attention_fill_cache", attention);
    ebm_arg_slice(&l, cache);
    ebm_arg_slice(&l, qkv);
    ebm_arg_slice(&l, batch->starts);
    ebm_arg_slice(&l, slot_of);
    ebm_arg_i32(&l, (int64_t)(cache.count / (capacity * 2 * channels_of(attention))));
    ebm_arg_i32(&l, (int64_t)capacity);
    ebm_arg_i32(&l, (int64_t)channels_of(attention));
    ebm_launch_cost(&l, 0, 16.0 * (double)(batch->tokens * channels_of(attention)));
    return ebm_launch_grid(&l, batch->sequences, batch->longest);
}
