// The table of parameters on a device: what is planned, drawn, loaded under which names, saved and restored.
#include <math.h>

#include "check.h"
#include "device.h"
#include "folder.h"
#include "parameters.h"
#include "random.h"

static ebm_device *device;

static int open_device(void **state)
{
    const ebm_status status = ebm_device_open(NULL, &device);
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code;
}

static int close_device(void **state)
{
    ebm_device_free(device);
    return 0;
}

enum { C = 3 };

// A matrix of three parts in one tensor, its biases in another, a LayerNorm.
static ebm_parameters *make_table(bool training)
{
    ebm_parameters *p = ebm_parameters_create(device, training);
    assert_non_null(p);
    ebm_tensor *qkv = ebm_parameters_tensor(p, 3 * C * C, true);
    for (size_t i = 0; i < 3; i++)
        ebm_parameters_name(p, qkv, i * C * C, C, C, EBM_INIT_NORMAL, "layer.%d.%s.weight", 0, &"qkv"[i]);
    ebm_tensor *norm = ebm_parameters_tensor(p, 2 * C, false);
    ebm_parameters_name(p, norm, 0, 0, C, EBM_INIT_ONE, "LayerNorm.weight");
    ebm_parameters_name(p, norm, C, 0, C, EBM_INIT_ZERO, "LayerNorm.bias");
    ebm_tensor *word = ebm_parameters_tensor(p, 2 * C, true);
    ebm_parameters_name(p, word, 0, 2, C, EBM_INIT_NORMAL, "bert.word.weight");
    assert_ok(ebm_parameters_allocate(p));
    return p;
}

static void read_parameter(ebm_parameters *p, const char *name, float *values)
{
    const ebm_parameter *parameter = ebm_parameters_find(p, name);
    if (!parameter) fail_msg("no %s", name);
    const size_t count = (parameter->rows ? parameter->rows : 1) * parameter->columns;
    assert_ok(ebm_slice_read(device, parameter->tensor->weight, parameter->first, count, values));
}

typedef struct {
    const char *name;
    size_t rank, rows, columns; // rank 1: columns alone
    float start;                // element i holds start + i
} entry;

static void put_tensors(const char *path, const entry *entries, size_t count)
{
    ebm_safetensors_writer *writer = NULL;
    assert_ok(ebm_safetensors_writer_open(path, &writer));
    for (size_t i = 0; i < count; i++) {
        const size_t shape[2] = {entries[i].rows, entries[i].columns};
        assert_ok(ebm_safetensors_writer_declare(writer, entries[i].name, EBM_DTYPE_F32, entries[i].rank,
                                                 entries[i].rank == 2 ? shape : shape + 1));
    }
    for (size_t i = 0; i < count; i++)
        for (size_t e = 0; e < (entries[i].rank == 2 ? entries[i].rows : 1) * entries[i].columns; e++) {
            const float value = entries[i].start + (float)e;
            assert_ok(ebm_safetensors_writer_append(writer, &value, 1));
        }
    assert_ok(ebm_safetensors_writer_finish(writer));
    ebm_safetensors_writer_free(writer);
}

static void test_plan_and_views(void **state)
{
    ebm_parameters *p = ebm_parameters_create(device, true);
    ebm_tensor *one = ebm_parameters_tensor(p, 10, false);
    ebm_parameters_name(p, one, 0, 0, 10, EBM_INIT_ZERO, "bias");
    ebm_arena *arenas[4] = {NULL};
    assert_int_equal(ebm_parameters_arenas(p, arenas), 4);
    for (size_t i = 0; i < 4; i++) assert_true(ebm_arena_bytes(arenas[i]) >= 40);
    assert_ok(ebm_parameters_allocate(p));
    assert_int_equal(one->weight.count, 10);
    assert_int_equal(one->moment2.count, 10);
    assert_non_null(one->gradient.memory);
    assert_ptr_equal(ebm_parameters_tensor_view(p, 0), one);
    ebm_parameters_free(p);

    p = make_table(false);
    assert_int_equal(ebm_parameters_arenas(p, arenas), 1);
    assert_int_equal(ebm_parameters_count(p), 6);
    assert_int_equal(ebm_parameters_tensor_count(p), 3);
    assert_int_equal(ebm_parameters_tensor_view(p, 0)->gradient.count, 0);
    assert_string_equal(ebm_parameters_view(p, 5)->name, "bert.word.weight");
    assert_null(ebm_parameters_find(p, "absent"));
    ebm_parameters_free(p);
    ebm_parameters_free(NULL);
}

static void test_wrong_tables(void **state)
{
    static const struct {
        size_t first[2], columns[2];
        const char *names[2], *sentence;
    } CASES[] = {
        {{0, 5}, {5, 5}, {"a", "a"}, "parameter a is named twice"},
        {{0, 4}, {5, 6}, {"a", "b"}, "parameter b: expected its first element at 5 of its tensor, found 4"},
        {{0, 6}, {5, 4}, {"a", "b"}, "parameter b: expected its first element at 5 of its tensor, found 6"},
        {{0, 5}, {5, 4}, {"a", "b"}, "parameter b: its tensor has 10 elements, the names on it cover 9"},
        {{0, 5}, {5, 6}, {"a", "b"}, "parameter b: its tensor has 10 elements, the names on it cover 11"},
        {{1, 6}, {5, 4}, {"a", "b"}, "parameter a: expected its first element at 0 of its tensor, found 1"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ebm_parameters *p = ebm_parameters_create(device, false);
        ebm_tensor *tensor = ebm_parameters_tensor(p, 10, false);
        for (size_t n = 0; n < 2; n++)
            ebm_parameters_name(p, tensor, CASES[i].first[n], 0, CASES[i].columns[n], EBM_INIT_ZERO, "%s",
                                CASES[i].names[n]);
        assert_fails(ebm_parameters_allocate(p), EBM_ERROR_INPUT, CASES[i].sentence);
        ebm_parameters_free(p);
    }
    ebm_parameters *p = ebm_parameters_create(device, false);
    (void)ebm_parameters_tensor(p, 10, false);
    assert_fails(ebm_parameters_allocate(p), EBM_ERROR_INPUT, "1 of 1 tensors have no name");
    ebm_parameters_free(p);
    p = ebm_parameters_create(device, false);
    ebm_tensor *tensor = ebm_parameters_tensor(p, 1, false);
    ebm_parameters_name(p, tensor, 0, 0, 1, EBM_INIT_ZERO, "%0128d", 0);
    assert_fails(ebm_parameters_allocate(p), EBM_ERROR_INPUT, "the name has more than 127 bytes");
    ebm_parameters_free(p);
}

// Zeros, ones, and normal numbers of deviation 0.02: over n draws the mean has deviation 0.02 / sqrt(n) and the
// variance a relative one of sqrt(2 / n); five of each are allowed. n passes the staging memory's 2^20 elements.
static void test_init(void **state)
{
    enum { N = (1 << 20) + 1000 };
    float *first = malloc(N * sizeof *first), *second = malloc(N * sizeof *second), *other = malloc(N * sizeof *other);
    assert_true(first && second && other);
    for (int run = 0; run < 3; run++) {
        ebm_parameters *p = ebm_parameters_create(device, false);
        ebm_tensor *tensor = ebm_parameters_tensor(p, N + 4, true);
        ebm_parameters_name(p, tensor, 0, 0, 2, EBM_INIT_ONE, "one");
        ebm_parameters_name(p, tensor, 2, 0, 2, EBM_INIT_ZERO, "zero");
        ebm_parameters_name(p, tensor, 4, 1, N, EBM_INIT_NORMAL, "normal");
        assert_ok(ebm_parameters_allocate(p));
        assert_ok(ebm_parameters_init(p, run < 2 ? 7 : 8));
        float small[2];
        read_parameter(p, "one", small);
        assert_true(small[0] == 1 && small[1] == 1);
        read_parameter(p, "zero", small);
        assert_true(small[0] == 0 && small[1] == 0);
        read_parameter(p, "normal", run == 0 ? first : run == 1 ? second : other);
        ebm_parameters_free(p);
    }
    assert_memory_equal(first, second, N * sizeof *first);
    assert_memory_not_equal(first, other, N * sizeof *first);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < N; i++) {
        sum += (double)first[i];
        squares += (double)first[i] * (double)first[i];
    }
    assert_true(fabs(sum / N) < 5 * 0.02 / sqrt(N));
    assert_true(fabs(squares / N / (0.02 * 0.02) - 1) < 5 * sqrt(2.0 / N));
    ebm_random stream = ebm_random_stream(7, 2, EBM_SITE_INIT); // the third parameter
    for (size_t i = 0; i < N; i++)
        if (first[i] != (float)(0.02 * ebm_random_normal(&stream))) fail_msg("element %zu is not the stream's", i);
    free(first), free(second), free(other);
}

static void test_load_maps_names(void **state)
{
    char *path = in_folder(*state, "model.safetensors");
    static const entry entries[] = {
        {"layer.0.qkv.weight", 2, C, C, 100},
        {"bert.layer.0.kv.weight", 2, C, C, 200},
        {"bert.LayerNorm.gamma", 1, 0, C, 300},
        {"LayerNorm.beta", 1, 0, C, 400},
        {"word.weight", 2, 2, C, 500},
        {"cls.decoder.weight", 2, 2, C, 600},
        {"bert.embeddings.position_ids", 1, 0, 4, 0},
        {"h.0.attn.bias", 2, 2, 2, 0},
        {"h.0.attn.masked_bias", 1, 0, 1, 0},
        {"h.0.attn.c_attn.bias", 1, 0, 1, 0},
    };
    put_tensors(path, entries, sizeof entries / sizeof *entries);
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(path, &file));
    ebm_parameters *p = make_table(true);
    assert_ok(ebm_parameters_init(p, 1));
    float before[C * C], values[C * C];
    read_parameter(p, "layer.0.v.weight", before);
    static const char *const prefixes[] = {"roberta.", "bert.", NULL};
    char **ignored = NULL;
    assert_ok(ebm_parameters_load(p, file, prefixes, &ignored));

    static const struct {
        const char *name;
        float start;
        size_t count;
    } loaded[] = {{"layer.0.qkv.weight", 100, C * C},
                  {"layer.0.kv.weight", 200, C * C},
                  {"LayerNorm.weight", 300, C},
                  {"LayerNorm.bias", 400, C},
                  {"bert.word.weight", 500, 2 * C}};
    for (size_t i = 0; i < sizeof loaded / sizeof *loaded; i++) {
        read_parameter(p, loaded[i].name, values);
        for (size_t e = 0; e < loaded[i].count; e++) assert_true(values[e] == loaded[i].start + (float)e);
        assert_true(ebm_parameters_find(p, loaded[i].name)->loaded);
    }
    assert_false(ebm_parameters_find(p, "layer.0.v.weight")->loaded);
    read_parameter(p, "layer.0.v.weight", values);
    assert_memory_equal(values, before, sizeof before);
    // In the order of the data; buffers are not worth a word.
    assert_string_equal(ignored[0], "cls.decoder.weight");
    assert_string_equal(ignored[1], "h.0.attn.c_attn.bias");
    assert_null(ignored[2]);
    free(ignored);
    assert_ok(ebm_parameters_load(p, file, NULL, NULL));
    assert_false(ebm_parameters_find(p, "layer.0.kv.weight")->loaded);
    ebm_safetensors_free(file);
    ebm_parameters_free(p);
    free(path);
}

// After a load only what no file gave is drawn, bit for bit as a whole draw would: parameters that are missing, and the
// rows behind those of a file that has fewer.
static void test_init_of_what_is_missing(void **state)
{
    char *path = in_folder(*state, "model.safetensors");
    static const entry entries[] = {{"layer.0.qkv.weight", 2, C, C, 100}, {"bert.word.weight", 2, 1, C, 500}};
    put_tensors(path, entries, 2);
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(path, &file));
    ebm_parameters *drawn = make_table(false), *loaded = make_table(false);
    assert_ok(ebm_parameters_init(drawn, 5));
    ebm_parameters_find(loaded, "bert.word.weight")->may_grow = true;
    assert_ok(ebm_parameters_load(loaded, file, NULL, NULL));
    assert_ok(ebm_parameters_init_missing(loaded, 5));
    assert_int_equal(ebm_parameters_find(loaded, "bert.word.weight")->given, C);
    for (size_t i = 0; i < ebm_parameters_count(drawn); i++) {
        const ebm_parameter *p = ebm_parameters_view(loaded, i);
        const size_t count = (p->rows ? p->rows : 1) * p->columns;
        const entry *from = i == 0 ? &entries[0] : i == 5 ? &entries[1] : NULL;
        float want[C * C], got[C * C];
        read_parameter(drawn, p->name, want);
        read_parameter(loaded, p->name, got);
        assert_int_equal(p->given, from ? (i == 0 ? C * C : C) : 0);
        for (size_t e = 0; e < p->given; e++) want[e] = from->start + (float)e;
        assert_memory_equal(got, want, count * sizeof *want);
    }
    // Restoring gives too.
    assert_ok(ebm_parameters_save(drawn, EBM_PART_WEIGHT, path, NULL, NULL));
    ebm_safetensors_free(file);
    assert_ok(ebm_safetensors_open(path, &file));
    assert_ok(ebm_parameters_restore(loaded, EBM_PART_WEIGHT, file, NULL, NULL));
    assert_ok(ebm_parameters_init_missing(loaded, 6));
    float want[C * C], got[C * C];
    read_parameter(drawn, "layer.0.v.weight", want);
    read_parameter(loaded, "layer.0.v.weight", got);
    assert_memory_equal(got, want, sizeof want);
    ebm_safetensors_free(file);
    ebm_parameters_free(drawn);
    ebm_parameters_free(loaded);
    free(path);
}

// A file may hold a tied matrix under its other name only; where both stand, the embeddings' own counts.
static void test_tied_names(void **state)
{
    static const char *const NAMES[][2] = {{"transformer.wte.weight", "lm_head.weight"},
                                           {"roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
                                           {"model.embeddings.tok_embeddings.weight", "decoder.weight"}};
    static const char *const prefixes[] = {"transformer.", "roberta.", "model.", NULL};
    char *path = in_folder(*state, "model.safetensors");
    for (size_t i = 0; i < 3; i++)
        for (size_t both = 0; both < 2; both++) {
            const entry entries[] = {{NAMES[i][1], 2, 2, C, 100}, {strchr(NAMES[i][0], '.') + 1, 2, 2, C, 200}};
            ebm_safetensors *file = NULL;
            char **ignored = NULL;
            float values[2 * C];
            put_tensors(path, entries, 1 + both);
            assert_ok(ebm_safetensors_open(path, &file));
            ebm_parameters *p = ebm_parameters_create(device, false);
            ebm_parameters_name(p, ebm_parameters_tensor(p, 2 * C, true), 0, 2, C, EBM_INIT_ZERO, "%s", NAMES[i][0]);
            assert_ok(ebm_parameters_allocate(p));
            assert_ok(ebm_parameters_load(p, file, prefixes, &ignored));
            read_parameter(p, NAMES[i][0], values);
            assert_true(values[0] == (both ? 200 : 100) && values[5] == values[0] + 5);
            assert_true(both ? !strcmp(ignored[0], NAMES[i][1]) : !ignored[0]);
            free(ignored);
            ebm_parameters_free(p);
            ebm_safetensors_free(file);
        }
    free(path);
}

static void test_load_refuses(void **state)
{
    char *path = in_folder(*state, "model.safetensors");
    static const struct {
        entry entry;
        const char *sentence;
    } CASES[] = {
        {{"bert.word.weight", 2, C, 2, 0}, "tensor bert.word.weight: expected shape (2, 3), found (3, 2)"},
        {{"bert.word.weight", 1, 0, 2 * C, 0}, "tensor bert.word.weight: expected shape (2, 3), found (6)"},
        {{"LayerNorm.weight", 2, 1, C, 0}, "tensor LayerNorm.weight: expected shape (3), found (1, 3)"},
        {{"LayerNorm.gamma", 1, 0, C + 1, 0}, "tensor LayerNorm.gamma: expected shape (3), found (4)"},
        {{"LayerNorm.bias", 1, 0, C, NAN}, "tensor LayerNorm.bias: expected finite numbers, found NaN at element 0"},
        {{"word.weight", 2, 2, C, INFINITY}, "tensor word.weight: expected finite numbers, found infinity"},
    };
    static const char *const prefixes[] = {"bert.", NULL};
    ebm_parameters *p = make_table(false);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        put_tensors(path, &CASES[i].entry, 1);
        ebm_safetensors *file = NULL;
        char **ignored = NULL;
        assert_ok(ebm_safetensors_open(path, &file));
        assert_fails(ebm_parameters_load(p, file, prefixes, &ignored), EBM_ERROR_INPUT, CASES[i].sentence);
        assert_null(ignored);
        ebm_safetensors_free(file);
    }
    ebm_parameters_free(p);
    free(path);
}

// 16-bit files pass through the staging memory.
static void test_load_bfloat16(void **state)
{
    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(FIXTURES "/safetensors/bfloat16.safetensors", &file));
    ebm_parameters *p = ebm_parameters_create(device, false);
    ebm_tensor *tensor = ebm_parameters_tensor(p, 35, true);
    ebm_parameters_name(p, tensor, 0, 5, 7, EBM_INIT_NORMAL, "plain");
    assert_ok(ebm_parameters_allocate(p));
    assert_ok(ebm_parameters_load(p, file, NULL, NULL));
    float got[35], want[35];
    size_t index = 0;
    assert_true(ebm_safetensors_find(file, "plain", &index));
    assert_ok(ebm_safetensors_floats(file, index, want));
    read_parameter(p, "plain", got);
    assert_memory_equal(got, want, sizeof got);
    ebm_safetensors_free(file);
    ebm_parameters_free(p);
}

static bool is_layer(const char *name) { return !strncmp(name, "layer.", 6); }

static void test_save_and_restore(void **state)
{
    const char *folder = *state;
    char *path = in_folder(folder, "moments.safetensors");
    ebm_parameters *p = make_table(true), *q = make_table(true);
    assert_ok(ebm_parameters_init(p, 3));
    float qkv[3 * C * C], got[3 * C * C];
    for (size_t i = 0; i < 3 * C * C; i++) qkv[i] = (float)i / 7;
    assert_ok(ebm_slice_write(device, ebm_parameters_tensor_view(p, 0)->moment2, 0, 3 * C * C, qkv));
    assert_ok(ebm_parameters_save(p, EBM_PART_MOMENT2, path, "m2.", is_layer));

    ebm_safetensors *file = NULL;
    assert_ok(ebm_safetensors_open(path, &file));
    assert_int_equal(ebm_safetensors_count(file), 3);
    assert_string_equal(ebm_safetensors_view(file, 2)->name, "m2.layer.0.v.weight");
    assert_int_equal(ebm_safetensors_view(file, 2)->rank, 2);
    assert_ok(ebm_parameters_restore(q, EBM_PART_MOMENT2, file, "m2.", is_layer));
    assert_ok(ebm_slice_read(device, ebm_parameters_tensor_view(q, 0)->moment2, 0, 3 * C * C, got));
    assert_memory_equal(got, qkv, sizeof got);
    assert_fails(ebm_parameters_restore(q, EBM_PART_MOMENT2, file, "m1.", is_layer), EBM_ERROR_INPUT,
                 "moments.safetensors: tensor m1.layer.0.qkv.weight is missing");
    assert_fails(ebm_parameters_restore(q, EBM_PART_MOMENT2, file, "m2.", NULL), EBM_ERROR_INPUT,
                 "tensor m2.LayerNorm.weight is missing");
    ebm_safetensors_free(file);

    assert_ok(ebm_parameters_save(p, EBM_PART_WEIGHT, path, NULL, NULL));
    assert_ok(ebm_safetensors_open(path, &file));
    assert_int_equal(ebm_safetensors_count(file), 6);
    assert_int_equal(ebm_safetensors_view(file, 3)->rank, 1);
    assert_ok(ebm_parameters_load(q, file, NULL, NULL));
    for (size_t i = 0; i < ebm_parameters_count(p); i++) {
        const char *name = ebm_parameters_view(p, i)->name;
        float left[C * C] = {0}, right[C * C] = {0};
        read_parameter(p, name, left);
        read_parameter(q, name, right);
        assert_memory_equal(left, right, sizeof left);
        assert_true(ebm_parameters_view(q, i)->loaded);
    }
    ebm_safetensors_free(file);
    assert_int_equal(entries_of(folder), 1);
    ebm_parameters_free(p);
    ebm_parameters_free(q);
    p = make_table(false);
    assert_fails(ebm_parameters_save(p, EBM_PART_MOMENT1, path, NULL, NULL), EBM_ERROR_INPUT, "not made for training");
    ebm_parameters_free(p);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan_and_views),
        cmocka_unit_test(test_wrong_tables),
        cmocka_unit_test(test_init),
        in_own_folder(test_load_maps_names),
        in_own_folder(test_init_of_what_is_missing),
        in_own_folder(test_tied_names),
        in_own_folder(test_load_refuses),
        cmocka_unit_test(test_load_bfloat16),
        in_own_folder(test_save_and_restore),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
