#include "media/job/preview.h"

#include <stdbool.h>
#include <string.h>

#include <libswscale/swscale.h>

#include "base/alloc.h"
#include "image/format.h"
#include "media/encode/picture.h"
#include "media/libav/av.h"
#include "media/source/gpu_fetch.h"

/* Longest side of each of the three panels, and the gap between them. */
#define VRS_PANEL_SIDE 640
#define VRS_PANEL_GAP 8
/* A frame twice as far into the film replaces the kept one when it shows at least this share of
 * what that one shows of people: in the end the picture is of the film's later half, and what it
 * shows is usual, not the one frame where the network went most wrong. */
#define VRS_ENOUGH 0.8f
/* From this coverage on there are people. */
#define VRS_PEOPLE 0.005f

struct vrs_preview {
    uint8_t background[3];
    vrs_device *device;
    bool kept;
    uint64_t offered, kept_number;
    float kept_coverage;
    vrs_image picture;
};

vrs_status vrs_preview_create(const uint8_t background[3], vrs_device *device, vrs_preview **out)
{
    vrs_preview *preview = vrs_alloc(sizeof(*preview));
    if (preview == NULL)
        return VRS_NO_MEMORY;
    memcpy(preview->background, background, 3);
    preview->device = device;
    *out = preview;
    return VRS_OK;
}

void vrs_preview_destroy(vrs_preview *preview)
{
    if (preview == NULL)
        return;
    vrs_image_release(&preview->picture);
    vrs_free(preview);
}

/* Scales an image into a panel of `picture` at column x, by libswscale. `gray`: of a mask, the
 * first plane alone counts. */
static vrs_status draw(const vrs_image *image, bool gray, vrs_image *picture, int32_t x,
                       int32_t width)
{
    enum AVPixelFormat from = gray ? AV_PIX_FMT_GRAY8 : vrs_av_from_format(image->format);
    struct SwsContext *scale =
        sws_getContext(image->width, image->height, from, width, picture->height, AV_PIX_FMT_RGB24,
                       SWS_AREA, NULL, NULL, NULL);
    if (scale == NULL)
        return vrs_fail(VRS_NO_MEMORY, "the preview's picture cannot be scaled");
    if (!gray && vrs_format_get(image->format)->is_yuv) {
        vrs_color color = vrs_color_resolve(image);
        const int *matrix = sws_getCoefficients((int)vrs_av_from_matrix(color.matrix));
        (void)sws_setColorspaceDetails(scale, matrix, color.range == VRS_RANGE_FULL,
                                       sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    }
    const uint8_t *planes[4] = {image->planes[0], image->planes[1], image->planes[2], NULL};
    int strides[4] = {(int)image->strides[0], (int)image->strides[1], (int)image->strides[2], 0};
    uint8_t *to[4] = {picture->planes[0] + 3 * (ptrdiff_t)x, NULL, NULL, NULL};
    int to_strides[4] = {(int)picture->strides[0], 0, 0, 0};
    sws_scale(scale, planes, strides, 0, image->height, to, to_strides);
    sws_freeContext(scale);
    return VRS_OK;
}

static void compose(const uint8_t background[3], vrs_image *picture, int32_t width)
{
    for (int32_t y = 0; y < picture->height; y++) {
        uint8_t *row = picture->planes[0] + y * picture->strides[0];
        const uint8_t *mask = row + 3 * (ptrdiff_t)(width + VRS_PANEL_GAP);
        uint8_t *to = row + 6 * (ptrdiff_t)(width + VRS_PANEL_GAP);
        for (int32_t i = 0; i < 3 * width; i++) {
            int32_t back = background[i % 3];
            to[i] = (uint8_t)(back + ((row[i] - back) * mask[i] + 127) / 255);
        }
    }
}

static bool is_wanted(const vrs_preview *preview, uint64_t number, float coverage)
{
    if (!preview->kept)
        return true;
    if (preview->kept_coverage < VRS_PEOPLE && coverage >= VRS_PEOPLE)
        return true;
    return number >= 2 * preview->kept_number && coverage >= VRS_ENOUGH * preview->kept_coverage;
}

vrs_status vrs_preview_panels(const uint8_t background[3], const vrs_image *source,
                              const vrs_image *mask, int32_t side, vrs_image *picture)
{
    int32_t longest = source->width > source->height ? source->width : source->height;
    double zoom = longest > side ? (double)side / longest : 1;
    int32_t width = (int32_t)(source->width * zoom + 0.5);
    int32_t height = (int32_t)(source->height * zoom + 0.5);
    width = width > 0 ? width : 1;
    height = height > 0 ? height : 1;
    vrs_status status =
        vrs_image_alloc(picture, VRS_FORMAT_RGB24, 3 * width + 2 * VRS_PANEL_GAP, height);
    if (status != VRS_OK)
        return status;
    for (int32_t y = 0; y < height; y++)
        memset(picture->planes[0] + y * picture->strides[0], 255, 3 * (size_t)picture->width);
    status = draw(source, false, picture, 0, width);
    if (status == VRS_OK)
        status = draw(mask, true, picture, width + VRS_PANEL_GAP, width);
    if (status != VRS_OK) {
        vrs_image_release(picture);
        return status;
    }
    compose(background, picture, width);
    return VRS_OK;
}

vrs_status vrs_preview_offer(vrs_preview *preview, const vrs_result *result, const vrs_image *mask)
{
    uint64_t number = ++preview->offered;
    if (result->status != VRS_OK || !is_wanted(preview, number, result->coverage))
        return VRS_OK;
    vrs_image fetched = {0}, picture = {0};
    const vrs_image *source = result->source;
    vrs_status status = VRS_OK;
    if (source->memory != VRS_MEMORY_HOST) {
        status = vrs_gpu_fetch(preview->device, source, &fetched);
        source = &fetched;
    }
    if (status == VRS_OK)
        status = vrs_preview_panels(preview->background, source, mask, VRS_PANEL_SIDE, &picture);
    vrs_image_release(&fetched);
    if (status != VRS_OK)
        return status;
    vrs_image_release(&preview->picture);
    preview->picture = picture;
    preview->kept = true;
    preview->kept_number = number;
    preview->kept_coverage = result->coverage;
    return VRS_OK;
}

vrs_status vrs_preview_write(vrs_preview *preview, const char *path)
{
    return !preview->kept ? VRS_OK : vrs_picture_write(path, &preview->picture);
}
