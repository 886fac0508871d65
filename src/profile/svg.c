#include "profile/svg.h"

#include <inttypes.h>
#include <math.h>

#define WIDTH 480.0
#define HEIGHT 230.0
#define LEFT 50.0
#define RIGHT 14.0
#define TOP 44.0
#define BOTTOM 34.0

#define GANTT_WIDTH 1000.0
#define GANTT_LEFT 96.0
#define ROW 18.0

const char vrs_svg_style[] =
    "svg text{font:11px system-ui,sans-serif;fill:var(--text,#1c2530)}"
    "svg .title{font-size:13px;font-weight:600}svg .dim{fill:var(--dim,#5c6773)}"
    "svg .grid{stroke:var(--grid,#dde3ea);stroke-width:1}"
    "svg .halo{fill:var(--dim,#5c6773);paint-order:stroke;stroke:var(--card,#fff);stroke-width:3px}"
    "svg .mark{stroke:var(--dim,#5c6773);stroke-width:1;stroke-dasharray:3 3}"
    "svg .line{fill:none;stroke-width:1.8;stroke-linejoin:round}"
    "svg .c0{stroke:#2f6fdb}svg .c1{stroke:#d9730d}svg .c2{stroke:#1f9d63}"
    "svg .c3{stroke:#8a4fd0}svg .c4{stroke:#d03a3a}svg .c5{stroke:#0f8b9d}"
    "svg .f0{fill:#2f6fdb}svg .f1{fill:#d9730d}svg .f2{fill:#1f9d63}"
    "svg .f3{fill:#8a4fd0}svg .f4{fill:#d03a3a}svg .f5{fill:#0f8b9d}";

typedef struct scale {
    double begin, end, step;
    int decimals;
} scale;

/* Most steps of an axis. */
#define STEPS 24

/* Steps of 1, 2 or 5 times a power of ten, about `count` of them, from 0 or `begin` on. */
static scale nice(double begin, double end, int count)
{
    scale s = {.begin = begin, .end = end > begin ? end : begin + 1};
    double raw = (s.end - s.begin) / count;
    double power = pow(10, floor(log10(raw)));
    double ratio = raw / power;
    s.step = power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
    s.decimals = (int)fmin(6, fmax(0, ceil(-log10(s.step) - 1e-9)));
    return s;
}

/* Step number `i` of an axis, and whether it is still on it. */
static double step_of(const scale *s, int i)
{
    return (ceil(s->begin / s->step) + i) * s->step;
}

static bool is_on(const scale *s, int i)
{
    return step_of(s, i) <= s->end + s->step * 1e-6;
}

static void open_svg(vrs_buffer *out, const char *title, double width, double height, bool alone)
{
    vrs_buffer_format(out,
                      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                      "role=\"img\" aria-label=\"",
                      (int)width, (int)height);
    vrs_buffer_html(out, title);
    vrs_buffer_add(out, "\">");
    if (alone) {
        vrs_buffer_add(out, "<style>");
        vrs_buffer_add(out, vrs_svg_style);
        vrs_buffer_format(out, "</style><rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>",
                          (int)width, (int)height);
    }
}

/* `anchor`: "start", "middle" or "end". */
static void open_text(vrs_buffer *out, double x, double y, const char *class_name,
                      const char *anchor)
{
    vrs_buffer_format(out, "<text class=\"%s\" text-anchor=\"%s\" x=\"", class_name, anchor);
    vrs_buffer_number(out, x, 1);
    vrs_buffer_add(out, "\" y=\"");
    vrs_buffer_number(out, y, 1);
    vrs_buffer_add(out, "\">");
}

static void text(vrs_buffer *out, double x, double y, const char *class_name, const char *anchor,
                 const char *words)
{
    open_text(out, x, y, class_name, anchor);
    vrs_buffer_html(out, words);
    vrs_buffer_add(out, "</text>");
}

static void number(vrs_buffer *out, double x, double y, const char *anchor, double value,
                   int decimals)
{
    open_text(out, x, y, "dim", anchor);
    vrs_buffer_number(out, value, decimals);
    vrs_buffer_add(out, "</text>");
}

static void attribute(vrs_buffer *out, const char *name, double value)
{
    vrs_buffer_format(out, " %s=\"", name);
    vrs_buffer_number(out, value, 2);
    vrs_buffer_add(out, "\"");
}

static void straight(vrs_buffer *out, const char *class_name, double x1, double y1, double x2,
                     double y2)
{
    vrs_buffer_format(out, "<line class=\"%s\"", class_name);
    attribute(out, "x1", x1);
    attribute(out, "y1", y1);
    attribute(out, "x2", x2);
    attribute(out, "y2", y2);
    vrs_buffer_add(out, "/>");
}

static double place(double value, const scale *s, double from, double to)
{
    return from + (value - s->begin) / (s->end - s->begin) * (to - from);
}

/* Lines across with their numbers, from the bottom up to at least the scale's end, which moves to
 * the last of them. */
static void y_axis(vrs_buffer *out, scale *y, const char *unit)
{
    y->end = y->step * ceil(y->end / y->step - 1e-9);
    for (int i = 0; i < STEPS && is_on(y, i); i++) {
        double at = place(step_of(y, i), y, HEIGHT - BOTTOM, TOP);
        straight(out, "grid", LEFT, at, WIDTH - RIGHT, at);
        number(out, LEFT - 6, at + 4, "end", step_of(y, i), y->decimals);
    }
    text(out, LEFT, TOP - 8, "dim", "start", unit);
}

static void x_axis(vrs_buffer *out, const scale *x, const char *unit)
{
    for (int i = 0; i < STEPS && is_on(x, i); i++)
        number(out, place(step_of(x, i), x, LEFT, WIDTH - RIGHT), HEIGHT - BOTTOM + 15, "middle",
               step_of(x, i), x->decimals);
    text(out, WIDTH - RIGHT, HEIGHT - 4, "dim", "end", unit);
}

static void legend(vrs_buffer *out, const vrs_svg_chart *chart)
{
    double x = WIDTH - RIGHT;
    for (int32_t i = chart->line_count - 1; i >= 0 && chart->line_count > 1; i--) {
        char class_name[8] = {'f', (char)('0' + i % 6), 0};
        size_t length = 0;
        text(out, x, TOP - 8, class_name, "end", chart->lines[i].name);
        while (chart->lines[i].name[length] != 0)
            length++;
        x -= 6.2 * (double)length + 12;
    }
}

static void draw_line(vrs_buffer *out, const vrs_svg_chart *chart, int32_t index, const scale *x,
                      const scale *y)
{
    const double *values = chart->lines[index].values;
    double step = chart->count > 0 ? (chart->x_end - chart->x_begin) / chart->count : 0;
    bool down = false;
    vrs_buffer_format(out, "<path class=\"line c%d\" d=\"", index % 6);
    for (int32_t i = 0; i < chart->count; i++) {
        if (!isfinite(values[i])) {
            down = false;
            continue;
        }
        /* A point alone shows as a dash of its bin's width. */
        double at = chart->x_begin + step * i;
        double level = place(values[i], y, HEIGHT - BOTTOM, TOP);
        vrs_buffer_add(out, down ? "L" : "M");
        vrs_buffer_number(out, place(down ? at + step / 2 : at, x, LEFT, WIDTH - RIGHT), 1);
        vrs_buffer_add(out, " ");
        vrs_buffer_number(out, level, 1);
        if (i + 1 == chart->count || !isfinite(values[i + 1])) {
            vrs_buffer_add(out, "L");
            vrs_buffer_number(out, place(at + step, x, LEFT, WIDTH - RIGHT), 1);
            vrs_buffer_add(out, " ");
            vrs_buffer_number(out, level, 1);
        }
        down = true;
    }
    vrs_buffer_add(out, "\"/>");
}

void vrs_svg_lines(vrs_buffer *out, const vrs_svg_chart *chart, bool alone)
{
    double top = chart->least_top;
    for (int32_t l = 0; l < chart->line_count; l++)
        for (int32_t i = 0; i < chart->count; i++)
            if (isfinite(chart->lines[l].values[i]))
                top = fmax(top, chart->lines[l].values[i]);
    scale y = nice(0, top > 0 && top < 1e15 ? top : 1, 4);
    scale x = nice(chart->x_begin, chart->x_end, 6);
    open_svg(out, chart->title, WIDTH, HEIGHT, alone);
    text(out, 0, 14, "title", "start", chart->title);
    y_axis(out, &y, chart->unit);
    x_axis(out, &x, chart->x_unit);
    legend(out, chart);
    for (int32_t i = 0; i < chart->line_count && i < VRS_SVG_LINES; i++)
        draw_line(out, chart, i, &x, &y);
    vrs_buffer_add(out, "</svg>\n");
}

/* Where a value is among edges that stand at even distances. */
static double between_edges(const vrs_svg_histogram *h, double value)
{
    double width = (WIDTH - LEFT - RIGHT) / h->count;
    for (int32_t i = 0; i < h->count; i++)
        if (value < h->edges[i + 1]) {
            double part = (value - h->edges[i]) / (h->edges[i + 1] - h->edges[i]);
            return LEFT + width * (i + fmax(0, part));
        }
    return WIDTH - RIGHT;
}

void vrs_svg_bars(vrs_buffer *out, const vrs_svg_histogram *h, bool alone)
{
    double top = 1, width = (WIDTH - LEFT - RIGHT) / h->count;
    for (int32_t i = 0; i < h->count; i++)
        top = fmax(top, h->heights[i]);
    scale y = nice(0, top, 4);
    open_svg(out, h->title, WIDTH, HEIGHT, alone);
    text(out, 0, 14, "title", "start", h->title);
    y_axis(out, &y, h->unit);
    for (int32_t i = 0; i < h->count; i++) {
        double at = place(h->heights[i], &y, HEIGHT - BOTTOM, TOP);
        vrs_buffer_add(out, "<rect class=\"f0\"");
        attribute(out, "x", LEFT + width * i + 0.5);
        attribute(out, "y", at);
        attribute(out, "width", fmax(width - 1, 0.5));
        attribute(out, "height", HEIGHT - BOTTOM - at);
        vrs_buffer_add(out, "/>");
    }
    int32_t every = (h->count + 6) / 7;
    for (int32_t i = 0; i <= h->count; i += every) {
        double edge = h->edges[i];
        number(out, LEFT + width * i, HEIGHT - BOTTOM + 15, i == h->count ? "end" : "middle", edge,
               edge < 10    ? 2
               : edge < 100 ? 1
                            : 0);
    }
    text(out, WIDTH - RIGHT, HEIGHT - 4, "dim", "end", h->x_unit);
    for (int32_t i = 0; i < 4 && h->marks[i].name != NULL; i++) {
        double at = between_edges(h, h->marks[i].x);
        straight(out, "mark", at, TOP, at, HEIGHT - BOTTOM);
        text(out, at - 3, TOP + 10 + 12 * i, "halo", "end", h->marks[i].name);
    }
    vrs_buffer_add(out, "</svg>\n");
}

static void draw_box(vrs_buffer *out, const vrs_svg_box *box, const scale *x, double right)
{
    double begin = fmax(place(box->begin, x, GANTT_LEFT, right), GANTT_LEFT);
    double end = fmin(place(box->end, x, GANTT_LEFT, right), right);
    vrs_buffer_format(out, "<rect class=\"f%d\" rx=\"1.5\"",
                      box->number >= 0 ? (int)(box->number % 6) : 5);
    attribute(out, "x", begin);
    attribute(out, "y", 30 + ROW * box->row + 2);
    attribute(out, "width", fmax(end - begin, 0.8));
    attribute(out, "height", ROW - 4);
    vrs_buffer_add(out, "><title>");
    if (box->tip != NULL)
        vrs_buffer_html(out, box->tip);
    else
        vrs_buffer_format(out, "frame %" PRId64, box->number);
    vrs_buffer_add(out, ", ");
    vrs_buffer_number(out, box->end - box->begin, 3);
    vrs_buffer_add(out, " ms</title></rect>");
}

void vrs_svg_gantt(vrs_buffer *out, const vrs_svg_rows *rows, bool alone)
{
    double bottom = 30 + ROW * rows->row_count, right = GANTT_WIDTH - 14;
    scale x = nice(rows->begin, rows->end, 8);
    open_svg(out, rows->title, GANTT_WIDTH, bottom + 36, alone);
    text(out, 0, 14, "title", "start", rows->title);
    for (int i = 0; i < STEPS && is_on(&x, i); i++) {
        double at = place(step_of(&x, i), &x, GANTT_LEFT, right);
        straight(out, "grid", at, 26, at, bottom);
        number(out, at, bottom + 15, "middle", step_of(&x, i), x.decimals);
    }
    text(out, right, bottom + 30, "dim", "end", "ms since the run's first frame");
    for (int32_t i = 0; i < rows->row_count; i++)
        if (rows->names[i][0] != 0)
            text(out, GANTT_LEFT - 8, 30 + ROW * i + 13, "", "end", rows->names[i]);
    for (int32_t i = 0; i < rows->box_count; i++)
        draw_box(out, &rows->boxes[i], &x, right);
    vrs_buffer_add(out, "</svg>\n");
}
