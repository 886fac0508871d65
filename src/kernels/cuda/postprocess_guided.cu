/* Guided filter: linear coefficients at the network's size, for a batch of views in one launch.
 *
 * Bytes: 2 of the mask, 1 of the guide, 8 of the coefficients a pixel; 512x512, 8 views: 23 MB,
 * 5.4 us at 4.28 TB/s. At radius 1 (the default) everything stays in registers: a warp marches down
 * 64 columns, two a lane, with sums of three rows and what neighbours hold by shuffles; of 64
 * columns and `rows` + 4 rows 60 and `rows` come out. Expected: some 50 instructions a pixel,
 * 5 us at full rate, so arithmetic and bytes are even.
 *
 * Sums are integers; mean(I p) - mean(I) mean(p) is taken as n sum(I p) - sum(I) sum(p), exactly,
 * so that no double is needed. */
#include "postprocess.cuh"

#define ALL 0xffffffffu
#define LANES 32
#define WARP_COLUMNS 60 /* that come out of a warp's 64 */
#define AHEAD 4         /* rows that are on their way */

/* Sums over a part of a window: guide and its square in one word (I in the upper 12 bits, I * I of
 * nine pixels in the lower 20), mask, product. */
struct sums {
    unsigned guide, mask, product;
};

__device__ __forceinline__ sums operator+(sums a, sums b)
{
    return {a.guide + b.guide, a.mask + b.mask, a.product + b.product};
}

__device__ __forceinline__ sums sums_of(unsigned guide, unsigned mask)
{
    return {(guide << 20) + guide * guide, mask, guide * mask};
}

__device__ __forceinline__ sums shuffle_up(sums s)
{
    return {__shfl_up_sync(ALL, s.guide, 1), __shfl_up_sync(ALL, s.mask, 1),
            __shfl_up_sync(ALL, s.product, 1)};
}

__device__ __forceinline__ sums shuffle_down(sums s)
{
    return {__shfl_down_sync(ALL, s.guide, 1), __shfl_down_sync(ALL, s.mask, 1),
            __shfl_down_sync(ALL, s.product, 1)};
}

__device__ __forceinline__ float2 operator+(float2 a, float2 b)
{
    return make_float2(a.x + b.x, a.y + b.y);
}

__device__ __forceinline__ float2 shuffle_up(float2 s)
{
    return make_float2(__shfl_up_sync(ALL, s.x, 1), __shfl_up_sync(ALL, s.y, 1));
}

__device__ __forceinline__ float2 shuffle_down(float2 s)
{
    return make_float2(__shfl_down_sync(ALL, s.x, 1), __shfl_down_sync(ALL, s.y, 1));
}

/* Sums of three columns for each of a lane's two. */
template <typename T> __device__ __forceinline__ void three_columns(const T *in, T *out)
{
    const T left = shuffle_up(in[1]), right = shuffle_down(in[0]);
    const T both = in[0] + in[1];
    out[0] = left + both;
    out[1] = both + right;
}

/* How many of x - radius .. x + radius lie inside. */
__device__ __forceinline__ int window(int x, int count, int radius)
{
    return min(x + radius, count - 1) - max(x - radius, 0) + 1;
}

/* Slope and offset of n pixels. The differences are exact integers, `epsilon` is in units of the
 * guide's code squared. */
__device__ __forceinline__ float2 solve(float var, float cov, float guide, float mask, float n,
                                        float epsilon)
{
    const float slope = __fdividef(cov * (255.0f / 32767.0f), var + epsilon * n * n);
    const float offset =
        __fdividef(mask * (1.0f / 32767.0f) - slope * (guide * (1.0f / 255.0f)), n);
    return make_float2(slope, offset);
}

__device__ __forceinline__ float2 solve_nine(sums s, int n, float epsilon)
{
    const int guide = (int)(s.guide >> 20), square = (int)(s.guide & 0xfffffu);
    const int var = square * n - guide * guide;
    const int cov = (int)s.product * n - guide * (int)s.mask;
    return solve((float)var, (float)cov, (float)guide, (float)s.mask, (float)n, epsilon);
}

/* A march: the last two rows of sums and of coefficients, each of three columns. */
struct march {
    sums row[2][2];
    float2 coefficient[2][2];
};

/* A lane's two pixels of a row as they are stored: masks in one word, guides in another. */
struct pixels {
    unsigned mask, guide;
};

/* The two pixels of row y from column x on; nothing outside. */
__device__ __forceinline__ pixels load_pixels(const vrs_guided_params &p, const vrs_guided_view &v,
                                              int x, int y)
{
    const int64_t at = (int64_t)y * p.width + x;
    const uint8_t *guide = vrs_at<const uint8_t>(v.guide) + at;
    const uint16_t *mask = vrs_at<const uint16_t>(v.mask) + at;
    pixels two = {0, 0};
    if (y < 0 || y >= p.height)
        return two;
    if (p.width % 2 == 0 && ((v.mask | v.guide) & 3) == 0) { /* x is even: a word is in or out */
        if (x >= 0 && x < p.width) {
            two.mask = __ldg(reinterpret_cast<const uint32_t *>(mask));
            two.guide = __ldg(reinterpret_cast<const uint16_t *>(guide));
        }
        return two;
    }
    if (x >= 0 && x < p.width) {
        two.mask = __ldg(mask);
        two.guide = __ldg(guide);
    }
    if (x + 1 >= 0 && x + 1 < p.width) {
        two.mask |= (unsigned)__ldg(mask + 1) << 16;
        two.guide |= (unsigned)__ldg(guide + 1) << 8;
    }
    return two;
}

/* Takes row y in; then row y - 1 has coefficients and row y - 2 has means, stored if `store`. */
__device__ __forceinline__ void step(const vrs_guided_params &p, float2 *out, march &m, pixels two,
                                     int x, int y, bool store)
{
    const sums pixel[2] = {sums_of(two.guide & 0xffu, two.mask & 0xffffu),
                           sums_of(two.guide >> 8, two.mask >> 16)};
    sums three[2];
    three_columns(pixel, three);
    float2 solved[2], mean[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const bool inside = y >= 1 && y <= p.height && x + i >= 0 && x + i < p.width;
        const int n = max(window(x + i, p.width, 1) * window(y - 1, p.height, 1), 1);
        const sums s = m.row[0][i] + m.row[1][i] + three[i];
        solved[i] = inside ? solve_nine(s, n, p.epsilon * 65025.0f) : make_float2(0, 0);
        m.row[0][i] = m.row[1][i];
        m.row[1][i] = three[i];
    }
    three_columns(solved, mean);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const float2 s = m.coefficient[0][i] + m.coefficient[1][i] + mean[i];
        m.coefficient[0][i] = m.coefficient[1][i];
        m.coefficient[1][i] = mean[i];
        const int n = window(x + i, p.width, 1) * window(y - 2, p.height, 1);
        if (store && x + i < p.width) {
            const float factor = __fdividef(1, (float)n);
            out[(int64_t)(y - 2) * p.width + x + i] = make_float2(s.x * factor, s.y * factor);
        }
    }
}

/* Radius 1. Grid: x: groups of 4 warps of WARP_COLUMNS, y: strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(128)
    vrs_guided(const __grid_constant__ vrs_guided_params p)
{
    const vrs_guided_view &v = p.view[blockIdx.z];
    const int lane = threadIdx.x, warp = blockIdx.x * blockDim.y + threadIdx.y;
    const int x = warp * WARP_COLUMNS - 2 + 2 * lane;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, p.height);
    if (warp * WARP_COLUMNS >= p.width)
        return;
    const bool writes = lane >= 1 && lane < LANES - 1;
    march m = {};
    pixels row[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++)
        row[i] = load_pixels(p, v, x, begin - 2 + i);
#pragma unroll 1
    for (int y = begin - 2; y < end + 2; y += AHEAD) {
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const pixels two = row[i];
            row[i] = load_pixels(p, v, x, y + i + AHEAD);
            if (y + i < end + 2)
                step(p, vrs_at<float2>(v.coefficients), m, two, x, y + i,
                     writes && y + i - 2 >= begin);
        }
    }
}
