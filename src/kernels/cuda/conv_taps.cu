/* 3x3 convolutions with dilation on Hopper's tensor cores, several over one input, that leave out
 * the taps which fall outside of the picture for a whole block of 4x4 pixels.
 *
 * Floor of the three branches 2048 to 256 at 32x32 with dilation 6, 12 and 18: of 27 taps a pixel
 * 15.4 are inside, with blocks of 4x4 16.6. 16 pictures: 285 GFLOP, 383 us at 744 TFLOP/s, where
 * all taps take 624. One picture: 17.8 GFLOP, 24 us, and 28 MB of weights, 7 us. Measured on an
 * H200 in one launch: 412 us, 693 TFLOP/s, where cuDNN takes 786; one picture, with cut sums: 42
 * us, where cuDNN takes 148 to 263. Cutting sums costs 23 to 54 us at 16 pictures.
 *
 * A pair of blocks works through items of a table: two tiles of 128 pixels that need the same taps,
 * 256 output channels, and a range of (tap, 64 input channels). Each loads its own pixels and half
 * of the weights for both. Items of a part of the range leave their sum in a slot, and
 * vrs_conv_taps_sum adds the slots up in order. */
#include "conv_tiles.cuh"
#include "mma.cuh"

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

#define STAGES 4

/* Four neighbouring sums of a thread in a slot. */
template <typename SUM> struct vrs_four;
template <> struct vrs_four<float> {
    typedef float4 type;
};
template <> struct vrs_four<int> {
    typedef int4 type;
};

/* Two channels of one of a pair's pixels. */
__device__ __forceinline__ void put(const vrs_taps_params &p, const vrs_taps_branch &branch,
                                    const vrs_taps_block *blocks, int row, int channel, float a,
                                    float b)
{
    const int4 block = __ldg(reinterpret_cast<const int4 *>(blocks) + row / 16);
    const int y = block.y + row % 16 / 4, x = block.z + row % 4;
    if (y >= p.h || x >= p.w || channel >= p.k)
        return;
    const float2 bias =
        vrs_load_or_zero(reinterpret_cast<const float *>(branch.bias) + channel, branch.bias != 0);
    if (branch.scale != 0) {
        const float2 by = __ldg(reinterpret_cast<const float2 *>(
            reinterpret_cast<const float *>(branch.scale) + channel));
        a *= by.x;
        b *= by.y;
    }
    a += bias.x;
    b += bias.y;
    if (p.relu) {
        a = fmaxf(a, 0);
        b = fmaxf(b, 0);
    }
    const uint64_t at = (((uint64_t)block.x * p.h + y) * p.w + x) * p.output_pitch + channel;
    if (p.out_i8)
        *reinterpret_cast<uint16_t *>(branch.output + at) = vrs_pair_of_i8(a, b);
    else
        *reinterpret_cast<__half2 *>(branch.output + at * 2) = __floats2half2_rn(a, b);
}

template <typename FOUR>
__device__ __forceinline__ void put_all(const vrs_taps_params &p, const vrs_taps_branch &branch,
                                        int pair, int across, int thread, int first,
                                        const FOUR &sum)
{
    /* Rows of a warpgroup: 16 a warp, two a thread 8 apart; columns: two in each 8. */
    const int row = thread / 128 * 64 + thread / 32 % 4 * 16 + thread % 32 / 4;
    const int channel = across * 256 + first * 8 + thread % 4 * 2;
    const vrs_taps_block *blocks =
        reinterpret_cast<const vrs_taps_block *>(p.blocks) + pair * VRS_TAPS_PAIR_BLOCKS;
    put(p, branch, blocks, row, channel, (float)sum.x, (float)sum.y);
    put(p, branch, blocks, row + 8, channel, (float)sum.z, (float)sum.w);
}

__device__ __forceinline__ int tap_of(const vrs_taps_item &item, int index)
{
    return item.taps[index >> 3] >> ((index & 7) * 4) & 15;
}

template <typename T> __device__ __forceinline__ const T *at(uint64_t address)
{
    return reinterpret_cast<const T *>(address);
}

/* By a whole warp: eight lanes load a block of pixels each. */
__device__ __forceinline__ void load_item(const vrs_taps_params &p, const vrs_taps_item &item,
                                          int rank, vrs_ring<256, STAGES> &ring)
{
    const int lane = threadIdx.x;
    const int4 block =
        __ldg(at<int4>(p.blocks) + item.pair * VRS_TAPS_PAIR_BLOCKS + rank * 8 + lane % 8);
    const int dilation = p.branch[item.branch].dilation;
    int index = item.first / p.steps, step = item.first % p.steps;
    for (int i = 0; i < item.count; i++) {
        const int tap = tap_of(item, index);
        const int dy = (tap / 3 - 1) * dilation, dx = (tap % 3 - 1) * dilation;
        uint64_t *full = &ring.full[ring.stage];
        vrs_barrier_wait(&ring.empty[ring.stage], ring.parity);
        /* Weights behind a tap's last channel are of the next one: their inputs are zeros. */
        if (lane == 0) {
            vrs_barrier_expect(full, ring.STAGE);
            vrs_load_2d_all(ring.weights() + rank * 128 * VRS_TILE_STEP,
                            p.weights[item.branch].word, full, tap * p.row + step * 64,
                            item.across * 256 + rank * 128, 3);
        }
        __syncwarp();
        if (lane < 8)
            vrs_load_4d(ring.input() + lane * 2048, p.map.word, full, step * 64, block.z + dx,
                        block.y + dy, block.x);
        ring.next();
        if (++step == p.steps) {
            step = 0;
            index++;
        }
    }
}

template <typename SUM>
__device__ __forceinline__ void finish_item(const vrs_taps_params &p, const vrs_taps_item &item,
                                            int rank, const SUM (&sum)[128])
{
    typedef typename vrs_four<SUM>::type FOUR;
    const int thread = rank * 256 + (int)threadIdx.x - 128;
    FOUR *slot = const_cast<FOUR *>(at<FOUR>(p.slots)) +
                 (uint64_t)(item.slot < 0 ? 0 : item.slot) * 32 * 512 + thread;
#pragma unroll
    for (int j = 0; j < 32; j++) {
        const FOUR four = {sum[4 * j], sum[4 * j + 1], sum[4 * j + 2], sum[4 * j + 3]};
        if (item.slot < 0)
            put_all(p, p.branch[item.branch], item.pair, item.across, thread, j, four);
        else
            slot[j * 512] = four;
    }
}

template <typename SUM> __device__ __forceinline__ void taps(const vrs_taps_params &p)
{
    extern __shared__ __align__(1024) unsigned char shared[];
    uint64_t *barriers = reinterpret_cast<uint64_t *>(shared + vrs_ring<256, STAGES>::BYTES);
    vrs_ring<256, STAGES> ring(shared, barriers);
    const int rank = vrs_cluster_rank(), cluster = blockIdx.x / 2;
    if (threadIdx.x == 0) {
        ring.init(4);
        vrs_barrier_publish();
    }
    __syncthreads();
    vrs_cluster_sync();
    const int first = __ldg(at<int>(p.ranges) + cluster);
    const int end = __ldg(at<int>(p.ranges) + cluster + 1);
    if (threadIdx.x < 128) {
        vrs_registers_less<40>();
        ring.parity = 1;
        if (threadIdx.x < 32)
            for (int i = first; i < end; i++)
                load_item(p, at<vrs_taps_item>(p.items)[i], rank, ring);
    } else {
        vrs_registers_more<232>();
        for (int i = first; i < end; i++) {
            const vrs_taps_item item = at<vrs_taps_item>(p.items)[i];
            SUM sum[128];
            vrs_tile_multiply<256, STAGES, 2>(ring, threadIdx.x / 128 - 1, item.count, sum);
            finish_item(p, item, rank, sum);
        }
    }
    vrs_cluster_sync();
}

template <typename SUM> __device__ __forceinline__ void add_slots(const vrs_taps_params &p)
{
    typedef typename vrs_four<SUM>::type FOUR;
    const vrs_taps_sum s = at<vrs_taps_sum>(p.sums)[blockIdx.y];
    const FOUR *slot = at<FOUR>(p.slots) + (uint64_t)s.slot * 32 * 512 + threadIdx.x;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int j = blockIdx.x * 4 + i;
        FOUR sum = slot[j * 512];
        for (int k = 1; k < s.count; k++) {
            const FOUR more = slot[(uint64_t)k * 32 * 512 + j * 512];
            sum.x += more.x;
            sum.y += more.y;
            sum.z += more.z;
            sum.w += more.w;
        }
        put_all(p, p.branch[s.branch], s.pair, s.across, threadIdx.x, j, sum);
    }
}

/* Grid: as many pairs of blocks as the table has ranges. */
extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(VRS_TILE_THREADS, 1)
    vrs_conv_taps_sm90(const __grid_constant__ vrs_taps_params p)
{
    taps<float>(p);
}

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(VRS_TILE_THREADS, 1)
    vrs_conv_taps_i8_sm90(const __grid_constant__ vrs_taps_params p)
{
    taps<int>(p);
}

/* Grid: x: 8 groups of 32 output channels, y: sums. */
extern "C" __global__ void __launch_bounds__(512)
    vrs_conv_taps_sum_sm90(const __grid_constant__ vrs_taps_params p)
{
    add_slots<float>(p);
}

extern "C" __global__ void __launch_bounds__(512)
    vrs_conv_taps_i8_sum_sm90(const __grid_constant__ vrs_taps_params p)
{
    add_slots<int>(p);
}

#endif
