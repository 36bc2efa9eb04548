// The report of a comparison: one page of HTML (html.h) with tables, reliability before and after calibration, the
// price of not answering, energies, training, examples that are most wrong, and all settings.
#ifndef EBM_COMPARE_PAGE_H
#define EBM_COMPARE_PAGE_H

#include "compare_results.h"

// Reads the cells' predictions again. The page appears whole or not at all.
ebm_status compare_page_write(const compare_place *place, const compare_results *results, const char *path);

#endif
