/* Where the values of a graph lie in one block of memory, so that those which are never alive at
 * the same time share it. */
#ifndef VRS_GRAPH_ARENA_H
#define VRS_GRAPH_ARENA_H

#include "graph/graph.h"

#define VRS_ARENA_ALIGNMENT 256
#define VRS_NO_PLACE SIZE_MAX

/* What an engine wants for a value. vrs_graph_arena_wish() fills in what dense row-major data
 * needs; an engine with other types or layouts changes `bytes`, and `inside` where it cannot share.
 */
typedef struct vrs_arena_request {
    size_t bytes;   /* 0: it has no place (a constant, or memory of the engine's own) */
    int32_t inside; /* it lies inside this value's memory; VRS_NO_VALUE: it has its own */
    size_t offset;  /* in bytes, there */
} vrs_arena_request;

typedef struct vrs_graph_arena {
    size_t bytes;      /* of the whole block */
    size_t live_bytes; /* the most that is alive at once: no plan can be smaller */
    int32_t value_count, node_count;
    size_t *offsets;       /* of each value; VRS_NO_PLACE: none */
    size_t *workspace;     /* offset of each node's workspace; VRS_NO_PLACE: none */
    int32_t *first, *last; /* nodes between which a value is alive, with what lies inside it;
                            * -1: before the first node; node_count: after the last */
} vrs_graph_arena;

/* Fills `requests` (value_count of them): every input, output and result with its bytes; results of
 * RESHAPE inside their input; inputs of CONCAT inside its output where they are dense there (all
 * axes before the concatenated one are 1) and nothing else holds them. Borrows both. */
void vrs_graph_arena_wish(const vrs_graph *graph, vrs_arena_request *requests);

/* Plans for the batch of the last inference. `workspace`: bytes that each node wants beside its
 * values, node_count of them; NULL: none. Inputs are alive from before the first node, outputs
 * until after the last; every offset but one `inside` is a multiple of VRS_ARENA_ALIGNMENT. Returns
 * owned. VRS_NO_MEMORY; VRS_INVALID: a request lies inside a value that has no place, that is too
 * small, or in a ring. */
vrs_status vrs_graph_arena_plan(const vrs_graph *graph, const vrs_arena_request *requests,
                                const size_t *workspace, vrs_graph_arena **arena) VRS_MUST_USE;
void vrs_graph_arena_destroy(vrs_graph_arena *arena);

#endif
