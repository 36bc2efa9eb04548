// RFC 4648 base64 with padding, as tokenizer.json has binary tables.
#ifndef EBM_BASE64_H
#define EBM_BASE64_H

#include "status.h"
#include "utf8.h"

// Appends the bytes. EBM_ERROR_INPUT for another character, with its place, or a length that is no multiple of four.
ebm_status ebm_base64_decode(const char *text, size_t bytes, ebm_bytes *out);

#endif
