#include "media/source_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "media/av.h"
#include "vrseg/system.h"

/* After so many failures in a row without a frame an input is given up. */
#define MAX_ERRORS_IN_A_ROW 10000
/* libav's frame threads gain nothing beyond, and each holds frames. */
#define MAX_DECODER_THREADS 16
/* A container may end this much before its stated duration: rounding of times. */
#define DURATION_SLACK_S 0.02

/* ---- opening -------------------------------------------------------------------------------- */

static vrs_status open_decoder(vrs_reader *reader, int32_t threads)
{
    const AVCodecParameters *params = reader->stream->codecpar;
    const AVCodec *codec = avcodec_find_decoder(params->codec_id);
    if (!codec) {
        return vrs_fail(VRS_UNSUPPORTED, "%s: no decoder for its video (%s)", reader->name,
                        avcodec_get_name(params->codec_id));
    }
    AVCodecContext *decoder = vrs_inject("libav") ? avcodec_alloc_context3(codec) : NULL;
    reader->decoder = decoder;
    reader->packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
    if (!decoder || !reader->packet) {
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a decoder", reader->name);
    }
    int error =
        vrs_inject("libav") ? avcodec_parameters_to_context(decoder, params) : AVERROR(ENOMEM);
    if (error >= 0) {
        int32_t automatic =
            vrs_cpu_count() < MAX_DECODER_THREADS ? vrs_cpu_count() : MAX_DECODER_THREADS;
        decoder->thread_count = reader->still ? 1 : threads > 0 ? threads : automatic;
        decoder->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
        decoder->pkt_timebase = reader->stream->time_base;
        decoder->max_pixels = (int64_t)VRS_MAX_SIDE * VRS_MAX_SIDE;
        /* Without it libav crops to aligned columns only and the picture is wider than it is. */
        decoder->flags |= AV_CODEC_FLAG_UNALIGNED;
        error = vrs_inject("libav") ? avcodec_open2(decoder, codec, NULL) : AVERROR(ENOMEM);
    }
    if (error < 0) {
        return vrs_av_fail(error, "%s: the %s decoder cannot be opened", reader->name, codec->name);
    }
    return VRS_OK;
}

vrs_status vrs_reader_open(const vrs_source_params *params, vrs_reader **out)
{
    vrs_av_init();
    *out = NULL;
    vrs_reader *reader = vrs_alloc(sizeof *reader);
    if (!reader) {
        return VRS_NO_MEMORY;
    }
    reader->io.fd = -1;
    reader->name = strcmp(params->path, "-") == 0 ? "standard input" : params->path;
    vrs_status status = vrs_reader_open_container(reader, params);
    if (status == VRS_OK) {
        status = open_decoder(reader, params->threads);
    }
    if (status != VRS_OK) {
        vrs_reader_close(reader);
        return status;
    }
    *out = reader;
    return VRS_OK;
}

void vrs_reader_close(vrs_reader *reader)
{
    if (!reader) {
        return;
    }
    av_packet_free(&reader->packet);
    avcodec_free_context(&reader->decoder);
    avformat_close_input(&reader->container);
    vrs_source_io_close(&reader->io);
    vrs_free(reader);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void complain(vrs_reader *reader, uint64_t count, const char *format, ...) VRS_PRINTF(3, 4);

static void complain(vrs_reader *reader, uint64_t count, const char *format, ...)
{
    reader->damaged += count;
    if (reader->damage[0]) {
        return;
    }
    int used = snprintf(reader->damage, sizeof reader->damage, "%s: ", reader->name);
    if (used > 0 && (size_t)used < sizeof reader->damage) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(reader->damage + used, sizeof reader->damage - (size_t)used, format, args);
        va_end(args);
    }
}

/* Counts a failed packet or frame. Failures of the machine are returned instead. */
static vrs_status pass_over(vrs_reader *reader, int error, const char *what)
{
    if (error == AVERROR(ENOMEM)) {
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory %s frame %llu", reader->name, what,
                        (unsigned long long)reader->frames);
    }
    if (error == AVERROR_EXIT || vrs_source_stopped(&reader->io)) {
        return vrs_fail(VRS_CANCELLED, "%s: stopped %s frame %llu", reader->name, what,
                        (unsigned long long)reader->frames);
    }
    reader->corrupt_packet = false;
    complain(reader, 1, "failed %s frame %llu: %s", what, (unsigned long long)reader->frames,
             vrs_av_text(error));
    return VRS_OK;
}

/* Counts a frame that was decoded from damaged data, once. */
static void look_at_frame(vrs_reader *reader, const AVFrame *frame)
{
    bool marked = (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags;
    bool of_corrupt = reader->corrupt_packet && frame->pts == reader->corrupt_pts;
    if (marked || of_corrupt) {
        reader->corrupt_packet = reader->corrupt_packet && !of_corrupt;
        complain(reader, 1, "frame %llu is damaged", (unsigned long long)reader->frames);
    }
}

/* Packets that the container knows of; 0: it does not say. */
static int64_t expected_packets(const vrs_reader *reader)
{
    const char *name = reader->container->iformat->name;
    if (strstr(name, "mov,mp4")) {
        return avformat_index_get_entries_count(reader->stream);
    }
    return strcmp(name, "avi") == 0 ? reader->stream->nb_frames : 0;
}

/* At the end: is it the end that the container speaks of? */
static void look_at_end(vrs_reader *reader)
{
    if (reader->corrupt_packet) {
        reader->corrupt_packet = false;
        complain(reader, 1, "the last packet is damaged or cut off");
    }
    int64_t expected = expected_packets(reader);
    int64_t missing = expected - reader->packets - reader->read_errors;
    if (missing > 0) {
        complain(reader, (uint64_t)missing, "ends after %lld of %lld frames: it was cut off",
                 (long long)reader->packets, (long long)expected);
    }
    const AVFormatContext *container = reader->container;
    if (reader->sees_all && container->duration > 0) {
        double rate = av_q2d(reader->stream->avg_frame_rate);
        double frame = rate > 0 ? 1 / rate : 0.04;
        double stated = (double)container->duration / AV_TIME_BASE;
        double start = container->start_time != AV_NOPTS_VALUE
                           ? (double)container->start_time / AV_TIME_BASE
                           : 0;
        double gap = stated + start - reader->last_end;
        if (gap > frame + DURATION_SLACK_S) {
            complain(reader, (uint64_t)(gap / frame), "ends %.2f s before its stated end of %.2f s",
                     gap, stated + start);
        }
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static void note_packet(vrs_reader *reader)
{
    const AVPacket *packet = reader->packet;
    const AVStream *stream = reader->container->streams[packet->stream_index];
    int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    if (time != AV_NOPTS_VALUE) {
        double end = (double)(time + packet->duration) * av_q2d(stream->time_base);
        reader->last_end = end > reader->last_end ? end : reader->last_end;
    }
    if (stream != reader->stream) {
        return;
    }
    reader->packets++;
    if (packet->flags & AV_PKT_FLAG_CORRUPT) {
        reader->corrupt_packet = true;
        reader->corrupt_pts = packet->pts;
    }
}

/* Reads the next packet of the stream. VRS_END at the end. */
static vrs_status read_packet(vrs_reader *reader)
{
    while (reader->errors < MAX_ERRORS_IN_A_ROW) {
        int error = vrs_inject("libav") ? av_read_frame(reader->container, reader->packet)
                                        : AVERROR(ENOMEM);
        if (error == AVERROR_EOF) {
            return VRS_END;
        }
        if (error >= 0) {
            note_packet(reader);
            if (reader->packet->stream_index == reader->stream->index) {
                return VRS_OK;
            }
            av_packet_unref(reader->packet);
            continue;
        }
        if (error == AVERROR(EIO) || error == AVERROR(ENODEV)) {
            return vrs_av_fail(error, "%s: reading failed after frame %llu", reader->name,
                               (unsigned long long)reader->frames);
        }
        reader->errors++;
        reader->read_errors++;
        vrs_status status = pass_over(reader, error, "reading");
        if (status != VRS_OK) {
            return status;
        }
    }
    return VRS_END;
}

/* Gives the decoder its next packet, or tells it that there is none. */
static vrs_status feed(vrs_reader *reader)
{
    vrs_status status = read_packet(reader);
    if (status != VRS_OK && status != VRS_END) {
        return status;
    }
    int error = AVERROR(ENOMEM);
    if (vrs_inject("libav")) {
        error = avcodec_send_packet(reader->decoder, status == VRS_END ? NULL : reader->packet);
    }
    reader->draining = status == VRS_END;
    av_packet_unref(reader->packet);
    if (error < 0 && error != AVERROR_EOF) {
        reader->errors++;
        return pass_over(reader, error, "decoding");
    }
    return VRS_OK;
}

vrs_status vrs_reader_next(vrs_reader *reader, AVFrame *frame)
{
    while (!reader->ended) {
        int error =
            vrs_inject("libav") ? avcodec_receive_frame(reader->decoder, frame) : AVERROR(ENOMEM);
        if (error >= 0) {
            look_at_frame(reader, frame);
            reader->errors = 0;
            reader->frames++;
            return VRS_OK;
        }
        vrs_status status = VRS_OK;
        if (error == AVERROR_EOF || (reader->draining && reader->errors >= MAX_ERRORS_IN_A_ROW)) {
            look_at_end(reader);
            reader->ended = true;
        } else if (error == AVERROR(EAGAIN) && !reader->draining) {
            status = feed(reader);
        } else {
            reader->errors++;
            status = pass_over(reader, error, "decoding");
        }
        if (status != VRS_OK) {
            return status;
        }
    }
    return VRS_END;
}
