/* Decoding on the GPU: libav's own NVDEC code, our reader and vrs_gpu_frames on fake_nvdec and
 * fake_cuda, which runs what is queued in any order that streams and events allow. */
#define _XOPEN_SOURCE 700
#include "media/clips.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/alloc.h"
#include "device/device.h"
#include "device/memory.h"
#include "fake_cuda/fake_cuda.h"
#include "fake_nvdec/fake_nvdec.h"
#include "image/format.h"
#include "media/source/gpu_frames.h"
#include "media/source/source_reader.h"

#define WIDTH 320
#define HEIGHT 180
#define FRAMES 40
#define ILLEGAL_ADDRESS 700
#define UNKNOWN_ERROR 999
#define SEEDS 6

/* A device and its manager on the stand-in. */
typedef struct bench {
    vrs_device *device;
    vrs_memory *memory;
} bench;

/* The driver as a consumer of its own sees it. */
static int (*wait_for_event)(void *event);
static int (*start_driver)(unsigned flags);
static vrs_device *device_in_use;

static bench bench_begin(uint64_t seed)
{
    bench made = {0};
    const vrs_memory_settings settings = {.limit = 256 << 20, .host_limit = 64 << 20};
    fake_cuda_reset(seed);
    fake_cuda_set_mode(FAKE_CUDA_SYNC);
    fake_nvdec_reset();
    (void)start_driver(0); /* once for a process, but the reset makes a new one of it */
    if (vrs_device_open("cuda", &made.device) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_int_equal(vrs_memory_create(made.device, &settings, &made.memory), VRS_OK);
    device_in_use = made.device;
    return made;
}

/* Everything is given back: ours, the driver's and the decoder's. */
static void bench_end(bench *used)
{
    char text[512] = "";
    fake_nvdec_counts counts = fake_nvdec_read();
    assert_int_equal(counts.decoders, 0);
    assert_int_equal(counts.mapped, 0);
    vrs_memory_destroy(used->memory);
    vrs_device_close(used->device);
    if (fake_cuda_leaks(text, sizeof text) != 0)
        fail_msg("alive at the end: %s", text);
}

static vrs_source *open_on(const bench *used, const char *path, int32_t slots,
                           vrs_decoder_place decoder)
{
    const vrs_source_gpu gpu = {used->device, used->memory, slots};
    const vrs_source_params params = {.path = path, .decoder = decoder, .gpu = &gpu};
    vrs_source *source = NULL;
    if (vrs_source_open(&params, &source) != VRS_OK)
        fail_msg("%s: %s", path, vrs_last_error());
    return source;
}

/* The bytes of a plane's row, once the image is ready: as a consumer on another stream sees them.
 */
static const uint8_t *row_of(const vrs_image *image, int plane, int32_t y)
{
    uint64_t address = (uint64_t)(uintptr_t)(image->planes[plane] + image->strides[plane] * y);
    const uint8_t *row = fake_cuda_host(address, (size_t)vrs_plane_row_bytes(image, plane));
    assert_non_null(row);
    return row;
}

static void wait_ready(const vrs_image *image)
{
    assert_int_equal(image->memory, VRS_MEMORY_CUDA);
    assert_non_null(image->ready);
    assert_int_equal(vrs_device_enter(device_in_use), VRS_OK);
    assert_int_equal(wait_for_event(image->ready), 0);
    vrs_device_leave(device_in_use);
}

/* Every byte is that of the picture whose order of display is `order`. */
static void expect_picture(const vrs_image *image, int order)
{
    wait_ready(image);
    for (int plane = 0; plane < 2; plane++) {
        int bytes = (int)vrs_plane_row_bytes(image, plane);
        for (int32_t y = 0; y < vrs_plane_height(image, plane); y++) {
            const uint8_t *row = row_of(image, plane, y);
            for (int x = 0; x < bytes; x++) {
                if (row[x] != fake_nvdec_byte(order, plane, x, y)) {
                    fail_msg("plane %d, row %d, byte %d is %02x, not that of picture %d", plane, y,
                             x, row[x], order);
                }
            }
        }
    }
}

static vrs_frame next_frame(vrs_source *source)
{
    vrs_frame frame;
    vrs_status status = vrs_source_read(source, &frame);
    if (status != VRS_OK)
        fail_msg("frame %llu: %s", (unsigned long long)source->frames, vrs_last_error());
    return frame;
}

/* ---- pixels and order ----------------------------------------------------------------------- */

static void read_whole(const bench *used, const char *path, int per_frame, vrs_pixel_format format)
{
    vrs_source *source = open_on(used, path, 3, VRS_DECODER_NVDEC);
    int64_t last = -1;
    assert_int_equal(source->info.format, format);
    assert_string_equal(source->note, "");
    for (int i = 0; i < FRAMES; i++) {
        vrs_frame frame = next_frame(source);
        assert_int_equal(frame.image.format, format);
        assert_true(frame.pts > last);
        last = frame.pts;
        expect_picture(&frame.image, per_frame * i);
        vrs_image_release(&frame.image);
    }
    vrs_frame frame;
    assert_int_equal(vrs_source_read(source, &frame), VRS_END);
    assert_int_equal(vrs_source_read(source, &frame), VRS_END);
    assert_int_equal(source->damaged, 0);
    vrs_source_close(source);
}

static void frames_come_whole_and_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bench used = bench_begin(seed);
        read_whole(&used, "h264.mp4", 2, VRS_FORMAT_NV12);
        read_whole(&used, "hevc10.mp4", 1, VRS_FORMAT_P010);
        fake_nvdec_counts counts = fake_nvdec_read();
        assert_int_equal(counts.released, 2 * FRAMES);
        assert_in_range(counts.most_mapped, 1, VRS_GPU_SURFACES);
        bench_end(&used);
    }
}

static void *read_in_thread(void *arg)
{
    read_whole(arg, "h264.mp4", 2, VRS_FORMAT_NV12);
    return NULL;
}

static void several_inputs_share_a_device(void **state)
{
    (void)state;
    pthread_t threads[4];
    bench used = bench_begin(7);
    fake_cuda_set_mode(FAKE_CUDA_THREAD);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_in_thread, &used), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    bench_end(&used);
}

/* ---- surfaces ------------------------------------------------------------------------------- */

static bool stop_now(void *opaque)
{
    return *(bool *)opaque;
}

/* A consumer that keeps every image stops the reading, by slots, long before surfaces are short. */
static void slow_consumer_waits_for_slots(void **state)
{
    (void)state;
    enum { SLOTS = 12 };
    bench used = bench_begin(3);
    const vrs_source_gpu gpu = {used.device, used.memory, SLOTS};
    bool stop = false;
    vrs_frame held[SLOTS];
    vrs_frame more;
    vrs_source *source = NULL;
    const vrs_source_params params = {
        .path = "h264.mp4", .gpu = &gpu, .stop = stop_now, .stop_opaque = &stop};
    assert_int_equal(vrs_source_open(&params, &source), VRS_OK);
    for (int i = 0; i < SLOTS; i++)
        held[i] = next_frame(source);
    stop = true; /* it would wait for ever: nobody releases */
    assert_int_equal(vrs_source_read(source, &more), VRS_CANCELLED);
    stop = false;
    for (int i = SLOTS; i < FRAMES; i++) {
        vrs_frame *oldest = &held[i % SLOTS];
        expect_picture(&oldest->image, 2 * (i - SLOTS));
        vrs_image_release(&oldest->image);
        *oldest = next_frame(source);
    }
    assert_in_range(fake_nvdec_read().most_mapped, 1, VRS_GPU_SURFACES);
    assert_int_equal(source->damaged, 0);
    vrs_source_close(source); /* images live on */
    for (int i = FRAMES - SLOTS; i < FRAMES; i++) {
        expect_picture(&held[i % SLOTS].image, 2 * i);
        vrs_image_release(&held[i % SLOTS].image);
    }
    bench_end(&used);
}

/* What that protects from: who keeps the decoder's own frames meets the end of its surfaces. */
static void surfaces_do_run_out_without_it(void **state)
{
    (void)state;
    bench used = bench_begin(4);
    AVFrame *held[FRAMES] = {0};
    int count = 0;
    vrs_status status = VRS_OK;
    vrs_gpu_frames *frames = NULL;
    vrs_reader *reader = NULL;
    const vrs_gpu_frames_params params = {used.device, used.memory, 1, NULL, NULL};
    const vrs_source_params input = {.path = "h264.mp4"};
    assert_int_equal(vrs_gpu_frames_create(&params, &frames), VRS_OK);
    vrs_hw_place place = vrs_gpu_frames_place(frames);
    assert_int_equal(place.surfaces, VRS_GPU_SURFACES);
    assert_int_equal(vrs_reader_open(&input, &place, &reader), VRS_OK);
    while (status == VRS_OK && count < FRAMES) {
        held[count] = av_frame_alloc();
        status = vrs_reader_next(reader, held[count++]);
    }
    assert_true(status == VRS_NO_MEMORY || reader->damaged > 0);
    assert_true(count > VRS_GPU_SURFACES);
    while (count > 0)
        av_frame_free(&held[--count]);
    vrs_reader_close(reader);
    vrs_gpu_frames_destroy(frames);
    bench_end(&used);
}

/* Reads to the end: `expected` frames of the first one's size. */
static void expect_count(vrs_source *source, uint64_t expected, vrs_pixel_format format)
{
    vrs_frame frame;
    int64_t last = -1;
    vrs_status status;
    while ((status = vrs_source_read(source, &frame)) == VRS_OK) {
        assert_int_equal(frame.image.width, WIDTH);
        assert_int_equal(frame.image.height, HEIGHT);
        assert_int_equal(frame.image.format, format);
        assert_true(frame.pts > last);
        last = frame.pts;
        wait_ready(&frame.image);
        vrs_image_release(&frame.image);
    }
    if (status != VRS_END || source->frames != expected)
        fail_msg("%llu frames, %s", (unsigned long long)source->frames, vrs_status_name(status));
}

static uint64_t booked(const bench *used)
{
    vrs_memory_stats stats;
    vrs_memory_get_stats(used->memory, VRS_MEMORY_PLACE_DEVICE, &stats);
    assert_int_equal(stats.used, fake_cuda_used(0)); /* nothing that the ledger does not know */
    return stats.owners[VRS_MEMORY_DECODER].used;
}

/* The decoder's own memory is in the ledger, by what the driver says, as long as it is there. */
static void surfaces_are_in_the_ledger(void **state)
{
    (void)state;
    bench used = bench_begin(12);
    assert_int_equal(booked(&used), 0);
    vrs_source *source = open_on(&used, "change.ts", 3, VRS_DECODER_AUTO);
    uint64_t small = booked(&used);
    assert_true(small > 10 * WIDTH * HEIGHT * 3 / 2);
    vrs_frame frame;
    while (vrs_source_read(source, &frame) == VRS_OK) {
        wait_ready(&frame.image);
        vrs_image_release(&frame.image);
    }
    assert_true(booked(&used) > 2 * small); /* of the larger picture that came later */
    vrs_source_close(source);
    assert_int_equal(booked(&used), 0);
    bench_end(&used);
}

/* Surfaces for which there is no room are not asked of the driver: the CPU decodes, or, where NVDEC
 * must, the source does not open. */
static void surfaces_need_room(void **state)
{
    (void)state;
    bench used = bench_begin(13);
    vrs_memory_block *rest = NULL;
    size_t room = (size_t)vrs_memory_available(used.memory, VRS_MEMORY_PLACE_DEVICE);
    assert_int_equal(vrs_memory_alloc(used.memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST,
                                      room - (2 << 20), &rest),
                     VRS_OK);
    uint64_t before = fake_cuda_used(0);
    const vrs_source_gpu gpu = {used.device, used.memory, 2};
    const vrs_source_params params = {
        .path = "h264.mp4", .decoder = VRS_DECODER_NVDEC, .gpu = &gpu};
    vrs_source *source = NULL;
    assert_int_equal(vrs_source_open(&params, &source), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "NVDEC's surfaces for 320x180 find no room"));
    assert_int_equal(fake_cuda_used(0), before);
    source = open_on(&used, "h264.mp4", 2, VRS_DECODER_AUTO);
    expect_count(source, FRAMES, VRS_FORMAT_YUV420P);
    assert_non_null(strstr(source->note, "decoded on the CPU: NVDEC's surfaces"));
    vrs_source_close(source);
    vrs_memory_free(used.memory, rest);
    bench_end(&used);
}

/* ---- who decodes ---------------------------------------------------------------------------- */

/* Every frame is the one that a source in host memory gives. */
static void expect_as_on_host(const bench *used, const char *path, vrs_decoder_place decoder,
                              const char *note)
{
    vrs_source *there = open_on(used, path, 2, decoder);
    vrs_source *here = open_source(path);
    vrs_frame expected;
    while (vrs_source_read(here, &expected) == VRS_OK) {
        vrs_frame frame = next_frame(there);
        assert_int_equal(frame.image.format, expected.image.format);
        assert_int_equal(frame.pts, expected.pts);
        wait_ready(&frame.image);
        for (int plane = 0; plane < vrs_format_get(frame.image.format)->planes; plane++) {
            for (int32_t y = 0; y < vrs_plane_height(&frame.image, plane); y++) {
                const uint8_t *row =
                    expected.image.planes[plane] + expected.image.strides[plane] * y;
                assert_memory_equal(row_of(&frame.image, plane, y), row,
                                    (size_t)vrs_plane_row_bytes(&frame.image, plane));
            }
        }
        vrs_image_release(&frame.image);
        vrs_image_release(&expected.image);
    }
    assert_int_equal(there->frames, here->frames);
    assert_int_equal(there->damaged, here->damaged);
    if (!strstr(there->note, note) || (note[0] == '\0' && there->note[0] != '\0'))
        fail_msg("the note is '%s', not '...%s...'", there->note, note);
    vrs_source_close(there);
    vrs_source_close(here);
}

static void the_cpu_decodes_what_the_gpu_does_not(void **state)
{
    (void)state;
    bench used = bench_begin(5);
    expect_as_on_host(&used, "h264.mp4", VRS_DECODER_CPU, "");
    expect_as_on_host(&used, "ffv1.mkv", VRS_DECODER_AUTO,
                      "decoded on the CPU: NVDEC does not decode ffv1");
    expect_as_on_host(&used, "h264_444.mp4", VRS_DECODER_AUTO, "NVDEC does not decode h264 High 4");
    fake_nvdec_set_max_width(WIDTH - 2);
    expect_as_on_host(&used, "h264.mp4", VRS_DECODER_AUTO,
                      "NVDEC does not decode h264 High 320x180 yuv420p");
    fake_nvdec_set_max_width(0);
    expect_as_on_host(&used, "hevc10.mp4", VRS_DECODER_AUTO, "NVDEC does not decode hevc Main 10");
    expect_as_on_host(&used, "picture.png", VRS_DECODER_AUTO, "NVDEC does not decode pictures");
    assert_int_equal(fake_nvdec_read().decoded, 0);
    bench_end(&used);
}

static void asking_for_nvdec_is_refused_where_it_cannot(void **state)
{
    (void)state;
    bench used = bench_begin(6);
    const vrs_source_gpu gpu = {used.device, used.memory, 2};
    vrs_source_params params = {.path = "ffv1.mkv", .decoder = VRS_DECODER_NVDEC, .gpu = &gpu};
    vrs_source *source = NULL;
    assert_int_equal(vrs_source_open(&params, &source), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "NVDEC does not decode ffv1; use the decoder auto"));
    params.path = ".";
    assert_int_equal(vrs_source_open(&params, &source), VRS_UNSUPPORTED);
    params.path = "h264.mp4";
    params.gpu = NULL;
    assert_int_equal(vrs_source_open(&params, &source), VRS_UNSUPPORTED);
    assert_non_null(strstr(vrs_last_error(), "in runs on the GPU alone"));
    assert_null(source);
    bench_end(&used);
}

/* ---- changes and failures ------------------------------------------------------------------- */

/* The second part is twice as large: the hardware goes on, or where it is too large for it, the
 * CPU; nothing is lost either way. */
static void a_change_of_size_loses_nothing(void **state)
{
    (void)state;
    bench used = bench_begin(8);
    vrs_source *source = open_source("change.ts");
    assert_int_equal(read_all(source), 2 * FRAMES);
    uint64_t joint = source->damaged; /* what the demuxer says of the place where they meet */
    vrs_source_close(source);
    source = open_on(&used, "change.ts", 3, VRS_DECODER_AUTO);
    expect_count(source, 2 * FRAMES, VRS_FORMAT_NV12);
    assert_int_equal(source->damaged, joint);
    assert_string_equal(source->note, "");
    vrs_source_close(source);
    fake_nvdec_set_max_width(WIDTH);
    source = open_on(&used, "change.ts", 3, VRS_DECODER_AUTO);
    expect_count(source, 2 * FRAMES, VRS_FORMAT_NV12);
    assert_int_equal(source->damaged, joint);
    assert_non_null(strstr(source->note, "NVDEC does not decode h264 High 640x360"));
    vrs_source_close(source);
    bench_end(&used);
}

static void a_failed_picture_is_passed_over(void **state)
{
    (void)state;
    bench used = bench_begin(9);
    vrs_source *source = open_on(&used, "h264.mp4", 3, VRS_DECODER_AUTO);
    fake_nvdec_fail_picture(10, UNKNOWN_ERROR, false);
    vrs_frame frame;
    while (vrs_source_read(source, &frame) == VRS_OK) {
        wait_ready(&frame.image);
        vrs_image_release(&frame.image);
    }
    assert_in_range(source->frames, FRAMES - 2, FRAMES);
    assert_in_range(source->damaged, 1, 3);
    vrs_source_close(source);
    bench_end(&used);
}

/* Hardware that fails for good is given up: the CPU goes on from the next key frame. */
static void failing_hardware_is_given_up(void **state)
{
    (void)state;
    bench used = bench_begin(10);
    vrs_source *source = open_on(&used, "keys.mp4", 3, VRS_DECODER_AUTO);
    fake_nvdec_fail_picture(5, UNKNOWN_ERROR, true);
    vrs_frame frame;
    while (vrs_source_read(source, &frame) == VRS_OK) {
        wait_ready(&frame.image);
        vrs_image_release(&frame.image);
    }
    assert_true(source->damaged > 0);
    assert_true(source->frames >= FRAMES / 4);
    assert_non_null(strstr(source->note, "NVDEC failed 16 times in a row"));
    vrs_source_close(source);
    bench_end(&used);
}

/* The GPU is lost at any of the calls on the way: reading ends with that, nothing hangs, and images
 * that are out can be released. */
static void a_lost_gpu_ends_the_reading(void **state)
{
    (void)state;
    const char *const calls[] = {"cuMemcpy2DAsync_v2", "cuEventRecord", "cuEventSynchronize",
                                 "cuMemcpyHtoDAsync_v2"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        bench used = bench_begin(11 + i);
        vrs_source *source = open_on(&used, "h264.mp4", 3, VRS_DECODER_AUTO);
        vrs_frame held = next_frame(source);
        fake_cuda_lose_at(calls[i], 9, ILLEGAL_ADDRESS);
        vrs_frame frame;
        vrs_status status;
        while ((status = vrs_source_read(source, &frame)) == VRS_OK)
            vrs_image_release(&frame.image);
        if (status != VRS_DEVICE_LOST)
            fail_msg("%s: %s, %s", calls[i], vrs_status_name(status), vrs_last_error());
        assert_true(source->frames < FRAMES);
        assert_int_equal(vrs_source_read(source, &frame), VRS_DEVICE_LOST);
        vrs_source_close(source);
        vrs_image_release(&held.image);
        vrs_memory_destroy(used.memory);
        vrs_device_close(used.device);
    }
}

/* ---- a surface that is released too early -----------------------------------------------------
 */

/* The stand-ins see the mistake that this is all about: otherwise the tests above prove nothing. */
static void an_early_release_shows_poison(void **state)
{
    (void)state;
    bool seen = false;
    for (uint64_t seed = 1; seed <= 32 && !seen; seed++) {
        bench used = bench_begin(seed);
        vrs_gpu_frames *frames = NULL;
        vrs_reader *reader = NULL;
        vrs_device_stream *stream = NULL;
        vrs_device_event *done = NULL;
        vrs_memory_block *copy = NULL;
        const vrs_gpu_frames_params params = {used.device, used.memory, 1, NULL, NULL};
        const vrs_source_params input = {.path = "h264.mp4"};
        AVFrame *frame = av_frame_alloc();
        assert_int_equal(vrs_gpu_frames_create(&params, &frames), VRS_OK);
        vrs_hw_place place = vrs_gpu_frames_place(frames);
        assert_int_equal(vrs_reader_open(&input, &place, &reader), VRS_OK);
        assert_int_equal(vrs_reader_next(reader, frame), VRS_OK);
        assert_int_equal(vrs_device_stream_create(used.device, VRS_PRIORITY_NORMAL, &stream),
                         VRS_OK);
        assert_int_equal(vrs_device_event_create(used.device, false, &done), VRS_OK);
        assert_int_equal(
            vrs_memory_alloc(used.memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST, WIDTH, &copy),
            VRS_OK);
        assert_int_equal(vrs_device_copy(stream, copy->address,
                                         (vrs_device_ptr)(uintptr_t)frame->data[0], WIDTH),
                         VRS_OK);
        av_frame_free(&frame);
        assert_int_equal(vrs_device_event_record(done, stream), VRS_OK);
        assert_int_equal(vrs_device_event_wait(done), VRS_OK);
        const uint8_t *row = fake_cuda_host(copy->address, WIDTH);
        seen = row[0] == FAKE_NVDEC_POISON && row[1] == FAKE_NVDEC_POISON;
        vrs_memory_free(used.memory, copy);
        vrs_device_event_destroy(done);
        vrs_device_stream_destroy(stream);
        vrs_reader_close(reader);
        vrs_gpu_frames_destroy(frames);
        bench_end(&used);
    }
    assert_true(seen);
}

/* ---- each resource fails in turn ------------------------------------------------------------ */

typedef struct failing {
    int left;
    bool hit;
} failing;

static bool fail_nth(void *opaque, const char *what)
{
    failing *plan = opaque;
    (void)what;
    bool ok = __atomic_sub_fetch(&plan->left, 1, __ATOMIC_SEQ_CST) != 0;
    if (!ok)
        __atomic_store_n(&plan->hit, true, __ATOMIC_SEQ_CST);
    return ok;
}

static void every_failure_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    failing plan = {.hit = true};
    for (int n = 1; plan.hit; n++) {
        bench used = bench_begin((uint64_t)n);
        const vrs_source_gpu gpu = {used.device, used.memory, 2};
        const vrs_source_params params = {.path = n % 2 ? "h264.mp4" : "ffv1.mkv", .gpu = &gpu};
        size_t alive = vrs_resources_live();
        vrs_source *source = NULL;
        plan = (failing){.left = n};
        vrs_inject_set(fail_nth, &plan);
        vrs_status status = vrs_source_open(&params, &source);
        for (int i = 0; i < 3 && status == VRS_OK; i++) {
            vrs_frame frame;
            status = vrs_source_read(source, &frame);
            if (status == VRS_OK)
                vrs_image_release(&frame.image);
        }
        if (status != VRS_OK)
            assert_true(vrs_last_error()[0] != '\0');
        vrs_source_close(source);
        vrs_inject_set(NULL, NULL);
        assert_int_equal(vrs_resources_live(), alive);
        bench_end(&used);
    }
}

/* ---- the program ---------------------------------------------------------------------------- */

static void make_clips(void)
{
    const char *const source = "-f lavfi -i testsrc2=size=320x180:rate=25 -frames:v 40";
    char command[512];
    const struct {
        const char *options, *name;
    } clips[] = {
        {"-c:v libx264 -bf 3 -g 1000 -sc_threshold 0 -pix_fmt yuv420p", "h264.mp4"},
        {"-c:v libx264 -bf 0 -g 4 -pix_fmt yuv420p", "keys.mp4"},
        {"-c:v libx264 -pix_fmt yuv444p", "h264_444.mp4"},
        {"-c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p10le",
         "hevc10.mp4"},
        {"-c:v ffv1 -pix_fmt yuv420p", "ffv1.mkv"},
        {"-c:v libx264 -bf 2 -pix_fmt yuv420p", "a.ts"},
        {"-vf scale=640:360 -c:v libx264 -bf 2 -pix_fmt yuv420p -output_ts_offset 10", "b.ts"},
        {"-update 1", "picture.png"},
    };
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        (void)snprintf(command, sizeof command, "%s %s %s", source, clips[i].options,
                       clips[i].name);
        clip(command);
    }
    assert_int_equal(system("cat a.ts b.ts > change.ts"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_whole_and_in_order),
        cmocka_unit_test(several_inputs_share_a_device),
        cmocka_unit_test(slow_consumer_waits_for_slots),
        cmocka_unit_test(surfaces_do_run_out_without_it),
        cmocka_unit_test(surfaces_are_in_the_ledger),
        cmocka_unit_test(surfaces_need_room),
        cmocka_unit_test(an_early_release_shows_poison),
        cmocka_unit_test(the_cpu_decodes_what_the_gpu_does_not),
        cmocka_unit_test(asking_for_nvdec_is_refused_where_it_cannot),
        cmocka_unit_test(a_change_of_size_loses_nothing),
        cmocka_unit_test(a_failed_picture_is_passed_over),
        cmocka_unit_test(failing_hardware_is_given_up),
        cmocka_unit_test(a_lost_gpu_ends_the_reading),
        cmocka_unit_test(every_failure_is_told_and_nothing_leaks),
    };
    *(void **)(&wait_for_event) = dlsym(RTLD_DEFAULT, "cuEventSynchronize");
    *(void **)(&start_driver) = dlsym(RTLD_DEFAULT, "cuInit");
    clips_begin();
    make_clips();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
