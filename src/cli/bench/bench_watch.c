/* What the GPU, this process and the others do while something is measured. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/bench/bench.h"

#define EVERY_NS INT64_C(250000000)
/* NVML's utilisation is that of up to a second before the reading. */
#define SETTLED_NS INT64_C(1000000000)
#define MOST_CPUS 4096
/* The kernel counts hundredths of a second: in less time nothing is known of other programs. */
#define LEAST_SECONDS 0.5

/* ---- processors ---- */

static double own_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* Marks the processors of a list like "0-3,8"; returns how many. */
static int32_t mark(const char *list, bool *marks)
{
    int32_t count = 0;
    for (const char *at = list; *at >= '0' && *at <= '9';) {
        char *end;
        long first = strtol(at, &end, 10), last = first;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        for (long i = first; i <= last && i < MOST_CPUS; i++, count++)
            marks[i] = true;
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

/* Those that this process may use; 0: unknown. */
static int32_t allowed(bool *marks)
{
    char line[4096];
    int32_t count = 0;
    FILE *file = fopen("/proc/self/status", "re");
    memset(marks, 0, MOST_CPUS * sizeof(*marks));
    while (file != NULL && count == 0 && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "Cpus_allowed_list:", 18) == 0)
            count = mark(line + 18 + strspn(line + 18, " \t"), marks);
    if (file != NULL)
        (void)fclose(file);
    return count;
}

/* Seconds that all programs together have used the allowed processors, what a hypervisor took of
 * them counted; negative: unknown. `count`: how many processors these are. */
static double busy_seconds(int32_t *count)
{
    static bool marks[MOST_CPUS];
    char line[512];
    double ticks = 0;
    *count = allowed(marks);
    FILE *file = *count > 0 ? fopen("/proc/stat", "re") : NULL;
    if (file == NULL)
        return -1;
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned cpu;
        unsigned long long user, nice, system, idle, wait, irq, soft, steal;
        if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &user, &nice,
                   &system, &idle, &wait, &irq, &soft, &steal) == 9 &&
            cpu < MOST_CPUS && marks[cpu])
            ticks += (double)(user + nice + system + irq + soft + steal);
    }
    (void)fclose(file);
    return ticks / (double)sysconf(_SC_CLK_TCK);
}

/* ---- the GPU ---- */

/* Adds a number where it is known. */
static void add(vrs_bench_watch *w, int which, double *sum, double value)
{
    if (value >= 0) {
        *sum += value;
        w->counts[which]++;
    }
}

static double mean(const vrs_bench_watch *w, int which, double sum)
{
    return w->counts[which] > 0 ? sum / w->counts[which] : -1;
}

static bool read_gpu(vrs_bench_watch *w, vrs_monitor_reading *r)
{
    return w->monitor != NULL && vrs_monitor_read(w->monitor, r) == VRS_OK;
}

static void take(vrs_bench_watch *w, const vrs_monitor_reading *r, bool last)
{
    bool settled = vrs_now_ns() - w->begin_ns >= SETTLED_NS;
    if (settled || (last && w->counts[0] == 0))
        add(w, 0, &w->sum.gpu_percent, r->gpu_percent);
    add(w, 1, &w->sum.sm_percent, r->sm_percent);
    add(w, 2, &w->sum.tensor_percent, r->tensor_percent);
    add(w, 3, &w->sum.dram_percent, r->dram_percent);
    add(w, 4, &w->sum.sm_mhz, r->sm_mhz);
    add(w, 5, &w->sum.watts, r->power_watts);
    w->sum.throttle |= r->throttle > 0 ? r->throttle : 0;
    double more =
        r->memory_used >= 0 && w->memory_used >= 0 ? (double)(r->memory_used - w->memory_used) : -1;
    w->sum.gpu_memory = more > w->sum.gpu_memory ? more : w->sum.gpu_memory;
    w->readings++;
}

void vrs_bench_watch_open(vrs_bench_watch *w, const char *pci)
{
    vrs_monitor_reading r;
    *w = (vrs_bench_watch){.memory_used = -1};
    if (pci == NULL || pci[0] == 0)
        return;
    if (vrs_monitor_open_pci(pci, &w->monitor) != VRS_OK)
        w->monitor = NULL;
    if (read_gpu(w, &r))
        w->memory_used = r.memory_used;
}

void vrs_bench_watch_close(vrs_bench_watch *w)
{
    vrs_monitor_close(w->monitor);
    w->monitor = NULL;
}

void vrs_bench_watch_begin(vrs_bench_watch *w)
{
    vrs_monitor_reading r = {.energy_joules = -1};
    int32_t count;
    w->sum = (vrs_bench_use){.gpu_memory = -1};
    memset(w->counts, 0, sizeof(w->counts));
    w->readings = 0;
    if (!read_gpu(w, &r)) /* what is counted between readings counts from here */
        r.energy_joules = -1;
    w->joules = r.energy_joules;
    w->busy_seconds = busy_seconds(&count);
    w->cpu_seconds = own_seconds();
    w->begin_ns = vrs_now_ns();
    w->next_ns = w->begin_ns + EVERY_NS;
}

void vrs_bench_watch_look(vrs_bench_watch *w)
{
    vrs_monitor_reading r;
    if (w->monitor == NULL || vrs_now_ns() < w->next_ns)
        return;
    w->next_ns = vrs_now_ns() + EVERY_NS;
    if (read_gpu(w, &r))
        take(w, &r, false);
}

void vrs_bench_watch_end(vrs_bench_watch *w, vrs_bench_use *use)
{
    vrs_monitor_reading r = {.energy_joules = -1};
    int32_t count;
    double seconds = (double)(vrs_now_ns() - w->begin_ns) / 1e9;
    double own = own_seconds() - w->cpu_seconds;
    if (read_gpu(w, &r))
        take(w, &r, true);
    else
        r.energy_joules = -1;
    double busy = busy_seconds(&count);
    bool known = busy >= 0 && w->busy_seconds >= 0 && seconds > LEAST_SECONDS;
    double others = known ? busy - w->busy_seconds - own : -1;
    use->gpu_percent = mean(w, 0, w->sum.gpu_percent);
    use->sm_percent = mean(w, 1, w->sum.sm_percent);
    use->tensor_percent = mean(w, 2, w->sum.tensor_percent);
    use->dram_percent = mean(w, 3, w->sum.dram_percent);
    use->sm_mhz = mean(w, 4, w->sum.sm_mhz);
    use->watts = mean(w, 5, w->sum.watts);
    use->throttle = w->sum.throttle;
    use->gpu_memory = w->sum.gpu_memory;
    use->joules = w->joules >= 0 && r.energy_joules >= 0 ? r.energy_joules - w->joules
                  : use->watts >= 0                      ? use->watts * seconds
                                                         : -1;
    use->cpu_percent = 100 * own / (seconds * vrs_cpu_count());
    use->other_percent = !known ? -1 : others > 0 ? 100 * others / (seconds * count) : 0;
}
