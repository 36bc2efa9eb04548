// Attention in double precision, one score at a time, as the formulas in cl/attention_cpu.cl read.
#ifndef EBM_REFERENCE_ATTENTION_H
#define EBM_REFERENCE_ATTENTION_H

#include "attention.h"

// Shapes as in model/attention.h. Rows of out and lse of tokens that do not ask are left as they are.
void ebm_reference_attention_forward(double *out, double *lse, const double *qkv, const int32_t *starts,
                                     size_t sequences, const ebm_attention *attention);
void ebm_reference_attention_backward(double *dqkv, const double *dout, const double *qkv, const int32_t *starts,
                                      size_t sequences, const ebm_attention *attention);

#endif
