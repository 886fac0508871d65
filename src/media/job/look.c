/* A look at an input before a long run: a sheet of places all over it, and seconds of its middle.
 */
#include <string.h>

#include <libswscale/swscale.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "media/encode/picture.h"
#include "media/job/job_internal.h"
#include "media/libav/av.h"
#include "media/sink/sink_kinds.h"
#include "vrseg/system.h"

#define SHEET_COLUMNS 2
#define SHEET_SIDE 320 /* of a panel */
#define SHEET_GAP 8
#define CLIP_SIDE 640
#define MOST_PLACES 64
#define MOST_SECONDS 3600
#define IN_FLIGHT 4
#define PEOPLE 0.005f /* from this coverage on there are people */
#define DEFAULT_RATE 25.0

typedef struct look {
    const vrs_config *config;
    const vrs_look_params *params;
    vrs_look_result *result;
    vrs_source *source;
    vrs_layout_reading layout;
    vrs_model *model;
    vrs_pipeline *pipeline;
    uint8_t background[3];
    vrs_image shape; /* of the last frame */
    vrs_image sheet;
    int32_t cell_width, cell_height;
    vrs_sink *sink;
    int64_t first_pts;
} look;

static bool is_stopped(const look *l)
{
    return l->params->stop != NULL && l->params->stop(l->params->opaque);
}

static vrs_status stopped(void)
{
    return vrs_fail(VRS_CANCELLED, "stopped");
}

/* ---- frames --------------------------------------------------------------------------------- */

/* Reads the next frame into the pipeline; its past is forgotten where `fresh`. */
static vrs_status submit(look *l, bool fresh)
{
    vrs_frame frame = {0};
    if (is_stopped(l))
        return stopped();
    vrs_status status = vrs_source_read(l->source, &frame);
    if (status != VRS_OK)
        return status;
    frame.layout = &l->layout.layout;
    bool changed = frame.image.format != l->shape.format || frame.image.width != l->shape.width ||
                   frame.image.height != l->shape.height;
    if (l->shape.width > 0 && (fresh || changed))
        vrs_pipeline_reset_stream(l->pipeline, 0);
    l->shape = frame.image;
    status = vrs_pipeline_submit(l->pipeline, &frame, -1);
    if (status != VRS_OK)
        vrs_image_release(&frame.image);
    return status;
}

/* The next result, whose frame did not fail. Owned. */
static vrs_status fetch(look *l, vrs_result **result)
{
    vrs_status status = vrs_pipeline_get_result(l->pipeline, result, -1);
    if (status == VRS_OK && (*result)->status != VRS_OK) {
        status = vrs_fail((*result)->status, "%s", (*result)->detail);
        vrs_result_release(*result);
        *result = NULL;
    }
    return status;
}

/* ---- the sheet ------------------------------------------------------------------------------ */

static vrs_status make_sheet(look *l, const vrs_image *panels)
{
    const int32_t rows = (l->params->places + SHEET_COLUMNS - 1) / SHEET_COLUMNS;
    l->cell_width = panels->width + SHEET_GAP;
    l->cell_height = panels->height + SHEET_GAP;
    vrs_status status =
        vrs_image_alloc(&l->sheet, VRS_FORMAT_RGB24, SHEET_COLUMNS * l->cell_width + SHEET_GAP,
                        rows * l->cell_height + SHEET_GAP);
    for (int32_t y = 0; y < l->sheet.height && status == VRS_OK; y++)
        memset(l->sheet.planes[0] + y * l->sheet.strides[0], 255, 3 * (size_t)l->sheet.width);
    return status;
}

/* Panels of another size than the first ones are cut. */
static void paste(look *l, const vrs_image *panels, int32_t place)
{
    const int32_t x = place % SHEET_COLUMNS * l->cell_width + SHEET_GAP;
    const int32_t y = place / SHEET_COLUMNS * l->cell_height + SHEET_GAP;
    int32_t width = l->cell_width - SHEET_GAP, height = l->cell_height - SHEET_GAP;
    width = panels->width < width ? panels->width : width;
    height = panels->height < height ? panels->height : height;
    for (int32_t row = 0; row < height; row++) {
        memcpy(l->sheet.planes[0] + (y + row) * l->sheet.strides[0] + 3 * (ptrdiff_t)x,
               panels->planes[0] + row * panels->strides[0], 3 * (size_t)width);
    }
}

static vrs_status draw_place(look *l, const vrs_result *result)
{
    vrs_image panels = {0};
    const int32_t place = l->result->places;
    vrs_status status =
        vrs_preview_panels(l->background, result->source, &result->outputs[0], SHEET_SIDE, &panels);
    if (status == VRS_OK && place == 0)
        status = make_sheet(l, &panels);
    if (status == VRS_OK) {
        paste(l, &panels, place);
        l->result->places++;
        l->result->with_people += result->coverage > PEOPLE ? 1 : 0;
        l->result->coverage += (double)result->coverage;
    }
    vrs_image_release(&panels);
    return status;
}

/* Seconds of the whole; 0: unknown. */
static double length_of(const look *l)
{
    const vrs_stream_info *info = &l->source->info;
    if (info->frame_estimate <= 0 || info->rate_num <= 0 || info->rate_den <= 0)
        return 0;
    return (double)info->frame_estimate * info->rate_den / info->rate_num;
}

/* Where the source can seek. What cannot be found there is left out. */
static vrs_status go_to(look *l, double seconds, bool *gone)
{
    *gone = false;
    if (l->result->in_order)
        return VRS_OK;
    vrs_status status = vrs_source_jump(l->source, seconds);
    l->result->in_order = status == VRS_UNSUPPORTED;
    *gone = status == VRS_OK;
    return status == VRS_UNSUPPORTED ? VRS_OK : status;
}

static vrs_status look_around(look *l)
{
    const double length = length_of(l);
    bool gone;
    vrs_status status = VRS_OK;
    l->result->in_order = length <= 0;
    for (int32_t i = 0; i < l->params->places && status == VRS_OK; i++) {
        vrs_result *result = NULL;
        status = go_to(l, length * (i + 0.5) / l->params->places, &gone);
        if (status == VRS_OK)
            status = submit(l, true);
        if (status == VRS_END) { /* behind the last frame */
            status = VRS_OK;
            if (l->result->in_order)
                break;
            continue;
        }
        if (status == VRS_OK)
            status = fetch(l, &result);
        if (status == VRS_OK)
            status = draw_place(l, result);
        vrs_result_release(result);
    }
    if (status == VRS_OK && l->result->places == 0)
        status = vrs_fail(VRS_CORRUPT, "not one frame could be read");
    if (l->result->places > 0)
        l->result->coverage /= l->result->places;
    return status == VRS_OK && l->params->sheet != NULL
               ? vrs_picture_write(l->params->sheet, &l->sheet)
               : status;
}

/* ---- the clip ------------------------------------------------------------------------------- */

static vrs_status open_clip(look *l, int32_t width, int32_t height)
{
    vrs_stream_info info = l->source->info;
    vrs_codec codec = VRS_CODEC_AUTO;
    vrs_pixel_format format = VRS_FORMAT_NONE;
    info.format = VRS_FORMAT_YUV420P;
    info.width = width;
    info.height = height;
    info.rotation = 0;
    info.color = (vrs_color){.matrix = VRS_MATRIX_BT601, .range = VRS_RANGE_LIMITED};
    vrs_status status =
        vrs_sink_choose(l->params->clip, VRS_OUTPUT_COMPOSITE, info.format, &codec, &format);
    if (status != VRS_OK)
        return status;
    const vrs_sink_params params = {
        .path = l->params->clip,
        .kind = VRS_OUTPUT_COMPOSITE,
        .codec = codec,
        .encoder = VRS_ENCODER_CPU,
        .stream = &info,
        .format = format,
        .width = width,
        .height = height,
        .preset = vrs_config_get(l->config, "preset"),
        .crf = vrs_config_float(l->config, "crf", 20),
        .segment_frames = 1 << 16,
        .overwrite = true,
    };
    return vrs_sink_open(&params, &l->sink);
}

/* RGB of any size as 4:2:0 of even sides. Owned. */
static vrs_status convert(const vrs_image *panels, vrs_image *picture)
{
    const int32_t width = (panels->width + 1) & ~1, height = (panels->height + 1) & ~1;
    vrs_status status = vrs_image_alloc(picture, VRS_FORMAT_YUV420P, width, height);
    if (status != VRS_OK)
        return status;
    picture->color = (vrs_color){.matrix = VRS_MATRIX_BT601, .range = VRS_RANGE_LIMITED};
    struct SwsContext *context =
        vrs_inject("libav")
            ? sws_getContext(panels->width, panels->height, AV_PIX_FMT_RGB24, width, height,
                             AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL)
            : NULL;
    if (context == NULL) {
        vrs_image_release(picture);
        return vrs_fail(VRS_NO_MEMORY, "no memory to convert a picture");
    }
    const uint8_t *from[4] = {panels->planes[0], NULL, NULL, NULL};
    const int from_strides[4] = {(int)panels->strides[0], 0, 0, 0};
    uint8_t *to[4] = {picture->planes[0], picture->planes[1], picture->planes[2], NULL};
    const int to_strides[4] = {(int)picture->strides[0], (int)picture->strides[1],
                               (int)picture->strides[2], 0};
    (void)sws_scale(context, from, from_strides, 0, panels->height, to, to_strides);
    sws_freeContext(context);
    return VRS_OK;
}

static vrs_status write_frame(look *l, const vrs_result *result)
{
    vrs_image panels = {0}, picture = {0};
    vrs_status status =
        vrs_preview_panels(l->background, result->source, &result->outputs[0], CLIP_SIDE, &panels);
    if (status == VRS_OK)
        status = convert(&panels, &picture);
    vrs_image_release(&panels);
    if (status != VRS_OK)
        return status;
    if (l->sink == NULL) {
        l->first_pts = result->pts;
        status = open_clip(l, picture.width, picture.height);
    }
    if (status != VRS_OK) {
        vrs_image_release(&picture);
        return status;
    }
    l->result->clip_frames++;
    return vrs_sink_write(l->sink, &picture, result->pts - l->first_pts, result->duration, NULL);
}

static vrs_status take_one(look *l)
{
    vrs_result *result = NULL;
    vrs_status status = fetch(l, &result);
    if (status == VRS_OK)
        status = write_frame(l, result);
    vrs_result_release(result);
    return status;
}

static vrs_status make_clip(look *l)
{
    const vrs_stream_info *info = &l->source->info;
    const bool known = info->rate_num > 0 && info->rate_den > 0;
    const double rate = known ? (double)info->rate_num / info->rate_den : DEFAULT_RATE;
    const double begin = (length_of(l) - l->params->seconds) / 2;
    const int64_t count = (int64_t)(rate * l->params->seconds + 0.5);
    const uint32_t tickets = vrs_pipeline_get_stats(l->pipeline).tickets;
    const int64_t most = tickets > IN_FLIGHT ? IN_FLIGHT : tickets > 1 ? (int64_t)tickets - 1 : 1;
    const int64_t begin_ns = vrs_now_ns();
    int64_t sent = 0, taken = 0;
    bool gone;
    vrs_status status = go_to(l, begin > 0 ? begin : 0, &gone);
    while (status == VRS_OK && sent < (count > 0 ? count : 1)) {
        status = submit(l, sent == 0);
        sent += status == VRS_OK ? 1 : 0;
        while (status == VRS_OK && sent - taken >= most) {
            status = take_one(l);
            taken++;
        }
    }
    status = status == VRS_END ? VRS_OK : status;
    while (status == VRS_OK && taken < sent) {
        status = take_one(l);
        taken++;
    }
    const double seconds = (double)(vrs_now_ns() - begin_ns) * 1e-9;
    l->result->clip_fps = seconds > 0 ? (double)l->result->clip_frames / seconds : 0;
    return status == VRS_OK && l->sink != NULL ? vrs_sink_finish(l->sink) : status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static vrs_status check(const vrs_look_params *p)
{
    if (p->places < 1 || p->places > MOST_PLACES) {
        return vrs_fail(VRS_INVALID, "%d places of a sheet: 1 to %d are possible", p->places,
                        MOST_PLACES);
    }
    if (!(p->seconds > 0 && p->seconds <= MOST_SECONDS)) {
        return vrs_fail(VRS_INVALID, "a clip of %g seconds: above 0 to %d are possible", p->seconds,
                        MOST_SECONDS);
    }
    return VRS_OK;
}

static vrs_status open_all(look *l, const char *input)
{
    const char *raw = vrs_config_get(l->config, "raw_format");
    const vrs_source_params params = {
        .path = input,
        .raw_format = raw[0] != 0 ? raw : NULL,
        .decoder = VRS_DECODER_CPU,
        .threads = (int32_t)vrs_config_int(l->config, "decoder_threads", 0),
        .look = true,
    };
    vrs_status status = vrs_job_color(l->config, l->background);
    if (status == VRS_OK)
        status = vrs_source_open(&params, &l->source);
    if (status == VRS_OK) {
        status =
            vrs_source_layout_decide(&l->source->layout, l->config, input, l->source->info.width,
                                     l->source->info.height, &l->layout);
    }
    if (status == VRS_OK)
        status = vrs_model_load(vrs_config_get(l->config, "model"), &l->model);
    if (status == VRS_OK)
        status = vrs_pipeline_create(l->config, l->model, &l->pipeline);
    const vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY8};
    if (status == VRS_OK)
        status = vrs_pipeline_add_output(l->pipeline, &mask);
    return status == VRS_OK ? vrs_pipeline_start(l->pipeline) : status;
}

vrs_status vrs_media_look(const vrs_config *config, const char *input,
                          const vrs_look_params *params, vrs_look_result *result)
{
    look l = {.config = config, .params = params, .result = result};
    *result = (vrs_look_result){.frame_estimate = -1};
    vrs_status status = check(params);
    if (status == VRS_OK)
        status = open_all(&l, input);
    if (status == VRS_OK) {
        result->layout = l.layout;
        result->frame_estimate = l.source->info.frame_estimate;
        status = look_around(&l);
    }
    if (status == VRS_OK && params->clip != NULL)
        status = make_clip(&l);
    result->layout.layout.mesh = NULL;
    for (int v = 0; v < VRS_VOICES; v++)
        result->layout.claims[v].layout.mesh = NULL;
    vrs_sink_close(l.sink);
    vrs_pipeline_destroy(l.pipeline);
    vrs_model_destroy(l.model);
    vrs_source_close(l.source);
    vrs_image_release(&l.sheet);
    return status;
}
