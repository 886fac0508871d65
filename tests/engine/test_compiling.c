/* Compiling for a GPU on stand-ins for the driver and cuDNN: what it tells and how much it tries,
 * and that it ends whatever a library or the GPU does. */
#define _XOPEN_SOURCE 700

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "device/memory.h"
#include "engine/report.h"
#include "engine/support.h"
#include "fake_cuda/fake_cuda.h"
#include "kernels/cuda/params_net.h"

#define OPS                                                         \
    HEAD "input: {width: 24, height: 16, scale: 1/64, mean: 128}\n" \
         "output: {activation: softmax, classes: [a, person], person: [person]}\n"

static vrs_device *device;
static vrs_memory *memory;

static void open_device(void)
{
    if (vrs_device_open("cuda", &device) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    vrs_memory_settings settings = {.limit = (uint64_t)1 << 30};
    assert_int_equal(vrs_memory_create(device, &settings, &memory), VRS_OK);
}

static void close_device(void)
{
    vrs_memory_destroy(memory);
    vrs_device_close(device);
}

static vrs_engine_params make_params(vrs_precision precision, int32_t threads)
{
    return (vrs_engine_params){.requests = 1,
                               .threads = threads,
                               .max_batch = 3,
                               .precision = precision,
                               .device = device,
                               .memory = memory};
}

static vrs_status compile(const vrs_engine_params *params, vrs_engine_effort *effort)
{
    vrs_model *model = load_model(OPS, "ops.onnx");
    vrs_engine *engine = NULL;
    vrs_status status = vrs_engine_create("cuda", model, params, &engine);
    if (status == VRS_OK) {
        vrs_engine_get_effort(engine, effort);
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
    return status;
}

/* ---- how much is tried ---- */

typedef struct told {
    int32_t calls, last_size, last_done;
    bool plans, nodes;
} told;

static void listen(void *opaque, const vrs_compile_progress *p)
{
    static const int32_t batches[] = {3, 1}; /* the largest, and one view */
    told *t = opaque;
    bool plans = strcmp(p->step, "plans") == 0;
    assert_true(plans || strcmp(p->step, "nodes") == 0);
    assert_int_equal(p->sizes, 2);
    assert_true(p->size == t->last_size || p->size == t->last_size + 1);
    assert_int_equal(p->batch, batches[p->size - 1]);
    assert_true(p->done >= 0 && p->done <= p->all);
    t->plans = t->plans || plans;
    t->nodes = t->nodes || !plans;
    t->last_size = p->size;
    t->last_done = p->done == p->all;
    t->calls++;
}

/* Each convolution is asked about once, by however many threads, and each of its plans is made and
 * timed once; equal nodes take the plan of the first. */
static void test_effort(void **state)
{
    (void)state;
    static const vrs_precision precisions[] = {VRS_PRECISION_F16, VRS_PRECISION_F32};
    open_device();
    for (size_t i = 0; i < 2; i++) {
        vrs_engine_effort first = {0};
        for (int32_t threads = 1; threads <= 5; threads += 2) {
            told t = {0};
            vrs_engine_effort e = {0};
            vrs_engine_params params = make_params(precisions[i], threads);
            params.progress = listen;
            params.progress_opaque = &t;
            assert_int_equal(compile(&params, &e), VRS_OK);
            assert_true(t.plans && t.nodes && t.last_done && t.last_size == 2);
            printf("precision %d, %d threads: %d nodes, %d equal, %d asked, %d made, %d refused, "
                   "%d timed\n",
                   (int)precisions[i], threads, e.nodes, e.equal, e.asked, e.made, e.refused,
                   e.timed);
            first = threads == 1 ? e : first;
            assert_true(e.nodes > 10 && e.restored == 0 && e.late == 0);
            assert_int_equal(e.nodes, first.nodes);
            assert_int_equal(e.equal, first.equal);
            assert_int_equal(e.asked, first.asked);
            assert_int_equal(e.made, first.made);
            assert_true(e.asked <=
                        3 * e.nodes);           /* whole, with the node behind, without the fused */
            assert_true(e.made <= 2 * e.asked); /* the stand-in offers two that fit */
            assert_true(e.timed >= e.made && e.timed <= e.made + 3 * e.nodes); /* and our kernels */
        }
    }
    close_device();
}

/* ---- slow, and not coming back ---- */

static pthread_t caller;
static atomic_bool blocks;
static sem_t blocked, go_on;

/* Each call into cuDNN takes 0.3 s; the clock's other users are not there. */
static bool slow(void *opaque, const char *what)
{
    (void)opaque;
    if (strcmp(what, "cudnn") == 0 && !pthread_equal(pthread_self(), caller))
        vrs_clock_advance_ns(VRS_NS_PER_S * 3 / 10);
    return true;
}

/* A node that has had its time takes what it has. */
static void test_slow(void **state)
{
    (void)state;
    vrs_engine_effort quick = {0}, e = {0};
    open_device();
    vrs_engine_params params = make_params(VRS_PRECISION_F16, 1);
    assert_int_equal(compile(&params, &quick), VRS_OK);
    caller = pthread_self();
    vrs_clock_use_virtual(0);
    vrs_inject_set(slow, NULL);
    vrs_status status = compile(&params, &e);
    vrs_inject_set(NULL, NULL);
    vrs_clock_use_real();
    if (status != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_int_equal(e.asked, quick.asked);
    assert_int_equal(e.made + e.late, quick.made);
    assert_true(e.late > 0 && e.made > 0);
    close_device();
}

/* One call into cuDNN stays there until it is let go. */
static bool block(void *opaque, const char *what)
{
    (void)opaque;
    if (strcmp(what, "cudnn") == 0 && !pthread_equal(pthread_self(), caller) &&
        atomic_exchange(&blocks, false)) {
        sem_post(&blocked);
        sem_wait(&go_on);
    }
    return true;
}

static void *pass_time(void *opaque)
{
    (void)opaque;
    sem_wait(&blocked);
    vrs_clock_await_waiters(1);
    vrs_clock_advance_ns(61 * VRS_NS_PER_S);
    return NULL;
}

/* A library that hangs is named; its thread gives back what it has when it comes after all. */
static void test_stuck(void **state)
{
    (void)state;
    size_t live = vrs_resources_live();
    for (int32_t threads = 1; threads <= 3; threads += 2) {
        pthread_t helper;
        open_device();
        vrs_engine_params params = make_params(VRS_PRECISION_F16, threads);
        vrs_engine_effort e;
        caller = pthread_self();
        atomic_store(&blocks, true);
        assert_int_equal(pthread_create(&helper, NULL, pass_time, NULL), 0);
        vrs_clock_use_virtual(0);
        vrs_inject_set(block, NULL);
        vrs_status status = compile(&params, &e);
        vrs_clock_use_real();
        assert_int_equal(pthread_join(helper, NULL), 0);
        assert_int_equal(status, VRS_ENGINE);
        expect_detail("cudnn has not come back");
        expect_detail("ops.onnx");
        close_device(); /* put off */
        sem_post(&go_on);
        for (uint32_t tries = 0; vrs_resources_live() != live; tries++) {
            assert_true(tries < 20000);
            vrs_clock_pause(tries);
        }
        vrs_inject_set(NULL, NULL);
    }
}

/* ---- a GPU that does not finish ---- */

static atomic_bool hangs;

static void hang(const void *params, const uint32_t grid[3], const uint32_t box[3])
{
    (void)params, (void)grid, (void)box;
    if (atomic_exchange(&hangs, false)) {
        sem_post(&blocked);
        sem_wait(&go_on);
    }
}

static atomic_bool ended;

static void *pass_much_time(void *opaque)
{
    (void)opaque;
    sem_wait(&blocked);
    for (uint32_t tries = 0; !atomic_load(&ended); tries++) {
        vrs_clock_advance_ns(VRS_NS_PER_S);
        vrs_clock_pause(100);
    }
    return NULL;
}

static void test_hang(void **state)
{
    (void)state;
    pthread_t helper;
    vrs_engine_effort e;
    open_device();
    fake_cuda_set_mode(FAKE_CUDA_THREAD);
    fake_cuda_kernel("vrs_net_conv", hang, sizeof(vrs_net_conv_params));
    atomic_store(&hangs, true);
    vrs_engine_params params = make_params(VRS_PRECISION_F16, 1);
    assert_int_equal(pthread_create(&helper, NULL, pass_much_time, NULL), 0);
    vrs_clock_use_virtual(0);
    vrs_status status = compile(&params, &e);
    atomic_store(&ended, true);
    assert_int_equal(pthread_join(helper, NULL), 0);
    vrs_clock_use_real();
    assert_true(status == VRS_TIMEOUT || status == VRS_DEVICE_LOST);
    expect_detail("did not finish the node");
    expect_detail("within 30 s");
    sem_post(&go_on);
    /* The device counts as lost: nothing of it is given back, and nothing is waited for. */
}

int main(void)
{
    temp_make(folder, sizeof folder);
    sem_init(&blocked, 0, 0);
    sem_init(&go_on, 0, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_effort), cmocka_unit_test(test_slow),
                                       cmocka_unit_test(test_stuck), cmocka_unit_test(test_hang)};
    int failed = cmocka_run_group_tests_name("engine/compiling", tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
