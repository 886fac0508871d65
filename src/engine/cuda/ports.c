/* What goes into a network and comes out, and the memory of requests for it. */
#include "base/alloc.h"
#include "engine/cuda/cuda_engine.h"

#define VECTOR 16 /* bytes that kernels read at once */

static void describe_input(const vrs_net *net, vrs_engine_io *io)
{
    const vrs_net_form *form = &net->forms[net->input];
    bool half = form->type == VRS_NET_F16;
    size_t pixels = (size_t)net->spec->width * (size_t)net->spec->height;
    if (form->port == VRS_NET_COPIED) {
        io->tensor = net->spec->nhwc_input ? VRS_TENSOR_F32_NHWC : VRS_TENSOR_F32_NCHW;
        io->input_bytes = pixels * 3 * sizeof(float);
        return;
    }
    io->tensor = form->s2d ? half ? VRS_TENSOR_F16_S2D : VRS_TENSOR_F32_S2D
                 : half    ? VRS_TENSOR_F16_NHWC
                           : VRS_TENSOR_F32_NHWC;
    io->channels = form->pitch;
    io->input_bytes = vrs_net_value_bytes(net, net->input) / (size_t)net->graph->batch;
}

static void describe_scores(const vrs_net *net, vrs_engine_io *io)
{
    const vrs_value *v = &net->graph->values[net->scores];
    bool picture = net->forms[net->scores].picture, last = net->spec->nhwc_output != 0;
    int32_t channel = last ? 3 : 1, row = last ? 1 : 2, column = last ? 2 : 3;
    ptrdiff_t strides[4];
    strides[3] = picture ? (ptrdiff_t)v->dims[1] : 1;
    strides[2] = strides[3] * (ptrdiff_t)v->dims[3];
    strides[1] = picture ? 1 : strides[2] * (ptrdiff_t)v->dims[2];
    io->classes = (int32_t)v->dims[channel];
    io->scores_height = (int32_t)v->dims[row];
    io->scores_width = (int32_t)v->dims[column];
    io->class_stride = strides[channel];
    io->row_stride = strides[row];
    io->column_stride = strides[column];
    io->scores_type = VRS_TENSOR_F32;
    io->scores_elements = (size_t)(v->dims[1] * v->dims[2] * v->dims[3]);
    io->enlarge = net->enlarge;
    io->enlarge_rule = net->enlarge_rule;
}

void vrs_net_describe_io(const vrs_net *net, vrs_engine_io *io)
{
    io->on_device = true;
    describe_input(net, io);
    describe_scores(net, io);
    io->state_count = net->spec->state_count;
    for (int32_t i = 0; i < io->state_count; i++) {
        const vrs_value *v = &net->graph->values[net->state_in[i]];
        io->states[i].elements = (size_t)(v->dims[1] * v->dims[2] * v->dims[3]);
    }
}

static size_t aligned(size_t bytes)
{
    return (bytes + VRS_NET_ALIGN - 1) / VRS_NET_ALIGN * VRS_NET_ALIGN;
}

static vrs_device_ptr cut(vrs_device_ptr *next, size_t bytes)
{
    vrs_device_ptr at = *next;
    *next += aligned(bytes);
    return at;
}

/* Lays the ports of a request out from `base` on; returns the bytes. */
static size_t lay_ports(const vrs_cuda_engine *engine, vrs_device_ptr base, vrs_net_ports *ports)
{
    const vrs_engine_io *io = &engine->base.io;
    size_t views = (size_t)engine->base.params.max_batch;
    vrs_device_ptr next = base;
    ports->input = cut(&next, views * io->input_bytes);
    ports->scores = cut(&next, views * io->scores_elements * sizeof(float));
    for (int32_t i = 0; i < io->state_count; i++) {
        ports->state_in[i] = cut(&next, views * io->states[i].elements * sizeof(float));
        ports->state_out[i] = cut(&next, views * io->states[i].elements * sizeof(float));
    }
    return (size_t)(next - base);
}

vrs_status vrs_cuda_make_requests(vrs_cuda_engine *engine)
{
    size_t count = (size_t)engine->base.params.requests;
    engine->requests = vrs_alloc_array(count, sizeof *engine->requests);
    engine->ports = vrs_alloc_array(count, sizeof *engine->ports);
    if (!engine->requests || !engine->ports)
        return VRS_NO_MEMORY;
    vrs_status status = VRS_OK;
    for (size_t i = 0; i < count && status == VRS_OK; i++) {
        vrs_cuda_request *request = &engine->requests[i];
        request->base.engine = &engine->base;
        request->index = (int32_t)i;
        size_t bytes = lay_ports(engine, 0, &engine->ports[i]);
        status = vrs_memory_alloc(engine->net.memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TENSORS,
                                  bytes, &request->block);
        if (status == VRS_OK) {
            (void)lay_ports(engine, request->block->address, &engine->ports[i]);
            /* Views behind a batch are computed too: of something that is a number. */
            status = vrs_device_fill(engine->net.stream, request->block->address, 0, bytes);
        }
    }
    return status == VRS_OK ? vrs_net_settle(&engine->net) : status;
}

/* The ports of a request from view `position` on. */
static vrs_net_ports ports_from(void *opaque, int32_t request, int32_t position)
{
    const vrs_cuda_engine *engine = opaque;
    const vrs_engine_io *io = &engine->base.io;
    vrs_net_ports ports = engine->ports[request];
    size_t views = (size_t)position;
    ports.input += views * io->input_bytes;
    ports.scores += views * io->scores_elements * sizeof(float);
    for (int32_t i = 0; i < io->state_count; i++) {
        ports.state_in[i] += views * io->states[i].elements * sizeof(float);
        ports.state_out[i] += views * io->states[i].elements * sizeof(float);
    }
    return ports;
}

vrs_net_owner vrs_cuda_owner(vrs_cuda_engine *engine)
{
    return (vrs_net_owner){ports_from, engine, engine->base.params.requests};
}

bool vrs_cuda_ports_aligned(const vrs_cuda_engine *engine)
{
    const vrs_engine_io *io = &engine->base.io;
    bool all = io->input_bytes % VECTOR == 0 && io->scores_elements * sizeof(float) % VECTOR == 0;
    for (int32_t i = 0; i < io->state_count; i++)
        all = all && io->states[i].elements * sizeof(float) % VECTOR == 0;
    return all;
}
