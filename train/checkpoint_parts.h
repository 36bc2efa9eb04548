// What the checkpoints of a classifier's training and of a noise model's have in common.
//     optimizer_moment1.safetensors, optimizer_moment2.safetensors    under the parameters' names
//     in the state file: places in orders as [epoch, position], and the settings that must not change
#ifndef EBM_CHECKPOINT_PARTS_H
#define EBM_CHECKPOINT_PARTS_H

#include <jansson.h>

#include "order.h"
#include "parameters.h"

ebm_status ebm_moments_write(ebm_parameters *parameters, const char *directory);
ebm_status ebm_moments_read(ebm_parameters *parameters, const char *directory); // into the device's

json_t *ebm_place_of(const ebm_order *order); // NULL when out of memory
// Sentences of errors start with the file's path and the key.
ebm_status ebm_place_seek(ebm_order *order, const json_t *place, const char *path, const char *key);

// Every setting of `now` (taken over; NULL: out of memory) must stand in `then` with the same value; one that is false
// may be missing there, in a checkpoint of before it could be set.
ebm_status ebm_settings_check(json_t *now, const json_t *then, const char *path);

// "checkpoint-<step>"
typedef char ebm_checkpoint_name[64];
void ebm_checkpoint_name_of(uint64_t step, ebm_checkpoint_name name);
// The checkpoint-N with the largest N in the folder, for the caller to free(); NULL when there is none, or no folder.
ebm_status ebm_checkpoint_newest(const char *folder, char **path);
// Removes every other checkpoint-N in the folder: to be called once the newest is complete.
ebm_status ebm_checkpoint_remove_others(const char *folder, const char *newest);

#endif
