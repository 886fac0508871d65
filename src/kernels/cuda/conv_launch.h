/* Convolutions of our own for the CUDA engine: FP16 in NHWC with FP32 sums, 8-bit integers with
 * sums of 32 bits, and true FP32.
 *
 * Three families, each asked for by its own description:
 *
 *   vrs_cuda_conv  any 2-D convolution with bias, residual and ReLU. One description may be run by
 *             several kernels (vrs_cuda_conv_kernel); which is fastest is for the caller to time.
 *   vrs_taps  up to VRS_CONV_BRANCHES 3x3 convolutions of one input with their own dilation, padded
 *             by it, that leave out taps outside of the picture. Compute capability 9.0.
 *   vrs_stem  the first layers of a ResNet in one launch.
 *
 * Activations are NHWC, their pixels `*_pitch` elements apart, so that they may be a part of a
 * concatenation; channels and pitches are multiples of 8, of 8-bit integers of 16, of floats of 4.
 * All addresses
 * are device addresses, multiples of 16; results may not overlap with inputs, except that the
 * residual may be the result. Bias is float and may be absent (0). Sizes up to 2^30 elements.
 *
 * Everything but vrs_cuda_conv_open() and vrs_taps_plan_create() is free of allocations. Launches
 * queue on `stream` and return, and may be captured in a graph, which then holds these addresses.
 * They may be called by several threads on different streams.
 *
 * Errors: VRS_INVALID: a description or an address that breaks these rules; VRS_UNSUPPORTED: it
 * keeps them, but there is no kernel for it here; else what vrs_device_launch() returns. */
#ifndef VRS_KERNELS_CUDA_CONV_LAUNCH_H
#define VRS_KERNELS_CUDA_CONV_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/device.h"
#include "kernels/cuda/params_conv.h"

/* Kernels of vrs_cuda_conv. MMA: everything in FP16. F32, F32_SMALL: everything in FP32, by tiles
 * of 128 or 64 pixels and channels. POINT: 1x1 with stride 1 on compute capability 9.0, also from
 * and to 8-bit integers. */
typedef enum vrs_cuda_conv_kernel {
    VRS_CUDA_CONV_MMA,
    VRS_CUDA_CONV_POINT,
    VRS_CUDA_CONV_F32,
    VRS_CUDA_CONV_F32_SMALL,
    VRS_CUDA_CONV_KERNELS
} vrs_cuda_conv_kernel;

/* Borrowed from the device. Kernels that this device has no use for are NULL. */
typedef struct vrs_cuda_conv {
    vrs_device *device;
    vrs_kernel *mma, *f32, *f32_small, *stem;
    vrs_kernel *point[2][2][3]; /* input in 8 bits, output in 8 bits, residual: none, in 16, in 8 */
    vrs_kernel *taps[2], *taps_sum[2]; /* input in 8 bits */
} vrs_cuda_conv;

/* Finds the kernels. What vrs_device_kernel() returns. */
vrs_status vrs_cuda_conv_open(vrs_device *device, vrs_cuda_conv *conv) VRS_MUST_USE;

/* Pairs are down, across. A pitch of 0 means its channels. */
typedef struct vrs_cuda_conv_desc {
    int32_t n, h, w, c;                     /* input */
    int32_t out_h, out_w, k;                /* result: as many rows and columns as fit, or fewer */
    int32_t r, s;                           /* rows and columns of the filter, up to 32 */
    int32_t stride[2], pad[2], dilation[2]; /* padding before; behind, what the result reaches */
    int32_t input_pitch, output_pitch, residual_pitch;
    bool residual, relu;
    /* 8-bit integers: input and weights; output; residual, which is FP16 elsewhere. */
    bool in_i8, out_i8, residual_i8;
    float residual_scale; /* where output or residual are: what a residual of 1 adds to it */
    bool f32;             /* all in floats */
} vrs_cuda_conv_desc;

/* weights: [k][r][s][c], as in vrs_taps. scale: one a channel of the output, floats, wherever there
 * are integers. */
typedef struct vrs_cuda_conv_buffers {
    vrs_device_ptr input, weights, bias, residual, output, scale;
} vrs_cuda_conv_buffers;

/* Whether vrs_cuda_conv_launch() takes this description with this kernel. */
bool vrs_cuda_conv_supported(const vrs_cuda_conv *conv, const vrs_cuda_conv_desc *desc,
                             vrs_cuda_conv_kernel kernel);

vrs_status vrs_cuda_conv_launch(const vrs_cuda_conv *conv, vrs_device_stream *stream,
                                const vrs_cuda_conv_desc *desc, vrs_cuda_conv_kernel kernel,
                                const vrs_cuda_conv_buffers *buffers) VRS_MUST_USE;

/* --- Dilated 3x3 ------------------------------------------------------------------------------
 */

/* How work that does not divide evenly is spread over the GPU. AUTO decides by counting. */
typedef enum vrs_taps_spread {
    VRS_TAPS_AUTO,
    VRS_TAPS_WHOLE, /* each tile's sum is made in one place */
    VRS_TAPS_CUT,   /* sums are cut so that all take the same time, and added up by a second launch;
                       needs memory for them */
} vrs_taps_spread;

typedef struct vrs_taps_desc {
    int32_t n, h, w, c, k;
    int32_t branches;
    int32_t dilation[VRS_CONV_BRANCHES]; /* also the padding */
    int32_t input_pitch, output_pitch;   /* 0: c and k */
    bool relu;
    bool in_i8, out_i8; /* as of vrs_cuda_conv_desc */
    vrs_taps_spread spread;
} vrs_taps_desc;

/* Who computes what. Made once for a description on a kind of GPU. */
typedef struct vrs_taps_plan {
    vrs_taps_desc desc;
    int32_t clusters, items, sums, slots; /* used of the table */
    int64_t steps, longest;               /* in all; of the longest range */
    size_t items_at, blocks_at, sums_at;  /* places in the table, in bytes */
    size_t table_bytes;                   /* of what the launch wants in device memory */
    void *table;                          /* its content */
    size_t workspace_bytes;               /* device memory, whose content does not matter */
} vrs_taps_plan;

bool vrs_taps_supported(const vrs_cuda_conv *conv, const vrs_taps_desc *desc);

/* `plan` owns its table. VRS_NO_MEMORY, or the errors above. */
vrs_status vrs_taps_plan_create(const vrs_cuda_conv *conv, const vrs_taps_desc *desc,
                                vrs_taps_plan *plan) VRS_MUST_USE;
void vrs_taps_plan_destroy(vrs_taps_plan *plan);

typedef struct vrs_taps_buffers {
    vrs_device_ptr input, table, workspace;
    vrs_device_ptr weights[VRS_CONV_BRANCHES], bias[VRS_CONV_BRANCHES], output[VRS_CONV_BRANCHES];
    vrs_device_ptr scale[VRS_CONV_BRANCHES]; /* as of vrs_cuda_conv_buffers */
} vrs_taps_buffers;

vrs_status vrs_taps_launch(const vrs_cuda_conv *conv, vrs_device_stream *stream,
                           const vrs_taps_plan *plan, const vrs_taps_buffers *buffers) VRS_MUST_USE;

/* --- Stem -------------------------------------------------------------------------------------
 * Input: 16 channels of h x w; result: 64 channels of (h + 1) / 2 x (w + 1) / 2. As
 * vrs_stem_params says. */
#define VRS_STEM_WEIGHTS (64 * 16 * 16)

/* Weights, halves [64][4][4][16], as the kernel wants them. As many. */
void vrs_stem_pack(const uint16_t *weights, uint16_t *packed);

typedef struct vrs_stem_buffers {
    vrs_device_ptr input, weights, bias, output;
} vrs_stem_buffers;

vrs_status vrs_stem_launch(const vrs_cuda_conv *conv, vrs_device_stream *stream, int32_t n,
                           int32_t h, int32_t w, const vrs_stem_buffers *buffers) VRS_MUST_USE;

#endif
