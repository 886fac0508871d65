/* The part of NVML that vrseg uses, declared here so that building needs no header of NVIDIA's.
 * Names, numbers and layouts are those of nvml.h 13, compatible within a version of a symbol. */
#ifndef VRS_DEVICE_NVML_API_H
#define VRS_DEVICE_NVML_API_H

#include <stdint.h>

/* Name that dlopen() is given; VRSEG_NVML_LIBRARY in the environment replaces it. */
#define VRS_NVML_LIBRARY "libnvidia-ml.so.1"

/* nvmlReturn_t: zero is success. */
typedef int vrs_nvml_result;
enum {
    VRS_NVML_SUCCESS = 0,
    VRS_NVML_INVALID_ARGUMENT = 2,
    VRS_NVML_NOT_SUPPORTED = 3,
    VRS_NVML_NOT_FOUND = 6,
    VRS_NVML_INSUFFICIENT_SIZE = 7,
    VRS_NVML_DRIVER_NOT_LOADED = 9,
    VRS_NVML_GPU_IS_LOST = 15,
};

typedef struct nvmlDevice_st *vrs_nvml_device;
typedef struct nvmlGpmSample_st *vrs_nvml_sample;

typedef struct vrs_nvml_memory { /* nvmlMemory_t */
    unsigned long long total, free, used;
} vrs_nvml_memory;

typedef struct vrs_nvml_utilization { /* nvmlUtilization_t: percent */
    unsigned gpu, memory;
} vrs_nvml_utilization;

typedef struct vrs_nvml_process { /* nvmlProcessInfo_v2_t, of the _v3 call */
    unsigned pid;
    unsigned long long used; /* all ones: not known */
    unsigned gpu_instance, compute_instance;
} vrs_nvml_process;

_Static_assert(sizeof(vrs_nvml_process) == 24, "nvmlProcessInfo_v2_t");

/* nvmlClockType_t, nvmlTemperatureSensors_t */
enum { VRS_NVML_CLOCK_SM = 1, VRS_NVML_CLOCK_MEMORY = 2 };
enum { VRS_NVML_TEMPERATURE_GPU = 0 };

/* nvmlClocksEventReason*: why clocks are low. */
enum {
    VRS_NVML_REASON_APPLICATION_CLOCKS = 0x2,
    VRS_NVML_REASON_POWER_CAP = 0x4,
    VRS_NVML_REASON_HW_SLOWDOWN = 0x8, /* heat or the power brake */
    VRS_NVML_REASON_SYNC_BOOST = 0x10,
    VRS_NVML_REASON_SW_THERMAL = 0x20,
    VRS_NVML_REASON_HW_THERMAL = 0x40,
    VRS_NVML_REASON_POWER_BRAKE = 0x80,
    VRS_NVML_REASON_DISPLAY_CLOCKS = 0x100,
};

/* nvmlGpmMetricId_t, and nvmlGpmMetricsGet_t with room for as many as are asked for here. */
enum { VRS_NVML_GPM_SM = 2, VRS_NVML_GPM_TENSOR = 5, VRS_NVML_GPM_DRAM = 10 };
enum { VRS_NVML_GPM_VERSION = 1, VRS_NVML_GPM_MOST = 8 };

typedef struct vrs_nvml_metric {
    unsigned id;
    vrs_nvml_result result;
    double value;
    char *short_name, *long_name, *unit;
} vrs_nvml_metric;

typedef struct vrs_nvml_metrics {
    unsigned version, count;
    vrs_nvml_sample before, after;
    vrs_nvml_metric metrics[VRS_NVML_GPM_MOST];
} vrs_nvml_metrics;

_Static_assert(sizeof(vrs_nvml_metric) == 40, "nvmlGpmMetric_t");

typedef struct vrs_nvml_gpm_support {
    unsigned version, supported;
} vrs_nvml_gpm_support;

/* X(member, symbol, arguments): all return vrs_nvml_result. */
#define VRS_NVML_FUNCTIONS(X)                                                                    \
    X(init, nvmlInit_v2, (void))                                                                 \
    X(shutdown, nvmlShutdown, (void))                                                            \
    X(driver_version, nvmlSystemGetDriverVersion, (char *text, unsigned size))                   \
    X(count, nvmlDeviceGetCount_v2, (unsigned *count))                                           \
    X(by_index, nvmlDeviceGetHandleByIndex_v2, (unsigned index, vrs_nvml_device *))              \
    X(by_pci, nvmlDeviceGetHandleByPciBusId_v2, (const char *pci, vrs_nvml_device *))            \
    X(name, nvmlDeviceGetName, (vrs_nvml_device, char *text, unsigned size))                     \
    X(memory, nvmlDeviceGetMemoryInfo, (vrs_nvml_device, vrs_nvml_memory *))                     \
    X(utilization, nvmlDeviceGetUtilizationRates, (vrs_nvml_device, vrs_nvml_utilization *))     \
    X(encoder, nvmlDeviceGetEncoderUtilization, (vrs_nvml_device, unsigned *, unsigned *period)) \
    X(decoder, nvmlDeviceGetDecoderUtilization, (vrs_nvml_device, unsigned *, unsigned *period)) \
    X(clock, nvmlDeviceGetClockInfo, (vrs_nvml_device, int type, unsigned *mhz))                 \
    X(power, nvmlDeviceGetPowerUsage, (vrs_nvml_device, unsigned *milliwatts))                   \
    X(power_limit, nvmlDeviceGetEnforcedPowerLimit, (vrs_nvml_device, unsigned *milliwatts))     \
    X(temperature, nvmlDeviceGetTemperature, (vrs_nvml_device, int sensor, unsigned *celsius))   \
    X(throttle, nvmlDeviceGetCurrentClocksThrottleReasons,                                       \
      (vrs_nvml_device, unsigned long long *reasons))                                            \
    X(processes, nvmlDeviceGetComputeRunningProcesses_v3,                                        \
      (vrs_nvml_device, unsigned *count, vrs_nvml_process *))

/* GPUs from Volta on count their energy; without the function it is not read. */
#define VRS_NVML_ENERGY_FUNCTIONS(X)               \
    X(energy, nvmlDeviceGetTotalEnergyConsumption, \
      (vrs_nvml_device, unsigned long long *millijoules))

/* Drivers from before Hopper do not have these. */
#define VRS_NVML_GPM_FUNCTIONS(X)                                                        \
    X(gpm_support, nvmlGpmQueryDeviceSupport, (vrs_nvml_device, vrs_nvml_gpm_support *)) \
    X(gpm_alloc, nvmlGpmSampleAlloc, (vrs_nvml_sample *))                                \
    X(gpm_free, nvmlGpmSampleFree, (vrs_nvml_sample))                                    \
    X(gpm_sample, nvmlGpmSampleGet, (vrs_nvml_device, vrs_nvml_sample))                  \
    X(gpm_metrics, nvmlGpmMetricsGet, (vrs_nvml_metrics *))

#endif
