/* Parameters of the CUDA kernels of steady masks: what kernels/steady.h has, for a batch of views.
 *
 * Addresses are device addresses. Pictures and masks lie in dense rows of `width`; levels 1 and 2
 * of a picture lie one behind the other at `small`, dense too, vrs_steady_small_bytes() in all. */
#ifndef VRS_KERNELS_CUDA_PARAMS_STEADY_H
#define VRS_KERNELS_CUDA_PARAMS_STEADY_H

#include <stdint.h>

#include "params_postprocess.h"

typedef struct vrs_steady_view {
    uint64_t picture, small;           /* uint8: level 0; the others */
    uint64_t past_picture, past_small; /* likewise, of what it is compared with; 0: nothing */
    uint64_t coarse, motion;           /* vrs_motion: one for each (coarse) cell */
    uint64_t unlike;                   /* uint64: 0 before the match */
    uint64_t mask, past, result;       /* int16; result may be mask */
    uint64_t past_age, age;            /* uint8; 0: 1 everywhere; not wanted */
    uint64_t sum;                      /* uint64 that the content's result is added to; 0 */
    int32_t x, y, width, height;       /* the content, for `sum` */
} vrs_steady_view;
VRS_POST_ASSERT(sizeof(vrs_steady_view) == 120, "vrs_steady_view has no padding");

typedef struct vrs_steady_params {
    vrs_steady_view view[VRS_POST_VIEWS];
    int32_t width, height;
    int32_t unlike, disbelief; /* of vrs_follow */
    uint64_t cut;              /* filled in: from which `unlike` on the past is not followed */
    uint8_t share[16];
} vrs_steady_params;
VRS_POST_ASSERT(sizeof(vrs_steady_params) <= 4096, "kernel parameters are at most 4 KB");

/* Level 1 first. */
static inline int64_t vrs_steady_small_bytes(int32_t width, int32_t height)
{
    const int64_t w = (width + 1) / 2, h = (height + 1) / 2;
    return w * h + (w + 1) / 2 * ((h + 1) / 2);
}

#endif
