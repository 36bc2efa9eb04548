// Ranks in a build without MPI: there is one.
#include "program.h"
#include "program_ranks.h"

ebm_status ebm_program_ranks_open(const ebm_ranks **ranks)
{
    int64_t rank = 0, count = 1;
    *ranks = NULL;
    if (!ebm_program_ranks_expected(&rank, &count)) return ebm_ok();
    ebm_program_be_quiet(rank > 0);
    return ebm_fail(EBM_ERROR_UNSUPPORTED,
                    "mpirun or srun has started %lld processes, and this ebmcl is built without MPI: each would train"
                    " alone into one folder; build it with MPI, or start one",
                    (long long)count);
}

ebm_status ebm_program_ranks_end(ebm_status status) { return status; }
