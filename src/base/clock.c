#include "base/clock.h"

#include <assert.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

/* Time of the virtual clock; REAL while the real one is used. */
#define REAL INT64_MIN
static _Atomic int64_t virtual_now = REAL;

/* A timed wait on the virtual clock. Lives on the waiting thread's stack. While `pinned`, the
 * thread that moves the clock uses its mutex and condition, so the waiter may not leave. */
typedef struct waiter {
    vrs_cond *cond;
    vrs_mutex *mutex;
    int64_t deadline_ns;
    uint32_t pinned;
    bool woken; /* by the clock */
    struct waiter *next;
} waiter;

/* Order of locking: a waiter takes `waiters_lock` while it holds its own mutex; whoever moves the
 * clock never holds both. */
static vrs_mutex waiters_lock = {PTHREAD_MUTEX_INITIALIZER};
static vrs_cond waiters_changed;
static waiter *waiters;
static uint32_t waiter_count;

int64_t vrs_now_ns(void)
{
    int64_t now = atomic_load_explicit(&virtual_now, memory_order_acquire);
    if (now != REAL)
        return now;
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * VRS_NS_PER_S + time.tv_nsec;
}

int64_t vrs_deadline_ns(int64_t timeout_us)
{
    if (timeout_us < 0)
        return INT64_MAX;
    int64_t now = vrs_now_ns();
    if (timeout_us > (INT64_MAX - now) / VRS_NS_PER_US)
        return INT64_MAX;
    return now + timeout_us * VRS_NS_PER_US;
}

void vrs_clock_pause(uint32_t tries)
{
    enum { YIELDS = 4096, MOST_US = 1000 };
    if (tries < YIELDS) {
        (void)sched_yield();
        return;
    }
    uint32_t us = (tries - YIELDS + 1) * 10;
    const struct timespec time = {.tv_nsec = (long)(us < MOST_US ? us : MOST_US) * VRS_NS_PER_US};
    (void)nanosleep(&time, NULL);
}

bool vrs_clock_is_virtual(void)
{
    return atomic_load_explicit(&virtual_now, memory_order_acquire) != REAL;
}

static void add_waiter(waiter *self)
{
    vrs_mutex_lock(&waiters_lock);
    self->next = waiters;
    waiters = self;
    waiter_count++;
    vrs_cond_broadcast(&waiters_changed);
    vrs_mutex_unlock(&waiters_lock);
}

static void remove_waiter(waiter *self)
{
    vrs_mutex_lock(&waiters_lock);
    while (self->pinned > 0)
        (void)vrs_cond_wait_until(&waiters_changed, &waiters_lock, INT64_MAX);
    waiter **link = &waiters;
    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    waiter_count--;
    vrs_mutex_unlock(&waiters_lock);
}

/* The waiter is in the list before the clock is read: whoever moves it on later finds the waiter
 * and, since it must take `mutex` to wake it, finds it asleep. */
bool vrs_clock_virtual_wait(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns)
{
    waiter self = {.cond = cond, .mutex = mutex, .deadline_ns = deadline_ns};
    add_waiter(&self);
    if (vrs_clock_is_virtual() && vrs_now_ns() < deadline_ns)
        (void)vrs_cond_wait_until(cond, mutex, INT64_MAX);
    vrs_mutex_unlock(mutex);
    remove_waiter(&self);
    vrs_mutex_lock(mutex);
    return vrs_now_ns() < deadline_ns;
}

/* A waiter that the present time or a change of clock wakes and that was not yet woken. */
static waiter *find_due(bool all)
{
    int64_t now = vrs_now_ns();
    for (waiter *w = waiters; w != NULL; w = w->next)
        if (!w->woken && (all || w->deadline_ns <= now))
            return w;
    return NULL;
}

static void wake_waiters(bool all)
{
    vrs_mutex_lock(&waiters_lock);
    for (waiter *due = find_due(all); due != NULL; due = find_due(all)) {
        due->woken = true;
        due->pinned++;
        vrs_mutex_unlock(&waiters_lock);
        vrs_mutex_lock(due->mutex);
        vrs_cond_broadcast(due->cond);
        vrs_mutex_unlock(due->mutex);
        vrs_mutex_lock(&waiters_lock);
        due->pinned--;
        vrs_cond_broadcast(&waiters_changed);
    }
    vrs_mutex_unlock(&waiters_lock);
}

void vrs_clock_use_virtual(int64_t start_ns)
{
    assert(start_ns >= 0);
    atomic_store_explicit(&virtual_now, start_ns, memory_order_release);
    wake_waiters(true);
}

void vrs_clock_advance_ns(int64_t delta_ns)
{
    assert(vrs_clock_is_virtual() && delta_ns >= 0);
    atomic_fetch_add_explicit(&virtual_now, delta_ns, memory_order_acq_rel);
    wake_waiters(false);
}

void vrs_clock_use_real(void)
{
    atomic_store_explicit(&virtual_now, REAL, memory_order_release);
    wake_waiters(true);
}

void vrs_clock_await_waiters(uint32_t count)
{
    vrs_mutex_lock(&waiters_lock);
    while (waiter_count < count)
        (void)vrs_cond_wait_until(&waiters_changed, &waiters_lock, INT64_MAX);
    vrs_mutex_unlock(&waiters_lock);
}
