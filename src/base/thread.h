/* Threads, mutexes and conditions: pthreads with names, statuses, failure injection and our clock.
 */
#ifndef VRS_BASE_THREAD_H
#define VRS_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vrseg/status.h"

typedef struct vrs_thread {
    pthread_t handle;
    bool running;
} vrs_thread;

typedef void (*vrs_thread_fn)(void *arg);

/* Starts a thread; `name` (copied, cut at 15 bytes) shows in system tools, and threads that a
 * library creates from it inherit the name. Signals that a program handles are blocked in it: they
 * go to the program's own threads. VRS_SYSTEM, VRS_NO_MEMORY. */
VRS_API vrs_status vrs_thread_start(vrs_thread *thread, const char *name, vrs_thread_fn fn,
                                    void *arg) VRS_MUST_USE;

/* Joins a thread that was started; does nothing for a zeroed or joined one. */
VRS_API void vrs_thread_join(vrs_thread *thread);

/* Lets a thread end by itself: it is joined no more. Nothing for a zeroed or joined one. */
VRS_API void vrs_thread_detach(vrs_thread *thread);

/* Names the calling thread. */
VRS_API void vrs_thread_name(const char *name);

/* Lets other threads of the process run before the calling one where cores are short: sets its nice
 * value to the process's plus `steps` (0..19). Does nothing where it is that high already, or where
 * the system refuses. Cheap after a thread's first call. */
VRS_API void vrs_thread_step_back(int steps);

/* Later stages run first: what is nearly done leaves the caches and frees its ticket before more
 * comes in, and the encoder, mostly the slowest, is not displaced by those that feed it. */
#define VRS_STEPS_INFER 3 /* and what comes before it */
#define VRS_STEPS_POSTPROCESS 1

typedef struct vrs_mutex {
    pthread_mutex_t handle;
} vrs_mutex;

/* Not pthread's: that of glibc before 2.41 can lose a signal when several threads wait (its bug
 * 25847), and here a queue may have any number of consumers. */
typedef struct vrs_cond {
    _Atomic uint32_t signals; /* so far; what a waiter sleeps on (futex) */
    _Atomic uint32_t waiters;
} vrs_cond;

/* VRS_SYSTEM or VRS_NO_MEMORY. Destroy only what was initialised and nobody waits on. */
VRS_API vrs_status vrs_mutex_init(vrs_mutex *mutex) VRS_MUST_USE;
VRS_API void vrs_mutex_destroy(vrs_mutex *mutex);
VRS_API void vrs_mutex_lock(vrs_mutex *mutex);
VRS_API void vrs_mutex_unlock(vrs_mutex *mutex);

VRS_API vrs_status vrs_cond_init(vrs_cond *cond) VRS_MUST_USE;
VRS_API void vrs_cond_destroy(vrs_cond *cond);
VRS_API void vrs_cond_signal(vrs_cond *cond);
VRS_API void vrs_cond_broadcast(vrs_cond *cond);

/* Waits with `mutex` held until signalled (spurious wake-ups happen) or until vrs_now_ns() reaches
 * `deadline_ns` (INT64_MAX: no deadline). False: the deadline passed. */
VRS_API bool vrs_cond_wait_until(vrs_cond *cond, vrs_mutex *mutex, int64_t deadline_ns);

#endif
