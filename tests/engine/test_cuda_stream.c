/* The engine of our own over the frames of a stream, whose states stay on the device; and, with the
 * name of a shipped descriptor as argument, every node of a real network. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "engine/cuda_rig.h"
#include "engine/person.h"
#include "model/model.h"

#define THIRD 100
#define FRAMES (3 * THIRD)

/* An engine with what it has of one stream. */
typedef struct stream_run {
    vrs_engine *engine;
    vrs_request *request;
    const vrs_engine_io *io;
    float *scores;
} stream_run;

static vrs_device_ptr device_of(const void *address)
{
    return (vrs_device_ptr)(uintptr_t)address;
}

static size_t state_bytes(const stream_run *r, int32_t state)
{
    return r->io->states[state].elements * sizeof(float);
}

/* As before the first frame. */
static void reset_stream(const stream_run *r)
{
    for (int32_t i = 0; i < r->io->state_count; i++) {
        vrs_device_ptr to = device_of(vrs_request_state_in(r->request, i, 0));
        assert_int_equal(vrs_device_fill(stream, to, 0, state_bytes(r, i)), VRS_OK);
    }
}

static stream_run begin_stream(const vrs_model *model, vrs_precision precision)
{
    vrs_engine_params params = on_device(precision, 1);
    params.float_input = true;
    stream_run r = {.engine = make(model, &params)};
    r.request = vrs_engine_request(r.engine, 0);
    r.io = vrs_engine_get_io(r.engine);
    r.scores = malloc(r.io->scores_elements * sizeof(float));
    assert_non_null(r.scores);
    assert_true(r.io->state_count > 0);
    reset_stream(&r);
    return r;
}

static void end_stream(stream_run *r)
{
    free(r->scores);
    vrs_engine_destroy(r->engine);
}

/* Somebody who wanders through the picture. */
static void draw_frame(const vrs_model *model, int frame, float *picture)
{
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    size_t pixels = (size_t)spec->width * (size_t)spec->height;
    person drawn;
    uint8_t *rgb = malloc(3 * pixels);
    assert_non_null(rgb);
    assert_true(person_read(data_path("person.ppm"), &drawn));
    person_draw(&drawn, spec->width, spec->height, frame * 3, rgb);
    for (size_t i = 0; i < 3 * pixels; i++) {
        size_t c = i / pixels;
        uint8_t code = rgb[i % pixels * 3 + (spec->bgr ? 2 - c : c)];
        picture[i] = ((float)code - spec->mean[c]) * spec->scale[c];
    }
    free(rgb);
}

/* The next frame of the stream, whose states stay on the device. */
static void run_frame(const stream_run *r, const float *picture)
{
    vrs_device_ptr to = device_of(vrs_request_input(r->request, 0));
    assert_int_equal(vrs_device_upload(stream, to, picture, r->io->input_bytes), VRS_OK);
    assert_int_equal(vrs_request_enqueue(r->request, 1, stream), VRS_OK);
    for (int32_t i = 0; i < r->io->state_count; i++) {
        vrs_device_ptr in = device_of(vrs_request_state_in(r->request, i, 0));
        vrs_device_ptr out = device_of(vrs_request_state_out(r->request, i, 0));
        assert_int_equal(vrs_device_copy(stream, in, out, state_bytes(r, i)), VRS_OK);
    }
    get_scores(r->request, 0, r->scores, r->io->scores_elements);
}

/* How far one stream's scores are from the other's, of their size. */
static double apart(const stream_run *a, const stream_run *b)
{
    double off = 0, all = 0;
    for (size_t i = 0; i < a->io->scores_elements; i++) {
        double d = (double)a->scores[i] - (double)b->scores[i];
        off += d * d;
        all += (double)b->scores[i] * (double)b->scores[i];
    }
    return sqrt(off) / (sqrt(all) + 1e-3 * sqrt((double)a->io->scores_elements));
}

/* In FP16 what is remembered from frame to frame, in FP32, does not wander off: the last frames
 * are at most `times` as far from FP32 as the first ones. Forgetting it all gives the first frame
 * again. */
static void follow_stream(const vrs_model *model, double times)
{
    stream_run half = begin_stream(model, VRS_PRECISION_F16);
    stream_run full = begin_stream(model, VRS_PRECISION_F32);
    float *picture = malloc(half.io->input_bytes), *first = malloc(half.io->scores_elements * 4);
    double begin = 0, end = 0;
    assert_true(picture && first && half.io->input_bytes == full.io->input_bytes);
    for (int frame = 0; frame < FRAMES; frame++) {
        draw_frame(model, frame, picture);
        run_frame(&half, picture);
        run_frame(&full, picture);
        double off = apart(&half, &full);
        assert_true(isfinite(off));
        begin += frame < THIRD ? off : 0;
        end += frame >= FRAMES - THIRD ? off : 0;
        if (frame == 0)
            memcpy(first, half.scores, half.io->scores_elements * sizeof(float));
    }
    begin /= THIRD;
    end /= THIRD;
    print_message("FP16 is %.2g of the scores off FP32 in the first frames, %.2g in the last\n",
                  begin, end);
    assert_true(end <= times * begin + 1e-3 && end < 0.05);
    draw_frame(model, 0, picture);
    reset_stream(&half);
    run_frame(&half, picture);
    assert_memory_equal(first, half.scores, half.io->scores_elements * sizeof(float));
    free(picture);
    free(first);
    end_stream(&half);
    end_stream(&full);
}

static void test_stream(void **state)
{
    (void)state;
    vrs_model *model = load_model(STATE_DESCRIPTOR, "tiny-state.onnx");
    follow_stream(model, 20); /* it adds up all frames: halves of a growing sum are coarser */
    vrs_model_destroy(model);
}

/* ---- a real network ---- */

static const char *wanted; /* a shipped descriptor, whose weights are in the shared folder */

/* "NAME FILE ..." in tests/data/models.txt says which file. */
static void find_weights(char *onnx, size_t size)
{
    char line[256];
    FILE *file = fopen(data_path("models.txt"), "r");
    assert_non_null(file);
    onnx[0] = 0;
    while (onnx[0] == 0 && fgets(line, sizeof line, file)) {
        const char *name = strtok(line, " "), *weights = strtok(NULL, " ");
        if (name && weights && strcmp(name, wanted) == 0)
            snprintf(onnx, size, "models/%s", weights);
    }
    fclose(file);
    assert_true(onnx[0] != 0);
}

static void test_real(void **state)
{
    (void)state;
    char onnx[300], yaml[600], link[600], shipped[600];
    find_weights(onnx, sizeof onnx);
    snprintf(link, sizeof link, "%s/%s.onnx", folder, wanted);
    snprintf(yaml, sizeof yaml, "%s/%s.yaml", folder, wanted);
    snprintf(shipped, sizeof shipped, "%s/models/%s.yaml", getenv("VRSEG_SOURCE_DIR"), wanted);
    assert_int_equal(symlink(shared_path(onnx), link), 0);
    assert_int_equal(symlink(shipped, yaml), 0);
    vrs_model *model;
    assert_int_equal(vrs_model_load(yaml, &model), VRS_OK);
    vrs_engine_params params = on_device(VRS_PRECISION_F16, 1);
    vrs_engine *engine = make(model, &params);
    int count = 0;
    if (vrs_engine_verify(engine, 1, 3, expect_good, &count) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    assert_true(count > 20);
    int32_t states = vrs_engine_get_io(engine)->state_count;
    vrs_engine_destroy(engine);
    if (states > 0)
        follow_stream(model, 2);
    vrs_model_destroy(model);
}

static int run_stream(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stream)};
    return cmocka_run_group_tests_name("engine/cuda-stream", tests, NULL, NULL);
}

static int run_real(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_real)};
    return cmocka_run_group_tests_name("engine/cuda-model", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    wanted = argc > 1 ? argv[1] : NULL;
    return run_on_device(wanted ? run_real : run_stream);
}
