/* Convolutions by the kernels of kernels/cuda/conv_launch.h: FP16 and 8-bit integers on tensor
 * cores, with what is fused into them where that is no activation or ReLU. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/conv.h"
#include "kernels/cuda/conv_launch.h"

/* Batch sizes that dilated convolutions have tables for, each with both ways to spread. */
#define BATCHES 16
#define TABLES (2 * BATCHES)

/* Dilation from which on leaving out taps pays: whole blocks of pixels have none there. */
#define DILATION_MIN VRS_TAPS_BLOCK

typedef enum tiles_kind { TILES_NONE, TILES_CONV, TILES_TAPS, TILES_STEM } tiles_kind;

typedef struct tiles_choice {
    tiles_kind kind;
    vrs_cuda_conv_kernel kernel; /* CONV */
    vrs_taps_spread spread;      /* TAPS */
} tiles_choice;

typedef struct tiles_plan {
    vrs_conv_plan base;
    const vrs_cuda_conv *kernels;
    tiles_choice choice;
    vrs_conv conv;
    vrs_cuda_conv_desc desc;
    /* TAPS: one table holds those of every batch size, which so is the same for all. */
    vrs_taps_plan *taps; /* TABLES of them */
    size_t table_at[TABLES], table_bytes;
} tiles_plan;

static vrs_status tiles_open(vrs_device *device, void **state)
{
    if (vrs_device_get_properties(device)->kind != VRS_DEVICE_CUDA)
        return vrs_fail(VRS_UNSUPPORTED, "convolutions on tensor cores need a GPU");
    vrs_cuda_conv *kernels = vrs_alloc(sizeof *kernels);
    if (!kernels)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_cuda_conv_open(device, kernels);
    if (status != VRS_OK) {
        vrs_free(kernels);
        return status;
    }
    *state = kernels;
    return VRS_OK;
}

static void tiles_close(void *state)
{
    vrs_free(state);
}

static vrs_cuda_conv_desc describe(const vrs_conv *c)
{
    return (vrs_cuda_conv_desc){.n = c->batch,
                                .h = c->in_height,
                                .w = c->in_width,
                                .c = c->in_channels,
                                .out_h = c->out_height,
                                .out_w = c->out_width,
                                .k = c->out_channels,
                                .r = c->kernel[0],
                                .s = c->kernel[1],
                                .stride = {c->stride[0], c->stride[1]},
                                .pad = {c->pad_before[0], c->pad_before[1]},
                                .dilation = {c->dilation[0], c->dilation[1]},
                                .input_pitch = c->in_pitch,
                                .output_pitch = c->out_pitch,
                                .residual_pitch = c->residual_pitch,
                                .residual = c->residual_pitch != 0,
                                .relu = c->act.kind == VRS_NET_ACT_RELU,
                                .in_i8 = c->in_type == VRS_NET_I8,
                                .out_i8 = c->out_type == VRS_NET_I8,
                                .residual_i8 = c->residual_type == VRS_NET_I8,
                                .residual_scale = c->residual_scale,
                                .f32 = c->in_type == VRS_NET_F32};
}

static bool has_type(int32_t type)
{
    return type == VRS_NET_F16 || type == VRS_NET_I8;
}

/* All in true FP32. */
static bool is_f32(const vrs_conv *c)
{
    return c->in_type == VRS_NET_F32 && c->out_type == VRS_NET_F32 && c->tf32 == 0 &&
           c->bare == 0 && (c->residual_pitch == 0 || c->residual_type == VRS_NET_F32);
}

/* What all kernels ask. */
static bool is_ours(const vrs_conv *c)
{
    const bool i8 = c->in_type == VRS_NET_I8 || c->out_type == VRS_NET_I8;
    const bool scales = i8 || c->residual_type == VRS_NET_I8;
    const bool residual = c->residual_pitch == 0 ||
                          (has_type(c->residual_type) && (scales || c->residual_scale == 1.0F));
    if (is_f32(c)) {
        return c->groups == 1 && c->transposed == 0 && c->out_quantum == 1.0F &&
               c->residual_scale == 1.0F &&
               (c->act.kind == VRS_NET_ACT_NONE || c->act.kind == VRS_NET_ACT_RELU);
    }
    return has_type(c->in_type) && has_type(c->out_type) && (c->scaled != 0) == i8 && residual &&
           c->groups == 1 && c->transposed == 0 && c->bare == 0 && c->out_quantum == 1.0F &&
           (c->act.kind == VRS_NET_ACT_NONE || c->act.kind == VRS_NET_ACT_RELU);
}

static bool is_pair(const int32_t pair[2], int32_t value)
{
    return pair[0] == value && pair[1] == value;
}

/* 4x4 of 16 channels to 64 with ReLU, and a pool of 3x3 with stride 2. */
static bool is_stem(const vrs_conv *c)
{
    return c->follow == VRS_CONV_FOLLOW_MAX_POOL && c->in_channels == 16 && c->in_pitch == 16 &&
           c->out_channels == 64 && c->out_pitch == 64 && c->residual_pitch == 0 &&
           c->in_type == VRS_NET_F16 && c->out_type == VRS_NET_F16 && is_pair(c->kernel, 4) &&
           is_pair(c->stride, 1) && is_pair(c->dilation, 1) && is_pair(c->pad_before, 2) &&
           c->act.kind == VRS_NET_ACT_RELU && is_pair(c->pool_kernel, 3) &&
           is_pair(c->pool_stride, 2) && is_pair(c->pool_pad, 1) && c->out_height == c->in_height &&
           c->out_width == c->in_width && c->pool_height == (c->out_height + 1) / 2 &&
           c->pool_width == (c->out_width + 1) / 2;
}

static vrs_taps_desc describe_taps(const vrs_conv *c, int32_t batch, vrs_taps_spread spread)
{
    return (vrs_taps_desc){.n = batch,
                           .h = c->in_height,
                           .w = c->in_width,
                           .c = c->in_channels,
                           .k = c->out_channels,
                           .branches = 1,
                           .dilation = {c->dilation[0]},
                           .input_pitch = c->in_pitch,
                           .output_pitch = c->out_pitch,
                           .relu = c->act.kind == VRS_NET_ACT_RELU,
                           .in_i8 = c->in_type == VRS_NET_I8,
                           .out_i8 = c->out_type == VRS_NET_I8,
                           .spread = spread};
}

static bool is_taps(const vrs_cuda_conv *kernels, const vrs_conv *c)
{
    const int32_t dilation = c->dilation[0];
    if (c->in_type == VRS_NET_F32 || c->residual_pitch != 0 || c->batch > BATCHES ||
        !is_pair(c->kernel, 3) || !is_pair(c->stride, 1) || !is_pair(c->dilation, dilation) ||
        !is_pair(c->pad_before, dilation) || c->out_height != c->in_height ||
        c->out_width != c->in_width || dilation < DILATION_MIN)
        return false;
    const vrs_taps_desc desc = describe_taps(c, BATCHES, VRS_TAPS_WHOLE);
    return vrs_taps_supported(kernels, &desc);
}

/* Candidate `index`, or kind NONE behind the last. */
static tiles_choice choose(const vrs_cuda_conv *kernels, const vrs_conv *c, int32_t index)
{
    tiles_choice choices[2 + VRS_CUDA_CONV_KERNELS] = {0};
    int32_t count = 0;
    const vrs_cuda_conv_desc desc = describe(c);
    if (is_ours(c) && is_stem(c))
        choices[count++].kind = TILES_STEM;
    if (is_ours(c) && c->follow == VRS_CONV_FOLLOW_NONE) {
        if (is_taps(kernels, c)) {
            choices[count++] = (tiles_choice){.kind = TILES_TAPS, .spread = VRS_TAPS_WHOLE};
            choices[count++] = (tiles_choice){.kind = TILES_TAPS, .spread = VRS_TAPS_CUT};
        }
        for (int i = VRS_CUDA_CONV_KERNELS - 1; i >= 0; i--) {
            if (vrs_cuda_conv_supported(kernels, &desc, (vrs_cuda_conv_kernel)i)) {
                choices[count++] =
                    (tiles_choice){.kind = TILES_CONV, .kernel = (vrs_cuda_conv_kernel)i};
            }
        }
    }
    return index < count ? choices[index] : (tiles_choice){0};
}

static int32_t tiles_candidates(void *state, const vrs_conv *conv)
{
    int32_t count = 0;
    while (choose(state, conv, count).kind != TILES_NONE)
        count++;
    return count;
}

static void tiles_destroy(vrs_conv_plan *base)
{
    tiles_plan *plan = (tiles_plan *)base;
    if (plan && plan->taps) {
        for (int i = 0; i < TABLES; i++)
            vrs_taps_plan_destroy(&plan->taps[i]);
        vrs_free(plan->taps);
    }
    vrs_free(plan);
}

static size_t round_up(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static int32_t table_of(int32_t batch, vrs_taps_spread spread)
{
    return (batch - 1) * 2 + (spread == VRS_TAPS_CUT);
}

static vrs_status prepare_taps(tiles_plan *plan)
{
    plan->taps = vrs_alloc_array(TABLES, sizeof *plan->taps);
    if (!plan->taps)
        return VRS_NO_MEMORY;
    vrs_status status = VRS_OK;
    for (int i = 0; i < TABLES && status == VRS_OK; i++) {
        const vrs_taps_desc desc =
            describe_taps(&plan->conv, i / 2 + 1, i % 2 != 0 ? VRS_TAPS_CUT : VRS_TAPS_WHOLE);
        status = vrs_taps_plan_create(plan->kernels, &desc, &plan->taps[i]);
        plan->table_at[i] = plan->table_bytes;
        plan->table_bytes += round_up(plan->taps[i].table_bytes);
    }
    plan->base.workspace = plan->taps[table_of(plan->desc.n, plan->choice.spread)].workspace_bytes;
    return status;
}

static void name_plan(tiles_plan *plan)
{
    static const char *const kernels[] = {"mma", "1x1", "fp32", "fp32 small"};
    const char *name = plan->choice.kind == TILES_STEM       ? "stem with pool"
                       : plan->choice.kind == TILES_CONV     ? kernels[plan->choice.kernel]
                       : plan->choice.spread == VRS_TAPS_CUT ? "live taps, cut"
                                                             : "live taps";
    (void)strncpy(plan->base.name, name, sizeof plan->base.name - 1);
    (void)strncpy(plan->base.packing, plan->choice.kind == TILES_STEM ? "stem" : "",
                  sizeof plan->base.packing - 1);
    plan->base.tensor_cores = !plan->desc.f32;
}

static vrs_status tiles_prepare(void *state, const vrs_conv *conv, int32_t candidate,
                                vrs_conv_plan **result)
{
    tiles_plan *plan = vrs_alloc(sizeof *plan);
    if (!plan)
        return VRS_NO_MEMORY;
    plan->base.provider = &vrs_conv_tiles;
    plan->kernels = state;
    plan->conv = *conv;
    plan->desc = describe(conv);
    plan->choice = choose(state, conv, candidate);
    name_plan(plan);
    vrs_status status = plan->choice.kind == TILES_TAPS ? prepare_taps(plan) : VRS_OK;
    if (status != VRS_OK) {
        tiles_destroy(&plan->base);
        return status;
    }
    *result = &plan->base;
    return VRS_OK;
}

/* Whether two differ in nothing but dilation, weights and where the result goes. */
static bool are_alike(const vrs_cuda_conv_desc *a, const vrs_cuda_conv_desc *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->k == b->k &&
           a->input_pitch == b->input_pitch && a->output_pitch == b->output_pitch &&
           a->relu == b->relu && a->in_i8 == b->in_i8 && a->out_i8 == b->out_i8;
}

static vrs_status prepare_joined(tiles_plan *plan, const vrs_taps_desc *desc)
{
    plan->taps = vrs_alloc_array(TABLES, sizeof *plan->taps);
    if (!plan->taps)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_taps_plan_create(plan->kernels, desc, &plan->taps[0]);
    plan->table_bytes = round_up(plan->taps[0].table_bytes);
    plan->base.workspace = plan->taps[0].workspace_bytes;
    return status;
}

static vrs_status tiles_join(const vrs_conv_plan *const *plans, int32_t count,
                             vrs_conv_plan **joined)
{
    const tiles_plan *first = (const tiles_plan *)plans[0];
    vrs_taps_desc desc = describe_taps(&first->conv, first->conv.batch, VRS_TAPS_AUTO);
    desc.branches = count;
    bool alike = count <= VRS_CONV_BRANCHES;
    for (int32_t i = 0; i < count && alike; i++) {
        const tiles_plan *plan = (const tiles_plan *)plans[i];
        alike = plan->base.provider == &vrs_conv_tiles && plan->choice.kind == TILES_TAPS &&
                are_alike(&first->desc, &plan->desc);
        desc.dilation[i] = plan->desc.dilation[0];
    }
    if (!alike)
        return vrs_fail(VRS_UNSUPPORTED, "convolutions that have no kernel together");
    tiles_plan *plan = vrs_alloc(sizeof *plan);
    if (!plan)
        return VRS_NO_MEMORY;
    *plan = (tiles_plan){.base = {.provider = &vrs_conv_tiles, .tensor_cores = true, .joins = true},
                         .kernels = first->kernels,
                         .choice = first->choice,
                         .conv = first->conv,
                         .desc = first->desc};
    (void)snprintf(plan->base.name, sizeof plan->base.name, "live taps, %d in one", (int)count);
    vrs_status status = prepare_joined(plan, &desc);
    if (status != VRS_OK) {
        tiles_destroy(&plan->base);
        return status;
    }
    *joined = &plan->base;
    return VRS_OK;
}

static vrs_status tiles_enqueue_joined(const vrs_conv_plan *base, const vrs_conv_args *args,
                                       vrs_device_stream *stream)
{
    const tiles_plan *plan = (const tiles_plan *)base;
    vrs_taps_buffers buffers = {
        .input = args[0].x, .table = args[0].table, .workspace = args[0].workspace};
    for (int32_t i = 0; i < plan->taps[0].desc.branches; i++) {
        buffers.weights[i] = args[i].weights;
        buffers.bias[i] = args[i].bias;
        buffers.output[i] = args[i].y;
        buffers.scale[i] = args[i].scale;
    }
    return vrs_taps_launch(plan->kernels, stream, &plan->taps[0], &buffers);
}

static size_t tiles_packed_bytes(const vrs_conv_plan *base)
{
    return base->packing[0] != 0 ? VRS_STEM_WEIGHTS * sizeof(uint16_t) : 0;
}

static void tiles_pack(const vrs_conv_plan *base, const void *weights, void *packed)
{
    (void)base; /* the stem's */
    vrs_stem_pack(weights, packed);
}

static size_t tiles_table_bytes(const vrs_conv_plan *base)
{
    return ((const tiles_plan *)base)->table_bytes;
}

static void tiles_make_table(const vrs_conv_plan *base, void *table)
{
    const tiles_plan *plan = (const tiles_plan *)base;
    memset(table, 0, plan->table_bytes);
    for (int i = 0; plan->taps && i < TABLES; i++) {
        if (plan->taps[i].table_bytes > 0) {
            memcpy((char *)table + plan->table_at[i], plan->taps[i].table,
                   plan->taps[i].table_bytes);
        }
    }
}

static vrs_status enqueue_taps(const tiles_plan *plan, const vrs_conv_args *args,
                               vrs_device_stream *stream)
{
    const int32_t table = table_of(plan->desc.n, plan->choice.spread);
    const vrs_taps_buffers buffers = {.input = args->x,
                                      .table = args->table + plan->table_at[table],
                                      .workspace = args->workspace,
                                      .weights = {args->weights},
                                      .bias = {args->bias},
                                      .output = {args->y},
                                      .scale = {args->scale}};
    return vrs_taps_launch(plan->kernels, stream, &plan->taps[table], &buffers);
}

static vrs_status tiles_enqueue(const vrs_conv_plan *base, const vrs_conv_args *args,
                                vrs_device_stream *stream)
{
    const tiles_plan *plan = (const tiles_plan *)base;
    if (plan->choice.kind == TILES_TAPS)
        return enqueue_taps(plan, args, stream);
    if (plan->choice.kind == TILES_STEM) {
        const vrs_stem_buffers buffers = {args->x, args->weights, args->bias, args->y};
        return vrs_stem_launch(plan->kernels, stream, plan->desc.n, plan->desc.h, plan->desc.w,
                               &buffers);
    }
    const vrs_cuda_conv_buffers buffers = {.input = args->x,
                                           .weights = args->weights,
                                           .bias = args->bias,
                                           .residual = args->residual,
                                           .output = args->y,
                                           .scale = args->scale};
    return vrs_cuda_conv_launch(plan->kernels, stream, &plan->desc, plan->choice.kernel, &buffers);
}

const vrs_conv_provider vrs_conv_tiles = {
    .name = "tiles",
    .open = tiles_open,
    .close = tiles_close,
    .candidates = tiles_candidates,
    .prepare = tiles_prepare,
    .destroy = tiles_destroy,
    .packed_bytes = tiles_packed_bytes,
    .pack = tiles_pack,
    .table_bytes = tiles_table_bytes,
    .make_table = tiles_make_table,
    .join = tiles_join,
    .enqueue_joined = tiles_enqueue_joined,
    .enqueue = tiles_enqueue,
};
