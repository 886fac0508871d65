/* A network as an array of nodes: what every engine of ours compiles, and what the interpreter
 * runs.
 *
 * vrs_graph_load() reads an ONNX file and brings it into one form: 16-bit and 64-bit floats become
 * 32-bit ones (precision is the engine's choice, not the file's), operators that mean the same
 * become one, what depends on constants or shapes alone is computed and gone (but not a DEQUANTIZE
 * of 8-bit weights, for engines that compute in 8 bits). vrs_graph_optimise() then folds and fuses.
 * vrs_graph_infer() sets the shapes for another batch size. Engines walk `nodes` from first to
 * last, which is an order in which everything is computed before it is used.
 *
 * A graph is used by one thread at a time. Data is dense and row-major, pictures are NCHW. */
#ifndef VRS_GRAPH_GRAPH_H
#define VRS_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vrseg/status.h"

#define VRS_GRAPH_MAX_RANK 6
#define VRS_GRAPH_MAX_BATCH 16
#define VRS_GRAPH_MAX_NODES 65536
#define VRS_NO_VALUE (-1)

/* X(name, bytes of an element, text). BOOL is a byte of 0 or 1. */
#define VRS_DTYPE_MAP(X) \
    X(F32, 4, "f32")     \
    X(U8, 1, "u8")       \
    X(I8, 1, "i8")       \
    X(I32, 4, "i32")     \
    X(I64, 8, "i64")     \
    X(BOOL, 1, "bool")

typedef enum vrs_dtype {
#define VRS_DTYPE_ENUM(name, bytes, text) VRS_DTYPE_##name,
    VRS_DTYPE_MAP(VRS_DTYPE_ENUM)
#undef VRS_DTYPE_ENUM
        VRS_DTYPE_COUNT
} vrs_dtype;

/* A tensor: an input, a constant, or what one node makes. */
typedef struct vrs_value {
    char *name; /* in the ONNX file */
    vrs_dtype dtype;
    int32_t rank;                     /* 0: a scalar */
    int64_t dims[VRS_GRAPH_MAX_RANK]; /* for the batch of the last vrs_graph_infer() */
    int32_t batch_axis; /* the axis that grows with the batch, nearly always 0; -1: none does */
    void *data;         /* of a constant, owned, never changed once loaded; else NULL */
    /* A constant that comes from shapes and differs between batch sizes: its data and dims are
     * those of the last vrs_graph_infer(). Rare: such values mostly vanish into attributes. */
    bool follows_batch;
    int32_t producer; /* index of the node that makes it; VRS_NO_VALUE: an input or a constant */
} vrs_value;

/* X(name, text): what a node computes. In brackets its inputs, in this order; a value in
 * parentheses may be VRS_NO_VALUE. "const": a constant in every graph that was loaded. The struct
 * of attributes is the member of `as` that is named after the arrow. */
#define VRS_OP_MAP(X)                                                                              \
    /* [x, weights, (bias), (residual)] -> conv. x is NCHW; weights OIHW with I = C / groups; bias \
     * of O const; y = activation(conv(x) + bias + residual). Weights are const, or the output of  \
     * a DEQUANTIZE of a constant. */                                                              \
    X(CONV, "conv")                                                                                \
    /* The same, transposed; weights are I(O/groups)HW; output_pad as well. */                     \
    X(CONV_TRANSPOSED, "conv transposed")                                                          \
    /* [x, scale, shift] -> none: a batch normalisation that could not be folded: x * scale[c] +   \
     * shift[c] along axis 1; both const of C. */                                                  \
    X(SCALE_SHIFT, "scale shift")                                                                  \
    /* [x, scale, shift] -> norm: over the pixels of each channel of each picture. */              \
    X(INSTANCE_NORM, "instance norm")                                                              \
    /* [x] -> none: the node's activation alone. */                                                \
    X(ACTIVATION, "activation")                                                                    \
    /* [x] -> unary */                                                                             \
    X(UNARY, "unary")                                                                              \
    /* [a, b] -> binary; both are broadcast to the output (trailing axes line up). */              \
    X(BINARY, "binary")                                                                            \
    /* [condition, a, b] -> none; broadcast. */                                                    \
    X(WHERE, "where")                                                                              \
    /* [x] -> pool */                                                                              \
    X(POOL, "pool")                                                                                \
    /* [x] -> reduce. Global pools are reductions over axes 2 and 3 that keep them. */             \
    X(REDUCE, "reduce")                                                                            \
    /* [x] -> argmax, output I64 */                                                                \
    X(ARGMAX, "argmax")                                                                            \
    /* [x] -> softmax */                                                                           \
    X(SOFTMAX, "softmax")                                                                          \
    /* [x] -> resize; x is NCHW */                                                                 \
    X(RESIZE, "resize")                                                                            \
    /* [x...] -> axis */                                                                           \
    X(CONCAT, "concat")                                                                            \
    /* [x] -> axis; the outputs' dims say how much each takes. */                                  \
    X(SPLIT, "split")                                                                              \
    /* [x] -> slice */                                                                             \
    X(SLICE, "slice")                                                                              \
    /* [x] -> pad */                                                                               \
    X(PAD, "pad")                                                                                  \
    /* [x] -> none: the same elements in other dims (reshape, flatten, squeeze, unsqueeze). */     \
    X(RESHAPE, "reshape")                                                                          \
    /* [x] -> transpose */                                                                         \
    X(TRANSPOSE, "transpose")                                                                      \
    /* [x] -> none: broadcast to the output's dims. */                                             \
    X(EXPAND, "expand")                                                                            \
    /* [x, indices] -> axis; indices are I64 or I32. */                                            \
    X(GATHER, "gather")                                                                            \
    /* [x] -> block; x is NCHW */                                                                  \
    X(DEPTH_TO_SPACE, "depth to space")                                                            \
    X(SPACE_TO_DEPTH, "space to depth")                                                            \
    /* [a, b] -> none: over the last two axes, the others are broadcast. */                        \
    X(MATMUL, "matmul")                                                                            \
    /* [a, b, (c)] -> gemm: alpha * a' * b' + beta * c, all of rank 2, c broadcast. */             \
    X(GEMM, "gemm")                                                                                \
    /* [x] -> none: to the output's dtype. */                                                      \
    X(CAST, "cast")                                                                                \
    /* [x, scale, zero] -> quantize: round half to even of x / scale, + zero, saturated. scale and \
     * zero are const, of one element or of x's dims[axis]; zero has the dtype of the output. */   \
    X(QUANTIZE, "quantize")                                                                        \
    /* [x, scale, zero] -> quantize: (x - zero) * scale. */                                        \
    X(DEQUANTIZE, "dequantize")                                                                    \
    /* [x] -> none: the dims as I64. Inference alone has it: in no graph that was loaded. */       \
    X(SHAPE, "shape")

typedef enum vrs_op {
#define VRS_OP_ENUM(name, text) VRS_OP_##name,
    VRS_OP_MAP(VRS_OP_ENUM)
#undef VRS_OP_ENUM
        VRS_OP_COUNT
} vrs_op;

/* X(name, text) with the formula; alpha, beta, min, max are vrs_act's. */
#define VRS_ACT_MAP(X)                                                           \
    X(NONE, "none")                                                              \
    X(RELU, "relu")                 /* max(x, 0) */                              \
    X(CLIP, "clip")                 /* min(max(x, min), max); ReLU6 is 0 to 6 */ \
    X(LEAKY_RELU, "leaky relu")     /* x < 0 ? alpha * x : x */                  \
    X(PRELU, "prelu")               /* x < 0 ? slope * x : x */                  \
    X(ELU, "elu")                   /* x < 0 ? alpha * (exp(x) - 1) : x */       \
    X(HARD_SIGMOID, "hard sigmoid") /* min(max(alpha * x + beta, 0), 1) */       \
    X(HARD_SWISH, "hard swish")     /* x * min(max(x / 6 + 1/2, 0), 1) */        \
    X(SIGMOID, "sigmoid")           /* 1 / (1 + exp(-x)) */                      \
    X(SILU, "silu")                 /* x * sigmoid(x) */                         \
    X(TANH, "tanh")                                                              \
    X(SOFTPLUS, "softplus") /* log(1 + exp(x)) */                                \
    X(GELU, "gelu")         /* x / 2 * (1 + erf(x / sqrt(2))) */

typedef enum vrs_act_kind {
#define VRS_ACT_ENUM(name, text) VRS_ACT_##name,
    VRS_ACT_MAP(VRS_ACT_ENUM)
#undef VRS_ACT_ENUM
        VRS_ACT_COUNT
} vrs_act_kind;

/* What is applied to a node's result. All nodes have one; other than NONE it is only in CONV,
 * CONV_TRANSPOSED, SCALE_SHIFT, BINARY, MATMUL, GEMM and ACTIVATION. */
typedef struct vrs_act {
    vrs_act_kind kind;
    float alpha, beta;
    float min, max; /* of CLIP; -INFINITY and INFINITY where it is open */
    int32_t slope; /* of PRELU: a constant, of one element, or of C for axis 1; else VRS_NO_VALUE */
} vrs_act;

/* X(name, text) */
#define VRS_UNARY_MAP(X)                 \
    X(EXP, "exp")                        \
    X(LOG, "log")                        \
    X(SQRT, "sqrt")                      \
    X(RECIPROCAL, "reciprocal")          \
    X(ABS, "abs")                        \
    X(NEG, "neg")                        \
    X(FLOOR, "floor")                    \
    X(CEIL, "ceil")                      \
    X(ROUND, "round") /* half to even */ \
    X(ERF, "erf")                        \
    X(SIGN, "sign")                      \
    X(SIN, "sin")                        \
    X(COS, "cos")                        \
    X(NOT, "not") /* of BOOL */

typedef enum vrs_unary {
#define VRS_UNARY_ENUM(name, text) VRS_UNARY_##name,
    VRS_UNARY_MAP(VRS_UNARY_ENUM)
#undef VRS_UNARY_ENUM
        VRS_UNARY_COUNT
} vrs_unary;

/* X(name, text); those from EQUAL on make BOOL. */
#define VRS_BINARY_MAP(X)                                            \
    X(ADD, "add")                                                    \
    X(SUB, "sub")                                                    \
    X(MUL, "mul")                                                    \
    X(DIV, "div") /* integers: to zero */                            \
    X(POW, "pow")                                                    \
    X(MIN, "min")                                                    \
    X(MAX, "max")                                                    \
    X(MOD, "mod") /* the divisor's sign; the dividend's with fmod */ \
    X(EQUAL, "equal")                                                \
    X(LESS, "less")                                                  \
    X(LESS_EQUAL, "less or equal")                                   \
    X(GREATER, "greater")                                            \
    X(GREATER_EQUAL, "greater or equal")                             \
    X(AND, "and")                                                    \
    X(OR, "or")                                                      \
    X(XOR, "xor")

typedef enum vrs_binary {
#define VRS_BINARY_ENUM(name, text) VRS_BINARY_##name,
    VRS_BINARY_MAP(VRS_BINARY_ENUM)
#undef VRS_BINARY_ENUM
        VRS_BINARY_COUNT
} vrs_binary;

typedef enum vrs_pool_kind { VRS_POOL_MAX, VRS_POOL_AVERAGE } vrs_pool_kind;

typedef enum vrs_reduce_kind {
    VRS_REDUCE_MEAN,
    VRS_REDUCE_SUM,
    VRS_REDUCE_MAX,
    VRS_REDUCE_MIN,
    VRS_REDUCE_PROD,
    VRS_REDUCE_L2
} vrs_reduce_kind;

typedef enum vrs_resize_mode { VRS_RESIZE_NEAREST, VRS_RESIZE_LINEAR } vrs_resize_mode;

/* Where output place i reads: x in the input, of sizes `in` and `out`, scale s. The names are those
 * of ONNX's operator Resize, which defines them. */
typedef enum vrs_resize_coordinate {
    VRS_RESIZE_HALF_PIXEL,           /* (i + 0.5) / s - 0.5 */
    VRS_RESIZE_HALF_PIXEL_SYMMETRIC, /* the same about the middle: for scales that were rounded */
    VRS_RESIZE_PYTORCH_HALF_PIXEL,   /* half_pixel, but 0 where out == 1 */
    VRS_RESIZE_ALIGN_CORNERS,        /* i * (in - 1) / (out - 1), 0 where out == 1 */
    VRS_RESIZE_ASYMMETRIC,           /* i / s */
    VRS_RESIZE_TF_HALF_PIXEL,        /* (i + 0.5) / s: "tf_half_pixel_for_nn" */
    VRS_RESIZE_TF_CROP               /* the part `roi`, `extrapolation` outside of the input */
} vrs_resize_coordinate;

typedef enum vrs_resize_nearest {
    VRS_RESIZE_ROUND_PREFER_FLOOR,
    VRS_RESIZE_ROUND_PREFER_CEIL,
    VRS_RESIZE_FLOOR,
    VRS_RESIZE_CEIL
} vrs_resize_nearest;

typedef enum vrs_pad_mode { VRS_PAD_CONSTANT, VRS_PAD_REFLECT, VRS_PAD_EDGE } vrs_pad_mode;

/* Pairs are down, across: [0] of H, [1] of W. Pads are resolved ("auto_pad" is gone). */
typedef struct vrs_conv_attributes {
    int32_t groups;
    int32_t kernel[2], stride[2], dilation[2];
    int32_t pad_before[2], pad_after[2];
    int32_t output_pad[2]; /* CONV_TRANSPOSED: rows and columns added at the end */
} vrs_conv_attributes;

typedef struct vrs_pool_attributes {
    vrs_pool_kind kind;
    int32_t kernel[2], stride[2], dilation[2];
    int32_t pad_before[2], pad_after[2];
    bool ceil_mode;         /* the output's dims follow from it already */
    bool count_include_pad; /* AVERAGE: divided by the taps inside the padded picture, not by those
                             * inside the picture; never by those beyond the padding */
} vrs_pool_attributes;

typedef struct vrs_resize_attributes {
    vrs_resize_mode mode;
    vrs_resize_coordinate coordinate;
    vrs_resize_nearest nearest;
    /* Output over input, down and across, as the coordinate formulas want it: of the file's scales
     * where it gives them, of the sizes otherwise. */
    float scale[2];
    float roi_start[2], roi_end[2]; /* TF_CROP: 0..1 */
    float extrapolation;
    /* Rows and columns of taps; 0 where a file has made it. Else x has for each tap, row by row, as
     * many channels as the result: each tap's are enlarged and moved against the place of the tap,
     * zeros coming in at the edges, and all are added up, as a convolution does that is padded to
     * its size. */
    int32_t taps;
} vrs_resize_attributes;

typedef struct vrs_reduce_attributes {
    vrs_reduce_kind kind;
    uint32_t axes; /* a bit for each axis of the input */
    bool keep;     /* reduced axes stay, of 1 */
} vrs_reduce_attributes;

typedef struct vrs_argmax_attributes {
    int32_t axis;
    bool keep, last, min; /* last: of equal ones the last; min: argmin */
} vrs_argmax_attributes;

typedef struct vrs_softmax_attributes {
    int32_t axis;
    bool to_end; /* over all axes from `axis` on together (operator sets before 13) */
    bool log;
} vrs_softmax_attributes;

typedef struct vrs_slice_attributes {
    int64_t start[VRS_GRAPH_MAX_RANK], step[VRS_GRAPH_MAX_RANK]; /* an entry an axis; step != 0 */
} vrs_slice_attributes;

typedef struct vrs_pad_attributes {
    vrs_pad_mode mode;
    int64_t before[VRS_GRAPH_MAX_RANK], after[VRS_GRAPH_MAX_RANK]; /* negative: cut */
    double value;
} vrs_pad_attributes;

typedef struct vrs_gemm_attributes {
    bool transpose_a, transpose_b;
    float alpha, beta;
} vrs_gemm_attributes;

typedef union vrs_attributes {
    vrs_conv_attributes conv;
    vrs_pool_attributes pool;
    vrs_resize_attributes resize;
    vrs_reduce_attributes reduce;
    vrs_argmax_attributes argmax;
    vrs_softmax_attributes softmax;
    vrs_slice_attributes slice;
    vrs_pad_attributes pad;
    vrs_gemm_attributes gemm;
    vrs_unary unary;
    struct {
        vrs_binary kind;
        bool fmod;
    } binary;
    struct {
        float epsilon;
    } norm;
    struct {
        int32_t axis; /* >= 0 */
    } axis;
    struct {
        int32_t perm[VRS_GRAPH_MAX_RANK]; /* output axis i is input axis perm[i] */
    } transpose;
    struct {
        int32_t size;
        bool crd; /* DEPTH_TO_SPACE: channels are C, block, block instead of block, block, C */
    } block;
    struct {
        int32_t axis; /* of scales and zeros with more than one element */
    } quantize;
} vrs_attributes;

typedef struct vrs_node {
    vrs_op op;
    char *name;     /* of the ONNX node that does the most of it; its output's where it has none */
    char **sources; /* names of all ONNX nodes that went into it, in their order */
    int32_t source_count;
    int32_t *inputs; /* values; VRS_NO_VALUE where one is left out */
    int32_t input_count;
    int32_t *outputs;
    int32_t output_count;
    vrs_act act;
    vrs_attributes as;
    struct vrs_node_rule *rule; /* what inference keeps for itself */
} vrs_node;

typedef struct vrs_graph {
    char *name; /* the file's, for messages */
    int64_t opset;
    vrs_node *nodes; /* each after those that it needs */
    int32_t node_count;
    vrs_value *values; /* the slope of an activation and node inputs and outputs are indices here */
    int32_t value_count;
    int32_t *inputs, *outputs; /* values; an output may be an input or a constant */
    /* What the file calls the outputs; the value may have another name, or be put out twice. */
    char **output_names;
    int32_t input_count, output_count;
    int32_t batch;             /* of the last vrs_graph_infer(); 1 after loading */
    bool free_batch;           /* false: the file says batch 1, and other sizes are refused */
    struct vrs_graph_own *own; /* what inference keeps for itself */
} vrs_graph;

/* The shape of one input where the file leaves it open or another is wanted. */
typedef struct vrs_graph_shape {
    const char *input; /* "": the only input */
    int32_t rank;
    int64_t dims[VRS_GRAPH_MAX_RANK]; /* 0: as in the file. The first axis is the batch: 0 or 1 */
} vrs_graph_shape;

typedef struct vrs_graph_options {
    const vrs_graph_shape *shapes;
    int32_t shape_count;
    /* The outputs that are wanted; what only others need is left out. None: all. */
    const char *const *outputs;
    int32_t output_count;
    /* Takes a file with a fixed first axis of 1 as one for any batch. */
    bool free_batch;
} vrs_graph_options;

/* Reads an ONNX file (operator sets 7 to 25) and infers all shapes for batch 1. Weights in external
 * files are read from the file's folder. `options` may be NULL. Returns owned.
 * VRS_NOT_FOUND, VRS_PERMISSION, VRS_IO, VRS_NO_MEMORY.
 * VRS_FORMAT: it is no ONNX file, is cut or contradicts itself (a loop, shapes that disagree, sizes
 * that overflow); what, at which node. VRS_UNSUPPORTED: what this reader does not know: one
 * sentence with all such nodes by name; a file or a tensor of 2 GB and more; sizes left open.
 * VRS_INVALID: the options name an input or output that it does not have, or shapes that are not
 * the file's. */
vrs_status vrs_graph_load(const char *path, const vrs_graph_options *options,
                          vrs_graph **graph) VRS_MUST_USE;

/* The same from memory; `name` is what messages call it; external files are looked for in `folder`
 * (NULL: refused). Borrows all. */
vrs_status vrs_graph_parse(const void *data, size_t size, const char *name, const char *folder,
                           const vrs_graph_options *options, vrs_graph **graph) VRS_MUST_USE;
/* The same of a file that was read already: its name and folder are those of `path`. */
vrs_status vrs_graph_parse_file(const char *path, const void *data, size_t size,
                                const vrs_graph_options *options, vrs_graph **graph) VRS_MUST_USE;
void vrs_graph_destroy(vrs_graph *graph);

/* Sets the dims of all values, and the attributes that follow from shapes, for a batch of 1 to
 * VRS_GRAPH_MAX_BATCH. Nodes, values and constants stay as they are (but see follows_batch).
 * VRS_UNSUPPORTED: the network is of a fixed batch. VRS_FORMAT: shapes disagree, at which node.
 * VRS_NO_MEMORY. After a failure only vrs_graph_infer() and vrs_graph_destroy() may follow. */
vrs_status vrs_graph_infer(vrs_graph *graph, int32_t batch) VRS_MUST_USE;

/* The passes. */
typedef enum vrs_graph_pass {
    VRS_PASS_IDENTITY = 1 << 0, /* removes reshapes, transposes, slices, ... that change nothing,
                                 * joins transposes in a row, and puts
                                 * pads of zeros into the convolution after them */
    VRS_PASS_NORMS = 1 << 1, /* scales and shifts by constants into the convolution before them */
    VRS_PASS_ACTIVATIONS = 1 << 2, /* finds hard-swish and SiLU written out; activations into the
                                    * node before them */
    VRS_PASS_RESIDUAL = 1 << 3,    /* additions, with their activation, into the convolution */
    VRS_PASS_ALL = (1 << 4) - 1
} vrs_graph_pass;

/* Runs the passes and removes what nothing needs any more, also values: indices change. The result
 * is the same up to the rounding of folded constants. VRS_NO_MEMORY: the graph is only good for
 * vrs_graph_destroy(). */
vrs_status vrs_graph_optimise(vrs_graph *graph, uint32_t passes) VRS_MUST_USE;

/* Computes 3x3 convolutions of an enlarged picture, joined with another, on the small one: the taps
 * of the small picture by a product, enlarged and added up (vrs_resize_attributes.taps), and those
 * of the other picture. Fewer operations from a factor of 4 on, and sums in another order, which in
 * FP16 are rounded once more. Otherwise as vrs_graph_optimise(). */
vrs_status vrs_graph_split_enlarged(vrs_graph *graph) VRS_MUST_USE;

/* Elements and bytes of a value for the batch of the last inference; never overflow, which
 * inference checks. */
size_t vrs_value_elements(const vrs_value *value);
size_t vrs_value_bytes(const vrs_value *value);
size_t vrs_dtype_bytes(vrs_dtype dtype);

/* The value of that name, also as an output's name; VRS_NO_VALUE: there is none. */
int32_t vrs_graph_find(const vrs_graph *graph, const char *name);

/* Places of an input and an output by name in `inputs` and `outputs`; "": the only one. -1: none.
 */
int32_t vrs_graph_input(const vrs_graph *graph, const char *name);
int32_t vrs_graph_output(const vrs_graph *graph, const char *name);

/* How many nodes read a value, with each time that the graph puts it out. */
int32_t vrs_graph_uses(const vrs_graph *graph, int32_t value);

/* Where 8-bit values go through a CONV, GEMM or MATMUL: x and weights are outputs of DEQUANTIZE,
 * and the only reader of the result is a QUANTIZE. */
typedef struct vrs_quantised {
    int32_t x, weights;           /* the 8-bit values */
    int32_t x_node, weights_node; /* their DEQUANTIZE nodes */
    int32_t y;                    /* the 8-bit result; VRS_NO_VALUE: the result is wanted in F32 */
    int32_t y_node;               /* its QUANTIZE node */
} vrs_quantised;
/* False: it computes in floats. */
bool vrs_graph_quantised(const vrs_graph *graph, int32_t node, vrs_quantised *quantised);

/* What a node costs for the batch of the last inference. A multiplication with its addition is two
 * operations. */
typedef struct vrs_cost {
    double flops;
    double in, out, constant; /* elements that are read, written, and read of constants */
} vrs_cost;
vrs_cost vrs_node_cost(const vrs_graph *graph, int32_t node);

const char *vrs_dtype_name(vrs_dtype dtype);
const char *vrs_op_name(vrs_op op);
const char *vrs_act_name(vrs_act_kind kind);

/* One line on a node, "conv 3x3 /2 +residual relu: 64x128x128 -> 128x64x64"; cut to `size`. */
void vrs_node_describe(const vrs_graph *graph, int32_t node, char *text, size_t size);

/* Writes the whole graph as text, a node a line with its sources, operations and bytes. VRS_IO. */
vrs_status vrs_graph_write(const vrs_graph *graph, FILE *file) VRS_MUST_USE;

#endif
