/* Masks along the motion. */
#include <stdlib.h>

#include "kernels/reference/steady.h"
#include "kernels/steady_pixel.h"

static vrs_motion motion_of(const vrs_follow *f, int32_t x, int32_t y)
{
    return f->motion[y / VRS_CELL * vrs_cells(f->now->width[0]) + x / VRS_CELL];
}

/* Of the two pictures at one pixel, edges repeated. */
static int32_t difference_at(const vrs_follow *f, int32_t x, int32_t y)
{
    x = vrs_held(x, 0, f->now->width[0] - 1);
    y = vrs_held(y, 0, f->now->height[0] - 1);
    const vrs_origin p = vrs_origin_of(motion_of(f, x, y), x, y);
    const ptrdiff_t stride = f->before->stride[0];
    const uint8_t *b = f->before->level[0] + p.y * stride + p.x;
    const int32_t was = vrs_between(b[0], b[1], b[stride], b[stride + 1], p);
    return abs(f->now->level[0][y * f->now->stride[0] + x] - was);
}

void vrs_reference_follow(const vrs_follow *f, void *scratch)
{
    (void)scratch;
    for (int32_t y = 0; y < f->now->height[0]; y++) {
        for (int32_t x = 0; x < f->now->width[0]; x++) {
            int32_t difference = 0;
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++)
                    difference += difference_at(f, x + dx, y + dy);
            vrs_follow_pixel(f, x, y, motion_of(f, x, y), difference);
        }
    }
}
