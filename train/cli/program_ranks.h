// The program as one of several processes that mpirun or srun has started. ebmcl train makes one training of them (MPI;
// ranks.h), ebmcl compare divides its cells, nothing else knows what to do with several.
//
//     const ebm_ranks *ranks = NULL;
//     ebm_status status = ebm_program_ranks_open(&ranks);       // NULL with one process
//     ... rank 0 speaks, the others keep quiet ...
//     return ebm_program_ranks_end(status);
#ifndef EBM_PROGRAM_RANKS_H
#define EBM_PROGRAM_RANKS_H

#include "ranks.h"

// What the environment says: false with one process.
bool ebm_program_ranks_expected(int64_t *rank, int64_t *count);
// EBM_ERROR_INPUT when there are several, said by the first alone: for commands that would write the same files.
ebm_status ebm_program_one_process(const char *command);
// A copy of the environment without what says so, for a process that is to be on its own; for the caller to free() (the
// list alone). NULL when memory ran out.
char **ebm_program_environment_of_one(void);

// EBM_ERROR_UNSUPPORTED with several processes in a build without MPI, EBM_ERROR_INPUT when MPI sees another number of
// them than the environment says. Until ebm_program_ranks_end; borrowed.
ebm_status ebm_program_ranks_open(const ebm_ranks **ranks);
// Waits for the others. When one of them has failed all end, and the first that failed says why: where the others still
// work (and wait for it) it says so at once and ends them. Nothing that messages are in may be freed before.
ebm_status ebm_program_ranks_end(ebm_status status);

#endif
