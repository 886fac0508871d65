/* The rate of a network on ONNX Runtime's CUDA provider through the engine, and how its scores
 * differ from the CPU provider's, as JSON for bench/store.py.
 *
 * Expected before measuring, for DeepLabV3+ R50 at 512x512 (138.4 GFLOP a view) on an H200: in TF32
 * what the same provider does from Python with NHWC and CUDA graphs, 546 / 759 / 863 views a second
 * at B1 / B4 / B16, for the engine adds two events and a lock to a run, some 5 us of the host. In
 * true f32, without tensor cores, at most 67 TFLOP/s / 138.4 GFLOP = 484; a half of that is likely.
 * Scores in f32 differ from the CPU's by sums in another order, 1e-5 of the largest; in TF32, with
 * 10 bits of the factors, some 1e-3.
 *
 * A rate is runs queued back to back between two events of the caller's stream, the median of
 * rounds; latency is the clock from queueing one run to its event. Every view is the picture.
 * Usage: onnxruntime MODEL PICTURE.ppm [PRECISION,... [PROVIDER_OPTIONS]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "engine/engine.h"
#include "support.h"
#include "vrseg/system.h"

#define ROUNDS 7
#define LATENCIES 100
#define ROUND_MS 150 /* about; at least 3 runs */

const char bench_name[] = "onnxruntime";

static const int32_t batches[] = {1, 4, 16};

static void *need(void *block)
{
    if (!block) {
        fprintf(stderr, "onnxruntime: %s\n", vrs_last_error());
        exit(EXIT_FAILURE);
    }
    return block;
}

typedef struct bench {
    const vrs_model *model;
    const char *options;
    vrs_device *device;
    vrs_memory *memory;
    vrs_device_stream *stream;
    vrs_device_event *start, *end;
    const char *picture;             /* a file */
    float *input, *expected, *found; /* of one view */
    bool first;                      /* no row was printed yet */
} bench;

static void row(bench *b, const char *name, double value, const char *unit, bool higher)
{
    printf("%s\n  {\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"better\": \"%s\"}",
           b->first ? "" : ",", name, value, unit, higher ? "higher" : "lower");
    b->first = false;
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, bench_ascending);
    return values[count / 2];
}

static vrs_device_ptr address(const void *pointer)
{
    return (vrs_device_ptr)(uintptr_t)pointer;
}

static void wait_for(vrs_device_event *event, vrs_device_stream *stream)
{
    bench_require(vrs_device_event_record(event, stream));
    bench_require(vrs_device_event_wait(event));
}

/* The picture at the network's size, nearest pixels, as the descriptor wants it in planes. */
static void draw(bench *b)
{
    const vrs_model_spec *s = vrs_model_get_spec(b->model);
    char *data = NULL;
    size_t size = 0;
    int width = 0, height = 0, head = 0;
    bench_require(vrs_file_read(b->picture, (size_t)1 << 26, &data, &size));
    if (sscanf(data, "P6 %d %d 255%n", &width, &height, &head) != 2 || width < 1 || height < 1 ||
        size < (size_t)head + 1 + (size_t)width * (size_t)height * 3) {
        fprintf(stderr, "onnxruntime: %s is no PPM of 8 bits\n", b->picture);
        exit(EXIT_FAILURE);
    }
    const unsigned char *pixels = (const unsigned char *)data + head + 1;
    for (int32_t y = 0; y < s->height; y++) {
        for (int32_t x = 0; x < s->width; x++) {
            const unsigned char *from = pixels + ((size_t)(y * height / s->height) * (size_t)width +
                                                  (size_t)(x * width / s->width)) *
                                                     3;
            for (int c = 0; c < 3; c++) {
                size_t to =
                    ((size_t)c * (size_t)s->height + (size_t)y) * (size_t)s->width + (size_t)x;
                b->input[to] = ((float)from[s->bgr ? 2 - c : c] - s->mean[c]) * s->scale[c];
            }
        }
    }
    vrs_free(data);
}

/* What the CPU provider makes of the input. */
static void expect_scores(bench *b)
{
    vrs_engine_params params = {
        .requests = 1, .threads = vrs_cpu_count(), .max_batch = 1, .float_input = true};
    vrs_engine *engine = NULL;
    bench_require(vrs_engine_create("onnxruntime", b->model, &params, &engine));
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    b->input = need(vrs_alloc(io->input_bytes));
    b->expected = need(vrs_alloc_array(io->scores_elements, sizeof(float)));
    b->found = need(vrs_alloc_array(io->scores_elements, sizeof(float)));
    draw(b);
    vrs_request *request = vrs_engine_request(engine, 0);
    memcpy(vrs_request_input(request, 0), b->input, io->input_bytes);
    bench_require(vrs_request_start(request, 1, NULL, NULL));
    bench_require(vrs_request_wait(request));
    memcpy(b->expected, vrs_request_scores(request, 0), io->scores_elements * sizeof(float));
    fprintf(stderr, "%s: scores %g, %g, ...\n", vrs_engine_describe(engine), (double)b->expected[0],
            (double)b->expected[io->scores_elements / 2]);
    vrs_engine_destroy(engine);
}

/* Largest difference of any view of a batch from the CPU's, of the largest score. */
static double difference(bench *b, vrs_engine *engine, int32_t batch)
{
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    vrs_request *request = vrs_engine_request(engine, 0);
    double worst = 0, largest = 0;
    for (int32_t i = 0; i < batch; i++) {
        bench_require(vrs_device_upload(b->stream, address(vrs_request_input(request, i)), b->input,
                                        io->input_bytes));
    }
    bench_require(vrs_request_enqueue(request, batch, b->stream));
    for (int32_t i = 0; i < batch; i++) {
        bench_require(vrs_device_download(b->stream, b->found,
                                          address(vrs_request_scores(request, i)),
                                          io->scores_elements * sizeof(float)));
        wait_for(b->end, b->stream);
        for (size_t e = 0; e < io->scores_elements; e++) {
            worst = fmax(worst, fabs((double)b->found[e] - (double)b->expected[e]));
            largest = fmax(largest, fabs((double)b->expected[e]));
        }
    }
    return worst / largest;
}

/* Milliseconds of so many runs back to back. */
static double time_runs(bench *b, vrs_request *request, int32_t batch, int runs)
{
    double milliseconds = 0;
    bench_require(vrs_device_event_record(b->start, b->stream));
    for (int i = 0; i < runs; i++)
        bench_require(vrs_request_enqueue(request, batch, b->stream));
    wait_for(b->end, b->stream);
    bench_require(vrs_device_event_elapsed(b->start, b->end, &milliseconds));
    return milliseconds;
}

static double rate(bench *b, vrs_request *request, int32_t batch)
{
    double values[ROUNDS];
    int runs = (int)(ROUND_MS / time_runs(b, request, batch, 3) * 3);
    runs = runs < 3 ? 3 : runs;
    for (int r = 0; r < ROUNDS; r++)
        values[r] = 1000.0 * runs * batch / time_runs(b, request, batch, runs);
    return median(values, ROUNDS);
}

/* Microseconds of one run: until it is queued, and until it is done. */
static void latency(bench *b, vrs_request *request, double *queued, double *done)
{
    double queue[LATENCIES], whole[LATENCIES];
    for (int r = 0; r < LATENCIES; r++) {
        int64_t start = vrs_now_ns();
        bench_require(vrs_request_enqueue(request, 1, b->stream));
        queue[r] = (double)(vrs_now_ns() - start) / 1000;
        wait_for(b->end, b->stream);
        whole[r] = (double)(vrs_now_ns() - start) / 1000;
    }
    *queued = median(queue, LATENCIES);
    *done = median(whole, LATENCIES);
}

static void measure(bench *b, vrs_precision precision)
{
    vrs_engine_params params = {.requests = 1,
                                .threads = 1,
                                .max_batch = 16,
                                .precision = precision,
                                .float_input = true,
                                .device = b->device,
                                .memory = b->memory,
                                .provider = "cuda",
                                .provider_options = b->options};
    vrs_engine *engine = NULL;
    char name[96];
    const char *text = vrs_precision_name(precision);
    int64_t start = vrs_now_ns();
    bench_require(vrs_engine_create("onnxruntime", b->model, &params, &engine));
    fprintf(stderr, "%s\n", vrs_engine_describe(engine));
    snprintf(name, sizeof name, "%s, opening", text);
    row(b, name, (double)(vrs_now_ns() - start) / 1e9, "s", false);
    vrs_memory_stats stats;
    vrs_memory_get_stats(b->memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    snprintf(name, sizeof name, "%s, device memory of the library", text);
    row(b, name, (double)stats.owners[VRS_MEMORY_LIBRARIES].used / 1e6, "MB", false);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        snprintf(name, sizeof name, "%s, B%d, difference from the CPU", text, batches[i]);
        row(b, name, difference(b, engine, batches[i]), "of the largest score", false);
        fflush(stdout);
        snprintf(name, sizeof name, "%s, B%d", text, batches[i]);
        row(b, name, rate(b, vrs_engine_request(engine, 0), batches[i]), "views/s", true);
    }
    double queued = 0, done = 0;
    latency(b, vrs_engine_request(engine, 0), &queued, &done);
    snprintf(name, sizeof name, "%s, B1, until queued", text);
    row(b, name, queued, "us", false);
    snprintf(name, sizeof name, "%s, B1, until done", text);
    row(b, name, done, "us", false);
    vrs_engine_destroy(engine);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: onnxruntime MODEL PICTURE.ppm [PRECISION,... "
                        "[PROVIDER_OPTIONS]]\n");
        return 2;
    }
    vrs_memory_settings settings = {0};
    vrs_model *model = NULL;
    const char *wanted = argc > 3 ? argv[3] : "f32,tf32";
    bench b = {.options = argc > 4 ? argv[4] : NULL, .picture = argv[2], .first = true};
    bench_require(vrs_model_load(argv[1], &model));
    b.model = model;
    bench_require(vrs_device_open("cuda", &b.device));
    bench_require(vrs_memory_create(b.device, &settings, &b.memory));
    bench_require(vrs_device_stream_create(b.device, VRS_PRIORITY_NORMAL, &b.stream));
    bench_require(vrs_device_event_create(b.device, true, &b.start));
    bench_require(vrs_device_event_create(b.device, true, &b.end));
    char version[256], where[4096];
    bench_require(vrs_onnxruntime_info(version, sizeof version, where, sizeof where));
    expect_scores(&b);
    printf("{\"device\": \"%s\", \"model\": \"%s\", \"options\": \"%s\",\n \"versions\": "
           "{\"vrseg\": \"%s\", \"onnxruntime\": \"%s\"},\n \"rows\": [",
           vrs_device_get_properties(b.device)->name, vrs_model_get_info(model).name,
           b.options ? b.options : "", vrs_version(), version);
    for (const char *next = wanted; *next; next += next[0] == ',' ? 1 : 0) {
        char name[16] = "";
        size_t length = strcspn(next, ",");
        vrs_precision precision;
        snprintf(name, sizeof name, "%.*s", (int)length, next);
        bench_require(vrs_precision_parse(name, &precision));
        measure(&b, precision);
        next += length;
    }
    printf("\n]}\n");
    vrs_free(b.input);
    vrs_free(b.expected);
    vrs_free(b.found);
    vrs_device_event_destroy(b.start);
    vrs_device_event_destroy(b.end);
    vrs_device_stream_destroy(b.stream);
    vrs_memory_destroy(b.memory);
    vrs_device_close(b.device);
    vrs_model_destroy(model);
    return 0;
}
