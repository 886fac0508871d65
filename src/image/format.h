/* Pixel formats and the arithmetic of image planes. */
#ifndef VRS_IMAGE_FORMAT_H
#define VRS_IMAGE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "vrseg/image.h"

typedef struct vrs_format_info {
    const char *name;
    int32_t planes;
    int32_t depth;        /* significant bits of a sample */
    int32_t sample_bytes; /* 1 or 2 */
    int32_t sample_shift; /* bits to shift a word right to get the sample: 6 for P010 */
    bool chroma_420;
    bool is_yuv;
    int32_t plane_samples[VRS_MAX_PLANES]; /* samples a plane's column: 1; 2 for UV; 3, 4 for RGB */
} vrs_format_info;

/* NULL for VRS_FORMAT_NONE and unknown numbers. */
VRS_API const vrs_format_info *vrs_format_get(vrs_pixel_format format);

/* Columns, rows and bytes of a row (without padding) of a plane; 0 for one that the format does not
 * have. */
VRS_API int32_t vrs_plane_width(const vrs_image *image, int plane);
VRS_API int32_t vrs_plane_height(const vrs_image *image, int plane);
VRS_API int64_t vrs_plane_row_bytes(const vrs_image *image, int plane);

/* The colour with every "unknown" replaced by what it stands for at this format and size; numbers
 * that name no value here count as unknown. Primaries are passed through. */
VRS_API vrs_color vrs_color_resolve(const vrs_image *image);

/* Matrix from Y'CbCr code values (as stored, chroma not centred) to R'G'B' in 0..1:
 * rgb = m[.][0..2] * ycc + m[.][3]. With VRS_MATRIX_RGB the codes are R, G, B. Source: ITU-T H.273
 * (07/2021), equations 11 to 13 and 38 to 40, with Kr and Kb of its table 4. */
typedef struct vrs_color_matrix {
    float m[3][4];
} vrs_color_matrix;

VRS_API vrs_color_matrix vrs_color_to_rgb(vrs_color resolved, int32_t depth);

/* Code values Y, Cb, Cr of an 8-bit full-range R, G, B in the given (resolved) colour and depth. */
VRS_API void vrs_color_from_rgb8(vrs_color resolved, int32_t depth, const uint8_t rgb[3],
                                 int32_t ycc[3]);

#endif
