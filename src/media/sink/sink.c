/* What all sinks share: checks in front, who may be called when, and the sink to nowhere. */
#include "media/sink/sink.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "media/libav/av.h"
#include "media/sink/room.h"
#include "media/sink/sink_held.h"
#include "media/sink/sink_kinds.h"
#include "vrseg/system.h"

/* More do not help, and libav refuses or warns. */
#define MAX_THREADS 16

/* ---- to nowhere ----------------------------------------------------------------------------- */

static vrs_status null_write(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                             const char *name)
{
    (void)pts;
    (void)duration;
    (void)name;
    vrs_image_release(image);
    sink->frames++;
    return VRS_OK;
}

static vrs_status null_finish(vrs_sink *sink)
{
    (void)sink;
    return VRS_OK;
}

static void null_abort(vrs_sink *sink)
{
    (void)sink;
}

static void null_destroy(vrs_sink *sink)
{
    vrs_free(sink);
}

static vrs_status open_null(vrs_sink **sink)
{
    static const vrs_sink_ops ops = {null_write, null_finish, null_abort, null_destroy, NULL};
    vrs_sink *made = vrs_alloc(sizeof *made);
    if (!made)
        return VRS_NO_MEMORY;
    made->ops = &ops;
    *sink = made;
    return VRS_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static vrs_status check_params(const vrs_sink_params *params)
{
    bool sized = params->width >= 1 && params->width <= VRS_MAX_SIDE && params->height >= 1 &&
                 params->height <= VRS_MAX_SIDE;
    if (!sized) {
        return vrs_fail(VRS_INVALID, "%s: pictures of %dx%d cannot be written (1 to %d each side)",
                        params->path, (int)params->width, (int)params->height, VRS_MAX_SIDE);
    }
    if (params->segment_frames < 1) {
        return vrs_fail(VRS_INVALID, "%s: a segment needs at least one frame, not %d", params->path,
                        (int)params->segment_frames);
    }
    bool timed = params->stream->time_base_num > 0 && params->stream->time_base_den > 0;
    if (!timed && !params->stream->still) {
        return vrs_fail(VRS_INVALID, "%s: the source's time base %d/%d is no time", params->path,
                        (int)params->stream->time_base_num, (int)params->stream->time_base_den);
    }
    return VRS_OK;
}

static vrs_status open_kind(const vrs_sink_params *params, vrs_sink **sink)
{
    switch (params->codec) {
    case VRS_CODEC_NULL:
        return open_null(sink);
    case VRS_CODEC_PNG:
        return vrs_sink_open_pictures(params, sink);
    case VRS_CODEC_RAW:
        return vrs_sink_open_y4m(params, sink);
    default:
        return vrs_sink_open_video(params, sink);
    }
}

vrs_status vrs_sink_open(const vrs_sink_params *params, vrs_sink **sink)
{
    vrs_sink_params chosen = *params;
    vrs_pixel_format format = VRS_FORMAT_NONE;
    vrs_av_init();
    vrs_status status = check_params(params);
    if (status == VRS_OK) {
        status = vrs_sink_choose(params->path, params->kind, params->stream->format, &chosen.codec,
                                 &format);
    }
    if (status != VRS_OK)
        return status;
    bool video = chosen.codec != VRS_CODEC_RAW && chosen.codec != VRS_CODEC_PNG &&
                 chosen.codec != VRS_CODEC_NULL;
    if (params->shards > 0 && !video) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: shards are made of video files only (.mp4, .mov, .mkv, .webm)",
                        params->path);
    }
    if (params->resume && chosen.codec == VRS_CODEC_RAW) {
        return vrs_fail(VRS_UNSUPPORTED,
                        "%s: Y4M cannot be gone on with; use .mkv (ffv1) or leave out resume",
                        params->path);
    }
    if (chosen.threads < 1)
        chosen.threads = vrs_cpu_count();
    if (chosen.threads > MAX_THREADS)
        chosen.threads = MAX_THREADS;
    vrs_sink *made = NULL;
    status = open_kind(&chosen, &made);
    if (status != VRS_OK)
        return status;
    vrs_room frame = vrs_room_of_frame(&chosen);
    made->least_bytes = frame.least;
    made->likely_bytes = frame.likely;
    made->held_bytes = vrs_held_by_encoder(&chosen);
    (void)snprintf(made->description, sizeof made->description, "%s, %s, %s",
                   vrs_output_kind_name(params->kind), vrs_codec_name(chosen.codec), params->path);
    *sink = made;
    return VRS_OK;
}

vrs_leftover vrs_sink_leftover(const vrs_sink_params *params)
{
    return params->resume      ? VRS_LEFTOVER_KEEP
           : params->overwrite ? VRS_LEFTOVER_REMOVE
                               : VRS_LEFTOVER_REFUSE;
}

vrs_status vrs_sink_rewind(vrs_sink *sink, int64_t frames)
{
    if (frames >= sink->resumed.frames || !sink->ops->rewind)
        return VRS_OK;
    return sink->ops->rewind(sink, frames);
}

vrs_status vrs_sink_write(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                          const char *name)
{
    return sink->ops->write(sink, image, pts, duration, name);
}

vrs_status vrs_sink_finish(vrs_sink *sink)
{
    return sink->ops->finish(sink);
}

void vrs_sink_abort(vrs_sink *sink)
{
    sink->ops->abort(sink);
}

void vrs_sink_close(vrs_sink *sink)
{
    if (sink) {
        sink->ops->abort(sink);
        sink->ops->destroy(sink);
    }
}
