/* Alpha in a frame's corners: the definition, a pixel at a time. */
#include "kernels/pack.h"

#include "image/format.h"
#include "kernels/reference/postprocess.h"

size_t vrs_pack_scratch(int32_t width)
{
    return ((size_t)width * 3 + 256) * sizeof(int32_t);
}

vrs_pack_codes vrs_pack_codes_of(vrs_color resolved, int32_t depth, int32_t red)
{
    static const uint8_t black[3] = {0, 0, 0}, white[3] = {255, 255, 255}, pure[3] = {255, 0, 0};
    int32_t low[3], high[3], full[3];
    vrs_color_from_rgb8(resolved, depth, black, low);
    vrs_color_from_rgb8(resolved, depth, white, high);
    vrs_color_from_rgb8(resolved, depth, pure, full);
    const vrs_color_matrix to_rgb = vrs_color_to_rgb(resolved, depth);
    const float gain = to_rgb.m[0][2] / to_rgb.m[0][0] * 32768.0f;
    return (vrs_pack_codes){
        .black = low[0],
        .white = high[0],
        .neutral = low[1],
        .cb = red ? full[1] - low[1] : 0,
        .cr = red ? full[2] - low[1] : 0,
        .red = red ? (int32_t)(gain + 0.5f) : 0,
        .most = (1 << depth) - 1,
    };
}

/* The alpha of a pixel; -1: it is not packed. */
static int32_t alpha_at(const vrs_pack *p, int32_t x, int32_t y)
{
    int32_t across, down, sum = 0;
    if (x >= p->width || y >= p->height)
        return -1;
    const int32_t eye = vrs_pack_column(p->width, x, &across);
    if (eye < 0 || !vrs_pack_row(p->height, y, &down) ||
        !vrs_pack_in_circle(p->width, p->height, across, down))
        return -1;
    for (int32_t j = 0; j < 3; j++)
        for (int32_t i = 0; i < 3; i++) {
            const int32_t row = vrs_pack_held(vrs_pack_floor_half(down) + j, p->height - 1);
            const int32_t column =
                vrs_pack_held(vrs_pack_floor_half(across) + i, p->width / 2 - 1) +
                eye * (p->width / 2);
            sum += vrs_pack_weight(across, i) * vrs_pack_weight(down, j) *
                   p->mask[row * p->stride + column];
        }
    return (sum + VRS_PACK_WEIGHT / 2) / VRS_PACK_WEIGHT;
}

static void put(vrs_image *picture, int plane, int32_t x, int32_t y, int32_t code)
{
    uint8_t *row = picture->planes[plane] + y * picture->strides[plane];
    if (picture->format == VRS_FORMAT_YUV420P10)
        ((uint16_t *)(void *)row)[x] = (uint16_t)code;
    else
        row[x] = (uint8_t)code;
}

void vrs_reference_pack(const vrs_pack *p, int32_t row_begin, int32_t row_end, vrs_image *picture,
                        void *scratch)
{
    (void)scratch;
    for (int32_t y = row_begin; y < row_end; y += 2)
        for (int32_t x = 0; x < p->width; x += 2) {
            int32_t alpha[4], sum = 0, packed = 0;
            for (int32_t i = 0; i < 4; i++) {
                alpha[i] = alpha_at(p, x + i % 2, y + i / 2);
                sum += alpha[i] > 0 ? alpha[i] : 0;
                packed += alpha[i] >= 0;
            }
            if (packed == 0)
                continue;
            const int32_t mean = (sum + 2) >> 2;
            const int32_t cr = vrs_pack_chroma(&p->codes, mean, p->codes.cr);
            put(picture, 1, x / 2, y / 2, vrs_pack_chroma(&p->codes, mean, p->codes.cb));
            put(picture, 2, x / 2, y / 2, cr);
            for (int32_t i = 0; i < 4; i++)
                if (alpha[i] >= 0)
                    put(picture, 0, x + i % 2, y + i / 2, vrs_pack_luma(&p->codes, alpha[i], cr));
        }
}
