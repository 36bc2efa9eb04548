// Lines and points.
#include <math.h>

#include "figure_canvas.h"

#define HEIGHT 250.0

typedef struct {
    ebm_html *page;
    FILE *out;
    const ebm_figure *figure;
    ebm_axis x, y;
} drawing;

static bool is_drawable(const drawing *d, const ebm_figure_series *s, size_t i)
{
    return isfinite(s->x[i]) && isfinite(s->y[i]) && !(d->figure->x.logarithmic && s->x[i] <= 0) &&
           !(d->figure->y.logarithmic && s->y[i] <= 0);
}

// ---- text alternative

static void describe_series(const drawing *d, const ebm_figure_series *s, size_t index, size_t every)
{
    ebm_range range = {INFINITY, -INFINITY};
    size_t points = 0, last = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!is_drawable(d, s, i)) continue;
        ebm_range_add(&range, &d->figure->y, &s->y[i], 1);
        points++;
        last = i;
    }
    if (s->reference || points == 0) return;
    fputs(" ", d->out);
    if (s->name)
        ebm_html_text(d->out, s->name);
    else
        fprintf(d->out, "series %zu", index + 1);
    fprintf(d->out, ": %zu points", points);
    if (every > 1) fprintf(d->out, ", one of every %zu is drawn", every);
    fprintf(d->out, ", from %.4g to %.4g, last %.4g.", range.low, range.high, s->y[last]);
}

static size_t every_of(const ebm_figure_series *s) { return (s->count + EBM_FIGURE_POINTS - 1) / EBM_FIGURE_POINTS; }

static void describe(const drawing *d, const ebm_figure_series *series, size_t count, bool scatter)
{
    if (!d->figure->description) {
        ebm_html_text(d->out, d->figure->y_label);
        fputs(" against ", d->out);
        ebm_html_text(d->out, d->figure->x_label);
        fputs(".", d->out);
    }
    for (size_t i = 0; i < count; i++) describe_series(d, &series[i], i, scatter ? every_of(&series[i]) : 1);
    ebm_canvas_description_end(d->page);
}

// ---- the frame around both kinds

static bool begin(drawing *d, const ebm_figure_series *series, size_t count, bool scatter)
{
    ebm_range x = {INFINITY, -INFINITY}, y = {INFINITY, -INFINITY};
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < series[k].count; i++) {
            if (!is_drawable(d, &series[k], i)) continue;
            ebm_range_add(&x, &d->figure->x, &series[k].x[i], 1);
            ebm_range_add(&y, &d->figure->y, &series[k].y[i], 1);
            if (series[k].low) ebm_range_add(&y, &d->figure->y, &series[k].low[i], 1);
            if (series[k].high) ebm_range_add(&y, &d->figure->y, &series[k].high[i], 1);
        }
    const bool drawn = x.low <= x.high && y.low <= y.high;
    ebm_canvas_begin(d->page, d->figure, HEIGHT, drawn);
    if (!drawn) return false;
    describe(d, series, count, scatter);
    d->x = ebm_axis_make(&d->figure->x, x, 5, scatter);
    d->y = ebm_axis_make(&d->figure->y, y, 5, true);
    d->y.from = HEIGHT - 38;
    d->y.to = 8;
    ebm_canvas_place_x(&d->x, &d->y);
    ebm_canvas_axes(d->page, &d->x, &d->y, d->figure->x_label, d->figure->y_label);
    return true;
}

static bool any_point(const drawing *d, const ebm_figure_series *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (is_drawable(d, s, i)) return true;
    return false;
}

static bool any_name(const ebm_figure_series *series, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (series[i].name) return true;
    return false;
}

static void end(drawing *d, const ebm_figure_series *series, size_t count, ebm_legend kind)
{
    ebm_canvas_end_drawing(d->page);
    if (!any_name(series, count)) return;
    ebm_legend_begin(d->page);
    for (size_t i = 0; i < count; i++) {
        if (!any_point(d, &series[i])) continue;
        ebm_legend_item(d->page,
                        series[i].reference                            ? EBM_LEGEND_REFERENCE
                        : kind == EBM_LEGEND_LINE && series[i].markers ? EBM_LEGEND_MARKED_LINE
                                                                       : kind,
                        series[i].style, series[i].name);
    }
    ebm_legend_end(d->page);
}

// ---- lines

static double x_at(const drawing *d, const ebm_figure_series *s, size_t i) { return ebm_axis_at(&d->x, s->x[i]); }

static void put_point(const drawing *d, const ebm_figure_series *s, size_t i, bool *pen_down)
{
    fprintf(d->out, "%c%.1f %.1f", *pen_down ? 'L' : 'M', x_at(d, s, i), ebm_axis_at(&d->y, s->y[i]));
    *pen_down = true;
}

// Points in one column of pixels: the first, the lowest, the highest and the last show all that can be seen of them.
static size_t put_column(const drawing *d, const ebm_figure_series *s, size_t first, bool *pen_down)
{
    const double column = floor(x_at(d, s, first));
    size_t low = first, high = first, behind = first;
    while (behind < s->count && is_drawable(d, s, behind) && floor(x_at(d, s, behind)) == column) {
        if (s->y[behind] < s->y[low]) low = behind;
        if (s->y[behind] > s->y[high]) high = behind;
        behind++;
    }
    const size_t inner = low < high ? low : high, outer = low < high ? high : low, last = behind - 1;
    put_point(d, s, first, pen_down);
    if (inner != first) put_point(d, s, inner, pen_down);
    if (outer != inner && outer != first) put_point(d, s, outer, pen_down);
    if (last != first && last != inner && last != outer) put_point(d, s, last, pen_down);
    return behind;
}

static void put_line(const drawing *d, const ebm_figure_series *s)
{
    bool pen_down = false;
    fputs("<path ", d->out);
    if (s->reference)
        fputs("class=\"reference\"", d->out);
    else
        ebm_put_style(d->out, "curve", s->style, true);
    fputs(" d=\"", d->out);
    for (size_t i = 0; i < s->count;) {
        if (is_drawable(d, s, i)) {
            i = put_column(d, s, i, &pen_down);
        } else {
            pen_down = false;
            i++;
        }
    }
    fputs("\"/>\n", d->out);
    for (size_t i = 0; i < s->count && s->markers && !s->reference; i++)
        if (is_drawable(d, s, i))
            ebm_put_marker(d->out, "mark", s->style, x_at(d, s, i), ebm_axis_at(&d->y, s->y[i]), 3);
}

static bool has_band(const drawing *d, const ebm_figure_series *s, size_t i)
{
    return is_drawable(d, s, i) && isfinite(s->low[i]) && isfinite(s->high[i]) &&
           !(d->figure->y.logarithmic && s->low[i] <= 0);
}

// Along the upper edge and back along the lower one; gaps are closed over.
static void put_band(const drawing *d, const ebm_figure_series *s)
{
    char command = 'M';
    if (!s->low || !s->high || s->reference) return;
    fputs("<path ", d->out);
    ebm_put_style(d->out, "band", s->style, false);
    fputs(" d=\"", d->out);
    for (size_t i = 0; i < s->count; i++) {
        if (!has_band(d, s, i)) continue;
        fprintf(d->out, "%c%.1f %.1f", command, x_at(d, s, i), ebm_axis_at(&d->y, s->high[i]));
        command = 'L';
    }
    for (size_t i = s->count; i-- > 0;)
        if (has_band(d, s, i)) fprintf(d->out, "L%.1f %.1f", x_at(d, s, i), ebm_axis_at(&d->y, s->low[i]));
    fputs(command == 'L' ? "Z\"/>\n" : "\"/>\n", d->out);
}

void ebm_figure_lines(ebm_html *page, const ebm_figure *figure, const ebm_figure_series *series, size_t count)
{
    drawing d = {.page = page, .out = ebm_html_stream(page), .figure = figure};
    if (begin(&d, series, count, false)) {
        for (size_t i = 0; i < count; i++) put_band(&d, &series[i]);
        for (size_t i = 0; i < count; i++) put_line(&d, &series[i]);
        end(&d, series, count, EBM_LEGEND_LINE);
    }
    ebm_canvas_end(page);
}

// ---- points

void ebm_figure_scatter(ebm_html *page, const ebm_figure *figure, const ebm_figure_series *series, size_t count)
{
    drawing d = {.page = page, .out = ebm_html_stream(page), .figure = figure};
    if (begin(&d, series, count, true)) {
        for (size_t k = 0; k < count; k++) {
            const ebm_figure_series *s = &series[k];
            for (size_t i = 0; i < s->count; i += every_of(s))
                if (is_drawable(&d, s, i))
                    ebm_put_marker(d.out, "point", s->style, x_at(&d, s, i), ebm_axis_at(&d.y, s->y[i]), 2.2);
        }
        end(&d, series, count, EBM_LEGEND_POINT);
    }
    ebm_canvas_end(page);
}
