/* Masks in Q15: smoothing, up-sampling, threshold, feathering, storing. */
#include "kernels/postprocess.h"
#include "kernels/reference/postprocess.h"

static int16_t lerp_q15(int16_t a, int16_t b, int16_t weight)
{
    return (int16_t)(a + vrs_mul_q15(b - a, weight));
}

void vrs_reference_smooth(int16_t *state, int16_t *mask, size_t n, int16_t weight)
{
    for (size_t i = 0; i < n; i++) {
        state[i] = lerp_q15(state[i], mask[i], weight);
        mask[i] = state[i];
    }
}

void vrs_reference_upsample(const vrs_upsample *upsample, const int16_t *src, ptrdiff_t src_stride,
                            int32_t row_begin, int32_t row_end, int16_t *dst, ptrdiff_t dst_stride,
                            int16_t *scratch)
{
    (void)scratch;
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        const int32_t top = upsample->row_index[y];
        const int32_t bottom = vrs_min_i32(top + 1, upsample->source_height - 1);
        const int16_t *row0 = src + top * src_stride;
        const int16_t *row1 = src + bottom * src_stride;
        for (int32_t x = 0; x < upsample->width; x++) {
            const int32_t left = upsample->column_index[x];
            const int32_t right = vrs_min_i32(left + 1, upsample->source_width - 1);
            const int16_t weight = upsample->column_weight[x];
            const int16_t upper = lerp_q15(row0[left], row0[right], weight);
            const int16_t lower = lerp_q15(row1[left], row1[right], weight);
            dst[x] = lerp_q15(upper, lower, upsample->row_weight[y]);
        }
    }
}

void vrs_reference_threshold(int16_t *q15, size_t n, int16_t threshold)
{
    for (size_t i = 0; i < n; i++)
        q15[i] = q15[i] < threshold ? 0 : VRS_Q15_ONE;
}

/* Adds (sign 1) or takes off (sign -1) a row, repeated beyond the top and bottom edge. */
static void add_row(int32_t *sums, const int16_t *src, ptrdiff_t stride, int32_t width,
                    int32_t height, int32_t y, int32_t sign)
{
    const int16_t *row = src + vrs_max_i32(0, vrs_min_i32(y, height - 1)) * stride;
    for (int32_t x = 0; x < width; x++)
        sums[x] += sign * row[x];
}

/* One box of (2 radius + 1)^2 by running sums: of columns first, of those along the row second. */
static void box(const int16_t *src, ptrdiff_t src_stride, int16_t *dst, ptrdiff_t dst_stride,
                int32_t width, int32_t height, int32_t radius, int32_t *sums)
{
    const int32_t area = (2 * radius + 1) * (2 * radius + 1);
    const int32_t last = width - 1;
    for (int32_t x = 0; x < width; x++)
        sums[x] = 0;
    for (int32_t y = -radius; y <= radius; y++)
        add_row(sums, src, src_stride, width, height, y, 1);
    for (int32_t y = 0; y < height; y++) {
        int32_t window = 0;
        for (int32_t x = -radius; x <= radius; x++)
            window += sums[vrs_max_i32(0, vrs_min_i32(x, last))];
        for (int32_t x = 0; x < width; x++) {
            dst[y * dst_stride + x] = (int16_t)((window + area / 2) / area);
            window += sums[vrs_min_i32(x + radius + 1, last)] - sums[vrs_max_i32(x - radius, 0)];
        }
        add_row(sums, src, src_stride, width, height, y + radius + 1, 1);
        add_row(sums, src, src_stride, width, height, y - radius, -1);
    }
}

void vrs_reference_feather(int16_t *q15, ptrdiff_t stride, int32_t width, int32_t height,
                           int32_t radius, void *scratch)
{
    int16_t *once = scratch;
    int32_t *sums = vrs_scratch_after(scratch, (size_t)width * (size_t)height * sizeof(int16_t));
    box(q15, stride, once, width, width, height, radius, sums);
    box(once, width, q15, stride, width, height, radius, sums);
}

void vrs_reference_store8(const int16_t *q15, uint8_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)vrs_mul_q15(q15[i], 255);
}

void vrs_reference_store10(const int16_t *q15, uint16_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint16_t)vrs_mul_q15(q15[i], 1023);
}
