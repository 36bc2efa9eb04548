// The library's side of the comparisons with transformers and tokenizers: a program that the Python scripts of this
// folder call, one command a question. Files in, files out, so that neither side knows the other.
#ifndef EBM_TESTS_PROBE_H
#define EBM_TESTS_PROBE_H

#include "classifier.h"
#include "optimizer.h"
#include "packing.h"
#include "safetensors.h"

// arguments[0] is what follows the command's name; the count was checked.
typedef ebm_status probe_command(char **arguments);

probe_command probe_tokens, probe_hidden, probe_outputs, probe_gradients, probe_train;
probe_command probe_decoder, probe_decoder_gradients, probe_decoder_train, probe_generate;

// A file of sequences: I64 tensors "ids" and "lengths", and where they are there "types", "labels", "targets".
typedef struct {
    size_t count, tokens, longest;
    ebm_sequence *rows;
    int32_t *ids, *types, *labels, *targets; // NULL where the file has none
} probe_batch;
ebm_status probe_batch_read(const char *path, probe_batch *batch);
void probe_batch_free(probe_batch *batch); // zeroed is accepted

// All sequences of it, sent to the device.
ebm_status probe_batch_pack(const probe_batch *batch, ebm_packing *packing, ebm_batch *packed);

// What a command answers: tensors, written at the end. The first error sticks; finish returns it and frees everything.
typedef struct {
    const char *path;
    size_t count;
    struct {
        const char *name;
        size_t rows, columns;
        float *values;
    } tensors[8];
    ebm_status status;
} probe_answer;
// `count` elements of the slice as (rows, columns); the name is borrowed.
void probe_answer_add(probe_answer *answer, ebm_device *device, const char *name, ebm_slice slice, size_t rows,
                      size_t columns);
// The same from the host; takes `values` over.
void probe_answer_take(probe_answer *answer, const char *name, float *values, size_t rows, size_t columns);
ebm_status probe_answer_finish(probe_answer *answer, ebm_status status);

// Ten steps of training, the same on both sides (training.py); losses are printed one a line.
enum { PROBE_STEPS = 10 };
static inline ebm_adamw probe_adamw(void) { return (ebm_adamw){0.9, 0.999, 1e-8, 0.1, 1.0}; }
static inline double probe_rate(uint32_t step)
{
    const ebm_schedule schedule = {2e-3, 3, 12};
    return ebm_learning_rate_at(&schedule, step);
}

#endif
