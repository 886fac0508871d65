/* A stand-in for NVIDIA's NVML with two GPUs, for tests of the monitor: the first answers all that
 * an H200 answers, the second only what it must. Values are fixed but for GPM's, which are counted
 * between the two samples that are compared.
 *
 * VRSEG_FAKE_NVML=lost: the GPU is gone; =processes: several processes are listed, ours among them;
 * =strangers: several, and none of them ours. Built with FAKE_NVML_OLD it is a driver without GPM,
 * with FAKE_NVML_BROKEN one that lacks a function which is needed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/nvml_api.h"

#define FAKE __attribute__((visibility("default")))

struct nvmlDevice_st {
    unsigned number;
};

static struct nvmlDevice_st gpus[2] = {{0}, {1}};

#define DECLARE(member, symbol, arguments) FAKE vrs_nvml_result symbol arguments;
VRS_NVML_FUNCTIONS(DECLARE)
VRS_NVML_ENERGY_FUNCTIONS(DECLARE)
VRS_NVML_GPM_FUNCTIONS(DECLARE)
#undef DECLARE
FAKE const char *nvmlErrorString(vrs_nvml_result result);

static int plays(const char *part)
{
    const char *set = getenv("VRSEG_FAKE_NVML");
    return set != NULL && strcmp(set, part) == 0;
}

/* What the second GPU does not tell. */
static vrs_nvml_result only_first(vrs_nvml_device device)
{
    return device->number == 0 ? VRS_NVML_SUCCESS : VRS_NVML_NOT_SUPPORTED;
}

static vrs_nvml_result tell(vrs_nvml_device device, unsigned *to, unsigned value)
{
    *to = value;
    return only_first(device);
}

vrs_nvml_result nvmlInit_v2(void)
{
    return plays("unloaded") ? VRS_NVML_DRIVER_NOT_LOADED : VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlShutdown(void)
{
    return VRS_NVML_SUCCESS;
}

const char *nvmlErrorString(vrs_nvml_result result)
{
    return result == VRS_NVML_GPU_IS_LOST         ? "GPU is lost"
           : result == VRS_NVML_DRIVER_NOT_LOADED ? "Driver Not Loaded"
                                                  : "Unknown Error";
}

vrs_nvml_result nvmlSystemGetDriverVersion(char *text, unsigned size)
{
    (void)snprintf(text, size, "580.1.2");
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 2;
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlDeviceGetHandleByIndex_v2(unsigned index, vrs_nvml_device *device)
{
    *device = &gpus[index % 2];
    return index < 2 ? VRS_NVML_SUCCESS : VRS_NVML_INVALID_ARGUMENT;
}

vrs_nvml_result nvmlDeviceGetHandleByPciBusId_v2(const char *pci, vrs_nvml_device *device)
{
    *device = &gpus[0];
    bool known = strcmp(pci, "0000:3b:00.0") == 0 || strcmp(pci, "0000:01:00.0") == 0;
    return known ? VRS_NVML_SUCCESS : VRS_NVML_NOT_FOUND; /* the second is fake_cuda's first GPU */
}

vrs_nvml_result nvmlDeviceGetName(vrs_nvml_device device, char *text, unsigned size)
{
    (void)snprintf(text, size, plays("quoted") ? "Fake \"GPU\" \\ %u" : "Fake GPU %u",
                   device->number);
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlDeviceGetMemoryInfo(vrs_nvml_device device, vrs_nvml_memory *memory)
{
    (void)device;
    *memory = (vrs_nvml_memory){.total = 8000000000, .free = 5000000000, .used = 3000000000};
    return plays("lost") ? VRS_NVML_GPU_IS_LOST : VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlDeviceGetUtilizationRates(vrs_nvml_device device, vrs_nvml_utilization *rates)
{
    *rates = (vrs_nvml_utilization){.gpu = 97, .memory = 41};
    return only_first(device);
}

vrs_nvml_result nvmlDeviceGetEncoderUtilization(vrs_nvml_device device, unsigned *percent,
                                                unsigned *period)
{
    *period = 1000;
    *percent = 0;
    (void)device;
    return VRS_NVML_NOT_SUPPORTED;
}

vrs_nvml_result nvmlDeviceGetDecoderUtilization(vrs_nvml_device device, unsigned *percent,
                                                unsigned *period)
{
    *period = 1000;
    return tell(device, percent, 33);
}

vrs_nvml_result nvmlDeviceGetClockInfo(vrs_nvml_device device, int type, unsigned *mhz)
{
    return tell(device, mhz, type == VRS_NVML_CLOCK_SM ? 1980 : 3201);
}

#ifndef FAKE_NVML_BROKEN
vrs_nvml_result nvmlDeviceGetPowerUsage(vrs_nvml_device device, unsigned *milliwatts)
{
    return tell(device, milliwatts, 512345);
}
#endif

vrs_nvml_result nvmlDeviceGetEnforcedPowerLimit(vrs_nvml_device device, unsigned *milliwatts)
{
    return tell(device, milliwatts, 700000);
}

vrs_nvml_result nvmlDeviceGetTemperature(vrs_nvml_device device, int sensor, unsigned *celsius)
{
    (void)sensor;
    return tell(device, celsius, 61);
}

vrs_nvml_result nvmlDeviceGetCurrentClocksThrottleReasons(vrs_nvml_device device,
                                                          unsigned long long *reasons)
{
    *reasons = VRS_NVML_REASON_POWER_CAP | VRS_NVML_REASON_HW_THERMAL | 1;
    return only_first(device);
}

vrs_nvml_result nvmlDeviceGetComputeRunningProcesses_v3(vrs_nvml_device device, unsigned *count,
                                                        vrs_nvml_process *processes)
{
    (void)device;
    unsigned ours = plays("strangers") ? 1 : (unsigned)getpid();
    processes[0] = (vrs_nvml_process){.pid = plays("processes") ? 1 : ours, .used = 111};
    processes[1] = (vrs_nvml_process){.pid = ours, .used = 222};
    *count = plays("processes") || plays("strangers") ? 2 : 1;
    return VRS_NVML_SUCCESS;
}

#ifndef FAKE_NVML_OLD
static unsigned energy_asked;

vrs_nvml_result nvmlDeviceGetTotalEnergyConsumption(vrs_nvml_device device,
                                                    unsigned long long *millijoules)
{
    *millijoules = 1000000 + 2500ULL * ++energy_asked; /* 2.5 J from one reading to the next */
    return only_first(device);
}

struct nvmlGpmSample_st {
    unsigned taken;
};

static struct nvmlGpmSample_st samples[16];
static unsigned samples_made, samples_taken;

vrs_nvml_result nvmlGpmQueryDeviceSupport(vrs_nvml_device device, vrs_nvml_gpm_support *support)
{
    support->supported = device->number == 0 && support->version == VRS_NVML_GPM_VERSION;
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlGpmSampleAlloc(vrs_nvml_sample *sample)
{
    *sample = &samples[samples_made++ % 16];
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlGpmSampleFree(vrs_nvml_sample sample)
{
    sample->taken = 0;
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlGpmSampleGet(vrs_nvml_device device, vrs_nvml_sample sample)
{
    (void)device;
    sample->taken = ++samples_taken;
    return VRS_NVML_SUCCESS;
}

vrs_nvml_result nvmlGpmMetricsGet(vrs_nvml_metrics *metrics)
{
    /* Samples in the wrong order, or one that was never taken, would be other numbers. */
    double apart = (double)metrics->after->taken - (double)metrics->before->taken;
    for (unsigned i = 0; i < metrics->count; i++) {
        vrs_nvml_metric *m = &metrics->metrics[i];
        m->result = m->id == VRS_NVML_GPM_DRAM ? VRS_NVML_NOT_SUPPORTED : VRS_NVML_SUCCESS;
        m->value = apart * (m->id == VRS_NVML_GPM_SM ? 75.5 : 12.25);
    }
    return VRS_NVML_SUCCESS;
}
#endif
