#include "compare_methods.h"

typedef enum { ALWAYS, WITH_NOISE, WITH_SEEDS } when;

// The first is what the others are compared with. "joint" is He et al. 2021; "joint, focal loss" what ebmcl train does
// (bench/EXPERIMENTS.md); sources of the others: label_loss.h, average.h.
static const struct {
    when when;
    const char *method;
} DEFAULTS[] = {
    {ALWAYS, "{\"name\": \"CE\"}"},
    {WITH_NOISE, "{\"name\": \"joint\", \"options\": {\"objective\": \"joint\","
                 " \"energy\": [\"hidden\", \"scalar\", \"sharp-hidden\"]}}"},
    {WITH_NOISE, "{\"name\": \"joint, focal loss\", \"options\": {\"objective\": \"joint\", \"energy\": \"hidden\","
                 " \"focal_gamma\": \"auto\", \"nce_weight\": 0.3, \"nce_warmup_ratio\": 1}}"},
    {ALWAYS, "{\"name\": \"focal loss\", \"options\": {\"focal_gamma\": \"auto\"}}"},
    {ALWAYS, "{\"name\": \"label smoothing\", \"options\": {\"label_smoothing_factor\": 0.1}}"},
    {ALWAYS, "{\"name\": \"PosCal\", \"options\": {\"poscal_weight\": 1}}"},
    {ALWAYS, "{\"name\": \"CE stopped by NLL\", \"of\": \"CE\", \"stop\": \"nll\"}"},
    {WITH_NOISE, "{\"name\": \"CE at joint's training CE\", \"of\": \"CE\", \"stop\": \"training_cross_entropy\","
                 " \"as\": \"joint hidden\"}"},
    {ALWAYS, "{\"name\": \"MC dropout\", \"of\": \"CE\", \"predict\": {\"mc_dropout\": 10}}"},
    {WITH_SEEDS, "{\"name\": \"ensemble\", \"of\": \"CE\", \"average\": true}"},
};

json_t *compare_default_methods(bool joint, bool seeds)
{
    json_t *methods = json_array();
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++) {
        if (DEFAULTS[i].when == WITH_NOISE ? !joint : DEFAULTS[i].when == WITH_SEEDS && !seeds) continue;
        json_t *method = json_loads(DEFAULTS[i].method, 0, NULL);
        if (method && json_array_append_new(methods, method) == 0) continue;
        json_decref(methods);
        return NULL;
    }
    return methods;
}
