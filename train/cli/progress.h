// What training shows on the terminal: listeners for the two trainers, shared by the commands that train.
#ifndef EBM_PROGRESS_H
#define EBM_PROGRESS_H

#include "noise_trainer.h"
#include "trainer.h"

// A line that is written over after each step, a line of its own for each evaluation.
ebm_trainer_listener ebm_program_trainer_listener(void);
ebm_noise_listener ebm_program_noise_listener(void);

#endif
