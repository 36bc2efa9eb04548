// What the files of the model card share: the JSON files of a model directory, and a stream for the text.
#ifndef EBM_MODEL_CARD_INTERNAL_H
#define EBM_MODEL_CARD_INTERNAL_H

#include <jansson.h>
#include <stdio.h>

#include "calibrator.h"
#include "config.h"
#include "model_directory.h"

typedef struct {
    ebm_config *config;
    ebm_model_info info;
    json_t *settings, *training, *evaluation, *roles; // NULL: no such file
    bool has_temperature;
    ebm_temperature fit;
    ebm_calibrator *calibrator; // of another method; NULL: none
    ebm_averaging averaging;    // what either is for: zeroed, the model's own outputs
} ebm_card;

ebm_status ebm_card_read(const char *directory, ebm_card *card);
void ebm_card_free(ebm_card *card);

// Values of the files, of the expected type or what is said.
const char *ebm_card_string(const json_t *object, const char *key); // NULL
double ebm_card_number(const json_t *object, const char *key);      // NaN
long long ebm_card_count(const json_t *object, const char *key);    // -1

bool ebm_card_is_joint(const ebm_card *card);
const char *ebm_card_name(const ebm_card *card);
// Options that name files or directories: of those what may be published tells the last part only.
bool ebm_card_is_path(const char *option, const char *value);

void ebm_card_front_matter(FILE *out, const ebm_card *card);
void ebm_card_settings(FILE *out, const ebm_card *card);
void ebm_card_evaluation(FILE *out, const ebm_card *card);
void ebm_card_probabilities(FILE *out, const ebm_card *card); // between the comments
void ebm_card_noise_model(FILE *out, const ebm_card *card);   // all of a noise model's body

#endif
