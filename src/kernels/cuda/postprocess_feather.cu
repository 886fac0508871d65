/* One of the two boxes of feathering, for a batch of views in one launch.
 *
 * Bytes: 2 in, 2 out a pixel; 1080p, 8 views: 66 MB, 21.9 us at 3.03 TB/s (an H100), each of the
 * two boxes. A block marches down in steps of STEP rows. Each thread keeps running sums down its
 * columns and puts those of a step's rows into shared memory, two rows side by side; then lanes run
 * along SEGMENT columns of two rows. So a step has two barriers, and an access to shared memory
 * serves two rows. A strip begins with 2 * radius rows that are summed only; the row that leaves a
 * window is read again, from the L2. Instructions and waits for each other are the limit: at radius
 * 64 and strips of 72 rows 39 a pixel, 23 us at full rate, of which half is reached. */
#include "postprocess.cuh"

#define COLUMNS 4 /* of a thread */
#define THREADS 288
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

/* A thread's columns from x on, held inside the picture. `vector`: rows come in groups of four that
 * are inside or outside as a whole, and one access takes one; of a group outside the nearest one is
 * read, and its last pixel repeated as a pick of bytes: lanes at the edges go the same way as all,
 * as the block waits for the slowest. */
struct columns {
    const int16_t *from;
    int64_t stride;
    int x, last, bottom;
    unsigned low, high; /* what is picked for each of two words */
    bool vector;

    __device__ __forceinline__ columns(const vrs_box_view &v, int column)
        : from(vrs_at<const int16_t>(v.src)), stride(v.src_stride), x(column), last(v.width - 1),
          bottom(v.height - 1), low(0x3210), high(0x7654)
    {
        vector = (v.src & 7) == 0 && (v.src_stride | v.width) % COLUMNS == 0;
        if (!vector)
            return;
        if (x < 0 || x > last)
            low = high = x < 0 ? 0x1010 : 0x7676;
        x = max(min(x, v.width - COLUMNS), 0);
    }

    __device__ __forceinline__ unsigned at(const int16_t *row, int column) const
    {
        return (unsigned)__ldg(row + max(min(column, last), 0));
    }

    __device__ __forceinline__ uint2 load(int y) const
    {
        const int16_t *row = from + max(min(y, bottom), 0) * stride;
        if (vector)
            return __ldg(reinterpret_cast<const uint2 *>(row + x));
        return make_uint2(at(row, x) | at(row, x + 1) << 16, at(row, x + 2) | at(row, x + 3) << 16);
    }

    /* What load() gave, made ready; not at once, so that nothing waits for it. */
    __device__ __forceinline__ uint2 pick(uint2 row) const
    {
        return make_uint2(__byte_perm(row.x, row.y, low), __byte_perm(row.x, row.y, high));
    }
};

/* Words of two pixels to sums: a dot product with 1 and 0 takes a pixel out and adds it. */
__device__ __forceinline__ void add_row(unsigned *sum, uint2 row)
{
    sum[0] = __dp2a_lo(row.x, 0x0001u, sum[0]);
    sum[1] = __dp2a_lo(row.x, 0x0100u, sum[1]);
    sum[2] = __dp2a_lo(row.y, 0x0001u, sum[2]);
    sum[3] = __dp2a_lo(row.y, 0x0100u, sum[3]);
}

__device__ __forceinline__ void take_row(unsigned *sum, uint2 row)
{
    sum[0] = (unsigned)__dp2a_lo((int)row.x, 0x00ff, (int)sum[0]);
    sum[1] = (unsigned)__dp2a_lo((int)row.x, 0xff00, (int)sum[1]);
    sum[2] = (unsigned)__dp2a_lo((int)row.y, 0x00ff, (int)sum[2]);
    sum[3] = (unsigned)__dp2a_lo((int)row.y, 0xff00, (int)sum[3]);
}

/* A step's rows from y on. */
struct step_rows {
    uint2 row[STEP];

    __device__ __forceinline__ void load(const columns &from, int y)
    {
#pragma unroll
        for (int i = 0; i < STEP; i++)
            row[i] = from.load(y + i);
    }
};

/* Down: the sums of a step's rows. */
__device__ __forceinline__ void sum_down(step_sums &s, const columns &from, const step_rows &enter,
                                         const step_rows &leave, unsigned *sum)
{
    const int first = place(threadIdx.x * COLUMNS);
#pragma unroll
    for (int p = 0; p < STEP / 2; p++) {
        unsigned upper[COLUMNS];
        add_row(sum, from.pick(enter.row[2 * p]));
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            upper[c] = sum[c];
        take_row(sum, from.pick(leave.row[2 * p]));
        add_row(sum, from.pick(enter.row[2 * p + 1]));
#pragma unroll
        for (int c = 0; c < COLUMNS; c++)
            s.pair[p][first + c] = make_uint2(upper[c], sum[c]);
        const uint2 all = make_uint2(over_segment(upper[0] + upper[1] + upper[2] + upper[3]),
                                     over_segment(sum[0] + sum[1] + sum[2] + sum[3]));
        if (threadIdx.x % (SEGMENT / COLUMNS) == 0)
            s.segment[p][threadIdx.x * COLUMNS / SEGMENT] = all;
        take_row(sum, from.pick(leave.row[2 * p + 1]));
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

/* Columns between a block's first one and its first window's: its first one is of a whole group. */
__device__ __forceinline__ int columns_before(int radius)
{
    return (COLUMNS - radius % COLUMNS) % COLUMNS;
}

/* Along: a lane's segment of two rows. The window's ends run through the rest of one segment and
 * then through the next one. */
__device__ __forceinline__ void sum_along(const vrs_box_params &p, const vrs_box_view &v,
                                          const step_sums &s, place_along at)
{
    const unsigned half = (unsigned)((2 * p.radius + 1) * (2 * p.radius + 1)) / 2;
    const int before = columns_before(p.radius), upto = before + 2 * p.radius;
    const int whole = upto / SEGMENT, rest = upto % SEGMENT;
    const uint2 *leave = s.pair[at.pair] + at.segment * (SEGMENT + 1);
    const uint2 *enter = leave + whole * (SEGMENT + 1);
    uint2 sum = make_uint2(half, half);
    for (int k = 0; k < whole; k++)
        sum = sum + s.segment[at.pair][at.segment + k];
    for (int k = 0; k < before; k++)
        sum = sum - leave[k];
    for (int k = 0; k < rest; k++)
        sum = sum + enter[k];
    enter += rest;
    leave += before;
    const int entering = SEGMENT - rest, leaving = SEGMENT - before;
#pragma unroll
    for (int begin = 0; begin < SEGMENT; begin += 8) {
        unsigned upper[8], lower[8];
#pragma unroll
        for (int k = 0; k < 8; k++) {
            const int column = begin + k;
            sum = sum + (column < entering ? enter : enter + 1)[column];
            upper[k] = __umulhi(sum.x, p.factor) >> p.shift;
            lower[k] = __umulhi(sum.y, p.factor) >> p.shift;
            sum = sum - (column < leaving ? leave : leave + 1)[column];
        }
        store(v, at.x + begin, at.y, at.count - begin, upper);
        if (at.rows > 1)
            store(v, at.x + begin, at.y + 1, at.count - begin, lower);
    }
}

/* Grid: x: groups of columns, of which the first and the last `radius` (in
 * whole groups of COLUMNS) are for windows alone, y:
 * strips of `rows`, z: views. */
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    vrs_box(const __grid_constant__ vrs_box_params p)
{
    __shared__ step_sums sums;
    const vrs_box_view &v = p.view[blockIdx.z];
    const int edge = p.radius + columns_before(p.radius);
    const int outs = (blockDim.x * COLUMNS - 2 * edge) / SEGMENT * SEGMENT;
    const int first = blockIdx.x * outs;
    const int begin = blockIdx.y * p.rows, end = min(begin + p.rows, v.height);
    if (first >= v.width || begin >= v.height)
        return;
    const columns from(v, first - edge + (int)threadIdx.x * COLUMNS);
    unsigned sum[COLUMNS] = {};
    step_rows enter, leave;
#pragma unroll 8
    for (int y = begin - p.radius; y < begin + p.radius; y += 2) {
        const uint2 upper = from.load(y), lower = from.load(y + 1); /* two pixels fit 16 bits */
        add_row(sum, from.pick(make_uint2(upper.x + lower.x, upper.y + lower.y)));
    }
    enter.load(from, begin + p.radius);
    leave.load(from, begin - p.radius);
    const int segments = (min(outs, v.width - first) + SEGMENT - 1) / SEGMENT;
#pragma unroll 1
    for (int y = begin; y < end; y += STEP) {
        sum_down(sums, from, enter, leave, sum);
        __syncthreads();
        if (y + STEP < end) {
            enter.load(from, y + STEP + p.radius);
            leave.load(from, y + STEP - p.radius);
        }
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
