// Reading what the format's own library wrote, writing, and files that are wrong in every way the header can be.
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "check.h"
#include "folder.h"
#include "safetensors.h"

#define FIXTURE(name) FIXTURES "/safetensors/" name ".safetensors"

static size_t index_of(const ebm_safetensors *file, const char *name)
{
    size_t index = 0;
    if (!ebm_safetensors_find(file, name, &index)) fail_msg("%s not found", name);
    return index;
}

static void assert_same_bits(const float *left, const float *right, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t a, b;
        memcpy(&a, &left[i], 4);
        memcpy(&b, &right[i], 4);
        if (a != b) fail_msg("element %zu: %08x, expected %08x", i, a, b);
    }
}

// Every conversion is exact, so torch's float() of the same tensors must have the same bits.
static void test_types_convert_to_float(void **state)
{
    static const char *const FILES[][2] = {{FIXTURE("float16"), "half"}, {FIXTURE("bfloat16"), "brain"}};
    ebm_safetensors *expected = NULL;
    assert_ok(ebm_safetensors_open(FIXTURE("float32"), &expected));
    assert_string_equal(ebm_safetensors_metadata(expected, "format"), "pt");
    assert_null(ebm_safetensors_metadata(expected, "maker"));
    for (size_t f = 0; f < 2; f++) {
        ebm_safetensors *file = NULL;
        assert_ok(ebm_safetensors_open(FILES[f][0], &file));
        assert_int_equal(ebm_safetensors_count(file), 2);
        for (size_t i = 0; i < 2; i++) {
            const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, i);
            char name[64];
            snprintf(name, sizeof name, "%s.%s", FILES[f][1], tensor->name);
            float got[64], want[64];
            assert_true(tensor->count <= 64);
            assert_ok(ebm_safetensors_floats(file, i, got));
            assert_ok(ebm_safetensors_floats(expected, index_of(expected, name), want));
            assert_same_bits(got, want, tensor->count);
            assert_null(ebm_safetensors_floats_view(file, i));
        }
        const ebm_safetensors_tensor *plain = ebm_safetensors_view(file, index_of(file, "plain"));
        assert_int_equal(plain->rank, 2);
        assert_int_equal(plain->shape[0], 5);
        assert_int_equal(plain->shape[1], 7);
        ebm_safetensors_free(file);
    }
    ebm_safetensors_free(expected);
}

static void test_parts_views_and_finiteness(void **state)
{
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(FIXTURE("float32"), &file));
    const size_t plain = index_of(file, "half.plain"), edges = index_of(file, "half.edges");
    float whole[35], part[35], edge[16];
    assert_ok(ebm_safetensors_finite_floats(file, plain, whole));
    assert_ok(ebm_safetensors_floats_part(file, plain, 30, 5, true, part));
    assert_same_bits(part, whole + 30, 5);
    assert_fails(ebm_safetensors_floats_part(file, plain, 30, 6, true, part), EBM_ERROR_INPUT,
                 "tensor half.plain: expected a part of its 35 elements, found 6 from 30 on");
    assert_fails(ebm_safetensors_floats_part(file, plain, 36, 0, true, part), EBM_ERROR_INPUT, "0 from 36 on");
    assert_fails(ebm_safetensors_floats(file, 4, part), EBM_ERROR_INPUT, "expected a tensor index below 4, found 4");
    const float *view = ebm_safetensors_floats_view(file, plain);
    if (view) assert_same_bits(view, whole, 35);
    assert_ok(ebm_safetensors_check_finite(file, plain));
    assert_ok(ebm_safetensors_check_finite_part(file, plain, 30, 5));
    assert_fails(ebm_safetensors_check_finite_part(file, plain, 30, 6), EBM_ERROR_INPUT, "found 6 from 30 on");
    assert_ok(ebm_safetensors_floats(file, edges, edge));
    assert_fails(ebm_safetensors_finite_floats(file, edges, edge), EBM_ERROR_INPUT,
                 "float32.safetensors: tensor half.edges: expected finite numbers, found infinity at element 10");
    assert_fails(ebm_safetensors_check_finite(file, edges), EBM_ERROR_INPUT, "found infinity at element 10");
    assert_fails(ebm_safetensors_check_finite_part(file, edges, 11, 1), EBM_ERROR_INPUT, "infinity at element 11");
    assert_ok(ebm_safetensors_check_finite_part(file, edges, 12, 4));
    ebm_safetensors_free(file);
    assert_ok(ebm_safetensors_open(FIXTURE("bfloat16"), &file));
    assert_fails(ebm_safetensors_check_finite(file, index_of(file, "edges")), EBM_ERROR_INPUT, "infinity at element 8");
    assert_ok(ebm_safetensors_check_finite(file, index_of(file, "plain")));
    ebm_safetensors_free(file);
}

static void test_other_types_are_listed(void **state)
{
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(FIXTURE("mixed"), &file));
    assert_int_equal(ebm_safetensors_count(file), 6);
    assert_string_equal(ebm_safetensors_metadata(file, "maker"), "tests");
    float out[4];
    int64_t integers[3];
    assert_fails(ebm_safetensors_floats(file, index_of(file, "integers"), out), EBM_ERROR_UNSUPPORTED,
                 "mixed.safetensors: tensor integers: expected dtype F32, F16, BF16 or F64, found I64");
    assert_fails(ebm_safetensors_check_finite(file, index_of(file, "truth")), EBM_ERROR_UNSUPPORTED, "found BOOL");
    assert_fails(ebm_safetensors_integers(file, index_of(file, "bytes"), integers), EBM_ERROR_UNSUPPORTED,
                 "tensor bytes: expected dtype I64, found U8");
    assert_ok(ebm_safetensors_integers(file, index_of(file, "integers"), integers));
    assert_true(integers[0] == INT64_MIN && integers[1] == INT64_MAX && integers[2] == 0);
    const size_t scalar = index_of(file, "scalar"), empty = index_of(file, "empty");
    assert_int_equal(ebm_safetensors_view(file, scalar)->rank, 0);
    assert_ok(ebm_safetensors_floats(file, scalar, out));
    assert_true(out[0] == 2.5F);
    assert_int_equal(ebm_safetensors_view(file, empty)->count, 0);
    assert_ok(ebm_safetensors_finite_floats(file, empty, out));
    assert_ok(ebm_safetensors_floats(file, index_of(file, "größe"), out));
    assert_true(out[1] == 2.0F);
    size_t index;
    assert_false(ebm_safetensors_find(file, "absent", &index));
    ebm_safetensors_free(file);
}

// Rounded as a cast rounds; what float cannot hold is infinite, and refused where numbers must be finite.
static void test_doubles(void **state)
{
    static const double X[5] = {0.1, -1e-300, 3.4e38, 1 + 0x1p-30, -0.0};
    ebm_safetensors *file = NULL;
    float got[5], want[5], large[2];
    for (size_t i = 0; i < 5; i++) want[i] = (float)X[i];
    assert_ok(ebm_safetensors_open(FIXTURE("float64"), &file));
    assert_ok(ebm_safetensors_finite_floats(file, index_of(file, "x"), got));
    assert_same_bits(got, want, 5);
    assert_ok(ebm_safetensors_floats_part(file, index_of(file, "x"), 2, 2, true, got));
    assert_same_bits(got, want + 2, 2);
    assert_null(ebm_safetensors_floats_view(file, index_of(file, "x")));
    assert_ok(ebm_safetensors_floats(file, index_of(file, "large"), large));
    assert_true(large[0] == 1 && isinf(large[1]));
    assert_fails(ebm_safetensors_check_finite(file, index_of(file, "large")), EBM_ERROR_INPUT,
                 "tensor large: expected finite numbers, found infinity at element 1");
    ebm_safetensors_free(file);
}

// Given back and read again: the same bits; also for bytes that no file backs.
static void test_forgotten_parts_come_back(void **state)
{
    enum { N = 100000 };
    char *path = in_folder(*state, "large.safetensors"), *bytes = NULL;
    float *values = malloc(N * sizeof *values), *again = malloc(N * sizeof *again);
    ebm_safetensors_writer *writer = NULL;
    size_t size = 0;
    assert_true(values && again);
    for (size_t i = 0; i < N; i++) values[i] = (float)i;
    assert_ok(ebm_safetensors_writer_open(path, &writer));
    assert_ok(ebm_safetensors_writer_declare(writer, "x", EBM_DTYPE_F32, 1, (size_t[]){N}));
    assert_ok(ebm_safetensors_writer_append(writer, values, N));
    assert_ok(ebm_safetensors_writer_finish(writer));
    ebm_safetensors_writer_free(writer);
    assert_ok(ebm_file_read(path, 1 << 20, &bytes, &size));
    for (int mapped = 0; mapped < 2; mapped++) {
        ebm_safetensors *file = NULL;
        assert_ok(mapped ? ebm_safetensors_open(path, &file) : ebm_safetensors_parse(bytes, size, "x", &file));
        ebm_safetensors_forget(file, 0, 10, N - 20);
        ebm_safetensors_forget(file, 0, 0, N + 1);
        ebm_safetensors_forget(file, 1, 0, 1);
        assert_ok(ebm_safetensors_finite_floats(file, 0, again));
        assert_same_bits(again, values, N);
        ebm_safetensors_free(file);
    }
    free(values), free(again), free(bytes), free(path);
}

// All 65536 halves against the definition: sign * 2^(e - 15) * (1 + f / 1024), subnormals f * 2^-24.
static void test_every_half(void **state)
{
    char *path = in_folder(*state, "halves");
    static uint16_t halves[65536];
    static float got[65536];
    for (size_t i = 0; i < 65536; i++) halves[i] = (uint16_t)i;
    char header[96];
    const int length = snprintf(header, sizeof header,
                                "{\"x\":{\"dtype\":\"F16\",\"shape\":[65536],"
                                "\"data_offsets\":[0,131072]}}");
    FILE *out = fopen(path, "wb");
    const uint64_t size = (uint64_t)length;
    assert_non_null(out);
    assert_int_equal(
        fwrite(&size, 8, 1, out) + fwrite(header, (size_t)length, 1, out) + fwrite(halves, sizeof halves, 1, out), 3);
    assert_int_equal(fclose(out), 0);
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(path, &file));
    assert_ok(ebm_safetensors_floats(file, 0, got));
    for (int i = 0; i < 65536; i++) {
        const int exponent = i >> 10 & 31, fraction = i & 1023;
        double want = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
        if (exponent == 31) want = fraction ? NAN : INFINITY;
        if (i & 0x8000) want = -want;
        if (isnan(want) ? !isnan(got[i]) : (double)got[i] != want || !signbit(got[i]) != !signbit(want))
            fail_msg("half %04x: %g, expected %g", i, (double)got[i], want);
    }
    ebm_safetensors_free(file);
    free(path);
}

static char *bytes_of_hex(const char *hex, size_t *size)
{
    *size = strlen(hex) / 2;
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < *size; i++) {
        const char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        bytes[i] = (char)strtoul(pair, NULL, 16);
    }
    return bytes;
}

static void check_wrong_file(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    const char *ours = json_string_value(json_object_get(row, "ours"));
    const bool theirs = !strcmp(json_string_value(json_object_get(row, "theirs")), "accepted");
    size_t size = 0;
    ebm_safetensors *file = NULL;
    char *bytes = bytes_of_hex(json_string_value(json_object_get(row, "file")), &size);
    const ebm_status status = ebm_safetensors_parse(bytes, size, "wrong file", &file);
    if (status.code != (ours ? EBM_ERROR_INPUT : EBM_OK))
        fail_msg("%s: code %d: %s", name, status.code, status.message);
    if (ours && (!strstr(status.message, ours) || strncmp(status.message, "wrong file: ", 12) != 0))
        fail_msg("%s: expected \"%s\", got \"%s\"", name, ours, status.message);
    if (theirs == (ours != NULL) && !json_object_get(row, "why")) fail_msg("%s: differs without a reason", name);
    ebm_safetensors_free(file);
    free(bytes);
}

// Everything that can be wrong, and what only looks so: we refuse what the format's own library refuses, and take what
// it takes but for cases that say why.
static void test_wrong_files(void **state)
{
    json_error_t error;
    json_t *all = json_load_file(FIXTURES "/safetensors/broken.json", 0, &error);
    if (!all) fail_msg("%s", error.text);
    const json_t *cases = json_object_get(all, "cases");
    assert_true(json_array_size(cases) > 80);
    for (size_t i = 0; i < json_array_size(cases); i++) check_wrong_file(json_array_get(cases, i));
    json_decref(all);
}

static void test_broken_lengths(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "broken.safetensors");
    ebm_safetensors *file = NULL;
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT, "No such file or directory");
    assert_fails(ebm_safetensors_open(folder, &file), EBM_ERROR_INPUT, "found a directory");
    assert_fails(ebm_safetensors_open(NULL, &file), EBM_ERROR_MEMORY, "");
    put_file(path, "", 0);
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT, "found a file of 0 bytes");
    put_file(path, "\2\0\0\0\0\0\0", 7);
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT, "found a file of 7 bytes");
    put_file(path, "\3\0\0\0\0\0\0\0{}", 10);
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT,
                 "the header should have 3 bytes, the file has 2 after its length (truncated?)");
    put_file(path, "\1\xE1\xF5\5\0\0\0\0{}", 10); // 100000001
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT,
                 "expected a header of at most 100000000 bytes, found a length of 100000001");
    put_file(path, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10);
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT, "found a length of 18446744073709551615");
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    put_file(path, lfs, sizeof lfs - 1);
    assert_fails(ebm_safetensors_open(path, &file), EBM_ERROR_INPUT, "this is a Git LFS pointer, not the weights");
    put_file(path, "\2\0\0\0\0\0\0\0{}", 10);
    assert_ok(ebm_safetensors_open(path, &file));
    assert_int_equal(ebm_safetensors_count(file), 0);
    ebm_safetensors_free(file);
    free(path);
}

// Every proper prefix of a good file is refused, and no single damaged byte of its header makes the reader fall.
static void test_cut_and_damaged(void **state)
{
    char *path = in_folder(*state, "cut.safetensors"), *bytes = NULL;
    size_t size = 0;
    assert_ok(ebm_file_read(FIXTURE("mixed"), 1 << 16, &bytes, &size));
    ebm_safetensors *file = NULL;
    for (size_t cut = 0; cut < size; cut++) {
        put_file(path, bytes, cut);
        const ebm_status status = ebm_safetensors_open(path, &file);
        if (status.code != EBM_ERROR_INPUT) fail_msg("cut at %zu of %zu: code %d", cut, size, (int)status.code);
    }
    uint64_t header;
    memcpy(&header, bytes, 8);
    for (size_t at = 0; at < 8 + header; at++) {
        static const char damages[] = {0, '"', '9', (char)0x80, '}'};
        const char before = bytes[at];
        for (size_t d = 0; d < sizeof damages; d++) {
            bytes[at] = damages[d];
            put_file(path, bytes, size);
            if (ebm_safetensors_open(path, &file).code != EBM_OK) continue;
            float out[64];
            for (size_t i = 0; i < ebm_safetensors_count(file); i++)
                if (ebm_safetensors_view(file, i)->count <= 64) (void)ebm_safetensors_floats(file, i, out);
            ebm_safetensors_free(file);
        }
        bytes[at] = before;
    }
    free(bytes);
    free(path);
}

static void test_write_and_read_back(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "out.safetensors");
    const int64_t integers[2] = {-7, INT64_MAX};
    const float matrix[6] = {1, -2, 3.5F, -0.0F, 1e-45F, 3e38F}, vector[1] = {9};
    ebm_safetensors_writer *writer = NULL;
    assert_ok(ebm_safetensors_writer_open(path, &writer));
    assert_ok(ebm_safetensors_writer_metadata(writer, "step", "12"));
    assert_ok(ebm_safetensors_writer_declare(writer, "integers", EBM_DTYPE_I64, 1, (size_t[]){2}));
    assert_ok(ebm_safetensors_writer_declare(writer, "a \"matrix\"", EBM_DTYPE_F32, 2, (size_t[]){2, 3}));
    assert_ok(ebm_safetensors_writer_declare(writer, "empty", EBM_DTYPE_F32, 2, (size_t[]){0, 3}));
    assert_ok(ebm_safetensors_writer_declare(writer, "vector", EBM_DTYPE_F32, 1, (size_t[]){1}));
    assert_ok(ebm_safetensors_writer_append(writer, integers, 2));
    assert_ok(ebm_safetensors_writer_append(writer, matrix, 4));
    assert_ok(ebm_safetensors_writer_append(writer, matrix, 0));
    assert_ok(ebm_safetensors_writer_append(writer, matrix + 4, 2));
    assert_ok(ebm_safetensors_writer_append(writer, vector, 1));
    assert_false(ebm_file_exists(path));
    assert_ok(ebm_safetensors_writer_finish(writer));
    ebm_safetensors_writer_free(writer);
    assert_int_equal(entries_of(folder), 1);

    ebm_safetensors *file = NULL;
    float got[6];
    int64_t back[2];
    assert_ok(ebm_safetensors_open(path, &file));
    assert_int_equal(ebm_safetensors_count(file), 4);
    assert_string_equal(ebm_safetensors_metadata(file, "format"), "pt");
    assert_string_equal(ebm_safetensors_metadata(file, "step"), "12");
    assert_ok(ebm_safetensors_floats(file, index_of(file, "a \"matrix\""), got));
    assert_same_bits(got, matrix, 6);
    assert_non_null(ebm_safetensors_floats_view(file, index_of(file, "vector")));
    assert_ok(ebm_safetensors_integers(file, index_of(file, "integers"), back));
    assert_memory_equal(back, integers, sizeof back);
    ebm_safetensors_free(file);
    free(path);
}

// The first error sticks, and nothing is left of the file.
static void test_writer_misuse(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "out.safetensors");
    const size_t two[1] = {2}, huge[2] = {SIZE_MAX / 2, 3}, nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const float data[3] = {0};
    static const struct {
        int kind;
        const char *sentence;
    } CASES[] = {
        {0, "out.safetensors: tensor a: declared twice"},
        {1, "tensor b: I64 must be declared before F32"},
        {2, "tensor b: the product of its shape overflows"},
        {3, "tensor b: expected at most 8 dimensions, found 9"},
        {4, "expected at most 2 elements to complete tensor number 0, found 3"},
        {5, "more data than the tensors declared need"},
        {6, "expected 8 bytes of data, only 4 were appended"},
        {7, "tensor b: declared after the first data"},
        {8, "tensor b: only F32 and I64 are written"},
        {9, "a tensor's name is not UTF-8"},
        {10, "metadata key comes after the first data"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ebm_safetensors_writer *w = NULL;
        const int kind = CASES[i].kind;
        assert_ok(ebm_safetensors_writer_open(path, &w));
        size_t one = 1;
        if (kind == 1) assert_ok(ebm_safetensors_writer_declare(w, "odd", EBM_DTYPE_F32, 1, &one));
        if (kind != 1) assert_ok(ebm_safetensors_writer_declare(w, "a", EBM_DTYPE_F32, 1, two));
        if (kind == 0) (void)ebm_safetensors_writer_declare(w, "a", EBM_DTYPE_F32, 1, two);
        if (kind == 1) (void)ebm_safetensors_writer_declare(w, "b", EBM_DTYPE_I64, 1, two);
        if (kind == 2) (void)ebm_safetensors_writer_declare(w, "b", EBM_DTYPE_F32, 2, huge);
        if (kind == 3) (void)ebm_safetensors_writer_declare(w, "b", EBM_DTYPE_F32, 9, nine);
        if (kind == 4) (void)ebm_safetensors_writer_append(w, data, 3);
        if (kind == 5) (void)ebm_safetensors_writer_append(w, data, 2);
        if (kind == 5 || kind == 6 || kind == 7 || kind == 10) (void)ebm_safetensors_writer_append(w, data, 1);
        if (kind == 7) (void)ebm_safetensors_writer_declare(w, "b", EBM_DTYPE_F32, 1, two);
        if (kind == 8) (void)ebm_safetensors_writer_declare(w, "b", EBM_DTYPE_F16, 1, two);
        if (kind == 9) (void)ebm_safetensors_writer_declare(w, "b\xFF", EBM_DTYPE_F32, 1, two);
        if (kind == 10) (void)ebm_safetensors_writer_metadata(w, "key", "value");
        assert_fails(ebm_safetensors_writer_finish(w), kind == 8 ? EBM_ERROR_UNSUPPORTED : EBM_ERROR_INPUT,
                     CASES[i].sentence);
        assert_fails(ebm_safetensors_writer_append(w, data, 1), kind == 8 ? EBM_ERROR_UNSUPPORTED : EBM_ERROR_INPUT,
                     CASES[i].sentence);
        ebm_safetensors_writer_free(w);
        assert_int_equal(entries_of(folder), 0);
    }
    ebm_safetensors_writer_free(NULL);
    ebm_safetensors_free(NULL);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_convert_to_float),
        cmocka_unit_test(test_parts_views_and_finiteness),
        cmocka_unit_test(test_other_types_are_listed),
        cmocka_unit_test(test_doubles),
        in_own_folder(test_forgotten_parts_come_back),
        in_own_folder(test_every_half),
        cmocka_unit_test(test_wrong_files),
        in_own_folder(test_broken_lengths),
        in_own_folder(test_cut_and_damaged),
        in_own_folder(test_write_and_read_back),
        in_own_folder(test_writer_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
