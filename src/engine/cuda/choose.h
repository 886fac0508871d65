/* What the files that choose plans share. Private to cuda/. */
#ifndef VRS_ENGINE_CUDA_CHOOSE_H
#define VRS_ENGINE_CUDA_CHOOSE_H

#include "engine/cuda/network.h"

/* Workspace that a plan may have at most. */
#define VRS_NET_WORKSPACE_MAX ((size_t)256 << 20)

/* What is kept of the best so far. */
typedef struct vrs_net_finding {
    vrs_conv conv;
    vrs_conv_plan *plan;
    int32_t candidate;
    vrs_net_kind kind;
    double micros;
} vrs_net_finding;

/* What is being chosen for. */
typedef struct vrs_net_chooser {
    vrs_net *net;
    vrs_net_program *program;
    vrs_net_prepared *prepared;
    int32_t index; /* of the node */
    vrs_net_kind kind;
    bool only;      /* there is one candidate, so its time does not matter */
    int64_t end_ns; /* so long candidates are tried, once there is one */
} vrs_net_chooser;

/* NULL is fine. */
static inline void vrs_conv_plan_free(vrs_conv_plan *plan)
{
    if (plan)
        plan->provider->destroy(plan);
}

/* What of a provider's refusals ends the compiling: also a wait that was given up. */
static inline bool vrs_net_is_serious(vrs_status status)
{
    return status == VRS_DEVICE_LOST || status == VRS_NO_MEMORY || status == VRS_TIMEOUT;
}

static inline bool vrs_net_is_conv(const vrs_node *node)
{
    return node->op == VRS_OP_CONV || node->op == VRS_OP_CONV_TRANSPOSED;
}

/* conv_node.c: the addresses that a plan of a node runs on. */
vrs_status vrs_net_conv_args_of(vrs_net *net, const vrs_net_program *program, int32_t index,
                                const vrs_conv *conv, const vrs_conv_plan *plan,
                                vrs_conv_args *args) VRS_MUST_USE;
/* Queues what the plan's convolution leaves out of the node. */
vrs_status vrs_net_queue_conv_rest(vrs_net *net, const vrs_net_program *program, int32_t index,
                                   const vrs_conv *conv, vrs_device_stream *stream) VRS_MUST_USE;

/* choose.c: at least so much workspace; its address may change. */
vrs_status vrs_net_grow_workspace(vrs_net *net, size_t bytes) VRS_MUST_USE;
/* Makes what was found the node's choice. */
void vrs_net_keep_choice(const vrs_net *net, vrs_net_program *program, int32_t index,
                         const vrs_net_finding *best);
/* Takes the plan of an equal convolution that has one already; false: there is none. */
bool vrs_net_copy_choice(const vrs_net *net, vrs_net_program *program, int32_t index);

/* kept.c: plans that were kept, for all nodes that have one. `all`: nothing is left to choose. */
vrs_status vrs_net_restore_all(vrs_net_chooser *c, bool *all) VRS_MUST_USE;

#endif
