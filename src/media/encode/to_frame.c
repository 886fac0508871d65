#include "media/encode/to_frame.h"

#include <string.h>

#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "image/format.h"
#include "media/libav/av.h"

#define GREY_CHROMA 128

static vrs_status init_chroma(vrs_to_frame *maker)
{
    maker->chroma_stride = (maker->width + 1) / 2;
    size_t bytes = (size_t)maker->chroma_stride * (size_t)((maker->height + 1) / 2);
    maker->chroma = vrs_inject("libav") ? av_buffer_alloc(bytes) : NULL;
    if (!maker->chroma)
        return vrs_fail(VRS_NO_MEMORY, "no memory for %zu bytes of chroma", bytes);
    memset(maker->chroma->data, GREY_CHROMA, bytes);
    return VRS_OK;
}

static void entry(const uint8_t (*palette)[3], int index, uint8_t rgb[3])
{
    for (int i = 0; i < 3; i++)
        rgb[i] = palette ? palette[index][i] : (uint8_t)index;
}

static vrs_status init_palette(vrs_to_frame *maker, const uint8_t (*palette)[3])
{
    maker->palette = vrs_inject("libav") ? av_buffer_alloc(AVPALETTE_SIZE) : NULL;
    if (!maker->palette)
        return vrs_fail(VRS_NO_MEMORY, "no memory for a palette");
    for (int i = 0; i < AVPALETTE_COUNT; i++) {
        uint8_t rgb[3];
        entry(palette, i, rgb);
        uint32_t word =
            UINT32_C(0xff000000) | (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
        memcpy(maker->palette->data + (size_t)i * sizeof word, &word, sizeof word);
    }
    return VRS_OK;
}

static void init_colours(vrs_to_frame *maker, vrs_color color, const uint8_t (*palette)[3])
{
    vrs_image image = {.format = VRS_FORMAT_YUV420P,
                       .width = maker->width,
                       .height = maker->height,
                       .color = color};
    vrs_color resolved = vrs_color_resolve(&image);
    for (int i = 0; i < 256; i++) {
        uint8_t rgb[3];
        int32_t ycc[3];
        entry(palette, i, rgb);
        vrs_color_from_rgb8(resolved, 8, rgb, ycc);
        for (int c = 0; c < 3; c++)
            maker->ycc[i][c] = (uint8_t)(ycc[c] < 0 ? 0 : ycc[c] > 255 ? 255 : ycc[c]);
    }
}

/* libswscale's name for the matrix and range of what goes in and comes out. */
static void set_colours(vrs_to_frame *maker, vrs_color color)
{
    vrs_image image = {
        .format = maker->from, .width = maker->width, .height = maker->height, .color = color};
    vrs_color resolved = vrs_color_resolve(&image);
    const AVPixFmtDescriptor *to = av_pix_fmt_desc_get(maker->to);
    bool to_rgb = (to->flags & AV_PIX_FMT_FLAG_RGB) != 0;
    int full = resolved.range == VRS_RANGE_FULL;
    const int *matrix = sws_getCoefficients(resolved.matrix == VRS_MATRIX_BT601    ? SWS_CS_ITU601
                                            : resolved.matrix == VRS_MATRIX_BT2020 ? SWS_CS_BT2020
                                                                                   : SWS_CS_ITU709);
    (void)sws_setColorspaceDetails(maker->scaler, matrix, full, matrix, to_rgb ? 1 : full, 0,
                                   1 << 16, 1 << 16);
}

static vrs_status init_scaler(vrs_to_frame *maker, vrs_color color)
{
    if (vrs_inject("libav")) {
        maker->scaler =
            sws_getContext(maker->width, maker->height, vrs_av_from_format(maker->from),
                           maker->coded_width, maker->coded_height, maker->to,
                           SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    }
    if (!maker->scaler) {
        return vrs_fail(VRS_NO_MEMORY, "no conversion from %s to %s",
                        vrs_pixel_format_name(maker->from), av_get_pix_fmt_name(maker->to));
    }
    set_colours(maker, color);
    return VRS_OK;
}

vrs_status vrs_to_frame_init(vrs_to_frame *maker, vrs_color color, const uint8_t (*palette)[3])
{
    switch (maker->way) {
    case VRS_TO_FRAME_CHROMA:
        return init_chroma(maker);
    case VRS_TO_FRAME_PALETTE:
        return init_palette(maker, palette);
    case VRS_TO_FRAME_COLOURS:
        init_colours(maker, color, palette);
        return VRS_OK;
    case VRS_TO_FRAME_CONVERT:
        return init_scaler(maker, color);
    default:
        return VRS_OK;
    }
}

void vrs_to_frame_clear(vrs_to_frame *maker)
{
    av_buffer_unref(&maker->chroma);
    av_buffer_unref(&maker->palette);
    sws_freeContext(maker->scaler);
    maker->scaler = NULL;
}

/* ---- ways without a copy -------------------------------------------------------------------- */

static vrs_status share(AVFrame *frame, int place, const AVBufferRef *buffer)
{
    frame->buf[place] = vrs_inject("libav") ? av_buffer_ref(buffer) : NULL;
    return frame->buf[place] ? VRS_OK : vrs_fail(VRS_NO_MEMORY, "no memory for a frame");
}

static vrs_status wrap(const vrs_to_frame *maker, vrs_image *image, AVFrame *frame)
{
    vrs_status status = vrs_av_frame_of_image(frame, image);
    if (status == VRS_OK && maker->way == VRS_TO_FRAME_CHROMA) {
        status = share(frame, 1, maker->chroma);
        for (int plane = 1; plane <= 2 && status == VRS_OK; plane++) {
            frame->data[plane] = maker->chroma->data;
            frame->linesize[plane] = maker->chroma_stride;
        }
    }
    if (status == VRS_OK && maker->way == VRS_TO_FRAME_PALETTE) {
        status = share(frame, 1, maker->palette);
        frame->data[1] = maker->palette->data;
    }
    frame->format = maker->to;
    return status;
}

/* ---- ways with a copy ----------------------------------------------------------------------- */

/* Copies a plane and repeats its last column and row up to the frame's size. */
static void pad_plane(const vrs_image *image, AVFrame *frame, int plane, int32_t width,
                      int32_t height)
{
    size_t bytes = (size_t)vrs_plane_row_bytes(image, plane);
    size_t sample = (size_t)vrs_format_get(image->format)->sample_bytes;
    int32_t rows = vrs_plane_height(image, plane);
    size_t wanted = (size_t)width * sample;
    for (int32_t y = 0; y < height; y++) {
        const uint8_t *from =
            image->planes[plane] + image->strides[plane] * (y < rows ? y : rows - 1);
        uint8_t *to = frame->data[plane] + (ptrdiff_t)frame->linesize[plane] * y;
        memcpy(to, from, bytes);
        for (size_t at = bytes; at < wanted; at += sample)
            memcpy(to + at, from + bytes - sample, sample);
    }
}

static void pad(const vrs_to_frame *maker, const vrs_image *image, AVFrame *frame)
{
    int32_t chroma_width = (maker->coded_width + 1) / 2;
    int32_t chroma_height = (maker->coded_height + 1) / 2;
    pad_plane(image, frame, 0, maker->coded_width, maker->coded_height);
    for (int plane = 1; plane <= 2; plane++) {
        if (maker->from != VRS_FORMAT_GRAY8) {
            pad_plane(image, frame, plane, chroma_width, chroma_height);
            continue;
        }
        for (int32_t y = 0; y < chroma_height; y++) {
            memset(frame->data[plane] + (ptrdiff_t)frame->linesize[plane] * y, GREY_CHROMA,
                   (size_t)chroma_width);
        }
    }
}

/* Class of a pixel, the last column and row standing for what is outside. */
static uint8_t class_at(const vrs_image *image, int32_t x, int32_t y)
{
    int32_t column = x < image->width ? x : image->width - 1;
    int32_t row = y < image->height ? y : image->height - 1;
    return image->planes[0][image->strides[0] * row + column];
}

static void colour_block(const vrs_to_frame *maker, const vrs_image *image, AVFrame *frame,
                         int32_t x, int32_t y)
{
    int sums[3] = {0, 2, 2};
    for (int i = 0; i < 4; i++) {
        int32_t column = x + (i & 1);
        int32_t row = y + (i >> 1);
        const uint8_t *ycc = maker->ycc[class_at(image, column, row)];
        if (column < maker->coded_width && row < maker->coded_height)
            frame->data[0][(ptrdiff_t)frame->linesize[0] * row + column] = ycc[0];
        sums[1] += ycc[1];
        sums[2] += ycc[2];
    }
    for (int plane = 1; plane <= 2; plane++) {
        ptrdiff_t at = (ptrdiff_t)frame->linesize[plane] * (y / 2) + x / 2;
        frame->data[plane][at] = (uint8_t)(sums[plane] / 4);
    }
}

static void colour(const vrs_to_frame *maker, const vrs_image *image, AVFrame *frame)
{
    for (int32_t y = 0; y < maker->coded_height; y += 2)
        for (int32_t x = 0; x < maker->coded_width; x += 2)
            colour_block(maker, image, frame, x, y);
}

static vrs_status convert(const vrs_to_frame *maker, const vrs_image *image, AVFrame *frame)
{
    const uint8_t *planes[VRS_MAX_PLANES] = {0};
    int strides[VRS_MAX_PLANES] = {0};
    for (int i = 0; i < VRS_MAX_PLANES; i++) {
        planes[i] = image->planes[i];
        strides[i] = (int)image->strides[i];
    }
    int rows =
        sws_scale(maker->scaler, planes, strides, 0, image->height, frame->data, frame->linesize);
    return rows == maker->coded_height
               ? VRS_OK
               : vrs_fail(VRS_UNSUPPORTED, "a picture could not be converted to %s",
                          av_get_pix_fmt_name(maker->to));
}

static vrs_status copy(const vrs_to_frame *maker, const vrs_image *image, AVFrame *frame)
{
    frame->format = maker->to;
    frame->width = maker->coded_width;
    frame->height = maker->coded_height;
    int result = vrs_inject("libav") ? av_frame_get_buffer(frame, 0) : AVERROR(ENOMEM);
    if (result < 0) {
        return vrs_av_fail(result, "no memory for a frame of %dx%d", (int)maker->coded_width,
                           (int)maker->coded_height);
    }
    if (maker->way == VRS_TO_FRAME_CONVERT)
        return convert(maker, image, frame);
    if (maker->way == VRS_TO_FRAME_COLOURS)
        colour(maker, image, frame);
    else
        pad(maker, image, frame);
    return VRS_OK;
}

vrs_status vrs_to_frame_make(vrs_to_frame *maker, vrs_image *image, AVFrame *frame)
{
    bool wraps = maker->way == VRS_TO_FRAME_WRAP || maker->way == VRS_TO_FRAME_CHROMA ||
                 maker->way == VRS_TO_FRAME_PALETTE;
    if (wraps)
        return wrap(maker, image, frame);
    vrs_status status = copy(maker, image, frame);
    vrs_image_release(image);
    return status;
}
