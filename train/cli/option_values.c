#include "options_internal.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model_find.h"

static void append(char *text, size_t size, const char *more)
{
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void append_limits(const ebm_option *option, char *text, size_t size)
{
    char limits[96] = "";
    const char *const from = option->above_least ? "above" : option->most < HUGE_VAL ? "from" : "of at least";
    if (option->least == option->most) return;
    if (option->least > -HUGE_VAL && option->most < HUGE_VAL) {
        snprintf(limits, sizeof limits, " %s %.15g %s %.15g", from, option->least,
                 option->above_least ? "and at most" : "to", option->most);
    } else if (option->least > -HUGE_VAL) {
        snprintf(limits, sizeof limits, " %s %.15g", from, option->least);
    } else {
        snprintf(limits, sizeof limits, " of at most %.15g", option->most);
    }
    append(text, size, limits);
}

void ebm_option_expected(const ebm_option *option, char *text, size_t size)
{
    static const char *const kinds[] = {
        [EBM_OPTION_FLAG] = "true or false",     [EBM_OPTION_INT] = "an integer", [EBM_OPTION_SIZE] = "a whole number",
        [EBM_OPTION_FLOAT] = "a number",         [EBM_OPTION_STRING] = "a text",  [EBM_OPTION_ENUM] = "one of ",
        [EBM_OPTION_LIST] = "one or more texts", [EBM_OPTION_MODEL] = "a model",
    };
    snprintf(text, size, "%s", kinds[option->type]);
    append_limits(option, text, size);
    if (option->type == EBM_OPTION_FLOAT && option->choices) {
        append(text, size, " or ");
        append(text, size, option->choices[0]);
    }
    for (size_t i = 0; option->type == EBM_OPTION_ENUM && option->choices[i]; i++) {
        if (i) append(text, size, ", ");
        append(text, size, option->choices[i]);
    }
}

static ebm_status wrong(const ebm_option *option, const char *source, const char *found)
{
    char expected[256];
    ebm_option_expected(option, expected, sizeof expected);
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected %s, found \"%.100s\"", source, expected, found);
}

static bool in_limits(const ebm_option *option, double number)
{
    if (option->least == option->most) return true;
    return (option->above_least ? number > option->least : number >= option->least) && number <= option->most;
}

static bool read_integer(const ebm_option *option, const char *text, long long *number)
{
    if (!*text || text[strspn(text, "+-0123456789")]) return false; // strtoll would take blanks before it
    char *end;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return !*end && errno == 0 && in_limits(option, (double)*number);
}

bool ebm_option_is_word(const ebm_option *option, const char *text)
{
    for (const char *const *words = option->choices; words && *words; words++)
        if (strcmp(*words, text) == 0) return true;
    return false;
}

static bool read_float(const ebm_option *option, const char *text, double *number)
{
    if (ebm_option_is_word(option, text)) {
        *number = NAN;
        return true;
    }
    if (!*text || text[strspn(text, "+-.0123456789eE")]) return false; // no blanks, inf, nan or hexadecimal
    char *end;
    *number = strtod(text, &end);
    return !*end && isfinite(*number) && in_limits(option, *number);
}

static bool read_choice(const ebm_option *option, const char *text, int *choice)
{
    for (*choice = 0; option->choices[*choice]; ++*choice)
        if (strcasecmp(option->choices[*choice], text) == 0) return true;
    return false;
}

static bool read_flag(const char *text, bool *flag)
{
    *flag = strcasecmp(text, "true") == 0;
    return *flag || strcasecmp(text, "false") == 0;
}

static ebm_status reserve(void **items, size_t count, size_t *capacity, size_t item_bytes)
{
    if (count < *capacity) return ebm_ok();
    const size_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*items, wanted * item_bytes);
    if (!grown) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    *items = grown;
    *capacity = wanted;
    return ebm_ok();
}

static ebm_status keep(ebm_options *options, const char *text, const char **kept)
{
    EBM_TRY(reserve((void **)&options->texts, options->text_count, &options->text_capacity, sizeof *options->texts));
    char *copy = strdup(text);
    if (!copy) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    options->texts[options->text_count++] = copy;
    *kept = copy;
    return ebm_ok();
}

static ebm_status keep_list(ebm_options *options, const char *const *texts, size_t count, ebm_string_list *list)
{
    EBM_TRY(reserve((void **)&options->lists, options->list_count, &options->list_capacity, sizeof *options->lists));
    const char **items = calloc(count + 1, sizeof *items);
    if (!items) return ebm_fail(EBM_ERROR_MEMORY, "no memory for options");
    options->lists[options->list_count++] = items;
    for (size_t i = 0; i < count; i++) EBM_TRY(keep(options, texts[i], &items[i]));
    *list = (ebm_string_list){items, count};
    return ebm_ok();
}

ebm_status ebm_option_set(ebm_options *options, const ebm_option *option, const char *source, const char *const *texts,
                          size_t count, void *values)
{
    void *value = (char *)values + option->offset;
    const char *text = count ? texts[0] : "";
    long long integer = 0;
    double number;
    bool good = true, flag;
    int choice;
    for (size_t i = 0; i < count; i++)
        if (!*texts[i]) return wrong(option, source, "");
    switch (option->type) {
    case EBM_OPTION_FLAG:
        if ((good = read_flag(text, &flag))) *(bool *)value = flag;
        break;
    case EBM_OPTION_INT:
        if ((good = read_integer(option, text, &integer))) *(int64_t *)value = integer;
        break;
    case EBM_OPTION_SIZE:
        if ((good = read_integer(option, text, &integer) && integer >= 0)) *(size_t *)value = (size_t)integer;
        break;
    case EBM_OPTION_FLOAT:
        if ((good = read_float(option, text, &number))) *(double *)value = number;
        break;
    case EBM_OPTION_ENUM:
        if ((good = read_choice(option, text, &choice))) *(int *)value = choice;
        break;
    case EBM_OPTION_STRING:
    case EBM_OPTION_MODEL:
        return keep(options, text, (const char **)value);
    case EBM_OPTION_LIST:
        return keep_list(options, texts, count, value);
    }
    return good ? ebm_ok() : wrong(option, source, text);
}

ebm_status ebm_options_find_models(ebm_options *options, void *values,
                                   void (*found)(const char *option, const char *name, const char *directory))
{
    for (size_t i = 0; i < options->table->count; i++) {
        const ebm_option *option = &options->table->options[i];
        if (option->type != EBM_OPTION_MODEL) continue;
        const char **value = (const char **)(void *)((char *)values + option->offset), *name = *value;
        char *directory = NULL;
        if (!name || ebm_option_is_word(option, name)) continue;
        EBM_TRY(ebm_in(ebm_model_find(name, &directory), "--%s", option->name));
        const ebm_status status = keep(options, directory, value);
        if (status.code == EBM_OK && found && strcmp(name, directory) != 0) found(option->name, name, directory);
        free(directory);
        EBM_TRY(status);
    }
    return ebm_ok();
}
