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
#define PART (128 * VRS_TILE_STEP) /* bytes of 64 channels of a tile's result */
#define PARTS (N / 64)
#define RESULT (PARTS * PART)

/* Place of a pair of channels in a part: row of 128 bytes, exchanged parts of 16. */
__device__ __forceinline__ uint32_t *pair_at(unsigned char *part, int row, int chunk, int word)
{
    return reinterpret_cast<uint32_t *>(part + row * 128 + ((chunk ^ (row & 7)) << 4)) + word;
}

template <bool RESIDUAL>
__device__ __forceinline__ uint32_t finish(float a, float b, uint32_t before, bool relu)
{
    if constexpr (RESIDUAL) {
        const float2 add = __half22float2(*reinterpret_cast<__half2 *>(&before));
        a += add.x;
        b += add.y;
    }
    if (relu) {
        a = fmaxf(a, 0);
        b = fmaxf(b, 0);
    }
    const __half2 both = __floats2half2_rn(a, b);
    return *reinterpret_cast<const uint32_t *>(&both);
}

template <bool RESIDUAL>
__device__ __forceinline__ void finish_tile(const vrs_conv_params &p, const float (&sum)[N / 2],
                                            unsigned char *buffer, int group, int channel)
{
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5 & 3;
    const int row = group * 64 + warp * 16 + lane / 4, q = lane & 3;
    const float *bias = reinterpret_cast<const float *>(p.bias);
    const bool relu = p.relu != 0;
#pragma unroll
    for (int j = 0; j < N / 8; j++) {
        const int at = channel + 8 * j + 2 * q;
        const float2 add = vrs_load_or_zero(bias + at, p.bias != 0 && at < p.k);
        unsigned char *part = buffer + j / 8 * PART;
#pragma unroll
        for (int half = 0; half < 2; half++) {
            uint32_t *to = pair_at(part, row + 8 * half, j % 8, q);
            *to = finish<RESIDUAL>(sum[4 * j + 2 * half] + add.x, sum[4 * j + 2 * half + 1] + add.y,
                                   RESIDUAL ? *to : 0, relu);
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

__device__ __forceinline__ void load_tiles(const vrs_conv_point_params &p, const schedule &s,
                                           vrs_ring<N, STAGES> ring)
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
 * holds the result. */
template <bool RESIDUAL>
__device__ __forceinline__ void move_results(const vrs_conv_point_params &p, const schedule &s,
                                             unsigned char *buffers, uint64_t *ready,
                                             uint64_t *done)
{
    const auto prepare = [&](int tile, int b) {
        if (tile >= p.tiles)
            return;
        if constexpr (!RESIDUAL) {
            vrs_barrier_arrive(&ready[b]);
        } else {
            const int2 place = place_of(p, tile);
            vrs_barrier_expect(&ready[b], RESULT);
            for (int i = 0; i < PARTS; i++)
                vrs_load_2d(vrs_shared(buffers + b * RESULT + i * PART), p.residual.word, &ready[b],
                            place.y + 64 * i, place.x);
        }
    };
    for (int b = 0; b < BUFFERS; b++)
        prepare(s.first + b * s.step, b);
    int b = 0;
    uint32_t parity = 0;
    for (int tile = s.first; tile < p.tiles; tile += s.step) {
        const int2 place = place_of(p, tile);
        vrs_barrier_wait(&done[b], parity);
        for (int i = 0; i < PARTS; i++)
            vrs_store_2d(p.output.word, vrs_shared(buffers + b * RESULT + i * PART),
                         place.y + 64 * i, place.x);
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

template <bool RESIDUAL>
__device__ __forceinline__ void finish_tiles(const vrs_conv_point_params &p, const schedule &s,
                                             vrs_ring<N, STAGES> ring, unsigned char *buffers,
                                             uint64_t *ready, uint64_t *done)
{
    const int group = threadIdx.x / 128 - 1;
    int b = 0;
    uint32_t parity = 0;
    for (int tile = s.first; tile < p.tiles; tile += s.step) {
        float sum[N / 2];
        vrs_tile_multiply<N, STAGES, 1>(ring, group, p.steps, sum);
        vrs_barrier_wait(&ready[b], parity);
        finish_tile<RESIDUAL>(p.conv, sum, buffers + b * RESULT, group, tile % p.across * N);
        vrs_fence_async();
        vrs_barrier_arrive(&done[b]);
        if (++b == BUFFERS) {
            b = 0;
            parity ^= 1;
        }
    }
}

template <bool RESIDUAL> __device__ __forceinline__ void point(const vrs_conv_point_params &p)
{
    extern __shared__ __align__(1024) unsigned char shared[];
    unsigned char *buffers = shared + vrs_ring<N, STAGES>::BYTES;
    uint64_t *barriers = reinterpret_cast<uint64_t *>(buffers + BUFFERS * RESULT);
    uint64_t *ready = barriers + 2 * STAGES, *done = ready + BUFFERS;
    vrs_ring<N, STAGES> ring(shared, barriers);
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
            move_results<RESIDUAL>(p, s, buffers, ready, done);
    } else {
        vrs_registers_more<232>();
        finish_tiles<RESIDUAL>(p, s, ring, buffers, ready, done);
    }
}

extern "C" __global__ void __launch_bounds__(VRS_TILE_THREADS, 1)
    vrs_conv_point_sm90(const __grid_constant__ vrs_conv_point_params p)
{
    point<false>(p);
}

extern "C" __global__ void __launch_bounds__(VRS_TILE_THREADS, 1)
    vrs_conv_point_add_sm90(const __grid_constant__ vrs_conv_point_params p)
{
    point<true>(p);
}

#endif
