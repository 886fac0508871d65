/* Whether this machine is ready for a configuration: ready [CONFIGURATION [FOLDER]]
 *
 * What a service asks at its start: what there is, what is missing and how to get it, whether the
 * kernels compute here what they should, and whether outputs fit into FOLDER. Exit status 1: it
 * cannot run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vrseg/job.h>
#include <vrseg/vrseg.h>

static void check(vrs_status status)
{
    if (status == VRS_OK)
        return;
    (void)fprintf(stderr, "ready: %s\n", vrs_last_error());
    exit(1);
}

static void show_machine(void)
{
    static vrs_system_info system; /* of some kilobytes */
    vrs_media_details libav;
    vrs_system_read(&system);
    vrs_media_read(&libav);
    printf("%s, kernel %s; %s, %" PRId32 " of %" PRId32 " processors, %.1f GB of memory free\n",
           system.os, system.kernel, system.cpu_name, system.cpus_usable, system.cpus_online,
           (double)system.memory_available / 1e9);
    printf("libav %s decodes %s\n", libav.codec, libav.decoders);
}

/* What arithmetic could reach here; 0 is not known. */
static void show_peak(const char *device, const char *precision)
{
    char how[160];
    double operations = 0;
    if (vrs_peak_read(device, precision, &operations, how, sizeof(how)) == VRS_OK)
        printf("%s could do %.2f T/s in %s: %s\n", device, operations / 1e12, precision, how);
}

/* Driver and NVML count GPUs in orders of their own: the PCI address is what they agree on. */
static void show_gpus(void)
{
    int32_t count = 0;
    if (vrs_gpu_count(&count) != VRS_OK)
        printf("no GPU: %s\n", vrs_last_error());
    for (int32_t i = 0; i < count; i++) {
        vrs_gpu_info gpu;
        vrs_monitor *monitor;
        vrs_monitor_reading now;
        char device[32];
        check(vrs_gpu_read(i, &gpu));
        printf("GPU %" PRId32 ": %s%s\n", i,
               gpu.usable ? gpu.name : "cannot be used: ", gpu.reason);
        (void)snprintf(device, sizeof(device), "cuda:%" PRId32, i);
        if (gpu.usable)
            show_peak(device, "f16");
        if (vrs_monitor_open_pci(gpu.pci, &monitor) != VRS_OK)
            continue;
        if (vrs_monitor_read(monitor, &now) == VRS_OK && now.gpu_percent > 5)
            printf("somebody else uses it: %.0f %%\n", now.gpu_percent);
        vrs_monitor_close(monitor);
    }
}

static void show_disk(const char *folder)
{
    vrs_disk_info disk;
    double writes = 0, reads = 0;
    check(vrs_disk_read(folder, &disk));
    check(vrs_disk_measure(disk.folder, (uint64_t)4 << 20, 0.2, &writes, &reads));
    printf("%s: %.1f GB free, writes %.0f MB/s\n", disk.folder, (double)disk.available / 1e9,
           writes / 1e6);
}

/* Counts what the configuration cannot do without, and says all that is not well. */
static void judge(void *opaque, const vrs_check *found)
{
    int *failed = opaque;
    if (found->state == VRS_CHECK_FAILED && found->required)
        (*failed)++;
    if (found->state == VRS_CHECK_FAILED || found->state == VRS_CHECK_WARNING)
        printf("%s: %s%s%s\n", found->name, found->found, found->remedy[0] != 0 ? "; " : "",
               found->remedy);
}

int main(int argc, char **argv)
{
    vrs_config *config;
    int failed = 0;
    vrs_deploy_options deploy = {.output = argc > 2 ? argv[2] : ".", .output_bytes = 1 << 20};
    deploy.width = 1280;
    deploy.height = 720;
    check(vrs_job_config_create(&config));
    if (argc > 1)
        check(vrs_config_load(config, argv[1]));
    show_machine();
    show_peak("cpu", "f32");
    show_gpus();
    show_disk(deploy.output);
    check(vrs_requirements_check(config, judge, &failed));
    check(vrs_media_check(config, judge, &failed));
    check(vrs_deploy_check(config, &deploy, judge, &failed));
    check(vrs_self_test(judge, &failed));
    printf(failed > 0 ? "not ready: %d things are missing\n" : "ready\n", failed);
    vrs_config_destroy(config);
    return failed > 0 ? 1 : 0;
}
