#include "folded_model.h"

#include <stdlib.h>
#include <string.h>

static bool is_same_directory(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    const bool same = real_a && real_b && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

ebm_status ebm_program_folded_open(const char *model, const char *directory, bool overwrite,
                                   ebm_directory_writer **writer)
{
    if (is_same_directory(model, directory))
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s is the model's own directory, which stays as it is; take another"
                        " --output_dir",
                        directory);
    if (!overwrite && !ebm_directory_is_empty(directory))
        return ebm_fail(EBM_ERROR_INPUT, "%s is in use; take another --output_dir, or --overwrite_output_dir",
                        directory);
    return ebm_directory_writer_open(directory, writer);
}

ebm_status ebm_program_folded_write(ebm_scored_texts *scored, const ebm_temperature *fit, ebm_directory_writer *writer)
{
    const char *directory = ebm_directory_writer_path(writer);
    ebm_temperature folded = *fit;
    folded.temperature = 1;
    folded.folded = fit->temperature;
    EBM_TRY(ebm_predictor_fold_temperature(scored->predictor, fit->temperature));
    EBM_TRY(ebm_predictor_save(scored->predictor, directory));
    return ebm_temperature_save(directory, &folded);
}
