/* What a GPU is: by the driver, by NVML and by the kernel's list of PCI devices. */
#include <stdio.h>
#include <string.h>

#include "base/machine.h"
#include "device/device.h"
#include "vrseg/monitor.h"
#include "vrseg/system.h"

/* What NVML adds: the driver's version, free memory; the name where the driver did not give one. */
static void ask_nvml(vrs_gpu_info *info)
{
    vrs_monitor *monitor;
    vrs_monitor_reading reading;
    vrs_status status = info->pci[0] != '\0' ? vrs_monitor_open_pci(info->pci, &monitor)
                                             : vrs_monitor_open(info->number, &monitor);
    if (status != VRS_OK)
        return;
    (void)snprintf(info->driver, sizeof(info->driver), "%s", vrs_monitor_driver(monitor));
    if (info->name[0] == '\0')
        (void)snprintf(info->name, sizeof(info->name), "%s", vrs_monitor_name(monitor));
    if (vrs_monitor_read(monitor, &reading) == VRS_OK) {
        info->memory_free = reading.memory_free;
        if (info->memory_total < 0)
            info->memory_total = reading.memory_total;
    }
    vrs_monitor_close(monitor);
}

static void describe(const vrs_device_properties *p, vrs_gpu_info *info)
{
    info->usable = true;
    (void)snprintf(info->name, sizeof(info->name), "%s", p->name);
    (void)snprintf(info->pci, sizeof(info->pci), "%s", p->pci);
    info->major = p->major;
    info->minor = p->minor;
    info->cuda_version = p->driver_version;
    info->multiprocessors = p->multiprocessors;
    info->copy_engines = p->copy_engines;
    info->memory_total = (int64_t)p->memory_bytes;
    info->numa_node = vrs_machine_pci_node("", p->pci);
}

vrs_status vrs_gpu_read(int32_t number, vrs_gpu_info *info)
{
    char id[24];
    vrs_device *device;
    *info = (vrs_gpu_info){.number = number,
                           .major = -1,
                           .minor = -1,
                           .cuda_version = -1,
                           .multiprocessors = -1,
                           .copy_engines = -1,
                           .numa_node = -1,
                           .memory_total = -1,
                           .memory_free = -1};
    if (number < 0)
        return vrs_fail(VRS_INVALID, "GPU %d: GPUs are counted from 0", number);
    (void)snprintf(id, sizeof(id), "cuda:%d", number);
    if (vrs_device_open(id, &device) == VRS_OK) {
        describe(vrs_device_get_properties(device), info);
        vrs_device_close(device);
    } else {
        (void)snprintf(info->reason, sizeof(info->reason), "%s", vrs_last_error());
    }
    ask_nvml(info);
    return VRS_OK;
}
