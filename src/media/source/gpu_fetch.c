#include "media/source/gpu_fetch.h"

#include "image/format.h"

static vrs_status copy_planes(vrs_device_stream *stream, const vrs_image *image,
                              const vrs_image *host)
{
    vrs_status status = VRS_OK;
    int32_t planes = vrs_format_get(image->format)->planes;
    for (int32_t i = 0; i < planes && status == VRS_OK; i++) {
        status = vrs_device_download_2d(
            stream, host->planes[i], (size_t)host->strides[i],
            (vrs_device_ptr)(uintptr_t)image->planes[i], (size_t)image->strides[i],
            (size_t)vrs_plane_row_bytes(image, i), (size_t)vrs_plane_height(image, i));
    }
    return status;
}

vrs_status vrs_gpu_fetch(vrs_device *device, const vrs_image *image, vrs_image *host)
{
    vrs_device_stream *stream = NULL;
    vrs_device_event *done = NULL;
    *host = (vrs_image){0};
    vrs_status status = vrs_image_alloc(host, image->format, image->width, image->height);
    if (status == VRS_OK) {
        host->color = image->color;
        status = vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream);
    }
    if (status == VRS_OK)
        status = vrs_device_event_create(device, false, &done);
    if (status == VRS_OK) {
        status = copy_planes(stream, image, host);
        /* Also behind a plane that failed: the others may be on their way. */
        vrs_status recorded = vrs_device_event_record(done, stream);
        vrs_status waited = recorded == VRS_OK ? vrs_device_event_wait(done) : recorded;
        status = status == VRS_OK ? waited : status;
    }
    vrs_device_event_destroy(done);
    vrs_device_stream_destroy(stream);
    if (status != VRS_OK)
        vrs_image_release(host);
    return status;
}
