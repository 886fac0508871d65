/* Nodes that move elements from one view to another, and the ports. */
#include <string.h>

#include "engine/cuda/lower.h"

/* --- moves: elements of one view to another --- */

/* Axes of a move: dims, strides there and here. */
typedef struct move {
    vrs_net_view out, in;
    int32_t rank;
    int64_t dims[VRS_NET_RANK], fill; /* fill 0: none */
} move;

static vrs_status queue_move(vrs_net *net, const move *m, vrs_device_stream *stream)
{
    vrs_net_map_params p = {.out = m->out, .in = {m->in}, .rank = m->rank, .op = VRS_NET_MOVE};
    for (int32_t i = 0; i < m->rank; i++)
        p.dims[i] = m->dims[i];
    p.fill = m->fill ? m->fill : p.dims[m->rank - 1];
    vrs_net_simplify(&p);
    return vrs_net_map(&net->kernels, stream, &p);
}

/* A move over the axes of a value, with the strides of two views of it. */
static move move_over(const vrs_net_walk *w, const vrs_net_view *out, const vrs_net_view *in)
{
    move m = {.out = {.data = out->data, .type = out->type},
              .in = {.data = in->data, .type = in->type},
              .rank = w->rank};
    for (int32_t i = 0; i < w->rank; i++) {
        m.dims[i] = w->dims[i];
        m.out.stride[i] = out->stride[w->axes[i]];
        m.in.stride[i] = in->stride[w->axes[i]];
    }
    return m;
}

static void advance(vrs_net_view *view, int64_t elements)
{
    view->data += (uint64_t)(elements * (int64_t)vrs_net_type_bytes(view->type));
}

/* Zeros where a picture has padding and its maker writes the channels alone. */
static vrs_status clear_padding(const vrs_net *net, const vrs_net_program *program, int32_t index,
                                vrs_device_stream *stream)
{
    const vrs_net_form *form = &net->forms[index];
    if (!form->picture || form->fill == vrs_net_channels(&net->graph->values[index]))
        return VRS_OK;
    return vrs_device_fill(stream, program->at[index], 0, vrs_net_value_bytes(net, index));
}

vrs_status vrs_net_queue_transpose(vrs_net *net, const vrs_net_program *program,
                                   const vrs_node *node, vrs_device_stream *stream)
{
    vrs_net_walk w = vrs_net_walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view own = vrs_net_view_of(net, program, node->inputs[0]), in = own;
    vrs_status status = vrs_net_view_operand(net, node->inputs[0], &in);
    for (int32_t i = 0; i < w.rank; i++)
        in.stride[i] = own.stride[node->as.transpose.perm[i]];
    move m = move_over(&w, &out, &in);
    m.fill = w.fill;
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

vrs_status vrs_net_queue_slice(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream)
{
    vrs_net_walk w = vrs_net_walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_status status = vrs_net_view_operand(net, node->inputs[0], &in);
    for (int32_t i = 0; i < w.rank; i++) {
        advance(&in, node->as.slice.start[i] * in.stride[i]);
        in.stride[i] *= node->as.slice.step[i];
    }
    move m = move_over(&w, &out, &in);
    m.fill = w.fill;
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

/* One part of a concatenation or of a split: `part` beside `whole` from `at` on along the axis. */
static vrs_status queue_part(vrs_net *net, const vrs_net_program *program, int32_t part,
                             int32_t whole, int32_t axis, int64_t at, bool gather,
                             vrs_device_stream *stream)
{
    vrs_net_walk w = vrs_net_walk_of(net, part);
    vrs_net_view there = vrs_net_view_of(net, program, part);
    vrs_net_view here = vrs_net_view_of(net, program, whole);
    vrs_status status = vrs_net_view_operand(net, gather ? part : whole, gather ? &there : &here);
    advance(&here, at * here.stride[axis]);
    move m = gather ? move_over(&w, &here, &there) : move_over(&w, &there, &here);
    m.fill = gather ? 0 : w.fill;
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

vrs_status vrs_net_queue_parts(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream)
{
    bool gather = node->op == VRS_OP_CONCAT;
    int32_t count = gather ? node->input_count : node->output_count;
    int32_t whole = gather ? node->outputs[0] : node->inputs[0];
    const int32_t *parts = gather ? node->inputs : node->outputs;
    int64_t at = 0;
    vrs_status status = gather ? clear_padding(net, program, whole, stream) : VRS_OK;
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        status = queue_part(net, program, parts[i], whole, node->as.axis.axis, at, gather, stream);
        at += net->graph->values[parts[i]].dims[node->as.axis.axis];
    }
    return status;
}

/* Between a picture of large pixels and one with their parts as channels; both ways the same move
 * with its sides turned. Axes: N, H, block, W, block, C of the small picture. */
vrs_status vrs_net_queue_blocks(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream)
{
    bool to_space = node->op == VRS_OP_DEPTH_TO_SPACE;
    int32_t wide = to_space ? node->outputs[0] : node->inputs[0];
    int32_t deep = to_space ? node->inputs[0] : node->outputs[0];
    const vrs_value *d = &net->graph->values[deep];
    int64_t b = node->as.block.size, channels = d->dims[1] / (b * b);
    vrs_net_view w = vrs_net_view_of(net, program, wide), v = vrs_net_view_of(net, program, deep);
    bool crd = to_space && node->as.block.crd;
    int64_t across = crd ? v.stride[1] : channels * v.stride[1];
    const int64_t dims[6] = {d->dims[0], d->dims[2], b, d->dims[3], b, channels};
    const int64_t wide_strides[6] = {w.stride[0],     b * w.stride[2], w.stride[2],
                                     b * w.stride[3], w.stride[3],     w.stride[1]};
    const int64_t deep_strides[6] = {v.stride[0], v.stride[2], b * across,
                                     v.stride[3], across,      (crd ? b * b : 1) * v.stride[1]};
    memcpy(w.stride, wide_strides, sizeof wide_strides);
    memcpy(v.stride, deep_strides, sizeof deep_strides);
    move m = {.out = to_space ? w : v, .in = to_space ? v : w, .rank = 6};
    memcpy(m.dims, dims, sizeof dims);
    vrs_status status = clear_padding(net, program, node->outputs[0], stream);
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

vrs_status vrs_net_queue_reshape(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                 vrs_device_stream *stream)
{
    const vrs_value *in = &net->graph->values[node->inputs[0]];
    const vrs_value *out = &net->graph->values[node->outputs[0]];
    vrs_net_walk w = vrs_net_walk_of(net, node->outputs[0]);
    vrs_net_reshape_params p = {.out = vrs_net_view_of(net, program, node->outputs[0]),
                                .in = vrs_net_view_of(net, program, node->inputs[0]),
                                .rank = w.rank,
                                .in_rank = in->rank ? in->rank : 1,
                                .in_dims = {1},
                                .dims = {1}};
    memcpy(p.order, w.axes, sizeof p.order);
    for (int32_t i = 0; i < out->rank; i++)
        p.dims[i] = out->dims[i];
    for (int32_t i = 0; i < in->rank; i++)
        p.in_dims[i] = in->dims[i];
    vrs_status status = vrs_net_view_operand(net, node->inputs[0], &p.in);
    if (status == VRS_OK)
        status = clear_padding(net, program, node->outputs[0], stream);
    return status == VRS_OK ? vrs_net_reshape(&net->kernels, stream, &p) : status;
}

vrs_status vrs_net_queue_pad(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                             vrs_device_stream *stream)
{
    const vrs_value *v = &net->graph->values[node->inputs[0]];
    vrs_net_walk w = vrs_net_walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_status status = vrs_net_view_operand(net, node->inputs[0], &in);
    vrs_net_pad_params p = {.out = {.data = out.data, .type = out.type},
                            .in = {.data = in.data, .type = in.type},
                            .rank = w.rank,
                            .fill = w.fill,
                            .mode = (int32_t)node->as.pad.mode,
                            .value = (float)node->as.pad.value};
    for (int32_t i = 0; i < w.rank; i++) {
        int32_t axis = w.axes[i];
        p.dims[i] = w.dims[i];
        p.in_dims[i] = v->dims[axis];
        p.before[i] = node->as.pad.before[axis];
        p.out.stride[i] = out.stride[axis];
        p.in.stride[i] = in.stride[axis];
    }
    return status == VRS_OK ? vrs_net_pad(&net->kernels, stream, &p) : status;
}

vrs_status vrs_net_queue_gather(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream)
{
    const vrs_graph *g = net->graph;
    const vrs_value *indices = &g->values[node->inputs[1]];
    vrs_net_walk w = vrs_net_walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_net_view at = vrs_net_view_of(net, program, node->inputs[1]);
    int32_t axis = node->as.axis.axis;
    vrs_net_gather_params p = {.out = {.data = out.data, .type = out.type},
                               .in = {.data = in.data, .type = in.type},
                               .rank = w.rank,
                               .in_dim = g->values[node->inputs[0]].dims[axis],
                               .index_type = at.type};
    vrs_status status = vrs_net_view_operand(net, node->inputs[0], &p.in);
    if (status == VRS_OK)
        status = vrs_net_view_operand(net, node->inputs[1], &at);
    p.indices = at.data;
    for (int32_t i = 0; i < w.rank; i++) {
        /* A single index takes the axis away. */
        int32_t from = w.axes[i] >= axis && indices->rank == 0 ? w.axes[i] + 1 : w.axes[i];
        p.dims[i] = w.dims[i];
        p.out.stride[i] = out.stride[w.axes[i]];
        p.in.stride[i] = in.stride[from];
        p.axis = w.axes[i] == axis ? i : p.axis;
    }
    if (indices->rank == 0) { /* an axis of one in its place */
        p.axis = p.rank++;
        p.dims[p.axis] = 1;
        p.in.stride[p.axis] = in.stride[axis];
        p.out.stride[p.axis] = 0;
    }
    if (status == VRS_OK)
        status = clear_padding(net, program, node->outputs[0], stream);
    return status == VRS_OK ? vrs_net_gather(&net->kernels, stream, &p) : status;
}

/* --- ports --- */

/* A port in memory of the request: the input as the file has it, others NHWC without padding; all
 * floats. */
static vrs_net_view port_view(const vrs_net *net, int32_t index, vrs_device_ptr at)
{
    const vrs_value *v = &net->graph->values[index];
    vrs_net_view view = {.data = at, .type = VRS_NET_F32};
    vrs_net_dense_strides(v->dims, v->rank, view.stride);
    if (index != net->input && net->forms[index].picture) {
        view.stride[0] = v->dims[1] * v->dims[2] * v->dims[3];
        view.stride[1] = 1;
        view.stride[2] = v->dims[3] * v->dims[1];
        view.stride[3] = v->dims[1];
    }
    return view;
}

static vrs_status queue_port(vrs_net *net, const vrs_net_program *program, int32_t index,
                             vrs_device_ptr at, bool in, vrs_device_stream *stream)
{
    if (net->forms[index].port != VRS_NET_COPIED)
        return VRS_OK;
    vrs_net_walk w = vrs_net_walk_of(net, index);
    vrs_net_view inner = vrs_net_view_of(net, program, index), port = port_view(net, index, at);
    vrs_status status = VRS_OK;
    if (!in)
        status = vrs_net_view_operand(net, index, &inner);
    move m = in ? move_over(&w, &inner, &port) : move_over(&w, &port, &inner);
    m.fill = in ? w.fill : 0;
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

vrs_status vrs_net_queue_ports(vrs_net *net, const vrs_net_program *program,
                               const vrs_net_ports *ports, bool in, vrs_device_stream *stream)
{
    vrs_status status = in ? queue_port(net, program, net->input, ports->input, in, stream)
                           : queue_port(net, program, net->scores, ports->scores, in, stream);
    for (int32_t i = 0; i < net->spec->state_count && status == VRS_OK; i++) {
        status = queue_port(net, program, in ? net->state_in[i] : net->state_out[i],
                            in ? ports->state_in[i] : ports->state_out[i], in, stream);
    }
    return status;
}
