/* A guide in three sizes, with borders. */
#include <string.h>

#include "kernels/reference/steady.h"

static void repeat_edges(const vrs_pyramid *p, int level)
{
    const int32_t width = p->width[level], height = p->height[level], b = VRS_PYRAMID_BORDER;
    const ptrdiff_t stride = p->stride[level];
    for (int32_t y = 0; y < height; y++) {
        uint8_t *row = p->level[level] + y * stride;
        memset(row - b, row[0], (size_t)b);
        memset(row + width, row[width - 1], (size_t)(stride - width - b));
    }
    const uint8_t *first = p->level[level] - b, *last = first + (height - 1) * stride;
    for (int32_t y = 1; y <= b; y++) {
        memcpy(p->level[level] - b - y * stride, first, (size_t)stride);
        memcpy(p->level[level] - b + (height - 1 + y) * stride, last, (size_t)stride);
    }
}

static void halve(const vrs_pyramid *p, int level)
{
    const ptrdiff_t stride = p->stride[level - 1];
    for (int32_t y = 0; y < p->height[level]; y++) {
        const uint8_t *a = p->level[level - 1] + 2 * y * stride; /* its border repeats the edges */
        uint8_t *to = p->level[level] + y * p->stride[level];
        for (int32_t x = 0; x < p->width[level]; x++)
            to[x] = (uint8_t)((a[2 * x] + a[2 * x + 1] + a[stride + 2 * x] + a[stride + 2 * x + 1] +
                               2) >>
                              2);
    }
}

void vrs_reference_pyramid(const vrs_pyramid *pyramid, const uint8_t *guide, ptrdiff_t stride)
{
    for (int32_t y = 0; y < pyramid->height[0]; y++)
        memcpy(pyramid->level[0] + y * pyramid->stride[0], guide + y * stride,
               (size_t)pyramid->width[0]);
    repeat_edges(pyramid, 0);
    for (int level = 1; level < VRS_PYRAMID_LEVELS; level++) {
        halve(pyramid, level);
        repeat_edges(pyramid, level);
    }
}
