// Internal. What a run's output directory holds for the report (html_report.h), read and measured.
#ifndef EBM_REPORT_FOLDER_H
#define EBM_REPORT_FOLDER_H

#include <jansson.h>

#include "calibrator.h"
#include "example_file.h"
#include "portion.h"
#include "reliability.h"
#include "report.h"

enum { EBM_REPORT_BINS = 10 }; // of reliability diagrams

// Predictions on some of the texts, with all that the page shows of them.
typedef struct {
    bool there;
    ebm_predictions rows; // borrowed from the folder, or count 0: known from eval_results.json only
    double temperature;
    ebm_evaluation evaluation;
    ebm_reliability_bin bin[EBM_REPORT_BINS];
    ebm_interval chance[EBM_REPORT_BINS];
    bool has_chance;
} ebm_report_view;

typedef struct {
    char *name;
    ebm_examples examples;
} ebm_report_other; // texts of another distribution

typedef struct {
    const char *directory;
    char *name; // for people, no other folder's
    bool has_examples, has_noise;
    ebm_examples examples, noise;
    ebm_report_other *others;
    size_t other_count;
    json_t *settings, *training, *results; // NULL: no such file
    json_t *log;                           // a list of objects, empty without a log
    ebm_calibrator *calibrator;            // of calibration.json, or NULL
    // Measured: all texts as they are; and those a calibrator is judged on, before and after it.
    ebm_report_view raw, before, after;
    char calibration[640];    // a sentence on the calibrator and on what it was judged; "" without one
    ebm_prediction_rows half; // owns what `before` shows, where that is a half
    float *calibrated;        // owns what `after` shows, where that is not the logits
} ebm_report_folder;

ebm_status ebm_report_folder_read(const char *directory, ebm_report_folder *folder);
// Gives every folder a name of its own: the last part of its path, or the path as it was given where two are equal.
ebm_status ebm_report_folder_names(ebm_report_folder *folders, size_t count);
ebm_status ebm_report_folder_measure(ebm_report_folder *folder, int resamples, int redraws);
void ebm_report_folder_free(ebm_report_folder *folder); // zeroed is accepted

// Certainties without an energy of the model's own: minus the free energy of the logits. False where they have no
// level.
bool ebm_report_energies(const ebm_examples *examples, double **energies, ebm_status *status);

#endif
