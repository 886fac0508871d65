/* A bounded ring of pointers for several producers and consumers, without a lock, for queue.c.
 * Places are numbered on and on; place n lies in slot n modulo the size. Each slot says whose turn
 * it is: n, place n's producer; n + 1, its consumer; n + size, the producer of the next round. Both
 * take a place by compare-and-swap and hand the slot on by a store: D. Vyukov, "Bounded MPMC
 * queue".
 *
 * Who has taken a place and is put to sleep by the system holds up that one slot alone. Concurrency
 * Kit's ring has producers publish their places in turn, each spinning until the one before has:
 * with more threads than cores all burn their time slices until that one runs again. */
#ifndef VRS_BASE_RING_H
#define VRS_BASE_RING_H

#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

typedef struct vrs_ring_slot {
    _Atomic uint32_t turn;
    void *item;
} vrs_ring_slot;

/* Counters wrap; their differences are below 2^31. */
typedef struct vrs_ring {
    vrs_ring_slot *slots; /* borrows; mask + 1, a power of two */
    uint32_t mask;
    alignas(VRS_ALIGNMENT) _Atomic uint32_t tail; /* next place to put into */
    alignas(VRS_ALIGNMENT) _Atomic uint32_t head; /* next place to take from */
} vrs_ring;

/* Empty, with the counters at `first`. */
static inline void vrs_ring_init(vrs_ring *ring, vrs_ring_slot *slots, uint32_t size,
                                 uint32_t first)
{
    ring->slots = slots;
    ring->mask = size - 1;
    for (uint32_t i = 0; i < size; i++)
        atomic_init(&slots[(first + i) & ring->mask].turn, first + i);
    atomic_init(&ring->tail, first);
    atomic_init(&ring->head, first);
}

/* Adds an item; the caller sees to it that there are never more than slots. Waits only where a
 * consumer of the round before has taken the place and not read it yet. */
static inline void vrs_ring_put(vrs_ring *ring, void *item)
{
    uint32_t place = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        vrs_ring_slot *slot = &ring->slots[place & ring->mask];
        uint32_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn != place) {
            if ((int32_t)(turn - place) < 0)
                sched_yield();
            place = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->tail, &place, place + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            slot->item = item;
            atomic_store_explicit(&slot->turn, place + 1, memory_order_release);
            return;
        }
    }
}

/* Takes the oldest item. NULL: none, or its producer has not put it down yet. */
static inline void *vrs_ring_take(vrs_ring *ring)
{
    uint32_t place = atomic_load_explicit(&ring->head, memory_order_relaxed);
    for (;;) {
        vrs_ring_slot *slot = &ring->slots[place & ring->mask];
        int32_t ahead =
            (int32_t)(atomic_load_explicit(&slot->turn, memory_order_acquire) - (place + 1));
        if (ahead < 0)
            return NULL;
        if (ahead > 0) {
            place = atomic_load_explicit(&ring->head, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->head, &place, place + 1,
                                                         memory_order_relaxed,
                                                         memory_order_relaxed)) {
            void *item = slot->item;
            atomic_store_explicit(&slot->turn, place + ring->mask + 1, memory_order_release);
            return item;
        }
    }
}

/* Places taken by producers and not by consumers, at some moment during the call: the head is the
 * same on both sides of reading the tail. */
static inline uint32_t vrs_ring_depth(const vrs_ring *ring)
{
    for (;;) {
        uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
        uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (atomic_load_explicit(&ring->head, memory_order_relaxed) == head)
            return tail - head;
    }
}

#endif
