// Token ids of texts. Little-endian 32-bit numbers on both sides:
//     request   bytes of the first text, bytes of the second or -1, longest sequence or 0, the two texts
//     answer    number of tokens or -1 (the text was refused), ids, types
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "probe.h"
#include "tokenizer.h"

enum { HEADER = 3 * sizeof(int32_t) };

// The next request, or an empty one at the end. Returns its size.
static ebm_status next_request(const char *path, ebm_mapping file, size_t at, int32_t header[3], size_t *size)
{
    if (file.size - at < HEADER) return ebm_fail(EBM_ERROR_INPUT, "%s: cut at byte %zu", path, at);
    memcpy(header, file.bytes + at, HEADER);
    const size_t second = header[1] < 0 ? 0 : (size_t)header[1];
    *size = HEADER + (size_t)header[0] + second;
    if (header[0] < 0 || *size > file.size - at)
        return ebm_fail(EBM_ERROR_INPUT, "%s: the request at byte %zu is longer than the file", path, at);
    return ebm_ok();
}

static ebm_status answer_request(const ebm_tokenizer *tokenizer, const int32_t header[3], const char *texts,
                                 ebm_encoding *encoding, ebm_file_writer *out)
{
    const char *second = header[1] < 0 ? NULL : texts + header[0];
    const ebm_status encoded = ebm_tokenizer_encode(tokenizer, texts, (size_t)header[0], second,
                                                    second ? (size_t)header[1] : 0, (size_t)header[2], encoding);
    if (encoded.code != EBM_OK && encoded.code != EBM_ERROR_INPUT) return encoded;
    const int32_t count = encoded.code == EBM_OK ? (int32_t)encoding->tokens : -1;
    EBM_TRY(ebm_file_writer_append(out, &count, sizeof count));
    if (count <= 0) return ebm_ok();
    EBM_TRY(ebm_file_writer_append(out, encoding->ids, (size_t)count * sizeof(int32_t)));
    return ebm_file_writer_append(out, encoding->types, (size_t)count * sizeof(int32_t));
}

ebm_status probe_tokens(char **arguments)
{
    ebm_tokenizer *tokenizer = NULL;
    ebm_mapping requests = {0};
    ebm_file_writer *out = NULL;
    ebm_encoding encoding = {0};
    ebm_status status = ebm_ok();
    EBM_CHECK(ebm_tokenizer_load(arguments[0], &tokenizer), end);
    EBM_CHECK(ebm_file_map(arguments[1], &requests), end);
    EBM_CHECK(ebm_file_writer_open(arguments[2], &out), end);
    for (size_t at = 0, size = 0; at < requests.size; at += size) {
        int32_t header[3];
        EBM_CHECK(next_request(arguments[1], requests, at, header, &size), end);
        const char *texts = (const char *)requests.bytes + at + HEADER;
        EBM_CHECK(answer_request(tokenizer, header, texts, &encoding, out), end);
    }
    status = ebm_file_writer_finish(out);
end:
    ebm_encoding_free(&encoding);
    ebm_file_writer_free(out);
    ebm_file_unmap(&requests);
    ebm_tokenizer_free(tokenizer);
    return status;
}
