/* What the preprocess kernels share: from components of the resized view to the tensor. */
#ifndef VRS_KERNELS_CUDA_PREPROCESS_CUH
#define VRS_KERNELS_CUDA_PREPROCESS_CUH

#include <cuda_fp16.h>

#include "params_preprocess.h"

#define VRS_TONE_INTERVALS 4096

/* vrs_tensor_type and vrs_tensor_layout of kernels/preprocess.h. */
enum { VRS_PRE_F32 = 0, VRS_PRE_F16 = 1, VRS_PRE_I8 = 2, VRS_PRE_U8 = 3 };
enum { VRS_PRE_NCHW = 0, VRS_PRE_NHWC = 1, VRS_PRE_S2D = 2 };

template <typename T>
__device__ __forceinline__ const T *vrs_table(const vrs_preprocess_view &view, uint32_t place)
{
    return reinterpret_cast<const T *>(view.tables) + place;
}

__device__ __forceinline__ float vrs_dot(const float weights[4], const float component[3])
{
    return fmaf(weights[0], component[0],
                fmaf(weights[1], component[1], fmaf(weights[2], component[2], weights[3])));
}

__device__ __forceinline__ float vrs_tone(const float *table, float code)
{
    const float place = code * VRS_TONE_INTERVALS;
    const int index = min((int)place, VRS_TONE_INTERVALS - 1);
    const float low = __ldg(table + index);
    return fmaf(place - (float)index, __ldg(table + index + 1) - low, low);
}

/* The guide's byte. */
__device__ __forceinline__ uint8_t vrs_guide(float luma)
{
    return (uint8_t)(int)(fminf(fmaxf(luma, 0.0f), 255.0f) + 0.5f);
}

__device__ __forceinline__ void vrs_store_guide(const vrs_preprocess_params &p,
                                                const vrs_preprocess_view &view, bool inside,
                                                float luma, int x, int y)
{
    reinterpret_cast<uint8_t *>(view.luma)[(size_t)y * p.width + x] =
        inside ? vrs_guide(luma) : (uint8_t)p.pad_code;
}

/* Two floats as binary16, the first in the lower half; too large ones become infinity. */
__device__ __forceinline__ uint32_t vrs_half2(float low, float high)
{
    const __half2 both = __floats2half2_rn(low, high);
    return *reinterpret_cast<const uint32_t *>(&both);
}

/* `p` has type, layout, channels, width and height: of either way to sample. */
template <typename Params>
__device__ __forceinline__ uint32_t vrs_byte(const Params &p, float value)
{
    if (p.type == VRS_PRE_U8)
        return (uint32_t)(value + 0.5f);
    return (uint32_t)__float2int_rn(fminf(fmaxf(value, -128.0f), 127.0f)) & 0xffu;
}

/* The three values as the first words of a pixel that is padded with zeros. */
template <typename Params>
__device__ __forceinline__ uint4 vrs_pack(const Params &p, const float value[3])
{
    if (p.type == VRS_PRE_F32)
        return make_uint4(__float_as_uint(value[0]), __float_as_uint(value[1]),
                          __float_as_uint(value[2]), 0);
    if (p.type == VRS_PRE_F16)
        return make_uint4(vrs_half2(value[0], value[1]), vrs_half2(value[2], 0.0f), 0, 0);
    return make_uint4(
        vrs_byte(p, value[0]) | vrs_byte(p, value[1]) << 8 | vrs_byte(p, value[2]) << 16, 0, 0, 0);
}

template <typename Params>
__device__ __forceinline__ void vrs_store_element(const Params &p, uint64_t tensor, size_t index,
                                                  float value)
{
    if (p.type == VRS_PRE_F32)
        reinterpret_cast<float *>(tensor)[index] = value;
    else if (p.type == VRS_PRE_F16)
        reinterpret_cast<uint16_t *>(tensor)[index] = (uint16_t)vrs_half2(value, 0.0f);
    else
        reinterpret_cast<uint8_t *>(tensor)[index] = (uint8_t)vrs_byte(p, value);
}

/* One pixel, element by element: any layout. */
template <typename Params>
__device__ __forceinline__ void vrs_store_elements(const Params &p, uint64_t tensor, int x, int y,
                                                   const float value[3])
{
    const size_t pixel = (size_t)y * p.width + x;
    size_t first = pixel * p.channels, step = 1;
    int pads = p.channels - 3;
    if (p.layout == VRS_PRE_NCHW) {
        first = pixel;
        step = (size_t)p.width * p.height;
        pads = 0;
    } else if (p.layout == VRS_PRE_S2D) {
        const int part = (y & 1) * 2 + (x & 1);
        first = ((size_t)(y >> 1) * (p.width >> 1) + (x >> 1)) * p.channels + part * 3;
        pads = part == 3 ? p.channels - 12 : 0;
    }
#pragma unroll
    for (int c = 0; c < 3; c++)
        vrs_store_element(p, tensor, first + c * step, value[c]);
#pragma unroll 1
    for (int i = 0; i < pads; i++)
        vrs_store_element(p, tensor, first + 3 + i, 0.0f);
}

/* One pixel of any layout; of NHWC in whole words of 16 or 8 bytes where its size allows. */
template <typename Params>
__device__ __forceinline__ void vrs_store_pixel(const Params &p, uint64_t tensor, int x, int y,
                                                const float value[3])
{
    const int size = p.channels << (p.type == VRS_PRE_F32 ? 2 : p.type == VRS_PRE_F16 ? 1 : 0);
    if (p.layout != VRS_PRE_NHWC || (size & 7) != 0 ||
        (p.type == VRS_PRE_F32 && (size & 15) != 0)) {
        vrs_store_elements(p, tensor, x, y, value);
        return;
    }
    const uint4 words = vrs_pack(p, value);
    uint8_t *to = reinterpret_cast<uint8_t *>(tensor) + ((size_t)y * p.width + x) * size;
    if ((size & 15) == 0) {
        *reinterpret_cast<uint4 *>(to) = words;
#pragma unroll 1
        for (int i = 16; i < size; i += 16)
            *reinterpret_cast<uint4 *>(to + i) = make_uint4(0, 0, 0, 0);
    } else {
        *reinterpret_cast<uint2 *>(to) = make_uint2(words.x, words.y);
#pragma unroll 1
        for (int i = 8; i < size; i += 8)
            *reinterpret_cast<uint2 *>(to + i) = make_uint2(0, 0);
    }
}

/* Space-to-depth, FP16, 16 channels: two lanes share the 32 bytes of a place. `upper` and `lower`
 * are the halves of the rows (c0 | c1 << 16, c2) of this lane's column. The even lane gets channels
 * 0..7: its upper row, its neighbour's upper row, c0 and c1 of its lower row. The odd one 8..15: c2
 * of the even lower row, its own lower row, zeros. All lanes of a warp call. */
__device__ __forceinline__ uint4 vrs_pack_s2d(int x, uint2 upper, uint2 lower)
{
    const bool odd = (x & 1) != 0;
    /* Even lanes send c2 of the lower row, odd ones c0 and c1 of the upper, then c2 of it. */
    const uint32_t first = __shfl_xor_sync(~0u, odd ? upper.x : lower.y, 1);
    const uint32_t second = __shfl_xor_sync(~0u, upper.y, 1);
    if (odd)
        return make_uint4(__byte_perm(first, lower.x, 0x5410),
                          __byte_perm(lower.x, lower.y, 0x5432), 0, 0);
    return make_uint4(upper.x, __byte_perm(upper.y, first, 0x5410),
                      __byte_perm(first, second, 0x5432), lower.x);
}

#endif
