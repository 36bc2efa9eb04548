#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ebm_status ebm_ok(void)
{
    ebm_status status;
    status.code = EBM_OK;
    status.message[0] = 0;
    return status;
}

// A message cut in the middle of a UTF-8 character would itself be bad output: drop the broken tail.
static void drop_partial_character(char *text)
{
    size_t end = strlen(text), start = end;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0) return;
    const unsigned char lead = (unsigned char)text[start - 1];
    const size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (end - (start - 1) < need) text[start - 1] = 0;
}

ebm_status ebm_fail(ebm_code code, const char *format, ...)
{
    ebm_status status;
    status.code = code;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(status.message, sizeof status.message, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof status.message) drop_partial_character(status.message);
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
    if (length >= (int)sizeof outer.message) drop_partial_character(outer.message);
    return outer;
}
