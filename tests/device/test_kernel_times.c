/* Times of kernels on a stand-in for CUPTI: whose they are, also through copies of graph nodes;
 * what fails. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "device/kernel_times.h"
#include "fake_cupti/fake_cupti.h"
#include "support/inject.h"

static const char *whole, *broken;
static void *handle;
static __typeof__(fake_cupti_node) *node;
static __typeof__(fake_cupti_kernel) *kernel;
static __typeof__(fake_cupti_kernel_on) *kernel_on;
static __typeof__(fake_cupti_time) *clock_shows;
static __typeof__(fake_cupti_end) *end;
static __typeof__(fake_cupti_left) *left;

typedef struct seen {
    int count;
    int32_t batch[8];
    char node[8][32], kernel[8][32];
    uint64_t runs[8];
    double total[8], least[8], most[8];
} seen;

static void see(void *opaque, const vrs_kernel_time *t)
{
    seen *s = opaque;
    assert_true(s->count < 8);
    int i = s->count++;
    s->batch[i] = t->batch;
    snprintf(s->node[i], sizeof(s->node[i]), "%s", t->node);
    snprintf(s->kernel[i], sizeof(s->kernel[i]), "%s", t->kernel);
    s->runs[i] = t->runs;
    s->total[i] = t->total_us;
    s->least[i] = t->least_us;
    s->most[i] = t->most_us;
}

static seen visited(void)
{
    seen s = {0};
    assert_int_equal(vrs_kernel_times_visit(see, &s), VRS_OK);
    return s;
}

static int use_whole(void **state)
{
    (void)state;
    unsetenv("VRSEG_FAKE_CUPTI");
    return setenv("VRSEG_CUPTI_LIBRARY", whole, 1);
}

static int stop(void **state)
{
    (void)state;
    unsetenv("VRSEG_FAKE_CUPTI");
    vrs_kernel_times_stop();
    assert_false(vrs_kernel_times_on());
    assert_int_equal(left(), 0);
    return 0;
}

static void start(void)
{
    if (vrs_kernel_times_start() != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

/* Nodes 1 and 2 are recorded for a layer, 3 for another; a graph is instantiated twice. */
static void record(void)
{
    vrs_kernel_times_enter(8, "layer1/conv");
    node(1, 0);
    node(2, 0);
    vrs_kernel_times_leave();
    vrs_kernel_times_enter(8, "layer2/conv");
    node(3, 0);
    vrs_kernel_times_leave();
    node(4, 0); /* of no layer */
    for (uint64_t i = 1; i <= 4; i++) {
        node(10 + i, i);
        node(20 + i, i);
    }
}

static void test_whose(void **state)
{
    (void)state;
    start();
    assert_int_equal(vrs_kernel_times_start(), VRS_INVALID);
    record();
    kernel("gemm", 1000, 3000, 11);
    kernel("gemm", 5000, 6000, 21); /* the other copy of the graph */
    kernel("relu", 6000, 6500, 12);
    kernel("gemm", 7000, 17000, 13); /* the same kernel of another layer */
    kernel("copy", 0, 100, 14);
    kernel("copy", 0, 200, 0);  /* not by a graph */
    kernel("none", 50, 50, 11); /* without times it says nothing */
    seen s = visited();
    assert_int_equal(s.count, 4);
    assert_string_equal(s.node[0], "layer2/conv"); /* the longest first */
    assert_string_equal(s.kernel[0], "gemm");
    assert_true(s.total[0] == 10 && s.runs[0] == 1);
    assert_string_equal(s.node[1], "layer1/conv");
    assert_int_equal(s.batch[1], 8);
    assert_true(s.runs[1] == 2 && s.total[1] == 3 && s.least[1] == 1 && s.most[1] == 2);
    assert_string_equal(s.kernel[2], "relu");
    assert_string_equal(s.node[3], "");
    assert_true(s.batch[3] == 0 && s.runs[3] == 2 && s.total[3] == 0.3);
}

static void test_reset(void **state)
{
    (void)state;
    start();
    record();
    kernel("gemm", 0, 9000, 11); /* while it was compiled */
    vrs_kernel_times_reset();
    kernel("gemm", 0, 1000, 11);
    seen s = visited();
    assert_int_equal(s.count, 1);
    assert_true(s.total[0] == 1 && s.runs[0] == 1);
    assert_string_equal(s.node[0], "layer1/conv"); /* what it learned stays */
}

/* More than a buffer holds, more nodes than there is room for at first, and not in their order. */
static void test_many(void **state)
{
    (void)state;
    start();
    for (uint64_t i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "layer %d", (int)(i % 7));
        vrs_kernel_times_enter(1, name);
        node(1 + i * 7919 % 1009, 0);
        vrs_kernel_times_leave();
    }
    for (uint64_t i = 0; i < 20000; i++)
        kernel("k", 0, 1000, 1 + i % 1000 * 7919 % 1009);
    seen s = visited();
    double total = 0;
    assert_int_equal(s.count, 7);
    for (int i = 0; i < 7; i++)
        total += s.total[i];
    assert_true(total == 20000);
}

/* ---- runs, one by one ---- */

typedef struct runs {
    int count;
    vrs_kernel_run run[VRS_KERNEL_RUNS];
    char node[8][32], kernel[8][32]; /* of the first ones */
} runs;

static void see_run(void *opaque, const vrs_kernel_run *r)
{
    runs *s = opaque;
    assert_true(s->count < VRS_KERNEL_RUNS);
    if (s->count < 8) {
        snprintf(s->node[s->count], sizeof(s->node[0]), "%s", r->node);
        snprintf(s->kernel[s->count], sizeof(s->kernel[0]), "%s", r->kernel);
    }
    s->run[s->count++] = *r;
}

static runs drained;

static uint64_t drain(void)
{
    memset(&drained, 0, sizeof(drained));
    return vrs_kernel_times_drain(see_run, &drained);
}

/* CUPTI's clock is another one: an offset at first, then it goes twice as fast, then as fast. */
static void test_clocks(void **state)
{
    (void)state;
    vrs_clock_use_virtual(1000);
    clock_shows(500000);
    start();
    record();
    kernel("gemm", 500100, 500300, 11);
    kernel_on("copy", 500050, 500060, 0, 1, 9);
    kernel("gemm", 501000, 502000,
           21); /* over the reading's end: half of it ran at another speed */
    vrs_clock_advance_ns(1000);
    clock_shows(502000);
    assert_int_equal(drain(), 0);
    assert_int_equal(drained.count, 3);
    assert_string_equal(drained.kernel[0], "copy"); /* by their begins */
    assert_true(drained.run[0].device == 1 && drained.run[0].stream == 9);
    assert_true(drained.run[0].begin_ns == 1025 && drained.run[0].end_ns == 1030);
    assert_true(drained.run[1].begin_ns == 1050 && drained.run[1].end_ns == 1150);
    assert_true(drained.run[2].begin_ns == 1500 && drained.run[2].end_ns == 2000);
    assert_true(drained.run[1].first && !drained.run[2].first && drained.run[0].first);
    assert_int_equal(drained.run[1].id, drained.run[2].id);
    assert_int_not_equal(drained.run[0].id, drained.run[1].id);
    assert_true(drained.run[1].batch == 8 && drained.run[0].batch == 0);
    assert_string_equal(drained.node[1], "layer1/conv");
    assert_string_equal(drained.node[0], "");

    kernel("gemm", 502500, 502600, 11); /* known by now; between two readings of the same speed */
    kernel("gemm", 501999, 502001, 11); /* begun before the older one, at its distance */
    kernel("gemm", 503500, 503600, 13); /* of another node; behind the newer one */
    vrs_clock_advance_ns(1000);
    clock_shows(503000);
    assert_int_equal(drain(), 0);
    assert_int_equal(drained.count, 3);
    assert_true(drained.run[0].begin_ns == 1999 && drained.run[0].end_ns == 2001);
    assert_true(drained.run[1].begin_ns == 2500 && drained.run[1].end_ns == 2600);
    assert_true(drained.run[2].begin_ns == 3500 && drained.run[2].first);
    assert_int_equal(drain(), 0);
    assert_int_equal(drained.count, 0);

    /* A reading that fails leaves the last one. */
    setenv("VRSEG_FAKE_CUPTI", "cuptiGetTimestamp", 1);
    vrs_clock_advance_ns(1000);
    kernel("gemm", 503900, 504000, 11);
    assert_int_equal(drain(), 0);
    assert_true(drained.count == 1 && drained.run[0].end_ns == 4000);
    unsetenv("VRSEG_FAKE_CUPTI");

    /* What ran before a reset is forgotten, numbers are not given again. */
    uint32_t id = drained.run[0].id;
    kernel("gemm", 504000, 504100, 11);
    vrs_kernel_times_reset();
    kernel("gemm", 504200, 504300, 11);
    assert_int_equal(drain(), 0);
    assert_int_equal(drained.count, 1);
    assert_true(drained.run[0].id > id && drained.run[0].first);
    vrs_clock_use_real();
    clock_shows(0);
}

/* More than are kept are counted; the totals have all. */
static void test_many_runs(void **state)
{
    (void)state;
    start();
    for (uint64_t i = 0; i < VRS_KERNEL_RUNS + 100; i++)
        kernel("k", 1000 * i, 1000 * i + 10, 0);
    assert_int_equal(drain(), 100);
    assert_int_equal(drained.count, VRS_KERNEL_RUNS);
    assert_true(drained.run[1].begin_ns - drained.run[0].begin_ns == 1000);
    assert_int_equal(visited().runs[0], VRS_KERNEL_RUNS + 100);
    assert_int_equal(drain(), 0);
    assert_int_equal(drained.count, 0);
}

/* Not begun, it costs nothing and does nothing. */
static void test_off(void **state)
{
    (void)state;
    record();
    kernel("gemm", 0, 1000, 11);
    assert_int_equal(visited().count, 0);
    vrs_kernel_times_reset();
    assert_int_equal(drain(), 0);
    assert_int_equal(drained.count, 0);
    vrs_kernel_times_stop();
}

static void expect_refused(vrs_status expected, const char *words)
{
    assert_int_equal(vrs_kernel_times_start(), expected);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, vrs_last_error());
    assert_false(vrs_kernel_times_on());
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const functions[] = {"cuptiSubscribe", "cuptiEnableCallback",
                                            "cuptiActivityRegisterCallbacks", "cuptiGetTimestamp",
                                            "cuptiActivityEnable"};
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        setenv("VRSEG_FAKE_CUPTI", functions[i], 1);
        expect_refused(VRS_DEVICE, "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED");
    }
    setenv("VRSEG_CUPTI_LIBRARY", broken, 1);
    expect_refused(VRS_MISSING, "has no function cuptiGetResultString");
    setenv("VRSEG_CUPTI_LIBRARY", "/nowhere/libcupti.so", 1);
    expect_refused(VRS_MISSING, "nvidia-cuda-cupti");
    setenv("VRSEG_CUPTI_LIBRARY", whole, 1);
    setenv("VRSEG_FAKE_CUPTI", "none", 1);
    start();
    setenv("VRSEG_FAKE_CUPTI", "cuptiActivityFlushAll", 1);
    seen s = {0};
    assert_int_equal(vrs_kernel_times_visit(see, &s), VRS_DEVICE);
}

/* CUPTI stays in the driver: it is not unloaded, and gives buffers back until the process ends. */
static void test_stays(void **state)
{
    (void)state;
    start();
    kernel("gemm", 0, 1000, 0);
    vrs_kernel_times_stop();
    end();
    assert_int_equal(left(), 0);
    dlclose(handle);
    handle = dlopen(whole, RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(handle);
    start();
    assert_int_equal(visited().count, 0);
}

static vrs_status everything(void *opaque)
{
    (void)opaque;
    vrs_status status = vrs_kernel_times_start();
    if (status != VRS_OK)
        return status;
    record();
    for (uint64_t i = 0; i < 6000; i++)
        kernel("gemm", 0, 1000, 11 + i % 4);
    seen s = {0};
    status = vrs_kernel_times_visit(see, &s);
    (void)drain();
    vrs_kernel_times_stop();
    return status;
}

/* A buffer that CUPTI does not get is its own affair. */
static void test_inject(void **state)
{
    (void)state;
    const vrs_status also[] = {VRS_OK, VRS_MISSING};
    assert_true(inject_all_allowing(everything, NULL, also, 2) > 8);
}

int main(void)
{
    whole = getenv("TEST_CUPTI_WHOLE");
    broken = getenv("TEST_CUPTI_BROKEN");
    handle = whole != NULL ? dlopen(whole, RTLD_NOW) : NULL;
    if (handle == NULL)
        return 1;
    *(void **)&node = dlsym(handle, "fake_cupti_node");
    *(void **)&kernel = dlsym(handle, "fake_cupti_kernel");
    *(void **)&kernel_on = dlsym(handle, "fake_cupti_kernel_on");
    *(void **)&clock_shows = dlsym(handle, "fake_cupti_time");
    *(void **)&end = dlsym(handle, "fake_cupti_end");
    *(void **)&left = dlsym(handle, "fake_cupti_left");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whose, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_reset, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_many, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_clocks, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_many_runs, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_off, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_refused, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_stays, use_whole, stop),
        cmocka_unit_test_setup_teardown(test_inject, use_whole, stop),
    };
    return cmocka_run_group_tests_name("kernel_times", tests, NULL, NULL);
}
