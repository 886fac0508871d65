#include "media/source/frame_times.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "media/libav/av.h"
#include "media/source/source_reader.h"

#define FIRST_ROOM 4096

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static vrs_status add(vrs_frame_times *times, int64_t *room, int64_t time)
{
    if (times->count == *room) {
        int64_t more = *room > 0 ? 2 * *room : FIRST_ROOM;
        int64_t *grown = vrs_realloc(times->times, (size_t)more * sizeof *grown);
        if (!grown)
            return VRS_NO_MEMORY;
        times->times = grown;
        *room = more;
    }
    times->times[times->count++] = time;
    return VRS_OK;
}

static vrs_status read_packets(vrs_reader *reader, vrs_frame_times *times)
{
    int64_t room = 0;
    AVPacket *packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
    vrs_status status = packet ? VRS_OK : vrs_fail(VRS_NO_MEMORY, "no memory for a packet");
    for (unsigned i = 0; i < reader->container->nb_streams; i++) {
        AVStream *stream = reader->container->streams[i];
        stream->discard = stream == reader->stream ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    while (status == VRS_OK) {
        int error =
            vrs_inject("libav") ? av_read_frame(reader->container, packet) : AVERROR(ENOMEM);
        if (error == AVERROR_EOF)
            break;
        if (error < 0) {
            status = vrs_av_fail(error, "%s: the times of its frames cannot be read", reader->name);
        } else if (packet->stream_index == reader->stream->index &&
                   !(packet->flags & AV_PKT_FLAG_DISCARD)) {
            status = packet->pts == AV_NOPTS_VALUE
                         ? vrs_fail(VRS_UNSUPPORTED,
                                    "%s: its frames have no times of their own; copy it into "
                                    "another container first (ffmpeg -i IN -c copy OUT.mkv)",
                                    reader->name)
                         : add(times, &room, packet->pts);
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return status;
}

vrs_status vrs_frame_times_read(const vrs_source_params *params, vrs_frame_times *times)
{
    *times = (vrs_frame_times){0};
    vrs_reader *reader = NULL;
    vrs_status status = vrs_reader_open_container(params, &reader);
    if (status == VRS_OK && (!reader->io.seekable || reader->still)) {
        status = vrs_fail(VRS_UNSUPPORTED,
                          "%s: a part of it can be taken only of a video in a file", reader->name);
    }
    if (status == VRS_OK) {
        times->unit = av_q2d(reader->stream->time_base);
        status = read_packets(reader, times);
    }
    vrs_reader_close(reader);
    if (status != VRS_OK)
        vrs_frame_times_free(times);
    else if (times->count > 1)
        qsort(times->times, (size_t)times->count, sizeof times->times[0], ascending);
    return status;
}

void vrs_frame_times_free(vrs_frame_times *times)
{
    vrs_free(times->times);
    *times = (vrs_frame_times){0};
}

int64_t vrs_frame_times_find(const vrs_frame_times *times, double seconds)
{
    /* Half a tick: a time that was printed with a few decimals finds its frame. */
    int64_t low = 0;
    int64_t high = times->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        double at = ((double)(times->times[middle] - times->times[0]) + 0.5) * times->unit;
        if (at < seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
