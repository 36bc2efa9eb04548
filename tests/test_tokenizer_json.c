// tokenizer.json: components of every kind, and directories whose files disagree, against fixtures of the tokenizers
// and transformers libraries (tests/fixtures/make_pipeline_fixtures.py); files that are broken.
#include "check.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "tokenizer.h"

#define DIRECTORY FIXTURES "/tokenizer"

static json_t *texts, *pipelines;
static char temporary[64];

static json_t *read_json(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", DIRECTORY, name);
    json_error_t error;
    json_t *value = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!value) fail_msg("%s:%d: %s", path, error.line, error.text);
    return value;
}

static int read_fixtures(void **state)
{
    texts = read_json("texts.json");
    pipelines = read_json("pipelines.json");
    return 0;
}

static int free_fixtures(void **state)
{
    json_decref(texts);
    json_decref(pipelines);
    return 0;
}

static const char *in_temporary(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", temporary, name);
    return path;
}

static int make_temporary(void **state)
{
    strcpy(temporary, "/tmp/ebmcl_tokenizer_XXXXXX");
    return mkdtemp(temporary) ? 0 : -1;
}

static int remove_temporary(void **state) { return ebm_directory_remove(temporary).code == EBM_OK ? 0 : -1; }

static void empty_temporary(void)
{
    assert_ok(ebm_directory_remove(temporary));
    assert_int_equal(mkdir(temporary, 0700), 0);
}

static void write_text(const char *name, const char *text)
{
    assert_ok(ebm_file_write(in_temporary(name), text, strlen(text)));
}

static void write_json(const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_REAL_PRECISION(17));
    assert_non_null(text);
    write_text(name, text);
    free(text);
}

static json_t *find_case(const char *name)
{
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(pipelines, "cases"), index,
                       one) if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) return one;
    fail_msg("no case \"%s\"", name);
    return NULL;
}

// The tokenizer.json of a case, with `changes` to its components (may be NULL).
static json_t *build(json_t *one, json_t *changes)
{
    static const char *const keys[] = {"truncation",    "padding",        "added_tokens", "normalizer",
                                       "pre_tokenizer", "post_processor", "decoder"};
    const char *name = json_string_value(json_object_get(one, "model"));
    json_t *model = json_deep_copy(json_object_get(json_object_get(pipelines, "models"), name));
    json_t *root = json_pack("{s:s}", "version", "1.0");
    json_object_update(model, json_object_get(one, "model_options"));
    for (json_int_t b = 0; b < json_integer_value(json_object_get(one, "extra_vocab")); b++) {
        char token[8];
        snprintf(token, sizeof token, "<0x%02X>", (unsigned)b);
        json_array_append_new(json_object_get(model, "vocab"), json_pack("[s, f]", token, -20.0));
    }
    for (size_t i = 0; i < 7; i++) {
        json_t *part = json_object_get(changes, keys[i]);
        if (!part) part = json_object_get(one, keys[i]);
        if (part)
            json_object_set(root, keys[i], part);
        else
            json_object_set_new(root, keys[i], i == 2 ? json_array() : json_null());
    }
    json_object_set_new(root, "model", model);
    return root;
}

// --- hashes ---------------------------------------------------------------------------------------------------------

#define HASH 0xCBF29CE484222325u

static void hash_more(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
}

static void write_hash(const void *bytes, size_t size, char out[9])
{
    uint64_t hash = HASH;
    hash_more(&hash, bytes, size);
    snprintf(out, 9, "%08x", (uint32_t)hash);
}

static void hash_the_hash(uint64_t *all, const void *bytes, size_t size)
{
    char hash[9];
    write_hash(bytes, size, hash);
    hash_more(all, hash, 8);
}

static void expect_hash(const char *name, const char *what, uint64_t found, const json_t *expected)
{
    char hash[9];
    snprintf(hash, sizeof hash, "%08x", (uint32_t)found);
    if (strcmp(hash, json_string_value(expected)) != 0) fail_msg("%s: %s differ", name, what);
}

static const char *picked(size_t i, size_t *bytes)
{
    const json_t *picks = json_object_get(pipelines, "texts");
    const json_t *text =
        json_array_get(texts, (size_t)json_integer_value(json_array_get(picks, i % json_array_size(picks))));
    *bytes = json_string_length(text);
    return json_string_value(text);
}

static size_t picks(void) { return json_array_size(json_object_get(pipelines, "texts")); }

static void compare_texts(const ebm_tokenizer *t, const char *name, const char *hashes, ebm_encoding *e)
{
    assert_int_equal(strlen(hashes), 8 * picks());
    for (size_t i = 0; i < picks(); i++) {
        size_t bytes;
        char hash[9];
        const char *text = picked(i, &bytes);
        assert_ok(ebm_tokenizer_encode(t, text, bytes, NULL, 0, 0, e));
        write_hash(e->ids, e->tokens * sizeof *e->ids, hash);
        if (strncmp(hash, hashes + 8 * i, 8) != 0)
            fail_msg("%s: text %zu differs: \"%s\", %zu tokens", name, i, text, e->tokens);
    }
}

static void compare_decoded(const ebm_tokenizer *t, const char *name, bool skip, const json_t *expected,
                            ebm_encoding *e)
{
    uint64_t all = HASH;
    for (size_t i = 0; i < picks(); i++) {
        size_t bytes;
        char *back = NULL;
        const char *text = picked(i, &bytes);
        assert_ok(skip ? ebm_tokenizer_encode(t, text, bytes, NULL, 0, 0, e)
                       : ebm_tokenizer_encode_plain(t, text, bytes, e));
        assert_ok(ebm_tokenizer_decode(t, e->ids, e->tokens, skip, &back));
        hash_the_hash(&all, back, strlen(back));
        free(back);
    }
    expect_hash(name, skip ? "decoded texts without special tokens" : "decoded texts", all, expected);
}

static void compare_pairs(const ebm_tokenizer *t, const char *name, const json_t *expected, ebm_encoding *e)
{
    const json_t *lengths = json_object_get(pipelines, "lengths");
    uint64_t all = HASH;
    for (size_t k = 0; k < 40; k++) {
        size_t a_bytes, b_bytes;
        const char *a = picked(11 * k, &a_bytes), *b = picked(17 * k + 5, &b_bytes);
        const json_t *length = json_array_get(lengths, k % json_array_size(lengths));
        assert_ok(ebm_tokenizer_encode(t, a, a_bytes, b, b_bytes, (size_t)json_integer_value(length), e));
        hash_the_hash(&all, e->ids, e->tokens * sizeof *e->ids);
        hash_the_hash(&all, e->types, e->tokens * sizeof *e->types);
    }
    expect_hash(name, "pairs", all, expected);
}

// --- against the libraries ------------------------------------------------------------------------------------------

static void compare_pipeline(json_t *one)
{
    ebm_tokenizer *t = NULL;
    ebm_encoding e = {0};
    const char *name = json_string_value(json_object_get(one, "name"));
    json_t *root = build(one, NULL), *decoded = json_object_get(one, "decoded"), *pairs = json_object_get(one, "pairs");
    write_json("tokenizer.json", root);
    const ebm_status status = ebm_tokenizer_load(temporary, &t);
    if (status.code != EBM_OK) fail_msg("%s: %s", name, status.message);
    compare_texts(t, name, json_string_value(json_object_get(one, "hashes")), &e);
    if (decoded) {
        compare_decoded(t, name, false, decoded, &e);
        compare_decoded(t, name, true, json_object_get(one, "decoded_skipping"), &e);
    }
    if (pairs) compare_pairs(t, name, pairs, &e);
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
    json_decref(root);
}

static void equals_the_library_for_every_component(void **state)
{
    size_t index;
    json_t *one;
    write_text("tokenizer_config.json", "{\"model_input_names\": [\"token_type_ids\"]}");
    json_array_foreach(json_object_get(pipelines, "cases"), index, one) compare_pipeline(one);
}

static void write_files(json_t *files)
{
    const char *name;
    json_t *value;
    json_object_foreach(files, name, value)
    {
        const char *text = json_string_value(value), *of = json_string_value(json_object_get(value, "@case"));
        if (text && *text == '@') {
            char from[512];
            snprintf(from, sizeof from, "%s/%s", DIRECTORY, text + 1);
            assert_ok(ebm_file_copy(from, in_temporary(name)));
        } else if (text) {
            write_text(name, text);
        } else if (of) {
            json_t *root = build(find_case(of), value);
            write_json(name, root);
            json_decref(root);
        } else {
            write_json(name, value);
        }
    }
}

// Ids must be the same after saving and loading, with tokens added too.
static void save_and_compare(ebm_tokenizer *t, const char *name, json_t *one, ebm_encoding *e)
{
    int32_t id = -1;
    const char *text = "The <M> cat  <mask>[MASK] caf\xC3\xA9 <s>";
    ebm_encoding before = {0};
    ebm_tokenizer *again = NULL;
    const size_t size = ebm_tokenizer_size(t);
    assert_ok(ebm_tokenizer_add_token(t, "<M>", &id));
    assert_int_equal(id, size);
    assert_ok(ebm_tokenizer_match_token(t, id));
    assert_ok(ebm_tokenizer_encode(t, text, strlen(text), text, strlen(text), 0, &before));
    assert_ok(ebm_tokenizer_save(t, temporary));
    assert_ok(ebm_tokenizer_load(temporary, &again));
    assert_int_equal(ebm_tokenizer_size(again), size + 1);
    assert_int_equal(ebm_tokenizer_id(again, "<M>"), id);
    for (int role = 0; role < EBM_TOKEN_ROLES; role++)
        if (ebm_tokenizer_special(again, role) != ebm_tokenizer_special(t, role))
            fail_msg("%s: role %d is %d, before saving %d", name, role, (int)ebm_tokenizer_special(again, role),
                     (int)ebm_tokenizer_special(t, role));
    assert_ok(ebm_tokenizer_encode(again, text, strlen(text), text, strlen(text), 0, e));
    assert_int_equal(e->tokens, before.tokens);
    assert_memory_equal(e->ids, before.ids, e->tokens * sizeof *e->ids);
    assert_memory_equal(e->types, before.types, e->tokens * sizeof *e->types);
    compare_texts(again, name, json_string_value(json_object_get(one, "hashes")), e);
    ebm_encoding_free(&before);
    ebm_tokenizer_free(again);
}

static void equals_transformers_for_files_that_disagree(void **state)
{
    size_t index, i;
    json_t *one, *id, *classes = read_json("classes.json");
    ebm_encoding e = {0};
    json_array_foreach(classes, index, one)
    {
        ebm_tokenizer *t = NULL;
        const char *name = json_string_value(json_object_get(one, "name"));
        empty_temporary();
        write_files(json_object_get(one, "files"));
        const ebm_status status = ebm_tokenizer_load(temporary, &t);
        if (status.code != EBM_OK) fail_msg("%s: %s", name, status.message);
        compare_texts(t, name, json_string_value(json_object_get(one, "hashes")), &e);
        compare_pairs(t, name, json_object_get(one, "pairs"), &e);
        json_array_foreach(json_object_get(one, "roles"), i, id)
        {
            static const ebm_token_role roles[] = {EBM_TOKEN_CLS, EBM_TOKEN_SEP, EBM_TOKEN_PAD, EBM_TOKEN_MASK,
                                                   EBM_TOKEN_UNK};
            // What transformers has no name for may have a role here.
            if (json_integer_value(id) < 0 || json_integer_value(id) >= (json_int_t)ebm_tokenizer_size(t)) continue;
            if (ebm_tokenizer_special(t, roles[i]) != json_integer_value(id))
                fail_msg("%s: role %zu is %d, expected %lld", name, i, (int)ebm_tokenizer_special(t, roles[i]),
                         (long long)json_integer_value(id));
        }
        save_and_compare(t, name, one, &e);
        ebm_tokenizer_free(t);
    }
    ebm_encoding_free(&e);
    json_decref(classes);
}

// --- broken files ---------------------------------------------------------------------------------------------------

#define WORDS "\"vocab\":{\"a\":0,\"[UNK]\":1,\"b\":2}"
#define MODEL "{\"type\":\"WordLevel\",\"unk_token\":\"[UNK]\"," WORDS "}"
#define WITH(part) "{\"model\":" MODEL "," part "}"
#define NORMALIZER(part) WITH("\"normalizer\":{" part "}")
#define SPLITTER(part) WITH("\"pre_tokenizer\":{" part "}")
#define AROUND(part) WITH("\"post_processor\":{" part "}")
#define BPE(part) "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2}," part "}}"
#define UNIGRAM(part) "{\"model\":{\"type\":\"Unigram\"," part "}}"
#define SPLIT(pattern) SPLITTER("\"type\":\"Split\",\"behavior\":\"Isolated\",\"invert\":false,\"pattern\":" pattern)
#define REGEX(pattern) SPLIT("{\"Regex\":\"" pattern "\"}")
#define ADDED(part) WITH("\"added_tokens\":[{\"id\":0,\"content\":\"a\",\"special\":true," part "}]")

#define UNSUPPORTED "!" // EBM_ERROR_UNSUPPORTED, not EBM_ERROR_INPUT
static const struct {
    const char *text, *part;
} broken[] = {
    {"", "tokenizer.json:1: not JSON"},
    {"[]", "tokenizer.json: expected a JSON object"},
    {"{\"model\":{},\"model\":{}}", "duplicate object key"},
    {"{\"a\":\"\xFF\"}", "not JSON: unable to decode"},
    {"{}", "tokenizer.json: model: expected a JSON object"},
    {"{\"model\":{\"type\":\"Char\"}}", UNSUPPORTED "model: the type \"Char\" is not supported"},
    {"{\"model\":{\"type\":\"WordLevel\"}}", "model.vocab: expected an object of tokens and ids, found nothing"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":1e9}}}", "the id of \"a\" is not an integer"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":9000000}}}", "has the id 9000000"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"b\":0}}}", "have the same id 0"},
    {"{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"a\":1}}}", "duplicate object key"},
    {"{\"model\":{\"type\":\"WordLevel\"," WORDS "}}", "model: \"unk_token\" is missing; expected a string"},
    {"{\"model\":{\"type\":\"WordLevel\"," WORDS ",\"unk_token\":\"x\"}}", "unk_token \"x\" is not in the vocabulary"},
    {"{\"model\":{\"type\":\"WordPiece\"," WORDS ",\"unk_token\":\"a\"}}", "\"continuing_subword_prefix\" is missing"},
    {BPE("\"merges\":3"), "model: \"merges\" is of another kind; expected a list"},
    {BPE("\"merges\":[\"a b\",\"a\"]"), "model.merges[1]: expected two tokens"},
    {BPE("\"merges\":[[\"a\",\"b\",\"c\"]]"), "model.merges[0]: expected two tokens"},
    {BPE("\"merges\":[[\"a\",\"x\"]]"), "model.merges[0]: the merge \"a x\" has a right part that is not in"},
    {BPE("\"merges\":[\"b a\"]"), "model.merges[0]: the merge \"b a\" gives a token that is not in"},
    {BPE("\"merges\":[],\"dropout\":0.1"), UNSUPPORTED "model: \"dropout\" is not supported"},
    {BPE("\"merges\":[],\"continuing_subword_prefix\":\"@\""), UNSUPPORTED "\"continuing_subword_prefix\""},
    {BPE("\"merges\":[],\"fuse_unk\":1"), "model: \"fuse_unk\" is of another kind; expected true or false"},
    {UNIGRAM("\"vocab\":{}"), "model: \"vocab\" is of another kind; expected a list"},
    {UNIGRAM("\"vocab\":[]"), "model: the vocabulary is empty"},
    {UNIGRAM("\"vocab\":[[\"a\",-1],[\"b\"]]"), "model.vocab[1]: expected a token and its score"},
    {UNIGRAM("\"vocab\":[[\"a\",-1]],\"unk_id\":1"), "\"unk_id\" is 1; expected at most 0"},
    {NORMALIZER("\"type\":\"Upper\""), UNSUPPORTED "normalizer: the type \"Upper\" is not supported"},
    {NORMALIZER("\"typ\":\"NFC\""), "normalizer: \"type\" is missing"},
    {WITH("\"normalizer\":[]"), "normalizer: expected a JSON object"},
    {NORMALIZER("\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"X\"}]"),
     UNSUPPORTED "normalizer.normalizers[1]: the type \"X\""},
    {NORMALIZER("\"type\":\"BertNormalizer\",\"clean_text\":true"), "normalizer: \"handle_chinese_chars\" is missing"},
    {NORMALIZER("\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA\""), "not base64: 3 characters"},
    {NORMALIZER("\"type\":\"Precompiled\",\"precompiled_charsmap\":\"A*AA\""), "not base64: character 1"},
    {NORMALIZER("\"type\":\"Precompiled\",\"precompiled_charsmap\":\"/////w==\""), "tokenizer.json: normalizer"},
    {NORMALIZER("\"type\":\"Replace\",\"content\":\"\""), "normalizer: \"pattern\" must be"},
    {NORMALIZER("\"type\":\"Strip\",\"strip_left\":0,\"strip_right\":true"), "\"strip_left\" is of another kind"},
    {SPLITTER("\"type\":\"UnicodeScripts\""), UNSUPPORTED "the type \"UnicodeScripts\" is not supported"},
    {SPLITTER("\"type\":\"Digits\""), "pre_tokenizer: \"individual_digits\" is missing"},
    {SPLITTER("\"type\":\"Punctuation\",\"behavior\":\"Odd\""), UNSUPPORTED "the behavior \"Odd\""},
    {SPLITTER("\"type\":\"Metaspace\",\"replacement\":\"__\""),
     "\"replacement\" is of another kind; expected one char"},
    {SPLITTER("\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"odd\""),
     UNSUPPORTED "the prepend_scheme \"odd\""},
    {SPLITTER("\"type\":\"Metaspace\",\"replacement\":\"_\",\"add_prefix_space\":false"), "add_prefix_space is false"},
    {WITH("\"normalizer\":{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true},\"pre_tokenizer\":{\"type\":"
          "\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\"}"),
     UNSUPPORTED "prepend_scheme \"first\" behind a normalizer"},
    {SPLIT("\"x\""), "\"pattern\" must be {\"String\": \"...\"} or {\"Regex\": \"...\"}"},
    {REGEX("(a"), UNSUPPORTED "PCRE2 refuses the pattern \"(a\""},
    {REGEX("[a[b]]"), UNSUPPORTED "has a class within a class at byte 2"},
    {REGEX("[a&&b]"), UNSUPPORTED "has && in a class at byte 2"},
    {REGEX("[]a]"), UNSUPPORTED "] as the first of a class"},
    {REGEX("[a"), UNSUPPORTED "a class without end"},
    {REGEX("a\\\\"), UNSUPPORTED "a lone \\ at byte 1"},
    {REGEX("\\\\K"), UNSUPPORTED "has \\K at byte 0"},
    {REGEX("(?x)a"), UNSUPPORTED "a group of another kind"},
    {REGEX("a(?i)b"), UNSUPPORTED "(?i) within"},
    {REGEX("(?i:ss)"), UNSUPPORTED "(?i) together with ss"},
    {REGEX("\\\\p{Alphabetic}"), UNSUPPORTED "an unknown property"},
    {REGEX("[\\\\P{L}]"), UNSUPPORTED "a negated property"},
    {REGEX("a{1,2}+"), UNSUPPORTED "a + behind {...}"},
    {REGEX("\\\\xC3"), UNSUPPORTED "has a code point at byte 0"},
    {REGEX("(*ACCEPT)"), UNSUPPORTED "has (* at byte 0"},
    {AROUND("\"type\":\"Odd\""), UNSUPPORTED "post_processor: the type \"Odd\" is not supported"},
    {AROUND("\"type\":\"BertProcessing\",\"cls\":[\"a\",0],\"sep\":[\"x\",7]"),
     "post_processor: no token has the id 7"},
    {AROUND("\"type\":\"BertProcessing\",\"cls\":[\"a\",-1],\"sep\":[\"x\",7]"), "\"cls\": expected a token's id"},
    {AROUND("\"type\":\"TemplateProcessing\",\"special_tokens\":{},\"pair\":[],\"single\":[{\"SpecialToken\":{\"id\":"
            "\"x\",\"type_id\":0}}]"),
     "\"special_tokens\" has no \"x\""},
    {AROUND("\"type\":\"TemplateProcessing\",\"special_tokens\":{},\"pair\":[],\"single\":[{\"Sequence\":{\"id\":\"B\","
            "\"type_id\":0}}]"),
     "single[0]: the sequence \"B\", expected A"},
    {AROUND("\"type\":\"TemplateProcessing\",\"special_tokens\":{},\"pair\":[],\"single\":[{}]"),
     "expected a Sequence or"},
    {AROUND("\"type\":\"TemplateProcessing\",\"special_tokens\":{},\"pair\":[],\"single\":[{\"Sequence\":{\"id\":\"A\","
            "\"type_id\":0}}]"),
     UNSUPPORTED "the template of a pair has the first text 0 times"},
    {WITH("\"decoder\":{\"type\":\"CTC\"}"), UNSUPPORTED "decoder: the type \"CTC\" is not supported"},
    {WITH("\"decoder\":{\"type\":\"Strip\",\"content\":\"a\",\"start\":-1}"), "decoder: \"start\" is of another kind"},
    {WITH("\"added_tokens\":{}"), "added_tokens: expected a list"},
    {WITH("\"added_tokens\":[3]"), "added_tokens[0]: expected an \"id\" and a \"content\""},
    {ADDED("\"lstrip\":1"), "added_tokens[0]: \"lstrip\" must be true or false"},
    {WITH("\"added_tokens\":[{\"id\":2,\"content\":\"a\",\"special\":true,\"lstrip\":false,\"rstrip\":false,"
          "\"single_word\":false,\"normalized\":false}]"),
     "the added token \"a\" has the id 2, which is the token \"b\""},
    {WITH("\"truncation\":{\"direction\":\"Up\"}"), UNSUPPORTED "truncation: the direction \"Up\""},
};

static void names_what_is_wrong(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        ebm_tokenizer *t = NULL;
        const bool unsupported = broken[i].part[0] == '!';
        const char *part = broken[i].part + unsupported;
        write_text("tokenizer.json", broken[i].text);
        const ebm_status status = ebm_tokenizer_load(temporary, &t);
        if (status.code == EBM_OK) fail_msg("accepted: %s", broken[i].text);
        if (!strstr(status.message, part) || strchr(status.message, '\n'))
            fail_msg("%s: \"%s\" without \"%s\"", broken[i].text, status.message, part);
        assert_int_equal(status.code, unsupported ? EBM_ERROR_UNSUPPORTED : EBM_ERROR_INPUT);
    }
}

static void refuses_nesting_without_end(void **state)
{
    ebm_tokenizer *t = NULL;
    char *text = malloc(1 << 20), *end = text + sprintf(text, "{\"model\":" MODEL ",\"normalizer\":");
    for (int i = 0; i < 12; i++) end += sprintf(end, "{\"type\":\"Sequence\",\"normalizers\":[");
    end += sprintf(end, "{\"type\":\"NFC\"}");
    for (int i = 0; i < 12; i++) end += sprintf(end, "]}");
    strcpy(end, "}");
    write_text("tokenizer.json", text);
    assert_fails(ebm_tokenizer_load(temporary, &t), EBM_ERROR_UNSUPPORTED, "nested too deeply");
    memset(text, '[', 1 << 19);
    text[1 << 19] = 0;
    write_text("tokenizer.json", text);
    assert_fails(ebm_tokenizer_load(temporary, &t), EBM_ERROR_INPUT, "maximum parsing depth reached");
    free(text);
}

static void refuses_a_class_of_another_model(void **state)
{
    ebm_tokenizer *t = NULL;
    write_text("tokenizer.json", "{\"model\":" MODEL "}");
    write_text("config.json", "{\"model_type\":\"bert\"}");
    assert_fails(ebm_tokenizer_load(temporary, &t), EBM_ERROR_UNSUPPORTED,
                 "model is a WordLevel, which a BertTokenizer is not");
}

static ebm_tokenizer *load_case(const char *name)
{
    ebm_tokenizer *t = NULL;
    json_t *root = build(find_case(name), NULL);
    write_json("tokenizer.json", root);
    assert_ok(ebm_tokenizer_load(temporary, &t));
    json_decref(root);
    return t;
}

static void maps_vocabularies_of_one_kind(void **state)
{
    static const char *const names[] = {"bert", "roberta", "xlm-r", "word level"};
    ebm_tokenizer *t[4];
    for (size_t i = 0; i < 4; i++) t[i] = load_case(names[i]);
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            int32_t map[1024];
            size_t missing = 0, words = 0;
            ebm_tokenizer_map(t[i], t[k], map, &missing);
            for (size_t id = 0; id < ebm_tokenizer_size(t[i]); id++) {
                words += !ebm_tokenizer_is_special(t[i], (int32_t)id);
                if (i == k && i < 3 && !ebm_tokenizer_is_special(t[i], (int32_t)id))
                    assert_string_equal(ebm_tokenizer_text(t[i], (int32_t)id), ebm_tokenizer_text(t[i], map[id]));
            }
            assert_int_equal(missing, i == k && i < 3 ? 0 : words); // words alone are of no known kind
        }
    for (size_t i = 0; i < 4; i++) ebm_tokenizer_free(t[i]);
}

static void lays_sequences_out(void **state)
{
    ebm_tokenizer *t = load_case("llama");
    size_t count = 0;
    int32_t ids[16], types[16];
    const int32_t a[] = {40, 41, 42}, b[] = {50, 51};
    (void)ebm_tokenizer_layout(t, false, &count);
    assert_int_equal(count, 6);
    assert_int_equal(ebm_tokenizer_special_count(t, true), 5);
    assert_int_equal(ebm_tokenizer_assemble(t, a, 3, b, 2, 9, ids, types), 9);
    assert_memory_equal(ids, ((const int32_t[]){3, 1, 4, 1, 5, 50, 51, 40, 41}), sizeof ids[0] * 9);
    ebm_tokenizer_free(t);
    write_text("tokenizer_config.json", "{\"truncation_side\":\"left\"}");
    t = load_case("llama");
    assert_int_equal(ebm_tokenizer_assemble(t, a, 3, NULL, 0, 7, ids, types), 7);
    assert_memory_equal(ids, ((const int32_t[]){41, 42, 3, 1, 4, 1, 5}), sizeof ids[0] * 7);
    ebm_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equals_the_library_for_every_component, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(equals_transformers_for_files_that_disagree, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(names_what_is_wrong, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(refuses_nesting_without_end, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(refuses_a_class_of_another_model, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(maps_vocabularies_of_one_kind, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(lays_sequences_out, make_temporary, remove_temporary),
    };
    return cmocka_run_group_tests(tests, read_fixtures, free_fixtures);
}
