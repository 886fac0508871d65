/* sched_getaffinity() */
#define _GNU_SOURCE

#include "vrseg/system.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cgroup.h"
#include "base/file.h"
#include "base/system.h"

/* Most processors that a mask is asked for; Linux knows 8192 at most. */
#define MAX_CPUS (1 << 16)
#define MAX_CPUINFO (16 << 20)

const char *vrs_version(void)
{
    return VRS_VERSION_TEXT;
}

/* The kernel refuses a mask shorter than its own (EINVAL). 0: it could not be read. */
static int32_t count_affinity(void)
{
    for (size_t cpus = 1024; cpus <= MAX_CPUS; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *mask = vrs_alloc(size);
        if (mask == NULL)
            return 0;
        int error = sched_getaffinity(0, size, mask) == 0 ? 0 : errno;
        int32_t count = error == 0 ? CPU_COUNT_S(size, mask) : 0;
        vrs_free(mask);
        if (error != EINVAL)
            return count;
    }
    return 0;
}

int32_t vrs_cpu_count(void)
{
    int32_t count = count_affinity();
    if (count == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online > 0 && online <= INT32_MAX ? (int32_t)online : 1;
    }
    int32_t limit = vrs_cgroup_cpu_limit("");
    return limit > 0 && limit < count ? limit : count;
}

void vrs_parse_cpu_name(const char *cpuinfo, char *name, size_t size)
{
    snprintf(name, size, "unknown processor");
    const char *line = strstr(cpuinfo, "model name");
    if (line == NULL)
        return;
    line += strcspn(line, ":\n");
    if (*line != ':')
        return;
    line++;
    line += strspn(line, " \t");
    size_t length = strcspn(line, "\n");
    if (length > 0)
        snprintf(name, size, "%.*s", (int)(length < size ? length : size), line);
}

static char cpu_name[128];
static pthread_once_t cpu_name_once = PTHREAD_ONCE_INIT;

static void read_cpu_name(void)
{
    char *text = NULL;
    size_t size = 0;
    vrs_status status = vrs_file_read("/proc/cpuinfo", MAX_CPUINFO, &text, &size);
    vrs_parse_cpu_name(status == VRS_OK ? text : "", cpu_name, sizeof(cpu_name));
    vrs_free(text);
}

const char *vrs_cpu_name(void)
{
    pthread_once(&cpu_name_once, read_cpu_name);
    return cpu_name;
}
