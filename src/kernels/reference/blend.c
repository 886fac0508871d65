/* Composition over a constant background. */
#include "kernels/postprocess.h"
#include "kernels/reference/postprocess.h"

static int32_t blend(int32_t sample, int32_t background, int16_t alpha)
{
    return background + vrs_mul_q15(sample - background, alpha);
}

void vrs_reference_blend8(const uint8_t *src, const int16_t *alpha, uint8_t *dst, size_t n,
                          uint8_t background)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)blend(src[i], background, alpha[i]);
}

void vrs_reference_blend10(const uint16_t *src, const int16_t *alpha, uint16_t *dst, size_t n,
                           uint16_t background, int32_t src_shift)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint16_t)blend(src[i] >> src_shift, background, alpha[i]);
}

void vrs_reference_chroma_alpha(const int16_t *row0, const int16_t *row1, int16_t *dst,
                                int32_t width)
{
    for (int32_t x = 0; x < width; x += 2) {
        const int32_t right = vrs_min_i32(x + 1, width - 1);
        dst[x / 2] = (int16_t)((row0[x] + row0[right] + row1[x] + row1[right] + 2) >> 2);
    }
}

void vrs_reference_blend_uv8(const uint8_t *uv, const int16_t *alpha, uint8_t *u, uint8_t *v,
                             size_t n, uint8_t background_u, uint8_t background_v)
{
    for (size_t i = 0; i < n; i++) {
        u[i] = (uint8_t)blend(uv[2 * i], background_u, alpha[i]);
        v[i] = (uint8_t)blend(uv[2 * i + 1], background_v, alpha[i]);
    }
}

void vrs_reference_blend_uv10(const uint16_t *uv, const int16_t *alpha, uint16_t *u, uint16_t *v,
                              size_t n, uint16_t background_u, uint16_t background_v,
                              int32_t src_shift)
{
    for (size_t i = 0; i < n; i++) {
        u[i] = (uint16_t)blend(uv[2 * i] >> src_shift, background_u, alpha[i]);
        v[i] = (uint16_t)blend(uv[2 * i + 1] >> src_shift, background_v, alpha[i]);
    }
}
