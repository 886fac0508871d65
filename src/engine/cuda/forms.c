/* How the values of a graph lie on the device, and which nodes have nothing left to do. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/network.h"

int32_t vrs_net_vector(int32_t type)
{
    return type == VRS_NET_F32 ? 4 : type == VRS_NET_F16 ? 8 : type == VRS_NET_I8 ? 16 : 1;
}

size_t vrs_net_type_bytes(int32_t type)
{
    static const uint8_t bytes[] = {[VRS_NET_F32] = 4, [VRS_NET_F16] = 2, [VRS_NET_I8] = 1,
                                    [VRS_NET_U8] = 1,  [VRS_NET_I32] = 4, [VRS_NET_I64] = 8};
    return bytes[type];
}

int32_t vrs_net_type_of(const vrs_net *net, vrs_dtype dtype)
{
    bool half = net->precision == VRS_PRECISION_F16 || net->precision == VRS_PRECISION_INT8;
    switch (dtype) {
    case VRS_DTYPE_F32:
        return half ? VRS_NET_F16 : VRS_NET_F32;
    case VRS_DTYPE_I8:
        return VRS_NET_I8;
    case VRS_DTYPE_I32:
        return VRS_NET_I32;
    case VRS_DTYPE_I64:
        return VRS_NET_I64;
    default:
        return VRS_NET_U8;
    }
}

size_t vrs_net_value_bytes(const vrs_net *net, int32_t index)
{
    const vrs_value *value = &net->graph->values[index];
    const vrs_net_form *form = &net->forms[index];
    size_t bytes = vrs_net_type_bytes(form->type);
    if (!form->picture)
        return vrs_value_elements(value) * bytes;
    size_t pixels = (size_t)(value->dims[0] * value->dims[2] * value->dims[3]);
    if (form->s2d)
        pixels /= 4;
    if (form->inside != VRS_NET_NOBODY)
        return ((pixels - 1) * (size_t)form->pitch + (size_t)form->fill) * bytes;
    return pixels * (size_t)form->pitch * bytes;
}

int32_t vrs_net_only_reader(const vrs_net *net, int32_t value)
{
    const vrs_graph *g = net->graph;
    int32_t found = -1;
    if (vrs_graph_uses(g, value) != 1)
        return -1;
    for (int32_t n = 0; n < g->node_count; n++)
        for (int32_t i = 0; i < g->nodes[n].input_count; i++)
            found = g->nodes[n].inputs[i] == value ? n : found;
    return found;
}

/* --- the graph's inputs and outputs --- */

static vrs_status find_tensor(const vrs_net *net, const char *name, const int32_t *among,
                              int32_t count, const char *kind, int32_t *found)
{
    const vrs_graph *g = net->graph;
    if (!*name && count == 1) {
        *found = among[0];
        return VRS_OK;
    }
    for (int32_t i = 0; i < count; i++) {
        if (strcmp(g->values[among[i]].name, name) == 0) {
            *found = among[i];
            return VRS_OK;
        }
    }
    return vrs_fail(VRS_INVALID, "%s: has no %s \"%s\", which its descriptor names", g->name, kind,
                    name);
}

static vrs_status check_dims(const vrs_net *net, int32_t index, const char *kind, bool nhwc,
                             int64_t channels, int64_t height, int64_t width)
{
    const vrs_value *v = &net->graph->values[index];
    const int64_t wanted[3] = {nhwc ? height : channels, nhwc ? width : height,
                               nhwc ? channels : width};
    bool right = v->rank == 4 && v->dims[1] == wanted[0] && v->dims[2] == wanted[1] &&
                 v->dims[3] == wanted[2];
    if (right && v->dtype == VRS_DTYPE_F32)
        return VRS_OK;
    return vrs_fail(VRS_INVALID,
                    "%s: the %s \"%s\" is not of floats [batch,%d,%d,%d] as its "
                    "descriptor says",
                    net->graph->name, kind, v->name, (int)wanted[0], (int)wanted[1],
                    (int)wanted[2]);
}

static vrs_status find_states(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    const vrs_model_spec *s = net->spec;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < s->state_count && status == VRS_OK; i++) {
        const vrs_model_state *state = &s->states[i];
        int64_t height = (s->height + state->divisor - 1) / state->divisor;
        int64_t width = (s->width + state->divisor - 1) / state->divisor;
        status =
            find_tensor(net, state->input, g->inputs, g->input_count, "input", &net->state_in[i]);
        net->state_out[i] = g->outputs[1 + i];
        if (status == VRS_OK) {
            status =
                check_dims(net, net->state_in[i], "state", false, state->channels, height, width);
        }
        if (status == VRS_OK) {
            status =
                check_dims(net, net->state_out[i], "state", false, state->channels, height, width);
        }
    }
    return status;
}

static vrs_status find_ports(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    const vrs_model_spec *s = net->spec;
    if (g->input_count != 1 + s->state_count) {
        return vrs_fail(VRS_INVALID, "%s: has %d inputs, but its descriptor names %d", g->name,
                        g->input_count, 1 + s->state_count);
    }
    /* Outputs are in the order in which they were asked for, whatever they are called by now. */
    if (g->output_count != 1 + s->state_count) {
        return vrs_fail(VRS_INVALID,
                        "%s: has %d outputs: its descriptor must name the one that is meant",
                        g->name, g->output_count);
    }
    vrs_status status = find_tensor(net, s->input, g->inputs, g->input_count, "input", &net->input);
    net->scores = g->outputs[0];
    if (status == VRS_OK)
        status = check_dims(net, net->input, "input", s->nhwc_input, 3, s->height, s->width);
    if (status == VRS_OK) {
        status = check_dims(net, net->scores, "output", s->nhwc_output, s->classes,
                            s->output_height ? s->output_height : s->height,
                            s->output_width ? s->output_width : s->width);
    }
    return status == VRS_OK ? find_states(net) : status;
}

/* --- the last enlarging --- */

static bool rule_of(const vrs_resize_attributes *r, vrs_enlarge_rule *rule)
{
    switch (r->coordinate) {
    case VRS_RESIZE_HALF_PIXEL:
    case VRS_RESIZE_PYTORCH_HALF_PIXEL:
        *rule = VRS_ENLARGE_HALF_PIXEL;
        return true;
    case VRS_RESIZE_ALIGN_CORNERS:
        *rule = VRS_ENLARGE_ALIGN_CORNERS;
        return true;
    case VRS_RESIZE_ASYMMETRIC:
        *rule = VRS_ENLARGE_ASYMMETRIC;
        return true;
    default:
        return false;
    }
}

/* Leaves a bilinear enlarging at the very end to the caller. */
static void drop_enlarging(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    const vrs_value *large = &g->values[net->scores];
    net->enlarge = 1;
    if (net->enlarges == 0 || large->producer < 0 || vrs_graph_uses(g, net->scores) != 1)
        return;
    const vrs_node *node = &g->nodes[large->producer];
    if (node->op != VRS_OP_RESIZE || node->as.resize.mode != VRS_RESIZE_LINEAR)
        return;
    const vrs_value *small = &g->values[node->inputs[0]];
    int64_t factor = large->dims[2] / small->dims[2];
    bool whole = large->dims[2] == factor * small->dims[2] &&
                 large->dims[3] == factor * small->dims[3] && factor > 1 &&
                 node->as.resize.scale[0] == (float)factor &&
                 node->as.resize.scale[1] == (float)factor;
    if (whole && !small->data && rule_of(&node->as.resize, &net->enlarge_rule) &&
        (net->enlarges >> net->enlarge_rule & 1) != 0) {
        net->enlarge = (int32_t)factor;
        net->roles[large->producer] = VRS_NET_GONE;
        net->forms[net->scores].unused = true;
        net->scores = node->inputs[0];
    }
}

/* --- forms --- */

static bool wants_picture(vrs_op op)
{
    return op == VRS_OP_CONV || op == VRS_OP_CONV_TRANSPOSED || op == VRS_OP_POOL ||
           op == VRS_OP_RESIZE || op == VRS_OP_INSTANCE_NORM;
}

/* Rank 4 and not the result of rearranging alone, unless somebody needs a picture. */
static bool is_picture(const vrs_net *net, int32_t index)
{
    const vrs_graph *g = net->graph;
    const vrs_value *v = &g->values[index];
    if (v->rank != 4 || v->data || v->batch_axis != 0 ||
        (v->dtype != VRS_DTYPE_F32 && v->dtype != VRS_DTYPE_I8 && v->dtype != VRS_DTYPE_U8))
        return false;
    vrs_op op = v->producer >= 0 ? g->nodes[v->producer].op : VRS_OP_CONV;
    bool rearranged = op == VRS_OP_TRANSPOSE || op == VRS_OP_RESHAPE || op == VRS_OP_MATMUL;
    for (int32_t n = 0; n < g->node_count && rearranged; n++) {
        for (int32_t i = 0; i < g->nodes[n].input_count; i++) {
            rearranged =
                rearranged && !(g->nodes[n].inputs[i] == index && wants_picture(g->nodes[n].op));
        }
    }
    return !rearranged;
}

static void form_value(vrs_net *net, int32_t index)
{
    const vrs_value *v = &net->graph->values[index];
    vrs_net_form *form = &net->forms[index];
    form->inside = VRS_NET_NOBODY;
    form->type =
        v->data && v->dtype == VRS_DTYPE_F32 ? VRS_NET_F32 : vrs_net_type_of(net, v->dtype);
    form->picture = is_picture(net, index);
    if (form->picture) {
        form->pitch = vrs_net_round(vrs_net_channels(v), vrs_net_vector(form->type));
        form->fill = form->pitch;
    }
}

/* A stem of stride 2 becomes one of stride 1 over 2x2 space-to-depth. */
static bool is_stem(const vrs_net *net)
{
    const vrs_graph *g = net->graph;
    const vrs_value *v = &g->values[net->input];
    int32_t reader = vrs_net_only_reader(net, net->input);
    if (reader < 0 || g->nodes[reader].op != VRS_OP_CONV || v->dims[2] % 2 || v->dims[3] % 2)
        return false;
    const vrs_conv_attributes *c = &g->nodes[reader].as.conv;
    return c->groups == 1 && c->stride[0] == 2 && c->stride[1] == 2 && c->dilation[0] == 1 &&
           c->dilation[1] == 1;
}

static void form_input(vrs_net *net)
{
    vrs_net_form *form = &net->forms[net->input];
    if (net->float_input || !form->picture || net->spec->nhwc_input) {
        form->port = VRS_NET_COPIED;
        return;
    }
    form->port = VRS_NET_DIRECT;
    form->s2d = is_stem(net);
    if (form->s2d) {
        form->pitch = form->type == VRS_NET_F32 ? 12 : 16;
        form->fill = form->pitch;
    }
}

/* Whether the node can write floats without padding. */
static bool writes_scores(const vrs_net *net, const vrs_node *node)
{
    if (node->op != VRS_OP_CONV) {
        return node->op != VRS_OP_CONCAT && node->op != VRS_OP_SPLIT &&
               node->op != VRS_OP_CONV_TRANSPOSED;
    }
    const vrs_conv_attributes *c = &node->as.conv;
    bool residual = node->input_count > 3 && node->inputs[3] != VRS_NO_VALUE;
    return !residual && c->groups == 1 && c->kernel[0] == 1 && c->kernel[1] == 1 &&
           net->graph->values[node->outputs[0]].dims[1] <= 8;
}

static void form_output(vrs_net *net, int32_t index)
{
    const vrs_value *v = &net->graph->values[index];
    vrs_net_form *form = &net->forms[index];
    bool once = vrs_graph_uses(net->graph, index) <= 1;
    if (v->producer < 0 || !once || !writes_scores(net, &net->graph->nodes[v->producer])) {
        form->port = VRS_NET_COPIED;
        return;
    }
    form->port = VRS_NET_DIRECT;
    form->type = VRS_NET_F32;
    if (form->picture)
        form->pitch = form->fill = vrs_net_channels(v);
}

/* --- nodes that only say where values lie --- */

static bool may_lie_inside(const vrs_net *net, int32_t index, const vrs_net_form *outer)
{
    const vrs_net_form *form = &net->forms[index];
    const vrs_value *v = &net->graph->values[index];
    return form->picture && form->type == outer->type && form->inside == VRS_NET_NOBODY &&
           form->port == VRS_NET_INNER && !form->unused && !form->s2d && v->producer >= 0 &&
           net->graph->nodes[v->producer].op != VRS_OP_CONCAT &&
           net->graph->nodes[v->producer].op != VRS_OP_SPLIT &&
           net->graph->nodes[v->producer].op != VRS_OP_SLICE;
}

/* Inputs of a concatenation along channels are written where they are wanted. */
static void place_concat(vrs_net *net, int32_t index)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    vrs_net_form *outer = &net->forms[node->outputs[0]];
    int32_t vector = vrs_net_vector(outer->type), at = 0;
    bool fits = outer->picture && node->as.axis.axis == 1 && outer->port == VRS_NET_INNER;
    for (int32_t i = 0; i < node->input_count && fits; i++) {
        int32_t channels = vrs_net_channels(&g->values[node->inputs[i]]);
        fits = may_lie_inside(net, node->inputs[i], outer) && at % vector == 0;
        for (int32_t j = 0; j < i; j++)
            fits = fits && node->inputs[j] != node->inputs[i];
        at += channels;
    }
    if (!fits)
        return;
    at = 0;
    for (int32_t i = 0; i < node->input_count; i++) {
        vrs_net_form *form = &net->forms[node->inputs[i]];
        int32_t channels = vrs_net_channels(&g->values[node->inputs[i]]);
        form->inside = node->outputs[0];
        form->offset = at;
        form->pitch = outer->pitch;
        form->fill = i + 1 == node->input_count ? outer->pitch - at : channels;
        at += channels;
    }
    net->roles[index] = VRS_NET_GONE;
}

/* Parts of a picture's channels that begin at whole vectors are read where they are. */
static void place_split(vrs_net *net, int32_t index)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    const vrs_net_form *whole = &net->forms[node->inputs[0]];
    int32_t vector = vrs_net_vector(whole->type), at = 0;
    bool fits =
        whole->picture && whole->port == VRS_NET_INNER && node->as.axis.axis == 1 && !whole->unused;
    for (int32_t i = 0; i < node->output_count && fits; i++) {
        const vrs_net_form *part = &net->forms[node->outputs[i]];
        fits = part->picture && part->port == VRS_NET_INNER && part->type == whole->type &&
               at % vector == 0 && part->inside == VRS_NET_NOBODY;
        at += vrs_net_channels(&g->values[node->outputs[i]]);
    }
    if (!fits)
        return;
    at = 0;
    for (int32_t i = 0; i < node->output_count; i++) {
        vrs_net_form *part = &net->forms[node->outputs[i]];
        part->inside = node->inputs[0];
        part->offset = at;
        part->pitch = whole->pitch;
        at += vrs_net_channels(&g->values[node->outputs[i]]);
        part->fill = at - part->offset;
    }
    net->roles[index] = VRS_NET_GONE;
}

static void place_reshape(vrs_net *net, int32_t index)
{
    const vrs_node *node = &net->graph->nodes[index];
    const vrs_net_form *in = &net->forms[node->inputs[0]];
    vrs_net_form *out = &net->forms[node->outputs[0]];
    bool constant = net->graph->values[node->inputs[0]].data != NULL;
    if (!in->picture && !out->picture && !constant && in->type == out->type && !in->unused &&
        in->port == VRS_NET_INNER && out->port == VRS_NET_INNER) {
        out->inside = node->inputs[0];
        net->roles[index] = VRS_NET_GONE;
    }
}

/* --- nodes that a convolution may take along --- */

static bool is_max_pool(const vrs_node *node)
{
    const vrs_pool_attributes *p = &node->as.pool;
    return node->op == VRS_OP_POOL && p->kind == VRS_POOL_MAX && p->dilation[0] == 1 &&
           p->dilation[1] == 1;
}

static bool is_head(const vrs_net *net, const vrs_node *node)
{
    const vrs_net_form *form = &net->forms[node->outputs[0]];
    return node->op == VRS_OP_CONV && node->act.kind == VRS_ACT_NONE &&
           form->port == VRS_NET_DIRECT && form->type == VRS_NET_F32;
}

static void find_follower(vrs_net *net, int32_t index)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    int32_t next = vrs_net_only_reader(net, node->outputs[0]);
    if (node->op != VRS_OP_CONV || next < 0 || net->roles[next] != VRS_NET_RUN ||
        g->nodes[next].inputs[0] != node->outputs[0])
        return;
    if (is_max_pool(&g->nodes[next]) || is_head(net, &g->nodes[next]))
        net->roles[next] = VRS_NET_FOLLOW;
}

/* 8-bit weights are taken apart on the host, by who uploads them. */
static void place_weights(vrs_net *net, int32_t index)
{
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    int32_t reader = vrs_net_only_reader(net, node->outputs[0]);
    if (g->values[node->inputs[0]].data && reader >= 0 &&
        (g->nodes[reader].op == VRS_OP_CONV || g->nodes[reader].op == VRS_OP_CONV_TRANSPOSED) &&
        g->nodes[reader].inputs[1] == node->outputs[0]) {
        net->roles[index] = VRS_NET_GONE;
        net->forms[node->outputs[0]].unused = true;
    }
}

static void place_nodes(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    for (int32_t n = 0; n < g->node_count; n++) {
        if (net->roles[n] != VRS_NET_RUN)
            continue;
        if (g->nodes[n].op == VRS_OP_DEQUANTIZE)
            place_weights(net, n);
        if (g->nodes[n].op == VRS_OP_CONCAT)
            place_concat(net, n);
        else if (g->nodes[n].op == VRS_OP_SPLIT)
            place_split(net, n);
        else if (g->nodes[n].op == VRS_OP_RESHAPE)
            place_reshape(net, n);
    }
    for (int32_t n = 0; n < g->node_count; n++)
        find_follower(net, n);
}

vrs_status vrs_net_form_values(vrs_net *net)
{
    const vrs_graph *g = net->graph;
    net->forms = vrs_alloc_array((size_t)g->value_count, sizeof *net->forms);
    net->roles = vrs_alloc_array((size_t)g->node_count + 1, sizeof *net->roles);
    if (!net->forms || !net->roles)
        return VRS_NO_MEMORY;
    vrs_status status = find_ports(net);
    if (status != VRS_OK)
        return status;
    drop_enlarging(net);
    for (int32_t v = 0; v < g->value_count; v++) {
        bool unused = net->forms[v].unused;
        form_value(net, v);
        net->forms[v].unused = unused;
    }
    form_input(net);
    form_output(net, net->scores);
    for (int32_t i = 0; i < net->spec->state_count; i++) {
        net->forms[net->state_in[i]].port = VRS_NET_COPIED;
        net->forms[net->state_out[i]].port = VRS_NET_COPIED;
    }
    if (net->precision == VRS_PRECISION_INT8)
        vrs_net_store_quantised(net);
    place_nodes(net);
    for (int32_t n = 0; n < g->node_count && status == VRS_OK; n++)
        status = net->roles[n] == VRS_NET_GONE ? VRS_OK : vrs_net_check_node(net, n);
    return status;
}
