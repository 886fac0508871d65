/* The way of a frame through a fleet: out to a device, back in its stream's order, and to another
 * device when that one is lost. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "pipeline/fleet_internal.h"
#include "pipeline/internal.h"
#include "vrseg/log.h"

/* So often the threads here look whether all ends. */
#define LOOK_US 250000

/* ---- choosing ------------------------------------------------------------------------------- */

int32_t vrs_fleet_least_streams(const vrs_fleet *fleet)
{
    const vrs_member *best = NULL;
    for (int32_t i = 0; i < fleet->count; i++) {
        const vrs_member *m = &fleet->members[i];
        bool fewer = best == NULL || m->streams < best->streams ||
                     (m->streams == best->streams && m->in_flight < best->in_flight);
        if (!m->lost && fewer)
            best = m;
    }
    return best != NULL ? best->index : -1;
}

/* Devices that may take a frame now, those with fewest frames in flight first; with `lock` held. */
static int32_t order_members(const vrs_fleet *fleet, const vrs_fleet_stream *stream,
                             int32_t order[VRS_FLEET_MEMBERS])
{
    int32_t count = 0;
    for (int32_t i = 0; i < fleet->count; i++) {
        const vrs_member *m = &fleet->members[i];
        if (m->lost || (stream->stays && i != stream->home))
            continue;
        int32_t at = count++;
        while (at > 0 && fleet->members[order[at - 1]].in_flight > m->in_flight) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return count;
}

static void change(vrs_fleet *fleet)
{
    fleet->changes++;
    vrs_cond_broadcast(&fleet->changed);
}

/* ---- losing --------------------------------------------------------------------------------- */

/* With `lock` held. */
void vrs_fleet_lose(vrs_member *member, const char *why)
{
    vrs_fleet *fleet = member->fleet;
    if (member->lost)
        return;
    member->lost = true;
    if (fleet->loss[0] == 0)
        (void)snprintf(fleet->loss, sizeof(fleet->loss), "%.480s", why);
    if (fleet->count > 1)
        vrs_log(VRS_LOG_WARNING, "%s", why);
    change(fleet);
}

/* Moves a stream whose home is lost; false: it cannot, or none is left. Its frames that were in
 * flight go before those to come. With `lock` held, which is let go meanwhile. */
static bool move_home(vrs_fleet *fleet, uint32_t number)
{
    vrs_fleet_stream *stream = &fleet->streams[number];
    int32_t home = vrs_fleet_least_streams(fleet);
    if (home < 0)
        return false;
    fleet->members[stream->home].streams--;
    stream->home = home;
    fleet->members[home].streams++;
    fleet->restarted++;
    vrs_mutex_unlock(&fleet->lock);
    vrs_pipeline_reset_stream(fleet->members[home].pipeline, number);
    vrs_mutex_lock(&fleet->lock);
    return true;
}

/* Frames of a stream that lost devices have not given back; with `lock` held. */
static bool on_lost(const vrs_fleet *fleet, const vrs_fleet_stream *stream)
{
    for (int32_t i = 0; i < fleet->count; i++)
        if (fleet->members[i].lost && stream->flying[i] > 0)
            return true;
    return false;
}

/* ---- submitting ----------------------------------------------------------------------------- */

/* A frame of a stream's own by the stream's thread; one of a lost device by a collecting thread, of
 * which there may be several. */
static vrs_status submit_to(vrs_member *member, vrs_frame *frame, int64_t timeout_us)
{
    if (frame->stream < VRS_FLEET_STREAMS)
        return vrs_pipeline_submit(member->pipeline, frame, timeout_us);
    vrs_mutex_lock(&member->submitting);
    /* Frames of no past, which may be of any shape. */
    vrs_pipeline_reset_stream(member->pipeline, frame->stream);
    vrs_status status = vrs_pipeline_submit(member->pipeline, frame, 0);
    vrs_mutex_unlock(&member->submitting);
    return status;
}

static vrs_status try_member(vrs_member *member, vrs_fleet_stream *stream, vrs_frame *frame,
                             int64_t timeout_us)
{
    vrs_fleet *fleet = member->fleet;
    vrs_mutex_lock(&fleet->lock);
    member->in_flight++;
    stream->flying[member->index]++;
    vrs_mutex_unlock(&fleet->lock);
    vrs_status status = submit_to(member, frame, timeout_us);
    if (status == VRS_OK)
        return VRS_OK;
    vrs_mutex_lock(&fleet->lock);
    member->in_flight--;
    stream->flying[member->index]--;
    if (status == VRS_DEVICE_LOST)
        vrs_fleet_lose(member, vrs_last_error());
    vrs_mutex_unlock(&fleet->lock);
    return status;
}

/* To one of the devices that may take the frame; a lost one is passed over while others are there,
 * and a queue that refuses is a full one. VRS_TIMEOUT: none takes it now. Waits where there is one
 * device alone, which then counts what it waits for. */
static vrs_status try_members(vrs_fleet *fleet, vrs_fleet_stream *stream, vrs_frame *frame,
                              const int32_t *order, int32_t count, int64_t timeout_us)
{
    vrs_status status = VRS_TIMEOUT;
    for (int32_t i = 0; i < count && status == VRS_TIMEOUT; i++) {
        status = try_member(&fleet->members[order[i]], stream, frame, count == 1 ? timeout_us : 0);
        bool again = status == VRS_DEVICE_LOST && frame->image.memory == VRS_MEMORY_HOST &&
                     vrs_fleet_alive(fleet);
        if (again || (status == VRS_REFUSED && count > 1))
            status = VRS_TIMEOUT;
    }
    return status;
}

/* What is left until a deadline, but a look at most. */
static int64_t until(int64_t deadline_ns)
{
    int64_t now = vrs_now_ns();
    if (deadline_ns <= now)
        return 0;
    int64_t left_us = (deadline_ns - now) / VRS_NS_PER_US;
    return left_us < LOOK_US ? left_us : LOOK_US;
}

static vrs_status fail_lost(vrs_fleet *fleet)
{
    char why[VRS_DETAIL_SIZE];
    vrs_mutex_lock(&fleet->lock);
    (void)snprintf(why, sizeof(why), "%s", fleet->loss);
    vrs_mutex_unlock(&fleet->lock);
    return vrs_fail(VRS_DEVICE_LOST, "%s", why);
}

/* The devices for the next frame of a stream into `order`. None while the stream waits for what a
 * lost device had of it. VRS_DEVICE_LOST: none is left. With `lock` held. */
static vrs_status next_members(vrs_fleet *fleet, uint32_t number, const vrs_frame *frame,
                               int32_t order[VRS_FLEET_MEMBERS], int32_t *count)
{
    vrs_fleet_stream *stream = &fleet->streams[number];
    *count = 0;
    bool host = frame->image.memory == VRS_MEMORY_HOST;
    if (stream->repeats && fleet->members[stream->home].lost)
        return VRS_DEVICE_LOST;
    if (stream->stays && host && on_lost(fleet, stream))
        return VRS_OK;
    if (stream->stays && fleet->members[stream->home].lost && (!host || !move_home(fleet, number)))
        return VRS_DEVICE_LOST;
    *count = order_members(fleet, stream, order);
    return *count > 0 ? VRS_OK : VRS_DEVICE_LOST;
}

/* Submits as frame of the stream `number`, under the number that the frame carries. */
static vrs_status submit(vrs_fleet *fleet, uint32_t number, vrs_frame *frame, int64_t timeout_us)
{
    int64_t deadline_ns = vrs_deadline_ns(timeout_us);
    for (;;) {
        int32_t order[VRS_FLEET_MEMBERS], count;
        vrs_mutex_lock(&fleet->lock);
        uint64_t seen = fleet->changes;
        vrs_status status =
            fleet->stopping ? VRS_CLOSED : next_members(fleet, number, frame, order, &count);
        vrs_mutex_unlock(&fleet->lock);
        if (status == VRS_DEVICE_LOST)
            return fail_lost(fleet);
        if (status != VRS_OK)
            return vrs_fail(status, "the fleet ends and takes no more frames");
        status =
            try_members(fleet, &fleet->streams[number], frame, order, count, until(deadline_ns));
        if (status != VRS_TIMEOUT && status != VRS_REFUSED)
            return status;
        bool waited = count == 1 && status == VRS_TIMEOUT;
        vrs_mutex_lock(&fleet->lock);
        int64_t look_ns = vrs_deadline_ns(until(deadline_ns));
        while (!waited && fleet->changes == seen && !fleet->stopping && vrs_now_ns() < look_ns)
            (void)vrs_cond_wait_until(&fleet->changed, &fleet->lock, look_ns);
        vrs_mutex_unlock(&fleet->lock);
        if (vrs_now_ns() >= deadline_ns)
            return VRS_TIMEOUT;
    }
}

vrs_status vrs_fleet_open_stream(vrs_fleet *fleet, uint32_t number, bool there, int32_t *home)
{
    vrs_fleet_stream *stream = &fleet->streams[number];
    if (stream->order == NULL) {
        uint32_t devices = (uint32_t)fleet->count + (fleet->fallback[0] != 0 ? 1 : 0);
        vrs_status status =
            vrs_reorder_create(2 * (uint32_t)fleet->tickets * devices, &stream->order);
        if (status != VRS_OK)
            return status;
    }
    vrs_mutex_lock(&fleet->lock);
    assert(!stream->open);
    *home = vrs_fleet_least_streams(fleet);
    if (*home >= 0) {
        stream->open = true;
        stream->home = *home;
        stream->stays = fleet->temporal || there;
        stream->repeats = false;
        stream->base += stream->opened;
        stream->opened = 0;
        fleet->members[*home].streams++;
    }
    vrs_mutex_unlock(&fleet->lock);
    if (*home < 0)
        return fail_lost(fleet);
    vrs_fleet_reset_stream(fleet, number);
    return VRS_OK;
}

void vrs_fleet_repeats_past(vrs_fleet *fleet, uint32_t number)
{
    vrs_mutex_lock(&fleet->lock);
    fleet->streams[number].repeats = fleet->temporal;
    vrs_mutex_unlock(&fleet->lock);
}

void vrs_fleet_close_stream(vrs_fleet *fleet, uint32_t number)
{
    vrs_fleet_stream *stream = &fleet->streams[number];
    vrs_mutex_lock(&fleet->lock);
    if (stream->open)
        fleet->members[stream->home].streams--;
    stream->open = false;
    vrs_mutex_unlock(&fleet->lock);
}

vrs_status vrs_fleet_submit(vrs_fleet *fleet, vrs_frame *frame, int64_t timeout_us)
{
    vrs_fleet_stream *stream = &fleet->streams[frame->stream];
    if ((uint64_t)frame->id != stream->opened)
        return vrs_fail(VRS_INVALID, "frame %lld: the next one of stream %u is %llu",
                        (long long)frame->id, frame->stream, (unsigned long long)stream->opened);
    vrs_status status = submit(fleet, frame->stream, frame, timeout_us);
    if (status == VRS_OK)
        stream->opened++; /* the stream's thread alone */
    return status;
}

void vrs_fleet_reset_stream(vrs_fleet *fleet, uint32_t number)
{
    for (int32_t i = 0; i < fleet->count; i++)
        if (fleet->members[i].pipeline != NULL)
            vrs_pipeline_reset_stream(fleet->members[i].pipeline, number);
}

/* ---- collecting ----------------------------------------------------------------------------- */

static void release_lost(void *opaque)
{
    vrs_result_release(opaque);
}

/* A frame that was lost with its device, once more. One of a stream that stays goes on in it, with
 * the frames after it waiting; others go by a stream of their own, whose tickets are held by such
 * frames alone: those of the stream may all wait for this one. */
static bool do_again(vrs_member *from, uint32_t number, vrs_result *result)
{
    vrs_fleet *fleet = from->fleet;
    vrs_fleet_stream *stream = &fleet->streams[number];
    vrs_frame frame = {
        .image = *result->source,
        .stream = stream->stays ? number : number + VRS_FLEET_STREAMS,
        .priority = result->priority,
        .id = result->id,
        .pts = result->pts,
        .duration = result->duration,
        .capture_ns = result->capture_ns,
    };
    frame.image.release = release_lost;
    frame.image.opaque = result;
    vrs_status status = VRS_TIMEOUT;
    while (status == VRS_TIMEOUT) {
        int32_t order[VRS_FLEET_MEMBERS], count = 0;
        vrs_mutex_lock(&fleet->lock);
        uint64_t seen = fleet->changes;
        bool possible = !fleet->stopping;
        if (possible && stream->stays && fleet->members[stream->home].lost)
            possible = move_home(fleet, number);
        count = possible ? order_members(fleet, stream, order) : 0;
        vrs_mutex_unlock(&fleet->lock);
        if (count == 0)
            return false;
        status = try_members(fleet, stream, &frame, order, count, 0);
        status = status == VRS_REFUSED ? VRS_TIMEOUT : status;
        vrs_mutex_lock(&fleet->lock);
        if (status == VRS_TIMEOUT && fleet->changes == seen)
            (void)vrs_cond_wait_until(&fleet->changed, &fleet->lock, vrs_deadline_ns(LOOK_US));
        vrs_mutex_unlock(&fleet->lock);
    }
    return status == VRS_OK;
}

/* Hands on what is next of the stream; with `lock` held. */
static void deliver(vrs_member *member, uint32_t number, vrs_result *result)
{
    vrs_fleet *fleet = member->fleet;
    vrs_fleet_stream *stream = &fleet->streams[number];
    member->delivered++;
    vrs_reorder_put(stream->order, stream->base + (uint64_t)result->id, result);
    vrs_result *next;
    while ((next = vrs_reorder_next(stream->order)) != NULL)
        fleet->deliver(fleet->opaque, next);
}

static void collect(vrs_member *member, vrs_result *result)
{
    vrs_fleet *fleet = member->fleet;
    uint32_t number = result->stream % VRS_FLEET_STREAMS;
    result->stream = number;
    bool lost = result->status == VRS_DEVICE_LOST, again = false;
    if (lost) {
        vrs_mutex_lock(&fleet->lock);
        vrs_fleet_lose(member, result->detail);
        vrs_mutex_unlock(&fleet->lock);
        again = result->source->memory == VRS_MEMORY_HOST && !fleet->streams[number].repeats &&
                do_again(member, number, result);
    }
    vrs_mutex_lock(&fleet->lock);
    member->in_flight--;
    fleet->streams[number].flying[member->index]--;
    if (again)
        member->moved++;
    else
        deliver(member, number, result);
    change(fleet);
    vrs_mutex_unlock(&fleet->lock);
}

void vrs_fleet_collect_main(void *arg)
{
    vrs_member *member = arg;
    vrs_status status = VRS_OK;
    while (status == VRS_OK || status == VRS_TIMEOUT) {
        vrs_result *result;
        status = vrs_pipeline_get_result(member->pipeline, &result, LOOK_US);
        if (status == VRS_OK)
            collect(member, result);
    }
    assert(status == VRS_END);
}

void vrs_fleet_release(vrs_fleet *fleet, vrs_result *result)
{
    vrs_result_release(result);
    vrs_mutex_lock(&fleet->lock);
    change(fleet);
    vrs_mutex_unlock(&fleet->lock);
}
