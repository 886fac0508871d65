/* A convolution with all that is fused into it, and who can run it.
 *
 * A network's nodes are offered to every provider at each batch size; each says in how many ways it
 * could run the node, the engine times all of them on the GPU and keeps the fastest. So a provider
 * may be for one shape on one GPU alone, and need not know whether it is the best. */
#ifndef VRS_ENGINE_CUDA_CONV_H
#define VRS_ENGINE_CUDA_CONV_H

#include <string.h>

#include "device/device.h"
#include "kernels/cuda/params_net.h"

/* What a convolution's result goes through before it is written. */
typedef enum vrs_conv_follow {
    VRS_CONV_FOLLOW_NONE = 0,
    VRS_CONV_FOLLOW_MAX_POOL = 1, /* a max-pool over the activated result */
    VRS_CONV_FOLLOW_HEAD = 2,     /* a 1x1 convolution of the activated result to few channels */
} vrs_conv_follow;

/*     y = activation(conv(x) * scale + bias + residual * residual_scale) / out_quantum
 *
 * (the step of a residual of I8 is part of residual_scale), then the follow. Everything is NHWC,
 * pixels `pitch` elements apart; sums are float (INT8: int32, then float), rounded once when y is
 * written. Pairs are down, across.
 * Channels are padded: in_channels and out_channels count zero weights too, so that in F16 both are
 * multiples of 8 (INT8: 16) wherever the engine can choose; padding channels of x are finite, those
 * of y are written. A head's channels are never padded. Every address is aligned to 16 bytes, and
 * to 256 where it begins a value of its own; a slice of a wider picture (pitch > channels) begins
 * at its channel. */
typedef struct vrs_conv {
    int32_t batch;
    int32_t in_height, in_width, in_channels, in_pitch;
    int32_t out_height, out_width, out_channels, out_pitch; /* of the convolution itself; out_pitch
                                                             * of what is written */
    int32_t residual_pitch;                                 /* 0: no residual */
    int32_t kernel[2], stride[2], dilation[2], pad_before[2], pad_after[2];
    int32_t groups;
    int32_t transposed; /* 1: as in params_net.h; only the direct kernels run it */
    int32_t in_type;    /* VRS_NET_F32, F16 or I8: of x and weights */
    int32_t out_type;   /* of y */
    int32_t residual_type;
    int32_t bare;    /* 1: no bias, residual and activation: the engine adds them afterwards */
    int32_t tf32;    /* F32: 1: factors may be rounded to TF32 */
    vrs_net_act act; /* PRELU: slopes at args.slope, one a channel */
    int32_t scaled;  /* I8: 1: factors at args.scale, one a channel of y */
    float residual_scale, out_quantum; /* 1 but for I8: what a residual of 1 is in steps of y */
    int32_t follow;                    /* vrs_conv_follow */
    /* MAX_POOL: its window; taps outside of the picture do not count. */
    int32_t pool_kernel[2], pool_stride[2], pool_pad[2], pool_height, pool_width;
    int32_t head_channels; /* HEAD: y has so many, and no activation behind it */
} vrs_conv;

/* Whether two are the same in everything: made by memset() and assignments, they have no bytes that
 * do not count. */
static inline bool vrs_conv_same(const vrs_conv *a, const vrs_conv *b)
{
    const void *x = a, *y = b;
    return memcmp(x, y, sizeof *a) == 0;
}

/* Weights are [out_channels][kernel down][across][in_channels / groups] of in_type, but for a
 * provider with pack(). Head weights: [head_channels][out_channels] of in_type. Biases, scales and
 * slopes are float. Unused ones are 0. */
typedef struct vrs_conv_args {
    vrs_device_ptr x, weights, bias, residual, y;
    vrs_device_ptr slope, scale, head_weights, head_bias;
    vrs_device_ptr table;     /* the plan's own: table_bytes() */
    vrs_device_ptr workspace; /* aligned to 256 bytes */
} vrs_conv_args;

/* Convolutions of one launch at most. */
#define VRS_CONV_JOINED 4

typedef struct vrs_conv_provider vrs_conv_provider;

/* One way to run one convolution: begins what a provider makes. */
typedef struct vrs_conv_plan {
    const vrs_conv_provider *provider;
    size_t workspace;  /* bytes that enqueue() may use, of any content before */
    char name[96];     /* for people, unique within provider and convolution */
    char packing[32];  /* plans of the same convolution at any batch that take the same bytes of
                        * pack() have the same word here, and share them; "": as above */
    bool tensor_cores; /* that it uses them */
    bool joins;        /* it is one of join() */
} vrs_conv_plan;

struct vrs_conv_provider {
    const char *name;
    /* prepare() compiles, some tenths of a second: it is spread over threads, each with a state. */
    bool compiles;
    /* What the provider keeps for a device: libraries, kernels. Returns owned in `*state`.
     * VRS_MISSING, VRS_UNSUPPORTED: it has nothing for this machine, which is said in the table of
     * plans and is no failure of the engine. */
    vrs_status (*open)(vrs_device *device, void **state);
    void (*close)(void *state);
    /* In how many ways the provider could run it, best guess first; 0: not at all. Cheap. */
    int32_t (*candidates)(void *state, const vrs_conv *conv);
    /* Makes candidate 0..candidates()-1. Any thread, several at once. Returns owned.
     * VRS_UNSUPPORTED: not this one after all; others are failures. */
    vrs_status (*prepare)(void *state, const vrs_conv *conv, int32_t candidate,
                          vrs_conv_plan **plan);
    void (*destroy)(vrs_conv_plan *plan);
    /* A plan as bytes that restore() makes an equal one of, quicker than prepare() does, on the
     * same GPU with the same libraries; both NULL: there is nothing to gain. `data` returns owned
     * (vrs_free()). The bytes that come back are those that were saved. VRS_UNSUPPORTED: not this
     * plan. */
    vrs_status (*save)(const vrs_conv_plan *plan, void **data, size_t *bytes);
    vrs_status (*restore)(void *state, const vrs_conv *conv, const void *data, size_t bytes,
                          vrs_conv_plan **plan);
    /* Of plans with a packing: bytes of the weights in the provider's own arrangement, and the
     * arranging, on the host, from the one above. */
    size_t (*packed_bytes)(const vrs_conv_plan *plan);
    void (*pack)(const vrs_conv_plan *plan, const void *weights, void *packed);
    /* What else plans want in device memory, made on the host: the same for the same convolution at
     * any batch. Both NULL, or 0 bytes: nothing. */
    size_t (*table_bytes)(const vrs_conv_plan *plan);
    void (*make_table)(const vrs_conv_plan *plan, void *table);
    /* One plan for `count` convolutions over one input, of plans for each, in one launch. Both
     * NULL: there is none. Returns owned. VRS_UNSUPPORTED: not these. */
    vrs_status (*join)(const vrs_conv_plan *const *plans, int32_t count, vrs_conv_plan **joined);
    /* enqueue() with the addresses of each; the table is the first one's. */
    vrs_status (*enqueue_joined)(const vrs_conv_plan *joined, const vrs_conv_args *args,
                                 vrs_device_stream *stream);
    /* Queues the run. It is called inside a stream capture as well: no allocation, no waiting, no
     * other stream; the addresses stay those of the capture. */
    vrs_status (*enqueue)(const vrs_conv_plan *plan, const vrs_conv_args *args,
                          vrs_device_stream *stream);
};

/* The device's context for giving something back: tried twice, for what stays is lost. */
static inline bool vrs_conv_enter_again(vrs_device *device)
{
    vrs_status status = vrs_device_enter(device);
    if (status != VRS_OK)
        status = vrs_device_enter(device);
    return status == VRS_OK;
}

/* In the order in which they are asked; the last runs everything. */
extern const vrs_conv_provider vrs_conv_tiles;  /* our own kernels on tensor cores */
extern const vrs_conv_provider vrs_conv_cudnn;  /* cuDNN's graph API */
extern const vrs_conv_provider vrs_conv_direct; /* plain kernels of ours for every convolution */

#endif
