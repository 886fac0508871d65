/* The part of CUPTI that vrseg uses, declared here so that building needs no header of NVIDIA's.
 * Names, numbers and layouts are those of CUPTI 13; the members that are read lie where they did in
 * CUPTI 11 and 12. */
#ifndef VRS_DEVICE_CUPTI_API_H
#define VRS_DEVICE_CUPTI_API_H

#include <stddef.h>
#include <stdint.h>

/* Name that dlopen() is given; VRSEG_CUPTI_LIBRARY in the environment replaces it. */
#define VRS_CUPTI_LIBRARY "libcupti.so.13"

/* CUptiResult: zero is success. */
typedef int vrs_cupti_result;
enum { VRS_CUPTI_SUCCESS = 0, VRS_CUPTI_MAX_LIMIT_REACHED = 12 };

typedef struct CUpti_Subscriber_st *vrs_cupti_subscriber;
typedef struct CUgraphNode_st *vrs_cupti_node;

/* CUpti_CallbackDomain, CUpti_CallbackIdResource, CUpti_ActivityKind, CUpti_ActivityFlag. */
enum { VRS_CUPTI_DOMAIN_RESOURCE = 3 };
enum { VRS_CUPTI_NODE_CREATED = 13, VRS_CUPTI_NODE_CLONED = 20 };
enum { VRS_CUPTI_KIND_CONCURRENT_KERNEL = 10 };
enum { VRS_CUPTI_FLUSH_DONE = 0, VRS_CUPTI_FLUSH_FORCED = 1 }; /* 0: buffers whose kernels ended */

typedef struct vrs_cupti_graph { /* CUpti_GraphData */
    void *graph, *original_graph;
    vrs_cupti_node node, original_node;
    int type;
    vrs_cupti_node dependency;
    void *exec;
} vrs_cupti_graph;

typedef struct vrs_cupti_resource {      /* CUpti_ResourceData */
    void *context, *handle, *descriptor; /* the last: a vrs_cupti_graph */
} vrs_cupti_resource;

_Static_assert(sizeof(vrs_cupti_graph) == 56 && sizeof(vrs_cupti_resource) == 24, "of CUPTI 13");

/* What of a kernel's record is read; records are longer, and packed. CUpti_ActivityKernel5 to
 * CUpti_ActivityKernel10. */
typedef struct vrs_cupti_kernel {
    uint32_t kind;
    uint8_t between_kind_and_start[12];
    uint64_t start, end; /* ns of cuptiGetTimestamp(); both 0: not known */
    uint8_t between_end_and_device[8];
    uint32_t device, context, stream;
    uint8_t between_stream_and_name[52];
    const char *name; /* mangled */
    uint8_t between_name_and_node[32];
    uint64_t graph_node; /* 0: it was not launched by a graph */
} __attribute__((packed)) vrs_cupti_kernel;

_Static_assert(offsetof(vrs_cupti_kernel, start) == 16 && offsetof(vrs_cupti_kernel, end) == 24 &&
                   offsetof(vrs_cupti_kernel, device) == 40 &&
                   offsetof(vrs_cupti_kernel, stream) == 48 &&
                   offsetof(vrs_cupti_kernel, name) == 104 &&
                   offsetof(vrs_cupti_kernel, graph_node) == 144,
               "CUpti_ActivityKernel10");

typedef void (*vrs_cupti_callback)(void *opaque, int domain, uint32_t id, const void *data);
typedef void (*vrs_cupti_request)(uint8_t **buffer, size_t *size, size_t *most_records);
typedef void (*vrs_cupti_complete)(void *context, uint32_t stream, uint8_t *buffer, size_t size,
                                   size_t used);

/* X(member, symbol, arguments): all return vrs_cupti_result. */
#define VRS_CUPTI_FUNCTIONS(X)                                                                     \
    X(subscribe, cuptiSubscribe, (vrs_cupti_subscriber *, vrs_cupti_callback, void *opaque))       \
    X(unsubscribe, cuptiUnsubscribe, (vrs_cupti_subscriber))                                       \
    X(enable_callback, cuptiEnableCallback,                                                        \
      (uint32_t enable, vrs_cupti_subscriber, int domain, uint32_t id))                            \
    X(activity_enable, cuptiActivityEnable, (int kind))                                            \
    X(activity_disable, cuptiActivityDisable, (int kind))                                          \
    X(activity_callbacks, cuptiActivityRegisterCallbacks, (vrs_cupti_request, vrs_cupti_complete)) \
    X(next_record, cuptiActivityGetNextRecord, (uint8_t * buffer, size_t used, void **record))     \
    X(flush, cuptiActivityFlushAll, (uint32_t flag))                                               \
    X(timestamp, cuptiGetTimestamp, (uint64_t * ns))                                               \
    X(graph_node_id, cuptiGetGraphNodeId, (vrs_cupti_node, uint64_t * id))                         \
    X(result_text, cuptiGetResultString, (vrs_cupti_result, const char **text))

#endif
