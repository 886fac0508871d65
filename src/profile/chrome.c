/* Traces in other formats, written while the trace is read again.
 *
 * Chrome's: the JSON array of "Trace Event Format" (Google, 2016), which Perfetto reads. Spans that
 * follow each other on their track are complete events ("X"); those of several frames at once are
 * pairs of asynchronous ones ("b", "e"), as complete events must not overlap. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "base/file.h"
#include "base/parse.h"
#include "profile/buffer.h"
#include "profile/figures.h"

#define HOST 1
#define GPU 2

/* Kernels of a stream may run side by side, and complete events of a thread may not: such a stream
 * has several threads, told apart by a number that no track has. */
#define STREAMS 32
#define LANES 8
#define LANE_STEP (1u << 21)

typedef struct kernel_stream {
    uint32_t track;
    int32_t lanes;
    int64_t ends[LANES];
} kernel_stream;

typedef struct writer {
    const vrs_profile_report *report;
    FILE *file;
    kernel_stream streams[STREAMS];
    int32_t stream_count;
    vrs_buffer line;
    bool gpu[VRS_REPORT_TRACKS];
    char tracks[VRS_REPORT_TRACKS][32];
    uint64_t written, pairs; /* events; pairs of asynchronous ones */
    vrs_status (*write)(struct writer *w, const vrs_event *event);
} writer;

static vrs_status put(writer *w)
{
    vrs_status status = vrs_buffer_status(&w->line);
    if (status == VRS_OK && w->line.length > 0)
        (void)fwrite(w->line.text, 1, w->line.length, w->file); /* asked for once, at the end */
    w->line.length = 0;
    return status;
}

static void begin_event(writer *w)
{
    vrs_buffer_add(&w->line, w->written++ == 0 ? "\n" : ",\n");
}

static void microseconds(writer *w, const char *name, int64_t ns)
{
    vrs_buffer_format(&w->line, ",\"%s\":%s%" PRId64 ".%03d", name, ns < 0 ? "-" : "",
                      (ns < 0 ? -ns : ns) / 1000, (int)((ns < 0 ? -ns : ns) % 1000));
}

/* On a GPU batches overlap, and so do the times at which the host saw them end. */
static bool overlaps(const char *kind, bool gpu)
{
    return gpu || strcmp(kind, "frame") == 0 || strcmp(kind, "queue") == 0 ||
           strcmp(kind, "infer") == 0 || strcmp(kind, "brake") == 0 ||
           strcmp(kind, "allocate") == 0; /* several may submit */
}

static void add_half(writer *w, const vrs_event *e, bool gpu, bool begins)
{
    begin_event(w);
    vrs_buffer_add(&w->line, "{\"name\":");
    vrs_buffer_json(&w->line, e->name);
    vrs_buffer_format(&w->line,
                      ",\"cat\":\"vrseg\",\"ph\":\"%s\",\"id\":\"%" PRIu64
                      "\",\"pid\":%d,\"tid\":%" PRIu32,
                      begins ? "b" : "e", w->pairs, gpu ? GPU : HOST, e->track);
    microseconds(w, "ts", e->time_ns + (begins ? 0 : e->length_ns));
    vrs_buffer_format(&w->line, ",\"args\":{\"frame\":%" PRId64 "}}", e->frame);
}

static void add_span(writer *w, const vrs_event *e)
{
    bool gpu = e->track < VRS_REPORT_TRACKS && w->gpu[e->track];
    if (overlaps(e->name, gpu)) {
        add_half(w, e, gpu, true);
        add_half(w, e, gpu, false);
        w->pairs++;
        return;
    }
    begin_event(w);
    vrs_buffer_add(&w->line, "{\"name\":");
    vrs_buffer_json(&w->line, e->name);
    vrs_buffer_format(&w->line, ",\"cat\":\"vrseg\",\"ph\":\"X\",\"pid\":%d,\"tid\":%" PRIu32, HOST,
                      e->track);
    microseconds(w, "ts", e->time_ns);
    microseconds(w, "dur", e->length_ns);
    vrs_buffer_format(&w->line, ",\"args\":{\"frame\":%" PRId64 "}}", e->frame);
}

static void add_name(writer *w, const char *what, int process, uint32_t track, const char *name)
{
    begin_event(w);
    vrs_buffer_format(
        &w->line,
        "{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%d,\"tid\":%" PRIu32 ",\"args\":{\"name\":", what,
        process, track);
    vrs_buffer_json(&w->line, name);
    vrs_buffer_add(&w->line, "}}");
}

static kernel_stream *stream_of(writer *w, uint32_t track)
{
    int32_t i = 0;
    while (i < w->stream_count && w->streams[i].track != track)
        i++;
    if (i == STREAMS)
        return NULL;
    if (i == w->stream_count)
        w->streams[w->stream_count++] = (kernel_stream){.track = track};
    return &w->streams[i];
}

/* The thread in which a kernel has nothing beside it; 0: in none. */
static uint32_t kernel_thread(writer *w, const vrs_event *e)
{
    kernel_stream *s = stream_of(w, e->track);
    int32_t lane = 0;
    while (s != NULL && lane < s->lanes && s->ends[lane] > e->time_ns)
        lane++;
    if (s == NULL || lane == LANES)
        return 0;
    uint32_t thread = e->track + (uint32_t)lane * LANE_STEP;
    if (lane == s->lanes) {
        s->lanes++;
        if (lane > 0)
            add_name(w, "thread_name", GPU, thread,
                     e->track < VRS_REPORT_TRACKS ? w->report->tracks[e->track] : "kernels");
    }
    s->ends[lane] = e->time_ns + e->length_ns;
    return thread;
}

/* By the name of the network's node. More side by side than there are threads are left out. */
static void add_kernel(writer *w, const vrs_event *e)
{
    const vrs_report_kernel_id *is = vrs_report_kernel_of(w->report, e->counts[0]);
    uint32_t thread = kernel_thread(w, e);
    if (thread == 0)
        return;
    begin_event(w);
    vrs_buffer_add(&w->line, "{\"name\":");
    vrs_buffer_json(&w->line, vrs_report_kernel_name(w->report, e->counts[0]));
    vrs_buffer_format(&w->line, ",\"cat\":\"kernel\",\"ph\":\"X\",\"pid\":%d,\"tid\":%" PRIu32, GPU,
                      thread);
    microseconds(w, "ts", e->time_ns);
    microseconds(w, "dur", e->length_ns);
    vrs_buffer_add(&w->line, ",\"args\":{\"kernel\":");
    vrs_buffer_json(&w->line, is != NULL ? is->kernel : "");
    vrs_buffer_format(&w->line, ",\"batch\":%d}}", is != NULL ? is->batch : 0);
}

static void add_counter(writer *w, const vrs_event *e)
{
    char number[VRS_FLOAT_TEXT_SIZE];
    vrs_format_float(number, e->numbers[0]);
    begin_event(w);
    vrs_buffer_add(&w->line, "{\"name\":");
    vrs_buffer_json(&w->line, e->name);
    vrs_buffer_format(&w->line, ",\"ph\":\"C\",\"pid\":%d,\"tid\":0",
                      strncmp(e->name, "gpu", 3) == 0 ? GPU : HOST);
    microseconds(w, "ts", e->time_ns);
    vrs_buffer_format(&w->line, ",\"args\":{\"value\":%s}}", number);
}

static vrs_status write_chrome(writer *w, const vrs_event *event)
{
    switch (event->type) {
    case VRS_EVENT_TRACK:
        if (event->track < VRS_REPORT_TRACKS)
            w->gpu[event->track] = event->gpu;
        add_name(w, "thread_name", event->gpu ? GPU : HOST, event->track, event->name);
        break;
    case VRS_EVENT_SPAN:
        add_span(w, event);
        break;
    case VRS_EVENT_KERNEL_RUN:
        add_kernel(w, event);
        break;
    case VRS_EVENT_VALUE:
        add_counter(w, event);
        break;
    default:
        break;
    }
    return put(w);
}

/* ---- CSV, RFC 4180 ---- */

static void add_csv_text(vrs_buffer *out, const char *text)
{
    vrs_buffer clean = {0};
    vrs_buffer_json(&clean, text); /* without control characters and what is no UTF-8 */
    out->failed = out->failed || clean.failed;
    vrs_buffer_add(out, "\"");
    for (size_t i = 1; i + 1 < clean.length; i++) {
        char byte[3] = {clean.text[i], 0, 0};
        if (byte[0] == '\\')
            byte[0] = clean.text[++i];
        if (byte[0] == '"')
            byte[1] = '"';
        vrs_buffer_add(out, byte);
    }
    vrs_buffer_add(out, "\"");
    vrs_buffer_free(&clean);
}

static vrs_status write_csv(writer *w, const vrs_event *event)
{
    if (event->type == VRS_EVENT_TRACK && event->track < VRS_REPORT_TRACKS) {
        w->gpu[event->track] = event->gpu;
        (void)snprintf(w->tracks[event->track], sizeof(w->tracks[0]), "%s", event->name);
    }
    if (event->type != VRS_EVENT_SPAN)
        return VRS_OK;
    uint32_t track = event->track < VRS_REPORT_TRACKS ? event->track : 0;
    vrs_buffer_format(&w->line, "%" PRIu32 ",", event->track);
    add_csv_text(&w->line, w->tracks[track]);
    vrs_buffer_format(&w->line, ",%s,", w->gpu[track] ? "gpu" : "host");
    add_csv_text(&w->line, event->name);
    vrs_buffer_format(&w->line, ",%" PRId64 ",%" PRId64 ",%" PRId64 "\r\n", event->frame,
                      event->time_ns, event->length_ns);
    return put(w);
}

/* ---- files ---- */

static vrs_status visit(void *opaque, const vrs_event *event)
{
    writer *w = opaque;
    return w->write(w, event);
}

/* `part`: what is removed after a failure, or NULL. */
static vrs_status finish(writer *w, const char *part, const char *path, vrs_status status)
{
    errno = 0;
    bool bad = ferror(w->file) != 0;
    bool closed = fclose(w->file) == 0;
    if (status == VRS_OK && (bad || !closed))
        status = vrs_fail(vrs_errno_status(errno != 0 ? errno : EIO), "%s: cannot write it: %s",
                          path, vrs_errno_text(errno != 0 ? errno : EIO));
    if (status != VRS_OK && part != NULL)
        (void)unlink(part);
    return status;
}

static vrs_status write_all(writer *w, const vrs_profile_report *report, const char *head,
                            const char *tail)
{
    vrs_buffer_add(&w->line, head);
    if (w->write == write_chrome) {
        add_name(w, "process_name", HOST, 0, "vrseg, host");
        add_name(w, "process_name", GPU, 0, "vrseg, GPU");
    }
    vrs_status status = put(w);
    if (status == VRS_OK)
        status = vrs_trace_read(report->path, visit, w, NULL);
    vrs_buffer_add(&w->line, tail);
    return status == VRS_OK ? put(w) : status;
}

/* Into a file beside `path`, which then takes its place; straight into a device or a pipe. */
static vrs_status convert(const vrs_profile_report *report, const char *path,
                          vrs_status (*write)(writer *, const vrs_event *), const char *head,
                          const char *tail)
{
    char part[VRS_PATH_MAX];
    bool special = vrs_file_is_special(path);
    vrs_status status =
        special ? vrs_path_format(part, sizeof(part), "%s", path)
                : vrs_path_format(part, sizeof(part), "%s.%ld.part", path, (long)getpid());
    if (status != VRS_OK)
        return status;
    writer *w = vrs_alloc(sizeof(*w));
    if (w == NULL)
        return VRS_NO_MEMORY;
    w->report = report;
    w->write = write;
    w->file = fopen(part, special ? "we" : "wxe");
    if (w->file == NULL) {
        status = vrs_fail(vrs_errno_status(errno), "%s: cannot write it: %s", path,
                          vrs_errno_text(errno));
    } else {
        status = write_all(w, report, head, tail);
        status = finish(w, special ? NULL : part, path, status);
    }
    if (status == VRS_OK && !special && rename(part, path) != 0) {
        status = vrs_fail(vrs_errno_status(errno), "%s: cannot write it: %s", path,
                          vrs_errno_text(errno));
        (void)unlink(part);
    }
    vrs_buffer_free(&w->line);
    vrs_free(w);
    return status;
}

vrs_status vrs_report_write_chrome(const vrs_profile_report *report, const char *path)
{
    return convert(report, path, write_chrome, "[", "\n]\n");
}

vrs_status vrs_report_write_csv(const vrs_profile_report *report, const char *path)
{
    return convert(report, path, write_csv, "track,thread,place,kind,frame,begin_ns,length_ns\r\n",
                   "");
}
