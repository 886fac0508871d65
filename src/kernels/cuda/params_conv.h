/* Parameters of the CUDA convolution kernels: one struct by value each, valid in C and CUDA.
 *
 * Activations are NHWC, IEEE binary16, 8-bit integers or float, weights of the input's type in rows
 * [output channel][tap][input channel], bias and factors float. Addresses are device addresses,
 * aligned to 16 bytes; conv_launch.h says what a caller must keep. */
#ifndef VRS_KERNELS_CUDA_PARAMS_CONV_H
#define VRS_KERNELS_CUDA_PARAMS_CONV_H

#include <stdint.h>

#ifdef __cplusplus
#define VRS_CONV_ASSERT(condition, text) static_assert(condition, text)
#define VRS_CONV_ALIGN alignas(64)
#else
#define VRS_CONV_ASSERT(condition, text) _Static_assert(condition, text)
#define VRS_CONV_ALIGN _Alignas(64)
#endif

#define VRS_CONV_BRANCHES 4

/* A description of memory for the copy engine: CUtensorMap. */
typedef struct vrs_conv_map {
    VRS_CONV_ALIGN uint64_t word[16];
} vrs_conv_map;
VRS_CONV_ASSERT(sizeof(vrs_conv_map) == 128, "CUtensorMap");

/* A whole convolution: output = activation(weights * input * scale + bias + residual *
 * residual_scale), rounded to the nearest; of integers cut to -128..127. Pixels lie `*_pitch`
 * elements apart; pairs are down, across. */
typedef struct vrs_conv_params {
    uint64_t input, weights, bias, output;
    uint64_t residual; /* 0: none; so may the bias be */
    uint64_t scale;    /* 0: 1 */
    int32_t n, h, w, c;
    int32_t out_h, out_w, k;
    int32_t r, s;
    int32_t stride[2], pad[2], dilation[2];
    int32_t input_pitch, output_pitch, residual_pitch;
    int32_t relu;
    int32_t in_i8, out_i8; /* 8-bit integers in place of halves: input and weights; output */
    float residual_scale;
    int32_t f32;         /* floats in place of halves, everywhere */
    int32_t residual_i8; /* 8-bit integers in place of halves */
} vrs_conv_params;
VRS_CONV_ASSERT(sizeof(vrs_conv_params) == 144, "vrs_conv_params has no hidden padding");

/* 1x1 convolutions by wgmma. Tiles are 128 pixels by 128 channels, channels first. */
typedef struct vrs_conv_point_params {
    vrs_conv_params conv;
    int32_t pixels, steps; /* n * h * w; rows of input channels / 128 bytes, rounded up */
    int32_t tiles, across; /* tiles in all; of those, over channels */
    vrs_conv_map input, weights, residual, output;
} vrs_conv_point_params;
VRS_CONV_ASSERT(sizeof(vrs_conv_point_params) <= 4096, "kernel parameters are at most 4 KB");

/* --- 3x3 with dilation, taps outside of the picture left out ----------------------------------
 *
 * The pixels of all pictures are cut into blocks of 4x4. Eight blocks make a tile, two tiles the
 * pair of a cluster; blocks that need the same taps are together. The table says which. */

#define VRS_TAPS_BLOCK 4        /* rows and columns of a block */
#define VRS_TAPS_PAIR_BLOCKS 16 /* blocks of a pair */

typedef struct vrs_taps_block {
    int32_t n, y, x;
    int32_t padding;
} vrs_taps_block;

/* Part of a pair's work: steps [first, first + count) of its sequence, in which each of its taps
 * has one step for each 64 input channels, or 128 of 8-bit integers. */
typedef struct vrs_taps_item {
    int32_t pair, branch, across; /* `across`: 256 output channels each */
    int32_t first, count;
    int32_t slot;     /* where its sum is kept; -1: it is the whole, and is finished at once */
    uint32_t taps[2]; /* 4 bits each, in order: ky * 3 + kx */
} vrs_taps_item;
VRS_CONV_ASSERT(sizeof(vrs_taps_item) == 32, "vrs_taps_item has no padding");

/* A pair whose sums lie in `count` slots from `slot` on. */
typedef struct vrs_taps_sum {
    int32_t pair, branch, across;
    int32_t slot, count;
    int32_t padding[3];
} vrs_taps_sum;

typedef struct vrs_taps_branch {
    uint64_t weights, bias, output;
    uint64_t scale; /* 0: 1 */
    int32_t dilation, padding;
} vrs_taps_branch;

typedef struct vrs_taps_params {
    uint64_t input;
    uint64_t ranges; /* int32: the first item of each cluster, and the end */
    uint64_t items;  /* vrs_taps_item */
    uint64_t blocks; /* vrs_taps_block, VRS_TAPS_PAIR_BLOCKS a pair */
    uint64_t sums;   /* vrs_taps_sum */
    uint64_t slots;  /* float or int32 [slot][2][32][256][4] */
    vrs_taps_branch branch[VRS_CONV_BRANCHES];
    int32_t n, h, w, c, k;
    int32_t input_pitch, output_pitch, relu;
    int32_t steps;                           /* of a tap */
    int32_t in_i8, out_i8;                   /* as of vrs_conv_params */
    int32_t row;                             /* halves of a tap's weights of an output channel */
    vrs_conv_map map;                        /* input */
    vrs_conv_map weights[VRS_CONV_BRANCHES]; /* each branch's */
} vrs_taps_params;
VRS_CONV_ASSERT(sizeof(vrs_taps_params) <= 4096, "kernel parameters are at most 4 KB");

/* --- Stem -------------------------------------------------------------------------------------
 */

/* Convolution 4x4 of 16 channels to 64, two rows and columns of padding before and one behind, then
 * bias, ReLU and a maximum over 3x3 with stride 2 and padding 1. */
typedef struct vrs_stem_params {
    uint64_t input, weights, bias, output; /* weights: [tap][warp][lane][4 words of 2 halves] */
    int32_t n, h, w, out_h, out_w;
    int32_t rows; /* of the result, of a block */
    int32_t ring; /* input rows in shared memory: 5 or 8 */
    int32_t padding;
} vrs_stem_params;
VRS_CONV_ASSERT(sizeof(vrs_stem_params) == 64, "vrs_stem_params has no padding");

#endif
