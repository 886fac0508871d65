#include "media/source/source_layout.h"

#include <stdio.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>
#include <libswscale/swscale.h>

#include "base/alloc.h"
#include "base/file.h"
#include "media/libav/av.h"
#include "media/source/mp4_layout.h"
#include "media/source/source_hw.h"
#include "vr/decide.h"
#include "vr/layout_words.h"
#include "vr/name.h"

#define FIXED_32 4294967296.0
#define FIXED_16 65536.0

/* ---- what libav has ------------------------------------------------------------------------- */

static void claim_stereo(const AVStream *stream, vrs_layout_claim *claim)
{
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_STEREO3D, &size);
    const AVStereo3D *stereo = (const AVStereo3D *)(const void *)data;
    if (!stereo || size < sizeof *stereo)
        return;
    switch (stereo->type) {
    case AV_STEREO3D_2D:
        claim->layout.stereo = VRS_STEREO_MONO;
        break;
    case AV_STEREO3D_SIDEBYSIDE:
        claim->layout.stereo = VRS_STEREO_SBS;
        break;
    case AV_STEREO3D_TOPBOTTOM:
        claim->layout.stereo = VRS_STEREO_TB;
        break;
    default: /* one eye after the other, in lines or columns, a chess board */
        (void)snprintf(claim->why, sizeof claim->why, "stereo mode \"%s\", which is not read",
                       av_stereo3d_type_name(stereo->type));
        return;
    }
    claim->layout.swapped =
        claim->layout.stereo != VRS_STEREO_MONO && (stereo->flags & AV_STEREO3D_FLAG_INVERT) != 0;
    claim->stereo = 1;
    (void)snprintf(claim->why, sizeof claim->why, "stereo mode \"%s\"%s",
                   av_stereo3d_type_name(stereo->type),
                   claim->layout.swapped ? ", right eye first" : "");
}

static void claim_sphere(const AVStream *stream, vrs_layout_claim *claim)
{
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_SPHERICAL, &size);
    const AVSphericalMapping *sphere = (const AVSphericalMapping *)(const void *)data;
    vrs_layout *layout = &claim->layout;
    if (!sphere || size < sizeof *sphere)
        return;
    double left = 0, right = 0;
    if (sphere->projection == AV_SPHERICAL_CUBEMAP) {
        vrs_layout_put_projection(layout, VRS_PROJECTION_CUBEMAP, 0, VRS_LENS_NONE);
    } else {
        bool tile = sphere->projection == AV_SPHERICAL_EQUIRECTANGULAR_TILE;
        left = tile ? sphere->bound_left / FIXED_32 : 0;
        right = tile ? sphere->bound_right / FIXED_32 : 0;
        bool half = left + right > 0.49 && left + right < 0.51;
        vrs_layout_put_projection(layout,
                                  half ? VRS_PROJECTION_HALF_EQUIRECT : VRS_PROJECTION_EQUIRECT, 0,
                                  VRS_LENS_NONE);
        layout->cut_left = left;
        layout->cut_right = right;
        layout->cut_top = tile ? sphere->bound_top / FIXED_32 : 0;
        layout->cut_bottom = tile ? sphere->bound_bottom / FIXED_32 : 0;
    }
    layout->yaw = sphere->yaw / FIXED_16;
    layout->pitch = sphere->pitch / FIXED_16;
    layout->roll = sphere->roll / FIXED_16;
    claim->projection = 1;
    size_t used = strlen(claim->why);
    (void)snprintf(claim->why + used, sizeof claim->why - used, "%sprojection \"%s\"",
                   used > 0 ? "; " : "", av_spherical_projection_name(sphere->projection));
}

/* What the boxes do not say is taken from libav, which knows older ways to say it. */
static void claim_container(const char *path, const AVStream *stream, int32_t width, int32_t height,
                            vrs_source_layout *out)
{
    vrs_layout_claim older = {.layout = vrs_layout_flat()};
    vrs_boxes boxes = {.stereo = -1};
    if (path)
        boxes = vrs_mp4_layout_read(path, &out->mesh);
    vrs_boxes_claim(&boxes, out->mesh, width, height, &out->container);
    (void)snprintf(out->trouble, sizeof out->trouble, "%s", boxes.trouble);
    if (!stream)
        return;
    claim_stereo(stream, &older);
    claim_sphere(stream, &older);
    if (out->container.stereo == 0 && out->container.projection == 0) {
        out->container = older;
    } else if (out->container.stereo == 0 && older.stereo > 0) {
        out->container.stereo = older.stereo;
        out->container.layout.stereo = older.layout.stereo;
        out->container.layout.swapped = older.layout.swapped;
    } else if (out->container.projection == 0 && older.projection > 0) {
        vrs_layout kept = out->container.layout;
        out->container.layout = older.layout;
        out->container.layout.stereo = kept.stereo;
        out->container.layout.swapped = kept.swapped;
        out->container.projection = older.projection;
    }
}

/* ---- the picture ---------------------------------------------------------------------------- */

/* Luma of a frame, made smaller so that its longer side is VRS_CONTENT_SIDE at most. */
static vrs_status make_small(const AVFrame *frame, AVFrame *small)
{
    int side = frame->width > frame->height ? frame->width : frame->height;
    side = side > VRS_CONTENT_SIDE ? side : VRS_CONTENT_SIDE;
    small->format = AV_PIX_FMT_GRAY8;
    small->width = (int)((int64_t)frame->width * VRS_CONTENT_SIDE / side);
    small->height = (int)((int64_t)frame->height * VRS_CONTENT_SIDE / side);
    small->width = small->width > 0 ? small->width : 1;
    small->height = small->height > 0 ? small->height : 1;
    int error = vrs_inject("libav") ? av_frame_get_buffer(small, 0) : AVERROR(ENOMEM);
    if (error < 0)
        return vrs_av_fail(error, "no memory for a small picture");
    struct SwsContext *context =
        vrs_inject("libav")
            ? sws_getContext(frame->width, frame->height, frame->format, small->width,
                             small->height, AV_PIX_FMT_GRAY8, SWS_AREA, NULL, NULL, NULL)
            : NULL;
    if (!context)
        return vrs_fail(VRS_NO_MEMORY, "no memory to make a picture smaller");
    int rows = sws_scale(context, (const uint8_t *const *)frame->data, frame->linesize, 0,
                         frame->height, small->data, small->linesize);
    sws_freeContext(context);
    return rows == small->height ? VRS_OK
                                 : vrs_fail(VRS_UNSUPPORTED, "a picture cannot be made smaller");
}

static vrs_status look_at(const AVFrame *frame, vrs_content *content)
{
    AVFrame *host = NULL;
    const AVFrame *from = frame;
    if (frame->hw_frames_ctx) {
        vrs_status status = vrs_hw_download(frame, &host);
        if (status != VRS_OK)
            return status;
        from = host;
    }
    AVFrame *small = vrs_inject("libav") ? av_frame_alloc() : NULL;
    vrs_status status =
        small ? make_small(from, small) : vrs_fail(VRS_NO_MEMORY, "no memory for a small picture");
    if (status == VRS_OK) {
        status = vrs_content_look(small->data[0], small->linesize[0], small->width, small->height,
                                  content);
    }
    av_frame_free(&small);
    av_frame_free(&host);
    return status;
}

vrs_status vrs_source_layout_read(const char *path, const AVStream *stream, const AVFrame *frame,
                                  vrs_source_layout *layout)
{
    *layout = (vrs_source_layout){.content = {.seen = false}};
    claim_container(path, stream, frame->width, frame->height, layout);
    /* A frame of the GPU is brought down only where that can change anything. */
    if (frame->hw_frames_ctx && !vrs_content_matters(frame->width, frame->height))
        return VRS_OK;
    vrs_status status = look_at(frame, &layout->content);
    /* What libswscale cannot read says nothing. */
    return status == VRS_UNSUPPORTED ? VRS_OK : status;
}

void vrs_source_layout_free(vrs_source_layout *layout)
{
    vrs_mesh_destroy(layout->mesh);
    layout->mesh = NULL;
}

/* ---- who is believed ------------------------------------------------------------------------ */

static vrs_status read_options(const vrs_config *config, vrs_layout_claim *claim)
{
    const char *stereo = vrs_config_get(config, "layout");
    const char *projection = vrs_config_get(config, "projection");
    *claim = (vrs_layout_claim){.layout = vrs_layout_flat()};
    vrs_status status = VRS_OK;
    if (strcmp(projection, "auto") != 0) {
        status = vrs_layout_set_projection(&claim->layout, projection);
        claim->projection = 1;
    }
    if (status == VRS_OK && strcmp(stereo, "auto") != 0) {
        status = vrs_layout_set_stereo(&claim->layout, stereo);
        claim->stereo = 1;
    }
    (void)snprintf(
        claim->why, sizeof claim->why, "%s%s%s%s%s", claim->stereo > 0 ? "--layout " : "",
        claim->stereo > 0 ? stereo : "", claim->stereo > 0 && claim->projection > 0 ? " " : "",
        claim->projection > 0 ? "--projection " : "", claim->projection > 0 ? projection : "");
    return status;
}

vrs_status vrs_source_layout_decide(const vrs_source_layout *layout, const vrs_config *config,
                                    const char *path, int32_t width, int32_t height,
                                    vrs_layout_reading *reading)
{
    *reading = (vrs_layout_reading){.layout = vrs_layout_flat()};
    vrs_status status = read_options(config, &reading->claims[VRS_VOICE_OPTION]);
    if (status != VRS_OK)
        return status;
    reading->claims[VRS_VOICE_CONTAINER] = layout->container;
    if (strcmp(path, "-") != 0)
        vrs_name_claim(path, &reading->claims[VRS_VOICE_NAME]);
    else
        reading->claims[VRS_VOICE_NAME].layout = vrs_layout_flat();
    status = vrs_layout_decide(vrs_path_base(path), &layout->content, width, height, reading);
    size_t used = strlen(reading->conflict);
    if (status == VRS_OK && layout->trouble[0] != '\0') {
        (void)snprintf(reading->conflict + used, sizeof reading->conflict - used, "%s%s",
                       used > 0 ? "; " : "", layout->trouble);
    }
    return status;
}
