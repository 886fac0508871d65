/* Parameters of the CUDA kernels of views through grids (kernels/warp.h): one struct by value,
 * valid in C and CUDA. Addresses are device addresses, strides bytes (may be negative). */
#ifndef VRS_KERNELS_CUDA_PARAMS_WARP_H
#define VRS_KERNELS_CUDA_PARAMS_WARP_H

#include <stdint.h>

#include "params_preprocess.h"

/* A view on its way in: what of vrs_preprocess_view is not about rectangles, and the grid. */
typedef struct vrs_warp_view {
    uint64_t plane[3];
    uint64_t positions; /* int32 pairs, (width + 1) * (height + 1) of the network's picture */
    uint64_t tensor;    /* 16-byte aligned */
    uint64_t luma;      /* uint8, dense rows; 0: not wanted */
    uint64_t tone;      /* VRS_TONE_STEPS + 1 floats; 0: none */
    float matrix[3][4], guide[4];
    int32_t stride[3];
    int32_t x, y, width, height; /* what may be sampled */
    int32_t around, samples;
    int32_t site_x, site_y; /* added to chroma's halved positions */
    uint16_t peak;
    uint8_t shift, components, sample_bytes;
    uint8_t component_plane[3], component_step[3], component_offset[3], component_axis[3];
    uint8_t padding[3];
} vrs_warp_view;
VRS_PREPROCESS_ASSERT(sizeof(vrs_warp_view) == 184, "vrs_warp_view has no hidden gaps");

#define VRS_WARP_COLUMNS 32 /* of a block */
#define VRS_WARP_ROWS 4

/* Grid: x: blocks of columns, y: of rows, z: views. */
typedef struct vrs_warp_params {
    vrs_warp_view view[VRS_PREPROCESS_VIEWS];
    int32_t width, height; /* of the network's picture */
    int32_t type, layout;  /* vrs_tensor_type, vrs_tensor_layout */
    int32_t channels;
    float scale[3], bias[3]; /* value = rgb * scale + bias, before rounding */
} vrs_warp_params;
VRS_PREPROCESS_ASSERT(sizeof(vrs_warp_params) <= 4096, "kernel parameters are at most 4 KB");

/* A view's mask on its way back. */
typedef struct vrs_patch_view {
    uint64_t positions;
    uint64_t mask;                                /* int16 Q15, or pairs of floats: slope, offset */
    int32_t x, y, width, height;                  /* of the target */
    int32_t mask_width, mask_height, mask_stride; /* stride in elements, or pairs */
    int32_t ramp_x, ramp_y;
    int32_t padding;
} vrs_patch_view;
VRS_PREPROCESS_ASSERT(sizeof(vrs_patch_view) == 56, "vrs_patch_view has no hidden gaps");

/* Luma of the frame; of RGB by weights in Q16, else one sample. */
typedef struct vrs_patch_luma {
    uint64_t data;
    int32_t stride, sample_bytes, shift;
    int32_t step; /* bytes of a pixel of RGB; 0: YUV */
    int32_t red, blue;
    float scale, offset;
} vrs_patch_luma;
VRS_PREPROCESS_ASSERT(sizeof(vrs_patch_luma) == 40, "vrs_patch_luma has no hidden gaps");

/* Grid: x: blocks of columns, y: of rows of the box. */
typedef struct vrs_patches_params {
    vrs_patch_view view[VRS_PREPROCESS_VIEWS];
    uint64_t dst; /* int16, row 0, column 0 of the target */
    vrs_patch_luma luma;
    int32_t count, refine, dst_stride; /* in elements */
    int32_t x, y, width, height;       /* the box of the target that is looked at */
    int32_t threshold;                 /* applied to all of the box; 0: none */
} vrs_patches_params;
VRS_PREPROCESS_ASSERT(sizeof(vrs_patches_params) <= 4096, "kernel parameters are at most 4 KB");

/* A view's scores on their way into a class map: vrs_class_patch. */
typedef struct vrs_class_patch_view {
    uint64_t positions, scores; /* scores: floats */
    int64_t class_stride;       /* this and the next in elements */
    int32_t row_stride;
    int32_t x, y, width, height;           /* of the target */
    int32_t picture_width, picture_height; /* that positions are in */
    int32_t columns, rows;                 /* of scores */
    int32_t ramp_x, ramp_y;
    int32_t padding;
} vrs_class_patch_view;
VRS_PREPROCESS_ASSERT(sizeof(vrs_class_patch_view) == 72,
                      "vrs_class_patch_view has no hidden gaps");

/* Grid: x: blocks of columns, y: of rows of the class map. */
typedef struct vrs_class_patches_params {
    vrs_class_patch_view view[VRS_PREPROCESS_VIEWS];
    uint64_t dst; /* uint8 */
    int32_t count, classes;
    int32_t width, height, dst_stride;
    int32_t padding;
} vrs_class_patches_params;
VRS_PREPROCESS_ASSERT(sizeof(vrs_class_patches_params) <= 4096,
                      "kernel parameters are at most 4 KB");

#endif
