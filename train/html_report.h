// The report of one run or several as a page (html.h): what is in their output directories, side by side.
//
//     const ebm_html_report report = {.directories = (const char *const[]){"ce", "joint"}, .count = 2};
//     EBM_TRY(ebm_html_report_write(&report, "report.html"));
//
// Of each directory it takes what is there:
//   eval_predictions.jsonl        metrics raw and calibrated, reliability, selective prediction, energies, wrong
//   answers eval_results.json             metrics and reliability, where there are no predictions calibration.json the
//   calibrator; without one a temperature fitted on the first half of the predictions
//                                 and judged on the second, with what was raw there beside it
//   noise_predictions.jsonl, ood_<name>_predictions.jsonl    energies of noise and of other distributions
//   trainer_log.jsonl             curves of training and evaluation
//   training_args.json, train_results.json                   settings, versions, device; no paths, only names
// and says what is missing. EBM_ERROR_INPUT for a directory with nothing of that, and for a file that is not what it
// must be. The page appears whole or not at all; a function of its inputs alone, the same bytes each time.
#ifndef EBM_HTML_REPORT_H
#define EBM_HTML_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *const *directories;
    size_t count;          // at least 1
    const char *title;     // NULL: made of the directories' names
    const char *made_with; // for the last line, "ebmcl 0.1.0"; NULL: left out
    bool brief;            // fewer resamples and examples, for the end of a training run
} ebm_html_report;

ebm_status ebm_html_report_write(const ebm_html_report *report, const char *path);

#ifdef __cplusplus
}
#endif
#endif
