/* The preview: one picture with the source, the mask and the composite side by side, of a usual
 * frame of the film's later half. */
#ifndef VRS_MEDIA_PREVIEW_H
#define VRS_MEDIA_PREVIEW_H

#include <stdint.h>

#include "device/device.h"
#include "vrseg/image.h"
#include "vrseg/pipeline.h"

typedef struct vrs_preview vrs_preview;

/* Returns owned. `background`: R, G, B of the composite; `device` (shared): where sources that are
 * not in host memory lie, else NULL. VRS_NO_MEMORY. */
vrs_status vrs_preview_create(const uint8_t background[3], vrs_device *device,
                              vrs_preview **preview) VRS_MUST_USE;
void vrs_preview_destroy(vrs_preview *preview);

/* Looks at a result, in the film's order, and keeps a small copy of a few frames, each twice as far
 * into the film as the one before (so over a long film only a handful is copied). `mask`: its GRAY8
 * or YUV420P mask in any size. VRS_NO_MEMORY;
 * VRS_DEVICE, VRS_DEVICE_LOST. */
vrs_status vrs_preview_offer(vrs_preview *preview, const vrs_result *result,
                             const vrs_image *mask) VRS_MUST_USE;

/* Source, mask (GRAY8 or YUV420P, any size) and composite side by side, each with sides of at most
 * `side`, white between; RGB24 in host memory, owned by the caller also after a failure. All lie in
 * host memory. VRS_NO_MEMORY. */
vrs_status vrs_preview_panels(const uint8_t background[3], const vrs_image *source,
                              const vrs_image *mask, int32_t side, vrs_image *picture) VRS_MUST_USE;

/* Writes the kept frame as a PNG in place of `path`. Nothing kept: nothing written, VRS_OK. */
vrs_status vrs_preview_write(vrs_preview *preview, const char *path) VRS_MUST_USE;

#endif
