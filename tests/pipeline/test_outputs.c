/* Whole runs on a fake engine: what they give under every instruction set and with any number of
 * workers, for all source formats and kinds of output, and what composites show where. */
#define _XOPEN_SOURCE 700
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/internal.h"
#include "pipeline/outputs.h"
#include "support/configure.h"
#include "support/fake_engine.h"
#include "support/inject.h"
#include "support/temp.h"

#define NET_WIDTH 24
#define NET_HEIGHT 14
#define FRAMES 3

static char folder[256];
static vrs_model *model; /* the mask is the picture's red; the classes are red, green, blue */

static const vrs_pixel_format formats[] = {VRS_FORMAT_YUV420P,   VRS_FORMAT_NV12,  VRS_FORMAT_P010,
                                           VRS_FORMAT_YUV420P10, VRS_FORMAT_RGB24, VRS_FORMAT_BGRA};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

/* `refine`: of its descriptor. */
static vrs_model *load(const char *refine)
{
    vrs_model *loaded = NULL;
    char path[512];
    snprintf(path, sizeof(path), "%s/model.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "title: test\nlicence: Apache-2.0\nsource: none\nbatch: free\n"
            "input: {name: in, width: %d, height: %d, scale: 1/255}\n"
            "output: {name: out, activation: none, classes: [red, green, blue], person: [red],\n"
            "         refine: %s}\n",
            NET_WIDTH, NET_HEIGHT, refine);
    fclose(file);
    if (vrs_model_load(path, &loaded) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return loaded;
}

static int load_model(void **state)
{
    (void)state;
    model = load("auto");
    return 0;
}

static int drop_model(void **state)
{
    (void)state;
    vrs_model_destroy(model);
    return 0;
}

/* --- pictures --- */

/* Code of 0..255 for each channel at a place; the channels are Y, U, V or R, G, B. */
typedef uint8_t (*paint_fn)(int32_t channel, double x, double y, int64_t frame);

/* A bright disc that moves over a gradient, with texture. */
static uint8_t paint_disc(int32_t channel, double x, double y, int64_t frame)
{
    double dx = x - 0.4 - 0.1 * (double)frame, dy = (y - 0.5) * 0.7;
    bool inside = dx * dx + dy * dy < 0.06;
    uint32_t texture = ((uint32_t)(x * 977) * 31 + (uint32_t)(y * 661) * 17) % 23;
    static const int32_t disc[3] = {190, 90, 200}, ground[3] = {40, 150, 90};
    int32_t code = inside ? disc[channel] : ground[channel] + (int32_t)(60 * x * (channel == 0));
    return (uint8_t)(code + (int32_t)texture);
}

/* Left half: red beyond what can be shown; right half: less than none. */
static uint8_t paint_halves(int32_t channel, double x, double y, int64_t frame)
{
    (void)frame;
    static const int32_t left[3] = {120, 110, 230}, right[3] = {120, 140, 20};
    return (uint8_t)((x < 0.5 ? left : right)[channel] + (int32_t)(8 * y));
}

static void put(const vrs_image *image, int plane, int32_t y, int32_t index, uint8_t code)
{
    const vrs_format_info *info = vrs_format_get(image->format);
    uint8_t *row = image->planes[plane] + y * image->strides[plane];
    if (info->sample_bytes == 1)
        row[index] = code;
    else /* two more bits, as fine structure of their own */
        ((uint16_t *)(void *)row)[index] =
            (uint16_t)((code * 4 + (index + y) % 4) << info->sample_shift);
}

/* Channel c of a plane's column, or -1 for the alpha of BGRA. */
static int32_t channel_of(vrs_pixel_format format, int plane, int32_t sample)
{
    static const int32_t bgra[] = {2, 1, 0, -1};
    if (format == VRS_FORMAT_BGRA)
        return bgra[sample];
    return plane + sample;
}

static vrs_frame paint(vrs_pixel_format format, int32_t width, int32_t height, paint_fn fn,
                       int64_t number)
{
    vrs_frame frame = {.id = number};
    assert_int_equal(vrs_image_alloc(&frame.image, format, width, height), VRS_OK);
    vrs_image *image = &frame.image;
    const vrs_format_info *info = vrs_format_get(format);
    if (info->is_yuv)
        image->color = (vrs_color){.matrix = VRS_MATRIX_BT709, .range = VRS_RANGE_LIMITED};
    for (int p = 0; p < info->planes; p++) {
        int32_t w = vrs_plane_width(image, p), h = vrs_plane_height(image, p);
        int32_t samples = info->plane_samples[p];
        for (int32_t i = 0; i < w * h * samples; i++) {
            int32_t x = i / samples % w, y = i / samples / w,
                    c = channel_of(format, p, i % samples);
            put(image, p, y, i % (w * samples),
                c < 0 ? 77 : fn(c, (x + 0.5) / w, (y + 0.5) / h, number));
        }
    }
    return frame;
}

/* --- runs --- */

typedef struct scene {
    vrs_pixel_format format;
    int32_t width, height;
    paint_fn paint;
    const vrs_output_desc *outputs;
    uint32_t output_count;
} scene;

/* What a run gave: copies of its outputs. */
typedef struct outcome {
    vrs_image images[FRAMES][VRS_MAX_OUTPUTS];
    float coverage[FRAMES];
} outcome;

static vrs_pipeline *make_pipeline(const scene *s, const char *settings, vrs_config **config)
{
    vrs_pipeline *pipeline = NULL;
    assert_int_equal(vrs_config_create(config), VRS_OK);
    configure(*config, "tickets=8");
    configure(*config, settings);
    fake_plan.seed++;
    if (vrs_pipeline_create_on(*config, model, &fake_engine_ops, &pipeline) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    for (uint32_t i = 0; i < s->output_count; i++)
        if (vrs_pipeline_add_output(pipeline, &s->outputs[i]) != VRS_OK)
            fail_msg("%s", vrs_last_error());
    assert_int_equal(vrs_pipeline_start(pipeline), VRS_OK);
    return pipeline;
}

static outcome run(const scene *s, const char *settings)
{
    outcome out = {0};
    vrs_config *config = NULL;
    vrs_pipeline *pipeline = make_pipeline(s, settings, &config);
    for (int64_t i = 0; i < FRAMES; i++) {
        vrs_frame frame = paint(s->format, s->width, s->height, s->paint, i);
        if (vrs_pipeline_submit(pipeline, &frame, -1) != VRS_OK)
            fail_msg("%s", vrs_last_error());
    }
    vrs_pipeline_finish(pipeline);
    for (int64_t i = 0; i < FRAMES; i++) {
        vrs_result *result;
        assert_int_equal(vrs_pipeline_get_result(pipeline, &result, -1), VRS_OK);
        assert_int_equal(result->id, i);
        assert_int_equal(result->status, VRS_OK);
        assert_int_equal(result->output_count, s->output_count);
        out.coverage[i] = result->coverage;
        if (s->width > 16) /* not a mask of nothing, nor of everything */
            assert_true(result->coverage > 0.05f && result->coverage < 0.95f);
        for (uint32_t o = 0; o < s->output_count; o++)
            out.images[i][o] = outputs_copy(&result->outputs[o]);
        vrs_result_release(result);
    }
    vrs_pipeline_destroy(pipeline);
    vrs_config_destroy(config);
    return out;
}

/* The first four that every format can give, then those of YUV formats. */
static const vrs_output_desc masks[] = {
    {.kind = VRS_OUTPUT_MASK},
    {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY10, .width = -1, .height = -1},
    {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_YUV420P, .width = 51, .height = 7},
    {.kind = VRS_OUTPUT_CLASSES}};
static const vrs_output_desc pictures[] = {
    {.kind = VRS_OUTPUT_COMPOSITE, .background = {0, 255, 0}},
    {.kind = VRS_OUTPUT_CUTOUT},
    {.kind = VRS_OUTPUT_MASK, .format = VRS_FORMAT_GRAY10}};

/* --- instruction sets --- */

static const struct {
    int32_t width, height;
} sizes[] = {{35, 19}, {1, 1}, {2, 3}, {17, 64}, {131, 75}};

static const char *const treatments[] = {"refine=off",
                                         "refine=on",
                                         "refine=off feather=3",
                                         "refine=on threshold=0.5 feather=2",
                                         "refine=off threshold=0.5",
                                         "refine=on smooth=on smooth_weight=0.5",
                                         "refine=on layout=sbs"};

/* Preprocessing may differ by one code, so masks may by one and 10-bit ones by four; where a
 * threshold or a largest class is chosen, a few pixels may fall on the other side. */
static void expect_alike(const scene *s, const char *settings, const outcome *a, const outcome *b)
{
    for (int i = 0; i < FRAMES; i++)
        for (uint32_t o = 0; o < s->output_count; o++) {
            const vrs_image *image = &a->images[i][o];
            bool deep = vrs_format_get(image->format)->depth > 8;
            bool chooses = s->outputs[o].kind == VRS_OUTPUT_CLASSES ||
                           s->outputs[o].kind == VRS_OUTPUT_CUTOUT ||
                           strstr(settings, "threshold") != NULL;
            outputs_difference d = outputs_compare(image, &b->images[i][o], deep ? 6 : 2);
            int64_t allowed = chooses ? d.samples / 50 : 0;
            if (d.beyond > allowed)
                fail_msg("%s, %s %dx%d, frame %d, output %u (%s): %lld of %lld samples differ by "
                         "up to %d",
                         settings, vrs_pixel_format_name(s->format), s->width, s->height, i, o,
                         vrs_pixel_format_name(image->format), (long long)d.beyond,
                         (long long)d.samples, d.largest);
        }
}

static void compare_sets(const char *set, const scene *s, const char *treatment)
{
    char plain[256], fast[256];
    snprintf(plain, sizeof(plain), "%s kernels=reference", treatment);
    snprintf(fast, sizeof(fast), "%s kernels=%s", treatment, set);
    outcome expected = run(s, plain), found = run(s, fast);
    expect_alike(s, fast, &expected, &found);
    outputs_drop(expected.images, FRAMES);
    outputs_drop(found.images, FRAMES);
}

static void compare_all(const char *set)
{
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            for (size_t t = 0; t < sizeof(treatments) / sizeof(treatments[0]); t++) {
                scene s = {formats[f], sizes[i].width, sizes[i].height, paint_disc, masks, 4};
                if (strstr(treatments[t], "sbs") != NULL && s.width < 2)
                    continue;
                compare_sets(set, &s, treatments[t]);
                s.outputs = pictures;
                s.output_count = 3;
                if (vrs_format_get(s.format)->is_yuv)
                    compare_sets(set, &s, treatments[t]);
            }
}

static void test_avx2_as_reference(void **state)
{
    (void)state;
    if (vrs_isa_detect() < VRS_ISA_AVX2) {
        print_message("this CPU has no AVX2\n");
        skip();
    }
    compare_all("avx2");
}

static void test_avx512_as_reference(void **state)
{
    (void)state;
    if (vrs_isa_detect() < VRS_ISA_AVX512) {
        print_message("this CPU has no AVX-512\n");
        skip();
    }
    compare_all("avx512");
}

/* --- workers --- */

static void expect_same(const outcome *a, const outcome *b, uint32_t outputs)
{
    for (int i = 0; i < FRAMES; i++) {
        assert_true(a->coverage[i] == b->coverage[i]);
        for (uint32_t o = 0; o < outputs; o++)
            assert_int_equal(outputs_compare(&a->images[i][o], &b->images[i][o], 0).beyond, 0);
    }
}

static void test_any_number_of_workers(void **state)
{
    (void)state;
    static const char *const workers[] = {
        "preprocess_threads=1 postprocess_threads=1 requests=1 max_batch_size=1",
        "preprocess_threads=2 postprocess_threads=2 requests=2 max_batch_size=1",
        "preprocess_threads=5 postprocess_threads=5 requests=3 max_batch_size=4"};
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t t = 0; t < sizeof(treatments) / sizeof(treatments[0]); t++) {
            bool is_yuv = vrs_format_get(formats[f])->is_yuv;
            scene s = {formats[f], 35, 19, paint_disc, is_yuv ? pictures : masks, is_yuv ? 3 : 4};
            outcome outcomes[3];
            for (int w = 0; w < 3; w++) {
                char settings[256];
                snprintf(settings, sizeof(settings), "%s %s", treatments[t], workers[w]);
                outcomes[w] = run(&s, settings);
            }
            expect_same(&outcomes[0], &outcomes[1], s.output_count);
            expect_same(&outcomes[0], &outcomes[2], s.output_count);
            for (int w = 0; w < 3; w++)
                outputs_drop(outcomes[w].images, FRAMES);
        }
}

/* --- where the refinement is worth it --- */

static int64_t apart(const scene *s, const char *a, const char *b)
{
    outcome one = run(s, a), other = run(s, b);
    int64_t samples = outputs_compare(&one.images[0][0], &other.images[0][0], 0).beyond;
    outputs_drop(one.images, FRAMES);
    outputs_drop(other.images, FRAMES);
    return samples;
}

/* By itself from twice the pixels of the network's mask on: that has 24 x 14 = 336. */
static void test_refined_where_enlarged(void **state)
{
    (void)state;
    scene s = {VRS_FORMAT_YUV420P, 35, 19, paint_disc, masks, 1}; /* 665 pixels */
    assert_true(apart(&s, "refine=on", "refine=off") > 0);
    assert_int_equal(apart(&s, "refine=auto", "refine=off"), 0);
    s.width = 36; /* 684 */
    assert_true(apart(&s, "refine=on", "refine=off") > 0);
    assert_int_equal(apart(&s, "refine=auto", "refine=on"), 0);
    assert_int_equal(apart(&s, "", "refine=auto"), 0);
    s.width = 48; /* 912, but 456 an eye */
    assert_int_equal(apart(&s, "refine=auto layout=sbs", "refine=off layout=sbs"), 0);
}

/* ... and not where the network's descriptor says that it loses by it, but when asked for. */
static void test_unrefined_by_descriptor(void **state)
{
    (void)state;
    scene s = {VRS_FORMAT_YUV420P, 36, 19, paint_disc, masks, 1};
    vrs_model *refined = model;
    model = load("off");
    assert_int_equal(apart(&s, "refine=auto", "refine=off"), 0);
    assert_true(apart(&s, "refine=on", "refine=off") > 0);
    vrs_model_destroy(model);
    model = refined;
}

/* --- composition --- */

/* The plane and column of the source that hold component c of a pixel or chroma sample. */
static int32_t source_code(const vrs_image *source, int c, int32_t x, int32_t y)
{
    bool pairs = vrs_format_get(source->format)->planes == 2;
    return pairs && c > 0 ? outputs_sample(source, 1, 2 * x + c - 1, y)
                          : outputs_sample(source, c, x, y);
}

/* Away from the border between the halves the mask is all or nothing, so the source stands there
 * bit for bit on the left, and the background on the right. */
static void check_halves(const vrs_image *source, const vrs_image *out, const int32_t *background)
{
    for (int c = 0; c < 3; c++) {
        int32_t w = vrs_plane_width(out, c);
        for (int32_t y = 0; y < vrs_plane_height(out, c); y++)
            for (int32_t x = 0; x < w; x++) {
                int32_t found = outputs_sample(out, c, x, y);
                if (x < w / 4)
                    assert_int_equal(found, source_code(source, c, x, y));
                else if (x >= w - w / 4)
                    assert_int_equal(found, background[c]);
            }
    }
}

static void check_alpha(const vrs_image *alpha, int plane, int32_t peak)
{
    for (int32_t y = 0; y < alpha->height; y++)
        for (int32_t x = 0; x < alpha->width; x++) {
            int32_t found = outputs_sample(alpha, plane, x, y);
            if (x < alpha->width / 4)
                assert_int_equal(found, peak);
            else if (x >= alpha->width - alpha->width / 4)
                assert_int_equal(found, 0);
            assert_in_range(found, 0, peak);
        }
}

static void test_composition(void **state)
{
    (void)state;
    /* 0, 255, 0 and 0, 0, 0 by BT.709, limited range, in 8 and 10 bits. */
    static const int32_t green[2][3] = {{173, 42, 26}, {691, 167, 105}};
    static const int32_t black[2][3] = {{16, 128, 128}, {64, 512, 512}};
    static const char *const sets[] = {"reference", "avx2", "avx512"};
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t k = 0; k < 3; k++) {
            const vrs_format_info *info = vrs_format_get(formats[f]);
            if (!info->is_yuv)
                continue;
            int deep = info->depth > 8 ? 1 : 0;
            scene s = {formats[f], 67, 41, paint_halves, pictures, 3};
            char settings[64];
            snprintf(settings, sizeof(settings), "refine=off feather=2 kernels=%s", sets[k]);
            outcome out = run(&s, settings);
            vrs_frame frame = paint(s.format, s.width, s.height, s.paint, 0);
            check_halves(&frame.image, &out.images[0][0], green[deep]);
            check_halves(&frame.image, &out.images[0][1], black[deep]);
            check_alpha(&out.images[0][1], 3, deep ? 1023 : 255);
            check_alpha(&out.images[0][2], 0, 1023);
            vrs_image_release(&frame.image);
            outputs_drop(out.images, FRAMES);
        }
}

static void test_pictures_of_rgb_are_refused(void **state)
{
    (void)state;
    for (size_t f = 0; f < FORMATS; f++) {
        if (vrs_format_get(formats[f])->is_yuv)
            continue;
        scene s = {formats[f], 16, 8, paint_disc, pictures, 1};
        vrs_config *config = NULL;
        vrs_pipeline *pipeline = make_pipeline(&s, "refine=off", &config);
        vrs_frame frame = paint(s.format, s.width, s.height, s.paint, 0);
        assert_int_equal(vrs_pipeline_submit(pipeline, &frame, -1), VRS_UNSUPPORTED);
        assert_non_null(strstr(vrs_last_error(), "yuv420p"));
        vrs_image_release(&frame.image);
        vrs_pipeline_destroy(pipeline);
        vrs_config_destroy(config);
    }
}

int main(void)
{
    temp_make(folder, sizeof(folder));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avx2_as_reference),
        cmocka_unit_test(test_avx512_as_reference),
        cmocka_unit_test(test_any_number_of_workers),
        cmocka_unit_test(test_refined_where_enlarged),
        cmocka_unit_test(test_unrefined_by_descriptor),
        cmocka_unit_test(test_composition),
        cmocka_unit_test(test_pictures_of_rgb_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, load_model, drop_model);
    temp_remove(folder);
    return failed;
}
