// Reliability diagrams.
#include <math.h>
#include <string.h>

#include "figure_canvas.h"

#define HEIGHT 372.0
#define DIAGRAM_END 244.0 // y of the diagram's lower edge
#define COUNTS_TOP 262.0

typedef struct {
    ebm_html *page;
    FILE *out;
    ebm_axis x, y, counts;
} drawing;

static bool is_filled(const ebm_figure_reliability_method *m, int b) { return m->bin[b].count > 0; }

// Bars of several methods stand beside one another.
static double beside(size_t k, size_t count) { return 4 * ((double)k - ((double)count - 1) / 2); }

static void put_chance(const drawing *d, const ebm_figure_reliability_method *m, size_t k, size_t count)
{
    for (int b = 0; m->bar && b < m->bins; b++) {
        if (!is_filled(m, b) || !isfinite(m->bar[b].low)) continue;
        fprintf(d->out, "<path d=\"M%.1f %.1fV%.1f\" ", ebm_axis_at(&d->x, m->bin[b].confidence) + beside(k, count),
                ebm_axis_at(&d->y, m->bar[b].low), ebm_axis_at(&d->y, m->bar[b].high));
        ebm_put_style(d->out, "whisker", m->style, false);
        fputs("/>\n", d->out);
    }
}

static void put_curve(const drawing *d, const ebm_figure_reliability_method *m)
{
    char command = 'M';
    fputs("<path ", d->out);
    ebm_put_style(d->out, "curve", m->style, true);
    fputs(" d=\"", d->out);
    for (int b = 0; b < m->bins; b++) {
        if (!is_filled(m, b)) continue;
        fprintf(d->out, "%c%.1f %.1f", command, ebm_axis_at(&d->x, m->bin[b].confidence),
                ebm_axis_at(&d->y, m->bin[b].accuracy));
        command = 'L';
    }
    fputs("\"/>\n", d->out);
    for (int b = 0; b < m->bins; b++)
        if (is_filled(m, b))
            ebm_put_marker(d->out, "mark", m->style, ebm_axis_at(&d->x, m->bin[b].confidence),
                           ebm_axis_at(&d->y, m->bin[b].accuracy), 3.2);
}

// A bin's columns fill four fifths of its width together.
static void put_counts(const drawing *d, const ebm_figure_reliability_method *m, size_t k, size_t count)
{
    for (int b = 0; b < m->bins; b++) {
        if (!is_filled(m, b)) continue;
        const double from = ebm_axis_at(&d->x, m->bin[b].low), width = ebm_axis_at(&d->x, m->bin[b].high) - from;
        const double each = 0.8 * width / (double)count, top = ebm_axis_at(&d->counts, (double)m->bin[b].count);
        fprintf(d->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" ",
                from + 0.1 * width + each * (double)k, top, each, d->counts.from - top);
        ebm_put_style(d->out, "column", m->style, false);
        fputs("/>", d->out);
    }
    fputs("\n", d->out);
}

static void describe(FILE *out, const ebm_figure *figure, const ebm_figure_reliability_method *methods, size_t count)
{
    if (!figure->description)
        fputs("Accuracy against confidence; on the diagonal a model is right as often as it says.", out);
    for (size_t k = 0; k < count; k++) {
        fputs(" ", out);
        ebm_html_text(out, methods[k].name ? methods[k].name : "The model");
        fputs(":", out);
        for (int b = 0; b < methods[k].bins; b++) {
            const ebm_reliability_bin *bin = &methods[k].bin[b];
            if (bin->count)
                fprintf(out, " confidence %.3f, accuracy %.3f, %zu examples;", bin->confidence, bin->accuracy,
                        bin->count);
        }
    }
}

static size_t largest_count(const ebm_figure_reliability_method *methods, size_t count)
{
    size_t most = 0;
    for (size_t k = 0; k < count; k++)
        for (int b = 0; b < methods[k].bins; b++)
            if (methods[k].bin[b].count > most) most = methods[k].bin[b].count;
    return most;
}

static void draw_axes(drawing *d, const ebm_figure *figure, size_t most)
{
    const ebm_figure_axis unit = {0, 1, false}, any = {0};
    const ebm_figure_axis *x = figure->x.low < figure->x.high ? &figure->x : &unit;
    const ebm_figure_axis *y = figure->y.low < figure->y.high ? &figure->y : &unit;
    d->x = ebm_axis_make(x, (ebm_range){0, 1}, 5, false);
    d->y = ebm_axis_make(y, (ebm_range){0, 1}, 5, false);
    d->counts = ebm_axis_make(&any, (ebm_range){0, (double)most}, 2, true);
    d->y.from = DIAGRAM_END;
    d->y.to = 8;
    d->counts.from = HEIGHT - 38;
    d->counts.to = COUNTS_TOP;
    ebm_canvas_place_x(&d->x, strlen(d->counts.text[d->counts.ticks - 1]) > 3 ? &d->counts : &d->y);
    ebm_canvas_axes(d->page, &d->x, &d->y, NULL, figure->y_label ? figure->y_label : "accuracy");
    ebm_canvas_axes(d->page, &d->x, &d->counts, figure->x_label ? figure->x_label : "confidence (largest probability)",
                    "examples");
    const double low = fmax(x->low, y->low), high = fmin(x->high, y->high);
    fprintf(d->out, "<path class=\"reference\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", ebm_axis_at(&d->x, low),
            ebm_axis_at(&d->y, low), ebm_axis_at(&d->x, high), ebm_axis_at(&d->y, high));
}

static void put_legend(ebm_html *page, const ebm_figure_reliability_method *methods, size_t count)
{
    ebm_legend_begin(page);
    for (size_t k = 0; k < count; k++) ebm_legend_item(page, EBM_LEGEND_MARKED_LINE, methods[k].style, methods[k].name);
    ebm_legend_item(page, EBM_LEGEND_REFERENCE, 0, "right as often as it says");
    ebm_legend_end(page);
}

void ebm_figure_reliability(ebm_html *page, const ebm_figure *figure, const ebm_figure_reliability_method *methods,
                            size_t count)
{
    drawing d = {.page = page, .out = ebm_html_stream(page)};
    const size_t most = largest_count(methods, count);
    ebm_canvas_begin(page, figure, HEIGHT, most > 0);
    if (most > 0) {
        describe(d.out, figure, methods, count);
        ebm_canvas_description_end(page);
        draw_axes(&d, figure, most);
        for (size_t k = 0; k < count; k++) put_chance(&d, &methods[k], k, count);
        for (size_t k = 0; k < count; k++) put_curve(&d, &methods[k]);
        for (size_t k = 0; k < count; k++) put_counts(&d, &methods[k], k, count);
        ebm_canvas_end_drawing(page);
        put_legend(page, methods, count);
    }
    ebm_canvas_end(page);
}
