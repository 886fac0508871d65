/* Processors: affinity, quotas of control groups (from trees made here), names. */
#define _GNU_SOURCE /* sched_setaffinity() */

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cgroup.h"
#include "base/system.h"
#include "support/inject.h"
#include "support/tree.h"
#include "vrseg/system.h"

#define MOUNT2 "24 18 0:20 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"

static void test_version2(void **state)
{
    (void)state;
    write_file("/proc/self/mountinfo", "18 1 0:5 / /proc rw - proc proc rw\n" MOUNT2);
    write_file("/proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    write_file("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    write_file("/sys/fs/cgroup/a/cpu.max", "350000 100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 4); /* rounded up, and of a group above */
    write_file("/sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 2);
    write_file("/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 4);
    write_file("/sys/fs/cgroup/cpu.max", "1000 100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 1);
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "9223372036854775807 1\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), INT32_MAX);
}

static void test_version1(void **state)
{
    (void)state;
    write_file("/proc/self/mountinfo",
               "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
               "32 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
               "33 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    write_file("/proc/self/cgroup", "3:cpuset:/other\n2:cpu,cpuacct:/x/y\n1:name=systemd:/\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    write_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "250000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 0); /* without its period */
    write_file("/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 3);
}

/* In a container the mount shows the container's group as the top. */
static void test_container(void **state)
{
    (void)state;
    write_file("/proc/self/mountinfo",
               "33 31 0:29 /docker/id /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    static const char *const groups[] = {"2:cpu:/docker/id\n", "2:cpu:/docker/id/inner\n",
                                         "2:cpu:/docker/identity\n", "2:cpu:/\n"};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        write_file("/proc/self/cgroup", groups[i]);
        assert_int_equal(vrs_cgroup_cpu_limit(folder), 2);
    }
}

static void test_broken_texts(void **state)
{
    (void)state;
    static const char *const limits[] = {"",
                                         "\n",
                                         "100000\n",
                                         "100000 \n",
                                         " 100000\n",
                                         "x y\n",
                                         "0 100000\n",
                                         "1 0\n",
                                         "1 x\n",
                                         "-5 100000\n",
                                         "max\n",
                                         "max max\n",
                                         "99999999999999999999 1\n"};
    write_file("/proc/self/mountinfo", MOUNT2);
    write_file("/proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        write_file("/sys/fs/cgroup/cpu.max", limits[i]);
        assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    }
    write_file("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 1);
    static const char *const groups[] = {"", "\n\n", "0\n", "0:\n", "::\n", "0:x:/\n", "1::/\n"};
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        write_file("/proc/self/cgroup", groups[i]);
        assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    }
    write_file("/proc/self/cgroup", "0::/\n");
    static const char *const mounts[] = {"",
                                         "\n",
                                         " - \n",
                                         " - cgroup2\n",
                                         "a b - cgroup2 x y\n",
                                         "a b c d - cgroup2 x y\n",
                                         "x - cgroup\n"};
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        write_file("/proc/self/mountinfo", mounts[i]);
        assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    }
}

static void test_memory_limit(void **state)
{
    (void)state;
    write_file("/proc/self/mountinfo", MOUNT2);
    write_file("/proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(vrs_cgroup_memory_limit(folder), 0);
    write_file("/sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_int_equal(vrs_cgroup_memory_limit(folder), 0);
    write_file("/sys/fs/cgroup/a/memory.max", "8589934592\n");
    assert_int_equal(vrs_cgroup_memory_limit(folder), INT64_C(8) << 30);
    write_file("/sys/fs/cgroup/a/b/memory.max", "12345\n");
    assert_int_equal(vrs_cgroup_memory_limit(folder), 12345);
    write_file("/proc/self/mountinfo", "33 31 0:29 / /sys/fs/m rw - cgroup cgroup rw,memory\n");
    write_file("/proc/self/cgroup", "4:memory:/x\n2:cpu:/y\n");
    write_file("/sys/fs/m/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    write_file("/sys/fs/m/y/memory.limit_in_bytes", "1\n");                 /* not ours */
    assert_int_equal(vrs_cgroup_memory_limit(folder), 0);
    write_file("/sys/fs/m/x/memory.limit_in_bytes", "4096\n");
    assert_int_equal(vrs_cgroup_memory_limit(folder), 4096);
}

static void test_no_files(void **state)
{
    (void)state;
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    write_file("/proc/self/cgroup", "0::/\n");
    assert_int_equal(vrs_cgroup_cpu_limit(folder), 0);
    assert_int_equal(vrs_cgroup_memory_limit(folder), 0);
}

static void test_cpu_name(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nflags: x\n", "Some CPU @ 2 GHz"},
        {"model name\t:Bare", "Bare"},
        {"model name\t: \n", "unknown processor"},
        {"model name\nx: y\n", "unknown processor"},
        {"processor : 0\nBogoMIPS : 50\n", "unknown processor"},
        {"", "unknown processor"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[64];
        vrs_parse_cpu_name(cases[i][0], name, sizeof(name));
        assert_string_equal(name, cases[i][1]);
    }
    char small[5];
    vrs_parse_cpu_name("model name: 123456789\n", small, sizeof(small));
    assert_string_equal(small, "1234");
    assert_true(strlen(vrs_cpu_name()) > 0);
    assert_ptr_equal(vrs_cpu_name(), vrs_cpu_name());
}

static void test_cpu_count(void **state)
{
    (void)state;
    cpu_set_t all;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    int32_t before = vrs_cpu_count();
    assert_true(before >= 1 && before <= CPU_COUNT(&all));
    int first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    int32_t alone = vrs_cpu_count();
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(alone, 1);
    assert_int_equal(vrs_cpu_count(), before);
}

static void test_version(void **state)
{
    (void)state;
    char text[32];
    snprintf(text, sizeof(text), "%d.%d.%d", VRS_VERSION_MAJOR, VRS_VERSION_MINOR,
             VRS_VERSION_PATCH);
    assert_string_equal(vrs_version(), text);
}

/* Without memory the answer is less exact, never wrong: at least one, and nothing stays behind. */
static vrs_status count_processors(void *opaque)
{
    (void)opaque;
    return vrs_cpu_count() >= 1 ? VRS_OK : VRS_INVALID;
}

static void test_refused_memory(void **state)
{
    (void)state;
    static const vrs_status fine = VRS_OK;
    assert_true(inject_all_allowing(count_processors, NULL, &fine, 1) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_version2, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_version1, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_container, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_broken_texts, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_memory_limit, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_no_files, start_tree, end_tree),
        cmocka_unit_test(test_cpu_name),
        cmocka_unit_test(test_cpu_count),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_refused_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
