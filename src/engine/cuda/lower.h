/* What the files that lower nodes share. Private to cuda/. */
#ifndef VRS_ENGINE_CUDA_LOWER_H
#define VRS_ENGINE_CUDA_LOWER_H

#include "engine/cuda/network.h"

/* Where a node's result lies and how to go through it. */
typedef struct vrs_net_walk {
    int32_t rank;
    int32_t axes[VRS_NET_RANK]; /* of the value, from the outermost in memory */
    int64_t dims[VRS_NET_RANK]; /* of these */
    int64_t fill;
} vrs_net_walk;

/* lower.c */
vrs_net_walk vrs_net_walk_of(const vrs_net *net, int32_t index);
void vrs_net_dense_strides(const int64_t *dims, int32_t rank, int64_t *strides);
/* Makes the address of a constant operand known; others have theirs. */
vrs_status vrs_net_view_operand(vrs_net *net, int32_t index, vrs_net_view *view) VRS_MUST_USE;
/* As few axes as say the same, at least two where that makes vectors. */
void vrs_net_simplify(vrs_net_map_params *p);

/* lower_move.c */
vrs_status vrs_net_queue_transpose(vrs_net *net, const vrs_net_program *program,
                                   const vrs_node *node, vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_slice(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_parts(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_blocks(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_reshape(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                 vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_pad(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                             vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_gather(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream) VRS_MUST_USE;

#endif
