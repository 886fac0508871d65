#include "profile/charts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Time goes from the trace's beginning to its end. */
static vrs_svg_chart over_time(const vrs_profile_report *report, const char *title,
                               const char *unit)
{
    double end = (double)vrs_report_bins(report) * (double)report->bin_ns / 1e9;
    bool minutes = end > 600;
    return (vrs_svg_chart){
        .title = title,
        .unit = unit,
        .x_unit = minutes ? "minutes" : "seconds",
        .x_end = minutes ? end / 60 : end,
        .count = vrs_report_bins(report),
    };
}

/* Samples are further apart than the narrowest bins. */
#define GAP_BINS 8

static void close_gaps(double values[VRS_BINS])
{
    int32_t last = -1;
    for (int32_t b = 0; b < VRS_BINS; b++) {
        if (isnan(values[b]))
            continue;
        for (int32_t i = last + 1; i < b && last >= 0 && b - last <= GAP_BINS; i++)
            values[i] = values[last] + (values[b] - values[last]) * (i - last) / (b - last);
        last = b;
    }
}

static bool series_values(const vrs_series *series, double scale, double values[VRS_BINS])
{
    bool any = false;
    for (int32_t b = 0; b < VRS_BINS; b++) {
        bool there = series != NULL && series->count[b] > 0;
        values[b] = there ? series->sum[b] / series->count[b] * scale : NAN;
        any = any || there;
    }
    close_gaps(values);
    return any;
}

/* A line for each series of those names that the trace has; `names` and `series` end with NULL. */
static bool draw_series(vrs_buffer *out, vrs_svg_chart *chart, const vrs_profile_report *report,
                        const char *const *series, const char *const *names, double scale,
                        bool alone)
{
    double values[VRS_SVG_LINES][VRS_BINS];
    vrs_svg_line lines[VRS_SVG_LINES];
    int32_t count = 0;
    for (int32_t i = 0; series[i] != NULL && count < VRS_SVG_LINES; i++)
        if (series_values(vrs_report_series(report, series[i]), scale, values[count])) {
            lines[count] = (vrs_svg_line){names[i], values[count]};
            count++;
        }
    chart->lines = lines;
    chart->line_count = count;
    if (count > 0)
        vrs_svg_lines(out, chart, alone);
    return count > 0;
}

/* ---- rows of the Gantt chart ---- */

#define ROWS 40 /* of stages; kernels have some below */
#define ROWS_OF_A_KIND 6
#define STAGES_SHOWN 9

static int by_begin(const void *a, const void *b)
{
    const vrs_bar *first = a, *second = b;
    return first->begin_ns < second->begin_ns ? -1 : first->begin_ns > second->begin_ns ? 1 : 0;
}

static int by_kind(const void *a, const void *b)
{
    const vrs_bar *first = a, *second = b;
    return first->kind < second->kind ? -1 : first->kind > second->kind ? 1 : by_begin(a, b);
}

/* The chart while it is filled. */
typedef struct gantt {
    const vrs_profile_report *report;
    vrs_svg_rows rows;
    vrs_svg_box boxes[VRS_REPORT_BARS + VRS_REPORT_KERNEL_BARS];
    const char *names[ROWS + ROWS_OF_A_KIND];
} gantt;

static void add_box(gantt *g, const vrs_bar *bar, int32_t row, bool kernel)
{
    int64_t origin = g->report->first_frame_ns;
    g->boxes[g->rows.box_count++] = (vrs_svg_box){
        .row = row,
        .begin = (double)(bar->begin_ns - origin) / 1e6,
        .end = (double)(bar->end_ns - origin) / 1e6,
        .number = kernel ? bar->kind : bar->frame,
        .tip = kernel ? vrs_report_kernel_name(g->report, (uint64_t)bar->kind) : NULL};
}

/* Bars by their begins, of a kind or (without one) of kernels, each in the first row that is free
 * by then; what needs more rows, or more of them than the chart has, goes into the last one. */
static void place_bars(gantt *g, const vrs_bar *bars, int32_t count, const char *kind)
{
    int64_t ends[ROWS_OF_A_KIND];
    int32_t used = 0, first_row = g->rows.row_count;
    int32_t most = kind != NULL ? ROWS : ROWS + ROWS_OF_A_KIND;
    for (int32_t i = 0; i < count; i++) {
        int32_t row = 0;
        while (row < used && ends[row] > bars[i].begin_ns)
            row++;
        row = row == ROWS_OF_A_KIND || first_row + row == most ? row - 1 : row;
        if (row < 0)
            continue;
        if (row == used) {
            g->names[first_row + row] = row > 0 ? "" : kind != NULL ? kind : "kernels";
            used++;
        }
        ends[row] = bars[i].end_ns;
        add_box(g, &bars[i], first_row + row, kind == NULL);
    }
    g->rows.row_count += used;
}

static int32_t place_of_kind(const vrs_profile_report *report, int32_t kind)
{
    static const char *const order[STAGES_SHOWN] = {"decode",      "upload", "queue",
                                                    "preprocess",  "infer",  "scores",
                                                    "postprocess", "encode", "download"};
    for (int32_t i = 0; i < STAGES_SHOWN; i++)
        if (strcmp(report->kinds[kind].name, order[i]) == 0)
            return i;
    return 0;
}

/* The bars of the kind at that place, if there are some; `bars` are by kind. */
static void place_stage(gantt *g, const vrs_bar *bars, int32_t stage)
{
    for (int32_t i = 0, next = 0; i < g->report->bar_count; i = next) {
        while (next < g->report->bar_count && bars[next].kind == bars[i].kind)
            next++;
        if (place_of_kind(g->report, bars[i].kind) == stage)
            place_bars(g, bars + i, next - i, g->report->kinds[bars[i].kind].name);
    }
}

static bool draw_gantt(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    vrs_bar bars[VRS_REPORT_BARS], kernels[VRS_REPORT_KERNEL_BARS];
    char title[160];
    gantt g = {.report = report};
    if (report->bar_count == 0)
        return false;
    memcpy(bars, report->bars, (size_t)report->bar_count * sizeof(bars[0]));
    qsort(bars, (size_t)report->bar_count, sizeof(bars[0]), by_kind);
    memcpy(kernels, report->kernel_bars, (size_t)report->kernel_bar_count * sizeof(kernels[0]));
    qsort(kernels, (size_t)report->kernel_bar_count, sizeof(kernels[0]), by_begin);
    (void)snprintf(title, sizeof(title),
                   "Stages in the middle of the run, a colour for each frame%s%s%s",
                   report->bars_beyond ? " (the first 800 spans)" : "",
                   report->kernel_bar_count > 0 ? "; below, kernels of the GPU" : "",
                   report->kernel_bars_beyond ? " (the first 1,000)" : "");
    g.rows = (vrs_svg_rows){
        .title = title,
        .names = g.names,
        .begin = (double)(report->window_begin_ns - report->first_frame_ns) / 1e6,
        .end = (double)(report->window_end_ns - report->first_frame_ns) / 1e6,
        .boxes = g.boxes,
    };
    for (int32_t stage = 0; stage < STAGES_SHOWN; stage++)
        place_stage(&g, bars, stage);
    place_bars(&g, kernels, report->kernel_bar_count, NULL);
    vrs_svg_gantt(out, &g.rows, alone);
    return true;
}

/* ---- latency ---- */

#define LATENCY_BARS 28

static bool draw_latency(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    const vrs_kind_figures *frames = vrs_report_kind(report, "frame");
    if (frames == NULL)
        return false;
    double least = fmax(1000, 0.9 * vrs_kind_percentile_ns(frames, 0));
    double most = fmax(1.05 * (double)frames->max_ns, 1.5 * least);
    double edges[LATENCY_BARS + 1], heights[LATENCY_BARS] = {0};
    for (int32_t i = 0; i <= LATENCY_BARS; i++)
        edges[i] = least * pow(most / least, (double)i / LATENCY_BARS) / 1e6;
    for (int32_t b = 0; b < VRS_BUCKETS; b++) {
        double share = log(fmax(vrs_bucket_middle_ns(b), 1) / least) / log(most / least);
        int32_t bar = (int32_t)(fmin(fmax(share, 0), 0.9999) * LATENCY_BARS);
        heights[bar] += (double)frames->buckets[b];
    }
    vrs_svg_histogram histogram = {
        .title = "Latency, from submission to the result",
        .unit = "frames",
        .x_unit = "ms (bars widen with the value)",
        .edges = edges,
        .heights = heights,
        .count = LATENCY_BARS,
        .marks = {{"p50", vrs_kind_percentile_ns(frames, 0.5) / 1e6},
                  {"p95", vrs_kind_percentile_ns(frames, 0.95) / 1e6},
                  {"p99", vrs_kind_percentile_ns(frames, 0.99) / 1e6}},
    };
    vrs_svg_bars(out, &histogram, alone);
    return true;
}

/* ---- over time ---- */

static bool draw_throughput(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    const vrs_kind_figures *frames = vrs_report_kind(report, "frame");
    double values[VRS_BINS];
    if (frames == NULL)
        return false;
    /* Whole bins alone: the last one is not over. */
    for (int32_t b = 0; b < VRS_BINS; b++)
        values[b] = (double)frames->bin_count[b] / ((double)report->bin_ns / 1e9);
    vrs_svg_line line = {"", values};
    vrs_svg_chart chart = over_time(report, "Throughput", "frames a second");
    chart.lines = &line;
    chart.line_count = 1;
    chart.count = chart.count > 1 ? chart.count - 1 : chart.count;
    chart.x_end = chart.x_end * chart.count / vrs_report_bins(report);
    vrs_svg_lines(out, &chart, alone);
    return true;
}

static bool draw_stages(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    double values[VRS_STAGE_COUNT][VRS_BINS];
    vrs_svg_line lines[VRS_STAGE_COUNT];
    int32_t count = 0;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        const vrs_kind_figures *kind = vrs_report_kind(report, vrs_stage_name((vrs_stage)i));
        if (kind == NULL)
            continue;
        for (int32_t b = 0; b < VRS_BINS; b++)
            values[count][b] =
                kind->bin_count[b] > 0 ? kind->bin_sum_ns[b] / 1e6 / kind->bin_count[b] : NAN;
        lines[count] = (vrs_svg_line){kind->name, values[count]};
        count++;
    }
    if (count == 0)
        return false;
    vrs_svg_chart chart = over_time(report, "Time of a piece of work", "ms");
    chart.lines = lines;
    chart.line_count = count;
    vrs_svg_lines(out, &chart, alone);
    return true;
}

static bool draw_processor(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    static const char *const series[] = {"cpu", NULL};
    static const char *const names[] = {""};
    vrs_svg_chart chart = over_time(report, "Processor", "% of the cores");
    chart.least_top = 100;
    return draw_series(out, &chart, report, series, names, 100, alone);
}

static bool draw_gpu(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    static const char *const series[] = {"gpu0 busy", "gpu0 sm", "gpu0 decoder", "gpu0 encoder",
                                         NULL};
    static const char *const names[] = {"some kernel", "SMs", "NVDEC", "NVENC"};
    vrs_svg_chart chart = over_time(report, "GPU 0", "% of the time");
    chart.least_top = 100;
    return draw_series(out, &chart, report, series, names, 1, alone);
}

static bool draw_clock(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    static const char *const series[] = {"gpu0 clock", "gpu0 power", NULL};
    static const char *const names[] = {"clock, MHz", "power, W"};
    vrs_svg_chart chart = over_time(report, "Clock and power of GPU 0", "MHz, W");
    return draw_series(out, &chart, report, series, names, 1, alone);
}

static bool draw_memory(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    static const char *const series[] = {"resident", "host/bytes", "device", "pinned", NULL};
    static const char *const names[] = {"process", "of it vrseg's own", "device", "pinned"};
    vrs_svg_chart chart = over_time(report, "Memory", "MB");
    return draw_series(out, &chart, report, series, names, 1e-6, alone);
}

static bool draw_queues(vrs_buffer *out, const vrs_profile_report *report, bool alone)
{
    static const char *const series[] = {"tickets in use", "queue incoming", "queue preprocess",
                                         "queue postprocess", NULL};
    static const char *const names[] = {"frames in flight", "for a batch", "preprocess",
                                        "postprocess"};
    vrs_svg_chart chart = over_time(report, "What waits", "items");
    return draw_series(out, &chart, report, series, names, 1, alone);
}

const vrs_report_chart vrs_report_charts[VRS_REPORT_CHARTS] = {
    {"stages-gantt", true, draw_gantt},     {"latency", false, draw_latency},
    {"throughput", false, draw_throughput}, {"stage-times", false, draw_stages},
    {"processor", false, draw_processor},   {"gpu", false, draw_gpu},
    {"gpu-clock", false, draw_clock},       {"memory", false, draw_memory},
    {"queues", false, draw_queues},
};
