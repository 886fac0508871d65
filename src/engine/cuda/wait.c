/* Waits for the GPU that end: a kernel or a library that hangs is named. */
#include <stdio.h>

#include "base/clock.h"
#include "engine/cuda/network.h"

/* Nothing that runs on the device can be ended: it counts as lost, and its driver is left alone, so
 * that nobody waits again. */
static vrs_status give_up(vrs_net *net, const char *what)
{
    char cause[VRS_DETAIL_SIZE];
    (void)snprintf(cause, sizeof cause, "%.100s: %s did not finish %.200s within %d s",
                   net->graph ? net->graph->name : "network",
                   vrs_device_get_properties(net->device)->name, what,
                   (int)(VRS_NET_WAIT_NS / VRS_NS_PER_S));
    vrs_device_set_hung(net->device, cause);
    return vrs_fail(VRS_TIMEOUT, "%s; start again, with another engine if it comes back", cause);
}

vrs_status vrs_net_await(vrs_net *net, vrs_device_event *event, const char *what)
{
    int64_t deadline_ns = vrs_now_ns() + VRS_NET_WAIT_NS;
    bool done = false;
    vrs_status status = vrs_device_event_query(event, &done);
    for (uint32_t tries = 0; status == VRS_OK && !done; tries++) {
        if (vrs_now_ns() >= deadline_ns)
            return give_up(net, what);
        vrs_clock_pause(tries);
        status = vrs_device_event_query(event, &done);
    }
    return status;
}

vrs_status vrs_net_settle(vrs_net *net)
{
    vrs_status status = vrs_device_event_record(net->end, net->stream);
    return status == VRS_OK ? vrs_net_await(net, net->end, net->doing[0] ? net->doing : "a copy")
                            : status;
}
