// A byte with the length of a text, the text, and a charsmap: it is refused or turns the text into valid UTF-8.
#include <stdlib.h>

#include "charsmap.h"
#include "fuzz.h"

void fuzz_charsmap(const uint8_t *data, size_t size)
{
    if (size == 0) return;
    const size_t bytes = data[0] < size - 1 ? data[0] : size - 1, blob_bytes = size - 1 - bytes;
    ebm_bytes text = {0}, out = {0};
    ebm_charsmap *map = NULL;
    char *blob = fuzz_copy((const char *)data + 1 + bytes, blob_bytes);
    fuzz_require(ebm_bytes_append_lossy(&text, (const char *)data + 1, bytes));
    const ebm_status status = ebm_charsmap_create(blob, blob_bytes, "here", &map);
    fuzz_check_refusal(status);
    fuzz_require((status.code == EBM_OK) == (map != NULL));
    free(blob);
    if (map) {
        fuzz_require(ebm_charsmap_apply(map, text.bytes, text.size, &out));
        fuzz_require(ebm_utf8_valid(out.bytes, out.size, NULL));
    }
    ebm_charsmap_free(map);
    ebm_bytes_free(&text);
    ebm_bytes_free(&out);
}
