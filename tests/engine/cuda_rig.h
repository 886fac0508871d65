/* The engine of our own, on the GPU that is there or on the stand-in driver, as its tests use it:
 * one device with its memory, engines, scores, a failure at a time. */
#ifndef TESTS_ENGINE_CUDA_RIG_H
#define TESTS_ENGINE_CUDA_RIG_H

#include "base/alloc.h"
#include "device/memory.h"
#include "engine/report.h"
#include "engine/support.h"
#include "vrseg/model.h"
#include "vrseg/system.h"

#define STATE_DESCRIPTOR                                                                   \
    HEAD "input: {name: picture, width: 6, height: 4, scale: 1/255}\n"                     \
         "output: {name: scores, activation: none, classes: [person], person: [person]}\n" \
         "states:\n  - {input: sum_in, output: sum_out, channels: 1, divisor: 1}\n"        \
         "  - {input: half_in, output: half_out, channels: 1, divisor: 2}\n"

static vrs_device *device;
static vrs_memory *memory;
static vrs_device_stream *stream;
static vrs_device_event *done;

static inline bool on_stand_in(void)
{
    return getenv("VRSEG_CUDA_LIBRARY") != NULL;
}

/* 0, or the status to exit with where there is no device. */
static inline int open_device(void)
{
    if (vrs_device_open("cuda", &device) != VRS_OK) {
        const char *needed = getenv("VRSEG_REQUIRE_CUDA");
        fprintf(stderr, "%s: %s\n", needed ? "no GPU" : "skipped", vrs_last_error());
        return needed && *needed == '1' ? 1 : SHARED_SKIP;
    }
    /* On a GPU what others take meanwhile looks like the libraries'. */
    vrs_memory_settings settings = {.limit = (uint64_t)(on_stand_in() ? 1 : 16) << 30};
    assert_int_equal(vrs_memory_create(device, &settings, &memory), VRS_OK);
    assert_int_equal(vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    assert_int_equal(vrs_device_event_create(device, false, &done), VRS_OK);
    return 0;
}

static inline void close_device(void)
{
    char text[1024];
    size_t blocks = vrs_memory_report(memory, text, sizeof text);
    vrs_device_event_destroy(done);
    vrs_device_stream_destroy(stream);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
    if (blocks != 0)
        fail_msg("blocks are left: %s", text);
}

/* Waits for all that the stream was given. */
static inline void settle(void)
{
    assert_int_equal(vrs_device_event_record(done, stream), VRS_OK);
    assert_int_equal(vrs_device_event_wait(done), VRS_OK);
}

/* One request, one node after the other. */
static inline vrs_engine_params on_device(vrs_precision precision, int32_t batch)
{
    return (vrs_engine_params){.requests = 1,
                               .threads = on_stand_in() ? 2 : vrs_cpu_count(),
                               .max_batch = batch,
                               .precision = precision,
                               .branches = VRS_BRANCHES_OFF,
                               .device = device,
                               .memory = memory};
}

static inline vrs_engine *make(const vrs_model *model, const vrs_engine_params *params)
{
    vrs_engine *engine = NULL;
    if (vrs_engine_create("cuda", model, params, &engine) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return engine;
}

/* For vrs_engine_verify(): counts nodes into an int; one that is off fails the test. */
static inline void expect_good(void *opaque, const vrs_engine_check *check)
{
    int *count = opaque;
    if (!check->good) {
        fail_msg("%s (%s) is off by %g, at most %g", check->name, check->does, check->off,
                 check->worst);
    }
    (*count)++;
}

static inline void get_scores(const vrs_request *request, int32_t position, float *scores,
                              size_t count)
{
    vrs_device_ptr from = (vrs_device_ptr)(uintptr_t)vrs_request_scores(request, position);
    assert_int_equal(vrs_device_download(stream, scores, from, count * sizeof(float)), VRS_OK);
    settle();
}

typedef struct injection {
    const char *what; /* the kind of calls that counts */
    int fail_at, calls;
} injection;

/* For vrs_inject_set(): the call number `fail_at` of the kind fails. */
static inline bool inject(void *opaque, const char *what)
{
    injection *i = opaque;
    bool counts = strcmp(what, i->what) == 0;
    return !counts || i->calls++ != i->fail_at;
}

/* The tests of a program on its device; for main(), which the result is for. */
static inline int run_on_device(int (*tests)(void))
{
    temp_make(folder, sizeof folder);
    int result = open_device();
    if (result == 0) {
        result = tests();
        close_device();
    }
    temp_remove(folder);
    return result;
}

#endif
