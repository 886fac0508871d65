/* Speed of a device engine on one network, as lines of JSON: for each precision and batch the
 * latency of a single run (median, queueing to the event's end as the device counts it) and the
 * time of runs queued back to back, on random data; then what each node took when it was timed
 * alone.
 *
 * Usage: bench_engine MODEL.yaml [OPTION]...
 *
 *     --precision f16,tf32,f32,int8   --batch 1,4,8,16   --rounds N   --threads N of compiling
 *     --engine cuda   --device cuda:0   --cache DIR
 *     --nodes    times of the nodes too
 *     --verify   every node beside the interpreter
 *     --verbose  how long what of the compiling takes
 *     --input FILE  the network's own input as floats (NCHW), any number of views, in place of
 * random data
 *     --dump FILE   gets the scores as floats, NHWC: of all views of the input with the last batch,
 * or of the first random one */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/device.h"
#include "device/memory.h"
#include "engine/engine.h"
#include "engine/report.h"
#include "support.h"
#include "vrseg/log.h"
#include "vrseg/system.h"

#define MOST 16
#define CALLS 20 /* queued back to back; two of what is slow */
#define SLOW_US 50000

const char bench_name[] = "bench_engine";

typedef struct bench {
    const char *engine, *cache, *input, *dump;
    vrs_model *model;
    vrs_device *device;
    vrs_memory *memory;
    vrs_device_stream *stream;
    vrs_device_event *begin, *end;
    int32_t batches[MOST], batch_count, rounds, threads;
    bool nodes, verify;
} bench;

static double median(double *values, int32_t count)
{
    qsort(values, (size_t)count, sizeof *values, bench_ascending);
    return values[count / 2];
}

static void settle(const bench *b)
{
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file) {
        fprintf(stderr, "bench_engine: cannot open %s\n", path);
        exit(EXIT_FAILURE);
    }
    return file;
}

/* The file's next views into the batch; those that are missing are as the last one is. How many
 * were there. */
static int32_t read_input(const bench *b, FILE *file, vrs_request *request, const vrs_engine_io *io,
                          int32_t batch)
{
    void *data = malloc(io->input_bytes);
    int32_t count = 0;
    bench_require(data ? VRS_OK : VRS_NO_MEMORY);
    for (int32_t i = 0; i < batch; i++) {
        size_t bytes = count == i ? fread(data, 1, io->input_bytes, file) : 0;
        if (bytes != 0 && bytes != io->input_bytes) {
            fprintf(stderr, "bench_engine: %s: views are of %zu bytes\n", b->input,
                    io->input_bytes);
            exit(EXIT_FAILURE);
        }
        count += bytes != 0;
        vrs_device_ptr to = (vrs_device_ptr)(uintptr_t)vrs_request_input(request, i);
        bench_require(vrs_device_upload(b->stream, to, data, io->input_bytes));
        settle(b);
    }
    free(data);
    return count;
}

static void write_scores(const bench *b, FILE *file, vrs_request *request, const vrs_engine_io *io,
                         int32_t views)
{
    size_t bytes = io->scores_elements * sizeof(float);
    void *data = malloc(bytes);
    bench_require(data ? VRS_OK : VRS_NO_MEMORY);
    for (int32_t i = 0; i < views; i++) {
        vrs_device_ptr from = (vrs_device_ptr)(uintptr_t)vrs_request_scores(request, i);
        bench_require(vrs_device_download(b->stream, data, from, bytes));
        settle(b);
        if (fwrite(data, 1, bytes, file) != bytes) {
            fprintf(stderr, "bench_engine: cannot write %s\n", b->dump);
            exit(EXIT_FAILURE);
        }
    }
    free(data);
}

/* Scores of what the request holds, or of all views of the input. */
static void dump_scores(const bench *b, vrs_request *request, const vrs_engine_io *io,
                        int32_t batch)
{
    FILE *to = open_file(b->dump, "wb"), *from = b->input ? open_file(b->input, "rb") : NULL;
    int32_t views = 1;
    while (views > 0) {
        if (from) {
            views = read_input(b, from, request, io, batch);
            bench_require(vrs_request_enqueue(request, batch, b->stream));
            settle(b);
        }
        write_scores(b, to, request, io, views);
        views = from && views == batch ? batch : 0;
    }
    if (from)
        (void)fclose(from);
    if (fclose(to) != 0) {
        fprintf(stderr, "bench_engine: cannot write %s\n", b->dump);
        exit(EXIT_FAILURE);
    }
}

/* Random numbers of -2..2 in the input's type, as a normalised picture has. */
static void fill_input(const bench *b, vrs_request *request, const vrs_engine_io *io, int32_t batch)
{
    static const uint16_t halves[8] = {0x3c00, 0xbc00, 0x3800, 0xb800, 0x4000, 0x2e66, 0xb4cd, 0};
    static const float floats[8] = {1, -1, 0.5f, -0.5f, 2, 0.1f, -0.3f, 0};
    bool half = vrs_tensor_type_of(io->tensor) == VRS_TENSOR_F16;
    size_t bytes = io->input_bytes * (size_t)batch, count = bytes / (half ? 2 : 4);
    unsigned char *data = malloc(bytes);
    uint64_t state = 1;
    for (size_t i = 0; data && i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t which = state >> 61;
        memcpy(data + i * (half ? 2 : 4),
               half ? (const void *)&halves[which] : (const void *)&floats[which], half ? 2 : 4);
    }
    vrs_device_ptr to = (vrs_device_ptr)(uintptr_t)vrs_request_input(request, 0);
    bench_require(data ? vrs_device_upload(b->stream, to, data, bytes) : VRS_NO_MEMORY);
    settle(b);
    free(data);
}

/* Microseconds of `calls` runs, each. */
static double time_runs(const bench *b, vrs_request *request, int32_t batch, int32_t calls)
{
    double ms;
    bench_require(vrs_device_event_record(b->begin, b->stream));
    for (int32_t i = 0; i < calls; i++)
        bench_require(vrs_request_enqueue(request, batch, b->stream));
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
    bench_require(vrs_device_event_elapsed(b->begin, b->end, &ms));
    return ms * 1000 / calls;
}

static void run_batch(const bench *b, vrs_engine *engine, const char *precision, int32_t batch)
{
    double latency[1024], rate[1024];
    vrs_request *request = vrs_engine_request(engine, 0);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    if (b->input) {
        FILE *file = open_file(b->input, "rb");
        (void)read_input(b, file, request, io, batch);
        (void)fclose(file);
    } else {
        fill_input(b, request, io, batch);
    }
    /* Sixty runs to warm up, of what is not slow. */
    double first = time_runs(b, request, batch, 1);
    int32_t calls = first > SLOW_US ? 2 : CALLS;
    for (int i = 0; i < 3 && first <= SLOW_US; i++)
        (void)time_runs(b, request, batch, CALLS);
    for (int32_t i = 0; i < b->rounds; i++) {
        latency[i] = time_runs(b, request, batch, 1);
        rate[i] = time_runs(b, request, batch, calls);
    }
    double one = median(latency, b->rounds), many = median(rate, b->rounds);
    printf("{\"precision\": \"%s\", \"batch\": %d, \"latency_us\": %.1f, \"rate_us\": %.1f, "
           "\"fps\": %.0f}\n",
           precision, batch, one, many, batch * 1e6 / many);
    fflush(stdout);
    if (b->dump)
        dump_scores(b, request, io, batch);
}

static void print_node(void *opaque, const vrs_engine_node *node)
{
    (void)opaque;
    printf("{\"batch\": %d, \"node\": \"%s\", \"does\": \"%s\", \"plan\": \"%s\", \"us\": %.2f, "
           "\"gflop\": %.3f, \"mb\": %.2f, \"tensor_cores\": %s, \"bits\": %d}\n",
           node->batch, node->name, node->does, node->plan, node->micros, node->flops / 1e9,
           node->bytes / 1e6, node->tensor_cores ? "true" : "false", node->bits);
}

static void print_check(void *opaque, const vrs_engine_check *check)
{
    (void)opaque;
    printf("{\"check\": \"%s\", \"does\": \"%s\", \"off\": %.2e, \"worst\": %.2e, \"good\": %s}\n",
           check->name, check->does, check->off, check->worst, check->good ? "true" : "false");
}

static void run_precision(const bench *b, const char *name)
{
    vrs_engine_params params = {.requests = 1,
                                .threads = b->threads,
                                .max_batch = 1,
                                .enlarges = VRS_ENLARGE_ALL,
                                .float_input = b->input != NULL,
                                .cache_dir = b->cache,
                                .device = b->device,
                                .memory = b->memory};
    for (int32_t i = 0; i < b->batch_count; i++) {
        params.max_batch = b->batches[i] > params.max_batch ? b->batches[i] : params.max_batch;
        params.batches[i] = b->batches[i];
    }
    bench_require(vrs_precision_parse(name, &params.precision));
    vrs_engine *engine = NULL;
    int64_t begin = vrs_now_ns();
    vrs_status status = vrs_engine_create(b->engine, b->model, &params, &engine);
    if (status != VRS_OK) {
        fprintf(stderr, "bench_engine: %s: %s\n", name, vrs_last_error());
        return;
    }
    vrs_memory_stats stats;
    vrs_memory_get_stats(b->memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    printf(
        "{\"precision\": \"%s\", \"engine\": \"%s\", \"compile_s\": %.2f, \"weights_mb\": %.1f, "
        "\"arena_mb\": %.1f, \"workspace_mb\": %.1f, \"libraries_mb\": %.1f, \"all_mb\": %.1f}\n",
        name, vrs_engine_describe(engine), (double)(vrs_now_ns() - begin) / 1e9,
        (double)stats.owners[VRS_MEMORY_WEIGHTS].used / 1e6,
        (double)stats.owners[VRS_MEMORY_ARENA].used / 1e6,
        (double)stats.owners[VRS_MEMORY_WORKSPACE].used / 1e6,
        (double)stats.owners[VRS_MEMORY_LIBRARIES].used / 1e6, (double)stats.used / 1e6);
    for (int32_t i = 0; i < b->batch_count; i++)
        run_batch(b, engine, name, b->batches[i]);
    for (int32_t i = 0; b->verify && i < b->batch_count; i++)
        bench_require(vrs_engine_verify(engine, b->batches[i], 1, print_check, NULL));
    if (b->nodes)
        vrs_engine_visit_nodes(engine, print_node, NULL);
    vrs_engine_destroy(engine);
}

static const char *value_of(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 2; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

static bool has_flag(int argc, char **argv, const char *name)
{
    bool found = false;
    for (int i = 2; i < argc; i++)
        found = found || strcmp(argv[i], name) == 0;
    return found;
}

static void parse_batches(bench *b, const char *text)
{
    char *end = NULL;
    for (const char *c = text; *c && b->batch_count < MOST; c = *end == ',' ? end + 1 : end) {
        long n = strtol(c, &end, 10);
        if (end == c || n < 1 || n > 16) {
            fprintf(stderr, "bench_engine: --batch takes numbers of 1 to 16 with commas\n");
            exit(EXIT_FAILURE);
        }
        b->batches[b->batch_count++] = (int32_t)n;
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_engine MODEL.yaml [options]; see bench/engine.c\n");
        return EXIT_FAILURE;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* what was measured shows, whatever ends it */
    bench b = {.engine = value_of(argc, argv, "--engine", "cuda"),
               .cache = value_of(argc, argv, "--cache", NULL),
               .input = value_of(argc, argv, "--input", NULL),
               .dump = value_of(argc, argv, "--dump", NULL),
               .rounds = atoi(value_of(argc, argv, "--rounds", "15")),
               .nodes = has_flag(argc, argv, "--nodes"),
               .verify = has_flag(argc, argv, "--verify")};
    b.threads = atoi(value_of(argc, argv, "--threads", "0"));
    b.threads = b.threads < 1 ? vrs_cpu_count() : b.threads;
    if (has_flag(argc, argv, "--verbose"))
        vrs_log_set(NULL, NULL, VRS_LOG_DEBUG);
    b.rounds = b.rounds < 1 ? 1 : b.rounds > 1024 ? 1024 : b.rounds;
    parse_batches(&b, value_of(argc, argv, "--batch", "1,4,8,16"));
    bench_require(vrs_device_open(value_of(argc, argv, "--device", "cuda"), &b.device));
    vrs_memory_settings settings = {0};
    bench_require(vrs_memory_create(b.device, &settings, &b.memory));
    bench_require(vrs_device_stream_create(b.device, VRS_PRIORITY_NORMAL, &b.stream));
    bench_require(vrs_device_event_create(b.device, true, &b.begin));
    bench_require(vrs_device_event_create(b.device, true, &b.end));
    bench_require(vrs_model_load(argv[1], &b.model));
    char precisions[64];
    snprintf(precisions, sizeof precisions, "%s", value_of(argc, argv, "--precision", "f16"));
    char *rest = NULL;
    for (char *p = strtok_r(precisions, ",", &rest); p; p = strtok_r(NULL, ",", &rest))
        run_precision(&b, p);
    vrs_model_destroy(b.model);
    vrs_device_event_destroy(b.begin);
    vrs_device_event_destroy(b.end);
    vrs_device_stream_destroy(b.stream);
    vrs_memory_destroy(b.memory);
    vrs_device_close(b.device);
    return EXIT_SUCCESS;
}
