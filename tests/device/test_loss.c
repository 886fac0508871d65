/* A kernel that writes where nothing is mapped: the device is lost, for good and in words. The GPU
 * of the first argument; skipped as test_device.c is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/affine.h"
#include "device/device.h"
#include "device/raw.h"

#define SKIP 77

static vrs_device *device;

static void a_fault_loses_the_device(void **state)
{
    (void)state;
    vrs_device_stream *stream;
    vrs_device_event *event;
    vrs_kernel *kernel;
    vrs_device_ptr memory;
    assert_int_equal(vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    assert_int_equal(vrs_device_event_create(device, false, &event), VRS_OK);
    assert_int_equal(vrs_device_kernel(device, "fake_fault", &kernel), VRS_OK);
    assert_int_equal(vrs_device_raw_alloc(device, 4096, &memory), VRS_OK);
    fake_affine_params params = {0, 1, 1, 1};
    const uint32_t one[3] = {1, 1, 1};
    assert_int_equal(vrs_device_launch(stream, kernel, one, one, 0, &params, sizeof params),
                     VRS_OK);
    vrs_status status = vrs_device_event_record(event, stream);
    if (status == VRS_OK)
        status = vrs_device_event_wait(event);
    printf("%s\n", vrs_last_error());
    assert_int_equal(status, VRS_DEVICE_LOST);
    assert_non_null(strstr(vrs_last_error(), "CUDA_ERROR_ILLEGAL_ADDRESS"));
    vrs_device_ptr more;
    assert_int_equal(vrs_device_raw_alloc(device, 4096, &more), VRS_DEVICE_LOST);
    assert_int_equal(vrs_device_fill(stream, memory, 0, 16), VRS_DEVICE_LOST);
    vrs_device_raw_free(device, memory);
    vrs_device_event_destroy(event);
    vrs_device_stream_destroy(stream);
    vrs_device_close(device);
}

int main(int argc, char **argv)
{
    if (vrs_device_open(argc > 1 ? argv[1] : "cuda", &device) != VRS_OK) {
        printf("%s\n", vrs_last_error());
        return getenv("VRSEG_REQUIRE_CUDA") ? 1 : SKIP;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_fault_loses_the_device)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
