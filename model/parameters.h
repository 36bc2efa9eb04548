// One table of parameters: name in the checkpoint, shape, weight decay or not, initial distribution, and where it lies
// on the device. Weights, gradients and both moments of AdamW share one layout.
//
//     ebm_parameters *p = ebm_parameters_create(device, true);
//     ebm_tensor *qkv = ebm_parameters_tensor(p, 3 * C * C, true);                 // one tensor on the device ...
//     ebm_parameters_name(p, qkv, 0,         C, C, EBM_INIT_NORMAL, "encoder.layer.%d.attention.self.query.weight", l);
//     ebm_parameters_name(p, qkv, C * C,     C, C, EBM_INIT_NORMAL, "encoder.layer.%d.attention.self.key.weight", l);
//     ebm_parameters_name(p, qkv, 2 * C * C, C, C, EBM_INIT_NORMAL, "encoder.layer.%d.attention.self.value.weight", l);
//     ... ebm_parameters_arenas -> plan -> ebm_parameters_allocate -> ebm_parameters_load ->
//     ebm_parameters_init_missing
#ifndef EBM_PARAMETERS_H
#define EBM_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "safetensors.h"

#ifdef __cplusplus
extern "C" {
#endif

// One tensor on the device. gradient, moment1 and moment2 have 0 elements unless created for training.
typedef struct {
    ebm_slice weight, gradient, moment1, moment2;
    size_t count;
    bool decay; // weight decay applies: matrices and embeddings, not biases and LayerNorm
} ebm_tensor;

typedef enum { EBM_INIT_NORMAL, EBM_INIT_ZERO, EBM_INIT_ONE } ebm_init; // NORMAL: mean 0, deviation 0.02

// One tensor of the checkpoint: `rows` x `columns` (a vector has rows = 0 and `columns` elements), stored in `tensor`
// from element `first` on.
typedef struct {
    char name[128];
    size_t rows, columns, first;
    ebm_tensor *tensor;
    ebm_init init;
    bool loaded;     // by the last load or restore
    size_t given;    // so many of its elements, the first ones: all when loaded, fewer when it has grown
    bool may_grow;   // set by the caller: a file with fewer rows is accepted, the rest keep their values (added tokens)
    bool may_differ; // set by the caller: one of another shape in the file is passed over (a head for other labels)
} ebm_parameter;

typedef struct ebm_parameters ebm_parameters;

ebm_parameters *ebm_parameters_create(ebm_device *device, bool training); // NULL when out of host memory
void ebm_parameters_free(ebm_parameters *parameters);                     // NULL is accepted

// Plans a device tensor; the pointer stays valid until the table is freed. NULL when out of host memory: the error is
// kept and returned by ebm_parameters_allocate, so callers need not check each one before.
ebm_tensor *ebm_parameters_tensor(ebm_parameters *parameters, size_t count, bool decay);
// Names a part of it. Every element of a tensor must belong to exactly one name (checked by ebm_parameters_allocate).
void ebm_parameters_name(ebm_parameters *parameters, ebm_tensor *tensor, size_t first, size_t rows, size_t columns,
                         ebm_init init, const char *format, ...) __attribute__((format(printf, 7, 8)));

// The arenas to plan with others: 1 (weights) or 4 (weights, gradients, two moments). Returns how many.
size_t ebm_parameters_arenas(const ebm_parameters *parameters, ebm_arena *arenas[4]);
ebm_status ebm_parameters_allocate(ebm_parameters *parameters);

// Borrowed views for loops over everything (optimiser, norm, saving).
size_t ebm_parameters_count(const ebm_parameters *parameters);
ebm_parameter *ebm_parameters_view(ebm_parameters *parameters, size_t index);
size_t ebm_parameters_tensor_count(const ebm_parameters *parameters);
ebm_tensor *ebm_parameters_tensor_view(ebm_parameters *parameters, size_t index);
ebm_parameter *ebm_parameters_find(ebm_parameters *parameters, const char *name); // NULL when there is none

// Draws all weights: parameter i from Philox stream (seed, i, EBM_SITE_INIT).
ebm_status ebm_parameters_init(ebm_parameters *parameters, uint64_t seed);
// After a load: only the elements that no file gave, with the values ebm_parameters_init would have given them. Drawing
// a whole model before it is loaded takes longer than loading it.
ebm_status ebm_parameters_init_missing(ebm_parameters *parameters, uint64_t seed);

// Counts how often weights were written: whoever keeps something made of them compares it. Loading, restoring and
// drawing count by themselves; whoever writes to a weight's slice in another way says so.
uint64_t ebm_parameters_version(const ebm_parameters *parameters);
void ebm_parameters_changed(ebm_parameters *parameters);

// Fills weights from a checkpoint. A tensor of the file is looked up under the table's name, then with each of the
// given prefixes added or taken away (as "bert.", "roberta.", "transformer."), then with old endings (LayerNorm.gamma /
// beta), then, for word embeddings, as the output matrix that is tied to them (lm_head.weight). Missing ones keep their
// values, loaded = false and given = 0. A found one of the wrong shape or not finite is an error naming it. `ignored`:
// names in the file nobody asked for, NULL-terminated, one allocation for the caller to free(); may be NULL.
ebm_status ebm_parameters_load(ebm_parameters *parameters, const ebm_safetensors *file, const char *const *prefixes,
                               char ***ignored);

// What to write: the weights (EBM_PART_WEIGHT) or another of the four under their checkpoint names, `prefix` put before
// each. Only names for which keep(name) is true; keep may be NULL for all. Atomic.
typedef enum { EBM_PART_WEIGHT, EBM_PART_GRADIENT, EBM_PART_MOMENT1, EBM_PART_MOMENT2 } ebm_part;
ebm_status ebm_parameters_save(ebm_parameters *parameters, ebm_part part, const char *path, const char *prefix,
                               bool (*keep)(const char *name));
// Reads back exactly what ebm_parameters_save wrote for this part (all names must be there): for resuming.
ebm_status ebm_parameters_restore(ebm_parameters *parameters, ebm_part part, const ebm_safetensors *file,
                                  const char *prefix, bool (*keep)(const char *name));

#ifdef __cplusplus
}
#endif
#endif
