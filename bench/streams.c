/* What batching gains for many streams that each send single frames: 16 threads, each of which
 * submits one frame after the other, with a few on their way (two; one: it waits for each result
 * before the next frame); with batches of up to 16 and with batches of one, in turn, on one
 * pipeline each. JSON for store.py: both rates, and the first over the second beside what the
 * engine alone gains by batches of 16. The aim is the smaller of 2.0 and 0.95 of that.
 *
 * Usage: bench_streams [--rounds N] [--on-their-way N] MODEL [OPTION=VALUE]... as in a
 * configuration, for example
 *
 *     bench_streams deeplabv3plus-r50.yaml device=cuda:0 precision=f16      the case of interest
 *     bench_streams selfie-landscape device=cpu
 *
 * Frames are 512x512 in host memory, masks come in the network's size. What is said of batches
 * (preferred_batch_sizes, max_queue_delay_us) does not go to the pipeline without them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"
#include "pipeline/internal.h"
#include "support.h"

#define STREAMS 16
#define SIDE 512
#define WARM_UP 20 /* frames of each stream that do not count */
#define FRAMES 400
#define ROUNDS 5 /* at most BENCH_MOST_ROUNDS */
#define CALLS 20 /* of the engine, in one measurement */

const char bench_name[] = "bench_streams";

typedef struct bench {
    vrs_model *model;
    char **options;
    int option_count, rounds, on_their_way;
    char engine[VRS_DETAIL_SIZE], device[VRS_DETAIL_SIZE];
} bench;

static vrs_pipeline *make(bench *b, const char *max_batch)
{
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .width = -1, .height = -1};
    bench_require(vrs_config_create(&config));
    bench_require(vrs_config_set(config, "max_batch_size", max_batch));
    bench_require(vrs_config_set(config, "result_order", "ready"));
    for (int i = 0; i < b->option_count; i++) {
        char text[256];
        char *value = NULL;
        (void)snprintf(text, sizeof(text), "%s", b->options[i]);
        value = strchr(text, '=');
        if (value == NULL) {
            fprintf(stderr, "%s: %s: expected OPTION=VALUE\n", bench_name, text);
            exit(EXIT_FAILURE);
        }
        *value++ = 0;
        bool of_batches =
            strcmp(text, "preferred_batch_sizes") == 0 || strcmp(text, "max_queue_delay_us") == 0;
        if (of_batches && strcmp(max_batch, "1") == 0)
            continue;
        bench_require(vrs_config_set(config, text, value));
    }
    bench_require(vrs_pipeline_create(config, b->model, &pipeline));
    bench_require(vrs_pipeline_add_output(pipeline, &mask));
    (void)snprintf(b->engine, sizeof(b->engine), "%s", vrs_pipeline_get_engine(pipeline));
    (void)snprintf(b->device, sizeof(b->device), "%s", vrs_pipeline_get_device(pipeline));
    vrs_config_destroy(config);
    return pipeline;
}

/* ---- the engine alone: views a second ---- */

static double device_rate(const vrs_pipeline *pipeline, int32_t batch)
{
    vrs_device_stream *stream = NULL;
    vrs_device_event *end = NULL;
    vrs_request *request = vrs_engine_request(pipeline->engine, 0);
    vrs_device *device = pipeline->place.device;
    bench_require(vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream));
    bench_require(vrs_device_event_create(device, false, &end));
    int64_t begin_ns = 0;
    for (int part = 0; part < 2; part++) { /* the first warms up */
        begin_ns = vrs_now_ns();
        for (int i = 0; i < CALLS; i++)
            bench_require(vrs_request_enqueue(request, batch, stream));
        bench_require(vrs_device_event_record(end, stream));
        bench_require(vrs_device_event_wait(end));
    }
    double rate = (double)batch * CALLS * 1e9 / (double)(vrs_now_ns() - begin_ns);
    vrs_device_event_destroy(end);
    vrs_device_stream_destroy(stream);
    return rate;
}

static void nothing(void *opaque, vrs_request *request, vrs_status status)
{
    (void)opaque;
    (void)request;
    (void)status;
}

/* As many requests at once as the pipeline has. */
static double host_rate(const vrs_pipeline *pipeline, int32_t batch)
{
    int32_t requests = pipeline->settings.requests;
    int64_t begin_ns = 0;
    for (int i = -requests; i < CALLS; i++) {
        if (i == 0)
            begin_ns = vrs_now_ns();
        for (int32_t r = 0; r < requests; r++) {
            vrs_request *request = vrs_engine_request(pipeline->engine, r);
            if (i > -requests)
                bench_require(vrs_request_wait(request));
            bench_require(vrs_request_start(request, batch, nothing, NULL));
        }
    }
    double rate = (double)batch * CALLS * requests * 1e9 / (double)(vrs_now_ns() - begin_ns);
    for (int32_t r = 0; r < requests; r++)
        bench_require(vrs_request_wait(vrs_engine_request(pipeline->engine, r)));
    return rate;
}

static double engine_rate(const vrs_pipeline *pipeline, int32_t batch)
{
    return pipeline->io->on_device ? device_rate(pipeline, batch) : host_rate(pipeline, batch);
}

/* ---- the streams ---- */

typedef struct sender {
    vrs_pipeline *pipeline;
    uint32_t stream;
    vrs_queue *back; /* something comes when a result is there */
    int64_t ahead;   /* frames on their way at most */
    int64_t frames;
    vrs_thread thread;
    const vrs_image *picture;
} sender;

static void send_frames(void *arg)
{
    sender *self = arg;
    for (int64_t n = 0; n < self->frames; n++) {
        void *item = NULL;
        vrs_frame frame = {.image = *self->picture, .stream = self->stream, .id = n};
        if (n >= self->ahead)
            bench_require(vrs_queue_pop(self->back, &item, INT64_MAX));
        bench_require(vrs_pipeline_submit(self->pipeline, &frame, -1));
    }
}

/* So many frames of each stream, from the first one to the last result; frames a second. */
static double send_all(const bench *b, vrs_pipeline *pipeline, const vrs_image *picture,
                       int64_t frames)
{
    sender senders[STREAMS] = {{0}};
    int64_t begin_ns = vrs_now_ns();
    for (uint32_t s = 0; s < STREAMS; s++) {
        senders[s] = (sender){.pipeline = pipeline, .stream = s, .picture = picture};
        senders[s].ahead = b->on_their_way;
        senders[s].frames = frames;
        bench_require(vrs_queue_create((uint32_t)b->on_their_way, &senders[s].back));
        bench_require(vrs_thread_start(&senders[s].thread, "send", send_frames, &senders[s]));
    }
    for (int64_t n = 0; n < STREAMS * frames; n++) {
        vrs_result *result = NULL;
        bench_require(vrs_pipeline_get_result(pipeline, &result, -1));
        if (result->status != VRS_OK) {
            fprintf(stderr, "%s: %s\n", bench_name, result->detail);
            exit(EXIT_FAILURE);
        }
        uint32_t stream = result->stream;
        vrs_result_release(result);
        vrs_queue_push(senders[stream].back, &senders[stream]);
    }
    double rate = (double)(STREAMS * frames) * 1e9 / (double)(vrs_now_ns() - begin_ns);
    for (int s = 0; s < STREAMS; s++) {
        vrs_thread_join(&senders[s].thread);
        vrs_queue_destroy(senders[s].back);
    }
    return rate;
}

/* How many batches there were of each size, since `before`. */
static void show_batches(vrs_pipeline *pipeline, const vrs_batch_queue_stats *before, double rate)
{
    vrs_batch_queue_stats stats;
    vrs_batch_queue_get_stats(pipeline->queue, &stats);
    fprintf(stderr, "%.0f frames/s, batches:", rate);
    for (int size = 1; size <= VRS_BATCH_MOST; size++)
        if (stats.batches[size] > before->batches[size])
            fprintf(stderr, " %llu of %d,",
                    (unsigned long long)(stats.batches[size] - before->batches[size]), size);
    fprintf(stderr, "\n");
}

/* The first frames make the streams, one after the other, which takes longer than their work. */
static double streams_rate(const bench *b, vrs_pipeline *pipeline, const vrs_image *picture)
{
    vrs_batch_queue_stats before;
    bench_require(vrs_pipeline_start(pipeline));
    int64_t begin_ns = vrs_now_ns();
    (void)send_all(b, pipeline, picture, WARM_UP);
    fprintf(stderr, "%d streams and their first frames took %.2f s\n", STREAMS,
            (double)(vrs_now_ns() - begin_ns) / 1e9);
    vrs_batch_queue_get_stats(pipeline->queue, &before);
    double rate = send_all(b, pipeline, picture, FRAMES);
    show_batches(pipeline, &before, rate);
    return rate;
}

/* ---- rows ---- */

static void print_row(const bench *b, const char *name, const char *unit, const double *runs,
                      const char *more)
{
    printf("\n  {\"name\": \"%s\", \"value\": %.5g, \"unit\": \"%s\", \"better\": \"higher\"%s, "
           "\"runs\": [",
           name, bench_median(runs, b->rounds), unit, more);
    for (int i = 0; i < b->rounds; i++)
        printf("%s%.5g", i == 0 ? "" : ", ", runs[i]);
    printf("]}");
}

static void print_rows(const bench *b, const double *on, const double *off, const double *own)
{
    const char *model = vrs_model_get_info(b->model).name;
    double gain[BENCH_MOST_ROUNDS];
    for (int i = 0; i < b->rounds; i++)
        gain[i] = on[i] / off[i];
    double most = bench_median(own, b->rounds), target = 0.95 * most < 2 ? 0.95 * most : 2;
    char name[256], more[256], what[128];
    (void)snprintf(what, sizeof(what), "16 streams of single frames, %d of each on their way",
                   b->on_their_way);
    (void)snprintf(name, sizeof(name), "%s, batches of up to 16, %s", what, model);
    print_row(b, name, "fps", on, "");
    printf(",");
    (void)snprintf(name, sizeof(name), "%s, batches of one, %s", what, model);
    print_row(b, name, "fps", off, "");
    printf(",");
    (void)snprintf(name, sizeof(name), "%s, gain by batches, %s", what, model);
    (void)snprintf(more, sizeof(more),
                   ", \"peer\": \"the engine alone, 16 views at once over one\", \"peer_value\": "
                   "%.5g, \"target\": %.5g",
                   most, target);
    print_row(b, name, "times", gain, more);
}

static _Noreturn void usage(void)
{
    fprintf(stderr, "Usage: %s [--rounds N] [--on-their-way N] MODEL [OPTION=VALUE]...\n",
            bench_name);
    exit(2);
}

int main(int argc, char **argv)
{
    bench b = {.rounds = ROUNDS, .on_their_way = 2};
    int model = 1;
    for (; model + 1 < argc && strncmp(argv[model], "--", 2) == 0; model += 2) {
        bool rounds = strcmp(argv[model], "--rounds") == 0;
        if (!rounds && strcmp(argv[model], "--on-their-way") != 0)
            usage();
        *(rounds ? &b.rounds : &b.on_their_way) = atoi(argv[model + 1]);
    }
    b.options = argv + model + 1;
    b.option_count = argc - model - 1;
    if (argc <= model || b.rounds < 1 || b.rounds > BENCH_MOST_ROUNDS || b.on_their_way < 1 ||
        b.on_their_way > 64)
        usage();
    vrs_image picture;
    double on[BENCH_MOST_ROUNDS] = {0}, off[BENCH_MOST_ROUNDS] = {0}, own[BENCH_MOST_ROUNDS];
    bench_require(vrs_model_load(argv[model], &b.model));
    bench_require(vrs_image_alloc(&picture, VRS_FORMAT_NV12, SIDE, SIDE));
    vrs_image shared = picture;
    shared.release = NULL; /* all frames are this one, and it stays */
    for (int i = 0; i < b.rounds; i++) {
        vrs_pipeline *pipeline = make(&b, "16");
        double one = engine_rate(pipeline, 1), many = engine_rate(pipeline, 16);
        own[i] = many / one;
        on[i] = streams_rate(&b, pipeline, &shared);
        vrs_pipeline_destroy(pipeline);
        pipeline = make(&b, "1");
        off[i] = streams_rate(&b, pipeline, &shared);
        vrs_pipeline_destroy(pipeline);
        fprintf(stderr, "engine %.0f and %.0f views/s, streams %.0f and %.0f frames/s\n", one, many,
                off[i], on[i]);
    }
    printf("{\"versions\": {\"device\": \"%s\", \"engine\": \"%s\"},\n \"rows\": [", b.device,
           b.engine);
    print_rows(&b, on, off, own);
    printf("\n]}\n");
    vrs_image_release(&picture);
    vrs_model_destroy(b.model);
    return EXIT_SUCCESS;
}
