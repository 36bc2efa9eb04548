// A config.json: what is accepted can be written, and what was written says the same.
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"

static void check_same(const ebm_config *a, const ebm_config *b)
{
    fuzz_require(a->family == b->family && a->hidden == b->hidden && a->layers == b->layers && a->heads == b->heads);
    fuzz_require(a->intermediate == b->intermediate && a->vocabulary == b->vocabulary);
    fuzz_require(a->max_positions == b->max_positions && a->type_vocabulary == b->type_vocabulary);
    fuzz_require(a->pad_id == b->pad_id && a->bos_id == b->bos_id && a->eos_id == b->eos_id);
    fuzz_require(a->label_count == b->label_count);
    for (size_t i = 0; i < a->label_count; i++) fuzz_require(strcmp(a->labels[i], b->labels[i]) == 0);
}

void fuzz_config(const uint8_t *data, size_t size)
{
    ebm_config *config = NULL, *copy = NULL, *again = NULL;
    fuzz_file("config.json", data, size);
    const ebm_status status = ebm_config_load(fuzz_directory(), &config);
    fuzz_check_refusal(status);
    if (status.code != EBM_OK) return;
    fuzz_require_ok(ebm_config_check(config, "config"));
    fuzz_require_ok(ebm_config_copy(config, &copy));
    fuzz_require_ok(ebm_config_save(copy, fuzz_directory()));
    fuzz_require_ok(ebm_config_load(fuzz_directory(), &again));
    check_same(config, again);
    ebm_config_free(config);
    ebm_config_free(copy);
    ebm_config_free(again);
}
