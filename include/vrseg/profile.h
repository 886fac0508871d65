/* Profiles: what a run did and when, written as a trace while it goes on, and what a trace says
 * afterwards.
 *
 *     vrs_profile_open("run.trace", &profile);
 *     vrs_profile_attach(profile, pipeline);     (or vrs_job_set_profile())
 *     ... frames ...
 *     vrs_profile_detach(profile, pipeline);
 *     vrs_pipeline_destroy(pipeline);
 *     vrs_profile_close(profile);
 *
 *     vrs_report_load("run.trace", &report);
 *     vrs_report_write_html(report, NULL, "run.html");
 *
 * Spans are recorded always; a profile has a thread that takes them from there into the trace and
 * samples counters. The format of traces is in docs/trace.md. */
#ifndef VRSEG_PROFILE_H
#define VRSEG_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the format of traces. A reader takes its own version alone. */
#define VRS_TRACE_VERSION 1

/* What a span is: X(number, NAME, "name in a trace"). The first are the stages. New ones go before
 * COUNT. */
#define VRS_SPAN_MAP(X)              \
    X(0, DECODE, "decode")           \
    X(1, PREPROCESS, "preprocess")   \
    X(2, INFER, "infer")             \
    X(3, POSTPROCESS, "postprocess") \
    X(4, ENCODE, "encode")           \
    X(5, SCORES, "scores")           \
    X(6, FRAME, "frame")             \
    X(7, QUEUE, "queue")             \
    X(8, BRAKE, "brake")             \
    X(9, ALLOCATE, "allocate")       \
    X(10, OPEN, "open")              \
    X(11, FINISH, "finish")          \
    X(12, UPLOAD, "upload")          \
    X(13, DOWNLOAD, "download")      \
    X(14, SOURCE, "source")          \
    X(15, TICKET, "ticket")          \
    X(16, DISK, "disk")              \
    X(17, PIPE, "pipe")              \
    X(18, CLOSE, "close")

/* POSTPROCESS: outputs from masks; SCORES: masks from scores, also a part of postprocessing. FRAME:
 * from submission to the finished result, the latency. QUEUE: a view waits for its batch. BRAKE:
 * submitting waits for a ticket. ALLOCATE: memory of a stream is made. OPEN: before the first
 * frame. FINISH: an output is closed; CLOSE: an input is, after its outputs. UPLOAD, DOWNLOAD:
 * copies to and from a GPU, within the time of the stages. What readers and writers wait for:
 * SOURCE: its data, or the time of a live frame; TICKET: room for a frame; DISK: writing; PIPE: the
 * reader of one. */
typedef enum vrs_span_kind {
#define VRS_SPAN_ENUM(number, name, text) VRS_SPAN_##name = (number),
    VRS_SPAN_MAP(VRS_SPAN_ENUM)
#undef VRS_SPAN_ENUM
        VRS_SPAN_COUNT = 19,
} vrs_span_kind;

/* "decode", "frame", ...; static text, "unknown" for a number that is none. */
VRS_API const char *vrs_span_kind_name(vrs_span_kind kind);

/* ---- while something runs ---- */

typedef struct vrs_profile vrs_profile;

/* Starts the profile's thread. `trace_path`: the file to be written, replaced if it is there; NULL:
 * none, for vrs_profile_metrics() alone. Returns owned. VRS_NO_MEMORY, VRS_SYSTEM, VRS_PERMISSION,
 * VRS_NOT_FOUND (no such folder), VRS_IO. */
VRS_API vrs_status vrs_profile_open(const char *trace_path, vrs_profile **profile) VRS_MUST_USE;

/* Has the profile also follow every kernel of GPUs, by NVIDIA's CUPTI, which is opened at run time:
 * at its end the trace has what each took, with the node of the network that it came from. Before
 * the pipelines are made that it is to follow; one profile at a time, and costs some of the rate.
 * vrs_profile_attach() then also runs each node once for the hardware's counters, where no frame
 * was submitted yet; where they cannot be read the trace's note "counters" says why. VRS_MISSING:
 * no CUPTI, with how to get it. VRS_DEVICE: what CUPTI says. VRS_INVALID: another profile does, or
 * no trace is written. */
VRS_API vrs_status vrs_profile_follow_kernels(vrs_profile *profile) VRS_MUST_USE;

/* Notes a fact about the run, e.g. "input" and its name; `value` is cut at 511 bytes, and what is
 * not UTF-8 in it is replaced. The last value of a name counts. Any thread. */
VRS_API void vrs_profile_note(vrs_profile *profile, const char *name, const char *value);

/* Follows a pipeline from now on: its spans, queues, memory and GPU. Borrows the pipeline until
 * vrs_profile_detach(), which comes before its end. At most 64 at a time. VRS_INVALID,
 * VRS_NO_MEMORY. Any thread. */
VRS_API vrs_status vrs_profile_attach(vrs_profile *profile, vrs_pipeline *pipeline) VRS_MUST_USE;
/* Takes the rest. A pipeline that is not attached is fine. Any thread. */
VRS_API void vrs_profile_detach(vrs_profile *profile, const vrs_pipeline *pipeline);

/* Writes the metrics of now as Prometheus' text format, version 0.0.4, cut to `size` at the end of
 * a line. Returns the bytes of the whole text. Any thread. */
VRS_API size_t vrs_profile_metrics(vrs_profile *profile, char *text, size_t size);

/* Takes; NULL is fine. Everything that was attached is detached and destroyed before: what is still
 * alive of the library's host memory then, beside what was when the profile was opened, is in the
 * trace as left over. The first failure of writing the trace: VRS_NO_SPACE, VRS_IO. What was
 * written until then can be read. */
VRS_API vrs_status vrs_profile_close(vrs_profile *profile) VRS_MUST_USE;

/* ---- afterwards ---- */

typedef struct vrs_profile_report vrs_profile_report;

/* Reads a trace, whole or cut short. Memory does not depend on its length. Returns owned.
 * VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO; VRS_FORMAT: not a trace; VRS_UNSUPPORTED: of another
 * version; VRS_CORRUPT: a line in the middle is damaged (which, and how); VRS_NO_MEMORY. */
VRS_API vrs_status vrs_report_load(const char *trace_path,
                                   vrs_profile_report **report) VRS_MUST_USE;
VRS_API void vrs_report_destroy(vrs_profile_report *report);

/* Percentiles are within 2 %. */
typedef struct vrs_report_figures {
    uint64_t frames, failed, spans, lost_spans;
    double seconds, fps; /* from the first frame's submission to the last one's result */
    double latency_ms_p50, latency_ms_p95, latency_ms_p99, latency_ms_max;
    double cpu_share;         /* of the cores, mean; negative: not known */
    double peak_memory_bytes; /* resident */
    int32_t leaks;            /* owners whose memory grows steadily, or is left over at the end */
    bool cut_short;           /* the trace has no end: the run was killed, or goes on */
} vrs_report_figures;

VRS_API vrs_report_figures vrs_report_get(const vrs_profile_report *report);

/* One page with everything, no scripts and nothing from elsewhere, in place of `path` at once.
 * `old`: another report that this one is compared with, or NULL. What fails in writing a file. */
VRS_API vrs_status vrs_report_write_html(const vrs_profile_report *report,
                                         const vrs_profile_report *old,
                                         const char *path) VRS_MUST_USE;

/* The main figures as text, a line each; with `old`, what got slower or faster beyond noise. Cut to
 * `size` at the end of a line. Returns the bytes of the whole text. */
VRS_API size_t vrs_report_text(const vrs_profile_report *report, const vrs_profile_report *old,
                               char *text, size_t size);

/* The page's charts as SVG files in a folder, which is made. */
VRS_API vrs_status vrs_report_write_plots(const vrs_profile_report *report,
                                          const char *folder) VRS_MUST_USE;

/* The whole trace in the format of Chrome's traces, which Perfetto opens; or as CSV, a line for
 * each span. Both read the trace again from its file. Errors of reading and of writing. */
VRS_API vrs_status vrs_report_write_chrome(const vrs_profile_report *report,
                                           const char *path) VRS_MUST_USE;
VRS_API vrs_status vrs_report_write_csv(const vrs_profile_report *report,
                                        const char *path) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
