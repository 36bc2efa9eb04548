// Internal. What the figures share: axes with ticks, the frame around a drawing, markers, legends.
#ifndef EBM_FIGURE_CANVAS_H
#define EBM_FIGURE_CANVAS_H

#include "figure.h"

#define EBM_CANVAS_WIDTH 360.0 // of the drawing; it is scaled to the place there is

enum { EBM_AXIS_TICKS = 16 };

typedef struct {
    double low, high; // of values
    double from, to;  // in the drawing, at low and at high
    bool logarithmic;
    int ticks;
    double tick[EBM_AXIS_TICKS];
    char text[EBM_AXIS_TICKS][24];
} ebm_axis;

// The range of the values on an axis, of many calls of ebm_range_add from {INFINITY, -INFINITY} on.
typedef struct {
    double low, high;
} ebm_range;
void ebm_range_add(ebm_range *range, const ebm_figure_axis *wanted, const double *values, size_t count);

// Ticks at 1, 2, 2.5 or 5 times a power of ten, about so many. `whole` widens a range from data to the ticks around it.
ebm_axis ebm_axis_make(const ebm_figure_axis *wanted, ebm_range data, int about, bool whole);
double ebm_axis_at(const ebm_axis *axis, double value); // in the drawing; NaN for what cannot be there

// <figure> with the title and, when `drawn`, the drawing's start up to the text alternative, which the caller writes to
// the stream. Otherwise a sentence that there is nothing to draw, and no drawing.
void ebm_canvas_begin(ebm_html *page, const ebm_figure *figure, double height, bool drawn);
void ebm_canvas_description_end(ebm_html *page);
// The axes, between which the drawing lies. y is placed by the caller, x from the room that y's numbers leave. No
// x_label: no numbers either.
void ebm_canvas_place_x(ebm_axis *x, const ebm_axis *y);
void ebm_canvas_axes(ebm_html *page, const ebm_axis *x, const ebm_axis *y, const char *x_label, const char *y_label);
void ebm_canvas_end_drawing(ebm_html *page);
void ebm_canvas_end(ebm_html *page);

// Below a drawing. A name may be NULL: nothing is said of it.
typedef enum {
    EBM_LEGEND_LINE,
    EBM_LEGEND_MARKED_LINE,
    EBM_LEGEND_POINT,
    EBM_LEGEND_COLUMN,
    EBM_LEGEND_REFERENCE
} ebm_legend;
void ebm_legend_begin(ebm_html *page);
void ebm_legend_item(ebm_html *page, ebm_legend kind, int style, const char *name);
void ebm_legend_end(ebm_html *page);

// class="..." of a style, with its dashes where dashed.
void ebm_put_style(FILE *out, const char *kind, int style, bool dashed);
void ebm_put_marker(FILE *out, const char *kind, int style, double x, double y, double size);
void ebm_put_short(FILE *out, const char *text, size_t most); // at most so many characters, the last one then "..."

#endif
