/* Host side of the CUDA postprocess kernels: checks parameters, computes grids, queues launches.
 *
 * A batch of views is one launch of each kernel:
 *
 *   scores ─ person ─> mask ─ guided ─> coefficients ─ render (with the source) ─> result
 *          (─ mask_resize ─>)         └─────────────── render ─> alpha ─ feather ─ render ─> result
 *
 * All functions queue on `stream` and return; device memory that parameters name must stay until
 * the stream is past them. Parameters are read during the call. They may be called by several
 * threads on different streams. VRS_INVALID: a parameter is outside what params_postprocess.h says;
 * else what vrs_device_launch() returns. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_LAUNCH_H
#define VRS_KERNELS_CUDA_POSTPROCESS_LAUNCH_H

#include <stdint.h>

#include "device/device.h"
#include "kernels/cuda/params_postprocess.h"
#include "vrseg/image.h"

typedef struct vrs_cuda_postprocess {
    vrs_kernel *person; /* any strides; the others where scores lie without gaps */
    vrs_kernel *person_planes, *person_softmax, *person_pixels;
    vrs_kernel *person_enlarge, *person_enlarge_many, *enlarge;
    vrs_kernel *mask_resize, *guided, *guided_solve, *guided_mean, *classes;
    vrs_kernel *guided_solve_near, *guided_mean_near; /* radii up to VRS_POST_GUIDED_RADIUS */
    vrs_kernel *box, *box_near;                       /* any radius; small ones */
    vrs_kernel *render; /* any view; the others where rows come in whole vectors */
    vrs_kernel *render_mask, *render_mask_refined, *render_picture, *render_picture_refined;
} vrs_cuda_postprocess;

/* Finds the kernels. `kernels` borrows them from the device. What vrs_device_kernel() returns. */
vrs_status vrs_cuda_postprocess_open(vrs_device *device,
                                     vrs_cuda_postprocess *kernels) VRS_MUST_USE;

/* Of each, `count` views are used, 1..VRS_POST_VIEWS, and sides are 1..VRS_MAX_SIDE. The functions
 * fill in what the parameters leave to them: `chain`, factors, shifts and what is of tiles; and
 * `rows` where it is 0. */
vrs_status vrs_cuda_person(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_person_params *params, int32_t count) VRS_MUST_USE;
/* The sizes: source_width and source_height 1..VRS_MAX_SIDE, too. */
vrs_status vrs_cuda_person_enlarge(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                                   vrs_person_enlarge_params *params, int32_t count) VRS_MUST_USE;
vrs_status vrs_cuda_enlarge(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_enlarge_params *params, int32_t count) VRS_MUST_USE;
vrs_status vrs_cuda_mask_resize(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                                vrs_mask_resize_params *params, int32_t count) VRS_MUST_USE;
/* `once` may be 0 at radius 1. Radius 0..VRS_BOX_MAX_RADIUS. */
vrs_status vrs_cuda_guided(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_guided_params *params, int32_t count) VRS_MUST_USE;
vrs_status vrs_cuda_render(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                           vrs_render_params *params, int32_t count) VRS_MUST_USE;
/* Two boxes: view[].src to view[].dst and back to view[].src; radius 1..VRS_BOX_MAX_RADIUS. */
vrs_status vrs_cuda_feather(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_box_params *params, int32_t count) VRS_MUST_USE;
vrs_status vrs_cuda_classes(const vrs_cuda_postprocess *kernels, vrs_device_stream *stream,
                            vrs_classes_params *params, int32_t count) VRS_MUST_USE;

/* A part of an output, in the words of the pipeline. Planes of the images are device addresses. */
typedef struct vrs_post_part {
    const vrs_image *source; /* NULL where it is not read: plain masks */
    vrs_rect source_rect;    /* of target_rect's size where the source is read */
    const vrs_image *target;
    vrs_rect target_rect;
    int32_t output; /* VRS_POST_GRAY, VRS_POST_COMPOSITE or VRS_POST_CUTOUT */
    int32_t mask_kind;
    uint64_t mask; /* origin of the region */
    int32_t mask_stride, mask_width, mask_height;
    uint8_t background[3]; /* R, G, B of a composite */
} vrs_post_part;

/* Fills one view of vrs_render_params. Composites and cut-outs: source and target are YUV 4:2:0 of
 * one depth, and the rectangles begin on even columns and rows and end so or at the picture's edge:
 * VRS_UNSUPPORTED else (such frames are rendered to alpha first, then as a whole). VRS_INVALID:
 * rectangles outside of their pictures or of different sizes. */
vrs_status vrs_cuda_render_view(const vrs_post_part *part, vrs_render_view *view) VRS_MUST_USE;

/* A view that writes Q15 (VRS_POST_ALPHA) at `alpha`, `stride` elements a row; else as above, of
 * `part` target and target_rect's place are not read. */
vrs_status vrs_cuda_alpha_view(const vrs_post_part *part, uint64_t alpha, int32_t stride,
                               vrs_render_view *view) VRS_MUST_USE;

#endif
