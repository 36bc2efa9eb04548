// What training starts from: a model directory's config, tokenizer and weights, and a noise model where one is needed.
#ifndef EBM_MODEL_SOURCE_H
#define EBM_MODEL_SOURCE_H

#include "config.h"
#include "dataset.h"
#include "noise_options.h"
#include "noise_stream.h"
#include "status.h"

// config.json of a model directory with the labels of a data set. A checkpoint's own label names are kept when the data
// has the same number and only ids ("0", "1").
ebm_status ebm_program_config(const char *directory, const ebm_labels *labels, ebm_config **config);

// The noise of a joint run: a file of texts, a model that generates them, or the training texts, changed.
typedef struct {
    ebm_noise_stream *stream;
    ebm_noise_model *model;  // NULL unless it comes from one
    ebm_masked_lm *mlm;      // likewise
    ebm_dataset *texts;      // NULL unless it comes from a file
    double mask_probability; // in force
} ebm_program_noise;

typedef struct {
    const ebm_noise_options *set; // resolved
    const ebm_dataset *training;
    const ebm_tokenizer *encoder; // may be NULL where texts are only written, not from a model
    size_t max_length;
    uint64_t seed;
} ebm_program_noise_settings;

ebm_status ebm_program_noise_open(ebm_device *device, const ebm_program_noise_settings *settings,
                                  ebm_program_noise *noise);
enum { EBM_PROGRAM_NOISE_ARENAS = EBM_MASKED_LM_ARENAS + 1 };
_Static_assert((int)EBM_MASKED_LM_ARENAS >= (int)EBM_NOISE_MODEL_ARENAS, "room for the arenas of either model");
size_t ebm_program_noise_arenas(ebm_program_noise *noise, ebm_arena *arenas[EBM_PROGRAM_NOISE_ARENAS]);
ebm_status ebm_program_noise_allocate(ebm_program_noise *noise);
void ebm_program_noise_free(ebm_program_noise *noise);

#endif
