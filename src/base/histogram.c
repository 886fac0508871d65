#include "base/histogram.h"

#include <math.h>

#define SPLIT (UINT64_C(1) << VRS_HISTOGRAM_SPLIT)
#define LARGEST ((INT64_C(1) << VRS_HISTOGRAM_BITS) - 1)

/* Values below SPLIT have a bucket each. Above, the bits behind the leading one choose among the
 * SPLIT buckets of a doubling. */
static uint32_t bucket_of(int64_t value)
{
    if (value < 0)
        value = 0;
    uint64_t v = value > LARGEST ? (uint64_t)LARGEST : (uint64_t)value;
    if (v < SPLIT)
        return (uint32_t)v;
    uint32_t doubling = 63 - (uint32_t)__builtin_clzll(v) - VRS_HISTOGRAM_SPLIT;
    return (uint32_t)(SPLIT * (doubling + 1) + ((v >> doubling) & (SPLIT - 1)));
}

static int64_t middle_of(uint32_t bucket)
{
    if (bucket < SPLIT)
        return bucket;
    uint64_t doubling = bucket / SPLIT - 1;
    uint64_t low = (SPLIT + bucket % SPLIT) << doubling;
    return (int64_t)(low + ((UINT64_C(1) << doubling) - 1) / 2);
}

void vrs_histogram_add(vrs_histogram *histogram, int64_t value)
{
    int64_t counted = value > 0 ? value : 0;
    atomic_fetch_add_explicit(&histogram->sum, counted, memory_order_relaxed);
    int64_t max = atomic_load_explicit(&histogram->max, memory_order_relaxed);
    while (counted > max && !atomic_compare_exchange_weak(&histogram->max, &max, counted)) {
    }
    atomic_fetch_add_explicit(&histogram->counts[bucket_of(value)], 1, memory_order_release);
}

uint64_t vrs_histogram_count(const vrs_histogram *histogram)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < VRS_HISTOGRAM_BUCKETS; i++)
        count += atomic_load_explicit(&histogram->counts[i], memory_order_acquire);
    return count;
}

int64_t vrs_histogram_mean(const vrs_histogram *histogram)
{
    uint64_t count = vrs_histogram_count(histogram);
    return count > 0 ? atomic_load(&histogram->sum) / (int64_t)count : 0;
}

int64_t vrs_histogram_max(const vrs_histogram *histogram)
{
    return atomic_load(&histogram->max);
}

int64_t vrs_histogram_percentile(const vrs_histogram *histogram, double share)
{
    uint64_t count = vrs_histogram_count(histogram);
    if (count == 0)
        return 0;
    double wanted = ceil(share * (double)count);
    uint64_t rank = wanted < 1 ? 1 : wanted > (double)count ? count : (uint64_t)wanted;
    int64_t max = vrs_histogram_max(histogram);
    uint64_t below = 0;
    for (uint32_t i = 0; i < VRS_HISTOGRAM_BUCKETS; i++) {
        below += atomic_load_explicit(&histogram->counts[i], memory_order_acquire);
        if (below >= rank)
            return middle_of(i) < max ? middle_of(i) : max;
    }
    return max;
}
