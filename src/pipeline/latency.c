#include "pipeline/latency.h"

static void count(vrs_latency_meter *meter, int64_t latency_ns, int64_t target_ns)
{
    vrs_histogram_add(&meter->times, latency_ns);
    if (target_ns > 0 && latency_ns > target_ns)
        atomic_fetch_add_explicit(&meter->missed, 1, memory_order_relaxed);
}

static void count_variation(vrs_latency_meter *meter, int64_t variation)
{
    atomic_fetch_add_explicit(&meter->variation, variation, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->steps, 1, memory_order_relaxed);
}

/* Between two frames of the same stream: the latencies of different ones have nothing to do with
 * each other. */
void vrs_latency_add(vrs_latency_meter *stream, vrs_latency_meter *all, int64_t latency_ns,
                     int64_t target_ns)
{
    int64_t latency = latency_ns > 1 ? latency_ns : 1;
    count(stream, latency, target_ns);
    count(all, latency, target_ns);
    if (stream->last > 0) {
        int64_t variation =
            latency > stream->last ? latency - stream->last : stream->last - latency;
        count_variation(stream, variation);
        count_variation(all, variation);
    }
    stream->last = latency;
}

vrs_latency vrs_latency_read(const vrs_latency_meter *meter)
{
    uint64_t steps = atomic_load_explicit(&meter->steps, memory_order_relaxed);
    int64_t variation = atomic_load_explicit(&meter->variation, memory_order_relaxed);
    return (vrs_latency){
        .frames = vrs_histogram_count(&meter->times),
        .missed = atomic_load_explicit(&meter->missed, memory_order_relaxed),
        .mean_ns = vrs_histogram_mean(&meter->times),
        .p50_ns = vrs_histogram_percentile(&meter->times, 0.50),
        .p95_ns = vrs_histogram_percentile(&meter->times, 0.95),
        .p99_ns = vrs_histogram_percentile(&meter->times, 0.99),
        .max_ns = vrs_histogram_max(&meter->times),
        .jitter_ns = steps > 0 ? variation / (int64_t)steps : 0,
    };
}
