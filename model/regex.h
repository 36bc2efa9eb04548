// Patterns of tokenizer.json: a literal text, or a regular expression as Oniguruma reads it (which the tokenizers
// library uses), matched by PCRE2.
//
//     ebm_pattern *pattern = NULL;
//     EBM_TRY(ebm_pattern_read(json_object_get(component, "pattern"), "x/tokenizer.json: pre_tokenizer", &pattern));
//     ebm_pattern_search search = {0};
//     while (...) { EBM_CHECK(ebm_pattern_next(pattern, text, bytes, &scratch, &search), end); if (!search.found)
//     break; use(search.start, search.end); }                        // end: ebm_regex_scratch_free, ebm_pattern_free
#ifndef EBM_REGEX_H
#define EBM_REGEX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "status.h"
#include "utf8.h"

typedef struct ebm_pattern ebm_pattern;

// {"String": "..."} or {"Regex": "..."}; `where` starts the sentences of errors. EBM_ERROR_UNSUPPORTED for an
// expression that PCRE2 refuses, or that means something else to Oniguruma.
ebm_status ebm_pattern_read(const json_t *value, const char *where, ebm_pattern **pattern);
ebm_status ebm_pattern_from_regex(const char *regex, size_t bytes, const char *where, ebm_pattern **pattern);
void ebm_pattern_free(ebm_pattern *pattern); // NULL is accepted

// What one thread needs for matching, any patterns.
typedef struct {
    struct pcre2_real_match_data_8 *match;
} ebm_regex_scratch;
void ebm_regex_scratch_free(ebm_regex_scratch *scratch);

// Zeroed to begin with. As Oniguruma's find_iter: an empty match directly behind a match is passed over.
typedef struct {
    size_t at, last;
    bool any;
    bool found;
    size_t start, end;
} ebm_pattern_search;

// The next match in valid UTF-8. EBM_ERROR_MEMORY when PCRE2's limits end the search.
ebm_status ebm_pattern_next(const ebm_pattern *pattern, const char *text, size_t bytes, ebm_regex_scratch *scratch,
                            ebm_pattern_search *search);

// Internal to regex*.c: Oniguruma's syntax (Ruby's) in, PCRE2's (UTF, UCP, MULTILINE, newline LF) appended.
ebm_status ebm_regex_translate(const char *regex, size_t bytes, const char *where, ebm_bytes *pcre);

#endif
