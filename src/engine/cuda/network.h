/* A network on a GPU: a graph (graph/graph.h) whose values have places in device memory and whose
 * nodes are queued one after the other; for each batch size a program, captured as CUDA graphs.
 *
 * Pictures (values of rank 4) are NHWC with padded channels, in FP16 or FP32; everything else is
 * dense. One block holds all weights, one arena all activations, of every batch size in turn: runs
 * follow each other on the device. Private to cuda/. */
#ifndef VRS_ENGINE_CUDA_NETWORK_H
#define VRS_ENGINE_CUDA_NETWORK_H

#include "device/cuda/cuda.h"
#include "device/device.h"
#include "device/memory.h"
#include "engine/cuda/cache.h"
#include "engine/cuda/conv.h"
#include "engine/engine.h"
#include "engine/report.h"
#include "graph/arena.h"
#include "graph/graph.h"
#include "kernels/cuda/net_launch.h"
#include "vrseg/compile.h"

#define VRS_NET_PROVIDERS 8
#define VRS_NET_SIZES 16  /* compiled batch sizes at most */
#define VRS_NET_ALIGN 256 /* of every value's memory */
#define VRS_NET_WORKERS 16
#define VRS_NET_LANES 4 /* streams of a graph with branches */
/* So long a piece of work of the device may take that takes milliseconds. */
#define VRS_NET_WAIT_NS (30 * INT64_C(1000000000))
#define VRS_NET_SMALL 0x2c  /* a byte that is a small number in every type */
#define VRS_NET_NOBODY (-1) /* a value inside none */

/* How the memory of a request comes to a value of the graph. */
typedef enum vrs_net_port {
    VRS_NET_INNER = 0,  /* not at all */
    VRS_NET_DIRECT = 1, /* it is the value's memory */
    VRS_NET_COPIED = 2, /* moved in before the first node, or out after the last */
} vrs_net_port;

/* How a value lies in memory, whatever the batch. */
typedef struct vrs_net_form {
    int32_t type;  /* VRS_NET_F32, ... */
    float quantum; /* of floats that are stored as I8: what a step is worth */
    bool picture;  /* NHWC */
    bool s2d;      /* the network's input as 2x2 space-to-depth: H / 2, W / 2, 12 channels */
    int32_t pitch; /* a picture's elements from pixel to pixel */
    int32_t fill;  /* channels that its maker writes, zeros behind its own; up to pitch */
    int32_t inside, offset; /* a slice of this value from this channel on; VRS_NET_NOBODY */
    vrs_net_port port;
    bool unused; /* nothing writes it: of a node that is gone */
} vrs_net_form;

/* What becomes of a node. */
typedef enum vrs_net_role {
    VRS_NET_RUN = 0,    /* queued */
    VRS_NET_GONE = 1,   /* nothing to do: its result lies where it should, or is the caller's */
    VRS_NET_FOLLOW = 2, /* behind a convolution that may take it along (vrs_conv.follow) */
} vrs_net_role;

/* How much of a node its plan does. */
typedef enum vrs_net_kind {
    VRS_NET_WHOLE = 0,
    VRS_NET_LESS = 1,   /* what vrs_net_leave_out() leaves */
    VRS_NET_MORE = 2,   /* with the node behind it */
    VRS_NET_JOINED = 3, /* as WHOLE; kept of those that others run along with */
} vrs_net_kind;

/* The convolution of a node at one batch size, as its plan was chosen. */
typedef struct vrs_net_conv_choice {
    vrs_conv wanted;       /* all of the node */
    vrs_conv conv;         /* what the plan does of it; the rest is done afterwards */
    vrs_conv_plan *plan;   /* NULL: not a convolution */
    int32_t candidate;     /* of the plan's provider */
    int32_t kind;          /* vrs_net_kind */
    bool owned;            /* the plan; else it is that of an equal convolution */
    bool follows;          /* takes the node behind it along */
    vrs_conv_plan *joined; /* owned: runs this node and `others`; NULL: it runs alone */
    int32_t others[VRS_CONV_JOINED - 1], other_count;
    bool along; /* another node's `joined` runs it */
} vrs_net_conv_choice;

/* Where a node is queued where branches run beside each other. */
typedef struct vrs_net_step {
    int32_t lane;                 /* stream; -1: it does not run */
    int32_t waits[VRS_NET_LANES]; /* the node of each other lane that it waits for; -1: none */
    vrs_device_event *done;       /* NULL: nobody waits for it */
} vrs_net_step;

/* One batch size. */
typedef struct vrs_net_program {
    int32_t batch;
    vrs_device_ptr *at; /* of each value; constants: as they are, where an operand reads them */
    vrs_net_conv_choice *convs; /* of each node */
    vrs_net_step *steps;        /* of each node; NULL: one after the other */
    int32_t lanes;              /* that the steps use */
    bool beside;                /* they are used */
    double *micros;             /* what each node took when it was timed alone; 0: nothing */
    vrs_graph_arena *arena;
    /* Graphs: of each request `parts`, one after the other; part k runs the views from
     * vrs_net_part_begins() on. 0: the program has no memory now. */
    vrs_cu_graph_exec *execs;
    int32_t parts;
} vrs_net_program;

/* An uploaded constant. */
typedef struct vrs_net_constant {
    int32_t value, kind;             /* kind: VRS_NET_AS_*, or that of a packing */
    const vrs_conv_provider *packer; /* of packed weights */
    char packing[32];
    int32_t channels, fill; /* how it was padded */
    float quantum;          /* what it was divided by; of weights: their type */
    vrs_device_ptr at;
    size_t bytes;
    int32_t slab;
    bool used; /* asked for since vrs_net_forget_constants() */
} vrs_net_constant;

/* A block that constants lie in. */
typedef struct vrs_net_slab {
    vrs_memory_block *block; /* NULL: given back */
    size_t bytes, taken;
    int32_t constants; /* that are in it still */
} vrs_net_slab;

/* What the file says about a value that goes into a convolution in 8 bits. */
typedef struct vrs_net_range {
    char *name; /* of the value of floats */
    float quantum;
    bool added; /* somebody adds the floats themselves, not what the steps are worth */
} vrs_net_range;

/* The parts of `vrs_net` that a request has of its own. */
typedef struct vrs_net_ports {
    vrs_device_ptr input, scores;
    vrs_device_ptr state_in[VRS_MAX_STATES], state_out[VRS_MAX_STATES];
} vrs_net_ports;

/* A number of a file's bytes, so that another network has other plans. Not against malice: whoever
 * may change the network need not change the plans. */
typedef struct vrs_net_number {
    uint64_t words[2];
    size_t bytes;
} vrs_net_number;

typedef struct vrs_net {
    vrs_device *device;
    vrs_memory *memory;
    const vrs_cu_api *api;
    vrs_graph *graph;
    const vrs_model_spec *spec;
    vrs_net_number number; /* of the file */
    vrs_precision precision;
    vrs_compile_progress_fn progress; /* NULL: nobody asks */
    void *progress_opaque;
    int32_t size, sizes; /* which batch size is compiled, from 1, of how many */
    int32_t batch;       /* that one */
    uint32_t enlarges;
    bool float_input, has_cudnn;
    vrs_device_stream *stream; /* of compiling */
    vrs_device_event *begin, *end;
    vrs_branches branches;
    /* For branches: streams but the first, and where lanes fork and join. */
    vrs_device_stream *beside[VRS_NET_LANES];
    vrs_device_event *joined[VRS_NET_LANES];
    vrs_memory_block *apart[VRS_NET_LANES]; /* workspace of each but the first; NULL: none */
    int32_t lane;                           /* that is being queued */
    char doing[160];                        /* what is queued there, for people; "": small things */
    vrs_net_kernels kernels;
    int32_t provider_count;
    const vrs_conv_provider *providers[VRS_NET_PROVIDERS];
    void *states[VRS_NET_PROVIDERS]; /* NULL: has nothing for this machine */
    /* Of a provider that compiles: a state for each thread beside the first. */
    void *worker_states[VRS_NET_PROVIDERS][VRS_NET_WORKERS];
    int32_t workers;
    vrs_net_range *ranges; /* of the file\'s quantised layers */
    int32_t range_count;
    vrs_net_form *forms;   /* of each value */
    vrs_net_role *roles;   /* of each node */
    int32_t input, scores; /* values; scores: before an enlarging that is left out */
    int32_t state_in[VRS_MAX_STATES], state_out[VRS_MAX_STATES];
    int32_t enlarge;
    vrs_enlarge_rule enlarge_rule;
    vrs_net_constant *constants;
    int32_t constant_count, constant_room;
    vrs_net_slab *slabs;
    int32_t slab_count;
    vrs_arena *arena;
    vrs_memory_block *workspace;
    size_t workspace_bytes;
    vrs_plans *cached;        /* plans of an earlier compiling; NULL: none */
    int32_t restored, chosen; /* plans that came from there, and that were timed */
    vrs_engine_effort effort;
    struct vrs_net_prepared *stuck; /* threads that have not come back; NULL */
    vrs_net_program programs[VRS_NET_SIZES];
    int32_t program_count;
} vrs_net;

/* ---- quantised.c ---- */

/* Takes the QUANTIZE and DEQUANTIZE nodes before convolutions out of the graph and keeps what a
 * step is worth; convolutions then read floats, from weights that are still of 8 bits. Indices
 * change. VRS_UNSUPPORTED: precision INT8 and a file without such layers. VRS_NO_MEMORY. */
vrs_status vrs_net_unquantise(vrs_net *net) VRS_MUST_USE;
/* Precision INT8: values that all their readers can take in 8 bits, and whose makers can write so,
 * are stored as such. After forms are made, before nodes are placed. */
void vrs_net_store_quantised(vrs_net *net);
/* The 8-bit weights of a convolution: scale of output channel o; 0: its weights are floats. */
float vrs_net_weight_scale(const vrs_net *net, const vrs_node *node, int32_t o);

/* ---- forms.c ---- */

/* Decides how values lie and which nodes are gone. Fills forms, roles, input, scores, states,
 * enlarge. VRS_INVALID: the network's tensors are not the descriptor's. VRS_UNSUPPORTED: a node
 * that this engine cannot run, by name. VRS_NO_MEMORY. */
vrs_status vrs_net_form_values(vrs_net *net) VRS_MUST_USE;

/* Channels of a picture in the graph, and elements of 16 bytes of a type. */
static inline int32_t vrs_net_channels(const vrs_value *value)
{
    return (int32_t)value->dims[1];
}

static inline int32_t vrs_net_round(int32_t channels, int32_t to)
{
    return (channels + to - 1) / to * to;
}

int32_t vrs_net_vector(int32_t type);
size_t vrs_net_type_bytes(int32_t type);
/* Type of a value's elements on the device. */
int32_t vrs_net_type_of(const vrs_net *net, vrs_dtype dtype);
/* Bytes of a value for the batch of the last inference. */
size_t vrs_net_value_bytes(const vrs_net *net, int32_t value);
/* The only node that reads a value; -1: none, several, or an output of the graph. */
int32_t vrs_net_only_reader(const vrs_net *net, int32_t value);

/* ---- constants.c ---- */

/* A constant as an operand of a kernel: dense, floats as F32. */
vrs_status vrs_net_operand(vrs_net *net, int32_t value, vrs_device_ptr *at) VRS_MUST_USE;
/* A constant of floats as `count` F32, one for all or zeros behind its own. */
vrs_status vrs_net_floats(vrs_net *net, int32_t value, int32_t count,
                          vrs_device_ptr *at) VRS_MUST_USE;
/* A convolution's bias, or its factors, one a channel, for results in steps of `quantum` (1: as
 * they are). */
vrs_status vrs_net_bias(vrs_net *net, int32_t node, int32_t count, float quantum,
                        vrs_device_ptr *at) VRS_MUST_USE;
vrs_status vrs_net_factors(vrs_net *net, int32_t node, int32_t count, float quantum,
                           vrs_device_ptr *at) VRS_MUST_USE;
/* A convolution's weights as the plan takes them; head weights of node `head` likewise. */
vrs_status vrs_net_weights(vrs_net *net, int32_t node, const vrs_conv *conv,
                           const vrs_conv_plan *plan, vrs_device_ptr *at) VRS_MUST_USE;
vrs_status vrs_net_head_weights(vrs_net *net, int32_t head, const vrs_conv *conv,
                                vrs_device_ptr *at) VRS_MUST_USE;
/* What a plan wants beside them; 0: nothing. `batch`: of a plan that joins several convolutions,
 * whose table is its own; 0: of others. */
vrs_status vrs_net_table(vrs_net *net, int32_t node, const vrs_conv_plan *plan, int32_t batch,
                         vrs_device_ptr *at) VRS_MUST_USE;
/* Begins to note which constants are asked for; with `unused`, those that were not since the last
 * time are freed: what plans wanted that were not chosen. The device has no work with them. */
void vrs_net_forget_constants(vrs_net *net, bool unused);
/* Moves constants together where those that were freed have left gaps: before anything is captured,
 * as addresses change. Short of memory they stay where they are. */
vrs_status vrs_net_move_constants(vrs_net *net) VRS_MUST_USE;
void vrs_net_free_constants(vrs_net *net);

/* ---- compile.c ---- */

vrs_net_number vrs_net_number_of(const vrs_weights *file);

/* ---- prepare.c ---- */

/* Plans that were made ahead of their timing, by threads. */
typedef struct vrs_net_prepared vrs_net_prepared;

/* So long a node's candidates are made, and timed; so long a library may be away. */
#define VRS_NET_NODE_NS (4 * INT64_C(1000000000))
#define VRS_NET_STUCK_NS (60 * INT64_C(1000000000))

/* Makes all candidates of the providers that compile for all convolutions of the graph, for the
 * batch of the last inference. Returns owned, also after a failure. VRS_NO_MEMORY, VRS_SYSTEM.
 * VRS_ENGINE: a library has not come back; its node. */
vrs_status vrs_net_prepare(vrs_net *net, vrs_net_prepared **prepared) VRS_MUST_USE;
/* The candidates of a provider for a convolution, and one of them, returned owned; NULL: it could
 * not be made. */
int32_t vrs_net_prepared_count(vrs_net_prepared *prepared, int32_t provider, const vrs_conv *conv);
vrs_conv_plan *vrs_net_prepared_take(vrs_net_prepared *prepared, int32_t provider,
                                     const vrs_conv *conv, int32_t candidate);
/* What threads are still at work on becomes net->stuck. NULL is fine. */
void vrs_net_prepared_free(vrs_net *net, vrs_net_prepared *prepared);
/* Leaves net->stuck to its threads, with the states of the providers that compile; after the plans
 * of all programs are gone. */
void vrs_net_abandon(vrs_net *net);

/* ---- convs.c ---- */

/* The convolution of a node for the batch of the last inference. `follow`: with the node behind it.
 */
vrs_conv vrs_net_describe_conv(const vrs_net *net, int32_t node, bool follow);
/* Takes out of a convolution what a provider may not be able to do along with it: the activation
 * (`runs` false: nobody runs it so) or, of exact FP32, all that is fused. False: nothing more. */
bool vrs_net_leave_out(vrs_conv *conv, bool runs);
/* Says how far the compiling is, to whoever wants to know. */
void vrs_net_tell(const vrs_net *net, const char *step, int32_t done, int32_t all,
                  const char *node);
/* Chooses plans by timing for every convolution of a program whose values have places. */
vrs_status vrs_net_choose(vrs_net *net, vrs_net_program *program) VRS_MUST_USE;
/* join.c: joins convolutions of one input where one launch is faster, or, of a program that was
 * `restored`, where it was so. All plans are chosen. */
vrs_status vrs_net_join(vrs_net *net, vrs_net_program *program, bool restored) VRS_MUST_USE;
vrs_status vrs_net_queue_joined(vrs_net *net, const vrs_net_program *program, int32_t node,
                                vrs_device_stream *stream) VRS_MUST_USE;
/* All plans of all programs as what is kept. Returns owned. */
vrs_status vrs_net_collect(const vrs_net *net, const char *key, vrs_plans **plans) VRS_MUST_USE;
/* Queues one convolution. */
vrs_status vrs_net_queue_conv(vrs_net *net, const vrs_net_program *program, int32_t node,
                              vrs_device_stream *stream) VRS_MUST_USE;

/* ---- lower.c ---- */

/* Whether a node is queued at all: it is neither gone nor part of the one before it. */
bool vrs_net_runs(const vrs_net *net, const vrs_net_program *program, int32_t node);
/* Queues one node; with `status` VRS_OK and nothing done for those that are gone. */
vrs_status vrs_net_queue_node(vrs_net *net, const vrs_net_program *program, int32_t node,
                              vrs_device_stream *stream) VRS_MUST_USE;
/* Queues the moves from and to the ports. */
vrs_status vrs_net_queue_ports(vrs_net *net, const vrs_net_program *program,
                               const vrs_net_ports *ports, bool in,
                               vrs_device_stream *stream) VRS_MUST_USE;
/* VRS_UNSUPPORTED: what this engine cannot run of the node. */
vrs_status vrs_net_check_node(const vrs_net *net, int32_t node) VRS_MUST_USE;
vrs_net_view vrs_net_view_of(const vrs_net *net, const vrs_net_program *program, int32_t value);
vrs_net_picture vrs_net_picture_of(const vrs_net *net, const vrs_net_program *program,
                                   int32_t value);
vrs_net_act vrs_net_act_of(const vrs_act *act);

/* lower_picture.c: those of pictures. */
vrs_status vrs_net_queue_pool(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                              vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_resize(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_reduce(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_along(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                               vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_norm(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                              vrs_device_stream *stream) VRS_MUST_USE;
vrs_status vrs_net_queue_matmul(vrs_net *net, const vrs_net_program *program, const vrs_node *node,
                                vrs_device_stream *stream) VRS_MUST_USE;

/* ---- program.c ---- */

/* The ports of a request from view `position` on. */
typedef vrs_net_ports (*vrs_net_ports_fn)(void *opaque, int32_t request, int32_t position);

/* Who has the ports. */
typedef struct vrs_net_owner {
    vrs_net_ports_fn ports;
    void *opaque;
    int32_t requests;
} vrs_net_owner;

/* Compiles the network for one more batch size; the largest is the first. */
vrs_status vrs_net_compile(vrs_net *net, int32_t batch, const vrs_net_owner *owner) VRS_MUST_USE;
/* Captures each size for each request, when all are compiled: the workspace does not move any more.
 */
vrs_status vrs_net_capture_all(vrs_net *net, const vrs_net_owner *owner) VRS_MUST_USE;
/* Bytes of the arena that a program needs. */
size_t vrs_net_arena_bytes(const vrs_net_program *program);
/* Runs of a program that the largest batch takes, and the first view of part `part`: the last part
 * may run some views again, so that all are whole. */
int32_t vrs_net_parts(const vrs_net *net, const vrs_net_program *program);
int32_t vrs_net_part_begins(const vrs_net *net, const vrs_net_program *program, int32_t part);
/* Captures `parts` parts of a program for each request; its memory is there. Returns owned,
 * vrs_net_destroy_execs(). */
vrs_status vrs_net_capture(vrs_net *net, vrs_net_program *program, const vrs_net_owner *owner,
                           int32_t parts, vrs_cu_graph_exec **execs) VRS_MUST_USE;
void vrs_net_destroy_execs(vrs_net *net, vrs_cu_graph_exec *execs, int32_t count);
/* The least microseconds of what `queue` queues, replayed as a graph of so many `runs`; where one
 * takes milliseconds and more than one is asked for, those of a single run. */
#define VRS_NET_TIMED_RUNS 8
typedef vrs_status (*vrs_net_queue_fn)(void *opaque, vrs_device_stream *stream);
vrs_status vrs_net_time(vrs_net *net, vrs_net_queue_fn queue, void *opaque, int32_t runs,
                        double *micros) VRS_MUST_USE;
/* That of one node as it is queued now. */
vrs_status vrs_net_time_node(vrs_net *net, const vrs_net_program *program, int32_t node,
                             double *micros) VRS_MUST_USE;
/* Queues what a convolution's plan leaves out over its result: bias and residual where it was bare,
 * and the activation. lower.c */
vrs_status vrs_net_queue_rest(vrs_net *net, const vrs_net_program *program, int32_t node, bool bare,
                              vrs_device_stream *stream) VRS_MUST_USE;
/* Queues everything of a program. */
vrs_status vrs_net_queue_all(vrs_net *net, const vrs_net_program *program,
                             const vrs_net_ports *ports, vrs_device_stream *stream) VRS_MUST_USE;
/* Times those nodes of a program that were not when its plans were chosen; infers its batch. */
vrs_status vrs_net_time_nodes(vrs_net *net, vrs_net_program *program) VRS_MUST_USE;
/* Sets the addresses of the values that are ports. */
void vrs_net_connect(const vrs_net *net, vrs_net_program *program, const vrs_net_ports *ports);
void vrs_net_free_programs(vrs_net *net, int32_t requests);
/* branches.c: deals the nodes of a program, whose plans are chosen, to streams: steps and lanes. */
vrs_status vrs_net_deal(vrs_net *net, vrs_net_program *program) VRS_MUST_USE;
/* Workspace for the lanes of all programs, before any of them is captured. VRS_NO_MEMORY. */
vrs_status vrs_net_take_apart(vrs_net *net) VRS_MUST_USE;
void vrs_net_free_steps(const vrs_net *net, vrs_net_program *program);
/* Queues the nodes on the lanes, which fork from `first` and come back to it. */
vrs_status vrs_net_queue_branches(vrs_net *net, const vrs_net_program *program,
                                  vrs_device_stream *first) VRS_MUST_USE;
/* verify.c: vrs_engine_verify() for a program. */
vrs_status vrs_net_verify(vrs_net *net, vrs_net_program *program, const vrs_net_ports *ports,
                          uint64_t seed, vrs_engine_check_fn visit, void *opaque) VRS_MUST_USE;
/* Waits for an event, at most VRS_NET_WAIT_NS: what has not come by then never comes, and the
 * device counts as lost. VRS_TIMEOUT: `what` was waited for. */
vrs_status vrs_net_await(vrs_net *net, vrs_device_event *event, const char *what) VRS_MUST_USE;
/* Waits so for what `net->stream` has queued: net->doing. */
vrs_status vrs_net_settle(vrs_net *net) VRS_MUST_USE;

#endif
