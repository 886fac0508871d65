/* Memory, failure injection, threads and the clock. */
#define _GNU_SOURCE /* pthread_getname_np() */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/thread.h"
#include "support/inject.h"

static void test_memory(void **state)
{
    (void)state;
    size_t live = vrs_resources_live();
    unsigned char *block = vrs_alloc(1000);
    unsigned char *array = vrs_alloc_array(10, 100);
    unsigned char *aligned = vrs_alloc_aligned(1001);
    char *copy = vrs_strdup("text");
    void *nothing = vrs_alloc(0);
    void *no_elements = vrs_alloc_array(0, 100);
    void *none_aligned = vrs_alloc_aligned(0);
    assert_non_null(nothing);
    assert_non_null(no_elements);
    assert_non_null(none_aligned);
    assert_int_equal(vrs_resources_live(), live + 7);
    assert_int_equal((uintptr_t)aligned % VRS_ALIGNMENT, 0);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(block[i] | array[i] | aligned[i], 0);
    assert_string_equal(copy, "text");
    memset(block, 7, 1000);
    block = vrs_realloc(block, 100000);
    assert_non_null(block);
    assert_int_equal(block[999], 7);
    block = vrs_realloc(block, 0);
    assert_non_null(block);
    void *fresh = vrs_realloc(NULL, 10);
    assert_non_null(fresh);
    assert_int_equal(vrs_resources_live(), live + 8);
    errno = EBADF;
    vrs_free(NULL);
    vrs_free(block);
    assert_int_equal(errno, EBADF);
    void *const rest[] = {array, aligned, copy, nothing, no_elements, none_aligned, fresh};
    for (size_t i = 0; i < 7; i++)
        vrs_free(rest[i]);
    assert_int_equal(vrs_resources_live(), live);
}

static void test_too_much_memory(void **state)
{
    (void)state;
    size_t live = vrs_resources_live();
    assert_null(vrs_alloc_array(SIZE_MAX / 2, 3));
    assert_non_null(strstr(vrs_last_error(), "too large"));
    assert_null(vrs_alloc_array(SIZE_MAX, SIZE_MAX));
    assert_int_equal(vrs_resources_live(), live);
}

static bool refuse(void *opaque, const char *what)
{
    (void)what;
    ++*(int *)opaque;
    return false;
}

static void test_refused_memory(void **state)
{
    (void)state;
    char *block = vrs_strdup("kept");
    assert_non_null(block);
    size_t live = vrs_resources_live();
    int asked = 0;
    vrs_inject_set(refuse, &asked);
    void *one = vrs_alloc(1234567);
    assert_non_null(strstr(vrs_last_error(), "1234567"));
    void *others[] = {vrs_alloc_array(1, 1), vrs_alloc_aligned(1), vrs_strdup("x"),
                      vrs_realloc(block, 100), vrs_realloc(NULL, 1)};
    bool went = vrs_inject("library");
    vrs_inject_set(NULL, NULL);
    assert_null(one);
    for (size_t i = 0; i < 5; i++)
        assert_null(others[i]);
    assert_false(went);
    assert_true(vrs_inject("library"));
    assert_int_equal(asked, 7);
    assert_string_equal(block, "kept");
    assert_int_equal(vrs_resources_live(), live);
    vrs_free(block);
}

typedef struct seen {
    char name[16];
    bool interrupt_blocked, fault_open;
} seen;

static void look(void *arg)
{
    seen *thread = arg;
    pthread_getname_np(pthread_self(), thread->name, sizeof(thread->name));
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    thread->interrupt_blocked = sigismember(&set, SIGINT) == 1;
    thread->fault_open = sigismember(&set, SIGSEGV) == 0;
}

static void test_thread(void **state)
{
    (void)state;
    size_t live = vrs_resources_live();
    seen thread_saw = {0};
    vrs_thread thread = {0};
    vrs_thread_join(&thread); /* never started */
    assert_int_equal(vrs_thread_start(&thread, "a name that is too long", look, &thread_saw),
                     VRS_OK);
    vrs_thread_join(&thread);
    vrs_thread_join(&thread); /* joined already */
    assert_string_equal(thread_saw.name, "a name that is ");
    assert_true(thread_saw.interrupt_blocked);
    assert_true(thread_saw.fault_open);
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    assert_false(sigismember(&set, SIGINT) == 1);
    assert_int_equal(vrs_resources_live(), live);
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static vrs_status make_all(void *opaque)
{
    (void)opaque;
    vrs_mutex mutex;
    vrs_cond cond;
    vrs_thread thread = {0};
    vrs_status status = vrs_mutex_init(&mutex);
    if (status != VRS_OK)
        return status;
    status = vrs_cond_init(&cond);
    if (status == VRS_OK) {
        status = vrs_thread_start(&thread, "nothing", do_nothing, NULL);
        vrs_thread_join(&thread);
        vrs_cond_destroy(&cond);
    }
    vrs_mutex_destroy(&mutex);
    return status;
}

static void test_refused_resources(void **state)
{
    (void)state;
    assert_int_equal(inject_all(make_all, NULL), 4); /* mutex, condition, start block, thread */
}

static void test_deadlines(void **state)
{
    (void)state;
    vrs_clock_use_virtual(5000);
    assert_int_equal(vrs_now_ns(), 5000);
    assert_int_equal(vrs_deadline_ns(0), 5000);
    assert_int_equal(vrs_deadline_ns(3), 8000);
    assert_true(vrs_deadline_ns(-1) == INT64_MAX);
    assert_true(vrs_deadline_ns(INT64_MAX) == INT64_MAX);
    assert_true(vrs_deadline_ns(INT64_MAX / 1000) == INT64_MAX);
    assert_int_equal(vrs_deadline_ns(INT64_MAX / 1000 - 6) / 1000, INT64_MAX / 1000 - 1);
    vrs_clock_advance_ns(7);
    assert_int_equal(vrs_now_ns(), 5007);
    vrs_clock_use_real();
    int64_t first = vrs_now_ns();
    assert_true(vrs_now_ns() >= first);
}

typedef struct sleeper {
    vrs_mutex mutex;
    vrs_cond cond;
    vrs_thread thread;
    int64_t deadline_ns, ended_ns;
    bool signalled; /* under mutex */
    bool in_time;
} sleeper;

static void sleep_until(void *arg)
{
    sleeper *self = arg;
    vrs_mutex_lock(&self->mutex);
    self->in_time = true;
    while (!self->signalled && self->in_time)
        self->in_time = vrs_cond_wait_until(&self->cond, &self->mutex, self->deadline_ns);
    self->ended_ns = vrs_now_ns();
    vrs_mutex_unlock(&self->mutex);
}

static void start_sleeper(sleeper *self, int64_t deadline_ns)
{
    memset(self, 0, sizeof(*self));
    self->deadline_ns = deadline_ns;
    assert_int_equal(vrs_mutex_init(&self->mutex), VRS_OK);
    assert_int_equal(vrs_cond_init(&self->cond), VRS_OK);
    assert_int_equal(vrs_thread_start(&self->thread, "sleeper", sleep_until, self), VRS_OK);
}

static void wake_sleeper(sleeper *self)
{
    vrs_mutex_lock(&self->mutex);
    self->signalled = true;
    vrs_cond_signal(&self->cond);
    vrs_mutex_unlock(&self->mutex);
}

static void end_sleeper(sleeper *self)
{
    vrs_thread_join(&self->thread);
    vrs_cond_destroy(&self->cond);
    vrs_mutex_destroy(&self->mutex);
}

static void test_virtual_waits(void **state)
{
    (void)state;
    vrs_clock_use_virtual(0);
    sleeper sleepers[3];
    for (int i = 0; i < 3; i++)
        start_sleeper(&sleepers[i], 1000 * (i + 1));
    vrs_clock_await_waiters(3);
    vrs_clock_advance_ns(999);
    vrs_clock_await_waiters(3); /* nobody was woken for good */
    vrs_clock_advance_ns(1);
    end_sleeper(&sleepers[0]);
    assert_false(sleepers[0].in_time);
    assert_int_equal(sleepers[0].ended_ns, 1000);
    wake_sleeper(&sleepers[1]);
    end_sleeper(&sleepers[1]);
    assert_true(sleepers[1].in_time);
    assert_int_equal(sleepers[1].ended_ns, 1000);
    vrs_clock_advance_ns(1000000);
    end_sleeper(&sleepers[2]);
    assert_false(sleepers[2].in_time);
    assert_int_equal(sleepers[2].ended_ns, 1001000);
    vrs_clock_use_real();
}

/* Many waits that begin while the clock moves: none may sleep past its deadline. */
static void sleep_often(void *arg)
{
    sleeper self = {.deadline_ns = 0};
    atomic_uint *ended = arg;
    if (vrs_mutex_init(&self.mutex) != VRS_OK || vrs_cond_init(&self.cond) != VRS_OK)
        return;
    for (int i = 0; i < 2000; i++) {
        self.deadline_ns = vrs_now_ns() + 1 + i % 3;
        sleep_until(&self);
    }
    vrs_cond_destroy(&self.cond);
    vrs_mutex_destroy(&self.mutex);
    atomic_fetch_add(ended, 1);
}

static void test_virtual_waits_and_advances_race(void **state)
{
    (void)state;
    vrs_clock_use_virtual(0);
    atomic_uint ended = 0;
    vrs_thread threads[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(vrs_thread_start(&threads[i], "often", sleep_often, &ended), VRS_OK);
    while (atomic_load(&ended) < 3)
        vrs_clock_advance_ns(1);
    for (int i = 0; i < 3; i++)
        vrs_thread_join(&threads[i]);
    vrs_clock_use_real();
}

static void test_change_of_clock_ends_virtual_waits(void **state)
{
    (void)state;
    vrs_clock_use_virtual(0);
    sleeper one;
    start_sleeper(&one, 1000); /* long past on the real clock */
    vrs_clock_await_waiters(1);
    vrs_clock_use_real();
    end_sleeper(&one);
    assert_false(one.in_time);
}

static void test_real_waits(void **state)
{
    (void)state;
    sleeper past;
    start_sleeper(&past, vrs_now_ns() - 1);
    end_sleeper(&past);
    assert_false(past.in_time);
    sleeper soon;
    start_sleeper(&soon, vrs_deadline_ns(2000));
    end_sleeper(&soon);
    assert_false(soon.in_time);
    assert_true(soon.ended_ns >= soon.deadline_ns);
    sleeper never;
    start_sleeper(&never, INT64_MAX);
    wake_sleeper(&never);
    end_sleeper(&never);
    assert_true(never.in_time);
}

/* PRIO_PROCESS of 0 is the calling thread. */
static void stepping_thread(void *arg)
{
    int *nice = arg;
    vrs_thread_step_back(2);
    nice[0] = getpriority(PRIO_PROCESS, 0);
    vrs_thread_step_back(1);
    nice[1] = getpriority(PRIO_PROCESS, 0);
    vrs_thread_step_back(3);
    nice[2] = getpriority(PRIO_PROCESS, 0);
}

static void test_stepping_back(void **state)
{
    (void)state;
    int before = getpriority(PRIO_PROCESS, 0);
    if (before > 16)
        skip(); /* nice values end at 19 */
    int nice[3] = {0};
    vrs_thread thread;
    assert_int_equal(vrs_thread_start(&thread, "stepping", stepping_thread, nice), VRS_OK);
    vrs_thread_join(&thread);
    assert_int_equal(nice[0], before + 2);
    assert_int_equal(nice[1], before + 2);
    assert_int_equal(nice[2], before + 3);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_too_much_memory),
        cmocka_unit_test(test_refused_memory),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_stepping_back),
        cmocka_unit_test(test_refused_resources),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_virtual_waits),
        cmocka_unit_test(test_virtual_waits_and_advances_race),
        cmocka_unit_test(test_change_of_clock_ends_virtual_waits),
        cmocka_unit_test(test_real_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
