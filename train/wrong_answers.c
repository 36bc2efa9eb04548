#include "wrong_answers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 600 };

static int by_probability(const void *a, const void *b)
{
    const ebm_wrong_answer *x = a, *y = b;
    if (x->probability != y->probability) return x->probability > y->probability ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

ebm_status ebm_wrong_answers_find(const ebm_predictions *rows, ebm_wrong_answer **wrong, size_t *count)
{
    double *probabilities = NULL;
    const size_t labels = (size_t)rows->labels;
    *count = 0;
    *wrong = NULL;
    EBM_TRY(ebm_probabilities_create(rows, 1, &probabilities));
    ebm_wrong_answer *found = calloc(rows->count, sizeof *found);
    for (size_t i = 0; found && i < rows->count; i++) {
        const double *p = probabilities + i * labels;
        size_t best = 0;
        for (size_t y = 1; y < labels; y++)
            if (p[y] > p[best]) best = y;
        if (rows->label[i] != (int)best) found[(*count)++] = (ebm_wrong_answer){p[best], i, (int)best};
    }
    free(probabilities);
    if (!found) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu answers", rows->count);
    qsort(found, *count, sizeof *found, by_probability);
    *wrong = found;
    return ebm_ok();
}

char *ebm_wrong_answer_text(const ebm_examples *e, size_t row)
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

const char *ebm_wrong_answer_label(const ebm_examples *e, int label, char number[16])
{
    snprintf(number, 16, "%d", label);
    return e->names[label] ? e->names[label] : number;
}
