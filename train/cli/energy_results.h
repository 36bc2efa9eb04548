// What ebmcl energies has measured, and how it is shown.
#ifndef EBM_ENERGY_RESULTS_H
#define EBM_ENERGY_RESULTS_H

#include <jansson.h>

#include "correlation.h"
#include "energies.h"
#include "energy_texts.h"
#include "importance.h"
#include "judge.h"

enum { ENERGY_BETAS_MOST = 32 };

typedef struct {
    energy_texts texts;
    ebm_energy_summary summary;
    ebm_correlation with_entropy;
    ebm_detection from_data[ENERGY_SCORES]; // not of the data themselves
    double posterior;                       // mean of sigmoid(-E - ln K), the discriminator's P(data | x)
    bool is_judged;
    ebm_perplexity perplexity;
} energy_set;

// Noise that was accepted at one beta. Its energies are lower by construction.
typedef struct {
    double beta;
    bool *keep; // of each noise text
    size_t count;
    double mean_energy, taken_for_data, posterior; // taken_for_data: the share with E < 0, ties half
    ebm_detection from_data;                       // by energy
    bool is_judged;
    ebm_perplexity perplexity;
} energy_accepted;

typedef struct {
    const char *model, *energy; // directory; what the energy is
    double ratio;               // K
    size_t examples;            // of each end of each set
    energy_set *sets;           // data, then noise where has_noise, then the others
    size_t count;
    bool has_noise;
    ebm_energy_bins bins;
    ebm_importance weights;
    ebm_rejection rejections[ENERGY_BETAS_MOST];
    size_t accepted_at[ENERGY_BETAS_MOST]; // how many were
    size_t betas;
    energy_accepted accepted;
} energy_results;

// Places of the `examples` (at most count) lowest, then the highest, of a set; lowest first, highest last.
ebm_status energy_extremes(const energy_texts *texts, size_t examples, size_t **lowest, size_t **highest,
                           size_t *found);

ebm_status energy_results_print(const energy_results *results);
json_t *energy_results_object(const energy_results *results); // NULL when memory ran out

#endif
