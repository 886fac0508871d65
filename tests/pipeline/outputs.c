#include "pipeline/outputs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/format.h"

vrs_image outputs_copy(const vrs_image *from)
{
    vrs_image to;
    assert_int_equal(vrs_image_alloc(&to, from->format, from->width, from->height), VRS_OK);
    to.color = from->color;
    for (int p = 0; p < vrs_format_get(from->format)->planes; p++)
        for (int32_t y = 0; y < vrs_plane_height(from, p); y++)
            memcpy(to.planes[p] + y * to.strides[p], from->planes[p] + y * from->strides[p],
                   (size_t)vrs_plane_row_bytes(from, p));
    return to;
}

void outputs_drop(vrs_image (*images)[VRS_MAX_OUTPUTS], int frames)
{
    for (int i = 0; i < frames; i++)
        for (int o = 0; o < VRS_MAX_OUTPUTS; o++)
            vrs_image_release(&images[i][o]);
}

int32_t outputs_sample(const vrs_image *image, int plane, int32_t x, int32_t y)
{
    const uint8_t *row = image->planes[plane] + y * image->strides[plane];
    const vrs_format_info *info = vrs_format_get(image->format);
    return info->sample_bytes == 1 ? row[x]
                                   : ((const uint16_t *)(const void *)row)[x] >> info->sample_shift;
}

outputs_difference outputs_compare(const vrs_image *a, const vrs_image *b, int32_t tolerance)
{
    outputs_difference d = {0};
    assert_int_equal(a->format, b->format);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    const vrs_format_info *info = vrs_format_get(a->format);
    for (int p = 0; p < info->planes; p++)
        for (int32_t y = 0; y < vrs_plane_height(a, p); y++)
            for (int32_t x = 0; x < vrs_plane_width(a, p) * info->plane_samples[p]; x++) {
                int32_t off = abs(outputs_sample(a, p, x, y) - outputs_sample(b, p, x, y));
                d.largest = off > d.largest ? off : d.largest;
                d.beyond += off > tolerance ? 1 : 0;
                d.samples++;
            }
    return d;
}
