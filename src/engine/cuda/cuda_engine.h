/* The engine of our own as its back end has it: a network with requests. Private to cuda/. */
#ifndef VRS_ENGINE_CUDA_CUDA_ENGINE_H
#define VRS_ENGINE_CUDA_CUDA_ENGINE_H

#include <stdatomic.h>

#include "base/thread.h"
#include "engine/backend.h"
#include "engine/cuda/network.h"

typedef struct vrs_cuda_request {
    vrs_request base;
    int32_t index;
    vrs_memory_block *block;
} vrs_cuda_request;

typedef struct vrs_cuda_engine {
    vrs_engine base;
    vrs_net net;
    vrs_cuda_request *requests;
    vrs_net_ports *ports; /* of each request */
    vrs_mutex mutex;      /* of `busy`, `largest` and the programs' graphs */
    bool has_mutex;
    vrs_device_event *busy; /* the last run that was queued */
    int32_t largest;        /* the program of the largest batch that runs at once */
    atomic_bool limiting;   /* a call of vrs_engine_limit_batch() is under way */
} vrs_cuda_engine;

/* ports.c: what one view is; needs the graph's inference for any batch. */
void vrs_net_describe_io(const vrs_net *net, vrs_engine_io *io);
/* Memory for what goes in and comes out of each request. VRS_NO_MEMORY, VRS_DEVICE. */
vrs_status vrs_cuda_make_requests(vrs_cuda_engine *engine) VRS_MUST_USE;
/* Whether the ports of any view may begin a batch: kernels read whole vectors. */
bool vrs_cuda_ports_aligned(const vrs_cuda_engine *engine);

/* Whose ports the network's graphs use. */
vrs_net_owner vrs_cuda_owner(vrs_cuda_engine *engine);

/* compile.c: plans and graphs of all batch sizes. */
vrs_status vrs_cuda_compile(vrs_cuda_engine *engine) VRS_MUST_USE;

/* counted.c: vrs_engine_count_nodes() of this engine. */
vrs_status vrs_cuda_count_nodes(vrs_engine *engine, vrs_engine_counted_fn visit,
                                void *opaque) VRS_MUST_USE;

/* limit.c: vrs_engine_limit_batch() of this engine. */
vrs_status vrs_cuda_limit_batch(vrs_engine *engine, int32_t views, int32_t *limit) VRS_MUST_USE;

#endif
