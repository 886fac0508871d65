#include "batch/flight.h"

#include <assert.h>

/* Of the longest preparation so much is forgotten with each batch. */
#define FORGET 8

void vrs_batch_flight_sent(vrs_batch_flight *flight, int32_t size, int64_t now_ns)
{
    flight->count++;
    flight->sent_ns = now_ns;
    flight->size = size;
}

void vrs_batch_flight_ended(vrs_batch_flight *flight, int32_t size, int64_t sent_ns,
                            int64_t prepare_ns, bool good, int64_t now_ns)
{
    assert(flight->count > 0);
    int64_t begin_ns = sent_ns > flight->ended_ns ? sent_ns : flight->ended_ns;
    int64_t kept_ns = flight->prepare_ns - flight->prepare_ns / FORGET;
    flight->count--;
    flight->ended_ns = now_ns;
    if (!good)
        return;
    flight->prepare_ns = prepare_ns > kept_ns ? prepare_ns : kept_ns;
    vrs_batch_estimate_add(&flight->alone, size, now_ns - begin_ns);
}

int64_t vrs_batch_flight_until(const vrs_batch_flight *flight)
{
    if (flight->count != 1)
        return flight->count == 0 ? 0 : INT64_MAX;
    int64_t takes_ns = vrs_batch_estimate_get(&flight->alone, flight->size);
    int64_t begin_ns = flight->sent_ns > flight->ended_ns ? flight->sent_ns : flight->ended_ns;
    int64_t lead_ns = VRS_BATCH_LEAD_NS + flight->prepare_ns;
    if (takes_ns <= lead_ns)
        return 0;
    int64_t rest_ns = takes_ns - lead_ns;
    return begin_ns > INT64_MAX - rest_ns ? INT64_MAX : begin_ns + rest_ns;
}

/* Of a full batch's time: what a smaller one takes at least that counts as nearly as long; of its
 * size: what the smaller one has at most; of its time: how long to wait for more. */
#define NEARLY(value) ((value) / 4 * 3)
#define WORTH(value) ((value) / 4)

int32_t vrs_batch_flight_poor(const vrs_batch_flight *flight, int32_t limit)
{
    /* What is only bounded by other sizes would compare those with themselves. */
    bool known = flight->alone.usual[limit] != 0;
    int64_t full_ns = known ? vrs_batch_estimate_get(&flight->alone, limit) : 0;
    for (int32_t size = limit * 3 / 4; size > 0 && full_ns > 0; size--)
        if (vrs_batch_estimate_get(&flight->alone, size) > NEARLY(full_ns))
            return size;
    return 0;
}

int64_t vrs_batch_flight_poor_until(const vrs_batch_flight *flight, int32_t limit)
{
    if (flight->count > 0)
        return INT64_MAX;
    int64_t worth_ns = WORTH(vrs_batch_estimate_get(&flight->alone, limit));
    return flight->ended_ns > INT64_MAX - worth_ns ? INT64_MAX : flight->ended_ns + worth_ns;
}
