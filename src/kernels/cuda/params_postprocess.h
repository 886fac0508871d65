/* Parameters of the CUDA postprocess kernels: one struct by value each, valid in C and CUDA.
 *
 * Every struct holds up to VRS_POST_VIEWS views, so that a batch is one launch. Addresses are
 * device addresses; strides of scores and masks are in elements, those of pictures in bytes, and
 * may be negative. Rules that a caller must keep stand here; postprocess_launch.h checks them. */
#ifndef VRS_KERNELS_CUDA_PARAMS_POSTPROCESS_H
#define VRS_KERNELS_CUDA_PARAMS_POSTPROCESS_H

#include <stdint.h>

#define VRS_POST_VIEWS 16
#define VRS_POST_CLASSES 32
#define VRS_POST_STRIP_COLUMNS 4 /* of a thread of the fast renderers */

#ifdef __cplusplus
#define VRS_POST_ASSERT(condition, text) static_assert(condition, text)
#else
#define VRS_POST_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* What follows a mask's making, in vrs_person and vrs_mask_resize. `state_in` is the stream's last
 * mask (0: it has none), `state_out` gets the new one (0: no smoothing; may be state_in). Views of
 * one stream in one launch form a chain in the order of their frames: `next` is the index of the
 * next one, -1 at the end. A later view of a chain follows the one before it instead of state_in
 * unless `restart` is set, and only the last one's state_out is written. */
typedef struct vrs_post_smooth {
    uint64_t state_in, state_out; /* int16, dense */
    uint64_t sum;                 /* uint64 that the content's mask is added to; 0: not wanted */
    int32_t x, y, width, height;  /* the content, for `sum` */
    int32_t next, restart;
} vrs_post_smooth;
VRS_POST_ASSERT(sizeof(vrs_post_smooth) == 48, "vrs_post_smooth has no padding");

/* Scores to Q15: vrs_person_fn and vrs_smooth_fn of kernels.h. */
typedef struct vrs_person_view {
    uint64_t scores; /* float or half */
    uint64_t mask;   /* int16, dense rows of `width` */
    vrs_post_smooth smooth;
} vrs_person_view;

typedef struct vrs_person_params {
    vrs_person_view view[VRS_POST_VIEWS];
    int64_t class_stride, row_stride, column_stride;
    int32_t classes, width, height;
    uint32_t person_classes;
    int32_t activation; /* vrs_activation */
    int32_t half;       /* 1: scores are IEEE binary16 */
    int32_t weight;     /* of smoothing, Q15 */
    /* Filled in by the launch: the first view of each chain; a row of groups of pixels (planes) or
     * of pixels as a divisor: x / row = (x * row_factor) >> (32 + row_shift). */
    int32_t chain[VRS_POST_VIEWS];
    uint32_t row_factor;
    int32_t row_shift;
} vrs_person_params;
VRS_POST_ASSERT(sizeof(vrs_person_params) <= 4096, "kernel parameters are at most 4 KB");

/* Filled in by the launch of what enlarges: rows of a thread, and x / (2 width) = (x *
 * column_factor) >> (32 + column_shift), likewise of the height and of the source's height. */
typedef struct vrs_enlarge_division {
    uint32_t column_factor, row_factor, source_factor;
    int32_t column_shift, row_shift, source_shift;
    int32_t rows;
    int32_t padding;
} vrs_enlarge_division;

/* Scores of a smaller size to Q15: enlarged as vrs_reference_enlarge() says, and then as
 * `person`, whose width and height are the mask's. Enlarged scores are never in memory. */
typedef struct vrs_person_enlarge_params {
    vrs_person_params person;
    int32_t source_width, source_height; /* of the scores */
    vrs_enlarge_division division;
} vrs_person_enlarge_params;
VRS_POST_ASSERT(sizeof(vrs_person_enlarge_params) <= 4096, "kernel parameters are at most 4 KB");

/* The enlarged scores themselves, for class maps: vrs_reference_enlarge(), dense planes. */
typedef struct vrs_enlarge_view {
    uint64_t scores; /* float or half */
    uint64_t dst;    /* float */
} vrs_enlarge_view;

typedef struct vrs_enlarge_params {
    vrs_enlarge_view view[VRS_POST_VIEWS];
    int64_t class_stride, row_stride, column_stride; /* of the scores */
    int32_t classes, source_width, source_height, width, height;
    int32_t half;
    vrs_enlarge_division division;
} vrs_enlarge_params;
VRS_POST_ASSERT(sizeof(vrs_enlarge_params) <= 4096, "kernel parameters are at most 4 KB");

/* Q15 of one size to Q15 of another, exact: vrs_upsample_fn, then as vrs_person_params. */
typedef struct vrs_mask_resize_view {
    uint64_t source; /* int16 */
    uint64_t mask;   /* int16, dense rows of `width` */
    vrs_post_smooth smooth;
} vrs_mask_resize_view;

typedef struct vrs_mask_resize_params {
    vrs_mask_resize_view view[VRS_POST_VIEWS];
    int64_t source_stride;
    int32_t source_width, source_height, width, height;
    int32_t weight;
    int32_t chain[VRS_POST_VIEWS];
    vrs_enlarge_division division;
    int32_t padding;
} vrs_mask_resize_params;
VRS_POST_ASSERT(sizeof(vrs_mask_resize_params) <= 4096, "kernel parameters are at most 4 KB");

/* Largest radius of vrs_guided_solve_near and vrs_guided_mean_near: sums over greater windows may
 * not fit 32 bits. */
#define VRS_POST_GUIDED_RADIUS 15

/* Guided filter: vrs_guided_fn. Slope and offset are stored side by side (float2), dense rows of
 * `width`. vrs_guided does all at radius 1; other radii go in two steps, vrs_guided_solve into
 * `once` and vrs_guided_mean from there into `coefficients`; up to VRS_POST_GUIDED_RADIUS the two
 * of the same names with _near. */
typedef struct vrs_guided_view {
    uint64_t mask;         /* int16, dense rows of `width` */
    uint64_t guide;        /* uint8, dense rows of `width` */
    uint64_t once;         /* 8 bytes a pixel: scratch of radii other than 1 */
    uint64_t coefficients; /* float2, width * height */
} vrs_guided_view;

typedef struct vrs_guided_params {
    vrs_guided_view view[VRS_POST_VIEWS];
    int32_t width, height, radius;
    float epsilon;
    int32_t rows; /* of a block's march; of a warp's in those with _near */
    float unit;   /* what 1 is in `once` in those with _near, a power of 2; set by the launch */
} vrs_guided_params;
VRS_POST_ASSERT(sizeof(vrs_guided_params) <= 4096, "kernel parameters are at most 4 KB");

/* Where a rendered mask comes from. */
enum {
    VRS_POST_MASK_SMALL = 0,  /* int16, bilinear: vrs_upsample_fn */
    VRS_POST_MASK_REFINE = 1, /* float2 coefficients and the source's luma: vrs_refine_fn */
    VRS_POST_MASK_FULL = 2,   /* int16 at the size of the result */
    VRS_POST_MASK_NONE = 3,   /* background everywhere */
};

/* What is written. */
enum {
    VRS_POST_ALPHA = 0,     /* Q15 at the result's size, for feathering */
    VRS_POST_GRAY = 1,      /* mask codes: dst[0] */
    VRS_POST_COMPOSITE = 2, /* YUV 4:2:0 over the background: dst[0..2] */
    VRS_POST_CUTOUT = 3,    /* the same with the alpha made hard above 0, and alpha in dst[3] */
};

/* Bits of vrs_render_view.flags. */
enum {
    VRS_POST_SRC_DEEP = 1,      /* source samples are 16-bit words */
    VRS_POST_SRC_HIGH = 2,      /* in their upper 10 bits (P010) */
    VRS_POST_SRC_PAIRED = 4,    /* source chroma is U and V in turn in src[1] */
    VRS_POST_SRC_RGB = 8,       /* luma is made from 3 bytes, R G B */
    VRS_POST_SRC_BGRA = 16,     /* luma is made from 4 bytes, B G R A */
    VRS_POST_DST_DEEP = 32,     /* result: 16-bit words, peak 1023 */
    VRS_POST_DST_HIGH = 64,     /* in the upper 10 bits */
    VRS_POST_DST_PAIRED = 128,  /* result's chroma: U and V in turn in dst[1] */
    VRS_POST_VECTOR = 256,      /* rows of all planes are aligned to 8 luma columns' bytes */
    VRS_POST_MASK_ALIGNED = 512 /* rows of a full-size mask are aligned to 16 bytes */
};

/* A rectangle of an output: its pixels, the same rectangle of the source where that is read, and
 * its mask. Composites and cut-outs: the rectangle begins on even columns and rows, its sides are
 * even or end at the picture's edge; source and result are both 8 or both 10 bits deep. */
typedef struct vrs_render_view {
    uint64_t src[3], dst[4];
    uint64_t mask; /* origin of the region in the mask or the coefficients */
    int32_t src_stride[3], dst_stride[4];
    int32_t mask_stride; /* in elements: int16 or float2 */
    int32_t mask_width, mask_height;
    int32_t width, height;
    float luma_scale, luma_offset; /* luma in 0..1 = code * scale + offset */
    uint16_t background[3];
    uint16_t flags;
    int16_t mask_kind, output;
    int16_t column_shift, row_shift;    /* x / (2 width) = (x * factor) >> (32 + shift), likewise */
    uint32_t column_factor, row_factor; /* of the height; filled in by the launch */
} vrs_render_view;
VRS_POST_ASSERT(sizeof(vrs_render_view) == 144, "vrs_render_view has no hidden padding");

/* Grid: x: columns of a block (vrs_render 256, the fast renderers 128), y: 4 strips, z: views. */
typedef struct vrs_render_params {
    vrs_render_view view[VRS_POST_VIEWS];
    int32_t threshold; /* Q15; 0: the mask stays soft */
    int32_t rows;      /* of a strip: an even number up to 16 */
    /* Of the fast renderers, filled in by the launch: bytes of shared memory for what is read at
     * full size; the part of a small mask that a block needs, with x / tile_columns = (x *
     * tile_factor) >> 32. */
    int32_t stage_bytes, tile_columns, tile_rows;
    uint32_t tile_factor;
} vrs_render_params;
VRS_POST_ASSERT(sizeof(vrs_render_params) <= 4096, "kernel parameters are at most 4 KB");

/* Largest radius of vrs_box_near; vrs_box has no limit. */
#define VRS_POST_NEAR_RADIUS 16

/* One of the two boxes of vrs_feather_fn. */
typedef struct vrs_box_view {
    uint64_t src, dst; /* int16 */
    int32_t src_stride, dst_stride;
    int32_t width, height;
} vrs_box_view;

typedef struct vrs_box_params {
    vrs_box_view view[VRS_POST_VIEWS];
    int32_t radius;
    int32_t rows;    /* of a block's march */
    uint32_t factor; /* x / area = (x * factor) >> (32 + shift) for all sums that occur */
    int32_t shift;
} vrs_box_params;
VRS_POST_ASSERT(sizeof(vrs_box_params) <= 4096, "kernel parameters are at most 4 KB");

/* Class maps: vrs_classes_fn. */
typedef struct vrs_classes_view {
    uint64_t scores; /* origin of the region */
    uint64_t dst;    /* uint8 */
    int64_t class_stride, row_stride, column_stride;
    int32_t region_width, region_height;
    int32_t width, height;
    int32_t dst_stride;
    int32_t padding;
    vrs_enlarge_division division;
} vrs_classes_view;

typedef struct vrs_classes_params {
    vrs_classes_view view[VRS_POST_VIEWS];
    int32_t classes;
    int32_t half;
} vrs_classes_params;
VRS_POST_ASSERT(sizeof(vrs_classes_params) <= 4096, "kernel parameters are at most 4 KB");

#endif
