/* A whole job on a GPU: libav's own NVDEC code on fake_nvdec, the lanes on fake_cuda, an engine of
 * the tests'. Masks equal those that the CPU makes of the same pictures, frames do not cross the
 * bus, and what the hardware cannot decode the CPU does, and the job says so. */
#define _XOPEN_SOURCE 700
#include "media/clips.h"

#include <dlfcn.h>

#include "fake_cuda/fake_cuda.h"
#include "fake_nvdec/fake_nvdec.h"
#include "media/job/job_internal.h"
#include "profile/figures.h"
#include "support/configure.h"
#include "support/fake_device_engine.h"
#include "support/fake_engine.h"
#include "vrseg/job.h"

#define WIDTH 320
#define HEIGHT 180
#define FRAMES 40
#define SURFACE (512 * HEIGHT * 3 / 2) /* with the stand-in's pitch */
#define SCORES (3 * 32 * 20 * 4)
#define ILLEGAL_ADDRESS 700
#define CLOSE 2 /* of 255: preprocessing may differ by one, refinement by two of 2^15 */

static int (*start_driver)(unsigned flags);
static const vrs_engine_ops *engine_of_gpu = &fake_engine_ops; /* of runs on the GPU */
static vrs_profile *profile;                                   /* of runs; NULL: none */

typedef struct outcome {
    vrs_status status;
    char error[VRS_DETAIL_SIZE], note[VRS_DETAIL_SIZE], device[VRS_DETAIL_SIZE], decoder[16];
    char fallback[VRS_DETAIL_SIZE];
    vrs_job_stats stats; /* numbers alone */
} outcome;

static void begin(uint64_t seed)
{
    fake_cuda_reset(seed);
    fake_cuda_set_mode(seed % 2 == 0 ? FAKE_CUDA_SYNC : FAKE_CUDA_THREAD);
    fake_nvdec_reset();
    fake_plan.seed = (uint32_t)seed;
    (void)start_driver(0);
}

static void expect_nothing_left(void)
{
    char text[512] = "";
    assert_int_equal(fake_nvdec_read().decoders, 0);
    if (fake_cuda_leaks(text, sizeof text) != 0)
        fail_msg("alive at the end: %s", text);
}

/* The configured outputs of one input; `outputs` ends with a NULL path. */
typedef struct wanted {
    vrs_job_output kind;
    const char *path;
} wanted;

static outcome run_job(const char *input, const char *settings, const wanted *outputs)
{
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_job *job = NULL;
    assert_int_equal(vrs_job_config_create(&config), VRS_OK);
    configure(config, "model=model.yaml tickets=6 max_queue_delay_us=300 requests=4");
    configure(config, settings);
    assert_int_equal(vrs_job_create(config, input, &job), VRS_OK);
    bool gpu = strcmp(vrs_config_get(config, "device"), "cpu") != 0;
    job->engine = gpu ? engine_of_gpu : &fake_engine_ops;
    for (; outputs->path; outputs++)
        assert_int_equal(vrs_job_add_output(job, outputs->kind, outputs->path), VRS_OK);
    if (profile != NULL) {
        assert_int_equal(vrs_job_set_profile(job, profile), VRS_OK);
        assert_int_equal(vrs_job_set_profile(job, profile), VRS_INVALID);
    }
    o.status = vrs_job_run(job, NULL, NULL);
    (void)snprintf(o.error, sizeof o.error, "%s", o.status != VRS_OK ? vrs_last_error() : "");
    o.stats = vrs_job_get_stats(job);
    (void)snprintf(o.note, sizeof o.note, "%s", o.stats.note);
    (void)snprintf(o.device, sizeof o.device, "%s", o.stats.device);
    (void)snprintf(o.decoder, sizeof o.decoder, "%s", o.stats.decoder);
    (void)snprintf(o.fallback, sizeof o.fallback, "%s", o.stats.fallback);
    vrs_job_destroy(job);
    vrs_config_destroy(config);
    return o;
}

static outcome run_well(const char *input, const char *settings, const wanted *outputs)
{
    outcome o = run_job(input, settings, outputs);
    if (o.status != VRS_OK)
        fail_msg("%s: %s", settings, o.error);
    assert_int_equal(o.stats.written, FRAMES);
    assert_int_equal(o.stats.failed, 0);
    return o;
}

/* Where the luma of the two differs by rounding, smoothing may follow another of two motions that
 * fit as well. */
static bool follows_motion(const char *settings)
{
    return strstr(settings, "smooth=on") && !strstr(settings, "smooth_motion=off");
}

/* Both files hold the same pictures, byte by byte within CLOSE; headers are compared too. */
static void expect_alike(const char *path, const char *expected, const char *what)
{
    size_t sizes[2];
    uint8_t *a = read_file(path, &sizes[0]), *b = read_file(expected, &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_true(sizes[0] >= (size_t)FRAMES * WIDTH * HEIGHT);
    size_t wrong = 0;
    for (size_t i = 0; i < sizes[0]; i++)
        wrong += abs(a[i] - b[i]) > CLOSE ? 1 : 0;
    if (wrong > (follows_motion(what) ? sizes[0] / 200 : 0))
        fail_msg("%s: %zu of %zu bytes differ", what, wrong, sizes[0]);
    free(a);
    free(b);
}

/* The pictures that fake_nvdec shows, as a file for the CPU. */
static void write_pictures(const char *path)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    (void)fprintf(file, "YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C420mpeg2\n", WIDTH, HEIGHT);
    for (int n = 0; n < FRAMES; n++) {
        (void)fputs("FRAME\n", file);
        for (int y = 0; y < HEIGHT; y++)
            for (int x = 0; x < WIDTH; x++)
                (void)fputc(fake_nvdec_byte(2 * n, 0, x, y), file);
        for (int plane = 0; plane < 2; plane++) {
            for (int y = 0; y < HEIGHT / 2; y++)
                for (int x = 0; x < WIDTH / 2; x++)
                    (void)fputc(fake_nvdec_byte(2 * n, 1, 2 * x + plane, y), file);
        }
    }
    assert_int_equal(fclose(file), 0);
}

static const wanted mask_only[] = {{VRS_JOB_MASK, "mask.y4m"}, {0, NULL}};

static void masks_equal_the_cpus(void **state)
{
    (void)state;
    static const char *const lanes[] = {"lanes=1", "lanes=4", "lanes=4 smooth=on smooth_motion=off",
                                        "lanes=4 smooth=on", "lanes=2 layout=sbs max_batch_size=3"};
    const wanted expected[] = {
        {VRS_JOB_MASK, "cpu-mask.y4m"}, {VRS_JOB_GREEN, "cpu-green.y4m"}, {0, NULL}};
    const wanted made[] = {{VRS_JOB_MASK, "mask.y4m"}, {VRS_JOB_GREEN, "green.y4m"}, {0, NULL}};
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++) {
        char settings[128];
        (void)snprintf(settings, sizeof settings, "device=cpu %s", lanes[i]);
        begin(1);
        outcome cpu = run_well("pictures.y4m", settings, expected);
        assert_string_equal(cpu.decoder, "cpu");
        assert_string_equal(cpu.device, "cpu");
        for (uint64_t seed = 10; seed < 12; seed++) {
            begin(seed);
            (void)snprintf(settings, sizeof settings, "device=cuda:0 decoder=nvdec %s", lanes[i]);
            outcome gpu = run_well("h264.mp4", settings, made);
            assert_string_equal(gpu.decoder, "nvdec");
            assert_non_null(strstr(gpu.device, "cuda:0"));
            assert_int_equal(fake_nvdec_read().released, FRAMES);
            expect_alike("mask.y4m", "cpu-mask.y4m", settings);
            expect_alike("green.y4m", "cpu-green.y4m", settings);
            expect_nothing_left();
        }
    }
}

/* Decoded, segmented and rendered on the GPU: what comes down are outputs alone. */
static void the_whole_way_on_the_gpu(void **state)
{
    (void)state;
    const wanted expected[] = {{VRS_JOB_MASK, "cpu-mask.y4m"}, {0, NULL}};
    begin(1);
    (void)run_well("pictures.y4m", "device=cpu", expected);
    engine_of_gpu = &fake_device_engine_ops;
    for (uint64_t seed = 14; seed < 16; seed++) {
        begin(seed);
        (void)run_well("h264.mp4", "device=cuda:0 lanes=3 max_batch_size=2", mask_only);
        expect_alike("mask.y4m", "cpu-mask.y4m", "the whole way");
        uint64_t down = fake_cuda_bytes_copied().to_host;
        assert_in_range(down, FRAMES * WIDTH * HEIGHT, FRAMES * (WIDTH * HEIGHT + 256));
        expect_nothing_left();
    }
    engine_of_gpu = &fake_engine_ops;
}

/* Up the bus go the stand-in decoder's own pictures, scores and tables: no frame. */
static void frames_stay_on_the_gpu(void **state)
{
    (void)state;
    begin(20);
    outcome o = run_well("h264.mp4", "device=auto lanes=2", mask_only);
    assert_string_equal(o.decoder, "nvdec");
    assert_string_equal(o.note, "");
    uint64_t up = fake_cuda_bytes_copied().to_device;
    assert_true(up >= (uint64_t)FRAMES * SURFACE);
    assert_true(up < (uint64_t)FRAMES * (SURFACE + 4 * SCORES) + (1 << 18));
    expect_nothing_left();
}

static void the_cpu_decodes_what_the_gpu_cannot(void **state)
{
    (void)state;
    const wanted expected[] = {{VRS_JOB_MASK, "cpu-mask.y4m"}, {0, NULL}};
    begin(30);
    (void)run_well("h264.mp4", "device=cpu", expected);
    fake_nvdec_set_max_width(WIDTH - 2);
    outcome o = run_well("h264.mp4", "device=cuda:0 decoder=auto", mask_only);
    assert_string_equal(o.decoder, "cpu");
    assert_non_null(strstr(o.note, "decoded on the CPU: NVDEC does not decode h264 High 320x180"));
    expect_alike("mask.y4m", "cpu-mask.y4m", "decoded on the CPU");
    o = run_job("h264.mp4", "device=cuda:0 decoder=nvdec", mask_only);
    assert_int_equal(o.status, VRS_UNSUPPORTED);
    assert_non_null(strstr(o.error, "use the decoder auto or cpu"));
    fake_nvdec_reset();
    o = run_well("h264.mp4", "device=cuda:0 decoder=cpu", mask_only);
    assert_string_equal(o.decoder, "cpu");
    assert_string_equal(o.note, "");
    expect_alike("mask.y4m", "cpu-mask.y4m", "decoder=cpu");
    assert_int_equal(fake_nvdec_read().decoded, 0);
    o = run_job("h264.mp4", "device=cpu decoder=nvdec", mask_only);
    assert_int_equal(o.status, VRS_UNSUPPORTED);
    assert_non_null(strstr(o.error, "in runs on the GPU alone"));
    expect_nothing_left();
}

static void previews_show_frames_of_the_gpu(void **state)
{
    (void)state;
    const wanted expected[] = {{VRS_JOB_PREVIEW, "cpu.png"}, {0, NULL}};
    const wanted made[] = {{VRS_JOB_PREVIEW, "gpu.png"}, {0, NULL}};
    begin(40);
    (void)run_well("pictures.y4m", "device=cpu", expected);
    (void)run_well("h264.mp4", "device=cuda:0", made);
    expect_nothing_left();
    clip("-i cpu.png -pix_fmt rgb24 -f rawvideo cpu.raw");
    clip("-i gpu.png -pix_fmt rgb24 -f rawvideo gpu.raw");
    size_t sizes[2];
    uint8_t *a = read_file("cpu.raw", &sizes[0]), *b = read_file("gpu.raw", &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    uint64_t apart = 0; /* chroma is enlarged another way from NV12 */
    for (size_t i = 0; i < sizes[0]; i++)
        apart += (uint64_t)abs(a[i] - b[i]);
    assert_true(apart < 2 * sizes[0]);
    free(a);
    free(b);
}

/* Whatever the budget, a run has all its frames or says what is needed; more memory never hurts. */
static void budgets(void **state)
{
    (void)state;
    bool ran = false, refused = false, slow = false;
    for (int32_t kb = 64; kb < 8192; kb += kb / 2) {
        char settings[128];
        begin(50 + (uint64_t)kb);
        (void)snprintf(settings, sizeof settings, "device=cuda:0 lanes=2 gpu_memory=%d000B", kb);
        outcome o = run_job("h264.mp4", settings, mask_only);
        if (o.status == VRS_OK) {
            assert_int_equal(o.stats.written, FRAMES);
            slow = slow || strstr(o.note, "NVDEC's surfaces for 320x180 find no room") != NULL;
            ran = true;
        } else {
            assert_false(ran);
            if (o.status != VRS_INVALID || !strstr(o.error, "budget"))
                fail_msg("%d kB: %s: %s", kb, vrs_status_name(o.status), o.error);
            refused = true;
        }
        assert_true(fake_cuda_peak(0) <= (uint64_t)kb * 1000);
        expect_nothing_left();
    }
    assert_true(ran && refused && slow);
}

/* The GPU is lost in mid-run: the job ends with that, and its finished segments stay. */
static void a_lost_gpu_ends_the_job(void **state)
{
    (void)state;
    static const char *const calls[] = {"cuMemcpy2DAsync_v2", "cuLaunchKernel",
                                        "cuEventSynchronize", "cuMemcpyDtoHAsync_v2"};
    const wanted made[] = {{VRS_JOB_MASK, "lost.mkv"}, {0, NULL}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        begin(60 + i);
        fake_cuda_lose_at(calls[i], 60, ILLEGAL_ADDRESS);
        outcome o = run_job("h264.mp4", "device=cuda:0 lanes=2 codec=ffv1 segment_frames=5", made);
        if (o.status != VRS_DEVICE_LOST)
            fail_msg("%s: %s: %s", calls[i], vrs_status_name(o.status), o.error);
        assert_int_not_equal(access("lost.mkv", F_OK), 0);
        assert_int_equal(access("lost.mkv.vrseg", F_OK), 0);
        temp_remove("lost.mkv.vrseg");
    }
}

/* Masks in a file of segments; decoded beside the file as raw pictures. */
static const wanted segmented[] = {{VRS_JOB_MASK, "mask.mkv"}, {0, NULL}};
#define SEGMENTED "lanes=2 max_batch_size=1 codec=ffv1 segment_frames=5 "

static void expect_decoded_alike(const char *what)
{
    clip("-i mask.mkv -pix_fmt gray -f rawvideo mask.raw");
    expect_alike("mask.raw", "cpu-mask.raw", what);
}

static outcome run_segmented(uint64_t seed, const char *settings, const char *call, uint64_t n)
{
    char all[256];
    begin(seed);
    fake_cuda_set_devices(2);
    if (call)
        fake_cuda_lose_at(call, n, ILLEGAL_ADDRESS);
    (void)snprintf(all, sizeof all, SEGMENTED "%s", settings);
    outcome o = run_job("pictures.y4m", all, segmented);
    expect_nothing_left();
    return o;
}

/* Lost by its first call of a kind, by its last one and by some between: what is written is what an
 * unbroken run writes, on whatever device, and where frames follow from each other too. */
static void a_lost_gpu_is_replaced(void **state)
{
    (void)state;
    static const char *const calls[] = {"cuLaunchKernel", "cuEventSynchronize",
                                        "cuMemcpyDtoHAsync_v2", "cuMemcpyHtoDAsync_v2"};
    static const char *const settings[] = {
        "device=cuda:0 device_fallback=cpu", "device=cuda:0 device_fallback=cuda:1",
        "device=auto smooth=on smooth_motion=off", "device=auto smooth=on layout=sbs"};
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        char cpu[128];
        const char *more = strstr(settings[s], "smooth=on");
        (void)snprintf(cpu, sizeof cpu, "device=cpu %s", more ? more : "");
        (void)run_segmented(1, cpu, NULL, 0);
        clip("-i mask.mkv -pix_fmt gray -f rawvideo cpu-mask.raw");
        outcome whole = run_segmented(2, settings[s], NULL, 0);
        assert_int_equal(whole.status, VRS_OK);
        assert_string_equal(whole.fallback, "");
        const uint64_t count = fake_cuda_calls(calls[s]), at[] = {1, count / 3, count - count / 8};
        assert_true(count > 20);
        for (size_t k = 0; k < sizeof at / sizeof at[0]; k++) {
            char what[256];
            outcome o = run_segmented(4 + k, settings[s], calls[s], at[k]);
            (void)snprintf(what, sizeof what, "%s, call %d of %s", settings[s], (int)at[k],
                           calls[s]);
            if (o.status != VRS_OK)
                fail_msg("%s: %s: %s", what, vrs_status_name(o.status), o.error);
            assert_int_equal(o.stats.written, FRAMES);
            bool gpu = strstr(settings[s], "cuda:1");
            assert_non_null(strstr(o.device, gpu ? "; then cuda:1" : "; then cpu"));
            assert_non_null(strstr(o.fallback, gpu ? "cuda:1" : "cpu"));
            assert_non_null(strstr(o.note, "cuda:0 was lost"));
            assert_non_null(strstr(o.note, "the run went on on c"));
            assert_int_not_equal(access("mask.mkv.vrseg", F_OK), 0);
            expect_decoded_alike(what);
        }
    }
}

/* Whatever call loses it, the opening's too, the run ends well or before it has begun. */
static void a_gpu_is_lost_anywhere(void **state)
{
    (void)state;
    (void)run_segmented(1, "device=cpu", NULL, 0);
    clip("-i mask.mkv -pix_fmt gray -f rawvideo cpu-mask.raw");
    (void)run_segmented(2, "device=auto", NULL, 0);
    uint64_t all = fake_cuda_calls("*"), step = all / 14 + 1;
    int replaced = 0;
    for (uint64_t n = 1; n < all; n += step) {
        outcome o = run_segmented(2 + n % 2, "device=auto", "*", n);
        if (o.status != VRS_OK) {
            assert_int_equal(o.stats.written, 0);
            assert_true(o.error[0] != '\0');
            continue;
        }
        replaced += o.fallback[0] != '\0' ? 1 : 0;
        expect_decoded_alike("lost anywhere");
    }
    assert_true(replaced > 4);
}

/* Frames that the GPU decoded are lost with it: the CPU decodes from the last segment on. */
static void decoded_pictures_are_read_again(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 80; n += 30) {
        begin(4 + n);
        fake_cuda_lose_at("cuMemcpy2DAsync_v2", n, ILLEGAL_ADDRESS);
        outcome o = run_job("h264.mp4", SEGMENTED "device=cuda:0 decoder=nvdec device_fallback=cpu",
                            segmented);
        if (o.status != VRS_OK)
            fail_msg("copy %d: %s", (int)n, o.error);
        assert_string_equal(o.fallback, "cpu");
        assert_string_equal(o.decoder, "cpu");
        assert_int_equal(o.stats.damaged, 0);
        clip("-i mask.mkv -pix_fmt gray -f rawvideo mask.raw");
        size_t size;
        free(read_file("mask.raw", &size));
        assert_int_equal(size, FRAMES * WIDTH * HEIGHT);
        expect_nothing_left();
    }
}

/* With two GPUs the other one goes on, and only when that is lost too the fallback. */
static void all_of_two_are_lost(void **state)
{
    (void)state;
    (void)run_segmented(1, "device=cpu", NULL, 0);
    clip("-i mask.mkv -pix_fmt gray -f rawvideo cpu-mask.raw");
    for (int both = 0; both < 2; both++) {
        begin(70);
        fake_cuda_set_devices(2);
        fake_cuda_lose_at("cuLaunchKernel@0", 30, ILLEGAL_ADDRESS);
        if (both)
            fake_cuda_lose_at("cuLaunchKernel@1", 60, ILLEGAL_ADDRESS);
        outcome o = run_job("pictures.y4m", SEGMENTED "device=all device_fallback=cpu", segmented);
        if (o.status != VRS_OK)
            fail_msg("%s", o.error);
        assert_string_equal(o.fallback, both ? "cpu" : "");
        expect_decoded_alike("of two");
        expect_nothing_left();
    }
}

static void fallbacks_are_looked_at_first(void **state)
{
    (void)state;
    static const struct {
        const char *settings, *words;
        vrs_status status;
    } refused[] = {
        {"device=cuda:0 device_fallback=gpu", "expected none, cpu, cuda:N or auto", VRS_INVALID},
        {"device=cpu device_fallback=cuda:x", "expected none, cpu, cuda:N or auto", VRS_INVALID},
        {"device=cuda:0 device_fallback=cuda", "is among the run's own", VRS_INVALID},
        {"device=all device_fallback=cuda:1", "is among the run's own", VRS_INVALID},
        {"device=cuda:0 device_fallback=cuda:7", "there is no GPU cuda:7", VRS_INVALID},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        outcome o = run_segmented(5, refused[i].settings, NULL, 0);
        if (o.status == VRS_OK || !strstr(o.error, refused[i].words))
            fail_msg("%s: %s: %s", refused[i].settings, vrs_status_name(o.status), o.error);
    }
    outcome o = run_segmented(5, "device=cpu device_fallback=cuda:7", NULL, 0);
    assert_int_equal(o.status, VRS_OK); /* the CPU is not lost */
    o = run_segmented(5, "device=cuda:0", "cuLaunchKernel", 30);
    assert_int_equal(o.status, VRS_DEVICE_LOST); /* a GPU that was named has none by itself */
    temp_remove("mask.mkv.vrseg");
}

/* A fallback that cannot be used when it is needed: said, and what is finished stays. */
static void a_fallback_that_fails(void **state)
{
    (void)state;
    begin(8);
    fake_cuda_set_devices(2);
    fake_cuda_lose_at("cuLaunchKernel@0", 60, ILLEGAL_ADDRESS);
    /* The GPU was well when the run began. */
    fake_cuda_fail_at("cuStreamCreateWithPriority@1", 1, 2);
    outcome o =
        run_job("pictures.y4m", SEGMENTED "device=cuda:0 device_fallback=cuda:1", segmented);
    assert_int_equal(o.status, VRS_DEVICE_LOST);
    assert_string_equal(o.fallback, "");
    assert_non_null(strstr(o.note, "device_fallback cuda:1: "));
    assert_int_equal(access("mask.mkv.vrseg", F_OK), 0);
    temp_remove("mask.mkv.vrseg");
}

static void make_files(void)
{
    const char *const source = "-f lavfi -i testsrc2=size=320x180:rate=25 -frames:v 40";
    char command[512];
    (void)snprintf(command, sizeof command, "%s %s", source,
                   "-c:v libx264 -bf 3 -g 1000 -sc_threshold 0 -pix_fmt yuv420p h264.mp4");
    clip(command);
    write_pictures("pictures.y4m");
    static const char model[] =
        "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
        "input: {name: in, width: 32, height: 20, scale: 1/255}\n"
        "output: {name: out, activation: none, classes: [red, green, blue], person: [red]}\n";
    write_file("model.yaml", model, sizeof model - 1);
}

/* ---- the profile of a run on the GPU ---- */

static const vrs_kind_figures *kind_of(const vrs_profile_report *report, const char *name)
{
    const vrs_kind_figures *kind = vrs_report_kind(report, name);
    if (kind == NULL)
        fail_msg("no spans of %s", name);
    return kind;
}

/* A batch's copies are within its stages; frames that were decoded on the GPU are not copied. */
static void profiled(void **state)
{
    (void)state;
    for (int decoded_there = 0; decoded_there < 2; decoded_there++) {
        vrs_profile_report *report;
        begin(6);
        assert_int_equal(vrs_profile_open("run.trace", &profile), VRS_OK);
        (void)run_well("h264.mp4", decoded_there ? "device=cuda:0" : "device=cuda:0 decoder=cpu",
                       mask_only);
        assert_int_equal(vrs_profile_close(profile), VRS_OK);
        profile = NULL;
        expect_nothing_left();
        assert_int_equal(vrs_report_load("run.trace", &report), VRS_OK);
        vrs_report_figures f = vrs_report_get(report);
        assert_int_equal(f.frames, FRAMES);
        assert_int_equal(f.lost_spans, 0);
        assert_int_equal(kind_of(report, "preprocess")->count, FRAMES);
        assert_true(kind_of(report, "download")->count > 0);
        assert_true(kind_of(report, "download")->sum_ns <=
                    kind_of(report, "postprocess")->sum_ns + FRAMES);
        if (decoded_there)
            assert_null(vrs_report_kind(report, "upload"));
        else
            assert_true(kind_of(report, "upload")->count > 0);
        assert_true(report->gpu_tracks);
        assert_true(vrs_report_series(report, "device/frames")->most > 0);
        assert_true(vrs_report_series(report, "pinned/copies from and to the host")->most > 0);
        /* The ledger: device, pinned, host, with nothing left. */
        assert_int_equal(report->exit_count, 3);
        assert_int_equal(report->left_count, 0);
        vrs_report_destroy(report);
    }
}

/* With an argument: GPUs that are lost. */
int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_equal_the_cpus),
        cmocka_unit_test(frames_stay_on_the_gpu),
        cmocka_unit_test(the_whole_way_on_the_gpu),
        cmocka_unit_test(the_cpu_decodes_what_the_gpu_cannot),
        cmocka_unit_test(previews_show_frames_of_the_gpu),
        cmocka_unit_test(budgets),
        cmocka_unit_test(profiled),
    };
    const struct CMUnitTest lost_tests[] = {
        cmocka_unit_test(a_lost_gpu_ends_the_job),
        cmocka_unit_test(a_lost_gpu_is_replaced),
        cmocka_unit_test(a_gpu_is_lost_anywhere),
        cmocka_unit_test(decoded_pictures_are_read_again),
        cmocka_unit_test(all_of_two_are_lost),
        cmocka_unit_test(fallbacks_are_looked_at_first),
        cmocka_unit_test(a_fallback_that_fails),
    };
    *(void **)(&start_driver) = dlsym(RTLD_DEFAULT, "cuInit");
    fake_device_engine_register();
    clips_begin();
    make_files();
    int failed = argc > 1 ? cmocka_run_group_tests(lost_tests, NULL, NULL)
                          : cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
