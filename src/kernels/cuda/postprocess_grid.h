/* What the launches of the CUDA postprocess kernels share. */
#ifndef VRS_KERNELS_CUDA_POSTPROCESS_GRID_H
#define VRS_KERNELS_CUDA_POSTPROCESS_GRID_H

#include <stdint.h>

#include "vrseg/status.h"

#define VRS_POST_SHARED_BYTES 49152 /* shared memory that every device gives a block */

/* Parts of `size` that cover `count`. */
static inline uint32_t vrs_post_parts(int32_t count, int32_t size)
{
    return (uint32_t)((count + size - 1) / size);
}

/* VRS_INVALID with `kernel`'s name where there are no or too many views, or sides are not possible.
 */
vrs_status vrs_post_check(const char *kernel, int32_t count, int32_t width,
                          int32_t height) VRS_MUST_USE;

/* x / by = (x * factor) >> (32 + shift) for all x up to 2^31 and by >= 2. */
void vrs_post_divide(uint32_t by, uint32_t *factor, int32_t *shift);

#endif
