/* A long film out of a short clip, without encoding it again: its video packets one behind the
 * other, as often as it takes. For machines that have libav and no ffmpeg program. The clip begins
 * with a key frame; the container goes by the film's name.
 *
 *     bench_loop CLIP FILM FRAMES
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

/* Anything longer is no short clip. */
#define MOST_PACKETS 100000

typedef struct clip {
    AVFormatContext *file;
    AVStream *stream;
    AVPacket *packets[MOST_PACKETS];
    int count;
    int64_t duration; /* of all packets, in the stream's time base */
} clip;

static _Noreturn void fail(const char *what, const char *path, int error)
{
    (void)fprintf(stderr, "loop: %s %s: %s\n", what, path, av_err2str(error));
    exit(1);
}

static void read_clip(const char *path, clip *c)
{
    int error = avformat_open_input(&c->file, path, NULL, NULL);
    if (error >= 0)
        error = avformat_find_stream_info(c->file, NULL);
    int index =
        error >= 0 ? av_find_best_stream(c->file, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0) : error;
    if (index < 0)
        fail("cannot read", path, index);
    c->stream = c->file->streams[index];
    AVPacket *packet = av_packet_alloc();
    while (packet != NULL && c->count < MOST_PACKETS && av_read_frame(c->file, packet) >= 0) {
        if (packet->stream_index != index) {
            av_packet_unref(packet);
            continue;
        }
        c->duration += packet->duration;
        c->packets[c->count++] = packet;
        packet = av_packet_alloc();
    }
    av_packet_free(&packet);
    if (c->count == 0 || c->duration <= 0)
        fail("no frames of known length in", path, AVERROR_INVALIDDATA);
}

static AVFormatContext *open_film(const char *path, const clip *c)
{
    AVFormatContext *film = NULL;
    int error = avformat_alloc_output_context2(&film, NULL, NULL, path);
    AVStream *to = error >= 0 ? avformat_new_stream(film, NULL) : NULL;
    if (to == NULL)
        fail("cannot make", path, error < 0 ? error : AVERROR(ENOMEM));
    error = avcodec_parameters_copy(to->codecpar, c->stream->codecpar);
    to->codecpar->codec_tag = 0;
    to->time_base = c->stream->time_base;
    to->avg_frame_rate = c->stream->avg_frame_rate;
    if (error >= 0)
        error = avio_open(&film->pb, path, AVIO_FLAG_WRITE);
    if (error >= 0)
        error = avformat_write_header(film, NULL);
    if (error < 0)
        fail("cannot write", path, error);
    return film;
}

static void write_film(const char *path, const clip *c, AVFormatContext *film, int64_t frames)
{
    AVPacket *packet = av_packet_alloc();
    int error = packet != NULL ? 0 : AVERROR(ENOMEM);
    for (int64_t i = 0; i < frames && error >= 0; i++) {
        error = av_packet_ref(packet, c->packets[i % c->count]);
        if (error < 0)
            break;
        packet->pts += i / c->count * c->duration;
        packet->dts += i / c->count * c->duration;
        packet->stream_index = 0;
        packet->pos = -1;
        av_packet_rescale_ts(packet, c->stream->time_base, film->streams[0]->time_base);
        error = av_interleaved_write_frame(film, packet);
    }
    if (error >= 0)
        error = av_write_trailer(film);
    if (error < 0)
        fail("cannot write", path, error);
    av_packet_free(&packet);
}

int main(int argc, char **argv)
{
    static clip source;
    const int64_t frames = argc == 4 ? strtoll(argv[3], NULL, 10) : 0;
    if (frames < 1) {
        (void)fprintf(stderr, "usage: bench_loop CLIP FILM FRAMES\n");
        return 2;
    }
    read_clip(argv[1], &source);
    AVFormatContext *film = open_film(argv[2], &source);
    write_film(argv[2], &source, film, frames);
    (void)avio_closep(&film->pb);
    avformat_free_context(film);
    for (int i = 0; i < source.count; i++)
        av_packet_free(&source.packets[i]);
    avformat_close_input(&source.file);
    return 0;
}
