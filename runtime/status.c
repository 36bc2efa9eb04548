#include "status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

ebm_status ebm_ok(void)
{
    ebm_status status;
    status.code = EBM_OK;
    status.message[0] = 0;
    return status;
}

// Bytes of the UTF-8 character there (Unicode 15, table 3-7), 0 when it is none. Zero-terminated.
static size_t character_length(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
    const size_t length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    const unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return length;
}

// Sentences quote hostile files, and a format's precision cuts names anywhere: what is no character becomes one '?',
// and so do controls, which would act on a terminal. What stands half at the end of a sentence that was cut is left
// out.
static void tidy(char *text, bool cut)
{
    size_t kept = 0;
    for (size_t i = 0; text[i];) {
        const size_t length = character_length(text + i);
        const unsigned char byte = (unsigned char)text[i];
        if (length > 0 && (byte >= 0x20 || byte == '\n' || byte == '\t') && byte != 0x7F) {
            memmove(text + kept, text + i, length);
            kept += length;
            i += length;
            continue;
        }
        for (i++; length == 0 && ((unsigned char)text[i] & 0xC0) == 0x80;) i++;
        if (text[i] || !cut) text[kept++] = '?';
    }
    text[kept] = 0;
}

ebm_status ebm_fail(ebm_code code, const char *format, ...)
{
    ebm_status status;
    status.code = code;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    tidy(status.message, length >= (int)sizeof status.message);
    return status;
}

ebm_status ebm_in(ebm_status status, const char *format, ...)
{
    if (status.code == EBM_OK) return status;
    ebm_status outer;
    outer.code = status.code;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(outer.message, sizeof outer.message, format, arguments);
    va_end(arguments);
    if (length < 0) length = 0;
    if (length < (int)sizeof outer.message)
        length += snprintf(outer.message + length, sizeof outer.message - (size_t)length, ": %s", status.message);
    tidy(outer.message, length >= (int)sizeof outer.message);
    return outer;
}
