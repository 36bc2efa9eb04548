// The answers a model is most wrong about.
#include <stdlib.h>

#include "html_report_internal.h"
#include "wrong_answers.h"

enum { MOST = 20, MOST_BRIEF = 10, MOST_OF_MANY = 10 };

static ebm_status put_answer(ebm_report_page *p, const ebm_examples *e, const ebm_wrong_answer *wrong)
{
    char probability[24], number[2][16], *text = ebm_wrong_answer_text(e, wrong->row), *labels = NULL;
    snprintf(probability, sizeof probability, "%.4f", wrong->probability);
    const char *truth = ebm_wrong_answer_label(e, e->read.label[wrong->row], number[0]);
    const char *answer = ebm_wrong_answer_label(e, wrong->predicted, number[1]);
    if (text && asprintf(&labels, "true: %s; predicted: %s", truth, answer) < 0) labels = NULL;
    if (labels) {
        ebm_html_row(p->page, probability);
        ebm_html_noted_text_cell(p->page, text, labels);
    }
    free(text);
    if (!labels) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a text");
    free(labels);
    return ebm_ok();
}

static ebm_status put_answers(ebm_report_page *p, const ebm_examples *e, const ebm_wrong_answer *wrong, size_t count)
{
    static const char *const head[] = {"probability", "text"};
    ebm_status status = ebm_ok();
    ebm_html_table_begin(p->page, NULL, head, 2);
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) status = put_answer(p, e, &wrong[i]);
    ebm_html_table_end(p->page);
    return status;
}

static ebm_status put_folder(ebm_report_page *p, const ebm_report_folder *f)
{
    const size_t most = p->count > 1 ? MOST_OF_MANY : p->report->brief ? MOST_BRIEF : MOST;
    const ebm_examples *e = &f->examples;
    ebm_wrong_answer *wrong = NULL;
    size_t count;
    EBM_TRY(ebm_wrong_answers_find(&e->read.rows, &wrong, &count));
    if (p->count > 1) ebm_html_heading(p->page, 3, f->name);
    ebm_html_paragraph(p->page,
                       count > most ? "%zu of %zu answers are wrong; these are the surest of them."
                                    : "%zu of %zu answers are wrong.",
                       count, e->read.rows.count);
    const ebm_status status = count ? put_answers(p, e, wrong, count < most ? count : most) : ebm_ok();
    free(wrong);
    return status;
}

ebm_status ebm_report_wrong(ebm_report_page *p)
{
    bool begun = false;
    for (size_t i = 0; i < p->count; i++) {
        if (!p->folders[i].has_examples) continue;
        if (!begun) ebm_html_heading(p->page, 2, "Wrong answers given with confidence");
        begun = true;
        EBM_TRY(put_folder(p, &p->folders[i]));
    }
    return ebm_ok();
}
