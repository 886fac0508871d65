#include "media/source/gpu_frames.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"
#include "device/cuda/cuda.h"
#include "image/format.h"
#include "media/libav/av.h"

/* Rows and planes begin at multiples of this: what copy engines and kernels like best. */
#define ALIGNMENT 256
#define STOP_TICK_NS (VRS_NS_PER_S / 10)

typedef struct slot {
    struct slot_set *set;
    vrs_slot memory;
    vrs_device_event *ready; /* recorded after the copy into it */
    int32_t users;           /* the image; the copy, as long as it runs */
} slot;

/* Slots of one size. A larger picture makes a larger set; the old one goes with its last image. */
typedef struct slot_set {
    vrs_gpu_frames *frames;
    vrs_pool *pool;
    size_t bytes; /* of a slot */
    int32_t count, used;
    slot slots[]; /* by the pool's index */
} slot_set;

/* A copy that was queued. What it reads from goes back when it is done. */
typedef struct pending {
    slot *into;
    AVFrame *surface;  /* NULL: `staged` */
    vrs_pool *staging; /* the pool of `staged`; NULL: none */
    vrs_slot staged;
} pending;

/* Bytes of a picture in a slot, and where its planes lie. */
typedef struct layout {
    size_t bytes;
    size_t offsets[VRS_MAX_PLANES];
    size_t pitches[VRS_MAX_PLANES];
} layout;

struct vrs_gpu_frames {
    vrs_gpu_frames_params params;
    vrs_device_stream *stream;
    vrs_queue *copies; /* pending, for the thread that returns surfaces */
    vrs_thread returner;
    pending ring[VRS_GPU_SURFACES];
    uint32_t next;     /* place in the ring */
    vrs_pool *staging; /* pinned: a buffer for each copy that may run; NULL: none yet */
    size_t staging_bytes;
    vrs_mutex lock; /* of what follows, of sets and of slots */
    vrs_cond changed;
    bool has_lock, has_changed;
    slot_set *set;
    int32_t users; /* the owner; each slot in use */
    int32_t running, most_running;
    int64_t surfaces; /* bytes that are booked for the decoder's; the reading thread's */
    vrs_status failure;
    char failure_text[VRS_DETAIL_SIZE];
};

/* ---- places --------------------------------------------------------------------------------- */

static size_t round_up(size_t value)
{
    return (value + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static layout lay_out(const vrs_image *image)
{
    layout out = {0};
    int32_t planes = vrs_format_get(image->format)->planes;
    for (int32_t i = 0; i < planes; i++) {
        out.offsets[i] = out.bytes;
        out.pitches[i] = round_up((size_t)vrs_plane_row_bytes(image, i));
        out.bytes += out.pitches[i] * (size_t)vrs_plane_height(image, i);
    }
    return out;
}

static void free_set(slot_set *set)
{
    if (!set)
        return;
    for (int32_t i = 0; i < set->count; i++)
        vrs_device_event_destroy(set->slots[i].ready);
    vrs_pool_destroy(set->pool);
    vrs_free(set);
}

/* Slots for which there is memory: at most half of what there is now, as the lanes need the other
 * half for what they make of the frames; one in any case. */
static int32_t affordable(const vrs_gpu_frames *frames, size_t bytes)
{
    uint64_t left = vrs_memory_available(frames->params.memory, VRS_MEMORY_PLACE_DEVICE);
    uint64_t count = bytes > 0 ? left / 2 / bytes : 0;
    count = count > 0 ? count : 1;
    return count < (uint64_t)frames->params.slots ? (int32_t)count : frames->params.slots;
}

static vrs_status make_set(vrs_gpu_frames *frames, size_t bytes, int32_t count, slot_set **out)
{
    slot_set *set = vrs_alloc(sizeof *set + (size_t)count * sizeof(slot));
    if (!set)
        return VRS_NO_MEMORY;
    *set = (slot_set){.frames = frames, .bytes = bytes, .count = count};
    const vrs_pool_settings settings = {
        .place = VRS_MEMORY_PLACE_DEVICE,
        .owner = VRS_MEMORY_FRAMES,
        .slot_bytes = bytes,
        .most_slots = (uint32_t)count,
        .keep_slots = (uint32_t)count,
        .step_slots = (uint32_t)count,
    };
    vrs_status status = vrs_pool_create(frames->params.memory, &settings, &set->pool);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        set->slots[i].set = set;
        status = vrs_device_event_create(frames->params.device, false, &set->slots[i].ready);
    }
    if (status != VRS_OK) {
        free_set(set);
        return status;
    }
    *out = set;
    return VRS_OK;
}

/* Not even one slot fits: whoever set the budget can only set another. */
static vrs_status too_little(const vrs_gpu_frames *frames, size_t bytes)
{
    vrs_memory_stats stats;
    vrs_memory_get_stats(frames->params.memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    if (stats.used + bytes <= stats.budget)
        return VRS_NO_MEMORY; /* it is not the budget's fault */
    return vrs_fail(VRS_INVALID,
                    "the memory budget is too small for one decoded frame: it needs %.1f MB of GPU "
                    "memory, %.1f MB with all that is in use, and has %.1f MB: raise gpu_memory",
                    (double)bytes / 1e6, (double)(stats.used + bytes) / 1e6,
                    (double)stats.budget / 1e6);
}

/* Makes the set that holds `bytes` the current one: with fewer slots where memory is short. */
static vrs_status fit_set(vrs_gpu_frames *frames, size_t bytes)
{
    slot_set *made = NULL;
    if (frames->set && frames->set->bytes >= bytes)
        return VRS_OK;
    int32_t count = affordable(frames, bytes);
    vrs_status status = make_set(frames, bytes, count, &made);
    while (status == VRS_NO_MEMORY && count > 1) {
        count /= 2;
        status = make_set(frames, bytes, count, &made);
    }
    if (status != VRS_OK)
        return status == VRS_NO_MEMORY ? too_little(frames, bytes) : status;
    vrs_mutex_lock(&frames->lock);
    slot_set *old = frames->set;
    frames->set = made;
    bool unused = old && old->used == 0;
    vrs_mutex_unlock(&frames->lock);
    free_set(unused ? old : NULL);
    return VRS_OK;
}

/* Until no copy runs: none reads a buffer, none keeps a surface and its decoder alive. */
static void wait_for_copies(vrs_gpu_frames *frames)
{
    vrs_mutex_lock(&frames->lock);
    while (frames->running > 0)
        (void)vrs_cond_wait_until(&frames->changed, &frames->lock, INT64_MAX);
    vrs_mutex_unlock(&frames->lock);
}

/* The same for the pinned buffers. No copy from a smaller one runs any more when it goes: larger
 * pictures are rare, so this waits for the thread that returns them. */
static vrs_status fit_staging(vrs_gpu_frames *frames, size_t bytes)
{
    if (frames->staging && frames->staging_bytes >= bytes)
        return VRS_OK;
    wait_for_copies(frames);
    vrs_pool_destroy(frames->staging);
    frames->staging = NULL;
    const vrs_pool_settings settings = {
        .place = VRS_MEMORY_PLACE_PINNED,
        .owner = VRS_MEMORY_STAGING,
        .slot_bytes = bytes,
        .most_slots = VRS_GPU_SURFACES,
        .keep_slots = VRS_GPU_SURFACES,
        .step_slots = VRS_GPU_SURFACES,
    };
    frames->staging_bytes = bytes;
    return vrs_pool_create(frames->params.memory, &settings, &frames->staging);
}

/* ---- lives ---------------------------------------------------------------------------------- */

static void free_frames(vrs_gpu_frames *frames)
{
    free_set(frames->set);
    vrs_pool_destroy(frames->staging);
    vrs_device_stream_destroy(frames->stream);
    vrs_queue_destroy(frames->copies);
    if (frames->has_changed)
        vrs_cond_destroy(&frames->changed);
    if (frames->has_lock)
        vrs_mutex_destroy(&frames->lock);
    vrs_free(frames);
}

/* Ends one use of a slot: its image's, or its copy's. */
static void leave_slot(slot *left)
{
    slot_set *set = left->set;
    vrs_gpu_frames *frames = set->frames;
    slot_set *old = NULL;
    bool last = false;
    vrs_mutex_lock(&frames->lock);
    if (--left->users == 0) {
        vrs_pool_put(set->pool, left->memory.index);
        set->used--;
        old = set != frames->set && set->used == 0 ? set : NULL;
        last = --frames->users == 0;
        vrs_cond_broadcast(&frames->changed);
    }
    vrs_mutex_unlock(&frames->lock);
    free_set(old);
    if (last)
        free_frames(frames);
}

static void release_image(void *opaque)
{
    leave_slot(opaque);
}

/* Keeps the first failure, with this thread's last error. */
static void keep_failure(vrs_gpu_frames *frames, vrs_status status)
{
    vrs_mutex_lock(&frames->lock);
    if (frames->failure == VRS_OK) {
        frames->failure = status;
        (void)snprintf(frames->failure_text, sizeof frames->failure_text, "%s", vrs_last_error());
    }
    vrs_mutex_unlock(&frames->lock);
}

/* The thread that returns surfaces, in the order of their copies. On a lost GPU no copy runs any
 * more, so that what waited for one goes back at once. */
static void return_surfaces(void *arg)
{
    vrs_gpu_frames *frames = arg;
    void *item = NULL;
    while (vrs_queue_pop(frames->copies, &item, INT64_MAX) == VRS_OK) {
        pending *copy = item;
        slot *into = copy->into;
        vrs_status status = vrs_device_event_wait(into->ready);
        if (status != VRS_OK)
            keep_failure(frames, status);
        av_frame_free(&copy->surface);
        if (copy->staging)
            vrs_pool_put(copy->staging, copy->staged.index);
        *copy = (pending){0};
        vrs_mutex_lock(&frames->lock);
        frames->running--;
        vrs_cond_broadcast(&frames->changed);
        vrs_mutex_unlock(&frames->lock);
        leave_slot(into);
    }
}

static vrs_status start(vrs_gpu_frames *frames)
{
    vrs_status status = vrs_mutex_init(&frames->lock);
    frames->has_lock = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&frames->changed);
        frames->has_changed = status == VRS_OK;
    }
    if (status == VRS_OK)
        status = vrs_queue_create(VRS_GPU_SURFACES, &frames->copies);
    if (status == VRS_OK) {
        status =
            vrs_device_stream_create(frames->params.device, VRS_PRIORITY_NORMAL, &frames->stream);
    }
    if (status == VRS_OK)
        status = vrs_thread_start(&frames->returner, "vrs-surface", return_surfaces, frames);
    return status;
}

vrs_status vrs_gpu_frames_create(const vrs_gpu_frames_params *params, vrs_gpu_frames **out)
{
    *out = NULL;
    if (params->slots < 1 || params->slots > VRS_GPU_MAX_SLOTS) {
        return vrs_fail(VRS_INVALID, "%d slots for decoded frames; 1 to %d are possible",
                        params->slots, VRS_GPU_MAX_SLOTS);
    }
    if (vrs_device_get_properties(params->device)->kind != VRS_DEVICE_CUDA) {
        return vrs_fail(VRS_INVALID, "decoded frames are put on a CUDA device, not on %s",
                        vrs_device_get_properties(params->device)->id);
    }
    vrs_gpu_frames *frames = vrs_alloc(sizeof *frames);
    if (!frames)
        return VRS_NO_MEMORY;
    frames->params = *params;
    frames->users = 1;
    vrs_status status = start(frames);
    if (status != VRS_OK) {
        free_frames(frames);
        return status;
    }
    *out = frames;
    return VRS_OK;
}

void vrs_gpu_frames_destroy(vrs_gpu_frames *frames)
{
    if (!frames)
        return;
    vrs_queue_close(frames->copies);
    vrs_thread_join(&frames->returner);
    vrs_mutex_lock(&frames->lock);
    bool last = --frames->users == 0;
    vrs_mutex_unlock(&frames->lock);
    if (last)
        free_frames(frames);
}

/* libav has met an error of the driver: if it was the end of the GPU, the device's next call says
 * so; an event is the cheapest. */
static bool is_lost(void *opaque)
{
    vrs_gpu_frames *frames = opaque;
    vrs_device_event *probe = NULL;
    vrs_status status = vrs_device_event_create(frames->params.device, false, &probe);
    if (status == VRS_OK)
        status = vrs_device_event_record(probe, frames->stream);
    vrs_device_event_destroy(probe);
    return status == VRS_DEVICE_LOST || vrs_device_check(frames->params.device) != VRS_OK;
}

static void give_surfaces(void *opaque)
{
    vrs_gpu_frames *frames = opaque;
    wait_for_copies(frames);
    vrs_status status = vrs_memory_book(frames->params.memory, VRS_MEMORY_PLACE_DEVICE,
                                        VRS_MEMORY_DECODER, -frames->surfaces);
    (void)status; /* giving back cannot fail */
    frames->surfaces = 0;
}

/* Libav frees a decoder before it asks for the next one. */
static vrs_status take_surfaces(void *opaque, uint64_t expected)
{
    vrs_gpu_frames *frames = opaque;
    give_surfaces(frames);
    return vrs_memory_measure_begin(frames->params.memory, VRS_MEMORY_DECODER, expected);
}

static vrs_status book_surfaces(void *opaque)
{
    vrs_gpu_frames *frames = opaque;
    int64_t taken = 0;
    vrs_status status = vrs_memory_measure_end(frames->params.memory, &taken);
    frames->surfaces = taken > 0 ? taken : 0;
    if (status == VRS_NO_MEMORY) {
        char why[VRS_DETAIL_SIZE];
        (void)snprintf(why, sizeof why, "%s", vrs_last_error());
        return vrs_fail(VRS_INVALID, "%.400s, or use the decoder cpu", why);
    }
    return status;
}

vrs_hw_place vrs_gpu_frames_place(vrs_gpu_frames *frames)
{
    return (vrs_hw_place){
        .context = vrs_cuda_context(frames->params.device),
        .stream = vrs_device_stream_handle(frames->stream),
        .surfaces = VRS_GPU_SURFACES,
        .lost = is_lost,
        .taking = take_surfaces,
        .taken = book_surfaces,
        .given = give_surfaces,
        .opaque = frames,
    };
}

/* ---- a frame -------------------------------------------------------------------------------- */

static bool must_wait(const vrs_gpu_frames *frames)
{
    return frames->running == VRS_GPU_SURFACES ||
           (frames->set && frames->set->used == frames->set->count);
}

vrs_status vrs_gpu_frames_wait(vrs_gpu_frames *frames)
{
    const vrs_gpu_frames_params *params = &frames->params;
    vrs_status status = VRS_OK;
    vrs_mutex_lock(&frames->lock);
    while (frames->failure == VRS_OK && must_wait(frames) && status == VRS_OK) {
        if (params->stop && params->stop(params->stop_opaque)) {
            status = vrs_fail(VRS_CANCELLED, "stopped while all slots for frames are in use");
        } else {
            (void)vrs_cond_wait_until(&frames->changed, &frames->lock,
                                      params->stop ? vrs_now_ns() + STOP_TICK_NS : INT64_MAX);
        }
    }
    if (frames->failure != VRS_OK)
        status = vrs_fail(frames->failure, "%s", frames->failure_text);
    vrs_mutex_unlock(&frames->lock);
    return status;
}

/* Takes a slot and a place among the copies: both are there after vrs_gpu_frames_wait(). The slot
 * is in use by its copy and by its image, which is filled in. */
static vrs_status take_slot(vrs_gpu_frames *frames, vrs_image *image, pending **out)
{
    layout where = lay_out(image);
    vrs_status status = fit_set(frames, where.bytes);
    if (status != VRS_OK)
        return status;
    slot_set *set = frames->set;
    vrs_slot memory = {0};
    vrs_mutex_lock(&frames->lock);
    bool got = vrs_pool_get(set->pool, &memory);
    assert(got && frames->running < VRS_GPU_SURFACES);
    (void)got;
    slot *taken = &set->slots[memory.index];
    taken->memory = memory;
    taken->users = 2;
    set->used++;
    frames->users++;
    frames->running++;
    if (frames->running > frames->most_running)
        frames->most_running = frames->running;
    vrs_mutex_unlock(&frames->lock);
    *out = &frames->ring[frames->next++ % VRS_GPU_SURFACES];
    **out = (pending){.into = taken};
    for (int i = 0; i < VRS_MAX_PLANES; i++) {
        image->strides[i] = (ptrdiff_t)where.pitches[i];
        image->planes[i] =
            where.pitches[i] ? (uint8_t *)(uintptr_t)(memory.address + where.offsets[i]) : NULL;
    }
    image->memory = VRS_MEMORY_CUDA;
    image->device = vrs_device_get_properties(frames->params.device)->number;
    image->ready = vrs_device_event_handle(taken->ready);
    image->release = release_image;
    image->opaque = taken;
    return VRS_OK;
}

/* Marks the slot as ready behind what was queued, and leaves the copy to the thread that waits for
 * it; also after a failure (`status`), as some of its planes may be on their way, and what they are
 * read from must live until then. */
static vrs_status hand_over(vrs_gpu_frames *frames, pending *copy, vrs_status status,
                            vrs_image *image)
{
    vrs_status recorded = vrs_device_event_record(copy->into->ready, frames->stream);
    vrs_queue_push(frames->copies, copy);
    status = status != VRS_OK ? status : recorded;
    if (status != VRS_OK)
        vrs_image_release(image);
    return status;
}

static vrs_status copy_planes(vrs_gpu_frames *frames, const AVFrame *frame, const vrs_image *image)
{
    vrs_status status = VRS_OK;
    int32_t planes = vrs_format_get(image->format)->planes;
    for (int32_t i = 0; i < planes && status == VRS_OK; i++) {
        status = vrs_device_copy_2d(
            frames->stream, (vrs_device_ptr)(uintptr_t)image->planes[i], (size_t)image->strides[i],
            (vrs_device_ptr)(uintptr_t)frame->data[i], (size_t)frame->linesize[i],
            (size_t)vrs_plane_row_bytes(image, i), (size_t)vrs_plane_height(image, i));
    }
    return status;
}

vrs_status vrs_gpu_frames_put(vrs_gpu_frames *frames, AVFrame *frame, vrs_image *out)
{
    vrs_image image = {
        .format = vrs_av_to_format(vrs_av_stored_format(frame)),
        .width = frame->width,
        .height = frame->height,
        .color = vrs_av_frame_color(frame),
    };
    pending *copy = NULL;
    vrs_status status = VRS_OK;
    if (image.format != VRS_FORMAT_NV12 && image.format != VRS_FORMAT_P010)
        status = vrs_fail(VRS_UNSUPPORTED, "the GPU's decoder gave neither NV12 nor P010");
    else
        status = take_slot(frames, &image, &copy);
    if (status != VRS_OK) {
        av_frame_free(&frame);
        return status;
    }
    copy->surface = frame;
    status = hand_over(frames, copy, copy_planes(frames, frame, &image), &image);
    if (status == VRS_OK)
        *out = image;
    return status;
}

/* Copies an image's rows into a pinned buffer that is laid out as a slot is. */
static void stage(const vrs_image *host, const layout *where, uint8_t *to)
{
    for (int32_t i = 0; i < vrs_format_get(host->format)->planes; i++) {
        size_t bytes = (size_t)vrs_plane_row_bytes(host, i);
        for (int32_t y = 0; y < vrs_plane_height(host, i); y++) {
            memcpy(to + where->offsets[i] + where->pitches[i] * (size_t)y,
                   host->planes[i] + host->strides[i] * y, bytes);
        }
    }
}

vrs_status vrs_gpu_frames_upload(vrs_gpu_frames *frames, vrs_image *image)
{
    vrs_image host = *image;
    vrs_image made = host;
    layout where = {0};
    pending *copy = NULL;
    *image = (vrs_image){0};
    vrs_status status = vrs_image_check(&host);
    if (status == VRS_OK) {
        where = lay_out(&host);
        status = fit_staging(frames, where.bytes);
    }
    if (status == VRS_OK)
        status = take_slot(frames, &made, &copy);
    if (status != VRS_OK) {
        vrs_image_release(&host);
        return status;
    }
    bool got = vrs_pool_get(frames->staging, &copy->staged);
    assert(got); /* as many as copies may run */
    (void)got;
    copy->staging = frames->staging;
    stage(&host, &where, copy->staged.host);
    vrs_image_release(&host);
    status = vrs_device_upload(frames->stream, copy->into->memory.address, copy->staged.host,
                               where.bytes);
    status = hand_over(frames, copy, status, &made);
    if (status == VRS_OK)
        *image = made;
    return status;
}

int32_t vrs_gpu_frames_most_running(vrs_gpu_frames *frames)
{
    vrs_mutex_lock(&frames->lock);
    int32_t most = frames->most_running;
    vrs_mutex_unlock(&frames->lock);
    return most;
}
