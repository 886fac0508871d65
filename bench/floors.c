/* What network, postprocess and preprocess cost alone on one video: CPU milliseconds a frame, as
 * JSON. Usage: vrseg-floors VIDEO [--model NAME]
 *
 * Each runs by itself on one thread, through the same functions as in a run: the network by one
 * request of an engine with one thread, batch 1, f32; postprocess from the scores to a green
 * composite at the video's size, refinement off; preprocess from the decoded frame to the network's
 * input. The first frames of the video are decoded before, as many as the tickets that a small
 * machine has, so that each call meets memory that the caches have given up, as in a run. CPU time
 * of the whole process for the network (an engine may use threads of its own), of the thread for
 * the others. Rounds of the three take turns; each figure is the median round. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "media/source/source.h"
#include "pipeline/internal.h"
#include "vrseg/job.h"

#define FRAMES 8 /* and tickets */
#define ROUNDS 9
#define ROUND_MS 60.0 /* CPU time of a round, roughly */
#define MOST_CALLS 100000

typedef struct rig {
    vrs_config *config;
    vrs_model *model;
    vrs_source *source;
    vrs_pipeline *pipeline;
    vrs_stream *stream;
    vrs_frame frames[FRAMES];
    int32_t frame_count;
    vrs_request *request;
} rig;

typedef vrs_status (*part_fn)(rig *r, int32_t frame);

typedef struct part {
    const char *name;
    part_fn run;
    clockid_t clock;
    int32_t calls; /* of a round */
    double ms[ROUNDS];
} part;

static double cpu_ms(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static vrs_status configure(rig *r)
{
    static const char *const settings[][2] = {
        {"refine", "off"},       {"requests", "1"},           {"engine_threads", "1"},
        {"max_batch_size", "1"}, {"preprocess_threads", "1"}, {"postprocess_threads", "1"}};
    char tickets[16];
    snprintf(tickets, sizeof(tickets), "%d", FRAMES);
    vrs_status status = vrs_job_config_create(&r->config);
    if (status == VRS_OK)
        status = vrs_config_set(r->config, "tickets", tickets);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && status == VRS_OK; i++)
        status = vrs_config_set(r->config, settings[i][0], settings[i][1]);
    return status;
}

/* Decodes the frames and closes the video, so that its decoder does not run beside what follows. */
static vrs_status decode(rig *r, const char *path)
{
    vrs_source_params params = {.path = path, .threads = 1, .max_frames = FRAMES};
    vrs_status status = vrs_source_open(&params, &r->source);
    while (status == VRS_OK && r->frame_count < FRAMES) {
        status = vrs_source_read(r->source, &r->frames[r->frame_count]);
        r->frame_count += status == VRS_OK ? 1 : 0;
    }
    vrs_source_close(r->source);
    return status == VRS_END ? VRS_OK : status;
}

static vrs_status make(rig *r, const char *video, const char *model)
{
    const vrs_output_desc green = {.kind = VRS_OUTPUT_COMPOSITE, .background = {0, 177, 64}};
    vrs_status status = configure(r);
    if (status == VRS_OK)
        status = decode(r, video);
    if (status == VRS_OK)
        status =
            vrs_model_load(model != NULL ? model : vrs_config_get(r->config, "model"), &r->model);
    if (status == VRS_OK)
        status = vrs_pipeline_create(r->config, r->model, &r->pipeline);
    if (status == VRS_OK)
        status = vrs_pipeline_add_output(r->pipeline, &green);
    if (status == VRS_OK)
        status = vrs_stream_create(r->pipeline, &r->frames[0], &r->stream);
    if (status != VRS_OK)
        return status;
    r->request = vrs_engine_request(r->pipeline->engine, 0);
    for (int32_t i = 0; i < FRAMES; i++) {
        r->stream->tickets[i].frame = r->frames[i % r->frame_count];
        r->stream->tickets[i].frame.image.release = NULL; /* the images stay the rig's */
    }
    return VRS_OK;
}

static void drop(rig *r)
{
    vrs_stream_destroy(r->stream);
    vrs_pipeline_destroy(r->pipeline);
    vrs_model_destroy(r->model);
    vrs_config_destroy(r->config);
    for (int32_t i = 0; i < r->frame_count; i++)
        vrs_image_release(&r->frames[i].image);
}

static vrs_status preprocess(rig *r, int32_t frame)
{
    vrs_ticket *ticket = &r->stream->tickets[frame];
    r->pipeline->kernels->preprocess(r->stream->plans[0], &ticket->frame.image,
                                     vrs_request_input(r->request, 0), ticket->guide[0],
                                     r->stream->scratch[0].preprocess);
    return VRS_OK;
}

static vrs_status network(rig *r, int32_t frame)
{
    (void)frame;
    vrs_status status = vrs_request_start(r->request, 1, NULL, NULL);
    return status == VRS_OK ? vrs_request_wait(r->request) : status;
}

static vrs_status postprocess(rig *r, int32_t frame)
{
    vrs_ticket *ticket = &r->stream->tickets[frame];
    vrs_batch batch = {.pipeline = r->pipeline, .request = r->request, .count = 1};
    const vrs_view_work work = {.ticket = ticket, .slot = &batch};
    vrs_read_scores(&work, vrs_request_scores(r->request, 0), &r->stream->scratch[0]);
    vrs_render_outputs(ticket, &r->stream->scratch[0]);
    return VRS_OK;
}

/* CPU milliseconds a call. */
static vrs_status measure(rig *r, const part *p, int32_t calls, double *ms)
{
    vrs_status status = VRS_OK;
    double begin = cpu_ms(p->clock);
    for (int32_t i = 0; i < calls && status == VRS_OK; i++)
        status = p->run(r, i % FRAMES);
    *ms = (cpu_ms(p->clock) - begin) / calls;
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static vrs_status measure_all(rig *r, part *parts, int count)
{
    vrs_status status = VRS_OK;
    for (int i = 0; i < count && status == VRS_OK; i++) { /* warms up, and sizes the rounds */
        double ms;
        status = measure(r, &parts[i], FRAMES, &ms);
        if (status == VRS_OK)
            status = measure(r, &parts[i], FRAMES, &ms);
        double calls = ROUND_MS / (ms > 1e-6 ? ms : 1e-6);
        parts[i].calls = calls < FRAMES ? FRAMES : calls > MOST_CALLS ? MOST_CALLS : (int32_t)calls;
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < count && status == VRS_OK; i++)
            status = measure(r, &parts[i], parts[i].calls, &parts[i].ms[round]);
    for (int i = 0; i < count; i++)
        qsort(parts[i].ms, ROUNDS, sizeof(parts[i].ms[0]), by_value);
    return status;
}

static int run(const char *video, const char *model)
{
    rig r = {0};
    part parts[] = {
        {.name = "preprocess_ms", .run = preprocess, .clock = CLOCK_THREAD_CPUTIME_ID},
        {.name = "network_ms", .run = network, .clock = CLOCK_PROCESS_CPUTIME_ID},
        {.name = "postprocess_ms", .run = postprocess, .clock = CLOCK_THREAD_CPUTIME_ID}};
    int count = (int)(sizeof(parts) / sizeof(parts[0]));
    vrs_status status = make(&r, video, model);
    if (status == VRS_OK)
        status = measure_all(&r, parts, count);
    if (status != VRS_OK) {
        fprintf(stderr, "vrseg-floors: %s\n", vrs_last_error());
    } else {
        printf("{\"frame\": \"%dx%d %s\", \"engine\": \"%s\", \"kernels\": \"%s\"",
               r.stream->shape.width, r.stream->shape.height,
               vrs_pixel_format_name(r.stream->shape.format),
               vrs_engine_describe(r.pipeline->engine), r.pipeline->kernels->name);
        for (int i = 0; i < count; i++)
            printf(", \"%s\": %.4f", parts[i].name, parts[i].ms[ROUNDS / 2]);
        printf("}\n");
    }
    drop(&r);
    return status == VRS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    bool with_model = argc == 4 && strcmp(argv[2], "--model") == 0;
    if ((argc != 2 && !with_model) || argv[1][0] == '-') {
        fprintf(stderr, "usage: vrseg-floors VIDEO [--model NAME]\n");
        return 2;
    }
    /* A program of the build, not an installed one: the descriptors are the source tree's. */
    (void)setenv("VRSEG_DESCRIPTORS_DIR", FLOORS_DESCRIPTORS, 0);
    return run(argv[1], with_model ? argv[3] : NULL);
}
