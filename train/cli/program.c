#include "program.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check_process.h"
#include "checked_device.h"
#include "gemm.h"

enum { QUIET_SECONDS = 60 }; // between two lines of progress in a file

static volatile sig_atomic_t stop_flag;
static bool progress_shown, quiet, found_wrong;

void ebm_program_be_quiet(bool wanted) { quiet = wanted; }
bool ebm_program_is_quiet(void) { return quiet; }

void ebm_program_find_wrong(void) { found_wrong = true; }
bool ebm_program_found_wrong(void) { return found_wrong; }

static void say_found(const char *option, const char *name, const char *directory)
{
    ebm_program_say("model: --%s %s is %s", option, name, directory);
}

ebm_status ebm_program_options(const ebm_option_table *table, int argc, char **argv, void *values,
                               ebm_options **options, bool *done)
{
    *done = false;
    EBM_TRY(ebm_options_parse(table, argc, (const char *const *)argv, values, options));
    if (!ebm_options_help_wanted(*options)) return ebm_options_find_models(*options, values, say_found);
    char *text = NULL;
    EBM_TRY(ebm_options_help(table, &text));
    fputs(text, stdout);
    free(text);
    *done = true;
    return ebm_ok();
}

ebm_status ebm_program_options_named(const ebm_option_table *table, const char *option, int argc, char **argv,
                                     void *values, ebm_options **options, bool *done)
{
    if (argc == 0 || argv[0][0] == '-') return ebm_program_options(table, argc, argv, values, options, done);
    char **all = calloc((size_t)argc + 1, sizeof *all), *name = strdup(option);
    ebm_status status = all && name ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %d names", argc);
    if (status.code == EBM_OK) {
        all[0] = name;
        memcpy(all + 1, argv, (size_t)argc * sizeof *all);
        status = ebm_program_options(table, argc + 1, all, values, options, done);
    }
    free(all);
    free(name);
    return status;
}

void ebm_program_say(const char *format, ...)
{
    if (quiet) return;
    ebm_program_progress_end();
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

void ebm_program_say_names(const char *what, char *const *names)
{
    char line[400] = "";
    size_t count = 0, shown = 0;
    for (; names && names[count]; count++) {
        const size_t used = strlen(line);
        if (used >= 300) continue;
        snprintf(line + used, sizeof line - used, "%s%.80s", count ? ", " : "", names[count]);
        shown++;
    }
    if (count > 0) ebm_program_say("%s (%zu): %s%s", what, count, line, shown < count ? ", ..." : "");
}

static void say_device(const ebm_device *device)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    const bool bf16 = ebm_gemm_precision(device) == EBM_BF16;
    ebm_program_say("device %d: %s (%s, driver %s), %s kernels, products %s %s", info->index, info->name,
                    info->platform_name, info->driver, ebm_device_uses_cpu_kernels(device) ? "CPU" : "GPU",
                    bf16 ? "in" : "by", ebm_gemm_backend(device));
    if (ebm_gemm_tuning(device)[0]) ebm_program_say("device %d: tuned by %s", info->index, ebm_gemm_tuning(device));
    if (ebm_gemm_note(device)[0]) ebm_program_say("device %d: not tuned: %s", info->index, ebm_gemm_note(device));
}

// A launcher may have bound a rank to fewer processors than its part of the device has units.
static void say_ranks(const ebm_device *device, const ebm_ranks *ranks)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    cpu_set_t allowed;
    const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const unsigned processors = known ? (unsigned)CPU_COUNT(&allowed) : info->compute_units;
    if (info->parts > 1)
        ebm_program_say("ranks: %d, %d on this machine, each with %u of %u units of its device", ranks->count,
                        ranks->local_count, info->compute_units, info->compute_units * info->parts);
    else
        ebm_program_say("ranks: %d, %d on this machine", ranks->count, ranks->local_count);
    if (info->parts > 1 && processors < info->compute_units)
        ebm_program_say(
            "ranks: this one is bound to %u processors, fewer than its units; mpirun --bind-to none frees it",
            processors);
}

static void say_note(void *context, const char *line)
{
    (void)context;
    ebm_program_say("%s", line);
}

static void show_check(void *context, ebm_kernel_form form, const char *family)
{
    (void)context;
    ebm_program_progress("device: checking its kernels, once for this driver: %s, %s", ebm_kernel_form_name(form),
                         family);
}

static ebm_status open_part(const char *selector, int part, int parts, ebm_device **device)
{
    const ebm_check_listener listener = {NULL, say_note, show_check, ebm_check_process};
    return ebm_checked_device_open_part(selector, (unsigned)part, (unsigned)parts, &listener, device);
}

ebm_status ebm_program_open(const char *selector, ebm_device **device) { return open_part(selector, 0, 1, device); }

ebm_status ebm_program_device(const char *selector, bool bf16, ebm_device **device)
{
    return ebm_program_device_of_rank(selector, bf16, NULL, device);
}

ebm_status ebm_program_device_of_rank(const char *selector, bool bf16, const ebm_ranks *ranks, ebm_device **device)
{
    EBM_TRY(open_part(selector, ranks ? ranks->local_rank : 0, ranks ? ranks->local_count : 1, device));
    EBM_TRY(ebm_gemm_prepare(*device));
    if (bf16) EBM_TRY(ebm_in(ebm_gemm_set_precision(*device, EBM_BF16), "--bf16"));
    say_device(*device);
    if (ranks) say_ranks(*device, ranks);
    return ebm_ok();
}

static double mib(uint64_t bytes) { return (double)bytes / (1024.0 * 1024.0); }

ebm_status ebm_program_plan(ebm_device *device, ebm_arena *const *arenas, size_t count, const char *suggestion)
{
    char line[768] = "";
    uint64_t total = ebm_gemm_reserved_bytes(device);
    if (total > 0) snprintf(line, sizeof line, "copies for products %.0f, ", mib(total));
    for (size_t i = 0; i < count; i++) {
        const size_t used = strlen(line);
        total += ebm_arena_bytes(arenas[i]);
        snprintf(line + used, sizeof line - used, "%s %.0f, ", ebm_arena_name(arenas[i]),
                 mib(ebm_arena_bytes(arenas[i])));
    }
    ebm_program_say("memory: %stotal %.0f MiB, device has %.0f MiB", line, mib(total),
                    mib(ebm_device_info_view(device)->memory_bytes));
    return ebm_arena_plan(device, arenas, count, suggestion);
}

static void on_signal(int number)
{
    if (stop_flag) _exit(128 + number);
    stop_flag = 1;
}

const volatile sig_atomic_t *ebm_program_stop_flag(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return &stop_flag;
}

void ebm_program_progress(const char *format, ...)
{
    static time_t last;
    const bool terminal = isatty(STDERR_FILENO);
    const time_t now = time(NULL);
    if (quiet) return;
    if (last == 0) last = now;
    if (!terminal && now - last < QUIET_SECONDS) return;
    last = now;
    va_list arguments;
    va_start(arguments, format);
    if (terminal) fputs("\r\033[K", stderr);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (!terminal) fputc('\n', stderr);
    fflush(stderr);
    progress_shown = terminal;
}

void ebm_program_progress_end(void)
{
    if (progress_shown) fputc('\n', stderr);
    progress_shown = false;
}

void ebm_program_duration(double seconds, char text[16])
{
    const unsigned all = seconds > 0 && seconds < 3.6e7 ? (unsigned)seconds : 0;
    if (all >= 3600)
        snprintf(text, 16, "%u:%02u:%02u", all / 3600, all / 60 % 60, all % 60);
    else
        snprintf(text, 16, "%u:%02u", all / 60, all % 60);
}

ebm_status ebm_program_task(const ebm_data_options *options, const ebm_task **task)
{
    *task = NULL;
    return options->task_name ? ebm_task_find(options->task_name, task) : ebm_ok();
}

static ebm_status read_file(const ebm_data_options *o, const ebm_task *task, ebm_split split, const char *path,
                            const ebm_dataset_format *wanted, ebm_dataset **dataset)
{
    ebm_dataset_format format = {0};
    if (task) format = ebm_task_format(task, split);
    if (o->text_column) {
        format.text_column = o->text_column;
        format.text_pair_column = o->text_pair_column;
    }
    if (o->label_column) format.label_column = o->label_column;
    if (wanted->known_labels && wanted->known_labels->count > 0) format.known_labels = wanted->known_labels;
    format.labels = wanted->labels;
    format.annotator_columns = wanted->annotator_columns;
    format.annotator_count = wanted->annotator_count;
    format.skip_malformed = o->skip_malformed;
    EBM_TRY(ebm_dataset_read(path, &format, dataset));
    if (ebm_dataset_skipped(*dataset) > 0)
        ebm_program_say("%s: %zu malformed rows left out, the first: %s", path, ebm_dataset_skipped(*dataset),
                        ebm_dataset_first_skipped(*dataset));
    return ebm_ok();
}

// wanted: labels, known labels and annotators.
static ebm_status read_split(const ebm_data_options *o, ebm_split split, const ebm_dataset_format *wanted,
                             ebm_dataset **dataset)
{
    const char *const files[] = {o->train_file, o->validation_file, o->test_file};
    const ebm_task *task = NULL;
    *dataset = NULL;
    EBM_TRY(ebm_program_task(o, &task));
    if (files[split]) return read_file(o, task, split, files[split], wanted, dataset);
    if (!task || !o->data_dir) return ebm_ok();
    char *path = NULL;
    EBM_TRY(ebm_task_file(task, o->data_dir, split, &path));
    const ebm_status status = read_file(o, task, split, path, wanted, dataset);
    free(path);
    return status;
}

ebm_status ebm_program_read(const ebm_data_options *o, ebm_split split, ebm_label_use use, const ebm_labels *known,
                            ebm_dataset **dataset)
{
    return read_split(o, split, &(ebm_dataset_format){.labels = use, .known_labels = known}, dataset);
}

ebm_status ebm_program_read_annotated(const ebm_data_options *o, ebm_split split, const ebm_labels *known,
                                      const ebm_string_list *annotators, ebm_dataset **dataset)
{
    const ebm_dataset_format wanted = {.labels = EBM_LABELS_REQUIRED,
                                       .known_labels = known,
                                       .annotator_columns = annotators->items,
                                       .annotator_count = annotators->count};
    return read_split(o, split, &wanted, dataset);
}
