#include "base/queue.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/ring.h"
#include "base/thread.h"
#include "base/tsan.h"

#define MAX_CAPACITY 65536u

/* Producers take turns: they hold the mutex while they put an item in. The ring's own way for
 * several has them take places in it by compare-and-swap and publish these in turn, spinning until
 * whoever took the place before has: where the system has sent that one to sleep, all others burn
 * their time slices until it comes back, and each hand-over may cost another round. A mutex costs
 * as much where nobody else wants it, and puts who waits to sleep.
 *
 * Consumers take items out without the mutex. One that finds none takes it, looks again, and counts
 * itself as a sleeper before it waits; as no item comes in meanwhile, none is slept over. */
struct vrs_queue {
    struct ck_ring ring;
    struct ck_ring_buffer *slots;
    uint32_t capacity;
    char order; /* what the thread sanitizer knows the ring by */
    alignas(VRS_ALIGNMENT) vrs_mutex mutex;
    vrs_cond wake;
    uint32_t sleepers; /* under the mutex */
    atomic_bool closed;
    /* Changed under the mutex, read at any time. */
    _Atomic uint64_t pushes, found;
    _Atomic uint32_t most;
};

/* One more than the capacity, as a full ring keeps one slot free, up to a power of two. */
static uint32_t ring_size(uint32_t capacity)
{
    uint32_t size = 2;
    while (size < capacity + 1) {
        size *= 2;
    }
    return size;
}

static vrs_status init_waiting(vrs_queue *queue)
{
    vrs_status status = vrs_mutex_init(&queue->mutex);
    if (status != VRS_OK) {
        return status;
    }
    status = vrs_cond_init(&queue->wake);
    if (status != VRS_OK) {
        vrs_mutex_destroy(&queue->mutex);
    }
    return status;
}

vrs_status vrs_queue_create_from(uint32_t capacity, uint32_t first, vrs_queue **queue)
{
    assert(capacity >= 1 && capacity <= MAX_CAPACITY);
    vrs_queue *made = vrs_alloc_aligned(sizeof(*made));
    if (made == NULL) {
        return VRS_NO_MEMORY;
    }
    vrs_status status = VRS_NO_MEMORY;
    uint32_t size = ring_size(capacity);
    made->capacity = capacity;
    made->slots = vrs_alloc_array(size, sizeof(*made->slots));
    if (made->slots != NULL) {
        status = init_waiting(made);
    }
    if (status != VRS_OK) {
        vrs_free(made->slots);
        vrs_free(made);
        return status;
    }
    ck_ring_init(&made->ring, size);
    made->ring.c_head = first;
    made->ring.p_head = first;
    made->ring.p_tail = first;
    *queue = made;
    return VRS_OK;
}

vrs_status vrs_queue_create(uint32_t capacity, vrs_queue **queue)
{
    return vrs_queue_create_from(capacity, 0, queue);
}

void vrs_queue_destroy(vrs_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    vrs_cond_destroy(&queue->wake);
    vrs_mutex_destroy(&queue->mutex);
    vrs_free(queue->slots);
    vrs_free(queue);
}

/* With the mutex held: nobody else writes these. */
static void count_push(vrs_queue *queue, uint32_t found)
{
    uint64_t pushes = atomic_load_explicit(&queue->pushes, memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&queue->found, memory_order_relaxed);
    atomic_store_explicit(&queue->pushes, pushes + 1, memory_order_relaxed);
    atomic_store_explicit(&queue->found, sum + found, memory_order_relaxed);
    if (found + 1 > atomic_load_explicit(&queue->most, memory_order_relaxed)) {
        atomic_store_explicit(&queue->most, found + 1, memory_order_relaxed);
    }
}

void vrs_queue_push(vrs_queue *queue, void *item)
{
    assert(item != NULL);
    unsigned int depth = 0;
    vrs_mutex_lock(&queue->mutex);
    vrs_tsan_release(&queue->order);
    bool added = ck_ring_enqueue_spmc_size(&queue->ring, queue->slots, item, &depth);
    assert(added && depth < queue->capacity);
    (void)added;
    count_push(queue, depth);
    if (queue->sleepers > 0) {
        vrs_cond_signal(&queue->wake);
    }
    vrs_mutex_unlock(&queue->mutex);
}

void *vrs_queue_try_pop(vrs_queue *queue)
{
    void *item = NULL;
    if (!ck_ring_dequeue_spmc(&queue->ring, queue->slots, &item)) {
        return NULL;
    }
    vrs_tsan_acquire(&queue->order);
    return item;
}

/* With the mutex held. NULL: closed and empty, or the deadline passed. */
static void *sleep_for_item(vrs_queue *queue, int64_t deadline_ns)
{
    void *item = vrs_queue_try_pop(queue);
    queue->sleepers++;
    bool in_time = true;
    while (item == NULL && in_time && !atomic_load(&queue->closed)) {
        in_time = vrs_cond_wait_until(&queue->wake, &queue->mutex, deadline_ns);
        item = vrs_queue_try_pop(queue);
    }
    queue->sleepers--;
    return item;
}

vrs_status vrs_queue_pop(vrs_queue *queue, void **item, int64_t deadline_ns)
{
    *item = vrs_queue_try_pop(queue);
    if (*item != NULL) {
        return VRS_OK;
    }
    vrs_mutex_lock(&queue->mutex);
    *item = sleep_for_item(queue, deadline_ns);
    vrs_mutex_unlock(&queue->mutex);
    if (*item != NULL) {
        return VRS_OK;
    }
    if (atomic_load(&queue->closed)) {
        /* What was pushed before the close is still to be taken. */
        *item = vrs_queue_try_pop(queue);
        return *item != NULL ? VRS_OK : vrs_fail(VRS_CLOSED, "the queue is closed and empty");
    }
    return vrs_fail(VRS_TIMEOUT, "nothing came into the queue before the deadline");
}

void vrs_queue_close(vrs_queue *queue)
{
    vrs_mutex_lock(&queue->mutex);
    atomic_store(&queue->closed, true);
    vrs_cond_broadcast(&queue->wake);
    vrs_mutex_unlock(&queue->mutex);
}

/* The tail is as it was at a moment when the head was as read: the head is the same on both sides
 * of it. */
uint32_t vrs_queue_depth(const vrs_queue *queue)
{
    for (;;) {
        uint32_t head = ck_pr_load_uint(&queue->ring.c_head);
        ck_pr_fence_load();
        uint32_t tail = ck_pr_load_uint(&queue->ring.p_tail);
        ck_pr_fence_load();
        if (ck_pr_load_uint(&queue->ring.c_head) == head) {
            return tail - head;
        }
    }
}

vrs_queue_stats vrs_queue_get_stats(const vrs_queue *queue)
{
    return (vrs_queue_stats){
        .pushes = atomic_load_explicit(&queue->pushes, memory_order_relaxed),
        .found = atomic_load_explicit(&queue->found, memory_order_relaxed),
        .most = atomic_load_explicit(&queue->most, memory_order_relaxed),
    };
}
