// A safetensors file, and a model of two with their index: what is accepted has tensors that lie in the file, one after
// another, and can be read.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "safetensors.h"

enum { MOST = 1 << 16 }; // elements to convert

static void check_tensor(const ebm_safetensors *file, size_t index)
{
    const ebm_safetensors_tensor *t = ebm_safetensors_view(file, index);
    size_t found = 0, count = 1;
    fuzz_require(ebm_safetensors_find(file, t->name, &found) && found == index);
    fuzz_require(t->rank <= EBM_SAFETENSORS_RANK);
    for (size_t i = 0; i < t->rank; i++) count *= t->shape[i];
    fuzz_require(count == t->count);
    if (t->count > MOST) return;
    float *floats = malloc((t->count + 1) * sizeof *floats);
    int64_t *integers = malloc((t->count + 1) * sizeof *integers);
    fuzz_require(floats && integers);
    fuzz_check_refusal(ebm_safetensors_floats(file, index, floats));
    const ebm_status finite = ebm_safetensors_finite_floats(file, index, floats);
    fuzz_check_refusal(finite);
    fuzz_require(ebm_safetensors_check_finite(file, index).code == finite.code);
    fuzz_check_refusal(ebm_safetensors_integers(file, index, integers));
    free(floats);
    free(integers);
}

static void check_tensors(const ebm_safetensors *file, size_t size)
{
    const size_t count = ebm_safetensors_count(file);
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += ebm_safetensors_view(file, i)->byte_count;
        check_tensor(file, i);
    }
    fuzz_require(bytes <= size);
    ebm_safetensors_metadata(file, "format");
}

void fuzz_safetensors(const uint8_t *data, size_t size)
{
    ebm_safetensors *file = NULL;
    char *bytes = fuzz_copy((const char *)data, size);
    const ebm_status status = ebm_safetensors_parse(bytes, size, "model.safetensors", &file);
    fuzz_check_refusal(status);
    if (status.code == EBM_OK) check_tensors(file, size);
    ebm_safetensors_free(file);
    free(bytes);
}

// The shards of an index, by the names that the corpus' first one has.
void fuzz_shards(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"model.safetensors.index.json", "a.safetensors", "b.safetensors"};
    fuzz_parts parts = {.data = data, .size = size};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t bytes = 0;
        const char *part = fuzz_next_part(&parts, &bytes);
        fuzz_file(names[i], part ? part : "", bytes);
    }
    ebm_safetensors *file = NULL;
    const ebm_status status = ebm_safetensors_open_model(fuzz_directory(), &file);
    fuzz_check_refusal(status);
    if (status.code == EBM_OK) check_tensors(file, size);
    ebm_safetensors_free(file);
}
