/* Parameters of the CUDA kernels that run a network, valid in C and CUDA: types, activations.
 *
 * Pictures of a network are NHWC; pixels lie `pitch` elements apart, at least their channels, so
 * that channels can be padded and a picture can be a slice of a wider one. */
#ifndef VRS_KERNELS_CUDA_PARAMS_NET_H
#define VRS_KERNELS_CUDA_PARAMS_NET_H

#include <stdint.h>

#ifdef __cplusplus
#define VRS_NET_ASSERT(condition, text) static_assert(condition, text)
#else
#define VRS_NET_ASSERT(condition, text) _Static_assert(condition, text)
#endif

/* Of elements in device memory. BOOL is U8 of 0 or 1. */
enum {
    VRS_NET_F32 = 0,
    VRS_NET_F16 = 1,
    VRS_NET_I8 = 2,
    VRS_NET_U8 = 3,
    VRS_NET_I32 = 4,
    VRS_NET_I64 = 5,
};

/* What is applied to a result, in float; the numbers and formulas of vrs_act_kind (graph.h). */
enum {
    VRS_NET_ACT_NONE = 0,
    VRS_NET_ACT_RELU = 1,         /* max(x, 0) */
    VRS_NET_ACT_CLIP = 2,         /* min(max(x, min), max) */
    VRS_NET_ACT_LEAKY_RELU = 3,   /* x < 0 ? alpha * x : x */
    VRS_NET_ACT_PRELU = 4,        /* x < 0 ? slope[c] * x : x */
    VRS_NET_ACT_ELU = 5,          /* x < 0 ? alpha * (exp(x) - 1) : x */
    VRS_NET_ACT_HARD_SIGMOID = 6, /* min(max(alpha * x + beta, 0), 1) */
    VRS_NET_ACT_HARD_SWISH = 7,   /* x * min(max(x / 6 + 1/2, 0), 1) */
    VRS_NET_ACT_SIGMOID = 8,
    VRS_NET_ACT_SILU = 9, /* x * sigmoid(x) */
    VRS_NET_ACT_TANH = 10,
    VRS_NET_ACT_SOFTPLUS = 11, /* log(1 + exp(x)) */
    VRS_NET_ACT_GELU = 12,     /* x / 2 * (1 + erf(x / sqrt(2))) */
    VRS_NET_ACTS = 13,
};

typedef struct vrs_net_act {
    int32_t kind;
    float alpha, beta, min, max;
} vrs_net_act;
VRS_NET_ASSERT(sizeof(vrs_net_act) == 20, "vrs_net_act has no padding");

#endif
