#include "card_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "utf8.h"

// The code point at text[*i], U+FFFD for what is none; moves *i behind it.
static uint32_t next(const char *text, size_t bytes, size_t *i)
{
    size_t bad = 0;
    if (ebm_utf8_character(text + *i, bytes - *i, &bad) > 0) return ebm_utf8_next(text, i);
    *i += bad;
    return 0xFFFD;
}

static void put(FILE *out, uint32_t c)
{
    char bytes[4];
    fwrite(bytes, 1, ebm_utf8_put(c, bytes), out);
}

// What YAML does not allow in a string, or takes for a line end.
static bool must_be_escaped(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFE ||
           c == 0xFFFF;
}

void ebm_card_yaml(FILE *out, const char *text)
{
    const size_t bytes = strlen(text);
    fputc('"', out);
    for (size_t i = 0; i < bytes;) {
        const uint32_t c = next(text, bytes, &i);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (int)c);
        else if (must_be_escaped(c))
            fprintf(out, "\\u%04X", (unsigned)c);
        else
            put(out, c);
    }
    fputc('"', out);
}

void ebm_card_markdown(FILE *out, const char *text)
{
    const size_t bytes = strlen(text);
    for (size_t i = 0; i < bytes;) {
        const uint32_t c = next(text, bytes, &i);
        if (c < 0x80 && strchr("\\`*_[]<>|~$&#!", (int)c) && c) fputc('\\', out);
        put(out, must_be_escaped(c) ? ' ' : c);
    }
}

char *ebm_card_base_name(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    return strndup(path + start, end - start);
}

// .../models--owner--name/snapshots/<commit>
static char *cached_name(const char *path)
{
    static const char MARK[] = "/models--";
    const char *start = strstr(path, MARK);
    if (!start || !strstr(start, "/snapshots/")) return NULL;
    start += strlen(MARK);
    char *name = strndup(start, strcspn(start, "/"));
    char *dashes = name ? strstr(name, "--") : NULL;
    if (dashes) {
        *dashes = '/';
        memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
    }
    return name;
}

char *ebm_card_model_name(const char *model)
{
    if (!ebm_directory_exists(model)) return strdup(model);
    char *real = realpath(model, NULL), *name = cached_name(real ? real : model);
    if (!name) name = ebm_card_base_name(real ? real : model);
    free(real);
    return name;
}

static bool is_part(const char *text, size_t length)
{
    if (length == 0 || length > 96) return false;
    for (size_t i = 0; i < length; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool mark = c == '-' || c == '.';
        if (!(c < 0x80 && isalnum(c)) && !mark && c != '_') return false;
        if (mark && (i == 0 || i + 1 == length || text[i + 1] == (char)c)) return false; // "--" and ".." neither
    }
    return true;
}

bool ebm_card_is_repository(const char *name)
{
    const char *slash = strchr(name, '/');
    if (!slash) return is_part(name, strlen(name));
    return is_part(name, (size_t)(slash - name)) && is_part(slash + 1, strlen(slash + 1));
}
