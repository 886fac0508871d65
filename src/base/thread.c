/* pthread_setname_np() */
#define _GNU_SOURCE

#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

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
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        sigdelset(&set, open[i]);
    }
    pthread_sigmask(SIG_SETMASK, &set, old);
}

vrs_status vrs_thread_start(vrs_thread *thread, const char *name, vrs_thread_fn fn, void *arg)
{
    thread_start *start = vrs_alloc(sizeof(*start));
    if (start == NULL) {
        return VRS_NO_MEMORY;
    }
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
    if (!thread->running) {
        return;
    }
    int error = pthread_join(thread->handle, NULL);
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

vrs_status vrs_mutex_init(vrs_mutex *mutex)
{
    int error = vrs_inject("mutex") ? pthread_mutex_init(&mutex->handle, NULL) : EAGAIN;
    if (error != 0) {
        return resource_failure(error, "mutex");
    }
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

static int init_monotonic_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error != 0) {
        return error;
    }
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (error == 0) {
        error = pthread_cond_init(cond, &attributes);
    }
    pthread_condattr_destroy(&attributes);
    return error;
}

vrs_status vrs_cond_init(vrs_cond *cond)
{
    int error = vrs_inject("condition") ? init_monotonic_cond(&cond->handle) : EAGAIN;
    if (error != 0) {
        return resource_failure(error, "condition");
    }
    vrs_resource_born();
    return VRS_OK;
}

void vrs_cond_destroy(vrs_cond *cond)
{
    int error = pthread_cond_destroy(&cond->handle);
    assert(error == 0);
    (void)error;
    vrs_resource_died();
}

void vrs_cond_signal(vrs_cond *cond)
{
    pthread_cond_signal(&cond->handle);
}

void vrs_cond_broadcast(vrs_cond *cond)
{
    pthread_cond_broadcast(&cond->handle);
}

static bool wait_real(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns)
{
    struct timespec time = {
        .tv_sec = (time_t)(deadline_ns / VRS_NS_PER_S),
        .tv_nsec = (long)(deadline_ns % VRS_NS_PER_S),
    };
    int error = pthread_cond_timedwait(&cond->handle, &mutex->handle, &time);
    assert(error == 0 || error == ETIMEDOUT);
    return error == 0;
}

bool vrs_cond_wait_until(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns)
{
    if (deadline_ns == INT64_MAX) {
        int error = pthread_cond_wait(&cond->handle, &mutex->handle);
        assert(error == 0);
        (void)error;
        return true;
    }
    if (vrs_now_ns() >= deadline_ns) {
        return false;
    }
    if (vrs_clock_is_virtual()) {
        return vrs_clock_virtual_wait(cond, mutex, deadline_ns);
    }
    return wait_real(cond, mutex, deadline_ns);
}
