/* 1x1 convolutions on Hopper's tensor cores: bias, residual and ReLU on the way out.
 *
 * Floors, 16 pictures: 64 to 256 channels at 128x128 with a residual 302 MB, 71 us at 4.28 TB/s;
 * 128 to 512 at 64x64 151 MB, 35 us; 256 to 1024 at 32x32 75 MB, 18 us; 512 to 2048 at 32x32
 * 151 MB, 35 us, and 34 GFLOP, 46 us at 744 TFLOP/s. All but the last are bound by memory, so that
 * what counts is that loads never stop. Measured on an H200: 81, 45, 34 and 76 us; the first two
 * are at 88 and 79 % of a device copy's rate. The last is bound by shared memory: a step of 512
 * cycles writes 32 KB and its two warpgroups read 48 KB, 160 bytes a cycle of the 128 that there
 * are. Tiles of 256 channels leave room for two stages beside the results, and were slower (98 us),
 * pairs of blocks that share weights by multicast too, as memory is the limit and not the L2.
 *
 * Blocks stay and take tile after tile. A warp keeps a ring of stages of input and weights full;
 * another one loads the residual of the tile after next into one of two buffers, and stores what
 * two warpgroups have made of it there in place. */
#include "conv_tiles.cuh"
#include "mma.cuh"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

#define N 128 /* output channels of a tile */
#define STAGES 5
#define BUFFERS 2
#define PART (128 * VRS_TILE_STEP) /* bytes of 64 channels of a tile's result, or 128 integers */

enum residual_kind { NONE, HALVES, INTEGERS };

/* What goes in and out: 8-bit integers or halves, and what is added. */
template <bool IN8, bool OUT8, residual_kind RESIDUAL> struct kind {
    static constexpr int RESIDUAL_BYTES = N * 128 *
                                          (RESIDUAL == HALVES     ? 2
                                           : RESIDUAL == INTEGERS ? 1
                                                                  : 0);
    static constexpr int RESULT_BYTES = N * 128 * (OUT8 ? 1 : 2);
    /* A result replaces a residual of its size; another lies behind it. */
    static constexpr bool APART = RESIDUAL != NONE && RESIDUAL_BYTES != RESULT_BYTES;
    static constexpr int BUFFER = APART ? RESIDUAL_BYTES + RESULT_BYTES : RESULT_BYTES;
    static constexpr int BUFFER_STAGES = APART ? STAGES - 1 : STAGES;
    static constexpr int RESULT_AT = APART ? RESIDUAL_BYTES : 0;
};

/* Place of a word of a part: row of 128 bytes, exchanged parts of 16. */
__device__ __forceinline__ unsigned char *place_in(unsigned char *part, int row, int byte)
{
    return part + row * 128 + ((byte >> 4 ^ (row & 7)) << 4) + (byte & 15);
}

/* Two channels of `column`, of a buffer of halves. */
__device__ __forceinline__ uint32_t *pair_at(unsigned char *buffer, int row, int column)
{
    return reinterpret_cast<uint32_t *>(
        place_in(buffer + column / 64 * PART, row, column % 64 * 2));
}

__device__ __forceinline__ float2 unpack(uint32_t pair)
{
    return __half22float2(*reinterpret_cast<__half2 *>(&pair));
}

template <typename K, residual_kind RESIDUAL, bool OUT8>
__device__ __forceinline__ void put_pair(const vrs_conv_params &p, unsigned char *buffer, int row,
                                         int column, float a, float b)
{
    if constexpr (RESIDUAL == HALVES) {
        const float2 add = unpack(*pair_at(buffer, row, column));
        a = OUT8 ? fmaf(add.x, p.residual_scale, a) : a + add.x;
        b = OUT8 ? fmaf(add.y, p.residual_scale, b) : b + add.y;
    }
    if constexpr (RESIDUAL == INTEGERS) {
        const char2 add = *reinterpret_cast<const char2 *>(place_in(buffer, row, column));
        a = fmaf((float)add.x, p.residual_scale, a);
        b = fmaf((float)add.y, p.residual_scale, b);
    }
    if (p.relu) {
        a = fmaxf(a, 0);
        b = fmaxf(b, 0);
    }
    if constexpr (OUT8) {
        *reinterpret_cast<uint16_t *>(place_in(buffer + K::RESULT_AT, row, column)) =
            vrs_pair_of_i8(a, b);
    } else {
        const __half2 both = __floats2half2_rn(a, b);
        *pair_at(buffer + K::RESULT_AT, row, column) = *reinterpret_cast<const uint32_t *>(&both);
    }
}

template <bool IN8, bool OUT8, residual_kind RESIDUAL, typename SUM>
__device__ __forceinline__ void finish_tile(const vrs_conv_params &p, const SUM (&sum)[N / 2],
                                            unsigned char *buffer, int group, int channel)
{
    typedef kind<IN8, OUT8, RESIDUAL> K;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5 & 3;
    const int row = group * 64 + warp * 16 + lane / 4, q = lane & 3;
    const float *bias = reinterpret_cast<const float *>(p.bias);
    const float *scale = reinterpret_cast<const float *>(p.scale);
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        const int at = channel + 8 * j + 2 * q;
        const float2 add = vrs_load_or_zero(bias + at, p.bias != 0 && at < p.k);
        float2 by = make_float2(1, 1);
        if constexpr (IN8 || OUT8)
            by = vrs_load_or_zero(scale + at, at < p.k);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float a = (float)sum[4 * j + 2 * half], b = (float)sum[4 * j + 2 * half + 1];
            a = IN8 || OUT8 ? fmaf(a, by.x, add.x) : a + add.x;
            b = IN8 || OUT8 ? fmaf(b, by.y, add.y) : b + add.y;
            put_pair<K, RESIDUAL, OUT8>(p, buffer, row + 8 * half, 8 * j + 2 * q, a, b);
        }
    }
}

/* Tiles of a block: the first, and from one to the next. */
struct schedule {
    int first, step;
};

/* Pixel and channel at which a tile begins. */
__device__ __forceinline__ int2 place_of(const vrs_conv_point_params &p, int tile)
{
    return make_int2(tile / p.across * 128, tile % p.across * N);
}

template <int S>
__device__ __forceinline__ void load_tiles(const vrs_conv_point_params &p, const schedule &s,
                                           vrs_ring<N, S> ring)
{
    ring.parity = 1;
    for (int tile = s.first; tile < p.tiles; tile += s.step) {
        const int2 place = place_of(p, tile);
        for (int step = 0; step < p.steps; step++) {
            uint64_t *full = &ring.full[ring.stage];
            vrs_barrier_wait(&ring.empty[ring.stage], ring.parity);
            vrs_barrier_expect(full, ring.STAGE);
            vrs_load_2d(ring.input(), p.input.word, full, step * 64, place.x);
            vrs_load_2d(ring.weights(), p.weights.word, full, step * 64, place.y);
            ring.next();
        }
    }
}

/* Loads residuals two tiles ahead, stores results. `ready`: a buffer may be worked on; `done`: it
 * holds the result. The copy engine counts in halves, whatever it copies. */
template <bool IN8, bool OUT8, residual_kind RESIDUAL>
__device__ __forceinline__ void move_results(const vrs_conv_point_params &p, const schedule &s,
                                             unsigned char *buffers, uint64_t *ready,
                                             uint64_t *done)
{
    typedef kind<IN8, OUT8, RESIDUAL> K;
    const auto prepare = [&](int tile, int b) {
        if (tile >= p.tiles)
            return;
        if constexpr (RESIDUAL == NONE) {
            vrs_barrier_arrive(&ready[b]);
        } else {
            const int2 place = place_of(p, tile);
            vrs_barrier_expect(&ready[b], K::RESIDUAL_BYTES);
            for (int i = 0; i < K::RESIDUAL_BYTES / PART; i++)
                vrs_load_2d(vrs_shared(buffers + b * K::BUFFER + i * PART), p.residual.word,
                            &ready[b], place.y / (RESIDUAL == INTEGERS ? 2 : 1) + 64 * i, place.x);
        }
    };
    for (int b = 0; b < BUFFERS; b++)
        prepare(s.first + b * s.step, b);
    int b = 0;
    uint32_t parity = 0;
    for (int tile = s.first; tile < p.tiles; tile += s.step) {
        const int2 place = place_of(p, tile);
        vrs_barrier_wait(&done[b], parity);
        for (int i = 0; i < K::RESULT_BYTES / PART; i++)
            vrs_store_2d(p.output.word,
                         vrs_shared(buffers + b * K::BUFFER + K::RESULT_AT + i * PART),
                         place.y / (OUT8 ? 2 : 1) + 64 * i, place.x);
        vrs_store_commit();
        vrs_store_wait_read();
        prepare(tile + BUFFERS * s.step, b);
        if (++b == BUFFERS) {
            b = 0;
            parity ^= 1;
        }
    }
    vrs_store_wait();
}

template <bool IN8> struct vrs_sum_of {
    typedef float type;
};
template <> struct vrs_sum_of<true> {
    typedef int type;
};

template <bool IN8, bool OUT8, residual_kind RESIDUAL, int S>
__device__ __forceinline__ void finish_tiles(const vrs_conv_point_params &p, const schedule &s,
                                             vrs_ring<N, S> ring, unsigned char *buffers,
                                             uint64_t *ready, uint64_t *done)
{
    typedef kind<IN8, OUT8, RESIDUAL> K;
    const int group = threadIdx.x / 128 - 1;
    int b = 0;
    uint32_t parity = 0;
    for (int tile = s.first; tile < p.tiles; tile += s.step) {
        typename vrs_sum_of<IN8>::type sum[N / 2];
        vrs_tile_multiply<N, S, 1>(ring, group, p.steps, sum);
        vrs_barrier_wait(&ready[b], parity);
        finish_tile<IN8, OUT8, RESIDUAL>(p.conv, sum, buffers + b * K::BUFFER, group,
                                         tile % p.across * N);
        vrs_fence_async();
        vrs_barrier_arrive(&done[b]);
        if (++b == BUFFERS) {
            b = 0;
            parity ^= 1;
        }
    }
}

template <bool IN8, bool OUT8, residual_kind RESIDUAL>
__device__ __forceinline__ void point(const vrs_conv_point_params &p)
{
    typedef kind<IN8, OUT8, RESIDUAL> K;
    constexpr int S = K::BUFFER_STAGES;
    extern __shared__ __align__(1024) unsigned char shared[];
    unsigned char *buffers = shared + vrs_ring<N, S>::BYTES;
    uint64_t *barriers = reinterpret_cast<uint64_t *>(buffers + BUFFERS * K::BUFFER);
    uint64_t *ready = barriers + 2 * S, *done = ready + BUFFERS;
    vrs_ring<N, S> ring(shared, barriers);
    const schedule s = {(int)blockIdx.x, (int)gridDim.x};
    if (threadIdx.x == 0) {
        ring.init(2);
        for (int i = 0; i < BUFFERS; i++) {
            vrs_barrier_init(&ready[i], 1);
            vrs_barrier_init(&done[i], 256);
        }
        vrs_barrier_publish();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        vrs_registers_less<40>();
        if (threadIdx.x == 0)
            load_tiles(p, s, ring);
        else if (threadIdx.x == 32)
            move_results<IN8, OUT8, RESIDUAL>(p, s, buffers, ready, done);
    } else {
        vrs_registers_more<232>();
        finish_tiles<IN8, OUT8, RESIDUAL>(p, s, ring, buffers, ready, done);
    }
}

#define VRS_POINT(name, in8, out8, residual)                                         \
    extern "C" __global__ void __launch_bounds__(VRS_TILE_THREADS, 1)                \
        vrs_conv_point##name##_sm90(const __grid_constant__ vrs_conv_point_params p) \
    {                                                                                \
        point<in8, out8, residual>(p);                                               \
    }

VRS_POINT(, false, false, NONE)
VRS_POINT(_add, false, false, HALVES)
VRS_POINT(_add8, false, false, INTEGERS)
VRS_POINT(_f16_i8, false, true, NONE)
VRS_POINT(_f16_i8_add, false, true, HALVES)
VRS_POINT(_f16_i8_add8, false, true, INTEGERS)
VRS_POINT(_i8_f16, true, false, NONE)
VRS_POINT(_i8_f16_add, true, false, HALVES)
VRS_POINT(_i8_f16_add8, true, false, INTEGERS)
VRS_POINT(_i8_i8, true, true, NONE)
VRS_POINT(_i8_i8_add, true, true, HALVES)
VRS_POINT(_i8_i8_add8, true, true, INTEGERS)

#endif
