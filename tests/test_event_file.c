// TensorBoard's event files: known checksums, known bytes, and going back to a step.
#include "event_file.h"
#include "folder.h"

static void checksums_are_those_of_the_standard(void **state)
{
    unsigned char bytes[32];
    assert_int_equal(ebm_crc32c("123456789", 9), 0xE3069283);
    assert_int_equal(ebm_crc32c("", 0), 0);
    memset(bytes, 0, sizeof bytes); // RFC 3720, B.4
    assert_int_equal(ebm_crc32c(bytes, 32), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    assert_int_equal(ebm_crc32c(bytes, 32), 0x62A8AB43);
    for (size_t i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    assert_int_equal(ebm_crc32c(bytes, 32), 0x46DD794E);
    // What TensorFlow's writer puts behind the length 24 of the version's record.
    assert_int_equal(ebm_crc32c_masked("\x18\0\0\0\0\0\0\0", 8), 0x224B7FA3);
}

static char *read_file(const char *path, size_t *size)
{
    char *bytes = NULL;
    assert_ok(ebm_file_read(path, 1 << 20, &bytes, size));
    return bytes;
}

// Two records, byte by byte.
static void bytes_are_as_specified(void **state)
{
    static const unsigned char first[] = {0x09, 0,  0,   0,   0,   0,   0,   0xF8, 0x3F, // wall_time 1.5
                                          0x1A, 13, 'b', 'r', 'a', 'i', 'n', '.',  'E',  'v', 'e', 'n', 't', ':', '2'};
    static const unsigned char second[] = {0x09, 0,    0,    0,    0,   0, 0, 0x04, 0x40, // wall_time 2.5
                                           0x10, 0xAC, 0x02,                              // step 300
                                           0x2A, 12,   0x0A, 10,                          // summary, a value
                                           0x0A, 3,    't',  '/',  'l',                   // its tag
                                           0x15, 0,    0,    0x40, 0xBF};                 // and -0.75f
    char *path = in_folder(*state, "events");
    size_t size;
    assert_ok(ebm_event_file_create(path, 1.5));
    assert_ok(ebm_event_file_append(path, 2.5, 300, &(ebm_scalar){"t/l", -0.75}, 1));
    char *bytes = read_file(path, &size);
    assert_int_equal(size, 16 + sizeof first + 16 + sizeof second);
    assert_memory_equal(bytes, "\x18\0\0\0\0\0\0\0\xA3\x7F\x4B\x22", 12);
    assert_memory_equal(bytes + 12, first, sizeof first);
    const uint32_t crc = ebm_crc32c_masked(first, sizeof first);
    for (size_t i = 0; i < 4; i++) assert_int_equal((unsigned char)bytes[12 + sizeof first + i], crc >> (8 * i) & 0xFF);
    assert_int_equal(bytes[16 + sizeof first], sizeof second);
    assert_memory_equal(bytes + 16 + sizeof first + 12, second, sizeof second);
    free(bytes);
    free(path);
}

static void cutting_goes_back_to_a_step(void **state)
{
    char *path = in_folder(*state, "events"), *wanted_path = in_folder(*state, "wanted");
    const ebm_scalar scalars[] = {{"train/loss", 0.5}, {"train/learning_rate", 1e-4}};
    const char *const files[] = {path, wanted_path};
    for (size_t f = 0; f < 2; f++) {
        assert_ok(ebm_event_file_create(files[f], 1));
        for (int64_t step = 10; step <= (f ? 200 : 500); step += 10)
            assert_ok(ebm_event_file_append(files[f], 2, step, scalars, 2));
    }
    size_t size, wanted_size;
    char *bytes = read_file(path, &size), *wanted = read_file(wanted_path, &wanted_size);
    assert_true(size > wanted_size);
    assert_ok(ebm_event_file_cut(path, 1000)); // nothing to cut
    char *same = read_file(path, &wanted_size);
    assert_int_equal(wanted_size, size);
    free(same);
    free(wanted);
    wanted = read_file(wanted_path, &wanted_size);
    for (size_t torn = 0; torn < 40; torn += 13) { // also where the last record was not written to its end
        put_file(path, bytes, size - torn);
        assert_ok(ebm_event_file_cut(path, 200));
        size_t cut_size;
        char *cut = read_file(path, &cut_size);
        assert_int_equal(cut_size, wanted_size);
        assert_memory_equal(cut, wanted, cut_size);
        free(cut);
    }
    bytes[wanted_size / 2] ^= 1; // a broken record: what is behind it cannot be trusted
    put_file(path, bytes, size);
    assert_ok(ebm_event_file_cut(path, 1000));
    char *cut = read_file(path, &size);
    assert_true(size < wanted_size && size > 0);
    assert_memory_equal(cut, wanted, size);
    free(cut);
    free(bytes);
    free(wanted);
    free(path);
    free(wanted_path);
}

static void what_is_no_event_file_becomes_empty(void **state)
{
    static const char *const texts[] = {"", "not an event file at all, but some text of more than a frame",
                                        "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF 0123456789"};
    char *path = in_folder(*state, "events"), *missing = in_folder(*state, "missing/events");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size;
        put_file(path, texts[i], strlen(texts[i]));
        assert_ok(ebm_event_file_cut(path, 5));
        free(read_file(path, &size));
        assert_int_equal(size, 0);
    }
    assert_fails(ebm_event_file_create(missing, 1), EBM_ERROR_INPUT, "missing");
    assert_fails(ebm_event_file_append(missing, 1, 1, NULL, 0), EBM_ERROR_IO, "missing");
    assert_fails(ebm_event_file_cut(missing, 1), EBM_ERROR_INPUT, "missing");
    free(path);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_the_standard),
        in_own_folder(bytes_are_as_specified),
        in_own_folder(cutting_goes_back_to_a_step),
        in_own_folder(what_is_no_event_file_becomes_empty),
    };
    return cmocka_run_group_tests_name("event_file", tests, NULL, NULL);
}
