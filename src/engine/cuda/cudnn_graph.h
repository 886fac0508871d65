/* Descriptors of cuDNN's graph API for one convolution with what is fused into it. Private to
 * cuda/. */
#ifndef VRS_ENGINE_CUDA_CUDNN_GRAPH_H
#define VRS_ENGINE_CUDA_CUDNN_GRAPH_H

#include "engine/cuda/conv.h"
#include "engine/cuda/cudnn.h"

#define VRS_DNN_CONFIGS 10     /* kept of what the heuristics offer */
#define VRS_DNN_ASKED 16       /* that the heuristics are asked for at once */
#define VRS_DNN_DESCRIPTORS 80 /* that a graph makes at most */

/* Names of the tensors that are memory. */
enum {
    VRS_DNN_ID_X = 1,
    VRS_DNN_ID_W,
    VRS_DNN_ID_BIAS,
    VRS_DNN_ID_RESIDUAL,
    VRS_DNN_ID_SCALE,
    VRS_DNN_ID_Y,
    VRS_DNN_ID_BETWEEN, /* and those that are not */
};

/* An engine of cuDNN with its settings. */
typedef struct vrs_dnn_config {
    vrs_dnn_descriptor descriptor;
    int64_t engine;
    bool tensor_cores;
} vrs_dnn_config;

typedef struct vrs_dnn_graph {
    vrs_conv conv;
    vrs_dnn_descriptor all[VRS_DNN_DESCRIPTORS];
    int32_t count;
    vrs_dnn_descriptor graph;
    vrs_dnn_config configs[VRS_DNN_CONFIGS]; /* those that round as the convolution wants */
    int32_t config_count;
} vrs_dnn_graph;

/* Whether the graph API can say this convolution. */
bool vrs_dnn_says(const vrs_conv *conv);

/* Describes the convolution and asks the heuristics; `graph` is zeroed. What was made is freed by
 * the free function, also after a failure. Inside vrs_device_enter() and with the handle's mutex.
 * VRS_UNSUPPORTED: cuDNN has nothing for it. */
vrs_status vrs_dnn_graph_build(const vrs_dnn *dnn, const vrs_conv *conv,
                               vrs_dnn_graph *graph) VRS_MUST_USE;
void vrs_dnn_graph_free(const vrs_dnn *dnn, vrs_dnn_graph *graph);

#endif
