// Every input in fuzz/corpus/<target>, seeds and what fuzzing has found, through its fuzz target.
#include "check.h"

#include <dirent.h>
#include <stdio.h>

#include "file.h"
#include "fuzz.h"

enum { LONGEST = 1 << 20 };

static void replay(const char *name, void (*target)(const uint8_t *, size_t), size_t least)
{
    char directory[512];
    struct dirent **entries = NULL;
    size_t inputs = 0;
    snprintf(directory, sizeof directory, "%s/%s", CORPUS, name);
    const int count = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *path = ebm_path_join(directory, entries[i]->d_name), *bytes = NULL;
        size_t size = 0;
        if (ebm_file_exists(path)) {
            assert_ok(ebm_file_read(path, LONGEST, &bytes, &size));
            char *exact = malloc(size ? size : 1); // so that a byte too far shows
            if (size > 0) memcpy(exact, bytes, size);
            print_message("%s\n", path); // what a crash is about
            target((const uint8_t *)exact, size);
            free(exact);
            free(bytes);
            inputs++;
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    assert_true(inputs >= least);
    target((const uint8_t *)"", 0);
}

static void charsmaps(void **state) { replay("charsmap", fuzz_charsmap, 2); }
static void configs(void **state) { replay("config", fuzz_config, 6); }
static void datasets(void **state) { replay("dataset", fuzz_dataset, 5); }
static void normal_forms_and_unigram(void **state) { replay("normalize", fuzz_normalize, 3); }
static void predictions(void **state) { replay("predictions", fuzz_predictions, 5); }
static void safetensors(void **state) { replay("safetensors", fuzz_safetensors, 3); }
static void shards(void **state) { replay("shards", fuzz_shards, 3); }
static void texts(void **state) { replay("tokenize", fuzz_tokenize, 3); }
static void tokenizer_json(void **state) { replay("tokenizer_json", fuzz_tokenizer_json, 3); }
static void vocab_json_and_merges(void **state) { replay("vocab_json", fuzz_vocab_json, 4); }
static void vocab_txt(void **state) { replay("vocab_txt", fuzz_vocab_txt, 2); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charsmaps),
        cmocka_unit_test(configs),
        cmocka_unit_test(datasets),
        cmocka_unit_test(normal_forms_and_unigram),
        cmocka_unit_test(predictions),
        cmocka_unit_test(safetensors),
        cmocka_unit_test(shards),
        cmocka_unit_test(texts),
        cmocka_unit_test(tokenizer_json),
        cmocka_unit_test(vocab_txt),
        cmocka_unit_test(vocab_json_and_merges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
