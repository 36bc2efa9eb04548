#include "packing.h"

#include <stdlib.h>

struct ebm_packing {
    ebm_device *device;
    const ebm_config *config;
    ebm_limits limits;
    int32_t *ids, *positions, *types, *starts; // host, as large as the limits
    ebm_batch batch;
};

ebm_status ebm_packing_create(ebm_device *device, const ebm_config *config, const ebm_limits *limits, ebm_arena *arena,
                              ebm_packing **out)
{
    ebm_packing *p = calloc(1, sizeof *p);
    *out = p;
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a batch");
    p->device = device;
    p->config = config;
    p->limits = *limits;
    int32_t *all = calloc(3 * limits->tokens + limits->sequences + 1, sizeof *all);
    if (!all) {
        ebm_packing_free(p);
        *out = NULL;
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a batch of %zu tokens", limits->tokens);
    }
    p->ids = all;
    p->positions = all + limits->tokens;
    p->types = all + 2 * limits->tokens;
    p->starts = all + 3 * limits->tokens;
    ebm_arena_reserve(arena, &p->batch.ids, limits->tokens);
    ebm_arena_reserve(arena, &p->batch.positions, limits->tokens);
    ebm_arena_reserve(arena, &p->batch.types, config->type_vocabulary ? limits->tokens : 0);
    ebm_arena_reserve(arena, &p->batch.starts, limits->sequences + 1);
    return ebm_ok();
}

void ebm_packing_free(ebm_packing *p)
{
    if (!p) return;
    free(p->ids);
    free(p);
}

void ebm_packing_clear(ebm_packing *p, uint64_t first_token, uint64_t first_sequence)
{
    p->batch.tokens = p->batch.sequences = p->batch.longest = 0;
    p->batch.first_token = first_token;
    p->batch.first_sequence = first_sequence;
}

static ebm_status check(const ebm_packing *p, ebm_sequence s)
{
    const ebm_config *c = p->config;
    if (s.count == 0) return ebm_fail(EBM_ERROR_INPUT, "a sequence without tokens cannot be packed");
    if (s.count > p->limits.tokens)
        return ebm_fail(EBM_ERROR_INPUT, "a sequence of %zu tokens does not fit a token budget of %zu", s.count,
                        p->limits.tokens);
    if (s.count > ebm_config_max_tokens(c))
        return ebm_fail(EBM_ERROR_INPUT, "a sequence of %zu tokens, the model has positions for %zu", s.count,
                        ebm_config_max_tokens(c));
    for (size_t i = 0; i < s.count; i++) {
        if (s.ids[i] < 0 || (size_t)s.ids[i] >= c->vocabulary)
            return ebm_fail(EBM_ERROR_INPUT, "token id %d, the model's vocabulary has %zu", (int)s.ids[i],
                            c->vocabulary);
        if (s.types && c->type_vocabulary && (s.types[i] < 0 || (size_t)s.types[i] >= c->type_vocabulary))
            return ebm_fail(EBM_ERROR_INPUT, "token type %d, the model has %zu", (int)s.types[i], c->type_vocabulary);
    }
    return ebm_ok();
}

ebm_status ebm_packing_add(ebm_packing *p, ebm_sequence s, bool *fits)
{
    EBM_TRY(check(p, s));
    ebm_batch *b = &p->batch;
    *fits = b->tokens + s.count <= p->limits.tokens && b->sequences < p->limits.sequences;
    if (!*fits) return ebm_ok();
    p->starts[b->sequences++] = (int32_t)b->tokens;
    for (size_t i = 0; i < s.count; i++) {
        p->ids[b->tokens + i] = s.ids[i];
        p->positions[b->tokens + i] = (int32_t)(p->config->position_offset + i);
        p->types[b->tokens + i] = s.types ? s.types[i] : 0;
    }
    b->tokens += s.count;
    p->starts[b->sequences] = (int32_t)b->tokens;
    if (s.count > b->longest) b->longest = s.count;
    return ebm_ok();
}

ebm_status ebm_packing_send(ebm_packing *p, ebm_batch *batch)
{
    const size_t T = p->batch.tokens;
    if (p->batch.sequences == 0) return ebm_fail(EBM_ERROR_INPUT, "an empty batch cannot be sent");
    EBM_TRY(ebm_slice_write(p->device, p->batch.ids, 0, T, p->ids));
    EBM_TRY(ebm_slice_write(p->device, p->batch.positions, 0, T, p->positions));
    if (p->batch.types.count > 0) EBM_TRY(ebm_slice_write(p->device, p->batch.types, 0, T, p->types));
    EBM_TRY(ebm_slice_write(p->device, p->batch.starts, 0, p->batch.sequences + 1, p->starts));
    *batch = p->batch;
    batch->host_starts = p->starts;
    return ebm_ok();
}

size_t ebm_packing_tokens(const ebm_packing *p) { return p->batch.tokens; }
size_t ebm_packing_sequences(const ebm_packing *p) { return p->batch.sequences; }
