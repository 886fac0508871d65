/* Counters at one moment: frames, queues, processor, memory, GPU. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/queue.h"
#include "base/text.h"
#include "pipeline/internal.h"
#include "profile/profile.h"

void vrs_sample_add(vrs_sample *sample, double value, const char *format, ...)
{
    char name[VRS_SAMPLE_NAME];
    va_list args;
    va_start(args, format);
    (void)vrs_text_vformat(name, sizeof(name), format, args);
    va_end(args);
    for (int32_t i = 0; i < sample->count; i++)
        if (strcmp(sample->values[i].name, name) == 0) {
            sample->values[i].value += value;
            return;
        }
    if (sample->count == VRS_SAMPLE_VALUES)
        return;
    memcpy(sample->values[sample->count].name, name, sizeof(name));
    sample->values[sample->count++].value = value;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Pages in RAM are the second number: proc(5). */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;
    if (file == NULL)
        return 0;
    bool good = fscanf(file, "%*18d %18ld", &pages) == 1;
    (void)fclose(file);
    return good ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

static void add_process(vrs_profile *profile, vrs_sample *sample)
{
    double cpu = cpu_seconds();
    double seconds = (double)(sample->time_ns - profile->sampled_ns) / 1e9;
    if (profile->sampled_cpu > 0 && seconds > 0)
        vrs_sample_add(sample, (cpu - profile->sampled_cpu) / seconds / vrs_cpu_count(), "cpu");
    profile->sampled_ns = sample->time_ns;
    profile->sampled_cpu = cpu;
    vrs_sample_add(sample, resident_bytes(), "resident");
    vrs_sample_add(sample, (double)vrs_alloc_bytes_live(), "host/bytes");
    vrs_sample_add(sample, (double)vrs_resources_live(), "host/blocks");
}

static void add_memory(vrs_sample *sample, const vrs_memory *memory)
{
    static const char *const places[VRS_MEMORY_PLACES] = {"device", "pinned"};
    for (int place = 0; place < VRS_MEMORY_PLACES; place++) {
        vrs_memory_stats stats;
        vrs_memory_get_stats(memory, (vrs_memory_place)place, &stats);
        vrs_sample_add(sample, (double)stats.used, "%s", places[place]);
        vrs_sample_add(sample, (double)stats.allocations, "%s allocations", places[place]);
        for (int i = 0; i < VRS_MEMORY_OWNERS; i++)
            if (stats.owners[i].high_water > 0)
                vrs_sample_add(sample, (double)stats.owners[i].used, "%s/%s", places[place],
                               vrs_memory_owner_name((vrs_memory_owner)i));
    }
}

static void add_pipeline(vrs_sample *sample, const vrs_pipeline *pipeline)
{
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    vrs_sample_add(sample, stats.tickets_in_use, "tickets in use");
    vrs_sample_add(sample, stats.waiting, "queue incoming");
    vrs_sample_add(sample, vrs_queue_depth(pipeline->to_preprocess), "queue preprocess");
    vrs_sample_add(sample, vrs_queue_depth(pipeline->to_postprocess), "queue postprocess");
    vrs_sample_add(sample, vrs_queue_depth(pipeline->free_slots), "free slots");
}

static void add_reading(vrs_sample *sample, int32_t gpu, double value, const char *name)
{
    if (value >= 0)
        vrs_sample_add(sample, value, "gpu%d %s", gpu, name);
}

static void add_gpu(vrs_sample *sample, const vrs_followed_pipeline *followed)
{
    vrs_monitor_reading r;
    if (followed->monitor == NULL || vrs_monitor_read(followed->monitor, &r) != VRS_OK)
        return;
    int32_t gpu = followed->gpu;
    add_reading(sample, gpu, r.gpu_percent, "busy");
    add_reading(sample, gpu, r.sm_percent, "sm");
    add_reading(sample, gpu, r.tensor_percent, "tensor");
    add_reading(sample, gpu, r.dram_percent, "dram");
    add_reading(sample, gpu, r.decoder_percent, "decoder");
    add_reading(sample, gpu, r.encoder_percent, "encoder");
    add_reading(sample, gpu, (double)r.memory_used, "memory");
    add_reading(sample, gpu, r.sm_mhz, "clock");
    add_reading(sample, gpu, r.power_watts, "power");
    add_reading(sample, gpu, r.temperature_c, "temperature");
}

vrs_frame_counts vrs_profile_frames(const vrs_profile *profile)
{
    vrs_frame_counts counts = profile->gone;
    for (int32_t i = 0; i < profile->pipeline_count; i++) {
        vrs_pipeline_stats stats = vrs_pipeline_get_stats(profile->pipelines[i].pipeline);
        counts.submitted += stats.submitted;
        counts.finished += stats.finished;
        counts.failed += stats.failed;
    }
    return counts;
}

/* Pipelines on one GPU share its memory manager where a place was given to them. */
static bool is_counted(const vrs_profile *profile, int32_t index)
{
    for (int32_t i = 0; i < index; i++)
        if (profile->pipelines[i].pipeline->place.memory ==
            profile->pipelines[index].pipeline->place.memory)
            return true;
    return false;
}

void vrs_profile_take_sample(vrs_profile *profile)
{
    vrs_sample *sample = &profile->sample;
    sample->count = 0;
    sample->time_ns = vrs_now_ns();
    vrs_frame_counts frames = vrs_profile_frames(profile);
    vrs_sample_add(sample, (double)frames.submitted, "frames submitted");
    vrs_sample_add(sample, (double)frames.finished, "frames finished");
    vrs_sample_add(sample, (double)frames.failed, "frames failed");
    add_process(profile, sample);
    for (int32_t i = 0; i < profile->pipeline_count; i++) {
        const vrs_pipeline *pipeline = profile->pipelines[i].pipeline;
        add_pipeline(sample, pipeline);
        if (pipeline->place.memory != NULL && !is_counted(profile, i))
            add_memory(sample, pipeline->place.memory);
        add_gpu(sample, &profile->pipelines[i]);
    }
}
