// The margins of the training texts over the epochs, which mixup by area under the margin splits them by (mixup.h).
//
//     EBM_TRY(ebm_margins_create(texts, &margins));
//     ebm_margins_add(margins, rows, margin, count);            // of every step
//     EBM_TRY(ebm_margins_split(margins));                      // at the start of every epoch but the first
//     if (ebm_margins_is_split(margins)) ebm_margins_hard(margins, rows, count, hard);
//
// Every text is seen once an epoch, so sums rank as means do. A text's part stays what the last split made it.
#ifndef EBM_MARGINS_H
#define EBM_MARGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_margins ebm_margins;

ebm_status ebm_margins_create(size_t texts, ebm_margins **margins); // at least one; all sums are 0
void ebm_margins_free(ebm_margins *margins);                        // NULL is accepted

void ebm_margins_add(ebm_margins *margins, const uint32_t *rows, const float *margin, size_t count);
// Half of the texts, rounded down, those of the smallest sums, become hard; ties: the lower number is the harder one.
ebm_status ebm_margins_split(ebm_margins *margins);
bool ebm_margins_is_split(const ebm_margins *margins);
void ebm_margins_hard(const ebm_margins *margins, const uint32_t *rows, size_t count, uint8_t *hard);

// "<directory>/margins.safetensors": margin_sum and part (-1: not split, 0 easy, 1 hard), a number a text, to the bit.
ebm_status ebm_margins_write(const ebm_margins *margins, const char *directory);
// EBM_ERROR_INPUT for a file that is not one of so many texts.
ebm_status ebm_margins_read(ebm_margins *margins, const char *directory);

#ifdef __cplusplus
}
#endif
#endif
