/* What a video is and what a network is shown of it: look FILE [MODEL [FIRST.png [SHEET.png]]]
 *
 * Frames are decoded one by one, as they are and as tensors; how stereo and spherical ones lie is
 * told with the reason for it. With SHEET.png masks of places all over the film are drawn, to be
 * looked at before a long run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vrseg/input.h>
#include <vrseg/job.h>
#include <vrseg/vrseg.h>

/* Ends the program with the reason where a call failed. */
static void check(vrs_status status)
{
    if (status == VRS_OK)
        return;
    (void)fprintf(stderr, "look: %s (%s)\n", vrs_last_error(), vrs_status_name(status));
    exit(1);
}

static void show_layout(vrs_input *input, const vrs_config *config, const vrs_input_info *info)
{
    char text[128];
    vrs_rect eyes[2];
    vrs_layout_reading reading;
    int count = 0;
    check(vrs_input_get_layout(input, config, &reading));
    vrs_layout_text(&reading.layout, text, sizeof(text));
    printf("layout: %s; stereo %s said by %s, projection %s by %s, lens \"%s\"\n", text,
           vrs_stereo_name(reading.layout.stereo), vrs_layout_voice_name(reading.stereo_by),
           vrs_projection_name(reading.layout.projection),
           vrs_layout_voice_name(reading.projection_by), vrs_lens_name(reading.layout.lens));
    check(vrs_layout_eyes(&reading.layout, info->width, info->height, eyes, &count));
    for (int i = 0; i < count; i++)
        printf("eye %d: %" PRId32 "x%" PRId32 " at %" PRId32 ",%" PRId32 "\n", i, eyes[i].width,
               eyes[i].height, eyes[i].x, eyes[i].y);

    /* The same by one's own word, as the options layout and projection take it. */
    vrs_layout own = vrs_layout_flat();
    check(vrs_layout_set_stereo(&own, "sbs"));
    check(vrs_layout_set_projection(&own, "fisheye:190"));
    vrs_layout_text(&own, text, sizeof(text));
    printf("it could be called: %s\n", text);
}

/* The first frame as a picture, and all that follow as tensors of the network. */
static void read_frames(vrs_input *input, const vrs_model *model, const char *png)
{
    vrs_frame frame;
    vrs_input_tensor tensor;
    vrs_status status;
    int64_t count = 1;
    double sum = 0;
    check(vrs_input_read(input, &frame));
    check(vrs_image_check(&frame.image));
    printf("first frame: %s\n", vrs_pixel_format_name(frame.image.format));
    if (png != NULL)
        check(vrs_image_write_png(&frame.image, png));
    vrs_image_release(&frame.image);

    vrs_input_tensor_of(model, &tensor);
    size_t values = (size_t)tensor.width * (size_t)tensor.height * 3;
    float *data = malloc(values * sizeof(*data));
    if (data == NULL)
        exit(1);
    while ((status = vrs_input_read_tensor(input, &tensor, data, NULL)) == VRS_OK) {
        for (size_t i = 0; i < values; i++)
            sum += data[i];
        count++;
    }
    free(data);
    if (status != VRS_END)
        check(status);
    printf("%" PRId64 " frames, %" PRIu64 " damaged; tensors of %" PRId32 "x%" PRId32
           " have the mean %.3f; class 0 is \"%s\"\n",
           count, vrs_input_damaged(input), tensor.width, tensor.height,
           count > 1 ? sum / (double)values / (double)(count - 1) : 0,
           vrs_model_class_name(model, 0));
}

/* A look before a long run: is the model right, are there people at all? */
static void draw_sheet(const vrs_config *config, const char *file, const char *sheet)
{
    const vrs_look_params params = {.sheet = sheet, .places = 4, .seconds = 1};
    vrs_look_result seen;
    check(vrs_media_look(config, file, &params, &seen));
    printf("%" PRId32 " of %" PRId32 " places show people, on %.0f %% of the picture\n",
           seen.with_people, seen.places, 100 * seen.coverage);
}

int main(int argc, char **argv)
{
    vrs_config *config;
    vrs_model *model;
    vrs_input *input;
    vrs_input_info info;
    check(vrs_job_config_create(&config));
    check(vrs_config_set(config, "decoder_threads", "1"));
    check(vrs_model_load(argc > 2 ? argv[2] : "selfie-landscape", &model));
    check(vrs_input_open(config, argc > 1 ? argv[1] : "", &input));
    vrs_input_get_info(input, &info);
    printf("%s\n", info.description);
    show_layout(input, config, &info);
    read_frames(input, model, argc > 3 ? argv[3] : NULL);
    vrs_input_close(input);
    if (argc > 4) {
        check(vrs_config_set(config, "model", argv[2]));
        draw_sheet(config, argv[1], argv[4]);
    }
    vrs_model_destroy(model);
    vrs_config_destroy(config);
    return 0;
}
