#include "vrseg/image.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "image/format.h"

static vrs_status check_size(vrs_pixel_format format, int32_t width, int32_t height)
{
    if (vrs_format_get(format) == NULL) {
        return vrs_fail(VRS_INVALID, "image: pixel format %d is unknown; use a VRS_FORMAT_ value",
                        (int)format);
    }
    if (width < 1 || width > VRS_MAX_SIDE || height < 1 || height > VRS_MAX_SIDE) {
        return vrs_fail(VRS_INVALID, "image: size %dx%d; each side must lie in 1 to %d", width,
                        height, VRS_MAX_SIDE);
    }
    return VRS_OK;
}

static vrs_status check_plane(const vrs_image *image, const vrs_format_info *info, int plane)
{
    if (image->planes[plane] == NULL) {
        return vrs_fail(VRS_INVALID, "image: plane %d of %s is NULL; all %d planes must be set",
                        plane, info->name, info->planes);
    }
    const int64_t row = vrs_plane_row_bytes(image, plane);
    const ptrdiff_t stride = image->strides[plane];
    if (stride < row && stride > -row) {
        return vrs_fail(VRS_INVALID,
                        "image: stride %td of plane %d is too short: a row of %d %s pixels takes "
                        "%lld bytes",
                        stride, plane, image->width, info->name, (long long)row);
    }
    /* The last row's offset and its end must be addresses that a pointer can be moved to. */
    const ptrdiff_t limit = (PTRDIFF_MAX - (ptrdiff_t)row) / vrs_plane_height(image, plane);
    if (stride > limit || stride < -limit) {
        return vrs_fail(VRS_INVALID, "image: stride %td of plane %d times %d rows overflows",
                        stride, plane, vrs_plane_height(image, plane));
    }
    if (((uintptr_t)image->planes[plane] | (uintptr_t)stride) % (uintptr_t)info->sample_bytes) {
        return vrs_fail(VRS_INVALID,
                        "image: plane %d of %s must start and have its rows at even addresses",
                        plane, info->name);
    }
    return VRS_OK;
}

static const char *memory_name(vrs_memory_kind kind)
{
    return kind == VRS_MEMORY_HOST ? "host" : "CUDA";
}

static vrs_status check_place(const vrs_image *image, vrs_memory_kind kind, int32_t device)
{
    if (image->memory != VRS_MEMORY_HOST && image->memory != VRS_MEMORY_CUDA) {
        return vrs_fail(VRS_INVALID,
                        "image: memory kind %d is unknown; use VRS_MEMORY_HOST or _CUDA",
                        (int)image->memory);
    }
    if (image->memory != kind) {
        return vrs_fail(VRS_INVALID, "image: it lies in %s memory and is needed in %s memory",
                        memory_name(image->memory), memory_name(kind));
    }
    if (kind != VRS_MEMORY_HOST && image->device != device) {
        return vrs_fail(VRS_INVALID, "image: it lies on device %d and is needed on device %d",
                        image->device, device);
    }
    return VRS_OK;
}

vrs_status vrs_image_check(const vrs_image *image)
{
    return vrs_image_check_in(image, VRS_MEMORY_HOST, 0);
}

vrs_status vrs_image_check_in(const vrs_image *image, vrs_memory_kind kind, int32_t device)
{
    if (image == NULL)
        return vrs_fail(VRS_INVALID, "image: NULL was passed");
    vrs_status status = check_size(image->format, image->width, image->height);
    if (status != VRS_OK)
        return status;
    status = check_place(image, kind, device);
    if (status != VRS_OK)
        return status;
    const vrs_format_info *info = vrs_format_get(image->format);
    for (int plane = 0; plane < info->planes; plane++) {
        status = check_plane(image, info, plane);
        if (status != VRS_OK)
            return status;
    }
    return VRS_OK;
}

vrs_status vrs_image_alloc(vrs_image *image, vrs_pixel_format format, int32_t width, int32_t height)
{
    memset(image, 0, sizeof(*image));
    const vrs_status status = check_size(format, width, height);
    if (status != VRS_OK)
        return status;
    vrs_image made = {.format = format, .width = width, .height = height};
    const vrs_format_info *info = vrs_format_get(format);
    uint64_t offsets[VRS_MAX_PLANES] = {0};
    uint64_t size = 0; /* at most 4 planes of 2^15 rows of 2^17 bytes */
    for (int plane = 0; plane < info->planes; plane++) {
        const uint64_t row = (uint64_t)vrs_plane_row_bytes(&made, plane);
        const uint64_t stride = (row + VRS_ALIGNMENT - 1) / VRS_ALIGNMENT * VRS_ALIGNMENT;
        made.strides[plane] = (ptrdiff_t)stride;
        offsets[plane] = size;
        size += stride * (uint64_t)vrs_plane_height(&made, plane);
    }
    if (size > PTRDIFF_MAX) {
        return vrs_fail(VRS_NO_MEMORY, "image: %dx%d %s does not fit this machine's addresses",
                        width, height, info->name);
    }
    uint8_t *block = vrs_alloc_aligned((size_t)size);
    if (block == NULL)
        return VRS_NO_MEMORY;
    for (int plane = 0; plane < info->planes; plane++)
        made.planes[plane] = block + offsets[plane];
    made.release = vrs_free;
    made.opaque = block;
    *image = made;
    return VRS_OK;
}

void vrs_image_release(vrs_image *image)
{
    if (image == NULL || image->release == NULL)
        return;
    void (*release)(void *) = image->release;
    image->release = NULL;
    release(image->opaque);
}
