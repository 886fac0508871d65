/* Reading ONNX files: what its parts share. */
#ifndef VRS_GRAPH_ONNX_READER_H
#define VRS_GRAPH_ONNX_READER_H

#include "graph/own.h"
#include "onnx.pb-c.h"

#define VRS_ONNX_MIN_OPSET 7
#define VRS_ONNX_MAX_OPSET 25

/* What a name of the file stands for. */
typedef struct vrs_onnx_name {
    const char *name; /* NULL: a free place in the table */
    int32_t node;     /* index in the file of the node that makes it; -1: none does */
    int32_t value;    /* VRS_NO_VALUE: not yet, or a constant without elements */
    bool empty;       /* that constant */
    bool constant;    /* the file has its data */
    bool needed;      /* an output depends on it */
} vrs_onnx_name;

typedef struct vrs_reader {
    vrs_graph *graph;
    const char *folder; /* of external files; NULL: none */
    const vrs_graph_options *options;
    const Onnx__GraphProto *source;
    vrs_onnx_name *names; /* open addressing; `name_room` is a power of two */
    size_t name_room;
    int32_t *order; /* the nodes that are needed, each after those that it needs */
    int32_t order_count;
} vrs_reader;

/* A text of the file, which may be missing there. */
static inline const char *vrs_onnx_text(const char *text)
{
    return text ? text : "";
}

/* The file's message, checked for nesting before it is unpacked; freed by vrs_onnx_free(). */
vrs_status vrs_onnx_unpack(const void *data, size_t size, const char *name,
                           Onnx__ModelProto **model) VRS_MUST_USE;
void vrs_onnx_free(Onnx__ModelProto *model);

/* Entry of a name: NULL where there is none. */
vrs_onnx_name *vrs_onnx_find(const vrs_reader *reader, const char *name);

/* Fills the table of names and the order of nodes. */
vrs_status vrs_onnx_index(vrs_reader *reader) VRS_MUST_USE;

/* The type that a type of the file becomes, or VRS_DTYPE_COUNT. */
vrs_dtype vrs_onnx_dtype(int64_t type);

/* Adds a constant; a tensor without elements becomes VRS_NO_VALUE. */
vrs_status vrs_onnx_tensor(vrs_reader *reader, const Onnx__TensorProto *tensor, const char *name,
                           int32_t *index) VRS_MUST_USE;

/* Whether the operator is one that vrs_onnx_lower() knows. */
bool vrs_onnx_knows(const Onnx__NodeProto *node);

/* Adds what one node of the file stands for, and what follows from its inputs' shapes. */
vrs_status vrs_onnx_lower(vrs_reader *reader, const Onnx__NodeProto *node) VRS_MUST_USE;

#endif
