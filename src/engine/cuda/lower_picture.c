/* Nodes as launches of the kernels of kernels/cuda/net.cu: pools, enlargings, reductions, products.
 */
#include <string.h>

#include "engine/cuda/network.h"

_Static_assert((int)VRS_POOL_AVERAGE == VRS_NET_POOL_AVERAGE, "the kernels' pools are the graph's");
_Static_assert((int)VRS_REDUCE_L2 == VRS_NET_REDUCE_L2, "the kernels' reductions are the graph's");
_Static_assert((int)VRS_RESIZE_LINEAR == VRS_NET_RESIZE_LINEAR &&
                   (int)VRS_RESIZE_TF_CROP == VRS_NET_RESIZE_TF_CROP &&
                   (int)VRS_RESIZE_CEIL == VRS_NET_NEAREST_CEIL,
               "the kernels' enlargings are the graph's");

static int32_t batch_of(const vrs_net *net, const vrs_node *node)
{
    return (int32_t)net->graph->values[node->outputs[0]].dims[0];
}

vrs_status vrs_net_queue_pool(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                              vrs_device_stream *stream)
{
    const vrs_pool_attributes *a = &node->as.pool;
    int32_t result = node->outputs[0];
    vrs_net_pool_params p = {.out = vrs_net_picture_of(net, program, result),
                             .in = vrs_net_picture_of(net, program, node->inputs[0]),
                             .batch = batch_of(net, node),
                             .channels = vrs_net_channels(&net->graph->values[result]),
                             .fill = net->forms[result].fill,
                             .kind = (int32_t)a->kind,
                             .include_pad = a->count_include_pad};
    for (int i = 0; i < 2; i++) {
        p.kernel[i] = a->kernel[i];
        p.stride[i] = a->stride[i];
        p.dilation[i] = a->dilation[i];
        p.pad_before[i] = a->pad_before[i];
        p.pad_after[i] = a->pad_after[i];
    }
    return vrs_net_pool(&net->kernels, stream, &p);
}

vrs_status vrs_net_queue_resize(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream)
{
    const vrs_resize_attributes *a = &node->as.resize;
    int32_t result = node->outputs[0];
    vrs_net_resize_params p = {.out = vrs_net_picture_of(net, program, result),
                               .in = vrs_net_picture_of(net, program, node->inputs[0]),
                               .batch = batch_of(net, node),
                               .channels = vrs_net_channels(&net->graph->values[result]),
                               .fill = net->forms[result].fill,
                               .mode = (int32_t)a->mode,
                               .coordinate = (int32_t)a->coordinate,
                               .nearest = (int32_t)a->nearest,
                               .extrapolation = a->extrapolation,
                               .taps = a->taps,
                               .steps = 1.0f};
    if (p.out.type == VRS_NET_I8)
        p.steps = 1.0f / net->forms[result].quantum;
    for (int i = 0; i < 2; i++) {
        p.scale[i] = a->scale[i];
        p.roi_start[i] = a->roi_start[i];
        p.roi_end[i] = a->roi_end[i];
    }
    return vrs_net_resize(&net->kernels, stream, &p);
}

/* The axes of a value from the outermost in memory. */
static void order_of(const vrs_net *net, int32_t index, int32_t rank, int32_t axes[VRS_NET_RANK])
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    for (int32_t i = 0; i < rank; i++)
        axes[i] = net->forms[index].picture ? nhwc[i] : i;
}

/* Reduced axes that follow each other in memory as one would are one. */
static void join_reduced(vrs_net_reduce_params *p)
{
    while (p->over_rank > 1) {
        int32_t last = p->over_rank - 1;
        if (p->over_stride[last - 1] != p->over_dims[last] * p->over_stride[last])
            return;
        p->over_dims[last - 1] *= p->over_dims[last];
        p->over_stride[last - 1] = p->over_stride[last];
        p->over_rank--;
    }
}

vrs_status vrs_net_queue_reduce(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream)
{
    const vrs_reduce_attributes *a = &node->as.reduce;
    const vrs_value *v = &net->graph->values[node->inputs[0]];
    int32_t result = node->outputs[0], axes[VRS_NET_RANK], kept[VRS_NET_RANK] = {0}, number = 0;
    vrs_net_view out = vrs_net_view_of(net, program, result);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_net_reduce_params p = {.out = {.data = out.data, .type = out.type},
                               .in = {.data = in.data, .type = in.type},
                               .kind = (int32_t)a->kind,
                               .factor = in.type == VRS_NET_I8 ? net->forms[node->inputs[0]].quantum
                                                               : 1.0f};
    /* The result's axis that each kept one is. */
    for (int32_t axis = 0; axis < v->rank; axis++) {
        kept[axis] = a->keep ? axis : number;
        number += a->axes >> axis & 1 ? 0 : 1;
    }
    order_of(net, node->inputs[0], v->rank, axes);
    for (int32_t i = 0; i < v->rank; i++) {
        int32_t axis = axes[i];
        if (a->axes >> axis & 1) {
            p.over_dims[p.over_rank] = v->dims[axis];
            p.over_stride[p.over_rank++] = in.stride[axis];
        } else {
            p.dims[p.rank] = v->dims[axis];
            p.in.stride[p.rank] = in.stride[axis];
            p.out.stride[p.rank++] = out.stride[kept[axis]];
        }
    }
    join_reduced(&p);
    if (p.rank == 0)
        p.dims[p.rank++] = 1;
    bool pads = net->forms[result].picture && !(a->axes >> 1 & 1) && axes[v->rank - 1] == 1;
    p.fill = pads ? net->forms[result].fill : p.dims[p.rank - 1];
    vrs_status status = VRS_OK;
    if (!pads && net->forms[result].picture)
        status = vrs_device_fill(stream, program->at[result], 0, vrs_net_value_bytes(net, result));
    return status == VRS_OK ? vrs_net_reduce(&net->kernels, stream, &p) : status;
}

vrs_status vrs_net_queue_along(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream)
{
    const vrs_value *v = &net->graph->values[node->inputs[0]];
    int32_t result = node->outputs[0], axes[VRS_NET_RANK];
    bool soft = node->op == VRS_OP_SOFTMAX;
    const vrs_argmax_attributes *arg = &node->as.argmax;
    int32_t along = soft ? node->as.softmax.axis : arg->axis;
    bool keep = soft || arg->keep;
    vrs_net_view out = vrs_net_view_of(net, program, result);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_net_along_params p = {.out = {.data = out.data, .type = out.type},
                              .in = {.data = in.data, .type = in.type},
                              .count = v->dims[along],
                              .in_stride = in.stride[along],
                              .out_stride = keep ? out.stride[along] : 0};
    p.op = soft ? (node->as.softmax.log ? VRS_NET_LOG_SOFTMAX : VRS_NET_SOFTMAX)
                : (arg->min ? VRS_NET_ARGMIN : VRS_NET_ARGMAX) +
                      (arg->last ? VRS_NET_ARGMAX_LAST - VRS_NET_ARGMAX : 0);
    p.fill = soft && net->forms[result].picture && along == 1 ? net->forms[result].fill
                                                              : (int32_t)p.count;
    order_of(net, node->inputs[0], v->rank, axes);
    for (int32_t i = 0; i < v->rank; i++) {
        int32_t axis = axes[i];
        if (axis != along) {
            p.dims[p.rank] = v->dims[axis];
            p.in.stride[p.rank] = in.stride[axis];
            p.out.stride[p.rank++] = out.stride[keep || axis < along ? axis : axis - 1];
        }
    }
    if (p.rank == 0)
        p.dims[p.rank++] = 1;
    return vrs_net_along(&net->kernels, stream, &p);
}

vrs_status vrs_net_queue_norm(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                              vrs_device_stream *stream)
{
    int32_t result = node->outputs[0], channels = vrs_net_channels(&net->graph->values[result]);
    vrs_net_norm_params p = {.out = vrs_net_picture_of(net, program, result),
                             .in = vrs_net_picture_of(net, program, node->inputs[0]),
                             .batch = batch_of(net, node),
                             .channels = channels,
                             .fill = net->forms[result].fill,
                             .epsilon = node->as.norm.epsilon};
    vrs_status status = vrs_net_floats(net, node->inputs[1], channels, &p.scale);
    if (status == VRS_OK)
        status = vrs_net_floats(net, node->inputs[2], channels, &p.shift);
    return status == VRS_OK ? vrs_net_norm(&net->kernels, stream, &p) : status;
}

/* --- products --- */

static vrs_status factor(vrs_net *net, const vrs_net_program *program, int32_t index,
                         vrs_net_view *view)
{
    *view = vrs_net_view_of(net, program, index);
    return net->graph->values[index].data ? vrs_net_operand(net, index, &view->data) : VRS_OK;
}

/* Strides of a factor over the result's leading axes, which count from the back. */
static void spread(const vrs_value *v, const vrs_net_view *view, int32_t axes, int64_t strides[4])
{
    for (int32_t i = 0; i < 4; i++) {
        int32_t axis = v->rank - 2 - axes + (i - (4 - axes));
        strides[i] = i >= 4 - axes && axis >= 0 && v->dims[axis] != 1 ? view->stride[axis] : 0;
    }
}

static void lead(const vrs_net *net, const vrs_node *node, const vrs_net_view *a,
                 const vrs_net_view *b, const vrs_net_view *out, vrs_net_matmul_params *p)
{
    const vrs_value *v = &net->graph->values[node->outputs[0]];
    int32_t axes = v->rank - 2;
    for (int32_t i = 0; i < 4; i++) {
        int32_t axis = i - (4 - axes);
        p->dims[i] = axis >= 0 ? v->dims[axis] : 1;
    }
    spread(&net->graph->values[node->inputs[0]], a, axes, p->a_batch);
    spread(&net->graph->values[node->inputs[1]], b, axes, p->b_batch);
    spread(v, out, axes, p->out_batch);
}

static vrs_status queue_gemm_bias(vrs_net *net, const vrs_net_program *program,
                                  const vrs_node *node, vrs_net_matmul_params *p)
{
    if (node->op != VRS_OP_GEMM || node->input_count < 3 || node->inputs[2] == VRS_NO_VALUE)
        return VRS_OK;
    const vrs_value *v = &net->graph->values[node->inputs[2]];
    vrs_net_view c;
    vrs_status status = factor(net, program, node->inputs[2], &c);
    p->bias = c.data;
    p->bias_type = c.type;
    p->beta = node->as.gemm.beta;
    int32_t column = v->rank - 1, row = v->rank - 2;
    p->bias_column = column >= 0 && v->dims[column] != 1 ? c.stride[column] : 0;
    p->bias_row = row >= 0 && v->dims[row] != 1 ? c.stride[row] : 0;
    return status;
}

vrs_status vrs_net_queue_matmul(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream)
{
    const vrs_value *va = &net->graph->values[node->inputs[0]];
    const vrs_value *v = &net->graph->values[node->outputs[0]];
    vrs_net_view a, b, out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_status status = factor(net, program, node->inputs[0], &a);
    if (status == VRS_OK)
        status = factor(net, program, node->inputs[1], &b);
    if (status != VRS_OK)
        return status;
    bool gemm = node->op == VRS_OP_GEMM;
    int32_t ta = gemm && node->as.gemm.transpose_a, tb = gemm && node->as.gemm.transpose_b;
    int32_t ra = va->rank - 2, rb = net->graph->values[node->inputs[1]].rank - 2, ro = v->rank - 2;
    vrs_net_matmul_params p = {.a = a.data,
                               .b = b.data,
                               .out = out.data,
                               .a_type = a.type,
                               .b_type = b.type,
                               .out_type = out.type,
                               .a_row = a.stride[ra + ta],
                               .a_column = a.stride[ra + 1 - ta],
                               .b_row = b.stride[rb + tb],
                               .b_column = b.stride[rb + 1 - tb],
                               .out_row = out.stride[ro],
                               .out_column = out.stride[ro + 1],
                               .rows = (int32_t)v->dims[ro],
                               .columns = (int32_t)v->dims[ro + 1],
                               .depth = (int32_t)va->dims[ra + 1 - ta],
                               .alpha = gemm ? node->as.gemm.alpha : 1,
                               .act = vrs_net_act_of(&node->act)};
    lead(net, node, &a, &b, &out, &p);
    status = queue_gemm_bias(net, program, node, &p);
    if (status == VRS_OK && node->act.kind == VRS_ACT_PRELU) {
        /* Channels are the second axis. */
        int32_t slopes = (int32_t)vrs_value_elements(&net->graph->values[node->act.slope]);
        p.slope_row = slopes > 1 && v->rank == 3;
        p.slope_column = slopes > 1 && v->rank == 2;
        status = vrs_net_floats(net, node->act.slope, slopes, &p.slope);
    }
    if (status == VRS_OK && net->forms[node->outputs[0]].picture)
        status = vrs_device_fill(stream, out.data, 0, vrs_net_value_bytes(net, node->outputs[0]));
    return status == VRS_OK ? vrs_net_matmul(&net->kernels, stream, &p) : status;
}
