/* Real recordings: every frame and time stamp as ffprobe has them. */
#define _XOPEN_SOURCE 700
#include "clips.h"

#include "support/shared.h"

typedef struct real_clip {
    const char *path;
    size_t frames;
    int32_t width, height;
    int32_t rate_num, rate_den;
    vrs_matrix matrix;
    vrs_range range;
} real_clip;

static const real_clip clips[] = {
    {"media/videos/tfjs_pose_squats_720x1280.mp4", 65, 720, 1280, 5, 1, VRS_MATRIX_UNKNOWN,
     VRS_RANGE_UNKNOWN},
    {"media/videos/intel_one-by-one-person-detection_768x432.mp4", 1394, 768, 432, 10, 1,
     VRS_MATRIX_BT601, VRS_RANGE_LIMITED},
    {"media/videos/sam2_woman_and_dog_1280x720.mp4", 289, 1280, 720, 30000, 1001, VRS_MATRIX_BT709,
     VRS_RANGE_LIMITED},
    {"media/videos/sam2_juggle_1280x720.mp4", 247, 1280, 720, 24, 1, VRS_MATRIX_BT709,
     VRS_RANGE_LIMITED},
    {"media/vr/google_vr180_video-sample-inject_tb_mesh.mp4", 149, 1072, 1504, 30000, 1001,
     VRS_MATRIX_UNKNOWN, VRS_RANGE_UNKNOWN},
    {"media/vr/mery_stereo_sbs_cg_2048x1024.mp4", 120, 2048, 1024, 24, 1, VRS_MATRIX_BT709,
     VRS_RANGE_LIMITED},
};

static void as_probed(void **state)
{
    const real_clip *real = *state;
    const char *path = shared_path(real->path);
    vrs_source *source = open_source(path);
    const vrs_stream_info info = source->info;
    assert_int_equal(info.format, VRS_FORMAT_YUV420P);
    assert_int_equal(info.width, real->width);
    assert_int_equal(info.height, real->height);
    assert_int_equal(info.rate_num, real->rate_num);
    assert_int_equal(info.rate_den, real->rate_den);
    assert_int_equal(info.color.matrix, real->matrix);
    assert_int_equal(info.color.range, real->range);
    assert_int_equal(info.frame_estimate, (int64_t)real->frames);
    assert_int_equal(info.rotation, 0);
    vrs_source_close(source);
    assert_int_equal(expect_as_probed(path), real->frames);
    assert_int_equal(clips_warnings, 0);
}

int main(void)
{
    struct CMUnitTest tests[sizeof clips / sizeof clips[0]];
    for (size_t i = 0; i < sizeof clips / sizeof clips[0]; i++) {
        (void)shared_path(clips[i].path);
        tests[i] = (struct CMUnitTest){.name = clips[i].path,
                                       .test_func = as_probed,
                                       .initial_state = (void *)(uintptr_t)&clips[i]};
    }
    clips_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    clips_end();
    return failed;
}
