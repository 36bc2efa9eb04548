// Plain text files as short texts for a language model: paragraphs (lines up to a blank one) cut into sentences.
#ifndef EBM_PLAIN_TEXT_H
#define EBM_PLAIN_TEXT_H

#include "dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

// Adds every sentence of the file to a data set of single, unlabelled texts. A sentence ends after [.!?] (and closing
// quotes or brackets) before a blank; what is longer than `most_bytes` is cut at a blank, what has fewer than three
// words is left out. Adding stops once `budget_bytes` of text are there; *budget_bytes is reduced by what was added.
ebm_status ebm_plain_text_add(const char *path, size_t most_bytes, size_t *budget_bytes, ebm_dataset *dataset);

#ifdef __cplusplus
}
#endif
#endif
