/* What a GPU is doing: memory, utilisation, clocks, power, temperature, throttling, as NVIDIA's
 * NVML says. NVML is opened at run time; nothing is changed on the GPU. */
#ifndef VRSEG_MONITOR_H
#define VRSEG_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vrs_monitor vrs_monitor;

/* Why clocks are lower than they could be; bits of `throttle`. */
typedef enum vrs_throttle {
    VRS_THROTTLE_POWER = 1,       /* the power limit */
    VRS_THROTTLE_TEMPERATURE = 2, /* too hot */
    VRS_THROTTLE_HARDWARE = 4,    /* the board's own brake: power supply, over-current */
    VRS_THROTTLE_SETTING = 8,     /* clocks were limited by somebody's setting */
} vrs_throttle;

/* One reading. Numbers that this GPU or driver does not give are negative. */
typedef struct vrs_monitor_reading {
    int64_t time_ns;      /* vrs_now_ns() */
    int64_t memory_total; /* bytes */
    int64_t memory_used;  /* all programs; with what the driver keeps for itself */
    int64_t memory_free;  /* bytes */
    double gpu_percent; /* time in which some kernel ran: 100 does not mean that the GPU was full */
    double memory_percent; /* time in which the memory was read or written */
    double sm_percent;     /* multiprocessors that had work, since the reading before; from Hopper
                            * on, absent in the first reading */
    double tensor_percent; /* the same of the tensor cores */
    double dram_percent; /* memory traffic, of the most there could be; since the reading before */
    double decoder_percent; /* NVDEC */
    double encoder_percent; /* NVENC */
    int32_t sm_mhz, memory_mhz;
    double power_watts, power_limit_watts;
    double energy_joules; /* since the driver was loaded: a difference is what a time has taken */
    int32_t temperature_c;
    int32_t throttle; /* bits of vrs_throttle; -1: unknown */
} vrs_monitor_reading;

/* Returns owned: GPU number `device` as NVML counts (order of the PCI bus). VRS_MISSING: no NVML,
 * or one without a function that is needed, named. VRS_INVALID: no GPU of that number, with how
 * many there are. VRS_DEVICE: what NVML says. Any thread. */
VRS_API vrs_status vrs_monitor_open(int32_t device, vrs_monitor **monitor) VRS_MUST_USE;
/* The same by PCI address ("0000:3b:00.0"), which does not depend on who counts. */
VRS_API vrs_status vrs_monitor_open_pci(const char *pci, vrs_monitor **monitor) VRS_MUST_USE;
VRS_API void vrs_monitor_close(vrs_monitor *monitor);

/* GPUs that NVML sees. VRS_MISSING, VRS_DEVICE. */
VRS_API vrs_status vrs_monitor_count(int32_t *count) VRS_MUST_USE;

/* "NVIDIA H200"; the driver's version, "580.95.05". Live as long as the monitor. */
VRS_API const char *vrs_monitor_name(const vrs_monitor *monitor);
VRS_API const char *vrs_monitor_driver(const vrs_monitor *monitor);

/* Reads everything now. What cannot be read is absent; VRS_DEVICE: the GPU itself is gone. One
 * thread at a time for each monitor. */
VRS_API vrs_status vrs_monitor_read(vrs_monitor *monitor,
                                    vrs_monitor_reading *reading) VRS_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
