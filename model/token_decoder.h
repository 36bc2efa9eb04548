// Tokens back to text: the decoders of tokenizer.json.
//
//     ebm_token_decoder *d = NULL;
//     EBM_TRY(ebm_token_decoder_create(json_object_get(root, "decoder"), "x/tokenizer.json: decoder", &d));
//     EBM_CHECK(ebm_token_decoder_begin(&pieces), end);                // then ebm_token_decoder_add for each token
//     EBM_CHECK(ebm_token_decoder_finish(d, &pieces, &text), end);
//
// WordPiece, ByteLevel, Metaspace, BPEDecoder, Replace, ByteFallback, Fuse, Strip, Sequence; others are
// EBM_ERROR_UNSUPPORTED. Source: tokenizers/src/decoders.
#ifndef EBM_TOKEN_DECODER_H
#define EBM_TOKEN_DECODER_H

#include <jansson.h>

#include "pieces.h"
#include "status.h"

typedef struct ebm_token_decoder ebm_token_decoder;

// JSON null, or NULL: *decoder is NULL, which joins tokens with spaces.
ebm_status ebm_token_decoder_create(const json_t *json, const char *where, ebm_token_decoder **decoder);
void ebm_token_decoder_free(ebm_token_decoder *decoder); // NULL is accepted

// Tokens are the pieces of a text that holds one after another; unlike a pre-tokeniser's, they may be empty.
ebm_status ebm_token_decoder_begin(ebm_pieces *tokens);
ebm_status ebm_token_decoder_add(ebm_pieces *tokens, const char *text, size_t bytes);
// Appends valid UTF-8.
ebm_status ebm_token_decoder_finish(const ebm_token_decoder *decoder, ebm_pieces *tokens, ebm_bytes *text);

#endif
