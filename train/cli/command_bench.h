// The parts of ebmcl bench.
#ifndef EBM_COMMAND_BENCH_H
#define EBM_COMMAND_BENCH_H

#include "program.h"

ebm_status ebm_command_bench_compare(int argc, char **argv);
ebm_status ebm_command_bench_device(int argc, char **argv);
ebm_status ebm_command_bench_eval(int argc, char **argv);
ebm_status ebm_command_bench_gemm(int argc, char **argv);
ebm_status ebm_command_bench_kernels(int argc, char **argv);
ebm_status ebm_command_bench_step(int argc, char **argv);
ebm_status ebm_command_bench_noise(int argc, char **argv);
ebm_status ebm_command_bench_tokenizer(int argc, char **argv);

#endif
