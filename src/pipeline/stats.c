/* What a pipeline tells of itself while it works. */
#include "pipeline/internal.h"

static int64_t at_most(int64_t value, int64_t most)
{
    return value < most ? value : most > 0 ? most : 0;
}

/* What is neither busy nor blocked is starved: a thread without work waits for some. */
static void share_time(vrs_stage_stats *stage, int64_t elapsed_ns, int64_t blocked_ns)
{
    int64_t idle_ns = elapsed_ns * stage->threads - stage->busy_ns;
    stage->blocked_ns = at_most(blocked_ns, idle_ns);
    stage->starved_ns = at_most(INT64_MAX, idle_ns - stage->blocked_ns);
    if (stage->starved_ns < 0)
        stage->starved_ns = 0;
}

static void fill_queue(vrs_stage_stats *stage, const vrs_queue *queue)
{
    vrs_queue_stats stats = vrs_queue_get_stats(queue);
    stage->queue = stats.pushes > 0 ? (double)stats.found / (double)stats.pushes : 0;
    stage->queue_most = stats.most;
    stage->queue_now = vrs_queue_depth(queue);
}

static void fill_stages(vrs_pipeline *pipeline, int64_t elapsed_ns, vrs_pipeline_stats *stats)
{
    vrs_stage_stats *stages = stats->stages;
    for (uint32_t i = 0; i < VRS_STAGE_COUNT; i++) {
        vrs_span_totals totals = vrs_recorder_totals(pipeline->recorder, i);
        stages[i].frames = totals.count;
        stages[i].busy_ns = totals.busy_ns;
    }
    vrs_span_totals scores = vrs_recorder_totals(pipeline->recorder, VRS_SPAN_SCORES);
    stages[VRS_STAGE_POSTPROCESS].busy_ns += scores.busy_ns;
    stages[VRS_STAGE_PREPROCESS].threads = pipeline->settings.preprocess_threads;
    stages[VRS_STAGE_INFER].threads =
        pipeline->io->on_device ? pipeline->settings.lanes : pipeline->settings.requests;
    stages[VRS_STAGE_POSTPROCESS].threads = pipeline->settings.postprocess_threads;
    /* Frames that wait for a slot keep all of preprocessing from working, and a reader who holds
     * all tickets all of postprocessing; a run that is done keeps only its own slot. */
    share_time(&stages[VRS_STAGE_PREPROCESS], elapsed_ns,
               atomic_load(&pipeline->load.slot_ns) * stages[VRS_STAGE_PREPROCESS].threads);
    share_time(&stages[VRS_STAGE_INFER], elapsed_ns, atomic_load(&pipeline->load.read_ns));
    share_time(&stages[VRS_STAGE_POSTPROCESS], elapsed_ns,
               stats->unread_ns * stages[VRS_STAGE_POSTPROCESS].threads);
    fill_queue(&stages[VRS_STAGE_PREPROCESS], pipeline->to_preprocess);
    fill_queue(&stages[VRS_STAGE_POSTPROCESS], pipeline->to_postprocess);
}

/* With the lock. What has no batch yet waits for the network. */
static void fill_batch_stats(const vrs_pipeline *pipeline, vrs_pipeline_stats *stats)
{
    vrs_batch_queue_stats queue;
    vrs_stage_stats *infer = &stats->stages[VRS_STAGE_INFER];
    vrs_batch_queue_get_stats(pipeline->queue, &queue);
    stats->batch_limit = pipeline->adapt.limit < pipeline->engine_limit ? pipeline->adapt.limit
                                                                        : pipeline->engine_limit;
    stats->waiting = queue.waiting;
    stats->most_waiting = queue.most_waiting;
    for (int size = 1; size <= VRS_MAX_BATCH; size++)
        stats->batches[size] = queue.batches[size];
    infer->queue_now = queue.waiting;
    infer->queue_most = queue.most_waiting;
    if (pipeline->load.added > 0)
        infer->queue = (double)pipeline->load.found / (double)pipeline->load.added;
}

/* With the lock. */
static void count_tickets(const vrs_pipeline *pipeline, vrs_pipeline_stats *stats)
{
    for (int i = 0; i < VRS_MAX_STREAMS; i++) {
        const vrs_stream *stream = pipeline->streams[i];
        if (stream == NULL)
            continue;
        uint32_t tickets = stream->ticket_count - stream->retired;
        stats->tickets_wanted += stream->ticket_count;
        stats->tickets += tickets;
        stats->tickets_in_use += tickets - stream->free_count;
        stats->host_bytes += stream->host_bytes;
    }
}

/* With the lock. Time stands still for the figures once all is done. */
static int64_t elapsed_ns(const vrs_pipeline *pipeline)
{
    bool done = atomic_load(&pipeline->finishing) && pipeline->fetched == pipeline->submitted &&
                pipeline->last_result_ns > 0;
    return (done ? pipeline->last_result_ns : vrs_now_ns()) - pipeline->started_ns;
}

/* Without the lock: the manager has its own. */
static void fill_memory(const vrs_memory *memory, vrs_pipeline_stats *stats)
{
    vrs_memory_stats device, pinned;
    if (memory == NULL)
        return;
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_DEVICE, &device);
    vrs_memory_get_stats(memory, VRS_MEMORY_PLACE_PINNED, &pinned);
    stats->device_budget = device.budget;
    stats->device_bytes = device.used;
    stats->pinned_budget = pinned.budget;
    stats->pinned_bytes = pinned.used;
}

vrs_pipeline_stats vrs_pipeline_get_stats(const vrs_pipeline *const_pipeline)
{
    vrs_pipeline *pipeline = (vrs_pipeline *)(uintptr_t)const_pipeline; /* for its lock alone */
    vrs_pipeline_stats stats = {0};
    if (!vrs_pipeline_alive(pipeline))
        return stats;
    vrs_mutex_lock(&pipeline->lock);
    stats.submitted = pipeline->submitted;
    stats.finished = pipeline->finished;
    stats.failed = pipeline->failed;
    stats.timed_out = pipeline->timed_out;
    stats.dropped = pipeline->dropped;
    stats.cancelled = pipeline->cancelled;
    stats.refused = pipeline->refused;
    fill_batch_stats(pipeline, &stats);
    stats.repeated = pipeline->repeated;
    stats.started_ns = pipeline->started_ns;
    stats.first_result_ns = pipeline->first_result_ns;
    stats.last_result_ns = pipeline->last_result_ns;
    stats.wait_ns = pipeline->load.ticket_ns;
    stats.unread_ns = pipeline->load.unread_ns;
    stats.short_ns = pipeline->load.short_ns;
    stats.gpu_ns = vrs_cover_total(&pipeline->load.kernels);
    stats.copy_ns = vrs_cover_total(&pipeline->load.copies);
    stats.live_changes = pipeline->live.change_count;
    count_tickets(pipeline, &stats);
    int64_t elapsed = pipeline->started ? elapsed_ns(pipeline) : 0;
    vrs_mutex_unlock(&pipeline->lock);
    stats.live_steps = atomic_load(&pipeline->live.active);
    stats.latency_target_ns = pipeline->settings.batch.latency_target_ns;
    stats.latency = vrs_latency_read(&pipeline->latency);
    stats.network_width = pipeline->spec->width;
    stats.network_height = pipeline->spec->height;
    stats.on_gpu = pipeline->place.device != NULL;
    stats.network_on_gpu = pipeline->io->on_device;
    fill_stages(pipeline, elapsed, &stats);
    fill_memory(pipeline->place.memory, &stats);
    return stats;
}
