/* The queue: order, capacity, wrap of the counters, waiting, closing, many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/ring.h"
#include "base/thread.h"
#include "support/inject.h"

#define PRODUCERS 3
#define CONSUMERS 2
#define CAPACITY 64

static void *item_of(uintptr_t number)
{
    return (void *)number;
}

/* First counters: the start, and such that the wrap comes at once, later, or in the middle. */
static const uint32_t starts[] = {0, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 30, 0x7ffffff0u};
#define STARTS (sizeof(starts) / sizeof(starts[0]))

static void test_order_and_capacity(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 2, 3, 4, 7, 8, 100, 65536};
    for (size_t c = 0; c < sizeof(capacities) / sizeof(capacities[0]); c++) {
        for (size_t s = 0; s < STARTS; s++) {
            uint32_t capacity = capacities[c];
            vrs_queue *queue = NULL;
            assert_int_equal(vrs_queue_create_from(capacity, starts[s], &queue), VRS_OK);
            assert_null(vrs_queue_try_pop(queue));
            for (int round = 0; round < 3; round++) {
                for (uint32_t i = 0; i < capacity; i++) {
                    assert_int_equal(vrs_queue_depth(queue), i);
                    vrs_queue_push(queue, item_of(i + 1));
                }
                assert_int_equal(vrs_queue_depth(queue), capacity);
                for (uint32_t i = 0; i < capacity; i++)
                    assert_ptr_equal(vrs_queue_try_pop(queue), item_of(i + 1));
                assert_null(vrs_queue_try_pop(queue));
                assert_int_equal(vrs_queue_depth(queue), 0);
            }
            vrs_queue_stats stats = vrs_queue_get_stats(queue);
            assert_int_equal(stats.pushes, 3 * (uint64_t)capacity);
            assert_int_equal(stats.found, 3 * (uint64_t)capacity * (capacity - 1) / 2);
            assert_int_equal(stats.most, capacity);
            vrs_queue_destroy(queue);
        }
    }
    vrs_queue_destroy(NULL);
}

/* A producer that has taken a place and stands still holds up its slot alone: others put down
 * behind it, and consumers get nothing before what is older. */
static void test_producer_stands_still(void **state)
{
    (void)state;
    vrs_ring_slot slots[4] = {0};
    vrs_ring ring;
    vrs_ring_init(&ring, slots, 4, UINT32_MAX);
    uint32_t place = atomic_fetch_add(&ring.tail, 1);
    vrs_ring_put(&ring, item_of(2));
    vrs_ring_put(&ring, item_of(3));
    assert_int_equal(vrs_ring_depth(&ring), 3);
    assert_null(vrs_ring_take(&ring));
    slots[place & 3].item = item_of(1);
    atomic_store(&slots[place & 3].turn, place + 1);
    for (uintptr_t i = 1; i <= 3; i++)
        assert_ptr_equal(vrs_ring_take(&ring), item_of(i));
    assert_null(vrs_ring_take(&ring));
}

static void test_deadline(void **state)
{
    (void)state;
    vrs_queue *queue = NULL;
    assert_int_equal(vrs_queue_create(2, &queue), VRS_OK);
    void *item = NULL;
    assert_int_equal(vrs_queue_pop(queue, &item, 0), VRS_TIMEOUT);
    assert_null(item);
    vrs_queue_push(queue, item_of(5));
    assert_int_equal(vrs_queue_pop(queue, &item, 0), VRS_OK);
    assert_ptr_equal(item, item_of(5));
    vrs_queue_destroy(queue);
}

static void test_close(void **state)
{
    (void)state;
    vrs_queue *queue = NULL;
    assert_int_equal(vrs_queue_create(4, &queue), VRS_OK);
    vrs_queue_push(queue, item_of(1));
    vrs_queue_push(queue, item_of(2));
    vrs_queue_close(queue);
    vrs_queue_close(queue);
    void *item = NULL;
    assert_int_equal(vrs_queue_pop(queue, &item, INT64_MAX), VRS_OK);
    assert_ptr_equal(item, item_of(1));
    assert_int_equal(vrs_queue_pop(queue, &item, INT64_MAX), VRS_OK);
    assert_ptr_equal(item, item_of(2));
    assert_int_equal(vrs_queue_pop(queue, &item, INT64_MAX), VRS_CLOSED);
    assert_null(item);
    vrs_queue_destroy(queue);
}

typedef struct popper {
    vrs_queue *queue;
    vrs_thread thread;
    int64_t deadline_ns;
    vrs_status status;
    void *item;
} popper;

static void pop_once(void *arg)
{
    popper *self = arg;
    self->status = vrs_queue_pop(self->queue, &self->item, self->deadline_ns);
}

static void start_poppers(popper *poppers, int count, vrs_queue *queue, int64_t deadline_ns)
{
    for (int i = 0; i < count; i++) {
        poppers[i] = (popper){.queue = queue, .deadline_ns = deadline_ns};
        assert_int_equal(vrs_thread_start(&poppers[i].thread, "pop", pop_once, &poppers[i]),
                         VRS_OK);
    }
}

/* On the virtual clock it is known when the threads sleep. */
static void test_sleepers(void **state)
{
    (void)state;
    vrs_clock_use_virtual(0);
    vrs_queue *queue = NULL;
    assert_int_equal(vrs_queue_create(4, &queue), VRS_OK);
    popper poppers[3];

    start_poppers(poppers, 3, queue, 1000);
    vrs_clock_await_waiters(3);
    for (uintptr_t i = 1; i <= 3; i++)
        vrs_queue_push(queue, item_of(i));
    uintptr_t sum = 0;
    for (int i = 0; i < 3; i++) {
        vrs_thread_join(&poppers[i].thread);
        assert_int_equal(poppers[i].status, VRS_OK);
        sum += (uintptr_t)poppers[i].item;
    }
    assert_int_equal(sum, 6);

    start_poppers(poppers, 3, queue, 1000);
    vrs_clock_await_waiters(3);
    vrs_clock_advance_ns(1000);
    for (int i = 0; i < 3; i++) {
        vrs_thread_join(&poppers[i].thread);
        assert_int_equal(poppers[i].status, VRS_TIMEOUT);
    }

    start_poppers(poppers, 3, queue, 5000);
    vrs_clock_await_waiters(3);
    vrs_queue_push(queue, item_of(9));
    vrs_queue_close(queue);
    int got = 0;
    for (int i = 0; i < 3; i++) {
        vrs_thread_join(&poppers[i].thread);
        got += poppers[i].status == VRS_OK;
        assert_true(poppers[i].status == VRS_OK || poppers[i].status == VRS_CLOSED);
    }
    assert_int_equal(got, 1);
    vrs_queue_destroy(queue);
    vrs_clock_use_real();
}

/* Items circulate: `free_items` bounds how many are in the queue, as tickets do. */
typedef struct crowd {
    vrs_queue *queue, *free_items;
    atomic_uint taken;
    atomic_bool wrong;
} crowd;

typedef struct parcel {
    uint32_t producer, number;
    uint32_t payload[4]; /* written before the push without any lock */
} parcel;

typedef struct worker {
    crowd *crowd;
    uint32_t index;
    uint32_t items; /* to push */
    vrs_thread thread;
} worker;

static void produce(void *arg)
{
    worker *self = arg;
    for (uint32_t n = 0; n < self->items; n++) {
        void *item = NULL;
        if (vrs_queue_pop(self->crowd->free_items, &item, INT64_MAX) != VRS_OK) {
            atomic_store(&self->crowd->wrong, true);
            return;
        }
        parcel *full = item;
        full->producer = self->index;
        full->number = n;
        for (uint32_t i = 0; i < 4; i++)
            full->payload[i] = n + i;
        vrs_queue_push(self->crowd->queue, full);
    }
}

/* What one consumer gets of one producer comes in the order in which it was pushed. */
static void consume(void *arg)
{
    worker *self = arg;
    int64_t last[PRODUCERS] = {-1, -1, -1};
    void *item = NULL;
    while (vrs_queue_pop(self->crowd->queue, &item, INT64_MAX) == VRS_OK) {
        parcel *got = item;
        bool right = got->producer < PRODUCERS && got->number > last[got->producer];
        for (uint32_t i = 0; i < 4; i++)
            right = right && got->payload[i] == got->number + i;
        if (!right)
            atomic_store(&self->crowd->wrong, true);
        last[got->producer] = got->number;
        atomic_fetch_add(&self->crowd->taken, 1);
        vrs_queue_push(self->crowd->free_items, got);
    }
}

static void run_crowd(uint32_t start, uint32_t items, uint32_t consumers)
{
    static parcel parcels[CAPACITY];
    crowd all = {0};
    worker workers[PRODUCERS + CONSUMERS] = {0};
    assert_int_equal(vrs_queue_create_from(CAPACITY, start, &all.queue), VRS_OK);
    assert_int_equal(vrs_queue_create_from(CAPACITY, start, &all.free_items), VRS_OK);
    for (int i = 0; i < CAPACITY; i++)
        vrs_queue_push(all.free_items, &parcels[i]);
    for (uint32_t i = 0; i < PRODUCERS + consumers; i++) {
        workers[i] = (worker){.crowd = &all, .index = i, .items = items / PRODUCERS};
        assert_int_equal(vrs_thread_start(&workers[i].thread, "crowd",
                                          i < PRODUCERS ? produce : consume, &workers[i]),
                         VRS_OK);
    }
    for (uint32_t i = 0; i < PRODUCERS; i++)
        vrs_thread_join(&workers[i].thread);
    vrs_queue_close(all.queue);
    for (uint32_t i = PRODUCERS; i < PRODUCERS + consumers; i++)
        vrs_thread_join(&workers[i].thread);
    assert_false(atomic_load(&all.wrong));
    assert_int_equal(atomic_load(&all.taken), items / PRODUCERS * PRODUCERS);
    assert_int_equal(vrs_queue_depth(all.free_items), CAPACITY);
    vrs_queue_destroy(all.queue);
    vrs_queue_destroy(all.free_items);
}

static void test_crowd(void **state)
{
    (void)state;
    run_crowd(0, 100000, CONSUMERS);
}

static void test_crowd_across_the_wrap(void **state)
{
    (void)state;
    run_crowd(UINT32_MAX - 10000, 20000, CONSUMERS);
}

static void test_many_producers_one_consumer(void **state)
{
    (void)state;
    run_crowd(UINT32_MAX - 1000, 20000, 1);
}

/* One item to and fro between a thread that sleeps for it and one that hardly does: each push comes
 * a little later than the last, so it meets the sleeper at every point of its way to sleep. A lost
 * wake-up hangs the test. */
typedef struct court {
    vrs_queue *there, *back;
} court;

static void return_items(void *arg)
{
    court *game = arg;
    void *item = NULL;
    while (vrs_queue_pop(game->there, &item, INT64_MAX) == VRS_OK)
        vrs_queue_push(game->back, item);
}

static void test_ping_pong(void **state)
{
    (void)state;
    court game = {0};
    vrs_thread thread = {0};
    assert_int_equal(vrs_queue_create(1, &game.there), VRS_OK);
    assert_int_equal(vrs_queue_create(1, &game.back), VRS_OK);
    assert_int_equal(vrs_thread_start(&thread, "return", return_items, &game), VRS_OK);
    for (uintptr_t i = 1; i <= 30000; i++) {
        vrs_queue_push(game.there, item_of(i));
        void *item = vrs_queue_try_pop(game.back);
        for (uint32_t tries = 0; item == NULL && tries < 2000; tries++)
            item = vrs_queue_try_pop(game.back);
        if (item == NULL) /* the other thread has no processor */
            assert_int_equal(vrs_queue_pop(game.back, &item, INT64_MAX), VRS_OK);
        assert_ptr_equal(item, item_of(i));
        for (volatile uintptr_t delay = i % 509; delay > 0; delay--) {
        }
    }
    vrs_queue_close(game.there);
    vrs_thread_join(&thread);
    vrs_queue_destroy(game.there);
    vrs_queue_destroy(game.back);
}

static vrs_status make_queue(void *opaque)
{
    (void)opaque;
    vrs_queue *queue = NULL;
    vrs_status status = vrs_queue_create(100, &queue);
    vrs_queue_destroy(queue);
    return status;
}

static void test_refused_resources(void **state)
{
    (void)state;
    assert_int_equal(inject_all(make_queue, NULL), 4); /* two blocks, mutex, condition */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_capacity),
        cmocka_unit_test(test_producer_stands_still),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_sleepers),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_crowd_across_the_wrap),
        cmocka_unit_test(test_many_producers_one_consumer),
        cmocka_unit_test(test_ping_pong),
        cmocka_unit_test(test_refused_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
