/* Where players (DeoVR, HereSphere) look for alpha in the corners of a side-by-side fisheye frame:
 * arithmetic that C and CUDA share. Of a frame of W x H a mask's point (x, y) lies at
 *
 *     X = 0.4 W + 0.4 x                      left eye (x < W/2)
 *     X = (0.9 W + 0.4 (x - W/2)) mod W      right eye
 *     Y = (0.8 H + 0.4 y) mod H              both
 *
 * that is in a square of 0.4 eyes around each end of the line between the eyes, the right eye's in
 * four parts in the frame's corners. A pixel of the frame belongs to it where its centre does, and
 * covers 2.5 x 2.5 pixels of the mask, which begin at a half of one: so nothing is rounded, at any
 * even W and any H, and all weights are 1 or 2 halves. Of the square only the eye's inscribed
 * circle counts: that fits beside the eyes' circles. */
#ifndef VRS_VR_PACK_H
#define VRS_VR_PACK_H

#include <stdint.h>

#ifdef __CUDACC__
#define VRS_PACK_FN static __host__ __device__ __forceinline__
#else
#define VRS_PACK_FN static inline
#endif

/* Halves of a mask's pixel that a packed one covers each way; their sum of weights. */
#define VRS_PACK_HALVES 5
#define VRS_PACK_WEIGHT 25

/* The eye (0 left, 1 right) whose mask lies in column x, with its first half-pixel in that eye's
 * mask; -1: none does. */
VRS_PACK_FN int32_t vrs_pack_column(int32_t width, int32_t x, int32_t *half)
{
    const int32_t tenths = 10 * x + 5, w = width;
    if (tenths >= 4 * w && tenths < 6 * w) {
        *half = 5 * x - 2 * w;
        return 0;
    }
    if (tenths >= 9 * w) {
        *half = 5 * x - 9 * w / 2;
        return 1;
    }
    if (tenths < w) {
        *half = 5 * x + w / 2;
        return 1;
    }
    return -1;
}

/* The first half-pixel of the mask's rows in row y; 0: there are none. */
VRS_PACK_FN int32_t vrs_pack_row(int32_t height, int32_t y, int32_t *half)
{
    const int32_t tenths = 10 * y + 5, h = height;
    if (tenths >= 8 * h) {
        *half = 5 * y - 4 * h;
        return 1;
    }
    if (tenths < 2 * h) {
        *half = 5 * y + h;
        return 1;
    }
    return 0;
}

/* Whether the middle of the 5 x 5 half-pixels that begin there lies in the eye's circle, with
 * R = min(W/2, H) / 2; in quarters of a pixel. */
VRS_PACK_FN int32_t vrs_pack_in_circle(int32_t width, int32_t height, int32_t across, int32_t down)
{
    const int32_t x = 2 * across + VRS_PACK_HALVES - width;
    const int32_t y = 2 * down + VRS_PACK_HALVES - 2 * height;
    const int32_t radius = width < 2 * height ? width : 2 * height;
    /* With sides up to VRS_MAX_SIDE y alone may be twice as far as squares of 32 bits reach. */
    return y <= radius && -y <= radius &&
           (uint32_t)(x * x) + (uint32_t)(y * y) <= (uint32_t)(radius * radius);
}

/* Weights of the three pixels from half / 2 on (downwards): 2 2 1 or 1 2 2. */
VRS_PACK_FN int32_t vrs_pack_weight(int32_t half, int32_t pixel)
{
    return pixel == ((half & 1) != 0 ? 0 : 2) ? 1 : 2;
}

VRS_PACK_FN int32_t vrs_pack_floor_half(int32_t half)
{
    return half >= 0 ? half / 2 : -((1 - half) / 2);
}

VRS_PACK_FN int32_t vrs_pack_held(int32_t value, int32_t most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

/* Codes of a packed alpha, in the picture's colour and depth. */
typedef struct vrs_pack_codes {
    int32_t black, white; /* luma of alpha 0 and 1 */
    int32_t neutral;      /* chroma of grey */
    int32_t cb, cr;       /* red: what chroma differs by at alpha 1; grey: 0 */
    int32_t red;          /* red: (white - black) * what R grows by with a code of Cr, in 2^-15 */
    int32_t most;         /* greatest code */
} vrs_pack_codes;

/* Chroma of the mean alpha (Q15) of its four pixels. */
VRS_PACK_FN int32_t vrs_pack_chroma(const vrs_pack_codes *codes, int32_t alpha, int32_t full)
{
    return codes->neutral + ((full * alpha + (1 << 14)) >> 15);
}

/* Luma such that red comes out as alpha (Q15), with the chroma code that the pixel has: so alpha
 * keeps luma's resolution in red, too, as far as codes reach. */
VRS_PACK_FN int32_t vrs_pack_luma(const vrs_pack_codes *codes, int32_t alpha, int32_t cr)
{
    const int32_t span = codes->white - codes->black;
    const int64_t value =
        (int64_t)span * alpha - (int64_t)codes->red * (cr - codes->neutral) + (1 << 14);
    return vrs_pack_held(codes->black + (int32_t)(value >> 15), codes->most);
}

#endif
