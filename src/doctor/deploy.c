/* The checklist before a configuration goes into service. */
#include "doctor/deploy.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/machine.h"
#include "pipeline/place.h"
#include "vrseg/compile.h"
#include "vrseg/image.h"
#include "vrseg/pipeline.h"

/* What a run takes beside its frames: engine, encoder, the program. Measured: 240 to 480 MB for the
 * encoder at 1080p, some 300 MB for OpenVINO and a network. */
#define BASE_BYTES INT64_C(1000000000)
#define OUTPUT_BYTES UINT64_C(10000000000)
/* Below this a run on a fast machine waits for the disk. */
#define SLOW_BYTES 20e6
#define OPEN_FILES 256
#define TRIAL_SECONDS 120

/* ---- the machine ---- */

static void judge_files(const vrs_checker *to, const vrs_system_info *info)
{
    static const vrs_check_words open_files = {
        .name = "open files",
        .wanted = "256 or more",
        .gives = "inputs, segments, libraries and the GPU's driver have files open",
        .remedy = "`ulimit -n 1024`; in a systemd unit LimitNOFILE=1024"};
    static const vrs_check_words file_size = {
        .name = "file size",
        .wanted = "no limit",
        .gives = "outputs grow to many gigabytes",
        .remedy = "`ulimit -f unlimited`; in a systemd unit LimitFSIZE=infinity"};
    char text[32];
    bool enough = info->open_files < 0 || info->open_files >= OPEN_FILES;
    if (info->open_files == INT64_MAX || info->open_files < 0) {
        vrs_check_tell(to, &open_files, VRS_CHECK_OK, false, "%s",
                       info->open_files < 0 ? "unknown" : "no limit");
    } else {
        vrs_check_tell(to, &open_files, enough ? VRS_CHECK_OK : VRS_CHECK_FAILED, !enough,
                       "%lld at most", (long long)info->open_files);
    }
    bool limited = info->file_bytes >= 0 && info->file_bytes != INT64_MAX;
    vrs_check_tell(to, &file_size, limited ? VRS_CHECK_WARNING : VRS_CHECK_OK, false, "%s",
                   limited ? vrs_check_bytes(info->file_bytes, text) : "no limit");
}

static void judge_processors(const vrs_checker *to, const vrs_system_info *info)
{
    static const vrs_check_words words = {
        .name = "processors",
        .wanted = "2 or more that this process may use",
        .gives = "stages run side by side",
        .remedy = "give the process more cores: affinity (taskset, CPUAffinity=), quota of its "
                  "control group (CPUQuota=, --cpus)"};
    char quota[64] = "";
    if (info->cpu_quota > 0)
        (void)snprintf(quota, sizeof(quota), ", a quota of %d", info->cpu_quota);
    vrs_check_tell(to, &words, info->cpus_usable >= 2 ? VRS_CHECK_OK : VRS_CHECK_WARNING, false,
                   "%d of %d%s", info->cpus_usable, info->cpus_online, quota);
}

/* A clock that is read by a system call or over the bus costs microseconds at every time stamp. */
static void judge_clock(const vrs_checker *to, const vrs_system_info *info)
{
    static const vrs_check_words words = {
        .name = "clock source",
        .wanted = "tsc, kvm-clock, hyperv_clocksource_tsc_page or arch_sys_counter",
        .gives = "time stamps without a system call",
        .remedy = "`echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource` "
                  "as root, or the kernel's parameter tsc=reliable where the machine's is"};
    static const char *const fast[] = {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page",
                                       "arch_sys_counter"};
    vrs_check_state state = info->clock_source[0] == '\0' ? VRS_CHECK_SKIPPED : VRS_CHECK_WARNING;
    for (size_t i = 0; i < sizeof(fast) / sizeof(fast[0]); i++)
        if (strcmp(info->clock_source, fast[i]) == 0)
            state = VRS_CHECK_OK;
    vrs_check_tell(to, &words, state, false, "%s",
                   info->clock_source[0] != '\0' ? info->clock_source : "the system does not say");
}

/* The drivers intel_pstate and amd-pstate raise the clock under load by themselves, whatever the
 * governor is called. */
static void judge_governor(const vrs_checker *to, const vrs_system_info *info,
                           const char *clock_driver)
{
    static const vrs_check_words words = {.name = "processor's clock",
                                          .wanted = "a governor that follows the load",
                                          .gives = "the rate that the processor can do",
                                          .remedy =
                                              "`cpupower frequency-set -g performance` as root"};
    bool by_itself = strncmp(clock_driver, "intel_pstate", 12) == 0 ||
                     strncmp(clock_driver, "amd-pstate", 10) == 0;
    if (info->governor[0] == '\0') {
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false, "the system does not say");
        return;
    }
    bool slow = strcmp(info->governor, "powersave") == 0 && !by_itself;
    vrs_check_tell(to, &words, slow ? VRS_CHECK_WARNING : VRS_CHECK_OK, false, "%s%s%s",
                   info->governor, clock_driver[0] != '\0' ? ", by " : "", clock_driver);
}

void vrs_deploy_judge_machine(const vrs_checker *to, const vrs_system_info *info,
                              const char *clock_driver)
{
    judge_processors(to, info);
    judge_clock(to, info);
    judge_governor(to, info, clock_driver);
    judge_files(to, info);
}

/* A frame in flight is at most its source in 10 bits (3 bytes a pixel) and outputs and masks of as
 * much again; decoder and encoder hold some 16 frames of their own. */
void vrs_deploy_judge_memory(const vrs_checker *to, const vrs_system_info *info, int32_t tickets,
                             int32_t width, int32_t height)
{
    static const vrs_check_words words = {
        .name = "memory",
        .wanted = "what the frames in flight take, and 1 GB for engine and encoder",
        .gives = "a run's memory is taken before its second frame",
        .remedy = "lower --tickets or --max-batch-size, free memory, or raise the limit of the "
                  "control group (MemoryMax=, --memory)"};
    char have[32], need[32];
    int64_t pixels = (int64_t)width * height;
    int64_t needed = BASE_BYTES + pixels * 6 * tickets + pixels * 3 * 16;
    int64_t room = info->memory_available;
    if (info->memory_limit > 0 && (room < 0 || info->memory_limit < room))
        room = info->memory_limit;
    vrs_check_tell(to, &words,
                   room < 0         ? VRS_CHECK_SKIPPED
                   : room >= needed ? VRS_CHECK_OK
                                    : VRS_CHECK_FAILED,
                   true, "%s available, some %s needed for %d frames of %dx%d in flight",
                   vrs_check_bytes(room, have), vrs_check_bytes(needed, need), tickets, width,
                   height);
}

/* ---- disks ---- */

static const vrs_check_words folder_words = {.name = "output folder",
                                             .wanted = "one that this user may write to",
                                             .gives = "outputs, their segments and journals",
                                             .remedy = "make the folder and give it to the user "
                                                       "that runs vrseg (mkdir -p, chown)"};

static void judge_room(const vrs_checker *to, const vrs_disk_info *disk, uint64_t bytes)
{
    static const vrs_check_words words = {
        .name = "disk room",
        .wanted = "room for the outputs; segments are joined one by one",
        .gives = "a run that ends",
        .remedy = "free room, or put the outputs on another file system"};
    char have[32], need[32];
    bool enough = disk->available >= 0 && (uint64_t)disk->available >= bytes;
    vrs_check_tell(to, &words, enough ? VRS_CHECK_OK : VRS_CHECK_FAILED, true, "%s free, %s wanted",
                   vrs_check_bytes(disk->available, have),
                   vrs_check_bytes(bytes < INT64_MAX ? (int64_t)bytes : INT64_MAX, need));
}

void vrs_deploy_judge_disk(const vrs_checker *to, const vrs_disk_info *disk, uint64_t bytes)
{
    vrs_check_tell(to, &folder_words, disk->writable ? VRS_CHECK_OK : VRS_CHECK_FAILED, true,
                   "%s%s%s%s", disk->folder, disk->filesystem[0] != '\0' ? ", " : "",
                   disk->filesystem, disk->writable ? "" : ": it cannot be written to");
    judge_room(to, disk, bytes);
}

static void check_speed(const vrs_checker *to, const char *folder)
{
    static const vrs_check_words words = {
        .name = "disk speed",
        .wanted = "20 MB/s written and synced",
        .gives = "each finished segment is synced before the next one begins",
        .remedy = "write to a local disk, or use longer segments (--segment-frames)"};
    double wrote, read;
    if (vrs_disk_measure(folder, 64 << 20, 2, &wrote, &read) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
        return;
    }
    vrs_check_tell(to, &words, wrote >= SLOW_BYTES ? VRS_CHECK_OK : VRS_CHECK_WARNING, false,
                   "%.0f MB/s written, %.0f MB/s read", wrote / 1e6, read / 1e6);
}

/* A run makes no folder for a file: one that is not there ends it. */
static void check_output(const vrs_checker *to, const vrs_deploy_options *options)
{
    vrs_disk_info disk;
    bool known = vrs_disk_read(options->output, &disk) == VRS_OK;
    if (!known || !vrs_file_exists(options->output)) {
        vrs_check_tell(to, &folder_words, VRS_CHECK_FAILED, true, "%s",
                       known ? "there is no such folder" : vrs_last_error());
        if (known)
            judge_room(to, &disk, options->output_bytes);
        return;
    }
    vrs_deploy_judge_disk(to, &disk, options->output_bytes);
    if (disk.writable)
        check_speed(to, disk.folder);
}

/* Compiled networks are kept; without that every start compiles. */
static void check_cache(const vrs_checker *to, const vrs_config *config)
{
    static const vrs_check_words words = {
        .name = "cache folder",
        .wanted = "one that this user may write to",
        .gives = "compiled networks are kept, so that later starts are quick",
        .remedy = "set XDG_CACHE_HOME to a folder that the user may write to"};
    char folder[1024];
    vrs_disk_info disk;
    if (!vrs_config_bool(config, "model_cache")) {
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false, "model_cache is off");
        return;
    }
    vrs_status status = vrs_plans_folder(folder, sizeof(folder));
    if (status == VRS_OK)
        status = vrs_disk_read(folder, &disk);
    if (status != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_WARNING, false, "%s", vrs_last_error());
        return;
    }
    vrs_check_tell(to, &words, disk.writable ? VRS_CHECK_OK : VRS_CHECK_WARNING, false, "%s%s",
                   folder, disk.writable ? "" : ": it cannot be written to");
}

/* ---- memory ---- */

/* The GPU's memory against the option gpu_memory, and the pinned against the machine's. */
static void check_gpu_memory(const vrs_checker *to, const vrs_config *config,
                             const vrs_place *place)
{
    static const vrs_check_words words = {
        .name = "GPU memory",
        .wanted = "as much as gpu_memory says; without it 2 GB",
        .gives = "frames, the network and its activations",
        .remedy = "end other programs on the GPU (`nvidia-smi`), or lower --gpu-memory, "
                  "--max-batch-size or --lanes"};
    char have[32], need[32];
    uint64_t wanted;
    if (place->device == NULL) {
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false, "on %s", place->text);
        return;
    }
    if (vrs_memory_parse_size(vrs_config_get(config, "gpu_memory"), &wanted) != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
        return;
    }
    wanted = wanted == 0 ? UINT64_C(2000000000) : wanted;
    uint64_t room = vrs_memory_available(place->memory, VRS_MEMORY_PLACE_DEVICE);
    vrs_check_tell(to, &words, room >= wanted ? VRS_CHECK_OK : VRS_CHECK_WARNING, false,
                   "%s of %s may be used, %s wanted", vrs_check_bytes((int64_t)room, have),
                   place->text, vrs_check_bytes((int64_t)wanted, need));
}

static void check_memory(const vrs_checker *to, const vrs_config *config, const vrs_model *model,
                         const vrs_deploy_options *options, const vrs_system_info *info)
{
    static const vrs_check_words words = {.name = "device",
                                          .wanted = "what the option device names",
                                          .gives = "a place to work at",
                                          .remedy = "see the checks of the GPU above, or choose "
                                                    "--device cpu or auto"};
    vrs_place place;
    int32_t tickets = 0;
    vrs_status status = vrs_place_open(config, &place);
    if (status == VRS_OK && model != NULL)
        status = vrs_place_tickets(config, model, &place, &tickets);
    if (status != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
    } else {
        vrs_check_tell(to, &words, VRS_CHECK_OK, true, "%s", place.text);
        check_gpu_memory(to, config, &place);
    }
    vrs_place_close(&place);
    if (tickets > 0)
        vrs_deploy_judge_memory(to, info, tickets, options->width, options->height);
}

/* ---- one frame ---- */

static vrs_status run_frame(vrs_pipeline *pipeline, int32_t width, int32_t height)
{
    vrs_result *result;
    vrs_frame frame = {.id = 1};
    vrs_status status = vrs_image_alloc(&frame.image, VRS_FORMAT_YUV420P, width, height);
    if (status != VRS_OK)
        return status;
    memset(frame.image.planes[0], 96, (size_t)frame.image.strides[0] * (size_t)height);
    status = vrs_pipeline_start(pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_submit(pipeline, &frame, TRIAL_SECONDS * INT64_C(1000000));
    if (status != VRS_OK) {
        vrs_image_release(&frame.image);
        return status;
    }
    vrs_pipeline_finish(pipeline);
    status = vrs_pipeline_get_result(pipeline, &result, TRIAL_SECONDS * INT64_C(1000000));
    if (status != VRS_OK) {
        return status == VRS_TIMEOUT
                   ? vrs_fail(status, "there was no result after %d seconds", TRIAL_SECONDS)
                   : status;
    }
    status = result->status == VRS_OK ? VRS_OK : vrs_fail(result->status, "%s", result->detail);
    vrs_result_release(result);
    return status;
}

/* The truest check of all: everything that a run opens is opened, everything that it does is done
 * once. */
static void check_frame(const vrs_checker *to, const vrs_config *config, const vrs_model *model,
                        const vrs_deploy_options *options)
{
    static const vrs_check_words words = {
        .name = "trial frame",
        .wanted = "one frame in, one mask out",
        .gives = "all that a run opens and does, once",
        .remedy = "the sentence says what is wrong; the checks above how to get what is missing"};
    vrs_pipeline *pipeline = NULL;
    if (!options->run || model == NULL || !vrs_model_get_info(model).installed) {
        vrs_check_tell(to, &words, VRS_CHECK_SKIPPED, false, "%s",
                       options->run ? "there is no model to run" : "not asked for");
        return;
    }
    int64_t start = vrs_now_ns();
    vrs_status status = vrs_pipeline_create(config, model, &pipeline);
    int64_t ready = vrs_now_ns();
    if (status == VRS_OK)
        status = run_frame(pipeline, options->width, options->height);
    if (status != VRS_OK) {
        vrs_check_tell(to, &words, VRS_CHECK_FAILED, true, "%s", vrs_last_error());
    } else {
        vrs_check_tell(to, &words, VRS_CHECK_OK, true,
                       "%dx%d by %s on %s: opened in %.2f s, done in %.2f s", options->width,
                       options->height, vrs_pipeline_get_engine(pipeline),
                       vrs_pipeline_get_device(pipeline), (double)(ready - start) / 1e9,
                       (double)(vrs_now_ns() - ready) / 1e9);
    }
    vrs_pipeline_destroy(pipeline);
}

vrs_status vrs_deploy_check(const vrs_config *config, const vrs_deploy_options *options,
                            vrs_check_fn visit, void *opaque)
{
    const vrs_checker to = {visit, opaque};
    vrs_deploy_options o = *options;
    o.output = o.output != NULL ? o.output : ".";
    o.output_bytes = o.output_bytes != 0 ? o.output_bytes : OUTPUT_BYTES;
    o.width = o.width != 0 ? o.width : 3840;
    o.height = o.height != 0 ? o.height : 2160;
    if (o.width < 1 || o.height < 1 || o.width > VRS_MAX_SIDE || o.height > VRS_MAX_SIDE) {
        return vrs_fail(VRS_INVALID, "frames of %dx%d: sides are 1 to %d", o.width, o.height,
                        VRS_MAX_SIDE);
    }
    vrs_system_info *info = vrs_alloc(sizeof(*info));
    if (info == NULL)
        return VRS_NO_MEMORY;
    char clock_driver[64];
    vrs_system_read(info);
    vrs_machine_clock_driver("", clock_driver, sizeof(clock_driver));
    vrs_model *model = NULL;
    if (vrs_model_load(vrs_check_model_name(config), &model) != VRS_OK)
        model = NULL; /* said by the requirements */
    check_output(&to, &o);
    check_cache(&to, config);
    vrs_deploy_judge_machine(&to, info, clock_driver);
    check_memory(&to, config, model, &o, info);
    check_frame(&to, config, model, &o);
    vrs_model_destroy(model);
    vrs_free(info);
    return VRS_OK;
}
