// Plain text cut into sentences.
#include "folder.h"
#include "plain_text.h"

static void expect_sentences(const char *folder, const char *text, size_t most, size_t budget,
                             const char *const *expected, size_t count)
{
    char *path = in_folder(folder, "text.txt");
    ebm_dataset *sentences = NULL;
    size_t left = budget, bytes = 0;
    put_file(path, text, strlen(text));
    assert_ok(ebm_dataset_create(NULL, &sentences));
    assert_ok(ebm_plain_text_add(path, most, &left, sentences));
    for (size_t i = 0; i < ebm_dataset_count(sentences) && i < count; i++) {
        const ebm_row row = ebm_dataset_row(sentences, i);
        assert_string_equal(row.text_a, expected[i]);
        assert_null(row.text_b);
        assert_int_equal(row.label, -1);
        bytes += row.text_a_length;
    }
    assert_int_equal(ebm_dataset_count(sentences), count);
    assert_int_equal(left, budget > bytes ? budget - bytes : 0);
    ebm_dataset_free(sentences);
    free(path);
}
#define SENTENCES(text, ...)                                                                                           \
    do {                                                                                                               \
        const char *const expected[] = {__VA_ARGS__};                                                                  \
        expect_sentences(*state, text, 60, 10000, expected, sizeof expected / sizeof *expected);                       \
    } while (0)

static void sentences_end_before_a_blank(void **state)
{
    SENTENCES("One two three. Four five six! Seven eight nine? Ten eleven twelve", "One two three.", "Four five six!",
              "Seven eight nine?", "Ten eleven twelve");
    SENTENCES("It costs 3.50 in all. Ask e.g.them if you can.", "It costs 3.50 in all.", "Ask e.g.them if you can.");
    SENTENCES("Wait for it... Here it is?! Yes it is.", "Wait for it...", "Here it is?!", "Yes it is.");
}

static void closing_marks_belong_to_the_sentence(void **state)
{
    SENTENCES("He said \"go on now.\" She went on then.", "He said \"go on now.\"", "She went on then.");
    SENTENCES("(It was very late.) They slept quite well.", "(It was very late.)", "They slept quite well.");
    SENTENCES("“That is all right.” So they did it.", "“That is all right.”", "So they did it.");
    SENTENCES("(“That is all right.”) So they did it.", "(“That is all right.”)", "So they did it.");
    SENTENCES("‘She went ‘home at last.’” He did not go.", "‘She went ‘home at last.’”", "He did not go.");
}

static void lines_join_to_paragraphs(void **state)
{
    SENTENCES("One two\nthree. Four\r\n  five six.\n\nSeven eight\nnine", "One two three.", "Four five six.",
              "Seven eight nine");
    SENTENCES("A heading of three\n\nThen the text starts.", "A heading of three", "Then the text starts.");
}

static void short_ones_are_left_out(void **state)
{
    SENTENCES("Yes. No way. That will do. 7.  Well  now. So it goes.", "That will do.", "So it goes.");
}

// 60 bytes at most: cut at the last blank before; a word that is longer than twice that is no text.
static void long_ones_are_cut_at_a_blank(void **state)
{
    SENTENCES("aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk llll mmmm nnnn oooo pppp.",
              "aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk llll", "mmmm nnnn oooo pppp.");
    SENTENCES("über äääää ööööö üüüüü ßßßßß ééééé èèèèè ñññññ óó", "über äääää ööööö üüüüü ßßßßß ééééé",
              "èèèèè ñññññ óó");
    char text[300] = "one two ";
    for (int i = 0; i < 130; i++) strcat(text, "x");
    strcat(text, " three four five.");
    SENTENCES(text, "three four five.");
}

static void adding_stops_at_the_budget(void **state)
{
    static const char *const expected[] = {"One two three.", "Four five six."};
    expect_sentences(*state, "One two three. Four five six. Seven eight nine.", 60, 15, expected, 2);
    expect_sentences(*state, "One two three. Four five six.\n\nSeven eight nine.", 60, 28, expected, 2);
    expect_sentences(*state, "One two three. Four five six.", 60, 14, expected, 1);
    expect_sentences(*state, "One two three.", 60, 0, NULL, 0);
}

static void files_that_are_no_text_are_refused(void **state)
{
    char *path = in_folder(*state, "text.txt");
    ebm_dataset *sentences = NULL;
    size_t budget = 100;
    assert_ok(ebm_dataset_create(NULL, &sentences));
    assert_fails(ebm_plain_text_add(path, 60, &budget, sentences), EBM_ERROR_INPUT, path);
    put_file(path, "One two \xFF three.", 16);
    assert_fails(ebm_plain_text_add(path, 60, &budget, sentences), EBM_ERROR_INPUT, "text.txt:1");
    put_file(path, "", 0);
    assert_fails(ebm_plain_text_add(path, 60, &budget, sentences), EBM_ERROR_INPUT, path);
    assert_int_equal(ebm_dataset_count(sentences), 0);
    assert_int_equal(budget, 100);
    ebm_dataset_free(sentences);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(sentences_end_before_a_blank),       in_own_folder(closing_marks_belong_to_the_sentence),
        in_own_folder(lines_join_to_paragraphs),           in_own_folder(short_ones_are_left_out),
        in_own_folder(long_ones_are_cut_at_a_blank),       in_own_folder(adding_stops_at_the_budget),
        in_own_folder(files_that_are_no_text_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
