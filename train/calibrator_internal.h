// Internal. What the families of calibrators share: their numbers as lists under names, so that one reader and one
// writer serve all, and the frame for maps of one label against the rest.
#ifndef EBM_CALIBRATOR_INTERNAL_H
#define EBM_CALIBRATOR_INTERNAL_H

#include <jansson.h>

#include "calibrator.h"

enum { EBM_CALIBRATOR_LISTS = 4 };

#define EBM_CALIBRATOR_PULL 1e-6 // e of calibrator.h
#define EBM_CALIBRATOR_LARGEST_LOGIT 1e4

// The lists of one map, in the order of the family's names; what a family has no name for is NULL.
typedef struct {
    double *list[EBM_CALIBRATOR_LISTS];
    size_t length[EBM_CALIBRATOR_LISTS];
} ebm_calibrator_part;

struct ebm_calibrator {
    ebm_calibrator_facts facts;
    ebm_temperature temperature; // of the two kinds that are one
    size_t parts;
    ebm_calibrator_part *part; // owned
};

// One label against the rest: of each example its log odds and whether it has the label.
typedef struct {
    size_t count;
    double *score; // ln p / (1 - p)
    uint8_t *hit;  // 0 or 1
    size_t hits;
} ebm_binary;

typedef struct {
    const char *list[EBM_CALIBRATOR_LISTS]; // keys in the file
    bool affine;
    bool bounded; // refuses logits beyond EBM_CALIBRATOR_LARGEST_LOGIT

    // Joint maps: fit makes the one part; apply writes Y probabilities.
    ebm_status (*fit)(const ebm_predictions *predictions, const ebm_calibrator_options *options,
                      ebm_calibrator *calibrator);
    void (*apply)(const ebm_calibrator *calibrator, const float *logits, int labels, double *p);

    // Maps of one label against the rest: fit_part makes its lists; value is the map, from 0 to 1.
    ebm_status (*fit_part)(const ebm_binary *examples, const ebm_calibrator_options *options,
                           ebm_calibrator_part *part);
    double (*value)(const ebm_calibrator_part *part, double score);

    // After reading a part, whose numbers are finite: what was expected, or NULL when it is that. NULL: no parts.
    const char *(*check)(const ebm_calibrator_part *part, int labels);
} ebm_calibrator_family;

extern const ebm_calibrator_family ebm_family_temperature, ebm_family_temperature_ece, ebm_family_vector,
    ebm_family_matrix, ebm_family_platt, ebm_family_isotonic, ebm_family_histogram, ebm_family_scaling_binning,
    ebm_family_beta, ebm_family_ensemble;
const ebm_calibrator_family *ebm_calibrator_family_of(ebm_calibrator_kind kind);

ebm_status ebm_calibrator_create(ebm_calibrator_kind kind, size_t parts, ebm_calibrator **out);
// A zeroed list of `length` numbers at `list` of a part.
ebm_status ebm_calibrator_list(ebm_calibrator_part *part, int list, size_t length);
// How many parts a file must have.
size_t ebm_calibrator_part_count(const ebm_calibrator_family *family, int labels);

double ebm_sigmoid(double x);
double ebm_softplus(double x); // ln(1 + e^x)
// Y logits to probabilities in place.
void ebm_softmax(double *z, int labels);
// ln p_y / (1 - p_y) of every label; p its softmax. Exact to rounding also where p is next to 0 or 1.
void ebm_log_odds(const float *logits, int labels, double *score);

// One label against the rest: every part's fit, and the probabilities of one example.
ebm_status ebm_calibrator_fit_rest(const ebm_predictions *predictions, const ebm_calibrator_options *options,
                                   ebm_calibrator *calibrator);
void ebm_calibrator_apply_rest(const ebm_calibrator *calibrator, const float *logits, int labels, double *p);

// Logistic regression: theta, `features` factors and an offset, that minimise the mean over examples of the
// cross-entropy of sigmoid(theta . (x, 1)) to targets in [0, 1], plus pull / 2 sum of (theta - toward)^2. x: count x
// features. theta: the result; the search starts at zero.
ebm_status ebm_logistic_fit(size_t count, size_t features, const double *x, const double *target, double pull,
                            const double *toward, double *theta);

// Bins of values in [0, 1] with equally many examples: at most `bins` - 1 ascending edges halfway between neighbours,
// bins being (a, b]. The first examples get the larger bins where the number does not divide. Equal values stay
// together, and a bin that would hold no example is joined with the one below: 1 to `bins` bins. values: sorted.
size_t ebm_equal_mass_edges(const double *values, size_t count, size_t bins, double *edge);
size_t ebm_bin_among(const double *edge, size_t edges, double value);

// Of calibration_file.c: a temperature as JSON and back.
ebm_status ebm_temperature_object(const ebm_temperature *fit, json_t **object);
ebm_status ebm_temperature_of_object(const json_t *object, const char *path, ebm_temperature *out);
// The object in <directory>/calibration.json, with its path; both for the caller to free.
ebm_status ebm_calibration_read(const char *directory, json_t **object, char **path);
json_t *ebm_json_cut_text(const char *text); // without a last character that was cut; NULL: not UTF-8
ebm_status ebm_json_number_at(const json_t *object, const char *path, const char *key, double *out);
ebm_status ebm_json_whole_at(const json_t *object, const char *path, const char *key, size_t *out);

#endif
