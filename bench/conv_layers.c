/* Every way that the engine's providers have to run the convolutions of DeepLabV3+ on ResNet-50 at
 * 512x512, timed: a line for each, JSON with --json.
 *
 * A figure is the least of several replays of a CUDA graph of 20 runs on the same data, half of the
 * activations zero: what a layer costs between others. "floor" is the larger of its bytes at the
 * rate of --bandwidth (4.3 TB/s) and its operations at --peak (TFLOP/s; 744, FP16's of an H200).
 * With --check the results are compared with the plain kernels'.
 *
 * Usage: bench_conv_layers [--batch N] [--type f16|tf32|f32|i8] [--only TEXT] [--provider NAME]
 *        [--check] [--json] [--saving] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "device/cuda/cuda.h"
#include "device/raw.h"
#include "engine/cuda/conv.h"
#include "kernels/cuda/net_ops.h"
#include "support.h"

#define RUNS 20
#define REPLAYS 7
#define CHECKED ((size_t)1 << 20) /* elements that are compared at most */

const char bench_name[] = "conv_layers";

typedef struct layer {
    const char *name;
    int32_t in_channels, size, out_channels, kernel, stride, dilation;
    bool residual;
    int32_t count;     /* in the network */
    int32_t act, head; /* 1: no activation; channels of a head behind it */
    bool pool;         /* a 3x3 max-pool of stride 2 behind it */
} layer;

static const layer layers[] = {
    {"stem 4x4 16-64 @256", 16, 256, 64, 4, 1, 1, false, 1, 0, 0, false},
    {"stem 4x4 16-64 @256 +pool", 16, 256, 64, 4, 1, 1, false, 0, 0, 0, true},
    {"l1 1x1 64-64 @128", 64, 128, 64, 1, 1, 1, false, 1, 0, 0, false},
    {"l1 3x3 64-64", 64, 128, 64, 3, 1, 1, false, 3, 0, 0, false},
    {"l1 1x1 64-256 down", 64, 128, 256, 1, 1, 1, false, 1, 1, 0, false},
    {"l1 1x1 64-256 +add", 64, 128, 256, 1, 1, 1, true, 3, 0, 0, false},
    {"l1 1x1 256-64", 256, 128, 64, 1, 1, 1, false, 2, 0, 0, false},
    {"l2 1x1 256-128 @128", 256, 128, 128, 1, 1, 1, false, 1, 0, 0, false},
    {"l2 3x3 128 s2", 128, 128, 128, 3, 2, 1, false, 1, 0, 0, false},
    {"l2 1x1 256-512 s2 down", 256, 128, 512, 1, 2, 1, false, 1, 1, 0, false},
    {"l2 1x1 128-512 +add @64", 128, 64, 512, 1, 1, 1, true, 4, 0, 0, false},
    {"l2 1x1 512-128", 512, 64, 128, 1, 1, 1, false, 3, 0, 0, false},
    {"l2 3x3 128", 128, 64, 128, 3, 1, 1, false, 3, 0, 0, false},
    {"l3 1x1 512-256 @64", 512, 64, 256, 1, 1, 1, false, 1, 0, 0, false},
    {"l3 3x3 256 s2", 256, 64, 256, 3, 2, 1, false, 1, 0, 0, false},
    {"l3 1x1 512-1024 s2 down", 512, 64, 1024, 1, 2, 1, false, 1, 1, 0, false},
    {"l3 1x1 256-1024 +add @32", 256, 32, 1024, 1, 1, 1, true, 6, 0, 0, false},
    {"l3 1x1 1024-256", 1024, 32, 256, 1, 1, 1, false, 5, 0, 0, false},
    {"l3 3x3 256", 256, 32, 256, 3, 1, 1, false, 5, 0, 0, false},
    {"l4 1x1 1024-512", 1024, 32, 512, 1, 1, 1, false, 1, 0, 0, false},
    {"l4 3x3 512", 512, 32, 512, 3, 1, 1, false, 1, 0, 0, false},
    {"l4 1x1 1024-2048 down", 1024, 32, 2048, 1, 1, 1, false, 1, 1, 0, false},
    {"l4 1x1 512-2048 +add", 512, 32, 2048, 1, 1, 1, true, 3, 0, 0, false},
    {"l4 1x1 2048-512", 2048, 32, 512, 1, 1, 1, false, 2, 0, 0, false},
    {"l4 3x3 512 d2", 512, 32, 512, 3, 1, 2, false, 2, 0, 0, false},
    {"aspp 1x1 2048-256", 2048, 32, 256, 1, 1, 1, false, 1, 0, 0, false},
    {"aspp 3x3 2048-256 d6", 2048, 32, 256, 3, 1, 6, false, 1, 0, 0, false},
    {"aspp 3x3 2048-256 d12", 2048, 32, 256, 3, 1, 12, false, 1, 0, 0, false},
    {"aspp 3x3 2048-256 d18", 2048, 32, 256, 3, 1, 18, false, 1, 0, 0, false},
    {"aspp 1x1 1280-256", 1280, 32, 256, 1, 1, 1, false, 1, 0, 0, false},
    {"low 1x1 256-48 @128", 256, 128, 48, 1, 1, 1, false, 1, 0, 0, false},
    {"dec 3x3 304-256", 304, 128, 256, 3, 1, 1, false, 1, 0, 0, false},
    {"dec 3x3 256-256", 256, 128, 256, 3, 1, 1, false, 1, 0, 0, false},
    {"dec 3x3 256-256 +head", 256, 128, 256, 3, 1, 1, false, 0, 0, 2, false},
    {"head 1x1 256-2", 256, 128, 2, 1, 1, 1, false, 1, 1, 0, false},
};

#define LAYERS (sizeof layers / sizeof layers[0])

static const vrs_conv_provider *const providers[] = {&vrs_conv_tiles, &vrs_conv_cudnn,
                                                     &vrs_conv_direct};

#define PROVIDERS (sizeof providers / sizeof providers[0])

typedef struct bench {
    vrs_device *device;
    vrs_device_stream *stream;
    vrs_device_event *begin, *end;
    const vrs_cu_api *api;
    void *states[PROVIDERS];
    const char *only, *provider;
    int32_t batch, type, tf32;
    bool check, json, saving;
    double bandwidth, peak;
} bench;

static void *take(size_t bytes)
{
    void *block = calloc(1, bytes);
    if (!block) {
        fprintf(stderr, "conv_layers: no memory\n");
        exit(EXIT_FAILURE);
    }
    return block;
}

static size_t element_bytes(int32_t type)
{
    return type == VRS_NET_F32 ? 4 : type == VRS_NET_F16 ? 2 : 1;
}

/* ---- data ---- */

/* Triangular in -1..1, half of it cut to zero if `positive`, times `scale`. */
static float random_value(uint64_t *state, bool positive)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    float v = ((float)(*state >> 40 & 255) + (float)(*state >> 48 & 255) - 255.0f) / 255.0f;
    return positive && v < 0 ? 0 : v;
}

static vrs_device_ptr make(bench *b, size_t count, int32_t type, bool positive, float scale)
{
    vrs_device_ptr at;
    size_t bytes = count * element_bytes(type) + 256;
    bench_require(vrs_device_raw_alloc(b->device, bytes, &at));
    void *host = take(bytes);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < count; i++) {
        float v = random_value(&state, positive);
        vrs_net_store((uint64_t)(uintptr_t)host, type, (int64_t)i,
                      type == VRS_NET_I8 ? v * 127.0f : v * scale);
    }
    bench_require(vrs_device_upload(b->stream, at, host, bytes));
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
    free(host);
    return at;
}

static vrs_conv describe(const bench *b, const layer *l)
{
    int32_t pad = l->kernel == 4 ? 2 : l->dilation * (l->kernel / 2);
    int32_t out = l->kernel == 4
                      ? l->size
                      : (l->size + 2 * pad - l->dilation * (l->kernel - 1) - 1) / l->stride + 1;
    vrs_conv c = {.batch = b->batch,
                  .in_height = l->size,
                  .in_width = l->size,
                  .in_channels = l->in_channels,
                  .in_pitch = l->in_channels,
                  .out_height = out,
                  .out_width = out,
                  .out_channels = l->out_channels,
                  .out_pitch = l->head ? l->head : l->out_channels,
                  .residual_pitch = l->residual ? l->out_channels : 0,
                  .residual_type = l->residual ? b->type : VRS_NET_F32,
                  .kernel = {l->kernel, l->kernel},
                  .stride = {l->stride, l->stride},
                  .dilation = {l->dilation, l->dilation},
                  .pad_before = {pad, pad},
                  .groups = 1,
                  .in_type = b->type,
                  .out_type = l->head || l->out_channels == 2 ? VRS_NET_F32 : b->type,
                  .tf32 = b->tf32,
                  .act = {.kind = l->act ? VRS_NET_ACT_NONE : VRS_NET_ACT_RELU},
                  .scaled = b->type == VRS_NET_I8,
                  .residual_scale = 1,
                  .out_quantum = 1};
    if (l->head) {
        c.follow = VRS_CONV_FOLLOW_HEAD;
        c.head_channels = l->head;
    } else if (l->pool) {
        c.follow = VRS_CONV_FOLLOW_MAX_POOL;
        for (int i = 0; i < 2; i++) {
            c.pool_kernel[i] = 3;
            c.pool_stride[i] = 2;
            c.pool_pad[i] = 1;
        }
        c.pool_height = c.pool_width = (out + 1) / 2;
    }
    return c;
}

static size_t result_elements(const vrs_conv *c)
{
    bool pool = c->follow == VRS_CONV_FOLLOW_MAX_POOL;
    int64_t pixels =
        pool ? (int64_t)c->pool_height * c->pool_width : (int64_t)c->out_height * c->out_width;
    return (size_t)(c->batch * pixels * c->out_pitch);
}

static size_t weight_elements(const vrs_conv *c)
{
    return (size_t)c->out_channels * (size_t)(c->kernel[0] * c->kernel[1]) *
           (size_t)(c->in_channels / c->groups);
}

typedef struct data {
    vrs_conv_args args;
    vrs_device_ptr y, reference;
    size_t elements;
} data;

static data make_data(bench *b, const vrs_conv *c)
{
    size_t k = (size_t)c->out_channels;
    float scale = 1.7f / sqrtf((float)(c->kernel[0] * c->kernel[1] * c->in_channels));
    data d = {.elements = result_elements(c)};
    size_t in = (size_t)c->batch * (size_t)(c->in_height * c->in_width) * (size_t)c->in_pitch;
    size_t out = (size_t)c->batch * (size_t)(c->out_height * c->out_width) * k;
    d.args.x = make(b, in, c->in_type, true, 1);
    d.args.weights = make(b, weight_elements(c), c->in_type, false, scale);
    d.args.bias = make(b, k, VRS_NET_F32, false, 0.1f);
    d.args.residual = c->residual_pitch ? make(b, out, c->out_type, true, 1) : 0;
    d.args.scale = c->scaled ? make(b, k, VRS_NET_F32, true, 0.001f) : 0;
    if (c->head_channels) {
        size_t head = (size_t)c->head_channels;
        d.args.head_weights = make(b, head * k, c->in_type, false, 0.1f);
        d.args.head_bias = make(b, head, VRS_NET_F32, false, 0.1f);
    }
    d.args.y = make(b, d.elements, c->out_type, false, 1);
    return d;
}

static void free_data(bench *b, const data *d)
{
    const vrs_device_ptr all[] = {d->args.x,         d->args.weights, d->args.bias,
                                  d->args.residual,  d->args.scale,   d->args.head_weights,
                                  d->args.head_bias, d->args.y};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        vrs_device_raw_free(b->device, all[i]);
}

/* ---- running ---- */

static vrs_cu_graph_exec capture(bench *b, const vrs_conv_plan *plan, const vrs_conv_args *args)
{
    vrs_cu_stream stream = vrs_device_stream_handle(b->stream);
    vrs_cu_graph graph = NULL;
    vrs_cu_graph_exec exec = NULL;
    bench_require(vrs_device_enter(b->device));
    bench_require_cuda(b->api->capture_begin(stream, VRS_CU_CAPTURE_THREAD_LOCAL), "capture");
    vrs_status status = VRS_OK;
    for (int i = 0; i < RUNS && status == VRS_OK; i++)
        status = plan->provider->enqueue(plan, args, b->stream);
    vrs_cu_result result = b->api->capture_end(stream, &graph);
    if (status == VRS_OK && result == VRS_CU_SUCCESS)
        bench_require_cuda(b->api->graph_instantiate(&exec, graph, 0), "instantiate");
    if (graph)
        (void)b->api->graph_destroy(graph);
    vrs_device_leave(b->device);
    return exec;
}

/* Microseconds of one run; below 0: it failed. */
static double measure(bench *b, const vrs_conv_plan *plan, const vrs_conv_args *args)
{
    if (plan->provider->enqueue(plan, args, b->stream) != VRS_OK)
        return -1;
    vrs_cu_graph_exec exec = capture(b, plan, args);
    double least = INFINITY;
    for (int i = 0; exec && i < REPLAYS; i++) {
        double ms;
        bench_require(vrs_device_event_record(b->begin, b->stream));
        bench_require(vrs_device_enter(b->device));
        bench_require_cuda(b->api->graph_launch(exec, vrs_device_stream_handle(b->stream)),
                           "launch");
        vrs_device_leave(b->device);
        bench_require(vrs_device_event_record(b->end, b->stream));
        bench_require(vrs_device_event_wait(b->end));
        bench_require(vrs_device_event_elapsed(b->begin, b->end, &ms));
        least = ms < least ? ms : least;
    }
    if (exec) {
        bench_require(vrs_device_enter(b->device));
        (void)b->api->graph_exec_destroy(exec);
        vrs_device_leave(b->device);
    }
    return exec ? least * 1000 / RUNS : -1;
}

static void download(bench *b, vrs_device_ptr from, void *to, size_t bytes)
{
    bench_require(vrs_device_download(b->stream, to, from, bytes));
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
}

/* Root mean square of the difference over that of the reference, on the end of the result. */
static double difference(bench *b, const vrs_conv *c, const data *d, const void *reference)
{
    size_t count = d->elements < CHECKED ? d->elements : CHECKED, size = element_bytes(c->out_type);
    void *found = take(count * size);
    download(b, d->args.y + (d->elements - count) * size, found, count * size);
    double sum = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        double a = (double)vrs_net_load((uint64_t)(uintptr_t)found, c->out_type, (int64_t)i);
        double r = (double)vrs_net_load((uint64_t)(uintptr_t)reference, c->out_type, (int64_t)i);
        sum += (a - r) * (a - r);
        all += r * r;
    }
    free(found);
    return all > 0 ? sqrt(sum / all) : sqrt(sum);
}

static double floor_us(const bench *b, const vrs_conv *c)
{
    double size = (double)element_bytes(c->in_type);
    double in = (double)c->batch * c->in_height * c->in_width * c->in_channels;
    double out = (double)result_elements(c);
    double bytes = (in + (double)weight_elements(c) + out * (c->residual_pitch ? 2 : 1)) * size;
    double flops =
        2.0 * (double)c->batch * c->out_height * c->out_width * (double)weight_elements(c);
    return fmax(bytes / b->bandwidth, flops / b->peak) / 1e6;
}

/* The result of the plain kernels, where they can run it. */
static void *make_reference(bench *b, const vrs_conv *c, data *d)
{
    vrs_conv_plan *plan;
    size_t last = PROVIDERS - 1, size = element_bytes(c->out_type);
    if (!b->check || providers[last]->candidates(b->states[last], c) == 0)
        return NULL;
    bench_require(providers[last]->prepare(b->states[last], c, 0, &plan));
    bench_require(plan->provider->enqueue(plan, &d->args, b->stream));
    size_t count = d->elements < CHECKED ? d->elements : CHECKED;
    void *reference = take(count * size);
    download(b, d->args.y + (d->elements - count) * size, reference, count * size);
    providers[last]->destroy(plan);
    return reference;
}

static vrs_device_ptr put(bench *b, const void *from, size_t bytes)
{
    vrs_device_ptr at;
    bench_require(vrs_device_raw_alloc(b->device, bytes, &at));
    bench_require(vrs_device_upload(b->stream, at, from, bytes));
    bench_require(vrs_device_event_record(b->end, b->stream));
    bench_require(vrs_device_event_wait(b->end));
    return at;
}

static vrs_device_ptr pack(bench *b, const vrs_conv_plan *plan, const vrs_conv *c,
                           vrs_device_ptr weights)
{
    if (plan->packing[0] == 0)
        return weights;
    size_t bytes = weight_elements(c) * element_bytes(c->in_type);
    size_t packed_bytes = plan->provider->packed_bytes(plan);
    void *from = take(bytes), *to = take(packed_bytes);
    download(b, weights, from, bytes);
    plan->provider->pack(plan, from, to);
    vrs_device_ptr at = put(b, to, packed_bytes);
    free(from);
    free(to);
    return at;
}

static vrs_device_ptr make_table(bench *b, const vrs_conv_plan *plan)
{
    size_t bytes = plan->provider->table_bytes ? plan->provider->table_bytes(plan) : 0;
    if (bytes == 0)
        return 0;
    void *table = take(bytes);
    plan->provider->make_table(plan, table);
    vrs_device_ptr at = put(b, table, bytes);
    free(table);
    return at;
}

/* One candidate: a line; its time, or infinity. */
static double try_plan(bench *b, const layer *l, const vrs_conv *c, const data *d,
                       const vrs_conv_plan *plan, const void *reference)
{
    vrs_conv_args args = d->args;
    args.weights = pack(b, plan, c, d->args.weights);
    args.table = make_table(b, plan);
    bench_require(vrs_device_raw_alloc(b->device, plan->workspace + 256, &args.workspace));
    bench_require(
        vrs_device_fill(b->stream, args.y, 0xff, d->elements * element_bytes(c->out_type)));
    double us = measure(b, plan, &args);
    double off = us > 0 && reference ? difference(b, c, d, reference) : 0;
    if (us < 0) {
        printf("  %-26s %-8s %-20s failed: %s\n", l->name, plan->provider->name, plan->name,
               vrs_last_error());
    } else if (b->json) {
        printf("{\"layer\": \"%s\", \"batch\": %d, \"provider\": \"%s\", \"plan\": \"%s\", "
               "\"us\": %.2f, \"floor_us\": %.2f, \"off\": %.2e, \"workspace\": %zu}\n",
               l->name, c->batch, plan->provider->name, plan->name, us, floor_us(b, c), off,
               plan->workspace);
    } else {
        printf("  %-26s n=%-2d %-8s %-20s %8.2f us  floor %7.2f  off %.1e  ws %zu%s\n", l->name,
               c->batch, plan->provider->name, plan->name, us, floor_us(b, c), off, plan->workspace,
               plan->tensor_cores ? " tc" : "");
    }
    vrs_device_raw_free(b->device, args.workspace);
    if (args.table != 0)
        vrs_device_raw_free(b->device, args.table);
    if (args.weights != d->args.weights)
        vrs_device_raw_free(b->device, args.weights);
    return us < 0 ? INFINITY : us;
}

static double seconds_since(int64_t begin)
{
    return (double)(vrs_now_ns() - begin) / 1e9;
}

/* How long a plan takes to make, to save, and to make of what was saved; and how much that is. */
static void time_saving(const bench *b, const layer *l, const vrs_conv *c, size_t p, int32_t i,
                        double made)
{
    vrs_conv_plan *plan, *again;
    void *text;
    size_t bytes;
    bench_require(providers[p]->prepare(b->states[p], c, i, &plan));
    int64_t begin = vrs_now_ns();
    vrs_status status = providers[p]->save(plan, &text, &bytes);
    double saved = seconds_since(begin);
    if (status == VRS_OK) {
        begin = vrs_now_ns();
        status = providers[p]->restore(b->states[p], c, text, bytes, &again);
        printf("  %-26s %s: made in %.3f s, saved in %.3f s (%zu bytes), restored in %.3f s\n",
               l->name, plan->name, made, saved, bytes, seconds_since(begin));
        vrs_free(text);
    }
    if (status == VRS_OK)
        providers[p]->destroy(again);
    else
        printf("  %-26s %s: %s\n", l->name, plan->name, vrs_last_error());
    providers[p]->destroy(plan);
}

static double run_layer(bench *b, const layer *l)
{
    vrs_conv c = describe(b, l);
    data d = make_data(b, &c);
    void *reference = make_reference(b, &c, &d);
    double best = INFINITY;
    char name[160] = "nobody";
    for (size_t p = 0; p < PROVIDERS; p++) {
        bool plain = p == PROVIDERS - 1,
             wanted = !b->provider || strcmp(b->provider, providers[p]->name) == 0;
        if (!b->states[p] || !wanted || (plain && isfinite(best)))
            continue;
        int32_t count = providers[p]->candidates(b->states[p], &c);
        for (int32_t i = 0; i < count; i++) {
            vrs_conv_plan *plan;
            int64_t begin = vrs_now_ns();
            vrs_status status = providers[p]->prepare(b->states[p], &c, i, &plan);
            double made = seconds_since(begin);
            if (status != VRS_OK) {
                printf("  %-26s %-8s %d: %s\n", l->name, providers[p]->name, i, vrs_last_error());
                continue;
            }
            double us = try_plan(b, l, &c, &d, plan, reference);
            if (b->saving && providers[p]->save)
                time_saving(b, l, &c, p, i, made);
            if (us < best) {
                best = us;
                snprintf(name, sizeof name, "%s %s", providers[p]->name, plan->name);
            }
            providers[p]->destroy(plan);
        }
    }
    if (!b->json) {
        printf("%-26s n=%-2d best %8.2f us  floor %7.2f  %s\n", l->name, c.batch, best,
               floor_us(b, &c), name);
    }
    fflush(stdout);
    free(reference);
    free_data(b, &d);
    return best;
}

static bool flag(const char *argument, const char *name, int *i, int argc, char **argv,
                 const char **value)
{
    if (strcmp(argument, name) != 0 || *i + 1 >= argc)
        return false;
    *value = argv[++*i];
    return true;
}

static void parse(bench *b, int argc, char **argv)
{
    const char *value = NULL;
    for (int i = 1; i < argc; i++) {
        if (flag(argv[i], "--batch", &i, argc, argv, &value)) {
            b->batch = atoi(value);
        } else if (flag(argv[i], "--type", &i, argc, argv, &value)) {
            b->type = strcmp(value, "f16") == 0  ? VRS_NET_F16
                      : strcmp(value, "i8") == 0 ? VRS_NET_I8
                                                 : VRS_NET_F32;
            b->tf32 = strcmp(value, "tf32") == 0;
        } else if (flag(argv[i], "--bandwidth", &i, argc, argv, &value)) {
            b->bandwidth = atof(value);
        } else if (flag(argv[i], "--peak", &i, argc, argv, &value)) {
            b->peak = atof(value);
        } else if (!flag(argv[i], "--only", &i, argc, argv, &b->only) &&
                   !flag(argv[i], "--provider", &i, argc, argv, &b->provider)) {
            b->check = b->check || strcmp(argv[i], "--check") == 0;
            b->saving = b->saving || strcmp(argv[i], "--saving") == 0;
            b->json = b->json || strcmp(argv[i], "--json") == 0;
        }
    }
}

int main(int argc, char **argv)
{
    bench b = {.batch = 16, .type = VRS_NET_F16, .bandwidth = 4.3, .peak = 744};
    parse(&b, argc, argv);
    bench_require(vrs_device_open("cuda", &b.device));
    bench_require(vrs_device_stream_create(b.device, VRS_PRIORITY_NORMAL, &b.stream));
    bench_require(vrs_device_event_create(b.device, true, &b.begin));
    bench_require(vrs_device_event_create(b.device, true, &b.end));
    b.api = vrs_cuda_api(b.device);
    for (size_t p = 0; p < PROVIDERS; p++)
        if (providers[p]->open(b.device, &b.states[p]) != VRS_OK)
            fprintf(stderr, "conv_layers: %s\n", vrs_last_error());
    double sum = 0;
    for (size_t i = 0; i < LAYERS; i++) {
        if (!b.only || strstr(layers[i].name, b.only)) {
            double us = run_layer(&b, &layers[i]);
            sum += layers[i].count ? us * layers[i].count : 0;
        }
    }
    if (!b.json)
        printf("sum over the network: %.0f us, %.0f frames a second\n", sum, b.batch / sum * 1e6);
    for (size_t p = 0; p < PROVIDERS; p++)
        if (b.states[p])
            providers[p]->close(b.states[p]);
    vrs_device_event_destroy(b.begin);
    vrs_device_event_destroy(b.end);
    vrs_device_stream_destroy(b.stream);
    vrs_device_close(b.device);
    return 0;
}
