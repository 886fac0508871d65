#include "profile/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "profile/charts.h"
#include "profile/svg.h"
#include "profile/trace.h"
#include "vrseg/system.h"

#define NODES_SHOWN 60

static const char style[] =
    ":root{--text:#1c2530;--dim:#5c6773;--grid:#dde3ea;--back:#f5f7f9;--card:#fff;--good:#1f7a4d;"
    "--bad:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--text:#e4e9ee;--dim:#97a3af;--grid:#333d48;"
    "--back:#12171c;--card:#1b2229;--good:#5cc796;--bad:#ff8a80}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);"
    "font:15px/1.45 system-ui,sans-serif}main{max-width:1240px;margin:0 auto;padding:16px}"
    "h1{font-size:1.5rem;margin:.2em 0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.6em 0 "
    ".5em}.dim{color:var(--dim)}p{margin:.4em 0;overflow-wrap:anywhere}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px}"
    ".tile,.card{background:var(--card);border:1px solid "
    "var(--grid);border-radius:8px;padding:12px}"
    ".tile b{display:block;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums}"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));"
    "gap:12px}.wide{overflow-x:auto;margin-bottom:12px}.wide svg{min-width:760px}"
    "svg{display:block;width:100%;height:auto}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:5px 10px;text-align:right;border-bottom:1px solid "
    "var(--grid);white-space:nowrap}"
    "th{font-weight:600;color:var(--dim)}th:first-child,td:first-child,td.text,th.text{text-align:"
    "left}td.text{white-space:normal;min-width:10em;overflow-wrap:anywhere}td.text:first-child{min-"
    "width:4em}"
    ".good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}"
    ".say{border-left:4px solid #d9730d}";

static void number_cell(vrs_buffer *out, double value, int decimals)
{
    vrs_buffer_add(out, "<td>");
    vrs_buffer_number(out, value, decimals);
    vrs_buffer_add(out, "</td>");
}

/* Negative: not known. */
static void known_cell(vrs_buffer *out, double value, int decimals)
{
    if (value >= 0)
        number_cell(out, value, decimals);
    else
        vrs_buffer_add(out, "<td>-</td>");
}

static void text_cell(vrs_buffer *out, const char *text)
{
    vrs_buffer_add(out, "<td class=\"text\">");
    vrs_buffer_html(out, text);
    vrs_buffer_add(out, "</td>");
}

static void section(vrs_buffer *out, const char *heading)
{
    vrs_buffer_format(out, "<h2>%s</h2>\n", heading);
}

/* `columns`: headings, parted by '|'; one that begins with '<' stands on the left. */
static void begin_table(vrs_buffer *out, const char *columns)
{
    vrs_buffer_add(out, "<div class=\"card wide\"><table><thead><tr>");
    while (*columns != 0) {
        size_t length = strcspn(columns, "|");
        bool left = columns[0] == '<';
        vrs_buffer_format(out, "<th%s>%.*s</th>", left ? " class=\"text\"" : "",
                          (int)(length - (left ? 1 : 0)), columns + (left ? 1 : 0));
        columns += length + (columns[length] == '|' ? 1 : 0);
    }
    vrs_buffer_add(out, "</tr></thead><tbody>\n");
}

static void end_table(vrs_buffer *out)
{
    vrs_buffer_add(out, "</tbody></table></div>\n");
}

static void tile(vrs_buffer *out, double value, int decimals, const char *unit, const char *what)
{
    if (value < 0)
        return;
    vrs_buffer_add(out, "<div class=\"tile\"><b>");
    vrs_buffer_number(out, value, decimals);
    vrs_buffer_format(out, "%s</b><span class=\"dim\">%s</span></div>\n", unit, what);
}

static void latency_tile(vrs_buffer *out, double ms, const char *what)
{
    bool seconds = ms >= 1000;
    tile(out, seconds ? ms / 1000 : ms, seconds ? 2 : 1, seconds ? " s" : " ms", what);
}

/* ---- sections ---- */

static void write_date(vrs_buffer *out, int64_t seconds)
{
    struct tm date;
    time_t when = (time_t)seconds;
    char text[64];
    if (seconds > 0 && gmtime_r(&when, &date) != NULL &&
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M UTC", &date) > 0)
        vrs_buffer_format(out, ", written %s", text);
}

static void write_head(vrs_buffer *out, const vrs_profile_report *report)
{
    const char *input = vrs_report_note_of(report, "input", vrs_path_base(report->path));
    vrs_buffer_add(out,
                   "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'\"><title>vrseg: ");
    vrs_buffer_html(out, input);
    vrs_buffer_add(out, "</title><style>");
    vrs_buffer_add(out, style);
    vrs_buffer_add(out, vrs_svg_style);
    vrs_buffer_add(out, "</style></head><body><main>\n<h1>");
    vrs_buffer_html(out, input);
    vrs_buffer_add(out, "</h1><p class=\"dim\">");
    vrs_buffer_html(out, vrs_report_note_of(report, "device", "device not known"));
    vrs_buffer_add(out, "; network: ");
    vrs_buffer_html(out, vrs_report_note_of(report, "engine", "not known"));
    write_date(out, report->written_s);
    vrs_buffer_add(out, "</p>\n");
    if (report->cut_short)
        vrs_buffer_add(out, "<p class=\"bad\">The trace has no end: the run was killed or goes on. "
                            "What is here is what was written until then.</p>\n");
    if (report->lost > 0)
        vrs_buffer_format(out,
                          "<p class=\"bad\">%" PRIu64 " spans were lost, as they came faster than "
                          "they could be written; counts and sums are too small.</p>\n",
                          report->lost);
}

static void write_tiles(vrs_buffer *out, const vrs_profile_report *report)
{
    vrs_report_figures f = vrs_report_get(report);
    double gpu = vrs_series_mean(vrs_report_series(report, "gpu0 busy"));
    double sm = vrs_series_mean(vrs_report_series(report, "gpu0 sm"));
    vrs_buffer_add(out, "<div class=\"tiles\">\n");
    tile(out, f.fps, 1, "", "frames a second");
    tile(out, (double)f.frames, 0, "", f.failed > 0 ? "frames, some failed" : "frames");
    tile(out, f.seconds, 2, " s", "first frame to last result");
    latency_tile(out, f.latency_ms_p50, "latency, half are below");
    latency_tile(out, f.latency_ms_p99, "latency, 99 % are below");
    tile(out, f.cpu_share < 0 ? -1 : 100 * f.cpu_share, 0, " %", "of the cores");
    tile(out, f.peak_memory_bytes / 1e6, 0, " MB", "most memory");
    tile(out, gpu, 0, " %", "GPU, some kernel ran");
    tile(out, sm, 0, " %", "GPU, SMs at work");
    vrs_buffer_add(out, "</div>\n");
}

static void write_bottleneck(vrs_buffer *out, const vrs_profile_report *report)
{
    char text[VRS_DETAIL_SIZE];
    vrs_report_bottleneck(report, text, sizeof(text));
    section(out, "Bottleneck");
    vrs_buffer_add(out, "<div class=\"card say\"><p>");
    vrs_buffer_html(out, text);
    vrs_buffer_add(out, "</p></div>\n<p class=\"dim\">Evidence: how much of the run each stage's "
                        "threads were at work.</p>\n");
    begin_table(out, "<stage|busy|threads|ms a piece|pieces");
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        const char *name = vrs_stage_name((vrs_stage)i);
        const vrs_kind_figures *kind = vrs_report_kind(report, name);
        char threads[64];
        if (kind == NULL)
            continue;
        (void)snprintf(threads, sizeof(threads), "threads of %s", name);
        vrs_buffer_format(out, "<tr><td>%s</td><td>", name);
        vrs_buffer_number(out, 100 * vrs_report_busy(report, name), 0);
        vrs_buffer_add(out, " %</td><td>");
        vrs_buffer_html(out, vrs_report_note_of(report, threads, "1"));
        vrs_buffer_add(out, "</td>");
        number_cell(out, kind->sum_ns / 1e6 / (double)kind->count, 3);
        vrs_buffer_format(out, "<td>%" PRIu64 "</td></tr>\n", kind->count);
    }
    end_table(out);
}

static void write_charts(vrs_buffer *out, const vrs_profile_report *report)
{
    section(out, "Over time");
    for (int32_t i = 0; i < VRS_REPORT_CHARTS; i++) {
        vrs_buffer chart = {0};
        bool wide = vrs_report_charts[i].wide;
        if (i == 1)
            vrs_buffer_add(out, "<div class=\"charts\">\n");
        if (vrs_report_charts[i].draw(&chart, report, false)) {
            vrs_buffer_format(out, "<div class=\"card%s\">", wide ? " wide" : "");
            if (chart.text != NULL)
                vrs_buffer_add(out, chart.text);
            vrs_buffer_add(out, "</div>\n");
        }
        out->failed = out->failed || chart.failed;
        vrs_buffer_free(&chart);
    }
    vrs_buffer_add(out, "</div>\n");
}

static void write_kinds(vrs_buffer *out, const vrs_profile_report *report)
{
    section(out, "What took how long");
    begin_table(out, "<what|count|all, s|mean, ms|p50|p95|p99|longest");
    for (int32_t i = 0; i < report->kind_count; i++) {
        const vrs_kind_figures *kind = &report->kinds[i];
        vrs_buffer_add(out, "<tr><td>");
        vrs_buffer_html(out, kind->name);
        vrs_buffer_format(out, "</td><td>%" PRIu64 "</td>", kind->count);
        number_cell(out, kind->sum_ns / 1e9, 3);
        number_cell(out, kind->sum_ns / 1e6 / (double)kind->count, 3);
        number_cell(out, vrs_kind_percentile_ns(kind, 0.50) / 1e6, 3);
        number_cell(out, vrs_kind_percentile_ns(kind, 0.95) / 1e6, 3);
        number_cell(out, vrs_kind_percentile_ns(kind, 0.99) / 1e6, 3);
        number_cell(out, (double)kind->max_ns / 1e6, 3);
        vrs_buffer_add(out, "</tr>\n");
    }
    end_table(out);
    vrs_buffer_add(out,
                   "<p class=\"dim\">frame: from submission to the result. queue: a view waits "
                   "for its batch. brake: submitting waits for a free frame, which is how slow "
                   "stages hold back fast ones. Percentiles are within 2 %.</p>\n");
}

static void write_nodes(vrs_buffer *out, const vrs_profile_report *report)
{
    double all = 0;
    int32_t batch = 0;
    for (int32_t i = 0; i < report->node_count; i++)
        batch = report->nodes[i].batch > batch ? report->nodes[i].batch : batch;
    for (int32_t i = 0; i < report->node_count; i++)
        all += report->nodes[i].batch == batch ? fmax(0, report->nodes[i].micros) : 0;
    if (report->node_count == 0)
        return;
    section(out, "Nodes of the network");
    vrs_buffer_format(out,
                      "<p class=\"dim\">Batch %d, each node as it was timed alone when its "
                      "plan was chosen.</p>\n",
                      batch);
    begin_table(out, "<node|<what|<by|us|share|GFLOP|MB|TFLOP/s|GB/s");
    int32_t shown = 0;
    for (int32_t i = 0; i < report->node_count && shown < NODES_SHOWN; i++) {
        const vrs_report_node *node = &report->nodes[i];
        if (node->batch != batch)
            continue;
        shown++;
        vrs_buffer_add(out, "<tr>");
        text_cell(out, node->name);
        text_cell(out, node->does);
        text_cell(out, node->plan);
        number_cell(out, node->micros, 1);
        vrs_buffer_add(out, "<td>");
        vrs_buffer_number(out, all > 0 ? 100 * node->micros / all : 0, 1);
        vrs_buffer_add(out, " %</td>");
        number_cell(out, node->flops / 1e9, 3);
        number_cell(out, node->bytes / 1e6, 2);
        number_cell(out, node->micros > 0 ? node->flops / node->micros / 1e6 : 0, 2);
        number_cell(out, node->micros > 0 ? node->bytes / node->micros / 1e3 : 0, 1);
        vrs_buffer_add(out, "</tr>\n");
    }
    end_table(out);
}

/* What the GPU's kernels took, by node; shares are of what the GPU could do. */
static void write_node_time(vrs_buffer *out, const vrs_profile_report *report,
                            const vrs_report_node_time *t, double all)
{
    double each = t->runs > 0 ? t->total_us / (double)t->runs : 0;
    double flops = t->node != NULL ? t->node->flops : 0,
           bytes = t->node != NULL ? t->node->bytes : 0;
    double peak_flops = vrs_report_number(report, VRS_NOTE_PEAK_OPERATIONS);
    double peak_bytes = vrs_report_number(report, VRS_NOTE_PEAK_BYTES);
    vrs_buffer_add(out, "<tr>");
    text_cell(out, t->first->batch > 0 ? t->first->node : t->first->kernel);
    text_cell(out, t->node != NULL ? t->node->does : "");
    vrs_buffer_format(out, "<td>%d</td><td>%" PRIu64 "</td>", t->first->batch, t->runs);
    number_cell(out, each, 2);
    number_cell(out, all > 0 ? 100 * t->total_us / all : 0, 1);
    number_cell(out, each > 0 && peak_flops > 0 ? 1e8 * flops / each / peak_flops : 0, 1);
    number_cell(out, bytes / 1e6, 2);
    number_cell(out, each > 0 && peak_bytes > 0 ? 1e8 * bytes / each / peak_bytes : 0, 1);
    if (report->counted) {
        double counted = t->node != NULL ? t->node->counted_bytes : -1;
        known_cell(out, counted / 1e6, 2);
        known_cell(out, each > 0 && peak_bytes > 0 ? 1e8 * counted / each / peak_bytes : -1, 1);
        known_cell(out, t->node != NULL ? t->node->tensor_percent : -1, 1);
    } else {
        number_cell(out, each > 0 ? bytes / each / 1e3 : 0, 1);
    }
    vrs_buffer_add(out, "</tr>\n");
}

/* What the counters' columns are, or why there are none. */
static void write_counters_text(vrs_buffer *out, const vrs_profile_report *report)
{
    const char *why = vrs_report_note_of(report, VRS_NOTE_COUNTERS, "");
    if (!report->counted && why[0] == 0)
        return;
    vrs_buffer_add(out, "<p class=\"dim\">");
    if (report->counted)
        vrs_buffer_add(
            out, "Counted: what crossed between the GPU's memory and its caches, and tensor cores "
                 "at work, of the cycles in which their multiprocessor had work, by the "
                 "hardware's counters, when the node ran once after those before it.");
    else
        vrs_buffer_add(out, "The hardware's counters were not read: ");
    vrs_buffer_html(out, report->counted ? "" : why);
    vrs_buffer_add(out, "</p>\n");
}

static void write_kernels(vrs_buffer *out, const vrs_profile_report *report)
{
    vrs_report_node_time times[VRS_REPORT_KERNELS];
    double all;
    int32_t count = vrs_report_node_times(report, times, VRS_REPORT_KERNELS, &all);
    if (count == 0)
        return;
    section(out, "Kernels as they ran");
    vrs_buffer_format(
        out,
        "<p class=\"dim\">By CUPTI, summed by the node of the network that launched "
        "them, also inside of CUDA graphs; %.1f ms in all. Kernels of no node have "
        "their own name. Operations are those of every tap, also where it lies outside "
        "of the picture, and bytes are each value once, as the node reads and writes "
        "it; shares are of what the GPU could do at its fastest clocks.</p>\n",
        all / 1e3);
    write_counters_text(out, report);
    begin_table(out, report->counted
                         ? "<node|<what|batch|runs|us|share %|peak %|MB|bandwidth %|"
                           "counted MB|bandwidth %|tensor cores %"
                         : "<node|<what|batch|runs|us|share %|peak %|MB|bandwidth %|GB/s");
    for (int32_t i = 0; i < count && i < NODES_SHOWN; i++)
        write_node_time(out, report, &times[i], all);
    end_table(out);
}

static void write_growth(vrs_buffer *out, const vrs_profile_report *report)
{
    vrs_growth growth[VRS_REPORT_SERIES];
    int32_t count = vrs_report_growth(report, growth);
    begin_table(out, "<owner|at the end|growth a thousand frames|+-|<verdict");
    for (int32_t i = 0; i < count; i++) {
        bool blocks = strcmp(growth[i].owner, "host/blocks") == 0;
        double scale = blocks ? 1 : 1e-6;
        vrs_buffer_add(out, "<tr><td>");
        vrs_buffer_html(out, growth[i].owner);
        vrs_buffer_add(out, "</td><td>");
        vrs_buffer_number(out, growth[i].level * scale, blocks ? 0 : 2);
        vrs_buffer_add(out, blocks ? "</td>" : " MB</td>");
        number_cell(out, growth[i].per_thousand * scale, 3);
        number_cell(out, growth[i].error * scale, 3);
        vrs_buffer_add(out, growth[i].leaks ? "<td class=\"text bad\">leaks"
                            : isnan(growth[i].per_thousand)
                                ? "<td class=\"text dim\">too few samples"
                                : "<td class=\"text\">steady");
        vrs_buffer_add(out, "</td></tr>\n");
    }
    end_table(out);
}

static void write_memory(vrs_buffer *out, const vrs_profile_report *report)
{
    section(out, "Memory");
    write_growth(out, report);
    vrs_buffer_add(out, "<p>Ledger at the end: ");
    if (report->exit_count == 0)
        vrs_buffer_add(out, "not in this trace");
    for (int32_t i = 0; i < report->exit_count; i++) {
        int32_t left = 0;
        vrs_buffer_add(out, i == 0 ? "" : "; ");
        vrs_buffer_html(out, report->exits[i]);
        for (int32_t j = 0; j < report->left_count; j++)
            if (strcmp(report->left[j].place, report->exits[i]) == 0) {
                vrs_buffer_add(out, left++ == 0 ? " <span class=\"bad\">holds " : ", ");
                vrs_buffer_html(out, report->left[j].owner);
                vrs_buffer_format(out, " (%" PRIu64 " bytes in %" PRIu64 " blocks)",
                                  report->left[j].bytes, report->left[j].blocks);
            }
        vrs_buffer_add(out, left > 0 ? "</span>" : " <span class=\"good\">empty</span>");
    }
    vrs_buffer_add(out,
                   ".</p>\n<p class=\"dim\">Growth is that of a line through the samples after "
                   "the first quarter of the frames. It is a leak where it is over four times "
                   "its standard error, over 1 % of what is held, and goes on in the second "
                   "half.</p>\n");
}

static void write_changes(vrs_buffer *out, const vrs_profile_report *report,
                          const vrs_profile_report *old)
{
    vrs_change changes[VRS_REPORT_CHANGES];
    int32_t count = vrs_report_compare(report, old, changes);
    section(out, "Compared");
    vrs_buffer_add(out, "<p class=\"dim\">With ");
    vrs_buffer_html(out, old->path);
    vrs_buffer_add(out, ".</p>\n");
    begin_table(out, "<what|<verdict|before|now|change|noise");
    for (int32_t i = 0; i < count; i++) {
        const vrs_change *c = &changes[i];
        vrs_buffer_add(out, "<tr><td>");
        vrs_buffer_html(out, c->what);
        vrs_buffer_format(out, ", %s</td>", c->unit);
        vrs_buffer_add(out, c->verdict < 0   ? "<td class=\"text bad\">worse"
                            : c->verdict > 0 ? "<td class=\"text good\">better"
                            : c->noise < 0   ? "<td class=\"text dim\">too few to tell"
                                             : "<td class=\"text dim\">within noise");
        vrs_buffer_add(out, "</td>");
        number_cell(out, c->old_value, 3);
        number_cell(out, c->new_value, 3);
        vrs_buffer_add(out, "<td>");
        if (c->old_value != 0) {
            vrs_buffer_add(out, c->new_value >= c->old_value ? "+" : "");
            vrs_buffer_number(out, 100 * (c->new_value - c->old_value) / fabs(c->old_value), 1);
            vrs_buffer_add(out, " %");
        }
        vrs_buffer_add(out, "</td>");
        number_cell(out, c->noise < 0 ? NAN : c->noise, 3);
        vrs_buffer_add(out, "</tr>\n");
    }
    end_table(out);
    vrs_buffer_format(out, "<p class=\"dim\">%s</p>\n", vrs_noise_text);
}

static void write_notes(vrs_buffer *out, const vrs_profile_report *report)
{
    section(out, "The run");
    begin_table(out, "<what|<is");
    for (int32_t i = 0; i < report->note_count; i++) {
        vrs_buffer_add(out, "<tr>");
        text_cell(out, report->notes[i].name);
        text_cell(out, report->notes[i].text);
        vrs_buffer_add(out, "</tr>\n");
    }
    vrs_buffer_add(out, "<tr><td class=\"text\">trace</td>");
    text_cell(out, report->path);
    vrs_buffer_format(out,
                      "</tr>\n<tr><td class=\"text\">spans</td><td class=\"text\">%" PRIu64
                      " written, %" PRIu64 " lost</td></tr>\n",
                      report->spans, report->lost);
    end_table(out);
    if (report->gpu_tracks)
        vrs_buffer_add(out, "<p class=\"dim\">Times of the GPU are by its own events; on the time "
                            "line a span ends when the host saw its end.</p>\n");
}

void vrs_page_write(vrs_buffer *out, const vrs_profile_report *report,
                    const vrs_profile_report *old)
{
    write_head(out, report);
    write_tiles(out, report);
    if (old != NULL)
        write_changes(out, report, old);
    write_bottleneck(out, report);
    write_charts(out, report);
    write_kinds(out, report);
    write_kernels(out, report);
    write_nodes(out, report);
    write_memory(out, report);
    write_notes(out, report);
    vrs_buffer_format(out, "<p class=\"dim\">Made by vrseg %s.</p>\n</main></body></html>\n",
                      VRS_VERSION_TEXT);
}
