/* Speed of the CUDA kernels, as JSON for bench/kernels_cuda.py, which puts the peers beside it.
 *
 * A round is BENCH_CALLS calls on data in turn that is together more than the second-level cache
 * holds, captured as one CUDA graph, so that the host's queueing is not measured; timed by events
 * around its replay. A copy kernel that moves as many bytes (half of them in, half out) is timed
 * likewise; rounds of both are interleaved, values are medians. "limit" is those bytes at the rate
 * at which that kernel copies 1 GiB, measured first. The gap between two kernels of a graph (about
 * 1 us) is in the figures of both, but for kernels that overlap the one before them: those of whole
 * pictures (src/kernels/cuda/preprocess_whole.cu), whose figures are of calls after each other.
 *
 * Usage: bench_kernels_cuda [--device NAME] [--only TEXT] [--rounds N] [--plain N]
 * --plain N prints no figures: it queues N calls of each row without a graph, for profilers. */
#include "kernels_cuda.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/cuda.h"
#include "device/cuda/image.h"
#include "device/monitor.h"
#include "device/raw.h"
#include "kernels_cuda_naive.h"
#include "support.h"

#define DEFAULT_ROUNDS 31
#define WARM_ROUNDS 3
#define RANDOM_BYTES ((size_t)16 << 20)
#define COPY_BYTES ((size_t)1 << 30) /* of the large copy, in; and the room of the others */

const char bench_name[] = "kernels_cuda";

/* Of kernels_cuda_naive.cu, embedded as device/cuda/image.h says. */
extern const vrs_cuda_image bench_images[];

struct bench_cuda {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_event *begin, *end;
    const vrs_cu_api *api;
    const char *only;
    int rounds, plain;
    uint64_t *random;
    vrs_cu_module module; /* the bench's own kernels */
    vrs_cu_function copy;
    vrs_device_ptr copy_from, copy_to;
    double bytes_per_us; /* of the large copy, in and out */
};

vrs_device *bench_cuda_device(const bench_cuda *bench)
{
    return bench->device;
}

vrs_device_stream *bench_cuda_stream(const bench_cuda *bench)
{
    return bench->stream;
}

vrs_cu_function bench_cuda_function(const bench_cuda *bench, const char *name)
{
    vrs_cu_function function = NULL;
    bench_require_cuda(bench->api->module_function(&function, bench->module, name), name);
    return function;
}

void bench_cuda_launch(const bench_cuda *bench, vrs_cu_function function, const uint32_t grid[3],
                       uint32_t threads, const void *params, size_t bytes)
{
    void *extra[] = {VRS_CU_LAUNCH_PARAM_BUFFER_POINTER, (void *)(uintptr_t)params,
                     VRS_CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes, VRS_CU_LAUNCH_PARAM_END};
    bench_require_cuda(bench->api->launch(function, grid[0], grid[1], grid[2], threads, 1, 1, 0,
                                          vrs_device_stream_handle(bench->stream), NULL, extra),
                       "launch");
}

void bench_cuda_finish(const bench_cuda *bench)
{
    bench_require(vrs_device_event_record(bench->end, bench->stream));
    bench_require(vrs_device_event_wait(bench->end));
}

bool bench_cuda_wants(const bench_cuda *bench, const char *name)
{
    return bench->only == NULL || strstr(name, bench->only) != NULL;
}

vrs_device_ptr bench_cuda_random(const bench_cuda *bench, size_t bytes, uint64_t mask)
{
    uint64_t x = 88172645463325252U;
    for (size_t i = 0; i < RANDOM_BYTES / sizeof(*bench->random); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bench->random[i] = x & mask;
    }
    vrs_device_ptr address = 0;
    bench_require(vrs_device_raw_alloc(bench->device, bytes, &address));
    for (size_t at = 0; at < bytes; at += RANDOM_BYTES) {
        const size_t part = bytes - at < RANDOM_BYTES ? bytes - at : RANDOM_BYTES;
        bench_require(vrs_device_upload(bench->stream, address + at, bench->random, part));
    }
    bench_cuda_finish(bench);
    return address;
}

/* ---- rounds ---- */

static vrs_cu_graph_exec capture(const bench_cuda *b, const bench_call *call)
{
    vrs_cu_stream stream = vrs_device_stream_handle(b->stream);
    vrs_cu_graph graph = NULL;
    vrs_cu_graph_exec made = NULL;
    bench_require_cuda(b->api->capture_begin(stream, VRS_CU_CAPTURE_THREAD_LOCAL), "capture");
    for (int i = 0; i < BENCH_CALLS; i++)
        call->run(call->ctx, i);
    bench_require_cuda(b->api->capture_end(stream, &graph), "end of the capture");
    bench_require_cuda(b->api->graph_instantiate(&made, graph, 0), "graph");
    bench_require_cuda(b->api->graph_destroy(graph), "graph");
    bench_require_cuda(b->api->graph_upload(made, stream), "graph");
    return made;
}

/* Microseconds of one call. */
static double time_round(const bench_cuda *b, vrs_cu_graph_exec graph)
{
    double ms = 0.0;
    bench_require(vrs_device_event_record(b->begin, b->stream));
    bench_require_cuda(b->api->graph_launch(graph, vrs_device_stream_handle(b->stream)), "graph");
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
    bench_require(vrs_device_event_elapsed(b->begin, b->end, &ms));
    return ms * 1e3 / BENCH_CALLS;
}

/* A copy of `bytes` in and out together, from places that come in turn. */
typedef struct copy_job {
    const bench_cuda *bench;
    size_t bytes;
} copy_job;

static void run_copy(void *ctx, int rotation)
{
    enum { THREADS = 256 };
    const copy_job *job = ctx;
    const size_t words = (job->bytes + 31) / 32, step = (words * 16 + 511) / 512 * 512;
    const size_t places = COPY_BYTES / step, at = (size_t)rotation % places * step;
    const uint32_t grid[3] = {(uint32_t)((words + THREADS - 1) / THREADS), 1, 1};
    const bench_copy_params params = {job->bench->copy_from + at, job->bench->copy_to + at, words};
    bench_cuda_launch(job->bench, job->bench->copy, grid, THREADS, &params, sizeof(params));
}

static void print_row(bench_cuda *b, const bench_call *call, const double *runs, double copy_us)
{
    const double floor_us = call->bytes / b->bytes_per_us;
    printf(",\n  {\"name\": \"%s\", \"value\": %.6g, \"unit\": \"us\", \"better\": \"lower\", "
           "\"peer\": \"copy kernel, as many bytes\", \"peer_value\": %.6g, \"limit\": %.6g",
           call->name, bench_median(runs, b->rounds), copy_us, floor_us);
    if (call->most_us > 0 || call->times_floor > 0) {
        printf(", \"target\": %.6g",
               call->most_us > 0 ? call->most_us : call->times_floor * floor_us);
    }
    printf(", \"runs\": [");
    for (int i = 0; i < b->rounds; i++)
        printf("%s%.6g", i == 0 ? "" : ", ", runs[i]);
    printf("]}");
    fflush(stdout);
}

void bench_cuda_measure(bench_cuda *bench, const bench_call *call)
{
    if (!bench_cuda_wants(bench, call->name))
        return;
    if (bench->plain > 0) {
        for (int i = 0; i < bench->plain; i++)
            call->run(call->ctx, i);
        bench_cuda_finish(bench);
        return;
    }
    double ours[BENCH_MOST_ROUNDS], copies[BENCH_MOST_ROUNDS];
    copy_job copy = {bench, (size_t)call->bytes};
    vrs_cu_graph_exec graph = capture(bench, call);
    vrs_cu_graph_exec peer = capture(bench, &(bench_call){.run = run_copy, .ctx = &copy});
    for (int i = -WARM_ROUNDS; i < bench->rounds; i++) {
        const int at = i < 0 ? 0 : i;
        ours[at] = time_round(bench, graph);
        copies[at] = time_round(bench, peer);
    }
    print_row(bench, call, ours, bench_median(copies, bench->rounds));
    bench_require_cuda(bench->api->graph_exec_destroy(graph), "graph");
    bench_require_cuda(bench->api->graph_exec_destroy(peer), "graph");
}

/* ---- the program ---- */

/* The rate of a large copy: what every floor is reckoned with. */
static void measure_copy(bench_cuda *b)
{
    double rates[BENCH_MOST_ROUNDS];
    copy_job copy = {b, 2 * COPY_BYTES};
    vrs_cu_graph_exec graph = capture(b, &(bench_call){.run = run_copy, .ctx = &copy});
    for (int i = -1; i < 3; i++)
        rates[i < 0 ? 0 : i] = (double)copy.bytes / time_round(b, graph);
    bench_require_cuda(b->api->graph_exec_destroy(graph), "graph");
    b->bytes_per_us = bench_median(rates, 3);
}

static void print_head(bench_cuda *b)
{
    const vrs_device_properties *p = vrs_device_get_properties(b->device);
    vrs_monitor *monitor = NULL;
    const char *driver = "unknown";
    if (vrs_monitor_open_pci(p->pci, &monitor) == VRS_OK)
        driver = vrs_monitor_driver(monitor);
    printf("{\"versions\": {\"gpu\": \"%s\", \"driver\": \"%s\", \"cuda\": \"%d.%d\"},\n"
           " \"rows\": [\n  {\"name\": \"copy/copy kernel, 1 GiB, in and out\", \"value\": %.6g, "
           "\"unit\": \"GB/s\", \"better\": \"higher\"}",
           p->name, driver, p->driver_version / 1000, p->driver_version % 1000 / 10,
           b->bytes_per_us / 1e3);
    vrs_monitor_close(monitor);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: bench_kernels_cuda [--device NAME] [--only TEXT] [--rounds 1 to %d] "
            "[--plain CALLS]\n",
            BENCH_MOST_ROUNDS);
    return 2;
}

static void open_bench(bench_cuda *b, const char *device)
{
    bench_require(vrs_device_open(device, &b->device));
    b->api = vrs_cuda_api(b->device);
    if (b->api == NULL) {
        fprintf(stderr, "kernels_cuda: this is for a GPU\n");
        exit(2);
    }
    bench_require(vrs_device_stream_create(b->device, VRS_PRIORITY_NORMAL, &b->stream));
    bench_require(vrs_device_event_create(b->device, true, &b->begin));
    bench_require(vrs_device_event_create(b->device, true, &b->end));
    bench_require(vrs_device_enter(b->device));
    bench_require_cuda(b->api->module_load(&b->module, bench_images[0].data),
                       "the bench's kernels");
    b->copy = bench_cuda_function(b, "bench_copy");
    b->random = malloc(RANDOM_BYTES);
    if (b->random == NULL)
        bench_require(VRS_NO_MEMORY);
    if (b->plain == 0) {
        b->copy_from = bench_cuda_random(b, COPY_BYTES, UINT64_MAX);
        bench_require(vrs_device_raw_alloc(b->device, COPY_BYTES, &b->copy_to));
        measure_copy(b);
        print_head(b);
    }
}

int main(int argc, char **argv)
{
    bench_cuda b = {.rounds = DEFAULT_ROUNDS};
    const char *device = "cuda";
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value == NULL)
            return usage();
        if (strcmp(argv[i], "--device") == 0)
            device = value;
        else if (strcmp(argv[i], "--only") == 0)
            b.only = value;
        else if (strcmp(argv[i], "--rounds") == 0)
            b.rounds = atoi(value);
        else if (strcmp(argv[i], "--plain") == 0)
            b.plain = atoi(value);
        else
            return usage();
    }
    if (b.rounds < 1 || b.rounds > BENCH_MOST_ROUNDS || b.plain < 0)
        return usage();
    open_bench(&b, device);
    bench_cuda_preprocess(&b);
    bench_cuda_postprocess(&b);
    bench_cuda_pack(&b);
    bench_cuda_steady(&b);
    if (b.plain == 0)
        printf("\n]}\n");
    bench_require_cuda(b.api->module_unload(b.module), "the bench's kernels");
    vrs_device_leave(b.device);
    free(b.random);
    vrs_device_event_destroy(b.begin);
    vrs_device_event_destroy(b.end);
    vrs_device_stream_destroy(b.stream);
    vrs_device_close(b.device);
    return 0;
}
