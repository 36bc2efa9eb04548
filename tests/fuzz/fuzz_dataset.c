// A letter that says the format, then a file of texts: what is accepted has rows of valid texts and labels.
#include <string.h>

#include "dataset.h"
#include "fuzz.h"
#include "text_file.h"
#include "utf8.h"

static void check_text(const char *text, size_t length)
{
    fuzz_require(strlen(text) == length && ebm_utf8_valid(text, length, NULL));
}

static void check_set(ebm_status status, ebm_dataset *set)
{
    fuzz_check_refusal(status);
    fuzz_require((status.code == EBM_OK) == (set != NULL));
    if (!set) return;
    const int32_t labels = (int32_t)ebm_dataset_labels(set)->count;
    fuzz_require(ebm_dataset_count(set) > 0);
    for (size_t i = 0; i < ebm_dataset_count(set); i++) {
        const ebm_row row = ebm_dataset_row(set, i);
        check_text(row.text_a, row.text_a_length);
        fuzz_require((row.text_b != NULL) == ebm_dataset_is_pairs(set));
        if (row.text_b) check_text(row.text_b, row.text_b_length);
        fuzz_require(row.label >= -1 && row.label < labels);
    }
    ebm_dataset_free(set);
}

static void check_lines(const char *path, ebm_text_unit unit)
{
    ebm_text_lines lines = {0};
    const ebm_status status = ebm_text_lines_read(path, unit, &lines);
    fuzz_check_refusal(status);
    for (size_t i = 0; i < lines.count; i++) check_text(lines.items[i].text, lines.items[i].length);
    ebm_text_lines_free(&lines);
}

void fuzz_dataset(const uint8_t *data, size_t size)
{
    static const char *const names[][2] = {{"t", "x.tsv"}, {"c", "x.csv"}, {"j", "x.jsonl"}, {"z", "x.tsv.gz"}};
    if (size == 0) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (data[0] != (uint8_t)names[i][0][0]) continue;
        const char *path = fuzz_file(names[i][1], data + 1, size - 1);
        for (int skip = 0; skip < 2; skip++) {
            ebm_dataset *set = NULL;
            const ebm_dataset_format format = {.empty_text = !skip, .skip_malformed = skip};
            const ebm_status status = ebm_dataset_read(path, &format, &set);
            check_set(status, set);
        }
    }
    if (data[0] != 'n') return;
    const char *path = fuzz_file("noise.txt", data + 1, size - 1);
    for (int pairs = 0; pairs < 2; pairs++) {
        ebm_dataset *set = NULL;
        const ebm_status status = ebm_dataset_read_noise(path, pairs, &set);
        check_set(status, set);
    }
    check_lines(path, EBM_TEXT_LINES);
    check_lines(path, EBM_TEXT_PARAGRAPHS);
}
