#include "base64.h"

#include <string.h>

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

ebm_status ebm_base64_decode(const char *text, size_t bytes, ebm_bytes *out)
{
    if (bytes % 4 != 0) return ebm_fail(EBM_ERROR_INPUT, "not base64: %zu characters, no multiple of four", bytes);
    const size_t padding = bytes == 0 || text[bytes - 1] != '=' ? 0 : text[bytes - 2] == '=' ? 2 : 1;
    if (!ebm_bytes_reserve(out, bytes / 4 * 3 + 1)) return ebm_fail(EBM_ERROR_MEMORY, "out of memory");
    uint32_t group = 0;
    for (size_t i = 0; i < bytes; i++) {
        const int value = i >= bytes - padding ? 0 : value_of(text[i]);
        if (value < 0) return ebm_fail(EBM_ERROR_INPUT, "not base64: character %zu", i);
        group = group << 6 | (uint32_t)value;
        if (i % 4 != 3) continue;
        for (int shift = 16; shift >= 0; shift -= 8) out->bytes[out->size++] = (char)(group >> shift & 0xFF);
    }
    out->size -= padding;
    return ebm_ok();
}
