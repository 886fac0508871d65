/* What the files of this folder share: how a graph is put together, and what inference keeps. */
#ifndef VRS_GRAPH_OWN_H
#define VRS_GRAPH_OWN_H

#include "graph/graph.h"

/* Most bytes of a value, and of all that is computed while loading. */
#define VRS_GRAPH_MAX_BYTES ((int64_t)1 << 36)
#define VRS_GRAPH_MAX_FOLDED ((int64_t)1 << 28)
#define VRS_GRAPH_MAX_INPUTS 128 /* of a node, and outputs */
#define VRS_GRAPH_MAX_SIDE 65536 /* of kernels, strides, dilations and pads */

typedef enum vrs_auto_pad {
    VRS_AUTO_PAD_NONE,
    VRS_AUTO_PAD_UPPER,
    VRS_AUTO_PAD_LOWER
} vrs_auto_pad;

/* How dims that no attribute says come about. */
typedef enum vrs_rule_kind {
    VRS_RULE_PLAIN,
    VRS_RULE_TARGET,    /* RESHAPE to params[0]; EXPAND to it by broadcasting */
    VRS_RULE_FLATTEN,   /* RESHAPE to two axes, cut before `axis` */
    VRS_RULE_SQUEEZE,   /* RESHAPE without the axes of the bits `axes`; 0: without those of 1 */
    VRS_RULE_UNSQUEEZE, /* RESHAPE with axes of 1 where `axes` says, in the output */
    VRS_RULE_FILL,      /* EXPAND of a scalar to exactly params[0] */
    VRS_RULE_SCALES,    /* RESIZE by params[0] */
    VRS_RULE_SIZES      /* RESIZE to params[0] */
} vrs_rule_kind;

typedef struct vrs_node_rule {
    int32_t order; /* place of the node in the order of the file, also across vrs_graph_own's */
    vrs_rule_kind kind;
    /* Values whose data inference needs: RESHAPE and EXPAND the dims, SLICE starts, ends, axes and
     * steps, PAD the pads and axes, SPLIT the sizes, RESIZE scales or sizes, axes, and roi. */
    int32_t params[4];
    vrs_auto_pad auto_pad;
    bool flag;                    /* RESHAPE: 0 is an axis of 0, not a copied one */
    bool not_larger, not_smaller; /* RESIZE: keep the aspect ratio */
    int32_t axis;
    int32_t end; /* SHAPE: axes from `axis` up to this */
    uint32_t axes;
} vrs_node_rule;

struct vrs_graph_own {
    /* Nodes that compute with shapes: inference runs them, engines do not see them. */
    vrs_node *shape_nodes;
    int32_t shape_node_count;
    int64_t folded_bytes;
    bool rebatched; /* the file says batch 1 and the options ask for any */
    int32_t value_room, node_room;
};

/* A copy of a name of the file with "?" for control characters, as it may be printed. Returns
 * owned, NULL without memory. */
char *vrs_copy_name(const char *name) VRS_MUST_USE;

/* Adds a value of unknown type; its index goes to `index`. Copies the name. VRS_NO_MEMORY. */
vrs_status vrs_graph_add_value(vrs_graph *graph, const char *name, int32_t *index) VRS_MUST_USE;

/* Sets type and dims. VRS_FORMAT: a negative dim, or a product that overflows; VRS_UNSUPPORTED:
 * more axes or bytes than the limits. The detail does not say where. */
vrs_status vrs_value_shape(vrs_value *value, vrs_dtype dtype, int32_t rank,
                           const int64_t *dims) VRS_MUST_USE;

/* Adds a constant; takes nothing, copies `data`. */
vrs_status vrs_graph_add_constant(vrs_graph *graph, const char *name, vrs_dtype dtype, int32_t rank,
                                  const int64_t *dims, const void *data,
                                  int32_t *index) VRS_MUST_USE;

/* Fills in a zeroed node: copies its name (which becomes its first source) and indices.
 * VRS_NO_MEMORY leaves it good for vrs_node_clear(). */
vrs_status vrs_node_make(vrs_node *node, vrs_op op, const char *name, const int32_t *inputs,
                         int32_t input_count, const int32_t *outputs,
                         int32_t output_count) VRS_MUST_USE;
void vrs_node_clear(vrs_node *node);

/* Makes room for one more node at the end of graph->nodes. */
vrs_status vrs_graph_room(vrs_graph *graph) VRS_MUST_USE;

/* Adds the sources of `from` to those of `to`; before them where it comes first. */
vrs_status vrs_node_add_sources(vrs_node *to, const vrs_node *from, bool before) VRS_MUST_USE;

/* A failure at a node: "FILE: node "NAME" (OP): ..." around the text. */
vrs_status vrs_fail_node(const vrs_graph *graph, const vrs_node *node, vrs_status status,
                         const char *format, ...) VRS_PRINTF(4, 5);
/* The same around the detail that is set. */
vrs_status vrs_fail_at_node(const vrs_graph *graph, const vrs_node *node, vrs_status status);

/* Sets type and dims of the node's results, and its attributes that follow from shapes. */
vrs_status vrs_node_infer(vrs_graph *graph, vrs_node *node) VRS_MUST_USE;

/* Computes the node's results now, if all that it reads is known, and says so in `done`. */
vrs_status vrs_node_fold(vrs_graph *graph, const vrs_node *node, bool *done) VRS_MUST_USE;

/* Runs a node on data by its inputs and outputs. */
vrs_status vrs_node_compute(const vrs_graph *graph, const vrs_node *node, const void *const *inputs,
                            void *const *outputs) VRS_MUST_USE;

/* Splits what was loaded for batch 1 into constants, nodes for engines and nodes for inference. */
vrs_status vrs_graph_settle(vrs_graph *graph) VRS_MUST_USE;

/* Sets `producer` of all values from the nodes. */
void vrs_graph_link(vrs_graph *graph);

/* Removes nodes whose results nothing needs, then values. VRS_NO_MEMORY. */
vrs_status vrs_graph_prune(vrs_graph *graph) VRS_MUST_USE;

/* Everything that reads `from` reads `to` instead: nodes, slopes, outputs, inference. */
void vrs_graph_replace(vrs_graph *graph, int32_t from, int32_t to);

/* The same for inference alone, where the two have the same dims. */
void vrs_graph_replace_shapes(vrs_graph *graph, int32_t from, int32_t to);

/* dims as "1x3x512x512"; "scalar" for none. */
void vrs_dims_text(const vrs_value *value, char *text, size_t size);

#endif
