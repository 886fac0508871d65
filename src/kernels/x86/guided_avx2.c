/* The guided filter's coefficients with AVX2. Sums of codes are exact integers up to the windows';
 * the fractions are double, their results float. A row's window sums are differences of its running
 * sum, which has the window's reach repeated at both ends so that no column is special. */
#include <immintrin.h>
#include <string.h>

#include "kernels/postprocess.h"
#include "kernels/x86/postprocess_x86.h"

/* Row buffers in the scratch memory: sums of the columns of a window, and running sums of those. */
typedef struct code_sums {
    int32_t *i, *ii, *p, *ip;
    uint32_t *run_i, *run_ii, *run_p; /* wrap around: a window's sum is below 2^31 */
    int64_t *run_ip;
} code_sums;

static void add_one(const code_sums *s, const uint8_t *guide, const int16_t *mask, int32_t x,
                    int32_t sign)
{
    const int32_t i = guide[x], p = mask[x];
    s->i[x] += sign * i;
    s->ii[x] += sign * i * i;
    s->p[x] += sign * p;
    s->ip[x] += sign * i * p;
}

static inline void add_8(int32_t *sums, __m256i value)
{
    const __m256i old = _mm256_loadu_si256((const void *)sums);
    _mm256_storeu_si256((void *)sums, _mm256_add_epi32(old, value));
}

/* Adds (sign 1) or takes off (sign -1) row y; rows outside count nothing. */
static void add_row(const vrs_guided *g, int32_t y, int32_t sign, const code_sums *s)
{
    if (y < 0 || y >= g->height)
        return;
    const uint8_t *guide = g->guide + y * g->guide_stride;
    const int16_t *mask = g->mask + y * g->mask_stride;
    const __m256i signs = _mm256_set1_epi32(sign);
    int32_t x = 0;
    for (; x + 8 <= g->width; x += 8) {
        const __m256i i = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(guide + x)));
        const __m256i p = _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(mask + x)));
        const __m256i signed_i = _mm256_sign_epi32(i, signs);
        add_8(s->i + x, signed_i);
        add_8(s->ii + x, _mm256_mullo_epi32(signed_i, i));
        add_8(s->p + x, _mm256_sign_epi32(p, signs));
        add_8(s->ip + x, _mm256_mullo_epi32(signed_i, p));
    }
    for (; x < g->width; x++)
        add_one(s, guide, mask, x, sign);
}

/* Running sums of one row: entry j is the sum of the columns below clamp(j - radius, 0, width). */
static void integrate_codes(const vrs_guided *g, const code_sums *s)
{
    const int32_t r = g->radius, w = g->width;
    memset(s->run_i, 0, (size_t)(r + 1) * sizeof(*s->run_i));
    memset(s->run_ii, 0, (size_t)(r + 1) * sizeof(*s->run_ii));
    memset(s->run_p, 0, (size_t)(r + 1) * sizeof(*s->run_p));
    memset(s->run_ip, 0, (size_t)(r + 1) * sizeof(*s->run_ip));
    uint32_t i = 0, ii = 0, p = 0;
    int64_t ip = 0;
    for (int32_t x = 0; x < w; x++) {
        s->run_i[r + 1 + x] = i += (uint32_t)s->i[x];
        s->run_ii[r + 1 + x] = ii += (uint32_t)s->ii[x];
        s->run_p[r + 1 + x] = p += (uint32_t)s->p[x];
        s->run_ip[r + 1 + x] = ip += s->ip[x];
    }
    for (int32_t x = w; x < w + r; x++) {
        s->run_i[r + 1 + x] = i;
        s->run_ii[r + 1 + x] = ii;
        s->run_p[r + 1 + x] = p;
        s->run_ip[r + 1 + x] = ip;
    }
}

static inline __m256d window_u32(const uint32_t *run, int32_t side)
{
    const __m128i begin = _mm_loadu_si128((const void *)run);
    const __m128i end = _mm_loadu_si128((const void *)(run + side));
    return _mm256_cvtepi32_pd(_mm_sub_epi32(end, begin));
}

/* A difference in 0..2^52 becomes a double by way of the low bits of 2^52. */
static inline __m256d window_i64(const int64_t *run, int32_t side)
{
    const __m256d magic = _mm256_set1_pd(0x1p52);
    const __m256i begin = _mm256_loadu_si256((const void *)run);
    const __m256i end = _mm256_loadu_si256((const void *)(run + side));
    const __m256i bits = _mm256_or_si256(_mm256_sub_epi64(end, begin), _mm256_castpd_si256(magic));
    return _mm256_sub_pd(_mm256_castsi256_pd(bits), magic);
}

/* Pixels in the windows of columns x..x+3 of a row whose windows are `rows` high. */
static inline __m256d window_pixels(int32_t x, int32_t width, int32_t radius, __m256d rows)
{
    const __m128i column = _mm_add_epi32(_mm_set1_epi32(x), _mm_setr_epi32(0, 1, 2, 3));
    const __m128i reach = _mm_set1_epi32(radius);
    const __m128i end = _mm_min_epi32(_mm_add_epi32(column, reach), _mm_set1_epi32(width - 1));
    const __m128i begin = _mm_max_epi32(_mm_sub_epi32(column, reach), _mm_setzero_si128());
    const __m128i columns = _mm_add_epi32(_mm_sub_epi32(end, begin), _mm_set1_epi32(1));
    return _mm256_mul_pd(_mm256_cvtepi32_pd(columns), rows);
}

static int32_t window_rows(const vrs_guided *g, int32_t y)
{
    return vrs_min_i32(y + g->radius, g->height - 1) - vrs_max_i32(y - g->radius, 0) + 1;
}

/* Coefficients of row y, both fractions multiplied by the square of the window's pixels. Writes up
 * to three columns more: the next row's first ones, or the planes' padding. */
static void solve_row(const vrs_guided *g, int32_t y, const code_sums *s, float *slope,
                      float *offset)
{
    const int32_t side = 2 * g->radius + 1;
    const __m256d rows = _mm256_set1_pd(window_rows(g, y));
    const __m256d epsilon = _mm256_set1_pd((double)g->epsilon);
    const __m256d i_scale = _mm256_set1_pd(1 / 255.0);
    const __m256d p_scale = _mm256_set1_pd(1.0 / VRS_Q15_ONE);
    const __m256d ii_scale = _mm256_set1_pd(1 / (255.0 * 255));
    const __m256d ip_scale = _mm256_set1_pd(1 / (255.0 * VRS_Q15_ONE));
    for (int32_t x = 0; x < g->width; x += 4) {
        const __m256d n = window_pixels(x, g->width, g->radius, rows);
        const __m256d i = window_u32(s->run_i + x, side), p = window_u32(s->run_p + x, side);
        const __m256d ii = window_u32(s->run_ii + x, side), ip = window_i64(s->run_ip + x, side);
        const __m256d var = _mm256_fmsub_pd(ii, n, _mm256_mul_pd(i, i));
        const __m256d cov = _mm256_fmsub_pd(ip, n, _mm256_mul_pd(i, p));
        const __m256d below =
            _mm256_fmadd_pd(var, ii_scale, _mm256_mul_pd(epsilon, _mm256_mul_pd(n, n)));
        const __m256d a = _mm256_div_pd(_mm256_mul_pd(cov, ip_scale), below);
        const __m256d b = _mm256_fnmadd_pd(a, _mm256_mul_pd(i, i_scale), _mm256_mul_pd(p, p_scale));
        _mm_storeu_ps(slope + x, _mm256_cvtpd_ps(a));
        _mm_storeu_ps(offset + x, _mm256_cvtpd_ps(_mm256_div_pd(b, n)));
    }
}

static void solve(const vrs_guided *g, double *row_space, float *slope, float *offset)
{
    const size_t pitch = vrs_box_row(g->width);
    int32_t *ints = (int32_t *)(void *)row_space;
    const code_sums s = {
        .i = ints,
        .ii = ints + pitch,
        .p = ints + 2 * pitch,
        .ip = ints + 3 * pitch,
        .run_i = (uint32_t *)ints + 4 * pitch,
        .run_ii = (uint32_t *)ints + 5 * pitch,
        .run_p = (uint32_t *)ints + 6 * pitch,
        .run_ip = (int64_t *)(void *)(row_space + 4 * pitch),
    };
    memset(ints, 0, 4 * pitch * sizeof(*ints));
    for (int32_t y = 0; y < vrs_min_i32(g->radius, g->height); y++)
        add_row(g, y, 1, &s);
    for (int32_t y = 0; y < g->height; y++) {
        add_row(g, y + g->radius, 1, &s);
        add_row(g, y - g->radius - 1, -1, &s);
        integrate_codes(g, &s);
        solve_row(g, y, &s, slope + (ptrdiff_t)y * g->width, offset + (ptrdiff_t)y * g->width);
    }
}

/* Adds (sign 1) or takes off (sign -1) row y of a plane of coefficients. */
static void add_plane_row(const vrs_guided *g, const float *plane, int32_t y, double sign,
                          double *columns)
{
    if (y < 0 || y >= g->height)
        return;
    const float *row = plane + (ptrdiff_t)y * g->width;
    const __m256d signs = _mm256_set1_pd(sign);
    int32_t x = 0;
    for (; x + 4 <= g->width; x += 4) {
        const __m256d value = _mm256_cvtps_pd(_mm_loadu_ps(row + x));
        const __m256d sum = _mm256_loadu_pd(columns + x);
        _mm256_storeu_pd(columns + x, _mm256_fmadd_pd(value, signs, sum));
    }
    for (; x < g->width; x++)
        columns[x] += sign * (double)row[x];
}

/* As integrate_codes, for both coefficients at once. */
static void integrate_planes(const vrs_guided *g, const double *columns0, const double *columns1,
                             double *run0, double *run1)
{
    const int32_t r = g->radius, w = g->width;
    memset(run0, 0, (size_t)(r + 1) * sizeof(*run0));
    memset(run1, 0, (size_t)(r + 1) * sizeof(*run1));
    double sum0 = 0, sum1 = 0;
    for (int32_t x = 0; x < w; x++) {
        run0[r + 1 + x] = sum0 += columns0[x];
        run1[r + 1 + x] = sum1 += columns1[x];
    }
    for (int32_t x = w; x < w + r; x++) {
        run0[r + 1 + x] = sum0;
        run1[r + 1 + x] = sum1;
    }
}

static inline __m128 window_mean(const double *run, int32_t side, __m256d n)
{
    const __m256d sum = _mm256_sub_pd(_mm256_loadu_pd(run + side), _mm256_loadu_pd(run));
    return _mm256_cvtpd_ps(_mm256_div_pd(sum, n));
}

static void average_row(const vrs_guided *g, int32_t y, const double *run0, const double *run1)
{
    const int32_t side = 2 * g->radius + 1;
    const __m256d rows = _mm256_set1_pd(window_rows(g, y));
    const __m128i lanes = _mm_setr_epi32(0, 1, 2, 3);
    float *slope = g->slope + (ptrdiff_t)y * g->width;
    float *offset = g->offset + (ptrdiff_t)y * g->width;
    for (int32_t x = 0; x < g->width; x += 4) {
        const __m256d n = window_pixels(x, g->width, g->radius, rows);
        const __m128i mask = _mm_cmpgt_epi32(_mm_set1_epi32(g->width - x), lanes);
        _mm_maskstore_ps(slope + x, mask, window_mean(run0 + x, side, n));
        _mm_maskstore_ps(offset + x, mask, window_mean(run1 + x, side, n));
    }
}

static void average(const vrs_guided *g, double *row_space, const float *slope, const float *offset)
{
    const size_t pitch = vrs_box_row(g->width);
    double *columns0 = row_space, *columns1 = row_space + pitch;
    double *run0 = row_space + 2 * pitch, *run1 = row_space + 3 * pitch;
    memset(columns0, 0, 2 * pitch * sizeof(*columns0));
    for (int32_t y = 0; y < vrs_min_i32(g->radius, g->height); y++) {
        add_plane_row(g, slope, y, 1, columns0);
        add_plane_row(g, offset, y, 1, columns1);
    }
    for (int32_t y = 0; y < g->height; y++) {
        add_plane_row(g, slope, y + g->radius, 1, columns0);
        add_plane_row(g, offset, y + g->radius, 1, columns1);
        add_plane_row(g, slope, y - g->radius - 1, -1, columns0);
        add_plane_row(g, offset, y - g->radius - 1, -1, columns1);
        integrate_planes(g, columns0, columns1, run0, run1);
        average_row(g, y, run0, run1);
    }
}

void vrs_avx2_guided(const vrs_guided *guided, void *scratch)
{
    const size_t pixels = (size_t)guided->width * (size_t)guided->height;
    float *slope = scratch, *offset = slope + pixels + 16;
    double *row_space = vrs_scratch_after(scratch, vrs_guided_planes(pixels));
    solve(guided, row_space, slope, offset);
    average(guided, row_space, slope, offset);
}
