/* Convolutions by the plain kernels of kernels/cuda/net.cu and their twins for depthwise ones and
 * for few channels: whatever nobody else runs. */
#include "base/alloc.h"
#include "engine/cuda/conv.h"
#include "kernels/cuda/net_launch.h"

typedef struct direct_plan {
    vrs_conv_plan base;
    const vrs_net_kernels *kernels;
    vrs_net_conv_params params;
} direct_plan;

static vrs_status direct_open(vrs_device *device, void **state)
{
    vrs_net_kernels *kernels = vrs_alloc(sizeof *kernels);
    if (!kernels)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_net_open(device, kernels);
    if (status != VRS_OK) {
        vrs_free(kernels);
        return status;
    }
    *state = kernels;
    return VRS_OK;
}

static int32_t direct_candidates(void *state, const vrs_conv *conv)
{
    (void)state;
    return conv->follow == VRS_CONV_FOLLOW_NONE ? 1 : 0;
}

static vrs_net_conv_params describe(const vrs_conv *c)
{
    vrs_net_conv_params p = {
        .out = {.type = c->out_type,
                .pitch = c->out_pitch,
                .height = c->out_height,
                .width = c->out_width},
        .in = {.type = c->in_type,
               .pitch = c->in_pitch,
               .height = c->in_height,
               .width = c->in_width},
        .batch = c->batch,
        .in_channels = c->in_channels,
        .out_channels = c->out_channels,
        .groups = c->groups,
        .residual_pitch = c->residual_pitch,
        .transposed = c->transposed,
        .residual_type = c->residual_type,
        .residual_scale = c->residual_scale,
        .out_quantum = c->out_quantum,
        .act = c->act,
    };
    for (int i = 0; i < 2; i++) {
        p.kernel[i] = c->kernel[i];
        p.stride[i] = c->stride[i];
        p.dilation[i] = c->dilation[i];
        p.pad_before[i] = c->pad_before[i];
    }
    return p;
}

static vrs_status direct_prepare(void *state, const vrs_conv *conv, int32_t candidate,
                                 vrs_conv_plan **result)
{
    (void)candidate;
    direct_plan *plan = vrs_alloc(sizeof *plan);
    if (!plan)
        return VRS_NO_MEMORY;
    plan->base = (vrs_conv_plan){.provider = &vrs_conv_direct, .name = "direct"};
    plan->kernels = state;
    plan->params = describe(conv);
    *result = &plan->base;
    return VRS_OK;
}

static void direct_destroy(vrs_conv_plan *plan)
{
    vrs_free(plan);
}

static vrs_status direct_enqueue(const vrs_conv_plan *base, const vrs_conv_args *args,
                                 vrs_device_stream *stream)
{
    const direct_plan *plan = (const direct_plan *)base;
    vrs_net_conv_params p = plan->params;
    p.in.data = args->x;
    p.out.data = args->y;
    p.weights = args->weights;
    p.bias = args->bias;
    p.scale = args->scale;
    p.slope = args->slope;
    p.residual = args->residual;
    return vrs_net_conv(plan->kernels, stream, &p);
}

static void direct_close(void *state)
{
    vrs_free(state);
}

const vrs_conv_provider vrs_conv_direct = {
    .name = "direct",
    .open = direct_open,
    .close = direct_close,
    .candidates = direct_candidates,
    .prepare = direct_prepare,
    .destroy = direct_destroy,
    .enqueue = direct_enqueue,
};
