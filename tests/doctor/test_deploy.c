/* The checklist of a deployment: machines made here are judged, and this one is gone through. */
#define _XOPEN_SOURCE 700

#include <stdlib.h>
#include <sys/resource.h>

#include "doctor/checks.h"
#include "doctor/deploy.h"
#include "support/temp.h"
#include "vrseg/vrseg.h"

static vrs_system_info good_machine(void)
{
    return (vrs_system_info){.clock_source = "tsc",
                             .governor = "performance",
                             .cpus_online = 8,
                             .cpus_usable = 8,
                             .memory_total = INT64_C(16000000000),
                             .memory_available = INT64_C(12000000000),
                             .open_files = 1024,
                             .file_bytes = INT64_MAX};
}

static vrs_check_state judge(const vrs_system_info *info, const char *driver, const char *name)
{
    gathered.count = 0;
    vrs_deploy_judge_machine(&to_gather, info, driver);
    return find_check(name)->state;
}

static void test_machine(void **state)
{
    (void)state;
    vrs_system_info m = good_machine();
    (void)judge(&m, "acpi-cpufreq", "clock source");
    assert_int_equal(count_state(VRS_CHECK_OK), gathered.count);

    m.cpus_usable = 1;
    m.cpu_quota = 1;
    assert_int_equal(judge(&m, "", "processors"), VRS_CHECK_WARNING);
    assert_string_equal(find_check("processors")->found, "1 of 8, a quota of 1");

    m = good_machine();
    snprintf(m.clock_source, sizeof(m.clock_source), "hpet");
    assert_int_equal(judge(&m, "", "clock source"), VRS_CHECK_WARNING);
    m.clock_source[0] = '\0';
    assert_int_equal(judge(&m, "", "clock source"), VRS_CHECK_SKIPPED);

    m = good_machine();
    snprintf(m.governor, sizeof(m.governor), "powersave");
    assert_int_equal(judge(&m, "acpi-cpufreq", "processor's clock"), VRS_CHECK_WARNING);
    assert_int_equal(judge(&m, "intel_pstate", "processor's clock"), VRS_CHECK_OK);
    assert_int_equal(judge(&m, "amd-pstate-epp", "processor's clock"), VRS_CHECK_OK);
    m.governor[0] = '\0';
    assert_int_equal(judge(&m, "", "processor's clock"), VRS_CHECK_SKIPPED);

    m = good_machine();
    m.open_files = 255;
    m.file_bytes = 1000000;
    assert_int_equal(judge(&m, "", "open files"), VRS_CHECK_FAILED);
    assert_true(find_check("open files")->required);
    assert_int_equal(find_check("file size")->state, VRS_CHECK_WARNING);
    m.open_files = INT64_MAX;
    assert_int_equal(judge(&m, "", "open files"), VRS_CHECK_OK);
    m.open_files = -1;
    assert_int_equal(judge(&m, "", "open files"), VRS_CHECK_OK);
}

static vrs_check_state judge_memory(const vrs_system_info *info, int32_t tickets)
{
    gathered.count = 0;
    vrs_deploy_judge_memory(&to_gather, info, tickets, 3840, 2160);
    return find_check("memory")->state;
}

static void test_memory(void **state)
{
    (void)state;
    vrs_system_info m = good_machine(); /* a frame of 3840x2160 counts 50 MB */
    assert_int_equal(judge_memory(&m, 20), VRS_CHECK_OK);
    assert_int_equal(judge_memory(&m, 250), VRS_CHECK_FAILED);
    m.memory_limit = INT64_C(2000000000);
    assert_int_equal(judge_memory(&m, 20), VRS_CHECK_FAILED);
    assert_non_null(strstr(find_check("memory")->found, "2.0 GB available"));
    assert_int_equal(judge_memory(&m, 4), VRS_CHECK_OK);
    m.memory_available = -1;
    assert_int_equal(judge_memory(&m, 4), VRS_CHECK_OK);
    m.memory_limit = 0;
    assert_int_equal(judge_memory(&m, 4), VRS_CHECK_SKIPPED);
}

static void test_disk(void **state)
{
    (void)state;
    vrs_disk_info disk = {.folder = "/out", .filesystem = "ext4", .writable = true, .total = 100};
    disk.available = 50;
    gathered.count = 0;
    vrs_deploy_judge_disk(&to_gather, &disk, 50);
    assert_int_equal(count_state(VRS_CHECK_OK), 2);
    gathered.count = 0;
    vrs_deploy_judge_disk(&to_gather, &disk, 51);
    assert_int_equal(find_check("disk room")->state, VRS_CHECK_FAILED);
    gathered.count = 0;
    disk.writable = false;
    vrs_deploy_judge_disk(&to_gather, &disk, 50);
    assert_int_equal(find_check("output folder")->state, VRS_CHECK_FAILED);
}

static vrs_config *make_config(const char *device)
{
    vrs_config *config;
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    assert_int_equal(vrs_config_set(config, "device", device), VRS_OK);
    return config;
}

/* All of it, on this machine. Whether the trial frame runs depends on engine and weights. */
static void test_whole(void **state)
{
    (void)state;
    char folder[256];
    temp_make(folder, sizeof(folder));
    vrs_config *config = make_config("cpu");
    vrs_deploy_options options = {
        .output = folder, .output_bytes = 1, .width = 640, .height = 360, .run = true};
    gathered.count = 0;
    assert_int_equal(vrs_deploy_check(config, &options, gather, NULL), VRS_OK);
    print_checks();
    assert_int_equal(find_check("output folder")->state, VRS_CHECK_OK);
    assert_int_equal(find_check("disk room")->state, VRS_CHECK_OK);
    assert_int_equal(find_check("GPU memory")->state, VRS_CHECK_SKIPPED);
    assert_int_equal(find_check("device")->state, VRS_CHECK_OK);
    assert_int_equal(temp_count(folder), 0);
    vrs_check_state model_state = find_check("trial frame")->state;
    vrs_model *model;
    assert_int_equal(vrs_model_load("selfie-landscape", &model), VRS_OK);
    char version[64], where[1024];
    bool runs = vrs_model_get_info(model).installed &&
                vrs_openvino_info(version, sizeof(version), where, sizeof(where)) == VRS_OK;
    assert_int_equal(model_state == VRS_CHECK_OK, runs);
    vrs_model_destroy(model);

    options.run = false;
    options.output = "/proc/nowhere"; /* nobody can write there */
    gathered.count = 0;
    assert_int_equal(vrs_deploy_check(config, &options, gather, NULL), VRS_OK);
    assert_int_equal(find_check("trial frame")->state, VRS_CHECK_SKIPPED);
    assert_int_equal(find_check("disk room")->state, VRS_CHECK_FAILED);
    options.width = 40000;
    assert_int_equal(vrs_deploy_check(config, &options, gather, NULL), VRS_INVALID);
    vrs_config_destroy(config);
    temp_remove(folder);
}

/* A device that is not there, and a size that is none. */
static void test_wrong_settings(void **state)
{
    (void)state;
    const vrs_deploy_options options = {.output_bytes = 1, .run = true};
    vrs_config *config = make_config("cuda:7");
    assert_int_equal(setenv("VRSEG_CUDA_LIBRARY", "/nowhere/libcuda.so.1", 1), 0);
    gathered.count = 0;
    assert_int_equal(vrs_deploy_check(config, &options, gather, NULL), VRS_OK);
    assert_int_equal(find_check("device")->state, VRS_CHECK_FAILED);
    assert_true(find_check("trial frame")->state != VRS_CHECK_OK);
    vrs_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine),        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_disk),           cmocka_unit_test(test_whole),
        cmocka_unit_test(test_wrong_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
