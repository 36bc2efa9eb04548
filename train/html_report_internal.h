// Internal. The sections of the report (html_report.h), in the order of the page. Each leaves itself out where no
// folder has what it shows.
#ifndef EBM_HTML_REPORT_INTERNAL_H
#define EBM_HTML_REPORT_INTERNAL_H

#include "figure.h"
#include "html_report.h"
#include "report_folder.h"

typedef struct {
    const ebm_html_report *report;
    ebm_report_folder *folders; // a folder's place is its style in every figure
    size_t count;
    ebm_html *page;
} ebm_report_page;

ebm_status ebm_report_metrics(ebm_report_page *p);
ebm_status ebm_report_reliability(ebm_report_page *p);
ebm_status ebm_report_selective(ebm_report_page *p);
ebm_status ebm_report_energy(ebm_report_page *p);
ebm_status ebm_report_training(ebm_report_page *p);
ebm_status ebm_report_wrong(ebm_report_page *p);
ebm_status ebm_report_settings(ebm_report_page *p);

// "<first>, <second>", for the caller to free(); one alone keeps its name.
char *ebm_report_name(const ebm_report_page *p, size_t folder, const char *what);

#endif
