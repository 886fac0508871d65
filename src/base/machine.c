#include "base/machine.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/system.h"
#include "base/text.h"

#define MAX_LIST 65536

/* Like snprintf(), but never cuts inside of a character. */
VRS_PRINTF(3, 4) static void put(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vrs_text_vformat(text, size, format, args);
    va_end(args);
}

/* The first line of a file without the blanks around it; "" where there is none. */
static void read_line(const char *root, const char *path, char *text, size_t size)
{
    char *data = vrs_file_of_system(root, path);
    const char *start = data != NULL ? data : "";
    start += strspn(start, " \t");
    size_t length = strcspn(start, "\n");
    while (length > 0 && isspace((unsigned char)start[length - 1]))
        length--;
    put(text, size, "%.*s", (int)(length < MAX_LIST ? length : MAX_LIST), start);
    vrs_free(data);
}

int32_t vrs_machine_list_count(const char *list, int32_t most)
{
    int64_t count = 0;
    while (*list != '\0' && *list != '\n') {
        char first[16], last[16];
        size_t length = strcspn(list, ",\n");
        size_t dash = strcspn(list, "-,\n");
        if (length == 0 || dash >= sizeof(first) || length - dash >= sizeof(last))
            return 0;
        put(first, sizeof(first), "%.*s", (int)dash, list);
        put(last, sizeof(last), "%.*s", dash < length ? (int)(length - dash - 1) : (int)dash,
            dash < length ? list + dash + 1 : list);
        int64_t from, to;
        if (!vrs_parse_int(first, &from) || !vrs_parse_int(last, &to) || from < 0 || to < from)
            return 0;
        count += to - from + 1;
        list += length + (list[length] == ',');
    }
    return count < most ? (int32_t)count : most;
}

/* ---- processors ---- */

/* Value of the next line "key : value" from `at` on; NULL: there is none. `value` gets it, without
 * its line's end. */
static const char *next_field(const char *at, const char *key, char *value, size_t size)
{
    size_t length = strlen(key);
    for (; at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL) {
        const char *rest = at + length;
        if (strncmp(at, key, length) != 0)
            continue;
        rest += strspn(rest, " \t");
        if (*rest != ':')
            continue;
        rest++;
        rest += strspn(rest, " \t");
        put(value, size, "%.*s", (int)strcspn(rest, "\n"), rest);
        return rest;
    }
    return NULL;
}

/* Sockets and cores: each (physical id, core id) is one core. Without these lines, as in many
 * virtual machines, both stay unknown. */
static void count_cores(const char *cpuinfo, vrs_system_info *info)
{
    enum { MOST = 4096 };
    int32_t *seen = vrs_alloc_array(MOST, sizeof(*seen));
    char socket_text[16], core_text[16];
    int32_t sockets = 0, cores = 0;
    int64_t socket = -1, core = -1;
    const char *at = cpuinfo;
    while (seen != NULL &&
           (at = next_field(at, "physical id", socket_text, sizeof(socket_text))) != NULL) {
        bool known = next_field(at, "core id", core_text, sizeof(core_text)) != NULL &&
                     vrs_parse_int(socket_text, &socket) && vrs_parse_int(core_text, &core) &&
                     socket >= 0 && socket < 1024 && core >= 0 && core < (1 << 20);
        if (!known)
            continue;
        int32_t id = (int32_t)(socket << 20 | core), i = 0;
        while (i < cores && seen[i] != id)
            i++;
        if (i == cores && cores < MOST)
            seen[cores++] = id;
        sockets = socket + 1 > sockets ? (int32_t)socket + 1 : sockets;
    }
    vrs_free(seen);
    info->sockets = sockets > 0 ? sockets : -1;
    info->cores = cores > 0 ? cores : -1;
}

static void read_cpus(const char *root, vrs_system_info *info)
{
    char list[4096];
    char *cpuinfo = vrs_file_of_system(root, "/proc/cpuinfo");
    const char *text = cpuinfo != NULL ? cpuinfo : "";
    vrs_parse_cpu_name(text, info->cpu_name, sizeof(info->cpu_name));
    count_cores(text, info);
    char flags[8192];
    if (next_field(text, "flags", flags, sizeof(flags)) != NULL &&
        strstr(flags, " hypervisor") != NULL)
        put(info->hypervisor, sizeof(info->hypervisor), "yes");
    vrs_free(cpuinfo);
    read_line(root, "/sys/devices/system/cpu/online", list, sizeof(list));
    int32_t online = vrs_machine_list_count(list, MAX_LIST);
    info->cpus_online = online > 0 ? online : -1;
    info->cpus_usable = vrs_cpu_count();
    info->cpu_quota = vrs_cgroup_cpu_limit(root);
    read_line(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", info->governor,
              sizeof(info->governor));
    read_line(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
              info->clock_source, sizeof(info->clock_source));
}

void vrs_machine_clock_driver(const char *root, char *text, size_t size)
{
    read_line(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", text, size);
}

/* ---- memory ---- */

/* A line "Name:   123 kB" in bytes, wherever in the line the name stands (nodes have "Node 0" in
 * front); -1: there is none. */
static int64_t find_kilobytes(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    char digits[24];
    int64_t value;
    if (at == NULL)
        return -1;
    at += strlen(name);
    at += strspn(at, " \t");
    put(digits, sizeof(digits), "%.*s", (int)strspn(at, "0123456789"), at);
    return vrs_parse_int(digits, &value) && value <= INT64_MAX / 1024 ? value * 1024 : -1;
}

static void read_memory(const char *root, vrs_system_info *info)
{
    char *text = vrs_file_of_system(root, "/proc/meminfo");
    const char *lines = text != NULL ? text : "";
    info->memory_total = find_kilobytes(lines, "MemTotal:");
    info->memory_available = find_kilobytes(lines, "MemAvailable:");
    info->swap_total = find_kilobytes(lines, "SwapTotal:");
    info->swap_free = find_kilobytes(lines, "SwapFree:");
    vrs_free(text);
    uint64_t limit = vrs_cgroup_memory_limit(root);
    info->memory_limit = limit < INT64_MAX ? (int64_t)limit : 0;
}

static void read_node(const char *root, int32_t number, vrs_numa_node *node)
{
    char path[128], list[4096];
    *node = (vrs_numa_node){.number = number};
    put(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", number);
    read_line(root, path, list, sizeof(list));
    node->cpus = vrs_machine_list_count(list, MAX_LIST);
    put(node->cpu_list, sizeof(node->cpu_list), "%s", list);
    put(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", number);
    char *text = vrs_file_of_system(root, path);
    node->memory_total = find_kilobytes(text != NULL ? text : "", "MemTotal:");
    node->memory_free = find_kilobytes(text != NULL ? text : "", "MemFree:");
    vrs_free(text);
}

/* Of a list like "0-1,4": numbers may have gaps. */
static void read_nodes(const char *root, vrs_system_info *info)
{
    char list[1024];
    read_line(root, "/sys/devices/system/node/online", list, sizeof(list));
    if (vrs_machine_list_count(list, MAX_LIST) == 0)
        return;
    for (const char *at = list; *at != '\0';) {
        int first = 0, last = 0;
        int parts = sscanf(at, "%6d-%6d", &first, &last);
        last = parts == 2 ? last : first;
        for (int n = first; parts >= 1 && n <= last && info->numa_count < VRS_MAX_NUMA_NODES; n++)
            read_node(root, n, &info->numa[info->numa_count++]);
        at += strcspn(at, ",");
        at += *at == ',';
    }
}

int32_t vrs_machine_pci_node(const char *root, const char *pci)
{
    char path[128], text[32];
    int64_t node = -1;
    put(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", pci);
    read_line(root, path, text, sizeof(text));
    return vrs_parse_int(text, &node) && node >= 0 && node < MAX_LIST ? (int32_t)node : -1;
}

/* ---- the system ---- */

static void read_os(const char *root, vrs_system_info *info)
{
    char *text = vrs_file_of_system(root, "/etc/os-release");
    const char *at = text != NULL ? strstr(text, "PRETTY_NAME=") : NULL;
    if (at != NULL) {
        at += strlen("PRETTY_NAME=");
        at += strspn(at, "\"'");
        put(info->os, sizeof(info->os), "%.*s", (int)strcspn(at, "\"'\n"), at);
    }
    vrs_free(text);
    struct utsname names;
    if (uname(&names) == 0)
        put(info->kernel, sizeof(info->kernel), "%s", names.release);
    char release[128];
    read_line(root, "/proc/sys/kernel/osrelease", release, sizeof(release));
    if (strstr(release, "WSL2") != NULL || strstr(release, "microsoft-standard") != NULL)
        put(info->hypervisor, sizeof(info->hypervisor), "wsl2");
}

static bool there(const char *root, const char *path)
{
    char whole[VRS_PATH_MAX];
    return vrs_path_format(whole, sizeof(whole), "%s%s", root, path) == VRS_OK &&
           vrs_file_exists(whole);
}

/* The files that container programs leave; systemd's is the only one with a name in it. */
static void read_container(const char *root, vrs_system_info *info)
{
    read_line(root, "/run/systemd/container", info->container, sizeof(info->container));
    if (info->container[0] != '\0')
        return;
    if (there(root, "/.dockerenv"))
        put(info->container, sizeof(info->container), "docker");
    else if (there(root, "/run/.containerenv"))
        put(info->container, sizeof(info->container), "podman");
}

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue ..." */
static void read_nvidia(const char *root, vrs_system_info *info)
{
    char line[512];
    read_line(root, "/proc/driver/nvidia/version", line, sizeof(line));
    for (const char *word = line; *word != '\0';) {
        size_t length = strcspn(word, " \t");
        if (isdigit((unsigned char)*word) && memchr(word, '.', length) != NULL) {
            put(info->nvidia_module, sizeof(info->nvidia_module), "%.*s", (int)length, word);
            return;
        }
        word += length;
        word += strspn(word, " \t");
    }
}

static int64_t read_limit(int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return -1;
    return limit.rlim_cur >= (rlim_t)INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

void vrs_machine_read(const char *root, vrs_system_info *info)
{
    *info = (vrs_system_info){.version = VRS_VERSION_TEXT};
    read_cpus(root, info);
    read_os(root, info); /* after it: knows more of the virtual machine */
    read_container(root, info);
    read_memory(root, info);
    read_nodes(root, info);
    read_nvidia(root, info);
    info->open_files = read_limit(RLIMIT_NOFILE);
    info->file_bytes = read_limit(RLIMIT_FSIZE);
}
