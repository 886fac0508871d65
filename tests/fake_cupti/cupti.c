#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device/cupti_api.h"
#include "fake_cupti/counters.h"
#include "fake_cupti/fake_cupti.h"

#define FAKE __attribute__((visibility("default")))
#define REFUSED 39
#define RECORD_BYTES 216 /* sizeof(CUpti_ActivityKernel10) */
#define OTHER_BYTES 64   /* of a record of another kind */

#define DECLARE(member, symbol, arguments) FAKE vrs_cupti_result symbol arguments;
VRS_CUPTI_FUNCTIONS(DECLARE)
#undef DECLARE

struct CUpti_Subscriber_st {
    vrs_cupti_callback callback;
    void *opaque;
    int created, cloned;
};

static struct CUpti_Subscriber_st one;
static int subscribed, active, buffers_out;
static vrs_cupti_request request;
static vrs_cupti_complete complete;
static uint8_t *buffer;
static size_t size, used, read_at;

vrs_cupti_result fake_cupti_leave(const char *function)
{
    const char *refused = getenv("VRSEG_FAKE_CUPTI"), *as = getenv("VRSEG_FAKE_CUPTI_RESULT");
    bool refuses = refused != NULL && strcmp(refused, function) == 0;
    return !refuses ? VRS_CUPTI_SUCCESS : as != NULL ? atoi(as) : REFUSED;
}

vrs_cupti_result cuptiSubscribe(vrs_cupti_subscriber *subscriber, vrs_cupti_callback callback,
                                void *opaque)
{
    if (subscribed)
        return REFUSED;
    vrs_cupti_result result = fake_cupti_leave("cuptiSubscribe");
    if (result == VRS_CUPTI_SUCCESS) {
        one = (struct CUpti_Subscriber_st){.callback = callback, .opaque = opaque};
        subscribed = 1;
        *subscriber = &one;
    }
    return result;
}

vrs_cupti_result cuptiUnsubscribe(vrs_cupti_subscriber subscriber)
{
    subscribed = subscriber == &one ? 0 : subscribed;
    return VRS_CUPTI_SUCCESS;
}

vrs_cupti_result cuptiEnableCallback(uint32_t enable, vrs_cupti_subscriber subscriber, int domain,
                                     uint32_t id)
{
    if (domain == VRS_CUPTI_DOMAIN_RESOURCE) {
        subscriber->created |= id == VRS_CUPTI_NODE_CREATED && enable != 0;
        subscriber->cloned |= id == VRS_CUPTI_NODE_CLONED && enable != 0;
    }
    return fake_cupti_leave("cuptiEnableCallback");
}

vrs_cupti_result cuptiActivityEnable(int kind)
{
    active = kind == VRS_CUPTI_KIND_CONCURRENT_KERNEL;
    return fake_cupti_leave("cuptiActivityEnable");
}

vrs_cupti_result cuptiActivityDisable(int kind)
{
    (void)kind;
    active = 0;
    return VRS_CUPTI_SUCCESS;
}

vrs_cupti_result cuptiActivityRegisterCallbacks(vrs_cupti_request asks, vrs_cupti_complete gives)
{
    request = asks;
    complete = gives;
    return fake_cupti_leave("cuptiActivityRegisterCallbacks");
}

vrs_cupti_result cuptiActivityGetNextRecord(uint8_t *from, size_t bytes, void **record)
{
    uint32_t kind;
    if (read_at >= bytes)
        return VRS_CUPTI_MAX_LIMIT_REACHED;
    memcpy(&kind, from + read_at, sizeof(kind));
    *record = from + read_at;
    read_at += kind == VRS_CUPTI_KIND_CONCURRENT_KERNEL ? RECORD_BYTES : OTHER_BYTES;
    return VRS_CUPTI_SUCCESS;
}

static void hand_back(void)
{
    uint8_t *full = buffer;
    if (full == NULL)
        return;
    buffer = NULL;
    read_at = 0;
    buffers_out--;
    complete(NULL, 0, full, size, used);
    used = 0;
}

/* What the stand-in's clock shows: what a test set, else the time of day. */
static uint64_t test_time;

vrs_cupti_result cuptiGetTimestamp(uint64_t *ns)
{
    struct timespec now;
    (void)timespec_get(&now, TIME_UTC);
    *ns = test_time != 0 ? test_time : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    return fake_cupti_leave("cuptiGetTimestamp");
}

vrs_cupti_result cuptiActivityFlushAll(uint32_t flag)
{
    uint64_t now = 0;
    (void)flag;
    if (active && getenv("VRSEG_FAKE_CUPTI_KERNELS") != NULL) {
        (void)cuptiGetTimestamp(&now);
        fake_cupti_kernel("of_a_flush", now, now + 1, 0);
    }
    hand_back();
    return fake_cupti_leave("cuptiActivityFlushAll");
}

vrs_cupti_result cuptiGetGraphNodeId(vrs_cupti_node node, uint64_t *id)
{
    *id = (uint64_t)(uintptr_t)node; /* a test's node is its number */
    return fake_cupti_leave("cuptiGetGraphNodeId");
}

#ifndef FAKE_CUPTI_BROKEN
vrs_cupti_result cuptiGetResultString(vrs_cupti_result result, const char **text)
{
    *text = result == REFUSED ? "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED" : "unknown";
    return VRS_CUPTI_SUCCESS;
}
#endif

/* ---- what tests call ---- */

FAKE void fake_cupti_node(uint64_t id, uint64_t original)
{
    vrs_cupti_graph graph = {.node = (vrs_cupti_node)(uintptr_t)id,
                             .original_node = (vrs_cupti_node)(uintptr_t)original};
    const vrs_cupti_resource resource = {.descriptor = &graph};
    if (!subscribed || !(original != 0 ? one.cloned : one.created))
        return;
    one.callback(one.opaque, VRS_CUPTI_DOMAIN_RESOURCE,
                 original != 0 ? VRS_CUPTI_NODE_CLONED : VRS_CUPTI_NODE_CREATED, &resource);
}

static uint8_t *place(size_t bytes)
{
    size_t most = 0;
    if (buffer != NULL && used + bytes > size)
        hand_back();
    if (buffer == NULL) {
        request(&buffer, &size, &most);
        buffers_out += buffer != NULL;
    }
    if (buffer == NULL)
        return NULL;
    memset(buffer + used, 0xAB, bytes);
    used += bytes;
    return buffer + used - bytes;
}

FAKE void fake_cupti_time(uint64_t ns)
{
    test_time = ns;
}

FAKE void fake_cupti_kernel(const char *name, uint64_t start, uint64_t end, uint64_t node)
{
    fake_cupti_kernel_on(name, start, end, node, 0, 7);
}

FAKE void fake_cupti_kernel_on(const char *name, uint64_t start, uint64_t end, uint64_t node,
                               uint32_t device, uint32_t stream)
{
    uint8_t *at = active ? place(OTHER_BYTES) : NULL;
    const uint32_t other = 1, kind = VRS_CUPTI_KIND_CONCURRENT_KERNEL;
    if (at != NULL)
        memcpy(at, &other, sizeof(other));
    at = active ? place(RECORD_BYTES) : NULL;
    if (at == NULL)
        return;
    memcpy(at, &kind, sizeof(kind));
    memcpy(at + 16, &start, sizeof(start)); /* as offsetof() says of NVIDIA's own header */
    memcpy(at + 24, &end, sizeof(end));
    memcpy(at + 40, &device, sizeof(device));
    memcpy(at + 48, &stream, sizeof(stream));
    memcpy(at + 104, &name, sizeof(name));
    memcpy(at + 144, &node, sizeof(node));
}

FAKE void fake_cupti_end(void)
{
    int before = active;
    active = 1;
    fake_cupti_kernel("at_the_end", 0, 1000, 0);
    active = before;
    hand_back();
}

FAKE int fake_cupti_left(void)
{
    return subscribed + active + buffers_out + fake_cupti_counters_left();
}
