// Figures as SVG within a page of html.h: axes with units, ticks, a legend below, and text alternatives. Series are
// told apart by colour, by dashes and by markers, so that neither colour-blind readers nor printers lose any.
//
//     const ebm_figure_series series[] = {{.name = "joint", .x = steps, .y = loss, .count = 40, .style = 0}};
//     ebm_figure_lines(page, &(ebm_figure){.title = "Loss", .x_label = "step", .y_label = "loss (nats)"}, series, 1);
//
// All is borrowed during the call. Numbers that are not finite are gaps; a figure without any point says so in words.
// Styles are 0, 1, 2, ...: give a method the same one in every figure.
#ifndef EBM_FIGURE_H
#define EBM_FIGURE_H

#include "html.h"
#include "reliability.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double low, high; // equal (zeroed): from the data
    bool logarithmic; // values of 0 or less are left out
} ebm_figure_axis;

typedef struct {
    const char *title;             // above it
    const char *description;       // the text alternative; NULL: the series' names, numbers and ranges
    const char *x_label, *y_label; // with units in brackets
    ebm_figure_axis x, y;
} ebm_figure;

typedef struct {
    const char *name;         // in the legend; NULL: not there
    const double *x, *y;      // count
    const double *low, *high; // of a band or of error bars at each x, or NULL
    size_t count;
    int style;
    bool markers;   // of lines, at each point
    bool reference; // a thin dotted grey line: what would be perfect, or chance
} ebm_figure_series;

void ebm_figure_lines(ebm_html *page, const ebm_figure *figure, const ebm_figure_series *series, size_t count);

// Points; of more than EBM_FIGURE_POINTS in a series every n-th is drawn, and the figure's description says so.
#define EBM_FIGURE_POINTS 1200
void ebm_figure_scatter(ebm_html *page, const ebm_figure *figure, const ebm_figure_series *series, size_t count);

typedef struct {
    const char *name;
    const double *value; // count
    size_t count;
    int style;
} ebm_figure_sample;

// Shares of each sample in bins (1 to 200) of equal width, common to all; a value that is not finite is not counted.
void ebm_figure_histogram(ebm_html *page, const ebm_figure *figure, const ebm_figure_sample *samples, size_t count,
                          int bins);

typedef struct {
    const char *name;
    double value, low, high; // low and high NaN: no interval
    int style;
} ebm_figure_bar;

// A bar from 0 for each, below one another with their names and values; x_label is the axis. figure->y is not read.
void ebm_figure_bars(ebm_html *page, const ebm_figure *figure, const ebm_figure_bar *bars, size_t count);

typedef struct {
    const char *name;
    const ebm_reliability_bin *bin; // bins, of ebm_reliability_measure
    const ebm_interval *bar;        // bins, of ebm_reliability_consistency; NULL: none
    int bins;
    int style;
} ebm_figure_reliability_method;

// Accuracy against confidence, with the bars of chance, and below it how many examples each bin has. Labels and axes
// of `figure` that are NULL or zeroed are the usual ones.
void ebm_figure_reliability(ebm_html *page, const ebm_figure *figure, const ebm_figure_reliability_method *methods,
                            size_t count);

#ifdef __cplusplus
}
#endif
#endif
