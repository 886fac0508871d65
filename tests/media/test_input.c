/* The public reader: frames and tensors of clips that are made here. */
#define _XOPEN_SOURCE 700

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/file.h"
#include "support/inject.h"
#include "support/temp.h"
#include "vrseg/input.h"
#include "vrseg/job.h"

#define WIDTH 20
#define HEIGHT 12
#define FRAMES 3

static char folder[256], clip[512];
static vrs_config *config;

/* Y4M: gray frames, brighter from one to the next. */
static int make_clip(void **state)
{
    (void)state;
    static char data[FRAMES * (WIDTH * HEIGHT * 3 / 2 + 6) + 200];
    temp_make(folder, sizeof(folder));
    snprintf(clip, sizeof(clip), "%s/clip.y4m", folder);
    size_t used =
        (size_t)snprintf(data, sizeof(data), "YUV4MPEG2 W%d H%d F25:1 C420jpeg\n", WIDTH, HEIGHT);
    for (int f = 0; f < FRAMES; f++) {
        memcpy(data + used, "FRAME\n", 6);
        used += 6;
        memset(data + used, 16 + 60 * f, WIDTH * HEIGHT);
        memset(data + used + WIDTH * HEIGHT, 128, WIDTH * HEIGHT / 2);
        used += WIDTH * HEIGHT * 3 / 2;
    }
    assert_int_equal(vrs_file_replace(clip, data, used), VRS_OK);
    assert_int_equal(vrs_job_config_create(&config), VRS_OK);
    return 0;
}

static int remove_clip(void **state)
{
    (void)state;
    vrs_config_destroy(config);
    temp_remove(folder);
    return 0;
}

static vrs_input *open_clip(void)
{
    vrs_input *reader;
    if (vrs_input_open(config, clip, &reader) != VRS_OK)
        fail_msg("%s", vrs_last_error());
    return reader;
}

static void test_frames(void **state)
{
    (void)state;
    vrs_input *reader = open_clip();
    vrs_input_info info;
    vrs_frame frames[FRAMES], more;
    vrs_input_get_info(reader, &info);
    assert_int_equal(info.width, WIDTH);
    assert_int_equal(info.height, HEIGHT);
    assert_int_equal(info.format, VRS_FORMAT_YUV420P);
    assert_int_equal(info.rate_num / info.rate_den, 25);
    assert_non_null(strstr(info.description, "20x12"));
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(vrs_input_read(reader, &frames[i]), VRS_OK);
        assert_int_equal(frames[i].id, i);
    }
    assert_int_equal(vrs_input_read(reader, &more), VRS_END);
    assert_null(more.image.planes[0]);
    assert_int_equal(vrs_input_read(reader, &more), VRS_END);
    assert_int_equal(vrs_input_damaged(reader), 0);
    vrs_input_close(reader);
    for (int i = 0; i < FRAMES; i++) { /* they stay */
        assert_int_equal(frames[i].image.planes[0][5], 16 + 60 * i);
        vrs_image_release(&frames[i].image);
    }
    vrs_input_close(NULL);
}

static void test_tensors(void **state)
{
    (void)state;
    vrs_input *reader = open_clip();
    vrs_input_tensor t = {.width = 7, .height = 5, .mean = {10, 20, 30}, .scale = {1, 2, 0.5F}};
    float data[3][5][7];
    vrs_frame frame;
    assert_int_equal(vrs_input_read_tensor(reader, &t, data, &frame), VRS_OK);
    assert_int_equal(frame.id, 0);
    assert_null(frame.image.planes[0]);
    /* The file says nothing of its range, so 16 is black. */
    assert_float_equal(data[0][2][3], -10, 1e-2);
    assert_float_equal(data[1][4][6], -40, 1e-2);
    assert_float_equal(data[2][0][0], -15, 1e-2);
    uint8_t codes[9][8][3];
    t = (vrs_input_tensor){.width = 8, .height = 9, .bytes = true}; /* another plan */
    assert_int_equal(vrs_input_read_tensor(reader, &t, codes, NULL), VRS_OK);
    assert_in_range(codes[8][7][2], 69, 71); /* 60 * 255 / 219 */
    t.width = 0;
    assert_int_equal(vrs_input_read_tensor(reader, &t, codes, NULL), VRS_INVALID);
    assert_int_equal(vrs_input_read_tensor(reader, &t, codes, NULL), VRS_END);
    vrs_input_close(reader);
}

static void test_limits(void **state)
{
    (void)state;
    vrs_input *reader;
    vrs_frame frame;
    assert_int_equal(vrs_config_set(config, "max_frames", "1"), VRS_OK);
    reader = open_clip();
    assert_int_equal(vrs_input_read(reader, &frame), VRS_OK);
    vrs_image_release(&frame.image);
    assert_int_equal(vrs_input_read(reader, &frame), VRS_END);
    vrs_input_close(reader);
    assert_int_equal(vrs_config_set(config, "max_frames", "0"), VRS_OK);
    assert_int_equal(vrs_input_open(config, "no-such.mp4", &reader), VRS_NOT_FOUND);
    assert_null(reader);
    assert_non_null(strstr(vrs_last_error(), "no-such.mp4"));
}

static void test_model(void **state)
{
    (void)state;
    vrs_model *model;
    vrs_input_tensor t;
    assert_int_equal(vrs_model_load("selfie-landscape", &model), VRS_OK);
    vrs_input_tensor_of(model, &t);
    assert_int_equal(t.width, 256);
    assert_int_equal(t.height, 144);
    assert_float_equal(t.scale[2], 1.0 / 255, 1e-6);
    assert_false(t.bytes);
    vrs_model_destroy(model);
}

/* Whatever is refused ends in a status, and nothing stays behind. */
static vrs_status read_all(void *opaque)
{
    (void)opaque;
    vrs_input *reader;
    static const vrs_input_tensor t = {.width = 7, .height = 5, .scale = {1, 1, 1}};
    float data[3][5][7];
    vrs_status status = vrs_input_open(config, clip, &reader);
    if (status != VRS_OK)
        return status;
    do
        status = vrs_input_read_tensor(reader, &t, data, NULL);
    while (status == VRS_OK);
    vrs_input_close(reader);
    return status == VRS_END ? VRS_OK : status;
}

static void test_refused(void **state)
{
    (void)state;
    static const vrs_status also[] = {VRS_IO, VRS_FORMAT, VRS_CORRUPT, VRS_OK};
    assert_true(inject_all_allowing(read_all, NULL, also, 4) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),  cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_limits),  cmocka_unit_test(test_model),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_clip, remove_clip);
}
