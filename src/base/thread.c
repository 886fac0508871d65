/* pthread_setname_np(), syscall() */
#define _GNU_SOURCE

#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/errno_text.h"

#define NAME_SIZE 16 /* of Linux, with the closing zero */

typedef struct thread_start {
    vrs_thread_fn fn;
    void *arg;
    char name[NAME_SIZE];
} thread_start;

/* What the operating system's error means for a resource named `what`. */
static vrs_status resource_failure(int error, const char *what)
{
    return vrs_fail(error == ENOMEM ? VRS_NO_MEMORY : VRS_SYSTEM, "cannot create a %s: %s", what,
                    vrs_errno_text(error));
}

static void *run_thread(void *opaque)
{
    thread_start start = *(thread_start *)opaque;
    vrs_free(opaque);
    vrs_thread_name(start.name);
    start.fn(start.arg);
    return NULL;
}

/* Signals that a program handles are for its own threads; those that a fault raises in the thread
 * itself, and the profiler's, stay open. */
static void block_signals(sigset_t *old)
{
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        sigdelset(&set, open[i]);
    pthread_sigmask(SIG_SETMASK, &set, old);
}

vrs_status vrs_thread_start(vrs_thread *thread, const char *name, vrs_thread_fn fn, void *arg)
{
    thread_start *start = vrs_alloc(sizeof(*start));
    if (start == NULL)
        return VRS_NO_MEMORY;
    start->fn = fn;
    start->arg = arg;
    snprintf(start->name, sizeof(start->name), "%s", name);

    int error = EAGAIN;
    if (vrs_inject("thread")) {
        sigset_t old;
        block_signals(&old);
        error = pthread_create(&thread->handle, NULL, run_thread, start);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    if (error != 0) {
        vrs_free(start);
        return resource_failure(error, "thread");
    }
    vrs_resource_born();
    thread->running = true;
    return VRS_OK;
}

void vrs_thread_join(vrs_thread *thread)
{
    if (!thread->running)
        return;
    int error = pthread_join(thread->handle, NULL);
    assert(error == 0);
    (void)error;
    thread->running = false;
    vrs_resource_died();
}

void vrs_thread_detach(vrs_thread *thread)
{
    if (!thread->running)
        return;
    int error = pthread_detach(thread->handle);
    assert(error == 0);
    (void)error;
    thread->running = false;
    vrs_resource_died();
}

void vrs_thread_name(const char *name)
{
    char cut[NAME_SIZE];
    snprintf(cut, sizeof(cut), "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

void vrs_thread_step_back(int steps)
{
    static _Thread_local int stepped;
    if (stepped >= steps)
        return;
    stepped = steps;
    id_t self = (id_t)syscall(SYS_gettid);
    int wanted = getpriority(PRIO_PROCESS, (id_t)getpid()) + steps;
    if (getpriority(PRIO_PROCESS, self) < wanted)
        (void)setpriority(PRIO_PROCESS, self, wanted);
}

vrs_status vrs_mutex_init(vrs_mutex *mutex)
{
    int error = vrs_inject("mutex") ? pthread_mutex_init(&mutex->handle, NULL) : EAGAIN;
    if (error != 0)
        return resource_failure(error, "mutex");
    vrs_resource_born();
    return VRS_OK;
}

void vrs_mutex_destroy(vrs_mutex *mutex)
{
    int error = pthread_mutex_destroy(&mutex->handle);
    assert(error == 0);
    (void)error;
    vrs_resource_died();
}

void vrs_mutex_lock(vrs_mutex *mutex)
{
    int error = pthread_mutex_lock(&mutex->handle);
    assert(error == 0);
    (void)error;
}

void vrs_mutex_unlock(vrs_mutex *mutex)
{
    int error = pthread_mutex_unlock(&mutex->handle);
    assert(error == 0);
    (void)error;
}

vrs_status vrs_cond_init(vrs_cond *cond)
{
    if (!vrs_inject("condition"))
        return resource_failure(EAGAIN, "condition");
    atomic_init(&cond->signals, 0);
    atomic_init(&cond->waiters, 0);
    vrs_resource_born();
    return VRS_OK;
}

void vrs_cond_destroy(vrs_cond *cond)
{
    assert(atomic_load(&cond->waiters) == 0);
    (void)cond;
    vrs_resource_died();
}

/* A waiter counts itself and reads `signals` before it lets go of the mutex, so a signal for what
 * happened since finds the count and changes the word on which the waiter is about to sleep. */
static void wake(vrs_cond *cond, int count)
{
    atomic_fetch_add(&cond->signals, 1);
    if (atomic_load(&cond->waiters) > 0)
        syscall(SYS_futex, &cond->signals, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

void vrs_cond_signal(vrs_cond *cond)
{
    wake(cond, 1);
}

void vrs_cond_broadcast(vrs_cond *cond)
{
    wake(cond, INT_MAX);
}

/* Sleeps while `word` is `value`; false when the time (of CLOCK_MONOTONIC) has come. */
static bool sleep_on(_Atomic uint32_t *word, uint32_t value, const struct timespec *until)
{
    long result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, until, NULL,
                          FUTEX_BITSET_MATCH_ANY);
    assert(result == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
    return result == 0 || errno != ETIMEDOUT;
}

static bool wait_real(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ns / VRS_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % VRS_NS_PER_S),
    };
    atomic_fetch_add(&cond->waiters, 1);
    uint32_t signals = atomic_load(&cond->signals);
    vrs_mutex_unlock(mutex);
    bool in_time = sleep_on(&cond->signals, signals, deadline_ns == INT64_MAX ? NULL : &until);
    vrs_mutex_lock(mutex);
    atomic_fetch_sub(&cond->waiters, 1);
    return in_time;
}

bool vrs_cond_wait_until(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX)
        return wait_real(cond, mutex, deadline_ns);
    if (vrs_now_ns() >= deadline_ns)
        return false;
    if (vrs_clock_is_virtual())
        return vrs_clock_virtual_wait(cond, mutex, deadline_ns);
    return wait_real(cond, mutex, deadline_ns);
}
