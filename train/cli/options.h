// The options of a command: one table says name, type, default, limits and help; values land in a struct.
//
//     typedef struct { size_t steps; double rate; const char *folder; int energy; } settings;
//     static const char *const energies[] = {"scalar", "hidden", NULL};
//     static const ebm_option options[] = {
//         {"max_steps", EBM_OPTION_SIZE, offsetof(settings, steps), "0", .help = "Last step; 0: by epochs"},
//         {"learning_rate", EBM_OPTION_FLOAT, offsetof(settings, rate), "5e-5", .help = "Peak rate", .most = 1},
//         {"energy", EBM_OPTION_ENUM, offsetof(settings, energy), "hidden", .help = "Its form", .choices = energies},
//         {"output_dir", EBM_OPTION_STRING, offsetof(settings, folder), NULL, .help = "Folder", .required = true},
//     };
//     static const ebm_option_table table = {"ebmcl train", "Trains.", options, sizeof options / sizeof *options};
//     EBM_TRY(ebm_options_parse(&table, argc - 2, (const char *const *)argv + 2, &values, &parsed));
//     // ... values.folder points into `parsed`
//     ebm_options_free(parsed);
//
// Accepted: --name value, --name=value, '-' and '_' alike; a flag alone or with true or false behind it; a list takes
// what follows up to the next option (--name=value: that one item). A file of options is one JSON object with the same
// names: `command file.json` alone, or --config file.json beside options that override it. null leaves a default.
// --help and -h are always there. A value that begins with "--" is written --name=--value.
//
// Complaints are EBM_ERROR_INPUT of one line, naming the option (and the file), what was expected and what was found.
#ifndef EBM_OPTIONS_H
#define EBM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

typedef enum {
    EBM_OPTION_FLAG,   // bool
    EBM_OPTION_INT,    // int64_t
    EBM_OPTION_SIZE,   // size_t, at most 2^63 - 1
    EBM_OPTION_FLOAT,  // double, finite; NAN for the word among its choices
    EBM_OPTION_STRING, // const char *, NULL without default, never empty when given
    EBM_OPTION_ENUM,   // int: the place of the chosen name, -1 without default
    EBM_OPTION_LIST,   // ebm_string_list
    EBM_OPTION_MODEL,  // const char * as for STRING: a model's directory, or its name on the hub until it is found
} ebm_option_type;

typedef struct {
    const char *const *items;
    size_t count;
} ebm_string_list;

typedef struct {
    const char *name; // with '_'
    ebm_option_type type;
    size_t offset;        // of the value in the command's struct
    const char *fallback; // the default as one would write it; NULL: false, 0, NULL, -1, an empty list
    const char *help;     // one sentence, no full stop
    double least, most;   // numbers: inclusive limits; equal: none; HUGE_VAL leaves one side open
    bool above_least;     // the lower limit itself is not allowed
    // Each ends with NULL. ENUM: names; MODEL: words that are not a model, or NULL; FLOAT: a word that stands for a
    // number which the command finds itself ("auto"), or NULL.
    const char *const *choices;
    bool required;
} ebm_option;

typedef struct {
    const char *command, *summary; // for the help text
    const ebm_option *options;
    size_t count;
} ebm_option_table;

typedef struct ebm_options ebm_options;

// Defaults first, then the JSON file, then the arguments (those behind the command's name). An option given twice, a
// name that is not in the table (the nearest is named), a value of the wrong type or out of range, and a required one
// that is missing are refused. With --help among the arguments nothing is checked: ask ebm_options_help_wanted.
// Strings and lists in `values` are borrowed from *options.
ebm_status ebm_options_parse(const ebm_option_table *table, int argc, const char *const *argv, void *values,
                             ebm_options **options);
// Puts the directory in the place of each model that was given (ebm_model_find). `found` may be NULL; else it is told
// of each that was found under another name than its own.
ebm_status ebm_options_find_models(ebm_options *options, void *values,
                                   void (*found)(const char *option, const char *name, const char *directory));
bool ebm_options_help_wanted(const ebm_options *options);
bool ebm_options_given(const ebm_options *options, const char *name); // by argument or file, not by default

// The resolved values as one JSON object, all options in table order; reading it back gives the same values. `values`
// may have been changed since. The text is for the caller to free().
ebm_status ebm_options_json(const ebm_option_table *table, const void *values, char **text);

// Name, type, default and help of every option; for the caller to free().
ebm_status ebm_options_help(const ebm_option_table *table, char **text);

// The one of `count` names with the fewest edits (insert, delete, replace, swap neighbours) from `name`; NULL for none.
const char *ebm_nearest_name(const char *name, const char *const *names, size_t count);

void ebm_options_free(ebm_options *options); // NULL is accepted

#endif
