/* Two cameras with one network, one of which goes away: streams [FRAMES]
 *
 * Each camera is a stream: its masks come in its order, and what happens to one does not touch the
 * other. The pictures are made here; a source of one's own reports its failures in the words of the
 * library, so that they come out with their place like all others. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vrseg/vrseg.h>

#define WIDTH 320
#define HEIGHT 240

static void say(void *opaque, vrs_log_level level, const char *line)
{
    (void)fprintf(opaque, "%s%s\n", level == VRS_LOG_WARNING ? "warning: " : "", line);
}

/* Ends the program with the reason where a call failed; only the expected `or_else` passes. */
static vrs_status check(vrs_status status, vrs_status or_else)
{
    if (status == VRS_OK || status == or_else)
        return status;
    (void)fprintf(stderr, "streams: %s\n", vrs_last_error());
    exit(1);
}

/* A picture of a camera; camera 1 goes away after `most` of them. */
static vrs_status grab(uint32_t camera, int64_t number, int64_t most, vrs_image *image)
{
    if (camera == 1 && number >= most)
        return vrs_fail(VRS_IO, "no picture number %" PRId64 " within a second", number);
    vrs_status status = vrs_image_alloc(image, VRS_FORMAT_GRAY8, WIDTH, HEIGHT);
    if (status != VRS_OK)
        return vrs_fail_in(status, "a camera's picture");
    for (int y = 0; y < HEIGHT; y++)
        memset(image->planes[0] + y * image->strides[0], (int)(number % 200), WIDTH);
    return VRS_OK;
}

/* Counts what has become of each camera's frames. */
typedef struct counts {
    uint64_t good[2], cancelled[2];
} counts;

static void take(vrs_pipeline *pipeline, counts *c, int64_t timeout_us, vrs_status until)
{
    vrs_result *result;
    while (check(vrs_pipeline_get_result(pipeline, &result, timeout_us), until) == VRS_OK) {
        c->good[result->stream] += result->status == VRS_OK;
        c->cancelled[result->stream] += result->status == VRS_CANCELLED;
        vrs_result_release(result);
    }
}

static void show(const vrs_pipeline *pipeline, uint32_t camera, const counts *c)
{
    vrs_latency l = vrs_pipeline_get_latency(pipeline, camera);
    printf("camera %" PRIu32 ": %" PRIu64 " masks, %" PRIu64 " given up; p50 %.2f ms\n", camera,
           c->good[camera], c->cancelled[camera], (double)l.p50_ns / 1e6);
}

/* What live mode left out to keep up, and why. */
static void show_changes(const vrs_pipeline *pipeline)
{
    vrs_live_change changes[8];
    uint32_t count = vrs_pipeline_get_changes(pipeline, changes, 8);
    printf("%" PRIu32 " times something was left out or taken back\n", count);
    for (uint32_t i = 0; i < count; i++)
        printf("%s\n", changes[i].reason);
}

static void feed(vrs_pipeline *pipeline, int64_t count, counts *c)
{
    bool there[2] = {true, true};
    for (int64_t n = 0; n < count; n++) {
        for (uint32_t camera = 0; camera < 2; camera++) {
            vrs_frame frame = {.id = n, .stream = camera};
            if (!there[camera])
                continue;
            vrs_status status = grab(camera, n, count / 2, &frame.image);
            if (status != VRS_OK) { /* what still waits of it is of no use; the other goes on */
                (void)vrs_fail_in(status, "camera 1");
                vrs_log(VRS_LOG_WARNING, "%s", vrs_last_error());
                there[camera] = false;
                (void)vrs_pipeline_cancel_stream(pipeline, camera);
                continue;
            }
            check(vrs_image_check_in(&frame.image, VRS_MEMORY_HOST, 0), VRS_OK);
            while (check(vrs_pipeline_submit(pipeline, &frame, 0), VRS_TIMEOUT) == VRS_TIMEOUT)
                take(pipeline, c, 1000, VRS_TIMEOUT); /* as many are on their way as may be */
        }
        if (n == count / 4)
            vrs_pipeline_reset_stream(pipeline, 0); /* it was turned: what was has nothing to say */
        take(pipeline, c, 0, VRS_TIMEOUT);
    }
}

int main(int argc, char **argv)
{
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    counts c = {0};
    vrs_log_set(say, stdout, VRS_LOG_WARNING);
    check(vrs_config_create(&config), VRS_OK);
    check(vrs_config_set(config, "smooth", "on"), VRS_OK);
    check(vrs_config_set(config, "result_order", "ready"), VRS_OK); /* none waits for the other */
    check(vrs_model_load("selfie-landscape", &model), VRS_OK);
    check(vrs_pipeline_create(config, model, &pipeline), VRS_OK);
    check(vrs_pipeline_start(pipeline), VRS_OK);
    feed(pipeline, argc > 1 ? atoi(argv[1]) : 60, &c);
    check(vrs_pipeline_drain(pipeline, -1), VRS_OK); /* all is done, and waits to be fetched */
    take(pipeline, &c, 0, VRS_TIMEOUT);
    for (uint32_t camera = 0; camera < 2; camera++)
        show(pipeline, camera, &c);
    show_changes(pipeline);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    vrs_log_set(NULL, NULL, VRS_LOG_WARNING);
    return 0;
}
