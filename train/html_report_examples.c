// The answers a model is most wrong about.
#include <stdlib.h>
#include <string.h>

#include "html_report_internal.h"

enum { MOST = 20, MOST_BRIEF = 10, MOST_OF_MANY = 10, TEXT_BYTES = 600 };

typedef struct {
    double probability;
    size_t row;
    int predicted;
} wrong_answer;

static int by_probability(const void *a, const void *b)
{
    const wrong_answer *x = a, *y = b;
    if (x->probability != y->probability) return x->probability > y->probability ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

// The wrong ones, surest first, in a new array.
static ebm_status find_wrong(const ebm_predictions *rows, wrong_answer **wrong, size_t *count)
{
    double *probabilities = NULL;
    const size_t labels = (size_t)rows->labels;
    *count = 0;
    *wrong = NULL;
    EBM_TRY(ebm_probabilities_create(rows, 1, &probabilities));
    wrong_answer *found = calloc(rows->count, sizeof *found);
    for (size_t i = 0; found && i < rows->count; i++) {
        const double *p = probabilities + i * labels;
        size_t best = 0;
        for (size_t y = 1; y < labels; y++)
            if (p[y] > p[best]) best = y;
        if (rows->label[i] != (int)best) found[(*count)++] = (wrong_answer){p[best], i, (int)best};
    }
    free(probabilities);
    if (!found) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu answers", rows->count);
    qsort(found, *count, sizeof *found, by_probability);
    *wrong = found;
    return ebm_ok();
}

// Both texts of a pair; long ones are cut at a character.
static char *text_of(const ebm_examples *e, size_t row)
{
    const char *a = e->text[row] ? e->text[row] : "(not in the file)", *b = e->text_pair[row];
    char *text = NULL;
    if (asprintf(&text, "%s%s%s", a, b ? " \xE2\x80\x96 " : "", b ? b : "") < 0) return NULL;
    if (strlen(text) <= TEXT_BYTES) return text;
    size_t end = TEXT_BYTES - 3;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) end--;
    memcpy(text + end, "\xE2\x80\xA6", 4);
    return text;
}

static const char *label_of(const ebm_examples *e, int label, char number[16])
{
    snprintf(number, 16, "%d", label);
    return e->names[label] ? e->names[label] : number;
}

static ebm_status put_answer(ebm_report_page *p, const ebm_examples *e, const wrong_answer *wrong)
{
    char probability[24], number[2][16], *text = text_of(e, wrong->row), *labels = NULL;
    snprintf(probability, sizeof probability, "%.4f", wrong->probability);
    const char *truth = label_of(e, e->read.label[wrong->row], number[0]);
    const char *answer = label_of(e, wrong->predicted, number[1]);
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

static ebm_status put_answers(ebm_report_page *p, const ebm_examples *e, const wrong_answer *wrong, size_t count)
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
    wrong_answer *wrong = NULL;
    size_t count;
    EBM_TRY(find_wrong(&e->read.rows, &wrong, &count));
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
