/* What the GPU's counters say of each node. */
#include "base/alloc.h"
#include "engine/cuda/cuda_engine.h"

static bool is_compiled(const vrs_net_program *program)
{
    return program->parts > 0;
}

static int32_t count_running(const vrs_net *net)
{
    int32_t count = 0;
    for (int32_t p = 0; p < net->program_count; p++)
        for (int32_t n = 0; n < net->graph->node_count && is_compiled(&net->programs[p]); n++)
            count += vrs_net_runs(net, &net->programs[p], n) ? 1 : 0;
    return count;
}

static vrs_status run_program(vrs_net *net, const vrs_net_program *program, vrs_counters *counters)
{
    vrs_status status = vrs_graph_infer(net->graph, program->batch);
    for (int32_t n = 0; n < net->graph->node_count && status == VRS_OK; n++) {
        if (!vrs_net_runs(net, program, n))
            continue;
        status = vrs_counters_enter(counters);
        if (status == VRS_OK)
            status = vrs_net_queue_node(net, program, n, net->stream);
        if (status == VRS_OK)
            status = vrs_counters_leave(counters);
    }
    return status;
}

/* All, after what was queued before. */
static vrs_status run_all(vrs_cuda_engine *engine, vrs_counters *counters)
{
    vrs_net *net = &engine->net;
    vrs_mutex_lock(&engine->mutex);
    vrs_status status = vrs_device_stream_wait(net->stream, engine->busy);
    for (int32_t p = 0; p < net->program_count && status == VRS_OK; p++)
        if (is_compiled(&net->programs[p]))
            status = run_program(net, &net->programs[p], counters);
    if (status == VRS_OK)
        status = vrs_net_settle(net);
    vrs_mutex_unlock(&engine->mutex);
    return status;
}

static void tell(const vrs_net *net, const vrs_counted *counted, vrs_engine_counted_fn visit,
                 void *opaque)
{
    for (int32_t p = 0; p < net->program_count; p++) {
        for (int32_t n = 0; n < net->graph->node_count && is_compiled(&net->programs[p]); n++) {
            if (!vrs_net_runs(net, &net->programs[p], n))
                continue;
            const vrs_engine_counted c = {net->programs[p].batch, net->graph->nodes[n].name,
                                          *counted++};
            visit(opaque, &c);
        }
    }
}

vrs_status vrs_cuda_count_nodes(vrs_engine *base, vrs_engine_counted_fn visit, void *opaque)
{
    vrs_cuda_engine *engine = (vrs_cuda_engine *)base;
    vrs_counters *counters = NULL;
    int32_t count = count_running(&engine->net);
    vrs_counted *counted = vrs_alloc_array((size_t)count + 1, sizeof *counted);
    if (!counted)
        return VRS_NO_MEMORY;
    vrs_status status = vrs_counters_open(engine->net.device, count, &counters);
    if (status == VRS_OK)
        status = run_all(engine, counters);
    if (status == VRS_OK)
        status = vrs_counters_read(counters, counted);
    vrs_counters_close(counters);
    if (status == VRS_OK)
        tell(&engine->net, counted, visit, opaque);
    vrs_free(counted);
    return status;
}
