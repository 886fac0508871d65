/* Plans of the providers that compile, made by threads before they are timed.
 *
 * The thread that makes the engine does none of the work: it looks after those that do, says how
 * far they are, and gives up where a library does not come back. Then the last thread to end clears
 * up, so everything that the threads touch is in here. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "engine/cuda/network.h"

#define PLANS_MAX 16

/* What one provider has for one convolution. */
typedef struct made {
    vrs_conv conv;
    int32_t count;
    bool wanted; /* is made at all */
    vrs_conv_plan *plans[PLANS_MAX];
} made;

/* A convolution of the network. Where all of it may not be possible at once, `less` is what
 * vrs_net_leave_out() leaves. */
typedef struct unit {
    char name[64]; /* of the first node that wants it */
    int32_t provider;
    bool may_leave_out;
    made whole, less;
} unit;

/* What a thread is at. */
typedef struct work_at {
    int64_t begun_ns; /* its call into the library */
    int32_t unit;     /* -1: it is not in there */
} work_at;

struct vrs_net_prepared {
    char network[96];
    vrs_device *device;
    int32_t provider_count;
    const vrs_conv_provider *providers[VRS_NET_PROVIDERS];
    /* Of those that compile, for each thread. */
    void *states[VRS_NET_PROVIDERS][VRS_NET_WORKERS];
    unit *units;
    int32_t count;
    vrs_thread threads[VRS_NET_WORKERS];
    int32_t started;
    atomic_int next;   /* unit to be taken by a thread */
    atomic_int worker; /* how many threads have begun */
    atomic_int status; /* the first failure of the machine; ends the work */
    vrs_mutex mutex;   /* of all below, and of `wanted` of what is left */
    vrs_cond changed;
    bool has_mutex, has_changed;
    work_at at[VRS_NET_WORKERS];
    int32_t working; /* threads that have not ended */
    int32_t finished;
    bool abandoned; /* the last thread frees */
    vrs_engine_effort effort;
};

/* --- what there is to do --- */

static made *find(vrs_net_prepared *p, int32_t provider, const vrs_conv *conv)
{
    for (int32_t i = 0; i < p->count; i++) {
        unit *u = &p->units[i];
        if (u->provider == provider && vrs_conv_same(&u->whole.conv, conv))
            return &u->whole;
    }
    for (int32_t i = 0; i < p->count; i++) {
        unit *u = &p->units[i];
        if (u->provider == provider && u->less.wanted && vrs_conv_same(&u->less.conv, conv))
            return &u->less;
    }
    return NULL;
}

static void add(vrs_net_prepared *p, int32_t provider, const vrs_conv *conv, const vrs_node *node,
                bool may_leave_out)
{
    if (find(p, provider, conv))
        return;
    unit *u = &p->units[p->count++];
    (void)snprintf(u->name, sizeof u->name, "%s", node->name);
    u->provider = provider;
    u->may_leave_out = may_leave_out;
    u->whole.wanted = true;
    memcpy(&u->whole.conv, conv, sizeof *conv);
}

/* The convolution of a node, also with what follows. */
static void add_node(vrs_net_prepared *p, const vrs_net *net, int32_t provider, int32_t index)
{
    const vrs_node *node = &net->graph->nodes[index];
    int32_t next = vrs_net_only_reader(net, node->outputs[0]);
    vrs_conv conv = vrs_net_describe_conv(net, index, false);
    add(p, provider, &conv, node, true);
    if (next >= 0 && net->roles[next] == VRS_NET_FOLLOW) {
        conv = vrs_net_describe_conv(net, index, true);
        add(p, provider, &conv, node, false);
    }
}

static bool is_conv(const vrs_net *net, int32_t index)
{
    vrs_op op = net->graph->nodes[index].op;
    return (op == VRS_OP_CONV || op == VRS_OP_CONV_TRANSPOSED) && net->roles[index] != VRS_NET_GONE;
}

/* True FP32 that kernels of ours run: others gain little there, and those of cuDNN hold gigabytes
 * of the GPU's memory from their first run on. */
static bool is_ours(const vrs_net *net, int32_t index)
{
    vrs_conv conv = vrs_net_describe_conv(net, index, false);
    bool exact = conv.in_type == VRS_NET_F32 && !conv.tf32, found = false;
    for (int32_t i = 0; i < net->provider_count - 1 && exact && !found; i++) {
        const vrs_conv_provider *by = net->providers[i];
        found = !by->compiles && net->states[i] && by->candidates(net->states[i], &conv) > 0;
    }
    return found;
}

static void gather(vrs_net_prepared *p, const vrs_net *net)
{
    for (int32_t provider = 0; provider < net->provider_count; provider++) {
        if (!net->providers[provider]->compiles || !net->states[provider])
            continue;
        for (int32_t n = 0; n < net->graph->node_count; n++)
            if (is_conv(net, n) && !is_ours(net, n))
                add_node(p, net, provider, n);
    }
}

/* --- the threads --- */

/* Marks that a thread goes into the library for a unit, or has come back (-1). */
static void mark(vrs_net_prepared *p, int32_t worker, int32_t index)
{
    vrs_mutex_lock(&p->mutex);
    p->at[worker] = (work_at){vrs_now_ns(), index};
    vrs_mutex_unlock(&p->mutex);
}

static void count(vrs_net_prepared *p, int32_t asked, int32_t tried, int32_t refused, int32_t late)
{
    vrs_mutex_lock(&p->mutex);
    p->effort.asked += asked;
    p->effort.made += tried - refused;
    p->effort.refused += refused;
    p->effort.late += late;
    vrs_mutex_unlock(&p->mutex);
}

/* All candidates for one convolution; how many there are. One that is refused stays NULL; what is
 * not made in time is left out, for the first are the best guesses. */
static int32_t make(vrs_net_prepared *p, int32_t index, made *m, int32_t worker)
{
    const unit *u = &p->units[index];
    const vrs_conv_provider *by = p->providers[u->provider];
    void *state = p->states[u->provider][worker];
    int64_t end_ns = vrs_now_ns() + VRS_NET_NODE_NS;
    int32_t good = 0, tried = 0;
    mark(p, worker, index);
    int32_t offered = by->candidates(state, &m->conv);
    offered = offered < PLANS_MAX ? offered : PLANS_MAX;
    while (tried < offered && (good == 0 || vrs_now_ns() < end_ns)) {
        mark(p, worker, index);
        vrs_status status = by->prepare(state, &m->conv, tried, &m->plans[tried]);
        if (status != VRS_OK)
            m->plans[tried] = NULL;
        if (status == VRS_NO_MEMORY || status == VRS_DEVICE_LOST)
            atomic_store(&p->status, (int)status);
        good += status == VRS_OK ? 1 : 0;
        tried++;
    }
    mark(p, worker, -1);
    m->count = tried;
    count(p, 1, tried, tried - good, offered - tried);
    return good;
}

/* Whether what is left of a unit is for this thread to make: nobody else has it. */
static bool claim(vrs_net_prepared *p, unit *u, const vrs_conv *conv)
{
    vrs_mutex_lock(&p->mutex);
    bool free = find(p, u->provider, conv) == NULL;
    if (free) {
        memcpy(&u->less.conv, conv, sizeof *conv);
        u->less.wanted = true;
    }
    vrs_mutex_unlock(&p->mutex);
    return free;
}

static void make_unit(vrs_net_prepared *p, int32_t index, int32_t worker)
{
    unit *u = &p->units[index];
    int32_t good = make(p, index, &u->whole, worker);
    vrs_conv less;
    memcpy(&less, &u->whole.conv, sizeof less);
    if (u->may_leave_out && vrs_net_leave_out(&less, good > 0) && claim(p, u, &less))
        (void)make(p, index, &u->less, worker);
    vrs_mutex_lock(&p->mutex);
    p->finished++;
    vrs_cond_broadcast(&p->changed);
    vrs_mutex_unlock(&p->mutex);
}

/* Opens the thread's states; the first uses those that are there. */
static bool open_states(vrs_net_prepared *p, int32_t worker)
{
    bool open = true;
    for (int32_t i = 0; i < p->provider_count && worker > 0 && open; i++) {
        void **state = &p->states[i][worker];
        if (p->providers[i]->compiles && p->states[i][0] && !*state) {
            mark(p, worker, 0); /* a library may hang here, too */
            open = p->providers[i]->open(p->device, state) == VRS_OK;
            mark(p, worker, -1);
        }
    }
    return open; /* where not, the others do the work */
}

static void free_plans(vrs_net_prepared *p)
{
    for (int32_t i = 0; i < p->count; i++) {
        for (int32_t k = 0; k < PLANS_MAX; k++) {
            vrs_conv_plan *plans[] = {p->units[i].whole.plans[k], p->units[i].less.plans[k]};
            for (size_t j = 0; j < 2; j++)
                if (plans[j])
                    plans[j]->provider->destroy(plans[j]);
        }
    }
}

static void free_rest(vrs_net_prepared *p)
{
    if (p->has_mutex)
        vrs_mutex_destroy(&p->mutex);
    if (p->has_changed)
        vrs_cond_destroy(&p->changed);
    vrs_free(p->units);
    vrs_free(p);
}

/* What an engine that is gone has left to its threads. */
static void clear_up(vrs_net_prepared *p)
{
    vrs_device *device = p->device;
    free_plans(p);
    for (int32_t i = 0; i < p->provider_count; i++) {
        for (int32_t w = 0; w < VRS_NET_WORKERS; w++)
            if (p->states[i][w])
                p->providers[i]->close(p->states[i][w]);
    }
    free_rest(p);
    vrs_device_release(device);
}

static void work(void *opaque)
{
    vrs_net_prepared *p = opaque;
    int32_t worker = atomic_fetch_add(&p->worker, 1);
    bool open = open_states(p, worker);
    for (int32_t i = atomic_fetch_add(&p->next, 1);
         open && i < p->count && atomic_load(&p->status) == VRS_OK;
         i = atomic_fetch_add(&p->next, 1))
        make_unit(p, i, worker);
    vrs_mutex_lock(&p->mutex);
    bool last = --p->working == 0 && p->abandoned;
    vrs_cond_broadcast(&p->changed);
    vrs_mutex_unlock(&p->mutex);
    if (last)
        clear_up(p);
}

/* --- the thread that looks after them --- */

/* The call that has lasted longest; NULL: none is under way. With the mutex. */
static const work_at *longest(const vrs_net_prepared *p)
{
    const work_at *found = NULL;
    for (int32_t i = 0; i < p->started; i++) {
        bool busy = p->at[i].unit >= 0;
        found = busy && (!found || p->at[i].begun_ns < found->begun_ns) ? &p->at[i] : found;
    }
    return found;
}

static void tell(const vrs_net *net, const vrs_net_prepared *p, int32_t finished)
{
    const char *name = finished > 0 ? p->units[finished - 1].name : "";
    vrs_net_tell(net, "plans", finished, p->count, name);
}

/* Until all threads have ended, or one is not coming back. With the mutex. */
static vrs_status look_after(vrs_net_prepared *p, const vrs_net *net)
{
    int32_t told = -1;
    while (p->working > 0) {
        if (told != p->finished) {
            told = p->finished;
            vrs_mutex_unlock(&p->mutex); /* the caller's function may take its time */
            tell(net, p, told);
            vrs_mutex_lock(&p->mutex);
            continue;
        }
        const work_at *at = longest(p);
        int64_t now_ns = vrs_now_ns();
        int64_t end_ns = (at ? at->begun_ns : now_ns) + VRS_NET_STUCK_NS;
        if (at && now_ns >= end_ns) {
            const unit *u = &p->units[at->unit];
            atomic_store(&p->status, (int)VRS_ENGINE); /* the others end */
            return vrs_fail(VRS_ENGINE,
                            "%s: %s has not come back from making a plan of the node %s for %d s; "
                            "try another precision, batch size or engine",
                            p->network, p->providers[u->provider]->name, u->name,
                            (int)(VRS_NET_STUCK_NS / VRS_NS_PER_S));
        }
        (void)vrs_cond_wait_until(&p->changed, &p->mutex, end_ns);
    }
    return VRS_OK;
}

static vrs_status create(const vrs_net *net, vrs_net_prepared **result)
{
    vrs_net_prepared *p = vrs_alloc(sizeof *p);
    *result = p;
    if (!p)
        return VRS_NO_MEMORY;
    (void)snprintf(p->network, sizeof p->network, "%s", net->graph->name);
    p->device = net->device;
    p->provider_count = net->provider_count;
    memcpy(p->providers, net->providers, sizeof p->providers);
    for (int32_t i = 0; i < net->provider_count; i++) {
        memcpy(p->states[i], net->worker_states[i], sizeof p->states[i]);
        p->states[i][0] = net->providers[i]->compiles ? net->states[i] : NULL;
    }
    for (int32_t w = 0; w < VRS_NET_WORKERS; w++)
        p->at[w].unit = -1;
    vrs_status status = vrs_mutex_init(&p->mutex);
    p->has_mutex = status == VRS_OK;
    if (status == VRS_OK) {
        status = vrs_cond_init(&p->changed);
        p->has_changed = status == VRS_OK;
    }
    size_t most = (size_t)net->graph->node_count * VRS_NET_PROVIDERS * 2 + 1;
    p->units = vrs_alloc_array(most, sizeof *p->units);
    return status == VRS_OK && !p->units ? VRS_NO_MEMORY : status;
}

/* At least one thread, or why there is none. */
static vrs_status start(vrs_net_prepared *p, int32_t wanted)
{
    vrs_status status = VRS_OK;
    p->working = wanted; /* before they count down */
    while (p->started < wanted && status == VRS_OK) {
        status = vrs_thread_start(&p->threads[p->started], "vrs-compile", work, p);
        p->started += status == VRS_OK ? 1 : 0;
    }
    vrs_mutex_lock(&p->mutex);
    p->working -= wanted - p->started;
    vrs_mutex_unlock(&p->mutex);
    return p->started > 0 ? VRS_OK : status;
}

/* All threads have ended: what they opened is the network's. */
static void join(vrs_net_prepared *p, vrs_net *net)
{
    for (int32_t i = 0; i < p->started; i++)
        vrs_thread_join(&p->threads[i]);
    for (int32_t i = 0; i < net->provider_count; i++)
        for (int32_t w = 1; w < VRS_NET_WORKERS; w++)
            net->worker_states[i][w] = p->states[i][w];
}

static vrs_status end_of(const vrs_net_prepared *p, const vrs_net *net)
{
    vrs_status status = (vrs_status)atomic_load(&p->status);
    return status == VRS_OK
               ? VRS_OK
               : vrs_fail(status, "%s: compiling for %s: %s", net->graph->name,
                          vrs_device_get_properties(net->device)->name,
                          status == VRS_NO_MEMORY ? "out of memory" : "the GPU is lost");
}

static void add_effort(vrs_engine_effort *all, const vrs_engine_effort *more)
{
    all->asked += more->asked;
    all->made += more->made;
    all->refused += more->refused;
    all->late += more->late;
}

vrs_status vrs_net_prepare(vrs_net *net, vrs_net_prepared **result)
{
    vrs_status status = create(net, result);
    vrs_net_prepared *p = *result;
    if (status != VRS_OK)
        return status;
    gather(p, net);
    int32_t threads = net->workers < p->count ? net->workers : p->count;
    if (threads == 0)
        return VRS_OK;
    status = start(p, threads);
    if (status != VRS_OK)
        return status;
    vrs_mutex_lock(&p->mutex);
    status = look_after(p, net);
    add_effort(&net->effort, &p->effort);
    vrs_mutex_unlock(&p->mutex);
    if (status != VRS_OK)
        return status;
    join(p, net);
    return end_of(p, net);
}

/* --- what comes of it --- */

int32_t vrs_net_prepared_count(vrs_net_prepared *p, int32_t provider, const vrs_conv *conv)
{
    const made *m = find(p, provider, conv);
    return m ? m->count : 0;
}

vrs_conv_plan *vrs_net_prepared_take(vrs_net_prepared *p, int32_t provider, const vrs_conv *conv,
                                     int32_t candidate)
{
    made *m = find(p, provider, conv);
    vrs_conv_plan *plan = m->plans[candidate];
    m->plans[candidate] = NULL;
    return plan;
}

void vrs_net_prepared_free(vrs_net *net, vrs_net_prepared *p)
{
    if (!p)
        return;
    bool working = false;
    if (p->has_mutex) {
        vrs_mutex_lock(&p->mutex);
        working = p->working > 0;
        vrs_mutex_unlock(&p->mutex);
    }
    if (working) {
        net->stuck = p;
        return;
    }
    join(p, net);
    free_plans(p);
    free_rest(p);
}

void vrs_net_abandon(vrs_net *net)
{
    vrs_net_prepared *p = net->stuck;
    if (!p)
        return;
    net->stuck = NULL;
    for (int32_t i = 0; i < net->provider_count; i++) {
        if (net->providers[i]->compiles) {
            net->states[i] = NULL; /* the threads have them now */
            memset(net->worker_states[i], 0, sizeof net->worker_states[i]);
        }
    }
    vrs_device_hold(p->device);
    vrs_mutex_lock(&p->mutex);
    for (int32_t i = 0; i < p->started; i++)
        vrs_thread_detach(&p->threads[i]);
    bool ended = p->working == 0;
    p->abandoned = !ended;
    vrs_mutex_unlock(&p->mutex);
    if (ended)
        clear_up(p);
}
