// Finite differences of a whole model's loss on the device: along its gradient, scaled to length 1, the loss must rise
// by the gradient's norm, for every parameter.
#ifndef EBM_TESTS_SLOPES_H
#define EBM_TESTS_SLOPES_H

#include "expected.h"

// loss(model) runs forward and backward with the weights as they are; gradients are zero before. Returns how many
// parameters had a gradient large enough to be checked.
size_t assert_slopes(ebm_parameters *parameters, double (*loss)(void *model), void *model);

#endif
