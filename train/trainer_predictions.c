// Predictions of every evaluation, so that a run can be judged as if it had been stopped there: by what was chosen on
// one half of the validation texts, tested on the other.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "trainer_internal.h"

static ebm_status append_row(ebm_file_writer *writer, const ebm_predictions *p, size_t row)
{
    const float *logits = p->logits + row * (size_t)p->labels;
    char text[64];
    snprintf(text, sizeof text, "{\"label\": %d, \"logits\": ", (int)p->label[row]);
    EBM_TRY(ebm_file_writer_append(writer, text, strlen(text)));
    for (int y = 0; y < p->labels; y++) {
        snprintf(text, sizeof text, "%s%.9g", y ? ", " : "[", (double)logits[y]);
        EBM_TRY(ebm_file_writer_append(writer, text, strlen(text)));
    }
    if (p->energy)
        snprintf(text, sizeof text, "], \"energy\": %.9g}\n", (double)p->energy[row]);
    else
        snprintf(text, sizeof text, "]}\n");
    return ebm_file_writer_append(writer, text, strlen(text));
}

static ebm_status write_rows(const char *path, const ebm_predictions *predictions)
{
    ebm_file_writer *writer = NULL;
    ebm_status status = ebm_file_writer_open(path, &writer);
    for (size_t row = 0; status.code == EBM_OK && row < predictions->count; row++)
        status = append_row(writer, predictions, row);
    if (status.code == EBM_OK) status = ebm_file_writer_finish(writer);
    ebm_file_writer_free(writer);
    return status;
}

ebm_status ebm_trainer_save_predictions(const ebm_trainer *t, const ebm_predictions *predictions)
{
    char name[64];
    snprintf(name, sizeof name, "step-%" PRIu64 ".jsonl", t->done);
    char *folder = ebm_path_join(t->set.output_dir, "predictions");
    char *path = folder ? ebm_path_join(folder, name) : NULL;
    ebm_status status = path ? ebm_directory_make(folder) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    if (status.code == EBM_OK) status = write_rows(path, predictions);
    free(path);
    free(folder);
    return status;
}
