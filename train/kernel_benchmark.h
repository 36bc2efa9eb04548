// Every row, element and attention kernel of a model, each by itself at the sizes of a training step.
//
//     EBM_TRY(ebm_kernel_benchmark_create(device, config, &settings, &benchmark));
//     ... ebm_kernel_benchmark_arenas planned ...
//     EBM_CHECK(ebm_kernel_benchmark_allocate(benchmark), end);
//     for (size_t i = 0; i < ebm_kernel_benchmark_count(benchmark); i++)
//         EBM_CHECK(ebm_kernel_benchmark_measure(benchmark, i, &plan, &measured), end);
#ifndef EBM_KERNEL_BENCHMARK_H
#define EBM_KERNEL_BENCHMARK_H

#include "arena.h"
#include "config.h"
#include "device_benchmark.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    size_t batch_size, sequence_length; // texts, tokens of each
    size_t slots;                       // texts a noise model generates at a time
    uint64_t seed;
} ebm_kernel_benchmark_settings;

typedef struct ebm_kernel_benchmark ebm_kernel_benchmark;

// `config` is borrowed: an encoder's or GPT-2's. EBM_ERROR_INPUT when the model has no positions for sequence_length.
ebm_status ebm_kernel_benchmark_create(ebm_device *device, const ebm_config *config,
                                       const ebm_kernel_benchmark_settings *settings, ebm_kernel_benchmark **benchmark);
void ebm_kernel_benchmark_free(ebm_kernel_benchmark *benchmark); // NULL is accepted

enum { EBM_KERNEL_BENCHMARK_ARENAS = 5 };
size_t ebm_kernel_benchmark_arenas(ebm_kernel_benchmark *benchmark, ebm_arena *arenas[EBM_KERNEL_BENCHMARK_ARENAS]);
ebm_status ebm_kernel_benchmark_allocate(ebm_kernel_benchmark *benchmark);

size_t ebm_kernel_benchmark_count(const ebm_kernel_benchmark *benchmark); // operations that this model has
// "layernorm backward 2048 x 768"; written to `text`.
void ebm_kernel_benchmark_name(const ebm_kernel_benchmark *benchmark, size_t index, char *text, size_t size);
// An operation may be several launches; their flops and bytes are what the launches themselves state.
ebm_status ebm_kernel_benchmark_measure(ebm_kernel_benchmark *benchmark, size_t index, const ebm_timing_plan *plan,
                                        ebm_measured *measured);

#ifdef __cplusplus
}
#endif
#endif
