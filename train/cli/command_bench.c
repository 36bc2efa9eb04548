// ebmcl bench: what is timed is what training runs.
#include "command_bench.h"

#include <stdio.h>
#include <string.h>

static const ebm_command parts[] = {
    {"device", "peak arithmetic, memory bandwidth, launches", ebm_command_bench_device},
    {"gemm", "the matrix products of a model's step, by every backend", ebm_command_bench_gemm},
    {"kernels", "everything in a step that is not a product", ebm_command_bench_kernels},
    {"step", "whole training steps: forward, backward, AdamW", ebm_command_bench_step},
    {"noise", "generation of noise texts", ebm_command_bench_noise},
    {"eval", "predictions for a file of texts", ebm_command_bench_eval},
    {"tokenizer", "encoding of texts on one thread", ebm_command_bench_tokenizer},
    {"compare", "a page of Markdown from what the parts print with --json", ebm_command_bench_compare},
};
enum { PARTS = sizeof parts / sizeof *parts };

ebm_status ebm_command_bench(int argc, char **argv)
{
    const char *names[PARTS];
    for (size_t i = 0; i < PARTS; i++) names[i] = parts[i].name;
    if (argc == 0)
        return ebm_fail(EBM_ERROR_INPUT,
                        "ebmcl bench: expected a part: device, gemm, kernels, step, noise, eval, tokenizer or compare");
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        printf("usage: ebmcl bench PART [--OPTION VALUE]...      ebmcl bench PART --help tells its options\n\n");
        for (size_t i = 0; i < PARTS; i++) printf("  %-11s%s\n", parts[i].name, parts[i].summary);
        return ebm_ok();
    }
    for (size_t i = 0; i < PARTS; i++)
        if (strcmp(argv[0], parts[i].name) == 0) return parts[i].run(argc - 1, argv + 1);
    return ebm_fail(EBM_ERROR_INPUT, "ebmcl bench: unknown part '%.60s'; did you mean '%s'?", argv[0],
                    ebm_nearest_name(argv[0], names, PARTS));
}
