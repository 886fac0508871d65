/* Charts as SVG: text stays text, sizes follow the page, colours follow its classes. A chart that
 * stands alone brings its own style. */
#ifndef VRS_PROFILE_SVG_H
#define VRS_PROFILE_SVG_H

#include "profile/buffer.h"

/* Style of the classes that charts use, also of a page that holds some. */
extern const char vrs_svg_style[];

#define VRS_SVG_LINES 6

/* One line of a chart: `count` values at even steps of x, NAN where there is none. */
typedef struct vrs_svg_line {
    const char *name; /* "": the chart has one line, which its title names */
    const double *values;
} vrs_svg_line;

typedef struct vrs_svg_chart {
    const char *title, *unit; /* of y */
    const char *x_unit;
    double x_begin, x_end;
    double least_top; /* y goes at least so far; 0: as the values do */
    const vrs_svg_line *lines;
    int32_t line_count, count;
} vrs_svg_chart;

void vrs_svg_lines(vrs_buffer *out, const vrs_svg_chart *chart, bool alone);

/* Bars beside each other; `edges` has count + 1 numbers, which stand below the bars at a regular
 * distance. */
typedef struct vrs_svg_histogram {
    const char *title, *unit, *x_unit;
    const double *edges;
    const double *heights;
    int32_t count;
    struct {
        const char *name;
        double x;
    } marks[4]; /* vertical lines, a NULL name ends them */
} vrs_svg_histogram;

void vrs_svg_bars(vrs_buffer *out, const vrs_svg_histogram *histogram, bool alone);

/* Boxes in named rows over time. */
typedef struct vrs_svg_box {
    int32_t row;
    double begin, end; /* ms */
    int64_t number;    /* chooses the colour, and stands in the box's tip, if that has no name */
    const char *tip;   /* its name, or NULL */
} vrs_svg_box;

typedef struct vrs_svg_rows {
    const char *title;
    const char *const *names; /* of rows; "" continues the row above */
    int32_t row_count;
    double begin, end; /* ms */
    const vrs_svg_box *boxes;
    int32_t box_count;
} vrs_svg_rows;

void vrs_svg_gantt(vrs_buffer *out, const vrs_svg_rows *rows, bool alone);

#endif
