/* The spans of a few frames in the middle of a run, for the chart that shows how they overlap. */
#include <string.h>

#include "profile/figures.h"

#define FRAMES_SHOWN 12
#define LEAST_NS INT64_C(5000000)

static int32_t kind_number(const vrs_profile_report *report, const char *name)
{
    static const char *const shown[] = {"decode", "upload",      "queue",  "preprocess", "infer",
                                        "scores", "postprocess", "encode", "download"};
    bool wanted = false;
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        wanted = wanted || strcmp(shown[i], name) == 0;
    for (int32_t i = 0; i < report->kind_count && wanted; i++)
        if (strcmp(report->kinds[i].name, name) == 0)
            return i;
    return -1;
}

typedef struct search {
    int64_t from_ns, first_ns;
} search;

static void add_kernel_bar(vrs_profile_report *report, const vrs_event *event)
{
    if (report->kernel_bar_count == VRS_REPORT_KERNEL_BARS) {
        report->kernel_bars_beyond = true;
        return;
    }
    bool known = event->counts[0] <= VRS_REPORT_KERNELS;
    report->kernel_bars[report->kernel_bar_count++] =
        (vrs_bar){known ? (int32_t)event->counts[0] : 0, -1, event->time_ns,
                  event->time_ns + event->length_ns};
}

static vrs_status collect(void *opaque, const vrs_event *event)
{
    vrs_profile_report *report = opaque;
    bool run = event->type == VRS_EVENT_KERNEL_RUN;
    if ((event->type != VRS_EVENT_SPAN && !run) || event->time_ns > report->window_end_ns ||
        event->time_ns + event->length_ns < report->window_begin_ns)
        return VRS_OK;
    if (run) {
        add_kernel_bar(report, event);
        return VRS_OK;
    }
    int32_t kind = kind_number(report, event->name);
    if (kind < 0)
        return VRS_OK;
    if (report->bar_count == VRS_REPORT_BARS) {
        report->bars_beyond = true;
        return VRS_OK;
    }
    report->bars[report->bar_count++] =
        (vrs_bar){kind, event->frame, event->time_ns, event->time_ns + event->length_ns};
    return VRS_OK;
}

/* The first run of a kernel from the window's begin on. */
static vrs_status seek_kernel(void *opaque, const vrs_event *event)
{
    search *s = opaque;
    if (event->type == VRS_EVENT_KERNEL_RUN && event->time_ns >= s->from_ns &&
        event->time_ns < s->first_ns)
        s->first_ns = event->time_ns;
    return VRS_OK;
}

/* Of kernels only the first runs of each while are in the trace: the window is moved to some. */
static vrs_status move_to_kernels(vrs_profile_report *report)
{
    search s = {.from_ns = report->window_begin_ns, .first_ns = INT64_MAX};
    int64_t window = report->window_end_ns - report->window_begin_ns;
    vrs_status status = vrs_trace_read(report->path, seek_kernel, &s, NULL);
    if (status != VRS_OK || s.first_ns > report->last_frame_ns - window)
        return status;
    report->window_begin_ns = s.first_ns - window / 16;
    report->window_end_ns = report->window_begin_ns + window;
    return VRS_OK;
}

vrs_status vrs_report_window(vrs_profile_report *report)
{
    const vrs_kind_figures *frames = vrs_report_kind(report, "frame");
    int64_t length = report->last_frame_ns - report->first_frame_ns;
    if (frames == NULL || length <= 0)
        return VRS_OK;
    double shown = (double)length / (double)frames->count * FRAMES_SHOWN;
    int64_t window = shown < (double)length ? (int64_t)shown : length;
    window = window < LEAST_NS && length > LEAST_NS ? LEAST_NS : window;
    report->window_begin_ns = report->first_frame_ns + (length - window) / 2;
    report->window_end_ns = report->window_begin_ns + window;
    vrs_status status = report->kernel_runs > 0 ? move_to_kernels(report) : VRS_OK;
    return status == VRS_OK ? vrs_trace_read(report->path, collect, report, NULL) : status;
}
