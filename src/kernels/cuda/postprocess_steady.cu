/* Steady masks: pictures in three sizes, where each cell was in another picture, masks from there.
 * The definitions are in kernels/steady.h; arithmetic is exact, edges are repeated by holding
 * coordinates. For 512x512: pictures 0.33 MB read twice, masks and ages 1.6 MB.
 */
#include "../steady.h"
#include "params_steady.h"

#define ALL 0xffffffffu
#define WARPS 4 /* of a block that matches: a cell each */
#define SIDE 8
#define ACROSS (2 * VRS_MATCH_ACROSS + 1)
#define DOWN (2 * VRS_MATCH_DOWN + 1)
/* Words of a row that all vectors' squares lie in, read three at a time. */
#define REACH ((ACROSS - 1) / 4 + 3)
static_assert(REACH % 2 == 0, "rows are read eight bytes at a time");

namespace {

__device__ __forceinline__ int held(int v, int last)
{
    return min(max(v, 0), last);
}

/* vrs_cells() and vrs_coarse_cells(). */
__device__ __forceinline__ int cells(int pixels)
{
    return (pixels + VRS_CELL - 1) / VRS_CELL;
}

__device__ __forceinline__ int coarse_cells(int pixels)
{
    return (pixels + VRS_COARSE_CELL - 1) / VRS_COARSE_CELL;
}

/* A level of both pictures. */
struct level {
    const uint8_t *now, *before;
    int width, height;
};

__device__ __forceinline__ level level_of(const vrs_steady_params &p, const vrs_steady_view &v,
                                          int which)
{
    level l = {reinterpret_cast<const uint8_t *>(v.picture),
               reinterpret_cast<const uint8_t *>(v.past_picture), p.width, p.height};
    if (which == 0)
        return l;
    l.width = (p.width + 1) / 2;
    l.height = (p.height + 1) / 2;
    l.now = reinterpret_cast<const uint8_t *>(v.small);
    l.before = reinterpret_cast<const uint8_t *>(v.past_small);
    if (which == 2) {
        l.now += (int64_t)l.width * l.height;
        l.before += (int64_t)l.width * l.height;
        l.width = (l.width + 1) / 2;
        l.height = (l.height + 1) / 2;
    }
    return l;
}

__device__ __forceinline__ int sum_of_warp(int value)
{
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
        value += __shfl_xor_sync(ALL, value, step);
    return value;
}

__device__ __forceinline__ unsigned least_of_warp(unsigned value)
{
#pragma unroll
    for (int step = 16; step > 0; step /= 2)
        value = min(value, __shfl_xor_sync(ALL, value, step));
    return value;
}

/* Sum of the differences of four bytes, added to `sum`. */
__device__ __forceinline__ unsigned differ(unsigned a, unsigned b, unsigned sum)
{
    asm("vabsdiff4.u32.u32.u32.add %0, %1, %2, %0;" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* Eight bytes of a row from `x` on, edges repeated, as words; what is not at an edge lies in words
 * that hold some of the eight, so nothing is read that is not there. */
__device__ __forceinline__ uint2 eight_of(const uint8_t *row, int x, int width)
{
    if (x >= 0 && x + SIDE <= width) {
        const uintptr_t at = reinterpret_cast<uintptr_t>(row + x);
        const unsigned *word = reinterpret_cast<const unsigned *>(at & ~(uintptr_t)3);
        const unsigned bits = (unsigned)(at & 3) * 8;
        const unsigned first = word[0], middle = word[1];
        const unsigned last = bits == 0 ? middle : word[2];
        return make_uint2(__funnelshift_r(first, middle, bits),
                          __funnelshift_r(middle, last, bits));
    }
    uint2 both = {0, 0};
#pragma unroll
    for (int i = 0; i < SIDE / 2; i++) {
        both.x |= (unsigned)row[held(x + i, width - 1)] << 8 * i;
        both.y |= (unsigned)row[held(x + SIDE / 2 + i, width - 1)] << 8 * i;
    }
    return both;
}

/* Over the eight lanes that have a row each of a square. */
__device__ __forceinline__ int sum_of_rows(unsigned sum)
{
#pragma unroll
    for (int step = 1; step < SIDE; step *= 2)
        sum += __shfl_xor_sync(ALL, sum, step);
    return (int)sum;
}

/* The differences of a square at v, for four vectors at once: eight lanes have a row each of one.
 * `now`: the lane's row of the square, kept over calls. */
struct square {
    level l;
    int x, y; /* of the lane's row */
    uint2 now;

    __device__ __forceinline__ square(const level &of, int left, int top)
        : l(of), x(left), y(top + (int)threadIdx.x % SIDE),
          now(eight_of(l.now + (int64_t)held(y, l.height - 1) * l.width, x, l.width))
    {
    }

    __device__ __forceinline__ int difference(int vx, int vy) const
    {
        const uint2 before =
            eight_of(l.before + (int64_t)held(y + vy, l.height - 1) * l.width, x + vx, l.width);
        return sum_of_rows(differ(now.y, before.y, differ(now.x, before.x, 0)));
    }
};

/* Costs are compared with the vectors' order below them: of equals the first one stays. */
__device__ __forceinline__ unsigned key_of(int difference, int vx, int vy, int order)
{
    return (unsigned)(difference + VRS_MATCH_PENALTY * (abs(vx) + abs(vy))) << 8 | (unsigned)order;
}

/* What vectors within two pixels of one look at, in shared memory: rows and bytes from two above
 * and left of its square on. */
#define NEAR 2
#define WINDOW_ROWS (SIDE + 2 * NEAR)

struct window {
    unsigned (*rows)[4]; /* [WINDOW_ROWS], of this warp */
    int x, y;            /* the vector in the middle */

    __device__ __forceinline__ void move_to(const square &s, int vx, int vy)
    {
        const int lane = (int)threadIdx.x % 32;
        x = vx;
        y = vy;
        __syncwarp();
        if (lane < 2 * WINDOW_ROWS) {
            const int row = lane / 2, top = s.y - lane % SIDE;
            const uint8_t *from =
                s.l.before + (int64_t)held(top + vy - NEAR + row, s.l.height - 1) * s.l.width;
            const uint2 both = eight_of(from, s.x + vx - NEAR + lane % 2 * SIDE, s.l.width);
            rows[row][lane % 2 * 2] = both.x;
            rows[row][lane % 2 * 2 + 1] = both.y;
        }
        __syncwarp();
    }

    /* As the square's. */
    __device__ __forceinline__ int difference(const square &s, int vx, int vy) const
    {
        const int right = vx - x + NEAR;
        const unsigned *word = rows[(int)threadIdx.x % SIDE + vy - y + NEAR] + right / 4;
        const unsigned bits = right % 4 * 8, middle = word[1];
        return sum_of_rows(differ(s.now.y, __funnelshift_r(middle, word[2], bits),
                                  differ(s.now.x, __funnelshift_r(word[0], middle, bits), 0)));
    }
};

/* The nine vectors around the best one; that one is the first. */
__device__ __forceinline__ void look_around(const square &s, const window &w, int &vx, int &vy,
                                            int &cost)
{
    const int group = (int)threadIdx.x % 32 / SIDE, x = vx, y = vy;
    unsigned best = (unsigned)cost << 8;
#pragma unroll
    for (int pass = 0; pass < 3; pass++) {
        const int which = min(pass * 4 + group, 8);
        const int dx = x + which % 3 - 1, dy = y + which / 3 - 1;
        best = min(best, key_of(w.difference(s, dx, dy), dx, dy, which + 1));
    }
    best = least_of_warp(best);
    cost = (int)(best >> 8);
    const int order = (int)(best & 0xffu) - 1;
    if (order >= 0) {
        vx = x + order % 3 - 1;
        vy = y + order / 3 - 1;
    }
}

__device__ __forceinline__ vrs_motion coarse_at(const vrs_steady_params &p,
                                                const vrs_steady_view &v, int column, int row)
{
    const int columns = coarse_cells(p.width), rows = coarse_cells(p.height);
    return reinterpret_cast<const vrs_motion *>(
        v.coarse)[held(row, rows - 1) * columns + held(column, columns - 1)];
}

/* Level 1: rest, the coarse vectors of here and of the neighbours, then around the best. */
__device__ __forceinline__ void middle(const vrs_steady_params &p, const vrs_steady_view &v,
                                       int column, int row, window &w, int &vx, int &vy)
{
    const square s(level_of(p, v, 1), SIDE / 2 * column - 2, SIDE / 2 * row - 2);
    const int group = (int)threadIdx.x % 32 / SIDE;
    unsigned best = ~0u;
    int mine_x[2], mine_y[2];
#pragma unroll
    for (int pass = 0; pass < 2; pass++) {
        const int which =
            min(pass * 4 + group, 5); /* 0: rest; 1: here, above, below, left, right */
        const int dx = which == 4 ? -1 : which == 5 ? 1 : 0;
        const int dy = which == 2 ? -1 : which == 3 ? 1 : 0;
        const vrs_motion c = coarse_at(p, v, column / 2 + dx, row / 2 + dy);
        mine_x[pass] = which == 0 ? 0 : 2 * c.x;
        mine_y[pass] = which == 0 ? 0 : 2 * c.y;
        best = min(best, key_of(s.difference(mine_x[pass], mine_y[pass]), mine_x[pass],
                                mine_y[pass], which));
    }
    best = least_of_warp(best);
    const int order = (int)(best & 0xffu), lane = order % 4 * SIDE;
    const int x0 = __shfl_sync(ALL, mine_x[0], lane), x1 = __shfl_sync(ALL, mine_x[1], lane);
    const int y0 = __shfl_sync(ALL, mine_y[0], lane), y1 = __shfl_sync(ALL, mine_y[1], lane);
    vx = order < 4 ? x0 : x1;
    vy = order < 4 ? y0 : y1;
    int cost = (int)(best >> 8);
    w.move_to(s, vx, vy);
    look_around(s, w, vx, vy, cost);
}

__device__ __forceinline__ int between(int before, int here, int after)
{
    const int rise = 2 * (max(before, after) - here), lean = before - after;
    if (rise <= 0)
        return 0;
    const int quarters = min((4 * abs(lean) + rise / 2) / rise, 2);
    return lean < 0 ? -quarters : quarters;
}

struct origin {
    int x, y, right, down;

    __device__ __forceinline__ origin(vrs_motion v, int column, int row)
        : x(column + (v.x >> 2)), y(row + (v.y >> 2)), right(v.x & 3), down(v.y & 3)
    {
    }

    /* Of the four pixels around the place. */
    template <typename T>
    __device__ __forceinline__ int between(const T *plane, int width, int height) const
    {
        const T *upper = plane + (int64_t)held(y, height - 1) * width;
        const T *lower = plane + (int64_t)held(y + 1, height - 1) * width;
        const int x0 = held(x, width - 1), x1 = held(x + 1, width - 1);
        const int a = (4 - right) * upper[x0] + right * upper[x1];
        const int b = (4 - right) * lower[x0] + right * lower[x1];
        return ((4 - down) * a + down * b + 8) >> 4;
    }
};

__device__ __forceinline__ vrs_motion motion_at(const vrs_steady_params &p,
                                                const vrs_steady_view &v, int x, int y)
{
    return reinterpret_cast<const vrs_motion *>(
        v.motion)[y / VRS_CELL * cells(p.width) + x / VRS_CELL];
}

} // namespace

/* Levels 1 and 2. Grid: x, y: 32x8 pixels of level 2, z: views. */
extern "C" __global__ void __launch_bounds__(256)
    vrs_steady_halve(const __grid_constant__ vrs_steady_params p)
{
    const vrs_steady_view &v = p.view[blockIdx.z];
    const uint8_t *from = reinterpret_cast<const uint8_t *>(v.picture);
    uint8_t *to = reinterpret_cast<uint8_t *>(v.small);
    const int w1 = (p.width + 1) / 2, h1 = (p.height + 1) / 2, w2 = (w1 + 1) / 2;
    const int x = blockIdx.x * 32 + threadIdx.x % 32, y = blockIdx.y * 8 + threadIdx.x / 32;
    if (x >= w2 || y >= (h1 + 1) / 2)
        return;
    int sum = 2;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int x1 = min(2 * x + i % 2, w1 - 1), y1 = min(2 * y + i / 2, h1 - 1);
        const uint8_t *upper = from + (int64_t)(2 * y1) * p.width;
        const uint8_t *lower = from + (int64_t)min(2 * y1 + 1, p.height - 1) * p.width;
        const int left = 2 * x1, right = min(2 * x1 + 1, p.width - 1);
        const int mean = (upper[left] + upper[right] + lower[left] + lower[right] + 2) >> 2;
        to[(int64_t)y1 * w1 + x1] = (uint8_t)mean;
        sum += mean;
    }
    to[(int64_t)w1 * h1 + (int64_t)y * w2 + x] = (uint8_t)(sum >> 2);
}

/* Level 2: all vectors within reach. Grid: x: WARPS coarse cells, z: views. */
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    vrs_steady_coarse(const __grid_constant__ vrs_steady_params p)
{
    __shared__ unsigned now[WARPS][SIDE][SIDE / 4];
    __shared__ unsigned before[WARPS][SIDE + DOWN - 1][REACH];
    const vrs_steady_view &v = p.view[blockIdx.z];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int cell = blockIdx.x * WARPS + warp, columns = coarse_cells(p.width);
    if (v.past_picture == 0 || cell >= columns * coarse_cells(p.height))
        return;
    const level l = level_of(p, v, 2);
    const int left = SIDE / 2 * (cell % columns) - 2, top = SIDE / 2 * (cell / columns) - 2;
    if (lane < SIDE) {
        const uint2 both =
            eight_of(l.now + (int64_t)held(top + lane, l.height - 1) * l.width, left, l.width);
        now[warp][lane][0] = both.x;
        now[warp][lane][1] = both.y;
    }
    for (int i = lane; i < (SIDE + DOWN - 1) * (REACH / 2); i += 32) {
        const int row = i / (REACH / 2), part = i % (REACH / 2);
        const uint8_t *from =
            l.before + (int64_t)held(top - VRS_MATCH_DOWN + row, l.height - 1) * l.width;
        const uint2 both = eight_of(from, left - VRS_MATCH_ACROSS + SIDE * part, l.width);
        before[warp][row][2 * part] = both.x;
        before[warp][row][2 * part + 1] = both.y;
    }
    __syncwarp();
    unsigned best = ~0u;
    for (int which = lane; which < ACROSS * DOWN; which += 32) {
        const int dx = which % ACROSS, dy = which / ACROSS, word = dx / 4;
        const unsigned bits = dx % 4 * 8;
        unsigned cost =
            VRS_MATCH_COARSE_PENALTY * (abs(dx - VRS_MATCH_ACROSS) + abs(dy - VRS_MATCH_DOWN));
        const bool rest = dx == VRS_MATCH_ACROSS && dy == VRS_MATCH_DOWN;
#pragma unroll
        for (int i = 0; i < SIDE; i++) {
            const unsigned *row = before[warp][dy + i] + word;
            const unsigned first = row[0], middle = row[1], last = row[2];
            cost = differ(now[warp][i][0], __funnelshift_r(first, middle, bits), cost);
            cost = differ(now[warp][i][1], __funnelshift_r(middle, last, bits), cost);
        }
        best = min(best, cost << 8 | (rest ? 0u : (unsigned)which + 1u));
    }
    best = least_of_warp(best);
    if (lane != 0)
        return;
    const int which = (int)(best & 0xffu) - 1;
    const bool moves = which >= 0;
    reinterpret_cast<vrs_motion *>(v.coarse)[cell] = {
        (int16_t)(moves ? which % ACROSS - VRS_MATCH_ACROSS : 0),
        (int16_t)(moves ? which / ACROSS - VRS_MATCH_DOWN : 0)};
    atomicAdd(reinterpret_cast<unsigned long long *>(v.unlike), (unsigned long long)(best >> 8));
}

/* Levels 1 and 0. Grid: x: WARPS cells, z: views. */
extern "C" __global__ void __launch_bounds__(32 * WARPS)
    vrs_steady_fine(const __grid_constant__ vrs_steady_params p)
{
    __shared__ unsigned rows[WARPS][WINDOW_ROWS][4];
    const vrs_steady_view &v = p.view[blockIdx.z];
    const int lane = threadIdx.x % 32, group = lane / SIDE;
    const int cell = blockIdx.x * WARPS + threadIdx.x / 32, columns = cells(p.width);
    if (v.past_picture == 0 || cell >= columns * cells(p.height))
        return;
    const int column = cell % columns, row = cell / columns;
    vrs_motion *to = reinterpret_cast<vrs_motion *>(v.motion) + cell;
    const square s(level_of(p, v, 0), VRS_CELL * column, VRS_CELL * row);
    const int still = s.difference(0, 0);
    if (still <= VRS_MATCH_STILL) {
        if (lane == 0)
            *to = {0, 0};
        return;
    }
    window w = {rows[threadIdx.x / 32], 0, 0};
    int vx, vy;
    middle(p, v, column, row, w, vx, vy);
    vx *= 2;
    vy *= 2;
    w.move_to(s, vx, vy);
    int cost = w.difference(s, vx, vy) + VRS_MATCH_PENALTY * (abs(vx) + abs(vy));
    if (still <= cost) {
        cost = still;
        vx = vy = 0;
        w.move_to(s, 0, 0);
    }
    look_around(s, w, vx, vy, cost);
    const int here = cost - VRS_MATCH_PENALTY * (abs(vx) + abs(vy));
    const int side = group % 2 == 0 ? -1 : 1; /* left, right, above, below */
    const int beside = w.difference(s, vx + (group < 2 ? side : 0), vy + (group < 2 ? 0 : side));
    const int left = __shfl_sync(ALL, beside, 0), right = __shfl_sync(ALL, beside, SIDE);
    const int above = __shfl_sync(ALL, beside, 2 * SIDE),
              below = __shfl_sync(ALL, beside, 3 * SIDE);
    if (lane == 0)
        *to = {(int16_t)(4 * vx + between(left, here, right)),
               (int16_t)(4 * vy + between(above, here, below))};
}

/* Grid: x, y: 32x8 pixels, z: views. */
extern "C" __global__ void __launch_bounds__(256)
    vrs_steady_follow(const __grid_constant__ vrs_steady_params p)
{
    __shared__ uint8_t apart[10][36];
    const vrs_steady_view &v = p.view[blockIdx.z];
    const int left = blockIdx.x * 32, top = blockIdx.y * 8;
    const int x = left + threadIdx.x % 32, y = top + threadIdx.x / 32;
    const bool follows =
        v.past_picture != 0 && *reinterpret_cast<const uint64_t *>(v.unlike) < p.cut;
    if (follows) {
        const uint8_t *now = reinterpret_cast<const uint8_t *>(v.picture);
        const uint8_t *before = reinterpret_cast<const uint8_t *>(v.past_picture);
        for (int i = threadIdx.x; i < 340; i += 256) {
            const int column = held(left + i % 34 - 1, p.width - 1);
            const int row = held(top + i / 34 - 1, p.height - 1);
            const origin o(motion_at(p, v, column, row), column, row);
            apart[i / 34][i % 34] = (uint8_t)abs(now[(int64_t)row * p.width + column] -
                                                 o.between(before, p.width, p.height));
        }
    }
    __syncthreads();
    const bool inside = x < p.width && y < p.height;
    int mask = 0;
    if (inside) {
        const int64_t at = (int64_t)y * p.width + x;
        int age = 0;
        mask = reinterpret_cast<const int16_t *>(v.mask)[at];
        if (follows) {
            const origin o(motion_at(p, v, x, y), x, y);
            const int past =
                o.between(reinterpret_cast<const int16_t *>(v.past), p.width, p.height);
            int doubt = (abs(mask - past) >> 7) * p.disbelief >> 8;
#pragma unroll
            for (int i = 0; i < 9; i++)
                doubt += apart[threadIdx.x / 32 + i / 3][threadIdx.x % 32 + i % 3];
            age = v.past_age == 0
                      ? 1
                      : reinterpret_cast<const uint8_t *>(
                            v.past_age)[(int64_t)held(o.y + o.down / 2, p.height - 1) * p.width +
                                        held(o.x + o.right / 2, p.width - 1)];
            age = (age * min(max(p.unlike - doubt, 0), 128) + 64) >> 7;
            const int share = p.share[age];
            if (share != VRS_SHARE_ONE)
                mask = past + (((mask - past) * (share * 256) + 16384) >> 15);
        }
        reinterpret_cast<int16_t *>(v.result)[at] = (int16_t)mask;
        if (v.age != 0)
            reinterpret_cast<uint8_t *>(v.age)[at] = (uint8_t)min(age + 1, VRS_AGE_MOST);
    }
    if (v.sum == 0)
        return;
    const bool content = inside && x >= v.x && x < v.x + v.width && y >= v.y && y < v.y + v.height;
    const int sum = sum_of_warp(content ? mask : 0);
    if (threadIdx.x % 32 == 0 && sum > 0)
        atomicAdd(reinterpret_cast<unsigned long long *>(v.sum), (unsigned long long)sum);
}

/* ---- four pixels a thread, in rows whose width is a multiple of four ---- */

#define ONES 0x01010101u
#define TILE_ACROSS 16 /* threads of a block, and fours of pixels */
#define TILE_DOWN 16
#define TILE_STRIDE \
    48 /* words of a row and of its neighbours: two rows are in banks of their own */

namespace {

/* Where four pixels in a row of one cell were. */
struct origins {
    origin o;
    unsigned weights; /* of a pixel, the one right of it, the two below: 16 in all */
    bool inside;      /* all that weighs lies in the row */

    __device__ __forceinline__ origins(vrs_motion v, int column, int row, int width)
        : o(v, column, row)
    {
        const unsigned r = o.right, d = o.down;
        weights = (4 - d) * (4 - r) | (4 - d) * r << 8 | d * (4 - r) << 16 | d * r << 24;
        inside = o.x >= 0 && (o.x + 4 < width || (o.x + 4 == width && r == 0));
    }
};

/* Bytes x..x+3 of a row, and x+1..x+4 where `more`. */
__device__ __forceinline__ uint2 fives_of(const uint8_t *row, int x, bool more)
{
    const uintptr_t at = reinterpret_cast<uintptr_t>(row + x);
    const unsigned *word = reinterpret_cast<const unsigned *>(at & ~(uintptr_t)3);
    const unsigned bits = (unsigned)(at & 3) * 8;
    const unsigned first = word[0], last = bits == 0 && !more ? 0 : word[1];
    return make_uint2(__funnelshift_r(first, last, bits), __funnelshift_rc(first, last, bits + 8));
}

/* Pixels of `before` along the motion, as bytes. */
__device__ __forceinline__ unsigned bytes_between(const origins &from, const uint8_t *before,
                                                  int width, int height)
{
    const origin &o = from.o;
    const bool more = o.right != 0;
    const uint2 upper = fives_of(before + (int64_t)held(o.y, height - 1) * width, o.x, more);
    const uint2 lower = fives_of(before + (int64_t)held(o.y + 1, height - 1) * width, o.x, more);
    const unsigned a = __dp4a(__byte_perm(upper.x, lower.x, 0x5410), from.weights, 8u) >> 4;
    const unsigned b = __dp4a(__byte_perm(upper.x, lower.x, 0x6521), from.weights, 8u) >> 4;
    const unsigned c = __dp4a(__byte_perm(upper.x, lower.x, 0x7632), from.weights, 8u) >> 4;
    const unsigned d = __dp4a(__byte_perm(upper.y, lower.y, 0x7632), from.weights, 8u) >> 4;
    return a | b << 8 | c << 16 | d << 24;
}

/* Values x..x+3 of a row of 16 bits, as pairs: of x, x+1, x+2 and x+3 with the one right of each.
 */
__device__ __forceinline__ void pairs_of(const int16_t *row, int x, bool more, unsigned (&pair)[4])
{
    const uintptr_t at = reinterpret_cast<uintptr_t>(row + x);
    const unsigned *word = reinterpret_cast<const unsigned *>(at & ~(uintptr_t)3);
    const unsigned bits = (unsigned)(at & 2) * 8;
    const unsigned first = word[0], middle = word[1], last = bits == 0 && !more ? 0 : word[2];
    pair[0] = __funnelshift_r(first, middle, bits);
    pair[2] = __funnelshift_r(middle, last, bits);
    pair[1] = __funnelshift_r(pair[0], pair[2], 16);
    pair[3] = __funnelshift_r(pair[2], last >> bits, 16);
}

__device__ __forceinline__ void masks_between(const origins &from, const int16_t *past, int width,
                                              int height, int (&mask)[4])
{
    const origin &o = from.o;
    unsigned upper[4], lower[4];
    pairs_of(past + (int64_t)held(o.y, height - 1) * width, o.x, o.right != 0, upper);
    pairs_of(past + (int64_t)held(o.y + 1, height - 1) * width, o.x, o.right != 0, lower);
#pragma unroll
    for (int i = 0; i < 4; i++)
        mask[i] = __dp2a_hi((int)lower[i], (int)from.weights,
                            __dp2a_lo((int)upper[i], (int)from.weights, 8)) >>
                  4;
}

/* Differences of four pixels from where they were; those of a column outside of the picture are
 * all of its last one. */
__device__ unsigned apart_of(const vrs_steady_params &p, const vrs_steady_view &v, int column,
                             int row)
{
    const uint8_t *now = reinterpret_cast<const uint8_t *>(v.picture) + (int64_t)row * p.width;
    const uint8_t *before = reinterpret_cast<const uint8_t *>(v.past_picture);
    const bool outside = column < 0 || column >= p.width;
    const int first = column < 0 ? 0 : outside ? p.width - 4 : column;
    const origins from(motion_at(p, v, first, row), first, row, p.width);
    const unsigned is = *reinterpret_cast<const unsigned *>(now + first);
    unsigned was = 0;
    if (from.inside) {
        was = bytes_between(from, before, p.width, p.height);
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            origin o = from.o;
            o.x += i;
            was |= (unsigned)o.between(before, p.width, p.height) << 8 * i;
        }
    }
    const unsigned apart = __vabsdiffu4(is, was);
    return !outside ? apart : __byte_perm(apart, 0, column < 0 ? 0x0000 : 0x3333);
}

/* Masks and ages of four pixels, from where they were. */
__device__ __forceinline__ void past_of(const vrs_steady_params &p, const vrs_steady_view &v,
                                        const origins &from, int (&past)[4], unsigned &ages)
{
    const int16_t *masks = reinterpret_cast<const int16_t *>(v.past);
    const int ahead = from.o.right / 2;
    const uint8_t *old = reinterpret_cast<const uint8_t *>(v.past_age) +
                         (int64_t)held(from.o.y + from.o.down / 2, p.height - 1) * p.width;
    if (from.inside) {
        masks_between(from, masks, p.width, p.height, past);
        ages = v.past_age != 0 ? fives_of(old, from.o.x + ahead, false).x : ONES;
        return;
    }
    ages = v.past_age != 0 ? 0 : ONES;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        origin o = from.o;
        o.x += i;
        past[i] = o.between(masks, p.width, p.height);
        if (v.past_age != 0)
            ages |= (unsigned)old[held(o.x + ahead, p.width - 1)] << 8 * i;
    }
}

/* Sums of 3x3 bytes around those of rows[1][1]. */
__device__ __forceinline__ void sums_around(const unsigned *rows, unsigned (&sum)[4])
{
    unsigned even = 0, odd = 0, before = 0, after = 0;
#pragma unroll
    for (int i = 0; i < 3; i++) {
        const unsigned *row = rows + i * TILE_STRIDE;
        before += row[0] >> 24;
        even += row[1] & 0x00ff00ff;
        odd += row[1] >> 8 & 0x00ff00ff;
        after += row[2] & 0xff;
    }
    const unsigned both = even + odd;
    sum[0] = before + (both & 0xffff);
    sum[1] = (both & 0xffff) + (even >> 16);
    sum[2] = (odd & 0xffff) + (both >> 16);
    sum[3] = (both >> 16) + after;
}

/* Brings four masks together with what they were. */
__device__ __forceinline__ void follow_past(const vrs_steady_params &p, const uint8_t *shares,
                                            const unsigned (&apart)[4], const int (&past)[4],
                                            int (&mask)[4], unsigned &ages)
{
    unsigned next = 0;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int change = mask[i] - past[i];
        const int doubt = (int)apart[i] + ((abs(change) >> 7) * p.disbelief >> 8);
        const int before = (int)(ages >> 8 * i & 0xff);
        const int age = (before * min(max(p.unlike - doubt, 0), 128) + 64) >> 7;
        const int share = shares[age];
        if (share != VRS_SHARE_ONE)
            mask[i] = past[i] + ((change * (share * 256) + 16384) >> 15);
        next |= (unsigned)min(age + 1, VRS_AGE_MOST) << 8 * i;
    }
    ages = next;
}

} // namespace

/* As vrs_steady_follow, where the width is a multiple of four, masks, past and result begin at
 * multiples of 8 bytes, pictures and ages at multiples of 4. Grid: x, y: 64x16 pixels, z: views. */
extern "C" __global__ void __launch_bounds__(256)
    vrs_steady_follow_four(const __grid_constant__ vrs_steady_params p)
{
    __shared__ unsigned apart[TILE_DOWN + 2][TILE_STRIDE];
    __shared__ uint8_t shares[VRS_AGE_MOST + 1];
    const vrs_steady_view &v = p.view[blockIdx.z];
    const int left = blockIdx.x * 4 * TILE_ACROSS, top = blockIdx.y * TILE_DOWN;
    const int across = threadIdx.x % TILE_ACROSS, down = threadIdx.x / TILE_ACROSS;
    const int x = left + 4 * across, y = top + down;
    const bool follows =
        v.past_picture != 0 && *reinterpret_cast<const uint64_t *>(v.unlike) < p.cut;
    const bool inside = x < p.width && y < p.height;
    const int64_t at = (int64_t)y * p.width + x;
    uint2 word = {0, 0};
    if (inside)
        word = *reinterpret_cast<const uint2 *>(v.mask + 2 * at);
    if (follows) {
        if (threadIdx.x <= VRS_AGE_MOST)
            shares[threadIdx.x] = p.share[threadIdx.x];
        for (int i = threadIdx.x; i < (TILE_DOWN + 2) * (TILE_ACROSS + 2); i += 256) {
            const int row = i / (TILE_ACROSS + 2), column = i % (TILE_ACROSS + 2);
            apart[row][column] =
                apart_of(p, v, left + 4 * column - 4, held(top + row - 1, p.height - 1));
        }
    }
    __syncthreads();
    int mask[4] = {(int)(word.x & 0xffff), (int)(word.x >> 16), (int)(word.y & 0xffff),
                   (int)(word.y >> 16)};
    unsigned ages = ONES;
    if (inside && follows) {
        int past[4];
        unsigned sums[4];
        past_of(p, v, origins(motion_at(p, v, x, y), x, y, p.width), past, ages);
        sums_around(apart[down] + across, sums);
        follow_past(p, shares, sums, past, mask, ages);
    }
    if (inside) {
        *reinterpret_cast<uint2 *>(v.result + 2 * at) =
            make_uint2((unsigned)(mask[0] | mask[1] << 16), (unsigned)(mask[2] | mask[3] << 16));
        if (v.age != 0)
            *reinterpret_cast<unsigned *>(v.age + at) = ages;
    }
    if (v.sum == 0)
        return;
    int sum = 0;
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (x + i >= v.x && x + i < v.x + v.width)
            sum += mask[i];
    sum = sum_of_warp(inside && y >= v.y && y < v.y + v.height ? sum : 0);
    if (threadIdx.x % 32 == 0 && sum > 0)
        atomicAdd(reinterpret_cast<unsigned long long *>(v.sum), (unsigned long long)sum);
}
