/* Guided filter: linear coefficients at the network's size, for a batch of views in one launch.
 *
 * Bytes: 2 of the mask, 1 of the guide, 8 of the coefficients a pixel; 512x512, 8 views: 23 MB,
 * 5.4 us at 4.3 TB/s. At radius 1 (the default) everything stays in registers: a lane marches down
 * four columns with sums of three rows, what neighbours hold comes by shuffles. A row takes about
 * 210 instructions of a warp, of which strips of 12 do a third again: 4.7 million in all, 4.5 us at
 * full rate. But a mask of 512x512 has few rows of work for a lane, three warps for each scheduler,
 * so that latency decides: rows are asked for AHEAD rows before they are needed.
 *
 * Sums are integers; mean(I p) - mean(I) mean(p) is taken as n sum(I p) - sum(I) sum(p), exactly,
 * so that no double is needed. */
#include "postprocess.cuh"

#define ALL 0xffffffffu
#define COLUMNS 4
#define WARP_GROUPS 30 /* groups of columns that come out of a warp's 32 */
#define AHEAD 4        /* rows that are on their way */
#define SCALE (255.0f / 32767.0f)
#define GUIDE_SHIFT 20

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

/* How many of three neighbouring rows (columns) around one lie inside; 0 where that one itself lies
 * outside. */
__device__ __forceinline__ int inside_of_three(int at, int size)
{
    return (unsigned)at < (unsigned)size ? 3 - (at == 0) - (at == size - 1) : 0;
}

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

/* Sums over three columns of a row. The word with the guide's code in both fields comes from one
 * permutation of bytes. */
__device__ __forceinline__ void sum_row(pixels four, sums *three)
{
    sums one[COLUMNS];
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        const unsigned guide = __byte_perm(four.guide, 0, 0x4440 + i);
        const unsigned mask =
            __byte_perm(i < 2 ? four.mask.x : four.mask.y, 0, i % 2 ? 0x4432 : 0x4410);
        one[i] = {guide * __byte_perm(four.guide, 1u << GUIDE_SHIFT, 0x7640 + i), mask,
                  guide * mask};
    }
    const sums left = shuffle_up(one[COLUMNS - 1]), right = shuffle_down(one[0]);
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        three[i] = add(i > 0 ? one[i - 1] : left, one[i], i + 1 < COLUMNS ? one[i + 1] : right);
}

/* What follows for windows of `n` pixels around a row from how many rows and columns of them are
 * inside. KINDS of columns differ: where groups are whole, the first, those between and the last;
 * else each. What lies outside gets coefficients of nothing, so that means need not know. */
template <bool WHOLE> struct windows {
    static constexpr int KINDS = WHOLE ? 3 : COLUMNS;
    int columns[KINDS]; /* inside */
    int interior;       /* the last so many rows have all of their windows' rows inside */
    int n[KINDS];
    float least[KINDS];      /* what is added to the variance, as it is in solve() */
    float of_offset[KINDS];  /* 1 / (32767 n) */
    float inverse[2][KINDS]; /* 1 / n, of the last two rows */

    static __device__ __forceinline__ int kind(int i)
    {
        return !WHOLE ? i : i == 0 ? 0 : i == COLUMNS - 1 ? 2 : 1;
    }

    __device__ __forceinline__ windows(int x, int width) : interior(0)
    {
#pragma unroll
        for (int k = 0; k < KINDS; k++)
            columns[k] = inside_of_three(x + (WHOLE && k == 2 ? COLUMNS - 1 : k), width);
    }

    /* To row y. */
    template <int ODD> __device__ __forceinline__ void move(int y, int height, float epsilon)
    {
        interior = (unsigned)(y - 1) < (unsigned)(height - 2) ? interior + 1 : 0;
        if (interior > 2) /* both rows' factors are those already */
            return;
        const int rows = inside_of_three(y, height);
#pragma unroll
        for (int k = 0; k < KINDS; k++) {
            n[k] = columns[k] * rows;
            const float count = (float)n[k];
            least[k] = n[k] > 0 ? epsilon / SCALE * count * count : 1e30f;
            inverse[ODD][k] = n[k] > 0 ? vrs_reciprocal(count) : 0;
            of_offset[k] = inverse[ODD][k] * (1.0f / 32767.0f);
        }
    }

    /* Slope and offset. The differences are exact integers; `epsilon` was in units of the guide's
     * code squared. */
    __device__ __forceinline__ float2 solve(sums s, int i) const
    {
        const int k = kind(i), guide = (int)(s.guide >> GUIDE_SHIFT),
                  square = (int)(s.guide & ((1u << GUIDE_SHIFT) - 1));
        const int var = square * n[k] - guide * guide;
        const int cov = (int)s.product * n[k] - guide * (int)s.mask;
        const float slope = (float)cov * vrs_reciprocal(__fmaf_rn((float)var, 1 / SCALE, least[k]));
        const float offset = __fmaf_rn(-slope, (float)guide * (1 / SCALE), (float)s.mask);
        return make_float2(slope, offset * of_offset[k]);
    }
};

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
template <bool WHOLE> struct march {
    sums row[2][COLUMNS];
    float2 coefficient[2][COLUMNS];
    windows<WHOLE> window;
    float2 *to; /* the next row of means */

    /* Takes row y in, the `step`th of the march: row y - 1 gets coefficients when three rows are
     * there, row y - 2 means when three rows have coefficients. ODD is the parity of `step`. */
    template <int ODD>
    __device__ __forceinline__ void take(const vrs_guided_params &p, const place &at, float epsilon,
                                         pixels four, int step)
    {
        const int y = at.begin - 2 + step;
        sums three[COLUMNS];
        sum_row(four, three);
        if (step >= 2) {
            float2 solved[COLUMNS], mean[COLUMNS];
            window.template move<ODD>(y - 1, p.height, epsilon);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                solved[i] = window.solve(add(row[0][i], row[1][i], three[i]), i);
            sum_coefficients(solved, mean);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++) {
                const int k = windows<WHOLE>::kind(i);
                const float2 sum = coefficient[0][i] + coefficient[1][i] + mean[i];
                coefficient[ODD][i] = mean[i];
                const float factor = window.inverse[1 - ODD][k];
                mean[i] = make_float2(sum.x * factor, sum.y * factor);
            }
            if (step >= 4) {
                if (at.store && y - 2 < at.end)
                    store_row<WHOLE>(to, p.width - at.x, mean);
                to += p.width;
            }
        }
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            row[ODD][i] = three[i];
    }
};

template <bool WHOLE>
__device__ __forceinline__ void guided(const vrs_guided_params &p, const vrs_guided_view &v)
{
    const place at(p);
    march<WHOLE> m = {{}, {}, windows<WHOLE>(at.x, p.width)};
    m.to = vrs_at<float2>(v.coefficients) + (int64_t)at.begin * p.width + at.x;
    const float epsilon = p.epsilon * 65025.0f;
    source<WHOLE> from(p, v, at);
    pixels row[AHEAD];
#pragma unroll
    for (int i = 0; i < AHEAD; i++)
        row[i] = from.next();
#pragma unroll 1
    for (int step = 0; step < p.rows + 4; step += AHEAD) {
#pragma unroll
        for (int i = 0; i < AHEAD; i++) { /* the next row is asked for when this one is used up */
            if (i % 2 == 0)
                m.template take<0>(p, at, epsilon, row[i], step + i);
            else
                m.template take<1>(p, at, epsilon, row[i], step + i);
            row[i] = from.next();
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
