/* What is read of /proc and /sys, from trees made here; disks. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/machine.h"
#include "support/inject.h"
#include "support/tree.h"

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        int32_t count;
    } cases[] = {{"0", 1},
                 {"0-3", 4},
                 {"0-3,8,10-11", 7},
                 {"5\n", 1},
                 {"", 0},
                 {"\n", 0},
                 {"x", 0},
                 {"3-1", 0},
                 {"1-", 0},
                 {"-1", 0},
                 {"1,,2", 0},
                 {"0-4294967295", 100},
                 {"0-1,x", 0},
                 {"1 2", 0},
                 {"99999999999999999", 0},
                 {"0-99", 100},
                 {"0-60,60-99", 100}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(vrs_machine_list_count(cases[i].list, 100), cases[i].count);
}

/* Two sockets of two cores with two threads each, two nodes, one of them without memory of its own.
 */
static void write_server(void)
{
    char text[4000] = "";
    for (int cpu = 0; cpu < 8; cpu++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used,
                 "processor\t: %d\nmodel name\t: Some CPU @ 2 GHz\nphysical id\t: %d\ncore id\t\t: "
                 "%d\nflags\t\t: fpu avx2\n\n",
                 cpu, cpu / 4, cpu % 2 * 16);
    }
    write_file("/proc/cpuinfo", text);
    write_file("/sys/devices/system/cpu/online", "0-7\n");
    write_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
    write_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "acpi-cpufreq\n");
    write_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
    write_file("/proc/meminfo", "MemTotal:       16000 kB\nMemFree:  1 kB\nMemAvailable:    9000 "
                                "kB\nSwapTotal:  100 kB\nSwapFree:   0 kB\n");
    write_file("/sys/devices/system/node/online", "0,2\n");
    write_file("/sys/devices/system/node/node0/cpulist", "0-3,6\n");
    write_file("/sys/devices/system/node/node0/meminfo",
               "Node 0 MemTotal:        8000 kB\nNode 0 MemFree:         500 kB\n");
    write_file("/sys/devices/system/node/node2/cpulist", "\n");
    write_file("/etc/os-release", "NAME=\"X\"\nPRETTY_NAME=\"Some Linux 1 (name)\"\n");
    write_file("/proc/driver/nvidia/version",
               "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23\nGCC: 12\n");
    write_file("/sys/bus/pci/devices/0000:3b:00.0/numa_node", "2\n");
    write_file("/sys/bus/pci/devices/0000:5b:00.0/numa_node", "-1\n");
}

static void test_server(void **state)
{
    (void)state;
    vrs_system_info info;
    char driver[32];
    write_server();
    vrs_machine_read(folder, &info);
    assert_string_equal(info.version, VRS_VERSION_TEXT);
    assert_string_equal(info.os, "Some Linux 1 (name)");
    assert_string_equal(info.cpu_name, "Some CPU @ 2 GHz");
    assert_string_equal(info.governor, "schedutil");
    assert_string_equal(info.clock_source, "tsc");
    assert_string_equal(info.container, "");
    assert_string_equal(info.hypervisor, "");
    assert_string_equal(info.nvidia_module, "580.95.05");
    assert_int_equal(info.cpus_online, 8);
    assert_int_equal(info.sockets, 2);
    assert_int_equal(info.cores, 4);
    assert_int_equal(info.cpu_quota, 0);
    assert_int_equal(info.memory_total, 16000 * 1024);
    assert_int_equal(info.memory_available, 9000 * 1024);
    assert_int_equal(info.memory_limit, 0);
    assert_int_equal(info.swap_total, 100 * 1024);
    assert_int_equal(info.swap_free, 0);
    assert_int_equal(info.numa_count, 2);
    assert_int_equal(info.numa[0].number, 0);
    assert_int_equal(info.numa[0].cpus, 5);
    assert_string_equal(info.numa[0].cpu_list, "0-3,6");
    assert_int_equal(info.numa[0].memory_total, 8000 * 1024);
    assert_int_equal(info.numa[0].memory_free, 500 * 1024);
    assert_int_equal(info.numa[1].number, 2);
    assert_int_equal(info.numa[1].cpus, 0);
    assert_int_equal(info.numa[1].memory_total, -1);
    vrs_machine_clock_driver(folder, driver, sizeof(driver));
    assert_string_equal(driver, "acpi-cpufreq");
    assert_int_equal(vrs_machine_pci_node(folder, "0000:3b:00.0"), 2);
    assert_int_equal(vrs_machine_pci_node(folder, "0000:5b:00.0"), -1);
    assert_int_equal(vrs_machine_pci_node(folder, "0000:00:00.0"), -1);
}

static void test_container(void **state)
{
    (void)state;
    vrs_system_info info;
    write_server();
    write_file("/.dockerenv", "");
    write_file("/proc/cpuinfo", "model name : V\nflags : fpu hypervisor avx\n");
    write_file("/proc/self/mountinfo", "24 18 0:20 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    write_file("/sys/fs/cgroup/memory.max", "4096\n");
    vrs_machine_read(folder, &info);
    assert_string_equal(info.container, "docker");
    assert_string_equal(info.hypervisor, "yes");
    assert_int_equal(info.sockets, -1);
    assert_int_equal(info.cores, -1);
    assert_int_equal(info.cpu_quota, 2);
    assert_int_equal(info.memory_limit, 4096);
    write_file("/run/systemd/container", "lxc\n");
    write_file("/proc/sys/kernel/osrelease", "5.15.90.1-microsoft-standard-WSL2\n");
    vrs_machine_read(folder, &info);
    assert_string_equal(info.container, "lxc");
    assert_string_equal(info.hypervisor, "wsl2");
}

/* A tree without anything, and one whose files hold nonsense. */
static void test_nothing(void **state)
{
    (void)state;
    vrs_system_info info;
    for (int i = 0; i < 2; i++) {
        vrs_machine_read(folder, &info);
        assert_string_equal(info.cpu_name, "unknown processor");
        assert_string_equal(info.os, "");
        assert_string_equal(info.nvidia_module, "");
        assert_int_equal(info.cpus_online, -1);
        assert_true(info.cpus_usable >= 1);
        assert_int_equal(info.sockets, -1);
        assert_int_equal(info.cores, -1);
        assert_int_equal(info.memory_total, -1);
        assert_int_equal(info.memory_available, -1);
        assert_int_equal(info.swap_total, -1);
        assert_int_equal(info.numa_count, 0);
        assert_true(info.kernel[0] != '\0');
        assert_true(info.open_files > 0);
        write_file("/proc/cpuinfo", "physical id : x\ncore id : 1\nphysical id : 1\n: :\nflags\n");
        write_file("/proc/meminfo", "MemTotal: kB\nMemAvailable: 99999999999999999999 kB\n");
        write_file("/sys/devices/system/cpu/online", "all\n");
        write_file("/sys/devices/system/node/online", "0-\n");
        write_file("/etc/os-release", "PRETTY_NAME");
        write_file("/proc/driver/nvidia/version", "no version. here\n");
    }
}

/* More nodes than there is room for, and a line longer than any field. */
static void test_too_much(void **state)
{
    (void)state;
    vrs_system_info info;
    char text[6000] = "PRETTY_NAME=\"";
    memset(text + strlen(text), 'a', 5000);
    write_file("/etc/os-release", text);
    write_file("/sys/devices/system/node/online", "0-999999\n");
    vrs_machine_read(folder, &info);
    assert_int_equal(strlen(info.os), sizeof(info.os) - 1);
    assert_int_equal(info.numa_count, VRS_MAX_NUMA_NODES);
    assert_int_equal(info.numa[VRS_MAX_NUMA_NODES - 1].number, VRS_MAX_NUMA_NODES - 1);
}

static vrs_status read_all(void *opaque)
{
    (void)opaque;
    vrs_system_info info;
    vrs_machine_read(folder, &info);
    return info.cpus_usable >= 1 ? VRS_OK : VRS_INVALID;
}

static void test_refused_memory(void **state)
{
    (void)state;
    static const vrs_status fine = VRS_OK;
    write_server();
    assert_true(inject_all_allowing(read_all, NULL, &fine, 1) >= 10);
}

static void test_disk(void **state)
{
    (void)state;
    vrs_disk_info info;
    char path[1000];
    assert_int_equal(vrs_disk_read(folder, &info), VRS_OK);
    assert_string_equal(info.folder, folder);
    assert_true(info.total > 0 && info.available >= 0 && info.available <= info.total);
    assert_true(info.writable);
    assert_true(info.filesystem[0] != '\0');
    snprintf(path, sizeof(path), "%s/not/yet", folder);
    assert_int_equal(vrs_disk_read(path, &info), VRS_OK);
    assert_string_equal(info.folder, folder);
    assert_int_equal(vrs_disk_read("not-there-at-all", &info), VRS_OK);
    assert_string_equal(info.folder, ".");
    assert_int_equal(vrs_disk_read("", &info), VRS_OK);
    assert_string_equal(info.folder, ".");
    char longest[1500];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(vrs_disk_read(longest, &info), VRS_INVALID);
}

static void test_disk_speed(void **state)
{
    (void)state;
    double wrote, read;
    assert_int_equal(vrs_disk_measure(folder, 3 << 20, 5, &wrote, &read), VRS_OK);
    assert_true(wrote > 0 && read >= 0);
    assert_int_equal(temp_count(folder), 0); /* nothing is left behind */
    assert_int_equal(vrs_disk_measure(folder, 1000, 5, &wrote, &read), VRS_INVALID);
    assert_int_equal(vrs_disk_measure(folder, 3 << 20, 0, &wrote, &read), VRS_INVALID);
    assert_int_equal(vrs_disk_measure("/proc/not/there", 3 << 20, 1, &wrote, &read), VRS_NOT_FOUND);
    assert_non_null(strstr(vrs_last_error(), "/proc/not/there"));
}

static vrs_status measure(void *opaque)
{
    (void)opaque;
    double wrote, read;
    return vrs_disk_measure(folder, 1 << 20, 1, &wrote, &read);
}

static void test_disk_memory(void **state)
{
    (void)state;
    assert_int_equal(inject_all(measure, NULL), 1);
}

#define TREE(test) cmocka_unit_test_setup_teardown(test, start_tree, end_tree)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        TREE(test_server),
        TREE(test_container),
        TREE(test_nothing),
        TREE(test_too_much),
        TREE(test_refused_memory),
        TREE(test_disk),
        TREE(test_disk_speed),
        TREE(test_disk_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
