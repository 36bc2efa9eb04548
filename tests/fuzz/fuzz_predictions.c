// A letter that says the format, then a file of predictions: what is accepted can be measured.
#include <stdlib.h>

#include "fuzz.h"
#include "npy.h"
#include "predictions_read.h"

static void check_array(const char *path)
{
    ebm_npy array;
    const ebm_status status = ebm_npy_read(path, &array);
    fuzz_check_refusal(status);
    fuzz_require((status.code == EBM_OK) == (array.values != NULL));
    if (array.values) fuzz_require(array.rows > 0 && array.columns > 0);
    ebm_npy_free(&array);
}

void fuzz_predictions(const uint8_t *data, size_t size)
{
    static const char *const names[][2] = {{"t", "x.tsv"}, {"c", "x.csv"}, {"j", "x.jsonl"}, {"n", "x.npy"}};
    if (size == 0) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (data[0] != (uint8_t)names[i][0][0]) continue;
        const char *path = fuzz_file(names[i][1], data + 1, size - 1);
        if (data[0] == 'n') check_array(path);
        for (int labels = 0; labels < 2; labels++) {
            ebm_read_predictions read;
            const ebm_status status =
                ebm_predictions_read(&(ebm_prediction_source){.path = path, .needs_labels = labels}, &read);
            fuzz_check_refusal(status);
            if (status.code == EBM_OK && labels) fuzz_require(ebm_predictions_check(&read.rows).code == EBM_OK);
            if (status.code == EBM_OK) fuzz_require(read.rows.count > 0 && read.rows.labels > 1);
            ebm_read_predictions_free(&read);
        }
    }
}
