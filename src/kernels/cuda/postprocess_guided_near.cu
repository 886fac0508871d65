/* The guided filter at radii up to VRS_POST_GUIDED_RADIUS other than 1, in two steps: coefficients
 * of each window, their means. A warp marches down by itself, as in feathering at small radii.
 *
 * Bytes: the first reads 3 and writes 8 a pixel, the second reads 8 and writes 8; 512x512, 8 views:
 * 23 MB, 7.6 us, and 33.6 MB, 11.1 us at 3.03 TB/s (an H100); the L2 keeps what goes from one to
 * the other. Instructions and their order are the limit: at radius 4 a pixel takes 150 in the
 * first and 76 in the second, 11 and 6 us at full rate, of which half and a third are reached, as a
 * mask has few rows of work for a warp and each row waits for its scans. A loop's body is one row:
 * with four of them warps wait for instructions, and all takes half as long again.
 *
 * Codes are taken around their middles: covariances and variances do not change, and sums fit 32
 * bits. What goes between the steps is integers in units of 1 / p.unit, chosen so that no window's
 * sum exceeds 2^31: nothing drifts, and totals may wrap. */
#include "postprocess_near.cuh"

#define COLUMNS VRS_NEAR_COLUMNS
#define WARPS 4
#define SCALE (255.0f / 32767.0f)
#define MIDDLE_GUIDE 128
#define MIDDLE_MASK 16384
#define OUTSIDE_GUIDE 0x80808080u
#define OUTSIDE_MASK 0x40004000u

/* A lane's place: four columns from x on, rows from `begin` on that come out. */
struct place {
    int lane, lanes, x, count; /* count: of results from the lane's first column on */
    int begin, end;

    __device__ __forceinline__ place(const vrs_guided_params &p)
    {
        const int edge = vrs_near_edge(p.radius);
        lane = threadIdx.x % 32;
        lanes = p.radius / COLUMNS;
        x = ((int)blockIdx.x * (32 - 2 * edge) - edge + lane) * COLUMNS;
        count = lane >= edge && lane < 32 - edge ? p.width - x : 0;
        begin = ((int)blockIdx.y * WARPS + (int)threadIdx.x / 32) * p.rows;
        end = min(begin + p.rows, p.height);
    }
};

/* Two codes of 15 bits less their middle: their upper bit turned over, and the sign for it. */
__device__ __forceinline__ unsigned around_middle(unsigned two)
{
    const unsigned turned = two ^ OUTSIDE_MASK;
    return turned | (turned << 1 & 0x80008000u);
}

/* Four pixels of a row as they are stored, and then around their middles: bytes of the guide, pairs
 * of the mask. What lies outside is in the middle. */
struct pixels {
    uint2 mask;
    unsigned guide;

    __device__ __forceinline__ pixels around() const
    {
        return {make_uint2(around_middle(mask.x), around_middle(mask.y)), guide ^ OUTSIDE_GUIDE};
    }

    __device__ __forceinline__ int get_guide(int i) const
    {
        return (int8_t)(guide >> (8 * i));
    }

    __device__ __forceinline__ int get_mask(int i) const
    {
        return (int16_t)((i < 2 ? mask.x : mask.y) >> (i % 2 * 16));
    }
};

/* Rows of mask and guide. WHOLE: rows are aligned for accesses of four
 * columns. */
template <bool WHOLE> struct sources {
    typedef pixels row;
    const uint16_t *mask;
    const uint8_t *guide;
    int x, width, height;

    __device__ __forceinline__ sources(const vrs_guided_params &p, const vrs_guided_view &v, int at)
        : mask(vrs_at<const uint16_t>(v.mask) + at), guide(vrs_at<const uint8_t>(v.guide) + at),
          x(at), width(p.width), height(!WHOLE || (unsigned)at < (unsigned)p.width ? p.height : 0)
    {
    }

    __device__ __forceinline__ pixels load(int y) const
    {
        pixels four = {make_uint2(OUTSIDE_MASK, OUTSIDE_MASK), OUTSIDE_GUIDE};
        if ((unsigned)y >= (unsigned)height)
            return four;
        const int64_t at = (int64_t)y * width;
        if (WHOLE) {
            four.mask = __ldg(reinterpret_cast<const uint2 *>(mask + at));
            four.guide = __ldg(reinterpret_cast<const unsigned *>(guide + at));
        }
#pragma unroll
        for (int i = 0; i < (WHOLE ? 0 : COLUMNS); i++) {
            if ((unsigned)(x + i) < (unsigned)width) {
                const unsigned code = (unsigned)__ldg(mask + at + i) ^ MIDDLE_MASK;
                (i < 2 ? four.mask.x : four.mask.y) ^= code << (i % 2 * 16);
                four.guide ^= ((unsigned)__ldg(guide + at + i) ^ MIDDLE_GUIDE) << (8 * i);
            }
        }
        return four;
    }
};

/* Sums of codes down a lane's columns, or over its windows. */
struct code_sums {
    unsigned guide[COLUMNS], square[COLUMNS], mask[COLUMNS], product[COLUMNS];

    __device__ __forceinline__ void add(const pixels &stored, int sign)
    {
        const pixels four = stored.around();
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const int guide_code = four.get_guide(i), mask_code = four.get_mask(i);
            const int signed_guide = sign * guide_code;
            guide[i] += (unsigned)signed_guide;
            square[i] += (unsigned)(signed_guide * guide_code);
            mask[i] += (unsigned)(sign * mask_code);
            product[i] += (unsigned)(signed_guide * mask_code);
        }
    }

    template <int REST>
    __device__ __forceinline__ void windows(int lane, int lanes, code_sums &to) const
    {
        vrs_near_windows<REST>(guide, lane, lanes, to.guide);
        vrs_near_windows<REST>(square, lane, lanes, to.square);
        vrs_near_windows<REST>(mask, lane, lanes, to.mask);
        vrs_near_windows<REST>(product, lane, lanes, to.product);
    }

    /* Slope and offset of column i's window of n pixels, in units of 1 / `unit`; `least` is what is
     * added to the variance, in units of the guide's code squared. The variance's difference is
     * rounded once, the covariance's is exact (41 bits) and then rounded: in two parts, as wide
     * integers are slow to turn into floats. */
    __device__ __forceinline__ int2 solve(int i, int n, float least, float unit) const
    {
        const int guide_sum = (int)guide[i], mask_sum = (int)mask[i];
        const float count = (float)n, mean_factor = vrs_reciprocal(count),
                    of_guide = (float)guide_sum;
        const float square_of_sum = of_guide * of_guide;
        const float rest = __fmaf_rn(of_guide, of_guide, -square_of_sum);
        const float var = __fmaf_rn((float)(int)square[i], count, -square_of_sum) - rest;
        const long long exact = (long long)(int)product[i] * n - (long long)guide_sum * mask_sum;
        const float cov =
            __fmaf_rn((float)(int)(exact >> 16), 65536.0f, (float)((unsigned)exact & 0xffffu));
        const float slope = cov * SCALE * vrs_reciprocal(__fmaf_rn(least * count, count, var));
        const float all_mask = (float)(mask_sum + MIDDLE_MASK * n) * (1.0f / 32767.0f);
        const float all_guide = (float)(guide_sum + MIDDLE_GUIDE * n) * (1.0f / 255.0f);
        const float offset = __fmaf_rn(-slope, all_guide, all_mask) * mean_factor;
        return make_int2(__float2int_rn(slope * unit), __float2int_rn(offset * unit));
    }
};

/* Four pairs in a row of pairs. */
template <bool WHOLE, typename PAIR, typename FOUR>
__device__ __forceinline__ void store_pairs(PAIR *to, int count, const PAIR *value)
{
    if (WHOLE && count > 0) {
        reinterpret_cast<FOUR *>(to)[0] = {value[0].x, value[0].y, value[1].x, value[1].y};
        reinterpret_cast<FOUR *>(to)[1] = {value[2].x, value[2].y, value[3].x, value[3].y};
    }
#pragma unroll
    for (int i = 0; i < (WHOLE ? 0 : COLUMNS); i++)
        if (i < count)
            to[i] = value[i];
}

/* From codes to coefficients. */
template <bool WHOLE> struct solving {
    typedef sources<WHOLE> source;
    typedef code_sums sums;
    int2 *to;
    int columns[COLUMNS]; /* of windows, inside */
    float least, unit;

    __device__ __forceinline__ solving(const vrs_guided_params &p, const vrs_guided_view &v,
                                       const place &at)
        : to(vrs_at<int2>(v.once) + at.x), least(p.epsilon * 65025.0f), unit(p.unit)
    {
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            columns[i] = max(vrs_window_count(at.x + i, p.width, p.radius), 1);
    }

    __device__ __forceinline__ void put(const code_sums &window, int rows, int64_t row, int count)
    {
        int2 solved[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            solved[i] = window.solve(i, columns[i] * rows, least, unit);
        store_pairs<WHOLE, int2, int4>(to + row, count, solved);
    }
};

/* Coefficients of four pixels: slope and offset of each. */
struct coefficients {
    int4 two[2];

    __device__ __forceinline__ int slope(int i) const
    {
        return i % 2 ? two[i / 2].z : two[i / 2].x;
    }

    __device__ __forceinline__ int offset(int i) const
    {
        return i % 2 ? two[i / 2].w : two[i / 2].y;
    }
};

template <bool WHOLE> struct coefficient_rows {
    typedef coefficients row;
    const int2 *from;
    int x, width, height;

    __device__ __forceinline__ coefficient_rows(const vrs_guided_params &p,
                                                const vrs_guided_view &v, int at)
        : from(vrs_at<const int2>(v.once) + at), x(at), width(p.width),
          height(!WHOLE || (unsigned)at < (unsigned)p.width ? p.height : 0)
    {
    }

    __device__ __forceinline__ coefficients load(int y) const
    {
        coefficients four = {};
        if ((unsigned)y >= (unsigned)height)
            return four;
        const int2 *at = from + (int64_t)y * width;
        if (WHOLE) {
            four.two[0] = __ldg(reinterpret_cast<const int4 *>(at));
            four.two[1] = __ldg(reinterpret_cast<const int4 *>(at) + 1);
        }
#pragma unroll
        for (int i = 0; i < (WHOLE ? 0 : COLUMNS); i++) {
            if ((unsigned)(x + i) < (unsigned)width) {
                const int2 pair = __ldg(at + i);
                (i % 2 ? four.two[i / 2].z : four.two[i / 2].x) = pair.x;
                (i % 2 ? four.two[i / 2].w : four.two[i / 2].y) = pair.y;
            }
        }
        return four;
    }
};

struct coefficient_sums {
    unsigned slope[COLUMNS], offset[COLUMNS];

    __device__ __forceinline__ void add(const coefficients &four, int sign)
    {
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            slope[i] += (unsigned)(sign * four.slope(i));
            offset[i] += (unsigned)(sign * four.offset(i));
        }
    }

    template <int REST>
    __device__ __forceinline__ void windows(int lane, int lanes, coefficient_sums &to) const
    {
        vrs_near_windows<REST>(slope, lane, lanes, to.slope);
        vrs_near_windows<REST>(offset, lane, lanes, to.offset);
    }
};

/* From coefficients to their means. */
template <bool WHOLE> struct averaging {
    typedef coefficient_rows<WHOLE> source;
    typedef coefficient_sums sums;
    float2 *to;
    float factor[COLUMNS]; /* 1 / (columns of a window * unit) */

    __device__ __forceinline__ averaging(const vrs_guided_params &p, const vrs_guided_view &v,
                                         const place &at)
        : to(vrs_at<float2>(v.coefficients) + at.x)
    {
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            factor[i] = 1 / ((float)max(vrs_window_count(at.x + i, p.width, p.radius), 1) * p.unit);
    }

    __device__ __forceinline__ void put(const coefficient_sums &window, int rows, int64_t row,
                                        int count)
    {
        const float of_rows = vrs_reciprocal((float)rows);
        float2 mean[COLUMNS];
#pragma unroll
        for (int i = 0; i < COLUMNS; i++) {
            const float by = factor[i] * of_rows;
            mean[i] =
                make_float2((float)(int)window.slope[i] * by, (float)(int)window.offset[i] * by);
        }
        store_pairs<WHOLE, float2, float4>(to + row, count, mean);
    }
};

/* Down a strip: STEP is what each row of windows is for. */
template <int REST, typename STEP>
__device__ __forceinline__ void march(const vrs_guided_params &p, const vrs_guided_view &v,
                                      const place &at)
{
    typedef typename STEP::source source;
    STEP step(p, v, at);
    const source from(p, v, at.x);
    typename STEP::sums sums = {};
    typename source::row enter = from.load(at.begin + p.radius);
    typename source::row leave = from.load(at.begin - p.radius);
#pragma unroll 4
    for (int y = at.begin - p.radius; y < at.begin + p.radius; y++)
        sums.add(from.load(y), 1);
        /* One row at a time: the code of more of them does not fit the instruction caches. */
#pragma unroll 1
    for (int y = at.begin; y < at.end; y++) {
        typename STEP::sums window;
        sums.add(enter, 1);
        enter = from.load(y + 1 + p.radius);
        sums.template windows<REST>(at.lane, at.lanes, window);
        sums.add(leave, -1);
        leave = from.load(y + 1 - p.radius);
        step.put(window, vrs_window_count(y, p.height, p.radius), (int64_t)y * p.width, at.count);
    }
}

template <bool WHOLE, template <bool> class STEP>
__device__ __forceinline__ void march_any(const vrs_guided_params &p, const vrs_guided_view &v,
                                          const place &at)
{
    switch (p.radius % COLUMNS) {
    case 0:
        march<0, STEP<WHOLE>>(p, v, at);
        break;
    case 1:
        march<1, STEP<WHOLE>>(p, v, at);
        break;
    case 2:
        march<2, STEP<WHOLE>>(p, v, at);
        break;
    default:
        march<3, STEP<WHOLE>>(p, v, at);
    }
}

template <template <bool> class STEP>
__device__ __forceinline__ void guided(const vrs_guided_params &p)
{
    const vrs_guided_view &v = p.view[blockIdx.z];
    const place at(p);
    if (at.begin >= p.height)
        return;
    const bool aligned = ((v.mask | v.once | v.coefficients) & 15) == 0 && (v.guide & 3) == 0;
    if (p.width % COLUMNS == 0 && aligned)
        march_any<true, STEP>(p, v, at);
    else
        march_any<false, STEP>(p, v, at);
}

/* Grid of both: x: groups of columns of a warp, of which the first and the last `radius` (in whole
 * lanes) are for windows alone, y: WARPS strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(32 * WARPS, 5)
    vrs_guided_solve_near(const __grid_constant__ vrs_guided_params p)
{
    guided<solving>(p);
}

extern "C" __global__ void __launch_bounds__(32 * WARPS, 5)
    vrs_guided_mean_near(const __grid_constant__ vrs_guided_params p)
{
    guided<averaging>(p);
}
