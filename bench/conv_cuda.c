/* Speed of the CUDA convolutions at the layers of DeepLabV3+ ResNet-50 at 512x512, as JSON for
 * bench/store.py. Beside each stands cuDNN's time for the same layers where it was given by
 * --peers FILE: lines of a row's name, a tab and microseconds, as peers/cudnn_convs.py prints them.
 *
 * A round is CALLS calls on the same data, captured as one CUDA graph: what of the data stays in
 * the second-level cache does so in the network too. Values are medians of rounds. "limit" is the
 * larger of the bytes (in and out once) at 4.28 TB/s and of the operations at 744 TFLOP/s, both
 * measured on an H200 (a device copy and a product of matrices of 8192 by cuBLAS).
 *
 * Before timing, SAMPLES values of each row are compared with the reference.
 *
 * Usage: bench_conv_cuda [--device NAME] [--only TEXT] [--rounds N] [--peers FILE] [--batch N] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/cuda.h"
#include "device/monitor.h"
#include "device/raw.h"
#include "kernels/cuda/conv_launch.h"
#include "kernels/half.h"
#include "kernels/reference/conv.h"
#include "support.h"

#define CALLS 20
#define SAMPLES 300
#define BYTES_PER_US 4.28e6
#define FLOP_PER_US 744e6

const char bench_name[] = "conv_cuda";

typedef struct bench {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_event *begin, *end;
    const vrs_cu_api *api;
    vrs_cuda_conv conv;
    const char *only, *peers;
    int rounds, batch;
    bool first;   /* no row was printed yet */
    int failures; /* rows with wrong values */
    uint64_t random;
} bench;

/* Device memory and what it holds. */
typedef struct tensor {
    uint16_t *host;
    vrs_device_ptr device;
    size_t count;
} tensor;

/* A thing to time. */
typedef struct job {
    bench *b;
    void (*run)(const struct job *job);
    char name[96];
    double bytes, flop;
    vrs_cuda_conv_desc desc;
    vrs_cuda_conv_kernel kernel;
    vrs_taps_plan plan;
    tensor input, weights[VRS_CONV_BRANCHES], residual, output[VRS_CONV_BRANCHES];
    vrs_device_ptr bias, table, workspace;
    float *host_bias;
} job;

static void *take(size_t bytes)
{
    void *block = malloc(bytes);
    if (block == NULL) {
        fprintf(stderr, "conv_cuda: no memory\n");
        exit(EXIT_FAILURE);
    }
    return block;
}

static uint32_t next(bench *b)
{
    b->random = b->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (uint32_t)(b->random >> 33);
}

static void finish(const bench *b)
{
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
}

/* Half of the values 0 where `sparse`, as behind a ReLU; the others up to `size`. */
static tensor make(bench *b, size_t count, float size, bool sparse)
{
    tensor t = {.host = take(count * 2), .count = count};
    for (size_t i = 0; i < count; i++) {
        const uint32_t r = next(b);
        const float value = ((float)(r & 0xffff) / 32768.0F - 1.0F) * size;
        t.host[i] = sparse && value < 0 ? 0 : vrs_half_from_float(value);
    }
    bench_require(vrs_device_raw_alloc(b->device, count * 2, &t.device));
    bench_require(vrs_device_upload(b->stream, t.device, t.host, count * 2));
    finish(b);
    return t;
}

static void drop(bench *b, tensor *t)
{
    vrs_device_raw_free(b->device, t->device);
    free(t->host);
    *t = (tensor){0};
}

static vrs_device_ptr upload(bench *b, const void *from, size_t bytes)
{
    vrs_device_ptr at = 0;
    bench_require(vrs_device_raw_alloc(b->device, bytes, &at));
    bench_require(vrs_device_upload(b->stream, at, from, bytes));
    finish(b);
    return at;
}

static void make_bias(job *j, size_t count)
{
    j->host_bias = take(count * sizeof(float));
    for (size_t i = 0; i < count; i++)
        j->host_bias[i] = (float)(next(j->b) & 0xffff) / 65536.0F - 0.5F;
    j->bias = upload(j->b, j->host_bias, count * sizeof(float));
}

/* ---- rounds ---- */

static vrs_cu_graph_exec capture(const job *j)
{
    const vrs_cu_api *api = j->b->api;
    vrs_cu_stream stream = vrs_device_stream_handle(j->b->stream);
    vrs_cu_graph graph = NULL;
    vrs_cu_graph_exec made = NULL;
    bench_require_cuda(api->capture_begin(stream, VRS_CU_CAPTURE_THREAD_LOCAL), "capture");
    for (int i = 0; i < CALLS; i++)
        j->run(j);
    bench_require_cuda(api->capture_end(stream, &graph), "end of the capture");
    bench_require_cuda(api->graph_instantiate(&made, graph, 0), "graph");
    bench_require_cuda(api->graph_destroy(graph), "graph");
    return made;
}

static double peer_of(const bench *b, const char *name)
{
    FILE *file = b->peers != NULL ? fopen(b->peers, "r") : NULL;
    char line[256];
    double found = 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *tab = strchr(line, '\t');
        const size_t length = tab != NULL ? (size_t)(tab - line) : 0;
        if (length > 0 && strncmp(line, name, length) == 0 &&
            (name[length] == ',' || name[length] == '\0'))
            found = strtod(tab + 1, NULL);
    }
    if (file != NULL)
        (void)fclose(file);
    return found;
}

static void time_job(const job *j)
{
    bench *b = j->b;
    vrs_cu_stream stream = vrs_device_stream_handle(b->stream);
    vrs_cu_graph_exec graph = capture(j);
    double runs[BENCH_MOST_ROUNDS];
    for (int i = -2; i < b->rounds; i++) {
        double ms = 0;
        bench_require(vrs_device_event_record(b->begin, b->stream));
        bench_require_cuda(b->api->graph_launch(graph, stream), "graph");
        bench_require(vrs_device_event_record(b->end, b->stream));
        bench_require(vrs_device_event_wait(b->end));
        bench_require(vrs_device_event_elapsed(b->begin, b->end, &ms));
        if (i >= 0)
            runs[i] = ms * 1e3 / CALLS;
    }
    bench_require_cuda(b->api->graph_exec_destroy(graph), "graph");
    qsort(runs, (size_t)b->rounds, sizeof(*runs), bench_ascending);
    const double by_bytes = j->bytes / BYTES_PER_US, by_flop = j->flop / FLOP_PER_US;
    const double peer = peer_of(b, j->name);
    printf("%s\n  {\"name\": \"%s\", \"value\": %.5g, \"unit\": \"us\", \"better\": \"lower\", "
           "\"limit\": %.5g",
           b->first ? "" : ",", j->name, runs[b->rounds / 2], fmax(by_bytes, by_flop));
    if (peer > 0)
        printf(", \"peer\": \"cuDNN\", \"peer_value\": %.5g", peer);
    printf(", \"runs\": [%.5g, %.5g]}", runs[0], runs[b->rounds - 1]);
    (void)fflush(stdout);
    b->first = false;
}

/* ---- checks ---- */

/* Whether a value is right; says so once where it is not. */
static bool check_value(const job *j, uint16_t got, double expected, double size, size_t at)
{
    const double value = (double)vrs_half_to_float(got);
    if (fabs(value - expected) <= fabs(expected) * 0x1p-10 + size * 0x1p-20 + 1e-6)
        return true;
    fprintf(stderr, "conv_cuda: %s: %g instead of %g at %zu\n", j->name, value, expected, at);
    j->b->failures++;
    return false;
}

static void download(const job *j, tensor *output)
{
    bench_require(vrs_device_fill(j->b->stream, output->device, 0xff, output->count * 2));
    j->run(j);
    bench_require(
        vrs_device_download(j->b->stream, output->host, output->device, output->count * 2));
    finish(j->b);
}

/* Values of a branch of the job, which is a convolution, by chance. */
static void check_conv(job *j, int branch, int32_t dilation)
{
    const vrs_cuda_conv_desc *d = &j->desc;
    vrs_cuda_conv_desc described = *d;
    described.pad[0] = dilation * (d->r / 2);
    described.pad[1] = dilation * (d->s / 2);
    described.dilation[0] = described.dilation[1] = dilation;
    vrs_conv_params p = vrs_conv_reference_params(&described);
    p.input = (uint64_t)(uintptr_t)j->input.host;
    p.weights = (uint64_t)(uintptr_t)j->weights[branch].host;
    p.bias = (uint64_t)(uintptr_t)j->host_bias;
    p.residual = d->residual ? (uint64_t)(uintptr_t)j->residual.host : 0;
    download(j, &j->output[branch]);
    for (int i = 0; i < SAMPLES; i++) {
        const size_t at = (size_t)(next(j->b) & 0x7fffffff) % j->output[branch].count;
        const int32_t k = (int32_t)(at % (size_t)d->k), pixel = (int32_t)(at / (size_t)d->k);
        double size;
        const double value =
            vrs_conv_reference_at(&p, pixel / d->out_w / d->out_h, pixel / d->out_w % d->out_h,
                                  pixel % d->out_w, k, &size);
        if (!check_value(j, j->output[branch].host[at], value, size, at))
            return;
    }
}

/* ---- convolutions ---- */

static void run_conv(const job *j)
{
    const vrs_cuda_conv_buffers buffers = {.input = j->input.device,
                                           .weights = j->weights[0].device,
                                           .bias = j->bias,
                                           .residual = j->residual.device,
                                           .output = j->output[0].device};
    bench_require(vrs_cuda_conv_launch(&j->b->conv, j->b->stream, &j->desc, j->kernel, &buffers));
}

static size_t pixels(int32_t n, int32_t h, int32_t w)
{
    return (size_t)n * (size_t)h * (size_t)w;
}

static void close_job(job *j)
{
    drop(j->b, &j->input);
    drop(j->b, &j->residual);
    for (int i = 0; i < VRS_CONV_BRANCHES; i++) {
        drop(j->b, &j->weights[i]);
        drop(j->b, &j->output[i]);
    }
    vrs_device_raw_free(j->b->device, j->bias);
    vrs_device_raw_free(j->b->device, j->table);
    vrs_device_raw_free(j->b->device, j->workspace);
    vrs_taps_plan_destroy(&j->plan);
    free(j->host_bias);
}

/* A layer by all kernels that can do it. */
static void bench_conv(bench *b, const char *layer, const vrs_cuda_conv_desc *desc)
{
    static const char *const names[] = {"mma", "point"};
    if (b->only != NULL && strstr(layer, b->only) == NULL)
        return;
    const size_t in = pixels(desc->n, desc->h, desc->w) * (size_t)desc->c;
    const size_t out = pixels(desc->n, desc->out_h, desc->out_w) * (size_t)desc->k;
    const size_t filter = (size_t)desc->r * (size_t)desc->s * (size_t)desc->k * (size_t)desc->c;
    job j = {.b = b,
             .run = run_conv,
             .desc = *desc,
             .bytes = (double)(in + filter + out * (desc->residual ? 2 : 1)) * 2,
             .flop = 2 * (double)out * (double)desc->c * desc->r * desc->s};
    j.input = make(b, in, 1, true);
    j.weights[0] = make(b, filter, 1 / sqrtf((float)(desc->c * desc->r * desc->s)), false);
    j.output[0] = make(b, out, 1, false);
    if (desc->residual)
        j.residual = make(b, out, 1, true);
    make_bias(&j, (size_t)desc->k);
    for (int kernel = 0; kernel < VRS_CUDA_CONV_KERNELS; kernel++) {
        j.kernel = (vrs_cuda_conv_kernel)kernel;
        if (!vrs_cuda_conv_supported(&b->conv, desc, j.kernel))
            continue;
        (void)snprintf(j.name, sizeof(j.name), "%s, B%d, %s", layer, desc->n, names[kernel]);
        check_conv(&j, 0, desc->dilation[0]);
        time_job(&j);
    }
    close_job(&j);
}

static vrs_cuda_conv_desc layer(int32_t n, int32_t side, int32_t c, int32_t k, int32_t filter,
                                bool residual)
{
    return (vrs_cuda_conv_desc){.n = n,
                                .h = side,
                                .w = side,
                                .c = c,
                                .out_h = side,
                                .out_w = side,
                                .k = k,
                                .r = filter,
                                .s = filter,
                                .stride = {1, 1},
                                .pad = {filter / 2, filter / 2},
                                .dilation = {1, 1},
                                .residual = residual,
                                .relu = true};
}

static void bench_layers(bench *b, int32_t n)
{
    const struct {
        const char *name;
        int32_t side, c, k, filter;
        bool residual;
    } layers[] = {
        {"l1 1x1 64-64", 128, 64, 64, 1, false},
        {"l1 1x1 64-256 down", 128, 64, 256, 1, false},
        {"l1 1x1 64-256 add", 128, 64, 256, 1, true},
        {"l1 1x1 256-64", 128, 256, 64, 1, false},
        {"l2 1x1 256-128", 128, 256, 128, 1, false},
        {"l2 1x1 128-512 add", 64, 128, 512, 1, true},
        {"l2 1x1 512-128", 64, 512, 128, 1, false},
        {"l3 1x1 512-256", 64, 512, 256, 1, false},
        {"l3 1x1 256-1024 add", 32, 256, 1024, 1, true},
        {"l3 1x1 1024-256", 32, 1024, 256, 1, false},
        {"l4 1x1 1024-512", 32, 1024, 512, 1, false},
        {"l4 1x1 1024-2048 down", 32, 1024, 2048, 1, false},
        {"l4 1x1 512-2048 add", 32, 512, 2048, 1, true},
        {"l4 1x1 2048-512", 32, 2048, 512, 1, false},
        {"aspp 1x1 2048-256", 32, 2048, 256, 1, false},
        {"aspp 1x1 1280-256", 32, 1280, 256, 1, false},
        {"low 1x1 256-48", 128, 256, 48, 1, false},
        {"l3 3x3 256", 32, 256, 256, 3, false},
    };
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
        const vrs_cuda_conv_desc desc = layer(n, layers[i].side, layers[i].c, layers[i].k,
                                              layers[i].filter, layers[i].residual);
        bench_conv(b, layers[i].name, &desc);
    }
}

/* ---- dilated ones ---- */

static void run_taps(const job *j)
{
    vrs_taps_buffers buffers = {
        .input = j->input.device, .table = j->table, .workspace = j->workspace};
    for (int32_t i = 0; i < j->plan.desc.branches; i++) {
        buffers.weights[i] = j->weights[i].device;
        buffers.bias[i] = j->bias;
        buffers.output[i] = j->output[i].device;
    }
    bench_require(vrs_taps_launch(&j->b->conv, j->b->stream, &j->plan, &buffers));
}

static void bench_taps(bench *b, const char *name, int32_t n, int32_t branches,
                       const int32_t *dilation, vrs_taps_spread spread)
{
    if ((b->only != NULL && strstr(name, b->only) == NULL) || b->conv.taps[0] == NULL)
        return;
    vrs_taps_desc d = {.n = n,
                       .h = 32,
                       .w = 32,
                       .c = 2048,
                       .k = 256,
                       .branches = branches,
                       .relu = true,
                       .spread = spread};
    job j = {.b = b, .run = run_taps, .desc = layer(n, 32, 2048, 256, 3, false)};
    memcpy(d.dilation, dilation, (size_t)branches * sizeof(*dilation));
    bench_require(vrs_taps_plan_create(&b->conv, &d, &j.plan));
    const size_t in = pixels(n, 32, 32) * 2048, out = pixels(n, 32, 32) * 256;
    j.input = make(b, in, 1, true);
    make_bias(&j, 256);
    for (int32_t i = 0; i < branches; i++) {
        j.weights[i] = make(b, (size_t)9 * 256 * 2048, 0.01F, false);
        j.output[i] = make(b, out, 1, false);
        /* Exactly the taps inside, of each pixel. */
        const double inside = (3 - (double)dilation[i] / 16) * (3 - (double)dilation[i] / 16);
        j.flop += 2 * (double)out * 2048 * inside;
    }
    j.bytes = (double)(in + (size_t)branches * (out + (size_t)9 * 256 * 2048)) * 2;
    j.table = upload(b, j.plan.table, j.plan.table_bytes);
    if (j.plan.workspace_bytes > 0)
        bench_require(vrs_device_raw_alloc(b->device, j.plan.workspace_bytes, &j.workspace));
    (void)snprintf(j.name, sizeof(j.name), "%s, B%d, %s", name, n,
                   spread == VRS_TAPS_WHOLE ? "whole"
                   : spread == VRS_TAPS_CUT ? "cut"
                                            : "auto");
    for (int32_t i = 0; i < branches; i++)
        check_conv(&j, i, dilation[i]);
    time_job(&j);
    close_job(&j);
}

static void bench_aspp(bench *b, int32_t n)
{
    static const int32_t dilation[] = {6, 12, 18};
    static const char *const names[] = {"aspp 3x3 d6", "aspp 3x3 d12", "aspp 3x3 d18"};
    for (int spread = VRS_TAPS_AUTO; spread <= VRS_TAPS_CUT; spread++) {
        bench_taps(b, "aspp 3x3 d6+d12+d18", n, 3, dilation, (vrs_taps_spread)spread);
        for (int i = 0; i < 3; i++)
            bench_taps(b, names[i], n, 1, &dilation[i], (vrs_taps_spread)spread);
    }
    for (int i = 0; i < 3; i++) {
        vrs_cuda_conv_desc desc = layer(n, 32, 2048, 256, 3, false);
        desc.pad[0] = desc.pad[1] = desc.dilation[0] = desc.dilation[1] = dilation[i];
        bench_conv(b, names[i], &desc);
    }
}

/* ---- the stem ---- */

static void run_stem(const job *j)
{
    const vrs_stem_buffers buffers = {j->input.device, j->weights[1].device, j->bias,
                                      j->output[0].device};
    bench_require(vrs_stem_launch(&j->b->conv, j->b->stream, j->desc.n, 256, 256, &buffers));
}

/* Nine values of the convolution for each of the result. */
static void check_stem(job *j)
{
    const vrs_conv_params p = {.input = (uint64_t)(uintptr_t)j->input.host,
                               .weights = (uint64_t)(uintptr_t)j->weights[0].host,
                               .bias = (uint64_t)(uintptr_t)j->host_bias,
                               .n = j->desc.n,
                               .h = 256,
                               .w = 256,
                               .c = 16,
                               .out_h = 256,
                               .out_w = 256,
                               .k = 64,
                               .r = 4,
                               .s = 4,
                               .stride = {1, 1},
                               .pad = {2, 2},
                               .dilation = {1, 1},
                               .input_pitch = 16,
                               .relu = 1};
    download(j, &j->output[0]);
    for (int i = 0; i < SAMPLES * 10; i++) {
        const size_t at = (size_t)(next(j->b) & 0x7fffffff) % j->output[0].count;
        const int32_t pixel = (int32_t)(at / 64);
        double most = 0, size = 0;
        for (int tap = 0; tap < 9; tap++) {
            const int32_t y = pixel / 128 % 128 * 2 + tap / 3 - 1;
            const int32_t x = pixel % 128 * 2 + tap % 3 - 1;
            if (y >= 0 && x >= 0)
                most = fmax(most, vrs_conv_reference_at(&p, pixel / 16384, y, x, (int32_t)(at % 64),
                                                        &size));
        }
        if (!check_value(j, j->output[0].host[at], most, size, at))
            return;
    }
}

static void bench_stem(bench *b, int32_t n)
{
    if (b->only != NULL && strstr("stem", b->only) == NULL)
        return;
    job j = {.b = b, .run = run_stem, .desc = {.n = n}};
    const size_t in = pixels(n, 256, 256) * 16, out = pixels(n, 128, 128) * 64;
    j.input = make(b, in, 1, false);
    tensor plain = make(b, VRS_STEM_WEIGHTS, 0.1F, false);
    j.weights[0] = make(b, VRS_STEM_WEIGHTS, 0, false);
    j.weights[1] = make(b, VRS_STEM_WEIGHTS, 0, false);
    memcpy(j.weights[0].host, plain.host, (size_t)VRS_STEM_WEIGHTS * 2);
    vrs_stem_pack(plain.host, j.weights[1].host);
    bench_require(vrs_device_upload(b->stream, j.weights[1].device, j.weights[1].host,
                                    (size_t)VRS_STEM_WEIGHTS * 2));
    finish(b);
    j.output[0] = make(b, out, 1, false);
    make_bias(&j, 64);
    j.bytes = (double)(in + out) * 2;
    j.flop = 2 * (double)in * 64 * 16;
    (void)snprintf(j.name, sizeof(j.name), "stem with pool, B%d", n);
    check_stem(&j);
    time_job(&j);
    drop(b, &plain);
    close_job(&j);
}

static void print_head(const bench *b)
{
    const vrs_device_properties *p = vrs_device_get_properties(b->device);
    vrs_monitor *monitor = NULL;
    const char *driver = "unknown";
    if (vrs_monitor_open_pci(p->pci, &monitor) == VRS_OK)
        driver = vrs_monitor_driver(monitor);
    printf("{\"versions\": {\"gpu\": \"%s\", \"driver\": \"%s\", \"cuda\": \"%d.%d\"},\n"
           " \"rows\": [",
           p->name, driver, p->driver_version / 1000, p->driver_version % 1000 / 10);
    vrs_monitor_close(monitor);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

int main(int argc, char **argv)
{
    bench b = {.only = option(argc, argv, "--only", NULL),
               .peers = option(argc, argv, "--peers", NULL),
               .rounds = atoi(option(argc, argv, "--rounds", "15")),
               .batch = atoi(option(argc, argv, "--batch", "0")),
               .first = true,
               .random = 1};
    if (b.rounds < 1 || b.rounds > BENCH_MOST_ROUNDS) {
        fprintf(stderr, "conv_cuda: --rounds takes 1 to %d\n", BENCH_MOST_ROUNDS);
        return 2;
    }
    bench_require(vrs_device_open(option(argc, argv, "--device", "cuda"), &b.device));
    bench_require(vrs_device_stream_create(b.device, VRS_PRIORITY_NORMAL, &b.stream));
    bench_require(vrs_device_event_create(b.device, true, &b.begin));
    bench_require(vrs_device_event_create(b.device, true, &b.end));
    bench_require(vrs_device_enter(b.device));
    bench_require(vrs_cuda_conv_open(b.device, &b.conv));
    b.api = vrs_cuda_api(b.device);
    print_head(&b);
    for (int32_t n = 16; n >= 1; n = n == 16 ? 1 : 0) {
        if (b.batch != 0 && b.batch != n)
            continue;
        bench_stem(&b, n);
        bench_aspp(&b, n);
        bench_layers(&b, n);
    }
    printf("\n]}\n");
    vrs_device_leave(b.device);
    vrs_device_event_destroy(b.begin);
    vrs_device_event_destroy(b.end);
    vrs_device_stream_destroy(b.stream);
    vrs_device_close(b.device);
    return b.failures > 0;
}
