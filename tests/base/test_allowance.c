/* Machines as their files show them: trees made here. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <string.h>

#include "base/allowance.h"
#include "support/inject.h"
#include "support/tree.h"
#include "vrseg/system.h"

static void write_processor(int processor, int package, int core)
{
    char name[128], text[32];
    snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%d/topology/physical_package_id",
             processor);
    snprintf(text, sizeof(text), "%d\n", package);
    write_file(name, text);
    snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%d/topology/core_id", processor);
    snprintf(text, sizeof(text), "%d\n", core);
    write_file(name, text);
}

/* Two sockets of two cores with two threads each; core numbers repeat on each socket. */
static void make_server(void)
{
    for (int p = 0; p < 8; p++)
        write_processor(p, p / 2 % 2, p % 2);
    write_file("/proc/self/status", "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\n");
    write_file("/proc/meminfo", "MemTotal:       50331648 kB\nMemFree: 5 kB\n");
}

static void test_server(void **state)
{
    (void)state;
    vrs_allowance m;
    make_server();
    vrs_allowance_read(folder, &m);
    assert_int_equal(m.processors, 8);
    assert_int_equal(m.cores, 4);
    assert_int_equal(m.sockets, 2);
    assert_int_equal(m.quota, 0);
    assert_int_equal(m.memory, UINT64_C(48) << 30);
    assert_int_equal(vrs_allowance_usable(&m), 8);
}

/* A mask leaves one thread of each core of the second socket; a quota leaves less than those. */
static void test_container(void **state)
{
    (void)state;
    vrs_allowance m;
    make_server();
    write_file("/proc/self/status", "Cpus_allowed_list:\t2-3\n");
    write_file("/proc/self/cgroup", "0::/box\n");
    write_file("/proc/self/mountinfo", "18 1 0:5 / /proc rw - proc proc rw\n"
                                       "24 18 0:20 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    write_file("/sys/fs/cgroup/box/memory.max", "2147483648\n");
    write_file("/sys/fs/cgroup/box/cpu.max", "50000 100000\n");
    vrs_allowance_read(folder, &m);
    assert_int_equal(m.processors, 2);
    assert_int_equal(m.cores, 2);
    assert_int_equal(m.sockets, 1);
    assert_int_equal(m.quota, 1);
    assert_int_equal(m.memory, UINT64_C(2) << 30);
    assert_int_equal(vrs_allowance_usable(&m), 1);
}

/* Lists that are none, and processors that sysfs does not tell of. */
static void test_missing(void **state)
{
    (void)state;
    vrs_allowance m;
    vrs_allowance_read(folder, &m);
    assert_true(m.processors == vrs_cpu_count() && m.cores == m.processors && m.sockets == 1);
    assert_int_equal(m.memory, 0);
    static const char *const bad[] = {"Cpus_allowed_list:\t\n",         "Cpus_allowed_list:\t0-\n",
                                      "Cpus_allowed_list:\t3-1\n",      "Cpus_allowed_list:\t0,x\n",
                                      "Cpus_allowed_list:\t0-999999\n", "Cpus_allowed: 3\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file("/proc/self/status", bad[i]);
        vrs_allowance_read(folder, &m);
        assert_int_equal(m.processors, vrs_cpu_count());
    }
    write_file("/proc/self/status", "Cpus_allowed_list:\t0,4-6\n");
    write_processor(0, 0, 0);
    write_processor(4, 0, 0);
    write_processor(5, 0, 1);
    vrs_allowance_read(folder, &m);
    assert_int_equal(m.processors, 4);
    assert_int_equal(m.cores, 4);
    write_processor(6, 0, 1);
    vrs_allowance_read(folder, &m);
    assert_int_equal(m.cores, 2);
}

static void test_this_machine(void **state)
{
    (void)state;
    vrs_allowance m;
    vrs_allowance_read("", &m);
    assert_int_equal(vrs_allowance_usable(&m), vrs_cpu_count());
    assert_true(m.cores >= 1 && m.cores <= m.processors && m.sockets >= 1);
    assert_true(m.memory > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_server, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_container, start_tree, end_tree),
        cmocka_unit_test_setup_teardown(test_missing, start_tree, end_tree),
        cmocka_unit_test(test_this_machine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
