/* Times, segments, and what is taken over from the source. */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/display.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include "base/alloc.h"
#include "media/encode/times.h"
#include "media/sink_folder.h"
#include "media/sink_tools.h"
#include "media/source/mp4_layout.h"
#include "vr/bytes.h"

static void check_times(const char *path, int count, tools_time_fn time_of, int64_t shift)
{
    tools_clip clip;
    tools_read(&clip, path, NULL);
    assert_int_equal(clip.count, count);
    for (int i = 0; i < count; i++) {
        int64_t wanted =
            av_rescale_q(time_of(i) + shift, (AVRational){1, 12800}, clip.video->time_base);
        assert_int_equal(clip.frames[i]->pts, wanted);
        assert_in_range(tools_plane_error(clip.frames[i], 0, TOOLS_DISC, i, 8), 0, 40);
    }
    tools_forget(&clip);
}

static int64_t from_far(int index)
{
    return INT64_C(12800) * 3600 * 7 + 333 + tools_uneven(index);
}

static void uneven_times_are_kept_to_the_tick(void **state)
{
    (void)state;
    static const char *const names[] = {"a.mp4", "a.mov", "a.mkv"};
    static const int32_t segments[] = {1800, 1, 2, 3, 7, 16};
    static const tools_time_fn times[] = {tools_even, tools_uneven, from_far};
    for (size_t n = 0; n < 3; n++) {
        for (size_t s = 0; s < sizeof segments / sizeof segments[0]; s++) {
            tools_setup setup;
            char path[512];
            path_of(path, names[n]);
            tools_prepare(&setup, path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, 64, 48);
            setup.params.segment_frames = segments[s];
            setup.params.encoder_options = "bf=3:b-pyramid=normal:rc-lookahead=8";
            assert_int_equal(tools_write(&setup, 32, times[(s + n) % 3]), VRS_OK);
            check_times(path, 32, times[(s + n) % 3], 0);
            assert_int_equal(temp_count(folder), 1);
            assert_int_equal(remove(path), 0);
        }
    }
}

static void short_segments_of_hevc(void **state)
{
    (void)state;
    static const int32_t segments[] = {1, 2, 3, 5};
    for (size_t s = 0; s < sizeof segments / sizeof segments[0]; s++) {
        tools_setup setup;
        char path[512];
        path_of(path, "h.mp4");
        tools_prepare(&setup, path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, 64, 48);
        setup.params.codec = VRS_CODEC_HEVC;
        setup.params.segment_frames = segments[s];
        assert_int_equal(tools_write(&setup, 12, tools_uneven), VRS_OK);
        check_times(path, 12, tools_uneven, 0);
    }
}

static void decoding_times_without_sense_are_replaced(void **state)
{
    (void)state;
    static const int64_t senseless[] = {INT64_MIN, INT64_MAX, 4, 3 - 513, 1374463283923456798};
    static vrs_times times;
    AVPacket *packet = av_packet_alloc();
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        vrs_times_init(&times, (AVRational){1, 12800}, (AVRational){25, 1});
        for (int frame = 0; frame < 5; frame++)
            vrs_times_add(&times, tools_even(frame), 512);
        packet->pts = 3;
        packet->dts = senseless[i];
        assert_int_equal(vrs_times_apply(&times, packet), VRS_OK);
        assert_int_equal(packet->pts, tools_even(3));
        assert_int_equal(packet->dts, tools_even(3));
        packet->pts = 2; /* a frame shown before is too late now */
        packet->dts = 2;
        assert_int_equal(vrs_times_apply(&times, packet), VRS_IO);
        packet->pts = 5; /* never sent */
        assert_int_equal(vrs_times_apply(&times, packet), VRS_IO);
    }
    av_packet_free(&packet);
}

static void b_frames_are_in_it(void **state)
{
    (void)state;
    tools_setup setup;
    tools_clip clip;
    char path[512];
    int counted = 0;
    path_of(path, "b.mp4");
    tools_prepare(&setup, path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, 64, 48);
    setup.params.segment_frames = 20;
    assert_int_equal(tools_write(&setup, 40, tools_uneven), VRS_OK);
    tools_read(&clip, path, NULL);
    for (int i = 0; i < clip.count; i++) {
        counted += clip.frames[i]->pict_type == AV_PICTURE_TYPE_B;
        assert_true(clip.frames[i]->pict_type == AV_PICTURE_TYPE_I || i % 20 != 0);
    }
    assert_true(counted >= 5);
    tools_forget(&clip);
}

static int64_t below_zero(int index)
{
    return tools_even(index) - 1000;
}

static void times_below_zero_move_up_together(void **state)
{
    (void)state;
    tools_setup setup;
    char path[512];
    path_of(path, "n.mp4");
    tools_prepare(&setup, path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, 64, 48);
    assert_int_equal(tools_write(&setup, 10, below_zero), VRS_OK);
    check_times(path, 10, below_zero, 1000);
}

static int64_t stumbling(int index)
{
    return index == 5 ? tools_even(3) : index == 6 ? INT64_MIN : tools_even(index);
}

static void times_that_stumble_are_repaired_and_counted(void **state)
{
    (void)state;
    tools_setup setup;
    tools_clip clip;
    char path[512];
    vrs_sink *sink = NULL;
    path_of(path, "s.mp4");
    tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
    setup.params.stream = &setup.stream;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    for (int i = 0; i < 10; i++) {
        vrs_image image = tools_image(VRS_FORMAT_GRAY8, 64, 48, TOOLS_DISC, i);
        assert_int_equal(vrs_sink_write(sink, &image, stumbling(i), 0, NULL), VRS_OK);
    }
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    assert_int_equal(sink->frames, 10);
    assert_non_null(strstr(sink->note, "1 frames"));
    vrs_sink_close(sink);
    tools_read(&clip, path, NULL);
    assert_int_equal(clip.count, 10);
    for (int i = 1; i < 10; i++)
        assert_true(clip.frames[i]->pts > clip.frames[i - 1]->pts);
    assert_int_equal(clip.frames[5]->pts, tools_even(4) + 1);
    assert_int_equal(clip.frames[7]->pts, tools_even(7));
    tools_forget(&clip);
}

/* The encoder sees the same frames whatever the clock is, so it writes as many bytes; not to the
 * byte, since x264 does not always repeat itself. */
static void rate_control_does_not_see_the_clock(void **state)
{
    (void)state;
    static const int32_t clocks[] = {25, 12800, 200000, 1000000};
    int64_t sizes[4] = {0};
    for (int c = 0; c < 4; c++) {
        tools_setup setup;
        tools_clip clip;
        char path[512];
        vrs_sink *sink = NULL;
        path_of(path, "c.mp4");
        tools_prepare(&setup, path, VRS_OUTPUT_COMPOSITE, VRS_FORMAT_YUV420P, 160, 120);
        setup.stream.time_base_den = clocks[c];
        setup.params.stream = &setup.stream;
        setup.params.bitrate = c % 2 == 0 ? 0 : 200000;
        assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
        for (int i = 0; i < 50; i++) {
            vrs_image image = tools_image(VRS_FORMAT_YUV420P, 160, 120, TOOLS_DISC, i);
            assert_int_equal(
                vrs_sink_write(sink, &image, (int64_t)i * clocks[c] / 25, clocks[c] / 25, NULL),
                VRS_OK);
        }
        assert_int_equal(vrs_sink_finish(sink), VRS_OK);
        vrs_sink_close(sink);
        tools_read(&clip, path, NULL);
        for (int i = 0; i < clip.count; i++)
            sizes[c] += clip.frames[i]->pkt_size;
        tools_forget(&clip);
    }
    for (int c = 0; c < 2; c++)
        assert_in_range(sizes[c + 2], sizes[c] * 9 / 10, sizes[c] * 11 / 10);
}

/* ---- what is taken over --------------------------------------------------------------------- */

static void write_from(const char *source, const char *path, vrs_output_kind kind, int count,
                       tools_time_fn time_of, char *note)
{
    tools_setup setup;
    vrs_sink *sink = NULL;
    tools_prepare(&setup, path, kind, VRS_FORMAT_YUV420P, 64, 48);
    setup.stream.color = (vrs_color){.matrix = VRS_MATRIX_BT601,
                                     .range = VRS_RANGE_LIMITED,
                                     .transfer = VRS_TRANSFER_UNKNOWN,
                                     .chroma_site = VRS_CHROMA_LEFT,
                                     .primaries = 5};
    setup.stream.aspect_num = 4;
    setup.stream.aspect_den = 3;
    setup.stream.rotation = 90;
    setup.params.stream = &setup.stream;
    setup.params.source_path = source;
    setup.params.keep_streams = true;
    setup.params.segment_frames = 10;
    assert_int_equal(vrs_sink_open(&setup.params, &sink), VRS_OK);
    for (int i = 0; i < count; i++) {
        vrs_image image = tools_image(setup.params.format, 64, 48, TOOLS_DISC, i);
        assert_int_equal(
            vrs_sink_write(sink, &image, time_of(i), time_of(i + 1) - time_of(i), NULL), VRS_OK);
    }
    assert_int_equal(vrs_sink_finish(sink), VRS_OK);
    (void)snprintf(note, VRS_NOTE_SIZE, "%s", sink->note);
    vrs_sink_close(sink);
}

static void check_tags(const tools_clip *clip)
{
    const AVStream *video = clip->video;
    const AVCodecParameters *params = video->codecpar;
    assert_int_equal(params->color_space, AVCOL_SPC_BT470BG);
    assert_int_equal(params->color_trc, AVCOL_TRC_GAMMA28);
    assert_int_equal(params->color_primaries, AVCOL_PRI_BT470BG);
    assert_int_equal(params->sample_aspect_ratio.num, 4);
    assert_int_equal(params->sample_aspect_ratio.den, 3);
    const uint8_t *matrix = av_stream_get_side_data(video, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    assert_non_null(matrix);
    assert_int_equal((int)av_display_rotation_get((const int32_t *)matrix), -90);
    const AVStereo3D *stereo =
        (const AVStereo3D *)av_stream_get_side_data(video, AV_PKT_DATA_STEREO3D, NULL);
    assert_non_null(stereo);
    assert_int_equal(stereo->type, AV_STEREO3D_SIDEBYSIDE);
    const AVSphericalMapping *mapping =
        (const AVSphericalMapping *)av_stream_get_side_data(video, AV_PKT_DATA_SPHERICAL, NULL);
    assert_non_null(mapping);
    assert_int_equal(mapping->projection, AV_SPHERICAL_EQUIRECTANGULAR);
    assert_int_equal(mapping->yaw, 30 << 16);
    const AVContentLightMetadata *light = (const AVContentLightMetadata *)av_stream_get_side_data(
        video, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, NULL);
    assert_non_null(light);
    assert_int_equal(light->MaxCLL, 1000);
}

static void everything_is_taken_over(void **state)
{
    (void)state;
    char source[512], path[512], note[VRS_NOTE_SIZE];
    tools_clip clip, original;
    path_of(source, "source.mp4");
    path_of(path, "out.mp4");
    tools_make_source(source, 40, tools_uneven);
    write_from(source, path, VRS_OUTPUT_COMPOSITE, 40, tools_uneven, note);
    assert_string_equal(note, "");
    check_times(path, 40, tools_uneven, 0);
    tools_read(&original, source, NULL);
    tools_read(&clip, path, NULL);
    check_tags(&clip);
    /* The chapters make a text track in both. */
    assert_int_equal(clip.container->nb_streams, original.container->nb_streams);
    assert_int_equal(clip.others[1], original.others[1]);
    assert_int_equal(clip.other_last[1], original.other_last[1]);
    assert_true(clip.others[2] >= original.others[2]); /* the muxer adds an empty one at the end */
    for (int i = 1; i < 3; i++) {
        assert_int_equal(clip.other_first[i], original.other_first[i]);
        assert_int_equal(clip.container->streams[i]->codecpar->codec_id,
                         original.container->streams[i]->codecpar->codec_id);
    }
    assert_int_equal(original.other_first[1], -1024);
    assert_string_equal(
        av_dict_get(clip.container->streams[1]->metadata, "language", NULL, 0)->value, "fra");
    assert_string_equal(av_dict_get(clip.container->metadata, "title", NULL, 0)->value, "A test");
    assert_int_equal(clip.container->nb_chapters, 2);
    assert_int_equal(av_compare_ts(clip.container->chapters[1]->start,
                                   clip.container->chapters[1]->time_base, tools_uneven(20),
                                   (AVRational){1, 12800}),
                     0);
    tools_forget(&clip);
    tools_forget(&original);
}

static void a_mask_gets_no_mastering_data_and_matroska_its_sound(void **state)
{
    (void)state;
    char source[512], path[512], note[VRS_NOTE_SIZE];
    tools_clip clip;
    path_of(source, "source.mp4");
    path_of(path, "mask.mkv");
    tools_make_source(source, 40, tools_even);
    write_from(source, path, VRS_OUTPUT_MASK, 40, tools_even, note);
    assert_non_null(strstr(note, "stream 2 (subtitle, mov_text)"));
    check_times(path, 40, tools_even, 0);
    tools_read(&clip, path, NULL);
    assert_null(av_stream_get_side_data(clip.video, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, NULL));
    assert_non_null(av_stream_get_side_data(clip.video, AV_PKT_DATA_STEREO3D, NULL));
    assert_int_equal(clip.container->nb_streams, 2);
    assert_int_equal(clip.other_first[1], 0); /* the lead-in is before Matroska's time */
    assert_true(clip.others[1] > 70);
    tools_forget(&clip);
}

/* FFmpeg's MOV has no boxes of the layout; ours has, and FFmpeg reads them. */
static void mov_says_how_its_pictures_lie(void **state)
{
    (void)state;
    char source[512], path[512], note[VRS_NOTE_SIZE];
    tools_clip clip;
    path_of(source, "source.mp4");
    path_of(path, "out.mov");
    tools_make_source(source, 10, tools_even);
    write_from(source, path, VRS_OUTPUT_MASK, 10, tools_even, note);
    tools_read(&clip, path, NULL);
    const AVStereo3D *stereo =
        (const AVStereo3D *)av_stream_get_side_data(clip.video, AV_PKT_DATA_STEREO3D, NULL);
    assert_non_null(stereo);
    assert_int_equal(stereo->type, AV_STEREO3D_SIDEBYSIDE);
    const AVSphericalMapping *mapping = (const AVSphericalMapping *)av_stream_get_side_data(
        clip.video, AV_PKT_DATA_SPHERICAL, NULL);
    assert_non_null(mapping);
    assert_int_equal(mapping->projection, AV_SPHERICAL_EQUIRECTANGULAR);
    assert_int_equal(mapping->yaw, 30 << 16);
    assert_non_null(av_stream_get_side_data(clip.video, AV_PKT_DATA_DISPLAYMATRIX, NULL));
    assert_null(strstr(note, "stereo"));
    assert_int_equal(clip.count, 10);
    tools_forget(&clip);
}

/* A whole file; freed by free(). */
static size_t load(const char *path, uint8_t **data)
{
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "rb");
    *data = malloc(MOST);
    assert_true(file != NULL && *data != NULL);
    size_t size = fread(*data, 1, MOST, file);
    assert_true(size > 0 && size < MOST);
    assert_int_equal(fclose(file), 0);
    return size;
}

static void save(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Replaces four data, which are there once; `at` data after them, `byte` is put too (-1: not). */
static void patch(const char *path, const char *from, const char *to, int at, int byte)
{
    uint8_t *data = NULL;
    size_t size = load(path, &data);
    uint8_t *tag = memmem(data, size, from, 4);
    assert_non_null(tag);
    assert_null(memmem(tag + 4, size - (size_t)(tag + 4 - data), from, 4));
    memcpy(tag, to, 4);
    tag[at] = byte >= 0 ? (uint8_t)byte : tag[at];
    save(path, data, size);
    free(data);
}

/* The source with another layout, which FFmpeg's muxer does not write. */
static void change_layout(const char *path, const vrs_boxes *say, const bytes *mesh)
{
    assert_int_equal(vrs_mp4_layout_write(path, say, mesh != NULL ? mesh->data : NULL), VRS_OK);
}

static void look_at(double u, double v, float xyzuv[5])
{
    xyzuv[0] = (float)(u - 0.5);
    xyzuv[1] = (float)(v - 0.5);
    xyzuv[2] = -0.3F;
    xyzuv[3] = (float)u;
    xyzuv[4] = (float)v;
}

static void make_mshp(bytes *box)
{
    static bytes meshes;
    memset(&meshes, 0, sizeof(meshes));
    memset(box, 0, sizeof(*box));
    put_mesh(&meshes, 6, look_at);
    put_mshp(box, &meshes, true);
}

/* Of what libav drops when it reads: VR180's mesh and stereo modes 3 and 4. */
static void meshes_and_swapped_eyes_stay(void **state)
{
    (void)state;
    static bytes mesh;
    static const char *const names[] = {"out.mp4", "out.mov"};
    static const int modes[] = {VRS_ST3D_RL, VRS_ST3D_CUSTOM, VRS_ST3D_TB};
    char source[512], path[512], note[VRS_NOTE_SIZE];
    make_mshp(&mesh);
    path_of(source, "source.mp4");
    for (int i = 0; i < 6; i++) {
        vrs_boxes say = {.stereo = modes[i / 2],
                         .sphere = VRS_SPHERE_MESH,
                         .yaw = 3 << 16,
                         .roll = -(2 << 16),
                         .mesh_size = mesh.size};
        uint8_t *kept = NULL;
        tools_clip clip;
        tools_make_source(source, 20, tools_even);
        change_layout(source, &say, &mesh);
        path_of(path, names[i % 2]);
        write_from(source, path, VRS_OUTPUT_MASK, 20, tools_even, note);
        assert_null(strstr(note, "mesh"));
        assert_null(strstr(note, "stereo"));
        const vrs_boxes boxes = vrs_mp4_layout_read(path, NULL);
        assert_int_equal(boxes.stereo, modes[i / 2]);
        assert_int_equal(boxes.sphere, VRS_SPHERE_MESH);
        assert_true(boxes.yaw == say.yaw && boxes.pitch == 0 && boxes.roll == say.roll);
        assert_int_equal(boxes.mesh_size, mesh.size);
        assert_int_equal(vrs_mp4_mesh_bytes(path, &boxes, &kept), VRS_OK);
        assert_memory_equal(kept, mesh.data, mesh.size);
        vrs_free(kept);
        check_times(path, 20, tools_even, 0); /* the rest is as it was */
        tools_read(&clip, path, NULL);
        assert_int_equal(clip.count, 20);
        tools_forget(&clip);
    }
}

/* Matroska holds swapped eyes and has no reader of a mesh; MP4 has no word for the right eye above.
 */
static void what_a_container_cannot_say_is_told(void **state)
{
    (void)state;
    static bytes mesh;
    char source[512], path[512], note[VRS_NOTE_SIZE];
    const vrs_boxes say = {.stereo = VRS_ST3D_TB, .sphere = VRS_SPHERE_MESH};
    make_mshp(&mesh);
    path_of(source, "source.mp4");
    path_of(path, "out.mkv");
    tools_make_source(source, 10, tools_even);
    vrs_boxes with = say;
    with.mesh_size = mesh.size;
    change_layout(source, &with, &mesh);
    write_from(source, path, VRS_OUTPUT_MASK, 10, tools_even, note);
    const char *said = strstr(note, "the mesh of its projection (VR180's mshp) is not kept: files "
                                    "that end in .mp4 or .mov hold it");
    assert_non_null(said);
    assert_null(strstr(said + 8, "mesh of")); /* said once */
}

static vrs_layout_tags tags_of(const char *stereo, const char *projection, bool plain)
{
    vrs_layout_tags tags = {.stereo = true, .sphere = true, .plain = plain};
    tags.layout = vrs_layout_flat();
    assert_int_equal(vrs_layout_set_stereo(&tags.layout, stereo), VRS_OK);
    assert_int_equal(vrs_layout_set_projection(&tags.layout, projection), VRS_OK);
    return tags;
}

/* What was decided about a layout counts, not what the source's boxes say. */
static void tags_come_before_the_sources_boxes(void **state)
{
    (void)state;
    static bytes mesh;
    static const struct {
        const char *stereo, *projection, *name;
        bool plain;
        int mode;
        vrs_sphere sphere;
    } cases[] = {
        {"rl", "half-equirect", "out.mp4", false, VRS_ST3D_RL, VRS_SPHERE_EQUI},
        {"sbs", "fisheye:190", "out.mp4", false, VRS_ST3D_LR, VRS_SPHERE_NONE},
        {"rl", "fisheye:190", "out.mov", true, VRS_ST3D_RL, VRS_SPHERE_NONE},
        {"bt", "equirect", "out.mp4", false, -1, VRS_SPHERE_EQUI},
        {"mono", "equirect", "out.mov", false, VRS_ST3D_MONO, VRS_SPHERE_EQUI},
    };
    char source[512], path[512];
    make_mshp(&mesh);
    const vrs_boxes say = {
        .stereo = VRS_ST3D_TB, .sphere = VRS_SPHERE_MESH, .mesh_size = mesh.size};
    path_of(source, "source.mp4");
    tools_make_source(source, 10, tools_even);
    change_layout(source, &say, &mesh);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const vrs_layout_tags tags = tags_of(cases[i].stereo, cases[i].projection, cases[i].plain);
        tools_setup setup;
        path_of(path, cases[i].name);
        tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 64, 48);
        setup.params.source_path = source;
        setup.params.tags = &tags;
        assert_int_equal(tools_write(&setup, 10, tools_even), VRS_OK);
        const vrs_boxes boxes = vrs_mp4_layout_read(path, NULL);
        assert_int_equal(boxes.stereo, cases[i].mode);
        assert_int_equal(boxes.sphere, cases[i].sphere);
        if (boxes.sphere == VRS_SPHERE_EQUI)
            assert_int_equal(boxes.left, cases[i].mode == VRS_ST3D_RL ? 0x40000000 : 0);
    }
}

/* Boxes that lie about their sizes end the looking, and nothing else. */
static void broken_boxes_are_no_layout(void **state)
{
    (void)state;
    char source[512];
    path_of(source, "source.mp4");
    tools_make_source(source, 10, tools_even);
    patch(source, "equi", "mshp", 0, -1);
    assert_int_equal(vrs_mp4_layout_read(source, NULL).sphere, VRS_SPHERE_MESH);
    static const char *const on_the_way[] = {"moov", "mdia", "stsd", "sv3d", "proj"};
    static const int sizes[] = {0, 1, 0x7f};
    for (size_t i = 0; i < sizeof on_the_way / sizeof on_the_way[0]; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            uint8_t *data = NULL;
            size_t size = load(source, &data);
            uint8_t *tag = memmem(data, size, on_the_way[i], 4);
            assert_non_null(tag);
            memset(tag - 4, 0, 4);
            tag[-1] = (uint8_t)(sizes[s] & 1);
            tag[-4] = (uint8_t)(sizes[s] & 0x7e);
            char path[512];
            path_of(path, "broken.mp4");
            save(path, data, size);
            (void)vrs_mp4_layout_read(path, NULL); /* ends */
            free(data);
        }
    }
    assert_int_equal(vrs_mp4_layout_read("/dev/null", NULL).sphere, VRS_SPHERE_NONE);
    assert_int_equal(vrs_mp4_layout_read(folder, NULL).sphere, VRS_SPHERE_NONE);
}

static void only_the_written_range_is_copied(void **state)
{
    (void)state;
    char source[512], path[512], note[VRS_NOTE_SIZE];
    tools_clip clip;
    path_of(source, "source.mp4");
    path_of(path, "part.mp4");
    tools_make_source(source, 75, tools_even); /* 3 s */
    write_from(source, path, VRS_OUTPUT_MASK, 25, tools_even, note);
    tools_read(&clip, path, NULL);
    assert_int_equal(clip.count, 25);
    assert_in_range(clip.other_last[1], 48000 - 1024, 47999);
    assert_int_equal(clip.container->nb_chapters, 1);
    tools_forget(&clip);
}

static void a_smaller_mask_keeps_the_shape(void **state)
{
    (void)state;
    tools_setup setup;
    tools_clip clip;
    char path[512];
    path_of(path, "small.mkv");
    tools_prepare(&setup, path, VRS_OUTPUT_MASK, VRS_FORMAT_YUV420P, 32, 32);
    setup.stream.width = 64;
    setup.stream.height = 48;
    setup.stream.rotation = 270;
    assert_int_equal(tools_write(&setup, 3, tools_even), VRS_OK);
    tools_read(&clip, path, NULL);
    assert_int_equal(clip.video->sample_aspect_ratio.num, 4); /* 32x32 shown as 64:48 */
    assert_int_equal(clip.video->sample_aspect_ratio.den, 3);
    tools_forget(&clip);
    path_of(path, "small.mp4");
    setup.params.path = path;
    assert_int_equal(tools_write(&setup, 3, tools_even), VRS_OK);
    tools_read(&clip, path, NULL);
    const uint8_t *matrix = av_stream_get_side_data(clip.video, AV_PKT_DATA_DISPLAYMATRIX, NULL);
    assert_non_null(matrix);
    assert_int_equal((int)av_display_rotation_get((const int32_t *)matrix), 90);
    tools_forget(&clip);
}

static void sources_without_streams_of_their_own(void **state)
{
    (void)state;
    char source[512], path[512], note[VRS_NOTE_SIZE];
    path_of(source, "text.mp4");
    path_of(path, "out.mp4");
    FILE *file = fopen(source, "w");
    assert_non_null(file);
    assert_true(fputs("this is no video", file) >= 0);
    assert_int_equal(fclose(file), 0);
    write_from(source, path, VRS_OUTPUT_MASK, 3, tools_even, note);
    assert_non_null(strstr(note, "cannot be read"));
    write_from(folder, path, VRS_OUTPUT_MASK, 3, tools_even, note);
    write_from("-", path, VRS_OUTPUT_MASK, 3, tools_even, note);
    assert_string_equal(note, "");
}

int main(void)
{
#define ONE(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        ONE(uneven_times_are_kept_to_the_tick),
        ONE(short_segments_of_hevc),
        ONE(decoding_times_without_sense_are_replaced),
        ONE(b_frames_are_in_it),
        ONE(times_below_zero_move_up_together),
        ONE(times_that_stumble_are_repaired_and_counted),
        ONE(rate_control_does_not_see_the_clock),
        ONE(everything_is_taken_over),
        ONE(a_mask_gets_no_mastering_data_and_matroska_its_sound),
        ONE(mov_says_how_its_pictures_lie),
        ONE(meshes_and_swapped_eyes_stay),
        ONE(what_a_container_cannot_say_is_told),
        ONE(tags_come_before_the_sources_boxes),
        ONE(broken_boxes_are_no_layout),
        ONE(only_the_written_range_is_copied),
        ONE(a_smaller_mask_keeps_the_shape),
        ONE(sources_without_streams_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
