/* The engine on tiny networks: every number is known exactly. */
#define _XOPEN_SOURCE 700

#include <math.h>
#include <stdatomic.h>

#include "engine/cpu.h"
#include "engine/support.h"

#define WIDTH 6
#define HEIGHT 4
#define PIXELS (WIDTH * HEIGHT)

static const float weights[2][3] = {{0.5F, -0.25F, 2}, {1, 4, -0.125F}};
static const float biases[2] = {1, -2};

/* A code that differs for every seed, pixel and channel. */
static uint8_t code(int seed, int pixel, int channel)
{
    return (uint8_t)(seed * 37 + pixel * 11 + channel * 71 + pixel * pixel % 5);
}

/* What the network of make_networks.py gives for inputs v[0..2]. */
static float expected(int class, const float v[3])
{
    return weights[class][0] * v[0] + weights[class][1] * v[1] + weights[class][2] * v[2] +
           biases[class];
}

/* The codes, as bytes or as floats in planes. */
static void fill(const vrs_engine_io *io, vrs_request *request, int position, int seed)
{
    void *input = vrs_request_input(request, position);
    for (int p = 0; p < PIXELS; p++) {
        for (int c = 0; c < 3; c++)
            if (io->normalises)
                ((uint8_t *)input)[p * 3 + c] = code(seed, p, c);
            else
                ((float *)input)[c * PIXELS + p] = code(seed, p, c);
    }
}

/* Fed as the descriptor without normalisation says. */
static void check_scores(const vrs_engine_io *io, const vrs_request *request, int position,
                         int seed)
{
    const float *scores = vrs_request_scores(request, position);
    for (int p = 0; p < PIXELS; p++) {
        const float v[3] = {code(seed, p, 0), code(seed, p, 1), code(seed, p, 2)};
        for (int k = 0; k < 2; k++) {
            ptrdiff_t at =
                k * io->class_stride + p / WIDTH * io->row_stride + p % WIDTH * io->column_stride;
            assert_true(scores[at] == expected(k, v));
        }
    }
}

/* Of the quantised network: scores in steps of 4 from -400 to 620. */
static void test_quantised(void **state)
{
    (void)state;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny-int8.onnx");
    static const vrs_precision precisions[] = {VRS_PRECISION_F32, VRS_PRECISION_INT8};
    for (int i = 0; i < (vrs_cpu_has_int8() ? 2 : 1); i++) {
        vrs_engine_params params = plain;
        params.precision = precisions[i];
        vrs_engine *engine = make_engine(model, params);
        const vrs_engine_io *io = vrs_engine_get_io(engine);
        const char *text = strchr(vrs_engine_describe(engine), ',');
        assert_non_null(strstr(text, i == 0 ? "f32" : "int8"));
        vrs_request *request = vrs_engine_request(engine, 0);
        fill(io, request, 0, 9);
        assert_int_equal(vrs_request_start(request, 1, NULL, NULL), VRS_OK);
        assert_int_equal(vrs_request_wait(request), VRS_OK);
        const float *scores = vrs_request_scores(request, 0);
        for (int p = 0; p < PIXELS; p++) {
            const float v[3] = {code(9, p, 0), code(9, p, 1), code(9, p, 2)};
            for (int k = 0; k < 2; k++) {
                double steps = fmin(fmax(rint((double)expected(k, v) / 4), -100), 155);
                assert_true(fabs((double)scores[k * PIXELS + p] - 4 * steps) < 1e-3);
            }
        }
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
}

static void count_done(void *opaque, vrs_request *request, vrs_status status)
{
    (void)request;
    assert_int_equal(status, VRS_OK);
    atomic_fetch_add((atomic_int *)opaque, 1);
}

static void test_description(void **state)
{
    (void)state;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine *engine = make_engine(model, plain);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    assert_int_equal(io->normalises, with_openvino());
    assert_int_equal(io->tensor, with_openvino() ? VRS_TENSOR_U8_NHWC : VRS_TENSOR_F32_NCHW);
    assert_int_equal(io->input_bytes, PIXELS * 3 * (with_openvino() ? 1 : 4));
    assert_int_equal(io->classes, 2);
    assert_int_equal(io->scores_width, WIDTH);
    assert_int_equal(io->scores_height, HEIGHT);
    assert_int_equal(io->scores_elements, PIXELS * 2);
    assert_int_equal(io->class_stride, PIXELS);
    assert_int_equal(io->row_stride, WIDTH);
    assert_int_equal(io->column_stride, 1);
    assert_int_equal(io->state_count, 0);
    if (with_openvino()) {
        assert_string_equal(vrs_engine_describe(engine), "openvino 2026.4.1, f32");
    } else {
        const char *text = vrs_engine_describe(engine);
        assert_int_equal(strncmp(text, "onnxruntime 1.", 14), 0);
        assert_string_equal(strchr(text, ','), ", cpu, f32");
    }
    assert_int_equal((uintptr_t)vrs_request_input(vrs_engine_request(engine, 0), 0) % 64, 0);
    assert_int_equal((uintptr_t)vrs_request_scores(vrs_engine_request(engine, 0), 0) % 64, 0);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* Every batch size on every request: each view gets its own scores, `done` comes once a run. */
static void test_batches(void **state)
{
    (void)state;
    static const vrs_engine_params params = {.requests = 3, .threads = 2, .max_batch = 16};
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine *engine = make_engine(model, params);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    for (int batch = 1; batch <= 16; batch++) {
        atomic_int done = 0;
        for (int r = 0; r < 3; r++) {
            vrs_request *request = vrs_engine_request(engine, r);
            for (int i = 0; i < batch; i++)
                fill(io, request, i, batch * 100 + r * 20 + i);
            assert_int_equal(vrs_request_start(request, batch, count_done, &done), VRS_OK);
        }
        for (int r = 0; r < 3; r++) {
            vrs_request *request = vrs_engine_request(engine, r);
            assert_int_equal(vrs_request_wait(request), VRS_OK);
            assert_string_equal(vrs_request_error(request), "");
            for (int i = 0; i < batch; i++)
                check_scores(io, request, i, batch * 100 + r * 20 + i);
        }
        assert_int_equal(atomic_load(&done), 3);
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* Starting again without waiting, and destroying while it runs, are taken care of. */
static void test_restart(void **state)
{
    (void)state;
    atomic_int done = 0;
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    vrs_engine *engine = make_engine(model, plain);
    vrs_request *request = vrs_engine_request(engine, 0);
    for (int run = 0; run < 50; run++)
        assert_int_equal(vrs_request_start(request, 1, count_done, &done), VRS_OK);
    assert_int_equal(vrs_request_wait(request), VRS_OK);
    assert_int_equal(vrs_request_wait(request), VRS_OK);
    assert_int_equal(atomic_load(&done), 50);
    assert_int_equal(vrs_request_start(request, 1, NULL, NULL), VRS_OK);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* Bytes normalised in the graph, and floats normalised outside: (code - mean) * scale. */
static void run_normalised(const char *descriptor, const char *onnx, bool floats, bool bgr,
                           bool nhwc)
{
    static const float mean[3] = {10, 20.5F, 30}, scale[3] = {0.5F, 0.25F, 2};
    vrs_engine_params params = plain;
    params.float_input = floats;
    floats = floats || !with_openvino(); /* the other takes nothing else */
    vrs_model *model = load_model(descriptor, onnx);
    vrs_engine *engine = make_engine(model, params);
    vrs_request *request = vrs_engine_request(engine, 0);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    assert_int_equal(io->normalises, !floats);
    assert_int_equal(io->tensor, !floats ? VRS_TENSOR_U8_NHWC
                                 : nhwc  ? VRS_TENSOR_F32_NHWC
                                         : VRS_TENSOR_F32_NCHW);
    assert_int_equal(io->input_bytes, floats ? PIXELS * 12 : PIXELS * 3);
    float fed[PIXELS][3];
    for (int p = 0; p < PIXELS; p++) {
        for (int c = 0; c < 3; c++) {
            fed[p][c] = ((float)code(7, p, bgr ? 2 - c : c) - mean[c]) * scale[c];
            if (floats) {
                ((float *)vrs_request_input(request, 0))[nhwc ? p * 3 + c : c * PIXELS + p] =
                    fed[p][c];
            }
        }
    }
    if (!floats)
        fill(io, request, 0, 7);
    assert_int_equal(vrs_request_start(request, 1, NULL, NULL), VRS_OK);
    assert_int_equal(vrs_request_wait(request), VRS_OK);
    const float *scores = vrs_request_scores(request, 0);
    for (int p = 0; p < PIXELS; p++) {
        for (int k = 0; k < 2; k++) {
            ptrdiff_t at =
                k * io->class_stride + p / WIDTH * io->row_stride + p % WIDTH * io->column_stride;
            assert_true(scores[at] == expected(k, fed[p]));
        }
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

#define NORMALISED "width: 6, height: 4, mean: [10, 20.5, 30], scale: [0.5, 1/4, 2]"

static void test_normalisation(void **state)
{
    (void)state;
    for (int floats = 0; floats < 2; floats++) {
        run_normalised(HEAD "input: {" NORMALISED "}\n" OUTPUT, "tiny.onnx", floats, false, false);
        run_normalised(HEAD "input: {" NORMALISED ", order: bgr}\n" OUTPUT, "tiny.onnx", floats,
                       true, false);
        run_normalised(HEAD "input: {" NORMALISED ", layout: nhwc}\noutput: {activation: none, "
                            "layout: nhwc, classes: 2, person: [1]}\n",
                       "tiny-nhwc.onnx", floats, false, true);
        run_normalised(HEAD "input: {" NORMALISED ", layout: nhwc, order: bgr}\noutput: "
                            "{activation: none, layout: nhwc, classes: 2, person: [1]}\n",
                       "tiny-nhwc.onnx", floats, true, true);
    }
}

/* The same code in every place. */
static void fill_with(const vrs_engine_io *io, void *input, uint8_t value)
{
    for (size_t i = 0; i < io->input_bytes / (io->normalises ? 1 : sizeof(float)); i++)
        if (io->normalises)
            ((uint8_t *)input)[i] = value;
        else
            ((float *)input)[i] = value;
}

/* States come back through the caller; odd sizes are rounded up. */
static void test_states(void **state)
{
    (void)state;
    enum { W = 5, H = 3, W2 = 3, H2 = 2 };
    vrs_model *model =
        load_model(HEAD "input: {name: picture, width: 5, height: 3}\n"
                        "output: {name: scores, activation: none, classes: 1}\n"
                        "states:\n  - {input: sum_in, output: sum_out, channels: 1, divisor: 1}\n"
                        "  - {input: half_in, output: half_out, channels: 1, divisor: 2}\n",
                   "tiny-state.onnx");
    vrs_engine_params params = plain;
    params.max_batch = 2;
    vrs_engine *engine = make_engine(model, params);
    vrs_request *request = vrs_engine_request(engine, 0);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    assert_int_equal(io->state_count, 2);
    assert_int_equal(io->states[0].elements, W * H);
    assert_int_equal(io->states[1].elements, W2 * H2);
    float sum[2] = {0, 0}, half[2] = {0, 0};
    for (int frame = 0; frame < 4; frame++) {
        for (int i = 0; i < 2; i++) {
            uint8_t value = (uint8_t)(10 * frame + 100 * i + 4);
            fill_with(io, vrs_request_input(request, i), value);
            sum[i] += value;
            half[i] = half[i] / 2 + value;
        }
        assert_int_equal(vrs_request_start(request, 2, NULL, NULL), VRS_OK);
        assert_int_equal(vrs_request_wait(request), VRS_OK);
        for (int i = 0; i < 2; i++) {
            for (int s = 0; s < 2; s++) {
                const float *out = vrs_request_state_out(request, s, i);
                for (size_t e = 0; e < io->states[s].elements; e++)
                    assert_true(out[e] == (s == 0 ? sum[i] : half[i]));
                memcpy(vrs_request_state_in(request, s, i), out,
                       io->states[s].elements * sizeof(float));
            }
            const float *scores = vrs_request_scores(request, i);
            assert_true(scores[W * H - 1] == sum[i]);
        }
    }
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* A cache is used the second time, tells networks apart that differ in weights alone, and a damaged
 * or unwritable one costs no more than time. */
static vrs_engine *make_cached(const vrs_model *model, const char *cache)
{
    vrs_engine_params params = plain;
    params.cache_dir = cache;
    return make_engine(model, params);
}

static void run_once(vrs_engine *engine, int seed, float *first)
{
    vrs_request *request = vrs_engine_request(engine, 0);
    fill(vrs_engine_get_io(engine), request, 0, seed);
    assert_int_equal(vrs_request_start(request, 1, NULL, NULL), VRS_OK);
    assert_int_equal(vrs_request_wait(request), VRS_OK);
    *first = *(const float *)vrs_request_scores(request, 0);
}

static void test_cache(void **state)
{
    (void)state;
    char cache[512];
    float first, second;
    const float v[3] = {code(3, 0, 0), code(3, 0, 1), code(3, 0, 2)};
    snprintf(cache, sizeof(cache), "%s/deep/cache", folder);
    for (int run = 0; run < 2; run++) {
        vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
        vrs_engine *engine = make_cached(model, cache);
        assert_string_equal(vrs_engine_describe(engine),
                            run == 0 ? "openvino 2026.4.1, f32"
                                     : "openvino 2026.4.1, f32, from cache");
        run_once(engine, 3, &first);
        assert_true(first == expected(0, v));
        vrs_engine_destroy(engine);
        vrs_model_destroy(model);
    }
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny-other.onnx");
    vrs_engine *engine = make_cached(model, cache);
    run_once(engine, 3, &second);
    assert_true(second ==
                weights[1][0] * v[0] + weights[1][1] * v[1] + weights[1][2] * v[2] + biases[0]);
    vrs_engine_destroy(engine);
    vrs_model_destroy(model);
}

/* A quantised network in INT8 and the same in FP32 are not taken for each other. */
static void test_int8_cache(void **state)
{
    (void)state;
    char cache[512], wanted[64];
    snprintf(cache, sizeof(cache), "%s/int8-cache", folder);
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny-int8.onnx");
    for (int round = 0; round < (vrs_cpu_has_int8() ? 4 : 0); round++) {
        vrs_engine_params params = plain;
        params.precision = round % 2 == 0 ? VRS_PRECISION_F32 : VRS_PRECISION_INT8;
        params.cache_dir = cache;
        vrs_engine *engine = make_engine(model, params);
        snprintf(wanted, sizeof(wanted), "openvino 2026.4.1, %s%s",
                 vrs_precision_name(params.precision), round < 2 ? "" : ", from cache");
        assert_string_equal(vrs_engine_describe(engine), wanted);
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
}

static int damage(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)walk;
    if (type == FTW_F) {
        chmod(path, 0600);
        assert_int_equal(truncate(path, info->st_size / 2), 0);
    }
    return 0;
}

static void test_damaged_cache(void **state)
{
    (void)state;
    char cache[512];
    float first;
    const float v[3] = {code(3, 0, 0), code(3, 0, 1), code(3, 0, 2)};
    snprintf(cache, sizeof(cache), "%s/deep/cache", folder);
    assert_int_equal(nftw(cache, damage, 8, FTW_PHYS), 0);
    vrs_model *model = load_model(HEAD INPUT OUTPUT, "tiny.onnx");
    for (int run = 0; run < 2; run++) {
        if (run == 1) /* where a folder is wanted there is a file */
            snprintf(cache, sizeof(cache), "%s/model.yaml", folder);
        vrs_engine *engine = make_cached(model, cache);
        run_once(engine, 3, &first);
        assert_true(first == expected(0, v));
        vrs_engine_destroy(engine);
    }
    vrs_model_destroy(model);
}

int main(int argc, char **argv)
{
    need_engine(argc > 1 ? argv[1] : "openvino");
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_description),   cmocka_unit_test(test_batches),
        cmocka_unit_test(test_restart),       cmocka_unit_test(test_normalisation),
        cmocka_unit_test(test_states),        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_damaged_cache), cmocka_unit_test(test_int8_cache),
        cmocka_unit_test(test_quantised),
    };
    const struct CMUnitTest without_cache[] = {
        cmocka_unit_test(test_description), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_restart),     cmocka_unit_test(test_normalisation),
        cmocka_unit_test(test_states),      cmocka_unit_test(test_quantised),
    };
    int failed = with_openvino() ? cmocka_run_group_tests_name("engine", tests, NULL, NULL)
                                 : cmocka_run_group_tests_name("engine", without_cache, NULL, NULL);
    temp_remove(folder);
    return failed;
}
