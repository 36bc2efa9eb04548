// Finding models: paths, the hub's cache in the layout of huggingface_hub, sentence-transformers' folders.
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "folder.h"
#include "model_find.h"

static const char ONE[] = "1111111111111111111111111111111111111111",
                  TWO[] = "abcdef0123abcdef0123abcdef0123abcdef0123";
static const char *const VARIABLES[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"};

static void unset_all(void)
{
    for (size_t i = 0; i < 4; i++) unsetenv(VARIABLES[i]);
}

static void set(const char *name, const char *folder, const char *below)
{
    char *path = in_folder(folder, below);
    assert_int_equal(setenv(name, path, 1), 0);
    free(path);
}

// "<folder>/<path>" with its directories; text = NULL: a directory.
static void put(const char *folder, const char *path, const char *text)
{
    char *whole = in_folder(folder, path), *slash = strrchr(whole, '/');
    if (text) *slash = 0;
    assert_ok(ebm_directory_make(whole));
    if (text) *slash = '/';
    if (text) put_file(whole, text, strlen(text));
    free(whole);
}

// A model as `hf download` leaves it: blobs, a snapshot of links, and a reference.
static void put_model(const char *cache, const char *folder, const char *reference, const char *commit)
{
    char path[512];
    snprintf(path, sizeof path, "%s/blobs/0a", folder);
    put(cache, path, "{}");
    snprintf(path, sizeof path, "%s/refs/%s", folder, reference);
    put(cache, path, commit);
    snprintf(path, sizeof path, "%s/snapshots/%s", folder, commit);
    put(cache, path, NULL);
    snprintf(path, sizeof path, "%s/%s/snapshots/%s/config.json", cache, folder, commit);
    assert_int_equal(symlink("../../blobs/0a", path), 0);
}

static void assert_found(const char *name, const char *end)
{
    char *directory = NULL;
    assert_ok(ebm_model_find(name, &directory));
    const size_t length = strlen(directory), tail = strlen(end);
    if (length < tail || strcmp(directory + length - tail, end) != 0)
        fail_msg("%s: expected ...%s, found %s", name, end, directory);
    free(directory);
}

static void assert_not_found(const char *name, const char *sentence)
{
    char *directory = NULL;
    assert_fails(ebm_model_find(name, &directory), EBM_ERROR_INPUT, sentence);
    assert_null(directory);
}

static void test_names_and_revisions(void **state)
{
    const char *folder = *state;
    unset_all();
    set("HF_HUB_CACHE", folder, "");
    put_model(folder, "models--tiny", "main", ONE);
    put_model(folder, "models--org--tiny.bert_2", "main", TWO);
    put_model(folder, "models--org--tiny.bert_2", "refs/pr/3", ONE);
    put(folder, "models--org--tiny.bert_2/refs/v1.0", "abcdef0123abcdef0123abcdef0123abcdef0123\n");
    put(folder, "models--org--tiny.bert_2/refs/gone", "2222222222222222222222222222222222222222");
    put(folder, "models--org--tiny.bert_2/refs/evil", "../../models--tiny");
    assert_found("tiny", "/models--tiny/snapshots/1111111111111111111111111111111111111111");
    assert_found("org/tiny.bert_2", "/models--org--tiny.bert_2/snapshots/abcdef0123abcdef0123abcdef0123abcdef0123");
    assert_found("org/tiny.bert_2@v1.0", TWO);
    assert_found("org/tiny.bert_2@refs/pr/3", ONE);
    assert_found("org/tiny.bert_2@1111111111111111111111111111111111111111", ONE);
    assert_not_found("org/tiny.bert_2@v2",
                     "org/tiny.bert_2@v2: no such directory, and this revision is not in the hub's "
                     "cache ");
    assert_not_found("org/tiny.bert_2@v2",
                     "ebmcl downloads nothing, this does: hf download org/tiny.bert_2 --revision v2");
    assert_not_found("org/tiny.bert_2@gone", "this revision is not in the hub's cache");
    assert_not_found("org/tiny.bert_2@1111111", "this revision is not in the hub's cache");
    assert_not_found("org/tiny.bert_2@evil", "refs/evil: expected a commit of 40 digits, found \"../../models--tiny\"");
    assert_not_found("org/other", "org/other: no such directory, and the model is not in the hub's cache ");
    assert_not_found("org/other", "hf download org/other");
    assert_not_found("tiny.bert_2", " (it has org/tiny.bert_2); ");
    assert_not_found("org/tiny", " (it has tiny); ");
}

// What cannot be a name on the hub is a path that is not there.
static void test_what_is_no_name(void **state)
{
    static const char *const NAMES[] = {"",       "./x",        "../x", "/x/y",  "a/b/c",  "a//b", "a/",
                                        "/a",     "a--b",       "a..b", "-a",    "a.",     "a/.b", "a/-b",
                                        "a-/b",   "gr\xc3\xb6", "a b",  "a@",    "a@../x", "a@/x", "a@x/../y",
                                        "a@x//y", "a@.x",       "a@x/", "a@x y", "a$HOME", "a;b"};
    char longest[99] = "";
    unset_all();
    set("HF_HUB_CACHE", *state, "");
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char *directory = NULL, sentence[64];
        snprintf(sentence, sizeof sentence, "%s: no such directory", NAMES[i]);
        const ebm_status status = ebm_model_find(NAMES[i], &directory);
        if (status.code != EBM_ERROR_INPUT || strcmp(status.message, sentence) != 0)
            fail_msg("%s: %s", NAMES[i], status.message);
    }
    memset(longest, 'x', 96);
    assert_not_found(longest, "hf download xxx");
    longest[96] = 'x';
    char *directory = NULL;
    const ebm_status status = ebm_model_find(longest, &directory);
    assert_int_equal(status.code, EBM_ERROR_INPUT);
    assert_null(strstr(status.message, "hf download"));
}

// The first variable that is set names the cache, whether or not the model is there.
static void test_where_the_cache_is(void **state)
{
    static const char *const BELOW[] = {"", "", "/hub", "/huggingface/hub", "/.cache/huggingface/hub"};
    const char *folder = *state, *home = getenv("HOME");
    char *old_home = home ? strdup(home) : NULL, path[256];
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%d%s/models--m/refs/main", i, BELOW[i]);
        put(folder, path, ONE);
        snprintf(path, sizeof path, "%d%s/models--m/snapshots/%s", i, BELOW[i], ONE);
        put(folder, path, NULL);
    }
    set("HOME", folder, "4");
    for (int i = 0; i < 4; i++) set(VARIABLES[i], folder, (const char[]){(char)('0' + i), 0});
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "/%d%s/models--m/snapshots/%s", i, BELOW[i], ONE);
        assert_found("m", path);
        if (i < 4) setenv(VARIABLES[i], "", 1); // set to nothing is not set
    }
    setenv("HF_HOME", "~/.cache/huggingface", 1);
    assert_found("m", path);
    set("HF_HUB_CACHE", folder, "empty");
    assert_not_found("m", "empty; ebmcl downloads nothing");
    unset_all();
    unsetenv("HOME");
    assert_not_found("m", "m: no such directory, and $HOME does not tell where else");
    if (old_home) setenv("HOME", old_home, 1);
    free(old_home);
}

static void test_a_path_goes_first(void **state)
{
    char here[4096];
    unset_all();
    set("HF_HUB_CACHE", *state, "cache");
    put(*state, "work/tiny", NULL);
    put(*state, "work/org/tiny", NULL);
    put(*state, "cache/models--tiny/refs/main", ONE);
    assert_non_null(getcwd(here, sizeof here));
    char *work = in_folder(*state, "work");
    assert_int_equal(chdir(work), 0);
    char *found[2] = {NULL, NULL};
    assert_ok(ebm_model_find("tiny", &found[0]));
    assert_ok(ebm_model_find("org/tiny", &found[1]));
    assert_int_equal(chdir(here), 0);
    assert_string_equal(found[0], "tiny");
    assert_string_equal(found[1], "org/tiny");
    free(found[0]), free(found[1]), free(work);
}

#define MODULE(type, path) "{\"idx\": 0, \"name\": \"0\", \"path\": \"" path "\", \"type\": \"" type "\"}"
#define TRANSFORMER "sentence_transformers.models.Transformer"

static void check_modules(const char *folder, const char *modules, const char *end)
{
    put(folder, "st/modules.json", modules);
    char *path = in_folder(folder, "st");
    assert_found(path, end);
    free(path);
}

static void test_sentence_transformers(void **state)
{
    char *path = in_folder(*state, "st");
    put(*state, "st/0_Transformer/model.safetensors", "x");
    check_modules(*state, "[" MODULE(TRANSFORMER, "0_Transformer") "]", "/st/0_Transformer");
    check_modules(*state,
                  "[" MODULE("sentence_transformers.models.Pooling", "1_Pooling") ", " MODULE(TRANSFORMER, "0_T") "]",
                  "/st/0_T");
    check_modules(*state, "[" MODULE(TRANSFORMER, "") "]", "/st");
    check_modules(*state, "[" MODULE(TRANSFORMER, "../other") "]", "/st");
    check_modules(*state, "[" MODULE(TRANSFORMER, "..") "]", "/st");
    check_modules(*state, "[" MODULE("other.CLIPModel", "0_CLIP") ", 1, {}]", "/st");
    put(*state, "st/modules.json", "{}");
    assert_not_found(path, "st/modules.json: expected a list of modules");
    put(*state, "st/modules.json", "[");
    assert_not_found(path, "st/modules.json: expected a list of modules");
    put(*state, "st/model.safetensors", "x"); // weights in the directory itself are the model
    check_modules(*state, "[" MODULE(TRANSFORMER, "0_Transformer") "]", "/st");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(test_names_and_revisions),   in_own_folder(test_what_is_no_name),
        in_own_folder(test_where_the_cache_is),    in_own_folder(test_a_path_goes_first),
        in_own_folder(test_sentence_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
