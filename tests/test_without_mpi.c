// A program built without MPI, started by mpirun or srun: it does not train several times into one folder.
#include "command.h"
#include "tiny_model.h"

static const char *const NAMES[] = {"negative", "positive"};

static int make_files(void **state)
{
    make_folder_with_model("base", NAMES);
    put_texts("train.tsv", "sentence\tlabel", NAMES);
    return 0;
}

#define TRAIN                                                                                                          \
    "train", "--model_name_or_path", "base", "--train_file", "train.tsv", "--max_seq_length", "16", "--max_steps",     \
        "1", "--token_budget", "64", "--no_report", "--output_dir", "new"

static void refuse_as(const char *rank_name, const char *count_name)
{
    setenv(count_name, "3", 1);
    setenv(rank_name, "0", 1);
    assert_bad("has started 3 processes, and this ebmcl is built without MPI", TRAIN);
    setenv(rank_name, "2", 1); // the first has said it
    ran r = run(TRAIN);
    assert_int_equal(r.code, 2);
    assert_string_equal(r.err, "");
    free_ran(&r);
    unsetenv(count_name);
    unsetenv(rank_name);
}

static void several_processes_are_refused(void **state)
{
    refuse_as("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
    refuse_as("PMI_RANK", "PMI_SIZE");
    refuse_as("SLURM_PROCID", "SLURM_STEP_NUM_TASKS");
}

static void one_process_trains(void **state)
{
    setenv("OMPI_COMM_WORLD_RANK", "0", 1);
    setenv("OMPI_COMM_WORLD_SIZE", "1", 1);
    ran r = run(TRAIN);
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_processes_are_refused),
        cmocka_unit_test(one_process_trains),
    };
    return cmocka_run_group_tests_name("without_mpi", tests, make_files, remove_files);
}
