/* How late masks are that are wanted at a fixed rate: frames come one by one at their times, as a
 * headset's cameras send them, mono or two eyes side by side that go through the network in one
 * batch; from a frame's capture to its mask, percentiles of all frames, and how many were dropped.
 * JSON for store.py. The aim is a 99th percentile under 10 ms (better 5) and no frame dropped.
 *
 * Usage: bench_live MODEL [--fps 60,72,90,120] [--eyes 1,2] [--seconds 10] [--size 1920x1080]
 *                   [--frames host|gpu] [--masks host|gpu] [--mask-size network|source]
 *                   [OPTION=VALUE]... as in a configuration, for example
 *
 *     bench_live deeplabv3plus-r50.yaml --seconds 30 device=cuda:0 precision=f16
 *
 * A size is that of an eye. --frames gpu: pictures lie on the GPU, and each comes with an event
 * that makes it ready; --masks gpu: masks stay there. A frame was captured when it was due, however
 * late it was sent. What is later than 10 ms at its turn is dropped (latency_target_us), and
 * nothing is left out of the work for a frame (degrade=off), unless an option says otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "pipeline/internal.h"
#include "support.h"

#define PICTURES 8
#define MOST 8
#define WARM_UP 0.5 /* seconds of each stream that do not count */
#define TARGET_MS 10
/* Frames that took longer are shown, so many at most. */
#define SLOW_NS (4 * VRS_NS_PER_S / 1000)
#define SHOWN 20
/* So long before a frame is due its sender wakes up, and waits for the rest awake. */
#define AWAKE_NS INT64_C(200000)

const char bench_name[] = "bench_live";

typedef struct bench {
    const char *model_name;
    double fps[MOST], seconds;
    int32_t eyes[MOST], fps_count, eyes_count, width, height;
    bool frames_on_gpu, masks_on_gpu, masks_of_source;
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    vrs_image pictures[PICTURES];
    vrs_memory_block *blocks[PICTURES];
    vrs_device_event *ready[PICTURES];
    vrs_mutex lock;
    vrs_cond condition; /* nobody signals it: for waits until a time */
    uint32_t streams;
    bool printed;
} bench;

/* One rate with one or two eyes. */
typedef struct measurement {
    bench *b;
    double fps;
    int32_t eyes;
    uint32_t stream;
    int64_t frames, warm_up;
    double *latency_ms; /* of the masks that came, in order */
    int64_t count, dropped, repeated, slow;
    int64_t first_ns, last_ns; /* of the results that count */
    double work_ms;            /* of the device (its workers, on a CPU) for a frame, on average */
} measurement;

static _Noreturn void usage(const char *what)
{
    fprintf(stderr,
            "%s: %s\nUsage: %s MODEL [--fps 60,72,90,120] [--eyes 1,2] [--seconds 10] "
            "[--size 1920x1080] [--frames host|gpu] [--masks host|gpu] "
            "[--mask-size network|source] [OPTION=VALUE]...\n",
            bench_name, what, bench_name);
    exit(2);
}

/* ---- the pictures ---- */

static void fill(const vrs_image *image, uint64_t seed)
{
    uint64_t state = seed;
    for (int p = 0; p < 2; p++)
        for (int32_t y = 0; y < vrs_plane_height(image, p); y++)
            for (int64_t x = 0; x < vrs_plane_row_bytes(image, p); x++) {
                state = state * 6364136223846793005u + 1442695040888963407u;
                image->planes[p][y * image->strides[p] + x] = (uint8_t)(16 + (state >> 56) % 200);
            }
}

/* Both planes in one block of the GPU's memory, and an event behind their upload. */
static void put_on_gpu(bench *b, int32_t i, vrs_device_stream *stream)
{
    vrs_image *image = &b->pictures[i], host = *image;
    vrs_device *device = b->pipeline->place.device;
    size_t luma = (size_t)host.strides[0] * (size_t)host.height;
    size_t chroma = (size_t)host.strides[1] * (size_t)vrs_plane_height(&host, 1);
    bench_require(vrs_memory_alloc(b->pipeline->place.memory, VRS_MEMORY_PLACE_DEVICE,
                                   VRS_MEMORY_TEST, luma + chroma, &b->blocks[i]));
    vrs_device_ptr address = b->blocks[i]->address;
    bench_require(vrs_device_event_create(device, false, &b->ready[i]));
    bench_require(vrs_device_upload(stream, address, host.planes[0], luma));
    bench_require(vrs_device_upload(stream, address + luma, host.planes[1], chroma));
    bench_require(vrs_device_event_record(b->ready[i], stream));
    bench_require(vrs_device_event_wait(b->ready[i])); /* before the host's picture goes */
    image->memory = VRS_MEMORY_CUDA;
    image->device = vrs_device_get_properties(device)->number;
    image->planes[0] = (uint8_t *)(uintptr_t)address;
    image->planes[1] = (uint8_t *)(uintptr_t)(address + luma);
    image->ready = vrs_device_event_handle(b->ready[i]);
    image->release = NULL;
    vrs_image_release(&host);
}

static void make_pictures(bench *b, int32_t eyes)
{
    vrs_device_stream *stream = NULL;
    if (b->frames_on_gpu)
        bench_require(
            vrs_device_stream_create(b->pipeline->place.device, VRS_PRIORITY_NORMAL, &stream));
    for (int32_t i = 0; i < PICTURES; i++) {
        bench_require(
            vrs_image_alloc(&b->pictures[i], VRS_FORMAT_NV12, b->width * eyes, b->height));
        fill(&b->pictures[i], (uint64_t)i + 1);
        if (b->frames_on_gpu)
            put_on_gpu(b, i, stream);
    }
    vrs_device_stream_destroy(stream);
}

static void free_pictures(bench *b)
{
    for (int32_t i = 0; i < PICTURES; i++) {
        vrs_image_release(&b->pictures[i]);
        vrs_device_event_destroy(b->ready[i]);
        if (b->blocks[i] != NULL)
            vrs_memory_free(b->pipeline->place.memory, b->blocks[i]);
        b->ready[i] = NULL;
        b->blocks[i] = NULL;
    }
}

/* ---- a measurement ---- */

static void wait_until(bench *b, int64_t time_ns)
{
    vrs_mutex_lock(&b->lock);
    while (vrs_now_ns() < time_ns - AWAKE_NS)
        (void)vrs_cond_wait_until(&b->condition, &b->lock, time_ns - AWAKE_NS);
    vrs_mutex_unlock(&b->lock);
    while (vrs_now_ns() < time_ns)
        ;
}

static void consume(void *arg)
{
    measurement *m = arg;
    int64_t ready_ns = 0;
    for (int64_t n = 0; n < m->frames; n++) {
        vrs_result *result = NULL;
        bench_require(vrs_pipeline_get_result(m->b->pipeline, &result, -1));
        if (result->status != VRS_OK && result->status != VRS_DROPPED) {
            fprintf(stderr, "%s: %s\n", bench_name, result->detail);
            exit(EXIT_FAILURE);
        }
        /* It can be fetched once those before it can. */
        ready_ns = result->done_ns > ready_ns ? result->done_ns : ready_ns;
        if (ready_ns - result->capture_ns > SLOW_NS && m->slow++ < SHOWN && n >= m->warm_up)
            fprintf(stderr, "frame %lld: sent after %.2f ms, done after %.2f\n", (long long)n,
                    (double)(result->submitted_ns - result->capture_ns) / 1e6,
                    (double)(result->done_ns - result->capture_ns) / 1e6);
        if (n == m->warm_up)
            m->first_ns = ready_ns;
        m->last_ns = ready_ns;
        if (n >= m->warm_up && result->status == VRS_DROPPED)
            m->dropped++;
        else if (n >= m->warm_up)
            m->latency_ms[m->count++] = (double)(ready_ns - result->capture_ns) / 1e6;
        m->repeated += n >= m->warm_up && result->repeated;
        vrs_result_release(result);
    }
}

static void send_frames(measurement *m)
{
    bench *b = m->b;
    int64_t start_ns = vrs_now_ns() + VRS_NS_PER_S / 100;
    for (int64_t n = 0; n < m->frames; n++) {
        vrs_frame frame = {.image = b->pictures[n % PICTURES], .stream = m->stream, .id = n};
        frame.image.release = NULL; /* it stays */
        frame.capture_ns = start_ns + (int64_t)((double)n / m->fps * 1e9);
        for (int32_t eye = 0; eye < m->eyes && m->eyes > 1; eye++)
            frame.views[frame.view_count++] = (vrs_rect){eye * b->width, 0, b->width, b->height};
        wait_until(b, frame.capture_ns);
        bench_require(vrs_pipeline_submit(b->pipeline, &frame, -1));
    }
}

/* ---- rows ---- */

static double percentile(const double *sorted, int64_t count, double share)
{
    int64_t place = (int64_t)(share * (double)count);
    return sorted[place < count ? place : count - 1];
}

static void print_row(bench *b, const char *name, double value, const char *unit,
                      const char *better, double target, const char *note)
{
    printf("%s\n  {\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"better\": \"%s\", "
           "\"target\": %.6g, \"runs\": [%.6g]%s%s%s}",
           b->printed ? "," : "", name, value, unit, better, target, value,
           note[0] != 0 ? ", \"note\": \"" : "", note, note[0] != 0 ? "\"" : "");
    b->printed = true;
}

static void print_rows(const measurement *m)
{
    bench *b = m->b;
    char name[256], note[320];
    double jitter = 0, seconds = (double)(m->last_ns - m->first_ns) / 1e9;
    double rate = seconds > 0 ? (double)(m->count + m->dropped - 1) / seconds : 0;
    for (int64_t i = 1; i < m->count; i++) {
        double step = m->latency_ms[i] - m->latency_ms[i - 1];
        jitter += (step < 0 ? -step : step) / (double)(m->count - 1);
    }
    qsort(m->latency_ms, (size_t)m->count, sizeof(double), bench_ascending);
    double p99 = percentile(m->latency_ms, m->count, 0.99);
    double most = m->latency_ms[m->count - 1];
    (void)snprintf(note, sizeof(note),
                   "p50 %.2f, p95 %.2f, most %.2f, jitter %.3f ms, of which the device works "
                   "%.2f; %.1f s at %.2f frames/s%s%s",
                   percentile(m->latency_ms, m->count, 0.5),
                   percentile(m->latency_ms, m->count, 0.95), most, jitter, m->work_ms,
                   (double)(m->count + m->dropped) / m->fps, rate,
                   m->repeated > 0 ? "; masks repeated" : "",
                   b->frames_on_gpu || b->masks_on_gpu ? "" : "; frames and masks in host memory");
    (void)snprintf(name, sizeof(name), "live, %s at %.0f fps%s%s%s, %s, p99",
                   m->eyes == 2 ? "two eyes in one batch" : "mono", m->fps,
                   b->frames_on_gpu ? ", frames on the GPU" : "",
                   b->masks_on_gpu ? ", masks on the GPU" : "",
                   b->masks_of_source ? ", masks of the frames' size" : "", b->model_name);
    fprintf(stderr, "%s %.2f ms; %s; %lld dropped\n", name, p99, note, (long long)m->dropped);
    print_row(b, name, p99, "ms", "lower", TARGET_MS, note);
    (void)snprintf(note, sizeof(note), "of %lld", (long long)(m->count + m->dropped));
    memcpy(name + strlen(name) - strlen("p99"), "dropped", sizeof("dropped"));
    print_row(b, name, (double)m->dropped, "frames", "lower", 0, note);
}

/* Summed over the stages of all frames so far, and how many frames those were. */
static double work_ns(const bench *b, uint64_t *frames)
{
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(b->pipeline);
    double ns = 0;
    for (int stage = 0; stage < VRS_STAGE_COUNT; stage++)
        ns += (double)stats.stages[stage].busy_ns;
    *frames = stats.stages[VRS_STAGE_POSTPROCESS].frames;
    return ns;
}

static void measure(bench *b, int32_t eyes, double fps)
{
    uint64_t frames_before, frames;
    double before_ns = work_ns(b, &frames_before);
    vrs_thread consumer = {0};
    measurement m = {.b = b, .fps = fps, .eyes = eyes, .stream = b->streams++};
    m.warm_up = (int64_t)(WARM_UP * fps);
    m.frames = m.warm_up + (int64_t)(b->seconds * fps + 0.5);
    m.latency_ms = calloc((size_t)m.frames, sizeof(double));
    bench_require(m.latency_ms != NULL ? VRS_OK : VRS_NO_MEMORY);
    bench_require(vrs_thread_start(&consumer, "consume", consume, &m));
    fprintf(stderr, "%d at %.0f fps after %.2f s\n", eyes, fps,
            (double)(vrs_now_ns() - b->pipeline->started_ns) / 1e9);
    send_frames(&m);
    vrs_thread_join(&consumer);
    if (m.count == 0) {
        fprintf(stderr, "%s: no mask of %lld frames came in time\n", bench_name,
                (long long)m.frames);
        exit(EXIT_FAILURE);
    }
    m.work_ms = (work_ns(b, &frames) - before_ns) / 1e6;
    m.work_ms /= frames > frames_before ? (double)(frames - frames_before) : 1;
    print_rows(&m);
    free(m.latency_ms);
}

static void show_changes(const bench *b)
{
    vrs_live_change changes[VRS_LIVE_CHANGES];
    uint32_t count = vrs_pipeline_get_changes(b->pipeline, changes, VRS_LIVE_CHANGES);
    for (uint32_t i = 0; i < count; i++) {
        char text[128];
        vrs_live_steps_text(changes[i].to, text, sizeof(text));
        fprintf(stderr, "after %.2f s: %s: %s\n",
                (double)(changes[i].time_ns - b->pipeline->started_ns) / 1e9, text,
                changes[i].reason);
    }
}

/* ---- start and end ---- */

static void parse_eyes(bench *b, const char *text)
{
    for (char *end = NULL; *text != 0; text = *end == ',' ? end + 1 : end) {
        long eyes = strtol(text, &end, 10);
        if (end == text || (eyes != 1 && eyes != 2) || b->eyes_count == MOST)
            usage("--eyes: expected 1, 2 or both");
        b->eyes[b->eyes_count++] = (int32_t)eyes;
    }
}

static void parse_fps(bench *b, const char *text)
{
    for (char *end = NULL; *text != 0; text = *end == ',' ? end + 1 : end) {
        double fps = strtod(text, &end);
        if (end == text || !(fps >= 1 && fps <= 1000) || b->fps_count == MOST)
            usage("--fps: expected up to 8 rates of 1 to 1000");
        b->fps[b->fps_count++] = fps;
    }
}

static bool is_gpu(const char *text)
{
    if (strcmp(text, "gpu") != 0 && strcmp(text, "host") != 0)
        usage("--frames, --masks: expected host or gpu");
    return strcmp(text, "gpu") == 0;
}

static void parse_flag(bench *b, const char *name, const char *value)
{
    if (strcmp(name, "--fps") == 0)
        parse_fps(b, value);
    else if (strcmp(name, "--eyes") == 0)
        parse_eyes(b, value);
    else if (strcmp(name, "--seconds") == 0)
        b->seconds = strtod(value, NULL);
    else if (strcmp(name, "--frames") == 0)
        b->frames_on_gpu = is_gpu(value);
    else if (strcmp(name, "--masks") == 0)
        b->masks_on_gpu = is_gpu(value);
    else if (strcmp(name, "--mask-size") == 0)
        b->masks_of_source = strcmp(value, "source") == 0;
    else if (strcmp(name, "--size") != 0 || sscanf(value, "%dx%d", &b->width, &b->height) != 2)
        usage(name);
}

static void parse(bench *b, int argc, char **argv)
{
    static const char *const set[][2] = {{"live", "on"},
                                         {"degrade", "off"},
                                         {"latency_target_us", "10000"},
                                         {"max_batch_size", "2"},
                                         {"max_queue_delay_us", "0"}};
    bench_require(vrs_config_create(&b->config));
    for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
        bench_require(vrs_config_set(b->config, set[i][0], set[i][1]));
    for (int i = 2; i < argc; i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "%s", argv[i]);
        char *value = strchr(text, '=');
        if (strncmp(argv[i], "--", 2) == 0 && i + 1 < argc) {
            parse_flag(b, argv[i], argv[i + 1]);
            i++;
            continue;
        }
        if (value == NULL)
            usage(argv[i]);
        *value++ = 0;
        bench_require(vrs_config_set(b->config, text, value));
    }
    if (b->fps_count == 0)
        parse_fps(b, "60,72,90,120");
    if (b->eyes_count == 0)
        parse_eyes(b, "1,2");
    if (!(b->seconds > 0 && b->seconds <= 86400) || b->width < 2 || b->height < 2 ||
        b->width % 2 != 0 || b->width > VRS_MAX_SIDE / 2 || b->height > VRS_MAX_SIDE)
        usage("seconds of up to a day and an even width were expected");
}

static void open_pipeline(bench *b)
{
    int32_t side = b->masks_of_source ? 0 : -1;
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .width = side, .height = side};
    mask.memory = b->masks_on_gpu ? VRS_MEMORY_CUDA : VRS_MEMORY_HOST;
    bench_require(vrs_pipeline_create(b->config, b->model, &b->pipeline));
    bench_require(vrs_pipeline_add_output(b->pipeline, &mask));
    bench_require(vrs_pipeline_start(b->pipeline));
    if (b->frames_on_gpu && b->pipeline->place.device == NULL)
        usage("--frames gpu: frames are processed on the CPU");
}

int main(int argc, char **argv)
{
    if (argc < 2)
        usage("a model was expected");
    bench b = {.seconds = 10, .width = 1920, .height = 1080};
    parse(&b, argc, argv);
    bench_require(vrs_mutex_init(&b.lock));
    bench_require(vrs_cond_init(&b.condition));
    bench_require(vrs_model_load(argv[1], &b.model));
    b.model_name = vrs_model_get_info(b.model).name;
    open_pipeline(&b);
    printf("{\"versions\": {\"device\": \"%s\", \"engine\": \"%s\"},\n \"rows\": [",
           vrs_pipeline_get_device(b.pipeline), vrs_pipeline_get_engine(b.pipeline));
    for (int32_t e = 0; e < b.eyes_count; e++) {
        make_pictures(&b, b.eyes[e]);
        for (int32_t i = 0; i < b.fps_count; i++)
            measure(&b, b.eyes[e], b.fps[i]);
        bench_require(vrs_pipeline_drain(b.pipeline, -1));
        free_pictures(&b);
    }
    printf("\n]}\n");
    show_changes(&b);
    vrs_pipeline_destroy(b.pipeline);
    vrs_model_destroy(b.model);
    vrs_config_destroy(b.config);
    vrs_cond_destroy(&b.condition);
    vrs_mutex_destroy(&b.lock);
    return EXIT_SUCCESS;
}
