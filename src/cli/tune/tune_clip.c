/* Pictures where the user gives none: a moving texture, in memory or as a clip. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/tune/tune.h"

/* The texture is so much larger than a picture, and wanders below it. */
#define SIDE(n) ((n) + VRS_TUNE_DRIFT)

unsigned char *vrs_tune_texture_make(int32_t width, int32_t height)
{
    size_t across = (size_t)SIDE(width), down = (size_t)SIDE(height);
    unsigned char *texture = calloc(across * down, 1);
    uint32_t noise = 1;
    for (size_t y = 0; texture != NULL && y < down; y++)
        for (size_t x = 0; x < across; x++) {
            noise = noise * 1664525u + 1013904223u; /* grain, as a camera has */
            size_t pattern = ((x / 24) ^ (y / 24)) % 8 * 16 + (x * 2 + y) % 64;
            texture[y * across + x] = (unsigned char)(32 + pattern + (noise >> 29));
        }
    return texture;
}

const unsigned char *vrs_tune_texture_row(const unsigned char *texture, int32_t width,
                                          int64_t frame, int32_t row)
{
    size_t right = (size_t)(frame * 3 % VRS_TUNE_DRIFT), below = (size_t)(frame % VRS_TUNE_DRIFT);
    return texture + ((size_t)row + below) * (size_t)SIDE(width) + right;
}

static bool put(int out, const unsigned char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(out, data, size);
        if (count <= 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

/* Writes pictures, 4:2:0, until nobody reads them. Ends the process. */
_Noreturn static void paint(int out, int32_t width, int32_t height)
{
    unsigned char *texture = vrs_tune_texture_make(width, height);
    size_t chroma = (size_t)((width + 1) / 2) * (size_t)((height + 1) / 2) * 2;
    unsigned char *grey = malloc(chroma);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (texture == NULL || grey == NULL)
        _exit(1);
    memset(grey, 120, chroma);
    for (int64_t frame = 0;; frame++) {
        for (int32_t y = 0; y < height; y++)
            if (!put(out, vrs_tune_texture_row(texture, width, frame, y), (size_t)width))
                _exit(0);
        if (!put(out, grey, chroma))
            _exit(0);
    }
}

/* Standard input becomes the pictures that another process paints. */
static vrs_status read_from_painter(int32_t width, int32_t height)
{
    int ends[2];
    if (pipe(ends) != 0)
        return vrs_fail(VRS_SYSTEM, "no pipe for a clip: too many files are open");
    pid_t painter = fork();
    if (painter == 0) {
        (void)close(ends[0]);
        paint(ends[1], width, height);
    }
    (void)close(ends[1]);
    bool good = painter > 0 && dup2(ends[0], STDIN_FILENO) >= 0;
    (void)close(ends[0]);
    return good ? VRS_OK : vrs_fail(VRS_SYSTEM, "no process for a clip: memory runs out");
}

typedef struct clip {
    vrs_job *job;
    double seconds;
} clip;

static void watch(void *opaque, const vrs_job_stats *stats)
{
    const clip *c = opaque;
    if (stats->seconds > c->seconds && stats->written > 0)
        vrs_job_stop(c->job, false);
}

static vrs_status make(vrs_config *config, const vrs_tune_work *work, vrs_tune_report *report)
{
    char format[64];
    clip c = {.seconds = work->seconds};
    (void)snprintf(format, sizeof(format), "%dx%d:yuv420p:30", work->width, work->height);
    vrs_status status = vrs_config_set(config, "raw_format", format);
    if (status == VRS_OK)
        status = read_from_painter(work->width, work->height);
    if (status == VRS_OK)
        status = vrs_job_create(config, "-", &c.job);
    if (status == VRS_OK)
        status = vrs_job_add_output(c.job, VRS_JOB_GREEN, work->paths[0]);
    if (status == VRS_OK)
        status = vrs_job_run(c.job, watch, &c);
    if (status != VRS_OK && status != VRS_CANCELLED)
        return status;
    vrs_job_stats stats = vrs_job_get_stats(c.job);
    report->frames = stats.written;
    return VRS_OK;
}

void vrs_tune_clip_do(vrs_config *config, const vrs_tune_work *work, vrs_tune_report *report)
{
    report->status = make(config, work, report);
    if (report->status != VRS_OK)
        (void)snprintf(report->detail, sizeof(report->detail), "%s", vrs_last_error());
}
