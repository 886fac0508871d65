#include "base/allowance.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/file.h"
#include "base/parse.h"
#include "vrseg/system.h"

#define MAX_PROCESSORS 8192 /* that Linux knows at most */

/* A file that holds one number; -1: it does not. */
static int64_t read_number(const char *root, const char *name)
{
    char *text = vrs_file_of_system(root, name);
    int64_t value = -1;
    if (text != NULL) {
        text[strcspn(text, "\n")] = '\0';
        if (!vrs_parse_int(text, &value))
            value = -1;
    }
    vrs_free(text);
    return value;
}

/* The rest of the line behind `key`; NULL: there is no such line. */
static const char *find_line(const char *text, const char *key)
{
    for (const char *at = text; at != NULL && *at != '\0'; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, strlen(key)) == 0)
            return at + strlen(key);
    }
    return NULL;
}

/* "0-3,8" into a list; how many there are, 0 where the text is no such list. */
static int32_t parse_list(const char *text, int32_t list[MAX_PROCESSORS])
{
    int32_t count = 0;
    const char *at = text + strspn(text, " \t");
    while (*at >= '0' && *at <= '9') {
        char *end = NULL;
        long first = strtol(at, &end, 10), last = first;
        bool range = *end == '-';
        const char *second = end + 1;
        if (range)
            last = strtol(second, &end, 10);
        if ((range && end == second) || last < first || last >= MAX_PROCESSORS)
            return 0;
        for (long p = first; p <= last && count < MAX_PROCESSORS; p++)
            list[count++] = (int32_t)p;
        at = end + (*end == ',');
    }
    return *at == '\0' || *at == '\n' ? count : 0;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int32_t count_distinct(int64_t *values, int32_t count)
{
    qsort(values, (size_t)count, sizeof(values[0]), by_value);
    int32_t distinct = 0;
    for (int32_t i = 0; i < count; i++)
        distinct += i == 0 || values[i] != values[i - 1];
    return distinct;
}

/* Cores and sockets of the processors in the list, from sysfs. */
static void read_topology(const char *root, const int32_t *list, int64_t *keys,
                          vrs_allowance *allowance)
{
    bool known = true;
    for (int32_t i = 0; i < allowance->processors && known; i++) {
        char name[128];
        snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%d/topology/physical_package_id",
                 list[i]);
        int64_t package = read_number(root, name);
        snprintf(name, sizeof(name), "/sys/devices/system/cpu/cpu%d/topology/core_id", list[i]);
        int64_t core = read_number(root, name);
        known = package >= 0 && core >= 0 && package < INT32_MAX && core < INT32_MAX;
        keys[i] = known ? package << 32 | core : 0;
    }
    if (!known)
        return;
    allowance->cores = count_distinct(keys, allowance->processors);
    for (int32_t i = 0; i < allowance->processors; i++)
        keys[i] >>= 32;
    allowance->sockets = count_distinct(keys, allowance->processors);
}

static void read_processors(const char *root, vrs_allowance *allowance)
{
    char *status = vrs_file_of_system(root, "/proc/self/status");
    const char *allowed = status != NULL ? find_line(status, "Cpus_allowed_list:") : NULL;
    int32_t *list = vrs_alloc_array(MAX_PROCESSORS, sizeof(*list));
    int64_t *keys = vrs_alloc_array(MAX_PROCESSORS, sizeof(*keys));
    int32_t count = allowed != NULL && list != NULL ? parse_list(allowed, list) : 0;
    allowance->processors = count > 0 ? count : vrs_cpu_count();
    allowance->cores = allowance->processors;
    allowance->sockets = 1;
    if (count > 0 && keys != NULL)
        read_topology(root, list, keys, allowance);
    vrs_free(list);
    vrs_free(keys);
    vrs_free(status);
}

/* "MemTotal:  16316412 kB" */
static uint64_t read_memory(const char *root)
{
    char *text = vrs_file_of_system(root, "/proc/meminfo");
    const char *total = text != NULL ? find_line(text, "MemTotal:") : NULL;
    uint64_t bytes = total != NULL ? strtoull(total, NULL, 10) * 1024 : 0;
    uint64_t limit = vrs_cgroup_memory_limit(root);
    vrs_free(text);
    return limit > 0 && (bytes == 0 || limit < bytes) ? limit : bytes;
}

void vrs_allowance_read(const char *root, vrs_allowance *allowance)
{
    *allowance = (vrs_allowance){0};
    read_processors(root, allowance);
    allowance->quota = vrs_cgroup_cpu_limit(root);
    allowance->memory = read_memory(root);
}

int32_t vrs_allowance_usable(const vrs_allowance *allowance)
{
    bool cut = allowance->quota > 0 && allowance->quota < allowance->processors;
    return cut ? allowance->quota : allowance->processors;
}
