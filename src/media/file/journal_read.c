/* Going on with a journal: what of it is whole, and whether it is of the same run. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yajl/yajl_tree.h>

#include "base/alloc.h"
#include "base/errno_text.h"
#include "media/file/journal.h"
#include "media/file/out_file.h"
#include "vrseg/log.h"

/* An object of one line, freed with yajl_tree_free(); NULL: the line is none. VRS_NO_MEMORY: nobody
 * knows. */
static vrs_status parse(const char *line, size_t length, yajl_val *object)
{
    char why[64] = ""; /* YAJL says nothing where it has no memory */
    *object = NULL;
    char *copy = vrs_alloc(length + 1);
    if (!copy)
        return VRS_NO_MEMORY;
    memcpy(copy, line, length);
    yajl_val value = vrs_inject("yajl") ? yajl_tree_parse(copy, why, sizeof why) : NULL;
    vrs_free(copy);
    if (!value && !why[0])
        return vrs_fail(VRS_NO_MEMORY, "no memory to read a journal");
    if (value && !YAJL_IS_OBJECT(value)) {
        yajl_tree_free(value);
        value = NULL;
    }
    *object = value;
    return VRS_OK;
}

static yajl_val member(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};
    return yajl_tree_get(object, path, yajl_t_any);
}

/* ---- the header ----------------------------------------------------------------------------- */

static void text_of(const char *name, yajl_val value, char *text)
{
    const char *string = value ? YAJL_GET_STRING(value) : NULL;
    const char *number = value ? YAJL_GET_NUMBER(value) : NULL;
    (void)snprintf(text, VRS_JOURNAL_VALUE, "%s %s", name,
                   string   ? string
                   : number ? number
                            : "nothing");
}

/* The first line of "name=value" that two texts differ in; false: they are the same. */
static bool settings_differ(const char *before, const char *now, vrs_journal_difference *difference)
{
    while (*before || *now) {
        size_t old = strcspn(before, "\n");
        size_t fresh = strcspn(now, "\n");
        if (old != fresh || memcmp(before, now, old) != 0) {
            (void)snprintf(difference->was, VRS_JOURNAL_VALUE, "%.*s", (int)old, before);
            (void)snprintf(difference->is, VRS_JOURNAL_VALUE, "%.*s", (int)fresh, now);
            return true;
        }
        before += old + (before[old] != '\0');
        now += fresh + (now[fresh] != '\0');
    }
    return false;
}

static bool members_differ(const char *name, yajl_val before, yajl_val now,
                           vrs_journal_difference *difference)
{
    const char *old = before ? YAJL_GET_STRING(before) : NULL;
    const char *fresh = YAJL_GET_STRING(now);
    if (strcmp(name, "settings") == 0 && old && fresh)
        return settings_differ(old, fresh, difference);
    text_of(name, before, difference->was);
    text_of(name, now, difference->is);
    return strcmp(difference->was, difference->is) != 0;
}

/* Files are moved, so that the path of the source does not count. */
static bool same(yajl_val before, yajl_val now, bool shards, vrs_journal_difference *difference)
{
    for (size_t i = 0; i < now->u.object.len; i++) {
        const char *name = now->u.object.keys[i];
        bool counts = strcmp(name, "source") != 0 && (!shards || strcmp(name, "shard") != 0);
        if (counts &&
            members_differ(name, member(before, name), now->u.object.values[i], difference))
            return false;
    }
    return true;
}

bool vrs_journal_same(const struct yajl_val_s *before, const struct yajl_val_s *now,
                      vrs_journal_difference *difference)
{
    return same((yajl_val)before, (yajl_val)now, true, difference);
}

static vrs_status check_header(const vrs_journal *journal, const char *line, size_t length,
                               const vrs_journal_header *header)
{
    char *own = NULL;
    vrs_status status = vrs_journal_header_line(header, &own);
    if (status != VRS_OK)
        return status;
    vrs_journal_difference difference;
    yajl_val before = NULL;
    yajl_val now = NULL;
    status = parse(line, length, &before);
    if (status == VRS_OK)
        status = parse(own, strlen(own), &now);
    if (status == VRS_OK && (!before || !member(before, "journal"))) {
        status = vrs_fail(VRS_CORRUPT,
                          "%s: its first line is no journal's; remove the folder to begin anew",
                          journal->path);
    } else if (status == VRS_OK && !same(before, now, false, &difference)) {
        status = vrs_fail(VRS_INVALID,
                          "%s: the run that ended early had %s, and this one has %s; use the same "
                          "settings, or begin anew without resume",
                          journal->path, difference.was[0] ? difference.was : "nothing",
                          difference.is[0] ? difference.is : "nothing");
    }
    yajl_tree_free(before);
    yajl_tree_free(now);
    vrs_free(own);
    return status;
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool read_integer(yajl_val object, const char *name, int64_t *integer)
{
    yajl_val value = member(object, name);
    if (!value || !YAJL_IS_INTEGER(value))
        return false;
    *integer = YAJL_GET_INTEGER(value);
    return true;
}

/* The entry of a line, if it is one that goes on where the journal ends. */
static bool read_entry(const vrs_journal *journal, yajl_val line, vrs_journal_entry *entry)
{
    int64_t number = -1;
    bool whole = read_integer(line, "segment", &number) &&
                 read_integer(line, "first_frame", &entry->first_frame) &&
                 read_integer(line, "frames", &entry->frames) &&
                 read_integer(line, "first_pts", &entry->first_pts) &&
                 read_integer(line, "end_pts", &entry->end_pts) &&
                 read_integer(line, "last_pts", &entry->last_pts) &&
                 read_integer(line, "last_dts", &entry->last_dts) &&
                 read_integer(line, "shift", &entry->shift) &&
                 read_integer(line, "bytes", &entry->bytes);
    yajl_val file = member(line, "file");
    yajl_val crc = member(line, "crc32");
    yajl_val times = member(line, "source_times");
    const char *name = file ? YAJL_GET_STRING(file) : NULL;
    const char *sum_text = crc ? YAJL_GET_STRING(crc) : NULL;
    if (!whole || !name || !sum_text || !times)
        return false;
    const vrs_journal_entry *before =
        journal->count > 0 ? &journal->entries[journal->count - 1] : NULL;
    char *end = NULL;
    unsigned long sum = strtoul(sum_text, &end, 16);
    bool follows = number == (int64_t)journal->count && entry->frames > 0 &&
                   entry->frames < INT32_MAX &&
                   entry->first_frame ==
                       (before ? before->first_frame + before->frames : entry->first_frame) &&
                   entry->first_frame >= 0 && entry->first_frame < INT64_MAX / 2 &&
                   (!before || entry->first_pts > before->last_pts) &&
                   entry->first_pts <= entry->last_pts && entry->last_pts < entry->end_pts;
    bool named =
        strncmp(name, "seg-", 4) == 0 && !strchr(name, '/') && strlen(name) < sizeof entry->file;
    if (!follows || !named || *end != '\0' || sum > UINT32_MAX)
        return false;
    (void)snprintf(entry->file, sizeof entry->file, "%s", name);
    entry->crc = (uint32_t)sum;
    entry->source_times = YAJL_IS_TRUE(times);
    return true;
}

/* Whether the segment is there as it was written. VRS_IO, VRS_PERMISSION, VRS_NO_MEMORY: nobody
 * knows. */
static vrs_status look_at_segment(const char *folder, const vrs_journal_entry *entry, bool *whole)
{
    char path[VRS_PATH_MAX];
    int64_t bytes = -1;
    uint32_t crc = 0;
    *whole = false;
    vrs_status status = vrs_path_format(path, sizeof path, "%s/%s", folder, entry->file);
    if (status == VRS_OK && !vrs_file_exists(path))
        return VRS_OK;
    if (status == VRS_OK)
        status = vrs_file_checksum(path, &bytes, &crc);
    *whole = status == VRS_OK && bytes == entry->bytes && crc == entry->crc;
    return status;
}

/* Takes the entries up to the first line that is none, and sets the size to the end of the last. */
static vrs_status read_entries(vrs_journal *journal, const char *text, size_t size)
{
    bool going = true;
    while (going) {
        size_t at = (size_t)journal->size;
        const char *end = at < size ? memchr(text + at, '\n', size - at) : NULL;
        if (!end)
            return VRS_OK;
        vrs_journal_entry entry = {0};
        yajl_val line = NULL;
        vrs_status status = vrs_journal_make_room(journal);
        if (status == VRS_OK)
            status = parse(text + at, (size_t)(end - text) - at, &line);
        if (status != VRS_OK)
            return status;
        going = line && read_entry(journal, line, &entry);
        yajl_tree_free(line);
        if (going) {
            journal->places[journal->count] = journal->size;
            journal->entries[journal->count++] = entry;
            journal->size = end - text + 1;
        }
    }
    return VRS_OK;
}

/* Leaves the entries up to the first whose segment is not as it was written; with `again` says of
 * that one that it is made again. */
static vrs_status check_segments(vrs_journal *journal, const char *folder, bool again)
{
    for (size_t i = 0; i < journal->count; i++) {
        bool whole = false;
        vrs_status status = look_at_segment(folder, &journal->entries[i], &whole);
        if (status != VRS_OK)
            return status;
        if (!whole) {
            if (again) {
                vrs_log(VRS_LOG_WARNING, "%s/%s: is not as it was written; it is made again",
                        folder, journal->entries[i].file);
            }
            journal->size = journal->places[i];
            journal->count = i;
        }
    }
    return VRS_OK;
}

/* Reads a folder's journal, which is closed and knows its path; the text is owned. VRS_NOT_FOUND:
 * there is none; VRS_INVALID: it is too large. */
static vrs_status read_text(vrs_journal *journal, const char *folder, char **text, size_t *size)
{
    *journal = (vrs_journal){.fd = -1};
    vrs_status status =
        vrs_path_format(journal->path, sizeof journal->path, "%s/%s", folder, VRS_JOURNAL_NAME);
    if (status == VRS_OK && !vrs_file_exists(journal->path))
        status = vrs_fail(VRS_NOT_FOUND, "%s: there is no such file", journal->path);
    return status == VRS_OK ? vrs_file_read(journal->path, VRS_JOURNAL_MAX_BYTES, text, size)
                            : status;
}

vrs_status vrs_journal_count(const char *folder, int64_t *segments)
{
    vrs_journal journal;
    char *text = NULL;
    size_t size = 0;
    int64_t lines = 0;
    vrs_status status = read_text(&journal, folder, &text, &size);
    for (size_t i = 0; text && i < size; i++)
        lines += text[i] == '\n';
    *segments = lines > 1 ? lines - 1 : 0; /* the first line is the header */
    vrs_free(text);
    return status == VRS_NOT_FOUND ? VRS_OK : status;
}

/* ---- going on ------------------------------------------------------------------------------- */

static vrs_status read_all(vrs_journal *journal, const char *folder,
                           const vrs_journal_header *header, const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    if (!end)
        return VRS_OK; /* not even its first line was brought to the disk */
    size_t length = (size_t)(end - text);
    vrs_status status = check_header(journal, text, length, header);
    journal->size = (int64_t)length + 1;
    if (status == VRS_OK)
        status = read_entries(journal, text, size);
    return status == VRS_OK ? check_segments(journal, folder, true) : status;
}

/* Opens the file behind its last whole entry. */
static vrs_status open_end(vrs_journal *journal)
{
    errno = EIO;
    journal->fd = vrs_inject("open") ? open(journal->path, O_WRONLY | O_CLOEXEC) : -1;
    bool opened = journal->fd >= 0;
    errno = opened ? EIO : errno;
    if (!opened || !vrs_inject("ftruncate") || ftruncate(journal->fd, (off_t)journal->size) != 0 ||
        lseek(journal->fd, (off_t)journal->size, SEEK_SET) < 0) {
        return vrs_fail(vrs_errno_status(errno), "%s: cannot be gone on with: %s", journal->path,
                        vrs_errno_text(errno));
    }
    return VRS_OK;
}

vrs_status vrs_journal_resume(vrs_journal *journal, const char *folder,
                              const vrs_journal_header *header, bool *has)
{
    char *text = NULL;
    size_t size = 0;
    *has = false;
    vrs_status status = read_text(journal, folder, &text, &size);
    if (status == VRS_NOT_FOUND)
        return VRS_OK;
    if (status == VRS_OK)
        status = read_all(journal, folder, header, text, size);
    vrs_free(text);
    *has = status == VRS_OK && journal->count > 0;
    if (*has)
        status = open_end(journal);
    if (!*has || status != VRS_OK) {
        *has = false;
        vrs_journal_close(journal);
    }
    return status;
}

/* ---- shards --------------------------------------------------------------------------------- */

/* Whether what follows the last entry says that there are so many and no more. */
static vrs_status look_at_end(const vrs_journal *journal, const char *text, size_t size,
                              bool *ended)
{
    yajl_val line = NULL;
    int64_t count = -1;
    *ended = false;
    size_t at = (size_t)journal->size;
    const char *end = at < size ? memchr(text + at, '\n', size - at) : NULL;
    if (!end)
        return VRS_OK;
    vrs_status status = parse(text + at, (size_t)(end - text) - at, &line);
    *ended = line && read_integer(line, "end", &count) && count == (int64_t)journal->count;
    yajl_tree_free(line);
    return status;
}

static vrs_status read_shard(vrs_journal *journal, const char *folder, const char *text,
                             size_t size, yajl_val *header)
{
    bool ended = false;
    const char *end = memchr(text, '\n', size);
    vrs_status status = end ? parse(text, (size_t)(end - text), header) : VRS_OK;
    if (status == VRS_OK && (!*header || !member(*header, "journal")))
        status = vrs_fail(VRS_CORRUPT, "%s: its first line is no journal's", journal->path);
    if (status != VRS_OK)
        return status;
    journal->size = end - text + 1;
    status = read_entries(journal, text, size);
    if (status == VRS_OK)
        status = look_at_end(journal, text, size, &ended);
    size_t count = journal->count;
    if (status == VRS_OK && ended) /* else they need not be read to know */
        status = check_segments(journal, folder, false);
    if (status == VRS_OK && (!ended || count == 0 || journal->count < count)) {
        status =
            vrs_fail(VRS_INVALID, "%s: is not whole; run this shard again with resume", folder);
    }
    return status;
}

vrs_status vrs_journal_read_shard(vrs_journal *journal, const char *folder,
                                  struct yajl_val_s **header)
{
    char *text = NULL;
    size_t size = 0;
    *header = NULL;
    vrs_status status = read_text(journal, folder, &text, &size);
    if (status == VRS_OK)
        status = read_shard(journal, folder, text, size, header);
    vrs_free(text);
    if (status != VRS_OK) {
        yajl_tree_free(*header);
        *header = NULL;
        vrs_journal_close(journal);
    }
    return status;
}

vrs_status vrs_journal_ended(const char *folder, bool *ended)
{
    vrs_journal journal;
    struct yajl_val_s *header = NULL;
    vrs_status status = vrs_journal_read_shard(&journal, folder, &header);
    *ended = status == VRS_OK;
    yajl_tree_free(header);
    vrs_journal_close(&journal);
    bool known = status == VRS_INVALID || status == VRS_NOT_FOUND || status == VRS_CORRUPT;
    return known ? VRS_OK : status;
}
