/* Formats that are converted, odd sizes, changes in mid-stream: values, not only sizes. */
#define _XOPEN_SOURCE 700
#include "clips.h"

/* A sample of a plane, 8 or 16 bits. */
static int sample(const vrs_image *image, int plane, int x, int y)
{
    const uint8_t *row = image->planes[plane] + image->strides[plane] * y;
    bool wide = image->format == VRS_FORMAT_YUV420P10 || image->format == VRS_FORMAT_P010;
    return wide ? row[2 * x] | row[2 * x + 1] << 8 : row[x];
}

static void expect_near(int value, int expected, int tolerance, const char *what)
{
    if (abs(value - expected) > tolerance)
        fail_msg("%s: %d, expected %d +- %d", what, value, expected, tolerance);
}

/* One frame of a plain colour given as Y, U, V code values of `format`. */
static void plain_clip(const char *format, int y, int u, int v, const char *tags, const char *path)
{
    char arguments[512];
    (void)snprintf(arguments, sizeof arguments,
                   "-f lavfi -i nullsrc=s=34x18:r=5:d=0.4,format=%s,geq=lum=%d:cb=%d:cr=%d "
                   "-c:v ffv1 -strict -2 %s %s",
                   format, y, u, v, tags, path);
    clip(arguments);
}

static const struct {
    const char *format;
    int in[3];
    vrs_pixel_format to;
    int out[3];
    const char *tags;
    vrs_range range;
} planar_cases[] = {
    {"yuv444p",
     {120, 90, 200},
     VRS_FORMAT_YUV420P,
     {120, 90, 200},
     "-color_range tv",
     VRS_RANGE_LIMITED},
    {"yuv422p",
     {16, 240, 16},
     VRS_FORMAT_YUV420P,
     {16, 240, 16},
     "-color_range tv",
     VRS_RANGE_LIMITED},
    {"yuv411p",
     {235, 100, 140},
     VRS_FORMAT_YUV420P,
     {235, 100, 140},
     "-color_range tv",
     VRS_RANGE_LIMITED},
    {"yuv444p",
     {250, 3, 252},
     VRS_FORMAT_YUV420P,
     {250, 3, 252},
     "-color_range pc",
     VRS_RANGE_FULL},
    {"yuv422p10le",
     {500, 300, 800},
     VRS_FORMAT_YUV420P10,
     {500, 300, 800},
     "-color_range tv",
     VRS_RANGE_LIMITED},
    {"yuv420p12le",
     {2000, 1200, 3200},
     VRS_FORMAT_YUV420P10,
     {500, 300, 800},
     "-color_range tv",
     VRS_RANGE_LIMITED},
    {"yuva420p",
     {77, 99, 111},
     VRS_FORMAT_YUV420P,
     {77, 99, 111},
     "-color_range tv",
     VRS_RANGE_LIMITED},
};

static void planar_formats_keep_their_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof planar_cases / sizeof planar_cases[0]; i++) {
        plain_clip(planar_cases[i].format, planar_cases[i].in[0], planar_cases[i].in[1],
                   planar_cases[i].in[2], planar_cases[i].tags, "plain.mkv");
        vrs_source *source = open_source("plain.mkv");
        assert_int_equal(source->info.format, planar_cases[i].to);
        assert_int_equal(source->info.color.range, planar_cases[i].range);
        assert_non_null(strstr(source->info.description, "(read as yuv420p"));
        vrs_frame frame = read_frame(source);
        assert_int_equal(frame.image.color.range, planar_cases[i].range);
        for (int plane = 0; plane < 3; plane++) {
            expect_near(sample(&frame.image, plane, 0, 0), planar_cases[i].out[plane], 1,
                        planar_cases[i].format);
            expect_near(sample(&frame.image, plane, 16, 8), planar_cases[i].out[plane], 1,
                        planar_cases[i].format);
        }
        vrs_image_release(&frame.image);
        assert_int_equal(read_all(source), 2);
        vrs_source_close(source);
    }
    assert_int_equal(clips_warnings, 0);
}

static void gray_gets_neutral_chroma(void **state)
{
    (void)state;
    clip("-f lavfi -i nullsrc=s=34x18:r=5:d=0.4,format=gray,geq=lum=X*4 -c:v ffv1 gray.mkv");
    clip("-f lavfi -i nullsrc=s=34x18:r=5:d=0.4,format=gray12le,geq=lum=X*64 -c:v ffv1 -strict -2 "
         "gray12.mkv");
    const char *paths[] = {"gray.mkv", "gray12.mkv"};
    for (int i = 0; i < 2; i++) {
        vrs_source *source = open_source(paths[i]);
        vrs_frame frame = read_frame(source);
        assert_int_equal(source->info.format, i ? VRS_FORMAT_YUV420P10 : VRS_FORMAT_YUV420P);
        assert_int_equal(source->info.color.range, VRS_RANGE_FULL);
        for (int x = 0; x < 34; x++) {
            expect_near(sample(&frame.image, 0, x, 9), i ? x * 16 : x * 4, 1, paths[i]);
            expect_near(sample(&frame.image, 1, x / 2, 4), i ? 512 : 128, 1, paths[i]);
            expect_near(sample(&frame.image, 2, x / 2, 4), i ? 512 : 128, 1, paths[i]);
        }
        vrs_image_release(&frame.image);
        vrs_source_close(source);
    }
}

/* Each column has another colour: nothing may be subsampled on the way. */
static void rgb_stays_rgb(void **state)
{
    (void)state;
    const struct {
        const char *format;
        vrs_pixel_format to;
        int order[3]; /* bytes of R, G, B */
        int step, tolerance;
    } cases[] = {
        {"gbrp", VRS_FORMAT_RGB24, {0, 1, 2}, 3, 0},
        {"gbrp12le", VRS_FORMAT_RGB24, {0, 1, 2}, 3, 3}, /* goes through YUV in libswscale */
        {"bgra", VRS_FORMAT_BGRA, {2, 1, 0}, 4, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[512];
        bool wide = strstr(cases[i].format, "12") != NULL;
        const char *scale = wide ? "4095" : "255";
        (void)snprintf(arguments, sizeof arguments,
                       "-f lavfi -i nullsrc=s=34x18:r=5:d=0.4,format=%s,geq=r='%s*mod(X\\,2)':"
                       "g='%s*mod(Y\\,2)':b='%s*X/33' -pix_fmt %s -c:v ffv1 -strict -2 rgb.mkv",
                       wide ? cases[i].format : "gbrp", scale, scale, scale, cases[i].format);
        clip(arguments);
        vrs_source *source = open_source("rgb.mkv");
        assert_int_equal(source->info.format, cases[i].to);
        assert_int_equal(source->info.color.matrix, VRS_MATRIX_RGB);
        assert_int_equal(source->info.color.range, VRS_RANGE_FULL);
        vrs_frame frame = read_frame(source);
        for (int y = 0; y < 18; y++) {
            for (int x = 0; x < 34; x++) {
                const int expected[3] = {255 * (x % 2), 255 * (y % 2), 255 * x / 33};
                const uint8_t *pixel = frame.image.planes[0] + frame.image.strides[0] * y;
                for (int c = 0; c < 3; c++) {
                    expect_near(pixel[x * cases[i].step + cases[i].order[c]], expected[c],
                                cases[i].tolerance + 1, cases[i].format);
                }
            }
        }
        vrs_image_release(&frame.image);
        vrs_source_close(source);
    }
}

/* Chroma of 4:4:4 goes to where 4:2:0 has it: on the left column of each pair, between rows. */
static void chroma_is_put_on_the_left(void **state)
{
    (void)state;
    clip("-f lavfi -i nullsrc=s=64x64:r=5:d=0.2,format=yuv444p,geq=lum=128:cb=16+X*3:cr=16+Y*3 "
         "-c:v ffv1 -color_range tv ramp.mkv");
    vrs_source *source = open_source("ramp.mkv");
    vrs_frame frame = read_frame(source);
    assert_int_equal(frame.image.color.chroma_site, VRS_CHROMA_LEFT);
    for (int i = 4; i < 28; i++) {
        expect_near(sample(&frame.image, 1, i, 10), 16 + 3 * 2 * i, 0, "column");
        expect_near(2 * sample(&frame.image, 2, 10, i), 2 * 16 + 3 * (4 * i + 1), 1, "row");
    }
    vrs_image_release(&frame.image);
    vrs_source_close(source);
}

/* ---- sizes ---------------------------------------------------------------------------------- */

static void odd_and_tiny_sizes(void **state)
{
    (void)state;
    const char *sizes[] = {"1x1", "2x1", "1x2", "17x9", "3x97", "97x3"};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int width = 0;
        int height = 0;
        assert_int_equal(sscanf(sizes[i], "%dx%d", &width, &height), 2);
        const char *formats[] = {"yuv420p", "yuv444p", "yuv420p10le", "gbrp", "gray"};
        for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
            char arguments[256];
            (void)snprintf(
                arguments, sizeof arguments,
                "-f lavfi -i nullsrc=s=%s:r=5:d=0.4,format=yuv444p,geq=lum=X+Y -pix_fmt %s "
                "-c:v ffv1 odd.mkv",
                sizes[i], formats[f]);
            clip(arguments);
            vrs_source *source = open_source("odd.mkv");
            assert_int_equal(source->info.width, width);
            assert_int_equal(source->info.height, height);
            assert_int_equal(read_all(source), 2);
            vrs_source_close(source);
        }
    }
}

static void cropped_to_odd_sizes(void **state)
{
    (void)state;
    clip("-f lavfi -i testsrc2=s=96x64:r=5:d=1 -vf format=yuv444p,crop=37:23:exact=1 -c:v libx264 "
         "crop.mp4");
    /* The bit stream says 96x64, cropped by 14 columns on the left: no multiple of a vector. */
    clip("-f lavfi -i testsrc2=s=96x64:r=5:d=1 -pix_fmt yuv420p -c:v libx264 -bsf:v "
         "h264_metadata=crop_left=14:crop_right=6:crop_top=10:crop_bottom=4 left.mp4");
    vrs_source *source = open_source("crop.mp4");
    assert_int_equal(source->info.width, 37);
    assert_int_equal(source->info.height, 23);
    assert_int_equal(read_all(source), 5);
    vrs_source_close(source);
    source = open_source("left.mp4");
    assert_int_equal(source->info.width, 76);
    assert_int_equal(source->info.height, 50);
    assert_int_equal(read_all(source), 5);
    vrs_source_close(source);
}

/* ---- changes in mid-stream ------------------------------------------------------------------ */

static void changes_are_converted(void **state)
{
    (void)state;
    /* The same colour, in limited and in full range. */
    const struct {
        const char *size, *format, *range;
        int y, u, v;
    } parts[] = {
        {"96x64", "yuv420p", "tv", 90, 100, 190}, {"48x80", "yuv420p", "tv", 90, 100, 190},
        {"64x64", "yuv444p", "tv", 90, 100, 190}, {"96x64", "yuv420p", "pc", 86, 96, 199},
        {"32x32", "yuv420p", "tv", 90, 100, 190}, {"96x64", "yuv420p10le", "tv", 360, 400, 760},
    };
    for (int i = 0; i < 6; i++) {
        char arguments[512];
        (void)snprintf(arguments, sizeof arguments,
                       "-f lavfi -i nullsrc=s=%s:r=25:d=0.4,format=%s,geq=lum=%d:cb=%d:cr=%d "
                       "-color_range %s -colorspace bt709 -c:v libx264 -qp 4 -bf 0 part%d.ts",
                       parts[i].size, parts[i].format, parts[i].y, parts[i].u, parts[i].v,
                       parts[i].range, i);
        clip(arguments);
    }
    assert_int_equal(system("cat part0.ts part1.ts part2.ts part3.ts part4.ts part5.ts > parts.ts"),
                     0);
    clips_warnings = 0;
    vrs_source *source = open_source("parts.ts");
    vrs_frame first = read_frame(source);
    assert_int_equal(first.image.format, VRS_FORMAT_YUV420P);
    vrs_image_release(&first.image);
    for (int i = 1; i < 60; i++) {
        vrs_frame frame = read_frame(source);
        expect_near(sample(&frame.image, 0, 40, 30), 90, 2, "Y");
        expect_near(sample(&frame.image, 1, 20, 15), 100, 2, "U");
        expect_near(sample(&frame.image, 2, 20, 15), 190, 2, "V");
        assert_int_equal(frame.image.color.range, VRS_RANGE_LIMITED);
        vrs_image_release(&frame.image);
    }
    assert_int_equal(read_all(source), 60);
    vrs_source_close(source);
    assert_int_equal(clips_warnings, 2); /* of the change and of the times, once each */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planar_formats_keep_their_values),
        cmocka_unit_test(gray_gets_neutral_chroma),
        cmocka_unit_test(rgb_stays_rgb),
        cmocka_unit_test(chroma_is_put_on_the_left),
        cmocka_unit_test(odd_and_tiny_sizes),
        cmocka_unit_test(cropped_to_odd_sizes),
        cmocka_unit_test(changes_are_converted),
    };
    clips_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
