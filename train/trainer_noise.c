// What the written model says of the noise that was kept out of training.
#include <stdlib.h>
#include <string.h>

#include "predict.h"
#include "trainer_internal.h"

ebm_status ebm_trainer_load_written(ebm_trainer *t)
{
    if (!t->has_best || t->best.step == t->done) return ebm_ok();
    return ebm_classifier_load(t->in.classifier, t->set.output_dir, NULL);
}

// A pair's texts part at the first separator; what is behind the one of a single text has no token but special ones.
static ebm_status decode(const ebm_trainer *t, const ebm_sequence *s, char **text, char **text_pair)
{
    const int32_t separator = ebm_tokenizer_special(t->in.tokenizer, EBM_TOKEN_SEP);
    size_t first = 1; // RoBERTa's <s> and BERT's [CLS] are another token, but not every tokenizer has one
    while (first < s->count && s->ids[first] != separator) first++;
    if (first > s->count) first = s->count;
    EBM_TRY(ebm_tokenizer_decode(t->in.tokenizer, s->ids, first, true, text));
    EBM_TRY(ebm_tokenizer_decode(t->in.tokenizer, s->ids + first, s->count - first, true, text_pair));
    if (!(*text_pair)[0]) {
        free(*text_pair);
        *text_pair = NULL;
    }
    return ebm_ok();
}

static ebm_status allocate(ebm_trainer_noise *n, size_t count, size_t labels)
{
    n->logits = calloc(count * labels, sizeof *n->logits);
    n->energy = calloc(count, sizeof *n->energy);
    n->text = calloc(count, sizeof *n->text);
    n->text_pair = calloc(count, sizeof *n->text_pair);
    if (!n->logits || !n->energy || !n->text || !n->text_pair)
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the predictions of %zu noise texts", count);
    n->rows = (ebm_predictions){.count = count, .labels = (int)labels, .logits = n->logits, .energy = n->energy};
    return ebm_ok();
}

ebm_status ebm_trainer_noise_predictions(ebm_trainer *t, ebm_trainer_noise *noise)
{
    ebm_status status = ebm_ok();
    *noise = (ebm_trainer_noise){0};
    if (t->held_count == 0) return status;
    EBM_TRY(ebm_trainer_load_written(t));
    EBM_CHECK(allocate(noise, t->held_count, ebm_classifier_config(t->in.classifier)->label_count), end);
    EBM_CHECK(ebm_predict_sequences(t->in.device, t->in.classifier, ebm_step_packing(t->step), t->held_noise,
                                    t->held_count, noise->logits, noise->energy),
              end);
    for (size_t i = 0; i < t->held_count; i++)
        EBM_CHECK(decode(t, &t->held_noise[i], &noise->text[i], &noise->text_pair[i]), end);
end:
    if (status.code != EBM_OK) ebm_trainer_noise_free(noise);
    return status;
}

void ebm_trainer_noise_free(ebm_trainer_noise *noise)
{
    for (size_t i = 0; noise->text && i < noise->rows.count; i++) free(noise->text[i]);
    for (size_t i = 0; noise->text_pair && i < noise->rows.count; i++) free(noise->text_pair[i]);
    free(noise->logits);
    free(noise->energy);
    free(noise->text);
    free(noise->text_pair);
    *noise = (ebm_trainer_noise){0};
}
