/* Counters on stand-ins for CUPTI and the driver: what is counted of which piece, what this GPU
 * does not count, what is refused; each failure. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/counters.h"
#include "device/cupti_counters_api.h"
#include "fake_cupti/fake_cupti.h"
#include "support/inject.h"

#define PIECES 4

static vrs_device *device;
static const char *whole, *broken;
static __typeof__(fake_cupti_left) *left;

static int begin(void **state)
{
    (void)state;
    unsetenv("VRSEG_FAKE_CUPTI");
    unsetenv("VRSEG_FAKE_CUPTI_CHIP");
    unsetenv("VRSEG_FAKE_CUPTI_RESULT");
    return setenv("VRSEG_CUPTI_LIBRARY", whole, 1);
}

static int end(void **state)
{
    (void)begin(state);
    assert_int_equal(left(), 0);
    return 0;
}

/* All pieces, from opening to closing. */
static vrs_status count(vrs_counted counted[PIECES])
{
    vrs_counters *c = NULL;
    vrs_status status = vrs_counters_open(device, PIECES, &c);
    assert_true((status == VRS_OK) == (c != NULL));
    for (int i = 0; i < PIECES && status == VRS_OK; i++) {
        status = vrs_counters_enter(c);
        if (status == VRS_OK)
            status = vrs_counters_leave(c);
    }
    if (status == VRS_OK)
        status = vrs_counters_read(c, counted);
    vrs_counters_close(c);
    return status;
}

static void test_pieces(void **state)
{
    (void)state;
    vrs_counted counted[PIECES];
    for (int round = 0; round < 2; round++) { /* it can be had again */
        if (count(counted) != VRS_OK)
            fail_msg("%s", vrs_last_error());
        assert_int_equal(left(), 0);
        for (int i = 0; i < PIECES; i++) {
            bool dropped = i == 1;
            assert_true(counted[i].bytes == (dropped ? -1 : 4096 * (i + 1)));
            assert_true(counted[i].tensor_percent == (dropped ? -1 : 0.5 * (i + 1)));
        }
    }
    vrs_counters_close(NULL);
}

static void test_half(void **state)
{
    (void)state;
    vrs_counters *c;
    assert_int_equal(vrs_counters_open(device, 1, &c), VRS_OK);
    assert_int_equal(vrs_counters_enter(c), VRS_OK);
    assert_int_equal(vrs_counters_leave(c), VRS_OK);
    assert_int_equal(vrs_counters_enter(c), VRS_DEVICE); /* more than there is room for */
    vrs_counters_close(c);                               /* without reading */
}

static void expect(vrs_status wanted, const char *part)
{
    vrs_counted counted[PIECES];
    vrs_status status = count(counted);
    if (status != wanted || strstr(vrs_last_error(), part) == NULL)
        fail_msg("%s: %s, not %s", vrs_status_name(status), vrs_last_error(), part);
    assert_int_equal(left(), 0);
}

static void test_chips(void **state)
{
    (void)state;
    vrs_counted counted[PIECES];
    setenv("VRSEG_FAKE_CUPTI_CHIP", "poor", 1);
    assert_int_equal(count(counted), VRS_OK);
    assert_true(counted[3].bytes == -1 && counted[3].tensor_percent == 2);
    setenv("VRSEG_FAKE_CUPTI_CHIP", "none", 1);
    expect(VRS_UNSUPPORTED, "none of the counters");
    setenv("VRSEG_FAKE_CUPTI_CHIP", "slow", 1);
    expect(VRS_UNSUPPORTED, "2 times");
}

static void test_privileges(void **state)
{
    (void)state;
    setenv("VRSEG_FAKE_CUPTI", "cuptiRangeProfilerEnable", 1);
    setenv("VRSEG_FAKE_CUPTI_RESULT", "35", 1);
    expect(VRS_PERMISSION, "ERR_NVGPUCTRPERM");
    setenv("VRSEG_FAKE_CUPTI_RESULT", "40", 1);
    expect(VRS_PERMISSION, "NVreg_RestrictProfilingToAdminUsers=0");
}

/* Each function refuses; giving back goes on. */
static void test_refusals(void **state)
{
#define NAME(member, symbol, params) #symbol,
    static const char *const functions[] = {VRS_CUPTI_COUNTER_FUNCTIONS(NAME)};
#undef NAME
    (void)state;
    vrs_counted counted[PIECES];
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        bool gives_back = strstr(functions[i], "Deinit") != NULL ||
                          strstr(functions[i], "DeInit") != NULL ||
                          strstr(functions[i], "Disable") != NULL;
        setenv("VRSEG_FAKE_CUPTI", functions[i], 1);
        if (gives_back)
            assert_int_equal(count(counted), VRS_OK);
        else
            expect(VRS_DEVICE, "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED");
    }
}

static void test_missing(void **state)
{
    (void)state;
    setenv("VRSEG_CUPTI_LIBRARY", broken, 1);
    expect(VRS_MISSING, "cuptiGetResultString");
    setenv("VRSEG_CUPTI_LIBRARY", "/nowhere/libcupti.so", 1);
    expect(VRS_MISSING, "nvidia-cuda-cupti");
}

static vrs_status count_quietly(void *opaque)
{
    vrs_counted counted[PIECES];
    (void)opaque;
    return count(counted);
}

static void test_memory(void **state)
{
    (void)state;
    const vrs_status also = VRS_MISSING; /* the library */
    assert_true(inject_all_allowing(count_quietly, NULL, &also, 1) >= 4);
}

int main(void)
{
    whole = getenv("TEST_CUPTI_WHOLE");
    broken = getenv("TEST_CUPTI_BROKEN");
    void *handle = whole != NULL ? dlopen(whole, RTLD_NOW) : NULL;
    if (handle == NULL || broken == NULL || vrs_device_open("cuda", &device) != VRS_OK) {
        fprintf(stderr, "no stand-ins\n");
        return 1;
    }
    *(void **)&left = dlsym(handle, "fake_cupti_left");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces, begin, end),
        cmocka_unit_test_setup_teardown(test_half, begin, end),
        cmocka_unit_test_setup_teardown(test_chips, begin, end),
        cmocka_unit_test_setup_teardown(test_privileges, begin, end),
        cmocka_unit_test_setup_teardown(test_refusals, begin, end),
        cmocka_unit_test_setup_teardown(test_missing, begin, end),
        cmocka_unit_test_setup_teardown(test_memory, begin, end),
    };
    int failed = cmocka_run_group_tests_name("device/counters", tests, NULL, NULL);
    vrs_device_close(device);
    (void)dlclose(handle);
    return failed;
}
