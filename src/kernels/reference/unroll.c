/* From an equirectangular eye's picture to a fisheye's, a sample at a time. */
#include "kernels/unroll.h"

#include <string.h>

#include "kernels/reference/postprocess.h"

static int32_t sample(const vrs_unroll *u, int32_t x, int32_t y)
{
    const char *row = (const char *)u->src + y * u->src_stride;
    const int32_t word = u->sample_bytes == 1
                             ? ((const uint8_t *)row)[x * u->src_step]
                             : ((const uint16_t *)(const void *)row)[x * u->src_step];
    return word >> u->src_shift;
}

static int32_t value_at(const vrs_unroll *u, int32_t x, int32_t y)
{
    int32_t position[2], columns[2], rows[2];
    if (u->grid == NULL)
        return sample(u, x, y);
    if (!vrs_unroll_inside(&u->size, x, y))
        return u->outside;
    vrs_unroll_position(&u->size, u->grid, x, y, position);
    const int32_t across = vrs_unroll_neighbours(position[0], u->size.width, columns);
    const int32_t down = vrs_unroll_neighbours(position[1], u->size.height, rows);
    const int32_t s[4] = {sample(u, columns[0], rows[0]), sample(u, columns[1], rows[0]),
                          sample(u, columns[0], rows[1]), sample(u, columns[1], rows[1])};
    return vrs_unroll_mix(s, across, down);
}

void vrs_reference_unroll_columns(const vrs_unroll *u, int32_t y, int32_t begin, int32_t end)
{
    char *row = (char *)u->dst + y * u->dst_stride;
    for (int32_t x = begin; x < end; x++)
        if (u->sample_bytes == 1)
            ((uint8_t *)row)[x] = (uint8_t)value_at(u, x, y);
        else
            ((uint16_t *)(void *)row)[x] = (uint16_t)value_at(u, x, y);
}

void vrs_reference_unroll(const vrs_unroll *u, int32_t row_begin, int32_t row_end)
{
    for (int32_t y = row_begin; y < row_end; y++) {
        char *row = (char *)u->dst + y * u->dst_stride;
        if (u->grid == NULL && u->src_step == 1 && u->src_shift == 0) {
            memcpy(row, (const char *)u->src + y * u->src_stride,
                   (size_t)u->size.width * (size_t)u->sample_bytes);
            continue;
        }
        vrs_reference_unroll_columns(u, y, 0, u->size.width);
    }
}
