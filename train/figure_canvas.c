#include "figure_canvas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html_style.h"
#include "utf8.h"

// ---- axes

void ebm_range_add(ebm_range *range, const ebm_figure_axis *wanted, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i]) || (wanted->logarithmic && values[i] <= 0)) continue;
        range->low = fmin(range->low, values[i]);
        range->high = fmax(range->high, values[i]);
    }
}

// 1.50e-04 becomes 1.5e-4.
static void shorten_exponent(char text[24])
{
    char *exponent = strchr(text, 'e'), *end = exponent;
    if (!exponent) return;
    while (end > text && end[-1] == '0' && memchr(text, '.', (size_t)(end - text))) end--;
    if (end[-1] == '.') end--;
    const bool negative = exponent[1] == '-';
    const char *digits = exponent + 2 + (exponent[2] == '0');
    char tail[12];
    snprintf(tail, sizeof tail, "e%s%.8s", negative ? "-" : "", digits);
    memcpy(end, tail, strlen(tail) + 1);
}

static void put_number(char text[24], double value, double step)
{
    const int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
    if (fabs(value) < step * 1e-6) value = 0;
    if (value != 0 && (decimals > 3 || fabs(value) >= 1e5)) {
        snprintf(text, 24, "%.2e", value);
        shorten_exponent(text);
        return;
    }
    const bool quarter = step < 10 && fabs(step * pow(10, decimals) - round(step * pow(10, decimals))) > 1e-6;
    snprintf(text, 24, "%.*f", value == 0 && decimals > 3 ? 0 : decimals + quarter, value);
}

static double nice_step(double span, int about)
{
    static const double factors[] = {1, 2, 2.5, 5, 10};
    const double rough = span / about, power = pow(10, floor(log10(rough)));
    for (size_t i = 0; i < 4; i++)
        if (rough <= factors[i] * power * (1 + 1e-9)) return factors[i] * power;
    return 10 * power;
}

static void add_tick(ebm_axis *a, double value, double step)
{
    if (a->ticks == EBM_AXIS_TICKS) return;
    a->tick[a->ticks] = value;
    put_number(a->text[a->ticks++], value, step);
}

static void linear_ticks(ebm_axis *a, int about, bool whole)
{
    const double step = nice_step(a->high - a->low, about);
    if (whole) {
        a->low = floor(a->low / step + 1e-9) * step;
        a->high = ceil(a->high / step - 1e-9) * step;
    }
    for (double k = ceil(a->low / step - 1e-9); k * step <= a->high + 1e-9 * step; k++) add_tick(a, k * step, step);
}

// The next 1, 2 or 5 times a power of ten.
static double round_logarithmic(double value, bool up)
{
    static const double factors[] = {1, 2, 5, 10};
    const double power = pow(10, floor(log10(value) + 1e-9)), limit = 1e-9;
    for (size_t i = 0; i < 4; i++) {
        if (up && factors[i] * power >= value * (1 - limit)) return factors[i] * power;
        if (!up && factors[3 - i] * power <= value * (1 + limit)) return factors[3 - i] * power;
    }
    return value;
}

static void logarithmic_ticks(ebm_axis *a, bool whole)
{
    if (whole) {
        a->low = round_logarithmic(a->low, false);
        a->high = round_logarithmic(a->high, true);
    }
    const double first = floor(log10(a->low)), last = ceil(log10(a->high)), every = ceil((last - first) / 7);
    const double limit = 1 + 1e-9;
    for (double p = first; p <= last; p += fmax(every, 1)) {
        static const double factors[] = {1, 2, 5};
        for (size_t i = 0; i < (a->high < 150 * a->low ? 3 : 1); i++) {
            const double value = factors[i] * pow(10, p);
            if (value * limit >= a->low && value <= a->high * limit) add_tick(a, value, pow(10, p));
        }
    }
}

ebm_axis ebm_axis_make(const ebm_figure_axis *wanted, ebm_range data, int about, bool whole)
{
    const bool given = wanted->low < wanted->high;
    ebm_axis a = {.low = given ? wanted->low : data.low, .high = given ? wanted->high : data.high};
    a.logarithmic = wanted->logarithmic;
    if (!(a.low < a.high) && a.logarithmic) { // one value only
        a.low /= 2;
        a.high *= 2;
    } else if (!(a.high - a.low > 1e-12 * fmax(fabs(a.low), fabs(a.high)))) {
        const double half = a.low != 0 ? fabs(a.low) / 10 : 1;
        a.low -= half;
        a.high += half;
    }
    if (a.logarithmic)
        logarithmic_ticks(&a, whole && !given);
    else
        linear_ticks(&a, about, whole && !given);
    return a;
}

double ebm_axis_at(const ebm_axis *a, double value)
{
    if (!isfinite(value) || (a->logarithmic && value <= 0)) return (double)NAN;
    const double share =
        a->logarithmic ? log(value / a->low) / log(a->high / a->low) : (value - a->low) / (a->high - a->low);
    return a->from + fmin(fmax(share, 0), 1) * (a->to - a->from);
}

// ---- the frame

void ebm_canvas_begin(ebm_html *page, const ebm_figure *figure, double height, bool drawn)
{
    FILE *out = ebm_html_stream(page);
    fputs("<figure>\n<figcaption>", out);
    ebm_html_text(out, figure->title);
    fputs("</figcaption>\n", out);
    if (!drawn) {
        fputs("<p class=\"note\">Nothing to draw here.</p>\n", out);
        return;
    }
    const unsigned id = ebm_html_next_id(page);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" role=\"img\" "
            "aria-labelledby=\"t%u d%u\">\n<title id=\"t%u\">",
            EBM_CANVAS_WIDTH, height, id, id, id);
    ebm_html_text(out, figure->title);
    fprintf(out, "</title>\n<desc id=\"d%u\">", id);
    if (figure->description) ebm_html_text(out, figure->description);
}

void ebm_canvas_description_end(ebm_html *page) { fputs("</desc>\n", ebm_html_stream(page)); }

void ebm_canvas_place_x(ebm_axis *x, const ebm_axis *y)
{
    size_t widest = 0;
    for (int i = 0; i < y->ticks; i++)
        if (strlen(y->text[i]) > widest) widest = strlen(y->text[i]);
    const double last = x->ticks ? 3.7 * (double)strlen(x->text[x->ticks - 1]) : 0; // half of it stands out
    x->from = 26 + 7 * (double)widest;
    x->to = EBM_CANVAS_WIDTH - fmax(8, last);
}

static void put_y_axis(FILE *out, const ebm_axis *x, const ebm_axis *y, const char *label)
{
    for (int i = 0; i < y->ticks; i++) {
        const double at = ebm_axis_at(y, y->tick[i]);
        fprintf(out, "<path class=\"tick\" d=\"M%.1f %.1fH%.1f\"/>", x->from, at, x->to);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", x->from - 5, at + 4, y->text[i]);
    }
    if (!label) return;
    fprintf(out, "<text transform=\"translate(12 %.1f) rotate(-90)\" text-anchor=\"middle\">", (y->from + y->to) / 2);
    ebm_put_short(out, label, (size_t)fmax(8, fabs(y->from - y->to) / 5.4));
    fputs("</text>\n", out);
}

static void put_x_axis(FILE *out, const ebm_axis *x, const ebm_axis *y, const char *label)
{
    for (int i = 0; i < x->ticks; i++) {
        const double at = ebm_axis_at(x, x->tick[i]);
        fprintf(out, "<path class=\"tick\" d=\"M%.1f %.1fV%.1f\"/>", at, y->from, y->to);
        if (label)
            fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", at, y->from + 17,
                    x->text[i]);
    }
    if (!label) return;
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", (x->from + x->to) / 2, y->from + 33);
    ebm_put_short(out, label, (size_t)((x->to - x->from) / 5.4));
    fputs("</text>\n", out);
}

void ebm_canvas_axes(ebm_html *page, const ebm_axis *x, const ebm_axis *y, const char *x_label, const char *y_label)
{
    FILE *out = ebm_html_stream(page);
    put_y_axis(out, x, y, y_label);
    put_x_axis(out, x, y, x_label);
    fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", x->from, y->to, y->from, x->to);
}

void ebm_canvas_end_drawing(ebm_html *page) { fputs("</svg>\n", ebm_html_stream(page)); }
void ebm_canvas_end(ebm_html *page) { fputs("</figure>\n", ebm_html_stream(page)); }

// ---- styles

static unsigned place_of(int style, unsigned count) { return (unsigned)style % count; }

void ebm_put_style(FILE *out, const char *kind, int style, bool dashed)
{
    static const char *const dashes[] = {"", "7 3", "2 2.5", "10 3 2 3", "5 2 1 2 1 2", "14 4"};
    const char *dash = dashes[place_of(style, sizeof dashes / sizeof *dashes)];
    fprintf(out, "class=\"c%u %s\"", place_of(style, EBM_HTML_COLOURS), kind);
    if (dashed && *dash) fprintf(out, " stroke-dasharray=\"%s\"", dash);
}

void ebm_put_marker(FILE *out, const char *kind, int style, double x, double y, double size)
{
    // Relative paths, of size 1: a circle, a square, triangles, a diamond and a bar across.
    static const char *const shapes[] = {"",
                                         "m-.9-.9h1.8v1.8h-1.8z",
                                         "m0-1.15l1.1 1.95h-2.2z",
                                         "m0-1.25l1.25 1.25-1.25 1.25-1.25-1.25z",
                                         "m0 1.15l1.1-1.95h-2.2z",
                                         "m-1.3-.5h2.6v1h-2.6z"};
    const char *shape = shapes[place_of(style, sizeof shapes / sizeof *shapes)];
    if (*shape)
        fprintf(out,
                "<path transform=\"translate(%.1f %.1f) scale(%g)\" vector-effect=\"non-scaling-stroke\" d=\"M0 0%s\" ",
                x, y, size, shape);
    else
        fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" ", x, y, size);
    ebm_put_style(out, kind, style, false);
    fputs("/>\n", out);
}

void ebm_put_short(FILE *out, const char *text, size_t most)
{
    const size_t bytes = strlen(text);
    size_t end = 0, cut = 0, characters = 0, bad = 0; // cut: where one character less ends
    while (end < bytes && characters < most) {
        cut = end;
        end += ebm_utf8_character(text + end, bytes - end, &bad) > 0
                   ? (size_t)ebm_utf8_character(text + end, bytes - end, &bad)
                   : bad;
        characters++;
    }
    char *part = end < bytes ? strndup(text, cut) : NULL;
    ebm_html_text(out, part ? part : text);
    if (part) fputs("\xE2\x80\xA6", out);
    free(part);
}

// ---- legends

void ebm_legend_begin(ebm_html *page) { fputs("<ul class=\"legend\">", ebm_html_stream(page)); }
void ebm_legend_end(ebm_html *page) { fputs("</ul>\n", ebm_html_stream(page)); }

void ebm_legend_item(ebm_html *page, ebm_legend kind, int style, const char *name)
{
    FILE *out = ebm_html_stream(page);
    if (!name) return;
    fputs("<li><svg viewBox=\"0 0 34 12\" aria-hidden=\"true\">", out);
    if (kind == EBM_LEGEND_COLUMN) {
        fputs("<rect x=\"5\" y=\"1\" width=\"24\" height=\"10\" ", out);
        ebm_put_style(out, "column", style, true);
        fputs("/>", out);
    } else if (kind == EBM_LEGEND_REFERENCE) {
        fputs("<path class=\"reference\" d=\"M1 6H33\"/>", out);
    } else if (kind != EBM_LEGEND_POINT) {
        fputs("<path d=\"M1 6H33\" ", out);
        ebm_put_style(out, "curve", style, true);
        fputs("/>", out);
    }
    if (kind == EBM_LEGEND_POINT || kind == EBM_LEGEND_MARKED_LINE)
        ebm_put_marker(out, kind == EBM_LEGEND_POINT ? "point" : "mark", style, 17, 6, 3.2);
    fputs("</svg><span>", out);
    ebm_html_text(out, name);
    fputs("</span></li>", out);
}
