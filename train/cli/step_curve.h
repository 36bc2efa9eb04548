// What a token of a training step costs (of time and, on a CPU, of processor time, which others on the machine disturb
// less), over how many tokens a step has and over how long its texts are. Attention
// grows with the length and AdamW not with the tokens at all; the rest should be flat.
//
//     EBM_TRY(ebm_step_curve_measure(device, config, directory, &settings, &curve));
//     ebm_step_curve_print(&curve);
//     ebm_step_curve_free(&curve);
#ifndef EBM_STEP_CURVE_H
#define EBM_STEP_CURVE_H

#include <jansson.h>

#include "step_benchmark.h"
#include "timing.h"

typedef struct {
    size_t sequence_length; // of the texts while the number of tokens changes
    size_t most_tokens;     // of a step: 256, 512, ... up to here
    size_t repeats;         // timed steps of each point, after one that builds kernels
    uint64_t seed;
} ebm_step_curve_settings;

typedef struct {
    size_t texts, length;
    ebm_timing seconds;          // of a step
    double processor;            // seconds of processor time of a step, all cores added; 0 where it is no CPU device
    double attention_of_flops;   // attention's share of the arithmetic, from what kernels state
    double attention, optimizer; // share of the time of one more step, by its profile
} ebm_step_point;

enum { EBM_STEP_CURVE_POINTS = 16 };
typedef struct {
    ebm_step_point points[EBM_STEP_CURVE_POINTS]; // over tokens, then over lengths at one number of tokens
    size_t over_tokens, count;
} ebm_step_curve;

// Cross-entropy on random tokens, each step in one packed batch. Lengths go from 8 up to 512, or as far as the model
// has positions. directory: weights, or NULL for random ones. Says on standard error how far it is.
ebm_status ebm_step_curve_measure(ebm_device *device, const ebm_config *config, const char *directory,
                                  const ebm_step_curve_settings *settings, ebm_step_curve *curve);
double ebm_step_point_token(const ebm_step_point *point); // seconds a token: the median step
// Of these, or of the processor's where it is known, what is neither attention's nor AdamW's.
double ebm_step_point_rest(const ebm_step_point *point);
void ebm_step_curve_print(const ebm_step_curve *curve);
json_t *ebm_step_curve_json(const ebm_step_curve *curve);

#endif
