/* A live consumer of stereo pictures: two eyes side by side at a fixed rate, each pair one frame
 * whose eyes go through the network together, and every mask taken as soon as it is there. Each
 * second it shows how long the masks took from the capture.
 *
 *   live [FPS [SECONDS [MODEL]]]        90 frames a second for 5 seconds
 *
 * Options come from the environment: VRSEG_OPTION_DEVICE=cuda:0 VRSEG_OPTION_PRECISION=f16. On a
 * GPU the masks stay there: a compositor on the same GPU reads them without a copy.
 *
 * The pictures are made here; a headset's cameras would fill them instead. */
#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vrseg/vrseg.h>

#define EYE_WIDTH 640
#define HEIGHT 480

static const int64_t second = 1000000000;

/* Ends the program with the reason where a call failed; only the expected `or_else` passes. */
static vrs_status check(vrs_status status, vrs_status or_else)
{
    if (status == VRS_OK || status == or_else)
        return status;
    (void)fprintf(stderr, "live: %s\n", vrs_last_error());
    exit(1);
}

/* A bright disc before a dark ground, shifted between the eyes as something near is. */
static void paint_eye(const vrs_image *image, int32_t left, int32_t center)
{
    for (int32_t y = 0; y < HEIGHT; y++)
        for (int32_t x = 0; x < EYE_WIDTH; x++) {
            int32_t dx = x - center, dy = y - HEIGHT / 2;
            image->planes[0][y * image->strides[0] + left + x] =
                dx * dx + dy * dy < 100 * 100 ? 200 : 40;
        }
}

static void paint(const vrs_image *image, int64_t number)
{
    int32_t center = (int32_t)(150 + number * 4 % 300);
    paint_eye(image, 0, center + 12);
    paint_eye(image, EYE_WIDTH, center - 12);
    for (int32_t y = 0; y < HEIGHT / 2; y++)
        memset(image->planes[1] + y * image->strides[1], 128, (size_t)EYE_WIDTH * 2);
}

/* poll() counts in milliseconds; the rest is waited for awake. */
static void wait_until(int64_t time_ns)
{
    int64_t left;
    while ((left = time_ns - vrs_now_ns()) > 0)
        if (left >= 1000000)
            (void)poll(NULL, 0, (int)(left / 1000000));
        else
            (void)sched_yield();
}

static void show(const vrs_pipeline *pipeline)
{
    vrs_pipeline_stats s = vrs_pipeline_get_stats(pipeline);
    char done[64];
    vrs_live_steps_text(s.live_steps, done, sizeof(done));
    (void)printf("%llu masks: p50 %.2f ms, p95 %.2f, p99 %.2f, most %.2f, jitter %.2f; %llu late, "
                 "%llu dropped; %s\n",
                 (unsigned long long)s.latency.frames, (double)s.latency.p50_ns / 1e6,
                 (double)s.latency.p95_ns / 1e6, (double)s.latency.p99_ns / 1e6,
                 (double)s.latency.max_ns / 1e6, (double)s.latency.jitter_ns / 1e6,
                 (unsigned long long)s.latency.missed, (unsigned long long)s.dropped, done);
    (void)fflush(stdout);
}

/* Masks where they are made. */
static void add_mask(vrs_pipeline *pipeline)
{
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK};
    bool gpu = strncmp(vrs_pipeline_get_device(pipeline), "cuda", 4) == 0;
    mask.memory = gpu ? VRS_MEMORY_CUDA : VRS_MEMORY_HOST;
    check(vrs_pipeline_add_output(pipeline, &mask), VRS_OK);
    (void)printf("%s, %s\n", vrs_pipeline_get_device(pipeline), vrs_pipeline_get_engine(pipeline));
}

/* The consumer: a compositor would put each mask over its picture here. In VRS_MEMORY_CUDA the mask
 * is at the device address outputs[0].planes[0]; the stream that reads it waits for the event
 * outputs[0].ready (cuStreamWaitEvent), and the result is released once that reading is done.
 * capture_ns says which moment it shows. */
static void *consume(void *arg)
{
    vrs_pipeline *pipeline = arg;
    vrs_result *result;
    int64_t next_ns = vrs_now_ns() + second;
    while (check(vrs_pipeline_get_result(pipeline, &result, -1), VRS_END) == VRS_OK) {
        if (result->status != VRS_OK && result->status != VRS_DROPPED)
            (void)fprintf(stderr, "live: frame %lld: %s\n", (long long)result->id, result->detail);
        vrs_result_release(result);
        if (vrs_now_ns() >= next_ns) {
            show(pipeline);
            next_ns += second;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    double fps = argc > 1 ? atof(argv[1]) : 90, seconds = argc > 2 ? atof(argv[2]) : 5;
    if (!(fps >= 1 && fps <= 1000) || !(seconds > 0 && seconds <= 86400)) {
        (void)fprintf(stderr, "live: expected 1 to 1000 frames a second and at most a day\n");
        return 2;
    }
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    pthread_t consumer;
    check(vrs_config_create(&config), VRS_OK);
    check(vrs_config_read_environment(config), VRS_OK);
    check(vrs_config_set(config, "live", "on"), VRS_OK);
    check(vrs_config_set(config, "layout", "sbs"), VRS_OK);
    check(vrs_config_set(config, "max_batch_size", "2"), VRS_OK); /* both eyes at once */
    check(vrs_config_set(config, "max_queue_delay_us", "0"), VRS_OK);
    check(vrs_model_load(argc > 3 ? argv[3] : "selfie-landscape", &model), VRS_OK);
    check(vrs_pipeline_create(config, model, &pipeline), VRS_OK);
    add_mask(pipeline);
    check(vrs_pipeline_start(pipeline), VRS_OK);
    if (pthread_create(&consumer, NULL, consume, pipeline) != 0)
        return 1;
    int64_t start_ns = vrs_now_ns(), count = (int64_t)(fps * seconds + 0.5);
    for (vrs_frame frame = {0}; frame.id < count; frame.id++) {
        check(vrs_image_alloc(&frame.image, VRS_FORMAT_NV12, 2 * EYE_WIDTH, HEIGHT), VRS_OK);
        paint(&frame.image, frame.id);
        frame.capture_ns = start_ns + (int64_t)((double)frame.id / fps * (double)second);
        wait_until(frame.capture_ns);
        check(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK); /* takes the picture */
    }
    vrs_pipeline_finish(pipeline);
    (void)pthread_join(consumer, NULL);
    show(pipeline);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    return fflush(stdout) == 0 ? 0 : 1;
}
