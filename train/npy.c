#include "npy.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { HEADER_MOST = 65536, DIMENSIONS_MOST = 2 };

typedef struct {
    char type[8]; // "<f4"
    bool fortran, has_type, has_order, has_shape;
    int dimensions;
    size_t shape[DIMENSIONS_MOST];
} npy_header;

// ---- the header: a Python dict of three entries, as text

typedef struct {
    const char *path, *at; // at: zero-terminated
} npy_text;

static ebm_status broken(const npy_text *text, const char *expected)
{
    return ebm_fail(EBM_ERROR_INPUT, "%s: %s expected in the header, found '%.20s'", text->path, expected, text->at);
}

static void skip_blanks(npy_text *text)
{
    while (*text->at == ' ' || *text->at == '\n') text->at++;
}

static bool take(npy_text *text, const char *token)
{
    skip_blanks(text);
    const size_t length = strlen(token);
    if (strncmp(text->at, token, length) != 0) return false;
    text->at += length;
    return true;
}

static ebm_status take_string(npy_text *text, char *out, size_t size)
{
    skip_blanks(text);
    const char quote = *text->at;
    const char *end = quote == '\'' || quote == '"' ? strchr(text->at + 1, quote) : NULL;
    if (!end || (size_t)(end - text->at) > size) return broken(text, "a short string");
    memcpy(out, text->at + 1, (size_t)(end - text->at - 1));
    out[end - text->at - 1] = 0;
    text->at = end + 1;
    return ebm_ok();
}

static ebm_status take_size(npy_text *text, size_t *out)
{
    size_t number = 0;
    skip_blanks(text);
    if (*text->at < '0' || *text->at > '9') return broken(text, "a size");
    for (; *text->at >= '0' && *text->at <= '9'; text->at++) {
        if (number > (SIZE_MAX - 9) / 10) return broken(text, "a smaller size");
        number = number * 10 + (size_t)(*text->at - '0');
    }
    *out = number;
    return ebm_ok();
}

static ebm_status take_shape(npy_text *text, npy_header *header)
{
    header->has_shape = true;
    if (!take(text, "(")) return broken(text, "a shape");
    while (!take(text, ")")) {
        if (header->dimensions == DIMENSIONS_MOST) return broken(text, "a shape of one or two dimensions");
        EBM_TRY(take_size(text, &header->shape[header->dimensions++]));
        if (!take(text, ",") && *text->at != ')') return broken(text, "a comma or the shape's end");
    }
    return ebm_ok();
}

static ebm_status take_entry(npy_text *text, npy_header *header)
{
    char key[20];
    EBM_TRY(take_string(text, key, sizeof key));
    if (!take(text, ":")) return broken(text, "a colon");
    if (strcmp(key, "shape") == 0) return take_shape(text, header);
    if (strcmp(key, "fortran_order") == 0) {
        header->has_order = true;
        header->fortran = take(text, "True");
        return header->fortran || take(text, "False") ? ebm_ok() : broken(text, "True or False");
    }
    if (strcmp(key, "descr") != 0) return ebm_fail(EBM_ERROR_INPUT, "%s: unknown header entry '%s'", text->path, key);
    header->has_type = true;
    skip_blanks(text);
    if (*text->at == '[') return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: records are not supported", text->path);
    return take_string(text, header->type, sizeof header->type);
}

static ebm_status parse_header(const char *path, const char *dict, npy_header *header)
{
    npy_text text = {path, dict};
    *header = (npy_header){0};
    if (!take(&text, "{")) return broken(&text, "a dict");
    while (!take(&text, "}")) {
        EBM_TRY(take_entry(&text, header));
        if (!take(&text, ",") && *text.at != '}') return broken(&text, "a comma or the dict's end");
    }
    skip_blanks(&text);
    if (*text.at) return broken(&text, "the header's end");
    if (header->has_type && header->has_order && header->has_shape) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: descr, fortran_order and shape expected in the header", path);
}

// Where the numbers begin.
static ebm_status read_header(const char *path, const ebm_mapping *file, npy_header *header, size_t *start)
{
    const unsigned char *b = file->bytes;
    if (file->size < 12 || memcmp(b, "\x93NUMPY", 6) != 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: an .npy file expected: it does not begin as one", path);
    if (b[6] < 1 || b[6] > 3)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: .npy format 1 to 3 expected, found %d", path, b[6]);
    const size_t before = b[6] == 1 ? 10 : 12;
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > HEADER_MOST || length > file->size - before)
        return ebm_fail(EBM_ERROR_INPUT, "%s: the header says %zu bytes, more than there are", path, length);
    char *dict = malloc(length + 1);
    if (!dict) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the header of %s", path);
    memcpy(dict, b + before, length);
    dict[length] = 0;
    *start = before + length;
    const ebm_status status = parse_header(path, dict, header);
    free(dict);
    return status;
}

// ---- the numbers

typedef enum { TYPE_F4, TYPE_F8, TYPE_I4, TYPE_I8 } npy_type;

static ebm_status type_of(const char *path, const npy_header *header, npy_type *type, size_t *size)
{
    static const char *const names[] = {"<f4", "<f8", "<i4", "<i8"};
    for (int i = 0; i < 4; i++)
        if (strcmp(header->type, names[i]) == 0) {
            *type = (npy_type)i;
            *size = i % 2 ? 8 : 4;
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_UNSUPPORTED,
                    "%s: numbers of type <f4, <f8, <i4 or <i8 expected, found %s (array.astype converts)", path,
                    header->type);
}

static double number_at(const unsigned char *bytes, npy_type type)
{
    float f4;
    double f8;
    int32_t i4;
    int64_t i8;
    switch (type) {
    case TYPE_F4:
        memcpy(&f4, bytes, sizeof f4);
        return (double)f4;
    case TYPE_F8:
        memcpy(&f8, bytes, sizeof f8);
        return f8;
    case TYPE_I4:
        memcpy(&i4, bytes, sizeof i4);
        return i4;
    default:
        memcpy(&i8, bytes, sizeof i8);
        return i8 > INT64_C(1) << 53 || i8 < -(INT64_C(1) << 53) ? (double)NAN : (double)i8;
    }
}

static ebm_status copy_numbers(const char *path, const unsigned char *bytes, npy_type type, size_t size, bool fortran,
                               ebm_npy *out)
{
    out->values = malloc(out->rows * out->columns * sizeof *out->values);
    if (!out->values)
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the %zu x %zu numbers of %s", out->rows, out->columns, path);
    for (size_t i = 0; i < out->rows; i++)
        for (size_t j = 0; j < out->columns; j++) {
            const size_t place = fortran ? j * out->rows + i : i * out->columns + j;
            const double value = number_at(bytes + place * size, type);
            if (type == TYPE_I8 && isnan(value))
                return ebm_fail(EBM_ERROR_INPUT, "%s: row %zu: an integer of at most 53 bits expected", path, i);
            out->values[i * out->columns + j] = value;
        }
    return ebm_ok();
}

static ebm_status read_mapped(const char *path, const ebm_mapping *file, ebm_npy *out)
{
    npy_header header;
    npy_type type = TYPE_F4;
    size_t start = 0, size = 0;
    EBM_TRY(read_header(path, file, &header, &start));
    EBM_TRY(type_of(path, &header, &type, &size));
    if (header.dimensions == 0) return ebm_fail(EBM_ERROR_INPUT, "%s: an array expected, found a single number", path);
    out->dimensions = header.dimensions;
    out->rows = header.shape[0];
    out->columns = header.dimensions == 2 ? header.shape[1] : 1;
    out->integers = type == TYPE_I4 || type == TYPE_I8;
    if (!out->rows || !out->columns) return ebm_fail(EBM_ERROR_INPUT, "%s: the array is empty", path);
    const size_t bytes = file->size - start;
    if (out->rows > bytes / size / out->columns || bytes != out->rows * out->columns * size)
        return ebm_fail(EBM_ERROR_INPUT, "%s: %zu x %zu numbers of %zu bytes expected, found %zu bytes", path,
                        out->rows, out->columns, size, bytes);
    return copy_numbers(path, file->bytes + start, type, size, header.fortran, out);
}

ebm_status ebm_npy_read(const char *path, ebm_npy *out)
{
    ebm_mapping file;
    *out = (ebm_npy){0};
    EBM_TRY(ebm_file_map(path, &file));
    const ebm_status status = read_mapped(path, &file, out);
    ebm_file_unmap(&file);
    if (status.code != EBM_OK) ebm_npy_free(out);
    return status;
}

void ebm_npy_free(ebm_npy *array)
{
    free(array->values);
    *array = (ebm_npy){0};
}
