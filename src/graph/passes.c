/* The passes: what folds and fuses. Each walks the nodes once; a node that went into another one is
 * cleared, and the pass ends by closing the gaps. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "graph/own.h"

typedef struct pass {
    vrs_graph *graph;
    int32_t *uses; /* of each value when the pass began; never too few */
} pass;

static bool is_there(const vrs_node *node)
{
    return node->rule != NULL;
}

static vrs_value *value_of(const pass *p, int32_t value)
{
    return &p->graph->values[value];
}

/* The node that makes a value, if it has no other reader and is still there. */
static vrs_node *sole_maker(const pass *p, int32_t value)
{
    if (value == VRS_NO_VALUE || p->uses[value] != 1)
        return NULL;
    int32_t maker = value_of(p, value)->producer;
    return maker != VRS_NO_VALUE && is_there(&p->graph->nodes[maker]) ? &p->graph->nodes[maker]
                                                                      : NULL;
}

/* Whether two values have the same dims for every batch. */
static bool same_dims(const vrs_value *a, const vrs_value *b)
{
    return a->rank == b->rank && a->batch_axis == b->batch_axis &&
           memcmp(a->dims, b->dims, sizeof(a->dims)) == 0;
}

/* `node`, which made `value`, becomes what makes the result of `last`, the node after it, which
 * goes. The dims of the two are the same. */
static vrs_status take_over(pass *p, vrs_node *node, vrs_node *last)
{
    int32_t value = node->outputs[0];
    node->outputs[0] = last->outputs[0];
    value_of(p, node->outputs[0])->producer = (int32_t)(node - p->graph->nodes);
    vrs_graph_replace_shapes(p->graph, value, node->outputs[0]);
    vrs_status status = vrs_node_add_sources(node, last, false);
    vrs_node_clear(last);
    return status;
}

static bool is_identity(const pass *p, const vrs_node *node)
{
    const vrs_value *x = value_of(p, node->inputs[0]), *y = value_of(p, node->outputs[0]);
    bool moved = false;
    switch (node->op) {
    case VRS_OP_RESHAPE:
    case VRS_OP_EXPAND:
        break;
    case VRS_OP_TRANSPOSE:
        for (int32_t i = 0; i < x->rank; i++)
            moved = moved || node->as.transpose.perm[i] != i;
        break;
    case VRS_OP_SLICE:
        for (int32_t i = 0; i < x->rank; i++)
            moved = moved || node->as.slice.start[i] != 0 || node->as.slice.step[i] != 1;
        break;
    case VRS_OP_PAD:
        for (int32_t i = 0; i < x->rank; i++)
            moved = moved || node->as.pad.before[i] != 0 || node->as.pad.after[i] != 0;
        break;
    case VRS_OP_RESIZE:
        moved = node->as.resize.scale[0] != 1 || node->as.resize.scale[1] != 1 ||
                node->as.resize.coordinate == VRS_RESIZE_TF_CROP ||
                node->as.resize.coordinate == VRS_RESIZE_TF_HALF_PIXEL;
        break;
    case VRS_OP_SPLIT:
        moved = node->output_count != 1;
        break;
    default:
        return false;
    }
    return !moved && same_dims(x, y);
}

/* Two transposes in a row become one. */
static vrs_status join_transposes(pass *p, vrs_node *node)
{
    vrs_node *first = node->op == VRS_OP_TRANSPOSE ? sole_maker(p, node->inputs[0]) : NULL;
    if (!first || first->op != VRS_OP_TRANSPOSE)
        return VRS_OK;
    int32_t joined[VRS_GRAPH_MAX_RANK] = {0};
    for (int32_t i = 0; i < value_of(p, node->outputs[0])->rank; i++)
        joined[i] = first->as.transpose.perm[node->as.transpose.perm[i]];
    memcpy(node->as.transpose.perm, joined, sizeof(joined));
    node->inputs[0] = first->inputs[0];
    return vrs_node_add_sources(node, first, true);
}

/* Zeros that are put around a picture become the pads of the convolution that reads it. */
static vrs_status take_pads(pass *p, vrs_node *node)
{
    vrs_node *pad =
        node->op == VRS_OP_CONV && is_there(node) ? sole_maker(p, node->inputs[0]) : NULL;
    if (!pad || pad->op != VRS_OP_PAD || pad->as.pad.mode != VRS_PAD_CONSTANT ||
        pad->as.pad.value != 0 || node->rule->auto_pad != VRS_AUTO_PAD_NONE)
        return VRS_OK;
    const vrs_pad_attributes *by = &pad->as.pad;
    vrs_conv_attributes *conv = &node->as.conv;
    for (int32_t i = 0; i < 4; i++) {
        int64_t most = i < 2 ? 0 : VRS_GRAPH_MAX_SIDE / 2;
        if (by->before[i] < 0 || by->after[i] < 0 || by->before[i] > most || by->after[i] > most ||
            (i >= 2 && (conv->pad_before[i - 2] > most || conv->pad_after[i - 2] > most)))
            return VRS_OK;
    }
    for (int32_t i = 0; i < 2; i++) {
        conv->pad_before[i] += (int32_t)by->before[2 + i];
        conv->pad_after[i] += (int32_t)by->after[2 + i];
    }
    node->inputs[0] = pad->inputs[0];
    return vrs_node_add_sources(node, pad, true);
}

static vrs_status remove_identities(pass *p)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < p->graph->node_count && status == VRS_OK; i++) {
        vrs_node *node = &p->graph->nodes[i];
        status = join_transposes(p, node);
        if (status == VRS_OK)
            status = take_pads(p, node);
        if (status == VRS_OK && is_identity(p, node)) {
            vrs_graph_replace(p->graph, node->outputs[0], node->inputs[0]);
            p->uses[node->inputs[0]] += p->uses[node->outputs[0]];
            vrs_node_clear(node);
        }
    }
    return status;
}

/* Whether a constant has one element for each channel of y (along axis 1), or one for all. */
static bool is_per_channel(const vrs_value *constant, const vrs_value *y)
{
    if (!constant->data || constant->follows_batch || constant->dtype != VRS_DTYPE_F32 ||
        constant->rank > y->rank)
        return false;
    int32_t channel = constant->rank - (y->rank - 1);
    return vrs_value_elements(constant) == 1 ||
           (channel >= 0 && constant->dims[channel] == y->dims[1] &&
            vrs_value_elements(constant) == (size_t)y->dims[1]);
}

/* What a node does to x as x * scale + shift with constants; elements are those of `scale` and
 * `shift`, NULL: 1 and 0. */
typedef struct affine {
    int32_t x;
    const vrs_value *scale, *shift;
    bool negative, reciprocal; /* of shift, of scale */
} affine;

static bool find_affine(const pass *p, const vrs_node *node, affine *a)
{
    *a = (affine){.x = node->input_count > 0 ? node->inputs[0] : VRS_NO_VALUE};
    if (node->op == VRS_OP_SCALE_SHIFT) {
        a->scale = value_of(p, node->inputs[1]);
        a->shift = value_of(p, node->inputs[2]);
        return true;
    }
    vrs_binary kind = node->as.binary.kind;
    if (node->op != VRS_OP_BINARY || kind > VRS_BINARY_DIV)
        return false;
    const vrs_value *y = value_of(p, node->outputs[0]);
    int32_t constant = node->inputs[1];
    if ((kind == VRS_BINARY_ADD || kind == VRS_BINARY_MUL) && value_of(p, a->x)->data) {
        constant = a->x;
        a->x = node->inputs[1];
    }
    bool adds = kind == VRS_BINARY_ADD || kind == VRS_BINARY_SUB;
    *(adds ? &a->shift : &a->scale) = value_of(p, constant);
    a->negative = kind == VRS_BINARY_SUB;
    a->reciprocal = kind == VRS_BINARY_DIV;
    return y->rank == 4 && y->dtype == VRS_DTYPE_F32 && same_dims(value_of(p, a->x), y) &&
           is_per_channel(value_of(p, constant), y);
}

static float element(const vrs_value *value, int64_t channel, float otherwise)
{
    if (!value)
        return otherwise;
    const float *data = value->data;
    return data[vrs_value_elements(value) > 1 ? channel : 0];
}

static float scale_of(const affine *a, int64_t channel)
{
    float scale = element(a->scale, channel, 1);
    return a->reciprocal ? 1 / scale : scale;
}

/* Replaces input `input` of a node by a constant with the same dims, or those given, and `data`. */
static vrs_status set_constant(pass *p, vrs_node *node, int32_t input, const char *name,
                               int32_t rank, const int64_t *dims, const float *data)
{
    /* The values may move: uses are for those that were there. */
    return vrs_graph_add_constant(p->graph, name, VRS_DTYPE_F32, rank, dims, data,
                                  &node->inputs[input]);
}

static vrs_status scale_weights(pass *p, vrs_node *conv, const affine *a)
{
    const vrs_value weights = *value_of(p, conv->inputs[1]);
    size_t count = vrs_value_elements(&weights);
    float *scaled = vrs_alloc_array(count, sizeof(*scaled));
    if (!scaled)
        return VRS_NO_MEMORY;
    bool transposed = conv->op == VRS_OP_CONV_TRANSPOSED;
    int64_t taps = weights.dims[2] * weights.dims[3];
    int64_t group_in = weights.dims[0] / conv->as.conv.groups;
    for (size_t i = 0; i < count; i++) {
        int64_t plane = (int64_t)i / taps;
        int64_t first = plane / weights.dims[1], second = plane % weights.dims[1];
        int64_t channel = transposed ? first / group_in * weights.dims[1] + second : first;
        scaled[i] = ((const float *)weights.data)[i] * scale_of(a, channel);
    }
    vrs_status status = set_constant(p, conv, 1, weights.name, 4, weights.dims, scaled);
    vrs_free(scaled);
    return status;
}

static vrs_status shift_bias(pass *p, vrs_node *conv, const affine *a)
{
    int64_t channels = value_of(p, conv->outputs[0])->dims[1];
    const vrs_value *bias = conv->inputs[2] != VRS_NO_VALUE ? value_of(p, conv->inputs[2]) : NULL;
    float *shifted = vrs_alloc_array((size_t)channels, sizeof(*shifted));
    if (!shifted)
        return VRS_NO_MEMORY;
    for (int64_t i = 0; i < channels; i++) {
        float shift = element(a->shift, i, 0);
        shifted[i] = element(bias, i, 0) * scale_of(a, i) + (a->negative ? -shift : shift);
    }
    vrs_status status =
        set_constant(p, conv, 2, bias ? bias->name : conv->name, 1, &channels, shifted);
    vrs_free(shifted);
    return status;
}

/* Whether a node is a convolution whose result can still be scaled. */
static bool takes_affine(const pass *p, const vrs_node *conv, const affine *a)
{
    if (!conv || (conv->op != VRS_OP_CONV && conv->op != VRS_OP_CONV_TRANSPOSED) ||
        conv->act.kind != VRS_ACT_NONE || conv->inputs[3] != VRS_NO_VALUE)
        return false;
    return !a->scale || value_of(p, conv->inputs[1])->data;
}

static vrs_status fold_norms(pass *p)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < p->graph->node_count && status == VRS_OK; i++) {
        vrs_node *node = &p->graph->nodes[i];
        affine a;
        if (!is_there(node) || !find_affine(p, node, &a))
            continue;
        vrs_node *conv = sole_maker(p, a.x);
        if (!takes_affine(p, conv, &a))
            continue;
        /* New constants may move the array of values, into which `a` points. */
        affine copy = a;
        vrs_value scale, shift;
        if (a.scale) {
            scale = *a.scale;
            copy.scale = &scale;
        }
        if (a.shift) {
            shift = *a.shift;
            copy.shift = &shift;
        }
        status = shift_bias(p, conv, &copy);
        if (status == VRS_OK && copy.scale)
            status = scale_weights(p, conv, &copy);
        if (status == VRS_OK) {
            conv->act = node->act;
            status = take_over(p, conv, node);
        }
    }
    return status;
}

/* The number of a constant of one element; NaN: it is none. */
static float number_of(const pass *p, int32_t value)
{
    const vrs_value *v = value_of(p, value);
    bool one =
        v->data && !v->follows_batch && v->dtype == VRS_DTYPE_F32 && vrs_value_elements(v) == 1;
    return one ? *(const float *)v->data : NAN;
}

static bool nearly(float a, float b)
{
    return fabsf(a - b) <= 1e-6F * fabsf(b);
}

static bool is_binary(const vrs_node *node, vrs_binary kind)
{
    return node && node->op == VRS_OP_BINARY && node->as.binary.kind == kind &&
           node->act.kind == VRS_ACT_NONE;
}

/* Whether a node is an activation of one kind alone. */
static bool is_act(const vrs_node *node, vrs_act_kind kind)
{
    return node && node->op == VRS_OP_ACTIVATION && node->act.kind == kind;
}

/* Where `value` is x divided by 6: x, and what computes it; else VRS_NO_VALUE. */
static int32_t sixth_of(const pass *p, const vrs_node *node)
{
    if (is_binary(node, VRS_BINARY_DIV) && nearly(number_of(p, node->inputs[1]), 6))
        return node->inputs[0];
    for (int32_t i = 0; i < 2 && is_binary(node, VRS_BINARY_MUL); i++)
        if (nearly(number_of(p, node->inputs[i]), 1.0F / 6))
            return node->inputs[1 - i];
    return VRS_NO_VALUE;
}

/* Where `value` is min(max(x + 3, 0), 6) and nothing else reads it: x; adds both nodes to `parts`.
 */
static int32_t clipped_three(const pass *p, int32_t value, const vrs_node *parts[3], int32_t *count)
{
    const vrs_node *clip = sole_maker(p, value);
    if (!is_act(clip, VRS_ACT_CLIP) || clip->act.min != 0 || clip->act.max != 6)
        return VRS_NO_VALUE;
    const vrs_node *add = sole_maker(p, clip->inputs[0]);
    for (int32_t i = 0; i < 2 && is_binary(add, VRS_BINARY_ADD); i++) {
        if (nearly(number_of(p, add->inputs[i]), 3)) {
            parts[(*count)++] = clip;
            parts[(*count)++] = add;
            return add->inputs[1 - i];
        }
    }
    return VRS_NO_VALUE;
}

/* Turns `node` into an activation of x, with the sources of what went into it. */
static vrs_status become_act(vrs_node *node, vrs_act act, int32_t x, const vrs_node *const *parts,
                             int32_t count)
{
    node->op = VRS_OP_ACTIVATION;
    node->act = act;
    node->inputs[0] = x;
    node->input_count = 1;
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < count && status == VRS_OK; i++)
        status = vrs_node_add_sources(node, parts[i], true);
    return status;
}

/* clip(x + 3, 0, 6) / 6 is a hard sigmoid; x * clip(x + 3, 0, 6) / 6 a hard-swish. */
static vrs_status find_sixth(pass *p, vrs_node *node)
{
    int32_t whole = sixth_of(p, node), count = 0;
    if (whole == VRS_NO_VALUE)
        return VRS_OK;
    const vrs_node *parts[3];
    int32_t x = clipped_three(p, whole, parts, &count);
    if (x != VRS_NO_VALUE && same_dims(value_of(p, x), value_of(p, node->outputs[0]))) {
        vrs_act act = {VRS_ACT_HARD_SIGMOID, 1.0F / 6, 0.5F, 0, 0, VRS_NO_VALUE};
        return become_act(node, act, x, parts, count);
    }
    const vrs_node *product = sole_maker(p, whole);
    for (int32_t i = 0; i < 2 && is_binary(product, VRS_BINARY_MUL); i++) {
        count = 0;
        parts[count++] = product;
        x = clipped_three(p, product->inputs[i], parts, &count);
        if (x != VRS_NO_VALUE && x == product->inputs[1 - i] &&
            same_dims(value_of(p, x), value_of(p, node->outputs[0]))) {
            vrs_act act = {VRS_ACT_HARD_SWISH, 0, 0, 0, 0, VRS_NO_VALUE};
            return become_act(node, act, x, parts, count);
        }
    }
    return VRS_OK;
}

/* x * sigmoid(x) and x * hard sigmoid(x). */
static vrs_status find_gated(pass *p, vrs_node *node)
{
    for (int32_t i = 0; i < 2 && is_binary(node, VRS_BINARY_MUL); i++) {
        const vrs_node *gate = sole_maker(p, node->inputs[i]);
        int32_t x = node->inputs[1 - i];
        bool smooth = is_act(gate, VRS_ACT_SIGMOID);
        bool hard = is_act(gate, VRS_ACT_HARD_SIGMOID) && nearly(gate->act.alpha, 1.0F / 6) &&
                    gate->act.beta == 0.5F;
        if ((smooth || hard) && gate->inputs[0] == x) {
            vrs_act act = {smooth ? VRS_ACT_SILU : VRS_ACT_HARD_SWISH, 0, 0, 0, 0, VRS_NO_VALUE};
            return become_act(node, act, x, &gate, 1);
        }
    }
    return VRS_OK;
}

static vrs_status find_activations(pass *p)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < p->graph->node_count && status == VRS_OK; i++) {
        status = find_sixth(p, &p->graph->nodes[i]);
        if (status == VRS_OK)
            status = find_gated(p, &p->graph->nodes[i]);
    }
    return status;
}

static bool takes_act(const pass *p, const vrs_node *node)
{
    if (!node || node->act.kind != VRS_ACT_NONE)
        return false;
    switch (node->op) {
    case VRS_OP_CONV:
    case VRS_OP_CONV_TRANSPOSED:
    case VRS_OP_SCALE_SHIFT:
    case VRS_OP_MATMUL:
    case VRS_OP_GEMM:
        return true;
    case VRS_OP_BINARY:
        return value_of(p, node->outputs[0])->dtype == VRS_DTYPE_F32;
    default:
        return false;
    }
}

static vrs_status fuse_activations(pass *p)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < p->graph->node_count && status == VRS_OK; i++) {
        vrs_node *node = &p->graph->nodes[i];
        vrs_node *maker =
            node->op == VRS_OP_ACTIVATION && is_there(node) ? sole_maker(p, node->inputs[0]) : NULL;
        if (takes_act(p, maker)) {
            maker->act = node->act;
            status = take_over(p, maker, node);
        }
    }
    return status;
}

/* Whether inference computes with the dims of a value. */
static bool is_measured(const pass *p, int32_t value)
{
    for (int32_t i = 0; i < p->graph->own->shape_node_count; i++) {
        const vrs_node *node = &p->graph->own->shape_nodes[i];
        for (int32_t k = 0; k < node->input_count; k++)
            if (node->inputs[k] == value)
                return true;
    }
    return false;
}

/* Whether a convolution is rather the one that adds: of two that one which is 1x1 over all pixels,
 * as the end of a ResNet's block is and its shortcut may not be, for that is a plain matrix
 * product; else the later one, so that its result does not wait for the other. */
static bool adds_rather(const vrs_node *conv, const vrs_node *other)
{
    bool point[2];
    for (int i = 0; i < 2; i++) {
        const vrs_node *node = i == 0 ? conv : other;
        const vrs_conv_attributes *a = &node->as.conv;
        point[i] = node->op == VRS_OP_CONV && a->kernel[0] == 1 && a->kernel[1] == 1 &&
                   a->stride[0] == 1 && a->stride[1] == 1;
    }
    return point[0] != point[1] ? point[0] : conv > other;
}

/* The convolution that can take the other input of an addition as its residual. */
static vrs_node *find_residual(const pass *p, const vrs_node *node, int32_t *other)
{
    vrs_node *best = NULL;
    const vrs_value *y = value_of(p, node->outputs[0]);
    if (node->op != VRS_OP_BINARY || node->as.binary.kind != VRS_BINARY_ADD ||
        y->dtype != VRS_DTYPE_F32 || y->rank != 4)
        return NULL;
    for (int32_t i = 0; i < 2; i++) {
        vrs_node *conv = sole_maker(p, node->inputs[i]);
        int32_t residual = node->inputs[1 - i];
        bool fits = conv && (conv->op == VRS_OP_CONV || conv->op == VRS_OP_CONV_TRANSPOSED) &&
                    conv->act.kind == VRS_ACT_NONE && conv->inputs[3] == VRS_NO_VALUE &&
                    same_dims(value_of(p, residual), y) &&
                    same_dims(value_of(p, node->inputs[i]), y) &&
                    !is_measured(p, node->inputs[i]); /* its dims are wanted before the other */
        if (fits && (!best || adds_rather(conv, best))) {
            best = conv;
            *other = residual;
        }
    }
    return best;
}

/* The fused node stands where the addition stood, as the residual may be made after the
 * convolution. */
static vrs_status fuse_residuals(pass *p)
{
    vrs_status status = VRS_OK;
    for (int32_t i = 0; i < p->graph->node_count && status == VRS_OK; i++) {
        vrs_node *node = &p->graph->nodes[i];
        int32_t other = VRS_NO_VALUE;
        vrs_node *conv = is_there(node) ? find_residual(p, node, &other) : NULL;
        if (!conv)
            continue;
        conv->inputs[3] = other;
        conv->act = node->act;
        int32_t order = node->rule->order;
        status = take_over(p, conv, node);
        *node = *conv;
        *conv = (vrs_node){0};
        node->rule->order = order;
        value_of(p, node->outputs[0])->producer = i;
    }
    return status;
}

static vrs_status run_pass(vrs_graph *graph, vrs_status (*fn)(pass *))
{
    pass p = {.graph = graph};
    p.uses = vrs_alloc_array((size_t)graph->value_count, sizeof(*p.uses));
    if (!p.uses)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < graph->node_count; i++) {
        const vrs_node *node = &graph->nodes[i];
        for (int32_t k = 0; k < node->input_count; k++)
            if (node->inputs[k] != VRS_NO_VALUE)
                p.uses[node->inputs[k]]++;
    }
    for (int32_t i = 0; i < graph->output_count; i++)
        p.uses[graph->outputs[i]]++;
    vrs_status status = fn(&p);
    vrs_free(p.uses);
    return status == VRS_OK ? vrs_graph_prune(graph) : status;
}

vrs_status vrs_graph_optimise(vrs_graph *graph, uint32_t passes)
{
    static const struct {
        uint32_t bit;
        vrs_status (*fn)(pass *);
    } list[] = {
        {VRS_PASS_IDENTITY, remove_identities},
        {VRS_PASS_ACTIVATIONS, find_activations}, /* before their parts go into convolutions */
        {VRS_PASS_NORMS, fold_norms},
        {VRS_PASS_ACTIVATIONS, fuse_activations},
        {VRS_PASS_RESIDUAL, fuse_residuals},
    };
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < sizeof(list) / sizeof(*list) && status == VRS_OK; i++)
        if ((passes & list[i].bit) != 0)
            status = run_pass(graph, list[i].fn);
    return status;
}
