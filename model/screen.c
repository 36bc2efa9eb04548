#include "screen.h"

#include <stdlib.h>

#include "known_answer.h"
#include "processor.h"
#include "sampling_internal.h"

enum { LANES = 16, BYTES = 4, TOKEN_BLOCKS = 24 }; // a work-group's 384 tokens: a multiple of the register tile's 48

struct ebm_screen {
    ebm_device *device;
    size_t slots, vocabulary, channels, blocks; // blocks of LANES tokens
    ebm_slice packed, steps, norms;             // of the vocabulary
    ebm_slice rows, row_steps, row_norms, row_starts, scores;
    ebm_slice word; // borrowed
};

bool ebm_screen_is_possible(ebm_device *device, size_t channels)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    return info->is_cpu && ebm_device_uses_cpu_kernels(device) && ebm_device_lanes(device) == LANES &&
           channels % LANES == 0 && ebm_processor_has_vnni() && ebm_device_takes_assembly(device);
}

static void plan(ebm_screen *s, ebm_arena *arena)
{
    const size_t words = s->channels / BYTES;
    ebm_arena_reserve(arena, &s->packed, s->blocks * LANES * words);
    ebm_arena_reserve(arena, &s->steps, s->blocks * LANES);
    ebm_arena_reserve(arena, &s->norms, s->blocks * LANES);
    ebm_arena_reserve(arena, &s->rows, s->slots * words);
    ebm_arena_reserve(arena, &s->row_steps, s->slots);
    ebm_arena_reserve(arena, &s->row_norms, s->slots);
    ebm_arena_reserve(arena, &s->row_starts, s->slots);
    ebm_arena_reserve(arena, &s->scores, s->slots * s->blocks * LANES);
}

ebm_status ebm_screen_create(ebm_device *device, ebm_arena *arena, size_t slots, size_t vocabulary, size_t channels,
                             ebm_screen **out)
{
    *out = NULL;
    if (slots == 0 || vocabulary == 0 || channels == 0 || channels % LANES != 0)
        return ebm_fail(EBM_ERROR_INPUT, "screening of %zu slots, %zu tokens and %zu channels, a multiple of 16", slots,
                        vocabulary, channels);
    ebm_screen *s = calloc(1, sizeof *s);
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for screening");
    s->device = device;
    s->slots = slots;
    s->vocabulary = vocabulary;
    s->channels = channels;
    s->blocks = (vocabulary + LANES - 1) / LANES;
    plan(s, arena);
    *out = s;
    return ebm_ok();
}

void ebm_screen_free(ebm_screen *s) { free(s); }

ebm_status ebm_screen_take(ebm_screen *s, ebm_slice word)
{
    const double elements = (double)s->vocabulary * (double)s->channels;
    if (word.count != s->vocabulary * s->channels)
        return ebm_fail(EBM_ERROR_INPUT, "screening: %zu elements for %zu tokens of %zu channels", word.count,
                        s->vocabulary, s->channels);
    s->word = word;
    ebm_launch l = ebm_launch_begin(s->device, "screen.cl", "screen_pack", "-DTOKEN_BLOCKS=%d", (int)TOKEN_BLOCKS);
    ebm_arg_slice(&l, s->packed);
    ebm_arg_slice(&l, s->steps);
    ebm_arg_slice(&l, s->norms);
    ebm_arg_slice(&l, word);
    ebm_arg_i32(&l, (int64_t)s->vocabulary);
    ebm_arg_i32(&l, (int64_t)s->channels);
    ebm_launch_cost(&l, 0, (sizeof(float) + 1) * elements);
    return ebm_launch_rows(&l, s->blocks);
}

static ebm_status round_rows(ebm_screen *s, ebm_slice hidden)
{
    ebm_launch l = ebm_launch_begin(s->device, "screen.cl", "screen_rows", "-DTOKEN_BLOCKS=%d", (int)TOKEN_BLOCKS);
    ebm_arg_slice(&l, s->rows);
    ebm_arg_slice(&l, s->row_steps);
    ebm_arg_slice(&l, s->row_norms);
    ebm_arg_slice(&l, s->row_starts);
    ebm_arg_slice(&l, hidden);
    ebm_arg_i32(&l, (int64_t)s->channels);
    ebm_launch_cost(&l, 0, (sizeof(float) + 1) * (double)(s->slots * s->channels));
    return ebm_launch_rows(&l, s->slots);
}

static ebm_status score(ebm_screen *s)
{
    const double tokens = (double)s->blocks * LANES, slots = (double)s->slots, channels = (double)s->channels;
    ebm_launch l = ebm_launch_begin(s->device, "screen.cl", "screen_scores", "-DTOKEN_BLOCKS=%d", (int)TOKEN_BLOCKS);
    const ebm_slice slices[] = {s->scores, s->packed,    s->steps,     s->norms,
                                s->rows,   s->row_steps, s->row_norms, s->row_starts};
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) ebm_arg_slice(&l, slices[i]);
    ebm_arg_i32(&l, (int64_t)s->slots);
    ebm_arg_i32(&l, (int64_t)s->blocks);
    ebm_arg_i32(&l, (int64_t)s->channels);
    ebm_launch_cost(&l, 2 * slots * tokens * channels, tokens * channels + sizeof(float) * slots * tokens);
    return ebm_launch_rows(&l, (s->blocks + TOKEN_BLOCKS - 1) / TOKEN_BLOCKS);
}

static ebm_status draw(ebm_screen *s, ebm_slice next, ebm_slice hidden, ebm_slice texts, ebm_slice positions,
                       const ebm_sampling *sampling)
{
    const size_t stride = s->blocks * LANES;
    ebm_launch l = ebm_launch_begin(s->device, "sample_screened.cl", "sample_screened", "-DTOP_K=%d", sampling->top_k);
    const ebm_slice slices[] = {next, s->scores, hidden, s->word, texts, positions, sampling->banned};
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) ebm_arg_slice(&l, slices[i]);
    ebm_arg_i32(&l, (int64_t)s->vocabulary);
    ebm_arg_i32(&l, (int64_t)stride);
    ebm_arg_i32(&l, (int64_t)s->channels);
    ebm_sampling_arguments(&l, sampling);
    ebm_launch_cost(&l, 0, 2 * sizeof(float) * (double)(s->slots * stride));
    return ebm_launch_rows(&l, s->slots);
}

ebm_status ebm_screen_sample(ebm_screen *s, ebm_slice next, ebm_slice hidden, ebm_slice texts, ebm_slice positions,
                             const ebm_sampling *sampling)
{
    EBM_TRY(ebm_sampling_check(next, texts, positions, s->slots, s->vocabulary, sampling));
    if (sampling->top_k == 0) return ebm_fail(EBM_ERROR_INPUT, "screening needs a top k of 1 at least");
    if (s->word.count == 0 || hidden.count < s->slots * s->channels)
        return ebm_fail(EBM_ERROR_INPUT, "screening: %zu elements of hidden states for %zu slots of %zu, %s",
                        hidden.count, s->slots, s->channels, s->word.count ? "embedding taken" : "no embedding taken");
    EBM_TRY(round_rows(s, hidden));
    EBM_TRY(score(s));
    return draw(s, next, hidden, texts, positions, sampling);
}
