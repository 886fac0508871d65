/* A pixel of vrs_follow, for whoever follows pixels one by one. */
#ifndef VRS_KERNELS_STEADY_PIXEL_H
#define VRS_KERNELS_STEADY_PIXEL_H

#include "kernels/kernels.h"

static inline int32_t vrs_held(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

/* Where a pixel was: whole pixels, and the quarters beyond. */
typedef struct vrs_origin {
    int32_t x, y, right, down;
} vrs_origin;

/* Quarters count from the left and from above, also of negative vectors. */
static inline vrs_origin vrs_origin_of(vrs_motion v, int32_t x, int32_t y)
{
    int32_t right = v.x & 3, down = v.y & 3;
    return (vrs_origin){x + (v.x - right) / 4, y + (v.y - down) / 4, right, down};
}

/* Of the four pixels around a place. */
static inline int32_t vrs_between(int32_t a, int32_t b, int32_t c, int32_t d, vrs_origin p)
{
    int32_t upper = (4 - p.right) * a + p.right * b, lower = (4 - p.right) * c + p.right * d;
    return ((4 - p.down) * upper + p.down * lower + 8) >> 4;
}

static inline int32_t vrs_past_mask(const vrs_follow *f, vrs_origin p)
{
    const int32_t width = f->now->width[0], last = width - 1, bottom = f->now->height[0] - 1;
    const int16_t *upper = f->past + (ptrdiff_t)vrs_held(p.y, 0, bottom) * width;
    const int16_t *lower = f->past + (ptrdiff_t)vrs_held(p.y + 1, 0, bottom) * width;
    const int32_t x0 = vrs_held(p.x, 0, last), x1 = vrs_held(p.x + 1, 0, last);
    return vrs_between(upper[x0], upper[x1], lower[x0], lower[x1], p);
}

static inline int32_t vrs_past_age(const vrs_follow *f, vrs_origin p)
{
    if (f->past_age == NULL)
        return 1;
    const int32_t x = vrs_held(p.x + p.right / 2, 0, f->now->width[0] - 1);
    const int32_t y = vrs_held(p.y + p.down / 2, 0, f->now->height[0] - 1);
    return f->past_age[(ptrdiff_t)y * f->now->width[0] + x];
}

/* Ends pixel (x, y), given the pictures' difference around it. */
static inline void vrs_follow_pixel(const vrs_follow *f, int32_t x, int32_t y, vrs_motion v,
                                    int32_t difference)
{
    const ptrdiff_t i = (ptrdiff_t)y * f->now->width[0] + x;
    const vrs_origin p = vrs_origin_of(v, x, y);
    const int32_t mask = f->mask[i], past = vrs_past_mask(f, p), change = mask - past;
    const int32_t large = (change < 0 ? -change : change) >> 7;
    const int32_t doubt = difference + (large * f->disbelief >> 8);
    const int32_t trust = vrs_held(f->unlike - doubt, 0, 128);
    const int32_t age = (vrs_past_age(f, p) * trust + 64) >> 7, share = f->share[age];
    f->result[i] =
        (int16_t)(share == VRS_SHARE_ONE ? mask : past + vrs_mul_q15(change, share * 256));
    if (f->age != NULL)
        f->age[i] = (uint8_t)(age < VRS_AGE_MOST ? age + 1 : VRS_AGE_MOST);
}

#endif
