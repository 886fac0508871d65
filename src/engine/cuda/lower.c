/* Nodes as launches of the kernels of kernels/cuda/net.cu: which, and elementwise ones. */
#include <math.h>
#include <string.h>

#include "device/kernel_times.h"
#include "engine/cuda/lower.h"

/* The kernels' numbers are the graph's. */
#define SAME_ACT(name, text) \
    _Static_assert(VRS_NET_ACT_##name == (int)VRS_ACT_##name, "the activation " text);
VRS_ACT_MAP(SAME_ACT)
#undef SAME_ACT
#define SAME_UNARY(name, text) \
    _Static_assert(VRS_NET_UNARY_##name == (int)VRS_UNARY_##name, "the operation " text);
VRS_UNARY_MAP(SAME_UNARY)
#undef SAME_UNARY
#define SAME_BINARY(name, text) \
    _Static_assert(VRS_NET_BINARY_##name == (int)VRS_BINARY_##name, "the operation " text);
VRS_BINARY_MAP(SAME_BINARY)
#undef SAME_BINARY
_Static_assert(VRS_NET_ACTS == (int)VRS_ACT_COUNT, "no activation is missing");
_Static_assert(VRS_NET_UNARY + (int)VRS_UNARY_COUNT <= VRS_NET_BINARY, "the ranges are apart");
_Static_assert((int)VRS_PAD_EDGE == VRS_NET_PAD_EDGE, "the kernels' paddings are the graph's");

/* --- views --- */

void vrs_net_dense_strides(const int64_t *dims, int32_t rank, int64_t *strides)
{
    int64_t stride = 1;
    for (int32_t axis = rank - 1; axis >= 0; axis--) {
        strides[axis] = stride;
        stride *= dims[axis];
    }
}

vrs_net_view vrs_net_view_of(const vrs_net *net, const vrs_net_program *program, int32_t index)
{
    const vrs_value *v = &net->graph->values[index];
    const vrs_net_form *form = &net->forms[index];
    vrs_net_view view = {.data = program->at[index], .type = form->type};
    if (form->picture) {
        view.stride[0] = v->dims[2] * v->dims[3] * form->pitch;
        view.stride[1] = 1;
        view.stride[2] = v->dims[3] * form->pitch;
        view.stride[3] = form->pitch;
    } else {
        vrs_net_dense_strides(v->dims, v->rank, view.stride);
    }
    return view;
}

vrs_net_picture vrs_net_picture_of(const vrs_net *net, const vrs_net_program *program,
                                   int32_t index)
{
    const vrs_value *v = &net->graph->values[index];
    const vrs_net_form *form = &net->forms[index];
    return (vrs_net_picture){.data = program->at[index],
                             .type = form->type,
                             .pitch = form->pitch,
                             .height = (int32_t)v->dims[2],
                             .width = (int32_t)v->dims[3]};
}

vrs_net_act vrs_net_act_of(const vrs_act *act)
{
    return (vrs_net_act){.kind = (int32_t)act->kind,
                         .alpha = act->alpha,
                         .beta = act->beta,
                         .min = act->min,
                         .max = act->max};
}

vrs_net_walk vrs_net_walk_of(const vrs_net *net, int32_t index)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    const vrs_value *v = &net->graph->values[index];
    const vrs_net_form *form = &net->forms[index];
    vrs_net_walk w = {.rank = v->rank ? v->rank : 1, .dims = {1}};
    for (int32_t i = 0; i < v->rank; i++) {
        w.axes[i] = form->picture ? nhwc[i] : i;
        w.dims[i] = v->dims[w.axes[i]];
    }
    w.fill = form->picture ? form->fill : w.dims[w.rank - 1];
    return w;
}

/* Makes the address of a constant operand known; others have theirs. */
vrs_status vrs_net_view_operand(vrs_net *net, int32_t index, vrs_net_view *view)
{
    return net->graph->values[index].data ? vrs_net_operand(net, index, &view->data) : VRS_OK;
}

/* --- elementwise --- */

/* Strides of an operand along the axes of the walk; the operand is broadcast to `rank` axes. */
static void align(const vrs_net *net, int32_t index, const vrs_net_view *own, const vrs_net_walk *w,
                  int32_t rank, vrs_net_view *out)
{
    const vrs_value *v = &net->graph->values[index];
    *out = (vrs_net_view){.data = own->data, .type = own->type};
    for (int32_t i = 0; i < w->rank && rank > 0; i++) {
        int32_t axis = w->axes[i] - (rank - v->rank);
        out->stride[i] = axis >= 0 && v->dims[axis] != 1 ? own->stride[axis] : 0;
    }
}

static bool joins(const vrs_net_map_params *p, int32_t outer)
{
    const vrs_net_view *views[] = {&p->out, &p->in[0], &p->in[1], &p->in[2], &p->slope};
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (views[i]->stride[outer] != p->dims[outer + 1] * views[i]->stride[outer + 1])
            return false;
    return true;
}

static void join(vrs_net_map_params *p, int32_t outer)
{
    vrs_net_view *views[] = {&p->out, &p->in[0], &p->in[1], &p->in[2], &p->slope};
    p->dims[outer] *= p->dims[outer + 1];
    p->rank--;
    for (int32_t axis = outer; axis < p->rank; axis++) {
        p->dims[axis] = axis > outer ? p->dims[axis + 1] : p->dims[axis];
        for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
            views[i]->stride[axis] = views[i]->stride[axis + 1];
    }
}

/* As few axes as say the same, at least two where that makes vectors. */
void vrs_net_simplify(vrs_net_map_params *p)
{
    for (int32_t outer = p->rank - 2; outer >= 0; outer--) {
        bool last = outer == p->rank - 2;
        if ((!last || p->fill == p->dims[outer + 1]) && joins(p, outer)) {
            join(p, outer);
            p->fill = last ? p->dims[p->rank - 1] : p->fill;
        }
    }
    if (p->rank == 1) {
        vrs_net_view *views[] = {&p->out, &p->in[0], &p->in[1], &p->in[2], &p->slope};
        for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
            views[i]->stride[1] = views[i]->stride[0];
            views[i]->stride[0] = 0;
        }
        p->dims[1] = p->dims[0];
        p->dims[0] = 1;
        p->rank = 2;
    }
}

/* A constant of one element, or one for each place of `axis` of the result. */
static vrs_status per_axis(vrs_net *net, int32_t index, const vrs_net_walk *w, int32_t axis,
                           vrs_net_view *view)
{
    vrs_status status = vrs_net_operand(net, index, &view->data);
    view->type = net->forms[index].type;
    bool one = vrs_value_elements(&net->graph->values[index]) == 1;
    for (int32_t i = 0; i < w->rank; i++)
        view->stride[i] = !one && w->axes[i] == axis ? 1 : 0;
    return status;
}

static vrs_status slope_of(vrs_net *net, const vrs_node *node, const vrs_net_walk *w,
                           vrs_net_view *view)
{
    return node->act.kind == VRS_ACT_PRELU ? per_axis(net, node->act.slope, w, 1, view) : VRS_OK;
}

static int32_t op_of(const vrs_graph *g, const vrs_node *node)
{
    switch (node->op) {
    case VRS_OP_UNARY:
        return VRS_NET_UNARY + (int32_t)node->as.unary;
    case VRS_OP_BINARY:
        return VRS_NET_BINARY + (int32_t)node->as.binary.kind;
    case VRS_OP_WHERE:
        return VRS_NET_WHERE;
    case VRS_OP_SCALE_SHIFT:
        return VRS_NET_SCALE_SHIFT;
    case VRS_OP_QUANTIZE:
        return VRS_NET_QUANTIZE;
    case VRS_OP_DEQUANTIZE:
        return VRS_NET_DEQUANTIZE;
    case VRS_OP_CAST:
        /* To a truth value: whether it differs from zero. */
        return g->values[node->outputs[0]].dtype == VRS_DTYPE_BOOL
                   ? VRS_NET_BINARY + VRS_NET_BINARY_XOR
                   : VRS_NET_MOVE;
    default:
        return VRS_NET_MOVE;
    }
}

static vrs_status queue_map(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                            vrs_device_stream *stream)
{
    const vrs_graph *g = net->graph;
    int32_t result = node->outputs[0], rank = g->values[result].rank;
    vrs_net_walk w = vrs_net_walk_of(net, result);
    vrs_net_map_params p = {.rank = w.rank,
                            .fill = w.fill,
                            .op = op_of(g, node),
                            .fmod = node->op == VRS_OP_BINARY && node->as.binary.fmod,
                            .act = vrs_net_act_of(&node->act)};
    vrs_net_view own = vrs_net_view_of(net, program, result);
    align(net, result, &own, &w, rank, &p.out);
    for (int32_t i = 0; i < w.rank; i++) {
        p.dims[i] = w.dims[i];
        p.out.stride[i] = rank ? own.stride[w.axes[i]] : 0;
    }
    bool axes = node->op == VRS_OP_SCALE_SHIFT || node->op == VRS_OP_QUANTIZE ||
                node->op == VRS_OP_DEQUANTIZE;
    int32_t axis = node->op == VRS_OP_SCALE_SHIFT ? 1 : axes ? node->as.quantize.axis : 0;
    vrs_status status = slope_of(net, node, &w, &p.slope);
    for (int32_t k = 0; k < node->input_count && k < 3 && status == VRS_OK; k++) {
        int32_t in = node->inputs[k];
        if (in == VRS_NO_VALUE)
            continue;
        if (axes && k > 0) {
            status = per_axis(net, in, &w, axis, &p.in[k]);
            continue;
        }
        own = vrs_net_view_of(net, program, in);
        status = vrs_net_view_operand(net, in, &own);
        align(net, in, &own, &w, rank, &p.in[k]);
    }
    vrs_net_simplify(&p);
    return status == VRS_OK ? vrs_net_map(&net->kernels, stream, &p) : status;
}

vrs_status vrs_net_queue_rest(vrs_net *net, const vrs_net_program *program, int32_t index,
                              bool bare, vrs_device_stream *stream)
{
    const vrs_node *node = &net->graph->nodes[index];
    int32_t result = node->outputs[0];
    vrs_net_walk w = vrs_net_walk_of(net, result);
    vrs_net_view own = vrs_net_view_of(net, program, result);
    vrs_net_map_params p = {
        .rank = w.rank, .fill = w.fill, .op = VRS_NET_SUM, .act = vrs_net_act_of(&node->act)};
    align(net, result, &own, &w, w.rank, &p.in[0]);
    p.out = p.in[0];
    memcpy(p.dims, w.dims, sizeof p.dims);
    vrs_status status = slope_of(net, node, &w, &p.slope);
    if (bare && node->input_count > 2 && node->inputs[2] != VRS_NO_VALUE && status == VRS_OK)
        status = per_axis(net, node->inputs[2], &w, 1, &p.in[1]);
    if (bare && node->input_count > 3 && node->inputs[3] != VRS_NO_VALUE) {
        own = vrs_net_view_of(net, program, node->inputs[3]);
        align(net, node->inputs[3], &own, &w, w.rank, &p.in[2]);
    }
    vrs_net_simplify(&p);
    return status == VRS_OK ? vrs_net_map(&net->kernels, stream, &p) : status;
}

/* --- all --- */

bool vrs_net_runs(const vrs_net *net, const vrs_net_program *program, int32_t index)
{
    if (net->roles[index] != VRS_NET_FOLLOW)
        return net->roles[index] == VRS_NET_RUN && !program->convs[index].along;
    const vrs_graph *g = net->graph;
    return !program->convs[g->values[g->nodes[index].inputs[0]].producer].follows;
}

static vrs_status queue_node(vrs_net *net, const vrs_net_program *program, int32_t index,
                             vrs_device_stream *stream)
{
    const vrs_node *node = &net->graph->nodes[index];
    switch (node->op) {
    case VRS_OP_CONV:
    case VRS_OP_CONV_TRANSPOSED:
        return vrs_net_queue_conv(net, program, index, stream);
    case VRS_OP_POOL:
        return vrs_net_queue_pool(net, program, node, stream);
    case VRS_OP_RESIZE:
        return vrs_net_queue_resize(net, program, node, stream);
    case VRS_OP_REDUCE:
        return vrs_net_queue_reduce(net, program, node, stream);
    case VRS_OP_ARGMAX:
    case VRS_OP_SOFTMAX:
        return vrs_net_queue_along(net, program, node, stream);
    case VRS_OP_INSTANCE_NORM:
        return vrs_net_queue_norm(net, program, node, stream);
    case VRS_OP_MATMUL:
    case VRS_OP_GEMM:
        return vrs_net_queue_matmul(net, program, node, stream);
    case VRS_OP_CONCAT:
    case VRS_OP_SPLIT:
        return vrs_net_queue_parts(net, program, node, stream);
    case VRS_OP_SLICE:
        return vrs_net_queue_slice(net, program, node, stream);
    case VRS_OP_PAD:
        return vrs_net_queue_pad(net, program, node, stream);
    case VRS_OP_RESHAPE:
        return vrs_net_queue_reshape(net, program, node, stream);
    case VRS_OP_TRANSPOSE:
        return vrs_net_queue_transpose(net, program, node, stream);
    case VRS_OP_GATHER:
        return vrs_net_queue_gather(net, program, node, stream);
    case VRS_OP_DEPTH_TO_SPACE:
    case VRS_OP_SPACE_TO_DEPTH:
        return vrs_net_queue_blocks(net, program, node, stream);
    default:
        return queue_map(net, program, node, stream);
    }
}

vrs_status vrs_net_queue_node(vrs_net *net, const vrs_net_program *program, int32_t index,
                              vrs_device_stream *stream)
{
    if (!vrs_net_runs(net, program, index))
        return VRS_OK;
    vrs_kernel_times_enter(program->batch, net->graph->nodes[index].name);
    vrs_status status = queue_node(net, program, index, stream);
    vrs_kernel_times_leave();
    return status;
}

static vrs_status refuse(const vrs_net *net, const vrs_node *node, const char *why)
{
    return vrs_fail(VRS_UNSUPPORTED,
                    "%s: the node %s (%s) cannot be run by the engine cuda: %s; use the engine "
                    "onnxruntime or openvino",
                    net->graph->name, node->name, vrs_op_name(node->op), why);
}

static bool all_ones_behind(const vrs_value *v, int32_t axis)
{
    bool ones = true;
    for (int32_t i = axis + 1; i < v->rank; i++)
        ones = ones && v->dims[i] == 1;
    return ones;
}

vrs_status vrs_net_check_node(const vrs_net *net, int32_t index)
{
    const vrs_node *node = &net->graph->nodes[index];
    const vrs_value *in = node->input_count ? &net->graph->values[node->inputs[0]] : NULL;
    bool pictures = node->op == VRS_OP_CONV || node->op == VRS_OP_CONV_TRANSPOSED ||
                    node->op == VRS_OP_POOL || node->op == VRS_OP_RESIZE ||
                    node->op == VRS_OP_INSTANCE_NORM || node->op == VRS_OP_DEPTH_TO_SPACE ||
                    node->op == VRS_OP_SPACE_TO_DEPTH;
    if (pictures && !(net->forms[node->inputs[0]].picture && net->forms[node->outputs[0]].picture))
        return refuse(net, node, "it is not of a picture of four axes that grows with the batch");
    if ((node->op == VRS_OP_CONV || node->op == VRS_OP_CONV_TRANSPOSED) &&
        !net->graph->values[node->inputs[1]].data &&
        net->graph->nodes[net->graph->values[node->inputs[1]].producer].op != VRS_OP_DEQUANTIZE)
        return refuse(net, node, "its weights are computed");
    if (node->op == VRS_OP_CONV && node->input_count > 3 && node->inputs[3] != VRS_NO_VALUE &&
        !net->forms[node->inputs[3]].picture)
        return refuse(net, node, "what is added to it is not a picture");
    if (node->op == VRS_OP_SOFTMAX && node->as.softmax.to_end &&
        !all_ones_behind(in, node->as.softmax.axis))
        return refuse(net, node, "a softmax over several axes");
    if ((node->op == VRS_OP_MATMUL || node->op == VRS_OP_GEMM) &&
        (in->rank < 2 || net->graph->values[node->inputs[1]].rank < 2))
        return refuse(net, node, "a product with a vector");
    if (node->op == VRS_OP_MATMUL && node->act.kind == VRS_ACT_PRELU &&
        vrs_value_elements(&net->graph->values[node->act.slope]) > 1 &&
        net->graph->values[node->outputs[0]].rank > 3)
        return refuse(net, node, "several products with a slope each");
    if (node->op == VRS_OP_GATHER && net->graph->values[node->inputs[1]].rank > 1)
        return refuse(net, node, "indices of more than one axis");
    return VRS_OK;
}
