/* One of the two boxes of feathering, for a batch of views in one launch.
 *
 * Bytes: 2 in, 2 out a pixel; 1080p, 8 views: 66 MB, 15.5 us at 4.3 TB/s, each of the two boxes. A
 * block marches down in steps of STEP rows. Each thread keeps running sums down its columns and
 * puts those of a step's rows into shared memory, two rows side by side; then lanes run along
 * SEGMENT columns of two rows. So a step has two barriers, and an access to shared memory serves
 * two rows. Expected: about 12 instructions a pixel down and 12 along, with 6 * radius / rows more
 * for a strip's first windows: 14 us at radius 4 and full rate. The row that leaves a window is
 * read again, from the L2. */
#include "postprocess.cuh"

#define COLUMNS 4 /* of a thread */
#define THREADS 256
#define STEP 8
#define SEGMENT 16
#define ALL_COLUMNS (COLUMNS * THREADS)

/* Sums of two rows at each column; one place is left out behind each SEGMENT, so that lanes a
 * segment apart meet no bank conflict. And sums over whole segments, for first windows. */
struct step_sums {
    uint2 pair[STEP / 2][ALL_COLUMNS + ALL_COLUMNS / SEGMENT];
    uint2 segment[STEP / 2][ALL_COLUMNS / SEGMENT];
};

__device__ __forceinline__ int place(int column)
{
    return column + column / SEGMENT;
}

/* Over the lanes that have a segment's columns. */
__device__ __forceinline__ unsigned over_segment(unsigned sum)
{
#pragma unroll
    for (int step = 1; step < SEGMENT / COLUMNS; step *= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, step);
    return sum;
}

/* A thread's columns from x on, held inside the picture; `whole`: all inside, and aligned for one
 * access a row. */
struct columns {
    const int16_t *from;
    int64_t stride;
    int x, last, bottom;
    bool whole;

    __device__ __forceinline__ columns(const vrs_box_view &v, int column)
        : from(vrs_at<const int16_t>(v.src)), stride(v.src_stride), x(column), last(v.width - 1),
          bottom(v.height - 1)
    {
        whole = x >= 0 && x + COLUMNS <= v.width && ((v.src + 2 * (int64_t)x) & 7) == 0 &&
                v.src_stride % 4 == 0;
    }

    __device__ __forceinline__ short4 load(int y) const
    {
        const int16_t *row = from + max(min(y, bottom), 0) * stride;
        if (whole)
            return __ldg(reinterpret_cast<const short4 *>(row + x));
        return make_short4(__ldg(row + max(min(x, last), 0)), __ldg(row + max(min(x + 1, last), 0)),
                           __ldg(row + max(min(x + 2, last), 0)),
                           __ldg(row + max(min(x + 3, last), 0)));
    }
};

__device__ __forceinline__ void add_row(int *sum, short4 row, int sign)
{
    sum[0] += sign * row.x;
    sum[1] += sign * row.y;
    sum[2] += sign * row.z;
    sum[3] += sign * row.w;
}

/* A step's rows from y on. */
struct step_rows {
    short4 row[STEP];

    __device__ __forceinline__ void load(const columns &from, int y)
    {
#pragma unroll
        for (int i = 0; i < STEP; i++)
            row[i] = from.load(y + i);
    }
};

/* Down: the sums of a step's rows. */
__device__ __forceinline__ void sum_down(step_sums &s, const step_rows &enter,
                                         const step_rows &leave, int *sum)
{
    const int first = place(threadIdx.x * COLUMNS);
#pragma unroll
    for (int p = 0; p < STEP / 2; p++) {
        unsigned upper[COLUMNS];
        add_row(sum, enter.row[2 * p], 1);
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            upper[c] = (unsigned)sum[c];
        add_row(sum, leave.row[2 * p], -1);
        add_row(sum, enter.row[2 * p + 1], 1);
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            s.pair[p][first + c] = make_uint2(upper[c], (unsigned)sum[c]);
        const uint2 all = make_uint2(over_segment(upper[0] + upper[1] + upper[2] + upper[3]),
                                     over_segment((unsigned)(sum[0] + sum[1] + sum[2] + sum[3])));
        if (threadIdx.x % (SEGMENT / COLUMNS) == 0)
            s.segment[p][threadIdx.x * COLUMNS / SEGMENT] = all;
        add_row(sum, leave.row[2 * p + 1], -1);
    }
}

/* Eight results of a row. */
__device__ __forceinline__ void store(const vrs_box_view &v, int x, int y, int count,
                                      const unsigned *result)
{
    int16_t *row = vrs_at<int16_t>(v.dst) + (int64_t)y * v.dst_stride + x;
    if (count >= 8 && (reinterpret_cast<uint64_t>(row) & 15) == 0) {
        uint32_t word[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            word[i] = __byte_perm(result[2 * i], result[2 * i + 1], 0x5410);
        *reinterpret_cast<uint4 *>(row) = make_uint4(word[0], word[1], word[2], word[3]);
        return;
    }
#pragma unroll
    for (int i = 0; i < 8; i++)
        if (i < count)
            row[i] = (int16_t)result[i];
}

/* Where a segment of a step is in the picture. */
struct place_along {
    int pair, segment; /* rows and columns of the step */
    int x, y, count, rows;
};

__device__ __forceinline__ uint2 operator+(uint2 a, uint2 b)
{
    return make_uint2(a.x + b.x, a.y + b.y);
}

__device__ __forceinline__ uint2 operator-(uint2 a, uint2 b)
{
    return make_uint2(a.x - b.x, a.y - b.y);
}

/* Along: a lane's segment of two rows. The window's right end runs through the rest of one segment
 * and then through the next one. */
__device__ __forceinline__ void sum_along(const vrs_box_params &p, const vrs_box_view &v,
                                          const step_sums &s, place_along at)
{
    const unsigned half = (unsigned)((2 * p.radius + 1) * (2 * p.radius + 1)) / 2;
    const int whole = 2 * p.radius / SEGMENT, rest = 2 * p.radius % SEGMENT;
    const uint2 *leave = s.pair[at.pair] + at.segment * (SEGMENT + 1);
    const uint2 *enter = leave + whole * (SEGMENT + 1);
    uint2 sum = make_uint2(half, half);
    for (int k = 0; k < whole; k++)
        sum = sum + s.segment[at.pair][at.segment + k];
    for (int k = 0; k < rest; k++)
        sum = sum + enter[k];
    enter += rest;
    const int crossing = SEGMENT - rest;
#pragma unroll
    for (int begin = 0; begin < SEGMENT; begin += 8) {
        unsigned upper[8], lower[8];
#pragma unroll
        for (int k = 0; k < 8; k++) {
            const int column = begin + k;
            sum = sum + (column < crossing ? enter : enter + 1)[column];
            upper[k] = __umulhi(sum.x, p.factor) >> p.shift;
            lower[k] = __umulhi(sum.y, p.factor) >> p.shift;
            sum = sum - leave[column];
        }
        store(v, at.x + begin, at.y, at.count - begin, upper);
        if (at.rows > 1)
            store(v, at.x + begin, at.y + 1, at.count - begin, lower);
    }
}

/* Grid: x: groups of columns, of which the first and the last `radius` are for windows alone, y:
 * strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    vrs_box(const __grid_constant__ vrs_box_params p)
{
    __shared__ step_sums sums;
    const vrs_box_view &v = p.view[blockIdx.z];
    const int outs = (blockDim.x * COLUMNS - 2 * p.radius) / SEGMENT * SEGMENT;
    const int first = blockIdx.x * outs;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, v.height);
    if (first >= v.width || begin >= v.height)
        return;
    const columns from(v, first - p.radius + (int)threadIdx.x * COLUMNS);
    int sum[COLUMNS] = {};
    step_rows enter;
    enter.load(from, begin + p.radius);
#pragma unroll 8
    for (int y = begin - p.radius; y < begin + p.radius; y++)
        add_row(sum, from.load(y), 1);
    const int segments = (min(outs, v.width - first) + SEGMENT - 1) / SEGMENT;
#pragma unroll 1
    for (int y = begin; y < end; y += STEP) {
        step_rows leave;
        leave.load(from, y - p.radius);
        sum_down(sums, enter, leave, sum);
        __syncthreads();
        if (y + STEP < end)
            enter.load(from, y + STEP + p.radius);
        for (int i = threadIdx.x; i < STEP / 2 * ((segments + 31) / 32 * 32); i += blockDim.x) {
            place_along at = {i / 32 % (STEP / 2), i / (32 * STEP / 2) * 32 + i % 32};
            at.x = first + at.segment * SEGMENT;
            at.y = y + 2 * at.pair;
            at.count = min(outs - at.segment * SEGMENT, v.width - at.x);
            at.rows = end - at.y;
            if (at.segment < segments && at.rows > 0)
                sum_along(p, v, sums, at);
        }
        __syncthreads();
    }
}
