// The weights of a model directory: in one file, in several with an index, and forms that are refused with a command.
#include "check.h"
#include "folder.h"
#include "safetensors.h"

static const char SHARDED[] = FIXTURES "/safetensors/sharded";
static const char FIRST[] = "model-00001-of-00002.safetensors", SECOND[] = "model-00002-of-00002.safetensors";
static const char INDEX[] = "model.safetensors.index.json";

static void copy_from_sharded(const char *folder, const char *name, const char *as)
{
    char *from = in_folder(SHARDED, name), *to = in_folder(folder, as);
    assert_ok(ebm_file_copy(from, to));
    free(from);
    free(to);
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// Written by transformers: element i of the k-th tensor by name is 1000 k + i.
static void test_several_files(void **state)
{
    ebm_safetensors *file = NULL;
    const char *names[64];
    assert_ok(ebm_safetensors_open_model(SHARDED, &file));
    const size_t count = ebm_safetensors_count(file);
    size_t of_second = 0;
    assert_int_equal(count, 39); // 5 of the embeddings, 16 a layer, 2 of the pooler
    assert_string_equal(strrchr(ebm_safetensors_path(file), '/') + 1, INDEX);
    assert_string_equal(ebm_safetensors_metadata(file, "format"), "pt");
    for (size_t i = 0; i < count; i++) names[i] = ebm_safetensors_view(file, i)->name;
    qsort(names, count, sizeof *names, compare_texts);
    for (size_t k = 0; k < count; k++) {
        size_t index = 0;
        float values[1024];
        assert_true(ebm_safetensors_find(file, names[k], &index));
        const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
        of_second += strstr(tensor->path, SECOND) != NULL;
        assert_true(tensor->count <= 1024);
        assert_ok(ebm_safetensors_finite_floats(file, index, values));
        for (size_t i = 0; i < tensor->count; i++) assert_true(values[i] == 1000 * (float)k + (float)i);
    }
    assert_true(of_second > 0 && of_second < count);
    ebm_safetensors_free(file);
}

#define HEAD "{\"weight_map\": {"
static const struct {
    const char *index, *sentence;
} WRONG_INDEX[] = {
    {"", "model.safetensors.index.json:"},
    {"[]", "an object expected"},
    {"{}", "\"weight_map\" is missing or not an object"},
    {"{\"weight_map\": []}", "\"weight_map\" is missing or not an object"},
    {HEAD "}}", "\"weight_map\" names no files"},
    {HEAD "\"a\": 1}}", "tensor a: expected the name of a file in the same directory, found no text"},
    {HEAD "\"a\": \"\"}}", "tensor a: expected the name of a file in the same directory, found "},
    {HEAD "\"a\": \"..\"}}", "the same directory, found .."},
    {HEAD "\"a\": \"/etc/passwd\"}}", "the same directory, found /etc/passwd"},
    {HEAD "\"a\": \"../x.safetensors\"}}", "the same directory, found ../x.safetensors"},
    {HEAD "\"a\": \"sub/x.safetensors\"}}", "the same directory, found sub/x.safetensors"},
    {HEAD "\"a\": \"sub\\\\x.safetensors\"}}", "the same directory, found sub\\x.safetensors"},
    {HEAD "\"a\": \"x\\n\"}}", "expected the name of a file in the same directory"},
    {HEAD "\"a\": \"x\", \"a\": \"x\"}}", "duplicate object key"},
    {HEAD "\"a\": \"none.safetensors\"}}", "none.safetensors: cannot open: No such file or directory"},
    {HEAD "\"a\": \"model-00001-of-00002.safetensors\"}}",
     "tensor a should be in model-00001-of-00002.safetensors, it is missing there"},
    {HEAD "\"pooler.dense.bias\": \"model-00001-of-00002.safetensors\", \"encoder.layer.0.output.dense.bias\": "
          "\"model-00002-of-00002.safetensors\"}}",
     "tensor pooler.dense.bias should be in model-00001-of-00002.safetensors, it is in "},
    {HEAD "\"pooler.dense.bias\": \"model-00002-of-00002.safetensors\", \"a\": \"copy.safetensors\"}}",
     " stands in two files, "},
    {HEAD "\"a\": \"cut.safetensors\"}}", "cut.safetensors: tensor "},
    {HEAD "\"a\": \"model.safetensors.index.json\"}}", "model.safetensors.index.json: expected a header of at most"},
};

static void test_wrong_index(void **state)
{
    const char *folder = *state;
    char *index = in_folder(folder, INDEX), *cut = in_folder(folder, "cut.safetensors"), *bytes = NULL;
    size_t size = 0;
    copy_from_sharded(folder, FIRST, FIRST);
    copy_from_sharded(folder, SECOND, SECOND);
    copy_from_sharded(folder, SECOND, "copy.safetensors");
    copy_from_sharded(folder, SECOND, "cut.safetensors");
    assert_ok(ebm_file_read(cut, 1 << 20, &bytes, &size));
    put_file(cut, bytes, size - 1);
    for (size_t i = 0; i < sizeof WRONG_INDEX / sizeof *WRONG_INDEX; i++) {
        ebm_safetensors *file = NULL;
        put_file(index, WRONG_INDEX[i].index, strlen(WRONG_INDEX[i].index));
        assert_fails(ebm_safetensors_open_model(folder, &file), EBM_ERROR_INPUT, WRONG_INDEX[i].sentence);
        assert_fails(ebm_safetensors_open_model(folder, &file), EBM_ERROR_INPUT, INDEX);
        assert_null(file);
    }
    free(index), free(cut), free(bytes);
}

// Tensors that the index forgot count, as for transformers; the whole file goes before an index.
static void test_what_else_is_there(void **state)
{
    const char *folder = *state;
    static const char few[] = HEAD "\"pooler.dense.bias\": \"model-00002-of-00002.safetensors\"}}";
    char *index = in_folder(folder, INDEX), *whole = in_folder(folder, "model.safetensors");
    ebm_safetensors *file = NULL;
    size_t at = 0;
    put_file(index, few, sizeof few - 1);
    copy_from_sharded(folder, SECOND, SECOND);
    assert_ok(ebm_safetensors_open_model(folder, &file));
    assert_true(ebm_safetensors_count(file) > 1);
    assert_true(ebm_safetensors_find(file, "pooler.dense.weight", &at));
    ebm_safetensors_free(file);
    put_file(whole, "\2\0\0\0\0\0\0\0{}", 10);
    assert_ok(ebm_safetensors_open_model(folder, &file));
    assert_string_equal(ebm_safetensors_path(file), whole);
    assert_int_equal(ebm_safetensors_count(file), 0);
    ebm_safetensors_free(file);
    free(index), free(whole);
}

static void test_other_forms(void **state)
{
    static const char *const FORMS[][3] = {
        {"flax_model.msgpack", "found flax_model.msgpack", "save_pretrained('.')\""},
        {"tf_model.h5", "found tf_model.h5", "save_pretrained('.')\""},
        {"pytorch_model.bin.index.json", "found pytorch_model.bin", "{'format':'pt'})\""},
        {"pytorch_model.bin", "found pytorch_model.bin", "{'format':'pt'})\""},
    };
    char *odd = in_folder(*state, "it's odd");
    ebm_safetensors *file = NULL;
    assert_ok(ebm_directory_make(odd));
    assert_fails(ebm_safetensors_open_model(odd, &file), EBM_ERROR_INPUT,
                 "it's odd: expected model.safetensors or model.safetensors.index.json, found neither");
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        char *path = in_folder(odd, FORMS[i][0]);
        put_file(path, "x", 1);
        assert_fails(ebm_safetensors_open_model(odd, &file), EBM_ERROR_UNSUPPORTED, FORMS[i][1]);
        assert_fails(ebm_safetensors_open_model(odd, &file), EBM_ERROR_UNSUPPORTED, FORMS[i][2]);
        assert_fails(ebm_safetensors_open_model(odd, &file), EBM_ERROR_UNSUPPORTED, "/it'\\''s odd' && ");
        free(path);
    }
    assert_null(file);
    free(odd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_files),
        in_own_folder(test_wrong_index),
        in_own_folder(test_what_else_is_there),
        in_own_folder(test_other_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
