/* The interpreter: plain C, in FP32 and the integers that a graph has. It defines what every engine
 * must compute. */
#ifndef VRS_GRAPH_INTERPRETER_H
#define VRS_GRAPH_INTERPRETER_H

#include "graph/graph.h"

typedef struct vrs_interpreter vrs_interpreter;

/* Borrows the graph, which must outlive it and is used by it alone while it runs. Returns owned. */
vrs_status vrs_interpreter_create(vrs_graph *graph, vrs_interpreter **interpreter) VRS_MUST_USE;
void vrs_interpreter_destroy(vrs_interpreter *interpreter);

/* Runs the graph: infers the shapes for `batch` where they are others, then every node. `inputs`
 * has the data of each of the graph's inputs, dense. Borrows it. VRS_NO_MEMORY and
 * vrs_graph_infer()'s; VRS_INVALID: the data asks for what cannot be, e.g. an index out of range.
 */
vrs_status vrs_interpreter_run(vrs_interpreter *interpreter, int32_t batch,
                               const void *const *inputs) VRS_MUST_USE;

/* The same node by node, for who wants to look between them: the shapes and the inputs, which stay
 * the caller's until the last node, then each node in turn. */
vrs_status vrs_interpreter_begin(vrs_interpreter *interpreter, int32_t batch,
                                 const void *const *inputs) VRS_MUST_USE;
vrs_status vrs_interpreter_node(vrs_interpreter *interpreter, int32_t node) VRS_MUST_USE;

/* Data of any value whose node has run since the last beginning, of an input as long as the caller
 * keeps it; NULL before, and after a failure. Valid until the next run. */
const void *vrs_interpreter_data(const vrs_interpreter *interpreter, int32_t value);

/* Element i of such data, whatever its type, as a double: I64 beyond 2^53 is rounded. */
double vrs_element_at(vrs_dtype dtype, const void *data, size_t i);

/* Runs one node on data of the caller, with the shapes of the last inference: `data` has a pointer
 * for each value of the graph (those that the node does not use may be NULL; constants are taken
 * from the graph where theirs is NULL). Outputs must not overlap inputs. VRS_NO_MEMORY (scratch of
 * convolutions), VRS_INVALID as above. */
vrs_status vrs_node_run(const vrs_graph *graph, int32_t node, void *const *data) VRS_MUST_USE;

#endif
