/* Plans of the providers that compile, made by threads before they are timed. */
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "engine/cuda/network.h"

/* One convolution: all that one provider has for it. */
typedef struct unit {
    vrs_conv conv;
    int32_t provider, count;
    vrs_conv_plan *plans[16];
} unit;

#define PLANS_MAX ((int32_t)(sizeof((unit *)0)->plans / sizeof((unit *)0)->plans[0]))

struct vrs_net_prepared {
    vrs_net *net;
    unit *units;
    int32_t count;
    atomic_int next;   /* to be taken by a thread */
    atomic_int worker; /* how many threads have begun */
    atomic_int status; /* the first failure of the machine */
};

static const unit *find(const vrs_net_prepared *p, int32_t provider, const vrs_conv *conv)
{
    for (int32_t i = 0; i < p->count; i++) {
        if (p->units[i].provider == provider && vrs_conv_same(&p->units[i].conv, conv)) {
            return &p->units[i];
        }
    }
    return NULL;
}

static void add(vrs_net_prepared *p, int32_t provider, const vrs_conv *conv)
{
    if (!find(p, provider, conv)) {
        unit *u = &p->units[p->count++];
        u->provider = provider;
        memcpy(&u->conv, conv, sizeof *conv);
    }
}

/* The convolution of a node, with what follows and, where its activation may have to go, without.
 */
static void add_node(vrs_net_prepared *p, int32_t provider, int32_t index)
{
    const vrs_net *net = p->net;
    int32_t next = vrs_net_only_reader(net, net->graph->nodes[index].outputs[0]);
    vrs_conv conv = vrs_net_describe_conv(net, index, false);
    add(p, provider, &conv);
    bool runs = net->providers[provider]->candidates(net->states[provider], &conv) > 0;
    if (vrs_net_leave_out(&conv, runs)) {
        add(p, provider, &conv);
    }
    if (next >= 0 && net->roles[next] == VRS_NET_FOLLOW) {
        conv = vrs_net_describe_conv(net, index, true);
        add(p, provider, &conv);
    }
}

static bool is_conv(const vrs_net *net, int32_t index)
{
    vrs_op op = net->graph->nodes[index].op;
    return (op == VRS_OP_CONV || op == VRS_OP_CONV_TRANSPOSED) && net->roles[index] != VRS_NET_GONE;
}

static void gather(vrs_net_prepared *p)
{
    for (int32_t provider = 0; provider < p->net->provider_count; provider++) {
        if (!p->net->providers[provider]->compiles || !p->net->states[provider]) {
            continue;
        }
        for (int32_t n = 0; n < p->net->graph->node_count; n++) {
            if (is_conv(p->net, n)) {
                add_node(p, provider, n);
            }
        }
    }
}

/* All candidates of one unit by a thread with its own state. A candidate that is refused stays
 * NULL.
 */
static void make_unit(vrs_net_prepared *p, unit *u, int32_t worker)
{
    const vrs_conv_provider *by = p->net->providers[u->provider];
    void *state =
        worker == 0 ? p->net->states[u->provider] : p->net->worker_states[u->provider][worker];
    u->count = by->candidates(state, &u->conv);
    u->count = u->count < PLANS_MAX ? u->count : PLANS_MAX;
    for (int32_t i = 0; i < u->count; i++) {
        vrs_status status = by->prepare(state, &u->conv, i, &u->plans[i]);
        if (status != VRS_OK) {
            u->plans[i] = NULL;
        }
        if (status == VRS_NO_MEMORY || status == VRS_DEVICE_LOST) {
            atomic_store(&p->status, (int)status);
        }
    }
}

/* Opens the thread's states; the first uses those that are there. */
static bool open_states(vrs_net_prepared *p, int32_t worker)
{
    vrs_net *net = p->net;
    for (int32_t i = 0; i < net->provider_count && worker > 0; i++) {
        void **state = &net->worker_states[i][worker];
        if (net->providers[i]->compiles && net->states[i] && !*state &&
            net->providers[i]->open(net->device, state) != VRS_OK) {
            return false; /* then the others do the work */
        }
    }
    return true;
}

static void work(void *opaque)
{
    vrs_net_prepared *p = opaque;
    int32_t worker = atomic_fetch_add(&p->worker, 1);
    if (!open_states(p, worker)) {
        return;
    }
    for (;;) {
        int32_t i = atomic_fetch_add(&p->next, 1);
        if (i >= p->count || atomic_load(&p->status) != VRS_OK) {
            return;
        }
        make_unit(p, &p->units[i], worker);
    }
}

vrs_status vrs_net_prepare(vrs_net *net, vrs_net_prepared **result)
{
    vrs_net_prepared *p = vrs_alloc(sizeof *p);
    *result = p;
    if (!p) {
        return VRS_NO_MEMORY;
    }
    p->net = net;
    size_t most = (size_t)net->graph->node_count * VRS_NET_PROVIDERS * 3 + 1;
    p->units = vrs_alloc_array(most, sizeof *p->units);
    if (!p->units) {
        return VRS_NO_MEMORY;
    }
    gather(p);
    vrs_thread threads[VRS_NET_WORKERS] = {0};
    int32_t count = net->workers < p->count ? net->workers : p->count;
    int32_t started = 0;
    while (started + 1 < count &&
           vrs_thread_start(&threads[started], "vrs-compile", work, p) == VRS_OK) {
        started++;
    }
    work(p);
    for (int32_t i = 0; i < started; i++) {
        vrs_thread_join(&threads[i]);
    }
    vrs_status status = (vrs_status)atomic_load(&p->status);
    return status == VRS_OK
               ? VRS_OK
               : vrs_fail(status, "%s: compiling for %s: %s", net->graph->name,
                          vrs_device_get_properties(net->device)->name,
                          status == VRS_NO_MEMORY ? "out of memory" : "the GPU is lost");
}

int32_t vrs_net_prepared_count(const vrs_net_prepared *p, int32_t provider, const vrs_conv *conv)
{
    const unit *u = find(p, provider, conv);
    return u ? u->count : 0;
}

vrs_conv_plan *vrs_net_prepared_take(vrs_net_prepared *p, int32_t provider, const vrs_conv *conv,
                                     int32_t candidate)
{
    unit *u = (unit *)find(p, provider, conv);
    vrs_conv_plan *plan = u->plans[candidate];
    u->plans[candidate] = NULL;
    return plan;
}

void vrs_net_prepared_free(vrs_net_prepared *p)
{
    for (int32_t i = 0; p && i < p->count; i++) {
        for (int32_t k = 0; k < p->units[i].count; k++) {
            if (p->units[i].plans[k]) {
                p->units[i].plans[k]->provider->destroy(p->units[i].plans[k]);
            }
        }
    }
    if (p) {
        vrs_free(p->units);
    }
    vrs_free(p);
}
