// Finding a model by what a user calls it: a directory, or a name as on the Hugging Face hub. Nothing is downloaded: of
// the hub only the cache is known that its own tools fill, in their layout,
//     <cache>/models--<organisation>--<model>/refs/<revision>      holds a commit
//     <cache>/models--<organisation>--<model>/snapshots/<commit>/  the files
// where <cache> is $HF_HUB_CACHE, $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or
// ~/.cache/huggingface/hub: the first of them that is set.
//
//     char *directory = NULL;
//     EBM_TRY(ebm_model_find("google/electra-small-discriminator", &directory));
//     ... ebm_predictor_open(device, directory, 0, &predictor) ...
//     free(directory);
#ifndef EBM_MODEL_FIND_H
#define EBM_MODEL_FIND_H

#include <stdbool.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

// `name`: a path that exists is taken as it is; else MODEL or ORGANISATION/MODEL, with @REVISION (a branch, a tag or a
// commit; main without it) when wanted. A directory of sentence-transformers that keeps its encoder in a folder of its
// own (modules.json, 0_Transformer) gives that folder. *directory is the caller's to free(). Not found: EBM_ERROR_INPUT
// with where it was looked for and the command that fetches it.
ebm_status ebm_model_find(const char *name, char **directory);

#ifdef __cplusplus
}
#endif
#endif
