/* Where the pixels of a pipeline on fake_cuda lie: frames and outputs on the GPU, budgets, and what
 * happens when memory gets short. */
#define _XOPEN_SOURCE 700
#include "pipeline/bottleneck.h"
#include "pipeline/cuda_rig.h"

static void small_budgets(void **state)
{
    (void)state;
    outcome o;
    bool ran = false, refused = false;
    for (int32_t kb = 40; kb < 700; kb += 45) {
        char text[128];
        begin(1000 + 2 * (uint64_t)kb);
        snprintf(text, sizeof(text), "device=cuda:0 lanes=2 requests=2 gpu_memory=%d000B", kb);
        vrs_status status = run(&all_outputs, text, &o);
        if (status == VRS_OK && o.submit == VRS_OK) {
            assert_int_equal(o.results, FRAMES);
            assert_int_equal(o.stats.failed, 0);
            ran = true;
        } else {
            assert_false(ran);
            refused = true;
            assert_int_equal(status == VRS_OK ? o.submit : status, VRS_INVALID);
            assert_non_null(strstr(o.detail, "budget"));
        }
        end(text);
        drop(&o);
    }
    assert_true(ran && refused);
}

/* --- frames that lie on the GPU --- */

typedef struct device_frame {
    vrs_memory *memory;
    vrs_memory_block *block, *pinned;
    vrs_device_event *ready;
} device_frame;

static atomic_int device_frames;

static void release_device_frame(void *opaque)
{
    device_frame *f = opaque;
    vrs_device_event_destroy(f->ready);
    vrs_memory_free(f->memory, f->block);
    vrs_memory_free(f->memory, f->pinned);
    free(f);
    device_frames--;
}

/* The frame moves to the GPU; its bytes come there some time later, before its event. */
static void move(vrs_place *place, vrs_device_stream *stream, vrs_frame *frame)
{
    device_frame *f = calloc(1, sizeof(*f));
    vrs_image host = frame->image, *image = &frame->image;
    const vrs_format_info *info = vrs_format_get(host.format);
    size_t bytes = 0;
    f->memory = place->memory;
    for (int p = 0; p < info->planes; p++)
        bytes += (size_t)host.strides[p] * (size_t)vrs_plane_height(&host, p);
    assert_int_equal(
        vrs_memory_alloc(place->memory, VRS_MEMORY_PLACE_DEVICE, VRS_MEMORY_TEST, bytes, &f->block),
        VRS_OK);
    assert_int_equal(vrs_memory_alloc(place->memory, VRS_MEMORY_PLACE_PINNED, VRS_MEMORY_TEST,
                                      bytes, &f->pinned),
                     VRS_OK);
    assert_int_equal(vrs_device_event_create(place->device, false, &f->ready), VRS_OK);
    memcpy(f->pinned->host, host.planes[0], bytes);
    assert_int_equal(vrs_device_upload(stream, f->block->address, f->pinned->host, bytes), VRS_OK);
    assert_int_equal(vrs_device_event_record(f->ready, stream), VRS_OK);
    for (int p = 0; p < info->planes; p++)
        image->planes[p] =
            (uint8_t *)(uintptr_t)(f->block->address + (size_t)(host.planes[p] - host.planes[0]));
    image->memory = VRS_MEMORY_CUDA;
    image->ready = vrs_device_event_handle(f->ready);
    image->release = release_device_frame;
    image->opaque = f;
    device_frames++;
    vrs_image_release(&host);
}

/* Submits a frame as soon as a ticket is free, fetching meanwhile. */
static void give(vrs_pipeline *pipeline, vrs_frame *frame, outcome *o)
{
    while ((o->submit = vrs_pipeline_submit(pipeline, frame, 0)) == VRS_TIMEOUT ||
           o->submit == VRS_FULL)
        drain(pipeline, o, 1000);
    if (o->submit != VRS_OK)
        fail_msg("%s", vrs_last_error());
}

static void frames_on_the_gpu(void **state)
{
    (void)state;
    outcome cpu, gpu = {0};
    vrs_config *config = NULL;
    vrs_place place;
    vrs_pipeline *pipeline = NULL;
    vrs_device_stream *stream = NULL;
    const char *settings = "tickets=6 max_queue_delay_us=300 layout=sbs lanes=3 requests=3";
    assert_int_equal(run(&all_outputs, "device=cpu layout=sbs", &cpu), VRS_OK);
    begin(1200);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0");
    configure(config, settings);
    vrs_model *model = load_model("");
    assert_int_equal(vrs_place_open(config, &place), VRS_OK);
    assert_int_equal(vrs_pipeline_create_at(config, model, &place, &fake_engine_ops, &pipeline),
                     VRS_OK);
    for (uint32_t i = 0; i < all_outputs.output_count; i++)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &all_outputs.outputs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    assert_int_equal(vrs_device_stream_create(place.device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    for (int64_t n = 0; n < FRAMES; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        move(&place, stream, &frame);
        give(pipeline, &frame, &gpu);
    }
    vrs_frame elsewhere = paint(&all_outputs, FRAMES);
    assert_int_equal(vrs_pipeline_submit(pipeline, &elsewhere, 0), VRS_INVALID);
    vrs_image_release(&elsewhere.image);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &gpu, -1);
    assert_int_equal(gpu.results, FRAMES);
    assert_int_equal(device_frames, 0);
    compare(&cpu, &gpu, &all_outputs, "frames on the GPU");
    vrs_pipeline_destroy(pipeline);
    vrs_device_stream_destroy(stream);
    vrs_place_close(&place);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("frames on the GPU");
    drop(&cpu);
    drop(&gpu);
}

/* Another program takes memory in mid-run: tickets are given up, frames come out. */
static void pressure_of_others(void **state)
{
    (void)state;
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    begin(1300);
    fake_cuda_set_memory(64 << 20);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=12 max_queue_delay_us=300 gpu_reserve=1MB");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    for (uint32_t i = 0; i < all_outputs.output_count; i++)
        assert_int_equal(vrs_pipeline_add_output(pipeline, &all_outputs.outputs[i]), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_frame first = paint(&all_outputs, 0);
    give(pipeline, &first, &o);
    drain(pipeline, &o, 100000);
    uint32_t tickets = vrs_pipeline_get_stats(pipeline).tickets;
    assert_int_equal(tickets, 12);
    fake_cuda_set_other_memory((64 << 20) - fake_cuda_used(0));
    assert_true(vrs_memory_poll(pipeline->place.memory));
    assert_true(vrs_pipeline_get_stats(pipeline).tickets < tickets);
    assert_true(vrs_pipeline_get_stats(pipeline).tickets >= 1);
    for (int64_t n = 1; n < FRAMES; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        give(pipeline, &frame, &o);
    }
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &o, -1);
    assert_int_equal(o.results, FRAMES);
    assert_int_equal(vrs_pipeline_get_stats(pipeline).failed, 0);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("pressure");
    drop(&o);
}

/* Tickets that were given up come back when memory is there again and nothing was short for some
 * time. */
static void tickets_grow_back(void **state)
{
    (void)state;
    enum { TICKETS = 6 };
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    int64_t n = 0;
    begin(1350);
    fake_cuda_set_memory(64 << 20);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=6 max_queue_delay_us=0 gpu_reserve=1MB");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_frame first = paint(&all_outputs, n++);
    give(pipeline, &first, &o);
    drain(pipeline, &o, 100000);
    fake_cuda_set_other_memory((64 << 20) - fake_cuda_used(0));
    assert_true(vrs_memory_poll(pipeline->place.memory));
    uint32_t left = vrs_pipeline_get_stats(pipeline).tickets;
    assert_in_range(left, 1, TICKETS - 1);
    fake_cuda_set_other_memory(0);
    fake_engine_hold(true);
    while (n < (int64_t)left + 1) { /* all that are left are in use */
        vrs_frame frame = paint(&all_outputs, n++);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, 0), VRS_OK);
    }
    vrs_frame more = paint(&all_outputs, n);
    assert_int_equal(vrs_pipeline_submit(pipeline, &more, 0), VRS_TIMEOUT); /* too early */
    assert_int_equal(vrs_pipeline_get_stats(pipeline).tickets, left);
    vrs_clock_use_virtual(vrs_now_ns() + 6 * VRS_NS_PER_S);
    for (uint32_t tickets = left + 1; tickets <= TICKETS; tickets++) {
        vrs_clock_advance_ns(VRS_NS_PER_S);
        assert_int_equal(vrs_pipeline_submit(pipeline, &more, 0), VRS_OK);
        assert_int_equal(vrs_pipeline_get_stats(pipeline).tickets, tickets);
        more = paint(&all_outputs, ++n);
    }
    assert_int_equal(vrs_pipeline_submit(pipeline, &more, 0), VRS_TIMEOUT);
    vrs_image_release(&more.image);
    fake_engine_hold(false);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &o, -1);
    assert_int_equal(o.results, n);
    assert_int_equal(vrs_pipeline_get_stats(pipeline).failed, 0);
    vrs_pipeline_destroy(pipeline);
    vrs_clock_use_real();
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("grow back");
    drop(&o);
}

/* --- outputs that stay on the device --- */

/* Bytes of a plane on the device, row by row without gaps. */
static void fetch(vrs_device_stream *stream, const vrs_image *image, uint8_t *to)
{
    for (int32_t y = 0; y < image->height; y++)
        assert_int_equal(vrs_device_download(
                             stream, to + (size_t)y * (size_t)image->width,
                             (vrs_device_ptr)(uintptr_t)(image->planes[0] + y * image->strides[0]),
                             (size_t)image->width),
                         VRS_OK);
    vrs_device_event *done = NULL;
    assert_int_equal(vrs_device_event_create(vrs_device_stream_device(stream), false, &done),
                     VRS_OK);
    assert_int_equal(vrs_device_event_record(done, stream), VRS_OK);
    assert_int_equal(vrs_device_event_wait(done), VRS_OK);
    vrs_device_event_destroy(done);
}

/* The same mask twice, one of them left where it is: equal, with an event and the capture time, and
 * only the other one crosses the bus. A frame that failed has none. */
static void outputs_on_the_gpu(void **state)
{
    (void)state;
    vrs_config *config = NULL;
    vrs_place place;
    vrs_pipeline *pipeline = NULL;
    vrs_device_stream *stream = NULL;
    begin(1210);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=6 max_queue_delay_us=0 lanes=2 requests=2");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_place_open(config, &place), VRS_OK);
    assert_int_equal(vrs_pipeline_create_at(config, model, &place,
                                            on_device ? &fake_device_engine_ops : &fake_engine_ops,
                                            &pipeline),
                     VRS_OK);
    vrs_output_desc host = {.kind = VRS_OUTPUT_MASK}, device = host;
    device.memory = VRS_MEMORY_CUDA;
    vrs_output_desc wrong = {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_YUV420P};
    wrong.memory = VRS_MEMORY_CUDA;
    assert_int_equal(vrs_pipeline_add_output(pipeline, &wrong), VRS_INVALID);
    wrong.memory = (vrs_memory_kind)7;
    assert_int_equal(vrs_pipeline_add_output(pipeline, &wrong), VRS_INVALID);
    assert_int_equal(vrs_pipeline_add_output(pipeline, &host), VRS_OK);
    assert_int_equal(vrs_pipeline_add_output(pipeline, &device), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    assert_int_equal(vrs_device_stream_create(place.device, VRS_PRIORITY_NORMAL, &stream), VRS_OK);
    size_t bytes = (size_t)all_outputs.width * (size_t)all_outputs.height;
    uint8_t *pixels = malloc(bytes);
    for (int64_t n = 0; n < FRAMES; n++) {
        vrs_result *result = NULL;
        vrs_frame frame = paint(&all_outputs, n);
        bool fails = n == FRAMES - 1;
        frame.capture_ns = vrs_now_ns();
        fake_plan.fail_every = fails && !on_device ? 1 : 0;
        uint64_t before = fake_cuda_calls("cuMemcpyDtoHAsync_v2");
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK);
        assert_int_equal(vrs_pipeline_get_result(pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->capture_ns, frame.capture_ns);
        const vrs_image *kept = &result->outputs[1], *down = &result->outputs[0];
        assert_int_equal(kept->memory, VRS_MEMORY_CUDA);
        assert_int_equal(down->memory, VRS_MEMORY_HOST);
        if (fake_plan.fail_every == 1) {
            assert_int_equal(result->status, VRS_ENGINE);
            assert_null(kept->planes[0]);
            vrs_result_release(result);
            continue;
        }
        assert_int_equal(result->status, VRS_OK);
        /* The sums, one mask, and the tensors of an engine of the CPU. */
        assert_int_equal(fake_cuda_calls("cuMemcpyDtoHAsync_v2") - before, on_device ? 2 : 3);
        assert_non_null(kept->ready);
        assert_int_equal(kept->device, 0);
        fetch(stream, kept, pixels);
        for (int32_t y = 0; y < down->height; y++)
            assert_memory_equal(pixels + (size_t)y * (size_t)down->width,
                                down->planes[0] + y * down->strides[0], (size_t)down->width);
        vrs_result_release(result);
    }
    fake_plan.fail_every = 0;
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    int64_t elapsed = vrs_now_ns() - stats.started_ns;
    assert_true(stats.on_gpu && stats.gpu_ns >= 0 && stats.gpu_ns <= elapsed);
    assert_true(stats.copy_ns >= 0 && stats.copy_ns <= elapsed);
    assert_true(stats.gpu_ns + stats.copy_ns > 0);
    free(pixels);
    vrs_pipeline_destroy(pipeline);
    vrs_device_stream_destroy(stream);
    vrs_place_close(&place);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("outputs on the GPU");
}

static void submit_in_vain(void *arg)
{
    vrs_frame frame = paint(&all_outputs, 99);
    assert_int_equal(vrs_pipeline_submit(arg, &frame, 1000000), VRS_TIMEOUT);
    vrs_image_release(&frame.image);
}

/* Another program takes memory, so tickets are given up, and those that are left are in use: a
 * second of submitting goes by, and memory is what is named. */
static void starved_of_memory(void **state)
{
    (void)state;
    outcome o = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = NULL;
    begin(1370);
    fake_cuda_set_memory(64 << 20);
    assert_int_equal(vrs_config_create(&config), VRS_OK);
    configure(config, "device=cuda:0 tickets=6 max_queue_delay_us=0 gpu_reserve=1MB requests=6");
    vrs_model *model = load_model("");
    assert_int_equal(vrs_pipeline_create_on(config, model, &fake_engine_ops, &pipeline), VRS_OK);
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    vrs_frame first = paint(&all_outputs, 0);
    give(pipeline, &first, &o);
    drain(pipeline, &o, 100000);
    fake_cuda_set_other_memory((64 << 20) - fake_cuda_used(0));
    assert_true(vrs_memory_poll(pipeline->place.memory));
    int64_t left = vrs_pipeline_get_stats(pipeline).tickets;
    assert_in_range(left, 1, 5);
    fake_engine_hold(true);
    for (int64_t n = 1; n <= left; n++) {
        vrs_frame frame = paint(&all_outputs, n);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, 0), VRS_OK);
    }
    vrs_clock_use_virtual(vrs_now_ns());
    vrs_thread thread = {0};
    assert_int_equal(vrs_thread_start(&thread, "submit", submit_in_vain, pipeline), VRS_OK);
    vrs_clock_await_waiters(1);
    vrs_clock_advance_ns(VRS_NS_PER_S);
    vrs_thread_join(&thread);
    vrs_pipeline_stats stats = vrs_pipeline_get_stats(pipeline);
    assert_int_equal(stats.short_ns, VRS_NS_PER_S);
    assert_int_equal(stats.tickets_wanted, 6);
    vrs_bottleneck b;
    vrs_bottleneck_finding finding;
    stats.stages[VRS_STAGE_INFER].busy_ns = 0; /* held back, which is no work */
    vrs_bottleneck_of_stats(&stats, 1, &b);
    vrs_bottleneck_find(&b, &finding);
    assert_int_equal(finding.resource, VRS_RESOURCE_MEMORY);
    assert_non_null(strstr(finding.text, "of 6 frames in flight"));
    fake_engine_hold(false);
    vrs_pipeline_finish(pipeline);
    drain(pipeline, &o, -1);
    vrs_pipeline_destroy(pipeline);
    vrs_clock_use_real();
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    end("starved");
    drop(&o);
}

/* --- an engine of the GPU --- */

static void engine_outputs(void **state)
{
    (void)state;
    with_engine(outputs_on_the_gpu, false);
}

static void engine_small_budgets(void **state)
{
    (void)state;
    with_engine(small_budgets, false);
}

/* With an argument: with an engine of the GPU. */
int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_budgets),      cmocka_unit_test(frames_on_the_gpu),
        cmocka_unit_test(pressure_of_others), cmocka_unit_test(tickets_grow_back),
        cmocka_unit_test(starved_of_memory),  cmocka_unit_test(outputs_on_the_gpu),
    };
    const struct CMUnitTest engine_tests[] = {
        cmocka_unit_test(engine_outputs),
        cmocka_unit_test(engine_small_budgets),
    };
    begin_tests();
    int failed = argc > 1 ? cmocka_run_group_tests(engine_tests, NULL, NULL)
                          : cmocka_run_group_tests(tests, NULL, NULL);
    temp_remove(folder);
    return failed;
}
