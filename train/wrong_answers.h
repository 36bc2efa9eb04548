// The answers a model is most wrong about, for the pages that show them.
//
//     ebm_wrong_answer *wrong = NULL;
//     size_t count;
//     EBM_TRY(ebm_wrong_answers_find(&examples.read.rows, &wrong, &count));
//     for (size_t i = 0; i < count; i++) show(wrong[i].probability, ebm_wrong_answer_text(&examples, wrong[i].row));
//     free(wrong);
#ifndef EBM_WRONG_ANSWERS_H
#define EBM_WRONG_ANSWERS_H

#include "example_file.h"

typedef struct {
    double probability; // of the answer, softmax of the logits
    size_t row;
    int predicted;
} ebm_wrong_answer;

// Wrong answers, surest first, equal ones in the order of rows: *wrong for the caller to free(), never NULL after
// success. Labels must be known.
ebm_status ebm_wrong_answers_find(const ebm_predictions *rows, ebm_wrong_answer **wrong, size_t *count);

// Both texts of a pair in one; one of more than 600 bytes is cut at a character and ends with an ellipsis. For the
// caller to free(); NULL when memory ran out.
char *ebm_wrong_answer_text(const ebm_examples *examples, size_t row);

// The label's name, or its number, written to `number`, where the file names none.
const char *ebm_wrong_answer_label(const ebm_examples *examples, int label, char number[16]);

#endif
