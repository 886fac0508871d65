/* What the queues between threads carry, as JSON for store.py: vrs_queue beside a bare ring
 * (Concurrency Kit's ck_ring, consumers that spin) and beside a queue of mutex and
 * condition; and what the batching queue costs a frame. Items go round, at most CAPACITY of them,
 * as tickets do; a figure is millions of items a second through one queue, median of the rounds, in
 * which all kinds take turns. Usage: bench_queue [ROUNDS]
 *
 * A bare ring has one producer and one consumer in its fast mode; vrs_queue has several
 * of both, who sleep. What was expected: alone, its locked operations
 * cost some ten times a bare ring's plain ones; between threads the transfer
 * of cache lines costs more than either, so that no less than half of the bare ring's rate is left.
 */
#include <ck_ring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"
#include "batch/queue.h"
#include "support.h"

#define CAPACITY 64
#define RING_SIZE 128
#define ITEMS 400000
#define PRODUCERS 3
#define SPINS 200

const char bench_name[] = "bench_queue";

/* ---- the kinds ---- */

typedef struct bench_queue {
    const struct kind *kind;
    vrs_queue *ours;
    struct ck_ring ring;
    struct ck_ring_buffer slots[RING_SIZE];
    vrs_mutex lock;
    vrs_cond wake;
    void *items[CAPACITY];
    uint32_t first, count;
} bench_queue;

typedef struct kind {
    const char *name;
    void (*open)(bench_queue *queue);
    void (*close)(bench_queue *queue);
    void (*push)(bench_queue *queue, void *item);
    void *(*pop)(bench_queue *queue); /* waits */
} kind;

static void open_ours(bench_queue *queue)
{
    bench_require(vrs_queue_create(CAPACITY, &queue->ours));
}

static void close_ours(bench_queue *queue)
{
    vrs_queue_destroy(queue->ours);
}

static void push_ours(bench_queue *queue, void *item)
{
    vrs_queue_push(queue->ours, item);
}

static void *pop_ours(bench_queue *queue)
{
    void *item = NULL;
    bench_require(vrs_queue_pop(queue->ours, &item, INT64_MAX));
    return item;
}

static void open_ring(bench_queue *queue)
{
    ck_ring_init(&queue->ring, RING_SIZE);
}

static void close_ring(bench_queue *queue)
{
    (void)queue;
}

static void push_single(bench_queue *queue, void *item)
{
    if (!ck_ring_enqueue_spsc(&queue->ring, queue->slots, item))
        abort();
}

static void *pop_single(bench_queue *queue)
{
    void *item = NULL;
    for (uint32_t spins = 0; !ck_ring_dequeue_spsc(&queue->ring, queue->slots, &item); spins++)
        if (spins % SPINS == SPINS - 1)
            (void)sched_yield();
    return item;
}

static void push_several(bench_queue *queue, void *item)
{
    if (!ck_ring_enqueue_mpmc(&queue->ring, queue->slots, item))
        abort();
}

static void *pop_several(bench_queue *queue)
{
    void *item = NULL;
    for (uint32_t spins = 0; !ck_ring_dequeue_mpmc(&queue->ring, queue->slots, &item); spins++)
        if (spins % SPINS == SPINS - 1)
            (void)sched_yield();
    return item;
}

static void open_mutex(bench_queue *queue)
{
    bench_require(vrs_mutex_init(&queue->lock));
    bench_require(vrs_cond_init(&queue->wake));
}

static void close_mutex(bench_queue *queue)
{
    vrs_cond_destroy(&queue->wake);
    vrs_mutex_destroy(&queue->lock);
}

static void push_mutex(bench_queue *queue, void *item)
{
    vrs_mutex_lock(&queue->lock);
    queue->items[(queue->first + queue->count++) % CAPACITY] = item;
    vrs_cond_signal(&queue->wake);
    vrs_mutex_unlock(&queue->lock);
}

static void *pop_mutex(bench_queue *queue)
{
    vrs_mutex_lock(&queue->lock);
    while (queue->count == 0)
        (void)vrs_cond_wait_until(&queue->wake, &queue->lock, INT64_MAX);
    void *item = queue->items[queue->first];
    queue->first = (queue->first + 1) % CAPACITY;
    queue->count--;
    vrs_mutex_unlock(&queue->lock);
    return item;
}

enum { OURS, SINGLE, SEVERAL, MUTEX, KINDS };

static const kind kinds[KINDS] = {
    [OURS] = {"vrs_queue", open_ours, close_ours, push_ours, pop_ours},
    [SINGLE] = {"ck_ring, one producer and consumer, bare", open_ring, close_ring, push_single,
                pop_single},
    [SEVERAL] = {"ck_ring, several, bare", open_ring, close_ring, push_several, pop_several},
    [MUTEX] = {"mutex and condition", open_mutex, close_mutex, push_mutex, pop_mutex},
};

static bench_queue *make(const kind *k)
{
    bench_queue *queue = vrs_alloc_aligned(sizeof(*queue));
    if (queue == NULL)
        bench_require(VRS_NO_MEMORY);
    queue->kind = k;
    k->open(queue);
    return queue;
}

static void drop(bench_queue *queue)
{
    queue->kind->close(queue);
    vrs_free(queue);
}

/* ---- the runs: millions of items a second through one queue ---- */

static double rate(int64_t begin_ns, double passes)
{
    return passes * 1e3 / (double)(vrs_now_ns() - begin_ns);
}

static double run_alone(const kind *k)
{
    bench_queue *queue = make(k);
    int item;
    int64_t begin = vrs_now_ns();
    for (int i = 0; i < ITEMS; i++) {
        k->push(queue, &item);
        if (k->pop(queue) != &item)
            abort();
    }
    double r = rate(begin, ITEMS);
    drop(queue);
    return r;
}

typedef struct track {
    const kind *kind;
    bench_queue *full, *empty[PRODUCERS];
    int producers, items;
} track;

typedef struct producer {
    track *track;
    bench_queue *empty;
    vrs_thread thread;
} producer;

static void produce(void *arg)
{
    producer *self = arg;
    track *t = self->track;
    for (int i = 0; i < t->items; i++)
        t->kind->push(t->full, t->kind->pop(self->empty));
}

/* Each producer has a queue of its own for what comes back: one producer and one consumer there. */
static double run_track(const kind *k, int producers)
{
    static struct {
        int owner;
        char line[60];
    } items[CAPACITY];
    track t = {.kind = k, .producers = producers, .items = ITEMS / producers, .full = make(k)};
    producer all[PRODUCERS] = {0};
    for (int p = 0; p < producers; p++)
        t.empty[p] = make(k);
    for (int i = 0; i < CAPACITY / PRODUCERS * producers; i++) {
        items[i].owner = i % producers;
        k->push(t.empty[i % producers], &items[i]);
    }
    int64_t begin = vrs_now_ns();
    for (int p = 0; p < producers; p++) {
        all[p] = (producer){.track = &t, .empty = t.empty[p]};
        bench_require(vrs_thread_start(&all[p].thread, "produce", produce, &all[p]));
    }
    for (int i = 0; i < t.items * producers; i++) {
        void *item = k->pop(t.full);
        k->push(t.empty[*(int *)item], item);
    }
    for (int p = 0; p < producers; p++)
        vrs_thread_join(&all[p].thread);
    double r = rate(begin, 2.0 * t.items * producers);
    drop(t.full);
    for (int p = 0; p < producers; p++)
        drop(t.empty[p]);
    return r;
}

/* ---- the batching queue: nanoseconds of a frame from its coming to its end, by one thread ---- */

#define STREAMS 16

static double run_batches(int32_t max_batch)
{
    static vrs_batch_frame frames[STREAMS][4];
    vrs_batch_settings settings = {
        .max_batch_size = max_batch, .levels = 3, .default_priority = 2, .age_ns = 1000000};
    vrs_batch_queue *queue = NULL;
    vrs_batch_view views[VRS_BATCH_MOST];
    bench_require(vrs_batch_queue_create(&settings, &queue));
    int64_t begin = vrs_now_ns(), now = 0, done = 0;
    for (int64_t n = 0; done < ITEMS; n++) {
        vrs_batch_frame *dropped, *frame = &frames[n % STREAMS][n / STREAMS % 4];
        *frame = (vrs_batch_frame){.stream = (uint32_t)(n % STREAMS),
                                   .view_count = 1,
                                   .priority = (int32_t)(n % 4),
                                   .deadline_ns = n % 2 == 0 ? now + 50000 : 0};
        if (!vrs_batch_queue_add(queue, frame, now += 100, &dropped))
            abort();
        if (n % STREAMS != STREAMS - 1)
            continue;
        int64_t next_ns;
        int32_t count;
        while ((count = vrs_batch_queue_choose(queue, now += 100, false, views, &next_ns)) > 0) {
            vrs_batch_queue_took(queue, count, 1000 + count);
            done += count;
        }
    }
    double ns = (double)(vrs_now_ns() - begin) / (double)done;
    vrs_batch_queue_destroy(queue);
    return ns;
}

/* ---- rows ---- */

typedef struct series {
    double runs[BENCH_MOST_ROUNDS];
} series;

static void print_row(bool first, const char *name, const char *unit, const char *better,
                      const char *peer, const series *ours, const series *other, int rounds)
{
    printf("%s\n  {\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"better\": \"%s\"",
           first ? "" : ",", name, bench_median(ours->runs, rounds), unit, better);
    if (other != NULL)
        printf(", \"peer\": \"%s\", \"peer_value\": %.4g", peer, bench_median(other->runs, rounds));
    printf(", \"runs\": [");
    for (int i = 0; i < rounds; i++)
        printf("%s%.4g", i == 0 ? "" : ", ", ours->runs[i]);
    printf("]}");
}

static const char *const cases[] = {"put and get by one thread", "one producer, one consumer",
                                    "three producers, one consumer"};

static double run_case(int c, const kind *k)
{
    return c == 0 ? run_alone(k) : run_track(k, c == 1 ? 1 : PRODUCERS);
}

int main(int argc, char **argv)
{
    static series measured[3][KINDS], batches[2];
    int rounds = argc > 1 ? atoi(argv[1]) : 11;
    if (rounds < 1 || rounds > BENCH_MOST_ROUNDS) {
        fprintf(stderr, "%s: 1 to %d rounds\n", bench_name, BENCH_MOST_ROUNDS);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < rounds; i++) {
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < KINDS; k++)
                if (k != (c == 2 ? SINGLE : SEVERAL)) /* the bare ring in the mode that it may */
                    measured[c][k].runs[i] = run_case(c, &kinds[k]);
        batches[0].runs[i] = run_batches(8);
        batches[1].runs[i] = run_batches(1);
    }
    printf("{\"versions\": {},\n \"rows\": [");
    for (int c = 0; c < 3; c++) {
        const int peers[] = {c == 2 ? SEVERAL : SINGLE, MUTEX};
        for (int p = 0; p < 2; p++) {
            char name[128];
            (void)snprintf(name, sizeof(name), "vrs_queue, %s, beside %s", cases[c],
                           kinds[peers[p]].name);
            print_row(c == 0 && p == 0, name, "million items/s", "higher", kinds[peers[p]].name,
                      &measured[c][OURS], &measured[c][peers[p]], rounds);
        }
    }
    print_row(false, "batching queue, 16 streams, batches of 8", "ns a frame", "lower", NULL,
              &batches[0], NULL, rounds);
    print_row(false, "batching queue, 16 streams, batches of 1", "ns a frame", "lower", NULL,
              &batches[1], NULL, rounds);
    printf("\n]}\n");
    return EXIT_SUCCESS;
}
