#include "media/sink_tools.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <libavutil/pixdesc.h>

#include "base/alloc.h"
#include "image/format.h"

/* ---- images --------------------------------------------------------------------------------- */

static atomic_int images_live;

int tools_images_live(void)
{
    return atomic_load(&images_live);
}

static uint32_t hash(uint32_t value)
{
    value ^= value >> 16;
    value *= UINT32_C(0x7feb352d);
    value ^= value >> 15;
    value *= UINT32_C(0x846ca68b);
    return value ^ value >> 16;
}

int tools_sample(tools_pattern pattern, int plane, int depth, int index, int x, int y)
{
    int top = (1 << depth) - 1;
    if (pattern == TOOLS_NOISE) {
        uint32_t seed = (uint32_t)(plane + 5 * x + 7919 * y + 104729 * index);
        return (int)(hash(seed) & (uint32_t)top);
    }
    if (pattern == TOOLS_CLASSES)
        return (x / 8 + y / 8 + index) % 6;
    int dx = x - 20 - index;
    int dy = y - 18;
    int value = 400 - 4 * (dx * dx + dy * dy) / 3;
    int limited = value < 20 ? 20 : value > 230 ? 230 : value;
    return (plane == 1 || plane == 2 ? 128 + (limited - 128) / 4 : limited) << (depth - 8);
}

typedef struct counted {
    vrs_image image; /* whose memory it is */
} counted;

static void release_counted(void *opaque)
{
    counted *held = opaque;
    vrs_image_release(&held->image);
    free(held);
    atomic_fetch_sub(&images_live, 1);
}

vrs_image tools_image(vrs_pixel_format format, int32_t width, int32_t height, tools_pattern pattern,
                      int index)
{
    counted *held = calloc(1, sizeof *held);
    assert_non_null(held);
    assert_int_equal(vrs_image_alloc(&held->image, format, width, height), VRS_OK);
    const vrs_format_info *info = vrs_format_get(format);
    for (int plane = 0; plane < info->planes; plane++) {
        int samples = info->plane_samples[plane];
        for (int y = 0; y < vrs_plane_height(&held->image, plane); y++) {
            uint8_t *row = held->image.planes[plane] + held->image.strides[plane] * y;
            for (int x = 0; x < samples * vrs_plane_width(&held->image, plane); x++) {
                int value = tools_sample(pattern, plane, info->depth, index, x, y);
                row[x * info->sample_bytes] = (uint8_t)value;
                if (info->sample_bytes == 2)
                    row[2 * x + 1] = (uint8_t)(value >> 8);
            }
        }
    }
    vrs_image image = held->image;
    image.release = release_counted;
    image.opaque = held;
    atomic_fetch_add(&images_live, 1);
    return image;
}

/* ---- sinks ---------------------------------------------------------------------------------- */

void tools_prepare(tools_setup *setup, const char *path, vrs_output_kind kind,
                   vrs_pixel_format source_format, int32_t width, int32_t height)
{
    vrs_codec codec = VRS_CODEC_AUTO;
    vrs_pixel_format format = VRS_FORMAT_NONE;
    *setup = (tools_setup){.pattern = TOOLS_DISC};
    assert_int_equal(vrs_sink_choose(path, kind, source_format, &codec, &format), VRS_OK);
    setup->stream = (vrs_stream_info){
        .format = source_format,
        .width = width,
        .height = height,
        .color = {.matrix = VRS_MATRIX_BT709,
                  .range = VRS_RANGE_LIMITED,
                  .transfer = VRS_TRANSFER_BT709,
                  .chroma_site = VRS_CHROMA_LEFT,
                  .primaries = 1},
        .time_base_num = 1,
        .time_base_den = 12800,
        .rate_num = 25,
        .rate_den = 1,
    };
    setup->params = (vrs_sink_params){
        .path = path,
        .kind = kind,
        .codec = codec,
        .format = format,
        .width = width,
        .height = height,
        .crf = -1,
        .threads = 2,
        .segment_frames = 1800,
        .overwrite = true,
    };
}

int64_t tools_even(int index)
{
    return 512 * (int64_t)index;
}

int64_t tools_uneven(int index)
{
    int64_t time = 700;
    for (int i = 0; i < index; i++)
        time += 1 + (int64_t)(hash((uint32_t)i) % 1700);
    return time;
}

vrs_status tools_write(const tools_setup *setup, int count, tools_time_fn time_of)
{
    vrs_sink_params params = setup->params;
    vrs_sink *sink = NULL;
    params.stream = &setup->stream;
    vrs_status status = vrs_sink_open(&params, &sink);
    for (int i = 0; i < count && status == VRS_OK; i++) {
        vrs_image image =
            tools_image(params.format, params.width, params.height, setup->pattern, i);
        status = vrs_sink_write(sink, &image, time_of(i), time_of(i + 1) - time_of(i), NULL);
    }
    if (status == VRS_OK)
        status = vrs_sink_finish(sink);
    vrs_sink_close(sink);
    return status;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void count_other(tools_clip *clip, const AVPacket *packet)
{
    int stream = packet->stream_index;
    assert_true(stream < 8);
    if (clip->others[stream]++ == 0)
        clip->other_first[stream] = packet->pts;
    clip->other_last[stream] = packet->pts;
}

static void receive(tools_clip *clip, AVCodecContext *decoder)
{
    for (;;) {
        assert_true(clip->count < TOOLS_MAX_FRAMES);
        AVFrame *frame = av_frame_alloc();
        int result = avcodec_receive_frame(decoder, frame);
        if (result < 0) {
            av_frame_free(&frame);
            assert_true(result == AVERROR(EAGAIN) || result == AVERROR_EOF);
            return;
        }
        clip->frames[clip->count++] = frame;
    }
}

static AVCodecContext *open_decoder(const AVStream *stream, const char *name)
{
    const AVCodec *codec = name ? avcodec_find_decoder_by_name(name)
                                : avcodec_find_decoder(stream->codecpar->codec_id);
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    assert_non_null(decoder);
    assert_true(avcodec_parameters_to_context(decoder, stream->codecpar) >= 0);
    decoder->thread_count = 1;
    decoder->err_recognition = AV_EF_EXPLODE;
    assert_true(avcodec_open2(decoder, codec, NULL) >= 0);
    return decoder;
}

void tools_read(tools_clip *clip, const char *path, const char *name)
{
    *clip = (tools_clip){0};
    AVPacket *packet = av_packet_alloc();
    if (avformat_open_input(&clip->container, path, NULL, NULL) < 0)
        fail_msg("%s cannot be opened", path);
    assert_true(avformat_find_stream_info(clip->container, NULL) >= 0);
    int index = av_find_best_stream(clip->container, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    assert_true(index >= 0);
    clip->video = clip->container->streams[index];
    AVCodecContext *decoder = open_decoder(clip->video, name);
    while (av_read_frame(clip->container, packet) >= 0) {
        if (packet->stream_index == index) {
            assert_true(avcodec_send_packet(decoder, packet) >= 0);
            receive(clip, decoder);
        } else {
            count_other(clip, packet);
        }
        av_packet_unref(packet);
    }
    assert_true(avcodec_send_packet(decoder, NULL) >= 0);
    receive(clip, decoder);
    avcodec_free_context(&decoder);
    av_packet_free(&packet);
}

void tools_forget(tools_clip *clip)
{
    for (int i = 0; i < clip->count; i++)
        av_frame_free(&clip->frames[i]);
    avformat_close_input(&clip->container);
}

int tools_frame_sample(const AVFrame *frame, int plane, int x, int y)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    const AVComponentDescriptor *part = &desc->comp[plane];
    const uint8_t *at = frame->data[part->plane] + (ptrdiff_t)frame->linesize[part->plane] * y +
                        (ptrdiff_t)part->step * x + part->offset;
    return part->depth > 8 ? at[0] | at[1] << 8 : at[0];
}

int tools_plane_error(const AVFrame *frame, int plane, tools_pattern pattern, int index, int depth)
{
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)frame->format);
    bool chroma = plane == 1 || plane == 2;
    int width = chroma ? AV_CEIL_RSHIFT(frame->width, desc->log2_chroma_w) : frame->width;
    int height = chroma ? AV_CEIL_RSHIFT(frame->height, desc->log2_chroma_h) : frame->height;
    int worst = 0;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            int wanted = tools_sample(pattern, plane, depth, index, x, y);
            int error = abs(tools_frame_sample(frame, plane, x, y) - wanted);
            worst = error > worst ? error : worst;
        }
    }
    return worst;
}

bool tools_exists(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

void tools_join(char *path, size_t size, const char *folder, const char *name)
{
    int length = snprintf(path, size, "%s/%s", folder, name);
    assert_true(length > 0 && (size_t)length < size);
}
