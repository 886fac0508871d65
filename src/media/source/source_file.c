/* A video, a picture, a pipe or a camera as a source. */
#include <stdio.h>
#include <string.h>

#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "media/libav/av.h"
#include "media/source/source_held.h"
#include "media/source/source_internal.h"
#include "vrseg/log.h"
#include "vrseg/system.h"

/* Time stamps that go back by more than so many frames count from another start. */
#define FRAMES_OF_A_NEW_CLOCK 10
/* A place is sought so often, each time so many times further before it. */
#define SEEK_TRIES 4
#define SEEK_FURTHER 8

typedef struct vrs_file_source {
    vrs_source source; /* first */
    vrs_source_params params;
    char *path;
    vrs_reader *reader;
    vrs_gpu_frames *gpu; /* where the hardware's frames go; NULL: the CPU decodes */
    vrs_converter converter;
    vrs_convert_side side;            /* what every frame of a video becomes */
    enum AVPixelFormat stored_format; /* of the first frame, before conversion */
    AVFrame *ahead;                   /* decoded, not yet delivered */
    bool camera;
    bool any; /* a frame was delivered */
    int64_t last_pts, last_step;
    int64_t shift; /* added to stored time stamps */
    bool warned_change, warned_pts;
} vrs_file_source;

static void take_damage(vrs_file_source *file)
{
    file->source.damaged = file->reader->damaged;
    memcpy(file->source.damage, file->reader->damage, sizeof file->source.damage);
}

/* Says once why the CPU decodes what is wanted on the GPU. */
static void take_note(vrs_file_source *file)
{
    const char *why = vrs_reader_refusal(file->reader);
    vrs_source *source = &file->source;
    if (file->gpu && why[0] && !source->note[0]) {
        (void)snprintf(source->note, sizeof source->note, "%s: decoded on the CPU: %s",
                       file->reader->name, why);
        vrs_log(VRS_LOG_INFO, "%s", source->note);
    }
}

static vrs_status decode(vrs_file_source *file, AVFrame **out)
{
    AVFrame *frame = vrs_inject("libav") ? av_frame_alloc() : NULL;
    *out = NULL;
    if (!frame)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a frame", file->reader->name);
    vrs_status status = vrs_reader_next(file->reader, frame);
    take_damage(file);
    take_note(file);
    if (status != VRS_OK) {
        av_frame_free(&frame);
        return status;
    }
    file->source.by_hardware = frame->hw_frames_ctx != NULL;
    *out = frame;
    return VRS_OK;
}

/* ---- times ---------------------------------------------------------------------------------- */

/* Length of a frame by the rate, in units of the time base; at least 1. */
static int64_t step_by_rate(const vrs_stream_info *info)
{
    AVRational rate = {info->rate_num, info->rate_den};
    AVRational base = {info->time_base_num, info->time_base_den};
    if (rate.num <= 0 || base.num <= 0 || base.den <= 0)
        return 1;
    int64_t step = av_rescale_q(1, av_inv_q(rate), base);
    return step > 0 ? step : 1;
}

/* Makes a time stamp greater than the last one. */
static int64_t straighten(vrs_file_source *file, int64_t stored)
{
    int64_t pts = stored + file->shift;
    if (!file->any || pts > file->last_pts)
        return pts;
    if (!file->warned_pts) {
        vrs_log(VRS_LOG_WARNING,
                "%s: the time stamps go back at frame %llu; they are made to go on",
                file->reader->name, (unsigned long long)file->source.frames);
        file->warned_pts = file->source.times_changed = true;
    }
    if (file->last_pts - pts < FRAMES_OF_A_NEW_CLOCK * file->last_step)
        return file->last_pts + 1;                           /* a slip */
    file->shift = file->last_pts + file->last_step - stored; /* recordings one after another */
    return file->last_pts + file->last_step;
}

/* Fills pts and duration: strictly increasing, invented where the container has none. */
static void set_times(vrs_file_source *file, const AVFrame *decoded, vrs_frame *frame)
{
    const vrs_stream_info *info = &file->source.info;
    if (info->still) {
        frame->pts = (int64_t)file->source.frames;
        frame->duration = 1;
        return;
    }
    int64_t pts = decoded->best_effort_timestamp;
    frame->duration = decoded->pkt_duration > 0 ? decoded->pkt_duration : 0;
    if (pts == AV_NOPTS_VALUE) {
        file->source.times_changed = true;
        pts = file->any ? file->last_pts + file->last_step : 0;
        frame->duration = frame->duration ? frame->duration : step_by_rate(info);
    } else {
        pts = straighten(file, pts);
    }
    frame->pts = pts;
    file->last_pts = pts;
    file->last_step = frame->duration > 0 ? frame->duration : step_by_rate(info);
    file->any = true;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Says once that a video changes in its middle. */
static void look_for_change(vrs_file_source *file, const AVFrame *frame)
{
    if (file->warned_change ||
        (vrs_av_stored_format(frame) == file->stored_format && frame->width == file->side.width &&
         frame->height == file->side.height))
        return;
    file->warned_change = true;
    vrs_log(VRS_LOG_WARNING,
            "%s: the picture changes from %dx%d %s to %dx%d %s at frame %llu; it is converted to "
            "what it was at the start",
            file->reader->name, file->side.width, file->side.height,
            av_get_pix_fmt_name(file->stored_format), frame->width, frame->height,
            av_get_pix_fmt_name(vrs_av_stored_format(frame)),
            (unsigned long long)file->source.frames);
}

/* Puts a frame of the hardware into its slot; if it must be converted, in host memory first. Takes
 * `decoded`. */
static vrs_status deliver(vrs_file_source *file, const vrs_convert_side *side, AVFrame *decoded,
                          vrs_image *image)
{
    if (!decoded->hw_frames_ctx)
        return vrs_source_image(&file->converter, side, decoded, image);
    if (vrs_source_matches(decoded, side))
        return vrs_gpu_frames_put(file->gpu, decoded, image);
    AVFrame *host = NULL;
    vrs_status status = vrs_hw_download(decoded, &host);
    av_frame_free(&decoded);
    return status == VRS_OK ? vrs_source_image(&file->converter, side, host, image) : status;
}

static vrs_status file_read(vrs_source *source, vrs_frame *frame)
{
    vrs_file_source *file = (vrs_file_source *)source;
    AVFrame *decoded = file->ahead;
    file->ahead = NULL;
    int64_t starved_ns = file->reader->starved_ns + file->reader->io.starved_ns;
    vrs_status status = decoded ? VRS_OK : decode(file, &decoded);
    source->starved_ns = file->reader->starved_ns + file->reader->io.starved_ns - starved_ns;
    if (status == VRS_OK)
        status = vrs_source_check_size(file->reader->name, decoded);
    if (status != VRS_OK) {
        av_frame_free(&decoded);
        return status;
    }
    vrs_convert_side side = file->side;
    if (source->info.still) {
        side = vrs_source_side(decoded, source->need_yuv);
        if (file->reader->io.seekable)
            vrs_source_name_frame(source, file->path);
    } else {
        look_for_change(file, decoded);
    }
    set_times(file, decoded, frame);
    frame->capture_ns = file->camera ? vrs_now_ns() : 0;
    return deliver(file, &side, decoded, &frame->image);
}

static void file_destroy(vrs_source *source)
{
    vrs_file_source *file = (vrs_file_source *)source;
    av_frame_free(&file->ahead);
    vrs_converter_free(&file->converter);
    vrs_reader_close(file->reader);
    vrs_free(file->path);
    vrs_free(file);
}

/* ---- opening -------------------------------------------------------------------------------- */

static vrs_status open_reader(vrs_file_source *file)
{
    vrs_hw_place place = {0};
    if (file->gpu)
        place = vrs_gpu_frames_place(file->gpu);
    return vrs_reader_open(&file->params, &place, &file->reader);
}

static vrs_status no_frame(const vrs_file_source *file)
{
    const vrs_reader *reader = file->reader;
    if (reader->low_score) {
        return vrs_fail(VRS_FORMAT, "%s: this is no video or picture that can be read",
                        reader->name);
    }
    if (!reader->io.seekable && strstr(reader->container->iformat->name, "mov,mp4")) {
        return vrs_fail(VRS_CORRUPT,
                        "%s: not one frame can be decoded; if this MP4's index is at its end, name "
                        "the file in place of a pipe, or write it with -movflags +faststart",
                        reader->name);
    }
    return vrs_fail(VRS_CORRUPT, "%s: not one frame can be decoded%s%s", reader->name,
                    reader->damage[0] ? ": " : "", reader->damage);
}

/* Decodes the first frame: the container's word for format and size may be wrong. */
static vrs_status look_at_first(vrs_file_source *file)
{
    vrs_status status = decode(file, &file->ahead);
    if (status == VRS_END)
        return no_frame(file);
    if (status == VRS_OK)
        status = vrs_source_check_size(file->reader->name, file->ahead);
    if (status != VRS_OK)
        return status;
    file->stored_format = vrs_av_stored_format(file->ahead);
    file->side = vrs_source_side(file->ahead, file->source.need_yuv);
    if (file->side.format == AV_PIX_FMT_NONE) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: its pixel format (%d) is not known",
                        file->reader->name, file->ahead->format);
    }
    vrs_source_fill_info(file->reader, file->ahead, &file->side, &file->source.info);
    file->source.held_bytes = vrs_held_by_decoder(file->reader->decoder, file->ahead->width,
                                                  file->ahead->height, file->stored_format);
    return VRS_OK;
}

/* The first frame has shown who decodes. */
static vrs_status check_decoder(const vrs_file_source *file, vrs_decoder_place decoder)
{
    const char *why = vrs_reader_refusal(file->reader);
    if (decoder == VRS_DECODER_NVDEC && why[0]) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: %s; use the decoder auto or cpu", file->reader->name,
                        why);
    }
    return VRS_OK;
}

/* ---- going to a place ----------------------------------------------------------------------- */

/* Times of the last frames that were decoded. */
typedef struct recent {
    int64_t times[VRS_SOURCE_MAX_BEFORE];
    int32_t count;
} recent;

static void remember(recent *last, int64_t time)
{
    if (last->count == VRS_SOURCE_MAX_BEFORE) {
        memmove(last->times, last->times + 1, sizeof last->times - sizeof last->times[0]);
        last->count--;
    }
    last->times[last->count++] = time;
}

/* Decodes up to the frame with a time, which becomes the next one if it is wanted; `found` is false
 * if there is none. */
static vrs_status decode_to(vrs_file_source *file, int64_t time, bool wanted, recent *last,
                            bool *found)
{
    *found = false;
    last->count = 0;
    while (!*found) {
        AVFrame *frame = NULL;
        vrs_status status = decode(file, &frame);
        if (status != VRS_OK)
            return status == VRS_END ? VRS_OK : status;
        int64_t pts = frame->best_effort_timestamp;
        *found = pts == time;
        bool past = pts == AV_NOPTS_VALUE || pts > time;
        if (*found && wanted)
            file->ahead = frame;
        else
            av_frame_free(&frame);
        if (past)
            return VRS_OK;
        remember(last, pts);
    }
    return VRS_OK;
}

/* Seeks, each time further before the place, until so many frames before it come by. */
static vrs_status find(vrs_file_source *file, const vrs_source_place *place, recent *last,
                       bool *found)
{
    int64_t step = step_by_rate(&file->source.info);
    int64_t reach = (int64_t)(place->before + 1) * step;
    int32_t before = place->before > 0 ? place->before : 1;
    *found = false;
    for (int tries = 0; tries < SEEK_TRIES && !*found; tries++, reach *= SEEK_FURTHER) {
        vrs_status status = vrs_reader_seek(file->reader, place->last_pts - reach);
        if (status == VRS_OK)
            status = decode_to(file, place->last_pts, false, last, found);
        if (status != VRS_OK)
            return status;
        *found = *found && last->count >= before;
    }
    return VRS_OK;
}

/* Everything from the beginning. */
static vrs_status reopen(vrs_file_source *file)
{
    av_frame_free(&file->ahead);
    vrs_reader_close(file->reader);
    file->reader = NULL;
    return open_reader(file);
}

static vrs_status file_go_to(vrs_source *source, const vrs_source_place *place, bool *found)
{
    vrs_file_source *file = (vrs_file_source *)source;
    vrs_reader *reader = file->reader;
    recent last = {0};
    *found = false;
    if (source->info.still || file->camera || !reader->io.seekable ||
        place->before > VRS_SOURCE_MAX_BEFORE)
        return VRS_OK;
    av_frame_free(&file->ahead);
    vrs_status status = find(file, place, &last, found);
    if (status == VRS_OK && *found && place->before > 0) {
        int64_t first = last.times[last.count - place->before];
        status = vrs_reader_seek(reader, first);
        if (status == VRS_OK)
            status = decode_to(file, first, true, &last, found);
    }
    if (status == VRS_UNSUPPORTED || (status == VRS_OK && !*found)) {
        *found = false;
        return reopen(file);
    }
    /* Frames before the place may lack what they refer to. */
    reader->damaged = source->damaged = 0;
    reader->damage[0] = source->damage[0] = '\0';
    file->any = place->before == 0;
    file->last_pts = place->last_pts;
    file->last_step = step_by_rate(&source->info);
    return status;
}

static vrs_status file_jump(vrs_source *source, double seconds)
{
    vrs_file_source *file = (vrs_file_source *)source;
    const vrs_stream_info *info = &source->info;
    if (info->still || file->camera || !file->reader->io.seekable || info->time_base_num <= 0)
        return vrs_fail(VRS_UNSUPPORTED, "%s: the input cannot seek", file->path);
    int64_t start = file->reader->stream->start_time;
    start = start == AV_NOPTS_VALUE ? 0 : start;
    av_frame_free(&file->ahead);
    file->any = false;
    file->shift = 0;
    const int64_t time = start + (int64_t)(seconds * info->time_base_den / info->time_base_num);
    vrs_status status = vrs_reader_seek(file->reader, time);
    while (status == VRS_OK && !file->ahead) {
        AVFrame *frame = NULL;
        status = decode(file, &frame);
        if (status == VRS_OK && (frame->best_effort_timestamp == AV_NOPTS_VALUE ||
                                 frame->best_effort_timestamp >= time))
            file->ahead = frame;
        else
            av_frame_free(&frame);
    }
    return status == VRS_END ? VRS_OK : status; /* the next read says it */
}

static const vrs_source_ops file_ops = {
    .read = file_read, .destroy = file_destroy, .go_to = file_go_to, .jump = file_jump};

vrs_status vrs_file_source_open(const vrs_source_params *params, vrs_gpu_frames *gpu,
                                vrs_source **source)
{
    *source = NULL;
    vrs_file_source *file = vrs_alloc(sizeof *file);
    if (!file)
        return VRS_NO_MEMORY;
    file->source.ops = &file_ops;
    file->source.need_yuv = params->need_yuv;
    file->camera = strncmp(params->path, "/dev/video", strlen("/dev/video")) == 0;
    file->path = vrs_strdup(params->path);
    file->params = *params;
    file->params.path = file->path;
    file->gpu = params->decoder != VRS_DECODER_CPU ? gpu : NULL;
    vrs_status status = file->path ? open_reader(file) : VRS_NO_MEMORY;
    if (status == VRS_OK)
        status = look_at_first(file);
    if (status == VRS_OK)
        status = check_decoder(file, params->decoder);
    if (status == VRS_OK && params->look) {
        status = vrs_source_layout_read(file->reader->io.seekable ? file->path : NULL,
                                        file->reader->stream, file->ahead, &file->source.layout);
    }
    if (status != VRS_OK) {
        vrs_source_layout_free(&file->source.layout);
        file_destroy(&file->source);
        return status;
    }
    *source = &file->source;
    return VRS_OK;
}
