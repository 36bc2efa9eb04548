// Data sets from files of every kind, and every way such a file can be wrong.
#include "check.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "csv.h"
#include "dataset.h"
#include "order.h"
#include "random.h"
#include "task.h"
#include "text_file.h"

static char folder[] = "/tmp/ebmcl-test-dataset-XXXXXX";

static int make_folder(void **state) { return mkdtemp(folder) ? 0 : -1; }

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

// Paths live in a ring: a test names at most a few files at a time.
static const char *path_of(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *put_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *put(const char *name, const char *text) { return put_bytes(name, text, strlen(text)); }

static const char *put_gzip(const char *name, const char *text)
{
    const char *path = path_of(name);
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    if (*text) assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static ebm_dataset *read_ok(const char *path, ebm_dataset_format format)
{
    ebm_dataset *dataset = NULL;
    assert_ok(ebm_dataset_read(path, &format, &dataset));
    return dataset;
}

#define assert_bad(path, part, ...)                                                                                    \
    do {                                                                                                               \
        ebm_dataset *bad_ = NULL;                                                                                      \
        assert_fails(ebm_dataset_read(path, &(ebm_dataset_format){__VA_ARGS__}, &bad_), EBM_ERROR_INPUT, part);        \
        assert_null(bad_);                                                                                             \
    } while (0)

static void assert_row(const ebm_dataset *dataset, size_t index, const char *a, const char *b, int32_t label,
                       size_t line)
{
    const ebm_row row = ebm_dataset_row(dataset, index);
    assert_string_equal(row.text_a, a);
    assert_int_equal(row.text_a_length, strlen(a));
    if (b) {
        assert_string_equal(row.text_b, b);
        assert_int_equal(row.text_b_length, strlen(b));
    } else {
        assert_null(row.text_b);
    }
    assert_int_equal(row.label, label);
    assert_int_equal(row.line, line);
}

// ---- good files

static void test_tsv_quotes_are_text(void **state)
{
    ebm_dataset *d = read_ok(put("a.tsv", "sentence\tlabel\nhe said \"no\t1\n\"yes\",\t0\n"), (ebm_dataset_format){0});
    assert_int_equal(ebm_dataset_count(d), 2);
    assert_row(d, 0, "he said \"no", NULL, 1, 2);
    assert_row(d, 1, "\"yes\",", NULL, 0, 3);
    assert_int_equal(ebm_dataset_labels(d)->count, 2);
    assert_int_equal(ebm_dataset_labelled_count(d), 2);
    assert_int_equal(ebm_dataset_text_bytes(d), 11 + 6);
    assert_false(ebm_dataset_is_pairs(d));
    ebm_dataset_free(d);
}

static void test_csv_quoting(void **state)
{
    ebm_dataset *d =
        read_ok(put("a.csv", "premise,hypothesis,label\n\"a, b\",\"say \"\"hi\"\"\",x\n\"two\nlines\r\n\",c,y\n"
                             "\"\"\"\",last,\"x\"\r\nplain,\"q\",x"),
                (ebm_dataset_format){0});
    assert_int_equal(ebm_dataset_count(d), 4);
    assert_row(d, 0, "a, b", "say \"hi\"", 0, 2);
    assert_row(d, 1, "two\nlines\r\n", "c", 1, 3);
    assert_row(d, 2, "\"", "last", 0, 6);
    assert_row(d, 3, "plain", "q", 0, 7);
    assert_true(ebm_dataset_is_pairs(d));
    ebm_dataset_free(d);
}

static void test_jsonl(void **state)
{
    ebm_dataset *d = read_ok(put("a.jsonl", "{\"text\": \"caf\\u00e9\\n\", \"label\": 2, \"extra\": [1]}\n"
                                            "{\"label\": 10, \"text\": \"b\"}\r\n{\"text\": \"c\", \"label\": null}"),
                             (ebm_dataset_format){0});
    assert_int_equal(ebm_dataset_count(d), 3);
    assert_row(d, 0, "caf\xC3\xA9\n", NULL, 0, 1);
    assert_row(d, 1, "b", NULL, 1, 2);
    assert_row(d, 2, "c", NULL, -1, 3);
    assert_string_equal(ebm_dataset_labels(d)->names[1], "10");
    assert_int_equal(ebm_dataset_labelled_count(d), 2);
    ebm_dataset_free(d);
}

static void test_line_ends_mark_and_gzip(void **state)
{
    const char *const text = "\xEF\xBB\xBFsentence\tlabel\r\none\ta\r\ntwo\tb";
    const char *const paths[] = {put("crlf.tsv", text), put_gzip("crlf.tsv.gz", text), put_gzip("CRLF.TSV.GZ", text)};
    for (size_t i = 0; i < 3; i++) {
        ebm_dataset *d = read_ok(paths[i], (ebm_dataset_format){0});
        assert_int_equal(ebm_dataset_count(d), 2);
        assert_row(d, 0, "one", NULL, 0, 2);
        assert_row(d, 1, "two", NULL, 1, 3);
        ebm_dataset_free(d);
    }
    // A single CR is text; so is one inside a line.
    ebm_dataset *d = read_ok(put("cr.tsv", "sentence\tlabel\na\rb\t1\n"), (ebm_dataset_format){0});
    assert_row(d, 0, "a\rb", NULL, 0, 2);
    ebm_dataset_free(d);
}

static void test_very_long_line(void **state)
{
    const size_t length = (5u << 20) + 3; // several reads of 1 MiB, and not a multiple of one
    char *text = malloc(length + 32);
    strcpy(text, "sentence\tlabel\n");
    memset(text + 15, 'x', length);
    strcpy(text + 15 + length, "\t1\n");
    const char *const paths[] = {put("long.tsv", text), put_gzip("long.tsv.gz", text)};
    for (size_t i = 0; i < 2; i++) {
        ebm_dataset *d = read_ok(paths[i], (ebm_dataset_format){0});
        assert_int_equal(ebm_dataset_row(d, 0).text_a_length, length);
        assert_int_equal(strspn(ebm_dataset_row(d, 0).text_a, "x"), length);
        ebm_dataset_free(d);
    }
    free(text);
}

static void test_columns(void **state)
{
    const char *path = put("c.tsv", "id\tbody\tsentence1\tsentence2\tclass\tlabel\n1\tB\tA1\tA2\tk\t0\n");
    ebm_dataset *d = read_ok(path, (ebm_dataset_format){0});
    assert_row(d, 0, "A1", "A2", 0, 2);
    ebm_dataset_free(d);
    d = read_ok(path, (ebm_dataset_format){.text_column = "body", .label_column = "class"});
    assert_row(d, 0, "B", NULL, 0, 2);
    assert_string_equal(ebm_dataset_labels(d)->names[0], "k");
    ebm_dataset_free(d);
    d = read_ok(path, (ebm_dataset_format){
                          .text_column = "sentence2", .text_pair_column = "body", .labels = EBM_LABELS_IGNORED});
    assert_row(d, 0, "A2", "B", -1, 2);
    assert_int_equal(ebm_dataset_labels(d)->count, 0);
    ebm_dataset_free(d);
    assert_bad(path, ":1: expected a column nix, found \"id\", \"body\"", .text_column = "nix");
    assert_bad(path, ":1: expected a column nix", .text_column = "body", .text_pair_column = "nix");
    assert_bad(path, ":1: expected a column nix", .label_column = "nix");
    assert_bad(path, "text_pair_column needs text_column", .text_pair_column = "body");
    assert_bad(put("d.tsv", "a\tb\n1\t2\n"), ":1: expected a column of texts");
    assert_bad(put("e.tsv", "text\tb\n1\t2\n"), ":1: expected a column of labels", .labels = EBM_LABELS_REQUIRED);
    assert_bad(put("f.tsv", "text\ttext\n1\t2\n"), "columns 1 and 2 are both named text");
    assert_bad(put("g.jsonl", "{\"a\": 1}\n"), ":1: expected a column of texts");
}

static void test_labels_sorted(void **state)
{
    ebm_dataset *d = read_ok(put("n.tsv", "text\tlabel\na\t10\nb\t9\nc\t-2\nd\t10\n"), (ebm_dataset_format){0});
    const char *const by_value[] = {"-2", "9", "10"};
    for (size_t i = 0; i < 3; i++) assert_string_equal(ebm_dataset_labels(d)->names[i], by_value[i]);
    assert_row(d, 0, "a", NULL, 2, 2);
    assert_row(d, 2, "c", NULL, 0, 4);
    ebm_dataset_free(d);
    d = read_ok(put("m.tsv", "text\tlabel\na\t10\nb\t9\nc\tz\nd\tZ\n"), (ebm_dataset_format){0});
    const char *const by_bytes[] = {"10", "9", "Z", "z"};
    for (size_t i = 0; i < 4; i++) assert_string_equal(ebm_dataset_labels(d)->names[i], by_bytes[i]);
    assert_row(d, 3, "d", NULL, 2, 5);
    ebm_dataset_free(d);
    d = read_ok(put("u.tsv", "text\tlabel\na\t-1\nb\t-1\n"), (ebm_dataset_format){0});
    assert_int_equal(ebm_dataset_labelled_count(d), 0);
    assert_int_equal(ebm_dataset_labels(d)->count, 0);
    ebm_dataset_free(d);
    assert_bad(path_of("u.tsv"), "expected labels, found -1", .labels = EBM_LABELS_REQUIRED);
}

static void test_known_labels(void **state)
{
    ebm_labels known = {0};
    int32_t id;
    assert_ok(ebm_labels_add(&known, "pos", &id));
    assert_ok(ebm_labels_add(&known, "neg", &id));
    assert_int_equal(id, 1);
    ebm_dataset *d = read_ok(put("k.tsv", "text\tlabel\na\tneg\nb\tpos\nc\t1\nd\t\ne\t-1\n"),
                             (ebm_dataset_format){.known_labels = &known});
    const int32_t expected[] = {1, 0, 1, -1, -1};
    for (size_t i = 0; i < 5; i++) assert_int_equal(ebm_dataset_row(d, i).label, expected[i]);
    ebm_dataset_free(d);
    assert_bad(path_of("k.tsv"), ":5: expected a label, found none", .known_labels = &known,
               .labels = EBM_LABELS_REQUIRED);
    assert_bad(put("k2.tsv", "text\tlabel\na\tneg\nb\tmaybe\n"),
               "k2.tsv:3: unknown label \"maybe\", expected one of \"pos\", \"neg\"", .known_labels = &known);
    assert_bad(put("k3.tsv", "text\tlabel\na\t2\n"), ":2: unknown label \"2\"", .known_labels = &known);
    ebm_labels_free(&known);
    // Names that are integers are names only: "0" is no id among {1, 2}.
    assert_ok(ebm_labels_add(&known, "1", &id));
    assert_ok(ebm_labels_add(&known, "2", &id));
    assert_int_equal(ebm_labels_read(&known, "1"), 0);
    assert_int_equal(ebm_labels_read(&known, "0"), -1);
    ebm_labels_free(&known);
}

static void check_annotations(const ebm_dataset *d, const double *expected, size_t count)
{
    double *counts = NULL;
    assert_ok(ebm_dataset_annotations(d, &counts));
    assert_non_null(counts);
    assert_int_equal(count, ebm_dataset_count(d) * ebm_dataset_labels(d)->count);
    for (size_t i = 0; i < count; i++) assert_true(counts[i] == expected[i]);
    free(counts);
}

#define COLUMNS_OF_ANNOTATORS(...)                                                                                     \
    .annotator_columns = (const char *const[]){__VA_ARGS__},                                                           \
    .annotator_count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

// Counts are in the order of the labels, which is sorted at the end when they were collected.
static void test_annotators(void **state)
{
    const char *table =
        "text\tlabel\tone\ttwo\tthree\na\tpos\tpos\tneg\tpos\nb\tneg\t\t-\tmid\nc\tpos\tneg\tneg\tneg\n";
    ebm_dataset *d = read_ok(put("a.tsv", table), (ebm_dataset_format){COLUMNS_OF_ANNOTATORS("one", "two", "three")});
    assert_int_equal(ebm_dataset_labels(d)->count, 3); // mid, neg, pos
    check_annotations(d, (const double[]){0, 1, 2, 1, 0, 0, 0, 3, 0}, 9);
    ebm_dataset *picked = NULL;
    assert_ok(ebm_dataset_select(d, (const uint32_t[]){2, 1}, 2, &picked));
    assert_row(picked, 0, "c", NULL, 2, 4);
    check_annotations(picked, (const double[]){0, 3, 0, 1, 0, 0}, 6);
    ebm_dataset_free(picked);
    ebm_dataset_free(d);
    d = read_ok(path_of("a.tsv"), (ebm_dataset_format){0});
    double *none = (double[1]){0};
    assert_ok(ebm_dataset_annotations(d, &none));
    assert_null(none);
    ebm_dataset_free(d);
    const ebm_labels known = {.names = (const char *const[]){"pos", "neg", "mid"}, .count = 3};
    d = read_ok(put("a.jsonl", "{\"text\": \"a\", \"label\": \"neg\", \"all\": [\"neg\", \"mid\", 0], \"own\": null}\n"
                               "{\"text\": \"b\", \"label\": \"pos\", \"all\": [], \"own\": \"pos\"}\n"),
                (ebm_dataset_format){.known_labels = &known, COLUMNS_OF_ANNOTATORS("all", "own")});
    check_annotations(d, (const double[]){1, 1, 1, 1, 0, 0}, 6);
    ebm_dataset_free(d);
}

static void test_bad_annotators(void **state)
{
    const ebm_labels known = {.names = (const char *const[]){"neg", "pos"}, .count = 2};
    put("b.tsv", "text\tlabel\tone\ttwo\na\tpos\tpos\tneg\nb\tneg\t-\t\nc\tpos\tneg\tneg\n");
    assert_bad(path_of("b.tsv"), "b.tsv:3: expected a label of one annotator at least, found none",
               COLUMNS_OF_ANNOTATORS("one", "two"));
    assert_bad(path_of("b.tsv"), "b.tsv:1: expected a column four, found \"text\", \"label\", \"one\", \"two\"",
               COLUMNS_OF_ANNOTATORS("one", "four"));
    ebm_dataset *d =
        read_ok(path_of("b.tsv"), (ebm_dataset_format){.skip_malformed = true, COLUMNS_OF_ANNOTATORS("one", "two")});
    assert_int_equal(ebm_dataset_skipped(d), 1);
    check_annotations(d, (const double[]){1, 1, 2, 0}, 4);
    ebm_dataset_free(d);
    assert_bad(put("c.tsv", "text\tlabel\tone\na\tpos\tmid\n"), "c.tsv:2: unknown label \"mid\", expected one of",
               .known_labels = &known, COLUMNS_OF_ANNOTATORS("one"));
    assert_bad(put("d.tsv", "text\tlabel\tone\tone\na\tpos\tpos\tpos\n"), "d.tsv:1: the columns 3 and 4 are both named",
               COLUMNS_OF_ANNOTATORS("one"));
    assert_bad(put("e.jsonl", "{\"text\": \"a\", \"label\": \"pos\", \"all\": [\"pos\", {}]}\n"),
               "e.jsonl:1: all: expected a string or an integer, found an object", COLUMNS_OF_ANNOTATORS("all"));
    // A row of which a text is missing leaves no vote behind for the next.
    d = read_ok(put("f.tsv", "text\tlabel\tone\n\tpos\tpos\nb\tpos\tneg\n"),
                (ebm_dataset_format){.known_labels = &known, .skip_malformed = true, COLUMNS_OF_ANNOTATORS("one")});
    check_annotations(d, (const double[]){1, 0}, 2);
    ebm_dataset_free(d);
    // Unlabelled in every row: nothing is counted.
    d = read_ok(put("g.tsv", "text\tlabel\tone\na\t-1\t-1\n"), (ebm_dataset_format){COLUMNS_OF_ANNOTATORS("one")});
    double *counts = NULL;
    assert_ok(ebm_dataset_annotations(d, &counts));
    assert_null(counts);
    ebm_dataset_free(d);
}

static void test_made_in_memory(void **state)
{
    ebm_labels names = {.names = (const char *const[]){"a", "b"}, .count = 2};
    ebm_dataset *d = NULL;
    assert_ok(ebm_dataset_create(&names, &d));
    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "text %d", i);
        assert_ok(ebm_dataset_add(d, text, NULL, i % 2, 0));
    }
    assert_row(d, 999, "text 999", NULL, 1, 0);
    assert_fails(ebm_dataset_add(d, "x", NULL, 2, 0), EBM_ERROR_INPUT, "label 2, but the set has 2");
    assert_fails(ebm_dataset_add(d, "x", NULL, -2, 0), EBM_ERROR_INPUT, "label -2");
    assert_fails(ebm_dataset_add(d, "x", "y", 0, 0), EBM_ERROR_INPUT, "a pair in a set of single texts");
    assert_int_equal(ebm_dataset_count(d), 1000);
    ebm_dataset_free(d);
    ebm_dataset_free(NULL);
}

// ---- bad files

static void test_unreadable(void **state)
{
    assert_bad(path_of("missing.tsv"), "missing.tsv: No such file or directory");
    assert_bad(path_of("missing.tsv.gz"), "No such file or directory");
    assert_int_equal(mkdir(path_of("dir.tsv"), 0755), 0);
    assert_bad(path_of("dir.tsv"), "Is a directory");
    assert_bad(put("x.parquet", "x"), "expected a name ending in .tsv, .csv or .jsonl");
    assert_bad(put("empty.tsv", ""), "empty.tsv: the file is empty");
    assert_bad(put("empty.jsonl", ""), "the file is empty");
    assert_bad(put("mark.tsv", "\xEF\xBB\xBF"), "the file is empty");
    assert_bad(put("empty.tsv.gz", ""), "the file is empty");
    assert_bad(put_gzip("empty2.tsv.gz", ""), "the file is empty");
    assert_bad(put("header.tsv", "sentence\tlabel\n"), "expected rows behind the header, found none");
    assert_bad(put("header.csv", "sentence,label"), "expected rows behind the header, found none");
}

static void test_damaged_gzip(void **state)
{
    char text[20000] = "sentence\tlabel\n";
    for (size_t i = 15; i + 8 < sizeof text; i += 8) snprintf(text + i, 9, "%05zx\t%zu\n", i * 7919 % 1048573, i % 2);
    FILE *file = fopen(put_gzip("whole.tsv.gz", text), "rb");
    unsigned char packed[20000];
    const size_t size = fread(packed, 1, sizeof packed, file);
    fclose(file);
    const size_t cuts[] = {2, 9, 11, size / 2, size - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
        assert_bad(put_bytes("cut.tsv.gz", packed, cuts[i]), "cut.tsv.gz: the gzip data ends too early");
    packed[size / 2] ^= 0x55;
    assert_bad(put_bytes("bent.tsv.gz", packed, size), "bent.tsv.gz: damaged gzip data");
    assert_bad(put("plain.tsv.gz", "sentence\tlabel\na\t1\n"), "plain.tsv.gz: expected gzip data");
}

static void test_not_utf8(void **state)
{
    static const struct {
        const char *bytes, *part;
    } cases[] = {
        {"\xFF", "(0xFF)"},
        {"\x80", "(0x80)"},
        {"\xC0\xAF", "(0xC0)"},
        {"\xC3", "(0xC3)"}, // overlong; cut by the tab
        {"\xE0\x80\xAF", "(0xE0)"},
        {"\xED\xA0\x80", "(0xED)"}, // overlong; surrogate
        {"\xE2\x82", "(0xE2)"},
        {"\xF0\x8F\xBF\xBF", "(0xF0)"},
        {"\xF4\x90\x80\x80", "(0xF4)"},
        {"\xF5\x80\x80\x80", "(0xF5)"}, // beyond U+10FFFF
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64], part[64];
        snprintf(text, sizeof text, "sentence\tlabel\nok \xE2\x82\xAC\t1\nno %s\t1\n", cases[i].bytes);
        snprintf(part, sizeof part, "bytes.tsv:3: byte 4 of the line %s is not UTF-8", cases[i].part);
        assert_bad(put("bytes.tsv", text), part);
    }
    assert_bad(put_bytes("nul.tsv", "sentence\tlabel\na\0b\t1\n", 21), "nul.tsv:2: byte 2 of the line (0x00) is NUL");
    assert_bad(put("end.tsv", "sentence\tlabel\na\t\xE2\x82"), "end.tsv:2: byte 3 of the line (0xE2) is not UTF-8");
    // The limits of each length are fine.
    ebm_dataset *d =
        read_ok(put("ok.tsv", "text\tlabel\n\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"
                              "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\t1\n"),
                (ebm_dataset_format){0});
    assert_int_equal(ebm_dataset_row(d, 0).text_a_length, 2 * 2 + 4 * 3 + 2 * 4);
    ebm_dataset_free(d);
}

static void test_malformed_rows(void **state)
{
    assert_bad(put("few.tsv", "sentence\tlabel\na\t1\nb\n"), "few.tsv:3: expected 2 columns, found 1");
    assert_bad(put("many.tsv", "sentence\tlabel\na\t1\tx\n"), "many.tsv:2: expected 2 columns, found 3");
    assert_bad(put("blank.tsv", "sentence\tlabel\na\t1\n\nb\t0\n"),
               "blank.tsv:3: expected 2 columns, found 1 (a blank line)");
    assert_bad(put("blank.csv", "sentence,label\na,1\n\n"), "blank.csv:3: expected 2 columns, found 1 (a blank line)");
    assert_bad(put("void.tsv", "sentence\tlabel\na\t1\n\t0\n"), "void.tsv:3: expected a text, found an empty one");
    assert_bad(put("void2.tsv", "premise\thypothesis\tlabel\na\t\t0\n"),
               "void2.tsv:2: expected a text, found an empty second");
    assert_bad(put("void3.tsv", "premise\thypothesis\tlabel\n\ta\t0\n"),
               "void3.tsv:2: expected a text, found an empty first");
    assert_bad(put("nolabel.tsv", "sentence\tlabel\na\t\n"), "nolabel.tsv:2: expected a label, found none",
               .labels = EBM_LABELS_REQUIRED);
    ebm_dataset *d = read_ok(path_of("void2.tsv"), (ebm_dataset_format){.empty_text = true});
    assert_row(d, 0, "a", "", 0, 2);
    ebm_dataset_free(d);
}

static void test_malformed_csv(void **state)
{
    assert_bad(put("open.csv", "text,label\na,1\n\"b\nc,0\n"),
               "open.csv:3: the quote mark that opens column 1 is never");
    assert_bad(put("behind.csv", "text,label\n\"b\" c,0\n"), "behind.csv:2: expected a comma or the line's end");
    assert_bad(put("inside.csv", "text,label\na,0\nb \"c\",0\n"), "inside.csv:3: a quote mark inside column 1");
    assert_bad(put("many.csv", "text,label\n\"x\ny\",0\na,b,0\n"), "many.csv:4: expected 2 columns, found 3");
    assert_bad(put("few.csv", "text,label\na\n"), "few.csv:2: expected 2 columns, found 1");
    assert_bad(put("comma.csv", "text,label\na,1,"), "comma.csv:2: expected 2 columns, found 3");
    assert_bad(put("one.csv", "\""), "one.csv:1: the quote mark that opens column 1 is never closed");
}

static void test_malformed_json(void **state)
{
    const char *const good = "{\"text\": \"a\", \"label\": \"x\"}\n";
    static const struct {
        const char *line, *part;
    } cases[] = {
        {"{\"text\": \"a\", \"label\": ", ":2: expected a JSON object, found "},
        {"[1]", ":2: expected a JSON object, found an array"},
        {"3", ":2: expected a JSON object, found an integer"},
        {"", ":2: expected a JSON object, found a blank line"},
        {"{\"label\": \"x\"}", ":2: text: expected a string, found nothing"},
        {"{\"text\": 5, \"label\": \"x\"}", ":2: text: expected a string, found an integer"},
        {"{\"text\": null, \"label\": \"x\"}", ":2: text: expected a string, found null"},
        {"{\"text\": \"a\", \"label\": 1.5}", ":2: label: expected a string or an integer, found a real number"},
        {"{\"text\": \"a\", \"label\": true}", ":2: label: expected a string or an integer, found true"},
        {"{\"text\": \"a\", \"text\": \"b\"}", ":2: expected a JSON object, found duplicate object key"},
        {"{\"text\": \"a\\u0000b\"}", ":2: expected a JSON object, found \\u0000 is not allowed"},
        {"{\"text\": \"\\ud800\"}", ":2: expected a JSON object, found invalid Unicode"},
        {"{\"text\": \"\", \"label\": \"x\"}", ":2: expected a text, found an empty one"},
        {"{\"text\": \"a\"}", ":2: expected a label, found none"},
        {"{\"text\": \"a\", \"label\": \"x\"} x", ":2: expected a JSON object, found end of file expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s%s\n", good, cases[i].line);
        assert_bad(put("bad.jsonl", text), cases[i].part, .labels = EBM_LABELS_REQUIRED);
    }
}

static void test_skipping_is_counted(void **state)
{
    const char *path = put("skip.tsv", "text\tlabel\na\t1\nb\nc\t0\n\t1\n");
    ebm_dataset *d = read_ok(path, (ebm_dataset_format){.skip_malformed = true});
    assert_int_equal(ebm_dataset_count(d), 2);
    assert_int_equal(ebm_dataset_skipped(d), 2);
    assert_non_null(strstr(ebm_dataset_first_skipped(d), "skip.tsv:3: expected 2 columns, found 1"));
    assert_row(d, 1, "c", NULL, 0, 4);
    ebm_dataset_free(d);
    assert_bad(put("all.tsv", "text\tlabel\na\n"), "no row is well-formed; the first: ", .skip_malformed = true);
}

static void test_too_many_labels(void **state)
{
    char *text = malloc(32 * 1024);
    size_t used = (size_t)sprintf(text, "text\tlabel\n");
    for (int i = 0; i <= EBM_LABELS_MAX; i++) used += (size_t)sprintf(text + used, "t\t%d.5\n", i);
    assert_bad(put("regression.tsv", text), "regression.tsv:1002: more than 1000 different labels");
    free(text);
}

// ---- noise and plain text

static void test_noise(void **state)
{
    ebm_dataset *d = NULL;
    assert_ok(ebm_dataset_read_noise(put("n1.txt", "one text\ntwo\t\"x\"\n"), false, &d));
    assert_row(d, 1, "two\t\"x\"", NULL, -1, 2);
    ebm_dataset_free(d);
    d = NULL;
    assert_ok(ebm_dataset_read_noise(put_gzip("n2.txt.gz", "a b <SEP> c\nd <SEP> e<SEP>\r\n"), true, &d));
    assert_row(d, 0, "a b", "c", -1, 1);
    assert_row(d, 1, "d", "e<SEP>", -1, 2);
    ebm_dataset_free(d);
    d = NULL;
    static const struct {
        const char *text, *part;
        bool pairs;
    } cases[] = {
        {"a <SEP> b\nc\n", "n3.txt:2: expected two texts with one \" <SEP> \" between them, found none", true},
        {"a <SEP> b <SEP> c\n", "n3.txt:1: expected two texts with one \" <SEP> \" between them, found more", true},
        {"a <SEP>\n", "found none", true},
        {"a <SEP> \n", ":1: expected a text, found an empty second", true},
        {" <SEP> b\n", ":1: expected a text, found an empty first", true},
        {"a\n\n \t\nb <SEP> c\n", "n3.txt:4: expected a single text, found a pair", false},
        {"\n \n", "n3.txt: expected texts, found only blank lines", false},
        {"\n \n", "n3.txt: expected pairs of texts, found only blank lines", true},
        {"a\n", "n3.txt: expected pairs of texts, found one line", true},
        {"a\n\nb\nc\nd <SEP> e\n", "n3.txt:5: \" <SEP> \" found, which the lines before it lack", true},
        {"a <SEP> b\n", "n3.txt:1: expected a single text, found a pair", false},
        {"", "the file is empty", false},
        {"\xFF\n", "n3.txt:1: byte 1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(ebm_dataset_read_noise(put("n3.txt", cases[i].text), cases[i].pairs, &d), EBM_ERROR_INPUT,
                     cases[i].part);
    assert_null(d);
}

// Text of any kind as noise: blank lines, lines of any length, no end of the last one, a byte-order mark, CR LF.
static void test_plain_text_is_noise(void **state)
{
    enum { LONG = 1 << 20 };
    (void)state;
    ebm_dataset *d = NULL;
    char *text = malloc(LONG + 64);
    int at = sprintf(text, "\xEF\xBB\xBF\n \t \r\nfirst line\r\n\n");
    memset(text + at, 'x', LONG);
    strcpy(text + at + LONG, "\n\n\n  third\n\nfourth\nleft over");
    const char *path = put("plain.txt", text);
    assert_ok(ebm_dataset_read_noise(path, false, &d));
    assert_int_equal(ebm_dataset_count(d), 5);
    assert_row(d, 0, "first line", NULL, -1, 3);
    assert_int_equal(ebm_dataset_row(d, 1).text_a_length, LONG);
    assert_row(d, 4, "left over", NULL, -1, 11);
    ebm_dataset_free(d);
    assert_ok(ebm_dataset_read_noise(path, true, &d));
    assert_int_equal(ebm_dataset_count(d), 2);
    assert_row(d, 1, "  third", "fourth", -1, 8);
    ebm_dataset_free(d);
    free(text);
}

static void test_text_lines(void **state)
{
    ebm_text_lines lines = {0};
    const char *path = put("t.txt", " first line \nsecond\r\n\n \t\n\nthird\n  fourth\nfifth");
    assert_ok(ebm_text_lines_read(path, EBM_TEXT_LINES, &lines));
    const char *const each[] = {" first line ", "second", "third", "  fourth", "fifth"};
    const size_t numbers[] = {1, 2, 6, 7, 8};
    assert_int_equal(lines.count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(lines.items[i].text, each[i]);
        assert_int_equal(lines.items[i].length, strlen(each[i]));
        assert_int_equal(lines.items[i].line, numbers[i]);
    }
    ebm_text_lines_free(&lines);
    assert_ok(ebm_text_lines_read(path, EBM_TEXT_PARAGRAPHS, &lines));
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.items[0].text, "first line second");
    assert_string_equal(lines.items[1].text, "third fourth fifth");
    assert_int_equal(lines.items[0].length, 17);
    assert_int_equal(lines.items[1].line, 6);
    ebm_text_lines_free(&lines);
    assert_fails(ebm_text_lines_read(put("b.txt", "\n \n\t\n"), EBM_TEXT_LINES, &lines), EBM_ERROR_INPUT,
                 "only blank lines");
    assert_fails(ebm_text_lines_read(put("b.txt", "\n \n\t\n"), EBM_TEXT_PARAGRAPHS, &lines), EBM_ERROR_INPUT,
                 "only blank");
    assert_null(lines.items);
    ebm_text_lines_free(&lines);
}

// ---- order

static void test_order(void **state)
{
    enum { COUNT = 101, BATCH = 32, STEPS = 20 };
    uint32_t all[STEPS * BATCH], again[STEPS * BATCH];
    ebm_order *order = NULL, *other = NULL;
    assert_true(ebm_order_batches(10, 5) == 2 && ebm_order_batches(11, 5) == 3 && ebm_order_batches(1, 5) == 1);
    assert_true(ebm_order_passes(11, 5, 0, 2.5) == 2.5 && ebm_order_passes(11, 5, 6, 2.5) == 2);
    assert_true(ebm_order_passes(10, 5, 1, 9) == 0.5);
    assert_ok(ebm_order_create(7, EBM_SITE_SHUFFLE, COUNT, &order));
    for (int i = 0; i < STEPS; i++) ebm_order_next(order, BATCH, all + i * BATCH);
    for (int epoch = 0; epoch < STEPS * BATCH / COUNT; epoch++) {
        int seen[COUNT] = {0};
        for (int i = 0; i < COUNT; i++) seen[all[epoch * COUNT + i]]++;
        for (int i = 0; i < COUNT; i++) assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(all, all + COUNT, COUNT * sizeof *all); // epochs differ
    assert_int_equal(ebm_order_epoch(order), STEPS * BATCH / COUNT);
    assert_int_equal(ebm_order_position(order), STEPS * BATCH % COUNT);
    assert_int_equal(ebm_order_left(order), COUNT - STEPS * BATCH % COUNT);
    for (int cut = 0; cut < STEPS * BATCH; cut += 50) { // a restored order goes on with the same rows
        assert_ok(ebm_order_create(7, EBM_SITE_SHUFFLE, COUNT, &other));
        assert_ok(ebm_order_seek(other, (uint32_t)(cut / COUNT), (size_t)(cut % COUNT)));
        ebm_order_next(other, (size_t)(STEPS * BATCH - cut), again + cut);
        assert_memory_equal(again + cut, all + cut, (size_t)(STEPS * BATCH - cut) * sizeof *all);
        ebm_order_free(other);
    }
    assert_ok(ebm_order_create(7, EBM_SITE_SHUFFLE_NCE, COUNT, &other));
    ebm_order_next(other, COUNT, again);
    assert_memory_not_equal(again, all, COUNT * sizeof *all); // sites differ
    assert_fails(ebm_order_seek(other, 0, COUNT), EBM_ERROR_INPUT, "position 101 in an epoch of 101 rows");
    ebm_order_free(other);
    other = NULL;
    assert_ok(ebm_order_create(8, EBM_SITE_SHUFFLE, 1, &other));
    ebm_order_next(other, 3, again);
    assert_int_equal(ebm_order_epoch(other), 3);
    assert_int_equal(again[2], 0);
    assert_fails(ebm_order_create(8, 1, 0, &order), EBM_ERROR_INPUT, "an order of 0 rows");
    ebm_order_free(other);
    ebm_order_free(order);
    ebm_order_free(NULL);
}

// ---- tasks

static void test_tasks(void **state)
{
    const ebm_task *task = NULL;
    assert_int_equal(ebm_task_count(), 8);
    assert_ok(ebm_task_find("SST-2", &task));
    assert_string_equal(task->name, "sst2");
    assert_ok(ebm_task_find("mnli_matched", &task));
    assert_string_equal(task->labels.names[2], "contradiction");
    assert_string_equal(task->submission_file, "MNLI-m.tsv");
    assert_fails(ebm_task_find("stsb", &task), EBM_ERROR_INPUT, "unknown task \"stsb\", expected one of cola, sst2");
    assert_fails(ebm_task_find("", &task), EBM_ERROR_INPUT, "unknown task");
    for (size_t i = 0; i < ebm_task_count(); i++) {
        assert_ok(ebm_task_find(ebm_task_at(i)->folder, &task));
        assert_ptr_equal(task, ebm_task_at(i));
        assert_int_equal(task->labels.count, strcmp(task->name, "mnli") ? 2 : 3);
    }
}

static void test_cola_layouts(void **state)
{
    const ebm_task *cola = NULL;
    ebm_dataset *d = NULL;
    assert_ok(ebm_task_find("cola", &cola));
    assert_fails(ebm_task_read(cola, folder, EBM_SPLIT_TRAIN, &d), EBM_ERROR_INPUT,
                 "expected cola's train.tsv or train.tsv.gz");
    put("train.tsv", "gj04\t1\t\tGood.\ngj04\t0\t*\tBad it.");
    assert_ok(ebm_task_read(cola, folder, EBM_SPLIT_TRAIN, &d));
    assert_int_equal(ebm_dataset_count(d), 2);
    assert_row(d, 0, "Good.", NULL, 1, 1);
    assert_row(d, 1, "Bad it.", NULL, 0, 2);
    assert_string_equal(ebm_dataset_labels(d)->names[0], "unacceptable");
    ebm_dataset_free(d);
    d = NULL;
    assert_int_equal(mkdir(path_of("CoLA"), 0755), 0);
    put_gzip("CoLA/dev.tsv.gz", "sentence\tlabel\nGood.\t1\n");
    assert_ok(ebm_task_read(cola, folder, EBM_SPLIT_DEV, &d));
    assert_row(d, 0, "Good.", NULL, 1, 2);
    ebm_dataset_free(d);
    d = NULL;
    put("CoLA/test.tsv", "index\tsentence\n0\tHm.\n");
    assert_ok(ebm_task_read(cola, folder, EBM_SPLIT_TEST, &d));
    assert_row(d, 0, "Hm.", NULL, -1, 2);
    ebm_dataset_free(d);
    d = NULL;
    put("train.tsv", "gj04\t1\tGood.\n");
    assert_fails(ebm_task_read(cola, folder, EBM_SPLIT_TRAIN, &d), EBM_ERROR_INPUT,
                 "train.tsv:1: expected 4 columns, found 3");
    put("train.tsv", "gj04\t2\t\tGood.\n");
    assert_fails(ebm_task_read(cola, folder, EBM_SPLIT_TRAIN, &d), EBM_ERROR_INPUT, "train.tsv:1: unknown label \"2\"");
    assert_int_equal(remove(path_of("train.tsv")), 0);
}

static void test_pair_task(void **state)
{
    const ebm_task *mrpc = NULL;
    ebm_dataset *d = NULL;
    assert_ok(ebm_task_find("mrpc", &mrpc));
    put("train.tsv", "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t5\t6\tHe \"said\t\" it\n");
    assert_ok(ebm_task_read(mrpc, folder, EBM_SPLIT_TRAIN, &d));
    assert_row(d, 0, "He \"said", "\" it", 1, 2);
    ebm_dataset_free(d);
    put("train.tsv", "sentence\tlabel\na\t1\n");
    assert_fails(ebm_task_read(mrpc, folder, EBM_SPLIT_TRAIN, &d), EBM_ERROR_INPUT,
                 "train.tsv:1: expected a column #1 String, found \"sentence\", \"label\"");
    assert_int_equal(remove(path_of("train.tsv")), 0);
}

// The published files, where they are at hand: EBMCL_TEST_DATA/glue/<task>/.
static void test_real_glue(void **state)
{
    const char *data = getenv("EBMCL_TEST_DATA");
    if (!data) {
        print_message("EBMCL_TEST_DATA is not set: the published GLUE files are not tested\n");
        skip();
    }
    static const struct {
        const char *task, *folder;
        ebm_split split;
        size_t rows, labelled_1; // published counts of rows and of label id 1
    } cases[] = {
        {"sst2", "glue", EBM_SPLIT_TRAIN, 67349, 37569},       {"sst2", "glue", EBM_SPLIT_DEV, 872, 444},
        {"cola", "glue", EBM_SPLIT_TRAIN, 8551, 6023},         {"cola", "glue", EBM_SPLIT_DEV, 1043, 721},
        {"mrpc", "glue", EBM_SPLIT_TRAIN, 3668, 2474},         {"mrpc", "glue", EBM_SPLIT_DEV, 408, 279},
        {"rte", "glue", EBM_SPLIT_TRAIN, 2490, 1241},          {"rte", "glue", EBM_SPLIT_DEV, 277, 131},
        {"wnli", "glue", EBM_SPLIT_TRAIN, 635, 312},           {"wnli", "glue", EBM_SPLIT_DEV, 71, 31},
        {"qnli", "glue", EBM_SPLIT_DEV, 5463, 2761},           {"qqp", "glue/QQP-subset", EBM_SPLIT_TRAIN, 16212, 6040},
        {"qqp", "glue/QQP-subset", EBM_SPLIT_DEV, 4000, 1545}, {"mnli", "glue", EBM_SPLIT_DEV, 9815, 3123},
        {"mnli", "nli/LitL", EBM_SPLIT_TRAIN, 44983, 14995},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ebm_task *task = NULL;
        ebm_dataset *d = NULL;
        char path[512];
        struct timespec from, to;
        snprintf(path, sizeof path, "%s/%s", data, cases[i].folder);
        assert_ok(ebm_task_find(cases[i].task, &task));
        clock_gettime(CLOCK_MONOTONIC, &from);
        assert_ok(ebm_task_read(task, path, cases[i].split, &d));
        clock_gettime(CLOCK_MONOTONIC, &to);
        size_t ones = 0;
        for (size_t row = 0; row < ebm_dataset_count(d); row++) ones += ebm_dataset_row(d, row).label == 1;
        assert_int_equal(ebm_dataset_count(d), cases[i].rows);
        assert_int_equal(ebm_dataset_labelled_count(d), cases[i].rows);
        assert_int_equal(ones, cases[i].labelled_1);
        assert_int_equal(ebm_dataset_is_pairs(d), task->text_pair_column != NULL);
        print_message("%s %s: %zu rows in %.0f ms\n", cases[i].task, task->files[cases[i].split], cases[i].rows,
                      (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) * 1e-6);
        ebm_dataset_free(d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tsv_quotes_are_text),
        cmocka_unit_test(test_csv_quoting),
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_line_ends_mark_and_gzip),
        cmocka_unit_test(test_very_long_line),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_labels_sorted),
        cmocka_unit_test(test_known_labels),
        cmocka_unit_test(test_annotators),
        cmocka_unit_test(test_bad_annotators),
        cmocka_unit_test(test_made_in_memory),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_not_utf8),
        cmocka_unit_test(test_malformed_rows),
        cmocka_unit_test(test_malformed_csv),
        cmocka_unit_test(test_malformed_json),
        cmocka_unit_test(test_skipping_is_counted),
        cmocka_unit_test(test_too_many_labels),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_plain_text_is_noise),
        cmocka_unit_test(test_text_lines),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_cola_layouts),
        cmocka_unit_test(test_pair_task),
        cmocka_unit_test(test_real_glue),
    };
    return cmocka_run_group_tests_name("dataset", tests, make_folder, remove_folder);
}
