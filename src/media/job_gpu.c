/* What a run takes of its GPU. */
#include "media/job_internal.h"
#include "vrseg/memory.h"
#include "vrseg/monitor.h"

/* Reading NVML takes milliseconds now and then, so it is done where somebody asks for it. */
void vrs_job_gpu_open(vrs_job *job)
{
    bool wanted = vrs_config_float(job->config, "min_gpu_percent", 0) > 0;
    if (!wanted || job->place.device == NULL)
        return;
    const char *pci = vrs_device_get_properties(job->place.device)->pci;
    if (vrs_monitor_open_pci(pci, &job->monitor) != VRS_OK)
        job->monitor = NULL; /* without NVML the target is not measured, and the summary says so */
}

void vrs_job_gpu_sample(vrs_job *job)
{
    vrs_monitor_reading reading;
    if (job->monitor == NULL || vrs_monitor_read(job->monitor, &reading) != VRS_OK ||
        reading.gpu_percent < 0)
        return;
    job->gpu_percent_sum += reading.gpu_percent;
    job->gpu_readings++;
}

void vrs_job_gpu_stats(const vrs_job *job, vrs_job_stats *stats)
{
    if (job->gpu_readings > 0)
        stats->gpu_percent = job->gpu_percent_sum / job->gpu_readings;
    if (job->place.device == NULL || job->place.memory == NULL)
        return;
    vrs_memory_stats memory;
    vrs_memory_get_stats(job->place.memory, VRS_MEMORY_PLACE_DEVICE, &memory);
    stats->gpu_memory_bytes = (int64_t)memory.high_water;
}
