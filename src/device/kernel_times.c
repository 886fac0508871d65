#include "device/kernel_times.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "device/cupti_api.h"
#include "device/library.h"

#define BUFFER_BYTES ((size_t)1 << 20)
#define NODE_NAME 96
#define NO_OWNER 0 /* its place in `owners`: no node of a network */

typedef struct cupti_api {
#define API_FIELD(member, symbol, arguments) vrs_cupti_result(*member) arguments;
    VRS_CUPTI_FUNCTIONS(API_FIELD)
#undef API_FIELD
} cupti_api;

#define API_SYMBOL(member, symbol, arguments) VRS_LIBRARY_SYMBOL(cupti_api, member, symbol)
static const vrs_library_symbol symbols[] = {VRS_CUPTI_FUNCTIONS(API_SYMBOL)};
#undef API_SYMBOL

static const vrs_library_spec spec = {
    .file = VRS_CUPTI_LIBRARY,
    .variable = "VRSEG_CUPTI_LIBRARY",
    .advice = "it comes with the CUDA toolkit 13, and as the Python package nvidia-cuda-cupti; "
              "VRSEG_CUPTI_LIBRARY may name the file",
    .symbols = symbols,
    .symbol_count = sizeof(symbols) / sizeof(symbols[0]),
};

/* A node of a network, for one batch size. */
typedef struct owner {
    int32_t batch;
    char node[NODE_NAME];
} owner;

/* Which owner a node of a CUDA graph has, by CUPTI's number. */
typedef struct graph_node {
    uint64_t id;
    int32_t owner;
} graph_node;

typedef struct entry {
    int32_t owner;
    uint32_t id;
    bool told;    /* a run of it was drained */
    char *kernel; /* owned */
    uint64_t runs, total_ns, least_ns, most_ns;
} entry;

/* A run by CUPTI's clock. */
typedef struct run {
    uint32_t id, device, stream;
    uint64_t start, end;
} run;

/* CUPTI's clock and vrs_now_ns() at one moment. */
typedef struct reading {
    int64_t cupti_ns, host_ns;
} reading;

/* Of all but `on`. Once CUPTI was subscribed to the driver goes on calling it until the process
 * ends, and it hands over its buffers once more then: it stays loaded, and the lock is there as
 * long. */
static vrs_mutex lock = {PTHREAD_MUTEX_INITIALIZER};

/* Arrays that grow; graph_nodes is sorted by id. */
static struct {
    atomic_bool on;
    cupti_api api;
    void *handle;
    vrs_cupti_subscriber subscriber;
    owner *owners;
    int32_t owner_count, owner_room;
    graph_node *graph_nodes;
    int32_t graph_node_count, graph_node_room;
    entry *entries;
    int32_t entry_count, entry_room;
    uint32_t last_id;
    run *runs; /* VRS_KERNEL_RUNS of them */
    int32_t run_count;
    uint64_t runs_beyond; /* that there was no room for */
    reading older, newer; /* the last two */
    bool short_of_memory;
} self;

/* The owner of what this thread records. */
static _Thread_local int32_t current;

static vrs_status failed(const char *what, vrs_cupti_result result)
{
    const char *text = NULL;
    if (self.api.result_text(result, &text) != VRS_CUPTI_SUCCESS || text == NULL)
        text = "unknown";
    return vrs_fail(VRS_DEVICE, "CUPTI: %s: %s", what, text);
}

/* Room for one more; NULL: memory is short. With the lock. */
static void *grown(void *array, int32_t count, int32_t *room, size_t size)
{
    if (count < *room)
        return array;
    int32_t more = *room > 0 ? 2 * *room : 64;
    void *larger = vrs_realloc(array, (size_t)more * size);
    if (larger == NULL) {
        self.short_of_memory = true;
        return NULL;
    }
    *room = more;
    return larger;
}

/* ---- owners ---- */

/* With the lock. Its place; NO_OWNER where memory is short. */
static int32_t owner_place(int32_t batch, const char *node)
{
    for (int32_t i = self.owner_count - 1; i > 0; i--)
        if (self.owners[i].batch == batch && strncmp(self.owners[i].node, node, NODE_NAME - 1) == 0)
            return i;
    owner *larger = grown(self.owners, self.owner_count, &self.owner_room, sizeof(owner));
    if (larger == NULL)
        return NO_OWNER;
    self.owners = larger;
    owner *o = &self.owners[self.owner_count];
    o->batch = batch;
    (void)snprintf(o->node, sizeof(o->node), "%s", node);
    return self.owner_count++;
}

/* The place where a number is, or belongs. */
static int32_t find_node(uint64_t id)
{
    int32_t low = 0, high = self.graph_node_count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (self.graph_nodes[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t owner_of(uint64_t id)
{
    int32_t at = find_node(id);
    bool known = at < self.graph_node_count && self.graph_nodes[at].id == id;
    return id != 0 && known ? self.graph_nodes[at].owner : NO_OWNER;
}

static void set_owner(uint64_t id, int32_t of)
{
    int32_t at = find_node(id);
    if (at < self.graph_node_count && self.graph_nodes[at].id == id) {
        self.graph_nodes[at].owner = of;
        return;
    }
    graph_node *larger =
        grown(self.graph_nodes, self.graph_node_count, &self.graph_node_room, sizeof(graph_node));
    if (larger == NULL)
        return;
    self.graph_nodes = larger;
    memmove(larger + at + 1, larger + at,
            (size_t)(self.graph_node_count - at) * sizeof(graph_node));
    larger[at] = (graph_node){id, of};
    self.graph_node_count++;
}

void vrs_kernel_times_enter(int32_t batch, const char *node)
{
    if (!vrs_kernel_times_on())
        return;
    vrs_mutex_lock(&lock);
    current = owner_place(batch, node);
    vrs_mutex_unlock(&lock);
}

void vrs_kernel_times_leave(void)
{
    current = NO_OWNER;
}

/* ---- what CUPTI calls ---- */

/* By the thread that records or instantiates, inside of the driver's call. */
static void node_made(void *opaque, int domain, uint32_t callback, const void *data)
{
    const vrs_cupti_resource *resource = data;
    const vrs_cupti_graph *graph = resource->descriptor;
    uint64_t id = 0, original = 0;
    (void)opaque;
    bool cloned = callback == VRS_CUPTI_NODE_CLONED;
    if (domain != VRS_CUPTI_DOMAIN_RESOURCE || graph == NULL ||
        (!cloned && (callback != VRS_CUPTI_NODE_CREATED || current == NO_OWNER)) ||
        self.api.graph_node_id(graph->node, &id) != VRS_CUPTI_SUCCESS)
        return;
    if (cloned && self.api.graph_node_id(graph->original_node, &original) != VRS_CUPTI_SUCCESS)
        return;
    vrs_mutex_lock(&lock);
    int32_t of = cloned ? owner_of(original) : current;
    if (of != NO_OWNER)
        set_owner(id, of);
    vrs_mutex_unlock(&lock);
}

static void give_buffer(uint8_t **buffer, size_t *size, size_t *most_records)
{
    *buffer = vrs_alloc(BUFFER_BYTES);
    *size = *buffer != NULL ? BUFFER_BYTES : 0;
    *most_records = 0; /* as many as fit */
}

/* With the lock. */
static entry *entry_of(int32_t of, const char *kernel)
{
    for (int32_t i = 0; i < self.entry_count; i++)
        if (self.entries[i].owner == of && strcmp(self.entries[i].kernel, kernel) == 0)
            return &self.entries[i];
    entry *larger = grown(self.entries, self.entry_count, &self.entry_room, sizeof(entry));
    if (larger == NULL)
        return NULL;
    self.entries = larger;
    char *copy = vrs_strdup(kernel);
    if (copy == NULL) {
        self.short_of_memory = true;
        return NULL;
    }
    self.entries[self.entry_count] =
        (entry){.owner = of, .id = ++self.last_id, .kernel = copy, .least_ns = UINT64_MAX};
    return &self.entries[self.entry_count++];
}

static void take_kernel(const vrs_cupti_kernel *k)
{
    uint64_t ns = k->end > k->start ? k->end - k->start : 0;
    entry *e = ns > 0 ? entry_of(owner_of(k->graph_node), k->name != NULL ? k->name : "") : NULL;
    if (e == NULL)
        return;
    e->runs++;
    e->total_ns += ns;
    e->least_ns = ns < e->least_ns ? ns : e->least_ns;
    e->most_ns = ns > e->most_ns ? ns : e->most_ns;
    if (self.run_count == VRS_KERNEL_RUNS)
        self.runs_beyond++;
    else
        self.runs[self.run_count++] = (run){e->id, k->device, k->stream, k->start, k->end};
}

/* By a thread of CUPTI, or one that flushes; also when nobody asks any more. */
static void take_buffer(void *context, uint32_t stream, uint8_t *buffer, size_t size, size_t used)
{
    void *record = NULL;
    (void)context;
    (void)stream;
    (void)size;
    vrs_mutex_lock(&lock);
    bool wanted = vrs_kernel_times_on();
    while (wanted && used > 0 && self.api.next_record(buffer, used, &record) == VRS_CUPTI_SUCCESS) {
        const vrs_cupti_kernel *k = record;
        if (k->kind == VRS_CUPTI_KIND_CONCURRENT_KERNEL)
            take_kernel(k);
    }
    vrs_mutex_unlock(&lock);
    vrs_free(buffer);
}

/* ---- the clocks ---- */

#define READINGS 5

/* Reads both clocks, several times: what took least between two readings of the host's counts. */
static vrs_cupti_result compare_clocks(reading *found)
{
    int64_t least_ns = INT64_MAX;
    for (int i = 0; i < READINGS; i++) {
        uint64_t now = 0;
        int64_t before = vrs_now_ns();
        vrs_cupti_result result = self.api.timestamp(&now);
        int64_t took = vrs_now_ns() - before;
        if (result != VRS_CUPTI_SUCCESS)
            return result;
        if (took < least_ns)
            *found = (reading){(int64_t)now, before + took / 2};
        least_ns = took < least_ns ? took : least_ns;
    }
    return VRS_CUPTI_SUCCESS;
}

/* A time of CUPTI's on the host's clock: between two readings by their line, else at the distance
 * of the nearer one. With the lock. */
static int64_t host_time(uint64_t cupti_ns)
{
    const reading *a = &self.older, *b = &self.newer;
    int64_t since = (int64_t)cupti_ns - a->cupti_ns, between = b->cupti_ns - a->cupti_ns;
    if (since >= between)
        return b->host_ns + (since - between);
    if (since <= 0)
        return a->host_ns + since;
    double share = (double)since / (double)between;
    return a->host_ns + (int64_t)(share * (double)(b->host_ns - a->host_ns));
}

/* ---- beginning and end ---- */

static vrs_status subscribe(void)
{
    static const uint32_t callbacks[] = {VRS_CUPTI_NODE_CREATED, VRS_CUPTI_NODE_CLONED};
    vrs_cupti_result result = self.api.subscribe(&self.subscriber, node_made, NULL);
    if (result != VRS_CUPTI_SUCCESS) {
        self.subscriber = NULL;
        return failed("it cannot be used, perhaps for another profiler", result);
    }
    for (size_t i = 0; i < 2 && result == VRS_CUPTI_SUCCESS; i++)
        result =
            self.api.enable_callback(1, self.subscriber, VRS_CUPTI_DOMAIN_RESOURCE, callbacks[i]);
    if (result == VRS_CUPTI_SUCCESS)
        result = self.api.activity_callbacks(give_buffer, take_buffer);
    if (result == VRS_CUPTI_SUCCESS)
        result = compare_clocks(&self.newer);
    self.older = self.newer;
    if (result == VRS_CUPTI_SUCCESS)
        result = self.api.activity_enable(VRS_CUPTI_KIND_CONCURRENT_KERNEL);
    return result == VRS_CUPTI_SUCCESS ? VRS_OK : failed("kernels cannot be followed", result);
}

static void forget_entries(void)
{
    for (int32_t i = 0; i < self.entry_count; i++)
        vrs_free(self.entries[i].kernel);
    self.entry_count = 0;
    self.run_count = 0;
    self.runs_beyond = 0;
}

static void clear(void)
{
    if (self.subscriber != NULL)
        (void)self.api.unsubscribe(self.subscriber);
    else
        vrs_library_close(self.handle);
    vrs_mutex_lock(&lock);
    forget_entries();
    vrs_free(self.entries);
    vrs_free(self.runs);
    vrs_free(self.graph_nodes);
    vrs_free(self.owners);
    memset(&self, 0, sizeof(self));
    vrs_mutex_unlock(&lock);
}

vrs_status vrs_kernel_times_start(void)
{
    if (vrs_kernel_times_on())
        return vrs_fail(VRS_INVALID, "kernels are followed already");
    vrs_status status = vrs_library_open(&spec, &self.api, &self.handle);
    if (status == VRS_OK && owner_place(0, "") != NO_OWNER) /* the first place is nobody's */
        status = VRS_NO_MEMORY;
    if (status == VRS_OK && self.owner_count != 1)
        status = VRS_NO_MEMORY;
    if (status == VRS_OK) {
        self.runs = vrs_alloc_array(VRS_KERNEL_RUNS, sizeof(run));
        status = self.runs == NULL ? VRS_NO_MEMORY : VRS_OK;
    }
    if (status == VRS_OK)
        status = subscribe();
    if (status != VRS_OK) {
        clear();
        return status;
    }
    atomic_store(&self.on, true);
    return VRS_OK;
}

bool vrs_kernel_times_on(void)
{
    return atomic_load_explicit(&self.on, memory_order_acquire);
}

void vrs_kernel_times_reset(void)
{
    if (!vrs_kernel_times_on())
        return;
    (void)self.api.flush(VRS_CUPTI_FLUSH_FORCED);
    vrs_mutex_lock(&lock);
    forget_entries();
    vrs_mutex_unlock(&lock);
}

static int by_start(const void *a, const void *b)
{
    const run *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start ? 1 : 0;
}

/* With the lock. */
static void visit_run(const run *r, vrs_kernel_run_fn visit, void *opaque)
{
    entry *e = self.entries;
    while (e->id != r->id) /* its entry is there as long as its runs */
        e++;
    const vrs_kernel_run seen = {.id = e->id,
                                 .first = !e->told,
                                 .device = r->device,
                                 .stream = r->stream,
                                 .begin_ns = host_time(r->start),
                                 .end_ns = host_time(r->end),
                                 .batch = self.owners[e->owner].batch,
                                 .node = self.owners[e->owner].node,
                                 .kernel = e->kernel};
    e->told = true;
    visit(opaque, &seen);
}

uint64_t vrs_kernel_times_drain(vrs_kernel_run_fn visit, void *opaque)
{
    reading now;
    if (!vrs_kernel_times_on())
        return 0;
    bool read = compare_clocks(&now) == VRS_CUPTI_SUCCESS; /* else the last one holds on */
    (void)self.api.flush(VRS_CUPTI_FLUSH_DONE);
    vrs_mutex_lock(&lock);
    if (read) {
        self.older = self.newer;
        self.newer = now;
    }
    if (self.run_count > 1)
        qsort(self.runs, (size_t)self.run_count, sizeof(run), by_start);
    for (int32_t i = 0; i < self.run_count; i++)
        visit_run(&self.runs[i], visit, opaque);
    uint64_t beyond = self.runs_beyond;
    self.run_count = 0;
    self.runs_beyond = 0;
    vrs_mutex_unlock(&lock);
    return beyond;
}

static int by_time(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return x->total_ns < y->total_ns ? 1 : x->total_ns > y->total_ns ? -1 : 0;
}

vrs_status vrs_kernel_times_visit(vrs_kernel_time_fn visit, void *opaque)
{
    if (!vrs_kernel_times_on())
        return VRS_OK;
    vrs_cupti_result result = self.api.flush(VRS_CUPTI_FLUSH_FORCED);
    vrs_mutex_lock(&lock);
    if (self.entry_count > 1)
        qsort(self.entries, (size_t)self.entry_count, sizeof(entry), by_time);
    for (int32_t i = 0; i < self.entry_count; i++) {
        const entry *e = &self.entries[i];
        const vrs_kernel_time time = {.batch = self.owners[e->owner].batch,
                                      .node = self.owners[e->owner].node,
                                      .kernel = e->kernel,
                                      .runs = e->runs,
                                      .total_us = (double)e->total_ns / 1e3,
                                      .least_us = (double)e->least_ns / 1e3,
                                      .most_us = (double)e->most_ns / 1e3};
        visit(opaque, &time);
    }
    bool all = !self.short_of_memory;
    vrs_mutex_unlock(&lock);
    if (result != VRS_CUPTI_SUCCESS)
        return failed("the last kernels cannot be had", result);
    return all ? VRS_OK
               : vrs_fail(VRS_NO_MEMORY, "memory was short: some kernels were not counted");
}

vrs_status vrs_kernel_times_pause(bool pause)
{
    if (!vrs_kernel_times_on())
        return VRS_OK;
    vrs_cupti_result result = pause ? self.api.activity_disable(VRS_CUPTI_KIND_CONCURRENT_KERNEL)
                                    : self.api.activity_enable(VRS_CUPTI_KIND_CONCURRENT_KERNEL);
    return result == VRS_CUPTI_SUCCESS ? VRS_OK : failed("kernels cannot be followed", result);
}

void vrs_kernel_times_stop(void)
{
    if (!vrs_kernel_times_on())
        return;
    (void)self.api.activity_disable(VRS_CUPTI_KIND_CONCURRENT_KERNEL);
    (void)self.api.flush(VRS_CUPTI_FLUSH_FORCED);
    atomic_store(&self.on, false);
    clear();
}
