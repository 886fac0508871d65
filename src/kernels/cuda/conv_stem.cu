/* The stem of a ResNet in one launch: convolution 4x4 of 16 channels (2x2 space-to-depth of the 7x7
 * with stride 2) to 64, bias, ReLU, maximum of 3x3 with stride 2.
 *
 * Floor, 16 pictures of 256x256: 33.5 MB in and 33.5 MB out, 16 us at 4.28 TB/s; 34.4 GFLOP, 46 us
 * at 744 TFLOP/s. The tensor cores decide. Measured on an H200: 61 us, the tensor cores busy for 61
 * percent of it; cuDNN takes 326 for the convolution alone. One picture: 11 us, 8 of them three
 * rows of the convolution a block: products and maxima of one row do not overlap, those of two
 * blocks do.
 *
 * The channels are the rows of the product and 256 columns of a picture's row its columns: the
 * weights stay in registers for the whole kernel (64 words a thread), and a row of the picture in
 * shared memory is, shifted by a pixel, the operand of the next tap. A block is one warpgroup that
 * marches down a strip. Of a row of the convolution a thread has neighbouring columns of two
 * channels, so the maximum along the row is made in registers with one shuffle a pair, and that
 * along columns against the rows before. The convolution's own result is never written. */
#include <cuda_fp16.h>

#include "hopper.cuh"
#include "mma.cuh"
#include "params_conv.h"

#define THREADS 128
#define COLUMNS 256                /* of the convolution, of a block */
#define PLACES (COLUMNS + 3)       /* with the taps' reach */
#define PLANE ((COLUMNS + 4) * 16) /* bytes of 8 channels of a row */
#define POOLED (COLUMNS / 2)       /* columns of the result */
#define STAGE (POOLED * 64 * 2)    /* bytes of a row of the result */

/* One row of the picture, zeros outside, into its place of the ring: channels 0 to 7 of all
 * columns, then 8 to 15. */
__device__ __forceinline__ void load_row(const vrs_stem_params &p, unsigned char *slot, int row,
                                         int first)
{
    const bool inside = row >= 0 && row < p.h;
    const uint64_t line = ((uint64_t)blockIdx.z * p.h + (inside ? row : 0)) * p.w;
    const uint4 *from = reinterpret_cast<const uint4 *>(p.input);
#pragma unroll
    for (int i = threadIdx.x; i < PLACES * 2; i += THREADS) {
        const int column = first + i / 2;
        const bool there = inside && column >= 0 && column < p.w;
        vrs_copy_or_zero(slot + (i & 1) * PLANE + i / 2 * 16,
                         from + (there ? (line + column) * 2 + (i & 1) : 0), there);
    }
    vrs_copy_commit();
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* Tap by tap, all 256 columns of one row of the convolution. `line`: shared memory of the four
 * rows of the picture. */
__device__ __forceinline__ void multiply(float (&sum)[128], const uint32_t (&weights)[16][4],
                                         const uint32_t (&line)[4])
{
    vrs_fence_async();
    __syncthreads();
    vrs_wgmma_pin(sum);
    vrs_wgmma_begin();
#pragma unroll
    for (int tap = 0; tap < 16; tap++)
        vrs_wgmma_256_registers(sum, weights[tap],
                                vrs_descriptor_planes(line[tap / 4] + tap % 4 * 16, PLANE),
                                tap != 0);
    vrs_wgmma_commit();
}

__device__ __forceinline__ void multiply_end(float (&sum)[128])
{
    vrs_wgmma_wait<0>();
    vrs_wgmma_pin(sum);
}

/* Eight channels of eight columns of the result at a time. `half2` i of row r holds columns
 * 8 i + lane % 4 and 4 more. */
__device__ __forceinline__ void stage(unsigned char *to, const __half2 (&value)[2][16])
{
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    const int column = (lane & 7) / 2 + (lane & 1) * 4, part = 2 * warp + (lane >> 3 & 1);
#pragma unroll
    for (int i = 0; i < 16; i += 2) {
        const int place = 8 * (i + (lane >> 4)) + column;
        vrs_matrix_store_4(vrs_shared(to + place * 128 + (part ^ (place & 7)) * 16), value[0][i],
                           value[1][i], value[0][i + 1], value[1][i + 1]);
    }
}

#else

__device__ __forceinline__ void multiply(float (&sum)[128], const uint32_t (&weights)[16][4],
                                         const uint32_t (&line)[4])
{
    const int lane = threadIdx.x & 31;
    const uint32_t place = (lane >> 3 & 1) * PLANE + ((lane >> 4) * 8 + (lane & 7)) * 16;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 128; i++)
        sum[i] = 0;
#pragma unroll
    for (int tap = 0; tap < 16; tap++) {
#pragma unroll
        for (int j = 0; j < 16; j++) {
            uint32_t b[4];
            vrs_matrix_load_4(line[tap / 4] + place + (tap % 4 + 16 * j) * 16, b);
            vrs_mma(&sum[8 * j], weights[tap], b[0], b[1]);
            vrs_mma(&sum[8 * j + 4], weights[tap], b[2], b[3]);
        }
    }
}

__device__ __forceinline__ void multiply_end(float (&)[128])
{
}

__device__ __forceinline__ void stage(unsigned char *to, const __half2 (&value)[2][16])
{
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
#pragma unroll
    for (int i = 0; i < 32; i++) {
        const __half2 pair = value[i & 1][i >> 1];
        const int place = 8 * (i >> 1) + (lane & 3), part = 2 * warp + (i & 1);
        const int channel = lane / 4 * 2;
        *reinterpret_cast<__half *>(to + place * 128 + (part ^ (place & 7)) * 16 + channel) =
            __low2half(pair);
        *reinterpret_cast<__half *>(to + (place + 4) * 128 + (part ^ ((place + 4) & 7)) * 16 +
                                    channel) = __high2half(pair);
    }
}

#endif

/* The larger of columns 2 i - 1, 2 i and 2 i + 1, plus the bias. Columns from `edge` on are outside
 * of the picture. */
template <bool EDGE>
__device__ __forceinline__ void pool_row(const float (&sum)[128], float bias0, float bias1,
                                         int edge, __half2 (&value)[2][16])
{
    const int lane = threadIdx.x & 31, q = lane & 3;
    const int source = (lane & ~3) | ((q + 3) & 3);
#pragma unroll
    for (int r = 0; r < 2; r++) {
        const float bias = r == 0 ? bias0 : bias1;
        float before = -INFINITY, low = 0;
#pragma unroll
        for (int j = 0; j < 32; j++) {
            float a = sum[4 * j + 2 * r], b = sum[4 * j + 2 * r + 1];
            if (EDGE) {
                a = 8 * j + 2 * q < edge ? a : -INFINITY;
                b = 8 * j + 2 * q + 1 < edge ? b : -INFINITY;
            }
            const float left = __shfl_sync(~0U, q == 3 ? before : b, source);
            const float most = fmaxf(fmaxf(q == 0 && j == 0 ? -INFINITY : left, a), b) + bias;
            before = b;
            if (j % 2 == 0)
                low = most;
            else
                value[r][j / 2] = __floats2half2_rn(low, most);
        }
    }
}

/* A row of the result from shared memory. */
__device__ __forceinline__ void write_row(const vrs_stem_params &p, const unsigned char *stage,
                                          int row, int first)
{
    const uint64_t line = ((uint64_t)blockIdx.z * p.out_h + row) * p.out_w;
    const int skip = blockIdx.x == 0 ? 0 : 1;
#pragma unroll
    for (int i = threadIdx.x; i < STAGE / 16; i += THREADS) {
        const int place = i / 8, column = first + place - skip;
        if (place >= skip && column < p.out_w)
            reinterpret_cast<uint4 *>(p.output)[(line + column) * 8 + i % 8] =
                *reinterpret_cast<const uint4 *>(stage + place * 128 + (i % 8 ^ (place & 7)) * 16);
    }
}

template <int RING> __device__ __forceinline__ void stem(const vrs_stem_params &p)
{
    extern __shared__ __align__(128) unsigned char shared[];
    unsigned char *out = shared + RING * 2 * PLANE;
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    /* The first block has all of its 128 columns, later ones lose the first, whose left
     * neighbours they do not have. */
    const int first = blockIdx.x == 0 ? 0 : POOLED + ((int)blockIdx.x - 1) * (POOLED - 1);
    const int column = blockIdx.x == 0 ? 0 : 2 * first - 2;
    const int top = blockIdx.y * p.rows, bottom = min(top + p.rows, p.out_h);
    const int start = 2 * top - 1, steps = 2 * (bottom - top) + 1;
    for (int i = 0; i < RING - 1; i++)
        load_row(p, shared + i * 2 * PLANE, start - 2 + i, column - 2);
    uint32_t weights[16][4];
#pragma unroll
    for (int tap = 0; tap < 16; tap++) {
        const uint4 words =
            __ldg(reinterpret_cast<const uint4 *>(p.weights) + (tap * 4 + warp) * 32 + lane);
        weights[tap][0] = words.x;
        weights[tap][1] = words.y;
        weights[tap][2] = words.z;
        weights[tap][3] = words.w;
    }
    const float *bias = reinterpret_cast<const float *>(p.bias) + 16 * warp + lane / 4 / 2 * 2;
    const float2 low = vrs_load_or_zero(bias, p.bias != 0);
    const float2 high = vrs_load_or_zero(bias + 8, p.bias != 0);
    const float bias0 = lane & 4 ? low.y : low.x, bias1 = lane & 4 ? high.y : high.x;
    __half2 best[2][16], value[2][16];
    int slot = 0; /* of the upper of the four rows */
    for (int step = 0; step < steps; step++) {
        const int y = start + step;
        float sum[128];
        uint32_t line[4];
#pragma unroll
        for (int i = 0; i < 4; i++)
            line[i] = vrs_shared(shared + (slot + i - (slot + i >= RING ? RING : 0)) * 2 * PLANE);
        vrs_copy_wait_but<RING - 5>();
        multiply(sum, weights, line);
        const int free = slot == 0 ? RING - 1 : slot - 1;
        load_row(p, shared + free * 2 * PLANE, start - 2 + step + RING - 1, column - 2);
        slot = slot == RING - 1 ? 0 : slot + 1;
        multiply_end(sum);
        if (p.w - column < COLUMNS)
            pool_row<true>(sum, bias0, bias1, p.w - column, value);
        else
            pool_row<false>(sum, bias0, bias1, 0, value);
        const bool inside = y >= 0 && y < p.h;
#pragma unroll
        for (int i = 0; i < 32; i++) {
            const __half2 low = __half2half2(__ushort_as_half(0xfc00));
            const __half2 now = inside ? value[i & 1][i >> 1] : low;
            __half2 &most = best[i & 1][i >> 1];
            value[i & 1][i >> 1] = now;
            most = step == 0 ? now : __hmax2(most, now);
        }
        if (step == 0 || step % 2 != 0)
            continue;
#pragma unroll
        for (int i = 0; i < 32; i++) {
            __half2 &most = best[i & 1][i >> 1];
            most = __hmax2(most, __half2half2(__ushort_as_half(0)));
        }
        stage(out, best);
        __syncthreads();
        write_row(p, out, top + step / 2 - 1, first);
#pragma unroll
        for (int i = 0; i < 32; i++)
            best[i & 1][i >> 1] = value[i & 1][i >> 1];
    }
}

/* Grid: x: 128 columns of the result, later blocks 127; y: strips of `rows` rows; z: pictures. */
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    vrs_stem(const __grid_constant__ vrs_stem_params p)
{
    if (p.ring == 8)
        stem<8>(p);
    else
        stem<5>(p);
}
