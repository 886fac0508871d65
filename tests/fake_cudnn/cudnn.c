/* A library in cuDNN's place: README.md. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/api.h"
#include "engine/cuda/cudnn_api.h"
#include "kernels/cuda/params_net.h"

#define EXPORT __attribute__((visibility("default")))
#define ATTRIBUTES 12
#define OFFERED 3
#define BAD 2000 /* CUDNN_STATUS_BAD_PARAM */
#define IDS 8

/* What a graph computes, but for addresses; what a plan is saved as. */
typedef struct program {
    vrs_net_conv_params conv;
    int64_t x, w, y, bias, scale, residual; /* names of tensors; 0: none */
} program;

typedef struct attribute {
    int name, type;
    int64_t count;
    unsigned char data[128];
} attribute;

typedef struct descriptor {
    int type;
    bool final;
    attribute attributes[ATTRIBUTES];
    int count;
    program program; /* of graphs, configurations and plans */
    int64_t engine;  /* of configurations and engines */
    vrs_net_act act; /* of pointwise functions */
} descriptor;

struct cudnnContext {
    void *stream;
};

static char last[256];

static vrs_dnn_status refuse(const char *why)
{
    (void)snprintf(last, sizeof(last), "fake_cudnn: %s", why);
    return BAD;
}

static size_t size_of(int type)
{
    switch (type) {
    case VRS_DNN_TYPE_BOOLEAN:
    case VRS_DNN_TYPE_CHAR:
        return 1;
    case VRS_DNN_TYPE_INT64:
    case VRS_DNN_TYPE_DOUBLE:
    case VRS_DNN_TYPE_VOID_PTR:
    case VRS_DNN_TYPE_DESCRIPTOR:
    case VRS_DNN_TYPE_HANDLE:
        return 8;
    default:
        return 4;
    }
}

static const attribute *find(const descriptor *d, int name)
{
    for (int i = 0; i < d->count; i++)
        if (d->attributes[i].name == name)
            return &d->attributes[i];
    return NULL;
}

static int integer(const descriptor *d, int name, int otherwise)
{
    const attribute *a = find(d, name);
    int value = otherwise;
    if (a != NULL)
        memcpy(&value, a->data, sizeof(value));
    return value;
}

static int64_t whole(const descriptor *d, int name, int at)
{
    const attribute *a = find(d, name);
    int64_t value = 0;
    if (a != NULL && at < a->count)
        memcpy(&value, a->data + 8 * (size_t)at, sizeof(value));
    return value;
}

static float real(const descriptor *d, int name, float otherwise)
{
    const attribute *a = find(d, name);
    double value = (double)otherwise;
    if (a != NULL)
        memcpy(&value, a->data, sizeof(value));
    return (float)value;
}

static descriptor *inner(const descriptor *d, int name)
{
    const attribute *a = find(d, name);
    descriptor *value = NULL;
    if (a != NULL)
        memcpy(&value, a->data, sizeof(value));
    return value;
}

/* ---- what a graph says ---- */

static int type_of(const descriptor *tensor)
{
    int type = integer(tensor, VRS_DNN_TENSOR_TYPE, -1);
    return type == VRS_DNN_FLOAT ? VRS_NET_F32 : type == VRS_DNN_HALF ? VRS_NET_F16 : VRS_NET_I8;
}

/* NHWC: the pixel's pitch, or 0. */
static int64_t pitch_of(const descriptor *t)
{
    int64_t pitch = whole(t, VRS_DNN_TENSOR_STRIDES, 3);
    bool right = whole(t, VRS_DNN_TENSOR_STRIDES, 1) == 1 &&
                 pitch >= whole(t, VRS_DNN_TENSOR_DIMS, 1) &&
                 whole(t, VRS_DNN_TENSOR_STRIDES, 2) == pitch * whole(t, VRS_DNN_TENSOR_DIMS, 3) &&
                 whole(t, VRS_DNN_TENSOR_STRIDES, 0) ==
                     pitch * whole(t, VRS_DNN_TENSOR_DIMS, 3) * whole(t, VRS_DNN_TENSOR_DIMS, 2);
    return right ? pitch : 0;
}

static void place(vrs_net_picture *picture, const descriptor *tensor)
{
    picture->type = type_of(tensor);
    picture->pitch = (int32_t)pitch_of(tensor);
    picture->height = (int32_t)whole(tensor, VRS_DNN_TENSOR_DIMS, 2);
    picture->width = (int32_t)whole(tensor, VRS_DNN_TENSOR_DIMS, 3);
}

static vrs_dnn_status read_convolution(const descriptor *op, program *p)
{
    const descriptor *d = inner(op, VRS_DNN_CONV_DESC), *x = inner(op, VRS_DNN_CONV_X);
    const descriptor *w = inner(op, VRS_DNN_CONV_W);
    if (op->type != VRS_DNN_OPERATION_CONVOLUTION_FORWARD || !d || !x || !w)
        return refuse("the first operation is no convolution");
    vrs_net_conv_params *c = &p->conv;
    place(&c->in, x);
    c->batch = (int32_t)whole(x, VRS_DNN_TENSOR_DIMS, 0);
    c->in_channels = (int32_t)whole(x, VRS_DNN_TENSOR_DIMS, 1);
    c->out_channels = (int32_t)whole(w, VRS_DNN_TENSOR_DIMS, 0);
    c->groups = c->in_channels / (int32_t)whole(w, VRS_DNN_TENSOR_DIMS, 1);
    c->residual_scale = c->out_quantum = 1;
    for (int i = 0; i < 2; i++) {
        c->kernel[i] = (int32_t)whole(w, VRS_DNN_TENSOR_DIMS, 2 + i);
        c->stride[i] = (int32_t)whole(d, VRS_DNN_CONVOLUTION_STRIDES, i);
        c->dilation[i] = (int32_t)whole(d, VRS_DNN_CONVOLUTION_DILATIONS, i);
        c->pad_before[i] = (int32_t)whole(d, VRS_DNN_CONVOLUTION_PRE_PADDINGS, i);
        /* The result's size follows from the paddings. */
        int64_t in = whole(x, VRS_DNN_TENSOR_DIMS, 2 + i);
        int64_t reach = (c->kernel[i] - 1) * (int64_t)c->dilation[i] + 1;
        int64_t padded = in + c->pad_before[i] + whole(d, VRS_DNN_CONVOLUTION_POST_PADDINGS, i);
        const descriptor *y = inner(op, VRS_DNN_CONV_Y);
        if ((padded - reach) / c->stride[i] + 1 != whole(y, VRS_DNN_TENSOR_DIMS, 2 + i))
            return refuse("paddings that do not make the result's size");
    }
    p->x = whole(x, VRS_DNN_TENSOR_ID, 0);
    p->w = whole(w, VRS_DNN_TENSOR_ID, 0);
    return c->in.pitch > 0 && pitch_of(w) > 0 ? 0 : refuse("a tensor that is not NHWC");
}

static vrs_net_act act_of(const descriptor *d)
{
    float top = real(d, VRS_DNN_RELU_UPPER_CLIP, 3e38f);
    switch (integer(d, VRS_DNN_POINTWISE_MODE, -1)) {
    case VRS_DNN_RELU:
        if (find(d, VRS_DNN_RELU_LOWER_CLIP_SLOPE) != NULL)
            return (vrs_net_act){.kind = VRS_NET_ACT_LEAKY_RELU,
                                 .alpha = real(d, VRS_DNN_RELU_LOWER_CLIP_SLOPE, 0)};
        return (vrs_net_act){.kind = VRS_NET_ACT_CLIP, .min = 0, .max = top};
    case VRS_DNN_TANH:
        return (vrs_net_act){.kind = VRS_NET_ACT_TANH};
    case VRS_DNN_SIGMOID:
        return (vrs_net_act){.kind = VRS_NET_ACT_SIGMOID};
    case VRS_DNN_ELU:
        return (vrs_net_act){.kind = VRS_NET_ACT_ELU, .alpha = real(d, VRS_DNN_ELU_ALPHA, 1)};
    case VRS_DNN_SWISH:
        return (vrs_net_act){.kind = VRS_NET_ACT_SILU};
    default:
        return (vrs_net_act){.kind = VRS_NET_ACT_GELU};
    }
}

/* One elementwise operation: a second operand, or an activation. */
static vrs_dnn_status read_pointwise(const descriptor *op, program *p)
{
    const descriptor *d = inner(op, VRS_DNN_PW_DESC), *b = inner(op, VRS_DNN_PW_B);
    int mode = d != NULL ? integer(d, VRS_DNN_POINTWISE_MODE, -1) : -1;
    if (b == NULL) {
        p->conv.act = act_of(d);
        return 0;
    }
    bool channel = whole(b, VRS_DNN_TENSOR_DIMS, 2) == 1 && whole(b, VRS_DNN_TENSOR_DIMS, 3) == 1 &&
                   whole(b, VRS_DNN_TENSOR_DIMS, 0) == 1 && p->bias == 0;
    int64_t id = whole(b, VRS_DNN_TENSOR_ID, 0);
    if (mode == VRS_DNN_MUL && channel)
        p->scale = id;
    else if (mode == VRS_DNN_ADD && channel)
        p->bias = id;
    else if (mode == VRS_DNN_ADD && pitch_of(b) > 0) {
        p->residual = id;
        p->conv.residual_pitch = (int32_t)pitch_of(b);
        p->conv.residual_type = type_of(b);
    } else
        return refuse("an operation that a convolution is not followed by");
    return 0;
}

static vrs_dnn_status read_graph(descriptor *graph)
{
    const attribute *ops = find(graph, VRS_DNN_GRAPH_OPS);
    descriptor *list[16], *y = NULL;
    if (ops == NULL || ops->count < 1)
        return refuse("a graph of nothing");
    memcpy(list, ops->data, (size_t)ops->count * sizeof(*list));
    vrs_dnn_status status = read_convolution(list[0], &graph->program);
    for (int64_t i = 0; i < ops->count && status == 0; i++) {
        const descriptor *x = i > 0 ? inner(list[i], VRS_DNN_PW_X) : NULL;
        if (!list[i]->final || (i > 0 && x != y))
            return refuse("operations that are not in a row");
        status = i > 0 ? read_pointwise(list[i], &graph->program) : 0;
        y = inner(list[i], i > 0 ? VRS_DNN_PW_Y : VRS_DNN_CONV_Y);
    }
    if (status == 0) {
        place(&graph->program.conv.out, y);
        graph->program.y = whole(y, VRS_DNN_TENSOR_ID, 0);
    }
    return status != 0 || graph->program.conv.out.pitch > 0 ? status
                                                            : refuse("a result that is not NHWC");
}

/* ---- descriptors ---- */

EXPORT vrs_dnn_status cudnnBackendCreateDescriptor(int type, vrs_dnn_descriptor *made)
{
    descriptor *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return VRS_DNN_HOST_ALLOCATION_FAILED;
    d->type = type;
    *made = d;
    return 0;
}

EXPORT vrs_dnn_status cudnnBackendDestroyDescriptor(vrs_dnn_descriptor d)
{
    free(d);
    return 0;
}

EXPORT vrs_dnn_status cudnnBackendSetAttribute(vrs_dnn_descriptor to, int name, int type,
                                               int64_t count, const void *values)
{
    descriptor *d = to;
    if (d->final || d->count == ATTRIBUTES)
        return refuse("an attribute that is set too late");
    if (name == VRS_DNN_PLAN_JSON) { /* what a plan was saved as */
        if ((size_t)count != sizeof(program))
            return refuse("a text that is no plan");
        memcpy(&d->program, values, sizeof(program));
        return 0;
    }
    attribute *a = &d->attributes[d->count++];
    if ((size_t)count * size_of(type) > sizeof(a->data))
        return refuse("too many values");
    *a = (attribute){.name = name, .type = type, .count = count};
    memcpy(a->data, values, (size_t)count * size_of(type));
    return 0;
}

EXPORT vrs_dnn_status cudnnBackendFinalize(vrs_dnn_descriptor of)
{
    descriptor *d = of;
    vrs_dnn_status status = 0;
    if (d->type == VRS_DNN_OPERATIONGRAPH)
        status = read_graph(d);
    if (d->type == VRS_DNN_ENGINEHEUR)
        d->program = inner(d, VRS_DNN_HEUR_GRAPH)->program;
    if (d->type == VRS_DNN_EXECUTION_PLAN && inner(d, VRS_DNN_PLAN_CONFIG) != NULL)
        d->program = inner(d, VRS_DNN_PLAN_CONFIG)->program;
    d->final = status == 0;
    return status;
}

static vrs_dnn_status offer(const descriptor *heuristics, int64_t wanted, int64_t *count,
                            descriptor **configs)
{
    for (*count = 0; *count < OFFERED && *count < wanted; (*count)++) {
        configs[*count]->program = heuristics->program;
        configs[*count]->engine = 100 + *count;
    }
    return 0;
}

EXPORT vrs_dnn_status cudnnBackendGetAttribute(vrs_dnn_descriptor of, int name, int type,
                                               int64_t wanted, int64_t *count, void *values)
{
    const descriptor *d = of;
    (void)type;
    *count = 1;
    switch (name) {
    case VRS_DNN_HEUR_RESULTS:
        return offer(d, wanted, count, values);
    case VRS_DNN_CFG_ENGINE:
        (*(descriptor **)values)->engine = d->engine;
        return 0;
    case VRS_DNN_ENGINE_INDEX:
        memcpy(values, &d->engine, sizeof(d->engine));
        return 0;
    case VRS_DNN_ENGINE_NUMERICAL_NOTE:
        *count = d->engine == 100 + OFFERED - 1;
        *(int *)values = VRS_DNN_NOTE_REDUCED;
        return 0;
    case VRS_DNN_PLAN_WORKSPACE:
        memcpy(values, &(int64_t){4096}, sizeof(int64_t));
        return 0;
    case VRS_DNN_PLAN_JSON:
        *count = (int64_t)sizeof(program);
        if (wanted >= *count)
            memcpy(values, &d->program, sizeof(program));
        return 0;
    default:
        return refuse("an attribute that it does not have");
    }
}

/* ---- running ---- */

static void *driver(const char *name)
{
    static void *library;
    if (library == NULL)
        library = dlopen(getenv("VRSEG_CUDA_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
    return library != NULL ? dlsym(library, name) : NULL;
}

static vrs_dnn_status launch(const vrs_net_conv_params *params, void *stream)
{
    static vrs_cu_function function;
    vrs_cu_result (*load)(vrs_cu_module *, const void *),
        (*get)(vrs_cu_function *, vrs_cu_module, const char *);
    vrs_cu_result (*run)(vrs_cu_function, unsigned, unsigned, unsigned, unsigned, unsigned,
                         unsigned, unsigned, void *, void **, void **);
    static vrs_cu_module module; /* kept: kernels are found by name in any */
    size_t bytes = sizeof(*params);
    *(void **)&load = driver("cuModuleLoadData");
    *(void **)&get = driver("cuModuleGetFunction");
    *(void **)&run = driver("cuLaunchKernel");
    void *extra[] = {VRS_CU_LAUNCH_PARAM_BUFFER_POINTER, (void *)(uintptr_t)params,
                     VRS_CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, VRS_CU_LAUNCH_PARAM_END};
    if ((module == NULL && load(&module, "image") != 0) ||
        get(&function, module, "vrs_net_conv") != 0)
        return VRS_DNN_EXECUTION_FAILED;
    return run(function, 1, 1, 1, 256, 1, 1, 0, stream, NULL, extra) == 0
               ? 0
               : VRS_DNN_EXECUTION_FAILED;
}

static uint64_t address(const descriptor *pack, int64_t id)
{
    const attribute *ids = find(pack, VRS_DNN_PACK_IDS), *at = find(pack, VRS_DNN_PACK_POINTERS);
    for (int64_t i = 0; i < ids->count; i++) {
        int64_t name;
        uint64_t pointer;
        memcpy(&name, ids->data + 8 * (size_t)i, sizeof(name));
        memcpy(&pointer, at->data + 8 * (size_t)i, sizeof(pointer));
        if (name == id)
            return pointer;
    }
    return 0;
}

EXPORT vrs_dnn_status cudnnBackendExecute(vrs_dnn_handle handle, vrs_dnn_descriptor plan,
                                          vrs_dnn_descriptor pack)
{
    const descriptor *d = plan, *v = pack;
    program p = d->program;
    if (!d->final || !v->final)
        return refuse("a plan or pack that is not finalised");
    p.conv.in.data = address(v, p.x);
    p.conv.weights = address(v, p.w);
    p.conv.out.data = address(v, p.y);
    p.conv.bias = p.bias ? address(v, p.bias) : 0;
    p.conv.scale = p.scale ? address(v, p.scale) : 0;
    p.conv.residual = p.residual ? address(v, p.residual) : 0;
    if (!p.conv.in.data || !p.conv.weights || !p.conv.out.data || (p.bias && !p.conv.bias) ||
        (p.residual && !p.conv.residual) || (p.scale && !p.conv.scale))
        return refuse("a tensor without an address");
    return launch(&p.conv, handle->stream);
}

EXPORT vrs_dnn_status cudnnCreate(vrs_dnn_handle *handle)
{
    *handle = calloc(1, sizeof(**handle));
    return *handle != NULL ? 0 : VRS_DNN_HOST_ALLOCATION_FAILED;
}

EXPORT vrs_dnn_status cudnnDestroy(vrs_dnn_handle handle)
{
    free(handle);
    return 0;
}

EXPORT vrs_dnn_status cudnnSetStream(vrs_dnn_handle handle, void *stream)
{
    handle->stream = stream;
    return 0;
}

EXPORT size_t cudnnGetVersion(void)
{
    const char *version = getenv("FAKE_CUDNN_VERSION");
    return version != NULL ? strtoul(version, NULL, 10) : 91400;
}

EXPORT const char *cudnnGetErrorString(vrs_dnn_status status)
{
    return status == 0 ? "CUDNN_STATUS_SUCCESS" : "CUDNN_STATUS_BAD_PARAM";
}

EXPORT void cudnnGetLastErrorString(char *text, size_t size)
{
    (void)snprintf(text, size, "%s", last);
}
