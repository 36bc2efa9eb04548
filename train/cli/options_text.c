#include "options_internal.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_INDENT = 8, HELP_WIDTH = 100 };

static void put_string(FILE *out, const char *text)
{
    json_t *string = text ? json_string(text) : NULL;
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    fputs(quoted ? quoted : "null", out);
    free(quoted);
    json_decref(string);
}

// The fewest digits that read back as the same number, so that 5e-5 stays readable.
static void put_number(FILE *out, double number)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    fputs(text, out);
}

static void put_list(FILE *out, const ebm_string_list *list)
{
    fputs("[", out);
    for (size_t i = 0; i < list->count; i++) {
        if (i) fputs(", ", out);
        put_string(out, list->items[i]);
    }
    fputs("]", out);
}

static void put_value(FILE *out, const ebm_option *option, const void *value)
{
    switch (option->type) {
    case EBM_OPTION_FLAG:
        fputs(*(const bool *)value ? "true" : "false", out);
        break;
    case EBM_OPTION_INT:
        fprintf(out, "%lld", (long long)*(const int64_t *)value);
        break;
    case EBM_OPTION_SIZE:
        fprintf(out, "%zu", *(const size_t *)value);
        break;
    case EBM_OPTION_FLOAT:
        if (isnan(*(const double *)value))
            put_string(out, option->choices[0]);
        else
            put_number(out, *(const double *)value);
        break;
    case EBM_OPTION_STRING:
    case EBM_OPTION_MODEL:
        put_string(out, *(const char *const *)value);
        break;
    case EBM_OPTION_ENUM:
        put_string(out, *(const int *)value < 0 ? NULL : option->choices[*(const int *)value]);
        break;
    case EBM_OPTION_LIST:
        put_list(out, value);
        break;
    }
}

static ebm_status close_text(FILE *out, char **built, char **text)
{
    const bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(*built);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the text of the options");
    }
    *text = *built;
    return ebm_ok();
}

ebm_status ebm_options_json(const ebm_option_table *table, const void *values, char **text)
{
    char *built = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&built, &size);
    if (!out) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the text of the options");
    for (size_t i = 0; i < table->count; i++) {
        fprintf(out, "%s  \"%s\": ", i ? ",\n" : "{\n", table->options[i].name);
        put_value(out, &table->options[i], (const char *)values + table->options[i].offset);
    }
    fputs(table->count ? "\n}\n" : "{}\n", out);
    return close_text(out, &built, text);
}

static void put_wrapped(FILE *out, const char *text)
{
    int column = HELP_WIDTH;
    while (*text) {
        const int word = (int)strcspn(text, " ");
        const bool breaks = column + 1 + word > HELP_WIDTH;
        if (breaks) {
            fprintf(out, "\n%*s", HELP_INDENT, "");
            column = HELP_INDENT;
        } else {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", word, text);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void put_option(FILE *out, const ebm_option *option)
{
    static const char *const kinds[] = {
        [EBM_OPTION_FLAG] = "",         [EBM_OPTION_INT] = " INTEGER", [EBM_OPTION_SIZE] = " NUMBER",
        [EBM_OPTION_FLOAT] = " NUMBER", [EBM_OPTION_STRING] = " TEXT", [EBM_OPTION_ENUM] = " ",
        [EBM_OPTION_LIST] = " TEXT...", [EBM_OPTION_MODEL] = " MODEL",
    };
    fprintf(out, "  --%s%s", option->name, kinds[option->type]);
    if (option->type == EBM_OPTION_FLOAT && option->choices) fprintf(out, "|%s", option->choices[0]);
    for (size_t i = 0; option->type == EBM_OPTION_ENUM && option->choices[i]; i++)
        fprintf(out, "%s%s", i ? "|" : "", option->choices[i]);
    if (option->required) fputs(" (required)", out);
    if (option->fallback) fprintf(out, " (default %s)", option->fallback);
    put_wrapped(out, option->help);
}

ebm_status ebm_options_help(const ebm_option_table *table, char **text)
{
    char *built = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&built, &size);
    if (!out) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the text of the options");
    fprintf(out, "usage: %s [--OPTION VALUE]...\n       %s OPTIONS.json\n\n%s\n\noptions ('-' and '_' alike):\n",
            table->command, table->command, table->summary);
    for (size_t i = 0; i < table->count; i++) put_option(out, &table->options[i]);
    put_option(out, &(ebm_option){"config", EBM_OPTION_STRING, 0, NULL,
                                  .help = "A JSON file with the same names; options given beside it override it"});
    put_option(out, &(ebm_option){"help", EBM_OPTION_FLAG, 0, NULL, .help = "Print this and exit"});
    return close_text(out, &built, text);
}
