/* The monitor on stand-ins for NVML: what is read, what is absent, what is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device/monitor.h"
#include "support/inject.h"

static const char *whole, *old, *broken;

static int use_whole(void **state)
{
    (void)state;
    unsetenv("VRSEG_FAKE_NVML");
    return setenv("VRSEG_NVML_LIBRARY", whole, 1);
}

static vrs_monitor *open_gpu(int32_t number)
{
    vrs_monitor *monitor = NULL;
    if (vrs_monitor_open(number, &monitor) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return monitor;
}

static void test_reads(void **state)
{
    (void)state;
    vrs_monitor *monitor = open_gpu(0);
    vrs_monitor_reading r;
    assert_string_equal(vrs_monitor_name(monitor), "Fake GPU 0");
    assert_string_equal(vrs_monitor_driver(monitor), "580.1.2");
    assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
    assert_true(r.sm_percent < 0); /* nothing to compare with yet */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
        assert_true(r.sm_percent == 75.5 && r.tensor_percent == 12.25 && r.dram_percent < 0);
    }
    assert_int_equal(r.memory_total, 8000000000);
    assert_int_equal(r.memory_used, 3000000000);
    assert_int_equal(r.memory_free, 5000000000);
    assert_true(r.gpu_percent == 97 && r.memory_percent == 41);
    assert_true(r.decoder_percent == 33 && r.encoder_percent < 0);
    assert_int_equal(r.sm_mhz, 1980);
    assert_int_equal(r.memory_mhz, 3201);
    assert_true(r.power_watts == 512.345 && r.power_limit_watts == 700);
    double before = r.energy_joules;
    assert_true(before > 1000);
    assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
    assert_true(r.energy_joules - before == 2.5);
    assert_int_equal(r.temperature_c, 61);
    assert_int_equal(r.throttle, VRS_THROTTLE_POWER | VRS_THROTTLE_TEMPERATURE);
    vrs_monitor_close(monitor);
    vrs_monitor_close(NULL);
}

/* A GPU that tells little, and a driver without GPM. */
static void test_absent(void **state)
{
    (void)state;
    vrs_monitor *monitor = open_gpu(1);
    vrs_monitor_reading r;
    assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
    assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
    assert_int_equal(r.memory_free, 5000000000);
    assert_true(r.gpu_percent < 0 && r.sm_percent < 0 && r.power_watts < 0);
    assert_true(r.energy_joules < 0);
    assert_true(r.temperature_c == -1 && r.throttle == -1 && r.sm_mhz == -1);
    vrs_monitor_close(monitor);
    setenv("VRSEG_NVML_LIBRARY", old, 1);
    monitor = open_gpu(0);
    assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
    assert_int_equal(vrs_monitor_read(monitor, &r), VRS_OK);
    assert_true(r.sm_percent < 0 && r.energy_joules < 0 && r.gpu_percent == 97);
    vrs_monitor_close(monitor);
}

static void expect_refused(vrs_status status, vrs_status expected, const char *words)
{
    assert_int_equal(status, expected);
    if (strstr(vrs_last_error(), words) == NULL)
        fail_msg("\"%s\" is not in: %s", words, vrs_last_error());
}

static void test_missing(void **state)
{
    (void)state;
    vrs_monitor *monitor = NULL;
    int32_t count = 7;
    setenv("VRSEG_NVML_LIBRARY", broken, 1);
    expect_refused(vrs_monitor_open(0, &monitor), VRS_MISSING,
                   "has no function nvmlDeviceGetPowerUsage");
    assert_null(monitor);
    setenv("VRSEG_NVML_LIBRARY", "/nowhere/libnvidia-ml.so.1", 1);
    expect_refused(vrs_monitor_open(0, &monitor), VRS_MISSING, "comes with NVIDIA's driver");
    expect_refused(vrs_monitor_count(&count), VRS_MISSING, "/nowhere/libnvidia-ml.so.1");
    assert_int_equal(count, 0);
}

static void test_which(void **state)
{
    (void)state;
    vrs_monitor *monitor = NULL;
    int32_t count = 0;
    assert_int_equal(vrs_monitor_count(&count), VRS_OK);
    assert_int_equal(count, 2);
    expect_refused(vrs_monitor_open(2, &monitor), VRS_INVALID, "no GPU 2: NVML sees 2");
    expect_refused(vrs_monitor_open(-1, &monitor), VRS_INVALID, "no GPU -1");
    expect_refused(vrs_monitor_open_pci("0000:07:00.0", &monitor), VRS_INVALID, "0000:07:00.0");
    assert_int_equal(vrs_monitor_open_pci("0000:3b:00.0", &monitor), VRS_OK);
    vrs_monitor_close(monitor);
}

static void test_trouble(void **state)
{
    (void)state;
    vrs_monitor *monitor = NULL;
    vrs_monitor_reading r;
    setenv("VRSEG_FAKE_NVML", "unloaded", 1);
    expect_refused(vrs_monitor_open(0, &monitor), VRS_DEVICE, "Driver Not Loaded");
    unsetenv("VRSEG_FAKE_NVML");
    monitor = open_gpu(0);
    setenv("VRSEG_FAKE_NVML", "lost", 1);
    expect_refused(vrs_monitor_read(monitor, &r), VRS_DEVICE, "GPU is lost");
    vrs_monitor_close(monitor);
}

static void test_own_memory(void **state)
{
    (void)state;
    vrs_monitor *monitor = open_gpu(0);
    uint64_t bytes = 0;
    assert_int_equal(vrs_monitor_process_memory(monitor, &bytes), VRS_OK);
    assert_int_equal(bytes, 111); /* the only one */
    setenv("VRSEG_FAKE_NVML", "processes", 1);
    assert_int_equal(vrs_monitor_process_memory(monitor, &bytes), VRS_OK);
    assert_int_equal(bytes, 222); /* by our number */
    setenv("VRSEG_FAKE_NVML", "strangers", 1);
    assert_int_equal(vrs_monitor_process_memory(monitor, &bytes), VRS_NOT_FOUND);
    assert_int_equal(bytes, 0);
    vrs_monitor_close(monitor);
}

static vrs_status open_and_read(void *opaque)
{
    (void)opaque;
    vrs_monitor *monitor = NULL;
    vrs_monitor_reading r;
    vrs_status status = vrs_monitor_open(0, &monitor);
    if (status == VRS_OK)
        status = vrs_monitor_read(monitor, &r);
    vrs_monitor_close(monitor);
    return status;
}

static void test_each_failure(void **state)
{
    (void)state;
    static const vrs_status also[] = {VRS_MISSING, VRS_OK}; /* OK: without GPM */
    assert_true(inject_all_allowing(open_and_read, NULL, also, 2) > 10);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return EXIT_FAILURE;
    whole = argv[1];
    old = argv[2];
    broken = argv[3];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_reads, use_whole),
        cmocka_unit_test_setup(test_absent, use_whole),
        cmocka_unit_test_setup(test_missing, use_whole),
        cmocka_unit_test_setup(test_which, use_whole),
        cmocka_unit_test_setup(test_trouble, use_whole),
        cmocka_unit_test_setup(test_own_memory, use_whole),
        cmocka_unit_test_setup(test_each_failure, use_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
