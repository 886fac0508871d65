/* A source file with everything that a sink takes over. */
#include <string.h>

#include <libavutil/display.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/spherical.h>
#include <libavutil/stereo3d.h>

#include "media/encode/encoder.h"
#include "media/encode/times.h"
#include "media/file/container.h"
#include "media/libav/av.h"
#include "media/sink_tools.h"

#define SOUND_RATE 48000
#define SOUND_FRAME 1024

static const AVRational clock_ticks = {1, 12800};

static void side_data(AVStream *stream)
{
    int32_t *matrix =
        (int32_t *)av_stream_new_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof *matrix);
    assert_non_null(matrix);
    av_display_rotation_set(matrix, 90);
    size_t size = 0;
    AVStereo3D *stereo = av_stereo3d_alloc();
    assert_non_null(stereo);
    stereo->type = AV_STEREO3D_SIDEBYSIDE;
    assert_true(av_stream_add_side_data(stream, AV_PKT_DATA_STEREO3D, (uint8_t *)stereo,
                                        sizeof *stereo) >= 0);
    AVSphericalMapping *mapping = av_spherical_alloc(&size);
    assert_non_null(mapping);
    mapping->projection = AV_SPHERICAL_EQUIRECTANGULAR;
    mapping->yaw = 30 << 16;
    assert_true(av_stream_add_side_data(stream, AV_PKT_DATA_SPHERICAL, (uint8_t *)mapping, size) >=
                0);
    AVContentLightMetadata *light = av_content_light_metadata_alloc(&size);
    assert_non_null(light);
    light->MaxCLL = 1000;
    light->MaxFALL = 400;
    assert_true(av_stream_add_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, (uint8_t *)light,
                                        size) >= 0);
}

static void add_chapter(AVFormatContext *format, int64_t id, int64_t start, int64_t end)
{
    AVChapter *chapter = av_mallocz(sizeof *chapter);
    assert_non_null(chapter);
    chapter->id = id;
    chapter->time_base = clock_ticks;
    chapter->start = start;
    chapter->end = end;
    av_dict_set(&chapter->metadata, "title", id == 0 ? "one" : "two", 0);
    assert_true(av_dynarray_add_nofree(&format->chapters, (int *)&format->nb_chapters, chapter) >=
                0);
}

static AVCodecContext *open_sound(void)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    AVCodecContext *sound = avcodec_alloc_context3(codec);
    assert_non_null(sound);
    sound->sample_rate = SOUND_RATE;
    sound->sample_fmt = AV_SAMPLE_FMT_FLTP;
    sound->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    sound->bit_rate = 32000;
    sound->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    assert_true(avcodec_open2(sound, codec, NULL) >= 0);
    return sound;
}

static void write_sound(vrs_container *container, AVCodecContext *sound, AVStream *stream,
                        int64_t samples)
{
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int64_t place = 0;
    int result = 0;
    do {
        frame->nb_samples = SOUND_FRAME;
        frame->format = AV_SAMPLE_FMT_FLTP;
        frame->sample_rate = SOUND_RATE;
        frame->ch_layout = sound->ch_layout;
        assert_true(av_frame_get_buffer(frame, 0) >= 0);
        for (int i = 0; i < SOUND_FRAME; i++)
            ((float *)frame->data[0])[i] = (float)((place + i) % 100) / 400.0F;
        frame->pts = place;
        place += SOUND_FRAME;
        result = avcodec_send_frame(sound, place > samples ? NULL : frame);
        av_frame_unref(frame);
        while (result >= 0 && (result = avcodec_receive_packet(sound, packet)) >= 0) {
            assert_int_equal(
                vrs_container_write(container, packet, stream, (AVRational){1, SOUND_RATE}, true),
                VRS_OK);
        }
    } while (result == AVERROR(EAGAIN));
    assert_int_equal(result, AVERROR_EOF);
    av_packet_free(&packet);
    av_frame_free(&frame);
}

static void write_subtitle(vrs_container *container, AVStream *stream)
{
    static const char text[] = "\0\x05hello";
    AVPacket *packet = av_packet_alloc();
    assert_true(av_new_packet(packet, sizeof text - 1) >= 0);
    memcpy(packet->data, text, sizeof text - 1);
    packet->pts = packet->dts = 1280;
    packet->duration = 2560;
    assert_int_equal(vrs_container_write(container, packet, stream, clock_ticks, true), VRS_OK);
    av_packet_free(&packet);
}

static void write_video(vrs_container *container, vrs_encoder *encoder, int count,
                        tools_time_fn time_of)
{
    static vrs_times times;
    AVPacket *packet = av_packet_alloc();
    vrs_times_init(&times, clock_ticks, (AVRational){25, 1});
    for (int i = 0; i <= count; i++) {
        vrs_status status = VRS_OK;
        if (i < count) {
            vrs_image image = tools_image(VRS_FORMAT_YUV420P, 64, 48, TOOLS_DISC, i);
            vrs_times_add(&times, time_of(i), time_of(i + 1) - time_of(i));
            status = vrs_encoder_send(encoder, &image, i);
        } else {
            status = vrs_encoder_flush(encoder);
        }
        while (status == VRS_OK && (status = vrs_encoder_receive(encoder, packet)) == VRS_OK) {
            assert_int_equal(vrs_times_apply(&times, packet), VRS_OK);
            status = vrs_container_write(container, packet, container->video, clock_ticks, true);
        }
        assert_int_equal(status, i < count ? VRS_TIMEOUT : VRS_END);
    }
    av_packet_free(&packet);
}

void tools_make_source(const char *path, int count, tools_time_fn time_of)
{
    vrs_encoder_params params = {
        .codec = VRS_CODEC_H264,
        .kind = VRS_OUTPUT_COMPOSITE,
        .format = VRS_FORMAT_YUV420P,
        .width = 64,
        .height = 48,
        .rate = {25, 1},
        .aspect = {4, 3},
        .tags = {AVCOL_RANGE_MPEG, AVCOL_SPC_BT470BG, AVCOL_TRC_GAMMA28, AVCOL_PRI_BT470BG,
                 AVCHROMA_LOC_LEFT},
        .crf = 20,
        .threads = 1,
    };
    vrs_encoder *encoder = NULL;
    vrs_container container;
    vrs_av_init();
    assert_int_equal(vrs_encoder_open(&params, &encoder), VRS_OK);
    AVCodecParameters *video = avcodec_parameters_alloc();
    assert_true(avcodec_parameters_from_context(video, vrs_encoder_context(encoder)) >= 0);
    assert_int_equal(vrs_container_make(&container, "mp4", video, clock_ticks, params.rate),
                     VRS_OK);
    AVCodecContext *sound = open_sound();
    AVStream *audio = avformat_new_stream(container.format, NULL);
    assert_true(avcodec_parameters_from_context(audio->codecpar, sound) >= 0);
    audio->time_base = (AVRational){1, SOUND_RATE};
    av_dict_set(&audio->metadata, "language", "fra", 0);
    AVStream *subtitle = avformat_new_stream(container.format, NULL);
    subtitle->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    subtitle->codecpar->codec_id = AV_CODEC_ID_MOV_TEXT;
    subtitle->time_base = clock_ticks;
    side_data(container.video);
    av_dict_set(&container.format->metadata, "title", "A test", 0);
    add_chapter(container.format, 0, 0, time_of(count / 2));
    add_chapter(container.format, 1, time_of(count / 2), time_of(count));
    assert_int_equal(vrs_container_begin(&container, path), VRS_OK);
    write_video(&container, encoder, count, time_of);
    write_sound(&container, sound, audio, av_rescale(time_of(count), SOUND_RATE, 12800) + 2000);
    write_subtitle(&container, subtitle);
    assert_int_equal(vrs_container_end(&container, NULL, NULL), VRS_OK);
    avcodec_free_context(&sound);
    avcodec_parameters_free(&video);
    vrs_encoder_destroy(encoder);
}
