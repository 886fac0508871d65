#include "engine/cuda/cudnn_graph.h"

#include <math.h>

/* What is being described: the first failure stays. */
typedef struct builder {
    const vrs_dnn *dnn;
    vrs_dnn_graph *graph;
    vrs_dnn_status status;
    const char *what;
    int64_t next_id;
    vrs_dnn_descriptor operations[16];
    int32_t operation_count;
} builder;

static void note(builder *b, vrs_dnn_status status, const char *what)
{
    if (b->status == VRS_DNN_SUCCESS && status != VRS_DNN_SUCCESS) {
        b->status = status;
        b->what = what;
    }
}

static vrs_dnn_descriptor make(builder *b, int type)
{
    vrs_dnn_descriptor made = NULL;
    if (b->status != VRS_DNN_SUCCESS)
        return NULL;
    if (b->graph->count == VRS_DNN_DESCRIPTORS) {
        note(b, VRS_DNN_NOT_SUPPORTED, "more descriptors than are kept");
        return NULL;
    }
    note(b, VRS_DNN_TRY(b->dnn->api->make(type, &made)), "cannot make a descriptor");
    if (made)
        b->graph->all[b->graph->count++] = made;
    return made;
}

static void set(builder *b, vrs_dnn_descriptor d, int attribute, int type, int64_t count,
                const void *values)
{
    if (b->status == VRS_DNN_SUCCESS) {
        note(b, VRS_DNN_TRY(b->dnn->api->set(d, attribute, type, count, values)),
             "cannot set an attribute");
    }
}

static void set_int(builder *b, vrs_dnn_descriptor d, int attribute, int type, int value)
{
    set(b, d, attribute, type, 1, &value);
}

static void set_float(builder *b, vrs_dnn_descriptor d, int attribute, float value)
{
    set(b, d, attribute, VRS_DNN_TYPE_FLOAT, 1, &value);
}

static void set_double(builder *b, vrs_dnn_descriptor d, int attribute, double value)
{
    set(b, d, attribute, VRS_DNN_TYPE_DOUBLE, 1, &value);
}

static void set_descriptor(builder *b, vrs_dnn_descriptor d, int attribute,
                           vrs_dnn_descriptor value)
{
    set(b, d, attribute, VRS_DNN_TYPE_DESCRIPTOR, 1, &value);
}

static void finalize(builder *b, vrs_dnn_descriptor d, const char *what)
{
    if (b->status == VRS_DNN_SUCCESS)
        note(b, VRS_DNN_TRY(b->dnn->api->finalize(d)), what);
}

/* --- tensors --- */

/* A picture of NHWC; `id` 0: one that is no memory. */
static vrs_dnn_descriptor tensor(builder *b, int64_t id, int type, const int64_t dims[4],
                                 int64_t pitch)
{
    vrs_dnn_descriptor d = make(b, VRS_DNN_TENSOR);
    bool between = id == 0;
    int64_t name = between ? b->next_id++ : id, alignment = 16;
    const int64_t strides[4] = {dims[2] * dims[3] * pitch, 1, dims[3] * pitch, pitch};
    set_int(b, d, VRS_DNN_TENSOR_TYPE, VRS_DNN_TYPE_DATA_TYPE, type);
    set(b, d, VRS_DNN_TENSOR_DIMS, VRS_DNN_TYPE_INT64, 4, dims);
    set(b, d, VRS_DNN_TENSOR_STRIDES, VRS_DNN_TYPE_INT64, 4, strides);
    set(b, d, VRS_DNN_TENSOR_ID, VRS_DNN_TYPE_INT64, 1, &name);
    set(b, d, VRS_DNN_TENSOR_ALIGNMENT, VRS_DNN_TYPE_INT64, 1, &alignment);
    set(b, d, VRS_DNN_TENSOR_VIRTUAL, VRS_DNN_TYPE_BOOLEAN, 1, &between);
    finalize(b, d, "cannot describe a tensor");
    return d;
}

static int type_of(int32_t type)
{
    return type == VRS_NET_F32 ? VRS_DNN_FLOAT : type == VRS_NET_F16 ? VRS_DNN_HALF : VRS_DNN_INT8;
}

static vrs_dnn_descriptor channels(builder *b, int64_t id)
{
    const int64_t dims[4] = {1, b->graph->conv.out_channels, 1, 1};
    return tensor(b, id, VRS_DNN_FLOAT, dims, dims[1]);
}

static vrs_dnn_descriptor result(builder *b, int64_t id, int type, int64_t pitch)
{
    const vrs_conv *c = &b->graph->conv;
    const int64_t dims[4] = {c->batch, c->out_channels, c->out_height, c->out_width};
    return tensor(b, id, type, dims, pitch);
}

static vrs_dnn_descriptor between(builder *b)
{
    return result(b, 0, VRS_DNN_FLOAT, b->graph->conv.out_channels);
}

/* --- operations --- */

static void convolution(builder *b, vrs_dnn_descriptor x, vrs_dnn_descriptor w,
                        vrs_dnn_descriptor y)
{
    const vrs_conv *c = &b->graph->conv;
    vrs_dnn_descriptor d = make(b, VRS_DNN_CONVOLUTION);
    int64_t two = 2, pairs[4][2];
    for (int i = 0; i < 2; i++) {
        int32_t in = i == 0 ? c->in_height : c->in_width,
                out = i == 0 ? c->out_height : c->out_width;
        int32_t reach = (out - 1) * c->stride[i] + (c->kernel[i] - 1) * c->dilation[i] + 1;
        int32_t after = reach - in - c->pad_before[i];
        pairs[0][i] = c->dilation[i];
        pairs[1][i] = c->stride[i];
        pairs[2][i] = c->pad_before[i];
        pairs[3][i] = after > 0 ? after : 0;
    }
    set_int(b, d, VRS_DNN_CONVOLUTION_COMP_TYPE, VRS_DNN_TYPE_DATA_TYPE,
            c->in_type == VRS_NET_I8 ? VRS_DNN_INT32 : VRS_DNN_FLOAT);
    set_int(b, d, VRS_DNN_CONVOLUTION_CONV_MODE, VRS_DNN_TYPE_CONVOLUTION_MODE,
            VRS_DNN_CROSS_CORRELATION);
    set(b, d, VRS_DNN_CONVOLUTION_SPATIAL_DIMS, VRS_DNN_TYPE_INT64, 1, &two);
    set(b, d, VRS_DNN_CONVOLUTION_DILATIONS, VRS_DNN_TYPE_INT64, 2, pairs[0]);
    set(b, d, VRS_DNN_CONVOLUTION_STRIDES, VRS_DNN_TYPE_INT64, 2, pairs[1]);
    set(b, d, VRS_DNN_CONVOLUTION_PRE_PADDINGS, VRS_DNN_TYPE_INT64, 2, pairs[2]);
    set(b, d, VRS_DNN_CONVOLUTION_POST_PADDINGS, VRS_DNN_TYPE_INT64, 2, pairs[3]);
    finalize(b, d, "cannot describe a convolution");
    vrs_dnn_descriptor o = make(b, VRS_DNN_OPERATION_CONVOLUTION_FORWARD);
    set_descriptor(b, o, VRS_DNN_CONV_DESC, d);
    set_descriptor(b, o, VRS_DNN_CONV_X, x);
    set_descriptor(b, o, VRS_DNN_CONV_W, w);
    set_descriptor(b, o, VRS_DNN_CONV_Y, y);
    set_float(b, o, VRS_DNN_CONV_ALPHA, 1);
    set_float(b, o, VRS_DNN_CONV_BETA, 0);
    finalize(b, o, "cannot describe the operation");
    b->operations[b->operation_count++] = o;
}

static vrs_dnn_descriptor begin_pointwise(builder *b, int mode)
{
    vrs_dnn_descriptor d = make(b, VRS_DNN_POINTWISE);
    set_int(b, d, VRS_DNN_POINTWISE_MODE, VRS_DNN_TYPE_POINTWISE_MODE, mode);
    set_int(b, d, VRS_DNN_POINTWISE_MATH_PREC, VRS_DNN_TYPE_DATA_TYPE, VRS_DNN_FLOAT);
    return d;
}

static void pointwise(builder *b, vrs_dnn_descriptor d, vrs_dnn_descriptor x,
                      vrs_dnn_descriptor other, vrs_dnn_descriptor y)
{
    finalize(b, d, "cannot describe an elementwise function");
    vrs_dnn_descriptor o = make(b, VRS_DNN_OPERATION_POINTWISE);
    set_descriptor(b, o, VRS_DNN_PW_DESC, d);
    set_descriptor(b, o, VRS_DNN_PW_X, x);
    if (other)
        set_descriptor(b, o, VRS_DNN_PW_B, other);
    set_descriptor(b, o, VRS_DNN_PW_Y, y);
    finalize(b, o, "cannot describe an elementwise operation");
    b->operations[b->operation_count++] = o;
}

/* Mode of an activation; -1: cuDNN has no single one. */
static int mode_of(int32_t kind)
{
    switch (kind) {
    case VRS_NET_ACT_RELU:
    case VRS_NET_ACT_LEAKY_RELU:
        return VRS_DNN_RELU;
    case VRS_NET_ACT_SIGMOID:
        return VRS_DNN_SIGMOID;
    case VRS_NET_ACT_SILU:
        return VRS_DNN_SWISH;
    case VRS_NET_ACT_TANH:
        return VRS_DNN_TANH;
    case VRS_NET_ACT_ELU:
        return VRS_DNN_ELU;
    case VRS_NET_ACT_GELU:
        return VRS_DNN_GELU;
    default:
        return -1;
    }
}

static bool clips_like_relu(const vrs_net_act *act)
{
    return act->kind == VRS_NET_ACT_CLIP && act->min == 0 && isfinite(act->max);
}

static vrs_dnn_descriptor begin_activation(builder *b, const vrs_net_act *act)
{
    bool clip = act->kind == VRS_NET_ACT_CLIP;
    vrs_dnn_descriptor d = begin_pointwise(b, clip ? VRS_DNN_RELU : mode_of(act->kind));
    if (clip) {
        set_double(b, d, VRS_DNN_RELU_LOWER_CLIP, 0);
        set_double(b, d, VRS_DNN_RELU_UPPER_CLIP, (double)act->max);
    } else if (act->kind == VRS_NET_ACT_LEAKY_RELU) {
        set_double(b, d, VRS_DNN_RELU_LOWER_CLIP_SLOPE, (double)act->alpha);
    } else if (act->kind == VRS_NET_ACT_ELU) {
        set_double(b, d, VRS_DNN_ELU_ALPHA, (double)act->alpha);
    } else if (act->kind == VRS_NET_ACT_SILU) {
        set_double(b, d, VRS_DNN_SWISH_BETA, 1);
    }
    return d;
}

/* FP32 without the rounding of factors to TF32. */
static bool is_exact(const vrs_conv *conv)
{
    return conv->in_type == VRS_NET_F32 && !conv->tf32;
}

bool vrs_dnn_says(const vrs_conv *c)
{
    bool known =
        c->act.kind == VRS_NET_ACT_NONE || mode_of(c->act.kind) >= 0 || clips_like_relu(&c->act);
    bool plain = c->follow == VRS_CONV_FOLLOW_NONE && !c->transposed;
    bool steps = c->residual_scale == 1 && c->out_quantum == 1;
    return known && plain && steps;
}

/* --- the whole --- */

/* Bias, residual and activation. */
static void describe_rest(builder *b, vrs_dnn_descriptor now, vrs_dnn_descriptor y)
{
    const vrs_conv *c = &b->graph->conv;
    bool acts = c->act.kind != VRS_NET_ACT_NONE;
    vrs_dnn_descriptor next = c->residual_pitch == 0 && !acts ? y : between(b);
    pointwise(b, begin_pointwise(b, VRS_DNN_ADD), now, channels(b, VRS_DNN_ID_BIAS), next);
    now = next;
    if (c->residual_pitch != 0) {
        next = acts ? between(b) : y;
        pointwise(b, begin_pointwise(b, VRS_DNN_ADD), now,
                  result(b, VRS_DNN_ID_RESIDUAL, type_of(c->residual_type), c->residual_pitch),
                  next);
        now = next;
    }
    if (acts)
        pointwise(b, begin_activation(b, &c->act), now, NULL, y);
}

static void describe(builder *b)
{
    const vrs_conv *c = &b->graph->conv;
    int in = type_of(c->in_type), out = type_of(c->out_type);
    const int64_t x_dims[4] = {c->batch, c->in_channels, c->in_height, c->in_width};
    const int64_t w_dims[4] = {c->out_channels, c->in_channels / c->groups, c->kernel[0],
                               c->kernel[1]};
    vrs_dnn_descriptor x = tensor(b, VRS_DNN_ID_X, in, x_dims, c->in_pitch);
    vrs_dnn_descriptor w = tensor(b, VRS_DNN_ID_W, in, w_dims, w_dims[1]);
    vrs_dnn_descriptor y = result(b, VRS_DNN_ID_Y, out, c->out_pitch);
    bool integers = c->in_type == VRS_NET_I8;
    vrs_dnn_descriptor now = integers ? result(b, 0, VRS_DNN_INT32, c->out_channels) : between(b);
    convolution(b, x, w, now);
    if (c->scaled) {
        vrs_dnn_descriptor next = between(b);
        pointwise(b, begin_pointwise(b, VRS_DNN_MUL), now, channels(b, VRS_DNN_ID_SCALE), next);
        now = next;
    }
    if (!c->bare)
        describe_rest(b, now, y);
    b->graph->graph = make(b, VRS_DNN_OPERATIONGRAPH);
    set(b, b->graph->graph, VRS_DNN_GRAPH_HANDLE, VRS_DNN_TYPE_HANDLE, 1, &b->dnn->handle);
    set(b, b->graph->graph, VRS_DNN_GRAPH_OPS, VRS_DNN_TYPE_DESCRIPTOR, b->operation_count,
        b->operations);
    finalize(b, b->graph->graph, "cannot make the graph");
}

/* Engines that round more than the precision says, or differently from run to run, are not for us.
 */
static bool fits(const vrs_conv *conv, const int *notes, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        bool rounds = notes[i] == VRS_DNN_NOTE_DOWN_CONVERT || notes[i] == VRS_DNN_NOTE_TENSOR_CORE;
        bool winograd = notes[i] >= VRS_DNN_NOTE_WINOGRAD && notes[i] <= VRS_DNN_NOTE_WINOGRAD_LAST;
        bool other = notes[i] == VRS_DNN_NOTE_REDUCED || notes[i] == VRS_DNN_NOTE_FFT ||
                     notes[i] == VRS_DNN_NOTE_NONDETERMINISTIC;
        if (other || winograd || (rounds && is_exact(conv)))
            return false;
    }
    return true;
}

/* Looks at the engine behind a configuration and keeps it where it fits. */
static void keep(builder *b, vrs_dnn_descriptor config)
{
    const vrs_dnn_api *api = b->dnn->api;
    vrs_dnn_graph *g = b->graph;
    vrs_dnn_config found = {.descriptor = config};
    vrs_dnn_descriptor engine = NULL;
    int notes[VRS_DNN_NOTES];
    int64_t count = 0;
    note(b, VRS_DNN_TRY(api->make(VRS_DNN_ENGINE, &engine)), "cannot make a descriptor");
    if (b->status == VRS_DNN_SUCCESS) {
        note(b,
             VRS_DNN_TRY(
                 api->get(config, VRS_DNN_CFG_ENGINE, VRS_DNN_TYPE_DESCRIPTOR, 1, &count, &engine)),
             "cannot read an engine");
    }
    if (b->status == VRS_DNN_SUCCESS) {
        note(b,
             VRS_DNN_TRY(api->get(engine, VRS_DNN_ENGINE_INDEX, VRS_DNN_TYPE_INT64, 1, &count,
                                  &found.engine)),
             "cannot read an engine");
    }
    count = 0;
    if (b->status == VRS_DNN_SUCCESS) {
        note(b,
             VRS_DNN_TRY(api->get(engine, VRS_DNN_ENGINE_NUMERICAL_NOTE,
                                  VRS_DNN_TYPE_NUMERICAL_NOTE, VRS_DNN_NOTES, &count, notes)),
             "cannot read an engine");
    }
    count = count < VRS_DNN_NOTES ? count : VRS_DNN_NOTES;
    for (int64_t i = 0; i < count; i++)
        found.tensor_cores = found.tensor_cores || notes[i] == VRS_DNN_NOTE_TENSOR_CORE;
    if (b->status == VRS_DNN_SUCCESS && fits(&g->conv, notes, count))
        g->configs[g->config_count++] = found;
    if (engine)
        (void)api->unmake(engine);
}

/* Keeps up to `most` configurations of what one mode of the heuristics offers. One that has no
 * answer offers none. */
static void ask(builder *b, int mode, int32_t most)
{
    const vrs_dnn_api *api = b->dnn->api;
    vrs_dnn_descriptor offered[VRS_DNN_ASKED], h = make(b, VRS_DNN_ENGINEHEUR);
    set_descriptor(b, h, VRS_DNN_HEUR_GRAPH, b->graph->graph);
    set_int(b, h, VRS_DNN_HEUR_MODE, VRS_DNN_TYPE_HEUR_MODE, mode);
    if (b->status != VRS_DNN_SUCCESS)
        return;
    vrs_dnn_status answer = VRS_DNN_TRY(api->finalize(h));
    if (answer != VRS_DNN_SUCCESS) {
        note(b, answer == VRS_DNN_INJECTED ? answer : VRS_DNN_SUCCESS, "the heuristics");
        return;
    }
    int32_t asked = is_exact(&b->graph->conv) ? VRS_DNN_ASKED : most;
    for (int32_t i = 0; i < asked; i++)
        offered[i] = make(b, VRS_DNN_ENGINECFG);
    int64_t found = 0;
    if (b->status == VRS_DNN_SUCCESS) {
        note(b,
             VRS_DNN_TRY(api->get(h, VRS_DNN_HEUR_RESULTS, VRS_DNN_TYPE_DESCRIPTOR, asked, &found,
                                  offered)),
             "cannot read the heuristics");
    }
    found = found < asked ? found : asked;
    for (int64_t i = 0; i < found && b->graph->config_count < most; i++)
        if (b->status == VRS_DNN_SUCCESS)
            keep(b, offered[i]);
}

/* Configurations that are worth making: more where there is more to gain, or where the heuristics
 * guess badly. */
static int32_t wanted(const vrs_conv *c)
{
    double products = (double)c->out_height * c->out_width * c->out_channels * c->kernel[0] *
                      c->kernel[1] * c->in_channels / c->groups;
    return c->in_channels < 32 || products > 4e9 ? VRS_DNN_CONFIGS : 5;
}

vrs_status vrs_dnn_graph_build(const vrs_dnn *dnn, const vrs_conv *conv, vrs_dnn_graph *graph)
{
    builder b = {.dnn = dnn, .graph = graph, .next_id = VRS_DNN_ID_BETWEEN};
    graph->conv = *conv;
    describe(&b);
    /* Mode B offers what A does, in another order. */
    ask(&b, VRS_DNN_HEUR_A, wanted(conv));
    if (b.status == VRS_DNN_SUCCESS && graph->config_count == 0)
        ask(&b, VRS_DNN_HEUR_FALLBACK, 4);
    return vrs_dnn_check(dnn->api, b.status, b.what);
}

void vrs_dnn_graph_free(const vrs_dnn *dnn, vrs_dnn_graph *graph)
{
    for (int32_t i = graph->count - 1; i >= 0; i--)
        (void)dnn->api->unmake(graph->all[i]);
    *graph = (vrs_dnn_graph){0};
}
