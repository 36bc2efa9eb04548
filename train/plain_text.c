#include "plain_text.h"

#include <stdlib.h>
#include <string.h>

#include "text_file.h"

// Bytes of the closing quote or bracket at `at`, which is zero-terminated; 0: none.
static size_t closing_bytes(const char *at)
{
    static const char *const marks[] = {"\"", "'", ")", "]", "\xE2\x80\x9D", "\xE2\x80\x99"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(at, marks[i], strlen(marks[i])) == 0) return strlen(marks[i]);
    return 0;
}

// Bytes of the sentence at `text`: to the blank after its end, or to the last blank before `most`.
static size_t sentence_length(const char *text, size_t length, size_t most)
{
    size_t last_blank = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ') last_blank = i;
        if (i >= most && last_blank > 0) return last_blank;
        if (!strchr(".!?", text[i])) continue;
        size_t end = i + 1;
        for (size_t bytes; (bytes = closing_bytes(text + end)) > 0;) end += bytes;
        if (end >= length || text[end] == ' ') return end;
    }
    return length;
}

static size_t words_of(const char *text, size_t length)
{
    size_t words = 0;
    for (size_t i = 0; i < length; i++) words += text[i] != ' ' && (i == 0 || text[i - 1] == ' ');
    return words;
}

static ebm_status add_paragraph(const ebm_text_line *paragraph, size_t most, size_t *budget, ebm_dataset *dataset)
{
    char *copy = malloc(paragraph->length + 1);
    if (!copy) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a sentence");
    ebm_status status = ebm_ok();
    for (size_t at = 0; at<paragraph->length && * budget> 0 && status.code == EBM_OK;) {
        const size_t length = sentence_length(paragraph->text + at, paragraph->length - at, most);
        memcpy(copy, paragraph->text + at, length);
        copy[length] = 0;
        if (words_of(copy, length) >= 3 && length <= 2 * most) {
            status = ebm_dataset_add(dataset, copy, NULL, -1, paragraph->line);
            *budget = *budget > length ? *budget - length : 0;
        }
        at += length;
        while (at < paragraph->length && paragraph->text[at] == ' ') at++;
    }
    free(copy);
    return status;
}

ebm_status ebm_plain_text_add(const char *path, size_t most_bytes, size_t *budget_bytes, ebm_dataset *dataset)
{
    ebm_text_lines lines = {0};
    EBM_TRY(ebm_text_lines_read(path, EBM_TEXT_PARAGRAPHS, &lines));
    ebm_status status = ebm_ok();
    for (size_t i = 0; i<lines.count && * budget_bytes> 0 && status.code == EBM_OK; i++)
        status = add_paragraph(&lines.items[i], most_bytes, budget_bytes, dataset);
    ebm_text_lines_free(&lines);
    return status;
}
