#include "options_internal.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "file.h"

enum { NAME_BYTES = 96, CONFIG_BYTES = 1 << 20 };

// "learning-rate" -> "learning_rate", up to '=' or the end.
static void plain_name(const char *written, char name[NAME_BYTES])
{
    size_t i = 0;
    for (; written[i] && written[i] != '=' && i < NAME_BYTES - 1; i++) name[i] = written[i] == '-' ? '_' : written[i];
    name[i] = 0;
}

static const ebm_option *find(const ebm_option_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->options[i].name, name) == 0) return &table->options[i];
    return NULL;
}

// file: where the name is a key; NULL: it is an argument.
static ebm_status unknown(const ebm_option_table *table, const char *file, const char *name)
{
    const char **names = malloc((table->count + 2) * sizeof *names);
    if (!names) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    for (size_t i = 0; i < table->count; i++) names[i] = table->options[i].name;
    names[table->count] = "help";
    names[table->count + 1] = "config";
    const char *nearest = ebm_nearest_name(name, names, file ? table->count : table->count + 2);
    free(names);
    if (file) return ebm_fail(EBM_ERROR_INPUT, "%s: unknown option %s, the nearest is %s", file, name, nearest);
    return ebm_fail(EBM_ERROR_INPUT, "unknown option --%s, the nearest is --%s", name, nearest);
}

// ---- the JSON file

static const char *kind_name(const json_t *value)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    return names[json_typeof(value)];
}

// The value as text, where its JSON type suits the option's; NULL where not.
static const char *scalar_text(const ebm_option *option, const json_t *value, char number[40])
{
    const bool real = option->type == EBM_OPTION_FLOAT;
    switch (option->type) {
    case EBM_OPTION_FLAG:
        return json_is_true(value) ? "true" : json_is_false(value) ? "false" : NULL;
    case EBM_OPTION_INT:
    case EBM_OPTION_SIZE:
    case EBM_OPTION_FLOAT:
        if (real && json_is_string(value) && ebm_option_is_word(option, json_string_value(value)))
            return json_string_value(value);
        if (real && json_is_real(value)) {
            snprintf(number, 40, "%.17g", json_real_value(value));
            return number;
        }
        if (!json_is_integer(value)) return NULL;
        snprintf(number, 40, "%lld", (long long)json_integer_value(value));
        return number;
    case EBM_OPTION_STRING:
    case EBM_OPTION_ENUM:
    case EBM_OPTION_LIST:
    case EBM_OPTION_MODEL:
        return json_string_value(value);
    }
    return NULL;
}

static ebm_status wrong_kind(const ebm_option *option, const char *source, const json_t *value)
{
    char expected[256];
    ebm_option_expected(option, expected, sizeof expected);
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected %s, found %s", source, expected, kind_name(value));
}

static ebm_status take_json_list(ebm_options *options, const ebm_option *option, const char *source, const json_t *list,
                                 void *values)
{
    const size_t count = json_array_size(list);
    const char **texts = calloc(count + 1, sizeof *texts);
    if (!texts) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) {
        texts[i] = json_string_value(json_array_get(list, i));
        if (!texts[i]) status = wrong_kind(option, source, json_array_get(list, i));
    }
    if (status.code == EBM_OK) status = ebm_option_set(options, option, source, texts, count, values);
    free(texts);
    return status;
}

static ebm_status take_key(ebm_options *options, const char *file, const char *key, const json_t *value, bool *in_file,
                           void *values)
{
    char name[NAME_BYTES], source[512], number[40];
    plain_name(key, name);
    const ebm_option *option = find(options->table, name);
    if (!option) return unknown(options->table, file, name);
    const size_t place = (size_t)(option - options->table->options);
    if (in_file[place]) return ebm_fail(EBM_ERROR_INPUT, "%s: %s is given twice", file, name);
    in_file[place] = true;
    if (json_is_null(value)) return ebm_ok();
    options->given[place] = true;
    snprintf(source, sizeof source, "%s: %s", file, name);
    if (option->type == EBM_OPTION_LIST && json_is_array(value))
        return take_json_list(options, option, source, value, values);
    const char *text = scalar_text(option, value, number);
    return text ? ebm_option_set(options, option, source, &text, 1, values) : wrong_kind(option, source, value);
}

static ebm_status take_file(ebm_options *options, const char *file, void *values)
{
    ebm_status status = ebm_ok();
    char *text = NULL;
    size_t size;
    json_t *object = NULL, *value;
    json_error_t error;
    const char *key;
    bool *in_file = calloc(options->table->count + 1, sizeof *in_file);
    if (!in_file) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    EBM_CHECK(ebm_file_read(file, CONFIG_BYTES, &text, &size), end);
    object = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!object) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s:%d: expected one JSON object: %s", file, error.line, error.text);
    } else if (!json_is_object(object)) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected one JSON object, found %s", file, kind_name(object));
    }
    if (status.code != EBM_OK) goto end;
    json_object_foreach(object, key, value) EBM_CHECK(take_key(options, file, key, value, in_file, values), end);
end:
    json_decref(object);
    free(text);
    free(in_file);
    return status;
}

// ---- the arguments

typedef struct {
    int argc, at; // at: the argument to read next
    const char *const *argv;
    bool *seen; // by option; the last one is --config
} argument_list;

static bool is_option(const char *argument) { return strncmp(argument, "--", 2) == 0; }

static bool is_json(const char *argument)
{
    const size_t length = strlen(argument);
    return length > 5 && strcmp(argument + length - 5, ".json") == 0;
}

static bool help_is_among(const argument_list *arguments)
{
    for (int i = 0; i < arguments->argc; i++)
        if (strcmp(arguments->argv[i], "--help") == 0 || strcmp(arguments->argv[i], "-h") == 0) return true;
    return false;
}

// How many of the arguments behind an option are its values.
static size_t count_values(const ebm_option *option, const argument_list *arguments)
{
    size_t count = 0;
    const size_t most = option->type == EBM_OPTION_LIST ? SIZE_MAX : 1;
    while (count < most && arguments->at + (int)count < arguments->argc) {
        const char *next = arguments->argv[arguments->at + (int)count];
        if (is_option(next)) break;
        if (option->type == EBM_OPTION_FLAG && strcasecmp(next, "true") && strcasecmp(next, "false")) break;
        count++;
    }
    return count;
}

static ebm_status missing_value(const ebm_option *option, const argument_list *arguments)
{
    char expected[256];
    ebm_option_expected(option, expected, sizeof expected);
    const bool more = arguments->at < arguments->argc;
    return ebm_fail(EBM_ERROR_INPUT, "--%s: expected %s, found %s", option->name, expected,
                    more ? arguments->argv[arguments->at] : "nothing");
}

static ebm_status mark_seen(const argument_list *arguments, size_t place, const char *name)
{
    if (arguments->seen[place]) return ebm_fail(EBM_ERROR_INPUT, "--%s is given twice", name);
    arguments->seen[place] = true;
    return ebm_ok();
}

static const ebm_option config_option = {.name = "config", .type = EBM_OPTION_STRING};

// Reads one option and finds its values; `inline_text` is room for that of --name=value.
static ebm_status next_option(const ebm_options *options, argument_list *arguments, const ebm_option **option,
                              const char *const **texts, size_t *count, const char **inline_text)
{
    const char *argument = arguments->argv[arguments->at++];
    if (!is_option(argument)) {
        if (is_json(argument))
            return ebm_fail(EBM_ERROR_INPUT, "%s: a file of options beside other arguments is given by --config",
                            argument);
        return ebm_fail(EBM_ERROR_INPUT,
                        argument[0] == '-' ? "unknown option %s, see --help" : "unexpected argument \"%s\", see --help",
                        argument);
    }
    char name[NAME_BYTES];
    plain_name(argument + 2, name);
    *option = find(options->table, name);
    if (!*option && strcmp(name, "config") == 0) *option = &config_option;
    if (!*option) return unknown(options->table, NULL, name);
    const size_t place =
        *option == &config_option ? options->table->count : (size_t)(*option - options->table->options);
    EBM_TRY(mark_seen(arguments, place, name));
    const char *equals = strchr(argument, '=');
    static const char *const on = "true";
    if (equals) {
        *inline_text = equals + 1;
        *texts = inline_text;
        *count = 1;
        return ebm_ok();
    }
    *count = count_values(*option, arguments);
    *texts = arguments->argv + arguments->at;
    if (*count == 0 && (*option)->type != EBM_OPTION_FLAG) return missing_value(*option, arguments);
    arguments->at += (int)*count;
    if (*count == 0) {
        *texts = &on;
        *count = 1;
    }
    return ebm_ok();
}

// Two passes over the arguments: the file named by --config first, since the others override it.
static ebm_status take_arguments(ebm_options *options, int argc, const char *const *argv, bool config, void *values)
{
    argument_list arguments = {.argc = argc, .argv = argv};
    ebm_status status = ebm_ok();
    arguments.seen = calloc(options->table->count + 1, sizeof *arguments.seen);
    if (!arguments.seen) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    while (arguments.at < argc) {
        const ebm_option *option = NULL;
        const char *const *texts = NULL, *inline_text;
        char source[NAME_BYTES + 8];
        size_t count = 0;
        EBM_CHECK(next_option(options, &arguments, &option, &texts, &count, &inline_text), end);
        if (config != (option == &config_option)) continue;
        if (config) {
            EBM_CHECK(take_file(options, texts[0], values), end);
            continue;
        }
        snprintf(source, sizeof source, "--%s", option->name);
        EBM_CHECK(ebm_option_set(options, option, source, texts, count, values), end);
        options->given[option - options->table->options] = true;
    }
end:
    free(arguments.seen);
    return status;
}

static ebm_status take_defaults(ebm_options *options, void *values)
{
    for (size_t i = 0; i < options->table->count; i++) {
        const ebm_option *option = &options->table->options[i];
        void *value = (char *)values + option->offset;
        switch (option->type) {
        case EBM_OPTION_FLAG:
            *(bool *)value = false;
            break;
        case EBM_OPTION_INT:
            *(int64_t *)value = 0;
            break;
        case EBM_OPTION_SIZE:
            *(size_t *)value = 0;
            break;
        case EBM_OPTION_FLOAT:
            *(double *)value = 0;
            break;
        case EBM_OPTION_STRING:
        case EBM_OPTION_MODEL:
            *(const char **)value = NULL;
            break;
        case EBM_OPTION_ENUM:
            *(int *)value = -1;
            break;
        case EBM_OPTION_LIST:
            *(ebm_string_list *)value = (ebm_string_list){0};
            break;
        }
        if (option->fallback)
            EBM_TRY(ebm_in(ebm_option_set(options, option, option->name, &option->fallback, 1, values), "default"));
    }
    return ebm_ok();
}

static ebm_status check_required(const ebm_options *options)
{
    for (size_t i = 0; i < options->table->count; i++)
        if (options->table->options[i].required && !options->given[i])
            return ebm_fail(EBM_ERROR_INPUT, "--%s is required: %s", options->table->options[i].name,
                            options->table->options[i].help);
    return ebm_ok();
}

ebm_status ebm_options_parse(const ebm_option_table *table, int argc, const char *const *argv, void *values,
                             ebm_options **options)
{
    ebm_status status = ebm_ok();
    ebm_options *parsed = calloc(1, sizeof *parsed);
    if (!parsed) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    parsed->table = table;
    parsed->given = calloc(table->count + 1, sizeof *parsed->given);
    if (!parsed->given) {
        status = ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
        goto end;
    }
    EBM_CHECK(take_defaults(parsed, values), end);
    parsed->help_wanted = help_is_among(&(argument_list){.argc = argc, .argv = argv});
    if (!parsed->help_wanted) {
        if (argc == 1 && !is_option(argv[0]) && is_json(argv[0])) {
            EBM_CHECK(take_file(parsed, argv[0], values), end);
        } else {
            EBM_CHECK(take_arguments(parsed, argc, argv, true, values), end);
            EBM_CHECK(take_arguments(parsed, argc, argv, false, values), end);
        }
        EBM_CHECK(check_required(parsed), end);
    }
    *options = parsed;
    parsed = NULL;
end:
    ebm_options_free(parsed);
    return status;
}

bool ebm_options_help_wanted(const ebm_options *options) { return options->help_wanted; }

bool ebm_options_given(const ebm_options *options, const char *name)
{
    const ebm_option *option = find(options->table, name);
    return option && options->given[option - options->table->options];
}

void ebm_options_free(ebm_options *options)
{
    if (!options) return;
    for (size_t i = 0; i < options->text_count; i++) free(options->texts[i]);
    for (size_t i = 0; i < options->list_count; i++) free(options->lists[i]);
    free(options->texts);
    free(options->lists);
    free(options->given);
    free(options);
}
