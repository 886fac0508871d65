/* Inference of shapes: what its parts share. */
#ifndef VRS_GRAPH_INFER_H
#define VRS_GRAPH_INFER_H

#include "graph/own.h"

/* Value of an input that the node has, and of an output. */
static inline const vrs_value *infer_in(const vrs_graph *graph, const vrs_node *node, int32_t i)
{
    return &graph->values[node->inputs[i]];
}

/* Sets an output; a failure names the node. */
vrs_status infer_set(vrs_graph *graph, const vrs_node *node, int32_t output, vrs_dtype dtype,
                     int32_t rank, const int64_t *dims) VRS_MUST_USE;

/* Reads the integers of a parameter, at most `room`; 0 of them where it is left out.
 * VRS_UNSUPPORTED: they depend on the picture; VRS_FORMAT: no list of integers, or too many. */
vrs_status infer_list(const vrs_graph *graph, const vrs_node *node, int32_t param, int32_t room,
                      int64_t *list, int32_t *count) VRS_MUST_USE;

/* The axes of a parameter, each 0..rank-1 and there once; all of them in order where it is left
 * out. Their number goes to `count`. */
vrs_status infer_axes(const vrs_graph *graph, const vrs_node *node, int32_t param, int32_t rank,
                      int32_t *axes, int32_t *count) VRS_MUST_USE;

/* Dims to which both can be broadcast; `dims` of VRS_GRAPH_MAX_RANK. VRS_FORMAT: there are none. */
vrs_status infer_broadcast(const vrs_graph *graph, const vrs_node *node, const vrs_value *a,
                           const vrs_value *b, int32_t *rank, int64_t *dims) VRS_MUST_USE;

typedef vrs_status (*infer_fn)(vrs_graph *graph, vrs_node *node);
vrs_status infer_conv(vrs_graph *graph, vrs_node *node);
vrs_status infer_conv_transposed(vrs_graph *graph, vrs_node *node);
vrs_status infer_pool(vrs_graph *graph, vrs_node *node);
vrs_status infer_resize(vrs_graph *graph, vrs_node *node);
vrs_status infer_concat(vrs_graph *graph, vrs_node *node);
vrs_status infer_split(vrs_graph *graph, vrs_node *node);
vrs_status infer_slice(vrs_graph *graph, vrs_node *node);
vrs_status infer_pad(vrs_graph *graph, vrs_node *node);
vrs_status infer_reshape(vrs_graph *graph, vrs_node *node);
vrs_status infer_transpose(vrs_graph *graph, vrs_node *node);
vrs_status infer_expand(vrs_graph *graph, vrs_node *node);
vrs_status infer_gather(vrs_graph *graph, vrs_node *node);
vrs_status infer_blocks(vrs_graph *graph, vrs_node *node);
vrs_status infer_shape(vrs_graph *graph, vrs_node *node);

#endif
