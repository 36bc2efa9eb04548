// Pages and figures: whatever the text and the numbers are, the page is well-formed, refers to nothing outside, and
// what is drawn lies where its numbers say.
#include <math.h>

#include "figure.h"
#include "folder.h"
#include "markup.h"
#include "predictions.h"

#define NASTY "</title></style><script>alert(1)</script>&amp;\"'\xFF\x01<img src=x onerror=y>"

static ebm_html *new_page(void)
{
    ebm_html *page = NULL;
    assert_ok(ebm_html_create(NASTY, &page));
    return page;
}

// The page's text, checked; frees the page.
static char *text_of_page(ebm_html *page)
{
    char *text = NULL;
    assert_ok(ebm_html_bytes(page, &text));
    assert_page(text);
    ebm_html_free(page);
    return text;
}

static void assert_has(const char *page, const char *part)
{
    if (!strstr(page, part)) fail_msg("\"%s\" is not in the page:\n%s", part, strstr(page, "<main>"));
}

static void text_is_escaped(void **state)
{
    ebm_html *page = new_page();
    ebm_html_heading(page, 2, NASTY);
    ebm_html_paragraph(page, "%s, %d", NASTY, 3);
    ebm_html_note(page, "100 %% of %s", "a\nb\xC3\xBC");
    char *text = text_of_page(page);
    assert_has(text, "<h2>&lt;/title&gt;&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&quot;&#39;\xEF\xBF"
                     "\xBD\xEF\xBF\xBD&lt;img src=x onerror=y&gt;</h2>");
    assert_has(text, "<p class=\"note\">100 % of a\nb\xC3\xBC</p>");
    assert_int_equal(count_parts(text, "alert(1)"), 4);
    free(text);
}

static void tables_have_heads_and_marks(void **state)
{
    ebm_html *page = new_page();
    ebm_html_table_begin(page, NASTY, (const char *const[]){NASTY, "accuracy"}, 2);
    ebm_html_row(page, NASTY);
    ebm_html_cell(page, true, NASTY, "%.3f", 0.1234);
    ebm_html_row(page, "b");
    ebm_html_cell(page, false, NULL, "%s", NASTY);
    ebm_html_row(page, "c");
    ebm_html_text_cell(page, NASTY);
    ebm_html_table_end(page);
    ebm_html_table_begin(page, NULL, (const char *const[]){"empty"}, 1);
    ebm_html_table_end(page);
    char *text = text_of_page(page);
    assert_has(text, "<th scope=\"col\">accuracy</th>");
    assert_has(text, "<td class=\"best\"><b>0.123</b><small>");
    assert_int_equal(count_parts(text, "<tr>"), 5);
    assert_int_equal(count_parts(text, "<th scope=\"row\">"), 3);
    free(text);
}

static void a_page_appears_whole(void **state)
{
    char *path = in_folder(*state, "page.html"), *missing = in_folder(*state, "missing/page.html"), *text = NULL;
    ebm_html *page = new_page();
    assert_fails(ebm_html_save(page, missing), EBM_ERROR_INPUT, "missing");
    assert_ok(ebm_html_save(page, path));
    ebm_html_paragraph(page, "more");
    assert_ok(ebm_html_save(page, path));
    assert_ok(ebm_file_read(path, 1 << 20, &text, NULL));
    assert_page(text);
    assert_has(text, "<p>more</p>\n</main>\n</body>\n</html>\n");
    assert_int_equal(entries_of(*state), 1);
    ebm_html_free(page);
    ebm_html_free(NULL);
    free(text);
    free(path);
    free(missing);
}

// ---- lines and points

static char *lines(const ebm_figure *figure, const ebm_figure_series *series, size_t count)
{
    ebm_html *page = new_page();
    ebm_figure_lines(page, figure, series, count);
    return text_of_page(page);
}

static void a_line_goes_through_its_points(void **state)
{
    const double x[] = {0, 50, 100}, y[] = {1, 3, 2}, low[] = {0.5, 2, 1}, high[] = {1.5, 4, 3};
    const ebm_figure figure = {.title = NASTY, .x_label = "step", .y_label = "loss (nats)"};
    const ebm_figure_series series = {
        .name = NASTY, .x = x, .y = y, .low = low, .high = high, .count = 3, .style = 1, .markers = true};
    char *text = lines(&figure, &series, 1);
    // y from 0 to 4 over 8 to 212, x from 33 on to the right edge less half of "100".
    assert_has(text, " d=\"M33.0 161.0L190.9 59.0L348.9 110.0\"");
    assert_has(text, "M33.0 135.5L190.9 8.0L348.9 59.0L348.9 161.0L190.9 110.0L33.0 186.5Z"); // the band
    assert_has(text, "3 points, from 1 to 3, last 2.");
    assert_has(text, ">loss (nats)</text>");
    assert_has(text, "stroke-dasharray=\"7 3\"");
    assert_int_equal(count_parts(text, "<path transform=\"translate("), 4); // three markers and the legend's
    free(text);
}

static void gaps_and_odd_numbers_are_left_out(void **state)
{
    const double x[] = {1, 2, 3, 4, 5}, y[] = {1, NAN, 1, INFINITY, 2}, none[] = {NAN, NAN, NAN, NAN, NAN};
    const ebm_figure figure = {.title = "t", .x_label = "x", .y_label = "y"};
    ebm_figure_series series = {.x = x, .y = y, .count = 5};
    char *text = lines(&figure, &series, 1);
    assert_int_equal(count_parts(text, "<path class=\"c0 curve\""), 1);
    const char *path = strstr(text, "class=\"c0 curve\" d=\"");
    size_t moves = 0;
    for (path = strchr(path, '"') + 1, path = strstr(path, "d=\"") + 3; *path != '"'; path++) moves += *path == 'M';
    assert_int_equal(moves, 3);
    assert_int_equal(count_parts(text, "legend\""), 0); // nothing has a name
    free(text);
    series.y = none;
    text = lines(&figure, &series, 1);
    assert_has(text, "Nothing to draw here.");
    assert_int_equal(count_parts(text, "<svg"), 0);
    free(text);
    text = lines(&figure, NULL, 0);
    assert_has(text, "Nothing to draw here.");
    free(text);
}

static void check_ticks(ebm_figure_axis axis, double low, double high, const char *const *ticks)
{
    const double x[] = {low, high}, y[] = {0, 1};
    const ebm_figure figure = {.title = "t", .x_label = "x", .y_label = "y", .x = axis, .y = {0, 1, false}};
    const ebm_figure_series series = {.x = x, .y = y, .count = 2};
    char *text = lines(&figure, &series, 1);
    size_t count = 0;
    for (; ticks[count]; count++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, " text-anchor=\"middle\">%s</text>", ticks[count]);
        assert_has(text, wanted);
    }
    assert_int_equal(count_parts(text, " text-anchor=\"middle\">"), count + 2); // and two labels
    free(text);
}
#define TICKS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void ticks_are_round_numbers(void **state)
{
    check_ticks((ebm_figure_axis){0}, 0, 2144, TICKS("0", "500", "1000", "1500", "2000"));
    check_ticks((ebm_figure_axis){0}, -1.2, 1.1, TICKS("-1.0", "-0.5", "0.0", "0.5", "1.0"));
    check_ticks((ebm_figure_axis){0}, 0, 1e-4, TICKS("0", "2e-5", "4e-5", "6e-5", "8e-5", "1e-4"));
    check_ticks((ebm_figure_axis){0}, 7, 7, TICKS("6.5", "7.0", "7.5"));
    check_ticks((ebm_figure_axis){0}, 0, 0, TICKS("-1.0", "-0.5", "0.0", "0.5", "1.0"));
    check_ticks((ebm_figure_axis){0}, 0, 3e-4, TICKS("0", "1e-4", "2e-4", "3e-4"));
    check_ticks((ebm_figure_axis){0}, 0, 2e-4, TICKS("0", "5e-5", "1e-4", "1.5e-4", "2e-4"));
    check_ticks((ebm_figure_axis){0}, 0, 1e6, TICKS("0", "2e5", "4e5", "6e5", "8e5", "1e6"));
    check_ticks((ebm_figure_axis){0, 0, true}, 1, 1e4, TICKS("1", "10", "100", "1000", "10000"));
    check_ticks((ebm_figure_axis){0, 0, true}, 0.3, 30, TICKS("0.5", "1", "2", "5", "10", "20"));
    check_ticks((ebm_figure_axis){0, 1, false}, 0.4, 0.5, TICKS("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
}

static void many_points_are_thinned(void **state)
{
    enum { MANY = 50000 };
    double *x = malloc(MANY * sizeof *x), *y = malloc(MANY * sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    for (size_t i = 0; i < MANY; i++) {
        x[i] = (double)i;
        y[i] = sin((double)i) + (i == 31234 ? 9 : 0); // a spike that must stay
    }
    const ebm_figure figure = {.title = "t", .x_label = "x", .y_label = "y"};
    const ebm_figure_series series = {.x = x, .y = y, .count = MANY};
    char *text = lines(&figure, &series, 1);
    assert_true(strlen(text) < 40000);
    assert_has(text, " to 9."); // of the spike
    assert_has(text, "50000 points");
    free(text);
    ebm_html *page = new_page();
    ebm_figure_scatter(page, &figure, &series, 1);
    text = text_of_page(page);
    assert_has(text, "one of every 42 is drawn");
    assert_int_equal(count_parts(text, "<circle"), (MANY + 41) / 42);
    free(text);
    free(x);
    free(y);
}

// ---- bars

static void histograms_show_shares(void **state)
{
    const double a[] = {0.5, 0.5, 1.5, 3.9, NAN}, b[] = {4};
    const ebm_figure_sample samples[] = {{"a", a, 5, 0}, {NASTY, b, 1, 1}, {"none", b, 0, 2}};
    const ebm_figure figure = {.title = "t", .x_label = "energy (nats)", .y_label = "share", .x = {0, 4, false}};
    ebm_html *page = new_page();
    ebm_figure_histogram(page, &figure, samples, 3, 4);
    char *text = text_of_page(page);
    assert_has(text, "a: 4 values, mean 1.6.");
    // Shares 1/2, 1/4, 0, 1/4 of y from 0 to 1 over 204; and 1 in the last bin.
    assert_has(text, "V110.0H");
    assert_has(text, "V161.0H");
    assert_has(text, "V8.0H");
    assert_int_equal(count_parts(text, ">none<"), 0);
    assert_int_equal(count_parts(text, "<li>"), 2);
    free(text);
}

static void bars_have_intervals(void **state)
{
    const ebm_figure_bar bars[] = {{"one", 0.2, 0.1, 0.3, 0}, {NASTY, -0.1, NAN, NAN, 1}, {"gap", NAN, NAN, NAN, 2}};
    const ebm_figure figure = {.title = "t", .x_label = "ECE"};
    ebm_html *page = new_page();
    ebm_figure_bars(page, &figure, bars, 3);
    ebm_figure_bars(page, &figure, bars + 2, 1);
    char *text = text_of_page(page);
    assert_int_equal(count_parts(text, "<rect"), 2);
    assert_int_equal(count_parts(text, "class=\"error\""), 1);
    assert_has(text, "one 0.2 (0.1 to 0.3)");
    assert_has(text, "Nothing to draw here.");
    free(text);
}

// ---- reliability

static void a_diagram_shows_its_bins(void **state)
{
    enum { BINS = 10 };
    test_predictions p = random_predictions(400, 3, 2, 2, 5);
    ebm_reliability_bin bin[BINS];
    ebm_interval bar[BINS];
    size_t filled = 0;
    assert_ok(ebm_reliability_measure(&p.rows, 1, BINS, bin));
    assert_ok(ebm_reliability_consistency(&p.rows, 1, BINS, 20, 0, bar));
    for (int b = 0; b < BINS; b++) filled += bin[b].count > 0;
    const ebm_figure_reliability_method methods[] = {{"raw", bin, bar, BINS, 0}, {NASTY, bin, NULL, BINS, 1}};
    ebm_html *page = new_page();
    ebm_html_grid_begin(page);
    ebm_figure_reliability(page, &(ebm_figure){.title = "Reliability"}, methods, 2);
    ebm_html_grid_end(page);
    char *text = text_of_page(page), part[120];
    assert_int_equal(count_parts(text, "class=\"c0 whisker\""), filled);
    assert_int_equal(count_parts(text, "class=\"c0 mark\""), filled + 1); // and the legend's
    assert_int_equal(count_parts(text, "<rect"), 2 * filled);
    for (int b = 0; b < BINS; b++) {
        snprintf(part, sizeof part, " confidence %.3f, accuracy %.3f, %zu examples;", bin[b].confidence,
                 bin[b].accuracy, bin[b].count);
        if (bin[b].count) assert_has(text, part);
    }
    free(text);
    free_predictions(&p);
}

static void a_diagram_without_examples_says_so(void **state)
{
    const ebm_reliability_bin none[2] = {{0, 0.5, 0, 0, 0}, {0.5, 1, 0, 0, 0}};
    const ebm_figure_reliability_method method = {"none", none, NULL, 2, 0};
    ebm_html *page = new_page();
    ebm_figure_reliability(page, &(ebm_figure){.title = "Reliability"}, &method, 1);
    char *text = text_of_page(page);
    assert_has(text, "Nothing to draw here.");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(tables_have_heads_and_marks),
        in_own_folder(a_page_appears_whole),
        cmocka_unit_test(a_line_goes_through_its_points),
        cmocka_unit_test(gaps_and_odd_numbers_are_left_out),
        cmocka_unit_test(ticks_are_round_numbers),
        cmocka_unit_test(many_points_are_thinned),
        cmocka_unit_test(histograms_show_shares),
        cmocka_unit_test(bars_have_intervals),
        cmocka_unit_test(a_diagram_shows_its_bins),
        cmocka_unit_test(a_diagram_without_examples_says_so),
    };
    return cmocka_run_group_tests_name("figure", tests, NULL, NULL);
}
