// A task of a few dozen words that a small model learns in seconds, noise for it, and a noise model over its words.
//
//     ebm_tokenizer *tokenizer = small_tokenizer(false);
//     ebm_dataset *train = small_texts(SMALL_SINGLE, 80, 1);       // "the nice dog sees a cat": good
#ifndef EBM_TESTS_SMALL_TASK_H
#define EBM_TESTS_SMALL_TASK_H

#include "dataset.h"
#include "noise_stream.h"
#include "noise_trainer.h"

typedef enum { SMALL_SINGLE, SMALL_PAIRS } small_kind;

// WordPiece over whole words; with_spare adds one word at the end that no text has.
ebm_tokenizer *small_tokenizer(bool with_spare);
// Labels bad and good, told by the adjective. A seed names the texts; their order mixes the labels.
ebm_dataset *small_texts(small_kind kind, size_t count, uint32_t seed);
// Texts of the same length with words that no text of the task has, and no grammar.
ebm_dataset *small_easy_noise(small_kind kind, size_t count, uint32_t seed);

// A noise model with its trainer; `held_out` and `phase` as ebm_noise_trainer_run takes them.
typedef struct {
    ebm_noise_model *model;
    ebm_noise_trainer *trainer;
    ebm_noise_texts *texts, *held_out;
} small_noise_training;
void small_noise_training_open(small_noise_training *n, ebm_device *device, ebm_tokenizer *tokenizer,
                               const ebm_dataset *texts, const ebm_dataset *held_out,
                               const ebm_noise_trainer_settings *settings); // takes the tokenizer over
void small_noise_training_free(small_noise_training *n);
ebm_noise_trainer_settings small_noise_settings(void);
// Trains one on the task's texts for a second or so and writes it into a directory, which must exist.
void small_noise_model_make(ebm_device *device, small_kind kind, bool with_spare, const char *directory);

// A noise model opened for generation, and a stream of its samples.
typedef struct {
    ebm_noise_model *model;
    ebm_noise_stream *stream;
} small_stream;
enum { SMALL_SLOTS = 64, SMALL_CAPACITY = EBM_NOISE_MAX_PREFIX + 1 + 24 }; // texts of up to 23 tokens
// `change`, which may be NULL, may alter the source before the stream is made.
void small_stream_open(small_stream *s, ebm_device *device, const char *directory, const ebm_dataset *training,
                       const ebm_tokenizer *encoder, uint64_t seed, void (*change)(ebm_noise_source *source));
size_t small_stream_arenas(small_stream *s, ebm_arena **arenas); // at most EBM_NOISE_MODEL_ARENAS + 1
void small_stream_allocate(small_stream *s);
void small_stream_free(small_stream *s);

#endif
