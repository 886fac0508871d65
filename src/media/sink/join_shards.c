/* The shards of an output become one file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

#include "base/alloc.h"
#include "media/file/container.h"
#include "media/libav/av.h"
#include "media/sink/join.h"
#include "media/sink/sink_kinds.h"
#include "vrseg/job.h"

#define MOST_SHARDS 10000

typedef struct shards {
    vrs_workplace place; /* of the output */
    int32_t count;
    char **folders;
    vrs_journal all; /* the entries of all */
    yajl_val header; /* of the first */
    AVCodecParameters *video;
} shards;

static yajl_val member(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};
    return yajl_tree_get(object, path, yajl_t_any);
}

static int32_t integer_of(yajl_val header, const char *name)
{
    yajl_val value = member(header, name);
    int64_t integer = value && YAJL_IS_INTEGER(value) ? YAJL_GET_INTEGER(value) : 0;
    return integer >= INT32_MIN && integer <= INT32_MAX ? (int32_t)integer : 0;
}

static const char *text_of(yajl_val header, const char *name)
{
    yajl_val value = member(header, name);
    const char *text = value ? YAJL_GET_STRING(value) : NULL;
    return text ? text : "";
}

/* "num/den", both positive. */
static bool ratio_of(yajl_val header, const char *name, AVRational *ratio)
{
    return sscanf(text_of(header, name), "%10d/%10d", &ratio->num, &ratio->den) == 2 &&
           ratio->num > 0 && ratio->den > 0;
}

/* ---- finding -------------------------------------------------------------------------------- */

static vrs_status folder_of(const shards *all, int32_t shard, int32_t count, char *folder)
{
    vrs_workplace place = all->place;
    vrs_status status = vrs_workplace_of_shard(&place, shard, count);
    return status == VRS_OK ? vrs_path_format(folder, VRS_PATH_MAX, "%s", place.folder) : status;
}

/* How many there are to be, by the first that is found. */
static vrs_status count_shards(shards *all)
{
    char folder[VRS_PATH_MAX];
    for (int32_t count = 1; count <= MOST_SHARDS && all->count == 0; count++) {
        vrs_status status = folder_of(all, 1, count, folder);
        if (status != VRS_OK)
            return status;
        all->count = vrs_file_exists(folder) ? count : 0;
    }
    return all->count > 0
               ? VRS_OK
               : vrs_fail(VRS_NOT_FOUND,
                          "%s: there is no first shard beside it (%s.1ofN.vrseg); make the shards "
                          "with run --shard I/N -o %s",
                          all->place.output, all->place.output, all->place.output);
}

static vrs_status find(shards *all)
{
    vrs_status status = count_shards(all);
    if (status != VRS_OK)
        return status;
    all->folders = vrs_alloc_array((size_t)all->count, sizeof *all->folders);
    if (!all->folders)
        return VRS_NO_MEMORY;
    for (int32_t i = 0; i < all->count; i++) {
        char folder[VRS_PATH_MAX];
        status = folder_of(all, i + 1, all->count, folder);
        if (status != VRS_OK)
            return status;
        if (!vrs_file_exists(folder)) {
            return vrs_fail(VRS_NOT_FOUND, "%s: shard %d of %d is missing: there is no %s",
                            all->place.output, (int)i + 1, (int)all->count, folder);
        }
        all->folders[i] = vrs_strdup(folder);
        if (!all->folders[i])
            return VRS_NO_MEMORY;
    }
    return VRS_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

static vrs_status take_entries(shards *all, const vrs_journal *journal, int32_t part)
{
    for (size_t i = 0; i < journal->count; i++) {
        vrs_status status = vrs_journal_make_room(&all->all);
        if (status != VRS_OK)
            return status;
        vrs_journal_entry entry = journal->entries[i];
        const vrs_journal_entry *before =
            all->all.count > 0 ? &all->all.entries[all->all.count - 1] : NULL;
        if (before && (entry.first_pts <= before->last_pts || entry.shift != before->shift)) {
            return vrs_fail(VRS_INVALID,
                            "%s: its frames do not follow those of the shard before it",
                            all->folders[part]);
        }
        entry.part = part;
        all->all.entries[all->all.count++] = entry;
    }
    return VRS_OK;
}

static vrs_status read_shard(shards *all, int32_t part)
{
    vrs_journal journal;
    vrs_journal_difference difference;
    yajl_val header = NULL;
    vrs_status status = vrs_journal_read_shard(&journal, all->folders[part], &header);
    if (status != VRS_OK)
        return status;
    if (!all->header) {
        all->header = header;
    } else if (!vrs_journal_same(header, all->header, &difference)) {
        status =
            vrs_fail(VRS_INVALID,
                     "%s: was made with %s, and the first shard with %s; make it again with the "
                     "same settings",
                     all->folders[part], difference.was[0] ? difference.was : "nothing",
                     difference.is[0] ? difference.is : "nothing");
    }
    if (status == VRS_OK)
        status = take_entries(all, &journal, part);
    if (header != all->header)
        yajl_tree_free(header);
    vrs_journal_close(&journal);
    return status;
}

/* The encoder's parameters as the first segment has them. */
static vrs_status read_video(shards *all)
{
    char path[VRS_PATH_MAX + 8];
    AVFormatContext *segment = NULL;
    vrs_status status =
        vrs_path_format(path, sizeof path, "file:%s/%s", all->folders[0], all->all.entries[0].file);
    if (status != VRS_OK)
        return status;
    int result =
        vrs_inject("libav") ? avformat_open_input(&segment, path, NULL, NULL) : AVERROR(ENOMEM);
    if (result >= 0 && segment->nb_streams != 1)
        result = AVERROR_INVALIDDATA;
    all->video = result >= 0 && vrs_inject("libav") ? avcodec_parameters_alloc() : NULL;
    if (result >= 0) {
        result = all->video ? avcodec_parameters_copy(all->video, segment->streams[0]->codecpar)
                            : AVERROR(ENOMEM);
    }
    avformat_close_input(&segment);
    return result < 0 ? vrs_av_fail(result, "%s: cannot be read back", path + strlen("file:"))
                      : VRS_OK;
}

/* ---- joining -------------------------------------------------------------------------------- */

static vrs_status join(const shards *all, char *note, size_t note_size)
{
    const char *source = text_of(all->header, "source");
    vrs_carry_params carry = {
        .path = source[0] && vrs_file_exists(source) ? source : NULL,
        .keep_streams = integer_of(all->header, "keep_streams") != 0,
        .kind = vrs_output_kind_of(text_of(all->header, "output")),
        .rotation = integer_of(all->header, "rotation"),
        .same_size = integer_of(all->header, "same_size") != 0,
    };
    vrs_carry_layout_parse(text_of(all->header, "layout"), &carry);
    if (!carry.path && source[0]) {
        vrs_note_add(note, note_size, "the input %s is not there: without its sound and tags",
                     source);
    }
    vrs_join_params params = {
        .place = &all->place,
        .journal = &all->all,
        .folders = (const char *const *)all->folders,
        .muxer = vrs_container_name(all->place.output),
        .video = all->video,
        .shift = all->all.entries[0].shift,
        .carry = &carry,
    };
    if (!params.muxer || !ratio_of(all->header, "time_base", &params.time_base) ||
        !ratio_of(all->header, "rate", &params.rate))
        return vrs_fail(VRS_CORRUPT, "%s: its journal is not whole", all->folders[0]);
    return vrs_join(&params, note, note_size);
}

static void remove_shards(const shards *all)
{
    for (int32_t i = 0; i < all->count; i++) {
        vrs_workplace place = all->place;
        place.lock = -1;
        /* One that another run has entered meanwhile stays. */
        if (vrs_workplace_of_shard(&place, i + 1, all->count) == VRS_OK &&
            vrs_workplace_enter(&place, VRS_LEFTOVER_KEEP) == VRS_OK)
            vrs_workplace_clear(&place);
    }
}

static void forget(shards *all)
{
    for (int32_t i = 0; i < all->count && all->folders; i++)
        vrs_free(all->folders[i]);
    vrs_free(all->folders);
    vrs_journal_close(&all->all);
    yajl_tree_free(all->header);
    avcodec_parameters_free(&all->video);
}

vrs_status vrs_job_join(const char *output, bool overwrite, char *note, size_t note_size)
{
    shards all = {.all = {.fd = -1}, .place = {.lock = -1}};
    note[0] = '\0';
    vrs_av_init();
    vrs_status status = vrs_workplace_find(&all.place, output, NULL, VRS_WORKPLACE_FILE, overwrite);
    if (status == VRS_OK)
        status = find(&all);
    for (int32_t i = 0; i < all.count && status == VRS_OK; i++)
        status = read_shard(&all, i);
    if (status == VRS_OK)
        status = read_video(&all);
    if (status == VRS_OK)
        status = vrs_workplace_enter(&all.place, VRS_LEFTOVER_REFUSE);
    if (status == VRS_OK) {
        status = join(&all, note, note_size);
        char detail[VRS_DETAIL_SIZE];
        (void)snprintf(detail, sizeof detail, "%s", vrs_last_error());
        vrs_workplace_clear(&all.place);
        if (status == VRS_OK)
            remove_shards(&all);
        else
            (void)vrs_fail(status, "%s", detail);
    }
    forget(&all);
    return status;
}
