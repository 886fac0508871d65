/* From images and rectangles to the parameters of vrs_render. */
#include <stdbool.h>
#include <string.h>

#include "image/format.h"
#include "kernels/cuda/postprocess_launch.h"

/* Address of the rectangle's first sample in a plane, which has half the rows from plane 1 to 2. */
static uint64_t plane_at(const vrs_image *image, const vrs_format_info *info, int plane,
                         vrs_rect rect)
{
    const bool half = info->chroma_420 && (plane == 1 || plane == 2);
    const int64_t x = half ? rect.x / 2 : rect.x, y = half ? rect.y / 2 : rect.y;
    return (uint64_t)(uintptr_t)image->planes[plane] + (uint64_t)(y * image->strides[plane]) +
           (uint64_t)(x * info->plane_samples[plane] * info->sample_bytes);
}

static bool fits(vrs_rect r, const vrs_image *image)
{
    return r.x >= 0 && r.y >= 0 && r.width > 0 && r.height > 0 && r.x <= image->width - r.width &&
           r.y <= image->height - r.height;
}

/* Chroma's samples belong to the rectangle alone. */
static bool is_even(vrs_rect r, const vrs_image *image)
{
    return r.x % 2 == 0 && r.y % 2 == 0 && (r.width % 2 == 0 || r.x + r.width == image->width) &&
           (r.height % 2 == 0 || r.y + r.height == image->height);
}

static vrs_status set_stride(const vrs_image *image, int plane, int32_t *stride)
{
    if (image->strides[plane] > INT32_MAX || image->strides[plane] < INT32_MIN)
        return vrs_fail(VRS_UNSUPPORTED,
                        "rows of plane %d are %lld bytes apart: 2 GB are the limit", plane,
                        (long long)image->strides[plane]);
    *stride = (int32_t)image->strides[plane];
    return VRS_OK;
}

static vrs_status set_source(const vrs_post_part *part, vrs_render_view *view)
{
    const vrs_image *image = part->source;
    const vrs_format_info *info = vrs_format_get(image->format);
    if (info == NULL || !fits(part->source_rect, image) || part->source_rect.width != view->width ||
        part->source_rect.height != view->height)
        return vrs_fail(VRS_INVALID, "a part of %dx%d is not inside of a source of %dx%d",
                        part->source_rect.width, part->source_rect.height, image->width,
                        image->height);
    for (int plane = 0; plane < info->planes && plane < 3; plane++) {
        view->src[plane] = plane_at(image, info, plane, part->source_rect);
        vrs_status status = set_stride(image, plane, &view->src_stride[plane]);
        if (status != VRS_OK)
            return status;
    }
    int flags = info->sample_bytes == 2 ? VRS_POST_SRC_DEEP : 0;
    flags |= info->sample_shift != 0 ? VRS_POST_SRC_HIGH : 0;
    flags |= info->is_yuv && info->planes == 2 ? VRS_POST_SRC_PAIRED : 0;
    flags |= image->format == VRS_FORMAT_RGB24 ? VRS_POST_SRC_RGB : 0;
    flags |= image->format == VRS_FORMAT_BGRA ? VRS_POST_SRC_BGRA : 0;
    view->flags = (uint16_t)(view->flags | flags);
    const float peak = (float)(1 << (info->depth - 8));
    const bool full = !info->is_yuv || vrs_color_resolve(image).range == VRS_RANGE_FULL;
    view->luma_scale = full ? 1 / (256 * peak - 1) : 1 / (219 * peak);
    view->luma_offset = full ? 0 : -16 * peak * view->luma_scale;
    return VRS_OK;
}

static vrs_status set_target(const vrs_post_part *part, vrs_render_view *view)
{
    const vrs_image *image = part->target;
    const vrs_format_info *info = vrs_format_get(image->format);
    if (info == NULL || !fits(part->target_rect, image))
        return vrs_fail(VRS_INVALID, "a part of %dx%d is not inside of an output of %dx%d",
                        part->target_rect.width, part->target_rect.height, image->width,
                        image->height);
    const int planes = part->output == VRS_POST_GRAY ? 1 : info->planes;
    for (int plane = 0; plane < planes; plane++) {
        view->dst[plane] = plane_at(image, info, plane, part->target_rect);
        vrs_status status = set_stride(image, plane, &view->dst_stride[plane]);
        if (status != VRS_OK)
            return status;
    }
    int flags = info->sample_bytes == 2 ? VRS_POST_DST_DEEP : 0;
    flags |= info->sample_shift != 0 ? VRS_POST_DST_HIGH : 0;
    flags |= planes == 2 ? VRS_POST_DST_PAIRED : 0;
    view->flags = (uint16_t)(view->flags | flags);
    return VRS_OK;
}

static vrs_status set_picture(const vrs_post_part *part, vrs_render_view *view)
{
    const vrs_format_info *target = vrs_format_get(part->target->format);
    const vrs_format_info *source =
        part->source != NULL ? vrs_format_get(part->source->format) : NULL;
    const int planes = part->output == VRS_POST_CUTOUT ? 4 : target->planes;
    if (source == NULL || !source->is_yuv || !target->is_yuv || source->depth != target->depth ||
        !source->chroma_420 || !target->chroma_420 || target->planes != planes)
        return vrs_fail(VRS_UNSUPPORTED, "%s cannot be made from %s",
                        vrs_pixel_format_name(part->target->format),
                        source == NULL ? "no source" : vrs_pixel_format_name(part->source->format));
    if (!is_even(part->source_rect, part->source) || !is_even(part->target_rect, part->target))
        return vrs_fail(VRS_UNSUPPORTED,
                        "a part of %dx%d at (%d, %d) shares chroma samples with its neighbours",
                        part->target_rect.width, part->target_rect.height, part->target_rect.x,
                        part->target_rect.y);
    static const uint8_t black[3] = {0, 0, 0};
    int32_t ycc[3];
    vrs_color_from_rgb8(vrs_color_resolve(part->source), source->depth,
                        part->output == VRS_POST_CUTOUT ? black : part->background, ycc);
    for (int i = 0; i < 3; i++)
        view->background[i] = (uint16_t)ycc[i];
    return VRS_OK;
}

/* Alignment of everything that is loaded or stored by vectors of 8 columns. */
static void set_vector(vrs_render_view *view)
{
    const uint64_t bytes = (view->flags & (VRS_POST_SRC_DEEP | VRS_POST_DST_DEEP)) != 0 ? 2 : 1;
    uint64_t luma = view->src[0] | view->dst[0] | (uint64_t)view->src_stride[0] |
                    (uint64_t)view->dst_stride[0] | view->dst[3] | (uint64_t)view->dst_stride[3];
    uint64_t chroma = 0;
    for (int i = 1; i < 3; i++)
        chroma |= view->src[i] | (uint64_t)view->src_stride[i] | view->dst[i] |
                  (uint64_t)view->dst_stride[i];
    if ((view->flags & (VRS_POST_SRC_PAIRED | VRS_POST_DST_PAIRED)) != 0)
        luma |= chroma;
    if (luma % (8 * bytes) == 0 && chroma % (4 * bytes) == 0)
        view->flags |= VRS_POST_VECTOR;
    if ((view->mask | (uint64_t)(2 * (int64_t)view->mask_stride)) % 16 == 0)
        view->flags |= VRS_POST_MASK_ALIGNED;
}

static void set_mask(const vrs_post_part *part, vrs_render_view *view)
{
    *view = (vrs_render_view){
        .mask = part->mask,
        .mask_stride = part->mask_stride,
        .mask_width = part->mask_width,
        .mask_height = part->mask_height,
        .width = part->target_rect.width,
        .height = part->target_rect.height,
        .mask_kind = (int16_t)part->mask_kind,
    };
}

vrs_status vrs_cuda_render_view(const vrs_post_part *part, vrs_render_view *view)
{
    set_mask(part, view);
    view->output = (int16_t)part->output;
    vrs_status status = set_target(part, view);
    const bool read = part->mask_kind == VRS_POST_MASK_REFINE || part->output != VRS_POST_GRAY;
    if (status == VRS_OK && read && part->source != NULL)
        status = set_source(part, view);
    else if (status == VRS_OK && read)
        status = vrs_fail(VRS_INVALID, "the source is missing");
    if (status == VRS_OK && part->output != VRS_POST_GRAY)
        status = set_picture(part, view);
    if (status == VRS_OK)
        set_vector(view);
    return status;
}

vrs_status vrs_cuda_alpha_view(const vrs_post_part *part, uint64_t alpha, int32_t stride,
                               vrs_render_view *view)
{
    set_mask(part, view);
    view->output = VRS_POST_ALPHA;
    view->dst[0] = alpha;
    if (stride > INT32_MAX / 2 || stride < INT32_MIN / 2)
        return vrs_fail(VRS_INVALID, "rows of alpha are %d elements apart", stride);
    view->dst_stride[0] = 2 * stride;
    vrs_status status = VRS_OK;
    if (part->mask_kind == VRS_POST_MASK_REFINE && part->source != NULL)
        status = set_source(part, view);
    else if (part->mask_kind == VRS_POST_MASK_REFINE)
        status = vrs_fail(VRS_INVALID, "the source is missing");
    if (status == VRS_OK)
        set_vector(view);
    return status;
}
