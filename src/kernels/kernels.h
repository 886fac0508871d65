/* Operations on images and tensors: one table of functions for each instruction set.
 *
 * `reference/` is plain C and is the definition; `x86/` holds faster twins for AVX2 and AVX-512.
 * A table is filled from the reference and then climbs the instruction sets, stopping at the first
 * that is missing or masked. Nothing here allocates, locks or looks at a clock. Every function may
 * be called by several threads on different outputs (and different scratch memory). Pointers need
 * only their type's alignment unless a comment says more; nothing is read or written outside the
 * rows that are named. Strides may be negative where they are ptrdiff_t. Functions that take rows
 * row_begin..row_end-1 give the same bits however an image is divided into calls. */
#ifndef VRS_KERNELS_H
#define VRS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/pack.h"
#include "kernels/preprocess.h"
#include "kernels/steady.h"
#include "kernels/unroll.h"
#include "kernels/warp.h"
#include "vrseg/image.h"
#include "vrseg/status.h"

/* Masks between the stages are probabilities in Q15: 0 is 0, VRS_Q15_ONE is 1, nothing lies
 * outside. Steps in Q15 are exact integer arithmetic: all implementations give the same bits. */
#define VRS_Q15_ONE 32767

/* round(a * b / 2^15) for |a|, |b| <= 32767: what pmulhrsw computes. */
static inline int32_t vrs_mul_q15(int32_t a, int32_t b)
{
    return (a * b + (1 << 14)) >> 15;
}

typedef enum vrs_activation {
    VRS_ACTIVATION_NONE = 0,    /* values are probabilities */
    VRS_ACTIVATION_SIGMOID = 1, /* values are logits of a class each */
    VRS_ACTIVATION_SOFTMAX = 2, /* values are logits over the class axis */
    VRS_ACTIVATION_ARGMAX = 3,  /* logits too, but a pixel is a person or not: 1 where the largest
                                 * person score exceeds every other; NaN counts as the lowest */
} vrs_activation;

/* A network's output for one view and what it means. */
typedef struct vrs_scores {
    const float *data;
    int32_t classes, width, height;
    ptrdiff_t class_stride, row_stride, column_stride; /* in elements: NCHW and NHWC alike */
    vrs_activation activation;
    uint32_t person_classes; /* bit c: class c counts as person; at most 32 classes */
} vrs_scores;

/* Person probability in Q15 (sum over the person classes, clipped to 0..1, rounded to nearest) at
 * the network's size; `stride` in elements. A pixel whose sum is NaN gets 0: one with a NaN in a
 * person class, for softmax in any class; there also one with +Inf, or with nothing but -Inf.
 * Tolerance to the reference: 1. */
typedef void (*vrs_person_fn)(const vrs_scores *scores, int16_t *q15, ptrdiff_t stride);

/* state += mul_q15(mask - state, weight), state becomes the new mask; n elements; weight in
 * 0..VRS_Q15_ONE. Exact. */
typedef void (*vrs_smooth_fn)(int16_t *state, int16_t *mask, size_t n, int16_t weight);

/* Geometry of up-sampling a region of a small mask to rows of a large one: bilinear, half-pixel
 * centres, edges repeated. */
typedef struct vrs_upsample {
    int32_t source_width, source_height; /* of the region; the pointer passed is its origin */
    int32_t width, height;               /* of the whole result */
    const int32_t *column_index;  /* [width]: left neighbour; the right one is min(+1, last) */
    const int16_t *column_weight; /* [width]: weight of the right neighbour, in units of 2^-15 */
    const int32_t *row_index;     /* [height], likewise */
    const int16_t *row_weight;
} vrs_upsample;

/* Builds the tables; `storage` holds vrs_upsample_storage(width, height) bytes, 64-byte aligned,
 * and must outlive the struct. Sides: 1..VRS_MAX_SIDE, larger or smaller than the source's.
 * position = (x + 0.5) * source / dest - 0.5, held within 0..last, rounded (half up) to 2^-15 in
 * exact integers; index and weight are its integer part and the rest. So 2^15 never occurs as a
 * weight (the next index with 0 stands for it), and at the last index the weight is 0. All four
 * tables are followed by padding that vectors may read (postprocess.h). */
size_t vrs_upsample_storage(int32_t width, int32_t height);
void vrs_upsample_init(vrs_upsample *upsample, int32_t source_width, int32_t source_height,
                       int32_t width, int32_t height, void *storage);

/* Rows row_begin..row_end-1 of the result into dst (dst is row_begin's row; strides in elements).
 * First along columns, value = a + mul_q15(b - a, weight), then along rows likewise.
 * `scratch`: 2 * (width + 64) int16_t, 64-byte aligned, nothing kept between calls. Exact. */
typedef void (*vrs_upsample_fn)(const vrs_upsample *upsample, const int16_t *src,
                                ptrdiff_t src_stride, int32_t row_begin, int32_t row_end,
                                int16_t *dst, ptrdiff_t dst_stride, int16_t *scratch);

/* Guided filter (He, Sun, Tang: Guided Image Filtering, 2010), its fast form (He, Sun 2015): linear
 * coefficients at the network's size from the mask p and the luma guide I over windows of
 * (2 radius + 1)^2, windows cut at the borders:
 *   slope = cov(I, p) / (var(I) + epsilon), offset = mean(p) - slope * mean(I),
 * both then averaged over the same windows. I and p are scaled to 0..1. slope and offset are
 * stored so that  p(Y) = slope * Y + offset  with Y in 0..1. radius in 0..VRS_BOX_MAX_RADIUS,
 * epsilon at least 1e-6. |slope| is at most 0.25 / sqrt(epsilon); tolerance: 1e-5 of the larger of
 * that and 1. `scratch`: vrs_guided_scratch(width, height) bytes, 64-byte aligned. */
#define VRS_BOX_MAX_RADIUS 64

typedef struct vrs_guided {
    int32_t width, height;
    const int16_t *mask; /* Q15 */
    ptrdiff_t mask_stride;
    const uint8_t *guide; /* 8-bit luma, full range */
    ptrdiff_t guide_stride;
    int32_t radius;
    float epsilon;
    float *slope, *offset; /* stride: width */
} vrs_guided;

size_t vrs_guided_scratch(int32_t width, int32_t height);
typedef void (*vrs_guided_fn)(const vrs_guided *guided, void *scratch);

/* Luma rows of the full image, for applying the coefficients. */
typedef struct vrs_luma {
    const uint8_t *data;  /* row 0, column 0 of the view */
    ptrdiff_t stride;     /* bytes */
    int32_t sample_bytes; /* 1 or 2 */
    int32_t sample_shift; /* code = word >> sample_shift: P010's 6, else 0 */
    float scale, offset;  /* luma in 0..1 = code * scale + offset */
} vrs_luma;

/* As vrs_upsample_fn, in float arithmetic, for the two coefficient planes (src_stride: of both, in
 * elements), then q15 = clip(slope * Y + offset), rounded; NaN gives 0. Row y of the result belongs
 * to luma's row y. Tolerance 2 while |slope| and |offset| stay below 256.
 * `scratch`: 4 * (width + 64) floats, 64-byte aligned, nothing kept between calls. */
typedef void (*vrs_refine_fn)(const vrs_upsample *upsample, const float *slope, const float *offset,
                              ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin,
                              int32_t row_end, int16_t *dst, ptrdiff_t dst_stride, float *scratch);

/* In place: 0 below `threshold`, VRS_Q15_ONE from it on. */
typedef void (*vrs_threshold_fn)(int16_t *q15, size_t n, int16_t threshold);

/* In place: feathering, a box of (2 radius + 1)^2 applied twice (a tent), edges repeated; radius
 * in 1..VRS_BOX_MAX_RADIUS; each of the two is the sum over the whole square divided by its size,
 * rounded to nearest (halves cannot occur: the size is odd). Exact.
 * `scratch`: vrs_feather_scratch(width, height) bytes, 64-byte aligned. */
size_t vrs_feather_scratch(int32_t width, int32_t height);
typedef void (*vrs_feather_fn)(int16_t *q15, ptrdiff_t stride, int32_t width, int32_t height,
                               int32_t radius, void *scratch);

/* n samples of a mask: code = mul_q15(q15, peak), peak = 255 or 1023. Exact. */
typedef void (*vrs_store8_fn)(const int16_t *q15, uint8_t *dst, size_t n);
typedef void (*vrs_store10_fn)(const int16_t *q15, uint16_t *dst, size_t n);

/* One row of a plane composed over a constant: dst = background + mul_q15(src - background, alpha).
 * `n`: samples, each with its alpha. dst may be src. Exact: VRS_Q15_ONE gives the source's sample,
 * 0 the background. `src_shift`: P010's 6, else 0; samples and background are at most 1023, in the
 * low bits of dst. */
typedef void (*vrs_blend8_fn)(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                              uint8_t background);
typedef void (*vrs_blend10_fn)(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                               uint16_t background, int32_t src_shift);

/* Alpha at chroma's places (left-sited 4:2:0 is treated as centred: masks are soft): mean of 2x2,
 * (a + b + c + d + 2) >> 2, of two full rows (the same row twice at an odd bottom edge); an odd
 * last column is repeated. `width`: of the full rows. dst: (width + 1) / 2. Exact. */
typedef void (*vrs_chroma_alpha_fn)(const int16_t *row0, const int16_t *row1, int16_t *dst,
                                    int32_t width);

/* NV12 and P010 chroma rows into two planes while blending, as above; n chroma columns. Exact. */
typedef void (*vrs_blend_uv8_fn)(const uint8_t *uv, const int16_t *alpha, uint8_t *u, uint8_t *v,
                                 size_t n, uint8_t background_u, uint8_t background_v);
typedef void (*vrs_blend_uv10_fn)(const uint16_t *uv, const int16_t *alpha, uint16_t *u,
                                  uint16_t *v, size_t n, uint16_t background_u,
                                  uint16_t background_v, int32_t src_shift);

/* Class of each pixel of rows row_begin..row_end-1: scores up-sampled in float as vrs_upsample_fn,
 * the first class with the largest value; NaN and -Inf are never the largest, and 0 stands where
 * there is nothing else. Activations do not change it and are not applied. `upsample` maps the
 * region that starts at scores->data and counts in its sizes. Exact.
 * `scratch`: 3 * 32 * (width + 16) floats, 64-byte aligned, nothing kept between calls. */
typedef void (*vrs_classes_fn)(const vrs_upsample *upsample, const vrs_scores *scores,
                               int32_t row_begin, int32_t row_end, uint8_t *dst,
                               ptrdiff_t dst_stride, float *scratch);

typedef struct vrs_kernels {
    const char *name; /* "reference", "avx2", "avx512": the best set that filled an entry */
    vrs_preprocess_fn preprocess;
    vrs_person_fn person;
    vrs_smooth_fn smooth;
    vrs_pyramid_fn pyramid;
    vrs_match_fn match;
    vrs_follow_fn follow;
    vrs_upsample_fn upsample;
    vrs_guided_fn guided;
    vrs_refine_fn refine;
    vrs_threshold_fn threshold;
    vrs_feather_fn feather;
    vrs_store8_fn store8;
    vrs_store10_fn store10;
    vrs_blend8_fn blend8;
    vrs_blend10_fn blend10;
    vrs_chroma_alpha_fn chroma_alpha;
    vrs_blend_uv8_fn blend_uv8;
    vrs_blend_uv10_fn blend_uv10;
    vrs_classes_fn classes;
    vrs_preprocess_warp_fn preprocess_warp;
    vrs_patches_fn patches;
    vrs_class_patches_fn class_patches;
    vrs_pack_fn pack;
    vrs_unroll_fn unroll;
} vrs_kernels;

typedef enum vrs_isa {
    VRS_ISA_REFERENCE = 0,
    VRS_ISA_AVX2 = 1,   /* with FMA and F16C */
    VRS_ISA_AVX512 = 2, /* F, BW, DQ, VL */
} vrs_isa;

/* The best instruction set of this CPU that the operating system supports too. */
vrs_isa vrs_isa_detect(void);

/* The table for `isa` or the best below it that this CPU has. Static; never NULL. */
const vrs_kernels *vrs_kernels_get(vrs_isa isa);

/* Fillers, called by vrs_kernels_get(): each overwrites the entries that it has. */
void vrs_kernels_fill_reference_preprocess(vrs_kernels *table);
void vrs_kernels_fill_reference_postprocess(vrs_kernels *table);
void vrs_kernels_fill_reference_warp(vrs_kernels *table);
void vrs_kernels_fill_avx2_preprocess(vrs_kernels *table);
void vrs_kernels_fill_avx2_postprocess(vrs_kernels *table);
void vrs_kernels_fill_avx2_warp(vrs_kernels *table);
void vrs_kernels_fill_avx512_preprocess(vrs_kernels *table);
void vrs_kernels_fill_avx512_postprocess(vrs_kernels *table);

#endif
