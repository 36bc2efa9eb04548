// Files of ebmcl bench --json read back and put side by side: a column for each device, driver and version.
#ifndef EBM_BENCH_COMPARE_H
#define EBM_BENCH_COMPARE_H

#include <stdio.h>

#include "status.h"

typedef struct ebm_bench_page ebm_bench_page;

ebm_status ebm_bench_page_create(ebm_bench_page **page);
void ebm_bench_page_free(ebm_bench_page *page); // NULL is accepted

// Its results go to the column of the same device, driver, version, kernels and products; to a new one when that has a
// result of the same name already: two versions of one program on one device stand side by side. EBM_ERROR_INPUT names
// the file when it is not what ebmcl bench --json prints.
ebm_status ebm_bench_page_add(ebm_bench_page *page, const char *path);

// Markdown that reads as text too: what each column is, then a table of each part. With more than one column the ratio
// of each to the first, above 1 where it is faster.
ebm_status ebm_bench_page_print(const ebm_bench_page *page, FILE *out);

#endif
