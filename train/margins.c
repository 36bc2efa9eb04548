#include "margins.h"

#include <stdlib.h>

#include "file.h"
#include "safetensors.h"

enum { UNSPLIT = -1, EASY = 0, HARD = 1 };

struct ebm_margins {
    size_t count;
    float *sum, *part; // part: as in the file
};

static const char *const FILE_NAME = "margins.safetensors";

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the margins of texts"); }

ebm_status ebm_margins_create(size_t texts, ebm_margins **out)
{
    *out = NULL;
    if (texts == 0) return ebm_fail(EBM_ERROR_INPUT, "margins of 0 texts: at least one expected");
    ebm_margins *m = calloc(1, sizeof *m);
    if (!m) return no_memory();
    m->count = texts;
    m->sum = calloc(texts, sizeof *m->sum);
    m->part = calloc(texts, sizeof *m->part);
    if (!m->sum || !m->part) {
        ebm_margins_free(m);
        return no_memory();
    }
    for (size_t i = 0; i < texts; i++) m->part[i] = UNSPLIT;
    *out = m;
    return ebm_ok();
}

void ebm_margins_free(ebm_margins *m)
{
    if (!m) return;
    free(m->sum);
    free(m->part);
    free(m);
}

void ebm_margins_add(ebm_margins *m, const uint32_t *rows, const float *margin, size_t count)
{
    for (size_t i = 0; i < count; i++) m->sum[rows[i]] += margin[i];
}

typedef struct {
    float sum;
    uint32_t text;
} ranked;

static int by_sum(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->sum != y->sum) return x->sum < y->sum ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

ebm_status ebm_margins_split(ebm_margins *m)
{
    ranked *order = malloc(m->count * sizeof *order);
    if (!order) return no_memory();
    for (size_t i = 0; i < m->count; i++) order[i] = (ranked){m->sum[i], (uint32_t)i};
    qsort(order, m->count, sizeof *order, by_sum);
    for (size_t i = 0; i < m->count; i++) m->part[order[i].text] = i < m->count / 2 ? HARD : EASY;
    free(order);
    return ebm_ok();
}

bool ebm_margins_is_split(const ebm_margins *m) { return m->part[0] != UNSPLIT; }

void ebm_margins_hard(const ebm_margins *m, const uint32_t *rows, size_t count, uint8_t *hard)
{
    for (size_t i = 0; i < count; i++) hard[i] = m->part[rows[i]] == HARD;
}

// ---- checkpoints

ebm_status ebm_margins_write(const ebm_margins *m, const char *directory)
{
    char *path = ebm_path_join(directory, FILE_NAME);
    ebm_safetensors_writer *w = NULL;
    ebm_status status = path ? ebm_safetensors_writer_open(path, &w) : no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_safetensors_writer_declare(w, "margin_sum", EBM_DTYPE_F32, 1, &m->count), end);
    EBM_CHECK(ebm_safetensors_writer_declare(w, "part", EBM_DTYPE_F32, 1, &m->count), end);
    EBM_CHECK(ebm_safetensors_writer_append(w, m->sum, m->count), end);
    EBM_CHECK(ebm_safetensors_writer_append(w, m->part, m->count), end);
    EBM_CHECK(ebm_safetensors_writer_finish(w), end);
end:
    ebm_safetensors_writer_free(w);
    free(path);
    return status;
}

static ebm_status read_tensor(const ebm_margins *m, const ebm_safetensors *file, const char *name, float *out)
{
    size_t index = 0;
    if (!ebm_safetensors_find(file, name, &index) || ebm_safetensors_view(file, index)->count != m->count)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" must hold a number for each of %zu texts",
                        ebm_safetensors_path(file), name, m->count);
    return ebm_safetensors_finite_floats(file, index, out);
}

// All texts are of a part, or none is.
static ebm_status check_parts(const ebm_margins *m, const char *path)
{
    for (size_t i = 0; i < m->count; i++) {
        const float part = m->part[i];
        if ((part != UNSPLIT && part != EASY && part != HARD) || (part == UNSPLIT) != (m->part[0] == UNSPLIT))
            return ebm_fail(EBM_ERROR_INPUT, "%s: \"part\" of text %zu is %g, expected 0 or 1, or -1 for all texts",
                            path, i + 1, (double)part);
    }
    return ebm_ok();
}

ebm_status ebm_margins_read(ebm_margins *m, const char *directory)
{
    char *path = ebm_path_join(directory, FILE_NAME);
    ebm_safetensors *file = NULL;
    ebm_status status = path ? ebm_safetensors_open(path, &file) : no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(read_tensor(m, file, "margin_sum", m->sum), end);
    EBM_CHECK(read_tensor(m, file, "part", m->part), end);
    status = check_parts(m, path);
end:
    ebm_safetensors_free(file);
    free(path);
    return status;
}
