// The four normal forms of Unicode (UAX 15), equal to the tokenizers library's: its tables are those of Unicode 9, so
// characters that came later stay as they are.
//
//     ebm_bytes out = {0};
//     if (!ebm_normal_form_apply(EBM_NFC, text, bytes, &out)) ...       // out of memory; end: ebm_bytes_free(&out)
#ifndef EBM_NORMAL_FORM_H
#define EBM_NORMAL_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "utf8.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_NFC, EBM_NFD, EBM_NFKC, EBM_NFKD } ebm_normal_form;

// Appends the normal form of valid UTF-8 to *out. False when out of memory; *out is then left as it was. Linear in the
// text, whatever it is made of.
bool ebm_normal_form_apply(ebm_normal_form form, const char *text, size_t bytes, ebm_bytes *out);

#ifdef __cplusplus
}
#endif
#endif
