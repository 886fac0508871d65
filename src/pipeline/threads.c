#include "pipeline/threads.h"

#define MAX_REQUESTS 64
#define MAX_ENGINE_THREADS 256
#define MAX_WORKERS 16
#define MIN_TICKETS 4
#define MAX_TICKETS 256
/* Of a ticket of an 8K stereo frame (7680x3840, 4:2:0): the source and a picture made of it, 44 MB
 * each, and as much again that an encoder holds. */
#define TICKET_BYTES (UINT64_C(3) * 7680 * 3840 * 3 / 2)

static int32_t clamp(int64_t value, int64_t low, int64_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

/* Tickets that a quarter of the memory holds. */
static int32_t tickets_in_memory(const vrs_allowance *machine)
{
    if (machine->memory == 0)
        return MAX_TICKETS;
    uint64_t count = machine->memory / 4 / TICKET_BYTES;
    return count < MIN_TICKETS ? MIN_TICKETS : count > MAX_TICKETS ? MAX_TICKETS : (int32_t)count;
}

/* One for each processor; the engine divides many of them among the sockets, so the same number for
 * each. */
static int32_t requests_of_cpu(const vrs_allowance *machine, int32_t usable)
{
    int32_t requests = clamp(usable, 1, MAX_REQUESTS);
    int32_t sockets = machine->sockets > 0 ? machine->sockets : 1;
    return requests >= 4 * sockets ? requests / sockets * sockets : requests;
}

/* A network on the GPU fills it with one batch for each lane, and every further one costs its
 * activations; one on the CPU has a request for each processor. */
static int32_t requests_beside_gpu(const vrs_thread_wish *wish, int32_t lanes, int32_t usable)
{
    return wish->network_on_gpu ? lanes : clamp(usable, VRS_THREADS_LANES, MAX_REQUESTS);
}

vrs_thread_plan vrs_threads_choose(const vrs_allowance *machine, const vrs_thread_wish *wish)
{
    vrs_thread_plan plan = {0};
    int32_t usable = vrs_allowance_usable(machine);
    int32_t lanes = wish->lanes > 0 ? wish->lanes : VRS_THREADS_LANES;
    int32_t most = wish->gpu ? MAX_TICKETS : tickets_in_memory(machine);
    plan.engine_threads = clamp(usable, 1, MAX_ENGINE_THREADS);
    plan.requests = wish->requests;
    if (plan.requests == 0) {
        plan.requests =
            wish->gpu ? requests_beside_gpu(wish, lanes, usable) : requests_of_cpu(machine, usable);
        plan.requests = clamp(plan.requests, 1, clamp(most / wish->max_batch, 1, MAX_REQUESTS));
    }
    plan.lanes = wish->gpu ? clamp(lanes, 1, plan.requests) : 0;
    plan.preprocess = wish->preprocess > 0 ? wish->preprocess : clamp(usable / 4, 1, MAX_WORKERS);
    plan.postprocess =
        wish->postprocess > 0 ? wish->postprocess : clamp(usable / 2, 1, MAX_WORKERS);
    if (wish->gpu)
        plan.preprocess = plan.postprocess = plan.lanes; /* that are busy at once */
    int64_t in_flight = 2 * (int64_t)plan.requests * wish->max_batch;
    plan.tickets = clamp(in_flight + plan.preprocess + plan.postprocess + 2, MIN_TICKETS, most);
    if (wish->streams > 2)
        plan.tickets = clamp((2 * plan.tickets + wish->streams - 1) / wish->streams, MIN_TICKETS,
                             plan.tickets);
    return plan;
}
