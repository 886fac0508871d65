/* A soak: pipelines come and go for hours, with mixed streams, stops in the middle, engines that
 * fail and frames that are wrong; memory, descriptors and threads must not grow.
 *
 *   bench_soak [--frames N | --hours H] [--seed N] [--device cpu|cuda:0] [--plant WHAT]
 *   bench_soak --linear
 *
 * A round makes a pipeline with settings of its own on the tests' engine, which computes nothing to
 * speak of, gives it some hundred frames of up to four streams, and ends it, now and then with
 * frames in flight. After each round it looks at the process. The first quarter is the warm-up:
 * what the host has then is the measure. Prints JSON; exit status 1 where something grew, a result
 * was missing, or a call did not answer as it should.
 *
 * --plant leaks on purpose, so that it can be shown that each check finds what it is for: block
 * (one of ours a result), memory (64 KB of a block that only grows), descriptor. Then the exit
 * status is 0 if just that is found.
 *
 * --linear measures what a frame costs the CPU in pre- and postprocessing at eight sizes in turn,
 * on one thread, the least of some for each, and the slope of the logarithm of cost over that of
 * pixels, which is 1 where the cost is linear. No frame finds its memory in a cache: else the small
 * ones are quicker for a pixel. */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "device/memory.h"
#include "pipeline/internal.h"
#include "support/fake_engine.h"
#include "support/temp.h"

#define GROWTH_LIMIT (INT64_C(10) << 20)
/* Sanitizers keep books of their own, which grow: then the host's memory is only shown. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif
#define ROUND_FRAMES 128
#define STREAMS 4

typedef struct process {
    int64_t rss;
    int32_t descriptors, threads;
    int64_t blocks;  /* vrseg's own that are alive */
    uint64_t device; /* bytes of the ledger */
} process;

typedef struct soak {
    uint64_t random;
    int64_t frames;
    double hours;
    const char *device, *plant;
    bool linear;
    char folder[256];
    vrs_model *plain, *recurrent;
    /* What happened. */
    int64_t rounds, submitted, results, failed, refused, abandoned;
    int64_t wrong; /* answers that were not as they should be */
    process base, last;
    int64_t growth;
    bool warm, grew_memory, grew_blocks, grew_descriptors, grew_threads, grew_device;
    /* Planted. */
    void *hoard;
    size_t hoard_size;
} soak;

static uint32_t draw(soak *s, uint32_t below)
{
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->random >> 33) % below;
}

static void require(vrs_status status)
{
    if (status != VRS_OK) {
        (void)fprintf(stderr, "soak: %s\n", vrs_last_error());
        exit(2);
    }
}

static void expect(soak *s, bool right, const char *what)
{
    if (!right && s->wrong++ < 10)
        (void)fprintf(stderr, "soak: round %lld: %s: %s\n", (long long)s->rounds, what,
                      vrs_last_error());
}

/* ---- the process ---- */

static int32_t count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int32_t count = 0;
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        (void)closedir(folder);
    return count;
}

static int64_t resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    bool good = file != NULL && fscanf(file, "%ld %ld", &pages, &resident) == 2;
    if (file != NULL)
        (void)fclose(file);
    return good ? (int64_t)resident * sysconf(_SC_PAGESIZE) : 0;
}

static process look(uint64_t device)
{
    (void)malloc_trim(0); /* what is free and only kept is no growth */
    return (process){
        .rss = resident_bytes(),
        .descriptors = count_entries("/proc/self/fd"),
        .threads = count_entries("/proc/self/task"),
        .blocks = (int64_t)vrs_resources_live(),
        .device = device,
    };
}

/* After each round; `warm`: the warm-up is over. */
static void compare(soak *s, uint64_t device, bool warm)
{
    process now = look(device);
    s->last = now;
    if (!warm) {
        now.rss = now.rss > s->base.rss ? now.rss : s->base.rss;
        s->base = now;
        return;
    }
    s->warm = true;
    int64_t growth = now.rss - s->base.rss;
    s->growth = growth > s->growth ? growth : s->growth;
    s->grew_memory = s->grew_memory || (growth > GROWTH_LIMIT && !SANITIZED);
    s->grew_blocks = s->grew_blocks || now.blocks != s->base.blocks;
    s->grew_descriptors = s->grew_descriptors || now.descriptors != s->base.descriptors;
    s->grew_threads = s->grew_threads || now.threads != s->base.threads;
    s->grew_device = s->grew_device || now.device != s->base.device;
}

/* The last planted block, which has the one before it. */
static void **planted;

static void leak(soak *s)
{
    if (s->plant == NULL)
        return;
    if (strcmp(s->plant, "block") == 0) {
        /* Never freed, but in a chain: the leak checker of a sanitizer is not what is tested. */
        void **block = vrs_alloc(64);
        if (block != NULL) {
            *block = planted;
            planted = block;
        }
    } else if (strcmp(s->plant, "descriptor") == 0) {
        int fd = s->results % 8 == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
        (void)fd; /* lost */
    } else {
        size_t step = 65536;
        void *grown = vrs_realloc(s->hoard, s->hoard_size + step);
        if (grown == NULL)
            return;
        memset((char *)grown + s->hoard_size, 1, step);
        s->hoard = grown;
        s->hoard_size += step;
    }
}

/* ---- a round ---- */

typedef struct round_state {
    vrs_config *config;
    vrs_place place;
    vrs_pipeline *pipeline;
    bool pictures; /* composites are made, so frames are YUV */
    int32_t width[STREAMS], height[STREAMS];
    vrs_pixel_format format[STREAMS];
    int64_t submitted, results;
} round_state;

static void set(round_state *r, const char *name, const char *value)
{
    require(vrs_config_set(r->config, name, value));
}

static void set_number(round_state *r, const char *name, uint32_t value)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", value);
    set(r, name, text);
}

static void choose_shape(soak *s, round_state *r, uint32_t stream)
{
    static const vrs_pixel_format formats[] = {VRS_FORMAT_YUV420P, VRS_FORMAT_NV12, VRS_FORMAT_P010,
                                               VRS_FORMAT_YUV420P10, VRS_FORMAT_RGB24};
    r->width[stream] = 2 + (int32_t)draw(s, 200);
    r->height[stream] = 2 + (int32_t)draw(s, 150);
    r->format[stream] = formats[draw(s, r->pictures ? 4 : 5)];
}

static void begin_round(soak *s, round_state *r)
{
    bool gpu = strcmp(s->device, "cpu") != 0;
    *r = (round_state){0};
    require(vrs_config_create(&r->config));
    set(r, "device", s->device);
    set_number(r, "max_batch_size", 1 + draw(s, 8));
    set_number(r, "requests", 1 + draw(s, 4));
    set_number(r, "tickets", 4 + draw(s, 12));
    set_number(r, "max_queue_delay_us", draw(s, 2) * 200);
    set(r, "smooth", draw(s, 2) == 0 ? "on" : "off");
    set(r, "refine", draw(s, 2) == 0 ? "on" : "off");
    set(r, "layout", draw(s, 3) == 0 ? "sbs" : "mono");
    set(r, "live", draw(s, 4) == 0 ? "on" : "off");
    if (!gpu)
        set_number(r, "postprocess_threads", 1 + draw(s, 3));
    fake_plan.seed = draw(s, 1000);
    fake_plan.fail_every = draw(s, 3) == 0 ? 7 : 0;
    fake_plan.fail_start = draw(s, 2) == 0;
    require(vrs_place_open(r->config, &r->place));
    require(vrs_pipeline_create_at(r->config, draw(s, 4) == 0 ? s->recurrent : s->plain, &r->place,
                                   &fake_engine_ops, &r->pipeline));
    r->pictures = draw(s, 3) == 0;
    vrs_output_desc mask = {.kind = VRS_OUTPUT_MASK, .width = -1, .height = -1};
    vrs_output_desc green = {.kind = VRS_OUTPUT_COMPOSITE, .background = {0, 177, 64}};
    require(vrs_pipeline_add_output(r->pipeline, &mask));
    if (r->pictures)
        require(vrs_pipeline_add_output(r->pipeline, &green));
    require(vrs_pipeline_start(r->pipeline));
    for (uint32_t i = 0; i < STREAMS; i++)
        choose_shape(s, r, i);
}

/* True: a result was taken. */
static bool take(soak *s, round_state *r, int64_t timeout_us)
{
    vrs_result *result = NULL;
    vrs_status status = vrs_pipeline_get_result(r->pipeline, &result, timeout_us);
    if (status != VRS_OK)
        return false;
    bool failed = result->status != VRS_OK && result->status != VRS_DROPPED;
    expect(s, !failed || result->detail[0] != 0, "a failure without its reason");
    s->failed += failed;
    s->results++;
    r->results++;
    leak(s);
    vrs_result_release(result);
    return true;
}

/* A frame that is not right is refused and stays ours. */
static void submit_wrong(soak *s, round_state *r, vrs_frame *frame)
{
    vrs_frame bad = *frame;
    switch (draw(s, 4)) {
    case 0:
        bad.stream = VRS_MAX_STREAMS;
        break;
    case 1:
        bad.image.width = 0;
        break;
    case 2:
        bad.image.strides[0] = 1;
        break;
    default:
        bad.view_count = 1;
        bad.views[0] = (vrs_rect){1, 0, frame->image.width, 1};
        break;
    }
    expect(s, vrs_pipeline_submit(r->pipeline, &bad, 0) == VRS_INVALID, "a wrong frame was taken");
    s->refused++;
}

static void submit(soak *s, round_state *r)
{
    uint32_t stream = draw(s, STREAMS);
    if (draw(s, 40) == 0) {
        vrs_pipeline_reset_stream(r->pipeline, stream);
        if (draw(s, 2) == 0 && r->submitted > 0)
            choose_shape(s, r, stream);
    }
    vrs_frame frame = {
        .id = s->submitted, .stream = stream, .capture_ns = draw(s, 3) == 0 ? vrs_now_ns() : 0};
    require(vrs_image_alloc(&frame.image, r->format[stream], r->width[stream], r->height[stream]));
    if (draw(s, 16) == 0)
        submit_wrong(s, r, &frame);
    vrs_status status;
    while ((status = vrs_pipeline_submit(r->pipeline, &frame, 0)) != VRS_OK) {
        bool waits = status == VRS_TIMEOUT || status == VRS_FULL;
        if (!waits || !take(s, r, -1)) /* another shape without a reset: refused too */
            break;
    }
    if (status == VRS_OK) {
        s->submitted++;
        r->submitted++;
        return;
    }
    expect(s, status == VRS_INVALID, "a frame was not taken");
    vrs_image_release(&frame.image);
    vrs_pipeline_reset_stream(r->pipeline, stream);
}

/* Returns what the ledger of the device still has. */
static uint64_t end_round(soak *s, round_state *r)
{
    bool abandon = draw(s, 4) == 0;
    s->abandoned += abandon;
    if (!abandon) {
        vrs_pipeline_finish(r->pipeline);
        while (take(s, r, -1)) {
        }
        expect(s, r->results == r->submitted, "not one result for each frame");
    }
    vrs_pipeline_destroy(r->pipeline);
    vrs_memory_stats memory = {0};
    if (r->place.memory != NULL)
        vrs_memory_get_stats(r->place.memory, VRS_MEMORY_PLACE_DEVICE, &memory);
    vrs_place_close(&r->place);
    vrs_config_destroy(r->config);
    return memory.used;
}

static void run(soak *s)
{
    int64_t end_ns = vrs_now_ns() + (int64_t)(s->hours * 3600 * 1e9), start_ns = vrs_now_ns();
    for (;;) {
        double done = s->hours > 0 ? (double)(vrs_now_ns() - start_ns) / (double)(end_ns - start_ns)
                                   : (double)s->submitted / (double)s->frames;
        if (done >= 1)
            return;
        round_state r;
        begin_round(s, &r);
        uint32_t frames = 1 + draw(s, ROUND_FRAMES);
        for (uint32_t i = 0; i < frames; i++) {
            submit(s, &r);
            while (draw(s, 3) != 0 && take(s, &r, 0)) {
            }
        }
        compare(s, end_round(s, &r), done >= 0.25);
        s->rounds++;
    }
}

/* ---- cost over pixels ---- */

#define SIZES 8
/* A frame of each size in turn, so that whatever else the machine does meets all sizes alike. The
 * least of a size is what counts: other work only adds. It is found when it has not become less by
 * a thousandth in so many turns. */
#define STEADY_TURNS 10
#define MOST_TURNS 80

/* Memory of more than the caches hold, to be written between two frames. */
typedef struct sweep {
    unsigned char *bytes;
    size_t size;
} sweep;

static sweep sweep_make(void)
{
    long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
    sweep s = {.size = (size_t)(cache > (32 << 20) ? cache : 32 << 20) * 5 / 4};
    s.bytes = vrs_alloc(s.size);
    require(s.bytes != NULL ? VRS_OK : VRS_NO_MEMORY);
    return s;
}

/* CPU time of this process. A frame's own time is no measure: what takes longer than the system's
 * time slices is sent to sleep in it on a machine that is not idle. */
static double cpu_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* A size: its pipeline, its picture, and the least that a frame has cost. */
typedef struct sized {
    round_state round;
    vrs_image source;
    double least_ns;
} sized;

static void sized_open(soak *s, sized *z, int32_t width, int32_t height)
{
    round_state *r = &z->round;
    *z = (sized){.least_ns = INFINITY};
    require(vrs_config_create(&r->config));
    set(r, "device", "cpu");
    set(r, "refine", "off");
    set_number(r, "requests", 1);
    set_number(r, "tickets", 2);
    set_number(r, "preprocess_threads", 1);
    set_number(r, "postprocess_threads", 1);
    fake_plan = (fake_engine_plan){0};
    require(vrs_pipeline_create_on(r->config, s->plain, &fake_engine_ops, &r->pipeline));
    require(vrs_pipeline_start(r->pipeline));
    require(vrs_image_alloc(&z->source, VRS_FORMAT_NV12, width, height));
    for (int p = 0; p < 2; p++)
        for (int32_t y = 0; y < vrs_plane_height(&z->source, p); y++)
            memset(z->source.planes[p] + y * z->source.strides[p], 100 + y % 50,
                   (size_t)vrs_plane_row_bytes(&z->source, p));
}

static void sized_close(sized *z)
{
    vrs_pipeline_destroy(z->round.pipeline);
    vrs_config_destroy(z->round.config);
    vrs_image_release(&z->source);
}

/* What one more frame costs the CPU, nearly all in pre- and postprocessing. True: less than ever
 * by a thousandth. */
static bool sized_turn(soak *s, sized *z, const sweep *memory, int32_t turn)
{
    vrs_frame frame = {.id = turn, .image = z->source};
    frame.image.release = NULL; /* the same memory each time, so that no page is new */
    memset(memory->bytes, turn, memory->size);
    double before_ns = cpu_ns();
    require(vrs_pipeline_submit(z->round.pipeline, &frame, -1));
    if (!take(s, &z->round, -1))
        exit(2);
    double cost_ns = cpu_ns() - before_ns;
    bool less = cost_ns < 0.999 * z->least_ns;
    z->least_ns = cost_ns < z->least_ns ? cost_ns : z->least_ns;
    return less;
}

static int measure_linear(soak *s)
{
    static sized sizes[SIZES];
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    sweep memory = sweep_make();
    int32_t turns = 0, steady = 0;
    for (int i = 0; i < SIZES; i++)
        sized_open(s, &sizes[i], 3840, 540 * (i + 1)); /* 2 to 17 megapixels */
    for (; turns < MOST_TURNS && steady < STEADY_TURNS; turns++) {
        bool less = false;
        for (int i = 0; i < SIZES; i++)
            less = sized_turn(s, &sizes[i], &memory, turns) || less;
        steady = less ? 0 : steady + 1;
    }
    (void)printf("{\"sizes\": [");
    for (int i = 0; i < SIZES; i++) {
        double pixels = (double)sizes[i].source.width * sizes[i].source.height;
        double x = log(pixels), y = log(sizes[i].least_ns);
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
        (void)printf("%s{\"pixels\": %.0f, \"ns\": %.0f}", i > 0 ? ", " : "", pixels,
                     sizes[i].least_ns);
        sized_close(&sizes[i]);
    }
    vrs_free(memory.bytes);
    double slope = (SIZES * sxy - sx * sy) / (SIZES * sxx - sx * sx);
    (void)printf("], \"turns\": %d, \"slope\": %.4f, \"linear\": %s}\n", turns, slope,
                 fabs(slope - 1) <= 0.02 ? "true" : "false");
    return fabs(slope - 1) <= 0.02 ? 0 : 1;
}

/* ---- start and end ---- */

static vrs_model *load_model(soak *s, const char *name, const char *extra)
{
    char path[512];
    vrs_model *model = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s.yaml", s->folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        (void)fprintf(stderr, "soak: %s cannot be written\n", path);
        exit(2);
    }
    (void)fprintf(file,
                  "title: soak\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
                  "input: {name: in, width: 64, height: 36, scale: 1/255}\n"
                  "output: {name: out, activation: none, classes: [person]}\n%s",
                  extra);
    (void)fclose(file);
    require(vrs_model_load(path, &model));
    (void)unlink(path);
    return model;
}

static bool report(const soak *s)
{
    bool sound = s->warm && s->wrong == 0 && !s->grew_memory && !s->grew_blocks &&
                 !s->grew_descriptors && !s->grew_threads && !s->grew_device;
    (void)printf("{\"rounds\": %lld, \"frames\": %lld, \"results\": %lld, \"failed\": %lld, "
                 "\"refused\": %lld, \"abandoned_rounds\": %lld, \"wrong\": %lld,\n"
                 " \"host_growth_bytes\": %lld, \"host_growth_limit\": %lld, "
                 "\"blocks\": [%lld, %lld], \"descriptors\": [%d, %d], \"threads\": [%d, %d], "
                 "\"device_bytes\": [%llu, %llu],\n \"sound\": %s}\n",
                 (long long)s->rounds, (long long)s->submitted, (long long)s->results,
                 (long long)s->failed, (long long)s->refused, (long long)s->abandoned,
                 (long long)s->wrong, (long long)s->growth, (long long)GROWTH_LIMIT,
                 (long long)s->base.blocks, (long long)s->last.blocks, s->base.descriptors,
                 s->last.descriptors, s->base.threads, s->last.threads,
                 (unsigned long long)s->base.device, (unsigned long long)s->last.device,
                 sound ? "true" : "false");
    return sound;
}

/* Whether the planted leak was found by its own check and by no other. */
static bool caught(const soak *s)
{
    bool block = strcmp(s->plant, "block") == 0, fd = strcmp(s->plant, "descriptor") == 0;
    return s->wrong == 0 && s->grew_blocks == block && s->grew_descriptors == fd &&
           (s->grew_memory || block || fd) && !s->grew_threads && !s->grew_device;
}

static void parse(soak *s, int argc, char **argv)
{
    const char *frames = getenv("VRSEG_SOAK_FRAMES");
    s->frames = frames != NULL ? strtoll(frames, NULL, 10) : 2000;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--linear") == 0) {
            s->linear = true;
            continue;
        }
        if (strcmp(argv[i], "--frames") == 0)
            s->frames = strtoll(value, NULL, 10);
        else if (strcmp(argv[i], "--hours") == 0)
            s->hours = strtod(value, NULL);
        else if (strcmp(argv[i], "--seed") == 0)
            s->random = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--device") == 0)
            s->device = value;
        else if (strcmp(argv[i], "--plant") == 0)
            s->plant = value;
        else
            s->frames = 0;
        i++;
    }
    if (s->frames < 1 || s->hours < 0) {
        (void)fprintf(stderr, "soak: expected --frames N, --hours H, --seed N, --device NAME, "
                              "--plant block|memory|descriptor, or --linear\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    soak s = {.random = 1, .device = "cpu"};
    parse(&s, argc, argv);
    if (SANITIZED && s.plant != NULL && strcmp(s.plant, "memory") == 0) {
        (void)puts("skipped: under a sanitizer the host's memory is not judged");
        return 77;
    }
    temp_make(s.folder, sizeof(s.folder));
    s.plain = load_model(&s, "plain", "");
    s.recurrent =
        load_model(&s, "recurrent", "states: [{input: a, output: b, channels: 1, divisor: 16}]\n");
    temp_remove(s.folder);
    int code = 0;
    if (s.linear) {
        code = measure_linear(&s);
    } else {
        run(&s);
        bool sound = report(&s);
        code = s.plant != NULL ? !caught(&s) : !sound;
    }
    vrs_free(s.hoard);
    vrs_model_destroy(s.plain);
    vrs_model_destroy(s.recurrent);
    return code;
}
