/* The public pipeline: making, feeding, fetching, ending. */
#include "vrseg/pipeline.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/backend.h"
#include "pipeline/internal.h"

/* Spans kept of each worker, for the profile. */
#define VRS_SPANS_KEPT 4096
/* Tracks beside the workers' and lanes': submitting, fetching, the batcher. */
#define OTHER_TRACKS 3

/* Those that are alive. A call may come with a pipeline that is not, by a caller's mistake: it is
 * refused before anything of it is looked at. */
static _Atomic(vrs_pipeline *) alive[VRS_MAX_PIPELINES];

bool vrs_pipeline_alive(const vrs_pipeline *pipeline)
{
    for (size_t i = 0; pipeline != NULL && i < VRS_MAX_PIPELINES; i++)
        if (atomic_load(&alive[i]) == pipeline)
            return true;
    return false;
}

vrs_status vrs_pipeline_gone(void)
{
    return vrs_fail(VRS_INVALID, "there is no such pipeline: it was destroyed or never made");
}

static vrs_status set_alive(vrs_pipeline *pipeline)
{
    for (size_t i = 0; i < VRS_MAX_PIPELINES; i++) {
        vrs_pipeline *none = NULL;
        if (atomic_compare_exchange_strong(&alive[i], &none, pipeline))
            return VRS_OK;
    }
    return vrs_fail(VRS_UNSUPPORTED, "%d pipelines are alive: destroy one before making another",
                    VRS_MAX_PIPELINES);
}

/* False: it is not. */
static bool set_gone(vrs_pipeline *pipeline)
{
    for (size_t i = 0; i < VRS_MAX_PIPELINES; i++) {
        vrs_pipeline *this = pipeline;
        if (atomic_compare_exchange_strong(&alive[i], &this, NULL))
            return true;
    }
    return false;
}

static vrs_status cache_folder(const vrs_config *config, char *path, size_t size)
{
    path[0] = 0;
    if (!vrs_config_bool(config, "model_cache") || vrs_cache_folder(path, size) != VRS_OK)
        path[0] = 0; /* nowhere to keep it */
    return VRS_OK;
}

/* Batches of a preferred size are the rule, so none of them is to be a larger one's part. */
static void compile_preferred(const vrs_batch_settings *s, vrs_engine_params *params)
{
    int32_t count = 0;
    if (s->preferred_count == 0)
        return;
    if (s->preferred[0] > 1)
        params->batches[count++] = 1;
    for (int32_t i = 0; i < s->preferred_count; i++)
        params->batches[count++] = s->preferred[i];
}

/* A run that goes on on the CPU, as its GPU is lost, has its engine there, at the precision that
 * every processor has where the configured one is a GPU's. */
static bool goes_on_without_gpu(const vrs_pipeline *pipeline)
{
    return pipeline->place.stands_in && pipeline->place.device == NULL;
}

static vrs_status read_precision(const vrs_pipeline *pipeline, const vrs_config *config,
                                 vrs_precision *precision)
{
    vrs_status status = vrs_precision_parse(vrs_config_get(config, "precision"), precision);
    if (status == VRS_OK && goes_on_without_gpu(pipeline) && *precision != VRS_PRECISION_INT8)
        *precision = VRS_PRECISION_F32;
    return status;
}

static const char *engine_of(const vrs_pipeline *pipeline, const vrs_config *config)
{
    const char *name = vrs_config_get(config, "engine");
    return goes_on_without_gpu(pipeline) && strcmp(name, "cuda") == 0 ? "auto" : name;
}

vrs_status vrs_pipeline_open_engine(const vrs_pipeline *pipeline, const vrs_config *config,
                                    const vrs_model *model, const char *name,
                                    const vrs_engine_ops *ops, vrs_engine **engine)
{
    char cache[VRS_PATH_MAX];
    vrs_status status = cache_folder(config, cache, sizeof(cache));
    if (status != VRS_OK)
        return status;
    vrs_engine_params params = {
        .requests = pipeline->settings.requests,
        .threads = pipeline->settings.engine_threads,
        .max_batch = pipeline->settings.max_batch,
        .enlarges = VRS_ENLARGE_BIT(HALF_PIXEL),
        .cache_dir = cache[0] != 0 ? cache : NULL,
        .device = pipeline->place.device,
        .memory = pipeline->place.memory,
        .provider = goes_on_without_gpu(pipeline) ? "cpu" : vrs_config_get(config, "ort_provider"),
        .provider_options = vrs_config_get(config, "ort_options"),
        .plugin = vrs_config_get(config, "ort_plugin"),
    };
    compile_preferred(&pipeline->settings.batch.queue, &params);
    vrs_compile_watch(&params);
    status = read_precision(pipeline, config, &params.precision);
    if (status != VRS_OK)
        return status;
    return ops != NULL ? ops->create(model, &params, engine)
                       : vrs_engine_create(name, model, &params, engine);
}

static vrs_status open_engine(vrs_pipeline *pipeline, const vrs_config *config, const char *name,
                              const vrs_engine_ops *ops)
{
    vrs_status status =
        vrs_pipeline_open_engine(pipeline, config, pipeline->model, name, ops, &pipeline->engine);
    (void)snprintf(pipeline->engine_name, sizeof(pipeline->engine_name), "%s", name);
    if (status == VRS_OK)
        status = read_precision(pipeline, config, &pipeline->precision);
    if (status == VRS_OK)
        (void)snprintf(pipeline->engine_text, sizeof(pipeline->engine_text), "%s",
                       vrs_engine_describe(pipeline->engine));
    return status;
}

/* What an engine of the GPU cannot do, or this machine lacks for it, the CPU's may. */
static bool may_fall_back(vrs_status status)
{
    return status == VRS_UNSUPPORTED || status == VRS_MISSING || status == VRS_ENGINE ||
           status == VRS_NO_MEMORY || status == VRS_FORMAT || status == VRS_DEVICE;
}

/* Settings and engine: "auto" is the GPU's where the frames are and it can, else the CPU's, and
 * then the text says why. */
static vrs_status make_engine(vrs_pipeline *pipeline, const vrs_config *config,
                              const vrs_engine_ops *ops)
{
    const char *name = engine_of(pipeline, config);
    bool gpu = pipeline->place.device != NULL, automatic = strcmp(name, "auto") == 0;
    vrs_status status =
        vrs_settings_read(config, pipeline->spec, gpu, vrs_settings_network_on_gpu(config, gpu),
                          pipeline->place.streams, &pipeline->settings);
    if (status != VRS_OK)
        return status;
    if (!automatic || !gpu || ops != NULL)
        return open_engine(pipeline, config, automatic ? "openvino" : name, ops);
    status = open_engine(pipeline, config, "cuda", NULL);
    if (!may_fall_back(status))
        return status;
    char why[VRS_DETAIL_SIZE];
    (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
    vrs_memory_forget_refusals(pipeline->place.memory);
    status = vrs_settings_read(config, pipeline->spec, true, false, pipeline->place.streams,
                               &pipeline->settings);
    if (status == VRS_OK)
        status = open_engine(pipeline, config, "openvino", NULL);
    if (status != VRS_OK) {
        char also[VRS_DETAIL_SIZE];
        (void)snprintf(also, sizeof(also), "%s", vrs_last_error());
        return vrs_fail(status, "%.250s (and on the GPU: %.200s)", also, why);
    }
    (void)snprintf(pipeline->engine_text, sizeof(pipeline->engine_text), "%s (%.400s)",
                   vrs_engine_describe(pipeline->engine), why);
    return VRS_OK;
}

static vrs_status make_locks(vrs_pipeline *pipeline)
{
    vrs_status status = vrs_mutex_init(&pipeline->lock);
    pipeline->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_mutex_init(&pipeline->setup_lock);
        pipeline->has_setup_lock = status == VRS_OK;
    }
    if (status == VRS_OK) {
        status = vrs_mutex_init(&pipeline->order_lock);
        pipeline->has_order_lock = status == VRS_OK;
    }
    if (status == VRS_OK) {
        status = vrs_cond_init(&pipeline->changed);
        pipeline->has_changed = status == VRS_OK;
    }
    if (status == VRS_OK) {
        status = vrs_cond_init(&pipeline->work);
        pipeline->has_work = status == VRS_OK;
    }
    return status;
}

static vrs_status make_queues(vrs_pipeline *pipeline)
{
    const vrs_pipeline_settings *s = &pipeline->settings;
    uint32_t tickets = (uint32_t)s->tickets * VRS_MAX_STREAMS;
    uint32_t views = (uint32_t)(s->requests * s->max_batch);
    vrs_status status = vrs_batch_queue_create(&s->batch.queue, &pipeline->queue);
    vrs_batch_adapt_init(&pipeline->adapt, s->max_batch);
    pipeline->engine_limit = s->max_batch;
    if (status == VRS_OK)
        status = vrs_queue_create((uint32_t)s->requests, &pipeline->free_slots);
    if (status == VRS_OK)
        status = vrs_queue_create(views, &pipeline->to_preprocess);
    if (status == VRS_OK)
        status = vrs_queue_create(views + tickets, &pipeline->to_postprocess);
    if (status == VRS_OK)
        status = vrs_reorder_create(tickets, &pipeline->results);
    if (status == VRS_OK)
        status = vrs_reorder_create(tickets, &pipeline->order);
    if (status == VRS_OK)
        status = vrs_recorder_create(
            (uint32_t)(s->preprocess_threads + s->postprocess_threads + s->lanes + OTHER_TRACKS),
            VRS_SPANS_KEPT, &pipeline->recorder);
    if (status != VRS_OK)
        return status;
    pipeline->submit_track = vrs_recorder_track(pipeline->recorder, "submit");
    pipeline->result_track = vrs_recorder_track(pipeline->recorder, "results");
    return VRS_OK;
}

static vrs_status make_slots(vrs_pipeline *pipeline)
{
    int32_t count = pipeline->settings.requests;
    pipeline->slots = vrs_alloc_array((size_t)count, sizeof(vrs_batch));
    if (pipeline->slots == NULL)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        pipeline->slots[i].kind = VRS_WORK_SLOT;
        pipeline->slots[i].index = i;
        pipeline->slots[i].pipeline = pipeline;
        pipeline->slots[i].request = vrs_engine_request(pipeline->engine, i);
        pipeline->slots[i].requests[0] = pipeline->slots[i].request;
        if (pipeline->smaller.engine != NULL)
            pipeline->slots[i].requests[1] = vrs_engine_request(pipeline->smaller.engine, i);
        vrs_queue_push(pipeline->free_slots, &pipeline->slots[i]);
    }
    return VRS_OK;
}

static vrs_status make_from_scores(vrs_pipeline *pipeline)
{
    const vrs_engine_io *io = pipeline->io;
    const vrs_model_spec *spec = pipeline->spec;
    if (io->scores_width == spec->width && io->scores_height == spec->height)
        return VRS_OK;
    pipeline->from_scores_tables =
        vrs_alloc_aligned(vrs_upsample_storage(spec->width, spec->height));
    if (pipeline->from_scores_tables == NULL)
        return VRS_NO_MEMORY;
    vrs_upsample_init(&pipeline->from_scores, io->scores_width, io->scores_height, spec->width,
                      spec->height, pipeline->from_scores_tables);
    return VRS_OK;
}

vrs_status vrs_pipeline_create(const vrs_config *config, const vrs_model *model, vrs_pipeline **out)
{
    return vrs_pipeline_create_at(config, model, NULL, NULL, out);
}

vrs_status vrs_pipeline_create_on(const vrs_config *config, const vrs_model *model,
                                  const vrs_engine_ops *ops, vrs_pipeline **out)
{
    return vrs_pipeline_create_at(config, model, NULL, ops, out);
}

static vrs_status find_place(vrs_pipeline *pipeline, const vrs_config *config,
                             const vrs_place *place)
{
    vrs_status status = VRS_OK;
    if (place == NULL)
        status = vrs_place_open(config, &pipeline->own_place);
    if (status != VRS_OK)
        return status;
    pipeline->place = place != NULL ? *place : pipeline->own_place;
    if (pipeline->place.device != NULL)
        pipeline->lanes = &vrs_lanes_cuda;
    return VRS_OK;
}

static vrs_status make_pipeline(vrs_pipeline *pipeline, const vrs_config *config,
                                const vrs_place *place, const vrs_engine_ops *ops)
{
    vrs_status status = find_place(pipeline, config, place);
    if (status == VRS_OK)
        status = make_engine(pipeline, config, ops);
    if (status == VRS_OK)
        status = make_locks(pipeline);
    if (status == VRS_OK)
        status = make_queues(pipeline);
    if (status != VRS_OK)
        return status;
    vrs_live_init(&pipeline->live, pipeline);
    pipeline->io = vrs_engine_get_io(pipeline->engine);
    pipeline->kernels = vrs_kernels_get(pipeline->settings.isa);
    status = vrs_smaller_open(pipeline, config, ops);
    if (status == VRS_OK)
        status = make_slots(pipeline);
    if (status == VRS_OK)
        status = make_from_scores(pipeline);
    return status == VRS_OK ? pipeline->lanes->create(pipeline) : status;
}

static void free_pipeline(vrs_pipeline *pipeline);

vrs_status vrs_pipeline_create_at(const vrs_config *config, const vrs_model *model,
                                  const vrs_place *place, const vrs_engine_ops *ops,
                                  vrs_pipeline **out)
{
    vrs_pipeline *pipeline = vrs_alloc(sizeof(*pipeline));
    if (pipeline == NULL)
        return VRS_NO_MEMORY;
    pipeline->model = model;
    pipeline->spec = vrs_model_get_spec(model);
    pipeline->lanes = &vrs_lanes_cpu;
    vrs_status status = make_pipeline(pipeline, config, place, ops);
    if (status == VRS_OK)
        status = set_alive(pipeline);
    if (status != VRS_OK) {
        status = vrs_memory_blame_budget(pipeline->place.memory, status);
        free_pipeline(pipeline);
        return status;
    }
    *out = pipeline;
    return VRS_OK;
}

static bool format_fits(vrs_output_kind kind, vrs_pixel_format format)
{
    switch (kind) {
    case VRS_OUTPUT_MASK:
        return format == VRS_FORMAT_NONE || format == VRS_FORMAT_GRAY8 ||
               format == VRS_FORMAT_GRAY10 || format == VRS_FORMAT_YUV420P;
    case VRS_OUTPUT_CLASSES:
        return format == VRS_FORMAT_NONE || format == VRS_FORMAT_GRAY8;
    case VRS_OUTPUT_COMPOSITE:
    case VRS_OUTPUT_PACKED:
        return format == VRS_FORMAT_NONE || format == VRS_FORMAT_YUV420P ||
               format == VRS_FORMAT_YUV420P10;
    case VRS_OUTPUT_CUTOUT:
        return format == VRS_FORMAT_NONE || format == VRS_FORMAT_YUVA420P ||
               format == VRS_FORMAT_YUVA420P10;
    }
    return false;
}

/* A mask's constant chroma is made once, in host memory. */
static vrs_status check_memory(const vrs_pipeline *pipeline, const vrs_output_desc *desc)
{
    if (desc->memory == VRS_MEMORY_HOST)
        return VRS_OK;
    if (desc->memory != VRS_MEMORY_CUDA)
        return vrs_fail(VRS_INVALID, "output memory %d: expected host or CUDA", (int)desc->memory);
    if (pipeline->place.device == NULL)
        return vrs_fail(VRS_UNSUPPORTED,
                        "an output was to stay on the GPU, and frames are processed on the CPU: "
                        "ask for it in host memory, or set the option device");
    if (desc->kind == VRS_OUTPUT_MASK && desc->format == VRS_FORMAT_YUV420P)
        return vrs_fail(VRS_INVALID, "a mask on the GPU comes as gray8 or gray10, not as yuv420p");
    return VRS_OK;
}

vrs_status vrs_pipeline_add_output(vrs_pipeline *pipeline, const vrs_output_desc *desc)
{
    if (!vrs_pipeline_alive(pipeline))
        return vrs_pipeline_gone();
    if (pipeline->started)
        return vrs_fail(VRS_INVALID, "outputs are added before vrs_pipeline_start()");
    if (pipeline->output_count == VRS_MAX_OUTPUTS)
        return vrs_fail(VRS_INVALID, "a pipeline has at most %d outputs", VRS_MAX_OUTPUTS);
    if (!format_fits(desc->kind, desc->format))
        return vrs_fail(VRS_INVALID, "output kind %d does not come as %s", (int)desc->kind,
                        vrs_pixel_format_name(desc->format));
    bool picture = vrs_is_picture(desc->kind);
    bool sized = desc->width != 0 || desc->height != 0;
    bool network = desc->width == -1 && desc->height == -1;
    bool in_range = desc->width >= 1 && desc->width <= VRS_MAX_SIDE && desc->height >= 1 &&
                    desc->height <= VRS_MAX_SIDE;
    if (sized && (picture || (!network && !in_range)))
        return vrs_fail(VRS_INVALID, "output size %dx%d: %s", desc->width, desc->height,
                        picture ? "pictures have the source's size"
                                : "expected sides of 1 to 32768");
    vrs_status status = check_memory(pipeline, desc);
    if (status != VRS_OK)
        return status;
    if (desc->kind == VRS_OUTPUT_CLASSES && pipeline->io->classes < 2)
        return vrs_fail(VRS_UNSUPPORTED, "model %s knows no classes, only a mask",
                        vrs_model_get_info(pipeline->model).name);
    pipeline->want_classes = pipeline->want_classes || desc->kind == VRS_OUTPUT_CLASSES;
    pipeline->outputs[pipeline->output_count++] = *desc;
    return VRS_OK;
}

vrs_status vrs_pipeline_start(vrs_pipeline *pipeline)
{
    if (!vrs_pipeline_alive(pipeline))
        return vrs_pipeline_gone();
    if (pipeline->started)
        return vrs_fail(VRS_INVALID, "the pipeline is started already");
    if (pipeline->output_count == 0) {
        vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK};
        vrs_status added = vrs_pipeline_add_output(pipeline, &mask);
        if (added != VRS_OK)
            return added;
    }
    pipeline->started = true;
    pipeline->started_ns = vrs_now_ns();
    vrs_status status = pipeline->lanes->start(pipeline);
    if (status == VRS_OK)
        status = vrs_thread_start(&pipeline->batcher, "vrs-batch", vrs_batcher_main, pipeline);
    return status;
}

/* The next result if it is there, with `lock` held. */
static vrs_ticket *next_result(vrs_pipeline *pipeline)
{
    if (!pipeline->settings.batch.as_ready)
        return vrs_reorder_next(pipeline->results);
    vrs_ticket *ticket = pipeline->ready_first;
    if (ticket == NULL)
        return NULL;
    pipeline->ready_first = ticket->next_ready;
    if (pipeline->ready_first == NULL)
        pipeline->ready_last = NULL;
    return ticket;
}

/* Whether the caller alone submits, with `lock` held. */
static bool submits_alone(const vrs_pipeline *pipeline)
{
    return pipeline->has_submitter && !pipeline->several_submitters &&
           pthread_equal(pipeline->submitter, pthread_self());
}

/* Whether the caller's next submit could only wait for a ticket that this caller has to give back,
 * with `lock` held: then waiting for a result is all that it can do. */
static bool must_fetch_first(const vrs_pipeline *pipeline)
{
    const vrs_stream *stream = pipeline->streams[pipeline->last_stream];
    return submits_alone(pipeline) && pipeline->submit_waits && stream != NULL &&
           stream->free_list == NULL && !atomic_load(&pipeline->finishing);
}

/* Waits for the next result, with `lock` held. */
static vrs_status wait_for_result(vrs_pipeline *pipeline, vrs_ticket **ticket, int64_t timeout_us)
{
    int64_t deadline_ns = vrs_deadline_ns(timeout_us);
    bool hurried = false;
    vrs_status status = VRS_OK;
    while ((*ticket = next_result(pipeline)) == NULL) {
        bool idle = pipeline->fetched == pipeline->submitted;
        if (idle && atomic_load(&pipeline->finishing)) {
            status = VRS_END;
            break;
        }
        if (idle && timeout_us < 0 && submits_alone(pipeline)) {
            status = vrs_fail(VRS_INVALID, "no frame is in flight, so no result can come: submit "
                                           "one, or wait with a time-out");
            break;
        }
        bool must_wait = !idle && must_fetch_first(pipeline);
        if (timeout_us == 0 && !must_wait) {
            status = VRS_TIMEOUT;
            break;
        }
        if (!hurried) {
            hurried = true;
            atomic_fetch_add(&pipeline->waiting, 1);
            vrs_batcher_wake(pipeline);
        }
        if (!vrs_cond_wait_until(&pipeline->changed, &pipeline->lock,
                                 must_wait ? INT64_MAX : deadline_ns)) {
            *ticket = next_result(pipeline);
            status = *ticket == NULL ? VRS_TIMEOUT : VRS_OK;
            break;
        }
    }
    if (hurried)
        atomic_fetch_sub(&pipeline->waiting, 1);
    return status;
}

/* A result can be fetched once it and all before it are finished, whenever the reader comes. */
static void count_latency(vrs_pipeline *pipeline, const vrs_result *result)
{
    int64_t ready_ns = result->done_ns;
    if (!pipeline->settings.batch.as_ready && ready_ns < pipeline->ready_ns)
        ready_ns = pipeline->ready_ns;
    pipeline->ready_ns = ready_ns;
    int64_t since_ns = result->capture_ns > 0 ? result->capture_ns : result->submitted_ns;
    if (result->status == VRS_OK)
        vrs_latency_add(pipeline->stream_latency[result->stream], &pipeline->latency,
                        ready_ns - since_ns, pipeline->settings.batch.latency_target_ns);
}

vrs_status vrs_pipeline_get_result(vrs_pipeline *pipeline, vrs_result **result, int64_t timeout_us)
{
    *result = NULL;
    if (!vrs_pipeline_alive(pipeline))
        return vrs_pipeline_gone();
    if (!pipeline->started)
        return vrs_fail(VRS_INVALID, "call vrs_pipeline_start() before fetching results");
    vrs_ticket *ticket = NULL;
    vrs_mutex_lock(&pipeline->lock);
    pipeline->reader = pthread_self();
    pipeline->has_reader = true;
    vrs_status status = wait_for_result(pipeline, &ticket, timeout_us);
    if (status == VRS_OK) {
        pipeline->fetched++;
        count_latency(pipeline, &ticket->result);
    }
    vrs_mutex_unlock(&pipeline->lock);
    if (status != VRS_OK)
        return status;
    *result = &ticket->result;
    vrs_track_record(pipeline->result_track, VRS_SPAN_FRAME, ticket->result.id,
                     ticket->result.submitted_ns, ticket->result.done_ns);
    return VRS_OK;
}

void vrs_result_release(vrs_result *result)
{
    if (result == NULL)
        return;
    vrs_ticket *ticket = (vrs_ticket *)(void *)((char *)result - offsetof(vrs_ticket, result));
    vrs_pipeline *pipeline = ticket->pipeline;
    vrs_image_release(&ticket->frame.image);
    vrs_mutex_lock(&pipeline->lock);
    ticket->next_free = ticket->stream->free_list;
    ticket->stream->free_list = ticket;
    ticket->stream->free_count++;
    vrs_cond_broadcast(&pipeline->changed);
    vrs_mutex_unlock(&pipeline->lock);
}

void vrs_pipeline_finish(vrs_pipeline *pipeline)
{
    if (!vrs_pipeline_alive(pipeline))
        return;
    vrs_mutex_lock(&pipeline->lock);
    atomic_store(&pipeline->finishing, true);
    vrs_cond_broadcast(&pipeline->changed);
    vrs_batcher_wake(pipeline);
    vrs_mutex_unlock(&pipeline->lock);
}

vrs_status vrs_pipeline_drain(vrs_pipeline *pipeline, int64_t timeout_us)
{
    if (!vrs_pipeline_alive(pipeline))
        return vrs_pipeline_gone();
    int64_t deadline_ns = vrs_deadline_ns(timeout_us);
    vrs_status status = VRS_OK;
    vrs_mutex_lock(&pipeline->lock);
    atomic_fetch_add(&pipeline->waiting, 1);
    vrs_batcher_wake(pipeline);
    while (pipeline->finished < pipeline->submitted && status == VRS_OK)
        if (!vrs_cond_wait_until(&pipeline->changed, &pipeline->lock, deadline_ns) &&
            pipeline->finished < pipeline->submitted)
            status = VRS_TIMEOUT;
    atomic_fetch_sub(&pipeline->waiting, 1);
    vrs_mutex_unlock(&pipeline->lock);
    return status;
}

void vrs_pipeline_reset_stream(vrs_pipeline *pipeline, uint32_t number)
{
    if (!vrs_pipeline_alive(pipeline))
        return;
    vrs_mutex_lock(&pipeline->lock);
    if (number < VRS_MAX_STREAMS && pipeline->streams[number] != NULL)
        pipeline->streams[number]->restart = true;
    vrs_mutex_unlock(&pipeline->lock);
}

uint32_t vrs_pipeline_cancel_stream(vrs_pipeline *pipeline, uint32_t number)
{
    if (!vrs_pipeline_alive(pipeline) || number >= VRS_MAX_STREAMS)
        return 0;
    vrs_mutex_lock(&pipeline->lock);
    vrs_ticket *cancelled = vrs_batcher_cancel(pipeline, number);
    if (pipeline->streams[number] != NULL)
        pipeline->streams[number]->restart = true;
    uint32_t count = 0;
    for (const vrs_ticket *ticket = cancelled; ticket != NULL; ticket = ticket->next_ready)
        count++;
    vrs_mutex_unlock(&pipeline->lock);
    vrs_tickets_give_up(cancelled, VRS_CANCELLED, "vrs_pipeline_cancel_stream() was called");
    return count;
}

static void stop_threads(vrs_pipeline *pipeline)
{
    if (pipeline->has_lock && pipeline->has_work) {
        vrs_mutex_lock(&pipeline->lock);
        atomic_store(&pipeline->stopping, true);
        vrs_batcher_wake(pipeline);
        vrs_mutex_unlock(&pipeline->lock);
    }
    vrs_queue *queues[] = {pipeline->free_slots, pipeline->to_preprocess, pipeline->to_postprocess};
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
        if (queues[i] != NULL)
            vrs_queue_close(queues[i]);
    vrs_thread_join(&pipeline->batcher);
    pipeline->lanes->stop(pipeline);
    for (int32_t i = 0; i < pipeline->settings.requests && pipeline->slots != NULL; i++)
        if (atomic_load(&pipeline->slots[i].running)) {
            vrs_status status = vrs_request_wait(pipeline->slots[i].request);
            (void)status; /* nobody is left to tell */
        }
}

static void free_pipeline(vrs_pipeline *pipeline)
{
    stop_threads(pipeline);
    vrs_engine_destroy(pipeline->engine);
    vrs_smaller_close(&pipeline->smaller);
    for (int i = 0; i < VRS_MAX_STREAMS; i++) {
        vrs_stream_destroy(pipeline->streams[i]);
        vrs_free(pipeline->stream_latency[i]);
    }
    pipeline->lanes->destroy(pipeline);
    vrs_free(pipeline->slots);
    vrs_free(pipeline->from_scores_tables);
    vrs_batch_queue_destroy(pipeline->queue);
    vrs_queue_destroy(pipeline->free_slots);
    vrs_queue_destroy(pipeline->to_preprocess);
    vrs_queue_destroy(pipeline->to_postprocess);
    vrs_reorder_destroy(pipeline->results);
    vrs_reorder_destroy(pipeline->order);
    vrs_recorder_destroy(pipeline->recorder);
    if (pipeline->has_changed)
        vrs_cond_destroy(&pipeline->changed);
    if (pipeline->has_work)
        vrs_cond_destroy(&pipeline->work);
    if (pipeline->has_order_lock)
        vrs_mutex_destroy(&pipeline->order_lock);
    if (pipeline->has_setup_lock)
        vrs_mutex_destroy(&pipeline->setup_lock);
    if (pipeline->has_lock)
        vrs_mutex_destroy(&pipeline->lock);
    vrs_place_close(&pipeline->own_place);
    vrs_free(pipeline);
}

void vrs_pipeline_destroy(vrs_pipeline *pipeline)
{
    if (pipeline != NULL && set_gone(pipeline))
        free_pipeline(pipeline);
}

const vrs_memory *vrs_pipeline_get_memory(const vrs_pipeline *pipeline)
{
    return pipeline->place.memory;
}

const char *vrs_pipeline_get_device(const vrs_pipeline *pipeline)
{
    return pipeline->place.text;
}

const char *vrs_pipeline_get_engine(const vrs_pipeline *pipeline)
{
    return pipeline->engine_text;
}

vrs_latency vrs_pipeline_get_latency(const vrs_pipeline *const_pipeline, uint32_t number)
{
    vrs_pipeline *pipeline = (vrs_pipeline *)(uintptr_t)const_pipeline; /* for its lock alone */
    if (!vrs_pipeline_alive(pipeline) || number >= VRS_MAX_STREAMS)
        return (vrs_latency){0};
    vrs_mutex_lock(&pipeline->lock);
    const vrs_latency_meter *meter = pipeline->stream_latency[number];
    vrs_mutex_unlock(&pipeline->lock);
    return meter != NULL ? vrs_latency_read(meter) : (vrs_latency){0};
}
