/* Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/ */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "profile/buffer.h"
#include "profile/profile.h"
#include "vrseg/system.h"

const int32_t vrs_latency_steps_ms[VRS_LATENCY_STEPS] = {1,   2,   5,   10,   20,   30,   50,
                                                         100, 200, 500, 1000, 2000, 5000, 10000};

static void head(vrs_buffer *out, const char *name, const char *type, const char *help)
{
    vrs_buffer_format(out, "# HELP vrseg_%s %s\n# TYPE vrseg_%s %s\n", name, help, name, type);
}

static void add_number(vrs_buffer *out, double value)
{
    char number[VRS_FLOAT_TEXT_SIZE];
    vrs_format_float(number, value);
    vrs_buffer_format(out, "%s\n", number);
}

static void one(vrs_buffer *out, const char *name, const char *type, const char *help, double value)
{
    head(out, name, type, help);
    vrs_buffer_format(out, "vrseg_%s ", name);
    add_number(out, value);
}

static void add_kinds(vrs_buffer *out, const vrs_profile *profile)
{
    head(out, "spans_total", "counter", "Spans by what they are.");
    for (int i = 0; i < VRS_SPAN_COUNT; i++)
        vrs_buffer_format(out, "vrseg_spans_total{kind=\"%s\"} %" PRIu64 "\n",
                          vrs_span_kind_name((vrs_span_kind)i), profile->kinds[i].count);
    head(out, "busy_seconds_total", "counter", "Time in spans, summed over threads.");
    for (int i = 0; i < VRS_SPAN_COUNT; i++) {
        vrs_buffer_format(out, "vrseg_busy_seconds_total{kind=\"%s\"} ",
                          vrs_span_kind_name((vrs_span_kind)i));
        add_number(out, (double)profile->kinds[i].busy_ns / 1e9);
    }
    one(out, "spans_lost_total", "counter", "Spans that were overwritten before they were read.",
        (double)profile->lost);
}

static void add_latency(vrs_buffer *out, const vrs_profile *profile)
{
    uint64_t sum = 0;
    head(out, "frame_latency_seconds", "histogram", "From submission to the finished result.");
    for (int i = 0; i < VRS_LATENCY_STEPS; i++) {
        char step[VRS_FLOAT_TEXT_SIZE];
        sum += profile->latencies[i];
        vrs_format_float(step, vrs_latency_steps_ms[i] / 1000.0);
        vrs_buffer_format(out, "vrseg_frame_latency_seconds_bucket{le=\"%s\"} %" PRIu64 "\n", step,
                          sum);
    }
    sum += profile->latencies[VRS_LATENCY_STEPS];
    vrs_buffer_format(out, "vrseg_frame_latency_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n", sum);
    vrs_buffer_add(out, "vrseg_frame_latency_seconds_sum ");
    add_number(out, (double)profile->kinds[VRS_SPAN_FRAME].busy_ns / 1e9);
    vrs_buffer_format(out, "vrseg_frame_latency_seconds_count %" PRIu64 "\n", sum);
}

static void add_frames(vrs_buffer *out, const vrs_profile *profile)
{
    vrs_frame_counts frames = vrs_profile_frames(profile);
    one(out, "frames_submitted_total", "counter", "Frames taken in.", (double)frames.submitted);
    one(out, "frames_finished_total", "counter", "Frames with a result, failed ones too.",
        (double)frames.finished);
    one(out, "frames_failed_total", "counter", "Frames whose result says why there is none.",
        (double)frames.failed);
}

/* Names of a sample's values that make one metric: the rest of the name is its label. */
static const struct {
    const char *prefix, *metric, *label, *help;
} groups[] = {
    {"cpu", "cpu_share", NULL, "Processor time over what the cores could give, 0 to 1."},
    {"resident", "resident_bytes", NULL, "Memory of the process that is in RAM."},
    {"tickets in use", "frames_in_flight", NULL, "Frames between submission and release."},
    {"free slots", "free_slots", NULL, "Requests of the network that wait for a batch."},
    {"queue ", "queue_depth", "queue", "Items that wait for a stage."},
    {"host/bytes", "host_bytes", NULL, "Host memory that the library holds."},
    {"host/blocks", "host_blocks", NULL, "Blocks, threads and locks that the library holds."},
    {"device/", "device_bytes", "owner", "Memory of the device by what it is for."},
    {"pinned/", "pinned_bytes", "owner", "Pinned host memory by what it is for."},
    {"gpu", "gpu", "reading", "Readings of NVML: percent, bytes, MHz, watts, degrees."},
};

static void add_group(vrs_buffer *out, const vrs_sample *sample, size_t group)
{
    const char *prefix = groups[group].prefix, *label = groups[group].label;
    bool begun = false;
    for (int32_t i = 0; i < sample->count; i++) {
        const char *name = sample->values[i].name, *rest = name + strlen(prefix);
        if (label == NULL ? strcmp(name, prefix) != 0 : strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        if (!begun)
            head(out, groups[group].metric, "gauge", groups[group].help);
        begun = true;
        vrs_buffer_format(out, "vrseg_%s", groups[group].metric);
        if (strcmp(prefix, "gpu") == 0) {
            vrs_buffer_format(out, "{gpu=\"%.*s\"", (int)strcspn(rest, " "), rest);
            rest += strcspn(rest, " ") + (strchr(rest, ' ') != NULL ? 1 : 0);
            vrs_buffer_format(out, ",%s=\"%s\"}", label, rest);
        } else if (label != NULL) {
            vrs_buffer_format(out, "{%s=\"%s\"}", label, rest);
        }
        vrs_buffer_add(out, " ");
        add_number(out, sample->values[i].value);
    }
}

size_t vrs_profile_metrics(vrs_profile *profile, char *text, size_t size)
{
    vrs_buffer out = {0};
    vrs_profile_poll(profile, false);
    vrs_mutex_lock(&profile->lock);
    head(&out, "info", "gauge", "The version that is running.");
    vrs_buffer_format(&out, "vrseg_info{version=\"%s\"} 1\n", VRS_VERSION_TEXT);
    add_frames(&out, profile);
    add_latency(&out, profile);
    add_kinds(&out, profile);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        add_group(&out, &profile->sample, i);
    vrs_mutex_unlock(&profile->lock);
    size_t length = vrs_buffer_copy(&out, text, size);
    vrs_buffer_free(&out);
    return length;
}
