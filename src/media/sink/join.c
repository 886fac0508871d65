#include "media/sink/join.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "media/libav/av.h"
#include "vrseg/log.h"

typedef struct joining {
    const vrs_join_params *params;
    vrs_container container;
    vrs_carry carry;
    AVPacket *packet;
    int64_t last_dts;
    char *note;
    size_t note_size;
} joining;

static vrs_status segment_path(const vrs_join_params *params, size_t index, char *path)
{
    const vrs_journal_entry *entry = &params->journal->entries[index];
    const char *folder = params->folders ? params->folders[entry->part] : params->place->folder;
    return vrs_path_format(path, VRS_PATH_MAX, "%s/%s", folder, entry->file);
}

static vrs_status open_segment(const char *path, AVFormatContext **segment)
{
    char url[VRS_PATH_MAX + 8];
    (void)snprintf(url, sizeof url, "file:%s", path);
    int result =
        vrs_inject("libav") ? avformat_open_input(segment, url, NULL, NULL) : AVERROR(ENOMEM);
    if (result < 0)
        return vrs_av_fail(result, "%s: cannot be read back", path);
    if ((*segment)->nb_streams != 1) {
        avformat_close_input(segment);
        return vrs_fail(VRS_CORRUPT, "%s: is not a segment with one stream", path);
    }
    return VRS_OK;
}

/* The encoder's parameters with the headers as the segments' container keeps them: its packets are
 * of that form too. */
static vrs_status merge_params(const AVCodecParameters *encoder, const AVCodecParameters *segment,
                               AVCodecParameters **merged)
{
    *merged = vrs_inject("libav") ? avcodec_parameters_alloc() : NULL;
    int result = AVERROR(ENOMEM);
    if (*merged && vrs_inject("libav"))
        result = avcodec_parameters_copy(*merged, encoder);
    if (result >= 0 && segment->extradata_size > 0) {
        av_freep(&(*merged)->extradata);
        (*merged)->extradata_size = 0;
        size_t size = (size_t)segment->extradata_size;
        uint8_t *data =
            vrs_inject("libav") ? av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE) : NULL;
        if (data) {
            memcpy(data, segment->extradata, size);
            (*merged)->extradata = data;
            (*merged)->extradata_size = segment->extradata_size;
        }
        result = data ? 0 : AVERROR(ENOMEM);
    }
    return result < 0 ? vrs_fail(VRS_NO_MEMORY, "no memory to join the segments") : VRS_OK;
}

static vrs_status begin(joining *join, const AVFormatContext *segment, const char *path)
{
    const vrs_join_params *params = join->params;
    const vrs_journal *journal = params->journal;
    AVCodecParameters *merged = NULL;
    vrs_status status = merge_params(params->video, segment->streams[0]->codecpar, &merged);
    if (status == VRS_OK) {
        status = vrs_container_make(&join->container, params->muxer, merged, params->time_base,
                                    params->rate);
    }
    avcodec_parameters_free(&merged);
    if (status == VRS_OK && params->carry->keep_streams) {
        /* What is dropped was said when the sink was opened. */
        char said[1] = "";
        status = vrs_carry_choose(&join->carry, params->muxer, params->video, params->time_base,
                                  params->rate, said, sizeof said);
    }
    if (status == VRS_OK) {
        vrs_carry_set_range(&join->carry, journal->entries[0].first_pts - params->shift,
                            journal->entries[journal->count - 1].end_pts - params->shift,
                            params->shift);
        status = vrs_carry_add(&join->carry, params->carry, &join->container);
    }
    return status == VRS_OK ? vrs_container_begin(&join->container, path) : status;
}

static vrs_status write_video(joining *join, AVStream *from, int64_t zero)
{
    const vrs_join_params *params = join->params;
    AVPacket *packet = join->packet;
    if (packet->dts == AV_NOPTS_VALUE)
        packet->dts = packet->pts;
    av_packet_rescale_ts(packet, from->time_base, params->time_base);
    packet->pts += zero;
    packet->dts += zero;
    /* A shard knows not when the last packet before it is decoded. */
    if (packet->dts <= join->last_dts && join->last_dts < packet->pts)
        packet->dts = join->last_dts + 1;
    join->last_dts = packet->dts;
    vrs_status status = vrs_carry_until(&join->carry, &join->container, packet->dts,
                                        params->time_base, join->note, join->note_size);
    if (status != VRS_OK)
        return status;
    return vrs_container_write(&join->container, packet, join->container.video, params->time_base,
                               true);
}

static vrs_status copy_packets(joining *join, AVFormatContext *segment, size_t index)
{
    const vrs_journal_entry *entry = &join->params->journal->entries[index];
    bool from_zero = vrs_segment_kind_of(join->params->video->codec_id).from_zero;
    int64_t frames = 0;
    vrs_status status = VRS_OK;
    while (status == VRS_OK) {
        int result = vrs_inject("libav") ? av_read_frame(segment, join->packet) : AVERROR(ENOMEM);
        if (result == AVERROR_EOF)
            break;
        if (result < 0)
            return vrs_av_fail(result, "%s: cannot be read back", entry->file);
        status = write_video(join, segment->streams[0], from_zero ? entry->first_pts : 0);
        av_packet_unref(join->packet);
        frames++;
    }
    if (status == VRS_OK && frames != entry->frames) {
        return vrs_fail(VRS_CORRUPT, "%s: has %lld frames where %lld were written", entry->file,
                        (long long)frames, (long long)entry->frames);
    }
    return status;
}

/* A segment must be what the journal says was written: a disk that has lost some of it, or somebody
 * who wrote there, must not end up in the middle of a film. */
static vrs_status check_segment(const vrs_journal_entry *entry, const char *path)
{
    int64_t bytes = 0;
    uint32_t crc = 0;
    vrs_status status = vrs_file_checksum(path, &bytes, &crc);
    if (status == VRS_OK && (bytes != entry->bytes || crc != entry->crc)) {
        return vrs_fail(VRS_CORRUPT,
                        "%s: is not what was written: %lld bytes with checksum %08x, and the "
                        "journal says %lld with %08x; run again",
                        path, (long long)bytes, (unsigned)crc, (long long)entry->bytes,
                        (unsigned)entry->crc);
    }
    return status;
}

static vrs_status join_segment(joining *join, size_t index, const char *path)
{
    char name[VRS_PATH_MAX];
    AVFormatContext *segment = NULL;
    vrs_status status = segment_path(join->params, index, name);
    if (status == VRS_OK)
        status = check_segment(&join->params->journal->entries[index], name);
    if (status == VRS_OK)
        status = open_segment(name, &segment);
    if (status == VRS_OK && index == 0)
        status = begin(join, segment, path);
    if (status == VRS_OK)
        status = copy_packets(join, segment, index);
    avformat_close_input(&segment);
    return status;
}

static vrs_status join_all(joining *join, const char *path)
{
    const vrs_join_params *params = join->params;
    join->packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
    if (!join->packet)
        return vrs_fail(VRS_NO_MEMORY, "no memory to join the segments");
    vrs_status status = vrs_carry_open(&join->carry, params->carry, join->note, join->note_size);
    for (size_t i = 0; i < params->journal->count && status == VRS_OK; i++)
        status = join_segment(join, i, path);
    if (status == VRS_OK) {
        status = vrs_carry_until(&join->carry, &join->container, INT64_MAX, params->time_base,
                                 join->note, join->note_size);
    }
    if (status == VRS_OK)
        status = vrs_container_end(&join->container, NULL, NULL);
    return status == VRS_OK ? vrs_carry_put_layout(&join->carry, params->carry, path) : status;
}

vrs_status vrs_join(const vrs_join_params *params, char *note, size_t note_size)
{
    char path[VRS_PATH_MAX];
    joining join = {.params = params, .note = note, .note_size = note_size, .last_dts = INT64_MIN};
    join.container.file.fd = -1;
    vrs_status status =
        vrs_path_format(path, sizeof path, "%s/joined.%s", params->place->folder, params->muxer);
    if (status == VRS_OK)
        status = join_all(&join, path);
    vrs_container_discard(&join.container);
    vrs_carry_close(&join.carry);
    av_packet_free(&join.packet);
    if (status != VRS_OK)
        return status;
    errno = EIO;
    if (!vrs_inject("rename") || rename(path, params->place->output) != 0) {
        status = vrs_fail(vrs_errno_status(errno), "%s: cannot be put in place: %s",
                          params->place->output, vrs_errno_text(errno));
        (void)unlink(path);
        return status;
    }
    if (vrs_sync_folder(params->place->parent) != VRS_OK) {
        vrs_log(VRS_LOG_WARNING, "%s: is whole, but a power cut could still undo it: %s",
                params->place->output, vrs_last_error());
    }
    return VRS_OK;
}
