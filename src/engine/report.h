/* What a compiled network is made of, for people and benchmarks. */
#ifndef VRS_ENGINE_REPORT_H
#define VRS_ENGINE_REPORT_H

#include "device/counters.h"
#include "engine/engine.h"

/* A node of one compiled batch size that runs. Text borrows until the call returns. */
typedef struct vrs_engine_node {
    int32_t batch;
    const char *name; /* in the file */
    const char *does; /* "conv 3x3 /2 +residual relu: 64x128x128 -> 128x64x64" */
    const char *plan; /* "cudnn engine 4 (2)" */
    int32_t fused;    /* nodes of the file that are in it */
    double micros;    /* when it was timed alone */
    double flops, bytes;
    bool tensor_cores;
    int32_t bits; /* of what it multiplies: 8, 16 or 32; 0: it does not */
} vrs_engine_node;

typedef void (*vrs_engine_node_fn)(void *opaque, const vrs_engine_node *node);

/* Calls `visit` for each node of each batch size. An engine that does not know has none. */
void vrs_engine_visit_nodes(vrs_engine *engine, vrs_engine_node_fn visit, void *opaque);

/* What the GPU's hardware counted of a node that ran once, after the nodes before it. Text borrows
 * until the call returns. */
typedef struct vrs_engine_counted {
    int32_t batch;
    const char *name; /* in the file */
    vrs_counted counted;
} vrs_engine_counted;

typedef void (*vrs_engine_counted_fn)(void *opaque, const vrs_engine_counted *counted);

/* Runs every node of each batch size once on what lies in its memory, and calls `visit` for each.
 * No run may be on its way. VRS_UNSUPPORTED: the engine cannot; the errors of vrs_counters_open();
 * else what running returns. */
vrs_status vrs_engine_count_nodes(vrs_engine *engine, vrs_engine_counted_fn visit,
                                  void *opaque) VRS_MUST_USE;

/* What it took to make an engine's plans, of all batch sizes. */
typedef struct vrs_engine_effort {
    int32_t nodes;             /* that wanted a plan chosen */
    int32_t equal;             /* that took an equal node's */
    int32_t restored;          /* that took a kept one */
    int32_t asked;             /* convolutions that a library was asked about */
    int32_t made, refused;     /* plans of libraries that could be made, and that could not */
    int32_t timed;             /* plans that ran for their time */
    int32_t late;              /* plans that were left out, as their node had its time */
    int32_t beside;            /* batch sizes whose branches run beside each other */
    double making_s, timing_s; /* on the clock */
} vrs_engine_effort;

/* All zero where the engine does not choose. */
void vrs_engine_get_effort(const vrs_engine *engine, vrs_engine_effort *effort);

/* A node's result beside that of the plain C interpreter, both from the same random input. */
typedef struct vrs_engine_check {
    const char *name, *does;
    double off;   /* root mean square of the difference over that of the result */
    double worst; /* largest difference */
    bool good;    /* within what the precision's roundings may add up to */
} vrs_engine_check;

typedef void (*vrs_engine_check_fn)(void *opaque, const vrs_engine_check *check);

/* Runs the compiled size `batch` node by node and calls `visit` for each result in the order of the
 * nodes; the first that is not good is where a fault is. No run may be on its way. VRS_UNSUPPORTED:
 * the engine cannot, or has no such size; else what running returns. */
vrs_status vrs_engine_verify(vrs_engine *engine, int32_t batch, uint64_t seed,
                             vrs_engine_check_fn visit, void *opaque) VRS_MUST_USE;

#endif
