/* A job: its inputs and outputs, and the calling thread's part of the run. */
#include "vrseg/job.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "media/job/job_internal.h"
#include "vrseg/profile.h"

/* So often the times of threads are read while encoders end, which work off what they hold back. */
#define VRS_END_TICK_US 50000

vrs_status vrs_job_create(const vrs_config *config, const char *input, vrs_job **out)
{
    vrs_job *job = vrs_alloc(sizeof(*job));
    if (job == NULL)
        return VRS_NO_MEMORY;
    job->config = config;
    job->preview_output = -1;
    vrs_status status = vrs_mutex_init(&job->lock);
    job->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&job->changed);
        job->has_changed = status == VRS_OK;
    }
    if (status == VRS_OK && input != NULL)
        status = vrs_job_add_input(job, input);
    if (status != VRS_OK) {
        vrs_job_destroy(job);
        return status;
    }
    *out = job;
    return VRS_OK;
}

vrs_status vrs_job_add_input(vrs_job *job, const char *path)
{
    if (job->input_count == VRS_MAX_INPUTS)
        return vrs_fail(VRS_INVALID, "%s: a job has at most %d inputs", path, VRS_MAX_INPUTS);
    for (int32_t i = 0; i < job->input_count && strcmp(path, "-") == 0; i++)
        if (strcmp(job->inputs[i].path, path) == 0)
            return vrs_fail(VRS_INVALID, "standard input is there once, and is an input already");
    if (job->input_count == job->input_room) {
        int32_t room = job->input_room > 0 ? 2 * job->input_room : 8;
        vrs_job_input *inputs = vrs_realloc(job->inputs, (size_t)room * sizeof(*inputs));
        if (inputs == NULL)
            return VRS_NO_MEMORY;
        job->inputs = inputs;
        job->input_room = room;
    }
    vrs_job_input *input = &job->inputs[job->input_count];
    *input = (vrs_job_input){.path = vrs_strdup(path), .decoder = "", .frame_estimate = -1};
    if (input->path == NULL)
        return VRS_NO_MEMORY;
    job->input_count++;
    return VRS_OK;
}

vrs_status vrs_job_add_output(vrs_job *job, vrs_job_output kind, const char *path)
{
    if (job->pattern_count == VRS_MAX_OUTPUTS)
        return vrs_fail(VRS_INVALID, "%s: a job has at most %d outputs", path, VRS_MAX_OUTPUTS);
    for (int32_t i = 0; i < job->pattern_count; i++)
        if (strcmp(job->patterns[i].path, path) == 0 && strcmp(path, "null") != 0)
            return vrs_fail(VRS_INVALID, "%s: two outputs cannot have the same name", path);
    vrs_status status = vrs_job_check_pattern(path);
    if (status != VRS_OK)
        return status;
    vrs_job_pattern *pattern = &job->patterns[job->pattern_count];
    pattern->path = vrs_strdup(path);
    if (pattern->path == NULL)
        return VRS_NO_MEMORY;
    pattern->kind = kind;
    job->pattern_count++;
    return VRS_OK;
}

void vrs_job_stop(vrs_job *job, bool now)
{
    if (now)
        atomic_store(&job->stop, 2);
    else if (atomic_load(&job->stop) == 0)
        atomic_store(&job->stop, 1);
}

void vrs_job_fail(vrs_job *job, vrs_status status)
{
    vrs_mutex_lock(&job->lock);
    if (job->failure == VRS_OK) {
        job->failure = status;
        (void)snprintf(job->failure_text, sizeof(job->failure_text), "%s", vrs_last_error());
    }
    vrs_mutex_unlock(&job->lock);
    atomic_store(&job->failed, true);
}

/* ---- the run -------------------------------------------------------------------------------- */

/* Everything before the first input is opened. Threads that the libraries make here inherit the
 * name that the calling thread has at that moment. */
static vrs_status prepare(vrs_job *job)
{
    const char *first = job->input_count > 0 ? job->inputs[0].path : "job";
    if (job->input_count == 0)
        return vrs_fail(VRS_INVALID, "no input is given");
    if (job->pattern_count == 0)
        return vrs_fail(VRS_INVALID, "%s: no output is given", first);
    vrs_status status = vrs_job_parse_range(job);
    if (status == VRS_OK)
        status = vrs_job_name_outputs(job);
    if (status == VRS_OK)
        status = vrs_job_check_outputs(job);
    if (status == VRS_OK)
        status = vrs_model_load(vrs_config_get(job->config, "model"), &job->model);
    vrs_thread_name("vrs-infer");
    if (status == VRS_OK)
        status = vrs_fleet_create(job->config, job->model, &job->fleet);
    vrs_thread_name("vrseg");
    if (status != VRS_OK)
        return status;
    vrs_job_gpu_open(job);
    status = vrs_job_make_slots(job);
    return status == VRS_OK ? vrs_job_profile_begin(job) : status;
}

/* Waits until each slot has opened an input or found none; true: there is one. */
static bool wait_for_slots(vrs_job *job)
{
    vrs_mutex_lock(&job->lock);
    while (job->slots_ready < job->slots_started)
        (void)vrs_cond_wait_until(&job->changed, &job->lock, INT64_MAX);
    bool any = job->slots_ended < job->slots_started;
    vrs_mutex_unlock(&job->lock);
    return any;
}

static vrs_status start_fleet(vrs_job *job)
{
    vrs_thread_name("vrs-infer");
    vrs_status status = vrs_fleet_build(job->fleet, job->engine);
    vrs_thread_name("vrseg");
    if (status == VRS_OK)
        status = vrs_job_describe_outputs(job);
    if (status == VRS_OK)
        status = vrs_job_profile_attach(job);
    vrs_track_record(job->track, VRS_SPAN_OPEN, -1, job->run_ns, vrs_now_ns());
    vrs_thread_times_sample(&job->times);
    job->started_cpu_seconds = vrs_job_cpu_seconds();
    if (status == VRS_OK)
        status = vrs_fleet_start(job->fleet, vrs_job_deliver, job);
    job->started = status == VRS_OK;
    return status;
}

static void open_gate(vrs_job *job)
{
    vrs_mutex_lock(&job->lock);
    job->open = true;
    vrs_cond_broadcast(&job->changed);
    vrs_mutex_unlock(&job->lock);
}

static void show(vrs_job *job, vrs_job_progress_fn progress, void *opaque)
{
    if (progress == NULL)
        return;
    vrs_job_stats stats = vrs_job_get_stats(job);
    progress(opaque, &stats);
}

/* Until all slots have ended. Encoders that end do so within the shorter tick's sight. */
static void watch(vrs_job *job, vrs_job_progress_fn progress, void *opaque)
{
    int64_t shown_ns = vrs_now_ns();
    show(job, progress, opaque); /* who it is that works */
    vrs_job_gpu_sample(job);     /* a first reading counts what was before */
    job->gpu_percent_sum = job->gpu_readings = 0;
    bool running = true;
    while (running) {
        vrs_mutex_lock(&job->lock);
        bool ending = false;
        for (int32_t i = 0; i < job->slot_count; i++)
            ending = ending || job->slots[i].read_ended;
        if (job->slots_ended < job->slot_count)
            (void)vrs_cond_wait_until(&job->changed, &job->lock,
                                      vrs_deadline_ns(ending ? VRS_END_TICK_US : VRS_TICK_US));
        running = job->slots_ended < job->slot_count;
        vrs_mutex_unlock(&job->lock);
        vrs_thread_times_sample(&job->times);
        int64_t now = vrs_now_ns();
        if (running && now - shown_ns >= VRS_TICK_US * VRS_NS_PER_US) {
            shown_ns = now;
            vrs_job_look_expected(job);
            vrs_job_gpu_sample(job);
            show(job, progress, opaque);
        }
    }
    vrs_job_look_expected(job);
    if (job->gpu_readings == 0)
        vrs_job_gpu_sample(job);
}

static vrs_status run_all(vrs_job *job, vrs_job_progress_fn progress, void *opaque)
{
    vrs_status status = prepare(job);
    while (status == VRS_OK && job->slots_started < job->slot_count) {
        vrs_job_slot *slot = &job->slots[job->slots_started];
        status = vrs_thread_start(&slot->thread, "vrseg", vrs_slot_main, slot);
        job->slots_started += status == VRS_OK ? 1 : 0;
    }
    if (status != VRS_OK)
        vrs_job_fail(job, status);
    bool any = wait_for_slots(job);
    if (any && status == VRS_OK) {
        status = vrs_job_check_room(job);
        if (status == VRS_OK)
            status = start_fleet(job);
        if (status == VRS_OK)
            vrs_job_expect(job);
        else
            vrs_job_fail(job, status);
    }
    open_gate(job);
    if (any && status == VRS_OK) {
        vrs_job_wait_expected(job);
        watch(job, progress, opaque);
    }
    for (int32_t i = 0; i < job->slot_count; i++)
        vrs_thread_join(&job->slots[i].thread);
    if (job->fleet != NULL)
        vrs_fleet_finish(job->fleet);
    return status;
}

static const char *detail_of(const vrs_job_input *input)
{
    return input->detail != NULL ? input->detail : input->path;
}

static vrs_status outcome(vrs_job *job)
{
    if (job->failure != VRS_OK)
        return vrs_fail(job->failure, "%s", job->failure_text);
    if (job->input_count == 1 && job->inputs[0].status != VRS_OK)
        return vrs_fail(job->inputs[0].status, "%s", detail_of(&job->inputs[0]));
    vrs_job_inputs count = vrs_job_get_stats(job).inputs;
    if (atomic_load(&job->stop) != 0)
        return vrs_fail(VRS_CANCELLED, "stopped: %d of %d inputs are done", count.done, count.all);
    const vrs_job_input *first = NULL;
    for (int32_t i = 0; i < job->input_count && first == NULL; i++)
        if (job->inputs[i].status != VRS_OK)
            first = &job->inputs[i];
    if (first == NULL)
        return VRS_OK;
    vrs_status status = count.done > 0 ? VRS_CORRUPT : first->status;
    int32_t others = count.failed + count.waiting;
    if (others == 0)
        return vrs_fail(status, "done, but some inputs have damaged or failed frames: %s",
                        detail_of(first));
    return vrs_fail(status, "%d of %d inputs %s not done: %.400s", others, count.all,
                    others == 1 ? "is" : "are", detail_of(first));
}

vrs_status vrs_job_run(vrs_job *job, vrs_job_progress_fn progress, void *opaque)
{
    job->run_ns = vrs_now_ns();
    job->run_cpu_seconds = vrs_job_cpu_seconds();
    vrs_status status = run_all(job, progress, opaque);
    job->end_ns = job->done_ns > 0 ? job->done_ns : vrs_now_ns();
    job->end_cpu_seconds = job->done_ns > 0 ? job->done_cpu_seconds : vrs_job_cpu_seconds();
    vrs_job_profile_end(job);
    if (status != VRS_OK) /* of the job; an input's is not among them */
        return vrs_fail(job->failure, "%s", job->failure_text);
    return outcome(job);
}

void vrs_job_destroy(vrs_job *job)
{
    if (job == NULL)
        return;
    for (int32_t i = 0; i < job->slot_count; i++) {
        vrs_job_slot *slot = &job->slots[i];
        vrs_queue_destroy(slot->free_held);
        for (int k = 0; k < VRS_MAX_OUTPUTS; k++)
            vrs_queue_destroy(slot->sinks[k].queue);
        vrs_free(slot->held);
        vrs_free(slot->names);
    }
    vrs_free(job->slots);
    vrs_free(job->queues);
    vrs_free(job->room);
    vrs_job_gpu_close(job);
    vrs_job_profile_leave(job);
    vrs_fleet_destroy(job->fleet);
    vrs_model_destroy(job->model);
    vrs_recorder_destroy(job->recorder);
    for (int32_t i = 0; i < job->input_count; i++) {
        for (int k = 0; k < VRS_MAX_OUTPUTS; k++)
            vrs_free(job->inputs[i].outputs[k]);
        vrs_free(job->inputs[i].detail);
        vrs_free(job->inputs[i].note);
        vrs_free(job->inputs[i].path);
    }
    vrs_free(job->inputs);
    for (int32_t i = 0; i < job->pattern_count; i++)
        vrs_free(job->patterns[i].path);
    if (job->has_changed)
        vrs_cond_destroy(&job->changed);
    if (job->has_lock)
        vrs_mutex_destroy(&job->lock);
    vrs_free(job);
}
