/* Kernels of a run by the node of the network that they came from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "profile/figures.h"

double vrs_report_number(const vrs_profile_report *report, const char *name)
{
    double number = strtod(vrs_report_note_of(report, name, "0"), NULL);
    return isfinite(number) && number > 0 ? number : 0;
}

static const vrs_report_node *node_of(const vrs_profile_report *report,
                                      const vrs_report_kernel *kernel)
{
    for (int32_t i = 0; i < report->node_count && kernel->batch > 0; i++)
        if (report->nodes[i].batch == kernel->batch &&
            strcmp(report->nodes[i].name, kernel->node) == 0)
            return &report->nodes[i];
    return NULL;
}

/* Kernels of no node stand for themselves. */
static bool together(const vrs_report_kernel *a, const vrs_report_kernel *b)
{
    return a->batch == b->batch && a->batch > 0 && strcmp(a->node, b->node) == 0;
}

static int by_time(const void *a, const void *b)
{
    const vrs_report_node_time *x = a, *y = b;
    return x->total_us < y->total_us ? 1 : x->total_us > y->total_us ? -1 : 0;
}

int32_t vrs_report_node_times(const vrs_profile_report *report, vrs_report_node_time *times,
                              int32_t room, double *all_us)
{
    int32_t count = 0;
    *all_us = 0;
    for (int32_t i = 0; i < report->kernel_count; i++) {
        const vrs_report_kernel *kernel = &report->kernels[i];
        int32_t at = 0;
        *all_us += kernel->total_us;
        while (at < count && !together(times[at].first, kernel))
            at++;
        if (at == room)
            continue;
        if (at == count)
            times[count++] =
                (vrs_report_node_time){.first = kernel, .node = node_of(report, kernel)};
        times[at].runs = kernel->runs > times[at].runs ? kernel->runs : times[at].runs;
        times[at].total_us += kernel->total_us;
    }
    qsort(times, (size_t)count, sizeof(*times), by_time);
    return count;
}

const vrs_report_kernel_id *vrs_report_kernel_of(const vrs_profile_report *report, uint64_t id)
{
    bool known = id >= 1 && id <= VRS_REPORT_KERNELS;
    const vrs_report_kernel_id *found = known ? &report->kernel_ids[id - 1] : NULL;
    return known && (found->node[0] != 0 || found->kernel[0] != 0) ? found : NULL;
}

const char *vrs_report_kernel_name(const vrs_profile_report *report, uint64_t id)
{
    const vrs_report_kernel_id *kernel = vrs_report_kernel_of(report, id);
    return kernel == NULL ? "kernel" : kernel->node[0] != 0 ? kernel->node : kernel->kernel;
}
