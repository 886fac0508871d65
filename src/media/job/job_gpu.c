/* What a run takes of its GPUs. */
#include "media/job/job_internal.h"
#include "vrseg/memory.h"
#include "vrseg/monitor.h"

/* Reading NVML takes milliseconds now and then, so it is done where somebody asks for it. */
void vrs_job_gpu_open(vrs_job *job)
{
    bool wanted = vrs_config_float(job->config, "min_gpu_percent", 0) > 0;
    for (int32_t i = 0; i < vrs_fleet_count(job->fleet) && wanted; i++) {
        const vrs_place *place = vrs_fleet_place(job->fleet, i);
        if (place->device == NULL)
            continue;
        const char *pci = vrs_device_get_properties(place->device)->pci;
        if (vrs_monitor_open_pci(pci, &job->monitors[i]) != VRS_OK)
            job->monitors[i] = NULL; /* without NVML nothing is measured, and the summary says so */
    }
}

void vrs_job_gpu_close(vrs_job *job)
{
    for (int32_t i = 0; i < VRS_MAX_PLACES; i++)
        vrs_monitor_close(job->monitors[i]);
}

void vrs_job_gpu_sample(vrs_job *job)
{
    for (int32_t i = 0; i < VRS_MAX_PLACES; i++) {
        vrs_monitor_reading reading;
        if (job->monitors[i] == NULL || vrs_monitor_read(job->monitors[i], &reading) != VRS_OK ||
            reading.gpu_percent < 0)
            continue;
        job->gpu_percent_sum += reading.gpu_percent;
        job->gpu_readings++;
    }
}

void vrs_job_gpu_stats(const vrs_job *job, vrs_job_stats *stats)
{
    if (job->gpu_readings > 0)
        stats->gpu_percent = job->gpu_percent_sum / job->gpu_readings;
    for (int32_t i = 0; i < vrs_fleet_count(job->fleet); i++) {
        const vrs_place *place = vrs_fleet_place(job->fleet, i);
        if (place->memory == NULL)
            continue;
        vrs_memory_stats memory;
        vrs_memory_get_stats(place->memory, VRS_MEMORY_PLACE_DEVICE, &memory);
        if ((int64_t)memory.high_water > stats->gpu_memory_bytes)
            stats->gpu_memory_bytes = (int64_t)memory.high_water;
    }
}
