/* ONNX Runtime as a device engine: on the CPU device with the CPU provider, where every number is
 * known exactly, and ("cuda") on a GPU with the CUDA provider. What the providers of GPUs refuse
 * where they cannot run. A second argument, a pattern with *, chooses tests. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "engine/backend.h"
#include "engine/support.h"
#include "support/inject.h"

#define WIDTH 6
#define HEIGHT 4
#define PIXELS (WIDTH * HEIGHT)

static const float weights[2][3] = {{0.5F, -0.25F, 2}, {1, 4, -0.125F}};
static const float biases[2] = {1, -2};
static vrs_device *device;
static vrs_memory *memory;
static vrs_device_stream *stream;
static bool on_gpu;

static void ok(vrs_status status)
{
    if (status != VRS_OK)
        fail_msg("%s: %s", vrs_status_name(status), vrs_last_error());
}

static vrs_engine_params device_params(int32_t requests, int32_t max_batch)
{
    return (vrs_engine_params){.requests = requests,
                               .threads = 1,
                               .max_batch = max_batch,
                               .float_input = true,
                               .device = device,
                               .memory = memory,
                               .provider = on_gpu ? "cuda" : "cpu"};
}

static vrs_status create(const vrs_model *model, const vrs_engine_params *params,
                         vrs_engine **engine)
{
    *engine = NULL;
    return on_gpu ? vrs_engine_create("onnxruntime", model, params, engine)
                  : vrs_engine_onnxruntime_device.create(model, params, engine);
}

static float value_of(int seed, int element)
{
    return (float)((seed * 37 + element * 11 + element * element % 5) % 256);
}

static vrs_device_ptr address(const void *pointer)
{
    return (vrs_device_ptr)(uintptr_t)pointer;
}

static void finish(void)
{
    vrs_device_event *event = NULL;
    ok(vrs_device_event_create(device, false, &event));
    ok(vrs_device_event_record(event, stream));
    ok(vrs_device_event_wait(event));
    vrs_device_event_destroy(event);
}

static void put(vrs_request *request, int position, int seed)
{
    float planes[3 * PIXELS];
    for (int i = 0; i < 3 * PIXELS; i++)
        planes[i] = value_of(seed, i);
    ok(vrs_device_upload(stream, address(vrs_request_input(request, position)), planes,
                         sizeof(planes)));
    finish();
}

/* Of the network tiny.onnx, whose layouts are planes. */
static void check(const vrs_request *request, int position, int seed)
{
    float scores[2 * PIXELS];
    ok(vrs_device_download(stream, scores, address(vrs_request_scores(request, position)),
                           sizeof(scores)));
    finish();
    for (int k = 0; k < 2; k++) {
        for (int p = 0; p < PIXELS; p++) {
            float sum = biases[k];
            for (int c = 0; c < 3; c++)
                sum += weights[k][c] * value_of(seed, c * PIXELS + p);
            assert_true(scores[k * PIXELS + p] == sum);
        }
    }
}

/* Every batch size on two requests, which are both queued before anything is looked at. */
static void run_batches(const char *descriptor, const char *onnx, int32_t largest)
{
    vrs_model *model = load_model(descriptor, onnx);
    vrs_engine_params params = device_params(2, largest);
    vrs_engine *engine;
    ok(create(model, &params, &engine));
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    assert_true(io->on_device);
    assert_false(io->normalises);
    assert_int_equal(io->tensor, VRS_TENSOR_F32_NCHW);
    assert_int_equal(io->enlarge, 1);
    assert_int_equal(io->input_bytes, 3 * PIXELS * sizeof(float));
    for (int batch = 1; batch <= largest; batch++) {
        for (int r = 0; r < 2; r++)
            for (int i = 0; i < batch; i++)
                put(vrs_engine_request(engine, r), i, batch * 100 + r * 20 + i);
        for (int r = 0; r < 2; r++)
            ok(vrs_request_enqueue(vrs_engine_request(engine, r), batch, stream));
        for (int r = 0; r < 2; r++)
            for (int i = 0; i < batch; i++)
                check(vrs_engine_request(engine, r), i, batch * 100 + r * 20 + i);
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void test_batches(void **state)
{
    (void)state;
    run_batches(HEAD INPUT OUTPUT, "tiny.onnx", 16);
    run_batches(HEAD INPUT OUTPUT, "tiny.onnx", 5);
    run_batches(HEAD INPUT OUTPUT, "tiny.onnx", 1);
}

/* A file that takes one view at a time. */
static void test_fixed_batch(void **state)
{
    (void)state;
    run_batches(HEAD INPUT "batch: fixed\n" OUTPUT, "tiny.onnx", 3);
}

/* A transposed convolution, which CUDA's provider has not with its bias in it. */
static void test_transposed(void **state)
{
    (void)state;
    vrs_model *model = load_model(HEAD INPUT "output: {activation: none, classes: 2, person: [1], "
                                             "width: 12, height: 8}\n",
                                  "tiny-up.onnx");
    vrs_engine_params params = device_params(1, 3);
    vrs_engine *engine;
    ok(create(model, &params, &engine));
    vrs_request *request = vrs_engine_request(engine, 0);
    float scores[2 * 4 * PIXELS];
    assert_int_equal(vrs_engine_get_io(engine)->scores_elements, 2 * 4 * PIXELS);
    put(request, 2, 7);
    ok(vrs_request_enqueue(request, 3, stream));
    ok(vrs_device_download(stream, scores, address(vrs_request_scores(request, 2)),
                           sizeof(scores)));
    finish();
    for (int k = 0; k < 2; k++) {
        for (int y = 0; y < 2 * HEIGHT; y++) {
            for (int x = 0; x < 2 * WIDTH; x++) {
                float sum = biases[k];
                for (int c = 0; c < 3; c++)
                    sum += weights[k][c] * value_of(7, c * PIXELS + y / 2 * WIDTH + x / 2);
                assert_true(scores[(k * 2 * HEIGHT + y) * 2 * WIDTH + x] == sum);
            }
        }
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* States stay on the device: what came out goes in again. */
static void test_states(void **state)
{
    (void)state;
    enum { W = 5, H = 3 };
    vrs_model *model =
        load_model(HEAD "input: {name: picture, width: 5, height: 3}\n"
                        "output: {name: scores, activation: none, classes: 1}\n"
                        "states:\n  - {input: sum_in, output: sum_out, channels: 1, divisor: 1}\n"
                        "  - {input: half_in, output: half_out, channels: 1, divisor: 2}\n",
                   "tiny-state.onnx");
    vrs_engine_params params = device_params(1, 2);
    vrs_engine *engine;
    ok(create(model, &params, &engine));
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    vrs_request *request = vrs_engine_request(engine, 0);
    for (int frame = 1; frame <= 4; frame++) {
        for (int i = 0; i < 2; i++) {
            float planes[3 * W * H];
            for (size_t e = 0; e < 3 * W * H; e++)
                planes[e] = (float)(i + 1);
            ok(vrs_device_upload(stream, address(vrs_request_input(request, i)), planes,
                                 sizeof(planes)));
            finish();
        }
        ok(vrs_request_enqueue(request, 2, stream));
        for (int i = 0; i < 2; i++) {
            float sum = 0;
            for (int s = 0; s < 2; s++) {
                ok(vrs_device_copy(stream, address(vrs_request_state_in(request, s, i)),
                                   address(vrs_request_state_out(request, s, i)),
                                   io->states[s].elements * sizeof(float)));
            }
            ok(vrs_device_download(stream, &sum, address(vrs_request_scores(request, i)),
                                   sizeof(sum)));
            finish();
            assert_true(sum == (float)(frame * (i + 1)));
        }
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

static void refuse_file(const char *onnx, vrs_engine_params params, vrs_status wanted,
                        const char *part)
{
    vrs_model *model = load_model(HEAD INPUT OUTPUT, onnx);
    vrs_engine *engine = NULL;
    vrs_status status = vrs_engine_create("onnxruntime", model, &params, &engine);
    if (status != wanted) {
        fail_msg("%s and not %s: %s", vrs_status_name(status), vrs_status_name(wanted),
                 vrs_last_error());
    }
    assert_null(engine);
    expect_detail(part);
    printf("  %s\n", vrs_last_error());
    vrs_model_destroy(model);
}

static void refuse(vrs_engine_params params, vrs_status wanted, const char *part)
{
    refuse_file("tiny-int8.onnx", params, wanted, part);
}

/* A provider that this library has not, or whose own libraries are missing, in its own words. */
static void test_providers(void **state)
{
    (void)state;
    vrs_engine_params params = device_params(1, 1);
    params.provider = "cuda";
    params.device = NULL;
    refuse(params, VRS_INVALID, "choose one with --device");
    params = device_params(1, 1);
    params.provider = "directml";
    refuse(params, VRS_INVALID, "there are cpu, cuda, tensorrt and tensorrt-rtx");
    params.provider = "tensorrt";
    params.precision = VRS_PRECISION_F32;
    refuse(params, VRS_UNSUPPORTED, "provider tensorrt has no precision f32; it has tf32, f16");
    params.provider = "cuda";
    params.precision = VRS_PRECISION_INT8;
    refuse(params, VRS_UNSUPPORTED, "provider cuda has no precision int8; it has f32, tf32");
    params.provider = "tensorrt";
    for (int p = VRS_PRECISION_TF32; p <= VRS_PRECISION_INT8; p++) {
        params.precision = (vrs_precision)p;
        params.cache_dir = folder;
        refuse(params, VRS_MISSING,
               "cannot use the provider tensorrt, which needs onnxruntime-gpu");
    }
    refuse_file("tiny.onnx", params, VRS_INVALID, "has no quantised layer");
    params.provider = "tensorrt-rtx";
    params.precision = VRS_PRECISION_TF32;
    params.plugin = "/nowhere/plugin.so";
    refuse(params, VRS_MISSING, "/nowhere/plugin.so is not there");
    params.plugin = data_path("tiny.onnx");
    refuse(params, VRS_MISSING, "cannot use the provider tensorrt-rtx, which needs");
}

/* Where there is no GPU; where there is, the other tests use it. */
static void test_cuda_refused(void **state)
{
    (void)state;
    vrs_engine_params params = device_params(1, 1);
    params.provider = "cuda";
    refuse(params, VRS_MISSING, "cannot use the provider cuda, which needs onnxruntime-gpu");
    expect_detail("ONNX Runtime says: ");
}

static void test_options(void **state)
{
    (void)state;
    vrs_engine_params params = device_params(1, 1);
    params.provider = "cuda";
    static const char *const bad[] = {"x", "=1", "a=1,b", "a=1,=", ","};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        params.provider_options = bad[i];
        refuse(params, VRS_INVALID, "is not of the form key=value");
    }
}

static vrs_status live(void *opaque)
{
    vrs_engine_params params = device_params(2, 2);
    vrs_engine *engine = NULL;
    vrs_status status = create(opaque, &params, &engine);
    if (status == VRS_OK) {
        vrs_request *request = vrs_engine_request(engine, 1);
        status = vrs_request_enqueue(request, 2, stream);
        if (status != VRS_OK)
            assert_string_not_equal(vrs_request_error(request), "");
    }
    if (engine != NULL)
        vrs_engine_destroy(engine);
    return status;
}

static void test_each_failure(void **state)
{
    (void)state;
    static const vrs_status also[] = {VRS_OK, VRS_ENGINE, VRS_INVALID, VRS_DEVICE};
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    unsigned failed = inject_all_allowing(live, model, also, sizeof(also) / sizeof(*also));
    printf("%u resources failed in turn\n", failed);
    assert_in_range(failed, 40, 1000);
    vrs_model_destroy(model);
}

static int open_device(void)
{
    vrs_memory_settings settings = {0};
    vrs_status status = vrs_device_open(on_gpu ? "cuda" : "cpu", &device);
    if (status != VRS_OK && on_gpu) {
        fprintf(stderr, "skipped: %s\n", vrs_last_error());
        return getenv("VRSEG_REQUIRE_CUDA") != NULL ? 1 : SHARED_SKIP;
    }
    if (status == VRS_OK)
        status = vrs_memory_create(device, &settings, &memory);
    if (status == VRS_OK)
        status = vrs_device_stream_create(device, VRS_PRIORITY_NORMAL, &stream);
    if (status != VRS_OK)
        fprintf(stderr, "%s\n", vrs_last_error());
    return status == VRS_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    on_gpu = argc > 1 && strcmp(argv[1], "cuda") == 0;
    int failed = open_device();
    if (failed != 0)
        return failed;
    need_engine("onnxruntime");
    temp_make(folder, sizeof(folder));
    cmocka_set_test_filter(argc > 2 ? argv[2] : "*");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches), cmocka_unit_test(test_fixed_batch),
        cmocka_unit_test(test_states),  cmocka_unit_test(test_transposed),
        cmocka_unit_test(test_options), cmocka_unit_test(test_each_failure),
    };
    const struct CMUnitTest refusals[] = {
        cmocka_unit_test(test_providers),
        cmocka_unit_test(test_cuda_refused),
    };
    failed = cmocka_run_group_tests_name("device", tests, NULL, NULL);
    if (!on_gpu)
        failed += cmocka_run_group_tests_name("refusals", refusals, NULL, NULL);
    vrs_device_stream_destroy(stream);
    vrs_memory_destroy(memory);
    vrs_device_close(device);
    temp_remove(folder);
    return failed;
}
