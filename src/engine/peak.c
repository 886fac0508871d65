/* What a device's arithmetic could do at most, by data sheets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "device/device.h"
#include "engine/cpu.h"
#include "engine/engine.h"
#include "vrseg/system.h"

/* ---- GPUs ---- */

/* Operations a clock of a multiprocessor, by compute capability: NVIDIA's white papers of the
 * architectures and the table of throughputs in the CUDA C++ programming guide. Tensor cores,
 * dense; on cards for games FP16 is summed in FP16, which is twice as fast there as in FP32. A
 * newer one of the same generation (8.7 after 8.6) is as the one before it. 0: it has no such
 * arithmetic. */
static const struct {
    int32_t capability; /* major * 10 + minor */
    double f32, tf32, f16, bf16, int8;
} generations[] = {
    {75, 128, 0, 1024, 0, 2048},       {80, 128, 1024, 2048, 2048, 4096},
    {86, 256, 256, 1024, 512, 2048},   {89, 256, 256, 1024, 512, 2048},
    {90, 256, 2048, 4096, 4096, 8192}, {100, 256, 4096, 8192, 8192, 16384},
    {120, 256, 256, 1024, 512, 2048},
};

static double of_multiprocessor(int32_t capability, vrs_precision precision)
{
    double found = 0;
    for (size_t i = 0; i < sizeof generations / sizeof generations[0]; i++) {
        const double each[] = {[VRS_PRECISION_F32] = generations[i].f32,
                               [VRS_PRECISION_TF32] = generations[i].tf32,
                               [VRS_PRECISION_F16] = generations[i].f16,
                               [VRS_PRECISION_BF16] = generations[i].bf16,
                               [VRS_PRECISION_INT8] = generations[i].int8};
        if (generations[i].capability / 10 == capability / 10 &&
            generations[i].capability <= capability)
            found = each[precision];
    }
    return found;
}

static vrs_status gpu_peak(const char *name, vrs_precision precision, double *operations,
                           char *text, size_t size)
{
    vrs_device *device;
    vrs_status status = vrs_device_open(name, &device);
    if (status != VRS_OK)
        return status;
    const vrs_device_properties *p = vrs_device_get_properties(device);
    double each = of_multiprocessor(p->major * 10 + p->minor, precision);
    if (each > 0 && p->clock_khz > 0) {
        *operations = each * p->multiprocessors * p->clock_khz * 1e3;
        (void)snprintf(text, size, "%d multiprocessors x %g operations a clock x %.3f GHz",
                       p->multiprocessors, each, p->clock_khz / 1e6);
    } else {
        status = vrs_fail(VRS_UNSUPPORTED,
                          "%s: how much %s arithmetic compute capability %d.%d has is not known",
                          p->name, vrs_precision_name(precision), p->major, p->minor);
    }
    vrs_device_close(device);
    return status;
}

/* ---- the CPU ---- */

#define MAX_CPUINFO (16 << 20)

/* Of the first processor; 0: the system does not say. */
static double clock_ghz(void)
{
    static const char fastest[] = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";
    char *text = NULL;
    size_t size = 0;
    double ghz = 0;
    if (vrs_file_read(fastest, 64, &text, &size) == VRS_OK)
        ghz = strtod(text, NULL) / 1e6;
    vrs_free(text);
    text = NULL;
    if (!(ghz > 0) && vrs_file_read("/proc/cpuinfo", MAX_CPUINFO, &text, &size) == VRS_OK) {
        const char *line = strstr(text, "cpu MHz");
        const char *colon = line != NULL ? strchr(line, ':') : NULL;
        ghz = colon != NULL ? strtod(colon + 1, NULL) / 1e3 : 0;
    }
    vrs_free(text);
    return ghz;
}

/* Cores behind the processors that may be used: two threads of a core share its units. */
static int32_t core_count(void)
{
    vrs_system_info *info = vrs_alloc(sizeof *info);
    int32_t usable = vrs_cpu_count();
    if (info != NULL) {
        vrs_system_read(info);
        if (info->cores > 0 && info->cpus_online > info->cores) {
            int32_t threads = info->cpus_online / info->cores;
            usable = (usable + threads - 1) / threads;
        }
    }
    vrs_free(info);
    return usable;
}

static vrs_status cpu_peak(vrs_precision precision, double *operations, char *text, size_t size)
{
    const char *units = "";
    double each = vrs_cpu_operations(precision, &units), ghz = clock_ghz();
    int32_t cores = core_count();
    if (!(each > 0)) {
        return vrs_fail(VRS_UNSUPPORTED, "this CPU has no %s arithmetic",
                        vrs_precision_name(precision));
    }
    if (!(ghz > 0))
        return vrs_fail(VRS_UNSUPPORTED, "the system does not name the clock of this CPU");
    *operations = each * cores * ghz * 1e9;
    (void)snprintf(text, size, "%d core%s x %g operations a clock (%s) x %.2f GHz", cores,
                   cores > 1 ? "s" : "", each, units, ghz);
    return VRS_OK;
}

vrs_status vrs_peak_read(const char *device, const char *precision, double *operations, char *text,
                         size_t size)
{
    vrs_precision parsed;
    *operations = 0;
    if (size > 0)
        text[0] = 0;
    vrs_status status = vrs_precision_parse(precision, &parsed);
    if (status != VRS_OK)
        return status;
    return strcmp(device, "cpu") == 0 ? cpu_peak(parsed, operations, text, size)
                                      : gpu_peak(device, parsed, operations, text, size);
}
