/* Elements of a network's values and the arithmetic on them, shared by C and CUDA. */
#ifndef VRS_KERNELS_CUDA_NET_VALUE_H
#define VRS_KERNELS_CUDA_NET_VALUE_H

#include <math.h>
#include <stdint.h>

#include "params_net.h"

#ifdef __CUDACC__
#include <cuda_fp16.h>
#define VRS_NET_FN static __device__ __forceinline__
#define VRS_NET_AT(kind, address) (reinterpret_cast<kind *>(address))
#else
#include "kernels/half.h"
#define VRS_NET_FN static inline
#define VRS_NET_AT(kind, address) ((kind *)(uintptr_t)(address))
#endif

/* ---- half ---- */

#ifdef __CUDACC__
VRS_NET_FN float vrs_net_half_to_float(uint16_t bits)
{
    return __half2float(__ushort_as_half(bits));
}

VRS_NET_FN uint16_t vrs_net_half_from_float(float value)
{
    return __half_as_ushort(__float2half_rn(value));
}
#else
VRS_NET_FN float vrs_net_half_to_float(uint16_t bits)
{
    return vrs_half_to_float(bits);
}

VRS_NET_FN uint16_t vrs_net_half_from_float(float value)
{
    return vrs_half_from_float(value);
}
#endif

/* ---- elements ---- */

VRS_NET_FN float vrs_net_load(uint64_t data, int32_t type, int64_t at)
{
    switch (type) {
    case VRS_NET_F32:
        return VRS_NET_AT(const float, data)[at];
    case VRS_NET_F16:
        return vrs_net_half_to_float(VRS_NET_AT(const uint16_t, data)[at]);
    case VRS_NET_I8:
        return (float)VRS_NET_AT(const int8_t, data)[at];
    case VRS_NET_U8:
        return (float)VRS_NET_AT(const uint8_t, data)[at];
    case VRS_NET_I32:
        return (float)VRS_NET_AT(const int32_t, data)[at];
    default:
        return (float)VRS_NET_AT(const int64_t, data)[at];
    }
}

VRS_NET_FN void vrs_net_store(uint64_t data, int32_t type, int64_t at, float value)
{
    switch (type) {
    case VRS_NET_F32:
        VRS_NET_AT(float, data)[at] = value;
        break;
    case VRS_NET_F16:
        VRS_NET_AT(uint16_t, data)[at] = vrs_net_half_from_float(value);
        break;
    case VRS_NET_I8:
        VRS_NET_AT(int8_t, data)[at] = (int8_t)(int32_t)value;
        break;
    case VRS_NET_U8:
        VRS_NET_AT(uint8_t, data)[at] = (uint8_t)(int32_t)value;
        break;
    case VRS_NET_I32:
        VRS_NET_AT(int32_t, data)[at] = (int32_t)value;
        break;
    default:
        VRS_NET_AT(int64_t, data)[at] = (int64_t)value;
        break;
    }
}

VRS_NET_FN int64_t vrs_net_load_integer(uint64_t data, int32_t type, int64_t at)
{
    switch (type) {
    case VRS_NET_I8:
        return VRS_NET_AT(const int8_t, data)[at];
    case VRS_NET_U8:
        return VRS_NET_AT(const uint8_t, data)[at];
    case VRS_NET_I32:
        return VRS_NET_AT(const int32_t, data)[at];
    case VRS_NET_I64:
        return VRS_NET_AT(const int64_t, data)[at];
    default:
        return (int64_t)vrs_net_load(data, type, at);
    }
}

VRS_NET_FN void vrs_net_store_integer(uint64_t data, int32_t type, int64_t at, int64_t value)
{
    switch (type) {
    case VRS_NET_I8:
        VRS_NET_AT(int8_t, data)[at] = (int8_t)value;
        break;
    case VRS_NET_U8:
        VRS_NET_AT(uint8_t, data)[at] = (uint8_t)value;
        break;
    case VRS_NET_I32:
        VRS_NET_AT(int32_t, data)[at] = (int32_t)value;
        break;
    case VRS_NET_I64:
        VRS_NET_AT(int64_t, data)[at] = value;
        break;
    default:
        vrs_net_store(data, type, at, (float)value);
        break;
    }
}

/* ---- arithmetic ---- */

VRS_NET_FN float vrs_net_sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

VRS_NET_FN float vrs_net_apply(vrs_net_act act, float slope, float x)
{
    switch (act.kind) {
    case VRS_NET_ACT_RELU:
        return x > 0 ? x : x != x ? x : 0.0f;
    case VRS_NET_ACT_CLIP:
        x = x < act.min ? act.min : x;
        return x > act.max ? act.max : x;
    case VRS_NET_ACT_LEAKY_RELU:
        return x < 0 ? act.alpha * x : x;
    case VRS_NET_ACT_PRELU:
        return x < 0 ? slope * x : x;
    case VRS_NET_ACT_ELU:
        return x < 0 ? act.alpha * (expf(x) - 1.0f) : x;
    case VRS_NET_ACT_HARD_SIGMOID:
        return fminf(fmaxf(act.alpha * x + act.beta, 0.0f), 1.0f);
    case VRS_NET_ACT_HARD_SWISH:
        return x * fminf(fmaxf(x * (1.0f / 6.0f) + 0.5f, 0.0f), 1.0f);
    case VRS_NET_ACT_SIGMOID:
        return vrs_net_sigmoid(x);
    case VRS_NET_ACT_SILU:
        return x * vrs_net_sigmoid(x);
    case VRS_NET_ACT_TANH:
        return tanhf(x);
    case VRS_NET_ACT_SOFTPLUS:
        return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
    case VRS_NET_ACT_GELU:
        return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    default:
        return x;
    }
}

/* vrs_unary of graph.h */
VRS_NET_FN float vrs_net_unary(int32_t kind, float x)
{
    switch (kind) {
    case VRS_NET_UNARY_EXP:
        return expf(x);
    case VRS_NET_UNARY_LOG:
        return logf(x);
    case VRS_NET_UNARY_SQRT:
        return sqrtf(x);
    case VRS_NET_UNARY_RECIPROCAL:
        return 1.0f / x;
    case VRS_NET_UNARY_ABS:
        return fabsf(x);
    case VRS_NET_UNARY_NEG:
        return -x;
    case VRS_NET_UNARY_FLOOR:
        return floorf(x);
    case VRS_NET_UNARY_CEIL:
        return ceilf(x);
    case VRS_NET_UNARY_ROUND:
        return rintf(x);
    case VRS_NET_UNARY_ERF:
        return erff(x);
    case VRS_NET_UNARY_SIGN:
        return x > 0 ? 1.0f : x < 0 ? -1.0f : x;
    case VRS_NET_UNARY_SIN:
        return sinf(x);
    case VRS_NET_UNARY_COS:
        return cosf(x);
    default:
        return x == 0 ? 1.0f : 0.0f;
    }
}

VRS_NET_FN float vrs_net_modulo(float a, float b, int32_t c_like)
{
    float rest = fmodf(a, b);
    return c_like || rest == 0 || (rest < 0) == (b < 0) ? rest : rest + b;
}

/* vrs_binary of graph.h */
VRS_NET_FN float vrs_net_binary(int32_t kind, float a, float b, int32_t c_like)
{
    switch (kind) {
    case VRS_NET_BINARY_ADD:
        return a + b;
    case VRS_NET_BINARY_SUB:
        return a - b;
    case VRS_NET_BINARY_MUL:
        return a * b;
    case VRS_NET_BINARY_DIV:
        return a / b;
    case VRS_NET_BINARY_POW:
        return powf(a, b);
    case VRS_NET_BINARY_MIN:
        return a < b || a != a ? a : b;
    case VRS_NET_BINARY_MAX:
        return a > b || a != a ? a : b;
    case VRS_NET_BINARY_MOD:
        return vrs_net_modulo(a, b, c_like);
    case VRS_NET_BINARY_EQUAL:
        return a == b ? 1.0f : 0.0f;
    case VRS_NET_BINARY_LESS:
        return a < b ? 1.0f : 0.0f;
    case VRS_NET_BINARY_LESS_EQUAL:
        return a <= b ? 1.0f : 0.0f;
    case VRS_NET_BINARY_GREATER:
        return a > b ? 1.0f : 0.0f;
    case VRS_NET_BINARY_GREATER_EQUAL:
        return a >= b ? 1.0f : 0.0f;
    case VRS_NET_BINARY_AND:
        return a != 0 && b != 0 ? 1.0f : 0.0f;
    case VRS_NET_BINARY_OR:
        return a != 0 || b != 0 ? 1.0f : 0.0f;
    default:
        return (a != 0) != (b != 0) ? 1.0f : 0.0f;
    }
}

/* Division by zero gives 0: a kernel has nobody to tell. */
VRS_NET_FN int64_t vrs_net_binary_integer(int32_t kind, int64_t a, int64_t b, int32_t c_like)
{
    int64_t rest;
    switch (kind) {
    case VRS_NET_BINARY_ADD:
        return a + b;
    case VRS_NET_BINARY_SUB:
        return a - b;
    case VRS_NET_BINARY_MUL:
        return a * b;
    case VRS_NET_BINARY_DIV:
        return b == 0 ? 0 : a / b;
    case VRS_NET_BINARY_MIN:
        return a < b ? a : b;
    case VRS_NET_BINARY_MAX:
        return a > b ? a : b;
    case VRS_NET_BINARY_MOD:
        rest = b == 0 ? 0 : a % b;
        return c_like || rest == 0 || (rest < 0) == (b < 0) ? rest : rest + b;
    case VRS_NET_BINARY_EQUAL:
        return a == b;
    case VRS_NET_BINARY_LESS:
        return a < b;
    case VRS_NET_BINARY_LESS_EQUAL:
        return a <= b;
    case VRS_NET_BINARY_GREATER:
        return a > b;
    case VRS_NET_BINARY_GREATER_EQUAL:
        return a >= b;
    case VRS_NET_BINARY_POW: {
        int64_t power = 1;
        for (int64_t i = 0; i < b && i < 64; i++)
            power *= a;
        return power;
    }
    default:
        return (int64_t)vrs_net_binary(kind, (float)(a != 0), (float)(b != 0), 0);
    }
}

VRS_NET_FN float vrs_net_quantize(int32_t type, float x, float scale, float zero)
{
    float low = type == VRS_NET_U8 ? 0.0f : type == VRS_NET_I8 ? -128.0f : -2147483648.0f;
    float high = type == VRS_NET_U8 ? 255.0f : type == VRS_NET_I8 ? 127.0f : 2147483520.0f;
    float y = rintf(x / scale) + zero;
    return y != y ? zero : y < low ? low : y > high ? high : y;
}

#endif
