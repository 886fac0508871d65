/* The CUDA back end on the stand-in driver: what is missing or too old is said, and each call into
 * the driver fails in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/cuda/cuda.h"
#include "device/device.h"
#include "device/raw.h"
#include "fake_cuda/fake_cuda.h"
#include "support/inject.h"

/* Results of the driver. */
enum { NOT_SUPPORTED = 801 };

static int fresh(void **state)
{
    (void)state;
    fake_cuda_reset(0);
    return 0;
}

static int nothing_left(void **state)
{
    (void)state;
    char text[512];
    if (fake_cuda_leaks(text, sizeof text) != 0)
        fail_msg("left behind: %s", text);
    return 0;
}

/* Opening fails with this status and these words, and leaves nothing. */
static void refuses(const char *name, vrs_status status, const char *words)
{
    vrs_device *device;
    assert_int_equal(vrs_device_open(name, &device), status);
    assert_null(device);
    if (!strstr(vrs_last_error(), words))
        fail_msg("no \"%s\" in: %s", words, vrs_last_error());
}

static void names_and_numbers_are_checked(void **state)
{
    (void)state;
    fake_cuda_set_devices(3);
    refuses("cuda:3", VRS_INVALID, "the driver shows cuda:0 to cuda:2");
    refuses("cuda:9999", VRS_INVALID, "there is no GPU cuda:9999");
    refuses("cuda:", VRS_INVALID, "there is no device \"cuda:\"");
    refuses("cuda:1x", VRS_INVALID, "cuda:N");
    refuses("cuda:12345", VRS_INVALID, "cuda:N");
    refuses("gpu", VRS_INVALID, "there is no device \"gpu\"");
    refuses("", VRS_INVALID, "cuda:N");
    fake_cuda_set_devices(1);
    refuses("cuda:1", VRS_INVALID, "the driver shows cuda:0 alone");
}

/* Opens, and the choice holds these words. */
static void chooses(const char *name, vrs_device_kind kind, const char *words)
{
    vrs_device *device;
    if (vrs_device_open(name, &device) != VRS_OK)
        fail_msg("%s: %s", name, vrs_last_error());
    assert_int_equal(vrs_device_get_properties(device)->kind, kind);
    if (!strstr(vrs_device_choice(device), words))
        fail_msg("no \"%s\" in: %s", words, vrs_device_choice(device));
    vrs_device_close(device);
}

static void auto_takes_what_works(void **state)
{
    (void)state;
    fake_cuda_set_devices(2);
    chooses("auto", VRS_DEVICE_CUDA, "cuda:0");
    chooses("cuda", VRS_DEVICE_CUDA, "cuda:0");
    chooses("cuda:1", VRS_DEVICE_CUDA, "cuda:1");
    chooses("cpu", VRS_DEVICE_CPU, "cpu");
    /* The first cannot be used: somebody holds it. */
    fake_cuda_fail_at("cuDevicePrimaryCtxRetain", 1, 2);
    chooses("auto", VRS_DEVICE_CUDA, "cuda:1");
    fake_cuda_set_devices(0);
    chooses("auto", VRS_DEVICE_CPU, "shows no GPU");
}

static void an_architecture_without_code_is_named(void **state)
{
    (void)state;
    fake_cuda_set_capability(6, 1);
    fake_cuda_set_image_error(VRS_CU_NO_BINARY_FOR_GPU);
    refuses("cuda:0", VRS_UNSUPPORTED, "compute capability 6.1, for which this build has no code");
    chooses("auto", VRS_DEVICE_CPU, "compute capability 6.1");
}

/* What was queued may still use the memory that is given back next. One failure is met at the first
 * try; on a lost device nothing runs. */
static void drain(vrs_device_stream *stream, vrs_device_event *event)
{
    vrs_status status = VRS_DEVICE;
    for (int i = 0; i < 2 && status != VRS_OK; i++) {
        status = vrs_device_event_record(event, stream);
        if (status == VRS_OK)
            status = vrs_device_event_wait(event);
    }
}

static vrs_status use_memory(vrs_device *device, vrs_device_stream *stream, vrs_device_event *event)
{
    uint8_t bytes[64] = {0};
    size_t step = 0;
    vrs_device_ptr memory = 0, range = 0;
    void *pinned = NULL;
    vrs_status status = vrs_device_raw_alloc(device, 64, &memory);
    status = status == VRS_OK ? vrs_device_raw_host_alloc(device, 64, &pinned) : status;
    status = status == VRS_OK ? vrs_device_upload(stream, memory, pinned, 64) : status;
    status = status == VRS_OK ? vrs_device_fill(stream, memory, 1, 8) : status;
    status = status == VRS_OK ? vrs_device_download_2d(stream, bytes, 9, memory, 16, 8, 4) : status;
    status = status == VRS_OK ? vrs_device_event_record(event, stream) : status;
    status = status == VRS_OK ? vrs_device_stream_wait(stream, event) : status;
    status = status == VRS_OK ? vrs_device_event_wait(event) : status;
    status = status == VRS_OK ? vrs_device_raw_granularity(device, &step) : status;
    status = status == VRS_OK ? vrs_device_raw_reserve(device, 2 * step, &range) : status;
    if (status == VRS_OK) {
        status = vrs_device_raw_map(device, range, step);
        if (status == VRS_OK)
            vrs_device_raw_unmap(device, range, step);
    }
    drain(stream, event);
    vrs_device_raw_unreserve(device, range, 2 * step);
    vrs_device_raw_host_free(device, pinned);
    vrs_device_raw_free(device, memory);
    return status;
}

static vrs_status run_kernel(vrs_device *device, vrs_device_stream *stream, vrs_device_event *event)
{
    vrs_kernel *kernel;
    vrs_device_ptr memory = 0;
    vrs_status status = vrs_device_kernel(device, "fake_affine", &kernel);
    status = status == VRS_OK ? vrs_device_raw_alloc(device, 64, &memory) : status;
    if (status == VRS_OK) {
        fake_affine_params params = {memory, 16, 2, 1};
        const uint32_t one[3] = {1, 1, 1};
        status = vrs_device_launch(stream, kernel, one, one, 64 << 10, &params, sizeof params);
    }
    drain(stream, event);
    vrs_device_raw_free(device, memory);
    return status;
}

/* A whole life of a device. */
static vrs_status live(void *opaque)
{
    (void)opaque;
    vrs_device *device;
    vrs_device_stream *stream = NULL;
    vrs_device_event *event = NULL;
    vrs_status status = vrs_device_open("cuda", &device);
    if (status != VRS_OK)
        return status;
    status = vrs_device_stream_create(device, VRS_PRIORITY_HIGH, &stream);
    status = status == VRS_OK ? vrs_device_event_create(device, true, &event) : status;
    status = status == VRS_OK ? use_memory(device, stream, event) : status;
    status = status == VRS_OK ? run_kernel(device, stream, event) : status;
    vrs_device_event_destroy(event);
    vrs_device_stream_destroy(stream);
    vrs_device_close(device);
    return status;
}

static void every_resource_fails_in_turn(void **state)
{
    (void)state;
    /* VRS_OK: drain() may be what failed. */
    const vrs_status also[] = {VRS_DEVICE, VRS_MISSING, VRS_OK};
    unsigned failed = inject_all_allowing(live, NULL, also, sizeof also / sizeof also[0]);
    printf("%u resources and calls failed\n", failed);
    assert_true(failed > 40);
}

/* The stand-in's own way: the n-th call returns an error, once or for good. Nothing hangs, what is
 * given back is given back, and each ends in a status that fits. */
static void every_driver_call_fails_in_turn(bool lost)
{
    int error = lost ? VRS_CU_ILLEGAL_ADDRESS : NOT_SUPPORTED;
    uint64_t n = 1;
    for (;; n++) {
        fake_cuda_reset(0);
        if (lost)
            fake_cuda_lose_at("*", n, error);
        else
            fake_cuda_fail_at("*", n, error);
        vrs_status status = live(NULL);
        if (fake_cuda_failures() == 0) {
            assert_int_equal(status, VRS_OK);
            break;
        }
        /* What gives back has no status, and what only describes an error has none that counts. */
        if (status != VRS_OK && status != VRS_DEVICE && status != VRS_DEVICE_LOST) {
            fail_msg("%s after call %llu (%s): %s", vrs_status_name(status), (unsigned long long)n,
                     fake_cuda_failed_name(), vrs_last_error());
        }
        if (!lost)
            (void)nothing_left(NULL);
    }
    printf("%llu calls failed\n", (unsigned long long)n - 1);
    assert_true(n > 60);
}

static void every_call_fails_once(void **state)
{
    (void)state;
    every_driver_call_fails_in_turn(false);
}

static void the_device_is_lost_at_every_call(void **state)
{
    (void)state;
    every_driver_call_fails_in_turn(true);
    fake_cuda_reset(0);
}

static void a_loss_stays(void **state)
{
    (void)state;
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_ptr memory;
    assert_int_equal(vrs_device_open("cuda", &device), VRS_OK);
    assert_int_equal(vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    assert_int_equal(vrs_device_raw_alloc(device, 64, &memory), VRS_OK);
    fake_cuda_lose_at("cuMemsetD8Async", 1, VRS_CU_LAUNCH_FAILED);
    assert_int_equal(vrs_device_fill(stream, memory, 0, 64), VRS_DEVICE_LOST);
    assert_non_null(strstr(vrs_last_error(), "cuda:0 was lost: cannot queue a fill: "));
    assert_non_null(strstr(vrs_last_error(), "CUDA_ERROR_LAUNCH_FAILED"));
    uint64_t calls = fake_cuda_calls("*");
    vrs_device_event *event;
    assert_int_equal(vrs_device_event_create(device, false, &event), VRS_DEVICE_LOST);
    assert_int_equal(vrs_device_check(device), VRS_DEVICE_LOST);
    assert_non_null(strstr(vrs_last_error(), "cannot queue a fill"));
    assert_int_equal(fake_cuda_calls("*"), calls);
    vrs_device_raw_free(device, memory);
    vrs_device_stream_destroy(stream);
    vrs_device_close(device);
    fake_cuda_reset(0);
}

static void memory_that_is_not_there_is_told(void **state)
{
    (void)state;
    fake_cuda_set_memory((uint64_t)64 << 20);
    vrs_device *device;
    vrs_device_ptr memory;
    assert_int_equal(vrs_device_open("cuda", &device), VRS_OK);
    assert_int_equal(vrs_device_raw_alloc(device, (size_t)128 << 20, &memory), VRS_NO_MEMORY);
    assert_non_null(strstr(vrs_last_error(), "134217728 bytes"));
    assert_int_equal(vrs_device_check(device), VRS_OK);
    vrs_device_close(device);
}

int main(void)
{
    printf("seed %llu\n", (unsigned long long)fake_cuda_seed());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_and_numbers_are_checked, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(auto_takes_what_works, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(an_architecture_without_code_is_named, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(every_resource_fails_in_turn, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(every_call_fails_once, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(the_device_is_lost_at_every_call, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(a_loss_stays, fresh, nothing_left),
        cmocka_unit_test_setup_teardown(memory_that_is_not_there_is_told, fresh, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
