// What decides the last bits of a training beside its settings: device and driver, the kernels, who does products. A
// checkpoint tells, so that one that is continued elsewhere, or after `ebmcl tune`, says that bits will differ.
//
//     json_object_set_new(state, "computed_by", ebm_computed_by(device));
//     ebm_computed_by_sentence note;
//     ebm_computed_by_note(device, json_object_get(state, "computed_by"), note);
//     if (note[0]) say(note);
#ifndef EBM_COMPUTED_BY_H
#define EBM_COMPUTED_BY_H

#include <jansson.h>

#include "device.h"

// {"device": "...", "kernels": "...", "products": "..."}; NULL when out of memory.
json_t *ebm_computed_by(const ebm_device *device);

// A sentence with what is not as `then` says, "" where all is, or `then` is NULL (a checkpoint of before it was
// recorded) or broken.
typedef char ebm_computed_by_sentence[1200];
void ebm_computed_by_note(const ebm_device *device, const json_t *then, ebm_computed_by_sentence note);

#endif
