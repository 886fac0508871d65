/* What the foundation costs, as JSON: nanoseconds for each recorded span with both readings of the
 * clock, and for each item that goes through a queue, alone and between two threads. Medians of
 * ROUNDS. Usage: bench_base */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/span.h"
#include "base/thread.h"
#include "support.h"

#define ROUNDS 15
#define SPANS 200000
#define ITEMS 200000
#define CAPACITY 64

const char bench_name[] = "bench_base";

static double span_ns(vrs_track *track)
{
    int64_t begin = vrs_now_ns();
    for (int64_t i = 0; i < SPANS; i++) {
        int64_t from = vrs_now_ns();
        vrs_track_record(track, 1, i, from, vrs_now_ns());
    }
    return (double)(vrs_now_ns() - begin) / SPANS;
}

static double clock_ns(void)
{
    int64_t begin = vrs_now_ns(), last = begin;
    for (int i = 0; i < 2 * SPANS; i++)
        last = vrs_now_ns();
    return (double)(last - begin) / SPANS;
}

/* One thread puts in and takes out. */
static double queue_alone_ns(vrs_queue *queue)
{
    int item;
    int64_t begin = vrs_now_ns();
    for (int i = 0; i < ITEMS; i++) {
        vrs_queue_push(queue, &item);
        if (vrs_queue_try_pop(queue) != &item)
            abort();
    }
    return (double)(vrs_now_ns() - begin) / ITEMS;
}

typedef struct echo {
    vrs_queue *there, *back;
} echo;

static void echo_main(void *arg)
{
    echo *e = arg;
    void *item;
    while (vrs_queue_pop(e->there, &item, INT64_MAX) == VRS_OK)
        vrs_queue_push(e->back, item);
}

/* CAPACITY items go round between two threads that sleep when they have none; two queues an item.
 */
static double queue_between_ns(echo *e)
{
    vrs_thread thread = {0};
    bench_require(vrs_queue_create(CAPACITY, &e->there));
    bench_require(vrs_queue_create(CAPACITY, &e->back));
    bench_require(vrs_thread_start(&thread, "echo", echo_main, e));
    static int items[CAPACITY];
    int64_t begin = vrs_now_ns();
    for (int i = 0; i < CAPACITY; i++)
        vrs_queue_push(e->there, &items[i]);
    for (int i = 0; i < ITEMS; i++) {
        void *item;
        bench_require(vrs_queue_pop(e->back, &item, INT64_MAX));
        vrs_queue_push(e->there, item);
    }
    double ns = (double)(vrs_now_ns() - begin) / (2.0 * ITEMS);
    vrs_queue_close(e->there);
    vrs_thread_join(&thread);
    vrs_queue_destroy(e->there);
    vrs_queue_destroy(e->back);
    return ns;
}

int main(void)
{
    vrs_recorder *recorder;
    vrs_queue *queue;
    bench_require(vrs_recorder_create(1, 4096, &recorder));
    bench_require(vrs_queue_create(CAPACITY, &queue));
    vrs_track *track = vrs_recorder_track(recorder, "bench");
    double ns[4][ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        echo e;
        ns[0][i] = span_ns(track);
        ns[1][i] = clock_ns();
        ns[2][i] = queue_alone_ns(queue);
        ns[3][i] = queue_between_ns(&e);
    }
    vrs_queue_destroy(queue);
    vrs_recorder_destroy(recorder);
    static const char *const names[4] = {"span_ns", "two_clock_readings_ns", "queue_alone_ns",
                                         "queue_between_threads_ns"};
    for (int i = 0; i < 4; i++) {
        qsort(ns[i], ROUNDS, sizeof(double), bench_ascending);
        printf("%s\"%s\": %.1f", i == 0 ? "{" : ", ", names[i], ns[i][ROUNDS / 2]);
    }
    printf("}\n");
    return EXIT_SUCCESS;
}
