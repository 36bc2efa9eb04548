#include "compare_page.h"

#include <stdlib.h>

#include "compare_page_internal.h"

static void put_introduction(compare_page *p)
{
    const compare_plan *plan = p->results->plan;
    ebm_html_paragraph(
        p->page,
        "%zu methods on %zu task%s. Every evaluation set is cut into two halves (%s); each is tested with "
        "what was chosen and fitted on the other, and values are means over halves and seeds. Intervals "
        "are those of a bootstrap over seeds and texts, paired for differences; with few seeds they are "
        "somewhat too short.",
        plan->variant_count, plan->task_count, plan->task_count == 1 ? "" : "s",
        plan->random_halves ? "drawn at random" : "in the file's order");
}

static ebm_status put_task(compare_page *p, size_t t)
{
    const compare_plan *plan = p->results->plan;
    bool any = false;
    for (size_t v = 0; v < plan->variant_count; v++) any = any || compare_results_at(p->results, t, v)->seeds > 0;
    ebm_html_heading(p->page, 2, plan->tasks[t].name);
    if (!any) {
        ebm_html_paragraph(p->page, "Nothing is done yet.");
        return ebm_ok();
    }
    EBM_TRY(compare_page_tables(p, t));
    EBM_TRY(compare_page_figures(p, t));
    EBM_TRY(compare_page_training(p, t));
    return compare_page_wrong(p, t);
}

static ebm_status put_settings(compare_page *p)
{
    char *text = json_dumps(p->results->plan->spec, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    if (!text) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the page of a comparison");
    FILE *out = ebm_html_stream(p->page);
    ebm_html_heading(p->page, 2, "Settings");
    fputs("<details><summary>The comparison's file</summary><pre>", out);
    ebm_html_text(out, text);
    fputs("</pre></details>\n", out);
    free(text);
    ebm_html_note(p->page, "Made with ebmcl %s.", EBMCL_VERSION);
    return ebm_ok();
}

ebm_status compare_page_write(const compare_place *place, const compare_results *results, const char *path)
{
    compare_page p = {place, results, NULL};
    EBM_TRY(ebm_html_create("Comparison", &p.page));
    ebm_status status = ebm_ok();
    put_introduction(&p);
    if (results->plan->task_count > 1) compare_page_mean(&p);
    for (size_t t = 0; status.code == EBM_OK && t < results->plan->task_count; t++) status = put_task(&p, t);
    if (status.code == EBM_OK) status = put_settings(&p);
    if (status.code == EBM_OK) status = ebm_html_save(p.page, path);
    ebm_html_free(p.page);
    return status;
}
