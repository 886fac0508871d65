/* What threads share: the ring with its wait word, the reorder buffer and the batching queue under
 * their locks. VRSEG_STRESS_OPERATIONS says for how many operations together (10^6): each time that
 * an item is put in or taken out. A third of them goes to each. Written for the thread sanitizer;
 * without it the payloads, orders and sums say the same. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/queue.h"
#include "base/reorder.h"
#include "base/thread.h"
#include "batch/queue.h"
#include "support/inject.h"

#define MOST_THREADS 8

static uint64_t operations = 1000000;

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

/* ---- the ring ---- */

#define PARCELS 64

typedef struct parcel {
    uint64_t number; /* producer + number * producers: each is there once */
    uint64_t payload[6];
} parcel;

typedef struct crowd {
    vrs_queue *full, *empty;
    uint64_t items; /* of each producer */
    uint32_t producers, consumers;
    atomic_bool wrong;
    _Atomic uint64_t count, sum;
} crowd;

typedef struct member {
    crowd *crowd;
    uint32_t index;
    vrs_thread thread;
} member;

static void produce(void *arg)
{
    member *self = arg;
    crowd *c = self->crowd;
    for (uint64_t n = 0; n < c->items; n++) {
        void *item = NULL;
        if (vrs_queue_pop(c->empty, &item, INT64_MAX) != VRS_OK)
            break; /* the count shows it */
        parcel *p = item;
        p->number = self->index + n * c->producers;
        for (uint64_t i = 0; i < 6; i++)
            p->payload[i] = p->number * (i + 3);
        vrs_queue_push(c->full, p);
    }
}

static void consume(void *arg)
{
    member *self = arg;
    crowd *c = self->crowd;
    uint64_t next[MOST_THREADS] = {0}, count = 0, sum = 0;
    void *item = NULL;
    while (vrs_queue_pop(c->full, &item, INT64_MAX) == VRS_OK) {
        const parcel *p = item;
        uint64_t *from = &next[p->number % c->producers];
        bool right = p->number / c->producers >= *from;
        for (uint64_t i = 0; i < 6; i++)
            right = right && p->payload[i] == p->number * (i + 3);
        *from = p->number / c->producers + 1;
        if (!right)
            atomic_store(&c->wrong, true);
        count++;
        sum += p->number;
        vrs_queue_push(c->empty, item);
    }
    atomic_fetch_add(&c->count, count);
    atomic_fetch_add(&c->sum, sum);
}

/* Four operations an item. The rings' counters pass 2^32 half way. */
static void run_crowd(uint32_t producers, uint32_t consumers, uint64_t items)
{
    static parcel parcels[PARCELS];
    crowd c = {.producers = producers, .consumers = consumers, .items = items / producers};
    uint64_t all = c.items * producers;
    uint32_t first = UINT32_MAX - (uint32_t)(all / 2 < 1000000 ? all / 2 : 1000000);
    member members[2 * MOST_THREADS] = {0};
    assert_int_equal(vrs_queue_create_from(PARCELS, first, &c.full), VRS_OK);
    assert_int_equal(vrs_queue_create_from(PARCELS, first, &c.empty), VRS_OK);
    for (int i = 0; i < PARCELS; i++)
        vrs_queue_push(c.empty, &parcels[i]);
    for (uint32_t i = 0; i < producers + consumers; i++) {
        members[i] = (member){.crowd = &c, .index = i};
        assert_int_equal(vrs_thread_start(&members[i].thread, "crowd",
                                          i < producers ? produce : consume, &members[i]),
                         VRS_OK);
    }
    for (uint32_t i = 0; i < producers; i++)
        vrs_thread_join(&members[i].thread);
    vrs_queue_close(c.full);
    for (uint32_t i = producers; i < producers + consumers; i++)
        vrs_thread_join(&members[i].thread);
    assert_false(atomic_load(&c.wrong));
    assert_true(atomic_load(&c.count) == all);
    assert_true(atomic_load(&c.sum) == all * (all - 1) / 2);
    assert_int_equal(vrs_queue_depth(c.empty), PARCELS);
    vrs_queue_destroy(c.full);
    vrs_queue_destroy(c.empty);
}

static void test_ring(void **state)
{
    (void)state;
    /* Producers, consumers, and their part of 20. Many more threads than cores wait for whichever
     * of them was sent to sleep between taking its place and filling it, which takes a hundred
     * times as long for an item and shows nothing more often. */
    static const uint32_t sides[][3] = {{1, 1, 6}, {3, 1, 5}, {1, 3, 5}, {3, 3, 3}, {8, 1, 1}};
    uint64_t items = operations / 3 / 4;
    for (size_t i = 0; i < 5; i++)
        run_crowd(sides[i][0], sides[i][1], items * sides[i][2] / 20);
}

/* ---- the reorder buffer ---- */

#define WINDOW 32

typedef struct numbered {
    uint64_t number, done;
} numbered;

typedef struct line {
    vrs_mutex lock;
    vrs_reorder *reorder;
    vrs_queue *work, *empty;
    uint64_t next; /* to leave; under the lock */
    atomic_bool wrong;
} line;

static void put_in_order(void *arg)
{
    line *l = arg;
    void *item = NULL;
    while (vrs_queue_pop(l->work, &item, INT64_MAX) == VRS_OK) {
        numbered *n = item;
        n->done = n->number * 7;
        /* Threads overtake each other here. */
        vrs_mutex_lock(&l->lock);
        vrs_reorder_put(l->reorder, n->number, n);
        while ((n = vrs_reorder_next(l->reorder)) != NULL) {
            if (n->number != l->next++ || n->done != n->number * 7)
                atomic_store(&l->wrong, true);
            vrs_queue_push(l->empty, n);
        }
        vrs_mutex_unlock(&l->lock);
    }
}

/* Six operations an item: two in the buffer, two in each of the rings. */
static void test_reorder(void **state)
{
    (void)state;
    static numbered items[WINDOW];
    uint64_t all = operations / 3 / 6;
    line l = {0};
    vrs_thread threads[3] = {{0}};
    assert_int_equal(vrs_mutex_init(&l.lock), VRS_OK);
    assert_int_equal(vrs_reorder_create(WINDOW, &l.reorder), VRS_OK);
    assert_int_equal(vrs_queue_create(WINDOW, &l.work), VRS_OK);
    assert_int_equal(vrs_queue_create(WINDOW, &l.empty), VRS_OK);
    for (int i = 0; i < WINDOW; i++)
        vrs_queue_push(l.empty, &items[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(vrs_thread_start(&threads[i], "order", put_in_order, &l), VRS_OK);
    for (uint64_t number = 0; number < all; number++) {
        void *item = NULL;
        assert_int_equal(vrs_queue_pop(l.empty, &item, INT64_MAX), VRS_OK);
        ((numbered *)item)->number = number;
        vrs_queue_push(l.work, item);
    }
    vrs_queue_close(l.work);
    for (int i = 0; i < 3; i++)
        vrs_thread_join(&threads[i]);
    assert_false(atomic_load(&l.wrong));
    assert_true(l.next == all);
    vrs_mutex_destroy(&l.lock);
    vrs_reorder_destroy(l.reorder);
    vrs_queue_destroy(l.work);
    vrs_queue_destroy(l.empty);
}

/* ---- the batching queue ---- */

#define STREAMS 4
#define STREAM_FRAMES 8
#define SLOTS 3

typedef struct stress_frame {
    vrs_batch_frame base; /* first */
    uint64_t index;       /* in its stream */
    atomic_int views_to_do;
} stress_frame;

typedef struct slot {
    vrs_batch_view views[VRS_BATCH_MOST];
    int32_t count;
} slot;

/* As in the pipeline: submitting threads, the batcher and who completes batches share one lock. */
typedef struct bench {
    vrs_mutex lock;
    vrs_cond work;
    vrs_batch_queue *queue;
    vrs_queue *free_slots, *sent;
    vrs_queue *empty[STREAMS]; /* frames */
    int64_t now;               /* under the lock: goes on with each look */
    bool ending;
    uint64_t frames;           /* of each stream */
    uint64_t next[STREAMS][2]; /* index of the frame whose view may go next; under the lock */
    uint64_t added, done, left;
    atomic_bool wrong;
} bench;

/* With the lock held. Frames that left without going come back. */
static void take_back(bench *b, vrs_batch_frame *frame)
{
    b->left++;
    vrs_queue_push(b->empty[frame->stream], frame);
}

typedef struct submitter {
    bench *bench;
    uint32_t stream;
    vrs_thread thread;
} submitter;

static void submit_all(void *arg)
{
    submitter *self = arg;
    bench *b = self->bench;
    uint64_t seed = self->stream;
    for (uint64_t n = 0; n < b->frames; n++) {
        void *item = NULL;
        vrs_batch_frame *dropped = NULL;
        if (vrs_queue_pop(b->empty[self->stream], &item, INT64_MAX) != VRS_OK)
            break;
        stress_frame *f = item;
        f->index = n;
        atomic_store(&f->views_to_do, 2);
        f->base = (vrs_batch_frame){
            .stream = self->stream, .view_count = 2, .priority = (int32_t)draw(&seed) % 4};
        vrs_mutex_lock(&b->lock);
        f->base.deadline_ns = draw(&seed) % 3 == 0 ? b->now + 40 : 0;
        bool added = vrs_batch_queue_add(b->queue, &f->base, ++b->now, &dropped);
        b->added += added;
        if (dropped != NULL)
            take_back(b, dropped);
        if (draw(&seed) % 50 == 0) {
            vrs_batch_frame *cancelled;
            while ((cancelled = vrs_batch_queue_cancel(b->queue, self->stream)) != NULL)
                take_back(b, cancelled);
        }
        vrs_cond_signal(&b->work);
        vrs_mutex_unlock(&b->lock);
        if (!added)
            atomic_store(&b->wrong, true);
    }
}

/* With the lock held: the batch keeps the rules, and the sequence of its streams. */
static void check_batch(bench *b, const slot *s)
{
    for (int32_t i = 0; i < s->count; i++) {
        const stress_frame *f = (const stress_frame *)s->views[i].frame;
        uint64_t *next = &b->next[f->base.stream][s->views[i].view];
        if (f->index < *next) /* there are gaps where frames left */
            atomic_store(&b->wrong, true);
        *next = f->index + 1;
    }
}

static void batch_all(void *arg)
{
    bench *b = arg;
    slot *s = NULL;
    vrs_mutex_lock(&b->lock);
    while (!b->ending || b->added > b->done + b->left) {
        int64_t next_ns = INT64_MAX;
        vrs_batch_frame *late;
        b->now++;
        while ((late = vrs_batch_queue_expire(b->queue, b->now)) != NULL)
            take_back(b, late);
        if (s == NULL)
            s = vrs_queue_try_pop(b->free_slots);
        if (s != NULL)
            s->count = vrs_batch_queue_choose(b->queue, b->now, b->ending, s->views, &next_ns);
        if (s != NULL && s->count > 0) {
            check_batch(b, s);
            vrs_queue_push(b->sent, s);
            s = NULL;
            continue;
        }
        /* Time goes on with each look, so what has a time to wait for is not slept over. */
        if (next_ns == INT64_MAX && vrs_batch_queue_next_expiry_ns(b->queue) == INT64_MAX) {
            (void)vrs_cond_wait_until(&b->work, &b->lock, INT64_MAX);
            continue;
        }
        vrs_mutex_unlock(&b->lock);
        (void)sched_yield();
        vrs_mutex_lock(&b->lock);
    }
    if (s != NULL)
        vrs_queue_push(b->free_slots, s);
    vrs_mutex_unlock(&b->lock);
    vrs_queue_close(b->sent);
}

static void complete_all(void *arg)
{
    bench *b = arg;
    void *item = NULL;
    while (vrs_queue_pop(b->sent, &item, INT64_MAX) == VRS_OK) {
        slot *s = item;
        vrs_mutex_lock(&b->lock);
        vrs_batch_queue_took(b->queue, s->count, 5 + s->count);
        for (int32_t i = 0; i < s->count; i++) {
            stress_frame *f = (stress_frame *)s->views[i].frame;
            vrs_batch_queue_view_done(b->queue, f->base.stream, s->views[i].view);
            if (atomic_fetch_sub(&f->views_to_do, 1) > 1)
                continue;
            b->done++;
            vrs_queue_push(b->empty[f->base.stream], f);
        }
        vrs_queue_push(b->free_slots, s);
        vrs_cond_signal(&b->work);
        vrs_mutex_unlock(&b->lock);
    }
}

static void open_bench(bench *b, bool one_in_flight)
{
    static stress_frame frames[STREAMS][STREAM_FRAMES];
    static slot slots[SLOTS];
    vrs_batch_settings settings = {
        .max_batch_size = 6,
        .max_queue_delay_ns = 20,
        .levels = 3,
        .default_priority = 2,
        .timeout_ns = {300, 0, 200},
        .max_queue_size = {6, 0, 5},
        .overflow = VRS_BATCH_DROP_OLDEST,
        .age_ns = 100,
        .one_in_flight = one_in_flight,
    };
    assert_int_equal(vrs_mutex_init(&b->lock), VRS_OK);
    assert_int_equal(vrs_cond_init(&b->work), VRS_OK);
    assert_int_equal(vrs_batch_queue_create(&settings, &b->queue), VRS_OK);
    assert_int_equal(vrs_queue_create(SLOTS, &b->free_slots), VRS_OK);
    assert_int_equal(vrs_queue_create(SLOTS, &b->sent), VRS_OK);
    for (int i = 0; i < SLOTS; i++)
        vrs_queue_push(b->free_slots, &slots[i]);
    for (int s = 0; s < STREAMS; s++) {
        assert_int_equal(vrs_queue_create(STREAM_FRAMES, &b->empty[s]), VRS_OK);
        for (int i = 0; i < STREAM_FRAMES; i++)
            vrs_queue_push(b->empty[s], &frames[s][i]);
    }
}

static void close_bench(bench *b)
{
    for (int s = 0; s < STREAMS; s++) {
        assert_int_equal(vrs_queue_depth(b->empty[s]), STREAM_FRAMES);
        vrs_queue_destroy(b->empty[s]);
    }
    assert_int_equal(vrs_queue_depth(b->free_slots), SLOTS);
    vrs_queue_destroy(b->free_slots);
    vrs_queue_destroy(b->sent);
    vrs_batch_queue_destroy(b->queue);
    vrs_cond_destroy(&b->work);
    vrs_mutex_destroy(&b->lock);
}

/* Of a frame that goes to its end: added, two views chosen, two done, and four operations on rings.
 */
static void run_bench(bool one_in_flight, uint64_t frames)
{
    bench b = {.frames = frames / STREAMS};
    submitter submitters[STREAMS];
    vrs_thread batcher = {0}, completers[2] = {{0}};
    open_bench(&b, one_in_flight);
    assert_int_equal(vrs_thread_start(&batcher, "batch", batch_all, &b), VRS_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(vrs_thread_start(&completers[i], "complete", complete_all, &b), VRS_OK);
    for (uint32_t s = 0; s < STREAMS; s++) {
        submitters[s] = (submitter){.bench = &b, .stream = s};
        assert_int_equal(
            vrs_thread_start(&submitters[s].thread, "submit", submit_all, &submitters[s]), VRS_OK);
    }
    for (int s = 0; s < STREAMS; s++)
        vrs_thread_join(&submitters[s].thread);
    vrs_mutex_lock(&b.lock);
    b.ending = true;
    vrs_cond_signal(&b.work);
    vrs_mutex_unlock(&b.lock);
    vrs_thread_join(&batcher);
    for (int i = 0; i < 2; i++)
        vrs_thread_join(&completers[i]);
    assert_false(atomic_load(&b.wrong));
    assert_true(b.added == STREAMS * b.frames);
    assert_true(b.done + b.left == b.added);
    assert_true(b.done > 0 && b.left > 0);
    close_bench(&b);
}

static void test_batch_queue(void **state)
{
    (void)state;
    uint64_t frames = operations / 3 / 9 / 2;
    run_bench(false, frames);
    run_bench(true, frames);
}

int main(void)
{
    const char *wanted = getenv("VRSEG_STRESS_OPERATIONS");
    if (wanted != NULL && wanted[0] != 0) {
        char *end;
        operations = strtoull(wanted, &end, 10);
        if (*end != 0 || operations < 10000) {
            fprintf(stderr, "VRSEG_STRESS_OPERATIONS=%s: expected a number from 10000 on\n",
                    wanted);
            return 1;
        }
    }
    printf("%llu operations\n", (unsigned long long)operations);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_reorder),
        cmocka_unit_test(test_batch_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
