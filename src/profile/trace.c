#include "profile/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "base/parse.h"
#include "device/kernel_times.h"
#include "engine/report.h"
#include "profile/buffer.h"
#include "vrseg/profile.h"
#include "vrseg/system.h"

struct vrs_trace {
    FILE *file;
    char *path;
    int64_t origin_ns;
    vrs_buffer line;
    int error; /* errno of the first failure; 0: none */
    bool no_memory;
};

const char *vrs_span_kind_name(vrs_span_kind kind)
{
    static const char *const names[] = {
#define VRS_SPAN_NAME(number, name, text) [number] = (text),
        VRS_SPAN_MAP(VRS_SPAN_NAME)
#undef VRS_SPAN_NAME
    };
    return (unsigned)kind < VRS_SPAN_COUNT ? names[kind] : "unknown";
}

static void begin_line(vrs_trace *trace)
{
    trace->line.length = 0;
    trace->line.failed = false;
}

/* A line that memory was short for is left out, and the trace counts as failed. */
static void end_line(vrs_trace *trace)
{
    vrs_buffer_add(&trace->line, "\n");
    trace->no_memory = trace->no_memory || trace->line.failed;
    if (trace->line.failed || trace->error != 0)
        return;
    errno = 0;
    if (fwrite(trace->line.text, 1, trace->line.length, trace->file) != trace->line.length)
        trace->error = errno != 0 ? errno : EIO;
}

vrs_status vrs_trace_open(const char *path, int64_t origin_ns, vrs_trace **out)
{
    vrs_trace *trace = vrs_alloc(sizeof(*trace));
    if (trace == NULL)
        return VRS_NO_MEMORY;
    trace->origin_ns = origin_ns;
    trace->path = vrs_strdup(path);
    vrs_status status = trace->path == NULL ? VRS_NO_MEMORY : VRS_OK;
    if (status == VRS_OK) {
        trace->file = fopen(path, "we");
        if (trace->file == NULL)
            status = vrs_fail(vrs_errno_status(errno), "%s: cannot write a trace: %s", path,
                              vrs_errno_text(errno));
    }
    if (status != VRS_OK) {
        vrs_free(trace->path);
        vrs_free(trace);
        return status;
    }
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"vrseg_trace\":%d,\"vrseg\":\"%s\",\"unit\":\"ns\"}",
                      VRS_TRACE_VERSION, VRS_VERSION_TEXT);
    end_line(trace);
    *out = trace;
    return VRS_OK;
}

void vrs_trace_note(vrs_trace *trace, const char *name, const char *value)
{
    begin_line(trace);
    vrs_buffer_add(&trace->line, "{\"note\":[");
    vrs_buffer_json(&trace->line, name);
    vrs_buffer_add(&trace->line, ",");
    vrs_buffer_json(&trace->line, value);
    vrs_buffer_add(&trace->line, "]}");
    end_line(trace);
}

void vrs_trace_track(vrs_trace *trace, uint32_t id, const char *name, bool gpu)
{
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"track\":[%" PRIu32 ",", id);
    vrs_buffer_json(&trace->line, name);
    vrs_buffer_format(&trace->line, ",\"%s\"]}", gpu ? "gpu" : "host");
    end_line(trace);
}

void vrs_trace_span(vrs_trace *trace, uint32_t track, const vrs_span *span)
{
    begin_line(trace);
    vrs_buffer_format(&trace->line,
                      "{\"span\":[%" PRIu32 ",\"%s\",%" PRId64 ",%" PRId64 ",%" PRId64 "]}", track,
                      vrs_span_kind_name((vrs_span_kind)span->kind), span->frame,
                      span->begin_ns - trace->origin_ns, span->end_ns - span->begin_ns);
    end_line(trace);
}

void vrs_trace_sample(vrs_trace *trace, const vrs_sample *sample)
{
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"sample\":[%" PRId64 ",{",
                      sample->time_ns - trace->origin_ns);
    for (int32_t i = 0; i < sample->count; i++) {
        char number[VRS_FLOAT_TEXT_SIZE];
        vrs_format_float(number, sample->values[i].value);
        vrs_buffer_add(&trace->line, i == 0 ? "" : ",");
        vrs_buffer_json(&trace->line, sample->values[i].name);
        vrs_buffer_format(&trace->line, ":%s", number);
    }
    vrs_buffer_add(&trace->line, "}]}");
    end_line(trace);
}

void vrs_trace_lost(vrs_trace *trace, int64_t time_ns, uint64_t spans)
{
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"lost\":[%" PRId64 ",%" PRIu64 "]}",
                      time_ns - trace->origin_ns, spans);
    end_line(trace);
}

void vrs_trace_exit(vrs_trace *trace, const char *place, const vrs_left *left, int32_t count)
{
    begin_line(trace);
    vrs_buffer_add(&trace->line, "{\"exit\":[");
    vrs_buffer_json(&trace->line, place);
    vrs_buffer_add(&trace->line, ",[");
    for (int32_t i = 0; i < count; i++) {
        vrs_buffer_add(&trace->line, i == 0 ? "[" : ",[");
        vrs_buffer_json(&trace->line, left[i].owner);
        vrs_buffer_format(&trace->line, ",%" PRIu64 ",%" PRIu64 "]", left[i].bytes, left[i].blocks);
    }
    vrs_buffer_add(&trace->line, "]]}");
    end_line(trace);
}

void vrs_trace_node(vrs_trace *trace, const vrs_engine_node *node)
{
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"node\":[%d,", node->batch);
    vrs_buffer_json(&trace->line, node->name);
    vrs_buffer_add(&trace->line, ",");
    vrs_buffer_json(&trace->line, node->does);
    vrs_buffer_add(&trace->line, ",");
    vrs_buffer_json(&trace->line, node->plan);
    const double numbers[] = {node->micros, node->flops, node->bytes};
    for (int i = 0; i < 3; i++) {
        char number[VRS_FLOAT_TEXT_SIZE];
        vrs_format_float(number, numbers[i]);
        vrs_buffer_format(&trace->line, ",%s", number);
    }
    vrs_buffer_add(&trace->line, "]}");
    end_line(trace);
}

void vrs_trace_counted(vrs_trace *trace, const vrs_engine_counted *counted)
{
    const vrs_counted *c = &counted->counted;
    const double numbers[] = {c->bytes, c->tensor_percent};
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"counted\":[%d,", counted->batch);
    vrs_buffer_json(&trace->line, counted->name);
    for (int i = 0; i < 2; i++) {
        char number[VRS_FLOAT_TEXT_SIZE];
        vrs_format_float(number, numbers[i]);
        vrs_buffer_format(&trace->line, ",%s", numbers[i] >= 0 ? number : "null");
    }
    vrs_buffer_add(&trace->line, "]}");
    end_line(trace);
}

void vrs_trace_kernel(vrs_trace *trace, const vrs_kernel_time *time)
{
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"kernel\":[%d,", time->batch);
    vrs_buffer_json(&trace->line, time->node);
    vrs_buffer_add(&trace->line, ",");
    vrs_buffer_json(&trace->line, time->kernel);
    vrs_buffer_format(&trace->line, ",%" PRIu64, time->runs);
    const double numbers[] = {time->total_us, time->least_us, time->most_us};
    for (int i = 0; i < 3; i++) {
        char number[VRS_FLOAT_TEXT_SIZE];
        vrs_format_float(number, numbers[i]);
        vrs_buffer_format(&trace->line, ",%s", number);
    }
    vrs_buffer_add(&trace->line, "]}");
    end_line(trace);
}

void vrs_trace_kernel_run(vrs_trace *trace, uint32_t track, const vrs_kernel_run *run)
{
    if (run->first) {
        begin_line(trace);
        vrs_buffer_format(&trace->line, "{\"kernel_id\":[%" PRIu32 ",%d,", run->id, run->batch);
        vrs_buffer_json(&trace->line, run->node);
        vrs_buffer_add(&trace->line, ",");
        vrs_buffer_json(&trace->line, run->kernel);
        vrs_buffer_add(&trace->line, "]}");
        end_line(trace);
    }
    begin_line(trace);
    vrs_buffer_format(&trace->line,
                      "{\"kernel_run\":[%" PRIu32 ",%" PRIu32 ",%" PRId64 ",%" PRId64 "]}", track,
                      run->id, run->begin_ns - trace->origin_ns, run->end_ns - run->begin_ns);
    end_line(trace);
}

void vrs_trace_flush(vrs_trace *trace)
{
    errno = 0;
    if (trace->error == 0 && fflush(trace->file) != 0)
        trace->error = errno != 0 ? errno : EIO;
}

vrs_status vrs_trace_close(vrs_trace *trace, int64_t time_ns, uint64_t spans, uint64_t lost)
{
    if (trace == NULL)
        return VRS_OK;
    begin_line(trace);
    vrs_buffer_format(&trace->line, "{\"end\":[%" PRId64 ",%" PRIu64 ",%" PRIu64 "]}",
                      time_ns - trace->origin_ns, spans, lost);
    end_line(trace);
    errno = 0;
    if (fclose(trace->file) != 0 && trace->error == 0)
        trace->error = errno != 0 ? errno : EIO;
    vrs_status status = VRS_OK;
    if (trace->error != 0)
        status = vrs_fail(vrs_errno_status(trace->error),
                          "%s: the trace is incomplete, writing failed: %s", trace->path,
                          vrs_errno_text(trace->error));
    else if (trace->no_memory)
        status =
            vrs_fail(VRS_NO_MEMORY, "%s: the trace is incomplete, memory was short", trace->path);
    vrs_buffer_free(&trace->line);
    vrs_free(trace->path);
    vrs_free(trace);
    return status;
}
