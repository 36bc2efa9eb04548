#include "noise_options.h"

const char *const EBM_SOURCES[] = {"model", "mlm", "shuffle", "file", NULL};

bool ebm_noise_options_any(const ebm_noise_options *set)
{
    return set->source >= 0 || set->model || set->mlm || set->file;
}

// What each source is read from: the option's name and whether it was given; a name of NULL: from the training texts.
typedef struct {
    const char *option, *value;
} origin;

static origin origin_of(const ebm_noise_options *set, int source)
{
    const origin origins[] = {
        [EBM_SOURCE_MODEL] = {"--noise_model", set->model},
        [EBM_SOURCE_MLM] = {"--noise_mlm", set->mlm},
        [EBM_SOURCE_SHUFFLE] = {NULL, NULL},
        [EBM_SOURCE_FILE] = {"--noise_file", set->file},
    };
    return origins[source];
}

static ebm_status deduce(ebm_noise_options *set, const ebm_options *given)
{
    int found = -1;
    for (int i = 0; EBM_SOURCES[i]; i++) {
        if (!origin_of(set, i).value) continue;
        if (found >= 0)
            return ebm_fail(EBM_ERROR_INPUT, "noise comes from one source, but %s and %s were given",
                            origin_of(set, found).option, origin_of(set, i).option);
        found = i;
    }
    if (found < 0 && ebm_options_given(given, "shuffle_ngram")) found = EBM_SOURCE_SHUFFLE;
    if (found < 0)
        return ebm_fail(EBM_ERROR_INPUT,
                        "noise is needed: give --noise_model, --noise_mlm or --noise_file, or --noise_source shuffle");
    set->source = found;
    return ebm_ok();
}

static ebm_status check(const ebm_noise_options *set)
{
    const origin own = origin_of(set, set->source);
    if (own.option && !own.value)
        return ebm_fail(EBM_ERROR_INPUT, "--noise_source %s needs %s", EBM_SOURCES[set->source], own.option);
    for (int i = 0; EBM_SOURCES[i]; i++)
        if (i != set->source && origin_of(set, i).value)
            return ebm_fail(EBM_ERROR_INPUT, "--noise_source %s takes no %s", EBM_SOURCES[set->source],
                            origin_of(set, i).option);
    if (set->ngram != 1 && set->source != EBM_SOURCE_SHUFFLE)
        return ebm_fail(EBM_ERROR_INPUT, "--shuffle_ngram is for --noise_source shuffle, not %s",
                        EBM_SOURCES[set->source]);
    return ebm_ok();
}

ebm_status ebm_noise_options_resolve(ebm_noise_options *set, const ebm_options *given)
{
    if (set->source < 0) EBM_TRY(deduce(set, given));
    set->mask_is_given = ebm_options_given(given, "mask_probability");
    return check(set);
}

const char *ebm_noise_options_origin(const ebm_noise_options *set)
{
    const char *value = origin_of(set, set->source).value;
    return value ? value : "shuffled training texts";
}
