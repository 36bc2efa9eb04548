// Calibrators: maps from a classifier's logits to probabilities, fitted on held-out examples, judged on others, stored
// beside the model. z are the logits of an example, Y labels, p = softmax(z), s_y = ln p_y / (1 - p_y).
//
//   temperature           softmax(z / T), T by NLL (Guo et al. 2017); calibration.h
//   temperature-ece       the same, T of 0.1 0.5 0.8 0.9 1 1.1 1.25 1.5 1.75 2 2.25 2.5 3 with the least top-label ECE
//                         (the published code of He et al. 2021)
//   vector                softmax(w * z + b), one factor and one offset a label (Guo et al. 2017)
//   matrix                softmax(W z + b) (Guo et al. 2017; regularised as ODIR, Kull et al. 2019)
//   platt                 sigmoid(a s + c), fitted to Platt's smoothed targets (Platt 1999)
//   isotonic              the non-decreasing function of p with the least squared error (Zadrozny and Elkan 2002; PAV),
//                         linear between the ends of its steps, constant beyond the outermost
//   histogram             the share of the label in each of `bins` bins of p with equally many examples (Zadrozny and
//                         Elkan 2001)
//   scaling-binning       platt, then the mean of its values in each of `bins` such bins (Kumar et al. 2019; one set of
//                         examples for all, as their code has it)
//   beta                  sigmoid(a ln p - b ln(1 - p) + c), a, b >= 0 (Kull et al. 2017)
//   ensemble-temperature  w1 softmax(z / T) + w2 softmax(z) + w3 / Y, T by NLL first, then w >= 0, sum w = 1, by NLL
//                         (Zhang, Kailkhura and Han 2020)
//
// platt, isotonic, histogram, scaling-binning and beta are maps of one label against the rest: with two labels one map
// gives the probability of label 1, with more each label has its own and the values are divided by their sum (Zadrozny
// and Elkan 2002); where all are zero, every label gets 1 / Y.
//
//     ebm_calibrator *calibrator = NULL;
//     const ebm_calibrator_options options = ebm_calibrator_defaults();
//     EBM_TRY(ebm_calibrator_fit(&dev_half, EBM_CALIBRATOR_VECTOR, &options, &calibrator));
//     EBM_CHECK(ebm_calibrator_save("model", calibrator), end);            // model/calibration.json
//     EBM_CHECK(ebm_calibrator_probabilities(calibrator, &test_half, &p), end);
//     end: ebm_calibrator_free(calibrator);
#ifndef EBM_CALIBRATOR_H
#define EBM_CALIBRATOR_H

#include "average.h"
#include "calibration.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_CALIBRATOR_TEMPERATURE,
    EBM_CALIBRATOR_TEMPERATURE_ECE,
    EBM_CALIBRATOR_VECTOR,
    EBM_CALIBRATOR_MATRIX,
    EBM_CALIBRATOR_PLATT,
    EBM_CALIBRATOR_ISOTONIC,
    EBM_CALIBRATOR_HISTOGRAM,
    EBM_CALIBRATOR_SCALING_BINNING,
    EBM_CALIBRATOR_BETA,
    EBM_CALIBRATOR_ENSEMBLE,
    EBM_CALIBRATORS, // how many there are
} ebm_calibrator_kind;

// The names in files and options, by kind.
#define EBM_CALIBRATOR_NAMES                                                                                           \
    "temperature", "temperature-ece", "vector", "matrix", "platt", "isotonic", "histogram", "scaling-binning", "beta", \
        "ensemble-temperature"
const char *ebm_calibrator_name(ebm_calibrator_kind kind);
ebm_status ebm_calibrator_by_name(const char *name, ebm_calibrator_kind *out);
// softmax of an affine function of the logits: it can be folded into a classifier's last layer.
bool ebm_calibrator_is_affine(ebm_calibrator_kind kind);

typedef struct {
    int bins;              // of histogram and scaling-binning, 1 to EBM_BINS_MOST: 10
    int ece_bins;          // of temperature-ece, 1 to EBM_BINS_MOST: 20
    double regularization; // R of vector and matrix; below 0: of 10, 1, 0.1 ... 1e-4 the one with the least NLL in
                           // five-fold cross-validation (example i is in fold i mod 5): -1
} ebm_calibrator_options;

ebm_calibrator_options ebm_calibrator_defaults(void);

typedef struct ebm_calibrator ebm_calibrator;

// Deterministic; a function of its arguments alone. What is minimised, with n examples:
//   vector           NLL + R/Y sum of b_y^2 + e (sum of (w_y - 1)^2 + sum of b_y^2)
//   matrix           NLL + R/(Y (Y - 1)) sum over i != j of W_ij^2 + R/Y sum of b_y^2 + e (|W - 1|^2 + |b|^2)
//   platt            cross-entropy to the targets (n1 + 1)/(n1 + 2) where the label is y, else 1/(n0 + 2)
//   beta             NLL + e/2 ((a - 1)^2 + (b - 1)^2 + c^2)
// NLL being means over examples and e = 1e-6, which no fit notices that has a minimum of its own. It gives one to those
// that have none: separated examples, one label only. These, and temperature, end where the gradient is below 1e-9; the
// weights of ensemble-temperature where NLL is within 1e-12 of the least.
//
// A second or less for some thousand examples with up to 20 labels, matrix by cross-validation some seconds; its time
// grows with Y^2 and more: choose R yourself where there are many labels (77 labels, 5,000 examples, R = 0.1: 4 s; 150:
// minutes, as 22,650 numbers fit them perfectly).
//
// EBM_ERROR_NONFINITE with the row for logits that are not finite; EBM_ERROR_INPUT without examples, for options out of
// range, and in vector, matrix, platt, scaling-binning and beta for logits beyond 1e4: no classifier gives those.
ebm_status ebm_calibrator_fit(const ebm_predictions *predictions, ebm_calibrator_kind kind,
                              const ebm_calibrator_options *options, ebm_calibrator **out);
void ebm_calibrator_free(ebm_calibrator *calibrator); // NULL is accepted

typedef struct {
    ebm_calibrator_kind kind;
    int labels;                   // Y; 0 when not known: a temperature that was read from a file
    size_t examples;              // it was fitted on
    size_t absent;                // labels that none of them has
    double nll_before, nll_after; // on them, probabilities no smaller than EBM_PROBABILITY_LEAST
    double regularization;        // R as used; 0 where there is none
    bool folded;                  // it is in the model's weights already: the logits stay as they are
    char fitted_on[256];          // file and split, for the record; "" at first
    ebm_averaging averaging;      // whose outputs it was fitted on and is for: zeroed, one model's without dropout
} ebm_calibrator_facts;

const ebm_calibrator_facts *ebm_calibrator_facts_of(const ebm_calibrator *calibrator); // borrowed
void ebm_calibrator_set_fitted_on(ebm_calibrator *calibrator, const char *text);
void ebm_calibrator_set_averaging(ebm_calibrator *calibrator, const ebm_averaging *averaging);
void ebm_calibrator_set_folded(ebm_calibrator *calibrator); // a temperature: what is left is 1
// Of temperature and temperature-ece, else NULL; borrowed.
const ebm_temperature *ebm_calibrator_temperature(const ebm_calibrator *calibrator);
// Writes what to be careful about, "" when there is nothing.
void ebm_calibrator_note(const ebm_calibrator *calibrator, char *text, size_t size);

// count x Y probabilities in a new array for the caller to free; the label member may be NULL. They can be exactly 0.
// EBM_ERROR_INPUT when it was fitted with another number of labels.
ebm_status ebm_calibrator_probabilities(const ebm_calibrator *calibrator, const ebm_predictions *predictions,
                                        double **out);

// As scikit-learn's log_loss has it: a probability of 0 costs 36.04 nats, not infinitely many.
#define EBM_PROBABILITY_LEAST 2.220446049250313e-16

// count x Y logits whose softmax those probabilities are, for what works on logits (ebm_metrics and all that builds on
// it): the affine function where it is one, else ln p with p at least EBM_PROBABILITY_LEAST. New, for the caller to
// free.
ebm_status ebm_calibrator_logits(const ebm_calibrator *calibrator, const ebm_predictions *predictions, float **out);

// The affine function of the logits: weight is Y x Y, row-major, bias Y. EBM_ERROR_UNSUPPORTED where it is none.
ebm_status ebm_calibrator_affine(const ebm_calibrator *calibrator, int labels, double *weight, double *bias);

// <directory>/calibration.json. A temperature's is that of calibration.h; others have "method", "labels", "fitted_on",
// "examples", "absent", "nll_before", "nll_after", "regularization", "folded" where it is, and "parts", an object of
// lists of numbers for the map of each label (one for two labels and for joint maps):
//   vector: scale (Y), bias (Y); matrix: weight (Y x Y by rows), bias (Y); platt: slope, offset; isotonic: p and value,
//   both ascending; histogram: edge (bins are (a, b]) and value; scaling-binning: slope, offset, edge, value;
//   beta: a, b, c; ensemble-temperature: temperature, weight (3).
// Besides, where it was fitted on an average (average.h): "mc_dropout", passes with dropout, and "ensemble", a list of
// the other models' names. Appears by rename: complete or not at all.
ebm_status ebm_calibrator_save(const char *directory, const ebm_calibrator *calibrator);

// Reads what either of ebm_calibrator_save and ebm_temperature_save wrote. EBM_ERROR_INPUT with file and key when there
// is none or a value is not what it must be.
ebm_status ebm_calibrator_load(const char *directory, ebm_calibrator **out);

#ifdef __cplusplus
}
#endif
#endif
