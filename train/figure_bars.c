// Histograms, and bars with intervals.
#include <math.h>
#include <stdlib.h>

#include "figure_canvas.h"

#define HEIGHT 250.0
#define BAR_ROW 32.0

// ---- histograms

// share[k * bins + b] of sample k in bin b.
static double *shares_of(const ebm_figure_sample *samples, size_t count, const ebm_axis *x, int bins)
{
    double *share = calloc(count * (size_t)bins, sizeof *share);
    for (size_t k = 0; share && k < count; k++) {
        double all = 0;
        for (size_t i = 0; i < samples[k].count; i++) {
            const double value = samples[k].value[i];
            if (!isfinite(value) || value < x->low || value > x->high) continue;
            const int bin = (int)((value - x->low) / (x->high - x->low) * bins);
            share[k * (size_t)bins + (size_t)(bin < bins ? bin : bins - 1)]++;
            all++;
        }
        for (int b = 0; b < bins && all > 0; b++) share[k * (size_t)bins + (size_t)b] /= all;
    }
    return share;
}

static void put_steps(FILE *out, const ebm_axis *x, const ebm_axis *y, const double *share, int bins, int style)
{
    const double width = (x->high - x->low) / bins;
    fputs("<path ", out);
    ebm_put_style(out, "column", style, true);
    fprintf(out, " d=\"M%.1f %.1f", x->from, ebm_axis_at(y, 0));
    for (int b = 0; b < bins; b++)
        fprintf(out, "V%.1fH%.1f", ebm_axis_at(y, share[b]), ebm_axis_at(x, x->low + width * (b + 1)));
    fprintf(out, "V%.1fZ\"/>\n", ebm_axis_at(y, 0));
}

static double mean_of(const ebm_figure_sample *s, size_t *count)
{
    double sum = 0;
    *count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!isfinite(s->value[i])) continue;
        sum += s->value[i];
        ++*count;
    }
    return sum / (double)*count;
}

static void describe_samples(FILE *out, const ebm_figure *figure, const ebm_figure_sample *samples, size_t count)
{
    if (!figure->description) {
        fputs("Histogram of ", out);
        ebm_html_text(out, figure->x_label);
        fputs(".", out);
    }
    for (size_t k = 0; k < count; k++) {
        size_t finite;
        const double mean = mean_of(&samples[k], &finite);
        if (!finite) continue;
        fputs(" ", out);
        ebm_html_text(out, samples[k].name ? samples[k].name : "values");
        fprintf(out, ": %zu values, mean %.4g.", finite, mean);
    }
}

static void draw_histogram(ebm_html *page, const ebm_figure *figure, const ebm_figure_sample *samples, size_t count,
                           ebm_axis *x, const double *share, int bins)
{
    ebm_range most = {0, 0};
    FILE *out = ebm_html_stream(page);
    ebm_range_add(&most, &(ebm_figure_axis){0}, share, count * (size_t)bins);
    ebm_axis y = ebm_axis_make(&figure->y, most, 4, true);
    y.from = HEIGHT - 38;
    y.to = 8;
    ebm_canvas_place_x(x, &y);
    ebm_canvas_axes(page, x, &y, figure->x_label, figure->y_label);
    for (size_t k = 0; k < count; k++)
        if (samples[k].count) put_steps(out, x, &y, share + k * (size_t)bins, bins, samples[k].style);
    ebm_canvas_end_drawing(page);
    ebm_legend_begin(page);
    for (size_t k = 0; k < count; k++)
        if (samples[k].count) ebm_legend_item(page, EBM_LEGEND_COLUMN, samples[k].style, samples[k].name);
    ebm_legend_end(page);
}

void ebm_figure_histogram(ebm_html *page, const ebm_figure *figure, const ebm_figure_sample *samples, size_t count,
                          int bins)
{
    const ebm_figure_axis linear = {figure->x.low, figure->x.high, false};
    ebm_range range = {INFINITY, -INFINITY};
    for (size_t k = 0; k < count; k++) ebm_range_add(&range, &linear, samples[k].value, samples[k].count);
    const bool drawn = range.low <= range.high;
    ebm_canvas_begin(page, figure, HEIGHT, drawn);
    if (drawn) {
        ebm_axis x = ebm_axis_make(&linear, range, 5, true);
        double *share = shares_of(samples, count, &x, bins);
        describe_samples(ebm_html_stream(page), figure, samples, count);
        ebm_canvas_description_end(page);
        if (share)
            draw_histogram(page, figure, samples, count, &x, share, bins);
        else
            ebm_canvas_end_drawing(page);
        free(share);
    }
    ebm_canvas_end(page);
}

// ---- bars

static void put_bar(FILE *out, const ebm_axis *x, const ebm_figure_bar *bar, double top)
{
    const double zero = ebm_axis_at(x, 0), end = ebm_axis_at(x, bar->value), middle = top + 21;
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">", x->from, top + 11);
    ebm_put_short(out, bar->name ? bar->name : "", 42);
    fprintf(out, "</text><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", x->to, top + 11, bar->value);
    fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"11\" ", fmin(zero, end), top + 15.5,
            fabs(end - zero));
    ebm_put_style(out, "column", bar->style, false);
    fputs("/>\n", out);
    if (!isfinite(bar->low) || !isfinite(bar->high)) return;
    const double low = ebm_axis_at(x, bar->low), high = ebm_axis_at(x, bar->high);
    fprintf(out, "<path class=\"error\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>\n", low, middle, high, low,
            middle - 4, high, middle - 4);
}

static void describe_bars(FILE *out, const ebm_figure *figure, const ebm_figure_bar *bars, size_t count)
{
    if (!figure->description) ebm_html_text(out, figure->x_label);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(bars[i].value)) continue;
        fputs(i ? "; " : ": ", out);
        ebm_html_text(out, bars[i].name ? bars[i].name : "a bar");
        fprintf(out, " %.4g", bars[i].value);
        if (isfinite(bars[i].low)) fprintf(out, " (%.4g to %.4g)", bars[i].low, bars[i].high);
    }
}

void ebm_figure_bars(ebm_html *page, const ebm_figure *figure, const ebm_figure_bar *bars, size_t count)
{
    const double height = 46 + BAR_ROW * (double)count;
    const ebm_figure_axis linear = {figure->x.low, figure->x.high, false};
    ebm_range range = {0, 0};
    bool drawn = false;
    for (size_t i = 0; i < count; i++) {
        const double ends[] = {bars[i].value, bars[i].low, bars[i].high};
        ebm_range_add(&range, &linear, ends, 3);
        drawn |= isfinite(bars[i].value);
    }
    ebm_canvas_begin(page, figure, height, drawn);
    if (drawn) {
        FILE *out = ebm_html_stream(page);
        describe_bars(out, figure, bars, count);
        ebm_canvas_description_end(page);
        ebm_axis x = ebm_axis_make(&linear, range, 5, true), y = {.from = height - 38, .to = 4};
        ebm_canvas_place_x(&x, &y);
        x.from = 12;
        ebm_canvas_axes(page, &x, &y, figure->x_label, NULL);
        for (size_t i = 0; i < count; i++)
            if (isfinite(bars[i].value)) put_bar(out, &x, &bars[i], 4 + BAR_ROW * (double)i);
        ebm_canvas_end_drawing(page);
    }
    ebm_canvas_end(page);
}
