// What several ranks that train one model do together, beside the steps themselves.
#include <stdlib.h>
#include <string.h>

#include "predict.h"
#include "rank_share.h"
#include "trainer_internal.h"

ebm_status ebm_trainer_join_ranks(ebm_trainer *t)
{
    if (ebm_rank_count(t->in.ranks) == 1) return ebm_ok();
    EBM_TRY(ebm_gradient_exchange_create(t->in.device, ebm_classifier_parameters(t->in.classifier), t->in.ranks,
                                         &t->exchange));
    return ebm_step_set_ranks(t->step, t->in.ranks, t->exchange);
}

ebm_exchange_statistics ebm_trainer_exchange(const ebm_trainer *t)
{
    return t->exchange ? ebm_gradient_exchange_statistics(t->exchange) : (ebm_exchange_statistics){0};
}

bool ebm_trainer_stop_wanted(ebm_trainer *t, ebm_status *status)
{
    double wanted = t->set.stop && *t->set.stop;
    *status = ebm_ranks_sum(t->in.ranks, &wanted, 1);
    return wanted > 0;
}

// ---- predictions

static ebm_status predict_part(ebm_trainer *t, const ebm_sequence *sequences, size_t count, float *logits,
                               float *energy)
{
    const size_t ranks = (size_t)t->in.ranks->count, rank = (size_t)t->in.ranks->rank;
    const size_t labels = ebm_classifier_config(t->in.classifier)->label_count;
    size_t *first = calloc(ranks + 1, sizeof *first);
    if (!first) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu ranks", ranks);
    ebm_status status = ebm_ok();
    ebm_share_by_tokens(sequences, count, ranks, first);
    const size_t from = first[rank];
    EBM_CHECK(ebm_predict_sequences(t->in.device, t->in.classifier, ebm_step_packing(t->step), sequences + from,
                                    first[rank + 1] - from, logits ? logits + from * labels : NULL,
                                    energy ? energy + from : NULL),
              end);
    if (logits) EBM_CHECK(ebm_ranks_share(t->in.ranks, logits, first, labels * sizeof *logits), end);
    if (energy) status = ebm_ranks_share(t->in.ranks, energy, first, sizeof *energy);
end:
    free(first);
    return status;
}

ebm_status ebm_trainer_predict_shared(ebm_trainer *t, bool energies)
{
    float *energy = energies ? t->data_energy : NULL;
    const size_t count = ebm_encoded_count(t->in.validation);
    if (ebm_rank_count(t->in.ranks) == 1)
        return ebm_predict(t->in.device, t->in.classifier, ebm_step_packing(t->step), t->in.validation, t->logits,
                           energy);
    ebm_sequence *sequences = calloc(count + 1, sizeof *sequences);
    if (!sequences) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu validation texts", count);
    for (size_t i = 0; i < count; i++) sequences[i] = ebm_encoded_sequence(t->in.validation, i);
    const ebm_status status = predict_part(t, sequences, count, t->logits, energy);
    free(sequences);
    return status;
}

ebm_status ebm_trainer_predict_noise(ebm_trainer *t)
{
    if (ebm_rank_count(t->in.ranks) > 1) return predict_part(t, t->held_noise, t->held_count, NULL, t->noise_energy);
    return ebm_predict_energies(t->in.device, t->in.classifier, ebm_step_packing(t->step), t->held_noise, t->held_count,
                                t->noise_energy);
}

// ---- weights

// FNV-1a (Fowler, Noll and Vo) over words in the place of bytes.
static uint64_t hash_words(uint64_t hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) hash = (hash ^ words[i]) * 0x100000001b3u;
    return hash;
}

ebm_status ebm_trainer_check_weights(ebm_trainer *t)
{
    enum { AT_ONCE = 1 << 18 };
    if (ebm_rank_count(t->in.ranks) == 1) return ebm_ok();
    ebm_parameters *parameters = ebm_classifier_parameters(t->in.classifier);
    uint64_t hash = 0xcbf29ce484222325u;
    uint32_t *words = malloc(AT_ONCE * sizeof *words);
    if (!words) return ebm_fail(EBM_ERROR_MEMORY, "no host memory to compare weights");
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < ebm_parameters_tensor_count(parameters); i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(parameters, i);
        for (size_t at = 0, count; at < tensor->count; at += count) {
            count = tensor->count - at < AT_ONCE ? tensor->count - at : AT_ONCE;
            EBM_CHECK(ebm_slice_read(t->in.device, tensor->weight, at, count, words), end);
            hash = hash_words(hash, words, count);
        }
    }
    status = ebm_in(ebm_ranks_same(t->in.ranks, hash, "weights"), "after step %llu", (unsigned long long)t->done);
end:
    free(words);
    return status;
}
