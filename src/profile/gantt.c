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

static vrs_status collect(void *opaque, const vrs_event *event)
{
    vrs_profile_report *report = opaque;
    if (event->type != VRS_EVENT_SPAN || event->time_ns > report->window_end_ns ||
        event->time_ns + event->length_ns < report->window_begin_ns)
        return VRS_OK;
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
    return vrs_trace_read(report->path, collect, report, NULL);
}
