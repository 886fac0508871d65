/* Frames of your own through the pipeline: raw RGB pictures from standard input become masks of a
 * byte a pixel on standard output.
 *
 *   ffmpeg -i in.mp4 -pix_fmt rgb24 -f rawvideo - | masks 1280 720 > masks.gray */
#include <stdio.h>
#include <stdlib.h>

#include <vrseg/vrseg.h>

/* Ends the program with the reason where a call failed; only the expected `or_else` passes. */
static vrs_status check(vrs_status status, vrs_status or_else)
{
    if (status == VRS_OK || status == or_else)
        return status;
    (void)fprintf(stderr, "masks: %s\n", vrs_last_error());
    exit(1);
}

/* Writes the masks that are finished; waits for the one that comes next up to `timeout_us`. */
static vrs_status write_masks(vrs_pipeline *pipeline, int64_t timeout_us, vrs_status until)
{
    vrs_result *result;
    while (check(vrs_pipeline_get_result(pipeline, &result, timeout_us), until) == VRS_OK) {
        const vrs_image *mask = &result->outputs[0];
        for (int32_t y = 0; y < mask->height; y++)
            (void)fwrite(mask->planes[0] + y * mask->strides[0], 1, (size_t)mask->width, stdout);
        vrs_result_release(result);
    }
    return until;
}

static bool read_picture(const vrs_image *image)
{
    for (int32_t y = 0; y < image->height; y++)
        if (fread(image->planes[0] + y * image->strides[0], 3, (size_t)image->width, stdin) !=
            (size_t)image->width)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    vrs_config *config;
    vrs_model *model;
    vrs_pipeline *pipeline;
    int32_t width = argc > 2 ? atoi(argv[1]) : 0, height = argc > 2 ? atoi(argv[2]) : 0;
    check(vrs_config_create(&config), VRS_OK);
    check(vrs_model_load(argc > 3 ? argv[3] : "selfie-landscape", &model), VRS_OK);
    check(vrs_pipeline_create(config, model, &pipeline), VRS_OK);
    check(vrs_pipeline_start(pipeline), VRS_OK);
    for (vrs_frame frame = {0};; frame.id++) {
        check(vrs_image_alloc(&frame.image, VRS_FORMAT_RGB24, width, height), VRS_OK);
        if (!read_picture(&frame.image)) {
            vrs_image_release(&frame.image);
            break;
        }
        check(vrs_pipeline_submit(pipeline, &frame, -1), VRS_OK); /* takes the picture */
        write_masks(pipeline, 0, VRS_TIMEOUT);
    }
    vrs_pipeline_finish(pipeline);
    write_masks(pipeline, -1, VRS_END);
    vrs_pipeline_destroy(pipeline);
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    return fflush(stdout) == 0 ? 0 : 1;
}
