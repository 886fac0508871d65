/* What the implementations of the kernels of steady masks share: where things lie, tables. */
#include "kernels/steady.h"

#include "kernels/kernels.h"

/* Rows begin on 64 bytes, with the border inside. */
static size_t lay_out(vrs_pyramid *p, int32_t width, int32_t height, uint8_t *storage)
{
    size_t used = 0;
    for (int l = 0; l < VRS_PYRAMID_LEVELS; l++) {
        size_t stride = ((size_t)width + 2 * VRS_PYRAMID_BORDER + 63) / 64 * 64;
        p->width[l] = width;
        p->height[l] = height;
        p->stride[l] = (ptrdiff_t)stride;
        if (storage != NULL)
            p->level[l] = storage + used + VRS_PYRAMID_BORDER * stride + VRS_PYRAMID_BORDER;
        used += stride * ((size_t)height + 2 * VRS_PYRAMID_BORDER);
        width = (width + 1) / 2;
        height = (height + 1) / 2;
    }
    return used;
}

size_t vrs_pyramid_storage(int32_t width, int32_t height)
{
    vrs_pyramid p;
    return lay_out(&p, width, height, NULL);
}

void vrs_pyramid_init(vrs_pyramid *pyramid, int32_t width, int32_t height, void *storage)
{
    (void)lay_out(pyramid, width, height, storage);
}

/* Two rows of bytes and six of 16 bits (x86/steady_avx2.c). */
size_t vrs_follow_scratch(int32_t width)
{
    return (2 + 6 * sizeof(uint16_t)) * ((size_t)width + 64);
}

void vrs_follow_shares(int16_t weight, uint8_t share[VRS_AGE_MOST + 1])
{
    int32_t least = (weight * VRS_SHARE_ONE + VRS_Q15_ONE / 2) / VRS_Q15_ONE;
    least = least < 1 ? 1 : least;
    for (int32_t a = 0; a <= VRS_AGE_MOST; a++) {
        int32_t mean = (VRS_SHARE_ONE + (a + 1) / 2) / (a + 1);
        share[a] = (uint8_t)(mean > least ? mean : least);
    }
}

void vrs_follow_halves(uint8_t share[VRS_AGE_MOST + 1])
{
    share[0] = VRS_SHARE_ONE;
    for (int32_t a = 1; a <= VRS_AGE_MOST; a++)
        share[a] = VRS_SHARE_ONE / 2;
}
