// ebmcl report: a page of HTML on one run or several.
#include <string.h>

#include "html_report.h"
#include "json_output.h"
#include "program.h"

typedef struct {
    ebm_string_list directories;
    const char *output_file, *title;
    bool json;
} report_options;

#define AT(member) offsetof(report_options, member)
static const ebm_option OPTIONS[] = {
    {"run_dirs", EBM_OPTION_LIST, AT(directories), NULL,
     .help = "Output directories of ebmcl train, side by side; their names alone in front of the options do as well"},
    {"output_file", EBM_OPTION_STRING, AT(output_file), NULL,
     .help = "Where the page goes; a file that is there is replaced", .required = true},
    {"title", EBM_OPTION_STRING, AT(title), NULL, .help = "Its heading; default: the names of the directories"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "What was written as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl report",
    "A page of HTML on the output directories of training runs: metrics, calibration, "
    "energies, curves, wrong answers, settings.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

// Names of directories in front; one name of a .json file alone is a file of options, as for every command.
static ebm_status parse(int argc, char **argv, report_options *o, ebm_options **parsed, bool *done)
{
    const char *ending = argc == 1 ? strrchr(argv[0], '.') : NULL;
    if (ending && strcmp(ending, ".json") == 0) return ebm_program_options(&TABLE, argc, argv, o, parsed, done);
    return ebm_program_options_named(&TABLE, "--run_dirs", argc, argv, o, parsed, done);
}

static ebm_status run(const report_options *o)
{
    const ebm_html_report report = {.directories = o->directories.items,
                                    .count = o->directories.count,
                                    .title = o->title,
                                    .made_with = "ebmcl " EBMCL_VERSION};
    if (report.count == 0)
        return ebm_fail(EBM_ERROR_INPUT, "at least one output directory of ebmcl train expected, found none");
    EBM_TRY(ebm_html_report_write(&report, o->output_file));
    ebm_program_say("report written to %s", o->output_file);
    if (!o->json) return ebm_ok();
    return ebm_program_print_json(
        json_pack("{s:s, s:I}", "output_file", o->output_file, "runs", (json_int_t)report.count));
}

ebm_status ebm_command_report(int argc, char **argv)
{
    report_options o;
    ebm_options *parsed = NULL;
    bool done = false;
    ebm_status status = parse(argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&o);
    ebm_options_free(parsed);
    return status;
}
