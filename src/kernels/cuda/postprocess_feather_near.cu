/* One of the two boxes of feathering at small radii, for a batch of views in one launch.
 *
 * Bytes: 2 in, 2 out a pixel; 1080p, 8 views: 66 MB, 15.5 us at 4.3 TB/s, each of the two boxes. A
 * warp marches down by itself, a lane four columns: running sums down the columns, a total along
 * the row by a scan over the lanes, of which two shuffles give a window's sum at any radius. No
 * barrier, no shared memory; a row takes 85 instructions of a warp, 21 a pixel: 12 us at full rate.
 * The row that leaves a window is read again, from the caches; rows are asked for AHEAD rows before
 * they are needed. */
#include "postprocess_near.cuh"

#define ALL VRS_NEAR_ALL
#define COLUMNS VRS_NEAR_COLUMNS
#define WARPS 4
#define AHEAD 4

/* Four pixels of a row: two words of two. */
struct row_words {
    uint2 word;

    __device__ __forceinline__ unsigned get(int i) const
    {
        return __byte_perm(i < 2 ? word.x : word.y, 0, i % 2 ? 0x4432 : 0x4410);
    }
};

/* A lane's columns from x on, held inside the picture as are the rows. WHOLE: all lanes' columns
 * are inside, and aligned for one access a row. */
template <bool WHOLE> struct columns {
    const int16_t *from;
    int stride, x, last, bottom;

    __device__ __forceinline__ columns(const vrs_box_view &v, int column)
        : from(vrs_at<const int16_t>(v.src) + (WHOLE ? column : 0)), stride(v.src_stride),
          x(column), last(v.width - 1), bottom(v.height - 1)
    {
    }

    __device__ __forceinline__ unsigned at(const int16_t *row, int column) const
    {
        return (unsigned)__ldg(row + max(min(column, last), 0));
    }

    __device__ __forceinline__ row_words load(int y) const
    {
        const int16_t *row = from + (int64_t)max(min(y, bottom), 0) * stride;
        if (WHOLE)
            return {__ldg(reinterpret_cast<const uint2 *>(row))};
        return {
            make_uint2(at(row, x) | at(row, x + 1) << 16, at(row, x + 2) | at(row, x + 3) << 16)};
    }
};

/* Whether columns<true> is for a warp, and results go in words too. */
__device__ __forceinline__ bool is_whole(const vrs_box_view &v, int x)
{
    const bool aligned = ((v.src | v.dst) & 7) == 0 && (v.src_stride | v.dst_stride) % 4 == 0;
    return __all_sync(ALL, aligned && x >= 0 && x + COLUMNS <= v.width);
}

/* A row of results at `to`, of which `count` are left from the lane's first column on. */
template <bool WHOLE>
__device__ __forceinline__ void store(int16_t *to, int count, const unsigned *value)
{
    if (WHOLE && count > 0)
        *reinterpret_cast<uint2 *>(to) = make_uint2(__byte_perm(value[0], value[1], 0x5410),
                                                    __byte_perm(value[2], value[3], 0x5410));
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        if (!WHOLE && i < count)
            to[i] = (int16_t)value[i];
}

/* Where a warp's lanes are: those within the radius of its ends are for windows alone. */
struct place {
    int lane, lanes, x, count; /* count: of results from the lane's first column on */

    __device__ __forceinline__ place(const vrs_box_params &p, const vrs_box_view &v)
    {
        const int warp = blockIdx.x * WARPS + threadIdx.x / 32;
        lane = threadIdx.x % 32;
        lanes = p.radius / COLUMNS;
        const int edge = vrs_near_edge(p.radius);
        x = (warp * (32 - 2 * edge) - edge + lane) * COLUMNS;
        count = lane >= edge && lane < 32 - edge ? v.width - x : 0;
    }
};

template <int REST, bool WHOLE>
__device__ __forceinline__ void march(const vrs_box_params &p, const vrs_box_view &v,
                                      const place &at)
{
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, v.height);
    const columns<WHOLE> from(v, at.x);
    const unsigned half = (unsigned)((2 * p.radius + 1) * (2 * p.radius + 1)) / 2;
    int16_t *to = vrs_at<int16_t>(v.dst) + (int64_t)begin * v.dst_stride + at.x;
    unsigned sum[COLUMNS] = {};
    row_words enter[AHEAD], leave[AHEAD];
#pragma unroll
    for (int k = 0; k < AHEAD; k++) {
        enter[k] = from.load(begin + p.radius + k);
        leave[k] = from.load(begin - p.radius + k);
    }
#pragma unroll 4
    for (int y = begin - p.radius; y < begin + p.radius; y++) {
        const row_words row = from.load(y);
#pragma unroll
        for (int i = 0; i < COLUMNS; i++)
            sum[i] += row.get(i);
    }
#pragma unroll 1
    for (int y = begin; y < end; y += AHEAD) {
#pragma unroll
        for (int k = 0; k < AHEAD; k++) {
            unsigned window[COLUMNS];
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                sum[i] += enter[k].get(i);
            vrs_near_windows<REST>(sum, at.lane, at.lanes, window);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++) {
                sum[i] -= leave[k].get(i);
                window[i] = __umulhi(window[i] + half, p.factor) >> p.shift;
            }
            enter[k] = from.load(y + k + AHEAD + p.radius);
            leave[k] = from.load(y + k + AHEAD - p.radius);
            if (y + k < end)
                store<WHOLE>(to, at.count, window);
            to += v.dst_stride;
        }
    }
}

template <int REST>
__device__ __forceinline__ void march_any(const vrs_box_params &p, const vrs_box_view &v)
{
    const place at(p, v);
    if (!__any_sync(ALL, at.count > 0) || (int)blockIdx.y * p.rows >= v.height)
        return;
    if (is_whole(v, at.x))
        march<REST, true>(p, v, at);
    else
        march<REST, false>(p, v, at);
}

/* Radii up to VRS_POST_NEAR_RADIUS. Grid: x: WARPS groups of columns, of which the first and the
 * last `radius` (in whole lanes) are for windows alone, y: strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(32 * WARPS, 6)
    vrs_box_near(const __grid_constant__ vrs_box_params p)
{
    const vrs_box_view &v = p.view[blockIdx.z];
    switch (p.radius % COLUMNS) {
    case 0:
        march_any<0>(p, v);
        break;
    case 1:
        march_any<1>(p, v);
        break;
    case 2:
        march_any<2>(p, v);
        break;
    default:
        march_any<3>(p, v);
    }
}
