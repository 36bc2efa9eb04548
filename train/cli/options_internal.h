// What reading and writing of options share.
#ifndef EBM_OPTIONS_INTERNAL_H
#define EBM_OPTIONS_INTERNAL_H

#include "options.h"

struct ebm_options {
    const ebm_option_table *table;
    bool *given; // by option
    bool help_wanted;
    char **texts; // what strings and lists point to
    size_t text_count, text_capacity;
    const char ***lists;
    size_t list_count, list_capacity;
};

// Sets one option of `values` from texts (exactly one but for a list). `source` begins the sentence of a complaint.
ebm_status ebm_option_set(ebm_options *options, const ebm_option *option, const char *source, const char *const *texts,
                          size_t count, void *values);

// Whether the text is one of the option's choices, letter by letter.
bool ebm_option_is_word(const ebm_option *option, const char *text);

// "a number from 0 to 1": what a value must be.
void ebm_option_expected(const ebm_option *option, char *text, size_t size);

#endif
