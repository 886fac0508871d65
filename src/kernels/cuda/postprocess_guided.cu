/* Guided filter: linear coefficients at the network's size, for a batch of views in one launch.
 *
 * Bytes: 2 of the mask, 1 of the guide, 8 of the coefficients a pixel; 512x512, 8 views: 23 MB,
 * 5.4 us at 4.3 TB/s. At radius 1 (the default) everything stays in registers: a lane marches down
 * four columns with sums of three rows, what neighbours hold comes by shuffles. Instructions are
 * the limit: per four pixels about 60 for sums, 105 to solve, 35 for means; with the rows that
 * strips of 8 do again 4.4 million of a warp, 4.3 us at full rate. A mask of 512x512 has few rows
 * of work for a lane, so latency counts: four columns are four independent chains.
 *
 * Sums are integers; mean(I p) - mean(I) mean(p) is taken as n sum(I p) - sum(I) sum(p), exactly,
 * so that no double is needed. */
#include "postprocess.cuh"

#define ALL 0xffffffffu
#define COLUMNS 4
#define WARP_GROUPS 30 /* groups of columns that come out of a warp's 32 */
#define AHEAD 2        /* rows that are on their way */
#define SCALE (255.0f / 32767.0f)

/* 1 / x, one unit in the last place. */
#if defined(__CUDA_ARCH__)
__device__ __forceinline__ float reciprocal(float x)
{
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#else
__device__ __forceinline__ float reciprocal(float x)
{
    return 1 / x;
}
#endif

/* Sums over a part of a window: guide and its square in one word (I in the upper 12 bits, I * I of
 * nine pixels in the lower 20), mask, product. */
struct sums {
    unsigned guide, mask, product;
};

__device__ __forceinline__ sums add(sums a, sums b, sums c)
{
    return {a.guide + b.guide + c.guide, a.mask + b.mask + c.mask,
            a.product + b.product + c.product};
}

__device__ __forceinline__ sums sums_of(unsigned guide, unsigned mask)
{
    return {guide * (guide + (1u << 20)), mask, guide * mask};
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

/* How many of the three rows (columns) around one lie inside, and what follows of it; all 0 but
 * `count` where that one lies outside itself. */
struct window {
    int count;
    float squared, inverse, scale;

    __device__ __forceinline__ window()
    {
    }

    __device__ __forceinline__ window(int at, int size, float factor)
    {
        const bool inside = at >= 0 && at < size;
        count = inside ? 3 - (at == 0) - (at == size - 1) : 1;
        squared = (float)(count * count);
        inverse = inside ? reciprocal((float)count) : 0;
        scale = inside ? factor : 0;
    }
};

/* A lane's place: four columns from x on, rows from `begin` on that come out. Groups of columns and
 * one more outside of the picture, strip after strip, are dealt to the lanes in turn. */
struct place {
    int x, begin, end;
    bool inside, store;

    __device__ __forceinline__ place(const vrs_guided_params &p)
    {
        const int lane = threadIdx.x % 32, warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
        const int groups = (p.width + COLUMNS - 1) / COLUMNS + 1;
        const int group = max(warp * WARP_GROUPS - 1 + lane, 0), strip = group / groups;
        const bool before = warp == 0 && lane == 0; /* group -1 */
        x = before ? p.width : (group - strip * groups) * COLUMNS;
        begin = strip * p.rows;
        end = min(begin + p.rows, p.height);
        inside = x < p.width;
        store = lane >= 1 && lane <= WARP_GROUPS && inside;
    }
};

/* Four pixels of a row as they are stored. */
struct pixels {
    uint2 mask;
    unsigned guide;
};

/* Rows that are loaded one after the other; what lies outside is 0. WHOLE: rows are aligned for
 * accesses of four columns. */
template <bool WHOLE> struct source {
    const uint16_t *mask;
    const uint8_t *guide;
    int y, width, height, count; /* count: columns that are inside */

    __device__ __forceinline__ source(const vrs_guided_params &p, const vrs_guided_view &v,
                                      const place &at)
        : y(at.begin - 2), width(p.width), height(at.inside ? p.height : 0), count(p.width - at.x)
    {
        const int64_t first = (int64_t)y * p.width + at.x;
        mask = vrs_at<const uint16_t>(v.mask) + first;
        guide = vrs_at<const uint8_t>(v.guide) + first;
    }

    __device__ __forceinline__ pixels next()
    {
        pixels four = {make_uint2(0, 0), 0};
        if ((unsigned)y < (unsigned)height) {
            if (WHOLE) {
                four.mask = __ldg(reinterpret_cast<const uint2 *>(mask));
                four.guide = __ldg(reinterpret_cast<const unsigned *>(guide));
            }
#pragma unroll
            for (int i = 0; i < (WHOLE ? 0 : COLUMNS); i++) {
                if (i < count) {
                    (i < 2 ? four.mask.x : four.mask.y) |= (unsigned)__ldg(mask + i)
                                                           << (i % 2 * 16);
                    four.guide |= (unsigned)__ldg(guide + i) << (i * 8);
                }
            }
        }
        y++;
        mask += width;
        guide += width;
        return four;
    }
};

/* Sums over three columns of a row. */
__device__ __forceinline__ void sum_row(pixels four, sums *three)
{
    sums one[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        one[i] = sums_of(four.guide >> (i * 8) & 0xffu,
                         (i < 2 ? four.mask.x : four.mask.y) >> (i % 2 * 16) & 0xffffu);
    const sums left = shuffle_up(one[COLUMNS - 1]), right = shuffle_down(one[0]);
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        three[i] = add(i > 0 ? one[i - 1] : left, one[i], i + 1 < COLUMNS ? one[i + 1] : right);
}

/* Slope and offset. The differences are exact integers; `epsilon` is in units of the guide's code
 * squared. */
__device__ __forceinline__ float2 solve(sums s, const window &column, const window &row,
                                        float epsilon)
{
    const int n = column.count * row.count;
    const int guide = (int)(s.guide >> 20), square = (int)(s.guide & 0xfffffu);
    const int var = square * n - guide * guide;
    const int cov = (int)s.product * n - guide * (int)s.mask;
    const float least = column.squared * row.squared * epsilon;
    const float slope = (float)cov * (column.scale * row.scale) * reciprocal((float)var + least);
    const float offset = (float)s.mask * (1.0f / 32767.0f) - slope * (float)guide * (1.0f / 255.0f);
    return make_float2(slope, offset * (column.inverse * row.inverse));
}

/* Sums over three columns of a row of coefficients. */
__device__ __forceinline__ void sum_coefficients(const float2 *one, float2 *three)
{
    const float2 left = shuffle_up(one[COLUMNS - 1]), right = shuffle_down(one[0]);
    const float2 first = one[0] + one[1], second = one[2] + one[3];
    three[0] = left + first;
    three[1] = first + one[2];
    three[2] = one[1] + second;
    three[3] = second + right;
}

template <bool WHOLE>
__device__ __forceinline__ void store_row(float2 *to, int count, const float2 *mean)
{
    if (WHOLE) {
        reinterpret_cast<float4 *>(to)[0] = make_float4(mean[0].x, mean[0].y, mean[1].x, mean[1].y);
        reinterpret_cast<float4 *>(to)[1] = make_float4(mean[2].x, mean[2].y, mean[3].x, mean[3].y);
    }
#pragma unroll
    for (int i = 0; i < (WHOLE ? 0 : COLUMNS); i++)
        if (i < count)
            to[i] = mean[i];
}

/* A march: sums of the last rows, each of three columns. Two rows are kept; which is the older one
 * changes from row to row. */
struct march {
    sums row[2][COLUMNS];
    float2 coefficient[2][COLUMNS];
    float inverse; /* rows of the window above the one that is solved */
    float2 *to;    /* the next row of means */
};

/* Takes row y in, the `step`th of the march: row y - 1 gets coefficients when three rows are there,
 * row y - 2 means when three rows have coefficients. ODD is the parity of `step`. */
template <int ODD, bool WHOLE>
__device__ __forceinline__ void take_row(const vrs_guided_params &p, const place &at,
                                         const window *column, march &m, pixels four, int step)
{
    const int y = at.begin - 2 + step;
    sums three[COLUMNS];
    sum_row(four, three);
    if (step >= 2) {
        const window row(y - 1, p.height, 1);
        float2 solved[COLUMNS], mean[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            solved[i] = solve(add(m.row[0][i], m.row[1][i], three[i]), column[i], row,
                              p.epsilon * 65025.0f);
        sum_coefficients(solved, mean);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float2 sum = m.coefficient[0][i] + m.coefficient[1][i] + mean[i];
            const float factor = column[i].inverse * m.inverse;
            m.coefficient[ODD][i] = mean[i];
            mean[i] = make_float2(sum.x * factor, sum.y * factor);
        }
        m.inverse = row.inverse;
        if (step >= 4) {
            if (at.store && y - 2 < at.end)
                store_row<WHOLE>(m.to, p.width - at.x, mean);
            m.to += p.width;
        }
    }
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        m.row[ODD][i] = three[i];
}

template <bool WHOLE>
__device__ __forceinline__ void guided(const vrs_guided_params &p, const vrs_guided_view &v)
{
    const place at(p);
    window column[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        column[i] = window(at.x + i, p.width, SCALE);
    march m = {};
    m.to = vrs_at<float2>(v.coefficients) + (int64_t)at.begin * p.width + at.x;
    source<WHOLE> from(p, v, at);
    pixels row[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++)
        row[i] = from.next();
#pragma unroll 1
    for (int step = 0; step < p.rows + 4; step += AHEAD) {
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const pixels four = row[i];
            row[i] = from.next();
            if (i % 2 == 0)
                take_row<0, WHOLE>(p, at, column, m, four, step + i);
            else
                take_row<1, WHOLE>(p, at, column, m, four, step + i);
        }
    }
}

/* Radius 1. Grid: x: 4 warps of WARP_GROUPS groups, z: views. */
extern "C" __global__ void __launch_bounds__(128, 4)
    vrs_guided(const __grid_constant__ vrs_guided_params p)
{
    const vrs_guided_view &v = p.view[blockIdx.z];
    if (p.width % COLUMNS == 0 && ((v.mask | v.coefficients) & 15) == 0 && (v.guide & 3) == 0)
        guided<true>(p, v);
    else
        guided<false>(p, v);
}
