#include "profile/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/parse.h"
#include "device/kernel_times.h"
#include "engine/report.h"
#include "pipeline/internal.h"
#include "vrseg/system.h"

/* A track keeps its last spans at least so long at any rate that a run can have. */
#define DRAIN_NS (VRS_NS_PER_S / 20)
#define SAMPLE_NS (VRS_NS_PER_S / 4)

/* ---- spans ---- */

typedef struct drain {
    vrs_profile *profile;
    vrs_followed_recorder *from;
} drain;

static void count_latency(vrs_profile *profile, int64_t length_ns)
{
    int step = 0;
    while (step < VRS_LATENCY_STEPS &&
           length_ns > vrs_latency_steps_ms[step] * (VRS_NS_PER_S / 1000))
        step++;
    profile->latencies[step]++;
}

static void take_span(void *opaque, const char *track_name, const vrs_span *span)
{
    const drain *d = opaque;
    vrs_profile *profile = d->profile;
    int64_t length_ns = span->end_ns - span->begin_ns;
    profile->spans++;
    if (span->kind < VRS_SPAN_COUNT) {
        vrs_span_totals *totals = &profile->kinds[span->kind];
        totals->count++;
        totals->busy_ns += length_ns;
        totals->max_ns = length_ns > totals->max_ns ? length_ns : totals->max_ns;
    }
    if (span->kind == VRS_SPAN_FRAME)
        count_latency(profile, length_ns);
    if (profile->trace == NULL || span->track >= VRS_PROFILE_TRACKS)
        return;
    uint32_t *id = &d->from->ids[span->track];
    if (*id == 0) {
        *id = ++profile->last_track;
        vrs_trace_track(profile->trace, *id, track_name,
                        strncmp(track_name, VRS_TRACK_GPU, strlen(VRS_TRACK_GPU)) == 0);
    }
    vrs_trace_span(profile->trace, *id, span);
}

/* With the lock held, as what follows. */
static void drain_all(vrs_profile *profile)
{
    for (int32_t i = 0; i < profile->recorder_count; i++) {
        drain d = {profile, &profile->recorders[i]};
        profile->lost += vrs_recorder_drain(d.from->recorder, take_span, &d);
    }
    if (profile->trace != NULL && profile->lost > profile->lost_told)
        vrs_trace_lost(profile->trace, vrs_now_ns(), profile->lost - profile->lost_told);
    profile->lost_told = profile->lost;
}

/* The track of a GPU's stream. */
static uint32_t kernel_track(vrs_profile *profile, const vrs_kernel_run *run)
{
    char name[32];
    int32_t i = 0;
    while (i < profile->kernel_track_count && (profile->kernel_tracks[i].device != run->device ||
                                               profile->kernel_tracks[i].stream != run->stream))
        i++;
    if (i == VRS_PROFILE_KERNEL_TRACKS)
        return profile->kernel_tracks[i - 1].id;
    if (i == profile->kernel_track_count) {
        profile->kernel_track_count++;
        profile->kernel_tracks[i].device = run->device;
        profile->kernel_tracks[i].stream = run->stream;
        profile->kernel_tracks[i].id = ++profile->last_track;
        (void)snprintf(name, sizeof(name), "kernels of gpu %u, stream %u", run->device,
                       run->stream);
        vrs_trace_track(profile->trace, profile->last_track, name, true);
    }
    return profile->kernel_tracks[i].id;
}

static void write_run(void *opaque, const vrs_kernel_run *run)
{
    vrs_profile *profile = opaque;
    vrs_trace_kernel_run(profile->trace, kernel_track(profile, run), run);
}

static void sample_now(vrs_profile *profile)
{
    if (profile->kernels_run)
        profile->kernel_runs_counted += vrs_kernel_times_drain(write_run, profile);
    vrs_profile_take_sample(profile);
    if (profile->trace != NULL)
        vrs_trace_sample(profile->trace, &profile->sample);
}

static void flush(vrs_profile *profile)
{
    if (profile->trace != NULL)
        vrs_trace_flush(profile->trace);
}

void vrs_profile_poll(vrs_profile *profile, bool sample)
{
    vrs_mutex_lock(&profile->lock);
    drain_all(profile);
    if (sample)
        sample_now(profile);
    flush(profile);
    vrs_mutex_unlock(&profile->lock);
}

static void profile_main(void *arg)
{
    vrs_profile *profile = arg;
    int64_t next_sample = vrs_now_ns();
    vrs_mutex_lock(&profile->lock);
    while (!profile->closing) {
        drain_all(profile);
        int64_t now = vrs_now_ns();
        if (now >= next_sample) {
            sample_now(profile);
            next_sample = now + SAMPLE_NS;
        }
        flush(profile);
        (void)vrs_cond_wait_until(&profile->wake, &profile->lock, now + DRAIN_NS);
    }
    vrs_mutex_unlock(&profile->lock);
}

/* ---- what is followed ---- */

vrs_status vrs_profile_follow(vrs_profile *profile, vrs_recorder *recorder)
{
    vrs_status status = VRS_OK;
    vrs_mutex_lock(&profile->lock);
    if (profile->recorder_count == VRS_PROFILE_RECORDERS) {
        status =
            vrs_fail(VRS_INVALID, "a profile follows at most %d recorders", VRS_PROFILE_RECORDERS);
    } else {
        vrs_followed_recorder *followed = &profile->recorders[profile->recorder_count++];
        memset(followed, 0, sizeof(*followed));
        followed->recorder = recorder;
    }
    vrs_mutex_unlock(&profile->lock);
    return status;
}

static void leave(vrs_profile *profile, const vrs_recorder *recorder)
{
    drain_all(profile);
    for (int32_t i = 0; i < profile->recorder_count; i++)
        if (profile->recorders[i].recorder == recorder) {
            profile->recorder_count--;
            profile->recorders[i] = profile->recorders[profile->recorder_count];
            break;
        }
}

void vrs_profile_leave(vrs_profile *profile, const vrs_recorder *recorder)
{
    vrs_mutex_lock(&profile->lock);
    leave(profile, recorder);
    vrs_mutex_unlock(&profile->lock);
}

static void note(vrs_profile *profile, const char *name, const char *value)
{
    if (profile->trace != NULL)
        vrs_trace_note(profile->trace, name, value);
}

void vrs_profile_note(vrs_profile *profile, const char *name, const char *value)
{
    char cut[VRS_DETAIL_SIZE];
    (void)snprintf(cut, sizeof(cut), "%s", value);
    vrs_mutex_lock(&profile->lock);
    note(profile, name, cut);
    vrs_mutex_unlock(&profile->lock);
}

vrs_status vrs_profile_follow_kernels(vrs_profile *profile)
{
    if (profile->trace == NULL)
        return vrs_fail(VRS_INVALID, "kernels are followed for a trace, and none is written");
    vrs_status status = vrs_kernel_times_start();
    profile->kernels = profile->kernels || status == VRS_OK;
    return status;
}

static void write_kernel(void *trace, const vrs_kernel_time *time)
{
    vrs_trace_kernel(trace, time);
}

/* Also where some could not be had: the trace then says so. */
static void write_kernels(vrs_profile *profile)
{
    char text[32];
    if (vrs_kernel_times_visit(write_kernel, profile->trace) != VRS_OK)
        vrs_trace_note(profile->trace, "kernels", vrs_last_error());
    if (profile->kernels_run)
        profile->kernel_runs_counted += vrs_kernel_times_drain(write_run, profile);
    if (profile->kernel_runs_counted > 0) {
        (void)snprintf(text, sizeof(text), "%" PRIu64, profile->kernel_runs_counted);
        vrs_trace_note(profile->trace, VRS_NOTE_RUNS_COUNTED, text);
    }
    vrs_kernel_times_stop();
}

/* What a GPU could do, for the shares of it that nodes reach. */
static void describe_peaks(vrs_profile *profile, const vrs_pipeline *pipeline)
{
    const vrs_device_properties *p = vrs_device_get_properties(pipeline->place.device);
    char text[32], how[160];
    double operations = 0;
    if (p->memory_rate > 0) {
        vrs_format_float(text, p->memory_rate);
        note(profile, VRS_NOTE_PEAK_BYTES, text);
    }
    if (vrs_peak_read(p->id, vrs_precision_name(pipeline->precision), &operations, how,
                      sizeof(how)) == VRS_OK) {
        vrs_format_float(text, operations);
        note(profile, VRS_NOTE_PEAK_OPERATIONS, text);
    }
}

static void write_counted(void *trace, const vrs_engine_counted *counted)
{
    vrs_trace_counted(trace, counted);
}

/* What the hardware counts of each node, or why that is not known: it is no error. */
static void count_nodes(vrs_profile *profile, vrs_pipeline *pipeline,
                        const vrs_pipeline_stats *stats)
{
    if (stats->submitted > 0) {
        note(profile, VRS_NOTE_COUNTERS, "frames had been submitted when the profile began");
        return;
    }
    vrs_status status = vrs_kernel_times_pause(true);
    if (status == VRS_OK)
        status = vrs_engine_count_nodes(pipeline->engine, write_counted, profile->trace);
    if (status != VRS_OK)
        note(profile, VRS_NOTE_COUNTERS, vrs_last_error());
    if (vrs_kernel_times_pause(false) != VRS_OK)
        note(profile, "kernels", vrs_last_error());
}

static void write_node(void *trace, const vrs_engine_node *node)
{
    vrs_trace_node(trace, node);
}

/* Facts about a pipeline that a report shows; with the lock held. */
static void describe(vrs_profile *profile, vrs_pipeline *pipeline)
{
    char text[64];
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    note(profile, "device", vrs_pipeline_get_device(pipeline));
    note(profile, "engine", vrs_pipeline_get_engine(pipeline));
    (void)snprintf(text, sizeof(text), "%dx%d", stats.network_width, stats.network_height);
    note(profile, "network size", text);
    for (int i = 0; i < VRS_STAGE_COUNT; i++) {
        char name[64];
        if (stats.stages[i].threads <= 0)
            continue;
        (void)snprintf(name, sizeof(name), "threads of %s", vrs_stage_name((vrs_stage)i));
        (void)snprintf(text, sizeof(text), "%d", stats.stages[i].threads);
        note(profile, name, text);
    }
    if (profile->trace != NULL)
        vrs_engine_visit_nodes(pipeline->engine, write_node, profile->trace);
    if (profile->kernels && pipeline->place.device != NULL) {
        describe_peaks(profile, pipeline);
        count_nodes(profile, pipeline, &stats);
    }
}

static bool is_watched(const vrs_profile *profile, int32_t gpu)
{
    for (int32_t i = 0; i < profile->pipeline_count; i++)
        if (profile->pipelines[i].gpu == gpu && profile->pipelines[i].monitor != NULL)
            return true;
    return false;
}

/* A GPU that nobody looks at yet; where NVML is missing the trace says so. */
static void watch_gpu(vrs_profile *profile, vrs_followed_pipeline *followed)
{
    const vrs_device *device = followed->pipeline->place.device;
    followed->gpu = -1;
    followed->monitor = NULL;
    if (device == NULL)
        return;
    const vrs_device_properties *is = vrs_device_get_properties(device);
    followed->gpu = is->number;
    if (is_watched(profile, is->number))
        return;
    if (vrs_monitor_open_pci(is->pci, &followed->monitor) != VRS_OK) {
        followed->monitor = NULL;
        note(profile, "GPU readings", vrs_last_error());
    }
}

static int32_t find(const vrs_profile *profile, const vrs_pipeline *pipeline)
{
    for (int32_t i = 0; i < profile->pipeline_count; i++)
        if (profile->pipelines[i].pipeline == pipeline)
            return i;
    return -1;
}

vrs_status vrs_profile_attach(vrs_profile *profile, vrs_pipeline *pipeline)
{
    vrs_mutex_lock(&profile->lock);
    bool there = find(profile, pipeline) >= 0;
    bool full = profile->pipeline_count == VRS_PROFILE_PIPELINES;
    if (!there && !full) {
        vrs_followed_pipeline *followed = &profile->pipelines[profile->pipeline_count];
        followed->pipeline = pipeline;
        watch_gpu(profile, followed);
        if (profile->kernels && profile->pipeline_count == 0)
            vrs_kernel_times_reset(); /* compiling was no run */
        profile->kernels_run = profile->kernels;
        profile->pipeline_count++;
        describe(profile, pipeline);
    }
    vrs_mutex_unlock(&profile->lock);
    if (there)
        return VRS_OK;
    if (full)
        return vrs_fail(VRS_INVALID, "a profile follows at most %d pipelines",
                        VRS_PROFILE_PIPELINES);
    vrs_status status = vrs_profile_follow(profile, pipeline->recorder);
    if (status != VRS_OK)
        vrs_profile_detach(profile, pipeline);
    return status;
}

void vrs_profile_detach(vrs_profile *profile, const vrs_pipeline *pipeline)
{
    vrs_mutex_lock(&profile->lock);
    int32_t i = find(profile, pipeline);
    if (i >= 0) {
        leave(profile, pipeline->recorder);
        sample_now(profile);
        vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
        profile->gone.submitted += stats.submitted;
        profile->gone.finished += stats.finished;
        profile->gone.failed += stats.failed;
        vrs_monitor_close(profile->pipelines[i].monitor);
        profile->pipeline_count--;
        profile->pipelines[i] = profile->pipelines[profile->pipeline_count];
    }
    vrs_mutex_unlock(&profile->lock);
}

/* ---- beginning and end ---- */

static void destroy(vrs_profile *profile)
{
    if (profile->has_wake)
        vrs_cond_destroy(&profile->wake);
    if (profile->has_lock)
        vrs_mutex_destroy(&profile->lock);
    vrs_free(profile->recorders);
    vrs_free(profile);
}

static vrs_status make_parts(vrs_profile *profile, const char *trace_path)
{
    profile->recorders = vrs_alloc_array(VRS_PROFILE_RECORDERS, sizeof(vrs_followed_recorder));
    vrs_status status = profile->recorders == NULL ? VRS_NO_MEMORY : VRS_OK;
    if (status == VRS_OK)
        status = vrs_mutex_init(&profile->lock);
    profile->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&profile->wake);
        profile->has_wake = status == VRS_OK;
    }
    if (status == VRS_OK && trace_path != NULL)
        status = vrs_trace_open(trace_path, vrs_now_ns(), &profile->trace);
    return status;
}

static void describe_machine(vrs_profile *profile)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%d", vrs_cpu_count());
    note(profile, "processor", vrs_cpu_name());
    note(profile, "cores", text);
}

vrs_status vrs_profile_open(const char *trace_path, vrs_profile **out)
{
    size_t live = vrs_resources_live(), bytes = vrs_alloc_bytes_live();
    vrs_profile *profile = vrs_alloc(sizeof(*profile));
    if (profile == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = make_parts(profile, trace_path);
    if (status == VRS_OK) {
        describe_machine(profile);
        profile->live_before = live;
        profile->bytes_before = bytes;
        profile->own_live = vrs_resources_live() - live;
        profile->own_bytes = vrs_alloc_bytes_live() - bytes;
        profile->sampled_ns = vrs_now_ns();
        status = vrs_thread_start(&profile->thread, "vrs-profile", profile_main, profile);
    }
    if (status != VRS_OK) {
        vrs_status closed = vrs_trace_close(profile->trace, 0, 0, 0);
        destroy(profile);
        return closed == VRS_OK ? status : vrs_fail_in(status, "opening a profile");
    }
    *out = profile;
    return VRS_OK;
}

void vrs_profile_exit(vrs_profile *profile, const vrs_memory *memory)
{
    static const char *const names[VRS_MEMORY_PLACES] = {"device", "pinned"};
    vrs_mutex_lock(&profile->lock);
    for (int place = 0; place < VRS_MEMORY_PLACES && profile->trace != NULL; place++) {
        vrs_left left[VRS_MEMORY_OWNERS];
        vrs_memory_stats stats;
        int32_t count = 0;
        vrs_memory_get_stats(memory, (vrs_memory_place)place, &stats);
        for (int i = 0; i < VRS_MEMORY_FIRST_MEASURED; i++)
            if (stats.owners[i].used > 0)
                left[count++] = (vrs_left){vrs_memory_owner_name((vrs_memory_owner)i),
                                           stats.owners[i].used, stats.owners[i].blocks};
        vrs_trace_exit(profile->trace, names[place], left, count);
    }
    vrs_mutex_unlock(&profile->lock);
}

static size_t beyond(size_t now, size_t before)
{
    return now > before ? now - before : 0;
}

static void write_host_exit(vrs_profile *profile)
{
    vrs_left left = {
        .owner = "host memory",
        .bytes = beyond(vrs_alloc_bytes_live(), profile->bytes_before + profile->own_bytes),
        .blocks = beyond(vrs_resources_live(), profile->live_before + profile->own_live),
    };
    vrs_trace_exit(profile->trace, "host", &left, left.blocks > 0 ? 1 : 0);
}

vrs_status vrs_profile_close(vrs_profile *profile)
{
    if (profile == NULL)
        return VRS_OK;
    vrs_mutex_lock(&profile->lock);
    drain_all(profile);
    profile->closing = true;
    vrs_cond_broadcast(&profile->wake);
    vrs_mutex_unlock(&profile->lock);
    vrs_thread_join(&profile->thread);
    for (int32_t i = 0; i < profile->pipeline_count; i++)
        vrs_monitor_close(profile->pipelines[i].monitor);
    if (profile->kernels)
        write_kernels(profile);
    if (profile->trace != NULL) /* the thread and what was made for its start are gone */
        write_host_exit(profile);
    vrs_status status =
        vrs_trace_close(profile->trace, vrs_now_ns(), profile->spans, profile->lost);
    destroy(profile);
    return status;
}
