/* What decoding on the GPU costs: NVDEC alone, its frames dropped as they come, beside the same
 * clip through vrs_source_read() into slots and the fused preprocess, for one stream and for eight.
 * The two take turns, so that a slow minute hits both; the share is the median of the pairs'
 * ratios. Frames are counted from the first one delivered to the last one finished: opening is not
 * in it. Prints what store.py keeps.
 *
 *     bench_decode_gpu CLIP [PAIRS [FRAMES [STREAMS]]]
 *         9 pairs; a clip of at least FRAMES (3000) frames; 1: not of eight streams too
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "base/clock.h"
#include "base/thread.h"
#include "decode_gpu_preprocess.h"
#include "device/cuda/cuda.h"
#include "device/device.h"
#include "device/memory.h"
#include "device/monitor.h"
#include "media/source/gpu_frames.h"
#include "media/source/source_reader.h"
#include "vrseg/system.h"

#define MAX_STREAMS 8
#define MAX_PAIRS 31
#define SLOTS 12  /* of a stream */
#define IN_WORK 8 /* images whose preprocess is queued, of a stream */

typedef struct bench_setup {
    vrs_device *device;
    vrs_memory *memory;
    const char *clip;
    int64_t frames;
    char size[32];   /* of its pictures, as people say it */
    char about[128]; /* the source's own description */
} bench_setup;

typedef struct stream_run {
    const bench_setup *bench;
    vrs_thread thread;
    bool alone;
    int64_t frames, first_ns, last_ns;
    vrs_status status;
    char error[VRS_DETAIL_SIZE];
} stream_run;

/* ---- the decoder alone ---------------------------------------------------------------------- */

static vrs_status decode_all(stream_run *run, vrs_reader *reader, AVFrame *frame)
{
    vrs_status status = VRS_OK;
    while (run->frames < run->bench->frames &&
           (status = vrs_reader_next(reader, frame)) == VRS_OK) {
        if (frame->format != AV_PIX_FMT_CUDA)
            return vrs_fail(VRS_UNSUPPORTED, "%s", vrs_reader_refusal(reader));
        av_frame_unref(frame);
        run->last_ns = vrs_now_ns();
        if (run->frames++ == 0)
            run->first_ns = run->last_ns;
    }
    return status == VRS_END ? VRS_OK : status;
}

static vrs_status run_alone(stream_run *run)
{
    const vrs_gpu_frames_params params = {
        .device = run->bench->device, .memory = run->bench->memory, .slots = 1};
    const vrs_source_params input = {.path = run->bench->clip};
    vrs_gpu_frames *frames = NULL;
    vrs_reader *reader = NULL;
    AVFrame *frame = av_frame_alloc();
    vrs_status status = frame ? vrs_gpu_frames_create(&params, &frames) : VRS_NO_MEMORY;
    if (status == VRS_OK) {
        const vrs_hw_place place = vrs_gpu_frames_place(frames);
        status = vrs_reader_open(&input, &place, &reader);
    }
    if (status == VRS_OK)
        status = decode_all(run, reader, frame);
    av_frame_free(&frame);
    vrs_reader_close(reader);
    vrs_gpu_frames_destroy(frames);
    return status;
}

/* ---- decoder, slots and preprocess ---------------------------------------------------------- */

typedef struct work {
    vrs_image image;
    vrs_device_event *done;
    bool busy;
} work;

static vrs_status finish(work *one)
{
    vrs_status status = one->busy ? vrs_device_event_wait(one->done) : VRS_OK;
    if (one->busy) {
        vrs_image_release(&one->image);
        one->busy = false;
    }
    return status;
}

static vrs_status read_all(stream_run *run, vrs_source *source, vrs_device_stream *stream,
                           bench_preprocess *preprocess, work works[IN_WORK])
{
    vrs_status status = VRS_OK;
    vrs_frame frame;
    while (run->frames < run->bench->frames &&
           (status = vrs_source_read(source, &frame)) == VRS_OK) {
        work *one = &works[run->frames % IN_WORK];
        if (run->frames++ == 0)
            run->first_ns = vrs_now_ns();
        status = finish(one);
        one->image = frame.image;
        one->busy = true;
        if (status == VRS_OK)
            status = bench_preprocess_queue(preprocess, stream, &one->image);
        if (status == VRS_OK)
            status = vrs_device_event_record(one->done, stream);
        if (status != VRS_OK)
            return status;
    }
    return status == VRS_END ? VRS_OK : status;
}

static vrs_status run_whole(stream_run *run)
{
    const bench_setup *bench = run->bench;
    const vrs_source_gpu gpu = {bench->device, bench->memory, SLOTS};
    const vrs_source_params input = {
        .path = bench->clip, .decoder = VRS_DECODER_NVDEC, .gpu = &gpu};
    work works[IN_WORK] = {0};
    vrs_source *source = NULL;
    vrs_device_stream *stream = NULL;
    bench_preprocess *preprocess = NULL;
    vrs_status status = vrs_source_open(&input, &source);
    if (status == VRS_OK)
        status = vrs_device_stream_create(bench->device, VRS_PRIORITY_NORMAL, &stream);
    if (status == VRS_OK) {
        const vrs_image like = {.format = source->info.format,
                                .width = source->info.width,
                                .height = source->info.height,
                                .color = source->info.color};
        status = bench_preprocess_create(bench->device, bench->memory, &like, &preprocess);
    }
    for (int i = 0; i < IN_WORK && status == VRS_OK; i++)
        status = vrs_device_event_create(bench->device, false, &works[i].done);
    if (status == VRS_OK)
        status = read_all(run, source, stream, preprocess, works);
    for (int i = 0; i < IN_WORK; i++) {
        vrs_status ended = finish(&works[(run->frames + i) % IN_WORK]);
        status = status == VRS_OK ? ended : status;
    }
    run->last_ns = vrs_now_ns();
    for (int i = 0; i < IN_WORK; i++)
        vrs_device_event_destroy(works[i].done);
    bench_preprocess_destroy(preprocess);
    vrs_device_stream_destroy(stream);
    vrs_source_close(source);
    return status;
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void stream_main(void *arg)
{
    stream_run *run = arg;
    run->status = run->alone ? run_alone(run) : run_whole(run);
    if (run->status != VRS_OK)
        (void)snprintf(run->error, sizeof run->error, "%s", vrs_last_error());
}

/* Frames a second of `streams` streams together, from the first frame of all to the last. */
static vrs_status measure(const bench_setup *bench, int streams, bool alone, double *fps)
{
    static stream_run runs[MAX_STREAMS];
    int64_t first = INT64_MAX;
    int64_t last = 0;
    int64_t frames = 0;
    vrs_status status = VRS_OK;
    for (int i = 0; i < streams && status == VRS_OK; i++) {
        runs[i] = (stream_run){.bench = bench, .alone = alone};
        status = vrs_thread_start(&runs[i].thread, "bench-decode", stream_main, &runs[i]);
    }
    for (int i = 0; i < streams; i++) {
        vrs_thread_join(&runs[i].thread);
        if (status == VRS_OK && runs[i].status != VRS_OK)
            status = vrs_fail(runs[i].status, "%s", runs[i].error);
        first = runs[i].first_ns < first ? runs[i].first_ns : first;
        last = runs[i].last_ns > last ? runs[i].last_ns : last;
        frames += runs[i].frames - 1; /* the time begins with the first */
    }
    *fps = last > first ? (double)frames * 1e9 / (double)(last - first) : 0;
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int count)
{
    double sorted[MAX_PAIRS];
    memcpy(sorted, values, (size_t)count * sizeof sorted[0]);
    qsort(sorted, (size_t)count, sizeof sorted[0], ascending);
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static void print_runs(const double *values, int count, int digits)
{
    for (int i = 0; i < count; i++)
        (void)printf("%s%.*f", i == 0 ? "" : ", ", digits, values[i]);
}

static vrs_status compare(const bench_setup *bench, int streams, int pairs, double target,
                          bool last)
{
    double alone[MAX_PAIRS];
    double whole[MAX_PAIRS];
    double share[MAX_PAIRS];
    for (int i = 0; i < pairs; i++) {
        bool first = i % 2 == 0; /* who goes first changes */
        vrs_status status = measure(bench, streams, first, first ? &alone[i] : &whole[i]);
        if (status == VRS_OK)
            status = measure(bench, streams, !first, first ? &whole[i] : &alone[i]);
        if (status != VRS_OK)
            return status;
        share[i] = whole[i] / alone[i];
        (void)fprintf(stderr, "%d streams, pair %d: alone %.0f, with preprocess %.0f fps, %.3f\n",
                      streams, i + 1, alone[i], whole[i], share[i]);
    }
    (void)printf("    {\"name\": \"decode and preprocess, %d x %s, frames a second\", "
                 "\"value\": %.1f, \"unit\": \"fps\", \"better\": \"higher\", "
                 "\"peer\": \"NVDEC alone\", \"peer_value\": %.1f, \"runs\": [",
                 streams, bench->size, median(whole, pairs), median(alone, pairs));
    print_runs(whole, pairs, 1);
    (void)printf("]},\n    {\"name\": \"decode and preprocess, %d x %s, share of NVDEC alone\", "
                 "\"value\": %.4f, \"unit\": \"x\", \"better\": \"higher\", "
                 "\"target\": %.2f, \"runs\": [",
                 streams, bench->size, median(share, pairs), target);
    print_runs(share, pairs, 4);
    (void)printf("]}%s\n", last ? "" : ",");
    return VRS_OK;
}

/* Opening tells both; no frame is decoded. */
static vrs_status look_at_clip(bench_setup *bench)
{
    const vrs_source_params input = {.path = bench->clip, .decoder = VRS_DECODER_CPU};
    vrs_source *source = NULL;
    vrs_status status = vrs_source_open(&input, &source);
    if (status != VRS_OK)
        return status;
    const vrs_stream_info *info = &source->info;
    if (info->width == 1920 && info->height == 1080)
        (void)snprintf(bench->size, sizeof bench->size, "1080p");
    else
        (void)snprintf(bench->size, sizeof bench->size, "%dx%d", info->width, info->height);
    (void)snprintf(bench->about, sizeof bench->about, "%s", info->description);
    vrs_source_close(source);
    return VRS_OK;
}

static vrs_status run_bench(bench_setup *bench, int pairs, bool several)
{
    const vrs_memory_settings settings = {0};
    vrs_status status = vrs_device_open("cuda", &bench->device);
    if (status == VRS_OK)
        status = vrs_memory_create(bench->device, &settings, &bench->memory);
    if (status == VRS_OK)
        status = look_at_clip(bench);
    if (status != VRS_OK)
        return status;
    const vrs_device_properties *about = vrs_device_get_properties(bench->device);
    vrs_monitor *monitor = NULL;
    const char *driver = "unknown";
    if (vrs_monitor_open_pci(about->pci, &monitor) == VRS_OK)
        driver = vrs_monitor_driver(monitor);
    (void)printf("{\n  \"versions\": {\"gpu\": \"%s\", \"driver\": \"%s\", "
                 "\"libavcodec\": \"%u.%u\", \"clip\": \"%s, %lld frames a stream\"},\n"
                 "  \"rows\": [\n",
                 about->name, driver, avcodec_version() >> 16, avcodec_version() >> 8 & 0xff,
                 bench->about, (long long)bench->frames);
    vrs_monitor_close(monitor);
    status = compare(bench, 1, pairs, 0.97, !several);
    if (status == VRS_OK && several)
        status = compare(bench, MAX_STREAMS, pairs, 0.95, true);
    (void)printf("  ]\n}\n");
    return status;
}

int main(int count, char **args)
{
    bench_setup bench = {.clip = count > 1 ? args[1] : NULL,
                         .frames = count > 3 ? strtoll(args[3], NULL, 10) : 3000};
    long pairs = count > 2 ? strtol(args[2], NULL, 10) : 9;
    long streams = count > 4 ? strtol(args[4], NULL, 10) : MAX_STREAMS;
    if (count < 2 || count > 5 || pairs < 1 || pairs > MAX_PAIRS || bench.frames < 2 ||
        (streams != 1 && streams != MAX_STREAMS)) {
        (void)fprintf(stderr, "usage: %s CLIP [PAIRS (1..%d) [FRAMES (2..) [1|%d]]]\n", args[0],
                      MAX_PAIRS, MAX_STREAMS);
        return 2;
    }
    vrs_status status = run_bench(&bench, (int)pairs, streams > 1);
    if (status != VRS_OK)
        (void)fprintf(stderr, "decode_gpu: %s\n", vrs_last_error());
    vrs_memory_destroy(bench.memory);
    vrs_device_close(bench.device);
    return status == VRS_OK ? 0 : 1;
}
