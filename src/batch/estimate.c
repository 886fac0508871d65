#include "batch/estimate.h"

#include <assert.h>

/* The ring's samples without the slowest ones: the largest of the rest. */
static int64_t usual_of(const int64_t *samples, uint32_t count)
{
    int64_t sorted[VRS_BATCH_SAMPLES] = {0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = i;
        for (; place > 0 && sorted[place - 1] > samples[i]; place--)
            sorted[place] = sorted[place - 1];
        sorted[place] = samples[i];
    }
    uint32_t slowest = count >= 8 ? count / 8 : count >= 3 ? 1 : 0;
    return sorted[count - 1 - slowest];
}

void vrs_batch_estimate_add(vrs_batch_estimate *estimate, int32_t size, int64_t ns)
{
    assert(size >= 1 && size <= VRS_BATCH_MOST);
    uint32_t count = estimate->count[size];
    estimate->ns[size][count % VRS_BATCH_SAMPLES] = ns > 1 ? ns : 1;
    estimate->count[size] = count < UINT32_MAX - 1 ? count + 1 : VRS_BATCH_SAMPLES;
    estimate->last[size] = ++estimate->batches;
    uint32_t kept = count + 1 < VRS_BATCH_SAMPLES ? count + 1 : VRS_BATCH_SAMPLES;
    estimate->usual[size] = usual_of(estimate->ns[size], kept);
}

int64_t vrs_batch_estimate_get(const vrs_batch_estimate *estimate, int32_t size)
{
    assert(size >= 1 && size <= VRS_BATCH_MOST);
    const vrs_batch_estimate *e = estimate;
    if (e->usual[size] != 0 && e->batches - e->last[size] < VRS_BATCH_FRESH)
        return e->usual[size];
    int64_t most = INT64_MAX, least = 0;
    for (int32_t other = 1; other <= VRS_BATCH_MOST; other++) {
        int64_t usual = e->usual[other];
        if (usual == 0 || e->batches - e->last[other] >= VRS_BATCH_FRESH)
            continue;
        int64_t parts = other < size ? (size + other - 1) / other : 1;
        int64_t bound = usual > INT64_MAX / parts ? INT64_MAX : parts * usual;
        most = bound < most ? bound : most;
        least = other < size && usual > least ? usual : least;
    }
    int64_t value = e->usual[size];
    value = value == 0 || value > most ? most : value;
    value = value < least ? least : value;
    return e->batches == 0 ? 0 : value;
}
