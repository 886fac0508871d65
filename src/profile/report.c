/* Reports of traces: the public calls. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "profile/charts.h"
#include "profile/figures.h"
#include "profile/page.h"

static vrs_status make_parts(vrs_profile_report *report, const char *path)
{
    report->path = vrs_strdup(path);
    report->kinds = vrs_alloc_array(VRS_REPORT_KINDS, sizeof(*report->kinds));
    report->series = vrs_alloc_array(VRS_REPORT_SERIES, sizeof(*report->series));
    report->notes = vrs_alloc_array(VRS_REPORT_NOTES, sizeof(*report->notes));
    report->tracks = vrs_alloc_array(VRS_REPORT_TRACKS, sizeof(*report->tracks));
    report->nodes = vrs_alloc_array(VRS_REPORT_NODES, sizeof(*report->nodes));
    report->kernels = vrs_alloc_array(VRS_REPORT_KERNELS, sizeof(*report->kernels));
    report->kernel_ids = vrs_alloc_array(VRS_REPORT_KERNELS, sizeof(*report->kernel_ids));
    report->bars = vrs_alloc_array(VRS_REPORT_BARS, sizeof(*report->bars));
    report->kernel_bars = vrs_alloc_array(VRS_REPORT_KERNEL_BARS, sizeof(*report->kernel_bars));
    bool whole = report->path != NULL && report->kinds != NULL && report->series != NULL &&
                 report->notes != NULL && report->tracks != NULL && report->nodes != NULL &&
                 report->kernels != NULL && report->kernel_ids != NULL && report->bars != NULL &&
                 report->kernel_bars != NULL;
    report->bin_ns = VRS_FIRST_BIN_NS;
    return whole ? VRS_OK : VRS_NO_MEMORY;
}

vrs_status vrs_report_load(const char *trace_path, vrs_profile_report **out)
{
    struct stat info;
    vrs_profile_report *report = vrs_alloc(sizeof(*report));
    if (report == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = make_parts(report, trace_path);
    if (status == VRS_OK)
        status = vrs_trace_read(trace_path, vrs_figures_add, report, &report->cut_short);
    if (status == VRS_OK)
        status = vrs_report_window(report);
    if (status != VRS_OK) {
        vrs_report_destroy(report);
        return status;
    }
    if (stat(trace_path, &info) == 0)
        report->written_s = (int64_t)info.st_mtime;
    *out = report;
    return VRS_OK;
}

void vrs_report_destroy(vrs_profile_report *report)
{
    if (report == NULL)
        return;
    vrs_free(report->path);
    vrs_free(report->kinds);
    vrs_free(report->series);
    vrs_free(report->notes);
    vrs_free(report->tracks);
    vrs_free(report->nodes);
    vrs_free(report->kernels);
    vrs_free(report->kernel_ids);
    vrs_free(report->kernel_bars);
    vrs_free(report->bars);
    vrs_free(report);
}

static int32_t count_leaks(const vrs_profile_report *report)
{
    vrs_growth growth[VRS_REPORT_SERIES];
    int32_t count = vrs_report_growth(report, growth), leaks = report->left_count;
    for (int32_t i = 0; i < count; i++)
        leaks += growth[i].leaks ? 1 : 0;
    return leaks;
}

vrs_report_figures vrs_report_get(const vrs_profile_report *report)
{
    const vrs_kind_figures *frames = vrs_report_kind(report, "frame");
    const vrs_series *failed = vrs_report_series(report, "frames failed");
    const vrs_series *resident = vrs_report_series(report, "resident");
    vrs_report_figures f = {
        .spans = report->spans,
        .lost_spans = report->lost,
        .failed =
            failed != NULL && failed->most > 0 && failed->most < 1e18 ? (uint64_t)failed->most : 0,
        .cpu_share = vrs_series_mean(vrs_report_series(report, "cpu")),
        .peak_memory_bytes = resident != NULL ? resident->most : 0,
        .leaks = count_leaks(report),
        .cut_short = report->cut_short,
    };
    if (frames == NULL)
        return f;
    f.frames = frames->count;
    f.seconds = (double)(report->last_frame_ns - report->first_frame_ns) / 1e9;
    f.fps = f.seconds > 0 ? (double)f.frames / f.seconds : 0;
    f.latency_ms_p50 = vrs_kind_percentile_ns(frames, 0.50) / 1e6;
    f.latency_ms_p95 = vrs_kind_percentile_ns(frames, 0.95) / 1e6;
    f.latency_ms_p99 = vrs_kind_percentile_ns(frames, 0.99) / 1e6;
    f.latency_ms_max = (double)frames->max_ns / 1e6;
    return f;
}

static vrs_status write_buffer(vrs_buffer *buffer, const char *path)
{
    vrs_status status = vrs_buffer_status(buffer);
    if (status == VRS_OK)
        status = vrs_file_replace(path, buffer->text != NULL ? buffer->text : "", buffer->length);
    vrs_buffer_free(buffer);
    return status;
}

vrs_status vrs_report_write_html(const vrs_profile_report *report, const vrs_profile_report *old,
                                 const char *path)
{
    vrs_buffer page = {0};
    vrs_page_write(&page, report, old);
    return write_buffer(&page, path);
}

vrs_status vrs_report_write_plots(const vrs_profile_report *report, const char *folder)
{
    vrs_status status = vrs_make_folders(folder);
    for (int32_t i = 0; i < VRS_REPORT_CHARTS && status == VRS_OK; i++) {
        char path[VRS_PATH_MAX];
        vrs_buffer chart = {0};
        if (!vrs_report_charts[i].draw(&chart, report, true))
            continue;
        status =
            vrs_path_format(path, sizeof(path), "%s/%s.svg", folder, vrs_report_charts[i].file);
        if (status == VRS_OK)
            status = write_buffer(&chart, path);
        vrs_buffer_free(&chart);
    }
    return status;
}

/* ---- text ---- */

static void add_value(vrs_buffer *out, const char *name, double value, int decimals,
                      const char *unit)
{
    vrs_buffer_format(out, "%s ", name);
    vrs_buffer_number(out, value, decimals);
    vrs_buffer_format(out, "%s\n", unit);
}

static void add_growth(vrs_buffer *out, const vrs_profile_report *report)
{
    vrs_growth growth[VRS_REPORT_SERIES];
    int32_t count = vrs_report_growth(report, growth);
    for (int32_t i = 0; i < count; i++) {
        if (!growth[i].leaks)
            continue;
        bool blocks = strcmp(growth[i].owner, "host/blocks") == 0;
        vrs_buffer_add(out, "leak: ");
        vrs_buffer_html(out, growth[i].owner);
        vrs_buffer_add(out, " grows by ");
        vrs_buffer_number(out, growth[i].per_thousand / (blocks ? 1 : 1e6), 3);
        vrs_buffer_format(out, " %s a thousand frames\n", blocks ? "blocks" : "MB");
    }
    for (int32_t i = 0; i < report->left_count; i++) {
        vrs_buffer_add(out, "left over at the end: ");
        vrs_buffer_html(out, report->left[i].owner);
        vrs_buffer_format(out, ", %" PRIu64 " bytes in %" PRIu64 " blocks\n", report->left[i].bytes,
                          report->left[i].blocks);
    }
}

static void add_changes(vrs_buffer *out, const vrs_profile_report *report,
                        const vrs_profile_report *old)
{
    vrs_change changes[VRS_REPORT_CHANGES];
    int32_t count = vrs_report_compare(report, old, changes), judged = 0;
    for (int32_t i = 0; i < count; i++) {
        const vrs_change *c = &changes[i];
        judged += c->noise >= 0 ? 1 : 0;
        if (c->verdict == 0)
            continue;
        vrs_buffer_format(out, "%s: ", c->verdict < 0 ? "worse" : "better");
        vrs_buffer_html(out, c->what);
        vrs_buffer_add(out, ", ");
        vrs_buffer_number(out, c->old_value, 3);
        vrs_buffer_add(out, " -> ");
        vrs_buffer_number(out, c->new_value, 3);
        vrs_buffer_format(out, " %s (noise ", c->unit);
        vrs_buffer_number(out, c->noise, 3);
        vrs_buffer_add(out, ")\n");
    }
    vrs_buffer_format(out, "%d of %d figures could be judged\n%s\n", judged, count, vrs_noise_text);
}

size_t vrs_report_text(const vrs_profile_report *report, const vrs_profile_report *old, char *text,
                       size_t size)
{
    char sentence[VRS_DETAIL_SIZE];
    vrs_buffer out = {0};
    vrs_report_figures f = vrs_report_get(report);
    vrs_buffer_format(&out, "frames %" PRIu64 ", failed %" PRIu64 "\n", f.frames, f.failed);
    add_value(&out, "seconds", f.seconds, 3, "");
    add_value(&out, "frames a second", f.fps, 2, "");
    add_value(&out, "latency p50", f.latency_ms_p50, 2, " ms");
    add_value(&out, "latency p95", f.latency_ms_p95, 2, " ms");
    add_value(&out, "latency p99", f.latency_ms_p99, 2, " ms");
    if (f.cpu_share >= 0)
        add_value(&out, "processor", 100 * f.cpu_share, 0, " % of the cores");
    add_value(&out, "most memory", f.peak_memory_bytes / 1e6, 0, " MB");
    vrs_report_bottleneck(report, sentence, sizeof(sentence));
    vrs_buffer_add(&out, "bottleneck: ");
    vrs_buffer_html(&out, sentence);
    vrs_buffer_format(&out, "\nspans %" PRIu64 ", lost %" PRIu64 "\n", f.spans, f.lost_spans);
    if (f.cut_short)
        vrs_buffer_add(&out, "the trace has no end: the run was killed, or goes on\n");
    add_growth(&out, report);
    if (old != NULL)
        add_changes(&out, report, old);
    size_t length = vrs_buffer_copy(&out, text, size);
    vrs_buffer_free(&out);
    return length;
}
