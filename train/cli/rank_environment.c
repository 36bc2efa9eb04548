// What those who start several processes leave in the environment: OpenMPI, MPICH and its kin, Slurm.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "program_ranks.h"

extern char **environ;

static const char *const RANKS[][2] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                       {"PMI_RANK", "PMI_SIZE"},
                                       {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};
static const char *const OF_RANKS[] = {"OMPI_", "PMIX_", "PMI_", "SLURM_PROCID=", "SLURM_STEP_NUM_TASKS="};

static bool read_number(const char *name, int64_t *number)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (text) *number = strtoll(text, &end, 10);
    return text && end != text && !*end;
}

bool ebm_program_ranks_expected(int64_t *rank, int64_t *count)
{
    for (size_t i = 0; i < sizeof RANKS / sizeof *RANKS; i++) {
        if (!read_number(RANKS[i][0], rank) || !read_number(RANKS[i][1], count)) continue;
        if (*count > 1 && *rank >= 0 && *rank < *count) return true;
    }
    *rank = 0;
    *count = 1;
    return false;
}

ebm_status ebm_program_one_process(const char *command)
{
    int64_t rank = 0, count = 1;
    if (!ebm_program_ranks_expected(&rank, &count)) return ebm_ok();
    ebm_program_be_quiet(rank > 0);
    return ebm_fail(EBM_ERROR_INPUT, "%s is for one process, mpirun or srun has started %lld", command,
                    (long long)count);
}

static bool is_of_ranks(const char *variable)
{
    for (size_t i = 0; i < sizeof OF_RANKS / sizeof *OF_RANKS; i++)
        if (strncmp(variable, OF_RANKS[i], strlen(OF_RANKS[i])) == 0) return true;
    return false;
}

char **ebm_program_environment_of_one(void)
{
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **list = calloc(count + 1, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        if (!is_of_ranks(environ[i])) list[kept++] = environ[i];
    return list;
}
