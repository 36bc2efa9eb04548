#include "mixup_pass.h"

#include <stdlib.h>

#include "mixing.h"
#include "objective.h"

typedef struct {
    size_t first, count, tokens, first_token;
} packed; // one batch of the step

struct ebm_mixup_pass {
    ebm_device *device;
    ebm_classifier *classifier;
    ebm_packing *packing;
    ebm_mixup set;
    size_t most, channels, label_count;
    ebm_slice vectors, d_vectors, mixed, d_mixed; // (most, C)
    ebm_slice labels, cross_entropy, label_loss;  // (most)
    ebm_slice logits;                             // (most, Y), of the unmixed texts
    ebm_slice partners, starts, users;
    // The same on the host, and what partners are chosen by.
    int32_t *chosen, *other_chosen, *host_starts, *host_users;
    float *saliency, *host_logits;
    packed *batches;
};

static ebm_status allocate_host(ebm_mixup_pass *p)
{
    const bool salient = p->set.kind == EBM_MIXUP_AUM;
    p->chosen = calloc(p->most, sizeof *p->chosen);
    p->other_chosen = calloc(p->most, sizeof *p->other_chosen);
    p->host_starts = calloc(p->most + 1, sizeof *p->host_starts);
    p->host_users = calloc(p->most, sizeof *p->host_users);
    p->saliency = calloc(salient ? p->most * p->channels : 1, sizeof *p->saliency);
    p->host_logits = calloc(salient ? p->most * p->label_count : 1, sizeof *p->host_logits);
    p->batches = calloc(p->most, sizeof *p->batches);
    if (p->chosen && p->other_chosen && p->host_starts && p->host_users && p->saliency && p->host_logits && p->batches)
        return ebm_ok();
    return ebm_fail(EBM_ERROR_MEMORY, "no host memory for mixup");
}

static void plan(ebm_mixup_pass *p, ebm_arena *arena)
{
    const size_t n = p->most, C = p->channels;
    ebm_arena_reserve(arena, &p->vectors, n * C);
    ebm_arena_reserve(arena, &p->d_vectors, n * C);
    ebm_arena_reserve(arena, &p->mixed, n * C);
    ebm_arena_reserve(arena, &p->d_mixed, n * C);
    ebm_arena_reserve(arena, &p->labels, n);
    ebm_arena_reserve(arena, &p->cross_entropy, n);
    ebm_arena_reserve(arena, &p->label_loss, n);
    ebm_arena_reserve(arena, &p->logits, n * p->label_count);
    ebm_arena_reserve(arena, &p->partners, n);
    ebm_arena_reserve(arena, &p->starts, n + 1);
    ebm_arena_reserve(arena, &p->users, n);
}

ebm_status ebm_mixup_pass_create(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                 const ebm_mixup *mixup, const ebm_limits *limits, ebm_arena *arena,
                                 ebm_mixup_pass **out)
{
    *out = NULL;
    EBM_TRY(ebm_mixup_check(mixup));
    ebm_mixup_pass *p = calloc(1, sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for mixup");
    p->device = device;
    p->classifier = classifier;
    p->packing = packing;
    p->set = *mixup;
    p->most = limits->sequences;
    p->channels = ebm_classifier_config(classifier)->hidden;
    p->label_count = ebm_classifier_config(classifier)->label_count;
    const ebm_status status = allocate_host(p);
    if (status.code != EBM_OK) {
        ebm_mixup_pass_free(p);
        return status;
    }
    plan(p, arena);
    *out = p;
    return ebm_ok();
}

void ebm_mixup_pass_free(ebm_mixup_pass *p)
{
    if (!p) return;
    free(p->chosen);
    free(p->other_chosen);
    free(p->host_starts);
    free(p->host_users);
    free(p->saliency);
    free(p->host_logits);
    free(p->batches);
    free(p);
}

// ---- the encoder

// Packs texts from `first` on until the budget is full.
static ebm_status pack(ebm_mixup_pass *p, const ebm_mixup_texts *t, size_t first, size_t first_token, ebm_batch *batch)
{
    ebm_packing_clear(p->packing, first_token, first);
    bool fits = true;
    for (size_t i = first; i < t->count; i++) {
        EBM_TRY(ebm_packing_add(p->packing, t->texts[i], &fits));
        if (!fits) break;
    }
    return ebm_packing_send(p->packing, batch);
}

static ebm_status encode_all(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run, ebm_mixup_result *result,
                             ebm_batch *last)
{
    const size_t C = p->channels;
    for (size_t first = 0; first < t->count; result->batches++) {
        packed *b = &p->batches[result->batches];
        EBM_TRY(pack(p, t, first, result->tokens, last));
        EBM_TRY(ebm_classifier_pool_forward(p->classifier, last, run));
        EBM_TRY(ebm_slice_copy(p->device, p->vectors, first * C, ebm_classifier_pooled(p->classifier), 0,
                               last->sequences * C));
        *b = (packed){first, last->sequences, last->tokens, result->tokens};
        first += b->count;
        result->tokens += b->tokens;
    }
    return ebm_ok();
}

static ebm_status encode_backward(ebm_mixup_pass *p, const packed *b, const ebm_batch *batch, const ebm_run *run)
{
    const size_t C = p->channels;
    EBM_TRY(ebm_slice_copy(p->device, ebm_classifier_pooled_gradient(p->classifier), 0, p->d_vectors, b->first * C,
                           b->count * C));
    return ebm_classifier_pool_backward(p->classifier, batch, run);
}

static ebm_status encode_all_backward(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run, size_t batches,
                                      ebm_batch *last)
{
    EBM_TRY(encode_backward(p, &p->batches[batches - 1], last, run));
    for (size_t i = 0; i + 1 < batches; i++) {
        ebm_batch again;
        EBM_TRY(pack(p, t, p->batches[i].first, p->batches[i].first_token, &again));
        EBM_TRY(ebm_classifier_pool_forward(p->classifier, &again, run));
        EBM_TRY(encode_backward(p, &p->batches[i], &again, run));
    }
    return ebm_ok();
}

// ---- the head

// The labelled texts as one batch for the head, which reads no tokens. first keys its dropout.
static ebm_batch rows_of(const ebm_mixup_texts *t, size_t first)
{
    const ebm_batch rows = {.sequences = t->count, .first_sequence = first};
    return rows;
}

// Of the unmixed texts: logits and cross-entropy; the gradient of `weight` times it in the head.
static ebm_status plain_forward(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run, float weight)
{
    const ebm_batch rows = rows_of(t, 0);
    const ebm_slice logits = ebm_classifier_logits(p->classifier);
    EBM_TRY(ebm_slice_write(p->device, p->labels, 0, t->count, t->labels));
    EBM_TRY(ebm_classifier_head_forward(p->classifier, p->vectors, &rows, run));
    EBM_TRY(ebm_slice_copy(p->device, p->logits, 0, logits, 0, t->count * p->label_count));
    return ebm_cross_entropy(p->device, p->cross_entropy, ebm_classifier_logits_gradient(p->classifier), logits,
                             p->labels, p->label_count, (ebm_rows){0, t->count}, t->count, weight);
}

// One mixed pass, forward and backward down to the texts' own vectors. place: 1, 2, ...: the pass of the head it is.
static ebm_status mixed_pass(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run, const int32_t *chosen,
                             float lambda, size_t place, float keep, float weight)
{
    const size_t n = t->count, C = p->channels;
    const ebm_batch rows = rows_of(t, place * t->step_rows);
    const ebm_mixing mixing = {p->partners, p->starts, p->users, lambda, n};
    const ebm_mixed_loss_rows loss = {.loss = p->label_loss,
                                      .dlogits = ebm_classifier_logits_gradient(p->classifier),
                                      .before = place == 1 ? p->cross_entropy : p->label_loss,
                                      .logits = ebm_classifier_logits(p->classifier),
                                      .labels = p->labels,
                                      .label_count = p->label_count,
                                      .keep = keep,
                                      .weight = weight};
    ebm_mixup_users(chosen, n, p->host_starts, p->host_users);
    EBM_TRY(ebm_slice_write(p->device, p->partners, 0, n, chosen));
    EBM_TRY(ebm_slice_write(p->device, p->starts, 0, n + 1, p->host_starts));
    EBM_TRY(ebm_slice_write(p->device, p->users, 0, n, p->host_users));
    EBM_TRY(ebm_mix_forward(p->device, p->mixed, p->vectors, &mixing, C));
    EBM_TRY(ebm_classifier_head_forward(p->classifier, p->mixed, &rows, run));
    EBM_TRY(ebm_mixed_loss(p->device, &loss, &mixing));
    EBM_TRY(ebm_slice_zero(p->device, p->d_mixed, 0, n * C));
    EBM_TRY(ebm_classifier_head_backward(p->classifier, p->d_mixed, &rows, run));
    return ebm_mix_backward(p->device, p->d_vectors, p->d_mixed, &mixing, C);
}

static ebm_status random_head(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run)
{
    ebm_random stream = ebm_random_stream(run->seed, run->step, EBM_SITE_MIXUP);
    const float lambda = (float)ebm_mixup_lambda(&stream, (double)p->set.alpha);
    ebm_mixup_random_partners(&stream, t->count, p->chosen);
    EBM_TRY(plain_forward(p, t, run, 0));
    return mixed_pass(p, t, run, p->chosen, lambda, 1, 0, 1);
}

static ebm_status choose_partners(ebm_mixup_pass *p, const ebm_mixup_texts *t)
{
    EBM_TRY(ebm_slice_read(p->device, p->d_vectors, 0, t->count * p->channels, p->saliency));
    return ebm_mixup_salient_partners(p->saliency, t->hard, t->count, p->channels, p->chosen, p->other_chosen);
}

static ebm_status salient_head(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run)
{
    const ebm_batch rows = rows_of(t, 0);
    ebm_random stream = ebm_random_stream(run->seed, run->step, EBM_SITE_MIXUP);
    const float lambda = (float)ebm_mixup_lambda(&stream, (double)p->set.alpha);
    EBM_TRY(plain_forward(p, t, run, t->hard ? EBM_MIXUP_OWN : 1));
    EBM_TRY(ebm_classifier_head_backward(p->classifier, p->d_vectors, &rows, run));
    if (t->margins) {
        EBM_TRY(ebm_slice_read(p->device, p->logits, 0, t->count * p->label_count, p->host_logits));
        ebm_mixup_margins(p->host_logits, t->labels, t->count, p->label_count, t->margins);
    }
    if (!t->hard) return ebm_slice_copy(p->device, p->label_loss, 0, p->cross_entropy, 0, t->count);
    EBM_TRY(choose_partners(p, t));
    EBM_TRY(mixed_pass(p, t, run, p->chosen, lambda, 1, EBM_MIXUP_OWN, EBM_MIXUP_SIMILAR));
    return mixed_pass(p, t, run, p->other_chosen, lambda, 2, 1, EBM_MIXUP_DISSIMILAR);
}

ebm_status ebm_mixup_pass_run(ebm_mixup_pass *p, const ebm_mixup_texts *t, const ebm_run *run, ebm_mixup_result *result)
{
    ebm_batch last = {0};
    if (t->count == 0 || t->count > p->most)
        return ebm_fail(EBM_ERROR_INPUT, "mixup of %zu texts: from 1 to %zu a step expected", t->count, p->most);
    *result = (ebm_mixup_result){
        .labels = p->labels, .cross_entropy = p->cross_entropy, .label_loss = p->label_loss, .logits = p->logits};
    EBM_TRY(encode_all(p, t, run, result, &last));
    EBM_TRY(ebm_slice_zero(p->device, p->d_vectors, 0, t->count * p->channels));
    EBM_TRY(p->set.kind == EBM_MIXUP_AUM ? salient_head(p, t, run) : random_head(p, t, run));
    return encode_all_backward(p, t, run, result->batches, &last);
}
