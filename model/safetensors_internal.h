// The inside of reading safetensors, for safetensors*.c.
#ifndef EBM_SAFETENSORS_INTERNAL_H
#define EBM_SAFETENSORS_INTERNAL_H

#include <jansson.h>

#include "safetensors.h"

// What one file declares.
typedef struct {
    json_t *json;                    // owns the tensors' names
    ebm_safetensors_tensor *tensors; // in the order of the data
    size_t count;
} ebm_safetensors_header;

// `path` is kept (borrowed) in the tensors and stands before every complaint.
ebm_status ebm_safetensors_header_read(const char *path, const unsigned char *bytes, size_t size,
                                       ebm_safetensors_header *header);
void ebm_safetensors_header_free(ebm_safetensors_header *header); // zeroed is accepted

// Putting a table together from files: room for `files` of them, then each, then finish, which sorts the names and
// refuses one that stands in two files. `path` is what the whole is called. Freed by ebm_safetensors_free at any point.
ebm_status ebm_safetensors_start(const char *path, size_t files, ebm_safetensors **file);
ebm_status ebm_safetensors_add_file(ebm_safetensors *file, const char *path);
ebm_status ebm_safetensors_finish(ebm_safetensors *file);

// Bytes that lie in no mapped file are left alone.
void ebm_safetensors_forget_bytes(const ebm_safetensors *file, const unsigned char *bytes, size_t size);

#endif
