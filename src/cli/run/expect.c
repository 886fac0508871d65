#include "cli/run/expect.h"

#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"

/* Frames come in bursts, as many as are in flight: so many seconds and frames level them out. */
#define TIME_SECONDS 2.0
#define TIME_FRAMES 8

bool vrs_expect_look(vrs_expect_time *time, const vrs_job_stats *stats)
{
    if (time->known || stats->written == 0)
        return false;
    if (!time->begun) {
        time->begun = true;
        time->first_seconds = stats->seconds;
        time->first_frames = stats->written;
        return false;
    }
    const double seconds = stats->seconds - time->first_seconds;
    const uint64_t frames = stats->written - time->first_frames;
    if (seconds < TIME_SECONDS || frames < TIME_FRAMES ||
        stats->frame_estimate <= (int64_t)stats->written)
        return false;
    time->known = true;
    time->fps = (double)frames / seconds;
    time->frames = frames;
    const double left = (double)(stats->frame_estimate - (int64_t)stats->written) / time->fps;
    time->seconds = stats->seconds + left;
    return true;
}

static const char *bytes_text(uint64_t bytes, char text[32])
{
    const double megabytes = (double)bytes / 1e6;
    if (megabytes < 1)
        (void)snprintf(text, 32, "%.0f KB", (double)bytes / 1e3);
    else if (megabytes < 1000)
        (void)snprintf(text, 32, "%.0f MB", megabytes);
    else
        (void)snprintf(text, 32, "%.1f GB", megabytes / 1e3);
    return text;
}

static void print_disk(FILE *out, const vrs_job_disk *disk, bool length_known)
{
    char likely[32], least[32], room[32];
    (void)bytes_text(disk->free_bytes, room);
    if (disk->likely_bytes == 0) {
        (void)fprintf(out,
                      "vrseg: output: nobody knows how large, as the input does not say how long "
                      "it is; %s are free in %s\n",
                      room, disk->folder);
        return;
    }
    (void)fprintf(out, "vrseg: output: about %s", bytes_text(disk->likely_bytes, likely));
    if (disk->least_bytes < disk->likely_bytes)
        (void)fprintf(out, " (at least %s)", bytes_text(disk->least_bytes, least));
    (void)fprintf(out, "%s; %s are free in %s\n",
                  length_known ? "" : " of the inputs that say how long they are", room,
                  disk->folder);
}

void vrs_expect_print_memory(FILE *out, const vrs_job_expected *expected)
{
    char all[32], program[32], frames[32], decoder[32], encoder[32];
    if (expected->host_bytes == 0)
        return;
    (void)fprintf(
        out,
        "vrseg: memory: at most about %s: program and network %s, frames in flight and "
        "their masks %s, decoder %s, encoder %s",
        bytes_text(expected->host_bytes, all), bytes_text(expected->program_bytes, program),
        bytes_text(expected->frames_bytes, frames), bytes_text(expected->decoder_bytes, decoder),
        bytes_text(expected->encoder_bytes, encoder));
    if (expected->gpu_budget_bytes > 0)
        (void)fprintf(out, ", pinned for the GPU's copies %s; of the GPU's %s of at most %s",
                      bytes_text(expected->pinned_bytes, decoder),
                      bytes_text(expected->gpu_bytes, program),
                      bytes_text(expected->gpu_budget_bytes, frames));
    (void)fputc('\n', out);
}

void vrs_expect_print_disks(FILE *out, const vrs_job_expected *expected)
{
    for (int32_t i = 0; i < expected->disk_count; i++)
        print_disk(out, &expected->disks[i], expected->length_known);
}

void vrs_expect_print_time(FILE *out, const vrs_expect_time *time, const vrs_job_stats *stats)
{
    const int64_t s = (int64_t)(time->seconds + 0.5);
    (void)fprintf(out,
                  "vrseg: time: about %" PRId64 ":%02" PRId64 ":%02" PRId64 " for %" PRId64
                  " frames, by %" PRIu64 " of them (%.1f fps)\n",
                  s / 3600, s / 60 % 60, s % 60, stats->frame_estimate, time->frames, time->fps);
}

int64_t vrs_expect_output_bytes(const vrs_job_expected *expected)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < expected->disk_count; i++)
        sum += expected->disks[i].likely_bytes;
    return expected->length_known && sum <= INT64_MAX ? (int64_t)sum : -1;
}

/* Null where it is 0, which is not known. */
static void json_bytes(yajl_gen gen, const char *name, uint64_t bytes)
{
    vrs_json_reading(gen, name, bytes > 0 ? (double)bytes : -1, 0);
}

static void json_disks(yajl_gen gen, const vrs_job_expected *expected)
{
    vrs_json_key(gen, "disks");
    (void)yajl_gen_array_open(gen);
    for (int32_t i = 0; i < expected->disk_count; i++) {
        const vrs_job_disk *disk = &expected->disks[i];
        (void)yajl_gen_map_open(gen);
        vrs_json_text(gen, "folder", disk->folder);
        json_bytes(gen, "free_bytes", disk->free_bytes);
        json_bytes(gen, "least_bytes", disk->least_bytes);
        json_bytes(gen, "likely_bytes", disk->likely_bytes);
        vrs_json_integer(gen, "outputs", disk->outputs);
        (void)yajl_gen_map_close(gen);
    }
    (void)yajl_gen_array_close(gen);
}

static void json_memory(yajl_gen gen, const vrs_job_expected *expected)
{
    vrs_json_key(gen, "memory");
    (void)yajl_gen_map_open(gen);
    json_bytes(gen, "host_bytes", expected->host_bytes);
    json_bytes(gen, "program_bytes", expected->program_bytes);
    json_bytes(gen, "frames_bytes", expected->frames_bytes);
    vrs_json_integer(gen, "decoder_bytes", (int64_t)expected->decoder_bytes);
    vrs_json_integer(gen, "encoder_bytes", (int64_t)expected->encoder_bytes);
    json_bytes(gen, "gpu_budget_bytes", expected->gpu_budget_bytes);
    json_bytes(gen, "gpu_bytes", expected->gpu_bytes);
    json_bytes(gen, "pinned_budget_bytes", expected->pinned_budget_bytes);
    json_bytes(gen, "pinned_bytes", expected->pinned_bytes);
    (void)yajl_gen_map_close(gen);
}

void vrs_expect_json(yajl_gen gen, const vrs_job_expected *expected, const vrs_expect_time *time)
{
    const int64_t bytes = vrs_expect_output_bytes(expected);
    vrs_json_key(gen, "expected");
    (void)yajl_gen_map_open(gen);
    vrs_json_reading(gen, "output_bytes", (double)bytes, 0);
    json_disks(gen, expected);
    json_memory(gen, expected);
    vrs_json_reading(gen, "seconds", time->known ? time->seconds : -1, 1);
    vrs_json_reading(gen, "fps", time->known ? time->fps : -1, 2);
    (void)yajl_gen_map_close(gen);
}
