#include "image/format.h"

static const vrs_format_info formats[] = {
    [VRS_FORMAT_YUV420P] = {"yuv420p", 3, 8, 1, 0, true, true, {1, 1, 1}},
    [VRS_FORMAT_NV12] = {"nv12", 2, 8, 1, 0, true, true, {1, 2}},
    [VRS_FORMAT_P010] = {"p010", 2, 10, 2, 6, true, true, {1, 2}},
    [VRS_FORMAT_YUV420P10] = {"yuv420p10", 3, 10, 2, 0, true, true, {1, 1, 1}},
    [VRS_FORMAT_RGB24] = {"rgb24", 1, 8, 1, 0, false, false, {3}},
    [VRS_FORMAT_BGRA] = {"bgra", 1, 8, 1, 0, false, false, {4}},
    [VRS_FORMAT_GRAY8] = {"gray8", 1, 8, 1, 0, false, false, {1}},
    [VRS_FORMAT_GRAY10] = {"gray10", 1, 10, 2, 0, false, false, {1}},
    [VRS_FORMAT_YUVA420P] = {"yuva420p", 4, 8, 1, 0, true, true, {1, 1, 1, 1}},
    [VRS_FORMAT_YUVA420P10] = {"yuva420p10", 4, 10, 2, 0, true, true, {1, 1, 1, 1}},
};

const vrs_format_info *vrs_format_get(vrs_pixel_format format)
{
    const int64_t number = (int64_t)format;
    const int64_t count = (int64_t)(sizeof(formats) / sizeof(formats[0]));
    if (number <= VRS_FORMAT_NONE || number >= count)
        return NULL;
    return &formats[number];
}

const char *vrs_pixel_format_name(vrs_pixel_format format)
{
    const vrs_format_info *info = vrs_format_get(format);
    if (info != NULL)
        return info->name;
    return format == VRS_FORMAT_NONE ? "none" : "unknown";
}

/* Planes 1 and 2 of 4:2:0 hold chroma; luma and alpha have the image's own size. */
static bool is_chroma(const vrs_format_info *info, int plane)
{
    return info->chroma_420 && (plane == 1 || plane == 2);
}

static int32_t plane_side(const vrs_image *image, int plane, int32_t side)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    if (info == NULL || plane < 0 || plane >= info->planes)
        return 0;
    return is_chroma(info, plane) ? side / 2 + side % 2 : side;
}

int32_t vrs_plane_width(const vrs_image *image, int plane)
{
    return plane_side(image, plane, image->width);
}

int32_t vrs_plane_height(const vrs_image *image, int plane)
{
    return plane_side(image, plane, image->height);
}

int64_t vrs_plane_row_bytes(const vrs_image *image, int plane)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    const int64_t width = vrs_plane_width(image, plane);
    if (width == 0)
        return 0;
    return width * info->plane_samples[plane] * info->sample_bytes;
}
