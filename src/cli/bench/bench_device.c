/* Which device is measured and what it could do. Looking at a GPU opens it, so that a process of
 * its own does. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench/bench.h"

#define LOOK_SECONDS 120.0

static const char *const precisions[] = {"f32", "tf32", "f16", "bf16", "int8"};

static void read_peaks(vrs_bench_device *d)
{
    for (size_t i = 0; i < sizeof(precisions) / sizeof(precisions[0]); i++) {
        (void)snprintf(d->peaks[i].precision, sizeof(d->peaks[i].precision), "%s", precisions[i]);
        if (vrs_peak_read(d->id, precisions[i], &d->peaks[i].operations, d->peaks[i].how,
                          sizeof(d->peaks[i].how)) != VRS_OK)
            d->peaks[i].operations = 0;
    }
}

static void be_cpu(vrs_bench_device *d, const char *note)
{
    static vrs_system_info info;
    vrs_system_read(&info);
    (void)snprintf(d->id, sizeof(d->id), "cpu");
    (void)snprintf(d->name, sizeof(d->name), "%s, %d processors that may be used", info.cpu_name,
                   info.cpus_usable);
    (void)snprintf(d->note, sizeof(d->note), "%s", note);
    d->memory_total = (double)info.memory_total;
    d->gpu_percent = -1;
}

/* What another program does on the GPU before anything is measured. */
static void look_around(vrs_bench_device *d)
{
    vrs_monitor *monitor;
    vrs_monitor_reading r;
    d->gpu_percent = -1;
    if (vrs_monitor_open_pci(d->pci, &monitor) != VRS_OK)
        return;
    if (vrs_monitor_read(monitor, &r) == VRS_OK)
        d->gpu_percent = r.gpu_percent;
    vrs_monitor_close(monitor);
}

static vrs_status be_gpu(vrs_bench_device *d, int32_t number)
{
    vrs_gpu_info info;
    vrs_status status = vrs_gpu_read(number, &info);
    if (status == VRS_OK && !info.usable) {
        int32_t count = 0;
        bool counted = vrs_gpu_count(&count) == VRS_OK;
        status =
            vrs_fail(counted && number >= count ? VRS_INVALID : VRS_MISSING, "%s", info.reason);
    }
    if (status != VRS_OK)
        return status;
    d->gpu = true;
    (void)snprintf(d->id, sizeof(d->id), "cuda:%d", number);
    (void)snprintf(d->name, sizeof(d->name), "%s", info.name);
    (void)snprintf(d->driver, sizeof(d->driver), "%s", info.driver);
    (void)snprintf(d->pci, sizeof(d->pci), "%s", info.pci);
    d->cuda_version = info.cuda_version;
    d->multiprocessors = info.multiprocessors;
    d->memory_total = (double)info.memory_total;
    look_around(d);
    return VRS_OK;
}

static vrs_status be_any(vrs_bench_device *d)
{
    int32_t count = 0;
    vrs_status status = vrs_gpu_count(&count);
    for (int32_t i = 0; i < count && status == VRS_OK; i++) {
        status = be_gpu(d, i);
        if (status == VRS_OK)
            return VRS_OK;
        status = i + 1 < count ? VRS_OK : status;
    }
    char why[VRS_DETAIL_SIZE];
    (void)snprintf(why, sizeof(why), "%s", vrs_last_error());
    be_cpu(d, why);
    return VRS_OK;
}

static void look(void *opaque, void *report)
{
    const char *asked = opaque;
    vrs_bench_device *d = report;
    char *end = NULL;
    long number = strncmp(asked, "cuda:", 5) == 0 ? strtol(asked + 5, &end, 10) : 0;
    if (strcmp(asked, "cpu") == 0)
        be_cpu(d, "");
    else if (strcmp(asked, "auto") == 0)
        d->end.status = be_any(d);
    else if (strcmp(asked, "cuda") == 0 || (end != NULL && end != asked + 5 && *end == 0))
        d->end.status = be_gpu(d, (int32_t)number);
    else
        d->end.status = vrs_fail(VRS_INVALID,
                                 "--device %s: one device at a time is measured: cpu "
                                 "or cuda:N",
                                 asked);
    if (d->end.status != VRS_OK)
        (void)snprintf(d->end.detail, sizeof(d->end.detail), "%s", vrs_last_error());
    else
        read_peaks(d);
}

vrs_status vrs_bench_device_find(const vrs_config *config, const volatile sig_atomic_t *stop,
                                 vrs_bench_device *device)
{
    char asked[256];
    (void)snprintf(asked, sizeof(asked), "%s", vrs_config_get(config, "device"));
    return vrs_trial_run(look, asked, device, sizeof(*device), LOOK_SECONDS, stop);
}

double vrs_bench_peak(const vrs_bench_device *device, const char *precision)
{
    for (size_t i = 0; i < sizeof(precisions) / sizeof(precisions[0]); i++)
        if (strcmp(precision, device->peaks[i].precision) == 0)
            return device->peaks[i].operations;
    return 0;
}
