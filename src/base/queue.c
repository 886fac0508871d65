#include "base/queue.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/ring.h"
#include "base/thread.h"

#define MAX_CAPACITY 65536u

/* The wait word is `sleepers`. A consumer adds itself and looks into the ring again before it
 * sleeps; a producer puts its item in and then reads the word, by a read-modify-write. Both changes
 * of the word have an order: if the producer's comes first, the consumer's acquires it and the
 * second look sees the item; otherwise the producer sees the sleeper. It then takes the mutex, so
 * the consumer, which holds it from before its second look, is in the wait when it is signalled.
 * A plain load after the put would not do: the processor may read it before the item is seen.
 *
 * An item can be there behind one that is not put down yet: whoever is woken for it finds none and
 * sleeps on. So who was woken and got one wakes the next where there are more. */
struct vrs_queue {
    vrs_ring ring;
    uint32_t capacity;
    alignas(VRS_ALIGNMENT) atomic_uint sleepers;
    atomic_bool closed;
    vrs_mutex mutex;
    vrs_cond wake;
    /* Of the producers alone, on a line of their own. */
    alignas(VRS_ALIGNMENT) _Atomic uint64_t pushes;
    _Atomic uint64_t found;
    _Atomic uint32_t most;
};

/* A power of two; at least two, as the turns of a single slot could not be told apart. */
static uint32_t ring_size(uint32_t capacity)
{
    uint32_t size = 2;
    while (size < capacity)
        size *= 2;
    return size;
}

static vrs_status init_waiting(vrs_queue *queue)
{
    vrs_status status = vrs_mutex_init(&queue->mutex);
    if (status != VRS_OK)
        return status;
    status = vrs_cond_init(&queue->wake);
    if (status != VRS_OK)
        vrs_mutex_destroy(&queue->mutex);
    return status;
}

vrs_status vrs_queue_create_from(uint32_t capacity, uint32_t first, vrs_queue **queue)
{
    assert(capacity >= 1 && capacity <= MAX_CAPACITY);
    vrs_queue *made = vrs_alloc_aligned(sizeof(*made));
    if (made == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = VRS_NO_MEMORY;
    uint32_t size = ring_size(capacity);
    made->capacity = capacity;
    vrs_ring_slot *slots = vrs_alloc_array(size, sizeof(*slots));
    if (slots != NULL)
        status = init_waiting(made);
    if (status != VRS_OK) {
        vrs_free(slots);
        vrs_free(made);
        return status;
    }
    vrs_ring_init(&made->ring, slots, size, first);
    *queue = made;
    return VRS_OK;
}

vrs_status vrs_queue_create(uint32_t capacity, vrs_queue **queue)
{
    return vrs_queue_create_from(capacity, 0, queue);
}

void vrs_queue_destroy(vrs_queue *queue)
{
    if (queue == NULL)
        return;
    vrs_cond_destroy(&queue->wake);
    vrs_mutex_destroy(&queue->mutex);
    vrs_free(queue->ring.slots);
    vrs_free(queue);
}

static void count_push(vrs_queue *queue, uint32_t found)
{
    atomic_fetch_add_explicit(&queue->pushes, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&queue->found, found, memory_order_relaxed);
    uint32_t most = atomic_load_explicit(&queue->most, memory_order_relaxed);
    while (found + 1 > most &&
           !atomic_compare_exchange_weak_explicit(&queue->most, &most, found + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void vrs_queue_push(vrs_queue *queue, void *item)
{
    assert(item != NULL);
    uint32_t depth = vrs_ring_depth(&queue->ring);
    assert(depth < queue->capacity);
    vrs_ring_put(&queue->ring, item);
    count_push(queue, depth);
    if (atomic_fetch_add_explicit(&queue->sleepers, 0, memory_order_acq_rel) > 0) {
        vrs_mutex_lock(&queue->mutex);
        vrs_cond_signal(&queue->wake);
        vrs_mutex_unlock(&queue->mutex);
    }
}

void *vrs_queue_try_pop(vrs_queue *queue)
{
    return vrs_ring_take(&queue->ring);
}

/* With the mutex held. NULL: closed and empty, or the deadline passed. */
static void *sleep_for_item(vrs_queue *queue, int64_t deadline_ns)
{
    atomic_fetch_add_explicit(&queue->sleepers, 1, memory_order_acq_rel);
    void *item = vrs_queue_try_pop(queue);
    bool in_time = true;
    while (item == NULL && in_time && !atomic_load(&queue->closed)) {
        in_time = vrs_cond_wait_until(&queue->wake, &queue->mutex, deadline_ns);
        item = vrs_queue_try_pop(queue);
    }
    atomic_fetch_sub_explicit(&queue->sleepers, 1, memory_order_relaxed);
    if (item != NULL && vrs_ring_depth(&queue->ring) > 0)
        vrs_cond_signal(&queue->wake);
    return item;
}

vrs_status vrs_queue_pop(vrs_queue *queue, void **item, int64_t deadline_ns)
{
    *item = vrs_queue_try_pop(queue);
    if (*item != NULL)
        return VRS_OK;
    vrs_mutex_lock(&queue->mutex);
    *item = sleep_for_item(queue, deadline_ns);
    vrs_mutex_unlock(&queue->mutex);
    if (*item != NULL)
        return VRS_OK;
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

uint32_t vrs_queue_depth(const vrs_queue *queue)
{
    return vrs_ring_depth(&queue->ring);
}

vrs_queue_stats vrs_queue_get_stats(const vrs_queue *queue)
{
    return (vrs_queue_stats){
        .pushes = atomic_load_explicit(&queue->pushes, memory_order_relaxed),
        .found = atomic_load_explicit(&queue->found, memory_order_relaxed),
        .most = atomic_load_explicit(&queue->most, memory_order_relaxed),
    };
}
