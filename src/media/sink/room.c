#include "media/sink/room.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "image/format.h"
#include "vrseg/system.h"

/* What videos of people took for a pixel in thousandths of a byte, masks and pictures (composites,
 * cut-outs): mostly, and the share of it at least (few people, nothing but background). */
typedef struct habit {
    uint32_t mask, picture, least_share; /* 1 / least_share */
} habit;

static habit habit_of(vrs_codec codec)
{
    switch (codec) {
    case VRS_CODEC_FFV1:
        return (habit){40, 80, 8};
    case VRS_CODEC_PRORES:
        return (habit){200, 450, 4};
    case VRS_CODEC_PNG:
        return (habit){30, 500, 30};
    case VRS_CODEC_VP9:
        return (habit){10, 30, 30};
    case VRS_CODEC_H264:
    case VRS_CODEC_HEVC:
        return (habit){6, 10, 30};
    default:
        return (habit){0, 0, 1};
    }
}

static uint64_t raw_bytes(const vrs_sink_params *params)
{
    vrs_image image = {.format = params->format, .width = params->width, .height = params->height};
    const vrs_format_info *info = vrs_format_get(params->format);
    uint64_t bytes = 6; /* "FRAME\n" */
    for (int p = 0; info != NULL && p < info->planes; p++)
        bytes += (uint64_t)vrs_plane_row_bytes(&image, p) * (uint64_t)vrs_plane_height(&image, p);
    return bytes;
}

vrs_room vrs_room_of_frame(const vrs_sink_params *params)
{
    const vrs_stream_info *stream = params->stream;
    uint64_t pixels = (uint64_t)params->width * (uint64_t)params->height;
    bool mask = params->kind == VRS_OUTPUT_MASK || params->kind == VRS_OUTPUT_CLASSES;
    bool piped = strcmp(params->path, "-") == 0 || strcmp(params->path, "null") == 0;
    bool by_rate = params->codec == VRS_CODEC_H264 || params->codec == VRS_CODEC_HEVC ||
                   params->codec == VRS_CODEC_VP9;
    if (piped || params->codec == VRS_CODEC_NULL)
        return (vrs_room){0, 0};
    if (params->codec == VRS_CODEC_RAW) {
        uint64_t bytes = raw_bytes(params);
        return (vrs_room){bytes, bytes};
    }
    if (by_rate && params->bitrate > 0 && stream->rate_num > 0 && stream->rate_den > 0) {
        uint64_t bytes =
            (uint64_t)params->bitrate / 8 * (uint64_t)stream->rate_den / (uint64_t)stream->rate_num;
        return (vrs_room){bytes, bytes};
    }
    habit h = habit_of(params->codec);
    uint64_t likely = pixels * (mask ? h.mask : h.picture) / 1000;
    return (vrs_room){likely / h.least_share, likely};
}

static uint64_t times(uint64_t a, uint64_t b)
{
    return b > 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

vrs_room vrs_room_times(vrs_room frame, uint64_t frames)
{
    return (vrs_room){times(frame.least, frames), times(frame.likely, frames)};
}

/* The disk's place in the sum, made where there is room; NULL: there is none. */
static vrs_room_disk *find_disk(vrs_room_sum *sum, uint64_t device, uint64_t available,
                                const char *folder)
{
    int32_t i = 0;
    while (i < sum->count && sum->disks[i].device != device)
        i++;
    if (i == VRS_ROOM_DISKS)
        return NULL;
    vrs_room_disk *disk = &sum->disks[i];
    if (i == sum->count) {
        sum->count++;
        *disk = (vrs_room_disk){.device = device, .available = available};
        (void)snprintf(disk->folder, sizeof(disk->folder), "%.255s", folder);
    }
    return disk;
}

void vrs_room_add_to(vrs_room_sum *sum, uint64_t device, uint64_t available, const char *folder,
                     vrs_room need)
{
    vrs_room_disk *disk = find_disk(sum, device, available, folder);
    if (disk == NULL)
        return;
    disk->need.least = plus(disk->need.least, need.least);
    disk->need.likely = plus(disk->need.likely, need.likely);
    disk->outputs++;
}

/* A path without its last part. */
static bool folder_of(const char *path, char *folder, size_t size)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (length >= size)
        return false;
    (void)snprintf(folder, size, "%.*s", length > 0 ? (int)length : 1, length > 0 ? path : ".");
    return true;
}

/* Of a path; false: the system tells nothing of it. */
static bool look_at_disk(const char *path, vrs_disk_info *disk, uint64_t *device)
{
    char folder[4096];
    struct stat about;
    if (!folder_of(path, folder, sizeof(folder)) || vrs_disk_read(folder, disk) != VRS_OK ||
        disk->available < 0 || stat(disk->folder, &about) != 0)
        return false;
    *device = (uint64_t)about.st_dev;
    return true;
}

void vrs_room_add(vrs_room_sum *sum, const char *path, vrs_room need)
{
    vrs_disk_info disk;
    uint64_t device;
    if (need.likely > 0 && look_at_disk(path, &disk, &device))
        vrs_room_add_to(sum, device, (uint64_t)disk.available, disk.folder, need);
}

void vrs_room_see(vrs_room_sum *sum, const char *path)
{
    vrs_disk_info disk;
    uint64_t device;
    if (look_at_disk(path, &disk, &device))
        (void)find_disk(sum, device, (uint64_t)disk.available, disk.folder);
}

static double in_mb(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

vrs_status vrs_room_judge(const vrs_room_sum *sum, char *warning, size_t size)
{
    warning[0] = 0;
    for (int32_t i = 0; i < sum->count; i++) {
        const vrs_room_disk *disk = &sum->disks[i];
        if (disk->need.least > disk->available)
            return vrs_fail(
                VRS_NO_SPACE,
                "%s: %.1f MB are free there, and %d output%s of the run need%s at least %.1f MB "
                "(likely %.1f): free room, write elsewhere or smaller, or run with "
                "--disk-check off",
                disk->folder, in_mb(disk->available), disk->outputs, disk->outputs == 1 ? "" : "s",
                disk->outputs == 1 ? "s" : "", in_mb(disk->need.least), in_mb(disk->need.likely));
        if (disk->need.likely > disk->available && warning[0] == 0)
            (void)snprintf(
                warning, size,
                "%s: %.1f MB are free there, and %d output%s of the run may need %.1f MB",
                disk->folder, in_mb(disk->available), disk->outputs, disk->outputs == 1 ? "" : "s",
                in_mb(disk->need.likely));
    }
    return VRS_OK;
}
