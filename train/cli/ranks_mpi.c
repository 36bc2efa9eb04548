// Ranks through MPI: the only file that knows it. MPI is started only when the environment says that there are several
// processes.
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"
#include "program_ranks.h"
#include "timing.h"

// How long a rank that has failed waits for the others to fail alike, and then for a lower one to say why; seconds.
static const double PATIENCE = 3, MORE_PATIENCE = 1;

static ebm_ranks world;
static MPI_Comm messages, last_words; // nothing that is under way in the first can meet the second
static bool is_open;

_Static_assert(sizeof(MPI_Request) <= sizeof(void *), "a request fits a transfer's handle");

static ebm_status checked(int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS) return ebm_ok();
    MPI_Error_string(code, text, &length);
    return ebm_fail(EBM_ERROR_DEVICE, "MPI: %s: %s", what, text);
}

// ---- the transport

static void keep(ebm_transfer *transfer, MPI_Request request)
{
    memcpy(&transfer->handle[0], &request, sizeof request);
    transfer->handle[1] = transfer;
}

static ebm_status check_size(size_t bytes)
{
    return bytes <= INT_MAX ? ebm_ok() : ebm_fail(EBM_ERROR_UNSUPPORTED, "MPI: a message of %zu bytes", bytes);
}

static ebm_status send(void *context, const void *from, size_t bytes, int to, int tag, ebm_transfer *transfer)
{
    MPI_Request request;
    EBM_TRY(check_size(bytes));
    EBM_TRY(checked(MPI_Isend(from, (int)bytes, MPI_BYTE, to, tag, messages, &request), "sending"));
    keep(transfer, request);
    return ebm_ok();
}

static ebm_status receive(void *context, void *to, size_t bytes, int from, int tag, ebm_transfer *transfer)
{
    MPI_Request request;
    EBM_TRY(check_size(bytes));
    EBM_TRY(checked(MPI_Irecv(to, (int)bytes, MPI_BYTE, from, tag, messages, &request), "receiving"));
    keep(transfer, request);
    return ebm_ok();
}

static ebm_status test(void *context, ebm_transfer *transfers, size_t count, bool *done)
{
    *done = true;
    for (size_t i = 0; i < count; i++) {
        MPI_Request request;
        int finished = 0;
        if (!transfers[i].handle[1]) continue;
        memcpy(&request, &transfers[i].handle[0], sizeof request);
        EBM_TRY(checked(MPI_Test(&request, &finished, MPI_STATUS_IGNORE), "waiting"));
        keep(&transfers[i], request);
        if (finished) transfers[i] = (ebm_transfer){0};
        *done = *done && finished;
    }
    return ebm_ok();
}

// ---- begin

static ebm_status start(void)
{
    MPI_Comm machine = MPI_COMM_NULL;
    int given = 0;
    EBM_TRY(checked(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given), "starting"));
    is_open = true;
    MPI_Comm_rank(MPI_COMM_WORLD, &world.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world.count);
    EBM_TRY(checked(MPI_Comm_dup(MPI_COMM_WORLD, &messages), "a communicator"));
    EBM_TRY(checked(MPI_Comm_dup(MPI_COMM_WORLD, &last_words), "a communicator"));
    EBM_TRY(checked(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, world.rank, MPI_INFO_NULL, &machine),
                    "the ranks of one machine"));
    MPI_Comm_rank(machine, &world.local_rank);
    MPI_Comm_size(machine, &world.local_count);
    MPI_Comm_free(&machine);
    MPI_Comm_set_errhandler(messages, MPI_ERRORS_RETURN);
    world.send = send;
    world.receive = receive;
    world.test = test;
    return ebm_ok();
}

ebm_status ebm_program_ranks_open(const ebm_ranks **ranks)
{
    int64_t rank = 0, count = 1;
    *ranks = NULL;
    if (!ebm_program_ranks_expected(&rank, &count)) return ebm_ok();
    ebm_program_be_quiet(rank > 0);
    EBM_TRY(start());
    if (world.count != count)
        return ebm_fail(EBM_ERROR_INPUT,
                        "mpirun or srun has started %lld processes, of which the MPI that ebmcl is built with sees %d:"
                        " start them by that MPI's own mpirun",
                        (long long)count, world.count);
    *ranks = &world;
    return ebm_ok();
}

// ---- end

typedef struct {
    int own; // what is told to the others
    MPI_Request *requests;
    int *codes; // of all ranks; -1: not heard of
} farewell;

static void say_farewell(farewell *f)
{
    for (int r = 0; r < world.count; r++) {
        MPI_Request *pair = f->requests + 2 * r;
        pair[0] = pair[1] = MPI_REQUEST_NULL;
        f->codes[r] = r == world.rank ? f->own : -1;
        if (r == world.rank) continue;
        MPI_Irecv(&f->codes[r], 1, MPI_INT, r, 0, last_words, &pair[0]);
        MPI_Isend(&f->own, 1, MPI_INT, r, 0, last_words, &pair[1]);
    }
}

static bool all_have_come(farewell *f)
{
    int done = 0;
    MPI_Testall(2 * world.count, f->requests, &done, MPI_STATUSES_IGNORE);
    return done != 0;
}

static int first_failed(const farewell *f)
{
    for (int r = 0; r < world.count; r++)
        if (f->codes[r] > EBM_OK) return r;
    return world.count;
}

static bool wait_for_others(farewell *f, double seconds)
{
    const double start = ebm_now();
    unsigned idle = 0;
    while (!all_have_come(f)) {
        if (f->own != EBM_OK && ebm_now() - start > seconds) return false;
        ebm_ranks_pause(&idle);
    }
    return true;
}

static void say_error(const ebm_status *status)
{
    ebm_program_progress_end();
    fprintf(stderr, "ebmcl: %s\n", status->message);
    fflush(stderr);
}

static void end_the_others(const farewell *f, const ebm_status *status)
{
    if (first_failed(f) < world.rank) // it is about to end us all
        usleep((useconds_t)(MORE_PATIENCE * 1e6));
    const ebm_status own = world.rank > 0 ? ebm_in(*status, "rank %d", world.rank) : *status;
    say_error(&own);
    MPI_Abort(MPI_COMM_WORLD, status->code == EBM_ERROR_INTERRUPTED ? 130 : 2);
}

ebm_status ebm_program_ranks_end(ebm_status status)
{
    if (!is_open) return status;
    farewell f = {.own = (int)status.code,
                  .requests = calloc(2 * (size_t)world.count, sizeof(MPI_Request)),
                  .codes = calloc((size_t)world.count, sizeof(int))};
    if (!f.requests || !f.codes) MPI_Abort(MPI_COMM_WORLD, 2);
    say_farewell(&f);
    if (!wait_for_others(&f, PATIENCE)) end_the_others(&f, &status);
    const int failed = first_failed(&f);
    if (failed == world.rank) say_error(&status);
    ebm_program_be_quiet(failed < world.count);
    if (status.code == EBM_OK && failed < world.count) status = ebm_fail((ebm_code)f.codes[failed], "rank %d", failed);
    MPI_Barrier(last_words); // the first to leave with an exit code other than 0 has mpirun end the others
    free(f.requests);
    free(f.codes);
    MPI_Comm_free(&messages);
    MPI_Comm_free(&last_words);
    MPI_Finalize();
    is_open = false;
    return status;
}
