#include "media/file/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "vrseg/system.h"

/* Room for a text of so many bytes as a JSON string. */
#define QUOTED(bytes) (6 * (bytes) + 3)

/* Writes text as a JSON string. Bytes outside ASCII are escaped one by one, so that the line is
 * valid whatever they are. */
static void quote(const char *text, char *json, size_t size)
{
    size_t used = 0;
    json[used++] = '"';
    for (const char *c = text ? text : ""; *c != '\0' && used + 8 < size; c++) {
        unsigned byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            json[used++] = '\\';
            json[used++] = *c;
        } else if (byte < 0x20 || byte > 0x7e) {
            used += (size_t)snprintf(json + used, size - used, "\\u%04x", byte);
        } else {
            json[used++] = *c;
        }
    }
    json[used++] = '"';
    json[used] = '\0';
}

static vrs_status write_all(const vrs_journal *journal, const char *line, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t count = -1;
        errno = EIO;
        if (vrs_inject("write"))
            count = write(journal->fd, line + done, length - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            return vrs_fail(vrs_errno_status(errno), "%s: cannot be written: %s", journal->path,
                            vrs_errno_text(errno));
        }
        done += (size_t)count;
    }
    errno = EIO;
    if (!vrs_inject("fsync") || fsync(journal->fd) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be brought to the disk: %s",
                        journal->path, vrs_errno_text(errno));
    }
    return VRS_OK;
}

static vrs_status append(vrs_journal *journal, const char *line)
{
    size_t length = strlen(line);
    vrs_status status = write_all(journal, line, length);
    if (status == VRS_OK) {
        journal->size += (int64_t)length;
        return VRS_OK;
    }
    /* Half a line must not stand before the next one. */
    if (ftruncate(journal->fd, (off_t)journal->size) == 0)
        (void)lseek(journal->fd, (off_t)journal->size, SEEK_SET);
    return status;
}

vrs_status vrs_journal_header_line(const vrs_journal_header *header, char **line)
{
    char preset[QUOTED(128)];
    char options[QUOTED(1024)];
    char settings[QUOTED(1024)];
    char layout[QUOTED(VRS_LAYOUT_TAGS_SIZE)];
    quote(header->preset, preset, sizeof preset);
    quote(header->options, options, sizeof options);
    quote(header->settings, settings, sizeof settings);
    quote(header->layout, layout, sizeof layout);
    *line = vrs_alloc(VRS_JOURNAL_LINE);
    char *source = vrs_alloc(QUOTED(VRS_PATH_MAX));
    if (*line && source) {
        quote(header->source, source, QUOTED(VRS_PATH_MAX));
        (void)snprintf(*line, VRS_JOURNAL_LINE,
                       "{\"journal\":2,\"vrseg\":\"%s\",\"output\":\"%s\",\"encoder\":\"%s\","
                       "\"preset\":%s,\"crf\":%g,\"bitrate\":%" PRId64 ",\"options\":%s,"
                       "\"threads\":%d,\"width\":%d,\"height\":%d,\"time_base\":\"%d/%d\","
                       "\"rate\":\"%d/%d\",\"segment_frames\":%d,\"shard\":\"%d/%d\","
                       "\"keep_streams\":%d,\"same_size\":%d,\"rotation\":%d,\"layout\":%s,"
                       "\"settings\":%s,"
                       "\"source_bytes\":%" PRId64 ",\"source\":%s}\n",
                       vrs_version(), header->kind, header->encoder, preset, header->crf,
                       header->bitrate, options, (int)header->threads, (int)header->width,
                       (int)header->height, (int)header->time_base_num, (int)header->time_base_den,
                       (int)header->rate_num, (int)header->rate_den, (int)header->segment_frames,
                       (int)header->shard, (int)header->shards, header->keep_streams,
                       header->same_size, (int)header->rotation, layout, settings,
                       header->source_bytes, source);
    } else {
        vrs_free(*line);
        *line = NULL;
    }
    vrs_free(source);
    return *line ? VRS_OK : VRS_NO_MEMORY;
}

static vrs_status write_header(vrs_journal *journal, const vrs_journal_header *header)
{
    char *line = NULL;
    vrs_status status = vrs_journal_header_line(header, &line);
    if (status == VRS_OK)
        status = append(journal, line);
    vrs_free(line);
    return status;
}

vrs_status vrs_journal_create(vrs_journal *journal, const char *folder,
                              const vrs_journal_header *header)
{
    *journal = (vrs_journal){.fd = -1};
    vrs_status status =
        vrs_path_format(journal->path, sizeof journal->path, "%s/%s", folder, VRS_JOURNAL_NAME);
    if (status != VRS_OK)
        return status;
    errno = EIO;
    if (vrs_inject("open"))
        journal->fd = open(journal->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (journal->fd < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be made: %s", journal->path,
                        vrs_errno_text(errno));
    }
    status = write_header(journal, header);
    if (status != VRS_OK) {
        (void)unlink(journal->path);
        vrs_journal_close(journal);
    }
    return status;
}

/* Room for one more entry. */
vrs_status vrs_journal_make_room(vrs_journal *journal)
{
    if (journal->count < journal->capacity)
        return VRS_OK;
    size_t capacity = journal->capacity ? 2 * journal->capacity : 16;
    vrs_journal_entry *entries = vrs_realloc(journal->entries, capacity * sizeof *entries);
    if (!entries)
        return VRS_NO_MEMORY;
    journal->entries = entries;
    int64_t *places = vrs_realloc(journal->places, capacity * sizeof *places);
    if (!places)
        return VRS_NO_MEMORY;
    journal->places = places;
    journal->capacity = capacity;
    return VRS_OK;
}

vrs_status vrs_journal_add(vrs_journal *journal, const vrs_journal_entry *entry)
{
    char line[512];
    vrs_status status = vrs_journal_make_room(journal);
    if (status != VRS_OK)
        return status;
    (void)snprintf(line, sizeof line,
                   "{\"segment\":%zu,\"file\":\"%s\",\"first_frame\":%" PRId64
                   ",\"frames\":%" PRId64 ",\"first_pts\":%" PRId64 ",\"end_pts\":%" PRId64
                   ",\"last_pts\":%" PRId64 ",\"last_dts\":%" PRId64 ",\"shift\":%" PRId64
                   ",\"source_times\":%s,\"bytes\":%" PRId64 ",\"crc32\":\"%08" PRIx32 "\"}\n",
                   journal->count, entry->file, entry->first_frame, entry->frames, entry->first_pts,
                   entry->end_pts, entry->last_pts, entry->last_dts, entry->shift,
                   entry->source_times ? "true" : "false", entry->bytes, entry->crc);
    int64_t place = journal->size;
    status = append(journal, line);
    if (status == VRS_OK) {
        journal->places[journal->count] = place;
        journal->entries[journal->count++] = *entry;
    }
    return status;
}

vrs_status vrs_journal_end(vrs_journal *journal)
{
    char line[64];
    (void)snprintf(line, sizeof line, "{\"end\":%zu}\n", journal->count);
    return append(journal, line);
}

vrs_status vrs_journal_cut(vrs_journal *journal, size_t count)
{
    if (count >= journal->count)
        return VRS_OK;
    int64_t size = journal->places[count];
    errno = EIO;
    if (!vrs_inject("ftruncate") || ftruncate(journal->fd, (off_t)size) != 0 ||
        lseek(journal->fd, (off_t)size, SEEK_SET) < 0 || fsync(journal->fd) != 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be cut: %s", journal->path,
                        vrs_errno_text(errno));
    }
    journal->size = size;
    journal->count = count;
    return VRS_OK;
}

void vrs_journal_close(vrs_journal *journal)
{
    if (journal->fd >= 0)
        (void)close(journal->fd);
    vrs_free(journal->entries);
    vrs_free(journal->places);
    *journal = (vrs_journal){.fd = -1};
}
