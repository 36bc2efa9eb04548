// ebmcl bench compare: results of --json side by side, as one page of Markdown.
#include <stdlib.h>

#include "bench_compare.h"
#include "command_bench.h"

typedef struct {
    ebm_string_list files;
} compare_options;

static const ebm_option OPTIONS[] = {
    {"files", EBM_OPTION_LIST, offsetof(compare_options, files), NULL,
     .help = "What parts of ebmcl bench printed with --json; the word --files may be left out", .required = true},
};
static const ebm_option_table TABLE = {
    "ebmcl bench compare",
    "One page of Markdown from results: a column for each device and version, and the ratios to the first.", OPTIONS,
    sizeof OPTIONS / sizeof *OPTIONS};

static ebm_status run(const compare_options *o)
{
    ebm_bench_page *page = NULL;
    ebm_status status = ebm_bench_page_create(&page);
    for (size_t i = 0; i < o->files.count && status.code == EBM_OK; i++)
        status = ebm_bench_page_add(page, o->files.items[i]);
    if (status.code == EBM_OK) status = ebm_bench_page_print(page, stdout);
    ebm_bench_page_free(page);
    return status;
}

ebm_status ebm_command_bench_compare(int argc, char **argv)
{
    compare_options o;
    ebm_options *parsed = NULL;
    bool done = false;
    // Names of files alone would be taken for a file of options.
    ebm_status status = ebm_program_options_named(&TABLE, "--files", argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&o);
    ebm_options_free(parsed);
    return status;
}
