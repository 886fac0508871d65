/* Parameters of the CUDA kernels that make frames for players: one struct by value each, valid in C
 * and CUDA. Addresses are device addresses, strides in bytes. */
#ifndef VRS_KERNELS_CUDA_PARAMS_PACK_H
#define VRS_KERNELS_CUDA_PARAMS_PACK_H

#include "kernels/unroll.h"
#include "params_postprocess.h"
#include "vr/pack.h"

/* A frame whose corners get alpha: vrs_pack_fn. */
typedef struct vrs_pack_view {
    uint64_t mask;   /* int16, of the frame's size */
    uint64_t dst[3]; /* planes Y U V */
    int64_t mask_stride, dst_stride[3];
    int32_t width, height; /* even */
    int32_t sample_bytes;
    vrs_pack_codes codes;
} vrs_pack_view;
VRS_POST_ASSERT(sizeof(vrs_pack_view) == 104, "vrs_pack_view has no hidden padding");

/* Grid: x: 32 and y: 8 quads of pixels of the rows that hold alpha, z: views. */
typedef struct vrs_pack_params {
    vrs_pack_view view[VRS_POST_VIEWS];
} vrs_pack_params;
VRS_POST_ASSERT(sizeof(vrs_pack_params) <= 4096, "kernel parameters are at most 4 KB");

/* One eye's part of one plane: vrs_unroll_fn. */
typedef struct vrs_unroll_view {
    uint64_t grid, src, dst;        /* grid: at a multiple of 8; 0: a copy */
    int64_t src_stride, dst_stride; /* src_stride * height: 1..UINT32_MAX */
    vrs_unroll_size size;
    int32_t sample_bytes, src_step, src_shift, outside;
} vrs_unroll_view;
VRS_POST_ASSERT(sizeof(vrs_unroll_view) == 72, "vrs_unroll_view has no hidden padding");

/* Samples of a column that a thread makes: a cell of large pictures, two of smaller ones. */
#define VRS_UNROLL_SAMPLES 8

/* Grid: x: 32 and y: 8 times VRS_UNROLL_SAMPLES samples, z: views. */
typedef struct vrs_unroll_params {
    vrs_unroll_view view[VRS_POST_VIEWS];
} vrs_unroll_params;
VRS_POST_ASSERT(sizeof(vrs_unroll_params) <= 4096, "kernel parameters are at most 4 KB");

/* Rows of quads at the top and at the bottom of a frame that can hold alpha. */
VRS_PACK_FN int32_t vrs_pack_quad_rows(int32_t height)
{
    return (height / 5 + 2) / 2 + 1;
}

#endif
