// What the commands of the program share. Results go to standard output, everything else to standard error.
#ifndef EBM_PROGRAM_H
#define EBM_PROGRAM_H

#include <signal.h>

#include "arena.h"
#include "dataset.h"
#include "device.h"
#include "options.h"
#include "ranks.h"
#include "task.h"

typedef struct {
    const char *name, *summary;
    ebm_status (*run)(int argc, char **argv); // the arguments behind the command's name
} ebm_command;

ebm_status ebm_command_bench(int argc, char **argv);
ebm_status ebm_command_calibrate(int argc, char **argv);
ebm_status ebm_command_compare(int argc, char **argv);
ebm_status ebm_command_devices(int argc, char **argv);
ebm_status ebm_command_energies(int argc, char **argv);
ebm_status ebm_command_eval(int argc, char **argv);
ebm_status ebm_command_noise(int argc, char **argv);
ebm_status ebm_command_predict(int argc, char **argv);
ebm_status ebm_command_quickstart(int argc, char **argv);
ebm_status ebm_command_report(int argc, char **argv);
ebm_status ebm_command_selftest(int argc, char **argv);
ebm_status ebm_command_train(int argc, char **argv);
ebm_status ebm_command_tune(int argc, char **argv);

// Parses into `values` and finds the models, saying where those are that were named as on the hub; with --help prints
// the help to standard output and sets *done.
ebm_status ebm_program_options(const ebm_option_table *table, int argc, char **argv, void *values,
                               ebm_options **options, bool *done);

// The same for a command whose arguments may begin with names instead of options: they are those of `option`, a list.
ebm_status ebm_program_options_named(const ebm_option_table *table, const char *option, int argc, char **argv,
                                     void *values, ebm_options **options, bool *done);

// A command that did what was asked and found something wrong ends with exit code 1.
void ebm_program_find_wrong(void);
bool ebm_program_found_wrong(void);

// A message line on standard error.
void ebm_program_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Nothing is said any more, no progress shown, and no error printed at the end: another process does that.
void ebm_program_be_quiet(bool quiet);
bool ebm_program_is_quiet(void);
// "what (how many): name, name, ...", shortened when long; nothing when there are none. NULL-terminated.
void ebm_program_say_names(const char *what, char *const *names);
// Opens the device in a form of the kernels that is right (checked_device.h) and says what is to be said of that.
ebm_status ebm_program_open(const char *selector, ebm_device **device);
// Opens it and says which, with its driver. bf16: with products in bf16, or it is refused.
ebm_status ebm_program_device(const char *selector, bool bf16, ebm_device **device);
// The same for one of several ranks: its part of the machine's devices (ebm_device_open_part).
ebm_status ebm_program_device_of_rank(const char *selector, bool bf16, const ebm_ranks *ranks, ebm_device **device);
#define EBM_FP16_HELP "Store what the backward pass needs of activations as halves, for half of their memory"
#define EBM_BF16_HELP "Products of matrices in bf16 with fp32 sums, on CPUs with AVX512-BF16"
// Says what each arena needs, checks that all fit, with `suggestion` in the error when they do not.
ebm_status ebm_program_plan(ebm_device *device, ebm_arena *const *arenas, size_t count, const char *suggestion);

// From then on the first SIGINT or SIGTERM only sets the flag, the second one ends the process at once.
const volatile sig_atomic_t *ebm_program_stop_flag(void);

// A line that is written over again and again on a terminal; elsewhere a line a minute.
void ebm_program_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ebm_program_progress_end(void);
void ebm_program_duration(double seconds, char text[16]); // "1:02:03"

// The options that say where texts and labels come from; a struct of a command may hold this first.
typedef struct {
    const char *task_name, *data_dir, *train_file, *validation_file, *test_file;
    const char *text_column, *text_pair_column, *label_column;
    bool skip_malformed;
} ebm_data_options;
// clang-format off
#define EBM_DATA_OPTIONS(type, member)                                                                                 \
    {"task_name", EBM_OPTION_STRING, offsetof(type, member.task_name), NULL,                                           \
     "GLUE task: cola, sst2, mrpc, rte, wnli, qnli, qqp, mnli", 0, 0, false, NULL, false},                             \
        {"data_dir", EBM_OPTION_STRING, offsetof(type, member.data_dir), NULL,                                         \
         "Folder of the GLUE files, or the one above it", 0, 0, false, NULL, false},                                   \
        {"train_file", EBM_OPTION_STRING, offsetof(type, member.train_file), NULL,                                     \
         "Training texts: .tsv, .csv or .jsonl, each also with .gz", 0, 0, false, NULL, false},                        \
        {"validation_file", EBM_OPTION_STRING, offsetof(type, member.validation_file), NULL, "Validation texts", 0, 0, \
         false, NULL, false},                                                                                          \
        {"test_file", EBM_OPTION_STRING, offsetof(type, member.test_file), NULL, "Test texts", 0, 0, false, NULL,      \
         false},                                                                                                       \
        {"text_column", EBM_OPTION_STRING, offsetof(type, member.text_column), NULL, "Column of the (first) text", 0,  \
         0, false, NULL, false},                                                                                       \
        {"text_pair_column", EBM_OPTION_STRING, offsetof(type, member.text_pair_column), NULL,                         \
         "Column of the second text of a pair", 0, 0, false, NULL, false},                                             \
        {"label_column", EBM_OPTION_STRING, offsetof(type, member.label_column), NULL, "Column of the label", 0, 0,    \
         false, NULL, false},                                                                                          \
        {"skip_malformed", EBM_OPTION_FLAG, offsetof(type, member.skip_malformed), NULL,                               \
         "Leave out malformed rows and say how many, instead of stopping", 0, 0, false, NULL, false}
// clang-format on

// Reads one split: the file given for it, else the task's own in data_dir. *dataset stays NULL when neither is given.
// known_labels: NULL collects them (or takes the task's). *task (may be NULL) is the task that was named, or NULL.
ebm_status ebm_program_read(const ebm_data_options *options, ebm_split split, ebm_label_use use,
                            const ebm_labels *known_labels, ebm_dataset **dataset);
// The same with labels required and the annotators' columns (ebm_dataset_format), of which there may be none.
ebm_status ebm_program_read_annotated(const ebm_data_options *options, ebm_split split, const ebm_labels *known_labels,
                                      const ebm_string_list *annotators, ebm_dataset **dataset);
ebm_status ebm_program_task(const ebm_data_options *options, const ebm_task **task); // NULL when none is named

#endif
