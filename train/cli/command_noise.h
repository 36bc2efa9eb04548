// The two commands of `ebmcl noise`, with the arguments behind their names.
#ifndef EBM_COMMAND_NOISE_H
#define EBM_COMMAND_NOISE_H

#include "status.h"

ebm_status ebm_command_noise_train(int argc, char **argv);
ebm_status ebm_command_noise_sample(int argc, char **argv);

#endif
