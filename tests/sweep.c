#include "sweep.h"

#include <stdio.h>
#include <zlib.h>

#include "check.h"

json_t *sweep_read(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", FIXTURES, name);
    json_error_t error;
    json_t *value = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!value) fail_msg("%s:%d: %s", path, error.line, error.text);
    return value;
}

static unsigned long crc_more(unsigned long crc, const ebm_bytes *text)
{
    return crc32(crc, (const unsigned char *)text->bytes, (unsigned)text->size);
}

static void expect_crc(const char *what, size_t i, unsigned long found, const json_t *expected)
{
    char text[9];
    snprintf(text, sizeof text, "%08lx", found);
    if (strcmp(text, json_string_value(expected)) != 0) fail_msg("%s %zX differs", what, i);
}

static void append_string(ebm_bytes *text, const json_t *string)
{
    assert_true(ebm_bytes_append(text, json_string_value(string), json_string_length(string)));
}

static void append_block(ebm_bytes *text, uint32_t first, uint32_t end, const json_t *around)
{
    const bool assigned = first < 0x34000 || first == 0xE0000;
    for (uint32_t c = first; c < end; c++) {
        char character[4];
        const size_t bytes = ebm_utf8_put(c, character);
        if (c >= 0xD800 && c < 0xE000) continue;
        for (size_t i = 0; i < (assigned ? json_array_size(around) : 1); i++) {
            append_string(text, json_array_get(json_array_get(around, i), 0));
            assert_true(ebm_bytes_append(text, character, bytes));
            append_string(text, json_array_get(json_array_get(around, i), 1));
            assert_true(ebm_bytes_append(text, "\n", 1));
        }
    }
}

static void compare_code_points(const json_t *fixture, const char *around, const json_t *sums, sweep_apply apply,
                                const void *normalizer)
{
    const uint32_t block = (uint32_t)json_integer_value(json_object_get(fixture, "block"));
    ebm_bytes text = {0}, out = {0};
    for (size_t i = 0; i < json_array_size(sums); i++) {
        text.size = out.size = 0;
        append_block(&text, (uint32_t)i * block, (uint32_t)(i + 1) * block, json_object_get(fixture, around));
        assert_true(apply(normalizer, text.bytes, text.size, &out));
        assert_true(ebm_utf8_valid(out.bytes, out.size, NULL));
        expect_crc("the block of code points", i, crc_more(0, &out), json_array_get(sums, i));
    }
    ebm_bytes_free(&text);
    ebm_bytes_free(&out);
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % below;
}

static void compare_random(const json_t *fixture, const json_t *sum, sweep_apply apply, const void *normalizer)
{
    const json_t *points = json_object_get(fixture, "points");
    const size_t bytes = json_string_length(points);
    size_t *starts = calloc(bytes + 1, sizeof *starts), count = 0;
    for (size_t i = 0; i < bytes; starts[count] = i) starts[count++] = i, ebm_utf8_next(json_string_value(points), &i);
    ebm_bytes text = {0}, out = {0};
    uint64_t state = 1;
    unsigned long crc = 0;
    for (json_int_t i = 0; i < json_integer_value(json_object_get(fixture, "random")); i++) {
        text.size = out.size = 0;
        for (uint64_t n = 1 + draw(&state, 12); n > 0; n--) {
            const size_t k = (size_t)draw(&state, count);
            assert_true(ebm_bytes_append(&text, json_string_value(points) + starts[k], starts[k + 1] - starts[k]));
        }
        assert_true(apply(normalizer, text.bytes, text.size, &out));
        crc = crc_more(crc, &out);
    }
    expect_crc("random text", 0, crc, sum);
    free(starts);
    ebm_bytes_free(&text);
    ebm_bytes_free(&out);
}

static void compare_texts(const json_t *sums, sweep_apply apply, const void *normalizer)
{
    json_t *texts = sweep_read("tokenizer/texts.json");
    ebm_bytes out = {0};
    for (size_t i = 0; i < json_array_size(texts); i++, out.size = 0) {
        const json_t *text = json_array_get(texts, i);
        assert_true(apply(normalizer, json_string_value(text), json_string_length(text), &out));
        expect_crc("text", i, crc_more(0, &out), json_array_get(sums, i));
    }
    ebm_bytes_free(&out);
    json_decref(texts);
}

void sweep_compare(const json_t *fixture, const char *around, const json_t *expected, sweep_apply apply,
                   const void *normalizer)
{
    assert_int_equal(json_array_size(json_object_get(expected, "code_points")), 68);
    compare_texts(json_object_get(expected, "texts"), apply, normalizer);
    compare_random(fixture, json_object_get(expected, "random"), apply, normalizer);
    compare_code_points(fixture, around, json_object_get(expected, "code_points"), apply, normalizer);
}
