/* Nodes as launches of the kernels of kernels/cuda/net.cu: elementwise ones and those that move. */
#include <math.h>
#include <string.h>

#include "engine/cuda/network.h"

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

/* Where a node's result lies and how to go through it. */
typedef struct walk {
    int32_t rank;
    int32_t axes[VRS_NET_RANK]; /* of the value, from the outermost in memory */
    int64_t dims[VRS_NET_RANK]; /* of these */
    int64_t fill;
} walk;

/* --- views --- */

static void dense_strides(const int64_t *dims, int32_t rank, int64_t *strides)
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
        dense_strides(v->dims, v->rank, view.stride);
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

static walk walk_of(const vrs_net *net, int32_t index)
{
    static const int32_t nhwc[4] = {0, 2, 3, 1};
    const vrs_value *v = &net->graph->values[index];
    const vrs_net_form *form = &net->forms[index];
    walk w = {.rank = v->rank ? v->rank : 1, .dims = {1}};
    for (int32_t i = 0; i < v->rank; i++) {
        w.axes[i] = form->picture ? nhwc[i] : i;
        w.dims[i] = v->dims[w.axes[i]];
    }
    w.fill = form->picture ? form->fill : w.dims[w.rank - 1];
    return w;
}

/* Makes the address of a constant operand known; others have theirs. */
static vrs_status operand(vrs_net *net, int32_t index, vrs_net_view *view)
{
    return net->graph->values[index].data ? vrs_net_operand(net, index, &view->data) : VRS_OK;
}

/* --- elementwise --- */

/* Strides of an operand along the axes of the walk; the operand is broadcast to `rank` axes. */
static void align(const vrs_net *net, int32_t index, const vrs_net_view *own, const walk *w,
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
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
        if (views[i]->stride[outer] != p->dims[outer + 1] * views[i]->stride[outer + 1]) {
            return false;
        }
    }
    return true;
}

static void join(vrs_net_map_params *p, int32_t outer)
{
    vrs_net_view *views[] = {&p->out, &p->in[0], &p->in[1], &p->in[2], &p->slope};
    p->dims[outer] *= p->dims[outer + 1];
    p->rank--;
    for (int32_t axis = outer; axis < p->rank; axis++) {
        p->dims[axis] = axis > outer ? p->dims[axis + 1] : p->dims[axis];
        for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
            views[i]->stride[axis] = views[i]->stride[axis + 1];
        }
    }
}

/* As few axes as say the same, at least two where that makes vectors. */
static void simplify(vrs_net_map_params *p)
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
static vrs_status per_axis(vrs_net *net, int32_t index, const walk *w, int32_t axis,
                           vrs_net_view *view)
{
    vrs_status status = vrs_net_operand(net, index, &view->data);
    view->type = net->forms[index].type;
    bool one = vrs_value_elements(&net->graph->values[index]) == 1;
    for (int32_t i = 0; i < w->rank; i++) {
        view->stride[i] = !one && w->axes[i] == axis ? 1 : 0;
    }
    return status;
}

static vrs_status slope_of(vrs_net *net, const vrs_node *node, const walk *w, vrs_net_view *view)
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
    walk w = walk_of(net, result);
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
        if (in == VRS_NO_VALUE) {
            continue;
        }
        if (axes && k > 0) {
            status = per_axis(net, in, &w, axis, &p.in[k]);
            continue;
        }
        own = vrs_net_view_of(net, program, in);
        status = operand(net, in, &own);
        align(net, in, &own, &w, rank, &p.in[k]);
    }
    simplify(&p);
    return status == VRS_OK ? vrs_net_map(&net->kernels, stream, &p) : status;
}

vrs_status vrs_net_queue_rest(vrs_net *net, const vrs_net_program *program, int32_t index,
                              bool bare, vrs_device_stream *stream)
{
    const vrs_node *node = &net->graph->nodes[index];
    int32_t result = node->outputs[0];
    walk w = walk_of(net, result);
    vrs_net_view own = vrs_net_view_of(net, program, result);
    vrs_net_map_params p = {
        .rank = w.rank, .fill = w.fill, .op = VRS_NET_SUM, .act = vrs_net_act_of(&node->act)};
    align(net, result, &own, &w, w.rank, &p.in[0]);
    p.out = p.in[0];
    memcpy(p.dims, w.dims, sizeof p.dims);
    vrs_status status = slope_of(net, node, &w, &p.slope);
    if (bare && node->input_count > 2 && node->inputs[2] != VRS_NO_VALUE && status == VRS_OK) {
        status = per_axis(net, node->inputs[2], &w, 1, &p.in[1]);
    }
    if (bare && node->input_count > 3 && node->inputs[3] != VRS_NO_VALUE) {
        own = vrs_net_view_of(net, program, node->inputs[3]);
        align(net, node->inputs[3], &own, &w, w.rank, &p.in[2]);
    }
    simplify(&p);
    return status == VRS_OK ? vrs_net_map(&net->kernels, stream, &p) : status;
}

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
    for (int32_t i = 0; i < m->rank; i++) {
        p.dims[i] = m->dims[i];
    }
    p.fill = m->fill ? m->fill : p.dims[m->rank - 1];
    simplify(&p);
    return vrs_net_map(&net->kernels, stream, &p);
}

/* A move over the axes of a value, with the strides of two views of it. */
static move move_over(const walk *w, const vrs_net_view *out, const vrs_net_view *in)
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
    if (!form->picture || form->fill == vrs_net_channels(&net->graph->values[index])) {
        return VRS_OK;
    }
    return vrs_device_fill(stream, program->at[index], 0, vrs_net_value_bytes(net, index));
}

static vrs_status queue_transpose(vrs_net *net, const vrs_net_program *program,
                                  const vrs_node *node, vrs_device_stream *stream)
{
    walk w = walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view own = vrs_net_view_of(net, program, node->inputs[0]), in = own;
    vrs_status status = operand(net, node->inputs[0], &in);
    for (int32_t i = 0; i < w.rank; i++) {
        in.stride[i] = own.stride[node->as.transpose.perm[i]];
    }
    move m = move_over(&w, &out, &in);
    m.fill = w.fill;
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

static vrs_status queue_slice(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                              vrs_device_stream *stream)
{
    walk w = walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_status status = operand(net, node->inputs[0], &in);
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
    walk w = walk_of(net, part);
    vrs_net_view there = vrs_net_view_of(net, program, part);
    vrs_net_view here = vrs_net_view_of(net, program, whole);
    vrs_status status = operand(net, gather ? part : whole, gather ? &there : &here);
    advance(&here, at * here.stride[axis]);
    move m = gather ? move_over(&w, &here, &there) : move_over(&w, &there, &here);
    m.fill = gather ? 0 : w.fill;
    return status == VRS_OK ? queue_move(net, &m, stream) : status;
}

static vrs_status queue_parts(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
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
static vrs_status queue_blocks(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
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

static vrs_status queue_reshape(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream)
{
    const vrs_value *in = &net->graph->values[node->inputs[0]];
    const vrs_value *out = &net->graph->values[node->outputs[0]];
    walk w = walk_of(net, node->outputs[0]);
    vrs_net_reshape_params p = {.out = vrs_net_view_of(net, program, node->outputs[0]),
                                .in = vrs_net_view_of(net, program, node->inputs[0]),
                                .rank = w.rank,
                                .in_rank = in->rank ? in->rank : 1,
                                .in_dims = {1},
                                .dims = {1}};
    memcpy(p.order, w.axes, sizeof p.order);
    for (int32_t i = 0; i < out->rank; i++) {
        p.dims[i] = out->dims[i];
    }
    for (int32_t i = 0; i < in->rank; i++) {
        p.in_dims[i] = in->dims[i];
    }
    vrs_status status = operand(net, node->inputs[0], &p.in);
    if (status == VRS_OK) {
        status = clear_padding(net, program, node->outputs[0], stream);
    }
    return status == VRS_OK ? vrs_net_reshape(&net->kernels, stream, &p) : status;
}

static vrs_status queue_pad(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                            vrs_device_stream *stream)
{
    const vrs_value *v = &net->graph->values[node->inputs[0]];
    walk w = walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_status status = operand(net, node->inputs[0], &in);
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

static vrs_status queue_gather(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream)
{
    const vrs_graph *g = net->graph;
    const vrs_value *indices = &g->values[node->inputs[1]];
    walk w = walk_of(net, node->outputs[0]);
    vrs_net_view out = vrs_net_view_of(net, program, node->outputs[0]);
    vrs_net_view in = vrs_net_view_of(net, program, node->inputs[0]);
    vrs_net_view at = vrs_net_view_of(net, program, node->inputs[1]);
    int32_t axis = node->as.axis.axis;
    vrs_net_gather_params p = {.out = {.data = out.data, .type = out.type},
                               .in = {.data = in.data, .type = in.type},
                               .rank = w.rank,
                               .in_dim = g->values[node->inputs[0]].dims[axis],
                               .index_type = at.type};
    vrs_status status = operand(net, node->inputs[0], &p.in);
    if (status == VRS_OK) {
        status = operand(net, node->inputs[1], &at);
    }
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
    if (status == VRS_OK) {
        status = clear_padding(net, program, node->outputs[0], stream);
    }
    return status == VRS_OK ? vrs_net_gather(&net->kernels, stream, &p) : status;
}

/* --- ports --- */

/* A port in memory of the request: the input as the file has it, others NHWC without padding; all
 * floats. */
static vrs_net_view port_view(const vrs_net *net, int32_t index, vrs_device_ptr at)
{
    const vrs_value *v = &net->graph->values[index];
    vrs_net_view view = {.data = at, .type = VRS_NET_F32};
    dense_strides(v->dims, v->rank, view.stride);
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
    if (net->forms[index].port != VRS_NET_COPIED) {
        return VRS_OK;
    }
    walk w = walk_of(net, index);
    vrs_net_view inner = vrs_net_view_of(net, program, index), port = port_view(net, index, at);
    vrs_status status = VRS_OK;
    if (!in) {
        status = operand(net, index, &inner);
    }
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

/* --- all --- */

bool vrs_net_runs(const vrs_net *net, const vrs_net_program *program, int32_t index)
{
    if (net->roles[index] != VRS_NET_FOLLOW) {
        return net->roles[index] == VRS_NET_RUN;
    }
    const vrs_graph *g = net->graph;
    return !program->convs[g->values[g->nodes[index].inputs[0]].producer].follows;
}

vrs_status vrs_net_queue_node(vrs_net *net, const vrs_net_program *program, int32_t index,
                              vrs_device_stream *stream)
{
    const vrs_node *node = &net->graph->nodes[index];
    if (!vrs_net_runs(net, program, index)) {
        return VRS_OK;
    }
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
        return queue_parts(net, program, node, stream);
    case VRS_OP_SLICE:
        return queue_slice(net, program, node, stream);
    case VRS_OP_PAD:
        return queue_pad(net, program, node, stream);
    case VRS_OP_RESHAPE:
        return queue_reshape(net, program, node, stream);
    case VRS_OP_TRANSPOSE:
        return queue_transpose(net, program, node, stream);
    case VRS_OP_GATHER:
        return queue_gather(net, program, node, stream);
    case VRS_OP_DEPTH_TO_SPACE:
    case VRS_OP_SPACE_TO_DEPTH:
        return queue_blocks(net, program, node, stream);
    default:
        return queue_map(net, program, node, stream);
    }
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
    for (int32_t i = axis + 1; i < v->rank; i++) {
        ones = ones && v->dims[i] == 1;
    }
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
    if (pictures &&
        !(net->forms[node->inputs[0]].picture && net->forms[node->outputs[0]].picture)) {
        return refuse(net, node, "it is not of a picture of four axes that grows with the batch");
    }
    if ((node->op == VRS_OP_CONV || node->op == VRS_OP_CONV_TRANSPOSED) &&
        !net->graph->values[node->inputs[1]].data &&
        net->graph->nodes[net->graph->values[node->inputs[1]].producer].op != VRS_OP_DEQUANTIZE) {
        return refuse(net, node, "its weights are computed");
    }
    if (node->op == VRS_OP_CONV && node->input_count > 3 && node->inputs[3] != VRS_NO_VALUE &&
        !net->forms[node->inputs[3]].picture) {
        return refuse(net, node, "what is added to it is not a picture");
    }
    if (node->op == VRS_OP_SOFTMAX && node->as.softmax.to_end &&
        !all_ones_behind(in, node->as.softmax.axis)) {
        return refuse(net, node, "a softmax over several axes");
    }
    if ((node->op == VRS_OP_MATMUL || node->op == VRS_OP_GEMM) &&
        (in->rank < 2 || net->graph->values[node->inputs[1]].rank < 2)) {
        return refuse(net, node, "a product with a vector");
    }
    if (node->op == VRS_OP_GATHER && net->graph->values[node->inputs[1]].rank > 1) {
        return refuse(net, node, "indices of more than one axis");
    }
    return VRS_OK;
}
