/* A compiled network beside the interpreter, node by node, on random input. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cuda/network.h"
#include "graph/interpreter.h"
#include "kernels/cuda/net_ops.h"

/* Root mean square of what a node may be off by, over that of its result: roundings add up over the
 * nodes before it. */
#define TOLERANCE_HALF 0.03
#define TOLERANCE_INT8 0.15 /* 0.12 behind fifty layers */
#define TOLERANCE_TF32 0.02
#define TOLERANCE_FLOAT 1e-4
/* Results of this size count as none in FP16, whose steps near zero are 6e-8: of a sigmoid that
 * says no everywhere. */
#define TINY_HALF 1e-5

typedef struct verifier {
    vrs_net *net;
    vrs_net_program *program;
    const vrs_net_ports *ports;
    vrs_interpreter *interpreter;
    int32_t interpreted; /* nodes that it has run */
    float **inputs;      /* of each input of the graph, dense */
    vrs_engine_check_fn visit;
    void *opaque;
} verifier;

static float random_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(*state >> 40) * 0x1p-22f - 2.0f; /* -2..2 */
}

/* Makes of numbers of -2 to 2 those that preprocessing makes of a picture's codes: others may be
 * beyond what FP16 holds after some layers. */
static void make_codes(const vrs_net *net, size_t count, float *numbers)
{
    const vrs_model_spec *spec = net->spec;
    const vrs_value *x = &net->graph->values[net->input];
    size_t plane = spec->nhwc_input ? 1 : (size_t)(x->dims[2] * x->dims[3]);
    for (size_t i = 0; i < count; i++) {
        size_t c = i / plane % 3;
        numbers[i] = ((numbers[i] + 2.0f) * 63.75f - spec->mean[c]) * spec->scale[c];
    }
}

static vrs_status make_inputs(verifier *v, uint64_t seed)
{
    const vrs_graph *g = v->net->graph;
    v->inputs = vrs_alloc_array((size_t)g->input_count, sizeof *v->inputs);
    if (!v->inputs)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < g->input_count; i++) {
        size_t count = vrs_value_elements(&g->values[g->inputs[i]]);
        v->inputs[i] = vrs_alloc_array(count, sizeof(float));
        if (!v->inputs[i])
            return VRS_NO_MEMORY;
        for (size_t k = 0; k < count; k++)
            v->inputs[i][k] = random_value(&seed);
        if (g->inputs[i] == v->net->input)
            make_codes(v->net, count, v->inputs[i]);
    }
    return VRS_OK;
}

/* Where channel c of pixel (y, x) of the network's input lies, in elements. */
static int64_t input_place(const vrs_net *net, int64_t n, int64_t c, int64_t y, int64_t x)
{
    const vrs_net_form *form = &net->forms[net->input];
    const vrs_value *v = &net->graph->values[net->input];
    int64_t height = v->dims[2], width = v->dims[3];
    if (form->s2d) {
        int64_t pixel = (n * (height / 2) + y / 2) * (width / 2) + x / 2;
        return pixel * form->pitch + (y % 2 * 2 + x % 2) * 3 + c;
    }
    return ((n * height + y) * width + x) * form->pitch + c;
}

/* The network's input as preprocessing writes it. Returns owned. */
static void *pack_input(const vrs_net *net, const float *from)
{
    const vrs_value *v = &net->graph->values[net->input];
    void *to = vrs_alloc(vrs_net_value_bytes(net, net->input));
    for (int64_t n = 0, i = 0; to && n < v->dims[0]; n++) {
        for (int64_t c = 0; c < v->dims[1]; c++) {
            for (int64_t y = 0; y < v->dims[2]; y++) {
                for (int64_t x = 0; x < v->dims[3]; x++, i++) {
                    vrs_net_store((uint64_t)(uintptr_t)to, net->forms[net->input].type,
                                  input_place(net, n, c, y, x), from[i]);
                }
            }
        }
    }
    return to;
}

static vrs_status upload(vrs_net *net, vrs_device_ptr to, const void *from, size_t bytes)
{
    vrs_status status = vrs_device_upload(net->stream, to, from, bytes);
    return status == VRS_OK ? vrs_net_settle(net) : status;
}

/* States lie NHWC in their ports. Returns owned. */
static float *turn_state(const vrs_value *v, const float *from)
{
    size_t count = vrs_value_elements(v);
    float *to = vrs_alloc_array(count, sizeof *to);
    int64_t plane = v->dims[2] * v->dims[3];
    for (size_t i = 0; to && i < count; i++) {
        int64_t n = (int64_t)i / (plane * v->dims[1]), c = (int64_t)i / plane % v->dims[1];
        to[(n * plane + (int64_t)i % plane) * v->dims[1] + c] = from[i];
    }
    return to;
}

static const float *input_of(const verifier *v, int32_t value)
{
    const vrs_graph *g = v->net->graph;
    for (int32_t i = 0; i < g->input_count; i++)
        if (g->inputs[i] == value)
            return v->inputs[i];
    return NULL;
}

static vrs_status feed(const verifier *v)
{
    vrs_net *net = v->net;
    const vrs_value *in = &net->graph->values[net->input];
    const float *from = input_of(v, net->input);
    bool direct = net->forms[net->input].port == VRS_NET_DIRECT;
    void *packed = direct ? pack_input(net, from) : NULL;
    vrs_status status = direct && !packed ? VRS_NO_MEMORY : VRS_OK;
    if (status == VRS_OK) {
        status = upload(net, v->ports->input, direct ? packed : from,
                        direct ? vrs_net_value_bytes(net, net->input) : vrs_value_bytes(in));
    }
    vrs_free(packed);
    for (int32_t i = 0; i < net->spec->state_count && status == VRS_OK; i++) {
        const vrs_value *state = &net->graph->values[net->state_in[i]];
        float *turned = turn_state(state, input_of(v, net->state_in[i]));
        status = turned ? upload(net, v->ports->state_in[i], turned, vrs_value_bytes(state))
                        : VRS_NO_MEMORY;
        vrs_free(turned);
    }
    if (status == VRS_OK)
        status = vrs_net_queue_ports(net, v->program, v->ports, true, net->stream);
    return status;
}

/* Offset of element i, counted row-major, in a view. */
static int64_t place_of(const vrs_value *v, const vrs_net_view *view, size_t i)
{
    int64_t at = 0, rest = (int64_t)i;
    for (int32_t axis = v->rank - 1; axis >= 0; axis--) {
        at += rest % v->dims[axis] * view->stride[axis];
        rest /= v->dims[axis];
    }
    return at;
}

static bool has_halves(const vrs_net *net)
{
    return net->precision != VRS_PRECISION_F32 && net->precision != VRS_PRECISION_TF32;
}

/* How far a value on the device is from the interpreter's. */
static vrs_status compare(const verifier *v, int32_t index, vrs_engine_check *check)
{
    vrs_net *net = v->net;
    const vrs_value *value = &net->graph->values[index];
    const void *reference = vrs_interpreter_data(v->interpreter, index);
    size_t bytes = vrs_net_value_bytes(net, index), count = vrs_value_elements(value);
    vrs_net_view view = vrs_net_view_of(net, v->program, index);
    bool steps = view.type == VRS_NET_I8 && value->dtype == VRS_DTYPE_F32;
    void *found = vrs_alloc(bytes);
    if (!found)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_device_download(net->stream, found, view.data, bytes);
    if (status == VRS_OK)
        status = vrs_net_settle(net);
    double off = 0, all = 0, worst = 0;
    for (size_t i = 0; status == VRS_OK && i < count; i++) {
        double f =
            (double)vrs_net_load((uint64_t)(uintptr_t)found, view.type, place_of(value, &view, i));
        f *= steps ? (double)net->forms[index].quantum : 1;
        double r = vrs_element_at(value->dtype, reference, i), d = fabs(f - r);
        off += d * d;
        all += r * r;
        worst = d > worst || !(d <= worst) ? d : worst;
    }
    vrs_free(found);
    double least = has_halves(net) ? (double)count * TINY_HALF * TINY_HALF : 0;
    all = all > least ? all : least;
    check->off = sqrt(off / (all > 0 ? all : 1));
    check->worst = worst;
    return status;
}

static double tolerance_of(const vrs_net *net)
{
    return net->precision == VRS_PRECISION_F32    ? TOLERANCE_FLOAT
           : net->precision == VRS_PRECISION_TF32 ? TOLERANCE_TF32
           : net->precision == VRS_PRECISION_INT8 ? TOLERANCE_INT8
                                                  : TOLERANCE_HALF;
}

/* Plain C's results up to a node. */
static vrs_status interpret(verifier *v, int32_t last)
{
    vrs_status status = VRS_OK;
    while (v->interpreted <= last && status == VRS_OK)
        status = vrs_interpreter_node(v->interpreter, v->interpreted++);
    return status;
}

static vrs_status verify_node(verifier *v, int32_t index)
{
    vrs_net *net = v->net;
    const vrs_graph *g = net->graph;
    const vrs_node *node = &g->nodes[index];
    /* One that runs along has run with the node before it. */
    vrs_status status = vrs_net_queue_node(net, v->program, index, net->stream);
    int32_t shown =
        v->program->convs[index].follows ? vrs_net_only_reader(net, node->outputs[0]) : index;
    if (status == VRS_OK)
        status = interpret(v, shown);
    char does[160];
    vrs_node_describe(g, shown, does, sizeof does);
    for (int32_t i = 0; i < g->nodes[shown].output_count && status == VRS_OK; i++) {
        vrs_engine_check check = {.name = node->name, .does = does};
        if (vrs_graph_uses(g, g->nodes[shown].outputs[i]) == 0)
            continue;
        status = compare(v, g->nodes[shown].outputs[i], &check);
        check.good = check.off <= tolerance_of(net); /* false for what is no number */
        if (status == VRS_OK)
            v->visit(v->opaque, &check);
    }
    return status;
}

vrs_status vrs_net_verify(vrs_net *net, vrs_net_program *program, const vrs_net_ports *ports,
                          uint64_t seed, vrs_engine_check_fn visit, void *opaque)
{
    verifier v = {.net = net, .program = program, .ports = ports, .visit = visit, .opaque = opaque};
    net->batch = program->batch;
    net->size = (int32_t)(program - net->programs) + 1;
    net->sizes = net->program_count;
    vrs_status status = vrs_graph_infer(net->graph, program->batch);
    vrs_net_connect(net, program, ports);
    if (status == VRS_OK)
        status = make_inputs(&v, seed);
    if (status == VRS_OK)
        status = vrs_interpreter_create(net->graph, &v.interpreter);
    if (status == VRS_OK) {
        status =
            vrs_interpreter_begin(v.interpreter, program->batch, (const void *const *)v.inputs);
    }
    if (status == VRS_OK)
        status = feed(&v);
    for (int32_t n = 0; n < net->graph->node_count && status == VRS_OK; n++) {
        bool runs = vrs_net_runs(net, program, n) || program->convs[n].along;
        status = runs ? verify_node(&v, n) : VRS_OK;
        vrs_net_tell(net, "compared", n + 1, net->graph->node_count, net->graph->nodes[n].name);
    }
    for (int32_t i = 0; v.inputs && i < net->graph->input_count; i++)
        vrs_free(v.inputs[i]);
    vrs_free(v.inputs);
    vrs_interpreter_destroy(v.interpreter);
    return status;
}
