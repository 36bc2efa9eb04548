#include "masking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

// Words of the stream set aside for each text: more than twice what the longest can take, rejected draws included.
enum { WORDS_OF_TEXT = 20 }; // bits

struct ebm_masking {
    const ebm_tokenizer *tokenizer;
    double probability;
    uint64_t seed;
    size_t most_positions;
    int32_t mask, vocabulary;
    size_t tokens, texts;  // what there is room for
    int32_t *ids, *target; // tokens
    ebm_sequence *sequence;
    const int32_t **targets;
    size_t *masked;
};

ebm_status ebm_masking_create(const ebm_tokenizer *tokenizer, double probability, uint64_t seed, size_t most_positions,
                              ebm_masking **out)
{
    *out = NULL;
    if (!(probability > 0 && probability <= 1))
        return ebm_fail(EBM_ERROR_INPUT, "probability of masking: above 0, at most 1 expected, found %g", probability);
    const int32_t mask = ebm_tokenizer_special(tokenizer, EBM_TOKEN_MASK);
    if (mask < 0) return ebm_fail(EBM_ERROR_INPUT, "masked language modelling: the tokenizer has no mask token");
    ebm_masking *m = calloc(1, sizeof *m);
    if (!m) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for masking");
    m->tokenizer = tokenizer;
    m->probability = probability;
    m->seed = seed;
    m->most_positions = most_positions;
    m->mask = mask;
    m->vocabulary = (int32_t)ebm_tokenizer_size(tokenizer);
    *out = m;
    return ebm_ok();
}

static void release(ebm_masking *m)
{
    free(m->ids);
    free(m->target);
    free(m->sequence);
    free(m->targets);
    free(m->masked);
    m->ids = m->target = NULL;
    m->sequence = NULL;
    m->targets = NULL;
    m->masked = NULL;
    m->tokens = m->texts = 0;
}

void ebm_masking_free(ebm_masking *m)
{
    if (!m) return;
    release(m);
    free(m);
}

static ebm_status reserve(ebm_masking *m, size_t tokens, size_t texts)
{
    if (tokens <= m->tokens && texts <= m->texts) return ebm_ok();
    release(m);
    m->ids = calloc(2 * tokens, sizeof *m->ids);
    m->target = calloc(2 * tokens, sizeof *m->target);
    m->sequence = calloc(2 * texts, sizeof *m->sequence);
    m->targets = calloc(2 * texts, sizeof *m->targets);
    m->masked = calloc(2 * texts, sizeof *m->masked);
    if (!m->ids || !m->target || !m->sequence || !m->targets || !m->masked)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu masked texts", texts);
    m->tokens = 2 * tokens;
    m->texts = 2 * texts;
    return ebm_ok();
}

static int32_t replacement(const ebm_masking *m, ebm_random *random, int32_t id)
{
    const double u = ebm_random_uniform(random);
    if (u < 0.8) return m->mask;
    return u < 0.9 ? (int32_t)ebm_random_below(random, (uint32_t)m->vocabulary) : id;
}

// How many tokens were chosen.
static size_t mask_text(const ebm_masking *m, ebm_random *random, ebm_sequence text, int32_t *ids, int32_t *target)
{
    size_t chosen = 0;
    for (size_t i = 0; i < text.count; i++) {
        const bool may = !ebm_tokenizer_is_special(m->tokenizer, text.ids[i]);
        const bool is = may && ebm_random_uniform(random) < m->probability;
        ids[i] = is ? replacement(m, random, text.ids[i]) : text.ids[i];
        target[i] = is ? text.ids[i] : -1;
        chosen += is;
    }
    return chosen;
}

ebm_status ebm_masking_draw(ebm_masking *m, const ebm_sequence *texts, size_t count, uint32_t step,
                            ebm_masked_texts *out)
{
    size_t tokens = 0, at = 0;
    for (size_t i = 0; i < count; i++) tokens += texts[i].count;
    EBM_TRY(reserve(m, tokens + 1, count + 1));
    *out = (ebm_masked_texts){m->sequence, m->targets, m->masked, 0, 0, m->most_positions};
    for (size_t i = 0; i < count; i++) {
        ebm_random random = ebm_random_stream(m->seed, step, EBM_SITE_MLM);
        random.next = (uint64_t)i << WORDS_OF_TEXT;
        const size_t chosen = mask_text(m, &random, texts[i], m->ids + at, m->target + at);
        if (chosen == 0) continue;
        m->sequence[out->count] = (ebm_sequence){m->ids + at, texts[i].types, texts[i].count};
        m->targets[out->count] = m->target + at;
        m->masked[out->count++] = chosen;
        out->positions += chosen;
        at += texts[i].count;
    }
    return ebm_ok();
}

size_t ebm_masking_positions(size_t tokens, size_t longest, double probability)
{
    const double expected = (double)tokens * probability, spread = 5 * sqrt(expected * (1 - probability));
    const size_t enough = (size_t)ceil(expected + spread), least = longest < tokens ? longest : tokens;
    return enough < least ? least : enough < tokens ? enough : tokens;
}
