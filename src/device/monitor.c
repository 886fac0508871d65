#include "device/monitor.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "device/library.h"
#include "device/nvml_api.h"
#include "vrseg/system.h"

#define MOST_PROCESSES 128

typedef struct nvml_api {
#define API_FIELD(member, symbol, arguments) vrs_nvml_result(*member) arguments;
    VRS_NVML_FUNCTIONS(API_FIELD)
    const char *(*error_text)(vrs_nvml_result);
} nvml_api;

typedef struct gpm_api {
    VRS_NVML_GPM_FUNCTIONS(API_FIELD)
} gpm_api;

typedef struct energy_api {
    VRS_NVML_ENERGY_FUNCTIONS(API_FIELD)
#undef API_FIELD
} energy_api;

/* The library and what was opened of it. */
typedef struct nvml {
    void *handle;
    nvml_api api;
} nvml;

struct vrs_monitor {
    nvml nvml;
    void *gpm_handle; /* NULL: a driver without GPM */
    gpm_api gpm;
    vrs_nvml_sample samples[2]; /* NULL: a GPU without GPM */
    bool sampled;               /* samples[0] is the last reading's */
    void *energy_handle;        /* NULL: a driver that does not count energy */
    energy_api energy;
    vrs_nvml_device device;
    char name[96];
    char driver[80];
};

#define API_SYMBOL(member, symbol, arguments) VRS_LIBRARY_SYMBOL(nvml_api, member, symbol)
static const vrs_library_symbol nvml_symbols[] = {
    VRS_NVML_FUNCTIONS(API_SYMBOL) VRS_LIBRARY_SYMBOL(nvml_api, error_text, nvmlErrorString)};
#undef API_SYMBOL
#define API_SYMBOL(member, symbol, arguments) VRS_LIBRARY_SYMBOL(gpm_api, member, symbol)
static const vrs_library_symbol gpm_symbols[] = {VRS_NVML_GPM_FUNCTIONS(API_SYMBOL)};
#undef API_SYMBOL
#define API_SYMBOL(member, symbol, arguments) VRS_LIBRARY_SYMBOL(energy_api, member, symbol)
static const vrs_library_symbol energy_symbols[] = {VRS_NVML_ENERGY_FUNCTIONS(API_SYMBOL)};
#undef API_SYMBOL

#define ADVICE "it comes with NVIDIA's driver (Debian: nvidia-driver)"

static const vrs_library_spec nvml_spec = {
    .file = VRS_NVML_LIBRARY,
    .variable = "VRSEG_NVML_LIBRARY",
    .advice = ADVICE,
    .symbols = nvml_symbols,
    .symbol_count = sizeof(nvml_symbols) / sizeof(nvml_symbols[0]),
};

static const vrs_library_spec gpm_spec = {
    .file = VRS_NVML_LIBRARY,
    .variable = "VRSEG_NVML_LIBRARY",
    .advice = ADVICE,
    .symbols = gpm_symbols,
    .symbol_count = sizeof(gpm_symbols) / sizeof(gpm_symbols[0]),
};

static const vrs_library_spec energy_spec = {
    .file = VRS_NVML_LIBRARY,
    .variable = "VRSEG_NVML_LIBRARY",
    .advice = ADVICE,
    .symbols = energy_symbols,
    .symbol_count = sizeof(energy_symbols) / sizeof(energy_symbols[0]),
};

static vrs_status nvml_failed(const nvml *self, const char *what, vrs_nvml_result result)
{
    return vrs_fail(VRS_DEVICE, "NVML: %s: %s", what, self->api.error_text(result));
}

static vrs_status open_nvml(nvml *self)
{
    vrs_status status = vrs_library_open(&nvml_spec, &self->api, &self->handle);
    if (status != VRS_OK)
        return status;
    vrs_nvml_result result = self->api.init();
    if (result != VRS_NVML_SUCCESS) {
        status = nvml_failed(self, "starting", result);
        vrs_library_close(self->handle);
        self->handle = NULL;
    }
    return status;
}

static void close_nvml(nvml *self)
{
    if (self->handle != NULL) {
        (void)self->api.shutdown();
        vrs_library_close(self->handle);
    }
}

static vrs_status count_gpus(const nvml *self, int32_t *count)
{
    unsigned found = 0;
    vrs_nvml_result result = self->api.count(&found);
    if (result != VRS_NVML_SUCCESS)
        return nvml_failed(self, "counting the GPUs", result);
    *count = (int32_t)found;
    return VRS_OK;
}

vrs_status vrs_monitor_count(int32_t *count)
{
    *count = 0;
    nvml self = {0};
    vrs_status status = open_nvml(&self);
    if (status == VRS_OK) {
        status = count_gpus(&self, count);
        close_nvml(&self);
    }
    return status;
}

/* GPM is there from Hopper on; without it those readings are absent. */
static void open_gpm(vrs_monitor *monitor)
{
    vrs_nvml_gpm_support support = {.version = VRS_NVML_GPM_VERSION};
    if (vrs_library_open(&gpm_spec, &monitor->gpm, &monitor->gpm_handle) != VRS_OK ||
        monitor->gpm.gpm_support(monitor->device, &support) != VRS_NVML_SUCCESS ||
        support.supported == 0)
        return;
    for (int i = 0; i < 2; i++)
        if (monitor->gpm.gpm_alloc(&monitor->samples[i]) != VRS_NVML_SUCCESS)
            monitor->samples[i] = NULL;
}

static void open_energy(vrs_monitor *monitor)
{
    if (vrs_library_open(&energy_spec, &monitor->energy, &monitor->energy_handle) != VRS_OK)
        monitor->energy_handle = NULL;
}

static void read_texts(vrs_monitor *monitor)
{
    const nvml_api *api = &monitor->nvml.api;
    if (api->name(monitor->device, monitor->name, sizeof(monitor->name)) != VRS_NVML_SUCCESS)
        (void)snprintf(monitor->name, sizeof(monitor->name), "unknown GPU");
    if (api->driver_version(monitor->driver, sizeof(monitor->driver)) != VRS_NVML_SUCCESS)
        (void)snprintf(monitor->driver, sizeof(monitor->driver), "unknown");
    monitor->name[sizeof(monitor->name) - 1] = '\0';
    monitor->driver[sizeof(monitor->driver) - 1] = '\0';
}

static vrs_status find_by_number(vrs_monitor *monitor, int32_t number)
{
    int32_t count = 0;
    vrs_status status = count_gpus(&monitor->nvml, &count);
    if (status != VRS_OK)
        return status;
    if (number < 0 || number >= count) {
        return vrs_fail(VRS_INVALID, "there is no GPU %d: NVML sees %d, counted from 0", number,
                        count);
    }
    vrs_nvml_result result = monitor->nvml.api.by_index((unsigned)number, &monitor->device);
    return result == VRS_NVML_SUCCESS ? VRS_OK
                                      : nvml_failed(&monitor->nvml, "opening a GPU", result);
}

static vrs_status find_by_pci(vrs_monitor *monitor, const char *pci)
{
    vrs_nvml_result result = monitor->nvml.api.by_pci(pci, &monitor->device);
    if (result == VRS_NVML_NOT_FOUND || result == VRS_NVML_INVALID_ARGUMENT)
        return vrs_fail(VRS_INVALID, "NVML sees no GPU at the PCI address \"%s\"", pci);
    return result == VRS_NVML_SUCCESS ? VRS_OK
                                      : nvml_failed(&monitor->nvml, "opening a GPU", result);
}

/* By `pci` where there is one, else by number. */
static vrs_status open_monitor(int32_t number, const char *pci, vrs_monitor **monitor)
{
    *monitor = NULL;
    vrs_monitor *self = vrs_alloc(sizeof(*self));
    if (self == NULL)
        return VRS_NO_MEMORY;
    vrs_status status = open_nvml(&self->nvml);
    if (status == VRS_OK)
        status = pci != NULL ? find_by_pci(self, pci) : find_by_number(self, number);
    if (status != VRS_OK) {
        vrs_monitor_close(self);
        return status;
    }
    read_texts(self);
    open_gpm(self);
    open_energy(self);
    *monitor = self;
    return VRS_OK;
}

vrs_status vrs_monitor_open(int32_t device, vrs_monitor **monitor)
{
    return open_monitor(device, NULL, monitor);
}

vrs_status vrs_monitor_open_pci(const char *pci, vrs_monitor **monitor)
{
    return open_monitor(-1, pci, monitor);
}

void vrs_monitor_close(vrs_monitor *monitor)
{
    if (monitor == NULL)
        return;
    for (int i = 0; i < 2; i++)
        if (monitor->samples[i] != NULL)
            (void)monitor->gpm.gpm_free(monitor->samples[i]);
    vrs_library_close(monitor->gpm_handle);
    vrs_library_close(monitor->energy_handle);
    close_nvml(&monitor->nvml);
    vrs_free(monitor);
}

const char *vrs_monitor_name(const vrs_monitor *monitor)
{
    return monitor->name;
}

const char *vrs_monitor_driver(const vrs_monitor *monitor)
{
    return monitor->driver;
}

/* ---- reading ---- */

/* Asked first: it also says whether the GPU is there at all. */
static vrs_status read_memory(const vrs_monitor *monitor, vrs_monitor_reading *reading)
{
    vrs_nvml_memory memory = {0};
    vrs_nvml_result result = monitor->nvml.api.memory(monitor->device, &memory);
    if (result == VRS_NVML_GPU_IS_LOST)
        return nvml_failed(&monitor->nvml, monitor->name, result);
    if (result == VRS_NVML_SUCCESS) {
        reading->memory_total = (int64_t)memory.total;
        reading->memory_used = (int64_t)memory.used;
        reading->memory_free = (int64_t)memory.free;
    }
    return VRS_OK;
}

static void read_utilization(const vrs_monitor *monitor, vrs_monitor_reading *reading)
{
    const nvml_api *api = &monitor->nvml.api;
    vrs_nvml_utilization rates = {0};
    if (api->utilization(monitor->device, &rates) == VRS_NVML_SUCCESS) {
        reading->gpu_percent = rates.gpu;
        reading->memory_percent = rates.memory;
    }
    unsigned percent = 0;
    unsigned period = 0;
    if (api->decoder(monitor->device, &percent, &period) == VRS_NVML_SUCCESS)
        reading->decoder_percent = percent;
    if (api->encoder(monitor->device, &percent, &period) == VRS_NVML_SUCCESS)
        reading->encoder_percent = percent;
}

static int32_t translate_throttle(unsigned long long reasons)
{
    static const struct {
        unsigned long long bits;
        int32_t flag;
    } table[] = {
        {VRS_NVML_REASON_POWER_CAP, VRS_THROTTLE_POWER},
        {VRS_NVML_REASON_SW_THERMAL | VRS_NVML_REASON_HW_THERMAL, VRS_THROTTLE_TEMPERATURE},
        {VRS_NVML_REASON_HW_SLOWDOWN | VRS_NVML_REASON_POWER_BRAKE, VRS_THROTTLE_HARDWARE},
        {VRS_NVML_REASON_APPLICATION_CLOCKS | VRS_NVML_REASON_SYNC_BOOST |
             VRS_NVML_REASON_DISPLAY_CLOCKS,
         VRS_THROTTLE_SETTING},
    };
    int32_t flags = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        flags |= (reasons & table[i].bits) != 0 ? table[i].flag : 0;
    return flags;
}

static void read_board(const vrs_monitor *monitor, vrs_monitor_reading *reading)
{
    const nvml_api *api = &monitor->nvml.api;
    vrs_nvml_device device = monitor->device;
    unsigned value = 0;
    if (api->clock(device, VRS_NVML_CLOCK_SM, &value) == VRS_NVML_SUCCESS)
        reading->sm_mhz = (int32_t)value;
    if (api->clock(device, VRS_NVML_CLOCK_MEMORY, &value) == VRS_NVML_SUCCESS)
        reading->memory_mhz = (int32_t)value;
    if (api->power(device, &value) == VRS_NVML_SUCCESS)
        reading->power_watts = value / 1000.0;
    if (api->power_limit(device, &value) == VRS_NVML_SUCCESS)
        reading->power_limit_watts = value / 1000.0;
    unsigned long long millijoules = 0;
    if (monitor->energy_handle != NULL &&
        monitor->energy.energy(device, &millijoules) == VRS_NVML_SUCCESS)
        reading->energy_joules = (double)millijoules / 1000.0;
    if (api->temperature(device, VRS_NVML_TEMPERATURE_GPU, &value) == VRS_NVML_SUCCESS)
        reading->temperature_c = (int32_t)value;
    unsigned long long reasons = 0;
    if (api->throttle(device, &reasons) == VRS_NVML_SUCCESS)
        reading->throttle = translate_throttle(reasons);
}

/* What GPM counted between the last reading and now. */
static void read_gpm(vrs_monitor *monitor, vrs_monitor_reading *reading)
{
    if (monitor->samples[0] == NULL || monitor->samples[1] == NULL)
        return;
    vrs_nvml_sample now = monitor->samples[1];
    if (monitor->gpm.gpm_sample(monitor->device, now) != VRS_NVML_SUCCESS)
        return;
    vrs_nvml_sample before = monitor->samples[0];
    monitor->samples[0] = now;
    monitor->samples[1] = before;
    if (!monitor->sampled) {
        monitor->sampled = true;
        return;
    }
    vrs_nvml_metrics metrics = {.version = VRS_NVML_GPM_VERSION,
                                .count = 3,
                                .before = before,
                                .after = now,
                                .metrics = {{.id = VRS_NVML_GPM_SM},
                                            {.id = VRS_NVML_GPM_TENSOR},
                                            {.id = VRS_NVML_GPM_DRAM}}};
    double *const targets[] = {&reading->sm_percent, &reading->tensor_percent,
                               &reading->dram_percent};
    if (monitor->gpm.gpm_metrics(&metrics) != VRS_NVML_SUCCESS)
        return;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        if (metrics.metrics[i].result == VRS_NVML_SUCCESS)
            *targets[i] = metrics.metrics[i].value;
}

vrs_status vrs_monitor_read(vrs_monitor *monitor, vrs_monitor_reading *reading)
{
    *reading = (vrs_monitor_reading){
        .time_ns = vrs_now_ns(),
        .memory_total = -1,
        .memory_used = -1,
        .memory_free = -1,
        .gpu_percent = -1,
        .memory_percent = -1,
        .sm_percent = -1,
        .tensor_percent = -1,
        .dram_percent = -1,
        .decoder_percent = -1,
        .encoder_percent = -1,
        .sm_mhz = -1,
        .memory_mhz = -1,
        .power_watts = -1,
        .power_limit_watts = -1,
        .energy_joules = -1,
        .temperature_c = -1,
        .throttle = -1,
    };
    vrs_status status = read_memory(monitor, reading);
    if (status != VRS_OK)
        return status;
    read_utilization(monitor, reading);
    read_board(monitor, reading);
    read_gpm(monitor, reading);
    return VRS_OK;
}

vrs_status vrs_monitor_process_memory(vrs_monitor *monitor, uint64_t *bytes)
{
    *bytes = 0;
    vrs_nvml_process processes[MOST_PROCESSES];
    unsigned count = MOST_PROCESSES;
    vrs_nvml_result result = monitor->nvml.api.processes(monitor->device, &count, processes);
    if (result != VRS_NVML_SUCCESS && result != VRS_NVML_INSUFFICIENT_SIZE)
        return nvml_failed(&monitor->nvml, "listing the processes", result);
    unsigned listed = result == VRS_NVML_SUCCESS && count <= MOST_PROCESSES ? count : 0;
    for (unsigned i = 0; i < listed; i++) {
        bool ours = listed == 1 || processes[i].pid == (unsigned)getpid();
        if (ours && processes[i].used != UINT64_MAX) {
            *bytes = processes[i].used;
            return VRS_OK;
        }
    }
    return vrs_fail(VRS_NOT_FOUND, "NVML does not list the memory of this process");
}
