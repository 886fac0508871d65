/* Alpha packed into the corners of a frame, as vr/pack.h says where. */
#ifndef VRS_KERNELS_PACK_H
#define VRS_KERNELS_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "vr/pack.h"
#include "vrseg/image.h"

typedef struct vrs_pack {
    int32_t width, height; /* of the frame, even, and of the mask */
    const int16_t *mask;   /* Q15, of the frame as it is packed */
    ptrdiff_t stride;      /* of it, in elements */
    vrs_pack_codes codes;
} vrs_pack;

/* Codes for a (resolved) colour: grey, or pure red. */
vrs_pack_codes vrs_pack_codes_of(vrs_color resolved, int32_t depth, int32_t red);

/* Writes the packed alpha into rows row_begin..row_end-1 of a YUV420P or YUV420P10 picture of the
 * frame's size; both are even. A pixel in a circle gets the luma of its alpha, the mean of the 2.5
 * x 2.5 mask pixels that it covers (Q15, (sum + 12) / 25; the eye's edges repeated); chroma of
 * which any pixel lies in a circle gets that of the mean of their alphas, (a + b + c + d + 2) >> 2,
 * where those outside count as 0. All other samples stay as they are. Exact. `scratch`:
 * vrs_pack_scratch(width) bytes, 64-byte aligned. */
size_t vrs_pack_scratch(int32_t width);
typedef void (*vrs_pack_fn)(const vrs_pack *pack, int32_t row_begin, int32_t row_end,
                            vrs_image *picture, void *scratch);

#endif
