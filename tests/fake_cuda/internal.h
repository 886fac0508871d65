/* Shared by the files of the stand-in. One lock guards all state; work runs without it. */
#ifndef FAKE_CUDA_INTERNAL_H
#define FAKE_CUDA_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "fake_cuda/abi.h"
#include "fake_cuda/fake_cuda.h"

/* Marks what the library exports. The prototype silences -Wmissing-prototypes: there is no header
 * that declares the driver's functions with our types. */
#define DRIVER(name, ...)                      \
    FAKE_CUDA_API cu_result name(__VA_ARGS__); \
    cu_result name(__VA_ARGS__)

#define MAX_DEVICES 8
#define MAX_NAMES 160
#define MAX_FAILURES 16
#define REGION_BYTES ((uint64_t)256 << 30)
#define GRANULARITY ((uint64_t)2 << 20) /* of cuMemCreate and cuMemMap */
#define PAGE ((uint64_t)4096)
#define FRESH 0xCB     /* what new memory holds */
#define TAIL_MARK 0xE7 /* behind the end of an allocation */

/* One operation on a stream, a node of a graph, or both's copy. */
typedef enum fake_kind { OP_MARK, OP_COPY, OP_SET, OP_LAUNCH, OP_HOST, OP_FREE } fake_kind;

typedef struct fake_op {
    int refs;
    bool done;
    fake_kind kind;
    int device;      /* that it was made for */
    unsigned weight; /* how likely it is chosen */
    struct fake_op **deps;
    size_t dep_count;
    /* OP_COPY, OP_SET: rows of `width` bytes; OP_FREE: dst. */
    uint64_t dst, src;
    size_t width, height, dst_pitch, src_pitch;
    bool dst_pinned, src_pinned; /* were when the call was made */
    void *staged;                /* pageable source, as it was at the call */
    uint32_t value;
    unsigned value_bytes;
    const struct fake_function *function;
    void *params;
    uint32_t grid[3], block[3];
    cu_host_fn fn;
    void *data;
    uint64_t time; /* when it ran, in operations */
} fake_op;

typedef struct fake_physical {
    uint64_t id;
    int fd, device;
    uint64_t bytes;
    unsigned maps;
    bool released;
    struct fake_physical *next;
} fake_physical;

typedef enum fake_range_kind {
    RANGE_DEVICE,
    RANGE_RESERVED,
    RANGE_PINNED,
    RANGE_REGISTERED
} fake_range_kind;

typedef struct fake_page {
    fake_physical *physical;
    bool first, access; /* first of its mapping */
} fake_page;

typedef struct fake_range {
    uint64_t base, bytes;
    uint64_t outer, outer_bytes; /* with what lies around it */
    fake_range_kind kind;
    int device;
    bool leaving;     /* cuMemFreeAsync was called */
    fake_page *pages; /* RANGE_RESERVED: for each GRANULARITY */
    struct fake_range *next;
} fake_range;

struct fake_stream {
    bool blocking, alive;
    int device, priority;
    unsigned weight;
    fake_op *tail;
    struct fake_graph *capture;
    bool capture_origin;
    fake_op **heads; /* while capturing: what the next operation depends on */
    size_t head_count;
    struct fake_stream *next;
};

struct fake_event {
    bool timing;
    int device;
    fake_op *op; /* NULL: never recorded */
    struct fake_graph *capture;
    fake_op **heads;
    size_t head_count;
    struct fake_event *next;
};

struct fake_graph {
    int refs;
    bool broken;
    fake_op **nodes;
    size_t node_count;
    struct fake_graph *next; /* among the live handles */
};

struct fake_exec {
    struct fake_graph *graph;
    fake_op *last; /* of the latest launch */
    struct fake_exec *next;
};

struct fake_module {
    int device;
    struct fake_module *next;
};

struct fake_function {
    const char *name;
    fake_cuda_kernel_fn fn;
    size_t params_bytes, params_offset;
};

struct fake_context {
    int device;
    unsigned retained, flags;
};

typedef struct fake_failure {
    const char *name;
    char text[48];
    uint64_t left;
    int device; /* -1: any */
    int error;
    bool loses;
} fake_failure;

typedef struct fake_state {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* control.c */
    uint64_t seed, random;
    fake_cuda_mode mode;
    bool by_ptx; /* modules are compiled from PTX, which has no kernels for one architecture */
    int devices, major, minor, driver, image_error;
    char name[64];
    uint64_t memory, other;
    fake_failure failures[MAX_FAILURES];
    size_t failure_count;
    uint64_t failed;
    char failed_name[48];
    int sticky[MAX_DEVICES];
    bool initialised;
    struct {
        const char *name;
        uint64_t calls;
    } names[MAX_NAMES];
    size_t name_count;
    uint64_t calls;
    fake_cuda_bytes bytes;
    /* memory.c */
    uint64_t device_base, alias_base, cursor, next_handle;
    fake_range *ranges;
    fake_physical *physicals;
    uint64_t used[MAX_DEVICES], peak[MAX_DEVICES];
    /* schedule.c */
    fake_op **pending;
    size_t pending_count, pending_room;
    bool faulted; /* the running kernel said so */
    bool executing, thread_running, thread_stop;
    pthread_t thread;
    int thread_pid;
    unsigned eager; /* in 8: how likely a call runs work beyond what it waits for */
    unsigned lazy;  /* the thread: up to how often it yields before an operation */
    uint64_t ran;
    /* streams.c, graph.c, device.c */
    struct fake_stream *streams, null_stream[MAX_DEVICES];
    struct fake_event *events;
    struct fake_graph *graphs;
    struct fake_exec *execs;
    struct fake_module *modules;
    struct fake_context contexts[MAX_DEVICES];
} fake_state;

extern fake_state fake;

/* control.c */

/* Start of each call: takes the lock, counts, and says whether the call is to fail: then (and only
 * then) the lock is free again. `needs`: what must be there. */
typedef enum fake_needs { NEEDS_NOTHING, NEEDS_INIT, NEEDS_CONTEXT } fake_needs;
cu_result fake_enter(const char *name, fake_needs needs);
/* For calls that give something back: always holds the lock afterwards; the error is returned after
 * the work. */
cu_result fake_enter_release(const char *name);
/* End of each call: frees the lock, returns `result`. */
cu_result fake_leave(cu_result result);
/* Makes an error stick to a device: its pending work is dropped. With the lock. */
void fake_lose(int device, cu_result error);
/* The error that a device is lost by; of no device (-1) only when all are. With the lock. */
cu_result fake_sticky(int device);
uint64_t fake_random(void);
/* Zeroed; the process ends where there is none. */
void *fake_take(size_t count, size_t bytes);
_Noreturn void fake_die(const char *text);

#define ENTER(needs)                                           \
    do {                                                       \
        const cu_result entered = fake_enter(__func__, needs); \
        if (entered != CU_SUCCESS)                             \
            return entered;                                    \
    } while (0)

/* device.c */
int fake_current_device(void); /* of the calling thread's context; -1: none */
const struct fake_function *fake_find_kernel(const char *name);
void fake_drop_devices(void);

/* memory.c */
void fake_memory_init(void);
void fake_memory_drop(void);
bool fake_is_device(uint64_t address);
/* Pointer to `bytes` at an address that work may touch: an alias of device memory, or pinned memory
 * itself. NULL: not allocated, not mapped or too long. With the lock. */
void *fake_resolve(uint64_t address, size_t bytes);
/* Whether these host bytes are pinned. With the lock. */
bool fake_is_pinned(const void *host, size_t bytes);
/* Frees device memory; false when `address` is none. With the lock. */
bool fake_free_device(uint64_t address);
/* False when a kernel wrote behind the end of an allocation. With the lock. */
bool fake_tails_whole(void);
size_t fake_memory_live(size_t counts[5]);

/* schedule.c: all with the lock. */
fake_op *fake_op_new(fake_kind kind);
fake_op *fake_op_keep(fake_op *op);
void fake_op_drop(fake_op *op);
void fake_op_after(fake_op *op, fake_op *dep); /* NULL is fine */
/* Makes an operation wait for its turn. The caller keeps its reference. */
void fake_submit(fake_op *op);
/* Returns when the operation is done; gives its device's sticky error. */
cu_result fake_wait(fake_op *op);
/* Runs at most one operation, as a poll does in FAKE_CUDA_SYNC. */
void fake_poll(void);
/* Waits until nothing runs. */
void fake_quiet(void);
/* Marks the pending work of a device (-1: of all) as done without running it. */
void fake_drop_pending(int device);
void fake_schedule_init(void);
void fake_thread_stop(void); /* without the lock */
bool fake_in_callback(void);

/* streams.c */
struct fake_stream *fake_stream_find(cu_stream stream); /* NULL: no such stream */
/* Puts an operation on a stream, or into the graph that the stream is captured into. Takes `op`.
 * `wait`: returns when it is done. */
cu_result fake_put(struct fake_stream *stream, fake_op *op, bool wait);
/* Makes `op` follow what is on the stream, and be followed. */
void fake_follow(struct fake_stream *stream, fake_op *op);
void fake_drop_streams(void);
size_t fake_streams_live(size_t counts[2]);

/* graph.c */
void fake_capture(struct fake_stream *stream, fake_op *op); /* takes */
void fake_capture_wait(struct fake_stream *stream, struct fake_event *event);
void fake_heads_set(fake_op ***heads, size_t *count, fake_op *const *from, size_t from_count);
void fake_graph_drop(struct fake_graph *graph);
void fake_drop_graphs(void);
size_t fake_graphs_live(void);

/* work.c: runs an operation, without the lock. */
cu_result fake_perform(fake_op *op);

/* kernels.c */
void fake_kernels_init(void);

#endif
