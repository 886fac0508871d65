#include "profile/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- bins ---- */

/* Twice as wide: two bins become one. */
static void widen(vrs_profile_report *report)
{
    for (int32_t i = 0; i < report->kind_count; i++) {
        vrs_kind_figures *kind = &report->kinds[i];
        for (int32_t b = 0; b < VRS_BINS; b++) {
            bool kept = b < VRS_BINS / 2;
            kind->bin_count[b] = kept ? kind->bin_count[2 * b] + kind->bin_count[2 * b + 1] : 0;
            kind->bin_sum_ns[b] = kept ? kind->bin_sum_ns[2 * b] + kind->bin_sum_ns[2 * b + 1] : 0;
        }
    }
    for (int32_t i = 0; i < report->series_count; i++) {
        vrs_series *s = &report->series[i];
        for (int32_t b = 0; b < VRS_BINS; b++) {
            bool kept = b < VRS_BINS / 2;
            double max = kept ? fmax(s->max[2 * b], s->max[2 * b + 1]) : 0;
            if (kept && s->count[2 * b] == 0)
                max = s->max[2 * b + 1];
            s->sum[b] = kept ? s->sum[2 * b] + s->sum[2 * b + 1] : 0;
            s->count[b] = kept ? s->count[2 * b] + s->count[2 * b + 1] : 0;
            s->max[b] = max;
        }
    }
    report->bin_ns *= 2;
}

static int32_t bin_of(vrs_profile_report *report, int64_t time_ns)
{
    time_ns = time_ns < 0 ? 0 : time_ns;
    while (time_ns / report->bin_ns >= VRS_BINS)
        widen(report);
    report->end_ns = time_ns > report->end_ns ? time_ns : report->end_ns;
    return (int32_t)(time_ns / report->bin_ns);
}

int32_t vrs_report_bins(const vrs_profile_report *report)
{
    return (int32_t)(report->end_ns / report->bin_ns) + 1;
}

/* ---- buckets ---- */

int32_t vrs_bucket_of(int64_t length_ns)
{
    uint64_t value = length_ns < 0 ? 0 : (uint64_t)length_ns;
    int32_t shift = 0;
    while (value >> shift >= 64)
        shift++;
    int32_t bucket = value < 32 ? (int32_t)value : 32 * shift + (int32_t)(value >> shift);
    return bucket < VRS_BUCKETS ? bucket : VRS_BUCKETS - 1;
}

double vrs_bucket_middle_ns(int32_t bucket)
{
    if (bucket < 64)
        return bucket;
    int32_t shift = bucket / 32 - 1;
    return ldexp((double)(bucket - 32 * shift) + 0.5, shift);
}

double vrs_kind_percentile_ns(const vrs_kind_figures *kind, double share)
{
    double wanted = share * (double)kind->count;
    uint64_t seen = 0;
    for (int32_t i = 0; i < VRS_BUCKETS; i++) {
        seen += kind->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return fmin(vrs_bucket_middle_ns(i), (double)kind->max_ns);
    }
    return (double)kind->max_ns;
}

/* ---- finding ---- */

const vrs_kind_figures *vrs_report_kind(const vrs_profile_report *report, const char *name)
{
    for (int32_t i = 0; i < report->kind_count; i++)
        if (strcmp(report->kinds[i].name, name) == 0)
            return &report->kinds[i];
    return NULL;
}

const vrs_series *vrs_report_series(const vrs_profile_report *report, const char *name)
{
    for (int32_t i = 0; i < report->series_count; i++)
        if (strcmp(report->series[i].name, name) == 0)
            return &report->series[i];
    return NULL;
}

const char *vrs_report_note_of(const vrs_profile_report *report, const char *name,
                               const char *otherwise)
{
    for (int32_t i = 0; i < report->note_count; i++)
        if (strcmp(report->notes[i].name, name) == 0)
            return report->notes[i].text;
    return otherwise;
}

double vrs_series_mean(const vrs_series *series)
{
    double sum = 0;
    uint64_t count = 0;
    for (int32_t b = 0; b < VRS_BINS && series != NULL; b++) {
        sum += series->sum[b];
        count += series->count[b];
    }
    return count > 0 ? sum / (double)count : -1;
}

/* ---- adding; what is more than there is room for is left out ---- */

static void add_span(vrs_profile_report *report, const vrs_event *event)
{
    /* Twice at the most 10^18: within 64 bits. */
    int64_t end_ns = event->time_ns + event->length_ns;
    int32_t bin = bin_of(report, end_ns);
    vrs_kind_figures *kind = (vrs_kind_figures *)(uintptr_t)vrs_report_kind(report, event->name);
    report->spans++;
    if (kind == NULL) {
        if (report->kind_count == VRS_REPORT_KINDS)
            return;
        kind = &report->kinds[report->kind_count++];
        (void)snprintf(kind->name, sizeof(kind->name), "%s", event->name);
    }
    kind->count++;
    kind->sum_ns += (double)event->length_ns;
    kind->max_ns = event->length_ns > kind->max_ns ? event->length_ns : kind->max_ns;
    kind->buckets[vrs_bucket_of(event->length_ns)]++;
    kind->bin_count[bin]++;
    kind->bin_sum_ns[bin] += (double)event->length_ns;
    if (strcmp(event->name, vrs_span_kind_name(VRS_SPAN_FRAME)) != 0)
        return;
    if (kind->count == 1 || event->time_ns < report->first_frame_ns)
        report->first_frame_ns = event->time_ns;
    if (kind->count == 1 || end_ns > report->last_frame_ns)
        report->last_frame_ns = end_ns;
}

static void add_value(vrs_profile_report *report, const vrs_event *event)
{
    int32_t bin = bin_of(report, event->time_ns);
    double value = event->numbers[0];
    vrs_series *s = (vrs_series *)(uintptr_t)vrs_report_series(report, event->name);
    if (s == NULL) {
        if (report->series_count == VRS_REPORT_SERIES)
            return;
        s = &report->series[report->series_count++];
        (void)snprintf(s->name, sizeof(s->name), "%s", event->name);
        s->most = value;
    }
    s->max[bin] = s->count[bin] == 0 ? value : fmax(s->max[bin], value);
    s->sum[bin] += value;
    s->count[bin]++;
    s->last = value;
    s->most = fmax(s->most, value);
}

static void add_note(vrs_profile_report *report, const vrs_event *event)
{
    int32_t i = 0;
    while (i < report->note_count && strcmp(report->notes[i].name, event->name) != 0)
        i++;
    if (i == VRS_REPORT_NOTES)
        return;
    report->note_count += i == report->note_count ? 1 : 0;
    (void)snprintf(report->notes[i].name, sizeof(report->notes[i].name), "%s", event->name);
    (void)snprintf(report->notes[i].text, sizeof(report->notes[i].text), "%s", event->text);
}

static void add_node(vrs_profile_report *report, const vrs_event *event)
{
    if (report->node_count == VRS_REPORT_NODES) {
        report->nodes_beyond++;
        return;
    }
    vrs_report_node *node = &report->nodes[report->node_count++];
    node->batch = event->batch;
    (void)snprintf(node->name, sizeof(node->name), "%s", event->name);
    (void)snprintf(node->does, sizeof(node->does), "%s", event->text);
    (void)snprintf(node->plan, sizeof(node->plan), "%s", event->plan);
    node->micros = event->numbers[0];
    node->flops = event->numbers[1];
    node->bytes = event->numbers[2];
    node->counted_bytes = node->tensor_percent = -1;
}

/* Of a node, whose line comes before. */
static void add_counted(vrs_profile_report *report, const vrs_event *event)
{
    for (int32_t i = 0; i < report->node_count; i++) {
        vrs_report_node *node = &report->nodes[i];
        if (node->batch != event->batch || strcmp(node->name, event->name) != 0)
            continue;
        node->counted_bytes = event->numbers[0];
        node->tensor_percent = event->numbers[1];
        report->counted = true;
        return;
    }
}

/* The longest come first; what is beyond the room hardly counts. */
static void add_kernel(vrs_profile_report *report, const vrs_event *event)
{
    if (report->kernel_count == VRS_REPORT_KERNELS)
        return;
    vrs_report_kernel *kernel = &report->kernels[report->kernel_count++];
    kernel->batch = event->batch;
    (void)snprintf(kernel->node, sizeof(kernel->node), "%s", event->name);
    (void)snprintf(kernel->kernel, sizeof(kernel->kernel), "%s", event->text);
    kernel->runs = event->counts[0];
    kernel->total_us = event->numbers[0];
    kernel->least_us = event->numbers[1];
    kernel->most_us = event->numbers[2];
}

static void add_kernel_id(vrs_profile_report *report, const vrs_event *event)
{
    if (event->counts[0] > VRS_REPORT_KERNELS)
        return;
    vrs_report_kernel_id *kernel = &report->kernel_ids[event->counts[0] - 1];
    kernel->batch = event->batch;
    (void)snprintf(kernel->node, sizeof(kernel->node), "%s", event->name);
    (void)snprintf(kernel->kernel, sizeof(kernel->kernel), "%s", event->text);
}

/* Several GPUs have places of the same name. */
static void add_exit(vrs_profile_report *report, const char *place)
{
    for (int32_t i = 0; i < report->exit_count; i++)
        if (strcmp(report->exits[i], place) == 0)
            return;
    if (report->exit_count < VRS_REPORT_EXITS)
        (void)snprintf(report->exits[report->exit_count++], sizeof(report->exits[0]), "%s", place);
}

static void add_left(vrs_profile_report *report, const vrs_event *event)
{
    if (event->counts[0] == 0 && event->counts[1] == 0)
        return;
    if (report->left_count == VRS_REPORT_LEFT)
        return;
    vrs_report_left *left = &report->left[report->left_count++];
    (void)snprintf(left->place, sizeof(left->place), "%s", event->name);
    (void)snprintf(left->owner, sizeof(left->owner), "%s", event->text);
    left->bytes = event->counts[0];
    left->blocks = event->counts[1];
}

vrs_status vrs_figures_add(void *opaque, const vrs_event *event)
{
    vrs_profile_report *report = opaque;
    switch (event->type) {
    case VRS_EVENT_SPAN:
        add_span(report, event);
        break;
    case VRS_EVENT_VALUE:
        add_value(report, event);
        break;
    case VRS_EVENT_NOTE:
        add_note(report, event);
        break;
    case VRS_EVENT_TRACK:
        if (event->track < VRS_REPORT_TRACKS)
            (void)snprintf(report->tracks[event->track], sizeof(report->tracks[0]), "%s",
                           event->name);
        report->gpu_tracks = report->gpu_tracks || event->gpu;
        break;
    case VRS_EVENT_NODE:
        add_node(report, event);
        break;
    case VRS_EVENT_COUNTED:
        add_counted(report, event);
        break;
    case VRS_EVENT_KERNEL:
        add_kernel(report, event);
        break;
    case VRS_EVENT_KERNEL_ID:
        add_kernel_id(report, event);
        break;
    case VRS_EVENT_KERNEL_RUN:
        report->kernel_runs++;
        break;
    case VRS_EVENT_EXIT:
        add_exit(report, event->name);
        break;
    case VRS_EVENT_LEFT:
        add_left(report, event);
        break;
    case VRS_EVENT_LOST:
        report->lost += event->counts[0] < UINT64_MAX / 2 ? event->counts[0] : 0;
        break;
    case VRS_EVENT_END:
        (void)bin_of(report, event->time_ns);
        break;
    }
    return VRS_OK;
}

/* ---- what follows ---- */

static double threads_of(const vrs_profile_report *report, const char *stage)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "threads of %s", stage);
    double threads = (double)strtol(vrs_report_note_of(report, name, "1"), NULL, 10);
    return threads >= 1 ? threads : 1;
}

double vrs_report_busy(const vrs_profile_report *report, const char *stage)
{
    const vrs_kind_figures *kind = vrs_report_kind(report, stage);
    double seconds = (double)(report->last_frame_ns - report->first_frame_ns) / 1e9;
    double busy_ns = kind != NULL ? kind->sum_ns : 0;
    if (strcmp(stage, vrs_span_kind_name(VRS_SPAN_POSTPROCESS)) == 0) {
        const vrs_kind_figures *scores =
            vrs_report_kind(report, vrs_span_kind_name(VRS_SPAN_SCORES));
        busy_ns += scores != NULL ? scores->sum_ns : 0;
    }
    return seconds > 0 ? busy_ns / 1e9 / seconds / threads_of(report, stage) : 0;
}

void vrs_report_bottleneck(const vrs_profile_report *report, char *text, size_t size)
{
    const char *said = vrs_report_note_of(report, "bottleneck", "");
    double most = 0;
    int stage = 0;
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        double busy = vrs_report_busy(report, vrs_stage_name((vrs_stage)i));
        stage = busy > most ? i : stage;
        most = fmax(most, busy);
    }
    if (said[0] != 0)
        (void)snprintf(text, size, "%s", said);
    else if (most > 0)
        (void)snprintf(text, size,
                       "the run itself said nothing; its busiest stage is %s, which worked %.0f %% "
                       "of the time",
                       vrs_stage_name((vrs_stage)stage), 100 * most);
    else
        (void)snprintf(text, size, "not known: the trace holds no frames");
}
