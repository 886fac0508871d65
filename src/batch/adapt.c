#include "batch/adapt.h"

#include <assert.h>

/* A growth has lasted when there was no pressure for so many times the quiet before it. */
#define LASTED 10

void vrs_batch_adapt_init(vrs_batch_adapt *adapt, int32_t largest)
{
    assert(largest >= 1);
    *adapt =
        (vrs_batch_adapt){.largest = largest, .limit = largest, .quiet_ns = VRS_BATCH_QUIET_NS};
}

bool vrs_batch_adapt_press(vrs_batch_adapt *adapt, int64_t now_ns)
{
    if (adapt->grown) {
        bool lasted = now_ns - adapt->grown_ns >= LASTED * adapt->quiet_ns;
        int64_t longer = 2 * adapt->quiet_ns;
        adapt->quiet_ns = lasted                             ? VRS_BATCH_QUIET_NS
                          : longer < VRS_BATCH_MOST_QUIET_NS ? longer
                                                             : VRS_BATCH_MOST_QUIET_NS;
    }
    adapt->grown = false;
    adapt->pressed_ns = now_ns;
    if (adapt->limit == 1)
        return false;
    adapt->limit /= 2;
    return true;
}

int64_t vrs_batch_adapt_next_ns(const vrs_batch_adapt *adapt)
{
    if (adapt->limit == adapt->largest)
        return INT64_MAX;
    return (adapt->grown ? adapt->grown_ns : adapt->pressed_ns) + adapt->quiet_ns;
}

bool vrs_batch_adapt_grow(vrs_batch_adapt *adapt, int64_t now_ns)
{
    if (now_ns < vrs_batch_adapt_next_ns(adapt))
        return false;
    /* Up the stairs that it came down: 12, 6, 3, 1. */
    int32_t to = adapt->largest;
    while (to / 2 > adapt->limit)
        to /= 2;
    adapt->limit = to;
    adapt->grown = true;
    adapt->grown_ns = now_ns;
    return true;
}
