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

#define VRS_NET_RANK 6

/* Elements at data + type * sum of place[axis] * stride[axis]; strides in elements, 0 where the
 * operand is broadcast. */
typedef struct vrs_net_view {
    uint64_t data;
    int32_t type, unused;
    int64_t stride[VRS_NET_RANK];
} vrs_net_view;
VRS_NET_ASSERT(sizeof(vrs_net_view) == 64, "vrs_net_view has no padding");

/* What vrs_net_map computes of its operands a, b, c (in[0..2]), before the activation. The numbers
 * from UNARY and BINARY on are those of vrs_unary and vrs_binary (graph.h). */
enum {
    VRS_NET_MOVE = 0,        /* a, converted: to integers towards zero */
    VRS_NET_SCALE_SHIFT = 1, /* a * b + c */
    VRS_NET_WHERE = 2,       /* a ? b : c */
    VRS_NET_QUANTIZE = 3,    /* round half to even of a / b, + c, saturated to the result's type */
    VRS_NET_DEQUANTIZE = 4,  /* (a - c) * b */
    VRS_NET_SUM = 5,         /* a + b + c; those that are missing are 0 */
    VRS_NET_UNARY = 16,
    VRS_NET_BINARY = 48,
};

/* vrs_unary of graph.h */
enum {
    VRS_NET_UNARY_EXP,
    VRS_NET_UNARY_LOG,
    VRS_NET_UNARY_SQRT,
    VRS_NET_UNARY_RECIPROCAL,
    VRS_NET_UNARY_ABS,
    VRS_NET_UNARY_NEG,
    VRS_NET_UNARY_FLOOR,
    VRS_NET_UNARY_CEIL,
    VRS_NET_UNARY_ROUND,
    VRS_NET_UNARY_ERF,
    VRS_NET_UNARY_SIGN,
    VRS_NET_UNARY_SIN,
    VRS_NET_UNARY_COS,
    VRS_NET_UNARY_NOT,
};

/* vrs_binary of graph.h; those from EQUAL on make 0 or 1 */
enum {
    VRS_NET_BINARY_ADD,
    VRS_NET_BINARY_SUB,
    VRS_NET_BINARY_MUL,
    VRS_NET_BINARY_DIV,
    VRS_NET_BINARY_POW,
    VRS_NET_BINARY_MIN,
    VRS_NET_BINARY_MAX,
    VRS_NET_BINARY_MOD,
    VRS_NET_BINARY_EQUAL,
    VRS_NET_BINARY_LESS,
    VRS_NET_BINARY_LESS_EQUAL,
    VRS_NET_BINARY_GREATER,
    VRS_NET_BINARY_GREATER_EQUAL,
    VRS_NET_BINARY_AND,
    VRS_NET_BINARY_OR,
    VRS_NET_BINARY_XOR,
};

/* Elementwise, over `rank` axes of `dims`, the last one the innermost of the result. Where `fill`
 * is above dims[rank - 1] the result's last axis goes on with zeros up to it: a picture's padding.
 * Integers (I32, I64 at in[0]) are computed as such. Grid: x: elements. */
typedef struct vrs_net_map_params {
    vrs_net_view out, in[3];
    vrs_net_view slope; /* of PRELU */
    int64_t dims[VRS_NET_RANK];
    int64_t fill;
    int32_t rank, op, fmod;
    vrs_net_act act;
} vrs_net_map_params;

/* The same elements in other dims: place and operand are counted row-major over `dims` and
 * `in_dims`, whatever the strides. `order`: axes of the result from the outermost in memory to the
 * innermost, so that neighbours write neighbours. Grid: x: elements of the result. */
typedef struct vrs_net_reshape_params {
    vrs_net_view out, in;
    int64_t dims[VRS_NET_RANK], in_dims[VRS_NET_RANK];
    int32_t rank, in_rank;
    int32_t order[VRS_NET_RANK];
} vrs_net_reshape_params;

/* vrs_pad_mode of graph.h */
enum { VRS_NET_PAD_CONSTANT = 0, VRS_NET_PAD_REFLECT = 1, VRS_NET_PAD_EDGE = 2 };

/* Place p of an axis reads p - before. Negative pads cut. Grid: x: elements. */
typedef struct vrs_net_pad_params {
    vrs_net_view out, in;
    int64_t dims[VRS_NET_RANK], in_dims[VRS_NET_RANK], before[VRS_NET_RANK];
    int64_t fill; /* as of vrs_net_map */
    int32_t rank, mode;
    float value;
    int32_t unused;
} vrs_net_pad_params;

/* Along `axis` the operand's place is indices[place of the result along `axis`], counted from the
 * end where negative; one that is not there reads 0. Grid: x: elements. */
typedef struct vrs_net_gather_params {
    vrs_net_view out, in;
    uint64_t indices;
    int64_t dims[VRS_NET_RANK], in_dim;
    int32_t rank, axis, index_type, unused;
} vrs_net_gather_params;

/* vrs_pool_kind of graph.h */
enum { VRS_NET_POOL_MAX = 0, VRS_NET_POOL_AVERAGE = 1 };

/* A picture's place: channel c of pixel (y, x) of view n lies at ((n * height + y) * width + x) *
 * pitch + c. Grid of what is below, unless it says more: x: groups of channels and pixels. */
typedef struct vrs_net_picture {
    uint64_t data;
    int32_t type, pitch;
    int32_t height, width;
} vrs_net_picture;
VRS_NET_ASSERT(sizeof(vrs_net_picture) == 24, "vrs_net_picture has no padding");

/* Taps outside of the picture do not count. Channels from `channels` to `fill` of the result are
 * zero. */
typedef struct vrs_net_pool_params {
    vrs_net_picture out, in;
    int32_t batch, channels, fill, kind;
    int32_t kernel[2], stride[2], dilation[2], pad_before[2], pad_after[2];
    int32_t include_pad, unused; /* AVERAGE: divided by the taps inside the padded picture */
} vrs_net_pool_params;

/* vrs_resize_mode of graph.h */
enum { VRS_NET_RESIZE_NEAREST, VRS_NET_RESIZE_LINEAR };

/* vrs_resize_coordinate of graph.h */
enum {
    VRS_NET_RESIZE_HALF_PIXEL,
    VRS_NET_RESIZE_HALF_PIXEL_SYMMETRIC,
    VRS_NET_RESIZE_PYTORCH_HALF_PIXEL,
    VRS_NET_RESIZE_ALIGN_CORNERS,
    VRS_NET_RESIZE_ASYMMETRIC,
    VRS_NET_RESIZE_TF_HALF_PIXEL,
    VRS_NET_RESIZE_TF_CROP,
};

/* vrs_resize_nearest of graph.h */
enum {
    VRS_NET_NEAREST_ROUND_PREFER_FLOOR,
    VRS_NET_NEAREST_ROUND_PREFER_CEIL,
    VRS_NET_NEAREST_FLOOR,
    VRS_NET_NEAREST_CEIL,
};

/* mode, coordinate and nearest are numbers of these lists. */
typedef struct vrs_net_resize_params {
    vrs_net_picture out, in;
    int32_t batch, channels, fill;
    int32_t mode, coordinate, nearest;
    float scale[2];
    float roi_start[2], roi_end[2], extrapolation;
    float steps;   /* of an I8 result, in 1: it is rounded to the nearest; else not read */
    int32_t taps;  /* rows and columns, 0: none: vrs_resize_attributes of graph.h */
    int32_t cells; /* of resize_taps: columns of the input to a thread */
} vrs_net_resize_params;

/* vrs_reduce_kind of graph.h */
enum {
    VRS_NET_REDUCE_MEAN = 0,
    VRS_NET_REDUCE_SUM = 1,
    VRS_NET_REDUCE_MAX = 2,
    VRS_NET_REDUCE_MIN = 3,
    VRS_NET_REDUCE_PROD = 4,
    VRS_NET_REDUCE_L2 = 5,
};

/* Over the `over` axes at every place of the kept ones. `in` has the strides of the kept axes.
 * Grid: x: elements of the result (a block each where there is much to add up). */
typedef struct vrs_net_reduce_params {
    vrs_net_view out, in;
    int64_t dims[VRS_NET_RANK];
    int64_t over_dims[VRS_NET_RANK], over_stride[VRS_NET_RANK];
    int64_t fill; /* as of vrs_net_map */
    int32_t rank, over_rank, kind;
    float factor; /* of the result */
} vrs_net_reduce_params;

enum {
    VRS_NET_SOFTMAX = 0,
    VRS_NET_LOG_SOFTMAX = 1,
    VRS_NET_ARGMAX = 2, /* results are I64 */
    VRS_NET_ARGMIN = 3,
    VRS_NET_ARGMAX_LAST = 4, /* of equal ones the last */
    VRS_NET_ARGMIN_LAST = 5,
};

/* Along one axis of `count`, at every place of the others. Grid: x: places. */
typedef struct vrs_net_along_params {
    vrs_net_view out, in;
    int64_t dims[VRS_NET_RANK];
    int64_t count, in_stride, out_stride;
    int32_t rank, op;
    int32_t fill; /* the result's axis goes on with zeros up to it */
    int32_t unused;
} vrs_net_along_params;

/* y = activation(conv(x) * scale + bias + residual * residual_scale) / out_quantum: vrs_conv
 * (engine/cuda/conv.h) of every kind, and transposed: there y(o) sums x(i) w(k) over all i, k with
 * i * stride + k * dilation - pad == o. Weights [out_channels][kernel][in_channels / groups] of
 * `in.type`. 0: no bias, scale, slope, residual. Sums are float, of I8 int32. */
typedef struct vrs_net_conv_params {
    vrs_net_picture out, in;
    uint64_t weights, bias, scale, slope, residual;
    int32_t batch, in_channels, out_channels, groups;
    int32_t kernel[2], stride[2], dilation[2], pad_before[2];
    int32_t residual_pitch, transposed;
    float residual_scale, out_quantum;
    vrs_net_act act;
    int32_t residual_type;
} vrs_net_conv_params;

/* c = activation(alpha * a * b + beta * bias), each of rows, columns with strides, over `batch`
 * products; grid: x: columns, y: rows, z: products. */
typedef struct vrs_net_matmul_params {
    uint64_t a, b, bias, out, slope;
    int64_t a_row, a_column, b_row, b_column, out_row, out_column, bias_row, bias_column;
    int64_t slope_row, slope_column;
    int64_t dims[4]; /* of the products */
    int64_t a_batch[4], b_batch[4], out_batch[4];
    int32_t a_type, b_type, bias_type, out_type;
    int32_t rows, columns, depth;
    float alpha, beta;
    vrs_net_act act;
} vrs_net_matmul_params;

/* (x - mean) / sqrt(variance + epsilon) * scale[c] + shift[c] over the pixels of each channel of
 * each picture. Grid: x: channels, y: pictures. */
typedef struct vrs_net_norm_params {
    vrs_net_picture out, in;
    uint64_t scale, shift; /* float */
    int32_t batch, channels, fill;
    float epsilon;
    vrs_net_act act;
    int32_t unused;
} vrs_net_norm_params;

/* X(name): a kernel vrs_net_NAME with the parameters vrs_net_NAME_params. */
#define VRS_NET_KERNELS(X) \
    X(map)                 \
    X(reshape)             \
    X(pad)                 \
    X(gather)              \
    X(pool)                \
    X(resize)              \
    X(reduce)              \
    X(along)               \
    X(conv)                \
    X(matmul)              \
    X(norm)

/* Faster twins of some of them, for what a launch finds it can take: X(kernel, parameters). */
#define VRS_NET_FAST_KERNELS(X) \
    X(map_vector, map)          \
    X(pool_vector, pool)        \
    X(resize_vector, resize)    \
    X(resize_taps, resize)      \
    X(reduce_block, reduce)     \
    X(reduce_rows, reduce)      \
    X(conv_depthwise, conv)     \
    X(conv_narrow, conv)

#define VRS_NET_SIZE(name)                                      \
    VRS_NET_ASSERT(sizeof(vrs_net_##name##_params) % 8 == 0 &&  \
                       sizeof(vrs_net_##name##_params) <= 4096, \
                   "kernel parameters are whole words, at most 4 KB");
VRS_NET_KERNELS(VRS_NET_SIZE)

#endif
