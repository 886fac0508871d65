/* Which operation runs next: any whose dependencies are done, chosen by the seed. Streams have
 * weights, so that under some seeds one of them is starved until something waits for it. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_cuda/internal.h"

static _Thread_local bool in_callback;

bool fake_in_callback(void)
{
    return in_callback;
}

void fake_schedule_init(void)
{
    static const unsigned eager[] = {0, 1, 4, 8}, lazy[] = {0, 8, 64, 256};
    fake.eager = eager[fake_random() % 4];
    fake.lazy = lazy[fake_random() % 4];
}

fake_op *fake_op_new(fake_kind kind)
{
    fake_op *op = fake_take(1, sizeof(*op));
    op->refs = 1;
    op->kind = kind;
    op->weight = 1;
    op->device = fake_current_device() > 0 ? fake_current_device() : 0;
    return op;
}

fake_op *fake_op_keep(fake_op *op)
{
    if (op != NULL)
        op->refs++;
    return op;
}

static void drop_deps(fake_op *op)
{
    for (size_t i = 0; i < op->dep_count; i++)
        fake_op_drop(op->deps[i]);
    free(op->deps);
    op->deps = NULL;
    op->dep_count = 0;
}

void fake_op_drop(fake_op *op)
{
    if (op == NULL || --op->refs > 0)
        return;
    drop_deps(op);
    free(op->staged);
    free(op->params);
    free(op);
}

void fake_op_after(fake_op *op, fake_op *dep)
{
    if (dep == NULL || dep->done || dep == op)
        return;
    fake_op **deps = realloc(op->deps, (op->dep_count + 1) * sizeof(fake_op *));
    if (deps == NULL)
        fake_die("no memory left for the stand-in itself");
    op->deps = deps;
    op->deps[op->dep_count++] = fake_op_keep(dep);
}

static bool runnable(const fake_op *op)
{
    for (size_t i = 0; i < op->dep_count; i++)
        if (!op->deps[i]->done)
            return false;
    return true;
}

/* Takes an operation that may run out of the list; NULL: there is none. */
static fake_op *choose(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < fake.pending_count; i++)
        sum += runnable(fake.pending[i]) ? fake.pending[i]->weight : 0;
    if (sum == 0)
        return NULL;
    uint64_t ticket = fake_random() % sum;
    for (size_t i = 0; i < fake.pending_count; i++) {
        fake_op *op = fake.pending[i];
        if (!runnable(op))
            continue;
        if (ticket < op->weight) {
            fake.pending[i] = fake.pending[--fake.pending_count];
            return op;
        }
        ticket -= op->weight;
    }
    return NULL;
}

static void mark_done(fake_op *op)
{
    op->time = ++fake.ran;
    op->done = true;
    drop_deps(op);
    fake_op_drop(op);
}

void fake_drop_pending(int device)
{
    size_t kept = 0;
    for (size_t i = 0; i < fake.pending_count; i++)
        if (device >= 0 && fake.pending[i]->device != device)
            fake.pending[kept++] = fake.pending[i];
        else
            mark_done(fake.pending[i]);
    fake.pending_count = kept;
}

/* Runs one operation; false: there was none. Frees the lock meanwhile. */
static bool run_one(void)
{
    fake_op *op = fake.executing ? NULL : choose();
    if (op == NULL)
        return false;
    fake.executing = true;
    pthread_mutex_unlock(&fake.lock);
    in_callback = op->kind == OP_HOST;
    const cu_result result = fake_perform(op);
    in_callback = false;
    pthread_mutex_lock(&fake.lock);
    fake.executing = false;
    const int device = op->device;
    mark_done(op);
    if (result != CU_SUCCESS)
        fake_lose(device, result);
    pthread_cond_broadcast(&fake.changed);
    return true;
}

static void *thread_main(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&fake.lock);
    while (!fake.thread_stop) {
        const unsigned yields = fake.lazy > 0 ? (unsigned)(fake_random() % (fake.lazy + 1)) : 0;
        pthread_mutex_unlock(&fake.lock);
        for (unsigned i = 0; i < yields; i++)
            sched_yield();
        pthread_mutex_lock(&fake.lock);
        if (!fake.thread_stop && (fake.mode != FAKE_CUDA_THREAD || !run_one()))
            pthread_cond_wait(&fake.changed, &fake.lock);
    }
    pthread_mutex_unlock(&fake.lock);
    return NULL;
}

/* Also in a child process, which has no thread of its parent's. */
static void thread_start(void)
{
    if (fake.thread_running && fake.thread_pid == (int)getpid())
        return;
    fake.thread_stop = false;
    fake.thread_pid = (int)getpid();
    if (pthread_create(&fake.thread, NULL, thread_main, NULL) != 0)
        fake_die("no thread for the stand-in itself");
    fake.thread_running = true;
}

void fake_thread_stop(void)
{
    pthread_mutex_lock(&fake.lock);
    const bool mine = fake.thread_running && fake.thread_pid == (int)getpid();
    fake.thread_stop = true;
    fake.thread_running = false;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    if (mine)
        pthread_join(fake.thread, NULL);
}

void fake_submit(fake_op *op)
{
    if (fake.pending_count == fake.pending_room) {
        const size_t room = fake.pending_room > 0 ? 2 * fake.pending_room : 64;
        fake_op **pending = realloc(fake.pending, room * sizeof(fake_op *));
        if (pending == NULL)
            fake_die("no memory left for the stand-in itself");
        fake.pending = pending;
        fake.pending_room = room;
    }
    fake.pending[fake.pending_count++] = fake_op_keep(op);
    if (fake.mode == FAKE_CUDA_THREAD) {
        thread_start();
        pthread_cond_broadcast(&fake.changed);
    } else {
        while (fake_random() % 8 < fake.eager && run_one())
            ;
    }
}

cu_result fake_wait(fake_op *op)
{
    const int device = op != NULL ? op->device : fake_current_device();
    fake_op_keep(op);
    while (op != NULL && !op->done) {
        if (fake.mode == FAKE_CUDA_THREAD) {
            thread_start();
            pthread_cond_broadcast(&fake.changed);
            pthread_cond_wait(&fake.changed, &fake.lock);
        } else if (!run_one()) {
            if (!fake.executing)
                fake_die("a wait that cannot end: nothing may run");
            pthread_cond_wait(&fake.changed, &fake.lock);
        }
    }
    fake_op_drop(op);
    return fake_sticky(device);
}

void fake_poll(void)
{
    if (fake.mode == FAKE_CUDA_SYNC)
        run_one();
}

void fake_quiet(void)
{
    while (fake.executing)
        pthread_cond_wait(&fake.changed, &fake.lock);
}
