/* Video files: a fresh encoder and a file for each segment, a journal, joined at the end. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <libavcodec/avcodec.h>

#include "base/alloc.h"
#include "image/format.h"
#include "media/encode/encoder.h"
#include "media/encode/encoder_options.h"
#include "media/encode/times.h"
#include "media/libav/av.h"
#include "media/sink/join.h"
#include "media/sink/sink_kinds.h"
#include "vrseg/log.h"

/* Frame rate for rate control where the source has none. */
#define UNKNOWN_RATE 25

typedef struct video_sink {
    vrs_sink base;
    vrs_encoder_params encoding;
    vrs_carry_params carrying;
    char *preset, *options, *source_path; /* our copies, which the params above borrow */
    uint8_t palette[256][3];
    const char *muxer; /* of the finished file */
    AVRational time_base;
    int32_t segment_frames;
    char *settings;
    char layout[VRS_LAYOUT_TAGS_SIZE]; /* of the carrying, for the journal */
    int32_t shard, shards;
    bool from_zero;   /* times count from the first image */
    int64_t origin;   /* of the times of a shard */
    bool others_work; /* what lies in the place is not yet ours to remove */
    vrs_workplace place;
    vrs_journal journal;
    vrs_times times;
    vrs_encoder *encoder;     /* of the segment to come or under way; NULL between them */
    AVCodecParameters *video; /* of the first encoder; the later ones must have the same */
    AVPacket *packet;
    vrs_container segment; /* format NULL: none under way */
    int64_t segment_first; /* its first frame's number */
    int64_t segment_zero;  /* time that its container counts from */
    int64_t segment_pts;   /* time of its first frame */
    bool closed;
    vrs_status failed; /* of the write after which nothing more is taken */
    char failure[VRS_DETAIL_SIZE];
} video_sink;

/* ---- opening -------------------------------------------------------------------------------- */

static AVRational rate_of(const vrs_stream_info *stream)
{
    bool known = stream->rate_num > 0 && stream->rate_den > 0;
    return known ? (AVRational){stream->rate_num, stream->rate_den} : (AVRational){UNKNOWN_RATE, 1};
}

/* Aspect of a pixel that shows a picture of another size in the source's proportions. */
static AVRational aspect_of(const vrs_sink_params *params)
{
    const vrs_stream_info *stream = params->stream;
    bool known = stream->aspect_num > 0 && stream->aspect_den > 0;
    AVRational aspect =
        known ? (AVRational){stream->aspect_num, stream->aspect_den} : (AVRational){0, 1};
    int64_t across = (int64_t)stream->width * params->height;
    int64_t down = (int64_t)stream->height * params->width;
    if (across == down || across <= 0 || down <= 0)
        return aspect;
    AVRational from = known ? aspect : (AVRational){1, 1};
    AVRational wanted = {0, 1};
    (void)av_reduce(&wanted.num, &wanted.den, across, down, INT16_MAX);
    return av_mul_q(from, wanted);
}

/* The source's tags by their own numbers where the source can be asked and says what the frames
 * say, since vrs_color knows fewer. */
static vrs_color_tags tags_of(const vrs_sink_params *params, const vrs_carry *carry)
{
    if (params->kind == VRS_OUTPUT_MASK ||
        (params->kind == VRS_OUTPUT_CLASSES && params->codec == VRS_CODEC_FFV1)) {
        return (vrs_color_tags){AVCOL_RANGE_JPEG, AVCOL_SPC_UNSPECIFIED, AVCOL_TRC_UNSPECIFIED,
                                AVCOL_PRI_UNSPECIFIED, AVCHROMA_LOC_UNSPECIFIED};
    }
    if (params->kind == VRS_OUTPUT_CLASSES) {
        return (vrs_color_tags){AVCOL_RANGE_MPEG, AVCOL_SPC_BT709, AVCOL_TRC_BT709, AVCOL_PRI_BT709,
                                AVCHROMA_LOC_CENTER};
    }
    const vrs_color *color = &params->stream->color;
    vrs_color_tags tags = {vrs_av_from_range(color->range), vrs_av_from_matrix(color->matrix),
                           vrs_av_from_transfer(color->transfer),
                           vrs_av_from_primaries(color->primaries),
                           vrs_av_from_site(color->chroma_site)};
    if (tags.matrix == AVCOL_SPC_RGB) { /* pictures: the pipeline makes YUV of them */
        tags.matrix = AVCOL_SPC_UNSPECIFIED;
        tags.range = AVCOL_RANGE_UNSPECIFIED;
    }
    if (carry->video) {
        const AVCodecParameters *source = carry->video->codecpar;
        vrs_color same = vrs_av_to_color((enum AVPixelFormat)source->format, source->color_space,
                                         source->color_range, source->color_trc,
                                         source->color_primaries, source->chroma_location);
        if (same.matrix == color->matrix && same.transfer == color->transfer) {
            tags.matrix = source->color_space;
            tags.transfer = source->color_trc;
        }
    }
    return tags;
}

static vrs_status copy_text(const char *text, char **copy)
{
    if (!text || text[0] == '\0')
        return VRS_OK;
    *copy = vrs_strdup(text);
    return *copy ? VRS_OK : VRS_NO_MEMORY;
}

static void begin_times(video_sink *video)
{
    vrs_times_init(&video->times, video->time_base, video->encoding.rate);
    video->times.from_zero = video->from_zero;
    video->times.has_origin = video->shards > 0;
    video->times.origin = video->origin;
}

static vrs_status copy_params(video_sink *video, const vrs_sink_params *params)
{
    vrs_status status = copy_text(params->preset, &video->preset);
    if (status == VRS_OK)
        status = copy_text(params->encoder_options, &video->options);
    if (status == VRS_OK)
        status = copy_text(params->source_path, &video->source_path);
    if (status == VRS_OK)
        status = copy_text(params->settings, &video->settings);
    for (int i = 0; i < 256; i++)
        for (int c = 0; c < 3; c++)
            video->palette[i][c] = params->palette ? params->palette[i][c] : (uint8_t)i;
    video->encoding = (vrs_encoder_params){
        .codec = params->codec,
        .place = params->encoder,
        .kind = params->kind,
        .format = params->format,
        .width = params->width,
        .height = params->height,
        .rate = rate_of(params->stream),
        .aspect = aspect_of(params),
        .preset = video->preset,
        .crf = params->crf,
        .bitrate = params->bitrate,
        .options = video->options,
        .threads = params->threads,
        .palette = video->palette,
    };
    video->carrying = (vrs_carry_params){
        .path = video->source_path,
        .keep_streams = params->keep_streams,
        .kind = params->kind,
        .tags = params->tags ? *params->tags : (vrs_layout_tags){.stereo = false},
        .mesh = params->tags && params->tags->layout.mesh,
        .rotation = params->stream->rotation,
        .same_size =
            params->width == params->stream->width && params->height == params->stream->height,
    };
    vrs_carry_layout_text(&video->carrying, video->layout, sizeof video->layout);
    const vrs_stream_info *stream = params->stream;
    /* Stills have no times of their own: one after the other. */
    bool timed = stream->time_base_num > 0 && stream->time_base_den > 0;
    video->time_base = timed ? (AVRational){stream->time_base_num, stream->time_base_den}
                             : av_inv_q(video->encoding.rate);
    video->segment_frames = params->segment_frames;
    video->muxer = vrs_container_name(params->path);
    video->shard = params->shard;
    video->shards = params->shards;
    video->from_zero = params->partial && params->shards == 0;
    video->origin = params->origin_pts;
    begin_times(video);
    return status;
}

/* The first encoder, whose headers stand for all segments. */
static vrs_status open_encoder(video_sink *video)
{
    char why[128];
    vrs_status status = vrs_encoder_settle(&video->encoding, why, sizeof why);
    if (status == VRS_OK)
        status = vrs_encoder_open(&video->encoding, &video->encoder);
    if (status != VRS_OK)
        return status;
    if (why[0])
        vrs_note_add(video->base.note, sizeof video->base.note, "%s", why);
    const AVCodecContext *context = vrs_encoder_context(video->encoder);
    video->video = vrs_inject("libav") ? avcodec_parameters_alloc() : NULL;
    int result = AVERROR(ENOMEM);
    if (video->video && vrs_inject("libav"))
        result = avcodec_parameters_from_context(video->video, context);
    if (result < 0)
        return vrs_av_fail(result, "no memory for the encoder's parameters");
    if (context->width != video->encoding.width || context->height != video->encoding.height) {
        vrs_note_add(video->base.note, sizeof video->base.note,
                     "%dx%d is odd, which %s has not: coded as %dx%d with the last column or row "
                     "repeated",
                     (int)video->encoding.width, (int)video->encoding.height,
                     vrs_codec_name(video->encoding.codec), context->width, context->height);
    }
    return VRS_OK;
}

/* Looks at the source, opens the encoder, and finds out what the container takes. */
static vrs_status prepare(video_sink *video, const vrs_sink_params *params)
{
    vrs_carry carry;
    vrs_container trial;
    char *note = video->base.note;
    vrs_status status = vrs_carry_open(&carry, &video->carrying, note, VRS_NOTE_SIZE);
    if (status != VRS_OK)
        return status;
    vrs_carry_note_layout(&carry, &video->carrying, video->muxer, note, VRS_NOTE_SIZE);
    video->encoding.tags = tags_of(params, &carry);
    status = open_encoder(video);
    if (status == VRS_OK && params->keep_streams) {
        status = vrs_carry_choose(&carry, video->muxer, video->video, video->time_base,
                                  video->encoding.rate, note, VRS_NOTE_SIZE);
    }
    if (status == VRS_OK) {
        status = vrs_container_make(&trial, video->muxer, video->video, video->time_base,
                                    video->encoding.rate);
        if (status == VRS_OK)
            status = vrs_carry_add(&carry, &video->carrying, &trial);
        if (status == VRS_OK)
            status = vrs_container_begin(&trial, NULL);
        vrs_container_discard(&trial);
    }
    vrs_carry_close(&carry);
    return status;
}

static vrs_journal_header header_of(const video_sink *video)
{
    const vrs_encoder_params *encoding = &video->encoding;
    struct stat source;
    bool file =
        video->source_path && stat(video->source_path, &source) == 0 && S_ISREG(source.st_mode);
    return (vrs_journal_header){
        .kind = vrs_output_kind_name(encoding->kind),
        .source = video->source_path,
        .source_bytes = file ? (int64_t)source.st_size : -1,
        .settings = video->settings,
        .encoder = vrs_encoder_name(encoding->codec, encoding->place),
        .preset = encoding->preset,
        .options = encoding->options,
        .crf = encoding->crf,
        .bitrate = encoding->bitrate,
        .threads = encoding->threads,
        .width = encoding->width,
        .height = encoding->height,
        .segment_frames = video->segment_frames,
        .shard = video->shard,
        .shards = video->shards,
        .keep_streams = video->carrying.keep_streams,
        .rotation = video->carrying.rotation,
        .layout = video->layout,
        .same_size = video->carrying.same_size,
        .time_base_num = video->time_base.num,
        .time_base_den = video->time_base.den,
        .rate_num = encoding->rate.num,
        .rate_den = encoding->rate.den,
    };
}

/* What the journal has is finished, and the times go on after it. */
static void note_resumed(video_sink *video)
{
    const vrs_journal *journal = &video->journal;
    begin_times(video);
    video->base.resumed = (vrs_sink_resumed){0};
    if (journal->count > 0) {
        const vrs_journal_entry *last = &journal->entries[journal->count - 1];
        vrs_times_resume(&video->times, &journal->entries[0], last);
        video->base.resumed = (vrs_sink_resumed){
            .frames = last->first_frame + last->frames,
            .last_pts = last->last_pts - last->shift,
            .source_times = last->source_times,
        };
    }
    video->base.frames = (uint64_t)video->base.resumed.frames;
}

static vrs_status video_rewind(vrs_sink *sink, int64_t frames)
{
    video_sink *video = (video_sink *)sink;
    const vrs_journal *journal = &video->journal;
    size_t count = 0;
    while (count < journal->count &&
           journal->entries[count].first_frame + journal->entries[count].frames <= frames)
        count++;
    vrs_status status = vrs_journal_cut(&video->journal, count);
    vrs_workplace_tidy(&video->place, journal);
    note_resumed(video);
    return status;
}

/* Goes on with the journal that lies there, or begins one. Encoders begin anew at multiples of a
 * segment's frames, so that a shorter segment, the last of its run, is made again. */
static vrs_status open_journal(video_sink *video, bool resume)
{
    vrs_journal *journal = &video->journal;
    vrs_journal_header header = header_of(video);
    int64_t segments = 0;
    bool has = false;
    video->others_work =
        resume && (vrs_journal_count(video->place.folder, &segments) != VRS_OK || segments > 0);
    vrs_status status =
        resume ? vrs_journal_resume(journal, video->place.folder, &header, &has) : VRS_OK;
    if (status == VRS_OK && has) {
        size_t whole = journal->count;
        while (whole > 0 && journal->entries[whole - 1].frames != video->segment_frames)
            whole--;
        status = vrs_journal_cut(journal, whole);
    }
    if (status == VRS_OK) {
        video->others_work = false;
        vrs_workplace_tidy(&video->place, has ? journal : NULL);
    }
    if (status == VRS_OK && !has)
        status = vrs_journal_create(journal, video->place.folder, &header);
    if (status == VRS_OK)
        note_resumed(video);
    return status;
}

/* ---- segments ------------------------------------------------------------------------------- */

static vrs_status begin_segment(video_sink *video)
{
    char path[VRS_PATH_MAX];
    if (!video->encoder) {
        vrs_status status = vrs_encoder_open(&video->encoding, &video->encoder);
        if (status != VRS_OK)
            return status;
    }
    const AVCodecContext *context = vrs_encoder_context(video->encoder);
    const AVCodecParameters *first = video->video;
    if (context->extradata_size != first->extradata_size ||
        (first->extradata_size > 0 &&
         memcmp(context->extradata, first->extradata, (size_t)first->extradata_size) != 0))
        return vrs_fail(VRS_IO, "the encoder's headers differ from the first segment's");
    vrs_segment_kind kind = vrs_segment_kind_of(first->codec_id);
    vrs_status status = vrs_path_format(path, sizeof path, "%s/seg-%05zu.%s", video->place.folder,
                                        video->journal.count, kind.extension);
    if (status == VRS_OK) {
        status = vrs_container_make(&video->segment, kind.muxer, first, video->time_base,
                                    video->encoding.rate);
    }
    if (status == VRS_OK)
        status = vrs_container_begin(&video->segment, path);
    video->segment_first = video->times.count - 1;
    video->segment_pts = video->times.last;
    video->segment_zero = kind.from_zero ? video->times.last : 0;
    return status;
}

/* Writes the packets that the encoder has ready. */
static vrs_status drain(video_sink *video, vrs_status until)
{
    AVPacket *packet = video->packet;
    for (;;) {
        vrs_status status = vrs_encoder_receive(video->encoder, packet);
        if (status == until)
            return VRS_OK;
        if (status == VRS_OK)
            status = vrs_times_apply(&video->times, packet);
        if (status == VRS_OK) {
            packet->pts -= video->segment_zero;
            packet->dts -= video->segment_zero;
            status = vrs_container_write(&video->segment, packet, video->segment.video,
                                         video->time_base, false);
        }
        av_packet_unref(packet);
        if (status != VRS_OK)
            return status;
    }
}

static vrs_status end_segment(video_sink *video)
{
    vrs_segment_kind kind = vrs_segment_kind_of(video->video->codec_id);
    vrs_journal_entry entry = {
        .first_frame = video->segment_first,
        .frames = video->times.count - video->segment_first,
        .first_pts = video->segment_pts,
        .end_pts = video->times.end,
        .last_pts = video->times.last,
        .shift = video->times.shift,
        .source_times = video->times.repaired == 0 && !video->base.times_changed,
    };
    char path[VRS_PATH_MAX];
    (void)snprintf(entry.file, sizeof entry.file, "seg-%05zu.%s", video->journal.count,
                   kind.extension);
    vrs_status status = vrs_path_format(path, sizeof path, "%s", video->segment.file.path);
    if (status == VRS_OK)
        status = vrs_encoder_flush(video->encoder);
    if (status == VRS_OK)
        status = drain(video, VRS_END);
    vrs_encoder_destroy(video->encoder);
    video->encoder = NULL;
    if (status != VRS_OK) {
        vrs_container_discard(&video->segment);
        return status;
    }
    entry.last_dts = video->times.last_dts;
    status = vrs_container_end(&video->segment, &entry.bytes, &entry.crc);
    if (status == VRS_OK)
        status = vrs_sync_folder(video->place.folder);
    if (status == VRS_OK)
        status = vrs_journal_add(&video->journal, &entry);
    if (status != VRS_OK)
        (void)remove(path);
    return status;
}

/* ---- ending --------------------------------------------------------------------------------- */

/* Puts away the segment under way. Finished ones stay with their journal; without any, everything
 * goes. */
static void stop(video_sink *video)
{
    vrs_container_discard(&video->segment);
    vrs_encoder_destroy(video->encoder);
    video->encoder = NULL;
    if (video->journal.count > 0 || video->others_work)
        vrs_workplace_leave(&video->place);
    else
        vrs_workplace_clear(&video->place);
    vrs_journal_close(&video->journal);
    video->closed = true;
}

/* Ends a sink that cannot go on, and says what is left of it. */
static vrs_status give_up(video_sink *video, vrs_status status)
{
    char detail[VRS_DETAIL_SIZE];
    (void)snprintf(detail, sizeof detail, "%s", vrs_last_error());
    int64_t frames = 0;
    for (size_t i = 0; i < video->journal.count; i++)
        frames += video->journal.entries[i].frames;
    if (frames > 0) {
        (void)vrs_fail(status, "%s; the %lld frames in finished segments are kept in %s", detail,
                       (long long)frames, video->place.folder);
    }
    stop(video);
    if (frames == 0)
        (void)vrs_fail(status, "%s", detail);
    video->failed = status;
    (void)snprintf(video->failure, sizeof video->failure, "%s", vrs_last_error());
    return status;
}

static vrs_status refuse_closed(const video_sink *video)
{
    if (video->failed != VRS_OK)
        return vrs_fail(video->failed, "%s", video->failure);
    return vrs_fail(VRS_CLOSED, "%s: is finished and takes nothing more", video->place.output);
}

/* ---- the sink ------------------------------------------------------------------------------- */

static vrs_status check_image(const video_sink *video, const vrs_image *image)
{
    const vrs_encoder_params *encoding = &video->encoding;
    vrs_status status = vrs_image_check(image);
    if (status != VRS_OK)
        return status;
    if (image->format != encoding->format || image->width != encoding->width ||
        image->height != encoding->height) {
        return vrs_fail(VRS_INVALID, "%s: takes %s of %dx%d, not %s of %dx%d", video->place.output,
                        vrs_pixel_format_name(encoding->format), (int)encoding->width,
                        (int)encoding->height, vrs_pixel_format_name(image->format),
                        (int)image->width, (int)image->height);
    }
    return VRS_OK;
}

static vrs_status encode(video_sink *video, vrs_image *image)
{
    vrs_status status = video->segment.format ? VRS_OK : begin_segment(video);
    if (status != VRS_OK) {
        vrs_image_release(image);
        return status;
    }
    status = vrs_encoder_send(video->encoder, image, video->times.count - 1);
    if (status == VRS_OK)
        status = drain(video, VRS_TIMEOUT);
    if (status == VRS_OK && video->times.count - video->segment_first >= video->segment_frames)
        status = end_segment(video);
    return status;
}

static vrs_status video_write(vrs_sink *sink, vrs_image *image, int64_t pts, int64_t duration,
                              const char *name)
{
    video_sink *video = (video_sink *)sink;
    (void)name;
    vrs_status status = video->closed ? refuse_closed(video) : check_image(video, image);
    if (status != VRS_OK) {
        vrs_image_release(image);
        return status;
    }
    vrs_times_add(&video->times, pts, duration);
    status = encode(video, image);
    if (status != VRS_OK)
        return give_up(video, status);
    sink->frames++;
    return VRS_OK;
}

static void note_times(video_sink *video)
{
    if (video->times.repaired > 0) {
        vrs_note_add(video->base.note, sizeof video->base.note,
                     "%lld frames whose time was not after the one before were moved behind it",
                     (long long)video->times.repaired);
    }
    if (video->times.shift > 0) {
        vrs_note_add(video->base.note, sizeof video->base.note,
                     "all times are moved by %.3f s, as the first was below 0",
                     (double)video->times.shift * av_q2d(video->time_base));
    }
}

static vrs_status video_finish(vrs_sink *sink)
{
    video_sink *video = (video_sink *)sink;
    if (video->closed)
        return refuse_closed(video);
    if (video->times.count == 0) {
        stop(video);
        return VRS_OK;
    }
    vrs_status status = video->segment.format ? end_segment(video) : VRS_OK;
    if (status == VRS_OK && video->shards > 0) {
        status = vrs_journal_end(&video->journal);
    } else if (status == VRS_OK) {
        vrs_join_params joining = {
            .place = &video->place,
            .journal = &video->journal,
            .muxer = video->muxer,
            .video = video->video,
            .time_base = video->time_base,
            .rate = video->encoding.rate,
            .shift = video->times.shift,
            .carry = &video->carrying,
        };
        status = vrs_join(&joining, sink->note, sizeof sink->note);
    }
    if (status != VRS_OK)
        return give_up(video, status);
    note_times(video);
    if (video->shards == 0)
        vrs_journal_close(&video->journal); /* forgets the segments: stop() removes them */
    stop(video);
    return VRS_OK;
}

static void video_abort(vrs_sink *sink)
{
    video_sink *video = (video_sink *)sink;
    if (!video->closed)
        stop(video);
}

static void video_destroy(vrs_sink *sink)
{
    video_sink *video = (video_sink *)sink;
    avcodec_parameters_free(&video->video);
    av_packet_free(&video->packet);
    vrs_free(video->preset);
    vrs_free(video->options);
    vrs_free(video->source_path);
    vrs_free(video->settings);
    vrs_free(video);
}

static vrs_status open_all(video_sink *video, const vrs_sink_params *params)
{
    vrs_status status = copy_params(video, params);
    if (status == VRS_OK) {
        status = vrs_workplace_find(&video->place, params->path, params->source_path,
                                    VRS_WORKPLACE_FILE, params->overwrite || params->resume);
    }
    if (status == VRS_OK && video->shards > 0)
        status = vrs_workplace_of_shard(&video->place, video->shard, video->shards);
    if (status == VRS_OK) {
        video->packet = vrs_inject("libav") ? av_packet_alloc() : NULL;
        status = video->packet ? prepare(video, params)
                               : vrs_fail(VRS_NO_MEMORY, "no memory for a packet");
    }
    video->base.by_nvenc = video->encoding.place == VRS_ENCODER_NVENC;
    if (status == VRS_OK)
        status = vrs_workplace_enter(&video->place, vrs_sink_leftover(params));
    return status == VRS_OK ? open_journal(video, params->resume) : status;
}

vrs_status vrs_sink_open_video(const vrs_sink_params *params, vrs_sink **sink)
{
    static const vrs_sink_ops ops = {video_write, video_finish, video_abort, video_destroy,
                                     video_rewind};
    video_sink *video = vrs_alloc(sizeof *video);
    if (!video)
        return VRS_NO_MEMORY;
    video->base.ops = &ops;
    video->place.lock = -1;
    video->journal.fd = -1;
    video->segment.file.fd = -1;
    vrs_status status = open_all(video, params);
    if (status != VRS_OK) {
        char detail[VRS_DETAIL_SIZE];
        (void)snprintf(detail, sizeof detail, "%s", vrs_last_error());
        stop(video);
        video_destroy(&video->base);
        return vrs_fail(status, "%s", detail);
    }
    *sink = &video->base;
    return VRS_OK;
}
