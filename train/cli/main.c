// ebmcl: the program. Each command has a file of its own; this one finds it and turns a status into an exit code.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_process.h"
#include "program.h"

static const ebm_command commands[] = {
    {"quickstart", "a small joint run on built-in data, from nothing to a calibration report", ebm_command_quickstart},
    {"train", "fine-tune an encoder by cross-entropy or jointly with an energy-based model", ebm_command_train},
    {"noise", "train a noise model, or write samples of one (noise train, noise sample)", ebm_command_noise},
    {"eval", "accuracy and calibration of a model on labelled texts", ebm_command_eval},
    {"compare", "tasks x methods x seeds from one file: the table of accuracy and calibration", ebm_command_compare},
    {"calibrate", "fit a temperature on held-out texts and store it beside the model", ebm_command_calibrate},
    {"energies", "energies of data, noise and other texts, and noise picked by them", ebm_command_energies},
    {"predict", "labels, probabilities and energies of texts", ebm_command_predict},
    {"report", "a page of HTML on one training run or several, with figures", ebm_command_report},
    {"devices", "list the OpenCL devices", ebm_command_devices},
    {"selftest", "does this device compute what it should, and how fast: a block for bug reports",
     ebm_command_selftest},
    {"tune", "find the fastest matrix products for a device, once for all commands", ebm_command_tune},
    {"bench", "measure the device, and time what training and prediction are made of", ebm_command_bench},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *stream)
{
    fprintf(stream,
            "ebmcl %s: calibrated text classifiers through joint energy-based training, on any OpenCL device\n\n"
            "usage: ebmcl COMMAND [options]      ebmcl COMMAND --help tells a command's options\n\n",
            EBMCL_VERSION);
    for (size_t i = 0; i < COMMANDS; i++) fprintf(stream, "  %-12s%s\n", commands[i].name, commands[i].summary);
}

static ebm_status unknown_command(const char *name)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
    const char *nearest = ebm_nearest_name(name, names, COMMANDS);
    return ebm_fail(EBM_ERROR_INPUT, "unknown command '%.60s'; did you mean '%s'?", name, nearest);
}

static ebm_status run(int argc, char **argv)
{
    if (strcmp(argv[1], EBM_CHECK_COMMAND) == 0) return ebm_check_process_main(argc - 2, argv + 2);
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("ebmcl %s\n", EBMCL_VERSION);
        return 0;
    }
    const ebm_status status = run(argc, argv);
    ebm_program_progress_end();
    if (status.code == EBM_OK && fflush(stdout) == 0) return ebm_program_found_wrong() ? 1 : 0;
    if (status.code == EBM_OK) {
        perror("ebmcl: standard output");
        return 2;
    }
    if (!ebm_program_is_quiet()) fprintf(stderr, "ebmcl: %s\n", status.message);
    return status.code == EBM_ERROR_INTERRUPTED ? 130 : 2;
}
