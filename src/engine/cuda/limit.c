/* Less memory for smaller batches: the graphs of larger sizes go, and the arena's tail that only
 * they use; plans and weights stay, so that they come back without compiling. */
#include "base/alloc.h"
#include "engine/cuda/cuda_engine.h"

/* The program of the largest size up to `views`, or of the smallest. */
static int32_t program_within(const vrs_net *net, int32_t views)
{
    int32_t best = 0;
    for (int32_t i = 1; i < net->program_count; i++) {
        int32_t size = net->programs[i].batch, least = net->programs[best].batch;
        bool better = least > views ? size < least : size <= views && size > least;
        best = better ? i : best;
    }
    return best;
}

/* What a change has made, to be put in place at once, and then what it has replaced. */
typedef struct change {
    vrs_cu_graph_exec *execs[VRS_NET_SIZES];
    int32_t parts[VRS_NET_SIZES]; /* -1: stays as it is */
} change;

static void begin_change(change *c)
{
    *c = (change){0};
    for (int32_t i = 0; i < VRS_NET_SIZES; i++)
        c->parts[i] = -1;
}

static void drop(vrs_cuda_engine *engine, change *c)
{
    for (int32_t i = 0; i < engine->net.program_count; i++) {
        if (c->parts[i] > 0) {
            vrs_net_destroy_execs(&engine->net, c->execs[i],
                                  c->parts[i] * engine->base.params.requests);
        }
    }
}

/* Graphs of a program in the change, unless it has as many parts as are wanted. */
static vrs_status add(vrs_cuda_engine *engine, change *c, int32_t index, int32_t parts)
{
    const vrs_net_owner owner = vrs_cuda_owner(engine);
    vrs_net_program *program = &engine->net.programs[index];
    if (program->parts >= parts)
        return VRS_OK;
    vrs_status status = vrs_net_capture(&engine->net, program, &owner, parts, &c->execs[index]);
    c->parts[index] = status == VRS_OK ? parts : -1;
    return status;
}

/* From now on runs are of the new graphs; the change has the old ones afterwards. */
static void put_in_place(vrs_cuda_engine *engine, change *c, int32_t largest)
{
    vrs_mutex_lock(&engine->mutex);
    engine->largest = largest;
    for (int32_t i = 0; i < engine->net.program_count; i++) {
        vrs_net_program *program = &engine->net.programs[i];
        if (c->parts[i] < 0)
            continue;
        vrs_cu_graph_exec *execs = program->execs;
        int32_t parts = program->parts;
        program->execs = c->execs[i];
        program->parts = c->parts[i];
        c->execs[i] = execs;
        c->parts[i] = parts;
    }
    vrs_mutex_unlock(&engine->mutex);
}

static vrs_status shrink(vrs_cuda_engine *engine, int32_t largest)
{
    vrs_net *net = &engine->net;
    const vrs_net_program *kept = &net->programs[largest];
    change c;
    begin_change(&c);
    vrs_status status = add(engine, &c, largest, vrs_net_parts(net, kept));
    if (status != VRS_OK)
        return status;
    for (int32_t i = 0; i < net->program_count; i++) {
        bool larger = net->programs[i].batch > kept->batch && net->programs[i].parts > 0;
        c.parts[i] = larger ? 0 : c.parts[i];
    }
    int32_t before = engine->largest;
    put_in_place(engine, &c, largest);
    /* Behind what is queued: of the old graphs there is no more after that. */
    status = vrs_net_await(net, engine->busy, "the batches that are queued");
    if (status != VRS_OK) {
        put_in_place(engine, &c, before);
        drop(engine, &c);
        return status;
    }
    drop(engine, &c);
    return vrs_arena_resize(net->arena, vrs_net_arena_bytes(kept));
}

/* Whether there is room for a program's activations, and as much again. */
static bool has_room(const vrs_net *net, const vrs_net_program *program)
{
    uint64_t wanted = vrs_net_arena_bytes(program), there = vrs_arena_bytes(net->arena);
    return wanted <= there ||
           vrs_memory_available(net->memory, VRS_MEMORY_PLACE_DEVICE) / 2 >= wanted - there;
}

/* Memory behind the arena's tail, of numbers: what nobody has written is read where channels are
 * padded. */
static vrs_status grow_arena(vrs_net *net, const vrs_net_program *program)
{
    uint64_t wanted = vrs_net_arena_bytes(program), there = vrs_arena_bytes(net->arena);
    if (wanted <= there)
        return VRS_OK;
    vrs_status status = vrs_arena_resize(net->arena, wanted);
    if (status == VRS_OK) {
        status = vrs_device_fill(net->stream, vrs_arena_address(net->arena) + there, VRS_NET_SMALL,
                                 vrs_arena_bytes(net->arena) - there);
    }
    return status == VRS_OK ? vrs_net_settle(net) : status;
}

static vrs_status grow(vrs_cuda_engine *engine, int32_t largest)
{
    vrs_net *net = &engine->net;
    const vrs_net_program *before = &net->programs[engine->largest];
    const vrs_net_program *wanted = &net->programs[largest];
    uint64_t there = vrs_arena_bytes(net->arena);
    change c;
    begin_change(&c);
    vrs_status status = grow_arena(net, wanted);
    for (int32_t i = 0; i < net->program_count && status == VRS_OK; i++) {
        int32_t size = net->programs[i].batch;
        if (size > before->batch && size <= wanted->batch)
            status = add(engine, &c, i, i == largest ? vrs_net_parts(net, wanted) : 1);
    }
    if (status != VRS_OK) {
        drop(engine, &c);
        vrs_status back = vrs_arena_resize(net->arena, there);
        (void)back; /* giving back does not fail */
        return status;
    }
    put_in_place(engine, &c, largest); /* there were none before */
    return VRS_OK;
}

static vrs_status change_to(vrs_cuda_engine *engine, int32_t views)
{
    const vrs_net *net = &engine->net;
    int32_t target = program_within(net, views);
    int32_t now = net->programs[engine->largest].batch;
    if (net->programs[target].batch < now)
        return vrs_cuda_ports_aligned(engine) ? shrink(engine, target) : VRS_OK;
    while (net->programs[target].batch > now && !has_room(net, &net->programs[target]))
        target = program_within(net, net->programs[target].batch - 1);
    return net->programs[target].batch > now ? grow(engine, target) : VRS_OK;
}

vrs_status vrs_cuda_limit_batch(vrs_engine *base, int32_t views, int32_t *limit)
{
    vrs_cuda_engine *engine = (vrs_cuda_engine *)base;
    vrs_status status = VRS_OK;
    /* Growing may be short of memory itself, and then the one who is asked for some comes here. */
    if (!atomic_exchange(&engine->limiting, true)) {
        status = change_to(engine, views);
        atomic_store(&engine->limiting, false);
    }
    vrs_mutex_lock(&engine->mutex);
    *limit = engine->net.programs[engine->largest].batch;
    vrs_mutex_unlock(&engine->mutex);
    return status;
}
