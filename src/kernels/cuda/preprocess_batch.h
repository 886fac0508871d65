/* What preprocessing of rectangles (preprocess_launch.h) and through grids (warp_launch.h) ask
 * alike of the views of a batch, and tell their kernels alike. */
#ifndef VRS_KERNELS_CUDA_PREPROCESS_BATCH_H
#define VRS_KERNELS_CUDA_PREPROCESS_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/preprocess_plan.h"

/* `way` begins the sentences below: "preprocess", "tiles". VRS_INVALID, all of them. */

/* 1..VRS_PREPROCESS_VIEWS views. */
vrs_status vrs_preprocess_batch_count(const char *way, int32_t count) VRS_MUST_USE;

/* View `index`: an image of its plan's format and size with planes in reach, and a plan for the
 * same network as `first`, that of view 0. */
vrs_status vrs_preprocess_batch_view(const char *way, int32_t index,
                                     const vrs_preprocess_plan *first,
                                     const vrs_preprocess_plan *plan,
                                     const vrs_image *image) VRS_MUST_USE;

/* The image's addresses and strides; those of planes that the format lacks are left alone. */
void vrs_preprocess_batch_planes(const vrs_preprocess_plan *plan, const vrs_image *image,
                                 uint64_t plane[3], int32_t stride[3]);

/* value = rgb * scale + bias, before rounding, in steps of the tensor's type. */
void vrs_preprocess_batch_scale(const vrs_preprocess_plan *plan, float scale[3], float bias[3]);

/* Whether the kernels can read a plane: it has an address, and a stride of 32 bits. */
static inline bool in_reach(const vrs_image *image, int32_t plane)
{
    return image->planes[plane] != NULL && image->strides[plane] <= INT32_MAX &&
           image->strides[plane] >= -INT32_MAX;
}

/* Parts of at most `part` that make the whole. */
static inline uint32_t parts_of(int32_t whole, int32_t part)
{
    return ((uint32_t)whole + (uint32_t)part - 1) / (uint32_t)part;
}

#endif
