/* Real networks by their shipped descriptors against numbers recorded from ONNX Runtime. One
 * program run for each model named on the command line. */
#define _XOPEN_SOURCE 700

#include <math.h>

#include "engine/person.h"
#include "engine/support.h"

#define GRID 8
#define TOLERANCE 1e-4

typedef struct record {
    char name[64], file[128];
    int frames;
    double grid[GRID][GRID];
} record;

static const char *wanted;

/* Fills a row of the grid from a line of numbers. */
static void read_row(FILE *file, double row[GRID])
{
    char line[256], *end = line;
    assert_non_null(fgets(line, sizeof(line), file));
    for (int i = 0; i < GRID; i++) {
        char *number = end;
        row[i] = strtod(number, &end);
        assert_ptr_not_equal(number, end);
    }
}

static void read_record(record *r)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(data_path("models.txt"), "r");
    assert_non_null(file);
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        const char *name = strtok(line, " "), *onnx = strtok(NULL, " "),
                   *frames = strtok(NULL, " ");
        assert_true(name != NULL && onnx != NULL && frames != NULL);
        snprintf(r->name, sizeof(r->name), "%s", name);
        snprintf(r->file, sizeof(r->file), "%s", onnx);
        r->frames = (int)strtol(frames, NULL, 10);
        for (int y = 0; y < GRID; y++)
            read_row(file, r->grid[y]);
        found = strcmp(r->name, wanted) == 0;
    }
    fclose(file);
    assert_true(found);
}

/* The shipped descriptor with the shared weights beside it. */
static vrs_model *load_shared(const record *r)
{
    char onnx[512], yaml[512], shipped[512], name[256];
    vrs_model *model = NULL;
    snprintf(name, sizeof(name), "models/%s", r->file);
    snprintf(onnx, sizeof(onnx), "%s/%s.onnx", folder, r->name);
    snprintf(yaml, sizeof(yaml), "%s/%s.yaml", folder, r->name);
    snprintf(shipped, sizeof(shipped), "%s/models/%s.yaml", getenv("VRSEG_SOURCE_DIR"), r->name);
    remove(onnx);
    remove(yaml);
    assert_int_equal(symlink(shared_path(name), onnx), 0);
    assert_int_equal(symlink(shipped, yaml), 0);
    if (vrs_model_load(onnx, &model) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return model;
}

/* Probability that place (x, y) is a person; where only the largest class counts, before that. */
static double person_at(const vrs_model_spec *spec, const vrs_engine_io *io, const float *scores,
                        int x, int y)
{
    double sum = 0, total = 0, largest = -INFINITY;
    const float *place = scores + y * io->row_stride + x * io->column_stride;
    bool over_classes =
        spec->activation != VRS_ACTIVATION_NONE && spec->activation != VRS_ACTIVATION_SIGMOID;
    for (int c = 0; c < io->classes; c++)
        largest = fmax(largest, (double)place[c * io->class_stride]);
    for (int c = 0; c < io->classes; c++) {
        double value = (double)place[c * io->class_stride];
        if (over_classes)
            value = exp(value - largest);
        else if (spec->activation == VRS_ACTIVATION_SIGMOID)
            value = 1 / (1 + exp(-value));
        total += value;
        sum += spec->person_classes >> c & 1 ? value : 0;
    }
    return over_classes ? sum / total : sum;
}

/* Codes, or the floats that preprocessing would make of them. */
static void feed(const vrs_model_spec *spec, const vrs_engine_io *io, const uint8_t *rgb,
                 vrs_request *request)
{
    size_t pixels = (size_t)spec->width * (size_t)spec->height;
    if (io->normalises) {
        memcpy(vrs_request_input(request, 0), rgb, pixels * 3);
        return;
    }
    float *floats = vrs_request_input(request, 0);
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < 3; c++) {
            float code = rgb[p * 3 + (spec->bgr ? 2 - c : c)];
            floats[spec->nhwc_input ? p * 3 + c : c * pixels + p] =
                (code - spec->mean[c]) * spec->scale[c];
        }
    }
}

/* Both engines on the same floats: every score, not only those that were recorded. */
static void test_engines_agree(void **state)
{
    (void)state;
    record r;
    person photo;
    char version[256], where[4096];
    read_record(&r);
    assert_true(person_read(data_path("person.ppm"), &photo));
    if (vrs_openvino_info(version, sizeof(version), where, sizeof(where)) != VRS_OK ||
        vrs_onnxruntime_info(version, sizeof(version), where, sizeof(where)) != VRS_OK) {
        printf("not compared: %s\n", vrs_last_error());
        return;
    }
    vrs_model *model = load_shared(&r);
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    static const char *const names[2] = {"openvino", "onnxruntime"};
    vrs_engine_params params = {.requests = 1, .threads = 2, .max_batch = 1, .float_input = true};
    vrs_engine *engines[2];
    vrs_request *requests[2];
    uint8_t *rgb = malloc((size_t)spec->width * (size_t)spec->height * 3);
    assert_non_null(rgb);
    person_draw(&photo, spec->width, spec->height, 0, rgb);
    for (int e = 0; e < 2; e++) {
        assert_int_equal(vrs_engine_create(names[e], model, &params, &engines[e]), VRS_OK);
        requests[e] = vrs_engine_request(engines[e], 0);
        feed(spec, vrs_engine_get_io(engines[e]), rgb, requests[e]);
        assert_int_equal(vrs_request_start(requests[e], 1, NULL, NULL), VRS_OK);
        assert_int_equal(vrs_request_wait(requests[e]), VRS_OK);
    }
    const vrs_engine_io *io = vrs_engine_get_io(engines[0]);
    assert_memory_equal(io, vrs_engine_get_io(engines[1]), sizeof(*io));
    double worst = 0, largest = 0;
    const float *ours = vrs_request_scores(requests[0], 0);
    const float *theirs = vrs_request_scores(requests[1], 0);
    for (size_t i = 0; i < io->scores_elements; i++) {
        worst = fmax(worst, fabs((double)ours[i] - (double)theirs[i]));
        largest = fmax(largest, fabs((double)ours[i]));
    }
    printf("%s: scores differ by %.1e of %.1e at most\n", r.name, worst, largest);
    assert_true(largest > 0 && worst <= TOLERANCE * largest);
    for (int e = 0; e < 2; e++)
        vrs_engine_destroy(engines[e]);
    free(rgb);
    vrs_model_destroy(model);
}

static double run_frames(const record *r, const vrs_model *model, bool floats, const person *photo)
{
    const vrs_model_spec *spec = vrs_model_get_spec(model);
    vrs_engine_params params = {.requests = 1, .threads = 2, .max_batch = 1};
    params.float_input = floats;
    vrs_engine *engine = make_engine(model, params);
    vrs_request *request = vrs_engine_request(engine, 0);
    const vrs_engine_io *io = vrs_engine_get_io(engine);
    uint8_t *rgb = malloc((size_t)spec->width * (size_t)spec->height * 3);
    assert_non_null(rgb);
    for (int frame = 0; frame < r->frames; frame++) {
        person_draw(photo, spec->width, spec->height, 4 * frame, rgb);
        feed(spec, io, rgb, request);
        assert_int_equal(vrs_request_start(request, 1, NULL, NULL), VRS_OK);
        assert_int_equal(vrs_request_wait(request), VRS_OK);
        for (int s = 0; s < io->state_count; s++) {
            memcpy(vrs_request_state_in(request, s, 0), vrs_request_state_out(request, s, 0),
                   io->states[s].elements * sizeof(float));
        }
    }
    double worst = 0;
    for (int i = 0; i < GRID * GRID; i++) {
        int x = (2 * (i % GRID) + 1) * io->scores_width / (2 * GRID);
        int y = (2 * (i / GRID) + 1) * io->scores_height / (2 * GRID);
        double found = person_at(spec, io, vrs_request_scores(request, 0), x, y);
        worst = fmax(worst, fabs(found - r->grid[i / GRID][i % GRID]));
    }
    free(rgb);
    vrs_engine_destroy(engine);
    return worst;
}

static void test_model(void **state)
{
    (void)state;
    record r;
    person photo;
    read_record(&r);
    assert_true(person_read(data_path("person.ppm"), &photo));
    vrs_model *model = load_shared(&r);
    for (int floats = 0; floats < 2; floats++) {
        double worst = run_frames(&r, model, floats, &photo);
        printf("%s, %s: off by %.1e at most\n", r.name, floats ? "floats" : "bytes", worst);
        assert_true(worst <= TOLERANCE);
    }
    vrs_model_destroy(model);
}

int main(int argc, char **argv)
{
    wanted = argc > 1 ? argv[1] : "selfie-landscape";
    need_engine(argc > 2 ? argv[2] : "openvino");
    (void)shared_path("models");
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    const struct CMUnitTest both[] = {cmocka_unit_test(test_model),
                                      cmocka_unit_test(test_engines_agree)};
    int failed = with_openvino() ? cmocka_run_group_tests_name(wanted, tests, NULL, NULL)
                                 : cmocka_run_group_tests_name(wanted, both, NULL, NULL);
    temp_remove(folder);
    return failed;
}
