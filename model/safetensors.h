// The safetensors format: a 64-bit header length, a JSON header, then the tensors. Read by mapping, checked like the
// format's own library does: header length, JSON, UTF-8, duplicate names, types, shapes, offsets without overlap or
// hole. Written tensor by tensor, little-endian hosts only.
//
//     ebm_safetensors *file = NULL;
//     EBM_TRY(ebm_safetensors_open("model.safetensors", &file));
//     size_t index;
//     if (ebm_safetensors_find(file, "embeddings.LayerNorm.weight", &index))
//         EBM_CHECK(ebm_safetensors_finite_floats(file, index, gain), end);
//     ebm_safetensors_free(file);
#ifndef EBM_SAFETENSORS_H
#define EBM_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_safetensors ebm_safetensors;

typedef enum {
    EBM_DTYPE_F32,
    EBM_DTYPE_F16,
    EBM_DTYPE_BF16,
    EBM_DTYPE_F64,
    EBM_DTYPE_I64,
    EBM_DTYPE_OTHER, // valid in the format, listed, not read here
} ebm_dtype;

#define EBM_SAFETENSORS_RANK 8 // dimensions at most

typedef struct {
    const char *name;       // as in the file, UTF-8
    const char *path;       // of the file it is in
    const char *dtype_name; // "F32", "BOOL", ...
    ebm_dtype dtype;
    size_t rank, shape[EBM_SAFETENSORS_RANK]; // rank 0: a scalar, count 1
    size_t count;                             // elements
    const void *bytes;                        // not aligned
    size_t byte_count;
} ebm_safetensors_tensor;

// Maps and checks the file. Every fault of its header is EBM_ERROR_INPUT with the file and, where there is one, the
// tensor.
ebm_status ebm_safetensors_open(const char *path, ebm_safetensors **file);
// The same for a file that is in memory: `bytes` are borrowed and must stay, `name` is what messages call it.
ebm_status ebm_safetensors_parse(const void *bytes, size_t size, const char *name, ebm_safetensors **file);
// "<directory>/model.safetensors", or the files that "<directory>/model.safetensors.index.json" names, as one table.
// The index may name files of its own directory only; each of its tensors must be in the file it says, none in two. A
// directory that has only PyTorch's, TensorFlow's or Flax's form is EBM_ERROR_UNSUPPORTED with the command that
// converts it.
ebm_status ebm_safetensors_open_model(const char *directory, ebm_safetensors **file);
void ebm_safetensors_free(ebm_safetensors *file); // NULL is accepted

const char *ebm_safetensors_path(const ebm_safetensors *file); // of the file, or of the index; borrowed
size_t ebm_safetensors_count(const ebm_safetensors *file);
// File by file, each in the order of its data; borrowed.
const ebm_safetensors_tensor *ebm_safetensors_view(const ebm_safetensors *file, size_t index);
bool ebm_safetensors_find(const ebm_safetensors *file, const char *name, size_t *index);
// Of the (first) file; NULL when there is none.
const char *ebm_safetensors_metadata(const ebm_safetensors *file, const char *key);

// All elements, or `count` from `first` on (bounds are checked), converted to float: F32, F16 and BF16 exactly, F64
// rounded (to infinity when too large); other types are EBM_ERROR_UNSUPPORTED naming the tensor. finite_: infinity or
// NaN is EBM_ERROR_INPUT with tensor and position.
ebm_status ebm_safetensors_floats(const ebm_safetensors *file, size_t index, float *out);
ebm_status ebm_safetensors_finite_floats(const ebm_safetensors *file, size_t index, float *out);
ebm_status ebm_safetensors_floats_part(const ebm_safetensors *file, size_t index, size_t first, size_t count,
                                       bool finite, float *out);
// The same errors, nothing copied.
ebm_status ebm_safetensors_check_finite(const ebm_safetensors *file, size_t index);
ebm_status ebm_safetensors_check_finite_part(const ebm_safetensors *file, size_t index, size_t first, size_t count);
// Memory the system holds for these elements of a mapped file may be given back; they are read again when asked for.
void ebm_safetensors_forget(const ebm_safetensors *file, size_t index, size_t first, size_t count);
// The elements where they lie in the mapping: NULL unless F32 and aligned. Borrowed.
const float *ebm_safetensors_floats_view(const ebm_safetensors *file, size_t index);
ebm_status ebm_safetensors_integers(const ebm_safetensors *file, size_t index, int64_t *out); // I64 only

// Writing: declare every tensor, then append the data in that order in pieces of any size, then finish. The file
// appears at finish (ebm_file_writer). The first error sticks and is returned by every later call.
//
//     ebm_safetensors_writer *w = NULL;
//     EBM_TRY(ebm_safetensors_writer_open("model.safetensors", &w));
//     ebm_safetensors_writer_declare(w, "bias", EBM_DTYPE_F32, 1, (size_t[]){C});
//     ebm_safetensors_writer_append(w, bias, C);
//     EBM_CHECK(ebm_safetensors_writer_finish(w), end);      // end: ebm_safetensors_writer_free(w)
typedef struct ebm_safetensors_writer ebm_safetensors_writer;

ebm_status ebm_safetensors_writer_open(const char *path, ebm_safetensors_writer **writer);
// {"format":"pt"} is always there.
ebm_status ebm_safetensors_writer_metadata(ebm_safetensors_writer *writer, const char *key, const char *value);
// dtype: F32 or I64.
ebm_status ebm_safetensors_writer_declare(ebm_safetensors_writer *writer, const char *name, ebm_dtype dtype,
                                          size_t rank, const size_t *shape);
// The next `count` elements of the tensor that is not yet complete: float, or int64_t for I64.
ebm_status ebm_safetensors_writer_append(ebm_safetensors_writer *writer, const void *elements, size_t count);
ebm_status ebm_safetensors_writer_finish(ebm_safetensors_writer *writer); // all data must have been appended
void ebm_safetensors_writer_free(ebm_safetensors_writer *writer); // NULL is accepted; removes what is unfinished

#ifdef __cplusplus
}
#endif
#endif
