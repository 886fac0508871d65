/* The guided filter: coefficients at the network's size, and their use at the full one. */
#include <math.h>
#include <string.h>

#include "kernels/postprocess.h"
#include "kernels/reference/postprocess.h"

/* Sums over one column of a window, and over the columns up to one. */
typedef struct sums {
    int64_t i, ii, p, ip;
} sums;

/* Adds (sign 1) or takes off (sign -1) row y of guide and mask; rows outside count nothing. */
static void add_row(const vrs_guided *g, int32_t y, int32_t sign, sums *columns)
{
    if (y < 0 || y >= g->height)
        return;
    const uint8_t *guide = g->guide + y * g->guide_stride;
    const int16_t *mask = g->mask + y * g->mask_stride;
    for (int32_t x = 0; x < g->width; x++) {
        const int64_t i = guide[x], p = mask[x];
        columns[x].i += sign * i;
        columns[x].ii += sign * i * i;
        columns[x].p += sign * p;
        columns[x].ip += sign * i * p;
    }
}

/* Columns (or rows) of the window around x that lie inside 0..count-1. */
static int32_t window_size(int32_t x, int32_t count, int32_t radius)
{
    return vrs_min_i32(x + radius, count - 1) - vrs_max_i32(x - radius, 0) + 1;
}

/* Slope and offset of one window of n pixels, from sums of codes. */
static void solve(const sums *w, double n, double epsilon, double *slope, double *offset)
{
    const double mean_i = (double)w->i / n / 255;
    const double mean_p = (double)w->p / n / VRS_Q15_ONE;
    const double var = ((double)w->ii * n - (double)w->i * (double)w->i) / (n * n) / (255.0 * 255);
    const double cov =
        ((double)w->ip * n - (double)w->i * (double)w->p) / (n * n) / (255.0 * VRS_Q15_ONE);
    *slope = cov / (var + epsilon);
    *offset = mean_p - *slope * mean_i;
}

/* Coefficients of row y from the sums of its columns. */
static void solve_row(const vrs_guided *g, int32_t y, const sums *columns, double *slope,
                      double *offset)
{
    const int32_t rows = window_size(y, g->height, g->radius);
    sums w = {0};
    for (int32_t x = -g->radius; x < g->width; x++) {
        const int32_t in = x + g->radius, out = x - g->radius - 1;
        const sums none = {0};
        const sums *add = in < g->width ? &columns[in] : &none;
        const sums *take = out >= 0 ? &columns[out] : &none;
        w.i += add->i - take->i;
        w.ii += add->ii - take->ii;
        w.p += add->p - take->p;
        w.ip += add->ip - take->ip;
        if (x >= 0) {
            const double n = (double)rows * window_size(x, g->width, g->radius);
            solve(&w, n, (double)g->epsilon, &slope[x], &offset[x]);
        }
    }
}

/* Adds or takes off row y of a plane of coefficients. */
static void add_plane_row(const vrs_guided *g, const double *plane, int32_t y, double sign,
                          double *columns)
{
    if (y < 0 || y >= g->height)
        return;
    for (int32_t x = 0; x < g->width; x++)
        columns[x] += sign * plane[(ptrdiff_t)y * g->width + x];
}

/* Mean of a plane of coefficients over the same windows. */
static void average(const vrs_guided *g, const double *plane, double *columns, float *dst)
{
    memset(columns, 0, (size_t)g->width * sizeof(*columns));
    for (int32_t y = 0; y < g->radius; y++)
        add_plane_row(g, plane, y, 1, columns);
    for (int32_t y = 0; y < g->height; y++) {
        const int32_t rows = window_size(y, g->height, g->radius);
        add_plane_row(g, plane, y + g->radius, 1, columns);
        add_plane_row(g, plane, y - g->radius - 1, -1, columns);
        double window = 0;
        for (int32_t x = -g->radius; x < g->width; x++) {
            const int32_t in = x + g->radius, out = x - g->radius - 1;
            window += in < g->width ? columns[in] : 0;
            window -= out >= 0 ? columns[out] : 0;
            if (x >= 0)
                dst[(ptrdiff_t)y * g->width + x] =
                    (float)(window / ((double)rows * window_size(x, g->width, g->radius)));
        }
    }
}

void vrs_reference_guided(const vrs_guided *guided, void *scratch)
{
    const size_t pixels = (size_t)guided->width * (size_t)guided->height;
    double *slope = scratch, *offset = slope + pixels;
    void *row = vrs_scratch_after(scratch, vrs_guided_planes(pixels));
    sums *columns = row;
    memset(columns, 0, (size_t)guided->width * sizeof(*columns));
    for (int32_t y = 0; y < guided->radius; y++)
        add_row(guided, y, 1, columns);
    for (int32_t y = 0; y < guided->height; y++) {
        add_row(guided, y + guided->radius, 1, columns);
        add_row(guided, y - guided->radius - 1, -1, columns);
        solve_row(guided, y, columns, slope + (ptrdiff_t)y * guided->width,
                  offset + (ptrdiff_t)y * guided->width);
    }
    average(guided, slope, row, guided->slope);
    average(guided, offset, row, guided->offset);
}

static float lerp(float a, float b, int16_t weight)
{
    const float w = (float)weight * (1.0f / 32768.0f);
    return a + (b - a) * w;
}

/* The plane's value at column x and row y of the result. */
static float coefficient(const vrs_upsample *up, const float *plane, ptrdiff_t stride, int32_t x,
                         int32_t y)
{
    const int32_t left = up->column_index[x];
    const int32_t right = vrs_min_i32(left + 1, up->source_width - 1);
    const int32_t top = up->row_index[y];
    const int32_t bottom = vrs_min_i32(top + 1, up->source_height - 1);
    const float *row0 = plane + top * stride;
    const float *row1 = plane + bottom * stride;
    const float upper = lerp(row0[left], row0[right], up->column_weight[x]);
    const float lower = lerp(row1[left], row1[right], up->column_weight[x]);
    return lerp(upper, lower, up->row_weight[y]);
}

static float luma_at(const vrs_luma *luma, int32_t x, int32_t y)
{
    const uint8_t *sample = luma->data + y * luma->stride + x * luma->sample_bytes;
    uint16_t code = *sample;
    if (luma->sample_bytes == 2)
        memcpy(&code, sample, sizeof(code));
    return (float)(code >> luma->sample_shift) * luma->scale + luma->offset;
}

void vrs_reference_refine(const vrs_upsample *upsample, const float *slope, const float *offset,
                          ptrdiff_t src_stride, const vrs_luma *luma, int32_t row_begin,
                          int32_t row_end, int16_t *dst, ptrdiff_t dst_stride, float *scratch)
{
    (void)scratch;
    for (int32_t y = row_begin; y < row_end; y++, dst += dst_stride) {
        for (int32_t x = 0; x < upsample->width; x++) {
            float p = coefficient(upsample, slope, src_stride, x, y) * luma_at(luma, x, y) +
                      coefficient(upsample, offset, src_stride, x, y);
            p = p > 0 ? fminf(p, 1) : 0; /* NaN too */
            dst[x] = (int16_t)floorf(p * VRS_Q15_ONE + 0.5f);
        }
    }
}
