/* What memory costs on a GPU, as JSON for bench/store.py: a slot of a pool beside the driver's own
 * allocators, copies from and to pinned slots beside the best pinned copy and beside pageable ones,
 * an arena's step, and how the ledger compares with what the driver counts.
 *
 * Expected before measuring, on an H200 (PCIe 5.0 x16): get and put are a mutex each, some 40 ns
 * together. cuMemAlloc and cuMemFree of 4 MB change page tables through the kernel's driver, 100 us
 * or more: over 1,000 times as long. cuMemAllocAsync and cuMemFreeAsync keep freed blocks and are
 * bookkeeping in user space with a stream's lock, 1 to 2 us: some 30 times. Copies: the bus gives
 * 55 GB/s each way, and a slot is the same memory as the driver's own, so 99 % or more of the best;
 * pageable memory goes through the driver's staging at the speed of a core's memcpy, about 20 GB/s
 * to the device and less back: 2.7 times at least.
 *
 * Rounds are interleaved, values are medians. Copies are timed by the clock from queueing to the
 * event, 8 in flight, over memory larger than the caches. Usage: memory [DEVICE] [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "device/cuda/cuda.h"
#include "device/device.h"
#include "device/memory.h"
#include "device/monitor.h"
#include "support.h"
#include "vrseg/system.h"

#define DEFAULT_ROUNDS 15
#define SLOT_BYTES (UINT64_C(4) << 20)
#define SLOTS 32
#define HELD 8 /* blocks that are out while others come and go */
#define PAIRS_POOL 200000
#define PAIRS_ASYNC 2000
#define PAIRS_ALLOC 50
#define IN_FLIGHT 8
#define COPIES 16

const char bench_name[] = "memory";

typedef struct bench {
    vrs_device *device;
    const vrs_cu_api *api;
    vrs_memory *memory;
    vrs_device_stream *stream;
    vrs_device_event *event;
    int rounds;
    bool first; /* no row was printed yet */
} bench;

/* ---- medians and rows ---- */

typedef struct row {
    const char *name, *unit, *better, *peer;
    double peer_value, target; /* 0: none */
    const double *runs;
} row;

static void print_row(bench *b, const row *r)
{
    printf("%s\n  {\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"better\": \"%s\"",
           b->first ? "" : ",", r->name, bench_median(r->runs, b->rounds), r->unit, r->better);
    b->first = false;
    if (r->peer != NULL)
        printf(", \"peer\": \"%s\", \"peer_value\": %.6g", r->peer, r->peer_value);
    if (r->target != 0)
        printf(", \"target\": %.6g", r->target);
    printf(", \"runs\": [");
    for (int i = 0; i < b->rounds; i++)
        printf("%s%.6g", i == 0 ? "" : ", ", r->runs[i]);
    printf("]}");
}

/* ---- taking and giving back ---- */

/* Nanoseconds of a get and a put, HELD slots out. */
static double time_pool(vrs_pool *pool)
{
    vrs_slot held[HELD];
    for (int i = 0; i < HELD; i++)
        if (!vrs_pool_get(pool, &held[i]))
            abort();
    int64_t start = vrs_now_ns();
    for (int i = 0; i < PAIRS_POOL; i++) {
        vrs_pool_put(pool, held[i % HELD].index);
        if (!vrs_pool_get(pool, &held[i % HELD]))
            abort();
    }
    double ns = (double)(vrs_now_ns() - start) / PAIRS_POOL;
    for (int i = 0; i < HELD; i++)
        vrs_pool_put(pool, held[i].index);
    return ns;
}

static double time_alloc(const vrs_cu_api *api)
{
    vrs_cu_ptr held[HELD];
    for (int i = 0; i < HELD; i++)
        bench_require_cuda(api->memory_alloc(&held[i], SLOT_BYTES), "cuMemAlloc");
    int64_t start = vrs_now_ns();
    for (int i = 0; i < PAIRS_ALLOC; i++) {
        bench_require_cuda(api->memory_free(held[i % HELD]), "cuMemFree");
        bench_require_cuda(api->memory_alloc(&held[i % HELD], SLOT_BYTES), "cuMemAlloc");
    }
    double ns = (double)(vrs_now_ns() - start) / PAIRS_ALLOC;
    for (int i = 0; i < HELD; i++)
        bench_require_cuda(api->memory_free(held[i]), "cuMemFree");
    return ns;
}

static double time_async(bench *b)
{
    vrs_cu_stream stream = vrs_device_stream_handle(b->stream);
    vrs_cu_ptr held[HELD];
    for (int i = 0; i < HELD; i++) {
        bench_require_cuda(b->api->memory_alloc_async(&held[i], SLOT_BYTES, stream),
                           "cuMemAllocAsync");
    }
    int64_t start = vrs_now_ns();
    for (int i = 0; i < PAIRS_ASYNC; i++) {
        bench_require_cuda(b->api->memory_free_async(held[i % HELD], stream), "cuMemFreeAsync");
        bench_require_cuda(b->api->memory_alloc_async(&held[i % HELD], SLOT_BYTES, stream),
                           "cuMemAllocAsync");
    }
    double ns = (double)(vrs_now_ns() - start) / PAIRS_ASYNC;
    for (int i = 0; i < HELD; i++)
        bench_require_cuda(b->api->memory_free_async(held[i], stream), "cuMemFreeAsync");
    bench_require(vrs_device_event_record(b->event, b->stream));
    bench_require(vrs_device_event_wait(b->event));
    return ns;
}

/* The driver's pool must keep what is freed, or it would be as slow as cuMemAlloc(). */
static void keep_freed(bench *b)
{
    enum { RELEASE_THRESHOLD = 4 }; /* CU_MEMPOOL_ATTR_RELEASE_THRESHOLD */
    vrs_cu_device number = 0;
    vrs_cu_pool pool = NULL;
    uint64_t all = UINT64_MAX;
    bench_require_cuda(b->api->device_get(&number, vrs_device_get_properties(b->device)->number),
                       "cuDeviceGet");
    bench_require_cuda(b->api->pool_default(&pool, number), "cuDeviceGetDefaultMemPool");
    bench_require_cuda(b->api->pool_set(pool, RELEASE_THRESHOLD, &all), "cuMemPoolSetAttribute");
}

static double time_arena_step(vrs_arena *arena, uint64_t step)
{
    int64_t start = vrs_now_ns();
    bench_require(vrs_arena_resize(arena, step));
    bench_require(vrs_arena_resize(arena, 0));
    return (double)(vrs_now_ns() - start);
}

static void bench_allocators(bench *b)
{
    vrs_pool *pool = NULL;
    vrs_arena *arena = NULL;
    vrs_pool_settings settings = {.place = VRS_MEMORY_PLACE_DEVICE,
                                  .owner = VRS_MEMORY_TEST,
                                  .slot_bytes = SLOT_BYTES,
                                  .most_slots = SLOTS,
                                  .keep_slots = SLOTS};
    bench_require(vrs_pool_create(b->memory, &settings, &pool));
    bench_require(vrs_arena_create(b->memory, VRS_MEMORY_TEST, UINT64_C(1) << 30, &arena));
    keep_freed(b);
    double slot[BENCH_MOST_ROUNDS], alloc[BENCH_MOST_ROUNDS], async[BENCH_MOST_ROUNDS],
        step[BENCH_MOST_ROUNDS];
    double ratio[BENCH_MOST_ROUNDS];
    for (int i = -1; i < b->rounds; i++) { /* the first is to warm up */
        int at = i < 0 ? 0 : i;
        slot[at] = time_pool(pool);
        alloc[at] = time_alloc(b->api);
        async[at] = time_async(b);
        step[at] = time_arena_step(arena, 1);
        ratio[at] = alloc[at] / slot[at];
    }
    double alloc_ns = bench_median(alloc, b->rounds);
    print_row(b, &(row){"slot of 4 MB: put and get", "ns", "lower", "cuMemFree and cuMemAlloc",
                        alloc_ns, alloc_ns / 10, slot});
    print_row(b, &(row){"the same beside the driver's stream-ordered allocator", "ns", "lower",
                        "cuMemFreeAsync and cuMemAllocAsync", bench_median(async, b->rounds), 0,
                        slot});
    print_row(b, &(row){"pool against cuMemAlloc", "times faster", "higher", NULL, 0, 10, ratio});
    print_row(b, &(row){"arena: grow by a step and shrink", "ns", "lower",
                        "cuMemFree and cuMemAlloc of 4 MB", alloc_ns, 0, step});
    vrs_arena_destroy(arena);
    vrs_pool_destroy(pool);
}

/* ---- copies ---- */

typedef struct sides {
    vrs_device_ptr device[IN_FLIGHT];
    void *host[IN_FLIGHT];
} sides;

/* GB/s of COPIES copies, queued one after the other. */
static double time_copies(bench *b, const sides *s, size_t bytes, bool up)
{
    int64_t start = vrs_now_ns();
    for (int i = 0; i < COPIES; i++) {
        int at = i % IN_FLIGHT;
        bench_require(up ? vrs_device_upload(b->stream, s->device[at], s->host[at], bytes)
                         : vrs_device_download(b->stream, s->host[at], s->device[at], bytes));
    }
    bench_require(vrs_device_event_record(b->event, b->stream));
    bench_require(vrs_device_event_wait(b->event));
    return (double)bytes * COPIES / (double)(vrs_now_ns() - start);
}

/* The driver's own, without anything of ours between: what `best` is taken from. */
static double time_driver(bench *b, const sides *s, size_t bytes, bool up)
{
    vrs_cu_stream stream = vrs_device_stream_handle(b->stream);
    int64_t start = vrs_now_ns();
    for (int i = 0; i < COPIES; i++) {
        int at = i % IN_FLIGHT;
        bench_require_cuda(up ? b->api->upload(s->device[at], s->host[at], bytes, stream)
                              : b->api->download(s->host[at], s->device[at], bytes, stream),
                           "copy");
    }
    bench_require_cuda(b->api->event_record(vrs_device_event_handle(b->event), stream),
                       "cuEventRecord");
    bench_require_cuda(b->api->event_wait(vrs_device_event_handle(b->event)), "cuEventSynchronize");
    return (double)bytes * COPIES / (double)(vrs_now_ns() - start);
}

static void touch(void *host, size_t bytes, unsigned seed)
{
    uint32_t *words = host;
    for (size_t i = 0; i < bytes / sizeof(*words); i++) {
        seed = seed * 1664525u + 1013904223u;
        words[i] = seed;
    }
}

static void print_copies(bench *b, size_t bytes, bool up, const double *ours, const double *best,
                         const double *pageable)
{
    char name[96];
    char ratio_name[96];
    double ratio[BENCH_MOST_ROUNDS];
    const char *way = up ? "host to device" : "device to host";
    (void)snprintf(name, sizeof(name), "pinned slots of %zu MB, %s", bytes >> 20, way);
    (void)snprintf(ratio_name, sizeof(ratio_name),
                   "pinned slots against pageable memory, %zu MB, %s", bytes >> 20, way);
    double most = bench_median(best, b->rounds);
    print_row(b, &(row){name, "GB/s", "higher", "best pinned copy of the driver", most, 0.95 * most,
                        ours});
    for (int i = 0; i < b->rounds; i++)
        ratio[i] = ours[i] / pageable[i];
    print_row(b, &(row){ratio_name, "times faster", "higher", NULL, 0, 2.5, ratio});
    (void)snprintf(name, sizeof(name), "pageable memory, %zu MB, %s", bytes >> 20, way);
    print_row(b, &(row){name, "GB/s", "higher", NULL, 0, 0, pageable});
}

typedef struct copy_places {
    vrs_pool *device_pool, *pinned_pool;
    sides slots, raw, pageable;
    void *raw_blocks[IN_FLIGHT], *pageable_blocks[IN_FLIGHT];
} copy_places;

static void make_places(bench *b, size_t bytes, copy_places *p)
{
    vrs_pool_settings settings = {.owner = VRS_MEMORY_TEST,
                                  .slot_bytes = bytes,
                                  .most_slots = IN_FLIGHT,
                                  .keep_slots = IN_FLIGHT};
    settings.place = VRS_MEMORY_PLACE_DEVICE;
    bench_require(vrs_pool_create(b->memory, &settings, &p->device_pool));
    settings.place = VRS_MEMORY_PLACE_PINNED;
    bench_require(vrs_pool_create(b->memory, &settings, &p->pinned_pool));
    for (int i = 0; i < IN_FLIGHT; i++) {
        vrs_slot device, pinned;
        if (!vrs_pool_get(p->device_pool, &device) || !vrs_pool_get(p->pinned_pool, &pinned))
            abort();
        bench_require_cuda(b->api->host_alloc(&p->raw_blocks[i], bytes, 0), "cuMemHostAlloc");
        p->pageable_blocks[i] = vrs_alloc_aligned(bytes);
        if (p->pageable_blocks[i] == NULL)
            bench_require(VRS_NO_MEMORY);
        p->slots.device[i] = p->raw.device[i] = p->pageable.device[i] = device.address;
        p->slots.host[i] = pinned.host;
        p->raw.host[i] = p->raw_blocks[i];
        p->pageable.host[i] = p->pageable_blocks[i];
        touch(pinned.host, bytes, (unsigned)i);
        touch(p->raw_blocks[i], bytes, (unsigned)i + 100);
        touch(p->pageable_blocks[i], bytes, (unsigned)i + 200);
    }
}

static void drop_places(bench *b, copy_places *p)
{
    for (uint32_t i = 0; i < IN_FLIGHT; i++) {
        vrs_pool_put(p->device_pool, i);
        vrs_pool_put(p->pinned_pool, i);
        bench_require_cuda(b->api->host_free(p->raw_blocks[i]), "cuMemFreeHost");
        vrs_free(p->pageable_blocks[i]);
    }
    vrs_pool_destroy(p->device_pool);
    vrs_pool_destroy(p->pinned_pool);
}

static void bench_copies(bench *b, size_t bytes)
{
    copy_places places;
    make_places(b, bytes, &places);
    for (int up = 1; up >= 0; up--) {
        double ours[BENCH_MOST_ROUNDS], best[BENCH_MOST_ROUNDS], pageable[BENCH_MOST_ROUNDS];
        for (int i = -1; i < b->rounds; i++) {
            int at = i < 0 ? 0 : i;
            ours[at] = time_copies(b, &places.slots, bytes, up != 0);
            best[at] = time_driver(b, &places.raw, bytes, up != 0);
            pageable[at] = time_copies(b, &places.pageable, bytes, up != 0);
        }
        print_copies(b, bytes, up != 0, ours, best, pageable);
    }
    drop_places(b, &places);
}

/* ---- the ledger beside the driver's count ---- */

static double driver_share(bench *b, size_t bytes, int count)
{
    enum { MOST = 512 };
    vrs_memory_block *blocks[MOST];
    size_t before = 0, after = 0, total = 0;
    vrs_memory_stats stats[2];
    vrs_memory_get_stats(b->memory, VRS_MEMORY_PLACE_DEVICE, &stats[0]);
    bench_require_cuda(b->api->memory_info(&before, &total), "cuMemGetInfo");
    for (int i = 0; i < count; i++) {
        bench_require(vrs_memory_alloc(b->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST, bytes,
                                       &blocks[i]));
    }
    bench_require_cuda(b->api->memory_info(&after, &total), "cuMemGetInfo");
    vrs_memory_get_stats(b->memory, VRS_MEMORY_PLACE_DEVICE, &stats[1]);
    for (int i = 0; i < count; i++)
        vrs_memory_free(b->memory, blocks[i]);
    return (double)(before - after) / (double)(stats[1].used - stats[0].used);
}

static void bench_ledger(bench *b)
{
    static const struct {
        const char *name;
        size_t bytes;
        int count;
    } cases[] = {
        {"driver's count against the ledger, 256 blocks of 25 MB", 25000000, 256},
        {"driver's count against the ledger, 512 blocks of 3 MB", 3000000, 512},
        {"driver's count against the ledger, 512 blocks of 100 kB", 100000, 512},
    };
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        double share[BENCH_MOST_ROUNDS];
        for (int i = 0; i < b->rounds; i++)
            share[i] = driver_share(b, cases[c].bytes, cases[c].count);
        print_row(b, &(row){cases[c].name, "ratio", "lower", NULL, 0, 0, share});
    }
}

static void print_head(const bench *b)
{
    const vrs_device_properties *p = vrs_device_get_properties(b->device);
    vrs_monitor *monitor = NULL;
    const char *driver = "unknown";
    if (vrs_monitor_open_pci(p->pci, &monitor) == VRS_OK)
        driver = vrs_monitor_driver(monitor);
    printf(
        "{\"versions\": {\"gpu\": \"%s\", \"driver\": \"%s\", \"cuda\": \"%d.%d\"},\n \"rows\": [",
        p->name, driver, p->driver_version / 1000, p->driver_version % 1000 / 10);
    vrs_monitor_close(monitor);
}

int main(int argc, char **argv)
{
    bench b = {.rounds = argc > 2 ? atoi(argv[2]) : DEFAULT_ROUNDS, .first = true};
    if (b.rounds < 1 || b.rounds > BENCH_MOST_ROUNDS) {
        fprintf(stderr, "memory: 1 to %d rounds\n", BENCH_MOST_ROUNDS);
        return 2;
    }
    bench_require(vrs_device_open(argc > 1 ? argv[1] : "cuda", &b.device));
    b.api = vrs_cuda_api(b.device);
    if (b.api == NULL) {
        fprintf(stderr, "memory: this is for a GPU\n");
        return 2;
    }
    bench_require(vrs_memory_create(b.device, &(vrs_memory_settings){0}, &b.memory));
    bench_require(vrs_device_stream_create(b.device, VRS_PRIORITY_NORMAL, &b.stream));
    bench_require(vrs_device_event_create(b.device, false, &b.event));
    bench_require(vrs_device_enter(b.device));
    print_head(&b);
    bench_allocators(&b);
    bench_copies(&b, (size_t)8 << 20);
    bench_copies(&b, (size_t)32 << 20);
    bench_ledger(&b);
    printf("\n]}\n");
    vrs_device_leave(b.device);
    vrs_device_event_destroy(b.event);
    vrs_device_stream_destroy(b.stream);
    vrs_memory_destroy(b.memory);
    vrs_device_close(b.device);
    return 0;
}
