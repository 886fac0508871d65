#include "media/source/source_reader.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "media/libav/av.h"
#include "vrseg/system.h"

/* After so many failures in a row without a frame an input is given up. */
#define MAX_ERRORS_IN_A_ROW 10000
/* libav's frame threads gain nothing beyond, and each holds frames. */
#define MAX_DECODER_THREADS 16
/* After so many failures in a row the hardware itself is given up; damage of the data is rarer. */
#define MAX_HARDWARE_ERRORS 16
/* A container may end by such a part of a frame before it says: rounding of times. */
#define END_SLACK 0.75
/* The log is at most so many frames ahead of what the decoder returns: its threads and its delay.
 */
#define SUSPECTED_FRAMES 64

/* ---- opening -------------------------------------------------------------------------------- */

/* Frame threads cost CPU time (10 % of decoding at 720p). On two cores one thread decodes up to
 * full HD faster than the encoder and the network beside it need frames, so they are not paid for.
 */
#define FEW_CORES 2
#define SMALL_FRAME (INT64_C(1920) * 1088)

static int32_t automatic_threads(const AVCodecParameters *params)
{
    int32_t count = vrs_cpu_count();
    if (count <= FEW_CORES && (int64_t)params->width * params->height <= SMALL_FRAME)
        return 1;
    return count < MAX_DECODER_THREADS ? count : MAX_DECODER_THREADS;
}

static vrs_status no_decoder(const vrs_reader *reader)
{
    return vrs_fail(VRS_UNSUPPORTED, "%s: no decoder for its video (%s)", reader->name,
                    avcodec_get_name(reader->stream->codecpar->codec_id));
}

/* Opens a decoder of `codec` in place of none; on the GPU where reader->hw has a device. */
static vrs_status open_codec(vrs_reader *reader, const AVCodec *codec)
{
    const AVCodecParameters *params = reader->stream->codecpar;
    AVCodecContext *decoder = vrs_inject("libav") ? avcodec_alloc_context3(codec) : NULL;
    reader->decoder = decoder;
    if (!decoder)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a decoder", reader->name);
    int error =
        vrs_inject("libav") ? avcodec_parameters_to_context(decoder, params) : AVERROR(ENOMEM);
    if (error >= 0) {
        decoder->thread_count = reader->still         ? 1
                                : reader->threads > 0 ? reader->threads
                                                      : automatic_threads(params);
        decoder->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
        decoder->opaque = &reader->watch;
        decoder->pkt_timebase = reader->stream->time_base;
        decoder->max_pixels = (int64_t)VRS_MAX_SIDE * VRS_MAX_SIDE;
        /* Without it libav crops to aligned columns only and the picture is wider than it is. */
        decoder->flags |= AV_CODEC_FLAG_UNALIGNED;
        vrs_status status = reader->hw.device ? vrs_hw_set_up(&reader->hw, decoder) : VRS_OK;
        if (status != VRS_OK)
            return status;
        error = vrs_inject("libav") ? avcodec_open2(decoder, codec, NULL) : AVERROR(ENOMEM);
    }
    if (error < 0)
        return vrs_av_fail(error, "%s: the %s decoder cannot be opened", reader->name, codec->name);
    return VRS_OK;
}

/* Prepares the GPU's part. Whatever is missing there leaves the CPU to decode. */
static vrs_status choose_hardware(vrs_reader *reader, const vrs_hw_place *place,
                                  const AVCodec **codec)
{
    enum AVCodecID id = reader->stream->codecpar->codec_id;
    const AVCodec *hard = reader->still ? NULL : vrs_hw_find_decoder(id);
    if (!hard) {
        (void)snprintf(reader->hw.why, sizeof reader->hw.why, "NVDEC does not decode %s",
                       reader->still ? "pictures" : avcodec_get_name(id));
        return VRS_OK;
    }
    reader->last = vrs_inject("libav") ? av_packet_alloc() : NULL;
    if (!reader->last)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a packet", reader->name);
    vrs_status status = vrs_hw_open(&reader->hw, place);
    if (status == VRS_OK)
        *codec = hard;
    return status == VRS_UNSUPPORTED ? VRS_OK : status;
}

static vrs_status open_decoder(vrs_reader *reader, const vrs_hw_place *place)
{
    const AVCodec *codec = avcodec_find_decoder(reader->stream->codecpar->codec_id);
    vrs_status status = VRS_OK;
    reader->packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
    if (!reader->packet)
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a packet", reader->name);
    if (place && place->context)
        status = choose_hardware(reader, place, &codec);
    if (status == VRS_OK)
        status = codec ? open_codec(reader, codec) : no_decoder(reader);
    return status;
}

/* The GPU's decoder has given its last frame: the CPU's goes on with the packet that it refused. */
static vrs_status replace_decoder(vrs_reader *reader)
{
    reader->errors = 0;
    const AVCodec *codec = avcodec_find_decoder(reader->stream->codecpar->codec_id);
    avcodec_free_context(&reader->decoder);
    vrs_hw_close(&reader->hw);
    reader->replacing = false;
    reader->hw.refused = false;
    vrs_status status = codec ? open_codec(reader, codec) : no_decoder(reader);
    /* What libav said of the hardware says nothing of the video. */
    reader->watched = vrs_av_watch_errors(&reader->watch);
    return status;
}

const char *vrs_reader_refusal(const vrs_reader *reader)
{
    return reader->hw.device ? "" : reader->hw.why;
}

vrs_status vrs_reader_open(const vrs_source_params *params, const vrs_hw_place *place,
                           vrs_reader **out)
{
    vrs_reader *reader = NULL;
    *out = NULL;
    vrs_status status = vrs_reader_open_container(params, &reader);
    if (status == VRS_OK) {
        reader->threads = params->threads;
        status = open_decoder(reader, place);
    }
    if (status == VRS_OK) { /* what was said while opening was said of the header */
        reader->container->opaque = &reader->watch;
        vrs_av_watch_start(&reader->watch);
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
    if (!reader)
        return;
    av_packet_free(&reader->packet);
    av_packet_free(&reader->last);
    avcodec_free_context(&reader->decoder);
    vrs_hw_close(&reader->hw);
    avformat_close_input(&reader->container);
    vrs_source_io_close(&reader->io);
    vrs_av_watch_stop(&reader->watch);
    vrs_free(reader);
}

/* ---- damage --------------------------------------------------------------------------------- */

static void complain(vrs_reader *reader, uint64_t count, const char *format, ...) VRS_PRINTF(3, 4);

static void complain(vrs_reader *reader, uint64_t count, const char *format, ...)
{
    reader->damaged += count;
    if (reader->damage[0])
        return;
    int used = snprintf(reader->damage, sizeof reader->damage, "%s: ", reader->name);
    if (used > 0 && (size_t)used < sizeof reader->damage) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(reader->damage + used, sizeof reader->damage - (size_t)used, format, args);
        va_end(args);
    }
}

/* Counts one damage that libav has told of. With several threads its log speaks of it earlier: then
 * it is counted already. */
static void count_told(vrs_reader *reader, const char *what, const char *why)
{
    reader->watched = vrs_av_watch_errors(&reader->watch);
    if (reader->frames - reader->suspected_frame > SUSPECTED_FRAMES)
        reader->suspected = 0;
    if (reader->suspected > 0) {
        reader->suspected--;
        return;
    }
    complain(reader, 1, "%s frame %llu: %s", what, (unsigned long long)reader->frames, why);
}

/* Counts what only the log tells of. */
static void look_at_log(vrs_reader *reader)
{
    uint64_t errors = vrs_av_watch_errors(&reader->watch);
    if (errors != reader->watched) {
        reader->watched = errors;
        reader->suspected++;
        reader->suspected_frame = reader->frames;
        complain(reader, 1, "data near frame %llu is damaged", (unsigned long long)reader->frames);
    }
}

/* Counts a failed packet or frame. Failures of the machine are returned instead. */
static vrs_status pass_over(vrs_reader *reader, int error, const char *what)
{
    if (error == AVERROR(ENOMEM)) {
        return vrs_fail(VRS_NO_MEMORY, "%s: no memory while %s frame %llu", reader->name, what,
                        (unsigned long long)reader->frames);
    }
    if (reader->hw.device && reader->hw.place.lost(reader->hw.place.opaque))
        return vrs_fail_in(VRS_DEVICE_LOST, reader->name);
    if (error == AVERROR_EXIT || vrs_source_stopped(&reader->io)) {
        return vrs_fail(VRS_CANCELLED, "%s: stopped while %s frame %llu", reader->name, what,
                        (unsigned long long)reader->frames);
    }
    reader->corrupt_packet = false;
    count_told(reader, what, vrs_av_text(error));
    return VRS_OK;
}

/* Counts a frame that was decoded from damaged data, once. */
static void look_at_frame(vrs_reader *reader, const AVFrame *frame)
{
    bool marked = (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags;
    bool of_corrupt = reader->corrupt_packet && frame->pts == reader->corrupt_pts;
    if (marked || of_corrupt) {
        reader->corrupt_packet = reader->corrupt_packet && !of_corrupt;
        count_told(reader, "decoding",
                   marked ? "its data is damaged" : "the container marks its data as damaged");
    } else {
        look_at_log(reader);
    }
}

/* Packets that the container knows of; 0: it does not say. */
static int64_t expected_packets(const vrs_reader *reader)
{
    bool mov = strstr(reader->container->iformat->name, "mov,mp4") != NULL;
    return mov ? avformat_index_get_entries_count(reader->stream) : 0;
}

/* Seconds at which the container says that it ends; 0: it does not say. */
static double stated_end(const vrs_reader *reader)
{
    const AVFormatContext *container = reader->container;
    if (!reader->sees_all || container->duration <= 0)
        return 0;
    const AVDictionaryEntry *tag = av_dict_get(reader->stream->metadata, "DURATION", NULL, 0);
    int hours = 0;
    int minutes = 0;
    double seconds = 0;
    if (tag && sscanf(tag->value, "%5d:%2d:%lf", &hours, &minutes, &seconds) == 3)
        return hours * 3600.0 + minutes * 60.0 + seconds; /* of this stream, not of all */
    int64_t start = container->start_time != AV_NOPTS_VALUE ? container->start_time : 0;
    return (double)(container->duration + start) / AV_TIME_BASE;
}

/* Counts what is missing at the end; the log may have told of it. */
static void count_missing(vrs_reader *reader, uint64_t count, const char *where)
{
    uint64_t told = reader->suspected < count ? reader->suspected : count;
    reader->suspected -= told;
    complain(reader, count - told, "ends %s: it was cut off", where);
}

/* Length of a frame; 0: unknown. */
static double frame_seconds(const vrs_reader *reader)
{
    double rate = av_q2d(reader->stream->avg_frame_rate);
    if (strcmp(reader->container->iformat->name, "avi") == 0) /* its rate may be of fields */
        return reader->packets > 0 ? reader->last_end / (double)reader->packets : 0;
    return rate > 0 ? 1 / rate : 0;
}

/* At the end: is it the end that the container speaks of? */
static void look_at_end(vrs_reader *reader)
{
    char where[96];
    look_at_log(reader);
    if (reader->corrupt_packet) {
        reader->corrupt_packet = false;
        count_missing(reader, 1, "within a packet");
    }
    int64_t expected = reader->sought ? 0 : expected_packets(reader);
    int64_t missing = expected - reader->packets - reader->read_errors;
    if (missing > 0) {
        (void)snprintf(where, sizeof where, "after %lld of %lld frames", (long long)reader->packets,
                       (long long)expected);
        count_missing(reader, (uint64_t)missing, where);
    }
    double frame = frame_seconds(reader);
    double end = stated_end(reader);
    double gap = end - reader->last_end;
    if (frame > 0 && gap > frame * END_SLACK) {
        (void)snprintf(where, sizeof where, "%.2f s before its stated end of %.2f s", gap, end);
        count_missing(reader, (uint64_t)llround(gap / frame), where);
    }
    bool y4m = strcmp(reader->container->iformat->name, "yuv4mpegpipe") == 0;
    if (y4m && reader->packets > 0 && avio_tell(reader->container->pb) > reader->place)
        count_missing(reader, 1, "within a frame");
}

/* ---- reading -------------------------------------------------------------------------------- */

static void note_packet(vrs_reader *reader)
{
    const AVPacket *packet = reader->packet;
    const AVStream *stream = reader->container->streams[packet->stream_index];
    int64_t time = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    bool tagged = av_dict_get(reader->stream->metadata, "DURATION", NULL, 0) != NULL;
    if (time != AV_NOPTS_VALUE && (stream == reader->stream || !tagged)) {
        double end = (double)(time + packet->duration) * av_q2d(stream->time_base);
        reader->last_end = end > reader->last_end ? end : reader->last_end;
    }
    if (stream != reader->stream)
        return;
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
        int64_t begin_ns = vrs_now_ns();
        int error = vrs_inject("libav") ? av_read_frame(reader->container, reader->packet)
                                        : AVERROR(ENOMEM);
        if (!reader->container->pb)
            reader->starved_ns += vrs_now_ns() - begin_ns;
        if (error == AVERROR_EOF)
            return VRS_END;
        if (error >= 0) {
            reader->reading_fails = false;
            reader->place = reader->container->pb ? avio_tell(reader->container->pb) : 0;
            note_packet(reader);
            if (reader->packet->stream_index == reader->stream->index)
                return VRS_OK;
            av_packet_unref(reader->packet);
            continue;
        }
        if (reader->io.error || error == AVERROR(ENODEV)) {
            return vrs_av_fail(reader->io.error ? reader->io.error : error,
                               "%s: reading failed after frame %llu", reader->name,
                               (unsigned long long)reader->frames);
        }
        reader->errors++;
        vrs_status status = VRS_OK;
        if (!reader->reading_fails || error == AVERROR(ENOMEM) || error == AVERROR_EXIT) {
            reader->read_errors++;
            status = pass_over(reader, error, "reading");
        }
        reader->reading_fails = true;
        if (status != VRS_OK)
            return status;
    }
    return VRS_END;
}

static void give_up_hardware(vrs_reader *reader)
{
    if (reader->hw.device && !reader->hw.refused && reader->errors >= MAX_HARDWARE_ERRORS) {
        (void)snprintf(reader->hw.why, sizeof reader->hw.why,
                       "NVDEC failed %d times in a row near frame %llu", MAX_HARDWARE_ERRORS,
                       (unsigned long long)reader->frames);
        reader->hw.refused = true;
    }
}

/* Hands reader->packet (none: the end) to the decoder and empties it. */
static vrs_status send(vrs_reader *reader, bool end)
{
    int error = AVERROR(ENOMEM);
    if (vrs_inject("libav"))
        error = avcodec_send_packet(reader->decoder, end ? NULL : reader->packet);
    av_packet_unref(reader->packet);
    vrs_status status = vrs_hw_settle(&reader->hw);
    if (status != VRS_OK)
        return status;
    if (error < 0 && error != AVERROR_EOF && !reader->hw.refused) {
        reader->errors++;
        give_up_hardware(reader);
        return pass_over(reader, error, "decoding");
    }
    return VRS_OK;
}

/* Gives the decoder its next packet, or tells it that there is none. */
static vrs_status feed(vrs_reader *reader)
{
    vrs_status status = read_packet(reader);
    if (status != VRS_OK && status != VRS_END)
        return status;
    if (reader->hw.device && status == VRS_OK) {
        av_packet_unref(reader->last);
        int error =
            vrs_inject("libav") ? av_packet_ref(reader->last, reader->packet) : AVERROR(ENOMEM);
        if (error < 0)
            return vrs_fail(VRS_NO_MEMORY, "%s: no memory for a packet", reader->name);
    }
    reader->draining = status == VRS_END;
    return send(reader, reader->draining);
}

/* The hardware has refused the last packet: first the frames that its decoder still has, then
 * another decoder and the packet again. `drained`: the former is done. */
static vrs_status go_on_without(vrs_reader *reader, bool drained)
{
    if (!drained) {
        reader->replacing = true;
        reader->watched = vrs_av_watch_errors(&reader->watch);
        return send(reader, true);
    }
    vrs_status status = replace_decoder(reader);
    if (status != VRS_OK)
        return status;
    av_packet_move_ref(reader->packet, reader->last);
    status = send(reader, false);
    return status == VRS_OK && reader->draining ? send(reader, true) : status;
}

/* What to do when the decoder has no frame to give, but `error`. */
static vrs_status look_at_error(vrs_reader *reader, int error)
{
    bool drained = error == AVERROR_EOF || ((reader->draining || reader->replacing) &&
                                            reader->errors >= MAX_ERRORS_IN_A_ROW);
    if (reader->hw.refused && (!reader->replacing || drained))
        return go_on_without(reader, reader->replacing);
    if (drained) {
        look_at_end(reader);
        reader->ended = true;
        return VRS_OK;
    }
    if (error == AVERROR(EAGAIN) && !reader->draining)
        return feed(reader);
    reader->errors++;
    give_up_hardware(reader);
    return pass_over(reader, error, "decoding");
}

vrs_status vrs_reader_seek(vrs_reader *reader, int64_t pts)
{
    int error = AVERROR(ENOSYS);
    if (reader->io.seekable && vrs_inject("libav"))
        error = av_seek_frame(reader->container, reader->stream->index, pts, AVSEEK_FLAG_BACKWARD);
    if (error < 0)
        return vrs_fail(VRS_UNSUPPORTED, "%s: cannot seek: %s", reader->name, vrs_av_text(error));
    avcodec_flush_buffers(reader->decoder);
    reader->draining = reader->ended = reader->reading_fails = reader->corrupt_packet = false;
    reader->errors = 0;
    reader->sought = true;
    return VRS_OK;
}

vrs_status vrs_reader_next(vrs_reader *reader, AVFrame *frame)
{
    while (!reader->ended) {
        int error =
            vrs_inject("libav") ? avcodec_receive_frame(reader->decoder, frame) : AVERROR(ENOMEM);
        vrs_status status = vrs_hw_settle(&reader->hw);
        if (status != VRS_OK)
            return status;
        if (error >= 0) {
            if (frame->hw_frames_ctx)
                vrs_hw_crop(frame);
            look_at_frame(reader, frame);
            reader->errors = 0;
            reader->frames++;
            return VRS_OK;
        }
        status = look_at_error(reader, error);
        if (status != VRS_OK)
            return status;
    }
    return VRS_END;
}
