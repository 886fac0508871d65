/* Views that are no rectangles of the frame: sampled through a grid of positions, and their masks
 * laid back over the frame's mask through another one. Grids are made by vr/tiles.h; all that
 * depends on a projection is in them, so that every device computes the same. */
#ifndef VRS_KERNELS_WARP_H
#define VRS_KERNELS_WARP_H

#include <stdint.h>

#include "kernels/preprocess.h"
#include "vr/tiles.h"

/* How a view's network picture lies in the frame. */
typedef struct vrs_warp {
    const int32_t *positions; /* vrs_warp_fill(), of the plan's width and height */
    vrs_rect source;          /* what may be sampled: the eye's rectangle, at least 4x4 */
    int32_t around;           /* 1: its left and right edges join; its x and width are even then */
    int32_t samples;          /* logarithm of the samples a side of a pixel, 0..3 */
} vrs_warp;

/* As vrs_preprocess_fn for a plan with VRS_FIT_STRETCH, but for where the pixels come from (the
 * plan's own view and resize are not looked at). A pixel is the mean of n x n samples, n =
 * 2^samples, chroma of 4:2:0 of half as many a side; sample (i, j) stands at ((2i + 1) / 2n,
 * (2j + 1) / 2n) of the pixel. All in integers, >> rounding downwards:
 *
 *   position = corner + (right * a (2n - b) + below * (2n - a) b + both * a b >> 2 log2(2n))
 *
 * with a = 2i + 1, b = 2j + 1, and right, below, both the ways from the pixel's upper left corner
 * to its other three, held within 2^22 (a way across that is longer than half of the source goes
 * around, where that is possible). Chroma's position is half of that, and a quarter more where its
 * site is not the centre. A sample is bilinear between pixels' centres, weights in 2^-8 (the
 * position's lower 4 bits are cut off), the picture's edges repeated or joined. Sums of samples are
 * exact; then colours are converted as kernels/preprocess.h says, within its tolerances. */
typedef void (*vrs_preprocess_warp_fn)(const vrs_preprocess_plan *plan, const vrs_warp *warp,
                                       const vrs_image *image, void *tensor, uint8_t *luma);

/* VRS_INVALID where a source is too small or, going around, odd. */
vrs_status vrs_warp_check(const vrs_warp *warp) VRS_MUST_USE;

/* A view's mask on its way back. */
typedef struct vrs_patch {
    vrs_rect rect;               /* of the target: what it can cover */
    const int32_t *positions;    /* vrs_patch_fill() */
    int32_t width, height;       /* of the network's picture, at least 2 */
    const int16_t *mask;         /* Q15, or: */
    const float *slope, *offset; /* coefficients of the refinement; NULL: the mask counts */
    ptrdiff_t stride;            /* of either, in elements */
    /* Over this many 2^-10 of pixels the weight grows from 0 at the picture's edges to 1; 1.. */
    int32_t ramp_x, ramp_y;
} vrs_patch;

struct vrs_luma;

/* Lays patches over rows row_begin..row_end-1 of a mask; dst is row_begin's and holds what counts
 * where no patch does. Of a pixel's centre, in each patch whose cell has four positions:
 *
 *   position: bilinear between the cell's corners, in integers, >> 8 of sixteenths, downwards
 *   weight  = min(1, way to the nearer edge across / ramp_x) * the same down; 0 outside
 *   value   = bilinear between the mask's pixels (centres, edges repeated), or slope * Y + offset
 *   result  = (sum of weight * value + max(0, 1 - sum of weights) * what was there)
 *             / max(1, sum of weights)
 *
 * rounded and held within Q15; Y is luma's row y, column x for the result's, which is the frame's
 * then. `width`: of a row. Tolerance to the reference: 1, with coefficients as vrs_refine_fn.
 * `scratch`: 2 * (width + 16) floats, 64-byte aligned, nothing kept between calls. */
typedef void (*vrs_patches_fn)(const vrs_patch *patches, int32_t count, const struct vrs_luma *luma,
                               int32_t row_begin, int32_t row_end, int32_t width, int16_t *dst,
                               ptrdiff_t dst_stride, float *scratch);

/* A view's scores on their way into a class map. */
typedef struct vrs_class_patch {
    vrs_rect rect;            /* of the target: what it can cover */
    const int32_t *positions; /* vrs_patch_fill(), in a picture of: */
    int32_t width, height;
    const float *scores;   /* class by class, `columns` x `rows` of each (at least 2 x 2) */
    int32_t columns, rows; /* that show the picture */
    ptrdiff_t class_stride, row_stride; /* in elements */
    /* As of vrs_patch; 0: of an eye, which has the weight that tiles leave of 1. */
    int32_t ramp_x, ramp_y;
} vrs_class_patch;

/* Puts the classes of rows row_begin..row_end-1 anew where tiles count; dst is row_begin's and is
 * left as it is where none does. With positions and weights as vrs_patches_fn has them:
 *
 *   score of a class = sum of weight * value over the tiles, then of
 *                      max(0, 1 - sum of the tiles' weights) * value over the eyes
 *   value            = bilinear between the scores at position * columns / width (rounded down)
 *
 * in floats, each operation rounded, in the order of the patches; the result is the first class
 * with the largest score, as vrs_classes_fn has it. `count`: 1..VRS_CLASS_PATCHES. Exact. */
#define VRS_CLASS_PATCHES 16
typedef void (*vrs_class_patches_fn)(const vrs_class_patch *patches, int32_t count, int32_t classes,
                                     int32_t row_begin, int32_t row_end, int32_t width,
                                     uint8_t *dst, ptrdiff_t dst_stride);

#endif
